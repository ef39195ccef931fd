"""Localize a recording while it is made: frames in, answers out as soon as they are final, one JSON object a line.

Frames are read from standard input, one a line: a list of people, each at the same position in every list, as a list of
joints [x, y, z] in metres with y up; null stands for a person, or a joint, that is not seen. A motion file is streamed
as if it were live.

Answers come late, since the score of a frame depends on the motion after it: ST-GCN looks 84 frames ahead (5.6 s at 15
frames per second), TCN with two stages of refinement more than twice as far. The command first prints how many seconds
that is. A span is printed when the action after it has lasted a moment. Spans are runs of the best label; `kinespan
localize` may cut elsewhere if the model has learnt how long actions last. An event, with time in place of start and
end, is printed when no higher score of its label can follow near it. Where the model tells people apart, each span and
event says whose it is: the position in the list.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import io
from ..arrays import BoolArray, Float32Array
from ..data.skeleton import Skeleton
from ..data.skeletons import SKELETONS
from ..errors import InputError
from ..io.describe import decision_lines
from ..models.model_file import ModelSpec
from ..threads import choose_threads, computing_on
from ..transforms.normalise import even_rate
from .arguments import Positional
from .checks import available_device, check_device_name, check_unknown_below, localizer_spec
from .common import DeviceArguments
from .motion import READING, check_no_options

if TYPE_CHECKING:  # torch takes seconds to import
    from ..stream import Update

GROUPS = READING
Frame = tuple[Float32Array, BoolArray]


@dataclass(frozen=True, kw_only=True)
class StreamArguments(DeviceArguments):
    """Which model, which frames, and how late its answers may be."""

    model: Positional[Path]
    """Model file, or folder of a finetuning run."""
    input: Positional[Path | None] = None
    """Motion file; by default frames are read from standard input."""
    skeleton: str | None = None
    """Name of the skeleton on standard input; by default the model's."""
    people: int = 2
    """Largest number of people in a frame of standard input."""
    latency: float | None = None
    """Seconds by which scores may lag behind their frames: the longer, the less is computed, for the same scores. By
    default the network's look-ahead and one second."""
    torso: float | None = None
    """Metres from root to mid-shoulders; by default measured."""
    unknown_below: float | None = None
    """Answer `unknown` where a segment scores less than this, 0 to 1; by default every segment has its label.
    `kinespan evaluate` shows what each threshold costs."""


def run(arguments: StreamArguments, options: io.ReadOptions) -> int:
    """Print each span when it is final."""
    check_device_name(arguments.device)
    if arguments.torso is not None and not arguments.torso > 0:
        raise InputError(f"--torso: found {arguments.torso:g}, expected a positive number of metres")
    check_unknown_below(arguments.unknown_below)
    spec = localizer_spec(arguments.model)
    fps, skeleton, frames = _frames(arguments, options, spec)

    from ..runs.load import load_model
    from ..stream import PeopleStream, StreamLocalizer

    model = load_model(arguments.model, available_device(arguments.device), arguments.precision)
    kind = PeopleStream if spec.people == "each" else StreamLocalizer
    settings = {"latency": arguments.latency, "torso": arguments.torso, "unknown_below": arguments.unknown_below}
    stream = kind(model, fps, skeleton, **settings)
    print(
        f"scores come {stream.latency:.2f} s after their frames at most, of which the network looks "
        f"{stream.look_ahead:.2f} s ahead",
        file=sys.stderr,
    )
    if spec.decode.segmentation == "viterbi":
        print("spans are runs of the best label; kinespan localize also goes by how long actions last", file=sys.stderr)
    with computing_on(choose_threads(arguments.threads, 0).count):
        for positions, valid in frames:
            _print_update(stream.push(positions, valid))
        _print_update(stream.finish())
    return 0


def _frames(
    arguments: StreamArguments, options: io.ReadOptions, spec: ModelSpec
) -> tuple[float, Skeleton, Iterable[Frame]]:
    """Rate, skeleton and frames: positions (P, J, 3) and valid (P,) of each."""
    if arguments.input is not None:
        if arguments.skeleton is not None:
            raise InputError("--skeleton is for frames from standard input; a file has its own")
        recording = even_rate(io.read(arguments.input, options=options).recording)
        for line in decision_lines([recording]):
            print(line, file=sys.stderr)
        return recording.fps, recording.skeleton, zip(recording.positions, recording.valid, strict=True)
    if options.fps is None:
        raise InputError("missing: --fps; standard input does not state it")
    check_no_options(replace(options, fps=None), "standard input")
    if arguments.people < 1:
        raise InputError(f"--people is {arguments.people}, expected at least 1")
    skeleton = spec.input.skeleton if arguments.skeleton is None else SKELETONS[arguments.skeleton]
    return options.fps, skeleton, _read_frames(skeleton, arguments.people)


def _read_frames(skeleton: Skeleton, slots: int) -> Iterator[Frame]:
    """Positions (P, J, 3) and valid (P, J) of the lines of standard input, P person slots.

    Raises InputError for a line that is no frame, and naming --people for one with more people than slots.
    """
    for number, line in enumerate(sys.stdin, start=1):
        if not line.strip():
            continue
        try:
            yield _frame(line, skeleton.num_joints, slots)
        except (ValueError, TypeError) as error:
            reason = "it is not JSON" if isinstance(error, json.JSONDecodeError) else str(error)
            raise InputError(
                f"line {number}: {reason}; expected people, each {skeleton.num_joints} joints [x, y, z] "
                f"of skeleton {skeleton.name!r}, or null"
            ) from None


def _frame(line: str, joints: int, slots: int) -> Frame:
    """Positions (P, J, 3) and valid (P, J) of a line. Raises ValueError or TypeError where it is no frame."""
    people = json.loads(line)
    if len(people) > slots:
        raise ValueError(f"{len(people)} people, --people is {slots}")
    positions, valid = np.zeros((slots, joints, 3), dtype=np.float32), np.zeros((slots, joints), dtype=bool)
    for slot, person in enumerate(people):
        if person is not None:
            body = np.asarray([[np.nan] * 3 if joint is None else joint for joint in person], dtype=np.float32)
            if body.shape != (joints, 3):
                raise ValueError(f"found a person of {' x '.join(map(str, body.shape))} numbers")
            valid[slot] = ~np.isnan(body).any(axis=1)
            positions[slot] = np.where(valid[slot, :, None], body, 0.0)
    return positions, valid


def _print_update(update: Update | Mapping[int, Update]) -> None:
    """Print a line of JSON for each span and event of an update, or of those of several people."""
    updates = list(update.values()) if isinstance(update, Mapping) else [update]
    for span in sorted(span for part in updates for span in part.spans):
        row = {"start": span.start, "end": span.end, "label": span.label, "score": round(span.score or 0.0, 4)}
        print(json.dumps(row if span.person is None else {**row, "person": span.person}), flush=True)
    for event in sorted(event for part in updates for event in part.events):
        instant = {"time": event.time, "label": event.label, "score": round(event.score or 0.0, 4)}
        print(json.dumps(instant if event.person is None else {**instant, "person": event.person}), flush=True)
