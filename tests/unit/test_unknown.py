"""`unknown` as an answer: one name for it everywhere, and what it costs in the figures."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from model_cases import tiny_localizer

from kinespan import io
from kinespan.annotations import read_annotations
from kinespan.annotations.activitynet import read_predictions, write_predictions, write_truth
from kinespan.cli import main
from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.data.predictions import Predictions, Truth
from kinespan.data.recording import Recording
from kinespan.data.skeletons import NTU_25
from kinespan.data.unknown import Unknown, unknown_label, unknown_of
from kinespan.errors import InputError
from kinespan.io import ReadOptions
from kinespan.metrics import evaluate
from kinespan.report.gather import gather
from kinespan.report.payload import build_payload
from kinespan.runs.answers import Answers
from kinespan.runs.outputs import write_result
from kinespan.runs.predict import localize
from kinespan.stream import PeopleStream, StreamLocalizer, stream_recording

LABELS = LabelSet(("walk", "sit"))
UNKNOWN = Unknown("unknown", 0.5)


def moving(name="take", frames=150, people=1):
    rng = np.random.default_rng(3)
    rest = np.random.default_rng(7).uniform(-0.5, 0.5, (25, 3)) + np.array([0, 1, 0])
    positions = rest + rng.standard_normal((frames, people, 25, 3)).cumsum(axis=0) * 0.1
    return Recording(positions.astype(np.float32), 15.0, NTU_25, name)


@pytest.fixture(scope="module")
def model():
    """A model of scores that are far apart, arg-max, so that a stream cuts as it does."""
    model = tiny_localizer(("walk", "sit", "wave"), seed=1)
    model.head.linear.weight.data *= 6
    return model


@pytest.fixture(scope="module")
def below(model):
    """The median score of the segments of `moving`."""
    scores = [span.score for span in model.localize(moving()).spans]
    assert len(set(scores)) > 2
    return float(np.median(scores))


# ---- the name --------------------------------------------------------------------------------------------------------


def test_the_name_is_never_a_label_of_the_user() -> None:
    assert unknown_label(LABELS) == "unknown"
    assert unknown_label(LabelSet(("walk", "Unknown"))) == "unknown to the model"
    taken = LabelSet(("unknown", "unknown to the model", "unknown to the model 2"))
    assert unknown_label(taken) == "unknown to the model 3"
    assert unknown_of(LABELS, None) is None


@pytest.mark.parametrize("below", [-0.1, 1.1, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(below: float) -> None:
    with pytest.raises(InputError, match="--unknown-below"):
        Unknown("unknown", below)


def test_segments_below_the_threshold_by_hand() -> None:
    answer = Annotation(
        (Span(0, 1, "walk", 0.49), Span(1, 2, "sit", 0.5, 3)), LABELS, events=(Event(0.5, "walk", 0.1),)
    )
    known = UNKNOWN.answer(answer)
    assert known.spans == (Span(0, 1, "unknown", 0.49), Span(1, 2, "sit", 0.5, 3))
    assert known.labels.names == ("walk", "sit", "unknown")
    assert known.events == answer.events


# ---- the same everywhere ---------------------------------------------------------------------------------------------


def test_everything_that_is_written_says_the_same(model, below, tmp_path: Path) -> None:
    recording = moving()
    plain, result = localize(model, [recording]), localize(model, [recording], unknown_below=below)
    answer = result.segmentation["take"]
    assert {span.label for span in answer.spans} > {"unknown"}
    assert answer == model.localize(recording, unknown_below=below)
    for span, whole in zip(answer.spans, plain.segmentation["take"].spans, strict=True):
        assert span == (whole if whole.score >= below else replace(whole, label="unknown"))
    assert result.proposals == plain.proposals
    write_result(result, tmp_path)
    rows = list(csv.DictReader((tmp_path / "spans.csv").open(encoding="utf-8")))
    assert [row["label"] for row in rows] == [span.label for span in answer.spans]
    predictions = read_predictions(tmp_path / "proposals.json")
    assert predictions.unknown == Unknown("unknown", below)
    assert predictions.segmentation["take"] == pytest.approx(answer.spans)
    answers = Answers(tmp_path)
    assert answers.labels.names == ("walk", "sit", "wave", "unknown")
    shown = answers.answer("take")
    assert [span.label for span in shown.spans] == [span.label for span in answer.spans]
    assert shown.scores.shape[1] == 5
    assert not shown.scores[:, 4].any()
    summary = list(csv.DictReader((tmp_path / "summary.csv").open(encoding="utf-8")))
    counted = sum(span.label == "unknown" for span in answer.spans)
    assert [row["count"] for row in summary if row["label"] == "unknown"] == [str(counted)]


def test_exports_and_reports_say_the_same(model, below, tmp_path: Path) -> None:
    out = tmp_path / "out"
    motion = moving()
    answer = localize(model, [motion], unknown_below=below, out=out, write=["elan"]).segmentation["take"]
    (file,) = (out / "elan").iterdir()
    (written,) = read_annotations(file).values()
    assert [span.label for span in written.spans] == [span.label for span in answer.spans]

    io.write(motion, tmp_path / "take.csv")
    options = ReadOptions(unit="m", up="y")
    data = build_payload(gather([out], recordings=tmp_path / "take.csv", options=options))
    assert data["labels"][-1] == "unknown"
    assert [row[2] for row in data["recordings"][0]["segmentation"]] == [
        data["labels"].index(span.label) for span in answer.spans
    ]


@pytest.mark.parametrize("kind", [StreamLocalizer, PeopleStream])
def test_a_stream_says_the_same(model, below, kind) -> None:
    recording = moving()
    stream = kind(model, 15.0, NTU_25, unknown_below=below)
    plain = kind(model, 15.0, NTU_25)

    def spans(stream):
        updates = list(stream_recording(stream, recording, 30))
        parts = updates if kind is StreamLocalizer else [update for each in updates for update in each.values()]
        return [span for part in parts for span in part.spans]

    answered, whole = spans(stream), spans(plain)
    assert [span.label for span in answered] == [span.label if span.score >= below else "unknown" for span in whole]
    assert {span.label for span in answered} > {"unknown"}


# ---- what it costs ---------------------------------------------------------------------------------------------------


def truth_and_predictions():
    """Four seconds at 10 fps: walk, then sit. Right and sure; right and unsure; wrong and unsure; wrong and sure."""
    truth = {name: Annotation((Span(0, 2, "walk"), Span(2, 4, "sit")), LABELS) for name in "ab"}
    segments = {
        "a": (Span(0, 2, "walk", 0.9), Span(2, 4, "sit", 0.4)),
        "b": (Span(0, 2, "sit", 0.3), Span(2, 4, "walk", 0.8)),
    }
    proposals = {name: spans[:1] for name, spans in segments.items()}
    return (
        Truth(truth, LABELS, dict.fromkeys("ab", 4.0), dict.fromkeys("ab", 10.0)),
        Predictions(proposals, segments, {"labels": ["walk", "sit"], "exclusive": True}),
    )


def with_unknown(predictions: Predictions) -> Predictions:
    segments = {name: UNKNOWN.spans(spans) for name, spans in predictions.segmentation.items()}
    return replace(predictions, segmentation=segments, unknown=UNKNOWN)


def test_metrics_of_an_answer_that_abstains_by_hand() -> None:
    truth, plain = truth_and_predictions()
    whole = evaluate(plain, truth).to_dict()
    metrics = evaluate(with_unknown(plain), truth).to_dict()
    assert whole["calibration"]["unknown"] is None
    assert metrics["calibration"]["unknown"] == {"below": 0.5, "segments": 2, "coverage": 0.5, "error": 0.5}
    assert metrics["frame_accuracy"] == whole["frame_accuracy"] / 2 == 0.25
    assert metrics["confusion"]["labels"] == ["background", "walk", "sit", "unknown"]
    assert metrics["confusion"]["matrix"] == [[0, 0, 0, 0], [0, 20, 0, 20], [0, 20, 0, 20], [0, 0, 0, 0]]
    # one right segment of two true positives' worth: 1 right, 1 wrong, 3 missed, where 2, 2 and 2 were
    assert whole["f1"]["50"] == pytest.approx(2 * 2 / (2 * 2 + 2 + 2))
    assert metrics["f1"]["50"] == pytest.approx(2 / (2 + 1 + 3))
    assert metrics["map"] == whole["map"]
    assert metrics["unknown_labels"] == {}


def test_error_over_coverage_in_metrics_is_that_of_each_threshold() -> None:
    truth, plain = truth_and_predictions()
    rows = evaluate(plain, truth).to_dict()["calibration"]["segments"]["coverage"]
    table = {row["threshold"]: (row["coverage"], row["error"]) for row in rows}
    assert table[0.0] == (1.0, 0.5)
    assert table[0.35] == (0.75, pytest.approx(1 / 3))
    assert table[0.5] == (0.5, 0.5)
    assert table[0.85] == (0.25, 0.0)
    assert table[0.95] == (0.0, None)
    abstaining = evaluate(with_unknown(plain), truth).to_dict()["calibration"]["segments"]["coverage"]
    assert [row["coverage"] for row in abstaining if row["threshold"] in (0.0, 0.5, 0.85)] == [0.5, 0.5, 0.25]


def test_calibration_in_metrics_of_frames_and_of_other_programs() -> None:
    truth, plain = truth_and_predictions()
    assert evaluate(plain, truth).to_dict()["calibration"]["frames"] is None
    scores = np.tile(np.array([0.1, 0.7, 0.2], np.float32), (40, 1))
    scored = replace(plain, scores={("a", None): scores}, scores_fps=10.0)
    frames = evaluate(scored, truth).to_dict()["calibration"]["frames"]
    assert frames == {
        "error": pytest.approx(0.2),
        "claims": 40,
        "bins": [{"claims": 40, "score": pytest.approx(0.7), "right": 0.5}],
    }
    proposals_only = replace(plain, segmentation=None)
    assert evaluate(proposals_only, truth).to_dict()["calibration"]["segments"] is None


def test_labels_of_the_model_and_of_the_truth_may_have_another_order() -> None:
    truth, plain = truth_and_predictions()
    scores = np.tile(np.array([0.1, 0.2, 0.7], np.float32), (40, 1))
    details = {"labels": ["sit", "walk"], "exclusive": True}
    scored = replace(plain, details=details, scores={("a", None): scores}, scores_fps=10.0)
    assert evaluate(scored, truth).calibration.frames.is_right.tolist() == [True] * 20 + [False] * 20


# ---- commands and files ----------------------------------------------------------------------------------------------


def test_a_file_of_predictions_keeps_how_it_abstains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, plain = truth_and_predictions()
    write_predictions(with_unknown(plain), tmp_path / "P.json")
    write_truth(truth, tmp_path / "T.json")
    command = ["evaluate", "--predictions", str(tmp_path / "P.json"), "--truth", str(tmp_path / "T.json")]
    assert main([*command, "--out", str(tmp_path / "m.json")]) == 0
    told = capsys.readouterr().out
    assert "answered unknown below 0.5: 2 segments; 50.0 % are answered, of them 50.0 % wrong" in told
    assert json.loads((tmp_path / "m.json").read_text())["calibration"]["unknown"]["segments"] == 2
    assert main([*command, "--unknown-below", "0.5"]) == 2
    assert "predictions are answers already" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["lots", {"label": "", "below": 0.5}, {"label": "unknown", "below": 3}, {}])
def test_a_damaged_field_is_named(tmp_path: Path, value: object) -> None:
    (tmp_path / "P.json").write_text(json.dumps({"results": {}, "unknown": value}))
    with pytest.raises(InputError, match=r"P\.json.*unknown"):
        read_predictions(tmp_path / "P.json")


@pytest.mark.parametrize("command", [["localize", "m", "x", "--out", "o"], ["stream", "m"], ["evaluate", "m", "c"]])
def test_a_threshold_out_of_range_is_told_before_anything_is_read(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--unknown-below", "1.5"]) == 2
    assert "--unknown-below 1.5: expected a score from 0 to 1" in capsys.readouterr().err
