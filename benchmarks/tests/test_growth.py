"""How cost grows: fits against known laws, runs that are resumed, tables and the picture."""

from __future__ import annotations

import json
import math
import mmap
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from benchmarks.results import store
from benchmarks.results.store import append_rows, read_rows, stored_rows
from benchmarks.speed import growth, growth_points
from benchmarks.speed.growth import peak_of
from benchmarks.speed.growth_table import (
    CURVES,
    NOT_MEASURED,
    STAGES,
    Curve,
    bytes_text,
    fitted,
    growth_table,
    picture,
    picture_link,
    seconds_text,
    series,
    stages_table,
)
from benchmarks.speed.loglog import Panel, drawing, short, ticks
from benchmarks.speed.machine import memory

MACHINE = {"machine": {"name": "made", "cores": 2, "torch": "0", "load_before": 0.1}, "quick": False}


def rows_of(curve: Curve) -> list[dict[str, object]]:
    """A cost that goes with the square of what it is over; as much memory at every size, and some mapped files."""
    return [
        {"curve": curve.name, "value": value, "seconds": 1e-3 * value**2}
        | ({} if curve.together else {"peak_bytes": 2**30 + 7 * value, "mapped_bytes": 7 * value})
        for value in curve.values
    ]


def whole() -> list[dict[str, object]]:
    rows = [row for curve in CURVES for row in rows_of(curve)]
    return [MACHINE, *rows, *({"stage": name, "peak_bytes": 3 * 2**20, "seconds": 90.0} for name in STAGES)]


def test_the_fit_recovers_a_power_law() -> None:
    fit = fitted([(x, 0.3 * x**1.5) for x in (1, 10, 100, 1000)])
    assert fit.exponent == pytest.approx(1.5)
    assert fit.error == pytest.approx(0, abs=1e-9)
    assert fit.factor == pytest.approx(0.3)
    assert math.isnan(fitted([(1, 1), (2, 4)]).error)


def test_the_error_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(0)
    x = np.array([1.0, 2, 5, 9, 20])
    y = x**0.8 * np.exp(rng.normal(0, 0.1, 5))
    design = np.stack([np.ones(5), np.log(x)], axis=1)
    line, residual, *_ = np.linalg.lstsq(design, np.log(y), rcond=None)
    covariance = residual[0] / 3 * np.linalg.inv(design.T @ design)
    fit = fitted(list(zip(x, y, strict=True)))
    assert (fit.exponent, fit.error) == (pytest.approx(line[1]), pytest.approx(math.sqrt(covariance[1, 1])))
    assert fit.factor == pytest.approx(math.exp(line[0]))


def test_n_log_n_fits_the_slope_that_the_table_expects() -> None:
    (curve,) = (curve for curve in CURVES if curve.name == "map")
    fit = fitted([(value, value * math.log(value)) for value in curve.values])
    assert f"{fit.exponent:.1f}" == curve.should.split()[0]


def test_tables_by_hand() -> None:
    rows = whole()
    text = growth_table(rows)
    assert "| pretraining step | clips in a batch | 8 to 128 | 64 ms to 16.4 s | 2.00 ± 0.00 | 1 |" in text
    assert "| localizing, memory | minutes of motion | 1 to 1,440 | 1.00 GiB to 1.00 GiB | 0.00 ± 0.00 |" in text
    assert text.count("\n") == 1 + len(CURVES) + sum(not curve.together for curve in CURVES)
    assert "| pretrain | 3 MiB | 90 s |" in stages_table(rows)
    assert growth_table([]) == stages_table([]) == picture_link([]) == NOT_MEASURED
    assert "made, 2 cores" in picture_link(rows)
    assert "not to be quoted" not in picture_link(rows)
    busy = {"machine": {**MACHINE["machine"], "load_before": 2.0}}
    assert "not to be quoted" in picture_link([busy, *rows])


def test_seconds_and_bytes_in_readable_units() -> None:
    texts = [seconds_text(value) for value in (2e-6, 0.0123, 1.5, 90, 300, 9000)]
    assert texts == ["2 us", "12.3 ms", "1.5 s", "90 s", "5 min", "2.5 h"]
    assert [bytes_text(value) for value in (2**20, 1.5 * 2**30)] == ["1 MiB", "1.50 GiB"]


def test_the_picture_is_svg_with_a_panel_a_curve() -> None:
    root = ElementTree.fromstring(picture(whole()))
    assert root.tag.endswith("svg")
    groups = [part for part in root if part.tag.endswith("g")]
    assert len(groups) == len(CURVES) + sum(not curve.together for curve in CURVES)
    circles = [part for part in groups[0] if part.tag.endswith("circle")]
    assert len(circles) == len(CURVES[0].values)
    texts = [part.text for part in groups[0] if part.tag.endswith("text")]
    assert "pretraining step" in texts
    assert any("slope 2.00" in text for text in texts)


def test_a_power_law_is_drawn_as_a_straight_line() -> None:
    panel = Panel("a & b", "x", "s", [(1, 1), (10, 10), (100, 100)], [(1, 1), (100, 100)], "1.00")
    root = ElementTree.fromstring(drawing([panel]))
    dots = [(float(part.get("cx")), float(part.get("cy"))) for part in root.iter() if part.tag.endswith("circle")]
    assert dots[1] == pytest.approx(tuple(np.mean([dots[0], dots[2]], axis=0)), abs=0.11)
    assert dots[0][0] < dots[2][0]
    assert dots[0][1] > dots[2][1]  # up is small in SVG


@pytest.mark.parametrize(("low", "high"), [(1, 1440), (0.02, 0.3), (900, 1.2e6), (3, 3.5)])
def test_ticks_are_few_and_inside_the_axis(low, high) -> None:
    values = ticks(low, high)
    assert len(values) <= 6
    assert all(low * 0.99 <= value <= high * 1.01 for value in values)
    assert len(values) >= (2 if high / low > 5 else 0)


def test_numbers_of_ticks_are_short() -> None:
    texts = [short(value) for value in (0.02, 1, 500, 1000, 1440, 32768, 131072, 1e6)]
    assert texts == ["0.02", "1", "500", "1k", "1440", "32.77k", "131.1k", "1M"]


# ---- a run -----------------------------------------------------------------------------------------------------------


def test_a_stopped_run_measures_only_what_is_left(tmp_path, monkeypatch, capsys) -> None:
    curve = Curve("map", "mAP", "predictions", (100, 200, 400), (100,), "1")
    append_rows(tmp_path, [{"curve": "map", "value": 200, "seconds": 1.0, "peak_bytes": 1, "mapped_bytes": 0}])
    asked = []

    def run(words, **_):
        asked.append(words[-1])
        row = {"value": int(words[-1]), "seconds": 0.5, "turns": 2, "peak_bytes": 5, "mapped_bytes": 1}
        return type("Done", (), {"stdout": f"what a library says\n{json.dumps(row)}\n"})

    monkeypatch.setattr(growth.subprocess, "run", run)
    growth.measure_curve(tmp_path, curve, curve.values)
    assert asked == ["100", "400"]
    growth.measure_curve(tmp_path, curve, curve.values)
    assert asked == ["100", "400"]
    assert [row["value"] for row in read_rows(tmp_path)] == [200, 100, 400]
    assert series(read_rows(tmp_path), "map") == [(100, 0.5), (200, 1.0), (400, 0.5)]
    assert series(read_rows(tmp_path), "map", "own") == [(100, 4), (200, 1), (400, 4)]
    assert "400 predictions" in capsys.readouterr().out


def test_only_a_complete_full_run_is_stored_for_the_docs(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    monkeypatch.setattr(growth, "PICTURE", tmp_path / "picture.svg")
    out = tmp_path / "out"
    out.mkdir()
    rows = whole()
    append_rows(out, rows[:-1])
    growth.write(out, quick=False)
    assert stored_rows("growth") == []
    append_rows(out, rows[-1:])
    growth.write(out, quick=True)
    assert stored_rows("growth") == []
    growth.write(out, quick=False)
    assert stored_rows("growth") == read_rows(out)
    assert growth.PICTURE.read_text().startswith("<svg")
    assert (out / "growth.svg").is_file()


def test_a_folder_of_another_kind_of_run_is_refused(tmp_path, monkeypatch) -> None:
    append_rows(tmp_path, [{**MACHINE, "quick": True}])
    with pytest.raises(SystemExit, match="holds the points of a quick run"):
        growth.main(["--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="unknown curve mapp"):
        growth.main(["--out", str(tmp_path), "--only", "mapp"])


def test_peak_memory_is_that_of_the_command() -> None:
    held = bytearray(100 * 2**20)  # of this process, which is none of the command's business
    assert 5 * 2**20 < peak_of(["--version"]) < len(held)
    with pytest.raises(RuntimeError, match=r"kinespan report nowhere .*nowhere"):
        peak_of(["report", "nowhere", "--out", "report.html"])


def test_memory_by_hand() -> None:
    before = memory()
    with mmap.mmap(-1, 40 * 2**20) as held:  # from the system, where an array may be given memory that was freed before
        for _ in range(40):  # in pieces, as malloc may keep what a large one took
            held.write(b"1" * 2**20)
        now = memory()
    assert 30 * 2**20 < now["VmRSS"] - before["VmRSS"] < 60 * 2**20
    assert now["VmHWM"] >= now["VmRSS"] > now["RssFile"] > 0


# ---- points ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "value", "changed"),
    [
        ("batch", 2, lambda module: module.config.batch_size == 2),
        ("frames", 32, lambda module: module.config.clip_frames == 32),
        ("joints", 30, lambda module: module.pool.positions.shape[2] == 30),
        ("people", 3, lambda module: module.pool.positions.shape[1] == 3),
        ("queue", 96, lambda module: {96} == {len(p.keys) for p in module.modules() if hasattr(p, "keys")}),
        ("snippets", 16, lambda module: module.config.clip_frames // module.config.snippet.frames == 16),
    ],
)
def test_a_curve_changes_one_dimension_of_a_step(what, value, changed) -> None:
    module = growth_points.pretraining(what, value)
    assert changed(module)
    assert module.config.snippet.variant == "aligned"


@pytest.mark.usefixtures("one_thread")
def test_points_of_steps_are_taken_in_turn(monkeypatch) -> None:
    order = []
    monkeypatch.setattr(growth_points, "pretraining", lambda what, value: (what, value))
    monkeypatch.setattr("benchmarks.speed.cases_training.stepper", lambda module, _: lambda: order.append(module[1]))
    rows = list(growth_points.points("step-batch", [4, 8], None))
    assert order == [4, 8] * 6  # one that does not count
    assert [(row["value"], row["turns"]) for row in rows] == [(4, 5), (8, 5)]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("curve", "value"), [("prepare", 6), ("map", 300), ("localize", 1)])
def test_points_of_other_curves(curve, value, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(growth_points, "TILE_MINUTES", 1)
    monkeypatch.setattr(growth_points, "_times", lambda work: [float(work() is None)])
    (row,) = growth_points.points(curve, [value], tmp_path)
    assert row["value"] == value
    assert 0 < row["begin_bytes"] <= row["peak_bytes"]
    if curve == "localize":
        spans = json.loads((tmp_path / "localized-1" / "proposals.json").read_text())["results"]["made"]
        assert len({span["label"] for span in spans}) > 3  # there is something to decode
        assert (tmp_path / "motion.f32").stat().st_size == 60 * 30 * 25 * 3 * 4
    if curve == "prepare":
        assert len(json.loads((tmp_path / "corpus-6" / "index.json").read_text())["recordings"]) == 6
