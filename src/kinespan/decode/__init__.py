"""From frame scores to spans: the segmentation, one action at a time, or scored candidates that may overlap."""

from .candidates import decode
from .config import DecodeConfig
from .segments import segment

__all__ = ["DecodeConfig", "decode", "segment"]
