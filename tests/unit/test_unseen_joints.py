"""Joints that were not seen, skeletons without a body's landmarks, and frames that are uneven in time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.config import Normalisation
from kinespan.corpus.store import pack_valid, unpack_valid
from kinespan.data.joint_map import map_recording
from kinespan.data.recording import Recording
from kinespan.data.skeleton import Skeleton
from kinespan.data.skeletons import KINECT_20, NTU_25
from kinespan.errors import InputError
from kinespan.transforms.long_motion import LongMotion
from kinespan.transforms.normalise import body_sizes, even_rate, fill_gaps, leave_out_absent, model_motion
from kinespan.transforms.streams import compute_streams

HAND = Skeleton("hand", ("palm", "thumb", "index", "tip"), (-1, 0, 0, 2))
MARKERS = Skeleton("markers", ("a", "b", "c", "d"), (-1, -1, -1, -1))
STREAMS = ("joint", "bone", "joint_motion", "bone_motion", "position")
WRIST = KINECT_20.joints.index("WristLeft")


def moving(frames=20, people=1, skeleton=KINECT_20, seed=0, valid=None, times=None, fps=10.0):
    rng = np.random.default_rng(seed)
    start = rng.normal(size=(1, people, skeleton.num_joints, 3))
    drift = np.cumsum(rng.normal(size=(frames, people, skeleton.num_joints, 3)) * 0.05, axis=0)
    return Recording((start + drift).astype(np.float32), fps, skeleton, "take", valid, times=times)


def all_seen(frames=20, people=1, skeleton=KINECT_20):
    return np.ones((frames, people, skeleton.num_joints), dtype=bool)


# ---- recordings --------------------------------------------------------------------------------------------------


def test_a_nan_is_a_joint_that_was_not_seen_and_infinity_is_a_mistake():
    positions = np.array(moving().positions)
    positions[3, 0, WRIST, 1] = np.nan
    recording = Recording(positions, 10.0, KINECT_20, "take")
    assert np.argwhere(~recording.valid).tolist() == [[3, 0, WRIST]]
    assert recording.positions[3, 0, WRIST].tolist() == [0, 0, 0]
    assert recording.present.all()
    positions[3, 0, WRIST, 1] = np.inf
    with pytest.raises(InputError, match="frame 3 holds a value that is not finite"):
        Recording(positions, 10.0, KINECT_20, "take")


def test_a_mask_of_people_holds_for_their_joints():
    present = np.array([[True], [False], [True]])
    recording = moving(3, valid=present)
    assert recording.valid.shape == (3, 1, 20)
    assert (recording.valid == present[..., None]).all()
    assert np.array_equal(recording.present, present)
    with pytest.raises(InputError, match=r"valid has shape \(3, 2\), expected \(3, 1, 20\), or \(3, 1\) for people"):
        moving(3, valid=np.ones((3, 2), bool))


@pytest.mark.parametrize("times", [[0, 0.1, 0.1], [0.1, 0.2, 0.3], [0, 0.1], [0, 0.1, np.nan]])
def test_times_that_do_not_rise_from_zero_are_refused(times):
    with pytest.raises(InputError, match="times"):
        moving(3, times=np.array(times))


@given(frames=st.integers(1, 9), people=st.integers(1, 3), joints=st.integers(1, 30), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_packed_masks_are_unpacked_unchanged(frames, people, joints, seed):
    valid = np.random.default_rng(seed).random((frames, people, joints)) < 0.5
    packed = pack_valid(valid)
    assert packed.shape == (frames, people, -(-joints // 8))
    assert np.array_equal(unpack_valid(packed, joints), valid)


# ---- gaps --------------------------------------------------------------------------------------------------------


def fill_slowly(positions, valid, longest):
    """Joint by joint and gap by gap."""
    positions, valid = positions.copy(), valid.copy()
    for person in range(valid.shape[1]):
        for joint in range(valid.shape[2]):
            seen = np.flatnonzero(valid[:, person, joint])
            for before, after in pairwise(seen):
                if 1 < after - before <= longest + 1:
                    for frame in range(before + 1, after):
                        share = (frame - before) / (after - before)
                        start, end = positions[before, person, joint], positions[after, person, joint]
                        positions[frame, person, joint] = start + share * (end - start)
                        valid[frame, person, joint] = True
    return positions, valid


@given(seed=st.integers(0, 999), longest=st.integers(0, 5), share=st.floats(0.2, 1.0))
@settings(max_examples=40, deadline=None)
def test_gaps_are_filled_joint_by_joint_as_slow_loops_do(seed, longest, share):
    rng = np.random.default_rng(seed)
    valid = rng.random((15, 2, 4)) < share
    valid[:, :, 1] = valid[:, :, 2]  # joints that are lost together
    positions = np.where(valid[..., None], rng.normal(size=(15, 2, 4, 3)), 0).astype(np.float32)
    filled, seen = fill_gaps(positions, valid, longest)
    expected, expected_seen = fill_slowly(positions, valid, longest)
    assert np.array_equal(seen, expected_seen)
    assert np.allclose(filled, expected, atol=1e-6)


def test_a_person_is_present_with_half_of_the_joints_and_one_of_the_root():
    valid = all_seen(5, skeleton=KINECT_20)
    valid[1, 0, 10:] = False  # half are left, the root (joint 0) among them
    valid[2, 0, 9:] = False  # less than half
    valid[3, 0, 0] = False  # all but the root
    present = leave_out_absent(valid, KINECT_20)
    assert present.any(axis=2).ravel().tolist() == [True, True, False, False, True]
    assert np.array_equal(present[1], valid[1])


def test_a_joint_lost_for_long_is_hidden_and_the_person_stays():
    valid = all_seen(40)
    valid[5:8, 0, WRIST] = False
    valid[15:30, 0, WRIST] = False
    motion = model_motion(moving(40, valid=valid), KINECT_20, 10.0, Normalisation(fill_gap=0.5))
    assert np.flatnonzero(~motion.valid[:, 0, WRIST]).tolist() == list(range(15, 30))
    assert motion.valid.any(axis=2).all()
    assert not motion.positions[15:30, 0, WRIST].any()
    assert motion.positions[5:8, 0, WRIST].any()


def test_windows_of_a_long_recording_have_the_same_gaps():
    rng = np.random.default_rng(1)
    valid = rng.random((300, 2, 20)) < 0.9
    valid[100:160, 0, 4:9] = False
    valid[50:90, 1] = False
    recording = moving(300, 2, valid=valid, fps=30.0)
    whole = model_motion(recording, NTU_25, 15.0, Normalisation())
    parts = LongMotion(recording, NTU_25, 15.0, Normalisation(), chunk_frames=37)
    assert np.array_equal(parts.valid, whole.valid)
    for start in range(0, whole.num_frames, 23):
        positions, seen = parts.window(start, start + 23)
        assert np.array_equal(seen, whole.valid[start : start + 23])
        assert np.allclose(positions, whole.positions[start : start + 23], atol=1e-5)


# ---- what a network sees -----------------------------------------------------------------------------------------


@given(seed=st.integers(0, 99), name=st.sampled_from(STREAMS))
@settings(max_examples=30, deadline=None)
def test_where_an_unseen_joint_was_put_never_changes_a_stream(seed, name):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 8, 1, 20, 3, generator=rng)
    valid = torch.rand(2, 8, 1, 20, generator=rng) < 0.8
    junk = torch.randn(x.shape, generator=rng) * 100
    one, other = (
        compute_streams(torch.where(valid[..., None], x, rest), valid, KINECT_20, [name], 10.0)
        for rest in (x * 0, junk)
    )
    assert torch.equal(one, other)
    assert not one[~valid].any()


def test_a_bone_needs_both_of_its_ends_and_the_root_those_that_were_seen():
    middle = Skeleton("middle", ("left", "right", "tip"), (-1, -1, 0), root=(0, 1))
    x = torch.tensor([[[1.0, 0, 0], [3, 0, 0], [5, 0, 0]]])[None, None]  # (1, 1, 1, 3, 3)
    valid = torch.tensor([True, False, True])[None, None, None]
    assert compute_streams(x, valid, middle, ["joint"], 1.0)[0, 0, 0, :, 0].tolist() == [0, 0, 4]
    assert compute_streams(x, valid, middle, ["bone"], 1.0)[0, 0, 0, :, 0].tolist() == [0, 0, 4]
    valid = torch.tensor([False, True, True])[None, None, None]
    assert compute_streams(x, valid, middle, ["bone"], 1.0)[0, 0, 0, :, 0].tolist() == [0, 0, 0]


def test_a_mapped_joint_was_seen_where_all_that_it_is_made_of_was():
    valid = all_seen(4)
    valid[1, 0, WRIST] = False
    mapped = map_recording(moving(4, valid=valid), NTU_25)
    lost = {NTU_25.joints[joint] for joint in np.flatnonzero(~mapped.valid[1, 0])}
    assert "left wrist" in lost
    assert "right wrist" not in lost
    assert "head" not in lost
    assert mapped.valid[[0, 2, 3]].all()


# ---- any skeleton ------------------------------------------------------------------------------------------------


def test_a_hand_has_no_heading_and_the_size_of_its_bones():
    assert not HAND.has_heading
    assert not HAND.has_torso
    assert HAND.root == (0,)
    pose = np.array([[0, 0, 0], [0, 2, 0], [3, 0, 0], [3, 0, 5]], np.float32)
    positions = np.tile(pose, (2, 1, 1, 1))  # bones of 2, 3 and 5
    assert body_sizes(positions, np.ones((2, 1, 4), bool), HAND).tolist() == [3, 3]
    valid = np.ones((2, 1, 4), bool)
    valid[1, 0, 3] = False  # the bone of 5 has lost an end
    assert body_sizes(positions, valid, HAND).tolist() == [3, 2.5]


def test_markers_without_bones_are_about_their_middle():
    assert MARKERS.root == (0, 1, 2, 3)
    pose = np.array([[1, 0, 0], [-1, 0, 0], [0, 0, 3], [0, 0, -3]], np.float32)
    assert body_sizes(pose[None, None], np.ones((1, 1, 4), bool), MARKERS).tolist() == [2]


@pytest.mark.parametrize("skeleton", [HAND, MARKERS])
def test_size_and_place_of_any_skeleton_do_not_change_the_motion(skeleton):
    recording = moving(30, skeleton=skeleton)
    other = recording.with_changes("", positions=recording.positions * 7 + np.array([5, 0, -3], np.float32))
    one, two = (model_motion(take, skeleton, 10.0, Normalisation()) for take in (recording, other))
    assert np.allclose(one.positions, two.positions, atol=1e-3)


def test_an_upper_body_faces_by_its_shoulders():
    upper = Skeleton("upper", ("neck", "left", "right"), (-1, 0, 0), ((1, 2),), left_shoulder=(1,), right_shoulder=(2,))
    assert upper.has_heading
    assert not upper.has_torso
    pose = np.array([[0, 1, 0], [0, 1, -0.5], [0, 1, 0.5]], np.float32)  # its left lies at -z
    motion = model_motion(Recording(pose[None, None], 10.0, upper, "x"), upper, 10.0, Normalisation(size="none"))
    assert np.allclose(motion.positions[0, 0, 1], [0.5, 1, 0], atol=1e-6)


# ---- uneven frames -----------------------------------------------------------------------------------------------


def test_even_time_stamps_change_nothing():
    recording = moving(12)
    stamped = moving(12, times=np.arange(12) / 10)
    assert np.array_equal(even_rate(stamped).positions, recording.positions)
    assert even_rate(recording) is recording


@given(seed=st.integers(0, 999), frames=st.integers(2, 40))
@settings(max_examples=40, deadline=None)
def test_motion_linear_in_time_comes_back_at_its_times(seed, frames):
    """A joint that moves evenly lies at t metres at t seconds, wherever the frames lie."""
    rng = np.random.default_rng(seed)
    times = np.concatenate([[0], np.cumsum(rng.uniform(0.05, 0.14, frames - 1))])
    positions = np.repeat(times, 12).reshape(frames, 1, 4, 3).astype(np.float32)
    even = even_rate(Recording(positions, 10.0, HAND, "take", times=times))
    assert even.times is None
    assert even.num_frames == max(1, round((times[-1] + 0.1) * 10))
    assert even.valid.all()
    expected = np.minimum(np.arange(even.num_frames) / 10, times[-1])
    assert np.allclose(even.positions[:, 0, 0, 0], expected, atol=1e-4)


def test_a_hole_in_time_is_a_gap():
    times = np.array([0, 0.1, 0.2, 2.2, 2.3])
    recording = moving(5, times=times)
    assert recording.duration == pytest.approx(2.4)
    even = even_rate(recording)
    assert even.num_frames == 24
    assert np.flatnonzero(even.present[:, 0]).tolist() == [0, 1, 2, 22, 23]
    assert np.allclose(even.positions[22:], recording.positions[3:], atol=1e-5)
    assert "frames were 100 to 2000 ms apart" in even.history[-1]
