"""The corpora that studies name, prepared where they are not yet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from kinespan.errors import InputError

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
        "sfinge3d": ["--recipe", "sfinge3d", "--raw", str(data / "sfinge3d")],
        "hdm05": ["--recipe", "hdm05", "--raw", str(data / "hdm05")],
        # the first frame of each of these is a T-pose
        "cmu_iclone": [str(data / "cmu_bvh" / "iclone"), "--skip-frames", "1"],
        "cmu_indian": [str(data / "cmu_bvh" / "acrnn" / "indian")],
        "cmu_martial": [str(data / "cmu_bvh" / "acrnn" / "martial")],
        # their headers say 120, the motion is 60 frames a second
        "cmu_salsa": [str(data / "cmu_bvh" / "acrnn" / "salsa"), "--fps", "60"],
    }


def corpus_folder(name: str, out: Path) -> Path:
    """The folder of a corpus by name, prepared first where it does not exist. Raises InputError for an unknown name."""
    folder, arguments = out / "corpora" / name, prepare_arguments()
    if name not in arguments:
        raise InputError(
            f"corpus {name!r}: expected one of {', '.join(arguments)}; for your own motion give --corpus FOLDER"
        )
    if not folder.exists():
        words = [*arguments[name], "--out", str(folder)]
        subprocess.run([sys.executable, "-m", "kinespan.cli", "prepare", *words], check=True)
    return folder
