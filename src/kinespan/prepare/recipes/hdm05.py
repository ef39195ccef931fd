"""HDM05 (Müller et al. 2007; 5 actors): clips of one action each, from Acclaim files, split across actors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ... import io
from ...corpus.info import RecordingInfo
from ...corpus.splits import Split
from ...corpus.splitting import split_by_values
from ...data.annotation import Annotation, LabelSet, Span, natural_key
from ...errors import InputError
from .base import RECIPES, Item, Recipe, Survey

TRAIN_ACTORS = frozenset({"bd", "bk", "dg"})
TEST_ACTORS = frozenset({"mm", "tr"})
_CLIP = re.compile(r"HDM_(?P<actor>[A-Za-z]+)_(?P<action>.+)_(?P<take>\d{3})_120(?i:\.amc)")


@dataclass(frozen=True)
class _Clip:
    """The action of a clip, from its name, and the skeleton of its actor."""

    action: str
    asf: Path
    labels: LabelSet


@RECIPES.register("hdm05")
@dataclass(frozen=True)
class Hdm05(Recipe):
    """The cut clips of HDM05: ``HDM_<actor>_<action>_<nnn>_120.amc`` anywhere below the folder.

    ``HDM_<actor>.asf``, the skeleton of an actor, may be in the folder of the clip or in any other. The action covers
    the whole clip. Takes that were not cut into clips (``HDM_bd_01-01_01_120.amc``) have no labels and are skipped.
    """

    title: ClassVar[str] = "HDM05"
    paper: ClassVar[str] = "Müller et al., Documentation Mocap Database HDM05, CG-2007-2, Universität Bonn, 2007"
    licence: ClassVar[str] = "CC BY-SA 3.0"

    def survey(self, raw: Path) -> Survey:
        """Every clip below `raw`. Raises InputError where there is none."""
        files = [path for path in sorted(raw.rglob("*")) if path.is_file()]
        clips = {path: match for path in files if (match := _CLIP.fullmatch(path.name))}
        skeletons = [path for path in files if path.suffix.lower() == ".asf"]
        if not clips:
            expected = "expected names such as HDM_bd_squat1Reps_001_120.amc"
            raise InputError(f"{raw}: no clip of HDM05 among {len(files)} files; {expected}")
        labels = LabelSet(tuple(sorted({match["action"] for match in clips.values()}, key=natural_key)))
        items: dict[str, Item] = {}
        refused: list[tuple[Path, str]] = []
        for path, match in clips.items():
            candidates = [asf for asf in skeletons if asf.stem.lower() == f"hdm_{match['actor'].lower()}"]
            if not candidates:
                refused.append((path, f"no skeleton HDM_{match['actor']}.asf below {raw}"))
            elif path.stem in items:
                refused.append((path, f"the same clip as {items[path.stem].file}"))
            else:
                asf = next((asf for asf in candidates if asf.parent == path.parent), candidates[0])
                items[path.stem] = Item(path.stem, path, _Clip(match["action"], asf, labels))
        skipped = tuple(path for path in files if path not in clips and path not in skeletons)
        return Survey(tuple(items.values()), tuple(refused), skipped, labels)

    def read(self, item: Item) -> io.Take:
        """The clip, its action from the first frame to the last."""
        clip: _Clip = item.details
        recording = io.read(item.file, "amc", io.ReadOptions(asf=clip.asf)).recording
        return io.Take(recording, Annotation((Span(0.0, recording.duration, clip.action),), clip.labels))

    def splits(self, infos: Sequence[RecordingInfo], labels: LabelSet | None) -> tuple[Split, ...]:
        """``cross-actor``: fold 1 trains on actors bd, bk and dg and tests mm and tr."""
        actors = [info.attributes.get("actor") for info in infos]
        return split_by_values("cross-actor", infos, actors, {1: (TRAIN_ACTORS, TEST_ACTORS)})
