"""A table of spans, RFC 4180: one line a span, opened by any spreadsheet or statistics program."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from ..activitynet import Predictions
from ..atomic import write_atomically
from .writers import WRITERS

COLUMNS = ("recording", "label", "start", "end", "score", "person")
"""The header; start and end in seconds, score and person empty where there is none."""


@WRITERS.register("csv")
def write(predictions: Predictions, path: Path) -> None:
    """Write the table of spans, UTF-8, lines ended by CR LF. Raises InputError for a bad path."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for name, spans in predictions.spans.items():
        for span in spans:
            table.writerow((name, span.label, span.start, span.end, span.score, span.person))
    write_atomically(path, text.getvalue())
