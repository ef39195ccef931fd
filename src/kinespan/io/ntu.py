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
from .base import READERS, FileMotion, ReadOptions
from .decimals import Lines, read_lines

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
            valid=self.valid,
            attributes=attributes,
            history=self.notes,
        )


@READERS.register("ntu")
class NtuReader:
    """NTU RGB+D text, Kinect v2.

    The number of frames; per frame the number of bodies; per body a line of 10 values that begins with its bodyID, a
    line with 25, and 25 lines of 12 values that begin with x y z. Metres in the camera's axes (y up), nominally 30 fps.
    Each bodyID has a person slot of its own, in order of appearance, valid in the frames that list it with a joint off
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
        """Positions (T, P, 25, 3) and valid (T, P)."""
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
    heads, in_frame = _layout(path, lines)
    num_frames = len(in_frame)
    if not len(heads):
        raise InputError(
            f"{path}: none of its {num_frames} frames has a body (a sample without skeletons); leave it out"
        )
    values = _coordinates(path, lines, heads)
    ids = lines.wholes[heads].tolist() if (lines.wholes[heads] >= 0).all() else [lines.word(head, 0) for head in heads]
    slots = {body_id: slot for slot, body_id in enumerate(dict.fromkeys(ids))}
    people = np.array([slots[body_id] for body_id in ids])
    frames = np.repeat(np.arange(num_frames), in_frame)
    ranks = np.arange(len(heads)) - np.repeat(np.cumsum(in_frame) - in_frame, in_frame)
    cells = frames * len(slots) + people  # (N,) index into the frames x slots table
    order = np.argsort(cells, kind="stable")
    order = order[np.append(True, np.diff(cells[order]) != 0)]  # the first of duplicates
    cells = cells[order]
    positions = np.zeros((num_frames, len(slots), _JOINTS, 3))
    positions.reshape(-1, _JOINTS, 3)[cells] = values[order]
    list_position = np.full((num_frames, len(slots)), -1)
    list_position.ravel()[cells] = ranks[order]
    valid: BoolArray = (positions != 0).reshape(*list_position.shape, -1).any(axis=2)
    if not valid.any():
        raise InputError(f"{path}: its bodies hold only zeros, the sensor saw nobody; leave it out")
    doubles = len(heads) - len(cells)
    notes = (f"skipped {doubles} bodies whose bodyID their frame lists twice",) if doubles else ()
    return Bodies(positions, valid, np.where(valid, list_position, -1), notes)


_BODY_LINES = [_BODY_WORDS, 1] + [_JOINT_WORDS] * _JOINTS
"""Words on the lines of a body."""
_WHOLE_FILE = re.compile(b"\1(\1(%b)*)+" % re.escape(bytes(_BODY_LINES)))
"""Words on the lines of a file: a count of frames, then frames: a count of bodies, then bodies."""


def _layout(path: Path, lines: Lines) -> tuple[IntArray, IntArray]:
    """The first line of each body (N,), counted from 0, and the number of bodies in each frame (T,)."""
    counts = np.minimum(lines.counts, 255).astype(np.uint8)
    if not _WHOLE_FILE.fullmatch(counts.tobytes()):
        raise _layout_error(path, lines)
    single = np.flatnonzero(counts == 1)  # lines with a number of frames, bodies or joints
    of_joints = counts[single - 1] == _BODY_WORDS
    frames = single[~of_joints][1:]
    in_frame = np.diff(frames, append=len(counts)) // len(_BODY_LINES)
    expected = np.full(len(single), _JOINTS)
    expected[~of_joints] = [len(frames), *in_frame.tolist()]
    if (lines.wholes[single] != expected).any():
        raise _layout_error(path, lines)
    return np.flatnonzero(counts == _BODY_WORDS), in_frame


def _layout_error(path: Path, lines: Lines) -> InputError:
    """The first fault in the layout of a file."""
    num_frames = _count(lines, 0)
    if num_frames is None:
        return _count_error(path, lines, 0, "the number of frames")
    if num_frames == 0:
        return InputError(f"{path}:1: the number of frames is 0 (a sample without skeletons); leave it out")
    counts, line = lines.counts.tolist(), 1
    for frame in range(num_frames):
        bodies = _count(lines, line)
        if bodies is None:
            return _count_error(path, lines, line, f"the number of bodies in frame {frame + 1} of {num_frames}")
        line += 1
        for body in range(bodies):
            rows = counts[line : line + len(_BODY_LINES)]
            if rows != _BODY_LINES or _count(lines, line + 1) != _JOINTS:
                return _body_error(path, lines, line, f"body {body + 1} of frame {frame + 1} of {num_frames}")
            line += len(_BODY_LINES)
    return InputError(f"{path}:{line + 1}: the file goes on after its {num_frames} frames, expected its end")


def _count(lines: Lines, line: int) -> int | None:
    """The whole number that is alone on a line, None for another line."""
    if line >= len(lines.counts) or lines.counts[line] != 1 or lines.wholes[line] < 0:
        return None
    return int(lines.wholes[line])


def _body_error(path: Path, lines: Lines, line: int, what: str) -> InputError:
    """What is wrong with the lines of a body, the first of them at `line`."""
    if (error := _length_error(path, lines, line, _BODY_WORDS, f"the line of {what}")) is not None:
        return error
    joints = _count(lines, line + 1)
    if joints is None:
        return _count_error(path, lines, line + 1, f"the number of joints of {what}")
    if joints != _JOINTS:
        return InputError(f"{path}:{line + 2}: {what} has {joints} joints, expected {_JOINTS}")
    rows = enumerate(range(line + 2, line + 2 + _JOINTS), start=1)
    errors = (_length_error(path, lines, row, _JOINT_WORDS, f"joint {joint} of {what}") for joint, row in rows)
    return next(error for error in errors if error is not None)


def _count_error(path: Path, lines: Lines, line: int, what: str) -> InputError:
    """What is wrong with a line that should be a whole number."""
    error = _length_error(path, lines, line, 1, what)
    text = "" if error is not None else lines.word(line, 0)
    return error or InputError(f"{path}:{line + 1}: {what} is {text[:40]!r}, expected a whole number")


def _length_error(path: Path, lines: Lines, line: int, words: int, what: str) -> InputError | None:
    """What is wrong with a line that is missing or has another number of values; None where it is right."""
    if line >= len(lines.counts):
        return InputError(f"{path}:{len(lines.counts)}: the file is cut off: {what} does not follow; get it again")
    if lines.counts[line] != words:
        return InputError(f"{path}:{line + 1}: {what} has {lines.counts[line]} values, expected {words}")
    return None


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
