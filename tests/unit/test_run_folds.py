"""Runs of every fold: the mean and spread of nested figures, and which folder a fold starts from."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml
from corpus_cases import recording
from hypothesis import given
from hypothesis import strategies as st

from kinespan.config import FinetuneConfig, LearnConfig, PretrainConfig, RecognizeConfig, single_fold
from kinespan.config.parser import parse_settings
from kinespan.corpus import Corpus, CorpusWriter, Fold, Split
from kinespan.errors import InputError
from kinespan.runs.folds import (
    check_folds_folder,
    fold_numbers,
    is_run_of_folds,
    read_folds,
    run_of_fold,
    spread,
    summary_of,
)
from kinespan.runs.outputs import write_metrics


def test_mean_and_deviation_by_hand() -> None:
    folds = [
        {"map": {"0.5": 0.2, "average": 0.4}, "edit": 0.5, "rule": "x", "facts": {"seed": 1}, "recordings": 3},
        {"map": {"0.5": 0.4, "average": 0.4}, "edit": None, "rule": "x", "facts": {"seed": 2}, "recordings": 5},
        {"map": {"0.5": 0.9, "average": 0.4}, "edit": 0.7, "rule": "x", "facts": {"seed": 3}, "recordings": 4},
    ]
    mean, deviation = spread(folds)
    assert mean == {"map": {"0.5": pytest.approx(0.5), "average": pytest.approx(0.4)}, "edit": pytest.approx(0.6)}
    assert deviation["map"]["0.5"] == pytest.approx(math.sqrt((0.3**2 + 0.1**2 + 0.4**2) / 2))
    assert deviation["map"]["average"] == pytest.approx(0.0)
    assert deviation["edit"] == pytest.approx(math.sqrt(2 * 0.1**2))


def test_what_has_no_number_has_no_mean() -> None:
    assert spread([{"recall": {"wave": None, "kick": 0.5}}]) == (
        {"recall": {"wave": None, "kick": 0.5}},
        {"recall": {"wave": None, "kick": None}},
    )
    assert spread([{"confusion": [[1]], "facts": {"encoder": "x"}, "exclusive": True}]) == ({}, {})
    assert spread([]) == ({}, {})


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12), st.floats(-10, 10))
def test_spread_moves_and_scales_with_the_figures(values: list[float], shift: float) -> None:
    mean, deviation = spread([{"a": {"b": value}} for value in values])
    moved, same = spread([{"a": {"b": value + shift}} for value in values])
    assert min(values) - 1e-9 <= mean["a"]["b"] <= max(values) + 1e-9
    assert moved["a"]["b"] == pytest.approx(mean["a"]["b"] + shift, abs=1e-6)
    assert same["a"]["b"] == pytest.approx(deviation["a"]["b"], abs=1e-6)
    slow = math.sqrt(sum((value - sum(values) / len(values)) ** 2 for value in values) / (len(values) - 1))
    assert deviation["a"]["b"] == pytest.approx(slow, rel=1e-6, abs=1e-9)


def test_figures_are_read_back_by_number(tmp_path: Path) -> None:
    assert read_folds(tmp_path) == {}
    figures = {10: {"edit": 0.5}, 2: {"edit": 0.25}}
    write_metrics(summary_of(figures, {"command": "finetune"}), tmp_path / "folds.json")
    assert read_folds(tmp_path) == figures
    assert list(read_folds(tmp_path)) == [2, 10]


@pytest.mark.parametrize("kind", [FinetuneConfig, LearnConfig, PretrainConfig, RecognizeConfig])
def test_fold_is_a_number_or_all_in_every_settings_file(kind: type) -> None:
    assert parse_settings(kind, {"fold": "all"}).fold == "all"
    assert parse_settings(kind, {"fold": "3"}).fold == 3
    with pytest.raises(InputError, match="fold"):
        parse_settings(kind, {"fold": "every"})
    with pytest.raises(InputError, match="fold is all, expected a number"):
        single_fold("all")


def corpus_with(tmp_path: Path, name: str, numbers: tuple[int, ...]) -> Corpus:
    with CorpusWriter(tmp_path / name, name) as writer:
        for recording_name in "abc":
            writer.add(recording(recording_name))
        writer.add_split(Split("s", {number: Fold(("a",), ("b",)) for number in numbers}))
    return Corpus.open(tmp_path / name)


def test_folds_of_corpora_have_to_agree(tmp_path: Path) -> None:
    first, second = corpus_with(tmp_path, "first", (1, 3)), corpus_with(tmp_path, "second", (1, 2))
    assert fold_numbers([first], "s") == (1, 3)
    with pytest.raises(InputError, match="different folds of split 's': 1, 3 and 1, 2"):
        fold_numbers([first, second], "s")
    with pytest.raises(InputError, match="--split NAME whose folds; available: s"):
        fold_numbers([first], None)
    with pytest.raises(InputError, match="no split 't'; available: s"):
        fold_numbers([first], "t")


def run_of_all_folds(out: Path, split: str = "s", stage: str = "pretrain") -> Path:
    (out / "fold2").mkdir(parents=True)
    (out / "fold2" / "encoder.safetensors").write_bytes(b"")
    (out / "settings.yaml").write_text(yaml.safe_dump({"stage": stage, "config": {"split": split, "fold": "all"}}))
    return out


def test_a_fold_starts_from_the_run_of_its_own_fold(tmp_path: Path) -> None:
    out = run_of_all_folds(tmp_path / "pre")
    assert is_run_of_folds(out)
    assert not is_run_of_folds(tmp_path)
    assert not is_run_of_folds("default")
    assert run_of_fold(out, "s", 2) == out / "fold2"
    with pytest.raises(InputError, match="fold3: no finished run, which fold 3 is to start from"):
        run_of_fold(out, "s", 3)
    with pytest.raises(InputError, match=r"every fold of split 's', this run has --split t; .*fold1"):
        run_of_fold(out, "t", 2)
    with pytest.raises(InputError, match="this run has no --split"):
        run_of_fold(out, None, 1)


def test_runs_of_every_fold_are_resumed_by_the_same_command_only(tmp_path: Path) -> None:
    out = run_of_all_folds(tmp_path / "pre")
    check_folds_folder(out, "pretrain", True)
    check_folds_folder(tmp_path / "new", "pretrain", False)
    with pytest.raises(InputError, match="holds a run already; resume it with --resume"):
        check_folds_folder(out, "pretrain", False)
    for folder, command in ((out, "finetune"), (tmp_path / "new", "pretrain")):
        with pytest.raises(InputError, match=f"holds no run of kinespan {command} --fold all to resume"):
            check_folds_folder(folder, command, True)
