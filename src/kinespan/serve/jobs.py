"""The jobs of the page: a queue, one process at a time, whatever was done kept in the folder of runs.

A server that ends takes its process with it; the next one shows its jobs as stopped, and resumes them when asked.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from traceback import print_exc
from typing import Any

from ..corpus.index import INDEX_FILE as INDEX
from ..corpus.store import Corpus
from ..errors import InputError
from ..files import write_atomically
from ..report.gather import training_curves
from ..runs.folder import PROPOSALS_FILE
from .job_folder import (
    JOB_LOG,
    TRAININGS,
    URGENT_FILE,
    Job,
    Kind,
    State,
    job_folder,
    load_jobs,
    log_lines,
    number_of,
    save_job,
    without_tracebacks,
)
from .live import Live
from .models import ANSWERS, Models, file_answers_folder
from .processes import KILL_AFTER, GrowingLog, end_in_words, end_process, lock_runs, start_process
from .training_check import check_enough_labels

TICK = 0.1
"""Seconds between looks at a process."""
TELL_EVERY = 0.25
"""Seconds between two events of a job."""
MAX_STEPS = 100_000
INDEX_FILE = "snippets.npz"


class Jobs:
    """The queue of a folder of runs; any thread may use it. `close` ends what runs."""

    def __init__(self, runs: Path, corpus: Path | None, live: Live, model: Path | None = None) -> None:
        """runs: folder of models and jobs. model: a run or model file from anywhere, which is loaded.

        Raises InputError where another server works in that folder, and for a model that does not localize.
        """
        self.runs, self.corpus, self.live = Path(runs), corpus, live
        self.models = Models(self.runs, model)
        self._folder = self.runs / "jobs"
        self._lock_file = lock_runs(self.runs)
        self._jobs = {job.number: job for job in load_jobs(self._folder)}
        for job in self._jobs.values():
            if job.state in ("waiting", "running"):
                job.hear(log_lines(self._job_folder(job)))
                self._set_state(job, "stopped")
        self._lock = threading.RLock()
        self._wake = threading.Condition(self._lock)
        self._closing = False
        self._checksums: tuple[int, dict[str, str]] = (0, {})
        self._current: Job | None = None
        self._ending = False
        """Whether the current job was cancelled."""
        self._worker = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._worker.start()

    # ---- asking --------------------------------------------------------------------------------------------------

    def all(self) -> list[Job]:
        """All jobs, the newest first."""
        with self._lock:
            return sorted(self._jobs.values(), key=lambda job: -job.number)

    def get(self, number: int) -> Job:
        """A job. Raises InputError for a number that no job has."""
        with self._lock:
            if number not in self._jobs:
                raise InputError(f"no job has the number {number}")
            return self._jobs[number]

    def log(self, number: int) -> tuple[list[str], dict[str, list[tuple[float, float]]]]:
        """What the process of a job printed, and the curves of a training by name: (step, value)."""
        job = self.get(number)
        curves: dict[str, list[tuple[float, float]]] = {}
        if "run" in job.request:
            with suppress(OSError, ValueError, KeyError, TypeError):  # a row may be half written
                curves = training_curves(Path(job.request["run"]))
        return [self._shown(line) for line in without_tracebacks(log_lines(self._job_folder(job)))], curves

    def train(
        self,
        kind: Kind,
        set: str,
        *,
        start: str | None = None,
        split: str | None = None,
        steps: int | None = None,
    ) -> Job:
        """Queue a `finetune` or `learn` on what is labelled in a set.

        start: the id of a run to go on from, or "start" for none; None: the last one, where labels only grew. Raises
        InputError where there is too little to train on, for an unknown set, split or model, and steps out of range.
        """
        corpus = self._open_corpus(set)
        check_enough_labels(corpus, split)
        if steps is not None and not 1 <= steps <= MAX_STEPS:
            raise InputError(f"steps: found {steps}, expected 1 to {MAX_STEPS:,}")
        if start not in (None, "start"):
            self.models.get(str(start))
        with self._lock:
            taken = [Path(job.request["run"]).name for job in self._jobs.values() if "run" in job.request]
            run = self.runs.resolve() / self.models.next_run(taken)
            request = {
                "corpus": str(corpus.path.resolve()), "set": set, "split": split, "steps": steps, "from": start,
                "run": str(run),
            }  # fmt: skip
            return self._add(kind, request, f"on what is labelled in set {set}", run.name)

    def predict(self, model: str, names: Sequence[str], files: Sequence[Mapping[str, Any]] = ()) -> Job:
        """Queue the localization of recordings of the corpus by name, and of motion files.

        files: of each ``path``, and the ``format`` and ``options`` that it is read with. What is answered already is
        not done again. A single recording goes first. Raises InputError for an unknown model.
        """
        chosen = self.models.get(model)
        request: dict[str, Any] = {
            "file": str(chosen.file.resolve()), "home": str(chosen.home.resolve()), "answers": ANSWERS,
            "names": list(names), "files": [dict(item) for item in files],
        }  # fmt: skip
        if names:
            request["corpus"] = str(self._corpus_folder().resolve())
        count = len(names) + len(files)
        about = f"{chosen.name}, {count} recording{'' if count == 1 else 's'}"
        with self._lock:
            queued = [job for job in self._jobs.values() if job.state == "waiting" and job.kind == "predict"]
            for job in queued:
                if files and not names and job.request["files"] and job.model == chosen.id and job is not self._current:
                    job.request["files"] += request["files"]  # one process for files that are dropped one by one
                    self._set_state(job, "waiting")
                    return job
            job = self._add("predict", request, about, chosen.id)
            if len(names) == 1 and self._current is not None and self._current.kind == "predict":
                self._hurry(self._current, job)
            return job

    def embed(self) -> Job:
        """Queue the snippet index of the corpus, by the encoder of the loaded model, else the one of the package."""
        loaded = self.models.loaded
        file = None if loaded is None else str(self.models.get(loaded).file.resolve())
        request = {"corpus": str(self._corpus_folder().resolve()), "file": file, "index": str(self.index_file)}
        return self._add("embed", request, "snippets of all recordings", loaded)

    @property
    def index_file(self) -> Path:
        """The file of the snippet index."""
        return self.runs.resolve() / INDEX_FILE

    def predicted(self, model: str) -> set[str]:
        """The recordings of the corpus that a model has localized as they are now."""
        if self.corpus is None:
            return set()
        stamp = (self.corpus / INDEX).stat().st_mtime_ns
        if self._checksums[0] != stamp:
            infos = Corpus.open(self.corpus).infos
            self._checksums = (stamp, {info.name: info.checksum for info in infos})
        return self.models.predicted(model, self._checksums[1])

    def payload(self, job: Job) -> dict[str, Any]:
        """What the page is told of a job: paths from the folders of runs and of the corpus on."""
        return {name: self._shown(value) for name, value in job.payload().items()}

    def _shown(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        for folder in (self.runs, self.corpus):
            if folder is not None and len(folder.resolve().parts) > 2:
                value = value.replace(f"{folder.resolve().parent}/", "")
        return value

    # ---- steering --------------------------------------------------------------------------------------------------

    def cancel(self, number: int) -> Job:
        """End a job that waits or runs; what was done is kept. A job that is over stays as it is."""
        with self._lock:
            job = self.get(number)
            if self._current is job:
                self._ending = True  # the worker ends its process
            elif job.state == "waiting":
                self._set_state(job, "cancelled")
            self._wake.notify_all()
        deadline = time.monotonic() + 10 * KILL_AFTER
        while self._current is job and time.monotonic() < deadline:
            time.sleep(TICK / 4)
        return job

    def resume(self, number: int) -> Job:
        """Queue a job again that was cancelled, stopped, or failed. Raises InputError for any other."""
        with self._lock:
            job = self.get(number)
            if not job.resumable or self._current is job:
                raise InputError(f"job {number} is {job.state}; only one that was stopped, cancelled or failed goes on")
            job.error = None
            self._set_state(job, "waiting")
            self._wake.notify_all()
            return job

    def close(self) -> None:
        """End the running job, which the next server can resume, and take no more."""
        with self._lock:
            self._closing = True
            self._wake.notify_all()
        self._worker.join(timeout=5)
        if self._lock_file is not None:
            self._lock_file.close()

    # ---- the worker ------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._lock:
                job = self._next()
                while job is None and not self._closing:
                    self._wake.wait()
                    job = self._next()
                if self._closing or job is None:
                    return
                self._current, self._ending = job, False
            try:
                self._run(job)
            except Exception as error:
                if not isinstance(error, InputError | OSError):
                    print_exc()
                job.error = str(error) if isinstance(error, InputError) else "its process could not be started or heard"
                job.state = "failed"
                with suppress(InputError, OSError):  # a full disk; whoever reads job.json later finds it stopped
                    save_job(job, self._job_folder(job))
                self.live.publish("job", self.payload(job))
            finally:
                self._current = None

    def _next(self) -> Job | None:
        """The job whose turn it is: a single recording first, then the one that was queued first."""
        waiting = [job for job in self._jobs.values() if job.state == "waiting"]
        return min(waiting, key=lambda job: (not _is_single(job), job.number), default=None)

    def _run(self, job: Job) -> None:
        """Start the process of a job, tell how far it is, and wait for its end."""
        if job.kind == "predict" and self._is_answered(job):
            self._set_state(job, "done")
            return
        folder, begin, before = self._job_folder(job), time.monotonic(), job.seconds
        if job.kind in TRAININGS and "last" not in job.request:
            job.request |= self._last_run(job)
        (folder / URGENT_FILE).unlink(missing_ok=True)
        self._set_state(job, "running")
        heard = GrowingLog(folder / JOB_LOG)
        with open(folder / JOB_LOG, "ab") as log:
            process = start_process(folder, log)
        try:
            self._follow(job, process, heard, begin - before)
        finally:
            if process.poll() is None:
                end_process(process)
        job.hear(heard.lines())
        job.seconds = before + time.monotonic() - begin
        if process.stdin is not None:
            process.stdin.close()
        self._finish(job, process.returncode)

    def _follow(self, job: Job, process: subprocess.Popen[bytes], heard: GrowingLog, begin: float) -> None:
        """Tell how far a process is until it ends, or is to end. begin: when it would have begun without a break."""
        told, next_telling = "", 0.0
        while process.poll() is None and not (self._ending or self._closing):
            job.seconds = time.monotonic() - begin
            job.hear(heard.lines())
            if time.monotonic() >= next_telling:
                next_telling = time.monotonic() + TELL_EVERY
                told = self._tell(job, told)
                self._finish_answered()
            time.sleep(TICK)

    def _finish(self, job: Job, code: int) -> None:
        """Say how a job ended; a model that was trained is loaded, and predicts."""
        if code == 0:
            job.error = None
            self._set_state(job, "done")
            if job.kind in TRAININGS and job.model is not None:
                self.models.load(job.model)
                self.live.publish("models", {"model": job.model})
                self._predict_all(job.model)
        elif self._closing:
            self._set_state(job, "stopped")
        elif self._ending:
            self._set_state(job, "cancelled")
        else:
            if job.error is None:
                job.error = end_in_words(code)
            self._set_state(job, "failed")

    def _predict_all(self, model: str) -> None:
        """Queue the predictions of a model that was just trained, in place of those of earlier ones that still wait."""
        with self._lock:
            for job in self._jobs.values():
                if job.state == "waiting" and job.request.get("follows"):
                    self._set_state(job, "cancelled")
            job = self.predict(model, [info.name for info in self._open_corpus(None).infos])
            job.request["follows"] = True
            self._set_state(job, job.state)

    def _finish_answered(self) -> None:
        """Waiting jobs that ask for recordings which were answered meanwhile are done."""
        with self._lock:
            for job in self._jobs.values():
                if job.state == "waiting" and job.kind == "predict" and self._is_answered(job):
                    self._set_state(job, "done")

    # ---- how -------------------------------------------------------------------------------------------------------

    def _add(self, kind: Kind, request: dict[str, Any], about: str, model: str | None) -> Job:
        with self._lock:
            folders = (number_of(folder) for folder in self._folder.glob("[0-9]*"))  # also of jobs that are damaged
            number = max((*self._jobs, *folders), default=0) + 1
            job = Job(number, kind, request, about=about, model=model)
            save_job(job, self._job_folder(job))
            self._jobs[number] = job
            self.live.publish("job", self.payload(job))
            self._wake.notify_all()
            return job

    def _set_state(self, job: Job, state: State) -> None:
        job.state = state
        save_job(job, self._job_folder(job))
        self.live.publish("job", self.payload(job))

    def _tell(self, job: Job, told: str) -> str:
        """Publish a job where anything but its seconds differs from what was told last; returns what is told."""
        payload = self.payload(job)
        now = json.dumps({**payload, "seconds": int(job.seconds)})
        if now != told:
            self.live.publish("job", payload)
        return now

    def _job_folder(self, job: Job) -> Path:
        return job_folder(self._folder, job.number)

    def _corpus_folder(self) -> Path:
        if self.corpus is None:
            raise InputError("no corpus is open: motion files are predicted, but have no labels to train on")
        return self.corpus

    def _open_corpus(self, set: str | None) -> Corpus:
        return Corpus.open(self._corpus_folder(), set)

    def _is_answered(self, job: Job) -> bool:
        """Whether everything that a job asks for is answered."""
        names, request = job.request["names"], job.request
        try:
            if names and not set(names) <= self.predicted(str(job.model)):
                return False
            home = Path(request["home"])
            folders = [file_answers_folder(home, item) for item in request["files"]]
        except (InputError, OSError):
            return False
        return all((folder / PROPOSALS_FILE).is_file() for folder in folders)

    def _hurry(self, running: Job, job: Job) -> None:
        """Ask a running prediction by the same model to do the recording of another job next."""
        if running.model == job.model:
            file = self._job_folder(running) / URGENT_FILE
            names = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
            write_atomically(file, json.dumps([*names, *job.request["names"]]) + "\n")

    def _last_run(self, job: Job) -> dict[str, Any]:
        """The run that a training may go on from: the one that was asked for, else the newest of its kind."""
        start = job.request.get("from")
        if start == "start":
            return {"last": None}
        model = self.models.get(start) if start else self.models.last(job.kind)
        if model is None:
            return {"last": None}
        last = model.file if job.kind == "finetune" else model.file.parent
        return {"last": str(last.resolve()), "last_name": model.name}


def _is_single(job: Job) -> bool:
    """Whether a job asks for one recording alone."""
    return job.kind == "predict" and len(job.request["names"]) + len(job.request["files"]) == 1
