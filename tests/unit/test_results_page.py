"""The figures of the docs are those of the stored rows, whose studies can be read and are about what commands do."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from benchmarks.results.store import RESULTS, ROOT, stored_rows
from benchmarks.study import label_order_tables, plan

from kinespan.config import FinetuneConfig, LearnConfig

STORED = sorted(path.stem for path in RESULTS.glob("*.jsonl") if path.stem not in ("growth", label_order_tables.NAME))


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
        assert all(0 <= row[figure] <= 1 for figure in ("map", "frame_accuracy", "f1_50", "edit"))


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


def test_the_row_of_learn_has_the_settings_of_learn() -> None:
    """`kinespan learn` by default settings, but for what a study sets itself: precision, seeds, labels and no probe."""
    study = plan.read("precog")
    row = next(row for row in study.rows if row.name == study.readme["`kinespan learn`"][0])
    own = {"precision": "bf16", "split": None}
    learn = LearnConfig(label_fraction=0.2)
    assert learn.teaches(11, 43)
    assert row.taught == 1
    assert replace(learn.pretraining(), **own, probe_every=0) == replace(study.pretraining[row.start], probe_every=0)
    assert _explicit(replace(learn.finetuning(), **own)) == _explicit(replace(row.finetune, label_fraction=0.2))
    assert row.beside is not None
    assert _explicit(learn.partner_training()) == _explicit(replace(row.beside, protocol="scratch", label_fraction=0.2))


def _explicit(config: FinetuneConfig) -> FinetuneConfig:
    """The settings with those explicit that `auto` leaves to a run that starts anew, of a network of one resolution."""
    stages = config.stages(1)
    settings = {"refine_stages": stages, "smoothing": config.smoothing_weight(stages), "steps": config.num_steps}
    return replace(config, **settings, precision="32", split=None)
