"""Acclaim motion (AMC): for each frame a block of lines, one a bone, over the skeleton of an ASF file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..arrays import Float64Array
from ..errors import InputError
from .acclaim import ROOT, Acclaim, read_asf
from .base import READERS, FileMotion, ReadOptions, first_not_number, floats, read_text

_HDM05 = re.compile(r"HDM_(?P<actor>[A-Za-z]+)_(?P<action>.+)_(?P<take>\d{3})_120$")
_RATE_120 = re.compile(r"_120$")
_HEADINGS = (b":FULLY-SPECIFIED", b":DEGREES", b":RADIANS")
_UNIT_FROM = "the skeleton's inches and length scale"


@READERS.register("amc")
class AmcReader:
    """Acclaim AMC with its ASF skeleton.

    The skeleton is `ReadOptions.asf`, else the .asf beside it whose name the AMC's begins with (HDM_bd.asf for
    HDM_bd_squat_001_120.amc), else the only .asf in the folder. AMC states no rate: it is 120 where the name ends in
    ``_120``, as in HDM05, else `ReadOptions.fps` must give it. Units are those of the ASF, y up. HDM05's names give the
    attributes actor, action and take; there is no Annotation.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".amc",)
    about: ClassVar[str] = "Acclaim motion over an ASF skeleton"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """The first line after comments is one of AMC's headings."""
        for line in head.removeprefix(b"\xef\xbb\xbf").splitlines():
            words = line.split()
            if words and not words[0].startswith(b"#"):
                return words[0].upper() in _HEADINGS
        return False

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """Positions (T, 1, J, 3) by forward kinematics."""
        lines = read_text(path).split("\n")
        skeleton_path = options.asf or _find_asf(path)
        acclaim = read_asf(skeleton_path)
        start, degrees = _header(path, lines, acclaim.degrees)
        widths = {bone.name: len(bone.dof) for bone in acclaim.bones}
        channels = _read_fast(lines[start:], widths)
        if channels is None:
            channels = _read_by_line(path, lines, start, widths)
        try:
            skeleton = acclaim.skeleton()
        except InputError as error:
            raise InputError(f"{skeleton_path}: {error}") from None
        name = _HDM05.match(path.stem)
        return FileMotion(
            positions=acclaim.forward_kinematics(channels, degrees)[:, None],
            skeleton=skeleton,
            fps=120.0 if _RATE_120.search(path.stem) else None,
            fps_from="_120 in the file name",
            unit=acclaim.unit,
            unit_from=_UNIT_FROM,
            attributes=name.groupdict() if name else {},
            history=(f"skeleton from {skeleton_path.name}",),
        )


def _find_asf(path: Path) -> Path:
    """The ASF file beside an AMC file."""
    files = sorted(file for file in path.parent.iterdir() if file.suffix.lower() == ".asf" and file.is_file())
    named = [file for file in files if path.stem == file.stem or path.stem.startswith(f"{file.stem}_")]
    if named:
        return max(named, key=lambda file: len(file.stem))
    if len(files) == 1:
        return files[0]
    found = ", ".join(file.name for file in files) or "none"
    raise InputError(
        f"{path}: which ASF skeleton belongs to it? Beside it: {found}; expected one whose name the AMC's begins with, "
        "or exactly one. Give it, for example ReadOptions(asf=Path('walker.asf'))"
    )


def _header(path: Path, lines: list[str], degrees: bool) -> tuple[int, bool]:
    """Index of the first line of motion, and whether angles are degrees."""
    for number, text in enumerate(lines):
        words = text.split()
        if not words or words[0].startswith("#"):
            continue
        if not words[0].startswith(":"):
            return number, degrees
        if words[0].upper() in (":DEGREES", ":RADIANS"):
            degrees = words[0].upper() == ":DEGREES"
    raise InputError(f"{path}:{len(lines)}: the file ends before the first frame; it is cut off")


def _read_fast(lines: list[str], widths: dict[str, int]) -> dict[str, Float64Array] | None:
    """Values (T, width) of each bone; None unless every frame lists the bones of the first in its order."""
    ends = next((at for at, text in enumerate(lines) if at and text.strip().isdecimal()), len(lines))
    block = [(words[0], len(words) - 1) for words in map(str.split, lines[1:ends]) if words]
    names = [name for name, _ in block]
    moving = {name for name, width in widths.items() if width}
    if len(names) != len(set(names)) or set(names) != moving or any(widths[name] != count for name, count in block):
        return None
    tokens = " ".join(lines).split()
    size = 1 + sum(1 + count for _, count in block)
    if len(tokens) % size or not all(token.isdecimal() for token in tokens[::size]):
        return None
    channels: dict[str, Float64Array] = {}
    at = 1
    for name, count in block:
        if set(tokens[at::size]) != {name}:
            return None
        columns = [floats(tokens[at + 1 + axis :: size]) for axis in range(count)]
        if any(column is None for column in columns):
            return None
        channels[name] = np.stack([column for column in columns if column is not None], axis=1)
        at += 1 + count
    return channels


def _read_by_line(path: Path, lines: list[str], start: int, widths: dict[str, int]) -> dict[str, Float64Array]:
    """As `_read_fast`, for bones in any order. A bone that is missing in every frame rests.

    Raises InputError naming the line.
    """
    rows: dict[str, list[Float64Array]] = {}
    frames = 0
    for number, text in enumerate(lines[start:], start=start + 1):
        words = text.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) == 1 and words[0].isdecimal():
            _check_complete(path, number, rows, frames)
            frames += 1
            continue
        values = _line_values(path, number, words, widths)
        column = rows.setdefault(words[0], [])
        if len(column) != frames - 1:
            reason = "twice in one frame" if len(column) == frames else "here, but not in every frame"
            raise InputError(f"{path}:{number}: bone {words[0]!r} occurs {reason}")
        column.append(values)
    _check_complete(path, len(lines), rows, frames)
    if not frames or ROOT not in rows:
        raise InputError(f"{path}:{len(lines)}: no frame with a line 'root'; the file is cut off")
    return {name: np.stack(column) for name, column in rows.items()}


def _line_values(path: Path, number: int, words: list[str], widths: dict[str, int]) -> Float64Array:
    name, width = words[0], widths.get(words[0])
    if width is None:
        raise InputError(f"{path}:{number}: bone {name[:40]!r} is not in the ASF skeleton")
    if len(words) - 1 != width:
        raise InputError(f"{path}:{number}: found {len(words) - 1} values for {name}, expected {width}")
    values = floats(words[1:])
    if values is None:
        raise InputError(f"{path}:{number}: found {first_not_number(words[1:])!r}, expected a finite number")
    return values


def _check_complete(path: Path, number: int, rows: dict[str, list[Float64Array]], frames: int) -> None:
    """Check that every frame so far has every bone. Raises InputError."""
    missing = next((name for name, column in rows.items() if len(column) != frames), None)
    if missing is not None or (frames and not rows):
        raise InputError(f"{path}:{number}: frame {frames} ends without bone {missing or ROOT!r}; the file is cut off")


__all__ = ["Acclaim", "AmcReader"]
