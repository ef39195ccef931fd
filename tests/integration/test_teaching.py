"""Teachers: what finished models say of recordings without labels is learnt, and what must stay unknown stays so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_cases import TUNE, same

from kinespan.corpus import Corpus
from kinespan.corpus.training_set import TrainingSet, training_set
from kinespan.errors import InputError
from kinespan.models.ensemble import ensemble
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import read_spec, read_weights
from kinespan.runs.load import load_model
from kinespan.runs.settings import load_settings
from kinespan.train.clip_pool import ClipPool
from kinespan.train.finetuning import MODEL_FILE, PSEUDO_LABEL_SHARE, finetune
from kinespan.train.teachers import as_trained

pytestmark = pytest.mark.usefixtures("one_thread")
Command = Callable[..., Any]

HALF = replace(TUNE, split="by-performer", label_fraction=0.5, protocol="scratch")


@pytest.fixture(scope="module")
def teacher(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that was trained on half of the labels."""
    out = tmp_path_factory.mktemp("runs") / "teacher"
    finetune(corpus, out, HALF, quiet=True)
    return out


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[ClipPool]:
    """Every pool that gets pseudo-labels."""
    watched_pools = []
    add_pseudo_labels = ClipPool.add_pseudo_labels

    def watched(self: ClipPool, scores: Any, share: float) -> None:
        add_pseudo_labels(self, scores, share)
        watched_pools.append(self)

    monkeypatch.setattr(ClipPool, "add_pseudo_labels", watched)
    return watched_pools


def test_targets_are_labels_or_else_the_teachers_scores(
    corpus: Corpus, teacher: Path, pools: list[ClipPool], tmp_path: Path
) -> None:
    finetune(corpus, tmp_path / "run", HALF, teachers=[teacher], quiet=True)
    (pool,), model = pools, load_model(teacher)
    training = training_set(corpus, "by-performer", 1)
    settings = load_settings(tmp_path / "run")
    assert settings["teachers"] == [str(teacher)]
    labelled, taught = settings["labelled_recordings"], settings["taught_recordings"]
    assert labelled == load_settings(teacher)["labelled_recordings"]
    assert sorted([*labelled, *taught]) == sorted(training.names)
    assert pool.targets is not None
    for number, name in enumerate(pool.names):
        start, length = int(pool.starts[number]), int(pool.lengths[number])
        targets = pool.targets[start : start + length].numpy()
        if name in taught:
            assert np.array_equal(targets, model.frame_scores(corpus[name]))
        else:
            annotation = corpus.annotation(name)
            assert annotation is not None
            assert np.array_equal(targets.argmax(axis=1), annotation.frame_ids(length, pool.fps))
            assert set(np.unique(targets)) == {0.0, 1.0}
    of_taught = sum(float(weight) for weight, name in zip(pool.weights, pool.names, strict=True) if name in taught)
    assert of_taught == pytest.approx(PSEUDO_LABEL_SHARE)


def test_a_student_of_pseudo_labels_comes_nearer_to_its_teacher(
    corpus: Corpus, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A student whose clips are nearly all taught comes nearer to its teacher than one that sees the labels alone."""
    config = replace(HALF, steps=30, seed=HALF.seed, lr=5e-3)
    alone = finetune(corpus, tmp_path / "alone", config, quiet=True)
    monkeypatch.setattr("kinespan.train.finetuning.PSEUDO_LABEL_SHARE", 0.95)
    taught = finetune(corpus, tmp_path / "taught", config, teachers=[teacher], quiet=True)
    names = load_settings(tmp_path / "taught")["taught_recordings"]

    def away(model: Localizer) -> float:
        said = load_model(teacher)
        apart = [np.abs(model.frame_scores(corpus[name]) - said.frame_scores(corpus[name])).mean() for name in names]
        return float(np.mean(apart))

    assert away(taught) < 0.7 * away(alone)


def test_several_teachers_are_averaged(corpus: Corpus, teacher: Path, pools: list[ClipPool], tmp_path: Path) -> None:
    finetune(corpus, tmp_path / "other", replace(HALF, steps=1), quiet=True)
    both = [teacher, tmp_path / "other"]
    finetune(corpus, tmp_path / "run", HALF, teachers=both, quiet=True)
    name = load_settings(tmp_path / "run")["taught_recordings"][0]
    number = pools[0].names.index(name)
    start = int(pools[0].starts[number])
    assert pools[0].targets is not None
    targets = pools[0].targets[start : start + int(pools[0].lengths[number])].numpy()
    expected = np.mean([load_model(one).frame_scores(corpus[name]) for one in both], axis=0)
    assert np.allclose(targets, expected, atol=1e-6)
    told = read_spec(tmp_path / "run" / MODEL_FILE).training
    assert told["teachers"] == [f"{HALF.network.encoder} (scratch, {steps} steps)" for steps in (HALF.steps, 1)]
    assert told["taught_recordings"] == len(load_settings(tmp_path / "run")["taught_recordings"])


def test_a_linear_probe_learns_from_pseudo_labels(
    corpus: Corpus, pretrained: Path, teacher: Path, tmp_path: Path
) -> None:
    config = replace(HALF, protocol="linear")
    alone = finetune(corpus, tmp_path / "alone", config, pretrained=pretrained, quiet=True)
    taught = finetune(corpus, tmp_path / "run", config, pretrained=pretrained, teachers=[teacher], quiet=True)
    assert same(alone.encoder.state_dict(), taught.encoder.state_dict())
    assert not same(alone.head.state_dict(), taught.head.state_dict())


def test_recordings_without_annotation_are_pseudo_labelled(corpus: Corpus, teacher: Path, tmp_path: Path) -> None:
    """All labels that there are are used, and a recording of the corpus has none."""
    part = training_set(corpus, "by-performer", 1)
    bare = part.names[0]
    known = type(corpus).annotation
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            type(corpus), "annotation", lambda self, key, drop=(): None if key == bare else known(self, key, drop)
        )
        finetune(corpus, tmp_path / "run", replace(HALF, label_fraction=1.0), teachers=[teacher], quiet=True)
    assert load_settings(tmp_path / "run")["taught_recordings"] == [bare]


def test_resuming_a_run_with_teachers_gives_identical_weights(corpus: Corpus, teacher: Path, tmp_path: Path) -> None:
    config = replace(HALF, save_every=2)
    finetune(corpus, tmp_path / "whole", config, teachers=[teacher], quiet=True)
    run = tmp_path / "stopped"
    steps = 0

    class Stop(Exception):  # noqa: N818 - no error
        pass

    from kinespan.train.finetune_module import FinetuneModule

    step = FinetuneModule.training_step

    def stopping(self: FinetuneModule, batch: Any, batch_idx: int) -> torch.Tensor:
        nonlocal steps
        steps += 1
        if steps == 4:
            raise Stop
        return step(self, batch, batch_idx)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FinetuneModule, "training_step", stopping)
        with pytest.raises(Stop):
            finetune(corpus, run, config, teachers=[teacher], quiet=True)
    finetune(corpus, run, config, teachers=[teacher], resume=True, quiet=True)
    assert same(read_weights(run / MODEL_FILE), read_weights(tmp_path / "whole" / MODEL_FILE))


# ---- what must stay unknown ------------------------------------------------------------------------------------------


def test_a_teacher_trained_on_held_out_recordings_is_refused(corpus: Corpus, teacher: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"teacher: trained on the labels of \d+ recordings that are held out here"):
        finetune(corpus, tmp_path / "run", replace(HALF, fold=2), teachers=[teacher], quiet=True)
    finetune(corpus, tmp_path / "all", replace(HALF, split=None), quiet=True)
    with pytest.raises(InputError, match="held out here"):
        finetune(corpus, tmp_path / "run", HALF, teachers=[tmp_path / "all"], quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_pretrained_model_trained_on_held_out_recordings_is_refused(
    corpus: Corpus, pretrained: Path, teacher: Path, tmp_path: Path
) -> None:
    """A finetuned run to go on from; an encoder that was pretrained without labels may have seen all motion."""
    config = replace(HALF, protocol="finetune")
    finetune(corpus, tmp_path / "on", config, pretrained=teacher, quiet=True)
    finetune(corpus, tmp_path / "two", replace(config, fold=2), pretrained=pretrained, quiet=True)
    with pytest.raises(InputError, match=r"teacher: trained on the labels of \d+ recordings that are held out here"):
        finetune(corpus, tmp_path / "run", replace(config, fold=2), pretrained=teacher, quiet=True)
    with pytest.raises(InputError, match=r"teacher: trained with label_fraction 0\.5 and seed 0, .* other recordings"):
        finetune(corpus, tmp_path / "run", replace(config, seed=1), pretrained=teacher, quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("change", [{"seed": 1}, {"label_fraction": 1.0}])
def test_a_teacher_trained_on_other_labelled_recordings_is_refused(
    corpus: Corpus, tmp_path: Path, change: dict[str, Any]
) -> None:
    finetune(corpus, tmp_path / "knows", replace(HALF, **change), quiet=True)
    with pytest.raises(InputError, match=r"labels of other recordings; this run has 0\.5 and 0"):
        finetune(corpus, tmp_path / "run", HALF, teachers=[tmp_path / "knows"], quiet=True)


def test_teachers_are_refused_where_all_labels_are_used(corpus: Corpus, teacher: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--teachers: the labels of all 4 training recordings are used"):
        finetune(corpus, tmp_path / "run", replace(HALF, label_fraction=1.0), teachers=[teacher], quiet=True)


def test_a_teacher_of_another_rate_or_other_labels_is_refused(corpus: Corpus, teacher: Path, tmp_path: Path) -> None:
    slow = replace(HALF, network=replace(HALF.network, fps=10.0))
    with pytest.raises(InputError, match=r"it scores 15 frames a second, this run 10; .* can teach"):
        finetune(corpus, tmp_path / "run", slow, teachers=[teacher], quiet=True)
    part = training_set(corpus, "by-performer", 1)
    assert corpus.labels is not None
    fewer = TrainingSet(corpus, part.names, part.split, part.fold, corpus.labels.names[:1])
    with pytest.raises(InputError, match=r"its labels are not those of this run: it has .* besides; .* can teach"):
        finetune(fewer, tmp_path / "run", HALF, teachers=[teacher], quiet=True)


def test_finetune_command_with_teachers(jobs: Path, command: Command, tmp_path: Path) -> None:
    few = ("--split", "by-performer", "--steps", 2, "--batch-size", 4, "--clip-frames", 32, "--label-fraction", 0.5)
    done = command("finetune", "corpus", "--out", tmp_path / "one", *few)
    assert done.code == 0, done.err
    assert "2 training recordings have no label in this run" in done.out
    assert f"--teachers {tmp_path / 'one'} RUN" in done.out
    done = command("finetune", "corpus", "--out", tmp_path / "two", "--pretrained", "pre",
                   "--teachers", tmp_path / "one", tmp_path / "one" / MODEL_FILE, *few)  # fmt: skip
    assert done.code == 0, done.err
    assert "pseudo-labelling: 2/2" in done.err
    assert "have no label in this run" not in done.out
    assert "label fraction 0.5, taught recordings 2, seed 0" in done.out
    assert "teachers: tcn (finetune, 2 steps), tcn (finetune, 2 steps)" in command("info", tmp_path / "two").out


def test_teachers_give_the_scores_that_they_were_trained_to_give(corpus: Corpus, tmp_path: Path) -> None:
    model = finetune(corpus, tmp_path / "run", TUNE, protocol="scratch", quiet=True)
    recording = corpus[corpus.names[0]]
    trained = model.frame_scores(recording)
    model.spec = replace(model.spec, temperature=3.0)
    softened = ensemble([model, model])
    assert not np.allclose(softened.frame_scores(recording), trained, atol=1e-3)
    assert np.allclose(as_trained(softened).frame_scores(recording), trained, atol=1e-6)
