"""NTU RGB+D (Shahroudy et al., CVPR 2016; Liu et al., TPAMI 2020): Kinect v2 bodies as ``.skeleton`` text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..arrays import BoolArray, Float64Array, IntArray
from ..data.skeletons import NTU_25
from ..errors import InputError
from .base import READERS, FileMotion
from .decimals import Lines, read_lines
from .options import ReadOptions

_JOINTS = NTU_25.num_joints
_BODY_WORDS = 10
_JOINT_WORDS = 12
_NAME = re.compile(r"S(?P<setup>\d{3})C(?P<camera>\d{3})P(?P<performer>\d{3})R(?P<replication>\d{3})A(?P<action>\d{3})")


@dataclass(frozen=True, eq=False)
class Bodies:
    """The bodies of a file, one slot for each bodyID in order of appearance."""

    positions: Float64Array
    """(T, P, 25, 3) in metres, y up"""
    valid: BoolArray
    """(T, P)"""
    list_position: IntArray
    """(T, P) the body's position in the list of its frame, from 0; -1 where it is absent"""
    notes: tuple[str, ...] = ()
    """What was skipped."""

    def motion(self, attributes: dict[str, str]) -> FileMotion:
        """The FileMotion of the bodies: metres at nominal 30 fps."""
        return FileMotion(
            positions=self.positions,
            skeleton=NTU_25,
            fps=30.0,
            fps_from="nominal rate of the format",
            unit_is_sure=True,
            up_is_sure=True,
            valid=np.any(self.positions != 0, axis=3),
            attributes=attributes,
            history=self.notes,
        )


@READERS.register("ntu")
class NtuReader:
    """NTU RGB+D text, Kinect v2.

    The number of frames; per frame the number of bodies; per body a line of 10 values that begins with its bodyID, a
    line with 25, and 25 lines of 12 values that begin with x y z. Metres in the camera's axes (y up), nominally 30 fps.
    Each bodyID has a person slot of its own, in order of appearance, and its joints are valid where they are listed off
    the origin. Of two bodies with one bodyID in a frame the first counts. Only the structure and x y z are checked: the
    other columns hold ``NaN`` and the like in good files. A file without any body is refused. ``SsssCcccPpppRrrrAaaa``
    in the file name gives the attributes setup, camera, performer, replication and action.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".skeleton",)
    about: ClassVar[str] = "NTU RGB+D skeleton text, Kinect v2, several people"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """A count of frames, counts of bodies, and the first body's two lines; or no body, in a .skeleton file."""
        lines = [line.split() for line in head.removeprefix(b"\xef\xbb\xbf").splitlines()]
        if not lines or len(lines[0]) != 1 or not lines[0][0].isdigit():
            return False
        body = next((number for number, line in enumerate(lines[1:], start=1) if line != [b"0"]), None)
        if body is None or lines[body:] in ([], [[]]):
            return path.suffix.lower() == ".skeleton"
        if body + 2 >= len(lines) or len(lines[body]) != 1 or not lines[body][0].isdigit():
            return False
        return len(lines[body + 1]) == _BODY_WORDS and len(lines[body + 2]) == 1 and lines[body + 2][0].isdigit()

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """Positions (T, P, 25, 3) and valid (T, P, 25)."""
        return read_bodies(path).motion(name_attributes(path.stem) or {})


def name_attributes(name: str) -> dict[str, str] | None:
    """setup, camera, performer, replication and action of SsssCcccPpppRrrrAaaa, as text without leading zeros."""
    match = _NAME.fullmatch(name)
    return None if match is None else {key: str(int(value)) for key, value in match.groupdict().items()}


def read_bodies(path: Path) -> Bodies:
    """The bodies of a .skeleton file.

    Raises InputError, naming file and line, for a file that is cut off or continues after its frames, another number
    of joints, a line with too few or too many values and a coordinate that is not a finite number; and, naming the
    file, where no frame has a body.
    """
    lines = read_lines(path, columns=3)
    heads_by_frame = _heads_by_frame(path, lines)
    num_frames = len(heads_by_frame)
    heads = np.array([head for frame_heads in heads_by_frame for head in frame_heads], dtype=np.int64)
    if not len(heads):
        raise InputError(
            f"{path}: none of its {num_frames} frames has a body (a sample without skeletons); leave it out"
        )
    values = _coordinates(path, lines, heads)
    numeric_ids = lines.wholes[heads].tolist()
    slots: dict[int | str, int] = {}  # by bodyID
    bodies: dict[tuple[int, int], tuple[int, int]] = {}  # (frame, slot): index, position in the list of its frame
    index = 0
    for frame, frame_heads in enumerate(heads_by_frame):
        for rank, head in enumerate(frame_heads):
            body_id = numeric_ids[index] if numeric_ids[index] >= 0 else lines.word(head, 0)
            slot = slots.setdefault(body_id, len(slots))
            bodies.setdefault((frame, slot), (index, rank))
            index += 1
    frames, people = np.array(list(bodies)).T
    indices, ranks = np.array(list(bodies.values())).T
    positions = np.zeros((num_frames, len(slots), _JOINTS, 3))
    positions[frames, people] = values[indices]
    list_position = np.full((num_frames, len(slots)), -1)
    list_position[frames, people] = ranks
    valid: BoolArray = (positions != 0).any(axis=(2, 3))
    if not valid.any():
        raise InputError(f"{path}: its bodies hold only zeros, the sensor saw nobody; leave it out")
    doubles = len(heads) - len(bodies)
    notes = (f"skipped {doubles} bodies whose bodyID their frame lists twice",) if doubles else ()
    return Bodies(positions, valid, np.where(valid, list_position, -1), notes)


_BODY_LINES = [_BODY_WORDS, 1] + [_JOINT_WORDS] * _JOINTS
"""The number of words on the lines of a body."""


def _heads_by_frame(path: Path, lines: Lines) -> list[list[int]]:
    """The first line of each body, counted from 0, frame by frame. Raises InputError for another layout."""
    num_frames = _count(path, lines, 0, "the number of frames")
    if num_frames == 0:
        raise InputError(f"{path}:1: the number of frames is 0 (a sample without skeletons); leave it out")
    words_on_line, wholes = lines.counts.tolist(), lines.wholes.tolist()
    heads_by_frame: list[list[int]] = []
    line = 1
    for frame in range(1, num_frames + 1):
        num_bodies = wholes[line] if words_on_line[line : line + 1] == [1] else -1
        if num_bodies < 0:
            _count(path, lines, line, f"the number of bodies in frame {frame} of {num_frames}")  # raises
        line += 1
        heads = []
        for body in range(1, num_bodies + 1):
            if words_on_line[line : line + len(_BODY_LINES)] != _BODY_LINES or wholes[line + 1] != _JOINTS:
                _check_body(path, lines, line, f"body {body} of frame {frame} of {num_frames}")  # raises
            heads.append(line)
            line += len(_BODY_LINES)
        heads_by_frame.append(heads)
    if line < len(words_on_line):
        raise InputError(f"{path}:{line + 1}: the file goes on after its {num_frames} frames, expected its end")
    return heads_by_frame


def _check_body(path: Path, lines: Lines, line: int, body: str) -> None:
    """Raise InputError for a fault in the lines of a body, the first of them at `line`."""
    _check_length(path, lines, line, _BODY_WORDS, f"the line of {body}")
    num_joints = _count(path, lines, line + 1, f"the number of joints of {body}")
    if num_joints != _JOINTS:
        raise InputError(f"{path}:{line + 2}: {body} has {num_joints} joints, expected {_JOINTS}")
    for joint in range(1, _JOINTS + 1):
        _check_length(path, lines, line + 1 + joint, _JOINT_WORDS, f"joint {joint} of {body}")


def _check_length(path: Path, lines: Lines, line: int, num_words: int, what: str) -> None:
    """Raise InputError for a line that is missing or has another number of words."""
    if line >= len(lines.counts):
        raise InputError(f"{path}:{len(lines.counts)}: the file is cut off: {what} does not follow; get it again")
    if lines.counts[line] != num_words:
        raise InputError(f"{path}:{line + 1}: {what} has {lines.counts[line]} values, expected {num_words}")


def _count(path: Path, lines: Lines, line: int, what: str) -> int:
    """The whole number that is alone on a line. Raises InputError for another line."""
    _check_length(path, lines, line, 1, what)
    if lines.wholes[line] < 0:
        raise InputError(f"{path}:{line + 1}: {what} is {lines.word(line, 0)[:40]!r}, expected a whole number")
    return int(lines.wholes[line])


def _coordinates(path: Path, lines: Lines, heads: IntArray) -> Float64Array:
    """x y z (N, 25, 3) of the bodies that begin on these lines (N,)."""
    joints = (heads[:, None] + np.arange(2, 2 + _JOINTS)).ravel()
    values = lines.values.take(joints, axis=0)
    if np.isnan(values).any():
        joint, axis = map(int, np.argwhere(np.isnan(values))[0])
        line = int(joints[joint])
        raise InputError(
            f"{path}:{line + 1}: {'xyz'[axis]} of joint {joint % _JOINTS + 1} is "
            f"{lines.word(line, axis)[:40]!r}, expected a finite number"
        )
    return values.reshape(-1, _JOINTS, 3)
