"""A study of several sets: its file, the search of the baselines, figures of events and clips, its tables."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from benchmarks.results import store
from benchmarks.results.store import stored_rows
from benchmarks.study import job, plan, search, set_tables
from benchmarks.study.baselines import event_ids
from benchmarks.study.chosen import best_choice, choice_of, with_choice
from benchmarks.study.claims import paired_p
from benchmarks.study.figures import figures
from scipy import stats

from kinespan.corpus import Corpus, CorpusWriter, group_split
from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.data.predictions import Truth
from kinespan.data.recording import Recording
from kinespan.data.skeletons import SKELETONS
from kinespan.decode import DecodeConfig
from kinespan.decode.events import bell
from kinespan.errors import InputError

SETS: dict[str, Any] = {
    "about": "A question.",
    "sets": {
        "a": {"split": "by-performer", "folds": [1, 2], "labels": {"few": 2, "more": 3, "all": "all"}},
        "b": {"split": "by-performer", "folds": [1], "labels": {"few": 4, "all": "all"},
              "figures": ["event_f1", "event_ap"], "search": "a"},
    },
    "seeds": [0, 1, 2], "repeated": ["few"],
    "rows": [
        {"name": "random forest", "model": "forest", "finetune": "chosen"},
        {"name": "TCN", "finetune": "chosen"},
        {"name": "ours", "model": "learn", "repeated": True},
    ],
    "curves": {"ours": ["ours"], "forest": ["random forest"]}, "lead": "ours",
}  # fmt: skip


@pytest.fixture
def sets(tmp_path: Path) -> dict[str, plan.Study]:
    (tmp_path / "many.yaml").write_text(yaml.safe_dump(SETS, sort_keys=False))
    return {study.set: study for study in plan.read_all(str(tmp_path / "many.yaml"))}


# ---- the file --------------------------------------------------------------------------------------------------


def test_a_set_is_a_study_with_the_shared_rows(sets: dict[str, plan.Study]) -> None:
    assert [(study.name, study.data, study.search) for study in sets.values()] == [
        ("many_a", "a", "a"), ("many_b", "b", "a")
    ]  # fmt: skip
    assert {cell.key for cell in sets["b"].cells()} == {
        ("random forest", 1, 0, "4"), ("random forest", 1, 0, "all"), ("TCN", 1, 0, "4"), ("TCN", 1, 0, "all"),
        ("ours", 1, 0, "4"), ("ours", 1, 1, "4"), ("ours", 1, 2, "4"), ("ours", 1, 0, "all"),
    }, "the first seed alone but for repeated rows and sizes"  # fmt: skip
    assert sets["a"].figures == plan.SPAN_FIGURES
    assert sets["b"].figures == ("event_f1", "event_ap")
    assert plan.read("sets_precog").sizes["few"] == 4


def test_rows_of_a_set_depend_on_its_labels_and_folds_alone() -> None:
    """No setting of a row may be another one on another set."""
    everywhere = [
        [(row.name, row.model, row.finetune, row.learn, row.chosen, row.decode) for row in study.rows]
        for study in plan.read_all("sets")
    ]
    assert all(rows == everywhere[0] for rows in everywhere)


def test_mistakes_in_a_file_of_sets_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sets has several sets; name one of sets_precog, "):
        plan.read("sets")
    with pytest.raises(InputError, match=r"sets\.yaml: unknown set 'nothing'; available: precog, "):
        plan.read("sets_nothing")
    bad = {**SETS, "sets": {"a": {**SETS["sets"]["a"], "rows": []}}}
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(bad, sort_keys=False))
    with pytest.raises(InputError, match=r"bad\.yaml: set a: unknown rows"):
        plan.read_all(str(tmp_path / "bad.yaml"))


# ---- the search ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("baseline", ["random forest", "TCN", "MS-TCN"])
def test_candidates_are_eight_and_balanced(baseline: str) -> None:
    candidates = search.candidates(baseline)
    assert len(candidates) == len({str(candidate) for candidate in candidates}) == 8
    if baseline == "random forest":
        return
    factors = [(row["steps"], row["lr"], row["network"]["streams"][0], row.get("mirror", "auto")) for row in candidates]
    for pair in combinations(range(4), 2):
        assert set(Counter((values[pair[0]], values[pair[1]]) for values in factors).values()) == {2}


def made_corpus(folder: Path) -> Corpus:
    """Eight recordings of a second by four performers, split by performer."""
    skeleton = SKELETONS["ntu25"]
    labels = LabelSet(("x", "y"))
    rng = np.random.default_rng(0)
    with CorpusWriter(folder, folder.name, labels) as writer:
        for number in range(8):
            positions = rng.normal(size=(15, 1, 25, 3))
            recording = Recording(positions, 15.0, skeleton, f"r{number}", attributes={"performer": f"p{number % 4}"})
            writer.add(recording, Annotation((Span(0.2, 0.8, "xy"[number % 2]),), labels))
        writer.add_split(group_split(writer.infos, "performer", 4, seed=0))
    return Corpus.open(folder)


def test_the_inner_split_holds_performers_out_and_never_sees_the_test_of_fold_1(tmp_path: Path) -> None:
    corpus = made_corpus(tmp_path / "c")
    outer, inner = corpus.fold("by-performer", 1), search.inner_sides(corpus, "by-performer")
    assert set(inner.train) | set(inner.test) == set(outer.train)
    performers = [{corpus.infos[corpus.index(name)].attributes["performer"] for name in side} for side in inner[:2]]
    assert not performers[0] & performers[1]


def test_a_search_is_resumed_and_stored_when_it_is_complete(
    sets: dict[str, plan.Study], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, tried = made_corpus(tmp_path / "c"), []
    monkeypatch.setattr(store, "RESULTS", tmp_path)

    def tested(trial: job.Trial, row: plan.Row, forest: Any, pretrained: None) -> dict[str, Any]:
        if len(tried) == 3:
            tried.append("stopped")
            raise KeyboardInterrupt
        tried.append(forest)
        value = 0.9 if (forest.reach, forest.depth, forest.relative) == (0.4, 16, True) else 0.5
        return {"labelled": trial.labels, "argmax": {"f1_50": 0.1}, "viterbi": {"f1_50": value}, "map": 0.3}

    monkeypatch.setattr(job, "tested", tested)
    with pytest.raises(KeyboardInterrupt):
        search.search_set(sets["a"], corpus, ["random forest"], tmp_path)
    with pytest.raises(
        InputError, match=r"no search of 'random forest' on 'a'; run python -m benchmarks\.study\.search"
    ):
        choice_of("a", "random forest")
    search.search_set(sets["a"], corpus, ["random forest"], tmp_path)
    search.search_set(sets["a"], corpus, ["random forest"], tmp_path)
    assert len(tried) == 9, "eight candidates, each once, and the one that was stopped"
    assert len(stored_rows("search")) == 8
    choice = choice_of("a", "random forest")
    assert choice.settings == {"reach": 0.4, "depth": 16, "relative": True}
    row, forest, facts = with_choice(sets["a"].rows[0], choice)
    assert (forest.reach, forest.relative, row.decode, facts) == (0.4, True, {"segmentation": "viterbi"}, {"chosen": 6})
    assert "| a | random forest | 0.4 s, depth 16, relative | segmentation viterbi | 90.0 F1@50 |" in (
        set_tables.search_table(stored_rows("search"))
    )


def test_the_best_choice_is_by_the_compared_figure_then_the_other_then_the_first() -> None:
    def candidate(number: int, tie_break: float, *values: float) -> dict[str, Any]:
        decodings = [
            {"decode": {"segmentation": name}, "figure": value} for name, value in zip("av", values, strict=True)
        ]
        return {"number": number, "settings": {"steps": number}, "tie_break": tie_break, "decodings": decodings}

    rows = [
        candidate(0, 0.9, 0.5, 0.4),
        candidate(1, 0.2, 0.6, 0.7),
        candidate(2, 0.3, 0.7, 0.7),
        candidate(3, 0.3, 0.7, 0),
    ]
    choice = best_choice(rows)
    assert (choice.number, choice.decode) == (2, {"segmentation": "a"})


def test_decoding_is_tried_for_every_candidate() -> None:
    spans = {"argmax": {"f1_50": 0.2}, "viterbi": {"f1_50": 0.4}, "clip_accuracy": 0.8}
    assert [option["figure"] for option in search.decodings(spans, "f1_50")] == [0.2, 0.4]
    assert search.decodings(spans, "clip_accuracy") == [{"decode": {}, "figure": 0.8}]
    assert search.decodings({"by_threshold": {"0.2": 0.5, "0.3": None}}, "event_f1") == [
        {"decode": {"event_threshold": 0.2}, "figure": 0.5}, {"decode": {"event_threshold": 0.3}, "figure": 0.0}
    ]  # fmt: skip


# ---- figures ---------------------------------------------------------------------------------------------------


def test_figures_of_events_by_hand() -> None:
    """Of three events one is found exactly, one a tenth of a second late, one of an untrained label is missed."""
    labels = LabelSet(("hit", "step"), events=("hit", "step"), tolerance=0.3)
    truth = Truth(
        {"r": Annotation((), labels, events=(Event(2.0, "hit"), Event(6.0, "hit"), Event(4.0, "step")))},
        labels, {"r": 10.0}, {"r": 20.0},
    )  # fmt: skip
    seconds = (np.arange(200) + 0.5) / 20
    scores = np.zeros((200, 3), dtype=np.float32)
    scores[:, 1] = np.maximum(bell(seconds - 2.0, 20.0, 0.3), bell(seconds - 6.1, 20.0, 0.3))
    row = figures({"r": scores}, 20.0, DecodeConfig(event_threshold=0.5), truth, {"hit"})
    assert (row["event_precision"], row["event_recall"]) == (pytest.approx(1.0), pytest.approx(2 / 3))
    assert row["event_f1"] == row["by_threshold"]["0.2"] == pytest.approx(0.8)
    assert row["event_mae"] == pytest.approx(0.05, abs=0.01)
    assert row["event_ap"] == pytest.approx(row["event_ap_trained"] / 2)
    assert row["untrained"] == ["step"]
    assert "f1_50" not in row


def test_labels_that_were_never_trained_are_named_and_left_out_of_a_second_map() -> None:
    labels = LabelSet(("a", "b", "c"))
    truth = Truth({"r": Annotation((Span(1, 2, "a"), Span(3, 4, "b")), labels)}, labels, {"r": 5.0}, {"r": 10.0})
    scores = np.eye(4, dtype=np.float32)[np.repeat([0, 1, 0], [10, 10, 30])]
    durations = ((0.0, 0.3),) * 4
    row = figures({"r": scores}, 10.0, DecodeConfig(durations=durations), truth, {"a"})
    assert row["untrained"] == ["b"], "c is not tested"
    assert (row["map"], row["map_trained"]) == (pytest.approx(0.5), pytest.approx(1.0))


def test_a_clip_is_right_by_its_best_label_in_the_mean() -> None:
    labels = LabelSet(("a", "b"))
    annotations = {name: Annotation((Span(0, 1, label),), labels) for name, label in (("r", "a"), ("s", "b"))}
    truth = Truth(annotations, labels, {"r": 1.0, "s": 1.0}, {"r": 4.0, "s": 4.0})
    frames = np.array([[0.6, 0.1, 0.3], [0.6, 0.1, 0.3], [0.2, 0.7, 0.1], [0.2, 0.7, 0.1]], np.float32)
    durations = ((0.0, 0.3),) * 3
    row = figures({"r": frames, "s": frames}, 4.0, DecodeConfig(durations=durations), truth, {"a", "b"})
    assert row["clip_accuracy"] == 0.5, "a has 0.4 in the mean and b 0.2, whatever background has"


def test_a_forest_is_taught_events_half_the_tolerance_to_either_side() -> None:
    labels = LabelSet(("hit",), events=("hit",), tolerance=0.4)
    ids = event_ids(Annotation((), labels, events=(Event(1.0, "hit"),)), 20, 10.0)
    assert ids.tolist() == [0] * 8 + [1] * 4 + [0] * 8
    spans = LabelSet(("x", "hit"), events=("hit",))
    both = event_ids(Annotation((Span(0, 1, "x"),), spans, events=(Event(2.0, "hit"),)), 30, 10.0)
    assert both.tolist() == [1] * 10 + [0] * 9 + [2] * 2 + [0] * 9


# ---- tables ----------------------------------------------------------------------------------------------------


def made_row(row: str, fold: int, seed: int, value: float, labels: Any = 2, **more: Any) -> dict[str, Any]:
    return {"row": row, "fold": fold, "seed": seed, "labels": labels, "f1_50": value, "map": value / 2,
            "map_trained": value, "untrained": [], **more}  # fmt: skip


def test_tables_of_a_set_by_hand(sets: dict[str, plan.Study]) -> None:
    study = sets["a"]
    rows = [made_row("ours", fold, seed, 0.4 + 0.1 * fold + 0.02 * seed) for fold in (1, 2) for seed in (0, 1, 2)]
    rows += [made_row("TCN", fold, 0, 0.1 * fold) for fold in (1, 2)]
    rows += [made_row("random forest", 1, 0, 0.45, untrained=["y"])]
    lines = set_tables.results_table(study, rows).splitlines()
    assert lines[0] == "| F1@50 | 2 recordings | 3 recordings | all |"
    deviation = np.std([50, 52, 54, 60, 62, 64], ddof=1)
    assert lines[2:] == [
        "| random forest | 45.0 (1 of 2 runs) | not run | not run |",
        f"| TCN | 15.0 ± {np.std([10, 20], ddof=1):.1f} | not run | not run |",
        f"| ours | 57.0 ± {deviation:.1f} | not run | not run |",
    ]
    lines = set_tables.set_lead_table(study, rows).splitlines()
    assert lines[0] == "| F1@50, ours against | 2 recordings | 3 recordings | all |"
    assert lines[2] == "| the best of them | +5.0 (1.000, 1) random forest |  |  |", "of one pair there is no test"
    p = stats.ttest_1samp([40.0, 40.0 + 1e-9], 0).pvalue
    assert p < 0.001
    assert lines[4].startswith("| TCN | +40.0 (")
    assert "| 2 recordings | random forest | 1 | 22.5 | 45.0 | y (1) |" in set_tables.untrained_table(study, rows)
    timed = [{**row, "pretrain_min": 2.0, "train_min": float(row["fold"])} for row in rows]
    assert "| ours | 3.5 | not run | not run |" in set_tables.cost_table(study, timed)
    assert set_tables.set_page(study, timed).startswith("# many_a\n\nA question.\n\n| F1@50 |")


def test_tables_over_sets_by_hand(sets: dict[str, plan.Study]) -> None:
    first = [made_row("ours", fold, 0, 0.6 + 0.1 * fold) for fold in (1, 2)]
    first += [made_row(name, fold, 0, 0.5) for name in ("TCN", "random forest") for fold in (1, 2)]
    second = [
        {**made_row(name, 1, 0, 0, 4), "event_f1": value, "event_ap": value}
        for name, value in (("ours", 0.5), ("random forest", 0.45))
    ]
    pairs = [(sets["a"], first), (sets["b"], second)]
    lines = set_tables.all_leads_table(pairs).splitlines()
    assert lines[0] == "| ours against the best of the others | few | more | all |"
    p = paired_p([20.0, 30.0])
    assert lines[2] == f"| a, F1@50 | +25.0 ({p:.3f}, 2) TCN |  |  |"
    assert lines[3] == "| b, F1 of events | +5.0 (1.000, 1) random forest |  |  |"
    assert lines[4] == f"| mean over sets | +15.0 ({paired_p([25.0, 5.0]):.3f}, 2 of 2 sets won) |  |  |"
    assert set_tables.all_sets_table(pairs, "few").splitlines() == [
        "| set | figure | labels | random forest | TCN | ours |",
        "|---|---|---|---|---|---|",
        "| a | F1@50 | 2 recordings | 50.0 ± 0.0 | 50.0 ± 0.0 | 75.0 ± 7.1 (2 of 6 runs) |",
        "| b | F1 of events | 4 recordings | 45.0 | not run | 50.0 (1 of 3 runs) |",
        "| mean of 1 set |  |  | 50.0 | 50.0 | 75.0 |",
    ]
    assert set_tables.picture_link(sets["b"], second).endswith("(../images/study_many_b.svg)")
    assert set_tables.picture_link(sets["b"], []) == "not run"
