"""The sides of a case in turn, each in a process of its own that is stopped while it is not its turn."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .counting import Need
from .machine import memory, other_threads_running

MIN_SECONDS = 0.25
"""A turn of short work repeats it until it lasts this long."""
MIN_TURNS, MAX_TURNS = 3, 20


@dataclass(frozen=True)
class Job:
    """One side, ready to be timed. `repeat` does `units` of the work; `need` and `value_bytes` are those of one unit.

    wait lets a device finish; figures, asked for at the end, gives numbers that the side measured itself. A job that
    takes long or needs no warming up has warmup 0.
    """

    repeat: Callable[[], object]
    units: float = 1
    need: Need = field(default_factory=Need)
    value_bytes: int = 4
    wait: Callable[[], None] = lambda: None
    figures: Callable[[], Mapping[str, float]] = dict
    warmup: int = 1
    once: bool = False


@dataclass(frozen=True)
class Measured:
    """Seconds a unit of a side's turns, by the clock and of the processor (its workers' not counted); what a unit
    needs, and the side's own figures."""

    seconds: tuple[float, ...] = ()
    cpu: tuple[float, ...] = ()
    facts: Mapping[str, float] = field(default_factory=dict)


def serve(make: Callable[[], Job]) -> None:
    """The process of a side: make the job, then answer each line of stdin with the seconds of a turn, as JSON."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not get between the answers

    def answer(**values: Any) -> None:
        out.write(json.dumps(values) + "\n")

    try:
        job = make()
        first = math.inf
        for _ in range(job.warmup):
            first, _ = _timed(job, 1)
        loops = max(1, math.ceil(MIN_SECONDS / first)) if job.warmup else 1
        answer(once=job.once)
        for line in sys.stdin:
            if line.strip() != "go":
                break
            seconds, cpu = _timed(job, loops)
            answer(seconds=seconds / loops / job.units, cpu=cpu / loops / job.units)
        need = {"operations": job.need.operations, "bytes": job.need.values * job.value_bytes}
        need["bf16"] = float(job.value_bytes == 2)
        answer(facts={**need, "peak_bytes": memory()["VmHWM"], **job.figures()})
    except Exception:
        answer(error=traceback.format_exc())


def _timed(job: Job, loops: int) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    job.wait()
    begin, cpu = time.perf_counter(), time.process_time()
    for _ in range(loops):
        job.repeat()
    job.wait()
    return time.perf_counter() - begin, time.process_time() - cpu


class Side:
    """The process of one side, with those that it starts, all stopped except in its turns."""

    def __init__(self, words: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            process_group=0,  # of this session: should we die, the system wakes and ends what is stopped
            cwd=Path(__file__).parents[2],
        )
        self.seconds: list[float] = []
        self.cpu: list[float] = []
        try:
            self.once = bool(self._read()["once"])
        except BaseException:
            self.close()
            raise
        self.stop()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"ended with {self.process.wait()} without an answer"}
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return dict(answer)

    def _write(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")

    def stop(self) -> None:
        """Stop the side and its workers where they are."""
        self._signal(signal.SIGSTOP)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def turn(self) -> None:
        """Let it run for one turn; adds its seconds a unit."""
        self._signal(signal.SIGCONT)
        self._write("go")
        answer = self._read()
        self.stop()
        self.seconds.append(float(answer["seconds"]))
        self.cpu.append(float(answer["cpu"]))

    def facts(self) -> dict[str, float]:
        """What a unit needs, and the side's own figures; ends the side."""
        self._signal(signal.SIGCONT)
        self._write("end")
        return dict(self._read()["facts"])

    def close(self) -> None:
        """End it and all that it started."""
        self._signal(signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def measure_in_turns(
    commands: Mapping[str, Sequence[str]], budget: float, min_turns: int = MIN_TURNS
) -> tuple[dict[str, Measured], float | None]:
    """Measure sides, given the words that start each, in turn: each once, then each again, for `budget` seconds.

    Returns what was measured and how many threads of other programs ran, on average, while all sides were stopped (None
    where that is not known). Raises RuntimeError with the side's traceback where one fails.
    """
    sides: dict[str, Side] = {}
    other_threads: list[int] = []
    try:
        for name, words in commands.items():
            sides[name] = Side(words)
        begin = time.monotonic()
        for turn in range(MAX_TURNS):
            for side in sides.values():
                if side.once and turn:
                    continue
                other_threads += _count_other_threads()
                side.turn()
            enough = turn + 1 >= min_turns and time.monotonic() - begin > budget
            if enough or all(side.once for side in sides.values()):
                break
        measured = {name: Measured(tuple(side.seconds), tuple(side.cpu), side.facts()) for name, side in sides.items()}
        return measured, sum(other_threads) / len(other_threads) if other_threads else None
    finally:
        for side in sides.values():
            side.close()


def _count_other_threads() -> list[int]:
    """Threads of other programs that run while our sides are stopped, counted three times."""
    counts = []
    for _ in range(3):
        time.sleep(0.01)
        count = other_threads_running()
        counts += [] if count is None else [count]
    return counts
