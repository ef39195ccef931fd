"""Rows as lines of text and as the tables of the docs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..results.store import markdown_table

HEADINGS = (
    f"{'case':<28} {'conventional':>12} {'ours':>10} {'ratio':>7} {'by CPU':>7} {'spread':>7}   "
    f"{'against the goal':<34} {'matrix rate':>13} {'bandwidth':>13}"
)


def text_line(row: Mapping[str, Any]) -> str:
    """A row as a line of text, under HEADINGS."""
    if row["failed"]:
        return f"{row['case']:<28} failed: {row['failed']}"
    ratio = "-" if row["ratio"] is None else f"{row['ratio']:.1f}"
    cpu = "-" if row["cpu_ratio"] is None else f"{row['cpu_ratio']:.2f}"
    spread = "-" if row["spread"] is None else f"{row['spread']:.0%}"
    mark = "?" if row["doubts"] else " "
    sides = ("conventional", "ours") if "conventional" in row["seconds"] else ("ours",)
    shares = [
        " > ".join(_percent(row["shares"].get(side, {}).get(kind)) for side in sides) for kind in ("matrix", "memory")
    ]
    return (
        f"{row['case']:<28} {_time(row['conventional_s']):>12} {_time(row['ours_s']):>10} {ratio:>7} {cpu:>7} "
        f"{spread:>7} {mark} {_verdict(row):<34} {shares[0]:>13} {shares[1]:>13}"
    )


def speed_table(run: Mapping[str, Any]) -> str:
    """The rows of a run that have a goal, or a conventional side, as Markdown."""
    lines = []
    for row in run["rows"]:
        if row["goal"] is None and row["ratio"] is None:
            continue
        ratio, cpu = (("-" if row[name] is None else f"{row[name]:.3g}") for name in ("ratio", "cpu_ratio"))
        shares = [_percent(row["shares"].get(side, {}).get("matrix")) for side in ("conventional", "ours")]
        name = f"`{row['case']}`" + (" ?" if row["doubts"] else "")
        times = _time(row["conventional_s"]), _time(row["ours_s"])
        lines.append([name, *times, ratio, cpu, _percent(row["spread"]), *shares, row["failed"] or _verdict(row)])
    columns = ["case", "conventional", "ours", "ratio", "by CPU", "spread", "matrix rate, conventional", "ours"]
    return markdown_table([*columns, "against the goal"], lines)


def defaults_table(run: Mapping[str, Any]) -> str:
    """What the commands do by default, for each network that was measured, as Markdown."""
    rows = {row["case"]: row for row in run["rows"] if row["ours_s"]}
    kinds = {"pretrain-snippets": "{:.1f} steps/s", "finetune": "{:.1f} steps/s", "localize": "{:.0f} s of motion/s"}
    encoders = [case.removeprefix("finetune-") for case in rows if case.startswith("finetune-")]
    lines = []
    for encoder in encoders:
        cells = []
        for kind, text in kinds.items():
            row = rows.get(f"{kind}-{encoder}")
            cells.append("-" if row is None else text.format(row["value"]) + (" ?" if row["doubts"] else ""))
        lines.append([f"`{encoder}`", *cells])
    return markdown_table(["network", "pretraining with snippets", "finetuning", "localizing"], lines)


def machine_line(run: Mapping[str, Any]) -> str:
    """What the rows were measured on."""
    machine = run["machine"]
    rates = ", ".join(f"{kind} {rate / 1e9:.0f}" for kind, rate in machine["matrix_rate"].items())
    return (
        f"{machine['name']}, {machine['cores']} cores, {machine['threads']} threads, torch {machine['torch']}; matrix "
        f"products {rates} x 10^9 operations a second, memory {machine['bandwidth'] / 1e9:.1f} GB/s; ours in "
        f"{run['precision']}; load before {machine['load_before']:.2f}. A row with ? was too unsteady to trust."
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"


def _time(seconds: float | None) -> str:
    """Seconds in a readable unit."""
    if seconds is None:
        return "-"
    unit, scale = next((unit for unit in (("s", 1.0), ("ms", 1e-3)) if seconds >= unit[1]), ("us", 1e-6))
    return f"{seconds / scale:.3g} {unit}"


def _verdict(row: Mapping[str, Any]) -> str:
    """The measured value beside its goal."""
    value, goal, measure = row["value"], row["goal"], row["measure"]
    formats = {
        "ratio": ("{:.1f} times", "at least {:g}"),
        "extra": ("{:+.1%}", "under {:.0%}"),
        "share": ("{:.1%} of a step", "under {:.0%}"),
        "rate": (f"{{:.3g}} {row['unit']}/s", "at least {:g}"),
        "seconds": ("{:.3g} s", "at most {:g} s"),
    }
    if value is None:
        return "-"
    value_format, goal_format = formats[measure]
    if goal is None:
        return value_format.format(value)
    return f"{value_format.format(value)}, goal {goal_format.format(goal)}: {'met' if row['met'] else 'not yet'}"
