"""What tests of commands and of training share: the main job done once, as people type it, and short runs."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from training_cases import SMALL, write

from kinespan.cli import main
from kinespan.corpus import Corpus
from kinespan.train.pretraining import pretrain

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


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Sums in another order round differently, so runs are compared bit by bit on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """A corpus of a few seconds of made motion, with labels and a split by performer."""
    return write(tmp_path_factory.mktemp("corpora") / "made")


@pytest.fixture(scope="module")
def pretrained(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short pretraining run."""
    out = tmp_path_factory.mktemp("runs") / "pretrain"
    pretrain(corpus, out, SMALL, quiet=True)
    return out
