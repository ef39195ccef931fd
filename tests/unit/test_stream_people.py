"""People told apart while they are recorded: each as if alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_cases import FPS, SMALL, STRIDES, made, moving, presence

from kinespan.errors import InputError
from kinespan.models.base import by_person
from kinespan.stream import PeopleStream, StreamLocalizer, stream_recording

pytestmark = pytest.mark.usefixtures("one_thread")

APART = made(STRIDES["1-2-4"], people="each")


def updates_of(recording, frames, **options):
    """The updates of each person of a recording that comes `frames` at a time."""
    stream, updates = PeopleStream(APART, recording.fps, recording.skeleton, **options), {}
    for start in range(0, recording.num_frames, frames):
        part = slice(start, start + frames)
        for slot, update in stream.push(recording.positions[part], recording.valid[part]).items():
            updates.setdefault(slot, []).append(update)
    for slot, update in stream.finish().items():
        updates.setdefault(slot, []).append(update)
    return updates


@given(
    frames=st.integers(1, 80),
    pushed=st.sampled_from([1, 7, 100]),
    people=st.integers(2, 3),
    gaps=st.lists(st.tuples(st.integers(0, 79), st.integers(1, 80), st.integers(0, 2)), max_size=4),
)
@settings(max_examples=15, deadline=None)
def test_a_person_has_the_stream_that_they_have_alone(frames, pushed, people, gaps):
    recording = moving(frames, people, valid=presence(frames, people, gaps))
    streamed = updates_of(recording, pushed, torso=0.5)
    alone = dict(by_person(recording, "each"))
    assert streamed.keys() == alone.keys()
    for slot, motion in alone.items():
        expected = list(stream_recording(StreamLocalizer(SMALL["1-2-4"], FPS, torso=0.5), motion, pushed))
        scores = [np.concatenate([update.scores for update in updates]) for updates in (streamed[slot], expected)]
        np.testing.assert_allclose(*scores, atol=1e-5)
        spans = [span for update in streamed[slot] for span in update.spans]
        assert {span.person for span in spans} <= {slot}
        times = [(span.start, span.end, span.label) for span in spans]
        assert times == [(span.start, span.end, span.label) for update in expected for span in update.spans]


def test_somebody_who_comes_late_has_the_time_of_the_recording():
    valid = np.ones((120, 2), bool)
    valid[:60, 1] = False
    recording = moving(120, 2, valid=valid)
    spans = [span for update in updates_of(recording, 5)[1] for span in update.spans]
    assert min(span.start for span in spans) >= 6.0
    expected = [span for span in APART.localize(recording).spans if span.person == 1]
    assert [round(span.start, 3) for span in spans] == [round(span.start, 3) for span in expected]


def test_several_people_are_refused_by_the_stream_of_one():
    stream = StreamLocalizer(APART, FPS)
    with pytest.raises(InputError, match="the model tells people apart, and frames hold several"):
        stream.push(moving(5, 2).positions)
    assert StreamLocalizer(APART, FPS).push(moving(5, 1).positions).first_frame == 0


def test_a_finished_stream_takes_no_more_frames():
    stream = PeopleStream(APART, FPS)
    assert stream.latency > stream.look_ahead > 0
    assert stream.push(moving(5, 2).positions).keys() == {0, 1}
    assert stream.open_spans == ()
    stream.finish()
    for call in (stream.finish, lambda: stream.push(moving(5, 2).positions)):
        with pytest.raises(InputError, match="the stream is finished"):
            call()
