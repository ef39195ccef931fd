"""A corpus on disk: memory-mapped frames plus an index.

A corpus is a folder of three files that never change:

* ``frames.f32``: the positions of all recordings one after the other, each (T, P, J, 3) little-endian float32;
* ``valid.bits``: their valid masks in the same order, see `pack_valid`;
* ``index.json``: everything else, see `kinespan.corpus.index`. It is written last.

Where labels were changed since, ``annotations.sqlite`` has them, see `kinespan.corpus.annotation_sets`. Where files
were refused, ``refused.txt`` lists each with the reason, for people.

Skeletons, frame rates and numbers of people may differ between recordings. The offset of a recording follows from the
shapes before it, so the index gives the sizes of both files, and opening, which reads the index and no frame, detects
a file that was cut off. Corpora are written by `kinespan.corpus.writer.CorpusWriter`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import AnyArray, BoolArray, Float32Array, UInt8Array
from ..data.annotation import Annotation, LabelSet
from ..data.display import counted, facts_html
from ..data.recording import Recording, motion_checksum
from ..errors import InputError, unknown
from .index import INDEX_FILE as INDEX_FILE
from .index import Index, decode_annotation, read_index
from .set_content import StoredSet, stored_set
from .set_file import FRAMES_FILE as FRAMES_FILE
from .set_file import SETS_FILE, reading
from .set_rows import FIRST_SET, SetInfo, prepared_annotations, prepared_sets, set_infos, set_of
from .splits import Fold, drop_labels

VALID_FILE = "valid.bits"
"""One bit a joint, the joints of a person in a frame in whole bytes (`pack_valid`)."""


class Corpus:
    """A corpus opened for reading by `Corpus.open`, at a cost that does not grow with its frames.

    Its positions are read-only views of a memory map: only the bytes that are used are read. In another process, such
    as that of a data loader, it opens the same folder again.
    """

    def __init__(self, path: Path, index: Index, set: str | None = None) -> None:
        self.path = path
        """The folder of the corpus."""
        self.name = index.name
        """The name of the corpus."""
        self._index = index
        self._has_sets_file = (path / SETS_FILE).is_file()
        self._read: dict[str, StoredSet] = {}
        self.sets, self.set = self._choose_set(set)
        """The SetInfo of each annotation set, and the name of the one that `annotation` reads; None where there is
        none, or where there are several and none was chosen."""
        self.infos = index.infos
        if self._has_sets_file:
            annotated = self._read[self.set].covered if self.set in self._read else {}
            self.infos = tuple(replace(info, annotated=info.name in annotated) for info in index.infos)
        """The RecordingInfo of each recording, in order; annotated: by the chosen set."""
        self.names = tuple(info.name for info in index.infos)
        """The names of the recordings, in order."""
        self.splits = {split.name: split for split in index.splits}
        """The stored splits by name."""
        self.decisions = index.decisions
        """What `prepare` decided where files did not say it, in plain lines."""
        self._index_of = {name: number for number, name in enumerate(self.names)}
        people = np.array([info.num_frames * info.num_people for info in index.infos], dtype=np.int64)
        joints = np.array([info.skeleton.num_joints for info in index.infos], dtype=np.int64)
        self._valid_starts = np.concatenate([[0], np.cumsum(people * ((joints + 7) // 8))])
        self._frame_starts = np.concatenate([[0], np.cumsum(people * joints * 3)])
        self._frames = _map(path / FRAMES_FILE, "<f4", int(self._frame_starts[-1]))
        self._valid = _map(path / VALID_FILE, "u1", int(self._valid_starts[-1]))

    @classmethod
    def open(cls, path: str | Path, set: str | None = None) -> Corpus:
        """Open the corpus in a folder, with the annotations of a set, by default of its only one.

        They are those of this moment: what others change later, a Corpus that is opened later has. Raises InputError,
        naming the file, where a file is missing, cut or changed, and for an unknown set.
        """
        folder = Path(path)
        return cls(folder, read_index(folder), set)

    def with_set(self, set: str | None) -> Corpus:
        """The corpus with the annotations of a set; itself where it is None. Raises InputError for an unknown set."""
        return self if set is None or set == self.set else Corpus(self.path, self._index, set)

    @property
    def labels(self) -> LabelSet | None:
        """The label set of the annotations, None where nothing is annotated.

        Raises InputError where there are several annotation sets and none was chosen.
        """
        if not self.sets:
            return None
        return next(info.labels for info in self.sets if info.name == self._chosen())

    def __len__(self) -> int:
        return len(self.infos)

    def __iter__(self) -> Iterator[Recording]:
        return (self[index] for index in range(len(self)))

    def __contains__(self, name: object) -> bool:
        return name in self._index_of

    def __repr__(self) -> str:
        return f"Corpus({self.name!r}, {counted(len(self), 'recording')}, {str(self.path)!r})"

    def _repr_html_(self) -> str:
        """A small table, for notebooks."""
        seconds = sum(info.duration for info in self.infos)
        annotated = sum(info.annotated for info in self.infos)
        facts = [
            ("recordings", f"{len(self):,}, {seconds / 60:.1f} minutes, {annotated:,} of them labelled"),
            ("skeletons", tuple(dict.fromkeys(info.skeleton.name for info in self.infos))),
            ("annotation sets", tuple(map(str, self.sets))),
            ("labels", self.labels.names if self.set and self.labels else ()),
            ("splits", tuple(f"{name}: {counted(len(split.folds), 'fold')}" for name, split in self.splits.items())),
            ("decisions", self.decisions),
            ("folder", str(self.path)),
        ]
        return facts_html(f"Corpus {self.name}", facts)

    def __reduce__(self) -> tuple[Any, ...]:
        return Corpus.open, (self.path, self.set)

    def __getitem__(self, key: int | str) -> Recording:
        """A recording by index or name; its positions are a view of the memory map.

        All of its bytes are read to check its values; `clip` reads less. Raises IndexError for an index out of range
        and InputError for an unknown name.
        """
        index = self.index(key)
        info = self.infos[index]
        positions, valid = self._arrays(index)
        return Recording(
            positions, info.fps, info.skeleton, info.name, valid, info.source, info.attributes, info.history
        )

    def annotation(self, key: int | str, drop: Sequence[str] = (), set: str | None = None) -> Annotation | None:
        """The annotation of a recording, None without one, without the labels in `drop` (see `drop_labels`).

        set: the annotation set that it is of, in place of the chosen one. Raises InputError for an unknown set, and
        where there are several and none was chosen.
        """
        index = self.index(key)
        info = self.infos[index]
        if not self.sets and set is None:
            return None
        annotation = self._annotation(self._chosen() if set is None else set, index)
        return annotation if annotation is None or not drop else drop_labels(annotation, drop, info.duration)

    def prepared_annotations(self) -> dict[str, Annotation]:
        """The annotations that the corpus was prepared with, by recording, whatever was changed since."""
        return prepared_annotations(self._index)

    def clip(self, key: int | str, start_frame: int, stop_frame: int) -> tuple[Float32Array, BoolArray]:
        """Frames [start, stop) of a recording: positions (T, P, J, 3) in metres, as a view, and valid (T, P, J).

        Reads only the bytes of these frames, when they are used. Raises InputError for frames out of range.
        """
        index = self.index(key)
        info = self.infos[index]
        if not 0 <= start_frame < stop_frame <= info.num_frames:
            raise InputError(
                f"recording {info.name!r}: no frames [{start_frame}, {stop_frame}), it has {info.num_frames} frames"
            )
        positions, packed = self._views(index)
        valid = unpack_valid(packed[start_frame:stop_frame], info.skeleton.num_joints)
        return positions[start_frame:stop_frame], valid

    def fold(self, split: str, number: int) -> Fold:
        """A fold of a stored split, given by name. Raises InputError for an unknown split or fold."""
        if split not in self.splits:
            known = ", ".join(self.splits) or "none"
            raise InputError(f"corpus {self.name!r} has no split {split!r}; available: {known}")
        return self.splits[split].fold(number)

    def verify(self) -> None:
        """Compare all frames with the checksums. Raises InputError naming each recording that differs."""
        broken = []
        for index, info in enumerate(self.infos):
            positions, valid = self._arrays(index)
            if motion_checksum(info.fps, positions, valid) != info.checksum:
                broken.append(info.name)
        if broken:
            raise InputError(
                f"{self.path}: {len(broken)} of {len(self)} recordings differ from their checksum: "
                f"{', '.join(broken[:20])}{' ...' if len(broken) > 20 else ''}; run `kinespan prepare` again"
            )

    def index(self, key: int | str) -> int:
        """The index, 0 to len - 1, of a recording given by index or name.

        Raises IndexError for an index out of range and InputError for an unknown name.
        """
        if isinstance(key, str):
            if key not in self._index_of:
                nearest = difflib.get_close_matches(key, self._index_of, n=1)
                hint = f"; did you mean {nearest[0]!r}?" if nearest else f" among {len(self)} recordings"
                raise InputError(f"corpus {self.name!r} has no recording {key!r}{hint}")
            return self._index_of[key]
        if not -len(self) <= key < len(self):
            raise IndexError(f"recording {key} of {len(self)}")
        return int(key) % len(self)

    def _choose_set(self, name: str | None) -> tuple[tuple[SetInfo, ...], str | None]:
        """All annotation sets, and the name of the chosen one; None where none is chosen. Raises InputError."""
        sets = prepared_sets(self._index)
        if self._has_sets_file:
            with reading(self.path / SETS_FILE) as connection:
                sets = set_infos(connection)
                chosen = name or (sets[0].name if len(sets) == 1 else None)
                if chosen in {info.name for info in sets}:
                    self._read[chosen] = stored_set(connection, *set_of(connection, chosen))
        names = [info.name for info in sets]
        if name is not None and name not in names:
            raise unknown("annotation set", name, names)
        return sets, name or (names[0] if len(names) == 1 else None)

    def _chosen(self) -> str:
        """The name of the chosen set. Raises InputError where there are several and none was chosen."""
        if self.set is None:
            listing = ", ".join(map(str, self.sets))
            raise InputError(f"corpus {self.name!r} has several annotation sets; choose one with --set NAME: {listing}")
        return self.set

    def _annotation(self, name: str, index: int) -> Annotation | None:
        """The annotation of a recording in a set, which is read once. Raises InputError for an unknown set."""
        if name in self._read:
            return self._read[name].annotation(self.names[index])
        if self._has_sets_file:
            with reading(self.path / SETS_FILE) as connection:
                self._read[name] = stored_set(connection, *set_of(connection, name))
            return self._read[name].annotation(self.names[index])
        if name != FIRST_SET or self._index.labels is None:
            raise unknown("annotation set", name, [info.name for info in self.sets])
        data = self._index.annotations[index]
        return None if data is None else decode_annotation(data, self._index.labels)

    def _arrays(self, index: int) -> tuple[Float32Array, BoolArray]:
        """Positions (T, P, J, 3), a view of the memory map, and valid (T, P, J) of a recording."""
        positions, packed = self._views(index)
        return positions, unpack_valid(packed, self.infos[index].skeleton.num_joints)

    def _views(self, index: int) -> tuple[Float32Array, UInt8Array]:
        """Positions (T, P, J, 3) and packed valid (T, P, bytes) of a recording, as views of the memory map."""
        info = self.infos[index]
        shape = (info.num_frames, info.num_people)
        frames = self._frames[self._frame_starts[index] : self._frame_starts[index + 1]]
        valid = self._valid[self._valid_starts[index] : self._valid_starts[index + 1]]
        return frames.reshape(*shape, info.skeleton.num_joints, 3), valid.reshape(*shape, -1)


def pack_valid(valid: BoolArray) -> UInt8Array:
    """A mask (T, P, J) as bits: (T, P, ceil(J / 8)) bytes."""
    return np.ascontiguousarray(np.packbits(valid, axis=2))


def unpack_valid(packed: UInt8Array, num_joints: int) -> BoolArray:
    """The mask (T, P, J) that `pack_valid` packed."""
    return np.unpackbits(packed, axis=2, count=num_joints).view(np.bool_)


def _map(file: Path, dtype: str, count: int) -> AnyArray:
    """Memory map of a flat file of exactly `count` values. Raises InputError for another size."""
    expected = count * np.dtype(dtype).itemsize
    try:
        size = file.stat().st_size
        if size != expected:
            raise InputError(
                f"{file}: {size} bytes, the index says {expected}; the file was cut or changed, "
                "run `kinespan prepare` again"
            )
        return np.asarray(np.memmap(file, dtype=dtype, mode="r", shape=(count,)))
    except OSError as error:
        reason = "the file is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
        raise InputError(f"{file}: {reason}; run `kinespan prepare` again") from None
