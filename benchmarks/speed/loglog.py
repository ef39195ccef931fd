"""Small pictures with logarithmic axes, as SVG: points, the line fitted to them, its slope."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT, COLUMNS = 232, 190, 4
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 34, 36
INK, GREY, POINT, LINE = "#222", "#ccc", "#1f5fa8", "#d0772b"


class Panel(NamedTuple):
    """A picture: its title, its axes, its points, the ends of its line, and the line's slope as text."""

    title: str
    over: str
    unit: str
    points: Sequence[tuple[float, float]]
    line: Sequence[tuple[float, float]]
    slope: str


def drawing(panels: Sequence[Panel]) -> str:
    """All panels, side by side in rows."""
    rows = max(1, -(-len(panels) // COLUMNS))
    width, height = WIDTH * min(COLUMNS, max(1, len(panels))), HEIGHT * rows
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="10" fill="{INK}">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, panel in enumerate(panels):
        parts.append(f'<g transform="translate({number % COLUMNS * WIDTH} {number // COLUMNS * HEIGHT})">')
        parts += [*_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high: powers of ten, with twos and fives where those are few."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 5), (1, 2, 5)):
        values = [step * 10.0**power for power in decades for step in steps]
        values = [value for value in values if low * 0.999 <= value <= high * 1.001]
        if len(values) >= 3:
            break
    return values[:: -(-len(values) // 6)] if values else []


def short(value: float) -> str:
    """A number with few digits: 0.002, 50, 10k, 1M."""
    for scale, letter in ((1e6, "M"), (1e3, "k")):
        if value >= scale and (value >= 1e4 or value % scale == 0):
            return f"{value / scale:.4g}{letter}"
    return f"{value:g}"


def _panel(panel: Panel) -> list[str]:
    xs, ys = zip(*panel.points, *panel.line, strict=True)
    x_low, x_high, y_low, y_high = min(xs) / 1.2, max(xs) * 1.2, min(ys) / 1.4, max(ys) * 1.4
    if y_high / y_low < 10:  # a flat curve shall look flat
        middle = math.sqrt(y_low * y_high)
        y_low, y_high = middle / math.sqrt(10), middle * math.sqrt(10)

    def at(x: float, y: float) -> tuple[float, float]:
        right = math.log(x / x_low) / math.log(x_high / x_low)
        up = math.log(y / y_low) / math.log(y_high / y_low)
        return LEFT + right * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    bottom = HEIGHT - BOTTOM
    parts = [
        f'<text x="{LEFT}" y="14" font-weight="bold">{escape(panel.title)}</text>',
        f'<text x="{LEFT}" y="27" fill="#555">{escape(panel.unit)}, slope {escape(panel.slope)}</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(panel.over)}</text>',
    ]
    for value in sorted({x for x, _ in panel.points})[-6:]:
        x, _ = at(value, y_low)
        parts.append(f'<path d="M{x:.1f} {TOP}V{bottom}" stroke="{GREY}" stroke-width="0.5"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 13}" text-anchor="middle">{short(value)}</text>')
    for value in ticks(y_low, y_high):
        _, y = at(x_low, value)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{GREY}" stroke-width="0.5"/>')
        parts.append(f'<text x="{LEFT - 4}" y="{y + 3.5:.1f}" text-anchor="end">{short(value)}</text>')
    ends = [at(*point) for point in panel.line]
    parts.append(f'<path d="M{" L".join(f"{x:.1f} {y:.1f}" for x, y in ends)}" stroke="{LINE}" fill="none"/>')
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{POINT}"/>' for x, y in (at(*p) for p in panel.points)]
    return parts
