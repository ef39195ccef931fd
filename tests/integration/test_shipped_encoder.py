"""The encoder that is part of the package: what its card says is so, and it can be started from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import torch
import yaml
from benchmarks.study.shipped_encoder import CONFIG

from kinespan.config import FinetuneConfig, PretrainConfig
from kinespan.config.parser import parse_settings
from kinespan.corpus import Corpus
from kinespan.models.model_file import read_spec, read_weights
from kinespan.prepare.prepare import prepare_synthetic
from kinespan.prepare.synthetic.takes import SyntheticConfig
from kinespan.runs.folder import SHIPPED, pretrained_file
from kinespan.train.finetuning import finetune


def test_the_shipped_encoder_is_small_and_states_its_training() -> None:
    assert Path(str(files("kinespan"))) / "pretrained" / "default.safetensors" == SHIPPED
    assert SHIPPED.stat().st_size < 5_000_000
    spec, config = read_spec(SHIPPED), parse_settings(PretrainConfig, yaml.safe_load(CONFIG.read_text()), CONFIG.name)
    assert (spec.kind, spec.input.skeleton.name) == ("encoder", "ntu25")
    assert (spec.encoder, spec.input.streams, spec.input.fps) == (
        config.network.encoder,
        config.network.streams,
        config.network.fps,
    )
    assert (spec.training["steps"], spec.training["snippets"]) == (config.steps, "aligned")
    assert "HDM05" in spec.licence


def test_the_card_describes_the_shipped_encoder() -> None:
    card, spec = SHIPPED.with_suffix(".md").read_text(encoding="utf-8"), read_spec(SHIPPED)
    size = sum(part.numel() for part in read_weights(SHIPPED).values())
    for fact in (f"{size:,} parameters", f"{spec.training['recordings']} recordings", spec.licence, spec.encoder,
                 "The data used in this project was obtained from", "mocap.cs.cmu.edu", "CG-2007-2"):  # fmt: skip
        assert fact in card


def test_finetuning_starts_from_the_shipped_encoder(tmp_path: Path) -> None:
    prepare_synthetic(tmp_path / "corpus", SyntheticConfig(recordings=4, seconds=(6.0, 7.0), fps=15.0))
    config = FinetuneConfig(steps=1, batch_size=2, lr=1e-12, weight_decay=0.0)
    model = finetune(Corpus.open(tmp_path / "corpus"), tmp_path / "run", config, pretrained=SHIPPED, quiet=True)
    assert model.spec.training["pretrained"]["corpus"] == read_spec(SHIPPED).training["corpus"]
    weights = {
        name: part
        for name, part in read_weights(SHIPPED).items()
        if "running" not in name and "num_batches" not in name
    }
    own = model.encoder.state_dict()
    assert all(torch.allclose(own[name], part, atol=1e-6) for name, part in weights.items())


def test_a_folder_named_default_is_named_by_its_path() -> None:
    assert pretrained_file("default") == SHIPPED
    assert pretrained_file("./default") == Path("default")
