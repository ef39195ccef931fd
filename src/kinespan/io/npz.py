"""NumPy archives: the simplest way into kinespan, and one file for a whole Recording."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..arrays import BoolArray, IntArray
from ..data.annotation import IGNORE, Annotation, Event, LabelSet, Span
from ..data.recording import Recording
from ..data.skeleton import Skeleton
from ..data.skeletons import SKELETONS, skeleton_from_names
from ..errors import InputError
from .archive import Archive, archive_fields
from .base import READERS, FileMotion, ReadOptions


@READERS.register("npz")
class NpzReader:
    """NumPy archive with ``positions`` (T, P, J, 3) or (T, J, 3) in metres and y up.

    Required: ``fps``, and either ``skeleton`` (a name in `SKELETONS` or the JSON of `Skeleton.to_dict`) or ``joints``
    (J names) with ``parents`` (J indices). Optional: ``valid`` (T, P, J), (T, P) or (T,); ``times`` (T,), seconds of
    uneven frames; ``labels`` (names) with ``frame_ids`` (T,): 0 background, label index + 1, or -100 not annotated.
    `save_npz` adds ``name``, ``source`` and JSON for ``attributes``, ``history`` and ``annotation``. Pickled objects
    are never loaded.
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
        archive = Archive.load(path)
        positions = archive.numbers("positions")
        if positions.ndim == 3:
            positions = positions[:, None]
        if positions.ndim != 4 or positions.shape[3] != 3 or 0 in positions.shape:
            raise InputError(f"{path}: positions have shape {positions.shape}, expected (T, P, J, 3) or (T, J, 3)")
        try:
            labels, ids = _frame_labels(archive, len(positions))
            return FileMotion(
                positions=positions,
                skeleton=_skeleton(archive),
                fps=archive.positive_number("fps"),
                fps_from="fps of the file",
                valid=_valid(archive, positions.shape[:3]),
                times=archive.numbers("times").astype(np.float64) if "times" in archive else None,
                frame_ids=ids,
                labels=labels,
                annotation=_annotation(archive),
                attributes={str(key): str(value) for key, value in archive.json("attributes", {}).items()},
                history=tuple(str(note) for note in archive.json("history", [])),
                name=archive.text("name") or None,
                source=archive.text("source") or None,
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
        "valid": recording.valid,
        "skeleton": json.dumps(recording.skeleton.to_dict()),
        "name": recording.name,
        "source": recording.source,
        "attributes": json.dumps(dict(recording.attributes)),
        "history": json.dumps(list(recording.history)),
    }
    if recording.times is not None:
        fields["times"] = recording.times
    if annotation is not None:
        fields["annotation"] = json.dumps(_annotation_to_dict(annotation))
    try:
        save: Callable[..., None] = np.savez_compressed  # its stub takes no arrays by dictionary
        save(path, **{name: np.asarray(value) for name, value in fields.items()})
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def _skeleton(archive: Archive) -> Skeleton:
    if "skeleton" not in archive and "joints" in archive:
        parents = archive.numbers("parents")
        if parents.ndim != 1 or parents.dtype.kind == "f":
            raise InputError("field 'parents' must be a list of joint indices, -1 for none")
        joints = archive.names("joints")
        return skeleton_from_names(f"npz{len(joints)}", joints, parents.tolist())
    archive.field("skeleton")  # raises where it is missing
    text = archive.text("skeleton")
    if not text.lstrip().startswith("{"):
        return SKELETONS[text]
    try:
        return Skeleton.from_dict(archive.json("skeleton", {}))
    except (TypeError, ValueError) as error:
        raise InputError(f"field 'skeleton' does not describe a skeleton: {error}") from None


def _valid(archive: Archive, shape: tuple[int, ...]) -> BoolArray | None:
    if "valid" not in archive:
        return None
    valid = archive.field("valid")
    if isinstance(valid, np.ndarray) and valid.shape == shape[:1]:
        valid = np.repeat(valid[:, None], shape[1], axis=1)
    shapes = (shape, shape[:2])
    if not isinstance(valid, np.ndarray) or valid.dtype.kind not in "biu" or valid.shape not in shapes:
        raise InputError(f"field 'valid' must be true or false for each joint, shape {shape}, or person, {shape[:2]}")
    return valid.astype(bool)


def _frame_labels(archive: Archive, num_frames: int) -> tuple[LabelSet | None, IntArray | None]:
    if "frame_ids" not in archive:
        return None, None
    labels = LabelSet(tuple(archive.names("labels")))
    ids = archive.numbers("frame_ids")
    if ids.shape != (num_frames,) or ids.dtype.kind == "f":
        raise InputError(f"field 'frame_ids' must hold one whole number for each of {num_frames} frames")
    is_bad = (ids != IGNORE) & ((ids < 0) | (ids > len(labels)))
    if is_bad.any():
        frame = int(np.argmax(is_bad))
        raise InputError(f"frame_ids[{frame}] is {ids[frame]}, expected 0..{len(labels)} or {IGNORE}")
    return labels, ids.astype(np.int64)


def _annotation_to_dict(annotation: Annotation) -> dict[str, Any]:
    return {
        "labels": annotation.labels.names,
        "exclusive": annotation.labels.exclusive,
        "event_labels": annotation.labels.events,
        "events": [[event.time, event.label, event.score, event.person] for event in annotation.events],
        "spans": [[span.start, span.end, span.label, span.score, span.person] for span in annotation.spans],
        "covered": annotation.covered,
    }


def _annotation(archive: Archive) -> Annotation | None:
    fields: dict[str, Any] = archive.json("annotation", {})
    if not fields:
        return None
    try:
        instants = tuple(str(name) for name in fields.get("event_labels", ()))
        labels = LabelSet(tuple(str(name) for name in fields["labels"]), bool(fields["exclusive"]), instants)
        events = tuple(
            Event(float(time), str(label), *_score_and_person(score, person))
            for time, label, score, person in fields.get("events", ())
        )
        spans = tuple(
            Span(float(start), float(end), str(label), *_score_and_person(score, person))
            for start, end, label, score, person in fields["spans"]
        )
        covered = fields["covered"]
        if covered is not None:
            covered = tuple((float(start), float(end)) for start, end in covered)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"field 'annotation' does not describe an annotation: {error}") from None
    return Annotation(spans, labels, covered, events)


def _score_and_person(score: Any, person: Any) -> tuple[float | None, int | None]:
    return None if score is None else float(score), None if person is None else int(person)
