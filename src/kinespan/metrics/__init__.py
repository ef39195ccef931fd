"""Score predictions against ground truth: tIoU mAP under four rules, kinds of errors, frame accuracy, edit, F1@k.

All figures are fractions, 0..1; NaN (null in JSON) for what cannot be measured.
"""

from __future__ import annotations

from .errors import KINDS, Errors, detection_errors
from .frames import FrameCounts, confusion_matrix, frame_accuracy, frame_counts
from .metrics import STRICT_TIOUS, Metrics, evaluate
from .segments import edit_score, f1_at_k
from .tiou_map import DEFAULT_TIOUS, RULE_FACTS, RULE_TIOUS, RULES, MapResult, Rule, detection_map

__all__ = [
    "DEFAULT_TIOUS",
    "KINDS",
    "RULES",
    "RULE_FACTS",
    "RULE_TIOUS",
    "STRICT_TIOUS",
    "Errors",
    "FrameCounts",
    "MapResult",
    "Metrics",
    "Rule",
    "confusion_matrix",
    "detection_errors",
    "detection_map",
    "edit_score",
    "evaluate",
    "f1_at_k",
    "frame_accuracy",
    "frame_counts",
]
