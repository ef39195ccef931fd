"""Encoders: networks from a view to a feature pyramid, by name."""

from . import stgcn  # registers its variants
from .base import ENCODERS, Body, Encoder, Pyramid, build_encoder

__all__ = ["ENCODERS", "Body", "Encoder", "Pyramid", "build_encoder", "stgcn"]
