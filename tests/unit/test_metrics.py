"""The bundle of metrics and metrics.json."""

from __future__ import annotations

import json
import math
from dataclasses import astuple, dataclass, replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference_metrics import activitynet_ap

from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.predictions import Predictions, Truth
from kinespan.errors import InputError
from kinespan.metrics import RULE_TIOUS, RULES, evaluate

LABELS = LabelSet(("walk", "sit"))


def truth_of(spans, labels=LABELS, covered=None, **known):
    return Truth({"x": Annotation(tuple(spans), labels, covered)}, labels, **known)


def test_all_metrics_by_hand():
    truth = truth_of([Span(0, 4, "walk"), Span(6, 10, "sit")], durations={"x": 10.0}, fps={"x": 1.0})
    predictions = Predictions(
        {"x": (Span(0, 4, "walk", 0.9), Span(6, 8, "sit", 0.8), Span(4, 6, "sit", 0.1))},
        {"x": (Span(0, 5, "walk", 0.9), Span(6, 10, "walk", 0.6))},
    )
    metrics = evaluate(predictions, truth, (0.5, 0.7)).to_dict()
    assert metrics["map"] == pytest.approx({"0.5": 1.0, "0.7": 0.5, "average": 0.75})
    assert metrics["per_class"]["sit"]["ap"] == {"0.5": 1.0, "0.7": 0.0, "average": 0.5}
    assert metrics["map_average"]["0.1:0.5"] == 1.0
    # walk is exact at all ten thresholds, sit (tIoU 0.5) at one.
    assert metrics["map_average"]["0.5:0.95"] == pytest.approx((10 + 1) / 20)
    # Frames come from the segmentation: wwwww.wwww against wwww..ssss, one and four wrong.
    assert metrics["frame_accuracy"] == 0.5
    assert metrics["confusion"] == {
        "labels": ["background", "walk", "sit"],
        "matrix": [[1, 1, 0], [0, 4, 0], [0, 4, 0]],
    }
    assert metrics["per_class"]["walk"]["precision"] == pytest.approx(4 / 9)
    assert metrics["per_class"]["walk"]["recall"] == 1.0
    assert metrics["per_class"]["sit"]["precision"] is None
    assert metrics["per_class"]["sit"]["frames"] == 4
    # Segments: walk walk against walk sit, one substitution; one of two right on each side.
    assert metrics["edit"] == 0.5
    assert metrics["f1"] == pytest.approx({"10": 0.5, "25": 0.5, "50": 0.5})
    assert (metrics["unit"], metrics["rule"], metrics["tiou"]) == ("fraction", "activitynet", [0.5, 0.7])
    assert (metrics["recordings"], metrics["predicted_spans"], metrics["true_spans"]) == (1, 3, 2)


@pytest.mark.parametrize("rule", RULES)
def test_metrics_are_plain_json(rule):
    truth = truth_of([Span(0, 4, "walk")])
    text = json.dumps(evaluate(Predictions({}), truth, rule=rule).to_dict(), allow_nan=False)
    metrics = json.loads(text)
    assert metrics["map"]["average"] == 0.0
    assert metrics["recordings_without_predictions"] == 1
    assert metrics["labels_without_truth"] == ["sit"]
    named = {"pku": ["mAP_a", "mAP_v", "AP", "F1", "2D-AP"], "simple-det": ["mAP_a", "mAP_v"]}
    assert list(metrics.get("figures", {})) == named.get(rule, [])
    assert metrics["tiou"] == list(RULE_TIOUS[rule])
    assert metrics["recordings_without_fps"] == 1


def test_without_a_segmentation_the_best_span_labels_the_frame():
    truth = truth_of([Span(0, 5, "walk"), Span(5, 10, "sit")], durations={"x": 10.0}, fps={"x": 2.0})
    predictions = Predictions({"x": (Span(4, 10, "sit", 0.7), Span(0, 5, "walk", 0.9), Span(0, 10, "walk", 0.2))})
    assert evaluate(predictions, truth).frame_accuracy == 1.0


def test_without_fps_and_duration_frames_are_thirtieths_up_to_the_last_span():
    metrics = evaluate(Predictions({"x": (Span(0, 3, "walk", 1.0),)}), truth_of([Span(0, 2, "walk")]))
    assert metrics.confusion.sum() == 90
    assert metrics.frame_accuracy == pytest.approx(2 / 3)


def test_predictions_in_uncovered_time_do_not_count():
    known = {"covered": ((0.0, 4.0),), "durations": {"x": 10.0}, "fps": {"x": 1.0}}
    predictions = Predictions({"x": (Span(5, 9, "walk", 0.9), Span(0, 4, "walk", 0.8))})
    metrics = evaluate(predictions, truth_of([Span(0, 4, "walk")], **known))
    assert metrics.detection.average == 1.0
    assert metrics.frame_accuracy == 1.0
    assert metrics.counts["predicted_spans_left_out"] == 1
    del known["covered"]
    assert evaluate(predictions, truth_of([Span(0, 4, "walk")], **known)).detection.average == 0.5


def test_overlapping_labels_have_frame_counts_only():
    labels = LabelSet(("walk", "wave"), exclusive=False)
    truth = truth_of([Span(0, 8, "walk"), Span(4, 8, "wave")], labels, durations={"x": 10.0}, fps={"x": 1.0})
    predictions = Predictions({"x": (Span(0, 8, "walk", 0.9), Span(2, 6, "wave", 0.6), Span(0, 10, "wave", 0.4))})
    metrics = evaluate(predictions, truth)
    assert metrics.frames.precision.tolist() == [1.0, 0.5]
    assert metrics.frames.recall.tolist() == [1.0, 0.5]
    data = metrics.to_dict()
    assert (data["frame_accuracy"], data["edit"], data["f1"], data["confusion"]) == (None, None, None, None)
    assert data["exclusive"] is False


def test_predictions_of_unknown_recordings_or_labels_are_refused():
    truth = truth_of([Span(0, 4, "walk")])
    with pytest.raises(InputError, match="of 'y', 'z'"):
        evaluate(Predictions({"z": (), "y": ()}), truth)
    with pytest.raises(InputError, match=r"'Walk'.*'walk', 'sit'"):
        evaluate(Predictions({"x": (Span(0, 1, "Walk", 0.5),)}), truth)
    with pytest.raises(InputError, match="'hop'"):
        evaluate(Predictions({}, {"x": (Span(0, 1, "hop", 0.5),)}), truth)


def test_predicted_labels_missing_in_an_undeclared_truth_do_not_change_map():
    truth = truth_of([Span(0, 4, "walk")], LabelSet(("walk",)), labels_are_declared=False)
    predictions = Predictions({"x": (Span(0, 4, "walk", 0.5), Span(0, 4, "sit", 0.9))})
    metrics = evaluate(predictions, truth)
    assert metrics.detection.average == 1.0
    assert metrics.labels_without_truth == ("sit",)
    assert metrics.frame_accuracy == 0.0
    assert math.isnan(metrics.detection.ap[1, 0])
    assert metrics.unknown_labels == metrics.to_dict()["unknown_labels"] == {"sit": 1}
    with pytest.raises(InputError, match="'sit'"):
        evaluate(Predictions({"x": (Span(0, 4, "sit", 0.9),)}), truth)


@dataclass(frozen=True, order=True)
class Row:
    """A row of a file with an end anywhere, for the reference, which needs no more."""

    start: float
    end: float
    label: str
    score: float = 0.0


ROWS = st.builds(
    Row, st.sampled_from([0.0, 1.0, 2.5]), st.sampled_from([0.0, 2.0, 2.5, 4.0]), st.sampled_from(LABELS.names),
    st.sampled_from([0.1, 0.5, 0.9]),
)  # fmt: skip
GROUPS = st.fixed_dictionaries({"x": st.lists(ROWS, max_size=4), "y": st.lists(ROWS, max_size=4)})


def halves(groups):
    """Rows by recording as spans, and as rows without length."""
    spans = {n: tuple(Span(*astuple(row)) for row in rows if row.start < row.end) for n, rows in groups.items()}
    others = [
        (n, (r.label, r.start, r.end, r.score, -1)) for n, rows in groups.items() for r in rows if r.start >= r.end
    ]
    return spans, tuple(others)


@given(GROUPS, GROUPS)
@settings(max_examples=60, deadline=None)
def test_rows_without_length_count_for_map_as_in_the_reference(predicted, true):
    assume(any(true.values()))
    spans, without_length = halves(predicted)
    true_spans, true_without_length = halves(true)
    annotations = {
        name: Annotation(tuple(replace(span, score=None) for span in rows), LABELS) for name, rows in true_spans.items()
    }
    truth = Truth(annotations, LABELS, {"x": 4.0, "y": 4.0}, without_length=true_without_length)
    metrics = evaluate(Predictions(spans, without_length=without_length), truth, (0.5, 0.75))
    for row, label in enumerate(LABELS.names):
        for column, tiou in enumerate((0.5, 0.75)):
            expected = activitynet_ap(predicted, true, label, tiou)
            assert metrics.detection.ap[row, column] == pytest.approx(expected, nan_ok=True)
    clean = evaluate(Predictions(spans), replace(truth, without_length=())).to_dict()
    assert all(metrics.to_dict()[name] == clean[name] for name in ("frame_accuracy", "edit", "f1", "confusion"))
    assert metrics.counts["true_spans_without_length"] == len(true_without_length)


@pytest.mark.parametrize("rule", ["pku", "simple-det"])
def test_rules_that_count_both_end_frames_leave_rows_without_length_out(rule):
    truth = truth_of([Span(0, 4, "walk")], fps={"x": 10.0})
    predictions = Predictions({"x": (Span(0, 4, "walk", 0.5),)})
    expected = evaluate(predictions, truth, rule=rule)
    empty = (("x", ("walk", 2.0, 2.0, 0.9, -1)),)
    metrics = evaluate(replace(predictions, without_length=empty), replace(truth, without_length=empty), rule=rule)
    assert metrics.detection.map == pytest.approx(expected.detection.map)
