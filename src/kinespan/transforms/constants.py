"""Small numbers that never change, on the device where they are used: sent there once, not at every step."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=256)
def joints_on(joints: tuple[int, ...], device: torch.device) -> Tensor:
    """Numbers of joints (N,) int64 on a device, to index with; not to be written to.

    A list as an index is sent to the device, which waits for it, each time.
    """
    with torch.inference_mode(False):  # what is kept serves training too
        return torch.tensor(joints, device=device)
