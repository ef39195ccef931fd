"""How a side is to be built, and the size of the clips that it works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from kinespan.config import Precision


@dataclass(frozen=True)
class RunOptions:
    """Where and how a side runs; quick: small sizes, to see that it runs."""

    device: str = "cpu"
    quick: bool = False
    precision: Precision = "auto"


class ClipSize(NamedTuple):
    """Clips in a batch, frames in a clip, people in a recording."""

    batch: int
    frames: int
    people: int = 2
