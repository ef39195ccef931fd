"""What lies in the folder of a run, and whether a run can start or resume there; without torch, so told at once."""

from __future__ import annotations

from pathlib import Path

from ..config import FinetuneConfig
from ..errors import InputError
from ..models.model_file import read_spec
from .settings import load_settings

CHECKPOINT = "last.ckpt"
ENCODER_FILE = "encoder.safetensors"
MODEL_FILE = "model.safetensors"
SHIPPED = Path(__file__).parents[1] / "pretrained" / "default.safetensors"
"""The encoder that is part of the package, `--pretrained default`; pretrained/default.md tells of it."""


def check_run_folder(out: Path, resume: bool, result: str) -> Path | None:
    """The checkpoint to resume from, or None for a fresh run.

    Raises InputError where a fresh run would overwrite another, or where there is nothing to resume.
    """
    checkpoint = out / CHECKPOINT
    if resume:
        if not checkpoint.is_file():
            raise InputError(f"{out}: no checkpoint ({CHECKPOINT}) to resume from; start without --resume")
        return checkpoint
    if checkpoint.exists() or (out / result).exists():
        raise InputError(f"{out}: holds a run already; resume it with --resume, or name another --out")
    return None


def check_learn_folder(out: Path, resume: bool) -> None:
    """Raise InputError where a fresh run of `learn` would overwrite another, or where there is none to resume."""
    stage = load_settings(out).get("stage")
    if resume and stage != "learn":
        raise InputError(f"{out}: holds no run of kinespan learn to resume; start without --resume")
    if not resume and (stage or (out / MODEL_FILE).exists()):
        raise InputError(f"{out}: holds a run already; resume it with --resume, or name another --out")


def pretrained_path(text: str | None) -> Path | None:
    """What --pretrained names: `default` is the encoder of the package, a folder of that name is ./default."""
    return SHIPPED if text == "default" else None if text is None else Path(text)


def pretrained_file(path: Path) -> Path:
    """The model file that a path means: itself, or the encoder or model in the folder of a run."""
    if not path.is_dir():
        return path
    for name in (ENCODER_FILE, MODEL_FILE):
        if (path / name).is_file():
            return path / name
    raise InputError(f"{path}: holds neither {ENCODER_FILE} nor {MODEL_FILE}; was the run finished?")


PREDICTIONS_FILE, TRUTH_FILE, SPANS_FILE = "predictions.json", "truth.json", "spans.csv"


SCORES_FILE, METRICS_FILE = "scores.npz", "metrics.json"


def check_start(config: FinetuneConfig, pretrained: Path | None) -> None:
    """Raise InputError where a run cannot start from `pretrained`, or there is no model there."""
    if config.protocol == "scratch" and pretrained is not None:
        raise InputError("protocol scratch starts untrained: leave --pretrained out, or use --protocol finetune")
    if pretrained is not None:
        read_spec(pretrained_file(pretrained))
