"""The usual sets of markers on the skin: which marker is which landmark, by name.

A landmark is a place on the skin, ``left_asis`` or ``c7``, with its names in the sets of Plug-in Gait and Helen Hayes,
of CMU (41), of OptiTrack (37, 41, 50) and of the ISB. `joint_centres` computes joints from them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SIDED_MARKERS: Mapping[str, tuple[str, ...]] = {
    "asis": ("asi", "asis", "ias", "iasis", "fwt"),
    "psis": ("psi", "psis", "ips", "ipsis", "bwt"),
    "thigh": ("thi", "thigh", "thighside", "wand1"),
    "knee": ("kne", "knee", "kneeout", "kneelateral", "kneelat", "fle", "lfc", "lek"),
    "knee_medial": ("kneemedial", "kneemed", "kneein", "knm", "mkne", "fme", "mfc", "mek"),
    "shank": ("tib", "shank", "shn", "shin", "wand2"),
    "ankle": ("ank", "ankle", "ankleout", "anklelateral", "anklelat", "fal", "lmal", "lm"),
    "ankle_medial": ("anklemedial", "anklemed", "anklein", "anm", "mank", "tam", "mmal", "mm"),
    "heel": ("hee", "heel", "fcc", "cal", "calc"),
    "toe": ("toe", "mt2", "fm2"),
    "toe_inner": ("mt1", "fm1", "toein"),
    "toe_outer": ("mt5", "fm5", "toeout"),
    "shoulder": ("sho", "shoulder", "shouldertop", "acr", "acromion", "saj"),
    "elbow": ("elb", "elbow", "elbowout", "elbowlateral", "elbowlat", "hle", "lee"),
    "elbow_medial": ("elbowmedial", "elbowmed", "elbowin", "elm", "melb", "hme", "mee"),
    "wrist_thumb": ("wra", "iwr", "wristin", "wristradius", "rsp"),
    "wrist_little": ("wrb", "owr", "wristout", "wristulna", "uhe", "usp"),
    "wrist": ("wri", "wrist"),
    "hand": ("fin", "hand", "hm2"),
    "hand_inner": ("handin",),
    "hand_outer": ("handout", "hm5"),
    "head_front": ("fhd", "hdf"),
    "head_back": ("bhd", "hdb"),
}
"""Landmarks of a side, by the names of their markers without the side; in lower case, letters and digits only."""

MIDDLE_MARKERS: Mapping[str, tuple[str, ...]] = {
    "sacrum": ("sacr", "sacrum", "vsacral", "sacral", "waistcback"),
    "c7": ("c7", "cv7", "backtop"),
    "t10": ("t10", "tv10", "t8", "tv8"),
    "clavicle": ("clav", "snj", "chesttop"),
    "sternum": ("strn", "sxs", "xiph", "chestlow", "chest"),
    "head_top": ("headtop", "tophead"),
    "head_middle_front": ("headfront", "fronthead"),
    "head_middle_back": ("headback", "rearhead"),
}
"""Landmarks in the middle, likewise."""

_INSIDE_NAMES = {
    "asis": ("waist{}front",),
    "psis": ("waist{}back",),
}
"""Names with the side, l or r, inside."""
_SYMMETRIC = {"head_front": "head_middle_front", "head_back": "head_middle_back"}
_NEEDED = ("asis", "knee", "ankle")


@dataclass(frozen=True)
class MarkerSet:
    """The landmarks that the points of a file are."""

    name: str
    """Plug-in Gait, Helen Hayes, CMU, OptiTrack, ISB, or anatomical for other names of the same places."""
    points: Mapping[str, int]
    """Landmark, ``left_knee`` or ``c7``, to the index of its point."""
    has_wands: bool
    """Whether thigh and shank markers are placed in the plane of the joint axes, as for the chord of Davis."""


def find_marker_set(names: Sequence[str]) -> MarkerSet | None:
    """The marker set of a file with these points, from which hips, knees and ankles can be computed; None for another.

    It has both front spines of the pelvis, something at its back, and both knees and ankles.
    """
    index: dict[str, int] = {}
    for number, name in enumerate(names):
        index.setdefault(_word(name), number)
    points = {
        landmark: index[word] for landmark, words in MIDDLE_MARKERS.items() for word in words[::-1] if word in index
    }
    for landmark, words in SIDED_MARKERS.items():
        for side in ("left", "right"):
            spellings = [name for word in words for name in (f"{side[0]}{word}", f"{side}{word}", f"{word}{side[0]}")]
            spellings += [name.format(side[0]) for name in _INSIDE_NAMES.get(landmark, ())]
            spelling = next((name for name in spellings if name in index), None)
            if spelling is not None:
                points[f"{side}_{landmark}"] = index[spelling]
    has_legs = all(f"{side}_{landmark}" in points for side in ("left", "right") for landmark in _NEEDED)
    has_back = "sacrum" in points or {"left_psis", "right_psis"} <= points.keys()
    if not has_legs or not has_back or len(set(points.values())) < len(points):
        return None
    name = _set_name(set(index), points)
    return MarkerSet(name, points, has_wands=name in ("Plug-in Gait", "Helen Hayes"))


def _set_name(words: set[str], points: Mapping[str, int]) -> str:
    """Which of the usual sets has these names."""
    if "waistlfront" in words or "lkneeout" in words:
        return "OptiTrack"
    if "lfwt" in words:
        return "CMU"
    if "lfle" in words or "lias" in words:
        return "ISB"
    if "left_psis" not in points:
        return "Helen Hayes"
    return "Plug-in Gait" if "lasi" in words and "lkne" in words else "anatomical"


def _word(name: str) -> str:
    """A name without its subject, in lower case, letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", name.rpartition(":")[2].lower())
