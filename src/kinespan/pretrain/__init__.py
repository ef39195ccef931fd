"""Self-supervised pretraining: methods by name, each with and without the snippet term."""

from .base import METHODS, Method, MethodOutput
from . import skeletonclr  # isort: skip  # registers itself
from .snippet import SnippetTerm

__all__ = ["METHODS", "Method", "MethodOutput", "SnippetTerm", "skeletonclr"]
