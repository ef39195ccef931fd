"""The main job done once, by the commands as people type them, on a corpus small enough for a test."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from kinespan.cli import main

FEW = ("--steps", "2", "--batch-size", "4", "--clip-frames", "32")
SPLIT = ("--split", "by-performer")


class Done(NamedTuple):
    """What a command left behind: exit code and what it printed."""

    code: int
    out: str
    err: str


def kinespan(*words: object) -> Done:
    """Run a command in this process; a traceback would be the test's failure."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(word) for word in words])
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def command() -> Callable[..., Done]:
    """Run a command in this process: exit code, standard output, standard error."""
    return kinespan


@pytest.fixture(scope="session")
def done_jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of `jobs`, filled once."""
    folder = tmp_path_factory.mktemp("jobs")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with chdir(folder):
        todo = [
            ("prepare", "synthetic", "--out", "corpus", "--recordings", 6),
            ("pretrain", "corpus", "--out", "pre", *SPLIT, *FEW),
            ("finetune", "corpus", "--out", "fine", "--pretrained", "pre", "--protocol", "linear", *SPLIT,
             "--steps", 80, "--batch-size", 8, "--seed", 1),
        ]  # fmt: skip
        for words in todo:
            done = kinespan(*words)
            assert done.code == 0, done.err
    yield folder
    torch.set_num_threads(threads)


@pytest.fixture
def jobs(done_jobs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, and the current one, with corpus, pre (a pretraining run) and fine (a linear probe on it)."""
    monkeypatch.chdir(done_jobs)
    return done_jobs
