"""NumPy archives: the simplest way into kinespan, and one file for a whole Recording."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..arrays import AnyArray, BoolArray, Float64Array, IntArray
from ..data.annotation import IGNORE, Annotation, Event, LabelSet, Span
from ..data.mirror_labels import label_sides
from ..data.recording import Recording
from ..data.skeleton import Skeleton
from ..data.skeletons import SKELETONS
from ..errors import InputError
from .archive import Archive, archive_fields
from .base import DECIDED, READERS, WRITERS, FileMotion, MotionWriter
from .clock import clock
from .joints import archive_skeleton
from .options import AXES, METRES, ReadOptions

_MANY_PEOPLE = 6
"""More people than this and than frames are frames."""
_LONGEST_STEP = 0.5
"""Seconds between frames; longer ones are milliseconds or frame numbers."""
_AGREEMENT = 0.2
"""Share by which a stated rate may differ from that of the times."""


@READERS.register("npz")
class NpzReader:
    """NumPy archive with ``positions`` (T, P, J, 3) or (T, J, 3) in metres and y up.

    Required: either ``skeleton`` (a name in `SKELETONS` or the JSON of `Skeleton.to_dict`) or ``joints`` (J names) with
    ``parents`` (J indices) and, where the names do not tell, ``canonical`` (J body parts, or "") and ``landmarks``
    (JSON: joint names by landmark). Of time: ``fps``, or ``times`` (T,) in seconds, uneven or not, or neither: then
    `ReadOptions.fps`. Of what was seen: NaN is not seen, nor is what ``valid`` leaves out, (T,), (T, P) or (T, P, J),
    nor what ``confidence``, of one of these shapes, is 0 or NaN for or below `ReadOptions.min_confidence`. Of space:
    ``unit`` (m, cm, mm, in, ft) and ``up`` (x, y, z, -x, -y, -z) hold whatever the body looks like; without them a body
    that is no person by metres, or stands along another axis, tells. Labels: ``labels`` (names) with ``frame_ids``
    (T,): 0 background, label index + 1, or -100 not annotated. `save_npz` adds ``canonical`` (J, what each joint is
    understood as, or ""), ``name``, ``source`` and JSON for ``attributes``, ``history`` and ``annotation``, and for
    other programs ``event_labels``, ``event_sides`` (left, right or "") and ``event_times`` (seconds from the first
    frame). Pickled objects are never loaded.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".npz",)
    about: ClassVar[str] = "NumPy archive with positions, fps and skeleton"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """A zip archive that holds positions, and a rate or joints."""
        fields = archive_fields(path, head)
        return "positions" in fields and not fields.isdisjoint(("fps", "times", "skeleton", "joints"))

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """The motion of the archive."""
        archive = Archive.load(path)
        positions = _positions(archive)
        try:
            labels, ids = _frame_labels(archive, len(positions))
            valid, notes = _seen(archive, positions.shape, options.min_confidence)
            times, fps, fps_from = _clock(archive, len(positions))
            return FileMotion(
                positions=positions,
                skeleton=_skeleton(archive),
                fps=fps,
                fps_from=fps_from,
                **_space(archive),
                valid=valid,
                times=times,
                frame_ids=ids,
                labels=labels,
                annotation=_annotation(archive),
                attributes={str(key): str(value) for key, value in archive.json("attributes", {}).items()},
                history=(*(str(note) for note in archive.json("history", [])), *notes),
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
    skeleton = recording.skeleton
    fields: dict[str, Any] = {
        "positions": recording.positions,
        "fps": np.float64(recording.fps),
        "valid": recording.valid,
        "unit": "m",
        "up": "y",
        "joints": skeleton.joints,
        "parents": np.array(skeleton.parents, dtype=np.int64),
        "canonical": [part or "" for part in skeleton.body_parts],
        "skeleton": json.dumps(skeleton.to_dict()),
        "name": recording.name,
        "source": recording.source,
        "attributes": json.dumps(dict(recording.attributes)),
        "history": json.dumps(list(recording.history)),
    }
    if recording.times is not None:
        fields["times"] = recording.times
    if annotation is not None:
        fields["annotation"] = json.dumps(_annotation_to_dict(annotation))
        if annotation.events:
            labels = [event.label for event in annotation.events]
            fields["event_labels"], fields["event_sides"] = labels, label_sides(labels)
            fields["event_times"] = [event.time for event in annotation.events]
    try:
        save: Callable[..., None] = np.savez_compressed  # its stub takes no arrays by dictionary
        save(path, **{name: np.asarray(value) for name, value in fields.items()})
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def _write(recording: Recording, path: Path, annotation: Annotation | None) -> tuple[str, ...]:
    """Everything that a recording has."""
    save_npz(recording, path, annotation)
    return ()


WRITERS.register("npz")(MotionWriter("NumPy archive, holds everything", _write, several_people=True, uneven_times=True))


def _skeleton(archive: Archive) -> Skeleton:
    if "skeleton" not in archive and "joints" in archive:
        parents = archive.numbers("parents")
        if parents.ndim != 1 or parents.dtype.kind == "f":
            raise InputError("field 'parents' must be a list of joint indices, -1 for none")
        return archive_skeleton(archive, parents.tolist())
    archive.field("skeleton")  # raises where it is missing
    text = archive.text("skeleton")
    if not text.lstrip().startswith("{"):
        return SKELETONS[text]
    try:
        return Skeleton.from_dict(archive.json("skeleton", {}))
    except (TypeError, ValueError) as error:
        raise InputError(f"field 'skeleton' does not describe a skeleton: {error}") from None


def _positions(archive: Archive) -> AnyArray:
    """Positions (T, P, J, 3), NaN where not seen. Raises InputError for another shape, and for infinite values."""
    path, positions = archive.path, archive.numbers("positions")
    if positions.ndim >= 1 and len(positions) == 0:
        raise InputError(f"{path}: positions have shape {positions.shape}, so no frame")
    if positions.ndim == 3:
        positions = positions[:, None]
    if positions.ndim != 4 or positions.shape[3] != 3 or 0 in positions.shape:
        raise InputError(f"{path}: positions have shape {positions.shape}, expected (T, P, J, 3) or (T, J, 3)")
    frames, people = positions.shape[:2]
    if people > max(frames, _MANY_PEOPLE) and "valid" not in archive:
        raise InputError(
            f"{path}: positions have shape {positions.shape}, {frames} frames of {people} people; people and frames "
            "seem swapped, expected (T, P, J, 3): save positions.swapaxes(0, 1)"
        )
    is_infinite = np.isinf(positions).any(axis=(1, 2, 3))
    if is_infinite.any():
        raise InputError(f"{path}: frame {int(np.argmax(is_infinite))} of positions holds an infinite value")
    return positions


def _seen(archive: Archive, shape: tuple[int, ...], min_confidence: float) -> tuple[BoolArray | None, tuple[str, ...]]:
    """What was seen (T, P, J) by the fields valid and confidence, None without either; and a note."""
    seen: BoolArray | None = None
    if "valid" in archive:
        valid = archive.field("valid")
        if not isinstance(valid, np.ndarray) or valid.dtype.kind not in "biu":
            raise InputError("field 'valid' must be true or false for each frame and person or joint")
        seen = _of_joints("valid", valid, shape).astype(bool)
    if "confidence" not in archive:
        return seen, ()
    confidence = _of_joints("confidence", archive.numbers("confidence"), shape)
    is_sure = (confidence > 0) & (confidence >= min_confidence)
    hidden = float(1 - is_sure.mean())
    threshold = f"below {min_confidence:g}" if min_confidence else "0"
    note = f"{DECIDED}joints of confidence {threshold} count as not seen ({100 * hidden:.1f} %)"
    return (is_sure if seen is None else seen & is_sure), ((note,) if hidden else ())


def _of_joints(name: str, values: AnyArray, shape: tuple[int, ...]) -> AnyArray:
    """Values (T,), (T, P), (T, P, J) or, of one person, (T, J) as (T, P, J). Raises InputError for another shape."""
    frames, people, joints = shape[:3]
    if values.shape == (frames, people, joints):
        return values
    if values.shape == (frames, joints) and people == 1:
        return values[:, None]
    if values.shape == (frames, people) or values.shape == (frames,):
        return np.broadcast_to(values.reshape(frames, -1, 1), (frames, people, joints))
    expected = f"(T,), (T, P) or (T, P, J), here {(frames,)}, {(frames, people)} or {(frames, people, joints)}"
    raise InputError(f"field {name!r} has shape {values.shape}, expected {expected}")


def _clock(archive: Archive, frames: int) -> tuple[Float64Array | None, float | None, str]:
    """Seconds (T,) of frames that are not evenly spaced, frames a second, and where they come from.

    Raises InputError for times that do not rise, and for such as cannot be seconds.
    """
    fps = archive.positive_number("fps") if "fps" in archive else None
    if "times" not in archive:
        return None, fps, "fps of the file"
    times = np.asarray(archive.numbers("times"), dtype=np.float64)
    if times.shape != (frames,) or not np.isfinite(times).all() or np.any(np.diff(times) <= 0):
        raise InputError(f"field 'times' must hold a rising number of seconds for each of {frames} frames")
    if frames == 1:
        return None, fps, "fps of the file"
    steps = np.diff(times)
    step = float(np.median(steps))
    if step > _LONGEST_STEP:
        raise InputError(f"field 'times' rises by {step:g} a frame, expected seconds; divide it, as by 1000 for ms")
    origin = "times of the file"
    if fps is not None and abs(fps * step - 1) > _AGREEMENT:
        fps, origin = None, f"times of the file, though its fps says {fps:g}"
    uneven, rate = clock(times)
    if uneven is not None:
        origin = f"{origin}, {1000 * steps.min():.0f} to {1000 * steps.max():.0f} ms apart"
    elif fps is not None:
        origin = "fps of the file"
    return uneven, fps or rate, origin


def _space(archive: Archive) -> dict[str, Any]:
    """The unit and the axis that the archive states, as fields of a FileMotion."""
    space: dict[str, Any] = {}
    for name, words in (("unit", tuple(METRES)), ("up", AXES)):
        text = archive.text(name)
        if text and text not in words:
            raise InputError(f"field {name!r} is {text!r}, expected one of {', '.join(words)}")
        if text:
            space |= {name: ReadOptions(unit=text).metres if name == "unit" else text, f"{name}_is_sure": True}  # type: ignore[arg-type]
    return space | ({"unit_from": "unit of the file"} if "unit" in space else {})


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
