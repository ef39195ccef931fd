"""The files of a BABEL sequence's motion: in AMASS, under the names of its releases, or CMU's own ASF/AMC."""

from __future__ import annotations

import math
import os
from pathlib import Path, PurePosixPath

from ...errors import InputError
from .babel_json import read_json

RATES_FILE = "featp_2_fps.json"
CMU = "CMU"

SAME_FOLDER = (
    ("BMLrub", "BioMotionLab_NTroje"),
    ("DFaust", "DFaust_67", "DFaust67"),
    ("HDM05", "MPI_HDM05", "MPIHDM05"),
    ("PosePrior", "MPI_Limits", "MPILimits"),
    ("Transitions", "Transitions_mocap", "Transitionsmocap"),
    ("MoSh", "MPI_mosh", "MPImosh"),
    ("TCDHands", "TCD_handMocap", "TCDhandMocap"),
    ("SSM", "SSM_synced", "SSMsynced"),
    ("EyesJapanDataset", "Eyes_Japan_Dataset", "EyesJapan"),
)
"""The names that a data set has in BABEL and in the releases of AMASS."""
_ENDINGS = ("_poses.npz", "_stageii.npz")


def amass_paths(motion: str) -> tuple[str, ...]:
    """Possible paths of a sequence below AMASS, likeliest first; `motion` is BABEL's feat_p.

    feat_p is SET/FOLDER/SUBJECT/NAME_poses.npz: an archive's name, then the path in it. Archives are unpacked side by
    side or each into a folder of its name; later releases have other names, endings, and no blanks in file names.
    """
    archive, *inside = PurePosixPath(motion).parts
    if len(inside) < 2:  # not a path in an archive: used unchanged
        archive, inside = "", list(PurePosixPath(motion).parts)
    folders = dict.fromkeys([*_names(inside[0]), *(_names(archive) if archive else ())])
    stems = dict.fromkeys(["/".join(inside[1:]), "/".join(inside[1:]).replace(" ", "_")])
    files = dict.fromkeys(
        stem.removesuffix(ending) + new_ending
        for new_ending in _ENDINGS
        for stem in stems
        for ending in _ENDINGS
        if stem.endswith(ending)
    ) or dict.fromkeys(stems)
    paths = [f"{folder}/{file}" for file in files for folder in folders]
    if archive:
        paths += [f"{archive}/{path}" for path in paths]
    return tuple(dict.fromkeys(paths))


def cmu_paths(motion: str) -> tuple[str, ...]:
    """Possible paths of a sequence below a folder of CMU's files: by subject, as in the archive, or flat."""
    file = PurePosixPath(motion)
    name = file.name.removesuffix(".npz").removesuffix("_poses").removesuffix("_stageii") + ".amc"
    subject = file.parent.name
    return (f"{subject}/{name}", f"subjects/{subject}/{name}", f"all_asfamc/subjects/{subject}/{name}", name)


def first_existing(root: Path, paths: tuple[str, ...]) -> Path | None:
    """The first of the paths below `root` that is a file, None without one."""
    prefix = f"{root}{os.sep}"  # hundreds of thousands are tried: as text, not as Path
    return next((root / path for path in paths if os.path.isfile(prefix + path)), None)


def read_rates(release: Path, raw: Path) -> dict[str, float]:
    """Frames per second by feat_p, from featp_2_fps.json in BABEL's folder; empty without it.

    Raises InputError for a rate that is no positive number.
    """
    path = first_existing(release, (RATES_FILE,)) or first_existing(raw, (RATES_FILE,))
    if path is None:
        return {}
    rates = read_json(path)
    for motion, rate in rates.items():
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not (math.isfinite(rate) and rate > 0):
            raise InputError(f"{path}: {motion!r} has rate {rate!r}, expected frames per second")
    return {motion: float(rate) for motion, rate in rates.items()}


def _names(folder: str) -> tuple[str, ...]:
    """All names of a folder, its own first."""
    synonyms = next((names for names in SAME_FOLDER if folder in names), ())
    return (folder, *(name for name in synonyms if name != folder))
