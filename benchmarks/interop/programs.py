"""How each program opens a file, run by a Python that has the programs and not kinespan.

    python programs.py PROGRAM FILE

Prints JSON: {version, rows: [[label, start, end or null, tier or null]]} in seconds of labels; of motion {version,
rate, points: {name: [[x, y, z] or null]}} in metres as the program sees them, and events: [[side, label, seconds]]
where it reads them.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import math
import os
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
Row = list[Any]
Opened = dict[str, Any]


def pympi(path: str) -> Opened:
    """All tiers as pympi-ling has them, in whole milliseconds."""
    from pympi import Eaf

    file = Eaf(path)
    tiers = file.get_tier_names()
    return {
        "rows": [
            [text, a / 1000, b / 1000, tier] for tier in tiers for a, b, text in file.get_annotation_data_for_tier(tier)
        ]
    }


def praatio(path: str) -> Opened:
    """Intervals and points of each tier; stretches without text are left out, as nothing is labelled there."""
    from praatio import textgrid

    grid = textgrid.openTextgrid(path, includeEmptyIntervals=False)
    rows = []
    for name in grid.tierNames:
        for entry in grid.getTier(name).entries:
            rows.append([entry[-1], entry[0], entry[1] if len(entry) == 3 else None, name])
    return {"rows": rows}


def textgrid(path: str) -> Opened:
    """Intervals and points of each tier."""
    from textgrid import PointTier, TextGrid

    rows = []
    for tier in TextGrid.fromFile(path).tiers:
        if isinstance(tier, PointTier):
            rows += [[point.mark, point.time, None, tier.name] for point in tier]
        else:
            rows += [[part.mark, part.minTime, part.maxTime, tier.name] for part in tier if part.mark]
    return {"rows": rows}


def webvtt(path: str) -> Opened:
    """Cues with their voice, which is the tier."""
    import html

    from webvtt import WebVTT

    return {
        "rows": [
            [
                html.unescape(cue.text),
                cue.start_in_seconds + _milliseconds(cue.start),
                cue.end_in_seconds + _milliseconds(cue.end),
                cue.voice,
            ]
            for cue in WebVTT().read(path)
        ]
    }


def _milliseconds(time: str) -> float:
    """What the package leaves out of its whole seconds."""
    return int(time.rpartition(".")[2]) / 1000


def pysrt(path: str) -> Opened:
    """Subtitles."""
    import pysrt as package

    return {"rows": [[sub.text, sub.start.ordinal / 1000, sub.end.ordinal / 1000, None] for sub in package.open(path)]}


def crowsetta(path: str) -> Opened:
    """Labels of Audacity, or selections of Raven, as a table."""
    import crowsetta as package

    if Path(path).read_text(encoding="utf-8").startswith("Selection\t"):
        raven = package.formats.bbox.Raven.from_file(path, annot_col="Annotation")
        columns = ["annotation", "begin_time_s", "end_time_s", "View"]  # to_bbox refuses instants
        return {"rows": raven.df[columns].values.tolist()}
    track = package.formats.seq.AudSeq.from_file(path)
    return {"rows": [[s.label, s.onset_s, s.offset_s, None] for s in track.to_seq().segments]}


def boris(path: str) -> Opened:
    """The project as BORIS loads it, its states complete by its own check and paired by its own rule."""
    sys.modules["boris.mpv2"] = types.ModuleType("boris.mpv2")  # plays films, with a library of the system
    sys.path.append(str(Path(importlib.util.find_spec("boris").origin).parent))  # some of its modules expect that
    from boris import config, project_functions

    _, changed, project, message = project_functions.open_project_json(path)
    if "error" in project or changed or message:
        raise ValueError(f"{project.get('error', message)} (changed on opening: {changed})")
    ethogram = project[config.ETHOGRAM]
    rows: list[Row] = []
    for name, observation in project[config.OBSERVATIONS].items():
        complete, message = project_functions.check_state_events_obs(name, ethogram, observation)
        if not complete:
            raise ValueError(message)
        begun = {}
        events = observation[config.EVENTS]
        for event in project_functions.events_start_stop(ethogram, events, observation[config.TYPE]):
            (time, subject, code, modifier), mark = event[:4], event[-1]
            if mark == config.START:
                begun[subject, code, modifier] = float(time)
            else:
                start = begun.pop((subject, code, modifier)) if mark == config.STOP else float(time)
                rows.append([code, start, float(time) if mark == config.STOP else None, subject])
    return {"rows": rows}


def label_studio(path: str) -> Opened:
    """Tasks that its labelling configuration accepts, as its converter exports them."""
    from label_studio_sdk.converter import Converter
    from label_studio_sdk.label_interface import LabelInterface

    tasks = json.loads(Path(path).read_text(encoding="utf-8"))
    labels: dict[str, dict[str, None]] = {}
    for task in tasks:
        for annotation in task["annotations"]:
            for result in annotation["result"]:
                labels.setdefault(result["from_name"], {})[result["value"]["labels"][0]] = None
    choices = "".join(
        f"<Labels name={quoteattr(tier)} toName='audio'>"
        + "".join(f"<Label value={quoteattr(label)}/>" for label in each)
        + "</Labels>"
        for tier, each in labels.items()
    )
    config = f"<View><Audio name='audio' value='$audio'/>{choices}</View>"
    interface = LabelInterface(config)
    for task in tasks:
        valid = [interface.validate_annotation(annotation) for annotation in task["annotations"]]
        if not (all(valid) and interface.validate_task({"data": task["data"]})):
            raise ValueError(f"task {task['id']} does not fit its configuration")
    with tempfile.TemporaryDirectory() as folder:
        Converter(config, project_dir=None).convert_to_json_min(path, folder, is_dir=False)
        (result,) = (json.loads(file.read_text(encoding="utf-8")) for file in Path(folder).glob("*.json"))
    return {
        "rows": [
            [value["labels"][0], value["start"], value["end"], tier]
            for task in result
            for tier in labels
            for value in task.get(tier, [])
        ]
    }


def ezc3d(path: str) -> Opened:
    """Points in metres, and events with their side."""
    import ezc3d as package

    file = package.c3d(path)
    parameters, points = file["parameters"], file["data"]["points"]
    point, event = parameters["POINT"], parameters["EVENT"]
    assert point["UNITS"]["value"] == ["mm"]
    minutes, seconds = event["TIMES"]["value"]
    return {
        "rate": float(point["RATE"]["value"][0]),
        "points": {label: _points(points[:3, i].T / 1000) for i, label in enumerate(point["LABELS"]["value"])},
        "events": [
            [side, label, round(60 * minute + second, 6)]
            for side, label, minute, second in zip(
                event["CONTEXTS"]["value"], event["LABELS"]["value"], minutes.tolist(), seconds.tolist(), strict=True
            )
        ],
    }


def c3d(path: str) -> Opened:
    """Points in metres; those with a negative residual were not seen."""
    import c3d as package
    import numpy as np

    with open(path, "rb") as file:
        reader = package.Reader(file)
        labels = [label.strip() for label in reader.point_labels]
        frames = np.array([points for _, points, _ in reader.read_frames()])  # (T, N, 5): x, y, z, residual, cameras
        rate = float(reader.point_rate)
    places = np.where(frames[..., 3:4] < 0, np.nan, frames[..., :3]) / 1000
    return {"rate": rate, "points": {label: _points(places[:, index]) for index, label in enumerate(labels)}}


def opensim(path: str) -> Opened:
    """Markers in metres, by its own reader of tables."""
    import opensim as package

    table = package.TimeSeriesTableVec3(path)
    assert table.getTableMetaDataString("Units") == "mm"
    flat = table.flatten(["_x", "_y", "_z"])  # owns the memory of its matrix
    matrix = flat.getMatrix().to_numpy().copy()
    labels = table.getColumnLabels()
    places = {label: matrix[:, 3 * index : 3 * index + 3] / 1000 for index, label in enumerate(labels)}
    rate = float(table.getTableMetaDataString("DataRate"))
    return {"rate": rate, "points": {label: _points(rows) for label, rows in places.items()}}


def bvhio(path: str) -> Opened:
    """Places of joints in the world, by its own kinematics; centimetres."""
    import bvhio as package

    root = package.readAsHierarchy(path)
    time = package.readAsBvh(path).FrameTime
    joints = [joint for joint, _, _ in root.layout()]
    points: dict[str, list[list[float]]] = {joint.Name: [] for joint in joints}
    for frame in range(len(root.Keyframes)):
        root.loadPose(frame)
        for joint in joints:
            points[joint.Name].append([float(value) / 100 for value in joint.PositionWorld])
    return {"rate": 1 / time, "points": points}


def _points(rows: Any) -> list[list[float] | None]:
    """Rows of x, y, z, None where one is no number."""
    return [row if all(math.isfinite(value) for value in row) else None for row in rows.tolist()]


OPENERS: dict[str, Callable[[str], Opened]] = {
    "pympi-ling": pympi,
    "praatio": praatio,
    "textgrid": textgrid,
    "webvtt-py": webvtt,
    "pysrt": pysrt,
    "crowsetta": crowsetta,
    "boris-behav-obs": boris,
    "label-studio-sdk": label_studio,
    "ezc3d": ezc3d,
    "c3d": c3d,
    "opensim": opensim,
    "bvhio": bvhio,
}
"""By the name of the package in the registry."""


def main(program: str, path: str) -> None:
    """Print what a program sees in a file, and its version, as the last line."""
    said = {"rate": None, **OPENERS[program](path), "version": importlib.metadata.version(program)}
    print("\n" + json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
