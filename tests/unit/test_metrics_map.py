"""tIoU mAP under its four rules."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_metrics import activitynet_ap, in_order, overlap, pku_ap, pku_f1, ranked, simple_det_ap, stal_ap

from kinespan.data.annotation import LabelSet, Span, spans_from_frames
from kinespan.decode import decode
from kinespan.decode.presets import STAL
from kinespan.errors import InputError
from kinespan.metrics import RULE_TIOUS, RULES, detection_map
from kinespan.metrics import matching as matching_module
from kinespan.metrics.pku import THETAS_2D

TIOUS = (0.1, 0.3, 0.5, 0.7)


@st.composite
def scenes(draw, labels="ab", recordings=("x", "y", "z"), scores=20):
    """Predictions and truth on a grid of tenths of a second, so that ties and equal tIoUs are common."""
    bounds = st.tuples(st.integers(0, 25), st.integers(2, 12))
    true = st.lists(st.tuples(st.sampled_from(labels), bounds), max_size=6)
    found = st.lists(st.tuples(st.sampled_from(labels), bounds, st.integers(1, scores)), max_size=10)
    truth = {name: [Span(s / 10, (s + d) / 10, label) for label, (s, d) in draw(true)] for name in recordings}
    predictions = {
        name: [Span(s / 10, (s + d) / 10, label, score / scores) for label, (s, d), score in draw(found)]
        for name in recordings
        if draw(st.booleans())
    }
    return predictions, truth


def counted(group, fps):
    """Spans whose bounds are whole frames."""
    return {
        name: [replace(span, start=round(span.start * fps), end=round(span.end * fps)) for span in spans]
        for name, spans in group.items()
    }


def as_perfect(truth):
    return {name: [Span(s.start, s.end, s.label, 0.5) for s in spans] for name, spans in truth.items()}


def distinct(truth):
    """Truth with no span twice: two equal ones are one event."""
    return {name: sorted(set(spans)) for name, spans in truth.items()}


def test_activitynet_by_hand():
    truth = {"x": [Span(0, 10, "a"), Span(20, 30, "a")], "y": [Span(0, 4, "b")]}
    predictions = {
        "x": [Span(0, 10, "a", 0.9), Span(50, 60, "a", 0.8), Span(20, 26, "a", 0.7)],
        "y": [Span(0, 1, "b", 0.9)],
    }
    result = detection_map(predictions, truth, (0.5, 0.7))
    # a: right, wrong, right (tIoU 0.6): precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1, area (1 + 2/3) / 2.
    np.testing.assert_allclose(result.ap, [[5 / 6, 1 / 2], [0, 0]])
    np.testing.assert_allclose(result.map, [5 / 12, 1 / 4])
    assert result.average == pytest.approx(1 / 3)
    assert result.labels == ("a", "b")


def test_a_prediction_is_matched_with_its_second_best_if_the_best_is_taken():
    truth = {"x": [Span(0, 10, "a"), Span(2, 12, "a")]}
    predictions = {"x": [Span(0, 10, "a", 0.9), Span(0.5, 10.5, "a", 0.8)]}
    assert detection_map(predictions, truth, (0.5,)).map[0] == 1.0
    # For PKU-MMD both go to the first, and one of them is wrong.
    assert detection_map(predictions, truth, (0.5,), "pku").figures["F1"][0] == pytest.approx(0.5)


def test_pku_by_hand():
    truth = {"x": [Span(0, 10, "a")]}
    only = {"x": [Span(0, 10, "a", 0.9)]}
    two = {"x": [Span(0, 10, "a", 0.9), Span(50, 60, "a", 0.1)]}
    assert detection_map(only, truth, (0.5,), "pku").figures["AP"][0] == 1.0
    # The precision between the two removals is never taken; the interpolated area would be 1.
    assert detection_map(two, truth, (0.5,), "pku").figures["AP"][0] == 0.5
    assert detection_map(two, truth, (0.5,)).map[0] == 1.0


def test_pku_counts_whole_frames_so_an_overlap_of_exactly_theta_suffices():
    """Half of a span, wherever it lies: in seconds the quotient is off by a rounding error for some."""
    places = range(1, 120)
    truth = {f"r{i}": [Span(i / 30, (i + 14) / 30, "a")] for i in places}
    halves = {f"r{i}": [Span(i / 30, (i + 7) / 30, "a", 0.9)] for i in places}
    seconds = [overlap(halves[name][0], truth[name][0]) >= 0.5 for name in truth]
    assert not all(seconds)
    result = detection_map(halves, truth, (0.5,), "pku", fps=30)
    assert (result.map[0], result.figures["F1"][0], result.figures["mAP_v"][0]) == (1.0, 1.0, 1.0)


def test_pku_means_are_over_all_labels_and_over_recordings_with_results():
    truth = {"x": [Span(0, 10, "a")], "y": [Span(0, 10, "b")]}
    result = detection_map({"x": [Span(0, 10, "a", 0.9)]}, truth, (0.5,), "pku", labels=("a", "b", "c", "d"))
    assert result.map[0] == 0.25
    assert result.figures["mAP_a"][0] == 0.25
    assert result.figures["mAP_v"][0] == 1.0
    assert result.figures["AP"][0] == 0.5
    assert result.figures["2D-AP"] == 0.5
    both = detection_map({"x": [Span(0, 10, "a", 0.9)], "y": []}, truth, (0.5,), "pku")
    assert both.figures["mAP_v"][0] == 0.5


def test_stal_true_spans_are_one_frame_short():
    truth = {"x": [Span(0, 10 / 30, "a")]}
    exact = {"x": [Span(0, 9 / 30, "a", 1.0)]}
    whole = {"x": [Span(0, 10 / 30, "a", 1.0)]}
    assert detection_map(exact, truth, (1.0,), "stal").map[0] == 1.0
    assert detection_map(whole, truth, (0.9,), "stal").map[0] == 1.0
    assert detection_map(whole, truth, (0.91,), "stal").map[0] == 0.0
    # The same seconds at 60 fps are 19 of 20 frames.
    assert detection_map(whole, truth, (0.95,), "stal", fps={"x": 60.0}).map[0] == 1.0


def test_stal_from_frames_to_map():
    labels = LabelSet(("a",))
    column = np.zeros(60, dtype=np.float32)
    column[10:30] = 0.9
    scores = np.stack([1 - column, column], axis=1)
    truth = spans_from_frames((column > 0).astype(np.int64), 30, labels)
    # Truth is frames 10..28, the prediction 10..30: 19 / 21.
    found = {"x": decode(scores, 30, labels, STAL)}
    assert detection_map(found, {"x": truth.spans}, (19 / 21,), "stal").map[0] == 1.0
    assert detection_map(found, {"x": truth.spans}, (0.91,), "stal").map[0] == 0.0


@given(scenes())
@settings(max_examples=150, deadline=None)
def test_activitynet_agrees_with_the_slow_reference(scene):
    predictions, truth = scene
    result = detection_map(predictions, truth, TIOUS, labels=("a", "b"))
    expected = [[activitynet_ap(predictions, truth, label, t) for t in TIOUS] for label in "ab"]
    np.testing.assert_allclose(result.ap, expected, atol=1e-12)


@given(scenes())
@settings(max_examples=150, deadline=None)
def test_stal_agrees_with_the_slow_reference(scene):
    predictions, truth = scene
    result = detection_map(predictions, truth, TIOUS, "stal", labels=("a", "b"), fps=30)
    expected = [[stal_ap(predictions, truth, label, t, 30) for t in TIOUS] for label in "ab"]
    np.testing.assert_allclose(result.ap, expected, atol=1e-12)


@given(scenes())
@settings(max_examples=100, deadline=None)
def test_pku_agrees_with_the_slow_reference(scene):
    predictions, truth = scene
    result = detection_map(predictions, truth, TIOUS, "pku", labels=("a", "b"), fps=30)
    goals, found = in_order(counted(truth, 30)), ranked(counted(predictions, 30))

    def pooled(keep, theta):
        return pku_ap([item for item in found if keep(item)], [item for item in goals if keep(item)], theta)

    for k, theta in enumerate(TIOUS):
        by_label = [pooled(lambda item, label=label: item[1].label == label, theta) for label in "ab"]
        np.testing.assert_allclose(result.ap[:, k], by_label, atol=1e-12)
        assert result.figures["mAP_a"][k] == pytest.approx(np.mean(by_label))
        assert result.figures["AP"][k] == pytest.approx(pku_ap(found, goals, theta))
        assert result.figures["F1"][k] == pytest.approx(pku_f1(found, goals, theta))
        if predictions:
            by_recording = [pooled(lambda item, name=name: item[0] == name, theta) for name in predictions]
            assert result.figures["mAP_v"][k] == pytest.approx(np.mean(by_recording))
    expected = np.mean([pku_ap(found, goals, theta) for theta in THETAS_2D])
    assert result.figures["2D-AP"] == pytest.approx(expected)


@given(scenes(), st.sampled_from((10, 25)))
@settings(max_examples=150, deadline=None)
def test_simple_det_agrees_with_the_slow_reference(scene, fps):
    predictions, truth = scene
    result = detection_map(predictions, truth, TIOUS, "simple-det", labels=("a", "b"), fps=fps)
    expected = [[simple_det_ap(predictions, truth, label, t, fps) for t in TIOUS] for label in "ab"]
    np.testing.assert_allclose(result.ap, expected, atol=1e-12)
    pku = detection_map(predictions, truth, TIOUS, "pku", labels=("a", "b"), fps=fps)
    np.testing.assert_array_equal(result.figures["mAP_v"], pku.figures["mAP_v"])
    if any(truth.values()):
        np.testing.assert_allclose(result.figures["mAP_a"], np.nanmean(expected, axis=0), atol=1e-12)


def test_simple_det_by_hand():
    truth = {"x": [Span(0, 1.0, "a"), Span(0.2, 1.2, "a")], "y": [Span(0, 1, "b")]}
    # At 10 fps: frames 0..10 against 5..15 of two spans of 11 frames, 6 of 16.
    half = {"y": [Span(0.5, 1.5, "b", 0.9)]}
    assert detection_map(half, truth, (6 / 16,), "simple-det", fps=10).map[0] == 0.5
    assert detection_map(half, truth, (0.38,), "simple-det", fps=10).map[0] == 0.0
    # Touching spans share one frame of 21.
    assert detection_map({"y": [Span(1, 2, "b", 0.9)]}, truth, (1 / 21,), "simple-det", fps=10).map[0] == 0.5
    # Both find the first, the duplicate is wrong though the second would be free: AP of a is 1/2, as recall ends there.
    twice = {"x": [Span(0, 1.0, "a", 0.9), Span(0, 1.1, "a", 0.8)], "y": [Span(0, 1, "b", 0.9)]}
    result = detection_map(twice, truth, (0.5,), "simple-det", fps=10)
    np.testing.assert_allclose(result.ap[:, 0], [0.5, 1.0])
    assert result.figures["mAP_a"][0] == 0.75
    # The official AP of x: two proposals on one of two true spans; of y: 1.
    assert result.figures["mAP_v"][0] == pytest.approx((0.5 + 1) / 2)
    assert detection_map(twice, truth, (0.5,)).ap[0, 0] == 1.0


def test_each_rule_has_its_default_thresholds():
    truth = {"x": [Span(0, 10, "a")]}
    for rule in RULES:
        result = detection_map({}, truth, rule=rule)
        assert result.tious == RULE_TIOUS[rule]
        assert 0.5 in result.tious


@given(scenes(), st.sampled_from(RULES))
@settings(max_examples=50, deadline=None)
def test_a_result_at_some_thresholds_equals_scoring_at_these_alone(scene, rule):
    some = (0.7, 0.1)
    part = detection_map(*scene, TIOUS, rule).for_tious(some)
    alone = detection_map(*scene, some, rule)
    np.testing.assert_array_equal(part.ap, alone.ap)
    np.testing.assert_array_equal(part.map, alone.map)
    assert (part.tious, part.average) == (alone.tious, pytest.approx(alone.average, nan_ok=True))
    for name, value in alone.figures.items():
        np.testing.assert_array_equal(part.figures[name], value)


@given(scenes(), st.sampled_from(RULES))
@settings(max_examples=100, deadline=None)
def test_the_order_of_the_input_never_changes_the_result(scene, rule):
    predictions, truth = scene
    shuffle = random.Random(7)
    mixed = [
        {name: shuffle.sample(group[name], len(group[name])) for name in sorted(group, reverse=True)} for group in scene
    ]
    straight, other = (detection_map(p, t, TIOUS, rule) for p, t in ((predictions, truth), mixed))
    np.testing.assert_array_equal(straight.ap, other.ap)


@given(scenes())
@settings(max_examples=60, deadline=None)
def test_perfect_predictions_score_one(scene):
    truth = distinct(scene[1])
    if any(truth.values()):
        assert detection_map(as_perfect(truth), truth, (0.5, 1.0)).map == pytest.approx([1.0, 1.0])
        pku = detection_map(as_perfect(truth), truth, (0.5, 1.0), "pku").figures
        assert pku["F1"] == pytest.approx([1.0, 1.0])
        assert pku["2D-AP"] == pytest.approx(1.0)
        assert detection_map(as_perfect(truth), truth, (0.5, 1.0), "simple-det").map == pytest.approx([1.0, 1.0])


@given(scenes(scores=1000))
@settings(max_examples=60, deadline=None)
def test_map_is_in_bounds_and_a_lowest_false_alarm_costs_nothing(scene):
    predictions, truth = scene
    result = detection_map(predictions, truth, TIOUS, labels=("a", "b"))
    assert np.all((np.nan_to_num(result.ap) >= 0) & (np.nan_to_num(result.ap) <= 1))
    worse = {**predictions, "x": [*predictions.get("x", []), Span(90, 91, "a", 0.0001)]}
    lower = detection_map(worse, truth, TIOUS, labels=("a", "b"))
    assert np.all(np.nan_to_num(lower.ap) <= np.nan_to_num(result.ap))


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 1000)), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_higher_tiou_is_never_easier(shifts):
    """With true spans far apart no prediction has a choice, and AP can only fall."""
    truth = {"x": [Span(100 * i, 100 * i + 10, "a") for i in range(len(shifts))]}
    predictions = {"x": [Span(100 * i + d, 100 * i + 10 + d, "a", s / 1000) for i, (d, s) in enumerate(shifts)]}
    for rule in RULES[:2]:
        assert np.all(np.diff(detection_map(predictions, truth, np.arange(1, 20) / 20, rule).map) <= 1e-12)


def test_comparing_pairs_in_chunks_changes_no_figure(monkeypatch):
    rng = np.random.default_rng(3)
    truth, predictions = {}, {}
    for name in "xyz":
        truth[name] = [Span(s, s + 5, "a") for s in rng.uniform(0, 60, 20).tolist()]
        predictions[name] = [Span(s, s + 5, "a", p) for s, p in rng.uniform(0, 1, (40, 2)).tolist() for s in [60 * s]]
    expected = [detection_map(predictions, truth, TIOUS, rule).ap for rule in RULES]
    monkeypatch.setattr(matching_module, "MAX_PAIRS", 7)
    for rule, ap in zip(RULES, expected, strict=True):
        np.testing.assert_array_equal(detection_map(predictions, truth, TIOUS, rule).ap, ap)


def test_labels_without_true_spans_have_nan_ap_and_do_not_count_in_the_mean():
    truth = {"x": [Span(0, 10, "a")]}
    predictions = {"x": [Span(0, 10, "a", 0.9), Span(0, 10, "b", 0.9)]}
    result = detection_map(predictions, truth, (0.5,), labels=("a", "b"))
    assert result.ap[0, 0] == 1.0
    assert np.isnan(result.ap[1, 0])
    assert result.average == 1.0


@pytest.mark.parametrize("rule", RULES)
def test_no_true_spans_give_nan_and_no_predictions_give_zero(rule):
    assert np.isnan(detection_map({}, {}, (0.5,), rule).average)
    assert np.isnan(detection_map({"x": [Span(0, 1, "a", 1.0)]}, {"x": []}, (0.5,), rule).average)
    assert detection_map({}, {"x": [Span(0, 1, "a")]}, (0.5,), rule).average == 0.0


def test_bad_input_is_refused_by_name():
    truth = {"x": [Span(0, 1, "a")]}
    with pytest.raises(InputError, match="'y'"):
        detection_map({"y": []}, truth)
    with pytest.raises(InputError, match=r"'x'.*score None"):
        detection_map({"x": [Span(0, 1, "a")]}, truth)
    with pytest.raises(InputError, match="score nan"):
        detection_map({"x": [Span(0, 1, "a", float("nan"))]}, truth)
    with pytest.raises(InputError, match="rule"):
        detection_map({}, truth, rule="voc")
    for bad in ((), (0.0,), (1.5,)):
        with pytest.raises(InputError, match="tIoU"):
            detection_map({}, truth, bad)


def test_many_predictions_are_scored_in_seconds():
    rng = np.random.default_rng(0)

    def spans(count, scored):
        columns = (
            rng.uniform(0, 100, count),
            rng.uniform(0.5, 5, count),
            rng.integers(0, 10, count),
            rng.random(count),
        )
        return [
            Span(s, s + d, f"l{c}", p if scored else None)
            for s, d, c, p in zip(*(column.tolist() for column in columns), strict=True)
        ]

    truth = {f"r{i}": spans(20, False) for i in range(300)}
    predictions = {name: spans(100, True) for name in truth}
    started = time.process_time()
    detection_map(predictions, truth, (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7))
    # A tenth of a second here; the bound only tells a loop over pairs (minutes) from arrays.
    assert time.process_time() - started < 5


def test_the_reference_overlap_by_hand():
    a, b = Span(0, 3, "a"), Span(2, 5, "a")
    assert overlap(a, b) == pytest.approx(1 / 5)
