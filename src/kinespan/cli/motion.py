"""What commands share that read motion files: reading several, the refusal of idle options, and what was decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .. import io
from ..data.recording import Recording
from ..errors import InputError

MAX_LINES = 10
"""The most lines that describe a recording."""
_MAX_LABELS = 6


def read_files(paths: Sequence[Path], options: io.ReadOptions) -> list[tuple[Path, io.Take]]:
    """The files in files and folders with their Takes. --fps overrides a stated rate where all have one format.

    Raises InputError, naming the file, for one that cannot be read.
    """
    files = [item for path in paths for item in io.find_files(path, options.format)]
    override = overrides_fps([format for _, format in files])
    return [(file, io.read(file, format, options, override_fps=override)) for file, format in files]


def overrides_fps(formats: Sequence[str]) -> bool:
    """Whether --fps holds against the rates of files of these formats; of several it is for those that state none."""
    return len(set(formats)) <= 1


def check_no_options(options: io.ReadOptions, path: Path, what: str) -> None:
    """Raise InputError where options of reading are given for what is no motion file."""
    given = options.given()
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise InputError(f"{flags}: says how motion files are read, but {path} is {what}")


def take_lines(take: io.Take, format: str) -> list[str]:
    """A recording and what was decided when it was read, in at most `MAX_LINES` plain lines."""
    recording, annotation = take.recording, take.annotation
    people = f"{recording.num_people} {'person' if recording.num_people == 1 else 'people'}"
    joints = f"{recording.skeleton.num_joints} joints ({recording.skeleton.name})"
    lines = [f"recording {recording.name}: {format}, {people}, {joints}", _time_line(recording)]
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
    free = MAX_LINES - len(lines)
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
