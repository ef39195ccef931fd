"""The curves of growth and the stages, and what is made of their points: fits, tables, the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..results.store import markdown_table
from .loglog import Panel, drawing

NOT_MEASURED = "No figures have been taken yet: `python -m benchmarks.speed.growth --out runs/growth` takes them."


@dataclass(frozen=True)
class Curve:
    """A cost over a size: what is done, over what, at which sizes, and how it should grow.

    together: all sizes in one process, in turn. Else each has a process of its own, whose memory is measured too.
    """

    name: str
    title: str
    over: str
    values: tuple[int, ...]
    quick: tuple[int, ...]
    should: str
    together: bool = False


CURVES = (
    Curve("step-batch", "pretraining step", "clips in a batch", (8, 16, 32, 64, 128), (2, 4), "1", True),
    Curve("step-frames", "pretraining step", "frames of a clip", (32, 64, 128, 256, 512), (32, 64), "1", True),
    Curve("step-joints", "pretraining step", "joints", (25, 50, 100, 200), (25, 50), "1 to 2", True),
    Curve("step-people", "pretraining step", "people", (1, 2, 4, 8), (1, 2), "1", True),
    Curve(
        "step-queue", "pretraining step", "keys in a queue", (2048, 8192, 32768, 131072), (256, 1024), "up to 1", True
    ),
    Curve("step-snippets", "pretraining step", "snippets of a view", (4, 8, 16, 32, 64), (4, 8), "up to 1", True),
    Curve("localize", "localizing", "minutes of motion", (1, 10, 60, 360, 1440), (1, 2), "1"),
    Curve("prepare", "preparing", "tiny files", (100, 300, 1000, 3000, 10000), (30, 100), "1"),
    Curve("map", "mAP", "predictions", (1000, 10_000, 100_000, 1_000_000), (1000, 3000), "1.1 (n log n)"),
)
STAGES = ("prepare", "pretrain", "finetune", "localize", "evaluate", "report")


class Fit(NamedTuple):
    """y = factor x^exponent, and the standard error of the exponent."""

    exponent: float
    error: float
    factor: float


def fitted(points: Sequence[tuple[float, float]]) -> Fit:
    """The straight line through the logarithms of points, by least squares; the error is nan for fewer than three."""
    xs, ys = ([math.log(value) for value in column] for column in zip(*points, strict=True))
    count, x_mean, y_mean = len(points), sum(xs) / len(points), sum(ys) / len(points)
    variation = sum((x - x_mean) ** 2 for x in xs)
    slope = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / variation
    residual = sum((y - y_mean - slope * (x - x_mean)) ** 2 for x, y in zip(xs, ys, strict=True))
    error = math.sqrt(residual / (count - 2) / variation) if count > 2 else math.nan
    return Fit(slope, error, math.exp(y_mean - slope * x_mean))


def series(rows: Sequence[dict[str, Any]], curve: str, what: str = "seconds") -> list[tuple[float, float]]:
    """The points (value, cost) of a curve, by value."""
    return sorted((row["value"], cost_of(row, what)) for row in rows if row.get("curve") == curve)


def cost_of(row: dict[str, Any], what: str) -> float:
    """seconds; or own: the peak memory of the process, without the pages of files that it mapped."""
    return float(row["seconds"] if what == "seconds" else row["peak_bytes"] - row["mapped_bytes"])


def measured_curves(rows: Sequence[dict[str, Any]]) -> list[tuple[Curve, str, list[tuple[float, float]]]]:
    """Each curve with at least two points, the cost (`seconds` or `own`) and the points; memory where it was alone."""
    curves = []
    for curve in CURVES:
        for cost in ("seconds",) if curve.together else ("seconds", "own"):
            points = series(rows, curve.name, cost)
            if len(points) > 1:
                curves.append((curve, cost, points))
    return curves


def growth_table(rows: Sequence[dict[str, Any]]) -> str:
    """A row a curve: its ends and its exponent; one more of memory where that was measured."""
    if not rows:
        return NOT_MEASURED
    lines = []
    for curve, cost, points in measured_curves(rows):
        (smallest, low), (largest, high) = points[0], points[-1]
        fit = fitted(points)
        if cost == "seconds":
            title, text, expected = curve.title, seconds_text, curve.should
        else:
            title, text = f"{curve.title}, memory", bytes_text
            expected = {"localize": "0, but for the scores", "map": "1"}.get(curve.name, "0")
        exponent = f"{fit.exponent:.2f}" + ("" if math.isnan(fit.error) else f" ± {fit.error:.2f}")
        sizes, costs = f"{smallest:,.0f} to {largest:,.0f}", f"{text(low)} to {text(high)}"
        lines.append([title, curve.over, sizes, costs, exponent, expected])
    return markdown_table(["cost", "over", "from, to", "takes", "exponent", "should be"], lines)


def stages_table(rows: Sequence[dict[str, Any]]) -> str:
    """A row a stage."""
    if not rows:
        return NOT_MEASURED
    lines = [
        [row["stage"], bytes_text(row["peak_bytes"]), seconds_text(row["seconds"])] for row in rows if "stage" in row
    ]
    return markdown_table(["stage", "peak memory", "took"], lines)


def picture_link(rows: Sequence[dict[str, Any]]) -> str:
    """The picture, and the machine that it was taken on."""
    if not rows:
        return NOT_MEASURED
    machine = next(row["machine"] for row in rows if "machine" in row)
    where = f"{machine['name']}, {machine['cores']} cores, torch {machine['torch']}"
    busy = machine["load_before"]
    doubt = "" if busy is None or busy < 0.5 else f" The load average was {busy:.1f} before: not to be quoted."
    return f"![Time and memory over size, both axes logarithmic](../images/growth.svg)\n\nTaken on {where}.{doubt}"


def picture(rows: Sequence[dict[str, Any]]) -> str:
    """All curves as SVG."""
    panels = []
    for curve, what, points in measured_curves(rows):
        fit = fitted(points)
        title = curve.title if what == "seconds" else f"{curve.title}, memory"
        scale, unit = (1.0, "seconds") if what == "seconds" else (2.0**20, "MiB")
        line = [(x, fit.factor * x**fit.exponent / scale) for x in (points[0][0], points[-1][0])]
        panels.append(Panel(title, curve.over, unit, [(x, y / scale) for x, y in points], line, f"{fit.exponent:.2f}"))
    return drawing(panels)


def seconds_text(value: float) -> str:
    """Seconds in a readable unit."""
    for scale, unit in ((3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms")):
        if value >= scale * (1 if scale <= 1 else 2):
            return f"{value / scale:.3g} {unit}"
    return f"{value / 1e-6:.3g} us"


def bytes_text(value: float) -> str:
    """Bytes in a readable unit."""
    return f"{value / 2**30:.2f} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"
