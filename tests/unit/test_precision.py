"""Where bfloat16 is taken by itself, and what it does to scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stream_cases import made, moving

from kinespan.config import Normalisation
from kinespan.data.annotation import LabelSet
from kinespan.data.recording import Recording
from kinespan.data.skeletons import KINECT_20
from kinespan.models.ensemble import Ensemble, ensemble_spec
from kinespan.models.input_spec import InputSpec
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec
from kinespan.models.precision import has_bf16_units, in_bfloat16
from kinespan.runs.load import load_model
from kinespan.stream import StreamLocalizer, stream_recording, torso_of

ASKED = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")


def processor(monkeypatch, **units):
    """A processor that has some units."""
    for name in ASKED:
        monkeypatch.setattr(torch.cpu, name, lambda has=units.get(name, False): has, raising=False)


@pytest.mark.parametrize("unit", ASKED)
def test_any_bf16_unit_is_recognised(monkeypatch, unit):
    processor(monkeypatch)
    assert not has_bf16_units("cpu")
    processor(monkeypatch, **{unit: True})
    assert has_bf16_units("cpu")
    assert not has_bf16_units("mps")


def test_a_torch_without_the_probes_has_no_bf16_units(monkeypatch):
    for name in ASKED:
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert not has_bf16_units("cpu")


@pytest.mark.parametrize("supported", [True, False])
def test_bf16_support_of_a_gpu_comes_from_the_gpu(monkeypatch, supported):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: supported)
    assert has_bf16_units("cuda") is supported


@pytest.mark.parametrize("units", [True, False])
def test_auto_precision_follows_the_machine(monkeypatch, units):
    processor(monkeypatch, _is_avx512_bf16_supported=units)
    assert in_bfloat16("auto", "cpu") is units
    assert in_bfloat16("bf16", "cpu")
    assert not in_bfloat16("32", "cpu")


def test_a_localizer_scores_in_its_precision(monkeypatch):
    """float32 unless told otherwise, whatever the machine has; what comes out is float32 in any case."""
    processor(monkeypatch, _is_amx_tile_supported=True)
    spec = ModelSpec(
        kind="localizer", input=InputSpec(KINECT_20, 10.0, ("joint",), Normalisation()),
        encoder="stgcn16_light", fusion="nested_u", labels=LabelSet(("walk", "sit")),
    )  # fmt: skip
    torch.manual_seed(0)
    model = Localizer(spec).eval()
    positions = np.random.default_rng(0).normal(0, 0.3, (60, 1, 20, 3)).cumsum(axis=0).astype(np.float32)
    recording = Recording(positions, 10.0, KINECT_20, "take")
    found = {}
    for precision in ("32", "auto", "bf16"):
        model.precision = precision
        found[precision] = model.frame_scores(recording)
        assert found[precision].dtype == np.float32
        assert not torch.is_autocast_enabled("cpu"), "only scoring is in bfloat16"
    assert Localizer(spec).precision == "32"
    np.testing.assert_array_equal(found["auto"], found["bf16"])
    assert 0 < np.abs(found["bf16"] - found["32"]).max() < 0.02


def test_streaming_takes_the_precision_too():
    """In bfloat16 scores are near those of float32, and not the same."""
    model, recording = made(encoder="stgcn16"), moving(60)
    whole = model.frame_scores(recording)
    for precision, least, most in (("32", 0, 1e-4), ("bf16", 1e-4, 0.1)):
        model.precision = precision
        stream = StreamLocalizer(model, recording.fps, torso=torso_of(model, recording))
        streamed = np.concatenate([update.scores for update in stream_recording(stream, recording)])
        assert streamed.dtype == np.float32
        assert least <= np.abs(streamed - whole).max() < most


def test_load_model_sets_the_precision_of_every_localizer(tmp_path):
    spec = ModelSpec(
        kind="localizer", input=InputSpec(KINECT_20, 10.0, ("joint",), Normalisation()),
        encoder="tcn", fusion="last_map", labels=LabelSet(("walk", "sit")),
    )  # fmt: skip
    Localizer(spec).save(tmp_path / "model.safetensors")
    averaged = Ensemble(ensemble_spec([spec, spec]), [Localizer(spec), Localizer(spec)])
    averaged.save(tmp_path / "ensemble.safetensors")
    for name, parts in (("model", 1), ("ensemble", 2)):
        for precision in ("32", "bf16"):
            model = load_model(tmp_path / f"{name}.safetensors", precision=precision)
            told = [part.precision for part in model.modules() if isinstance(part, Localizer)]
            assert told == [precision] * parts
    assert load_model(tmp_path).precision == "32"
