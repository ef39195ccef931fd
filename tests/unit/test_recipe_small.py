"""Recipes of PRECOG, HDM05, UTKinect-Action3D and HumanML3D: what is read, what is refused, labels, splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinespan.corpus import Corpus
from kinespan.data.annotation import IGNORE, LabelSet, Span
from kinespan.data.skeletons import KINECT_20, SMPL_22
from kinespan.errors import InputError
from kinespan.prepare.prepare import prepare_recipe
from kinespan.prepare.recipes.hdm05 import Hdm05
from kinespan.prepare.recipes.humanml3d import Caption, HumanML3D, read_captions, read_categories
from kinespan.prepare.recipes.precog import Precog
from kinespan.prepare.recipes.utkinect import LABELS, UTKinect, annotate, read_joints, read_labels
from makers import hdm05, humanml3d, utkinect

# ---- PRECOG ----------------------------------------------------------------------------------------------------


def write_precog(folder: Path, script: int, performer: int, labels: list[int]) -> None:
    row = ";".join(" ".join("1.5" for _ in range(3)) for _ in range(20))
    lines = ["; ".join(KINECT_20.joints), *(f"{row};{label}" for label in labels)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"Seq{script}_{performer}.csv").write_text("\n".join(lines))


def test_precog_becomes_a_corpus(tmp_path):
    for performer in (1, 2):
        for script in (1, 4):
            write_precog(tmp_path / "raw" / "csv", script, performer, [0] * 10 + [1] * 20 + [2] + [1] * 9)
    summary = prepare_recipe(Precog(), tmp_path / "raw", tmp_path / "out")
    corpus = Corpus.open(tmp_path / "out")
    assert corpus.names == ("Seq1_1", "Seq1_2", "Seq4_1", "Seq4_2")
    assert corpus.labels is not None
    assert len(corpus.labels) == 8
    assert corpus.annotation(0).spans == (Span(10 / 30, 40 / 30, "RightPunch"),)  # the flicker is gone
    assert summary.splits == {"cross-performer": 2, "cross-script": 1}
    assert "labels that do not occur: 7 (LeftPunch, FrontRightKick," in str(summary)
    plain = Precog(min_label_frames=0)
    assert len(plain.read(plain.survey(tmp_path / "raw").items[0]).annotation.spans) == 3
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no recording of the format precog"):
        Precog().survey(tmp_path / "empty")


# ---- HDM05 -----------------------------------------------------------------------------------------------------

CLIPS = ("HDM_bd_squat1Reps_001_120", "HDM_dg_squat1Reps_002_120", "HDM_mm_grab_1_001_120", "HDM_tr_squat1Reps_010_120")


def test_hdm05_becomes_a_corpus(tmp_path):
    raw = tmp_path / "raw"
    hdm05.write_hdm05(raw, CLIPS)
    hdm05.write_clip(raw / "whole", "HDM_bd_01-01_01_120")  # not cut into clips
    hdm05.write_clip(raw, "HDM_xx_squat1Reps_001_120")  # nobody's skeleton
    hdm05.write_clip(raw / "again", CLIPS[0])
    summary = prepare_recipe(Hdm05(), raw, tmp_path / "out")
    corpus = Corpus.open(tmp_path / "out")
    assert set(corpus.names) == set(CLIPS)
    assert corpus.labels == LabelSet(("grab_1", "squat1Reps"))
    for recording in corpus:
        assert recording.fps == 120.0
        (span,) = corpus.annotation(recording.name).spans
        assert (span.start, span.end) == (0.0, recording.duration)
        assert span.label == recording.attributes["action"]
    fold = corpus.fold("cross-actor", 1)
    assert set(fold.train) == {CLIPS[0], CLIPS[1]}
    assert set(fold.test) == {CLIPS[2], CLIPS[3]}
    reasons = {file.relative_to(raw).as_posix(): reason for file, reason in summary.refused}
    assert reasons["HDM_xx_squat1Reps_001_120.amc"].startswith("no skeleton HDM_xx.asf below ")
    assert reasons[f"squat1Reps/{CLIPS[0]}.amc"].startswith("the same clip as ")
    assert [file.name for file in summary.skipped] == ["HDM_bd_01-01_01_120.amc"]


def test_hdm05_refuses_other_folders(tmp_path):
    (tmp_path / "walk.amc").write_text("x")
    with pytest.raises(InputError, match="no clip of HDM05 among 1 files; expected names such as HDM_bd"):
        Hdm05().survey(tmp_path)


@pytest.mark.real_motion
def test_hdm05_reads_the_real_clips(real_motion):
    recipe = Hdm05()
    survey = recipe.survey(real_motion / "hdm05")
    assert (len(survey.items), survey.refused, survey.skipped) == (287, (), ())
    assert survey.labels is not None
    assert len(survey.labels) == 11
    take = recipe.read(survey.items[0])
    assert take.recording.fps == 120
    assert 0.5 < take.recording.duration < 10


# ---- UTKinect --------------------------------------------------------------------------------------------------


def test_utkinect_becomes_a_corpus(tmp_path):
    utkinect.write_utkinect(tmp_path / "raw")
    utkinect.write_joints(tmp_path / "raw" / "joints", 9, 1, range(5))  # without labels
    (tmp_path / "raw" / "readme.txt").write_text("x")
    summary = prepare_recipe(UTKinect(), tmp_path / "raw", tmp_path / "out")
    corpus = Corpus.open(tmp_path / "out")
    assert corpus.names == tuple(f"s{p:02d}_e{t:02d}" for p in (1, 2, 3) for t in (1, 2))
    assert corpus.labels == LABELS == LabelSet(utkinect.ACTIONS)
    joints = utkinect.write_joints(tmp_path / "again", 2, 1, range(100, 400, 2))
    np.testing.assert_allclose(corpus["s02_e01"].positions[:, 0], joints, atol=1e-6)
    assert corpus["s02_e01"].present.all()
    assert corpus["s02_e01"].attributes == {"performer": "2", "take": "1"}
    spans = corpus.annotation(0).spans
    assert [span.label for span in spans] == list(utkinect.ACTIONS)
    np.testing.assert_allclose([(span.start, span.end) for span in spans], [(k, k + 0.8) for k in range(10)])
    assert summary.splits == {"leave-one-performer": 3, "leave-one-sequence": 6}
    assert corpus.fold("leave-one-performer", 2).test == ("s02_e01", "s02_e02")
    assert corpus.fold("leave-one-sequence", 4).test == ("s02_e02",)
    assert (
        dict(summary.refused)[tmp_path / "raw/joints/joints_s09_e01.txt"] == "actionLabel.txt has no labels for s09 e01"
    )
    assert [file.name for file in summary.skipped] == ["readme.txt"]


def test_utkinect_frame_numbers_become_seconds(tmp_path):
    """Numbers 10 10 12 13 18 21: twice the same, an odd one, a gap; worked out by hand at 15 and at 30 fps."""
    joints = utkinect.write_joints(tmp_path, 1, 1, [10, 10, 12, 13, 18, 21])
    utkinect.write_labels(tmp_path, {(1, 1): [("walk", 10, 18)]})
    for fps, slots, rows in ((15.0, [0, 1, 4, 5], [0, 2, 4, 5]), (30.0, [0, 2, 3, 8, 11], [0, 2, 3, 4, 5])):
        recipe = UTKinect(fps=fps)
        take = recipe.read(recipe.survey(tmp_path).items[0])
        assert np.flatnonzero(take.recording.present[:, 0]).tolist() == slots
        np.testing.assert_allclose(take.recording.positions[slots, 0], joints[rows], atol=1e-6)
        assert take.recording.fps == fps
        assert take.annotation.spans == (Span(0.0, 8 / 30, "walk"),)


def test_utkinect_labels_with_holes():
    """One without its end, one without both, one in which nobody was tracked; 0 to 300 at 30 a second is 10 s."""
    marks = (
        ("walk", 30, 60), ("carry", 90, None), ("throw", 150, 180), ("push", None, None), ("pull", 240, 270),
        ("waveHands", 900, 960),
    )  # fmt: skip
    annotation, left_out = annotate(marks, 0, 30.0, 10.0)
    assert annotation.spans == (Span(1, 2, "walk"), Span(5, 6, "throw"), Span(8, 9, "pull"))
    assert annotation.covered == ((0, 3), (5, 6), (8, 10))
    assert (annotation.frame_ids(10, 1.0) == IGNORE).tolist() == [False] * 3 + [True] * 2 + [False] + [True] * 2 + [
        False
    ] * 2
    assert [note.split(":")[0] for note in left_out] == ["carry", "push", "waveHands"]
    annotation, _ = annotate((("walk", 250, 600),), 200, 30.0, 5.0)  # past the end
    assert annotation.spans == (Span(50 / 30, 5.0, "walk"),)
    assert annotation.covered is None
    with pytest.raises(InputError, match="walk goes from 5 to 5"):
        annotate((("walk", 5, 5),), 0, 30.0, 1.0)


@pytest.mark.parametrize(
    "text, message",
    [
        ("s01 e01\nwalk: 1 x\n", r"actionLabel\.txt:2: found 'x', expected a frame number or NaN"),
        ("s01 e01\nfly: 1 2\n", r":2: found 'fly: 1 2', expected 's01 e01' or an action"),
        ("walk: 1 2\n", r":1: found 'walk: 1 2'"),
        ("s01 e01\nwalk: 1\n", ":2: found 'walk: 1'"),
    ],
)
def test_utkinect_bad_labels_are_refused(tmp_path, text, message):
    (tmp_path / "actionLabel.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_labels(tmp_path / "actionLabel.txt")


def test_utkinect_reads_the_published_label_file(tmp_path):
    path = tmp_path / "actionLabel.txt"
    path.write_text("s1 e2\r\nwalk: 252 390\r\ncarry: 1016 NaN\r\n\r\ns10 e1 \r\nwalk:1 2\r\n")
    assert read_labels(path) == {(1, 2): (("walk", 252, 390), ("carry", 1016, None)), (10, 1): (("walk", 1, 2),)}


def test_utkinect_broken_joints_are_refused(tmp_path):
    pose = np.ones((20, 3))
    good = utkinect.row(7, pose)
    path = tmp_path / "joints_s01_e01.txt"
    for lines, message in (
        ([good, good[:-30]], r"e01\.txt:2: found \d+ numbers, expected a frame number and 60"),
        ([good, good.replace("1.0000000", "nan", 1)], "found 'nan', expected a finite number"),
        ([good, utkinect.row(6, pose)], "frame number is '6', expected a whole number not before"),
        ([good, good.replace("7", "7.5", 1)], "frame number is '7.5'"),
        ([good, utkinect.row(10**9, pose)], "which is over an hour"),
        ([""], "is empty"),
    ):
        path.write_text("\n".join(lines))
        with pytest.raises(InputError, match=message):
            read_joints(path)
    path.write_text(utkinect.row(7, 0 * pose))
    utkinect.write_labels(tmp_path, {(1, 1): [("walk", 7, 9)]})
    recipe = UTKinect()
    with pytest.raises(InputError, match="recording 's01_e01': no frame with a person"):
        recipe.read(recipe.survey(tmp_path).items[0])


def test_utkinect_refuses_other_folders(tmp_path):
    with pytest.raises(InputError, match=r"joints_s01_e01\.txt and its like is not below it"):
        UTKinect().survey(tmp_path)
    utkinect.write_joints(tmp_path, 1, 1, range(3))
    with pytest.raises(InputError, match=r"actionLabel\.txt is not below it"):
        UTKinect().survey(tmp_path)
    with pytest.raises(InputError, match="0 < fps <= clock"):
        UTKinect(fps=60)


# ---- HumanML3D -------------------------------------------------------------------------------------------------

PARTS = {"train": ["000001", "000002"], "val": ["000003"], "test": ["000004"]}


def test_humanml3d_becomes_a_corpus(tmp_path):
    raw = tmp_path / "raw"
    humanml3d.write_humanml3d(raw, PARTS)
    humanml3d.write_motion(raw / "new_joints", "000009")  # in no list and without text
    with (raw / "train.txt").open("a") as file:
        file.write("000777\n")
    summary = prepare_recipe(HumanML3D(), raw, tmp_path / "out")
    corpus = Corpus.open(tmp_path / "out")
    assert len(corpus) == 9
    assert corpus.labels is None
    first = corpus["000001"]
    np.testing.assert_array_equal(first.positions[:, 0], np.load(raw / "new_joints" / "000001.npy"))
    assert (first.fps, first.skeleton) == (20.0, SMPL_22)
    assert first.attributes == {"captions": humanml3d.WHOLE[0], "mirrored": "no", "part": "train"}
    assert corpus["M000003"].attributes["mirrored"] == "yes"
    assert corpus["000009"].attributes == {"mirrored": "no"}
    assert set(corpus.fold("official", 1).train) == {"000001", "000002", "M000001", "M000002"}
    assert set(corpus.fold("official", 1).test) == {"000004", "M000004"}
    assert set(corpus.fold("validation", 1).test) == {"000003", "M000003"}
    assert summary.refused == ((raw / "new_joints/000777.npy", "listed in train.txt, but no such file"),)


def test_humanml3d_without_mirror_images_from_the_folder_above(tmp_path):
    humanml3d.write_humanml3d(tmp_path / "HumanML3D", PARTS, "joints")
    survey = HumanML3D(joints="joints", mirrored=False).survey(tmp_path)
    assert [item.name for item in survey.items] == ["000001", "000002", "000003", "000004"]
    with pytest.raises(InputError, match="no folder new_joints in it"):
        HumanML3D().survey(tmp_path)


def test_humanml3d_categories_become_labels(tmp_path):
    humanml3d.write_humanml3d(tmp_path / "raw", {"train": ["1"], "test": ["2"]})
    captions = [
        humanml3d.WHOLE,
        ("he hops # twice", "he/PRON hop/VERB twice/ADV", "0.5", "1.0"),
        ("he leaps", "he/PRON leap/VERB", 0.75, 9),  # past the end, and over the other
        ("he stands", "he/PRON stand/VERB up/ADP", "nan", "nan"),
    ]
    humanml3d.write_text(tmp_path / "raw" / "texts", "1", captions)
    categories = tmp_path / "categories.txt"
    categories.write_text("# mine\nhop: hop, leap\nwalk:walk\nstand up: stand up\nsit: sit down, sit\n")
    recipe = HumanML3D(mirrored=False, categories=categories)
    prepare_recipe(recipe, tmp_path / "raw", tmp_path / "out")
    corpus = Corpus.open(tmp_path / "out")
    assert corpus.labels == LabelSet(("hop", "walk", "stand up", "sit"), exclusive=False)
    assert set(corpus.annotation("1").spans) == {
        Span(0.5, 2.0, "hop"), Span(0.0, 2.0, "walk"), Span(0.0, 2.0, "stand up")
    }  # fmt: skip
    assert corpus["1"].attributes["captions"].split("\n")[1:3] == ["he hops # twice [0.5-1 s]", "he leaps [0.75-9 s]"]


def test_humanml3d_broken_files_are_refused(tmp_path):
    root = tmp_path / "raw"
    humanml3d.write_humanml3d(root, {"train": [f"{n}" for n in range(1, 7)], "test": ["7"]})
    motion = root / "new_joints"
    (motion / "1.npy").write_bytes((motion / "1.npy").read_bytes()[:-100])
    np.save(motion / "2.npy", np.zeros((30, 263), dtype=np.float32))
    np.save(motion / "3.npy", np.full((30, 22, 3), np.inf, dtype=np.float32))
    np.save(motion / "4.npy", np.ones((22, 3)))  # a single frame
    np.save(motion / "5.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (root / "texts" / "6.txt").write_text("he walks#he/PRON walk/VERB#2.0#1.0\n")
    summary = prepare_recipe(HumanML3D(mirrored=False), root, tmp_path / "out")
    reasons = {file.stem: reason for file, reason in summary.refused}
    assert "not a whole .npy file" in reasons["1"]
    assert "shape (30, 263), expected (T, 22, 3); these are features" in reasons["2"]
    assert "not finite" in reasons["3"]
    assert "not a whole .npy file" in reasons["5"]
    assert "6.txt:1: start is 2 and end 1" in reasons["6"]
    assert Corpus.open(tmp_path / "out").names == ("4", "7")


def test_humanml3d_captions_are_parsed(tmp_path):
    path = tmp_path / "1.txt"
    path.write_text("A man/woman #1 walks.#a/DET man//SYM walk/VERB#0.0#nan\n\n")
    assert read_captions(path) == (Caption("A man/woman #1 walks.", ("a", "man/", "walk"), None),)
    for text, message in (("no marks\n", "expected caption#words#start#end"), ("a#b/X#one#2\n", "expected seconds")):
        path.write_text(text)
        with pytest.raises(InputError, match=rf"1\.txt:1: .*{message}"):
            read_captions(path)


@pytest.mark.parametrize(
    "text, message",
    [
        ("jump\n", ":1: found 'jump'"),
        ("jump: a\njump: b\n", ":2: label 'jump' is given twice"),
        ("#\n", "holds no label"),
    ],
)
def test_humanml3d_bad_categories_are_refused(tmp_path, text, message):
    (tmp_path / "c.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_categories(tmp_path / "c.txt")
