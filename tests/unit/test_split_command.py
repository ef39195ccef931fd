"""kinespan split: what it adds to a corpus, what it prints, and that it leaves all else as it was."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from corpus_cases import LABELS, recording

from kinespan.cli import main
from kinespan.corpus import Corpus, CorpusWriter, Fold, Split, add_split
from kinespan.data.annotation import Annotation, Span
from kinespan.errors import InputError


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Eight recordings of four people (a0, a1, b0, ...), the last of whom alone kicks; the split `old`."""
    with CorpusWriter(tmp_path / "c", "c", LABELS) as writer:
        for person in "abcd":
            for take in range(2):
                spans = (Span(0.0, 0.1, "wave"), *((Span(0.1, 0.15, "kick"),) if person == "d" else ()))
                writer.add(recording(f"{person}{take}", frames=5), Annotation(spans, LABELS))
        writer.add_split(Split("old", {1: Fold(("a0",), ("b0",))}))
    return tmp_path / "c"


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main(["split", *map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


def test_people_are_on_one_side_and_each_is_tested_once(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, corpus, "--group", "performer", "--folds", 2)
    assert code == 0
    assert "--split by-performer --fold all" in out
    split = Corpus.open(corpus).splits["by-performer"]
    tested = [name for fold in split.folds.values() for name in fold.test]
    assert sorted(tested) == sorted(Corpus.open(corpus).names)
    for fold in split.folds.values():
        assert len(fold.test) == 4
        assert not {name[0] for name in fold.train} & {name[0] for name in fold.test}


def test_frames_other_splits_and_annotations_stay_as_they_were(corpus: Path) -> None:
    files = ("frames.f32", *(file.name for file in corpus.glob("valid.*")))
    before = {name: hashlib.sha256((corpus / name).read_bytes()).digest() for name in files}
    opened = Corpus.open(corpus)
    add_split(corpus, Split("new", {3: Fold(("a0", "a1"), ("d1",))}, ("kick",)))
    after = Corpus.open(corpus)
    assert {name: hashlib.sha256((corpus / name).read_bytes()).digest() for name in files} == before
    assert list(after.splits) == ["old", "new"]
    assert after.splits["old"] == opened.splits["old"]
    assert after.fold("new", 3).drop_labels == ("kick",)
    assert [after.annotation(name) for name in after.names] == [opened.annotation(name) for name in after.names]
    assert after.infos == opened.infos
    assert sorted(corpus.iterdir()) == sorted(corpus / name for name in (*files, "index.json"))


def test_without_a_group_the_person_attribute_is_used(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, corpus)[0] == 0
    assert list(Corpus.open(corpus).splits["by-performer"].folds) == [1, 2, 3, 4]


def test_without_people_each_recording_is_a_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with CorpusWriter(tmp_path / "c", "c") as writer:
        for number in range(5):
            writer.add(recording(f"x{number}"))
    assert run(capsys, tmp_path / "c", "--folds", 5, "--name", "leave-one-out")[0] == 0
    assert [len(fold.test) for fold in Corpus.open(tmp_path / "c").splits["leave-one-out"].folds.values()] == [1] * 5


def test_groups_by_an_expression_on_names(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, corpus, "--group", r"\w(\d)", "--folds", 2)[0] == 0
    folds = Corpus.open(corpus).splits["by-group"].folds.values()
    assert sorted({name[1] for name in fold.test} == {"0"} for fold in folds) == [False, True]


def test_named_groups_are_held_out_in_one_fold(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, corpus, "--group", "performer", "--test", "b", "c", "--name", "held")
    assert code == 0
    split = Corpus.open(corpus).splits["held"]
    assert split.folds == {1: Fold(("a0", "a1", "d0", "d1"), ("b0", "b1", "c0", "c1"))}
    assert "b, c" in out


def test_a_label_that_is_tested_but_never_trained_on_is_told(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, corpus, "--group", "performer", "--test", "d")
    assert "fold 1 tests kick, but trains on no example of it" in out
    _, out, _ = run(capsys, corpus, "--group", "performer", "--test", "a", "--name", "a")
    assert "no example" not in out


def test_seeds_differ_and_one_seed_repeats_itself(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(6):
        assert run(capsys, corpus, "--folds", 2, "--seed", seed, "--name", f"s{seed}")[0] == 0
    assert run(capsys, corpus, "--folds", 2, "--seed", 3, "--name", "again")[0] == 0
    splits = Corpus.open(corpus).splits
    assert splits["again"].folds == splits["s3"].folds
    assert len({frozenset(splits[f"s{seed}"].folds[1].test) for seed in range(6)}) > 1


def test_a_split_is_replaced_only_where_asked_and_that_is_told(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, corpus, "--name", "old")
    assert code == 2
    assert "split 'old' already exists; choose another --name, or replace it with --overwrite" in err
    code, out, _ = run(capsys, corpus, "--name", "old", "--overwrite")
    assert code == 0
    assert "models trained on that 'old' may know its test recordings" in out
    assert len(Corpus.open(corpus).splits["old"].folds) == 4


@pytest.mark.parametrize(
    "words, named",
    [
        ("--group performr", ("did you mean 'performer'?", "performer (4 values: a, b, c, d)", "such as 'a0'")),
        ("--group (", ("neither an attribute nor a regular expression", "performer (4 values")),
        ("--group performer --folds 5", ("5 folds of 4 groups (a, b, c, d)", "--folds from 2 to 4")),
        ("--group performer --folds 1", ("1 fold of 4 groups", "--folds from 2 to 4")),
        ("--group performer --test e", ("no recording has performer 'e'", "a, b, c, d")),
        ("--group performer --test a b c d", ("none is left to train on",)),
        ("--group performer --test a --folds 2", ("--test", "leave --folds out")),
        ("--folds many", ("--folds", "a whole number")),
        ("--group ^[a-d] --folds 9", ("--folds from 2 to 4",)),
    ],
)
def test_mistakes_are_one_line_and_leave_the_corpus_alone(
    corpus: Path, capsys: pytest.CaptureFixture[str], words: str, named: tuple[str, ...]
) -> None:
    index = (corpus / "index.json").read_bytes()
    code, out, err = run(capsys, corpus, *words.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    for text in named:
        assert text in err
    assert (corpus / "index.json").read_bytes() == index


def test_a_split_of_unknown_recordings_or_labels_is_refused(corpus: Path) -> None:
    with pytest.raises(InputError, match="recording 'z' is not in the corpus"):
        add_split(corpus, Split("new", {1: Fold(("a0",), ("z",))}))
    with pytest.raises(InputError, match="unknown label 'fly'"):
        add_split(corpus, Split("new", {1: Fold(("a0",), ("b0",))}, ("fly",)))
    assert list(Corpus.open(corpus).splits) == ["old"]
    with pytest.raises(InputError, match="not a corpus"):
        add_split(corpus.parent, Split("new", {1: Fold(("a0",), ("b0",))}))


def test_an_interrupted_write_keeps_the_old_index(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (corpus / "index.json").read_bytes()

    def stops(path: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", stops)
    with pytest.raises(KeyboardInterrupt):
        add_split(corpus, Split("new", {1: Fold(("a0",), ("b0",))}))
    assert (corpus / "index.json").read_bytes() == before
    assert not list(corpus.glob(".index*"))
