"""Spans around instants: bounds against every possible one, a case by hand, and what always holds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.decode import growing
from kinespan.decode.growing import Anchor, GrownSpans, grow_spans

INSTANTS = (Anchor(1, 2, 3), Anchor(2, 6, 7))
WITH_A_SPAN = (Anchor(1, 1, 2), Anchor(2, 4, 6, is_span=True), Anchor(1, 8, 9))


def every_pair_of_bounds(
    anchors: tuple[Anchor, ...], evidence: np.ndarray, mean: np.ndarray, spread: np.ndarray
) -> GrownSpans:
    """The same by listing all bounds."""
    num_frames, columns = evidence.shape
    choices = []
    for anchor in anchors:
        starts = [anchor.first] if anchor.is_span else range(anchor.first + 1)
        ends = [anchor.stop] if anchor.is_span else range(anchor.stop, num_frames + 1)
        choices.append([(start, end) for start in starts for end in ends])
    inside, total = np.zeros((num_frames, columns)), 0.0
    starts_of, ends_of = (np.zeros((len(anchors), num_frames + 1)) for _ in range(2))
    for bounds in itertools.product(*choices):
        if any(before[1] > after[0] for before, after in itertools.pairwise(bounds)):
            continue
        log_weight = 0.0
        for i, (start, end) in enumerate(bounds):
            log_weight += evidence[start:end, anchors[i].column].sum()
            log_weight -= (np.log(end - start) - mean[i]) ** 2 / (2 * spread[i] ** 2)
        weight = np.exp(log_weight)
        total += weight
        for i, (start, end) in enumerate(bounds):
            inside[start:end, anchors[i].column] += weight
            starts_of[i, start] += weight
            ends_of[i, end] += weight
    medians = [
        [int(np.argmax(np.cumsum(weights[i]) >= (0.5 - 1e-9) * total)) for weights in (starts_of, ends_of)]
        for i in range(len(anchors))
    ]
    return GrownSpans(np.array(medians), inside / total)


@pytest.mark.parametrize("anchors", [INSTANTS, WITH_A_SPAN, (Anchor(1, 0, 1), Anchor(1, 9, 10))])
def test_bounds_are_those_of_every_possible_pair(anchors: tuple[Anchor, ...]) -> None:
    rng = np.random.default_rng(0)
    evidence = rng.normal(size=(10, 3))
    mean, spread = rng.uniform(0.5, 1.5, len(anchors)), rng.uniform(0.3, 0.8, len(anchors))
    result = grow_spans(anchors, evidence, mean, spread)
    expected = every_pair_of_bounds(anchors, evidence, mean, spread)
    np.testing.assert_allclose(result.inside, expected.inside, atol=1e-9)
    assert (result.bounds == expected.bounds).all()


def test_clear_evidence_gives_the_bounds() -> None:
    evidence = np.full((20, 2), -4.0)
    evidence[5:11] = 4.0
    result = grow_spans([Anchor(1, 8, 9)], evidence, np.array([np.log(6)]), np.array([0.4]))
    assert result.bounds.tolist() == [[5, 11]]
    assert (result.inside[5:11, 1] > 0.9).all()
    assert not result.inside[:, 0].any()


def test_without_evidence_durations_decide() -> None:
    result = grow_spans([Anchor(1, 50, 51)], np.zeros((101, 2)), np.array([np.log(21)]), np.array([0.1]))
    start, end = result.bounds[0]
    assert abs(end - start - 21) <= 3
    assert abs((start + end) / 2 - 50.5) <= 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sets(st.integers(0, 39), min_size=1, max_size=5))
def test_every_instant_is_in_one_span_and_spans_are_in_order(seed: int, frames: set[int]) -> None:
    anchors = [Anchor(1, frame, frame + 1) for frame in sorted(frames)]
    evidence = np.random.default_rng(seed).normal(0, 3, (40, 2))
    count = np.ones(len(anchors))
    result = grow_spans(anchors, evidence, 2 * count, 0.5 * count)
    for anchor, (start, end) in zip(anchors, result.bounds, strict=True):
        assert 0 <= start <= anchor.first < end <= 40
    for before, after in itertools.pairwise(result.bounds):
        assert before[1] <= after[0]
    assert (result.inside <= 1).all()


def test_a_long_gap_is_weighed_at_fewer_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = np.full((1000, 2), -2.0)
    evidence[300:700] = 2.0
    exact = grow_spans([Anchor(1, 500, 501)], evidence, np.array([6.0]), np.array([0.5])).bounds
    monkeypatch.setattr(growing, "MAX_BOUNDS", 50)
    coarse = grow_spans([Anchor(1, 500, 501)], evidence, np.array([6.0]), np.array([0.5])).bounds
    assert np.abs(exact - coarse).max() <= 500 / 49
