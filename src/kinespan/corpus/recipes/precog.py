"""PRECOG (Jardim 2016; 12 performers, 6 scripts): splits across performers and across scripts."""

from __future__ import annotations

from collections.abc import Sequence, Set

from ...annotation import LabelSet
from ..index import RecordingInfo
from ..splits import Fold, Split
from .base import RECIPES

TRAIN_SCRIPTS = frozenset({1, 2, 3, 5})
TEST_SCRIPTS = frozenset({4, 6})
ONLY_IN_TEST = "ElbowStrike"
"""Label 8 occurs in script 6 alone, so that no training script shows it."""


@RECIPES.register("precog")
def splits(infos: Sequence[RecordingInfo], labels: LabelSet | None) -> tuple[Split, ...]:
    """``cross-performer`` and ``cross-script`` of PRECOG, from the attributes performer and script (1-based).

    * cross-performer: fold k = 1..4 tests performers k, k + 4 and k + 8, the other nine train.
    * cross-script: fold 1 trains on scripts 1, 2, 3, 5 and tests scripts 4, 6; ElbowStrike is left out.

    A fold is left out where the recordings at hand give it nothing to train or to test on; so is all of it where an
    attribute is missing or is not a whole number.
    """
    try:
        performers = [int(info.attributes["performer"]) for info in infos]
        scripts = [int(info.attributes["script"]) for info in infos]
    except (KeyError, ValueError):
        return ()
    names = [info.name for info in infos]
    residues = [performer % 4 for performer in performers]
    by_performer = {k: _fold(names, residues, {0, 1, 2, 3} - {k % 4}, {k % 4}) for k in range(1, 5)}
    by_script = {1: _fold(names, scripts, TRAIN_SCRIPTS, TEST_SCRIPTS)}
    dropped = (ONLY_IN_TEST,) if labels is not None and ONLY_IN_TEST in labels.names else ()
    made = (("cross-performer", by_performer, ()), ("cross-script", by_script, dropped))
    return tuple(
        Split(name, whole, drop)
        for name, folds, drop in made
        if (whole := {number: fold for number, fold in folds.items() if fold is not None})
    )


def _fold(names: Sequence[str], values: Sequence[int], trains: Set[int], tests: Set[int]) -> Fold | None:
    """The fold of the recordings with these values on each side, None where a side would be empty."""
    train = tuple(name for name, value in zip(names, values, strict=True) if value in trains)
    test = tuple(name for name, value in zip(names, values, strict=True) if value in tests)
    return Fold(train, test) if train and test else None
