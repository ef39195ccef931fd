"""What every reader shares: options, the contract, and the conversion to metres, y up and a known rate."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import BoolArray, Float64Array, IntArray
from ..data.annotation import Annotation, LabelSet, Span, runs, spans_from_frames
from ..data.recording import Recording
from ..data.skeleton import Skeleton
from ..errors import InputError
from ..registry import Registry

Axis = Literal["x", "y", "z"]


@dataclass(frozen=True)
class ReadOptions:
    """How to read a file where the file does not say, or says it wrongly. Raises InputError for a bad value."""

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
    """Frames a second; None where the file does not say."""
    fps_from: str
    """Where the rate comes from, for the history."""
    unit: float
    """Metres per unit of the file."""
    unit_from: str
    """Where the unit comes from, for the history."""
    valid: BoolArray | None = None
    """(T, P); None: always True."""
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
        raise InputError(f"{path}: the file does not say its frame rate; give it, for example ReadOptions(fps=120)")
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
    try:
        annotation = _annotation(motion, fps, options, history)
        recording = Recording(
            positions=positions,
            fps=fps,
            skeleton=motion.skeleton,
            name=motion.name or path.stem,
            valid=None if motion.valid is None else motion.valid[skip:],
            source=motion.source or path.name,
            attributes=motion.attributes,
            history=tuple(history),
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
        return spans_from_frames(ids[skip:], fps, motion.labels)
    if motion.annotation is None:
        return None
    scale = 1.0 if motion.fps is None else motion.fps / fps
    return shift_annotation(motion.annotation, scale, skip / fps)


def shift_annotation(annotation: Annotation, scale: float, start: float) -> Annotation:
    """The annotation with all times multiplied by `scale`, then `start` seconds cut from the front."""
    if scale == 1.0 and start == 0.0:
        return annotation

    def shifted(begin: float, end: float) -> tuple[float, float] | None:
        begin, end = max(0.0, begin * scale - start), end * scale - start
        return (begin, end) if end > begin else None

    spans: list[Span] = []
    for span in annotation.spans:
        time = shifted(span.start, span.end)
        if time is not None:
            spans.append(replace(span, start=time[0], end=time[1]))
    covered = annotation.covered
    if covered is not None:
        covered = tuple(time for time in (shifted(*bounds) for bounds in covered) if time is not None)
    return Annotation(tuple(spans), annotation.labels, covered)


def merge_short_runs(ids: IntArray, min_frames: int) -> IntArray:
    """Frame ids (T,) in which every run shorter than `min_frames` has the label of its longer neighbour.

    The shortest run is merged first, the earlier of equals; of equally long neighbours the earlier one wins. A run that
    has grown counts with its new length. A single run stays, however short.
    """
    lengths = [(value, end - start) for value, start, end in runs(ids)]
    while len(lengths) > 1:
        shortest = min(range(len(lengths)), key=lambda run: lengths[run][1])
        if lengths[shortest][1] >= min_frames:
            break
        neighbours = [run for run in (shortest - 1, shortest + 1) if 0 <= run < len(lengths)]
        longer = max(neighbours, key=lambda run: lengths[run][1])
        lengths[shortest] = (lengths[longer][0], lengths[shortest][1])
        lengths = _merge_equal(lengths)
    return np.repeat(np.array([value for value, _ in lengths], dtype=np.int64), [length for _, length in lengths])


def _merge_equal(lengths: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Adjacent runs (value, length) of one value as one run."""
    merged: list[tuple[int, int]] = []
    for value, length in lengths:
        if merged and merged[-1][0] == value:
            merged[-1] = (value, merged[-1][1] + length)
        else:
            merged.append((value, length))
    return merged


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
    """The file as text: ASCII, with a few Latin-1 letters in comments or names, line ends as LF.

    Raises InputError where the file cannot be read, is empty or holds NUL bytes.
    """
    text = read_text_bytes(path).decode("latin-1")
    return text.removeprefix("\xef\xbb\xbf").replace("\r\n", "\n").replace("\r", "\n")


def floats(tokens: list[str]) -> Float64Array | None:
    """The tokens as numbers (N,), None where one is not a finite number."""
    try:
        values = np.fromiter(map(float, tokens), dtype=np.float64, count=len(tokens))
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def first_not_number(tokens: list[str]) -> str | None:
    """The first token that is not a finite number, None where all are."""
    return next((token for token in tokens if floats([token]) is None), None)
