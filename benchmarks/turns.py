"""Two sides of a work in turn, each in a process of its own that stands still while it is not its turn."""

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
from .machine import memory, others_running

LEAST_SECONDS = 0.25
"""A turn of short work repeats it until it lasts this long."""
LEAST_TURNS, MOST_TURNS = 3, 20


class NotThereError(Exception):
    """This side does not exist yet."""


@dataclass(frozen=True)
class Job:
    """One side, ready to be timed. `repeat` does `units` of the work; `need` and `value_bytes` are those of one unit.

    wait lets a device finish; figures, asked for at the end, gives numbers that the side measured itself. Work
    that takes long or needs no warming up has warmup 0.
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
    """Seconds a unit of a side's turns, by the clock and of the processor (its workers' not counted); or why it is
    missing; what a unit needs; the side's own figures."""

    seconds: tuple[float, ...] = ()
    cpu: tuple[float, ...] = ()
    missing: str | None = None
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
        loops = max(1, math.ceil(LEAST_SECONDS / first)) if job.warmup else 1
        answer(ready=True, once=job.once)
        for line in sys.stdin:
            if line.strip() != "go":
                break
            seconds, cpu = _timed(job, loops)
            answer(seconds=seconds / loops / job.units, cpu=cpu / loops / job.units)
        need = {"operations": job.need.operations, "bytes": job.need.values * job.value_bytes}
        need["bf16"] = float(job.value_bytes == 2)
        answer(facts={**need, "peak_bytes": memory()["VmHWM"], **job.figures()})
    except NotThereError as error:
        answer(missing=str(error))
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
    """The process of one side, with those it starts, which stand still except in turns."""

    def __init__(self, words: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            process_group=0,  # of this session: should we die, the system wakes and ends what stands still
            cwd=Path(__file__).parents[1],
        )
        self.seconds: list[float] = []
        self.cpu: list[float] = []
        try:
            found = self._read()
        except BaseException:
            self.close()
            raise
        self.missing: str | None = found.get("missing")
        self.once = bool(found.get("once"))
        self.stand()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = json.loads(line) if line else {"error": f"ended with {self.process.wait()} and said nothing"}
        if "error" in found:
            raise RuntimeError(found["error"])
        return dict(found)

    def _write(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")

    def stand(self) -> None:
        """Stop the side and its workers where they are."""
        self._signal(signal.SIGSTOP)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def turn(self) -> None:
        """Let it go on for one turn; keeps its seconds a unit."""
        self._signal(signal.SIGCONT)
        self._write("go")
        found = self._read()
        self.stand()
        self.seconds.append(float(found["seconds"]))
        self.cpu.append(float(found["cpu"]))

    def facts(self) -> dict[str, float]:
        """What it has to say at the end."""
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


def in_turn(
    sides: Mapping[str, Sequence[str]], budget: float, least: int = LEAST_TURNS
) -> tuple[dict[str, Measured], float | None]:
    """Measure sides, given the words that start each, in turn: each once, then each again, for `budget` seconds.

    Returns what was measured and how many threads of others ran, on average, while all sides stood still (None
    where that is not known). Raises RuntimeError with the side's traceback where one fails.
    """
    running: dict[str, Side] = {}
    others: list[int] = []
    try:
        for name, words in sides.items():
            running[name] = Side(words)
        there = {name: side for name, side in running.items() if side.missing is None}
        begin = time.monotonic()
        for turn in range(MOST_TURNS):
            for side in there.values():
                if side.once and turn:
                    continue
                others += _pause()
                side.turn()
            if (turn + 1 >= least and time.monotonic() - begin > budget) or all(side.once for side in there.values()):
                break
        measured = {
            name: Measured(tuple(side.seconds), tuple(side.cpu), side.missing, {} if side.missing else side.facts())
            for name, side in running.items()
        }
        return measured, sum(others) / len(others) if others else None
    finally:
        for side in running.values():
            side.close()


def _pause() -> list[int]:
    """Threads of others that run while our sides stand still, in three looks."""
    looks = []
    for _ in range(3):
        time.sleep(0.01)
        found = others_running()
        looks += [] if found is None else [found]
    return looks
