"""What users measure stays what it was: the figures of a tiny run of the main job, to rounding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import golden_run

STORED = Path(__file__).with_name("golden_figures.json")


def test_main_job_gives_the_stored_figures(tmp_path: Path) -> None:
    golden_run.run(tmp_path)
    stored, figures = json.loads(STORED.read_text(encoding="utf-8")), golden_run.figures(tmp_path)
    assert figures.keys() == stored.keys()
    for kind, values in stored.items():
        assert figures[kind].keys() == values.keys()
        for name, value in values.items():
            assert figures[kind][name] == pytest.approx(value, rel=1e-4, abs=1e-4), f"{kind} of {name}"
