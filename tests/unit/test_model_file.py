"""Model files: what is written comes back, and what is no model is refused in words."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from kinespan.annotation import LabelSet
from kinespan.config import Normalisation
from kinespan.decode import DecodeConfig
from kinespan.decode_presets import STAL
from kinespan.errors import InputError
from kinespan.model_file import ModelSpec, read_spec, read_weights, save_weights
from kinespan.skeletons import COCO_17, KINECT_20, NTU_25

SPEC = ModelSpec(
    kind="localizer",
    skeleton=NTU_25,
    fps=12.5,
    streams=("bone", "joint_motion"),
    normalisation=Normalisation(heading="none", fill_gap=0.25),
    encoder="stgcn16",
    fusion="nested_u",
    labels=LabelSet(("to walk", "çà et là"), exclusive=False),
    decode=DecodeConfig(thresholds=(0.2, 0.4), nms="hard"),
    training={"seed": 3, "corpus": "made", "pretrained": {"steps": 5}},
    metrics={"map": {"0.5": 0.25}, "edit": None},
    licence="CC BY 4.0",
)


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        replace(SPEC, kind="encoder", fusion=None, labels=None, skeleton=COCO_17),
        replace(SPEC, decode=STAL, skeleton=KINECT_20),  # infinite bounds
        replace(SPEC, labels=LabelSet(("a",))),
    ],
)
def test_specs_come_back(tmp_path, spec):
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    weights = {"a": torch.randn(2, 3).T, "b.count": torch.tensor(7), "half": torch.ones(2, dtype=torch.bfloat16)}
    save_weights(tmp_path / "new" / "model.safetensors", weights, spec)
    assert read_spec(tmp_path / "new" / "model.safetensors") == spec
    found = read_weights(tmp_path / "new" / "model.safetensors")
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], part) and found[name].dtype == part.dtype for name, part in weights.items())
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["model.safetensors"]


def test_a_model_can_be_written_over(tmp_path):
    for value in (1.0, 2.0):
        save_weights(tmp_path / "m.safetensors", {"a": torch.tensor([value])}, SPEC)
    assert read_weights(tmp_path / "m.safetensors")["a"].tolist() == [2]


def test_places_that_cannot_be_written_to_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        save_weights(tmp_path / "file" / "m.safetensors", {"a": torch.zeros(1)}, SPEC)


def write(path, content):
    save_file({"a": torch.zeros(1)}, path, metadata={"kinespan": content})


@pytest.mark.parametrize("content", ["{", "[]", "3", "null", '"text"'])
def test_metadata_that_is_no_spec_is_refused(tmp_path, content):
    write(tmp_path / "m.safetensors", content)
    with pytest.raises(InputError, match=r"m\.safetensors"):
        read_spec(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"format": None},
        {"skeleton": None},
        {"skeleton": {"name": "x"}},
        {"streams": None},
        {"normalisation": {"heading": "first", "colour": 3}},
        {"decode": {"thresholds": [0.5], "nms": "loud"}},
        {"decode": {}},
        {"labels": {"names": ["a", "a"], "exclusive": True}},
        {"labels": {"exclusive": True}},
    ],
)
def test_fields_that_are_wrong_are_refused_with_the_name_of_the_file(tmp_path, change):
    write(tmp_path / "m.safetensors", json.dumps({**SPEC.to_dict(), **change}))
    with pytest.raises(InputError, match=r"m\.safetensors"):
        read_spec(tmp_path / "m.safetensors")


def test_fields_that_are_missing_are_named(tmp_path):
    data = SPEC.to_dict()
    del data["encoder"]
    write(tmp_path / "m.safetensors", json.dumps(data))
    with pytest.raises(InputError, match="encoder"):
        read_spec(tmp_path / "m.safetensors")


def test_a_cut_file_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    save_weights(path, {"a": torch.zeros(100)}, SPEC)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match=r"m\.safetensors"):
        read_spec(path)
