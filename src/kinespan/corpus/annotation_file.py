"""Annotations of many recordings in one file, as `kinespan prepare --annotations FILE` takes them."""

from __future__ import annotations

import csv
import difflib
import itertools
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ..activitynet import read_truth
from ..annotation import Annotation, LabelSet, Span, natural_key
from ..errors import InputError

COLUMNS = ("recording", "label", "start", "end")


def read(file: Path) -> dict[str, Annotation]:
    """Annotations by recording from ActivityNet JSON (suffix ``.json``) or CSV (any other).

    Raises InputError, naming the file, where it is missing or holds neither.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file; annotations are ActivityNet JSON or CSV")
    return dict(read_truth(file).annotations) if file.suffix.lower() == ".json" else read_csv(file)


def read_csv(file: Path) -> dict[str, Annotation]:
    """Annotations by recording from CSV with the header ``recording,label,start,end``; times in seconds.

    Other columns are ignored, except ``person`` (a person slot, may be empty). Labels are sorted by name; they are
    exclusive where no two spans of a recording overlap. A listed recording counts as annotated from start to end.
    Raises InputError, naming file and line, for anything else.
    """
    spans: dict[str, list[Span]] = {}
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True, strict=True)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                header = ",".join(reader.fieldnames or ())[:120]
                raise InputError(
                    f"{file}: no column {', '.join(missing)}; expected the header {','.join(COLUMNS)}, found {header!r}"
                )
            for row in reader:
                spans.setdefault(row["recording"] or "", []).append(_span(row, f"{file}, line {reader.line_num}"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: cannot be read as CSV ({error})") from None
    if not spans:
        raise InputError(f"{file}: no annotation after the header")
    names = {span.label for members in spans.values() for span in members}
    exclusive = not any(_overlap(members) for members in spans.values())
    labels = LabelSet(tuple(sorted(names, key=natural_key)), exclusive)
    return {name: Annotation(tuple(members), labels) for name, members in spans.items()}


def _span(row: Mapping[str, str | None], location: str) -> Span:
    for column in COLUMNS:
        if not row[column]:
            raise InputError(f"{location}: field {column} is empty; give all of {', '.join(COLUMNS)}")
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


def _overlap(spans: Iterable[Span]) -> bool:
    ordered = sorted(spans, key=lambda span: (span.start, span.end))
    return any(later.start < earlier.end - 1e-6 for earlier, later in itertools.pairwise(ordered))


def check_names(annotated: Collection[str], known: Collection[str], file: Path) -> None:
    """Check that annotated recordings are known. Raises InputError naming the others and the nearest names."""
    known_names = set(known)
    unknown = [name for name in annotated if name not in known_names]
    if not unknown:
        return
    hints = []
    for name in unknown[:5]:
        nearest = difflib.get_close_matches(name, known_names, n=1)
        hints.append(f"{name!r}" + (f" (did you mean {nearest[0]!r}?)" if nearest else ""))
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
    raise InputError(
        f"{file}: annotates {', '.join(hints)}{more}, which the source does not have; "
        f"use the names of the recordings, such as {min(known_names, key=natural_key)!r}"
    )


def fit(annotation: Annotation, duration: float) -> tuple[Annotation, int]:
    """The annotation cut to a recording of `duration` seconds, and how many of its spans were cut.

    Raises InputError for a span that lies outside altogether: its times are then in another unit or of another file.
    """
    spans, cut = [], 0
    for span in annotation.spans:
        if span.start >= duration or span.end <= 0:
            raise InputError(
                f"span {span.label!r} [{span.start:g}, {span.end:g}) s lies outside the recording of {duration:.3f} s; "
                "give times in seconds (not frames) and check the fps"
            )
        start, end = max(span.start, 0.0), min(span.end, duration)
        cut += (start, end) != (span.start, span.end)
        spans.append(Span(start, end, span.label, span.score, span.person))
    covered = annotation.covered
    if covered is not None:
        inside = ((max(start, 0.0), min(end, duration)) for start, end in covered)
        covered = tuple((start, end) for start, end in inside if start < end)
    return Annotation(tuple(spans), annotation.labels, covered), cut
