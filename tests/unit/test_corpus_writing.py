"""A corpus is written whole or not there, and only over another corpus."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from corpus_cases import LABELS, annotation, recording, same, small_corpus

from kinespan.corpus import Corpus, CorpusWriter, Fold, Split
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.errors import InputError


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return small_corpus(tmp_path)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_writer_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    writer = CorpusWriter(tmp_path / "c", "c")
    with pytest.raises(error), writer:  # noqa: PT012
        writer.add(recording("a"))
        raise error
    assert list(tmp_path.iterdir()) == []


_KILLED = """
import sys, time
from pathlib import Path
from kinespan.corpus import CorpusWriter
sys.path.insert(0, sys.argv[2])
from corpus_cases import recording
with CorpusWriter(Path(sys.argv[1]), "c") as writer:
    writer.add(recording("a", 20000))
    print("writing", flush=True)
    time.sleep(60)
"""


def test_a_killed_writer_leaves_no_corpus_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    path = tmp_path / "c"
    command = [sys.executable, "-c", _KILLED, str(path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        (alive,) = tmp_path.iterdir()
        with CorpusWriter(path, "c") as writer:  # a second writer leaves the one at work alone
            writer.add(recording("b"))
        assert alive.is_dir()
        os.kill(process.pid, signal.SIGKILL)
    assert sorted(tmp_path.iterdir()) == sorted([alive, path])
    with pytest.raises(InputError, match="not a corpus"):
        Corpus.open(alive)
    with CorpusWriter(path, "c", overwrite=True) as writer:
        writer.add(recording("a"))
    assert list(tmp_path.iterdir()) == [path]
    assert Corpus.open(path).names == ("a",)


def test_a_failed_overwrite_keeps_the_old_corpus(small: Path) -> None:
    before = {file.name: file.read_bytes() for file in small.iterdir()}
    with pytest.raises(RuntimeError), CorpusWriter(small, "new", overwrite=True) as writer:  # noqa: PT012
        writer.add(recording("a"))
        raise RuntimeError
    assert {file.name: file.read_bytes() for file in small.iterdir()} == before
    assert list(small.parent.iterdir()) == [small]


def test_a_rename_that_fails_puts_the_old_corpus_back(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def fails(source: Path, target: Path) -> None:
        if ".partial-" in str(source):
            raise OSError("no")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fails)
    with pytest.raises(OSError, match="no"), CorpusWriter(small, "new", overwrite=True) as writer:
        writer.add(recording("a"))
    assert Corpus.open(small).name == "small"
    assert list(small.parent.iterdir()) == [small]


def test_an_open_corpus_survives_being_overwritten(small: Path) -> None:
    corpus = Corpus.open(small)
    take = corpus["a2"]
    with CorpusWriter(small, "new", overwrite=True) as writer:
        writer.add(recording("a"))
    assert same(take, recording("a2", 9, 3, seed=2))
    assert Corpus.open(small).name == "new"


def test_only_corpora_are_overwritten(small: Path) -> None:
    with pytest.raises(InputError, match="small: exists already"), CorpusWriter(small, "c"):
        pass
    thesis = small.parent / "thesis"
    thesis.mkdir()
    (thesis / "index.json").write_text('{"chapters": 9}')
    link = small.parent / "link"
    link.symlink_to(small)
    for path in (thesis, thesis / "index.json", link):
        with pytest.raises(InputError, match="is not a corpus, so it is not overwritten"):
            CorpusWriter(path, "c", overwrite=True).__enter__()
    assert (thesis / "index.json").read_text() == '{"chapters": 9}'


def test_bad_recordings_are_refused_and_leave_no_trace(tmp_path: Path) -> None:
    other = Annotation((), LabelSet(("jump",)))
    with CorpusWriter(tmp_path / "c", "c") as writer:
        writer.add(recording("a"), annotation())
        with pytest.raises(InputError, match="a recording named 'a' already exists"):
            writer.add(recording("a"))
        with pytest.raises(InputError, match=r"labels \(1: jump\), the corpus has \(2: wave, kick\)"):
            writer.add(recording("b"), other)
        with pytest.raises(InputError, match="not finite"):
            writer.add(recording("b"), annotation(covered=((0.0, float("inf")),)))
        with pytest.raises(InputError, match="'a' is annotated already"):
            writer.annotate("a", annotation())
        with pytest.raises(InputError, match="'z' is not in the corpus"):
            writer.annotate("z", annotation())
        writer.add(recording("b"))
        writer.annotate("b", annotation(Span(0, 1, "wave")))
    corpus = Corpus.open(tmp_path / "c")
    corpus.verify()
    assert corpus.names == ("a", "b")
    assert corpus.infos[1].annotated
    assert corpus.labels == LABELS


def test_an_incompletely_written_recording_fails_the_corpus(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="incompletely"), CorpusWriter(tmp_path / "c", "c") as writer:  # noqa: PT012
        writer.add(recording("a"))
        writer._files[0].write(b"1234")  # as a full disk would
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (Split("s", {1: Fold(("a",), ("z",))}), "split 's', fold 1: recording 'z' is not in the corpus"),
        (Split("s", {1: Fold(("a",), ("b",))}, ("jump",)), "unknown label 'jump'"),
    ],
)
def test_splits_with_unknown_recordings_or_labels_are_refused(tmp_path: Path, split: Split, message: str) -> None:
    with pytest.raises(InputError, match=message), CorpusWriter(tmp_path / "c", "c", LABELS) as writer:  # noqa: PT012
        writer.add(recording("a"))
        writer.add(recording("b"))
        writer.add_split(split)
        with pytest.raises(InputError, match="split 's' already exists"):
            writer.add_split(split)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no recording"), CorpusWriter(tmp_path / "deep" / "c", "c"):
        pass
    assert list((tmp_path / "deep").iterdir()) == []
