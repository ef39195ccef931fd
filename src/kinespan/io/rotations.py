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


def fitted(source: Float64Array, target: Float64Array, near: Float64Array) -> Float64Array:
    """Rotations (T, 3, 3) that bring vectors (K, 3) nearest to those of each frame (T, K, 3), zero where not known.

    Least squares. What the vectors leave open, as the twist about a single one, is as in `near` (T, 3, 3): the result
    is then the rotation with the least angle to it.
    """
    products = np.einsum("ki,tkj->tij", source, target)
    scale = np.linalg.norm(source) * np.linalg.norm(target, axis=(1, 2)) + 1e-12
    products += (1e-7 * scale)[:, None, None] * np.swapaxes(near, 1, 2)
    left, _, right = np.linalg.svd(products)
    mirrored = np.linalg.det(left @ right) < 0
    right[mirrored, 2] *= -1
    rotations: Float64Array = np.swapaxes(left @ right, 1, 2)
    return rotations


def zxy_angles(rotations: Float64Array) -> Float64Array:
    """Angles (..., 3) in radians about z, x and y whose `chained` product in this order is `rotations` (..., 3, 3)."""
    sine = np.clip(rotations[..., 2, 1], -1, 1)
    is_locked = np.abs(sine) > 1 - 1e-12  # z and y turn about one line: all of it is given to z
    about_z = np.where(
        is_locked,
        np.arctan2(rotations[..., 1, 0], rotations[..., 0, 0]),
        np.arctan2(-rotations[..., 0, 1], rotations[..., 1, 1]),
    )
    about_y = np.where(is_locked, 0.0, np.arctan2(-rotations[..., 2, 0], rotations[..., 2, 2]))
    return np.stack([about_z, np.arcsin(sine), about_y], axis=-1)
