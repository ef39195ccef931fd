"""Acclaim motion (AMC): for each frame a block of lines, one a bone, over the skeleton of an ASF file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from ..arrays import Float64Array
from ..errors import InputError
from .acclaim import ROOT, read_asf
from .base import READERS, FileMotion, numbers_by_line, read_text
from .options import ReadOptions

_HDM05 = re.compile(r"HDM_(?P<actor>[A-Za-z]+)_(?P<action>.+)_(?P<take>\d{3})_120$")
_RATE_120 = re.compile(r"_120$")
_HEADINGS = (b":FULLY-SPECIFIED", b":DEGREES", b":RADIANS")
_UNIT_FROM = "the skeleton's inches and length scale"


@READERS.register("amc")
class AmcReader:
    """Acclaim AMC with its ASF skeleton.

    The skeleton is `ReadOptions.asf`, else the .asf beside it whose name the AMC's begins with (HDM_bd.asf for
    HDM_bd_squat_001_120.amc), else the only .asf in the folder. AMC states no rate: it is 120 where the name ends in
    ``_120``, as in HDM05, else `ReadOptions.fps` must give it. Units are those of the ASF, unless nobody would be so
    tall; y up. HDM05's names give the attributes actor, action and take; there is no Annotation.
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
        channels = _channels(path, lines, start, widths)
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
    candidates = ", ".join(file.name for file in files) or "none"
    raise InputError(
        f"{path}: which ASF skeleton belongs to it? Beside it: {candidates}; expected one whose name the AMC's begins "
        "with, or exactly one. Give it, for example --asf walker.asf"
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


def _channels(path: Path, lines: list[str], start: int, widths: dict[str, int]) -> dict[str, Float64Array]:
    """Values (T, width) of each bone, which may come in any order. A bone that is missing in every frame rests.

    Raises InputError naming the line.
    """
    bone_words: dict[str, list[str]] = {}
    bone_lines: dict[str, list[int]] = {}
    frames = lines_in_frame = 0
    for number, line in enumerate(lines[start:], start=start + 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        name, width = words[0], len(words) - 1
        if width == 0 and name.isdecimal():
            if frames and lines_in_frame != max(1, len(bone_lines)):
                raise _incomplete(path, number, bone_lines, frames)
            frames, lines_in_frame = frames + 1, 0
            continue
        if name not in widths:
            raise InputError(f"{path}:{number}: bone {name[:40]!r} is not in the ASF skeleton")
        if width != widths[name]:
            raise InputError(f"{path}:{number}: found {width} values for {name}, expected {widths[name]}")
        numbers = bone_lines.setdefault(name, [])
        if len(numbers) != frames - 1:
            reason = "twice in one frame" if len(numbers) == frames else "here, but not in every frame"
            raise InputError(f"{path}:{number}: bone {name!r} occurs {reason}")
        numbers.append(number)
        bone_words.setdefault(name, []).extend(words[1:])
        lines_in_frame += 1
    if not frames or ROOT not in bone_lines:
        raise InputError(f"{path}:{len(lines)}: no frame with a line 'root'; the file is cut off")
    if lines_in_frame != len(bone_lines):
        raise _incomplete(path, len(lines), bone_lines, frames)
    return {name: numbers_by_line(path, bone_lines[name], bone_words[name], widths[name]) for name in bone_lines}


def _incomplete(path: Path, number: int, bone_lines: dict[str, list[int]], frames: int) -> InputError:
    """The error for a frame that lacks a bone of the frames before."""
    missing = next((name for name, numbers in bone_lines.items() if len(numbers) != frames), ROOT)
    return InputError(f"{path}:{number}: frame {frames} ends without bone {missing!r}; the file is cut off")
