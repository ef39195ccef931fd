"""From the name of an encoder to an encoder."""

from __future__ import annotations

from typing import Literal

from ..data.skeleton import Skeleton
from .base import ENCODERS, Encoder
from .streamwise import STREAM_CHANNELS, Streamwise


def build_encoder(
    name: str,
    skeleton: Skeleton,
    in_channels: int,
    dropout: float = 0.0,
    fuse_streams: Literal["early", "late"] = "early",
) -> Encoder:
    """An untrained encoder by name; `late` makes one for each stream of three channels, where there are several.

    Raises InputError for an unknown name. Weights come from torch's generator.
    """
    factory, streams = ENCODERS[name], in_channels // STREAM_CHANNELS
    if fuse_streams == "late" and streams > 1:
        return Streamwise(lambda channels: factory(skeleton, channels, dropout), streams)
    return factory(skeleton, in_channels, dropout)
