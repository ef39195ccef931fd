"""What WebVTT and SubRip share: cues, each a line with two times around an arrow and lines of text below it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

_TIME = r"(?:(\d{1,6}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9}))?"
_ARROW = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")


@dataclass(frozen=True)
class Cue:
    """A cue as it stands in the file."""

    line: int
    """The line of its times, from 1."""
    name: str
    """The line above the times: a number or a name; empty where there is none."""
    start: float
    """Seconds."""
    end: float
    """Seconds."""
    text: str
    """Its lines, tags and all."""


def cues_of(text: str, path: Path) -> tuple[list[Cue], int]:
    """The cues of a file, and how many lines with text are in none of them.

    A cue ends at a blank line or at the times of the next one. Raises InputError, naming the line, for an arrow without
    two times around it.
    """
    lines = text.split("\n")
    arrows: dict[int, tuple[float, float]] = {}
    for index, line in enumerate(lines):
        if "-->" in line:
            match = _ARROW.fullmatch(line)
            if match is not None:
                arrows[index] = _seconds(*match.groups()[:4]), _seconds(*match.groups()[4:])
            elif re.match(r"\s*-?\d+:|\s*-->", line):
                raise InputError(
                    f"{path}, line {index + 1}: found {line.strip()[:60]!r}, expected h:mm:ss.ms --> h:mm:ss.ms"
                )
    cues: list[Cue] = []
    inside: set[int] = set()
    for index, (start, end) in arrows.items():
        name = lines[index - 1].strip() if index else ""
        body = list(_body(lines, index + 1, arrows))
        inside |= {index - 1, index, *body}
        cues.append(Cue(index + 1, name, start, end, "\n".join(lines[i] for i in body)))
    first = min(arrows, default=0)
    outside = sum(bool(line.strip()) for index, line in enumerate(lines) if index > first and index not in inside)
    return cues, outside


def _body(lines: list[str], first: int, arrows: dict[int, tuple[float, float]]) -> Iterator[int]:
    """The indices of the lines of a cue's text, of which `first` is the first."""
    for index in range(first, len(lines)):
        if not lines[index].strip() or index in arrows:
            return
        if index + 1 in arrows and lines[index].strip().isdecimal():
            return  # the number of the next cue, without a blank line before it
        yield index


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str | None) -> float:
    whole = 3600 * int(hours or 0) + 60 * int(minutes) + int(seconds)
    return float(f"{whole}.{fraction or 0}")


def clock(seconds: float, point: str) -> str:
    """A time of whole milliseconds as hh:mm:ss and milliseconds behind a `point`."""
    milliseconds = round(1000 * seconds)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"
