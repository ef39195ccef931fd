"""NTU RGB+D (Shahroudy et al., CVPR 2016; Liu et al., TPAMI 2020): Kinect v2 bodies as ``.skeleton`` text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..skeletons import NTU_25
from .base import READERS, FileMotion, ReadOptions
from .decimals import Words, numbers, read_words

_JOINTS = NTU_25.num_joints
_BODY_WORDS = 10
_JOINT_WORDS = 12
_NAME = re.compile(r"S(?P<setup>\d{3})C(?P<camera>\d{3})P(?P<performer>\d{3})R(?P<replication>\d{3})A(?P<action>\d{3})")


@dataclass(frozen=True, eq=False)
class Bodies:
    """The bodies of a file, one slot for each bodyID in order of appearance.

    positions (T, P, 25, 3) float64 in metres, y up; ``valid`` (T, P); ``place`` (T, P), the place of the body
    in its frame's list (0 first), -1 where it is not there; ``notes`` say what was passed over.
    """

    positions: NDArray[np.float64]
    valid: NDArray[np.bool_]
    place: NDArray[np.int64]
    notes: tuple[str, ...] = ()

    def motion(self, attributes: dict[str, str]) -> FileMotion:
        """What a reader hands on: nominal 30 fps, metres."""
        return FileMotion(
            positions=self.positions,
            skeleton=NTU_25,
            fps=30.0,
            fps_from="nominal rate of the format",
            unit=1.0,
            unit_from="the format's metres",
            valid=self.valid,
            attributes=attributes,
            history=self.notes,
        )


@READERS.register("ntu")
class NtuReader:
    """NTU RGB+D text: the number of frames; per frame the number of bodies; per body a line of 10 values that begins
    with its bodyID, a line with 25, and 25 lines of 12 values that begin with x y z.

    Metres in the camera's axes (y up), nominally 30 fps. Bodies come and go: each bodyID has a person slot of its
    own, in order of appearance, valid in the frames that list it with a joint off the origin. Of two bodies with one
    bodyID in a frame the first holds. Only the structure and x y z are checked: the other columns hold ``NaN`` and
    the like in good files. A file without one body is refused. ``SsssCcccPpppRrrrAaaa`` in the file name
    gives the attributes setup, camera, performer, replication and action.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".skeleton",)
    about: ClassVar[str] = "NTU RGB+D skeleton text, Kinect v2, several people"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """A count of frames, counts of bodies, and the first body's two lines; or no body, in a .skeleton file."""
        lines = [line.split() for line in head.removeprefix(b"\xef\xbb\xbf").splitlines()]
        if not lines or len(lines[0]) != 1 or not lines[0][0].isdigit():
            return False
        body = next((at for at, line in enumerate(lines[1:], start=1) if line != [b"0"]), None)
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

    Raises InputError, naming file and line, for a file that is cut off or longer than its frames, for another number
    of joints, for a line with too few or too many values and for a coordinate that is no finite number; and, naming
    the file, where no frame has a body.
    """
    words = read_words(path)
    num_frames, found = _layout(path, words)
    if not found:
        raise InputError(
            f"{path}: none of its {num_frames} frames has a body (a sample without skeletons); leave it out"
        )
    values = _coordinates(path, words, np.array([body.first_joint for body in found]))
    slots = {id: slot for slot, id in enumerate(dict.fromkeys(body.id for body in found))}
    held = {(body.frame, slots[body.id]): at for at, body in reversed(list(enumerate(found)))}  # the first of doubles
    positions = np.zeros((num_frames, len(slots), _JOINTS, 3))
    place = np.full((num_frames, len(slots)), -1, dtype=np.int64)
    frames, people = np.array(list(held)).T
    positions[frames, people] = values[list(held.values())]
    place[frames, people] = [found[at].place for at in held.values()]
    valid: NDArray[np.bool_] = np.any(positions != 0, axis=(2, 3))
    if not valid.any():
        raise InputError(f"{path}: its bodies hold only zeros, the sensor saw nobody; leave it out")
    doubles = len(found) - len(held)
    notes = (f"passed over {doubles} bodies whose bodyID their frame lists twice",) if doubles else ()
    return Bodies(positions, valid, np.where(valid, place, -1), notes)


class _Body(NamedTuple):
    """A body in a frame: which, at what place of the frame's list, and the first word of its joints."""

    frame: int
    place: int
    id: str
    first_joint: int


_ALL_JOINTS = [_JOINT_WORDS] * _JOINTS


def _layout(path: Path, words: Words) -> tuple[int, list[_Body]]:
    """The number of frames, and all bodies in the order of the file; checks the number of values on every line."""
    counts, first = words.counts, words.first.tolist()
    num_frames = _whole(words, 0)
    if num_frames is None:
        raise _no_count(path, words, 0, "the number of frames")
    if num_frames == 0:
        raise InputError(f"{path}:1: the number of frames is 0 (a sample without skeletons); leave it out")
    line = 1
    found: list[_Body] = []
    for frame in range(num_frames):
        bodies = _whole(words, line)
        if bodies is None:
            raise _no_count(path, words, line, f"the number of bodies in frame {frame + 1} of {num_frames}")
        line += 1
        for place in range(bodies):
            joints = slice(line + 2, line + 2 + _JOINTS)
            if counts[line : line + 1] != [_BODY_WORDS] or _whole(words, line + 1) != _JOINTS:
                raise _no_body(path, words, line, f"body {place + 1} of frame {frame + 1} of {num_frames}")
            if counts[joints] != _ALL_JOINTS:
                raise _no_body(path, words, line, f"body {place + 1} of frame {frame + 1} of {num_frames}")
            found.append(_Body(frame, place, words[first[line]], first[line + 2]))
            line = joints.stop
    if line < len(counts):
        raise InputError(f"{path}:{line + 1}: the file goes on after its {num_frames} frames, expected its end")
    return num_frames, found


def _whole(words: Words, line: int) -> int | None:
    """The whole number that stands alone on a line (from 0), None where the line is another."""
    if line >= len(words.counts) or words.counts[line] != 1:
        return None
    text = words[int(words.first[line])]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _no_body(path: Path, words: Words, line: int, what: str) -> InputError:
    """What is wrong with the lines of a body, the first of them at `line` (from 0)."""
    if (wrong := _wrong_length(path, words, line, _BODY_WORDS, f"the line of {what}")) is not None:
        return wrong
    joints = _whole(words, line + 1)
    if joints is None:
        return _no_count(path, words, line + 1, f"the number of joints of {what}")
    if joints != _JOINTS:
        return InputError(f"{path}:{line + 2}: {what} has {joints} joints, expected {_JOINTS}")
    lines = enumerate(range(line + 2, line + 2 + _JOINTS), start=1)
    each = (_wrong_length(path, words, at, _JOINT_WORDS, f"joint {joint} of {what}") for joint, at in lines)
    return next(wrong for wrong in each if wrong is not None)


def _no_count(path: Path, words: Words, line: int, what: str) -> InputError:
    """What is wrong with a line (from 0) that should be a whole number."""
    wrong = _wrong_length(path, words, line, 1, what)
    text = "" if wrong is not None else words[int(words.first[line])]
    return wrong or InputError(f"{path}:{line + 1}: {what} is {text[:40]!r}, expected a whole number")


def _wrong_length(path: Path, words: Words, line: int, values: int, what: str) -> InputError | None:
    """What is wrong with a line (from 0) that is not there or has another number of values; None where it is right."""
    if line >= len(words.counts):
        return InputError(f"{path}:{len(words.counts)}: the file is cut off: {what} does not follow; get it again")
    if words.counts[line] != values:
        return InputError(f"{path}:{line + 1}: {what} has {words.counts[line]} values, expected {values}")
    return None


def _coordinates(path: Path, words: Words, first_joint: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
    """x y z (N, 25, 3) of the bodies whose joints begin at these words (N,)."""
    offsets = np.arange(_JOINTS)[:, None] * _JOINT_WORDS + np.arange(3)
    which = (first_joint[:, None, None] + offsets).ravel()
    values = numbers(words, which)
    wrong = np.flatnonzero(np.isnan(values))
    if wrong.size:
        word = int(which[wrong[0]])
        raise InputError(
            f"{path}:{words.line_of(word)}: {'xyz'[wrong[0] % 3]} of joint {wrong[0] // 3 % _JOINTS + 1} is "
            f"{words[word][:40]!r}, expected a finite number"
        )
    return values.reshape(-1, _JOINTS, 3)
