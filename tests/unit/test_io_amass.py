"""AMASS against the figures of smplx, a slow reference of SMPL's equations and poses known by hand."""

from __future__ import annotations

import math
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.io import ReadOptions, amass, detect, read, smplh
from makers.amass import PARENTS, TIPS, body_fields, random_poses, rest_pose, write_amass, write_body

# What smplx 0.1.28 (SMPLH, male, use_pca=False, flat_hand_mean=True, zero betas) gives for the made body and the pose
# sin(0.7 k) / 2, k = 0..155: point, its place in metres.
SMPLX = {
    0: (0.00000, -0.23000, 0.03000), 3: (-0.06489, -0.12646, 0.01076), 10: (0.06358, -1.04156, -0.44783),
    11: (-0.19707, -1.00039, 0.34064), 15: (-0.33137, -0.07421, 0.34047), 20: (-0.82956, 0.13545, -0.09250),
    22: (-0.84736, 0.21805, -0.13446), 37: (-0.22835, -0.76481, 0.19823), 51: (-0.25559, -0.83900, 0.13172),
    52: (-0.34291, -0.06070, 0.33392), 57: (0.03231, -1.03735, -0.42390), 62: (-0.07655, -1.07145, 0.33756),
    63: (-0.93429, 0.18285, -0.19696), 64: (-0.87420, 0.24961, -0.18022), 68: (-0.24445, -0.86566, 0.12904),
    69: (-0.20827, -0.84202, 0.20644), 72: (-0.24582, -0.85779, 0.17031),
}  # fmt: skip


@pytest.fixture(scope="module")
def body_file(tmp_path_factory):
    return write_body(tmp_path_factory.mktemp("body"))


@pytest.fixture(scope="module")
def body(body_file):
    return smplh.load_body(body_file)


def rodrigues(vector):
    angle = float(np.linalg.norm(vector))
    if angle == 0:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross


def slow_points(pose):
    """All 73 points of one pose by homogeneous matrices, joint by joint, vertex by vertex, as in the paper."""
    fields = body_fields()
    rest = rest_pose().astype(np.float32).astype(float)
    turns = [rodrigues(pose[3 * joint : 3 * joint + 3]) for joint in range(52)]
    world = []
    for joint in range(52):
        local = np.eye(4)
        local[:3, :3] = turns[joint]
        local[:3, 3] = rest[joint] - (rest[PARENTS[joint]] if joint else 0)
        world.append(world[PARENTS[joint]] @ local if joint else local)
    points = [matrix[:3, 3] for matrix in world]
    bent = np.concatenate([(turn - np.eye(3)).ravel() for turn in turns[1:]])
    for vertex in smplh.VERTICES:
        place = fields["v_template"][vertex] + fields["posedirs"][vertex] @ bent
        moved = np.zeros(3)
        for joint, weight in enumerate(fields["weights"][vertex]):
            away = np.eye(4)
            away[:3, 3] = -rest[joint]
            moved += weight * (world[joint] @ away @ np.append(place, 1))[:3]
        points.append(moved)
    return np.stack(points)


def test_points_agree_with_smplx(body):
    points = body.points(0.5 * np.sin(0.7 * np.arange(156))[None])[0]
    assert points.shape == (73, 3)
    for point, place in SMPLX.items():
        np.testing.assert_allclose(points[point], place, atol=1.1e-5)


def test_points_agree_with_the_slow_reference(body):
    poses = random_poses(np.random.default_rng(3), frames=5)
    poses[0] = 0
    expected = np.stack([slow_points(pose) for pose in poses])
    np.testing.assert_allclose(body.points(poses), expected, atol=1e-6)


def test_the_rest_pose_is_the_template(body):
    points = body.points(np.zeros((1, 156)))[0]
    np.testing.assert_allclose(points[:52], rest_pose(), atol=1e-6)
    np.testing.assert_allclose(points[63:], body_fields()["v_template"][list(TIPS)], atol=1e-6)


def test_a_bent_elbow_by_hand(body):
    pose = np.zeros((1, 156))
    pose[0, 3 * 18 : 3 * 18 + 3] = (0, 0, math.pi / 2)  # the left arm lies along +x; it turns from x to y
    rest = rest_pose()
    lower = rest[20] - rest[18]
    np.testing.assert_allclose(body.points(pose)[0, 20], rest[18] + (-lower[1], lower[0], lower[2]), atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-7, 7) | st.just(0.0) | st.floats(-1e-9, 1e-9), min_size=3, max_size=3))
def test_rotations_are_rotations(vector):
    turn = smplh.rotations(np.array(vector))
    np.testing.assert_allclose(turn, rodrigues(np.array(vector)), atol=1e-9)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(turn) == pytest.approx(1)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_turning_the_root_turns_the_body(body, seed):
    rng = np.random.default_rng(seed)
    pose = rng.normal(scale=0.5, size=(1, 156))
    pose[0, :3] = 0
    turned = pose.copy()
    turned[0, :3] = rng.normal(size=3)
    pelvis = body.rest[0]
    expected = (body.points(pose)[0] - pelvis) @ rodrigues(turned[0, :3]).T + pelvis
    np.testing.assert_allclose(body.points(turned)[0], expected, atol=1e-6)  # float32 weights sum to 1 nearly


def test_each_ntu_joint_lies_where_its_name_says():
    rest = dict(zip(NTU_25.joints, rest_pose()[[min(point, 51) for point in smplh.NTU_POINTS]], strict=True))
    left = {name: place for name, place in rest.items() if name.startswith("left") and "thumb" not in name}
    assert all(place[0] > 0 for name, place in left.items() if "tip" not in name)
    assert rest["head"][1] > rest["neck"][1] > rest["spine shoulder"][1] > rest["middle of spine"][1]
    assert rest["middle of spine"][1] > rest["base of spine"][1] > rest["left knee"][1] > rest["left ankle"][1]
    tips = {name: smplh.VERTICES[smplh.NTU_POINTS[NTU_25.joints.index(name)] - 52] for name in NTU_25.joints[21:]}
    # vertices of the index finger and of the thumb, by their names in smplx
    assert tips == {"left hand tip": 2319, "left thumb": 2746, "right hand tip": 5782, "right thumb": 6191}


def test_a_file_is_read_in_metres_and_y_up(tmp_path, body):
    write_body(tmp_path)
    rng = np.random.default_rng(0)
    poses, trans = random_poses(rng, 6), rng.normal(size=(6, 3))
    path = write_amass(tmp_path / "CMU" / "141" / "141_05_poses.npz", poses, fps=100.0, trans=trans)
    assert detect(path) == "amass"
    recording = read(path).recording
    assert (recording.name, recording.fps, recording.skeleton) == ("141_05_poses", 100.0, NTU_25)
    assert recording.attributes["gender"] == "female"
    x, y, z = np.moveaxis(body.points(poses)[:, smplh.NTU_POINTS] + trans[:, None], -1, 0)
    np.testing.assert_allclose(recording.positions[:, 0], np.stack((x, z, -y), -1), atol=1e-6)
    # AMASS has people upright along z; ours are upright along y
    still = write_amass(tmp_path / "still.npz", random_poses(rng, 2, scale=0))
    standing = read(still).recording.positions[0, 0]
    assert standing[NTU_25.joints.index("head"), 1] - standing[NTU_25.joints.index("left foot"), 1] > 1.3
    assert any("mean shape" in note for note in recording.history)


def test_smplx_poses_lose_jaw_and_eyes(tmp_path, body_file):
    poses = random_poses(np.random.default_rng(1), 3)
    wide = np.concatenate((poses[:, :66], np.full((3, 9), 9.0), poses[:, 66:]), axis=1)
    options = ReadOptions(body_model=body_file)
    plain = read(write_amass(tmp_path / "a_poses.npz", poses), options=options).recording
    later = write_amass(tmp_path / "a_stageii.npz", wide, rate="mocap_frame_rate")
    assert read(later, options=options).recording.checksum() == plain.checksum()
    assert any("SMPL-X" in note for note in read(later, options=options).recording.history)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"poses": np.zeros((3, 72))}, r"'poses' has shape \(3, 72\), expected \(T, 156\)"),
        ({"poses": np.zeros((0, 156))}, r"'poses' has shape \(0, 156\)"),
        ({"poses": np.full((3, 156), np.nan)}, "frame 0 of 'poses' holds a value that is not finite"),
        ({"poses": np.array(["a"])}, "'poses' holds <U1, expected numbers"),
        ({"trans": np.zeros((2, 3))}, r"'trans' has shape \(2, 3\), expected \(3, 3\)"),
        ({"mocap_framerate": np.array(0.0)}, "'mocap_framerate' is 0.0, expected one positive number"),
        ({"mocap_framerate": np.array([30.0, 60.0])}, "'mocap_framerate' is"),
        ({"poses": np.array([None])}, "not a whole .npz archive without pickled objects"),
    ],
)
def test_broken_files_are_refused(tmp_path, body_file, change, message):
    fields = {"poses": np.zeros((3, 156)), "trans": np.zeros((3, 3)), "mocap_framerate": np.array(120.0)} | change
    np.savez(tmp_path / "broken_poses.npz", **fields)
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "broken_poses.npz", options=ReadOptions(body_model=body_file))
    assert "broken_poses.npz" in str(caught.value)


def test_a_file_without_a_rate_takes_the_given_one(tmp_path, body_file):
    np.savez(tmp_path / "x_poses.npz", poses=np.zeros((2, 156)), trans=np.zeros((2, 3)))
    assert detect(tmp_path / "x_poses.npz") == "amass"
    with pytest.raises(InputError, match=r"x_poses.npz: the file states no frame rate; give it, for example --fps 120"):
        read(tmp_path / "x_poses.npz", options=ReadOptions(body_model=body_file))
    options = ReadOptions(body_model=body_file, fps=60)
    assert read(tmp_path / "x_poses.npz", options=options, override_fps=False).recording.fps == 60


def test_fields_that_are_not_used_are_not_unpacked(tmp_path, body_file):
    labels = np.array(["LFHD", None], dtype=object)  # some releases keep names of markers as pickled objects
    np.savez(tmp_path / "x.npz", poses=np.zeros((2, 156)), mocap_framerate=60, marker_labels=labels)
    assert read(tmp_path / "x.npz", options=ReadOptions(body_model=body_file)).recording.num_frames == 2


def test_the_body_is_found_in_the_folders_of_the_downloads(tmp_path, body_file):
    for place in ("male/model.npz", "smplh/male/model.npz", "SMPLH_MALE.npz", "smplh/SMPLH_MALE.npz"):
        folder = tmp_path / place.replace("/", "_")
        assert smplh.find_body(folder) == folder / place if write_body(folder, place) else None
    assert smplh.find_body(body_file) == body_file


def test_without_a_body_the_error_says_where_to_get_one(tmp_path, body_file):
    path = write_amass(tmp_path / "a" / "b" / "x_poses.npz", np.zeros((2, 156)))
    for place in (None, tmp_path):
        with pytest.raises(InputError, match=r"mano\.is\.tue\.mpg\.de"):
            read(path, options=ReadOptions(body_model=place))
    pickled = tmp_path / "SMPLH_male.pkl"
    pickled.write_bytes(b"\x80\x03}q\x00.")
    with pytest.raises(InputError, match="so kinespan never does"):
        smplh.load_body(pickled)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"posedirs": np.zeros((6890, 3, 207), np.float32)}, r"'posedirs' holds float32 of shape \(6890, 3, 207\)"),
        ({"weights": None}, "field 'weights' is missing"),
        ({"kintree_table": np.full((2, 52), 60)}, "parent that does not come before its child"),
        ({"v_template": np.zeros((6890, 3), bool)}, "'v_template' holds bool"),
    ],
)
def test_another_body_is_refused(tmp_path, change, message):
    fields = {name: value for name, value in (body_fields() | change).items() if value is not None}
    np.savez(tmp_path / "model.npz", **fields)
    with pytest.raises(InputError, match=message):
        smplh.load_body(tmp_path / "model.npz")


def test_a_changed_body_file_is_read_again(tmp_path):
    path = write_body(tmp_path)
    first = smplh.load_body(path)
    assert smplh.load_body(path) is first
    other = body_fields() | {"v_template": 2 * body_fields()["v_template"]}
    np.savez(path, **other)
    os.utime(path, ns=(1, 1))
    np.testing.assert_allclose(smplh.load_body(path).rest, 2 * first.rest)


def test_translation_is_added_or_left_out(body):
    motion = amass.AmassMotion(np.zeros((2, 156)), np.array([[0.0, 0, 1], [1, 2, 3]]), 120.0, "")
    fixed = amass.joints(motion, body, (0, 15), translation=False)
    moving = amass.joints(motion, body, (0, 15), translation=True)
    assert fixed.shape == (2, 1, 2, 3)
    np.testing.assert_allclose(fixed[0], fixed[1])
    np.testing.assert_allclose(moving - fixed, np.broadcast_to(motion.translation[:, None, None], fixed.shape))
