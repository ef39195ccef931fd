"""Write C3D: positions in millimetres, y up, and events."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..data.annotation import Annotation
from ..data.recording import Recording
from ..errors import InputError, import_extra
from .base import WRITERS, MotionWriter
from .points import points_of

_MAX_FRAMES = 65535
"""The header counts frames in 16 bits, and programs read no more than it says."""


def write_c3d(recording: Recording, path: Path, annotation: Annotation | None = None) -> tuple[str, ...]:
    """Write C3D. A joint that was not seen has residual -1; events are those of the annotation.

    Returns notes of what the format does not hold. Raises InputError without ezc3d, and for too many frames.
    """
    ezc3d = import_extra("ezc3d", "c3d", "writing C3D")
    frames = recording.num_frames
    if frames > _MAX_FRAMES:
        raise InputError(f"{path}: C3D holds at most {_MAX_FRAMES} frames, this is {frames}; write .trc, .csv or .npz")
    names, positions, notes = points_of(recording)
    points = np.ones((4, len(names), frames))
    points[:3] = 1000 * np.moveaxis(positions, (0, 1, 2), (2, 1, 0))
    file = ezc3d.c3d()
    point = file["parameters"]["POINT"]
    point["RATE"]["value"] = [recording.fps]
    point["LABELS"]["value"] = names
    point["UNITS"]["value"] = ["mm"]
    file.add_parameter("POINT", "X_SCREEN", ["+X"])
    file.add_parameter("POINT", "Y_SCREEN", ["+Y"])
    file["data"]["points"] = points
    file["data"]["meta_points"]["residuals"] = np.where(np.isnan(points[0]), -1.0, 0.0)[None]
    if annotation is not None and annotation.events:
        _add_events(file, annotation)
    _write(file, path)
    return (*notes, *_notes(annotation))


WRITERS.register("c3d")(MotionWriter("points in millimetres, y up, and events", write_c3d, several_people=True))


def _add_events(file: object, annotation: Annotation) -> None:
    """The group EVENT: the side of an event is its context."""
    contexts, labels = [], []
    for event in annotation.events:
        side, _, rest = event.label.partition(" ")
        has_side = side in ("Left", "Right") and rest
        contexts.append(side if has_side else "General")
        labels.append(rest if has_side else event.label)
    seconds = np.array([event.time for event in annotation.events])
    add = file.add_parameter  # type: ignore[attr-defined]
    add("EVENT", "USED", [len(labels)])
    add("EVENT", "CONTEXTS", contexts)
    add("EVENT", "LABELS", labels)
    add("EVENT", "TIMES", np.stack([np.floor(seconds / 60), seconds % 60]))  # (2, N): minutes and seconds


def _write(file: object, path: Path) -> None:
    """Write the file whole or not at all. Raises InputError where it cannot be written."""
    temporary = path.with_name(f".{path.stem}.{os.urandom(4).hex()}.c3d")  # ezc3d adds another suffix otherwise
    try:
        file.write(str(temporary))  # type: ignore[attr-defined]
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        raise InputError(f"cannot write {path}: {error}") from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def _notes(annotation: Annotation | None) -> list[str]:
    """What the file does not hold."""
    notes = ["C3D holds no parents of joints"]
    if annotation is not None and annotation.spans:
        notes.append("C3D holds no labels with a start and an end: they are left out")
    return notes
