"""The settings of the commands, given by keyword in Python."""

from __future__ import annotations

import inspect
from dataclasses import fields

import numpy as np
import pytest

import kinespan
from kinespan.cli import load_command
from kinespan.config import FinetuneConfig, LearnConfig, NetworkConfig, Normalisation, PretrainConfig
from kinespan.config.parser import SHORT, settings_by_keyword
from kinespan.errors import InputError

TRAINING = {"learn": LearnConfig, "finetune": FinetuneConfig, "pretrain": PretrainConfig}
RENAMED = {"corpus": "source", "corpora": "source", "from_": "continue_from"}
"""What the functions call a word of a command."""


@pytest.mark.parametrize("name", TRAINING)
def test_every_argument_of_a_training_command_is_one_of_its_function(name: str) -> None:
    kind, parameters = TRAINING[name], inspect.signature(getattr(kinespan, name)).parameters
    for argument in load_command(name, []).arguments:
        if argument.owner.__module__.startswith("kinespan.config"):
            keyword = argument.path.replace(".", "__")
            if argument.path == "options":
                continue
            assert settings_by_keyword(kind, None, {keyword: argument.default}) == kind()
        elif argument.path != "config":  # a file of settings; in Python they are an object
            assert RENAMED.get(argument.path, argument.path) in parameters
    assert parameters["config"].annotation == f"{kind.__name__} | None"


def test_settings_are_given_by_name_nested_or_short() -> None:
    expected = NetworkConfig(encoder="tcn", fps=30.0)
    for keywords in (
        {"network": expected},
        {"network": {"encoder": "tcn", "fps": 30}},
        {"network__encoder": "tcn", "network__fps": 30},
        {"encoder": "tcn", "network__fps": 30},
        {"encoder": "tcn", "network": NetworkConfig(encoder="stgcn", fps=30.0)},
    ):
        assert settings_by_keyword(LearnConfig, None, keywords) == LearnConfig(network=expected), keywords
    deep = settings_by_keyword(LearnConfig, None, {"network__normalisation__fill_gap": 1.0})
    assert deep.network.normalisation == Normalisation(fill_gap=1.0)
    assert settings_by_keyword(PretrainConfig, None, {"snippets": "paper"}).snippet.variant == "paper"
    assert settings_by_keyword(PretrainConfig, None, {"options": {"topk": 3}}).options == {"topk": 3}


def test_keywords_stand_over_a_config_and_keep_the_rest_of_it() -> None:
    config = FinetuneConfig(steps=7, network=NetworkConfig(encoder="tcn", streams=("bone",)))
    changed = settings_by_keyword(FinetuneConfig, config, {"seed": 3, "encoder": "stgcn"})
    assert (changed.steps, changed.seed) == (7, 3)
    assert changed.network == NetworkConfig(encoder="stgcn", streams=("bone",))
    assert settings_by_keyword(FinetuneConfig, config, {}) == config


def test_numbers_of_numpy_are_numbers() -> None:
    config = settings_by_keyword(
        FinetuneConfig, None, {"steps": np.int64(5), "lr": np.float32(0.5), "lr_drops": np.array([0.5])}
    )
    assert (config.steps, config.lr, config.lr_drops) == (5, 0.5, (0.5,))
    assert type(config.steps) is int


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"step": 3}, "unknown setting 'step'; did you mean 'steps'?"),
        ({"network__encodr": "tcn"}, "did you mean 'network.encoder'?"),
        ({"snippets": "paper"}, "unknown setting 'snippets'"),
        ({"steps": "many"}, "steps: found 'many', expected a whole number"),
        ({"steps": 0}, "steps is 0, expected a positive number"),
        ({"label_fraction": 20}, "label_fraction is 20"),
    ],
)
def test_mistakes_name_the_setting(keywords: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        settings_by_keyword(FinetuneConfig, None, keywords)
    assert message in str(error.value)


@pytest.mark.parametrize("name", TRAINING)
def test_training_functions_check_their_keywords_before_they_read_anything(name: str) -> None:
    with pytest.raises(InputError, match="did you mean 'seed'"):
        getattr(kinespan, name)("no corpus", "run", sed=3)
    with pytest.raises(InputError, match=f"config: found NetworkConfig, expected {TRAINING[name].__name__}"):
        getattr(kinespan, name)("no corpus", "run", NetworkConfig())


def test_short_names_are_those_of_settings() -> None:
    known = {field.name for kind in TRAINING.values() for field in fields(kind)}
    assert not set(SHORT) & known
    assert {path.partition(".")[0] for path in SHORT.values()} <= known
