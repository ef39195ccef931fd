"""NTU RGB+D 60 and 120: what is taken, refused and passed over, labels, official splits, kept bodies."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from kinespan.corpus import Corpus
from kinespan.corpus.info import RecordingInfo
from kinespan.data.annotation import LabelSet, Span
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.io.ntu import name_attributes
from kinespan.prepare import recipes
from kinespan.prepare.prepare import prepare_recipe
from kinespan.prepare.recipes.ntu import Ntu60, Ntu120, read_missing
from makers.ntu import ODD, frames_of, moving, skeleton_lines, standing, write_lines, write_ntu, write_odd

NAMES = [f"S{setup:03}C{camera:03}P{performer:03}R001A{action:03}"
         for setup, performer, action in ((1, 1, 1), (1, 3, 58), (2, 1, 9), (18, 45, 61), (19, 44, 120))
         for camera in (1, 2, 3)]  # fmt: skip


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    rng = np.random.default_rng(0)
    write_ntu(folder / "nturgb+d_skeletons", NAMES[:9], rng, frames=(14, 20))
    write_ntu(folder / "nturgb+d_skeletons120", NAMES[9:], rng, frames=(14, 20))
    (folder / "readme.txt").write_text("hello")
    return folder


def info(name, **changes):
    attributes = {**name_attributes(name), **changes}
    return RecordingInfo(name, 30.0, 10, 1, NTU_25, name, "", attributes, (), True)


def read_all(recipe, raw):
    survey = recipe.survey(raw)
    takes, refused = [], list(survey.refused)
    for item in survey.items:
        try:
            takes.append(pickle.loads(pickle.dumps(recipe)).read(pickle.loads(pickle.dumps(item))))
        except InputError as error:
            refused.append((item.file, str(error)))
    return takes, refused


def test_the_recipes_are_registered():
    assert recipes.RECIPES["ntu60"] is Ntu60
    assert recipes.RECIPES["ntu120"] is Ntu120


def test_survey_lists_samples_and_skips_others(raw):
    survey = Ntu120().survey(raw)
    assert [item.name for item in survey.items] == sorted(NAMES)
    assert (survey.refused, survey.skipped) == ((), ())
    survey = Ntu60().survey(raw)
    assert [item.name for item in survey.items] == sorted(NAMES[:9])
    assert sorted(file.stem for file in survey.skipped) == sorted(NAMES[9:])
    assert survey.refused == ()


def test_a_sample_is_one_span_with_its_attributes(raw):
    takes, refused = read_all(Ntu60(), raw)
    assert not refused
    for take, name in zip(takes, sorted(NAMES[:9]), strict=True):
        recording = take.recording
        assert (recording.name, recording.fps, recording.source) == (name, 30.0, f"{name}.skeleton")
        assert dict(recording.attributes) == name_attributes(name)
        label = {1: "drink water", 9: "standing up (from sitting position)", 58: "handshaking"}[int(name[17:])]
        assert take.annotation.spans == (Span(0.0, recording.duration, label),)
        assert len(take.annotation.labels) == 60
        assert recording.num_people == (2 if label == "handshaking" else 1)


def test_labels_are_the_official_actions():
    assert Ntu60().labels() == LabelSet(Ntu120().labels().names[:60])
    names = Ntu120().labels().names
    assert len(set(names)) == 120
    known = {6: "pickup", 23: "hand waving", 43: "falling", 49: "use a fan (with hand or paper)/feeling warm",
             60: "walking apart from each other", 61: "put on headphone", 80: "squat down", 99: "running on the spot",
             112: "high-five", 120: "finger-guessing game (playing rock-paper-scissors)"}  # fmt: skip
    assert {number: names[number - 1] for number in known} == known


def test_impossible_and_duplicate_names_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    names = ["S001C001P001R001A001", "S001C002P001R001A001", "S001C001P001R001A000", "S040C001P001R001A001",
             "S001C001P001R001A121"]  # fmt: skip
    write_ntu(tmp_path / "a", names, rng, frames=(2, 3))
    write_ntu(tmp_path / "b", names[:1], rng, frames=(2, 3))
    (tmp_path / "a" / "walk.skeleton").write_text("1\n0\n")
    survey = Ntu120().survey(tmp_path)
    assert [item.name for item in survey.items] == names[:2]
    reasons = {file.relative_to(tmp_path).as_posix(): reason for file, reason in survey.refused}
    assert sorted(reasons) == sorted([f"b/{names[0]}.skeleton", *(f"a/{name}.skeleton" for name in names[2:])])
    assert "exists already" in reasons[f"b/{names[0]}.skeleton"]
    assert "setup 040" not in reasons[f"a/{names[3]}.skeleton"]
    assert "setup 40, action 1: NTU RGB+D 120 has no such sample" in reasons[f"a/{names[3]}.skeleton"]
    assert [file.name for file in survey.skipped] == ["walk.skeleton"]


def test_samples_on_the_list_are_refused(raw, tmp_path):
    file = tmp_path / "missing.txt"
    for text in (
        f"302 of the captured samples have missing skeletons.\nPlease ignore them.\n\n{NAMES[0]}\n{NAMES[4]} \r\n\n",
        f"{NAMES[4]}.skeleton\r\n{NAMES[0]}_rgb.avi",
    ):
        file.write_text(text)
        assert read_missing(file) == {NAMES[0], NAMES[4]}
        survey = Ntu60(missing=file).survey(raw)
        assert len(survey.items) == 7
        assert sorted(path.stem for path, _ in survey.refused) == sorted([NAMES[0], NAMES[4]])
        assert all("missing.txt as a sample with missing" in reason for _, reason in survey.refused)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{NAMES[0]}\nS001C001\n", "missing.txt:2: found 'S001C001', expected a name"),
        (f"{NAMES[0]}x\n", "missing.txt: no line is the name of a sample"),
        ("", "missing.txt: the file is empty"),
    ],
)
def test_a_missing_list_without_sample_names_is_refused(raw, tmp_path, text, says):
    (tmp_path / "missing.txt").write_text(text)
    with pytest.raises(InputError) as caught:
        Ntu60(missing=tmp_path / "missing.txt").survey(raw)
    assert says in str(caught.value)


def test_odd_files_are_refused_when_read_and_named(tmp_path):
    rng = np.random.default_rng(0)
    for number, kind in enumerate(ODD, start=1):
        write_odd(tmp_path / f"S001C001P001R001A{number:03}.skeleton", kind, rng, frames=20)
    takes, refused = read_all(Ntu60(), tmp_path)
    assert [take.recording.num_people for take in takes] == [3]
    assert len(refused) == len(ODD) - 1
    assert all(file.name in reason for file, reason in refused)
    assert sum("sample without skeletons" in reason for _, reason in refused) == 2


def test_a_folder_without_samples_is_refused(raw, tmp_path):
    for recipe, folder in ((Ntu60(), tmp_path), (Ntu60(), raw / "nturgb+d_skeletons120"), (Ntu120(), tmp_path / "no")):
        with pytest.raises(InputError, match=r"expected .*\.skeleton"):
            recipe.survey(folder)


# ---- bodies ----------------------------------------------------------------------------------------------------------


def test_bodies_are_selected_by_option(tmp_path):
    """A calm person, listed first; a lively one; somebody for five frames, listed first there; a far fourth."""
    rng = np.random.default_rng(0)
    one, two = moving(rng, 3, 30), moving(rng, 5, 30) * 1.2
    calm = standing(one[:1].repeat(30, axis=0), x=-1)
    lively = standing(two, x=1) + 0.5 * np.sin(np.arange(30) / 5)[:, None, None]
    brief = standing(one, x=3)
    frames = frames_of(np.stack([calm, lively, brief], axis=1), np.arange(30)[:, None] < [30, 30, 5])
    frames = [bodies[::-1] if len(bodies) == 3 else bodies for bodies in frames]
    name = "S001C001P001R001A050"
    write_lines(tmp_path / f"{name}.skeleton", skeleton_lines(frames))

    def kept(bodies):
        take = Ntu60(bodies=bodies).read(Ntu60().survey(tmp_path).items[0])
        assert bodies == "all" or any(note.startswith(f"bodies {bodies}: 3 tracked") for note in take.recording.history)
        middle = take.recording.positions[:, :, 0]
        return take.recording, [[round(float(x)) for x in frame] for frame in (middle[0, :, 0], middle[20, :, 0])]

    recording, places = kept("all")
    assert recording.num_people == 3
    lively_x = round(float(lively[20, 0, 0]))
    assert places == [[3, 1, -1], [0, lively_x, -1]]
    recording, places = kept("first")  # whoever is listed first and second
    assert places == [[3, 1], [-1, lively_x]]
    recording, places = kept("energy")
    assert recording.num_people == 2
    recording, places = kept("denoised")
    assert places == [[1, -1], [lively_x, -1]]


# ---- splits ----------------------------------------------------------------------------------------------------------


def test_official_splits_of_ntu60():
    infos = [info(f"S001C{camera:03}P{performer:03}R001A001") for performer in range(1, 41) for camera in (1, 2, 3)]
    splits = {split.name: split.fold(1) for split in Ntu60().splits(infos, None)}
    assert list(splits) == ["xsub", "xview"]
    trains = [1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38]
    assert sorted({int(name[9:12]) for name in splits["xsub"].train}) == trains
    assert sorted({int(name[9:12]) for name in splits["xsub"].test}) == sorted(set(range(1, 41)) - set(trains))
    assert {name[4:8] for name in splits["xview"].train} == {"C002", "C003"}
    assert {name[4:8] for name in splits["xview"].test} == {"C001"}
    for fold in splits.values():
        assert len(fold.train) + len(fold.test) == len(infos)


def test_official_splits_of_ntu120():
    infos = [info(f"S{setup:03}C001P{performer:03}R001A061") for performer in range(1, 107) for setup in range(1, 33)]
    splits = {split.name: split.fold(1) for split in Ntu120().splits(infos, None)}
    assert list(splits) == ["xsub", "xset"]
    trains = {int(name[9:12]) for name in splits["xsub"].train}
    assert len(trains) == 53
    assert trains >= {1, 38, 45, 59, 100, 103}
    assert not trains & {3, 40, 44, 48, 51, 104, 106}
    assert {int(name[9:12]) for name in splits["xsub"].test} == set(range(1, 107)) - trains
    assert {int(name[1:4]) % 2 for name in splits["xset"].train} == {0}
    assert {int(name[1:4]) % 2 for name in splits["xset"].test} == {1}
    assert len(splits["xset"].train) == len(splits["xset"].test) == 106 * 16


def test_splits_with_an_empty_side_are_left_out():
    one_camera = [info(f"S001C001P{performer:03}R001A001") for performer in (1, 3)]
    assert [split.name for split in Ntu60().splits(one_camera, None)] == ["xsub"]
    assert Ntu60().splits(one_camera[:1], None) == ()


# ---- the whole way ---------------------------------------------------------------------------------------------------


def test_ntu_becomes_a_corpus(raw, tmp_path):
    summary = prepare_recipe(Ntu60(bodies="denoised"), raw, tmp_path / "ntu60", workers=1)
    assert (summary.recordings, summary.annotated, summary.refused) == (9, 9, ())
    assert dict(summary.splits) == {"xsub": 1, "xview": 1}
    assert summary.label_spans["handshaking"] == 3
    corpus = Corpus.open(tmp_path / "ntu60")
    assert len(corpus.labels) == 60
    assert corpus[NAMES[3]].attributes["action"] == "58"
