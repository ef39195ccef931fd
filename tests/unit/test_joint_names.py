"""Joint names as programs write them, and the parts of a body that they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinespan.data.joint_conventions import BONE_END_PARTS, CANONICAL_NAMES, MIDDLE_PARTS, NEEDED_PARTS, SIDED_PARTS
from kinespan.data.joint_file import read_joint_file
from kinespan.data.joint_map import RULES, has_fingers, headless, joint_map, missing_parts
from kinespan.data.joint_names import read_names, skeleton_from_canonical, skeleton_from_names
from kinespan.data.joint_proposals import propose_parts
from kinespan.data.joint_report import check_common_skeleton, joint_line, joint_notes
from kinespan.data.skeletons import NTU_25, SKELETONS
from kinespan.errors import InputError

# A hierarchy by indentation, a joint a line: its name, then its body part if it has one. A line with * stands for the
# left joint; the right ones come after the whole hierarchy of the left.
MOTIVE = """
Hip pelvis
  Ab spine
    Chest chest
      Neck neck
        Head head
      *Shoulder collar
        *UArm shoulder
          *FArm elbow
            *Hand wrist
              *Thumb1
                *Thumb2
                  *Thumb3 thumb
              *Middle1 hand
                *Middle2
                  *Middle3 hand_tip
  *Thigh hip
    *Shin knee
      *Foot ankle
        *Toe foot
"""
HUMAN_IK = """
Hips pelvis
  Spine spine
    Spine1
      Spine2 chest
        Neck neck
          Head head
        *Shoulder collar
          *Arm shoulder
            *ForeArm elbow
              *Hand wrist
  *UpLeg hip
    *Leg knee
      *Foot ankle
        *ToeBase foot
"""
SMPL = """
Pelvis pelvis
  Spine1 spine
    Spine2
      Spine3 chest
        Neck neck
          Head head
        *Collar collar
          *Shoulder shoulder
            *Elbow elbow
              *Wrist wrist
                *Hand hand
  *Hip hip
    *Knee knee
      *Ankle ankle
        *Foot foot
"""
RIGIFY = """
spine pelvis
  spine.001 spine
    spine.002
      spine.003 chest
        spine.004 neck
          spine.005
            spine.006 head
        shoulder.* collar
          upper_arm.* shoulder
            forearm.* elbow
              hand.* wrist
                palm.01.*
  pelvis.*
  thigh.* hip
    shin.* knee
      foot.* ankle
        toe.* foot
        heel.02.*
"""
XSENS = """
Pelvis pelvis
  L5
    L3 spine
      T12
        T8 chest
          Neck neck
            Head head
          *Shoulder collar
            *UpperArm shoulder
              *ForeArm elbow
                *Hand wrist
  *UpperLeg hip
    *LowerLeg knee
      *Foot ankle
        *Toe foot
"""
THEIA = """
worldbody_4X4
pelvis_4X4 pelvis
torso_4X4 chest
neck_4X4 neck
head_4X4 head
*_thigh_4X4 hip
*_shank_4X4 knee
*_foot_4X4 ankle
*_toes_4X4 foot
*_clavicle_4X4 collar
*_uarm_4X4 shoulder
*_larm_4X4 elbow
*_hand_4X4 wrist
"""
ARKIT = """
root
  hips_joint pelvis
    *_upLeg_joint hip
      *_leg_joint knee
        *_foot_joint ankle
          *_toes_joint foot
            *_toesEnd_joint
    spine_1_joint spine
      spine_2_joint
        spine_7_joint chest
          *_shoulder_1_joint collar
            *_arm_joint shoulder
              *_forearm_joint elbow
                *_hand_joint wrist
                  *_handMidStart_joint
                    *_handMid_1_joint hand
                      *_handMid_2_joint
                        *_handMidEnd_joint hand_tip
                  *_handThumbStart_joint
                    *_handThumb_1_joint
                      *_handThumb_2_joint thumb
          neck_1_joint neck
            neck_2_joint
              head_joint head
                *_eye_joint eye
                nose_joint nose
"""
DEEPMOTION = """
root_JNT
  hips_JNT pelvis
    *_upleg_JNT hip
      *_leg_JNT knee
        *_foot_JNT ankle
          *_toebase_JNT foot
    spine_JNT spine
      spine1_JNT
        spine2_JNT chest
          *_shoulder_JNT collar
            *_arm_JNT shoulder
              *_forearm_JNT elbow
                *_hand_JNT wrist
          neck_JNT neck
            head_JNT head
"""
AZURE_KINECT = """
PELVIS pelvis
  SPINE_NAVEL spine
    SPINE_CHEST chest
      NECK neck
        HEAD head
          NOSE nose
          EYE_* eye
          EAR_* ear
      CLAVICLE_* collar
        SHOULDER_* shoulder
          ELBOW_* elbow
            WRIST_* wrist
              HAND_* hand
                HANDTIP_* hand_tip
              THUMB_* thumb
  HIP_* hip
    KNEE_* knee
      ANKLE_* ankle
        FOOT_* foot
"""
ZED_34 = """
PELVIS pelvis
  NAVAL_SPINE spine
    CHEST_SPINE chest
      NECK neck
        HEAD head
          NOSE nose
            *_EYE eye
              *_EAR ear
      *_CLAVICLE collar
        *_SHOULDER shoulder
          *_ELBOW elbow
            *_WRIST wrist
              *_HAND hand
                *_HANDTIP hand_tip
              *_THUMB thumb
  *_HIP hip
    *_KNEE knee
      *_ANKLE ankle
        *_FOOT foot
        *_HEEL
"""
ZED_38 = """
PELVIS pelvis
  SPINE_1 spine
    SPINE_2
      SPINE_3 chest
        NECK neck
          NOSE nose
            *_EYE eye
              *_EAR ear
        *_CLAVICLE collar
          *_SHOULDER shoulder
            *_ELBOW elbow
              *_WRIST wrist
                *_HAND_THUMB_4 thumb
                *_HAND_INDEX_1 hand
                *_HAND_MIDDLE_4 hand_tip
                *_HAND_PINKY_1
  *_HIP hip
    *_KNEE knee
      *_ANKLE ankle
        *_HEEL
        *_BIG_TOE foot
        *_SMALL_TOE
"""
MEDIAPIPE = """
nose nose
*_eye_inner
*_eye eye
*_eye_outer
*_ear ear
mouth_*
*_shoulder shoulder
*_elbow elbow
*_wrist wrist
*_pinky
*_index hand
*_thumb thumb
*_hip hip
*_knee knee
*_ankle ankle
*_heel
*_foot_index foot
"""
BODY_25B = """
Neck neck
Head head
Nose nose
CHip
*Shoulder shoulder
*Elbow elbow
*Wrist wrist
*Hip hip
*Knee knee
*Ankle ankle
*BigToe foot
*SmallToe
*Heel
"""
PANOPTIC = """
Neck neck
Nose nose
BodyCenter pelvis
*Shoulder shoulder
*Elbow elbow
*Wrist wrist
*Hip hip
*Knee knee
*Ankle ankle
*Eye eye
*Ear ear
"""
VRM = """
J_Bip_C_Hips pelvis
  J_Bip_C_Spine spine
    J_Bip_C_Chest
      J_Bip_C_UpperChest chest
        J_Bip_C_Neck neck
          J_Bip_C_Head head
            J_Sec_Hair1_01
        J_Bip_*_Shoulder collar
          J_Bip_*_UpperArm shoulder
            J_Bip_*_LowerArm elbow
              J_Bip_*_Hand wrist
  J_Bip_*_UpperLeg hip
    J_Bip_*_LowerLeg knee
      J_Bip_*_Foot ankle
        J_Bip_*_ToeBase foot
"""
ADVANCED_SKELETON = """
Root_M pelvis
  Spine1_M spine
    Spine2_M
      Chest_M chest
        Neck_M neck
          Head_M head
        Scapula_* collar
          Shoulder_* shoulder
            Elbow_* elbow
              Wrist_* wrist
                MiddleFinger1_* hand
                  MiddleFinger2_* hand_tip
                ThumbFinger3_* thumb
  Hip_* hip
    Knee_* knee
      Ankle_* ankle
        Toes_* foot
"""
VICON_SEGMENTS = """
Pelvis pelvis
  Thorax chest
    Head head
    *Clavicle collar
      *Humerus shoulder
        *Radius elbow
          *Hand wrist
  *Femur hip
    *Tibia knee
      *Foot ankle
        *Toes foot
"""
DAZ = """
hip pelvis
  abdomenLower
    abdomenUpper spine
      chestLower
        chestUpper chest
          *Collar collar
            *ShldrBend shoulder
              *ShldrTwist
                *ForearmBend elbow
                  *ForearmTwist
                    *Hand wrist
          neckLower neck
            head head
  *ThighBend hip
    *ThighTwist
      *Shin knee
        *Foot ankle
          *Metatarsals
            *Toe foot
"""
HUMAN_36M = """
Hip pelvis
  *Hip hip
    *Knee knee
      *Foot ankle
  Spine spine
    Thorax chest
      Neck/Nose neck
        Head head
      *Shoulder shoulder
        *Elbow elbow
          *Wrist wrist
"""
PLUG_IN_GAIT = """
*ASI
*KNE
*ANK
*TOE
SACR
PELO pelvis
*FEP hip
*FEO knee
*FEA
*TIP
*TIO ankle
*FOO foot
TRXO chest
HEDO head
*CLO shoulder
*HUO elbow
*RAO wrist
*HNO hand
"""
OPENSIM_MARKERS = """
*ASI
*PSI
*TH1
C7
*HJC hip
*KJC knee
*AJC ankle
"""
OPENCAP = """
Neck neck
*Shoulder shoulder
*Elbow elbow
*Wrist wrist
midHip pelvis
*Hip hip
*Knee knee
*Ankle ankle
*BigToe foot
*Heel
*_knee_study
*_mknee_study
*.ASIS_study
*.PSIS_study
*_shoulder_study
*_calc_study
*_thigh1_study
C7_study
*HJC_study
"""
LONG, UPPER, LOWER, LETTER = ("Left", "Right"), ("LEFT", "RIGHT"), ("left", "right"), ("L", "R")
CONVENTIONS = {
    "OptiTrack Motive": (MOTIVE, LETTER),
    "HumanIK, Mixamo": (HUMAN_IK, LONG),
    "SMPL": (SMPL, ("L_", "R_")),
    "Rigify": (RIGIFY, LETTER),
    "Xsens MVN": (XSENS, LONG),
    "Theia": (THEIA, ("l", "r")),
    "ARKit": (ARKIT, LOWER),
    "DeepMotion": (DEEPMOTION, ("l", "r")),
    "Azure Kinect": (AZURE_KINECT, UPPER),
    "ZED body 34": (ZED_34, UPPER),
    "ZED body 38": (ZED_38, UPPER),
    "MediaPipe": (MEDIAPIPE, LOWER),
    "MediaPipe in capitals": (MEDIAPIPE.upper(), UPPER),
    "OpenPose body 25B": (BODY_25B, LETTER),
    "Panoptic": (PANOPTIC, ("l", "r")),
    "VRM": (VRM, LETTER),
    "Advanced Skeleton": (ADVANCED_SKELETON, LETTER),
    "Vicon segments": (VICON_SEGMENTS, LETTER),
    "Daz": (DAZ, ("l", "r")),
    "Human3.6M": (HUMAN_36M, LETTER),
    "Plug-in Gait": (PLUG_IN_GAIT, LETTER),
    "OpenSim joint centres": (OPENSIM_MARKERS, LETTER),
    "OpenCap": (OPENCAP, LETTER),
}
WITHOUT_A_WHOLE_PERSON = {"OpenSim joint centres"}


def hierarchy(text, sides, rename=lambda name: name):
    """Joints, parents and body parts of a hierarchy as above."""
    lines = [line for line in text.splitlines() if line.strip()]
    joints, parents, parts = [], [], []
    above = {}
    for side, letter in zip(("left", "right"), sides, strict=True):
        path = []
        for line in lines:
            name, _, part = line.strip().partition(" ")
            depth = (len(line) - len(line.lstrip())) // 2
            is_sided = "*" in name
            key = (name, side if is_sided else "")
            path = [*path[:depth], key]
            if key in above:
                continue
            above[key] = len(joints)
            joints.append(rename(name.replace("*", letter)))
            parents.append(above[path[depth - 1]] if depth else -1)
            part = part.lower()
            parts.append((f"{side}_{part}" if is_sided else part) if part else None)
    return joints, parents, parts


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


def test_an_animal_has_the_parts_that_its_names_say():
    names = ["nose", "left_ear", "right_ear", "left_hip", "right_hip", "tail_base", "left_forepaw", "right_forepaw"]
    skeleton = skeleton_from_names("mouse", names, [-1, 0, 0, 5, 5, 0, 0, 0])
    assert skeleton.body_parts[:5] == tuple(names[:5])
    assert skeleton.body_parts[5:] == (None, None, None)
    assert skeleton.pairs == ((1, 2), (3, 4), (6, 7))
    assert skeleton.has_heading
    assert not skeleton.has_torso


def test_an_upper_body_is_its_own_skeleton_and_that_is_said():
    text = "\n".join(line for line in HUMAN_IK.splitlines() if not any(leg in line for leg in ("Leg", "Foot", "Toe")))
    skeleton = check(*hierarchy(text.replace("Spine2 chest", "Spine2 chest"), LONG))
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
    skeleton = skeleton_from_names("x", names, parents)
    assert set(skeleton.body_parts) == {None}
    proposal = propose_parts(skeleton, (*NEEDED_PARTS, "head"))
    truth = dict(zip(names, parts, strict=True))
    assert proposal == {joint: truth[joint] for joint in proposal}
    assert set(proposal.values()) == {*NEEDED_PARTS, "head"}
    (note,) = joint_notes(skeleton)
    assert "check left and right" in note  # nothing but the order tells them apart


def test_a_person_without_a_head_has_it_at_the_neck_and_that_is_said():
    joints, parents, parts = hierarchy(HUMAN_IK.replace("          Head head\n", ""), LONG)
    skeleton = check(joints, parents, parts)
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


# --- the page ------------------------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "start" / "joints.md"
ROWS = re.findall(r"^\| ([^|]+) \| (`[^|]+`) \| (`[^|]+`) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def right_of(name):
    """The right joint by the name of the left one."""
    for left, right in (
        ("Left", "Right"),
        ("LEFT", "RIGHT"),
        ("left", "right"),
        ("_L", "_R"),
        (".L", ".R"),
        ("_l", "_r"),
    ):
        if left in name:
            return name.replace(left, right, 1)
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
