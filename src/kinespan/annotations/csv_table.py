"""A table of spans, RFC 4180: one line a span, opened by any spreadsheet or statistics program."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from ..data.annotation import Annotation, LabelSet, Span, natural_key
from ..data.clock import Clock
from ..data.span_table import SpanTable
from ..errors import InputError
from ..files import write_atomically
from .base import FORMATS, AnnotationFormat

COLUMNS = ("recording", "label", "start", "end", "start_frame", "end_frame", "score", "person")
"""The header that we write. Start and end in seconds and in frames of the recording's own rate, the end excluded; an
event has no end. What is not known is empty."""
REQUIRED_COLUMNS = COLUMNS[:4]
"""The columns that are read; a person may be beside them."""


def write(annotations: Mapping[str, Annotation], path: Path, clocks: Mapping[str, Clock]) -> None:
    """Write the table of spans and events, in order of start, UTF-8, lines ended by CR LF.

    Raises InputError for a bad path.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for name, annotation in annotations.items():
        clock = clocks.get(name)
        rows: list[tuple[str, float, float | None, int | None, int | None, float | None, int | None]] = []
        for span in annotation.spans:
            frames = (None, None) if clock is None else clock.frames(span.start, span.end)
            rows.append((span.label, span.start, span.end, *frames, span.score, span.person))
        for event in annotation.events:
            frame = None if clock is None else clock.frame(event.time)
            rows.append((event.label, event.time, None, frame, None, event.score, event.person))
        table.writerows((name, *row) for row in sorted(rows, key=lambda row: row[1]))
    write_atomically(path, text.getvalue())


def read(path: Path) -> dict[str, Annotation]:
    """Annotations by recording from CSV with the header ``recording,label,start,end``; times in seconds.

    Other columns are ignored, except ``person`` (a person slot, may be empty). Labels are sorted by name; they are
    exclusive where no two spans of a recording overlap. A listed recording counts as annotated from start to end.
    Raises InputError, naming file and line, for anything else.
    """
    spans: dict[str, list[Span]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True, strict=True)
            missing = [column for column in REQUIRED_COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                header = ",".join(reader.fieldnames or ())[:120]
                raise InputError(
                    f"{path}: no column {', '.join(missing)}; expected the header {','.join(REQUIRED_COLUMNS)}, "
                    f"found {header!r}"
                )
            for row in reader:
                spans.setdefault(row["recording"] or "", []).append(_span(row, f"{path}, line {reader.line_num}"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from None
    if not spans:
        raise InputError(f"{path}: no annotation after the header")
    names = {span.label for members in spans.values() for span in members}
    labels = LabelSet(tuple(sorted(names, key=natural_key)), not SpanTable.of(spans).has_overlaps())
    return {name: Annotation(tuple(members), labels) for name, members in spans.items()}


FORMATS.register("csv")(AnnotationFormat((".csv",), "a table, one line a span", read, write))


def _span(row: Mapping[str, str | None], location: str) -> Span:
    for column in REQUIRED_COLUMNS:
        if not row[column]:
            raise InputError(f"{location}: field {column} is empty; give all of {', '.join(REQUIRED_COLUMNS)}")
    numbers = []
    for column in ("start", "end"):
        try:
            numbers.append(float(row[column] or ""))
        except ValueError:
            raise InputError(f"{location}: {column} is {row[column]!r}, expected seconds as a number") from None
    person = row.get("person") or None
    if person is not None and not person.isdecimal():
        raise InputError(f"{location}: person is {person!r}, expected the number of a person slot, 0 or more")
    try:
        return Span(numbers[0], numbers[1], row["label"] or "", person=None if person is None else int(person))
    except InputError as error:
        raise InputError(f"{location}: {error}") from None
