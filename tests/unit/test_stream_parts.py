"""Parts of streaming by themselves: what comes in against `model_motion`, spans against `segment`, buffers by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from kinespan.annotation import LabelSet
from kinespan.config import Normalisation
from kinespan.decode import segment
from kinespan.input_spec import InputSpec
from kinespan.model_file import ModelSpec
from kinespan.recording import Recording
from kinespan.skeletons import COCO_17, KINECT_20
from kinespan.stream import products
from kinespan.stream import segmenter as segmenter_module
from kinespan.stream.intake import Intake
from kinespan.stream.products import LARGE, Product
from kinespan.stream.segmenter import Segmenter
from kinespan.stream.steps import ROOM, Presence, Steps, TimeConv
from kinespan.transforms.normalise import model_motion

NAMES = ("walk", "sit", "wave")
FPS = 10.0

# ---- what comes in ---------------------------------------------------------------------------------------------------


@given(
    frames=st.integers(1, 60),
    people=st.integers(1, 3),
    absent=st.lists(st.tuples(st.integers(0, 59), st.integers(1, 12), st.integers(0, 2)), max_size=6),
    fps=st.sampled_from([10.0, 5.0, 7.3, 24.0, 30.0, 120.0]),
    fill_gap=st.sampled_from([0.0, 0.2, 0.5]),
    size=st.sampled_from(["torso", "none"]),
    heading=st.sampled_from(["first", "none"]),
    pushed=st.integers(1, 7),
    end=st.integers(0, 60),
)
@settings(max_examples=80, deadline=None)
def test_frames_come_in_as_model_motion_has_them(frames, people, absent, fps, fill_gap, size, heading, pushed, end):
    """All of them, and what has come by any time and is left then are the motion of a recording that ends there."""
    rng = np.random.default_rng(frames)
    positions = rng.standard_normal((frames, people, 17, 3)).astype(np.float32)
    valid = np.ones((frames, people), dtype=bool)
    for start, length, person in absent:
        valid[start : start + length, person % people] = False
    if not valid.any():
        return
    positions *= valid[..., None, None]
    normalisation = Normalisation(heading=heading, size=size, fill_gap=fill_gap)
    spec = ModelSpec("localizer", InputSpec(KINECT_20, FPS, ("joint",), normalisation), "stgcn16")
    intake = Intake(spec, COCO_17, fps, torso=None, settle=1e9)
    like = positions[:0], valid[:0]
    got = []
    for start in range(0, frames, pushed):
        got.append(intake.push(positions[start : start + pushed], valid[start : start + pushed]))
        seen = min(frames, start + pushed)
        if seen < frames and start <= end < start + pushed and valid[:seen].any():
            agree([*got, intake.tail(like)], Recording(positions[:seen], fps, COCO_17, "part", valid[:seen]), spec)
    agree([*got, intake.tail(like)], Recording(positions, fps, COCO_17, "all", valid), spec)


def agree(got, recording, spec):
    motion = model_motion(recording, spec.input.skeleton, spec.input.fps, spec.input.normalisation)
    valid = np.concatenate([there for _, there in got])
    assert np.array_equal(valid, motion.valid)
    assert np.allclose(np.concatenate([where for where, _ in got]), motion.positions, atol=1e-5)


# ---- spans -----------------------------------------------------------------------------------------------------------


def rows_of(kind, frames, seed):
    """Scores that flicker, or hold for a while."""
    rng = np.random.default_rng(seed)
    if kind == "noise":
        logits = rng.standard_normal((frames, 4)) * 2
    else:
        best = np.repeat(rng.integers(0, 4, frames), rng.integers(1, 9, frames))[:frames]
        logits = 3 * np.eye(4)[best] + rng.standard_normal((frames, 4))
    return logits


@given(
    kind=st.sampled_from(["noise", "held"]),
    frames=st.integers(0, 80),
    seed=st.integers(0, 10_000),
    exclusive=st.booleans(),
    min_duration=st.sampled_from([0.0, 0.2, 0.5]),
    smooth=st.sampled_from([0.0, 0.5]),
    pushed=st.integers(1, 9),
)
@settings(max_examples=150, deadline=None)
def test_spans_are_those_of_segment_at_any_time(kind, frames, seed, exclusive, min_duration, smooth, pushed):
    """Closed and open ones are the segmentation of what has come, and what is closed stays."""
    labels = LabelSet(NAMES, exclusive)
    logits = rows_of(kind, frames, seed)
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) if exclusive else 1 / (1 + np.exp(-logits))
    scores = scores.astype(np.float32)
    found = Segmenter(FPS, labels, min_duration, smooth)
    closed = []
    for start in range(0, frames, pushed):
        closed += found.push(scores[start : start + pushed])
        if not smooth:
            compare([*closed, *found.open()], segment(scores[: start + pushed], FPS, labels, min_duration))
    closed += found.finish(scores[:0])
    compare(closed, segment(scores, FPS, labels, min_duration, smooth))


def compare(found, expected):
    found = sorted(found, key=lambda span: (span.start, span.end, span.label))
    assert [(span.start, span.end, span.label) for span in found] == [(s.start, s.end, s.label) for s in expected]
    assert [span.score for span in found] == pytest.approx([span.score for span in expected], abs=1e-5)


def one_hot(columns):
    return np.eye(4, dtype=np.float32)[list(columns)] * np.float32(0.8)


def test_by_hand_when_a_span_closes():
    """Two tenths make a run stand: walk closes with the second frame of sit, one frame of wave is absorbed."""
    found = Segmenter(FPS, LabelSet(NAMES), 0.2, 0.0)
    told = [found.push(one_hot([column])) for column in (1, 1, 1, 3, 1, 1, 2, 2, 0, 0)]
    assert [len(spans) for spans in told] == [0, 0, 0, 0, 0, 0, 0, 1, 0, 1]
    walk, sit = told[7][0], told[9][0]
    assert (walk.start, walk.end, walk.label) == (0.0, 0.6, "walk")
    assert walk.score == pytest.approx(0.8 * 5 / 6)
    assert (sit.start, sit.end, sit.score) == (0.6, 0.8, pytest.approx(0.8))
    assert found.open() == []


def test_doubt_has_an_end(monkeypatch):
    """Scores that change with every frame are settled after a while, so that memory stays flat."""
    monkeypatch.setattr(segmenter_module, "LONGEST_DOUBT", 3.0)
    found = Segmenter(FPS, LabelSet(NAMES), 0.3, 0.0)
    spans, most = [], 0
    for frame in range(500):
        spans += found.push(one_hot([1 + frame % 3]))
        most = max(most, len(found._doubtful))
    spans += found.finish(one_hot([]))
    assert most <= 30
    spans.sort()
    assert all(one.end <= other.start for one, other in pairwise(spans))
    assert spans[-1].end <= 50.0


# ---- buffers ---------------------------------------------------------------------------------------------------------


@given(
    pushes=st.lists(st.integers(0, 40), min_size=1, max_size=30),
    kernel=st.sampled_from([1, 3, 5, 9]),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 4),
)
@settings(max_examples=60, deadline=None)
def test_a_convolution_of_steps_is_the_convolution(pushes, kernel, stride, dilation):
    generator = torch.Generator().manual_seed(1)
    weight, bias = torch.randn(4, 3, kernel, generator=generator), torch.randn(4, generator=generator)
    x = torch.randn(2, sum(pushes), 3, generator=generator)
    conv = TimeConv(weight, bias, stride, dilation)
    steps = Steps([3], before=conv.reach, rows=2)
    got, at = [], 0

    def take():
        count = conv.ready(steps)
        got.append(conv(steps, count).reshape(2, count, 4))
        steps.drop(count * stride)

    for count in pushes:
        steps.put(x[:, at : at + count].numpy())
        at += count
        take()
    steps.close(conv.reach)
    take()
    assert steps.buffer.shape[1] <= max(ROOM, 2 * conv.reach, 4 * (max(pushes) + 2 * conv.reach + stride))
    if at:
        expected = torch.nn.functional.conv1d(x.transpose(1, 2), weight, bias, stride, conv.reach, dilation)
        assert np.allclose(np.concatenate(got, axis=1), expected.transpose(1, 2).numpy(), atol=1e-4)


@pytest.mark.parametrize("rows", [0, 1, 25, 77])
@pytest.mark.parametrize("shape", [(LARGE // 256, 256), (40, 30)])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("expected_rows", [1, 25])
def test_a_product_is_the_product(monkeypatch, rows, shape, with_bias, packs, lower, expected_rows):
    """Of any size, packed or not; only what is packed is bfloat16, and what comes out never is."""
    if not packs:
        monkeypatch.setattr(products, "_packs", lambda dtype: False)
    torch.manual_seed(rows)
    weight, bias, x = torch.randn(shape), torch.randn(shape[1]) if with_bias else None, torch.randn(rows, shape[0])
    expected = (x.double() @ weight.double() + (0 if bias is None else bias.double())).numpy()
    with torch.autocast("cpu", torch.bfloat16, enabled=lower):
        product = Product(weight.clone(), bias, expected_rows)
    weight.zero_()  # it has its own
    found = product(x.numpy())
    assert (product.inputs, product.outputs) == shape
    assert found.dtype == np.float32
    dtype = torch.bfloat16 if lower else torch.float32
    assert product.packed == (shape != (40, 30) and expected_rows > 1 and packs and products._packs(dtype))
    rough = lower and product.packed
    assert np.allclose(found, expected, rtol=0, atol=0.6 if rough else 1e-4)
    if rough and rows:
        assert not np.allclose(found, expected, rtol=0, atol=1e-3), "bfloat16 is seen"
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x.numpy(), ((0, 0), (3, 5))), 2, axis=1, writeable=True)
    view = windows[:, 3 : 3 + shape[0] : 2]  # the same numbers, their rows apart
    assert np.array_equal(product(view[:, None]), found)


@pytest.mark.parametrize("missing", ["mkldnn", "operator"])
def test_a_torch_that_cannot_pack_multiplies_plainly(monkeypatch, missing):
    if missing == "mkldnn":
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    else:
        monkeypatch.setattr(products, "PACKED_PRODUCT", "_no_such_product")
    product = Product(torch.ones(LARGE // 64, 64), rows=25)
    assert not product.packed
    assert np.array_equal(product(np.ones((2, LARGE // 64), np.float32)), np.full((2, 64), LARGE / 64))


def test_threads_of_products_are_as_before():
    """One while any stream pushes a frame, however many do, and what they were after it."""

    def threads():
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    with threadpool_limits(2, user_api="blas"):
        before = threads()
        with products.ONE_THREAD:
            alone = threads()
            with products.ONE_THREAD:
                assert threads() == alone
            assert threads() == alone
        assert threads() == before
        with pytest.raises(ZeroDivisionError), products.ONE_THREAD:
            1 / 0
        assert threads() == before
    assert set(alone) <= {1}


def test_sources_wait_for_each_other():
    steps = Steps([1, 2], rows=1)
    for frame in range(100):
        steps.put(np.full((1, 1, 1), frame))
        if frame >= 40:
            steps.put(np.full((1, 1, 2), frame - 40), 1)
            assert steps.ready == 1
            assert np.array_equal(steps.windows(1, 1).ravel(), [frame - 40] * 3)
            steps.drop(1)
    kept = steps.save()
    steps.put(np.zeros((1, 30, 2)), 1)
    steps.close(2)
    steps.load(kept)
    assert steps.ready == 0
    steps.put(np.full((1, 1, 2), 60), 1)
    assert np.array_equal(steps.windows(1, 1).ravel(), [60] * 3)


def test_presence_by_hand():
    presence = Presence(4, people=2)
    presence.add(np.array([[1, 1, 1, 0], [1, 1, 0, 0]], dtype=bool))
    assert presence.people(0, 2, 2).tolist() == [[1, 1], [1, 0]]
    assert presence.anyone(1, 3, 1).tolist() == [1, 1, 0]
    assert not presence.everyone
    presence.add(np.array([[1, 1, 1, 1], [0, 0, 0, 0]], dtype=bool))
    assert presence.gone().tolist() == [False, True]
    assert presence.anyone(4, 4, 1).tolist() == [1, 1, 1, 1]
    assert presence.people(4, 1, 1).tolist() == [[1], [0]]
    presence.choose([0], 0)
    presence.add(np.ones((1, 1), dtype=bool))
    assert presence.people(8, 1, 1) is None
    assert presence.anyone(8, 1, 1) is None  # somebody in all frames that are still asked for
