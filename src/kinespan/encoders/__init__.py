"""Encoders: networks from a view to a feature pyramid, by name."""

from . import stgcn  # registers its variants
from .base import ENCODERS, Encoder, Pyramid, build_encoder

__all__ = ["ENCODERS", "Encoder", "Pyramid", "build_encoder", "stgcn"]
