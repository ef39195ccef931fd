"""The process of a job: `python -m kinespan.serve.job_process FOLDER`, started by the server of the page.

It does what job.json in the folder says, prints progress, what it is about and why it fails, and ends with 0 where it
was done. Its standard input is held open by the server: where that ends, however it ended, so does the process.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import progress
from ..child import BAD_INPUT, ERROR, STOPPED, stop_with_parent
from ..config import FinetuneConfig, LearnConfig
from ..corpus.store import Corpus
from ..corpus.training_set import labelled_names, training_set
from ..errors import InputError, Interrupted
from ..files import write_atomically
from ..progress import Progress
from ..runs.folder import MODEL_FILE, can_resume
from ..runs.settings import load_settings
from ..threads import choose_threads, computing_on
from ..train.continuing import CannotContinueError, check_continues, check_learn_continues, continued_spec
from .job_folder import ABOUT, URGENT_FILE, Job, load_job
from .training_check import check_enough_labels

if TYPE_CHECKING:  # torch takes seconds to import
    from ..models.base import Model

LINES_EVERY = 0.5
"""Seconds between lines of progress."""
NICENESS = 5
SAVE_EVERY = 50
"""Steps between the checkpoints of a training."""
PLAN_FILE = "plan.json"
"""Where a training starts from, in the folder of its job."""


def main(folder: Path) -> int:
    """Do the job in a folder; returns the exit code."""
    stop_with_parent()
    os.nice(NICENESS)
    progress.PLAIN_EVERY = LINES_EVERY
    try:
        _do(load_job(folder), folder)
    except (Interrupted, KeyboardInterrupt) as error:
        print(f"stopped{f': {error}' if str(error) else ''}", flush=True)
        return STOPPED
    except InputError as error:
        print(f"{ERROR}{' '.join(str(error).split())}", flush=True)
        return BAD_INPUT
    return 0


def _do(job: Job, folder: Path) -> None:
    request = job.request
    if job.kind == "finetune":
        _finetune(request, folder)
    elif job.kind == "learn":
        _learn(request, folder)
    else:
        with computing_on(choose_threads().count):
            _predict(request, folder) if job.kind == "predict" else _embed(request)


# ---- training --------------------------------------------------------------------------------------------------------


def _finetune(request: dict[str, Any], folder: Path) -> None:
    corpus, out = Corpus.open(request["corpus"], request["set"]), Path(request["run"])
    steps = {} if request.get("steps") is None else {"steps": request["steps"]}
    config = FinetuneConfig(split=request.get("split"), save_every=SAVE_EVERY, **steps)
    plan = _plan(request, folder, corpus, config)
    from ..runs.load import load_model
    from ..train.finetuning import finetune
    from ..train.held_out import run_test

    model: Model
    if (out / MODEL_FILE).is_file():  # stopped while it was tested
        model = load_model(out)
    else:
        resume = can_resume(out)
        if not resume:
            shutil.rmtree(out, ignore_errors=True)  # of an attempt that was stopped before its first checkpoint
        model = finetune(corpus, out, config, continue_from=plan["from"], resume=resume, log=_log)
    if config.split is not None:
        run_test(model, corpus, out, config.split, 1)


def _learn(request: dict[str, Any], folder: Path) -> None:
    corpus, out = Corpus.open(request["corpus"], request["set"]), Path(request["run"])
    config = LearnConfig(split=request.get("split"))
    plan = _plan(request, folder, corpus, config)
    from ..train.learning import learn, run_tests

    resume = load_settings(out).get("stage") == "learn"
    result = learn(corpus, out, config, continue_from=plan["from"], resume=resume, log=_log)
    if config.split is not None:
        run_tests(result, corpus, out, config.split, 1)


def _log(line: str) -> None:
    print(line, flush=True)


def _plan(
    request: dict[str, Any], folder: Path, corpus: Corpus, config: FinetuneConfig | LearnConfig
) -> dict[str, Any]:
    """Where the training starts from: decided once, kept in the job's folder, and printed.

    Raises InputError where there is too little to train on, and where the labels of the set are others than when a
    training that is resumed was started.
    """
    check_enough_labels(corpus, config.split)
    assert corpus.labels is not None
    file, labels = folder / PLAN_FILE, [list(corpus.labels.names), list(corpus.labels.events), corpus.labels.exclusive]
    if file.is_file():
        plan: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if plan["labels"] != labels:
            raise InputError(
                f"annotation set {corpus.set!r}: its list of labels was changed since this job was started; train anew"
            )
    else:
        start, about = _start(request, corpus, config)
        plan = {"from": start, "about": about, "labels": labels}
        write_atomically(file, json.dumps(plan, ensure_ascii=False) + "\n")
    print(f"{ABOUT}{plan['about']}", flush=True)
    return plan


def _start(request: dict[str, Any], corpus: Corpus, config: FinetuneConfig | LearnConfig) -> tuple[str | None, str]:
    """The run that the training goes on from, None: none, and the reason in words."""
    last = request.get("last")
    if last is None:
        return None, "from the start" + (", as was asked for" if request.get("from") == "start" else "")
    name = request["last_name"]
    data = training_set(corpus, config.split, 1)
    settings = config if isinstance(config, FinetuneConfig) else config.finetuning()
    names, labels = labelled_names(corpus, data.names, data.drop_labels, settings)
    try:
        runs = [Path(last)]
        if isinstance(config, LearnConfig):
            runs = list(check_learn_continues(last, config, labels))
        for run in runs:
            continued_spec(check_continues(run, FinetuneConfig(), labels), run, data, settings, labels, names)
    except InputError as error:
        reason = (
            error.reason
            if isinstance(error, CannotContinueError)
            else str(error).removeprefix("--from ").partition(": ")[2]
        )
        if request.get("from"):
            raise InputError(f"{name} cannot be gone on from: {reason}") from None
        return None, f"from the start, not from {name}: {reason}"
    return str(last), f"from {name}, labels only grew"


# ---- predicting ------------------------------------------------------------------------------------------------------


def _predict(request: dict[str, Any], folder: Path) -> None:
    from ..runs.load import load_model
    from .predicting import predict_corpus, predict_file

    model = load_model(request["file"])
    home, names, files = Path(request["home"]), request["names"], request["files"]
    failed: list[str] = []
    if names:
        corpus = Corpus.open(request["corpus"])
        names = [name for name in names if name in corpus]
        with progress.counting("localizing") as count:
            predict_corpus(model, corpus, names, home / request["answers"], count, lambda: _urgent(folder), failed)
    if files:
        with Progress("localizing", len(files)) as bar:
            for number, item in enumerate(files, start=1):
                try:
                    predict_file(model, item, home)
                except InputError as error:
                    failed.append(str(error))
                bar.update(number)
    if failed:
        raise InputError(f"{failed[0]}{f'; and {len(failed) - 1} more' if len(failed) > 1 else ''}")


def _urgent(folder: Path) -> Sequence[str]:
    """Recordings that the page asked for since, which go first."""
    file = folder / URGENT_FILE
    if not file.is_file():
        return ()
    names: list[str] = json.loads(file.read_text(encoding="utf-8"))
    return names


def _embed(request: dict[str, Any]) -> None:
    from ..retrieval.index import build_index
    from ..runs.load import load_encoder, load_model

    model = load_model(request["file"]) if request.get("file") else load_encoder("default")
    with progress.counting("embedding") as count:
        build_index(Corpus.open(request["corpus"]), model, request["index"], count)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
