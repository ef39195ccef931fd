"""EncoderModel and InputSpec: a recording in, features out, as one pass over all of it gives them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from kinespan.config import NetworkConfig, Normalisation
from kinespan.data.recording import Recording
from kinespan.data.skeletons import KINECT_20
from kinespan.errors import InputError
from kinespan.models.encoder_model import EncoderModel
from kinespan.models.input_spec import InputSpec
from kinespan.models.model_file import ModelSpec
from kinespan.transforms import long_motion
from kinespan.transforms.streams import compute_streams

FPS = 10.0
SPEC = InputSpec(KINECT_20, FPS, ("joint", "bone_motion"), Normalisation(heading="none"))


def recording(frames=95, people=2, fps=FPS, seed=0):
    rng = np.random.default_rng(seed)
    rest = rng.uniform(-0.5, 0.5, (20, 3)) + np.array([0, 1, 0])
    positions = rest + 0.1 * rng.standard_normal((frames, people, 20, 3)).cumsum(axis=0)
    valid = np.ones((frames, people), dtype=bool)
    valid[40:60] = False
    return Recording(positions.astype(np.float32), fps, KINECT_20, "take", valid)


def encoder_model(encoder="stgcn16_light", seed=0, clip_frames=16):
    spec = ModelSpec(kind="encoder", input=SPEC, encoder=encoder, clip_frames=clip_frames)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return EncoderModel.of_spec(spec, dropout=0.5)


def one_pass(model, take):
    """The deepest map (S, C) of a whole recording at once."""
    motion = SPEC.motion(take)
    with torch.no_grad():
        pyramid = model.eval()(torch.from_numpy(motion.positions)[None], torch.from_numpy(motion.valid)[None])
    return pyramid.maps[-1][0].T.numpy()


# ---- InputSpec -------------------------------------------------------------------------------------------------------


def test_an_input_spec_survives_json():
    again = InputSpec.from_dict(json.loads(json.dumps(SPEC.to_dict())))
    assert again == SPEC
    assert hash(again.streams) == hash(SPEC.streams)
    assert again != InputSpec(KINECT_20, FPS, ("bone_motion", "joint"), SPEC.normalisation)


@pytest.mark.parametrize("streams", [(), ("smell",), ("joint", "joint")])
def test_streams_that_are_none_unknown_or_doubled_are_refused(streams):
    with pytest.raises(InputError, match="streams: found"):
        InputSpec(KINECT_20, FPS, streams, Normalisation())


def test_channels_and_streams_follow_the_names():
    motion = SPEC.motion(recording())
    positions, valid = torch.from_numpy(motion.positions)[None], torch.from_numpy(motion.valid)[None]
    streams = SPEC.compute_streams(positions, valid)
    assert streams.shape == (1, 95, 2, 20, SPEC.num_channels)
    assert torch.equal(streams, compute_streams(positions, valid, KINECT_20, SPEC.streams, FPS))


def test_a_network_config_makes_the_spec_of_an_encoder():
    network = NetworkConfig(encoder="tcn", fps=12.5, streams=("bone",))
    spec = ModelSpec.of_network(network, KINECT_20)
    assert spec.input == InputSpec(KINECT_20, 12.5, ("bone",), network.normalisation)
    assert (spec.kind, spec.encoder) == ("encoder", "tcn")


# ---- EncoderModel ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoder", ["stgcn16_light", "tcn"])
@pytest.mark.parametrize("window", [0.1, 1.3, 60.0])
def test_embedding_in_windows_equals_one_pass(encoder, window):
    model, take = encoder_model(encoder), recording()
    expected = one_pass(model, take)
    embedding = model.train().embed(take, window)
    assert embedding.features.shape == expected.shape == (-(-95 // model.encoder.strides[-1]), expected.shape[1])
    assert np.allclose(embedding.features, expected, atol=1e-5)
    assert expected.std(axis=0).max() > 1e-3
    assert model.training  # dropout is off while embedding only
    assert model.encoder.training


def test_the_window_of_a_whole_clip_encoder_does_not_change_its_embedding():
    model, take = encoder_model("hyperformer"), recording()
    short, long = model.embed(take, 1.0), model.embed(take, 60.0)
    assert np.allclose(short.features, long.features, atol=1e-5)
    assert short.features.shape == (-(-95 // model.encoder.strides[-1]), model.encoder.channels[-1])


def test_a_recording_shorter_than_a_clip_is_embedded_in_one_pass():
    model, take = encoder_model("hyperformer", clip_frames=64), recording(30)
    assert np.allclose(model.embed(take).features, one_pass(model, take), atol=1e-5)


def test_times_are_the_middles_of_the_frames_of_steps():
    model, take = encoder_model(), recording(57, fps=2 * FPS)
    embedding, stride = model.embed(take), model.encoder.strides[-1]
    frames = np.arange(0, SPEC.motion(take).num_frames, stride)
    assert np.array_equal(embedding.times, (frames + 0.5) / FPS)
    assert embedding.times[-1] < take.duration


def test_features_are_zero_where_nobody_is_present():
    embedding = encoder_model().embed(recording())
    assert not embedding.valid.all()
    assert not embedding.features[~embedding.valid].any()
    assert embedding.features[embedding.valid].any(axis=1).all()


def test_long_recordings_are_embedded_in_parts(monkeypatch):
    model, take = encoder_model(), recording(200)
    expected = model.embed(take).features
    monkeypatch.setattr(long_motion, "LONG_FRAMES", 50)
    assert np.allclose(model.embed(take, window=1.0).features, expected, atol=1e-5)


def test_the_encoder_of_a_spec_is_drawn_from_torchs_generator():
    first, second = encoder_model(seed=1).state_dict(), encoder_model(seed=1).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(name.startswith("encoder.") for name in first)
