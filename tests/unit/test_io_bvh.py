"""BVH against hand-computed poses, slow loops and pybvh; rate, unit, end sites and broken files."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinespan.errors import InputError
from kinespan.io import ReadOptions, read
from kinespan.io.bvh import Node, forward_kinematics, rate_of
from kinespan.io.rotations import chained

BODY = (
    ("Hips", None, (0, 0, 0)), ("LeftUpLeg", "Hips", (10, -2, 0)), ("LeftLeg", "LeftUpLeg", (0, -42, 1)),
    ("LeftFoot", "LeftLeg", (0, -40, -2)), ("RightUpLeg", "Hips", (-10, -2, 0)),
    ("RightLeg", "RightUpLeg", (0, -42, 1)),
    ("RightFoot", "RightLeg", (0, -40, -2)), ("Spine", "Hips", (0, 20, 1)), ("Spine1", "Spine", (0, 20, -1)),
    ("Neck", "Spine1", (0, 15, 0)), ("Head", "Neck", (0, 10, 2)), ("LeftArm", "Spine1", (18, 12, 0)),
    ("LeftForeArm", "LeftArm", (28, 0, 0)), ("LeftHand", "LeftForeArm", (25, 0, 0)),
    ("RightArm", "Spine1", (-18, 12, 0)), ("RightForeArm", "RightArm", (-28, 0, 0)),
    ("RightHand", "RightForeArm", (-25, 0, 0)),
)  # fmt: skip
NAMES = [name for name, _, _ in BODY]
PARENTS = [-1 if parent is None else NAMES.index(parent) for _, parent, _ in BODY]
ENDS = {
    "LeftFoot": (0, -8, 14),
    "RightFoot": (0, -8, 14),
    "Head": (0, 18, 0),
    "LeftHand": (0, 0, 0),
    "RightHand": (0, 0, 0),
}
ORDER = "Zrotation Xrotation Yrotation"


def bvh(values, channels=None, body=BODY, frame_time="0.0083333", frames=None, ends=ENDS):
    """Text of a BVH file over `body`; `channels` gives those of a joint where they are not the usual."""
    root = "Xposition Yposition Zposition " + ORDER
    chosen = {name: root if parent is None else ORDER for name, parent, _ in body} | (channels or {})

    def joint(name, offset, pad):
        names = chosen[name].split()
        lines = [f"{pad}{'JOINT' if pad else 'ROOT'} {name}", pad + "{", f"{pad}\tOFFSET {' '.join(map(str, offset))}"]
        lines.append(f"{pad}\tCHANNELS {len(names)} {' '.join(names)}")
        for child, parent, at in body:
            if parent == name:
                lines += joint(child, at, pad + "\t")
        if name in ends:
            lines += [f"{pad}\tEnd Site", pad + "\t{", f"{pad}\t\tOFFSET {' '.join(map(str, ends[name]))}", pad + "\t}"]
        return [*lines, pad + "}"]

    head = ["HIERARCHY", *joint(body[0][0], body[0][2], ""), "MOTION"]
    count = len(values) if frames is None else frames
    rows = [" ".join(f"{value:.6f}" for value in row) for row in values]
    return "\n".join([*head, f"Frames: {count}", f"Frame Time: {frame_time}", *rows]) + "\n"


def write(folder, text, name="made.bvh"):
    path = folder / name
    path.write_text(text)
    return path


WIDTH = 3 + 3 * len(BODY)


def random_values(frames=7, seed=0, width=WIDTH):
    return np.random.default_rng(seed).uniform(-180, 180, size=(frames, width))


def test_bvh_rest_pose_is_the_sum_of_offsets(tmp_path):
    recording = read(write(tmp_path, bvh(np.zeros((2, WIDTH))))).recording
    index = recording.skeleton.joints.index
    assert recording.positions[0, 0, index("LeftFoot")].tolist() == pytest.approx([0.10, -0.84, -0.01])
    assert recording.positions[1, 0, index("Head")].tolist() == pytest.approx([0, 0.65, 0.02])


def test_bvh_rotation_by_hand(tmp_path):
    values = np.zeros((1, WIDTH))
    values[0, :3] = 100, 200, 300
    values[0, 3] = 90  # the root turns about z: what pointed to x points to y
    recording = read(write(tmp_path, bvh(values))).recording
    arm = recording.positions[0, 0, recording.skeleton.joints.index("LeftForeArm")]
    # From the hips (46, 52, 0) centimetres, turned: (-52, 46, 0).
    assert arm.tolist() == pytest.approx([0.48, 2.46, 3.00])


def slow(values, channels):
    """Positions (T, J, 3), one frame, joint and channel after the other, with complex-free plain trigonometry."""
    out = np.zeros((len(values), len(BODY), 3))
    for frame, row in enumerate(values):
        turns, at = [], 0
        for joint, (name, parent, offset) in enumerate(BODY):
            place, turn = np.array(offset, dtype=float), np.eye(3)
            for channel in channels[name].split():
                value, axis = row[at], "XYZ".index(channel[0])
                at += 1
                if channel.endswith("position"):
                    place[axis] += value
                    continue
                cos, sin = math.cos(math.radians(value)), math.sin(math.radians(value))
                one = [[[1, 0, 0], [0, cos, -sin], [0, sin, cos]], [[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]],
                       [[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]][axis]  # fmt: skip
                turn = turn @ np.array(one)
            if parent is not None:
                above = PARENTS[joint]
                place = out[frame, above] + turns[above] @ place
                turn = turns[above] @ turn
            out[frame, joint] = place
            turns.append(turn)
    return out


@pytest.mark.parametrize("seed", range(4))
def test_any_channel_order_agrees_with_the_slow_reference(tmp_path, seed):
    rng = np.random.default_rng(seed)
    channels = {}
    for name, parent, _ in BODY:
        names = list(rng.permutation(["Xrotation", "Yrotation", "Zrotation"]))[: rng.integers(0 if parent else 1, 4)]
        if parent is None:
            names = list(rng.permutation(["Xposition", "Yposition", "Zposition", *names]))
        channels[name] = " ".join(names)
    width = sum(len(names.split()) for names in channels.values())
    values = random_values(5, seed, width)
    recording = read(write(tmp_path, bvh(values, channels, ends={})), options=ReadOptions(unit=1.0)).recording
    np.testing.assert_allclose(recording.positions[:, 0], slow(np.round(values, 6), channels), atol=1e-3)


def test_bvh_agrees_with_pybvh(tmp_path):
    pybvh = pytest.importorskip("pybvh")
    path = write(tmp_path, bvh(random_values(9)))
    oracle = pybvh.read_bvh_file(path, warn_on_world_up_disagreement=False)
    recording = read(path, options=ReadOptions(unit=1.0)).recording
    columns = [recording.skeleton.joints.index(name) for name in oracle.joint_names]
    np.testing.assert_allclose(recording.positions[:, 0, columns], oracle.joint_positions(), atol=1e-3)


def test_position_channels_near_the_offset_replace_it(tmp_path):
    six = dict.fromkeys(NAMES, "Xposition Yposition Zposition " + ORDER)
    values = np.zeros((3, 6 * len(BODY)))
    for joint, (_, _, offset) in enumerate(BODY):
        values[:, 6 * joint : 6 * joint + 3] = offset
    replaced = read(write(tmp_path, bvh(values, six))).recording
    added = read(write(tmp_path, bvh(np.zeros((3, 6 * len(BODY))), six), "other.bvh")).recording
    np.testing.assert_allclose(replaced.positions, added.positions, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("0.016667", 60), ("0.0166667", 60), ("0.00833333", 120), ("0.03333", 30), ("0.0333333", 30), ("0.04", 25),
        ("0.01", 100), ("8.33333e-03", 120), ("0.0417", 24), ("0.033367", 1 / 0.033367), ("0.0335", 1 / 0.0335),
        ("1.5", 1 / 1.5), ("1", 1),
    ],
)  # fmt: skip
def test_whole_rates_are_recovered_from_printed_digits(text, rate):
    assert rate_of(text) == pytest.approx(rate, rel=1e-12)


@given(st.integers(5, 240))
def test_whole_rates_survive_printing(rate):
    assert rate_of(f"{1 / rate:.7f}") == rate


def test_a_frame_time_of_zero_needs_a_rate(tmp_path):
    path = write(tmp_path, bvh(np.zeros((2, WIDTH)), frame_time="0"))
    with pytest.raises(InputError, match=r"made.bvh: Frame Time is 0, .*--fps 60"):
        read(path)
    assert read(path, options=ReadOptions(fps=60)).recording.fps == 60


@pytest.mark.parametrize(
    ("scale", "unit"),
    [(1, "centimetres"), (0.01, "metres"), (10, "millimetres"), (1 / 2.54, "inches"), (0.177, "CMU units")],
)
def test_the_unit_is_guessed_from_the_size_of_the_body(tmp_path, scale, unit):
    body = tuple((name, parent, tuple(scale * x for x in offset)) for name, parent, offset in BODY)
    values = random_values(3)
    values[:, :3] = 0
    recording = read(write(tmp_path, bvh(values, body=body))).recording
    assert f"({unit}, by the body)" in recording.history[0]
    assert recording.history[1].startswith(f"decided: the unit is {unit}, by the body (1.6")
    thigh = np.linalg.norm(recording.positions[:, 0, 2] - recording.positions[:, 0, 1], axis=-1)
    np.testing.assert_allclose(thigh, 0.42, rtol=0.02)


def test_the_unit_of_a_body_without_extent_is_centimetres_and_asked_for(tmp_path):
    body = tuple((name, parent, (0, 0, 0)) for name, parent, _ in BODY)
    recording = read(write(tmp_path, bvh(np.zeros((2, WIDTH)), body=body, ends={}))).recording
    assert "0.01 m per unit (centimetres, for want of a body to measure)" in recording.history[0]
    assert any(note.startswith("warning: nothing says the unit") and "--unit" in note for note in recording.history)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("0.017", 60), ("0.008", 120), ("0.033", 30), ("0.0166", 60), ("0.042", 24), ("0.0083", 120), ("0.005", 200),
        ("0.002", 500), ("0.016", 60), ("0.02", 50), ("0.0213", 47),
    ],
)  # fmt: skip
def test_few_digits_mean_the_usual_rate(text, rate):
    assert rate_of(text) == pytest.approx(rate, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "rate", "what"),
    [
        ("30", 30, "a rate"), ("120.0", 120, "a rate"), ("25", 25, "a rate"), ("33.333", 30, "milliseconds"),
        ("16.67", 60, "milliseconds"), ("17", 60, "milliseconds"), ("8.333333", 120, "milliseconds"),
        ("40", 25, "milliseconds"),
    ],
)  # fmt: skip
def test_a_frame_time_that_is_a_rate_or_milliseconds_is_read_as_such_and_told(tmp_path, text, rate, what):
    recording = read(write(tmp_path, bvh(np.zeros((2, WIDTH)), frame_time=text))).recording
    assert recording.fps == rate
    assert recording.history[0] == (
        f"decided: {rate} frames a second by the Frame Time ({text} cannot be seconds, it is {what})"
    )


@pytest.mark.parametrize("text", ["1", "2", "0", "35.5", "1e5", "0.00001", "-0.01"])
def test_a_frame_time_that_means_no_rate_is_asked_for(tmp_path, text):
    path = write(tmp_path, bvh(np.zeros((2, WIDTH)), frame_time=text))
    with pytest.raises(InputError, match=rf"Frame Time is {text}, expected seconds; give the rate, .*--fps 60"):
        read(path)
    assert read(path, options=ReadOptions(fps=50)).recording.fps == 50


def test_a_rate_by_few_digits_is_told(tmp_path):
    few = read(write(tmp_path, bvh(np.zeros((2, WIDTH)), frame_time="0.017"))).recording
    assert few.fps == 60
    assert few.history[0].startswith("decided: 60 frames a second by the Frame Time (0.017: ")
    many = read(write(tmp_path, bvh(np.zeros((2, WIDTH)), frame_time="0.016667"))).recording
    assert not any("Frame Time (" in note for note in many.history)


@pytest.mark.parametrize("announced", [4, 6])
def test_one_row_more_or_less_than_announced_is_read_and_told(tmp_path, announced):
    recording = read(write(tmp_path, bvh(random_values(5), frames=announced))).recording
    assert recording.num_frames == 5
    note = f"decided: all rows are read (5 frames, though 'Frames:' says {announced})"
    assert note in recording.history


def test_rows_of_another_width_are_refused_by_line_though_their_sum_is_right(tmp_path):
    rows = bvh(np.zeros((3, WIDTH))).split("\n")
    rows[FIRST - 1] += " 0.0"
    rows[FIRST] = rows[FIRST].rsplit(" ", 1)[0]
    message = rf"made.bvh:{FIRST}: frame 1 \(line {FIRST}\) has {WIDTH + 1} values, expected {WIDTH}, one for each"
    with pytest.raises(InputError, match=message):
        read(write(tmp_path, "\n".join(rows)))


SIX = "Xposition Yposition Zposition " + ORDER


def at_the_hips(values, body=BODY, channels=None):
    def positions(folder):
        recording = read(write(folder, bvh(values, channels, body, ends={})), options=ReadOptions(unit=1.0)).recording
        return recording, recording.positions[:, 0, recording.skeleton.joints.index("Hips")]

    return positions


@pytest.mark.parametrize("offset", [(-287.5, 92.5, 338.1), (0, 95, 0), (0, 0, 0)])
@pytest.mark.parametrize("height", [95.0, 22.0])
def test_the_root_is_where_its_channels_say_whatever_its_offset(tmp_path, offset, height):
    body = (("Hips", None, offset), *BODY[1:])
    values = np.zeros((4, WIDTH))
    values[:, 0], values[:, 1] = np.arange(4), height
    recording, hips = at_the_hips(values, body)(tmp_path)
    np.testing.assert_allclose(hips, values[:, :3], atol=1e-5)
    differs = any(offset)
    assert ("position channels replace the OFFSETs of their joints" in recording.history) == differs


def test_hips_under_a_still_root_are_where_their_channels_say(tmp_path):
    body = (("Reference", None, (0, 0, 0)), ("Hips", "Reference", (0.85, 94, -452.2)), *BODY[1:])
    values = np.zeros((4, WIDTH + 6))
    values[:, 6], values[:, 7] = np.arange(4), 95
    _, hips = at_the_hips(values, body, {"Hips": SIX})(tmp_path)
    np.testing.assert_allclose(hips, values[:, 6:9], atol=1e-5)


def test_channels_that_only_change_the_offsets_are_added_in_the_whole_file(tmp_path):
    channels = dict.fromkeys(NAMES, SIX)
    values = np.random.default_rng(0).normal(scale=0.01, size=(3, 6 * len(BODY)))
    values[:, 1] = 95  # the root: one rule for all
    body = (("Hips", None, (0, 3, 0)), *BODY[1:])
    recording, hips = at_the_hips(values, body, channels)(tmp_path)
    np.testing.assert_allclose(hips[:, 1], 98, atol=0.1)
    leg = recording.positions[:, 0, 2] - recording.positions[:, 0, 1]
    np.testing.assert_allclose(np.linalg.norm(leg, axis=1), math.hypot(42, 1), atol=0.1)
    assert any(note.startswith("decided: position channels are added to the OFFSETs (") for note in recording.history)


def test_end_sites_become_feet_and_hand_tips_only(tmp_path):
    recording = read(write(tmp_path, bvh(random_values()))).recording
    skeleton = recording.skeleton
    assert skeleton.num_joints == len(BODY) + 2
    named = dict(zip(skeleton.body_parts, skeleton.joints, strict=True))
    assert (named["left_foot"], named["right_foot"]) == ("LeftFoot_end", "RightFoot_end")
    toe, ankle = (skeleton.joints.index(name) for name in ("LeftFoot_end", "LeftFoot"))
    step = np.linalg.norm(recording.positions[:, 0, toe] - recording.positions[:, 0, ankle], axis=-1)
    np.testing.assert_allclose(step, math.hypot(0.08, 0.14), rtol=1e-4)
    toes = (*BODY, ("LeftToeBase", "LeftFoot", (0, -8, 10)), ("RightToeBase", "RightFoot", (0, -8, 10)))
    ends = {
        "LeftToeBase": (0, 0, 5),
        "RightToeBase": (0, 0, 5),
        "Head": (0, 18, 0),
        "LeftHand": (9, 0, 0),
        "RightHand": (-9, 0, 0),
    }
    width = WIDTH + 6
    again = read(write(tmp_path, bvh(np.zeros((2, width)), body=toes, ends=ends))).recording.skeleton
    assert [joint for joint in again.joints if joint.endswith("_end")] == ["LeftHand_end", "RightHand_end"]


def test_windows_line_ends_tabs_and_blank_lines_are_read(tmp_path):
    values = random_values()
    text = bvh(values)
    path = tmp_path / "dos.bvh"
    path.write_bytes(
        b"\xef\xbb\xbf" + text.replace("\n", "\r\n").replace("Frames: ", "Frames:\t").encode() + b"\r\n\r\n"
    )
    plain = read(write(tmp_path, text)).recording
    assert read(path).recording.checksum() == plain.checksum()


ROWS = bvh(np.zeros((3, WIDTH)))
FIRST = ROWS.split("\n").index("Frames: 3") + 3  # line number of the first frame


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ROWS.replace("Frames: 3", "Frames: 5"), "found 3 frames, but 'Frames:' says 5; the file is cut off"),
        (ROWS.replace("Frames: 3", "Frames: 1"), "found 3 frames, but 'Frames:' says 1; correct the number"),
        (ROWS.split("0.0083333\n")[0] + "0.0083333\n", "found 0 frames, but 'Frames:' says 3; the file is cut off"),
        (ROWS.replace("Frames: 3", "Frames: 0"), "Frames is '0'"),
        (ROWS.replace("Frames: 3", "Frames: three"), "Frames is 'three'"),
        (ROWS.replace("Frame Time: 0.0083333", "Frame Time: fast"), "Frame Time is 'fast'"),
        (ROWS.replace("Frames: 3", "Rows: 3"), "expected 'Frames:'"),
        (
            ROWS.rstrip("\n 0").rsplit(" ", 1)[0],
            f":{FIRST + 2}: frame 3 (line {FIRST + 2}) has {WIDTH - 1} values, expected {WIDTH}; the file is cut off",
        ),
        ("0.0 nan".join(ROWS.rsplit("0.000000 0.000000", 1)), f":{FIRST + 2}: found 'nan'"),
        ("0.0 x".join(ROWS.rsplit("0.000000 0.000000", 1)), f":{FIRST + 2}: found 'x'"),
        (ROWS.replace("CHANNELS 3", "CHANNELS 4", 1), "expected CHANNELS, a number"),
        (ROWS.replace("3 Zrotation Xrotation", "3 Wrotation Xrotation", 1), "expected CHANNELS, a number"),
        (ROWS.replace("3 Zrotation Xrotation", "3 Xrotation Xrotation", 1), "expected CHANNELS, a number"),
        (ROWS.replace("OFFSET 10 -2 0", "OFFSET 10 -2", 1), ":8: OFFSET '10 -2', expected three numbers"),
        (ROWS.replace("\t\tOFFSET 10 -2 0\n", ""), "joint 'LeftUpLeg' has no OFFSET"),
        (ROWS.replace("JOINT LeftLeg", "JOINT RightLeg"), "two joints are named 'RightLeg'"),
        (ROWS.replace("JOINT LeftLeg", "JOINT"), "JOINT without a name"),
        (ROWS.replace("JOINT LeftLeg", "ROOT LeftLeg"), "exactly one ROOT"),
        (ROWS.replace("}\nMOTION", "MOTION"), "1 '}' are missing before MOTION"),
        (ROWS.replace("}\nMOTION", "}\n}\nMOTION"), "a '}' too many"),
        (ROWS.replace("HIERARCHY\n", "HIERARCHY\n{\n"), ":2: a '{' without a ROOT"),
        (ROWS.replace("MOTION", "MOVES"), "did not expect 'MOVES' here"),
        (ROWS.split("MOTION")[0], "ends before the line MOTION"),
        (ROWS.split("Frame Time")[0], "ends before 'Frames:' and 'Frame Time:'"),
        ("ROOT x\n" + ROWS, ":1: found 'ROOT x', expected HIERARCHY"),
        ("HIERARCHY\0\n", "binary data"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(InputError) as caught:
        read(write(tmp_path, text), format="bvh")
    assert message in str(caught.value)
    assert "made.bvh" in str(caught.value)


def test_forward_kinematics_without_rotation_channels():
    nodes = [Node("a", -1, False, np.array([1.0, 2, 3])), Node("b", 0, True, np.array([0.0, 1, 0]))]
    assert forward_kinematics(nodes, np.zeros((2, 0))).tolist() == [[[1, 2, 3], [1, 3, 3]]] * 2


def test_chained_rotations_are_rotations():
    angles = np.random.default_rng(0).normal(size=(4, 5, 3))
    matrices = chained(angles, "zxy")
    np.testing.assert_allclose(
        matrices @ matrices.swapaxes(-1, -2), np.broadcast_to(np.eye(3), (4, 5, 3, 3)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(matrices), 1)
    assert chained(np.zeros((2, 0)), "").tolist() == [np.eye(3).tolist()] * 2
