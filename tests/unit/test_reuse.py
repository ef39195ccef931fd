"""Pretrained encoders are taken over from runs beside a new one, where all that they follow from is the same."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from corpus_cases import LABELS, annotation, recording

from kinespan.config import NetworkConfig, PretrainConfig
from kinespan.corpus import AnnotationSets, Corpus, CorpusWriter
from kinespan.corpus.training_set import TrainingSet
from kinespan.data.annotation import Span
from kinespan.data.skeletons import NTU_25
from kinespan.runs.folder import CHECKPOINT, ENCODER_FILE
from kinespan.runs.settings import load_settings, save_settings
from kinespan.train import reuse
from kinespan.train.pretraining import pretrain
from kinespan.train.reuse import key_fact, pretraining_key, reuse_encoders
from kinespan.train.stages import Stage

CONFIG = PretrainConfig(steps=7)


def make(path: Path, seed: int = 1) -> Corpus:
    with CorpusWriter(path, "made", LABELS) as writer:
        for name in "ab":
            writer.add(recording(name, 30, 1, NTU_25, seed), annotation(Span(0.1, 0.9, "kick")))
    return Corpus.open(path)


@pytest.fixture
def data(tmp_path: Path) -> TrainingSet:
    corpus = make(tmp_path / "corpus")
    return TrainingSet(corpus, corpus.names)


def put_run(folder: Path, data: TrainingSet, config: PretrainConfig = CONFIG, text: str = "weights") -> Path:
    """What a run of pretraining leaves, in that of `learn` around it too."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not (folder.parent / "settings.yaml").exists():
        (folder.parent / "settings.yaml").write_text("- anything")
    save_settings(folder, "pretrain", config, key_fact([data], config, folder, resume=False))
    (folder / ENCODER_FILE).write_text(text)
    return folder


def reuse_for(out: Path, data: TrainingSet, config: PretrainConfig = CONFIG) -> list[str]:
    """The lines that are told where a run in `out` begins."""
    lines: list[str] = []
    call = partial(pretrain, data, out / "pretrain", config, quiet=True)
    reuse_encoders([Stage(out / "pretrain", ENCODER_FILE, "pretrains", call)], out, lines.append)
    return lines


@pytest.mark.parametrize(
    ("run", "out"),
    [
        ("a/pretrain", "b"),
        ("pre", "b"),
        ("all/fold2/pretrain", "b"),
        ("a/pretrain", "all/fold2"),
        ("all/fold2/pretrain", "again/fold2"),
    ],
)
def test_an_encoder_is_copied_from_a_run_beside(tmp_path: Path, data: TrainingSet, run: str, out: str) -> None:
    for folder in ("all", "again"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "settings.yaml").write_text("config:\n  fold: all\n  seed: 0\n")
    before = put_run(tmp_path / run, data)
    after = tmp_path / out / "pretrain"
    assert reuse_for(tmp_path / out, data) == [
        f"pretrain: the encoder of {before}, of the same recordings and settings"
    ]
    assert (after / ENCODER_FILE).read_text() == "weights"
    assert load_settings(after) == {**load_settings(before), "copied_from": str(before)}
    assert reuse_for(tmp_path / out, data) == []  # it is there


@pytest.mark.parametrize("change", ["seed", "encoder", "recordings", "names", "order", "split", "version", "dtype"])
def test_anything_that_the_weights_follow_from_makes_another_key(
    tmp_path: Path, data: TrainingSet, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_run(tmp_path / "a" / "pretrain", data)
    config = CONFIG
    if change == "seed":
        config = replace(CONFIG, seed=1)
    elif change == "encoder":
        config = replace(CONFIG, network=NetworkConfig(encoder="tcn"))
    elif change == "recordings":
        data = replace(data, corpus=make(tmp_path / "other", seed=2))
    elif change in ("names", "order"):
        data = replace(data, names=("a",) if change == "names" else ("b", "a"))
    elif change == "split":
        data = replace(data, split="half", fold=2)
    elif change == "version":
        monkeypatch.setattr(reuse, "__version__", "9.9")
    else:
        monkeypatch.setattr(reuse, "in_bfloat16", lambda *_: None)
    assert reuse_for(tmp_path / "b", data, config) == []
    assert not (tmp_path / "b").exists()


def test_labels_and_settings_that_change_no_weight_leave_the_key(tmp_path: Path, data: TrainingSet) -> None:
    key = pretraining_key([data], CONFIG)
    assert pretraining_key([data], replace(CONFIG, save_every=3, probe_every=0, fold=2)) == key
    AnnotationSets.open(data.corpus.path).add("labels", "a", Span(0.9, 1.0, "wave"))
    assert pretraining_key([replace(data, corpus=Corpus.open(data.corpus.path))], CONFIG) == key


def test_an_unfinished_run_is_neither_taken_nor_left_alone(tmp_path: Path, data: TrainingSet) -> None:
    unfinished = put_run(tmp_path / "a" / "pretrain", data)
    (unfinished / ENCODER_FILE).unlink()
    assert reuse_for(tmp_path / "b", data) == []
    put_run(tmp_path / "c" / "pretrain", data)
    (tmp_path / "b" / "pretrain").mkdir(parents=True)
    (tmp_path / "b" / "pretrain" / CHECKPOINT).touch()
    assert reuse_for(tmp_path / "b", data) == []  # it goes on from its own checkpoint


def test_a_run_that_was_resumed_otherwise_has_no_key(tmp_path: Path, data: TrainingSet) -> None:
    run = put_run(tmp_path / "a" / "pretrain", data)
    key = {"key": pretraining_key([data], CONFIG)}
    assert key_fact([data], CONFIG, run, resume=True) == key
    changed = replace(CONFIG, seed=3)
    assert key_fact([data], changed, run, resume=True) == {}


def test_encoders_of_others_have_no_key(data: TrainingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuse.ENCODERS["tcn"], "__module__", "theirs.networks")
    assert pretraining_key([data], replace(CONFIG, network=NetworkConfig(encoder="tcn"))) is None
