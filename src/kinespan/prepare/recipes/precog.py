"""PRECOG (Jardim 2016; 12 performers, 6 scripts): splits across performers and across scripts."""

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
from ...io.precog import LABELS
from .base import RECIPES, Item, Recipe, Survey

TRAIN_SCRIPTS = frozenset({1, 2, 3, 5})
TEST_SCRIPTS = frozenset({4, 6})
ONLY_IN_TEST = "ElbowStrike"
"""Label 8 occurs in script 6 only, so no training script has it."""


@RECIPES.register("precog")
@dataclass(frozen=True)
class Precog(Recipe):
    """PRECOG's text files, one per recording, with labels; `kinespan.io.precog` has the form of names and contents."""

    title: ClassVar[str] = "PRECOG"
    paper: ClassVar[str] = "Jardim, PRECOG data set, 2016 (github.com/DavidJardim/precog_dataset_16)"
    licence: ClassVar[str] = "MIT"

    min_label_frames: int = 5
    """Shorter runs of a label, which are flicker, get that of the longer neighbour; 0: labels as they are."""

    def survey(self, raw: Path) -> Survey:
        """Every PRECOG file under `raw`. Raises InputError where there is none."""
        files, skipped = io.survey_files(raw, "precog")
        return Survey(tuple(Item(file.stem, file) for file, _ in files), (), tuple(skipped), LABELS)

    def read(self, item: Item) -> io.Take:
        """The recording and its labels."""
        return io.read(item.file, "precog", io.ReadOptions(min_label_frames=self.min_label_frames))

    def splits(self, infos: Sequence[RecordingInfo], labels: LabelSet | None) -> tuple[Split, ...]:
        """``cross-performer`` and ``cross-script``, from the attributes performer and script (1-based).

        * cross-performer: fold k = 1..4 tests performers k, k + 4 and k + 8, the other nine train.
        * cross-script: fold 1 trains on scripts 1, 2, 3, 5 and tests scripts 4, 6; ElbowStrike is left out.

        Folds with an empty side are left out; without whole numbers in both attributes there is no split.
        """
        try:
            performers = [int(info.attributes["performer"]) for info in infos]
            scripts = [int(info.attributes["script"]) for info in infos]
        except (KeyError, ValueError):
            return ()
        residues = [performer % 4 for performer in performers]
        folds = {k: ({0, 1, 2, 3} - {k % 4}, {k % 4}) for k in range(1, 5)}
        dropped = (ONLY_IN_TEST,) if labels is not None and ONLY_IN_TEST in labels.names else ()
        return (
            *split_by_values("cross-performer", infos, residues, folds),
            *split_by_values("cross-script", infos, scripts, {1: (TRAIN_SCRIPTS, TEST_SCRIPTS)}, dropped),
        )
