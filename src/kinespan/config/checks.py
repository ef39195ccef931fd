"""Checks that settings share; each raises InputError naming the setting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from ..errors import InputError

Fold = int | Literal["all"]
"""A fold of a split, or every fold, one after the other."""


def single_fold(fold: Fold) -> int:
    """The number of one fold. Raises InputError for all, which is a run for each fold."""
    if fold == "all":
        raise InputError("fold is all, expected a number: one run trains on one fold; the commands run every fold")
    return fold


def check_positive(settings: object, *names: str) -> None:
    """Check that settings are above 0."""
    _check(settings, names, lambda value: value > 0, "a positive number")


def check_not_negative(settings: object, *names: str) -> None:
    """Check that settings are 0 or more."""
    _check(settings, names, lambda value: value >= 0, "0 or more")


def check_fraction(settings: object, *names: str) -> None:
    """Check that settings are above 0 and at most 1."""
    _check(settings, names, lambda value: 0 < value <= 1, "above 0 and at most 1 (20 % is 0.2)")


def check_share(settings: object, *names: str) -> None:
    """Check that settings, numbers or tuples of them, are from 0 to 1."""
    _check(settings, names, lambda value: 0 <= value <= 1, "0 to 1")


def _check(settings: object, names: tuple[str, ...], valid: Callable[[float], bool], expected: str) -> None:
    """A tuple is valid if each of its items is; the word auto always is."""
    for name in names:
        value = getattr(settings, name)
        if not all(item == "auto" or valid(item) for item in (value if isinstance(value, tuple) else (value,))):
            raise InputError(f"{name} is {value}, expected {expected}")
