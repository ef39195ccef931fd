"""The stages of streaming by themselves: frames that come in against `model_motion`, spans against `segment`."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.config import Normalisation
from kinespan.data.annotation import LabelSet
from kinespan.data.recording import Recording
from kinespan.data.skeletons import COCO_17, KINECT_20
from kinespan.decode import DecodeConfig, segment
from kinespan.models.input_spec import InputSpec
from kinespan.models.model_file import ModelSpec
from kinespan.stream import segmenter as segmenter_module
from kinespan.stream.intake import GapFilling, Intake, RateChange
from kinespan.stream.segmenter import Segmenter
from kinespan.transforms.normalise import body_sizes, median_length, model_motion

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
)
@settings(max_examples=80, deadline=None)
def test_streamed_frames_equal_those_of_model_motion(frames, people, absent, fps, fill_gap, size, heading, pushed):
    """Whether or not the size is known from the start."""
    rng = np.random.default_rng(frames)
    positions = rng.standard_normal((frames, people, 17, 3)).astype(np.float32)
    valid = np.ones((frames, people, 17), dtype=bool)
    for start, length, person in absent:  # of every second gap only the joints from the eyes to the right elbow
        valid[start : start + length, person % people, 1 : 17 if length % 2 else 9] = False
        valid[start : start + length, person % people, 0] &= length % 2 == 0
    if not valid.any():
        return
    positions *= valid[..., None]
    normalisation = Normalisation(heading=heading, size=size, fill_gap=fill_gap)
    spec = ModelSpec("localizer", InputSpec(KINECT_20, FPS, ("joint",), normalisation), "stgcn16")
    recording = Recording(positions, fps, COCO_17, "all", valid)
    motion = model_motion(recording, KINECT_20, FPS, normalisation)
    metres = model_motion(recording, KINECT_20, FPS, Normalisation(heading="none", size="none", fill_gap=fill_gap))
    torso = median_length(body_sizes(metres.positions, metres.valid, KINECT_20))
    for known in (None, torso):
        intake = Intake(spec, COCO_17, fps, torso=known, settle_frames=10**6)
        starts = range(0, frames, pushed)
        parts = [intake.push(positions[at : at + pushed], valid[at : at + pushed]) for at in starts]
        parts.append(intake.push(positions[:0], valid[:0], last=True))
        assert np.array_equal(np.concatenate([present for _, present in parts]), motion.valid)
        assert np.allclose(np.concatenate([where for where, _ in parts]), motion.positions, atol=1e-5)


def test_frames_wait_while_a_gap_is_open_and_not_too_long():
    """By hand: one person, gaps of up to 2 frames filled."""
    gaps = GapFilling(2)
    positions = np.arange(9, dtype=np.float32).reshape(9, 1, 1, 1).repeat(3, axis=3)
    valid = np.array([1, 0, 0, 1, 0, 0, 0, 0, 1], dtype=bool)[:, None, None]
    passed = [gaps.push(positions[at : at + 1] * valid[at], valid[at : at + 1], last=False) for at in range(9)]
    assert [len(present) for _, present in passed] == [1, 0, 0, 3, 0, 0, 3, 1, 1]
    assert np.concatenate([present for _, present in passed]).ravel().tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 1]
    assert passed[3][0][:, 0, 0, 0].tolist() == [1, 2, 3]


def test_frames_between_two_rates_come_with_the_later_recorded_frame():
    """By hand, 4 frames a second from 2: their middles lie at -0.25, 0.25, 0.75, 1.25 recorded frames."""
    resampling = RateChange(2.0, 4.0)
    positions = np.arange(2, dtype=np.float32).reshape(2, 1, 1, 1).repeat(3, axis=3)
    valid = np.ones((2, 1, 1), dtype=bool)
    made = [resampling.push(positions[at : at + 1], valid[at : at + 1], last=at == 1) for at in (0, 1)]
    assert [len(present) for _, present in made] == [1, 3]
    assert made[1][0][:, 0, 0, 0].tolist() == [0.25, 0.75, 1.0]


# ---- spans -----------------------------------------------------------------------------------------------------------


def logits_of(kind, frames, seed):
    """Logits (T, 4) that flicker, or whose best column stays for a while."""
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
    calibration=st.sampled_from([(), (0.6, 0.3)]),
    pushed=st.integers(1, 9),
)
@settings(max_examples=150, deadline=None)
def test_streamed_spans_equal_segment_at_any_time(
    kind, frames, seed, exclusive, min_duration, smooth, calibration, pushed
):
    """Final and open ones are the segmentation of what has come, and what is final stays."""
    labels = LabelSet(NAMES, exclusive)
    logits = logits_of(kind, frames, seed)
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) if exclusive else 1 / (1 + np.exp(-logits))
    scores = scores.astype(np.float32)
    segmenter = Segmenter(FPS, labels, min_duration, smooth, calibration)
    config = DecodeConfig(min_duration=min_duration, span_calibration=calibration)
    spans = []
    for start in range(0, frames, pushed):
        spans += segmenter.push(scores[start : start + pushed])
        if not smooth:
            same_spans([*spans, *segmenter.open()], segment(scores[: start + pushed], FPS, labels, config))
    spans += segmenter.finish(scores[:0])
    same_spans(spans, segment(scores, FPS, labels, replace(config, smooth=smooth)))


def same_spans(spans, expected):
    spans = sorted(spans, key=lambda span: (span.start, span.end, span.label))
    assert [(span.start, span.end, span.label) for span in spans] == [(s.start, s.end, s.label) for s in expected]
    assert [span.score for span in spans] == pytest.approx([span.score for span in expected], abs=1e-5)


def one_hot(columns):
    return np.eye(4, dtype=np.float32)[list(columns)] * np.float32(0.8)


def test_a_span_is_final_once_what_follows_it_stands():
    """By hand. Two tenths make a run stand: walk is final with the second frame of sit, a frame of wave is absorbed."""
    segmenter = Segmenter(FPS, LabelSet(NAMES), 0.2, 0.0)
    spans = [segmenter.push(one_hot([column])) for column in (1, 1, 1, 3, 1, 1, 2, 2, 0, 0)]
    assert [len(final) for final in spans] == [0, 0, 0, 0, 0, 0, 0, 1, 0, 1]
    walk, sit = spans[7][0], spans[9][0]
    assert (walk.start, walk.end, walk.label) == (0.0, 0.6, "walk")
    assert walk.score == pytest.approx(0.8 * 5 / 6)
    assert (sit.start, sit.end, sit.score) == (0.6, 0.8, pytest.approx(0.8))
    assert segmenter.open() == []


def test_scores_that_change_with_every_frame_are_settled_after_a_while(monkeypatch):
    """So that memory does not grow."""
    monkeypatch.setattr(segmenter_module, "MAX_WAIT", 3.0)
    segmenter = Segmenter(FPS, LabelSet(NAMES), 0.3, 0.0)
    spans, most = [], 0
    for frame in range(500):
        spans += segmenter.push(one_hot([1 + frame % 3]))
        most = max(most, len(segmenter._unsettled))
    spans += segmenter.finish(one_hot([]))
    assert most <= 30
    spans.sort()
    assert all(earlier.end <= later.start for earlier, later in pairwise(spans))
    assert spans[-1].end <= 50.0
