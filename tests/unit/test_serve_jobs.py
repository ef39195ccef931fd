"""Jobs of the page: the queue, its processes and their ends, what they keep, and their API over a real server."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus_cases import LABELS, annotation, recording
from model_cases import tiny_localizer

import kinespan
from kinespan.corpus import AnnotationSets, Corpus, CorpusWriter, Fold, Split
from kinespan.data.annotation import Event, Span
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.models.ensemble import ensemble
from kinespan.runs.folder import MEMBERS_FILE, METRICS_FILE, MODEL_FILE
from kinespan.runs.outputs import read_scores
from kinespan.serve import job_process
from kinespan.serve.job_folder import Job, job_folder, load_job, load_jobs, save_job
from kinespan.serve.jobs import Jobs
from kinespan.serve.live import Live
from kinespan.serve.models import ANSWERS
from kinespan.serve.opening import open_paths
from kinespan.serve.page_models import file_item, jobs_of_page
from kinespan.serve.predicting import predict_corpus, predict_file
from kinespan.serve.processes import GrowingLog
from kinespan.serve.rejected import Rejected, is_same
from kinespan.serve.server import make_server
from kinespan.serve.state import Page

WAIT = 30.0


class Events(Live):
    """What is published, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.list: list[tuple[float, str, dict[str, Any]]] = []

    def publish(self, event: str, data: Mapping[str, Any]) -> None:
        self.list.append((time.monotonic(), event, dict(data)))

    def states(self, number: int) -> list[str]:
        """The states that a job was told to be in, one after the other."""
        states = [data["state"] for _, event, data in self.list if event == "job" and data["number"] == number]
        return [state for index, state in enumerate(states) if index == 0 or states[index - 1] != state]


def make_corpus(path: Path) -> Path:
    """Four recordings of two seconds, half of them labelled, with a split."""
    with CorpusWriter(path, "made", LABELS) as writer:
        for number, name in enumerate("abcd"):
            spans = [Span(0.2, 0.9, "kick"), Span(1.1, 1.8, "wave")]
            writer.add(recording(name, 60, 1, NTU_25, number), annotation(*spans) if number < 2 else None)
        writer.add_split(Split("half", {1: Fold(("a", "c"), ("b", "d"))}))
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpora") / "made")


def save_model(file: Path, labels: tuple[str, ...] = LABELS.names, seed: int = 0) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    tiny_localizer(labels, seed).save(file)
    return file


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with a model that was trained before."""
    save_model(tmp_path / "runs" / "run-001" / MODEL_FILE)
    return tmp_path / "runs"


def process_that(code: str) -> Callable[..., subprocess.Popen[bytes]]:
    """A stand-in for the process of a job, which has its folder as `folder` and its job as `job`."""
    begin = "import json, os, pathlib, sys, time\nfolder = pathlib.Path(sys.argv[1])\n"
    begin += "job = json.loads((folder / 'job.json').read_text())\n"

    def start(folder: Path, log: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-u", "-S", "-c", begin + code, str(folder)],
            stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    return start


NOTES_ITS_TURN = "open(folder.parent / 'turns', 'a').write(f'{job[\"number\"]} ')"
WAITS = "print('finetuning: 3/9 in 1 s, about 2 s left  loss 0.25  frame_accuracy 0.9', flush=True)\ntime.sleep(60)"


@pytest.fixture
def jobs(runs: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Jobs]]:
    """Makes the jobs of a server whose processes run some code in place of training."""
    opened: list[Jobs] = []

    def make(code: str) -> Jobs:
        monkeypatch.setattr("kinespan.serve.jobs.start_process", process_that(code))
        opened.append(Jobs(runs, corpus, Events()))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)


def wait_for(jobs: Jobs, number: int, *states: str) -> Job:
    states = states or ("done", "failed", "cancelled", "stopped")
    wait_until(lambda: jobs.get(number).state in states)
    return jobs.get(number)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] if Path("/proc").is_dir() else True


# ---- the queue -------------------------------------------------------------------------------------------------------


def test_one_job_runs_at_a_time_in_the_order_of_the_queue_but_a_single_recording_goes_first(
    jobs: Callable[[str], Jobs],
) -> None:
    queue = jobs("time.sleep(0.2)\n" + NOTES_ITS_TURN)
    queue.embed()
    wait_for(queue, 1, "running")
    queue.predict("run-001", ["a", "b"])
    queue.predict("run-001", ["c", "d"])
    queue.predict("run-001", ["d"])
    for number in range(1, 5):
        assert wait_for(queue, number).state == "done"
    assert (queue.runs / "jobs" / "turns").read_text().split() == ["1", "4", "2", "3"]
    assert [job.number for job in queue.all()] == [4, 3, 2, 1]


def test_two_requests_at_once_get_numbers_and_folders_of_their_own(jobs: Callable[[str], Jobs]) -> None:
    queue = jobs(NOTES_ITS_TURN)
    made: list[Job] = []
    threads = [threading.Thread(target=lambda: made.append(queue.train("finetune", "labels"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({job.number for job in made}) == len({job.request["run"] for job in made}) == 8
    assert {Path(job.request["run"]).name for job in made} == {f"run-{number:03d}" for number in range(2, 10)}


def test_progress_and_loss_are_read_from_the_lines_of_the_process_and_told_at_most_four_times_a_second(
    jobs: Callable[[str], Jobs],
) -> None:
    lines = "for step in range(1, 41):\n"
    lines += "    print(f'finetuning: {step}/40 in 1:02, about 2 s left  loss {1 / step:.3g}  acc 1', flush=True)\n"
    queue = jobs("print('about: from run 1, labels only grew')\n" + lines + "    time.sleep(0.02)")
    job = queue.train("finetune", "labels")
    wait_for(queue, job.number)
    assert (job.about, job.stage, job.done, job.total) == ("from run 1, labels only grew", "finetuning", 40, 40)
    assert job.loss == 0.025
    assert isinstance(queue.live, Events)
    times = [at for at, _, data in queue.live.list if data.get("number") == job.number and data["state"] == "running"]
    gaps = [later - earlier for earlier, later in pairwise(times[1:])]
    assert all(gap > 0.2 for gap in gaps)
    assert queue.log(job.number)[0][0] == "about: from run 1, labels only grew"


def test_a_process_that_fails_says_why_and_the_queue_goes_on(jobs: Callable[[str], Jobs]) -> None:
    queue = jobs(
        "if job['number'] == 1:\n    print('error: nothing is labelled'); sys.exit(2)\n"
        "if job['number'] == 2:\n    raise RuntimeError('secret')\n"
        "if job['number'] == 3:\n    os.kill(os.getpid(), 9)"
    )
    for _ in range(4):
        queue.embed()
    states = [wait_for(queue, number).state for number in range(1, 5)]
    assert states == ["failed", "failed", "failed", "done"]
    assert queue.get(1).error == "nothing is labelled"
    assert queue.get(2).error == "its process ended with code 1; log.txt in its folder says more"
    assert "memory" in str(queue.get(3).error)
    assert not any("secret" in line or "File" in line for line in queue.log(2)[0])


def test_cancelling_ends_the_whole_group_within_a_second(jobs: Callable[[str], Jobs]) -> None:
    stubborn = (
        "import signal, subprocess\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
        "print('about: ' + str(child.pid), flush=True)\ntime.sleep(60)"
    )
    queue = jobs(stubborn)
    job = queue.embed()
    wait_until(lambda: job.about.isdigit())
    begin = time.monotonic()
    assert queue.cancel(job.number).state == "cancelled"
    assert time.monotonic() - begin < 1.5
    wait_until(lambda: not is_alive(int(job.about)))
    assert load_job(job_folder(queue.runs / "jobs", job.number)).state == "cancelled"
    assert job.resumable


def test_a_job_that_waits_is_cancelled_and_resumed(jobs: Callable[[str], Jobs]) -> None:
    queue = jobs("time.sleep(0.3)")
    queue.embed()
    waiting = queue.predict("run-001", ["a", "b"])
    assert queue.cancel(waiting.number).state == "cancelled"
    with pytest.raises(InputError, match="job 1 is"):
        queue.resume(1)
    assert queue.resume(waiting.number).state == "waiting"
    assert wait_for(queue, waiting.number).state == "done"


# ---- the end of a server ---------------------------------------------------------------------------------------------


def test_jobs_of_a_killed_server_are_stopped_then_resumed(
    runs: Path, corpus: Path, jobs: Callable[[str], Jobs], tmp_path: Path
) -> None:
    for number, state in enumerate(["done", "running", "waiting"], 1):
        folder = job_folder(runs / "jobs", number)
        save_job(Job(number, "embed", {"corpus": str(corpus)}, state=state), folder)  # type: ignore[arg-type]
    (job_folder(runs / "jobs", 2) / "log.txt").write_text("embedding: 7/9 in 3 s, about 1 s left\n")
    (job_folder(runs / "jobs", 9)).mkdir()
    queue = jobs(NOTES_ITS_TURN)
    assert [(job.number, job.state) for job in queue.all()] == [(3, "stopped"), (2, "stopped"), (1, "done")]
    assert (queue.get(2).done, queue.get(2).total, queue.get(2).resumable) == (7, 9, True)
    queue.resume(2)
    assert wait_for(queue, 2).state == "done"
    assert queue.get(3).state == "stopped"


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", '{"number": 7}', '{"number": "1", "kind": "embed"}', '{"number": 2, "kind": "embed"}',
        '{"number": 1, "kind": "embed", "state": "odd"}', '{"number": 1, "kind": "embed", "loss": NaN}',
        '{"number": 1, "kind": "predict", "request": []}', '{"number": 1, "kind": "predict", "request": {"names": 1}}',
        '{"number": 1, "kind": "finetune", "state": "failed", "request": {"run": "/home/somebody"}}',
        '{"number": 1, "kind": "embed", "about": 5}',
    ],
)  # fmt: skip
def test_a_damaged_job_is_left_out_and_its_number_stays_taken(
    text: str, runs: Path, jobs: Callable[[str], Jobs]
) -> None:
    folder = job_folder(runs / "jobs", 1)
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(text)
    queue = jobs("")
    assert queue.all() == []
    assert wait_for(queue, queue.embed().number).number == 2


def test_a_job_writes_nothing_outside_of_its_folder_of_runs(runs: Path) -> None:
    folder = job_folder(runs / "jobs", 1)
    save_job(Job(1, "finetune", {"run": str(runs / "jobs" / ".." / ".." / "elsewhere")}, state="stopped"), folder)
    with pytest.raises(InputError, match="outside of the folder of runs"):
        load_job(folder)


def test_a_full_disk_fails_a_job_and_not_the_queue(
    jobs: Callable[[str], Jobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = jobs("")
    save = save_job

    def full(job: Job, folder: Path) -> None:
        if job.number == 1 and job.state != "waiting":
            raise InputError("cannot write job.json: No space left on device")
        save(job, folder)

    monkeypatch.setattr("kinespan.serve.jobs.save_job", full)
    failed, done = queue.embed().number, queue.embed().number
    assert wait_for(queue, failed).error == "cannot write job.json: No space left on device"
    assert wait_for(queue, done).state == "done"
    monkeypatch.setattr("kinespan.serve.jobs.save_job", lambda job, folder: full(Job(1, "embed", state="done"), folder))
    with pytest.raises(InputError, match="No space left"):
        queue.embed()
    assert len(queue.all()) == 2  # a job that is nowhere is not queued


def test_the_process_ends_with_a_server_that_is_killed(corpus: Path, tmp_path: Path) -> None:
    """A real server process that is killed, and a real process of a job that waits."""
    waiting = (
        "import os, time\nfrom kinespan.child import stop_with_parent\nstop_with_parent()\n"
        "print('about: ' + str(os.getpid()), flush=True)\ntime.sleep(60)"
    )
    code = (
        "import subprocess, sys, time\nfrom pathlib import Path\nimport kinespan.serve.jobs as module\n"
        f"module.start_process = lambda folder, log: subprocess.Popen([sys.executable, '-c', {waiting!r}], "
        "stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)\n"
        f"queue = module.Jobs(Path({str(tmp_path / 'runs')!r}), Path({str(corpus)!r}), module.Live())\n"
        "queue.embed()\n"
        "while not queue.get(1).about.isdigit():\n    time.sleep(0.02)\n"
        "print(queue.get(1).about, flush=True)\ntime.sleep(60)"
    )
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    pid = int(server.stdout.readline())
    assert is_alive(pid)
    server.send_signal(signal.SIGKILL)
    server.wait()
    wait_until(lambda: not is_alive(pid))
    next_server = Jobs(tmp_path / "runs", corpus, Events())
    assert next_server.get(1).state == "stopped"
    next_server.close()


def test_a_second_server_on_the_same_runs_is_refused(jobs: Callable[[str], Jobs], corpus: Path) -> None:
    queue = jobs(WAITS)
    with pytest.raises(InputError, match="another kinespan server works with these runs"):
        Jobs(queue.runs, corpus, Live())
    queue.close()
    Jobs(queue.runs, corpus, Live()).close()


def test_closing_stops_the_running_job_for_the_next_server(jobs: Callable[[str], Jobs]) -> None:
    queue = jobs(WAITS)
    job = queue.train("finetune", "labels")
    wait_until(lambda: job.loss == 0.25)
    queue.close()
    assert [(each.number, each.state) for each in load_jobs(queue.runs / "jobs")] == [(1, "stopped")]


def test_a_log_is_heard_from_the_end_and_in_whole_lines(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_text("old\n")
    log = GrowingLog(file)
    with open(file, "a", encoding="utf-8") as stream:
        stream.write("new\nhalf")
        stream.flush()
        assert log.lines() == ["new"]
        stream.write(" done\n")
        stream.flush()
        assert log.lines() == ["half done"]


# ---- what is trained on ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spans", "covered", "message"),
    [
        ((), (), "nothing is labelled yet"),
        ((Span(0.5, 1.0, "kick"),), (), "it holds 'kick' only, and no time without it"),
        ((Span(0.5, 1.0, "kick"),), ((0.4, 1.1),), "it holds 'kick' only, and no time without it"),
        ((Span(0.5, 1.0, "kick"),), ((0.0, 1.5),), None),
        ((Span(0.5, 1.0, "kick"), Span(1.0, 1.5, "wave")), (), None),
        ((Event(0.5, "kick"),), (), None),
    ],
)
def test_too_little_to_train_on_is_told_before_a_process_starts(
    tmp_path: Path, spans: tuple[Span | Event, ...], covered: tuple[tuple[float, float], ...], message: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with CorpusWriter(tmp_path / "corpus", "made", LABELS) as writer:
        points = tuple(item for item in spans if isinstance(item, Event))
        labelled = annotation(*(item for item in spans if isinstance(item, Span)), covered=covered)
        writer.add(recording("a", 60, 1, NTU_25), replace(labelled, events=points))
    monkeypatch.setattr("kinespan.serve.jobs.start_process", process_that(""))
    queue = Jobs(tmp_path / "runs", tmp_path / "corpus", Events())
    if message is None:
        assert queue.train("finetune", "labels").state in ("waiting", "running")
    else:
        with pytest.raises(InputError, match=message):
            queue.train("finetune", "labels")
        assert not queue.all()
    queue.close()


def test_a_wrong_split_steps_or_start_is_told_at_once(jobs: Callable[[str], Jobs]) -> None:
    queue = jobs("")
    for wrong, message in (
        ({"split": "thirds"}, "no split 'thirds'"),
        ({"steps": 0}, "steps: found 0"),
        ({"start": "run-9"}, "unknown model 'run-9'"),
    ):
        with pytest.raises(InputError, match=message):
            queue.train("finetune", "labels", **wrong)  # type: ignore[arg-type]
    assert not queue.all()


def test_a_training_is_told_which_run_is_the_last_of_its_kind(jobs: Callable[[str], Jobs]) -> None:
    queue = jobs(NOTES_ITS_TURN)
    trained = queue.train("finetune", "labels")
    anew = queue.train("finetune", "labels", start="start")
    other = queue.train("learn", "labels")
    for job in (trained, anew, other):
        wait_for(queue, job.number)
    assert Path(trained.request["last"]).parent.name == "run-001"
    assert trained.request["last_name"] == "run 1"
    assert (anew.request["last"], other.request["last"]) == (None, None)


# ---- the process, within this one ------------------------------------------------------------------------------------


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Callable[[Job, Path], int]:
    """Does a job in this process, in two steps of training."""
    monkeypatch.setattr(job_process, "stop_with_parent", lambda: None)
    monkeypatch.setattr(os, "nice", lambda by: 0)
    monkeypatch.setattr("kinespan.progress.PLAIN_EVERY", 0.0)

    def run(job: Job, folder: Path) -> int:
        save_job(replace(job, number=int(folder.name)), folder)
        return job_process.main(folder)

    return run


def training(corpus: Path, run: Path, set: str = "labels", **request: Any) -> Job:
    return Job(1, "finetune", {"corpus": str(corpus), "set": set, "steps": 2, "run": str(run), **request})


def test_training_goes_on_where_labels_only_grew_and_starts_anew_where_one_is_gone(
    process: Callable[[Job, Path], int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    corpus, runs = make_corpus(tmp_path / "corpus"), tmp_path / "runs"
    assert process(training(corpus, runs / "run-001", last=None), tmp_path / "jobs" / "001") == 0
    last = {"last": str(runs / "run-001" / MODEL_FILE), "last_name": "run 1"}
    assert process(training(corpus, runs / "run-002", **last), tmp_path / "jobs" / "002") == 0
    AnnotationSets.open(corpus).rename_label("labels", "wave", "greet")
    assert process(training(corpus, runs / "run-003", **last), tmp_path / "jobs" / "003") == 0
    named = training(corpus, runs / "run-004", **last, **{"from": "run-001"})
    assert process(named, tmp_path / "jobs" / "004") == 2
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith(("about", "error"))]
    assert lines == [
        "about: from the start",
        "about: from run 1, labels only grew",
        "about: from the start, not from run 1: label 'wave' of that model is gone",
        "error: run 1 cannot be gone on from: label 'wave' of that model is gone",
    ]


def test_a_stopped_training_resumes_as_it_was_planned(
    process: Callable[[Job, Path], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    corpus, run, folder = make_corpus(tmp_path / "corpus"), tmp_path / "runs" / "run-001", tmp_path / "jobs" / "001"
    job = training(corpus, run, last=None, split="half")
    (run / "leftover").parent.mkdir(parents=True)
    (run / "leftover").write_text("of an attempt without a checkpoint")

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as stopping:
        stopping.setattr("kinespan.train.held_out.run_test", stopped)
        assert process(job, folder) == 130
    assert not (run / METRICS_FILE).exists()
    assert not (run / "leftover").exists()
    assert process(job, folder) == 0
    assert json.loads((run / METRICS_FILE).read_text())["facts"]["split"] == "half"
    sets = AnnotationSets.open(corpus)
    labels = sets.labels("labels")
    sets.set_labels("labels", type(labels)((*labels.names, "jump")))
    assert process(job, folder) == 2
    assert "its list of labels was changed since this job was started" in capfd.readouterr().out


def test_a_real_process_trains_and_the_model_predicts(corpus: Path, tmp_path: Path) -> None:
    queue = Jobs(tmp_path / "runs", corpus, Events())
    try:
        job = wait_for(queue, queue.train("finetune", "labels", steps=2).number)
        assert (job.state, job.error, job.about, job.done) == ("done", None, "from the start", 2)
        wait_until(lambda: len(queue.all()) == 2)
        assert wait_for(queue, 2).state == "done", queue.log(2)
        assert queue.predicted("run-001") == set("abcd")
        assert "loss" in queue.log(job.number)[1]
    finally:
        queue.close()


# ---- predictions -----------------------------------------------------------------------------------------------------


def predictions_of(jobs: Jobs, model: str) -> list[str]:
    answers = jobs.models.answers(model)
    return [] if answers is None else list(answers.names)


def test_only_missing_recordings_are_localized_and_earlier_answers_stay(
    jobs: Callable[[str], Jobs], corpus: Path
) -> None:
    queue, opened, done = jobs(""), Corpus.open(corpus), []
    out = queue.models.answers_folder("run-001")
    model = tiny_localizer(LABELS.names)
    assert predict_corpus(model, opened, ["a", "b"], out, lambda *count: done.append(count)) == 2
    before = queue.models.answers("run-001")
    assert before is not None
    assert predict_corpus(model, opened, ["a", "b", "c"], out, lambda *count: done.append(count)) == 1
    after = queue.models.answers("run-001")
    assert after is not None
    assert after.names == ("a", "b", "c")
    assert done == [(1, 2), (2, 2), (1, 1)]
    for name in ("a", "b"):
        assert after.answer(name).spans == before.answer(name).spans  # type: ignore[union-attr]
        assert after.predictions.proposals[name] == before.predictions.proposals[name]
    assert queue.predicted("run-001") == {"a", "b", "c"}
    assert set(queue.models.uncertainties("run-001")) == {"a", "b", "c"}


def test_a_recording_that_changed_is_missing_again(jobs: Callable[[str], Jobs], tmp_path: Path) -> None:
    queue, model = jobs(""), tiny_localizer(LABELS.names)
    first, out = Corpus.open(make_corpus(tmp_path / "first")), queue.models.answers_folder("run-001")
    predict_corpus(model, first, ["a", "b"], out, lambda *_: None)
    with CorpusWriter(tmp_path / "second", "made", LABELS) as writer:
        for name, seed in (("a", 0), ("b", 77)):
            writer.add(recording(name, 60, 1, NTU_25, seed))
    second = Corpus.open(tmp_path / "second")
    checksums = {info.name: info.checksum for info in second.infos}
    assert queue.models.predicted("run-001", checksums) == {"a"}
    assert predict_corpus(model, second, ["a", "b"], out, lambda *_: None) == 1


def test_urgent_recordings_go_first_and_are_written_at_once(jobs: Callable[[str], Jobs], corpus: Path) -> None:
    queue = jobs("")
    out = queue.models.answers_folder("run-001")
    written: list[tuple[str, ...]] = []

    def progress(done: int, total: int) -> None:
        answers = queue.models.answers("run-001")
        written.append(() if answers is None else answers.names)

    urgent = iter([(), ("d",), ("d",), ("d",)])
    predict_corpus(tiny_localizer(LABELS.names), Corpus.open(corpus), list("abc"), out, progress, lambda: next(urgent))
    assert written == [(), ("a", "d"), ("a", "d"), ("a", "d")]
    assert queue.predicted("run-001") == set("abcd")


def test_a_recording_that_cannot_be_localized_does_not_keep_the_others(
    jobs: Callable[[str], Jobs], tmp_path: Path
) -> None:
    with CorpusWriter(tmp_path / "mixed", "mixed", LABELS) as writer:
        writer.add(recording("stick", 60))
        writer.add(recording("body", 60, 1, NTU_25))
    queue, failed = jobs(""), list[str]()
    corpus, out = Corpus.open(tmp_path / "mixed"), queue.models.answers_folder("run-001")
    done = predict_corpus(tiny_localizer(LABELS.names), corpus, corpus.names, out, lambda *_: None, failed=failed)
    assert (done, len(failed)) == (1, 1)
    assert predictions_of(queue, "run-001") == ["body"]


def test_scores_of_each_member_of_an_ensemble_are_kept(jobs: Callable[[str], Jobs], corpus: Path) -> None:
    queue, opened = jobs(""), Corpus.open(corpus)
    members = [tiny_localizer(LABELS.names, seed) for seed in (1, 2)]
    model, out = ensemble(members, weights=[1, 3]), queue.models.answers_folder("run-001")
    predict_corpus(model, opened, ["a"], out, lambda *_: None)
    predict_corpus(model, opened, ["a", "b"], out, lambda *_: None)
    kept, mean = read_scores(out / MEMBERS_FILE), read_scores(out / "scores.npz")
    assert kept is not None
    assert mean is not None
    assert sorted(kept.scores) == ["1/a", "1/b", "2/a", "2/b"]
    for number, member in enumerate(members, 1):
        np.testing.assert_allclose(kept.scores[f"{number}/b"], member.frame_scores(opened["b"]), atol=1e-3)
    average = 0.25 * kept.scores["1/a"] + 0.75 * kept.scores["2/a"]
    np.testing.assert_allclose(mean.scores["a"], average, atol=2e-3)


def test_predictions_that_are_all_there_need_no_process(jobs: Callable[[str], Jobs], corpus: Path) -> None:
    queue = jobs("sys.exit(1)")
    out = queue.models.answers_folder("run-001")
    predict_corpus(tiny_localizer(LABELS.names), Corpus.open(corpus), ["a", "b"], out, lambda *_: None)
    assert wait_for(queue, queue.predict("run-001", ["a", "b"]).number).state == "done"
    assert wait_for(queue, queue.predict("run-001", ["a", "c"]).number).state == "failed"


def test_a_recording_that_is_asked_for_is_handed_to_the_prediction_under_way(jobs: Callable[[str], Jobs]) -> None:
    queue = jobs(
        "while not (folder / 'urgent.json').exists():\n    time.sleep(0.01)\n"
        "print('about: ' + (folder / 'urgent.json').read_text())"
    )
    running = queue.predict("run-001", ["a", "b", "c"])
    wait_for(queue, running.number, "running")
    wait_until(lambda: queue._current is running)
    time.sleep(0.1)
    queue.predict("run-001", ["c"])
    wait_for(queue, running.number)
    assert running.about == 'about: ["c"]'.removeprefix("about: ")
    queue.cancel(2)


# ---- models ----------------------------------------------------------------------------------------------------------


def test_a_finished_training_is_loaded_and_predicts(jobs: Callable[[str], Jobs], tmp_path: Path) -> None:
    file = save_model(tmp_path / "made.safetensors")
    queue = jobs(
        "import shutil\n"
        "if job['kind'] == 'finetune':\n"
        "    run = pathlib.Path(job['request']['run'])\n    run.mkdir(parents=True)\n"
        f"    shutil.copy({str(file)!r}, run / 'model.safetensors')"
    )
    assert queue.models.loaded == "run-001"
    job = queue.train("finetune", "labels")
    wait_for(queue, job.number)
    wait_until(lambda: len(queue.all()) == 2)
    assert (queue.all()[0].kind, queue.all()[0].model, job.model) == ("predict", "run-002", "run-002")
    assert queue.all()[0].request["names"] == list("abcd")
    assert queue.models.loaded == "run-002"
    assert isinstance(queue.live, Events)
    assert ("models", {"model": "run-002"}) in [(event, data) for _, event, data in queue.live.list]
    assert queue.live.states(job.number) == ["waiting", "running", "done"]


def test_the_chosen_model_is_remembered_and_one_from_elsewhere_keeps_its_answers_in_the_runs(
    runs: Path, corpus: Path, tmp_path: Path
) -> None:
    save_model(runs / "run-002" / MODEL_FILE, seed=1)
    elsewhere = save_model(tmp_path / "elsewhere" / MODEL_FILE, seed=2)
    first = Jobs(runs, corpus, Live())
    first.models.load("run-001")
    first.close()
    second = Jobs(runs, corpus, Live())
    assert second.models.loaded == "run-001"
    second.models.load(None)
    second.close()
    third = Jobs(runs, corpus, Live(), elsewhere.parent)
    third.close()
    loaded = third.models.loaded
    assert loaded is not None
    assert (third.models.get(loaded).name, len(third.models.all())) == ("elsewhere", 3)
    assert third.models.answers_folder(loaded) == runs / loaded / ANSWERS
    assert not any(elsewhere.parent.glob("answers*"))
    with pytest.raises(InputError, match="unknown model 'nope'"):
        third.models.load("nope")


# ---- over a server ---------------------------------------------------------------------------------------------------


class Site:
    """A page that is served."""

    def __init__(self, page: Page, port: int) -> None:
        self.page, self.port = page, port

    def json(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        data = None if body is None else json.dumps(body)
        connection.request(method, f"/api/{path}", data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        assert answer.status == status, content
        return json.loads(content)


@pytest.fixture
def site(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A corpus that is labelled, with a model; processes end at once."""
    monkeypatch.setattr("kinespan.serve.jobs.start_process", process_that("time.sleep(0.2)"))
    opened = open_paths([make_corpus(tmp_path / "made")])
    editable = getattr(request, "param", True)
    page = Page(opened.workspace, editable, "Ann", opened.sets, "labels", runs)
    with jobs_of_page(page, None):
        server = make_server(page)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [server.socket]}, daemon=True)
        thread.start()
        yield Site(page, server.port)
        server.should_exit = True
        thread.join(10)


def test_models_jobs_and_predictions_over_the_api(site: Site) -> None:
    models = site.json("GET", "models")
    assert [model["id"] for model in models["models"]] == ["run-001"]
    assert site.json("GET", "session")["models"] == models["models"]
    assert "has not localized" in site.json("GET", "recordings/0/predictions", status=404)["error"]
    job = site.json("POST", "jobs", {"kind": "predict", "recordings": [0, 1]}, 201)
    assert (job["kind"], job["model"], job["resumable"]) == ("predict", "run-001", False)
    assert [each["number"] for each in site.json("GET", "jobs")["jobs"]] == [1]
    assert site.page.jobs is not None
    out = site.page.jobs.models.answers_folder("run-001")
    assert site.page.workspace.corpus is not None
    predict_corpus(tiny_localizer(LABELS.names), site.page.workspace.corpus, ["a"], out, lambda *_: None)
    told = site.json("GET", "recordings/0/predictions?model=run-001")
    assert (told["model"], told["labels"]) == ("run-001", list(LABELS.names))
    assert told["scores"]["columns"] == len(LABELS) + 1
    listed = site.json("GET", "recordings")["recordings"]
    assert [item["predicted"] for item in listed] == [True, False, False, False]
    assert 0 <= listed[0]["uncertainty"] <= 1
    assert site.json("PUT", "model", {"model": None})["model"] is None
    assert site.json("GET", "models")["model"] is None
    assert site.json("GET", "jobs/1/log") == {"lines": [], "curves": {}}


def test_a_motion_file_is_predicted_into_a_folder_of_its_own_until_it_changes(site: Site, tmp_path: Path) -> None:
    file, jobs = tmp_path / "loose.npz", site.page.jobs
    assert jobs is not None
    kinespan.write(recording("loose", 60, 1, NTU_25), file)
    entry = site.page.workspace.add_file(file, "loose")
    home = jobs.models.get("run-001").home
    predict_file(tiny_localizer(LABELS.names), file_item(entry), home)
    assert site.json("GET", f"recordings/{entry.id}/predictions")["scores"]["columns"] == len(LABELS) + 1
    assert site.json("GET", "recordings")["recordings"][entry.id]["predicted"]
    job = site.json("POST", "jobs", {"kind": "predict", "recordings": [entry.id]}, 201)
    assert wait_for(jobs, job["number"]).state == "done"
    assert jobs.log(job["number"])[0] == []  # no process was needed
    kinespan.write(recording("loose", 45, 1, NTU_25), file, overwrite=True)
    assert site.json("GET", f"recordings/{entry.id}/predictions", status=404)


def test_rejected_drafts_are_not_proposed_again(site: Site) -> None:
    assert site.page.jobs is not None
    assert site.page.workspace.corpus is not None
    assert site.page.runs is not None
    out = site.page.jobs.models.answers_folder("run-001")
    predict_corpus(tiny_localizer(LABELS.names), site.page.workspace.corpus, ["a"], out, lambda *_: None)
    spans = site.json("GET", "recordings/0/predictions")["spans"]
    assert spans, "the model predicts something"
    site.json("POST", "drafts/0/rejected?set=labels", {"drafts": spans[:1]})
    left = site.json("GET", "recordings/0/predictions")["spans"]
    assert spans[0] not in left
    assert left == [span for span in spans if span in left]
    assert len(Rejected(site.page.runs).of("labels", "a")) == 1


def test_drafts_that_are_rejected_at_once_are_all_kept(site: Site) -> None:
    def reject(number: int) -> None:
        draft = {"start": number / 10, "end": number / 10 + 0.05, "label": "kick", "person": None}
        site.json("POST", "drafts/0/rejected?set=labels", {"drafts": [draft]})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(reject, range(24)))
    assert site.page.runs is not None
    assert len(Rejected(site.page.runs).of("labels", "a")) == 24


@pytest.mark.parametrize("text", ["", "[]", '{"labels": []}', '{"labels": {"a": [{}]}}', '{"labels": {"a": 1}}'])
def test_damaged_rejected_drafts_are_told_and_not_written_over(site: Site, text: str) -> None:
    assert site.page.runs is not None
    file = site.page.runs / "rejected.json"
    file.write_text(text)
    draft = {"start": 0, "end": 1, "label": "kick", "person": None}
    error = site.json("POST", "drafts/0/rejected?set=labels", {"drafts": [draft]}, 422)["error"]
    assert "runs/rejected.json: not the rejected drafts of a page" in error
    assert file.read_text() == text


@pytest.mark.parametrize(("proposals", "scores"), [("", b""), ('{"results": 1}', b"PK"), (None, b""), (None, b"PK")])
def test_damaged_answers_do_not_take_the_list_away(site: Site, proposals: str | None, scores: bytes) -> None:
    assert site.page.jobs is not None
    assert site.page.workspace.corpus is not None
    out = site.page.jobs.models.answers_folder("run-001")
    predict_corpus(tiny_localizer(LABELS.names), site.page.workspace.corpus, ["a"], out, lambda *_: None)
    if proposals is not None:
        (out / "proposals.json").write_text(proposals)
    (out / "scores.npz").write_bytes(scores)
    assert len(site.json("GET", "recordings")["recordings"]) == 4
    assert "run-001/answers/" in site.json("GET", "suggestions", status=422)["error"]


def test_a_model_that_is_not_there_leaves_the_shown_one(site: Site) -> None:
    site.page.workspace.shown_answers = "opened"
    site.json("PUT", "model", {"model": "nothing"}, 422)
    assert site.page.workspace.shown_answers == "opened"


@pytest.mark.parametrize(
    ("end", "label", "person", "expected"),
    [
        (2.0, "kick", None, True),
        (1.5, "kick", None, True),  # half of either
        (1.4, "kick", None, False),
        (2.0, "wave", None, False),
        (2.0, "kick", 1, False),
        (None, "kick", None, False),
    ],
)
def test_a_draft_is_a_rejected_one_where_label_and_half_of_the_time_agree(
    end: float | None, label: str, person: int | None, expected: bool
) -> None:
    rejected = {"start": 1.0, "end": 2.0, "label": "kick", "person": None}
    draft = {"start": 1.0, "end": end, "label": label, "person": person}
    assert is_same(draft, rejected, 0.2) is is_same(rejected, draft, 0.2) is expected


def test_events_are_the_same_within_the_tolerance() -> None:
    event = {"start": 1.0, "end": None, "label": "kick", "person": None}
    assert is_same({**event, "start": 1.2}, event, 0.25)
    assert not is_same({**event, "start": 1.3}, event, 0.25)


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("jobs", {"kind": "fly"}, 422, "kind: expected one of finetune, learn, predict, embed"),
        ("jobs", {"kind": "finetune", "set": "nobody"}, 404, "unknown annotation set"),
        ("jobs", {"kind": "finetune", "steps": -1}, 422, "steps: expected a whole number"),
        ("jobs", {"kind": "finetune", "speed": 1}, 422, "unknown field 'speed'"),
        ("jobs", {"kind": "predict", "model": "run-9"}, 422, "unknown model 'run-9'"),
        ("jobs", {"kind": "predict", "recordings": [99]}, 404, "no recording has the id 99"),
        ("jobs/7/cancel", None, 404, "no job has the number '7'"),
        ("jobs/..%2F1/resume", None, 404, ""),
        ("drafts/0/rejected", {"drafts": [{"start": "x"}]}, 422, "drafts[0].start: expected a finite number"),
    ],
)
def test_wrong_requests_are_refused_in_words(site: Site, path: str, body: object, status: int, message: str) -> None:
    assert message in site.json("POST", path, body, status)["error"]
    assert not site.page.jobs.all()  # type: ignore[union-attr]


@pytest.mark.parametrize("site", [False], indirect=True)
def test_a_page_for_looking_predicts_but_does_not_train(site: Site) -> None:
    assert "kinespan label" in site.json("POST", "jobs", {"kind": "finetune", "set": "labels"}, 403)["error"]
    assert site.json("POST", "drafts/0/rejected", {"drafts": []}, 403)
    assert site.json("POST", "jobs", {"kind": "predict"}, 201)["kind"] == "predict"
