"""Tables of every method and every encoder on PRECOG, from rows before the study; docs/research/results.md says how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .store import markdown_table

COLUMNS = {"mAP .1-.5": "map", "frame acc.": "frame_accuracy", "F1@10": "f1_10", "F1@50": "f1_50", "edit": "edit"}
"""Columns of a table and the figures in a row that they show."""
VARIANTS = ("off", "aligned", "scratch", "pretrained")


def comparison_table(rows: Sequence[Mapping[str, Any]], kind: str) -> str:
    """The methods (kind `method`) or the encoders (`encoder`), figures in per cent."""
    lines = []
    chosen = [row for row in rows if row["kind"] == kind]
    for row in sorted(
        chosen, key=lambda row: (row["name"], VARIANTS.index(row["variant"]), row["protocol"] != "linear")
    ):
        figures = [f"{100 * row[column]:.1f}" for column in COLUMNS.values()]
        minutes = [f"{row['pretrain_min']:.1f}", f"{row['train_min']:.1f}"]
        size = f"{row['encoder_parameters'] / 1e6:.2f} M"
        variant = "untrained" if (row["variant"], row["protocol"]) == ("scratch", "linear") else row["variant"]
        lines.append([row["name"], variant, row["protocol"], *figures, size, *minutes])
    start = {"method": "snippets", "encoder": "starts"}[kind]
    columns = [kind, start, "protocol", *COLUMNS, "encoder size", "pretraining, min", "training and test, min"]
    return markdown_table(columns, lines)
