"""The process of a training beside another: `python -m kinespan.train.stage_process`, started by stages.py.

It reads a call (stage_call.py) from a line of its standard input, which its parent holds open, runs it, prints
progress and why it fails, and ends with 0 where it was done.
"""

from __future__ import annotations

import os
import sys

from .. import progress
from ..child import BAD_INPUT, ERROR, STOPPED, stop_with_parent
from ..errors import InputError
from ..threads import choose_threads, computing_on
from .stage_call import LabelsChangedError, read_call
from .stages import LABELS_CHANGED, TOLD

LINES_EVERY = 0.5
"""Seconds between lines of progress."""


def main() -> int:
    """Run the call; returns the exit code."""
    text = b""
    while not text.endswith(b"\n"):
        read = os.read(0, 2**16)
        if not read:
            return STOPPED
        text += read
    progress.PLAIN_EVERY = LINES_EVERY
    stop_with_parent()
    try:
        call = read_call(text.decode())
        with computing_on(choose_threads(call.keywords["threads"], 0).count):
            call(log=lambda line: print(f"{TOLD}{line}", flush=True))
    except LabelsChangedError:
        return LABELS_CHANGED
    except KeyboardInterrupt as stop:
        print(f"{ERROR}{stop}", flush=True)
        return STOPPED
    except InputError as error:
        print(f"{ERROR}{' '.join(str(error).split())}", flush=True)
        return BAD_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
