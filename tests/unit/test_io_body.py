"""Unit and up axis by the body: found where the body tells, kept and told where it does not, never tilted people."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinespan.data.skeletons import skeleton_from_names
from kinespan.io import ReadOptions, decisions, read, save_npz
from kinespan.io.body import Body, likely_unit
from kinespan.io.finish import _TURN_UP
from makers import person

UP = {  # a point of a y-up person in the axes of a file that has another axis up
    "y": lambda p: p,
    "z": lambda p: p[..., [0, 2, 1]] * np.array([1, -1, 1]),
    "-z": lambda p: p[..., [0, 2, 1]] * np.array([1, 1, -1]),
    "-y": lambda p: p * np.array([1, -1, -1]),
    "x": lambda p: p[..., [1, 0, 2]] * np.array([1, -1, 1]),
    "-x": lambda p: p[..., [1, 0, 2]] * np.array([-1, 1, 1]),
}


def write(folder, positions, **fields):
    path = folder / "take.npz"
    joints, parents = np.array(person.JOINTS), np.array(person.PARENTS)
    np.savez(path, positions=positions, **{"fps": 30.0, "joints": joints, "parents": parents, **fields})
    return path


def bvh(offsets_of, values_of, frames=10):
    """A BVH of the person whose root position is `values_of(frame)`; offsets turned by `offsets_of`; all angles 0."""
    children = {name: [child for child, (parent, _) in person.BODY.items() if parent == name] for name in person.BODY}

    def joint(name):
        offset = offsets_of(np.array(person.BODY[name][1], dtype=float))
        kind, channels = ("JOINT", "3") if person.BODY[name][0] else ("ROOT", "6 Xposition Yposition Zposition")
        inside = "".join(map(joint, children[name])) or "End Site\n{\nOFFSET 0 0 0\n}\n"
        head = f"{kind} {name}\n{{\nOFFSET {' '.join(map(str, offset))}\n"
        return f"{head}CHANNELS {channels} Zrotation Xrotation Yrotation\n{inside}}}\n"

    width = 6 + 3 * (len(person.BODY) - 1)
    rows = [[*values_of(frame), *[0.0] * (width - len(values_of(frame)))] for frame in range(frames)]
    lines = "\n".join(" ".join(map(str, row)) for row in rows)
    return f"HIERARCHY\n{joint('Hips')}MOTION\nFrames: {frames}\nFrame Time: 0.0333333\n{lines}\n"


# ---- unit ------------------------------------------------------------------------------------------------------


def body_of(positions, only=None):
    skeleton = skeleton_from_names("x", person.JOINTS, person.PARENTS)
    positions = np.asarray(positions)[:, None]
    body = Body.of(skeleton, positions, np.ones(positions.shape[:3], dtype=bool))
    return body if only is None else Body({part: body.points[part] for part in only})


@pytest.mark.parametrize(
    "only",
    [
        ("left_hip", "left_knee"), ("right_knee", "right_ankle"), ("left_shoulder", "left_elbow"),
        ("right_elbow", "right_wrist"), ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
        ("left_hip", "right_hip", "left_knee", "left_ankle", "chest", "neck", "head"),
    ],
)  # fmt: skip
@given(scale=st.floats(0.8, 1.15))
def test_any_limb_tells_the_stature(only, scale):
    assert body_of(scale * person.standing(), only).stature() == pytest.approx(scale * 1.7, rel=0.15)


def test_no_limb_and_no_rigid_limb_tell_nothing():
    assert body_of(person.standing(), ("head", "pelvis")).stature() is None
    assert body_of(np.random.default_rng(0).normal(size=(50, 21, 3))).stature() is None
    assert body_of(np.zeros((5, 21, 3))).stature() is None
    assert len(body_of(person.standing(), ("head", "pelvis")).upward()) == 0


def test_limbs_that_are_not_a_persons_tell_nothing():
    positions = person.standing()
    for joint in ("LeftForeArm", "LeftHand"):  # a robot with an arm of 1.5 m
        positions[:, person.JOINTS.index(joint)] += [0, -1.2, 0]
    assert body_of(positions).stature() is None


def test_part_of_a_body_does_not_overrule_a_stated_unit(tmp_path):
    """The paws of a mouse have names of arms; nobody says that a person of 6 m was meant to be in feet."""
    names = ["Shoulder", "Arm", "ForeArm", "Hand"]
    joints = [f"{side}{name}" for side in ("Left", "Right") for name in names]
    joints = ["Chest", "LeftUpLeg", "RightUpLeg", *joints]
    indices = [person.JOINTS.index(name) for name in joints]
    parents = np.array([-1, 0, 0, *[max(0, 2 + number) if number % 4 else 0 for number in range(8)]])
    positions = 3.5 * person.standing()[:, indices]
    recording = read(write(tmp_path, positions, joints=np.array(joints), parents=parents)).recording
    np.testing.assert_allclose(recording.positions[:, 0], positions, rtol=1e-6)
    assert any(note.startswith("warning: the body is ") for note in recording.history)


def test_a_limb_that_is_seen_in_few_frames_tells():
    positions = person.standing()
    positions[3:] = np.nan
    assert body_of(positions).stature() == pytest.approx(1.7, rel=0.1)


@pytest.mark.parametrize(
    ("stature", "name"),
    [
        (1.7, "metres"), (0.9, "metres"), (5.6, "feet"), (30, "CMU units"), (24, "CMU units"), (67, "inches"),
        (76, "inches"), (170, "centimetres"), (100, "centimetres"), (85, "centimetres"), (210, "centimetres"),
        (1700, "millimetres"), (1000, "millimetres"), (600, "millimetres"),
    ],
)  # fmt: skip
def test_adults_and_children_have_their_unit(stature, name):
    metres, found = likely_unit(stature)
    assert found == name
    assert 0.5 <= stature * metres <= 2.5


@pytest.mark.parametrize(("scale", "unit"), [(1000, "millimetres"), (100, "centimetres"), (1 / 0.3048, "feet")])
def test_an_npz_that_is_not_in_metres_is_read_by_the_body_and_told(tmp_path, scale, unit):
    recording = read(write(tmp_path, scale * person.standing())).recording
    np.testing.assert_allclose(recording.positions[:, 0], person.standing(), atol=1e-4)
    note = next(note for note in recording.history if note.startswith("decided: the unit is "))
    assert note.startswith(f"decided: the unit is {unit}, by the body (1.71 m tall, not ")


def test_a_stated_unit_holds_and_a_body_of_another_size_is_warned_of(tmp_path):
    for fields, options in (({"unit": "m"}, None), ({}, ReadOptions(unit="m")), ({}, ReadOptions(unit=1.0))):
        recording = read(write(tmp_path, 3.2 * person.standing(), **fields), options=options).recording
        np.testing.assert_allclose(recording.positions[:, 0], 3.2 * person.standing(), rtol=1e-6)
        assert any("warning: the body is 5" in note and "--unit" in note for note in recording.history)
    child = read(write(tmp_path, 0.6 * person.standing())).recording
    assert not any(note.startswith(("warning", "decided")) for note in child.history)


@pytest.mark.parametrize(("name", "metres"), [("m", 1), ("cm", 0.01), ("mm", 0.001), ("in", 0.0254), ("ft", 0.3048)])
def test_units_have_names(tmp_path, name, metres):
    path = write(tmp_path, person.standing() / metres)
    for recording in (
        read(path, options=ReadOptions(unit=name)).recording,
        read(write(tmp_path, person.standing() / metres, unit=name)).recording,
    ):
        np.testing.assert_allclose(recording.positions[:, 0], person.standing(), atol=1e-5)


# ---- up --------------------------------------------------------------------------------------------------------


def test_turns_are_rotations_and_bring_the_axis_up():
    for axis, turn in _TURN_UP.items():
        assert np.linalg.det(turn) == pytest.approx(1)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3))
        unit = np.eye(3)["xyz".index(axis[-1])] * (-1 if axis[0] == "-" else 1)
        np.testing.assert_allclose(turn @ unit, [0, 1, 0])


@pytest.mark.parametrize("axis", ["z", "-y", "-z"])
def test_a_body_that_stands_along_another_axis_is_turned_and_told(tmp_path, axis):
    recording = read(write(tmp_path, UP[axis](person.standing()))).recording
    np.testing.assert_allclose(recording.positions[:, 0], person.standing(), atol=1e-5)
    note = f"decided: {axis} is up, not y, by the body (the head is above the legs in 100 % of the frames)"
    assert note in recording.history
    given = read(write(tmp_path, UP[axis](person.standing())), options=ReadOptions(up=axis)).recording
    assert given.checksum() == recording.checksum()
    assert not any(note.startswith("decided") for note in given.history)


def test_a_given_axis_that_the_body_contradicts_is_used_and_doubted(tmp_path):
    given = read(write(tmp_path, person.standing()), options=ReadOptions(up="-y")).recording
    assert any(note.startswith("warning: --up is -y, but y is: the head is above the legs") for note in given.history)
    right = read(write(tmp_path, person.standing()), options=ReadOptions(up="y")).recording
    assert not any(note.startswith("warning") for note in right.history)


@pytest.mark.parametrize(("fps", "is_doubted"), [(1e9, True), (0.03, True), (25, False), (1000, False)])
def test_a_rate_that_no_motion_has_is_doubted(tmp_path, fps, is_doubted):
    recording = read(write(tmp_path, person.standing()), options=ReadOptions(fps=fps)).recording
    assert any("is no rate of motion" in note for note in recording.history) == is_doubted


@pytest.mark.parametrize("axis", ["x", "-x"])
def test_an_axis_that_hardly_points_up_is_asked_for(tmp_path, axis):
    positions = UP[axis](person.standing())
    recording = read(write(tmp_path, positions)).recording
    np.testing.assert_allclose(recording.positions[:, 0], positions, atol=1e-6)
    assert any(note.startswith("warning: the body lies along") and f"--up {axis}" in note for note in recording.history)


@pytest.mark.parametrize("angle", [0.0, 0.2, np.pi / 2, np.pi, -2.0])
def test_somebody_who_lies_on_the_floor_all_the_time_is_not_turned(tmp_path, angle):
    positions = person.lying(towards=angle)
    recording = read(write(tmp_path, positions)).recording
    np.testing.assert_allclose(recording.positions[:, 0], positions, atol=1e-6)


def test_somebody_who_lies_down_is_not_turned(tmp_path):
    positions = np.concatenate([person.standing(10), person.lying(90)])
    recording = read(write(tmp_path, positions)).recording
    np.testing.assert_allclose(recording.positions[:, 0], positions, atol=1e-6)
    assert "y up (the format's, the body does not tell)" in recording.history[0]


def test_what_kinespan_wrote_is_never_turned_or_scaled(tmp_path):
    upside_down = read(write(tmp_path, UP["-y"](person.standing())), options=ReadOptions(up="y", unit=3.0)).recording
    again = read(save_npz(upside_down, tmp_path / "again.npz")).recording
    assert again.checksum() == upside_down.checksum()


def test_a_body_without_head_or_legs_keeps_the_axis_of_the_format(tmp_path):
    names = [name for name in person.JOINTS if "Leg" not in name and "Foot" not in name and "Toe" not in name]
    names += ["LeftUpLeg", "RightUpLeg"]
    indices = [person.JOINTS.index(name) for name in names]
    parents = [-1 if name == "Hips" else names.index(person.BODY[name][0]) for name in names]
    positions = UP["z"](person.standing())[:, indices]
    recording = read(write(tmp_path, positions, joints=np.array(names), parents=np.array(parents))).recording
    np.testing.assert_allclose(recording.positions[:, 0], positions, atol=1e-6)
    assert any("y up (the format's, with no head and legs to tell by)" in note for note in recording.history)


def height(recording):
    parts = recording.skeleton.body_parts
    return (recording.positions[:, 0, parts.index("head")] - recording.positions[:, 0, parts.index("left_ankle")])[:, 1]


def test_bvh_with_z_up_in_offsets_and_motion_is_turned(tmp_path):
    (tmp_path / "x.bvh").write_text(bvh(UP["z"], lambda frame: (0.1 * frame, 0, person.HEIGHT)))
    recording = read(tmp_path / "x.bvh").recording
    assert (height(recording) > 1.2).all()
    assert any(note.startswith("decided: z is up, not y") for note in recording.history)


@pytest.mark.parametrize(("floor", "turned"), [((5.0, person.HEIGHT), True), ((0.12, 1.7), False)])
def test_bvh_whose_rest_pose_stands_along_y_is_turned_only_on_the_floor_of_another_axis(tmp_path, floor, turned):
    """The root turns the y-up rest pose by 90 degrees about x: z-up motion on a y-up body, or somebody who lies."""
    y, z = floor
    (tmp_path / "x.bvh").write_text(bvh(lambda offset: offset, lambda frame: (0.1 * frame, y, z, 0, 90)))
    recording = read(tmp_path / "x.bvh").recording
    assert bool((height(recording) > 1.2).all()) == turned
    assert any(note.startswith("decided: z is up") for note in recording.history) == turned
    assert any(note.startswith("warning: the body lies along z") for note in recording.history) != turned


# ---- decisions of many recordings ------------------------------------------------------------------------------


def test_decisions_are_counted_and_their_first_details_shown():
    histories = {
        "a": ("read as bvh: ...", "decided: the unit is cm, by the body (1.71 m tall)", "warning: nobody"),
        "b": ("decided: the unit is cm, by the body (1.65 m tall)", "decided: z is up (100 %)"),
        "c": ("read as npz: ...", "decided: z is up (100 %)"),
    }
    assert decisions(histories) == (
        "2 of 3 recordings, such as a: the unit is cm, by the body (such as 1.71 m tall)",
        "warning: 1 of 3 recordings, a: nobody",
        "2 of 3 recordings, such as b: z is up (100 %)",
    )
    assert decisions({"a": histories["a"]})[0] == "the unit is cm, by the body (1.71 m tall)"
    assert decisions({}) == ()
