"""Label Studio JSON and JSON-MIN: tasks, each with the results of annotators or of models.

Read are timeline labels (frames from 1, the end included), labels of time series (values of the time column of the
data), labels of audio (seconds) and the presence of objects of video. Written are timeline labels where the rates of
recordings are known, else labels in seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ..data.clock import Clock
from ..files import write_atomically
from .base import FORMATS, AnnotationFormat
from .frame_times import rounded_lines
from .json_fields import FieldError, is_number, parsed_any
from .label_file import LabelFile, LabelRow, listed
from .tiers import lost_lines

_KINDS = ("timelinelabels", "timeserieslabels", "videorectangle", "labels")
"""Types of results that have times."""
_FRAMERATE = re.compile(r"<Video\b[^>]*?\bframerate\s*=\s*[\"']([^\"']+)[\"']", re.IGNORECASE)
_DEFAULT_RATE = 24.0
"""Frames a second of a Video tag that does not say it."""
_OWN = frozenset({"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time"})
"""Fields of a task in JSON-MIN that are Label Studio's own."""
_MEDIA = ("video", "audio", "timeseries", "csv", "ts", "url", "file")
"""Fields of the data of a task that usually name the recording."""
_INSTANT = "instant"


def sniff(path: Path, head: bytes) -> bool:
    """Results that have a control and a value, or values of JSON-MIN."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] not in (b"[", b"{"):
        return False
    has_results = b'"result"' in text and any(
        key in text for key in (b'"from_name"', b'"annotations"', b'"completions"')
    )
    is_minimal = text[:1] == b"[" and any(f'"{kind}"'.encode() in text for kind in _KINDS[:2])
    return has_results or is_minimal or (text[:1] == b"[" and b'"annotator"' in text and b'"lead_time"' in text)


def read(path: Path) -> LabelFile:
    """The labels of all tasks; the tier is the name of the control, with the annotator where a task has several.

    Raises InputError that names the file, the task and the field.
    """
    with parsed_any(path) as data:
        tasks = data if isinstance(data, list) else [data]
        reader = _Reader(path)
        for index, task in enumerate(tasks):
            if not isinstance(task, dict):
                raise FieldError(f"[{index}]", task, "a task, an object")
            reader.task(task, f"[{index}]" if isinstance(data, list) else "", len(tasks))
        recordings = tuple(dict.fromkeys(reader.recordings)) or (path.stem,)
        return LabelFile(path, recordings, tuple(reader.rows), notes=tuple(reader.notes()), open_unit=reader.open_unit)


class _Reader:
    """Reads tasks one by one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[LabelRow] = []
        self.recordings: list[str] = []
        self.open_unit = ""
        self.decided: dict[str, None] = {}
        self.without_times = self.cancelled = self.predictions = 0

    def task(self, task: Mapping[str, Any], field: str, count: int) -> None:
        """Read one task."""
        inner, rate = task, _rate(task)
        if isinstance(task.get("annotation"), dict):  # as a webhook sends it
            inner = {
                **(task["task"] if isinstance(task.get("task"), dict) else {}),
                "annotations": [task["annotation"]],
            }
        recording = _recording(inner, self.path.stem if count == 1 else f"task {inner.get('id', field)}")
        self.recordings.append(recording)
        entries = next((inner[key] for key in ("annotations", "completions") if inner.get(key)), None)
        predictions = inner.get("predictions") or []
        if entries is None and not predictions and "result" in inner:
            entries = [inner]
        if entries is None and not predictions:
            if "data" not in inner and "annotations" not in inner:
                self._minimal(inner, field, recording, rate)
            return
        key = "annotations" if entries else "predictions"
        self.predictions += len(predictions) if entries and isinstance(predictions, list) else 0
        entries = entries or predictions
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise FieldError(f"{field}.{key}", entries, "a list of objects with results")
        self.cancelled += sum(entry.get("was_cancelled") is True for entry in entries)
        entries = [entry for entry in entries if entry.get("was_cancelled") is not True]
        for index, entry in enumerate(entries):
            results = entry.get("result")
            if not isinstance(results, list):
                raise FieldError(f"{field}.{key}[{index}].result", results, "a list of results")
            who = _who(entry, index) if len(entries) > 1 else ""
            for i, result in enumerate(results):
                where = f"{field}.{key}[{index}].result[{i}]"
                if not isinstance(result, dict) or not isinstance(result.get("value", {}), dict):
                    raise FieldError(where, result, "an object with a type and a value")
                tier = " / ".join(filter(None, (str(result.get("from_name") or ""), who)))
                score = result.get("score", entry.get("score") if key == "predictions" else None)
                score = None if score is None or not is_number(score) else float(score)
                self._value(str(result.get("type")), result, where, (recording, tier), rate, score)

    def _minimal(self, task: Mapping[str, Any], field: str, recording: str, rate: float | None) -> None:
        """Read a task of JSON-MIN: the values of each control under its name."""
        for name, values in task.items():
            if name in _OWN or not isinstance(values, list):
                continue
            for index, value in enumerate(values):
                where = f"{field}.{name}[{index}]"
                kind = next((kind for kind in _KINDS if isinstance(value, dict) and kind in value), "")
                kind = "videorectangle" if isinstance(value, dict) and "sequence" in value else kind
                if isinstance(value, dict):
                    self._value(kind, {"value": value, "id": name}, where, (recording, name), rate, None)

    def _value(
        self,
        kind: str,
        result: Mapping[str, Any],
        where: str,
        place: tuple[str, str],
        rate: float | None,
        score: float | None,
    ) -> None:
        """Read a result: its labels at its times."""
        value, (recording, tier) = result.get("value", {}), place
        labels = value.get(kind) if kind != "videorectangle" else value.get("labels")
        has_times = "ranges" in value or "sequence" in value or "start" in value
        if kind not in _KINDS or not has_times:
            self.without_times += 1
            return
        if not isinstance(labels, list) or not labels or not all(isinstance(label, str) and label for label in labels):
            raise FieldError(f"{where}.value.{kind}", labels, "a list of labels")
        unit: str | None = "seconds"
        if kind == "timelinelabels":
            times, unit = self._frames(_ranges(f"{where}.value.ranges", value.get("ranges")), rate)
        elif kind == "videorectangle":
            lives, own_rate = _lives(f"{where}.value.sequence", value)
            tier = str(result.get("id") or tier)
            times, unit = self._frames(lives, own_rate or rate)
            self.decided["decided: an object is there from a key frame to the one where it is disabled"] = None
        else:
            times = [_bounds(f"{where}.value", value)]
            if kind == "timeserieslabels":
                unit, self.open_unit = None, "start of timeserieslabels"
        texts = result.get("meta", {}).get("text") if isinstance(result.get("meta"), dict) else None
        is_instant = texts == [_INSTANT] or texts == _INSTANT
        for start, end in times:
            for label in labels:
                bound = None if is_instant else end
                self.rows.append(LabelRow(recording, label, start, bound, where, unit=unit, tier=tier, score=score))  # type: ignore[arg-type]

    def _frames(
        self, ranges: list[tuple[int, int]], rate: float | None
    ) -> tuple[list[tuple[float, float | None]], str]:
        """Frames from 1 with the last one included, as bounds in seconds where the rate is known, else in frames."""
        self.decided["decided: frames count from 1, and the end is the last frame"] = None
        if rate is not None:
            self.decided[f"decided: {rate:g} frames a second, as the file says"] = None
            return [((start - 1) / rate, end / rate) for start, end in ranges], "seconds"
        return [(float(start - 1), float(end)) for start, end in ranges], "frames"

    def notes(self) -> list[str]:
        """What was decided and left out."""
        counts = (
            (self.without_times, "results without times, such as choices for the whole recording"),
            (self.cancelled, "annotations that were skipped"),
            (self.predictions, "predictions, where there are annotations"),
        )
        return [*self.decided, *(f"left out: {count} {what}" for count, what in counts if count)]


def write(file: LabelFile, path: Path, clocks: Mapping[str, Clock]) -> tuple[str, ...]:
    """Write a task for each recording; predictions where all rows have a score, else annotations.

    Timeline labels where the rates of all recordings are known, else labels in seconds. Raises InputError.
    """
    recordings = list(dict.fromkeys([*file.recordings, *(row.recording for row in file.rows)]))
    in_frames = bool(file.rows) and all(row.recording in clocks for row in file.rows)
    key = "predictions" if file.rows and all(row.score is not None for row in file.rows) else "annotations"
    tasks = []
    for number, name in enumerate(recordings, 1):
        clock = clocks.get(name) if in_frames else None
        results = [_result(row, f"{number}_{i}", clock) for i, row in enumerate(file.rows, 1) if row.recording == name]
        data: dict[str, Any] = {"video" if in_frames else "audio": name}
        if clock is not None:
            data["framerate"] = clock.fps
        tasks.append({"id": number, "data": data, key: [{"id": number, "result": results}]})
    write_atomically(path, json.dumps(tasks, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    tiers = list(dict.fromkeys(row.tier or "label" for row in file.rows))
    tag, media = ("TimelineLabels", "Video") if in_frames else ("Labels", "Audio")
    lost = (
        [f"the labelling configuration needs a {media} tag and a {tag} tag of each name: {listed(tiers)}"]
        if tiers
        else []
    )
    lost += rounded_lines(file.rows, clocks) if in_frames else []
    return (*lost, *lost_lines(file, "Label Studio", "tier", "score"))


FORMATS.register("label_studio")(AnnotationFormat((".json",), "Label Studio, JSON and JSON-MIN", read, write, sniff))


def _result(row: LabelRow, name: str, clock: Clock | None) -> dict[str, Any]:
    """A row as a result."""
    end = row.start if row.end is None else row.end
    if clock is None:
        value: dict[str, Any] = {"start": float(row.start), "end": float(end), "labels": [row.label]}
    else:
        first, stop = (
            clock.frames(row.start, end)
            if row.end is not None
            else (clock.frame(row.start), clock.frame(row.start) + 1)
        )
        value = {"ranges": [{"start": first + 1, "end": stop}], "timelinelabels": [row.label]}
    kind, media = ("labels", "audio") if clock is None else ("timelinelabels", "video")
    control = row.tier or "label"
    result: dict[str, Any] = {"id": name, "from_name": control, "to_name": media, "type": kind, "value": value}
    if row.score is not None:
        result["score"] = float(row.score)
    if row.end is None:
        result["meta"] = {"text": [_INSTANT]}
    return result


def _rate(task: Mapping[str, Any]) -> float | None:
    """The rate of the video, of the labelling configuration or the data of a task; None where neither is there."""
    data, project = task.get("data"), task.get("project")
    rate = data.get("framerate", data.get("fps")) if isinstance(data, dict) else None
    config = project.get("label_config") if isinstance(project, dict) else None
    if isinstance(config, str) and "<Video" in config:
        match = _FRAMERATE.search(config)
        rate = match[1] if match and not match[1].startswith("$") else rate if match else _DEFAULT_RATE
    try:
        value = float(rate)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return value if 0 < value < 1e6 else None


def _recording(task: Mapping[str, Any], default: str) -> str:
    """The file that a task's data names, of an address its last part; else the default."""
    data = task["data"] if isinstance(task.get("data"), dict) else task
    names = [data[key] for key in _MEDIA if isinstance(data.get(key), str) and data[key]]
    if not names:
        names = [
            value
            for key, value in data.items()
            if isinstance(value, str) and key not in _OWN and re.search(r"\.\w{2,5}$", value)
        ]
    if not names:
        return default
    name = str(names[0])
    return PurePosixPath(name.split("?")[0]).name or default if "://" in name else name


def _who(entry: Mapping[str, Any], index: int) -> str:
    """Who made an annotation, or which one it is."""
    who = entry.get("completed_by", entry.get("model_version"))
    who = who.get("email", who.get("id")) if isinstance(who, dict) else who
    return f"annotator {who}" if who not in (None, "") else f"annotation {entry.get('id', index + 1)}"


def _ranges(field: str, ranges: object) -> list[tuple[int, int]]:
    """First and last frames, from 1."""
    if not isinstance(ranges, list):
        raise FieldError(field, ranges, "a list of start and end")
    bounds = []
    for index, entry in enumerate(ranges):
        start, end = (entry.get("start"), entry.get("end")) if isinstance(entry, dict) else (None, None)
        if not isinstance(start, int | float) or not isinstance(end, int | float) or not is_number(start - end):
            raise FieldError(f"{field}[{index}]", entry, "an object with start and end, numbers of frames")
        if start > end:
            raise FieldError(f"{field}[{index}]", entry, "a start that is not after the end")
        bounds.append((int(start), int(end)))
    return bounds


def _bounds(field: str, value: Mapping[str, Any]) -> tuple[float, float | None]:
    """Start and end of a value; no end of an instant."""
    start, end = value.get("start"), value.get("end", value.get("start"))
    if not is_number(start) or not is_number(end):
        raise FieldError(f"{field}.start", start if not is_number(start) else end, "a number; export times as numbers")
    is_instant = value.get("instant") is True or start == end
    return float(start), None if is_instant else float(end)  # type: ignore[arg-type]


def _lives(field: str, value: Mapping[str, Any]) -> tuple[list[tuple[int, int]], float | None]:
    """First and last frames between which an object is enabled, and the rate that its key frames say."""
    keys = value.get("sequence")
    if not isinstance(keys, list) or not all(isinstance(key, dict) and is_number(key.get("frame")) for key in keys):
        raise FieldError(field, keys, "a list of key frames")
    keys = sorted(keys, key=lambda key: float(key["frame"]))
    count = value.get("framesCount")
    last = int(count) if count is not None and is_number(count) else int(keys[-1]["frame"]) if keys else 0
    lives: list[tuple[int, int]] = []
    start: int | None = None
    for key in keys:
        start = int(key["frame"]) if start is None else start
        if not key.get("enabled", True):
            lives.append((start, int(key["frame"])))
            start = None
    if start is not None:
        lives.append((start, max(start, last)))
    rates = [key["frame"] / key["time"] for key in keys if is_number(key.get("time")) and key["time"] > 0]
    return lives, round(rates[-1], 3) if rates and 0 < rates[-1] < 1e6 else None
