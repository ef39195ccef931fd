"""HumanML3D (Guo et al. 2022): 20 fps joints of AMASS and HumanAct12 with captions, and their mirror images."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from ...arrays import Float32Array
from ...corpus.info import RecordingInfo
from ...corpus.splits import Split
from ...corpus.splitting import split_by_values
from ...data.annotation import Annotation, LabelSet, Span
from ...data.recording import Recording
from ...data.skeletons import SMPL_22
from ...errors import InputError
from ...io import Take
from ...io.base import read_text
from .base import RECIPES, Item, Recipe, Survey, numbered_lines, union

FPS = 20.0
PARTS = ("train", "val", "test")
"""The lists of names, each in a file NAME.txt; recordings in no list are read but are in no split."""


@dataclass(frozen=True)
class Caption:
    """A line of a text file: a description, its words in their basic form, and its time (None: the whole motion)."""

    text: str
    words: tuple[str, ...]
    time: tuple[float, float] | None


@RECIPES.register("humanml3d")
@dataclass(frozen=True)
class HumanML3D(Recipe):
    """HumanML3D's joints: ``new_joints/<id>.npy`` (T, 22, 3), ``texts/<id>.txt``, and lists of names.

    The lists are ``train.txt``, ``val.txt`` and ``test.txt``. 20 fps, metres, y up, SMPL's first 22 joints.
    Ids that begin with M are mirror images. The captions become the attribute ``captions``, one per line. They are not
    labels, so recordings stay unlabelled unless ``categories`` names a file.
    """

    title: ClassVar[str] = "HumanML3D"
    paper: ClassVar[str] = "Guo et al., Generating Diverse and Natural 3D Human Motions from Text, CVPR 2022"
    licence: ClassVar[str] = "texts MIT; the motion has the terms of AMASS and HumanAct12"

    joints: Literal["new_joints", "joints"] = "new_joints"
    """Folder of the motion: new_joints, all brought to one body, or joints, as captured."""
    mirrored: bool = True
    """Also read the mirror images, which the official lists include."""
    categories: Path | None = None
    """File of labels, one per line: the label, a colon, and words separated by commas, as in "jump: jump, hop, leap".
    A caption with one of the words (in any form: jumps, jumping) gives its time that label."""

    def survey(self, raw: Path) -> Survey:
        """The motion files, in order of their names. Raises InputError where the folder or all lists are missing."""
        root = raw if (raw / self.joints).is_dir() else raw / "HumanML3D"
        lists = [file for part in PARTS if (file := root / f"{part}.txt").is_file()]
        has_joints = (root / self.joints).is_dir()
        if not has_joints or not lists:
            missing = "train.txt, val.txt or test.txt" if has_joints else f"folder {self.joints}"
            raise InputError(
                f"{raw}: not HumanML3D, no {missing} in it; give the folder that holds {self.joints}/ and texts/"
            )
        part_of = {name: file.stem for file in lists for name in read_text(file).split()}
        files = {file.stem: file for file in sorted((root / self.joints).glob("*.npy"))}
        items = tuple(
            Item(name, file, (part_of.get(name), root / "texts" / f"{name}.txt"))
            for name, file in files.items()
            if self._is_selected(name)
        )
        refused = tuple(
            (root / self.joints / f"{name}.npy", f"listed in {part}.txt, but no such file")
            for name, part in part_of.items()
            if name not in files and self._is_selected(name)
        )
        labels = None if self._labels is None else LabelSet(tuple(self._labels), exclusive=False)
        return Survey(items, refused, labels=labels)

    def read(self, item: Item) -> Take:
        """The motion, its captions and, with categories, their labels."""
        part, text = item.details
        captions = read_captions(text) if text.is_file() else ()
        positions = read_joints(item.file)
        attributes = {"captions": "\n".join(map(_caption_line, captions))} if captions else {}
        attributes |= {"mirrored": "yes" if item.name.startswith("M") else "no"} | ({"part": part} if part else {})
        history = (f"read as humanml3d: {FPS:g} fps, metres, y up, from {self.joints}",)
        recording = Recording(
            positions, FPS, SMPL_22, item.name, source=item.file.name, attributes=attributes, history=history
        )
        return Take(recording, self._annotation(captions, recording.duration))

    def splits(self, infos: Sequence[RecordingInfo], labels: LabelSet | None) -> tuple[Split, ...]:
        """``official`` trains on train.txt and tests test.txt; ``validation`` tests val.txt."""
        parts = [info.attributes.get("part") for info in infos]
        return (
            *split_by_values("official", infos, parts, {1: ({"train"}, {"test"})}),
            *split_by_values("validation", infos, parts, {1: ({"train"}, {"val"})}),
        )

    def _is_selected(self, name: str) -> bool:
        return self.mirrored or not name.startswith("M")

    @cached_property
    def _labels(self) -> dict[str, tuple[tuple[str, ...], ...]] | None:
        """The categories: phrases, each a tuple of words, by label."""
        return None if self.categories is None else read_categories(self.categories)

    def _annotation(self, captions: Sequence[Caption], duration: float) -> Annotation | None:
        if self._labels is None or not captions:
            return None
        spans: list[Span] = []
        for label, phrases in self._labels.items():
            times = [
                caption.time or (0.0, duration)
                for caption in captions
                if any(_contains(caption.words, phrase) for phrase in phrases)
            ]
            inside = ((start, min(end, duration)) for start, end in times if start < duration)
            spans += [Span(start, end, label) for start, end in union(inside)]  # captions repeat an action
        return Annotation(tuple(spans), LabelSet(tuple(self._labels), exclusive=False))


def read_joints(file: Path) -> Float32Array:
    """Positions (T, 1, 22, 3) of a .npy file of (T, 22, 3). Raises InputError for anything else."""
    try:
        data = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file}: not a whole .npy file: {error}") from None
    if not isinstance(data, np.ndarray) or data.dtype.kind != "f":
        raise InputError(f"{file}: expected one array of decimal numbers")
    if data.shape == (22, 3):
        data = data[None]  # a single frame that lost its axis
    if data.ndim != 3 or data.shape[1:] != (22, 3):
        hint = "; these are features, not joints" if data.shape[-1:] == (263,) else ""
        raise InputError(f"{file}: found an array of shape {data.shape}, expected (T, 22, 3){hint}")
    return np.asarray(data[:, None], dtype=np.float32)


def read_captions(file: Path) -> tuple[Caption, ...]:
    """The captions of a motion: ``text#word/KIND word/KIND ...#start#end`` in seconds, 0 and 0 (or nan) for all of it.

    Raises InputError naming a line that is not a caption.
    """
    captions = []
    for location, line in numbered_lines(file):
        text, *rest = (field.strip() for field in line.rsplit("#", 3))
        if len(rest) != 3:
            raise InputError(f"{location}: found {line[:60]!r}, expected caption#words#start#end")
        try:
            start, end = (0.0 if math.isnan(float(value)) else float(value) for value in rest[1:])
        except ValueError:
            raise InputError(f"{location}: start and end are {rest[1:]}, expected seconds") from None
        if not (0 <= start < end < math.inf or start == end == 0):
            raise InputError(f"{location}: start is {start:g} and end {end:g}, expected 0 <= start < end, or 0 and 0")
        words = tuple(token.rpartition("/")[0].lower() for token in rest[0].split() if "/" in token)
        captions.append(Caption(text, words, (start, end) if end else None))
    return tuple(captions)


def read_categories(file: Path) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Phrases by label. Raises InputError naming a line that is not ``label: word, word``, or a label given twice."""
    categories: dict[str, tuple[tuple[str, ...], ...]] = {}
    for location, line in numbered_lines(file):
        if line.startswith("#"):
            continue
        label, colon, rest = (field.strip() for field in line.partition(":"))
        phrases = tuple(tuple(phrase.lower().split()) for phrase in rest.split(",") if phrase.strip())
        if not (label and colon and phrases) or label in categories:
            reason = f"label {label!r} is given twice" if label in categories else f"found {line[:60]!r}"
            raise InputError(f"{location}: {reason}, expected a label and words, as in 'jump: jump, hop'")
        categories[label] = phrases
    if not categories:
        raise InputError(f"{file}: holds no label, expected lines such as 'jump: jump, hop'")
    return categories


def _contains(words: Sequence[str], phrase: Sequence[str]) -> bool:
    """Whether the words of the phrase follow each other somewhere in the words."""
    starts = range(len(words) - len(phrase) + 1)
    return any(tuple(words[start : start + len(phrase)]) == tuple(phrase) for start in starts)


def _caption_line(caption: Caption) -> str:
    text = re.sub(r"\s+", " ", caption.text)
    return text if caption.time is None else f"{text} [{caption.time[0]:g}-{caption.time[1]:g} s]"
