"""The figures of the docs are those of the kept rows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STUDIES = sorted(path.stem for path in (ROOT / "benchmarks" / "results").glob("*.jsonl") if path.stem != "growth")


def results(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.results", *flags], cwd=ROOT, capture_output=True, text=True
    )


def test_the_tables_are_what_the_rows_say() -> None:
    done = results("--check")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("study", STUDIES)
def test_every_row_says_where_it_comes_from(study: str) -> None:
    rows = [json.loads(line) for line in (ROOT / "benchmarks" / "results" / f"{study}.jsonl").read_text().splitlines()]
    assert rows
    for row in rows:
        assert {"data", "split", "fold", "seed", "protocol", "steps", "labelled", "recordings", "train_min"} <= set(row)
        assert all(0 <= row[name] <= 1 for name in ("map", "frame_accuracy", "f1_50", "edit"))
