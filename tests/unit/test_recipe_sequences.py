"""Recipes of long labelled sequences, SFINGE 3D, MSRC-12 and mocap6: labels, splits that leak nothing, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinespan.corpus import Corpus
from kinespan.data.annotation import LabelSet, Span
from kinespan.errors import InputError
from kinespan.io.msrc12 import LABELS as GESTURE_POINTS
from kinespan.io.sfinge import SFINGE_HAND
from kinespan.prepare.prepare import prepare, prepare_recipe
from kinespan.prepare.recipes.mocap6 import LABELS as EXERCISES
from kinespan.prepare.recipes.mocap6 import Mocap6
from kinespan.prepare.recipes.msrc12 import Msrc12
from kinespan.prepare.recipes.sfinge3d import LABELS as GESTURES
from kinespan.prepare.recipes.sfinge3d import Sfinge3d, read_gestures
from makers import hdm05, msrc12, sfinge

# ---- SFINGE 3D -------------------------------------------------------------------------------------------------


def test_sfinge3d_becomes_a_corpus_of_hands(tmp_path: Path) -> None:
    raw = tmp_path / "raw" / "Sequences"
    sfinge.write_sfinge3d(raw, 9)
    (raw / "readme.md").write_text("x")
    summary = prepare_recipe(Sfinge3d(), tmp_path / "raw", tmp_path / "out")
    corpus = Corpus.open(tmp_path / "out")
    assert corpus.names == tuple(map(str, range(1, 10)))
    assert corpus.labels == GESTURES == LabelSet(GESTURES.names, exclusive=True)
    assert corpus.infos[0].skeleton == SFINGE_HAND
    annotation = corpus.annotation("3")
    assert annotation is not None
    # frames 11 to 30 of the table, counted from 1, are frames 10 to 29 of the array: 0.5 s to 1.5 s at 20 a second
    assert annotation.spans == (Span(0.5, 1.5, "one"), Span(2.0, 2.5, "OK"))
    assert annotation.covered is None
    assert [file.name for file in summary.skipped] == ["readme.md"]
    assert corpus.decisions[0] == "frames of sequencesGT.csv are counted from 1, both ends included"
    assert "shuffled by seed 0" in str(summary)


def test_sfinge3d_deals_whole_recordings_to_four_folds(tmp_path: Path) -> None:
    sfinge.write_sfinge3d(tmp_path / "raw", 12)
    prepare_recipe(Sfinge3d(), tmp_path / "raw", tmp_path / "out")
    corpus = Corpus.open(tmp_path / "out")
    folds = corpus.splits["four-folds"].folds
    assert [len(fold.test) for fold in folds.values()] == [3, 3, 3, 3]
    assert sorted(name for fold in folds.values() for name in fold.test) == sorted(corpus.names)
    for fold in folds.values():
        assert sorted((*fold.train, *fold.test)) == sorted(corpus.names)
    assert folds[1].test != corpus.names[:3]
    (backwards,) = Sfinge3d().splits(corpus.infos[::-1], None)
    assert {number: set(fold.test) for number, fold in backwards.folds.items()} == {
        number: set(fold.test) for number, fold in folds.items()
    }
    assert Sfinge3d().splits(corpus.infos[:1], None) == ()


def test_sfinge3d_gestures_past_the_end_are_cut_and_files_without_a_partner_are_named(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    sfinge.write_sfinge3d(raw, 4)
    sfinge.write_table(raw, {1: [(1, 51, 61)], 2: [(13, 1, 60)], 3: [(2, 1, 2)], 7: [(1, 1, 2)]})
    summary = prepare_recipe(Sfinge3d(), raw, tmp_path / "out")
    corpus = Corpus.open(tmp_path / "out")
    assert [corpus.annotation(name).spans for name in ("1", "2")] == [  # type: ignore[union-attr]
        (Span(2.5, 3.0, "one"),), (Span(0.0, 3.0, "swipe O"),)
    ]  # fmt: skip
    assert summary.cut_spans == 1
    reasons = {file.name: reason for file, reason in summary.refused}
    assert reasons == {
        "4.txt": "sequencesGT.csv has no line for it", "7.txt": "listed in sequencesGT.csv, but no such file"
    }  # fmt: skip


def test_sfinge3d_files_of_ones_own_are_read_without_the_recipe(tmp_path: Path) -> None:
    sfinge.write_hands(tmp_path / "raw" / "new.txt", sfinge.hands(np.random.default_rng(1), 30))
    prepare(tmp_path / "raw", tmp_path / "out")
    assert Corpus.open(tmp_path / "out").infos[0].skeleton == SFINGE_HAND


@pytest.mark.parametrize(
    "text, message",
    [
        ("1,2,4,8,51\n", r"sequencesGT\.csv:1: found '1,2,4,8,51', expected a sequence, the number of its gestures"),
        ("1,1,4,8,x\n", ":1: found"),
        ("1,1,14,8,51\n", ":1: gesture 14, expected 1 to 13"),
        ("1,1,4,8,7\n", ":1: frames 8 to 7"),
        ("1,1,4,0,7\n", ":1: frames 0 to 7, expected a first frame from 1 on"),
        ("1,0\n1,0\n", ":2: sequence 1 is listed twice"),
    ],
)
def test_sfinge3d_bad_lines_of_the_table_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "sequencesGT.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_gestures(tmp_path / "sequencesGT.csv")


def test_sfinge3d_refuses_other_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not SFINGE 3D, expected Sequences/sequencesGT\.csv"):
        Sfinge3d().survey(tmp_path)
    sfinge.write_table(tmp_path, {1: []})
    with pytest.raises(InputError, match="none of its sequences"):
        Sfinge3d().survey(tmp_path)


# ---- MSRC-12 ---------------------------------------------------------------------------------------------------


def test_msrc12_becomes_a_corpus_of_events_at_an_even_rate(tmp_path: Path) -> None:
    msrc12.write_msrc12(tmp_path / "raw" / "data")
    summary = prepare_recipe(Msrc12(), tmp_path / "raw", tmp_path / "out")
    corpus = Corpus.open(tmp_path / "out")
    assert len(corpus) == 12
    assert corpus.labels == GESTURE_POINTS
    annotation = corpus.annotation("P1_2_11_p03")
    assert annotation is not None
    assert [event.label for event in annotation.events] == ["Beat both", "Beat both"]
    np.testing.assert_allclose([event.time for event in annotation.events], [0.5, 1.25], atol=1e-5)
    recording = corpus["P1_2_11_p03"]
    assert recording.times is None
    assert not recording.valid[:3].any()
    assert recording.valid[4:].all()
    assert summary.skipped == ()


def test_msrc12_holds_performers_out(tmp_path: Path) -> None:
    msrc12.write_msrc12(tmp_path / "raw", performers=range(1, 13), gestures=(1,))
    prepare_recipe(Msrc12(), tmp_path / "raw", tmp_path / "out")
    corpus = Corpus.open(tmp_path / "out")
    folds = corpus.splits["cross-performer"].folds
    assert list(folds) == [1, 2, 3, 4, 5]
    who = {info.name: int(info.attributes["performer"]) for info in corpus.infos}
    for number, fold in folds.items():
        assert {who[name] % 5 for name in fold.test} == {number % 5}
        assert not {who[name] for name in fold.test} & {who[name] for name in fold.train}
    assert sorted(name for fold in folds.values() for name in fold.test) == sorted(corpus.names)


def test_msrc12_without_tags_stays_unlabelled_and_a_second_copy_is_refused(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    msrc12.write_msrc12(raw, (1, 2), (3,))
    (raw / "P1_2_3_p02.tagstream").unlink()
    joints = np.ones((4, 20, 3))
    times = msrc12.stamps(np.random.default_rng(0), 4)
    msrc12.write_recording(raw / "again" / "P1_2_3_p01.csv", times, joints, zipped=False)
    summary = prepare_recipe(Msrc12(), raw, tmp_path / "out")
    corpus = Corpus.open(tmp_path / "out")
    assert [info.annotated for info in corpus.infos] == [True, False]
    ((file, reason),) = summary.refused
    assert "the same recording as" in reason
    assert file.name.startswith("P1_2_3_p01.csv")


def test_msrc12_files_of_ones_own_are_named_without_both_suffixes(tmp_path: Path) -> None:
    msrc12.write_msrc12(tmp_path / "raw", (1, 2), (3,))
    prepare(tmp_path / "raw", tmp_path / "out")
    assert Corpus.open(tmp_path / "out").names == ("P1_2_3_p01", "P1_2_3_p02")


# ---- mocap6 ----------------------------------------------------------------------------------------------------


def write_mocap6(folder: Path, labels: dict[str, str], frames: int = 40) -> None:
    hdm05.write_asf(folder / "amc", "zz").rename(folder / "amc" / "86.asf")
    (folder / "truelabels").mkdir()
    for name, text in labels.items():
        hdm05.write_clip(folder / "amc", name, frames)
        (folder / "truelabels" / f"{name}.txt").write_text(text)


def test_mocap6_becomes_a_corpus(tmp_path: Path) -> None:
    """40 frames are three blocks of 12 and one of 4; a fifth number is left out."""
    write_mocap6(tmp_path / "raw", {"13_29": "1 1 6 6", "14_6": "6 6 6 6 6", "14_20": "12 5 5"})
    summary = prepare_recipe(Mocap6(), tmp_path / "raw", tmp_path / "out")
    corpus = Corpus.open(tmp_path / "out")
    assert corpus.names == ("13_29", "14_6", "14_20")
    assert corpus.labels == EXERCISES
    assert corpus["13_29"].fps == 120
    assert corpus["14_6"].attributes == {"subject": "14", "trial": "6"}
    first, second, third = (corpus.annotation(index) for index in range(3))
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.spans == (Span(0.0, 24 / 120, "JumpJack"), Span(24 / 120, 40 / 120, "Twist"))
    assert second.spans == (Span(0.0, 40 / 120, "Twist"),)
    assert third.spans == (Span(0.0, 12 / 120, "ToeTouchTwoHands"), Span(12 / 120, 36 / 120, "ArmCircle"))
    assert third.covered == ((0.0, 36 / 120),)
    assert summary.splits == {"leave-one-recording": 3}
    for number, name in enumerate(corpus.names, start=1):
        fold = corpus.fold("leave-one-recording", number)
        assert fold.test == (name,)
        assert set(fold.train) == set(corpus.names) - {name}


def test_mocap6_takes_the_skeleton_of_the_subject_first(tmp_path: Path) -> None:
    write_mocap6(tmp_path, {"13_29": "1", "14_6": "2"})
    own = hdm05.write_asf(tmp_path / "asf", "yy").rename(tmp_path / "asf" / "13.asf")
    survey = Mocap6().survey(tmp_path)
    assert [item.details[0] for item in survey.items] == [own]
    assert survey.decisions == ()
    assert "which skeleton belongs to it? below the folder: 13.asf, 86.asf; give it with --asf" in survey.refused[0][1]
    other = tmp_path / "amc" / "86.asf"
    given = Mocap6(asf=other).survey(tmp_path)
    assert [item.details[0] for item in given.items] == [own, other]
    (decision,) = given.decisions
    assert decision.startswith("subject 14 moves on the skeleton of 86.asf, as there is no 14.asf")


def test_mocap6_names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not mocap6, amc/13_29\.amc and its like are not below it"):
        Mocap6().survey(tmp_path)
    write_mocap6(tmp_path / "raw", {"13_29": "1 13", "13_30": "1 2"})
    hdm05.write_clip(tmp_path / "raw" / "amc", "13_31")
    summary = prepare_recipe(Mocap6(), tmp_path / "raw", tmp_path / "out")
    reasons = {file.stem: reason for file, reason in summary.refused}
    assert reasons["13_31"] == "no truelabels/13_31.txt"
    assert "13_29.txt: label 2 is '13', expected a number from 1 to 12" in reasons["13_29"]
    with pytest.raises(InputError, match=r"truelabels/13_29\.txt"):
        Mocap6().survey(_only_amc(tmp_path / "motion"))


def _only_amc(folder: Path) -> Path:
    hdm05.write_clip(folder, "13_29")
    return folder


# ---- the real files --------------------------------------------------------------------------------------------


@pytest.mark.real_motion
def test_real_sequences_are_read(real_motion: Path) -> None:
    hand = Sfinge3d().survey(real_motion / "sfinge3d")
    assert (len(hand.items), hand.refused) == (48, ())
    assert sum(len(item.details) for item in hand.items) == 187
    assert Sfinge3d().read(hand.items[0]).recording.num_frames == 426
    points = Msrc12().survey(real_motion / "msrc12_a")
    assert (len(points.items), points.refused) == (120, ())
    take = Msrc12().read(points.items[0])
    assert take.annotation is not None
    assert len(take.annotation.events) > 5
    assert take.recording.times is not None
    assert 1 / np.median(np.diff(take.recording.times)) == pytest.approx(30.2, abs=0.5)
    body = Mocap6().survey(real_motion / "mocap6")
    assert [item.name for item in body.items] == ["13_29", "13_30", "13_31", "14_14", "14_20"]
    take = Mocap6().read(body.items[4])
    assert take.annotation is not None
    assert take.annotation.covered is None
    assert take.annotation.spans[-1].end == pytest.approx(take.recording.duration)
