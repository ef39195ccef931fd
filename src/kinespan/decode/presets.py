"""The named decoders: ours, and those of published figures."""

from __future__ import annotations

import math

import numpy as np

from ..registry import Registry
from .config import DecodeConfig

DECODERS: Registry[DecodeConfig] = Registry("decoder")
"""The decoders of `--decoder`, by name."""

OURS = DecodeConfig()
"""Runs above nine thresholds, scored by their contrast with the time around them, soft-NMS."""

STAL = DecodeConfig(
    thresholds=tuple(float(value) for value in np.arange(0.03, 0.055, 0.005)),
    min_duration=0.0,
    min_frames=3,
    nms="stal",
    nms_threshold=0.2,
    min_score=-math.inf,
    inclusive=True,
)
"""The decoding of Skeleton-Temporal-Action-Localization (AAAI 2023) as released, for comparison; five thresholds,
runs of three frames or more, spans [s, e + 1]. Its gate on the video-level class score is left out, as in SnipCLR."""

SIMPLE_DET = DecodeConfig(
    method="action",
    smooth=0.7,
    thresholds=(0.4,),
    min_duration=0.0,
    outer_weight=0.0,
    nms="none",
    min_score=-math.inf,
)
"""PKU-MMD as HiCLR, PCM3 and USDRL (AAAI 2025) report it: scores averaged over ten frames on either side (0.7 s at 30
fps), runs where 1 - background is 0.4 or more, each with the one label of the highest mean and that mean as score.
At both ends of a recording the mean is over fewer frames."""

FOUND_SKEL = DecodeConfig(
    thresholds=(0.02,),
    min_duration=0.0,
    outer_weight=0.0,
    nms="none",
    min_score=-math.inf,
)
"""PKU-MMD as the skeleton foundation model of USDRL's authors (TPAMI) reports it: for each label every run above 0.02,
scored by its mean; nothing is suppressed."""

DECODERS.register("kinespan")(OURS)
DECODERS.register("stal", "Skeleton-Temporal-Action-Localization, AAAI 2023")(STAL)
DECODERS.register("simple-det", "HiCLR, AAAI 2023; PCM3, ACM MM 2023; USDRL, AAAI 2025")(SIMPLE_DET)
DECODERS.register("found-skel", "USDRL, extended, TPAMI")(FOUND_SKEL)
