"""The encoder of an earlier run of `learn`, in place of pretraining the same one again.

Pretraining is the longest part of `learn` and knows no labels, so runs on the same recordings that differ in labels,
in their share or in the settings of later trainings pretrain the same encoder. `pretrain` notes in settings.yaml a key
of all that its weights follow from; a run finds those beside its folder, and those of the same fold beside a run of
every fold, and copies the encoder whose key is its own. Nothing is kept anywhere else, and what is deleted is gone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml

from .. import __version__
from ..config import PretrainConfig
from ..corpus.training_set import TrainingSet
from ..encoders import ENCODERS
from ..files import write_atomically
from ..methods import METHODS
from ..models.precision import in_bfloat16
from ..runs.folder import CHECKPOINT, ENCODER_FILE, LOG_FILE
from ..runs.settings import SETTINGS_FILE, load_settings, settings_of
from .leakage import training_data_facts
from .stages import Stage

KEY = "key"
"""The name of the key in settings.yaml."""
NOT_IN_KEY = ("split", "fold", "save_every", "probe_every", "precision")
"""Settings that say which recordings are used, or that the weights do not follow from."""


def pretraining_key(sets: Sequence[TrainingSet], config: PretrainConfig) -> str | None:
    """A digest of all that the weights of a pretrained encoder follow from: recordings, settings, versions, the device.

    None where code of others takes part, whose changes nobody knows.
    """
    if {ENCODERS.origin(config.network.encoder), METHODS.origin(config.method)} != {"kinespan"}:
        return None
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    device = "cpu" if accelerator is None else accelerator.type
    content = {
        "versions": [__version__, torch.__version__],
        "device": [device, 1 if accelerator is None else torch.accelerator.device_count()],
        "bfloat16": in_bfloat16(config.precision, device),
        "settings": {name: value for name, value in settings_of(config).items() if name not in NOT_IN_KEY},
        "data": training_data_facts(sets),
        "recordings": [_recording_facts(data) for data in sets],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _recording_facts(data: TrainingSet) -> list[list[Any]]:
    """Name, skeleton, rate and checksum of each recording."""
    infos = [data.corpus.infos[data.corpus.index(name)] for name in data.names]
    return [[info.name, asdict(info.skeleton), info.fps, info.checksum] for info in infos]


def key_fact(sets: Sequence[TrainingSet], config: PretrainConfig, out: Path, resume: bool) -> dict[str, str]:
    """The key as a fact for settings.yaml; none where a part of a resumed run had another one."""
    key = pretraining_key(sets, config)
    changed = resume and load_settings(out).get(KEY) != key
    return {} if key is None or changed else {KEY: key}


def reuse_encoders(stages: Sequence[Stage], out: Path, log: Callable[[str], None]) -> None:
    """Copy encoders of runs beside `out`, a run of `learn`, for stages that would pretrain the same; log says which."""
    for stage in stages:
        if stage.result != ENCODER_FILE or stage.done or (stage.folder / CHECKPOINT).is_file():
            continue
        data, _, config = stage.run.args
        key = pretraining_key([data], config)
        run = None if key is None else next(runs_with(key, out), None)
        if run is not None:
            copy_run(run, stage.folder)
            log(f"{stage.folder.name}: the encoder of {run}, of the same recordings and settings")


def runs_with(key: str, out: Path) -> Iterator[Path]:
    """The finished runs of pretraining with a key, beside `out`."""
    homes = [out.parent]
    if "\n  fold: all\n" in _text(out.parent / SETTINGS_FILE):  # of a run of every fold
        homes.append(out.parent.parent)
    for run in (run for home in homes for run in _runs_in(home)):
        if f"{KEY}: {key}" in _text(run / SETTINGS_FILE) and (run / ENCODER_FILE).is_file():
            yield run


def _text(file: Path) -> str:
    """The text of a file, which may be anybody's; empty where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _runs_in(home: Path) -> Iterator[Path]:
    """The runs in a folder, the stages of those of `learn`, and those of every fold."""
    for folder in sorted(home.iterdir()):
        if _text(folder / SETTINGS_FILE):
            yield from (folder, folder / "pretrain")
            yield from (run for fold in sorted(folder.glob("fold*")) for run in (fold, fold / "pretrain"))


def copy_run(run: Path, folder: Path) -> None:
    """Copy a finished run of pretraining, the encoder last: what there is then is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {**load_settings(run), "copied_from": str(run)}
    write_atomically(folder / SETTINGS_FILE, yaml.safe_dump(settings, sort_keys=False))
    for name in (LOG_FILE, ENCODER_FILE):
        if (run / name).is_file():
            write_atomically(folder / name, (run / name).read_bytes())
