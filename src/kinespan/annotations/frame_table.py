"""Tables of one row a frame or time step: a column whose cells name the class, or a column of 0 and 1 for each class.

Solomon Coder writes the first kind, DeepEthogram and many scripts the second. Written is the second, as DeepEthogram
reads it: a number of the frame, and a column for each class.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TypeVar

from ..data.clock import Clock
from ..errors import InputError
from ..files import write_atomically
from .base import FORMATS, AnnotationFormat
from .frame_times import rounded_lines
from .label_file import LabelFile, LabelRow, Unit
from .text_table import Table, head_rows, number, plain_cell, read_cells
from .tiers import lost_lines

_FRAMES = frozenset({"", "frame", "frames", "frame_id", "frame number", "frame_number", "index", "image index", "#"})
"""Names of a column that numbers frames."""
_SECONDS = frozenset({"time", "time (s)", "time [s]", "time_s", "timestamp", "seconds", "t"})
_MILLISECONDS = frozenset({"time (ms)", "time_ms", "ms", "msec"})
_BACKGROUND = frozenset({"background", "other", "none", "nothing"})
_STEP = 1e-3
"""Steps of time differ by a smaller share of a step."""
_ON, _OFF, _UNKNOWN = (
    frozenset({"1", "1.0", "true"}),
    frozenset({"0", "0.0", "false"}),
    frozenset({"-1", "-1.0", "nan", ""}),
)
"""What a column of a class says of a frame, in lower case: that it is, that it is not, that nobody looked."""
_MIN_ROWS = 3
Value = TypeVar("Value")


def sniff(path: Path, head: bytes) -> bool:
    """A table whose first column steps evenly, or of 0 and 1 only."""
    rows = head_rows(head)
    if len(rows) <= _MIN_ROWS or any(len(cells) != len(rows[0]) for cells in rows):
        return False
    header, body = rows[0], rows[1:]
    if not _is_header(header):
        return False
    if _is_clock(header, body):
        return len(header) > 1
    return len(header) > 1 and all(cell.strip().casefold() in _ON | _OFF | _UNKNOWN for cells in body for cell in cells)


def read(path: Path) -> LabelFile:
    """Runs of rows of the same class as spans; the recording is named after the file.

    Times are those of the first column, in frames where it numbers them or is none; a span ends where the next row
    begins. Where the first frame is 1, it is the first of the recording. Raises InputError, naming file and line.
    """
    table = read_cells(path, (), least=0)
    if len(table.rows) < _MIN_ROWS or not _is_header(table.header):
        raise InputError(f"{path}: no table of one row a frame; expected a header and {_MIN_ROWS} rows at least")
    clock = _clock(table)
    notes = list(table.notes)
    first = 0 if clock.column is None else 1
    names: Sequence[str] = table.header[first:]
    columns = [[cells[index].strip() for _, cells in table.rows] for index in range(first, len(table.header))]
    are_numbers = all(cell.casefold() in _ON | _OFF | _UNKNOWN for cells in columns for cell in cells)
    rows: list[LabelRow] = []
    covered: list[LabelRow] = []
    if are_numbers:
        columns_on = [[cell.casefold() in _ON for cell in cells] for cells in columns]
        names, columns_on = _without_background(names, columns_on, notes)
        for name, cells in zip(names, columns_on, strict=True):
            rows += [clock.row(name, *run, "") for run, value in _runs(cells) if value]
        looked_at = [any(cells[i].casefold() not in _UNKNOWN for cells in columns) for i in range(len(table.rows))]
        if not all(looked_at):
            notes.append(f"decided: nobody looked at {looked_at.count(False)} of {len(looked_at)} rows (-1 or empty)")
            covered = [clock.row("", *run, "") for run, value in _runs(looked_at) if value]
    else:
        for name, texts in zip(names, columns, strict=True):
            rows += [clock.row(label, *run, name if len(names) > 1 else "") for run, label in _runs(texts) if label]
        if len(names) > 1:
            notes.append(f"decided: each of its {len(names)} columns is a tier")
    rows.sort(key=lambda row: row.start)
    notes.append(f"decided: one row is {clock.step_text}, and a label ends where the next row begins")
    return LabelFile(path, (path.stem,), tuple(rows), tuple(covered), notes=tuple(notes))


def write(file: LabelFile, path: Path, clocks: Mapping[str, Clock]) -> tuple[str, ...]:
    """Write a row for each frame of the recording, with 1 for each class that is there.

    Raises InputError for a bad path, for more than one recording, and for one whose rate is not known.
    """
    lost = []
    name = next(iter(file.recordings), "")
    if len(file.recordings) > 1:
        raise InputError(f"{path}: a table of one row a frame holds one recording, not {len(file.recordings)}")
    spans = [row for row in file.rows if row.end is not None]
    if len(spans) < len(file.rows):
        lost.append(f"left out, as a class of frames has a length: {len(file.rows) - len(spans)} instants")
    clock = clocks.get(name)
    if clock is None and spans:
        raise InputError(f"{path}: nothing says the rate of {name!r}, and the table has a row a frame; give --fps")
    labels = [_word(label) for label in file.labels or dict.fromkeys(row.label for row in spans)]
    count = 0 if clock is None else clock.num_frames
    columns = {label: [0] * count for label in labels}
    for row in spans:
        assert clock is not None
        assert row.end is not None
        start, end = clock.frames(row.start, row.end)
        columns.setdefault(_word(row.label), [0] * count)[start:end] = [1] * (end - start)
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["", "background", *columns])
    for index in range(count):
        values = [cells[index] for cells in columns.values()]
        table.writerow([index, int(not any(values)), *values])
    write_atomically(path, text.getvalue())
    lost += rounded_lines(spans, clocks)
    return (*lost, *lost_lines(file, "a table of one row a frame", "covered"))


FORMATS.register("frame_table")(
    AnnotationFormat(
        (".csv",),
        "one row a frame: a column of 0 and 1 a class, or of class names",
        read,
        write,
        sniff,
        one_recording=True,
    )
)


def _word(label: str) -> str:
    """A label in one line."""
    return " ".join(label.split())


@dataclass(frozen=True)
class _Clock:
    """The time of each row of a table."""

    recording: str
    column: int | None
    unit: Unit
    starts: Sequence[float]
    """Of each row, and where the last one ends."""
    lines: Sequence[int]
    step_text: str

    def row(self, label: str, first: int, stop: int, tier: str) -> LabelRow:
        """A label from a row up to another one."""
        where = f"lines {self.lines[first]} to {self.lines[stop - 1]}"
        return LabelRow(self.recording, label, self.starts[first], self.starts[stop], where, unit=self.unit, tier=tier)


def _clock(table: Table) -> _Clock:
    """The times of rows. Raises InputError where they do not go on evenly."""
    name, lines = plain_cell(table.header[0]), [line for line, _ in table.rows]
    count = len(lines)
    if name not in _FRAMES | _SECONDS | _MILLISECONDS:
        return _Clock(table.path.stem, None, "frames", range(count + 1), lines, "a frame")
    times = []
    for line, cells in table.rows:
        try:
            times.append(number(cells[0].strip()))
        except ValueError:
            raise InputError(
                f"{table.path}, line {line}: {name or 'the first column'} is {cells[0]!r}, expected a number"
            ) from None
    steps = [end - start for start, end in pairwise(times)]
    step = median(steps)
    if step <= 0 or min(steps) <= 0:
        line = lines[1 + min(range(len(steps)), key=lambda index: steps[index])]
        raise InputError(f"{table.path}, line {line}: times of rows must go up by the same step; found {min(steps):g}")
    if name in _FRAMES:
        if any(each != 1 for each in steps):
            raise InputError(f"{table.path}: the numbers of frames do not go up by one; add the rows that are missing")
        first = 0 if times[0] in (0, 1) else int(times[0])
        return _Clock(table.path.stem, 0, "frames", range(first, first + count + 1), lines, "a frame")
    unit: Unit = "milliseconds" if name in _MILLISECONDS else "seconds"
    return _Clock(table.path.stem, 0, unit, [*times, times[-1] + step], lines, f"{step:g} {unit}")


def _is_header(cells: Sequence[str]) -> bool:
    """Whether cells are names, all different: of time or frames, then any; else none that is a number."""
    names = [plain_cell(cell) for cell in cells]
    has_clock = names[0] in _FRAMES | _SECONDS | _MILLISECONDS
    are_names = all(names[1:]) and (has_clock or not any(map(_is_number, names)))
    return are_names and len(set(cells)) == len(cells)


def _is_clock(header: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether the first column is time that steps evenly, and no other one is."""
    if plain_cell(header[0]) not in _FRAMES | _SECONDS | _MILLISECONDS or not all(
        _is_number(cells[0]) for cells in body
    ):
        return False
    times = [number(cells[0].strip()) for cells in body]
    steps = [end - start for start, end in pairwise(times)]
    rest = [cell.strip().casefold() for cells in body for cell in cells[1:]]
    are_classes = all(not _is_number(cell) or cell in _ON | _OFF | _UNKNOWN for cell in rest)
    return are_classes and min(steps) > 0 and max(steps) - min(steps) <= _STEP * max(steps)


def _is_number(text: str) -> bool:
    try:
        number(text.strip())
    except ValueError:
        return False
    return True


def _runs(values: Sequence[Value]) -> Iterator[tuple[tuple[int, int], Value]]:
    """The first and the last but one index of each run of the same value, and the value."""
    start = 0
    for index in range(1, len(values) + 1):
        if index == len(values) or values[index] != values[start]:
            yield (start, index), values[start]
            start = index


def _without_background(
    names: Sequence[str], columns: list[list[bool]], notes: list[str]
) -> tuple[Sequence[str], list[list[bool]]]:
    """The classes without the one that is there only where no other is."""
    for index, name in enumerate(names):
        others = columns[:index] + columns[index + 1 :]
        if plain_cell(name) in _BACKGROUND:
            overlaps = any(on and any(cells[row] for cells in others) for row, on in enumerate(columns[index]))
            if not overlaps:
                notes.append(f"left out: the column {name!r}, which is 1 only where no other class is")
                return [*names[:index], *names[index + 1 :]], others
    return names, columns
