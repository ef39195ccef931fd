"""Suppression by the spans that meet, against one that looks at all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kinespan.decode_suppress import hard, meetings, soft

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30), st.integers(0, 8)), max_size=25)


def columns(spans):
    start = np.array([first for first, _, _ in spans], dtype=np.int64)
    end = start + np.array([length for _, length, _ in spans], dtype=np.int64)
    return start, end, np.array([score / 8 for _, _, score in spans], dtype=np.float64)


def shared(one, other):
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))


def tiou(one, other):
    both = shared(one, other)
    return both / (one[1] - one[0] + other[1] - other[0] - both)


def slow_soft(spans, sigma, least):
    left, kept = dict(enumerate(spans)), []
    while left:
        best = max(left, key=lambda place: (left[place][2], -place))
        chosen = left.pop(best)
        kept.append((best, chosen[2]))
        # numpy's exponential: which of two equals is first must not hang on the last bit of another one
        left = {
            place: (start, end, score * float(np.exp(-(tiou(chosen, (start, end)) ** 2) / sigma)))
            for place, (start, end, score) in left.items()
        }
        left = {place: span for place, span in left.items() if span[2] >= least}
    return kept


def slow_hard(spans, threshold, contained):
    left, kept = sorted(range(len(spans)), key=lambda place: (spans[place][2], place), reverse=True), []
    while left:
        best = left.pop(0)
        kept.append(best)
        for place in list(left):
            one, other = spans[best], spans[place]
            lap = min(one[1], other[1]) - max(one[0], other[0])
            over = max(0, lap + 1) / (other[1] - other[0] + 1) if contained else tiou(one, other)
            if over > threshold:
                left.remove(place)
    return kept


@given(SPANS)
@settings(max_examples=100, deadline=None)
def test_meetings_are_all_pairs_that_touch(spans):
    start, end, _ = columns(spans)
    found = meetings(start, end)
    expected = [
        (i, j) for i in range(len(spans)) for j in range(len(spans))
        if i != j and max(start[i], start[j]) <= min(end[i], end[j])
    ]  # fmt: skip
    assert sorted(zip(found.one.tolist(), found.other.tolist(), strict=True)) == expected
    for i in range(len(spans)):
        mine = slice(found.bounds[i], found.bounds[i + 1])
        assert (found.one[mine] == i).all()
        for j, frames in zip(found.other[mine].tolist(), found.share[mine].tolist(), strict=True):
            assert frames == shared((start[i], end[i]), (start[j], end[j]))


@given(SPANS, st.sampled_from([0.1, 0.5, 2.0]), st.sampled_from([-math.inf, 0.0, 0.05, 0.3]))
@example([(0, 3, 6), (0, 3, 6), (0, 6, 6), (0, 6, 6)], 2.0, -math.inf)
@settings(max_examples=200, deadline=None)
def test_soft_agrees_with_the_slow_one(spans, sigma, least):
    start, end, score = columns([span for span in spans if span[2] / 8 >= least])
    kept, decayed = soft(start, end, score, sigma, least)
    expected = slow_soft(list(zip(start.tolist(), end.tolist(), score.tolist(), strict=True)), sigma, least)
    assert kept.tolist() == [place for place, _ in expected]
    assert np.allclose(decayed, [value for _, value in expected], rtol=1e-12, atol=0)


@given(SPANS, st.sampled_from([0.0, 0.2, 0.5, 0.9]), st.booleans())
@settings(max_examples=200, deadline=None)
def test_hard_agrees_with_the_slow_one(spans, threshold, contained):
    start, end, score = columns(spans)
    rows = list(zip(start.tolist(), end.tolist(), score.tolist(), strict=True))
    assert hard(start, end, score, threshold, contained).tolist() == slow_hard(rows, threshold, contained)


def test_two_spans_by_hand():
    start, end, score = np.array([0, 5]), np.array([10, 10]), np.array([0.8, 0.6])
    kept, decayed = soft(start, end, score, 0.5, 0.0)
    assert kept.tolist() == [0, 1]
    assert decayed.tolist() == [0.8, pytest.approx(0.6 * math.exp(-0.5))]  # tIoU 0.5, its square over 0.5
    assert hard(start, end, score, 0.5).tolist() == [0, 1]
    assert hard(start, end, score, 0.4).tolist() == [0]
    assert hard(start, end, score, 0.5, contained=True).tolist() == [0]


@pytest.mark.parametrize("count", [2_000, 20_000])
def test_one_long_span_over_many_makes_no_pair_of_them(count):
    start = np.concatenate([[0], 4 * np.arange(count)])
    end = np.concatenate([[4 * count], 4 * np.arange(count) + 2])
    found = meetings(start, end)
    assert len(found.one) == 2 * count
    kept, _ = soft(start, end, np.linspace(1, 0.5, count + 1), 0.5, 0.001)
    assert len(kept) == count + 1
