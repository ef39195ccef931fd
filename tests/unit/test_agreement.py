"""How far two annotators agree, by hand and against a slow reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinespan.data.annotation import Annotation, Event, LabelSet, Span, spans_from_frames
from kinespan.data.clock import Clock
from kinespan.errors import InputError
from kinespan.metrics.agreement import Difference, agreement, cohen_kappa

LABELS = LabelSet(("walk", "jump"))
CLOCKS = {"a": Clock(10.0, 100), "b": Clock(10.0, 100)}


def of(*spans: Span, labels: LabelSet = LABELS, **more: object) -> Annotation:
    return Annotation(spans, labels, **more)  # type: ignore[arg-type]


def test_a_case_by_hand() -> None:
    left = {"a": of(Span(0, 4, "walk"), Span(6, 8, "jump")), "only": of()}
    right = {"a": of(Span(0, 5, "walk"), Span(7.5, 8, "jump"))}
    result = agreement(left, right, CLOCKS)
    assert (result.recordings, result.seconds) == (1, 10.0)
    # walk overlaps by 4 of 5 s, jump by 0.5 of 2 s: one of two segments on each side
    assert result.f1 == pytest.approx(0.5)
    # 75 of 100 frames alike: walk 40, jump 5, background 30; by chance .4 * .5 + .2 * .05 + .4 * .45
    assert result.kappa == pytest.approx((0.75 - 0.39) / (1 - 0.39))
    assert result.differences == (
        Difference("a", 4.0, 5.0, "", "walk"),
        Difference("a", 6.0, 7.5, "jump", ""),
    )
    assert result.label_kappa["walk"] == pytest.approx((0.9 - 0.5) / (1 - 0.5))
    assert math.isnan(result.event_f1)


def test_only_time_that_both_looked_at_counts() -> None:
    left = {"a": of(Span(0, 4, "walk"), covered=((0.0, 5.0),))}
    right = {"a": of(Span(0, 4, "walk"), Span(6, 9, "jump"))}
    result = agreement(left, right, CLOCKS)
    assert (result.seconds, result.kappa, result.f1, result.differences) == (5.0, 1.0, 1.0, ())


def test_labels_that_overlap_are_each_compared_alone() -> None:
    labels = LabelSet(("walk", "wave"), exclusive=False)
    left = {"a": of(Span(0, 5, "walk"), Span(2, 4, "wave"), labels=labels)}
    right = {"a": of(Span(0, 5, "walk"), Span(6, 8, "wave"), labels=labels)}
    result = agreement(left, right, CLOCKS)
    assert result.label_kappa["walk"] == pytest.approx(1)
    assert result.label_kappa["wave"] == pytest.approx((0.6 - 0.68) / (1 - 0.68))
    assert result.kappa == pytest.approx(np.mean(list(result.label_kappa.values())))
    assert result.f1 == pytest.approx(0.5)
    assert [row[1:5] for row in result.differences] == [(2.0, 4.0, "wave", ""), (6.0, 8.0, "", "wave")]


def test_people_are_compared_each_alone() -> None:
    left = {"a": of(Span(0, 5, "walk", person=0), Span(0, 5, "jump", person=1))}
    right = {"a": of(Span(0, 5, "walk", person=0), Span(5, 10, "jump", person=1))}
    result = agreement(left, right, CLOCKS)
    assert {row.person for row in result.differences} == {1}
    assert result.seconds == 10.0


def test_events_agree_within_the_tolerance() -> None:
    labels = LabelSet(("step",), events=("step",))
    left = {"a": Annotation((), labels, None, (Event(1.0, "step"), Event(3.0, "step")))}
    right = {"a": Annotation((), labels, None, (Event(1.1, "step"), Event(3.5, "step")))}
    result = agreement(left, right, CLOCKS)
    assert result.event_f1 == pytest.approx(0.5)
    assert math.isnan(result.kappa)


def test_what_cannot_be_compared_is_told() -> None:
    with pytest.raises(InputError, match="no annotated recording in common"):
        agreement({"a": of()}, {"b": of()}, CLOCKS)
    events = LabelSet(("walk",), events=("walk",))
    with pytest.raises(InputError, match="'walk' names spans in one of them and events in the other"):
        agreement({"a": of()}, {"a": of(labels=events)}, CLOCKS)


IDS = st.lists(st.integers(0, 2), min_size=100, max_size=100)


@given(IDS, IDS)
def test_kappa_is_that_of_a_slow_reference_and_the_same_from_both_sides(left: list[int], right: list[int]) -> None:
    sides = [{"a": spans_from_frames(ids, 10.0, LABELS)} for ids in (left, right)]
    result, swapped = agreement(*sides, CLOCKS), agreement(*reversed(sides), CLOCKS)
    observed = sum(one == two for one, two in zip(left, right, strict=True)) / 100
    chance = sum(left.count(value) * right.count(value) for value in range(3)) / 100**2
    expected = math.nan if chance == 1 else (observed - chance) / (1 - chance)
    assert result.kappa == pytest.approx(expected, nan_ok=True)
    assert swapped.kappa == pytest.approx(expected, nan_ok=True)
    different = sum(round(row.duration * 10) for row in result.differences)
    assert different == sum(one != two for one, two in zip(left, right, strict=True))


def test_kappa_without_frames_or_variety_is_not_a_number() -> None:
    assert math.isnan(cohen_kappa(np.zeros((2, 2), dtype=np.int64)))
    assert math.isnan(cohen_kappa(np.array([[5, 0], [0, 0]])))
