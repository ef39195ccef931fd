"""Progress for people: a bar with an estimate of what is left in a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO

PLAIN_EVERY = 10.0
"""Seconds between plain lines."""
LINE = re.compile(
    r"(?P<stage>[^:]+): (?P<done>\d+)/(?P<total>\d+) in [\d: s]+(, about [\d: s]+ left)?(  (?P<note>.*))?"
)
"""What `Progress.line` writes."""
BESIDE = "beside it, "
"""Beginning of a stage that runs beside another one."""
_displays: dict[TextIO, tuple[Any, int]] = {}
"""The bars that are shown in each terminal, and how many stages use them: stages at the same time share a display."""
_displays_lock = threading.Lock()


class Progress:
    """Shows how far a stage of `total` steps is, and how long the rest will take.

        with Progress("pretraining", 200) as progress:
            progress.update(step + 1, "loss 3.21")

    In a terminal it is a bar; elsewhere (a log, CI) a plain line at the first step, every ten seconds and at the end.
    """

    def __init__(self, stage: str, total: int, stream: TextIO | None = None, quiet: bool = False) -> None:
        self.stage, self.total, self.quiet = stage, total, quiet
        stream = stream if stream is not None else sys.stderr
        self.stream: TextIO = getattr(stream, "rich_proxied_file", stream)  # what a display has put itself before
        self.start, self.last_line = time.monotonic(), -math.inf  # the first step is shown at once
        self.first = self.done = 0
        self.note = ""
        self.bar: Any = None

    def __enter__(self) -> Progress:
        self.start = time.monotonic()
        if not self.quiet and self.stream.isatty():
            self._open_bar()
        return self

    def begin_at(self, step: int) -> None:
        """Start a resumed stage at `step`, so that the estimate counts only what is done now."""
        self.first = step

    def update(self, done: int, note: str = "") -> None:
        """Show that `done` steps are done, with a note."""
        self.done, self.note = done, note or self.note
        if self.quiet:
            return
        if self.bar is not None:
            self.bar.update(self.task, completed=done, note=self.note)
        elif time.monotonic() - self.last_line >= PLAIN_EVERY or done >= self.total:
            self.last_line = time.monotonic()
            print(self.line(), file=self.stream, flush=True)

    def line(self) -> str:
        """The state as one plain line."""
        spent, new = time.monotonic() - self.start, self.done - self.first
        text = f"{self.stage}: {self.done}/{self.total} in {_clock(spent)}"
        if new > 0 and self.done < self.total:
            text += f", about {_clock(spent / new * (self.total - self.done))} left"
        return f"{text}  {self.note}" if self.note else text

    def __exit__(self, *_: object) -> None:
        if self.bar is None:
            return
        with _displays_lock:
            bar, users = _displays[self.stream]
            if users > 1:
                _displays[self.stream] = bar, users - 1
            else:
                del _displays[self.stream]
                bar.stop()
        self.bar = None

    def _open_bar(self) -> None:
        with _displays_lock:
            bar, users = _displays.get(self.stream) or (self._display(), 0)
            _displays[self.stream] = bar, users + 1
        self.task = bar.add_task(self.stage, total=self.total, note="")
        self.bar = bar

    def _display(self) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = ("[bold]{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), "left")
        bar = Bar(*columns, TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=Console(file=self.stream))
        bar.start()
        return bar


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}" if minutes else f"{seconds} s"


@contextmanager
def counting(stage: str) -> Iterator[Callable[[int, int], None]]:
    """Progress of a stage that learns its total as it goes: a function of the number done and the total.

    A first call with more than one done continues an earlier run.
    """
    with ExitStack() as stack:
        progress: Progress | None = None

        def count(done: int, total: int) -> None:
            nonlocal progress
            if progress is None:
                progress = stack.enter_context(Progress(stage, total))
                progress.begin_at(done - 1)
                progress.note = f"after {done - 1} of an earlier run" if done > 1 else ""
            progress.update(done)

        yield count
