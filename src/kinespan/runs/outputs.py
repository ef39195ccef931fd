"""What a localization writes: predictions, spans, scores, metrics."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..annotations import write_annotations
from ..data.annotation import LabelSet
from ..data.predictions import Predictions
from ..files import write_atomically
from .folder import PREDICTIONS_FILE, SCORES_FILE, SPANS_FILE

if TYPE_CHECKING:  # torch takes seconds to import
    from ..models.base import Scores


@dataclass(frozen=True)
class LocalizationResult:
    """Predictions of a model, and the frame scores (T, C + 1) of each recording at ``fps``."""

    predictions: Predictions
    scores: Mapping[str, Scores]
    fps: float
    labels: LabelSet


def write_result(result: LocalizationResult, out: Path) -> None:
    """Write predictions.json, spans.csv and scores.npz into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    write_annotations(result.predictions, out / PREDICTIONS_FILE)
    write_annotations(result.predictions, out / SPANS_FILE)
    write_scores(result.scores, out / SCORES_FILE)


def write_scores(scores: Mapping[str, Scores], file: Path) -> None:
    """Write frame scores (T, C + 1) by recording as float16."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        # not numpy's savez, which cannot take a recording that is named `file`
        for name, frame_scores in scores.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, frame_scores.astype(np.float16), allow_pickle=False)
    write_atomically(file, buffer.getvalue())


def read_scores(file: Path) -> dict[str, Scores]:
    """The frame scores of `write_scores`; empty where there is no such file."""
    if not file.is_file():
        return {}
    with np.load(file, allow_pickle=False) as data:
        return {name: data[name].astype(np.float32) for name in data.files}


def headline(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The headline figures of a metrics.json, with the split, fold and part that they were measured on."""
    figures = {name: metrics.get(name) for name in ("map", "frame_accuracy", "edit", "f1", "recordings")}
    facts = metrics.get("facts", {})
    return figures | {name: facts.get(name) for name in ("split", "fold", "part")}


def write_metrics(metrics: Mapping[str, Any], file: Path) -> None:
    """Write metrics.json."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(metrics, indent=1, default=str) + "\n")
