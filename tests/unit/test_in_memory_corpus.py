"""Corpora of recordings and labels that are in memory."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import kinespan
from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.errors import InputError
from kinespan.io import save_npz
from kinespan.prepare.in_memory import annotations_by_name, write_corpus
from kinespan.prepare.labels import LabelSettings


def take(name: str, seconds: float = 10.0, **changes: object) -> Recording:
    positions = np.random.default_rng(len(name)).normal(size=(round(10 * seconds), 25, 3))
    return Recording(positions, 10.0, "ntu25", name, **changes)  # type: ignore[arg-type]


TAKES = [take("a"), take("b"), take("c")]


def test_recordings_and_rows_become_a_corpus_that_commands_take(tmp_path) -> None:
    rows = [[("walk", 1.0, 3.0), ("sit", 4, 6)], None, [Span(0.0, 2.0, "walk")]]
    corpus = kinespan.write_corpus(tmp_path / "mine", TAKES, rows)
    assert (corpus.name, corpus.names) == ("mine", ("a", "b", "c"))
    assert corpus.labels == LabelSet(("sit", "walk"))
    assert corpus.annotation("a").spans == (Span(1.0, 3.0, "walk"), Span(4.0, 6.0, "sit"))
    assert corpus.annotation("b") is None
    assert corpus.annotation("a").covered is None, "time without a label is background"
    np.testing.assert_array_equal(corpus["b"].positions, TAKES[1].positions)
    assert list(corpus.splits) == ["by-recording"]


def test_labels_are_given_in_order_or_by_name(tmp_path) -> None:
    by_name = {"c": [("walk", 0, 2)]}
    assert list(annotations_by_name(TAKES, by_name)[0]) == ["c"]
    assert annotations_by_name(TAKES, by_name) == annotations_by_name(TAKES, [None, None, [("walk", 0, 2)]])
    assert annotations_by_name(TAKES, None) == ({}, [])
    assert write_corpus(tmp_path / "unlabelled", TAKES).splits == {}


def test_label_whose_rows_are_all_instants_is_an_event_and_of_others_they_are_points() -> None:
    rows = [[("walk", 1, 3), ("strike", 1.5), ("strike", 2.5)], [("walk", 2.0), ("strike", 3.0, None)], []]
    annotations, _ = annotations_by_name(TAKES, rows)
    assert annotations["a"].labels == LabelSet(("strike", "walk"), True, ("strike",))
    assert annotations["a"].events == (Event(1.5, "strike"), Event(2.5, "strike"))
    assert annotations["b"].point_labels == (Event(2.0, "walk"),)
    assert annotations["c"] == Annotation((), annotations["a"].labels), "looked at, and nothing happens"


def test_labels_are_exclusive_where_nothing_overlaps_and_a_double_row_is_no_overlap() -> None:
    def exclusive(*rows: tuple[str, float, float]) -> bool:
        return annotations_by_name(TAKES[:1], [rows])[0]["a"].labels.exclusive

    assert exclusive(("walk", 0, 2), ("sit", 2, 3))
    assert exclusive(("walk", 0, 2), ("sit", 2, 3), ("walk", 0, 2))
    assert not exclusive(("walk", 0, 2), ("sit", 1.5, 3))
    doubled, decisions = annotations_by_name(TAKES[:1], [[("walk", 0, 2), ("walk", 0, 2)]])
    assert doubled["a"].spans == (Span(0, 2, "walk"),)
    assert decisions[0] == "double rows left out: 1 (row 2 of 'a' ('walk' 0 to 2))"


def test_a_pandas_table_is_rows() -> None:
    table = pd.DataFrame({"label": ["walk", "strike"], "start": [1, 2.5], "end": [2, math.nan], "note": ["", ""]})
    annotation = annotations_by_name(TAKES[:1], [table])[0]["a"]
    assert annotation.spans == (Span(1.0, 2.0, "walk"),)
    assert annotation.events == (Event(2.5, "strike"),)
    assert annotations_by_name(TAKES[:1], [annotation.to_dataframe()])[0]["a"] == annotation
    with pytest.raises(InputError, match="'a': the table has no column 'end'"):
        annotations_by_name(TAKES[:1], [table[["label", "start"]]])


def test_annotations_keep_what_rows_cannot_say_and_share_one_label_set() -> None:
    walk = Annotation((Span(0, 2, "walk", person=0),), LabelSet(("walk", "run")), ((0.0, 5.0),))
    sit = Annotation((Span(1, 2, "sit"),), LabelSet(("sit",)))
    annotations, _ = annotations_by_name(TAKES[:2], [walk, sit])
    assert annotations["a"].labels == annotations["b"].labels == LabelSet(("walk", "run", "sit"))
    assert annotations["a"].spans == walk.spans
    assert annotations["a"].covered == ((0.0, 5.0),)


def test_uneven_frames_are_brought_to_their_rate(tmp_path) -> None:
    times = np.cumsum(np.r_[0, np.tile([0.08, 0.12], 50)[:99]])
    corpus = write_corpus(tmp_path / "uneven", [take("a", times=times)], [[("walk", 1.0, 2.0)]])
    assert corpus["a"].times is None
    assert corpus.annotation("a").spans == (Span(1.0, 2.0, "walk"),)


def test_motion_files_are_read(tmp_path) -> None:
    save_npz(take("a"), tmp_path / "first.npz")
    corpus = write_corpus(tmp_path / "files", [str(tmp_path / "first.npz"), take("b")], {"a": [("walk", 1, 2)]})
    assert corpus.names == ("a", "b"), "the name that the file holds"


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ([None], "found 1 for 3 recordings; None stands for no labels"),
        ({"d": []}, "unknown recording 'd'.* available: a, b, c"),
        (
            [[("walk", 1)], [("walk", "one", 2)], None],
            r"annotations, row 1 of 'b': found \('walk', 'one', 2\), expected",
        ),
        ([[(1, 2, "walk")], None, None], r"row 1 of 'a': found \(1, 2, 'walk'\), expected \(label, start, end\)"),
        ([["walk"], None, None], "row 1 of 'a': found 'walk', expected"),
        ([[("walk", float("nan"), 2)], None, None], r"row 1 of 'a': found \('walk', nan, 2\)"),
        ([[(" ", 1, 2)], None, None], r"row 1 of 'a': found \(' ', 1, 2\)"),
        ([[("walk", 50, 80)], None, None], "row 1 of 'a': 'walk' 50 to 80 s, but 'a' lasts.*give --time frames"),
        ([[("walk", 300)], None, None], "row 1 of 'a': 'walk' 300 s, but 'a' lasts"),
        ([Annotation((Span(30, 40, "walk"),), LabelSet(("walk",))), None, None], "annotations of 'a': span 'walk'"),
    ],
)
def test_labels_that_are_none_are_refused_by_row(annotations: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        annotations_by_name(TAKES, annotations)  # type: ignore[arg-type]


def test_rows_are_taken_as_those_of_a_label_file_and_decisions_are_kept(tmp_path) -> None:
    rows = [[("walk", 5, 20), ("Walk ", 30, 50)], [("sit", 60, 40), ("sit", 10, 20)], []]
    corpus = write_corpus(tmp_path / "frames", TAKES, rows, labels=LabelSettings(time="frames"))
    assert corpus.annotation("a").spans == (Span(0.5, 2.0, "walk"), Span(3.0, 5.0, "walk"))
    assert corpus.annotation("b").covered == ((0.0, 4.0), (6.0, 10.0)), "a reversed row is no background"
    assert corpus.annotation("c") == Annotation((), corpus.labels)
    told = "\n".join(corpus.decisions)
    assert "label 'walk' is spelt" in told
    assert "times of labels taken for frames" in told
    assert "rows that end before they start left out: 1 (row 1 of 'b' ('sit' 6 to 4))" in told


def test_labels_that_stick_out_a_little_are_cut() -> None:
    annotations, _ = annotations_by_name(TAKES[:1], [[("walk", -0.5, 2.0), ("sit", 9.0, 10.2)]])
    assert annotations["a"].spans == (Span(0.0, 2.0, "walk"), Span(9.0, 10.0, "sit"))


def test_two_recordings_of_one_name_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="a recording named 'a' already exists"):
        write_corpus(tmp_path / "twice", [take("a"), take("a")])
    assert not (tmp_path / "twice").exists()
    write_corpus(tmp_path / "once", [take("a")])
    with pytest.raises(InputError, match="exists already"):
        write_corpus(tmp_path / "once", [take("b")])
    assert write_corpus(tmp_path / "once", [take("b")], overwrite=True).names == ("b",)
