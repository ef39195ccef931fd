"""C3D (c3d.org): labelled points of optical systems, events, and the segments of markerless ones."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from ..data.annotation import Annotation, Event, LabelSet
from ..errors import InputError
from .base import CHECK, DECIDED, READERS, FileMotion
from .c3d_file import C3DFile, Float32Array, is_c3d
from .options import Axis, ReadOptions
from .points import LabelledPoints, labelled_points

_NO_POSITIONS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS", "REACTIONS")
"""Parameters of the POINT group that list points which are no positions."""
_MODEL_OUTPUT = re.compile(r"[a-z](Angles?|Forces?|Moments?|Powers?|GRF)$")
"""Names of such points, as Plug-in Gait has them: LKneeAngles, RHipMoment, LNormalisedGRF."""
_UNITS: dict[str, float] = {
    "millimeters": 0.001, "millimetres": 0.001, "mm": 0.001, "centimeters": 0.01, "centimetres": 0.01, "cm": 0.01,
    "meters": 1.0, "metres": 1.0, "m": 1.0, "decimeters": 0.1, "decimetres": 0.1, "dm": 0.1,
    "inches": 0.0254, "inch": 0.0254, "in": 0.0254, "feet": 0.3048, "ft": 0.3048,
}  # fmt: skip
_WORLD = re.compile(r"^worldbody", re.IGNORECASE)


class _EventsOfFile(NamedTuple):
    annotation: Annotation | None
    history: tuple[str, ...]


@READERS.register("c3d")
class C3DReader:
    """C3D: the points of any system that writes it, whatever its number format, Intel, DEC or SGI, whole or float.

    Points that POINT:ANGLES, FORCES, MOMENTS and POWERS list, or that are called so, are no positions and left out;
    unlabelled ones too. A point is not seen where its residual is negative, where it is NaN, and at 0 0 0. A file
    without points has the origins of the segments of its ROTATION group (Theia). Unit: POINT:UNITS. Up:
    POINT:Y_SCREEN, or the body, which wins. Rate: POINT:RATE. Prefixes of labels are people. Events of the EVENT group
    are events, with their side (`Right Foot Strike`), in seconds from the first frame; those outside are left out.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".c3d",)
    about: ClassVar[str] = "C3D, markers or segments of motion capture, with events"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """The header has its mark, and parameters of a known processor begin where it says."""
        return is_c3d(path, head)

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """Positions (T, P, J, 3) of the points, or of the origins of segments."""
        file = C3DFile.load(path)
        points, announced, notes = _points(file) if file.num_points else _segments(file)
        if announced is not None and len(points.positions) < announced:
            text = f"the file ends after {len(points.positions)} of {announced} frames that it announces"
            notes = (*notes, f"{CHECK}{text}; if it was longer, copy it again")
        unit, unit_note = _unit(file, options)
        fps = _rate(file)
        events = _events(file, fps, len(points.positions), points.subjects)
        return FileMotion(
            positions=points.positions,
            skeleton=points.skeleton,
            fps=fps,
            fps_from="rate of the file",
            unit=unit,
            unit_from="unit of the file",
            up=_up(file),
            annotation=events.annotation,
            attributes=points.attributes,
            history=(*notes, *points.history, *unit_note, *events.history),
        )


def _points(file: C3DFile) -> tuple[LabelledPoints, int | None, tuple[str, ...]]:
    """The points that are positions, the number of frames announced, and a note."""
    labels = file.texts("POINT", "LABELS")[: file.num_points]
    labels += [""] * (file.num_points - len(labels))
    listed = {name for kind in _NO_POSITIONS for name in file.texts("POINT", kind) if name}
    is_position = [label not in listed and not _MODEL_OUTPUT.search(label) for label in labels]
    if not any(is_position):
        raise InputError(f"{file.path}: all {len(labels)} points are angles, forces and the like, none is a position")
    descriptions = file.texts("POINT", "DESCRIPTIONS")
    descriptions += [""] * (len(labels) - len(descriptions))
    indices = [index for index, position in enumerate(is_position) if position]
    positions, announced = file.points()
    left_out = len(labels) - len(indices)
    if left_out:
        positions = positions[:, indices]
    points = labelled_points(
        file.path,
        "c3d",
        [labels[index] for index in indices],
        positions,
        descriptions=[descriptions[index] for index in indices],
    )
    note = f"{DECIDED}points that are angles, forces, moments or powers are left out ({left_out} of {len(labels)})"
    return points, announced, (note,) if left_out else ()


def _segments(file: C3DFile) -> tuple[LabelledPoints, int | None, tuple[str, ...]]:
    """The origins of the segments of the ROTATION group, the number of frames announced, and a note."""
    matrices, announced = file.rotations()
    labels = file.texts("ROTATION", "LABELS")[: matrices.shape[1]]
    labels += [f"segment {index + 1}" for index in range(len(labels), matrices.shape[1])]
    indices = [index for index, label in enumerate(labels) if not _WORLD.match(label)]
    if not indices:
        raise InputError(f"{file.path}: the only segment of the ROTATION group is the world")
    origins: Float32Array = np.where(np.isfinite(matrices).all(axis=(2, 3), keepdims=True), matrices, np.nan)
    points = labelled_points(file.path, "c3d", [labels[index] for index in indices], origins[:, indices][..., :3, 3])
    note = f"{DECIDED}the origins of the segments are the joints, as the file holds no points ({len(indices)} segments)"
    return points, announced, (note,)


def _rate(file: C3DFile) -> float | None:
    """Frames a second; None where the file states none."""
    rates = (
        file.number("ROTATION", "RATE") if not file.num_points else None,
        file.number("POINT", "RATE"),
        file.header_float(11),
    )
    return next((rate for rate in rates if rate is not None and math.isfinite(rate) and rate > 0), None)


def _unit(file: C3DFile, options: ReadOptions) -> tuple[float | None, tuple[str, ...]]:
    """Metres per unit, and a note where its name is not a whole word. Raises InputError where nobody says the unit."""
    names = list(dict.fromkeys(name for name in file.texts("POINT", "UNITS") if name))
    if options.unit is not None:
        return None, ()
    metres = {_metres(name) for name in names}
    if len(metres) != 1 or None in metres:
        found = f"POINT:UNITS is {', '.join(names)[:80]!r}" if names else "the file does not say its unit"
        raise InputError(f"{file.path}: {found}; give it by --unit, for example --unit mm")
    if names[0].lower() in _UNITS:
        return metres.pop(), ()
    unit = metres.pop()
    return unit, (f"{DECIDED}the unit is {unit:g} m (the file says {names[0]!r})",)


def _metres(name: str) -> float | None:
    """Metres per unit of that name, which may be cut off behind the fourth letter; None for another."""
    name = name.lower().rstrip(".")
    if name in _UNITS:
        return _UNITS[name]
    metres = {value for word, value in _UNITS.items() if len(name) >= 4 and word.startswith(name)}
    return metres.pop() if len(metres) == 1 else None


def _up(file: C3DFile) -> Axis | None:
    """The axis that POINT:Y_SCREEN says; None where it says none."""
    text = "".join(file.texts("POINT", "Y_SCREEN")[:1]).strip().lower()
    axes: dict[str, Axis] = {"x": "x", "y": "y", "z": "z", "-x": "-x", "-y": "-y", "-z": "-z"}
    return axes.get(text.removeprefix("+"))


def _events(file: C3DFile, fps: float | None, frames: int, subjects: Sequence[str]) -> _EventsOfFile:
    """The events of the EVENT group in seconds from the first frame, with what was left out."""
    times = file.numbers("EVENT", "TIMES")
    labels = file.texts("EVENT", "LABELS")
    if times is None or fps is None or not labels:
        return _EventsOfFile(None, ())
    used = file.count("EVENT", "USED")
    count = min(len(labels), len(times) // 2, len(labels) if used is None else used)
    sides = file.texts("EVENT", "CONTEXTS") + [""] * count
    people = file.texts("EVENT", "SUBJECTS") + [""] * count
    seconds = times[: 2 * count].reshape(count, 2) @ np.array([60.0, 1.0]) - max(0, file.first_frame - 1) / fps
    is_inside = (seconds > -1e-6) & (seconds < frames / fps)  # False for NaN too
    events = [
        Event(
            max(0.0, float(seconds[index])),
            _event_label(labels[index], sides[index]),
            person=subjects.index(people[index]) if len(subjects) > 1 and people[index] in subjects else None,
        )
        for index in range(count)
        if is_inside[index] and labels[index]
    ]
    outside = count - len(events)
    history = [f"{DECIDED}events outside the frames are left out ({outside} of {count})"] if outside else []
    if not events:
        return _EventsOfFile(None, tuple(history))
    names = tuple(sorted(Counter(event.label for event in events)))
    history.append(f"{len(events)} events of the file, in seconds from its frame {file.first_frame}")
    return _EventsOfFile(Annotation((), LabelSet(names, events=names), events=tuple(events)), tuple(history))


def _event_label(label: str, context: str) -> str:
    """The label with its side in front, where that is said apart: Right Foot Strike."""
    side = context.strip().capitalize()
    return f"{side} {label}" if side in ("Left", "Right") and side.lower() not in label.lower() else label
