"""Any skeleton by its joint names, what was not understood of a person, and what is proposed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joint_cases import HUMAN_IK, LETTER, LONG, MOTIVE, hierarchy

from kinespan.data.joint_conventions import BONE_END_PARTS, CANONICAL_NAMES, MIDDLE_PARTS, NEEDED_PARTS, SIDED_PARTS
from kinespan.data.joint_limbs import has_limbs_of_a_person
from kinespan.data.joint_map import RULES, has_fingers, headless, joint_map, missing_parts
from kinespan.data.joint_names import skeleton_from_canonical, skeleton_from_names
from kinespan.data.joint_proposals import propose_parts
from kinespan.data.joint_report import check_common_skeleton, joint_line, joint_notes
from kinespan.data.skeletons import NTU_25, SKELETONS
from kinespan.errors import InputError


def test_a_hand_has_no_parts_of_a_body_and_is_its_own_skeleton():
    names = [
        "palm",
        *(f"{finger}_{number}" for finger in ("thumb", "index", "middle", "ring", "pinky") for number in "123"),
    ]
    parents = [-1, *(joint - 1 if joint % 3 != 1 else 0 for joint in range(1, 16))]
    skeleton = skeleton_from_names("hand", names, parents)
    assert set(skeleton.body_parts) == {None}
    assert skeleton.root == (0,)
    assert not skeleton.has_heading
    assert not has_fingers(skeleton)
    assert joint_notes(skeleton) == ()
    assert "none of 16 is" in joint_line(skeleton)


def test_the_root_of_something_that_is_no_body_is_no_pelvis():
    skeleton = skeleton_from_names("robot", ["root", "link_1", "link_2"], [-1, 0, 1])
    assert skeleton.body_parts == (None, None, None)


def test_points_without_a_hierarchy_are_joined_as_in_a_body():
    names = [
        "nose",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "left_wrist",
        "left_hip",
        "left_knee",
        "left_heel",
    ]
    skeleton = skeleton_from_names("x", names, [-1] * 8)
    parents = {name: names[parent] for name, parent in zip(names, skeleton.parents, strict=True) if parent >= 0}
    assert parents == {
        "left_shoulder": "nose", "right_shoulder": "nose", "left_elbow": "left_shoulder", "left_wrist": "left_elbow",
        "left_hip": "left_shoulder", "left_knee": "left_hip",
    }  # fmt: skip
    with_one_bone = skeleton_from_names("x", names, [-1, 0, *[-1] * 6])
    assert with_one_bone.parents == (-1, 0, -1, -1, -1, -1, -1, -1)  # a hierarchy is believed as it is


@pytest.mark.parametrize("name", SKELETONS)
def test_every_part_of_a_named_skeleton_is_joined(name):
    skeleton = SKELETONS[name]
    joined = skeleton_from_canonical(name, skeleton.joints, [-1] * skeleton.num_joints, skeleton.body_parts)
    assert joined.parents.count(-1) == 1
    assert joined.order  # no cycle
    same = {
        part
        for part, parent, known in zip(skeleton.body_parts, joined.parents, skeleton.parents, strict=True)
        if {parent, known} != {-1} and parent == known
    }
    sided = {f"{side}_{part}" for side in ("left", "right") for part in ("elbow", "wrist", "hip", "knee", "ankle")}
    assert sided <= same


def test_an_animal_has_the_parts_that_its_names_say():
    names = ["nose", "left_ear", "right_ear", "left_hip", "right_hip", "tail_base", "left_forepaw", "right_forepaw"]
    skeleton = skeleton_from_names("mouse", names, [-1, 0, 0, 5, 5, 0, 0, 0])
    assert skeleton.body_parts[:5] == tuple(names[:5])
    assert skeleton.body_parts[5:] == (None, None, None)
    assert skeleton.pairs == ((1, 2), (3, 4), (6, 7))
    assert skeleton.has_heading
    assert not skeleton.has_torso
    assert joint_notes(skeleton) == ()  # nobody takes what has a tail for a person


def test_an_upper_body_is_its_own_skeleton_and_that_is_said():
    text = "\n".join(line for line in HUMAN_IK.splitlines() if not any(leg in line for leg in ("Leg", "Foot", "Toe")))
    skeleton = skeleton_from_names("x", *hierarchy(text, LONG)[:2])
    assert skeleton.has_heading
    assert not skeleton.has_torso
    (note,) = joint_notes(skeleton)
    assert "no left_hip, right_hip, left_knee, right_knee, left_ankle, right_ankle" in note
    assert "--joints" not in note  # there is no joint that could be one of them


# --- proposals -----------------------------------------------------------------------------------------------------


def renamed(words):
    """HumanIK with other words: each key is replaced in all names."""
    joints, parents, parts = hierarchy(HUMAN_IK, LONG)
    for old, new in words.items():
        joints = [joint.replace(old, new) for joint in joints]
    return skeleton_from_names("x", joints, parents), dict(zip(joints, parts, strict=True))


@pytest.mark.parametrize(
    "words",
    [
        {"UpLeg": "ThighX"},
        {"UpLeg": "Foo", "Head": "Bar"},
        {"ForeArm": "Foo"},
        {"LeftUpLeg": "Foo", "RightUpLeg": "Bar"},
        {"Hand": "Gripper", "Foot": "Base"},
    ],
    ids=lambda words: "-".join(words.values()),
)
def test_joints_with_strange_names_are_proposed(words):
    skeleton, truth = renamed(words)
    missing = missing_parts(skeleton, NTU_25)
    assert missing
    wanted = {*missing, *headless(skeleton)}
    proposal = propose_parts(skeleton, sorted(wanted))
    assert set(proposal.values()) == wanted
    assert proposal == {joint: truth[joint] for joint in proposal}
    (note,) = joint_notes(skeleton)
    for joint, part in proposal.items():
        assert f"{joint}: {part}" in note
    with pytest.raises(InputError) as error:
        joint_map(skeleton, NTU_25)
    message = str(error.value)
    assert all(part in message for part in missing)
    assert "--joints" in message
    assert "{" in message.splitlines()[-1]


@pytest.mark.parametrize("rooted", ["pelvis", "chest"])
def test_a_person_without_any_known_name_is_proposed_by_the_hierarchy(rooted):
    joints, parents, parts = hierarchy(HUMAN_IK, LONG)
    if rooted == "chest":
        chain = [parts.index(part) for part in ("chest", "pelvis")]
        path = [chain[0]]
        while parents[path[-1]] >= 0:
            path.append(parents[path[-1]])
        for child, parent in zip(path[1:], path[:-1], strict=True):
            parents[child] = parent
        parents[path[0]] = -1
    names = [f"Bone_{number:02}" for number in range(len(joints))]
    assert has_limbs_of_a_person(skeleton_from_names("x", names, parents))
    skeleton = skeleton_from_names("x", names, parents)
    assert set(skeleton.body_parts) == {None}
    proposal = propose_parts(skeleton, (*NEEDED_PARTS, "head"))
    truth = dict(zip(names, parts, strict=True))
    assert proposal == {joint: truth[joint] for joint in proposal}
    assert set(proposal.values()) == {*NEEDED_PARTS, "head"}
    (note,) = joint_notes(skeleton)
    assert "check left and right" in note  # nothing but the order tells them apart


def test_a_person_without_a_head_has_it_at_the_neck_and_that_is_said():
    joints, parents, _ = hierarchy(HUMAN_IK.replace("          Head head\n", ""), LONG)
    skeleton = skeleton_from_names("x", joints, parents)
    weights = joint_map(skeleton, NTU_25)[NTU_25.body_parts.index("head")]
    assert {joints[joint]: weight for joint, weight in enumerate(weights) if weight} == {"Neck": 1}
    assert "whole person without a head" in joint_line(skeleton)
    assert joint_notes(skeleton) == ()


def test_all_missing_parts_are_named_at_once():
    skeleton, _ = renamed({"Leg": "Strut", "ForeArm": "Link"})
    assert set(missing_parts(skeleton, NTU_25)) == {
        "left_hip", "right_hip", "left_knee", "right_knee", "left_elbow", "right_elbow",
    }  # fmt: skip
    with pytest.raises(InputError, match="left_hip, right_hip, left_elbow, right_elbow, left_knee, right_knee"):
        joint_map(skeleton, NTU_25)


@pytest.mark.parametrize(
    "parents",
    [
        list(range(-1, 1999)),  # a chain
        [-1] * 2000,  # points
        [-1, *[0] * 1999],  # a star
        [-1, *((joint - 1) // 2 for joint in range(1, 2000))],  # a binary tree
    ],
    ids=["chain", "points", "star", "tree"],
)
def test_a_skeleton_of_thousands_of_joints_is_read_too(parents):
    skeleton = skeleton_from_names("x", [f"node_{joint}" for joint in range(2000)], parents)
    assert not has_limbs_of_a_person(skeleton) or parents[3] == 1
    assert len(joint_notes(skeleton)) <= 1


@pytest.mark.parametrize("name", SKELETONS)
def test_parts_that_are_missing_are_enough(name):
    """A skeleton with the parts that are missing, and no others, maps; without one of them it does not."""
    nothing = skeleton_from_names("x", ["a", "b"], [-1, 0])
    missing = missing_parts(nothing, SKELETONS[name])
    whole = skeleton_from_canonical("x", missing, [-1] * len(missing), missing)
    joint_map(whole, SKELETONS[name])
    for part in missing:
        rest = [other for other in missing if other != part]
        with pytest.raises(InputError):
            joint_map(skeleton_from_canonical("x", rest, [-1] * len(rest), rest), SKELETONS[name])


# --- fingers, canonical names, the lines of info --------------------------------------------------------------------


def test_who_has_fingers():
    assert not any(has_fingers(SKELETONS[name]) for name in SKELETONS)
    assert not has_fingers(skeleton_from_names("x", *hierarchy(HUMAN_IK, LONG)[:2]))
    assert has_fingers(skeleton_from_names("x", *hierarchy(MOTIVE, LETTER)[:2]))
    joints, parents, _ = hierarchy(MOTIVE.replace("Shin", "Foo"), LETTER)
    assert not has_fingers(skeleton_from_names("x", joints, parents))  # nobody that ntu25 could stand for


def test_canonical_names_are_believed():
    joints = ["a", "b", "LeftArm", "RightArm", "foo_L", "foo_R"]
    skeleton = skeleton_from_canonical("x", joints, [-1, 0, 1, 1, 0, 0], ["", "left_hip", "right_hip", "", None, ""])
    assert skeleton.body_parts == (None, "left_hip", "right_hip", None, None, None)
    assert skeleton.pairs == ((1, 2), (4, 5))  # LeftArm is the right hip, so RightArm is no mirror image of it
    with pytest.raises(InputError, match=r"'b'.*did you mean 'left_hip'"):
        skeleton_from_canonical("x", ["a", "b"], [-1, 0], ["", "left_hipp"])
    with pytest.raises(InputError, match="1 canonical names for 2 joints"):
        skeleton_from_canonical("x", ["a", "b"], [-1, 0], [""])


def test_line_of_a_person_says_what_was_not_understood():
    skeleton = skeleton_from_names("x", *hierarchy(HUMAN_IK, LONG)[:2])
    assert joint_line(skeleton) == "21 of 22 are parts of a whole person; not understood: Spine1"
    fingers = joint_line(skeleton_from_names("x", *hierarchy(MOTIVE, LETTER)[:2]))
    assert fingers.startswith("27 of 33 are parts of a whole person with fingers")
    assert "Thumb" not in fingers
    hips, _ = renamed({"UpLeg": "Foo"})
    assert "parts of a body" in joint_line(hips)
    assert "LeftFoo, RightFoo" in joint_line(hips)


def test_canonical_names_are_those_of_the_tables():
    assert set(CANONICAL_NAMES) == set(RULES) | {
        f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "shoulder", "elbow")
    }
    assert set(BONE_END_PARTS) <= set(SIDED_PARTS)
    assert {part for name in SKELETONS for part in SKELETONS[name].body_parts} <= set(CANONICAL_NAMES)
    words = [word for table in (SIDED_PARTS, MIDDLE_PARTS) for names in table.values() for word in names]
    assert all(word == word.lower() and word.isalnum() for word in words)


def test_recordings_of_several_skeletons_must_have_one_in_common():
    person = skeleton_from_names("x", *hierarchy(HUMAN_IK, LONG)[:2])
    motive = skeleton_from_names("y", *hierarchy(MOTIVE, LETTER)[:2])
    odd, _ = renamed({"UpLeg": "Foo"})
    hand = skeleton_from_names("hand", ["palm", "thumb"], [-1, 0])
    for fits in ([person], [person, motive, NTU_25], [odd, odd], [hand, hand]):
        check_common_skeleton({f"take_{number}": skeleton for number, skeleton in enumerate(fits)})
    with pytest.raises(InputError, match=r"another corpus of b, c, or.*no left_hip.*--joints.*LeftFoo: left_hip"):
        check_common_skeleton({"a": person, "b": odd, "c": odd})
    with pytest.raises(InputError, match=r"of 2 skeletons.*another corpus of b, or.*palm, thumb"):
        check_common_skeleton({"a": person, "b": hand})


def test_a_model_of_a_hand_names_the_joints_that_it_needs():
    hand = skeleton_from_names("hand", ["palm", "thumb", "index"], [-1, 0, 0])
    with pytest.raises(InputError, match=r"no thumb, index; its joints are palm, finger$"):
        joint_map(skeleton_from_names("x", ["palm", "finger"], [-1, 0]), hand)


# --- any names at all ------------------------------------------------------------------------------------------------

_WORDS = (
    "Left",
    "R_",
    "l",
    "hip",
    "UpLeg",
    "knee",
    "Spine",
    "arm",
    ":",
    ".001",
    "_jnt",
    "Model_",
    "head",
    "ASI",
    "HJC",
    "7",
    "é",
)
NAMES = st.lists(st.lists(st.sampled_from(_WORDS), max_size=4).map("".join), min_size=1, max_size=12, unique=True)


@settings(deadline=None)
@given(NAMES, st.randoms(use_true_random=False))
def test_any_names_and_any_hierarchy_make_a_skeleton(names, random):
    """Names of parts, sides and rigs in any order: nothing fails, and left and right are never confused."""
    parents = [random.randrange(-1, joint) if joint else -1 for joint in range(len(names))]
    skeleton = skeleton_from_names("x", names, parents)
    assert skeleton.joints == tuple(names)
    assert {*skeleton.body_parts} <= {*CANONICAL_NAMES, None}
    for left, right in skeleton.pairs:
        parts = skeleton.body_parts[left] or "left_", skeleton.body_parts[right] or "right_"
        assert parts[0].startswith("left_")
        assert parts[1].startswith("right_")
    proposal = propose_parts(skeleton, missing_parts(skeleton, NTU_25))
    assert set(proposal) <= {joint for joint, part in zip(names, skeleton.body_parts, strict=True) if part is None}
    assert len(set(proposal.values())) == len(proposal)
    assert joint_line(skeleton)
    assert len(joint_notes(skeleton)) <= 1
    again = skeleton_from_canonical("x", names, skeleton.parents, [part or "" for part in skeleton.body_parts])
    assert (again.body_parts, again.parents, again.root) == (skeleton.body_parts, skeleton.parents, skeleton.root)
