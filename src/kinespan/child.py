"""Processes of our own: how one is started, and how it ends with the one that started it, however that ends.

The starting process holds the standard input of its child open. Where that ends, the child stops as after Ctrl-C. It is
in a process group of its own, so that a Ctrl-C in the terminal reaches it through its parent alone, and once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

ERROR = "error: "
"""Beginning of the line in which a child says why it fails."""
BAD_INPUT, STOPPED = 2, 130
"""Exit codes of a child that met bad input, and of one that was stopped, as those of the command line."""
GRACE = 3.0
"""Seconds in which a child whose parent is gone may write a checkpoint."""


def start_child(
    module: str, *arguments: str, log: IO[bytes] | int = subprocess.PIPE, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start `python -m MODULE ARGUMENTS` with this kinespan; what it prints, errors too, goes to `log`."""
    source = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **(environment or {})},
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


def stop_with_parent() -> None:
    """In a child: stop as after Ctrl-C, and in any case after `GRACE` seconds, once standard input ends.

    A line on standard input stops it as well, and leaves it all the time that it needs.
    """

    def wait() -> None:
        if os.read(0, 1):  # not sys.stdin, whose lock would be held while Python shuts down
            interrupt_main()
            while os.read(0, 1):
                pass
        else:
            interrupt_main()
        time.sleep(GRACE)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def interrupt_main() -> None:
    """What Ctrl-C does to the main thread of this process, from any other."""
    if hasattr(signal, "pthread_kill"):  # it also ends a wait of that thread
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)
