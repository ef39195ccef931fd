"""Official splits of public data sets, one file a data set, under the name of the format that reads it."""

from __future__ import annotations

from . import precog
from .base import RECIPES, Recipe

__all__ = ["RECIPES", "Recipe", "precog"]
