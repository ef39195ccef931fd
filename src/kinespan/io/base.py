"""What every reader shares: the contract, the registries of readers and writers, and the parsing of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import BoolArray, Float64Array, IntArray
from ..data.annotation import Annotation, LabelSet
from ..data.recording import Recording
from ..data.skeleton import Skeleton
from ..errors import InputError
from ..registry import Registry
from .options import Axis, ReadOptions


@dataclass(frozen=True)
class Take:
    """The Recording of a file, and its Annotation where the file has labels."""

    recording: Recording
    annotation: Annotation | None


@dataclass(frozen=True)
class FileMotion:
    """The motion of a file in its own units, axes and rate, as a reader parses it; `finish.finish` makes it a Take."""

    positions: NDArray[np.floating[Any]]
    """(T, P, J, 3)"""
    skeleton: Skeleton
    fps: float | None
    """Frames a second; None where the file states none."""
    fps_from: str
    """Where the rate comes from, for the history."""
    unit: float | None = 1.0
    """Metres per unit of the file; None where the file states none: then the body tells."""
    unit_from: str = "the format's metres"
    """Where the unit comes from, for the history."""
    asks_unit: bool = False
    """Whether the unit is asked for where neither the file nor a whole person tells it: it may be of an animal."""
    unit_is_sure: bool = False
    """Whether the unit holds whatever the size of the body, as a depth camera's."""
    up: Axis | None = "y"
    """The axis that points up, as the format has it; None where the file states none: then the body tells."""
    up_is_sure: bool = False
    """Whether that axis points up whatever the body does."""
    rest: Float64Array | None = None
    """(J, 3) the rest pose, of a format that has one."""
    valid: BoolArray | None = None
    """(T, P), or (T, P, J) for single joints; joints that are NaN are never valid."""
    people_by_order: bool = False
    """Whether people are told apart by their order in each frame, or by a tracker, so that they may exchange places."""
    times: Float64Array | None = None
    """(T,) seconds, rising, where frames are not evenly spaced in time."""
    frame_ids: IntArray | None = None
    """(T,) frame ids over `labels`."""
    labels: LabelSet | None = None
    annotation: Annotation | None = None
    """In seconds of `fps`, in place of frame ids."""
    attributes: dict[str, str] = field(default_factory=dict)
    history: tuple[str, ...] = ()
    name: str | None = None
    """None: the stem of the file."""
    source: str | None = None
    """None: the name of the file."""


class Reader(Protocol):
    """One file format: how to recognise it, and how to parse it.

    ``sniff`` looks at the first `HEAD_BYTES` bytes and, if it must, into the file; it never raises for a bad file.
    ``parse`` raises InputError, naming file and line, for anything that is not a complete file of its format. A reader
    with ``reads_folders = True`` is also asked about folders; one with ``is_general = True`` counts only where no other
    recognises a file.
    """

    suffixes: ClassVar[tuple[str, ...]]
    about: ClassVar[str]

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """Whether the content is of this format."""

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """The motion of the file."""


HEAD_BYTES = 4096
READERS: Registry[type[Reader]] = Registry("format")
"""Readers by format name."""

DECIDED, CHECK = "decided: ", "warning: "
"""How notes of a history begin that say what was decided about a file, and what looks wrong in it."""


@dataclass(frozen=True)
class MotionWriter:
    """One format to write: the function that writes it, and what the format can hold."""

    about: str
    write: Callable[[Recording, Path, Annotation | None], tuple[str, ...]]
    """Writes a recording and its annotation, if any, to a file, and returns notes of what the format did not hold."""
    several_people: bool = False
    """Whether a file holds several people; otherwise each gets a file, and `write` one person at a time."""
    uneven_times: bool = False
    """Whether a file holds frames that are not evenly spaced; otherwise `write` gets an even rate."""


WRITERS: Registry[MotionWriter] = Registry("format to write")
"""Writers of motion files by suffix, without the dot."""


def read_text_bytes(path: Path) -> bytes:
    """The bytes of a text file. Raises InputError where it cannot be read, is empty or holds NUL bytes."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not data or data.isspace():
        raise InputError(f"{path}: the file is empty")
    if b"\0" in data:
        raise InputError(f"{path}: the file holds binary data, expected text")
    return data


def read_text(path: Path) -> str:
    """The file as text, UTF-8 or else Latin-1; lines are separated by LF alone.

    Raises InputError where the file cannot be read, is empty or holds NUL bytes.
    """
    # Splitting is several times as fast as replacing line ends.
    lines = read_text_bytes(path).removeprefix(b"\xef\xbb\xbf").splitlines()
    data = b"\n".join(lines)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def floats(words: list[str]) -> Float64Array | None:
    """The words as numbers (N,), None where one is not a finite number."""
    try:
        values = np.fromiter(map(float, words), dtype=np.float64, count=len(words))
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def whole_number(word: str) -> int | None:
    """The word as a whole number of 1 to 9 digits; None for another."""
    return int(word) if word.isascii() and word.isdigit() and len(word) < 10 else None


def seen_joints(path: Path, positions: Float64Array) -> BoolArray:
    """Mask (T, P, J) of the joints at (T, P, J, 3) that are not exactly zero. Raises InputError without any."""
    seen: BoolArray = np.any(positions != 0, axis=3)
    if not seen.any():
        raise InputError(f"{path}: all {len(seen)} frames hold only zeros, the sensor saw nobody; leave it out")
    return seen


def finite_numbers(words: list[str], location: str) -> Float64Array:
    """The words as numbers (N,). Raises InputError, naming the location, for one that is not a finite number."""
    values = floats(words)
    if values is None:
        bad = next(word for word in words if floats([word]) is None)
        raise InputError(f"{location}: found {bad[:40]!r}, expected a finite number")
    return values


def number_table(path: Path, lines: Iterable[tuple[int, str]], width: int, meaning: str) -> Float64Array:
    """The numbers (N, width) on numbered lines.

    Raises InputError, naming the line, for other than `width` words, which `meaning` describes, and for a word that is
    not a finite number.
    """
    line_numbers: list[int] = []
    words: list[str] = []
    for number, line in lines:
        words_of_line = line.split()
        if len(words_of_line) != width:
            raise InputError(f"{path}:{number}: found {len(words_of_line)} values, expected {width}{meaning}")
        line_numbers.append(number)
        words += words_of_line
    return numbers_by_line(path, line_numbers, words, width)


def numbers_by_line(path: Path, line_numbers: list[int], words: list[str], width: int) -> Float64Array:
    """The numbers (N, width) of `width` words on each line. Raises InputError, naming the line, for another word."""
    values = floats(words)
    if values is None:
        for row, number in enumerate(line_numbers):
            finite_numbers(words[row * width : (row + 1) * width], f"{path}:{number}")  # raises on one line
    assert values is not None
    return values.reshape(-1, width)
