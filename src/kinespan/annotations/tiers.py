"""Rows as writers need them: in whole milliseconds, in tiers without overlap; and what a format cannot hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .label_file import LabelFile, LabelRow

_ROUNDING, _DIGITS = 1e-6, 9
"""Seconds that make no difference, and the digits to which times are compared."""


@dataclass(frozen=True)
class Tier:
    """Rows of one tier, one person and one kind, in order of time, none of which overlaps another."""

    name: str
    """Unique in the file, and not empty."""
    rows: tuple[LabelRow, ...]
    tier: str
    """The tier of the rows."""
    person: int | None
    """The person of the rows."""
    is_events: bool
    """Whether the rows are instants, without an end."""
    is_overflow: bool
    """Whether its rows overlap rows of the tier that has the name without the number."""


def whole_milliseconds(rows: Sequence[LabelRow], what: str) -> tuple[list[LabelRow], list[str]]:
    """Rows in whole milliseconds from 0 on, and what had to be changed for it, in lines; `what` names the format.

    A row before 0 is left out, one that begins before 0 is cut, and a span shorter than a millisecond gets one.
    """
    result: list[LabelRow] = []
    early, short, rounded = 0, 0, 0
    for row in rows:
        start, end = round(row.start * 1000), None if row.end is None else round(row.end * 1000)
        early += start < 0
        if start < 0 and (end is None or end <= 0):
            continue
        start = max(start, 0)
        if end is not None and end <= start:
            short, end = short + 1, start + 1
        whole = replace(row, start=start / 1000, end=None if end is None else end / 1000)
        rounded += abs(whole.start - row.start) > _ROUNDING or abs((whole.end or 0) - (row.end or 0)) > _ROUNDING
        result.append(whole)
    counts = {
        f"rounded to whole milliseconds, as {what} has them": rounded,
        "shorter than a millisecond, written with one": short,
        f"before 0 s, which {what} cannot hold, cut or left out": early,
    }
    return result, [f"{text}: {rows_of(count)}" for text, count in counts.items() if count]


def with_text(
    rows: Sequence[LabelRow], unfit: re.Pattern[str], substitute: str, what: str
) -> tuple[list[LabelRow], list[str]]:
    """Rows whose labels and tiers have no `unfit` characters, and what had to be changed for it, in lines.

    Rows without any text are left out.
    """
    result: list[LabelRow] = []
    empty, changed = 0, 0
    for row in rows:
        label, tier = unfit.sub(substitute, row.label), unfit.sub(substitute, row.tier)
        if not label.strip():
            empty += 1
            continue
        changed += (label, tier) != (row.label, row.tier)
        result.append(replace(row, label=label, tier=tier))
    counts = {
        f"with characters that {what} cannot hold, written as {substitute!r}": changed,
        "without text left out": empty,
    }
    return result, [f"{text}: {rows_of(count)}" for text, count in counts.items() if count]


def tiers_of(rows: Sequence[LabelRow], event_length: float = 0.0) -> list[Tier]:
    """Rows by tier, person and kind, in as many tiers as it takes for none to overlap another.

    event_length: the seconds that an instant takes up.
    """
    groups: dict[tuple[str, int | None, bool], list[LabelRow]] = {}
    has_spans = {(row.tier, row.person) for row in rows if row.end is not None}
    for row in rows:
        groups.setdefault((row.tier, row.person, row.end is None), []).append(row)
    tiers: list[Tier] = []
    taken: set[str] = set()
    for (tier, person, is_events), members in groups.items():
        words = [] if person is None else [f"person {person}"]
        words += ["events"] if is_events and (tier, person) in has_spans else []
        base = " ".join(filter(None, [tier.strip() and tier, *words])) or "labels"
        for index, lane in enumerate(lanes(members, event_length)):
            name = free_name(base, taken, index)
            taken.add(name)
            tiers.append(Tier(name, tuple(lane), tier, person, is_events, index > 0))
    return tiers


def overflow_lines(tiers: Sequence[Tier], what: str) -> list[str]:
    """A line on the tiers that were added because rows of one overlap."""
    return overflow_line([tier.name for tier in tiers if tier.is_overflow for _ in tier.rows], what)


def overflow_line(names: Sequence[str], what: str) -> list[str]:
    """A line on rows that went elsewhere because they overlap others; `names` has where each went, as often as rows."""
    if not names:
        return []
    different = list(dict.fromkeys(names))
    shown = ", ".join(map(repr, different[:5])) + (f" and {len(different) - 5} more" if len(different) > 5 else "")
    return [f"that overlap others, which {what} cannot hold, put apart: {rows_of(len(names))} ({shown})"]


def lost_lines(file: LabelFile, what: str, *held: str) -> list[str]:
    """Lines on what is known of rows that a format does not hold; `held` names what it does.

    Names are tier, person, score, modifier and covered.
    """
    rows = file.rows
    counts = {
        "tier": (sum(bool(row.tier) for row in rows), "the tier"),
        "person": (sum(row.person is not None for row in rows), "the person"),
        "score": (sum(row.score is not None for row in rows), "the score"),
        "modifier": (sum(bool(row.modifier) for row in rows), "the modifier"),
    }
    lines = [
        f"not held by {what}: {name} of {rows_of(count)}"
        for field, (count, name) in counts.items()
        if count and field not in held
    ]
    if file.covered and "covered" not in held:
        lines.append(f"not held by {what}: the time that somebody looked at, {rows_of(len(file.covered))}")
    return lines


def rows_of(count: int) -> str:
    """A number of rows, in words."""
    return f"{count} row{'' if count == 1 else 's'}"


def lanes(rows: Sequence[LabelRow], event_length: float = 0.0) -> list[list[LabelRow]]:
    """Rows in the fewest lists of which none has rows that overlap, each in order of time."""
    result: list[list[LabelRow]] = []
    ends: list[float] = []
    for row in sorted(rows, key=lambda row: (row.start, row.end or row.start)):
        end = round(row.start + event_length if row.end is None else row.end, _DIGITS)
        index = next((i for i, last in enumerate(ends) if last <= round(row.start, _DIGITS)), len(ends))
        if index == len(ends):
            result.append([])
            ends.append(end)
        result[index].append(row)
        ends[index] = end
    return result


def free_name(base: str, taken: set[str], index: int) -> str:
    """A name that is not taken: the base itself, else with a number behind it."""
    number = index + 1
    name = base if number == 1 else f"{base} ({number})"
    while name in taken:
        number += 1
        name = f"{base} ({number})"
    return name
