"""Every encoder there is, plug-ins too, streams the scores and spans of one pass over the whole recording."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stream_cases import FPS, in_time, made, moving, presence, spans_of

from kinespan.encoders import ENCODERS
from kinespan.encoders.base import Encoder, PersonFeatures
from kinespan.models.ensemble import ensemble
from kinespan.stream import StreamLocalizer, torso_of

pytestmark = pytest.mark.usefixtures("one_thread")

PUSH_SIZES = (1, 7, 3, 41, 2, 30)
"""Recorded frames that come at once, again and again."""
CLIP = 16
TOLERANCE = 3e-5


class TwoSteps(Encoder):
    """A plug-in: each frame and the one three frames later, at two resolutions."""

    channels, strides, halo = (8, 8), (1, 5), 3

    def __init__(self, joints, channels):
        super().__init__()
        self.mix = torch.nn.Linear(2 * channels, 8)

    def person_features(self, x, mask):
        x = x if mask is None else x * mask[:, :, None, None]
        later = torch.cat([x[:, 3:], torch.zeros_like(x[:, :3])], dim=1)[:, : x.shape[1]]
        features = self.mix(torch.cat([x, later], dim=-1))
        return PersonFeatures([features, features[:, ::5]])


class WholeClip(Encoder):
    """A plug-in that looks at whole clips: each frame against the mean of its clip."""

    channels, strides, halo = (8,), (1,), None

    def __init__(self, joints, channels):
        super().__init__()
        self.mix = torch.nn.Linear(channels, 8)

    def person_features(self, x, mask):
        valid = torch.ones(x.shape[:2]) if mask is None else mask.float()
        mean = (x * valid[:, :, None, None]).sum(dim=1) / valid.sum(dim=1)[:, None, None]
        return PersonFeatures([self.mix(x - mean[:, None])])


PLUG_INS = {"two_steps": TwoSteps, "whole_clip": WholeClip}


@pytest.fixture(autouse=True)
def plug_ins(monkeypatch):
    """The plug-ins are registered for the length of a test."""
    monkeypatch.setattr(ENCODERS, "_entries", dict(ENCODERS._entries))
    monkeypatch.setattr(ENCODERS, "_papers", dict(ENCODERS._papers))
    for name, encoder in PLUG_INS.items():
        ENCODERS.register(name)(
            lambda skeleton, channels, dropout, encoder=encoder: encoder(skeleton.num_joints, channels)
        )


def model_of(name):
    """A localizer of an encoder; an ensemble of two; one whose scores are refined."""
    if name == "ensemble":
        other = made(encoder="two_steps", seed=1, streams=("bone",), clip_frames=CLIP)
        return ensemble([made(encoder="tcn", clip_frames=CLIP), other], [1.0, 3.0])
    if name == "ensemble of clips and halos":
        return ensemble([made(encoder="whole_clip", clip_frames=CLIP), made(encoder="tcn", seed=1, clip_frames=CLIP)])
    if name.startswith("refined "):
        encoder = name.removeprefix("refined ")
        return made(encoder=encoder, clip_frames=CLIP, refine_stages=1, refine_features=True)
    return made(encoder=name, clip_frames=CLIP)


def recording_for(look_ahead):
    """Two people, of whom one or both are absent for a while, in a recording that is longer than the look-ahead."""
    frames = round(look_ahead * FPS) + 90
    gaps = [(0, 7, 1), (12, 3, 0), (20, 30, 0), (25, 20, 1), (frames - 30, 4, 1), (frames - 9, 9, 0)]
    return moving(frames, 2, valid=presence(frames, 2, gaps))


def pushes(recording):
    """Where the frames [start, stop) that come at once start and stop."""
    start, number = 0, 0
    while start < recording.num_frames:
        stop = min(start + PUSH_SIZES[number % len(PUSH_SIZES)], recording.num_frames)
        yield start, stop
        start, number = stop, number + 1


def stream_of(model, recording, latency=None):
    first = getattr(model, "members", [model])[0]
    return StreamLocalizer(model, recording.fps, latency=latency, torso=torso_of(first, recording))


def streamed_in_odd_pushes(stream, recording):
    """All updates, and the number of recorded frames after each."""
    updates, ends = [], []
    for start, stop in pushes(recording):
        updates.append(stream.push(recording.positions[start:stop], recording.valid[start:stop]))
        ends.append(stop)
    return [*updates, stream.finish()], np.array(ends)


REFINED = ["refined tcn", "refined whole_clip"]
ENSEMBLES = ["ensemble", "ensemble of clips and halos"]


@pytest.mark.parametrize("name", [*ENCODERS, *PLUG_INS, *REFINED, *ENSEMBLES])
def test_streamed_scores_and_spans_equal_offline_ones_whatever_the_latency(name):
    model = model_of(name)
    recording = recording_for(StreamLocalizer(model, FPS).look_ahead)
    offline = model.frame_scores(recording)
    spans = model.segment(offline)
    assert len(spans) >= 3
    mean_late = []
    for more in (1.0, 4.0):
        stream = stream_of(model, recording, StreamLocalizer(model, FPS).look_ahead + more)
        updates, ends = streamed_in_odd_pushes(stream, recording)
        scores = np.concatenate([update.scores for update in updates])
        assert scores.shape == offline.shape
        assert scores.dtype == offline.dtype
        np.testing.assert_allclose(scores, offline, atol=TOLERANCE)
        streamed = spans_of(updates)
        assert [in_time(span) for span in streamed] == [in_time(span) for span in spans]
        assert [span.score for span in streamed] == pytest.approx([span.score for span in spans], abs=1e-4)
        late = ends - np.cumsum([len(update.scores) for update in updates[:-1]])  # frames without scores
        assert late.max() <= round((stream.latency + model.spec.input.normalisation.fill_gap) * FPS)
        mean_late.append(late.mean())
    assert mean_late[0] < mean_late[1]
