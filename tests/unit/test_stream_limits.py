"""Streaming: what it costs in memory, what it leaves as it was, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from model_cases import with_changes
from stream_cases import FPS, SMALL, STRIDES, made, moving, presence, streamed

from kinespan.config import Normalisation
from kinespan.data.recording import Recording
from kinespan.data.skeletons import KINECT_20
from kinespan.errors import InputError
from kinespan.models.base import Model
from kinespan.stream import StreamLocalizer, Update

pytestmark = pytest.mark.usefixtures("one_thread")

# ---- what it costs ---------------------------------------------------------------------------------------------------


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
    ("changes", "more"),
    [
        ({}, 1.0),
        ({}, 5.0),
        ({"refine_stages": 1, "clip_frames": 16}, 1.0),
        ({"encoder": "tcn"}, 1.0),
        ({"encoder": "dste_light", "clip_frames": 16}, 1.0),
    ],
    ids=str,
)
def test_memory_does_not_grow_with_the_recording(changes, more):
    """However long it is, and however often people come and go."""
    model = made(**changes) if "encoder" in changes else made((1, 2, 1, 2, 1), **changes)
    latency = StreamLocalizer(model, 13.0).look_ahead + more
    stream = StreamLocalizer(model, 13.0, torso=0.5, latency=latency)
    sizes = []
    for seed in range(5):
        valid = presence(160, 2, [(30, 5, 0), (10, 60, 1), (100, 60, 0), (130, 30, 1)])
        recording = moving(160, 2, fps=13.0, seed=seed, valid=valid)
        largest = 0
        for position, present in zip(recording.positions, recording.present, strict=True):
            stream.push(position, present)
            largest = max(largest, held(vars(stream), set()))
        sizes.append(largest)
    assert max(sizes[2:]) <= 1.2 * max(sizes[:2])


def test_memory_after_a_large_push_equals_that_after_small_ones():
    recording = moving(600)
    sizes = []
    for frames in (1, 600):
        stream = StreamLocalizer(
            SMALL["1-2-4"], FPS, torso=0.5, latency=StreamLocalizer(SMALL["1-2-4"], FPS).look_ahead
        )
        for start in range(0, 600, frames):
            stream.push(recording.positions[start : start + frames])
        sizes.append(held(vars(stream), set()))
    assert sizes[0] == sizes[1]


def test_streaming_leaves_the_model_as_it_was():
    model = made((1, 2, 1, 2, 1), refine_stages=1).train()
    model.fusion.eval()
    state = {name: part.clone() for name, part in model.state_dict().items()}
    recording = moving(40)
    streamed(model, recording)
    assert (model.encoder.training, model.fusion.training) == (True, False)
    assert all(torch.equal(state[name], part) for name, part in model.state_dict().items())


@pytest.mark.parametrize("torso", [None, 0.5])
@pytest.mark.parametrize("changes", [{}, {"encoder": "dste_light", "clip_frames": 16}, {"encoder": "tcn"}])
def test_callers_may_use_their_arrays_again(changes, torso):
    """Frames that wait for a size, the end of a gap or what follows them are the stream's own."""
    model = SMALL["1-2-4"] if not changes else made(**changes)
    valid = presence(60, 2, [(5, 5, 1), (20, 3, 0), (33, 20, 1)])
    recording = moving(60, 2, valid=valid)
    positions, present = np.empty((2, 20, 3), dtype=np.float32), np.empty(2, dtype=bool)
    stream = StreamLocalizer(model, FPS, torso=torso)
    scores = []
    for frame in range(60):
        positions[:], present[:] = recording.positions[frame], valid[frame]
        scores.append(stream.push(positions, present).scores)
        positions[:], present[:] = 7.0, True
    expected = streamed(model, recording, torso=torso)[1]
    assert np.array_equal(np.concatenate([*scores, stream.finish().scores]), expected)


# ---- mistakes --------------------------------------------------------------------------------------------------------


def test_options_out_of_range_are_refused():
    model = SMALL["1"]
    for options, hint in (
        ({"fps": 0}, "fps"),
        ({"fps": float("nan")}, "fps"),
        ({"torso": -1.0}, "torso"),
        ({"latency": float("inf")}, "latency"),
        ({"latency": StreamLocalizer(model, FPS).look_ahead - 0.1}, "latency: found"),
    ):
        with pytest.raises(InputError, match=hint):
            StreamLocalizer(model, **{"fps": FPS, **options})
    odd = replace(KINECT_20, name="odd", joints=tuple(f"j{i}" for i in range(20)), body_parts=(None,) * 20)
    with pytest.raises(InputError, match="odd"):
        StreamLocalizer(model, FPS, odd)


def test_frames_that_are_refused_change_nothing():
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
    assert np.allclose(last.scores, plain.frame_scores(whole)[last.first_frame :], atol=3e-5)
    for late in (lambda: stream.push(frames[0]), stream.finish):
        with pytest.raises(InputError, match="finished"):
            late()


def test_a_recording_without_frames_or_people_has_no_spans():
    assert StreamLocalizer(SMALL["1"], FPS).finish().scores.shape == (0, 4)
    stream = StreamLocalizer(SMALL["1-2-4"], FPS)
    nobody = moving(30).positions
    updates = [stream.push(frame, [False]) for frame in nobody] + [stream.finish()]
    scores = np.concatenate([update.scores for update in updates])
    assert np.array_equal(scores, np.tile(np.array([1, 0, 0, 0], np.float32), (30, 1)))
    assert not any(update.spans for update in updates)
