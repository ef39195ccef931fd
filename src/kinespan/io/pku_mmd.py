"""PKU-MMD (Liu et al., ACM MM workshop 2017): two Kinect v2 bodies a line, and label files in frames."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..data.skeletons import NTU_25
from ..errors import InputError
from .base import HEAD_BYTES, READERS, FileMotion, floats, seen_joints, whole_number
from .decimals import read_lines
from .options import ReadOptions

FPS = 30.0
_PEOPLE = 2
_WORDS = _PEOPLE * NTU_25.num_joints * 3
_NAME = re.compile(r"(?P<session>.+)-(?P<view>[LMR])$")


@READERS.register("pku-mmd")
class PkuMmdReader:
    """PKU-MMD skeleton text: per frame a line of 150 numbers, x y z of the 25 joints of two bodies.

    Metres in the camera's axes (y up), 30 fps. A joint at 0 0 0 was not seen; a body that is never seen has no person
    slot, and a file without any body is refused. ``NAME-V`` in the file name gives the attributes session (NAME, which
    views of one performance share) and view (L, M or R).
    """

    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".skeleton")
    about: ClassVar[str] = "PKU-MMD skeleton text, Kinect v2, up to two people"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """The first line holds 150 numbers."""
        first, end, _ = head.replace(b"\r", b"\n").partition(b"\n")
        if not first.strip() or b"\0" in head or (not end and len(head) >= HEAD_BYTES):
            return False
        words = first.decode("latin-1").split()
        return len(words) == _WORDS and floats(words) is not None

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """Positions (T, P, 25, 3), P 1 or 2, and valid (T, P)."""
        lines = read_lines(path, _WORDS)
        bad_lines = np.flatnonzero(lines.counts != _WORDS)
        if len(bad_lines):
            line = int(bad_lines[0]) + 1
            cut = "; the file may be cut off" if line == len(lines.counts) else ""
            raise InputError(
                f"{path}:{line}: found {lines.counts[line - 1]} values, expected {_WORDS} "
                f"(2 bodies x 25 joints x 3){cut}"
            )
        if np.isnan(lines.values).any():
            line, index = map(int, np.argwhere(np.isnan(lines.values))[0])
            raise InputError(f"{path}:{line + 1}: found {lines.word(line, index)[:40]!r}, expected a finite number")
        positions = lines.values.reshape(-1, _PEOPLE, NTU_25.num_joints, 3)
        valid = seen_joints(path, positions)
        is_used = valid.any(axis=(0, 2))
        return FileMotion(
            positions=positions[:, is_used],
            skeleton=NTU_25,
            fps=FPS,
            fps_from="rate of the format",
            valid=valid[:, is_used],
            unit_is_sure=True,
            up_is_sure=True,
            attributes=name_attributes(path.stem),
        )


def name_attributes(name: str) -> dict[str, str]:
    """session and view of NAME-V; empty for other names."""
    match = _NAME.match(name)
    return match.groupdict() if match else {}


@dataclass(frozen=True)
class LabelLine:
    """A line of a label file: class 1..51, first and last frame as written, confidence 1 or 2; its line number."""

    label: int
    start: int
    end: int
    confidence: int
    line: int


def read_labels(path: Path, num_labels: int) -> tuple[LabelLine, ...]:
    """The lines ``label,start,end,confidence`` of a label file; empty for an empty file.

    Raises InputError, naming file and line, for another number of fields, a field that is not a whole number, a label
    outside 1..`num_labels` and an end that is not after the start.
    """
    try:
        text = path.read_bytes().decode("latin-1").removeprefix("\xef\xbb\xbf")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), start=1))
    return tuple(_label_line(path, number, line, num_labels) for number, line in lines if line)


def _label_line(path: Path, number: int, line: str, num_labels: int) -> LabelLine:
    fields = [field.strip() for field in line.removesuffix(",").split(",")]
    numbers = [value for field in fields if (value := whole_number(field)) is not None]
    if not len(fields) == len(numbers) == 4:
        raise InputError(f"{path}:{number}: found {line[:60]!r}, expected label,start,end,confidence in whole numbers")
    label, start, end, confidence = numbers
    if not 1 <= label <= num_labels:
        raise InputError(f"{path}:{number}: label is {label}, expected 1 to {num_labels}")
    if end <= start:
        raise InputError(
            f"{path}:{number}: the action goes from frame {start} to {end}, expected a start before the end"
        )
    return LabelLine(label, start, end, confidence, number)
