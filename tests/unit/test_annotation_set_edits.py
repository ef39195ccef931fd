"""Annotation sets under the hands of a page: compound edits, watching, undo by author, labels, colours, whole sets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from corpus_cases import LABELS, annotation, recording
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.cli import main
from kinespan.corpus import AnnotationSets, Corpus, CorpusWriter, set_file
from kinespan.corpus.pack import pack, unpack
from kinespan.corpus.set_edits import ChangedMeanwhileError
from kinespan.corpus.set_file import check_file
from kinespan.data.annotation import Event, LabelSet, Span
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


@pytest.fixture
def sets(corpus: Path) -> AnnotationSets:
    return AnnotationSets.open(corpus)


# ---- compound edits --------------------------------------------------------------------------------------------


def test_neighbours_change_places_in_one_step(sets: AnnotationSets) -> None:
    first = sets.add("labels", "b", Span(0, 1, "wave"))
    second = sets.add("labels", "b", Span(1, 2, "kick"))
    before = sets.items("labels", "b")
    moved = {first: Span(1, 2, "wave"), second: Span(0, 1, "kick")}
    sets.edit("labels", "b", change=[(number, before[number], item) for number, item in moved.items()], about="swapped")
    assert sets.items("labels", "b") == moved
    assert sets.undo("labels").about == "swapped"
    assert sets.items("labels", "b") == before


def test_span_is_carved_out_of_its_neighbour(sets: AnnotationSets) -> None:
    whole = sets.add("labels", "b", Span(0, 3, "wave"))
    numbers = sets.edit(
        "labels",
        "b",
        change=[(whole, Span(0, 3, "wave"), Span(0, 1, "wave"))],
        add=[Span(1, 2, "kick"), Span(2, 3, "wave")],
        watched=[(0.0, 3.0)],
        about="carved",
    )
    assert list(sets.items("labels", "b")) == [whole, *numbers]
    with pytest.raises(InputError, match="exclude each other"):
        sets.edit("labels", "b", add=[Span(0.5, 1.5, "kick")], about="overlap")
    with pytest.raises(InputError, match="exclude each other"):
        sets.edit("labels", "c", add=[Span(0, 2, "kick"), Span(1, 3, "kick")], about="overlap within")
    assert sets.items("labels", "c") == {}
    assert sets.annotation("labels", "c") is None


@pytest.mark.parametrize("now", ["changed", "deleted", "elsewhere"])
def test_item_that_is_not_as_it_was_seen_is_a_conflict_and_nothing_is_done(sets: AnnotationSets, now: str) -> None:
    number = sets.add("labels", "b", Span(0, 1, "wave"), author="Ann")
    recording = "c" if now == "elsewhere" else "b"
    if now == "changed":
        sets.change("labels", number, Span(0, 1.5, "wave"), author="Bea")
    elif now == "deleted":
        sets.delete("labels", number, author="Bea")
    items, version = sets.items("labels", "b"), sets.version("labels")
    for parts in (
        {"delete": [(number, Span(0, 1, "wave"))]},
        {"change": [(number, Span(0, 1, "wave"), Event(1, "kick"))]},
    ):
        with pytest.raises(ChangedMeanwhileError, match="'wave' from 0 to 1 s was"):
            sets.edit("labels", recording, add=[Span(2, 3, "kick")], about="x", **parts)  # type: ignore[arg-type]
    assert sets.items("labels", "b") == items
    assert sets.version("labels") == version


def test_item_cannot_be_changed_twice_at_once_and_an_edit_of_nothing_is_no_change(sets: AnnotationSets) -> None:
    item = Span(0, 1, "wave")
    number = sets.add("labels", "b", item)
    version = sets.version("labels")
    with pytest.raises(InputError, match="changed twice at once"):
        sets.edit("labels", "b", delete=[(number, item)], change=[(number, item, Span(0, 2, "wave"))], about="x")
    assert sets.edit("labels", "b", about="nothing") == ()
    assert sets.edit("labels", "b", change=[(number, item, item)], about="the same") == ()
    assert sets.version("labels") == version


def test_span_brought_back_by_undo_does_not_overlap_what_is_there_by_now(sets: AnnotationSets) -> None:
    number = sets.add("labels", "b", Span(0, 2, "wave"), author="Ann")
    sets.delete("labels", number, author="Ann")
    sets.add("labels", "b", Span(1, 3, "kick"), author="Bea")
    with pytest.raises(ChangedMeanwhileError, match="overlaps"):
        sets.undo("labels", author="Ann", recording="b")
    assert list(sets.items("labels", "b").values()) == [Span(1, 3, "kick")]


def test_item_of_a_label_that_is_gone_does_not_come_back(sets: AnnotationSets) -> None:
    number = sets.add("labels", "b", Event(1, "wave"), author="Ann")
    sets.delete("labels", number, author="Ann")
    sets.set_labels("labels", LabelSet(("kick",)), author="Bea")
    with pytest.raises(ChangedMeanwhileError, match="changed again since"):
        sets.undo("labels", author="Ann", recording="b")
    assert sets.annotations("labels")


def test_undo_follows_labels_that_were_renamed_and_merged_since(sets: AnnotationSets) -> None:
    number = sets.add("labels", "b", Span(0, 1, "wave"), author="Ann")
    sets.change("labels", number, Span(0, 2, "wave"), author="Ann")
    sets.rename_label("labels", "wave", "hello", author="Bea")
    sets.merge_labels("labels", "hello", "kick", author="Bea")
    sets.undo("labels", author="Ann", recording="b")
    assert sets.items("labels", "b") == {number: Span(0, 1, "kick")}
    sets.undo("labels", author="Ann", recording="b")
    assert sets.items("labels", "b") == {}
    sets.redo("labels", author="Ann", recording="b")
    sets.redo("labels", author="Ann", recording="b")
    assert sets.items("labels", "b") == {number: Span(0, 2, "kick")}


# ---- watched time ----------------------------------------------------------------------------------------------


def covered(sets: AnnotationSets, name: str) -> object:
    content = sets.of_recording("labels", name)
    return content.covered if content.annotated else "not annotated"


def test_watching_is_one_row_of_history_and_no_step_of_undo(sets: AnnotationSets) -> None:
    for second in range(20):
        sets.watch("labels", "b", [(second / 10, (second + 1) / 10)], author="Ann")
    (row,) = sets.history("labels", "b")
    assert (row.kind, row.author) == ("watch", "Ann")
    assert covered(sets, "b") == ((0.0, 2.0),)
    assert not sets.of_recording("labels", "b", "Ann").can_undo
    version = sets.version("labels")
    sets.watch("labels", "b", [(0.0, 1.0)], author="Ann")
    assert sets.version("labels") == version
    sets.watch("labels", "b", [(2.0, 2.5)], author="Bea")
    sets.watch("labels", "b", [(2.5, 3.0)], author="Ann")
    assert [change.author for change in sets.history("labels", "b")] == ["Ann", "Bea", "Ann"]
    assert sets.version("labels") > version
    check_file(sets.file)


def test_undo_of_the_first_label_leaves_what_was_watched(sets: AnnotationSets) -> None:
    sets.add("labels", "b", Span(0, 1, "wave"), author="Ann")
    sets.watch("labels", "b", [(0.0, 2.0)], author="Ann")
    sets.undo("labels", author="Ann", recording="b")
    assert covered(sets, "b") == ((0.0, 2.0),)
    sets.redo("labels", author="Ann", recording="b")
    assert covered(sets, "b") == ((0.0, 2.0),)
    sets.add("labels", "c", Span(0, 1, "wave"), author="Ann")
    sets.undo("labels", author="Ann", recording="c")
    assert covered(sets, "c") == "not annotated"


def test_undo_of_the_first_label_leaves_the_label_of_somebody_else(sets: AnnotationSets) -> None:
    sets.add("labels", "b", Span(0, 1, "wave"), author="Ann")
    number = sets.add("labels", "b", Span(1, 2, "wave"), author="Bea")
    sets.undo("labels", author="Ann", recording="b")
    assert sets.items("labels", "b") == {number: Span(1, 2, "wave")}
    assert covered(sets, "b") == ()


def test_marking_as_not_watched_is_undone_beside_watching(sets: AnnotationSets) -> None:
    sets.cover("labels", "b", None)
    sets.edit("labels", "b", unwatched=[(1.0, 2.0)], about="not looked at", author="Ann")
    assert covered(sets, "b") == ((0.0, 1.0), (2.0, 3.0))
    sets.watch("labels", "b", [(1.0, 1.5)], author="Bea")
    sets.undo("labels", author="Ann", recording="b")
    assert covered(sets, "b") is None
    sets.redo("labels", author="Ann", recording="b")
    assert covered(sets, "b") == ((0.0, 1.0), (2.0, 3.0))


def test_sets_that_were_only_watched_count_as_changed_by_hand(corpus: Path, sets: AnnotationSets) -> None:
    sets.watch("labels", "b", [(0.0, 1.0)], author="Ann")
    assert [info.annotated for info in Corpus.open(corpus).infos] == [True, True, False]
    assert sets.summary("labels").watched == {"a": 2.0, "b": 1.0}


# ---- two authors against a model -------------------------------------------------------------------------------

STEP = st.tuples(
    st.sampled_from(["add", "move", "delete", "split", "undo", "redo", "undo", "redo", "watch"]),
    st.sampled_from(["Ann", "Bea"]),
    st.sampled_from("bc"),
    st.integers(0, 7),
    st.integers(0, 20),
)


@dataclass
class Model:
    """What a set should hold: items by number, and stacks of (removed, added) by author and recording."""

    items: dict[int, tuple[str, Span]] = field(default_factory=dict)
    done: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    undone: dict[tuple[str, str], list[Any]] = field(default_factory=dict)

    def change(self, removed: dict[int, Any], added: dict[int, Any]) -> bool:
        """Make a change; False, and none, where what it removes is different, or what it adds is there."""
        if any(self.items.get(number) != item for number, item in removed.items()):
            return False
        rest = {number: item for number, item in self.items.items() if number not in removed}
        if rest.keys() & added.keys():
            return False
        self.items = rest | added
        return True

    def step(self, kind: str, who: tuple[str, str]) -> bool:
        source, target = (self.done, self.undone) if kind == "undo" else (self.undone, self.done)
        if not source.get(who):
            return False
        removed, added = source[who][-1]
        if not self.change(*((added, removed) if kind == "undo" else (removed, added))):
            return False
        target.setdefault(who, []).append(source[who].pop())
        return True


def do(sets: AnnotationSets, model: Model, kind: str, author: str, name: str, index: int, start: int) -> None:
    """Do something to both."""
    here = sorted(number for number, (where, _) in model.items.items() if where == name)
    if kind in ("undo", "redo"):
        expected = model.step(kind, (author, name))
        try:
            getattr(sets, kind)("free", author, name)
        except InputError:
            assert not expected
        else:
            assert expected
        return
    if kind == "watch":
        sets.watch("free", name, [(start / 10, start / 10 + 0.3)], author)
        return
    new = Span(start / 10, start / 10 + 0.5, "wave")
    removed: dict[int, tuple[str, Span]] = {}
    added: dict[int, tuple[str, Span]] = {}
    if kind == "add":
        (number,) = sets.edit("free", name, add=[new], about=kind, author=author)
        added = {number: (name, new)}
    elif not here:
        return
    else:
        number = here[index % len(here)]
        item = model.items[number][1]
        removed = {number: (name, item)}
        middle = (item.start + item.end) / 2
        change = {"move": new, "split": Span(item.start, middle, "wave")}.get(kind)
        if change == item:
            return
        halves = [Span(middle, item.end, "wave")] if kind == "split" else []
        numbers = sets.edit(
            "free",
            name,
            delete=[(number, item)] if change is None else [],
            change=[] if change is None else [(number, item, change)],
            add=halves,
            about=kind,
            author=author,
        )
        added = {} if change is None else {number: (name, change)}
        added |= {new_number: (name, half) for new_number, half in zip(numbers, halves, strict=True)}
    assert model.change(removed, added)
    model.done.setdefault((author, name), []).append((removed, added))
    model.undone[author, name] = []


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(STEP, max_size=25))
def test_two_authors_who_edit_and_undo_get_what_a_simple_model_says(
    steps: list[tuple[str, str, str, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("sets") / "corpus"
    with CorpusWriter(path, "corpus") as writer:
        for name in "bc":
            writer.add(recording(name, 90))
    sets, model = AnnotationSets.open(path), Model()
    sets.create("free", FREE)
    watched: dict[str, set[int]] = {"b": set(), "c": set()}
    for step in steps:
        do(sets, model, *step)
        if step[0] == "watch":
            watched[step[2]] |= set(range(step[4], step[4] + 3))
    for name in "bc":
        assert sets.items("free", name) == {key: item for key, (where, item) in model.items.items() if where == name}
        bounds = sets.of_recording("free", name).covered
        assert bounds is not None
        assert sum(end - start for start, end in bounds) == pytest.approx(len(watched[name]) / 10)
        for author in ("Ann", "Bea"):
            content = AnnotationSets.open(path).of_recording("free", name, author)
            assert content.can_undo == bool(model.done.get((author, name)))
            assert content.can_redo == bool(model.undone.get((author, name)))
    check_file(sets.file)


# ---- at once, and killed ---------------------------------------------------------------------------------------


def test_threads_edit_a_recording_at_once_and_every_conflict_is_told(sets: AnnotationSets) -> None:
    sets.create("free", FREE)
    number = sets.add("free", "b", Event(0, "step"))
    conflicts: list[str] = []

    def move(author: str) -> None:
        for _ in range(10):
            seen = sets.items("free", "b")[number]
            assert isinstance(seen, Event)
            try:
                sets.edit(
                    "free", "b", change=[(number, seen, Event(seen.time + 0.01, "step"))], about="+", author=author
                )
            except ChangedMeanwhileError:
                conflicts.append(author)

    threads = [threading.Thread(target=move, args=(author,)) for author in ("Ann", "Bea")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (item,) = sets.items("free", "b").values()
    assert isinstance(item, Event)
    assert item.time == pytest.approx((20 - len(conflicts)) / 100), "no change was overwritten"


_EDITING = """
import sys
from kinespan.corpus import AnnotationSets
from kinespan.data.annotation import Span
sets = AnnotationSets.open(sys.argv[1])
whole = Span(0.0, 3.0, "wave")
number = sets.add("free", "b", whole, author="dying")
while True:
    middle = (whole.start + whole.end) / 2
    halves = Span(whole.start, middle, "wave"), Span(middle, whole.end, "wave")
    sets.edit("free", "b", change=[(number, whole, halves[0])], add=[halves[1]], watched=[(middle, whole.end)],
              about="split", author="dying")
    print(number, middle, flush=True)
    sets.undo("free", "dying", "b")
"""


def test_process_killed_while_it_edits_loses_nothing_that_was_answered(sets: AnnotationSets, corpus: Path) -> None:
    sets.create("free", FREE)
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", _EDITING, str(corpus)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(15):
            assert process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        answered = 15 + len(process.stdout.read().splitlines())
        assert process.wait() == -signal.SIGKILL
        process.stdout.close()
        content = sets.of_recording("free", "b")
        done = [change for change in sets.history("free", "b") if change.about == "split"]
        assert answered <= len(done) <= answered + 1
        ends = sorted((item.start, item.end) for item in content.items.values() if isinstance(item, Span))
        assert ends in ([(0.0, 3.0)], [(0.0, 1.5), (1.5, 3.0)]), "whole or split, never half a change"
        assert content.covered in ((), ((1.5, 3.0),))
        check_file(sets.file)
        for number in content.items:
            sets.delete("free", number)
        sets.delete_set("free")
        sets.create("free", FREE)


def test_name_of_labels_that_no_person_gave_is_no_author(sets: AnnotationSets) -> None:
    with pytest.raises(InputError, match="choose another name"):
        sets.add("labels", "b", Span(0, 1, "wave"), author="kinespan prepare")


# ---- labels, colours, sets -------------------------------------------------------------------------------------


def test_merged_label_is_gone_and_its_items_have_the_other_one(sets: AnnotationSets) -> None:
    sets.add("labels", "b", Event(1, "wave"))
    before = sets.annotations("labels")
    sets.merge_labels("labels", "wave", "kick", author="Ann")
    assert sets.labels("labels").names == ("kick",)
    assert sets.summary("labels").labels == {"kick": 2}
    sets.undo("labels")
    assert sets.annotations("labels") == before


def test_labels_of_two_kinds_are_not_merged(sets: AnnotationSets) -> None:
    sets.create("free", FREE)
    for old, into in (("step", "wave"), ("wave", "step")):
        with pytest.raises(InputError, match="'wave' names spans and 'step' an event"):
            sets.merge_labels("free", old, into)
    with pytest.raises(InputError, match="unknown label 'x'"):
        sets.merge_labels("free", "x", "wave")


def test_colours_follow_names_and_come_back_with_undo(sets: AnnotationSets) -> None:
    assert sets.colours("labels") == {}
    sets.set_colour("labels", "kick", "#AA00ff")
    sets.rename_label("labels", "kick", "foot")
    assert sets.colours("labels") == {"foot": "#aa00ff"}
    sets.undo("labels")
    assert sets.colours("labels") == {"kick": "#aa00ff"}
    sets.set_colour("labels", "wave", "#000000")
    sets.merge_labels("labels", "kick", "wave")
    assert sets.colours("labels") == {"wave": "#000000"}
    sets.undo("labels")
    assert sets.colours("labels") == {"wave": "#000000", "kick": "#aa00ff"}
    sets.set_colour("labels", "kick", None)
    assert sets.colours("labels") == {"wave": "#000000"}
    for wrong in ("red", "#12345", "#1234567", "#12345g", "#123456;"):
        with pytest.raises(InputError, match="expected red, green and blue"):
            sets.set_colour("labels", "kick", wrong)
    with pytest.raises(InputError, match="unknown label 'x'"):
        sets.set_colour("labels", "x", "#000000")


@pytest.mark.parametrize("anonymous", [False, True])
def test_colours_are_packed_and_carried(sets: AnnotationSets, corpus: Path, tmp_path: Path, anonymous: bool) -> None:
    sets.set_colour("labels", "kick", "#aa00ff")
    pack(corpus, tmp_path / "study.zip", anonymous)
    unpack(tmp_path / "study.zip", tmp_path / "copy")
    assert AnnotationSets.open(tmp_path / "copy").colours("labels") == {"kick": "#aa00ff"}


def test_file_from_somewhere_else_with_a_colour_that_is_none_is_refused(sets: AnnotationSets) -> None:
    sets.set_colour("labels", "kick", "#aa00ff")
    with set_file.changing(sets.file) as connection:
        connection.execute("UPDATE facts SET value = ? WHERE name LIKE 'colours %'", ('{"kick": "red;}"}',))
    with pytest.raises(InputError, match="no colour"):
        check_file(sets.file)


def test_summary_counts_by_recording_and_label(sets: AnnotationSets) -> None:
    prepared = sets.summary("labels")
    assert (prepared.items, prepared.watched, prepared.labels) == ({"a": 1}, {"a": 2.0}, {"kick": 1})
    sets.add("labels", "b", Event(1, "wave"))
    sets.cover("labels", "c", None)
    summary = sets.summary("labels")
    assert summary.items == {"a": 1, "b": 1}
    assert summary.watched == {"a": 2.0, "b": 0.0, "c": 3.0}
    assert summary.labels == {"kick": 1, "wave": 1}
    assert summary.version == sets.version("labels") > prepared.version == 0


def test_numbers_of_items_stay_when_the_file_is_made(sets: AnnotationSets) -> None:
    before = sets.items("labels", "a")
    assert not sets.file.exists()
    sets.add("labels", "b", Event(1, "wave"))
    assert sets.items("labels", "a") == before


def test_sets_are_renamed_and_deleted(sets: AnnotationSets, corpus: Path) -> None:
    sets.create("bea", LABELS, {"b": annotation(Span(0, 1, "kick"))}, colours={"kick": "#112233"})
    sets.rename_set("bea", "second", author="Ann")
    assert [info.name for info in sets.infos] == ["labels", "second"]
    assert [(change.kind, change.about) for change in sets.history("second")][-1] == ("rename", "renamed from 'bea'")
    with pytest.raises(InputError, match="'labels' exists already"):
        sets.rename_set("second", "labels")
    with pytest.raises(InputError, match="unknown annotation set 'bea'"):
        sets.delete_set("bea")
    version = sets.version("second")
    sets.delete_set("second")
    assert [info.name for info in sets.infos] == ["labels"]
    sets.create("second", LABELS)
    assert sets.colours("second") == {}
    assert sets.version("second") > version
    sets.delete_set("labels")
    sets.delete_set("second")
    opened = Corpus.open(corpus)
    assert (opened.sets, opened.labels, opened.annotation("a")) == ((), None, None)
    assert not any(info.annotated for info in opened.infos)
    check_file(sets.file)


def test_command_renames_and_deletes_a_named_set(
    sets: AnnotationSets, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["annotations", str(corpus), "--rename", "first"]) == 2
    assert "--set NAME" in capsys.readouterr().err
    assert main(["annotations", str(corpus), "--set", "labels", "--rename", "first"]) == 0
    assert main(["annotations", str(corpus), "--set", "labels", "--delete"]) == 2
    assert main(["annotations", str(corpus), "--set", "first", "--delete"]) == 0
    assert "set 'first' deleted, with labels of 1 recording and its history" in capsys.readouterr().out
    assert sets.infos == ()
