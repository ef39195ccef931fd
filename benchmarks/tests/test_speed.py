"""The speed benchmark itself: counts of operations against a counter, turns, rows, and when it is not to be trusted."""

from __future__ import annotations

import json
import textwrap

import pytest
import torch
from benchmarks.speed import __main__ as command
from benchmarks.speed import conventional, counting
from benchmarks.speed.cases import Case, all_cases
from benchmarks.speed.interleave import Measured, measure_in_turns
from benchmarks.speed.machine import doubts
from benchmarks.speed.options import RunOptions
from benchmarks.speed.rows import failed_row, measured_row, spread_of
from benchmarks.speed.speed_tables import defaults_table, machine_line, speed_table, text_line
from torch.utils.flop_counter import FlopCounterMode

from kinespan.data.skeletons import NTU_25
from kinespan.encoders.graph import spatial_partition

MACHINE = {
    "name": "made", "cores": 2, "threads": 1, "torch": "0", "matrix_rate": {"float32": 100.0, "bfloat16": 400.0},
    "bandwidth": 50.0, "load_before": 0.0,
}  # fmt: skip
CLIPS, FRAMES, QUEUE, DIM = 3, 22, 96, 16


def counted(work) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def network(widths) -> conventional.STGCN:
    return conventional.STGCN(torch.from_numpy(spatial_partition(NTU_25)), 3, widths)


@pytest.mark.parametrize("kind", ["skeletonclr", "aimclr"])
def test_operations_of_a_step_agree_with_a_counter(kind: str) -> None:
    method = {"skeletonclr": conventional.SkeletonCLR, "aimclr": conventional.AimCLR}[kind]
    model = method(network(conventional.WIDTHS_16), QUEUE, DIM)
    views = [torch.randn(CLIPS, 3, FRAMES, 25, 2) for _ in range(3 if kind == "aimclr" else 2)]
    operations = counted(lambda: model(*views).backward())
    count = getattr(counting, kind)
    need = count(CLIPS, FRAMES, 2, conventional.WIDTHS_16, QUEUE, DIM, order="mix")
    # the counter leaves out nothing but the similarities of positives, and counts no gradient to the input's values
    assert need.operations == pytest.approx(operations, rel=2e-3)


def test_operations_of_localizing_agree_with_a_counter() -> None:
    model = conventional.Localizer(network(conventional.WIDTHS_64), labels=5).eval()
    with torch.no_grad():
        operations = counted(lambda: model(torch.randn(1, 3, FRAMES, 25, 2)))
    need = counting.localizer(FRAMES, 2, conventional.WIDTHS_64, 5, order="mix")
    assert need.operations == operations


def test_the_least_order_takes_the_fewest_operations() -> None:
    mix, first, least = (
        counting.stgcn(50, conventional.WIDTHS_16, order=order).operations for order in ("mix", "sum", "least")
    )
    assert least == first < mix  # channels only grow


def test_traffic_of_a_linear_map_by_hand() -> None:
    # 4 rows of 3 values read, 4 of 2 written, 6 weights
    assert counting.product(4, 3, 2) == counting.Need(48, 12 + 8 + 6)


def side(body: str) -> list[str]:
    """The words that start a side whose job is `job` in a piece of code."""
    head = "import sys, time, threading\nfrom benchmarks.speed.interleave import Job, serve\n"
    return ["-c", head + "def make():\n" + textwrap.indent(textwrap.dedent(body), "    ") + "serve(make)\n"]


def test_sides_take_turns_and_are_stopped_in_between(tmp_path) -> None:
    log = tmp_path / "log"
    ticking = f"""
        ticks = []
        def tick():
            while True:
                ticks.append(time.monotonic())
                time.sleep(0.002)
        threading.Thread(target=tick, daemon=True).start()
        def gap():
            return {{"longest": max(b - a for a, b in zip(ticks, ticks[1:]))}}
        return Job(lambda: open({str(log)!r}, "a").write("a"), figures=gap, warmup=0)
    """
    slow = f"""
        def work():
            open({str(log)!r}, "a").write("b")
            time.sleep(0.3)
        print("what a library says")
        return Job(work, warmup=0)
    """
    measured, _ = measure_in_turns({"conventional": side(ticking), "ours": side(slow)}, budget=0.0)
    assert log.read_text() == "ababab"
    assert [len(side.seconds) for side in measured.values()] == [3, 3]
    assert measured["conventional"].facts["longest"] > 0.3
    assert min(measured["ours"].seconds) >= 0.3
    assert max(measured["ours"].cpu) < 0.2  # it sleeps


def test_a_side_that_fails_ends_all() -> None:
    fine = side("return Job(lambda: None, warmup=0)\n")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        measure_in_turns({"conventional": fine, "ours": side("return 1 / 0\n")}, budget=0.0)
    with pytest.raises(RuntimeError, match="ended with 3 without an answer"):
        measure_in_turns({"ours": side("import os; os._exit(3)\n")}, budget=0.0)


def test_short_work_is_repeated_within_a_turn() -> None:
    body = """
        clock = [0.0]
        time.perf_counter = lambda: clock[0]  # so that a busy machine changes nothing
        def work():
            clock[0] += 0.01
        return Job(work, units=2, figures=lambda: {"worked": clock[0]})
    """
    measured, _ = measure_in_turns({"ours": side(body)}, budget=0.0, min_turns=2)
    assert measured["ours"].facts["worked"] == pytest.approx(0.01 + 2 * 0.25)  # warming up, then two turns
    assert measured["ours"].seconds == pytest.approx((0.005, 0.005))


def test_a_row_by_hand() -> None:
    facts = {"operations": 300.0, "bytes": 50.0, "bf16": 0.0, "peak_bytes": 7.0}
    measured = {
        "conventional": Measured((12.0, 8.0, 10.0), (9.0, 9.0, 9.0), facts=facts),
        "ours": Measured((2.0, 2.0, 4.0), (1.5, 1.5, 3.0), facts={**facts, "bf16": 1.0, "extra_ms": 1.5}),
    }
    row = measured_row(Case("some-step", "-", {}, "ratio", 5.0), measured, MACHINE, 0.0)
    assert (row["case"], row["conventional_s"], row["ours_s"], row["goal"]) == ("some-step", 10.0, 2.0, 5.0)
    assert row["ratio"] == row["value"] == 5.0
    assert row["cpu_ratio"] == 6.0
    assert row["met"] is True
    # ratios 6, 4 and 2.5 of the turns: the middle half reaches from 3.25 to 5
    assert row["spread"] == pytest.approx(1.75 / 4)
    assert row["shares"]["conventional"] == {"matrix": pytest.approx(0.3), "memory": pytest.approx(0.1)}
    assert row["shares"]["ours"] == {"matrix": pytest.approx(300 / 2 / 400), "memory": pytest.approx(0.5)}
    assert row["peak_bytes"] == {"conventional": 7.0, "ours": 7.0}
    assert row["figures"]["ours"] == {"extra_ms": 1.5}
    assert len(row["doubts"]) == 1  # the spread
    assert json.loads(json.dumps(row)) == row


@pytest.mark.parametrize(
    ("measure", "base", "goal", "value", "met"),
    [
        ("extra", {"without": 4.0}, 0.08, 0.25, False),
        ("extra", {"without": 4.9}, 0.08, 5 / 4.9 - 1, True),
        ("share", {"step": 8.0, "conventional": 9.0}, 0.7, 0.625, True),
        ("share", {"step": 8.0}, 0.6, 0.625, False),
        ("rate", {}, 0.2, 0.2, True),
        ("seconds", {}, 4.0, 5.0, False),
        ("seconds", {}, None, 5.0, None),
    ],
)
def test_measures_by_hand(measure, base, goal, value, met) -> None:
    measured = {name: Measured((seconds, seconds)) for name, seconds in {**base, "ours": 5.0}.items()}
    row = measured_row(Case("w", "-", {}, measure, goal), measured, MACHINE, 0.0)
    assert row["value"] == pytest.approx(value)
    assert row["met"] is met
    assert "w" in text_line(row)


def test_spread_is_the_middle_half_by_the_median() -> None:
    assert spread_of([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2 / 3)
    assert spread_of([2.0, 2.0]) == 0
    assert spread_of([2.0]) is None


def test_a_busy_machine_casts_doubt() -> None:
    assert doubts(0.1, 0.0, 0.05) == []
    assert doubts(None, None, None) == []
    assert ["load average" in text for text in doubts(1.7, 0.0, 0.05)] == [True]
    assert ["other threads" in text for text in doubts(0.1, 0.9, 0.05)] == [True]
    assert ["spreads" in text for text in doubts(0.1, 0.0, 0.4)] == [True]


def test_tables_of_the_docs_by_hand() -> None:
    sides = {"conventional": Measured((10.0, 10.0)), "ours": Measured((2.0, 2.0))}
    shaky = {"ours": Measured((0.2, 0.25, 0.4))}
    rows = [
        measured_row(Case("some-step", "-", {}, "ratio", 6.0), sides, MACHINE, 0.0),
        measured_row(Case("finetune-tcn", "-", {}, "rate", unit="steps"), {"ours": Measured((0.2, 0.2))}, MACHINE, 0.0),
        measured_row(Case("localize-tcn", "-", {}, "rate", unit="s of motion"), shaky, MACHINE, 0.0),
        failed_row(Case("demo", "-", {}, "seconds", 180.0), MACHINE, "Traceback ...\nno room\n"),
    ]
    kept = {"machine": MACHINE, "precision": "float32", "rows": rows}
    table = speed_table(kept).splitlines()
    assert [line.split(" | ")[0] for line in table[2:]] == ["| `some-step`", "| `demo`"]
    assert table[2].endswith("| 10 s | 2 s | 5 | - | 0.0% | - | - | 5.0 times, goal at least 6: not yet |")
    assert table[3].endswith("| no room |")
    assert defaults_table(kept).splitlines()[2:] == ["| `tcn` | - | 5.0 steps/s | 4 s of motion/s ? |"]
    assert "made, 2 cores, 1 threads" in machine_line(kept)


def test_a_run_prints_and_writes_its_rows(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(command, "facts", lambda device: {**MACHINE, "load_before": 3.0})
    monkeypatch.setattr(command, "drift", lambda machine: "it runs half as fast")
    file = tmp_path / "rows.json"
    assert command.main(["--quick", "--seconds", "0", "--only", "read-skel*", "--json", str(file)]) == 0
    written = json.loads(file.read_text())
    (row,) = written["rows"]
    assert row["case"] == "read-skeleton"
    assert row["ratio"] == pytest.approx(row["conventional_s"] / row["ours_s"])
    assert set(row["shares"]) == {"conventional", "ours"}
    assert written["machine"]["load_before"] == 3.0
    printed = capsys.readouterr().out
    assert "NOT TO BE TRUSTED" in printed
    assert "unsteady to trust: read-skeleton" in printed
    assert "it runs half as fast" in printed


def test_cases_have_distinct_names_and_are_chosen_by_pattern(capsys) -> None:
    names = [case.name for case in all_cases()]
    assert len(set(names)) == len(names)
    assert [case.name for case in command.chosen_cases(["map*"], quick=False)] == [
        "map",
        "map-careful",
        "map-from-files",
    ]
    assert "demo" not in {case.name for case in command.chosen_cases([], quick=True)}
    with pytest.raises(SystemExit, match="unknown case mapp"):
        command.main(["--only", "mapp"])
    assert command.main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in names)


@pytest.mark.parametrize(
    ("name", "side_name"),
    [
        ("skeletonclr-alone-32x50", "conventional"),
        ("skeletonclr-alone-32x50", "ours"),
        ("aimclr-128x50", "conventional"),
        ("aimclr-128x50", "ours"),
        ("sampling-128x50", "ours"),
        ("localize", "ours"),
        ("stream", "conventional"),
        ("stream", "ours"),
        ("map", "conventional"),
        ("finetune-stgcn16_light", "ours"),
    ],
)
def test_sides_run(name: str, side_name: str) -> None:
    (case,) = (case for case in all_cases() if case.name == name)
    case.sides[side_name](RunOptions(quick=True)).repeat()
