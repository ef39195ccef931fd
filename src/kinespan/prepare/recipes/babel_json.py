"""BABEL's annotation files: sequences, and the categories of their segments."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import InputError

RELEASE = "babel_v1.0_release"
PARTS = ("train", "val")
EXTRA_PARTS = ("extra_train", "extra_val")


@dataclass(frozen=True)
class Segment:
    """A segment of a sequence, in seconds, and its categories (empty where BABEL has none)."""

    start: float
    end: float
    categories: tuple[str, ...]


@dataclass(frozen=True)
class Sequence:
    """A record: its number, the path of the motion in AMASS, its length in seconds, the file (part) that lists it.

    ``segments`` are in the arbitrary order of the file and may overlap. None: not labelled in time.
    """

    sid: str
    motion: str
    duration: float
    part: str
    segments: tuple[Segment, ...] | None


def find_release(raw: Path) -> Path:
    """The folder of BABEL's JSON files: `raw` or its folder ``babel_v1.0_release`` (``babel_v1-0_release``).

    Raises InputError where none of them holds train.json or val.json.
    """
    for folder in (raw / RELEASE, raw / RELEASE.replace(".", "-"), raw):
        if any((folder / f"{part}.json").is_file() for part in PARTS):
            return folder
    raise InputError(
        f"{raw}: this is not BABEL: expected {RELEASE}/train.json and val.json below it. "
        "Download 'BABEL annotations' from https://babel.is.tue.mpg.de and unpack them here"
    )


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises InputError, naming the file, for anything else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: holds {type(value).__name__}, expected a JSON object")
    return value


def read_part(path: Path) -> tuple[list[Sequence], list[tuple[Path, str]]]:
    """Sequences of a file, ordered by number, and (file, reason) of the records that cannot be used.

    Where several annotators labelled a sequence, as in the extra files, the first with labels in time counts.
    Raises InputError where the file is no JSON object.
    """
    sequences, refused = [], []
    for sid, record in sorted(read_json(path).items(), key=lambda item: (len(item[0]), item[0])):
        try:
            sequences.append(_sequence(sid, record, path.stem))
        except InputError as error:
            refused.append((path, f"{path}, record {sid}: {error}"))
    return sequences, refused


def _sequence(sid: str, record: Any, part: str) -> Sequence:
    if not isinstance(record, dict):
        raise InputError(f"found {type(record).__name__}, expected an object")
    motion, duration = record.get("feat_p"), record.get("dur")
    if not isinstance(motion, str) or not motion.endswith(".npz") or ".." in motion:
        raise InputError(f"feat_p is {motion!r}, expected the path of an .npz file in AMASS")
    seconds = _seconds(duration, "dur")
    if seconds <= 0:
        raise InputError(f"dur is {duration!r}, expected the length in seconds, more than 0")
    return Sequence(sid, motion, seconds, part, _segments(record))


def _segments(record: Mapping[str, Any]) -> tuple[Segment, ...] | None:
    """Segments of ``frame_ann``, or of the first of ``frame_anns`` that is not null."""
    several = record.get("frame_anns") or ()
    if not isinstance(several, list | tuple):
        raise InputError(f"frame_anns is {type(several).__name__}, expected a list")
    annotation = record.get("frame_ann") or next((candidate for candidate in several if candidate), None)
    if annotation is None:
        return None
    labels = annotation.get("labels") if isinstance(annotation, dict) else None
    if not isinstance(labels, list):
        raise InputError("the frame annotation has no list 'labels'")
    return tuple(_segment(label, number) for number, label in enumerate(labels))


def _segment(label: Any, number: int) -> Segment:
    location = f"frame label {number}"
    if not isinstance(label, dict):
        raise InputError(f"{location}: found {type(label).__name__}, expected an object")
    categories = label.get("act_cat") or []
    if not isinstance(categories, list) or not all(isinstance(name, str) for name in categories):
        raise InputError(f"{location}: act_cat is {categories!r}, expected a list of categories or null")
    start, end = (_seconds(label.get(name), f"{location}: {name}") for name in ("start_t", "end_t"))
    return Segment(start, end, tuple(categories))


def _seconds(value: Any, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{field} is {value!r}, expected seconds as a number")
    return float(value)
