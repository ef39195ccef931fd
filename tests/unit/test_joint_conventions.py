"""Joint names by the conventions of programs, with prefixes and suffixes, of markers, and on the page about them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joint_cases import CONVENTIONS, HUMAN_IK, LETTER, LONG, MOTIVE, SMPL, WITHOUT_A_WHOLE_PERSON, hierarchy

from kinespan.data.joint_conventions import CANONICAL_NAMES
from kinespan.data.joint_file import read_joint_file
from kinespan.data.joint_map import joint_map, missing_parts
from kinespan.data.joint_names import read_names, skeleton_from_names
from kinespan.data.joint_report import joint_notes
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError


def check(joints, parents, parts):
    skeleton = skeleton_from_names("x", joints, parents)
    assert dict(zip(joints, skeleton.body_parts, strict=True)) == dict(zip(joints, parts, strict=True))
    return skeleton


@pytest.mark.parametrize("name", CONVENTIONS)
def test_conventions_of_programs(name):
    skeleton = check(*hierarchy(*CONVENTIONS[name]))
    assert (missing_parts(skeleton, NTU_25) == ()) == (name not in WITHOUT_A_WHOLE_PERSON)
    lefts = [part for part in skeleton.body_parts if part and part.startswith("left_")]
    assert len(skeleton.pairs) >= len(lefts)


AFFIXES = {
    "Model_LeftArm": lambda name: f"Model_{name}",
    "m_avg_LeftArm": lambda name: f"m_avg_{name}",
    "LeftArm_jnt": lambda name: f"{name}_jnt",
    "LeftArmJoint": lambda name: f"{name}Joint",
    "LeftArm.001": lambda name: f"{name}.001",
    "Subject 01:LeftArm": lambda name: f"Subject 01:{name}",
    "Anna_LeftArm": lambda name: f"Anna_{name}",
    "Anna Lee-LeftArm": lambda name: f"Anna Lee-{name}",
    "rig|Anna:LeftArm": lambda name: f"rig|Anna:{name}",
    "mixamorig1:LeftArm": lambda name: f"mixamorig1:{name}",
    "DEF-LeftArm": lambda name: f"DEF-{name}",
    "char_LeftArm_bind": lambda name: f"char_{name}_bind",
    "human_LeftArm_3D": lambda name: f"human_{name}_3D",
}


@pytest.mark.parametrize("affix", AFFIXES)
@pytest.mark.parametrize(
    "style", [(HUMAN_IK, LONG), (SMPL, ("L_", "R_")), (MOTIVE, LETTER)], ids=["ik", "smpl", "motive"]
)
def test_prefixes_and_suffixes_that_joints_share_say_nothing(affix, style):
    text, sides = style
    check(*hierarchy(text, sides, AFFIXES[affix]))


def test_end_sites_keep_the_side_of_their_joint():
    joints, parents, parts = hierarchy(HUMAN_IK, LONG, lambda name: f"{name}_jnt")
    for side in ("Left", "Right"):
        parents.append(joints.index(f"{side}Hand_jnt"))
        joints.append(f"{side}Hand_jnt_end")
        parts.append(f"{side.lower()}_hand_tip")
    check(joints, parents, parts)


@pytest.mark.parametrize("subject", ["763:763", "Anna_Lee:Lee"])
def test_motive_calls_the_hips_like_the_subject(subject):
    namespace = subject.rpartition(":")[0]
    check(*hierarchy(MOTIVE, LETTER, lambda name: subject if name == "Hip" else f"{namespace}:{name}"))


def test_a_root_without_prefix_does_not_keep_the_prefix_of_the_others():
    text = "Armature\n" + "\n".join("  " + line for line in HUMAN_IK.strip().splitlines())
    check(*hierarchy(text, LONG, lambda name: name if name == "Armature" else f"Bob_{name}"))


@settings(deadline=None)
@given(st.from_regex(r"[A-Za-z0-9]{1,8}(_[A-Za-z0-9]{1,8})?[_: .-]", fullmatch=True))
def test_any_prefix_without_a_side_says_nothing(prefix):
    words = prefix.lower().replace("_", " ").replace(":", " ").replace(".", " ").replace("-", " ").split()
    if {"l", "r"} & set(words) or "left" in prefix.lower() or "right" in prefix.lower():
        return
    check(*hierarchy(HUMAN_IK, LONG, lambda name: prefix + name))


@pytest.mark.parametrize("affixed", ["left_{}", "{}_left", "{}.L", "L {}"])
def test_a_side_that_all_joints_share_is_no_prefix(affixed):
    """As in the recording of one arm."""
    names = [affixed.format(word) for word in ("shoulder", "elbow", "wrist", "thumb", "hand")]
    skeleton = skeleton_from_names("arm", names, [-1, 0, 1, 2, 2])
    assert skeleton.body_parts == ("left_shoulder", "left_elbow", "left_wrist", "left_thumb", "left_hand")
    assert skeleton.pairs == ()


def test_sides_may_differ_in_case():
    """OpenCap writes r.ASIS and L.ASIS."""
    names = read_names(["r_hip", "L_hip", "r_knee", "L_knee"])
    assert names.sides == ("right", "left", "right", "left")
    assert names.pairs == ((1, 0), (3, 2))


MARKERS = (
    "LFHD", "RFHD", "C7", "T10", "CLAV", "STRN", "LSHO", "RSHO", "LELB", "RELB",
    "LASI", "RASI", "LKNE", "RKNE", "LANK", "RANK", "LTOE", "RTOE", "LHEE", "RHEE",
)  # fmt: skip


@pytest.mark.parametrize("namespace", ["", "Subj:"])
def test_markers_are_no_joints(namespace):
    skeleton = skeleton_from_names("x", [namespace + marker for marker in MARKERS], [-1] * len(MARKERS))
    assert set(skeleton.body_parts) == {None}
    assert len(skeleton.pairs) == 8
    assert not skeleton.has_heading
    assert "markers on the skin" in joint_notes(skeleton)[0]
    with pytest.raises(InputError, match="markers on the skin"):
        joint_map(skeleton, NTU_25)


def test_a_knee_among_markers_is_a_marker():
    names = ["r.ASIS", "L.ASIS", "r.PSIS", "L.PSIS", "C7", "r_knee", "L_knee", "R_HJC", "L_HJC"]
    skeleton = skeleton_from_names("x", names, [-1] * len(names))
    assert dict(zip(names, skeleton.body_parts, strict=True)) == dict.fromkeys(names) | {
        "R_HJC": "right_hip", "L_HJC": "left_hip",
    }  # fmt: skip
    assert "right_hip, left_hip" in joint_notes(skeleton)[0]


# --- the page ------------------------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "start" / "joints.md"
ROWS = re.findall(r"^\| ([^|]+) \| (`[^|]+`) \| (`[^|]+`) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def right_of(name):
    """The right joint by the name of the left one."""
    for left, right in (("Left", "Right"), ("LEFT", "RIGHT"), ("left", "right"), ("_L", "_R"), (".L", ".R")):
        if left in name:
            return name.replace(left, right, 1)
    if name.endswith("_l"):
        return name.removesuffix("_l") + "_r"
    return {"L": "R", "l": "r"}[name[0]] + name[1:]


def test_page_has_a_row_for_each_family_of_names():
    assert len(ROWS) >= 15


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_names_on_the_page_are_understood(row):
    program, arm, leg = row
    lefts = re.findall("`([^`]+)`", arm + leg)
    names = [*lefts, *map(right_of, lefts)]
    if "outputs" in program or "centres" in program:
        names += ["LASI", "RASI", "SACR", "LKNE", "RKNE"]
    skeleton = skeleton_from_names("x", names, [-1] * len(names))
    parts = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    assert skeleton.body_parts[:12] == tuple(f"{side}_{part}" for side in ("left", "right") for part in parts)


def test_page_names_every_part_of_a_body_and_its_file_is_right(tmp_path):
    text = PAGE.read_text(encoding="utf-8")
    listed = set(re.findall("`([a-z_]+)`", text[text.index("The parts of a body are") :].partition("A\nperson")[0]))
    assert listed - {"left_", "right_"} == {
        part.removeprefix("left_").removeprefix("right_") for part in CANONICAL_NAMES
    }
    path = tmp_path / "lab.yaml"
    path.write_text(text.partition("```yaml\n")[2].partition("```")[0])
    joints = ["ThighX_L", "ThighX_R", "Head_top", "wrist_band", "elbow_L", "prop", "marker_1"]
    skeleton, kept = read_joint_file(path).apply(skeleton_from_names("x", joints, [-1] * 7))
    assert skeleton.body_parts[:3] == ("left_hip", "right_hip", None)
    assert (skeleton.parents[3], skeleton.root, kept) == (4, (0, 1), (0, 1, 2, 3, 4))
