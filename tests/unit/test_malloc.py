"""Memory that training keeps between its steps."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

TOUCH = """
import resource
import torch
from kinespan.train.malloc import freed_memory_kept

def new_pages() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(48 << 20, dtype=torch.uint8)[::4096] = 1  # numpy would ask for large pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def held() -> int:
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))

before, at_first = [new_pages() for _ in range(6)][-1], held()
with freed_memory_kept():
    inside = [new_pages() for _ in range(6)][-1]
    more = held() - at_first
print(before, inside, more, held() - at_first)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="under another C library nothing is done")
def test_freed_memory_is_reused_inside_the_block_and_returned_after_it() -> None:
    """A process of its own: what other tests have freed would be taken first."""
    found = subprocess.run([sys.executable, "-c", TOUCH], capture_output=True, text=True, check=True)
    before, inside, more, left = (int(word) for word in found.stdout.split())
    assert inside < 0.1 * before
    assert more > 40 << 10  # in KiB: the piece is still there
    assert left < 4 << 10
