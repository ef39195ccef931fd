"""The published preprocessings of NTU RGB+D: bodies and coordinates against slow references written from the papers."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.config import Normalisation, Preprocessing
from kinespan.data.recording import Recording
from kinespan.data.skeletons import COCO_17, NTU_25, SMPL_22
from kinespan.errors import InputError
from kinespan.transforms.bodies import denoised, first_bodies, most_energetic
from kinespan.transforms.normalise import landmark, model_motion
from kinespan.transforms.ntu_preprocessing import PREPROCESSINGS, agcn, crosclr, ctrgcn
from makers.ntu import moving, standing


def made(seed=0, frames=20, people=2):
    """Positions (T, P, 25, 3) of people before a camera, tilted a little."""
    rng = np.random.default_rng(seed)
    tilt = np.linalg.qr(np.eye(3) + 0.1 * rng.normal(size=(3, 3)))[0]
    tilt *= np.sign(np.diag(tilt))
    bodies = [standing(moving(rng, seed + p, frames) @ tilt, x=p, heading=rng.uniform(-3, 3)) for p in range(people)]
    return np.stack(bodies, axis=1).astype(np.float32)


def masked(positions, valid):
    """Zero where people (T, P), or their joints (T, P, J), are absent."""
    return np.where(valid.reshape(*valid.shape, *[1] * (4 - valid.ndim)), positions, 0).astype(np.float32)


# ---- coordinates -----------------------------------------------------------------------------------------------------


def crosclr_slowly(data):
    """Frame by frame and person by person: minus joint 21 of the first person, shoulders of it along x, about y."""
    out = np.zeros_like(data, dtype=np.float64)
    for t in range(len(data)):
        right, left = data[t, 0, 8].astype(float), data[t, 0, 4].astype(float)
        angle = math.atan2(left[2] - right[2], left[0] - right[0])
        for p in range(data.shape[1]):
            for j in range(25):
                x, y, z = data[t, p, j].astype(float) - data[t, 0, 20]
                out[t, p, j] = (
                    math.cos(-angle) * x - math.sin(-angle) * z,
                    y,
                    math.sin(-angle) * x + math.cos(-angle) * z,
                )
    return out


def rodrigues(axis, angle, vector):
    """A vector turned about an axis, by Rodrigues' formula."""
    k = axis / np.linalg.norm(axis)
    return vector * math.cos(angle) + np.cross(k, vector) * math.sin(angle) + k * (k @ vector) * (1 - math.cos(angle))


def agcn_slowly(data):
    """2s-AGCN's: minus joint 2 of the first person frame by frame, bone 1-2 of frame 0 to z, then 9 minus 5 to x."""
    out = data.astype(np.float64)
    for t in range(len(data)):
        out[t] -= data[t, 0, 1].astype(float)
    for low, high, target in ((0, 1, np.array([0.0, 0, 1])), (4, 8, np.array([1.0, 0, 0]))):
        bone = out[0, 0, high] - out[0, 0, low]
        axis = np.cross(bone, target)
        angle = math.acos(bone @ target / np.linalg.norm(bone))
        for index in np.ndindex(out.shape[:3]):
            out[index] = rodrigues(axis, angle, out[index])
    return out


@pytest.mark.parametrize("seed", range(4))
def test_crosclr_agrees_with_the_slow_reference(seed):
    data = made(seed)
    found, _ = crosclr(data, np.ones((20, 2, 25), bool), NTU_25)
    assert np.allclose(found, crosclr_slowly(data), atol=2e-6)
    assert np.abs(found[:, 0, 20]).max() == 0
    across = found[:, 0, 4] - found[:, 0, 8]
    assert np.allclose(across[:, 2], 0, atol=1e-6)
    assert (across[:, 0] > 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_agcn_agrees_with_the_slow_reference_with_y_up(seed):
    data = made(seed, frames=8)
    found, valid = agcn(data, np.ones((8, 2, 25), bool), NTU_25)
    x, y, z = np.moveaxis(agcn_slowly(data), -1, 0)
    assert np.allclose(found, np.stack([x, z, -y], axis=-1), atol=2e-6)
    assert valid.all()
    assert np.abs(found[:, 0, 1]).max() < 1e-6
    across = found[0, 0, 8] - found[0, 0, 4]
    assert np.allclose(across, [np.linalg.norm(across), 0, 0], atol=1e-6)
    assert found[0, 0, 3, 1] > 0.3  # the head is up


@pytest.mark.parametrize("seed", range(4))
def test_ctrgcn_agrees_with_the_slow_reference(seed):
    data = made(seed)
    valid = np.ones((20, 2, 25), bool)
    valid[:3, 0] = valid[10:, 1] = False
    data = masked(data, valid)
    found, _ = ctrgcn(data, valid, NTU_25)
    for t in range(20):
        for p in range(2):
            expected = data[t, p] - data[3, 0, 1] if valid[t, p].any() else np.zeros((25, 3))
            assert np.array_equal(found[t, p], expected.astype(np.float32))


def test_agcn_by_hand():
    """Somebody lying along x with the left shoulder on top stands upright, looking towards -z."""
    pose = np.zeros((25, 3), np.float32)
    pose[:, 2] = 3
    pose[1, 0], pose[3, 0], pose[4], pose[8] = 0.5, 1.0, (0.8, 0.2, 3), (0.8, -0.2, 3)
    found = agcn(pose[None, None], np.ones((1, 1, 25), bool), NTU_25)[0][0, 0]
    expected = {0: (0, -0.5, 0), 1: (0, 0, 0), 3: (0, 0.5, 0), 4: (-0.2, 0.3, 0), 8: (0.2, 0.3, 0)}
    for joint, place in expected.items():
        assert np.allclose(found[joint], place, atol=1e-6), joint


def test_agcn_fills_absent_frames_at_the_end_by_repeating():
    data = made(frames=7)
    valid = np.ones((7, 2, 25), bool)
    valid[3:, 1] = valid[1, 1] = False
    found, filled = agcn(masked(data, valid), valid, NTU_25)
    source = [0, 1, 2, 0, 1, 2, 0]
    repeated = data.copy()
    repeated[:, 1] = data[source, 1]
    assert filled[:, 1, 0].tolist() == [bool(frame != 1) for frame in source]
    expected, _ = agcn(repeated, np.ones((7, 2, 25), bool), NTU_25)
    assert np.allclose(found, masked(expected, filled), atol=1e-6)


def test_agcn_keeps_absent_frames_at_the_start():
    data = made(frames=9)
    valid = np.ones((9, 2, 25), bool)
    valid[:4] = False
    for preprocess in PREPROCESSINGS.values():
        late, seen = preprocess(masked(data, valid), valid, NTU_25)
        plain, _ = preprocess(data[4:], valid[4:], NTU_25)
        assert np.array_equal(seen, valid)
        assert not late[:4].any()
        assert np.allclose(late[4:], plain, atol=1e-6)


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_a_gap_of_the_first_person_uses_its_last_pose_as_reference(name):
    data = made(frames=10)
    valid = np.ones((10, 2, 25), bool)
    valid[4:7, 0] = False
    found, seen = PREPROCESSINGS[name](masked(data, valid), valid, NTU_25)
    held = data.copy()
    held[4:7, 0] = data[3, 0]
    expected, _ = PREPROCESSINGS[name](held, np.ones((10, 2, 25), bool), NTU_25)
    assert np.array_equal(seen, valid)
    assert np.allclose(found, masked(expected, valid), atol=1e-6)


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_empty_slots_and_empty_recordings_are_processed(name):
    data, nobody = made(frames=5), np.zeros((5, 2, 25), bool)
    found, seen = PREPROCESSINGS[name](masked(data, nobody), nobody, NTU_25)
    assert not found.any()
    assert not seen.any()
    second = np.tile([[[False], [True]]], (5, 1, 25))
    found, _ = PREPROCESSINGS[name](masked(data, second), second, NTU_25)
    alone, _ = PREPROCESSINGS[name](data[:, 1:], second[:, 1:], NTU_25)
    assert np.array_equal(found[:, 1:], alone)


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_bodies_without_extent_stay_finite(name):
    found, _ = PREPROCESSINGS[name](np.ones((3, 1, 25, 3), np.float32), np.ones((3, 1, 25), bool), NTU_25)
    assert np.array_equal(found, np.zeros_like(found))


@settings(max_examples=25, deadline=None)
@given(st.floats(-3, 3), st.floats(-2, 2), st.floats(-2, 2))
def test_position_and_heading_do_not_change_crosclr(angle, x, z):
    data, valid = made(1), np.ones((20, 2, 25), bool)
    turned = standing(data, x, z, angle).astype(np.float32)
    one, two = (crosclr(some, valid, NTU_25)[0] for some in (data, turned))
    assert np.abs(one - two).max() < 1e-4


@pytest.mark.parametrize("skeleton", [SMPL_22, COCO_17, NTU_25], ids=lambda skeleton: skeleton.name)
@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_preprocessings_work_for_any_skeleton(skeleton, name):
    rng = np.random.default_rng(0)
    pose = rng.uniform([-0.3, 0.7, 2.7], [0.3, 1.3, 3.3], size=(1, 1, skeleton.num_joints, 3))
    positions = pose + rng.normal(scale=0.02, size=(12, 1, skeleton.num_joints, 3))
    recording = Recording(positions, 30.0, skeleton, "take")
    motion = model_motion(recording, skeleton, 30.0, Normalisation(preprocessing=name))
    left, right = (landmark(motion.positions, side) for side in (skeleton.left_shoulder, skeleton.right_shoulder))
    spine = landmark(motion.positions, skeleton.spine)
    if name == "crosclr":
        assert np.allclose((left - right)[:, 0, 2], 0, atol=1e-5)
    elif name == "agcn":
        assert np.allclose(spine, 0, atol=1e-5)
        assert np.allclose((right - left)[0, 0, 1:], 0, atol=1e-5)
    else:
        assert np.allclose(spine[0], 0, atol=1e-6)
        assert np.allclose(motion.positions - motion.positions[:1], positions - positions[:1], atol=1e-5)


def test_heading_and_size_change_only_the_kinespan_preprocessing():
    recording = Recording(made(), 30.0, NTU_25, "take")
    for name, function in PREPROCESSINGS.items():
        motion = model_motion(recording, NTU_25, 30.0, Normalisation(preprocessing=name, fill_gap=0.0))
        expected, _ = function(recording.positions, recording.valid, NTU_25)
        assert np.array_equal(motion.positions, expected)
        assert motion.positions.dtype == np.float32
    plain = model_motion(recording, NTU_25, 30.0, Normalisation())
    assert np.array_equal(
        plain.positions, model_motion(recording, NTU_25, 30.0, Normalisation(preprocessing="kinespan")).positions
    )


def test_the_setting_offers_every_preprocessing_and_refuses_others():
    assert sorted([*PREPROCESSINGS, "kinespan"]) == sorted(get_args(Preprocessing))
    with pytest.raises(InputError, match=r"normalisation\.preprocessing is 'agnc', expected one of kinespan, crosclr"):
        Normalisation(preprocessing="agnc")


# ---- bodies ----------------------------------------------------------------------------------------------------------


def places(listed, people):
    """place (T, P) of frames that list these slots in this order."""
    place = np.full((len(listed), people), -1)
    for frame, slots in enumerate(listed):
        place[frame, slots] = range(len(slots))
    return place


def listed_slowly(positions, listed, count):
    """The file as a reader sees it that puts the k-th body of a frame into slot k, up to `count`."""
    data = np.zeros((len(positions), count, *positions.shape[2:]), positions.dtype)
    for frame, slots in enumerate(listed):
        for k, slot in enumerate(slots):
            if k < count:
                data[frame, k] = positions[frame, slot]
    return data


def energy_slowly(data):
    """2s-AGCN's choice: slots by the standard deviations of x, y and z of the frames that are not null."""
    energies = []
    for slot in range(data.shape[1]):
        frames = [frame for frame in data[:, slot] if frame.sum() != 0]
        energies.append(sum(np.array(frames)[:, :, axis].std() for axis in range(3)) if frames else 0)
    order = sorted(range(len(energies)), key=lambda slot: -energies[slot])[:2]
    return data[:, order]


def padded(positions):
    """Positions (T, 2, J, 3) with the slots that were left out."""
    return np.pad(positions, [(0, 0), (0, 2 - positions.shape[1]), (0, 0), (0, 0)])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_body_selections_agree_with_the_slow_references(data):
    people = 5
    listed = data.draw(st.lists(st.permutations(range(people)), min_size=1, max_size=8))
    listed = [slots[: data.draw(st.integers(0, people))] for slots in listed]
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    place = places(listed, people)
    valid = place >= 0
    positions = masked(rng.normal(size=(len(listed), people, 6, 3)) * rng.uniform(0.1, 3, (people, 1, 1)), valid)
    positions = positions.astype(np.float64)
    found, seen = first_bodies(positions, valid, place)
    assert np.array_equal(padded(found), listed_slowly(positions, listed, 2))
    assert np.array_equal(seen, found.any(axis=(2, 3)))
    found, seen = most_energetic(positions, valid, place)
    assert np.array_equal(padded(found), energy_slowly(listed_slowly(positions, listed, 4)))
    assert np.array_equal(seen, found.any(axis=(2, 3)))


def test_without_list_positions_bodies_are_listed_by_slot():
    positions = np.arange(2 * 3, dtype=np.float32).reshape(2, 3, 1, 1).repeat(3, axis=3) + 1
    valid = np.array([[True, True, True], [False, True, True]])
    found, _ = first_bodies(masked(positions, valid), valid)
    assert found[:, :, 0, 0].tolist() == [[1, 2], [5, 6]]


def person(frames, start, end, x=0.0, sway=0.0, height=1.7, width=0.5, seed=0):
    """Positions (T, 1, 4, 3) and valid of a four-point body of a given shape that sways along z between two frames."""
    corners = np.array([[-1, 0, 0], [1, 0, 0], [-1, 2, 0], [1, 2, 0]]) * [width / 2, height / 2, 0] + [x, 0, 3]
    valid = np.zeros((frames, 1), bool)
    valid[start:end] = True
    positions = np.repeat(corners[None, None], frames, axis=0)
    positions[..., 2] += sway * np.sin(np.arange(frames))[:, None, None]
    return masked(positions, valid), valid


def together(*bodies):
    return np.concatenate([b[0] for b in bodies], axis=1), np.concatenate([b[1] for b in bodies], axis=1)


def test_short_tracks_are_dropped():
    for frames, kept in ((11, 1), (12, 2)):
        positions, valid = together(person(40, 0, 40), person(40, 5, 5 + frames, x=1))
        found, seen = denoised(positions, valid)
        assert found.shape[1] == kept
        assert seen[:, 0].all()


def test_wide_tracks_are_dropped():
    """A seat: wide and low. The share of wide frames decides, 0.69754 of them being too many."""
    for wide, kept in ((69, 2), (70, 1)):
        positions, valid = together(person(100, 0, 100), person(100, 0, 100, x=1))
        positions[:wide, 1, :, 0] *= 10
        assert denoised(positions, valid)[0].shape[1] == kept
    for width, kept in ((0.8, 2), (0.81, 1)):  # wider than 0.8 of the height, not as wide
        positions, valid = together(person(20, 0, 20), person(20, 0, 20, width=width, height=1.0))
        assert denoised(positions.astype(np.float64).round(6), valid)[0].shape[1] == kept


def test_the_track_with_more_motion_comes_first():
    still, lively = person(30, 0, 30, x=-1), person(30, 0, 30, x=1, sway=0.4)
    for bodies in ((still, lively), (lively, still)):
        found, _ = denoised(*together(*bodies))
        assert found[0, 0, :, 0].mean() == pytest.approx(1)
        assert found[0, 1, :, 0].mean() == pytest.approx(-1)


def test_motion_of_a_track_ignores_wide_frames():
    """A body that is thrown about in half of its frames, in which it is wide, is not the main one for that."""
    main, noisy = person(40, 0, 40, x=0, sway=0.4), person(40, 0, 40, x=2)
    positions, valid = together(noisy, main)
    positions[::2, 0, :, 0] = [-4, 4, -5, 3]
    found, _ = denoised(positions, valid)
    assert found[1, 0, :, 0].mean() == pytest.approx(0)


def test_a_body_tracked_again_continues_in_its_slot():
    first, again, other = person(60, 0, 30, sway=0.4), person(60, 30, 60, sway=0.3), person(60, 10, 50, x=1)
    found, seen = denoised(*together(first, again, other))
    assert found.shape[1] == 2
    assert seen[:, 0].all()
    assert np.flatnonzero(seen[:, 1]).tolist() == list(range(10, 50))
    third = person(60, 0, 60, x=3)  # fits in neither slot, being the calmest of three at once
    lively = person(60, 0, 60, x=1, sway=0.2)
    found, seen = denoised(*together(first, again, lively, third))
    assert found[20, :, :, 0].mean(axis=1).tolist() == pytest.approx([0, 1])


def test_the_last_track_is_never_dropped():
    seat = person(20, 0, 20, width=3.0, height=0.4)
    assert denoised(*seat)[1].all()
    found, seen = denoised(*together(person(20, 0, 5), person(20, 8, 17)))
    assert np.flatnonzero(seen.any(axis=1)).tolist() == list(range(8, 17))
    found, seen = denoised(*together(seat, person(20, 0, 20, x=4, width=3.0, height=0.4)))
    assert found.shape[1] == 1
