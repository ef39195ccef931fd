"""The report's data as plain JSON: motion and scores quantised, at most 30 frames a second, deflated, base64."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..data.annotation import Event, LabelSet, Span
from ..data.recording import Recording
from ..viewer.payload import MotionBytes, deflated, frame_picks, scores_payload, skeleton_payload
from .data import ReportData, ReportRecording


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


def _recording(item: ReportRecording, labels: LabelSet) -> dict[str, Any]:
    recording, truth = item.recording, item.truth
    return {
        "name": recording.name,
        "source": recording.source,
        "attributes": [[name, value] for name, value in recording.attributes.items()],
        "duration": recording.duration,
        "sourceFps": recording.fps,
        "sourceFrames": recording.num_frames,
        "skeleton": skeleton_payload(recording.skeleton),
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


def _motion(recording: Recording) -> dict[str, Any]:
    """Positions as int16 steps of `unit` metres around `origin`, differences over time, deflated.

    People who are never valid are left out. In frames where a person is not valid the last valid pose (before it the
    first) stands in, which the page shows as a ghost; `valid` (T', P') is the mask. `facing` is the direction in
    radians, from +z towards +x, that the first person faces in the first second.
    """
    picks, fps = frame_picks(recording.num_frames, recording.fps)
    motion = MotionBytes(recording, picks)
    steps = motion.steps(picks)
    steps[1:] -= steps[:-1].copy()  # int16 wraps around, and so it does on the page
    return {
        "fps": fps,
        "frames": len(picks),
        "slots": list(motion.slots),
        "unit": motion.unit,
        "origin": motion.origin.tolist(),
        "first": motion.first,
        "facing": motion.facing,
        "steps": deflated(steps),
        "valid": deflated(motion.seen(picks)),
    }


def _scores(item: ReportRecording) -> dict[str, Any] | None:
    """Scores (T', C + 1) in [0, 1] as one byte each, deflated."""
    if item.scores is None or item.scores_fps is None:
        return None
    return scores_payload(item.scores, item.scores_fps)


def _plain(value: Any) -> Any:
    """JSON values of Python and NumPy ones; numbers that are not finite become None."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
