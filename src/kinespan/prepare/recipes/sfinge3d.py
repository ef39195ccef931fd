"""SFINGE 3D (Caputo et al. 2020): a hand that makes gestures in a long movement; four folds of recordings."""

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
from ...data.annotation import Annotation, LabelSet, Span, natural_key
from ...errors import InputError
from ...io.base import whole_number
from .base import RECIPES, Item, Recipe, Survey, numbered_lines

LABELS = LabelSet(
    ("one", "two", "three", "four", "OK", "pinch", "grab", "expand", "tap", "swipe left", "swipe right", "swipe V",
     "swipe O")
)  # fmt: skip
"""The gestures 1..13."""
TABLE = "sequencesGT.csv"
FOLDS = 4
FOLD_SEED = 0
Gesture = tuple[str, int, int]
"""Label, first and last frame, counted from 1, both included."""


@RECIPES.register("sfinge3d")
@dataclass(frozen=True)
class Sfinge3d(Recipe):
    """The long sequences of SFINGE 3D, version 1: ``Sequences/1.txt`` and its like, and ``Sequences/sequencesGT.csv``.

    Frames of the table are counted from 1, both ends included: of sequences 29 and 31 its last frame is then one after
    the end of the file, and the gesture is cut. All time without a gesture is another movement of the hand: background.
    Who moves is not said, so folds are of recordings.
    """

    title: ClassVar[str] = "SFINGE 3D"
    paper: ClassVar[str] = (
        "Caputo et al., SFINGE 3D: A novel benchmark for online detection and recognition of heterogeneous hand "
        "gestures from 3D fingers' trajectories, Computers & Graphics, 2020"
    )
    licence: ClassVar[str] = "none stated; cite the paper"

    def survey(self, raw: Path) -> Survey:
        """The sequences beside the table. Raises InputError where there is no table or no sequence."""
        tables = [path for path in sorted(raw.rglob("*")) if path.name.lower() == TABLE.lower()]
        if not tables:
            raise InputError(f"{raw}: not SFINGE 3D, expected Sequences/{TABLE} and Sequences/1.txt below it")
        table = tables[0]
        gestures = read_gestures(table)
        files = sorted((path for path in table.parent.glob("*.txt") if path.stem.isdigit()), key=_number)
        items, refused = [], []
        for path in files:
            if _number(path) in gestures:
                items.append(Item(path.stem, path, gestures[_number(path)]))
            else:
                refused.append((path, f"{table.name} has no line for it"))
        if not items:
            raise InputError(f"{table.parent}: {table.name} is there, but none of its sequences, such as 1.txt")
        known = {_number(path) for path in files}
        refused += [
            (table.parent / f"{number}.txt", f"listed in {table.name}, but no such file")
            for number in gestures
            if number not in known
        ]
        skipped = tuple(path for path in sorted(raw.rglob("*")) if path.is_file() and path not in {table, *files})
        decisions = (
            f"frames of {table.name} are counted from 1, both ends included",
            f"folds are of whole recordings, since who moves is not said: shuffled by seed {FOLD_SEED}, dealt in turn",
        )
        return Survey(tuple(items), tuple(refused), skipped, LABELS, decisions)

    def read(self, item: Item) -> io.Take:
        """The recording and its gestures."""
        recording = io.read(item.file, "sfinge3d").recording
        spans = tuple(
            Span((first - 1) / recording.fps, last / recording.fps, label) for label, first, last in item.details
        )
        return io.Take(recording, Annotation(spans, LABELS))

    def splits(self, infos: Sequence[RecordingInfo], labels: LabelSet | None) -> tuple[Split, ...]:
        """``four-folds``: recordings are shuffled by a seed and dealt to four folds, of 12 where there are 48.

        Each recording is tested once, whole; none is cut between a fold to train and one to test on.
        """
        order = sorted(range(len(infos)), key=lambda index: natural_key(infos[index].name))
        shuffled = np.random.default_rng(FOLD_SEED).permutation(len(infos))
        fold_of = {order[index]: place % FOLDS + 1 for place, index in enumerate(shuffled)}
        numbers = range(1, FOLDS + 1)
        folds = {number: (set(numbers) - {number}, {number}) for number in numbers}
        return split_by_values("four-folds", infos, [fold_of[index] for index in range(len(infos))], folds)


def read_gestures(table: Path) -> dict[int, tuple[Gesture, ...]]:
    """The gestures of each sequence: a line has the sequence, their number, and class, first and last frame of each.

    Raises InputError naming a line of another form.
    """
    sequences: dict[int, tuple[Gesture, ...]] = {}
    for location, line in numbered_lines(table):
        numbers = [whole_number(word.strip()) for word in line.rstrip(",").split(",")]
        if None in numbers or len(numbers) < 2 or len(numbers) != 2 + 3 * (numbers[1] or 0):
            form = "a sequence, the number of its gestures, and class, first and last frame of each"
            raise InputError(f"{location}: found {line[:60]!r}, expected {form}")
        sequence, _, *rest = (number for number in numbers if number is not None)
        gestures = []
        for kind, first, last in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            if not 1 <= kind <= len(LABELS):
                raise InputError(f"{location}: gesture {kind}, expected 1 to {len(LABELS)}")
            if not 1 <= first <= last:
                raise InputError(
                    f"{location}: frames {first} to {last}, expected a first frame from 1 on and no earlier last"
                )
            gestures.append((LABELS.names[kind - 1], first, last))
        if sequence in sequences:
            raise InputError(f"{location}: sequence {sequence} is listed twice")
        sequences[sequence] = tuple(gestures)
    return sequences


def _number(path: Path) -> int:
    return int(path.stem)
