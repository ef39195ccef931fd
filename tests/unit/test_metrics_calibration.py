"""Reliability, expected calibration error, and error over coverage, by hand and by slow references."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_metrics import overlap

from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.errors import InputError
from kinespan.metrics.calibration import Claims, frame_claims, reliability, risk_coverage, segment_claims

LABELS = LabelSet(("walk", "sit"))


def claims_of(*pairs):
    return Claims(np.array([score for score, _ in pairs], float), np.array([right for _, right in pairs], bool))


def slow_error(pairs, bins):
    """ECE in plain loops: a score on a border belongs to the bin above."""
    total = 0.0
    for number in range(bins):
        inside = [
            (score, right)
            for score, right in pairs
            if number <= score * bins < number + 1 or (score == 1 and number == bins - 1)
        ]
        if inside:
            gap = sum(score for score, _ in inside) / len(inside) - sum(right for _, right in inside) / len(inside)
            total += abs(gap) * len(inside) / len(pairs)
    return total


def slow_area(pairs):
    """The mean, over claims from the surest on, of the error of the claims that score as much or more."""
    return sum(
        sum(not right for other, right in pairs if other >= score) / sum(other >= score for other, _ in pairs)
        for score, _ in pairs
    ) / len(pairs)


def test_reliability_by_hand():
    table = reliability(claims_of((0.1, False), (0.3, True), (0.8, True), (0.9, True), (1.0, False)), bins=2)
    assert table.count.tolist() == [2, 3]
    assert table.score == pytest.approx([0.2, 0.9])
    assert table.right == pytest.approx([0.5, 2 / 3])
    assert table.error == pytest.approx((2 * 0.3 + 3 * (0.9 - 2 / 3)) / 5)


def test_without_claims_there_is_no_figure():
    table, curve = reliability(claims_of()), risk_coverage(claims_of())
    assert table.count.sum() == 0
    assert math.isnan(table.error)
    assert math.isnan(curve.area)
    assert curve.at(0.5)[0] == 0


pairs = st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.35, 0.5, 0.77, 0.9, 1.0]), st.booleans()), min_size=1)


@given(pairs, st.sampled_from([1, 4, 15]))
@settings(deadline=None)
def test_calibration_error_equals_a_slow_reference(pairs, bins):
    assert reliability(claims_of(*pairs), bins).error == pytest.approx(slow_error(pairs, bins))


def test_error_over_coverage_by_hand():
    curve = risk_coverage(claims_of((0.9, True), (0.8, False), (0.8, True), (0.3, False)))
    assert curve.threshold.tolist() == [0.9, 0.8, 0.3]
    assert curve.coverage.tolist() == [0.25, 0.75, 1.0]
    assert curve.risk == pytest.approx([0, 1 / 3, 0.5])
    assert curve.area == pytest.approx(0.25 * 0 + 0.5 / 3 + 0.25 * 0.5)
    assert curve.at(0.8) == (0.75, pytest.approx(1 / 3))
    assert curve.at(0.85) == (0.25, 0.0)
    assert curve.at(0.0) == (1.0, 0.5)
    assert curve.at(0.95)[0] == 0
    assert math.isnan(curve.at(0.95)[1])


@given(pairs, st.sampled_from([0.0, 0.4, 0.5, 1.0]))
@settings(deadline=None)
def test_error_over_coverage_equals_a_slow_reference(pairs, threshold):
    curve = risk_coverage(claims_of(*pairs))
    assert curve.area == pytest.approx(slow_area(pairs))
    kept = [right for score, right in pairs if score >= threshold]
    coverage, risk = curve.at(threshold)
    assert coverage == pytest.approx(len(kept) / len(pairs))
    assert (not kept and math.isnan(risk)) or risk == pytest.approx(kept.count(False) / len(kept))
    assert np.all(np.diff(curve.coverage) > 0)


def test_segments_are_right_from_half_an_overlap_with_their_label_on():
    truth = {
        "a": Annotation((Span(0, 2, "walk"), Span(3, 4, "sit")), LABELS),
        "b": Annotation((Span(0, 1, "walk"),), LABELS, covered=((0, 2),)),
    }
    segments = {
        "a": (
            Span(0, 1, "walk", 0.9),  # exactly half
            Span(1.1, 2, "walk", 0.8),  # less
            Span(3, 4, "walk", 0.7),  # another label
            Span(3, 4, "sit", 0.6),
        ),
        "b": (Span(0, 1, "walk", 0.5), Span(1.5, 3, "walk", 0.4)),  # the last lies mostly where nobody looked
    }
    claims = segment_claims(segments, truth)
    outcome = dict(zip(claims.score.tolist(), claims.is_right.tolist(), strict=True))
    assert outcome == {0.9: True, 0.8: False, 0.7: False, 0.6: True, 0.5: True}
    with pytest.raises(InputError, match="without ground truth"):
        segment_claims({"c": (Span(0, 1, "walk", 0.5),)}, truth)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_segments_are_judged_as_a_slow_reference_judges_them(seed):
    rng = np.random.default_rng(seed)

    def spans(count):
        starts, lengths = rng.integers(0, 20, count) / 2, rng.integers(1, 8, count) / 2
        names = rng.choice(LABELS.names, count)
        rows = zip(starts.tolist(), lengths.tolist(), names.tolist(), rng.permutation(count) / count, strict=True)
        return tuple(Span(start, start + length, name, float(score)) for start, length, name, score in rows)

    predicted, true = {name: spans(5) for name in "ab"}, {name: spans(4) for name in "ab"}
    claims = segment_claims(predicted, {name: Annotation(true[name], LABELS) for name in true})
    expected = [
        (span.score, any(overlap(span, each) >= 0.5 - 1e-9 for each in true[name] if each.label == span.label))
        for name in predicted
        for span in predicted[name]
    ]
    assert sorted(zip(claims.score.tolist(), claims.is_right.tolist(), strict=True)) == sorted(expected)


def test_frames_claim_their_best_label():
    scores = np.array([[0.2, 0.7, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.1, 0.2, 0.7]], np.float32)
    annotation = Annotation((Span(0.0, 0.2, "walk"), Span(0.2, 0.3, "sit")), LABELS, ((0.0, 0.3),))
    claims = frame_claims(scores, annotation, LABELS, 10)
    assert claims.score == pytest.approx([0.7, 0.6, 0.7])
    assert claims.is_right.tolist() == [True, False, True]


def test_each_overlapping_label_of_a_frame_is_a_claim():
    labels = LabelSet(LABELS.names, exclusive=False)
    scores = np.array([[0.2, 0.8, 0.3], [0.1, 0.4, 0.9]], np.float32)
    claims = frame_claims(scores, Annotation((Span(0, 0.2, "walk"),), labels), labels, 10)
    assert claims.score == pytest.approx([0.8, 0.7, 0.6, 0.9])
    assert claims.is_right.tolist() == [True, True, False, False]


def test_events_are_no_claims_of_frames():
    labels = LabelSet(("walk", "strike"), events=("strike",))
    claims = frame_claims(np.array([[0.2, 0.8, 0.9]], np.float32), Annotation((), labels), labels, 10)
    assert (claims.score.tolist(), claims.is_right.tolist()) == ([pytest.approx(0.8)], [False])
