"""The facts of a recording that a corpus knows without reading its frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..data.skeleton import Skeleton


@dataclass(frozen=True)
class RecordingInfo:
    """A recording of a corpus without its frames; ``checksum`` is `Recording.checksum`."""

    name: str
    fps: float
    num_frames: int
    num_people: int
    skeleton: Skeleton
    source: str
    checksum: str
    attributes: Mapping[str, str] = field(hash=False)
    history: tuple[str, ...]
    annotated: bool

    @property
    def duration(self) -> float:
        """Length in seconds, T / fps."""
        return self.num_frames / self.fps
