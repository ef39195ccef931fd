"""The processes of jobs, as the server starts, hears and ends them; and the lock on a folder of runs."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO

from ..child import start_child
from ..errors import InputError
from .job_folder import JOB_LOG

KILL_AFTER = 0.5
"""Seconds that a process has to write a checkpoint once it is to end."""
LOCK_FILE = "server.lock"


def start_process(folder: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """The process of the job in a folder; the server holds its standard input open."""
    return start_child(f"{__package__}.job_process", str(folder.resolve()), log=log)


def end_process(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children: first as Ctrl-C does, so that a checkpoint is written, then at once."""
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(KILL_AFTER)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end_in_words(code: int) -> str:
    """Why a process ended that did not say so."""
    if code == -9:
        return "its process was ended from outside; perhaps memory ran out. Close other programs and resume it"
    return f"its process ended with code {code}; {JOB_LOG} in its folder says more"


class GrowingLog:
    """The lines that a log grows by from now on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._position = file.stat().st_size if file.is_file() else 0

    def lines(self) -> list[str]:
        """The whole lines that were added since the last call."""
        with open(self._file, "rb") as stream:
            stream.seek(self._position)
            text = stream.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._position += len(whole)
        return whole.decode("utf-8", errors="replace").splitlines()


def lock_runs(runs: Path) -> IO[str] | None:
    """A lock that this server holds on a folder of runs until it ends; None where the system has none.

    Raises InputError where another server holds it.
    """
    try:
        import fcntl
    except ImportError:
        return None
    file = runs / LOCK_FILE
    try:
        runs.mkdir(parents=True, exist_ok=True)
        stream = open(file, "w", encoding="utf-8")  # noqa: SIM115  held until the server ends
    except OSError as error:
        raise InputError(f"--runs {runs}: cannot be written ({error.strerror}); name another folder") from None
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        stream.close()
        raise InputError(
            f"--runs {runs}: another kinespan server works with these runs; use its page, or name another folder"
        ) from None
    return stream
