"""What the machine is, what it can do (matrix products and memory, measured), and whether it is busy."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BUSY_LOAD = 0.5
"""Load average before the first case above which the machine is busy."""
BUSY_THREADS = 0.25
"""Running threads of other programs, on average over the pauses between turns, above which no figure is trusted."""
WIDE_SPREAD = 0.15
"""Width of the middle half of the ratios of the turns, as a share of their median, above which it is too wide."""


def facts(device: str) -> dict[str, Any]:
    """The machine, and what it can do on `device`: operations a second by precision, bytes a second."""
    import torch

    from kinespan import __version__
    from kinespan.models.precision import has_bf16_units

    name = torch.cuda.get_device_name() if device == "cuda" else processor()
    rates = {"float32": matrix_rate(torch.float32, device)}
    if has_bf16_units(device):
        rates["bfloat16"] = matrix_rate(torch.bfloat16, device)
    return {
        "kinespan": __version__, "torch": torch.__version__, "python": platform.python_version(), "device": device,
        "name": name, "cores": os.cpu_count(), "threads": torch.get_num_threads(), "matrix_rate": rates,
        "bandwidth": bandwidth(device), "load_before": load(),
    }  # fmt: skip


def processor() -> str:
    """The processor's name as far as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def drift(before: dict[str, Any]) -> str | None:
    """How the matrix rate changed, where it did by more than a tenth; else None."""
    import torch

    was, now = before["matrix_rate"]["float32"], matrix_rate(torch.float32, before["device"])
    if 1 / 1.1 < now / was < 1.1:
        return None
    return f"its matrix rate went from {was / 1e9:.0f} to {now / 1e9:.0f} 10^9 operations a second in between"


def _fastest(function: Callable[[], object], device: str, repeats: int) -> float:
    """Seconds of the fastest of some calls, after one to warm up."""
    import torch

    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        function()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return min(times[1:])


def matrix_rate(dtype: Any, device: str, size: int = 0, repeats: int = 8) -> float:
    """Operations a second of a product of large square matrices: an upper bound for layers."""
    import torch

    size = size or (8192 if device == "cuda" else 1536)
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(left)
    return 2 * size**3 / _fastest(lambda: torch.mm(left, right, out=out), device, repeats)


def bandwidth(device: str, megabytes: int = 0, repeats: int = 8) -> float:
    """Bytes a second, read and written, of a copy too large for caches."""
    import torch

    megabytes = megabytes or (2048 if device == "cuda" else 256)
    source = torch.ones(megabytes * 2**18, device=device)
    target = torch.zeros_like(source)
    return 2 * 4 * source.numel() / _fastest(lambda: target.copy_(source), device, repeats)


def memory() -> dict[str, int]:
    """Bytes of this process by Linux: VmHWM the peak, VmRSS now, RssFile of it mapped from files.

    Elsewhere VmHWM alone, by getrusage, whose figure on Linux begins with that of the parent process.
    """
    figures = {"VmHWM": 0, "VmRSS": 0, "RssFile": 0}
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return {**figures, "VmHWM": peak}
    for line in lines:
        name, _, value = line.partition(":")
        if name in figures:
            figures[name] = 1024 * int(value.split()[0])
    return figures


def load() -> float | None:
    """Load average of the last minute, None where the system has none."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def other_threads_running() -> int | None:
    """Threads that run right now besides the caller; None where the system does not count them (Linux does)."""
    try:
        return int(Path("/proc/loadavg").read_text().split()[3].split("/")[0]) - 1
    except (OSError, IndexError, ValueError):
        return None


def doubts(load_before: float | None, other_threads: float | None, spread: float | None) -> list[str]:
    """Why a figure should not be trusted; empty where it can be."""
    reasons = []
    if load_before is not None and load_before > BUSY_LOAD:
        reasons.append(f"the load average was {load_before:.1f} before the first case")
    if other_threads is not None and other_threads > BUSY_THREADS:
        reasons.append(f"{other_threads:.1f} other threads ran in the pauses")
    if spread is not None and spread > WIDE_SPREAD:
        reasons.append(f"the middle half of the turns spreads over {spread:.0%}")
    return reasons
