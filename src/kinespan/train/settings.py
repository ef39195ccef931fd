"""The settings of a run, written beside its results as YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from .. import __version__
from ..atomic import write_atomically
from ..errors import InputError

SETTINGS_FILE = "settings.yaml"


FREE_TO_CHANGE = ("save_every", "probe_every", "precision")
"""Settings that a resumed run may have otherwise than before."""


def save_settings(out: Path, stage: str, config: Any, facts: Mapping[str, Any], *, resume: bool = False) -> None:
    """Write `settings.yaml`: the stage, our version, what was trained on and the whole configuration.

    Raises InputError where a run is resumed with other settings than it was started with, naming the first.
    """
    out.mkdir(parents=True, exist_ok=True)
    content = {"stage": stage, "version": __version__, **facts, "config": plain(asdict(config))}
    if resume:
        _check_same(out, load_settings(out).get("config", {}), content["config"])
    write_atomically(out / SETTINGS_FILE, yaml.safe_dump(content, sort_keys=False))


def _check_same(out: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for name, value in now.items():
        if name in before and name not in FREE_TO_CHANGE and before[name] != value:
            raise InputError(
                f"{out}: the run was started with {name} {before[name]}, --resume came with {value}; "
                "go on with the same command as before, and --resume"
            )


def load_settings(out: Path) -> dict[str, Any]:
    """What `save_settings` wrote; empty where there is none."""
    file = out / SETTINGS_FILE
    return dict(yaml.safe_load(file.read_text())) if file.is_file() else {}


def plain(value: Any) -> Any:
    """value with tuples as lists and paths as text, as YAML and JSON write it."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return str(value) if isinstance(value, Path) else value
