"""From what was measured to a row."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from .cases import Case, Measure
from .interleave import Measured
from .machine import doubts

BASES: Mapping[Measure, str] = {"ratio": "conventional", "extra": "without", "share": "step"}
"""The side that a measure sets ours against."""
COMMON_FACTS = ("operations", "bytes", "peak_bytes", "bf16")


def spread_of(values: Sequence[float]) -> float | None:
    """Width of the middle half as a share of the median; None for less than two values."""
    if len(values) < 2:
        return None
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / median


def measured_row(
    case: Case, measured: Mapping[str, Measured], machine: Mapping[str, Any], other_threads: float | None
) -> dict[str, Any]:
    """A row of the benchmark as plain data.

    case, conventional_s, ours_s, ratio, spread, goal; then about, measure, value (of the measure), unit and met; shares
    {side: {matrix, memory}} and peak_bytes {side}; seconds {side: turns}; figures {side}; doubts, failed.
    """
    seconds = {name: list(side.seconds) for name, side in measured.items() if side.seconds}
    medians = {name: statistics.median(turns) for name, turns in seconds.items()}
    conventional, ours = medians.get("conventional"), medians.get("ours")
    base = BASES.get(case.measure, "ours")
    value = _value(case.measure, medians.get(base), ours)
    pairs = zip(seconds.get(base, []), seconds.get("ours", []), strict=False)
    spread = spread_of(seconds.get("ours", []) if base == "ours" else [left / right for left, right in pairs])
    return {
        "case": case.name, "conventional_s": conventional, "ours_s": ours,
        "ratio": conventional / ours if conventional is not None and ours else None,
        "spread": spread, "goal": case.goal, "about": case.about, "measure": case.measure, "value": value,
        "unit": case.unit, "met": None if value is None else case.met(value),
        "shares": {name: _shares(side, medians[name], machine) for name, side in measured.items() if name in medians},
        "peak_bytes": {name: side.facts["peak_bytes"] for name, side in measured.items() if side.facts},
        "seconds": seconds, "cpu_ratio": _cpu_ratio(measured.get("conventional"), measured.get("ours")),
        "figures": {name: {key: number for key, number in side.facts.items() if key not in COMMON_FACTS}
                    for name, side in measured.items()},
        "turns": min(map(len, seconds.values()), default=0), "others_running": other_threads,
        "doubts": doubts(machine["load_before"], other_threads, spread) if seconds else [], "failed": None,
    }  # fmt: skip


def failed_row(case: Case, machine: Mapping[str, Any], traceback: str) -> dict[str, Any]:
    """The row of a case of which a side failed, with the last line of its traceback."""
    return {**measured_row(case, {}, machine, None), "failed": traceback.strip().splitlines()[-1]}


def _cpu_ratio(conventional: Measured | None, ours: Measured | None) -> float | None:
    """Conventional over ours in seconds of the processor, on which other load has less influence."""
    if conventional is None or ours is None or not conventional.cpu or not ours.cpu:
        return None
    return statistics.median(conventional.cpu) / statistics.median(ours.cpu)


def _value(measure: Measure, base: float | None, ours: float | None) -> float | None:
    """The figure that the goal is about."""
    if ours is None or base is None:
        return None
    return {"ratio": base / ours, "extra": ours / base - 1, "share": ours / base, "rate": 1 / ours, "seconds": ours}[
        measure
    ]


def _shares(side: Measured, median: float, machine: Mapping[str, Any]) -> dict[str, float | None]:
    """What share of the machine's matrix rate, in the side's precision, and of its bandwidth a side reaches."""
    rates = machine["matrix_rate"]
    rate = rates.get("bfloat16", rates["float32"]) if side.facts.get("bf16") else rates["float32"]
    operations, traffic = side.facts.get("operations", 0), side.facts.get("bytes", 0)
    return {
        "matrix": operations / median / rate if operations else None,
        "memory": traffic / median / machine["bandwidth"] if traffic else None,
    }
