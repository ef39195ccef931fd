"""Run the rows of a paper's table from raw data, and print our figures beside the published ones.

TABLE is babel-1, babel-2, babel-3, pku-transfer, or a YAML file of the same form. Finished steps are kept in --out and
not repeated, so the same command continues where it was stopped. --dry-run takes every row through one step on the raw
data at hand: it shows that all steps work before days of training; its figures mean nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, unknown
from ..files import write_atomically
from ..reproduce import Plan, Scale, find_plan
from ..reproduce.published import published
from .arguments import Positional
from .common import table

AFTER_STOP = "the same command continues"


@dataclass(frozen=True, kw_only=True)
class ReproduceArguments:
    """Which table, from what, how much of it."""

    table: Positional[str]
    """Name of a table, or a YAML file."""
    raw: Path
    """Folder of the raw data sets, each in a folder of its own."""
    out: Path | None = None
    """Folder of corpora, runs and figures; by default runs/TABLE."""
    methods: tuple[str, ...] = ()
    """Run only these methods."""
    snippets: tuple[str, ...] = ()
    """Run only these snippet variants."""
    protocols: tuple[str, ...] = ()
    """Run only these protocols."""
    seeds: tuple[int, ...] = (0,)
    """Run each row once for each of these seeds."""
    dry_run: bool = False
    """Take one step of everything."""


def run(arguments: ReproduceArguments) -> int:
    """Run the table, print it, and write table.txt."""
    plan = find_plan(arguments.table)
    scale = Scale(arguments.methods, arguments.snippets, arguments.protocols, arguments.seeds, arguments.dry_run)
    _check_rows(plan, scale)
    if not arguments.raw.is_dir():
        raise InputError(f"--raw {arguments.raw}: no such folder; {plan.file} names the data sets that it must hold")
    out = arguments.out or Path("runs") / plan.name

    from ..reproduce.run import reproduce

    rows = reproduce(plan, arguments.raw, out, scale)
    text = _result(plan, scale, rows)
    print(text)
    write_atomically(out / ("dry" if scale.dry else "runs") / "table.txt", text + "\n")
    return 0


def _check_rows(plan: Plan, scale: Scale) -> None:
    """Raise InputError for a method, snippet variant or protocol that the table does not have."""
    for stage, kind in (("pretrain", "method"), ("pretrain", "snippet"), ("finetune", "protocol")):
        available = plan.content[stage][f"{kind}s"]
        for name in getattr(scale, f"{kind}s"):
            if name not in available:
                raise InputError(f"--{kind}s {name}: table {plan.name}: {unknown(kind, name, available)}")


def _result(plan: Plan, scale: Scale, rows: Sequence[dict[str, Any]]) -> str:
    """The table with our figures, and the published ones below."""
    from ..reproduce.run import summary

    note = "a dry run: these figures mean nothing" if scale.dry else f"last model, seeds {list(scale.seeds)}, per cent"
    heading = ["method", "data set", "protocol", "metric", "value", "source"]
    figures = [[getattr(figure, column.replace(" ", "")) for column in heading] for figure in published(plan)]
    return "\n".join([f"{plan.title} ({note})", table(summary(rows)), "", "published:", table([heading, *figures])])
