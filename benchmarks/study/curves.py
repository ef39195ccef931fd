"""Accuracy over the number of labelled recordings, as SVG: a line for each model, bars of one standard deviation."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from .claims import figure

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 330, 270, 40, 12, 30, 42
COLOURS = ("#d0772b", "#888888", "#1f5fa8", "#2f8f4e", "#8a4fbf", "#b03a48", "#1f9c9c", "#7a5c2e")
INK, GREY = "#222", "#ddd"


class Point(NamedTuple):
    """Labelled recordings (mean over runs), mean and standard deviation of a figure, in points."""

    labelled: float
    mean: float
    deviation: float


def points(rows: Sequence[Mapping[str, Any]], names: Sequence[str], name: str) -> list[Point]:
    """The points of a curve, made of some rows of a study, by number of labelled recordings."""
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["row"] in names:
            groups[str(row["labels"])].append(row)
    curve = []
    for group in groups.values():
        values = [figure(row, name) for row in group]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        curve.append(Point(statistics.mean(row["labelled"] for row in group), statistics.mean(values), spread))
    return sorted(curve)


def drawing(curves: Mapping[str, Sequence[str]], rows: Sequence[Mapping[str, Any]], figures: Mapping[str, str]) -> str:
    """A panel for each figure (title to name), a line for each curve (title to the rows that it is made of)."""
    panels = {
        title: {curve: points(rows, names, name) for curve, names in curves.items()} for title, name in figures.items()
    }
    width, height = WIDTH * len(figures), HEIGHT + 16 + 16 * math.ceil(len(curves) / 3)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="11" fill="{INK}">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, (title, lines) in enumerate(panels.items()):
        parts += [f'<g transform="translate({number * WIDTH} 0)">', *_panel(title, lines), "</g>"]
    for number, name in enumerate(curves):
        x, y = LEFT + number % 3 * (width - LEFT) / 3, HEIGHT + 12 + 16 * (number // 3)
        parts.append(f'<path d="M{x:.0f} {y - 4}h18" stroke="{COLOURS[number]}" stroke-width="2.5"/>')
        parts.append(f'<text x="{x + 24:.0f}" y="{y}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(title: str, lines: Mapping[str, Sequence[Point]]) -> list[str]:
    counts = sorted({round(point.labelled) for line in lines.values() for point in line})
    if not counts:
        return [f'<text x="{LEFT}" y="18">{escape(title)}: no rows yet</text>']
    low, high = math.log(counts[0] / 1.15), math.log(counts[-1] * 1.15)

    def position(labelled: float, value: float) -> tuple[float, float]:
        across = (math.log(labelled) - low) / (high - low)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - value / 100 * (HEIGHT - TOP - BOTTOM)

    parts = [f'<text x="{LEFT}" y="18" font-weight="bold">{escape(title)}</text>']
    for value in range(0, 101, 20):
        _, y = position(counts[0], value)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{GREY}"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
    ticks: list[int] = []
    for count in counts:  # without numbers that would overlap
        if not ticks or math.log(count / ticks[-1]) > 0.25:
            ticks.append(count)
            parts.append(
                f'<text x="{position(count, 0)[0]:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{count}</text>'
            )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - BOTTOM + 32}" text-anchor="middle">labelled recordings</text>')
    for number, line in enumerate(lines.values()):
        colour, ends = COLOURS[number], [position(point.labelled, point.mean) for point in line]
        path = " L".join(f"{x:.1f} {y:.1f}" for x, y in ends)
        parts.append(f'<path d="M{path}" stroke="{colour}" stroke-width="2" fill="none"/>' if ends else "")
        for point, (x, y) in zip(line, ends, strict=True):
            half = point.deviation / 100 * (HEIGHT - TOP - BOTTOM)
            parts.append(f'<path d="M{x:.1f} {y - half:.1f}V{y + half:.1f}" stroke="{colour}"/>')
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')
    return parts
