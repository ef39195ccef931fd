"""JSON of pose estimators in 3-D (Panoptic Studio, OpenPose, MMPose, COCO): a file, or a folder of one a frame."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..arrays import Float64Array
from ..errors import InputError
from .base import DECIDED, READERS, FileMotion
from .free_points import Points, points_motion
from .options import ReadOptions
from .pose_json_kinds import Frame, PoseFile, read_document
from .table_rows import followed, rows_of_frames

_SIGNS = (
    (b'"bodies"', b'"joints'), (b'"bodies"', b'"fpsType"'), (b'"people"', b'keypoints'), (b'"people"', b'"version"'),
    (b'"instances"', b'"keypoint'), (b'"keypoints"', b'"keypoint_scores"'), (b'"keypoints', b'"category_id"'),
    (b'"instance_info"', b""), (b'"keypoints', b'"image_id"'), (b'"keypoints', b'"categories"'),
)  # fmt: skip
_COCO_SIGNS = (b'"images"', b'"categories"', b'"annotations"')
_KEYPOINTS = b'"keypoints'


@READERS.register("pose-json")
class PoseJsonReader:
    """JSON of a pose estimator: Panoptic (``bodies``), OpenPose (``people``), MMPose (``instances``), COCO.

    A folder of such files, one for each frame, is one recording; the last number in their names is that of the frame,
    and missing ones are frames in which nobody is seen. People are told by ``id`` or ``track_id``, else each is
    followed by nearness. Keypoints of two coordinates are refused. Panoptic is in centimetres, y down, its rate is in
    ``fpsType``; the others do not say.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    about: ClassVar[str] = "3-D poses of Panoptic, OpenPose, MMPose or COCO, also a folder of one file a frame"
    reads_folders: ClassVar[bool] = True

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """Keys of one of the layouts; of a folder, in the first of its JSON files."""
        if path.is_dir():
            first = next(iter(_json_files(path)), None)
            if first is None or not re.search(r"\d", first.stem):
                return False
            try:
                with first.open("rb") as file:
                    return PoseJsonReader.sniff(first, file.read(4096))
            except OSError:
                return False
        if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"[")):
            return False
        if any(first in head and second in head for first, second in _SIGNS):
            return True
        return any(sign in head for sign in _COCO_SIGNS) and _has_keypoints(path)

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """The points of all people."""
        if path.is_dir():
            whole = _of_folder(path)
        else:
            whole = read_document(path, _load(path))
        return points_motion(path, _points(path, whole), options)


def _json_files(folder: Path) -> list[Path]:
    """The JSON files of a folder, by the last number in their names, then by name; hidden ones are left out."""
    try:
        files = [file for file in folder.iterdir() if file.suffix.lower() == ".json" and not file.name.startswith(".")]
    except OSError:
        return []
    return sorted(files, key=lambda file: (_number(file), file.name))


def _number(file: Path) -> int:
    """The last number in the name of a file; -1 without."""
    numbers = re.findall(r"\d{1,15}", file.stem)
    return int(numbers[-1]) if numbers else -1


def _has_keypoints(path: Path) -> bool:
    """Whether a large file has keypoints further on."""
    rest = b""
    try:
        with path.open("rb") as file:
            while chunk := file.read(2**20):
                if _KEYPOINTS in rest + chunk:
                    return True
                rest = chunk[-len(_KEYPOINTS) :]
    except OSError:
        pass
    return False


def _load(path: Path) -> Any:
    """The document. Raises InputError, naming the line, for what is no JSON."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not data.strip():
        raise InputError(f"{path}: the file is empty")
    try:
        return json.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: no whole JSON: {error.msg}; is the file cut off?") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: no JSON text: {str(error)[:80]}") from None


def _of_folder(folder: Path) -> PoseFile:
    """The frames of a folder. Raises InputError where files are of several videos, or have a number twice."""
    files = _json_files(folder)
    if not files:
        raise InputError(f"{folder}: the folder holds no JSON file")
    beginnings = {re.sub(r"\d+(?=\D*$)", "#", file.stem) for file in files}
    if len(beginnings) > 1:
        shown = ", ".join(sorted(beginnings)[:3])
        raise InputError(f"{folder}: files of {len(beginnings)} videos ({shown}); put each into a folder of its own")
    parts = [read_document(file, _load(file)) for file in files]
    frames = []
    for file, part in zip(files, parts, strict=True):
        if len(part.frames) > 1:
            raise InputError(
                f"{file}: holds {len(part.frames)} frames, expected one in each file of a folder; give it alone"
            )
        bodies = part.frames[0].bodies if part.frames else ()
        frames.append(Frame(_number(file), bodies))
    numbers = [frame.number for frame in frames]
    if len(set(numbers)) < len(numbers):
        raise InputError(
            f"{folder}: two files have the same number, {next(n for n in numbers if numbers.count(n) > 1)}"
        )
    first = next((part for part in parts if any(frame.bodies for frame in part.frames)), parts[0])
    return replace(first, frames=tuple(frames))


def _points(path: Path, whole: PoseFile) -> Points:
    """The points of frames with bodies. Raises InputError without a body, and for bodies of several kinds."""
    bodies = [(index, body) for index, frame in enumerate(whole.frames) for body in frame.bodies]
    if not bodies:
        raise InputError(f"{path}: no body in any of {len(whole.frames)} frames")
    sizes = {len(body.points) for _, body in bodies}
    if len(sizes) > 1:
        raise InputError(
            f"{path}: bodies of {' and '.join(map(str, sorted(sizes)))} points, expected one number of them"
        )
    count = sizes.pop()
    joints = whole.joints if len(whole.joints) == count else tuple(str(joint) for joint in range(count))
    numbers = [frame.number for frame in whole.frames]
    known = [number for number in numbers if number is not None]
    if len(known) == len(numbers) and len(set(known)) == len(known):
        rows = rows_of_frames(np.array(known, dtype=np.int64), None)
        frames, num_frames, notes = rows.frames, rows.num_frames, list(rows.notes)
    else:
        frames, num_frames, notes = np.arange(len(numbers)), len(numbers), []
    order = sorted(range(len(bodies)), key=lambda row: int(frames[bodies[row][0]]))
    bodies = [bodies[row] for row in order]
    of_frame = np.array([frames[index] for index, _ in bodies], dtype=np.int64)
    values = np.stack([body.points for _, body in bodies])
    sure = [body.confidence for _, body in bodies]
    ids = [body.person for _, body in bodies]
    distinct = {(frame, person) for frame, person in zip(of_frame.tolist(), ids, strict=True)}
    if None not in ids and len(distinct) == len(ids):
        names = tuple(dict.fromkeys(str(person) for person in ids))
        people = np.array([names.index(str(person)) for person in ids])
    else:
        people = followed(of_frame, _places(values))
        names = tuple(str(person) for person in range(int(people.max()) + 1))
        if len(names) > 1:
            notes.append(f"{DECIDED}{len(names)} people without ids: each is followed by nearness")
    positions = np.full((num_frames, len(names), count, 3), np.nan)
    positions[of_frame, people] = values
    confidence = None
    if all(of_body is not None for of_body in sure):
        confidence = np.zeros(positions.shape[:3])
        confidence[of_frame, people] = np.stack(sure)  # type: ignore[arg-type]
    return Points(
        positions=positions,
        joints=joints,
        confidence=confidence,
        fps=whole.fps,
        fps_from=whole.fps_from,
        unit=whole.unit,
        up=whole.up,
        notes=(*whole.notes, *notes),
        attributes={"people": ", ".join(names)} if len(names) > 1 else {},
    )


def _places(values: Float64Array) -> Float64Array:
    """The middle (N, 3) of bodies (N, J, 3), of the points that are not at zero."""
    is_seen = np.isfinite(values).all(axis=2) & (values != 0).any(axis=2)
    total = np.where(is_seen[..., None], values, 0).sum(axis=1)
    counts = is_seen.sum(axis=1)[:, None]
    return np.asarray(np.where(counts > 0, total / np.maximum(counts, 1), np.nan))
