"""From frame scores to spans, the segmentation or scored candidates that may overlap, and to events."""

from .candidates import decode
from .config import DecodeConfig
from .events import decode_events
from .segments import segment

__all__ = ["DecodeConfig", "decode", "decode_events", "segment"]
