"""The summary of preparing a corpus, for programs and for people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REFUSED_FILE = "refused.txt"
"""File in the folder of a corpus that lists refused files, if any."""
_MAX_FILES = 3
"""The most files with the same reason that are listed singly."""
_MAX_REASONS = 20
"""The most reasons that are listed."""


@dataclass(frozen=True)
class PrepareSummary:
    """The files that were read, those that were refused and why, and the motion of each label."""

    path: Path
    name: str
    recordings: int
    annotated: int
    seconds: float
    frames: int
    people: int
    """The largest number of person slots in a recording."""
    skeletons: tuple[str, ...]
    label_seconds: Mapping[str, float]
    label_spans: Mapping[str, int]
    label_events: Mapping[str, int]
    """Number of events, and of points of actions, by label."""
    splits: Mapping[str, int]
    """Number of folds by name of the split."""
    refused: tuple[tuple[Path, str], ...] = ()
    """(file, reason) of each file that could not be used."""
    skipped: tuple[Path, ...] = ()
    """Files of no known format, or of another than the requested one."""
    cut_spans: int = 0
    """Number of spans that were cut to the end of their recording."""
    decisions: tuple[str, ...] = ()
    """Plain lines about what was decided where files did not say it; the corpus keeps them."""
    resumed: int = 0
    """Number of files that an earlier, interrupted run had processed."""

    def __str__(self) -> str:
        """The summary for people, one fact per line."""
        lines = [
            f"corpus {self.name!r}: {self.recordings} recordings, {_duration(self.seconds)} of motion, "
            f"{self.frames} frames, up to {self.people} {'person' if self.people == 1 else 'people'}",
            f"skeletons: {', '.join(self.skeletons)}",
            *self._label_lines(),
        ]
        if self.cut_spans:
            lines.append(f"cut to the end of their recording: {self.cut_spans} spans")
        if self.decisions:
            lines += ["decided:", *(f"  {line}" for line in self.decisions)]
        if self.splits:
            lines.append("splits: " + ", ".join(f"{name} (folds: {folds})" for name, folds in self.splits.items()))
        if self.resumed:
            lines.append(f"resumed an interrupted run, after {_files(self.resumed)}")
        if self.skipped:
            examples = ", ".join(str(file) for file in self.skipped[:3])
            more = ", ..." if len(self.skipped) > 3 else ""
            lines.append(f"files skipped, no recordings: {len(self.skipped)} ({examples}{more})")
        refusals = refusal_lines(self.refused)
        if len(refusals) < len(self.refused):
            refusals.append(f"each of the {len(self.refused)} refused files: {self.path / REFUSED_FILE}")
        return "\n".join((*lines, *refusals, f"written to {self.path}"))

    def _label_lines(self) -> list[str]:
        if not self.annotated:
            return ["annotated: nothing"]
        lines = [f"annotated: {self.annotated} of {self.recordings} recordings"]
        used = [label for label, spans in self.label_spans.items() if spans or self.label_events[label]]
        width = max(map(len, used), default=0)
        for label in used:
            spans, events = self.label_spans[label], self.label_events[label]
            counts = (
                [f"{spans:>6} {'span ' if spans == 1 else 'spans'}  {self.label_seconds[label]:>9.1f} s"]
                if spans or not events
                else []
            )
            counts += [f"{events:>6} {'instant' if events == 1 else 'instants'}"] if events else []
            lines.append(f"  {label:<{width}}  {'  '.join(counts)}")
        unused = [label for label in self.label_spans if label not in used]
        if unused:
            more = ", ..." if len(unused) > 6 else ""
            lines.append(f"  labels that do not occur: {len(unused)} ({', '.join(unused[:6])}{more})")
        return lines


def refusal_lines(refused: Sequence[tuple[Path, str]]) -> list[str]:
    """The refused files for people: singly or, where many share a reason, their number, the reason and a few names.

    Reasons that differ only in numbers count as one; the first of them is shown.
    """
    groups: dict[str, list[tuple[Path, str]]] = {}
    for file, reason in refused:
        bare = _bare(file, reason)
        groups.setdefault(re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "#", bare), []).append((file, bare))
    lines: list[str] = []
    for members in list(groups.values())[:_MAX_REASONS]:
        if len(members) <= _MAX_FILES:
            lines += [f"refused: {file}{'' if bare.startswith(':') else ': '}{bare}" for file, bare in members]
            continue
        bare = members[0][1].lstrip(": ")
        names = ", ".join(file.name for file, _ in members[:_MAX_FILES])
        is_same = all(reason == members[0][1] for _, reason in members)
        lines.append(f"refused: {len(members)} files: {bare if is_same else 'such as ' + bare} ({names}, ...)")
    refusals = sum(len(members) for members in list(groups.values())[:_MAX_REASONS])
    if refusals < len(refused):
        lines.append(f"refused: {_files(len(refused) - refusals)} for other reasons")
    return lines


def _bare(file: Path, reason: str) -> str:
    """The reason without the file name that it begins with; a line number stays, as in ``:12: text``."""
    if not reason.startswith(str(file)):
        return reason
    rest = reason.removeprefix(str(file))
    return rest if re.match(r":\d", rest) else rest.lstrip(": ")


def _files(count: int) -> str:
    return f"{count} {'file' if count == 1 else 'files'}"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
