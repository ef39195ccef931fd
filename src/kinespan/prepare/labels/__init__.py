"""The labels of `kinespan prepare --annotations FILE`: from the rows of any format to annotations of a corpus.

Each step is a file: names (recordings, spellings), times (unit, offset, bounds), instants, overlaps, coverage, doubts;
`prepared` takes them in order. Nothing is decided silently: each decision is a line that `prepare` prints and the
corpus keeps.
"""

from __future__ import annotations

from .prepared import LabelSettings, PreparedLabels, read_labels
from .times import fit

__all__ = ["LabelSettings", "PreparedLabels", "fit", "read_labels"]
