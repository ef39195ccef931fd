"""UTKinect-Action3D (Xia et al. 2012; 10 people, 2 recordings each): ten actions in a row, Kinect v1."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ...corpus.info import RecordingInfo
from ...corpus.splits import Split
from ...corpus.splitting import split_by_values
from ...data.annotation import Annotation, LabelSet, Span, subtract
from ...data.recording import Recording
from ...data.skeletons import KINECT_20
from ...errors import InputError
from ...io import Take
from ...io.utkinect import read_joints
from .base import RECIPES, Item, Recipe, Survey, numbered_lines

LABELS = LabelSet(("walk", "sitDown", "standUp", "pickUp", "carry", "throw", "push", "pull", "waveHands", "clapHands"))
"""The actions in the order of the recordings."""
_FILE = re.compile(r"joints_s(?P<performer>\d+)_e(?P<take>\d+)", re.IGNORECASE)
_HEADING = re.compile(r"s(?P<performer>\d+)\s*_?\s*e(?P<take>\d+)", re.IGNORECASE)
_LABEL = re.compile(r"(?P<label>\w+)\s*:\s*(?P<start>\S+)\s+(?P<end>\S+)")

Mark = tuple[str, int | None, int | None]
"""Label, first and last frame number of an action; None where the number is not given."""


@RECIPES.register("utkinect")
@dataclass(frozen=True)
class UTKinect(Recipe):
    """UTKinect-Action3D: ``joints_sXX_eYY.txt`` anywhere below the folder, and ``actionLabel.txt``.

    A line of a joints file is a frame number and 20 joints in metres, y up. Only frames in which somebody was tracked
    have a line, about every other one; of two lines with one number the first counts. A recording begins with its first
    line; frames without a line are not valid. Where a label lacks a number (a carry ends at NaN), that action and the
    time up to its neighbours is not covered.
    """

    title: ClassVar[str] = "UTKinect-Action3D"
    paper: ClassVar[str] = (
        "Xia, Chen and Aggarwal, View invariant human action recognition using histograms of 3D joints, CVPRW 2012"
    )
    licence: ClassVar[str] = "for research, see the page of the data set; cite the paper"

    clock: float = 30.0
    """Frame numbers per second: the rate of the sensor, since the files have no times."""
    fps: float = 15.0
    """Frames per second of the recordings, about the rate of the lines. At the rate of the clock no line is dropped."""

    def __post_init__(self) -> None:
        """Check the rates."""
        if not (0 < self.fps <= self.clock < math.inf):
            raise InputError(f"fps is {self.fps} and clock {self.clock}, expected 0 < fps <= clock")

    def survey(self, raw: Path) -> Survey:
        """The joints files that have labels. Raises InputError where there are none, or no label file."""
        files = [path for path in sorted(raw.rglob("*.txt")) if path.is_file()]
        joints = {path: match for path in files if (match := _FILE.fullmatch(path.stem))}
        tables = [path for path in files if path.name.lower() == "actionlabel.txt"]
        if not joints or not tables:
            missing = "joints_s01_e01.txt and its like" if not joints else "actionLabel.txt"
            raise InputError(f"{raw}: not UTKinect-Action3D, {missing} is not below it (nor in a subfolder)")
        marks = read_labels(tables[0])
        items: list[Item] = []
        refused: list[tuple[Path, str]] = []
        for path, match in joints.items():
            key = (int(match["performer"]), int(match["take"]))
            if key in marks:
                items.append(Item(f"s{key[0]:02d}_e{key[1]:02d}", path, (*key, marks[key])))
            else:
                refused.append((path, f"{tables[0].name} has no labels for s{key[0]:02d} e{key[1]:02d}"))
        skipped = tuple(path for path in files if path not in joints and path != tables[0])
        return Survey(tuple(items), tuple(refused), skipped, LABELS)

    def read(self, item: Item) -> Take:
        """The recording on an even grid of time, with its actions."""
        performer, take, marks = item.details
        numbers, joints = read_joints(item.file)
        slots = np.floor((numbers - numbers[0]) * (self.fps / self.clock) + 1e-6).astype(np.int64)
        frames, first = np.unique(slots, return_index=True)  # of lines that fall into one frame, the first
        positions = np.zeros((int(slots[-1]) + 1, 1, 20, 3), dtype=np.float32)
        positions[frames, 0] = joints[first]
        valid = np.any(positions != 0, axis=3)
        duration = len(positions) / self.fps
        annotation, notes = annotate(marks, int(numbers[0]), self.clock, duration)
        tracked = f"frames {numbers[0]} to {numbers[-1]} at {self.clock:g} a second, {len(frames)} tracked"
        history = (f"read as utkinect: {tracked}, metres, y up", *notes)
        attributes = {"performer": str(performer), "take": str(take)}
        recording = Recording(positions, self.fps, KINECT_20, item.name, valid, item.file.name, attributes, history)
        return Take(recording, annotation)

    def splits(self, infos: Sequence[RecordingInfo], labels: LabelSet | None) -> tuple[Split, ...]:
        """``leave-one-performer``: fold k tests performer k. ``leave-one-sequence``, the paper's: fold k tests the
        k-th recording, that is 2 (performer - 1) + take."""
        try:
            performers = [int(info.attributes["performer"]) for info in infos]
            takes = [int(info.attributes["take"]) for info in infos]
        except (KeyError, ValueError):
            return ()
        sequences = [2 * (performer - 1) + take for performer, take in zip(performers, takes, strict=True)]
        splits: list[Split] = []
        for name, values in (("leave-one-performer", performers), ("leave-one-sequence", sequences)):
            folds = {k: (set(values) - {k}, {k}) for k in sorted(set(values))}
            splits += split_by_values(name, infos, values, folds)
        return tuple(splits)


def read_labels(file: Path) -> dict[tuple[int, int], tuple[Mark, ...]]:
    """The actions of each (performer, take). Raises InputError naming a line that is not an action."""
    marks: dict[tuple[int, int], list[Mark]] = {}
    current: list[Mark] | None = None
    for location, text in numbered_lines(file):
        heading, label = _HEADING.fullmatch(text), _LABEL.fullmatch(text)
        if heading:
            current = marks.setdefault((int(heading["performer"]), int(heading["take"])), [])
        elif label and current is not None and label["label"] in LABELS.names:
            start, end = (_bound(location, label[side]) for side in ("start", "end"))
            current.append((label["label"], start, end))
        else:
            raise InputError(
                f"{location}: found {text[:60]!r}, expected 's01 e01' or an action such as 'walk: 252 390'"
            )
    return {key: tuple(actions) for key, actions in marks.items()}


def _bound(location: str, text: str) -> int | None:
    if text.lower() == "nan":
        return None
    if not (text.isascii() and text.isdigit()):
        raise InputError(f"{location}: found {text!r}, expected a frame number or NaN")
    return int(text)


def annotate(marks: Sequence[Mark], first: int, clock: float, duration: float) -> tuple[Annotation, tuple[str, ...]]:
    """The actions in seconds from frame number `first` on, [start, end), and notes on those that are not usable.

    An action without both bounds leaves a hole in the covered time, from the end of the action listed before it (or
    its own start) to the start of the one listed after it (or its own end). Raises InputError for an action that ends
    before it starts.
    """
    spans: list[Span] = []
    gaps: list[tuple[float, float]] = []
    notes: list[str] = []

    def seconds(number: int) -> float:
        return min(max((number - first) / clock, 0.0), duration)

    for index, (label, low, high) in enumerate(marks):
        if low is None or high is None:
            before = [seconds(number) for _, _, number in marks[:index] if number is not None]
            after = [seconds(number) for _, number, _ in marks[index + 1 :] if number is not None]
            gap = (
                seconds(low) if low is not None else (before[-1] if before else 0.0),
                seconds(high) if high is not None else (after[0] if after else duration),
            )
            notes.append(f"{label}: no {'start' if low is None else 'end'} is given, its time is not covered")
            gaps += [gap] if gap[0] < gap[1] else []
        elif high <= low:
            raise InputError(f"actionLabel.txt: {label} goes from {low} to {high}, expected the end after the start")
        elif seconds(low) < seconds(high):
            spans.append(Span(seconds(low), seconds(high), label))
        else:
            notes.append(f"{label}: nobody was tracked in frames {low} to {high}")
    covered = subtract(((0.0, duration),), gaps) if gaps else None
    return Annotation(tuple(spans), LABELS, covered), tuple(notes)
