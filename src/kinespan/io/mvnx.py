"""MVNX (Xsens MVN): segments of an inertial suit as XML."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

import numpy as np

from ..arrays import Float64Array
from ..data.annotation import Annotation, Event, LabelSet
from ..data.joint_names import skeleton_from_names
from ..errors import InputError
from .base import CHECK, DECIDED, READERS, FileMotion, floats, read_text_bytes
from .clock import stated_clock
from .options import ReadOptions

_UPPER_BODY = re.compile(r"upper|no ?legs?", re.IGNORECASE)


@dataclass
class _Subject:
    """One person, as far as it was read."""

    name: str
    rate: float | None
    is_upper_body: bool
    segments: list[str] = field(default_factory=list)
    parents: dict[str, str] = field(default_factory=dict)
    rows: list[Float64Array] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    """Milliseconds and texts of the markers that somebody set while recording."""
    calibration: int = 0
    """Frames that were skipped."""


@READERS.register("mvnx")
class MvnxReader:
    """MVNX: the origins of the segments, metres, z up, as the format defines.

    Calibration frames (identity, tpose, tpose-isb) are skipped and counted. Several subjects are people. The rate is
    frameRate, unless the times of the frames, whole milliseconds, are uneven. Markers are events.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".mvnx",)
    about: ClassVar[str] = "Xsens MVN XML, segments of an inertial suit"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """The outermost element is mvnx."""
        return head.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<") and re.search(rb"<mvnx[\s>]", head) is not None

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """Positions (T, P, J, 3) of the segments."""
        subjects = [subject for subject in _subjects(path) if subject.rows]
        if not subjects:
            raise InputError(
                f"{path}: no frame of type normal with a position is there; the file is damaged or cut off"
            )
        first = subjects[0]
        if any(subject.segments != first.segments for subject in subjects):
            raise InputError(f"{path}: its subjects have different segments; export one subject a file")
        frames = max(len(subject.rows) for subject in subjects)
        positions = np.full((frames, len(subjects), len(first.segments), 3), np.nan)
        for person, subject in enumerate(subjects):
            positions[: len(subject.rows), person] = np.stack(subject.rows).reshape(-1, len(first.segments), 3)
        longest = max(subjects, key=lambda subject: len(subject.rows))
        seconds = np.array(longest.milliseconds) / 1000
        rising = seconds if len(seconds) > 1 and (np.diff(seconds) > 0).all() else np.zeros(0)
        rate = stated_clock(path, rising, np.zeros(frames, dtype=np.int64), first.rate)
        index = {name: joint for joint, name in enumerate(first.segments)}
        parents = [index.get(first.parents.get(name, ""), -1) for name in first.segments]
        try:
            skeleton = skeleton_from_names(f"mvnx{len(parents)}", first.segments, parents)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        return FileMotion(
            positions=positions,
            skeleton=skeleton,
            fps=rate.fps,
            fps_from=rate.origin,
            times=rate.times,
            unit_from="the metres of MVN",
            unit_is_sure=True,
            up="z",
            annotation=_events(subjects),
            history=(*_notes(subjects), *rate.notes),
        )


def _subjects(path: Path) -> list[_Subject]:
    """The people of the file. Raises InputError, naming the line, where it is no such XML."""
    _ = read_text_bytes(path)  # raises where it cannot be read or is no text
    subjects: list[_Subject] = []
    try:
        for event, element in ElementTree.iterparse(path, events=("start", "end")):
            tag = element.tag.rpartition("}")[2]
            if event == "start" and tag == "subject":
                words = floats([element.get("frameRate", "")])
                rate = float(words[0]) if words is not None and words[0] > 0 else None
                is_upper = _UPPER_BODY.search(element.get("configuration", "")) is not None
                subjects.append(_Subject(element.get("label", ""), rate, is_upper))
            elif event == "end" and subjects:
                _add(path, subjects[-1], tag, element)
    except ElementTree.ParseError as error:
        raise InputError(f"{path}:{error.position[0]}: is no whole XML: {error}; it is damaged or cut off") from None
    return subjects


def _add(path: Path, subject: _Subject, tag: str, element: ElementTree.Element) -> None:
    """Take up an element that has ended. Raises InputError for a frame of another size."""
    if tag == "segment":
        subject.segments.append(element.get("label", f"segment {len(subject.segments) + 1}"))
    elif tag == "joint":
        ends = [_text(element, name).partition("/")[0] for name in ("connector1", "connector2")]
        subject.parents[ends[1]] = ends[0]
    elif tag == "frame":
        if element.get("type", "normal") == "normal":
            _add_frame(path, subject, element)
        else:
            subject.calibration += 1
        element.clear()


def _add_frame(path: Path, subject: _Subject, element: ElementTree.Element) -> None:
    values = floats(_text(element, "position").split())
    number, expected = len(subject.rows) + 1, 3 * len(subject.segments)
    if values is None or len(values) != expected or not expected:
        found = "something else" if values is None else f"{len(values)} of them"
        raise InputError(f"{path}: position of frame {number}: expected {expected} numbers, found {found}")
    time = floats([element.get("time", "")])
    milliseconds = float(time[0]) if time is not None else np.nan
    subject.rows.append(values)
    subject.milliseconds.append(milliseconds)
    for child in element:
        if child.tag.rpartition("}")[2] == "marker":
            text = (child.text or child.get("label") or "").strip()
            subject.marks.append((milliseconds, text))


def _text(element: ElementTree.Element, name: str) -> str:
    """The text of the child of that name; empty where there is none."""
    return next((child.text or "" for child in element if child.tag.rpartition("}")[2] == name), "")


def _events(subjects: list[_Subject]) -> Annotation | None:
    """The markers in seconds from the first frame, each of a person where there are several."""
    events = [
        Event((time - subject.milliseconds[0]) / 1000, text, person=person if len(subjects) > 1 else None)
        for person, subject in enumerate(subjects)
        for time, text in subject.marks
        if text and time >= subject.milliseconds[0]
    ]
    names = tuple(sorted({event.label for event in events}))
    return Annotation((), LabelSet(names, events=names), events=tuple(events)) if events else None


def _notes(subjects: list[_Subject]) -> list[str]:
    """What was skipped, and what was not measured."""
    notes = []
    skipped = sum(subject.calibration for subject in subjects)
    if skipped:
        notes.append(f"{DECIDED}calibration frames are skipped ({skipped})")
    if any(subject.is_upper_body for subject in subjects):
        notes.append(f"{CHECK}the suit measured the upper body only; the legs in the file do not move")
    return notes
