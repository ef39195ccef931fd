"""AMASS (Mahmood et al., ICCV 2019): motion capture as joint angles of the SMPL-H body, one .npz a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..arrays import Float64Array
from ..data.skeletons import NTU_25
from ..errors import InputError
from . import smplh
from .archive import Archive, archive_fields
from .base import READERS, FileMotion
from .options import ReadOptions

_RATES = ("mocap_framerate", "mocap_frame_rate")
"""The name of the rate in the first release and in later ones."""
_FIELDS = ("poses", "trans", "gender", *_RATES)
_SMPLX_POSES = 165
"""SMPL-X has a jaw and two eyes, 9 values, between body and hands."""

Y_UP = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=np.float64)
"""The rotation from AMASS's z up to y up."""


@dataclass(frozen=True, eq=False)
class AmassMotion:
    """A file's poses (T, 156), axis-angle in radians; translation (T, 3) in metres, z up; frames a second."""

    poses: Float64Array
    translation: Float64Array
    fps: float | None
    """None where the file states no rate."""
    gender: str
    notes: tuple[str, ...] = ()


def read_motion(path: Path) -> AmassMotion:
    """The motion of an AMASS file of either release: ``*_poses.npz`` of SMPL-H or ``*_stageii.npz`` of SMPL-X.

    Jaw and eyes of SMPL-X are dropped; body and hands have the same joints in both. Raises InputError, naming the file
    and the field, for anything else.
    """
    archive = Archive.load(path, _FIELDS)
    poses = archive.numbers("poses").astype(np.float64)
    notes: tuple[str, ...] = ()
    if poses.ndim == 2 and poses.shape[1] == _SMPLX_POSES:
        poses = np.concatenate((poses[:, :66], poses[:, 75:]), axis=1)
        notes = ("poses of SMPL-X, without jaw and eyes, on the body of SMPL-H",)
    if poses.ndim != 2 or poses.shape[1] != smplh.NUM_POSES or not len(poses):
        raise InputError(
            f"{path}: field 'poses' has shape {poses.shape}, expected (T, {smplh.NUM_POSES}) of SMPL-H or "
            f"(T, {_SMPLX_POSES}) of SMPL-X"
        )
    if not np.isfinite(poses).all():
        frame = int(np.argmin(np.isfinite(poses).all(axis=1)))
        raise InputError(f"{path}: frame {frame} of 'poses' holds a value that is not finite")
    translation = archive.numbers("trans").astype(np.float64) if "trans" in archive else np.zeros((len(poses), 3))
    if translation.shape != (len(poses), 3):
        raise InputError(f"{path}: field 'trans' has shape {translation.shape}, expected {(len(poses), 3)}")
    rate = next((archive.positive_number(name) for name in _RATES if name in archive), None)
    return AmassMotion(poses, translation, rate, _gender(archive), notes)


def joints(motion: AmassMotion, body: smplh.Body, points: tuple[int, ...], translation: bool) -> Float64Array:
    """Positions (T, 1, J, 3) in metres, z up, of `points` of the body; without translation the pelvis stays put."""
    positions = body.points(motion.poses)[:, points]
    return (positions + motion.translation[:, None] if translation else positions)[:, None]


@READERS.register("amass")
class AmassReader:
    """AMASS .npz with ``poses`` and mostly a rate: the 25 joints of NTU RGB+D on a male body of mean shape.

    The body is `ReadOptions.body_model`, else one beside the file or in a folder above (`smplh.body_near`). It is the
    same for every performer, so that only motion differs; betas and gender of the file are not used. Metres. AMASS is
    z up and is rotated to y up before `ReadOptions.up` applies.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".npz",)
    about: ClassVar[str] = "AMASS archive with poses of the SMPL-H or SMPL-X body"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """A zip archive that holds poses, and a rate of motion capture or a translation."""
        fields = archive_fields(path, head)
        return "poses" in fields and not fields.isdisjoint((*_RATES, "trans"))

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """Positions (T, 1, 25, 3) with translation."""
        motion = read_motion(path)
        file = smplh.body_near(path) if options.body_model is None else smplh.find_body(options.body_model)
        positions = joints(motion, smplh.load_body(file), smplh.NTU_POINTS, translation=True)
        return FileMotion(
            positions=positions @ Y_UP.T,
            skeleton=NTU_25,
            fps=motion.fps,
            fps_from="the file's rate of motion capture",
            unit_is_sure=True,
            up_is_sure=True,
            attributes={"gender": motion.gender} if motion.gender else {},
            history=(*motion.notes, f"joints of the SMPL-H body {file.name}, mean shape, turned from z up"),
        )


def _gender(archive: Archive) -> str:
    """The gender that the file states, as text or as bytes; empty where it does not."""
    array = archive.arrays.get("gender")
    if not isinstance(array, np.ndarray) or array.size != 1 or array.dtype.kind not in "US":
        return ""
    value = array.reshape(-1)[0]
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
