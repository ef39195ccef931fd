"""Writing a corpus atomically: it is complete or absent."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
from collections.abc import Container, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from ..data.annotation import Annotation, LabelSet
from ..data.recording import Recording, motion_checksum
from ..errors import InputError
from ..files import write_atomically
from .carry import carried_sets
from .index import FORMAT, Index, decode, encode, encode_annotation
from .info import RecordingInfo
from .splits import Split
from .store import FRAMES_FILE, INDEX_FILE, VALID_FILE, Corpus, pack_valid

PEOPLE_DECISION = "labels say whose an action is: people are told apart, each trained, localized and scored alone"


class CorpusWriter:
    """Writes a corpus, recording by recording, in a ``with`` block.

    Everything goes into a hidden folder beside `path`; leaving the block without an error writes the index, syncs all
    to disk and renames the folder to `path`. An error removes the folder. A killed process leaves it behind, without
    an index, until the next writer to the same path removes it. `labels` is the label set of all annotations, by
    default that of the first. With `overwrite` an older corpus is replaced when the new one is complete, and its
    annotation sets are carried over by the names of recordings (see `carried_sets`).

    Raises InputError for a path that exists, a recording name given twice, annotations over another label set, splits
    that name unknown recordings or labels, and a corpus without recordings.
    """

    def __init__(self, path: str | Path, name: str, labels: LabelSet | None = None, overwrite: bool = False) -> None:
        self.path = Path(os.path.abspath(path))
        self.name = name
        self.labels = labels
        self.overwrite = overwrite
        self.additions: tuple[str, Mapping[str, Annotation]] | None = None
        """An annotation set of the corpus that is replaced, and annotations for its recordings that have none."""
        self.keeps_prepared = False
        """Whether labels that the replaced corpus was prepared with are kept where there are no new ones."""
        self._infos: dict[str, RecordingInfo] = {}
        self._annotations: dict[str, dict[str, Any]] = {}
        self._splits: dict[str, Split] = {}
        self._decisions: list[str] = []
        self._files: list[IO[bytes]] = []
        self._open = ExitStack()
        self._folder: Path | None = None

    def __enter__(self) -> Self:
        _check_target(self.path, self.overwrite)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(self.path)
        try:
            self._folder = self._begin()
            for name in (FRAMES_FILE, VALID_FILE):  # for appending: a writer that resumes continues at their ends
                self._files.append(self._open.enter_context((self._folder / name).open("ab")))
        except BaseException:
            self._open.close()
            raise
        return self

    def _begin(self) -> Path:
        """Create and lock the folder to write into."""
        folder = self._hidden_folder("partial")
        self._lock(folder)
        return folder

    def _abandon(self, folder: Path) -> None:
        """Clean up after a failure."""
        shutil.rmtree(folder, ignore_errors=True)

    def _lock(self, folder: Path) -> None:
        """Lock a folder until the end. Raises OSError where another process holds it."""
        lock = _lock(folder)
        if lock is not None:
            self._open.callback(os.close, lock)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        folder, self._folder = self._folder, None
        assert folder is not None
        is_complete = False
        try:
            if kind is None:
                self._commit(folder)
                is_complete = True
        finally:
            with suppress(OSError):  # after a failed write the flush fails too
                self._open.close()
            if not is_complete:
                self._abandon(folder)

    @property
    def infos(self) -> tuple[RecordingInfo, ...]:
        """The recordings written so far."""
        return tuple(self._infos.values())

    @property
    def decisions(self) -> tuple[str, ...]:
        """The plain lines about what was decided so far."""
        return tuple(self._decisions)

    def add(self, recording: Recording, annotation: Annotation | None = None) -> RecordingInfo:
        """Write a recording and its annotation, if any; returns its RecordingInfo, ``annotated`` not yet set.

        Raises InputError for a bad name, label set or person, or uneven times, and OSError where the disk is full.
        """
        if self._folder is None:
            raise RuntimeError("CorpusWriter is used outside of its with block")
        if recording.times is not None:
            raise InputError(f"recording {recording.name!r}: its frames are uneven in time; bring it to its fps first")
        if recording.name in self._infos or not recording.name:
            raise InputError(
                f"corpus {self.name!r}: a recording named {recording.name!r} "
                f"{'already exists' if recording.name else 'cannot be stored'}; names must be unique and not empty"
            )
        encoded = None if annotation is None else self._encode(recording.name, annotation, recording.num_people)
        positions = np.ascontiguousarray(recording.positions, dtype="<f4")
        try:
            for file, array in zip(self._files, (positions, pack_valid(recording.valid)), strict=True):
                file.write(np.ascontiguousarray(array).data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._folder)) from error
        info = RecordingInfo(
            name=recording.name,
            fps=float(recording.fps),
            num_frames=recording.num_frames,
            num_people=recording.num_people,
            skeleton=recording.skeleton,
            source=recording.source,
            checksum=motion_checksum(recording.fps, positions, recording.valid),
            attributes={str(key): str(value) for key, value in recording.attributes.items()},
            history=recording.history,
            annotated=False,
        )
        self._infos[info.name] = info
        if encoded is not None:
            self._annotations[recording.name] = encoded
        return info

    def annotate(self, name: str, annotation: Annotation) -> None:
        """Add the annotation of a recording that was written without one. Raises InputError."""
        if name not in self._infos or name in self._annotations:
            reason = "is annotated already" if name in self._infos else "is not in the corpus"
            raise InputError(f"corpus {self.name!r}: recording {name!r} {reason}")
        self._annotations[name] = self._encode(name, annotation, self._infos[name].num_people)

    def add_split(self, split: Split) -> None:
        """Add a split; its recordings and labels are checked when the corpus is finished."""
        if split.name in self._splits:
            raise InputError(f"corpus {self.name!r}: split {split.name!r} already exists")
        self._splits[split.name] = split

    def decide(self, line: str) -> None:
        """Add a plain line about what was decided where files did not say it."""
        self._decisions.append(line)

    def attach(self, name: str, text: str) -> None:
        """Add a text file, for people, to the folder of the corpus."""
        assert self._folder is not None
        write_atomically(self._folder / name, text)

    def _encode(self, name: str, annotation: Annotation, num_people: int) -> dict[str, Any]:
        """Plain data of an annotation. Raises InputError for another label set and a person whom no slot holds."""
        if self.labels is None:
            self.labels = annotation.labels
        if annotation.labels != self.labels:
            raise InputError(
                f"recording {name!r}: its annotation is over labels {_brief(annotation.labels)}, "
                f"the corpus has {_brief(self.labels)}; bring them to one label set first"
            )
        if annotation.people and annotation.people[-1] >= num_people:
            slots = "slot 0" if num_people == 1 else f"slots 0 to {num_people - 1}"
            raise InputError(
                f"recording {name!r}: labels of person {annotation.people[-1]}, expected {slots}, as the motion has "
                f"{num_people} {'person' if num_people == 1 else 'people'}; number people from 0 in the person column"
            )
        if annotation.people and num_people > 1 and PEOPLE_DECISION not in self._decisions:
            self.decide(PEOPLE_DECISION)
        return encode_annotation(annotation)

    def _commit(self, folder: Path) -> None:
        """Check, write the index, sync, and rename the folder to the path."""
        if not self._infos:
            raise InputError(f"corpus {self.name!r}: no recording was added")
        check_splits(self._splits.values(), self._infos, self.labels)
        infos = tuple(replace(info, annotated=name in self._annotations) for name, info in self._infos.items())
        annotations = tuple(self._annotations.get(name) for name in self._infos)
        splits = tuple(self._splits.values())
        index = Index(self.name, self.labels, infos, annotations, splits, self.decisions)
        text = encode(index)
        self._check_sizes()
        self._files.append(self._open.enter_context((folder / INDEX_FILE).open("wb")))
        self._files[-1].write(text.encode("ascii"))
        for file in self._files:
            file.flush()
            os.fsync(file.fileno())
        _sync(folder)
        if self.overwrite and self.path.exists():
            with carried_sets(self.path, folder, index, self.additions, self.keeps_prepared):
                self._publish(folder)
        else:
            self._publish(folder)
        _sync(self.path.parent)

    def _publish(self, folder: Path) -> None:
        """Rename the finished folder to the path; an older corpus is moved aside first, and back if that fails."""
        _check_target(self.path, self.overwrite)
        if not self.path.exists():
            os.rename(folder, self.path)
            return
        replaced = self._hidden_folder("replaced")
        os.rename(self.path, replaced / "old")
        try:
            os.rename(folder, self.path)
        except BaseException:
            os.rename(replaced / "old", self.path)
            raise
        finally:
            shutil.rmtree(replaced, ignore_errors=True)

    def _hidden_folder(self, purpose: str) -> Path:
        """A new hidden folder beside the path, on the same file system."""
        folder = self.path.with_name(f".{self.path.name}.{purpose}-{secrets.token_hex(6)}")
        folder.mkdir()
        return folder

    def _check_sizes(self) -> None:
        """Check the sizes of the files, as a caller may have caught the error of a failed write. Raises InputError."""
        entries = [info.num_frames * info.num_people for info in self._infos.values()]
        joints = [info.skeleton.num_joints for info in self._infos.values()]
        bytes_of = (12, 1)  # of a joint's position, and of up to eight joints' bits
        counts = (joints, [(count + 7) // 8 for count in joints])
        expected = [
            size * sum(n * c for n, c in zip(entries, count, strict=True))
            for size, count in zip(bytes_of, counts, strict=True)
        ]
        if [file.tell() for file in self._files] != expected:
            raise InputError(f"corpus {self.name!r}: a recording was written incompletely; the corpus is discarded")


def add_split(path: str | Path, split: Split, overwrite: bool = False) -> None:
    """Add a split to a finished corpus, whose index alone is rewritten, atomically; no frame is read.

    overwrite: replace a split of that name. A Corpus that is open keeps the splits that it was opened with.
    Raises InputError for a folder without a corpus, a split of that name, unknown recordings and unknown labels, and
    where another process is adding a split.
    """
    corpus = Corpus.open(path)  # checks the folder, its files and its index
    file = corpus.path / INDEX_FILE
    with ExitStack() as stack:
        try:
            lock = _lock(corpus.path)
        except OSError:
            raise InputError(f"{corpus.path}: another process is changing this corpus; wait for it to end") from None
        if lock is not None:
            stack.callback(os.close, lock)
        index = decode(file.read_text(encoding="utf-8"), file)
        splits = {present.name: present for present in index.splits}
        if split.name in splits and not overwrite:
            raise InputError(
                f"corpus {index.name!r}: split {split.name!r} already exists; choose another --name, or replace it "
                "with --overwrite"
            )
        check_splits([split], {info.name for info in index.infos}, index.labels)
        write_atomically(file, encode(replace(index, splits=tuple({**splits, split.name: split}.values()))))


def check_splits(splits: Iterable[Split], names: Container[str], labels: LabelSet | None) -> None:
    """Check that splits are of recordings with these names and drop labels of this set. Raises InputError."""
    for split in splits:
        for number, fold in split.folds.items():
            for name in (*fold.train, *fold.test):
                if name not in names:
                    raise InputError(f"split {split.name!r}, fold {number}: recording {name!r} is not in the corpus")
        for label in split.drop_labels:
            if labels is None:
                raise InputError(f"split {split.name!r} drops label {label!r} of a corpus without labels")
            labels.index(label)


def _check_target(path: Path, overwrite: bool) -> None:
    """Check that a corpus may be written to the path. Raises InputError."""
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise InputError(f"{path}: exists already; choose another path or allow to overwrite it")
    index = path / INDEX_FILE
    is_corpus = index.is_file() and f'"{FORMAT}"' in _head(index)
    if path.is_symlink() or not path.is_dir() or not (is_corpus or not any(path.iterdir())):
        raise InputError(f"{path}: is not a corpus, so it is not overwritten; choose another path or remove it")


def _head(file: Path) -> str:
    with open(file, "rb") as stream:
        return stream.read(200).decode("utf-8", "replace")


def _lock(folder: Path) -> int | None:
    """A handle that locks a folder as long as this process lives; None where the system has no such locks.

    Raises OSError where another process holds it.
    """
    try:
        import fcntl
    except ImportError:
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _sweep(path: Path) -> None:
    """Remove the hidden folders, no longer locked, of killed writers to the path."""
    for folder in path.parent.glob(f".{glob.escape(path.name)}.partial-*"):
        try:
            lock = _lock(folder)
        except OSError:
            continue
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _sync(folder: Path) -> None:
    """Sync the names in a folder to disk, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _brief(labels: LabelSet) -> str:
    names = ", ".join(labels.names[:6])
    return f"({len(labels)}: {names}{', ...' if len(labels) > 6 else ''})"
