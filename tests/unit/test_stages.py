"""The trainings of `learn` as they are run: in order, beside each other, stopped together; and as text for a child."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import stage_cases
from corpus_cases import LABELS, annotation, recording

from kinespan.config import AugmentConfig, FinetuneConfig, NetworkConfig, PretrainConfig
from kinespan.corpus import AnnotationSets, Corpus, CorpusWriter
from kinespan.corpus.training_set import TrainingSet
from kinespan.data.annotation import Span
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError, Interrupted
from kinespan.train.stage_call import call_text, read_call
from kinespan.train.stages import Stage, run_stages


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child process finds the stand-ins too."""
    path = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    monkeypatch.setenv("PYTHONPATH", path)


@pytest.fixture(autouse=True)
def listening() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests are a process in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    with CorpusWriter(tmp_path / "corpus", "made", LABELS) as writer:
        for name in "ab":
            writer.add(recording(name, 30, 1, NTU_25, 1), annotation(Span(0.1, 0.9, "kick")))
    return Corpus.open(tmp_path / "corpus")


def stage(
    out: Path, name: str, function: Callable[..., None] = stage_cases.train, data: Any = "data", **named: Any
) -> Stage:
    return Stage(out / name, "done", f"trains {name}", partial(function, data, out / name, **named))


def two_at_once(stage: Stage) -> tuple[int, int]:
    return 2, 1


def test_one_at_a_time_stages_run_in_their_order_and_finished_ones_are_told(tmp_path: Path) -> None:
    lines: list[str] = []
    stages = [stage(tmp_path, "a"), stage(tmp_path, "b"), stage(tmp_path, "c", after=(tmp_path / "a",))]
    stages[1].run(resume=False, threads=1, log=lines.append)
    run_stages(stages, lambda stage: (1, 1), lines.append)
    assert lines == ["2 of 3  b: trains b, done before", "1 of 3  a: trains a", "3 of 3  c: trains c"]
    assert [(tmp_path / name / "done").read_text() for name in "ac"] == [f"data 1 {os.getpid()}"] * 2


def test_two_at_once_run_in_two_processes_and_what_needs_them_comes_after(tmp_path: Path) -> None:
    """Each of the first two waits until the other has begun: one after the other they would never end."""
    first = stage(tmp_path, "a", wait_for=tmp_path / "b" / "begun")
    second = stage(tmp_path, "b", wait_for=tmp_path / "a" / "begun")
    both = stage(tmp_path, "c", after=(tmp_path / "a", tmp_path / "b"))
    run_stages([first, second, both], two_at_once)
    ids = [(tmp_path / name / "done").read_text().split()[-1] for name in "abc"]
    assert ids[0] == ids[2] == str(os.getpid()) != ids[1]


def test_an_error_of_a_child_stops_what_runs_here_and_is_raised(tmp_path: Path) -> None:
    here = stage(tmp_path, "a", stage_cases.go_on_until_stopped)
    with pytest.raises(InputError, match=r"^labels: found none$"):
        run_stages([here, stage(tmp_path, "b", stage_cases.refuse, wait_for=tmp_path / "a" / "begun")], two_at_once)


def test_ctrl_c_stops_both_and_tells_what_each_keeps(tmp_path: Path) -> None:
    here = stage(tmp_path, "a", stage_cases.press_ctrl_c, wait_for=tmp_path / "b" / "begun")
    with pytest.raises(Interrupted, match=r"^stopped; b keeps a checkpoint$"):
        run_stages([here, stage(tmp_path, "b", stage_cases.go_on_until_stopped)], two_at_once)
    assert threading.active_count() == 1


def test_a_child_whose_corpus_has_other_labels_by_now_leaves_its_stage_to_this_process(
    tmp_path: Path, corpus: Corpus
) -> None:
    data = TrainingSet(corpus, corpus.names)
    AnnotationSets.open(corpus.path).add("labels", "a", Span(0.9, 1.0, "wave"))
    first = stage(tmp_path, "a")
    run_stages([first, stage(tmp_path, "b", data=data)], two_at_once)
    assert (tmp_path / "b" / "done").read_text().endswith(f" {os.getpid()}")


def test_a_call_is_read_as_it_was_written(tmp_path: Path, corpus: Corpus) -> None:
    network = NetworkConfig(encoder="tcn", streams=("joint",), fps=12.5)
    tuning = FinetuneConfig(network=network, lr=1 / 3, lr_drops=(0.1, 0.7), augment=AugmentConfig(crop_min=0.3))
    data = TrainingSet(corpus, ("b", "a"), None, 2, ("wave",))
    call = partial(stage_cases.train, data, tmp_path, tuning, after=(tmp_path, "x"), wait_for=None)
    back = read_call(call_text(call))
    assert back.func is stage_cases.train
    assert back.keywords == call.keywords
    assert back.args[1:] == call.args[1:]
    assert replace(back.args[0], corpus=corpus) == data
    assert back.args[0].corpus.path == corpus.path
    assert read_call(call_text(partial(stage_cases.train, PretrainConfig(steps=7)))).args == (PretrainConfig(steps=7),)
    with pytest.raises(TypeError, match="argument of type set"):
        call_text(partial(stage_cases.train, {1}))
