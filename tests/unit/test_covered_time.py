"""The time that was looked at: unions, and changes that are merged, against seconds that are counted one by one."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinespan.corpus.covered_time import (
    covered_of_text,
    covered_seconds,
    covered_text,
    difference,
    marked,
    merged,
    union,
    within,
)
from kinespan.corpus.info import RecordingInfo
from kinespan.data.annotation import Interval
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError

LENGTH = 12
"""Whole seconds of the recording."""
INTERVALS = st.lists(
    st.tuples(st.integers(0, LENGTH - 1), st.integers(1, 6)).map(lambda x: (float(x[0]), float(min(sum(x), LENGTH)))),
    max_size=4,
).map(tuple)
HEADS = st.one_of(st.none(), st.just("null"), INTERVALS.map(covered_text))


def cells(intervals: tuple[Interval, ...]) -> set[int]:
    """The whole seconds that are inside."""
    return {second for start, end in intervals for second in range(int(start), int(end))}


def cells_of_text(text: str | None) -> set[int]:
    covered = () if text is None else covered_of_text(text)
    return set(range(LENGTH)) if covered is None else cells(covered)


@given(INTERVALS, INTERVALS)
def test_union_and_difference_are_those_of_sets(left: tuple[Interval, ...], right: tuple[Interval, ...]) -> None:
    assert cells(union((*left, *right))) == cells(left) | cells(right)
    assert cells(difference(left, right)) == cells(left) - cells(right)
    for joined in (union((*left, *right)), difference(left, right)):
        assert all(first[1] < second[0] for first, second in pairwise(joined))
        assert all(start < end for start, end in joined)
    assert covered_seconds((*left, *right), LENGTH) == len(cells(left) | cells(right))


@given(HEADS, INTERVALS, INTERVALS)
def test_marking_adds_what_was_watched_and_takes_what_was_not(
    head: str | None, watched: tuple[Interval, ...], unwatched: tuple[Interval, ...]
) -> None:
    result = marked(head, LENGTH, watched, unwatched)
    assert cells_of_text(result) == (cells_of_text(head) - cells(unwatched)) | cells(watched)
    assert (result is None) == (head is None and not watched and not unwatched)


@given(HEADS, HEADS, HEADS)
def test_merging_makes_the_change_to_what_is_there_by_now(
    before: str | None, after: str | None, current: str | None
) -> None:
    result = merged(before, after, current, LENGTH)
    added, removed = (cells_of_text(x) - cells_of_text(y) for x, y in ((after, before), (before, after)))
    assert cells_of_text(result) == (cells_of_text(current) - removed) | added
    assert merged(before, after, before, None) == after, "exactly, where nothing happened meanwhile"


@given(HEADS, INTERVALS, INTERVALS, INTERVALS)
def test_undo_of_marking_leaves_what_was_watched_meanwhile(
    head: str | None, watched: tuple[Interval, ...], unwatched: tuple[Interval, ...], meanwhile: tuple[Interval, ...]
) -> None:
    after = marked(head, LENGTH, watched, unwatched)
    current = marked(after, LENGTH, meanwhile, ())
    undone = merged(after, head, current, LENGTH)
    only_watched_by_it = cells_of_text(after) - cells_of_text(head)
    assert cells_of_text(undone) >= cells(meanwhile) - only_watched_by_it
    assert cells_of_text(undone) >= cells_of_text(head) - only_watched_by_it
    redone = merged(head, after, undone, LENGTH)
    assert cells_of_text(redone) >= cells(meanwhile) - cells(unwatched)


def test_first_label_that_is_undone_leaves_a_recording_that_was_watched_annotated() -> None:
    assert merged("[]", None, "[[0.0, 2.0]]", 9.0) == "[[0.0, 2.0]]"
    assert merged("[]", None, "[]", 9.0) is None
    assert merged(None, "[]", "[[0.0, 2.0]]", 9.0) == "[[0.0, 2.0]]"


def test_all_of_a_recording_less_a_part_ends_with_it() -> None:
    assert marked("null", 9.0, (), [(2.0, 3.0)]) == "[[0.0, 2.0], [3.0, 9.0]]"
    assert merged("[[0.0, 2.0], [3.0, 9.0]]", "null", "[[0.0, 2.5], [3.0, 9.0]]", 9.0) == "null"
    assert merged("[[1.0, 2.0]]", "[]", "null", 9.0) == "[[0.0, 1.0], [2.0, 9.0]]"
    with pytest.raises(ValueError, match="duration"):
        merged("[[1.0, 2.0]]", "[]", "null", None)


def test_watched_time_is_cut_at_the_recording_and_refused_far_outside() -> None:
    info = RecordingInfo("take", 10.0, 30, 1, NTU_25, "", "", {}, (), False)
    assert within(info, [(-0.05, 1.0), (1.0, 3.05)], "watched") == ((0.0, 3.0),)
    for bounds in ((0.0, 4.0), (-1.0, 1.0), (2.0, 1.0), (1.0, 1.0), (float("nan"), 1.0), (0.0, float("inf"))):
        with pytest.raises(InputError, match="watched"):
            within(info, [bounds], "watched")
