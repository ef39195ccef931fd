"""The skeletons that kinespan knows by name."""

from __future__ import annotations

from .skeleton import Skeleton

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
