"""Localizing many recordings and the files of what was found."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

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
from kinespan.runs.folder import PREDICTIONS_FILE, SCORES_FILE, SPANS_FILE
from kinespan.runs.outputs import headline, read_scores, write_metrics, write_result, write_scores
from kinespan.runs.predict import corpus_truth, evaluate_on, localize

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
        assert result.predictions.spans[name] == tuple(model.decode(result.scores[name]))
        assert result.predictions.segmentation[name] == tuple(model.segment(result.scores[name]))
    assert result.predictions.details["split"] == "s"
    assert result.predictions.details["labels"] == ["walk", "sit"]


def test_each_person_has_spans_of_their_own():
    result = localize(model_of(), [take("two", people=2)], people="each")
    assert {span.person for span in result.predictions.spans["two"]} == {0, 1}


def test_a_decoder_by_name_makes_the_spans_and_leaves_the_segmentation(corpus):
    model = model_of()
    own = localize(model, corpus)
    other = localize(model, corpus, decoder="found-skel")
    for name in corpus.names:
        assert other.predictions.spans[name] == tuple(model.decode(own.scores[name], FOUND_SKEL))
    assert other.predictions.spans != own.predictions.spans
    assert other.predictions.segmentation == own.predictions.segmentation
    assert other.predictions.details["decoder"] == "found-skel"
    assert "decoder" not in own.predictions.details
    people = [localize(model, [take("two", people=2)], people="each", decoder=d) for d in (None, "found-skel")]
    assert people[0].predictions.spans != people[1].predictions.spans
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


def test_a_result_is_written_as_predictions_spans_and_scores(corpus, tmp_path):
    result = localize(model_of(), corpus)
    write_result(result, tmp_path / "out")
    assert {file.name for file in (tmp_path / "out").iterdir()} == {PREDICTIONS_FILE, SPANS_FILE, SCORES_FILE}
    scores = read_scores(tmp_path / "out" / SCORES_FILE)
    assert scores.keys() == result.scores.keys()
    assert all(np.allclose(scores[name], part, atol=1e-3) for name, part in result.scores.items())
    found = json.loads((tmp_path / "out" / PREDICTIONS_FILE).read_text())["results"]
    assert set(found) == {"a", "bb", "ccc"}
    assert [len(found[name]) for name in corpus.names] == [len(result.predictions.spans[n]) for n in corpus.names]


@pytest.mark.parametrize("name", ["file", "allow_pickle", "arr_0", "a/b", "ä b.bvh", "self", "args"])
def test_a_recording_may_have_any_name(tmp_path, name):
    part = np.eye(3, dtype=np.float32)
    write_scores({name: part}, tmp_path / "scores.npz")
    found = read_scores(tmp_path / "scores.npz")
    assert list(found) == [name]
    assert np.array_equal(found[name], part)


def test_scores_that_cannot_be_written_leave_the_old_file(tmp_path, monkeypatch):
    file, scores = tmp_path / "scores.npz", np.eye(3, dtype=np.float32)
    write_scores({"a": scores}, file)
    monkeypatch.setattr("kinespan.runs.outputs.np.lib.format.write_array", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_scores({"b": scores}, file)
    assert list(read_scores(file)) == ["a"]
    assert [path.name for path in tmp_path.iterdir()] == ["scores.npz"]


def test_missing_scores_file_reads_as_no_scores(tmp_path):
    assert read_scores(tmp_path / "scores.npz") == {}


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
