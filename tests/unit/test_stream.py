"""Streaming: frame by frame the scores are those of one pass over the whole recording, as soon as was promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_cases import with_changes
from stream_cases import FPS, LABELS, SMALL, STRIDES, WIDTHS, comings, made, moving, spec_of, streamed

from kinespan.annotation import LabelSet
from kinespan.config import Normalisation
from kinespan.decode import DecodeConfig
from kinespan.encoders import ENCODERS
from kinespan.encoders.stgcn import STGCN
from kinespan.ensemble import ensemble
from kinespan.localizer import Localizer
from kinespan.recording import Recording
from kinespan.skeletons import COCO_17, KINECT_20, NTU_25
from kinespan.stream import StreamLocalizer, stream_recording, torso_of
from kinespan.stream.networks import TOGETHER
from kinespan.stream.sources import ClipSource, NetworkSource, WindowSource, source_of

pytestmark = pytest.mark.usefixtures("one_thread")

STEPPED = {"stgcn64", "stgcn16", "stgcn16_light", "tcn", "tcn_long"}
"""Encoders that are run step by step."""


def same_scores(model, recording, frames=1, tolerance=3e-5, **options):
    """The streamed scores, which are those of the whole recording."""
    _, scores = streamed(model, recording, frames, **options)
    whole = model.frame_scores(recording)
    assert scores.shape == whole.shape
    assert scores.dtype == whole.dtype
    assert np.allclose(scores, whole, atol=tolerance)
    return scores


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
def test_streamed_scores_are_those_of_the_whole(strides, frames, pushed, people, gaps, fps):
    recording = moving(frames, people, fps=fps, valid=comings(frames, people, gaps))
    same_scores(SMALL[strides], recording, pushed)


@pytest.mark.parametrize(
    ("name", "fusion"),
    [
        ("stgcn16_light", "nested_u"),
        ("stgcn16_light", "last_map"),
        ("stgcn64", "nested_u"),
        ("tcn", "last_map"),
        ("hyperformer", "nested_u"),
        ("dste_light", "nested_u"),
    ],
)
def test_so_they_are_for_encoders_of_every_kind(name, fusion):
    model = made(encoder=name, fusion=fusion, clip_frames=16)
    gaps = [(0, 7, 1), (20, 30, 0), (70, 30, 1)]
    same_scores(model, moving(100, 2, valid=comings(100, 2, gaps)), frames=1 if name in STEPPED else 30)


@pytest.mark.parametrize("name", sorted(set(ENCODERS) - {"dste"}))  # 51 M parameters, of dste_light's kind
def test_every_encoder_has_its_way(name):
    model = Localizer(spec_of(encoder=name))
    source = source_of(model, hop=0.5)
    if name in STEPPED:
        assert isinstance(source, NetworkSource)
        assert source.lag <= model.feature_halo + TOGETHER  # blocks wait for their turns
    elif model.halo is None:
        assert isinstance(source, ClipSource)
    else:
        assert isinstance(source, WindowSource)


@pytest.mark.parametrize("frames", [1, 8, 15, 16, 17, 23, 24, 25, 40, 61])
def test_clips_end_where_the_recording_does(frames):
    """Encoders of whole clips: recordings shorter than a clip, of whole and of broken numbers of windows."""
    model = made(encoder="dste_light", clip_frames=16)
    for pushed in (1, 11):
        same_scores(model, moving(frames, 1), pushed)


def test_an_encoder_of_ones_own_is_run_in_windows():
    class Doubled(STGCN):
        def person_features(self, x, mask):
            return super().person_features(2 * x, mask)

    model = made((1, 2, 1, 2, 1))
    own = Doubled(KINECT_20, 6, WIDTHS, (1, 2, 1, 2, 1))
    own.load_state_dict(model.encoder.state_dict())
    model.encoder = own.eval()
    assert isinstance(source_of(model, hop=0.5), WindowSource)
    same_scores(model, moving(90), 3, hop=0.7)


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
        {"skeleton": NTU_25},
    ],
    ids=str,
)
def test_so_they_are_for_models_of_every_kind(changes):
    model = made((1, 2, 1, 2, 1), **changes)
    same_scores(model, moving(70, 2, valid=comings(70, 2, [(10, 15, 0), (50, 4, 1)])))
    same_scores(model, moving(41, 1, fps=15.0), frames=4)


def test_skeletons_are_mapped():
    same_scores(made((1, 2, 1, 2, 1), skeleton=NTU_25), moving(60, skeleton=COCO_17, fps=25.0))


@pytest.mark.parametrize("exclusive", [True, False])
def test_models_that_are_fused(exclusive):
    labels = LabelSet(LABELS.names, exclusive)
    one = made((1, 2, 1, 2, 1), labels=labels)
    other = made((1, 1, 3, 1, 1), seed=1, labels=labels, streams=("bone",), normalisation=Normalisation(size="none"))
    model = ensemble([one, other], [1.0, 3.0])
    recording = moving(60, 2, valid=comings(60, 2, [(20, 20, 0)]))
    same_scores(model, recording, torso=torso_of(one, recording))


@pytest.mark.parametrize("family", ["crosclr", "agcn", "ctrgcn"])
def test_published_normalisations_of_the_first_person(family):
    """Slot 1 is there first, and until the end; slot 0 comes late and leaves for a while."""
    model = made((1, 2, 1, 2, 1), normalisation=Normalisation(preprocessing=family), streams=("position",))
    recording = moving(60, 2, valid=comings(60, 2, [(0, 9, 0), (0, 9, 1), (30, 12, 0)]))
    same_scores(model, recording)


def test_a_first_person_of_a_higher_slot_stays_the_first():
    """Where the whole recording would go by the lowest slot, which came later: the slots in the order of coming."""
    model = made((1, 2, 1, 2, 1), normalisation=Normalisation(preprocessing="crosclr"), streams=("position",))
    valid = comings(60, 2, [(0, 30, 0)])
    recording = moving(60, 2, valid=valid)
    turned = Recording(recording.positions[:, ::-1], FPS, KINECT_20, "turned", valid[:, ::-1])
    _, scores = streamed(model, recording)
    assert np.allclose(scores, model.frame_scores(turned), atol=3e-5)


# ---- size ------------------------------------------------------------------------------------------------------------


def test_the_size_is_that_of_the_first_seconds():
    model = SMALL["1-2-4"]
    recording = moving(80)
    early = torso_of(model, Recording(recording.positions[:20], FPS, KINECT_20, "early"))
    assert abs(early / torso_of(model, recording) - 1) > 0.05  # the test would show a difference
    _, settled = streamed(model, recording, torso=None, settle=2.0)
    _, told = streamed(model, recording, torso=early)
    assert np.allclose(settled, told, atol=3e-5)
    assert np.abs(settled - model.frame_scores(recording)).max() > 1e-3


def given_after(model, recording, frames=1):
    """Scores given after each push (N,) of some frames, the last one left out."""
    updates, _ = streamed(model, recording, frames)
    return np.cumsum([len(update.scores) for update in updates[:-1]])


def test_frames_wait_while_the_size_settles_and_a_short_recording_is_measured_whole():
    model = SMALL["1"]
    updates, _ = streamed(model, moving(90), torso=None, settle=8.0)
    assert not any(len(update.scores) for update in updates[:79])
    assert len(updates[79].scores) == given_after(model, moving(90), frames=80)[0] > 0
    same_scores(model, moving(70), torso=None, settle=8.0)


# ---- latency ---------------------------------------------------------------------------------------------------------


def arrivals(updates, recording, rate):
    """Seconds (T,) from the end of each frame of the model to the end of the recorded frame that brought its score."""
    late = []
    for pushed, update in enumerate(updates[:-1], start=1):
        frames = np.arange(update.first, update.first + len(update.scores))
        late += (pushed / recording.fps - (frames + 1) / rate).tolist()
    return np.array(late)


@pytest.mark.parametrize("strides", sorted(STRIDES))
@pytest.mark.parametrize("fps", [FPS, 30.0, 7.0])
def test_latency_is_as_stated(strides, fps):
    model = SMALL[strides]
    stream = StreamLocalizer(model, fps, torso=0.5)
    recording = moving(round(20 * fps), fps=fps)
    late = arrivals(list(stream_recording(stream, recording)), recording, FPS)
    assert len(late) > 100
    assert late.max() <= stream.latency + 1e-9
    assert late.max() >= stream.latency - (1e-9 if fps == FPS else 1.5 / fps)


@pytest.mark.parametrize("changes", [{"encoder": "hyperformer"}, {"encoder": "dste_light", "clip_frames": 16}])
def test_latency_of_windows_is_as_stated(changes):
    stream = StreamLocalizer(made(**changes), FPS, torso=0.5, hop=1.3)
    recording = moving(130)
    late = arrivals(list(stream_recording(stream, recording)), recording, FPS)
    assert late.max() == pytest.approx(stream.latency)


def test_refinement_and_fusing_models_take_their_time():
    plain, fused = SMALL["1"], ensemble([SMALL["1"], SMALL["1-2-4"]])
    refined = made(STRIDES["1"], refine_stages=1, clip_frames=16)
    latency = [StreamLocalizer(model, FPS).latency for model in (plain, refined, SMALL["1-2-4"], fused)]
    assert latency[1] == pytest.approx(latency[0] + refined.refine.halo / FPS)
    assert latency[3] == latency[2] > latency[0]


def test_an_open_gap_is_waited_for():
    """No score of a frame that may yet be filled; those before it come as ever, and all after it at once."""
    model = SMALL["1"]
    out = given_after(model, moving(120, valid=comings(120, 1, [(60, 30, 0)])))
    usual = given_after(model, moving(120))
    longest = round(Normalisation().fill_gap * FPS)
    assert out[59] == out[60 + longest - 1] == usual[59] > 0
    assert out[60 + longest] == usual[60 + longest] > usual[59]


# ---- cut off now -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [{}, {"encoder": "dste_light", "clip_frames": 16}, {"refine_stages": 1}],
    ids=str,
)
@pytest.mark.parametrize("fps", [FPS, 25.0])
def test_with_lookahead_scores_are_those_of_a_recording_cut_off_now(changes, fps):
    model = made(**changes) if "encoder" in changes else made((1, 2, 1, 2, 1), **changes)
    recording = moving(round(6 * fps), 2, fps=fps, valid=comings(round(6 * fps), 2, [(20, 20, 0), (0, 10, 1)]))
    model.spec = with_changes(model.spec, normalisation=Normalisation(size="none"))
    stream = StreamLocalizer(model, fps, lookahead=0.5, hop=0.6)
    assert stream.latency < StreamLocalizer(model, fps).latency
    issued = 0
    for pushed, update in enumerate(stream_recording(stream, recording), start=1):
        if not len(update.scores):
            continue
        end = min(pushed, recording.num_frames)
        cut = Recording(recording.positions[:end], fps, KINECT_20, "cut", recording.mask[:end])
        whole = model.frame_scores(cut)
        issued += len(update.scores)
        assert np.allclose(update.scores, whole[update.first : issued], atol=3e-5)
        assert pushed > recording.num_frames or issued == len(whole) - 5
    assert issued == 60


def test_lookahead_beyond_the_halo_is_the_whole_pass():
    model = SMALL["1-2-4"]
    same_scores(model, moving(80), lookahead=60.0)
    late = StreamLocalizer(model, FPS, lookahead=0.0, hop=0.1)
    assert late.latency == 0
    assert len(late.push(moving(1).positions[0]).scores) == 1


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
        opened += len(stream.open)
        assert all(span.score is not None for span in stream.open)
    closed = sorted((span for update in updates for span in update.closed), key=lambda s: (s.start, s.end, s.label))
    expected = model.segment(model.frame_scores(recording))
    assert len(expected) > 3
    assert [(s.start, s.end, s.label) for s in closed] == [(s.start, s.end, s.label) for s in expected]
    assert [s.score for s in closed] == pytest.approx([s.score for s in expected], abs=1e-4)
    assert any(update.closed for update in updates[:-1])
    assert opened
    assert stream.open == ()
