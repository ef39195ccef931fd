"""What commands share that read and write label files: whether a file is one, its conversion, and what was decided."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, cast

from .. import io
from ..annotations import (
    FORMATS,
    detect_labels,
    is_label_file,
    read_label_file,
    write_label_file,
    write_label_files,
)
from ..annotations.label_file import LabelFile, Unit
from ..data.clock import Clock
from ..errors import InputError
from ..runs.outputs import Written
from .checks import check_out_file, check_out_folder
from .common import plural
from .motion import check_no_options

_MAX_TIERS = 20
"""The most tiers that are listed."""
_MIN_WHOLE = 4
"""The fewest times, all of them whole numbers, that are worth a word."""
_MAX_LINES = 12
"""The most lines on what a format cannot hold."""


@dataclass(frozen=True, kw_only=True)
class LabelChoice:
    """How the labels of a file are taken."""

    tier: tuple[str, ...] = ()
    """Only the labels of these tiers (raters, subjects); a pattern such as 'gait*' stands for several."""
    time: Unit | Literal["s", "ms"] | None = None
    """What times of labels count where the file does not say; by default seconds. Frames count from 0, at --fps, and
    the end is the first frame that is not in it."""
    offset: float = 0.0
    """Seconds to add to all times of labels."""

    @property
    def unit(self) -> Unit | None:
        """The unit of times by its name."""
        words: dict[str, Unit] = {"s": "seconds", "ms": "milliseconds"}
        return None if self.time is None else words.get(self.time) or cast(Unit, self.time)

    def check_none(self) -> None:
        """Raise InputError where it is given for motion."""
        given = [f"--{each.name}" for each in fields(self) if getattr(self, each.name) != each.default]
        if given:
            raise InputError(f"{', '.join(given)}: for labels, not for motion")


def is_labels(source: Path, out: Path, to: str | None, options: io.ReadOptions) -> bool:
    """Whether labels are to be written: what is to be written holds nothing else, or the source is no motion.

    Raises InputError for a file that is neither motion nor labels.
    """
    if _format(out, to) is None:
        return False
    if _only_labels(out, to):
        return True
    if options.format != io.AUTO:
        return False
    if source.is_dir():
        return to is None or not is_motion(source)
    try:
        io.detect(source)
    except InputError as error:
        if not source.is_file() or is_label_file(source):
            return source.is_file()
        raise InputError(f"{error}. Nor is it a file of labels, which are read as {', '.join(_readable())}") from None
    return False


def _only_labels(out: Path, to: str | None) -> bool:
    """Whether a format is one of labels and none of motion."""
    return (out.suffix if to is None else to).lower().removeprefix(".") not in io.WRITERS


def is_motion(source: Path) -> bool:
    """Whether a file, or one of a folder, is motion."""
    try:
        io.survey_files(source)
    except InputError:
        return False
    return True


def _read(source: Path, options: io.ReadOptions) -> LabelFile:
    """The labels of a file or of a folder; those of motion where it is motion that has some.

    Raises InputError, naming the file, for one without labels.
    """
    if not source.exists() or (options.format == io.AUTO and (_has_labels(source) or not is_motion(source))):
        check_no_options(replace(options, fps=None), "labels")
        return read_label_file(source)
    files = io.find_files(source, options.format)
    takes = [io.read(file, format, options, override_fps=io.overrides_fps(files)) for file, format in files]
    annotations = {take.recording.name: take.annotation for take in takes if take.annotation is not None}
    if not annotations:
        raise InputError(f"{source}: it is motion without labels; give a file of labels")
    file = LabelFile.of(annotations, source)
    if len(annotations) < len(takes):
        file = replace(file, notes=(f"recordings without labels left out: {len(takes) - len(annotations)}",))
    return file


def _has_labels(source: Path) -> bool:
    """Whether a file has the content of labels, or one of a folder."""
    files = [path for path in source.rglob("*") if path.is_file()] if source.is_dir() else [source]
    return any(is_label_file(path) and not is_motion(path) for path in files)


def convert_labels(
    source: Path, out: Path, to: str | None, choice: LabelChoice, options: io.ReadOptions, *, overwrite: bool
) -> int:
    """Convert a file of labels, or those of a folder; print what was decided and what the new format cannot hold."""
    format = _format(out, to)
    assert format is not None
    file = _read(source, options)
    if choice.tier:
        file = file.of_tiers(choice.tier)
    unit = choice.unit
    lines = [_source_line(file, source), *_tier_lines(file, choice.tier), *file.notes, *_unit_lines(file, unit)]
    if options.fps is not None and not any((row.unit or unit) == "frames" for row in file.rows):
        lines.append(f"decided: times are not frames; frames that are written count {options.fps:g} a second (--fps)")
    file = file.in_seconds(unit, options.fps, choice.offset)
    clocks = {} if options.fps is None else _clocks(file, options.fps)
    if to is None:
        _check_one_file(file, source, out, format, overwrite)
        where, lost = str(out), write_label_file(file, out, format, clocks)
    else:
        check_out_folder(out)
        paths, lost = write_label_files(file, out, format, clocks, overwrite, source.stem)
        where = f"{out}: {plural(len(paths), 'file')}"
    print("\n".join([*lines, *_first(lost), f"written to {where}"]))
    return 0


def _clocks(file: LabelFile, fps: float) -> dict[str, Clock]:
    """A clock for each recording, as long as its labels."""
    ends = dict.fromkeys(file.recordings, 0.0)
    for row in (*file.rows, *file.covered):
        ends[row.recording] = max(ends[row.recording], row.start, row.end or 0.0)
    return {name: Clock(fps, max(1, math.ceil(end * fps - 1e-6) + 1)) for name, end in ends.items()}


def _check_one_file(file: LabelFile, source: Path, out: Path, format: str, overwrite: bool) -> None:
    """Raise InputError where labels cannot be written to one file of a format."""
    if FORMATS[format].one_recording and len(file.recordings) > 1:
        raise InputError(
            f"{out}: a file of {format} holds one recording, and {source} has {len(file.recordings)}; give a folder to "
            f"write a file for each: --to {format}"
        )
    check_out_file(out)
    if out.exists() and not overwrite:
        raise InputError(f"{out}: exists already; name another file, or replace it with --overwrite")


def written_lines(written: Sequence[Written], out: Path) -> list[str]:
    """What was written in formats of labels into folders of `out`, and what they cannot hold."""
    lines = []
    for format, paths, lost in written:
        where = paths[0] if len(paths) == 1 else f"{out / format}: {plural(len(paths), 'file')}"
        lines += [f"{format}: {line}" for line in _first(lost)] + [f"written to {where}"]
    return lines


def _first(lines: Sequence[str]) -> list[str]:
    """The first few of many lines."""
    more = len(lines) - _MAX_LINES
    return [*lines[:_MAX_LINES], *([f"and {more} more such lines"] if more > 0 else [])]


def _format(out: Path, to: str | None) -> str | None:
    """The format of labels to write, by its name or suffix; None where it is none."""
    if to is None:
        word = out.suffix.lower()
        return next((name for name in _written() if word in FORMATS[name].suffixes), None)
    if to in _written():
        return to
    word = "." + to.lower().removeprefix(".")
    return next((name for name in _written() if word in FORMATS[name].suffixes), None)


def _readable() -> list[str]:
    return [name for name in FORMATS if FORMATS[name].read is not None]


def _written() -> list[str]:
    return [name for name in FORMATS if FORMATS[name].write is not None]


def _source_line(file: LabelFile, source: Path) -> str:
    """What was read, in a line."""
    format = "several files" if source.is_dir() else "motion" if is_motion(source) else detect_labels(source)
    instants = sum(row.end is None for row in file.rows)
    events = f", {instants} of them instants" if instants else ""
    counts = f"{plural(len(file.rows), 'row')}{events}, {plural(len(file.recordings), 'recording')}"
    return f"labels of {source.name}: {format}, {counts}"


def _tier_lines(file: LabelFile, chosen: Sequence[str]) -> list[str]:
    """The tiers, where there are some."""
    tiers = file.tiers
    if not any(tiers):
        return []
    shown = [f"{tier!r} ({count})" for tier, count in list(tiers.items())[:_MAX_TIERS]]
    more = f" and {len(tiers) - _MAX_TIERS} more" if len(tiers) > _MAX_TIERS else ""
    how = "chosen by --tier" if chosen else "kept apart" if len(tiers) > 1 else "one"
    return [f"tiers, {how}: {', '.join(shown)}{more}"]


def _unit_lines(file: LabelFile, unit: Unit | None) -> list[str]:
    """What was decided on the unit of times that the file does not say."""
    times = [time for row in file.rows if row.unit is None for time in (row.start, row.end) if time is not None]
    if not times:
        return []
    if unit is not None:
        return [f"decided: times are taken for {unit} (--time)"]
    if len(times) >= _MIN_WHOLE and all(time == int(time) for time in times):
        hint = "if they are frames, give --time frames --fps N"
        return [f"warning: all times are whole numbers, taken for seconds; {hint}"]
    return ["decided: times are taken for seconds; --time says otherwise"]
