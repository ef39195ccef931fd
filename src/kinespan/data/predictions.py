"""Predicted spans of recordings, and their ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .annotation import Annotation, LabelSet, Span


@dataclass(frozen=True)
class Predictions:
    """Predicted, scored spans by recording."""

    spans: Mapping[str, tuple[Span, ...]]
    """Proposals for mAP, which may overlap."""
    segmentation: Mapping[str, tuple[Span, ...]] | None = None
    """The labels of each moment, for frame accuracy, edit score and F1."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Further facts ("external_data"), such as the model."""


@dataclass(frozen=True)
class Truth:
    """The ground truth: annotations by recording, over one LabelSet."""

    annotations: Mapping[str, Annotation]
    labels: LabelSet
    durations: Mapping[str, float] = field(default_factory=dict)
    """Seconds, of the recordings where it is known."""
    fps: Mapping[str, float] = field(default_factory=dict)
    """Frames a second, where known; plain ActivityNet files have none."""
    subsets: Mapping[str, str] = field(default_factory=dict)
    """The "subset" of each recording that has one: validation, test, ..."""
    people: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The people seen in recordings whose annotations name people, by slot: also those who do nothing."""
    labels_are_declared: bool = True
    """False where the file lists no labels and they are those that occur."""
