"""Write TRC, the track row column file of OpenSim and Motion Analysis: positions in millimetres, y up."""

from __future__ import annotations

from pathlib import Path

from ..data.annotation import Annotation
from ..data.recording import Recording
from ..files import write_atomically
from .base import WRITERS, MotionWriter
from .points import points_of

_DIGITS = 4
"""Behind the point, of millimetres."""


def write_trc(recording: Recording, path: Path, annotation: Annotation | None = None) -> tuple[str, ...]:
    """Write TRC; what was not seen is empty. Returns notes of what the format does not hold."""
    names, positions, notes = points_of(recording)
    frames, joints = positions.shape[:2]
    fps = f"{recording.fps:.10g}"
    facts = {
        "DataRate": fps, "CameraRate": fps, "NumFrames": frames, "NumMarkers": joints, "Units": "mm",
        "OrigDataRate": fps, "OrigDataStartFrame": 1, "OrigNumFrames": frames,
    }  # fmt: skip
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
        "\t".join(facts),
        "\t".join(map(str, facts.values())),
        "\t".join(["Frame#", "Time", *(f"{name}\t\t" for name in names)]),
        "\t".join(["", "", *(f"{axis}{joint}" for joint in range(1, joints + 1) for axis in "XYZ")]),
        "",
    ]
    pattern = "\t".join([f"{{:.{_DIGITS}f}}"] * (3 * joints))
    for frame, (time, row) in enumerate(zip(recording.start_times.tolist(), 1000 * positions, strict=True), start=1):
        cells = pattern.format(*row.ravel().tolist()).replace("nan", "")
        if cells.endswith("\t"):
            cells += "\t"  # programs that do not count an empty field at the end, as OpenSim, find all columns
        lines.append(f"{frame}\t{time:.6f}\t{cells}")
    write_atomically(path, "\n".join(lines) + "\n")
    notes += ("TRC holds no parents of joints and no axis: it is y up, as in OpenSim",)
    return (*notes, *(("TRC holds no labels: they are left out",) if annotation is not None else ()))


WRITERS.register("trc")(
    MotionWriter("track row column, millimetres, y up", write_trc, several_people=True, uneven_times=True)
)
