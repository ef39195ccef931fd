"""SFINGE 3D (Caputo et al. 2020): recordings of one hand, 20 joints with their orientations, as text."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..data.skeleton import Skeleton
from ..errors import InputError
from .base import READERS, FileMotion, floats, number_table, read_text
from .options import ReadOptions

_FINGERS = {
    "thumb": ("A", "B", "End"), "index": ("A", "B", "C", "End"), "middle": ("A", "B", "C", "End"),
    "ring": ("A", "B", "C", "End"), "pinky": ("A", "B", "C", "End"),
}  # fmt: skip
"""The joints of each finger, from the palm outwards."""


def _hand() -> Skeleton:
    """The palm, and each finger as a chain that begins at it."""
    chains = [["palm", *(f"{finger}{joint}" for joint in joints)] for finger, joints in _FINGERS.items()]
    parents = {child: parent for chain in chains for parent, child in pairwise(chain)}
    joints = ("palm", *parents)
    return Skeleton("sfinge3d", joints, tuple(joints.index(parents[j]) if j in parents else -1 for j in joints))


SFINGE_HAND = _hand()
"""The 20 joints of SFINGE 3D in the order of its files; a hand has no landmark of a body but its root, the palm."""
_JOINTS = len(SFINGE_HAND.joints)
_NUMBERS = 7
"""Of each joint: x y z, and a quaternion x y z w."""
_SEPARATORS = {ord(","): " ", ord(";"): " "}
_UNIT_LENGTH = 1e-2
"""Largest difference of a quaternion's length from 1 by which files are recognised; rounding makes 0.00001."""


@READERS.register("sfinge3d")
class SfingeReader:
    """SFINGE 3D text: a frame a line, 140 numbers separated by ``,`` (long sequences) or ``;`` (single gestures).

    The numbers are x y z and a quaternion of each of 20 joints, of which the positions are read. Metres, y up,
    nominally 20 fps. A joint at the origin was not seen. Labels are in a table, which the recipe ``sfinge3d`` reads.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".txt",)
    about: ClassVar[str] = "SFINGE 3D text, a hand of 20 joints"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """The first line has 140 numbers, among them 20 quaternions of length 1."""
        line = head.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)[0].decode("latin-1")
        values = floats(line.translate(_SEPARATORS).split())
        if values is None or len(values) != _JOINTS * _NUMBERS or not ("," in line or ";" in line):
            return False
        lengths = np.linalg.norm(values.reshape(_JOINTS, _NUMBERS)[:, 3:], axis=1)
        return bool(np.all(np.abs(lengths - 1) < _UNIT_LENGTH))

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """Positions (T, 1, 20, 3)."""
        lines = read_text(path).strip().translate(_SEPARATORS).split("\n")
        meaning = ", x y z and a quaternion of each of 20 joints"
        values = number_table(path, enumerate(lines, start=1), _JOINTS * _NUMBERS, meaning)  # (T, 140)
        positions = values.reshape(-1, 1, _JOINTS, _NUMBERS)[..., :3]
        valid = np.any(positions != 0, axis=3)
        if not valid.any():
            raise InputError(f"{path}: all {len(positions)} frames hold only zeros, no hand was seen; leave it out")
        return FileMotion(
            positions=positions,
            skeleton=SFINGE_HAND,
            fps=20.0,
            fps_from="nominal rate of the format",
            valid=valid,
        )
