"""Streaming: what it costs in steps and memory, and what it refuses."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from stream_cases import FPS, SMALL, STRIDES, comings, made, moving, streamed

from kinespan.config import Normalisation
from kinespan.encoders import build_encoder
from kinespan.encoders.stgcn import STGCN
from kinespan.errors import InputError
from kinespan.model import Model
from kinespan.recording import Recording
from kinespan.skeletons import KINECT_20
from kinespan.stream import StreamLocalizer, networks, push_times
from kinespan.stream.layers import BlockSteps
from kinespan.stream.localizer import Update
from kinespan.stream.sources import source_of
from kinespan.stream.steps import TimeConv

pytestmark = pytest.mark.usefixtures("one_thread")

# ---- what it costs ---------------------------------------------------------------------------------------------------


def test_every_step_of_every_layer_is_computed_once(monkeypatch):
    model = SMALL["1-2-4"]
    counts: dict[int, int] = {}
    real = TimeConv.__call__

    def counting(conv, steps, count):
        counts[id(conv)] = counts.get(id(conv), 0) + count
        return real(conv, steps, count)

    monkeypatch.setattr(TimeConv, "__call__", counting)
    source = source_of(model, hop=1.0)
    positions, valid = moving(101).positions, np.ones((101, 1), dtype=bool)
    for frame in range(101):
        source.push(positions[frame : frame + 1], valid[frame : frame + 1])
    for block in source.encoder.blocks:
        assert isinstance(block, BlockSteps)
        steps = -(-101 // (block.step * block.stride))
        assert steps - 1 - block.lag // (block.step * block.stride) <= counts[id(block.time)] <= steps


def held(thing, seen):
    """Bytes of arrays and tensors that an object holds, itself and all that it refers to."""
    if id(thing) in seen or isinstance(thing, torch.nn.Module | Model | type | str | int | float):
        return 0
    seen.add(id(thing))
    if isinstance(thing, torch.Tensor | np.ndarray):
        return thing.nbytes
    if isinstance(thing, dict):
        return sum(held(one, seen) for one in thing.values())
    if isinstance(thing, list | tuple | set):
        return sum(held(one, seen) for one in thing)
    return held(vars(thing), seen) if hasattr(thing, "__dict__") else 0


@pytest.mark.parametrize(
    ("changes", "lookahead"),
    [({}, None), ({}, 0.5), ({"refine_stages": 1, "clip_frames": 16}, None), ({"encoder": "tcn"}, None)],
    ids=str,
)
def test_memory_is_flat(changes, lookahead):
    """However long the recording is, and however often people come and go."""
    model = made(**changes) if "encoder" in changes else made((1, 2, 1, 2, 1), **changes)
    stream = StreamLocalizer(model, 13.0, torso=0.5, lookahead=lookahead, hop=3.0)
    sizes = []
    for turn in range(5):
        valid = comings(160, 2, [(30, 5, 0), (10, 60, 1), (100, 60, 0), (130, 30, 1)])
        recording = moving(160, 2, fps=13.0, seed=turn, valid=valid)
        for position, there in zip(recording.positions, recording.mask, strict=True):
            stream.push(position, there)
        sizes.append(held(vars(stream), set()))
    assert max(sizes[2:]) <= 1.05 * max(sizes[:2])


def test_people_who_left_cost_nothing():
    """Rows are given back, and taken over by the next who come: never more than there are people."""
    model = SMALL["1-2-4"]
    source = source_of(model, hop=1.0)
    rows = []
    for turn in range(8):
        valid = np.zeros((200, 8), dtype=bool)
        valid[:, turn] = True
        recording = moving(200, 8, valid=valid)
        source.push(recording.positions, recording.mask)
        rows.append(len(source.people))
    assert max(rows) <= 2
    assert rows[-1] == 1


def test_the_model_stays_as_it_was():
    model = made((1, 2, 1, 2, 1), refine_stages=1).train()
    model.fusion.eval()
    state = {name: part.clone() for name, part in model.state_dict().items()}
    recording = moving(40)
    streamed(model, recording, lookahead=0.5)
    assert (model.encoder.training, model.fusion.training) == (True, False)
    assert all(torch.equal(state[name], part) for name, part in model.state_dict().items())


def test_push_times_are_of_single_frames():
    times = push_times(StreamLocalizer(SMALL["1"], FPS), moving(30), warmup=10)
    assert times.shape == (20,)
    assert (times > 0).all()


# ---- mistakes --------------------------------------------------------------------------------------------------------


def test_what_cannot_be_is_refused():
    model = SMALL["1"]
    for options, hint in (
        ({"fps": 0}, "fps"),
        ({"fps": float("nan")}, "fps"),
        ({"torso": -1.0}, "torso"),
        ({"settle": -1.0}, "settle"),
        ({"lookahead": -0.1}, "lookahead"),
    ):
        with pytest.raises(InputError, match=hint):
            StreamLocalizer(model, **{"fps": FPS, **options})
    odd = replace(KINECT_20, name="odd", joints=tuple(f"j{i}" for i in range(20)), body_parts=(None,) * 20)
    with pytest.raises(InputError, match="odd"):
        StreamLocalizer(model, FPS, odd)


def test_frames_that_cannot_be_are_refused_and_leave_no_trace():
    stream = StreamLocalizer(SMALL["1"], FPS, torso=0.5)
    frames = moving(50, 2).positions.copy()
    stream.push(frames[0])
    broken = frames[1].copy()
    broken[1, 3, 0] = np.nan
    for wrong, valid, hint in (
        (frames[1, 0], None, "shape"),
        (frames[1][:, :5], None, "kinect"),
        (frames[1], [True], "valid"),
        (broken, None, "frame 1 holds"),
        (np.concatenate([frames[1], frames[1]]), None, "4 person slots"),
    ):
        with pytest.raises(InputError, match=hint):
            stream.push(wrong, valid)
    stream.push(broken, [True, False])  # marked as not seen it is fine
    stream.push(frames[2][:1])  # a frame without the second slot
    for frame in frames[3:]:
        stream.push(frame)
    last = stream.finish()
    assert isinstance(last, Update)
    valid = np.ones((50, 2), dtype=bool)
    valid[1:3, 1] = False
    size = replace(SMALL["1"].spec, normalisation=Normalisation(size="none"))
    whole = Recording(frames / np.float32(0.5), FPS, KINECT_20, "whole", valid)
    plain = made(STRIDES["1"])
    plain.spec = size
    assert np.allclose(last.scores, plain.frame_scores(whole)[last.first :], atol=3e-5)
    for late in (lambda: stream.push(frames[0]), stream.finish):
        with pytest.raises(InputError, match="finished"):
            late()


def test_a_recording_without_frames_or_people_has_nothing():
    assert StreamLocalizer(SMALL["1"], FPS).finish().scores.shape == (0, 4)
    stream = StreamLocalizer(SMALL["1-2-4"], FPS)
    nobody = moving(30).positions
    updates = [stream.push(frame, [False]) for frame in nobody] + [stream.finish()]
    scores = np.concatenate([update.scores for update in updates])
    assert np.array_equal(scores, np.tile(np.array([1, 0, 0, 0], np.float32), (30, 1)))
    assert not any(update.closed for update in updates)


# ---- turns -----------------------------------------------------------------------------------------------------------


def fullest(blocks, waits, lag):
    """What the frame with most to do has to do, counted frame by frame over a long recording."""
    work, step, late = [0] * 400, 1, lag
    for block, wait in zip(blocks, waits, strict=True):
        joints, time, *short = (part.numel() for part in networks._matrices(block))
        late += wait
        for frame in range(late % step, 400, step):
            work[frame] += joints + networks.CALL
        late, step = late + 4 * step, step * block.stride
        for frame in range(late % step, 400, step):
            work[frame] += time + sum(short) + networks.CALL
    return max(work)


@pytest.mark.parametrize("lag", [0, 1, 3])
@pytest.mark.parametrize("strides", sorted(STRIDES))
def test_blocks_take_turns_as_well_as_they_can(strides, lag):
    """Against every way to wait that there is."""
    blocks = list(SMALL[strides].encoder.blocks)
    steps = [math.prod(block.stride for block in blocks[:at]) for at in range(len(blocks))]

    def badness(waits):
        return fullest(blocks, waits, lag) * (1 + networks.DELAY * sum(waits))

    found = networks.turns(blocks, lag)
    assert all(0 <= wait < step for wait, step in zip(found, steps, strict=True))
    best = min(badness(waits) for waits in product(*map(range, steps)))
    assert badness(found) == pytest.approx(best)


@pytest.mark.parametrize("encoder", ["stgcn64", "stgcn16", "stgcn16_light"])
def test_turns_of_the_published_networks_spread_the_work(encoder):
    """The fullest frame does less than two thirds of what it would, for three frames of latency at most."""
    blocks = list(build_encoder(encoder, KINECT_20, 3).blocks)
    waits = networks.turns(blocks, 0)
    assert sum(waits) <= 3
    assert fullest(blocks, waits, 0) < 2 / 3 * fullest(blocks, [0] * 10, 0)


def test_no_block_waits_long_however_coarse_it_is():
    blocks = list(STGCN(KINECT_20, 3, (4,) * 8, (2,) * 8).blocks)
    assert max(networks.turns(blocks, 0)) < networks.LONGEST


def test_many_coarse_blocks_are_planned_in_bounds():
    """Without a bound there would be 4 ** 12 plans."""
    blocks = list(STGCN(KINECT_20, 3, (4,) * 14, (2, 2, *[1] * 12)).blocks)
    waits = networks.turns(blocks, 0)
    assert fullest(blocks, waits, 0) < 0.5 * fullest(blocks, [0] * 14, 0)
