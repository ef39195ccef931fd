"""The settings of a run, written beside its results as YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from .. import __version__
from ..atomic import write_atomically

SETTINGS_FILE = "settings.yaml"


def save_settings(out: Path, stage: str, config: Any, facts: Mapping[str, Any]) -> None:
    """Write `settings.yaml`: the stage, our version, what was trained on and the whole configuration."""
    out.mkdir(parents=True, exist_ok=True)
    content = {"stage": stage, "version": __version__, **facts, "config": plain(asdict(config))}
    write_atomically(out / SETTINGS_FILE, yaml.safe_dump(content, sort_keys=False))


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
