"""Non-maximum suppression by pairs that overlap, against slow references that compare all spans."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kinespan.decode.suppress import hard_nms, overlap_pairs, soft_nms

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30), st.integers(0, 8)), max_size=25)


def columns(spans):
    start = np.array([first for first, _, _ in spans], dtype=np.int64)
    end = start + np.array([length for _, length, _ in spans], dtype=np.int64)
    return start, end, np.array([score / 8 for _, _, score in spans], dtype=np.float64)


def shared(left, right):
    return max(0, min(left[1], right[1]) - max(left[0], right[0]))


def tiou(left, right):
    both = shared(left, right)
    return both / (left[1] - left[0] + right[1] - right[0] - both)


def slow_soft_nms(spans, sigma, min_score):
    remaining, chosen = dict(enumerate(spans)), []
    while remaining:
        best = max(remaining, key=lambda index: (remaining[index][2], -index))
        span = remaining.pop(best)
        chosen.append((best, span[2]))
        # numpy's exponential: which of two equals is first must not hang on the last bit of another one
        remaining = {
            index: (start, end, score * float(np.exp(-(tiou(span, (start, end)) ** 2) / sigma)))
            for index, (start, end, score) in remaining.items()
        }
        remaining = {index: span for index, span in remaining.items() if span[2] >= min_score}
    return chosen


def slow_hard_nms(spans, threshold, contained):
    remaining = sorted(range(len(spans)), key=lambda index: (spans[index][2], index), reverse=True)
    chosen = []
    while remaining:
        best = remaining.pop(0)
        chosen.append(best)
        for index in list(remaining):
            better, worse = spans[best], spans[index]
            shared_frames = min(better[1], worse[1]) - max(better[0], worse[0])
            overlap = max(0, shared_frames + 1) / (worse[1] - worse[0] + 1) if contained else tiou(better, worse)
            if overlap > threshold:
                remaining.remove(index)
    return chosen


@given(SPANS)
@settings(max_examples=100, deadline=None)
def test_overlap_pairs_are_all_pairs_that_touch(spans):
    start, end, _ = columns(spans)
    pairs = overlap_pairs(start, end)
    expected = [
        (i, j) for i in range(len(spans)) for j in range(len(spans))
        if i != j and max(start[i], start[j]) <= min(end[i], end[j])
    ]  # fmt: skip
    assert sorted(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == expected
    for i in range(len(spans)):
        of_i = slice(pairs.bounds[i], pairs.bounds[i + 1])
        assert (pairs.first[of_i] == i).all()
        for j, frames in zip(pairs.second[of_i].tolist(), pairs.shared[of_i].tolist(), strict=True):
            assert frames == shared((start[i], end[i]), (start[j], end[j]))


@given(SPANS, st.sampled_from([0.1, 0.5, 2.0]), st.sampled_from([-math.inf, 0.0, 0.05, 0.3]))
@example([(0, 3, 6), (0, 3, 6), (0, 6, 6), (0, 6, 6)], 2.0, -math.inf)
@settings(max_examples=200, deadline=None)
def test_soft_nms_agrees_with_the_slow_reference(spans, sigma, min_score):
    start, end, score = columns([span for span in spans if span[2] / 8 >= min_score])
    indices, decayed = soft_nms(start, end, score, sigma, min_score)
    expected = slow_soft_nms(list(zip(start.tolist(), end.tolist(), score.tolist(), strict=True)), sigma, min_score)
    assert indices.tolist() == [index for index, _ in expected]
    assert np.allclose(decayed, [value for _, value in expected], rtol=1e-12, atol=0)


@given(SPANS, st.sampled_from([0.0, 0.2, 0.5, 0.9]), st.booleans())
@settings(max_examples=200, deadline=None)
def test_hard_nms_agrees_with_the_slow_reference(spans, threshold, contained):
    start, end, score = columns(spans)
    rows = list(zip(start.tolist(), end.tolist(), score.tolist(), strict=True))
    assert hard_nms(start, end, score, threshold, contained).tolist() == slow_hard_nms(rows, threshold, contained)


def test_nms_of_two_spans_by_hand():
    start, end, score = np.array([0, 5]), np.array([10, 10]), np.array([0.8, 0.6])
    indices, decayed = soft_nms(start, end, score, 0.5, 0.0)
    assert indices.tolist() == [0, 1]
    assert decayed.tolist() == [0.8, pytest.approx(0.6 * math.exp(-0.5))]  # tIoU 0.5, its square over 0.5
    assert hard_nms(start, end, score, 0.5).tolist() == [0, 1]
    assert hard_nms(start, end, score, 0.4).tolist() == [0]
    assert hard_nms(start, end, score, 0.5, contained=True).tolist() == [0]


@pytest.mark.parametrize("count", [2_000, 20_000])
def test_a_long_span_over_many_short_ones_adds_one_pair_each(count):
    start = np.concatenate([[0], 4 * np.arange(count)])
    end = np.concatenate([[4 * count], 4 * np.arange(count) + 2])
    pairs = overlap_pairs(start, end)
    assert len(pairs.first) == 2 * count
    kept, _ = soft_nms(start, end, np.linspace(1, 0.5, count + 1), 0.5, 0.001)
    assert len(kept) == count + 1
