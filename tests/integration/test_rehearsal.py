"""Training as long as held-back labels say: the rehearsal of a run, what it tells, and how it is resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training_cases import TUNE, same, stop_after

from kinespan.config import FinetuneConfig, LearnConfig
from kinespan.corpus import Corpus
from kinespan.data.annotation import IGNORE, Annotation, LabelSet, Span
from kinespan.errors import InputError, Interrupted
from kinespan.models.model_file import read_spec
from kinespan.runs.folder import CHECKPOINT, MODEL_FILE, REHEARSAL_FOLDER
from kinespan.runs.load import load_model
from kinespan.train.calibration import calibrated
from kinespan.train.finetuning import finetune
from kinespan.train.label_curve import CurvePoint, curve_lines, label_curve
from kinespan.train.learning import learn
from kinespan.train.rehearsal import _of_trained_labels, read_rehearsal

pytestmark = pytest.mark.usefixtures("one_thread")

AUTO = replace(TUNE, steps="auto", budget=12, save_every=2, protocol="scratch")
"""A rehearsal of 6 steps, which is checked at its end, and a training of 12."""


@pytest.fixture(scope="module")
def whole(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A run that was not interrupted, and what it told."""
    out, told = tmp_path_factory.mktemp("runs") / "whole", []
    finetune(corpus, out, AUTO, quiet=True, log=told.append)
    return out, told


def test_a_run_on_its_budget_says_so_and_keeps_what_its_rehearsal_told(
    corpus: Corpus, whole: tuple[Path, list[str]]
) -> None:
    out, told = whole
    assert told == [
        "12 steps, all of the budget: the loss on 1 held-back recording had not levelled off; "
        "--budget 48 would let it go on"
    ]
    spec = read_spec(out / MODEL_FILE)
    assert spec.labels is not None
    rehearsal = read_rehearsal(out / REHEARSAL_FOLDER, spec.labels)
    assert rehearsal is not None
    assert (rehearsal.steps, rehearsal.ended, [check.step for check in rehearsal.checks]) == (12, "budget", [6])
    assert spec.training["steps"] == 12
    assert spec.training["rehearsal"]["held_back"] == 1
    (name,) = rehearsal.names
    assert rehearsal.trained == 5
    assert rehearsal.annotations[0].spans == corpus.annotation(name).spans
    assert len(rehearsal.scores[0]) == spec.input.motion(corpus[name]).num_frames
    again = calibrated(replace(spec, temperature=1.0), rehearsal.scores, rehearsal.annotations)
    assert (again.temperature, again.decode) == (spec.temperature, spec.decode)
    assert not (out / REHEARSAL_FOLDER / CHECKPOINT).exists()


@pytest.mark.parametrize("step", [3, 9])
def test_a_run_stopped_in_its_rehearsal_or_after_it_is_resumed_to_the_bit(
    corpus: Corpus, whole: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        stop_after(patch, step)
        with pytest.raises(Interrupted):
            finetune(corpus, out, AUTO, quiet=True)
    assert (out / CHECKPOINT).is_file() == (step == 9)
    with pytest.raises(InputError, match="--resume"):
        finetune(corpus, out, AUTO, quiet=True)
    model = finetune(corpus, out, AUTO, resume=True, quiet=True)
    unstopped = load_model(whole[0])
    assert same(model.state_dict(), unstopped.state_dict())
    assert model.spec.temperature == unstopped.spec.temperature


def test_the_rehearsal_sees_nothing_of_what_it_holds_back(
    corpus: Corpus, whole: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its network is what a training on the other recordings alone gives."""
    from kinespan.train import rehearsal as module

    seen: list[set[str]] = []
    pool = module.ClipPool

    def watched(motions, *rest):
        seen.append({motion.name for motion in motions})
        return pool(motions, *rest)

    monkeypatch.setattr(module, "ClipPool", watched)
    finetune(corpus, tmp_path / "run", AUTO, quiet=True)
    rehearsal = read_rehearsal(whole[0] / REHEARSAL_FOLDER, load_model(whole[0]).labels)
    assert rehearsal is not None
    assert seen == [set(corpus.names) - set(rehearsal.names)]


def test_one_labelled_recording_is_not_held_back(corpus: Corpus, tmp_path: Path) -> None:
    told: list[str] = []
    config = replace(AUTO, budget=3, label_fraction=0.01)
    model = finetune(corpus, tmp_path / "run", config, quiet=True, log=told.append)
    assert told == ["3 steps: too few labelled recordings show the same labels to hold any of them back"]
    assert model.spec.training["steps"] == 3
    assert model.spec.temperature == 1


@pytest.mark.parametrize("change", [{"steps": 2}, {"protocol": "linear", "steps": 2}])
def test_steps_that_are_given_are_taken_without_a_rehearsal(
    corpus: Corpus, tmp_path: Path, change: dict[str, object]
) -> None:
    model = finetune(corpus, tmp_path / "run", replace(AUTO, **change), quiet=True)
    assert not (tmp_path / "run" / REHEARSAL_FOLDER).exists()
    assert model.spec.training["steps"] == 2
    assert "rehearsal" not in model.spec.training


def test_learn_weighs_and_calibrates_its_networks_by_what_both_held_back(corpus: Corpus, tmp_path: Path) -> None:
    config = LearnConfig(pretrain_steps=2, budget=4, precision="32", label_fraction=0.67, teach="on")
    told: list[str] = []
    out = tmp_path / "run"
    model = learn(corpus, out, config, quiet=True, log=told.append).model
    (weights,) = [line for line in told if line.startswith("weights: ")]
    teachers = read_spec(out / "teachers" / MODEL_FILE)
    assert weights == (
        f"weights: finetune {teachers.weights[0]:.2f}, scratch {teachers.weights[1]:.2f}, by the likelihood of the "
        "labels of 1 held-back recording"
    )
    assert model.spec.weights == teachers.weights
    assert model.spec.decode.span_calibration == teachers.decode.span_calibration
    assert np.isclose(sum(model.spec.weights), 1)
    for name in ("finetune", "scratch"):
        student = read_spec(out / f"{name}_taught" / MODEL_FILE)
        assert student.training["steps"] == read_spec(out / name / MODEL_FILE).training["steps"] == 4
        assert not (out / f"{name}_taught" / REHEARSAL_FOLDER).exists()


def test_a_bad_budget_is_told() -> None:
    with pytest.raises(InputError, match="budget is 0"):
        FinetuneConfig(budget=0)


def test_the_curve_is_judged_by_the_same_recordings_and_says_what_would_help(corpus: Corpus, tmp_path: Path) -> None:
    config = LearnConfig(budget=4, precision="32")
    points = label_curve(corpus, tmp_path, config, quiet=True)
    assert [point.labelled for point in points] == [1, 3, 5]
    assert all(point.loss > 0 and 0 <= point.f1 <= 100 and point.best_step == 2 for point in points)
    told = [read_rehearsal(tmp_path / "curve" / share, corpus.labels) for share in ("0.25", "0.5", "1")]
    assert len({rehearsal.names for rehearsal in told if rehearsal is not None}) == 1
    assert label_curve(corpus, tmp_path, config, quiet=True) == points, "what is finished is read"


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([(1, 40.0, 1.0, 150, 300), (2, 60.0, 0.5, 150, 300), (4, 70.0, 0.4, 300, 300)], ["would help", "might help"]),
        ([(1, 40.0, 1.0, 150, 300), (2, 60.0, 0.5, 150, 300), (4, 60.5, 0.4, 150, 300)], ["might help", "would not"]),
        ([(1, 40.0, 1.0, 150, 300), (2, 60.0, 0.4, 150, 300), (4, 59.0, 0.4, 150, 300)], ["help little", "would not"]),
    ],
)
def test_the_lines_of_a_curve(points: list[tuple[int, float, float, int, int]], said: list[str]) -> None:
    lines = curve_lines([CurvePoint(*point) for point in points], LearnConfig())
    assert lines[0].startswith("on held-back recordings: F1 40.0 with 1 labelled recording, 60.0 with 2, ")
    assert [words in line for words, line in zip(said, lines[1:], strict=True)] == [True, True]


@pytest.mark.parametrize(
    ("change", "labelled", "message"),
    [({}, 4, "found 4 labelled training recordings, expected at least 5"), ({"steps": 9}, 40, "leave --steps out")],
)
def test_a_curve_that_cannot_be_drawn_is_refused(change: dict[str, int], labelled: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        LearnConfig(**change).check_curve(labelled)


def test_labels_that_are_not_trained_on_do_not_judge() -> None:
    labels = LabelSet(("kick", "punch", "wave"))
    trained = [Annotation((Span(0, 1, "kick"), Span(2, 3, "punch")), labels)]
    judged = [Annotation((Span(0, 1, "kick"), Span(2, 3, "wave"), Span(4, 5, "punch")), labels)]
    (kept,) = _of_trained_labels(judged, trained) or []
    assert [span.label for span in kept.spans] == ["kick", "punch"]
    assert kept.labels == labels
    ids = kept.frame_ids(60, 10)
    assert (ids[20:30] == IGNORE).all(), "a wave is neither background nor an action that it was taught"
    assert (ids[10:20] == 0).all()
    assert _of_trained_labels(judged, [Annotation((), labels)]) is None
