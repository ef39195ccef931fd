"""Tables of runs of every fold: the figures of folds.json, in per cent, for spans and for events."""

from __future__ import annotations

import json

import pytest
from benchmarks.results import fold_tables, store


def figures(share: float) -> dict:
    f1 = {"10": share, "25": share, "50": share / 2}
    spans = {"map_average": {"0.1:0.5": share}, "map": {"0.5": share}, "frame_accuracy": share, "f1": f1, "edit": None}
    return {**spans, "per_class": {"wave": {}}, "facts": {"seed": 0}}


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    monkeypatch.setattr(fold_tables, "RESULTS", tmp_path)
    return tmp_path


def write(folder, mean, deviation):
    content = {"command": "learn", "split": "s", "folds": {"1": {"model": mean}}, "mean": {"model": mean}}
    (folder / "folds.json").write_text(json.dumps({**content, "deviation": {"model": deviation}}))


def test_spans_are_shown_as_mean_and_deviation(results):
    write(results, figures(0.5), figures(0.02))
    fold_tables.store_folds("sfinge3d", results)
    assert "per_class" not in (results / "folds_sfinge3d.json").read_text()
    table = fold_tables.folds_table("sfinge3d").splitlines()
    assert table[0] == "| per cent | mAP .1-.5 | mAP@.5 | frame acc. | F1@10 | F1@25 | F1@50 | edit |"
    assert table[2] == ("| model | 50.0 ± 2.0 | 50.0 ± 2.0 | 50.0 ± 2.0 | 50.0 ± 2.0 | 50.0 ± 2.0 | 25.0 ± 1.0 |  |")


def test_events_are_shown_with_the_seconds_that_they_are_off(results):
    mean = {"events": {"all": {"precision": 0.5, "recall": 0.25, "f1": 0.4, "ap": None, "mae": 0.1}, "per_class": {}}}
    deviation = {"events": {"all": {"precision": 0.1, "recall": 0.0, "f1": 0.02, "ap": None, "mae": 0.01}}}
    write(results, mean, deviation)
    fold_tables.store_folds("msrc12", results)
    assert fold_tables.folds_table("msrc12").splitlines()[::2] == [
        "| per cent | precision | recall | F1 | AP | off by, s |",
        "| model | 50.0 ± 10.0 | 25.0 ± 0.0 | 40.0 ± 2.0 |  | 0.100 ± 0.010 |",
    ]
