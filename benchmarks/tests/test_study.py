"""The study: its files, its baselines, its figures, its paired tests."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from benchmarks.results import store
from benchmarks.results.store import append_rows, read_rows, store_rows, stored_rows
from benchmarks.study import __main__ as command
from benchmarks.study import plan
from benchmarks.study.baselines import ForestConfig, forest_scores, prior_scores, window_features, window_offsets
from benchmarks.study.claims import compare, paired_p
from benchmarks.study.curves import Point, drawing, points
from benchmarks.study.figures import figures
from benchmarks.study.job import parts_of, random_share
from benchmarks.study.plan import Claim, parse
from benchmarks.study.tables import (
    curves_table,
    label_counts,
    lead_table,
    page,
    parts_table,
    readme_table,
    rows_table,
)
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kinespan.corpus.splits import Fold
from kinespan.data.annotation import IGNORE, Annotation, LabelSet, Span
from kinespan.data.predictions import Truth
from kinespan.decode import DecodeConfig
from kinespan.errors import InputError
from kinespan.transforms.normalise import Motion

SMALL: dict[str, Any] = {
    "about": "A question.", "data": "synthetic", "split": "by-performer", "folds": [1, 2], "seeds": [0, 1],
    "labels": [2, 0.5, "all"], "pretraining": {"snippets": {"steps": 3}}, "pools": {"wide": ["hdm05"]},
    "rows": [
        {"name": "prior", "model": "prior", "labels": ["all"]},
        {"name": "scratch", "finetune": {"steps": 2}},
        {"name": "snippets", "start": "snippets", "pool": "wide", "seeds": [1]},
    ],
    "claims": [{"better": "snippets", "than": "scratch", "labels": 2, "by": 10}],
}  # fmt: skip


def small(**changes: Any) -> plan.Study:
    return parse({**SMALL, **changes}, "small", "small.yaml")


def test_cells_are_every_row_by_fold_seed_and_labels() -> None:
    cells = list(small().cells())
    assert len(cells) == 2 * 2 * 1 + 2 * 2 * 3 + 2 * 1 * 3
    assert [cell.seed for cell in cells] == sorted(cell.seed for cell in cells)
    assert {cell.key for cell in small().cells(folds=[2], seeds=[0])} == {
        ("prior", 2, 0, "all"), ("scratch", 2, 0, "2"), ("scratch", 2, 0, "0.5"), ("scratch", 2, 0, "all")
    }  # fmt: skip


def test_seeds_may_differ_by_labels() -> None:
    study = small(seeds={2: [0, 1, 2], 0.5: [3], "all": [0]})
    assert {cell.key for cell in study.cells(folds=[1]) if cell.row == "scratch"} == {
        ("scratch", 1, 0, "2"), ("scratch", 1, 1, "2"), ("scratch", 1, 2, "2"), ("scratch", 1, 3, "0.5"),
        ("scratch", 1, 0, "all"),
    }  # fmt: skip
    assert {cell.seed for cell in study.cells() if cell.row == "snippets"} == {1}, "a row's own list holds for all"


def test_networks_train_in_float32_by_default() -> None:
    """Whatever units the machine has."""
    study = small(pretraining={"snippets": {"steps": 3}, "half": {"precision": "bf16"}})
    assert {name: start.precision for name, start in study.pretraining.items()} == {"snippets": "32", "half": "bf16"}
    assert {row.finetune.precision for row in study.rows} == {"32"}
    rows = [*SMALL["rows"], {"name": "half", "finetune": {"precision": "bf16"}}]
    assert small(rows=rows).rows[-1].finetune.precision == "bf16"


def test_cells_of_one_encoder_are_one_job() -> None:
    cells = [cell for cell in small().cells(folds=[1]) if cell.row == "snippets"]
    assert {small().job(cell) for cell in cells} == {(1, 1, "snippets", "wide")}
    shared = small(pretrain_seed=7)
    assert {shared.job(cell) for cell in shared.cells(folds=[1])} == {
        (1, 7, "snippets", "wide"), (1, 0, "scratch", "fold"), (1, 1, "scratch", "fold")
    }  # fmt: skip
    own = small(pretrain_seed=7, rows=[*SMALL["rows"], {"name": "own", "start": "snippets", "pretrain_seed": None}])
    assert {own.job(cell) for cell in own.cells(folds=[1]) if cell.row == "own"} == {
        (1, 0, "snippets", "fold"), (1, 1, "snippets", "fold")
    }, "an encoder a seed, where a row asks for it"  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"rows": [{"name": "a", "model": "tree"}]},
            "small.yaml: row a: model 'tree', expected one of network, learn, forest",
        ),
        ({"rows": [{"name": "a", "start": "video"}]}, "start 'video'; pretraining has snippets"),
        ({"rows": [{"name": "a", "pool": "all"}]}, "pool 'all'; pools has wide"),
        ({"rows": [{"name": "a", "taught": -1}]}, "row a: taught -1, expected a number of rounds"),
        ({"rows": [{"name": "a", "taught": 1, "alone": True}]}, "give beside and taught too"),
        ({"pools": {"more": 2.0}}, "pool more: found 2.0, expected a list of corpora or a share"),
        ({"rows": [{"name": "a", "labels": [0]}]}, "labels 0, expected a number of recordings"),
        ({"rows": [{"name": "a", "labels": [1.0]}]}, "labels 1.0, expected"),
        ({"seeds": {2: [0], "all": [0]}}, "row scratch: seeds has none for labels 0.5; it has 2, all"),
        ({"rows": [{"name": "a", "colour": 1}]}, "unknown colour"),
        ({"rows": [{"name": "a", "finetune": {"step": 1}}]}, "did you mean 'steps'"),
        ({"rows": [{"name": "a", "beside": {"step": 1}}]}, "row a: beside"),
        ({"rows": [{"name": "a", "model": "learn", "learn": {"step": 1}}]}, "row a: learn: "),
        ({"rows": [{"name": "a", "model": "learn", "finetune": "chosen"}]}, "row a: finetune is chosen, which is for"),
        ({"rows": [{"name": "a", "decode": {"min_duration": -1}}]}, "row a: decode: min_duration: found -1"),
        ({"rows": [{"name": "a", "decode": {"shortest": 1}}]}, "row a: decode: "),
        ({"rows": [{"name": "a"}, {"name": "a"}]}, "share a name"),
        ({"claims": [{"better": "b", "than": "scratch", "labels": 2}]}, "a claim is about 'b'"),
        ({"fold": 1}, "unknown fold"),
        ({"curves": {"a": ["b"]}}, "a curve is made of 'b'"),
        ({"readme": {"a": ["b"]}}, "readme is made of 'b'"),
        ({"curves": {str(number): ["scratch"] for number in range(9)}}, "9 curves, expected at most 8"),
        ({"lead": "ours"}, "lead is 'ours'; curves are "),
        ({"parts": {"a": ["scratch"]}}, "part 'a' is scratch; expected two of prior, scratch, snippets"),
        ({"parts": {"a": ["scratch", "b"]}}, "part 'a' is scratch, b; expected two of prior, scratch, snippets"),
    ],
)
def test_a_mistake_in_a_study_is_refused_before_anything_runs(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=r"small\.yaml") as error:
        small(**changes)
    assert words in str(error.value)


@given(st.integers(1, 60), st.integers(0, 5), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_a_smaller_share_of_the_recordings_is_a_subset_of_a_larger(
    count: int, seed: int, one: float, other: float
) -> None:
    names = [f"take {number}" for number in range(count)]
    fewer, more = (random_share(names, share, seed) for share in sorted((one, other)))
    assert set(fewer) <= set(more) <= set(names)
    assert len(more) == max(1, round(max(one, other) * count))
    assert list(more) == sorted(more, key=names.index)
    assert small(pools={"wide": ["hdm05"], "some": 0.5}).pools == {"wide": ("hdm05",), "some": 0.5}


def test_an_unknown_study_is_refused_with_those_available() -> None:
    with pytest.raises(InputError, match=r"unknown study .*available: .*precog"):
        plan.read("nothing")


def test_windows_hold_position_and_velocity_around_each_frame() -> None:
    rng = np.random.default_rng(0)
    motion = Motion(rng.normal(size=(30, 1, 2, 3)).astype(np.float32), np.ones((30, 1, 2), bool), 15.0, "a")
    offsets = [-12, -8, -4, 0, 4, 8, 12]
    assert window_offsets(0.8, 15.0).tolist() == offsets
    windows = window_features(motion).reshape(30, len(offsets), 2, 6)
    flat = motion.positions[:, 0].reshape(30, 6)
    for frame in (0, 5, 17, 29):
        for place, away in enumerate(offsets):
            at = min(max(frame + away, 0), 29)
            assert np.allclose(windows[frame, place, 0], flat[at])
            before, after = max(at - 1, 0), min(at + 1, 29)
            assert np.allclose(windows[frame, place, 1], (flat[after] - flat[before]) / (after - before), atol=1e-6)


def test_relative_windows_do_not_know_where_the_root_is() -> None:
    rng = np.random.default_rng(0)
    positions = rng.normal(size=(9, 1, 3, 3)).astype(np.float32)
    moved = positions + rng.normal(size=(9, 1, 1, 3)).astype(np.float32)
    config = ForestConfig(relative=True)
    here, there = (
        window_features(Motion(values, np.ones((9, 1, 3), bool), 15.0, "a"), config, root=(0, 2))
        for values in (positions, moved)
    )
    assert np.allclose(here, there, atol=1e-5)
    middle = here.reshape(9, 7, 2, 3, 3)[:, 3, 0]  # (T, J, 3)
    assert np.allclose(middle, positions[:, 0] - (positions[:, 0, :1] + positions[:, 0, 2:]) / 2, atol=1e-6)


def labelled(frames: int, ids: list[int], name: str = "a") -> tuple[Motion, np.ndarray]:
    motion = Motion(np.zeros((frames, 1, 2, 3), np.float32), np.ones((frames, 1, 2), bool), 15.0, name)
    return motion, np.array(ids)


def test_priors_count_labels_of_all_time_or_of_parts_of_it() -> None:
    train = [labelled(4, [0, 0, 1, IGNORE]), labelled(8, [0, 0, 0, 1, 2, 2, 2, 2])]
    test = [labelled(6, [0] * 6, "t")[0]]
    same = prior_scores(train, test, 3)["t"]
    assert np.allclose(same, np.tile([5 / 11, 2 / 11, 4 / 11], (6, 1)), atol=1e-5)
    halves = prior_scores(train, test, 3, steps=2)["t"]
    assert np.allclose(halves[:3], [5 / 6, 1 / 6, 0], atol=1e-5)
    assert np.allclose(halves[3:], [0, 1 / 5, 4 / 5], atol=1e-5)


def test_a_forest_learns_a_class_from_positions() -> None:
    rng = np.random.default_rng(1)

    def take(name: str) -> tuple[Motion, np.ndarray]:
        ids = np.repeat([0, 2, 0], 20)
        positions = rng.normal(0, 0.05, size=(60, 1, 2, 3)).astype(np.float32)
        positions[ids == 2] += 1
        return Motion(positions, np.ones((60, 1, 2), bool), 15.0, name), ids

    test, truth = take("t")
    scores = forest_scores([take("a"), take("b")], [test], 4, seed=0)["t"]
    assert scores.shape == (60, 4)
    assert np.all(scores[:, [1, 3]] == 0), "labels that never occur have no probability"
    assert np.mean(scores.argmax(axis=1) == truth) > 0.85


def test_perfect_scores_give_perfect_figures() -> None:
    labels = LabelSet(("a", "b"))
    ids = np.repeat([0, 1, 0, 2, 0], [20, 15, 10, 25, 20])
    annotation = Annotation((Span(2.0, 3.5, "a"), Span(4.5, 7.0, "b")), labels)
    truth = Truth({"r": annotation}, labels, {"r": 9.0}, {"r": 10.0})
    scores = {"r": np.eye(3, dtype=np.float32)[ids] * 0.9 + 0.1 / 3}
    durations = ((0.5, 0.3), (0.4, 0.3), (0.9, 0.3))
    metrics = figures(scores, 10.0, DecodeConfig(segmentation="viterbi", durations=durations), truth, {"a", "b"})
    assert metrics["untrained"] == []
    assert "clip_accuracy" not in metrics, "they are no clips of one action"
    for name in ("map", "map_trained", "map_high", "frame_accuracy", "f1_10", "f1_50", "edit"):
        assert metrics[name] == pytest.approx(1.0)
    assert metrics["argmax"]["f1_50"] == metrics["viterbi"]["f1_50"] == pytest.approx(1.0)
    assert metrics["errors"]["right"] == metrics["errors"]["true"] == 2
    assert metrics["errors"]["missed"] == 0


def made_row(row: str, fold: int, seed: int, value: float, labels: Any = 2) -> dict[str, Any]:
    common = dict.fromkeys(("map", "map_high", "frame_accuracy", "f1_10", "f1_25", "edit"), 0.5)
    errors = {"cost of background": 0.1, "missed": 1, "true": 4}
    return {"row": row, "fold": fold, "seed": seed, "labels": labels, **common, "f1_50": value, "pretrain_min": 0.0,
            "train_min": 1.0, "parameters": 1_500_000, "errors": errors, "argmax": {"f1_50": value / 2}}  # fmt: skip


def test_claims_compare_the_same_fold_and_seed() -> None:
    values = {(1, 0): (0.6, 0.5), (1, 1): (0.7, 0.5), (2, 0): (0.4, 0.45), (2, 1): (0.5, 0.52)}
    rows = [
        made_row(name, *pair, value) for pair, both in values.items() for name, value in zip("xy", both, strict=True)
    ]
    rows += [made_row("x", 3, 0, 0.9), made_row("y", 1, 0, 0.99, labels=4)]
    result = compare(rows, Claim("x", "y", 2))
    assert result is not None
    gains = [100 * (x - y) for x, y in values.values()]
    assert (result.pairs, result.folds_won, result.folds) == (4, 1, 2)
    assert result.difference == pytest.approx(statistics.mean(gains))
    assert result.p == pytest.approx(
        stats.ttest_rel([x for x, _ in values.values()], [y for _, y in values.values()]).pvalue
    )
    first, second = statistics.mean(gains[:2]), statistics.mean(gains[2:])
    assert result.p_folds == pytest.approx(paired_p([first, second]))
    halved = compare(rows, Claim("x", "y", 2, figure="argmax.f1_50"))
    assert halved is not None
    assert halved.difference == pytest.approx(result.difference / 2)
    assert compare(rows, Claim("x", "z", 2)) is None
    only = compare(rows, Claim("x", "y", 2, folds=(2,)))
    assert only is not None
    assert (only.pairs, only.difference < 0) == (2, True)


def test_the_lead_and_parts_are_compared_by_number_of_labels() -> None:
    study = small(
        curves={"ours": ["snippets", "prior"], "theirs": ["scratch"]}, lead="ours",
        parts={"pretraining": ["snippets", "scratch"]}, claims=[],
    )  # fmt: skip
    rows = [
        made_row(name, fold, 1, value, labels)
        for name, labels, values in [
            ("snippets", 2, (0.6, 0.7)), ("scratch", 2, (0.5, 0.4)), ("scratch", 0.5, (0.3, 0.3)),
            ("prior", "all", (0.2, 0.2)), ("scratch", "all", (0.1, 0.3)),
        ]
        for fold, value in enumerate(values, start=1)
    ]  # fmt: skip
    p = stats.ttest_rel([0.6, 0.7], [0.5, 0.4]).pvalue
    title, _, line = lead_table(study, rows).splitlines()
    assert title == "| F1@50 against | 2 | all |"
    assert line == f"| theirs | +20.0 ({p:.3f}, 2) | +0.0 (1.000, 2) |"
    assert "| theirs | +30.0 (1.000, 1) |" in lead_table(study, rows, folds=(2,))
    assert curves_table(study, rows).splitlines() == [
        "| F1@50 | 2 | 50 % | all |",
        "|---|---|---|---|",
        "| ours | 65.0 |  | 20.0 |",
        "| theirs | 45.0 | 30.0 | 20.0 |",
    ]
    assert parts_table(study, rows).splitlines()[2] == f"| pretraining | +20.0 ({p:.3f}, 2) |"
    assert page(study, rows).endswith(f"{lead_table(study, rows)}\n\n{parts_table(study, rows)}")


def test_readme_shows_only_seeds_that_ran_on_every_fold() -> None:
    study = small(readme={"ours": ["snippets", "prior"], "theirs": ["scratch"]}, claims=[])
    rows = [made_row("scratch", fold, seed, 0.2 * fold + 0.1 * seed) for fold in (1, 2) for seed in (0, 1)]
    rows += [made_row("snippets", 1, 1, 0.9), made_row("prior", 1, 0, 0.4, "all"), made_row("prior", 2, 0, 0.6, "all")]
    assert readme_table(study, rows).splitlines() == [
        "| F1@50 | 2 recordings | 50 % | all |",
        "|---|---|---|---|",
        "| ours | not run | not run | 50.0 |",
        "| theirs | 35.0 ± 7.1 | not run | not run |",
    ]


def test_p_is_1_for_one_pair_or_equal_differences() -> None:
    assert paired_p([3.0]) == 1.0
    assert paired_p([2.0, 2.0, 2.0]) == 1.0


def test_tables_show_means_over_folds_and_spread_over_seeds() -> None:
    rows = [made_row("scratch", fold, seed, 0.1 * fold + 0.2 * seed) for fold in (1, 2) for seed in (0, 1)]
    text = rows_table(small(), rows)
    assert "| 2 | scratch | 50.0 ± 0.0 |" in text
    assert "| 25.0 ± 14.1 |" in text
    assert "| 4 | 1.50 M | 0.0 | 1.0 |" in text
    assert "A question." in page(small(), rows)


def test_curves_join_rows_by_how_many_recordings_are_labelled() -> None:
    rows = [{**made_row("few", fold, 0, value, labels=2), "labelled": 2} for fold, value in ((1, 0.2), (2, 0.4))]
    rows += [
        {**made_row("many", 1, 0, 0.8, labels="all"), "labelled": 50},
        {**made_row("other", 1, 0, 0.9), "labelled": 2},
    ]
    assert points(rows, ["few", "many"], "f1_50") == [
        Point(2, pytest.approx(30.0), pytest.approx(math.sqrt(200))), Point(50, pytest.approx(80.0), 0.0)
    ]  # fmt: skip
    text = drawing({"ours <": ["few", "many"], "none": ["nobody"]}, rows, {"F1@50": "f1_50"})
    svg = ElementTree.fromstring(text)
    assert sum(part.tag.endswith("circle") for part in svg.iter()) == 2
    assert "ours &lt;" in text
    assert "no rows yet" in drawing({"none": ["nobody"]}, rows, {"F1@50": "f1_50"})
    assert drawing({str(number): ["few"] for number in range(plan.MAX_CURVES)}, rows, {"F1@50": "f1_50"})


def test_kept_rows_are_added_to_those_stored_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    monkeypatch.setattr(command, "IMAGES", tmp_path)
    study = small(curves={"ours": ["scratch"]})
    old = [made_row("scratch", 1, 0, 0.5), made_row("scratch", 1, 1, 0.5), made_row("no longer asked", 1, 0, 0.5)]
    new = [made_row("scratch", 1, 1, 0.6), made_row("scratch", 2, 0, 0.7)]
    append_rows(tmp_path, [{**row, "labelled": 2} for row in new])
    store_rows("study_small", [{**row, "labelled": 2} for row in old])
    command.keep(study, tmp_path)
    assert [(row["fold"], row["seed"], row["f1_50"]) for row in stored_rows("study_small")] == [
        (1, 0, 0.5), (1, 1, 0.6), (2, 0, 0.7)
    ]  # fmt: skip
    assert (tmp_path / "study_small.svg").read_text().startswith("<svg")


def test_rows_are_appended_as_they_are_done(tmp_path: Path) -> None:
    append_rows(tmp_path, [{"a": 1}])
    append_rows(tmp_path, [{"a": 2}, {"a": 3}])
    assert [row["a"] for row in read_rows(tmp_path)] == [1, 2, 3]


class Folds:
    """As much of a corpus as the choice of recordings looks at: 12 recordings, three tested by each of four folds."""

    def fold(self, split: str, number: int) -> Fold:
        assert split == "by-performer"
        names = [f"r{i}" for i in range(12)]
        test = tuple(names[number - 1 :: 4])
        return Fold(tuple(name for name in names if name not in test), test, ("x",))


def test_the_inner_split_never_shows_the_test_of_its_fold() -> None:
    corpus: Any = Folds()
    for fold in (2, 3, 4):
        outer, inner = corpus.fold("by-performer", fold), parts_of(corpus, "by-performer:inner", fold)
        assert inner.test == corpus.fold("by-performer", 1).test
        assert set(inner.train) == set(outer.train) - set(inner.test)
        assert not set(inner.train + inner.test) & set(outer.test)
        assert inner.drop_labels == ("x",)
    for split, fold in (("by-performer:inner", 1), ("by-performer:outer", 2)):
        with pytest.raises(InputError, match="a fold from 2 on"):
            parts_of(corpus, split, fold)
    assert parts_of(corpus, "by-performer", 1).test == corpus.fold("by-performer", 1).test


def test_tables_go_from_few_labels_to_all() -> None:
    rows = [{"name": "a", "labels": ["all", 0.5, 10, 0.2, 2]}]
    assert label_counts(small(rows=rows, claims=[], curves={})) == [2, 10, 0.2, 0.5, "all"]
