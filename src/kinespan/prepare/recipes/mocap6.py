"""mocap6 (Fox et al. 2014): six recordings of CMU's subjects 13 and 14, exercises labelled every tenth of a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ... import io
from ...corpus.info import RecordingInfo
from ...corpus.splits import Split
from ...corpus.splitting import split_by_values
from ...data.annotation import IGNORE, LabelSet, natural_key, spans_from_frames
from ...errors import InputError
from ...io.base import read_text, whole_number
from .base import RECIPES, Item, Recipe, Survey

LABELS = LabelSet(
    ("JumpJack", "Jog", "Squat", "KneeRaise", "ArmCircle", "Twist", "SideReach", "Box", "UpDown", "ToeTouchOneHand",
     "SideBend", "ToeTouchTwoHands")
)  # fmt: skip
"""The exercises 1..12."""
FPS = 120.0
BLOCK = 12
"""Frames that a label is for, a tenth of a second."""


@RECIPES.register("mocap6")
@dataclass(frozen=True)
class Mocap6(Recipe):
    """The whole-body motion of mocap6: ``amc/13_29.amc`` and its like, an ASF skeleton, ``truelabels/13_29.txt``.

    Number k of a label file, from 0, is the exercise in frames 12 k to 12 k + 11; every frame has one, there is no
    background. A number after the last frame is left out, frames after the last number are not labelled. The skeleton
    is that of the subject (13.asf), else --asf, else the only .asf below the folder.
    """

    title: ClassVar[str] = "mocap6"
    paper: ClassVar[str] = (
        "Fox, Hughes, Sudderth and Jordan, Joint modeling of multiple time series via the beta process with "
        "application to motion capture segmentation, Annals of Applied Statistics 8(3), 2014"
    )
    licence: ClassVar[str] = "labels BSD-2; motion from mocap.cs.cmu.edu, free to use"

    asf: Path | None = None
    """ASF skeleton of subjects that have none of their own."""

    def survey(self, raw: Path) -> Survey:
        """The AMC files that have labels. Raises InputError where there are none, or no skeleton."""
        files = [path for path in sorted(raw.rglob("*"), key=lambda path: natural_key(path.name)) if path.is_file()]
        motions = [path for path in files if path.suffix.lower() == ".amc"]
        labels = {
            path.stem: path for path in files if path.suffix.lower() == ".txt" and path.parent.name == "truelabels"
        }
        skeletons = {path.stem: path for path in files if path.suffix.lower() == ".asf"}
        if not motions or not labels:
            missing = "truelabels/13_29.txt" if motions else "amc/13_29.amc"
            raise InputError(f"{raw}: not mocap6, {missing} and its like are not below it")
        only = next(iter(skeletons.values())) if len(skeletons) == 1 else None
        items, refused = [], []
        for path in motions:
            asf = skeletons.get(path.stem.partition("_")[0]) or self.asf or only
            if asf is None:
                candidates = ", ".join(sorted(file.name for file in skeletons.values())) or "none"
                refused.append(
                    (path, f"which skeleton belongs to it? below the folder: {candidates}; give it with --asf")
                )
            elif path.stem not in labels:
                refused.append((path, f"no truelabels/{path.stem}.txt"))
            else:
                items.append(Item(path.stem, path, (asf, labels[path.stem])))
        strangers = sorted({(item.name.partition("_")[0], item.details[0].name) for item in items})
        decisions = tuple(
            f"subject {subject} moves on the skeleton of {asf}, as there is no {subject}.asf: limbs are a little off"
            for subject, asf in strangers
            if asf.lower() != f"{subject}.asf"
        )
        used = {*motions, *labels.values(), *skeletons.values()}
        return Survey(
            tuple(items), tuple(refused), tuple(path for path in files if path not in used), LABELS, decisions
        )

    def read(self, item: Item) -> io.Take:
        """The recording and its exercises."""
        asf, labels = item.details
        recording = io.read(item.file, "amc", io.ReadOptions(fps=FPS, asf=asf)).recording
        ids = np.full(recording.num_frames, IGNORE, dtype=np.int64)
        blocks = np.repeat(read_labels(labels), BLOCK)[: len(ids)]
        ids[: len(blocks)] = blocks
        subject, _, trial = item.name.partition("_")
        recording = recording.with_changes(
            f"labels of {BLOCK} frames each from {labels.name}", attributes={"subject": subject, "trial": trial}
        )
        return io.Take(recording, spans_from_frames(ids, recording.fps, LABELS))

    def splits(self, infos: Sequence[RecordingInfo], labels: LabelSet | None) -> tuple[Split, ...]:
        """``leave-one-recording``: fold k tests the k-th recording by name and trains on the others."""
        names = sorted((info.name for info in infos), key=natural_key)
        numbers = [names.index(info.name) + 1 for info in infos]
        folds = {number: (set(numbers) - {number}, {number}) for number in sorted(numbers)}
        return split_by_values("leave-one-recording", infos, numbers, folds)


def read_labels(file: Path) -> list[int]:
    """The exercise, 1..12, of each tenth of a second. Raises InputError naming a word that is none."""
    numbers = []
    for place, word in enumerate(read_text(file).split(), start=1):
        number = whole_number(word)
        if number is None or not 1 <= number <= len(LABELS):
            raise InputError(f"{file}: label {place} is {word[:20]!r}, expected a number from 1 to {len(LABELS)}")
        numbers.append(number)
    return numbers
