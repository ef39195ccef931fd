"""Run the rows of a paper's table from raw data, and print our figures beside the published ones.

TABLE is babel-1, babel-2, babel-3, pku-transfer, or a YAML file of the same form. What is done is kept in OUT and not
done again, so the same command goes on where it was stopped. --dry-run takes every row through one step on the raw
data at hand: it proves the way before days of training, its figures mean nothing.
"""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from ..atomic import write_atomically
from ..errors import InputError
from .common import table


def add_arguments(parser: ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("table", type=str, help="name of a table, or a YAML file")
    parser.add_argument(
        "--raw", type=str, required=True, help="folder of the raw data sets, each in a folder of its own"
    )
    parser.add_argument("--out", type=str | None, help="folder of corpora, runs and figures; by default runs/TABLE")
    parser.add_argument("--methods", type=str, nargs="+", default=[], help="only these methods")
    parser.add_argument("--snippets", type=str, nargs="+", default=[], help="only these snippet variants")
    parser.add_argument("--protocols", type=str, nargs="+", default=[], help="only these protocols")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="a run of each row for each seed")
    parser.add_argument("--dry_run", action="store_true", help="one step of everything")


def run(arguments: Namespace) -> int:
    """Run the table, print it, and write table.txt."""
    from ..reproduce import Scale, find_plan, reproduce
    from ..reproduce.published import published
    from ..reproduce.run import summary
    from ..train.common import Interrupted

    plan = find_plan(arguments.table)
    scale = Scale(
        tuple(arguments.methods),
        tuple(arguments.snippets),
        tuple(arguments.protocols),
        tuple(arguments.seeds),
        arguments.dry_run,
    )
    chosen = {"--methods": scale.methods, "--snippets": scale.snippets, "--protocols": scale.protocols}
    there = {"--methods": plan.content["pretrain"]["methods"], "--snippets": plan.content["pretrain"]["snippets"],
             "--protocols": plan.content["finetune"]["protocols"]}  # fmt: skip
    for flag, names in chosen.items():
        for name in names:
            if name not in there[flag]:
                raise InputError(f"{flag} {name}: table {plan.name} has {', '.join(there[flag])}")
    raw, out = Path(arguments.raw), Path(arguments.out or f"runs/{plan.name}")
    if not raw.is_dir():
        raise InputError(f"--raw {raw}: no such folder; {plan.file} says which data sets lie in it")
    try:
        rows = reproduce(plan, raw, out, scale)
    except Interrupted as stopped:
        print(f"\n{stopped}")
        return 130
    note = "a dry run: these figures mean nothing" if scale.dry else f"last model, seeds {arguments.seeds}, per cent"
    lines = [f"{plan.title} ({note})", table(summary(rows)), "", "published:"]
    kept = [["method", "data set", "protocol", "metric", "value", "source"]]
    kept += [[one.method, one.dataset, one.protocol, one.metric, one.value, one.source] for one in published(plan)]
    lines.append(table(kept))
    print("\n".join(lines))
    write_atomically(out / ("dry" if scale.dry else "runs") / "table.txt", "\n".join(lines) + "\n")
    return 0
