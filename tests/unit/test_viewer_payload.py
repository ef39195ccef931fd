"""Motion and curves as the viewer gets them, against slow loops; the report's tests hold the rest of the payload."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from kinespan.data.recording import Recording
from kinespan.data.skeleton import Skeleton
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.viewer.curves import bone_ends, joint_curve, least_and_greatest
from kinespan.viewer.payload import MotionBytes, skeleton_payload

CHAIN = Skeleton("chain", ("low", "middle", "high", "side"), (-1, 0, 1, 0))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 3))
def test_stand_ins_are_the_last_or_first_place_where_a_joint_was_seen(seed: int, frames: int, people: int) -> None:
    rng = np.random.default_rng(seed)
    positions = rng.normal(size=(frames, people, 4, 3)).astype(np.float32)
    valid = rng.random((frames, people, 4)) < 0.5
    valid[0, 0, 0] = True
    recording = Recording(positions, 30.0, CHAIN, "take", valid)
    motion = MotionBytes(recording)
    shown = motion.positions(np.arange(frames))
    for slot, person in enumerate(motion.slots):
        for joint in range(4):
            for t in range(frames):
                assert_array_equal(shown[t, slot, joint], slow_place(recording, person, joint, t))


def slow_place(recording: Recording, person: int, joint: int, t: int) -> np.ndarray:
    seen = [frame for frame in range(recording.num_frames) if recording.valid[frame, person, joint]]
    if not seen:
        parent = CHAIN.parents[joint]
        first = next(each for each in range(4) if recording.valid[:, person, each].any())
        return slow_place(recording, person, parent if parent >= 0 else first, t)
    before = [frame for frame in seen if frame <= t]
    return np.asarray(recording.positions[before[-1] if before else seen[0], person, joint])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.floats(-5, 5, width=32), st.just(float("nan"))), min_size=1, max_size=40),
    st.lists(st.integers(0, 40), min_size=2, max_size=12),
)
def test_least_and_greatest_are_those_of_each_part(values: list[float], bounds: list[int]) -> None:
    edges = np.minimum(np.sort(bounds), len(values))
    low, high = least_and_greatest(np.array(values, dtype=np.float32), edges)
    for part, (start, stop) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        inside = values[start:stop] if stop > start else [values[max(0, start - 1)]]
        numbers = [value for value in inside if value == value]
        if numbers:
            assert (low[part], high[part]) == (np.float32(min(numbers)), np.float32(max(numbers)))
        else:
            assert np.isnan(low[part])


def test_steps_of_a_picked_range_are_those_of_single_frames() -> None:
    positions = np.random.default_rng(0).normal(size=(40, 2, 25, 3)).astype(np.float32)
    motion = MotionBytes(Recording(positions, 30.0, NTU_25, "take"))
    picks = np.arange(3, 40, 4)
    assert_array_equal(motion.steps(picks), np.concatenate([motion.steps(picks[i : i + 1]) for i in range(len(picks))]))
    scattered = np.array([9, 2, 30])
    assert_allclose(motion.steps(scattered) * motion.unit + motion.origin, positions[scattered], atol=motion.unit)


def test_ground_height_and_width_are_those_of_the_body() -> None:
    positions = np.zeros((100, 1, 4, 3), dtype=np.float32)
    positions[..., 1] = [0.1, 1.0, 1.9, 1.0]
    positions[:, 0, 3, 0] = 1.0
    positions += np.array([5.0, 0, -3.0], dtype=np.float32)
    ground, height, width = MotionBytes(Recording(positions, 30.0, CHAIN, "take")).survey
    assert ground == pytest.approx(0.1)
    assert height == pytest.approx(1.8)
    assert width == pytest.approx(0.75)


def test_speed_and_angle_by_hand() -> None:
    positions = np.zeros((5, 1, 4, 3), dtype=np.float32)
    positions[:, 0, 1] = [[0, 1, 0]] * 5
    positions[:, 0, 2] = [[1, 1, 0], [0, 2, 0], [0, 0, 0], [0, 1, 0], [1, 2, 0]]
    positions[:, 0, 3, 0] = [0, 0.1, 0.2, 0.3, 0.4]
    valid = np.ones((5, 1, 4), dtype=bool)
    valid[4, 0, 0] = False
    recording = Recording(positions, 10.0, CHAIN, "take", valid)
    assert_allclose(joint_curve(recording, "angle", 0, 1), [90, 180, 0, np.nan, np.nan], atol=1e-3)
    assert_allclose(joint_curve(recording, "speed", 0, 3), [1.0] * 5, rtol=1e-5)
    assert_allclose(joint_curve(recording, "height", 0, 1, ground=0.25), [0.75] * 5)


def test_bones_that_meet_are_the_parent_and_the_longest_child() -> None:
    tree = Skeleton("tree", ("a", "b", "c", "d", "e"), (-1, 0, 1, 1, 3))
    assert bone_ends(tree, 1) == (0, 3)
    for joint, words in ((0, "hangs on no other"), (2, "carries no other")):
        with pytest.raises(InputError, match=words):
            bone_ends(tree, joint)


def test_a_skeleton_carries_names_and_parents() -> None:
    payload = skeleton_payload(CHAIN)
    assert (payload["names"], payload["parents"]) == (["low", "middle", "high", "side"], [-1, 0, 1, 0])
    assert payload["bones"] == [[1, 0], [2, 1], [3, 0]]
