"""How far scores can be trusted: reliability, expected calibration error, and error over coverage.

Expected calibration error (ECE; Guo et al.: On Calibration of Modern Neural Networks, ICML 2017, equation 3): claims
are sorted by their score into bins of equal width, and

    ECE = sum over bins b of   n_b / n x | mean score in b - share of b that is right |

Error over coverage (Geifman, El-Yaniv: Selective Classification for Deep Neural Networks, NeurIPS 2017): of the claims
that score a threshold or more, the share that is wrong, over the share of all claims that these are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import AnyArray, BoolArray, Float64Array, IntArray
from ..data.annotation import IGNORE, Annotation, LabelSet, Span
from ..data.span_table import SpanTable
from ..data.unknown import Unknown
from .matching import best_overlap, check_recordings, in_known_time, span_columns

BINS = 15
"""Bins of equal width from 0 to 1."""
RIGHT_TIOU = 0.5
"""A segment is right if its tIoU with a true span of its label is at least this."""


@dataclass(frozen=True, eq=False)
class Claims:
    """N claims, of which each says how likely it is right."""

    score: Float64Array
    """(N,), 0 to 1."""
    is_right: BoolArray
    """(N,)."""

    def __len__(self) -> int:
        return len(self.score)

    @staticmethod
    def joined(parts: Iterable[Claims]) -> Claims:
        """The claims of all parts, in order."""
        parts = list(parts)
        none = Claims(np.zeros(0), np.zeros(0, dtype=bool))
        return Claims(
            np.concatenate([part.score for part in (none, *parts)]),
            np.concatenate([part.is_right for part in (none, *parts)]),
        )


@dataclass(frozen=True, eq=False)
class Reliability:
    """Claims by bins of their score, each (B,); means are NaN in an empty bin."""

    count: IntArray
    """Claims in the bin."""
    score: Float64Array
    """Their mean score."""
    right: Float64Array
    """Share of them that is right."""

    @property
    def error(self) -> float:
        """The expected calibration error, a fraction; NaN without claims."""
        used = self.count > 0
        if not used.any():
            return float("nan")
        gaps = np.abs(self.score[used] - self.right[used])
        return float(np.average(gaps, weights=self.count[used]))


def reliability(claims: Claims, bins: int = BINS) -> Reliability:
    """The claims in `bins` bins of equal width; a score on a border belongs to the bin above, 1 to the last."""
    index = np.minimum((claims.score * bins).astype(np.int64), bins - 1)  # (N,)
    count = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        score = np.bincount(index, weights=claims.score, minlength=bins) / count
        right = np.bincount(index, weights=claims.is_right, minlength=bins) / count
    return Reliability(count, score, right)


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """The error of the claims that score a threshold or more, for every threshold that makes a difference; (K,)."""

    threshold: Float64Array
    """Scores that occur, the highest first."""
    coverage: Float64Array
    """Share of the claims that score this or more."""
    risk: Float64Array
    """Share of those that is wrong."""

    @property
    def area(self) -> float:
        """The mean risk over coverage from 0 to 1 (AURC), each claim for a step of it; NaN without claims."""
        if not len(self.coverage):
            return float("nan")
        return float(np.sum(np.diff(self.coverage, prepend=0.0) * self.risk))

    def at(self, threshold: float) -> tuple[float, float]:
        """Coverage and risk where claims below a threshold are held back; the risk of none is NaN."""
        index = int(np.count_nonzero(self.threshold >= threshold)) - 1
        return (0.0, float("nan")) if index < 0 else (float(self.coverage[index]), float(self.risk[index]))


def risk_coverage(claims: Claims) -> RiskCoverage:
    """Error over coverage of claims; claims of equal score are kept or held back together."""
    order = np.argsort(-claims.score, kind="stable")
    score, is_wrong = claims.score[order], ~claims.is_right[order]
    last = np.flatnonzero(np.append(score[1:] != score[:-1], True)) if len(score) else np.zeros(0, dtype=np.int64)
    kept = last + 1
    return RiskCoverage(score[last], kept / max(1, len(score)), np.cumsum(is_wrong)[last] / kept)


def segment_claims(segments: Mapping[str, Sequence[Span]], truth: Mapping[str, Annotation]) -> Claims:
    """The claims of scored segments by recording: right where the tIoU with a true span of their label is 0.5 or more.

    Segments of which more than half lies outside the known time are left out, as in all metrics. Raises InputError for
    a recording that truth lacks, and a segment without a finite score.
    """
    check_recordings(segments, truth)
    table = SpanTable.of(segments)
    table = table.where(in_known_time(table, truth))
    true = SpanTable.of({name: annotation.spans for name, annotation in truth.items()})
    labels = tuple(dict.fromkeys((*table.labels, *true.labels)))
    recordings = sorted(truth)
    predicted = span_columns(table, recordings, labels, scored=True)
    tiou = best_overlap(predicted, span_columns(true, recordings, labels, scored=False))[1]
    return Claims(np.clip(predicted.score, 0.0, 1.0), tiou >= RIGHT_TIOU - 1e-9)


def frame_claims(scores: AnyArray, annotation: Annotation, labels: LabelSet, fps: float) -> Claims:
    """The claims of frame scores (T, C + 1) of `labels` over the frames whose label is known; events are left out.

    Exclusive labels: each frame claims its best label, background among them. Overlapping labels: each label of each
    frame claims to hold, or, where its score is below 0.5, not to hold, at 1 - its score. Labels of the annotation are
    found by name, so that it may have others, or in another order.
    """
    names = labels.spans
    values = np.asarray(scores, dtype=np.float64)[:, list(labels.span_columns)]  # (T, S + 1)
    spans = annotation.without_events
    true_index = [spans.labels.names.index(name) if name in spans.labels.names else -1 for name in names]  # (S,)
    if labels.exclusive:
        ids = spans.frame_ids(len(values), fps)
        known = ids != IGNORE
        claimed = np.array([0, *(index + 1 if index >= 0 else -1 for index in true_index)])[values.argmax(axis=1)]
        return Claims(values[known].max(axis=1), claimed[known] == ids[known])
    targets, known = spans.frame_targets(len(values), fps)  # (T, C'), (T,)
    targets = np.pad(targets, [(0, 0), (0, 1)])  # the last column is of labels that the annotation has not
    holds = targets[known][:, true_index]  # (N, S)
    score = values[known, 1:]
    return Claims(np.maximum(score, 1 - score).ravel(), ((score >= 0.5) == holds).ravel())


THRESHOLDS = tuple(step / 20 for step in range(20))
"""Scores below which segments are held back, in the table of error over coverage: 0, 0.05, ..., 0.95."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """How far the scores of segments and of frames can be trusted, and what it costs to answer less often."""

    segments: Claims | None
    """Of the segments that have a label of the ground truth's; None where their scores are not known."""
    frames: Claims | None
    """None where frame scores are not known."""
    unknown: Unknown | None = None
    """How the segmentation says that it does not know."""
    num_unknown: int = 0
    """The segments of which it says so."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, None for what cannot be measured."""
        data: dict[str, Any] = {
            "bins": BINS,
            "frames": None if self.frames is None else _reliability_dict(reliability(self.frames)),
            "segments": None,
            "unknown": None,
        }
        if self.segments is None:
            return data
        curve, kept = risk_coverage(self.segments), len(self.segments)
        total = kept + self.num_unknown
        share = kept / total if total else 0.0
        data["segments"] = _reliability_dict(reliability(self.segments))
        data["segments"]["area"] = _plain(curve.area)
        data["segments"]["coverage"] = [
            {"threshold": threshold, "coverage": share * coverage, "error": _plain(risk)}
            for threshold in THRESHOLDS
            for coverage, risk in [curve.at(threshold)]
        ]
        if self.unknown is not None:
            data["unknown"] = {"below": self.unknown.below, "segments": self.num_unknown, "coverage": share}
            data["unknown"]["error"] = _plain(curve.at(0.0)[1])
        return data


def _reliability_dict(table: Reliability) -> dict[str, Any]:
    """A reliability table as plain values: the error, how many claims there are, and the bins that hold some."""
    rows = zip(table.count.tolist(), table.score.tolist(), table.right.tolist(), strict=True)
    bins = [{"claims": count, "score": score, "right": right} for count, score, right in rows if count]
    return {"error": _plain(table.error), "claims": int(table.count.sum()), "bins": bins}


def _plain(value: float) -> float | None:
    """A float, None for NaN."""
    return None if math.isnan(value) else float(value)
