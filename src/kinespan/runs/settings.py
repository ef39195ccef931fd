"""The settings of a run, written beside its results as YAML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from .. import __version__
from ..errors import InputError
from ..files import write_atomically

SETTINGS_FILE = "settings.yaml"
FREE_TO_CHANGE = ("save_every", "probe_every", "precision")
"""Settings in which a resumed run may differ from the run as it was started."""
STARTED_FROM = ("pretrained", "from", "teachers", "set")
"""What a run started from; a resumed one has to name the same. Its corpus may have been moved."""


def save_settings(out: Path, stage: str, config: Any, facts: Mapping[str, Any], *, resume: bool = False) -> None:
    """Write `settings.yaml`: the stage, our version, what was trained on and the whole configuration.

    Raises InputError where a run is resumed with other settings, or from another encoder or other teachers, than it
    was started with, naming the first.
    """
    out.mkdir(parents=True, exist_ok=True)
    content = {"stage": stage, "version": __version__, **facts, "config": settings_of(config)}
    if resume:
        check_same(out, load_settings(out), content)
    write_atomically(out / SETTINGS_FILE, yaml.safe_dump(content, sort_keys=False))


def settings_of(config: Any) -> dict[str, Any]:
    """The settings of a dataclass as YAML holds them: tuples as lists, paths as text."""
    return dict(json.loads(json.dumps(asdict(config), default=str)))


def check_same(out: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Check that a resumed run has the settings that it was started with. Raises InputError, naming the first."""
    old, new = before.get("config", {}), now["config"]
    pairs = [(_flag(name, before.get(name)), _flag(name, now.get(name))) for name in STARTED_FROM]
    fixed = [name for name in new if name in old and name not in FREE_TO_CHANGE]
    pairs += [(f"with {name} {old[name]}", f"with {name} {new[name]}") for name in fixed]
    for started, resumed in pairs:
        if started != resumed:
            raise InputError(
                f"{out}: the run was started {started}, --resume came {resumed}; "
                "go on with the same command as before, and --resume"
            )


def _flag(name: str, value: str | Sequence[str] | None) -> str:
    if value is None:
        return f"without --{name}"
    return f"with --{name} {value if isinstance(value, str) else ' '.join(value)}"


def load_settings(out: Path) -> dict[str, Any]:
    """What `save_settings` wrote; empty where there is none."""
    file = out / SETTINGS_FILE
    return dict(yaml.safe_load(file.read_text())) if file.is_file() else {}
