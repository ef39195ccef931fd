"""Checks that settings share; each raises InputError naming the setting."""

from __future__ import annotations

from ..errors import InputError


def check_positive(settings: object, *names: str) -> None:
    """Check that settings are above 0."""
    for name in names:
        if not getattr(settings, name) > 0:
            raise InputError(f"{name} is {getattr(settings, name)}, expected a positive number")


def check_probability(settings: object, prefix: str, *names: str) -> None:
    """Check that settings, called PREFIXname in errors, are from 0 to 1."""
    for name in names:
        if not 0 <= getattr(settings, name) <= 1:
            raise InputError(f"{prefix}{name} is {getattr(settings, name)}, expected 0 to 1")


def check_shares(settings: object, *names: str) -> None:
    """Check that settings, numbers or tuples of them, are shares of the steps: from 0 to 1."""
    for name in names:
        value = getattr(settings, name)
        if not all(0 <= share <= 1 for share in (value if isinstance(value, tuple) else (value,))):
            raise InputError(f"{name} is {value}, expected shares of the steps, 0 to 1")
