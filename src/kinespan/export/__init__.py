"""Predicted spans to files, one writer a format.

A writer is a function ``write(predictions: Predictions, path: Path) -> None`` registered under the name of its
format, ``@WRITERS.register("csv")``. It writes ``predictions.spans`` in the order given, seconds unrounded, and names
each recording; it uses `kinespan.atomic.write_atomically`, so the file at ``path`` is complete or absent; it raises
InputError for what its format cannot hold. To write the segmentation, pass it as the spans:
``Predictions(predictions.segmentation)``. A new format is one file here and one import below.
"""

from __future__ import annotations

from pathlib import Path

from ..activitynet import Predictions
from ..errors import InputError
from . import activitynet_json, spans_csv
from .writers import WRITERS, Writer

__all__ = ["WRITERS", "Writer", "activitynet_json", "export", "spans_csv"]


def export(predictions: Predictions, path: Path, format: str | None = None) -> None:
    """Write predictions in a format of `WRITERS`, by default the one that the file's ending names.

    Raises InputError for an unknown format or ending, or a path that cannot be written to.
    """
    path = Path(path)
    name = path.suffix.removeprefix(".").lower() if format is None else format
    if format is None and name not in WRITERS:
        raise InputError(
            f"{path}: no format has the ending {path.suffix!r}; available: {', '.join(WRITERS)}; "
            "use one of these endings or give the format"
        )
    WRITERS[name](predictions, path)
