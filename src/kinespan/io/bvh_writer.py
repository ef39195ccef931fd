"""Write BVH: joint angles over bones of one length, fitted to positions.

Each bone has the median of its lengths. From the root outwards, a joint is turned so that its children come nearest to
where they were seen; with one child that is the least swing from its parent, without any twist. What was not seen keeps
the angles of the pose in which it was last seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..arrays import BoolArray, Float64Array, IntArray
from ..data.annotation import Annotation
from ..data.recording import Recording
from ..data.skeleton import Skeleton
from ..files import write_atomically
from .base import WRITERS, MotionWriter
from .bvh import Node, forward_kinematics
from .rotations import fitted, zxy_angles

_UNITS_PER_METRE = 100.0
"""BVH states no unit; centimetres are what most programs expect."""
_ROUNDS = 3
"""Of averaging the way in which the children of a joint lie around it."""
_ADDED_ROOT = "root"


@dataclass(frozen=True, eq=False)
class BvhFit:
    """Joint angles of a recording of one person, in centimetres."""

    nodes: tuple[Node, ...]
    """The joints in the order of the file, children after their parents, and an end site for each that has no child."""
    values: Float64Array
    """(T, C) the numbers of each frame."""
    errors: Float64Array
    """(T, J) metres from where each joint was seen to where the angles put it; NaN where it was not seen."""
    has_added_root: bool
    """Whether a joint was added that joints without a parent hang on."""


def write_bvh(recording: Recording, path: Path, annotation: Annotation | None = None) -> tuple[str, ...]:
    """Write one person as BVH, in centimetres; returns notes of what the format does not hold."""
    fit = fit_angles(recording)
    rows = [" ".join(map("{:.6f}".format, row)) for row in fit.values.tolist()]
    head = [*_hierarchy(fit.nodes), "MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / recording.fps:.10f}"]
    write_atomically(path, "\n".join([*head, *rows]) + "\n")
    return tuple(_notes(recording, annotation, fit))


WRITERS.register("bvh")(MotionWriter("joint angles over bones of one length, one person a file", write_bvh))


def fit_angles(recording: Recording) -> BvhFit:
    """The joint angles of the first person that was seen. The recording has an even rate."""
    person = recording.people[0]
    valid = recording.valid[:, person]
    positions = np.where(valid[..., None], recording.positions[:, person], np.nan) * _UNITS_PER_METRE
    skeleton = recording.skeleton
    rest = _rest_offsets(skeleton, positions)
    rotations, roots = _fitted_pose(skeleton, positions, rest)
    nodes, joints, has_added_root = _nodes(skeleton, rest)
    values = _channel_values(nodes, joints, rotations, roots)
    # What a reader makes of the file, its digits included.
    placed = forward_kinematics(list(nodes), np.round(values, 6))
    errors = np.full(valid.shape, np.nan)
    for node, joint in enumerate(joints):
        if joint >= 0:
            errors[:, joint] = np.linalg.norm(placed[:, node] - positions[:, joint], axis=1) / _UNITS_PER_METRE
    return BvhFit(nodes, values, errors, has_added_root)


def _notes(recording: Recording, annotation: Annotation | None, fit: BvhFit) -> list[str]:
    """What the file does not hold as it was."""
    skeleton = recording.skeleton
    errors, seen = 1000 * fit.errors, recording.valid[:, recording.people[0]]
    has_chain = seen.copy()  # (T, J) whether a joint and all above it were seen
    for joint in skeleton.order:
        if skeleton.parents[joint] >= 0:
            has_chain[:, joint] &= has_chain[:, skeleton.parents[joint]]
    whole = np.where(has_chain, errors, -1.0)
    worst = int(whole.max(axis=0).argmax())
    largest, median = max(0.0, whole.max()), np.nanmedian(errors)
    notes = [
        f"BVH has bones of one length (joints are up to {largest:.3g} mm from where they were seen, the "
        f"{skeleton.joints[worst]}; half of them under {median:.2g} mm)"
    ]
    if not seen.all():
        never = [name for name, any_seen in zip(skeleton.joints, np.any(seen, axis=0), strict=True) if not any_seen]
        without = f"; never seen, put at their parents: {', '.join(never)}" if never else ""
        below = np.nanmax(np.where(has_chain, np.nan, errors)) if (seen & ~has_chain).any() else 0.0
        off = f", those below them up to {below:.3g} mm off" if below else ""
        share = f"{100 * (1 - seen.mean()):.3g} %{off}{without}"
        notes.append(f"BVH has no gaps: joints that were not seen keep their last angles ({share})")
    if fit.has_added_root:
        count = sum(parent < 0 for parent in skeleton.parents)
        notes.append(f"BVH has one root: {count} joints without a parent hang on an added one, {fit.nodes[0].name!r}")
    if any(name.split() != [name] for name in skeleton.joints):
        notes.append("BVH has no blanks in names: they are written as _")
    if annotation is not None:
        notes.append("BVH holds no labels: they are left out")
    return notes


def _rest_offsets(skeleton: Skeleton, positions: Float64Array) -> Float64Array:
    """(J, 3) from parent to joint in the rest pose: how children lie around their joint, bones of median length."""
    offsets = np.zeros((skeleton.num_joints, 3))
    seen = ~np.isnan(positions[..., 0])
    whole = int(np.argmax(seen.sum(axis=1)))
    for parent, children in _children(skeleton).items():
        vectors = positions[:, children] - positions[:, [parent]]  # (T, K, 3)
        shape = _common_shape(vectors, whole)
        lengths = np.array([_median(np.linalg.norm(vectors[:, child], axis=1)) for child in range(len(children))])
        norms = np.linalg.norm(shape, axis=1)
        offsets[children] = shape * (lengths / np.where(norms > 0, norms, 1))[:, None]
    return offsets


def _median(lengths: Float64Array) -> float:
    """The median of what is known; 0 of nothing."""
    known = lengths[np.isfinite(lengths)]
    return float(np.median(known)) if len(known) else 0.0


def _common_shape(vectors: Float64Array, whole: int) -> Float64Array:
    """How the vectors of the frames (T, K, 3), NaN where unknown, lie to each other (K, 3), up to a rotation.

    It starts from a frame in which most are known, `whole` where that is as good as another.
    """
    known = ~np.isnan(vectors[..., 0])
    counts = known.sum(axis=1)
    first = whole if counts[whole] == counts.max() else int(np.argmax(counts))
    shape: Float64Array = np.nan_to_num(vectors[first])
    has_shape = known[first].copy()
    identity = np.broadcast_to(np.eye(3), (len(vectors), 3, 3))
    for _ in range(_ROUNDS if vectors.shape[1] > 1 else 0):
        usable = (known & has_shape).sum(axis=1) >= min(2, has_shape.sum())
        back = fitted(shape, np.where((known & has_shape)[..., None], vectors, 0), identity)
        turned = np.einsum("tji,tkj->tki", back[usable], vectors[usable])  # into the frame of the shape
        sums, numbers = np.nansum(turned, axis=0), known[usable].sum(axis=0)
        shape = np.where(numbers[:, None] > 0, sums / np.maximum(numbers, 1)[:, None], shape)
        has_shape |= numbers > 0
    for child in np.flatnonzero(~has_shape & known.any(axis=0)):
        shape[child] = vectors[int(np.argmax(known[:, child])), child]
    return shape


def _fitted_pose(
    skeleton: Skeleton, positions: Float64Array, rest: Float64Array
) -> tuple[Float64Array, dict[int, Float64Array]]:
    """Rotations of each joint to its parent (T, J, 3, 3), and the positions (T, 3) of joints without a parent."""
    frames, joints = positions.shape[:2]
    world = np.broadcast_to(np.eye(3), (frames, joints, 3, 3)).copy()
    local, placed, roots = world.copy(), np.zeros_like(positions), {}
    children = _children(skeleton)
    for joint in skeleton.order:
        parent = skeleton.parents[joint]
        if parent < 0:
            seen = ~np.isnan(positions[:, joint, 0])
            roots[joint] = placed[:, joint] = np.nan_to_num(positions[_last_seen(seen), joint])
            above = np.broadcast_to(np.eye(3), (frames, 3, 3))
        else:
            placed[:, joint] = placed[:, parent] + world[:, parent] @ rest[joint]
            above = world[:, parent]
        below = [child for child in children.get(joint, ()) if rest[child].any()]
        if below:
            directions = positions[:, below] - placed[:, [joint]]
            local[:, joint] = _local_rotations(rest[below], directions, above)
        world[:, joint] = above @ local[:, joint]
    return local, roots


def _local_rotations(offsets: Float64Array, directions: Float64Array, above: Float64Array) -> Float64Array:
    """Rotations (T, 3, 3), relative to the parent's `above`, that bring offsets (K, 3) nearest to directions (T, K, 3).

    Where not all of the K were seen, what is left open is as it last was; where none was, everything.
    """
    seen = ~np.isnan(directions[..., 0])
    targets = np.nan_to_num(directions)
    to_parent = np.swapaxes(above, 1, 2)
    local = to_parent @ fitted(offsets, targets, above)
    is_whole: BoolArray = np.all(seen, axis=1)
    if is_whole.all():
        return local
    held = local[_last_seen(is_whole)] if is_whole.any() else np.broadcast_to(np.eye(3), local.shape)
    partly = to_parent @ fitted(offsets, targets, above @ held)
    result: Float64Array = np.where(is_whole[:, None, None], local, partly)
    if is_whole.any():
        return result
    return result[_last_seen(np.any(seen, axis=1))]


def _last_seen(seen: BoolArray) -> IntArray:
    """(T,) the frame at or before each in which something was seen; before the first, the first."""
    frames = np.where(seen, np.arange(len(seen)), -1)
    last = np.maximum.accumulate(frames)
    return np.where(last < 0, int(np.argmax(seen)), last)


def _children(skeleton: Skeleton) -> dict[int, list[int]]:
    """The children of each joint that has some."""
    children: dict[int, list[int]] = {}
    for joint, parent in skeleton.bones:
        children.setdefault(parent, []).append(joint)
    return children


def _nodes(skeleton: Skeleton, rest: Float64Array) -> tuple[tuple[Node, ...], list[int], bool]:
    """The nodes in the order of the file, the joint of each (-1 for none), and whether a root was added."""
    children = _children(skeleton)
    roots = [joint for joint, parent in enumerate(skeleton.parents) if parent < 0]
    names = _file_names(skeleton.joints)
    nodes: list[Node] = []
    joints: list[int] = []
    channels = 0

    def add(name: str, parent: int, joint: int, has_position: bool, is_end: bool = False) -> int:
        nonlocal channels
        words = () if is_end else ("Zrotation", "Xrotation", "Yrotation")
        words = ("Xposition", "Yposition", "Zposition", *words) if has_position else words
        offset = rest[joint] if joint >= 0 and not has_position else np.zeros(3)
        nodes.append(Node(name, parent, is_end, offset, True, tuple(word.lower() for word in words), channels))
        joints.append(joint)
        channels += len(words)
        return len(nodes) - 1

    stack = [(joint, -1) for joint in reversed(roots)]
    if len(roots) > 1:
        add(_free_name(names), -1, -1, has_position=True)
        stack = [(joint, 0) for joint in reversed(roots)]
    while stack:
        joint, parent = stack.pop()
        node = add(names[joint], parent, joint, has_position=skeleton.parents[joint] < 0)
        below = children.get(joint, [])
        stack += [(child, node) for child in reversed(below)]
        if not below:
            add("", node, -1, has_position=False, is_end=True)
    return tuple(nodes), joints, len(roots) > 1


def _file_names(joints: tuple[str, ...]) -> list[str]:
    """Names without blanks, all different."""
    names: list[str] = []
    for joint in joints:
        name = "_".join(joint.split()) or "joint"
        while name in names:
            name += "_"
        names.append(name)
    return names


def _free_name(names: list[str]) -> str:
    """A name for the added root that no joint has."""
    name = _ADDED_ROOT
    while name in names:
        name += "_"
    return name


def _channel_values(
    nodes: tuple[Node, ...], joints: list[int], rotations: Float64Array, roots: dict[int, Float64Array]
) -> Float64Array:
    """The numbers (T, C) of each frame: centimetres and degrees, angles without jumps of a full turn."""
    columns = []
    for node, joint in zip(nodes, joints, strict=True):
        if not node.channels:
            continue
        if len(node.channels) > 3:
            columns.append(roots[joint] if joint >= 0 else np.zeros((len(rotations), 3)))
        angles = zxy_angles(rotations[:, joint]) if joint >= 0 else np.zeros((len(rotations), 3))
        columns.append(np.rad2deg(np.unwrap(angles, axis=0)))
    values: Float64Array = np.concatenate(columns, axis=1)
    return values + 0.0  # no minus before a zero


def _hierarchy(nodes: tuple[Node, ...]) -> list[str]:
    """The lines of the joint tree."""
    lines = ["HIERARCHY"]
    depths: list[int] = []
    for number, node in enumerate(nodes):
        depth = depths[node.parent] + 1 if node.parent >= 0 else 0
        if number:
            lines += ["  " * level + "}" for level in range(depths[-1], depth - 1, -1)]
        depths.append(depth)
        pad = "  " * depth
        kind = "End Site" if node.end else f"{'JOINT' if depth else 'ROOT'} {node.name}"
        lines += [pad + kind, pad + "{", pad + "  OFFSET " + " ".join(map("{:.6f}".format, node.offset + 0.0))]
        if node.channels:
            words = " ".join(word.capitalize() for word in node.channels)
            lines.append(f"{pad}  CHANNELS {len(node.channels)} {words}")
    return lines + ["  " * level + "}" for level in range(depths[-1], -1, -1)]
