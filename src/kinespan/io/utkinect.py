"""UTKinect-Action3D (Xia et al. 2012): Kinect v1 joints as text, a line a frame in which somebody was tracked."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from ..arrays import Float64Array, IntArray
from ..data.skeletons import KINECT_20
from ..errors import InputError
from .base import HEAD_BYTES, READERS, FileMotion, finite_numbers, floats, read_text, seen_joints
from .clock import clock
from .options import ReadOptions

CLOCK = 30.0
"""Frame numbers per second: the rate of the sensor."""
_WORDS = 1 + 3 * len(KINECT_20.joints)
_MAX_NUMBERS = 108_000
"""Largest difference of frame numbers: an hour; more cannot be right."""


@READERS.register("utkinect")
class UTKinectReader:
    """UTKinect-Action3D text: a frame number and x y z of 20 joints a line, in metres, y up.

    Only frames in which somebody was tracked have a line, about every other one, so frames are uneven in time: 30
    numbers pass in a second. Of two lines with one number the first counts. Joints at 0 0 0 were not seen.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".txt",)
    about: ClassVar[str] = "UTKinect-Action3D joints text, Kinect v1, uneven in time"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """The first line holds 61 numbers, of which the first is whole."""
        first, end, _ = head.removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"\n").lstrip().partition(b"\n")
        if b"\0" in head or (not end and len(head) >= HEAD_BYTES):
            return False
        words = first.decode("latin-1").split()
        return len(words) == _WORDS and words[0].isdigit() and floats(words) is not None

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """Positions (T, 1, 20, 3) and times (T,)."""
        numbers, joints = read_joints(path)
        numbers, first = np.unique(numbers, return_index=True)
        positions = joints[first][:, None]
        times, fps = clock(numbers / CLOCK) if len(numbers) > 1 else (None, CLOCK)
        return FileMotion(
            positions=positions,
            skeleton=KINECT_20,
            fps=fps,
            fps_from=f"its frame numbers, {CLOCK:g} a second",
            unit_is_sure=True,
            up_is_sure=True,
            valid=seen_joints(path, positions),
            times=times,
        )


def read_joints(file: Path) -> tuple[IntArray, Float64Array]:
    """Frame numbers (N,), ascending, and joints (N, 20, 3). Raises InputError naming a bad line."""
    numbers: list[int] = []
    rows: list[Float64Array] = []
    for line_number, line in enumerate(read_text(file).split("\n"), start=1):
        tokens, location = line.split(), f"{file}:{line_number}"
        if not tokens:
            continue
        if len(tokens) != _WORDS:
            raise InputError(f"{location}: found {len(tokens)} numbers, expected a frame number and 60 coordinates")
        values = finite_numbers(tokens, location)
        number = int(values[0])
        if number != values[0] or number < 0 or (numbers and number < numbers[-1]):
            raise InputError(
                f"{location}: frame number is {tokens[0]!r}, expected a whole number not before the last one"
            )
        numbers.append(number)
        rows.append(values[1:].reshape(20, 3))
    if not rows:
        raise InputError(f"{file}: the file is empty")
    frame_numbers = np.array(numbers, dtype=np.int64)
    if frame_numbers[-1] - frame_numbers[0] > _MAX_NUMBERS:
        raise InputError(
            f"{file}: frame numbers run from {frame_numbers[0]} to {frame_numbers[-1]}, which is over an hour"
        )
    return frame_numbers, np.stack(rows)
