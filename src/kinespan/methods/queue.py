"""A first-in first-out queue of key vectors that serve as negatives (He et al., MoCo, CVPR 2020).

Notable choices:
- it starts empty: no made-up vectors are ever negatives
- each key knows its recording, so that a query is never pushed away from its own
- every process holds the same queue: keys of all processes go in, in the order of their rank
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError


class KeyQueue(nn.Module):
    """The latest `size` L2-normalised keys (size, D) and the index of the recording (size,) that each comes from."""

    keys: Tensor
    recordings: Tensor
    count: Tensor

    def __init__(self, size: int, dim: int) -> None:
        """Raises InputError for a size that is not positive."""
        super().__init__()
        if size < 1:
            raise InputError(f"queue size is {size}, expected at least 1")
        self.size = size
        self.register_buffer("keys", torch.zeros(size, dim))
        self.register_buffer("recordings", torch.full((size,), -1, dtype=torch.long))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))
        self._total_put = 0
        """What `count` holds, known without waiting for the device."""

    def negatives(self, recordings: Tensor) -> tuple[Tensor, Tensor]:
        """Keys (M, D) put in so far and negative_mask (B, M): False where a key is of the query's recording (B,)."""
        filled = min(self._total_put, self.size)
        # a copy: the queue is written to before the backward pass reads it
        return self.keys[:filled].clone(), self.recordings[None, :filled] != recordings[:, None]

    @torch.no_grad()
    def put(self, keys: Tensor, recordings: Tensor) -> None:
        """Put keys (N, D) of recordings (N,) in, in place of the oldest."""
        keys, recordings = gather(keys.detach()), gather(recordings)
        keys, recordings = keys[-self.size :], recordings[-self.size :]
        slots = (self._total_put + torch.arange(len(keys), device=keys.device)) % self.size  # (N,)
        self.keys[slots] = keys.to(self.keys.dtype)
        self.recordings[slots] = recordings
        self.count += len(keys)
        self._total_put += len(keys)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        """Restore the number of keys, too."""
        super()._load_from_state_dict(*args, **kwargs)
        self._total_put = int(self.count)


def gather(values: Tensor) -> Tensor:
    """Rows (N, ...) of all processes, in the order of their rank; processes may hold different numbers of rows."""
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_initialized()) or distributed.get_world_size() == 1:
        return values
    world = distributed.get_world_size()
    sizes = [torch.zeros((), dtype=torch.long, device=values.device) for _ in range(world)]
    distributed.all_gather(sizes, torch.tensor(len(values), device=values.device))
    most_rows = max(int(size) for size in sizes)
    padded = values.new_zeros(most_rows, *values.shape[1:])  # all_gather needs equal shapes
    padded[: len(values)] = values
    gathered = [torch.empty_like(padded) for _ in range(world)]
    distributed.all_gather(gathered, padded)
    return torch.cat([rows[: int(size)] for rows, size in zip(gathered, sizes, strict=True)])
