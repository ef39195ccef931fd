"""Files of points, made: tables, arrays, HDF5 and JSON of somebody who walks."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np

from kinespan.io import ReadOptions
from kinespan.io.joint_orders import KINECT_2, MEDIAPIPE, PANOPTIC_19

from . import person

NAMES = {
    "left_shoulder": "LeftArm", "left_elbow": "LeftForeArm", "left_wrist": "LeftHand", "left_hip": "LeftUpLeg",
    "left_knee": "LeftLeg", "left_ankle": "LeftFoot", "right_shoulder": "RightArm", "right_elbow": "RightForeArm",
    "right_wrist": "RightHand", "right_hip": "RightUpLeg", "right_knee": "RightLeg", "right_ankle": "RightFoot",
    "head": "Head", "pelvis": "Hips",
}  # fmt: skip
JOINTS = tuple(NAMES)
FPS = 50.0


def walking(frames: int = 4) -> np.ndarray:
    """Positions (T, 14, 3) of `JOINTS`, metres, y up."""
    return person.standing(frames)[:, [person.JOINTS.index(name) for name in NAMES.values()]]


def as_joints(names: tuple[str, ...], frames: int = 4) -> np.ndarray:
    """Positions (T, J, 3) of points by names such as ShoulderLeft, lHip or left_heel; others lie about the hips."""
    walk, rng = walking(frames), np.random.default_rng(3)
    positions = walk[:, [-1]] + rng.normal(scale=0.2, size=(1, len(names), 3))
    for index, name in enumerate(names):
        word = name if name.isupper() else re.sub(r"^[lL](?=[A-Z][a-z])", "left", name)
        word = word if name.isupper() else re.sub(r"^[rR](?=[A-Z][a-z])", "right", word)
        word = word.lower().replace("_", "")
        side = next((side for side in ("left", "right") if side in word), "")
        bare = word.replace("left", "").replace("right", "")
        part = f"{side}_{bare}" if f"{side}_{bare}" in JOINTS else None
        if part is not None:
            positions[:, index] = walk[:, JOINTS.index(part)]
        elif bare in ("head", "nose"):
            positions[:, index] = walk[:, JOINTS.index("head")]
    return positions


def write_rows(path: Path, header: list[str] | None, rows: list[list[object]], delimiter: str = ",") -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        if header is not None:
            writer.writerow(header)
        writer.writerows(rows)
    return path


def write_wide(path: Path, positions: np.ndarray, joints=JOINTS, pattern="{joint}_{axis}", fps: float = FPS) -> Path:
    """A row a frame, `time` in seconds first; NaN is written as nothing."""
    header = ["time", *(pattern.format(joint=joint, axis=axis) for joint in joints for axis in "xyz")]
    return write_rows(path, header, [[f"{frame / fps:.6f}", *_cells(row)] for frame, row in enumerate(positions)])


def _cells(values: np.ndarray) -> list[object]:
    return ["" if np.isnan(value) else f"{value:.6f}" for value in np.ravel(values)]


def write_long(path: Path, positions: np.ndarray, joints=JOINTS, index: str = "frame") -> Path:
    """A row a point; of (T, P, J, 3) with a column person."""
    several = positions.ndim == 4
    header = [index, *(["person"] if several else []), "joint", "x", "y", "z"]
    rows = []
    for frame, bodies in enumerate(positions if several else positions[:, None]):
        for number, body in enumerate(bodies):
            rows += [
                [frame, *([f"p{number}"] if several else []), joint, *_cells(point)]
                for joint, point in zip(joints, body, strict=True)
                if not np.isnan(point).any()
            ]
    return write_rows(path, header, rows)


def write_kinect(path: Path, positions: np.ndarray, ticks: np.ndarray, states: np.ndarray | None = None) -> Path:
    """No header: time in 100 ns, then x, y, z and a state of each joint, a comma at the end of the line."""
    states = np.full(positions.shape[:2], 2) if states is None else states
    rows = []
    for tick, body, state in zip(ticks.tolist(), positions, states, strict=True):
        blocks = [cell for point, s in zip(body, state, strict=True) for cell in (*_cells(point), int(s))]
        rows.append([tick, *blocks, ""])
    return write_rows(path, None, rows)


def write_csv(folder: Path) -> Path:
    return write_wide(folder / "walk.csv", walking())


def write_parquet(folder: Path) -> Path:
    import pyarrow
    from pyarrow import parquet

    walk = walking()
    columns = {f"{joint}_{axis}": walk[:, j, a] for j, joint in enumerate(JOINTS) for a, axis in enumerate("xyz")}
    table = pyarrow.table({"time": np.arange(len(walk)) / FPS, **columns})
    parquet.write_table(table, folder / "walk.parquet")
    return folder / "walk.parquet"


def write_npy(folder: Path) -> Path:
    np.save(folder / "walk.npy", as_joints(MEDIAPIPE))
    return folder / "walk.npy"


def write_sleap(folder: Path) -> Path:
    import h5py

    with h5py.File(folder / "walk.h5", "w") as file:
        file["tracks"] = walking()[:, None].transpose(1, 3, 2, 0)
        file["node_names"] = [name.encode() for name in JOINTS]
        file["track_names"] = [b"anna"]
    return folder / "walk.h5"


def write_deeplabcut(folder: Path) -> Path:
    """As pandas writes it without a table: values in a block, columns as levels and codes."""
    import h5py

    walk = walking()
    with h5py.File(folder / "walk_3D.h5", "w") as file:
        group = file.create_group("df_with_missing")
        group["block0_values"] = walk.reshape(len(walk), -1)
        group["axis1"] = np.arange(len(walk)) + 42150
        group["axis0"] = np.arange(3)
        for level, names in enumerate(([b"made"], [name.encode() for name in JOINTS], [b"x", b"y", b"z"])):
            group[f"block0_items_level{level}"] = names
        joint, axis = (values.ravel() for values in np.indices((len(JOINTS), 3)))
        for level, codes in enumerate((np.zeros_like(joint), joint, axis)):
            group[f"block0_items_label{level}"] = codes.astype(np.int8)
    return folder / "walk_3D.h5"


def panoptic_frame(bodies: dict[int, np.ndarray], missing: tuple[int, ...] = ()) -> dict[str, object]:
    """A frame of Panoptic Studio of bodies (19, 3) by id in metres, y up; `missing` joints are 0 0 0 and -1."""
    entries = []
    for number, body in bodies.items():
        values = []
        for joint, (x, y, z) in enumerate(body.tolist()):
            values += [0, 0, 0, -1] if joint in missing else [100 * x, -100 * y, -100 * z, 0.5]
        entries.append({"id": number, "joints19": values})
    return {"version": 0.7, "univTime": 1.0, "fpsType": "hd_29_97", "bodies": entries}


def write_pose_json(folder: Path) -> Path:
    """Four frames in one file, as MMPose has them."""
    walk = walking()
    frames = [
        {"frame_id": frame + 1, "instances": [{"keypoints": body.tolist(), "keypoint_scores": [0.9] * len(body)}]}
        for frame, body in enumerate(walk)
    ]
    names = {"keypoint_id2name": {str(index): name for index, name in enumerate(JOINTS)}}
    path = folder / "results_walk.json"
    path.write_text(json.dumps({"meta_info": names, "instance_info": frames}))
    return path


def write_panoptic_folder(folder: Path, frames: int = 3, skip: tuple[int, ...] = ()) -> Path:
    """A file a frame, of two people who stand apart."""
    folder.mkdir(exist_ok=True)
    body = as_joints(PANOPTIC_19, frames)
    for frame in range(frames):
        if frame in skip:
            continue
        bodies = {3: body[frame] + [1, 0, 0], 7: body[frame] - [1, 0, 0]}
        (folder / f"body3DScene_{168 + frame:08d}.json").write_text(json.dumps(panoptic_frame(bodies, (8,))))
    return folder


def kinect_walk(frames: int = 6) -> np.ndarray:
    """Positions (T, 25, 3) in the order of Kinect v2."""
    return as_joints(KINECT_2, frames)


FIXTURES = {
    "csv": write_csv, "deeplabcut": write_deeplabcut, "npy": write_npy, "parquet": write_parquet,
    "pose-json": write_pose_json, "sleap": write_sleap,
}  # fmt: skip
ASKED = {name: ReadOptions(fps=30.0) for name in ("deeplabcut", "npy", "pose-json", "sleap")}
"""What these files do not state."""
