"""Products of a few rows with the same matrix again and again, as a stream has them, frame after frame."""

from __future__ import annotations

import torch
from torch import Tensor

LARGE = 65_536
"""Numbers in a matrix from which on a product waits for the matrix more than for being called."""
PACK, PACKED_PRODUCT = "_reorder_linear_weight", "_linear_pointwise"
"""The operators, of torch.ops.mkldnn, that pack a matrix and that multiply by one."""
ROWS = 25
"""Rows that matrices are packed for: the joints of a person. It is a hint, any number of rows will do."""


class Product:
    """x (M, K) to x @ weight + bias, (M, N) float32.

    A library of products puts a matrix into an order of its own before it multiplies, which for few rows takes as long
    as the multiplication. On a processor large matrices are put in order once, here, by the operators that torch's own
    compiler uses for frozen weights; where torch has none, and on other devices, products are plain ones.

    Large products are in bfloat16 where they are made under autocast to it; small ones, which would take no less time,
    stay in float32.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        """weight (K, N) and bias (N,)."""
        self.inputs, self.outputs = weight.shape
        device, large = weight.device.type, weight.numel() >= LARGE
        lower = large and torch.is_autocast_enabled(device)
        self.dtype = torch.get_autocast_dtype(device) if lower else torch.float32
        self.packed = large and device == "cpu" and _packs(self.dtype)
        weight = weight.to(self.dtype)
        if self.packed:
            self.multiply = getattr(torch.ops.mkldnn, PACKED_PRODUCT)
            self.weight = getattr(torch.ops.mkldnn, PACK)(weight.T.contiguous(), ROWS)
        else:
            self.weight = weight.clone(memory_format=torch.contiguous_format)
        self.bias = None if bias is None else bias.to(self.dtype, copy=True)

    def __call__(self, x: Tensor) -> Tensor:
        """The product of x (M, K)."""
        lower = self.dtype != torch.float32
        if lower:
            x = x.to(self.dtype)
        if self.packed:
            out: Tensor = self.multiply(x, self.weight, self.bias, "none", [], "")
        elif self.bias is None:
            out = torch.mm(x, self.weight)
        else:
            out = torch.addmm(self.bias, x, self.weight)
        return out.float() if lower else out


def _packs(dtype: torch.dtype) -> bool:
    """Whether this torch can pack matrices of a dtype for this processor."""
    ops = torch.ops.mkldnn
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not available or not all(hasattr(ops, name) for name in (PACK, PACKED_PRODUCT)):
        return False
    return dtype == torch.float32 or bool(ops._is_mkldnn_bf16_supported())
