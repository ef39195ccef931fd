"""PRECOG (Jardim 2016): Kinect v1 recordings of martial arts moves, one label a frame, as text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..arrays import Float64Array
from ..data.annotation import LabelSet
from ..data.skeletons import KINECT_20
from ..errors import InputError
from .base import READERS, FileMotion, finite_numbers, read_text, seen_joints, whole_number
from .options import ReadOptions

LABELS = LabelSet(
    (
        "RightPunch", "LeftPunch", "FrontRightKick", "FrontLeftKick",
        "SideRightKick", "SideLeftKick", "BackFist", "ElbowStrike",
    )
)  # fmt: skip
"""The labels 1..8 of the files; 0 is background."""

_NAME = re.compile(r"Seq(?P<script>\d+)_(?P<performer>\d+)$")
_JOINTS = len(KINECT_20.joints)


@READERS.register("precog")
class PrecogReader:
    """PRECOG text: a line of joint names, then per frame 20 times ``x y z`` and a label 0..8, separated by ``;``.

    Metres, y up, nominally 30 fps (no time stamps). Joints at 0 0 0, which the sensor did not see, are not valid; a
    file of such joints is refused. A few labels flicker for a frame or two: `ReadOptions.min_label_frames` = 5 merges
    such runs. ``SeqS_P`` in the file name gives the attributes script (S) and performer (P).
    """

    suffixes: ClassVar[tuple[str, ...]] = (".csv",)
    about: ClassVar[str] = "PRECOG Kinect v1 text, a label for every frame"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """The first line is the list of joints."""
        first = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("latin-1")
        return tuple(name.strip() for name in first.split(";")) == KINECT_20.joints

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """Positions (T, 1, 20, 3) and frame ids (T,)."""
        lines = read_text(path).rstrip().split("\n")
        if tuple(name.strip() for name in lines[0].split(";")) != KINECT_20.joints:
            raise InputError(f"{path}: line 1 must name the 20 joints of PRECOG, found {lines[0][:80]!r}")
        if len(lines) == 1:
            raise InputError(f"{path}: no frame follows the line of joint names")
        values = np.empty((len(lines) - 1, 3 * _JOINTS))
        ids = np.empty(len(lines) - 1, dtype=np.int64)
        for frame, line in enumerate(lines[1:]):
            values[frame], ids[frame] = _frame(path, frame + 2, line)
        positions = values.reshape(-1, 1, _JOINTS, 3)
        name = _NAME.match(path.stem)
        return FileMotion(
            positions=positions,
            skeleton=KINECT_20,
            fps=30.0,
            fps_from="nominal rate of the format",
            valid=seen_joints(path, positions),
            unit_is_sure=True,
            up_is_sure=True,
            frame_ids=ids,
            labels=LABELS,
            attributes=name.groupdict() if name else {},
        )


def _frame(path: Path, number: int, line: str) -> tuple[Float64Array, int]:
    """Coordinates (60,) and label of a line. Raises InputError."""
    fields = line.split(";")
    if len(fields) != _JOINTS + 1:
        raise InputError(
            f"{path}:{number}: found {len(fields)} fields separated by ';', expected 20 joints and a label"
        )
    label_field = fields.pop().strip()
    label = whole_number(label_field)
    if label is None or label > len(LABELS):
        raise InputError(f"{path}:{number}: label is {label_field!r}, expected a number from 0 to {len(LABELS)}")
    tokens: list[str] = []
    for joint, text in enumerate(fields):
        words = text.split()
        if len(words) != 3:
            raise InputError(f"{path}:{number}: {KINECT_20.joints[joint]} is {text[:60]!r}, expected 'x y z'")
        tokens += words
    return finite_numbers(tokens, f"{path}:{number}"), label
