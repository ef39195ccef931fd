"""The trainings of `learn`, in the order of what they need: one after the other, or two at once.

Notable choices:
- the first training that can run does so in this process, a second one in a child process (stage_process.py): networks
  as small as ours gain from a second core only as a second training
- what a training needs is read from its arguments: the run folders of others among them
- a child is told what to do as JSON, and reads the same corpus; where labels were changed since the corpus was opened,
  it says so and does nothing, and the training is run here
- either way the weights are the same to the bit
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..child import ERROR, STOPPED, interrupt_main, start_child
from ..errors import InputError, Interrupted
from ..progress import BESIDE, LINE, Progress
from ..runs.folder import can_resume
from ..threads import Threads, choose_threads, computing_on
from .stage_call import call_text

Log = Callable[[str], None]
LABELS_CHANGED = 3
"""Exit code of a child whose corpus has other labels than that of its parent."""
TOLD = "told: "
"""Begins a line that a child tells of what it chose."""
LAST_LINES = 20
"""Lines of a child that are shown where it breaks off."""
LOOK_EVERY = 0.1
"""Seconds between looks at a child that is waited for."""


class Stage(NamedTuple):
    """A training of `learn`: its run folder, the file that it writes at its end, what it trains, and how it is run."""

    folder: Path
    result: str
    description: str
    run: partial[Any]
    """A function of a module, with arguments that `call_text` can write; it also takes resume, threads and log."""

    @property
    def done(self) -> bool:
        """Whether it was finished, now or before."""
        return (self.folder / self.result).is_file()

    @property
    def call(self) -> partial[Any]:
        """How it is run now: resumed where it left a checkpoint."""
        return partial(self.run, resume=can_resume(self.folder))

    def needs(self, folder: Path) -> bool:
        """Whether it starts from the run in a folder, or learns from it."""
        values = [*self.run.args[2:], *self.run.keywords.values()]
        return any(folder in (value if isinstance(value, tuple | list) else (value,)) for value in values)


def one_after_the_other(stage: Stage) -> tuple[int, Threads]:
    """The plan of one training at a time."""
    return 1, "auto"


def run_stages(
    stages: Sequence[Stage],
    plan: Callable[[Stage], tuple[int, Threads]] = one_after_the_other,
    log: Log = lambda _: None,
) -> None:
    """Run the stages that are not done; log gets a line as each begins, or is found done.

    plan: of a stage that begins in this process, how many run at once while it does, in children too, and on how many
    threads each. Raises what a stage raises, and Interrupted after Ctrl-C, once all have written their checkpoints.
    """
    waiting = list(enumerate(stages, 1))
    here_only: set[Path] = set()
    children: list[Child] = []

    def begin(number: int, stage: Stage, how: str = "") -> None:
        waiting.remove((number, stage))
        log(f"{number} of {len(stages)}  {stage.folder.name}: {stage.description}{how}")

    with _ended_together(children):
        for number, stage in [item for item in waiting if item[1].done]:
            begin(number, stage, ", done before")
        while waiting or children:
            ready = _ready(waiting, stages)
            if ready:
                at_once, threads = plan(ready[0][1])
                beside = [item for item in ready[1:] if item[1].folder not in here_only]
                beside = beside[: max(0, at_once - 1 - len(children))]
                begin(*ready[0])
                for number, stage in beside:
                    begin(number, stage, ", at the same time")
                    children.append(Child(number, stage, threads, log))
                with computing_on(choose_threads(threads, 0).count):
                    ready[0][1].call(threads=threads, log=log)
            elif children:
                children[0].wait()
            else:
                raise RuntimeError(f"{waiting[0][1].folder}: what it needs was run, and left no result")
            for child in [child for child in children if child.stage.done or child.ended]:
                child.wait()
                children.remove(child)
                if child.finish() == LABELS_CHANGED:
                    here_only.add(child.stage.folder)
                    waiting.insert(0, (child.number, child.stage))


def _ready(waiting: Sequence[tuple[int, Stage]], stages: Sequence[Stage]) -> list[tuple[int, Stage]]:
    """Those of `waiting` whose needs are done, in their order."""
    unfinished = [stage.folder for stage in stages if not stage.done]
    return [(number, stage) for number, stage in waiting if not any(map(stage.needs, unfinished))]


@contextmanager
def _ended_together(children: list[Child]) -> Iterator[None]:
    """Stop the children where a block ends early, so that they write checkpoints; raise what ended first."""
    try:
        yield
    except KeyboardInterrupt as stop:
        ends = _stopped(children)
        failed = next((child for child in children if child.failed), None)
        if failed is not None:  # and interrupted this process
            failed.finish()
        kept = [text for text in (str(stop), *ends) if text]
        if not kept:
            raise
        raise Interrupted("; ".join(kept)) from None
    except BaseException:
        _stopped(children)
        raise
    finally:
        for child in children:
            child.kill()


def _stopped(children: Sequence[Child]) -> list[str]:
    """Stop children and wait for their ends; what each says that it keeps."""
    for child in children:
        child.stop()
    for child in children:
        child.wait()
    return [child.kept for child in children if child.kept]


class Child:
    """A stage in a process of its own, whose progress is shown and whose end is told."""

    def __init__(self, number: int, stage: Stage, threads: Threads, log: Log = lambda line: None) -> None:
        self.number, self.stage, self.log = number, stage, log
        text = call_text(partial(stage.call, threads=threads))
        self.process = start_child(f"{__package__}.stage_process")
        self.lines: deque[str] = deque(maxlen=LAST_LINES)
        self.error = self.kept = ""
        self._stopping = False
        self._of_main_thread = threading.current_thread() is threading.main_thread()
        self._progress: Progress | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._send(text)

    def _send(self, line: str) -> None:
        assert self.process.stdin is not None
        with suppress(OSError):  # it ended; its exit code says why
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()

    def _read(self) -> None:
        """Show its progress and keep what else it prints, until it ends; where it fails, what runs here is stopped."""
        assert self.process.stdout is not None
        for line in map(bytes.decode, self.process.stdout):
            self._hear(line.rstrip("\n"))
        self.process.wait()
        self._close_progress()
        if self.failed and self._of_main_thread and not self._stopping:
            interrupt_main()

    def _close_progress(self) -> None:
        if self._progress is not None:
            self._progress.__exit__(None, None, None)

    def _hear(self, line: str) -> None:
        if match := LINE.fullmatch(line):
            done, total = int(match["done"]), int(match["total"])
            title = f"{BESIDE}{match['stage']} {self.stage.folder.name}"
            if self._progress is None or self._progress.stage != title:
                self._close_progress()
                self._progress = Progress(title, total)
                self._progress.__enter__()
                self._progress.begin_at(done)
            self._progress.update(done, match["note"] or "")
        elif line.startswith(TOLD):
            self.log(f"{self.stage.folder.name}: {line.removeprefix(TOLD)}")
        elif line.startswith(ERROR):
            self.error = line.removeprefix(ERROR)
        else:
            self.lines.append(line)

    @property
    def ended(self) -> bool:
        """Whether its process ended."""
        return self.process.poll() is not None and not self._reader.is_alive()

    @property
    def failed(self) -> bool:
        """Whether it ended by an error."""
        return self.process.poll() not in (None, 0, LABELS_CHANGED, STOPPED)

    def stop(self) -> None:
        """Let it write a checkpoint and end."""
        self._stopping = True
        self._send("stop")

    def wait(self) -> None:
        """Wait for its end."""
        while not self.ended:
            self._reader.join(LOOK_EVERY)
        if self.process.returncode == STOPPED:
            self.kept = self.error

    def kill(self) -> None:
        """End it at once, if it runs."""
        self._stopping = True
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdin is not None
        with suppress(OSError):  # what it did not read
            self.process.stdin.close()

    def finish(self) -> int:
        """Its exit code; raises what ended it, InputError or, with what it printed, RuntimeError."""
        code = self.process.wait()
        self.kill()
        if code == STOPPED:
            raise Interrupted(self.error)
        if code < 0 and not self.error:
            raise InputError(
                f"{self.stage.folder}: its process was ended from outside (signal {-code}); perhaps memory ran out. "
                "Go on with --resume --threads 1, which trains one network at a time"
            )
        if self.failed:
            if self.error:
                raise InputError(self.error)
            last = "\n".join(self.lines)
            raise RuntimeError(f"the process of {self.stage.folder} ended with code {code}; it printed\n{last}")
        return code
