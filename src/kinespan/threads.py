"""How many threads to compute on: one where the work is small or the machine is busy, what the user says, or all free.

Notable choices:
- a second thread gains nothing in small steps (docs/research/performance.md has the measurements), and beside other
  programs it costs: each of the many short loops of a step waits for the thread that was put off
- how busy the machine is, is looked at where training starts; a load average says how it was a minute ago
- OMP_NUM_THREADS, the usual way to say it to any program, counts where --threads does not
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Threads = int | Literal["auto"]
"""Threads to compute on; auto: as `choose_threads` does."""
LARGE = 15e9
"""Operations of a step, as float32, from which more than one thread pays: about 0.15 s on a core."""
LOOKS, LOOK_EVERY = 10, 0.01
"""Looks at the machine, and seconds between them, to see how busy it is."""


@dataclass(frozen=True)
class ThreadChoice:
    """A number of threads, and why it is that."""

    count: int
    reason: str

    def __str__(self) -> str:
        return f"computing on {self.count} thread{'s' * (self.count > 1)}: {self.reason}"


def cores() -> int:
    """The number of cores that this process may use: of its affinity and, on Linux, its control group."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_cores()
    return count if quota is None else max(1, min(count, int(quota)))


def cgroup_cores(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float | None:
    """The cores that the control group of this process may use, None where it has no limit, or there is none.

    root: where control groups are mounted; own: which ones this process is in.
    """
    try:
        lines = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return None
    for _, kinds, name in (line for line in lines if len(line) == 3):
        if kinds == "":  # version 2
            folders = [root / name.lstrip("/"), root]
        elif "cpu" in kinds.split(","):
            folders = [root / kind / name.lstrip("/") for kind in ("cpu", kinds)]
        else:
            continue
        for folder in folders:
            if (limit := _limit(folder)) is not None:
                return limit
    return None


def _limit(folder: Path) -> float | None:
    """The quota of a control group over its period, in cores."""
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            quota, period = " ".join((folder / name).read_text() for name in names).split()
            if int(quota) > 0 and int(period) > 0:
                return int(quota) / int(period)
        except (OSError, ValueError):  # "max" is no limit
            continue
    return None


def busy_cores() -> float:
    """How many threads of other programs compute: now on Linux, over the last minute on macOS, elsewhere taken as 0."""
    running = Path("/proc/loadavg")
    try:
        counts = []
        for _ in range(LOOKS):
            time.sleep(LOOK_EVERY)
            counts.append(int(running.read_text().split()[3].split("/")[0]) - 1)  # without this one
        return sum(counts) / len(counts)
    except (OSError, IndexError, ValueError):
        return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def free_cores() -> int:
    """The number of cores that this process may use and no other program does; 0 where all are busy."""
    return max(0, min(cores(), round((os.cpu_count() or 1) - busy_cores())))


def environment_threads() -> int | None:
    """What OMP_NUM_THREADS says, None where it is not set to a number."""
    text = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(text) if text.isdigit() and int(text) > 0 else None


def choose_threads(threads: Threads = "auto", work: float = math.inf) -> ThreadChoice:
    """The number of threads to compute on, and why.

    threads: what the user says. work: operations that are done at once, as float32 (`kinespan.train.work`); by default
    many, as in localizing whole recordings.
    """
    if threads != "auto":
        return ThreadChoice(threads, "--threads")
    if (given := environment_threads()) is not None:
        return ThreadChoice(given, "OMP_NUM_THREADS")
    if work < LARGE:
        return ThreadChoice(1, f"more gain little in steps of {work / 1e9:.1f} x 10^9 operations")
    if cores() == 1:
        return ThreadChoice(1, "there is one core")
    free = free_cores()
    return ThreadChoice(max(1, free), f"{free} of {cores()} cores {'is' if free == 1 else 'are'} free")


def choose_trainings(threads: Threads = "auto", work: float = 0.0) -> int:
    """How many of the trainings of `learn`, two at most, run at once, each in a process of its own.

    work: operations of a step of the one that begins; a large one is sooner done alone, on all free cores.
    """
    if threads != "auto":
        return min(2, threads)
    if (given := environment_threads()) is not None:
        return min(2, given)
    return 2 if work < LARGE and cores() > 1 and free_cores() > 1 else 1


@contextmanager
def computing_on(count: int) -> Iterator[None]:
    """Let torch compute on this many threads within a block, and as before after it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
