"""Reading and writing motion files: one reader a format, recognised by content; the result is in metres, y up, float32.

take = read("walk.bvh")
take.recording, take.annotation
write(take.recording, "walk.csv")
"""

from __future__ import annotations

from . import (  # registers readers and writers
    amass,
    amc,
    bvh,
    bvh_writer,
    c3d,
    c3d_writer,
    csv_motion,
    deeplabcut,
    motion_bids,
    motive,
    msrc12,
    mvnx,
    npy,
    npz,
    ntu,
    parquet,
    pku_mmd,
    pose_json,
    precog,
    qualisys,
    sfinge,
    sleap,
    table_writer,
    trc,
    trc_writer,
    utkinect,
)
from .base import DECIDED, READERS, WRITERS, MotionWriter, Reader, Take
from .files import detect, find_files, is_recording_folder, overrides_fps, read, survey_files
from .finish import decisions, merge_short_runs
from .npz import save_npz
from .options import AUTO, ReadOptions
from .writing import Written, write, writer_of

__all__ = [
    "AUTO",
    "DECIDED",
    "READERS",
    "WRITERS",
    "MotionWriter",
    "ReadOptions",
    "Reader",
    "Take",
    "Written",
    "amass",
    "amc",
    "bvh",
    "bvh_writer",
    "c3d",
    "c3d_writer",
    "csv_motion",
    "decisions",
    "deeplabcut",
    "detect",
    "find_files",
    "is_recording_folder",
    "merge_short_runs",
    "motion_bids",
    "motive",
    "msrc12",
    "mvnx",
    "npy",
    "npz",
    "ntu",
    "parquet",
    "pku_mmd",
    "pose_json",
    "overrides_fps",
    "precog",
    "qualisys",
    "read",
    "save_npz",
    "sfinge",
    "sleap",
    "survey_files",
    "table_writer",
    "trc",
    "trc_writer",
    "utkinect",
    "write",
    "writer_of",
]
