"""How many threads a command computes on, given the work, the machine and what the user says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kinespan import threads
from kinespan.cli import load_command, main
from kinespan.threads import (
    LARGE,
    ThreadChoice,
    busy_cores,
    cgroup_cores,
    choose_threads,
    choose_trainings,
    computing_on,
    cores,
)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """A machine of four cores, of which `busy` are, and no OMP_NUM_THREADS."""
    state = {"cores": 4.0, "busy": 0.0}
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "cores", lambda: int(state["cores"]))
    monkeypatch.setattr(threads.os, "cpu_count", lambda: int(state["cores"]))
    monkeypatch.setattr(threads, "busy_cores", lambda: state["busy"])
    return state


@pytest.mark.parametrize(("busy", "count"), [(0.0, 4), (0.3, 4), (1.0, 3), (3.6, 1), (4.0, 1), (9.0, 1)])
def test_large_work_gets_the_cores_that_are_free(machine: dict[str, float], busy: float, count: int) -> None:
    machine["busy"] = busy
    assert choose_threads("auto").count == choose_threads("auto", LARGE).count == count


def test_the_reason_is_told(machine: dict[str, float]) -> None:
    machine["busy"] = 3.0
    assert str(choose_threads()) == "computing on 1 thread: 1 of 4 cores is free"
    machine["busy"] = 2.0
    assert str(choose_threads()) == "computing on 2 threads: 2 of 4 cores are free"
    small = choose_threads("auto", 2.2e9)
    assert str(small) == "computing on 1 thread: more gain little in steps of 2.2 x 10^9 operations"
    machine["cores"] = 1
    assert choose_threads() == ThreadChoice(1, "there is one core")


def test_what_the_user_says_wins_then_omp_num_threads(
    machine: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose_threads(3, 10) == ThreadChoice(3, "--threads")
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")
    assert choose_threads("auto", 10) == ThreadChoice(2, "OMP_NUM_THREADS")
    assert choose_threads(3) == ThreadChoice(3, "--threads")
    assert choose_trainings("auto") == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert choose_trainings("auto") == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert choose_threads("auto", 10).count == 1


@pytest.mark.parametrize(("busy", "count"), [(0.0, 2), (2.0, 2), (3.0, 1), (5.0, 1)])
def test_two_trainings_run_at_once_where_two_cores_are_free(machine: dict[str, float], busy: float, count: int) -> None:
    machine["busy"] = busy
    assert choose_trainings() == count
    assert [choose_trainings(number) for number in (1, 2, 8)] == [1, 2, 2]
    assert choose_trainings("auto", LARGE) == 1


def test_this_machine_has_cores_and_a_number_of_them_is_busy() -> None:
    assert cores() >= 1
    assert busy_cores() >= 0


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/a/b\n", {"a/b/cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2.0),
        ("0::/gone\n", {"cpu.max": "200000 100000\n"}, 2.0),  # the group of a container, seen from inside
        ("0::/a\n", {"a/cpu.max": "max 100000\n"}, None),
        ("4:cpu,cpuacct:/a\n", {"cpu/a/cpu.cfs_quota_us": "50000\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, 0.5),
        ("4:cpu:/a\n", {"cpu/a/cpu.cfs_quota_us": "-1\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, None),
        ("3:memory:/a\n", {}, None),
    ],
)
def test_limits_of_control_groups_are_read(
    tmp_path: Path, own: str, files: dict[str, str], expected: float | None
) -> None:
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cgroup_cores(tmp_path, tmp_path / "own") == expected
    assert cgroup_cores(tmp_path, tmp_path / "nowhere") is None


def test_threads_are_set_for_a_block_alone() -> None:
    before = torch.get_num_threads()
    with computing_on(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_every_command_that_computes_for_long_has_the_flag(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("learn", "pretrain", "finetune", "recognize", "localize", "stream"):
        assert "--threads" in load_command(name).flags
    assert main(["finetune", "corpus", "--out", "run", "--threads", "0"]) == 2
    assert "threads is 0, expected a positive number" in capsys.readouterr().err
