"""The recordings of a page by id: listed at once, read when they are looked at, the last ones kept in memory."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from .. import io
from ..arrays import Float32Array
from ..corpus.info import RecordingInfo
from ..corpus.store import INDEX_FILE, Corpus
from ..data.annotation import Annotation
from ..data.display import counted
from ..data.recording import Recording
from ..errors import InputError
from ..io.base import CHECK
from ..io.describe import take_lines
from ..runs.answers import Answer, Answers
from ..transforms.normalise import even_rate
from ..viewer.curves import CurveKind, joint_curve
from ..viewer.payload import MotionBytes
from .video import Videos

CACHE_BYTES = 2**30
"""Recordings that were read stay in memory up to this many bytes; the last one always does."""
MAX_CURVES = 64
"""Curves of a recording that stay in memory."""
READINGS = 2
"""Files that are read at the same time."""


class NotFoundError(InputError):
    """What was asked for is not there."""


class Facts(NamedTuple):
    """What is known of a recording once it was read."""

    name: str
    """Its own name, which predictions know it by."""
    duration: float
    fps: float
    people: int
    skeleton: str
    warnings: int


@dataclass
class Entry:
    """A recording in the list."""

    id: int
    name: str
    """The name that is shown."""
    kind: Literal["corpus", "file", "dropped"]
    path: Path | None = None
    """The motion file; None: it is of the corpus."""
    format: str = io.AUTO
    options: io.ReadOptions = field(default_factory=io.ReadOptions)
    override_fps: bool = True
    """Whether the rate of the options holds against that of the file."""
    facts: Facts | None = None
    error: str | None = None
    """Why it cannot be read."""
    if_missing: str = "no such file; it was moved since it was listed"
    """What to say where the file is not there."""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Held while it is read."""

    @property
    def recording_name(self) -> str:
        """The name that predictions know it by."""
        if self.facts is not None:
            return self.facts.name
        return self.name if self.path is None else self.path.stem


def _facts_of(info: RecordingInfo) -> Facts:
    warnings = sum(note.startswith(CHECK) for note in info.history)
    return Facts(info.name, info.duration, info.fps, info.num_people, info.skeleton.name, warnings)


def _index_stamp(folder: Path) -> tuple[int, int] | None:
    """What tells one index of a corpus from the next; None where there is none now."""
    try:
        status = (folder / INDEX_FILE).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


class OpenRecording:
    """A recording that was read, with what the page asks of it."""

    def __init__(self, take: io.Take, format: str) -> None:
        self.uneven = take.recording.times is not None
        self.duration = take.recording.duration
        self.lines = take_lines(take, format, most=None)
        """What it is, what was decided while reading, and what looks wrong, as on the command line."""
        self.annotation: Annotation | None = take.annotation
        self.recording: Recording = even_rate(take.recording)
        self.motion = MotionBytes(self.recording)
        self._curves: OrderedDict[tuple[CurveKind, int, int], Float32Array] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def facts(self) -> Facts:
        """What the list says of it."""
        recording = self.recording
        warnings = sum(line.startswith(CHECK) for line in self.lines)
        people = len(recording.people)
        return Facts(recording.name, self.duration, recording.fps, people, recording.skeleton.name, warnings)

    @cached_property
    def num_bytes(self) -> int:
        """About what it holds."""
        return self.recording.positions.nbytes + self.recording.valid.nbytes + self.motion.num_bytes

    def curve(self, kind: CurveKind, person: int, joint: int) -> Float32Array:
        """The curve (T,) of a joint. Raises InputError for an angle where no two bones meet."""
        key = kind, person, joint
        with self._lock:
            if key not in self._curves:
                ground = self.motion.survey[0] if kind == "height" else 0.0
                self._curves[key] = joint_curve(self.recording, kind, person, joint, ground)
                while len(self._curves) > MAX_CURVES:
                    self._curves.popitem(last=False)
            self._curves.move_to_end(key)
            return self._curves[key]


class Workspace:
    """What was opened: recordings of a corpus or motion files, predictions beside them, files dropped on the page.

    Any thread may use it.
    """

    def __init__(
        self,
        title: str,
        corpus: Corpus | None = None,
        roots: Iterable[Path] = (),
        options: io.ReadOptions | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.title = title
        self.corpus = corpus
        self.options = options or io.ReadOptions()
        """The options of reading that motion files were opened with."""
        self.roots = [root.absolute() for root in roots]
        """The files and folders that were opened; nothing else on this computer is named or read."""
        self.drop_folders: set[Path] = set()
        """Folders of files that were dropped on the page; messages name the files alone."""
        self.answers: dict[str, Answers] = {}
        """Opened predictions, by the id of the model that the page knows them by."""
        self.shown_answers: str | None = None
        """Those that are shown; None: what the loaded model says."""
        self.videos: Videos | None = None
        """Videos beside the recordings."""
        self._stamp = None if corpus is None else _index_stamp(corpus.path)
        self._entries: dict[int, Entry] = {}
        self._ids: dict[str, int] = {}
        self._next_id = itertools.count()
        self._uncertainty: dict[tuple[str, str], float] = {}
        self._open: OrderedDict[int, OpenRecording] = OrderedDict()
        self._cache_bytes = cache_bytes
        self._lock = threading.RLock()
        self._readings = threading.BoundedSemaphore(READINGS)

    # ---- the list ----------------------------------------------------------------------------------------------

    @property
    def entries(self) -> list[Entry]:
        """The recordings, in order."""
        with self._lock:
            return list(self._entries.values())

    def entry(self, id: int) -> Entry:
        """A recording by id. Raises NotFoundError."""
        with self._lock:
            if id not in self._entries:
                raise NotFoundError(f"no recording has the id {id}; load the list of recordings again")
            return self._entries[id]

    def id_of(self, name: str) -> int | None:
        """The id of the recording that annotation sets and predictions know by a name, None where there is none."""
        with self._lock:
            if not self._ids:
                self._ids = {entry.recording_name: entry.id for entry in reversed(self._entries.values())}
            return self._ids.get(name)

    def add_corpus(self, names: Iterable[str]) -> None:
        """List recordings of the corpus, by name."""
        assert self.corpus is not None
        with self._lock:
            for name in names:
                facts = _facts_of(self.corpus.infos[self.corpus.index(name)])
                self._add(Entry(next(self._next_id), name, "corpus", facts=facts))

    def refresh_corpus(self) -> bool:
        """Open the corpus anew where it was prepared again or extended since; returns whether it was.

        Recordings keep their ids by name; those that are new are listed last, those that are gone no more. Raises
        InputError where there is no corpus any more.
        """
        if self.corpus is None or (stamp := _index_stamp(self.corpus.path)) == self._stamp:
            return False
        corpus = Corpus.open(self.corpus.path)
        with self._lock:
            listed = {entry.name: entry for entry in self._entries.values() if entry.kind == "corpus"}
            is_whole = listed.keys() >= set(self.corpus.names)  # else those that predictions name
            self.corpus, self._stamp = corpus, stamp
            for name, entry in listed.items():
                self._open.pop(entry.id, None)
                if name in corpus:
                    entry.facts, entry.error = _facts_of(corpus.infos[corpus.index(name)]), None
                else:
                    del self._entries[entry.id]
            self._ids = {}
            if is_whole:
                self.add_corpus(name for name in corpus.names if name not in listed)
        return True

    def add_file(
        self,
        path: Path,
        name: str,
        format: str = io.AUTO,
        options: io.ReadOptions | None = None,
        *,
        kind: Literal["file", "dropped"] = "file",
        override_fps: bool = True,
        if_missing: str | None = None,
    ) -> Entry:
        """List a motion file, which is read when it is looked at.

        if_missing: the file may not be there, and what is then said of it.
        """
        with self._lock:
            options = self.options if options is None else options
            entry = Entry(next(self._next_id), name, kind, path, format, options, override_fps)
            if if_missing is not None:
                entry.if_missing = if_missing
                entry.error = None if path.exists() else if_missing
            return self._add(entry)

    def _add(self, entry: Entry) -> Entry:
        self._entries[entry.id] = entry
        self._ids = {}
        return entry

    # ---- reading -----------------------------------------------------------------------------------------------

    def read(self, id: int) -> OpenRecording:
        """A recording, read where it is not in memory. Raises NotFoundError, and InputError where it cannot be read."""
        entry = self.entry(id)
        with entry.lock:
            with self._lock:
                if id in self._open:
                    self._open.move_to_end(id)
                    return self._open[id]
            return self._read(entry, entry.options)

    def read_again(self, id: int, options: io.ReadOptions) -> OpenRecording:
        """A motion file, read with other options, which are kept where it can be read. Raises as `read`."""
        entry = self.entry(id)
        if entry.path is None:
            raise InputError(
                f"recording {entry.name!r} is of a corpus, which was read when it was prepared; to read its files in "
                "another way, prepare it again"
            )
        with entry.lock:
            opened = self._read(entry, options)
            entry.options = options
            return opened

    def _read(self, entry: Entry, options: io.ReadOptions) -> OpenRecording:
        """Read an entry, whose lock is held, and keep it in memory."""
        try:
            with self._readings:
                opened = self._opened(entry, options)
        except InputError as error:
            entry.error = entry.error if entry.facts is not None else self.without_folders(str(error))
            raise
        with self._lock:
            entry.facts, entry.error = opened.facts, None
            self._ids = {}
            self._open[entry.id] = opened
            self._open.move_to_end(entry.id)
            while len(self._open) > 1 and sum(each.num_bytes for each in self._open.values()) > self._cache_bytes:
                self._open.popitem(last=False)
        return opened

    def _opened(self, entry: Entry, options: io.ReadOptions) -> OpenRecording:
        if entry.path is None:
            assert self.corpus is not None
            return OpenRecording(io.Take(self.corpus[entry.name], None), "of the corpus")
        if not entry.path.exists():
            raise InputError(f"{entry.path}: {entry.if_missing}")
        format = entry.format if options.format == io.AUTO else options.format
        format = io.detect(entry.path) if format == io.AUTO else format
        return OpenRecording(io.read(entry.path, format, options, override_fps=entry.override_fps), format)

    # ---- beside the motion -------------------------------------------------------------------------------------

    def predictions(self, id: int, model: str) -> Answer | None:
        """What opened predictions, by the id of their model, say of a recording. Raises NotFoundError."""
        entry = self.entry(id)
        answers = self.answers.get(model)
        return None if answers is None else answers.answer(entry.recording_name)

    def truth(self, id: int) -> Annotation | None:
        """The labels that are no annotation set: those beside opened predictions, else those in the motion file."""
        entry = self.entry(id)
        for answers in self.answers.values():
            annotation = answers.annotation(entry.recording_name)
            if annotation is not None:
                return annotation
        return None if entry.path is None else self.read(id).annotation

    def uncertainty(self, id: int) -> float | None:
        """How unsure opened predictions are of a recording, 0 to 1: one minus the mean of the highest score."""
        name = self.entry(id).recording_name
        for model, answers in self.answers.items():
            if (model, name) in self._uncertainty:
                return self._uncertainty[model, name]
            answer = answers.answer(name)
            if answer is not None and answer.scores is not None:
                unsure = float(np.clip(1 - answer.scores.max(axis=1).mean(), 0, 1))
                self._uncertainty[model, name] = unsure
                return unsure
        return None

    def without_folders(self, text: str) -> str:
        """A message in which files stand by their place in what was opened."""
        folders = {folder for root in self.roots for folder in (root.resolve().parent, root.parent)} | self.drop_folders
        for folder in sorted(folders, key=lambda folder: -len(folder.parts)):
            text = text if folder == folder.parent else text.replace(f"{folder}/", "")
        return text

    def given_files(self, options: io.ReadOptions, entry: Entry) -> io.ReadOptions:
        """Options of which files are named as they lie beside the motion file, or in what was opened.

        Raises InputError for a file anywhere else.
        """
        changes: dict[str, Any] = {}
        for name in ("asf", "body_model", "joints"):
            path: Path | None = getattr(options, name)
            if path is None or path == getattr(self.options, name):
                continue
            changes[name] = self._inside(path, entry, f"--{name.replace('_', '-')}")
        return replace(options, **changes)

    def shown_options(self, entry: Entry) -> io.ReadOptions:
        """The options that an entry is read with, files named as `given_files` takes them, without their folders."""
        changes: dict[str, Any] = {}
        for name in ("asf", "body_model", "joints"):
            path: Path | None = getattr(entry.options, name)
            if path is not None and path != getattr(self.options, name):
                folders = (folder for folder in self._folders_of(entry) if path.is_relative_to(folder))
                changes[name] = path.relative_to(next(folders, path.parent))
        return replace(entry.options, **changes)

    def _inside(self, path: Path, entry: Entry, flag: str) -> Path:
        folders = self._folders_of(entry)
        for folder in folders:
            with suppress(OSError, ValueError, RuntimeError):  # a name that no file can have, a link to itself
                file = (folder / path).resolve()
                if file.is_relative_to(folder) and file.is_file():
                    return file
        where = counted(len(folders), "folder")
        raise InputError(
            f"{flag} {str(path)[:80]}: no such file in the {where} that were opened; put it beside the motion"
        )

    def _folders_of(self, entry: Entry) -> list[Path]:
        """The folders whose files the options of reading an entry may name."""
        folders = [] if entry.path is None else [entry.path.parent]
        return [folder.resolve() for folder in (*folders, *(r if r.is_dir() else r.parent for r in self.roots))]
