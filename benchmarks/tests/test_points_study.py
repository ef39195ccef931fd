"""The study of point labels: how instants are drawn, all of it on a small corpus, and its tables by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.results.store import read_rows
from benchmarks.study import point_labels
from benchmarks.study.point_labels import Case, cases, grown_figures, run_case, with_points
from benchmarks.study.point_labels_tables import grown_table, points_table

from kinespan.config import FinetuneConfig, NetworkConfig
from kinespan.corpus import Corpus, CorpusWriter, group_split
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.prepare.synthetic.takes import ACTIONS, SyntheticConfig, synthetic_takes

LABELS = LabelSet(("wave", "kick"))


def test_instants_are_drawn_from_the_spans_and_the_spans_are_gone() -> None:
    annotation = Annotation(tuple(Span(i, i + 0.8, LABELS.names[i % 2]) for i in range(200)), LABELS)
    for kind, low, high in (("middle", 0.2, 0.6), ("anywhere", 0.0, 0.8)):
        points = with_points(annotation, kind, 3)
        assert not points.spans
        offsets = [point.time % 1 for point in points.point_labels]
        assert len(offsets) == 200
        assert low <= min(offsets) < low + 0.05
        assert high - 0.05 < max(offsets) < high
        assert with_points(annotation, kind, 3) == points
    assert with_points(annotation, "spans", 3) is annotation


def test_grown_spans_by_hand() -> None:
    true = {"a": [Span(0, 2, "wave"), Span(2, 4, "kick")], "b": [Span(0, 4, "wave"), Span(5, 6, "kick")]}
    grown = {"a": [Span(0, 2, "wave"), Span(3, 4, "kick")], "b": [Span(1, 4, "wave"), Span(5, 6, "wave")]}
    assert grown_figures(true, grown) == {"tiou": (1 + 0.5 + 0.75 + 0) / 4, "tiou_50": 0.75, "tiou_75": 0.5}


def test_every_case_is_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CorpusWriter(tmp_path / "c", "made", ACTIONS) as writer:
        for recording, annotation in synthetic_takes(SyntheticConfig(recordings=8, seconds=(6.0, 8.0), fps=15.0)):
            writer.add(recording, annotation)
        writer.add_split(group_split(writer.infos, "performer", 4, seed=0))
    corpus = Corpus.open(tmp_path / "c")
    monkeypatch.setattr(point_labels, "SPLITS", {"made": "by-performer"})
    monkeypatch.setattr(point_labels, "LABELLED", {"made": 4})
    monkeypatch.setattr("kinespan.train.point_labels.STEPS", 2)
    tiny = FinetuneConfig(
        protocol="scratch", steps=2, batch_size=2, clip_frames=32, network=NetworkConfig(encoder="tcn")
    )
    every = list(cases({"made": corpus}, ["spans", "middle"], [0], inner=False))
    assert [(case.fold, case.kind) for case in every[:3]] == [(1, "spans"), (1, "middle"), (2, "spans")]
    assert {case.fold for case in cases({"made": corpus}, ["spans"], [0], inner=True)} == {2, 3, 4}
    for case in every[:2]:
        run_case(case, corpus, tmp_path, tiny)
    rows = read_rows(tmp_path)
    assert [row["kind"] for row in rows] == ["spans", "middle"]
    assert rows[0]["spans"] == rows[1]["spans"]
    assert 0 < rows[1]["tiou"] < 1
    run_case(Case(*(rows[0][name] for name in Case._fields)), corpus, tmp_path, tiny)
    assert read_rows(tmp_path) == rows, "what is done is not run again"


def test_the_tables_by_hand() -> None:
    rows = [
        {"data": "mocap6", "fold": fold, "seed": 0, "kind": kind, "f1_50": f1, "spans": 10 * fold,
         "tiou": 0.1 * fold, "tiou_50": 0.5, "tiou_75": 0.25}
        for kind, figures in {"spans": (0.5, 0.7), "middle": (0.4, 0.7)}.items()
        for fold, f1 in enumerate(figures, 1)
    ]  # fmt: skip
    assert points_table(rows).splitlines()[-1] == (
        "| mocap6, all | 2 × 1 | 60.0 ± 14.1 | 55.0 ± 21.2 (-5.0, p 0.50) |  |"
    )
    assert grown_table(rows).splitlines()[-1] == (
        "| mocap6, all, an instant of the middle half | 30 | 16.7 | 50.0 | 25.0 |"
    )
