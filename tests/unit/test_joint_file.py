"""Files for --joints: what the joints of a motion file are, and how it is read with them."""

from __future__ import annotations

import json
import textwrap

import numpy as np
import pytest

from kinespan.data.joint_file import read_joint_file
from kinespan.data.joint_map import joint_map
from kinespan.data.joint_names import skeleton_from_names
from kinespan.data.joint_proposals import as_yaml, propose_parts
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.io import ReadOptions, read

JOINTS = ("base", "hip_L", "hip_R", "kn_L", "kn_R", "arm", "elbow", "wrist", "marker_1", "marker_2")
PARENTS = (-1, 0, 0, 1, 2, 0, 5, 6, 7, 8)
SKELETON = skeleton_from_names("npz10", JOINTS, PARENTS)


def joint_file(tmp_path, text, name="lab.yaml"):
    path = tmp_path / name
    path.write_text(textwrap.dedent(text))
    return read_joint_file(path)


def apply(tmp_path, text, skeleton=SKELETON, name="lab.yaml"):
    return joint_file(tmp_path, text, name).apply(skeleton)


def test_names_parents_landmarks_and_left_out_joints(tmp_path):
    skeleton, kept = apply(
        tmp_path,
        """
        joints:
          kn_L: left_knee
          kn_R: right_knee
          hip_L: ""
        parents: {wrist: base, hip_R: }
        landmarks:
          root: [hip_L, hip_R]
          spine: base
        leave_out: [marker_1, elbow]
        """,
    )
    assert kept == (0, 1, 2, 3, 4, 5, 7, 9)
    assert skeleton.name == "lab"
    assert skeleton.joints == ("base", "hip_L", "hip_R", "kn_L", "kn_R", "arm", "wrist", "marker_2")
    # marker_2 hung on marker_1, which hung on wrist; hip_R hangs on nothing any more.
    assert skeleton.parents == (-1, 0, -1, 1, 2, 0, 0, 6)
    assert skeleton.body_parts == (None, None, "right_hip", "left_knee", "right_knee", None, None, None)
    assert (skeleton.root, skeleton.spine) == ((1, 2), (0,))
    assert skeleton.right_hip == (2,)
    assert skeleton.pairs == ((1, 2), (3, 4))


def test_a_part_that_the_file_gives_is_no_other_joints(tmp_path):
    skeleton, _ = apply(tmp_path, "joints: {arm: left_hip}")
    assert skeleton.body_parts[JOINTS.index("arm")] == "left_hip"
    assert skeleton.body_parts[JOINTS.index("hip_L")] is None
    assert (JOINTS.index("arm"), JOINTS.index("hip_R")) in skeleton.pairs


def test_a_mirrored_camera_may_swap_the_sides(tmp_path):
    skeleton, _ = apply(tmp_path, "joints: {hip_L: right_hip, hip_R: left_hip}")
    assert skeleton.left_hip == (JOINTS.index("hip_R"),)
    assert (JOINTS.index("hip_R"), JOINTS.index("hip_L")) in skeleton.pairs


def test_stars_leave_out_many(tmp_path):
    _, kept = apply(tmp_path, 'leave_out: ["marker*", "nothing*"]')
    assert kept == tuple(range(8))
    starred = skeleton_from_names("c3d", ["*1", "*12", "knee"], [-1, -1, -1])
    assert apply(tmp_path, 'leave_out: ["*1"]', starred)[1] == (1, 2)  # a joint of exactly that name comes first


def test_names_may_be_without_the_subject_and_digits(tmp_path):
    skeleton = skeleton_from_names("csv", ["anna:foo", "anna:bar", "7"], [-1, 0, 0])
    named, _ = apply(tmp_path, "joints: {foo: left_hip, anna:bar: right_hip, 7: head}", skeleton)
    assert named.body_parts == ("left_hip", "right_hip", "head")


def test_points_that_the_file_names_are_joined_as_in_a_body(tmp_path):
    points = skeleton_from_names("trc", ["left_knee", "left_ankle", "a", "b", "c"], [-1] * 5)
    assert points.parents == (-1, 0, -1, -1, -1)
    text = "joints: {a: left_hip, b: pelvis, c: right_hip}"
    assert apply(tmp_path, text, points)[0].parents == (2, 0, 3, -1, 3)
    assert apply(tmp_path, text + "\nparents: {c: }", points)[0].parents == (2, 0, 3, -1, -1)


def test_the_root_of_a_hierarchy_stays_its_root(tmp_path):
    skeleton, _ = apply(tmp_path, 'joints: {head: ""}', NTU_25, name="odd.yaml")
    assert skeleton.parents == NTU_25.parents


def test_a_known_skeleton_gets_another_name(tmp_path):
    skeleton, _ = apply(tmp_path, 'joints: {head: ""}', NTU_25, name="ntu25.yaml")
    assert skeleton.name == "ntu25-joints"
    assert "head" not in skeleton.body_parts


def test_a_proposal_can_be_pasted_into_a_file(tmp_path):
    """The way that an error message shows: what it proposes makes the skeleton map."""
    joints = ["Hips", "Spine", "Head"]
    parents = [-1, 0, 1]
    for side in ("L", "R"):
        for limb, start in (
            ("Upper A.", 1),
            ("Lower A.", None),
            ("Hnd", None),
            ("Up L", 0),
            ("Low L", None),
            ("Ft", None),
        ):
            parents.append(len(joints) - 1 if start is None else start)
            joints.append(f"{side} {limb}")
    skeleton = skeleton_from_names("x", joints, parents)
    with pytest.raises(InputError, match="--joints"):
        joint_map(skeleton, NTU_25)
    parts = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
    proposal = propose_parts(skeleton, [f"{side}_{part}" for side in ("left", "right") for part in parts])
    mapped, _ = apply(tmp_path, as_yaml(skeleton, proposal), skeleton)
    joint_map(mapped, NTU_25)
    named = dict(zip(mapped.body_parts, joints, strict=True))
    assert [named[f"left_{part}"] for part in parts] == [
        "L Up L",
        "L Low L",
        "L Ft",
        "L Upper A.",
        "L Lower A.",
        "L Hnd",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("joints: {hip_LL: left_hip}", r"lab.yaml: field joints: the motion file has no joint 'hip_LL'.*hip_L"),
        ("joints: {hip_L: lefthip}", r"field joints: hip_L: unknown body part 'lefthip'; did you mean 'left_hip'"),
        ("joints: {hip_L: left_hip, arm: left_hip}", r"field joints: hip_L, arm are all left_hip"),
        ("joints: [hip_L]", r"field joints: found \['hip_L'\], expected NAME: NAME"),
        ("joints: {no: left_hip}", r"field joints: found False.*quotes"),
        ("joints: {hip_L: [left_hip]}", r"field joints: hip_L: found \['left_hip'\]"),
        ("joint: {hip_L: left_hip}", r"unknown field 'joint'; did you mean 'joints'"),
        ("parents: {hip_L: bas}", r"field parents: the motion file has no joint 'bas'.*base"),
        ("parents: {hip_L: hip_L}", r"field parents: .*'hip_L' has parent index"),
        ("parents: {base: kn_L}", r"field parents: .*cycle"),
        ("landmarks: {rooot: base}", r"field landmarks: unknown landmark 'rooot'; did you mean 'root'"),
        ("landmarks: {root: bass}", r"field landmarks: root: the motion file has no joint 'bass'"),
        ("{landmarks: {root: arm}, leave_out: [arm]}", r"field landmarks: root: 'arm' is left out"),
        ("{joints: {arm: left_hip}, leave_out: [arm]}", r"'arm' stands in joints and in leave_out"),
        ("leave_out: [arm, arm]", r"field leave_out: a joint stands twice"),
        ("leave_out: ['*']", r"field leave_out leaves none of the 10 joints"),
        ("leave_out: [marker_3]", r"field leave_out: the motion file has no joint 'marker_3'.*marker_1"),
        ("leave_out: {marker_1: 2}", r"field leave_out: found \{"),
        ("{}", r"says nothing of any joint"),
        ("joints:", r"says nothing of any joint"),
        ("- a", r"found list, expected settings by name"),
        ("joints: {", r"not YAML \(line"),
    ],
)
def test_mistakes_name_the_file_and_the_field(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as error:
        apply(tmp_path, text)
    assert "lab.yaml" in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"other.yaml: no such file"):
        read_joint_file(tmp_path / "other.yaml")


# --- reading -------------------------------------------------------------------------------------------------------


def save(tmp_path, name="take.npz", **fields):
    positions = np.random.default_rng(0).normal(size=(5, 2, len(JOINTS), 3)).astype(np.float32)
    content = {"positions": positions, "fps": 30.0, "joints": np.array(JOINTS), "parents": np.array(PARENTS), **fields}
    np.savez(tmp_path / name, **{key: value for key, value in content.items() if value is not None})
    return tmp_path / name, positions


@pytest.mark.parametrize("kind", ["none", "people", "joints"])
def test_reading_with_a_joint_file(tmp_path, kind):
    seen = np.ones((5, 2, len(JOINTS)), dtype=bool)
    seen[2, 1] = False
    if kind == "joints":
        seen[0, 0, 3] = seen[1, 0, 9] = False
    valid = {"none": None, "people": seen.all(axis=2), "joints": seen}[kind]
    path, positions = save(tmp_path, valid=valid, unit="m", up="y")
    (tmp_path / "lab.yaml").write_text("{joints: {kn_L: left_knee, kn_R: right_knee}, leave_out: ['marker*']}")
    recording = read(path, options=ReadOptions(joints=tmp_path / "lab.yaml")).recording
    assert recording.skeleton.joints == JOINTS[:8]
    expected = np.ones_like(seen) if kind == "none" else seen
    assert np.array_equal(recording.valid, expected[:, :, :8])
    assert np.array_equal(recording.positions, np.where(expected[..., None], positions, 0)[:, :, :8])
    assert any("joints by lab.yaml: 2 named, 2 of 10 left out" in note for note in recording.history)


def test_canonical_names_and_landmarks_of_an_archive_are_believed(tmp_path):
    canonical = ["", "left_hip", "right_hip", "left_knee", "right_knee", "", "left_elbow", "", "", ""]
    path, _ = save(tmp_path, canonical=np.array(canonical), landmarks=json.dumps({"root": ["hip_L", "hip_R"]}))
    skeleton = read(path).recording.skeleton
    assert skeleton.body_parts == tuple(part or None for part in canonical)
    assert skeleton.root == (1, 2)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"canonical": np.array(["head"])}, r"take.npz: field 'canonical': 1 canonical names for 10 joints"),
        ({"canonical": np.array(["Head"] + [""] * 9)}, r"field 'canonical'.*did you mean 'head'"),
        ({"canonical": np.array(["head"] * 2 + [""] * 8)}, r"field 'canonical'.*given to two joints"),
        ({"landmarks": json.dumps({"rooot": ["base"]})}, r"field 'landmarks': unknown landmark 'rooot'"),
        ({"landmarks": json.dumps({"root": ["bass"]})}, r"field 'landmarks': root is \['bass'\]"),
        ({"landmarks": json.dumps({"root": "base"})}, r"field 'landmarks': root is 'base'"),
    ],
)
def test_wrong_canonical_names_and_landmarks_are_named(tmp_path, fields, message):
    path, _ = save(tmp_path, **fields)
    with pytest.raises(InputError, match=message):
        read(path)


BVH = """HIERARCHY
ROOT Model_Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
%s
}
MOTION
Frames: 2
Frame Time: 0.0333333
%s
"""
CHAINS = {
    "Model_LeftX": (10, -2, ["Model_LeftLeg", "Model_LeftFoot"]),
    "Model_RightX": (-10, -2, ["Model_RightLeg", "Model_RightFoot"]),
    "Model_Spine": (0, 50, ["Model_Neck", "Model_Head"]),
    "Model_LeftArm": (20, 50, ["Model_LeftForeArm", "Model_LeftHand"]),
    "Model_RightArm": (-20, 50, ["Model_RightForeArm", "Model_RightHand"]),
}


def bvh(tmp_path):
    joints = []
    for first, (x, y, rest) in CHAINS.items():
        step = 14 if first == "Model_Spine" else -45 if y < 0 else -25
        names = [(first, x, y), *((name, 0, step) for name in rest)]
        joints += [
            f"JOINT {name}\n{{\nOFFSET {x} {y} 0\nCHANNELS 3 Zrotation Xrotation Yrotation" for name, x, y in names
        ]
        joints += ["End Site\n{\nOFFSET 0 0 5\n}\n" + "}\n" * len(names)]
    channels = 6 + 3 * sum(1 + len(rest) for _, _, rest in CHAINS.values())
    row = " ".join(["0 95 0", *["0"] * (channels - 3)])
    path = tmp_path / "walk.bvh"
    path.write_text(BVH % ("\n".join(joints), f"{row}\n{row}"))
    return path


def test_a_person_in_a_bvh_file_who_was_not_understood_is_told_and_mended(tmp_path):
    path = bvh(tmp_path)
    recording = read(path).recording
    note = next(note for note in recording.history if "not a whole person" in note)
    assert "no left_hip, right_hip" in note
    yaml = note[note.index("joints: {") :]
    assert yaml == "joints: {Model_LeftX: left_hip, Model_RightX: right_hip}"
    (tmp_path / "lab.yaml").write_text(yaml)
    mended = read(path, options=ReadOptions(joints=tmp_path / "lab.yaml")).recording
    joint_map(mended.skeleton, NTU_25)
    assert not any("not a whole person" in note for note in mended.history)
    assert mended.skeleton.has_torso
