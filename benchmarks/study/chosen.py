"""What the search of a baseline found (search.py), for the rows of a study that ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from kinespan.config import FinetuneConfig
from kinespan.config.parser import parse_settings
from kinespan.errors import InputError

from ..results.store import stored_rows
from .baselines import ForestConfig
from .plan import FLOAT32, Row

NAME = "search"
"""The rows of the searches are stored under this name."""


class Choice(NamedTuple):
    """A candidate of a search, and how its scores are decoded."""

    number: int
    settings: Mapping[str, Any]
    decode: Mapping[str, Any]


def choice_of(set: str, baseline: str) -> Choice:
    """What the stored search chose. Raises InputError where the baseline was not searched on the set."""
    rows = [row for row in stored_rows(NAME) if (row["set"], row["baseline"]) == (set, baseline)]
    if not rows:
        raise InputError(f"no search of {baseline!r} on {set!r}; run python -m benchmarks.study.search {set} first")
    return best_choice(rows)


def best_choice(rows: Sequence[Mapping[str, Any]]) -> Choice:
    """The best of the candidates and of the ways to decode each, by the compared figure, then by the other one.

    Of equal ones the candidate with the smaller number, and of its decodings the first.
    """
    options = [
        (decoding["figure"], row["tie_break"], -row["number"], -place, row, decoding)
        for row in rows
        for place, decoding in enumerate(row["decodings"])
    ]
    *_, row, decoding = max(options, key=lambda option: option[:4])
    return Choice(row["number"], row["settings"], decoding["decode"])


def with_choice(row: Row, choice: Choice) -> tuple[Row, ForestConfig, dict[str, Any]]:
    """The row with the chosen settings, those of a forest, and what a result says of them."""
    facts = {"chosen": choice.number}
    row = replace(row, decode={**row.decode, **choice.decode})
    if row.model == "forest":
        return row, ForestConfig(**choice.settings), facts
    where = f"search of {row.name}, candidate {choice.number}"
    finetune = parse_settings(FinetuneConfig, {**FLOAT32, **choice.settings}, where)
    return replace(row, finetune=finetune), ForestConfig(), facts
