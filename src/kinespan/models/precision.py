"""Numerical precision of networks: float32, or bfloat16 where the machine has units for it."""

from __future__ import annotations

import torch

from ..config import Precision


def has_bf16_units(device: str) -> bool:
    """Whether bfloat16 products run on units of their own: a GPU's tensor cores, a processor's AMX or AVX512-BF16."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    probes = (getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"))
    return device == "cpu" and any(bool(probe()) for probe in probes if probe is not None)


def in_bfloat16(precision: Precision, device: str) -> bool:
    """Whether a precision means bfloat16 on a device; auto does where the device has units for it."""
    return has_bf16_units(device) if precision == "auto" else precision == "bf16"
