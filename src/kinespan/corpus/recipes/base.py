"""The table of recipes; see `kinespan.corpus.recipes` for what a recipe is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...annotation import LabelSet
from ...registry import Registry
from ..index import RecordingInfo
from ..splits import Split

Recipe = Callable[[Sequence[RecordingInfo], LabelSet | None], tuple[Split, ...]]
"""From the recordings of a corpus and its labels to its official splits, those that these recordings allow."""

RECIPES: Registry[Recipe] = Registry("recipe")
