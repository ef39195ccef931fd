"""A first-in first-out queue of key vectors that serves as negatives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError


class KeyQueue(nn.Module):
    """The latest `size` L2-normalised keys (size, D) with the number of the recording that each comes from.

    It starts empty: only keys that were really put in are handed out as negatives. With several processes all
    keys of all of them are put in, in the same order everywhere.
    """

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
        self._put = 0
        """What `count` holds, known without a look at the device."""

    def negatives(self, recordings: Tensor) -> tuple[Tensor, Tensor]:
        """Keys (M, D) put in so far and usable (B, M): False where a key is of the same recording (B,)."""
        held = min(self._put, self.size)
        # a copy: the queue is written to before the backward pass reads it
        return self.keys[:held].clone(), self.recordings[None, :held] != recordings[:, None]

    @torch.no_grad()
    def put(self, keys: Tensor, recordings: Tensor) -> None:
        """Put keys (N, D) of recordings (N,) in, in place of the oldest."""
        keys, recordings = gather(keys.detach()), gather(recordings)
        keys, recordings = keys[-self.size :], recordings[-self.size :]
        at = (self._put + torch.arange(len(keys), device=keys.device)) % self.size
        self.keys[at] = keys.to(self.keys.dtype)
        self.recordings[at] = recordings
        self.count += len(keys)
        self._put += len(keys)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        """Take up how many keys there are, too."""
        super()._load_from_state_dict(*args, **kwargs)
        self._put = int(self.count)


def gather(values: Tensor) -> Tensor:
    """Rows (N, ...) of all processes, in the order of their rank; processes may hold different numbers of rows."""
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_initialized()) or distributed.get_world_size() == 1:
        return values
    world = distributed.get_world_size()
    sizes = [torch.zeros((), dtype=torch.long, device=values.device) for _ in range(world)]
    distributed.all_gather(sizes, torch.tensor(len(values), device=values.device))
    most = max(int(size) for size in sizes)
    padded = values.new_zeros(most, *values.shape[1:])
    padded[: len(values)] = values
    parts = [torch.empty_like(padded) for _ in range(world)]
    distributed.all_gather(parts, padded)
    return torch.cat([part[: int(size)] for part, size in zip(parts, sizes, strict=True)])
