"""Small constants, cached on the device where they are used, so that they are not sent at every step."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=256)
def joints_on(joints: tuple[int, ...], device: torch.device) -> Tensor:
    """Joint indices (N,) int64 on a device, to index with; not to be written to.

    Indexing with a list would send it to the device, and wait, each time.
    """
    with torch.inference_mode(False):  # the cached tensor must serve training too
        return torch.tensor(joints, device=device)
