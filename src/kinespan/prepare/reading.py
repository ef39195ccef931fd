"""Reading a recipe's recordings on all cores: in order, a few in memory at a time; a bad file affects only itself."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from ..errors import InputError
from ..io import Take
from ..threads import cores
from ..transforms.normalise import even_rate
from .recipes import Item, Recipe

_POOL_BYTES = 24 * 2**20
_POOL_FILES = 1000
"""With fewer bytes and fewer files to read, starting processes costs more than it saves."""


@dataclass(frozen=True)
class ReadResult:
    """The result of reading an item: its Take, or None and the reason."""

    item: Item
    take: Take | None
    reason: str = ""


def read_all(recipe: Recipe, items: Sequence[Item], workers: int | None) -> Iterator[ReadResult]:
    """The result of each item, in order, read by `workers` processes; None: one per core where there is much to read.

    Raises InputError where a reading process dies.
    """
    if workers is None:
        is_much = len(items) >= _POOL_FILES or sum(map(_size, items)) >= _POOL_BYTES
        workers = min(cores(), len(items)) if is_much else 1
    yield from map(partial(read_item, recipe), items) if workers <= 1 else _in_processes(recipe, items, workers)


def read_item(recipe: Recipe, item: Item) -> ReadResult:
    """Read an item, in any process. Never raises: one that cannot be read has a reason."""
    try:
        take = recipe.read(item)
    except InputError as error:
        has_name = str(item.file) in str(error)
        return ReadResult(item, None, str(error) if has_name else f"{item.file}: {error}")
    except OSError as error:
        return ReadResult(item, None, f"{item.file}: {error.strerror or error}")
    except Exception as error:  # one bad file in thousands must not lose the others
        cause = f"{type(error).__name__}: {error}"
        return ReadResult(item, None, f"{item.file}: its reader failed ({cause}); please report this file")
    recording = even_rate(take.recording)
    if recording.name != item.name:
        recording = replace(recording, name=item.name)
    return ReadResult(item, replace(take, recording=recording))


def _size(item: Item) -> int:
    try:
        return item.file.stat().st_size
    except OSError:  # reading it will report it
        return 0


def _in_processes(recipe: Recipe, items: Sequence[Item], workers: int) -> Iterator[ReadResult]:
    """Read in spawned processes: forking a process with threads, as numeric libraries have, may hang."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(recipe,))

    def submit(batch: Iterable[Item]) -> None:
        with _interrupts_blocked():  # a submission may start a process, which inherits the signal mask
            running.extend(pool.submit(_read_in_worker, item) for item in batch)

    running: deque[Future[ReadResult]] = deque()
    waiting = iter(items)
    try:
        submit(islice(waiting, 4 * workers))
        while running:
            yield running.popleft().result()
            submit(islice(waiting, 1))
    except BrokenProcessPool:
        raise InputError(
            f"one of {workers} reading processes was killed, most likely for lack of memory; run the same "
            "command again with fewer --workers"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block Ctrl-C for a moment. It reaches every process of a terminal; only the one that writes handles it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# ---- in a worker -----------------------------------------------------------------------------------------------

_recipe: list[Recipe] = []
"""The recipe of this worker process; files that it has loaded serve all items."""


def _start_worker(recipe: Recipe) -> None:
    """Ignore Ctrl-C, which the process that writes handles, and end when that process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # there already is a process for each core
    _recipe.append(recipe)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _read_in_worker(item: Item) -> ReadResult:
    return read_item(_recipe[0], item)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
