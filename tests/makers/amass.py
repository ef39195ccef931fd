"""Made AMASS files, and a made SMPL-H body with the right counts and order that smplx itself could load."""

from __future__ import annotations

import functools
import io
from pathlib import Path

import numpy as np

# Left half and middle of a standing T pose in metres, y up, facing +z: SMPL's 22 body joints; right mirrors left.
_BODY = {
    0: (0, -0.23, 0.03), 1: (0.07, -0.32, 0.02), 3: (0, -0.11, 0.0), 4: (0.1, -0.71, 0.02), 6: (0, 0.03, 0.03),
    7: (0.09, -1.11, -0.02), 9: (0, 0.08, 0.03), 10: (0.12, -1.17, 0.1), 12: (0, 0.29, -0.01), 13: (0.08, 0.19, 0),
    15: (0, 0.36, 0.04), 16: (0.17, 0.22, -0.01), 18: (0.43, 0.21, -0.04), 20: (0.68, 0.22, -0.04),
}  # fmt: skip
_LEFT = {1: 2, 4: 5, 7: 8, 10: 11, 13: 14, 16: 17, 18: 19, 20: 21}
PARENTS = (
    -1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19,
    *(parent for hand, base in ((20, 22), (21, 37)) for finger in range(5)
      for parent in (hand, base + 3 * finger, base + 3 * finger + 1)),
)  # fmt: skip
TIPS = (2746, 2319, 2445, 2556, 2673, 6191, 5782, 5905, 6016, 6133)
TIP_FINGERS = (4, 0, 1, 3, 2)
"""Which of SMPL-H's fingers (index, middle, little, ring, thumb) the tips (thumb, index, middle, ring, little) end."""
FACE_AND_FEET = {
    332: 15,
    6260: 15,
    2800: 15,
    4071: 15,
    583: 15,
    3216: 10,
    3226: 10,
    3387: 7,
    6617: 11,
    6624: 11,
    6787: 8,
}


def rest_pose() -> np.ndarray:
    """Joints (52, 3) of the made body at rest."""
    rest = np.zeros((52, 3))
    for joint, place in _BODY.items():
        rest[joint] = place
        if joint in _LEFT:
            rest[_LEFT[joint]] = rest[joint] * (-1, 1, 1)
    for finger in range(5):
        for link in range(3):
            reach = np.array((0.08 + 0.03 * link, -0.002 * finger, 0.05 - 0.02 * finger))
            rest[22 + 3 * finger + link] = rest[20] + reach
            rest[37 + 3 * finger + link] = rest[21] + reach * (-1, 1, 1)
    return rest


@functools.cache
def body_fields(seed: int = 0) -> dict[str, np.ndarray]:
    """Arrays of the made body: each joint has one vertex at its place, each tip follows the links of its finger."""
    rng = np.random.default_rng(seed)
    rest = rest_pose()
    template = np.zeros((6890, 3), np.float32)
    template[:52] = rest
    weights = np.zeros((6890, 52), np.float32)
    weights[:, 0] = 1
    weights[:52] = np.eye(52)
    for number, vertex in enumerate(TIPS):
        side, finger = divmod(number, 5)
        last = (22, 37)[side] + 3 * TIP_FINGERS[finger] + 2
        template[vertex] = rest[last] + (-0.02 if side else 0.02, 0, 0)
        weights[vertex] = 0
        weights[vertex, [last, last - 1, (20, 21)[side]]] = 0.7, 0.2, 0.1
    for vertex, joint in FACE_AND_FEET.items():
        template[vertex] = rest[joint] + rng.normal(scale=0.04, size=3)
        weights[vertex] = 0
        weights[vertex, joint] = 1
    regressor = np.zeros((52, 6890), np.float32)
    regressor[:, :52] = np.eye(52)
    posedirs = np.zeros((6890, 3, 459), np.float32)
    moved = [*TIPS, *FACE_AND_FEET]
    posedirs[moved] = rng.normal(scale=0.001, size=(len(moved), 3, 459))
    tree = np.stack((np.array(PARENTS, np.int64).astype(np.uint32), np.arange(52, dtype=np.uint32)))
    hands = {f"hands_{what}{side}": np.zeros(shape, np.float32)
             for what, shape in (("components", (45, 45)), ("mean", 45)) for side in "lr"}  # fmt: skip
    return {
        "v_template": template,
        "weights": weights,
        "J_regressor": regressor,
        "posedirs": posedirs,
        "kintree_table": tree,
        "shapedirs": np.zeros((6890, 3, 16), np.float32),
        "f": np.zeros((1, 3), np.int64),
        **hands,
    }


@functools.cache
def _packed(seed: int) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **body_fields(seed))
    return buffer.getvalue()


def write_body(folder: Path, place: str = "smplh/male/model.npz", seed: int = 0) -> Path:
    """Write the made body where the download has it, below `folder`; returns the file."""
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_packed(seed))
    return path


def random_poses(rng: np.random.Generator, frames: int, scale: float = 0.4) -> np.ndarray:
    """Poses (T, 156) that stand upright in AMASS's z-up world with every joint bent at random."""
    poses = rng.normal(scale=scale, size=(frames, 156))
    poses[:, :3] = (np.pi / 2, 0, 0)
    return poses


def write_amass(
    path: Path, poses: np.ndarray, fps: float = 120.0, trans: np.ndarray | None = None, rate: str = "mocap_framerate"
) -> Path:
    """Write an AMASS file of the first release; `rate` names the field of the frame rate."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = {
        "poses": poses,
        "trans": np.zeros((len(poses), 3)) if trans is None else trans,
        "betas": np.full(16, 0.5),
        "gender": np.array("female"),
        "dmpls": np.zeros((len(poses), 8)),
        rate: np.array(fps),
    }
    np.savez_compressed(path, **fields)
    return path
