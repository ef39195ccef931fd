"""PKU-MMD: skeletons and labels found and joined, frames to seconds, official splits."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from kinespan.corpus import Corpus
from kinespan.corpus.info import RecordingInfo
from kinespan.data.annotation import Span
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.prepare import recipes
from kinespan.prepare.prepare import prepare_recipe
from kinespan.prepare.recipes.pku_mmd import LABELS, PkuMmd1, PkuMmd2, read_split
from makers.pku_mmd import label_text, skeleton_text, split_text, timeline, write_pku_mmd, write_splits, write_video

NAMES = [f"{number:04}-{view}" for number in (2, 3, 5, 7) for view in "LMR"]
QUICK = {"frames": (8, 10), "rest": (2, 4)}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pku")
    write_pku_mmd(folder, NAMES, np.random.default_rng(0), actions=(8, 14))
    return folder


def read_all(recipe, raw):
    return [pickle.loads(pickle.dumps(recipe)).read(pickle.loads(pickle.dumps(i))) for i in recipe.survey(raw).items]


def infos_of(takes):
    return [
        RecordingInfo(take.recording.name, 30.0, 9, 1, NTU_25, "", "", take.recording.attributes, (), True)
        for take in takes
    ]


def one(folder, labels, read_as="slice"):
    """The take of one video of 100 frames with these labels."""
    write_video(folder, "0002-L", np.ones((100, 1, 25, 3)), labels)
    recipe = PkuMmd1(frames=read_as)
    return recipe.read(recipe.survey(folder).items[0])


def test_labels_are_the_official_actions():
    assert len(LABELS) == 51
    known = {1: "bow", 8: "drink water", 13: "hand waving", 16: "hugging other person", 22: "pickup",
             34: "standing up", 41: "throw", 51: "writing"}  # fmt: skip
    assert {number: LABELS.names[number - 1] for number in known} == known
    assert list(LABELS.names) == sorted(LABELS.names)


def test_survey_and_read_a_whole_data_set(raw):
    assert recipes.RECIPES["pku-mmd-1"] is PkuMmd1
    survey = PkuMmd1().survey(raw)
    assert [item.name for item in survey.items] == NAMES
    assert (survey.refused, survey.skipped, survey.labels) == ((), (), LABELS)
    takes = read_all(PkuMmd1(), raw)
    for take, name in zip(takes, NAMES, strict=True):
        attributes = dict(take.recording.attributes)
        assert attributes == {
            "session": name[:4], "view": name[-1], "cross_subject": "test" if name[:4] == "0007" else "train",
            "cross_view": "test" if name[-1] == "L" else "train",
        }  # fmt: skip
        assert take.recording.name == name
        assert sorted(span.label for span in take.annotation.spans) == ["drink water", "handshaking"]
        assert take.annotation.covered is None
    splits = {split.name: split.fold(1) for split in PkuMmd1().splits(infos_of(takes), LABELS)}
    assert list(splits) == ["cross-subject", "cross-view"]
    assert splits["cross-subject"].test == ("0007-L", "0007-M", "0007-R")
    assert splits["cross-view"].train == tuple(name for name in NAMES if name[-1] in "MR")
    assert [split.name for split in PkuMmd1().splits(infos_of(takes[:3]), LABELS)] == ["cross-view"]


def test_label_frames_become_seconds(tmp_path):
    annotation = one(tmp_path, [(8, 30, 60, 2)]).annotation
    assert annotation.spans == (Span(1.0, 2.0, "drink water"),)
    assert np.flatnonzero(annotation.frame_ids(100, 30.0)).tolist() == list(range(30, 60))
    annotation = one(tmp_path, [(8, 30, 60, 2)], read_as="inclusive").annotation
    assert annotation.spans == (Span(29 / 30, 2.0, "drink water"),)
    assert np.flatnonzero(annotation.frame_ids(100, 30.0)).tolist() == list(range(29, 60))  # 30 to 60, counted from 1


def test_frame_zero_is_read_under_both_conventions(tmp_path):
    for start in (0, 1):
        assert one(tmp_path, [(8, start, 60, 2)]).annotation.spans[0].start == start / 30
        assert one(tmp_path, [(8, start, 60, 2)], read_as="inclusive").annotation.spans[0].start == 0.0


def test_overlapping_labels_and_labels_past_the_end(tmp_path):
    spans = one(tmp_path, [(8, 30, 70, 2), (9, 60, 90, 1), (51, 90, 130, 2)]).annotation.spans
    assert [(span.label, round(span.start * 30), round(span.end * 30)) for span in spans] == [
        ("drink water", 30, 70), ("drop", 60, 90), ("writing", 90, 130),
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"0002-L\.txt:2: the action starts at frame 100, but the recording has 100"):
        one(tmp_path, [(8, 30, 70, 2), (8, 100, 120, 2)])


def test_empty_label_files_annotate_and_missing_ones_do_not(tmp_path):
    take = one(tmp_path, [])
    assert take.annotation.spans == ()
    assert take.annotation.covered is None  # looked at, and nothing happens
    (tmp_path / "Train_Label_PKU_final" / "0002-L.txt").unlink()
    assert PkuMmd1().read(PkuMmd1().survey(tmp_path).items[0]).annotation is None


def test_missing_split_files_are_reported(tmp_path):
    write_video(tmp_path, "0002-L", np.ones((9, 1, 25, 3)), [])
    survey = PkuMmd1().survey(tmp_path)
    assert [(file.name, reason) for file, reason in survey.refused] == [
        (name, f"the official split file {name}.txt is missing, so the corpus lacks that split")
        for name in ("cross-subject", "cross-view")
    ]
    assert PkuMmd1().splits(infos_of([PkuMmd1().read(survey.items[0])]), LABELS) == ()


def test_phases_in_one_folder_are_separated(tmp_path):
    rng = np.random.default_rng(0)
    second = ["A01N01-L", "A01N01-M", "A02N02-L", "A02N02-M"]
    write_pku_mmd(tmp_path / "PKUMMD", NAMES[:6], rng, actions=(8,))
    write_pku_mmd(tmp_path / "PKUMMDv2", second, rng, actions=(13,), phase=2)
    survey = PkuMmd1().survey(tmp_path)
    assert [item.name for item in survey.items] == NAMES[:6]
    assert not survey.refused
    takes = read_all(PkuMmd2(), tmp_path / "PKUMMDv2")
    assert [take.recording.name for take in takes] == second
    assert {span.label for take in takes for span in take.annotation.spans} == {"hand waving"}
    folds = {split.name: split.fold(1) for split in PkuMmd2().splits(infos_of(takes), LABELS)}
    assert folds["cross-subject"].test == ("A02N02-L", "A02N02-M")
    assert folds["cross-view"].test == ("A01N01-L", "A02N02-L")
    assert len(PkuMmd2().survey(tmp_path / "PKUMMD").refused) == 2  # no split file of phase 2 there


def test_the_renewed_and_final_files_are_read(tmp_path):
    write_video(tmp_path, "0002-L", np.ones((30, 1, 25, 3)), [(8, 1, 9, 2)])
    for folder, text in (
        ("PKU_Skeleton", skeleton_text(np.ones((20, 1, 25, 3)))),
        ("Label", label_text([(9, 1, 9, 2)])),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "0002-L.txt").write_text(text)
    survey = PkuMmd1().survey(tmp_path)
    take = PkuMmd1().read(survey.items[0])
    assert take.recording.num_frames == 30
    assert take.annotation.spans[0].label == "drink water"
    assert sorted(file.parent.name for file in survey.skipped) == ["Label", "PKU_Skeleton"]


def test_files_are_recognised_in_any_folders(tmp_path):
    """By content; and the suffixes that the data set's page names."""
    positions, labels = timeline(np.random.default_rng(0), (8,), **QUICK)
    for folder, suffixes in (("one/x", (".txt", ".txt")), ("two", (".skeleton", ".label"))):
        base = tmp_path / folder
        for below, suffix, text in zip(
            ("a", "b"), suffixes, (skeleton_text(positions), label_text(labels)), strict=True
        ):
            (base / below).mkdir(parents=True)
            (base / below / f"0003-M{suffix}").write_text(text)
        (base / "a" / "0004-M.txt").write_text("no numbers")
        survey = PkuMmd1().survey(base)
        assert [item.name for item in survey.items] == ["0003-M"]
        assert [file.name for file in survey.skipped] == ["0004-M.txt"]
        assert len(PkuMmd1().read(survey.items[0]).annotation.spans) == 1


def test_broken_files_are_refused_when_read(tmp_path):
    skeletons, labels = write_video(tmp_path, "0002-L", np.ones((9, 1, 25, 3)), [(8, 1, 9, 2)])
    item = PkuMmd1().survey(tmp_path).items[0]
    labels.write_text("8,1,9\n")
    with pytest.raises(InputError, match=r"0002-L\.txt:1: found '8,1,9'"):
        PkuMmd1().read(item)
    skeletons.write_text("1 2 3\n")
    with pytest.raises(InputError, match=r"0002-L\.txt:1: found 3 values"):
        PkuMmd1().read(item)


def test_a_folder_without_skeletons_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no skeleton file of PKU-MMD phase 1 found; expected .*cross-subject\.txt"):
        PkuMmd1().survey(tmp_path)


# ---- split files -----------------------------------------------------------------------------------------------------


def test_split_files_with_the_oddities_of_the_published_ones_are_read(tmp_path):
    file = tmp_path / "cross-subject.txt"
    file.write_text(split_text(["0002-L", "0003-M"], ["0005-R"]))
    assert "Validataion" in file.read_text()
    assert ", \n" in file.read_text()  # the comma at the end
    expected = {"0002-L": "train", "0003-M": "train", "0005-R": "test"}
    assert read_split(file) == expected
    file.write_bytes(b"Training videos:\r\n0002-L,0003-M\r\nValidation videos:\r\n0005-R")
    assert read_split(file) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0002-L, 0003-M\n", ":1: found '0002-L', expected a heading"),
        ("Training videos:\n0002-L, 0002-L,\n", ":2: 0002-L is listed twice"),
        ("Training videos:\n0002-L\nValidataion videos:\n0002-L", ":4: 0002-L is listed twice"),
        ("Training videos:\n0002-L,\n", ": lists no video to test on"),
        ("Training videos:\nValidataion videos:\n0002-L", ": lists no video to train on"),
        ("", ": the file is empty"),
    ],
)
def test_broken_split_files_are_refused_by_line(tmp_path, raw, text, says):
    write_splits(tmp_path, ["0002-L"], ["0003-L"], NAMES)
    write_video(tmp_path, "0002-L", np.ones((9, 1, 25, 3)), [])
    (tmp_path / "Split" / "cross-subject.txt").write_text(text)
    with pytest.raises(InputError) as caught:
        PkuMmd1().survey(tmp_path)
    assert f"cross-subject.txt{says}" in str(caught.value)


# ---- the whole way ---------------------------------------------------------------------------------------------------


def test_pku_mmd_becomes_a_corpus(tmp_path):
    """A label past the end is cut and counted; broken files are named, the others kept."""
    rng = np.random.default_rng(0)
    write_pku_mmd(tmp_path / "raw", NAMES[:6], rng, actions=(8, 13))
    positions, labels = timeline(rng, (8,), **QUICK)
    label, start, _, confidence = labels[0]
    write_video(tmp_path / "raw", "0004-L", positions, [(label, start, len(positions) + 9, confidence)])
    broken, _ = write_video(tmp_path / "raw", "0006-M", positions, labels)
    broken.write_text(broken.read_text()[:-300])
    summary = prepare_recipe(PkuMmd1(), tmp_path / "raw", tmp_path / "corpus", workers=1)
    assert (summary.recordings, summary.annotated, summary.cut_spans) == (7, 7, 1)
    assert [file for file, _ in summary.refused] == [broken]
    assert dict(summary.splits) == {"cross-subject": 1, "cross-view": 1}
    corpus = Corpus.open(tmp_path / "corpus")
    assert corpus.labels == LABELS
    assert corpus.annotation("0004-L").spans[0].end == len(positions) / 30


def test_without_the_official_files_views_of_a_performance_stay_together(tmp_path):
    write_pku_mmd(tmp_path / "raw", NAMES[:9], np.random.default_rng(0), actions=(8,))
    for file in (tmp_path / "raw" / "Split").iterdir():
        file.unlink()
    prepare_recipe(PkuMmd1(), tmp_path / "raw", tmp_path / "corpus", workers=1)
    (split,) = Corpus.open(tmp_path / "corpus").splits.values()
    for fold in split.folds.values():
        assert not {name[:4] for name in fold.train} & {name[:4] for name in fold.test}
