"""What every reader shares: options, the contract, and the conversion to metres, y up and a known rate."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import BoolArray, Float64Array, IntArray
from ..data.annotation import Annotation, LabelSet, runs, spans_from_frames
from ..data.recording import Recording
from ..data.skeleton import Skeleton
from ..errors import InputError
from ..registry import Registry

Axis = Literal["x", "y", "z"]


@dataclass(frozen=True)
class ReadOptions:
    """What a file does not state, or states wrongly. Raises InputError for a bad value."""

    fps: float | None = None
    """Frames per second, in place of the file's own."""
    skip_frames: int = 0
    """Leading frames to drop, such as the T-pose of many BVH files."""
    unit: float | None = None
    """Metres per unit of the file; by default as the format has it."""
    up: Axis | None = None
    """Axis of the file that points up; by default y."""
    asf: Path | None = None
    """Acclaim skeleton of AMC files; by default the ASF file beside them."""
    body_model: Path | None = None
    """SMPL-H body (.npz) of AMASS files; by default the one beside them or in a folder above."""
    min_label_frames: int = 0
    """Shorter runs of a per-frame label get the label of the longer neighbour; 0: labels as they are."""

    def __post_init__(self) -> None:
        """Check the values. Raises InputError."""
        for name in ("fps", "unit"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(f"read option {name} is {value}, expected a positive number")
        for name in ("skip_frames", "min_label_frames"):
            if getattr(self, name) < 0:
                raise InputError(f"read option {name} is {getattr(self, name)}, expected 0 or more")
        if self.up not in (None, "x", "y", "z"):
            raise InputError(f"read option up is {self.up!r}, expected x, y or z")


@dataclass(frozen=True)
class Take:
    """The Recording of a file, and its Annotation where the file has labels."""

    recording: Recording
    annotation: Annotation | None


@dataclass(frozen=True)
class FileMotion:
    """The motion of a file in the file's own units, axes and rate, as a reader parses it; `finish` makes it a Take."""

    positions: NDArray[np.floating[Any]]
    """(T, P, J, 3)"""
    skeleton: Skeleton
    fps: float | None
    """Frames a second; None where the file states none."""
    fps_from: str
    """Where the rate comes from, for the history."""
    unit: float = 1.0
    """Metres per unit of the file."""
    unit_from: str = "the format's metres"
    """Where the unit comes from, for the history."""
    valid: BoolArray | None = None
    """(T, P), or (T, P, J) for single joints; None: True where positions are not NaN."""
    times: Float64Array | None = None
    """(T,) seconds at which the frames start, where they are uneven; from 0 once the skipped frames are gone."""
    frame_ids: IntArray | None = None
    """(T,) frame ids over `labels`."""
    labels: LabelSet | None = None
    annotation: Annotation | None = None
    """In seconds of `fps`, in place of frame ids."""
    attributes: dict[str, str] = field(default_factory=dict)
    history: tuple[str, ...] = ()
    name: str | None = None
    """None: the stem of the file."""
    source: str | None = None
    """None: the name of the file."""


class Reader(Protocol):
    """One file format: how to recognise it, and how to parse it.

    ``sniff`` looks at the first `HEAD_BYTES` bytes and, if it must, into the file; it never raises for a bad file.
    ``parse`` raises InputError, naming file and line, for anything that is not a complete file of its format.
    """

    suffixes: ClassVar[tuple[str, ...]]
    about: ClassVar[str]

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """Whether the content is of this format."""

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """The motion of the file."""


HEAD_BYTES = 4096
READERS: Registry[type[Reader]] = Registry("format")
"""Readers by format name."""

_TURN_UP = {
    "x": np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=np.float32),
    "z": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=np.float32),
}
"""Rotations (not reflections) that bring the named axis to y."""


def finish(path: Path, format_name: str, motion: FileMotion, options: ReadOptions) -> Take:
    """The Take in metres, y up, at its rate, without the skipped frames; its history says how it was read.

    Raises InputError, naming the file, without a rate, without a remaining frame, and as Recording does.
    """
    fps = options.fps if options.fps is not None else motion.fps
    if fps is None:
        raise InputError(f"{path}: the file states no frame rate; give it, for example ReadOptions(fps=120)")
    unit = options.unit if options.unit is not None else motion.unit
    up = options.up or "y"
    skip = options.skip_frames
    if skip >= len(motion.positions):
        raise InputError(f"{path}: skip_frames is {skip}, but the file has only {len(motion.positions)} frames")
    positions = (motion.positions[skip:] * unit).astype(np.float32)
    if up != "y":
        positions = positions @ _TURN_UP[up].T
    fps_from = "given" if options.fps is not None else motion.fps_from
    unit_from = "given" if options.unit is not None else motion.unit_from
    history = [
        *motion.history,
        f"read as {format_name}: {fps:g} fps ({fps_from}), {unit:.6g} m per unit ({unit_from}), {up} up",
    ]
    if skip:
        history.append(f"dropped the first {skip} frames")
    valid = ~np.isnan(motion.positions).any(axis=3) if motion.valid is None else motion.valid
    try:
        annotation = _annotation(motion, fps, options, history)
        recording = Recording(
            positions=positions,
            fps=fps,
            skeleton=motion.skeleton,
            name=motion.name or path.stem,
            valid=valid[skip:],
            source=motion.source or path.name,
            attributes=motion.attributes,
            history=tuple(history),
            times=None if motion.times is None else motion.times[skip:] - motion.times[skip],
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return Take(recording, annotation)


def _annotation(motion: FileMotion, fps: float, options: ReadOptions, history: list[str]) -> Annotation | None:
    """The Annotation of the file at the final rate, without the skipped frames."""
    skip = options.skip_frames
    if motion.frame_ids is not None and motion.labels is not None:
        ids = merge_short_runs(motion.frame_ids, options.min_label_frames)
        changed = int(np.count_nonzero(ids != motion.frame_ids))
        if changed:
            history.append(f"merged label runs under {options.min_label_frames} frames: {changed} frames relabelled")
        if motion.times is None:
            return spans_from_frames(ids[skip:], fps, motion.labels)
        return _timed(spans_from_frames(ids[skip:], 1.0, motion.labels), motion.times[skip:], fps)
    if motion.annotation is None:
        return None
    if motion.times is not None:  # in seconds of the file's clock, whatever the rate
        return _shifted(motion.annotation, 1.0, float(motion.times[skip]))
    scale = 1.0 if motion.fps is None else motion.fps / fps
    return _shifted(motion.annotation, scale, skip / fps)


def _timed(annotation: Annotation, times: Float64Array, fps: float) -> Annotation:
    """The annotation whose times are frame numbers, by the seconds at which those frames start."""
    starts = np.append(times - times[0], times[-1] - times[0] + 1 / fps)  # the end of the last frame too

    def at(frame: float) -> float:
        return float(starts[round(frame)])

    spans = tuple(replace(span, start=at(span.start), end=at(span.end)) for span in annotation.spans)
    covered = annotation.covered and tuple((at(start), at(end)) for start, end in annotation.covered)
    return Annotation(spans, annotation.labels, covered)


def _shifted(annotation: Annotation, scale: float, start: float) -> Annotation:
    """The annotation with all times multiplied by `scale`, then `start` seconds cut from the front."""
    if scale == 1.0 and start == 0.0:
        return annotation

    def shifted(begin: float, end: float) -> tuple[float, float]:
        return max(0.0, begin * scale - start), end * scale - start

    times = [shifted(span.start, span.end) for span in annotation.spans]
    spans = [
        replace(span, start=begin, end=end)
        for span, (begin, end) in zip(annotation.spans, times, strict=True)
        if end > begin
    ]
    covered = annotation.covered
    if covered is not None:
        covered = tuple((begin, end) for begin, end in (shifted(*bounds) for bounds in covered) if end > begin)
    events = (replace(event, time=event.time * scale - start) for event in annotation.events)
    return Annotation(tuple(spans), annotation.labels, covered, tuple(event for event in events if event.time >= 0))


def merge_short_runs(ids: IntArray, min_frames: int) -> IntArray:
    """Frame ids (T,) in which every run shorter than `min_frames` has the label of its longer neighbour.

    The shortest run is merged first, the earlier of equals; of equally long neighbours the earlier one wins. A run that
    has grown counts with its new length. A single run stays, however short.
    """
    ids = np.array(ids, dtype=np.int64)
    while len(segments := runs(ids)) > 1:
        lengths = [end - start for _, start, end in segments]
        shortest = lengths.index(min(lengths))
        if lengths[shortest] >= min_frames:
            break
        neighbours = [run for run in (shortest - 1, shortest + 1) if 0 <= run < len(lengths)]
        _, start, end = segments[shortest]
        ids[start:end] = segments[max(neighbours, key=lengths.__getitem__)][0]
    return ids


def read_text_bytes(path: Path) -> bytes:
    """The bytes of a text file. Raises InputError where it cannot be read, is empty or holds NUL bytes."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not data or data.isspace():
        raise InputError(f"{path}: the file is empty")
    if b"\0" in data:
        raise InputError(f"{path}: the file holds binary data, expected text")
    return data


def read_text(path: Path) -> str:
    """The file as text: ASCII, with a few Latin-1 letters in comments or names; lines are separated by LF alone.

    Raises InputError where the file cannot be read, is empty or holds NUL bytes.
    """
    # Splitting is several times as fast as replacing line ends.
    lines = read_text_bytes(path).removeprefix(b"\xef\xbb\xbf").splitlines()
    return b"\n".join(lines).decode("latin-1")


def floats(words: list[str]) -> Float64Array | None:
    """The words as numbers (N,), None where one is not a finite number."""
    try:
        values = np.fromiter(map(float, words), dtype=np.float64, count=len(words))
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def whole_number(word: str) -> int | None:
    """The word as a whole number of 1 to 9 digits; None for another."""
    return int(word) if word.isascii() and word.isdigit() and len(word) < 10 else None


def present_people(path: Path, positions: Float64Array) -> BoolArray:
    """Mask (T, P) of the people who are not all zeros in positions (T, P, J, 3). Raises InputError without any."""
    valid: BoolArray = np.any(positions != 0, axis=(2, 3))
    if not valid.any():
        raise InputError(f"{path}: all {len(valid)} frames hold only zeros, the sensor saw nobody; leave it out")
    return valid


def finite_numbers(words: list[str], location: str) -> Float64Array:
    """The words as numbers (N,). Raises InputError, naming the location, for one that is not a finite number."""
    values = floats(words)
    if values is None:
        bad = next(word for word in words if floats([word]) is None)
        raise InputError(f"{location}: found {bad[:40]!r}, expected a finite number")
    return values


def number_table(path: Path, lines: Iterable[tuple[int, str]], width: int, meaning: str) -> Float64Array:
    """The numbers (N, width) on numbered lines.

    Raises InputError, naming the line, for other than `width` words, which `meaning` describes, and for a word that is
    not a finite number.
    """
    line_numbers: list[int] = []
    words: list[str] = []
    for number, line in lines:
        words_of_line = line.split()
        if len(words_of_line) != width:
            raise InputError(f"{path}:{number}: found {len(words_of_line)} values, expected {width}{meaning}")
        line_numbers.append(number)
        words += words_of_line
    return numbers_by_line(path, line_numbers, words, width)


def numbers_by_line(path: Path, line_numbers: list[int], words: list[str], width: int) -> Float64Array:
    """The numbers (N, width) of `width` words on each line. Raises InputError, naming the line, for another word."""
    values = floats(words)
    if values is None:
        for row, number in enumerate(line_numbers):
            finite_numbers(words[row * width : (row + 1) * width], f"{path}:{number}")  # raises on one line
    assert values is not None
    return values.reshape(-1, width)
