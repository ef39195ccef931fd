"""How frame scores become spans."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ..errors import InputError
from .calibration import SpanCalibration, check_span_calibration
from .durations import Durations, check_durations


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise InputError where a setting is none of its choices."""
    if value not in choices:
        raise InputError(f"{name}: found {value!r}, expected one of {', '.join(choices)}")


@dataclass(frozen=True)
class DecodeConfig:
    """How frame scores become scored spans. Raises InputError, naming the setting, for a bad value."""

    method: Literal["runs", "action", "argmax"] = "runs"
    """runs: each label's runs above each threshold, scored and suppressed, for mAP; action: runs of any action (1 -
    background at or above each threshold), each with the one label whose mean score in it is highest; argmax: the
    exclusive segmentation."""
    smooth: float = 0.0
    """Seconds around each frame over which scores are averaged first; 0: none."""
    thresholds: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    """Runs above each of these are candidates; several thresholds let loose and tight bounds compete."""
    min_duration: float = 0.2
    """Seconds; shorter runs are dropped (runs, action) or absorbed by a neighbour (argmax)."""
    min_frames: int = 1
    """Runs of fewer frames are dropped at any frame rate (runs, action)."""
    outer_weight: float = 0.6
    """Score of a run = mean score inside - this x mean score in the margins on either side."""
    nms: Literal["soft", "hard", "stal", "none"] = "soft"
    """Non-maximum suppression within a label. soft: scores of overlapping spans decay; hard: overlapping spans are
    dropped; stal: contained spans are dropped; none: no suppression."""
    nms_threshold: float = 0.5
    """hard: the tIoU, stal: the overlapping share of its own length, above which a span is dropped for a better one."""
    min_score: float = 0.001
    """Spans whose score after suppression is lower are dropped; -inf keeps all."""
    inclusive: bool = False
    """Ends as STAL counts them: the mean inside includes the frame after the run, and spans end one frame late."""
    segmentation: Literal["argmax", "viterbi"] = "argmax"
    """How exclusive labels are segmented. argmax: each frame has its best label; viterbi: the most probable segments,
    given how long those of each label last."""
    durations: Durations = ()
    """viterbi: mean and standard deviation of the log of seconds, of background and of each label. Finetuning learns
    them from the training labels."""
    span_calibration: SpanCalibration = ()
    """Slope and offset by which the mean probability of a segment becomes its score, which says how likely its tIoU
    with a true span of its label is at least 0.5: sigmoid(slope x logit(mean) + offset). Empty: the mean itself.
    Training learns them from labelled recordings that it holds back."""

    event_threshold: float = 0.4
    """Events of the answer score at least this much. F1 is best at half the best F1, if scores are probabilities
    (Lipton, Elkan, Naryanaswamy: Optimal Thresholding of Classifiers to Maximize F1 Measure, ECML 2014)."""

    def __post_init__(self) -> None:
        """Validate. Raises InputError, naming the setting."""
        _one_of("method", self.method, ("runs", "action", "argmax"))
        _one_of("nms", self.nms, ("soft", "hard", "stal", "none"))
        _one_of("segmentation", self.segmentation, ("argmax", "viterbi"))
        fault = check_durations(self.durations)
        if fault:
            raise InputError(f"durations: found {fault}")
        fault = check_span_calibration(self.span_calibration)
        if fault:
            raise InputError(f"span_calibration: found {fault}")
        if not self.thresholds or not all(math.isfinite(value) for value in self.thresholds):
            raise InputError(f"thresholds: found {self.thresholds}, expected at least one number, all finite")
        for name, low in (("min_duration", 0.0), ("min_frames", 0), ("nms_threshold", 0.0)):
            if not getattr(self, name) >= low:
                raise InputError(f"{name}: found {getattr(self, name)}, expected {low} or more")
        if not 0 <= self.event_threshold <= 1:
            raise InputError(f"event_threshold: found {self.event_threshold}, expected 0 to 1")
        if not (math.isfinite(self.smooth) and self.smooth >= 0):
            raise InputError(f"smooth: found {self.smooth}, expected 0 or more seconds")
