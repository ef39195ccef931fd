"""From what a reader parsed to a Take: metres, y up, a known rate, and what was decided on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import BoolArray, Float64Array, IntArray
from ..data.annotation import Annotation, runs, spans_from_frames
from ..data.joint_report import joint_notes
from ..data.recording import Recording
from ..errors import InputError
from .base import CHECK, DECIDED, FileMotion, Take
from .body import STATURES, Body, find_up, is_person, likely_unit, standing_axis
from .identities import with_steady_people
from .joints import with_joint_file
from .markers import with_joint_centres
from .options import ReadOptions

_TURN_UP: dict[str, NDArray[np.float32]] = {
    axis: np.array(rows, dtype=np.float32)
    for axis, rows in {
        "x": [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
        "-x": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],
        "y": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        "-y": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
        "z": [[1, 0, 0], [0, 0, 1], [0, -1, 0]],
        "-z": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    }.items()
}  # fmt: skip
"""Rotations (not reflections) that bring the named axis to y."""


LIKELY_RATES = 1.0, 2000.0
"""Frames a second between which motion is recorded."""


@dataclass(frozen=True)
class _Measure:
    """Metres per unit or the axis that points up: where it comes from, and notes for the history."""

    value: Any
    origin: str
    notes: tuple[str, ...] = ()


def finish(
    path: Path, format_name: str, motion: FileMotion, options: ReadOptions, *, override_fps: bool = True
) -> Take:
    """The Take in metres, y up, at its rate, without the skipped frames; its history says how it was read.

    override_fps: whether the rate of the options holds against that of the file; else it is for files without one.

    Raises InputError, naming the file, without a rate, without a remaining frame, and as Recording does.
    """
    if motion.positions.shape[2:] != (motion.skeleton.num_joints, 3):
        expected = f"(T, P, {motion.skeleton.num_joints}, 3) for skeleton {motion.skeleton.name!r}"
        raise InputError(f"{path}: positions have shape {motion.positions.shape}, expected {expected}")
    points = motion
    motion = with_joint_centres(motion, options) if options.joints is None else with_joint_file(motion, options.joints)
    motion = with_steady_people(motion, motion.fps or options.fps or 30.0)
    skip = options.skip_frames
    if skip >= len(motion.positions):
        raise InputError(f"{path}: --skip-frames is {skip}, but the file has only {len(motion.positions)} frames")
    positions, valid = _seen(motion, skip)
    body = Body.of(motion.skeleton, positions, valid)
    if motion.skeleton is not points.skeleton:  # of joint centres the markers tell, too, which way is up
        body = replace(body, marker_levels=Body.of(points.skeleton, *_seen(points, skip)).marker_levels)
    if motion.asks_unit and not is_person(motion.skeleton):
        body = replace(body, points={})  # an animal's limbs tell nothing
    _check_stated(path, motion, options, body)
    fps = _rate(path, motion, options, override_fps)
    unit = _unit(motion, options, body)
    up = _up(motion, options, body)
    metres = np.ascontiguousarray(positions * unit.value, dtype=np.float32)
    turned = metres if up.value == "y" else metres @ _TURN_UP[up.value].T
    history = [
        *motion.history,
        f"read as {format_name}: {fps.value:g} fps ({fps.origin}), {unit.value:.6g} m per unit ({unit.origin}), "
        f"{up.value} up ({up.origin})",
        *(note for measure in (fps, unit, up) for note in measure.notes),
        *(CHECK + note for note in joint_notes(motion.skeleton)),
    ]
    if skip:
        history.append(f"dropped the first {skip} frames")
    try:
        annotation = _annotation(motion, fps.value, options, history)
        recording = Recording(
            positions=turned,
            fps=fps.value,
            skeleton=motion.skeleton,
            name=motion.name or path.stem,
            valid=valid,
            times=_times(motion, fps.value, skip),
            source=motion.source or path.name,
            attributes=motion.attributes,
            history=tuple(history),
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return Take(recording, annotation)


def _check_stated(path: Path, motion: FileMotion, options: ReadOptions, body: Body) -> None:
    """Ask for all at once that neither the file nor a body in it tells, by InputError."""
    unknown: dict[str, str] = {}
    if motion.fps is None and options.fps is None:
        unknown["frame rate"] = "--fps 120"
    if motion.unit is None and motion.asks_unit and options.metres is None and body.stature() is None:
        unknown["unit"] = "--unit mm"
    if motion.up is None and options.up is None and standing_axis(body) is None:
        unknown["axis that points up"] = "--up z"
    if unknown:
        *others, last = unknown
        what = f"{', no '.join(others)} and no {last}" if others else last
        why = ", and shows no person by whom to tell" if unknown.keys() - {"frame rate"} else ""
        them = "them" if others else "it"
        raise InputError(
            f"{path}: the file states no {what}{why}; give {them}, for example {' '.join(unknown.values())}"
        )


def _rate(path: Path, motion: FileMotion, options: ReadOptions, override: bool) -> _Measure:
    """Frames a second; those that no motion is recorded at are doubted."""
    rate = _stated_rate(path, motion, options, override)
    if LIKELY_RATES[0] <= rate.value <= LIKELY_RATES[1]:
        return rate
    note = f"{CHECK}{rate.value:g} frames a second is no rate of motion; give the right one by --fps"
    return replace(rate, notes=(*rate.notes, note))


def _stated_rate(path: Path, motion: FileMotion, options: ReadOptions, override: bool) -> _Measure:
    """Frames a second, as given or as the file has them."""
    if motion.fps is None:
        assert options.fps is not None  # by `_check_stated`
        return _Measure(options.fps, "given")
    if options.fps is None or options.fps == motion.fps:
        return _Measure(motion.fps, motion.fps_from)
    if override:
        return _Measure(options.fps, f"given, in place of {motion.fps:g}: {motion.fps_from}")
    note = f"{DECIDED}the rate of the file stays; --fps is for those of several formats that state none"
    return _Measure(motion.fps, motion.fps_from, (note,))


def _seen(motion: FileMotion, skip: int) -> tuple[NDArray[np.floating[Any]], BoolArray]:
    """Positions (T, P, J, 3), zero where not seen, and which joints were seen (T, P, J), after the skipped frames."""
    positions = motion.positions[skip:]
    valid: BoolArray = ~np.isnan(positions).any(axis=3)
    if motion.valid is not None:
        stated = motion.valid[skip:]
        valid &= stated if stated.ndim == 3 else stated[:, :, None]
    return (positions if valid.all() else np.where(valid[..., None], positions, 0)), valid


def _unit(motion: FileMotion, options: ReadOptions, body: Body) -> _Measure:
    """Metres per unit: given, the file's, or that of the body where the file states none or nobody is so large."""
    stature = body.stature()
    if options.metres is not None:
        unit = _Measure(options.metres, "given")
    elif motion.unit is None and stature is None:
        note = f"{CHECK}nothing says the unit, centimetres are taken; give another by --unit"
        return _Measure(0.01, "centimetres, for want of a body to measure", (note,))
    elif stature is None or (motion.unit is not None and (motion.unit_is_sure or _is_human(stature * motion.unit))):
        unit = _Measure(motion.unit, motion.unit_from)
    else:
        unit = _guessed_unit(motion, stature, is_whole=len(body.upward()) > 0)
    if stature is not None and not _is_human(stature * unit.value):
        tall = f"the body is {stature * unit.value:.3g} m tall"
        unit = replace(unit, notes=(*unit.notes, f"{CHECK}{tall}; if that is wrong, give its unit by --unit"))
    return unit


def _guessed_unit(motion: FileMotion, stature: float, is_whole: bool) -> _Measure:
    """The unit that makes a body of this stature a person; the file's where there is none, or only part of a body."""
    metres, name = likely_unit(stature)
    tall = f"{stature * metres:.2f} m tall"
    if motion.unit is None:
        return _Measure(metres, f"{name}, by the body", (f"{DECIDED}the unit is {name}, by the body ({tall})",))
    if not is_whole or not _is_human(stature * metres):
        return _Measure(motion.unit, motion.unit_from)
    why = f"{tall}, not {stature * motion.unit:.4g} m by {motion.unit_from}"
    return _Measure(metres, f"{name}, by the body", (f"{DECIDED}the unit is {name}, by the body ({why})",))


def _is_human(stature: float) -> bool:
    """Whether somebody may be so tall, in metres."""
    return STATURES[0] <= stature <= STATURES[1]


def _up(motion: FileMotion, options: ReadOptions, body: Body) -> _Measure:
    """The axis that points up: given, the file's, or that of the body."""
    if options.up is not None:
        body_up = find_up(body, options.up)
        if body_up.axis == options.up:
            return _Measure(options.up, "given")
        return _Measure(options.up, "given", (f"{CHECK}--up is {options.up}, but {body_up.axis} is: {body_up.reason}",))
    if motion.up is None:
        standing = standing_axis(body)
        assert standing is not None  # by `_check_stated`
        note = f"{DECIDED}{standing.axis} is up, by the body ({standing.reason})"
        return _Measure(standing.axis, "by the body", (note,))
    if motion.up_is_sure:
        return _Measure(motion.up, "the format's")
    rest = None
    if motion.rest is not None:
        pose = motion.rest[None, None]
        rest = Body.of(motion.skeleton, pose, np.ones(pose.shape[:3], dtype=bool))
    up = find_up(body, motion.up, rest)
    if up.check:
        return _Measure(up.axis, up.reason, (f"{CHECK}{up.check}",))
    if up.axis != motion.up:
        note = f"{DECIDED}{up.axis} is up, not {motion.up}, by the body ({up.reason})"
        return _Measure(up.axis, "by the body", (note,))
    return _Measure(up.axis, up.reason)


def _times(motion: FileMotion, fps: float, skip: int) -> Float64Array | None:
    """Seconds (T,) from the first frame that remains; None for an even rate, as another one than the file's is."""
    if motion.times is None or fps != motion.fps:
        return None
    return np.asarray(motion.times[skip:] - motion.times[skip], dtype=np.float64)


def decisions(histories: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What was decided about recordings and, as warnings, what looks wrong in them, a line each.

    histories: by the name of the recording.

    Notes that differ only in their details, in brackets, or in numbers count as one; the first of them is shown.
    """
    notes: dict[str, dict[str, str]] = {}  # by kind and name
    for name, history in histories.items():
        for note in history:
            if note.startswith((DECIDED, CHECK)):
                kind = re.sub(r"\d+(\.\d+)?", "#", note.partition(" (")[0])
                notes.setdefault(kind, {}).setdefault(name, note)
    lines = []
    for kind, by_name in notes.items():
        name, note = next(iter(by_name.items()))
        prefix = CHECK if kind.startswith(CHECK) else ""
        text = note.removeprefix(prefix or DECIDED)
        if len(set(by_name.values())) > 1:
            text = text.replace(" (", " (such as ", 1)
        if len(by_name) < len(histories):
            such = "" if len(by_name) == 1 else "such as "
            text = f"{len(by_name)} of {len(histories)} recordings, {such}{name}: {text}"
        lines.append(prefix + text)
    return tuple(lines)


def _annotation(motion: FileMotion, fps: float, options: ReadOptions, history: list[str]) -> Annotation | None:
    """The Annotation of the file at the final rate, without the skipped frames."""
    skip = options.skip_frames
    if motion.frame_ids is not None and motion.labels is not None:
        ids = merge_short_runs(motion.frame_ids, options.min_label_frames)
        changed = int(np.count_nonzero(ids != motion.frame_ids))
        if changed:
            history.append(f"merged label runs under {options.min_label_frames} frames: {changed} frames relabelled")
        times = _times(motion, fps, skip)
        if times is None:
            return spans_from_frames(ids[skip:], fps, motion.labels)
        return _timed(spans_from_frames(ids[skip:], 1.0, motion.labels), times, fps)
    if motion.annotation is None:
        return None
    if _times(motion, fps, skip) is not None and motion.times is not None:
        return _shifted(motion.annotation, 1.0, float(motion.times[skip] - motion.times[0]))
    scale = 1.0 if motion.fps is None else motion.fps / fps
    return _shifted(motion.annotation, scale, skip / fps)


def _timed(annotation: Annotation, times: Float64Array, fps: float) -> Annotation:
    """The annotation whose times are frame numbers, by the seconds (T,) at which those frames start."""
    starts = np.append(times, times[-1] + 1 / fps)  # the end of the last frame too

    def at(frame: float) -> float:
        return float(starts[round(frame)])

    spans = tuple(replace(span, start=at(span.start), end=at(span.end)) for span in annotation.spans)
    covered = annotation.covered and tuple((at(start), at(end)) for start, end in annotation.covered)
    return Annotation(spans, annotation.labels, covered)


def _shifted(annotation: Annotation, scale: float, start: float) -> Annotation:
    """The annotation with all times multiplied by `scale`, then `start` seconds cut from the front."""
    if scale == 1.0 and start == 0.0:
        return annotation

    def shifted(begin: float, end: float) -> tuple[float, float]:
        return max(0.0, begin * scale - start), end * scale - start

    times = [shifted(span.start, span.end) for span in annotation.spans]
    spans = [
        replace(span, start=begin, end=end)
        for span, (begin, end) in zip(annotation.spans, times, strict=True)
        if end > begin
    ]
    covered = annotation.covered
    if covered is not None:
        covered = tuple((begin, end) for begin, end in (shifted(*bounds) for bounds in covered) if end > begin)
    events = (replace(event, time=event.time * scale - start) for event in annotation.events)
    return Annotation(tuple(spans), annotation.labels, covered, tuple(event for event in events if event.time >= 0))


def merge_short_runs(ids: IntArray, min_frames: int) -> IntArray:
    """Frame ids (T,) in which every run shorter than `min_frames` has the label of its longer neighbour.

    The shortest run is merged first, the earlier of equals; of equally long neighbours the earlier one wins. A run that
    has grown counts with its new length. A single run stays, however short.
    """
    ids = np.array(ids, dtype=np.int64)
    while len(segments := runs(ids)) > 1:
        lengths = [end - start for _, start, end in segments]
        shortest = lengths.index(min(lengths))
        if lengths[shortest] >= min_frames:
            break
        neighbours = [run for run in (shortest - 1, shortest + 1) if 0 <= run < len(lengths)]
        _, start, end = segments[shortest]
        ids[start:end] = segments[max(neighbours, key=lengths.__getitem__)][0]
    return ids
