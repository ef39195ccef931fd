"""Joint centres from markers on the skin, by published regressions; `METHODS` names them.

Everything is computed frame by frame from the markers that it needs, and is unknown (NaN) where one was not seen.
Widths and lengths that stay the same are medians over the frames.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..arrays import Float64Array
from .marker_sets import MarkerSet

METHODS = {
    "hip": "Harrington 2007",
    "knee": "Davis 1991",
    "ankle": "Davis 1991",
    "shoulder": "Rab 2002",
    "elbow": "as Davis 1991",
}
"""What computes a joint of which there is no marker on the inner side too, by the name that notes and docs give it."""

KNEE_SHARE, ANKLE_SHARE, ELBOW_SHARE = 0.228, 0.160, 0.205
"""The width of a joint to the length of the limb above it: breadths of the phantom of Ross and Wilson 1974 (femur 9.52,
ankle 6.68, humerus 6.48 of 170.18 cm) to the segments of Drillis and Contini 1966 (0.245, 0.246, 0.186)."""
MARKER_RADIUS = 0.007
"""Metres, of the usual marker of 14 mm."""
RAB_SHARE = 0.17
"""Of the distance between the acromia, from there down to the centre of the shoulder."""
_BENDS = 0.5, 1.5
"""Distances of a bent joint from the line between its neighbours, in offsets of the marker: up to the first the limb
counts as straight, from the second on its plane is trusted."""
_ROUNDS = 3
"""Of finding the knee by the ankle and the ankle by the knee."""
_MISPLACED = np.deg2rad(30)
"""More than a wand is off that was put in the plane of the joint axis."""

Points = Mapping[str, Float64Array]


def joint_centres(markers: MarkerSet, positions: Float64Array, metres: float) -> dict[str, Float64Array]:
    """The joint centres (T, 3) of one person by canonical name, in the unit of the file, NaN where not known.

    Parameters:
        markers: what the points are.
        positions: (T, N, 3), NaN where not seen, in any right-handed axes.
        metres: metres per unit of the positions.
    """
    points = {landmark: positions[:, point].astype(np.float64) * metres for landmark, point in markers.points.items()}
    centres = _hips(points)
    across = _unit(centres["right_hip"] - centres["left_hip"])
    for side, outwards in (("left", -across), ("right", across)):
        centres |= _leg(points, side, centres[f"{side}_hip"], outwards, markers.has_wands)
    centres |= _trunk(points, centres)
    for side in ("left", "right"):
        centres |= _arm(points, side, centres)
    return {part: values / metres for part, values in centres.items() if np.isfinite(values).any()}


def pelvis_width(markers: MarkerSet, positions: Float64Array) -> float:
    """The median distance between the front spines of the pelvis in positions (T, N, 3), 0 where never seen."""
    left, right = (positions[:, markers.points[f"{side}_asis"]] for side in ("left", "right"))
    return _median_length(right - left)


def _hips(points: Points) -> dict[str, Float64Array]:
    """Hip joint centres by Harrington et al. 2007, from the middle of the front spines, and their middle."""
    left, right = points["left_asis"], points["right_asis"]
    back = _middle(points, "left_psis", "right_psis") if "left_psis" in points and "right_psis" in points else None
    back = points["sacrum"] if back is None else back
    origin = (left + right) / 2
    to_right = _unit(right - left)
    forward = _unit(_across(origin - back, to_right))
    up = np.cross(to_right, forward)
    width, depth = _median_length(right - left), _median_length(origin - back)
    middle = origin - (0.24 * depth + 0.0099) * forward - (0.30 * width + 0.0109) * up
    aside = (0.33 * width + 0.0073) * to_right
    return {"pelvis": middle, "left_hip": middle - aside, "right_hip": middle + aside}


def _leg(
    points: Points, side: str, hip: Float64Array, outwards: Float64Array, has_wands: bool
) -> dict[str, Float64Array]:
    """Knee, ankle and foot of a side. `outwards` (T, 3) points from the body to that side."""
    knee_marker, ankle_marker = points[f"{side}_knee"], points[f"{side}_ankle"]
    thigh, shank = (_wand(points, f"{side}_{name}") if has_wands else None for name in ("thigh", "shank"))
    medial_knee, medial_ankle = (
        _first(points, (f"{side}_{name}", f"{side}_{name}_medial")) for name in ("knee", "ankle")
    )
    ankle = ankle_marker - _offset(ankle_marker - knee_marker, ANKLE_SHARE) * outwards  # to begin with
    for _ in range(1 if medial_knee is not None else _ROUNDS):
        lateral = _hinge(hip, knee_marker, ankle, KNEE_SHARE, 1 if side == "right" else -1, outwards)
        lateral = lateral if thigh is None else _by_wand(thigh - hip, _unit(knee_marker - hip), lateral)
        knee = _chord(hip, knee_marker, lateral, KNEE_SHARE) if medial_knee is None else medial_knee
        lateral = knee_marker - knee
        lateral = lateral if shank is None else _by_wand(shank - knee, _unit(ankle_marker - knee), lateral)
        ankle = _chord(knee, ankle_marker, lateral, ANKLE_SHARE) if medial_ankle is None else medial_ankle
    centres = {f"{side}_knee": knee, f"{side}_ankle": ankle}
    foot = _first(points, (f"{side}_toe",), (f"{side}_toe_inner", f"{side}_toe_outer"), (f"{side}_toe_outer",))
    return centres if foot is None else {**centres, f"{side}_foot": foot}


def _wand(points: Points, name: str) -> Float64Array | None:
    """A marker (T, 3) of the plane of a joint axis; None where it was seen in less than half of the frames."""
    wand = points.get(name)
    return None if wand is None or np.isnan(wand[:, 0]).mean() > 0.5 else wand


def _by_wand(wand: Float64Array, along: Float64Array, lateral: Float64Array) -> Float64Array:
    """The direction (T, 3) of a wand across the limb, on the whole near `lateral`.

    A wand that points elsewhere by more than `_MISPLACED` is not in the plane of the joint axis, as where a knee
    alignment device was used; it is turned about the limb by the median of what it is off.
    """
    first = _unit(_across(wand, along))
    second = np.cross(along, first)
    angles = np.arctan2((lateral * second).sum(axis=1), (lateral * first).sum(axis=1))  # (T,)
    known = angles[np.isfinite(angles)]
    off = np.angle(np.median(np.cos(known)) + 1j * np.median(np.sin(known))) if len(known) else 0.0
    return first if abs(off) <= _MISPLACED else np.cos(off) * first + np.sin(off) * second


def _trunk(points: Points, centres: Mapping[str, Float64Array]) -> dict[str, Float64Array]:
    """Chest, spine, head and both shoulders, those that there are markers for."""
    trunk = {
        "chest": _first(points, ("c7", "clavicle")),
        "spine": _first(points, ("t10", "sternum")),
        "head": _first(
            points,
            ("left_head_front", "right_head_front", "left_head_back", "right_head_back"),
            ("head_middle_front", "head_middle_back"),
            ("head_middle_front", "head_top"),
        ),
    }
    parts = {part: values for part, values in trunk.items() if values is not None}
    if not {"left_shoulder", "right_shoulder"} <= points.keys():
        return parts
    left, right = points["left_shoulder"], points["right_shoulder"]
    bottom = parts.get("spine", centres["pelvis"])
    down = _unit(bottom - parts.get("chest", (left + right) / 2))
    down = _where_known(down, _unit(centres["pelvis"] - (left + right) / 2))
    drop = RAB_SHARE * _median_length(right - left) * down
    return {**parts, "left_shoulder": left + drop, "right_shoulder": right + drop}


def _arm(points: Points, side: str, centres: Mapping[str, Float64Array]) -> dict[str, Float64Array]:
    """Elbow, wrist and hand of a side, those that there are markers for."""
    wrist = _first(points, (f"{side}_wrist_thumb", f"{side}_wrist_little"), (f"{side}_wrist",))
    wrist = _first(points, (f"{side}_wrist_little",), (f"{side}_wrist_thumb",)) if wrist is None else wrist
    hand = _first(points, (f"{side}_hand",), (f"{side}_hand_inner", f"{side}_hand_outer"), (f"{side}_hand_outer",))
    arm = {f"{side}_wrist": wrist, f"{side}_hand": hand}
    centre = _first(points, (f"{side}_elbow", f"{side}_elbow_medial"))
    shoulder, marker = centres.get(f"{side}_shoulder"), points.get(f"{side}_elbow")
    if centre is None and shoulder is not None and marker is not None and wrist is not None:
        lateral = _hinge(shoulder, marker, wrist, ELBOW_SHARE, 1 if side == "left" else -1)
        centre = _chord(shoulder, marker, lateral, ELBOW_SHARE)
    arm[f"{side}_elbow"] = centre
    return {part: values for part, values in arm.items() if values is not None}


def _offset(limb: Float64Array, share: float) -> float:
    """Metres from the marker of a joint to its centre: half the width, by the limb (T, 3), and a marker's radius."""
    return share * _median_length(limb) / 2 + MARKER_RADIUS


def _chord(above: Float64Array, marker: Float64Array, lateral: Float64Array, share: float) -> Float64Array:
    """The centre of a joint (T, 3) medial of its marker, after Davis et al. 1991.

    The line from the joint above to the centre is at a right angle to that from the centre to the marker, whose length
    is `_offset`; all lie in the plane of `lateral` (T, 3).
    """
    limb = marker - above
    length, offset = _median_length(limb), _offset(limb, share)
    if length <= offset:
        return np.full_like(marker, np.nan)
    along = _unit(limb)
    outwards = _unit(_across(lateral, along))
    centre: Float64Array = marker - along * offset**2 / length - outwards * offset * np.sqrt(1 - (offset / length) ** 2)
    return centre


def _hinge(
    above: Float64Array,
    marker: Float64Array,
    below: Float64Array,
    share: float,
    sign: int,
    straight: Float64Array | None = None,
) -> Float64Array:
    """The direction (T, 3) in which the marker of a hinge lies beside its centre, by the joints above and below.

    It is at a right angle to the plane of the three joints, which the marker is `_offset` away from. Of the two such
    planes `sign` tells the one to which the limb bends. A limb that is nearly straight has no plane: then it is
    `straight`, by default the way from the line between the joints to the marker.
    """
    along = _unit(below - above)
    from_line = _across(marker - above, along)
    outwards = _unit(from_line)
    distance, offset = np.linalg.norm(from_line, axis=1, keepdims=True), _offset(marker - above, share)
    cosine = np.clip(offset / np.maximum(distance, 1e-9), 0, 1)
    normal = cosine * outwards + sign * np.sqrt(1 - cosine**2) * np.cross(along, outwards)
    bend = np.sqrt(np.clip(distance**2 - offset**2, 0, None)) / offset
    weight = np.clip((bend - _BENDS[0]) / (_BENDS[1] - _BENDS[0]), 0, 1)
    other = outwards if straight is None else straight
    return np.asarray(np.where(np.isnan(weight), other, weight * normal + (1 - weight) * other))


def _first(points: Points, *choices: tuple[str, ...]) -> Float64Array | None:
    """The middle of the first landmarks of which all are there; None without any."""
    names = next((names for names in choices if all(name in points for name in names)), None)
    return None if names is None else _middle(points, *names)


def _middle(points: Points, *names: str) -> Float64Array:
    """The middle (T, 3) of landmarks."""
    return np.asarray(np.mean([points[name] for name in names], axis=0))


def _where_known(vectors: Float64Array, otherwise: Float64Array) -> Float64Array:
    """The vectors (T, 3), in place of those that are not known the others."""
    return np.where(np.isfinite(vectors).all(axis=1, keepdims=True), vectors, otherwise)


def _across(vectors: Float64Array, along: Float64Array) -> Float64Array:
    """The part of vectors (T, 3) at a right angle to unit vectors (T, 3)."""
    return np.asarray(vectors - (vectors * along).sum(axis=1, keepdims=True) * along)


def _unit(vectors: Float64Array) -> Float64Array:
    """Vectors (T, 3) of length 1; NaN where one has none."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 1e-9, lengths, np.nan))


def _median_length(vectors: Float64Array) -> float:
    """The median length of vectors (T, 3); 0 where none is known."""
    lengths = np.linalg.norm(vectors, axis=1)
    lengths = lengths[np.isfinite(lengths)]
    return float(np.median(lengths)) if len(lengths) else 0.0
