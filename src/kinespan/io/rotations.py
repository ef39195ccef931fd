"""Rotation matrices from angles about the axes, many at once."""

from __future__ import annotations

import numpy as np

from ..arrays import Float64Array

_AXES = "xyz"


def axis_matrices(angles: Float64Array, axis: str) -> Float64Array:
    """Rotations (..., 3, 3) by `angles` (...) in radians about one axis; they act on column vectors."""
    cos, sin = np.cos(angles), np.sin(angles)
    matrices = np.zeros((*angles.shape, 3, 3))
    about = _AXES.index(axis)
    first, second = (about + 1) % 3, (about + 2) % 3
    matrices[..., about, about] = 1
    matrices[..., first, first] = matrices[..., second, second] = cos
    matrices[..., second, first] = sin
    matrices[..., first, second] = -sin
    return matrices


def chained(angles: Float64Array, axes: str) -> Float64Array:
    """The product R_axes[0] R_axes[1] ... (..., 3, 3) of rotations by `angles` (..., len(axes)) in radians."""
    matrices = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    for index, axis in enumerate(axes):
        rotation = axis_matrices(angles[..., index], axis)
        matrices = rotation if index == 0 else matrices @ rotation
    return matrices
