"""The skeletons that kinespan knows by name."""

from __future__ import annotations

from .joint_names import skeleton_from_names
from .registry import Registry
from .skeleton import Skeleton

__all__ = ["COCO_17", "KINECT_20", "NTU_25", "SKELETONS", "SMPL_22", "SMPL_24", "skeleton_from_names"]

SKELETONS: Registry[Skeleton] = Registry("skeleton")
"""Skeletons by name. `Skeleton.name` is the key, so that a file or a model can say which one it uses."""

NTU_25 = Skeleton(
    name="ntu25",
    joints=(
        "base of spine", "middle of spine", "neck", "head",
        "left shoulder", "left elbow", "left wrist", "left hand",
        "right shoulder", "right elbow", "right wrist", "right hand",
        "left hip", "left knee", "left ankle", "left foot",
        "right hip", "right knee", "right ankle", "right foot",
        "spine shoulder", "left hand tip", "left thumb", "right hand tip", "right thumb",
    ),
    parents=(1, 20, 20, 2, 20, 4, 5, 6, 20, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18, -1, 22, 7, 24, 11),
    pairs=((4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19), (21, 23), (22, 24)),
    root=(0,),
    spine=(1,),
    left_shoulder=(4,),
    right_shoulder=(8,),
    left_hip=(12,),
    right_hip=(16,),
    body_parts=(
        "pelvis", "spine", "neck", "head",
        "left_shoulder", "left_elbow", "left_wrist", "left_hand",
        "right_shoulder", "right_elbow", "right_wrist", "right_hand",
        "left_hip", "left_knee", "left_ankle", "left_foot",
        "right_hip", "right_knee", "right_ankle", "right_foot",
        "chest", "left_hand_tip", "left_thumb", "right_hand_tip", "right_thumb",
    ),
)  # fmt: skip
"""Kinect v2 body of NTU RGB+D (Shahroudy et al., CVPR 2016), joints 1..25 in the data set's order."""

KINECT_20 = Skeleton(
    name="kinect20",
    joints=(
        "HipCenter", "Spine", "ShoulderCenter", "Head",
        "ShoulderLeft", "ElbowLeft", "WristLeft", "HandLeft",
        "ShoulderRight", "ElbowRight", "WristRight", "HandRight",
        "HipLeft", "KneeLeft", "AnkleLeft", "FootLeft",
        "HipRight", "KneeRight", "AnkleRight", "FootRight",
    ),
    parents=(-1, 0, 1, 2, 2, 4, 5, 6, 2, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18),
    pairs=((4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19)),
    root=(0,),
    spine=(1,),
    left_shoulder=(4,),
    right_shoulder=(8,),
    left_hip=(12,),
    right_hip=(16,),
    body_parts=(
        "pelvis", "spine", "chest", "head",
        "left_shoulder", "left_elbow", "left_wrist", "left_hand",
        "right_shoulder", "right_elbow", "right_wrist", "right_hand",
        "left_hip", "left_knee", "left_ankle", "left_foot",
        "right_hip", "right_knee", "right_ankle", "right_foot",
    ),
)  # fmt: skip
"""Kinect v1 body in the order of the SDK (and of PRECOG). ShoulderCenter is what Kinect v2 calls SpineShoulder."""

_SMPL_JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)  # fmt: skip
_SMPL_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
_SMPL_PAIRS = ((1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21), (22, 23))
_SMPL_PARTS = {"spine1": "spine", "spine2": "upper_spine", "spine3": "chest"}


def _smpl(name: str, count: int) -> Skeleton:
    """The first `count` joints of the SMPL body."""
    return Skeleton(
        name=name,
        joints=_SMPL_JOINTS[:count],
        parents=_SMPL_PARENTS[:count],
        pairs=tuple(pair for pair in _SMPL_PAIRS if max(pair) < count),
        root=(0,),
        spine=(3,),
        left_shoulder=(16,),
        right_shoulder=(17,),
        left_hip=(1,),
        right_hip=(2,),
        body_parts=tuple(_SMPL_PARTS.get(joint, joint) for joint in _SMPL_JOINTS[:count]),
    )


SMPL_22 = _smpl("smpl22", 22)
"""SMPL body (Loper et al., SIGGRAPH Asia 2015) without hands, as in SMPL-H/SMPL-X bodies. BABEL's own choice of
NTU joints takes spine1 as the middle of the spine and spine3 as the spine at the shoulders; so do the body parts."""
SMPL_24 = _smpl("smpl24", 24)
"""SMPL body with its two hand joints."""

COCO_17 = Skeleton(
    name="coco17",
    joints=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee",
        "left_ankle", "right_ankle",
    ),
    parents=(-1, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14),
    pairs=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)),
    root=(11, 12),
    spine=(5, 6, 11, 12),
    left_shoulder=(5,),
    right_shoulder=(6,),
    left_hip=(11,),
    right_hip=(12,),
    body_parts=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee",
        "left_ankle", "right_ankle",
    ),
)  # fmt: skip
"""The 17 COCO keypoints. It has no pelvis and no spine: the root is the mean of the hips, the spine that of hips
and shoulders."""

for _skeleton in (NTU_25, KINECT_20, SMPL_22, SMPL_24, COCO_17):
    SKELETONS.register(_skeleton.name)(_skeleton)
