"""VIA 3 projects: segments of time on the files of a view, each with values of attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..data.clock import Clock
from ..files import write_atomically
from .base import FORMATS, AnnotationFormat
from .json_fields import FieldError, is_number, parsed
from .label_file import LabelFile, LabelRow
from .tiers import lost_lines

_TEXT, _SELECT = 1, 4
"""Kinds of attributes: free text, and one of several options."""
_SEGMENT_ANCHOR = "FILE1_Z2_XY0"
_VIDEO, _LOCAL = 4, 1


def sniff(path: Path, head: bytes) -> bool:
    """A project of VIA of this version."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return text[:1] == b"{" and b'"project"' in text and (b'"vid_list"' in text or b"VGG Image Annotator" in text)


def read(path: Path) -> LabelFile:
    """The segments and instants of all files; the tier is the name of the attribute, the label its value.

    Regions of the image, and segments without a value, are left out and counted. Raises InputError, naming the field.
    """
    with parsed(path) as data:
        attributes, files, views, metadata = (_objects(data, key) for key in ("attribute", "file", "view", "metadata"))
        names = {fid: str(entry.get("fname") or entry.get("src") or fid) for fid, entry in files.items()}
        rows: list[LabelRow] = []
        regions = unlabelled = 0
        for key, entry in metadata.items():
            where = f"metadata[{key!r}]"
            times, values = entry.get("z"), entry.get("av")
            if entry.get("xy"):
                regions += 1
                continue
            if not isinstance(times, list) or not 1 <= len(times) <= 2 or not all(map(is_number, times)):
                if times in ([], None):
                    unlabelled += 1
                    continue
                raise FieldError(f"{where}.z", times, "[time] or [start, end] in seconds")
            if not isinstance(values, dict):
                raise FieldError(f"{where}.av", values, "an object of values of attributes")
            end = float(times[1]) if len(times) == 2 else None
            recording = _recording(views, names, str(entry.get("vid")), where)
            labels = [(tier, label) for aid, value in values.items() for tier, label in _labels(attributes, aid, value)]
            unlabelled += not labels
            for tier, label in labels:
                rows.append(LabelRow(recording, label, float(times[0]), end, where, unit="seconds", tier=tier))
        notes = [f"left out: {regions} regions of the image"] if regions else []
        notes += [f"left out: {unlabelled} segments without a value or a time"] if unlabelled else []
        recordings = tuple(dict.fromkeys([*names.values(), *(row.recording for row in rows)])) or (path.stem,)
        return LabelFile(path, recordings, tuple(rows), notes=tuple(notes))


def write(file: LabelFile, path: Path, clocks: Mapping[str, Clock]) -> tuple[str, ...]:
    """Write a project with a view for each recording and an attribute for each tier, whose options are its labels.

    Raises InputError for a bad path.
    """
    tiers = list(dict.fromkeys(row.tier or "label" for row in file.rows)) or ["label"]
    options: dict[str, dict[str, str]] = {tier: {} for tier in tiers}
    for row in file.rows:
        labels = options[row.tier or "label"]
        labels.setdefault(row.label, str(len(labels)))
    recordings = list(dict.fromkeys([*file.recordings, *(row.recording for row in file.rows)]))
    ids = {name: str(index) for index, name in enumerate(recordings, 1)}
    metadata = {}
    for index, row in enumerate(file.rows, 1):
        tier = row.tier or "label"
        times = [float(row.start)] if row.end is None else [float(row.start), float(row.end)]
        values = {str(tiers.index(tier) + 1): options[tier][row.label]}
        metadata[f"{ids[row.recording]}_{index:08d}"] = {
            "vid": ids[row.recording],
            "flg": 0,
            "z": times,
            "xy": [],
            "av": values,
        }
    project = {
        "pid": "__VIA_PROJECT_ID__",
        "rev": "__VIA_PROJECT_REV_ID__",
        "rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__",
        "pname": path.stem,
        "creator": "VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)",
        "created": 0,
        "vid_list": list(ids.values()),
    }
    attributes = {
        str(index): {
            "aname": tier,
            "anchor_id": _SEGMENT_ANCHOR,
            "type": _SELECT,
            "desc": "",
            "options": {number: label for label, number in options[tier].items()},
            "default_option_id": "",
        }
        for index, tier in enumerate(tiers, 1)
    }
    data = {
        "project": project,
        "config": {"file": {"loc_prefix": {"1": "", "2": "", "3": "", "4": ""}}, "ui": _interface()},
        "attribute": attributes,
        "file": {i: {"fid": i, "fname": name, "type": _VIDEO, "loc": _LOCAL, "src": name} for name, i in ids.items()},
        "metadata": metadata,
        "view": {i: {"fid_list": [i]} for i in ids.values()},
    }
    write_atomically(path, json.dumps(data, ensure_ascii=False) + "\n")
    return tuple(lost_lines(file, "VIA", "tier"))


FORMATS.register("via")(AnnotationFormat((".json",), "VIA 3 project", read, write, sniff))


def _interface() -> dict[str, Any]:
    """How VIA shows a project."""
    return {
        "file_content_align": "center",
        "file_metadata_editor_visible": True,
        "spatial_metadata_editor_visible": True,
        "temporal_segment_metadata_editor_visible": True,
        "spatial_region_label_attribute_id": "",
        "gtimeline_visible_row_count": "4",
    }


def _objects(data: Mapping[str, Any], key: str) -> dict[str, dict[str, Any]]:
    """The objects under a key, by their ids."""
    value = data.get(key)
    if not isinstance(value, dict) or not all(isinstance(entry, dict) for entry in value.values()):
        raise FieldError(key, value, "an object of objects")
    return value


def _recording(views: Mapping[str, Mapping[str, Any]], names: Mapping[str, str], view: str, where: str) -> str:
    """The name of the first file of a view."""
    files = views.get(view, {}).get("fid_list")
    if not isinstance(files, Sequence) or not files or str(files[0]) not in names:
        raise FieldError(f"{where}.vid", view, "the number of a view with a file")
    return names[str(files[0])]


def _labels(attributes: Mapping[str, Mapping[str, Any]], aid: str, value: object) -> list[tuple[str, str]]:
    """The name of an attribute with each of its values: options by their names, else the text itself."""
    attribute = attributes.get(aid, {})
    options = attribute.get("options")
    options = options if isinstance(options, dict) else {}
    texts = [value] if str(value) in options else str(value).split(",") if options else [value]
    labels = [str(options.get(str(text), text)) for text in texts]
    return [(str(attribute.get("aname", aid)), label) for label in labels if label.strip()]
