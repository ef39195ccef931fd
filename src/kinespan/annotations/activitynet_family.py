"""JSON of data sets beside ActivityNet's own: an object with a field for each recording, nothing above it.

A recording has ``annotations`` (re-coded ActivityNet, with ``duration_second`` and ``duration_frame``), or ``actions``,
``[class, start, end]`` (MultiTHUMOS, Charades and others, re-coded), or ``timestamps`` beside ``sentences`` (dense
captions). These are lists of data sets: they are read, and written is `kinespan.annotations.activitynet`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .activitynet_labels import rows_of_entries
from .base import FORMATS, AnnotationFormat
from .json_fields import FieldError, is_number, parsed
from .label_file import LabelFile, LabelRow

_KINDS = ("annotations", "actions", "timestamps")
_DURATIONS = ("duration", "duration_second")


def sniff(path: Path, head: bytes) -> bool:
    """An object of objects of which the first has one of the lists, but no database or results above them."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] != b"{" or any(
        key in text for key in (b'"database"', b'"results"', b'"result"', b'"unfragmented_labels"')
    ):
        return False
    start = text[1:].split(b":", 1)
    if len(start) < 2 or not start[1].lstrip().startswith(b"{"):
        return False
    return any(b'"' + kind.encode() + b'"' in text for kind in _KINDS) and b'"duration' in text


def read(path: Path) -> LabelFile:
    """The labels of all recordings; those that end past the stated duration are kept and counted.

    Raises InputError that names the file, the recording and the field.
    """
    with parsed(path) as data:
        rows: list[LabelRow] = []
        past: list[LabelRow] = []
        numbers = False
        if not data:
            raise FieldError("the file", data, "a field for each recording")
        for name, entry in data.items():
            kind = next((kind for kind in _KINDS if isinstance(entry, dict) and kind in entry), None)
            if kind is None:
                raise FieldError(f"[{name!r}]", entry, f"an object with one of {', '.join(_KINDS)}")
            field = f"[{name!r}].{kind}"
            if kind == "annotations":
                entries = rows_of_entries(name, field, entry[kind])
            elif kind == "actions":
                entries, numbers = _actions(name, field, entry[kind]), True
            else:
                entries = _captions(name, entry)
            rows += entries
            duration = next((entry[key] for key in _DURATIONS if is_number(entry.get(key))), None)
            past += [row for row in entries if duration is not None and (row.end or row.start) > duration + 0.5]
        notes = []
        if numbers and all(row.label.isdecimal() for row in rows):
            notes.append("decided: labels are the numbers of classes, as the file has no names")
        if past:
            notes.append(f"warning: {len(past)} labels end more than 0.5 s past the stated duration, first {past[0]}")
        return LabelFile(path, tuple(data), tuple(rows), notes=tuple(notes))


FORMATS.register("activitynet_family")(
    AnnotationFormat(
        (".json",), "JSON of data sets beside ActivityNet: no database, MultiTHUMOS, dense captions", read, None, sniff
    )
)


def _actions(recording: str, field: str, entries: object) -> list[LabelRow]:
    """Rows of [class, start, end]."""
    if not isinstance(entries, list):
        raise FieldError(field, entries, "a list of [class, start, end]")
    rows = []
    for index, entry in enumerate(entries):
        where = f"{field}[{index}]"
        is_row = isinstance(entry, list) and len(entry) == 3 and all(map(is_number, entry[1:]))
        if not is_row or isinstance(entry[0], (list, dict, bool, type(None))) or entry[0] == "":
            raise FieldError(where, entry, "[class, start, end], two numbers of seconds after a class")
        rows.append(LabelRow(recording, str(entry[0]), float(entry[1]), float(entry[2]), where))
    return rows


def _captions(recording: str, entry: Mapping[str, Any]) -> list[LabelRow]:
    """Rows of timestamps and the sentences beside them."""
    times, texts, field = entry["timestamps"], entry.get("sentences"), f"[{recording!r}]"
    if not isinstance(times, list):
        raise FieldError(f"{field}.timestamps", times, "a list of [start, end]")
    if not isinstance(texts, list) or len(texts) != len(times):
        raise FieldError(f"{field}.sentences", texts, f"a list of {len(times)} texts, one for each of timestamps")
    rows = []
    for index, (bounds, text) in enumerate(zip(times, texts, strict=True)):
        if not isinstance(bounds, list) or len(bounds) != 2 or not all(map(is_number, bounds)):
            raise FieldError(f"{field}.timestamps[{index}]", bounds, "[start, end] in seconds, two finite numbers")
        if not isinstance(text, str) or not text.strip():
            raise FieldError(f"{field}.sentences[{index}]", text, "a text")
        rows.append(LabelRow(recording, text, float(bounds[0]), float(bounds[1]), f"{field}.timestamps[{index}]"))
    return rows
