"""What the columns of a motion table mean, by their names: points in space wide or long, frames, times and people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FRAME_WORDS = (
    "frame", "frames", "framenumber", "framenum", "frameid", "frameidx", "frameindex", "fnum", "frameno", "imageid",
)  # fmt: skip
ROW_WORDS = ("index", "", "unnamed0", "sample")
"""Numbers of rows, which are those of frames in wide tables alone."""
TIME_WORDS = (
    "time", "timestamp", "timestamps", "t", "times", "seconds", "sec", "secs", "elapsed", "elapsedtime", "relativetime",
    "timesec", "times", "devicetimestamp", "framtime", "frametime", "timecode",
)  # fmt: skip
PERSON_WORDS = (
    "person", "personid", "subject", "subjectid", "id", "track", "trackid", "body", "bodyid", "bodyindex", "individual",
    "individuals", "animal", "animalid", "identity", "skeleton", "skeletonid", "player", "trackingid", "personidx",
)  # fmt: skip
JOINT_WORDS = (
    "joint", "jointname", "jointid", "jointindex", "jointtype", "landmark", "landmarkname", "landmarkid",
    "landmarkindex", "landmarkidx", "landmarktype", "keypoint", "keypoints", "keypointname", "keypointid",
    "keypointindex", "bodypart", "bodyparts", "marker", "markername", "point", "node", "nodename", "part", "name",
)  # fmt: skip
CONFIDENCE_WORDS = (
    "trackingstate", "tracking_state", "score", "confidence", "conf",
    "likelihood", "visibility", "vis", "presence", "prob", "probability",
)  # fmt: skip
_POSITION = "pos|position|loc|location|translation|coord|coords|world|3d|xyz|positions"
_BETWEEN = r"[\s_.:/|-]"
_UNIT = re.compile(r"[\s_]*[\[(]\s*(mm|cm|m|in|ft)\s*[\])]\s*$|(?<=[xyzXYZ])_(mm|cm|m|in|ft)$")
_TIME_UNITS = {
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3, "milliseconds": 1e-3,
    "us": 1e-6, "usec": 1e-6, "microseconds": 1e-6, "\u00b5s": 1e-6, "ns": 1e-9, "nsec": 1e-9, "nanoseconds": 1e-9,
}  # fmt: skip
"""Seconds of a unit of time by its names."""
_AXIS_LAST = re.compile(
    rf"^(?P<joint>.+?)(?:{_BETWEEN}+(?P<a>[xyzXYZ])|(?<=[a-z0-9])(?P<b>[XYZ])|\s*[\[(](?P<c>[xyzXYZ])[\])])$"
)
_AXIS_FIRST = re.compile(rf"^(?P<a>[xyzXYZ])(?:{_BETWEEN}+(?P<joint>.*[A-Za-z].*)|{_BETWEEN}*(?P<number>\d+))$")
_CONFIDENCE = "|".join(CONFIDENCE_WORDS)
_CONFIDENCE_LAST = re.compile(rf"^(?P<joint>.+?){_BETWEEN}+(?:{_CONFIDENCE})$", re.IGNORECASE)
_CONFIDENCE_FIRST = re.compile(
    rf"^(?:(?:{_CONFIDENCE}){_BETWEEN}+(?P<joint>.+)|(?:{_CONFIDENCE}|[vc]){_BETWEEN}*(?P<number>\d+))$", re.IGNORECASE
)
_NO_POSITION = re.compile(
    rf"(^|{_BETWEEN}|(?<=[a-z]))(acc|accel|acceleration|accelerometer|gyro|gyr|gyroscope|mag|magnetometer|vel|velocity|"
    r"angvel|quat|quaternion|rot|rotation|orientation|euler|angle|angles|force|moment|torque|power|cop|grf|2d|image|"
    rf"pixel|screen|normal)({_BETWEEN}|$)",
    re.IGNORECASE,
)
_PERSON = re.compile(
    rf"^((?:person|subject|player|body|skeleton|individual|animal|mouse|track|id|p|s)[\s_-]*(?:\d+|[A-Z]))"
    rf"{_BETWEEN}+(.+)$",
    re.IGNORECASE,
)
_NAMESPACE = re.compile(r"^([^:]+):(.+)$")
_AXES = "xyz"


def plain(name: str) -> str:
    """A column name in lower case, letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are; columns are counted from 0."""

    joints: tuple[str, ...] = ()
    """The points of a wide table that have x, y and z."""
    people: tuple[str, ...] = ()
    """The people of a wide table with several."""
    axes: Mapping[tuple[str, str], tuple[int, int, int]] = field(default_factory=dict)
    """x, y and z of each (person, joint); of a long table those of ("", "")."""
    confidence: Mapping[tuple[str, str], int] = field(default_factory=dict)
    flat: tuple[str, ...] = ()
    """Points with x and y alone."""
    repeated: tuple[str, ...] = ()
    """Points of which an axis is there twice."""
    no_positions: int = 0
    """Columns that have an axis, but are no positions: angles, forces, velocities."""
    joint: int | None = None
    """The column that names the point of a row, of a long table."""
    model: int | None = None
    """The column that says of which model the point of a row is (FreeMoCap)."""
    frame: int | None = None
    time: int | None = None
    time_unit: float | None = None
    """Seconds of a unit of the times, where their header says it."""
    person: int | None = None
    unit: str | None = None
    """m, cm, mm, in or ft, where the headers say it."""

    @property
    def is_long(self) -> bool:
        """Whether each row is a point of a frame."""
        return self.joint is not None

    @property
    def is_motion(self) -> bool:
        """Whether these are the columns of a motion table, in 3-D or 2-D."""
        if self.is_long:
            return bool(self.axes) or bool(self.flat)
        has_index = self.frame is not None or self.time is not None
        return len(self.joints) > (0 if has_index else 1) or len(self.flat) > 1


def read_columns(rows: Sequence[Sequence[str]]) -> Columns:
    """The columns of a table by its header of one or more rows."""
    points, names = _levels(rows)
    if points is None:
        points = _flat_points(names)
    units = {match.group(1) or match.group(2) for name in names if (match := _UNIT.search(name))}
    index = _index_columns(names, {column for _, _, _, column in points})
    unit = units.pop() if len(units) == 1 else None
    long = _long(names, index)
    rows_of = index.pop("row", None)
    if long is None and rows_of is not None:
        index.setdefault("frame", rows_of)
    if long is not None:
        return Columns(**long, **index, unit=unit)  # type: ignore[arg-type]
    moved = [point for point in points if not _NO_POSITION.search(point[1])]
    return Columns(**_wide(moved), **index, unit=unit, no_positions=len(points) - len(moved))  # type: ignore[arg-type]


_Point = tuple[str, str, str, int]
"""Person, joint, quantity (x, y, z or confidence) and column."""


def _levels(rows: Sequence[Sequence[str]]) -> tuple[list[_Point] | None, list[str]]:
    """The points of a header of several rows, None for one row; and a name for each column."""
    level = {row[0].lower(): row for row in rows if row}
    if {"bodyparts", "coords"} <= level.keys():  # DeepLabCut, Lightning Pose, or a table that pandas wrote for them
        parts, quantities = level["bodyparts"], level["coords"]
        individuals = level.get("individuals", ())
        points = []
        for column in range(1, min(len(parts), len(quantities))):
            quantity = _quantity(quantities[column])
            person = individuals[column] if column < len(individuals) else ""
            if quantity:
                points.append((person, parts[column], quantity, column))
        return points, ["frame", *([" "] * (len(parts) - 1))]
    last = rows[-1] if rows else ()
    if len(rows) > 1 and sum(re.fullmatch(r"[xyzXYZ]\d*", cell) is not None for cell in last) >= 3:
        above, name = [], ""
        for cell in rows[-2]:
            name = cell or name
            above.append(name)
        above += [name] * (len(last) - len(above))
        points = []
        for column, cell in enumerate(last):
            quantity = _quantity(re.sub(r"(?<=[xyzXYZ])\d+$", "", cell))
            if quantity:
                points.append(("", above[column], quantity, column))
        used = {column for *_, column in points}
        return points, [" " if c in used else last[c] or above[c] for c in range(len(last))]
    return None, list(last)


def _quantity(word: str) -> str:
    """x, y, z, confidence, or nothing."""
    word = word.strip().lower()
    return word if word in ("x", "y", "z") else "confidence" if word in CONFIDENCE_WORDS else ""


def _flat_points(names: Sequence[str]) -> list[_Point]:
    """The points of a header of one row, by the axis behind the joint or before it, whichever fits more columns."""
    bare = [_UNIT.sub("", name.strip()) for name in names]
    last, first = (
        _matches(bare, axis, confidence)
        for axis, confidence in ((_AXIS_LAST, _CONFIDENCE_LAST), (_AXIS_FIRST, _CONFIDENCE_FIRST))
    )
    points = last if len(last) >= len(first) else first
    ends = [re.search(rf"^(.+?){_BETWEEN}*(?:{_POSITION})$", joint, re.IGNORECASE) for _, joint, *_ in points]
    named = [(end.group(1) if end else joint) for end, (_, joint, *_) in zip(ends, points, strict=True)]
    if sum(end is not None for end in ends) >= max(3, len(points) // 3) and _stay_apart(points, named):
        points = [(person, name, q, c) for name, (person, _, q, c) in zip(named, points, strict=True)]
    return _with_people(points)


def _stay_apart(points: Sequence[_Point], named: Sequence[str]) -> bool:
    """Whether no two columns would be the same axis of the same joint under other names."""
    keys = [(name, quantity) for name, (_, _, quantity, _) in zip(named, points, strict=True)]
    return len(set(keys)) == len(keys)


def _matches(names: Sequence[str], axis: re.Pattern[str], confidence: re.Pattern[str]) -> list[_Point]:
    points: list[_Point] = []
    for column, name in enumerate(names):
        for pattern in (axis, confidence):
            match = pattern.match(name)
            if match is None:
                continue
            groups = match.groupdict()
            joint = groups.get("joint") or groups.get("number") or ""
            letter = next((groups[key] for key in "abc" if groups.get(key)), "")
            points.append(("", joint.strip(), letter.lower() or "confidence", column))
            break
    return points


def _with_people(points: list[_Point]) -> list[_Point]:
    """The points by person, where all their names begin with a person and two or more people have the same joints."""
    for pattern in (_PERSON, _NAMESPACE):
        matches = [pattern.match(joint) for _, joint, _, _ in points]
        joints: dict[str, set[str]] = {}
        for match in matches:
            if match is not None:
                joints.setdefault(match.group(1), set()).add(match.group(2))
        if all(matches) and len(joints) > 1 and len(set(map(frozenset, joints.values()))) == 1:
            return [
                (match.group(1), match.group(2), quantity, column)
                for match, (_, _, quantity, column) in zip(matches, points, strict=True)
                if match is not None
            ]
    return points


def _wide(points: Sequence[_Point]) -> dict[str, object]:
    """Joints, people and their columns; a joint must have all axes, and none twice."""
    by_point: dict[tuple[str, str], dict[str, int]] = {}
    repeated: list[str] = []
    for person, joint, quantity, column in points:
        axes_of = by_point.setdefault((person, joint), {})
        if quantity in axes_of and quantity in _AXES:
            repeated.append(joint)
        axes_of.setdefault(quantity, column)
    whole = {key: axes for key, axes in by_point.items() if all(axis in axes for axis in _AXES)}
    flat = [joint for (_, joint), axes in by_point.items() if "x" in axes and "y" in axes and "z" not in axes]
    return {
        "joints": tuple(dict.fromkeys(joint for _, joint in whole)),
        "people": tuple(dict.fromkeys(person for person, _ in whole)),
        "axes": {key: (axes["x"], axes["y"], axes["z"]) for key, axes in whole.items()},
        "confidence": {key: axes["confidence"] for key, axes in whole.items() if "confidence" in axes},
        "flat": tuple(dict.fromkeys(flat)),
        "repeated": tuple(dict.fromkeys(repeated)),
    }


def _index_columns(names: Sequence[str], used: set[int]) -> dict[str, object]:
    """The columns of frames, times and people, the first of each kind."""
    index: dict[str, object] = {}
    for column, name in enumerate(names):
        word = plain(name)
        unit = re.search(r"[\s_.\[(/]*\b(\w+)[\])]?$", re.sub(r"_", " ", name.lower()))
        seconds = _TIME_UNITS.get(unit.group(1)) if unit is not None else None
        if column in used or (not word and name.strip()) or name == " ":
            continue
        stem = plain(name.lower()[: unit.start()]) if unit is not None and seconds is not None else word
        if word in FRAME_WORDS:
            index.setdefault("frame", column)
        elif word in ROW_WORDS:
            index.setdefault("row", column)
        elif word in TIME_WORDS or (seconds is not None and stem in TIME_WORDS):
            if "time" not in index:
                index |= {"time": column, "time_unit": seconds if word not in ("t",) else None}
        elif word in PERSON_WORDS:
            index.setdefault("person", column)
    return index


def _long(names: Sequence[str], index: Mapping[str, object]) -> dict[str, object] | None:
    """The columns of a long table; None where no column names the point of a row, or none is an axis."""
    words = [plain(_UNIT.sub("", name)) for name in names]
    axes: dict[str, int] = {}
    for axis in _AXES:
        choices = (f"world{axis}", f"{axis}world", f"{axis}3d", axis, f"pos{axis}", f"position{axis}", f"{axis}pos")
        column = next((words.index(word) for word in choices if word in words), None)
        if column is not None:
            axes[axis] = column
    free = set(range(len(names))) - {column for column in index.values() if isinstance(column, int)}
    joint = next((words.index(word) for word in JOINT_WORDS if word in words and words.index(word) in free), None)
    if joint is None or "x" not in axes or "y" not in axes:
        return None
    if "z" not in axes:
        return {"joint": joint, "flat": ("x and y",)}
    confidence = next((words.index(word) for word in CONFIDENCE_WORDS if word in words), None)
    return {
        "joint": joint,
        "model": words.index("model") if "model" in words else None,
        "axes": {("", ""): (axes["x"], axes["y"], axes["z"])},
        "confidence": {} if confidence is None else {("", ""): confidence},
    }
