"""Freed memory that is kept during training, so that every step reuses it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# mallopt(3) of the GNU C library
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_NEVER = -1
_MMAPS = 65536
_LARGE = 32 << 20


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Let malloc keep what is freed in a block, and give it back to the system at its end.

    The GNU C library takes every piece above 32 MiB from the system and returns it when it is freed, so that a step
    of training touches its large tensors as new pages, of 4 KiB, each time: up to a third of the step. Under another
    C library this does nothing.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is None or not hasattr(library, "gnu_get_libc_version"):
        yield
        return
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        # as they are by default once large pieces were freed
        library.mallopt(_MMAP_MAX, _MMAPS)
        library.mallopt(_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_TRIM_THRESHOLD, 2 * _LARGE)
        library.malloc_trim(0)
