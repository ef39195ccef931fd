"""The folder of a run: the names of its files, and whether a run can start or resume in it. It needs no torch."""

from __future__ import annotations

from pathlib import Path

from ..config import FinetuneConfig
from ..errors import InputError
from ..models.model_file import ModelSpec, read_spec
from .settings import load_settings

CHECKPOINT = "last.ckpt"
ENCODER_FILE, MODEL_FILE = "encoder.safetensors", "model.safetensors"
LOG_FILE = "metrics.csv"
"""Losses and other figures of training, by step."""
SPANS_FILE, SUMMARY_FILE, TRANSITIONS_FILE = "spans.csv", "summary.csv", "transitions.csv"
PROPOSALS_FILE, TRUTH_FILE = "proposals.json", "truth.json"
SCORES_FILE, METRICS_FILE = "scores.npz", "metrics.json"
REHEARSAL_FOLDER, REHEARSAL_FILE = "rehearsal", "rehearsal.json"
"""In the folder of a run: the folder of its rehearsal, and what that told, written when it is done."""
MEMBERS_FILE = "members.npz"
"""The scores of each network of an ensemble, as in scores.npz, with MEMBER/NAME for NAME; members count from 1."""
GROWN_FILE = "grown_labels.csv"
"""The labels that a run was trained on in place of point labels: the spans that were grown around them."""
FOLDS_FILE = "folds.json"
"""The figures of every fold, their mean and deviation, in the folder of a run of every fold."""
SHIPPED = Path(__file__).parents[1] / "pretrained" / "default.safetensors"
"""The encoder that is part of the package, `--pretrained default`; pretrained/default.md describes it."""


def check_run_folder(out: Path, resume: bool, result: str) -> Path | None:
    """The checkpoint to resume from, or None for a fresh run and for one that was stopped before its first.

    Raises InputError where a fresh run would overwrite another, or where there is nothing to resume.
    """
    checkpoint = out / CHECKPOINT
    if not resume:
        _check_free(out, checkpoint.exists() or (out / result).exists() or rehearsal_is_begun(out))
        return None
    if not can_resume(out):
        raise InputError(f"{out}: no checkpoint ({CHECKPOINT}) to resume from; start without --resume")
    return checkpoint if checkpoint.is_file() else None


def can_resume(out: Path) -> bool:
    """Whether the folder of a run holds a checkpoint of it, or of its rehearsal, to go on from."""
    return (out / CHECKPOINT).is_file() or rehearsal_is_begun(out)


def rehearsal_is_begun(out: Path) -> bool:
    """Whether the folder of a run holds a checkpoint of its rehearsal, or what that told."""
    folder = out / REHEARSAL_FOLDER
    return (folder / CHECKPOINT).is_file() or (folder / REHEARSAL_FILE).is_file()


def check_learn_folder(out: Path, resume: bool) -> None:
    """Raise InputError where a fresh run of `learn` would overwrite another, or where there is none to resume."""
    stage = load_settings(out).get("stage")
    if not resume:
        _check_free(out, bool(stage) or (out / MODEL_FILE).exists())
    elif stage != "learn":
        raise InputError(f"{out}: holds no run of kinespan learn to resume; start without --resume")


def check_answers_folder(out: Path, overwrite: bool) -> None:
    """Raise InputError where `localize` would overwrite other answers, or write into the folder of a run."""
    if any((out / name).exists() for name in (CHECKPOINT, MODEL_FILE, ENCODER_FILE)):
        raise InputError(f"--out {out}: is the folder of a run; name another one for the answers")
    if not overwrite and any((out / name).exists() for name in (SPANS_FILE, PROPOSALS_FILE)):
        raise InputError(f"--out {out}: holds answers already; name another folder, or replace them with --overwrite")


def _check_free(out: Path, occupied: bool) -> None:
    if occupied:
        raise InputError(f"{out}: holds a run already; resume it with --resume, or name another --out")


def localizer_file(path: str | Path) -> Path:
    """The file of a model that localizes: `path` itself, or the model in the folder of a run.

    Raises InputError where there is none, and for a pretrained encoder.
    """
    file = Path(path) / MODEL_FILE if Path(path).is_dir() else Path(path)
    if read_spec(file).kind == "encoder":
        raise InputError(
            f"{file}: a pretrained encoder, it names no actions; run kinespan finetune --pretrained {file}"
        )
    return file


def pretrained_file(path: str | Path) -> Path:
    """The model file that --pretrained names: itself, or the encoder or model in the folder of a run.

    The text `default` is the encoder of the package; a folder of that name is ./default.
    """
    path = SHIPPED if path == "default" else Path(path)
    if not path.is_dir():
        return path
    for name in (ENCODER_FILE, MODEL_FILE):
        if (path / name).is_file():
            return path / name
    if (path / FOLDS_FILE).is_file():
        raise InputError(f"{path}: a run of every fold; give the run of one, such as {path / 'fold1'}")
    raise InputError(f"{path}: holds neither {ENCODER_FILE} nor {MODEL_FILE}; was the run finished?")


def pretrained_spec(path: str | Path | None, config: FinetuneConfig | None = None) -> ModelSpec | None:
    """The spec of the model that --pretrained names, None where it names none.

    Raises InputError where there is no model, and for one that a run of these settings cannot start from.
    """
    if path is None:
        return None
    if config is not None and config.protocol == "scratch":
        raise InputError("protocol scratch starts untrained: leave --pretrained out, or use --protocol finetune")
    file = pretrained_file(path)
    spec = read_spec(file)
    if spec.kind == "ensemble":
        raise InputError(f"{file}: an ensemble has no encoder of its own; give the run of one of its members")
    return spec
