"""The study of what to label next: how recordings are added, all of it on a small corpus, and its tables by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.results.store import read_rows
from benchmarks.study import label_order
from benchmarks.study.label_order import Case, cases, filled, run_case
from benchmarks.study.label_order_tables import gains_table, labels_table, order_table

from kinespan.config import FinetuneConfig, NetworkConfig
from kinespan.corpus import Corpus, CorpusWriter, group_split
from kinespan.prepare.synthetic.takes import ACTIONS, SyntheticConfig, synthetic_takes


def test_recordings_are_added_until_the_time_is_nearest() -> None:
    durations = {"a": 10.0, "b": 10.0, "c": 4.0, "d": 30.0, "e": 5.0}
    assert filled(["a"], ["a", "b", "c", "d", "e"], durations, 24.0) == ["a", "b", "c"]
    assert filled(["a"], ["b", "d", "e"], durations, 24.0) == ["a", "b"], "30 s more would be further away"
    assert filled(["a"], ["c", "e"], durations, 100.0) == ["a", "c", "e"]


def test_cases_of_a_seed_stand_together() -> None:
    assert [tuple(case) for case in cases(["random", "ranked"], [1])] == [
        ("precog", "random", 1), ("precog", "ranked", 1), ("sfinge3d", "random", 1), ("sfinge3d", "ranked", 1),
    ]  # fmt: skip
    assert [Case("precog", "random", seed).fold for seed in range(5)] == [1, 2, 3, 4, 1]


def test_every_round_is_run_once_from_the_same_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CorpusWriter(tmp_path / "c", "made", ACTIONS) as writer:
        for recording, annotation in synthetic_takes(SyntheticConfig(recordings=12, seconds=(6.0, 8.0), fps=15.0)):
            writer.add(recording, annotation)
        writer.add_split(group_split(writer.infos, "performer", 4, seed=0))
    tiny = FinetuneConfig(
        protocol="scratch", steps=2, batch_size=2, clip_frames=32, network=NetworkConfig(encoder="tcn")
    )
    monkeypatch.setattr(label_order, "NETWORKS", {"one": tiny, "two": replace(tiny, weight_decay=0.0)})
    monkeypatch.setattr(label_order, "SPLITS", {"made": "by-performer"})
    monkeypatch.setattr(label_order, "ROUNDS", (2, 4))
    (tmp_path / "work").mkdir()
    corpus = Corpus.open(tmp_path / "c")
    for strategy in ("random", "ranked"):
        run_case(Case("made", strategy, 0), corpus, tmp_path)
    rows = read_rows(tmp_path)
    assert [(row["strategy"], row["round"]) for row in rows] == [
        ("random", 2), ("random", 4), ("ranked", 2), ("ranked", 4),
    ]  # fmt: skip
    assert rows[0]["chosen"] == rows[2]["chosen"]
    assert rows[0]["f1_50"] == rows[2]["f1_50"]
    test = corpus.fold("by-performer", 1).test
    for start, end in ((rows[0], rows[1]), (rows[2], rows[3])):
        assert end["chosen"][:2] == start["chosen"]
        assert not set(end["chosen"]) & set(test)
        assert end["minutes"] > start["minutes"]
    run_case(Case("made", "ranked", 0), corpus, tmp_path)
    assert read_rows(tmp_path) == rows, "what is done is not run again"


def test_the_tables_by_hand() -> None:
    rows = [
        {"data": "d", "strategy": strategy, "seed": seed, "round": number, "minutes": number / 4, "f1_50": figure}
        for strategy, figures in {"random": (0.2, 0.4), "ranked": (0.3, 0.6)}.items()
        for seed, figure in enumerate(figures)
        for number in (2, 4)
    ]
    assert order_table(rows, "d").splitlines()[-2:] == [
        "| at random | 30.0 ± 14.1 | 30.0 ± 14.1 |",
        "| ranked, all three signs | 45.0 ± 21.2 | 45.0 ± 21.2 |",
    ]
    assert gains_table(rows, "d").splitlines() == [
        "| less random, points | 4 recordings | mean |",
        "|---|---|---|",
        "| ranked, all three signs | +15.0 ± 7.1 (p 0.20) | +15.0 ± 7.1 (p 0.20) |",
    ]


def test_the_table_of_labels_by_hand() -> None:
    rows = [
        {"data": "precog", "strategy": strategy, "seed": seed, "round": 4, "labels": count}
        for strategy, counts in {"random": (6, 7), "ranked": (8, 8)}.items()
        for seed, count in enumerate(counts)
    ]
    assert labels_table(rows).splitlines()[-1] == "| PRECOG (of 8), 4 recordings | 6.5 | 8.0 | +1.5 ± 0.7 (p 0.20) |"
