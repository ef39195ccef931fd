"""ELAN .eaf, format 3.0: XML with tiers of annotations in whole milliseconds, some of which have times of their own.

Read are all tiers. An annotation that refers to another one has its time (Symbolic_Association), or an equal part of it
(Symbolic_Subdivision); time slots without a value are spread evenly between those that have one, as ELAN draws them.

Written are tiers without overlap, an instant as a span of `EVENT_SECONDS`. What a tier stands for (its name, a person,
instants) is kept in the properties of the file, so that reading it gives the rows that were written.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

from ..data.clock import Clock
from ..errors import InputError
from ..files import write_atomically
from .base import FORMATS, AnnotationFormat
from .label_file import LabelFile, LabelRow
from .text_file import plain_head, read_xml
from .tiers import Tier, lost_lines, overflow_lines, rows_of, tiers_of, whole_milliseconds, with_text

EVENT_SECONDS = 0.04
"""The length with which an instant is written: ELAN needs one, and a shorter one cannot be seen."""
_PROPERTY = "kinespan tier "
"""Begins the name of the property that says what a tier stands for."""
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot hold."""

Interval = tuple[float, float]
"""Start and end in milliseconds."""


def sniff(path: Path, head: bytes) -> bool:
    """XML whose root is an ANNOTATION_DOCUMENT."""
    return b"<ANNOTATION_DOCUMENT" in plain_head(head)


def read(path: Path) -> LabelFile:
    """The annotations of all tiers; the recording is named after the file.

    Annotations without text and those without a time are left out and counted. Raises InputError, naming the file and
    the annotation, for anything that is not ELAN.
    """
    root = read_xml(path)
    header = root.find("HEADER")
    if root.tag != "ANNOTATION_DOCUMENT":
        raise InputError(f"{path}: the root is {root.tag!r}, expected ANNOTATION_DOCUMENT, a file of ELAN")
    unit = "milliseconds" if header is None else header.get("TIME_UNITS", "milliseconds")
    if unit != "milliseconds":
        raise InputError(f"{path}: HEADER TIME_UNITS is {unit!r}, expected 'milliseconds'; save it again with ELAN")
    meanings = _meanings(root)
    times = _Times(root, path)
    rows: list[LabelRow] = []
    empty, untimed, parts = 0, 0, 0
    for tier in root.iter("TIER"):
        name = tier.get("TIER_ID", "")
        meaning = meanings.get(name, LabelRow("", "", 0.0, 1.0, "", tier=name))
        for annotation in _annotations_of(tier):
            identifier = annotation.get("ANNOTATION_ID", "")
            label = annotation.findtext("ANNOTATION_VALUE") or ""
            interval = times.intervals.get(identifier)
            if not label.strip() or interval is None:
                empty, untimed = empty + (not label.strip()), untimed + (interval is None and bool(label.strip()))
                continue
            parts += annotation.tag == "REF_ANNOTATION"
            start, end = interval[0] / 1000, None if meaning.end is None else interval[1] / 1000
            where = f"tier {name!r}, annotation {identifier}"
            row = replace(meaning, recording=path.stem, label=label, start=start, end=end, where=where, unit="seconds")
            rows.append(row)
    notes = []
    if parts:
        notes.append(f"decided: {rows_of(parts)} without a time of their own have that of the annotation they refer to")
    if empty:
        notes.append(f"annotations without text left out: {empty}")
    if untimed:
        notes.append(f"annotations without a time left out: {untimed}")
    films = [_film(media) for media in root.iter("MEDIA_DESCRIPTOR")]
    media = {path.stem: films[0]} if films and films[0] else {}
    return LabelFile(path, (path.stem,), tuple(rows), notes=(*notes, *_media_notes(header)), media=media)


class _Times:
    """The time of each annotation, whichever way the file says it."""

    def __init__(self, root: Element, path: Path) -> None:
        self.path = path
        self.slots: dict[str, float | None] = {}
        self.order: dict[str, int] = {}
        for slot in root.iter("TIME_SLOT"):
            identifier, value = slot.get("TIME_SLOT_ID", ""), slot.get("TIME_VALUE")
            if value is not None and not re.fullmatch(r"-?\d{1,15}", value.strip()):
                raise InputError(f"{path}, TIME_SLOT {identifier}: TIME_VALUE is {value!r}, expected milliseconds")
            self.slots[identifier] = None if value is None else float(value)
            self.order[identifier] = len(self.order)
        self.intervals: dict[str, Interval | None] = {}
        divides = {
            kind.get("LINGUISTIC_TYPE_ID"): kind.get("CONSTRAINTS") != "Symbolic_Association"
            for kind in root.iter("LINGUISTIC_TYPE")
        }
        children: dict[str, list[tuple[bool, list[Element]]]] = defaultdict(list)
        for tier in _parents_first(root):
            aligned = [item for item in _annotations_of(tier) if item.tag == "ALIGNABLE_ANNOTATION"]
            self._align(aligned)
            groups: dict[str, list[Element]] = defaultdict(list)
            for item in _annotations_of(tier):
                if item.tag == "REF_ANNOTATION":
                    groups[item.get("ANNOTATION_REF", "")].append(item)
            for parent, members in groups.items():
                children[parent].append((divides.get(tier.get("LINGUISTIC_TYPE_REF"), True), members))
        self._refer(children)

    def _align(self, annotations: Sequence[Element]) -> None:
        """Set the times of the annotations of a tier that have slots, and the values of slots without one."""
        bounds = []
        for item in annotations:
            identifier, slots = item.get("ANNOTATION_ID", ""), (item.get("TIME_SLOT_REF1"), item.get("TIME_SLOT_REF2"))
            for slot in slots:
                if slot not in self.slots:
                    raise InputError(f"{self.path}, annotation {identifier}: there is no TIME_SLOT {slot!r}")
            bounds.append((identifier, str(slots[0]), str(slots[1])))
        bounds.sort(key=lambda bound: (self.order[bound[1]], self.order[bound[2]]))
        points: list[list[str]] = []  # slots at one time, in order of time
        for _, first, last in bounds:
            touches = bool(points) and (
                first in points[-1] or (self.slots[first] is None and self.slots[points[-1][0]] is None)
            )
            if touches:
                points[-1].append(first)
            else:
                points.append([first])
            points.append([last])
        self._spread(points)
        for identifier, first, last in bounds:
            if identifier in self.intervals:
                raise InputError(f"{self.path}: the ANNOTATION_ID {identifier!r} occurs twice")
            start, end = self.slots[first], self.slots[last]
            if start is not None and end is not None and end < start:
                raise InputError(f"{self.path}, annotation {identifier}: it ends at {end:g} ms, before {start:g} ms")
            self.intervals[identifier] = None if start is None or end is None else (start, end)

    def _spread(self, points: Sequence[Sequence[str]]) -> None:
        """Give slots without a value the times that divide what lies between the slots with one equally."""
        values = [next((self.slots[slot] for slot in point if self.slots[slot] is not None), None) for point in points]
        known = [index for index, value in enumerate(values) if value is not None]
        for before, after in pairwise(known):
            start, end = values[before], values[after]
            assert start is not None
            assert end is not None
            for index in range(before + 1, after):
                for slot in points[index]:
                    self.slots[slot] = start + (end - start) * (index - before) / (after - before)

    def _refer(self, children: Mapping[str, Sequence[tuple[bool, Sequence[Element]]]]) -> None:
        """Set the times of the annotations that refer to others, from parents to children."""
        waiting = list(self.intervals)
        while waiting:
            parent = waiting.pop()
            interval = self.intervals[parent]
            for divides, members in children.get(parent, ()):
                ordered = self._ordered(members) if divides else members
                for index, item in enumerate(ordered):
                    identifier = item.get("ANNOTATION_ID", "")
                    if identifier in self.intervals:
                        raise InputError(f"{self.path}: the ANNOTATION_ID {identifier!r} occurs twice")
                    waiting.append(identifier)
                    if interval is None or not divides:
                        self.intervals[identifier] = interval
                        continue
                    start, length = interval[0], (interval[1] - interval[0]) / len(ordered)
                    self.intervals[identifier] = start + index * length, start + (index + 1) * length
        for parent, groups in children.items():
            if parent not in self.intervals:
                orphan = groups[0][1][0].get("ANNOTATION_ID", "")
                raise InputError(f"{self.path}, annotation {orphan}: there is no annotation {parent!r} with a time")

    def _ordered(self, members: Sequence[Element]) -> list[Element]:
        """Annotations of one parent, each behind its PREVIOUS_ANNOTATION. Raises InputError for a circle."""
        names = {item.get("ANNOTATION_ID", "") for item in members}
        following: dict[str, list[Element]] = defaultdict(list)
        for item in members:
            previous = item.get("PREVIOUS_ANNOTATION", "")
            following[previous if previous in names else ""].append(item)
        result: list[Element] = []
        waiting = following[""][::-1]
        while waiting:
            item = waiting.pop()
            result.append(item)
            waiting += following.pop(item.get("ANNOTATION_ID", ""), [])[::-1]
        if len(result) != len(members):
            first = members[0].get("ANNOTATION_ID", "")
            raise InputError(f"{self.path}, annotation {first}: PREVIOUS_ANNOTATION goes in a circle")
        return result


def _annotations_of(tier: Element) -> list[Element]:
    """The annotations of a tier."""
    kinds = ("ALIGNABLE_ANNOTATION", "REF_ANNOTATION")
    return [item for annotation in tier.findall("ANNOTATION") for item in annotation if item.tag in kinds]


def _parents_first(root: Element) -> list[Element]:
    """The tiers, each behind the one that it depends on; those of a circle in the order of the file."""
    tiers = list(root.iter("TIER"))
    by_parent: dict[str | None, list[Element]] = defaultdict(list)
    names = {tier.get("TIER_ID") for tier in tiers}
    for tier in tiers:
        parent = tier.get("PARENT_REF")
        by_parent[parent if parent in names else None].append(tier)
    result, waiting = [], by_parent.pop(None, [])[::-1]
    while waiting:
        tier = waiting.pop()
        result.append(tier)
        waiting += by_parent.pop(tier.get("TIER_ID"), [])[::-1]
    return result + [tier for group in by_parent.values() for tier in group]


def _meanings(root: Element) -> dict[str, LabelRow]:
    """What tiers stand for that kinespan wrote: a row with their tier, person, and an end where they hold spans."""
    result = {}
    for item in root.iter("PROPERTY"):
        name = item.get("NAME", "")
        try:
            said = json.loads(item.text or "") if name.startswith(_PROPERTY) else None
        except ValueError:
            continue  # somebody else's
        if isinstance(said, dict) and isinstance(said.get("tier"), str):
            person, end = said.get("person"), None if said.get("events") is True else 1.0
            slot = person if type(person) is int and person >= 0 else None
            result[name.removeprefix(_PROPERTY)] = LabelRow("", "", 0.0, end, "", slot, tier=said["tier"])
    return result


def _film(media: Element) -> str:
    """The name of a medium's file."""
    return re.split(r"[/\\]", media.get("MEDIA_URL", ""))[-1]


def _media_notes(header: Element | None) -> list[str]:
    """A line for each medium that begins elsewhere than the file."""
    notes = []
    for media in () if header is None else header.iter("MEDIA_DESCRIPTOR"):
        origin = media.get("TIME_ORIGIN", "0")
        if re.fullmatch(r"-?\d{1,15}", origin) and int(origin):
            notes.append(
                f"decided: times are ELAN's own; its medium {_film(media)!r} begins {int(origin) / 1000:g} s into it "
                "(TIME_ORIGIN); --offset shifts them"
            )
    return notes


def write(file: LabelFile, path: Path, clocks: Mapping[str, Clock]) -> tuple[str, ...]:
    """Write rows of one recording as ELAN opens them; declared labels are a controlled vocabulary."""
    rows, text_lines = with_text(file.rows, _NO_XML, "\ufffd", "XML")
    rows, lines = whole_milliseconds(rows, "ELAN")
    tiers = tiers_of(rows, EVENT_SECONDS)
    lines += overflow_lines(tiers, "a tier of ELAN")
    if instants := sum(len(tier.rows) for tier in tiers if tier.is_events):
        lines.append(f"instants, written as spans of {1000 * EVENT_SECONDS:g} ms, as ELAN needs a length: {instants}")
    lines += lost_lines(file, "ELAN", "tier", "person")
    write_atomically(path, _document(tiers, file.labels or ()))
    return (*text_lines, *lines)


def _document(tiers: Sequence[Tier], labels: Sequence[str]) -> str:
    """The XML of a file."""
    slots: list[tuple[int, str]] = []
    body: list[str] = []
    count = 0
    for tier in tiers:
        body.append(f'    <TIER LINGUISTIC_TYPE_REF="labels" TIER_ID={_quoted(tier.name)}>')
        for row in tier.rows:
            count += 1
            end = row.start + EVENT_SECONDS if row.end is None else row.end
            first, last = f"ts{2 * count - 1}", f"ts{2 * count}"
            slots += [(round(1000 * row.start), first), (round(1000 * end), last)]
            body += [
                "        <ANNOTATION>",
                f'            <ALIGNABLE_ANNOTATION ANNOTATION_ID="a{count}" TIME_SLOT_REF1="{first}" '
                f'TIME_SLOT_REF2="{last}">',
                f"                <ANNOTATION_VALUE>{_text(row.label)}</ANNOTATION_VALUE>",
                "            </ALIGNABLE_ANNOTATION>",
                "        </ANNOTATION>",
            ]
        body.append("    </TIER>")
    order = "\n".join(
        f'        <TIME_SLOT TIME_SLOT_ID="{name}" TIME_VALUE="{time}"/>' for time, name in sorted(slots, key=_by_time)
    )
    vocabulary = ' CONTROLLED_VOCABULARY_REF="labels"' if labels else ""
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<ANNOTATION_DOCUMENT AUTHOR="" DATE="2000-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            'xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">',
            '    <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">',
            *(
                _property(tier)
                for tier in tiers
                if (tier.name, None, False) != (tier.tier, tier.person, tier.is_events)
            ),
            f'        <PROPERTY NAME="lastUsedAnnotationId">{count}</PROPERTY>',
            "    </HEADER>",
            *(["    <TIME_ORDER>", order, "    </TIME_ORDER>"] if slots else ["    <TIME_ORDER/>"]),
            *body,
            f'    <LINGUISTIC_TYPE{vocabulary} GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="labels" '
            'TIME_ALIGNABLE="true"/>',
            *_vocabulary(labels),
            "</ANNOTATION_DOCUMENT>\n",
        ]
    )


def _by_time(slot: tuple[int, str]) -> tuple[int, int]:
    return slot[0], int(slot[1].removeprefix("ts"))


def _property(tier: Tier) -> str:
    """The property that says what a tier stands for."""
    said = json.dumps({"tier": tier.tier, "person": tier.person, "events": tier.is_events})
    return f"        <PROPERTY NAME={_quoted(_PROPERTY + tier.name)}>{_text(said)}</PROPERTY>"


def _vocabulary(labels: Sequence[str]) -> list[str]:
    """The constraints that ELAN expects, and the labels as words to choose from."""
    constraints = {
        "Time_Subdivision": "Time subdivision of parent annotation's time interval, no time gaps allowed within this "
        "interval",
        "Symbolic_Subdivision": "Symbolic subdivision of a parent annotation. Annotations refering to the same parent "
        "are ordered",
        "Symbolic_Association": "1-1 association with a parent annotation",
        "Included_In": "Time alignable annotations within the parent annotation's time interval, gaps are allowed",
    }
    language = (
        '    <LANGUAGE LANG_DEF="http://cdb.iso.org/lg/CDB-00130975-001" LANG_ID="und" '
        'LANG_LABEL="undetermined (und)"/>'
    )
    lines = [language] if labels else []
    for name, text in constraints.items():
        lines.append(f"    <CONSTRAINT DESCRIPTION={_quoted(text)} STEREOTYPE={_quoted(name)}/>")
    if labels:
        lines += ['    <CONTROLLED_VOCABULARY CV_ID="labels">', '        <DESCRIPTION LANG_REF="und"/>']
        for index, label in enumerate(labels, 1):
            lines += [
                f'        <CV_ENTRY_ML CVE_ID="cveid{index}">',
                f'            <CVE_VALUE LANG_REF="und">{_text(label)}</CVE_VALUE>',
                "        </CV_ENTRY_ML>",
            ]
        lines.append("    </CONTROLLED_VOCABULARY>")
    return lines


def _text(text: str) -> str:
    """Text between tags."""
    text = _NO_XML.sub("\ufffd", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#13;")


def _quoted(text: str) -> str:
    """The value of an attribute, in quotes."""
    return '"' + _text(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;") + '"'


FORMATS.register("elan")(
    AnnotationFormat((".eaf",), "ELAN, tiers of annotations", read, write, sniff, one_recording=True, resolution=0.001)
)
