"""NTU RGB+D 60 and 120: trimmed clips of one action each, by one or two of 106 performers before three cameras."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from ...corpus.info import RecordingInfo
from ...corpus.splits import Split
from ...corpus.splitting import split_by_values
from ...data.annotation import Annotation, LabelSet, Span
from ...errors import InputError
from ...io import ReadOptions, Take
from ...io.finish import finish
from ...io.ntu import Bodies, name_attributes, read_bodies
from ...transforms.bodies import denoised, first_bodies, most_energetic
from .base import RECIPES, Item, Recipe, Survey, numbered_lines
from .ntu_lists import ACTIONS, TEST_PERFORMERS_60, TEST_PERFORMERS_120, TRAIN_PERFORMERS_60, TRAIN_PERFORMERS_120


@dataclass(frozen=True)
class _Ntu(Recipe):
    """The base of both data sets: .skeleton files named SsssCcccPpppRrrrAaaa, in any folders below the raw one."""

    licence: ClassVar[str] = "academic research only, no redistribution (rose1.ntu.edu.sg/dataset/actionRecognition)"
    actions: ClassVar[int]
    setups: ClassVar[int]
    sides: ClassVar[Mapping[str, tuple[str, Container[int], Container[int]]]]
    """By name of an official split: its attribute, and the values that train and test."""

    bodies: Literal["all", "first", "energy", "denoised"] = "all"
    """Which bodies are read. all: every tracked one, in a person slot of its own. first: the first two of each frame
    (CrosSCLR, AimCLR). energy: of the first four the two with the largest spread (2s-AGCN, ISC, CMD, USDRL). denoised:
    short and wide tracks dropped, the rest ranked by motion, two slots (CTR-GCN)."""
    missing: Path | None = None
    """The published list of samples with missing or incomplete skeletons (302 of NTU RGB+D 60, 535 of 120), one
    name per line; they are refused. Without it a file without any body is refused when it is read."""

    def survey(self, raw: Path) -> Survey:
        """Every .skeleton file of the data set's actions under `raw`, sorted by name.

        Samples in the list `missing`, impossible names and the second file of a name are refused; files with other
        names and, for NTU RGB+D 60, those of the 60 later actions are skipped. Raises InputError where there is none.
        """
        listed = frozenset() if self.missing is None else read_missing(self.missing)
        items: dict[str, Item] = {}
        refused: list[tuple[Path, str]] = []
        skipped: list[Path] = []
        for file in sorted(raw.rglob("*.skeleton"), key=lambda file: (file.stem, file)):
            attributes = name_attributes(file.stem)
            action = int(attributes["action"]) if attributes else 0
            if attributes is None or self.actions < action <= len(ACTIONS):
                skipped.append(file)
            elif not 1 <= action <= self.actions or not 1 <= int(attributes["setup"]) <= self.setups:
                refused.append((file, f"setup {attributes['setup']}, action {action}: {self.title} has no such sample"))
            elif file.stem in listed:
                refused.append((file, f"listed in {self.missing} as a sample with missing or incomplete skeletons"))
            elif file.stem in items:
                refused.append((file, f"the sample exists already, as {items[file.stem].file}"))
            else:
                items[file.stem] = Item(file.stem, file)
        if not items and not refused:
            raise InputError(
                f"{raw}: no sample of {self.title} among {len(skipped)} .skeleton files; expected files such as "
                "nturgb+d_skeletons/S001C001P001R001A001.skeleton"
            )
        return Survey(tuple(items.values()), tuple(refused), tuple(skipped), self.labels())

    def read(self, item: Item) -> Take:
        """The recording, and one span of its action from start to end."""
        attributes = name_attributes(item.name)
        assert attributes is not None  # survey lists no other names
        bodies = _select_bodies(read_bodies(item.file), self.bodies)
        recording = finish(item.file, "ntu", bodies.motion(attributes), ReadOptions()).recording
        labels = self.labels()
        span = Span(0.0, recording.duration, labels.names[int(attributes["action"]) - 1])
        return Take(recording, Annotation((span,), labels))

    def labels(self) -> LabelSet:
        """The names of the actions, in the order of their numbers."""
        return LabelSet(ACTIONS[: self.actions])

    def splits(self, infos: Sequence[RecordingInfo], labels: LabelSet | None) -> tuple[Split, ...]:
        """The official splits, one fold each, without those with an empty side."""
        if any(name_attributes(info.name) is None for info in infos):
            return ()
        splits: list[Split] = []
        for name, (attribute, trains, tests) in self.sides.items():
            values = [int(info.attributes[attribute]) for info in infos]
            splits += split_by_values(name, infos, values, {1: (trains, tests)})
        return tuple(splits)


@RECIPES.register("ntu60")
@dataclass(frozen=True)
class Ntu60(_Ntu):
    """56 880 samples of 60 actions, 40 performers, setups 1 to 17.

    Splits: ``xsub`` trains on 20 performers and tests on the other 20; ``xview`` trains on cameras 2 and 3 and tests
    on camera 1.
    """

    title: ClassVar[str] = "NTU RGB+D 60"
    paper: ClassVar[str] = "Shahroudy et al., NTU RGB+D, CVPR 2016"
    actions: ClassVar[int] = 60
    setups: ClassVar[int] = 17
    sides: ClassVar[Mapping[str, tuple[str, Container[int], Container[int]]]] = {
        "xsub": ("performer", TRAIN_PERFORMERS_60, TEST_PERFORMERS_60),
        "xview": ("camera", {2, 3}, {1}),
    }


@RECIPES.register("ntu120")
@dataclass(frozen=True)
class Ntu120(_Ntu):
    """114 480 samples of 120 actions, 106 performers, setups 1 to 32, those of NTU RGB+D 60 included.

    Splits: ``xsub`` trains on 53 performers and tests on the other 53; ``xset`` trains on even setups and tests on
    odd ones.
    """

    title: ClassVar[str] = "NTU RGB+D 120"
    paper: ClassVar[str] = "Liu et al., NTU RGB+D 120, TPAMI 2020"
    actions: ClassVar[int] = 120
    setups: ClassVar[int] = 32
    sides: ClassVar[Mapping[str, tuple[str, Container[int], Container[int]]]] = {
        "xsub": ("performer", TRAIN_PERFORMERS_120, TEST_PERFORMERS_120),
        "xset": ("setup", range(2, 33, 2), range(1, 32, 2)),
    }


def read_missing(file: Path) -> frozenset[str]:
    """The sample names of a published list: one name per line, with or without a heading before the first.

    A suffix such as ``.skeleton`` or ``_rgb.avi`` may follow a name. Raises InputError, naming file and line, for a
    list without names and for a line among the names that is none.
    """
    names: set[str] = set()
    for location, word in numbered_lines(file):
        if name_attributes(word[:20]) is not None and (len(word) == 20 or word[20] in "._"):
            names.add(word[:20])
        elif names:
            raise InputError(f"{location}: found {word[:60]!r}, expected a name such as S001C002P005R002A008")
    if not names:
        raise InputError(f"{file}: no line is the name of a sample such as S001C002P005R002A008")
    return frozenset(names)


def _select_bodies(bodies: Bodies, option: str) -> Bodies:
    """The bodies selected by an option, with a note."""
    if option == "all":
        return bodies
    if option == "denoised":
        positions, valid = denoised(bodies.positions, bodies.valid)
    else:
        select = first_bodies if option == "first" else most_energetic
        positions, valid = select(bodies.positions, bodies.valid, bodies.list_position)
    before, after = bodies.valid.shape[1], valid.shape[1]
    note = f"bodies {option}: {before} tracked, {after} person slot{'s' if after > 1 else ''} kept"
    return replace(bodies, positions=positions, valid=valid, notes=(*bodies.notes, note))
