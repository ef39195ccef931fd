"""Encoders: networks from a view to a feature pyramid, by name."""

from . import agcn, ctrgcn, dste, hdgcn, hyperformer, stgcn, tcn  # noqa: F401  each registers its variants
from .base import ENCODERS, Encoder, PersonFeatures, Pyramid
from .build import build_encoder

__all__ = ["ENCODERS", "Encoder", "PersonFeatures", "Pyramid", "build_encoder"]
