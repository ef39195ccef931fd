"""What is counted of a segmentation: how often, how long, what follows what; and frames of a recording's own rate."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinespan.data.annotation import Annotation, Event, LabelSet, Span, frame_centres
from kinespan.data.clock import Clock
from kinespan.runs.summary import label_summaries, transitions, write_summary, write_transitions

LABELS = LabelSet(("walk", "sit", "groom"))
ANSWERS = {
    "cage 1": Annotation(
        (Span(0, 2, "walk", 0.9), Span(3, 4, "sit", 0.8), Span(4, 5, "walk", 0.7), Span(8, 11, "walk", 0.6)), LABELS
    ),
    "empty": Annotation((), LABELS),
}
CLOCKS = {"cage 1": Clock(25.0, 500), "empty": Clock(30.0, 900)}


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_summary_by_hand(tmp_path):
    write_summary(ANSWERS, CLOCKS, {}, tmp_path / "summary.csv")
    header = ["recording", "person", "label", "count", "total_seconds", "mean_seconds", "per_minute", "share"]
    assert [list(row.values()) for row in read(tmp_path / "summary.csv")] == [
        ["cage 1", "", "walk", "3", "6.0", "2.0", "9.0", "0.3"],
        ["cage 1", "", "sit", "1", "1.0", "1.0", "3.0", "0.05"],
        ["cage 1", "", "groom", "0", "0.0", "", "0.0", "0.0"],
        ["empty", "", "walk", "0", "0.0", "", "0.0", "0.0"],
        ["empty", "", "sit", "0", "0.0", "", "0.0", "0.0"],
        ["empty", "", "groom", "0", "0.0", "", "0.0", "0.0"],
    ]
    assert list(read(tmp_path / "summary.csv")[0]) == header


def test_transitions_by_hand(tmp_path):
    write_transitions(ANSWERS, tmp_path / "transitions.csv")
    assert [list(row.values()) for row in read(tmp_path / "transitions.csv")] == [
        ["cage 1", "", "walk", "walk", "1"],
        ["cage 1", "", "walk", "sit", "1"],
        ["cage 1", "", "sit", "walk", "1"],
    ]
    assert list(read(tmp_path / "transitions.csv")[0]) == ["recording", "person", "label", "next_label", "count"]


def test_people_are_counted_apart_and_the_idle_one_too():
    spans = (Span(0, 2, "walk", person=0), Span(1, 3, "sit", person=1), Span(3, 4, "sit", person=0))
    answers = {"pair": Annotation(spans, LABELS)}
    clocks = {"pair": Clock(10.0, 100)}
    counts = {(row.person, row.label): row.count for row in label_summaries(answers, clocks, {"pair": (0, 1, 2)})}
    assert counts == {
        (0, "walk"): 1, (0, "sit"): 1, (0, "groom"): 0,
        (1, "walk"): 0, (1, "sit"): 1, (1, "groom"): 0,
        (2, "walk"): 0, (2, "sit"): 0, (2, "groom"): 0,
    }  # fmt: skip
    assert [(row.person, row.label, row.next_label, row.count) for row in transitions(answers)] == [
        (0, "walk", "sit", 1)
    ]


def test_events_are_counted_without_duration_and_follow_in_time():
    labels = LabelSet(("walk", "strike"), events=("strike",))
    events = (Event(1.5, "strike", 0.9), Event(0.5, "strike", 0.8), Event(9.0, "strike", 0.7))
    answers = {"gait": Annotation((Span(1, 6, "walk", 0.9),), labels, events=events)}
    walk, strike = label_summaries(answers, {"gait": Clock(100.0, 1000)}, {})
    assert (walk.count, walk.total_seconds, walk.share) == (1, 5.0, 0.5)
    assert (strike.count, strike.total_seconds, strike.mean_seconds, strike.share) == (3, None, None, None)
    assert strike.per_minute == pytest.approx(18.0)
    assert [(row.label, row.next_label, row.count) for row in transitions(answers)] == [
        ("walk", "strike", 1), ("strike", "walk", 1), ("strike", "strike", 1)
    ]  # fmt: skip


@given(st.lists(st.sampled_from(LABELS.names), max_size=12))
def test_counts_of_transitions_add_up(labels):
    spans = tuple(Span(index, index + 1, label) for index, label in enumerate(labels))
    rows = transitions({"x": Annotation(spans, LABELS)})
    assert sum(row.count for row in rows) == max(0, len(labels) - 1)
    for row in rows:
        pairs = [index for index in range(len(labels) - 1) if labels[index : index + 2] == [row.label, row.next_label]]
        assert row.count == len(pairs)


@given(st.floats(1, 240), st.integers(1, 300), st.floats(0, 3, allow_nan=False), st.floats(0.001, 3, allow_nan=False))
def test_frames_of_a_span_are_those_whose_centres_it_holds(fps, num_frames, start, length):
    first, stop = Clock(fps, num_frames).frames(start, start + length)
    assert 0 <= first < stop <= num_frames
    centres = frame_centres(num_frames, fps)
    inside = np.flatnonzero((centres >= start + 1e-6) & (centres < start + length - 1e-6))
    assert set(inside) <= set(range(first, stop))
    assert stop - first <= max(1, len(inside) + 2)


def test_whole_frames_keep_their_numbers():
    clock = Clock(120.0, 1200)
    for first, stop in ((0, 1), (7, 60), (1199, 1200)):
        assert clock.frames(first / 120, stop / 120) == (first, stop)
    assert clock.frames(9.9, 11.0) == (1188, 1200)
    assert Clock(2.0, 8).frames(1.1, 1.2) == (2, 3)  # shorter than a frame
    assert clock.duration == pytest.approx(10.0)
    assert [clock.frame(time) for time in (-1, 0, 7 / 120, 7.9 / 120, 9.9999, 12)] == [0, 0, 7, 7, 1199, 1199]


def test_frames_of_uneven_recordings_are_found_by_time():
    clock = Clock(20.0, 5, np.array([0.0, 0.05, 0.1, 2.1, 2.15]))  # a hole of two seconds
    assert clock.duration == pytest.approx(2.2)
    assert clock.frames(0.0, 0.1) == (0, 2)
    assert clock.frames(0.1, 2.1) == (2, 3)
    assert clock.frames(2.1, 2.2) == (3, 5)
    assert [clock.frame(time) for time in (0.05, 0.0999, 1.7, 2.1, 5)] == [1, 1, 2, 3, 4]


@given(st.floats(1, 240), st.integers(1, 50), st.data())
def test_even_times_give_the_frames_of_the_rate(fps, num_frames, data):
    even, by_times = Clock(fps, num_frames), Clock(fps, num_frames, np.arange(num_frames) / fps)
    start = data.draw(st.floats(0, 60))
    assert even.frames(start, start + 0.3) == by_times.frames(start, start + 0.3)
    assert even.frame(start) == by_times.frame(start)
