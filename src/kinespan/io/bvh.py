"""BVH (Biovision hierarchy): a joint tree with offsets, then Euler angles for each frame."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..arrays import Float64Array
from ..data.skeleton import Skeleton
from ..data.skeletons import skeleton_from_names
from ..errors import InputError
from .base import READERS, FileMotion, ReadOptions, floats, number_table, read_text, whole_number
from .rotations import chained

_CHANNELS = {f"{axis}{kind}".lower() for axis in "XYZ" for kind in ("position", "rotation")}
_MAX_CHANNELS = 6

UNITS = {"metres": 1.0, "inches": 0.0254, "CMU units": 0.0254 / 0.45, "centimetres": 0.01, "millimetres": 0.001}
"""Metres per unit, of the units that motion files use."""
_BODY_LENGTH = 1.5
"""Metres from an adult's ankle over knee, hip and spine to the head joint, roughly."""


@dataclass
class Node:
    """One joint of the file, or an end site (``end``): a point without channels."""

    name: str
    parent: int
    end: bool
    offset: Float64Array = field(default_factory=lambda: np.zeros(3))
    has_offset: bool = False
    channels: tuple[str, ...] = ()
    first_channel: int = 0


@READERS.register("bvh")
class BvhReader:
    """BVH: one tree, up to six channels a joint in any order.

    Rate: ``1 / Frame Time``, rounded to a whole number where the printed digits mean one (0.016667 is 60). Unit: BVH
    states none, so it is guessed: of metres, inches, CMU units (inches / 0.45), centimetres and millimetres the one
    that brings the body, from ankle along the bones to the head, nearest to 1.5 m. The guess is in the history.
    Position channels are added to a joint's OFFSET, unless they are nearer to the OFFSET than to zero: then they
    replace it. End sites are dropped, except below an ankle or wrist without a further joint: there they become the
    joint ``<parent>_end``, the body's foot or hand tip.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".bvh",)
    about: ClassVar[str] = "Biovision hierarchy, joint angles over a joint tree"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """The first word is HIERARCHY."""
        return head.removeprefix(b"\xef\xbb\xbf").split(maxsplit=1)[:1] in ([b"HIERARCHY"], [b"hierarchy"])

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """Positions (T, 1, J, 3) by forward kinematics."""
        lines = read_text(path).split("\n")
        nodes, line = _hierarchy(path, lines)
        frames, frame_time, line = _motion_header(path, lines, line)
        width = sum(len(node.channels) for node in nodes)
        values = _values(path, lines, line, frames, width)
        skeleton, node_indices = _skeleton(path, nodes)
        positions = forward_kinematics(nodes, values)[:, node_indices]
        fps, fps_from = _rate(path, frame_time, options)
        unit, unit_from = guess_unit(skeleton, positions[0]) if options.unit is None else (options.unit, "given")
        return FileMotion(positions[:, None], skeleton, fps, fps_from, unit, unit_from)


def _hierarchy(path: Path, lines: list[str]) -> tuple[list[Node], int]:
    """The nodes, parents first, and the number of the line that says MOTION (0-based)."""
    nodes: list[Node] = []
    stack: list[int] = []
    pending = -1  # the node whose '{' comes next
    has_header = False
    for number, text in enumerate(lines):
        words = text.split()
        if not words:
            continue
        key = words[0].upper()
        if key == "HIERARCHY" and not has_header:
            has_header = True
        elif not has_header:
            raise InputError(f"{path}:{number + 1}: found {text[:40]!r}, expected HIERARCHY at the start")
        elif key == "MOTION":
            _check_nodes(path, number, nodes, stack)
            return nodes, number
        elif key in ("ROOT", "JOINT", "END"):
            pending = _add_node(path, number, key, words, nodes, stack)
        elif key == "{":
            if pending < 0:
                raise InputError(f"{path}:{number + 1}: a '{{' without a ROOT, JOINT or End Site before it")
            stack.append(pending)
            pending = -1
        elif key == "}":
            if not stack:
                raise InputError(f"{path}:{number + 1}: a '}}' too many")
            stack.pop()
        elif key in ("OFFSET", "CHANNELS") and stack and pending < 0:
            _set(path, number, key, words, nodes, stack[-1])
        else:
            raise InputError(f"{path}:{number + 1}: did not expect {text.strip()[:40]!r} here")
    raise InputError(f"{path}:{len(lines)}: the file ends before the line MOTION; it is cut off")


def _add_node(path: Path, number: int, key: str, words: list[str], nodes: list[Node], stack: list[int]) -> int:
    parent = stack[-1] if stack else -1
    if (key == "ROOT") != (parent < 0) or (key == "ROOT" and nodes):
        raise InputError(f"{path}:{number + 1}: expected exactly one ROOT, with every other joint inside it")
    if key == "END":
        name = f"{nodes[parent].name}_end"
    elif len(words) < 2:
        raise InputError(f"{path}:{number + 1}: {words[0]} without a name")
    else:
        name = " ".join(words[1:])
    if any(node.name == name and not node.end for node in nodes) and key != "END":
        raise InputError(f"{path}:{number + 1}: two joints are named {name!r}")
    nodes.append(Node(name, parent, key == "END"))
    return len(nodes) - 1


def _set(path: Path, number: int, key: str, words: list[str], nodes: list[Node], joint: int) -> None:
    node = nodes[joint]
    if key == "OFFSET":
        values = floats(words[1:])
        if values is None or len(values) != 3:
            raise InputError(f"{path}:{number + 1}: OFFSET {' '.join(words[1:])[:40]!r}, expected three numbers")
        node.offset, node.has_offset = values, True
        return
    names = tuple(word.lower() for word in words[2:])
    if (
        node.end
        or words[1:2] != [str(len(names))]
        or len(names) > _MAX_CHANNELS
        or not set(names) <= _CHANNELS
        or len(set(names)) != len(names)
    ):
        raise InputError(
            f"{path}:{number + 1}: {' '.join(words)[:80]!r}, expected CHANNELS, a number, names such as Xrotation"
        )
    node.channels = names
    node.first_channel = sum(len(earlier.channels) for earlier in nodes[:joint])


def _check_nodes(path: Path, number: int, nodes: list[Node], stack: list[int]) -> None:
    if stack:
        raise InputError(f"{path}:{number + 1}: {len(stack)} '}}' are missing before MOTION")
    without = next((node.name for node in nodes if not node.has_offset), None)
    if without is not None:
        raise InputError(f"{path}:{number + 1}: joint {without!r} has no OFFSET")
    if not any(node.channels for node in nodes):
        raise InputError(f"{path}:{number + 1}: the hierarchy has no joint with channels")


def _motion_header(path: Path, lines: list[str], start: int) -> tuple[int, str, int]:
    """Number of frames, the frame time as written, and the index of the first line of values."""
    filled = [number for number in range(start + 1, min(start + 20, len(lines))) if lines[number].strip()][:2]
    heads = ("frames:", "frame time:")
    fields: list[str] = []
    for number, head in zip(filled, heads, strict=False):
        text = lines[number].strip()
        if not text.lower().startswith(head):
            raise InputError(f"{path}:{number + 1}: found {text[:40]!r}, expected '{head.capitalize()}'")
        fields.append(text[len(head) :].strip())
    if len(fields) < 2:
        raise InputError(f"{path}:{len(lines)}: the file ends before 'Frames:' and 'Frame Time:'; it is cut off")
    frames = whole_number(fields[0])
    if not frames:
        raise InputError(f"{path}:{filled[0] + 1}: Frames is {fields[0][:40]!r}, expected a positive whole number")
    if floats([fields[1]]) is None:
        raise InputError(f"{path}:{filled[1] + 1}: Frame Time is {fields[1][:40]!r}, expected seconds")
    return frames, fields[1], filled[1] + 1


def _values(path: Path, lines: list[str], start: int, frames: int, width: int) -> Float64Array:
    """Channel values (T, width), one line a frame."""
    rows = [(number, line) for number, line in enumerate(lines[start:], start=start + 1) if line.strip()]
    values = number_table(path, rows, width, ", one for each channel")
    if len(values) != frames:
        raise InputError(
            f"{path}:{len(lines)}: found {len(values)} frames, but 'Frames:' says {frames}; the file is cut off or the "
            "number is wrong"
        )
    return values


def forward_kinematics(nodes: list[Node], values: Float64Array) -> Float64Array:
    """Positions (T, N, 3) of all nodes from channel values (T, width), in the file's units.

    The world rotation of a joint is its parent's times its own, ``R = R_parent R_a R_b R_c`` with the channels a, b, c
    in the order of the file, in degrees; its position is its parent's plus its offset rotated by R_parent.
    """
    rotations = _local_rotations(nodes, values)
    positions = np.zeros((len(values), len(nodes), 3))
    world_rotations: list[Float64Array] = []
    for number, node in enumerate(nodes):
        offset = _local_position(node, values)  # (3,) or (T, 3)
        rotation = rotations.get(number, np.eye(3))  # (T, 3, 3) or (3, 3)
        if node.parent >= 0:
            parent_rotation = world_rotations[node.parent]
            offset = np.matmul(parent_rotation, offset[..., None])[..., 0] + positions[:, node.parent]
            rotation = parent_rotation @ rotation if number in rotations else parent_rotation
        positions[:, number] = offset
        world_rotations.append(rotation)
    return positions


def _local_rotations(nodes: list[Node], values: Float64Array) -> dict[int, Float64Array]:
    """Local rotation (T, 3, 3) of every node with rotation channels; nodes of one channel order are done together."""
    groups: dict[str, list[int]] = defaultdict(list)  # nodes by the order of their rotation axes
    columns: dict[int, list[int]] = {}  # of each node
    for number, node in enumerate(nodes):
        channels = [(name[0], node.first_channel + index) for index, name in enumerate(node.channels) if "rot" in name]
        if channels:
            groups["".join(axis for axis, _ in channels)].append(number)
            columns[number] = [column for _, column in channels]
    rotations: dict[int, Float64Array] = {}
    for axes, members in groups.items():
        angles = np.deg2rad(values[:, [columns[number] for number in members]])  # (T, members, axes)
        rotations.update(zip(members, chained(angles.transpose(1, 0, 2), axes), strict=True))
    return rotations


def _local_position(node: Node, values: Float64Array) -> Float64Array:
    """Position of the node relative to its parent: (3,), or (T, 3) where it has position channels."""
    position_channels = {
        "xyz".index(name[0]): node.first_channel + index for index, name in enumerate(node.channels) if "pos" in name
    }
    if not position_channels:
        return node.offset
    axes, columns = list(position_channels), list(position_channels.values())
    written, offset = values[:, columns], node.offset[axes]
    distance, distance_to_offset = (np.median(np.linalg.norm(written - point, axis=1)) for point in (0, offset))
    position = np.tile(node.offset, (len(values), 1))
    position[:, axes] = written if distance_to_offset < distance else written + offset
    return position


def _skeleton(path: Path, nodes: list[Node]) -> tuple[Skeleton, list[int]]:
    """The Skeleton and the indices of its nodes: all but end sites, except those that are a foot or a hand tip."""
    node_indices = [number for number, node in enumerate(nodes) if not node.end]
    try:
        skeleton = _named(nodes, node_indices)
        parts = skeleton.body_parts
        tips = {  # joints whose end site is a foot or a hand
            node_indices[parts.index(f"{side}_{inner}")]
            for side in ("left", "right")
            for inner, outer in (("ankle", "foot"), ("wrist", "hand"))
            if f"{side}_{inner}" in parts and f"{side}_{outer}" not in parts
        }
        ends = [index for index, node in enumerate(nodes) if node.end and node.parent in tips and np.any(node.offset)]
        if not ends:
            return skeleton, node_indices
        node_indices = sorted(node_indices + ends)
        return _named(nodes, node_indices), node_indices
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _named(nodes: list[Node], node_indices: list[int]) -> Skeleton:
    joint_of = {-1: -1} | {number: joint for joint, number in enumerate(node_indices)}
    names = [nodes[number].name for number in node_indices]
    parents = [joint_of[nodes[number].parent] for number in node_indices]
    return skeleton_from_names(f"bvh{len(names)}", names, parents)


def _rate(path: Path, frame_time: str, options: ReadOptions) -> tuple[float | None, str]:
    seconds = float(frame_time)
    if not 1e-4 <= seconds <= 1e4:
        if options.fps is None:
            raise InputError(
                f"{path}: Frame Time is {frame_time}, expected seconds; give the rate, for example ReadOptions(fps=60)"
            )
        return None, ""
    return rate_of(frame_time), f"Frame Time {frame_time}"


def rate_of(frame_time: str) -> float:
    """Frames a second from a printed frame time (> 0): the whole rate that rounds to those digits, else 1 / it."""
    seconds = float(frame_time)
    mantissa, _, exponent = frame_time.lower().partition("e")
    digits = len(mantissa.partition(".")[2]) - int(exponent or 0)
    whole = round(1 / seconds)
    if whole > 0 and abs(1 / whole - seconds) <= 0.5 * 10.0**-digits * (1 + 1e-9) and digits >= 3:
        return float(whole)
    return 1 / seconds


def guess_unit(skeleton: Skeleton, pose: Float64Array) -> tuple[float, str]:
    """Metres per unit from the size of the body in a pose (J, 3) of the file, and the reason in words.

    The size is measured along the bones, in any pose. Centimetres where ankles or head are not known.
    """
    parts = {part: joint for joint, part in enumerate(skeleton.body_parts) if part}
    chain = [part for part in ("spine", "chest", "neck") if part in parts]
    leg = ["left_ankle", "left_knee", "left_hip"]
    if not {*leg, "right_hip", "head"} <= parts.keys():
        return 0.01, "centimetres, for want of ankles and head to measure"
    points = [pose[parts[part]] for part in leg]
    points.append((pose[parts["left_hip"]] + pose[parts["right_hip"]]) / 2)
    points += [pose[parts[part]] for part in (*chain, "head")]
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    size = float(np.delete(steps, len(leg) - 1).sum())
    if not size > 0:
        return 0.01, "centimetres, for want of a body with a size"
    name = min(UNITS, key=lambda unit: abs(np.log(size * UNITS[unit] / _BODY_LENGTH)))
    return UNITS[name], f"{name}, guessed: {size:.4g} units from ankle to head"
