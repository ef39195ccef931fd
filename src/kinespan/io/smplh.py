"""The SMPL-H body: from joint angles to the positions of 73 points, 25 of which are the skeleton of NTU RGB+D.

Loper et al., "SMPL: A Skinned Multi-Person Linear Model" (SIGGRAPH Asia 2015), equations 2 to 10; Romero et al.,
"Embodied Hands" (SIGGRAPH Asia 2017), which adds the hands. The points are the 52 joints, then 21 vertices of the skin
in the order in which the ``smplx`` package gives them. Its code may be used under a licence agreement only, so it is
no dependency: the few points needed are computed here, as smplx 0.1.28 does (a test compares with its results).

The body itself, an .npz file, may not be passed on: see `WHERE_TO_GET_IT`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..arrays import AnyArray, Float64Array
from ..errors import InputError
from .archive import Archive

NUM_JOINTS = 52
NUM_POSES = 3 * NUM_JOINTS
"""Values of a pose, an axis-angle vector for each joint: 3 root, 63 body, 45 left hand, 45 right hand."""
NUM_VERTICES = 6890
VERTICES = (
    332, 6260, 2800, 4071, 583,  # nose, right and left eye, right and left ear
    3216, 3226, 3387, 6617, 6624, 6787,  # big toe, small toe, heel: left, then right
    2746, 2319, 2445, 2556, 2673, 6191, 5782, 5905, 6016, 6133,  # tips from thumb to little finger: left, then right
)  # fmt: skip
"""The vertices that are points 52 to 72."""

NTU_POINTS = (0, 3, 12, 15, 16, 18, 20, 22, 17, 19, 21, 37, 1, 4, 7, 10, 2, 5, 8, 11, 9, 64, 63, 69, 68)
"""The point of each joint of NTU RGB+D; a hand is the base of its index finger."""

WHERE_TO_GET_IT = (
    "kinespan hands out no body models. Register at https://mano.is.tue.mpg.de, download 'Extended SMPL+H model' "
    "(smplh.tar.xz), unpack it and give its folder or its file male/model.npz"
)
_BODY_FILES = ("male/model.npz", "smplh/male/model.npz", "SMPLH_MALE.npz", "smplh/SMPLH_MALE.npz")
_LEVELS_ABOVE = 5
"""Folders above a motion file in which its body is searched; AMASS has data set, subject, file."""


@dataclass(frozen=True, eq=False)
class Body:
    """A body of mean shape (all betas zero), reduced to its 73 points; metres, y up, facing +z."""

    rest: Float64Array
    """(52, 3) joints in the rest pose"""
    parents: tuple[int, ...]
    """52 joint indices, -1 for the root"""
    skin: Float64Array
    """(21, 3) vertices in the rest pose"""
    weights: Float64Array
    """(21, 52) weights of the joints on the vertices"""
    correctives: Float64Array
    """(21, 3, 459) pose blend shapes of the vertices"""

    def points(self, poses: Float64Array) -> Float64Array:
        """Points (T, 73, 3) of poses (T, 156), axis-angle in radians; the pelvis stays at rest."""
        local_rotations = rotations(poses.reshape(len(poses), NUM_JOINTS, 3))
        world_rotations = np.empty_like(local_rotations)
        joints = np.empty((len(poses), NUM_JOINTS, 3))
        for joint, parent in enumerate(self.parents):
            if parent < 0:
                world_rotations[:, joint], joints[:, joint] = local_rotations[:, joint], self.rest[joint]
                continue
            world_rotations[:, joint] = world_rotations[:, parent] @ local_rotations[:, joint]
            joints[:, joint] = joints[:, parent] + world_rotations[:, parent] @ (self.rest[joint] - self.rest[parent])
        pose_features = (local_rotations[:, 1:] - np.eye(3)).reshape(len(poses), -1)
        skin = self.skin + np.einsum("vcd,td->tvc", self.correctives, pose_features, optimize=True)
        # Linear blend skinning: a vertex is the weighted mean of where each of its joints moves it.
        blended_rotations = np.einsum("vj,tjab->tvab", self.weights, world_rotations, optimize=True)
        translations = joints - np.einsum("tjab,jb->tja", world_rotations, self.rest)
        vertices_posed = (blended_rotations @ skin[..., None])[..., 0] + np.einsum(
            "vj,tja->tva", self.weights, translations, optimize=True
        )
        return np.concatenate((joints, vertices_posed), axis=1)


def rotations(vectors: Float64Array) -> Float64Array:
    """Rotations (..., 3, 3) by axis-angle vectors (..., 3) in radians (Rodrigues)."""
    angles = np.linalg.norm(vectors, axis=-1)[..., None, None]
    cross = np.zeros((*vectors.shape, 3))
    for axis in range(3):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        cross[..., second, first] = vectors[..., axis]
        cross[..., first, second] = -vectors[..., axis]
    # sin(a) / a and (1 - cos(a)) / a^2, both finite at 0
    linear, quadratic = np.sinc(angles / np.pi), np.sinc(angles / (2 * np.pi)) ** 2 / 2
    return np.asarray(np.eye(3) + linear * cross + quadratic * (cross @ cross))


def find_body(*folders: Path) -> Path:
    """The file of the male body: the first of `folders` that is a file, or that contains it as the downloads do.

    Raises InputError where there is none, saying where to get it.
    """
    for folder in folders:
        file = folder if folder.is_file() else _in_folder(folder)
        if file is not None:
            return file
    searched = " or ".join(str(folder) for folder in folders)
    raise InputError(f"no body model in {searched}: expected one of {', '.join(_BODY_FILES)}. {WHERE_TO_GET_IT}")


def body_near(path: Path) -> Path:
    """The file of the male body beside a motion file or in a folder above it. Raises InputError where there is none."""
    parents = list(path.absolute().parents)[: _LEVELS_ABOVE + 1]
    file = next((file for folder in parents if (file := _in_folder(folder)) is not None), None)
    if file is None:
        raise InputError(
            f"{path}: its joint angles need an SMPL-H body, and none of {', '.join(_BODY_FILES)} lies beside the file "
            f"or in a folder above. Give it by --body-model. {WHERE_TO_GET_IT}"
        )
    return file


def _in_folder(folder: Path) -> Path | None:
    """The body below a folder, None without one."""
    return next((folder / name for name in _BODY_FILES if (folder / name).is_file()), None)


def load_body(path: Path) -> Body:
    """The body of a file, cached. Raises InputError naming what is wrong with the file."""
    try:
        state = path.stat()
    except OSError as error:
        raise InputError(f"body model {path}: cannot be read: {error.strerror or error}. {WHERE_TO_GET_IT}") from None
    return _load(path, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=2)
def _load(path: Path, changed: int, size: int) -> Body:
    """The body of the file in this state: a changed file is read anew."""
    if path.suffix.lower() == ".pkl":
        raise InputError(
            f"body model {path}: loading a file of this kind can run any program, so kinespan never does. "
            f"The same body is to be had as .npz: {WHERE_TO_GET_IT}"
        )
    shapes = {
        "v_template": (NUM_VERTICES, 3),
        "J_regressor": (NUM_JOINTS, NUM_VERTICES),
        "kintree_table": (2, NUM_JOINTS),
        "weights": (NUM_VERTICES, NUM_JOINTS),
        "posedirs": (NUM_VERTICES, 3, 9 * (NUM_JOINTS - 1)),
    }
    data = Archive.load(path, shapes).arrays
    for name, shape in shapes.items():
        _check(path, data, name, shape)
    vertices = list(VERTICES)
    parents = data["kintree_table"][0].astype(np.int64)
    parents[0] = -1  # stored as the largest number of its kind
    if any(not 0 <= parent < joint for joint, parent in enumerate(parents[1:].tolist(), start=1)):
        raise InputError(f"body model {path}: kintree_table names a parent that does not come before its child")
    template = data["v_template"].astype(np.float64)
    return Body(
        rest=data["J_regressor"].astype(np.float64) @ template,
        parents=tuple(parents.tolist()),
        skin=template[vertices],
        weights=data["weights"][vertices].astype(np.float64),
        correctives=data["posedirs"][vertices].astype(np.float64),
    )


def _check(path: Path, data: Mapping[str, AnyArray], name: str, shape: tuple[int, ...]) -> None:
    """Check a field. Raises InputError for anything but an SMPL-H body, such as SMPL, SMPL-X or MANO."""
    if name not in data:
        raise InputError(
            f"body model {path}: field {name!r} is missing; available: {', '.join(sorted(data)) or 'nothing known'}. "
            f"{WHERE_TO_GET_IT}"
        )
    if data[name].shape != shape or data[name].dtype.kind not in "fiu":
        raise InputError(
            f"body model {path}: field {name!r} holds {data[name].dtype} of shape {data[name].shape}, expected numbers "
            f"of shape {shape}: is it the SMPL-H body (52 joints), not SMPL, SMPL-X or MANO? {WHERE_TO_GET_IT}"
        )
