"""MSRC-12 (Fothergill et al. 2012): Kinect v1 recordings with a time stamp for every frame, as text or gzipped text."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..data.annotation import Annotation, Event, LabelSet
from ..data.skeletons import KINECT_20
from ..errors import InputError
from .base import READERS, FileMotion, floats, read_text, read_text_bytes, seen_joints
from .decimals import Lines, lines_of
from .options import ReadOptions

LABELS = LabelSet(
    names := (
        "lift outstretched arms", "Duck", "Push right", "Goggles", "Wind it up", "Shoot", "Bow", "Throw", "Had enough",
        "Change weapon", "Beat both", "Kick",
    ),
    events=names,
    tolerance=0.333,
)  # fmt: skip
"""The gestures 1..12, as the files name them. A label is the action point, the instant when a system should react; the
field counts a detection within 0.333 s (Nowozin and Shotton: Action Points, MSR-TR-2012-68)."""
FPS = 30.0
_NAME = re.compile(r"(?P<instruction>P\d+_\d+)_(?P<gesture>\d+)A?_p(?P<performer>\d+)$", re.IGNORECASE)
_JOINTS = len(KINECT_20.joints)
_WIDTH = 1 + 4 * _JOINTS
"""A time stamp, and x y z w of each joint."""
_GZIP = b"\x1f\x8b"
_MAX_BYTES = 2**30
"""Largest size of an unpacked file: a day of motion."""
_FIRST_LINE = 4096
"""More bytes than a line has."""
_MICROSECONDS = 1e6
_TAG_HEADING = "XQPCTick;Tag"
_TAG = re.compile(r"(?P<tick>\d{1,18});\s*G(?P<gesture>\d{1,2})\b.*")
_TICKS_PER_MS = 49875
"""Ticks of the tags' clock in a millisecond of the frames' clock (load_tagstream.m of the data set)."""
_SLACK = 0.5
"""Seconds that a tag may lie outside the recording, to which it is then moved."""


@READERS.register("msrc12")
class Msrc12Reader:
    """MSRC-12 text: a frame a line, a time stamp in microseconds and 20 times ``x y z w``, separated by blanks.

    The file may be gzipped. Metres, y up, the joints of Kinect v1; w is 1. Frames are uneven, 33 to 67 ms with holes of
    up to 2 s, and keep their times; the nominal rate is the sensor's 30 fps. Joints at zero were not seen, as in the
    first frames of nearly every file. ``P1_1_10_p06`` in the name gives the attributes instruction (P1_1), gesture
    (10) and performer (6). The action points of ``P1_1_10_p06.tagstream`` beside it are Events; without one there is
    no Annotation.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".gz")
    about: ClassVar[str] = "MSRC-12 Kinect v1 text with time stamps, gzipped or not"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """The first line has a whole number and 20 times x y z w, where w is 1, or 0 of an untracked joint."""
        if head.startswith(_GZIP):
            try:
                head = zlib.decompressobj(wbits=31).decompress(head, _FIRST_LINE)
            except zlib.error:
                return False
        words = head.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)[0].decode("latin-1").split()
        values = floats(words)
        return (
            values is not None
            and len(values) == _WIDTH
            and words[0].isdigit()
            and bool(np.isin(values[4::4], (0.0, 1.0)).all())
        )

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """Positions (T, 1, 20, 3) and the times of the frames."""
        lines = lines_of(_text(path), _WIDTH)
        _check(path, lines)
        stamps = lines.values[:, 0] / _MICROSECONDS
        positions = lines.values[:, 1:].reshape(-1, 1, _JOINTS, 4)[..., :3]
        name = recording_name(path)
        tags = path.with_name(f"{name}.tagstream")
        annotation = None
        if tags.is_file():
            events = read_tags(tags, int(lines.values[0, 0]), float(stamps[-1] - stamps[0]) + 1 / FPS)
            annotation = Annotation((), LABELS, None, events)
        return FileMotion(
            positions=positions,
            skeleton=KINECT_20,
            fps=FPS,
            fps_from="nominal rate of the sensor, frames have time stamps",
            unit_is_sure=True,
            up_is_sure=True,
            valid=seen_joints(path, positions),
            times=stamps - stamps[0],
            annotation=annotation,
            attributes=_attributes(name),
            history=() if annotation is None else (f"action points from {tags.name}",),
            name=name,
        )


def recording_name(path: Path) -> str:
    """The name of a file without .csv.gz or .csv."""
    return re.sub(r"(\.csv)?(\.gz)?$", "", path.name, flags=re.IGNORECASE) or path.name


def _attributes(name: str) -> dict[str, str]:
    match = _NAME.search(name)
    if match is None:
        return {}
    numbers = {key: str(int(match[key])) for key in ("gesture", "performer")}
    return {"instruction": match["instruction"].upper(), **numbers}


def _text(path: Path) -> bytes:
    """The text of a file, unpacked. Raises InputError where it is empty, binary, or gzipped and cut off or damaged."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not data.startswith(_GZIP):
        return read_text_bytes(path)
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(data, _MAX_BYTES)
    except zlib.error as error:
        raise InputError(f"{path}: the gzipped data are damaged ({error})") from None
    if not unpacker.eof:
        reason = f"holds more than {_MAX_BYTES} bytes" if unpacker.unconsumed_tail else "is cut off"
        raise InputError(f"{path}: the gzipped file {reason}")
    if not text.strip() or b"\0" in text:
        raise InputError(f"{path}: the gzipped file is {'not text' if text.strip() else 'empty'}")
    return text


def _check(path: Path, lines: Lines) -> None:
    """Check that every line has 81 numbers, and that time stamps rise. Raises InputError naming the line."""
    for line in np.flatnonzero(lines.counts != _WIDTH):
        meaning = "a time stamp and x y z w of each of 20 joints"
        raise InputError(f"{path}:{line + 1}: found {lines.counts[line]} values, expected {_WIDTH}: {meaning}")
    for line, column in np.argwhere(np.isnan(lines.values)):
        raise InputError(
            f"{path}:{line + 1}: found {lines.word(int(line), int(column))[:40]!r}, expected a finite number"
        )
    for line in np.flatnonzero(np.diff(lines.values[:, 0]) <= 0):
        stamps = f"{lines.word(int(line) + 1, 0)} after {lines.word(int(line), 0)}"
        raise InputError(f"{path}:{line + 2}: time stamp {stamps}, expected microseconds that rise with every frame")


def read_tags(file: Path, start: int, duration: float) -> tuple[Event, ...]:
    """The action points of a .tagstream, in seconds after the time stamp `start` (microseconds) of the first frame.

    Raises InputError naming a line that is no tag, and a tag outside the recording of `duration` seconds.
    """
    heading, *lines = read_text(file).rstrip().split("\n")
    if heading.strip() != _TAG_HEADING:
        raise InputError(f"{file}:1: found {heading[:60]!r}, expected the heading {_TAG_HEADING!r}")
    events = []
    for number, line in enumerate(lines, start=2):
        tag = _TAG.fullmatch(line.strip())
        if tag is None or not 1 <= int(tag["gesture"]) <= len(LABELS):
            raise InputError(
                f"{file}:{number}: found {line[:60]!r}, expected a tick and a tag such as '32328528185;G1  ...'"
            )
        microseconds = (int(tag["tick"]) * 1000 + _TICKS_PER_MS // 2) // _TICKS_PER_MS
        seconds = (microseconds - start) / _MICROSECONDS
        if not -_SLACK <= seconds <= duration + _SLACK:
            raise InputError(f"{file}:{number}: the tag is at {seconds:.3f} s of a recording of {duration:.3f} s")
        events.append(Event(min(max(seconds, 0.0), duration), LABELS.names[int(tag["gesture"]) - 1]))
    return tuple(events)
