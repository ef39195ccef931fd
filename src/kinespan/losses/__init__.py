"""Losses, one a file, named after the paper's term: plain tensors in, a scalar out."""

from .frame import FrameLoss
from .info_nce import InfoNCELoss
from .multi_positive import MultiPositiveLoss
from .snippet import AlignedSnippetLoss, PaperSnippetLoss

__all__ = ["AlignedSnippetLoss", "FrameLoss", "InfoNCELoss", "MultiPositiveLoss", "PaperSnippetLoss"]
