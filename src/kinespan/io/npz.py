"""NumPy archives: the simplest way into kinespan, and one file for a whole Recording."""

from __future__ import annotations

import json
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..arrays import AnyArray, BoolArray, IntArray
from ..data.annotation import IGNORE, Annotation, LabelSet, Span
from ..data.recording import Recording
from ..data.skeleton import Skeleton
from ..data.skeletons import SKELETONS, skeleton_from_names
from ..errors import InputError
from .base import READERS, FileMotion, ReadOptions

_BROKEN = (
    OSError, ValueError, EOFError, KeyError, RuntimeError, NotImplementedError, MemoryError, SyntaxError,
    zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError,
)  # fmt: skip
"""What NumPy and zipfile raise for an archive that is cut off or damaged."""


_MAGIC = b"PK\x03\x04"


@READERS.register("npz")
class NpzReader:
    """NumPy archive with ``positions`` (T, P, J, 3) or (T, J, 3) in metres and y up.

    Required: ``fps``, and either ``skeleton`` (a name in `SKELETONS` or the JSON of `Skeleton.to_dict`) or ``joints``
    (J names) with ``parents`` (J indices). Optional: ``valid`` (T, P) or (T,); ``labels`` (names) with ``frame_ids``
    (T,): 0 background, label index + 1, or -100 not annotated. `save_npz` adds ``name``, ``source`` and JSON for
    ``attributes``, ``history`` and ``annotation``. Pickled objects are never loaded.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".npz",)
    about: ClassVar[str] = "NumPy archive with positions, fps and skeleton"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """A zip archive that holds positions and fps."""
        return {"positions", "fps"} <= archive_fields(path, head)

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """The motion of the archive."""
        data = load_archive(path)
        positions = _numbers(path, data, "positions")
        if positions.ndim == 3:
            positions = positions[:, None]
        if positions.ndim != 4 or positions.shape[3] != 3 or 0 in positions.shape:
            raise InputError(f"{path}: positions have shape {positions.shape}, expected (T, P, J, 3) or (T, J, 3)")
        try:
            labels, ids = _frame_labels(path, data, len(positions))
            return FileMotion(
                positions=positions,
                skeleton=_skeleton(path, data),
                fps=_fps(path, data),
                fps_from="fps of the file",
                unit=1.0,
                unit_from="the format's metres",
                valid=_valid(path, data, positions.shape[:2]),
                frame_ids=ids,
                labels=labels,
                annotation=_annotation(path, data),
                attributes={str(key): str(value) for key, value in _json(path, data, "attributes", {}).items()},
                history=tuple(str(note) for note in _json(path, data, "history", [])),
                name=_text(path, data, "name") or None,
                source=_text(path, data, "source") or None,
            )
        except InputError as error:
            raise error if str(path) in str(error) else InputError(f"{path}: {error}") from None


def save_npz(recording: Recording, path: Path | str, annotation: Annotation | None = None) -> Path:
    """Write a recording, and its annotation if given, as `read` reads them back; returns the path.

    A suffix .npz is added where it is missing. Raises InputError where the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        path = path.with_name(path.name + ".npz")
    fields: dict[str, Any] = {
        "positions": recording.positions,
        "fps": np.float64(recording.fps),
        "valid": recording.mask,
        "skeleton": json.dumps(recording.skeleton.to_dict()),
        "name": recording.name,
        "source": recording.source,
        "attributes": json.dumps(dict(recording.attributes)),
        "history": json.dumps(list(recording.history)),
    }
    if annotation is not None:
        fields["annotation"] = json.dumps(_annotation_to_dict(annotation))
    try:
        save: Callable[..., None] = np.savez_compressed  # its stub takes no arrays by dictionary
        save(path, **{name: np.asarray(value) for name, value in fields.items()})
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def archive_fields(path: Path, head: bytes) -> set[str]:
    """Names of the arrays in an archive that begins with `head`; empty for anything but a complete archive."""
    if not head.startswith(_MAGIC):
        return set()
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except _BROKEN:
        return set()


def load_archive(path: Path, only: Collection[str] | None = None) -> dict[str, AnyArray]:
    """The arrays of the archive, or only those with the names in `only`; others are then not unpacked.

    Raises InputError for a file that is not a complete archive or holds pickled objects under these names.
    """
    try:
        with path.open("rb") as file:
            if not file.read(len(_MAGIC)).startswith(_MAGIC):
                raise ValueError("it does not start as an archive does; is it empty or a single array?")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if only is None or name in only}
    except _BROKEN as error:
        raise InputError(f"{path}: not a whole .npz archive without pickled objects: {error}") from None


def _field(path: Path, data: dict[str, AnyArray], name: str) -> AnyArray:
    if name not in data:
        raise InputError(f"{path}: field {name!r} is missing; available: {', '.join(sorted(data)) or 'nothing'}")
    return data[name]


def _numbers(path: Path, data: dict[str, AnyArray], name: str) -> AnyArray:
    array = _field(path, data, name)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise InputError(f"{path}: field {name!r} holds {getattr(array, 'dtype', 'bytes')}, expected numbers")
    return array


def _fps(path: Path, data: dict[str, AnyArray]) -> float:
    array = _numbers(path, data, "fps")
    if array.size != 1 or not (np.isfinite(array).all() and (array > 0).all()):
        raise InputError(f"{path}: field 'fps' is {array.tolist()}, expected one positive number")
    return float(array.reshape(-1)[0])


def _text(path: Path, data: dict[str, AnyArray], name: str) -> str:
    """A text field, empty where it is missing. Raises InputError for another kind of field."""
    if name not in data:
        return ""
    array = data[name]
    if not isinstance(array, np.ndarray) or array.dtype.kind != "U" or array.size != 1:
        raise InputError(f"{path}: field {name!r} must be one text")
    return str(array.reshape(-1)[0])


def _names(path: Path, data: dict[str, AnyArray], name: str) -> list[str]:
    array = _field(path, data, name)
    if not isinstance(array, np.ndarray) or array.dtype.kind != "U" or array.ndim != 1:
        raise InputError(f"{path}: field {name!r} must be a list of names")
    return [str(text) for text in array]


def _json(path: Path, data: dict[str, AnyArray], name: str, default: Any) -> Any:
    """A JSON field of the type of `default`, which is returned for a missing one."""
    text = _text(path, data, name)
    if not text:
        return default
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: field {name!r} is not JSON: {error}") from None
    if not isinstance(value, type(default)):
        raise InputError(f"{path}: field {name!r} is {type(value).__name__} in JSON, not {type(default).__name__}")
    return value


def _skeleton(path: Path, data: dict[str, AnyArray]) -> Skeleton:
    if "skeleton" not in data and "joints" in data:
        parents = _numbers(path, data, "parents")
        if parents.ndim != 1 or parents.dtype.kind == "f":
            raise InputError(f"{path}: field 'parents' must be a list of joint indices, -1 for none")
        joints = _names(path, data, "joints")
        return skeleton_from_names(f"npz{len(joints)}", joints, [int(parent) for parent in parents])
    _field(path, data, "skeleton")
    text = _text(path, data, "skeleton")
    if not text.lstrip().startswith("{"):
        return SKELETONS[text]
    try:
        return Skeleton.from_dict(_json(path, data, "skeleton", {}))
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: field 'skeleton' does not describe a skeleton: {error}") from None


def _valid(path: Path, data: dict[str, AnyArray], shape: tuple[int, ...]) -> BoolArray | None:
    if "valid" not in data:
        return None
    valid = data["valid"]
    if isinstance(valid, np.ndarray) and valid.shape == shape[:1]:
        valid = np.repeat(valid[:, None], shape[1], axis=1)
    if not isinstance(valid, np.ndarray) or valid.dtype.kind not in "biu" or valid.shape != shape:
        raise InputError(f"{path}: field 'valid' must be true or false for each frame and person, shape {shape}")
    return valid.astype(bool)


def _frame_labels(path: Path, data: dict[str, AnyArray], num_frames: int) -> tuple[LabelSet | None, IntArray | None]:
    if "frame_ids" not in data:
        return None, None
    labels = LabelSet(tuple(_names(path, data, "labels")))
    ids = _numbers(path, data, "frame_ids")
    if ids.shape != (num_frames,) or ids.dtype.kind == "f":
        raise InputError(f"{path}: field 'frame_ids' must hold one whole number for each of {num_frames} frames")
    is_bad = (ids != IGNORE) & ((ids < 0) | (ids > len(labels)))
    if is_bad.any():
        frame = int(np.argmax(is_bad))
        raise InputError(f"{path}: frame_ids[{frame}] is {ids[frame]}, expected 0..{len(labels)} or {IGNORE}")
    return labels, ids.astype(np.int64)


def _annotation_to_dict(annotation: Annotation) -> dict[str, Any]:
    return {
        "labels": annotation.labels.names,
        "exclusive": annotation.labels.exclusive,
        "spans": [[span.start, span.end, span.label, span.score, span.person] for span in annotation.spans],
        "covered": annotation.covered,
    }


def _person(value: Any) -> int | None:
    return None if value is None else int(value)


def _annotation(path: Path, data: dict[str, AnyArray]) -> Annotation | None:
    plain: dict[str, Any] = _json(path, data, "annotation", {})
    if not plain:
        return None
    try:
        labels = LabelSet(tuple(str(name) for name in plain["labels"]), bool(plain["exclusive"]))
        spans = tuple(
            Span(float(start), float(end), str(label), None if score is None else float(score), _person(person))
            for start, end, label, score, person in plain["spans"]
        )
        covered = plain["covered"]
        if covered is not None:
            covered = tuple((float(start), float(end)) for start, end in covered)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: field 'annotation' does not describe an annotation: {error}") from None
    return Annotation(spans, labels, covered)
