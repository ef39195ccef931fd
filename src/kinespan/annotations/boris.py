"""BORIS project, .boris: JSON with observations of any number of recordings, an ethogram and subjects.

Nothing says where a state starts or stops: its first row in time of a subject, behaviour and modifier is a start, the
next one its stop, as BORIS pairs them. Written are LIVE observations, which need no film, named after the recordings;
the tier is the subject. What a subject or a behaviour stands for, where its name does not say it, its description says,
so that reading gives the rows that were written.
"""

from __future__ import annotations

import gzip
import json
import math
import re
import string
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..data.clock import Clock
from ..errors import InputError
from ..files import write_atomically
from .base import FORMATS, AnnotationFormat
from .label_file import LabelFile, LabelRow, listed
from .text_file import decoded, file_bytes, plain_head
from .tiers import free_name, lanes, lost_lines, overflow_line, whole_milliseconds, with_text

NO_SUBJECT = ("", "No focal subject")
_MEANING = re.compile(r"kinespan (\{.*\})", re.DOTALL)
"""A description that says what a subject or a behaviour stands for."""
_UNFIT = re.compile("[\ud800-\udfff]")
_MAX_BYTES = 1 << 28
"""The most that a compressed project may hold."""


def sniff(path: Path, head: bytes) -> bool:
    """JSON with the words of a project; compressed, its ending."""
    if head.startswith(b"\x1f\x8b"):
        return path.name.lower().endswith(".boris.gz")
    words = plain_head(head)
    keys = (b'"project_format_version"', b'"behaviors_conf"', b'"subjects_conf"', b'"observations"')
    return words.startswith(b"{") and sum(key in words for key in keys) >= 2


@dataclass
class Pairing:
    """Rows of states, each a start or a stop, as spans; what is without its other half is counted."""

    path: Path
    rows: list[LabelRow] = field(default_factory=list)
    starts: list[LabelRow] = field(default_factory=list)
    """Starts without a stop."""
    stops: list[LabelRow] = field(default_factory=list)
    """Stops without a start."""
    _open: dict[tuple[str, ...], LabelRow] = field(default_factory=dict)

    def add(self, row: LabelRow, mark: str) -> None:
        """Add a row whose mark is START, STOP, POINT, or STATE: a start or a stop, whichever is due."""
        key = row.recording, row.tier, row.label, row.modifier
        if mark == "POINT":
            self.rows.append(row)
        elif mark == "STOP" or (mark == "STATE" and key in self._open):
            start = self._open.pop(key, None)
            if start is None:
                self.stops.append(row)
            else:
                self.rows.append(replace(start, end=row.start))
        else:
            if key in self._open:
                self.starts.append(self._open[key])
            self._open[key] = row

    def finish(self) -> tuple[tuple[LabelRow, ...], list[str]]:
        """The rows in order of start, recording by recording, and a line on those left out."""
        self.starts += self._open.values()
        self._open.clear()
        names = {name: index for index, name in enumerate(dict.fromkeys(row.recording for row in self.rows))}
        rows = sorted(self.rows, key=lambda row: (names[row.recording], row.start))
        lines = []
        for kind, halves in (("starts of states without a stop", self.starts), ("stops without a start", self.stops)):
            if halves:
                first = halves[0]
                lines.append(
                    f"{kind} left out: {len(halves)} ({first.where} in {first.recording!r}: {first.label!r} at "
                    f"{first.start:g} s)"
                )
        return tuple(rows), lines


def read(path: Path) -> LabelFile:
    """The observations, by name: states as spans, point events as instants, the subject as tier.

    Raises InputError, naming the file and the event, for anything that is not a project of BORIS.
    """
    data, notes = _json(path)
    observations = data.get("observations")
    if not isinstance(observations, dict):
        raise InputError(
            f"{path}: observations: found {str(observations)[:40]!r}, expected an object, as BORIS writes it"
        )
    kinds = {
        code: "POINT" if "point" in kind.lower() else "STATE" for code, kind in _conf(data, "behaviors", "code", "type")
    }
    labels = _meanings(_conf(data, "behaviors", "code", "description"))
    subjects = _meanings(_conf(data, "subjects", "name", "description"))
    pairing, unknown = Pairing(path), Counter[str]()
    media: dict[str, str] = {}
    offsets: dict[str, float] = {}
    for name, observation in observations.items():
        if not isinstance(observation, dict) or not isinstance(observation.get("events", []), list):
            raise InputError(f"{path}: observations[{name!r}]: expected an object with a list of events")
        if film := _medium(observation):
            media[name] = film
        offset = offsets[name] = _offset(observation, name, path)
        events = [_event(event, name, index, path) for index, event in enumerate(observation.get("events", []))]
        for row in sorted(events, key=lambda row: row.start):
            if row.label not in kinds:
                unknown[row.label] += 1
                continue
            pairing.add(replace(row, start=row.start - offset), kinds[row.label])
    rows, lines = pairing.finish()
    rows = tuple(_with_meaning(row, labels, subjects) for row in rows)
    if unknown:
        lines.append(
            f"events of behaviours that the ethogram does not have left out: {unknown.total()} ({listed(unknown)})"
        )
    return LabelFile(path, tuple(observations), rows, notes=(*notes, *lines, *offset_lines(offsets)), media=media)


def offset_lines(offsets: Mapping[str, float]) -> list[str]:
    """A line on the time offsets of observations, which their times include and which are taken off."""
    shifted = {name: offset for name, offset in offsets.items() if offset}
    if not shifted:
        return []
    name, offset = next(iter(shifted.items()))
    return [
        f"decided: the time offset of {len(shifted)} observation{'' if len(shifted) == 1 else 's'} is taken off, times "
        f"count from the start of the film ({name!r}: {offset:g} s)"
    ]


def _json(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The content of a project, compressed or not. Raises InputError for what is no JSON object."""
    data = file_bytes(path)
    if data.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(path) as file:
                data = file.read(_MAX_BYTES)
        except (OSError, EOFError, ValueError) as error:
            raise InputError(f"{path}: cannot be read as a compressed project: {error}") from None
    text, notes = decoded(data, path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: no JSON: {error}; expected a project of BORIS") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: found {text[:40]!r}, expected an object, a project of BORIS")
    return content, notes


def _conf(data: Mapping[str, Any], what: str, key: str, value: str) -> list[tuple[str, str]]:
    """Two fields of the entries of the ethogram or the list of subjects."""
    conf = data.get(f"{what}_conf")
    entries: Iterable[object] = conf.values() if isinstance(conf, dict) else conf if isinstance(conf, list) else ()
    return [
        (entry[key], str(entry.get(value) or ""))
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get(key), str)
    ]


def _meanings(descriptions: Iterable[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """What names stand for whose description kinespan wrote."""
    result = {}
    for name, text in descriptions:
        match = _MEANING.fullmatch(text.strip())
        if match is not None:
            try:
                result[name] = json.loads(match.group(1))
            except (ValueError, RecursionError):
                continue  # somebody else's
    return result


def _with_meaning(
    row: LabelRow, labels: Mapping[str, dict[str, Any]], subjects: Mapping[str, dict[str, Any]]
) -> LabelRow:
    """A row with the label, the tier and the person that its names stand for."""
    label, subject = labels.get(row.label, {}).get("label"), subjects.get(row.tier, {})
    tier, person = subject.get("tier"), subject.get("person")
    return replace(
        row,
        label=label if isinstance(label, str) and label else row.label,
        tier=tier if isinstance(tier, str) else row.tier,
        person=person if type(person) is int and person >= 0 else None,
    )


def _medium(observation: Mapping[str, Any]) -> str:
    """The film of an observation, the first of player 1; empty for none."""
    players = observation.get("file")
    films = players.get("1") if isinstance(players, dict) else None
    return films[0] if isinstance(films, list) and films and isinstance(films[0], str) else ""


def _offset(observation: Mapping[str, Any], name: str, path: Path) -> float:
    """The time offset of an observation in seconds, which its times include."""
    offset = _finite(observation.get("time offset") or 0.0)
    if offset is None:
        raise InputError(
            f"{path}: observations[{name!r}]: time offset is {observation['time offset']!r}, expected seconds"
        )
    return offset


def _event(event: object, name: str, index: int, path: Path) -> LabelRow:
    """An event as a row without an end: time, subject, behaviour, modifier and comment. Raises InputError."""
    where = f"observations[{name!r}].events[{index}]"
    entry = event if isinstance(event, list) else []
    time = _finite(entry[0]) if entry else None
    texts = entry[1:4]
    if time is None or len(texts) < 2 or not all(isinstance(text, str) for text in texts):
        raise InputError(
            f"{path}: {where}: found {str(event)[:60]}, expected [seconds, subject, behaviour, modifier, ...]"
        )
    subject = "" if texts[0] in NO_SUBJECT else texts[0]
    if not texts[1].strip():
        raise InputError(f"{path}: {where}: the behaviour is empty")
    modifier = texts[2] if len(texts) > 2 else ""
    return LabelRow(name, texts[1], time, None, where, unit="seconds", tier=subject, modifier=modifier)


def _finite(value: object) -> float | None:
    """A finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def write(file: LabelFile, path: Path, clocks: Mapping[str, Clock]) -> tuple[str, ...]:
    """Write rows as a project with an observation for each recording."""
    rows, lines = with_text(file.rows, _UNFIT, "\ufffd", "BORIS")
    rows, more = whole_milliseconds(rows, "BORIS")
    codes = _Codes(rows, file.labels or (), file.events or ())
    subjects = _Subjects()
    observations: dict[str, list[list[Any]]] = {name: [] for name in file.recordings}
    overflow: list[str] = []
    groups: dict[tuple[Any, ...], list[LabelRow]] = defaultdict(list)
    for row in rows:
        groups[row.recording, row.tier, row.person, row.label, row.modifier, row.end is None].append(row)
    for (recording, tier, person, label, modifier, is_event), members in groups.items():
        for index, lane in enumerate([members] if is_event else lanes(members)):
            subject = subjects.name(tier, person, index)
            overflow += [subject] * len(lane) if index else []
            code = codes.names[label, is_event]
            for row in lane:
                times = [row.start] if row.end is None else [row.start, row.end]
                observations.setdefault(recording, []).extend([time, subject, code, modifier, ""] for time in times)
    lines += more + overflow_line(overflow, "a subject of BORIS")
    lines += lost_lines(file, "BORIS", "tier", "person", "modifier")
    project = _project(codes, subjects, observations)
    write_atomically(path, json.dumps(project, indent=1) + "\n")
    return tuple(lines)


class _Codes:
    """The ethogram: behaviours of states and points. A label that names both has one for each."""

    def __init__(self, rows: Sequence[LabelRow], declared: Sequence[str], events: Sequence[str]) -> None:
        used = {(row.label, row.end is None): None for row in rows}
        labels = {label for label, _ in used}
        used |= {(label, label in set(events)): None for label in declared if label not in labels}
        taken = labels | set(declared)
        self.names: dict[tuple[str, bool], str] = {}
        for label, is_event in used:
            if is_event and (label, False) in used:
                code = free_name(f"{label} (point)", taken, 0)
                taken.add(code)
                self.names[label, is_event] = code
            else:
                self.names[label, is_event] = label
        self.modifiers: dict[str, list[list[str]]] = defaultdict(list)
        for row in rows:
            sets = self.modifiers[self.names[row.label, row.end is None]]
            for index, value in enumerate(row.modifier.split("|") if row.modifier else ()):
                sets += [[]] if index == len(sets) else []
                if value not in ("", "None", *sets[index]):
                    sets[index].append(value)

    def conf(self) -> dict[str, Any]:
        """The ethogram as BORIS keeps it."""
        keys = iter(string.ascii_lowercase + string.digits + string.ascii_uppercase)
        return {
            str(index): {
                "type": "Point event" if is_event else "State event",
                "key": next(keys, ""),
                "code": code,
                "description": "" if code == label else _said({"label": label}),
                "color": "",
                "category": "",
                "modifiers": {
                    str(number): {"name": f"modifier {number + 1}", "type": 0, "values": values}
                    for number, values in enumerate(self.modifiers[code])
                }
                or "",
                "excluded": "",
                "coding map": "",
            }
            for index, ((label, is_event), code) in enumerate(self.names.items())
        }


class _Subjects:
    """The subjects: a name for each tier and person, and for rows of them that overlap."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, int | None, int], str] = {}

    def name(self, tier: str, person: int | None, index: int) -> str:
        """The name of a subject; `index` counts those of the same tier and person."""
        key = tier, person, index
        if key not in self._names:
            words = [] if tier in NO_SUBJECT or not tier.strip() else [tier]
            words += [] if person is None else [f"person {person}"]
            base = " ".join(words)
            taken = {*self._names.values(), *NO_SUBJECT[1:]}
            if not base and index == 0 and tier == "" and person is None:
                self._names[key] = ""
            else:
                self._names[key] = free_name(base or "subject", taken, index)
        return self._names[key]

    def conf(self) -> dict[str, Any]:
        """The subjects as BORIS keeps them."""
        named = [(key, name) for key, name in self._names.items() if name]
        return {
            str(place): {
                "key": "",
                "name": name,
                "description": "" if (name, None) == (tier, person) else _said({"tier": tier, "person": person}),
            }
            for place, ((tier, person, _), name) in enumerate(named)
        }


def _said(meaning: dict[str, Any]) -> str:
    return f"kinespan {json.dumps(meaning)}"


def _project(codes: _Codes, subjects: _Subjects, observations: Mapping[str, list[list[Any]]]) -> dict[str, Any]:
    """A project of format 7.0 as BORIS opens it."""
    date = "2000-01-01T00:00:00"
    return {
        "time_format": "hh:mm:ss",
        "project_date": date,
        "project_name": "",
        "project_description": "",
        "project_format_version": "7.0",
        "subjects_conf": subjects.conf(),
        "behaviors_conf": codes.conf(),
        "observations": {
            name: {
                "file": {},
                "type": "LIVE",
                "date": date,
                "description": "",
                "time offset": 0.0,
                "events": sorted(events, key=lambda event: event[0]),
                "independent_variables": {},
                "visualize_spectrogram": False,
                "visualize_waveform": False,
                "close_behaviors_between_videos": False,
                "scan_sampling_time": 0,
                "start_from_current_time": False,
                "start_from_current_epoch_time": False,
            }
            for name, events in observations.items()
        },
        "behavioral_categories": [],
        "behavioral_categories_config": {},
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }


FORMATS.register("boris")(
    AnnotationFormat(
        (".boris",), "BORIS project, observations of many recordings", read, write, sniff, resolution=0.001
    )
)
