"""Streaming: what it costs in steps and memory, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
import pytest
import torch
from model_cases import with_changes
from stream_cases import FPS, SMALL, STRIDES, WIDTHS, comings, made, moving, streamed

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


@pytest.mark.parametrize("torso", [None, 0.5])
@pytest.mark.parametrize("changes", [{}, {"streams": ("joint",)}, {"encoder": "dste"}, {"encoder": "tcn"}])
def test_callers_may_use_their_arrays_again(changes, torso):
    """Frames that wait, for a turn, a size, the end of a gap or a frame before them, are the stream's own."""
    model = SMALL["1-2-4"] if not changes else made(**changes)
    valid = comings(60, 2, [(5, 5, 1), (20, 3, 0), (33, 20, 1)])
    recording = moving(60, 2, valid=valid)
    positions, there = np.empty((2, 20, 3), dtype=np.float32), np.empty(2, dtype=bool)
    stream = StreamLocalizer(model, FPS, torso=torso, settle=1.0)
    found = []
    for frame in range(60):
        positions[:], there[:] = recording.positions[frame], valid[frame]
        found.append(stream.push(positions, there).scores)
        positions[:], there[:] = 7.0, True
    expected = streamed(model, recording, torso=torso, settle=1.0)[1]
    assert np.array_equal(np.concatenate([*found, stream.finish().scores]), expected)


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
    size = with_changes(SMALL["1"].spec, normalisation=Normalisation(size="none"))
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


def played(blocks, chosen, group, frames=120):
    """Frame by frame: the most that a frame has to do, and after how many frames a step of the last block comes."""
    queues, work, latest = [[0, 0] for _ in blocks], [0] * frames, 0
    for frame in range(frames):
        coming, step = 1, 1
        for block, turn, queue in zip(blocks, chosen, queues, strict=True):
            joints, time, *short = (part.numel() for part in networks._matrices(block))
            waiting, reach = queue[0] + coming, block.time.conv.kernel_size[0] // 2
            coming, step = 0, step * block.stride
            if waiting and frame % group == turn:
                queue[1] += waiting
                work[frame] += waiting * joints + networks.CALL
                given = [
                    at for at in range(queue[1] - waiting, queue[1]) if at >= reach and not (at - reach) % block.stride
                ]
                coming, waiting = len(given), 0
                if given:
                    work[frame] += len(given) * (time + sum(short)) + networks.CALL
                    late = frame - (given[0] - reach) // block.stride * step
            queue[0] = waiting
        if coming and frame > frames // 2:
            latest = max(latest, late)
    return max(work[frames // 2 :]), latest


def badness(blocks, chosen):
    """What `turns` makes as little as it can."""
    least, step = 0, 1
    for block in blocks:
        least, step = least + block.time.conv.kernel_size[0] // 2 * step, step * block.stride
    work, late = played(blocks, chosen, networks.rhythm(blocks)[1])
    return work * (1 + networks.DELAY * (late - least))


@pytest.mark.parametrize("strides", [(1, 1, 1), (1, 2, 1, 1), (1, 2, 2), (2, 1, 3), (1, 3, 1, 1)], ids=str)
def test_blocks_take_turns_as_well_as_they_can(strides):
    """Against every way in which turns only go forward within a group."""
    blocks = list(STGCN(KINECT_20, 3, WIDTHS[: len(strides)], strides).blocks)
    _, group = networks.rhythm(blocks)
    ways = combinations_with_replacement(range(group), len(blocks) - 1)
    best = min(badness(blocks, [0, *chosen]) for chosen in ways)
    assert badness(blocks, networks.turns(blocks)) == pytest.approx(best)


@pytest.mark.parametrize(
    ("encoder", "most"),
    [("stgcn64", 1.5), ("stgcn16_light", 2.5), ("stgcn16", 4.7)],  # of stgcn16 one matrix is 60 % of all
)
def test_turns_of_the_published_networks_spread_the_work(encoder, most):
    """The fullest frame does at most so much more than the mean, for six frames of latency at most."""
    blocks = list(build_encoder(encoder, KINECT_20, 3).blocks)
    together, least = min(played(blocks, [turn] * 10, 8) for turn in range(8))
    work, late = played(blocks, networks.turns(blocks), 8)
    assert work < most * together / 8
    assert late <= least + 6


def test_steps_come_when_it_was_said():
    """What the plan counts is what happens, played frame by frame, where the input is late and where it is not."""
    for name in sorted(STRIDES):
        blocks = list(SMALL[name].encoder.blocks)
        _, group = networks.rhythm(blocks)
        chosen = networks.turns(blocks)
        for lag in (0, 1):
            steps = networks.StackSteps(SMALL[name].encoder, lag)
            assert steps.arrivals[-1].lag == played(blocks, chosen, group)[1] + lag


@pytest.mark.parametrize(
    ("stride", "period", "group"),
    [(1, 8, 8), (3, 6, 6), (4, 8, 8), (6, 6, 6), (8, 8, 8), (9, 9, 3), (16, 16, 8), (12, 12, 6), (11, 11, 1)],
)
def test_groups_are_no_longer_than_they_may_be(stride, period, group):
    blocks = STGCN(KINECT_20, 3, (4, 4), (1, stride)).blocks
    assert networks.rhythm(blocks) == (period, group)


def test_many_coarse_blocks_are_planned_in_bounds():
    """Without a bound there would be hundreds of thousands of plans."""
    many = list(STGCN(KINECT_20, 3, (4,) * 24, (2, 2, *[1] * 22)).blocks)
    assert played(many, networks.turns(many), 8)[0] < 0.4 * played(many, [0] * 24, 8)[0]
    coarse = list(STGCN(KINECT_20, 3, (4,) * 8, (2,) * 8).blocks)
    assert set(networks.turns(coarse)) <= set(range(networks.TOGETHER))
