"""Writing a corpus that can be resumed: a journal lists every file that was processed.

The folder ``NAME.partial`` holds ``frames.f32`` and ``valid.bits`` as a corpus does, and ``journal.jsonl`` in place of
the index. Its first line holds the settings; then comes a line for each file, in order, written after its frames, with
its recording or the reason why it was refused. Skeletons and label sets have lines of their own before their first use
and are numbered. After a crash, reading ends at the first line that is incomplete or whose frames are missing or have
another checksum; the rest is cut off.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..corpus.index import (
    decode_annotation,
    decode_info,
    decode_labels,
    encode_annotation,
    encode_info,
    encode_labels,
)
from ..corpus.info import RecordingInfo
from ..corpus.store import FRAMES_FILE, INDEX_FILE, VALID_FILE, unpack_valid
from ..corpus.writer import CorpusWriter
from ..data.annotation import Annotation, LabelSet
from ..data.recording import motion_checksum
from ..data.skeleton import Skeleton
from ..errors import InputError
from .summary import REFUSED_FILE

JOURNAL_FILE = "journal.jsonl"
_FORMAT = "kinespan-journal-2"


@dataclass(frozen=True)
class Entry:
    """The result of one file: a recording and its annotation, over any label set, or why it was refused."""

    info: RecordingInfo | None
    annotation: Annotation | None = None
    cut: int = 0
    """Number of spans that were cut to the end of the recording."""
    refused: tuple[Path, str] | None = None


class JournalledWriter(CorpusWriter):
    """A `CorpusWriter` whose work can be resumed by the next one to the same path.

    `settings` holds, by name, everything that the result depends on. A writer with the same settings has the files
    processed so far in `entries`, their recordings already written; the caller continues with the next file and adds
    each to the `journal`. ``NAME.partial`` is removed when the corpus is complete, or where nothing was written to it.

    Raises InputError where ``NAME.partial`` has other settings (unless `overwrite`), is being written by another
    process, or is not the folder of an interrupted writer.
    """

    def __init__(self, path: str | Path, name: str, settings: Mapping[str, str], overwrite: bool = False) -> None:
        super().__init__(path, name, overwrite=overwrite)
        self.keeps_prepared = True
        self.settings = dict(settings)
        self.partial = self.path.with_name(self.path.name + ".partial")
        self.entries: tuple[Entry, ...] = ()
        self._skeletons: dict[Skeleton, int] = {}
        self._label_sets: dict[LabelSet, int] = {}
        self._journal: IO[bytes] | None = None

    def journal(self, entry: Entry) -> None:
        """Add the result of the next file to the journal, after `add` if it is a recording."""
        assert self._journal is not None
        lines: list[dict[str, Any]] = []
        if entry.info is None:
            assert entry.refused is not None
            lines.append({"refused": [str(entry.refused[0]), entry.refused[1]]})
        else:
            annotation = None
            if entry.annotation is not None:
                labels = entry.annotation.labels
                if labels not in self._label_sets:
                    lines.append({"labels": encode_labels(labels)})
                number = self._label_sets.setdefault(labels, len(self._label_sets))
                annotation = {**encode_annotation(entry.annotation), "labels": number}
            if entry.info.skeleton not in self._skeletons:
                lines.append({"skeleton": entry.info.skeleton.to_dict()})
            number = self._skeletons.setdefault(entry.info.skeleton, len(self._skeletons))
            lines.append({"written": encode_info(entry.info, number, annotation), "cut": entry.cut})
        try:
            for file in self._files:
                file.flush()  # frames first: the journal never lists missing ones
            self._journal.writelines(_line(line) for line in lines)
            self._journal.flush()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.partial)) from error

    def _begin(self) -> Path:
        folder = self.partial
        if os.path.lexists(folder) and not _is_partial(folder):
            raise InputError(
                f"{folder}: exists, where the unfinished corpus would be written; move it or choose another path"
            )
        folder.mkdir(exist_ok=True)
        try:
            self._lock(folder)
        except OSError:
            raise InputError(f"{folder}: another process is writing to it; wait for it to end") from None
        resumable = _read(folder)
        if resumable.settings != self.settings:
            if resumable.entries and not self.overwrite:
                raise InputError(
                    f"{folder}: {len(resumable.entries)} files were read by an interrupted run with other settings "
                    f"({_difference(resumable.settings, self.settings)}); give the same settings to resume, or "
                    "--overwrite to start again"
                )
            resumable = _Resumable(self.settings)
        self._resume(folder, resumable)
        return folder

    def _resume(self, folder: Path, resumable: _Resumable) -> None:
        """Truncate the files to the resumable part, and adopt its recordings."""
        for name in (INDEX_FILE, REFUSED_FILE):
            (folder / name).unlink(missing_ok=True)
        for name, size in ((FRAMES_FILE, resumable.frame_bytes), (VALID_FILE, resumable.valid_bytes)):
            with (folder / name).open("ab") as file:
                file.truncate(size)
        self._journal = self._open.enter_context((folder / JOURNAL_FILE).open("ab"))
        self._journal.truncate(resumable.journal_bytes)
        if not resumable.journal_bytes:
            self._journal.write(_line({"format": _FORMAT, "settings": self.settings}))
            self._journal.flush()
        self.entries = tuple(resumable.entries)
        self._infos = {entry.info.name: entry.info for entry in resumable.entries if entry.info is not None}
        self._skeletons = {skeleton: number for number, skeleton in enumerate(resumable.skeletons)}
        self._label_sets = {labels: number for number, labels in enumerate(resumable.label_sets)}

    def _abandon(self, folder: Path) -> None:
        if not self._infos:
            shutil.rmtree(folder, ignore_errors=True)

    def _commit(self, folder: Path) -> None:
        super()._commit(folder)
        (self.path / JOURNAL_FILE).unlink()


class _Resumable:
    """The part of an interrupted writer's work that can be resumed, and its size in each file."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings = dict(settings)
        self.entries: list[Entry] = []
        self.skeletons: list[Skeleton] = []
        self.label_sets: list[LabelSet] = []
        self.journal_bytes = self.frame_bytes = self.valid_bytes = 0

    def add_line(self, data: Mapping[str, Any], frames: IO[bytes], valid: IO[bytes]) -> None:
        """Add a line of the journal. Raises ValueError, KeyError, ... for a bad line or missing frames."""
        if "skeleton" in data:
            self.skeletons.append(Skeleton.from_dict(data["skeleton"]))
        elif "labels" in data:
            self.label_sets.append(decode_labels(data["labels"]))
        elif "refused" in data:
            self.entries.append(Entry(None, refused=(Path(data["refused"][0]), data["refused"][1])))
        else:
            info = decode_info(data["written"], self.skeletons)
            self._check_motion(info, frames, valid)
            annotation = data["written"]["annotation"]
            if annotation is not None:
                annotation = decode_annotation(annotation, self.label_sets[annotation["labels"]])
            self.entries.append(Entry(info, annotation, int(data["cut"])))

    def _check_motion(self, info: RecordingInfo, frames: IO[bytes], valid: IO[bytes]) -> None:
        shape = (info.num_frames, info.num_people, info.skeleton.num_joints, 3)
        positions = np.frombuffer(frames.read(4 * math.prod(shape)), dtype="<f4").reshape(shape)
        packed_shape = (*shape[:2], (shape[2] + 7) // 8)
        packed = np.frombuffer(valid.read(math.prod(packed_shape)), dtype=np.uint8).reshape(packed_shape)
        if motion_checksum(info.fps, positions, unpack_valid(packed, shape[2])) != info.checksum:
            raise ValueError("the frames differ from those that were written")
        self.frame_bytes += positions.nbytes
        self.valid_bytes += packed.nbytes


def _read(folder: Path) -> _Resumable:
    """The work of an interrupted writer in its folder, up to the first incomplete line."""
    resumable = _Resumable({})
    try:
        with (
            (folder / JOURNAL_FILE).open("rb") as journal,
            (folder / FRAMES_FILE).open("rb") as frames,
            (folder / VALID_FILE).open("rb") as valid,
        ):
            header = json.loads(journal.readline())
            if header["format"] != _FORMAT:
                return resumable
            resumable.settings = dict(header["settings"])
            resumable.journal_bytes = journal.tell()
            for line in journal:
                if not line.endswith(b"\n"):
                    break
                resumable.add_line(json.loads(line), frames, valid)
                resumable.journal_bytes += len(line)
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, InputError):
        pass  # the rest is incomplete, and its files are read again
    return resumable


def _line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode("ascii") + b"\n"


def _is_partial(folder: Path) -> bool:
    """Whether a folder holds the files of an interrupted writer and no others."""
    known = {JOURNAL_FILE, FRAMES_FILE, VALID_FILE, INDEX_FILE, REFUSED_FILE}
    if folder.is_symlink() or not folder.is_dir():
        return False
    names = {file.name for file in folder.iterdir()}
    return names <= known and (JOURNAL_FILE in names or INDEX_FILE not in names)


def _difference(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """The settings that differ, in words."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(f"{name}: {before.get(name, 'none')} before, {now.get(name, 'none')} now" for name in names)
