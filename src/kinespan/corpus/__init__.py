"""Corpora on disk: memory-mapped frames plus an index, and their splits."""

from .annotation_sets import AnnotationSets
from .info import RecordingInfo
from .set_edits import ChangedMeanwhileError
from .set_reading import RecordingLabels, SetSummary
from .set_rows import SetInfo
from .splits import Fold, Split, drop_labels
from .splitting import default_split, group_split, label_fraction, split_by_values
from .store import Corpus
from .writer import CorpusWriter, add_split

__all__ = [
    "AnnotationSets",
    "ChangedMeanwhileError",
    "Corpus",
    "CorpusWriter",
    "Fold",
    "RecordingInfo",
    "RecordingLabels",
    "SetInfo",
    "SetSummary",
    "Split",
    "add_split",
    "default_split",
    "drop_labels",
    "group_split",
    "label_fraction",
    "split_by_values",
]
