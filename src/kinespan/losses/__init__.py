"""Losses, one a file, named after the paper's term: plain tensors in, a scalar out."""

from .frame import FrameLoss
from .info_nce import InfoNCELoss
from .snippet import AlignedSnippetLoss, PaperSnippetLoss

__all__ = ["AlignedSnippetLoss", "FrameLoss", "InfoNCELoss", "PaperSnippetLoss"]
