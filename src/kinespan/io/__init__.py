"""Reading motion files: one reader a format, recognised by content; the result is in metres, y up, float32.

take = read("walk.bvh")
take.recording, take.annotation
"""

from __future__ import annotations

from . import amass, amc, bvh, msrc12, npz, ntu, pku_mmd, precog, sfinge, utkinect  # registers the readers
from .base import READERS, WRITERS, Reader, Take
from .files import detect, find_files, overrides_fps, read, survey_files
from .finish import decisions, merge_short_runs
from .npz import save_npz
from .options import AUTO, ReadOptions

__all__ = [
    "AUTO",
    "READERS",
    "WRITERS",
    "ReadOptions",
    "Reader",
    "Take",
    "amass",
    "amc",
    "bvh",
    "decisions",
    "detect",
    "find_files",
    "merge_short_runs",
    "msrc12",
    "npz",
    "ntu",
    "pku_mmd",
    "overrides_fps",
    "precog",
    "read",
    "save_npz",
    "sfinge",
    "survey_files",
    "utkinect",
]
