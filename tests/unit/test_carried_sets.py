"""Annotation sets outlive their corpus: prepared again, added to, packed and unpacked, they are never lost."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from corpus_cases import recording, same
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan import io
from kinespan.cli import main
from kinespan.corpus import AnnotationSets, Corpus, CorpusWriter
from kinespan.corpus.pack import pack, unpack
from kinespan.corpus.set_file import SETS_FILE, check_file
from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError

LABELS = LabelSet(("wave", "kick"))
TempFactory = pytest.TempPathFactory
CSV = "recording,label,start,end\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the motion files a, b, of 3 s, and a label of a."""
    monkeypatch.chdir(tmp_path)
    Path("motion").mkdir()
    for seed, name in enumerate("ab"):
        write_motion(name, seed)
    Path("labels.csv").write_text(CSV + "a,kick,0.5,1\n")
    return tmp_path


def write_motion(name: str, seed: int, frames: int = 90) -> None:
    io.save_npz(recording(name, frames, skeleton=NTU_25, seed=seed), Path("motion") / f"{name}.npz")


def run(*words: str) -> int:
    return main(["prepare", "motion", "--out", "corpus", *words])


def annotations(name: str = "labels") -> dict[str, Annotation]:
    return AnnotationSets.open("corpus").annotations(name)


# ---- prepared again --------------------------------------------------------------------------------------------


def test_sets_are_carried_over_when_motion_is_prepared_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--annotations", "labels.csv") == 0
    sets = AnnotationSets.open("corpus")
    sets.create("anna", LABELS, author="Anna")
    number = sets.add("anna", "b", Span(1, 2, "wave"), author="Anna")
    write_motion("c", 7)
    assert run("--annotations", "labels.csv", "--overwrite") == 0
    assert "annotation sets carried over from the corpus before: labels (1 recording" in capsys.readouterr().out
    assert Corpus.open("corpus", "anna").names == ("a", "b", "c")
    assert AnnotationSets.open("corpus").items("anna", "b") == {number: Span(1, 2, "wave")}
    assert [info.author for info in AnnotationSets.open("corpus").infos] == ["kinespan prepare", "Anna"]
    sets.undo("anna")
    assert sets.items("anna", "b") == {}, "history is carried over too"
    sets.add("anna", "c", Span(1, 2, "wave"))  # sets that were open before see the new corpus


def test_set_that_somebody_only_watched_stays_when_motion_is_prepared_again(folder: Path) -> None:
    assert run("--annotations", "labels.csv") == 0
    AnnotationSets.open("corpus").watch("labels", "b", [(0.0, 2.0)], author="Anna")
    Path("labels.csv").write_text(CSV + "a,kick,0.5,2\n")
    assert run("--annotations", "labels.csv", "--overwrite") == 0
    assert annotations()["b"].covered == ((0.0, 2.0),)
    assert annotations("labels-2")["a"].spans == (Span(0.5, 2.0, "kick"),)


def test_prepare_refuses_where_a_labelled_recording_would_vanish(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    AnnotationSets.open("corpus").create("anna", LABELS, {"b": Annotation((Span(1, 2, "wave"),), LABELS)})
    Path("motion/b.npz").unlink()
    before = {file.name: file.read_bytes() for file in Path("corpus").iterdir()}
    assert run("--overwrite") == 2
    assert "1 recording with labels in set 'anna' would vanish ('b')" in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in Path("corpus").iterdir()} == before


def test_prepare_refuses_motion_that_is_too_short_for_labels(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    AnnotationSets.open("corpus").create("anna", LABELS, {"b": Annotation((Span(1, 2, "wave"),), LABELS)})
    write_motion("b", 1, 30)
    assert run("--overwrite") == 2
    assert "recording 'b': 'wave' at 2 s is outside of its 1 s of motion" in capsys.readouterr().err


def test_prepared_labels_are_kept_where_no_others_are_given(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--annotations", "labels.csv") == 0
    labels = annotations()
    assert run("--overwrite") == 0
    assert annotations() == labels
    Path("motion/a.npz").unlink()
    assert run("--overwrite") == 2
    assert "would vanish ('a')" in capsys.readouterr().err


def test_new_labels_of_a_file_replace_those_before_but_never_labels_by_hand(folder: Path) -> None:
    assert run("--annotations", "labels.csv") == 0
    sets = AnnotationSets.open("corpus")
    sets.create("anna", LABELS)  # so that there is a file of sets
    Path("labels.csv").write_text(CSV + "a,kick,0.5,1.5\nb,jump,1,2\n")
    assert run("--annotations", "labels.csv", "--overwrite") == 0
    assert sets.labels("labels").names == ("jump", "kick")
    assert annotations()["a"].spans == (Span(0.5, 1.5, "kick"),)
    sets.add("labels", "a", Span(2, 2.5, "kick"), author="Anna")
    by_hand = annotations()
    assert run("--annotations", "labels.csv", "--overwrite") == 0
    assert [info.name for info in sets.infos] == ["labels", "anna"]
    assert annotations() == by_hand
    Path("labels.csv").write_text(CSV + "b,jump,1,2\n")
    assert run("--annotations", "labels.csv", "--overwrite") == 0
    assert annotations() == by_hand
    assert annotations("labels-2")["b"].spans == (Span(1, 2, "jump"),)


_CHANGING = """
import sys
from kinespan.corpus import AnnotationSets
from kinespan.data.annotation import Event
sets = AnnotationSets.open("corpus")
for step in range(60):
    sets.add("anna", "a", Event(step / 30, "wave"), author="Anna")
print("done")
"""


def test_no_change_is_lost_that_is_made_while_a_corpus_is_replaced(folder: Path) -> None:
    assert run() == 0
    AnnotationSets.open("corpus").create("anna", LABELS)
    changing = subprocess.Popen([sys.executable, "-c", _CHANGING], stdout=subprocess.PIPE, text=True)
    motion = list(Corpus.open("corpus"))
    rounds = 0
    while changing.poll() is None or rounds < 3:
        with CorpusWriter("corpus", f"round {rounds}", overwrite=True) as writer:
            for take in motion:
                writer.add(take)
        rounds += 1
    assert changing.communicate()[0] == "done\n"
    assert len(AnnotationSets.open("corpus").items("anna", "a")) == 60
    check_file(Path("corpus") / SETS_FILE)


# ---- added to --------------------------------------------------------------------------------------------------


def test_recordings_and_labels_are_added(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--annotations", "labels.csv", "--folds", "2") == 0
    before = Corpus.open("corpus")
    takes = list(before)
    write_motion("c", 7)
    Path("more.csv").write_text(CSV + "c,jump,1,2\nb,wave,1,2\na,wave,2,3\n")
    capsys.readouterr()
    assert run("--add", "--annotations", "more.csv") == 0
    out = capsys.readouterr().out
    assert "in the corpus already, not read again: 2 recordings ('a', 'b')" in out
    assert "labels left as they are: 1 recording ('a')" in out
    assert "added to corpus: 1 recording, labels of 2 recordings; it has 3 recordings now" in out
    after = Corpus.open("corpus")
    assert after.names == ("a", "b", "c")
    assert all(same(take, after[take.name]) for take in takes)
    assert after.splits == before.splits
    assert after.annotation("a").spans == (Span(0.5, 1.0, "kick"),)  # type: ignore[union-attr]
    assert after.annotation("b").spans == (Span(1.0, 2.0, "wave"),)  # type: ignore[union-attr]
    assert after.annotation("c").spans == (Span(1.0, 2.0, "jump"),)  # type: ignore[union-attr]
    assert set(after.labels.names) == {"kick", "wave", "jump"}  # type: ignore[union-attr]
    assert sorted(file.name for file in folder.iterdir()) == ["corpus", "labels.csv", "more.csv", "motion"]


def test_added_labels_go_to_the_set_that_is_named_and_no_label_by_hand_is_changed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--annotations", "labels.csv") == 0
    sets = AnnotationSets.open("corpus")
    sets.create("anna", LABELS)
    sets.add("anna", "a", Span(1, 2, "wave"), author="Anna")
    sets.replace("labels", {"a": None}, author="Anna")
    write_motion("c", 7)
    Path("more.csv").write_text(CSV + "c,jump,1,2\na,wave,2,3\n")
    assert run("--add", "--annotations", "more.csv") == 2
    assert "choose one with --set NAME" in capsys.readouterr().err
    assert run("--add", "--annotations", "more.csv", "--set", "anna") == 0
    assert annotations("anna")["a"].spans == (Span(1, 2, "wave"),)
    assert annotations("anna")["c"].spans == (Span(1, 2, "jump"),)
    assert annotations("labels") == {}
    sets.undo("anna")
    assert list(annotations("anna")) == ["a"]


def test_nothing_to_add_and_what_makes_a_new_corpus_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    for words, message in (
        (("--add",), "nothing to add, the corpus has all of its 2 recordings already"),
        (("--add", "--overwrite"), "--overwrite: it makes a new corpus"),
        (("--set", "anna"), "it is for --add"),
        (("--add", "--folds", "3"), "a corpus keeps its splits"),
    ):
        assert run(*words) == 2
        assert message in capsys.readouterr().err


# ---- packed ----------------------------------------------------------------------------------------------------


@pytest.fixture
def packed(folder: Path) -> Path:
    assert run("--annotations", "labels.csv", "--folds", "2") == 0
    sets = AnnotationSets.open("corpus")
    sets.create("anna", LABELS, author="Anna Smith")
    sets.add("anna", "b", Span(1, 2, "wave"), author="Anna Smith")
    pack("corpus", "corpus.zip")
    return Path("corpus.zip")


def test_a_packed_corpus_is_unpacked_as_it_was(packed: Path) -> None:
    copy = unpack(packed, "copy")
    corpus = Corpus.open("corpus")
    assert all(same(left, right) for left, right in zip(corpus, copy, strict=True))
    assert (copy.sets, copy.splits, copy.infos, copy.decisions) == (
        corpus.sets, corpus.splits, corpus.infos, corpus.decisions
    )  # fmt: skip
    for name in ("labels", "anna"):
        assert AnnotationSets.open("copy").annotations(name) == annotations(name)
        assert AnnotationSets.open("copy").history(name) == AnnotationSets.open("corpus").history(name)
    AnnotationSets.open("copy").undo("anna")
    assert AnnotationSets.open("copy").annotations("anna") == {}


def test_an_anonymous_file_holds_no_name(packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with CorpusWriter("named", "Smith study", LABELS) as writer:
        for number, name in enumerate(("smith_1", "smith_2", "jones_1")):
            take = recording(name, 90, seed=number)
            writer.add(take, Annotation((Span(1, 2, "wave"),), LABELS) if number else None)
        writer.decide("read of smith_1")
    AnnotationSets.open("named").create("anna smith", LABELS, {"smith_1": Annotation((), LABELS)}, author="Anna Smith")
    assert main(["pack", "named", "anonymous.zip", "--anonymous"]) == 0
    assert "cannot hide the motion itself" in capsys.readouterr().out
    with zipfile.ZipFile("anonymous.zip") as archive:
        content = b"".join(archive.read(name).lower() for name in archive.namelist())
    assert not [name for name in (b"smith", b"jones", b".csv", b"anna") if name in content]
    copy = unpack("anonymous.zip", "anonymous")
    assert copy.names == ("recording-1", "recording-2", "recording-3")
    assert [info.attributes for info in copy.infos] == [
        {"performer": "performer-1"}, {"performer": "performer-1"}, {"performer": "performer-2"}
    ]  # fmt: skip
    assert [(info.name, info.recordings) for info in copy.sets] == [("labels", 2), ("set-2", 1)]
    original = Corpus.open("named")
    assert all(np.array_equal(left.positions, right.positions) for left, right in zip(original, copy, strict=True))


def test_pack_and_unpack_never_overwrite(packed: Path) -> None:
    with pytest.raises(InputError, match="exists already"):
        pack("corpus", packed)
    with pytest.raises(InputError, match="exists already"):
        unpack(packed, "corpus")
    with pytest.raises(InputError, match="no such file"):
        unpack("nothing.zip", "copy")


def rewritten(packed: Path, change: str) -> None:
    """hostile.zip, the packed file with a change."""
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile("hostile.zip", "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            data = source.read(name)
            if change == "long" and name == "frames.f32":
                data += bytes(4000)
            if change == "bomb" and name == "valid.bits":
                data = bytes(100_000_000)
            if change == "changed" and name == "frames.f32":
                data = data[:-4] + b"abcd"
            if change == "sets" and name == SETS_FILE:
                data = data[: len(data) // 2]
            if change == "index" and name == "index.json":
                data = data.replace(b'"a"', b'"z"')
            if not (change == "missing" and name == "valid.bits"):
                target.writestr(name, data)
        for kind, name in (("up", "../evil.txt"), ("absolute", "/tmp/evil.txt"), ("other", "evil.py")):
            if change == kind:
                target.writestr(name, "evil")
        if change == "twice":
            target.writestr("./index.json", "evil")


@pytest.mark.parametrize(
    "change", ["long", "bomb", "changed", "sets", "index", "missing", "up", "absolute", "other", "twice"]
)
def test_hostile_archives_are_refused_and_leave_nothing(packed: Path, change: str, folder: Path) -> None:
    rewritten(packed, change)
    before = sorted(folder.rglob("*"))
    with pytest.raises(InputError):
        unpack("hostile.zip", "copy")
    assert sorted(folder.rglob("*")) == before


def test_a_set_file_with_other_tables_is_refused(packed: Path) -> None:
    import sqlite3

    with sqlite3.connect(Path("corpus") / SETS_FILE) as connection:
        connection.execute("CREATE TRIGGER evil AFTER INSERT ON items BEGIN DELETE FROM items; END")
    connection.close()
    pack("corpus", "evil.zip")
    with pytest.raises(InputError, match="other tables"):
        unpack("evil.zip", "copy")


@pytest.mark.parametrize("length", [0, 10, 100, 0.5, 0.99])
def test_a_cut_archive_is_told(packed: Path, length: float) -> None:
    data = packed.read_bytes()
    Path("cut.zip").write_bytes(data[: int(length if length > 1 else length * len(data))])
    with pytest.raises(InputError, match=r"cut\.zip: not a whole file"):
        unpack("cut.zip", "copy")


FLIPS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=8)


def flipped(data: bytes, flips: list[tuple[float, int]]) -> bytes:
    changed = bytearray(data)
    for where, mask in flips:
        changed[int(where * len(data))] ^= mask
    return bytes(changed)


def made(folder: Path) -> Path:
    """A small corpus with two sets."""
    with CorpusWriter(folder / "corpus", "corpus") as writer:
        writer.add(recording("a", 4), Annotation((Span(0, 0.1, "wave"),), LABELS))
    AnnotationSets.open(folder / "corpus").create("anna", LABELS, {"a": Annotation((), LABELS)})
    return folder / "corpus"


@settings(max_examples=15, deadline=None)
@given(flips=FLIPS)
def test_a_changed_archive_is_told_or_harmless(flips: list[tuple[float, int]], tmp_path_factory: TempFactory) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    pack(made(folder), folder / "packed.zip")
    (folder / "flipped.zip").write_bytes(flipped((folder / "packed.zip").read_bytes(), flips))
    try:
        assert len(unpack(folder / "flipped.zip", folder / "copy")) == 1
    except InputError:
        assert not (folder / "copy").exists()


@settings(max_examples=20, deadline=None)
@given(flips=FLIPS)
def test_a_changed_file_of_sets_is_told_or_read(flips: list[tuple[float, int]], tmp_path_factory: TempFactory) -> None:
    corpus = made(tmp_path_factory.mktemp("fuzz"))
    (corpus / SETS_FILE).write_bytes(flipped((corpus / SETS_FILE).read_bytes(), flips))
    for name in ("labels", "anna"):
        with suppress(InputError):
            Corpus.open(corpus, set=name).annotation("a")
    with suppress(InputError):
        check_file(corpus / SETS_FILE)


# ---- the command -----------------------------------------------------------------------------------------------


def test_sets_are_read_written_compared_and_undone_by_the_command(
    packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def annotate(*words: str) -> str:
        capsys.readouterr()
        assert main(["annotations", "corpus", *words]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    Path("bea.csv").write_text(CSV + "a,kick,0.5,1.1\nb,wave,1,2\n")
    assert "set 'bea': labels of 2 recordings read" in annotate("--read", "bea.csv", "--author", "Bea")
    listing = annotate()
    assert [line.split()[:5] for line in listing.splitlines()[2:]] == [
        ["labels", "1", "1", "1", "0"], ["anna", "1", "2", "1", "0"], ["bea", "2", "2", "2", "0"]
    ]  # fmt: skip
    annotate("--write", "out.csv", "--set", "bea")
    annotate("--read", "out.csv", "--set", "again")
    assert annotations("again") == annotations("bea")
    out = annotate("--compare", "labels", "bea", "--out", "differences.csv")
    assert "segments: F1@50 100.0 %" in out
    assert Path("differences.csv").read_text() == "recording,start,end,labels,bea,person\na,1,1.1,,kick,\n"
    assert "undone: read" not in annotate("--history", "--set", "bea")
    assert main(["annotations", "corpus", "--read", "bea.csv"]) == 2
    assert "has labels of 2 recordings already ('a', 'b')" in capsys.readouterr().err
    Path("bea.csv").write_text(CSV + "a,kick,0.5,1.5\n")
    before = annotations("bea")
    annotate("--read", "bea.csv", "--overwrite")
    assert annotations("bea")["a"].spans == (Span(0.5, 1.5, "kick"),)
    assert annotate("--undo", "--set", "bea").startswith("undone: a: read from bea.csv")
    assert annotations("bea") == before
    assert annotate("--redo", "--set", "bea").startswith("done again")
    assert main(["annotations", "corpus", "--write", "x.csv"]) == 2
    assert "choose one with --set NAME: labels" in capsys.readouterr().err


def test_a_set_is_written_as_a_file_for_each_recording(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--annotations", "labels.csv") == 0
    sets = AnnotationSets.open("corpus")
    sets.add("labels", "b", Span(1.0, 1.5005, "kick"), "Anna")
    assert main(["annotations", "corpus", "--write", "all.eaf"]) == 2
    assert "write a file for each, into a folder" in capsys.readouterr().err
    assert main(["annotations", "corpus", "--write", "elan", "--to", "elan"]) == 0
    assert "not in the file: b.eaf: rounded to whole milliseconds" in capsys.readouterr().out
    assert sorted(file.name for file in Path("elan").iterdir()) == ["a.eaf", "b.eaf"]
    assert main(["annotations", "corpus", "--write", "elan", "--to", "elan"]) == 2


def test_events_are_kept_by_a_written_and_read_set(packed: Path) -> None:
    labels = LabelSet(("step", "wave"), exclusive=False, events=("step",))
    given = {"a": Annotation((Span(0, 1, "wave"),), labels, None, (Event(0.5, "step"),))}
    AnnotationSets.open("corpus").create("events", labels, given)
    assert main(["annotations", "corpus", "--write", "events.json", "--set", "events"]) == 0
    assert main(["annotations", "corpus", "--read", "events.json", "--set", "back"]) == 0
    assert annotations("back")["a"].events == given["a"].events
    assert annotations("back")["a"].spans == given["a"].spans
