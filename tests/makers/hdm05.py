"""Made HDM05 clips: Acclaim skeletons of two actors or more, and short AMC files under the data set's names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

BONES = {
    "lhipjoint": "root", "lfemur": "lhipjoint", "ltibia": "lfemur", "rhipjoint": "root", "rfemur": "rhipjoint",
    "rtibia": "rfemur", "thorax": "root", "head": "thorax", "lclavicle": "thorax", "lhumerus": "lclavicle",
    "lradius": "lhumerus", "rclavicle": "thorax", "rhumerus": "rclavicle", "rradius": "rhumerus",
}  # fmt: skip


def write_asf(folder: Path, actor: str) -> Path:
    """The skeleton of an actor."""
    bones = "".join(
        f"  begin\n    id {number}\n    name {name}\n    direction 1 0 0\n    length 2.5\n    axis 0 0 20 XYZ\n"
        f"    dof rx ry rz\n    limits (-180 180)\n           (-180 180)\n           (-180 180)\n  end\n"
        for number, name in enumerate(BONES, start=1)
    )
    tree = "".join(f"    {parent} {name}\n" for name, parent in BONES.items())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"HDM_{actor}.asf"
    path.write_text(
        f"# made\n:version 1.10\n:name HDM_{actor}\n:units\n  mass 1.0\n  length 0.45\n  angle deg\n"
        ":root\n  order TX TY TZ RX RY RZ\n  axis XYZ\n  position 0 0 0\n  orientation 0 0 0\n"
        f":bonedata\n{bones}:hierarchy\n  begin\n{tree}  end\n"
    )
    return path


def write_clip(folder: Path, name: str, frames: int = 12) -> Path:
    """A clip HDM_<actor>_<action>_<nnn>_120.amc, with motion that depends on its name."""
    rng = np.random.default_rng(sum(name.encode()))
    lines = ["#!made", ":FULLY-SPECIFIED", ":DEGREES"]
    for frame in range(1, frames + 1):
        lines += [str(frame), "root " + " ".join(f"{value:.4f}" for value in rng.normal(size=6))]
        lines += [f"{bone} " + " ".join(f"{value:.4f}" for value in rng.normal(size=3)) for bone in BONES]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.amc"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_hdm05(folder: Path, clips: Iterable[str]) -> None:
    """These clips, each in a folder of its action, and the skeletons of their actors in one of their own."""
    for name in clips:
        _, actor, action, *_ = name.split("_")
        write_asf(folder / "skeletons", actor)
        write_clip(folder / action, name)
