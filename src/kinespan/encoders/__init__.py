"""Encoders: networks from a view to a feature pyramid, by name."""

from .base import ENCODERS, Encoder, Pyramid, build_encoder
from . import stgcn  # isort: skip  # registers its variants

__all__ = ["ENCODERS", "Encoder", "Pyramid", "build_encoder", "stgcn"]
