"""A job of the page as its folder keeps it: what was asked for, how far it is, and what its process said.

runs/jobs/NNN/ holds job.json, written as a whole whenever the state changes, and log.txt, what the process printed.
From its lines the server reads the rest: progress, the loss, what the job is about, why it failed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from ..child import ERROR
from ..errors import InputError
from ..files import write_atomically
from ..progress import BESIDE
from ..progress import LINE as PROGRESS_LINE

JOB_FILE, JOB_LOG = "job.json", "log.txt"
URGENT_FILE = "urgent.json"
"""Names of recordings that a running prediction is asked to do next."""
Kind = Literal["finetune", "learn", "predict", "embed"]
State = Literal["waiting", "running", "done", "failed", "cancelled", "stopped"]
"""stopped: its server ended before it was done."""
TRAININGS = ("finetune", "learn")
ABOUT = "about: "
"""Beginning of the line in which a process says what it does."""
MAX_LINES = 400
"""Lines of a log that are shown, the last ones."""
_LOSS = re.compile(r"\bloss (-?[\d.]+(?:e[-+]?\d+)?)")


@dataclass
class Job:
    """A job: the numbers and texts of the page's API, and what its process needs to know."""

    number: int
    kind: Kind
    request: dict[str, Any] = field(default_factory=dict)
    """What is asked of the process: names of recordings, the set, the split, steps, files of models."""
    state: State = "waiting"
    about: str = ""
    done: int = 0
    total: int = 0
    stage: str = ""
    loss: float | None = None
    seconds: float = 0.0
    """Time that it ran."""
    error: str | None = None
    model: str | None = None
    """The model that is trained or that predicts, by id."""

    @property
    def resumable(self) -> bool:
        """Whether it can be queued again; what was done is kept."""
        return self.state in ("failed", "cancelled", "stopped")

    def payload(self) -> dict[str, Any]:
        """What the page is told of it."""
        names = ("number", "kind", "state", "about", "done", "total", "stage", "loss", "seconds", "error", "model")
        values = {name: getattr(self, name) for name in names}
        return {**values, "seconds": round(self.seconds, 1), "resumable": self.resumable}

    def hear(self, lines: Iterable[str]) -> None:
        """Take over what lines of its log say."""
        for line in lines:
            if line.startswith(BESIDE):
                continue
            if match := PROGRESS_LINE.fullmatch(line):
                self.stage, self.done, self.total = match["stage"], int(match["done"]), int(match["total"])
                loss = _LOSS.search(match["note"] or "")
                self.loss = float(loss[1]) if loss else None
            elif line.startswith(ABOUT):
                self.about = line.removeprefix(ABOUT)
            elif line.startswith(ERROR):
                self.error = line.removeprefix(ERROR)


def job_folder(jobs: Path, number: int) -> Path:
    """The folder of a job."""
    return jobs / f"{number:03d}"


def save_job(job: Job, folder: Path) -> None:
    """Write job.json, as a whole."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / JOB_FILE, json.dumps(asdict(job), indent=1, ensure_ascii=False) + "\n")


def load_job(folder: Path) -> Job:
    """The job in a folder. Raises InputError where job.json is missing or was changed."""
    file = folder / JOB_FILE
    try:
        job = Job(**json.loads(file.read_text(encoding="utf-8")))
        _check(job, folder)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{file}: not a job of this version ({error}); remove its folder") from None
    return job


def _check(job: Job, folder: Path) -> None:
    """Raise ValueError for a field of another type than jobs have, and a number that is not the folder's."""
    if job.number != number_of(folder) or job.kind not in get_args(Kind) or job.state not in get_args(State):
        raise ValueError(f"number {job.number!r}, kind {job.kind!r}, state {job.state!r}")
    texts = (job.about, job.stage, job.error or "", job.model or "")
    numbers = (job.done, job.total, job.seconds, job.loss or 0.0)
    if not all(isinstance(text, str) for text in texts) or not all(math.isfinite(number) for number in numbers):
        raise ValueError("expected texts and finite numbers")
    if not isinstance(job.request, dict):
        raise ValueError("request: expected an object")
    if job.kind == "predict" and not all(isinstance(job.request.get(name), list) for name in ("names", "files")):
        raise ValueError("request: expected lists of names and of files")
    runs = folder.resolve().parents[1]
    for name in {"run", "home", "index"} & job.request.keys():  # what its process writes, and begins anew
        if not Path(job.request[name]).is_relative_to(runs) or ".." in Path(job.request[name]).parts:
            raise ValueError(f"request: {name} is outside of the folder of runs {runs}")


def number_of(folder: Path) -> int:
    """The number of the job that a folder is of; 0 for another folder."""
    return int(folder.name) if folder.name.isascii() and folder.name.isdigit() else 0


def load_jobs(jobs: Path) -> list[Job]:
    """The jobs in a folder by number; one whose file cannot be read is left out."""
    loaded = []
    for folder in sorted(jobs.glob("[0-9]*")):
        try:
            loaded.append(load_job(folder))
        except InputError:
            continue
    return sorted(loaded, key=lambda job: job.number)


def without_tracebacks(lines: Sequence[str]) -> list[str]:
    """The lines of a log up to where a process broke off, which is nothing to show on a page."""
    for number, line in enumerate(lines):
        if line.startswith(("Traceback (most recent call last)", "Fatal Python error")):
            return [*lines[:number], f"it broke off here; {JOB_LOG} in the folder of the job says more"]
    return list(lines)


def log_lines(folder: Path) -> list[str]:
    """The last lines that the process of a job printed."""
    file = folder / JOB_LOG
    if not file.is_file():
        return []
    return file.read_text(encoding="utf-8", errors="replace").splitlines()[-MAX_LINES:]
