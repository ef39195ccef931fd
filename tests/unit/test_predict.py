"""Localizing many recordings and the files of what was found."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from kinespan.annotations.activitynet import read_predictions
from kinespan.config import Normalisation
from kinespan.corpus import Corpus, CorpusWriter
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.data.skeletons import KINECT_20
from kinespan.decode.presets import FOUND_SKEL
from kinespan.errors import InputError
from kinespan.models.input_spec import InputSpec
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec
from kinespan.runs.folder import PROPOSALS_FILE, SCORES_FILE, SPANS_FILE, SUMMARY_FILE, TRANSITIONS_FILE
from kinespan.runs.inputs import corpus_truth
from kinespan.runs.outputs import FrameScores, headline, read_scores, write_metrics, write_result, write_scores
from kinespan.runs.predict import evaluate_on, localize

LABELS = LabelSet(("walk", "sit"))


def model_of(labels=LABELS):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        spec = ModelSpec(
            "localizer",
            InputSpec(KINECT_20, 10.0, ("joint",), Normalisation()),
            "stgcn16_light",
            "last_map",
            labels=labels,
            training={"seed": 4},
        )
        return Localizer(spec).eval()


def take(name, frames=40, people=1):
    rng = np.random.default_rng(len(name) + frames)
    positions = rng.standard_normal((frames, people, 20, 3)).astype(np.float32)
    return Recording(positions, 10.0, KINECT_20, name)


@pytest.fixture
def corpus(tmp_path):
    with CorpusWriter(tmp_path / "corpus", "made", LABELS) as writer:
        writer.add(take("a"), Annotation((Span(0.5, 2.0, "walk"),), LABELS))
        writer.add(take("bb", 60), Annotation((Span(1.0, 3.0, "sit"), Span(3.0, 4.0, "walk")), LABELS))
        writer.add(take("ccc"))
    return Corpus.open(tmp_path / "corpus")


def test_every_recording_is_localized_once(corpus):
    model, told = model_of(), []
    result = localize(model, corpus, details={"split": "s"}, progress=told.append)
    assert told == [1, 2, 3]
    assert list(result.scores) == ["a", "bb", "ccc"]
    assert result.scores["bb"].shape == (60, 3)
    for name in corpus.names:
        assert result.proposals[name] == result.predictions.proposals[name] == tuple(model.decode(result.scores[name]))
        assert result.segmentation[name] == Annotation(tuple(model.segment(result.scores[name])), LABELS)
        assert result.predictions.segmentation[name] == result.segmentation[name].spans
    assert result.predictions.details["split"] == "s"
    assert result.predictions.details["labels"] == ["walk", "sit"]


def test_each_person_has_spans_of_their_own():
    model, recording = model_of(), take("two", people=2)
    result = localize(model, [recording], people="each")
    assert result.proposals["two"] == tuple(model.proposals(recording, "each"))
    assert {span.person for span in result.proposals["two"]} == {0, 1}
    assert result.segmentation["two"] == model.localize(recording, "each")
    assert result.people["two"] == (0, 1)
    assert localize(model, [recording]).people["two"] == ()


def test_a_decoder_by_name_makes_the_spans_and_leaves_the_segmentation(corpus):
    model = model_of()
    own = localize(model, corpus)
    other = localize(model, corpus, decoder="found-skel")
    for name in corpus.names:
        assert other.proposals[name] == tuple(model.decode(own.scores[name], FOUND_SKEL))
    assert other.proposals != own.proposals
    assert other.segmentation == own.segmentation
    assert other.predictions.details["decoder"] == "found-skel"
    assert "decoder" not in own.predictions.details
    people = [localize(model, [take("two", people=2)], people="each", decoder=d) for d in (None, "found-skel")]
    assert people[0].proposals != people[1].proposals
    with pytest.raises(InputError, match="found-skel"):
        localize(model, corpus, decoder="found_skel")


def test_metrics_name_the_rule_and_the_decoder(corpus):
    _, _, metrics = evaluate_on(model_of(), corpus, corpus.names, rule="pku", decoder="simple-det")
    assert (metrics["tiou"], metrics["facts"]["decoder"]) == ([0.5], "simple-det")
    assert set(metrics["figures"]) == {"mAP_a", "mAP_v", "AP", "F1", "2D-AP"}


def test_two_recordings_of_one_name_are_refused():
    with pytest.raises(InputError, match="'a'"):
        localize(model_of(), [take("a"), take("a")])


def test_truth_holds_the_annotated_recordings_only(corpus):
    truth = corpus_truth(corpus, corpus.names)
    assert set(truth.annotations) == {"a", "bb"}
    assert truth.durations == {"a": 4.0, "bb": 6.0}
    assert truth.labels == LABELS
    dropped = corpus_truth(corpus, ["bb"], ("walk",))
    assert dropped.labels.names == ("sit",)
    assert [span.label for span in dropped.annotations["bb"].spans] == ["sit"]
    with pytest.raises(InputError, match="annotated"):
        corpus_truth(corpus, ["ccc"])


def test_metrics_name_corpus_split_and_training(corpus):
    result, truth, metrics = evaluate_on(model_of(), corpus, ["bb", "ccc"], details={"part": "test"})
    assert list(result.scores) == list(truth.annotations) == ["bb"]
    assert metrics["recordings"] == 1
    assert metrics["facts"] == {"seed": 4, "part": "test"}
    json.dumps(metrics, default=str)
    with pytest.raises(InputError, match="wave"):
        evaluate_on(model_of(LabelSet(("walk", "wave"))), corpus, ["bb"])


def test_a_result_is_written_as_tables_proposals_and_scores(corpus, tmp_path):
    result = localize(model_of(), corpus)
    write_result(result, out := tmp_path / "out")
    files = {SPANS_FILE, SUMMARY_FILE, TRANSITIONS_FILE, PROPOSALS_FILE, SCORES_FILE}
    assert {file.name for file in out.iterdir()} == files
    frame_scores = read_scores(out / SCORES_FILE)
    assert (frame_scores.fps, frame_scores.labels) == (10.0, ("walk", "sit"))
    assert frame_scores.scores.keys() == result.scores.keys()
    assert all(np.allclose(frame_scores.scores[name], part, atol=1e-3) for name, part in result.scores.items())
    predictions = read_predictions(out / PROPOSALS_FILE)
    assert dict(predictions.proposals) == result.proposals
    assert dict(predictions.segmentation) == {name: each.spans for name, each in result.segmentation.items()}


def test_every_file_for_people_holds_the_segmentation(corpus, tmp_path):
    """On 10 fps of the model; one recording is at 40 fps, and its frames are counted at that rate."""
    fast = replace(take("fast", 160), fps=40.0)
    result = localize(model := model_of(), [*corpus, fast])
    write_result(result, tmp_path)
    with open(tmp_path / SPANS_FILE, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows, "a model that finds nothing tests nothing"
    assert "fast" in {row["recording"] for row in rows}
    for recording in (*corpus, fast):
        spans = model.localize(recording).spans
        own = [row for row in rows if row["recording"] == recording.name]
        assert [(row["label"], float(row["start"]), float(row["end"])) for row in own] == [
            (span.label, span.start, span.end) for span in spans
        ]
        assert [float(row["score"]) for row in own] == pytest.approx([span.score for span in spans])
        for row in own:  # whole frames at the model's rate are whole frames at one four times as high
            frames = int(row["start_frame"]), int(row["end_frame"])
            assert frames == (round(float(row["start"]) * recording.fps), round(float(row["end"]) * recording.fps))
    counts = {name: len(annotation.spans) for name, annotation in result.segmentation.items()}
    with open(tmp_path / SUMMARY_FILE, newline="", encoding="utf-8") as file:
        totals = Counter()
        for row in csv.DictReader(file):
            totals[row["recording"]] += int(row["count"])
    assert totals == counts


def frame_scores_of(name):
    return FrameScores({name: np.eye(3, dtype=np.float32)}, 12.5, ("walk", "sit"))


@pytest.mark.parametrize(
    "name",
    ["file", "allow_pickle", "arr_0", "a/b", "ä b.bvh", "self", "fps", "labels", "scores", "scores/fps", "x.npy"],
)
def test_a_recording_may_have_any_name(tmp_path, name):
    write_scores(frame_scores_of(name), tmp_path / "scores.npz")
    again = read_scores(tmp_path / "scores.npz")
    assert list(again.scores) == [name]
    assert np.array_equal(again.scores[name], np.eye(3))
    assert (again.fps, again.labels) == (12.5, ("walk", "sit"))


def test_scores_are_read_with_numpy_alone(tmp_path):
    write_scores(frame_scores_of("fps"), tmp_path / "scores.npz")
    with np.load(tmp_path / "scores.npz") as data:
        assert sorted(data.files) == ["fps", "labels", "scores/fps", "times/fps"]
        assert data["fps"] == 12.5
        assert data["labels"].tolist() == ["background", "walk", "sit"]
        assert data["scores/fps"].shape == (3, 3)
        assert data["times/fps"].tolist() == pytest.approx([0.04, 0.12, 0.2])


def test_scores_that_cannot_be_written_leave_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "scores.npz"
    write_scores(frame_scores_of("a"), file)
    monkeypatch.setattr("kinespan.runs.outputs.np.lib.format.write_array", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_scores(frame_scores_of("b"), file)
    assert list(read_scores(file).scores) == ["a"]
    assert [path.name for path in tmp_path.iterdir()] == ["scores.npz"]


def test_missing_scores_file_reads_as_none_and_another_one_is_refused(tmp_path):
    assert read_scores(tmp_path / "scores.npz") is None
    np.savez(tmp_path / "scores.npz", take=np.eye(3))
    with pytest.raises(InputError, match=r"scores\.npz.*localize again"):
        read_scores(tmp_path / "scores.npz")


def test_headline_figures_say_what_they_were_measured_on():
    facts = {"split": "by-performer", "fold": 1, "part": "test", "corpus": "made"}
    metrics = {"map": 0.5, "edit": 0.2, "recordings": 3, "confusion": {}, "facts": facts}
    assert headline(metrics) == {
        "map": 0.5, "frame_accuracy": None, "edit": 0.2, "f1": None, "recordings": 3,
        "split": "by-performer", "fold": 1, "part": "test",
    }  # fmt: skip


def test_metrics_are_json(tmp_path):
    write_metrics({"map": 0.5, "path": tmp_path}, tmp_path / "new" / "metrics.json")
    assert json.loads((tmp_path / "new" / "metrics.json").read_text()) == {"map": 0.5, "path": str(tmp_path)}
