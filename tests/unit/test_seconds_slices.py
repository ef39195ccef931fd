"""Slices in seconds of recordings and annotations, and what a Recording is made of."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError

LABELS = LabelSet(("wave", "kick", "strike"), exclusive=False, events=("strike",))


def numbered(frames: int, fps: float, times: np.ndarray | None = None) -> Recording:
    """A recording whose every coordinate is the number of its frame."""
    positions = np.broadcast_to(np.arange(frames, dtype=np.float32)[:, None, None, None], (frames, 1, 25, 3))
    return Recording(positions, fps, "ntu25", "take", times=times)


def frames_of(recording: Recording) -> list[int]:
    return recording.positions[:, 0, 0, 0].astype(int).tolist()


def test_slice_is_in_seconds_and_keeps_the_frames_whose_middles_lie_in_it() -> None:
    recording = numbered(100, 10.0)
    assert frames_of(recording[2.0:5.5]) == list(range(20, 55))
    assert frames_of(recording[2:3]) == list(range(20, 30)), "whole numbers are seconds too"
    assert frames_of(recording[:0.5]) == [0, 1, 2, 3, 4]
    assert frames_of(recording[9.74:]) == [97, 98, 99]
    assert frames_of(recording[9:60]) == list(range(90, 100)), "as with lists, the end may lie beyond"
    assert frames_of(recording[0.05:0.15]) == [0], "middles at 0.05 and 0.15 s"


def test_slice_keeps_name_and_valid_and_says_what_was_cut() -> None:
    valid = np.ones((100, 1, 25), dtype=bool)
    valid[30:40, 0, 3] = False
    recording = Recording(np.ones((100, 1, 25, 3)), 10.0, NTU_25, "take", valid, attributes={"performer": "ann"})
    cut = recording[2.5:3.5]
    assert cut.valid[:, 0, 3].tolist() == [True] * 5 + [False] * 5
    assert (cut.name, dict(cut.attributes)) == ("take", {"performer": "ann"})
    assert cut.history == ("cut to the time from 2.5 to 3.5 s",)


def test_slice_of_uneven_frames_goes_by_their_times_and_starts_its_clock_anew() -> None:
    times = np.array([0.0, 0.1, 0.2, 2.5, 2.6, 3.0])
    cut = numbered(6, 10.0, times)[0.2:2.6]
    assert frames_of(cut) == [2, 3]
    np.testing.assert_allclose(cut.times, [0.0, 2.3])
    even = numbered(30, 10.0)
    assert frames_of(even[0.2:2.6]) == list(range(2, 26))
    assert even[0.2:2.6].times is None


@given(st.integers(1, 60), st.sampled_from([10.0, 15.0, 29.97, 120.0]), st.floats(0, 1), st.floats(0, 1))
def test_slices_that_meet_hold_every_frame_once(frames: int, fps: float, first: float, second: float) -> None:
    recording = numbered(frames, fps)
    low, high = sorted((first * recording.duration, second * recording.duration))
    slices = [slice(None, low), slice(low, high), slice(high, None)]
    together: list[int] = []
    for seconds in slices:
        with suppress(InputError):  # a slice without a frame
            together += frames_of(recording[seconds])
    assert together == list(range(frames))


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        (3, r"expected a slice in seconds, such as \[2.0:5.5\]"),
        (slice(0, 4, 2), "no step"),
        (slice(-2, None), "seconds count from its start"),
        (slice(12, 14), "no frame from 12 to 14 s; it lasts 10.00 s"),
        (slice(4, 3), "no frame from 4 to 3 s"),
    ],
)
def test_slices_that_mean_nothing_are_refused(seconds: object, message: str) -> None:
    with pytest.raises(InputError, match=f"recording 'take': .*{message}"):
        numbered(100, 10.0)[seconds]  # type: ignore[index]


def test_recording_and_annotation_are_not_iterated_over_by_mistake() -> None:
    for sliced in (numbered(3, 10.0), Annotation((), LABELS)):
        with pytest.raises(TypeError, match="not iterable"):
            list(sliced)  # type: ignore[call-overload]


def test_annotation_is_cut_and_shifted_with_its_recording() -> None:
    spans = (Span(0.0, 1.0, "wave"), Span(1.5, 3.0, "kick", 0.5, 1), Span(4.0, 5.0, "wave"))
    events = (Event(1.0, "strike"), Event(2.0, "strike", 0.9))
    annotation = Annotation(spans, LABELS, ((0.0, 1.2), (1.4, 9.0)), events)
    cut = annotation[1.0:2.0]
    assert cut.spans == (Span(0.5, 1.0, "kick", 0.5, 1),)
    assert cut.events == (Event(0.0, "strike"),)
    np.testing.assert_allclose(cut.covered, [(0.0, 0.2), (0.4, 1.0)])
    assert annotation[4.5:].spans == (Span(0.0, 0.5, "wave"),)
    assert Annotation(spans, LABELS)[1.0:2.0].covered is None, "the whole of it is still looked at"
    assert annotation[1.2:1.4].covered == ()
    with pytest.raises(InputError, match="no time from 3 to 2 s"):
        annotation[3:2]


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(1, 20), st.sampled_from(["wave", "kick"])), max_size=6),
    st.integers(0, 99),
    st.integers(1, 100),
)
def test_labels_of_a_slice_are_those_of_its_frames(rows: list[tuple[int, int, str]], first: int, length: int) -> None:
    annotation = Annotation(tuple(Span(a / 10, (a + n) / 10, label) for a, n, label in rows), LABELS)
    stop = min(first + length, 100)
    targets, _ = annotation.frame_targets(100, 10.0)
    cut, _ = annotation[first / 10 : stop / 10].frame_targets(stop - first, 10.0)
    np.testing.assert_array_equal(cut, targets[first:stop])


def test_recording_of_one_person_needs_neither_a_name_nor_an_axis_of_people() -> None:
    positions = np.random.default_rng(0).normal(size=(6, 25, 3))
    seen = np.ones((6, 25), dtype=bool)
    seen[2, 7] = False
    recording = Recording(positions, fps=30, skeleton="ntu25", valid=seen)
    assert recording.positions.shape == (6, 1, 25, 3)
    assert recording.skeleton is NTU_25
    assert recording.name == "recording"
    assert not recording.valid[2, 0, 7]
    assert recording.valid.sum() == 6 * 25 - 1
    assert Recording(positions.tolist(), 30, "ntu25").num_frames == 6, "lists are arrays too"


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((9, 24, 3), r"shape \(9, 24, 3\), expected \(T, P, 25, 3\), or \(T, 25, 3\) .* 24 joints are those of smpl24"),
        ((9, 2, 20, 3), "20 joints are those of kinect20"),
        ((9, 75), r"expected \(T, P, 25, 3\)"),
        ((3, 90, 25, 2), r"np.transpose\(positions, \(1, 3, 2, 0\)\)"),
        ((90, 3, 25), r"np.transpose\(positions, \(0, 2, 1\)\)"),
    ],
)
def test_wrong_shape_says_what_was_expected(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recording(np.zeros(shape), 30, "ntu25")


def test_proposed_transposition_makes_the_shape_that_is_expected() -> None:
    positions = np.random.default_rng(0).normal(size=(3, 90, 25, 2))  # the layout of graph networks: C, T, J, P
    recording = Recording(np.transpose(positions, (1, 3, 2, 0)), 30, "ntu25")
    assert recording.positions[4, 1, 7, 2] == np.float32(positions[2, 4, 7, 1])


def test_unknown_skeleton_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'ntu25'"):
        Recording(np.zeros((3, 25, 3)), 30, "ntu-25")
