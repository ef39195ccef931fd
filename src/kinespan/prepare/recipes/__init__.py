"""Recipes of public data sets: how they are read, and their official splits.

A new recipe is a file here and its import below; see `Recipe`.
"""

from __future__ import annotations

from . import babel, hdm05, humanml3d, mocap6, msrc12, ntu, pku_mmd, precog, sfinge3d, utkinect
from .base import RECIPES, Item, Recipe, Survey

__all__ = [
    "RECIPES",
    "Item",
    "Recipe",
    "Survey",
    "babel",
    "hdm05",
    "humanml3d",
    "mocap6",
    "msrc12",
    "ntu",
    "pku_mmd",
    "precog",
    "sfinge3d",
    "utkinect",
]
