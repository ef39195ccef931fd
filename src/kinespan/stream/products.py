"""Products of a few rows with the same matrix again and again, as a stream has them, frame after frame."""

from __future__ import annotations

from threading import Lock
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import LibController, ThreadpoolController
from torch import Tensor

Floats = NDArray[np.float32]
"""What a stream computes with. Its arrays are small, and of a small array numpy asks a half or a third of the time that
a tensor takes to be looked at."""
LARGE = 65_536
"""Numbers in a matrix from which on a product of several rows waits for the matrix more than for being called."""
PACK, PACKED_PRODUCT = "_reorder_linear_weight", "_linear_pointwise"
"""The operators, of torch.ops.mkldnn, that pack a matrix and that multiply by one."""


class Product:
    """x (M, K) to x @ weight + bias, (M, N) float32, on the processor.

    A library of products puts a matrix into an order of its own before it multiplies, which for a few rows takes as
    long as the multiplication. Large matrices are put in order once, here, by the operators that torch's own compiler
    uses for frozen weights; where torch has none products are plain ones, as they are of one row, which reads a matrix
    once in whatever order.

    A packed matrix is bfloat16 where the product is made under autocast to it; all others, which would take no less
    time, stay in float32.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None, rows: int = 1) -> None:
        """weight (K, N) and bias (N,); rows: M as it mostly is, any other will do."""
        self.inputs, self.outputs = weight.shape
        device = weight.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.float32
        weight, bias = weight.detach().cpu().float(), None if bias is None else bias.detach().cpu().float()
        self.packed = rows > 1 and weight.numel() >= LARGE and _packs(dtype)
        if self.packed:
            self.dtype = dtype
            self.multiply = getattr(torch.ops.mkldnn, PACKED_PRODUCT)
            self.reordered = getattr(torch.ops.mkldnn, PACK)(weight.T.to(dtype).contiguous(), rows)
            self.added = None if bias is None else bias.to(dtype, copy=True)
        else:
            self.weight = weight.clone(memory_format=torch.contiguous_format).numpy()
            self.bias = None if bias is None else bias.clone().numpy()

    def __call__(self, x: Floats) -> Floats:
        """The product of x (M, K), or of windows (..., kernel, C) whose last two hold K numbers, a new array (M, N)."""
        if self.packed:
            # windows of a buffer are put together and rounded in one pass, five times as fast as in two
            whole = torch.from_numpy(x).to(self.dtype, memory_format=torch.contiguous_format)
            found: Tensor = self.multiply(whole.reshape(-1, self.inputs), self.reordered, self.added, "none", [], "")
            return found.float().numpy()
        out: Floats = np.dot(x.reshape(-1, self.inputs), self.weight)
        if self.bias is not None:
            out += self.bias
        return out


class OneThread:
    """While it lasts, the thread that asks for a product of arrays makes it by itself.

    The threads of numpy's library of products keep looking for more work for a while, which takes from those of torch
    the cores that they are to run on; a frame's products are too small to share anyway.
    """

    def __init__(self) -> None:
        self.lock, self.inside = Lock(), 0
        self.libraries: list[LibController] | None = None
        self.before: list[int] = []

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            if self.inside == 1:
                if self.libraries is None:
                    self.libraries = ThreadpoolController().select(user_api="blas").lib_controllers
                # as ThreadpoolController.limit does it, in a quarter of its time
                self.before = [library.get_num_threads() for library in self.libraries]
                for library in self.libraries:
                    library.set_num_threads(1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                for library, threads in zip(self.libraries or [], self.before, strict=True):
                    library.set_num_threads(threads)


ONE_THREAD = OneThread()
"""One for the whole process, so that the streams of several threads leave the number of threads as it was."""


def _packs(dtype: torch.dtype) -> bool:
    """Whether this torch can pack matrices of a dtype for this processor."""
    ops = torch.ops.mkldnn
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not available or not all(hasattr(ops, name) for name in (PACK, PACKED_PRODUCT)):
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and bool(ops._is_mkldnn_bf16_supported()))
