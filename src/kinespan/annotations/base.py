"""The table of writers; see `kinespan.annotations` for what a writer does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from ..data.predictions import Predictions
from ..registry import Registry

Writer: TypeAlias = Callable[[Predictions, Path], None]

WRITERS: Registry[Writer] = Registry("export format")
