"""Behaviour labels of JABS: a file for each video, with blocks of frames of each animal, the last frame included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..data.clock import Clock
from ..errors import InputError
from ..files import write_atomically
from .base import FORMATS, AnnotationFormat
from .frame_times import rounded_lines
from .json_fields import FieldError, parsed
from .label_file import LabelFile, LabelRow
from .tiers import lost_lines, rows_of


def sniff(path: Path, head: bytes) -> bool:
    """An object with a number of frames and labels of the tracks."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return text[:1] == b"{" and b'"num_frames"' in text and (b'"labels"' in text or b'"unfragmented_labels"' in text)


def read(path: Path) -> LabelFile:
    """The blocks where a behaviour is, in frames from 0; the tier is the animal.

    Blocks that say that a behaviour is not there are left out and counted. Labels before gaps of the track cut them are
    taken where the file has them. Raises InputError, naming the field.
    """
    with parsed(path) as data:
        kind = "unfragmented_labels" if data.get("unfragmented_labels") else "labels"
        tracks = data.get(kind)
        if not isinstance(tracks, dict):
            raise FieldError(kind, tracks, "an object with a field for each animal")
        name = str(data["file"]) if isinstance(data.get("file"), str) and data["file"] else path.stem
        rows: list[LabelRow] = []
        absent = 0
        for animal, behaviours in tracks.items():
            if not isinstance(behaviours, dict):
                raise FieldError(f"{kind}[{animal!r}]", behaviours, "an object with a list for each behaviour")
            for behaviour, blocks in behaviours.items():
                entries = _blocks(name, f"{kind}[{animal!r}][{behaviour!r}]", behaviour, animal, blocks)
                rows += [row for row, present in entries if present]
                absent += sum(not present for _, present in entries)
        rows += _intervals(name, data.get("annotations"))
        notes = ["decided: frames count from 0, and the end is the last frame of a block"]
        if absent:
            notes.append(f"left out: {absent} blocks that say that a behaviour is not there")
        return LabelFile(path, (name,), tuple(rows), notes=tuple(notes))


def write(file: LabelFile, path: Path, clocks: Mapping[str, Clock]) -> tuple[str, ...]:
    """Write the spans of one recording in frames. Raises InputError for more, and where its rate is not known."""
    if len({row.recording for row in file.rows}) > 1:
        raise InputError(
            f"{path}: labels of JABS are of one recording, not {len(file.recordings)}; write a file for each"
        )
    name = next((row.recording for row in file.rows), next(iter(file.recordings), path.stem))
    clock = clocks.get(name)
    spans = [row for row in file.rows if row.end is not None]
    if clock is None and spans:
        raise InputError(f"{path}: nothing says the rate of {name!r}, and JABS counts frames; give --fps")
    tracks: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in spans:
        assert clock is not None
        assert row.end is not None
        first, stop = clock.frames(row.start, row.end)
        animal = row.tier or str(row.person or 0)
        block = {"start": first, "end": stop - 1, "present": True}
        tracks.setdefault(animal, {}).setdefault(row.label, []).append(block)
    for behaviours in tracks.values():
        for blocks in behaviours.values():
            blocks.sort(key=lambda block: (block["start"], block["end"]))
    frames = 0 if clock is None else clock.num_frames
    data = {"file": name, "num_frames": frames, "labels": tracks, "unfragmented_labels": tracks}
    write_atomically(path, json.dumps(data, ensure_ascii=False, indent=1) + "\n")
    lost = rounded_lines(spans, clocks)
    if len(spans) < len(file.rows):
        lost.append(f"left out, as JABS has no instants: {rows_of(len(file.rows) - len(spans))}")
    return (*lost, *lost_lines(file, "JABS", "tier", "person"))


FORMATS.register("jabs")(
    AnnotationFormat((".json",), "JABS, blocks of behaviour", read, write, sniff, one_recording=True)
)


def _blocks(recording: str, field: str, label: str, tier: str, blocks: object) -> list[tuple[LabelRow, bool]]:
    """The blocks of an animal and a behaviour, and whether it is there."""
    if not isinstance(blocks, list) or not label:
        raise FieldError(field, blocks, "a list of blocks of a behaviour that has a name")
    rows = []
    for index, block in enumerate(blocks):
        where = f"{field}[{index}]"
        first, last = (block.get("start"), block.get("end")) if isinstance(block, dict) else (None, None)
        if type(first) is not int or type(last) is not int or not 0 <= first <= last < 2**53:
            raise FieldError(where, block, "an object with start and end, numbers of frames")
        row = LabelRow(recording, label, float(first), float(last + 1), where, unit="frames", tier=tier)
        rows.append((row, block.get("present", True) is not False))
    return rows


def _intervals(recording: str, entries: object) -> list[LabelRow]:
    """Annotations of stretches of time by a tag."""
    rows: list[LabelRow] = []
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        tag = entry.get("tag") if isinstance(entry, dict) else None
        if not isinstance(tag, str) or not tag:
            raise FieldError(f"annotations[{index}]", entry, "an object with start, end and tag")
        animal = entry.get("animal_id")
        tier = "annotations" if animal is None else f"annotations {animal}"
        rows += [row for row, _ in _blocks(recording, f"annotations[{index}]", tag, tier, [entry])]
    return rows
