"""ActivityNet JSON, the format that `kinespan evaluate` reads; it also holds the segmentation."""

from __future__ import annotations

from pathlib import Path

from ..activitynet import Predictions, write_predictions
from .writers import WRITERS


@WRITERS.register("json")
def write(predictions: Predictions, path: Path) -> None:
    """Write ActivityNet JSON. Raises InputError for a span without a score, or a bad path."""
    write_predictions(predictions, path)
