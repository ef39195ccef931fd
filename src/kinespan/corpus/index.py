"""The index of a corpus on disk: the content of `index.json`, written, and read back with every field checked.

The file is one JSON object: ``format`` and ``version`` of the layout; the corpus ``name``; ``labels`` (names,
exclusive, events) or null; ``decisions``, plain lines about what was decided where files did not say it; the
``skeletons``; the ``recordings`` in the order in which their frames lie in the frames file (name, fps, shape [T, P],
index of the skeleton, source, checksum, attributes, history, annotation or null); the ``splits``; and ``digest``, the
SHA-256 of all of this as canonical JSON, which detects a changed index.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.annotation import TOLERANCE, Annotation, Event, LabelSet, Span
from ..data.skeleton import Skeleton
from ..errors import InputError
from .info import RecordingInfo
from .splits import Split

INDEX_FILE = "index.json"
FORMAT = "kinespan-corpus"
VERSION = 2


@dataclass(frozen=True)
class Index:
    """The whole index. ``annotations`` has for each recording the result of `encode_annotation`, or None."""

    name: str
    labels: LabelSet | None
    infos: tuple[RecordingInfo, ...]
    annotations: tuple[dict[str, Any] | None, ...]
    splits: tuple[Split, ...]
    decisions: tuple[str, ...] = ()
    """What was decided where files did not say it, in plain lines."""


def read_index(folder: Path) -> Index:
    """The index of the corpus in a folder. Raises InputError where there is none, or where it was changed."""
    file = folder / INDEX_FILE
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        reason = "has no index.json" if folder.is_dir() else "is not a folder"
        raise InputError(f"{folder}: not a corpus, it {reason}; make one with `kinespan prepare`") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read ({error})") from None
    return decode(text, file)


def encode(index: Index) -> str:
    """The text of `index.json`. Raises InputError for a number that is not finite."""
    skeletons = list(dict.fromkeys(info.skeleton for info in index.infos))
    skeleton_index = {skeleton: number for number, skeleton in enumerate(skeletons)}
    body = {
        "format": FORMAT,
        "version": VERSION,
        "name": index.name,
        "labels": index.labels and encode_labels(index.labels),
        "decisions": index.decisions,
        "skeletons": [skeleton.to_dict() for skeleton in skeletons],
        "recordings": [
            encode_info(info, skeleton_index[info.skeleton], annotation)
            for info, annotation in zip(index.infos, index.annotations, strict=True)
        ],
        "splits": [split.to_dict() for split in index.splits],
    }
    try:
        return json.dumps({**body, "digest": _digest(body)}, allow_nan=False)
    except ValueError as error:
        raise InputError(f"corpus {index.name!r}: {error}; times of spans must be finite") from None


def encode_info(info: RecordingInfo, skeleton: int, annotation: dict[str, Any] | None) -> dict[str, Any]:
    """Plain data of a recording, with the index of its skeleton; `decode_info` reads it back."""
    return {
        "name": info.name,
        "fps": float(info.fps),
        "shape": [info.num_frames, info.num_people],
        "skeleton": skeleton,
        "source": info.source,
        "checksum": info.checksum,
        "attributes": dict(info.attributes),
        "history": info.history,
        "annotation": annotation,
    }


def decode(text: str, file: Path) -> Index:
    """The Index that `encode` wrote; `file` is named in errors.

    Raises InputError for another format or version, a changed text, and a field that is missing or wrong.
    """
    advice = "run `kinespan prepare` again"
    try:
        body = json.loads(text)
    except ValueError as error:
        raise InputError(f"{file}: not JSON ({error}); {advice}") from None
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise InputError(f"{file}: not the index of a corpus, expected format {FORMAT!r}; {advice}")
    version = body.get("version")
    if version != VERSION:
        is_newer = isinstance(version, int) and version > VERSION
        again = f"make it anew: kinespan prepare SOURCE --out {file.parent} --overwrite, with the options of then"
        mend = "update kinespan" if is_newer else again
        raise InputError(f"{file}: version is {version!r}, this kinespan reads {VERSION}; {mend}")
    if body.pop("digest", None) != _digest(body):
        raise InputError(f"{file}: changed after it was written (its digest differs); restore it or {advice}")
    try:
        return _decode_body(body)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError(f"{file}: {type(error).__name__}: {error}; {advice}") from None


def _decode_body(body: dict[str, Any]) -> Index:
    labels = body["labels"] and decode_labels(body["labels"])
    skeletons = [Skeleton.from_dict(data) for data in body["skeletons"]]
    infos = tuple(decode_info(data, skeletons) for data in body["recordings"])
    annotations = tuple(data["annotation"] for data in body["recordings"])
    if len({info.name for info in infos}) != len(infos) or not infos:
        raise ValueError("recording names must be unique and at least one")
    if labels is None and any(annotation is not None for annotation in annotations):
        raise ValueError("annotations without labels")
    splits = tuple(map(Split.from_dict, body["splits"]))
    return Index(str(body["name"]), labels, infos, annotations, splits, tuple(map(str, body["decisions"])))


def decode_info(data: Mapping[str, Any], skeletons: Sequence[Skeleton]) -> RecordingInfo:
    """The RecordingInfo that `encode_info` wrote. Raises KeyError, IndexError, TypeError or ValueError for others."""
    frames, people = (int(size) for size in data["shape"])
    if frames < 1 or people < 1 or not data["fps"] > 0:
        raise ValueError(f"recording {data['name']!r} has shape {data['shape']} at {data['fps']} fps")
    return RecordingInfo(
        name=str(data["name"]),
        fps=float(data["fps"]),
        num_frames=frames,
        num_people=people,
        skeleton=skeletons[data["skeleton"]],
        source=str(data["source"]),
        checksum=str(data["checksum"]),
        attributes=dict(data["attributes"]),
        history=tuple(data["history"]),
        annotated=data["annotation"] is not None,
    )


def encode_labels(labels: LabelSet) -> dict[str, Any]:
    """Plain data of a label set; `decode_labels` reads it back."""
    return {
        "names": labels.names,
        "exclusive": labels.exclusive,
        "events": labels.events,
        "tolerance": labels.tolerance,
    }


def decode_labels(data: Mapping[str, Any]) -> LabelSet:
    """The LabelSet that `encode_labels` wrote."""
    tolerance = float(data.get("tolerance", TOLERANCE))
    return LabelSet(tuple(data["names"]), bool(data["exclusive"]), tuple(data["events"]), tolerance)


def encode_annotation(annotation: Annotation) -> dict[str, Any]:
    """Plain data of an annotation: spans as [start, end, label index, score, person], events as [time, label index,
    score, person] and the covered time.

    Raises InputError for covered time that is not finite.
    """
    for start, end in annotation.covered or ():
        if not (math.isfinite(start) and math.isfinite(end)):
            raise InputError(f"covered time [{start}, {end}) s is not finite; end it with the recording")
    index = annotation.labels.index
    spans = [[s.start, s.end, index(s.label), s.score, s.person] for s in annotation.spans]
    events = [[event.time, index(event.label), event.score, event.person] for event in annotation.events]
    return {"spans": spans, "events": events, "covered": annotation.covered}


def decode_annotation(data: Mapping[str, Any], labels: LabelSet) -> Annotation:
    """The Annotation that `encode_annotation` wrote."""
    spans = tuple(Span(start, end, labels.names[label], *rest) for start, end, label, *rest in data["spans"])
    events = tuple(Event(time, labels.names[label], *rest) for time, label, *rest in data["events"])
    covered = data["covered"]
    covered = None if covered is None else tuple((start, end) for start, end in covered)
    return Annotation(spans, labels, covered, events)


def _digest(body: Mapping[str, Any]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
