"""What preparing a corpus came to, for programs and for people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REFUSED_FILE = "refused.txt"
"""File in the folder of a corpus that lists what was refused, where something was."""
_ALONE = 3
"""Up to so many files refused for one reason are told one by one."""
_GROUPS = 20
"""So many reasons are told."""


@dataclass(frozen=True)
class PrepareSummary:
    """What was read, what was refused and why, how much motion there is, what it is labelled with."""

    path: Path
    name: str
    recordings: int
    annotated: int
    seconds: float
    frames: int
    people: int
    """Most person slots in a recording."""
    skeletons: tuple[str, ...]
    label_seconds: Mapping[str, float]
    label_spans: Mapping[str, int]
    splits: Mapping[str, int]
    """Number of folds by name of the split."""
    refused: tuple[tuple[Path, str], ...] = ()
    """(file, reason) of each file that could not be used."""
    passed_over: tuple[Path, ...] = ()
    """Files of no known format, or of another than was asked for."""
    cut_spans: int = 0
    """Spans that reached over the end of their recording and were cut to it."""
    resumed: int = 0
    """Files that an earlier, interrupted run had dealt with."""

    def lines(self) -> tuple[str, ...]:
        """The summary for people, a line a fact."""
        lines = [
            f"corpus {self.name!r}: {self.recordings} recordings, {_duration(self.seconds)} of motion, "
            f"{self.frames} frames, up to {self.people} {'person' if self.people == 1 else 'people'}",
            f"skeletons: {', '.join(self.skeletons)}",
            *self._label_lines(),
        ]
        if self.cut_spans:
            lines.append(f"cut to the end of their recording: {self.cut_spans} spans")
        if self.splits:
            lines.append("splits: " + ", ".join(f"{name} (folds: {folds})" for name, folds in self.splits.items()))
        if self.resumed:
            lines.append(f"went on where an earlier run had stopped, after {_files(self.resumed)}")
        if self.passed_over:
            some = ", ".join(str(file) for file in self.passed_over[:3])
            more = ", ..." if len(self.passed_over) > 3 else ""
            lines.append(f"files passed over, no recordings: {len(self.passed_over)} ({some}{more})")
        told = refusal_lines(self.refused)
        if len(told) < len(self.refused):
            told.append(f"each of the {len(self.refused)} refused files: {self.path / REFUSED_FILE}")
        return (*lines, *told, f"written to {self.path}")

    def _label_lines(self) -> list[str]:
        if not self.annotated:
            return ["annotated: nothing"]
        lines = [f"annotated: {self.annotated} of {self.recordings} recordings"]
        used = {label: spans for label, spans in self.label_spans.items() if spans}
        width = max(map(len, used), default=0)
        for label, spans in used.items():
            lines.append(f"  {label:<{width}}  {spans:>6} spans  {self.label_seconds[label]:>9.1f} s")
        unused = [label for label in self.label_spans if label not in used]
        if unused:
            more = ", ..." if len(unused) > 6 else ""
            lines.append(f"  labels that do not occur: {len(unused)} ({', '.join(unused[:6])}{more})")
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())


def refusal_lines(refused: Sequence[tuple[Path, str]]) -> list[str]:
    """The refused files for people: one by one, or, where many fell for one reason, how many, the reason and some.

    Reasons that differ in numbers alone count as one; the first is then shown.
    """
    groups: dict[str, list[tuple[Path, str]]] = {}
    for file, reason in refused:
        bare = _bare(file, reason)
        groups.setdefault(re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "#", bare), []).append((file, bare))
    lines: list[str] = []
    for members in list(groups.values())[:_GROUPS]:
        if len(members) <= _ALONE:
            lines += [f"refused: {file}{'' if bare.startswith(':') else ': '}{bare}" for file, bare in members]
            continue
        bare = members[0][1].lstrip(": ")
        names = ", ".join(file.name for file, _ in members[:_ALONE])
        same = all(other == members[0][1] for _, other in members)
        lines.append(f"refused: {len(members)} files: {bare if same else 'such as ' + bare} ({names}, ...)")
    told = sum(len(members) for members in list(groups.values())[:_GROUPS])
    if told < len(refused):
        lines.append(f"refused: {_files(len(refused) - told)} for other reasons")
    return lines


def _bare(file: Path, reason: str) -> str:
    """The reason without the file that it begins with; a line number after it stays, as ``:12: text``."""
    if not reason.startswith(str(file)):
        return reason
    rest = reason.removeprefix(str(file))
    return rest if re.match(r":\d", rest) else rest.lstrip(": ")


def _files(count: int) -> str:
    return f"{count} {'file' if count == 1 else 'files'}"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
