"""Localize a recording while it is made: frames in, spans out as soon as they are certain, one JSON object a line.

Frames are read from standard input, a line each: a list of people, who keep their places, each a list of joints
[x, y, z] in metres, y up, or null for somebody who is not seen. With a file it is streamed as if it were live.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jsonargparse import ArgumentParser, Namespace
from numpy.typing import NDArray

from ..errors import InputError
from .common import add_precision, check_device

if TYPE_CHECKING:
    from ..annotation import Span
    from ..skeleton import Skeleton

Frame = tuple[NDArray[np.float32], NDArray[np.bool_]]


def add_arguments(parser: ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("model", type=str, help="model file, or folder of a finetuning run")
    parser.add_argument("input", type=str | None, nargs="?", help="motion file; none: frames from standard input")
    parser.add_argument("--fps", type=float | None, help="frames a second; needed where no file says it")
    parser.add_argument("--skeleton", type=str | None, help="standard input: skeleton by name; default: the model's")
    parser.add_argument("--people", type=int, default=2, help="standard input: places for people in a frame")
    parser.add_argument("--torso", type=float | None, help="metres from root to mid-shoulders, where known")
    parser.add_argument("--settle", type=float, default=2.0, help="seconds over which the torso is measured otherwise")
    parser.add_argument(
        "--lookahead", type=float | None, help="seconds to look ahead at most; default: as far as the network needs"
    )
    parser.add_argument("--hop", type=float, default=0.2, help="seconds between two looks at windows or with lookahead")
    parser.add_argument(
        "--device",
        type=str,
        default="cpu",
        help="device of the model: cpu, cuda, mps; networks run frame by frame (convolutional ones) use the processor",
    )
    add_precision(parser)


def run(arguments: Namespace) -> int:
    """Print each span when it closes."""
    from .. import io
    from ..localizer import load_model
    from ..skeletons import SKELETONS
    from ..stream import StreamLocalizer

    model = load_model(arguments.model, check_device(arguments.device), arguments.precision)
    fps, skeleton = arguments.fps, model.spec.input.skeleton
    if arguments.input is not None:
        if arguments.skeleton is not None:
            raise InputError("--skeleton is for frames from standard input; a file has its own")
        recording = io.read(Path(arguments.input), options=io.ReadOptions(fps=fps)).recording
        fps, skeleton = recording.fps, recording.skeleton
        frames: Iterator[Frame] = zip(recording.positions, recording.mask, strict=True)
    else:
        if fps is None:
            raise InputError("missing: --fps, which frames from standard input do not say")
        if arguments.skeleton is not None:
            skeleton = SKELETONS[arguments.skeleton]
        frames = _frames(skeleton, arguments.people)
    options = {name: arguments[name] for name in ("torso", "settle", "lookahead", "hop")}
    stream = StreamLocalizer(model, fps, skeleton, **options)
    print(f"latency {stream.latency:.2f} s at most", file=sys.stderr)
    for positions, valid in frames:
        _tell(stream.push(positions, valid).closed)
    _tell(stream.finish().closed)
    return 0


def _frames(skeleton: Skeleton, places: int) -> Iterator[Frame]:
    """Positions (P, J, 3) and valid (P,) of the lines of standard input."""
    if places < 1:
        raise InputError(f"--people is {places}, expected at least 1")
    for number, line in enumerate(sys.stdin, start=1):
        if not line.strip():
            continue
        try:
            people = json.loads(line)
            positions, valid = (
                np.zeros((places, skeleton.num_joints, 3), dtype=np.float32),
                np.zeros(places, dtype=bool),
            )
            if len(people) > places:
                raise ValueError(f"{len(people)} people, --people is {places}")
            for place, person in enumerate(people):
                if person is not None:
                    positions[place] = np.asarray(person, dtype=np.float32).reshape(skeleton.num_joints, 3)
                    valid[place] = True
        except (ValueError, TypeError) as error:
            raise InputError(
                f"line {number}: {error}; expected people, each {skeleton.num_joints} joints [x, y, z] "
                f"of skeleton {skeleton.name!r}, or null"
            ) from None
        yield positions, valid


def _tell(spans: tuple[Span, ...]) -> None:
    for span in spans:
        found = {"start": span.start, "end": span.end, "label": span.label, "score": round(span.score or 0.0, 4)}
        print(json.dumps(found), flush=True)
