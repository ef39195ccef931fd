"""Figures of events against a slow reference and by hand, and how `evaluate` and its files hold them."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_metrics import area_under

from kinespan.annotations import read_annotations
from kinespan.annotations.activitynet import read_predictions, read_truth, write_predictions, write_truth
from kinespan.cli import main
from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.data.predictions import Predictions, Truth
from kinespan.errors import InputError
from kinespan.metrics import evaluate
from kinespan.metrics.events import event_metrics

LABELS = LabelSet(("strike", "off"), events=("strike", "off"), tolerance=0.3)
BOTH = LabelSet(("walk", "strike"), events=("strike",), tolerance=0.3)


def slow_figures(predictions, truth, label, tolerance, threshold):
    """true, predicted, right, sum of distances, AP by plain loops, each prediction looking at every true event."""
    free = {name: [event for event in events if event.label == label] for name, events in truth.items()}
    total = sum(map(len, free.values()))
    ranked = [(-e.score, name, e.time, e) for name, events in predictions.items() for e in events if e.label == label]
    hits, answer, distances = [], 0, []
    for minus_score, name, time, _ in sorted(ranked, key=lambda item: item[:3]):
        near = [
            (abs(true.time - time), true.time, index)
            for index, true in enumerate(free[name])
            if abs(true.time - time) <= tolerance + 1e-6
        ]
        hits.append(bool(near))
        is_answer = -minus_score >= threshold
        answer += is_answer
        if near:
            if is_answer:
                distances.append(min(near)[0])
            del free[name][min(near)[2]]
    return total, answer, len(distances), sum(distances), area_under(hits, total) if total else math.nan


TIMES = st.integers(0, 20).map(lambda step: step / 10)
PEOPLE = st.sampled_from([None, None, 0, 1])


def events(scores):
    return st.lists(st.builds(Event, TIMES, st.sampled_from(LABELS.names), scores, PEOPLE), max_size=8, unique_by=str)


GROUPS = st.fixed_dictionaries({"x": events(st.none()), "y": events(st.none())})
SCORED = st.fixed_dictionaries({}, optional={name: events(st.sampled_from([0.1, 0.5, 0.5, 0.9])) for name in "xy"})


@given(SCORED, GROUPS, st.sampled_from([0.1, 0.35, 1.0]), st.sampled_from([0.0, 0.4]))
@settings(max_examples=200, deadline=None)
def test_figures_match_the_slow_reference(predictions, truth, tolerance, threshold):
    truth = {name: sorted(members, key=lambda event: event.time) for name, members in truth.items()}
    metrics = event_metrics(predictions, truth, LABELS.names, tolerance, threshold)
    for row, label in enumerate(LABELS.names):
        expected = slow_figures(predictions, truth, label, tolerance, threshold)
        counts = metrics.true[row], metrics.predicted[row], metrics.right[row], metrics.error[row], metrics.ap[row]
        assert counts == pytest.approx(expected, nan_ok=True)


@given(GROUPS)
@settings(max_examples=50, deadline=None)
def test_the_truth_itself_is_perfect(truth):
    # two true events of a person at one instant would be told apart by nothing
    truth = {
        name: [event for event in members if event.person is None and event.label == "strike"]
        for name, members in truth.items()
    }
    figures = event_metrics(truth, truth, ("strike",), 0.05).figures()
    if any(truth.values()):
        assert (figures["precision"], figures["recall"], figures["f1"], figures["mae"]) == (1, 1, 1, 0)


def test_figures_by_hand():
    truth = {"a": [Event(1.0, "strike"), Event(2.0, "strike"), Event(5.0, "off")], "b": []}
    predictions = {
        "a": [
            Event(1.2, "strike", 0.9),  # right, off by 0.2
            Event(0.9, "strike", 0.8),  # nearer, but the event is taken
            Event(2.3, "strike", 0.7),  # right: at the tolerance
            Event(5.0, "strike", 0.6),  # another label's event
        ],
        "b": [Event(1.0, "strike", 0.95)],
    }
    metrics = event_metrics(predictions, truth, LABELS.names, 0.3)
    strike = metrics.figures(0)
    assert strike == pytest.approx({"precision": 2 / 5, "recall": 1.0, "f1": 4 / 7, "mae": 0.25})
    # right are the second and fourth in order of score: precision 1/2 and 2/4
    assert metrics.ap[0] == pytest.approx(0.5)
    assert metrics.figures(1) == pytest.approx(
        {"precision": math.nan, "recall": 0, "f1": 0, "mae": math.nan}, nan_ok=True
    )
    assert metrics.figures() == pytest.approx({"precision": 2 / 5, "recall": 2 / 3, "f1": 4 / 8, "mae": 0.25})
    assert (metrics.map, metrics.mean_f1) == pytest.approx((0.25, 2 / 7))


def test_figures_below_the_threshold_count_for_average_precision_alone():
    truth = {"a": [Event(1.0, "strike"), Event(2.0, "strike")]}
    predictions = {"a": [Event(1.0, "strike", 0.9), Event(2.0, "strike", 0.1)]}
    metrics = event_metrics(predictions, truth, ("strike",), 0.3, 0.4)
    assert metrics.ap[0] == 1
    assert metrics.figures() == pytest.approx({"precision": 1, "recall": 0.5, "f1": 2 / 3, "mae": 0})


def test_an_event_of_another_person_is_not_right():
    strikes = (Event(1.0, "strike", person=0), Event(1.1, "strike", person=1))
    truth = Truth({"a": Annotation((), LABELS, events=strikes)}, LABELS, {"a": 3.0})
    own = {"a": (Event(1.0, "strike", 0.9, 1), Event(1.0, "strike", 0.8, 1))}
    metrics = evaluate(Predictions({"a": ()}, events=own), truth).events
    assert metrics.right.tolist() == [1, 0]
    assert metrics.error[0] == pytest.approx(0.1)
    anybody = {"a": (Event(1.0, "strike", 0.9), Event(2.0, "off", 0.9))}  # is claimed of each
    metrics = evaluate(Predictions({"a": ()}, events=anybody), truth).events
    assert (metrics.right.tolist(), metrics.predicted.tolist()) == ([2, 0], [2, 2])


@pytest.mark.parametrize("tolerance", [0.0, -1.0, math.nan, math.inf])
def test_a_bad_tolerance_is_refused(tolerance):
    with pytest.raises(InputError, match="tolerance"):
        event_metrics({}, {}, ("strike",), tolerance)


# ---- all metrics ----------------------------------------------------------------------------------------------------


def made(labels=BOTH):
    annotation = Annotation(
        (Span(1.0, 3.0, "walk"),), labels, ((0.0, 8.0),), (Event(2.0, "strike"), Event(5.0, "strike"))
    )
    truth = Truth({"a": annotation}, labels, {"a": 10.0}, {"a": 10.0})
    spans = {"a": (Span(1.0, 3.0, "walk", 0.9),)}
    strikes = {
        "a": (
            Event(2.1, "strike", 0.9),
            Event(5.5, "strike", 0.6),
            Event(5.1, "strike", 0.2),
            Event(9.0, "strike", 1.0),
        )
    }
    return Predictions(spans, spans, {}, events=strikes, event_threshold=0.4), truth


def test_spans_and_events_are_scored_apart():
    predictions, truth = made()
    metrics = evaluate(predictions, truth)
    assert metrics.labels.names == ("walk",)
    assert metrics.detection.average == 1
    assert metrics.f1 == {"10": 1, "25": 1, "50": 1}
    assert metrics.frame_accuracy == 1
    written = json.loads(json.dumps(metrics.to_dict(), allow_nan=False))
    # 9.0 s was not looked at; 5.5 s is too far off, and 5.1 s scores too little
    assert written["events"]["all"] == {
        "precision": 0.5, "recall": 0.5, "f1": 0.5, "mae": pytest.approx(0.1), "ap": pytest.approx(0.5 + 0.5 * 2 / 3),
        "true": 2, "predicted": 2, "right": 1, "mean_f1": 0.5,
    }  # fmt: skip
    assert (written["events"]["tolerance"], list(written["events"]["per_class"])) == (0.3, ["strike"])
    assert evaluate(predictions, truth, tolerance=0.6).events.figures()["f1"] == 1


def test_a_label_set_of_events_alone_has_no_figures_of_spans():
    truth = Truth({"a": Annotation((), LABELS, None, (Event(2.0, "off"),))}, LABELS, {"a": 10.0}, {"a": 10.0})
    metrics = evaluate(Predictions({"a": ()}, {"a": ()}, events={"a": (Event(2.0, "off", 0.5),)}), truth)
    written = json.loads(json.dumps(metrics.to_dict(), allow_nan=False))
    assert (written["frame_accuracy"], written["edit"], written["f1"], written["per_class"]) == (None, None, None, {})
    assert written["map_average"] == {"0.1:0.5": None, "0.5:0.95": None}
    assert written["events"]["all"]["f1"] == 1
    assert written["recordings_without_predictions"] == 0


def test_without_events_nothing_is_said_of_them():
    labels = LabelSet(("walk",))
    truth = Truth({"a": Annotation((Span(1.0, 2.0, "walk"),), labels)}, labels, {"a": 4.0})
    assert "events" not in evaluate(Predictions({"a": ()}), truth).to_dict()


def test_predictions_near_a_point_label_are_neither_right_nor_wrong():
    labels = LabelSet(("walk",))
    truth = Truth({"a": Annotation((), labels, None, (Event(5.0, "walk"),))}, labels, {"a": 20.0}, {"a": 10.0})
    near, far = Span(4.0, 6.0, "walk", 0.9), Span(10.0, 12.0, "walk", 0.9)
    metrics = evaluate(Predictions({"a": (near, far)}, {"a": (near, far)}), truth)
    assert metrics.counts["predicted_spans_left_out"] == 1
    assert metrics.events is None
    assert metrics.frame_accuracy == pytest.approx(140 / 160)


def test_a_label_that_is_a_span_here_and_an_event_there_is_named():
    truth = made()[1]
    mistaken = Predictions({"a": (Span(1.0, 2.0, "strike", 0.5),)})
    with pytest.raises(InputError, match="'strike': an event in one of predictions and truth, a span in the other"):
        evaluate(mistaken, truth)


# ---- files ----------------------------------------------------------------------------------------------------------


def test_files_keep_events(tmp_path):
    predictions, truth = made()
    write_predictions(predictions, tmp_path / "p.json")
    write_truth(truth, tmp_path / "t.json")
    again = read_predictions(tmp_path / "p.json")
    assert (dict(again.events), again.event_threshold) == (dict(predictions.events), 0.4)
    annotations = read_truth(tmp_path / "t.json")
    assert annotations.labels == BOTH
    assert annotations.annotations["a"] == truth.annotations["a"]
    answer = read_annotations(tmp_path / "p.json")["a"]
    assert [event.time for event in answer.events] == [2.1, 5.5, 9.0]
    assert answer.labels.events == ("strike",)


def test_files_without_a_list_of_event_labels_have_those_that_only_occur_as_events(tmp_path):
    entry = {
        "annotations": [{"label": "walk", "segment": [0, 1]}],
        "events": [{"label": "clap", "time": 2, "person": 1}],
    }
    (tmp_path / "t.json").write_text(json.dumps({"database": {"a": entry}}))
    truth = read_truth(tmp_path / "t.json")
    assert truth.labels == LabelSet(("clap", "walk"), events=("clap",))
    assert truth.annotations["a"].events == (Event(2.0, "clap", person=1),)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"events": [{"label": "clap"}]}, r"events\[0\].time"),
        ({"events": [{"label": "", "time": 1}]}, r"events\[0\].label"),
        ({"events": [{"label": "clap", "time": 1, "score": "high"}]}, r"events\[0\].score"),
        ({"events": [{"label": "clap", "time": 1, "person": -1}]}, r"events\[0\].person"),
        ({"events": {"label": "clap"}}, "a list of events"),
    ],
)
def test_bad_events_are_refused_by_field(tmp_path, change, message):
    (tmp_path / "t.json").write_text(json.dumps({"database": {"a": {"annotations": [], **change}}}))
    with pytest.raises(InputError, match=message):
        read_truth(tmp_path / "t.json")


@pytest.mark.parametrize("change", [{"events": ["hop"]}, {"tolerance": 0}, {"tolerance": "wide"}])
def test_bad_facts_of_event_labels_are_refused(tmp_path, change):
    entry = {"annotations": [], "events": [{"label": "clap", "time": 1}]}
    (tmp_path / "t.json").write_text(json.dumps({"database": {"a": entry}, **change}))
    with pytest.raises(InputError, match=next(iter(change))):
        read_truth(tmp_path / "t.json")


def test_evaluate_prints_the_figures_of_events(tmp_path, capsys):
    predictions, truth = made()
    write_predictions(predictions, tmp_path / "p.json")
    write_truth(truth, tmp_path / "t.json")
    files = ["--predictions", str(tmp_path / "p.json"), "--truth", str(tmp_path / "t.json")]
    assert main(["evaluate", *files]) == 0
    text = capsys.readouterr().out
    assert "events within 0.3 s, %" in text
    assert "mAP at tIoU" in text
    assert main(["evaluate", *files, "--tolerance", "0.6"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("all  "))
    assert line.split()[1:6] == ["2", "2", "100.0", "100.0", "100.0"]
    assert main(["evaluate", *files, "--tolerance", "0"]) == 2
    assert "--tolerance 0.0: expected a positive number of seconds" in capsys.readouterr().err
