"""Text files of motion capture programs: TRC, Motive CSV, Qualisys TSV, Motion-BIDS, MVNX."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from . import person


def z_up(positions: np.ndarray) -> np.ndarray:
    """Points of a y-up file in the axes of a z-up one."""
    return positions[..., [0, 2, 1]] * np.array([1, -1, 1])


def number(value: float, digits: int = 5) -> str:
    """A number as written; nothing for NaN."""
    return "" if np.isnan(value) else f"{value:.{digits}f}"


def write_trc(
    path: Path,
    points: np.ndarray,
    names,
    *,
    rate=100.0,
    times=None,
    unit="mm",
    mark="\t",
    gap=3,
    end="\n",
    frames=None,
    missing="",
) -> Path:
    """TRC of points (T, N, 3); `gap` marks stand between names, and `end` ends lines."""
    count, stamps = len(points), np.arange(len(points)) / rate if times is None else times
    lines = [
        mark.join(["PathFileType", "4", "(X/Y/Z)", path.name]),
        mark.join(["DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate"]),
        mark.join([f"{rate:g}", f"{rate:g}", str(frames or count), str(len(names)), unit, f"{rate:g}"]),
        mark.join(["Frame#", "Time", (mark * gap).join(names)]),
        mark * 2 + mark.join(f"{axis}{index}" for index in range(1, len(names) + 1) for axis in "XYZ"),
        "",
    ]
    for frame, (time, row) in enumerate(zip(stamps, points.reshape(count, -1), strict=True), start=1):
        lines.append(mark.join([str(frame), f"{time:.3f}", *(number(value) or missing for value in row)]))
    path.write_bytes((end.join(lines) + end).encode())
    return path


def write_motive(path: Path, columns, *, rate=120.0, version="1.23", unit="Meters", words=True, parents=None, first=0):
    """Motive CSV of columns (type, name, points (T, 3)); each comes with a column without an axis behind it."""
    count = len(columns[0][2])
    head = ["Format Version", version, "Take Name", "made", "Capture Frame Rate", f"{rate:f}"]
    head += ["Export Frame Rate", f"{rate:f}", "Total Exported Frames", str(count), "Length Units", unit]
    wide = [(kind, name) for kind, name, _ in columns for _ in range(4)]
    word = (lambda text: text) if words else (lambda text: "")
    lines = [
        ",".join(head),
        "",
        ",".join(["", word("Type"), *(kind for kind, _ in wide)]),
        ",".join(["", word("Name"), *(f'"{name}"' for _, name in wide)]),
        ",".join(["", word("ID"), *("A1" for _ in wide)]),
    ]
    if parents is not None:
        lines.append(",".join(["", "Parent", *(parents[name] for _, name in wide)]))
    lines.append(",".join(["", "", *["Position", "Position", "Position", "Marker Quality"] * len(columns)]))
    lines.append(",".join(["Frame", "Time (Seconds)" if words else "Time", *["X", "Y", "Z", ""] * len(columns)]))
    for frame in range(count):
        values = [word for _, _, points in columns for word in (*(number(v, 6) for v in points[frame]), "0.9")]
        lines.append(",".join([str(first + frame), f"{(first + frame) / rate:.6f}", *values]))
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b"\r\n")
    return path


def write_qualisys(path: Path, points: np.ndarray, names, *, rate=100, columns=True, header=True, events=()):
    """Qualisys TSV of points (T, N, 3), with or without Frame and Time and the line of column names."""
    count = len(points)
    lines = [f"NO_OF_FRAMES\t{count}", f"NO_OF_MARKERS\t{len(names)}", f"FREQUENCY\t{rate}"]
    lines += ["TIME_STAMP\t2026-01-19, 10:19:43.755\t2063631.9", "DATA_INCLUDED\t3D"]
    lines += [f"EVENT\t{label}\t{frame}\t{time:.5f}" for label, frame, time in events]
    lines.append("\t".join(["MARKER_NAMES", *names]))
    if header:
        lines.append("\t".join([*(("Frame", "Time") if columns else ()), *(f"{n} {a}" for n in names for a in "XYZ")]))
    for frame, row in enumerate(points.reshape(count, -1)):
        lead = [str(frame + 1), f"{frame / rate:.5f}"] if columns else []
        lines.append("\t".join([*lead, *(number(value, 3) for value in row)]))
    path.write_text("\n".join(lines) + "\n")
    return path


def write_bids(
    folder: Path, points: np.ndarray, names, *, rate=50.0, unit="m", extra=0, name="sub-07_task-walk", up="z"
):
    """Motion-BIDS of points (T, N, 3): the table, with the files beside it; `extra` columns are no positions."""
    path = folder / f"{name}_motion.tsv"
    rows = ["\t".join(number(v) or "n/a" for v in row) + "\t1.5" * extra for row in points.reshape(len(points), -1)]
    path.write_text("\n".join(rows) + "\n")
    channels = [f"{n}_{a}\t{a}\tPOS\t{n}\t{unit}\tglobal" for n in names for a in "xyz"]
    channels += [f"a{index}\tn/a\tMISC\tn/a\tV\tglobal" for index in range(extra)]
    head = "name\tcomponent\ttype\ttracked_point\tunits\treference_frame"
    (folder / f"{name}_channels.tsv").write_text("\n".join([head, *channels]) + "\n")
    (folder / f"{name}_motion.json").write_text(json.dumps({"TaskName": "walk", "SamplingFrequency": rate}))
    axes = {"y": "RSA", "z": "RAS", "-z": "RAI"}[up]
    frame = {"reference_frame": {"Levels": {"global": {"SpatialAxes": axes}}}}
    (folder / f"{name}_channels.json").write_text(json.dumps(frame))
    return path


def write_mvnx(path: Path, people, names, parents, *, rate=60, labels=("Anna",), marks=(), configuration="FullBody"):
    """MVNX of people, each (T, N, 3), with two calibration frames first; marks are (frame, text)."""
    subjects = ""
    for label, points in zip(labels, people, strict=True):
        segments = "".join(f'<segment label="{name}" id="{k}"/>' for k, name in enumerate(names, start=1))
        joints = "".join(
            f"<joint label='j{name}'><connector1>{names[parent]}/x</connector1>"
            f"<connector2>{name}/x</connector2></joint>"
            for name, parent in zip(names, parents, strict=True)
            if parent >= 0
        )
        frames = "".join(
            f'<frame time="0" type="{kind}"><position>{"0 " * 3 * len(names)}</position></frame>'
            for kind in ("identity", "tpose")
        )
        for frame, row in enumerate(points.reshape(len(points), -1)):
            marker = "".join(f"<marker>{text}</marker>" for at, text in marks if at == frame)
            values = " ".join(f"{value:.6f}" for value in row)
            time = round(1000 * frame / rate)
            frames += f'<frame time="{time}" type="normal"><position>{values}</position>{marker}</frame>\n'
        subjects += (
            f'<subject label="{label}" frameRate="{rate}" configuration="{configuration}">'
            f"<segments>{segments}</segments><joints>{joints}</joints><frames>{frames}</frames></subject>"
        )
    path.write_text(f'<?xml version="1.0"?>\n<mvnx xmlns="http://x/mvnx" version="4">{subjects}</mvnx>\n')
    return path


WALKER = person.standing(4)
"""(4, 21, 3) metres, y up."""
