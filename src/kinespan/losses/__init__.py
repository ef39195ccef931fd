"""Losses, one a file, named after the paper's term: plain tensors in, a scalar out.

B batch, T time, C labels or channels, K snippets, D dimensions of a projected vector, M entries of a queue.
"""

from .decorrelation import DecorrelationLoss
from .distribution import DistributionLoss
from .frame import FrameLoss
from .info_nce import InfoNCELoss
from .multi_positive import MultiPositiveLoss
from .smoothing import SmoothingLoss
from .snippet import AlignedSnippetLoss, PaperSnippetLoss, Snippets
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
    "Snippets",
]
