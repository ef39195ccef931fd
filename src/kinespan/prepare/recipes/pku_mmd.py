"""PKU-MMD, phases 1 and 2: untrimmed Kinect v2 recordings of some twenty actions each, from three views at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from ... import io
from ...corpus.info import RecordingInfo
from ...corpus.splits import Split
from ...corpus.splitting import split_by_values
from ...data.annotation import Annotation, LabelSet, Span
from ...errors import InputError
from ...io.base import HEAD_BYTES, READERS
from ...io.pku_mmd import FPS, LabelLine, read_labels
from .base import RECIPES, Item, Recipe, Survey, numbered_lines

LABELS = LabelSet(
    (
        "bow", "brushing hair", "brushing teeth", "check time (from watch)", "cheer up", "clapping",
        "cross hands in front (say stop)", "drink water", "drop", "eat meal/snack", "falling",
        "giving something to other person", "hand waving", "handshaking", "hopping (one foot jumping)",
        "hugging other person", "jump up", "kicking other person", "kicking something",
        "make a phone call/answer phone", "pat on back of other person", "pickup", "playing with phone/tablet",
        "point finger at the other person", "pointing to something with finger", "punching/slapping other person",
        "pushing other person", "put on a hat/cap", "put something inside pocket", "reading",
        "rub two hands together", "salute", "sitting down", "standing up", "take off a hat/cap", "take off glasses",
        "take off jacket", "take out something from pocket", "taking a selfie", "tear up paper", "throw",
        "touch back (backache)", "touch chest (stomachache/heart pain)", "touch head (headache)",
        "touch neck (neckache)", "typing on a keyboard", "use a fan (with hand or paper)/feeling warm",
        "wear jacket", "wear on glasses", "wipe face", "writing",
    )
)  # fmt: skip
"""The labels 1..51 of the label files, in order; phase 2 uses some of them."""

_SUFFIXES = frozenset({".txt", ".skeleton", ".label"})
_SPLIT_NAMES = {"cross-subject": re.compile(r"cross[-_ ]?subject"), "cross-view": re.compile(r"cross[-_ ]?view")}
_PHASES = {1: re.compile(r"v1|phase[-_ #]*1"), 2: re.compile(r"v2|phase[-_ #]*2")}


@dataclass(frozen=True)
class _PkuMmd(Recipe):
    """The base of both phases: skeleton text, label text and split text, in any folders below the raw one.

    A skeleton file lies in a folder with "skeleton" in its name, a label file in one with "label"; elsewhere the first
    line decides. Where an older and the final version exist (PKU_Skeleton and PKU_Skeleton_Renew, labels and
    ..._final), the final one is read.
    """

    licence: ClassVar[str] = "for research, by agreement with the authors (struct002.github.io/PKUMMD)"
    phase: ClassVar[int]
    split_files: ClassVar[Mapping[str, str]]

    frames: Literal["slice", "inclusive"] = "slice"
    """How the frames "start,end" of a label are meant. slice: from frame start to before frame end, counted from 0, as
    in the official evaluation and in detection code. inclusive: frames start to end, both included, counted from 1."""

    def survey(self, raw: Path) -> Survey:
        """Every skeleton file of the phase under `raw`, sorted by name, with its label file and its sides of splits.

        Missing official split files are listed among the refused; second files of a name and those of the other phase
        are skipped. Raises InputError where there is no skeleton file, and for a bad split file.
        """
        files, others = _find_files(raw, self.phase)
        if not files["skeleton"]:
            raise InputError(
                f"{raw}: no skeleton file of {self.title} found; expected files such as "
                "PKU_Skeleton_Renew/0002-L.txt, Train_Label_PKU_final/0002-L.txt and "
                f"Split/{self.split_files['cross-subject']}"
            )
        sides = {name: read_split(file) for name, file in files["split"].items()}
        refused = [
            (raw / name, f"the official split file {file} is missing, so the corpus lacks that split")
            for name, file in self.split_files.items()
            if name not in sides
        ]
        items = []
        for name, file in sorted(files["skeleton"].items()):
            own_sides = {split: side_of[name] for split, side_of in sides.items() if name in side_of}
            items.append(Item(name, file, (files["label"].get(name), own_sides)))
        return Survey(tuple(items), tuple(refused), tuple(others), LABELS)

    def read(self, item: Item) -> io.Take:
        """The recording with its sides of the splits as attributes; no annotation without a label file.

        An empty label file is an annotation without spans. Labels may overlap; one that ends after the recording is
        cut when it is stored. Raises InputError for one that starts after it.
        """
        label_file, sides = item.details
        recording = io.read(item.file, "pku-mmd").recording
        attributes = {**recording.attributes, **{split.replace("-", "_"): side for split, side in sides.items()}}
        recording = replace(recording, attributes=attributes)
        if label_file is None:
            return io.Take(recording, None)
        lines = read_labels(label_file, len(LABELS))
        spans = tuple(self._span(line, label_file, recording.num_frames) for line in lines)
        return io.Take(recording, Annotation(spans, LABELS))

    def _span(self, line: LabelLine, file: Path, num_frames: int) -> Span:
        """The seconds of a label."""
        first = line.start if self.frames == "slice" else max(line.start - 1, 0)
        if first >= num_frames:
            raise InputError(
                f"{file}:{line.line}: the action starts at frame {line.start}, but the recording has {num_frames}; "
                "check that label and skeleton file belong together"
            )
        return Span(first / FPS, line.end / FPS, LABELS.names[line.label - 1])

    def splits(self, infos: Sequence[RecordingInfo], labels: LabelSet | None) -> tuple[Split, ...]:
        """``cross-subject`` and ``cross-view``, one fold each, from the official split files."""
        splits: list[Split] = []
        for name in _SPLIT_NAMES:
            sides = [info.attributes.get(name.replace("-", "_")) for info in infos]
            splits += split_by_values(name, infos, sides, {1: ({"train"}, {"test"})})
        return tuple(splits)


@RECIPES.register("pku-mmd-1")
@dataclass(frozen=True)
class PkuMmd1(_PkuMmd):
    """1076 videos of 3 to 4 minutes, 51 classes, 66 subjects, views L, M and R.

    Splits, from the official files: ``cross-subject`` (944 train, 132 test) and ``cross-view``.
    """

    title: ClassVar[str] = "PKU-MMD phase 1"
    paper: ClassVar[str] = "Liu et al., PKU-MMD, ACM MM workshop 2017 (arXiv 1703.07475)"
    phase: ClassVar[int] = 1
    split_files: ClassVar[Mapping[str, str]] = {"cross-subject": "cross-subject.txt", "cross-view": "cross-view.txt"}


@RECIPES.register("pku-mmd-2")
@dataclass(frozen=True)
class PkuMmd2(_PkuMmd):
    """1009 shorter videos by 13 subjects, some of the 51 classes, views L, M and R.

    Splits, from the official files (``cross_subject_v2``, ``cross_view_v2``): ``cross-subject`` and ``cross-view``.
    """

    title: ClassVar[str] = "PKU-MMD phase 2"
    paper: ClassVar[str] = "Liu et al., PKU-MMD, ACM MM workshop 2017 (arXiv 1703.07475)"
    phase: ClassVar[int] = 2
    split_files: ClassVar[Mapping[str, str]] = {
        "cross-subject": "cross_subject_v2.txt",
        "cross-view": "cross_view_v2.txt",
    }


def read_split(file: Path) -> dict[str, str]:
    """The side ("train" or "test") of each video of an official split file.

    The file has a heading, a list of videos separated by commas, a second heading and a second list. Headings are
    recognised by how they begin (the published files spell the second one "Validataion"); lists may end in a comma and
    go over several lines. Raises InputError, naming file and line, for a list before the first heading, a video that is
    listed twice, and a side that is missing or empty.
    """
    sides: dict[str, str] = {}
    side: str | None = None
    for location, line in numbered_lines(file):
        heading = line.lower()
        if heading.startswith(("train", "valid", "test")) and "," not in heading:
            side = "train" if heading.startswith("train") else "test"
            continue
        for name in filter(None, map(str.strip, line.split(","))):
            if side is None:
                raise InputError(f"{location}: found {name[:40]!r}, expected a heading such as 'Training videos:'")
            if name in sides:
                raise InputError(f"{location}: {name} is listed twice")
            sides[name] = side
    for missing in sorted({"train", "test"}.difference(sides.values())):
        raise InputError(f"{file}: lists no video to {missing} on; expected two headings, each with a list of videos")
    return sides


def _find_files(raw: Path, phase: int) -> tuple[dict[str, dict[str, Path]], list[Path]]:
    """Files below `raw` by kind (skeleton, label, split) and name, and all others.

    Where there are several of one name the preferred version counts, and the rest are among the others.
    """
    files: dict[str, dict[str, Path]] = {"skeleton": {}, "label": {}, "split": {}}
    others: list[Path] = []
    for kind, name, file in sorted(
        _candidates(raw, phase), key=lambda candidate: not _is_preferred(candidate[0], candidate[2].relative_to(raw))
    ):
        if kind == "other" or name in files[kind]:
            others.append(file)
        else:
            files[kind][name] = file
    return files, sorted(others)


def _candidates(raw: Path, phase: int) -> Iterator[tuple[str, str, Path]]:
    """(kind, name, file) of each text file: kind skeleton, label, split or other; the name of a split file is ours.

    Files whose path names only the other phase are of kind other.
    """
    for file in sorted(raw.rglob("*")):
        relative = file.relative_to(raw)
        is_hidden = any(name.startswith(".") for name in relative.parts)
        if file.suffix.lower() not in _SUFFIXES or not file.is_file() or is_hidden:
            continue
        path = f"{raw.resolve().name}/{relative.as_posix()}".lower()
        split = next((name for name, pattern in _SPLIT_NAMES.items() if pattern.search(file.stem.lower())), None)
        names_this, names_other = _PHASES[phase].search(path), _PHASES[3 - phase].search(path)
        # the split files of phase 1 have no number of their own
        if not names_this and (names_other or (split and phase == 2)):
            yield "other", file.stem, file
        elif split is not None:
            yield "split", split, file
        else:
            is_recording = re.fullmatch(r".+-[LMR]", file.stem)
            yield _kind(file, path) if is_recording else "other", file.stem, file


def _kind(file: Path, path: str) -> str:
    """skeleton, label or other: by suffix, else by the innermost folder that names a kind, else by the first line."""
    suffix = file.suffix.lower()
    if suffix != ".txt":
        return suffix[1:]
    for folder in reversed(path.split("/")[:-1]):
        for kind in ("skeleton", "label"):
            if kind in folder:
                return kind
    with file.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if READERS["pku-mmd"].sniff(file, head):
        return "skeleton"
    return "label" if re.match(rb"\s*\d+\s*,\s*\d+\s*,\s*\d+\s*,\s*\d+", head) else "other"


def _is_preferred(kind: str, file: Path) -> bool:
    """Whether the path below the raw folder says that this is the renewed, final or (a split) numbered version."""
    words = {"skeleton": ("renew",), "label": ("final",), "split": ("v1", "v2")}.get(kind, ())
    return any(word in file.as_posix().lower() for word in words)
