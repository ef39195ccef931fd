"""Snippets cut from fused features: the fusion is pretrained with the encoder, and finetuning starts from both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from training_cases import SMALL, TUNE

from kinespan.errors import InputError
from kinespan.localizer import load_model
from kinespan.model_file import read_spec, read_weights, save_weights
from kinespan.pretrain import METHODS
from kinespan.train.finetuning import encoder_weights, finetune
from kinespan.train.pretraining import ENCODER_FILE, PretrainModule, pretrain

pytestmark = pytest.mark.usefixtures("one_thread")

STILL = replace(TUNE, steps=1, lr=1e-12, weight_decay=0.0, protocol="finetune")
"""Finetuning that moves no weight."""


def parts(file, start):
    """The weights of a part, its norms' statistics left out: they move with every step."""
    found = {name.removeprefix(start): part for name, part in read_weights(file).items() if name.startswith(start)}
    return {name: part for name, part in found.items() if "running" not in name and "num_batches" not in name}


FUSED = replace(SMALL, snippet=replace(SMALL.snippet, features="fused"))


@pytest.fixture(scope="module")
def fused(corpus, tmp_path_factory):
    """The folder of a short run whose snippets are of fused features; those of `pretrained` are of the deepest map."""
    out = tmp_path_factory.mktemp("runs") / "fused"
    pretrain(corpus, out, FUSED, quiet=True)
    return out


def test_the_file_has_the_fusion_where_snippets_are_of_fused_features(pretrained, fused):
    fused, plain = fused / ENCODER_FILE, pretrained / ENCODER_FILE
    assert (read_spec(fused).fusion, read_spec(plain).fusion) == ("nested_u", None)
    assert parts(fused, "fusion.")
    assert not parts(plain, "fusion.")
    assert encoder_weights(fused).keys() == read_weights(plain).keys() == encoder_weights(plain).keys()


def test_the_fusion_is_trained_and_its_copy_follows(corpus, tmp_path, monkeypatch):
    """The query's fusion moves by gradients, the key's is what momentum makes of it: another, and not far."""
    before, after = {}, {}

    def watched(self, *args, **kwargs):
        if not before:
            before.update({name: part.detach().clone() for name, part in self.method.term.fusion.named_parameters()})
        step(self, *args, **kwargs)
        after.update(fast=dict(self.method.term.fusion.named_parameters()))
        after.update(slow=dict(self.method.term.key_fusion.named_parameters()))

    step = PretrainModule.optimizer_step
    monkeypatch.setattr(PretrainModule, "optimizer_step", watched)
    pretrain(corpus, tmp_path / "run", replace(FUSED, steps=2, save_every=2), quiet=True)
    moved = [name for name, part in after["fast"].items() if not torch.equal(part, before[name])]
    assert len(moved) == len(before)
    for name, start in before.items():
        fast, slow = (after[which][name].detach() - start for which in ("fast", "slow"))
        assert not after["slow"][name].requires_grad
        assert 0 < float(slow.norm()) < float(fast.norm()), name


def test_finetuning_starts_from_encoder_and_fusion(corpus, fused, tmp_path):
    model = finetune(corpus, tmp_path / "run", STILL, pretrained=fused, quiet=True)
    file = fused / ENCODER_FILE
    encoder = {name: part for name, part in parts(file, "").items() if not name.startswith("fusion.")}
    for module, kept in ((model.fusion, parts(file, "fusion.")), (model.encoder, encoder)):
        own = module.state_dict()
        assert kept
        assert all(torch.allclose(own[name], part, atol=1e-6) for name, part in kept.items())


def test_without_one_the_fusion_is_new(corpus, fused, pretrained, tmp_path):
    file = parts(fused / ENCODER_FILE, "fusion.")
    new = finetune(corpus, tmp_path / "new", STILL, pretrained=pretrained, quiet=True).fusion.state_dict()
    assert any(not torch.allclose(new[name], part, atol=1e-3) for name, part in file.items())
    plain = finetune(corpus, tmp_path / "plain", replace(STILL, fusion="last_map"), pretrained=fused, quiet=True)
    assert plain.spec.fusion == "last_map"


def test_a_localizer_gives_its_encoder_alone(corpus, fused, tmp_path):
    """Its fusion was trained for other labels."""
    first = finetune(corpus, tmp_path / "first", replace(TUNE, steps=3), pretrained=fused, quiet=True)
    second = finetune(corpus, tmp_path / "second", replace(STILL, seed=5), pretrained=tmp_path / "first", quiet=True)
    assert torch.allclose(next(first.encoder.parameters()), next(second.encoder.parameters()), atol=1e-6)
    assert not torch.allclose(first.fusion.join.weight, second.fusion.join.weight, atol=1e-3)


def test_a_linear_probe_is_of_what_was_pretrained(corpus, pretrained, fused, tmp_path):
    linear = replace(TUNE, protocol="linear", steps=2)
    found = {
        name: finetune(corpus, tmp_path / name, linear, pretrained=run, quiet=True)
        for name, run in (("fused", fused), ("deepest", pretrained))
    }
    assert {name: model.spec.fusion for name, model in found.items()} == {"fused": "nested_u", "deepest": "last_map"}
    kept = parts(fused / ENCODER_FILE, "fusion.")
    assert all(torch.equal(found["fused"].fusion.state_dict()[name], part) for name, part in kept.items())
    recording = corpus[corpus.names[0]]
    again = load_model(tmp_path / "fused")
    assert np.array_equal(again.frame_scores(recording), found["fused"].frame_scores(recording))
    with pytest.raises(InputError, match="never trained"):
        finetune(corpus, tmp_path / "no", replace(linear, fusion="nested_u"), pretrained=pretrained, quiet=True)
    assert not (tmp_path / "no").exists()


def test_a_fusion_that_does_not_fit_is_named(corpus, fused, tmp_path):
    weights = read_weights(fused / ENCODER_FILE)
    weights["fusion.join.weight"] = torch.zeros(3, 3, 1)
    save_weights(tmp_path / "odd.safetensors", weights, read_spec(fused / ENCODER_FILE))
    with pytest.raises(InputError, match=r"odd\.safetensors.*do not fit"):
        finetune(corpus, tmp_path / "run", STILL, pretrained=tmp_path / "odd.safetensors", quiet=True)


def test_snippets_of_fused_features_need_no_whole_strides(corpus, tmp_path):
    """Their features are at full rate, so a clip of 34 frames will do; of the deepest map it will not."""
    config = replace(FUSED, clip_frames=34, steps=1, save_every=1)
    assert pretrain(corpus, tmp_path / "fused", config, quiet=True).is_file()
    with pytest.raises(InputError, match="clip_frames 34"):
        pretrain(corpus, tmp_path / "deepest", replace(config, snippet=SMALL.snippet), quiet=True)


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_takes_it(corpus, tmp_path, method):
    network = replace(SMALL.network, fuse_streams="late" if method == "crosclr" else "early")
    config = replace(FUSED, method=method, network=network, steps=2, save_every=2)
    file = pretrain(corpus, tmp_path / "run", config, quiet=True)
    assert parts(file, "fusion.")
    assert all(torch.isfinite(part).all() for part in read_weights(file).values())
