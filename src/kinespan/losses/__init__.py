"""Losses, one a file, named after the paper's term: plain tensors in, a scalar out."""

from .decorrelation import DecorrelationLoss
from .distribution import DistributionLoss
from .frame import FrameLoss
from .info_nce import InfoNCELoss
from .multi_positive import MultiPositiveLoss
from .smoothing import SmoothingLoss
from .snippet import AlignedSnippetLoss, PaperSnippetLoss
from .tempo import RelativeTempoLoss

__all__ = [
    "AlignedSnippetLoss",
    "DecorrelationLoss",
    "DistributionLoss",
    "FrameLoss",
    "InfoNCELoss",
    "MultiPositiveLoss",
    "PaperSnippetLoss",
    "RelativeTempoLoss",
    "SmoothingLoss",
]
