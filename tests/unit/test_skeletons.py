"""The named skeletons, skeletons from joint names, and the maps from one skeleton to another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kinespan.data.joint_map import RULES, joint_map, map_recording
from kinespan.data.recording import Recording
from kinespan.data.skeleton import LANDMARKS, Skeleton
from kinespan.data.skeletons import COCO_17, KINECT_20, NTU_25, SKELETONS, SMPL_22, SMPL_24, skeleton_from_names
from kinespan.errors import InputError

PAIRS = list(itertools.permutations(SKELETONS, 2))


def random_recording(skeleton, seed=0):
    positions = np.random.default_rng(seed).normal(size=(6, 2, skeleton.num_joints, 3))
    return Recording(positions, 30.0, skeleton, "random")


def test_named_skeletons_and_their_joint_counts():
    assert {name: SKELETONS[name].num_joints for name in SKELETONS} == {
        "coco17": 17, "kinect20": 20, "ntu25": 25, "smpl22": 22, "smpl24": 24,
    }  # fmt: skip


@pytest.mark.parametrize("name", SKELETONS)
def test_named_skeletons_are_complete_and_symmetric(name):
    skeleton = SKELETONS[name]
    assert skeleton.name == name
    assert None not in skeleton.body_parts
    assert skeleton.parents.count(-1) == 1
    for joint, part in enumerate(skeleton.body_parts):
        side, _, rest = part.partition("_")
        if side in ("left", "right"):
            other = {"left": "right", "right": "left"}[side]
            assert skeleton.body_parts[skeleton.mirror[joint]] == f"{other}_{rest}"
            assert side in skeleton.joints[joint].lower()
        else:
            assert skeleton.mirror[joint] == joint
    # The tree is symmetric: the parent of the mirrored joint is the mirrored parent.
    for joint, parent in skeleton.bones:
        assert skeleton.parents[skeleton.mirror[joint]] == skeleton.mirror[parent]


PAIRS_AND_LANDMARKS = {
    "ntu25": (
        ((4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19), (21, 23), (22, 24)),
        ((0,), (1,), (4,), (8,), (12,), (16,)),
    ),
    "kinect20": (
        ((4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19)),
        ((0,), (1,), (4,), (8,), (12,), (16,)),
    ),
    "smpl22": (
        ((1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21)),
        ((0,), (3,), (16,), (17,), (1,), (2,)),
    ),
    "smpl24": (
        ((1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21), (22, 23)),
        ((0,), (3,), (16,), (17,), (1,), (2,)),
    ),
    "coco17": (
        ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)),
        ((11, 12), (5, 6, 11, 12), (5,), (6,), (11,), (12,)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SKELETONS)
def test_pairs_and_landmarks_of_named_skeletons(name):
    """They are derived from canonical names; these were written by hand."""
    skeleton = SKELETONS[name]
    landmarks = tuple(getattr(skeleton, landmark) for landmark in LANDMARKS)
    assert (skeleton.pairs, landmarks) == PAIRS_AND_LANDMARKS[name]


def test_coco_landmarks_are_means():
    positions = np.zeros((17, 3))
    positions[[5, 6], 1], positions[[11, 12], 1] = 1.4, 1.0
    assert positions[list(COCO_17.root)].mean(0)[1] == 1.0
    assert positions[list(COCO_17.spine)].mean(0)[1] == pytest.approx(1.2)


# --- skeletons from names ------------------------------------------------------------------------------------------


def build(tree, prefix=""):
    """Joints and parents of a nested mapping {name: {child: ...}}."""
    joints, parents = [], []

    def walk(node, parent):
        for name, children in node.items():
            joints.append(prefix + name)
            parents.append(parent)
            walk(children, len(joints) - 1)

    walk(tree, -1)
    return joints, parents


def biped(side, hips, spine, neck, head, arm, leg):
    """A body; `side(name, 'left')` writes a name with its side; `arm` and `leg` are names from the trunk out."""

    def chain(names):
        return {names[0]: chain(names[1:])} if names else {}

    def limb(names, which):
        return chain([side(name, which) for name in names])

    top = chain([neck, head]) | limb(arm, "left") | limb(arm, "right")
    for name in reversed(spine):
        top = {name: top}
    return {hips: limb(leg, "left") | limb(leg, "right") | top}


STYLES = {
    "mocap": biped(
        lambda name, which: which.capitalize() + name, "Hips", ["Spine", "Spine1", "Spine2"], "Neck", "Head",
        ["Shoulder", "Arm", "ForeArm", "Hand"], ["UpLeg", "Leg", "Foot", "ToeBase"],
    ),
    "biped": biped(
        lambda name, which: f"Bip01 {which[0].upper()} {name}", "Bip01 Pelvis",
        ["Bip01 Spine", "Bip01 Spine1", "Bip01 Spine2"], "Bip01 Neck", "Bip01 Head",
        ["Clavicle", "UpperArm", "Forearm", "Hand"], ["Thigh", "Calf", "Foot", "Toe0"],
    ),
    "poser": biped(
        lambda name, which: which[0] + name, "hip", ["abdomen", "mid", "chest"], "neck", "head",
        ["Collar", "Shldr", "ForeArm", "Hand"], ["Thigh", "Shin", "Foot", "Toe"],
    ),
    "blender": biped(
        lambda name, which: f"{name}.{which[0].upper()}", "hips", ["spine", "spine.001", "chest"], "neck", "head",
        ["shoulder", "upper_arm", "forearm", "hand"], ["thigh", "shin", "foot", "toe"],
    ),
    "underscore": biped(
        lambda name, which: f"{name}_{which[0]}", "pelvis", ["spine_01", "spine_02", "spine_03"], "neck_01", "head",
        ["clavicle", "upperarm", "lowerarm", "hand"], ["thigh", "calf", "foot", "ball"],
    ),
    "anatomy": biped(
        lambda name, which: which.capitalize() + name, "Hips", ["Chest", "Chest2", "Chest3"], "Neck", "Head",
        ["Collar", "Shoulder", "Elbow", "Wrist"], ["Hip", "Knee", "Ankle", "Toe"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "mixamorig:", "Model|rig:"])
@pytest.mark.parametrize("style", STYLES)
def test_common_naming_styles(style, prefix):
    joints, parents = build(STYLES[style], prefix)
    skeleton = skeleton_from_names(style, joints, parents)
    parts = dict(zip(skeleton.body_parts, range(len(joints)), strict=True))
    for side, first in (("left", 1), ("right", 5)):
        # The legs come first in the tree: hip, knee, ankle, foot.
        assert [parts[f"{side}_{part}"] for part in ("hip", "knee", "ankle", "foot")] == list(range(first, first + 4))
    trunk = ("pelvis", "spine", "chest", "neck", "head")
    assert [parts[part] for part in trunk] == [0, 9, 11, 12, 13]
    for side, first in (("left", 14), ("right", 18)):
        assert [parts[f"{side}_{part}"] for part in ("collar", "shoulder", "elbow", "wrist")] == list(
            range(first, first + 4)
        )
    assert len(skeleton.pairs) == 8
    assert skeleton.root == (0,)
    for target in SKELETONS:
        joint_map(skeleton, SKELETONS[target])


def test_names_that_only_look_sided_have_no_side():
    joints, parents = build(STYLES["poser"] | {"lowerback": {}, "root": {}, "left": {}})
    skeleton = skeleton_from_names("x", joints, parents)
    paired = {skeleton.joints[joint] for pair in skeleton.pairs for joint in pair}
    assert not paired & {"lowerback", "root", "left"}


def test_fingers_give_hand_tip_and_thumb():
    joints, parents = build(STYLES["mocap"])
    for side in ("Left", "Right"):
        hand = joints.index(f"{side}Hand")
        for finger in ("Middle", "Thumb"):
            for number in (1, 2, 3):
                parents.append(hand if number == 1 else len(joints) - 1)
                joints.append(f"{side}Hand{finger}{number}")
    skeleton = skeleton_from_names("x", joints, parents)
    named = dict(zip(skeleton.body_parts, skeleton.joints, strict=True))
    assert (named["left_hand"], named["left_hand_tip"], named["right_thumb"]) == (
        "LeftHandMiddle1", "LeftHandMiddle3", "RightHandThumb3",
    )  # fmt: skip


def test_acclaim_names_are_bones_and_their_far_ends():
    tree = {
        "root": {
            **{f"{s}hipjoint": {f"{s}femur": {f"{s}tibia": {f"{s}foot": {f"{s}toes": {}}}}} for s in "lr"},
            "lowerback": {"upperback": {"thorax": {
                "lowerneck": {"upperneck": {"head": {}}},
                **{f"{s}clavicle": {f"{s}humerus": {f"{s}radius": {f"{s}wrist": {f"{s}hand": {}}}}} for s in "lr"},
            }}},
        }
    }  # fmt: skip
    joints, parents = build(tree)
    named = dict(zip(skeleton_from_names("x", joints, parents, bone_ends=True).body_parts, joints, strict=True))
    parts = ("hip", "knee", "ankle", "foot", "shoulder", "elbow", "wrist", "hand")
    assert [named[f"left_{part}"] for part in parts] == [
        "lhipjoint", "lfemur", "ltibia", "lfoot", "lclavicle", "lhumerus", "lwrist", "lhand",
    ]  # fmt: skip
    starts = skeleton_from_names("x", joints, parents)
    named = dict(zip(starts.body_parts, joints, strict=True))
    assert [named[f"right_{part}"] for part in ("hip", "knee", "ankle", "shoulder", "elbow")] == [
        "rfemur", "rtibia", "rfoot", "rhumerus", "rradius",
    ]  # fmt: skip


@pytest.mark.parametrize("name", SKELETONS)
def test_named_skeletons_are_recognised_by_their_names(name):
    known = SKELETONS[name]
    if name == "kinect20":  # sides at the end of the word: HipLeft
        assert known.joints[12] == "HipLeft"
    found = skeleton_from_names(name, known.joints, known.parents)
    assert sorted(found.pairs) == sorted(known.pairs)
    for landmark in ("left_shoulder", "right_shoulder", "left_hip", "right_hip", "root"):
        assert getattr(found, landmark) == getattr(known, landmark)
    same = sum(a == b for a, b in zip(found.body_parts, known.body_parts, strict=True))
    assert same >= known.num_joints - 4


def test_a_hierarchy_without_shoulders_or_hips_is_a_skeleton_too():
    joints, parents = build(STYLES["mocap"])
    joints = [joint.replace("LeftUpLeg", "Foo").replace("RightUpLeg", "Bar") for joint in joints]
    skeleton = skeleton_from_names("x", joints, parents)
    # Without a thigh, nothing else is taken for the hip.
    assert "left_hip" not in skeleton.body_parts
    assert (skeleton.left_hip, skeleton.right_hip) == ((), ())
    assert skeleton.has_heading
    chain = skeleton_from_names("x", ["a", "b"], [-1, 0])
    assert (chain.root, chain.has_heading) == ((0,), False)


def test_parents_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="do not fit"):
        skeleton_from_names("x", ["a", "b"], [-1, 7])
    parents = build(STYLES["mocap"])[1]
    looped = list(parents)
    looped[0] = 1
    with pytest.raises(InputError, match="cycle"):
        skeleton_from_names("x", build(STYLES["mocap"])[0], looped)


# --- maps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_joint_map_rows_are_weighted_means(source, target):
    weights = joint_map(SKELETONS[source], SKELETONS[target])
    assert weights.shape == (SKELETONS[target].num_joints, SKELETONS[source].num_joints)
    assert weights.dtype == np.float32
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_mirroring_commutes_with_the_map(source, target):
    weights = joint_map(SKELETONS[source], SKELETONS[target])
    mirrored = weights[SKELETONS[target].mirror][:, SKELETONS[source].mirror]
    np.testing.assert_allclose(mirrored, weights, atol=1e-6)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_shared_joints_survive_mapping_there_and_back(source, target):
    there = joint_map(SKELETONS[source], SKELETONS[target])
    back = joint_map(SKELETONS[target], SKELETONS[source]) @ there
    for joint, part in enumerate(SKELETONS[source].body_parts):
        if part in SKELETONS[target].body_parts:
            np.testing.assert_allclose(back[joint], np.eye(len(back))[joint], atol=1e-6)


@pytest.mark.parametrize("name", SKELETONS)
def test_same_skeleton_gives_the_identity(name):
    assert (joint_map(SKELETONS[name], SKELETONS[name]) == np.eye(SKELETONS[name].num_joints)).all()


def row(source, target, joint):
    """The weights of one target joint by source joint name, zeros left out."""
    weights = joint_map(source, target)[target.joints.index(joint)]
    return {source.joints[at]: pytest.approx(float(weight)) for at, weight in enumerate(weights) if weight}


def test_rules_by_hand():
    assert row(COCO_17, KINECT_20, "HipCenter") == {"left_hip": 0.5, "right_hip": 0.5}
    assert row(COCO_17, KINECT_20, "ShoulderCenter") == {"left_shoulder": 0.5, "right_shoulder": 0.5}
    quarter = dict.fromkeys(("left_shoulder", "right_shoulder", "left_hip", "right_hip"), 0.25)
    assert row(COCO_17, KINECT_20, "Spine") == quarter
    assert row(COCO_17, KINECT_20, "Head") == {"left_ear": 0.5, "right_ear": 0.5}
    assert row(COCO_17, NTU_25, "left hand tip") == {"left_wrist": 1}
    assert row(KINECT_20, NTU_25, "neck") == {"ShoulderCenter": 2 / 3, "Head": 1 / 3}
    assert row(KINECT_20, NTU_25, "left thumb") == {"HandLeft": 1}
    assert row(SMPL_22, NTU_25, "right hand") == {"right_wrist": 1}
    assert row(NTU_25, SMPL_24, "left_collar") == {"spine shoulder": 0.5, "left shoulder": 0.5}
    assert row(NTU_25, COCO_17, "left_ear") == {"head": 1}


def test_rules_are_weighted_means_of_other_parts():
    for part, alternatives in RULES.items():
        for rule in alternatives:
            assert sum(rule.values()) == pytest.approx(1)
            assert part not in rule


def without(skeleton, parts):
    """The skeleton with some body parts unnamed."""
    named = tuple(None if part in parts else part for part in skeleton.body_parts)
    return Skeleton(**(skeleton.to_dict() | {"name": "poor", "body_parts": named}))


def test_a_missing_knee_cannot_be_mapped():
    with pytest.raises(InputError, match=r"'poor' cannot be mapped to 'kinect20'.*no left_knee;.*left knee"):
        joint_map(without(NTU_25, {"left_knee"}), KINECT_20)


def test_mutual_substitutes_do_not_recurse_forever():
    headless = without(NTU_25, {"head", "neck"})  # the neck's rule needs the head, and the head's the neck
    assert row(headless, KINECT_20, "Head") == {"spine shoulder": 1}
    with pytest.raises(InputError, match="no left_ankle"):
        joint_map(without(NTU_25, {"left_foot", "left_ankle"}), KINECT_20)


def test_landmarks_substitute_unnamed_parts():
    poor = without(NTU_25, {"left_shoulder", "pelvis"})
    assert row(poor, KINECT_20, "ShoulderLeft") == {"left shoulder": 1}
    assert row(poor, KINECT_20, "HipCenter") == {"base of spine": 1}


def test_joints_without_canonical_name_map_by_joint_name():
    target = without(KINECT_20, {"left_hand"})
    assert row(without(KINECT_20, {"right_hand"}), target, "HandLeft") == {"HandLeft": 1}
    with pytest.raises(InputError, match="no HandLeft"):
        joint_map(NTU_25, target)


def test_map_recording_agrees_with_the_slow_reference():
    recording = random_recording(NTU_25)
    mapped = map_recording(recording, COCO_17)
    weights = joint_map(NTU_25, COCO_17)
    for frame, person, joint in itertools.product(range(6), range(2), range(17)):
        slow = sum(weights[joint, other] * recording.positions[frame, person, other] for other in range(25))
        np.testing.assert_allclose(mapped.positions[frame, person, joint], slow, atol=1e-6)
    assert mapped.skeleton is COCO_17
    assert mapped.history == ("mapped from skeleton ntu25 to coco17",)
    assert map_recording(recording, NTU_25) is recording


def test_map_recording_names_the_recording():
    recording = random_recording(without(NTU_25, {"left_knee"}))
    with pytest.raises(InputError, match="recording 'random'"):
        map_recording(recording, SMPL_24)


def test_mapping_keeps_absent_people_absent():
    positions, valid = np.ones((3, 1, 25, 3)), np.array([[True], [False], [True]])
    mapped = map_recording(Recording(positions, 30.0, NTU_25, "x", valid=valid), KINECT_20)
    assert mapped.present.ravel().tolist() == [True, False, True]
    assert not mapped.positions[1].any()
