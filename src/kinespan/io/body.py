"""What a body tells of its file: metres per unit, by the length of its limbs, and the axis that points up.

Both are judged on some frames of all people, by the canonical names of the skeleton; the axis by the names of markers
too. A hand, or a skeleton whose joints have no such names, tells nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import BoolArray, Float64Array
from ..data.joint_conventions import ANIMAL_WORDS
from ..data.joint_names import read_names
from ..data.skeleton import Skeleton
from .options import AXES, Axis

_MAX_FRAMES = 256
"""Frames that are looked at, evenly over the recording."""

_LIMBS: tuple[tuple[str, str, float], ...] = (
    ("hip", "knee", 0.245),
    ("knee", "ankle", 0.246),
    ("shoulder", "elbow", 0.186),
    ("elbow", "wrist", 0.146),
)
"""Ends of a limb, and its share of the stature (Drillis and Contini 1966)."""
_TORSO_SHARE = 0.288
_CHAIN_SHARE = 0.87
"""The way from ankle over knee, hip, spine to the head joint."""
_MAX_SPREAD = 0.6
"""A limb whose length varies by more of its median, from the 10th to the 90th percentile, is none."""

_MAX_PROPORTION = 2.5
"""The largest ratio of what two limbs of a person say of the stature; by poor trackers it is up to 2."""

_UNITS: tuple[tuple[float, str, float], ...] = (
    (3.4, "metres", 1.0),
    (9.0, "feet", 0.3048),
    (44.0, "CMU units", 0.0254 / 0.45),
    (78.0, "inches", 0.0254),
    (430.0, "centimetres", 0.01),
    (np.inf, "millimetres", 0.001),
)
"""Largest stature in a unit, its name, metres. So 78 to 430 are centimetres: a child of 0.8 m is more likely than
somebody of 2 m whom a file has in inches."""

STATURES = 0.5, 2.5
"""Metres: the smallest and the largest stature that is believed."""

_MARKER_LEVELS: tuple[tuple[str, ...], ...] = (
    ("hee", "rhee", "toe", "rtoe", "ank", "rank", "cal", "calc", "fcc", "fm1", "fm5", "fal", "tam", "mt1", "mt2", "mt5",
     "met", "mall", "mmal", "lmal", "mal", "5meta"),
    ("asi", "asis", "psi", "psis", "ias", "ips", "sacr", "sacrum", "fwt", "bwt", "asisl", "asisr", "psisl", "psisr"),
    ("c7", "cv7", "t1", "clav", "clavm", "cla", "snj", "sxs", "sho", "saj", "acr", "acrotip", "should", "strn", "ster",
     "sternum", "xiph", "t10", "tv8"),
    ("fhd", "bhd", "hdf", "hdb", "headfront", "headtop", "headleft", "headright"),
)  # fmt: skip
"""Markers on feet, pelvis, chest and head, as `read_names` has their names."""


@dataclass(frozen=True, eq=False)
class Body:
    """Some frames of a motion by canonical name, in the file's units and axes."""

    points: Mapping[str, Float64Array]
    """(N, 3) by canonical name; NaN where not seen"""
    marker_levels: tuple[Float64Array, ...] = ()
    """(N, 3) the middle of the markers on feet, pelvis, chest, head, of those levels that have any"""

    @classmethod
    def of(cls, skeleton: Skeleton, positions: NDArray[np.floating[Any]], valid: BoolArray) -> Body:
        """The body in positions (T, P, J, 3), of which `valid` (T, P, J) were seen."""
        frames = np.unique(np.linspace(0, len(positions) - 1, _MAX_FRAMES).astype(np.int64))
        seen = np.where(valid[frames, ..., None], positions[frames], np.nan).astype(np.float64)
        joints = {part: joint for joint, part in enumerate(skeleton.body_parts) if part}
        points = {part: seen[:, :, joint].reshape(-1, 3) for part, joint in joints.items()}
        words = read_names(skeleton.joints).words
        members = ([joint for joint, word in enumerate(words) if word in level] for level in _MARKER_LEVELS)
        return cls(
            points, tuple(_middle_of(seen[:, :, joints].reshape(-1, len(joints), 3)) for joints in members if joints)
        )

    def stature(self) -> float | None:
        """The height of the body in the file's units, the median of what its limbs say.

        None without any limb, and where their proportions are not a person's.
        """
        estimates = [length / share for length, share in self._limbs() if length > 0]
        if not estimates or max(estimates) > _MAX_PROPORTION * min(estimates):
            return None
        return float(np.median(estimates))

    def upward(self) -> Float64Array:
        """Unit vectors (N, 3) from the legs to the head, of the frames that show both."""
        upper = [self.points.get(part) for part in ("head", "neck", "nose", "chest")] + [self._middle("shoulder")]
        lower = [self._middle(part) for part in ("ankle", "foot", "knee")]
        ends = [next((points for points in choices if points is not None), None) for choices in (lower, upper)]
        if (ends[0] is None or ends[1] is None) and len(self.marker_levels) > 1:
            ends = [self.marker_levels[0], self.marker_levels[-1]]
        if ends[0] is None or ends[1] is None:
            return np.zeros((0, 3))
        steps = ends[1] - ends[0]
        lengths = np.linalg.norm(steps, axis=1)
        ok = np.isfinite(lengths) & (lengths > 0)
        return np.asarray(steps[ok] / lengths[ok, None])

    def lowest(self, axis: Axis) -> float:
        """The median over frames of the lowest point along an axis, in units of the way from legs to head."""
        sign = -1.0 if axis.startswith("-") else 1.0
        points = (*self.points.values(), *self.marker_levels)
        if not points:
            return np.inf
        heights = sign * np.stack([point[:, "xyz".index(axis[-1])] for point in points])
        heights = heights[:, np.isfinite(heights).any(axis=0)]
        return float(np.median(np.nanmin(heights, axis=0))) / self._size() if heights.size else np.inf

    def _size(self) -> float:
        """The stature; without one about it, by the lowest and highest level of markers; 1 without either."""
        stature = self.stature()
        if stature is not None or len(self.marker_levels) < 2:
            return stature or 1.0
        lengths = np.linalg.norm(self.marker_levels[-1] - self.marker_levels[0], axis=1)
        lengths = lengths[np.isfinite(lengths)]
        return float(np.median(lengths)) or 1.0 if len(lengths) else 1.0

    def _middle(self, part: str) -> Float64Array | None:
        """The middle (N, 3) between the left and the right one; None where the body lacks one."""
        left, right = self.points.get(f"left_{part}"), self.points.get(f"right_{part}")
        return None if left is None or right is None else (left + right) / 2

    def _limbs(self) -> Iterable[tuple[float, float]]:
        """Length and share of the stature of each limb that the body has; 0 where it is none."""
        for start, end, share in _LIMBS:
            for side in ("left", "right"):
                if f"{side}_{start}" in self.points and f"{side}_{end}" in self.points:
                    yield _length(self.points[f"{side}_{start}"], self.points[f"{side}_{end}"]), share
        hips, shoulders = self._middle("hip"), self._middle("shoulder")
        if hips is not None and shoulders is not None:
            yield _length(hips, shoulders), _TORSO_SHARE
        leg = [f"left_{part}" for part in ("ankle", "knee", "hip")]
        if hips is not None and {*leg, "head"} <= self.points.keys():
            trunk = [hips, *(self.points[part] for part in ("chest", "neck", "head") if part in self.points)]
            chains = ([self.points[part] for part in leg], trunk)
            lengths = [_length(start, end) for chain in chains for start, end in pairwise(chain)]
            yield (sum(lengths) if all(lengths) else 0.0), _CHAIN_SHARE


def _middle_of(points: Float64Array) -> Float64Array:
    """The mean (N, 3) of those of the points (N, M, 3) that were seen; NaN without any."""
    is_seen = np.isfinite(points).all(axis=2, keepdims=True)
    total = np.where(is_seen, points, 0).sum(axis=1)
    counts = is_seen.sum(axis=1)
    return np.asarray(np.where(counts > 0, total / np.maximum(counts, 1), np.nan))


def _length(start: Float64Array, end: Float64Array) -> float:
    """The length of a limb between points (N, 3); 0 where it is never seen or its length is not that of a limb."""
    lengths = np.linalg.norm(end - start, axis=1)
    lengths = lengths[np.isfinite(lengths)]
    if not len(lengths):
        return 0.0
    low, middle, high = np.quantile(lengths, (0.1, 0.5, 0.9))
    return float(middle) if high - low <= _MAX_SPREAD * middle else 0.0


def is_person(skeleton: Skeleton) -> bool:
    """Whether it has the shoulders, hips and knees of a person, and no tail."""
    named = {part for part in skeleton.body_parts if part}
    needed = {f"{side}_{part}" for side in ("left", "right") for part in ("shoulder", "hip", "knee")}
    return needed <= named and not any(word in joint.lower() for joint in skeleton.joints for word in ANIMAL_WORDS)


class Unit(NamedTuple):
    """Metres per unit, and the name of the unit."""

    metres: float
    name: str


def likely_unit(stature: float) -> Unit:
    """The unit that makes a body of this stature, in units of the file, most likely a person."""
    name, metres = next((name, metres) for largest, name, metres in _UNITS if stature <= largest)
    return Unit(metres, name)


class UpAxis(NamedTuple):
    """An axis that points up: why, for the history, and what is to be looked at, if anything."""

    axis: Axis
    reason: str
    check: str = ""


_MOST, _HARDLY = 0.6, 0.05
_COSINE = np.cos(np.deg2rad(30))
_FLOOR = 0.1
"""Statures from the origin to the lowest point of a body, below which a floor may be there."""


def standing_axis(body: Body) -> UpAxis | None:
    """The axis along which the head is above the legs in most frames, for a file that states none; None without one."""
    shares = _shares(body.upward())
    axis = max(shares, key=lambda name: shares[name])
    if shares[axis] < _MOST:
        return None
    return UpAxis(axis, f"the head is above the legs in {100 * shares[axis]:.0f} % of the frames")


def find_up(body: Body, default: Axis, rest: Body | None = None) -> UpAxis:
    """The axis along which the head is above the legs in most frames, else the format's own, `default`.

    The format's own stays where the body ever stands along it, as somebody does who lies down in between, and where it
    may lie all the time: where the rest pose, of a file that has one, stands along the format's own, or where the body
    is on the floor along the format's own but not along the other. An upside-down body is turned: nobody lies so.
    """
    directions = body.upward()
    if not len(directions):
        return UpAxis(default, "the format's, with no head and legs to tell by")
    shares = _shares(directions)
    axis = max(shares, key=lambda name: shares[name])
    if shares[default] >= 0.5:
        return UpAxis(default, "as the body stands")
    if axis == default or shares[axis] < _MOST or shares[default] > _HARDLY:
        return UpAxis(default, "the format's, the body does not tell")
    percent = f"{100 * shares[axis]:.0f} % of the frames"
    if _stands(body, axis, default, rest):
        return UpAxis(axis, f"the head is above the legs in {percent}")
    return UpAxis(
        default,
        "the format's, the body may lie",
        f"the body lies along {axis} in {percent}; if that axis points up, give --up {axis}",
    )


def _shares(directions: Float64Array) -> dict[Axis, float]:
    """The share of directions (N, 3) that point along each axis; 0 without any."""
    return {axis: float((_along(directions, axis) > _COSINE).mean()) if len(directions) else 0.0 for axis in AXES}


def _stands(body: Body, axis: Axis, default: Axis, rest: Body | None) -> bool:
    """Whether a body along `axis` stands; otherwise it may lie in a file of which `default` is up."""
    directions = np.zeros((0, 3)) if rest is None else rest.upward()
    if len(directions) and _along(directions, axis)[0] > _COSINE:
        return True
    if axis[-1] == "x":
        return False
    is_upside_down = axis[-1] == default[-1]
    on_axis, on_default = (abs(body.lowest(name)) < _FLOOR for name in (axis, default))
    if len(directions) and _along(directions, default)[0] > _COSINE:
        return on_axis and not on_default and not is_upside_down
    return is_upside_down or on_axis or not on_default


def _along(directions: Float64Array, axis: Axis) -> Float64Array:
    """The cosine (N,) of directions (N, 3) with an axis."""
    values = directions[:, "xyz".index(axis[-1])]
    return np.asarray(-values if axis.startswith("-") else values)
