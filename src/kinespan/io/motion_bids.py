"""Motion-BIDS (Jeung et al. 2024): a table without header, its columns in channels.tsv, its rate in a JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..errors import InputError
from .base import DECIDED, HEAD_BYTES, READERS, FileMotion, read_text, read_text_bytes
from .clock import stated_clock
from .decimals import number_rows
from .options import METRES, Axis, ReadOptions
from .points import labelled_points

_SUFFIX = "_motion"
_LEVELS = 4
"""Folders upwards, from that of the table, in which files beside it may lie: session, subject, data set."""
_UPWARD = re.compile(r"superior|vertical|(?<![a-z])up(?![a-z])", re.IGNORECASE)
_UNITS: dict[str, float] = {str(name): value for name, value in METRES.items()}
_UNITS |= dict.fromkeys(("meter", "metre", "meters", "metres"), 1.0)


class _Channel(NamedTuple):
    """A column of the table."""

    name: str
    kind: str
    component: str
    point: str
    unit: str
    frame: str
    """Reference frame."""


@READERS.register("motion-bids")
class MotionBidsReader:
    """Motion-BIDS: ``*_motion.tsv`` with ``*_channels.tsv`` and ``*_motion.json`` beside it or in a folder above.

    Points are the tracked points with channels of type POS; other channels are left out and counted. The rate is
    SamplingFrequency, or uneven by a channel of type LATENCY. Unit: that of the channels. Up: the reference frame of
    ``*_channels.json``, or a channel whose name says superior or vertical; else the body tells, or `ReadOptions.up`.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".tsv",)
    about: ClassVar[str] = "Motion-BIDS table with its channels.tsv and motion.json"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """A name that ends with _motion, channels beside it, and numbers from the first line on."""
        if not path.stem.endswith(_SUFFIX) or b"\0" in head:
            return False
        first, end, _ = head.partition(b"\n")
        words = first.decode("latin-1").replace("n/a", "nan").split("\t")
        if not end and len(head) >= HEAD_BYTES:
            return False
        try:
            _ = [float(word) for word in words]
        except ValueError:
            return False
        return _beside(path, "channels", ".tsv") is not None

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """Positions (T, 1, J, 3) of the tracked points."""
        text = read_text_bytes(path)
        channels = _channels(path)
        points = _points(path, channels)
        rows = number_rows(path, text, "\t", len(channels))
        extra = int(rows.counts.max(initial=0)) - len(channels)
        if extra > 0 or not len(rows.values):
            found = f"{len(channels) + extra} columns" if extra > 0 else "no row of values"
            raise InputError(f"{path}: found {found}, but channels.tsv names {len(channels)} channels")
        columns = np.array([[channels.index(channel) for channel in axes] for axes in points.values()])
        latency = [index for index, channel in enumerate(channels) if channel.kind == "LATENCY"]
        seconds = rows.values[:, latency[0]] if latency else np.zeros(0)
        labelled = labelled_points(path, "bids", list(points), rows.values[:, columns])
        rate = stated_clock(path, seconds, rows.line_numbers, _stated_rate(path))
        left_out = len(channels) - columns.size - len(latency)
        note = f"{DECIDED}channels that are no positions are left out ({left_out} of {len(channels)})"
        return FileMotion(
            positions=labelled.positions,
            skeleton=labelled.skeleton,
            fps=rate.fps,
            fps_from=rate.origin,
            times=rate.times,
            unit=_unit(path, points, options),
            unit_from="unit of its channels",
            up=_up(path, points),
            attributes={**labelled.attributes, **_entities(path)},
            history=(*((note,) if left_out else ()), *rate.notes, *labelled.history),
        )


def _entities(path: Path) -> dict[str, str]:
    """Subject and session that the name says."""
    parts = dict(part.split("-", 1) for part in path.stem.split("_") if "-" in part)
    names = {"sub": "subject", "ses": "session"}
    return {names[key]: value for key, value in parts.items() if key in names and value}


def _beside(path: Path, suffix: str, ending: str) -> Path | None:
    """The file of the same recording with another suffix, beside it or, for several recordings, in a folder above."""
    parts = set(path.stem.removesuffix(_SUFFIX).split("_"))
    for folder in list(path.absolute().parents)[:_LEVELS]:
        candidates = [
            file
            for file in folder.glob(f"*{suffix}{ending}")
            if file.stem == suffix or set(file.stem.removesuffix(f"_{suffix}").split("_")) <= parts
        ]
        if candidates:
            return max(candidates, key=lambda file: len(file.stem))
    return None


def _channels(path: Path) -> list[_Channel]:
    """The columns of the table, in order. Raises InputError."""
    file = _beside(path, "channels", ".tsv")
    if file is None:
        raise InputError(
            f"{path}: no {path.stem.removesuffix(_SUFFIX)}_channels.tsv beside it says what its columns are"
        )
    lines = read_text(file).split("\n")
    keys = [key.strip() for key in lines[0].split("\t")]
    missing = [key for key in ("component", "type", "tracked_point", "units") if key not in keys]
    if missing:
        raise InputError(f"{path}: {file.name}:1: the column {missing[0]} is missing, found {', '.join(keys)[:80]}")
    channels = []
    for line in lines[1:]:
        if not line.strip():
            continue
        values = dict(zip(keys, [*(word.strip() for word in line.split("\t")), *[""] * len(keys)], strict=False))
        point, component = values["tracked_point"], values["component"].lower()
        frame = values.get("reference_frame", "")
        channels.append(
            _Channel(values.get("name", ""), values["type"].upper(), component, point, values["units"], frame)
        )
    return channels


def _points(path: Path, channels: list[_Channel]) -> dict[str, list[_Channel]]:
    """The channels x, y and z of each tracked point. Raises InputError without any, and where one lacks an axis."""
    points: dict[str, dict[str, _Channel]] = {}
    for channel in channels:
        if channel.kind == "POS" and channel.component in ("x", "y", "z"):
            points.setdefault(channel.point, {})[channel.component] = channel
    if not points:
        raise InputError(f"{path}: its channels.tsv has no channel of type POS with a component x, y or z")
    for point, axes in points.items():
        if len(axes) < 3:
            raise InputError(
                f"{path}: the tracked point {point!r} has no POS channel {'xyz'.strip(''.join(axes))}; 3-D is needed"
            )
    return {point: [axes[axis] for axis in "xyz"] for point, axes in points.items()}


def _unit(path: Path, points: dict[str, list[_Channel]], options: ReadOptions) -> float | None:
    """Metres per unit. Raises InputError where the channels name none, or several, and none is given."""
    if options.unit is not None:
        return None
    names = {channel.unit for axes in points.values() for channel in axes}
    if len(names) != 1 or not names <= _UNITS.keys():
        found = ", ".join(sorted(names))[:60]
        raise InputError(
            f"{path}: units of its channels are {found!r}, expected one of {', '.join(METRES)}; give --unit"
        )
    return _UNITS[names.pop()]


def _up(path: Path, points: dict[str, list[_Channel]]) -> Axis | None:
    """The axis that the reference frame or the names of channels say; None where they say none."""
    axes = [channel for group in points.values() for channel in group]
    described = _json(_beside(path, "channels", ".json")).get("reference_frame", {})
    levels = described.get("Levels", {}) if isinstance(described, dict) else {}
    level = levels.get(axes[0].frame, {}) if isinstance(levels, dict) else {}
    spatial = str(level.get("SpatialAxes", "")) if isinstance(level, dict) else ""
    if len(spatial) == 3 and ("S" in spatial) != ("I" in spatial):
        names: tuple[tuple[Axis, Axis], ...] = (("x", "-x"), ("y", "-y"), ("z", "-z"))
        index = spatial.index("S" if "S" in spatial else "I")
        return names[index]["I" in spatial]
    upward = {channel.component for channel in axes if _UPWARD.search(channel.name)}
    words: dict[str, Axis] = {"x": "x", "y": "y", "z": "z"}
    return words[upward.pop()] if len(upward) == 1 else None


def _stated_rate(path: Path) -> float | None:
    """SamplingFrequency of the JSON; None where it has none."""
    fields = _json(_beside(path, "motion", ".json"))
    for key in ("SamplingFrequency", "SamplingFrequencyEffective"):
        value = fields.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf"):
            return float(value)
    return None


def _json(file: Path | None) -> dict[str, Any]:
    """The object in a JSON file; empty where there is no file. Raises InputError where it is no such file."""
    if file is None:
        return {}
    try:
        fields = json.loads(read_text_bytes(file))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: is no JSON: {error}") from None
    if not isinstance(fields, dict):
        raise InputError(f"{file}: expected a JSON object")
    return fields
