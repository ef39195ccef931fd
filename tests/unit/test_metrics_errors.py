"""Kinds of errors: by hand, and against a loop that follows the definitions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from reference_metrics import activitynet_ap, overlap
from test_metrics_map import scenes

from kinespan.data.annotation import Span
from kinespan.metrics import KINDS, detection_errors
from kinespan.metrics.errors import MIN_OVERLAP, PER_TRUE_SPAN


def test_kinds_of_errors_by_hand():
    truth = {"x": [Span(0, 10, "a"), Span(20, 30, "b"), Span(40, 50, "a")]}
    found = {
        "x": [
            Span(0, 10, "a", 0.9),  # right
            Span(1, 10, "a", 0.8),  # double
            Span(20, 30, "a", 0.7),  # wrong label
            Span(40, 44, "a", 0.6),  # localization: 0.4
            Span(40, 44, "b", 0.5),  # confusion
            Span(60, 70, "b", 0.4),  # background
        ]
    }
    errors = detection_errors(found, truth, ["a", "b"])
    assert (errors.predictions, errors.right) == (6, 1)
    assert errors.counts == dict.fromkeys(KINDS, 1)
    assert errors.missed == {"a": 1, "b": 1}
    assert errors.true == {"a": 2, "b": 1}
    # the only right one comes first, so nothing stands in its way
    assert errors.cost == dict.fromkeys(KINDS, 0.0)


def test_cost_of_a_kind_is_the_map_without_its_predictions():
    """A background prediction above the right one halves its precision, and with it the AP."""
    truth = {"x": [Span(0, 10, "a")]}
    found = {"x": [Span(50, 60, "a", 0.9), Span(0, 10, "a", 0.8)]}
    errors = detection_errors(found, truth, ["a"])
    assert errors.cost == {**dict.fromkeys(KINDS, 0.0), "background": pytest.approx(0.5)}


def test_only_the_best_ten_predictions_a_true_span_count():
    truth = {"x": [Span(0, 10, "a")], "y": []}
    found = {"y": [Span(i, i + 1, "a", 1 - i / 100) for i in range(30)], "x": [Span(0, 10, "b", 0.5)]}
    errors = detection_errors(found, truth, ["a", "b"])
    assert errors.predictions == PER_TRUE_SPAN  # those of b have no truth to be held against
    assert errors.counts["background"] == PER_TRUE_SPAN


def test_errors_without_predictions_or_true_spans():
    nothing = detection_errors({}, {"x": [Span(0, 1, "a")]}, ["a"])
    assert (nothing.predictions, nothing.right, nothing.missed) == (0, 0, {"a": 1})
    assert all(math.isnan(cost) for cost in detection_errors({}, {"x": []}, ["a"]).cost.values())


def kind_of(span, truth, taken, tiou):
    """The kind of a prediction, from the definitions; `taken` says whether it takes a true span."""
    if taken:
        return "right"
    same = max((overlap(span, true) for true in truth if true.label == span.label), default=0.0)
    other = max((overlap(span, true) for true in truth if true.label != span.label), default=0.0)
    for name, value, low in (
        ("double", same, tiou), ("wrong label", other, tiou),
        ("localization", same, MIN_OVERLAP), ("confusion", other, MIN_OVERLAP),
    ):  # fmt: skip
        if value >= low:
            return name
    return "background"


@given(scenes())
@settings(max_examples=80, deadline=None)
def test_errors_agree_with_the_slow_reference(scene):
    predictions, truth = scene
    predictions = {name: list(dict.fromkeys(spans)) for name, spans in predictions.items()}
    labels, tiou = ["a", "b"], 0.5
    errors = detection_errors(predictions, truth, labels, tiou)
    kinds, kept = {}, {name: [] for name in predictions}
    for label in labels:
        wanted = PER_TRUE_SPAN * sum(span.label == label for spans in truth.values() for span in spans)
        ranked = sorted(
            ((name, span) for name, spans in predictions.items() for span in spans if span.label == label),
            key=lambda pair: (-pair[1].score, pair[0], pair[1].start, pair[1].end),
        )[:wanted]
        free = {name: sorted(s for s in spans if s.label == label) for name, spans in truth.items()}
        for name, span in ranked:
            goals = [true for true in free[name] if overlap(span, true) >= tiou]
            best = max(goals, key=lambda true: overlap(span, true), default=None)
            if best is not None:
                free[name].remove(best)
            kinds.setdefault(kind_of(span, truth[name], best is not None, tiou), []).append((name, span))
            kept[name].append(span)
        assert errors.missed[label] == sum(map(len, free.values()))
    assert errors.right == len(kinds.get("right", []))
    assert errors.counts == {name: len(kinds.get(name, [])) for name in KINDS}
    present = [label for label in labels if errors.true[label]]
    for name in KINDS:
        if not present:
            assert math.isnan(errors.cost[name])
            continue
        gone = {place: [s for s in spans if (place, s) not in kinds.get(name, [])] for place, spans in kept.items()}
        means = [
            sum(activitynet_ap(group, truth, label, tiou) for label in present) / len(present) for group in (gone, kept)
        ]
        assert errors.cost[name] == pytest.approx(means[0] - means[1])
