"""From a Recording to a Motion: rate, gaps, place, heading and size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.config import Normalisation
from kinespan.data.recording import Recording
from kinespan.data.skeleton import Skeleton
from kinespan.data.skeletons import COCO_17, KINECT_20
from kinespan.transforms.normalise import estimate_roots, fill_gaps, landmark, model_motion, num_resampled, resample

PLAIN = Normalisation(heading="none", size="none", fill_gap=0.0)


def line(frames, fps, people=1):
    """Positions (T, P, 1, 3) that are the seconds of each frame's middle."""
    seconds = (np.arange(frames, dtype=np.float32) + 0.5) / fps
    return np.broadcast_to(seconds[:, None, None, None], (frames, people, 1, 3)).astype(np.float32)


def take(frames=20, people=1, seed=0, fps=10.0, valid=None, skeleton=KINECT_20):
    rng = np.random.default_rng(seed)
    pose = np.random.default_rng(7).uniform(-0.5, 0.5, (skeleton.num_joints, 3)) + np.array([0, 1, 0])
    walk = rng.standard_normal((frames, people, skeleton.num_joints, 3)).cumsum(axis=0) * 0.03
    positions = pose + walk + np.arange(people)[:, None, None] * [2.0, 0.0, 0.5]
    return Recording(positions.astype(np.float32), fps, skeleton, "take", valid)


def turned(recording, angle, x=0.0, z=0.0):
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    positions = recording.positions @ matrix.T + [x, 0, z]
    positions = np.where(recording.present[..., None, None], positions, 0)
    return recording.with_changes("turned", positions=positions.astype(np.float32))


# ---- rate ------------------------------------------------------------------------------------------------------------


@given(st.integers(2, 80), st.floats(4, 130), st.floats(4, 130))
@settings(max_examples=80, deadline=None)
def test_linear_motion_is_resampled_exactly(frames, fps, target):
    """Frame j is the motion at (j + 0.5) / target seconds, but for the half frames beyond the first and last middle."""
    found, seen = resample(line(frames, fps), np.ones((frames, 1), bool), fps, target)
    assert len(found) == num_resampled(frames, fps, target)
    assert abs(len(found) / target - frames / fps) <= max(0.5, len(found) == 1) / target + 1e-9  # duration is kept
    middles = (np.arange(len(found)) + 0.5) / target
    expected = np.clip(middles, 0.5 / fps, (frames - 0.5) / fps)
    assert np.allclose(found[:, 0, 0, 0], expected, atol=1e-4 * frames / fps)
    assert seen.all()


def test_resampling_to_half_the_rate_by_hand():
    values = np.array([0.0, 2.0, 4.0, 8.0, 1.0, 1.0], np.float32).reshape(6, 1, 1, 1).repeat(3, axis=3)
    found, _ = resample(values, np.ones((6, 1, 1), bool), 30, 15)
    assert found[:, 0, 0, 0].tolist() == [1, 6, 1]  # the middle of each pair
    found, _ = resample(values[:2], np.ones((2, 1, 1), bool), 15, 30)
    assert found[:, 0, 0, 0].tolist() == [0, 0.5, 1.5, 2]


def test_resampling_to_a_third_takes_the_middle_frames():
    found, _ = resample(line(9, 90), np.ones((9, 1, 1), bool), 90, 30)
    assert np.array_equal(found, line(9, 90)[1::3])


def test_resampling_to_the_same_rate_changes_nothing():
    positions, valid = line(7, 12.5), np.ones((7, 1, 1), bool)
    assert resample(positions, valid, 12.5, 12.5)[0] is positions


def test_a_resampled_frame_is_valid_where_both_its_sources_are():
    valid = np.array([True, True, False, True, True, True])[:, None, None]
    positions = np.where(valid[..., None], line(6, 10), 0)
    found, seen = resample(positions, valid, 10, 20)
    assert seen[:, 0, 0].tolist() == [True, True, True, False, False, False, False, True, True, True, True, True]
    assert not found[~seen].any()
    assert np.allclose(found[seen][2:-1, 0], (np.flatnonzero(seen)[2:-1] + 0.5) / 20)


def test_resampling_keeps_at_least_one_frame():
    found, seen = resample(line(1, 30), np.ones((1, 1, 1), bool), 30, 4)
    assert found.shape == (1, 1, 1, 3)
    assert seen.all()


# ---- gaps ------------------------------------------------------------------------------------------------------------


def test_short_gaps_are_interpolated_and_long_ones_stay():
    valid = np.ones((12, 2, 1), bool)
    valid[2:4, 0] = valid[6:9, 0] = valid[0, 1] = valid[11, 1] = False
    positions = np.where(valid[..., None], line(12, 10, people=2), 0)
    found, seen = fill_gaps(positions, valid, 2)
    assert seen[:, 0, 0].tolist() == [True] * 6 + [False] * 3 + [True] * 3
    assert np.allclose(found[2:4, 0], line(12, 10)[2:4, 0])  # linear motion comes back exactly
    assert not found[6:9, 0].any()
    assert seen[:, 1].tolist() == valid[:, 1].tolist()  # nothing before the first and after the last
    assert not valid[2, 0]  # the given arrays stay as they were
    assert not positions[2, 0].any()


def test_fill_gap_is_in_seconds():
    valid = np.ones((40, 1), bool)
    valid[10:15] = False  # half a second at ten frames
    recording = take(40, valid=valid)
    for seconds, filled in ((0.5, True), (0.4, False), (0.0, False)):
        motion = model_motion(recording, KINECT_20, 10.0, Normalisation(fill_gap=seconds))
        assert bool(motion.valid[10:15].all()) == filled
        assert bool(motion.positions[10:15].any()) == filled


# ---- place, heading, size --------------------------------------------------------------------------------------------


@given(st.floats(-np.pi, np.pi), st.floats(-5, 5), st.floats(-5, 5), st.integers(1, 2), st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_position_and_heading_in_the_room_do_not_change_the_motion(angle, x, z, people, seed):
    valid = np.ones((20, people), bool)
    valid[:3] = False
    recording = take(people=people, seed=seed, valid=valid)
    one, two = (
        model_motion(part, KINECT_20, 10.0, Normalisation()) for part in (recording, turned(recording, angle, x, z))
    )
    assert np.allclose(one.positions, two.positions, atol=2e-4)
    assert np.array_equal(one.valid, two.valid)


@given(st.floats(0.2, 3))
@settings(max_examples=20, deadline=None)
def test_body_size_does_not_change_the_motion(scale):
    recording = take()
    larger = recording.with_changes("larger", positions=recording.positions * np.float32(scale))
    one, two = (model_motion(part, KINECT_20, 10.0, Normalisation()) for part in (recording, larger))
    assert np.allclose(one.positions, two.positions, atol=1e-3)


@pytest.mark.parametrize("skeleton", [KINECT_20, COCO_17], ids=lambda skeleton: skeleton.name)
def test_the_first_pose_faces_z_over_the_origin(skeleton):
    motion = model_motion(take(skeleton=skeleton), skeleton, 10.0, Normalisation(heading="first"))
    first = motion.positions[0, 0]
    assert np.allclose(landmark(first, skeleton.root)[[0, 2]], 0, atol=1e-5)
    across = landmark(first, skeleton.left_shoulder) - landmark(first, skeleton.right_shoulder)
    across = across + landmark(first, skeleton.left_hip) - landmark(first, skeleton.right_hip)
    assert across[0] > 0  # left is at +x, so that the front is at +z with y up
    assert across[2] == pytest.approx(0, abs=1e-5)
    shoulders = (
        landmark(motion.positions, skeleton.left_shoulder) + landmark(motion.positions, skeleton.right_shoulder)
    ) / 2
    torso = np.linalg.norm(shoulders - landmark(motion.positions, skeleton.root), axis=-1)
    assert np.median(torso) == pytest.approx(1, rel=1e-4)


def across_of(poses, skeleton):
    """The ways (N, 3) from the right shoulder and hip to the left ones."""
    shoulders = landmark(poses, skeleton.left_shoulder) - landmark(poses, skeleton.right_shoulder)
    return shoulders + landmark(poses, skeleton.left_hip) - landmark(poses, skeleton.right_hip)


def test_the_first_second_faces_z_on_average_whatever_follows():
    recording = take(40)
    motion = model_motion(recording, KINECT_20, 10.0, Normalisation())
    first_second = across_of(motion.positions[:10, 0], KINECT_20).sum(axis=0)
    assert first_second[0] > 0
    assert first_second[2] == pytest.approx(0, abs=1e-4)
    later = recording.positions.copy()
    later[10:] = later[10:, ..., [2, 1, 0]]
    same = model_motion(
        recording.with_changes("turned later", positions=later), KINECT_20, 10.0, Normalisation(size="none")
    )
    plain = model_motion(recording, KINECT_20, 10.0, Normalisation(size="none"))
    assert np.array_equal(same.positions[:10], plain.positions[:10])


def test_a_joint_that_the_first_frame_lacks_does_not_turn_the_motion():
    """By hand: somebody who faces +x stands still; in the first frame no shoulder and no hip was seen."""
    pose = np.zeros((20, 3), np.float32)
    pose[:, 1] = np.linspace(0.1, 1.8, 20)
    for joints, z in ((KINECT_20.left_shoulder, -0.2), (KINECT_20.right_shoulder, 0.2),
                      (KINECT_20.left_hip, -0.1), (KINECT_20.right_hip, 0.1)):  # fmt: skip
        pose[list(joints), 2] = z
    sides = [*KINECT_20.left_shoulder, *KINECT_20.right_shoulder, *KINECT_20.left_hip, *KINECT_20.right_hip]
    valid = np.ones((20, 1, 20), bool)
    valid[0, :, sides] = False
    recording = Recording(np.tile(pose, (20, 1, 1, 1)), 10.0, KINECT_20, "still", valid)
    motion = model_motion(recording, KINECT_20, 10.0, Normalisation(size="none"))
    assert motion.positions[1:, 0, KINECT_20.left_shoulder[0], 0] == pytest.approx(0.2, abs=1e-5)
    assert motion.positions[1:, 0, :, 2] == pytest.approx(0, abs=1e-5)
    first = model_motion(recording, KINECT_20, 10.0, Normalisation(size="none", heading="first"))
    assert first.positions[1:, 0, KINECT_20.left_shoulder[0], 2] == pytest.approx(-0.2, abs=1e-5)


HAND = Skeleton("hand", ("palm", "a", "b"), (-1, 0, 1))


def hand_take(direction, frames=12):
    """A hand whose fingers point along a direction, each joint 5 cm further."""
    along = np.asarray(direction, np.float32) / np.linalg.norm(direction) * np.float32(0.05)
    pose = np.array([1.0, 1.2, -2.0], np.float32) + np.arange(3)[:, None] * along
    return Recording(np.tile(pose, (frames, 1, 1, 1)), 10.0, HAND, "hand")


@pytest.mark.parametrize("direction", [(0, 0, 1), (1, 0, 0), (-1, 0.5, -2), (0.3, -0.9, 0)])
def test_what_has_no_shoulders_points_ahead(direction):
    motion = model_motion(hand_take(direction), HAND, 10.0, Normalisation(size="none"))
    flat = np.hypot(direction[0], direction[2]) / np.linalg.norm(direction)
    assert motion.positions[:, 0, 2, 0] == pytest.approx(0, abs=1e-5)
    assert motion.positions[:, 0, 2, 2] == pytest.approx(0.1 * flat, abs=1e-5)


def test_what_points_up_is_not_turned_and_neither_is_a_hand_in_earlier_models():
    for direction, heading in (((0.05, 1, 0.02), "start"), ((1, 0, 0), "first"), ((1, 0, 0), "none")):
        recording = hand_take(direction)
        motion = model_motion(recording, HAND, 10.0, Normalisation(size="none", heading=heading))
        moved = recording.positions - recording.positions[0, 0, 0] * [1, 0, 1]
        assert np.allclose(motion.positions, moved, atol=1e-6)


@given(st.floats(-np.pi, np.pi), st.integers(0, 20))
@settings(max_examples=20, deadline=None)
def test_heading_of_a_hand_in_the_room_does_not_change_the_motion(angle, seed):
    recording = take(skeleton=HAND, seed=seed)
    one, two = (model_motion(each, HAND, 10.0, Normalisation()) for each in (recording, turned(recording, angle, 1, 2)))
    assert np.allclose(one.positions, two.positions, atol=2e-3)


# ---- roots -----------------------------------------------------------------------------------------------------------


def test_a_root_that_was_not_seen_is_where_the_joints_next_to_it_are():
    recording = take(6)
    positions, valid = recording.positions.copy(), recording.valid.copy()
    root, neighbours = KINECT_20.root[0], list(KINECT_20.root_neighbours)
    assert [KINECT_20.joints[joint] for joint in neighbours] == ["Spine", "HipLeft", "HipRight"]
    valid[1, 0, root] = False
    valid[2, 0, [root, neighbours[0]]] = False
    valid[3, 0, [root, *neighbours]] = False
    before = positions.copy(), valid.copy()
    estimated, seen = estimate_roots(positions, valid, KINECT_20)
    assert estimated[1, 0, root] == pytest.approx(positions[1, 0, neighbours].mean(axis=0))
    assert estimated[2, 0, root] == pytest.approx(positions[2, 0, neighbours[1:]].mean(axis=0))
    assert seen[:, 0, root].tolist() == [True, True, True, False, True, True]
    changed = np.zeros_like(valid)
    changed[1:3, 0, root] = True
    assert np.array_equal(estimated[~changed], positions[~changed])
    assert np.array_equal(seen[~changed], valid[~changed])
    assert np.array_equal(before[0], positions)
    assert np.array_equal(before[1], valid)


def test_points_without_bones_have_no_root_to_estimate():
    points = Skeleton("points", ("a", "b", "c"), (-1, -1, -1))
    valid = np.array([[[True, True, True]], [[False, False, False]]])
    positions = np.ones((2, 1, 3, 3), np.float32)
    assert estimate_roots(positions, valid, points)[0] is positions


def test_heading_and_size_can_be_switched_off():
    recording = take(people=2)
    motion = model_motion(recording, KINECT_20, 10.0, PLAIN)
    origin = landmark(recording.positions[0, 0], KINECT_20.root) * [1, 0, 1]
    assert np.allclose(motion.positions, recording.positions - origin, atol=1e-5)
    assert (motion.fps, motion.name, motion.num_frames) == (10.0, "take", 20)


def test_people_keep_their_distances():
    recording = take(people=2)
    motion = model_motion(recording, KINECT_20, 10.0, Normalisation())
    apart = np.linalg.norm(recording.positions[:, 1, 0] - recording.positions[:, 0, 0], axis=-1)
    found = np.linalg.norm(motion.positions[:, 1, 0] - motion.positions[:, 0, 0], axis=-1)
    assert np.ptp(apart / found) < 1e-3


def test_the_recording_is_unchanged_and_the_motion_is_a_copy():
    recording = take()
    before = recording.checksum()
    motion = model_motion(recording, KINECT_20, 10.0, Normalisation())
    motion.valid[:] = False
    motion.positions[:] = 9
    assert recording.checksum() == before


def test_a_body_without_extent_stays_finite():
    recording = Recording(np.ones((5, 1, 20, 3), np.float32), 10.0, KINECT_20, "point")
    motion = model_motion(recording, KINECT_20, 10.0, Normalisation())
    assert np.isfinite(motion.positions).all()
