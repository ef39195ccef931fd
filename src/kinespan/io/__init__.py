"""Reading motion files: one reader a format, recognised by content; the result is in metres, y up, float32.

take = read("walk.bvh")
take.recording, take.annotation
"""

from __future__ import annotations

from . import amass, amc, bvh, msrc12, npz, ntu, pku_mmd, precog, sfinge  # registers the readers
from .base import READERS, Reader, ReadOptions, Take, merge_short_runs
from .files import detect, find_files, read, survey_files
from .npz import save_npz

__all__ = [
    "READERS",
    "ReadOptions",
    "Reader",
    "Take",
    "amass",
    "amc",
    "bvh",
    "detect",
    "find_files",
    "merge_short_runs",
    "msrc12",
    "npz",
    "ntu",
    "pku_mmd",
    "precog",
    "read",
    "save_npz",
    "sfinge",
    "survey_files",
]
