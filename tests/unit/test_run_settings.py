from __future__ import annotations

from pathlib import Path

import pytest

from kinespan.config import PretrainConfig, SnippetConfig
from kinespan.errors import InputError
from kinespan.runs.settings import load_settings, save_settings


def test_settings_are_written_whole_and_come_back_as_plain_values(tmp_path: Path) -> None:
    save_settings(tmp_path / "run", "pretrain", PretrainConfig(steps=7), {"corpus": "c"})
    found = load_settings(tmp_path / "run")
    assert (found["stage"], found["corpus"], found["config"]["steps"]) == ("pretrain", "c", 7)
    assert found["config"]["network"]["streams"] == ["joint", "joint_motion"]
    assert load_settings(tmp_path / "none") == {}


def test_a_run_is_resumed_with_its_own_settings_only(tmp_path: Path) -> None:
    begun = PretrainConfig(steps=7)
    save_settings(tmp_path, "pretrain", begun, {})
    save_settings(tmp_path, "pretrain", PretrainConfig(steps=7, save_every=3), {}, resume=True)
    with pytest.raises(InputError, match="started with steps 7, --resume came with steps 9"):
        save_settings(tmp_path, "pretrain", PretrainConfig(steps=9), {}, resume=True)
    other = PretrainConfig(steps=7, snippet=SnippetConfig(variant="off"))
    with pytest.raises(InputError, match="snippet"):
        save_settings(tmp_path, "pretrain", other, {}, resume=True)
    assert load_settings(tmp_path)["config"]["steps"] == 7


def test_a_run_is_resumed_from_its_own_encoder_and_teachers_only(tmp_path: Path) -> None:
    config, began = PretrainConfig(), {"pretrained": "pre", "teachers": ["one", "two"]}
    save_settings(tmp_path, "finetune", config, {"corpus": "here", **began})
    save_settings(tmp_path, "finetune", config, {"corpus": "moved", **began}, resume=True)
    with pytest.raises(InputError, match="started with --pretrained pre, --resume came without --pretrained"):
        save_settings(tmp_path, "finetune", config, {**began, "pretrained": None}, resume=True)
    with pytest.raises(InputError, match="started with --teachers one two, --resume came with --teachers two one"):
        save_settings(tmp_path, "finetune", config, {**began, "teachers": ["two", "one"]}, resume=True)
    with pytest.raises(InputError, match="--resume came without --teachers"):
        save_settings(tmp_path, "finetune", config, {"pretrained": "pre"}, resume=True)
    assert load_settings(tmp_path)["corpus"] == "moved"
