"""Joint centres from markers: known centres come back, whatever the pose, the place, the unit and the names."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.cli import main
from kinespan.corpus.store import Corpus
from kinespan.data.joint_centres import joint_centres
from kinespan.data.joint_map import map_recording, missing_parts
from kinespan.data.joint_report import check_common_skeleton
from kinespan.data.marker_sets import find_marker_set
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.io import ReadOptions, read
from kinespan.io.rotations import chained
from makers import marked_person, person

KINDS = tuple(marked_person.SIDED)
WHOLE = ("Plug-in Gait", "CMU", "OptiTrack", "ISB")
EXACT = {
    "Plug-in Gait": ("hip", "knee", "ankle", "shoulder", "elbow", "wrist", "hand", "foot"),
    "Helen Hayes": ("hip", "knee", "ankle", "foot"),
    "CMU": ("hip", "shoulder", "elbow", "wrist", "hand", "foot"),
    "OptiTrack": ("hip", "wrist", "hand", "foot"),
    "ISB": ("hip", "knee", "ankle", "shoulder", "elbow", "wrist", "foot"),
}
NEAR = 0.03
"""Metres that a knee, ankle or elbow may be off whose axis the markers do not tell."""


def markers_of(kind, frames=30):
    """Names, positions (T, N, 3) in metres, and the true centres."""
    joints, marks = marked_person.walk(frames)
    names = marked_person.marker_names(kind)
    return tuple(names), np.stack([marks[landmark] for landmark in names.values()], axis=1), joints


def errors(centres, joints, part):
    return max(np.abs(centres[f"{side}_{part}"] - joints[f"{side}_{part}"]).max() for side in ("left", "right"))


@pytest.mark.parametrize("kind", KINDS)
def test_each_set_is_known_and_its_joints_are_where_they_were_made(kind):
    names, positions, joints = markers_of(kind)
    markers = find_marker_set(names)
    assert markers.name == kind
    centres = joint_centres(markers, positions, 1.0)
    for part in EXACT[kind]:
        assert errors(centres, joints, part) < 1e-9, part
    for part in {"knee", "ankle", *(("elbow", "shoulder") if kind in WHOLE else ())} - set(EXACT[kind]):
        assert errors(centres, joints, part) < NEAR, part
        lateral = f"left_{part}"
        outside = positions[
            :, list(names).index(next(n for n, v in marked_person.marker_names(kind).items() if v == lateral))
        ]
        assert (
            np.linalg.norm(centres[lateral] - joints[lateral], axis=1).max()
            < np.linalg.norm(outside - joints[lateral], axis=1).min()
        )
    for part in ("pelvis", *(("chest", "spine", "head") if kind in ("Plug-in Gait", "CMU") else ())):
        np.testing.assert_allclose(centres[part], joints[part], atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    angles=st.lists(st.floats(-3, 3), min_size=3, max_size=3),
    metres=st.sampled_from([1.0, 0.01, 0.001]),
)
def test_centres_turn_and_move_with_the_body_and_do_not_depend_on_the_unit(kind, angles, metres):
    names, positions, _ = markers_of(kind, frames=6)
    markers = find_marker_set(names)
    rotation, shift = chained(np.array(angles), "zxy"), np.array([3.0, -1.0, 2.0])
    plain = joint_centres(markers, positions, 1.0)
    moved = joint_centres(markers, (positions @ rotation.T + shift) / metres, metres)
    assert moved.keys() == plain.keys()
    for part, values in plain.items():
        np.testing.assert_allclose(moved[part] * metres, values @ rotation.T + shift, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_mirrored_body_has_mirrored_centres(kind):
    names, positions, _ = markers_of(kind)
    markers = find_marker_set(names)
    landmark = {point: name for name, point in markers.points.items()}
    swapped = [
        markers.points.get(
            {"left": "right", "right": "left"}.get(name.partition("_")[0], "") + name[name.find("_") :], point
        )
        for point, name in sorted(landmark.items())
    ]
    mirror = np.array([-1.0, 1, 1])
    plain, mirrored = (
        joint_centres(markers, positions, 1.0),
        joint_centres(markers, positions[:, swapped] * mirror, 1.0),
    )
    for part, values in plain.items():
        side, _, rest = part.partition("_")
        other = {"left": "right_", "right": "left_"}.get(side)
        np.testing.assert_allclose(mirrored[part if other is None else other + rest], values * mirror, atol=1e-9)


def test_a_hip_by_hand():
    """Of a pelvis 240 mm wide and 160 mm deep: 48.3 mm behind, 82.9 below and 86.5 beside the middle of its front."""
    names = ("LASI", "RASI", "LPSI", "RPSI", "LKNE", "RKNE", "LANK", "RANK")
    pelvis = [(-120, 0, 0), (120, 0, 0), (-50, 0, 160), (50, 0, 160)]
    legs = [(-150, -500, 0), (150, -500, 0), (-140, -900, 50), (140, -900, 50)]
    centres = joint_centres(find_marker_set(names), np.array([pelvis + legs], dtype=float), 0.001)
    np.testing.assert_allclose(centres["right_hip"], [[86.5, -82.9, 48.3]])
    np.testing.assert_allclose(centres["left_hip"], [[-86.5, -82.9, 48.3]])


def test_a_wand_that_is_far_out_of_the_plane_is_turned_back():
    names, positions, joints = markers_of("Helen Hayes")
    markers = find_marker_set(names)
    for name in ("LTHI", "RTHI"):
        positions[:, names.index(name)] += 0.3 * marked_person.FORWARD
    assert errors(joint_centres(markers, positions, 1.0), joints, "knee") < NEAR


def test_straight_limbs_have_centres_too():
    names, positions, joints = markers_of("CMU", frames=1)
    arm = {side: joints[f"{side}_shoulder"][0] for side in ("left", "right")}
    for side, sign in (("left", -1), ("right", 1)):
        elbow = arm[side] + [0, -0.32, 0]
        letter = side[0].upper()
        positions[0, names.index(f"{letter}ELB")] = elbow + np.array([sign * 0.04, 0, 0])
        for name, z in (("WRA", 0.03), ("WRB", -0.03)):
            positions[0, names.index(f"{letter}{name}")] = elbow + np.array([0, -0.27, z])
    centres = joint_centres(find_marker_set(names), positions, 1.0)
    for side in ("left", "right"):
        np.testing.assert_allclose(centres[f"{side}_elbow"][0], arm[side] + [0, -0.32, 0], atol=0.012)


def test_what_cannot_be_seen_is_not_made_up():
    names, positions, _ = markers_of("Plug-in Gait")
    whole = joint_centres(find_marker_set(names), positions, 1.0)
    positions[5, names.index("LASI")] = np.nan
    positions[7, names.index("RELB")] = np.nan
    centres = joint_centres(find_marker_set(names), positions, 1.0)
    unseen = {part: np.flatnonzero(np.isnan(values[:, 0])).tolist() for part, values in centres.items()}
    assert unseen["left_hip"] == unseen["right_hip"] == unseen["left_knee"] == unseen["pelvis"] == [5]
    assert unseen["right_elbow"] == [7]
    assert unseen["left_elbow"] == unseen["head"] == unseen["left_wrist"] == []
    np.testing.assert_allclose(centres["left_hip"][6], whole["left_hip"][6])


@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(KINDS), share=st.floats(0, 1), seed=st.integers(0, 2**32), flat=st.booleans())
def test_any_gaps_and_any_places_give_centres_or_none(kind, share, seed, flat):
    rng = np.random.default_rng(seed)
    names, positions, _ = markers_of(kind, frames=5)
    positions = np.round(positions) if flat else positions  # many markers in one place
    positions[rng.random(positions.shape[:2]) > share] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        centres = joint_centres(find_marker_set(names), positions, 1.0)
    assert all(values.shape == (5, 3) and np.isfinite(values).any() for values in centres.values())


@pytest.mark.parametrize(
    "names",
    [
        ("LASI", "RASI", "LKNE", "RKNE", "LANK", "RANK"),  # nothing at the back of the pelvis
        ("LASI", "SACR", "RASI", "RTHI", "RKNE", "RANK", "RHEE", "RTOE"),  # one leg
        ("hip", "knee", "ankle"),
    ],
)
def test_other_sets_are_not_known(names):
    assert find_marker_set(names) is None


# --- as a step of reading ------------------------------------------------------------------------------------------


def write_markers(path, kind, prefix="", people=1, unit=0.001, extra=(), stated="mm"):
    names, positions, joints = markers_of(kind)
    for name, values in extra:
        names, positions = (*names, name), np.concatenate([positions, values(joints)[:, None]], axis=1)
    everybody = np.stack([positions + np.array([2.0 * person, 0, 0]) for person in range(people)], axis=1)
    np.savez(
        path,
        positions=everybody / unit,
        fps=100.0,
        joints=np.array([prefix + name for name in names]),
        parents=np.full(len(names), -1),
        **({"unit": stated} if stated else {}),
    )
    return joints


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_of_markers_is_read_as_a_whole_person(kind, tmp_path):
    joints = write_markers(tmp_path / "take.npz", kind, prefix="Anna:", people=2)
    recording = read(tmp_path / "take.npz").recording
    assert not missing_parts(recording.skeleton, NTU_25)
    knee = recording.skeleton.joints.index("left_knee")
    assert recording.positions.shape[1] == 2
    assert np.linalg.norm(recording.positions[:, 0, knee] - joints["left_knee"], axis=1).max() < NEAR
    apart = recording.positions[:, 1] - recording.positions[:, 0]
    np.testing.assert_allclose(apart, np.broadcast_to([2, 0, 0], apart.shape), atol=1e-5)
    note = next(note for note in recording.history if "joint centres" in note)
    assert note.startswith(f"decided: {recording.skeleton.num_joints} joint centres from ")
    assert f"markers of the {kind} set (hips Harrington 2007, knees " in note
    assert "--markers keep has the markers" in note
    assert map_recording(recording, NTU_25).valid.all()


def test_markers_are_kept_where_that_is_asked_for_or_the_joints_are_given(tmp_path):
    write_markers(tmp_path / "take.npz", "Plug-in Gait")
    names = tuple(marked_person.marker_names("Plug-in Gait"))
    kept = read(tmp_path / "take.npz", options=ReadOptions(markers="keep")).recording
    assert kept.skeleton.joints == names
    (tmp_path / "lab.yaml").write_text("joints:\n  LKNE: left_knee\n")
    given = read(tmp_path / "take.npz", options=ReadOptions(joints=tmp_path / "lab.yaml")).recording
    assert given.skeleton.joints == names
    with pytest.raises(InputError, match="--markers is 'skin', expected joints or keep"):
        ReadOptions(markers="skin")


def test_the_unit_is_that_of_the_pelvis_where_the_file_says_none_or_another(tmp_path):
    joints = write_markers(tmp_path / "take.npz", "Plug-in Gait", stated=None)  # read as metres by default: 240 m wide
    recording = read(tmp_path / "take.npz").recording
    hip = recording.positions[:, 0, recording.skeleton.joints.index("left_hip")]
    np.testing.assert_allclose(hip, joints["left_hip"], atol=1e-5)


def test_joint_centres_of_the_file_are_taken_as_they_are(tmp_path):
    """Plug-in Gait writes the proximal end of the femur, which is its hip joint centre."""
    shift = np.array([0.01, 0.02, 0.03])
    extra = (("LFEP", lambda joints: joints["left_hip"] + shift), ("RFEP", lambda joints: joints["right_hip"] + shift))
    joints = write_markers(tmp_path / "take.npz", "Plug-in Gait", extra=extra)
    recording = read(tmp_path / "take.npz").recording
    hip, knee = (recording.positions[:, 0, recording.skeleton.joints.index(f"left_{part}")] for part in ("hip", "knee"))
    np.testing.assert_allclose(hip, joints["left_hip"] + shift, atol=1e-5)
    np.testing.assert_allclose(knee, joints["left_knee"], atol=1e-5)
    assert any("2 are the file's own" in note for note in recording.history)


def test_a_legs_only_set_stands_up_by_its_markers(tmp_path):
    """Without a head the joints do not tell which way is up; the history says what was decided."""
    write_markers(tmp_path / "take.npz", "Helen Hayes")
    recording = read(tmp_path / "take.npz").recording
    assert recording.skeleton.joints[0] == "pelvis"
    assert {"left_hip", "right_knee", "left_ankle", "right_foot"} <= set(recording.skeleton.joints)
    assert not {"head", "left_shoulder"} & set(recording.skeleton.joints)


def test_recordings_of_markers_and_of_joints_share_a_corpus(tmp_path, capsys):
    write_markers(tmp_path / "optical.npz", "CMU")
    np.savez(
        tmp_path / "suit.npz",
        positions=person.standing(),
        fps=60.0,
        joints=np.array(person.JOINTS),
        parents=np.array(person.PARENTS),
    )
    assert main(["prepare", str(tmp_path), "--out", str(tmp_path / "corpus")]) == 0
    corpus = Corpus.open(tmp_path / "corpus")
    check_common_skeleton({info.name: info.skeleton for info in corpus.infos})
    assert any("joint centres from" in line for line in corpus.decisions)
    capsys.readouterr()
    kept = tmp_path / "kept"
    assert main(["prepare", str(tmp_path / "optical.npz"), "--out", str(kept), "--markers", "keep"]) == 0
    assert "LFWT" in Corpus.open(kept).infos[0].skeleton.joints
    assert main(["info", str(tmp_path / "optical.npz"), "--markers", "keep"]) == 0
    assert "the joints are markers on the skin" in capsys.readouterr().out
