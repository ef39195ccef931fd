"""Streaming: the scores and spans of one pass over the whole recording, as soon as was promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_cases import FPS, LABELS, SMALL, STRIDES, in_time, made, moving, presence, spans_of, streamed

from kinespan.config import Normalisation
from kinespan.data.annotation import LabelSet
from kinespan.data.recording import Recording
from kinespan.data.skeletons import COCO_17, KINECT_20, NTU_25
from kinespan.decode import DecodeConfig
from kinespan.models.ensemble import ensemble
from kinespan.stream import StreamLocalizer, stream_recording, torso_of

pytestmark = pytest.mark.usefixtures("one_thread")


def assert_streams_offline_scores(model, recording, frames=1, **options):
    """Streamed, the scores are those of the whole recording."""
    _, scores = streamed(model, recording, frames, **options)
    offline = model.frame_scores(recording)
    assert scores.shape == offline.shape
    np.testing.assert_allclose(scores, offline, atol=3e-5)


# ---- the same as one pass over the whole -----------------------------------------------------------------------------


@given(
    strides=st.sampled_from(sorted(STRIDES)),
    frames=st.integers(1, 90),
    pushed=st.sampled_from([1, 1, 2, 5, 100]),
    people=st.integers(1, 3),
    gaps=st.lists(st.tuples(st.integers(0, 89), st.integers(1, 40), st.integers(0, 2)), max_size=4),
    fps=st.sampled_from([FPS, FPS, 7.0, 25.0, 30.0]),
)
@settings(max_examples=25, deadline=None)
def test_streamed_scores_equal_offline_scores(strides, frames, pushed, people, gaps, fps):
    recording = moving(frames, people, fps=fps, valid=presence(frames, people, gaps))
    assert_streams_offline_scores(SMALL[strides], recording, pushed)


@pytest.mark.parametrize("frames", [1, 8, 15, 16, 17, 23, 24, 25, 40, 61])
def test_encoders_of_whole_clips_stream_recordings_of_any_length(frames):
    """Shorter than a clip, of whole and of broken numbers of windows."""
    model = made(encoder="dste_light", clip_frames=16)
    for pushed in (1, 11):
        assert_streams_offline_scores(model, moving(frames, 1), pushed)


@pytest.mark.parametrize(
    "changes",
    [
        {"streams": ("bone",)},
        {"streams": ("joint", "bone_motion"), "fuse_streams": "late"},
        {"labels": LabelSet(LABELS.names, exclusive=False)},
        {"refine_stages": 2, "clip_frames": 16},
        {"refine_stages": 2, "clip_frames": 16, "refine_features": True, "labels": LabelSet(LABELS.names, False)},
        {"fusion": "last_map"},
        {"normalisation": Normalisation(heading="none", size="none", fill_gap=0.0)},
        {"normalisation": Normalisation(heading="first")},
        {"skeleton": NTU_25},
    ],
    ids=str,
)
def test_models_of_every_kind_stream_offline_scores(changes):
    model = made((1, 2, 1, 2, 1), **changes)
    assert_streams_offline_scores(model, moving(70, 2, valid=presence(70, 2, [(10, 15, 0), (50, 4, 1)])))
    assert_streams_offline_scores(model, moving(41, 1, fps=15.0), frames=4)


def test_a_recording_on_another_skeleton_is_mapped():
    assert_streams_offline_scores(made((1, 2, 1, 2, 1), skeleton=NTU_25), moving(60, skeleton=COCO_17, fps=25.0))


@pytest.mark.parametrize("exclusive", [True, False])
def test_an_ensemble_of_different_networks_and_normalisations_streams_offline_scores(exclusive):
    labels = LabelSet(LABELS.names, exclusive)
    graph = made((1, 2, 1, 2, 1), labels=labels)
    bones = made((1, 1, 3, 1, 1), seed=1, labels=labels, streams=("bone",), normalisation=Normalisation(size="none"))
    model = ensemble([graph, bones], [1.0, 3.0])
    recording = moving(60, 2, valid=presence(60, 2, [(20, 20, 0)]))
    assert_streams_offline_scores(model, recording, torso=torso_of(graph, recording))


@pytest.mark.parametrize("family", ["crosclr", "agcn", "ctrgcn"])
def test_published_normalisations_go_by_the_first_person(family):
    """Slot 1 is there first, and until the end; slot 0 comes late and leaves for a while."""
    model = made((1, 2, 1, 2, 1), normalisation=Normalisation(preprocessing=family), streams=("position",))
    recording = moving(60, 2, valid=presence(60, 2, [(0, 9, 0), (0, 9, 1), (30, 12, 0)]))
    assert_streams_offline_scores(model, recording)


def test_a_first_person_of_a_higher_slot_stays_the_first_person():
    """Where the whole recording would go by the lowest slot, which came later: the slots in the order of coming."""
    model = made((1, 2, 1, 2, 1), normalisation=Normalisation(preprocessing="crosclr"), streams=("position",))
    valid = presence(60, 2, [(0, 30, 0)])
    recording = moving(60, 2, valid=valid)
    turned = Recording(recording.positions[:, ::-1], FPS, KINECT_20, "turned", valid[:, ::-1])
    _, scores = streamed(model, recording)
    assert np.allclose(scores, model.frame_scores(turned), atol=3e-5)


# ---- size ------------------------------------------------------------------------------------------------------------


def test_the_size_is_measured_over_the_look_ahead():
    model = SMALL["1-2-4"]
    recording = moving(120)
    settle = round(StreamLocalizer(model, FPS).look_ahead * FPS)
    assert settle > 20
    early = torso_of(model, Recording(recording.positions[:settle], FPS, KINECT_20, "early"))
    assert abs(early / torso_of(model, recording) - 1) > 0.02  # the test would show a difference
    _, measured = streamed(model, recording, torso=None)
    _, given_torso = streamed(model, recording, torso=early)
    assert np.allclose(measured, given_torso, atol=3e-5)
    assert np.abs(measured - model.frame_scores(recording)).max() > 1e-3


def test_a_recording_shorter_than_the_look_ahead_is_measured_whole():
    model = SMALL["1-2-4"]
    assert_streams_offline_scores(model, moving(30), torso=None)


def test_the_size_of_a_body_is_measured_for_two_seconds_at_least():
    model = made(encoder="tcn", fusion="last_map")
    model.encoder.halo = 3  # in words only: no score is final before the size is known
    updates, _ = streamed(model, moving(60), torso=None)
    first = next(number for number, update in enumerate(updates, start=1) if len(update.scores))
    assert first == 20


# ---- latency ---------------------------------------------------------------------------------------------------------


def num_scored_after(updates):
    """How many frames have scores after each push (N,), the end of the recording left out."""
    return np.cumsum([len(update.scores) for update in updates[:-1]])


def delays(updates, recording, rate):
    """Seconds (T,) from the end of each frame of the model to the end of the recorded frame that brought its score."""
    late = []
    for pushed, update in enumerate(updates[:-1], start=1):
        frames = np.arange(update.first_frame, update.first_frame + len(update.scores))
        late += (pushed / recording.fps - (frames + 1) / rate).tolist()
    return np.array(late)


@pytest.mark.parametrize("changes", [{"encoder": "tcn"}, {"encoder": "dste_light", "clip_frames": 16}, {}])
@pytest.mark.parametrize("fps", [FPS, 30.0, 7.0])
@pytest.mark.parametrize("more", [None, 0.3, 2.0])
def test_scores_come_within_the_stated_latency_and_use_all_of_it(changes, fps, more):
    model = made(**changes) if changes else SMALL["1-2-4"]
    look_ahead = StreamLocalizer(model, fps).look_ahead
    latency = None if more is None else look_ahead + more
    stream = StreamLocalizer(model, fps, torso=0.5, latency=latency)
    recording = moving(round(16 * fps), fps=fps)
    late = delays(list(stream_recording(stream, recording)), recording, FPS)
    assert len(late) > 50
    assert late.max() <= stream.latency + 1e-9
    assert late.max() >= stream.latency - (1e-9 if fps == FPS else 1.5 / fps)
    if latency is None:
        assert stream.latency == pytest.approx(look_ahead + 0.9 if fps == FPS else stream.latency)
    else:
        assert latency - 1 / FPS < stream.latency <= latency + 1e-9


def test_the_look_ahead_is_the_halo_or_a_clip_and_that_of_the_refinement():
    plain, averaged = SMALL["1"], ensemble([SMALL["1"], SMALL["1-2-4"]])
    refined = made(STRIDES["1"], refine_stages=1, clip_frames=16)
    clips = made(encoder="dste_light", refine_stages=1, clip_frames=16)
    models = plain, refined, clips, SMALL["1-2-4"], averaged
    frames = [round(StreamLocalizer(model, FPS).look_ahead * FPS) for model in models]
    assert frames[0] == plain.halo
    assert frames[1] == plain.halo + refined.refine.halo
    assert frames[2] == 16 + clips.refine.halo
    assert frames[4] == frames[3] > frames[0]


def test_frames_in_an_open_gap_wait_until_it_is_closed_or_too_long():
    """Frames before it have their scores as ever, and all after it at once."""
    model = SMALL["1"]
    latency = StreamLocalizer(model, FPS).look_ahead
    gap, usual = (
        num_scored_after(streamed(model, moving(120, valid=valid), latency=latency)[0])
        for valid in (presence(120, 1, [(60, 30, 0)]), None)
    )
    longest = round(Normalisation().fill_gap * FPS)
    assert gap[59] == gap[60 + longest - 1] == usual[59] > 0
    assert gap[60 + longest] == usual[60 + longest] > usual[59]


# ---- spans -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("smooth", [0.0, 0.7])
def test_spans_are_those_of_the_segmentation(exclusive, smooth):
    decode = DecodeConfig(min_duration=0.3, smooth=smooth)
    model = made((1, 2, 1, 2, 1), labels=LabelSet(LABELS.names, exclusive), decode=decode)
    recording = moving(150)
    stream = StreamLocalizer(model, FPS, torso=torso_of(model, recording))
    updates, opened = [], 0
    for update in stream_recording(stream, recording):
        updates.append(update)
        opened += len(stream.open_spans)
        assert all(span.score is not None for span in stream.open_spans)
    streamed_spans, expected = spans_of(updates), model.segment(model.frame_scores(recording))
    assert len(expected) > 3
    assert [in_time(span) for span in streamed_spans] == [in_time(span) for span in expected]
    assert [s.score for s in streamed_spans] == pytest.approx([s.score for s in expected], abs=1e-4)
    assert any(update.spans for update in updates[:-1])
    assert opened
    assert stream.open_spans == ()
