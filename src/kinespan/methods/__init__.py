"""Self-supervised pretraining: methods by name, each with and without the snippet term."""

from . import aimclr, crosclr, rvtclr, skeletonclr, usdrl  # noqa: F401  each registers its method
from .base import METHODS, EncoderInput, Method, MethodInputs, MethodOutput, build_method, method_options
from .snippet import SnippetTerm

__all__ = [
    "METHODS", "EncoderInput", "Method", "MethodInputs", "MethodOutput", "SnippetTerm",
    "build_method", "method_options",
]  # fmt: skip
