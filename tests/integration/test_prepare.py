"""From folders of files to corpora: whole, named, in order, and nothing after a failure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinespan import io
from kinespan.corpus import Corpus
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.prepare.own_files import names_of
from kinespan.prepare.prepare import prepare, prepare_synthetic
from kinespan.prepare.synthetic.takes import ACTIONS, SyntheticConfig, synthetic_takes


def save(file: Path, frames: int = 60, annotation: Annotation | None = None, **attributes: str) -> Recording:
    """A small motion file with random motion that depends on its name alone."""
    seed = sum(file.name.encode())
    positions = np.random.default_rng(seed).normal(size=(frames, 1, 25, 3)).astype(np.float32)
    take = Recording(positions, 30.0, NTU_25, file.stem, source=file.name, attributes=attributes)
    file.parent.mkdir(parents=True, exist_ok=True)
    io.save_npz(take, file, annotation)
    return take


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four good files of two actors, one of them cut, and a readme."""
    source = tmp_path / "in"
    for i, actor in enumerate(("x", "x", "y", "y")):
        label = ("wave", "kick")[i % 2]
        save(source / actor / f"take{i}.npz", 60 + i, Annotation((Span(0, 1, label),), LabelSet((label,))), actor=actor)
    (source / "readme.txt").write_text("hello")
    cut = source / "y" / "take9.npz"
    save(cut)
    cut.write_bytes(cut.read_bytes()[:-500])
    return source


def left_beside(out: Path, source: Path) -> list[Path]:
    return [path for path in out.parent.iterdir() if path not in (out, source)]


def test_a_folder_becomes_a_corpus(folder: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    summary = prepare(folder, tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    corpus = Corpus.open(tmp_path / "out")
    corpus.verify()
    assert corpus.name == "out"
    assert corpus.names == ("take0", "take1", "take2", "take3")
    assert [info.source for info in corpus.infos] == [f"{a}/take{i}.npz" for i, a in enumerate("xxyy")]
    assert corpus.labels == LabelSet(("wave", "kick"))
    for i, actor in enumerate("xxyy"):
        take = io.read(folder / actor / f"take{i}.npz")
        np.testing.assert_array_equal(corpus[i].positions, take.recording.positions)
        assert corpus[i].attributes == {"actor": actor}
        assert corpus.annotation(i) == Annotation((Span(0, 1, ("wave", "kick")[i % 2]),), LabelSet(("wave", "kick")))
    assert {fold.test for fold in corpus.splits["by-group"].folds.values()} == {("take0", "take1"), ("take2", "take3")}
    assert (summary.recordings, summary.annotated, summary.frames, summary.people) == (4, 4, 246, 1)
    assert summary.seconds == pytest.approx(246 / 30)
    assert summary.label_spans == {"wave": 2, "kick": 2}
    assert summary.label_seconds == {"wave": 2.0, "kick": 2.0}
    broken = folder / "y" / "take9.npz"
    assert broken in {*summary.skipped, *(file for file, _ in summary.refused)}
    assert folder / "readme.txt" in summary.skipped
    text = str(summary)
    assert "4 recordings" in text
    assert "take9.npz" in text
    assert "by-group (folds: 2)" in text
    if summary.refused:
        assert seen[-1] == (5, 5)
    assert left_beside(tmp_path / "out", folder) == []


def test_any_number_of_workers_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    (folder / "y" / "take9.npz").unlink()
    prepare(folder, tmp_path / "one", name="c", workers=1)
    prepare(folder, tmp_path / "two", name="c", workers=2)
    for file in ("index.json", "frames.f32", "valid.bits"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_files_with_one_stem_are_named_by_their_folders(tmp_path: Path) -> None:
    source = tmp_path / "in"
    for path in ("a/walk.npz", "b/walk.npz", "run.npz"):
        save(source / path)
    prepare(source, tmp_path / "out")
    assert Corpus.open(tmp_path / "out").names == ("a/walk", "b/walk", "run")
    prepare(source / "run.npz", tmp_path / "single")
    assert Corpus.open(tmp_path / "single").names == ("run",)


def test_files_that_differ_only_in_suffix_are_named_with_it() -> None:
    files = [Path("/s/a.bvh"), Path("/s/a.npz"), Path("/s/deep/b.npz")]
    assert names_of(files, Path("/s")) == ["a.bvh", "a.npz", "b"]
    assert names_of(files[:1], files[0]) == ["a"]


def test_annotations_from_a_file_replace_those_of_the_motion_files(folder: Path, tmp_path: Path) -> None:
    labels = folder / "labels.csv"
    labels.write_text("recording,label,start,end\ntake0,jump,0.5,1\ntake2,hop,0,9\n")
    summary = prepare(folder, tmp_path / "out", annotations=labels)
    corpus = Corpus.open(tmp_path / "out")
    assert corpus.labels == LabelSet(("hop", "jump"))
    assert [info.annotated for info in corpus.infos] == [True, False, True, False]
    assert corpus.annotation("take2") == Annotation((Span(0, 62 / 30, "hop"),), LabelSet(("hop", "jump")))
    assert any(line.startswith("cut to the recording: 1 label (line 3 ('hop' 0 to 9)") for line in summary.decisions)
    assert labels not in summary.skipped


def test_annotations_in_activitynet_json(folder: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.json"
    labels.write_text('{"database": {"take3": {"annotations": [{"label": "jump", "segment": [0, 1]}]}}}')
    prepare(folder, tmp_path / "out", annotations=labels)
    assert Corpus.open(tmp_path / "out").annotation("take3") == Annotation((Span(0, 1, "jump"),), LabelSet(("jump",)))


def test_annotations_of_unknown_recordings_are_an_error(folder: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("recording,label,start,end\ntake_0,jump,0.5,1\n")
    with pytest.raises(InputError, match=r"annotates 'take_0' \(did you mean 'take0'\?\)"):
        prepare(folder, tmp_path / "out", annotations=labels)
    assert left_beside(tmp_path / "out", folder) == [labels]


def test_a_folder_without_readable_files_is_refused_with_reasons(tmp_path: Path) -> None:
    source = tmp_path / "in"
    save(source / "a.npz", 5)
    options = io.ReadOptions(skip_frames=9)
    with pytest.raises(InputError, match=r"none of 1 files can be used: .*a\.npz: --skip-frames is 9"):
        prepare(source, tmp_path / "out", options=options)
    assert left_beside(tmp_path / "out", source) == []
    with pytest.raises(InputError, match="no such file or folder"):
        prepare(tmp_path / "nowhere", tmp_path / "out")


def test_a_failing_reader_loses_one_file_only(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = io.read

    def fails(path: Path, *rest: object, **options: object) -> io.Take:
        if path.name == "take1.npz":
            raise KeyError("joints")
        return read(path, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(io, "read", fails)
    summary = prepare(folder, tmp_path / "out")
    assert "its reader failed (KeyError: 'joints')" in dict(summary.refused)[folder / "x" / "take1.npz"]
    assert summary.recordings == 3


def test_an_existing_corpus_is_overwritten_only_on_request(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare(folder, out, name="old")
    with pytest.raises(InputError, match="exists already"):
        prepare(folder, out)
    assert Corpus.open(out).name == "old"
    prepare(folder, out, name="new", overwrite=True)
    assert Corpus.open(out).name == "new"


def test_prepare_writes_the_built_in_corpus(tmp_path: Path) -> None:
    config = SyntheticConfig(recordings=12, seconds=(5.0, 6.0))
    summary = prepare_synthetic(tmp_path / "out", config)
    corpus = Corpus.open(tmp_path / "out")
    assert corpus.labels == ACTIONS
    assert summary.recordings == summary.annotated == len(corpus) == 12
    for take, (recording, annotation) in zip(corpus, synthetic_takes(config), strict=True):
        assert take.checksum() == recording.checksum()
        assert corpus.annotation(take.name) == annotation
    split = corpus.splits["by-performer"]
    assert list(split.folds) == [1, 2, 3, 4]
    assert sorted(name for fold in split.folds.values() for name in fold.test) == sorted(corpus.names)


@pytest.mark.real_motion
def test_prepare_reads_precog(real_motion: Path, tmp_path: Path) -> None:
    summary = prepare(real_motion / "precog" / "csv", tmp_path / "precog", options=io.ReadOptions(min_label_frames=5))
    corpus = Corpus.open(tmp_path / "precog")
    corpus.verify()
    assert len(corpus) == summary.recordings == summary.annotated == 70
    assert summary.frames == 18_784
    assert sorted(file.name for file, _ in summary.refused) == ["Seq2_10.csv", "Seq4_10.csv"]
    assert all("zeros" in reason for _, reason in summary.refused)
    assert corpus.labels is not None
    assert corpus.labels.names[7] == "ElbowStrike"
    usable = {f"Seq{s}_{p}" for s in range(1, 7) for p in range(1, 13)} - {"Seq2_10", "Seq4_10"}
    assert set(corpus.names) == usable
    assert list(corpus.splits) == ["cross-performer", "cross-script"]
    for k in (1, 2, 3, 4):
        fold = corpus.fold("cross-performer", k)
        expected = {f"Seq{s}_{p}" for s in range(1, 7) for p in (k, k + 4, k + 8)} & usable
        assert set(fold.test) == expected
        assert set(fold.train) == usable - expected
    fold = corpus.fold("cross-script", 1)
    assert set(fold.test) == {name for name in usable if name[3] in "46"}
    assert set(fold.train) == {name for name in usable if name[3] in "1235"}
    assert fold.drop_labels == ("ElbowStrike",)
    trained = {span.label for name in fold.train for span in corpus.annotation(name, fold.drop_labels).spans}
    tested = {span.label for name in fold.test for span in corpus.annotation(name, fold.drop_labels).spans}
    assert tested <= trained == set(corpus.labels.names) - {"ElbowStrike"}
