"""Annotation sets of a corpus: changed by hand, by several processes at once, undone exactly, and never lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus_cases import LABELS, annotation, recording, small_corpus
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.corpus import AnnotationSets, Corpus, CorpusWriter, set_file
from kinespan.corpus.set_file import SETS_FILE, check_file
from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.errors import InputError

FREE = LabelSet(("wave", "kick", "step"), exclusive=False, events=("step",))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Three recordings of 3 s, the first one labelled."""
    path = tmp_path / "corpus"
    with CorpusWriter(path, "corpus") as writer:
        writer.add(recording("a", 90, 2), annotation(Span(0.5, 1.0, "kick"), covered=((0.0, 2.0),)))
        writer.add(recording("b", 90, seed=1))
        writer.add(recording("c", 90, seed=2))
    return path


def state(sets: AnnotationSets, name: str) -> object:
    """All that a set holds, with the numbers of its items."""
    annotations = sets.annotations(name)
    return sets.labels(name), annotations, {recording: sets.items(name, recording) for recording in annotations}


def test_prepared_labels_are_the_first_set_and_no_file_is_written_to_read_them(corpus: Path) -> None:
    opened = Corpus.open(corpus)
    assert [(info.name, info.recordings) for info in opened.sets] == [("labels", 1)]
    assert (opened.set, opened.labels) == ("labels", LABELS)
    assert AnnotationSets.open(corpus).annotations("labels") == {"a": opened.annotation("a")}
    assert not (corpus / SETS_FILE).exists()


def test_a_change_is_seen_by_who_opens_later_and_motion_is_untouched(corpus: Path) -> None:
    before = {file.name: file.read_bytes() for file in corpus.iterdir()}
    earlier = Corpus.open(corpus)
    sets = AnnotationSets.open(corpus)
    sets.add("labels", "b", Span(1.0, 2.0, "wave"), author="Ann")
    later = Corpus.open(corpus)
    assert later.annotation("b") == annotation(Span(1.0, 2.0, "wave"), covered=())
    assert later.annotation("a") == earlier.annotation("a")
    assert [info.annotated for info in later.infos] == [True, True, False]
    assert earlier.annotation("b") is None
    assert {name: (corpus / name).read_bytes() for name in before} == before
    assert sorted(file.name for file in corpus.iterdir()) == sorted([*before, SETS_FILE])


def test_first_label_of_a_recording_says_nothing_of_the_time_around_it(corpus: Path) -> None:
    sets = AnnotationSets.open(corpus)
    sets.add("labels", "b", Span(1.0, 2.0, "wave"))
    labelled = sets.annotation("labels", "b")
    assert labelled is not None
    assert labelled.frame_targets(90, 30.0)[1].sum() == 30
    sets.cover("labels", "b", None)
    covered = sets.annotation("labels", "b")
    assert covered is not None
    assert covered.frame_targets(90, 30.0)[1].all()


def test_spans_events_and_points_are_added_changed_and_deleted(corpus: Path) -> None:
    sets = AnnotationSets.open(corpus)
    sets.create("free", FREE, author="Bea")
    numbers = [
        sets.add("free", "a", item) for item in (Span(0, 1, "wave"), Event(0.5, "step", person=1), Event(2.0, "kick"))
    ]
    sets.change("free", numbers[0], Span(0.25, 1, "kick"))
    sets.delete("free", numbers[2])
    assert sets.items("free", "a") == {numbers[0]: Span(0.25, 1, "kick"), numbers[1]: Event(0.5, "step", person=1)}
    assert sets.add("free", "a", Event(2.0, "kick")) not in numbers, "numbers are not given again"
    first = sets.annotation("labels", "a")
    assert first is not None
    assert first.spans == (Span(0.5, 1.0, "kick"),), "sets do not touch each other"


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Span(1.0, 9.0, "wave"), "outside of its 3 s"),
        (Event(-1.0, "wave"), "outside of its 3 s"),
        (Span(1.0, 2.0, "jump"), "unknown label 'jump'"),
        (Span(1.5, 2.0, "wave", person=2), "labels of person 2, but the motion has 2 people"),
        (Span(0.8, 2.0, "wave"), "overlaps 'kick' from 0.5 to 1 s"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_kept(corpus: Path, item: Span | Event, message: str) -> None:
    sets = AnnotationSets.open(corpus)
    with pytest.raises(InputError, match=message):
        sets.add("labels", "a", item)
    assert len(sets.items("labels", "a")) == 1
    assert [change.kind for change in sets.history("labels")] == ["prepare"]


def test_labels_exclude_each_other_for_a_person(corpus: Path) -> None:
    sets = AnnotationSets.open(corpus)
    sets.add("labels", "a", Span(1.5, 2.5, "wave", person=0))
    sets.add("labels", "a", Span(1.5, 2.5, "kick", person=1))
    with pytest.raises(InputError, match="exclude each other"):
        sets.add("labels", "a", Span(2.0, 3.0, "kick", person=1))


def test_unknown_names_are_told_with_the_nearest(corpus: Path) -> None:
    sets = AnnotationSets.open(corpus)
    with pytest.raises(InputError, match="unknown annotation set 'label'; did you mean 'labels'"):
        sets.add("label", "a", Event(1, "kick"))
    with pytest.raises(InputError, match="unknown recording 'x'"):
        sets.add("labels", "x", Event(1, "kick"))
    with pytest.raises(InputError, match="exists already"):
        sets.create("labels", LABELS)
    with pytest.raises(InputError, match="has no item 77"):
        sets.delete("labels", 77)
    with pytest.raises(InputError, match="unknown annotation set 'x'"):
        Corpus.open(corpus, set="x")


def test_labels_are_replaced_and_renamed_but_never_taken_from_under_a_span(corpus: Path) -> None:
    sets = AnnotationSets.open(corpus)
    before = state(sets, "labels")
    sets.rename_label("labels", "kick", "foot")
    assert sets.labels("labels").names == ("wave", "foot")
    assert [span.label for span in sets.annotations("labels")["a"].spans] == ["foot"]
    with pytest.raises(InputError, match="label 'foot' is still used by 1 span; delete or rename them, or merge"):
        sets.set_labels("labels", LabelSet(("wave",)))
    with pytest.raises(InputError, match="label 'foot' cannot name an event, as there is 1 span of it"):
        sets.set_labels("labels", LabelSet(("wave", "foot"), events=("foot",)))
    sets.undo("labels")
    assert state(sets, "labels") == before


def test_history_says_who_did_what_when(corpus: Path) -> None:
    sets = AnnotationSets.open(corpus)
    number = sets.add("labels", "b", Span(1, 2, "wave"), author="Ann")
    sets.delete("labels", number, author="Bea")
    sets.undo("labels", by="Cy")
    changes = sets.history("labels")
    assert [(change.author, change.kind, change.undone) for change in changes] == [
        ("kinespan prepare", "prepare", False),
        ("Ann", "edit", False),
        ("Bea", "edit", True),
        ("Cy", "undo", False),
    ]
    assert changes[1].about == "added 'wave' from 1 to 2 s"
    assert {change.recording for change in changes[1:]} == {"b"}
    assert [change.time for change in changes] == sorted(change.time for change in changes)
    assert sets.history("labels", "a") == ()


def test_undo_of_an_author_leaves_the_changes_of_another(corpus: Path) -> None:
    sets = AnnotationSets.open(corpus)
    number = sets.add("labels", "b", Span(1, 2, "wave"), author="Ann")
    other = sets.add("labels", "c", Span(1, 2, "wave"), author="Bea")
    sets.undo("labels", author="Ann")
    assert sets.items("labels", "b") == {}
    assert list(sets.items("labels", "c")) == [other]
    sets.redo("labels", author="Ann")
    assert list(sets.items("labels", "b")) == [number]
    sets.change("labels", number, Span(1, 2.5, "wave"), author="Bea")
    with pytest.raises(InputError, match="changed again since"):
        sets.undo("labels", author="Ann")
    with pytest.raises(InputError, match="nothing to redo"):
        sets.redo("labels")


STARTS, LENGTHS, NAMES = st.integers(0, 80), st.integers(1, 9), st.sampled_from(FREE.names)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from("abc"), STARTS, LENGTHS, NAMES),
        st.tuples(st.just("change"), st.integers(0, 9), STARTS, LENGTHS),
        st.tuples(st.just("delete"), st.integers(0, 9)),
        st.tuples(st.just("cover"), st.sampled_from("abc"), st.integers(0, 40)),
        st.tuples(st.just("rename"), NAMES, st.text("xyz", min_size=1, max_size=3)),
        st.tuples(st.just("replace"), st.sampled_from("abc"), st.booleans()),
        st.tuples(st.just("undo")),
        st.tuples(st.just("redo")),
    ),
    max_size=10,
)


def act(sets: AnnotationSets, action: tuple[Any, ...]) -> None:
    """Do an action; one that means nothing now is refused."""
    kind, *rest = action
    labels = sets.labels("free")
    items = {number: item for name in "abc" for number, item in sets.items("free", name).items()}
    if kind == "add":
        name, start, length, label = rest
        is_event = label in labels.events
        sets.add("free", name, Event(start / 30, label) if is_event else Span(start / 30, (start + length) / 30, label))
    elif kind in ("change", "delete"):
        number = list(items)[rest[0]] if rest[0] < len(items) else -1
        if kind == "delete":
            sets.delete("free", number)
        else:
            start, length = rest[1:]
            sets.change("free", number, Span(start / 30, (start + length) / 30, labels.spans[0]))
    elif kind == "cover":
        sets.cover("free", rest[0], None if rest[1] == 0 else ((0.0, rest[1] / 30),))
    elif kind == "rename":
        sets.rename_label("free", *rest)
    elif kind == "replace":
        given_annotation = Annotation((Span(0.1, 0.2, labels.spans[0]),), labels)
        sets.replace("free", {rest[0]: None if rest[1] else given_annotation})
    else:
        getattr(sets, kind)("free")


@settings(max_examples=12, deadline=None)
@given(actions=ACTIONS)
def test_undo_gives_every_earlier_state_back_and_redo_the_later_ones(
    actions: list[tuple[Any, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("sets") / "corpus"
    with CorpusWriter(path, "corpus") as writer:
        for name in "abc":
            writer.add(recording(name, 90))
    sets = AnnotationSets.open(path)
    sets.create("free", FREE)
    states = [state(sets, "free")]
    for action in actions:
        version = sets.version("free")
        try:
            act(sets, action)
        except InputError:
            assert state(sets, "free") == states[-1]
            continue
        if sets.version("free") == version:  # changed to what it was
            assert state(sets, "free") == states[-1]
            continue
        if action[0] == "undo":
            assert state(sets, "free") == states[-2]
            states.pop()
        elif action[0] == "redo":
            states.append(state(sets, "free"))
        else:
            states.append(state(sets, "free"))
    num_changes = len(sets.history("free"))
    for expected in states[-2::-1]:
        sets.undo("free")
        assert state(sets, "free") == expected
    with pytest.raises(InputError, match="nothing to undo"):
        sets.undo("free")
    for expected in states[1:]:
        sets.redo("free")
        assert state(sets, "free") == expected
    assert len(sets.history("free")) == num_changes + 2 * (len(states) - 1), "every step is kept as a row"
    check_file(sets.file)


_ADDING = """
import sys
from kinespan.corpus import AnnotationSets
from kinespan.data.annotation import Event
sets = AnnotationSets.open(sys.argv[1])
for step in range(40):
    sets.add("labels", "b", Event(step / 20, "wave"), author=sys.argv[2])
"""


def test_two_processes_change_a_set_at_once_and_a_third_reads_whole_states(corpus: Path) -> None:
    workers = [subprocess.Popen([sys.executable, "-c", _ADDING, str(corpus), name]) for name in ("one", "two")]
    seen = [0]
    while any(worker.poll() is None for worker in workers):
        labelled = Corpus.open(corpus).annotation("b")
        seen.append(0 if labelled is None else len(labelled.events))
    assert [worker.wait() for worker in workers] == [0, 0]
    sets = AnnotationSets.open(corpus)
    assert seen == sorted(seen)
    assert len(sets.items("labels", "b")) == 80
    authors = [change.author for change in sets.history("labels", "b")]
    assert (authors.count("one"), authors.count("two")) == (40, 40)
    check_file(sets.file)


_DYING = """
import os, signal, sys
from kinespan.corpus import AnnotationSets, annotation_sets
from kinespan.data.annotation import Event
sets = AnnotationSets.open(sys.argv[1])
sets.add("labels", "b", Event(1.0, "wave"), author="dying")
keep = annotation_sets.log_change
def die(connection, *rest):
    keep(connection, *rest)
    os.kill(os.getpid(), signal.SIGKILL)
annotation_sets.log_change = die
sets.add("labels", "b", Event(2.0, "wave"), author="dying")
"""


def test_a_process_killed_within_a_transaction_leaves_the_file_as_it_was_before_it(corpus: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _DYING, str(corpus)])
    assert done.returncode == -signal.SIGKILL
    sets = AnnotationSets.open(corpus)
    assert list(sets.items("labels", "b").values()) == [Event(1.0, "wave")]
    assert [change.author for change in sets.history("labels", "b")] == ["dying"]
    sets.add("labels", "b", Event(3.0, "wave"))
    check_file(sets.file)


def test_sets_of_a_folder_that_cannot_be_written_to_are_read(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = AnnotationSets.open(corpus)
    sets.add("labels", "b", Event(1.0, "wave"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    labelled = Corpus.open(corpus).annotation("b")
    assert labelled is not None
    assert labelled.events == (Event(1.0, "wave"),)
    assert not (corpus / (SETS_FILE + "-shm")).exists()


def test_unfinished_journal_in_a_folder_that_cannot_be_written_to_is_read(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = AnnotationSets.open(corpus)
    sets.add("labels", "b", Event(1.0, "wave"))
    with set_file.reading(sets.file):  # who reads keeps the journal from being written back
        sets.add("labels", "b", Event(2.0, "wave"))
        copy = tmp_path / "copy"
        shutil.copytree(corpus, copy)
    assert (copy / (SETS_FILE + "-wal")).stat().st_size
    monkeypatch.setattr(os, "access", lambda *_: False)
    labelled = Corpus.open(copy).annotation("b")
    assert labelled is not None
    assert labelled.events == (Event(1.0, "wave"), Event(2.0, "wave"))


def test_corpus_is_moved_with_its_sets(corpus: Path, tmp_path: Path) -> None:
    AnnotationSets.open(corpus).create("other", FREE, {"c": annotation(Span(0, 1, "kick"))}, author="Bea")
    moved = tmp_path / "moved"
    shutil.move(corpus, moved)
    assert Corpus.open(moved, set="other").annotation("c", set="other") is not None
    assert [info.author for info in AnnotationSets.open(moved).infos] == ["kinespan prepare", "Bea"]


def test_several_sets_have_to_be_chosen_from(corpus: Path) -> None:
    AnnotationSets.open(corpus).create("other", FREE, {"c": annotation(Span(0, 1, "kick"))}, author="Bea")
    opened = Corpus.open(corpus)
    assert opened.set is None
    assert not any(info.annotated for info in opened.infos)
    message = r"choose one with --set NAME: labels \(1 recording, by kinespan prepare\), other \(1 recording, by Bea\)"
    for ask in (lambda: opened.labels, lambda: opened.annotation("a")):
        with pytest.raises(InputError, match=message):
            ask()
    assert opened.annotation("c", set="other") is not None
    assert opened.with_set("other").labels == FREE
    assert np.array_equal(opened["a"].positions, opened.with_set("labels")["a"].positions)
    assert "other (1 recording, by Bea)" in opened._repr_html_()


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "newer"])
def test_damaged_sets_are_told_by_the_name_of_the_file(corpus: Path, damage: str) -> None:
    sets = AnnotationSets.open(corpus)
    sets.add("labels", "b", Event(1.0, "wave"))
    data = sets.file.read_bytes()
    if damage == "newer":
        with set_file.changing(sets.file) as connection:
            connection.execute("UPDATE facts SET value = '9' WHERE name = 'version'")
    else:
        sets.file.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "other": b"hello" * 999}[damage])
    with pytest.raises(InputError, match=SETS_FILE):
        Corpus.open(corpus)


def test_small_corpus_of_other_tests_has_one_set(tmp_path: Path) -> None:
    assert [info.recordings for info in Corpus.open(small_corpus(tmp_path)).sets] == [2]
