"""BABEL (Punnakkal et al., CVPR 2021): the actions in AMASS, labelled in time.

See ``babel_json`` for annotation files, ``babel_labels`` for label sets, ``babel_rules`` for frame rate and spans, and
``babel_motion`` for the files of the motion.
"""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from ... import io
from ...arrays import Float64Array, IntArray
from ...corpus.info import RecordingInfo
from ...corpus.splits import Split
from ...corpus.splitting import split_by_values
from ...data.annotation import LabelSet, spans_from_frames
from ...data.recording import Recording
from ...data.skeleton import Skeleton
from ...data.skeletons import NTU_25
from ...errors import InputError
from ...io import amass, smplh
from . import babel_json, babel_motion, babel_rules
from .babel_json import Sequence
from .babel_labels import OVERLAPPING, Labels, label_set
from .base import RECIPES, Item, Recipe, Survey

STAL_POINTS = (0, 3, 12, 15, 16, 18, 20, 22, 17, 19, 21, 37, 1, 4, 7, 10, 2, 5, 8, 11, 9, 63, 64, 68, 69)
"""The point of the body for each NTU joint, as in STAL and BABEL: the tips of thumb and index finger are swapped, so
that a "hand tip" is a thumb's. Under ``fixed`` they are `smplh.NTU_POINTS`."""

CMU_AMC = "cmu-amc"
_CMU_FPS = (120.0, 60.0)
"""CMU's rates; AMC files do not state theirs."""
_TOLERANCE = 0.5
"""Largest difference, in seconds, between the length of the motion and the one that BABEL states."""


@dataclass(frozen=True)
class Source:
    """The source of a recording: the labelled sequence, the label set, the rate (None: that of the file), and the file
    of the body (None for CMU's own skeletons)."""

    sequence: Sequence
    labels: LabelSet
    fps: float | None
    body: Path | None


Motion = tuple[Float64Array, Skeleton, tuple[str, ...]]
"""Positions (T, P, J, 3) in metres, y up, at 30 frames per second; their skeleton; their history."""


@RECIPES.register("babel")
@dataclass(frozen=True)
class Babel(Recipe):
    """BABEL v1.0: ``babel_v1.0_release/{train,val,extra_train,extra_val}.json`` with AMASS, or CMU's own files.

    Joints are those of an SMPL-H body, `body_model`, at 30 frames per second. Recordings are named after their number
    in BABEL and have the attributes part (train, val, ...), motion (path in AMASS), dataset and subject. Only labels
    in time are used, not those of whole sequences.
    """

    title: ClassVar[str] = "BABEL"
    paper: ClassVar[str] = (
        "Punnakkal et al., BABEL: Bodies, Action and Behavior with English Labels, CVPR 2021; motion: Mahmood et al., "
        "AMASS, ICCV 2019; subsets 1 to 3: Yu and Fujiwara, Frame-Level Label Refinement (STAL), AAAI 2023"
    )
    licence: ClassVar[str] = "BABEL, AMASS and SMPL-H: non-commercial research, registration needed; CMU: free use"

    amass: Path | None = None
    """Folder in which AMASS's archives are unpacked; by default "amass" below the raw folder."""
    body_model: Path | None = None
    """SMPL-H body for AMASS, male: its .npz file or the folder that it was unpacked in; by default below the raw
    folder or AMASS. It has a licence of its own and comes from https://mano.is.tue.mpg.de only."""
    motion: tuple[str, str] | None = None
    """cmu-amc DIR: only BABEL's CMU part, from CMU's own ASF/AMC files in DIR (SUBJECT/SUBJECT_TRIAL.amc, or all in one
    folder); needs neither AMASS nor a body. Files that differ from BABEL's length by over 0.5 s are refused."""
    labels: Labels = "subset1"
    """Label set: STAL's subset1, subset2, subset3 (4 labels each); babel60, babel120 (the most frequent categories);
    tal20, tal60 (for detection, overlapping; they need the rules "fixed")."""
    classes: Path | None = None
    """For tal20 and tal60: text file with one category per line, in place of the most frequent labels of train.json."""
    rules: Literal["stal", "fixed"] = "stal"
    """stal: as the published benchmark was built, faults included (labels after an unlabelled gap come too early).
    fixed: unlabelled time is left unlabelled, frames are evenly spaced, the shorter of overlapping labels holds."""
    longest: int = 1000
    """The most frames of a recording, at 30 per second; longer ones are left out, as in STAL. 0: no limit."""
    everything: bool = False
    """Also recordings without any label of the set, or without labels, of any length: to pretrain on."""
    extra: bool = False
    """Also extra_train.json and extra_val.json, which STAL does not use."""
    translation: bool = False
    """Let the body move through space; STAL keeps the pelvis in its place. Needs the rules "fixed"."""

    def __post_init__(self) -> None:
        """Validate the options. Raises InputError for those that contradict each other."""
        if self.motion is not None and (len(self.motion) != 2 or self.motion[0] != CMU_AMC):
            raise InputError(f"--motion is {' '.join(self.motion)!r}, expected {CMU_AMC} and a folder")
        if self.motion is not None and (self.amass is not None or self.body_model is not None):
            raise InputError("--motion takes the place of AMASS: leave out --amass and --body-model")
        if self.labels in OVERLAPPING and self.rules != "fixed":
            raise InputError(f"--labels {self.labels} may overlap, the STAL build has one per frame: add --rules fixed")
        if self.classes is not None and self.labels not in OVERLAPPING:
            raise InputError(f"--classes goes with --labels {' or '.join(OVERLAPPING)}, not {self.labels}")
        if self.translation and self.rules != "fixed":
            raise InputError("--translation: the STAL build keeps the pelvis in its place; add --rules fixed")
        if self.longest < 0:
            raise InputError(f"--longest is {self.longest}, expected a number of frames, or 0 for no limit")

    def survey(self, raw: Path) -> Survey:
        """The sequences that the rules select and whose motion exists; those without motion are refused by name."""
        release = babel_json.find_release(raw)
        root, body = self._motion_root(raw)
        sequences, refused = self._sequences(release)
        train = [sequence for sequence in sequences if sequence.part == "train"]
        labels = label_set(self.labels, release, train, self.classes)
        rates = babel_motion.read_rates(release, raw)
        items: dict[str, Item] = {}
        for sequence in sequences:
            if not self._is_selected(sequence, labels):
                continue
            paths = (babel_motion.cmu_paths if self.motion else babel_motion.amass_paths)(sequence.motion)
            file = babel_motion.first_existing(root, paths)
            listed = release / f"{sequence.part}.json"
            if file is None:
                refused.append((listed, f"{listed}, record {sequence.sid}: no motion; tried {_few(root, paths)}"))
            elif sequence.sid in items:
                refused.append((listed, f"{listed}, record {sequence.sid}: another file lists it already"))
            else:
                source = Source(sequence, labels, rates.get(sequence.motion), body)
                items[sequence.sid] = Item(sequence.sid, file, source)
        test = release / "test.json"  # without labels; it ranks submissions, so it is not for pretraining either
        return Survey(tuple(items.values()), tuple(refused), (test,) if test.is_file() else (), labels)

    def read(self, item: Item) -> io.Take:
        """The recording at 30 frames per second and its annotation; see `babel_rules`."""
        source: Source = item.details
        positions, skeleton, history = self._cmu_motion(item) if self.motion else self._amass_motion(item)
        frames = len(positions)
        annotation = None
        if self.rules == "fixed":
            annotation = babel_rules.fixed_annotation(source.sequence, source.labels, frames / babel_rules.FPS)
        elif len(ids := babel_rules.stal_ids(source.sequence, source.labels)):
            positions, ids = positions[: len(ids)], ids[:frames]
            history = (*history, f"the first {len(ids)} of {frames} frames: as many as are labelled")
            annotation = spans_from_frames(ids, float(babel_rules.FPS), source.labels)
        folders = Path(source.sequence.motion).parts[:-1]
        recording = Recording(
            positions=positions.astype(np.float32),
            fps=float(babel_rules.FPS),
            skeleton=skeleton,
            name=item.name,
            source=source.sequence.motion,
            attributes={
                "part": source.sequence.part,
                "motion": source.sequence.motion,
                "dataset": Path(source.sequence.motion).parts[0],
                "subject": "/".join(folders),
            },
            history=history,
        )
        return io.Take(recording, annotation)

    def splits(self, infos: SequenceOf[RecordingInfo], labels: LabelSet | None) -> tuple[Split, ...]:
        """``official``, fold 1: trains on train (and extra_train), tests on val (and extra_val)."""
        parts = [info.attributes.get("part") for info in infos]
        return split_by_values("official", infos, parts, {1: ({"train", "extra_train"}, {"val", "extra_val"})})

    # ---- the sequences -----------------------------------------------------------------------------------------

    def _sequences(self, release: Path) -> tuple[list[Sequence], list[tuple[Path, str]]]:
        """The records of every part that exists, and those that are broken."""
        sequences: list[Sequence] = []
        refused: list[tuple[Path, str]] = []
        for part in (*babel_json.PARTS, *(babel_json.EXTRA_PARTS if self.extra else ())):
            path = release / f"{part}.json"
            if path.is_file():
                readable, broken = babel_json.read_part(path)
                sequences += readable
                refused += broken
        return sequences, refused

    def _is_selected(self, sequence: Sequence, labels: LabelSet) -> bool:
        """Whether the rules select a sequence; its motion is not read."""
        if self.motion is not None and Path(sequence.motion).parts[0] != babel_motion.CMU:
            return False
        if self.everything:
            return True
        named = {name for segment in sequence.segments or () for name in segment.categories}
        if named.isdisjoint(labels.names):
            return False
        if self.rules == "stal":
            ids = babel_rules.stal_ids(sequence, labels)
            frames, labelled = len(ids), bool(ids.any())
        else:
            annotation = babel_rules.fixed_annotation(sequence, labels, sequence.duration)
            frames = int(babel_rules.FPS * sequence.duration)
            labelled = annotation is not None and bool(annotation.spans)
        return labelled and not (self.longest and frames > self.longest)

    # ---- motion ------------------------------------------------------------------------------------------------

    def _motion_root(self, raw: Path) -> tuple[Path, Path | None]:
        """The folder of the motion and, for AMASS, the body. Raises InputError where one is missing."""
        root = Path(self.motion[1]) if self.motion else self.amass or raw / "amass"
        if not root.is_dir():
            hint = "" if self.motion else "; give AMASS's folder with --amass, or CMU's own files with --motion cmu-amc"
            raise InputError(f"{root}: no such folder with BABEL's motion{hint}")
        if self.motion is not None:
            return root, None
        body = smplh.find_body(self.body_model) if self.body_model else smplh.find_body(raw, root)
        smplh.load_body(body)  # refuses a bad body now, not with every file
        return root, body

    def _amass_motion(self, item: Item) -> Motion:
        """Joints of the body, turned y up."""
        source: Source = item.details
        assert source.body is not None
        motion = amass.read_motion(item.file)
        fps = source.fps or motion.fps
        if fps is None:
            raise InputError(f"{item.file}: the file states no frame rate")
        frames, history = self._frames(item, len(motion.poses), fps)
        motion = replace(motion, poses=motion.poses[frames], translation=motion.translation[frames])
        points = STAL_POINTS if self.rules == "stal" else smplh.NTU_POINTS
        positions = amass.joints(motion, smplh.load_body(source.body), points, self.translation) @ amass.Y_UP.T
        note = f"joints of the SMPL-H body {source.body.name}, mean shape, turned from z up"
        return positions, NTU_25, (*motion.notes, note, *history)

    def _cmu_motion(self, item: Item) -> Motion:
        """Joints of the performer's own skeleton from CMU."""
        source: Source = item.details
        recording = io.read(item.file, "amc", io.ReadOptions(fps=source.fps or _CMU_FPS[0])).recording
        duration = source.sequence.duration
        fps = source.fps or min(_CMU_FPS, key=lambda rate: abs(recording.num_frames / rate - duration))
        frames, history = self._frames(item, recording.num_frames, fps)
        positions = recording.positions[frames].astype(np.float64)
        if not self.translation:
            positions -= positions[:, :, list(recording.skeleton.root)].mean(axis=2, keepdims=True)
        note = f"CMU's {item.file.name} on its performer's own skeleton"
        return positions, recording.skeleton, (note, *history)

    def _frames(self, item: Item, num_frames: int, fps: float) -> tuple[IntArray, tuple[str, ...]]:
        """The frames for 30 per second, and a note. Raises InputError where motion and labels differ in length."""
        duration = item.details.sequence.duration
        is_checked = self.rules == "fixed" or self.motion is not None  # STAL uses AMASS as it is
        if is_checked and abs(num_frames / fps - duration) > _TOLERANCE:
            raise InputError(
                f"{item.file}: {num_frames} frames at {fps:g} a second are {num_frames / fps:.2f} s, but BABEL's "
                f"record {item.name} is {duration:.2f} s long: another take, or a release in which it was cut"
            )
        select = babel_rules.stal_frames if self.rules == "stal" else babel_rules.even_frames
        return select(num_frames, fps), (f"{num_frames} frames at {fps:g} fps brought to 30 fps ({self.rules})",)


def _few(root: Path, paths: SequenceOf[str]) -> str:
    """A few of the paths that were tried."""
    shown = ", ".join(paths[:4])
    return f"{shown}{f' and {len(paths) - 4} more' if len(paths) > 4 else ''} below {root}"
