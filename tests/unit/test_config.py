"""Settings: contradictions are refused; every setting has a docstring."""

from __future__ import annotations

import ast
import inspect
from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest

from kinespan import config
from kinespan.config import FinetuneConfig, NetworkConfig, PretrainConfig, SnippetConfig
from kinespan.errors import InputError

CLASSES = [part for _, part in inspect.getmembers(config, inspect.isclass) if is_dataclass(part)]


@pytest.mark.parametrize("part", CLASSES, ids=lambda part: part.__name__)
def test_defaults_are_valid_and_settings_are_frozen(part):
    settings = part()
    with pytest.raises(FrozenInstanceError):
        setattr(settings, fields(part)[0].name, None)


@pytest.mark.parametrize("part", CLASSES, ids=lambda part: part.__name__)
def test_every_setting_has_a_docstring(part):
    """The line under a setting is its help, so that it must be there."""
    [body] = [node.body for node in ast.parse(inspect.getsource(part)).body]
    for before, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(before, ast.AnnAssign):
            assert isinstance(after, ast.Expr), before.target.id
            assert isinstance(after.value, ast.Constant), before.target.id


@pytest.mark.parametrize("name", ["clip_frames", "batch_size", "steps", "lr", "save_every"])
@pytest.mark.parametrize("part", [PretrainConfig, FinetuneConfig])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_numbers_that_are_not_positive_are_refused(part, name, value):
    with pytest.raises(InputError, match=name):
        part(**{name: value})


@pytest.mark.parametrize(
    ("part", "values", "named"),
    [
        (PretrainConfig, {"clip_frames": 15}, "clip_frames"),
        (PretrainConfig, {"snippet": SnippetConfig(frames=40)}, "snippet.frames"),
        (SnippetConfig, {"weight": -1}, "weight"),
        (SnippetConfig, {"margin": -0.1}, "margin"),
        (SnippetConfig, {"frames": 0}, "frames"),
        (SnippetConfig, {"queue": 0}, "queue"),
        (NetworkConfig, {"fps": 0}, "fps"),
        (FinetuneConfig, {"label_fraction": 1.2}, "label_fraction"),
        (FinetuneConfig, {"label_fraction": 0}, "label_fraction"),
        (FinetuneConfig, {"protocol": "linear", "fusion": "nested_u"}, "last_map"),
        (SnippetConfig, {"variant": "aligned", "neighbours": 1}, "--snippet.variant paper"),
    ],
)
def test_contradictions_name_the_setting(part, values, named):
    with pytest.raises(InputError, match=named):
        part(**values)


def test_clip_of_two_snippets_is_allowed():
    assert PretrainConfig(clip_frames=16).snippet.frames == 8


@pytest.mark.parametrize(
    ("protocol", "fusion", "expected"),
    [
        ("linear", "auto", "last_map"),
        ("finetune", "auto", "nested_u"),
        ("scratch", "auto", "nested_u"),
        ("finetune", "last_map", "last_map"),
        ("linear", "last_map", "last_map"),
    ],
)
def test_auto_fusion_is_the_u_except_for_the_linear_probe(protocol, fusion, expected):
    assert FinetuneConfig(protocol=protocol, fusion=fusion).fusion_name == expected


@pytest.mark.parametrize(
    ("protocol", "lr", "expected"),
    [("linear", "auto", 1e-2), ("finetune", "auto", 2e-3), ("scratch", "auto", 2e-3), ("linear", 0.5, 0.5)],
)
def test_auto_learning_rate_is_larger_for_the_linear_probe(protocol, lr, expected):
    assert FinetuneConfig(protocol=protocol, lr=lr).peak_lr == expected
