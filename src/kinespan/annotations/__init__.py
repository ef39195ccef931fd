"""Annotation files of other programs and ours, one file a format: labels are read, predicted spans are written.

A writer is a function ``write(predictions: Predictions, path: Path) -> None`` registered under the name of its
format, ``@WRITERS.register("csv")``. It writes ``predictions.spans`` in the order given, seconds unrounded, and names
each recording; it uses `kinespan.files.write_atomically`, so the file at ``path`` is complete or absent; it raises
InputError for what its format cannot hold. To write the segmentation, pass it as the spans:
``Predictions(predictions.segmentation)``. A new format is one file here and one import below.
"""

from __future__ import annotations

from pathlib import Path

from ..data.annotation import Annotation
from ..data.predictions import Predictions
from ..errors import InputError
from . import activitynet, csv_table  # each registers its writer
from .activitynet import read_truth
from .base import WRITERS, Writer
from .csv_table import read_csv

__all__ = ["WRITERS", "Writer", "activitynet", "csv_table", "export", "read_annotations"]


def read_annotations(file: Path) -> dict[str, Annotation]:
    """Annotations by recording from ActivityNet JSON (suffix ``.json``) or CSV (any other).

    Raises InputError, naming the file, where it is missing or holds neither.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file; annotations are ActivityNet JSON or CSV")
    return dict(read_truth(file).annotations) if file.suffix.lower() == ".json" else read_csv(file)


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
