"""Acclaim ASF/AMC against poses computed by hand and slow loops; rate, companions and broken files."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kinespan.errors import InputError
from kinespan.io import ReadOptions, read
from kinespan.io.acclaim import read_asf

# name: (parent, direction, length, axis in degrees, dof)
BONES = {
    "lhipjoint": ("root", (1, 0, 0), 2, (0, 0, 0), ""),
    "lfemur": ("lhipjoint", (0, -1, 0), 7, (0, 0, 20), "rx ry rz"),
    "ltibia": ("lfemur", (0, -2, 0), 7, (0, 0, 20), "rx"),
    "rhipjoint": ("root", (-1, 0, 0), 2, (0, 0, 0), ""),
    "rfemur": ("rhipjoint", (0, -1, 0), 7, (0, 0, -20), "rx ry rz"),
    "rtibia": ("rfemur", (0, -1, 0), 7, (0, 0, -20), "rx"),
    "thorax": ("root", (0, 1, 0), 6, (0, 0, 0), "rz ry rx"),
    "head": ("thorax", (0, 1, 0), 5, (10, 20, 30), "rx rz"),
    "lclavicle": ("thorax", (1, 0, 0), 3, (0, 0, 0), "ry rz"),
    "lhumerus": ("lclavicle", (1, 0, 0), 5, (180, -30, -90), "rx ry rz"),
    "rclavicle": ("thorax", (-1, 0, 0), 3, (0, 0, 0), "ry rz"),
    "rhumerus": ("rclavicle", (-1, 0, 0), 5, (180, 30, 90), "rx ry rz"),
}
JOINTS = ["root", *BONES]
WIDTHS = {"root": 6} | {name: len(bone[4].split()) for name, bone in BONES.items() if bone[4]}


def asf(length=0.45, angle="deg", extra=""):
    bones = ""
    for number, (name, (_, direction, size, axis, dof)) in enumerate(BONES.items(), start=1):
        bones += f"  begin\n     id {number}\n     name {name}\n     direction {' '.join(map(str, direction))}\n"
        bones += f"     length {size}\n     axis {' '.join(map(str, axis))}  XYZ\n"
        bones += f"    dof {dof}\n    limits (-160.0 20.0)\n           (-70.0 70.0)\n" if dof else ""
        bones += "  end\n"
    tree = "".join(f"    {parent} {name}\n" for name, (parent, *_) in BONES.items())
    return (
        f"# comment\n:version 1.10\n:name VICON\n:units\n  mass 1.0\n  length {length}\n  angle {angle}\n"
        ":documentation\n   made\n:root\n   order TX TY TZ RX RY RZ\n   axis XYZ\n"
        "   position 0 0 0\n   orientation 0 0 0\n"
        f":bonedata\n{bones}:hierarchy\n  begin\n{tree}  end\n{extra}"
    )


def motion(frames=3, seed=0):
    """Values of each bone (T, width)."""
    rng = np.random.default_rng(seed)
    return {name: rng.uniform(-90, 90, size=(frames, width)).round(4) for name, width in WIDTHS.items()}


def amc_text(values, order=None, heading=":DEGREES"):
    text = f"#!OML:ASF f\xfcr\n:FULLY-SPECIFIED\n{heading}\n"
    for frame in range(len(values["root"])):
        names = order(frame) if order else list(values)
        text += f"{frame + 1}\n" + "".join(f"{name} {' '.join(map(str, values[name][frame]))}\n" for name in names)
    return text


def write(folder, text, name="HDM_bd_kickLFront1Reps_003_120.amc", skeleton=None):
    (folder / "HDM_bd.asf").write_text(asf() if skeleton is None else skeleton)
    path = folder / name
    path.write_text(text, encoding="latin-1")
    return path


def turn(axis, degrees):
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array(
        {
            "x": [[1, 0, 0], [0, cos, -sin], [0, sin, cos]],
            "y": [[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]],
            "z": [[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]],
        }[axis]
    )


def slow(values, frame):
    """Positions (J, 3) in file units of one frame: x turns first, then y, then z, about the bone's own axes."""
    root = values["root"][frame]
    places = {"root": root[:3]}
    turns = {"root": turn("z", root[5]) @ turn("y", root[4]) @ turn("x", root[3])}
    for name, (parent, direction, length, axis, dof) in BONES.items():
        own = turn("z", axis[2]) @ turn("y", axis[1]) @ turn("x", axis[0])
        angle = dict(zip(dof.split(), values[name][frame], strict=True)) if dof else {}
        moved = turn("z", angle.get("rz", 0)) @ turn("y", angle.get("ry", 0)) @ turn("x", angle.get("rx", 0))
        turns[name] = turns[parent] @ own @ moved @ own.T
        unit = np.array(direction) / np.linalg.norm(direction)
        places[name] = places[parent] + turns[name] @ (unit * length)
    return np.stack([places[name] for name in JOINTS])


def test_amc_rest_pose_by_hand(tmp_path):
    rest = {name: np.zeros((1, width)) for name, width in WIDTHS.items()}
    rest["root"][0, :3] = 1, 16, 3
    recording = read(write(tmp_path, amc_text(rest))).recording
    unit = 2.54 / 0.45 / 100
    assert recording.skeleton.joints == tuple(JOINTS)
    np.testing.assert_allclose(recording.positions[0, 0, JOINTS.index("ltibia")], np.array([3, 2, 3]) * unit, rtol=1e-6)
    np.testing.assert_allclose(
        recording.positions[0, 0, JOINTS.index("rhumerus")], np.array([-7, 22, 3]) * unit, rtol=1e-6
    )


def test_amc_bent_knee_by_hand(tmp_path):
    flat = asf().replace("axis 0 0 20  XYZ", "axis 0 0 0  XYZ")
    rest = {name: np.zeros((1, width)) for name, width in WIDTHS.items()}
    rest["ltibia"][0, 0] = 90  # about x: what pointed down points back
    recording = read(write(tmp_path, amc_text(rest), skeleton=flat), options=ReadOptions(unit=1.0)).recording
    np.testing.assert_allclose(recording.positions[0, 0, JOINTS.index("ltibia")], [2, -7, -7], atol=1e-6)


def test_amc_agrees_with_the_slow_reference(tmp_path):
    values = motion(5)
    recording = read(write(tmp_path, amc_text(values)), options=ReadOptions(unit=1.0)).recording
    np.testing.assert_allclose(recording.positions[:, 0], [slow(values, frame) for frame in range(5)], atol=1e-4)


def test_angles_in_radians_are_read(tmp_path):
    values = motion(2)
    small = {name: np.deg2rad(array) for name, array in values.items()}
    small["root"][:, :3] = values["root"][:, :3]
    one = read(write(tmp_path, amc_text(values))).recording
    two = read(write(tmp_path, amc_text(small, heading=":RADIANS"))).recording
    np.testing.assert_allclose(one.positions, two.positions, atol=1e-5)


def test_bones_in_any_order_read_as_in_one_order(tmp_path):
    values = motion(4)
    names = list(values)
    mixed = read(write(tmp_path, amc_text(values, lambda frame: names if frame % 2 else names[::-1]))).recording
    plain = read(write(tmp_path, amc_text(values))).recording
    assert mixed.checksum() == plain.checksum()


def test_a_bone_missing_in_every_frame_rests(tmp_path):
    values = motion(3)
    values["lhumerus"][:] = 0
    rest = {name: array for name, array in values.items() if name != "lhumerus"}
    assert (
        read(write(tmp_path, amc_text(values))).recording.checksum()
        == read(write(tmp_path, amc_text(rest))).recording.checksum()
    )


def test_amc_gives_body_parts_attributes_and_history(tmp_path):
    take = read(write(tmp_path, amc_text(motion())))
    recording = take.recording
    assert take.annotation is None
    assert dict(recording.attributes) == {"actor": "bd", "action": "kickLFront1Reps", "take": "003"}
    assert recording.history[0] == "skeleton from HDM_bd.asf"
    named = dict(zip(recording.skeleton.body_parts, JOINTS, strict=True))
    assert (named["left_hip"], named["left_knee"], named["left_ankle"]) == ("lhipjoint", "lfemur", "ltibia")
    assert (named["right_shoulder"], named["right_elbow"]) == ("rclavicle", "rhumerus")


def test_the_rate_comes_from_the_name_or_the_options(tmp_path):
    assert read(write(tmp_path, amc_text(motion()))).recording.fps == 120
    path = write(tmp_path, amc_text(motion()), "HDM_bd_walk.amc")
    with pytest.raises(InputError, match=r"HDM_bd_walk.amc: the file states no frame rate.*--fps 120"):
        read(path)
    assert read(path, options=ReadOptions(fps=60)).recording.fps == 60
    assert dict(read(path, options=ReadOptions(fps=60)).recording.attributes) == {}


def test_the_asf_file_is_chosen_by_name(tmp_path):
    text = amc_text(motion())
    path = write(tmp_path, text, "walk_120.amc")
    assert "skeleton from HDM_bd.asf" in read(path).recording.history  # the only one
    (tmp_path / "HDM_mm.asf").write_text(asf(length=0.9))
    assert read(write(tmp_path, text)).recording.positions.any()  # by the beginning of the name
    with pytest.raises(InputError, match=r"which ASF skeleton.*HDM_bd.asf, HDM_mm.asf.*--asf walker.asf"):
        read(path)
    given = read(path, options=ReadOptions(asf=tmp_path / "HDM_mm.asf")).recording
    assert "skeleton from HDM_mm.asf" in given.history
    np.testing.assert_allclose(given.positions * 2, read(write(tmp_path, text)).recording.positions, rtol=1e-5)
    with pytest.raises(InputError, match=r"gone\.asf"):
        read(path, options=ReadOptions(asf=tmp_path / "gone.asf"))
    for file in tmp_path.glob("*.asf"):
        file.unlink()
    with pytest.raises(InputError, match="Beside it: none"):
        read(path)


TEXT = amc_text(motion())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT.replace("ltibia ", "ltibia 1 ", 1), ":7: found 2 values for ltibia, expected 1"),
        (TEXT.replace("ltibia ", "lshin ", 1), ":7: bone 'lshin' is not in the ASF skeleton"),
        (TEXT.replace("ltibia ", "ltibia n", 1), ":7: found 'n"),
        (TEXT.replace("rtibia ", "ltibia ", 1), "bone 'ltibia' occurs twice in one frame"),
        ("\n".join(TEXT.split("\n")[:-2]), "frame 3 ends without bone 'rhumerus'"),
        ("\n".join(TEXT.split("\n")[:3]), ":3: the file ends before the first frame"),
        (TEXT.split("\n2\n")[0].replace("root", "# root"), "no frame with a line 'root'"),
    ],
)
def test_a_broken_motion_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(InputError) as caught:
        read(write(tmp_path, text), format="amc")
    assert message in str(caught.value)
    assert "_120.amc" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((":hierarchy", ":tree"), "section :hierarchy is missing"),
        (("length 0.45", "length 0"), ":6: length is 0.0"),
        (("length 0.45", "length x"), ":6: 'length x', expected length and 1 numbers"),
        (("axis XYZ", "axis XYX"), "axis order is 'XYX'"),
        (("order TX TY TZ RX RY RZ", "order TX TY L"), "root order 'TX TY L'"),
        (("position 0 0 0", "position 1 0 0"), "root position is not 0 0 0"),
        (("dof rx ry rz", "dof rx l"), "dof 'rx l' of bone 'lfemur'"),
        (("name lfemur", "name lhipjoint"), "two bones are named 'lhipjoint'"),
        (("     length 7\n", ""), "the bone that ends here has no length"),
        (("direction 0 -2 0", "direction 0 0 0"), "bone 'ltibia' has no direction"),
        (("lfemur ltibia", "lfemur lshin"), "bone 'lshin' is not in :bonedata"),
        (("    lfemur ltibia\n", ""), "bones without a parent in :hierarchy: ltibia"),
        (("lfemur ltibia", "lfemur ltibia lfemur"), "bone 'lfemur' has two parents"),
        (("    root lhipjoint\n", ""), "bone 'lhipjoint' has children before it has a parent"),
        (("# comment", "hello"), ":1: found 'hello'"),
    ],
)
def test_a_broken_skeleton_is_refused_with_its_line(tmp_path, change, message):
    broken = asf().replace(*change, 1)
    assert broken != asf()
    with pytest.raises(InputError) as caught:
        read(write(tmp_path, amc_text(motion()), skeleton=broken))
    assert message in str(caught.value)
    assert "HDM_bd.asf" in str(caught.value)


def test_the_unit_is_inches_over_the_length_scale(tmp_path):
    path = tmp_path / "x.asf"
    path.write_text(asf(length=0.45))
    assert read_asf(path).unit == pytest.approx(0.0254 / 0.45)
    path.write_text(asf(length=1.0))
    assert read_asf(path).unit == pytest.approx(0.0254)


@pytest.mark.parametrize(("length", "told"), [(0.45, False), (25.4, True)])
def test_the_unit_of_an_asf_holds_unless_nobody_is_so_tall(tmp_path, length, told):
    """Bones in CMU units, inches / 0.45, whatever the units section says of them."""
    rest = {name: np.zeros((2, width)) for name, width in WIDTHS.items()}
    recording = read(write(tmp_path, amc_text(rest), skeleton=asf(length))).recording
    femur = np.linalg.norm(recording.positions[0, 0, 2] - recording.positions[0, 0, 1])
    assert femur == pytest.approx(7 * 0.0254 / 0.45, rel=1e-3)
    notes = [note for note in recording.history if note.startswith("decided: the unit is CMU units, by the body (")]
    assert len(notes) == told


def test_an_asf_in_millimetres_is_read_by_the_body_and_told(tmp_path):
    rest = {name: np.zeros((2, width)) for name, width in WIDTHS.items()}
    lines = asf(1.0).split("\n")
    millimetres = 25.4 / 0.45
    lines = [f"     length {float(x.split()[1]) * millimetres}" if x.startswith("     length") else x for x in lines]
    recording = read(write(tmp_path, amc_text(rest), skeleton="\n".join(lines))).recording
    femur = np.linalg.norm(recording.positions[0, 0, 2] - recording.positions[0, 0, 1])
    assert femur == pytest.approx(7 * millimetres / 1000, rel=1e-3)
    note = next(
        note for note in recording.history if note.startswith("decided: the unit is millimetres, by the body (")
    )
    assert "by the skeleton's inches and length scale)" in note
