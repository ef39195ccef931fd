"""MSRC-12 (Fothergill et al. 2012; 30 performers, 12 gestures): action points in Kinect v1 recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ... import io
from ...corpus.info import RecordingInfo
from ...corpus.splits import Split
from ...corpus.splitting import split_by_values
from ...data.annotation import LabelSet
from ...io.msrc12 import LABELS, recording_name
from .base import RECIPES, Item, Recipe, Survey

FOLDS = 5


@RECIPES.register("msrc12")
@dataclass(frozen=True)
class Msrc12(Recipe):
    """MSRC-12: ``P1_1_10_p06.csv`` (or .csv.gz) and ``P1_1_10_p06.tagstream`` beside it, anywhere below the folder.

    A tag is an action point, the instant at which a system should react to the gesture: an event. The field counts a
    detection within 0.333 s as right. Each recording repeats one gesture. Frames are brought from their time stamps to
    an even rate.
    """

    title: ClassVar[str] = "MSRC-12 Kinect gestures"
    paper: ClassVar[str] = (
        "Fothergill, Mentis, Kohli and Nowozin, Instructing people for training gestural interactive systems, CHI 2012"
    )
    licence: ClassVar[str] = "research licence of Microsoft's download; cite the paper"

    def survey(self, raw: Path) -> Survey:
        """Every recording below `raw`. Raises InputError where there is none."""
        files, skipped = io.survey_files(raw, "msrc12")
        items: dict[str, Item] = {}
        refused = []
        for path, _ in files:
            name = recording_name(path)
            if name in items:
                refused.append((path, f"the same recording as {items[name].file}"))
            else:
                items[name] = Item(name, path)
        tags = {item.file.with_name(f"{name}.tagstream") for name, item in items.items()}
        skipped = [path for path in skipped if path not in tags]
        return Survey(tuple(items.values()), tuple(refused), tuple(skipped), LABELS)

    def read(self, item: Item) -> io.Take:
        """The recording and its action points."""
        return io.read(item.file, "msrc12")

    def splits(self, infos: Sequence[RecordingInfo], labels: LabelSet | None) -> tuple[Split, ...]:
        """``cross-performer``: fold k = 1..5 tests performers k, k + 5, k + 10, ..., the others train."""
        try:
            performers = [int(info.attributes["performer"]) for info in infos]
        except (KeyError, ValueError):
            return ()
        numbers = range(1, FOLDS + 1)
        folds = {number: (set(numbers) - {number}, {number}) for number in numbers}
        return split_by_values("cross-performer", infos, [(who - 1) % FOLDS + 1 for who in performers], folds)
