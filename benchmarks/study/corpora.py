"""The corpora that studies name, prepared where they are not yet."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from kinespan.errors import InputError
from kinespan.prepare.synthetic.takes import SyntheticConfig

from ..results.store import ROOT


def motion_folder() -> Path:
    """The folder of the real motion."""
    return Path(os.environ.get("KINESPAN_DATA", ROOT.parent / "shared" / "data"))


def prepare_arguments() -> dict[str, list[str]]:
    """The arguments of `kinespan prepare` for each corpus that a study may name."""
    data = motion_folder()
    return {
        "precog": [str(data / "precog" / "csv")],
        "synthetic": ["synthetic"],
        "msrc12": ["--recipe", "msrc12", "--raw", str(data / "msrc12_a")],
        "mocap6": ["--recipe", "mocap6", "--raw", str(data / "mocap6")],
        "sfinge3d": ["--recipe", "sfinge3d", "--raw", str(data / "sfinge3d")],
        "hdm05": ["--recipe", "hdm05", "--raw", str(data / "hdm05")],
        # the first frame of each of these is a T-pose
        "cmu_iclone": [str(data / "cmu_bvh" / "iclone"), "--skip-frames", "1"],
        "cmu_indian": [str(data / "cmu_bvh" / "acrnn" / "indian")],
        "cmu_martial": [str(data / "cmu_bvh" / "acrnn" / "martial")],
        # their headers say 120, the motion is 60 frames a second
        "cmu_salsa": [str(data / "cmu_bvh" / "acrnn" / "salsa"), "--fps", "60"],
    }


def _joined_takes(folder: Path, out: Path) -> None:
    """The clips of HDM05 joined into takes."""
    from kinespan.corpus import Corpus

    from .joined_takes import join_clips

    join_clips(Corpus.open(corpus_folder("hdm05", out)), folder, "actor", "cross-actor")


def _hard_synthetic(folder: Path, out: Path) -> None:
    """The built-in corpus with twice the distractions and four times the noise and the gaps."""
    from kinespan.prepare.prepare import prepare_synthetic

    prepare_synthetic(folder, HARD, name=folder.name)


HARD = SyntheticConfig(noise=0.024, dropouts=8.0, distraction=0.8)
MADE: dict[str, Callable[[Path, Path], None]] = {"hdm05_takes": _joined_takes, "synthetic_hard": _hard_synthetic}
"""The corpora that are made here, by functions of the folder to write and that of all corpora."""


def corpus_folder(name: str, out: Path) -> Path:
    """The folder of a corpus by name, prepared first where it does not exist. Raises InputError for an unknown name."""
    folder, arguments = out / "corpora" / name, prepare_arguments()
    if name not in arguments and name not in MADE:
        known = ", ".join([*arguments, *MADE])
        raise InputError(f"corpus {name!r}: expected one of {known}; for your own motion give --corpus FOLDER")
    if not folder.exists():
        if name in MADE:
            MADE[name](folder, out)
        else:
            words = [*arguments[name], "--out", str(folder)]
            subprocess.run([sys.executable, "-m", "kinespan.cli", "prepare", *words], check=True)
    return folder
