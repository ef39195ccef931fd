"""The types of NumPy arrays; shapes stand where an array is described."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Float16Array: TypeAlias = NDArray[np.float16]
"""Scores and features that are kept in files."""
Float32Array: TypeAlias = NDArray[np.float32]
"""Motion, scores and features."""
Float64Array: TypeAlias = NDArray[np.float64]
"""Seconds, sums and geometry."""
IntArray: TypeAlias = NDArray[np.int64]
"""Indices, frame ids and counts."""
UInt8Array: TypeAlias = NDArray[np.uint8]
"""Packed bits and pixels."""
BoolArray: TypeAlias = NDArray[np.bool_]
"""Masks."""
AnyArray: TypeAlias = NDArray[Any]
