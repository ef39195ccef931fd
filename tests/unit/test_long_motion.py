"""A long recording made piece by piece: the frames that `model_motion` gives, and scores that show no piece."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.config import Normalisation
from kinespan.data.annotation import LabelSet
from kinespan.data.recording import Recording
from kinespan.data.skeletons import COCO_17, KINECT_20, NTU_25
from kinespan.errors import InputError
from kinespan.models.encoder_model import Windows
from kinespan.models.input_spec import InputSpec
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec
from kinespan.transforms import long_motion
from kinespan.transforms.long_motion import LongMotion, motion_in_parts
from kinespan.transforms.normalise import model_motion


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def take(frames, people=1, fps=30.0, gaps=(), skeleton=KINECT_20):
    rng = np.random.default_rng(frames)
    pose = np.random.default_rng(7).uniform(-0.5, 0.5, (skeleton.num_joints, 3)) + np.array([0, 1, 0])
    walk = rng.standard_normal((frames, people, skeleton.num_joints, 3)).cumsum(axis=0) * 0.03
    positions = pose + walk + np.arange(people)[:, None, None] * [2.0, 0.0, 0.5]
    valid = np.ones((frames, people), bool)
    for start, length, person in gaps:
        valid[start : start + length, person % people] = False
    if not valid.any():
        valid[frames // 2, 0] = True
    return Recording(positions.astype(np.float32), fps, skeleton, "take", valid)


@given(
    frames=st.integers(1, 90),
    people=st.integers(1, 2),
    gaps=st.lists(st.tuples(st.integers(0, 89), st.integers(1, 40), st.integers(0, 1)), max_size=4),
    fps=st.sampled_from([10.0, 15.0, 24.0, 30.0]),
    heading=st.sampled_from(["start", "first", "none"]),
    size=st.sampled_from(["torso", "none"]),
    fill_gap=st.sampled_from([0.0, 0.2, 1.0]),
    piece=st.integers(1, 40),
    cuts=st.lists(st.integers(0, 90), max_size=5),
    rootless=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_windows_equal_the_motion_of_the_whole_recording(
    frames, people, gaps, fps, heading, size, fill_gap, piece, cuts, rootless
):
    recording = take(frames, people, gaps=gaps)
    if rootless:  # in the second half no root is seen
        valid = recording.valid.copy()
        valid[frames // 2 :, :, list(KINECT_20.root)] = False
        recording = recording.with_changes("without roots", valid=valid)
    how = Normalisation(heading=heading, size=size, fill_gap=fill_gap)
    whole = model_motion(recording, KINECT_20, fps, how)
    long = LongMotion(recording, KINECT_20, fps, how, piece)
    assert (long.num_frames, long.fps, long.name) == (whole.num_frames, whole.fps, whole.name)
    assert np.array_equal(long.valid, whole.valid)
    bounds = sorted({0, whole.num_frames, *(cut for cut in cuts if cut < whole.num_frames)})
    parts = [long.window(start, stop) for start, stop in pairwise(bounds)]
    assert np.array_equal(np.concatenate([positions for positions, _ in parts]), whole.positions)
    assert np.array_equal(np.concatenate([valid for _, valid in parts]), whole.valid)
    assert all(
        np.array_equal(one, other) for one, other in zip(long.window(0, 10**6), whole.window(0, 10**6), strict=True)
    )


def test_windows_of_mapped_joints_equal_the_whole_up_to_rounding():
    recording = take(60, 2, gaps=[(10, 5, 0), (30, 2, 1)], skeleton=NTU_25)
    whole = model_motion(recording, COCO_17, 12.0, Normalisation())
    positions, valid = LongMotion(recording, COCO_17, 12.0, Normalisation(), 7).window(5, 20)
    assert np.allclose(positions, whole.positions[5:20], atol=1e-6)
    assert np.array_equal(valid, whole.valid[5:20])
    with pytest.raises(InputError, match="recording 'take': skeleton"):
        LongMotion(take(3, skeleton=without_left_knee()), KINECT_20, 12.0, Normalisation(), 7)


def without_left_knee():
    """NTU's joints with one that nothing stands in for called something else."""
    parts = tuple(None if part == "left_knee" else part for part in NTU_25.body_parts)
    joints = tuple(name.replace("left knee", "left something") for name in NTU_25.joints)
    return replace(NTU_25, name="odd", joints=joints, body_parts=parts)


def test_a_recording_without_people_after_resampling_is_empty():
    """At half the rate a frame needs both of its sources: one lone frame leaves nobody."""
    recording = take(6, gaps=[(0, 2, 0), (3, 3, 0)])
    whole = model_motion(recording, KINECT_20, 15.0, Normalisation())
    long = LongMotion(recording, KINECT_20, 15.0, Normalisation(), 2)
    assert not long.valid.any()
    assert np.array_equal(long.window(0, 3)[0], whole.positions)


def test_only_long_recordings_with_our_preprocessing_are_windowed(monkeypatch):
    monkeypatch.setattr(long_motion, "LONG_FRAMES", 50)
    kinds = [
        type(motion_in_parts(take(frames), KINECT_20, 15.0, Normalisation(preprocessing=family))).__name__
        for frames, family in ((49, "kinespan"), (50, "kinespan"), (50, "agcn"))
    ]
    assert kinds == ["Motion", "LongMotion", "Motion"]


@pytest.mark.parametrize("refine_stages", [0, 2])
@pytest.mark.parametrize("encoder", ["stgcn16_light", "hyperformer"])
def test_scores_have_no_seams_between_chunks(monkeypatch, encoder, refine_stages):
    """However few windows are in memory at once, the scores are those of one pass, refined or not."""
    spec = ModelSpec(
        kind="localizer", input=InputSpec(KINECT_20, 15.0, ("joint",), Normalisation()),
        encoder=encoder, fusion="nested_u", labels=LabelSet(("walk", "sit")), clip_frames=16,
        refine_stages=refine_stages, refine_features=bool(refine_stages),
    )  # fmt: skip
    torch.manual_seed(0)
    model = Localizer(spec).eval()
    recording = take(160, 2, gaps=[(40, 20, 0), (40, 20, 1), (100, 30, 0)])
    whole = model.frame_scores(recording, window=1e6)
    assert whole.std(axis=0).max() > 1e-4  # there is something to see
    monkeypatch.setattr("kinespan.models.encoder_model.WINDOWS_PER_CHUNK", 1)
    monkeypatch.setattr(long_motion, "LONG_FRAMES", 50)
    assert np.allclose(model.frame_scores(recording, window=1.0), whole, atol=2e-5)


def test_memory_does_not_grow_with_the_recording(monkeypatch):
    """The most frames whose features are computed at once, and the most whose positions are."""
    spec = ModelSpec(
        kind="localizer", input=InputSpec(KINECT_20, 15.0, ("joint",), Normalisation()),
        encoder="tcn", fusion="nested_u", labels=LabelSet(("walk",)),
    )  # fmt: skip
    model = Localizer(spec).eval()
    positions, features = [], []
    resampled, windowed = LongMotion._resampled, Windows.features
    monkeypatch.setattr(long_motion, "LONG_FRAMES", 400)
    monkeypatch.setattr(LongMotion, "_resampled", lambda self, a, b: positions.append(b - a) or resampled(self, a, b))
    monkeypatch.setattr(
        Windows, "features", lambda self, m, a, b, *rest: features.append(b - a) or windowed(self, m, a, b, *rest)
    )
    most = []
    for frames in (800, 2400):
        positions.clear(), features.clear()
        model.frame_scores(take(frames), window=2.0)
        most.append((max(positions), max(features)))
    assert most[0] == most[1]
    assert sum(features) == 1200
