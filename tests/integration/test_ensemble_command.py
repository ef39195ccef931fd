"""A fused model through the commands: a model fused with itself does what it does alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinespan.runs.outputs import read_scores

Command = Callable[..., Any]
SPLIT = ("--split", "by-performer")


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_fused_model_is_used_like_any_other(jobs: Path, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "fused.safetensors"
    done = command("ensemble", "fine", "fine/model.safetensors", "--weights", 2, 1, "--out", file)
    assert done.code == 0, done.err
    assert "2 x fine: joint, joint_motion" in done.out

    done = command("evaluate", file, "corpus", *SPLIT, "--out", tmp_path / "metrics.json")
    assert done.code == 0, done.err
    assert "protocol linear" in done.out
    metrics, alone = load(tmp_path / "metrics.json"), load(jobs / "fine" / "metrics.json")
    assert metrics["map"] == pytest.approx(alone["map"], abs=1e-3)
    assert metrics["frame_accuracy"] == pytest.approx(alone["frame_accuracy"], abs=1e-3)
    assert metrics["facts"]["pretrained"]["method"] == "skeletonclr"

    out = tmp_path / "out"
    assert command("localize", file, "corpus", *SPLIT, "--out", out).code == 0
    scores, expected = (read_scores(folder / "scores.npz").scores for folder in (out, jobs / "fine"))
    assert scores.keys() == expected.keys()
    assert all(np.allclose(scores[name], expected[name], atol=2e-3) for name in scores)

    done = command("report", out, "--out", tmp_path / "report.html")
    assert done.code == 0, done.err
    assert "skeletonclr, snippets aligned" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_fused_model_is_not_finetuned_from(jobs: Path, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "fused.safetensors"
    assert command("ensemble", "fine", "fine", "--out", file).code == 0
    done = command("finetune", "corpus", "--pretrained", file, "--out", tmp_path / "run", "--steps", 1)
    assert done.code == 2
    assert "an ensemble has no encoder of its own" in done.err
    assert not (tmp_path / "run").exists()
