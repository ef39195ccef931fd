"""JWatcher focal data: the keys that an observer pressed, in milliseconds.

Read only: what a key means, whether it begins a state and what ends it, stands in a master file of another kind,
without which JWatcher does not open focal data.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import InputError
from .base import FORMATS, AnnotationFormat
from .label_file import LabelFile, LabelRow
from .text_file import plain_head, read_text

_FIRST_LINE = re.compile(r"FirstLineOfData\s*=\s*(\d{1,9})", re.ASCII)
_PRESS = re.compile(r"\s*(\d{1,15})\s*,\s*(\S.*?)\s*", re.ASCII)
_END = "EOF"


def sniff(path: Path, head: bytes) -> bool:
    """The line of JWatcher that comes first, or its name in the comments."""
    text = plain_head(head)
    return text.startswith(b"FirstLineOfData") or b"# Format: Focal Data File" in text[:600]


def read(path: Path) -> LabelFile:
    """Each key press as an instant, named by its key; the end of the observation is the time that was looked at.

    Raises InputError, naming file and line.
    """
    text, notes = read_text(path)
    lines = text.split("\n")
    match = _FIRST_LINE.match(lines[0].strip())
    begin = next((index for index, line in enumerate(lines) if line.strip() == "#BEGIN DATA"), None)
    if begin is None and match is None:
        raise InputError(f"{path}: no focal data of JWatcher; expected FirstLineOfData= in line 1, and #BEGIN DATA")
    first = begin + 1 if begin is not None else int(match[1]) - 1 if match else 0
    rows: list[LabelRow] = []
    covered: list[LabelRow] = []
    for index, line in enumerate(lines[first:], first + 1):
        if not line.strip() or line.startswith("#"):
            continue
        press = _PRESS.fullmatch(line)
        if press is None:
            raise InputError(f"{path}, line {index}: {line[:40]!r}, expected milliseconds, a comma and a key")
        time, key = float(press[1]) / 1000, press[2]
        if key == _END:
            covered = [LabelRow(path.stem, "", 0.0, time, f"line {index}", unit="seconds")] if time else []
            continue
        rows.append(LabelRow(path.stem, key, time, None, f"line {index}", unit="seconds"))
    said = [
        *notes,
        "decided: key presses are instants; which of them begin a state, and their names, are in the master file",
    ]
    if not covered:
        said.append("warning: no line EOF, so nothing says when the observation ended")
    return LabelFile(path, (path.stem,), tuple(rows), tuple(covered), notes=tuple(said))


FORMATS.register("jwatcher")(AnnotationFormat((".dat",), "JWatcher focal data, key presses", read, None, sniff))
