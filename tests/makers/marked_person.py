"""Somebody who walks with markers on the skin, in metres, y up and facing -z: known joint centres, markers around them.

The joints are those of a body with flexed elbows and knees whose axes are known; each marker is put where the marker
set has it: at half the width of the joint and a marker's radius on the outer side, on the axis.
"""

from __future__ import annotations

import numpy as np

PELVIS_WIDTH, PELVIS_DEPTH = 0.24, 0.16
RADIUS = 0.007
SHARES = {"knee": 0.228, "ankle": 0.160, "elbow": 0.205}
RIGHT, UP, FORWARD = np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), np.array([0, 0, -1.0])


def turned(vector, angle):
    """A vector turned about the axis to the right, forwards and up for a vector that points down."""
    cos, sin = np.cos(angle), np.sin(angle)
    right, up, forward = vector @ RIGHT, vector @ UP, vector @ FORWARD
    return right * RIGHT + (up * cos + forward * sin) * UP + (forward * cos - up * sin) * FORWARD


def outer_marker(above, centre, axis, share):
    """The marker on an axis outside of a joint: what is half as far as the width by the length of the limb."""
    distance = 0.0
    for _ in range(50):
        distance = share / 2 * np.hypot(np.linalg.norm(centre - above), distance) + RADIUS
    return centre + distance * axis


def frame(phase):
    """Joint centres and landmarks on the skin, by name, in one phase of the step."""
    joints, marks = {}, {}
    middle = np.array([0, 1.0, 0]) + 0.3 * phase * FORWARD
    marks["c7"], marks["clavicle"] = middle + 0.50 * UP - 0.06 * FORWARD, middle + 0.46 * UP + 0.08 * FORWARD
    marks["t10"], marks["sternum"] = middle + 0.30 * UP - 0.10 * FORWARD, middle + 0.26 * UP + 0.12 * FORWARD
    marks["sacrum"] = middle - PELVIS_DEPTH * FORWARD
    joints["chest"], joints["spine"] = (marks["c7"] + marks["clavicle"]) / 2, (marks["t10"] + marks["sternum"]) / 2
    joints["head"] = middle + 0.68 * UP
    down = joints["spine"] - joints["chest"]
    down = down / np.linalg.norm(down)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        out, swing = sign * RIGHT, sign * np.sin(phase)
        marks[f"{side}_asis"] = middle + out * PELVIS_WIDTH / 2
        marks[f"{side}_psis"] = middle - PELVIS_DEPTH * FORWARD + 0.05 * out
        hip = middle - (0.24 * PELVIS_DEPTH + 0.0099) * FORWARD - (0.30 * PELVIS_WIDTH + 0.0109) * UP
        hip = hip + (0.33 * PELVIS_WIDTH + 0.0073) * out
        knee = hip + 0.43 * turned(-UP, 0.4 * swing + 0.3)
        ankle = knee + 0.43 * turned(-UP, 0.4 * swing - 0.4)
        marks[f"{side}_knee"] = outer_marker(hip, knee, out, SHARES["knee"])
        marks[f"{side}_ankle"] = outer_marker(knee, ankle, out, SHARES["ankle"])
        marks[f"{side}_thigh"] = (hip + marks[f"{side}_knee"]) / 2 + 0.10 * out
        marks[f"{side}_shank"] = (knee + marks[f"{side}_ankle"]) / 2 + 0.10 * out
        for joint, centre in (("knee", knee), ("ankle", ankle)):
            marks[f"{side}_{joint}_medial"] = 2 * centre - marks[f"{side}_{joint}"]
        marks[f"{side}_toe"] = joints[f"{side}_foot"] = ankle + 0.15 * FORWARD - 0.06 * UP
        acromion = middle + 0.50 * UP + 0.19 * out
        marks[f"{side}_shoulder"] = acromion
        shoulder = acromion + 0.17 * 0.38 * down
        elbow = shoulder + 0.32 * turned(-UP, -0.5 * swing)
        wrist = elbow + 0.27 * turned(-UP, -0.5 * swing + 0.9)
        marks[f"{side}_elbow"] = outer_marker(shoulder, elbow, out, SHARES["elbow"])
        marks[f"{side}_elbow_medial"] = 2 * elbow - marks[f"{side}_elbow"]
        marks[f"{side}_wrist_thumb"], marks[f"{side}_wrist_little"] = wrist + 0.03 * FORWARD, wrist - 0.03 * FORWARD
        marks[f"{side}_hand"] = joints[f"{side}_hand"] = wrist + 0.08 * turned(-UP, -0.5 * swing + 0.9)
        for name, shift in (("front", 0.09), ("back", -0.09)):
            marks[f"{side}_head_{name}"] = joints["head"] + shift * FORWARD + 0.07 * out
        marks[f"{side}_toe_inner"], marks[f"{side}_toe_outer"] = (
            marks[f"{side}_toe"] - 0.03 * out,
            marks[f"{side}_toe"] + 0.03 * out,
        )
        marks[f"{side}_heel"] = ankle - 0.06 * FORWARD - 0.05 * UP
        limbs = {"hip": hip, "knee": knee, "ankle": ankle, "shoulder": shoulder, "elbow": elbow, "wrist": wrist}
        joints |= {f"{side}_{part}": centre for part, centre in limbs.items()}
    joints["pelvis"] = (joints["left_hip"] + joints["right_hip"]) / 2
    marks["head_front"], marks["head_top"] = joints["head"] + 0.1 * FORWARD, joints["head"] + 0.1 * UP
    return joints, marks


def walk(frames=30):
    """Joint centres (T, 3) by canonical name, and markers (T, 3) by landmark."""
    rows = [frame(phase) for phase in np.linspace(0, 6, frames)]
    joints, marks = ([row[index] for row in rows] for index in (0, 1))
    return tuple({name: np.array([row[name] for row in part]) for name in part[0]} for part in (joints, marks))


SIDED = {
    "Plug-in Gait": {
        "asis": "ASI", "psis": "PSI", "thigh": "THI", "knee": "KNE", "shank": "TIB", "ankle": "ANK", "heel": "HEE",
        "toe": "TOE", "shoulder": "SHO", "elbow": "ELB", "wrist_thumb": "WRA", "wrist_little": "WRB", "hand": "FIN",
        "head_front": "FHD", "head_back": "BHD",
    },
    "Helen Hayes": {"asis": "ASI", "thigh": "THI", "knee": "KNE", "shank": "TIB", "ankle": "ANK", "toe": "TOE",
                    "heel": "HEE"},
    "CMU": {
        "asis": "FWT", "psis": "BWT", "thigh": "THI", "knee": "KNE", "shank": "SHN", "ankle": "ANK", "heel": "HEE",
        "toe": "TOE", "toe_outer": "MT5", "shoulder": "SHO", "elbow": "ELB", "wrist_thumb": "WRA",
        "wrist_little": "WRB", "hand": "FIN", "head_front": "FHD", "head_back": "BHD",
    },
    "OptiTrack": {
        "knee": "KneeOut", "ankle": "AnkleOut", "heel": "Heel", "toe_inner": "ToeIn", "toe_outer": "ToeOut",
        "shoulder": "ShoulderTop", "elbow": "ElbowOut", "wrist_thumb": "WristIn", "wrist_little": "WristOut",
        "hand": "HandOut",
    },
    "ISB": {
        "asis": "_IAS", "psis": "_IPS", "knee": "_FLE", "knee_medial": "_FME", "ankle": "_FAL", "ankle_medial": "_TAM",
        "shoulder": "_SAJ", "elbow": "_HLE", "elbow_medial": "_HME", "wrist_thumb": "_RSP", "wrist_little": "_UHE",
        "toe_inner": "_FM1", "toe_outer": "_FM5",
    },
}  # fmt: skip
"""Names of markers without the side, by set and landmark."""
MIDDLE = {
    "Plug-in Gait": {"c7": "C7", "t10": "T10", "clavicle": "CLAV", "sternum": "STRN"},
    "Helen Hayes": {"sacrum": "SACR"},
    "CMU": {"c7": "C7", "t10": "T10", "clavicle": "CLAV", "sternum": "STRN"},
    "OptiTrack": {"c7": "BackTop", "clavicle": "ChestTop", "sternum": "ChestLow", "head_front": "HeadFront",
                  "head_top": "HeadTop"},
    "ISB": {"c7": "CV7", "t10": "TV10", "clavicle": "SNJ", "sternum": "SXS"},
}  # fmt: skip


def marker_names(kind):
    """The name of each marker of a set, and its landmark."""
    names = dict((name, landmark) for landmark, name in MIDDLE[kind].items())
    for side in ("left", "right"):
        names |= {f"{side[0].upper()}{name}": f"{side}_{landmark}" for landmark, name in SIDED[kind].items()}
        if kind == "OptiTrack":
            names |= {f"Waist{side[0].upper()}Front": f"{side}_asis", f"Waist{side[0].upper()}Back": f"{side}_psis"}
    return names
