"""A recording that was read, in plain lines: what it is, what was decided, what looks wrong; for commands and page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..data.joint_report import joint_line
from ..data.recording import Recording
from .base import CHECK, DECIDED, Take
from .finish import decisions

MAX_LINES = 10
"""The most lines that describe a recording where people did not ask for all."""
_MAX_LABELS = 6


def decision_lines(recordings: Sequence[Recording]) -> list[str]:
    """What was decided when the recordings were read, and what looks wrong in them, a line each."""
    lines = decisions({recording.name: recording.history for recording in recordings})
    return [line if line.startswith(CHECK) else f"{DECIDED}{line}" for line in lines]


def take_lines(take: Take, format: str, most: int | None = MAX_LINES) -> list[str]:
    """A recording and what was decided when it was read, in at most `most` plain lines; None: in all."""
    recording, annotation = take.recording, take.annotation
    people = f"{recording.num_people} {'person' if recording.num_people == 1 else 'people'}"
    joints = f"{recording.skeleton.num_joints} joints ({recording.skeleton.name})"
    lines = [f"recording {recording.name}: {format}, {people}, {joints}", _time_line(recording)]
    lines.append(f"joints: {joint_line(recording.skeleton)}")
    if recording.attributes:
        shown = (f"{name} {' '.join(value.split())[:60]}" for name, value in recording.attributes.items())
        lines.append(f"attributes: {', '.join(shown)}")
    lines.append(_seen_line(recording))
    if annotation is not None:
        counts = Counter(span.label for span in annotation.spans) + Counter(event.label for event in annotation.events)
        labels = [f"{label} {count}" for label, count in counts.most_common(_MAX_LABELS)]
        more = f" and {len(counts) - _MAX_LABELS} more" if len(counts) > _MAX_LABELS else ""
        lines.append(f"labels: {', '.join(labels) or 'none'}{more}")
    notes = list(dict.fromkeys(recording.history))
    free = len(notes) if most is None else most - len(lines)
    if len(notes) > free:
        lines.append(f"{len(notes) - free + 1} earlier notes: see --json")
        notes = notes[len(notes) - free + 1 :]
    return lines + notes


def _time_line(recording: Recording) -> str:
    """Frames, rate, length."""
    uneven = "" if recording.times is None else ", unevenly spaced"
    return f"time: {recording.num_frames} frames at {recording.fps:g} a second, {recording.duration:.2f} s{uneven}"


def _seen_line(recording: Recording) -> str:
    """What was not seen: joints, and frames without anybody."""
    missing = float(1 - recording.valid[recording.present].mean())
    empty = int((~recording.present.any(axis=1)).sum())
    if not missing and not empty:
        return f"seen: every joint {'in every frame' if recording.present.all() else 'of whoever is there'}"
    nobody = f", nobody in {empty} frames" if empty else ""
    return f"seen: {100 * (1 - missing):.4g} % of the joints{nobody}"
