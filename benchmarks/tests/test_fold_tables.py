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
    fold_tables.store_folds("sfinge3d-learn", results)
    assert "per_class" not in (results / "folds_sfinge3d-learn.json").read_text()
    table = fold_tables.folds_table("sfinge3d-learn").splitlines()
    assert table[0] == "| per cent | mAP .1-.5 | mAP@.5 | frame acc. | F1@10 | F1@25 | F1@50 | edit |"
    assert table[2] == f"| kinespan learn |{' 50.0 ± 2.0 |' * 5} 25.0 ± 1.0 |  |"


def test_events_are_shown_with_the_seconds_that_they_are_off(results):
    mean = {"events": {"all": {"precision": 0.5, "recall": 0.25, "f1": 0.4, "ap": None, "mae": 0.1}, "per_class": {}}}
    deviation = {"events": {"all": {"precision": 0.1, "recall": 0.0, "f1": 0.02, "ap": None, "mae": 0.01}}}
    write(results, mean, deviation)
    fold_tables.store_folds("msrc12-finetune", results)
    assert fold_tables.folds_table("msrc12-finetune").splitlines()[::2] == [
        "| per cent | precision | recall | F1 | AP | off by, s |",
        "| kinespan learn | 50.0 ± 10.0 | 25.0 ± 0.0 | 40.0 ± 2.0 |  | 0.100 ± 0.010 |",
    ]


def test_finetuning_has_one_row_and_learning_one_a_stage(results):
    content = {"split": "s", "folds": {}, "deviation": figures(0.02)}
    (results / "folds.json").write_text(json.dumps({**content, "command": "finetune", "mean": figures(0.5)}))
    fold_tables.store_folds("sfinge3d-finetune", results)
    assert fold_tables.folds_table("sfinge3d-finetune").splitlines()[2].startswith("| kinespan finetune | 50.0 ± 2.0")
    stages = {"finetune": figures(0.4), "model": figures(0.5)}
    spread = {"finetune": figures(0.01), "model": figures(0.02)}
    (results / "folds.json").write_text(
        json.dumps({**content, "command": "learn", "mean": stages, "deviation": spread})
    )
    fold_tables.store_folds("sfinge3d-learn", results)
    rows = fold_tables.folds_table("sfinge3d-learn").splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == ["| graph network, snippets", "| both averaged"]
