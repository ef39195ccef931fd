"""BABEL: what is kept and read under each option, options that contradict each other, CMU's own files in place of
AMASS, label sets, files with something wrong in them."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from kinespan.corpus.store import Corpus
from kinespan.data.annotation import LabelSet
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.io import smplh
from kinespan.prepare.prepare import prepare_recipe
from kinespan.prepare.recipes import RECIPES
from kinespan.prepare.recipes.babel import STAL_POINTS, Babel
from kinespan.prepare.recipes.babel_labels import KNOWN_RANKS
from makers.amass import random_poses, write_amass, write_body
from makers.babel import RELEASE, limb_angles, poses_of, record, write_babel, write_cmu, write_release

FEAT_P = "CMU/CMU/141/141_05_poses.npz"


def spans(annotation):
    return [(span.start, span.end, span.label) for span in annotation.spans]


def release(tmp_path, parts, rates=None, motion=True):
    """A release of these records below tmp_path, each with two seconds of AMASS motion at 120 fps, and a body."""
    write_release(tmp_path, parts, rates)
    (tmp_path / "amass").mkdir()
    write_body(tmp_path)
    for one in (one for records in parts.values() for one in records if motion):
        path = tmp_path / "amass" / one["feat_p"].split("/", 1)[1]
        write_amass(path, random_poses(np.random.default_rng(one["babel_sid"]), round(120 * one["dur"])), 120.0)
    return tmp_path


def place(number):
    return f"CMU/CMU/{number:02d}/{number:02d}_01_poses.npz"


def test_missing_motion_is_refused_with_the_paths_that_were_tried(tmp_path):
    parts = {"train": [record(n, place(n), 2.0, [(0, 2, ["walk"])]) for n in (1, 2)]}
    raw = release(tmp_path, parts)
    (raw / "amass" / "CMU" / "02" / "02_01_poses.npz").unlink()
    survey = Babel().survey(raw)
    assert [item.name for item in survey.items] == ["1"]
    [(file, reason)] = survey.refused
    assert file.name == "train.json"
    assert "record 2: no motion; tried CMU/02/02_01_poses.npz, CMU/02/02_01_stageii.npz" in reason


# ---- the recipe ------------------------------------------------------------------------------------------------


def read_all(recipe, raw):
    recipe = pickle.loads(pickle.dumps(recipe))
    survey = recipe.survey(raw)
    return survey, {item.name: recipe.read(pickle.loads(pickle.dumps(item))) for item in survey.items}


def test_stal_rules_select_labelled_sequences_of_limited_length(tmp_path):
    records = [
        record(1, place(1), 2.0, [(0, 1, ["walk"]), (1, 2, ["bend"])]),
        record(2, place(2), 2.0, [(0, 2, ["bend"])]),  # nothing of the set
        record(3, place(3), 2.0, None),  # labelled as a whole only
        record(4, place(4), 2.0, [(0, 2, None)]),  # no category
        record(5, place(5), 33.5, [(0, 33.34, ["walk"])]),  # 1001 frames are labelled
        record(6, place(6), 40.0, [(0, 33.33, ["walk"])]),  # 1000 of its 1200 frames are labelled
        record(7, place(7), 2.0, [(5, 6, ["walk"])]),  # labelled where there is no motion
    ]
    raw = release(tmp_path, {"train": records})
    assert [item.name for item in Babel().survey(raw).items] == ["1", "6"]
    assert [item.name for item in Babel(longest=0).survey(raw).items] == ["1", "5", "6"]
    assert [item.name for item in Babel(rules="fixed").survey(raw).items] == ["1"]
    assert [item.name for item in Babel(labels="subset2").survey(raw).items] == []
    survey, takes = read_all(Babel(everything=True), raw)
    assert [item.name for item in survey.items] == [str(number) for number in range(1, 8)]
    assert [name for name, take in takes.items() if take.annotation is None] == ["3", "4", "7"]
    assert takes["3"].recording.num_frames == 60
    assert takes["5"].recording.num_frames == 1001
    assert takes["6"].recording.num_frames == 1000


def test_stal_removes_gaps_from_labels_but_not_from_motion(tmp_path):
    segments = [(0, 0.5, ["walk"]), (1, 2, ["turn"])]
    raw = release(tmp_path, {"train": [record(1, place(1), 2.0, segments)]})
    _, takes = read_all(Babel(), raw)
    _, mended = read_all(Babel(rules="fixed"), raw)
    stal, whole = takes["1"], mended["1"]
    assert stal.recording.num_frames == 45
    assert spans(stal.annotation) == [(0, 0.5, "walk"), (0.5, 1.5, "turn")]
    assert stal.annotation.covered is None
    assert whole.recording.num_frames == 60
    assert spans(whole.annotation) == [(0, 0.5, "walk"), (1, 2, "turn")]
    np.testing.assert_array_equal(stal.recording.positions[:, :, :21], whole.recording.positions[:45, :, :21])


def test_joints_are_in_the_order_of_stal_without_translation(tmp_path):
    raw = release(tmp_path, {"train": [record(1, place(1), 1.0, [(0, 1, ["walk"])])]}, motion=False)
    poses, trans = random_poses(np.random.default_rng(0), 120), np.random.default_rng(1).normal(size=(120, 3))
    write_amass(raw / "amass/CMU/01/01_01_poses.npz", poses, 120.0, trans)
    points = smplh.load_body(raw / "smplh/male/model.npz").points(poses[::4])
    indices = [0, 3, 12, 15, 16, 18, 20, 22, 17, 19, 21, 37, 1, 4, 7, 10, 2, 5, 8, 11, 9, 63, 64, 68, 69]
    assert list(STAL_POINTS) == indices
    for recipe, joints, shift in (
        (Babel(), indices, 0),
        (Babel(rules="fixed"), smplh.NTU_POINTS, 0),
        (Babel(rules="fixed", translation=True), smplh.NTU_POINTS, trans[::4, None]),
    ):
        [take] = read_all(recipe, raw)[1].values()
        x, y, z = np.moveaxis(points[:, joints] + shift, -1, 0)
        np.testing.assert_allclose(take.recording.positions[:, 0], np.stack((x, z, -y), -1), atol=1e-6)
        assert take.recording.skeleton == NTU_25
        assert take.recording.fps == 30
    assert sorted(STAL_POINTS) == sorted(smplh.NTU_POINTS)


def test_the_table_of_rates_overrides_the_file(tmp_path):
    records = {"train": [record(1, place(1), 2.0, [(0, 2, ["walk"])])]}
    raw = release(tmp_path, records, rates={place(1): 60.0})
    [take] = read_all(Babel(), raw)[1].values()
    assert take.recording.num_frames == 60  # 240 frames at 60 make 120; 60 are labelled
    assert any("240 frames at 60 fps" in note for note in take.recording.history)
    with pytest.raises(
        InputError, match=r"01_01_poses\.npz: 240 frames at 60 a second are 4\.00 s, but .* 2\.00 s long"
    ):
        read_all(Babel(rules="fixed"), raw)
    (raw / RELEASE / "featp_2_fps.json").write_text(json.dumps({place(1): "fast"}))
    with pytest.raises(InputError, match="has rate 'fast'"):
        Babel().survey(raw)


def test_splits_are_the_files_of_the_release(tmp_path):
    raw = write_babel(tmp_path, np.random.default_rng(0), sequences=6, extra=2)
    recipe = Babel(extra=True, everything=True)
    survey, takes = read_all(recipe, raw)
    infos = [take.recording for take in takes.values()]  # has a name and attributes, as an info has
    [split] = recipe.splits(infos, survey.labels)
    assert split.name == "official"
    assert split.fold(1).train == ("1000", "1001", "1003", "1004", "1006", "1007")
    assert split.fold(1).test == ("1002", "1005")
    assert [path.name for path in survey.skipped] == ["test.json"]
    assert len(Babel().survey(raw).items) == 6
    assert recipe.splits([info for info in infos if info.attributes["part"] == "val"], None) == ()
    assert takes["1000"].recording.attributes == {
        "part": "train", "motion": "CMU/CMU/01/01_01_poses.npz", "dataset": "CMU", "subject": "CMU/CMU/01",
    }  # fmt: skip


@pytest.mark.parametrize("motion", ["amass", "cmu-amc"])
def test_every_option_reads_the_whole_release(tmp_path, motion):
    raw = write_babel(tmp_path, np.random.default_rng(1), sequences=4, seconds=(2, 3), motion=motion)
    given = {"motion": ("cmu-amc", str(raw / "cmu"))} if motion == "cmu-amc" else {}
    for labels in ("subset1", "babel60", "babel120"):
        survey, takes = read_all(Babel(labels=labels, **given), raw)
        assert len(takes) == 4
        assert not survey.refused
        for take in takes.values():
            assert take.annotation.labels == survey.labels
            assert take.recording.duration == pytest.approx(2.5, abs=0.6)
    survey, takes = read_all(Babel(labels="tal20", rules="fixed", translation=True, **given), raw)
    assert not survey.labels.exclusive
    assert "transition" not in survey.labels.names
    assert {span.label for take in takes.values() for span in take.annotation.spans} >= {"walk", "turn"}


# ---- CMU's own files -------------------------------------------------------------------------------------------


def cmu_release(tmp_path, dur=2.0, rates=None, fps=120.0, segments=((0, 1, ["walk"]), (1, 2, ["turn"]))):
    write_release(
        tmp_path,
        {"train": [record(1, FEAT_P, dur, segments), record(2, "KIT/KIT/3/a_poses.npz", dur, segments)]},
        rates,
    )
    write_cmu(tmp_path / "cmu", "141", "05", limb_angles(np.random.default_rng(0), segments, 2.0, fps))
    return tmp_path, Babel(motion=("cmu-amc", str(tmp_path / "cmu")))


def test_cmu_files_replace_amass(tmp_path):
    raw, recipe = cmu_release(tmp_path)
    survey, takes = read_all(recipe, raw)
    assert list(takes) == ["1"]  # what is not of CMU is not BABEL's CMU part
    assert not survey.refused
    recording = takes["1"].recording
    assert recording.num_frames == 60
    assert recording.skeleton.joints[0] == "root"
    np.testing.assert_allclose(recording.positions[:, 0, 0], 0, atol=1e-6)
    assert spans(takes["1"].annotation) == [(0, 1, "walk"), (1, 2, "turn")]
    height = np.ptp(recording.positions[0, 0, :, 1])
    assert 1.0 < height < 2.2


def test_cmu_files_may_lie_flat_or_as_in_the_archive(tmp_path):
    raw, recipe = cmu_release(tmp_path)
    subject = raw / "cmu" / "141"
    for folder in (raw / "cmu" / "all_asfamc" / "subjects" / "141", raw / "cmu"):
        folder.mkdir(parents=True, exist_ok=True)
        for file in list(subject.iterdir()):
            file.rename(folder / file.name)
        subject = folder
        assert [item.file.parent for item in recipe.survey(raw).items] == [folder]
        assert len(read_all(recipe, raw)[1]) == 1


def test_cmu_files_at_60_fps_are_recognised_by_length(tmp_path):
    raw, recipe = cmu_release(tmp_path, fps=60.0)
    assert read_all(recipe, raw)[1]["1"].recording.num_frames == 60


def test_cmu_motion_of_another_length_is_refused(tmp_path):
    raw, recipe = cmu_release(tmp_path, dur=2.7)
    item = recipe.survey(raw).items[0]
    with pytest.raises(InputError, match=r"141_05\.amc: 240 frames at 120 a second are 2\.00 s, but .* 2\.70 s long"):
        recipe.read(item)


def test_the_cmu_body_moves_with_translation(tmp_path):
    raw, recipe = cmu_release(tmp_path)
    moving = Babel(motion=recipe.motion, rules="fixed", translation=True)
    root = read_all(moving, raw)[1]["1"].recording.positions[:, 0, 0]
    assert root[0, 1] == pytest.approx(17 * 0.0254 / 0.45, rel=1e-5)
    assert root[-1, 2] > root[0, 2]


# ---- label sets ------------------------------------------------------------------------------------------------


def test_label_sets_are_in_their_order(tmp_path):
    raw = release(tmp_path, {"train": [record(1, place(1), 2.0, [(0, 2, ["walk"])])]})
    assert Babel(labels="subset2").survey(raw).labels == LabelSet(("sit", "run", "stand up", "kick"))
    for labels, count in (("babel60", 60), ("babel120", 120)):
        names = Babel(labels=labels).survey(raw).labels.names
        assert len(names) == count
        assert all(names[at] == name for name, at in KNOWN_RANKS.items())


def test_the_order_of_categories_is_needed_and_checked(tmp_path):
    raw = release(tmp_path, {"train": [record(1, place(1), 2.0, [(0, 2, ["walk"])])]})
    path = raw / RELEASE / "action_label_2_idx.json"
    order = json.loads(path.read_text())
    path.write_text(json.dumps(order | {"walk": 1, "stand": 0}))
    with pytest.raises(InputError, match="'walk' has rank 1, expected 0"):
        Babel(labels="babel60").survey(raw)
    path.write_text(json.dumps({name: at for name, at in order.items() if at != 59}))
    with pytest.raises(InputError, match="no category has rank 59"):
        Babel(labels="babel60").survey(raw)
    path.unlink()
    with pytest.raises(InputError, match=r"action_label_2_idx\.json: no such file"):
        Babel(labels="babel120").survey(raw)
    Babel().survey(raw)


def test_classes_for_detection_are_the_most_labelled_of_train(tmp_path):
    train = [
        record(1, place(1), 2.0, [(0, 1, ["walk"]), (1, 2, ["walk", "wave"]), (0, 2, ["transition"])]),
        record(2, place(2), 2.0, [(0, 1, ["bend"]), (1, 2, ["transition"]), (0, 1, None)]),
    ]
    val = [record(3, place(3), 2.0, [(0, 1, ["jump"])] * 9)]
    raw = release(tmp_path, {"train": train, "val": val})
    survey = Babel(labels="tal20", rules="fixed").survey(raw)
    assert survey.labels == LabelSet(("walk", "bend", "wave"), exclusive=False)
    given_classes = tmp_path / "classes.txt"
    given_classes.write_text("# of the paper\njump\n\nwave\n")
    survey, takes = read_all(Babel(labels="tal60", rules="fixed", classes=given_classes), raw)
    assert survey.labels.names == ("jump", "wave")
    assert sorted(takes) == ["1", "3"]
    for text in ("", "walk\nwalk\n"):
        given_classes.write_text(text)
        with pytest.raises(InputError, match=r"classes\.txt: expected categories"):
            Babel(labels="tal20", rules="fixed", classes=given_classes).survey(raw)


# ---- mistakes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"labels": "tal20"}, "--labels tal20 may overlap.*add --rules fixed"),
        ({"translation": True}, "--translation.*add --rules fixed"),
        ({"classes": Path("x.txt")}, "--classes goes with --labels tal20 or tal60, not subset1"),
        ({"motion": ("bvh", "x")}, "--motion is 'bvh x', expected cmu-amc and a folder"),
        ({"motion": ("cmu-amc", "x"), "body_model": Path("y")}, "leave out --amass and --body-model"),
        ({"longest": -1}, "--longest is -1"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, says):
    with pytest.raises(InputError, match=says):
        Babel(**options)


def test_missing_files_are_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"this is not BABEL: expected babel_v1\.0_release/train\.json"):
        Babel().survey(tmp_path)
    write_release(tmp_path, {"train": []})
    with pytest.raises(InputError, match=r"amass: no such folder.*--amass"):
        Babel().survey(tmp_path)
    (tmp_path / "amass").mkdir()
    with pytest.raises(InputError, match=r"no body model in .*mano\.is\.tue\.mpg\.de"):
        Babel().survey(tmp_path)
    with pytest.raises(InputError, match=r"no body model in .*elsewhere"):
        Babel(body_model=tmp_path / "elsewhere").survey(tmp_path)
    (tmp_path / "model.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match=r"model\.npz: not a whole \.npz"):
        Babel(body_model=tmp_path / "model.npz").survey(tmp_path)
    with pytest.raises(InputError, match=r"cmu: no such folder"):
        Babel(motion=("cmu-amc", str(tmp_path / "cmu"))).survey(tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"feat_p": None}, "feat_p is None"),
        ({"feat_p": "../../etc/x.npz"}, "feat_p is"),
        ({"dur": "long"}, "dur is 'long'"),
        ({"dur": 0}, "dur is 0"),
        ({"dur": float("nan")}, "dur is nan"),
        ({"frame_ann": {"labels": None}}, "no list 'labels'"),
        ({"frame_ann": {"labels": [3]}}, "frame label 0: found int"),
        ({"frame_ann": {"labels": [{"act_cat": "walk", "start_t": 0, "end_t": 1}]}}, "act_cat is 'walk'"),
        ({"frame_ann": {"labels": [{"act_cat": ["walk"], "start_t": 0}]}}, "frame label 0: end_t is None"),
        ({"frame_ann": None, "frame_anns": 3}, "frame_anns is int"),
    ],
)
def test_broken_records_are_refused_one_by_one(tmp_path, change, says):
    good = record(2, place(2), 2.0, [(0, 2, ["walk"])])
    raw = release(tmp_path, {"train": [record(1, place(1), 2.0, [(0, 2, ["walk"])]), good]})
    path = raw / RELEASE / "train.json"
    records = json.loads(path.read_text())
    records["1"] |= change
    path.write_text(json.dumps(records))
    survey = Babel().survey(raw)
    assert [item.name for item in survey.items] == ["2"]
    [(file, reason)] = survey.refused
    assert file == path
    assert f"{path}, record 1: " in reason
    assert says in reason


def test_a_file_that_is_no_json_is_refused(tmp_path):
    raw = release(tmp_path, {"train": [record(1, place(1), 2.0, [(0, 2, ["walk"])])]})
    for text in ("{", "[]"):
        (raw / RELEASE / "val.json").write_text(text)
        with pytest.raises(InputError, match=r"val\.json"):
            Babel().survey(raw)


def test_a_sequence_listed_twice_is_read_once(tmp_path):
    one = record(1, place(1), 2.0, [(0, 2, ["walk"])])
    raw = release(tmp_path, {"train": [one], "val": [one]})
    survey = Babel().survey(raw)
    assert [item.name for item in survey.items] == ["1"]
    assert "val.json, record 1: another file lists it already" in survey.refused[0][1]


def test_a_classifier_separates_motion_of_different_categories(tmp_path):
    """The maker's use: a dry run of training needs classes that move differently."""
    rng = np.random.default_rng(0)
    still = poses_of(limb_angles(rng, [(0, 2, ["walk"])], 2.0, 30.0))
    other = poses_of(limb_angles(rng, [(0, 2, ["turn"])], 2.0, 30.0))
    again = poses_of(limb_angles(rng, [(0, 2, ["walk"])], 2.0, 30.0))
    mean = [poses.mean(axis=0) for poses in (still, other, again)]
    assert np.abs(mean[0] - mean[2]).max() < 0.25 * np.abs(mean[0] - mean[1]).max()


def test_babel_becomes_a_corpus(tmp_path):
    raw = write_babel(tmp_path / "raw", np.random.default_rng(2), sequences=3, seconds=(2, 3))
    (raw / "amass/CMU/02/02_01_poses.npz").write_bytes(b"broken")
    summary = prepare_recipe(RECIPES["babel"](), raw, tmp_path / "corpus", workers=1)
    assert (summary.recordings, summary.annotated) == (2, 2)
    assert list(summary.label_spans) == ["walk", "stand", "turn", "jump"]
    assert "02_01_poses.npz" in summary.refused[0][1]
    fold = Corpus.open(tmp_path / "corpus").fold("official", 1)
    assert (fold.train, fold.test) == (("1000",), ("1002",))
