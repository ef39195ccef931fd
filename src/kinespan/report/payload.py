"""The report's data as plain JSON: motion and scores quantised, at most 30 frames a second, deflated, base64."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..arrays import AnyArray, BoolArray, Float32Array, Float64Array, IntArray
from ..data.annotation import Event, LabelSet, Span
from ..data.recording import Recording
from ..data.skeleton import Skeleton
from .data import ReportData, ReportRecording

MAX_FPS = 30.0
"""Motion and scores are shown at no more than this many frames a second."""
MILLIMETRE = 1e-3
INT16_MAX = 32767


def build_payload(data: ReportData) -> dict[str, Any]:
    """The data of the page as JSON values; a number that is not finite becomes None."""
    payload = {
        "title": data.title,
        "labels": list(data.labels.names),
        "recordings": [_recording(item, data.labels) for item in data.recordings],
        "metrics": data.metrics,
        "facts": [[str(name), str(value)] for name, value in data.facts.items()],
        "curves": [[name, [[step, value] for step, value in points]] for name, points in data.curves.items()],
    }
    return {name: _plain(value) for name, value in payload.items()}


def frame_picks(num_frames: int, fps: float) -> tuple[IntArray, float]:
    """Frames to show, (T',), and their rate: all of them up to 30 a second, above that 30 picked by their time."""
    if fps <= MAX_FPS:
        return np.arange(num_frames), fps
    shown = max(1, math.ceil(num_frames / fps * MAX_FPS - 1e-9))
    # the start of a frame belongs to it, also after rounding
    frames = (np.arange(shown) + 0.5) * (fps / MAX_FPS) + 1e-6
    return np.minimum(frames.astype(np.int64), num_frames - 1), MAX_FPS


def _recording(item: ReportRecording, labels: LabelSet) -> dict[str, Any]:
    recording, truth = item.recording, item.truth
    return {
        "name": recording.name,
        "source": recording.source,
        "attributes": [[name, value] for name, value in recording.attributes.items()],
        "duration": recording.duration,
        "sourceFps": recording.fps,
        "sourceFrames": recording.num_frames,
        "skeleton": _skeleton(recording.skeleton),
        "motion": _motion(recording),
        "truth": None if truth is None or not labels.spans else _spans(truth.spans, labels),
        "covered": None if truth is None or truth.covered is None else [list(bounds) for bounds in truth.covered],
        "segmentation": None if item.segmentation is None else _spans(item.segmentation, labels),
        "proposals": _spans(item.proposals, labels),
        "trueEvents": _events(truth.events, labels) if truth and (truth.events or labels.events) else None,
        "events": None if item.events is None else _events(item.events, labels),
        "scores": _scores(item),
    }


def _spans(spans: Iterable[Span], labels: LabelSet) -> list[list[Any]]:
    """Spans as [start, end, label index, score, person], sorted by start; seconds to the millisecond."""
    rows = [
        [round(span.start, 3), round(span.end, 3), labels.index(span.label), span.score, span.person] for span in spans
    ]
    return sorted(rows, key=lambda row: (row[0], row[1], row[2]))


def _events(events: Iterable[Event], labels: LabelSet) -> list[list[Any]]:
    """Events as [time, label index, score, person], in order of time; seconds to the millisecond."""
    rows = [[round(event.time, 3), labels.index(event.label), event.score, event.person] for event in events]
    return sorted(rows, key=lambda row: (row[0], row[1]))


def _skeleton(skeleton: Skeleton) -> dict[str, Any]:
    """Bones (child, parent), the side of each joint (-1 left, 1 right, 0 middle), the torso's corners, the head."""
    sides = [0] * skeleton.num_joints
    for left, right in skeleton.pairs:
        sides[left], sides[right] = -1, 1
    corners = (skeleton.left_shoulder, skeleton.right_shoulder, skeleton.right_hip, skeleton.left_hip)
    return {
        "name": skeleton.name,
        "joints": skeleton.num_joints,
        "bones": [list(bone) for bone in skeleton.bones if not _is_bare_root(skeleton, bone[1])],
        "sides": sides,
        "torso": [list(corner) for corner in corners] if skeleton.has_torso else [],
        "head": skeleton.body_parts.index("head") if "head" in skeleton.body_parts else -1,
    }


def _is_bare_root(skeleton: Skeleton, joint: int) -> bool:
    """Whether a joint is a root outside the body, often on the floor, that only carries it: one child, no body part.

    In a skeleton without known body parts, any joint may be of the body.
    """
    is_outside = skeleton.body_parts[joint] is None and any(skeleton.body_parts)
    return is_outside and skeleton.parents[joint] < 0 and skeleton.parents.count(joint) == 1


def _motion(recording: Recording) -> dict[str, Any]:
    """Positions as int16 steps of `unit` metres around `origin`, differences over time, deflated.

    People who are never valid are left out. In frames where a person is not valid the last valid pose (before it the
    first) stands in, which the page shows as a ghost; `valid` (T', P') is the mask. `facing` is the direction in
    radians, from +z towards +x, that the first person faces in the first second.
    """
    picks, fps = frame_picks(recording.num_frames, recording.fps)
    mask = recording.present[picks]
    people = np.flatnonzero(mask.any(axis=0))
    if people.size == 0:  # valid only in frames that are not shown
        people = np.flatnonzero(recording.present.any(axis=0))
    mask = mask[:, people]
    positions = np.stack([_without_gaps(recording, int(person))[picks] for person in people], axis=1).astype(np.float64)
    low, high = positions.min(axis=(0, 1, 2)), positions.max(axis=(0, 1, 2))
    origin = (low + high) / 2
    unit = max(MILLIMETRE, float((high - low).max()) / 2 / INT16_MAX)
    steps = np.rint((positions - origin) / unit).astype(np.int16)
    steps[1:] -= steps[:-1].copy()  # int16 wraps around, and so it does on the page
    return {
        "fps": fps,
        "frames": len(picks),
        "slots": people.tolist(),
        "unit": unit,
        "origin": [round(float(value), 4) for value in origin],
        "facing": _facing(positions[:, 0], recording.skeleton, fps),
        "steps": _deflated(steps.astype("<i2")),
        "valid": _deflated(mask.astype(np.uint8)),
    }


def _without_gaps(recording: Recording, person: int) -> Float32Array:
    """Positions (T, J, 3) of a person; a joint that was not seen stays where it was last, or else first, seen.

    A joint that was never seen lies on its parent, or else on the first joint that was seen.
    """
    valid, positions = recording.valid[:, person], recording.positions[:, person]
    if valid.all():
        return np.asarray(positions)
    frames = np.arange(recording.num_frames)
    filled = np.zeros_like(positions)
    is_seen: BoolArray = np.any(valid, axis=0)
    for joint in np.flatnonzero(is_seen).tolist():
        seen_frames = np.flatnonzero(valid[:, joint])
        last = np.searchsorted(seen_frames, frames, side="right") - 1
        filled[:, joint] = positions[seen_frames[np.maximum(last, 0)], joint]
    for joint in recording.skeleton.order:
        parent = recording.skeleton.parents[joint]
        if not is_seen[joint]:
            filled[:, joint] = filled[:, parent if parent >= 0 else int(is_seen.argmax())]
    return filled


def _facing(positions: Float64Array, skeleton: Skeleton, fps: float) -> float:
    """Direction that a person (T, J, 3) faces during the first second: from right to left across the body, times up.

    0 for a skeleton that faces nowhere.
    """
    opening = positions[: max(1, round(fps))]
    if not skeleton.has_heading:
        return 0.0
    left = opening[:, [*skeleton.left_shoulder, *skeleton.left_hip]].mean(axis=(0, 1))
    right = opening[:, [*skeleton.right_shoulder, *skeleton.right_hip]].mean(axis=(0, 1))
    across = left - right
    return float(np.arctan2(-across[2], across[0]))


def _scores(item: ReportRecording) -> dict[str, Any] | None:
    """Scores (T', C + 1) in [0, 1] as one byte each, deflated."""
    if item.scores is None or item.scores_fps is None:
        return None
    scores = np.asarray(item.scores, dtype=np.float64)
    picks, fps = frame_picks(len(scores), item.scores_fps)
    levels = np.rint(np.clip(scores[picks], 0, 1) * 255).astype(np.uint8)
    return {"fps": fps, "frames": len(picks), "columns": scores.shape[1], "levels": _deflated(levels)}


def _deflated(array: AnyArray) -> str:
    return base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes(), 9)).decode("ascii")


def _plain(value: Any) -> Any:
    """JSON values of Python and NumPy ones; numbers that are not finite become None."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
