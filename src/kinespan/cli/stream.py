"""Localize a recording while it is made: frames in, spans out as soon as they are certain, one JSON object a line.

Frames are read from standard input, a line each: a list of people, who keep their places, each a list of joints
[x, y, z] in metres, y up, or null for somebody who is not seen. With a file it is streamed as if it were live.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .arguments import Positional
from .checks import available_device, check_device_name, localizer_spec
from .common import DeviceArguments

if TYPE_CHECKING:
    from ..annotation import Span
    from ..model_file import ModelSpec
    from ..skeleton import Skeleton

Frame = tuple[NDArray[np.float32], NDArray[np.bool_]]


@dataclass(frozen=True, kw_only=True)
class StreamArguments(DeviceArguments):
    """Which model, which frames, how they are looked at."""

    model: Positional[Path]
    """model file, or folder of a finetuning run"""
    input: Positional[Path | None] = None
    """motion file; none: frames from standard input"""
    fps: float | None = None
    """frames per second; needed where no file gives it"""
    skeleton: str | None = None
    """standard input: skeleton by name; by default the model's"""
    people: int = 2
    """standard input: places for people in a frame"""
    torso: float | None = None
    """metres from root to mid-shoulders, where known"""
    settle: float = 2.0
    """seconds over which the torso is measured otherwise"""
    lookahead: float | None = None
    """seconds to look ahead at most; by default as far as the network needs"""
    hop: float = 0.2
    """seconds between two passes over windows"""


def run(arguments: StreamArguments) -> int:
    """Print each span when it closes."""
    check_device_name(arguments.device)
    if arguments.torso is not None and not arguments.torso > 0:
        raise InputError(f"--torso: found {arguments.torso:g}, expected a positive number of metres")
    fps, skeleton, frames = _frames(arguments, localizer_spec(arguments.model))

    from ..localizer import load_model
    from ..stream import StreamLocalizer

    model = load_model(arguments.model, available_device(arguments.device), arguments.precision)
    options = {name: getattr(arguments, name) for name in ("torso", "settle", "lookahead", "hop")}
    stream = StreamLocalizer(model, fps, skeleton, **options)
    print(f"latency {stream.latency:.2f} s at most", file=sys.stderr)
    for positions, valid in frames:
        _print(stream.push(positions, valid).closed)
    _print(stream.finish().closed)
    return 0


def _frames(arguments: StreamArguments, spec: ModelSpec) -> tuple[float, Skeleton, Iterable[Frame]]:
    """Rate, skeleton and frames: positions (P, J, 3) and valid (P,) of each."""
    if arguments.input is not None:
        from .. import io

        if arguments.skeleton is not None:
            raise InputError("--skeleton is for frames from standard input; a file has its own")
        recording = io.read(arguments.input, options=io.ReadOptions(fps=arguments.fps)).recording
        return recording.fps, recording.skeleton, zip(recording.positions, recording.mask, strict=True)
    if arguments.fps is None:
        raise InputError("missing: --fps, which frames from standard input do not give")
    if arguments.people < 1:
        raise InputError(f"--people {arguments.people}: expected at least 1")
    skeleton = spec.skeleton
    if arguments.skeleton is not None:
        from ..skeletons import SKELETONS

        skeleton = SKELETONS[arguments.skeleton]
    return arguments.fps, skeleton, _read_frames(skeleton, arguments.people)


def _read_frames(skeleton: Skeleton, people: int) -> Iterator[Frame]:
    """Positions (P, J, 3) and valid (P,) of the lines of standard input."""
    for number, line in enumerate(sys.stdin, start=1):
        if line.strip():
            try:
                yield _parse_frame(line, skeleton, people)
            except (ValueError, TypeError) as error:
                raise InputError(
                    f"line {number}: {error}; expected people, each {skeleton.num_joints} joints [x, y, z] "
                    f"of skeleton {skeleton.name!r}, or null"
                ) from None


def _parse_frame(line: str, skeleton: Skeleton, people: int) -> Frame:
    persons = json.loads(line)
    if len(persons) > people:
        raise ValueError(f"{len(persons)} people, --people is {people}")
    positions = np.zeros((people, skeleton.num_joints, 3), dtype=np.float32)
    valid = np.zeros(people, dtype=bool)
    for index, joints in enumerate(persons):
        if joints is not None:
            positions[index] = np.asarray(joints, dtype=np.float32).reshape(skeleton.num_joints, 3)
            valid[index] = True
    return positions, valid


def _print(spans: tuple[Span, ...]) -> None:
    for span in spans:
        fields = {"start": span.start, "end": span.end, "label": span.label, "score": round(span.score or 0.0, 4)}
        print(json.dumps(fields), flush=True)
