"""From what was measured to a row, and how a row is shown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from .machine import doubts
from .trial import markdown
from .turns import Measured
from .works import Measure, Work

BASES: Mapping[Measure, str] = {"ratio": "conventional", "extra": "without", "share": "step"}
"""The side that a measure sets ours against."""


def spread_of(values: Sequence[float]) -> float | None:
    """Width of the middle half as a share of the median; None for less than two values."""
    if len(values) < 2:
        return None
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / median


def row(
    work: Work,
    measured: Mapping[str, Measured],
    machine: Mapping[str, Any],
    others: float | None,
    failed: str | None = None,
) -> dict[str, Any]:
    """A row of the yardstick as plain data.

    work, conventional_s, ours_s, ratio, spread, goal; then about, measure, value (of the measure), unit and met; shares
    {side: {matrix, memory}} and peak_bytes {side}; seconds {side: turns}; figures {side}; doubts, missing, failed.
    """
    seconds = {name: list(side.seconds) for name, side in measured.items() if side.seconds}
    medians = {name: statistics.median(turns) for name, turns in seconds.items()}
    usual, ours = medians.get("conventional"), medians.get("ours")
    base = BASES.get(work.measure, "ours")
    p99 = measured["ours"].facts.get("p99_s") if "ours" in measured else None
    value = _value(work.measure, medians.get(base), ours, p99)
    both = zip(seconds.get(base, []), seconds.get("ours", []), strict=False)
    spread = spread_of(seconds.get("ours", []) if base == "ours" else [left / right for left, right in both])
    missing = next((side.missing for side in measured.values() if side.missing), None)
    return {
        "work": work.name, "conventional_s": usual, "ours_s": ours,
        "ratio": usual / ours if usual is not None and ours else None,
        "spread": spread, "goal": work.goal, "about": work.about, "measure": work.measure, "value": value,
        "unit": work.unit, "met": None if value is None else work.met(value),
        "shares": {name: _shares(side, medians[name], machine) for name, side in measured.items() if name in medians},
        "peak_bytes": {name: side.facts["peak_bytes"] for name, side in measured.items() if side.facts},
        "seconds": seconds, "cpu_ratio": _cpu_ratio(measured.get("conventional"), measured.get("ours")),
        "figures": {name: {key: number for key, number in side.facts.items() if key not in _COMMON}
                    for name, side in measured.items()},
        "turns": min(map(len, seconds.values()), default=0), "others_running": others,
        "doubts": doubts(machine["load_before"], others, spread) if seconds else [], "missing": missing,
        "failed": failed,
    }  # fmt: skip


_COMMON = ("operations", "bytes", "peak_bytes", "bf16")


def _cpu_ratio(usual: Measured | None, ours: Measured | None) -> float | None:
    """Conventional over ours in seconds of the processor, which others at work on the machine change less."""
    if usual is None or ours is None or not usual.cpu or not ours.cpu:
        return None
    return statistics.median(usual.cpu) / statistics.median(ours.cpu)


def _value(measure: Measure, base: float | None, ours: float | None, p99: float | None) -> float | None:
    """The figure that the goal is about."""
    if ours is None or base is None:
        return None
    values = {"ratio": base / ours, "extra": ours / base - 1, "share": ours / base, "rate": 1 / ours, "seconds": ours}
    return p99 if measure == "p99" else values[measure]


def _shares(side: Measured, median: float, machine: Mapping[str, Any]) -> dict[str, float | None]:
    """What part of the machine's matrix rate, in the side's precision, and of its bandwidth a side reaches."""
    rates = machine["matrix_rate"]
    rate = rates.get("bfloat16", rates["float32"]) if side.facts.get("bf16") else rates["float32"]
    operations, moved = side.facts.get("operations", 0), side.facts.get("bytes", 0)
    return {
        "matrix": operations / median / rate if operations else None,
        "memory": moved / median / machine["bandwidth"] if moved else None,
    }


HEADINGS = (
    f"{'work':<28} {'conventional':>12} {'ours':>10} {'ratio':>7} {'by CPU':>7} {'spread':>7}   "
    f"{'against the goal':<34} {'matrix rate':>13} {'bandwidth':>13}"
)


def shown(found: Mapping[str, Any]) -> str:
    """A row as a line of text."""
    if found["failed"]:
        return f"{found['work']:<28} failed: {found['failed']}"
    ratio = "-" if found["ratio"] is None else f"{found['ratio']:.1f}"
    cpu = "-" if found["cpu_ratio"] is None else f"{found['cpu_ratio']:.2f}"
    spread = "-" if found["spread"] is None else f"{found['spread']:.0%}"
    mark = "?" if found["doubts"] else " "
    base = "conventional" if "conventional" in found["seconds"] else ""
    shares = [
        " > ".join(
            _percent(found["shares"].get(side, {}).get(kind)) for side in ((base, "ours") if base else ("ours",))
        )
        for kind in ("matrix", "memory")
    ]
    return (
        f"{found['work']:<28} {_time(found['conventional_s']):>12} {_time(found['ours_s']):>10} {ratio:>7} {cpu:>7} "
        f"{spread:>7} {mark} {found['missing'] or _verdict(found):<34} {shares[0]:>13} {shares[1]:>13}"
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"


def _time(seconds: float | None) -> str:
    """Seconds in a readable unit."""
    if seconds is None:
        return "-"
    unit, scale = next((unit for unit in (("s", 1.0), ("ms", 1e-3)) if seconds >= unit[1]), ("us", 1e-6))
    return f"{seconds / scale:.3g} {unit}"


def _verdict(found: Mapping[str, Any]) -> str:
    """The measured value beside its goal."""
    value, goal, measure = found["value"], found["goal"], found["measure"]
    texts = {
        "ratio": ("{:.1f} times", "at least {:g}"),
        "extra": ("{:+.1%}", "under {:.0%}"),
        "share": ("{:.1%} of a step", "under {:.0%}"),
        "rate": (f"{{:.3g}} {found['unit']}/s", "at least {:g}"),
        "seconds": ("{:.3g} s", "at most {:g} s"),
        "p99": ("p99 {:.3g} s", "at most {:g} s"),
    }
    if value is None:
        return "-"
    said, wanted = texts[measure]
    if goal is None:
        return said.format(value)
    return f"{said.format(value)}, goal {wanted.format(goal)}: {'met' if found['met'] else 'not yet'}"


# ---- tables of the docs ----------------------------------------------------------------------------------------------


def speed_table(kept: Mapping[str, Any]) -> str:
    """The rows of a run that have a goal, or another side to stand beside, as Markdown."""
    lines = []
    for found in kept["rows"]:
        if found["goal"] is None and found["ratio"] is None:
            continue
        ratio, cpu = (("-" if found[name] is None else f"{found[name]:.3g}") for name in ("ratio", "cpu_ratio"))
        shares = [_percent(found["shares"].get(side, {}).get("matrix")) for side in ("conventional", "ours")]
        name = f"`{found['work']}`" + (" ?" if found["doubts"] else "")
        spread = _percent(found["spread"])
        times = _time(found["conventional_s"]), _time(found["ours_s"])
        lines.append([name, *times, ratio, cpu, spread, *shares, found["failed"] or _verdict(found)])
    columns = ["work", "conventional", "ours", "ratio", "by CPU", "spread", "matrix rate, conventional", "ours"]
    return markdown([*columns, "against the goal"], lines)


def defaults_table(kept: Mapping[str, Any]) -> str:
    """What the commands do by default, for each network that was measured, as Markdown."""
    found = {one["work"]: one for one in kept["rows"] if one["ours_s"]}
    kinds = {"pretrain-snippets": "{:.1f} steps/s", "finetune": "{:.1f} steps/s", "localize": "{:.0f} s of motion/s"}
    encoders = [work.removeprefix("finetune-") for work in found if work.startswith("finetune-")]
    lines = []
    for encoder in encoders:
        said = []
        for kind, text in kinds.items():
            one = found.get(f"{kind}-{encoder}")
            said.append("-" if one is None else text.format(one["value"]) + (" ?" if one["doubts"] else ""))
        lines.append([f"`{encoder}`", *said])
    return markdown(["network", "pretraining with snippets", "finetuning", "localizing"], lines)


def machine_line(kept: Mapping[str, Any]) -> str:
    """What the rows were measured on."""
    machine = kept["machine"]
    rates = ", ".join(f"{kind} {rate / 1e9:.0f}" for kind, rate in machine["matrix_rate"].items())
    return (
        f"{machine['name']}, {machine['cores']} cores, {machine['threads']} threads, torch {machine['torch']}; matrix "
        f"products {rates} x 10^9 operations a second, memory {machine['bandwidth'] / 1e9:.1f} GB/s; ours in "
        f"{kept['precision']}; load before {machine['load_before']:.2f}. A row with ? was too unsteady to trust."
    )
