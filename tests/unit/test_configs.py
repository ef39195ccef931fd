"""Every shipped YAML is understood and trains: what is in configs/ never rots."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kinespan.cli import load_command, main
from kinespan.config import PretrainConfig
from kinespan.models.model_file import read_spec
from kinespan.prepare.prepare import prepare_synthetic
from kinespan.prepare.synthetic.takes import SyntheticConfig

CONFIGS = Path(__file__).parents[2] / "configs"
FILES = sorted((CONFIGS / "pretrain").glob("*.yaml"))


def pretrain_settings(file: Path, *flags: str) -> PretrainConfig:
    _, config = load_command("pretrain").parse(["corpus", "--out", "run", "--config", str(file), *flags])
    return config


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("configs") / "corpus"
    prepare_synthetic(path, SyntheticConfig(recordings=3, seconds=(8.0, 9.0)))
    return path


def test_every_shipped_config_is_of_a_known_stage() -> None:
    """Tables of papers have tests of their own (tests/integration/test_reproduce.py)."""
    assert {file.parent.name for file in CONFIGS.rglob("*.yaml")} == {"pretrain", "reproduce"}
    assert len(FILES) >= 4


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_shipped_config_says_what_it_sets(file: Path) -> None:
    """Each key of the file arrives as written; nothing is silently dropped."""

    def check(made: object, written: dict[str, object]) -> None:
        for name, value in written.items():
            found = getattr(made, name)
            if isinstance(value, dict) and not isinstance(found, dict):
                check(found, value)
            else:
                assert (list(found) if isinstance(found, tuple) else found) == value, name

    check(pretrain_settings(file), yaml.safe_load(file.read_text()))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_shipped_config_trains_a_step(file: Path, corpus: Path, tmp_path: Path) -> None:
    run, few = tmp_path / "run", ["--steps", "1", "--batch-size", "3", "--probe-every", "0"]
    if pretrain_settings(file).clip_frames > 128:
        few += ["--clip-frames", "96"]  # minutes of a large network's time would show no more
    assert main(["pretrain", str(corpus), "--out", str(run), "--config", str(file), *few]) == 0
    spec, config = read_spec(run / "encoder.safetensors"), pretrain_settings(file)
    assert (spec.encoder, spec.input.streams) == (config.network.encoder, config.network.streams)
    assert spec.training["steps"] == 1  # the flag wins over the file
    assert spec.training["snippets"] == config.snippet.variant


def test_the_variants_differ_in_the_snippet_term_alone() -> None:
    """What the three short recipes are for: a comparison in which one thing changes."""
    names = ("skeletonclr", "skeletonclr_snippets", "skeletonclr_snippets_paper")
    loaded = [yaml.safe_load((CONFIGS / "pretrain" / f"{name}.yaml").read_text()) for name in names]
    terms = [config.pop("snippet") for config in loaded]
    assert loaded[0] == loaded[1] == loaded[2]
    assert [term["variant"] for term in terms] == ["off", "aligned", "paper"]
    assert terms[2]["weight"] == 1.5


def test_the_default_is_the_shipped_snippet_recipe() -> None:
    assert pretrain_settings(CONFIGS / "pretrain" / "skeletonclr_snippets.yaml") == PretrainConfig()


@pytest.mark.parametrize("word", ["off", "aligned", "paper"])
def test_every_variant_is_named_by_a_flag(word: str) -> None:
    file = CONFIGS / "pretrain" / "skeletonclr.yaml"
    assert pretrain_settings(file, "--snippet.variant", word).snippet.variant == word
