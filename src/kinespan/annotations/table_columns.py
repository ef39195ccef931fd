"""What the columns of label tables are called: by us, and by the programs and data sets whose tables are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import InputError
from .label_file import Unit, listed
from .text_table import NOT_AVAILABLE, Table, nearest_column

RECORDING = (
    "recording", "recording name", "observation id", "observation.id", "observation", "dlcfile", "video_id",
    "video-name", "video_name", "video name", "video id", "videoid", "video", "youtube_id", "image_name", "clip_name",
    "clip", "media file name", "media file path", "media file", "video file", "filename", "file_name", "file name",
    "source", "file",
)  # fmt: skip
"""Names of the recording, the likeliest first; all names are in lower case."""
LABEL = (
    "label", "labels", "behavior", "behaviour", "action", "activity", "class", "code", "trial_type", "event_type",
    "annotation_type", "labelid", "action-label", "action_label", "narration", "verb", "species", "annotation", "text",
    "type", "value", "event",
)  # fmt: skip
"""Names of the label, the likeliest first."""
TIER = (
    "tier", "rater", "annotator", "coder", "experimenter", "scorer", "observer", "track", "subject", "animal",
    "individual", "ind", "animal_id", "identity", "participant", "participant_id", "view", "channel",
)  # fmt: skip
"""Names of who coded, or of whom or what: rows of two are never one list."""
MODIFIER = ("modifiers", "modifier", "modifier #1", "modifier 1", "modifier_1", "modifier_general")
STATUS = ("status", "behavior type", "event_type", "event type", "event", "mark")
"""Names of the column that says whether a row begins or ends a state; it has the words of `MARKS` only."""
MARKS = {
    "start": "start", "state start": "start", "state_start": "start", "begin": "start",
    "stop": "stop", "state stop": "stop", "state_stop": "stop", "end": "stop",
    "point": "point", "point event": "point", "state point": "point",
}  # fmt: skip
FPS = ("fps", "fps (frame/s)", "rfps", "framerate", "frame rate", "frame_rate")
SCORE = ("score", "confidence")
NO_TIER = frozenset({"", "no focal subject", "na", "n/a"})
"""Subjects, in lower case, that are nobody."""


@dataclass(frozen=True)
class TimeColumns:
    """Columns of a start, of an end and of one time a row, all in one unit."""

    starts: tuple[str, ...]
    ends: tuple[str, ...]
    durations: tuple[str, ...]
    times: tuple[str, ...]
    unit: Unit | None
    """None where the names do not say it."""
    is_open: bool = False
    """Whether programs write several units under these names."""


_SPELLINGS: dict[Unit, tuple[str, ...]] = {
    "seconds": ("s", "sec", "secs", "seconds"),
    "milliseconds": ("ms", "msec", "milliseconds"),
    "minutes": ("min", "minutes"),
    "frames": ("frame", "frames"),
}


def _with_unit(unit: Unit, names: tuple[str, ...], more: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Each name with each spelling of a unit, such as start_sec, start (s) and start [s]."""
    forms = ("{0} ({1})", "{0} [{1}]", "{0}({1})", "{0}_{1}", "{0} {1}", "{0} - {1}")
    return tuple(form.format(name, word) for name in names for word in _SPELLINGS[unit] for form in forms) + more


_STARTS = ("start", "start_time", "start time", "onset", "begin", "begin time", "time_start", "from", "t_start")
_ENDS = ("end", "end_time", "end time", "stop", "stop_time", "stop time", "offset", "time_end", "to", "t_end")
_LENGTHS = ("duration", "length")


def _of_unit(
    unit: Unit,
    starts: tuple[str, ...] = (),
    ends: tuple[str, ...] = (),
    lengths: tuple[str, ...] = (),
    times: tuple[str, ...] = (),
) -> TimeColumns:
    return TimeColumns(
        _with_unit(unit, _STARTS, starts),
        _with_unit(unit, _ENDS, ends),
        _with_unit(unit, _LENGTHS, lengths),
        _with_unit(unit, ("time", "recording time", "trial time"), times),
        unit,
    )


TIMES = (
    _of_unit(
        "seconds",
        ("begin time - ss.msec",),
        ("end time - ss.msec",),
        ("duration - ss.msec", "duration_sf"),
        ("time_relative_sf",),
    ),
    TimeColumns(("onset",), ("offset",), ("duration",), (), None),
    TimeColumns(
        (
            *_STARTS[:5], "time_start", "from", "t_start", "t-start", "starttime", "start_timestamp", "starttimestamp",
            "timestamp",
        ),
        (*_ENDS[:6], "time_end", "to", "t_end", "t-end", "endtime", "stop_timestamp", "end_timestamp", "endtimestamp"),
        _LENGTHS,
        ("time", "recording time", "trial time", "time_relative_hmsf", "time_relative_hms"),
        None,
    ),
    TimeColumns(("begin time", "begin_time"), ("end time", "end_time"), _LENGTHS, (), None, is_open=True),
    _of_unit("milliseconds"),
    _of_unit("minutes"),
    _of_unit(
        "frames",
        ("startframe", "frame_start", "image index start", "first_frame"),
        ("endframe", "frame_end", "stopframe", "image index stop", "last_frame"),
        ("n_frames", "num_frames"),
        ("image index",),
    ),
)  # fmt: skip
"""Columns of times, those first that are taken where a table has several."""
OWN = ("person", "offset", "covered")
"""Columns of our own tables."""
KNOWN = frozenset(
    {*RECORDING, *LABEL, *TIER, *MODIFIER, *STATUS, *FPS, *SCORE, *OWN}
    | {name for times in TIMES for names in (times.starts, times.ends, times.durations, times.times) for name in names}
)
"""All names."""


@dataclass(frozen=True)
class TimeChoice:
    """The columns of times that are taken of a table; None for those that it lacks."""

    columns: TimeColumns
    start: int | None
    end: int | None
    duration: int | None
    time: int | None


def choose_times(table: Table) -> TimeChoice | None:
    """The columns of times of a table: those with a start and an end, else with one time, else with a start only."""
    choices = [
        TimeChoice(each, *(table.column(*names) for names in (each.starts, each.ends, each.durations, each.times)))
        for each in TIMES
    ]
    wanted: tuple[Callable[[TimeChoice], bool], ...] = (
        lambda choice: choice.start is not None and choice.end is not None,
        lambda choice: choice.start is not None and choice.duration is not None,
        lambda choice: choice.time is not None,
        lambda choice: choice.start is not None,
    )
    for is_wanted in wanted:
        for choice in choices:
            if is_wanted(choice):
                return choice
    return None


@dataclass(frozen=True)
class Columns:
    """The columns of a label table that are taken, by their index; None for those that it lacks."""

    label: int
    times: TimeChoice
    recording: int | None
    tiers: tuple[int, ...]
    modifiers: tuple[int, ...]
    status: int | None
    fps: int | None
    score: int | None
    person: int | None
    offset: int | None
    covered: int | None

    @staticmethod
    def of(table: Table) -> Columns:
        """The columns of a table. Raises InputError, with its header, where it has no label or no times."""
        times = choose_times(table)
        status = _status(table)
        label = next((index for name in LABEL if (index := table.column(name)) is not None and index != status), None)
        _check(table, label, times)
        assert label is not None
        assert times is not None
        offset = table.column("offset")
        return Columns(
            label,
            times,
            table.column(*RECORDING),
            _tiers(table, {label}),
            tuple(index for name in MODIFIER if (index := table.column(name)) is not None),
            status,
            table.column(*FPS),
            table.column(*SCORE),
            table.column("person"),
            None if offset == times.end else offset,
            table.column("covered"),
        )

    def notes(self, table: Table) -> list[str]:
        """What was decided about the columns, where there was a choice."""
        notes = []
        others = [
            table.header[i]
            for name in LABEL
            if (i := table.column(name)) is not None and i not in (self.label, self.status)
        ]
        if others:
            chosen = table.header[self.label]
            notes.append(
                f"decided: labels are the column {chosen!r}; {listed(others)} left out, rename one to 'label' to "
                "take it"
            )
        times = self.times
        taken = [
            table.header[i] for i in (times.start, times.time if times.start is None else times.end) if i is not None
        ]
        if times.columns is not TIMES[2] or times.start is None or (times.end is None and times.duration is not None):
            length = (
                [f"{table.header[times.duration]!r} as length"]
                if times.end is None and times.duration is not None
                else []
            )
            unit = f", in {times.columns.unit}" if times.columns.unit else ""
            names = [*map(repr, taken), *length]
            notes.append(f"decided: times are the column{'s' if len(names) > 1 else ''} {' and '.join(names)}{unit}")
        if self.tiers:
            notes.append(f"decided: tiers are of {' and '.join(repr(table.header[i]) for i in self.tiers)}")
        return notes


def _check(table: Table, label: int | None, times: TimeChoice | None) -> None:
    missing = ["label"] if label is None else []
    hint = ""
    if times is None:
        missing += ["start", "end"]
    elif times.time is None and times.end is None and times.duration is None:
        missing.append("end")
        hint = "; for instants name the column time in place of start"
    if missing:
        near = "" if hint else nearest_column(missing[0], table.header_line)
        raise InputError(
            f"{table.path}: no column {', '.join(missing)}{near}; "
            f"expected the header recording,label,start,end, found {table.header_line!r}{hint}"
        )


def _status(table: Table) -> int | None:
    """The column that says of every row whether a state starts or stops there."""
    for name in STATUS:
        index = table.column(name)
        words = set() if index is None else {cells[index].strip().casefold() for _, cells in table.rows} - {""}
        if index is not None and words and words <= set(MARKS) and (words - {"point"} or name != "event"):
            return index
    return None


def _tiers(table: Table, taken: set[int]) -> tuple[int, ...]:
    """The columns of tiers in which the rows differ, else the first one that is filled."""
    columns = [index for name in TIER if (index := table.column(name)) is not None and index not in taken]
    values = {index: {cells[index].strip() for _, cells in table.rows} - {"", *NOT_AVAILABLE} for index in columns}
    differing = tuple(index for index in columns if len(values[index]) > 1)
    return differing or tuple(index for index in columns if values[index])[:1]
