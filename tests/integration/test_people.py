"""People told apart: two of them do different things at the same time, and each is trained, localized and scored."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from kinespan.annotations.activitynet import read_truth
from kinespan.config import AugmentConfig, FinetuneConfig, LearnConfig, NetworkConfig
from kinespan.corpus import Corpus, CorpusWriter, Fold, Split
from kinespan.corpus.writer import PEOPLE_DECISION
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.metrics import evaluate
from kinespan.models.base import by_person
from kinespan.runs.answers import predictions_with_scores
from kinespan.runs.load import load_model
from kinespan.runs.outputs import read_scores
from kinespan.runs.predict import evaluate_on, localize
from kinespan.train.clip_pool import ClipPool
from kinespan.train.finetuning import finetune
from kinespan.train.held_out import run_test
from kinespan.train.learning import learn
from kinespan.train.recognition import _features, samples, trimmed

pytestmark = pytest.mark.usefixtures("one_thread")

FPS = 15.0
SECONDS = 12
LABELS = LabelSet(("raise left", "raise right"))
ARMS = {"raise left": (5, 6, 7), "raise right": (9, 10, 11)}
REST = np.random.default_rng(5).uniform(-0.1, 0.1, (25, 3)) + np.linspace([0, 0, 0], [0, 1.5, 0], 25)
TUNE = FinetuneConfig(
    network=NetworkConfig(encoder="tcn"), augment=AugmentConfig(crop_min=0.9), refine_stages=0, split="held out",
    clip_frames=45, batch_size=8, steps=60, precision="32", mirror="off", seed=1,
)  # fmt: skip


def person(rng: np.random.Generator, slot: int) -> tuple[np.ndarray, list[Span]]:
    """A body (T, J, 3) that raises its arms in turn at times of its own, and the spans of that."""
    positions = np.tile(REST, (round(SECONDS * FPS), 1, 1)) + rng.normal(0, 0.01, (round(SECONDS * FPS), 25, 3))
    spans, start = [], float(rng.uniform(0.3, 2.0))
    while start < SECONDS - 2.5:
        label, end = LABELS.names[rng.integers(2)], start + float(rng.uniform(1.2, 2.2))
        first, stop = round(start * FPS), round(end * FPS)
        positions[first:stop, ARMS[label], 1] += 0.8
        spans.append(Span(first / FPS, stop / FPS, label, person=slot))
        start = end + float(rng.uniform(0.6, 1.5))
    return positions, spans


def take(name: str, seed: int, named: bool = True) -> tuple[Recording, Annotation]:
    """Two people beside each other."""
    rng = np.random.default_rng(seed)
    bodies, spans = zip(*(person(rng, slot) for slot in range(2)), strict=True)
    positions = np.stack(bodies, axis=1) + np.array([[0, 0, 0], [1.5, 0, 0]])[:, None]
    both = [Span(s.start, s.end, s.label, person=s.person if named else None) for own in spans for s in own]
    return Recording(positions.astype(np.float32), FPS, NTU_25, name), Annotation(tuple(both), LABELS)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Ten labelled recordings of two people, three of them held out, and two without labels."""
    path = tmp_path_factory.mktemp("corpora") / "two"
    names = [f"take{number}" for number in range(12)]
    with CorpusWriter(path, "two", LABELS) as writer:
        for number, name in enumerate(names):
            recording, annotation = take(name, number)
            writer.add(recording, annotation if number < 10 else None)
        writer.add_split(Split("held out", {1: Fold((*names[:7], *names[10:]), names[7:10])}))
    return Corpus.open(path)


@pytest.fixture(scope="module")
def run(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    finetune(corpus, out, TUNE, quiet=True)
    return out


def test_the_clips_of_a_labelled_span_show_the_person_whom_it_names(corpus: Corpus, run: Path) -> None:
    model = load_model(run).encoder_model
    names = corpus.fold("held out", 1).test
    bank = samples(corpus, names, LABELS, model, lambda done: None)
    for slot in (0, 1):
        alone = [dict(by_person(corpus[name], "each"))[slot] for name in names]
        motions = [model.input.motion(recording) for recording in alone]
        for name, motion in zip(names, motions, strict=True):
            spans = [span for span in corpus.annotation(name).spans if span.person == slot]
            clip = trimmed(motion, spans[0].start, spans[0].end, model.clip_frames)
            feature = _features([clip], model)[0]
            assert torch.isclose(bank.features, feature, atol=1e-5).all(dim=1).any()


def swapped(recording: Recording) -> Recording:
    return recording.with_changes("swapped", positions=recording.positions[:, ::-1], valid=recording.valid[:, ::-1])


def test_two_people_who_act_at_the_same_time_are_told_apart(corpus: Corpus, run: Path) -> None:
    model = load_model(run)
    assert corpus.decisions == (PEOPLE_DECISION,)
    assert model.spec.people == "each"
    result, truth, metrics = evaluate_on(model, corpus, corpus.fold("held out", 1).test)
    assert metrics["map"]["0.5"] > 0.9
    assert metrics["frame_accuracy"] > 0.9
    assert metrics["f1"]["50"] > 0.9
    assert (metrics["recordings"], metrics["people"]) == (3, 6)
    for name, annotation in result.segmentation.items():
        for slot in (0, 1):
            own, true = annotation.of_person(slot), truth.annotations[name].of_person(slot)
            assert [span.label for span in own.spans] == [span.label for span in true.spans]
            assert not any(a.end > b.start + 1e-6 for a, b in pairwise(own.spans))
        together = truth.annotations[name].spans
        assert any(a.person != b.person and a.end > b.start for a, b in pairwise(together))


def test_people_in_swapped_slots_get_swapped_answers(corpus: Corpus, run: Path) -> None:
    model, recording = load_model(run), corpus["take7"]
    answers = {}
    for name, motion in (("as they are", recording), ("swapped", swapped(recording))):
        annotation, proposals = model.localize(motion), model.proposals(motion)
        answers[name] = [
            [(span.start, span.end, span.label, span.score) for span in spans if span.person == slot]
            for spans in (annotation.spans, proposals)
            for slot in ((0, 1) if name == "as they are" else (1, 0))
        ]
    assert answers["as they are"] == answers["swapped"]
    assert all(answers["swapped"])


def test_a_person_has_the_answer_that_they_have_alone(corpus: Corpus, run: Path) -> None:
    model, recording = load_model(run), corpus["take8"]
    for slot, alone in by_person(recording, "each"):
        expected = [(span.start, span.end, span.label) for span in model.localize(alone).spans]
        own = [span for span in model.localize(recording).spans if span.person == slot]
        assert [(span.start, span.end, span.label) for span in own] == expected
    assert all(span.person is None for span in model.localize(recording, "together").spans)


def test_each_person_trains_with_their_own_labels(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pools = []
    made = ClipPool.__init__

    def watched(self: ClipPool, *given: object) -> None:
        made(self, *given)
        pools.append(self)

    monkeypatch.setattr(ClipPool, "__init__", watched)
    half = replace(TUNE, steps=1, label_fraction=0.5)
    finetune(corpus, tmp_path / "teacher", half, quiet=True)
    finetune(corpus, tmp_path / "student", half, teachers=[tmp_path / "teacher"], quiet=True)
    teacher, (pool, taught) = load_model(tmp_path / "teacher"), pools
    assert teacher.spec.training["labelled_recordings"] == 4
    assert len(pool) == 8
    assert pool.valid.shape[1] == 1
    assert load_model(tmp_path / "student").spec.training["taught_recordings"] == 5  # three labelled, two without
    assert len(taught) == 8 + 10
    for first in range(0, len(taught), 2):
        name = taught.names[first]
        for slot, alone in by_person(corpus[name], "each"):
            start, length = int(taught.starts[first + slot]), int(taught.lengths[first + slot])
            targets = taught.targets[start : start + length].numpy()
            if first < 8:
                ids = corpus.annotation(name).of_person(slot).frame_ids(length, FPS)
                assert np.array_equal(targets.argmax(axis=1), ids)
            else:
                assert np.array_equal(targets, teacher.frame_scores(alone))


def test_files_hold_who_does_it_and_score_the_same(corpus: Corpus, run: Path, tmp_path: Path) -> None:
    metrics = run_test(load_model(run), corpus, tmp_path, "held out", 1, quiet=True)
    header, *rows = (tmp_path / "spans.csv").read_text().splitlines()
    assert {row.split(",")[header.split(",").index("person")] for row in rows} == {"0", "1"}
    truth = read_truth(tmp_path / "truth.json")
    assert truth.people == {name: (0, 1) for name in truth.annotations}
    again = evaluate(predictions_with_scores(tmp_path / "proposals.json"), truth).to_dict()
    written = json.loads((tmp_path / "metrics.json").read_text())
    frames, frames_again = (metrics["calibration"].pop("frames") for metrics in (written, again))
    assert frames_again["claims"] == frames["claims"] > 0
    assert frames_again["error"] == pytest.approx(frames["error"], abs=2e-3)  # scores.npz has three digits
    assert again == {name: written[name] for name in written if name != "facts"}
    assert metrics["people"] == 6
    scores = read_scores(tmp_path / "scores.npz")
    assert scores.people == truth.people
    result = localize(load_model(run), [corpus["take7"]])
    assert result.scores["take7"].shape == (2, round(SECONDS * FPS), 3)
    assert np.allclose(scores.scores["take7"], result.scores["take7"], atol=1e-3)


def test_labels_that_name_nobody_train_everybody_together(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "corpus", "nobody", LabelSet(LABELS.names, exclusive=False)) as writer:
        recording, annotation = take("take", 0, named=False)
        writer.add(recording, Annotation(annotation.spans, LabelSet(LABELS.names, exclusive=False)))
    model = finetune(tmp_path / "corpus", tmp_path / "run", replace(TUNE, steps=1, split=None), quiet=True)
    assert model.spec.people == "together"
    assert all(span.person is None for span in model.localize(recording).spans)
    assert model.proposals(recording) == model.proposals(recording, "together")


def test_learn_tells_people_apart_in_every_stage(corpus: Corpus, tmp_path: Path) -> None:
    config = LearnConfig(
        network=NetworkConfig(encoder="tcn"), pretrain_steps=1, steps=1, precision="32", split="held out", teach="on"
    )
    result = learn(corpus, tmp_path / "learnt", config, quiet=True)
    assert {load_model(run).spec.people for run in result.runs} == {"each"}
    assert result.model.spec.people == "each"


def test_labels_of_somebody_who_is_never_seen_are_refused(tmp_path: Path) -> None:
    recording, annotation = take("take", 0)
    valid = recording.valid.copy()
    valid[:, 1] = False
    with CorpusWriter(tmp_path / "corpus", "one", LABELS) as writer:
        writer.add(recording.with_changes("one seen", valid=valid), annotation)
        with pytest.raises(InputError, match=r"labels of person 2, expected slots 0 to 1"):
            writer.add(take("other", 1)[0], Annotation((Span(0, 1, "raise left", person=2),), LABELS))
    with pytest.raises(InputError, match=r"'take': has labels of person 1, who is never seen in it; seen are 0;"):
        finetune(tmp_path / "corpus", tmp_path / "run", replace(TUNE, split=None), quiet=True)
