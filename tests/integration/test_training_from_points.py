"""Training from point labels: spans are grown once, kept in the run, and trained on as if they had been labelled."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training_cases import TUNE

from kinespan.annotations import read_annotations, write_annotations
from kinespan.config import LearnConfig, NetworkConfig
from kinespan.corpus import Corpus, CorpusWriter
from kinespan.corpus.training_set import TrainingSet, labelled_names, training_set
from kinespan.data.annotation import Annotation, Event, LabelSet
from kinespan.data.recording import Recording
from kinespan.data.skeletons import NTU_25
from kinespan.prepare.labels import LabelSettings, read_labels
from kinespan.prepare.synthetic.takes import ACTIONS, SyntheticConfig, synthetic_takes
from kinespan.runs.folder import GROWN_FILE
from kinespan.train import point_labels
from kinespan.train.finetuning import finetune
from kinespan.train.learning import learn
from kinespan.train.point_labels import grown_line, with_grown_spans

pytestmark = pytest.mark.usefixtures("one_thread")

MOTION = SyntheticConfig(recordings=4, seconds=(6.0, 8.0), fps=15.0)
CONFIG = replace(TUNE, network=NetworkConfig(encoder="tcn"), protocol="scratch", steps=2)
Make = Callable[[str, Annotation], Annotation]


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(point_labels, "STEPS", 3)


def write(path: Path, make: Make, labels: LabelSet = ACTIONS) -> Corpus:
    """Made motion whose annotations `make` changes, by the name of the recording."""
    with CorpusWriter(path, "made", labels) as writer:
        for recording, annotation in synthetic_takes(MOTION):
            writer.add(recording, make(recording.name, annotation))
    return Corpus.open(path)


def as_points(name: str, annotation: Annotation) -> Annotation:
    """An instant in place of each span, one after another earlier and later in it."""
    points = (
        Event(span.start + (0.3 + 0.4 * (number % 2)) * span.duration, span.label)
        for number, span in enumerate(annotation.spans)
    )
    return replace(annotation, spans=(), events=tuple(points))


def grow(corpus: Corpus, out: Path) -> tuple[TrainingSet, TrainingSet]:
    """The training set of all recordings with points, and with spans."""
    data = training_set(corpus)
    names, labels = labelled_names(corpus, data.names, (), CONFIG)
    return data, with_grown_spans(data, names, labels, CONFIG, out, quiet=True)


def check_points_are_in_spans(before: Annotation, after: Annotation) -> None:
    """Every point is in exactly one span of its label, spans of exclusive labels are in order, and no point is left."""
    assert not after.point_labels
    for point in before.point_labels:
        spans = [span for span in after.spans if span.label == point.label and span.start <= point.time < span.end]
        assert len([span for span in spans if span.person in (point.person, None)]) == 1
    if before.labels.exclusive and not before.people:
        assert all(one.end <= other.start + 1e-9 for one, other in zip(after.spans, after.spans[1:], strict=False))


def test_every_point_becomes_a_span_of_its_label_and_is_kept_as_a_table(tmp_path: Path) -> None:
    corpus = write(tmp_path / "corpus", as_points)
    data, grown = grow(corpus, tmp_path / "run")
    count, lengths = 0, []
    for name in corpus.names:
        before, after = data.annotation(name), grown.annotation(name)
        assert before is not None
        assert after is not None
        check_points_are_in_spans(before, after)
        count += len(before.point_labels)
        lengths += [span.duration for span in after.spans]
    assert grown_line(data, grown) == (
        f"{count} of {count} points became spans, {np.median(lengths):.2f} s long in the median"
    )
    written = read_annotations(tmp_path / "run" / GROWN_FILE)
    prepared, _ = read_labels(tmp_path / "run" / GROWN_FILE, corpus.names, LabelSettings()).annotations(corpus.infos)
    for name in corpus.names:
        after = grown.annotation(name)
        assert after is not None
        assert written[name].spans == after.spans
        np.testing.assert_array_equal(
            prepared[name].frame_ids(80, 15) >= 0, after.frame_ids(80, 15) >= 0, err_msg="what is known"
        )
    _, again = grow(corpus, tmp_path / "run")
    for name in corpus.names:
        first, second = grown.annotation(name), again.annotation(name)
        assert first is not None
        assert second is not None
        assert first.spans == second.spans, "it is read, not grown again"


@pytest.mark.parametrize("change", ["moved", "gone", "another recording"])
def test_labels_of_other_points_are_grown_anew(tmp_path: Path, change: str) -> None:
    corpus = write(tmp_path / "corpus", as_points)
    _, grown = grow(corpus, tmp_path / "run")
    table = tmp_path / "run" / GROWN_FILE
    name = corpus.names[0]
    first = grown.annotation(name)
    assert first is not None
    if change == "another recording":
        wrong = {"other": first}
    elif change == "gone":
        wrong = {**grown.annotations, name: replace(first, spans=first.spans[1:])}
    else:
        later = replace(first.spans[-1], start=first.spans[-1].end, end=first.spans[-1].end + 1)
        wrong = {**grown.annotations, name: replace(first, spans=(*first.spans[:-1], later))}
    write_annotations(wrong, table)
    _, again = grow(corpus, tmp_path / "run")
    assert again.annotation(name) == first
    assert set(read_annotations(table)) == set(corpus.names)


def test_spans_that_are_labelled_stay_as_they_are(tmp_path: Path) -> None:
    def mixed(name: str, annotation: Annotation) -> Annotation:
        points = as_points(name, annotation)
        half = len(annotation.spans) // 2
        kept = {"take_0000": annotation, "take_0001": replace(points, spans=annotation.spans[:half])}
        return kept.get(name, points)

    corpus = write(tmp_path / "corpus", mixed)
    data, grown = grow(corpus, tmp_path / "run")
    for name in corpus.names:
        before, after = data.annotation(name), grown.annotation(name)
        assert before is not None
        assert after is not None
        assert set(before.spans) <= set(after.spans)
        assert (after == before) == (not before.point_labels)
        assert not after.point_labels


def test_without_points_nothing_is_grown(tmp_path: Path) -> None:
    data, grown = grow(write(tmp_path / "corpus", lambda name, annotation: annotation), tmp_path / "run")
    assert grown is data
    assert not (tmp_path / "run").exists()


def test_overlapping_labels_and_events_keep_what_they_are(tmp_path: Path) -> None:
    labels = LabelSet((*ACTIONS.names, "beat"), exclusive=False, events=("beat",))

    def overlapping(name: str, annotation: Annotation) -> Annotation:
        beats = (Event(1.0, "beat"), Event(3.0, "beat"))
        points = as_points(name, annotation).events
        both = (*points, Event(points[0].time + 0.1, next(each for each in labels.names if each != points[0].label)))
        return Annotation((), labels, events=(*both, *beats))

    corpus = write(tmp_path / "corpus", overlapping, labels)
    data, grown = grow(corpus, tmp_path / "run")
    for name in corpus.names:
        before, after = data.annotation(name), grown.annotation(name)
        assert before is not None
        assert after is not None
        check_points_are_in_spans(before, after)
        assert [event.label for event in after.events] == ["beat", "beat"]
    model = finetune(corpus, tmp_path / "trained", CONFIG, quiet=True)
    assert model.labels.events == ("beat",)


def test_people_have_spans_of_their_own(tmp_path: Path) -> None:
    labels = LabelSet(("raise", "lower"))
    positions = np.random.default_rng(0).normal(size=(120, 2, 25, 3)).astype(np.float32)
    points = (Event(2.0, "raise", person=0), Event(5.0, "lower", person=0), Event(4.0, "raise", person=1))
    with CorpusWriter(tmp_path / "corpus", "made", labels) as writer:
        writer.add(Recording(positions, 15.0, NTU_25, "two"), Annotation((), labels, events=points))
    data, grown = grow(Corpus.open(tmp_path / "corpus"), tmp_path / "run")
    before, after = data.annotation("two"), grown.annotation("two")
    assert before is not None
    assert after is not None
    check_points_are_in_spans(before, after)
    assert sorted((span.person, span.label) for span in after.spans) == [(0, "lower"), (0, "raise"), (1, "raise")]


def test_finetune_trains_on_what_was_grown(tmp_path: Path) -> None:
    corpus = write(tmp_path / "corpus", as_points)
    model = finetune(corpus, tmp_path / "run", CONFIG, quiet=True)
    assert model.spec.decode.segmentation == "viterbi"
    spans = [span for each in read_annotations(tmp_path / "run" / GROWN_FILE).values() for span in each.spans]
    mean = float(np.mean([math.log(span.duration) for span in spans]))
    learnt = [pair[0] for pair in model.spec.decode.durations[1:]]
    assert abs(np.mean(learnt) - mean) < 0.5


def test_learn_grows_once_for_all_of_its_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = write(tmp_path / "corpus", as_points)
    grown, lines = [], list[str]()
    grow_all = point_labels._grow
    monkeypatch.setattr(point_labels, "_grow", lambda *args: grown.append(args) or grow_all(*args))
    config = LearnConfig(teach="off", pretrain_steps=2, steps=2, precision="32")
    learn(corpus, tmp_path / "run", config, pretrained="default", quiet=True, log=lines.append)
    assert len(grown) == 1
    assert "points became spans" in lines[0]
    assert [path.parent.name for path in (tmp_path / "run").rglob(GROWN_FILE)] == ["run"]


def test_nobody_looked_so_no_time_is_background_without_being_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def network_says(share: float) -> Callable[..., object]:
        def scores(self: point_labels._Growing, targets: object) -> list[np.ndarray]:
            values = [np.full((m.num_frames, len(self.labels) + 1), 0.01, np.float32) for m in self.motions]
            for each in values:
                each[:, 0] = share
            return values

        return scores

    corpus = write(tmp_path / "corpus", lambda name, annotation: replace(as_points(name, annotation), covered=()))
    for share, is_learnt in ((0.4, False), (0.9, True)):
        monkeypatch.setattr(point_labels._Growing, "_network_scores", network_says(share))
        _, grown = grow(corpus, tmp_path / f"run {share}")
        ids = np.concatenate([grown.annotation(name).frame_ids(80, 15) for name in corpus.names])  # type: ignore[union-attr]
        assert (ids == 0).any() == is_learnt
