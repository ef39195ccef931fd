"""A corpus gives back what was written, costs what is read, and names what is damaged."""

from __future__ import annotations

import json
import os
import pickle
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corpus_cases import LABELS, STICK, annotation, recording, same, small_corpus
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.corpus import Corpus, CorpusWriter, Fold
from kinespan.corpus import index as index_module
from kinespan.corpus.store import motion_checksum
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return small_corpus(tmp_path)


_SPANS = st.lists(
    st.builds(
        lambda start, length, label, score, person: Span(start, start + length, label, score, person),
        st.floats(0, 50),
        st.floats(0.01, 9),
        st.sampled_from(LABELS.names),
        st.none() | st.floats(0, 1),
        st.none() | st.integers(0, 3),
    ),
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_written_corpora_are_read_back(data: st.DataObject) -> None:
    takes = []
    for name in data.draw(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=5, unique=True)):
        take = recording(
            name,
            data.draw(st.integers(1, 6)),
            data.draw(st.integers(1, 3)),
            data.draw(st.sampled_from((STICK, NTU_25))),
            data.draw(st.integers(0, 99)),
        )
        take = replace(take, fps=data.draw(st.floats(1, 500)), attributes=data.draw(_ATTRIBUTES))
        spans = data.draw(st.none() | _SPANS)
        if spans is not None:  # of people whom the recording has
            spans = annotation(*(replace(s, person=s.person and s.person % take.num_people) for s in spans))
        takes.append((take, spans))
    with tempfile.TemporaryDirectory() as folder:
        with CorpusWriter(Path(folder) / "c", "c", LABELS) as writer:
            for take, spans in takes:
                writer.add(take, spans)
        corpus = Corpus.open(Path(folder) / "c")
        assert corpus.names == tuple(take.name for take, _ in takes)
        for place, (take, spans) in enumerate(takes):
            assert same(corpus[place], take)
            assert corpus.annotation(take.name) == spans
            info = corpus.infos[place]
            assert info.checksum == take.checksum()
            assert (info.duration, info.annotated) == (take.duration, spans is not None)
        corpus.verify()


_ATTRIBUTES = st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2)


def test_recordings_and_clips_are_read_only_views(small: Path) -> None:
    corpus = Corpus.open(small)
    for name in corpus.names:
        take = corpus[name]
        assert np.shares_memory(take.positions, corpus._frames)
        positions, valid = corpus.clip(name, 1, 3)
        assert np.shares_memory(positions, corpus._frames)
        np.testing.assert_array_equal(positions, take.positions[1:3])
        np.testing.assert_array_equal(valid, take.valid[1:3])
        with pytest.raises(ValueError, match="read-only"):
            positions[0] = 1.0
        with pytest.raises(ValueError, match="read-only"):
            take.valid[0] = True


def test_recordings_are_looked_up_by_index_and_name(small: Path) -> None:
    corpus = Corpus.open(str(small))
    assert [take.name for take in corpus] == ["a1", "b1", "a2"]
    assert corpus[-1].name == "a2"
    assert "b1" in corpus
    assert len(corpus) == 3
    assert corpus.infos[1].skeleton == NTU_25
    with pytest.raises(IndexError):
        corpus[3]
    with pytest.raises(InputError, match=r"'b11'; did you mean 'b1'"):
        corpus["b11"]
    for bounds in ((-1, 2), (2, 2), (0, 8)):
        with pytest.raises(InputError, match="has 7 frames"):
            corpus.clip(0, *bounds)


def test_annotations_with_dropped_labels(small: Path) -> None:
    corpus = Corpus.open(small)
    assert corpus.annotation("b1") is None
    assert corpus.annotation("a2") == annotation()
    dropped = corpus.annotation("a1", drop=("kick",))
    assert dropped == Annotation((), LabelSet(("wave",)), ((0.1, 0.2),))


def test_folds_are_looked_up_by_split_and_number(small: Path) -> None:
    corpus = Corpus.open(small)
    assert corpus.fold("half", 1) == Fold(("a1",), ("b1", "a2"), ("wave",))
    with pytest.raises(InputError, match="no split 'thirds'; available: half"):
        corpus.fold("thirds", 1)
    with pytest.raises(InputError, match="no fold 2; available: 1"):
        corpus.fold("half", 2)


def test_a_corpus_opens_again_in_another_process(small: Path) -> None:
    corpus = pickle.loads(pickle.dumps(Corpus.open(small)))
    assert same(corpus["a1"], recording("a1", 7, 2))


def test_the_stored_checksum_is_that_of_the_recording() -> None:
    take = recording("x", 6, 2)
    assert motion_checksum(take.fps, take.positions, take.valid) == take.checksum()


def test_the_same_recordings_make_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with CorpusWriter(tmp_path / name, "c") as writer:
            writer.add(recording("a"), annotation(Span(0, 1, "wave")))
    for file in ("index.json", "frames.f32", "valid.bits"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


# ---- costs -----------------------------------------------------------------------------------------------------


def test_a_sparse_corpus_of_50_gb_opens_at_once_and_a_clip_reads_its_own_bytes(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    frames = 50 * 1024**3 // (25 * 12)
    with CorpusWriter(path, "huge") as writer:
        writer.add(recording("a", 3, 1, NTU_25))
    index = index_module.decode((path / "index.json").read_text(), path)
    index = replace(index, infos=(replace(index.infos[0], num_frames=frames),))
    (path / "index.json").write_text(index_module.encode(index))
    os.truncate(path / "frames.f32", frames * 25 * 12)
    os.truncate(path / "valid.bits", frames * 4)

    began = time.perf_counter()
    corpus = Corpus.open(path)
    assert time.perf_counter() - began < 0.5
    positions, valid = corpus.clip("a", frames - 64, frames)
    assert positions.shape == (64, 1, 25, 3)
    assert not positions.any()
    assert not valid.any()
    if Path("/proc/self/smaps").exists():
        assert 64 * 300 / 1024 <= _resident_kib(path / "frames.f32") <= 1024


def _resident_kib(file: Path) -> int:
    """Memory (KiB) that the maps of a file hold in this process, from the kernel's own table."""
    total, ours = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0] and not line.split()[0].endswith(":"):
            ours = line.endswith(str(file))
        elif ours and line.startswith("Rss:"):
            total += int(line.split()[1])
    return total


# ---- damage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["frames.f32", "valid.bits"])
def test_cut_grown_and_missing_files_are_named(small: Path, file: str) -> None:
    size = (small / file).stat().st_size
    for changed in (size - 1, size + 4, 0):
        os.truncate(small / file, changed)
        with pytest.raises(InputError, match=rf"{file}: {changed} bytes, the index says {size}"):
            Corpus.open(small)
    (small / file).unlink()
    with pytest.raises(InputError, match=rf"{file}: the file is missing"):
        Corpus.open(small)


def test_other_folders_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: not a corpus, it is not a folder"):
        Corpus.open(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"file: not a corpus, it is not a folder"):
        Corpus.open(tmp_path / "file")
    with pytest.raises(InputError, match=r"has no index.json"):
        Corpus.open(tmp_path)
    for text in ("", "[1]", "{}", '{"format": "coco"}', "\x00"):
        (tmp_path / "index.json").write_text(text)
        with pytest.raises(InputError, match=r"index\.json: not"):
            Corpus.open(tmp_path)
    (tmp_path / "index.json").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"index.json: cannot be read"):
        Corpus.open(tmp_path)


def test_an_edited_index_is_refused(small: Path) -> None:
    file = small / "index.json"
    text = file.read_text()
    edits = [
        (text.replace('"fps": 30.0', '"fps": 60.0'), "changed after it was written"),
        (text.replace('"fps": 30.0', '"fps": NaN'), "changed after it was written"),
        (text.replace('"a1"', '"a9"'), "changed after it was written"),
        (json.dumps({k: v for k, v in json.loads(text).items() if k != "digest"}), "changed after it was written"),
        (text.replace('"version": 2', '"version": 3'), "version is 3, .* reads 2; update kinespan"),
        (
            text.replace('"version": 2', '"version": 1'),
            "version is 1, .* reads 2; make it anew: kinespan prepare",
        ),
        (text.replace('"version": 2', '"version": "one"'), "version is 'one'"),
        (text[:-9], "not JSON"),
    ]
    for edited, message in edits:
        assert edited != text
        file.write_text(edited)
        with pytest.raises(InputError, match=message):
            Corpus.open(small)


@pytest.mark.parametrize("field", ["name", "labels", "skeletons", "recordings", "splits"])
def test_an_index_with_a_right_digest_but_a_missing_field_is_refused(small: Path, field: str) -> None:
    body = json.loads((small / "index.json").read_text())
    del body["digest"], body[field]
    (small / "index.json").write_text(json.dumps({**body, "digest": index_module._digest(body)}))
    with pytest.raises(InputError, match=f"index.json: KeyError: '{field}'"):
        Corpus.open(small)


@pytest.mark.parametrize("file", ["frames.f32", "valid.bits"])
def test_verify_names_the_broken_recording(small: Path, file: str) -> None:
    Corpus.open(small).verify()
    data = bytearray((small / file).read_bytes())
    corpus = Corpus.open(small)
    starts = corpus._frame_starts * 4 if file == "frames.f32" else corpus._valid_starts
    data[int(starts[1])] ^= 1
    (small / file).write_bytes(data)
    with pytest.raises(InputError, match=r"1 of 3 recordings differ from their checksum: b1;"):
        Corpus.open(small).verify()
