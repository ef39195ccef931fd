"""Functions that stand in for trainings: a child process imports them by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from kinespan.errors import InputError, Interrupted


def train(data, folder, *, resume, threads, log, after=(), result="done", wait_for=None):
    """Write the result, after the results of others were read; wait_for: a file that another training writes."""
    for other in after:
        assert (other / "done").is_file()
    folder.mkdir(parents=True)
    (folder / "begun").touch()
    wait_until(wait_for)
    (folder / result).write_text(f"{data} {threads} {os.getpid()}")


def refuse(data, folder, *, resume, threads, log, wait_for=None):
    wait_until(wait_for)
    raise InputError("labels: found none")


def go_on_until_stopped(data, folder, *, resume, threads, log):
    folder.mkdir(parents=True)
    (folder / "begun").touch()
    try:
        wait_until(folder / "never")
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; {folder.name} keeps a checkpoint") from None


def press_ctrl_c(data, folder, *, resume, threads, log, wait_for):
    wait_until(wait_for)
    os.kill(os.getpid(), signal.SIGINT)
    wait_until(folder / "never")


def wait_until(file: Path | None):
    begin = time.monotonic()
    while file is not None and not file.exists():
        assert time.monotonic() - begin < 60
        time.sleep(0.02)
