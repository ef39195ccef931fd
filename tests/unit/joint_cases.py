"""Joint names as programs write them: hierarchies with the part of the body that each joint is."""

from __future__ import annotations

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
