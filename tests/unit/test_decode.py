"""Frame scores to spans."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_metrics import found_skel_decode, simple_det_decode, soft_decode, stal_decode
from reference_metrics import moving_mean as slow_moving_mean

from kinespan.data.annotation import LabelSet
from kinespan.decode import DecodeConfig, decode, segment
from kinespan.decode.frames import moving_mean
from kinespan.decode.presets import DECODERS, FOUND_SKEL, OURS, SIMPLE_DET, STAL
from kinespan.errors import InputError

ONE = LabelSet(("walk",))
TWO = LabelSet(("walk", "sit"))
BOTH = LabelSet(("walk", "sit"), exclusive=False)


def scores_of(*columns):
    """Frame scores (T, C + 1) of label columns, background 1 - max of the others."""
    labels = np.array(columns, dtype=np.float32).T
    return np.concatenate([1 - labels.max(axis=1, keepdims=True), labels], axis=1)


def one_hot(ids, labels=3, sure=0.9):
    rest = (1 - sure) / (labels - 1)
    return np.where(np.arange(labels) == np.array(ids)[:, None], sure, rest).astype(np.float32)


def smooth(seed, length):
    """Scores (T,) in 0..1 that wander."""
    walk = np.random.default_rng(seed).standard_normal(length).cumsum() * 0.5
    return (1 / (1 + np.exp(-walk))).astype(np.float32)


def softmax_rows(seed, length, labels=2):
    """Frame scores (T, C + 1) that wander and sum to one."""
    walk = np.random.default_rng(seed).standard_normal((length, labels + 1)).cumsum(axis=0)
    parts = np.exp(walk - walk.max(axis=1, keepdims=True))
    return (parts / parts.sum(axis=1, keepdims=True)).astype(np.float32)


def as_rows(spans, fps):
    """(label index, first frame, frame after the last, score) by label and place."""
    return sorted((TWO.index(s.label), round(s.start * fps), round(s.end * fps), s.score) for s in spans)


def as_frames(spans, fps):
    return sorted((round(span.start * fps), round(span.end * fps), span.score) for span in spans)


def test_one_run_by_hand():
    column = [0.0, 0.1, 0.9, 0.7, 0.9, 0.7, 0.1, 0.0]
    spans = decode(scores_of(column), 10, ONE, DecodeConfig(thresholds=(0.5,), min_duration=0.0))
    # Inside 0.8; margins of one frame on either side, 0.1 each: 0.8 - 0.6 * 0.1.
    assert as_frames(spans, 10) == [(2, 6, pytest.approx(0.74))]
    assert spans[0].label == "walk"


def test_soft_nms_by_hand():
    column = [0.3, 0.9, 0.9, 0.3]
    config = DecodeConfig(thresholds=(0.2, 0.5), min_duration=0.0, outer_weight=0.0)
    tight, loose = decode(scores_of(column), 1, ONE, config)
    assert (tight.start, tight.end, tight.score) == (1, 3, pytest.approx(0.9))
    # tIoU 1/2 with the better one: 0.6 * exp(-0.25 / 0.5).
    assert (loose.start, loose.end, loose.score) == (0, 4, pytest.approx(0.6 * np.exp(-0.5)))


def test_hard_nms_keeps_spans_that_overlap_little():
    column = [0.3, 0.9, 0.9, 0.3]
    near = DecodeConfig(thresholds=(0.2, 0.5), min_duration=0, outer_weight=0, nms="hard", nms_threshold=0.4)
    far = DecodeConfig(thresholds=(0.2, 0.5), min_duration=0, outer_weight=0, nms="hard", nms_threshold=0.5)
    assert [(span.start, span.end) for span in decode(scores_of(column), 1, ONE, near)] == [(1, 3)]
    assert len(decode(scores_of(column), 1, ONE, far)) == 2


def test_stal_by_hand():
    column = [0.0, 0.0, 0.6, 0.6, 0.6, 0.6, 0.0, 0.0, 0.0, 0.0]
    # Run [2, 6): inside is frames 2..6, 2.4 / 5; margins hold zeros; stored end 7. All thresholds agree, one is kept.
    assert as_frames(decode(scores_of(column), 30, ONE, STAL), 30) == [(2, 7, pytest.approx(0.48))]
    assert len(STAL.thresholds) == 5
    assert STAL.thresholds == pytest.approx((0.03, 0.035, 0.04, 0.045, 0.05))
    assert decode(scores_of([0, 0.6, 0.6, 0]), 30, ONE, STAL) == []


@given(st.integers(0, 2**32 - 1), st.integers(1, 90))
@settings(max_examples=150, deadline=None)
def test_stal_agrees_with_the_slow_reference(seed, length):
    column = smooth(seed, length) * 0.09
    found = as_frames(decode(scores_of(column), 30, ONE, STAL), 30)
    expected = stal_decode(column)
    assert [span[:2] for span in found] == [span[:2] for span in expected]
    np.testing.assert_allclose([span[2] for span in found], [span[2] for span in expected], atol=1e-7)


@given(st.integers(0, 2**32 - 1), st.integers(1, 90))
@settings(max_examples=100, deadline=None)
def test_soft_decoding_agrees_with_the_slow_reference(seed, length):
    column = smooth(seed, length)
    config = DecodeConfig()
    found = as_frames(decode(scores_of(column), 10, ONE, config), 10)
    expected = soft_decode(column, config.thresholds, 2, 0.25, 0.6, 0.5, config.min_score)
    assert [span[:2] for span in found] == [span[:2] for span in expected]
    np.testing.assert_allclose([span[2] for span in found], [span[2] for span in expected], atol=1e-6)


def test_simple_det_by_hand():
    scores = np.array([[0.8, 0.1, 0.1], [0.5, 0.5, 0.0], [0.2, 0.2, 0.6], [0.6, 0.1, 0.3], [0.8, 0.2, 0.0]])
    # At 1 fps the mean filter reaches no neighbour. Action in frames 1 and 2 (0.6 in float32 is above 0.6); of them
    # walk has 0.35 and sit 0.3: one label for both, though sit is the best in frame 2.
    (span,) = decode(scores, 1, TWO, SIMPLE_DET)
    assert (span.label, span.start, span.end, span.score) == ("walk", 1, 3, pytest.approx(0.35))
    # 0.4 itself is enough: background 0.5, 0.75 and 0.5 are exact.
    scores = np.array([[0.5, 0.5, 0], [0.75, 0.25, 0], [0.5, 0.0, 0.5]])
    half = replace(SIMPLE_DET, thresholds=(0.5,))
    assert as_rows(decode(scores, 1, TWO, half), 1) == [(0, 0, 1, 0.5), (1, 2, 3, 0.5)]


def test_simple_det_averages_over_ten_frames_on_either_side():
    scores = one_hot([0] * 40 + [1] * 8 + [0] * 40, sure=1.0)
    # Eight of 21 frames are less than 0.4; nine are more, where all nine are within reach.
    assert decode(scores, 30, TWO, SIMPLE_DET) == []
    scores = one_hot([0] * 40 + [1] * 9 + [0] * 40, sure=1.0)
    (span,) = decode(scores, 30, TWO, SIMPLE_DET)
    assert as_rows([span], 30) == [(0, 38, 51, pytest.approx(9 / 21))]


def test_found_skel_by_hand():
    walk, sit = [0.0, 0.03, 0.05, 0.01, 0.9], [0.02, 0.3, 0.3, 0.3, 0.0]
    scores = np.array([[1 - a - b for a, b in zip(walk, sit, strict=True)], walk, sit]).T
    # Every run above 0.02, one frame long or overlapping with another label, by its mean; 0.02 itself is not above.
    found = as_rows(decode(scores, 10, TWO, FOUND_SKEL), 10)
    assert found == [(0, 1, 3, pytest.approx(0.04)), (0, 4, 5, pytest.approx(0.9)), (1, 1, 4, pytest.approx(0.3))]


@pytest.mark.parametrize("config, slow", [(SIMPLE_DET, simple_det_decode), (FOUND_SKEL, found_skel_decode)])
@given(seed=st.integers(0, 2**32 - 1), length=st.integers(1, 90))
@settings(max_examples=100, deadline=None)
def test_pku_mmd_decoders_agree_with_their_slow_references(config, slow, seed, length):
    scores = softmax_rows(seed, length)
    found, expected = as_rows(decode(scores, 30, TWO, config), 30), sorted(slow(scores))
    assert [row[:3] for row in found] == [row[:3] for row in expected]
    np.testing.assert_allclose([row[3] for row in found], [row[3] for row in expected], atol=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(0, 70))
@settings(max_examples=60, deadline=None)
def test_moving_mean_agrees_with_the_slow_reference(seed, length, reach):
    scores = softmax_rows(seed, length)
    for frames in (2 * reach, 2 * reach + 1):
        fast = moving_mean(scores, 25, frames / 25)
        np.testing.assert_allclose(fast, slow_moving_mean(scores, reach), atol=1e-6)
    np.testing.assert_allclose(fast.sum(axis=1), 1, atol=1e-5)


def test_a_moving_mean_removes_flicker():
    ids = [1] * 6 + [2] + [1] * 2 + [2] + [1] * 6
    assert len(segment(one_hot(ids), 10, TWO, DecodeConfig(min_duration=0.0))) == 5
    (whole,) = segment(one_hot(ids), 10, TWO, DecodeConfig(min_duration=0.0, smooth=0.5))
    assert (whole.label, whole.start, whole.end) == ("walk", 0, 1.6)
    config = DecodeConfig(method="argmax", smooth=0.5, min_duration=0.0)
    assert decode(one_hot(ids), 10, TWO, config) == [whole]
    runs = DecodeConfig(thresholds=(0.5,), smooth=0.5)
    assert [span.label for span in decode(one_hot(ids), 10, TWO, runs)] == ["walk"]


def test_named_decoders_are_listed():
    assert list(DECODERS) == ["found-skel", "kinespan", "simple-det", "stal"]
    assert DECODERS["kinespan"] is OURS
    assert DecodeConfig() == OURS
    assert OURS.smooth == 0
    for name in DECODERS:
        assert bool(DECODERS.paper(name)) == (name != "kinespan")
        assert decode(softmax_rows(1, 50), 30, TWO, DECODERS[name])
    with pytest.raises(InputError, match="'simple-det'"):
        DECODERS["simple_det"]


def test_short_runs_are_dropped_and_results_come_best_first():
    walk = [0.9] * 6 + [0.0] * 6 + [0.8] * 5 + [0.0] * 3
    sit = [0.0] * 7 + [0.9] + [0.0] * 12
    spans = decode(scores_of(walk, sit), 10, BOTH, DecodeConfig(thresholds=(0.5,), min_duration=0.2))
    assert [(span.label, span.start, span.end) for span in spans] == [("walk", 0.0, 0.6), ("walk", 1.2, 1.7)]
    assert spans[0].score > spans[1].score


def test_minimum_duration_is_not_undone_by_rounding():
    spans = decode(scores_of([0, 0.9, 0.9, 0.9, 0]), 30, ONE, DecodeConfig(thresholds=(0.5,), min_duration=0.1))
    assert len(spans) == 1


def test_background_alone_and_no_frames_give_no_spans():
    configs = (DecodeConfig(nms="hard"), DecodeConfig(method="argmax"), DecodeConfig(method="action"))
    for config in (*(DECODERS[name] for name in DECODERS), *configs):
        assert decode(scores_of([0.0] * 50, [0.0] * 50), 30, TWO, config) == []
        assert decode(np.zeros((0, 3), np.float32), 30, TWO, config) == []


def test_segment_by_hand():
    ids = [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 0, 0]
    spans = segment(one_hot(ids), 10, TWO, DecodeConfig(min_duration=0.2))
    assert [(span.label, span.start, span.end) for span in spans] == [("walk", 0.3, 0.7), ("sit", 0.7, 1.0)]
    assert [span.score for span in spans] == pytest.approx([0.9, 0.9])
    assert decode(one_hot(ids), 10, TWO, DecodeConfig(method="argmax", min_duration=0.2)) == sorted(
        spans, key=lambda span: (-span.score, span.start)
    )


def test_a_short_run_is_absorbed_by_the_neighbour_with_the_higher_score():
    scores = one_hot([1, 1, 1, 0, 2, 2, 2])
    scores[3] = [0.5, 0.1, 0.4]
    assert [(span.label, span.start, span.end) for span in segment(scores, 1, TWO, DecodeConfig(min_duration=2.0))] == [
        ("walk", 0, 3),
        ("sit", 3, 7),
    ]
    scores[3] = [0.5, 0.4, 0.1]
    assert [(span.label, span.start, span.end) for span in segment(scores, 1, TWO, DecodeConfig(min_duration=2.0))] == [
        ("walk", 0, 4),
        ("sit", 4, 7),
    ]


def test_a_short_gap_joins_its_two_sides():
    spans = segment(one_hot([1, 1, 1, 0, 1, 1]), 1, TWO, DecodeConfig(min_duration=2.0))
    assert [(span.label, span.start, span.end) for span in spans] == [("walk", 0, 6)]


def test_overlapping_labels_are_segmented_independently():
    walk, sit = [0.9] * 4 + [0.1] * 4, [0.1] * 2 + [0.8] * 5 + [0.1]
    spans = segment(scores_of(walk, sit), 1, BOTH, DecodeConfig(min_duration=2.0))
    assert [(span.label, span.start, span.end) for span in spans] == [("walk", 0, 4), ("sit", 2, 7)]
    assert [span.score for span in spans] == pytest.approx([0.9, 0.8])


@given(st.lists(st.integers(0, 2), min_size=1, max_size=60), st.integers(1, 8))
@settings(max_examples=200, deadline=None)
def test_segments_tile_without_overlap_and_last_long_enough(ids, shortest):
    spans = segment(one_hot(ids), 1, TWO, DecodeConfig(min_duration=float(shortest)))
    for before, after in pairwise(spans):
        assert before.end <= after.start
        assert before.end < after.start or before.label != after.label
    assert all(span.duration >= min(shortest, len(ids)) for span in spans)
    assert all(0 < span.score <= 0.9 + 1e-6 for span in spans)
    gaps = [after.start - before.end for before, after in pairwise(spans)]
    assert all(gap == 0 or gap >= shortest for gap in gaps)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=40))
@settings(deadline=None)
def test_without_min_duration_the_segmentation_is_the_argmax(ids):
    painted = np.zeros(len(ids), dtype=int)
    for span in segment(one_hot(ids), 25, TWO, DecodeConfig(min_duration=0.0)):
        painted[round(span.start * 25) : round(span.end * 25)] = TWO.index(span.label) + 1
    assert painted.tolist() == ids


@pytest.mark.parametrize(
    "scores, fps, message",
    [
        (np.zeros((5, 2)), 30, r"\(5, 2\), expected \(T, 3\)"),
        (np.zeros(5), 30, "expected"),
        (np.full((5, 3), np.nan), 30, "frame 0"),
        (np.zeros((5, 3)), 0, "fps"),
    ],
)
def test_bad_scores_are_refused(scores, fps, message):
    for run in (decode, segment):
        with pytest.raises(InputError, match=message):
            run(scores, fps, TWO)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "x"},
        {"nms": "x"},
        {"thresholds": ()},
        {"min_duration": -1.0},
        {"min_frames": -1},
        {"smooth": -1},
    ],
)
def test_bad_settings_are_refused_by_name(change):
    with pytest.raises(InputError, match=next(iter(change))):
        DecodeConfig(**change)
