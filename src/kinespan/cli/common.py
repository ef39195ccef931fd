"""What several commands share: arguments, and tables for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import Precision
from ..config.checks import check_positive
from ..threads import Threads
from .arguments import Positional


@dataclass(frozen=True, kw_only=True)
class ThreadArguments:
    """How many threads a command computes on."""

    threads: Threads = "auto"
    """Threads to compute on. auto: as many as OMP_NUM_THREADS says, else one, or all free cores where much is computed
    at once."""

    def __post_init__(self) -> None:
        """Validate; InputError names the flag."""
        check_positive(self, "threads")


@dataclass(frozen=True, kw_only=True)
class RunArguments(ThreadArguments):
    """The folder of a training run, and the file of its settings."""

    out: Path
    """Folder of the run."""
    resume: bool = False
    """Resume the run from its last checkpoint."""
    config: Path | None = None
    """YAML file of settings; flags override it."""


@dataclass(frozen=True, kw_only=True)
class CorpusArguments:
    """The corpus that a command works on."""

    corpus: Positional[Path]
    """Folder of a prepared corpus with annotations."""
    set: str | None = None
    """Annotation set whose labels are used; needed where the corpus has several."""


@dataclass(frozen=True, kw_only=True)
class DeviceArguments(ThreadArguments):
    """What a model computes on, and how precisely."""

    device: str = "cpu"
    """Device to compute on: cpu, cuda, mps or xpu."""
    precision: Precision = "32"
    """32: float32, the same scores on every machine; bf16: bfloat16; auto: bf16 where the hardware supports it."""


def table(rows: Sequence[Sequence[str]], indent: str = "  ") -> str:
    """Rows of text in aligned columns; the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *cells in rows:
        right = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        lines.append(indent + "  ".join([first.ljust(widths[0]), *right]).rstrip())
    return "\n".join(lines)


def plural(count: int, noun: str) -> str:
    """A count and its noun: 1 action, 2 actions."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def percent(value: float | None) -> str:
    """A fraction as per cent with one decimal; a dash where there is nothing to measure."""
    return "-" if value is None else f"{100 * value:.1f}"


METRIC_COLUMNS = ("mAP .1-.5", "mAP@.5", "frame acc.", "F1@10", "F1@25", "F1@50", "edit")


def metric_row(metrics: Mapping[str, Any]) -> list[str]:
    """The cells of METRIC_COLUMNS of a metrics.json, in per cent."""
    f1 = metrics.get("f1") or {}
    means = metrics["map_average"]["0.1:0.5"], metrics["map"].get("0.5"), metrics.get("frame_accuracy")
    return [percent(value) for value in (*means, f1.get("10"), f1.get("25"), f1.get("50"), metrics.get("edit"))]


EVENT_COLUMNS = ("true", "predicted", "precision", "recall", "F1", "AP", "off by")


def event_row(figures: Mapping[str, Any]) -> list[str]:
    """The cells of EVENT_COLUMNS of a label, or of all of them, in "events" of a metrics.json."""
    counts = ["-" if figures[name] is None else f"{figures[name]:.4g}" for name in ("true", "predicted")]
    shares = [percent(figures[name]) for name in ("precision", "recall", "f1", "ap")]
    return [*counts, *shares, "-" if figures["mae"] is None else f"{figures['mae']:.3f} s"]


def event_head(events: Mapping[str, Any]) -> list[str]:
    """The head of a table of rows of `event_row`, of "events" of a metrics.json."""
    return [f"events within {events['tolerance']:g} s, %", *EVENT_COLUMNS]


def event_table(events: Mapping[str, Any]) -> str:
    """The figures of "events" of a metrics.json: a row for all labels and, of several, one for each."""
    rows = [event_head(events), ["all", *event_row(events["all"])]]
    if len(events["per_class"]) > 1:
        rows += [[label, *event_row(figures)] for label, figures in events["per_class"].items()]
    return table(rows)


def figures_table(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures of metrics.json of one or more runs by name: a row each for spans, and for events."""
    return _tables(metrics, metric_row, lambda values: event_row(values["events"]["all"]))


def spread_table(mean: Mapping[str, Mapping[str, Any]], deviation: Mapping[str, Mapping[str, Any]]) -> str:
    """As `figures_table`, mean ± standard deviation of runs by name."""

    def cells(row_of: Callable[[Any], list[str]], name: str) -> list[str]:
        pairs = zip(row_of(mean[name]), row_of(deviation[name]), strict=True)
        return [value if error == "-" else f"{value} ± {error}" for value, error in pairs]

    names = {name: {**values, "name": name} for name, values in mean.items()}
    return _tables(
        names,
        lambda values: cells(metric_row, values["name"]),
        lambda values: cells(lambda each: event_row(each["events"]["all"]), values["name"]),
    )


def _tables(
    metrics: Mapping[str, Mapping[str, Any]],
    span_cells: Callable[[Mapping[str, Any]], list[str]],
    event_cells: Callable[[Mapping[str, Any]], list[str]],
) -> str:
    """A table of spans where labels name some, and one of events, with a row for each of `metrics`."""
    first, parts = next(iter(metrics.values())), []
    if first.get("per_class"):
        rows = [[name, *span_cells(values)] for name, values in metrics.items()]
        parts.append(table([["per cent", *METRIC_COLUMNS], *rows]))
    if first.get("events"):
        rows = [[name, *event_cells(values)] for name, values in metrics.items()]
        parts.append(table([event_head(first["events"]), *rows]))
    return "\n".join(parts)


def facts_line(facts: Mapping[str, Any]) -> str:
    """Decoder, protocol, people, split, fold, labels, pseudo-labelled recordings and seed in one line."""
    names = ("decoder", "protocol", "people", "split", "fold", "label_fraction", "taught_recordings", "seed")
    return ", ".join(f"{name.replace('_', ' ')} {facts[name]}" for name in names if facts.get(name) is not None)
