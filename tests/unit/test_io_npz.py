"""NPZ: the plain form a user writes, and the whole Recording that save_npz keeps."""

from __future__ import annotations

import numpy as np
import pytest

from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.data.skeleton import Skeleton
from kinespan.data.skeletons import COCO_17, NTU_25, SMPL_22
from kinespan.errors import InputError
from kinespan.io import ReadOptions, read, save_npz

RNG = np.random.default_rng(5)
POSITIONS = RNG.normal(size=(6, 17, 3)).astype(np.float32)


def write(folder, **fields):
    path = folder / "take.npz"
    np.savez(path, **{"positions": POSITIONS, "fps": 25, "skeleton": "coco17", **fields})
    return path


def without(folder, *names, **fields):
    path = folder / "take.npz"
    whole = {"positions": POSITIONS, "fps": 25, "skeleton": "coco17"} | fields
    np.savez(path, **{name: value for name, value in whole.items() if name not in names})
    return path


def test_npz_with_positions_fps_and_skeleton(tmp_path):
    take = read(write(tmp_path))
    assert take.recording.positions.shape == (6, 1, 17, 3)
    assert (take.recording.fps, take.recording.skeleton, take.recording.name) == (25.0, COCO_17, "take")
    assert take.annotation is None


def test_npz_with_joints_and_parents(tmp_path):
    path = without(tmp_path, "skeleton", joints=list(COCO_17.joints), parents=list(COCO_17.parents))
    skeleton = read(path).recording.skeleton
    assert skeleton.joints == COCO_17.joints
    assert skeleton.root == COCO_17.root


def test_npz_with_frame_labels(tmp_path):
    path = write(tmp_path, labels=["sit", "stand"], frame_ids=[0, 2, 2, -100, 1, 1], valid=[1, 1, 1, 1, 1, 0])
    take = read(path)
    assert [(span.start, span.end, span.label) for span in take.annotation.spans] == [
        (0.04, 0.12, "stand"), (0.16, 0.24, "sit"),
    ]  # fmt: skip
    assert take.annotation.frame_ids(6, 25).tolist() == [0, 2, 2, -100, 1, 1]
    assert take.recording.present.ravel().tolist() == [True] * 5 + [False]


@pytest.mark.parametrize("skeleton", [NTU_25, SMPL_22, COCO_17])
def test_saved_recordings_are_read_back(tmp_path, skeleton):
    own = Skeleton(**(skeleton.to_dict() | {"name": "own", "body_parts": ()}))
    valid = np.array([[True, True], [True, False], [False, True]])
    recording = Recording(
        RNG.normal(size=(3, 2, skeleton.num_joints, 3)),
        29.97,
        own,
        "walk é",
        valid,
        "walk.bvh",
        {"who": "P1"},
        ("made",),
    )
    annotation = Annotation(
        (Span(0.0, 0.05, "a", score=0.5), Span(0.02, 0.1, "b", person=1)), LabelSet(("a", "b"), False), ((0.0, 0.09),)
    )
    take = read(save_npz(recording, tmp_path / "folder.name", annotation))
    again = take.recording
    assert again.checksum() == recording.checksum()
    assert (again.skeleton, again.name, again.source) == (own, "walk é", "walk.bvh")
    assert dict(again.attributes) == {"who": "P1"}
    assert again.history[0] == "made"
    assert take.annotation == annotation
    assert (tmp_path / "folder.name.npz").is_file()


def test_spans_follow_skipped_frames_and_a_new_rate(tmp_path):
    recording = Recording(POSITIONS[:, None], 10.0, COCO_17, "x")
    annotation = Annotation((Span(0.0, 0.1, "a"), Span(0.1, 0.4, "a")), LabelSet(("a",)), ((0.0, 0.6),))
    path = save_npz(recording, tmp_path / "x.npz", annotation)
    moved = read(path, options=ReadOptions(skip_frames=2)).annotation
    assert [(round(span.start, 9), round(span.end, 9)) for span in moved.spans] == [(0.0, 0.2)]
    faster = read(path, options=ReadOptions(fps=20)).annotation
    assert [(span.start, span.end) for span in faster.spans] == [(0.0, 0.05), (0.05, 0.2)]
    assert faster.covered == ((0.0, 0.3),)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"positions": np.zeros((6, 17, 2))}, r"positions have shape \(6, 1, 17, 2\)"),
        ({"positions": np.zeros((0, 17, 3))}, "positions have shape"),
        ({"positions": np.array(["a"])}, "field 'positions' holds <U1, expected numbers"),
        ({"positions": np.full((6, 17, 3), np.nan)}, "no frame with a person in it"),
        ({"positions": np.full((6, 17, 3), np.inf)}, "frame 0 of positions holds an infinite value"),
        ({"positions": np.zeros((6, 16, 3))}, r"expected \(T, P, 17, 3\)"),
        ({"positions": np.array([{}], dtype=object)}, "without pickled objects"),
        ({"fps": 0}, "'fps' is 0, expected one positive number"),
        ({"fps": [1, 2]}, r"'fps' is \[1, 2\]"),
        ({"skeleton": "ntu26"}, "did you mean 'ntu25'"),
        ({"skeleton": "{"}, "'skeleton' is not JSON"),
        ({"skeleton": '{"name": "x"}'}, "'joints' is missing"),
        ({"skeleton": 5}, "'skeleton' must be one text"),
        ({"valid": np.ones(5, dtype=bool)}, r"'valid' has shape \(5,\), expected"),
        ({"valid": np.zeros(6, dtype=bool)}, "no frame with a person"),
        ({"frame_ids": [0] * 6}, "field 'labels' is missing"),
        ({"frame_ids": [0] * 5, "labels": ["a"]}, "one whole number for each of 6 frames"),
        ({"frame_ids": [0, 0, 2, 0, 0, 0], "labels": ["a"]}, r"frame_ids\[2\] is 2, expected 0..1 or -100"),
        ({"annotation": '{"labels": ["a"]}'}, "'annotation' does not describe an annotation"),
        ({"attributes": "[1]"}, "'attributes' is list in JSON, not dict"),
    ],
)
def test_wrong_fields_are_named(tmp_path, fields, message):
    with pytest.raises(InputError, match=f"take.npz: .*{message}"):
        read(write(tmp_path, **fields), format="npz")


@pytest.mark.parametrize("name", ["positions", "skeleton"])
def test_missing_fields_are_named(tmp_path, name):
    with pytest.raises(InputError, match=f"field '{name}' is missing; available:"):
        read(without(tmp_path, name), format="npz")


def test_saving_into_a_missing_folder_is_refused(tmp_path):
    recording = Recording(POSITIONS[:, None], 10.0, COCO_17, "x")
    with pytest.raises(InputError, match="cannot be written"):
        save_npz(recording, tmp_path / "nowhere" / "x.npz")


# ---- what was not seen -----------------------------------------------------------------------------------------


def test_nan_is_not_seen_and_nothing_is_filled(tmp_path):
    positions = POSITIONS.copy()
    positions[1, 3] = np.nan
    positions[2, 4, 1] = np.nan  # one coordinate: the joint is not seen
    positions[4] = np.nan
    recording = read(write(tmp_path, positions=positions)).recording
    assert [tuple(place) for place in np.argwhere(~recording.valid[:, 0])] == [
        (1, 3), (2, 4), *((4, joint) for joint in range(17)),
    ]  # fmt: skip
    assert recording.present[:, 0].tolist() == [True, True, True, True, False, True]
    assert not recording.positions[~recording.valid].any()
    np.testing.assert_array_equal(recording.positions[recording.valid], POSITIONS[:, None][recording.valid])


@pytest.mark.parametrize("name", ["valid", "confidence"])
@pytest.mark.parametrize("shape", ["T", "TP", "TPJ", "TJ"])
def test_what_was_seen_is_said_of_frames_people_or_joints(tmp_path, name, shape):
    sizes = {"T": 6, "P": 1, "J": 17}
    seen = np.ones([sizes[letter] for letter in shape], dtype=bool if name == "valid" else float)
    seen[2] = 0
    recording = read(write(tmp_path, **{name: seen})).recording
    assert (~recording.valid).any(axis=2)[:, 0].tolist() == [False, False, True, False, False, False]
    assert not recording.valid[2].any()


def test_confidence_hides_joints_that_were_not_seen_and_those_below_the_threshold(tmp_path):
    confidence = np.full((6, 17), 0.9)
    confidence[0, :4] = 0.0, -1.0, np.nan, 0.2
    path = write(tmp_path, confidence=confidence)
    recording = read(path).recording
    assert recording.valid[0, 0].tolist() == [False] * 3 + [True] * 14
    assert "decided: joints of confidence 0 count as not seen (2.9 %)" in recording.history
    recording = read(path, options=ReadOptions(min_confidence=0.5)).recording
    assert recording.valid[0, 0].tolist() == [False] * 4 + [True] * 13
    assert "decided: joints of confidence below 0.5 count as not seen (3.9 %)" in recording.history
    assert read(write(tmp_path, confidence=np.ones(6))).recording.valid.all()


def test_valid_confidence_and_nan_all_have_to_agree(tmp_path):
    positions, valid, confidence = POSITIONS.copy(), np.ones((6, 17), dtype=bool), np.ones((6, 17))
    positions[0, 0], valid[0, 1], confidence[0, 2] = np.nan, False, 0
    recording = read(write(tmp_path, positions=positions, valid=valid, confidence=confidence)).recording
    assert np.flatnonzero(~recording.valid[0, 0]).tolist() == [0, 1, 2]


# ---- time ------------------------------------------------------------------------------------------------------


def test_uneven_times_stay_and_the_rate_is_their_median(tmp_path):
    times = np.array([7.0, 7.033, 7.066, 9.1, 9.133, 9.2])
    take = read(without(tmp_path, "fps", times=times, labels=["a"], frame_ids=[0, 1, 1, 1, 0, 0]))
    recording = take.recording
    np.testing.assert_allclose(recording.times, times - 7)
    assert recording.fps == pytest.approx(1 / 0.033)
    assert "times of the file, 33 to 2034 ms apart" in recording.history[0]
    span = take.annotation.spans[0]
    assert (span.start, span.end) == (pytest.approx(0.033), pytest.approx(2.133))
    again = read(save_npz(recording, tmp_path / "again.npz", take.annotation))
    assert again.recording.checksum() == recording.checksum()
    np.testing.assert_array_equal(again.recording.times, recording.times)
    assert again.annotation == take.annotation


def test_skipped_frames_and_a_given_rate_of_uneven_frames(tmp_path):
    times = np.array([0, 0.03, 0.07, 0.5, 0.53, 0.57])
    annotation = Annotation((Span(0.07, 0.53, "a"),), LabelSet(("a",)))
    path = save_npz(Recording(POSITIONS[:, None], 30.0, COCO_17, "x", times=times), tmp_path / "x.npz", annotation)
    skipped = read(path, options=ReadOptions(skip_frames=2))
    np.testing.assert_allclose(skipped.recording.times, [0, 0.43, 0.46, 0.5])
    assert [(span.start, pytest.approx(span.end)) for span in skipped.annotation.spans] == [(0.0, 0.46)]
    given = read(path, options=ReadOptions(fps=10)).recording
    assert (given.times, given.fps) == (None, 10)


@pytest.mark.parametrize("jitter", [0.0, 1e-4])
def test_times_that_are_even_are_a_rate(tmp_path, jitter):
    times = np.arange(6) / 25 + jitter * np.array([0, 1, -1, 1, -1, 0]) + 3
    recording = read(without(tmp_path, "fps", times=times)).recording
    assert (recording.times, recording.fps) == (None, 25.0)
    assert "25 fps (times of the file)" in recording.history[0]


def test_times_hold_against_a_rate_that_contradicts_them(tmp_path):
    recording = read(write(tmp_path, fps=30, times=np.arange(6) / 10)).recording
    assert recording.fps == 10
    assert "times of the file, though its fps says 30" in recording.history[0]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (np.arange(6) * 33.3, "'times' rises by 33.3 a frame, expected seconds; divide it, as by 1000 for ms"),
        (np.arange(6.0)[::-1], "'times' must hold a rising number of seconds for each of 6 frames"),
        (np.arange(5) / 30, "for each of 6 frames"),
        (np.array([0, 0.1, np.nan, 0.3, 0.4, 0.5]), "for each of 6 frames"),
    ],
)
def test_times_that_are_no_seconds_are_refused(tmp_path, times, message):
    with pytest.raises(InputError, match=f"take.npz: field .*{message}"):
        read(write(tmp_path, times=times))


def test_a_file_without_a_rate_needs_one_and_is_known_all_the_same(tmp_path):
    path = without(tmp_path, "fps")
    with pytest.raises(InputError, match=r"take.npz: the file states no frame rate; give it, for example --fps 120"):
        read(path)
    assert read(path, options=ReadOptions(fps=30)).recording.fps == 30
    assert read(path, options=ReadOptions(fps=30), override_fps=False).recording.fps == 30


def test_a_given_rate_overrides_a_stated_one_only_where_it_may(tmp_path):
    path = write(tmp_path)
    given = read(path, options=ReadOptions(fps=30)).recording
    assert given.fps == 30
    assert "30 fps (given, in place of 25: fps of the file)" in given.history[0]
    stated = read(path, options=ReadOptions(fps=30), override_fps=False).recording
    assert stated.fps == 25
    assert any(note.startswith("decided: the rate of the file stays; --fps is for those") for note in stated.history)


# ---- layout and fields -----------------------------------------------------------------------------------------


def test_people_and_frames_that_seem_swapped_are_refused(tmp_path):
    swapped = RNG.normal(size=(2, 20, 17, 3))
    message = r"shape \(2, 20, 17, 3\), 2 frames of 20 people; people and frames seem swapped.*swapaxes\(0, 1\)"
    with pytest.raises(InputError, match=message):
        read(write(tmp_path, positions=swapped))
    assert read(write(tmp_path, positions=swapped.swapaxes(0, 1))).recording.num_people == 2
    assert read(write(tmp_path, positions=RNG.normal(size=(2, 3, 17, 3)))).recording.num_people == 3
    crowd = Recording(
        swapped, 30.0, COCO_17, "crowd", valid=np.ones((2, 20), dtype=bool)
    )  # kinespan's own file says what was seen of whom
    assert read(save_npz(crowd, tmp_path / "crowd.npz")).recording.num_people == 20


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"unit": "yard"}, "'unit' is 'yard', expected one of m, cm, mm, in, ft"),
        ({"up": "w"}, "'up' is 'w', expected one of x, y, z, -x, -y, -z"),
        ({"confidence": np.ones((6, 3))}, r"'confidence' has shape \(6, 3\), expected"),
        ({"valid": np.array(["a"] * 6)}, "'valid' must be true or false"),
    ],
)
def test_fields_of_space_and_of_what_was_seen_are_checked(tmp_path, fields, message):
    with pytest.raises(InputError, match=f"take.npz: field {message}"):
        read(write(tmp_path, **fields))


def test_a_saved_recording_says_what_each_joint_is(tmp_path):
    recording = Recording(POSITIONS[:, None], 10.0, COCO_17, "x", valid=RNG.uniform(size=(6, 1, 17)) < 0.7)
    with np.load(save_npz(recording, tmp_path / "x.npz")) as archive:
        assert archive["canonical"].tolist() == [part or "" for part in COCO_17.body_parts]
        assert archive["joints"].tolist() == list(COCO_17.joints)
        assert archive["parents"].tolist() == list(COCO_17.parents)
        assert archive["positions"].shape == (6, 1, 17, 3)
        np.testing.assert_array_equal(archive["valid"], recording.valid)
        assert (str(archive["unit"]), str(archive["up"]), float(archive["fps"])) == ("m", "y", 10.0)
