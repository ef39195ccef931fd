"""The figures of the docs are those of the stored rows, whose studies can be read and are about what commands do."""

from __future__ import annotations

import subprocess
import sys

import pytest
from benchmarks.results.store import RESULTS, ROOT, stored_rows
from benchmarks.study import (
    calibration_tables,
    chosen,
    label_order_tables,
    plan,
    point_labels_tables,
    robustness_tables,
)

OTHER_ROWS = (
    "growth",
    "speed_beside",
    "thread_gain",
    calibration_tables.NAME,
    chosen.NAME,
    label_order_tables.NAME,
    point_labels_tables.NAME,
    robustness_tables.NAME,
)
STORED = sorted(path.stem for path in RESULTS.glob("*.jsonl") if path.stem not in OTHER_ROWS)
SPAN_FIGURES, EVENT_FIGURES = ("map", "frame_accuracy", "f1_50", "edit"), ("event_f1", "event_ap")


def test_the_tables_of_the_docs_are_those_of_the_stored_rows() -> None:
    command = [sys.executable, "-m", "benchmarks.results", "--check"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr


@pytest.mark.parametrize("name", STORED)
def test_every_stored_row_has_its_settings_and_figures(name: str) -> None:
    rows = stored_rows(name)
    assert rows
    for row in rows:
        assert {"data", "split", "fold", "seed", "protocol", "steps", "labelled", "recordings", "train_min"} <= set(row)
        assert all(0 <= row[figure] <= 1 for figure in (EVENT_FIGURES if "event_f1" in row else SPAN_FIGURES))


def test_random_and_ranked_label_the_same_rounds_from_the_same_start() -> None:
    rows = stored_rows(label_order_tables.NAME)
    by_key = {(row["data"], row["seed"], row["round"], row["strategy"]): row for row in rows}
    assert len(by_key) == len(rows)
    for (data, seed, number, strategy), row in by_key.items():
        other = by_key[data, seed, number, "random"]
        assert abs(row["minutes"] - other["minutes"]) < 0.5
        assert number > 2 or row["chosen"] == other["chosen"], strategy
        assert 0 <= row["f1_50"] <= 1


@pytest.mark.parametrize("name", plan.names())
def test_every_study_can_be_read(name: str) -> None:
    study = plan.read(name)
    cells = list(study.cells())
    assert cells
    assert study.about
    assert len({cell.key for cell in cells}) == len(cells)
