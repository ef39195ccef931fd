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
from .base import DECIDED, READERS, FileMotion, floats, numbers_by_line, read_text, whole_number
from .options import ReadOptions
from .rotations import chained

_CHANNELS = {f"{axis}{kind}".lower() for axis in "XYZ" for kind in ("position", "rotation")}
_MAX_CHANNELS = 6

_USUAL_RATES = (24, 25, 30, 48, 50, 60, 72, 75, 90, 100, 120, 144, 150, 180, 200, 240, 250, 300, 360, 400, 480, 500)
"""Frames a second, of cameras and motion capture."""
_LONGEST_FRAME = 0.5
"""Seconds; a longer Frame Time is a rate, or milliseconds."""


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

    Rate: ``1 / Frame Time``, a whole number where the printed digits mean one (0.016667 is 60, and so is 0.017). A
    Frame Time of 30 or of 33.333 is read as the rate or the milliseconds that it must be, or refused. Unit: BVH states
    none, so the body tells. Up: y, unless the body stands along another axis. Position channels replace the OFFSETs of
    their joints, in the whole file; where this would leave joints without a bone, they are added. One row of frames
    more or less than announced is read and told. End sites are dropped, except below an ankle or wrist without a
    further joint: there they become the joint ``<parent>_end``, the body's foot or hand tip.
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
        fps, fps_from, rate_notes = _rate(path, frame_time, options)
        values, count_notes = _values(path, lines, line, frames, sum(len(node.channels) for node in nodes))
        skeleton, node_indices = _skeleton(path, nodes)
        offsets_are_added, channel_notes = _position_rule(nodes, values)
        positions = forward_kinematics(nodes, values, offsets_are_added)
        return FileMotion(
            positions=positions[:, None, node_indices],
            skeleton=skeleton,
            fps=fps,
            fps_from=fps_from,
            unit=None,
            rest=_rest_pose(nodes)[node_indices],
            history=(*rate_notes, *count_notes, *channel_notes),
        )


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


def _values(path: Path, lines: list[str], start: int, frames: int, width: int) -> tuple[Float64Array, tuple[str, ...]]:
    """Channel values (T, width), one line a frame, and a note where their number is not the announced one."""
    numbers: list[int] = []
    words: list[str] = []
    filled = [number for number, line in enumerate(lines[start:], start=start + 1) if line.strip()]
    for frame, number in enumerate(filled, start=1):
        row = lines[number - 1].split()
        if len(row) != width:
            is_cut = number == filled[-1] and len(row) < width
            end = "; the file is cut off there, copy it again" if is_cut else ", one for each channel"
            found = f"frame {frame} (line {number}) has {len(row)} values"
            raise InputError(f"{path}:{number}: {found}, expected {width}{end}")
        numbers.append(number)
        words += row
    count = len(numbers)
    if not count or abs(count - frames) > 1:
        reason = "the file is cut off" if count < frames else "correct the number"
        raise InputError(f"{path}:{len(lines)}: found {count} frames, but 'Frames:' says {frames}; {reason}")
    values = numbers_by_line(path, numbers, words, width)
    if count == frames:
        return values, ()
    return values, (f"{DECIDED}all rows are read ({count} frames, though 'Frames:' says {frames})",)


def _rest_pose(nodes: list[Node]) -> Float64Array:
    """Positions (N, 3) of all nodes where nothing is rotated."""
    positions = np.zeros((len(nodes), 3))
    for number, node in enumerate(nodes):
        positions[number] = node.offset + (positions[node.parent] if node.parent >= 0 else 0)
    return positions


def _position_rule(nodes: list[Node], values: Float64Array) -> tuple[bool, tuple[str, ...]]:
    """Whether position channels are added to the OFFSETs in this file, or replace them; and a note where it matters.

    They replace them, unless most joints below the root that have both would lose their bone: their channels are near
    zero, changes of the OFFSET.
    """
    written = {node.name: _written_position(node, values) for node in nodes if _position_columns(node)}
    lengths = [float(np.linalg.norm(node.offset)) for node in nodes if node.parent >= 0 and np.any(node.offset)]
    near_zero = 0.1 * float(np.median(lengths)) if lengths else 0.0
    with_both = [node for node in nodes if node.name in written and np.any(node.offset)]
    below_root = [np.linalg.norm(written[node.name], axis=1) for node in with_both if node.parent >= 0]
    lost = sum(float(np.median(distances)) < near_zero for distances in below_root)
    if 2 * lost > len(below_root):
        return True, (f"{DECIDED}position channels are added to the OFFSETs ({lost} joints have them near zero)",)
    differ = any(np.any(written[node.name] != node.offset) for node in with_both)
    return False, ("position channels replace the OFFSETs of their joints",) if differ else ()


def forward_kinematics(nodes: list[Node], values: Float64Array, offsets_are_added: bool = False) -> Float64Array:
    """Positions (T, N, 3) of all nodes from channel values (T, width), in the file's units.

    The world rotation of a joint is its parent's times its own, ``R = R_parent R_a R_b R_c`` with the channels a, b, c
    in the order of the file, in degrees; its position is its parent's plus its own, rotated by R_parent. Its own
    position is its OFFSET, in place of which, or with offsets_are_added in addition to which, come position channels.
    """
    rotations = _local_rotations(nodes, values)
    positions = np.zeros((len(values), len(nodes), 3))
    world_rotations: list[Float64Array] = []
    for number, node in enumerate(nodes):
        offset = node.offset  # (3,) or (T, 3)
        if _position_columns(node):
            offset = _written_position(node, values, np.zeros(3) if offsets_are_added else node.offset)
            offset = offset + node.offset if offsets_are_added else offset
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


def _position_columns(node: Node) -> dict[int, int]:
    """The column of each axis for which a node has a position channel."""
    return {
        "xyz".index(name[0]): node.first_channel + index for index, name in enumerate(node.channels) if "pos" in name
    }


def _written_position(node: Node, values: Float64Array, without: Float64Array | None = None) -> Float64Array:
    """The position channels (T, 3) of a node; axes without one are those of `without`, by default its OFFSET."""
    position = np.tile(node.offset if without is None else without, (len(values), 1))
    for axis, column in _position_columns(node).items():
        position[:, axis] = values[:, column]
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


def _rate(path: Path, frame_time: str, options: ReadOptions) -> tuple[float | None, str, tuple[str, ...]]:
    """Frames a second, where they come from, and a note where they are not simply 1 / Frame Time."""
    value = float(frame_time)
    origin = f"Frame Time {frame_time}"
    if 1e-4 <= value <= _LONGEST_FRAME:
        rate = rate_of(frame_time)
        if abs(rate * value - 1) < 2e-3:
            return rate, origin, ()
        digits = f"the usual rate that has these digits, not {1 / value:.4g}"
        return rate, origin, (f"{DECIDED}{rate:g} frames a second by the Frame Time ({frame_time}: {digits})",)
    if options.fps is not None:
        return None, "", ()
    as_rate = value in _USUAL_RATES
    by_milliseconds = [rate for rate in _USUAL_RATES if abs(1000 / rate - value) <= _half_digit(frame_time)]
    if as_rate + len(by_milliseconds) != 1:
        raise InputError(f"{path}: Frame Time is {frame_time}, expected seconds; give the rate, for example --fps 60")
    rate, what = (value, "a rate") if as_rate else (float(by_milliseconds[0]), "milliseconds")
    note = f"{DECIDED}{rate:g} frames a second by the Frame Time ({frame_time} cannot be seconds, it is {what})"
    return rate, f"{origin}, {what}", (note,)


def rate_of(frame_time: str) -> float:
    """Frames a second from a printed frame time (> 0).

    Of the rates that give its digits, rounded or cut off, the usual one; else the whole one; else 1 / it. With fewer
    than three digits behind the point it is 1 / it.
    """
    seconds = float(frame_time)
    half = _half_digit(frame_time)
    if half > 0.5e-3 * (1 + 1e-9):
        return 1 / seconds

    def fits(rate: int) -> bool:
        return -half <= seconds - 1 / rate <= half or 0 <= 1 / rate - seconds < 2 * half * (1 - 1e-9)

    usual = [rate for rate in _USUAL_RATES if fits(rate)]
    if usual:
        return float(min(usual, key=lambda rate: abs(1 / rate - seconds)))
    whole = round(1 / seconds)
    return float(whole) if whole > 0 and abs(1 / whole - seconds) <= half else 1 / seconds


def _half_digit(number: str) -> float:
    """Half of the last digit of a printed number."""
    mantissa, _, exponent = number.lower().partition("e")
    return 0.5 * 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2])) * (1 + 1e-9)
