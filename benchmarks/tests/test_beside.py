"""The benchmark of training beside other work: its tables, by hand, and its busy processes."""

from __future__ import annotations

import pytest
from benchmarks.speed import beside
from benchmarks.speed.beside import beside_table, busy_processes
from benchmarks.speed.machine import other_threads_running
from benchmarks.speed.thread_gain import gain_table

ROW = {"command": "finetune", "settings": ["--steps", "150"], "threads": "1", "busy": 0, "seconds": 11.52, "cpu": 12.0,
       "others": 0.1}  # fmt: skip


def test_table_has_a_line_for_each_number_of_threads_and_marks_what_was_not_quiet() -> None:
    rows = [
        ROW,
        {**ROW, "busy": 1, "seconds": 12.8},
        {**ROW, "threads": "2", "seconds": 11.5, "others": 3.0},
    ]
    assert beside_table(rows).splitlines()[2:] == [
        "| `finetune --steps 150` | 1 | 11.5 | 12.8 | 12.0 |",
        "| `finetune --steps 150` | 2 | 11.5 (3 other threads ran) | - | 12.0 |",
    ]


def test_gain_is_that_of_one_thread_over_the_main_one_of_two() -> None:
    row = {"command": "pretrain", "encoder": "tcn", "clips": 32, "frames": 64, "precision": "32", "work": 1.25e9,
           "one": 0.04, "two": 0.05, "two_all": 0.09}  # fmt: skip
    expected = "| `pretrain`, `tcn`, 32 clips of 64 frames, float32 | 1.2 | 40 ms | 50 ms | 90 ms | 0.80 |"
    assert gain_table([row]).splitlines()[-1] == expected


@pytest.mark.skipif(other_threads_running() is None, reason="the system does not count threads that run")
def test_busy_processes_run_in_a_block_and_end_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    popen = beside.subprocess.Popen
    monkeypatch.setattr(beside.subprocess, "Popen", lambda words: started.append(popen(words)) or started[-1])
    with busy_processes(2):
        assert [process.poll() for process in started] == [None, None]
    assert all(process.poll() is not None for process in started)
