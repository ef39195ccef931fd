"""Joint centres in place of the markers of a usual marker set, as a step of reading."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..arrays import Float64Array
from ..data.joint_centres import METHODS, joint_centres, pelvis_width
from ..data.joint_names import read_names, skeleton_from_canonical
from ..data.marker_sets import MarkerSet, find_marker_set
from .base import DECIDED, FileMotion
from .options import METRES, ReadOptions

_PELVIS_WIDTH = 0.24
"""Metres between the front spines of the pelvis of a grown person, and the bounds of anybody's."""
_PELVIS_WIDTHS = 0.10, 0.45
_OWN_SHARE = 0.9
"""A joint centre of the file is taken where it is seen in so many of the frames in which it can be computed."""
_ORDER = ("pelvis", "spine", "chest", "head")


def with_joint_centres(motion: FileMotion, options: ReadOptions) -> FileMotion:
    """The motion with joint centres in place of the markers of a usual set, and a note of it; another as it is.

    Joint centres that are in the file, as a program for gait analysis writes them, are taken as they are.
    """
    names = motion.skeleton.joints
    if options.markers == "keep" or not read_names(names).is_marker_set:
        return motion
    markers = find_marker_set(names)
    if markers is None:
        return motion
    positions = _seen_positions(motion)
    metres = _metres(motion, options, markers, positions)
    people = [joint_centres(markers, positions[:, person], metres) for person in range(positions.shape[1])]
    own = _own_centres(motion, positions, people)
    parts = [part for part in _ORDER if any(part in centres for centres in people)]
    parts += sorted({part for centres in people for part in centres} | own.keys() - set(parts) - set(_ORDER))
    parts = list(dict.fromkeys(parts))
    centres = np.full((*positions.shape[:2], len(parts), 3), np.nan)
    for joint, part in enumerate(parts):
        for person, computed in enumerate(people):
            if part in own:
                centres[:, person, joint] = own[part][:, person]
            elif part in computed:
                centres[:, person, joint] = computed[part]
    if not np.isfinite(centres).any():
        return motion
    return replace(
        motion,
        positions=centres,
        skeleton=skeleton_from_canonical(f"centres{len(parts)}", parts, [-1] * len(parts), parts),
        rest=None,
        valid=None,
        history=(*motion.history, _note(markers, parts, own)),
    )


def _seen_positions(motion: FileMotion) -> Float64Array:
    """Positions (T, P, J, 3), NaN where not seen."""
    positions = motion.positions.astype(np.float64)
    if motion.valid is None:
        return positions
    valid = motion.valid if motion.valid.ndim == 3 else motion.valid[:, :, None]
    return np.where(valid[..., None], positions, np.nan)


def _metres(motion: FileMotion, options: ReadOptions, markers: MarkerSet, positions: Float64Array) -> float:
    """Metres per unit: given, or the file's, unless nobody's pelvis is so wide; then that which makes it one."""
    stated = motion.unit if options.metres is None else options.metres
    width = max(pelvis_width(markers, positions[:, person]) for person in range(positions.shape[1]))
    if stated is not None and (options.metres is not None or _PELVIS_WIDTHS[0] < width * stated < _PELVIS_WIDTHS[1]):
        return stated
    likely = min(
        (METRES["m"], METRES["cm"], METRES["mm"]), key=lambda unit: abs(np.log((width or 1) * unit / _PELVIS_WIDTH))
    )
    return likely if width else stated or 1.0


def _own_centres(
    motion: FileMotion, positions: Float64Array, people: list[dict[str, Float64Array]]
) -> dict[str, Float64Array]:
    """Joint centres (T, P, 3) of the file itself, by canonical name, that are seen as often as those computed."""
    own = {}
    for joint, part in enumerate(motion.skeleton.body_parts):
        if part is None:
            continue
        seen = np.isfinite(positions[:, :, joint, 0]).sum()
        computed = sum(np.isfinite(centres[part][:, 0]).sum() for centres in people if part in centres)
        if seen and seen >= _OWN_SHARE * computed:
            own[part] = positions[:, :, joint]
    return own


def _note(markers: MarkerSet, parts: list[str], own: dict[str, Float64Array]) -> str:
    """What was computed, and by what."""
    computed = [part for part in parts if part not in own]
    limbs = {part.partition("_")[2] for part in computed}
    methods = [f"{limb}s {_method(limb, markers)}" for limb in METHODS if limb in limbs]
    which = f"{len(parts)} joint centres from {len(markers.points)} markers of the {markers.name} set"
    mine = f"{len(own)} are the file's own" if own else ""
    details = "; ".join(text for text in (", ".join(methods), mine, "--markers keep has the markers") if text)
    return f"{DECIDED}{which} ({details})"


def _method(limb: str, markers: MarkerSet) -> str:
    """What a joint of both sides is computed by."""
    return "midpoints" if f"left_{limb}_medial" in markers.points else METHODS[limb]
