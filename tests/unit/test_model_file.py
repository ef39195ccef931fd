"""Model files: what is written comes back, and what is no model is refused in words."""

from __future__ import annotations

import errno
import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from kinespan.config import Normalisation
from kinespan.data.annotation import LabelSet
from kinespan.data.skeletons import COCO_17, KINECT_20, NTU_25
from kinespan.decode import DecodeConfig
from kinespan.decode.presets import STAL
from kinespan.errors import InputError
from kinespan.models.input_spec import InputSpec
from kinespan.models.model_file import ModelSpec, read_spec, read_weights, save_weights

SPEC = ModelSpec(
    kind="localizer",
    input=InputSpec(NTU_25, 12.5, ("bone", "joint_motion"), Normalisation(heading="none", fill_gap=0.25)),
    encoder="stgcn16",
    fusion="nested_u",
    labels=LabelSet(("to walk", "çà et là"), exclusive=False),
    decode=DecodeConfig(thresholds=(0.2, 0.4), nms="hard"),
    training={"seed": 3, "corpus": "made", "pretrained": {"steps": 5}},
    licence="CC BY 4.0",
)


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        replace(
            SPEC,
            kind="encoder",
            fusion=None,
            labels=None,
            input=replace(SPEC.input, skeleton=COCO_17),
            decode=DecodeConfig(),
        ),
        replace(SPEC, decode=STAL, input=replace(SPEC.input, skeleton=KINECT_20)),  # infinite bounds
        replace(SPEC, labels=LabelSet(("a",))),
    ],
)
def test_a_written_spec_is_read_back_equal(tmp_path, spec):
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


def test_paths_that_cannot_be_written_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        save_weights(tmp_path / "file" / "m.safetensors", {"a": torch.zeros(1)}, SPEC)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    save_weights(path, {"a": torch.ones(1)}, SPEC)

    def full(*names):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(InputError, match=r"m\.safetensors: No space left"):
        save_weights(path, {"a": torch.zeros(1)}, SPEC)
    assert [file.name for file in tmp_path.iterdir()] == ["m.safetensors"]
    assert read_weights(path)["a"].tolist() == [1]


def test_an_encoder_file_has_no_decoding(tmp_path):
    """Only what has scores is decoded; a setting of decoding may go without an encoder becoming stale."""
    encoder = replace(SPEC, kind="encoder", fusion=None, labels=None, decode=DecodeConfig())
    assert "decode" not in encoder.to_dict()
    assert "decode" in SPEC.to_dict()


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
        {"input": None},
        {"input": {**SPEC.input.to_dict(), "skeleton": None}},
        {"input": {**SPEC.input.to_dict(), "skeleton": {"name": "x"}}},
        {"input": {**SPEC.input.to_dict(), "streams": None}},
        {"input": {**SPEC.input.to_dict(), "streams": ["smell"]}},
        {"input": {**SPEC.input.to_dict(), "normalisation": {"heading": "first", "colour": 3}}},
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


def format_1(kind, training):
    """Metadata as format 1 had it, as far as it is read."""
    return {"format": 1, "kind": kind, "skeleton": {"name": "ntu25"}, "fps": 15, "training": training, "members": []}


FOLD = {"split": "by-performer", "fold": 2}


@pytest.mark.parametrize(
    ("data", "command"),
    [
        (
            format_1("encoder", {"stage": "pretrain", "corpus": "made", "split": None, "fold": None}),
            r"kinespan pretrain CORPUS --out FOLDER \(CORPUS: made\)",
        ),
        (
            format_1("localizer", {"stage": "finetune", "corpus": "made", "protocol": "linear", **FOLD}),
            r"kinespan finetune CORPUS --protocol linear --split by-performer --fold 2 --out FOLDER \(CORPUS: made\)",
        ),
        (format_1("localizer", {}), r"kinespan finetune CORPUS --out FOLDER$"),
        ({**format_1("fused", {}), "members": [{}, {}]}, "kinespan learn .*kinespan ensemble"),
    ],
)
def test_format_1_is_refused_with_the_command_that_makes_the_model_anew(tmp_path, data, command):
    write(tmp_path / "m.safetensors", json.dumps(data))
    with pytest.raises(InputError, match=rf"m\.safetensors: model format is 1, .* make it anew: {command}"):
        read_spec(tmp_path / "m.safetensors")


def test_a_later_format_asks_for_an_update(tmp_path):
    write(tmp_path / "m.safetensors", json.dumps({**SPEC.to_dict(), "format": 3}))
    with pytest.raises(InputError, match=r"format is 3, this version reads 2; update kinespan"):
        read_spec(tmp_path / "m.safetensors")


def test_fields_that_are_missing_are_named(tmp_path):
    data = SPEC.to_dict()
    del data["encoder"]
    write(tmp_path / "m.safetensors", json.dumps(data))
    with pytest.raises(InputError, match="encoder"):
        read_spec(tmp_path / "m.safetensors")


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    save_weights(path, {"a": torch.zeros(100)}, SPEC)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match=r"m\.safetensors"):
        read_spec(path)
