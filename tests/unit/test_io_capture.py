"""TRC, Motive CSV, Qualisys TSV, Motion-BIDS and MVNX: what real files of each do that no other format does."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinespan.errors import InputError
from kinespan.io import ReadOptions, decimals, detect, read
from makers import capture, person

POINTS = np.random.default_rng(3).uniform(-900, 900, size=(6, 3, 3)).round(3)
"""(6, 3, 3) millimetres"""
UP = ReadOptions(up="y")


def history(path, options=UP):
    return "\n".join(read(path, options=options).recording.history)


def replaced(path, *pairs):
    text = path.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)
    return path


# ---- TRC ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "style", [{}, {"mark": ","}, {"gap": 2}, {"end": "\t\r\n"}, {"end": " \r\n"}, {"missing": "NaN"}]
)
@pytest.mark.parametrize("way", ["_scan_fields_compiled", None])
def test_trc_is_read_whatever_its_separators_and_ends_of_lines(tmp_path, monkeypatch, style, way):
    if way is None:
        monkeypatch.setattr(decimals, "_scan_fields_compiled", None)
    points = POINTS.copy()
    points[2, 1] = points[0, 0] = points[5, 2] = np.nan
    path = capture.write_trc(tmp_path / "a.trc", points, ["A 1", "B.2", "C"], **style)
    recording = read(path, options=UP).recording
    assert recording.skeleton.joints == ("A 1", "B.2", "C")
    seen = np.isfinite(points).all(axis=2)
    np.testing.assert_array_equal(recording.valid[:, 0], seen)
    np.testing.assert_allclose(recording.positions[:, 0][seen], points[seen] / 1000, rtol=1e-6)
    assert (recording.fps, recording.times) == (100.0, None)


def test_trc_without_a_body_asks_which_axis_points_up(tmp_path):
    path = capture.write_trc(tmp_path / "a.trc", POINTS, "ABC")
    with pytest.raises(InputError, match=r"a\.trc: .*--up z"):
        read(path)


@pytest.mark.parametrize("turn", [lambda p: p, capture.z_up])
def test_the_axis_of_trc_is_that_of_the_body(tmp_path, turn):
    path = capture.write_trc(tmp_path / "a.trc", turn(capture.WALKER), person.JOINTS, unit="m")
    np.testing.assert_allclose(read(path).recording.positions[:, 0], capture.WALKER, atol=1e-4)


def test_the_times_of_trc_win_over_its_rate_and_it_is_said(tmp_path):
    path = capture.write_trc(tmp_path / "a.trc", POINTS, "ABC", rate=250, times=0.04 * np.arange(6))
    assert read(path, options=UP).recording.fps == 25.0
    assert (
        "decided: 25 frames a second by the times of the rows (they are 0.04 s apart, though the header says 250)"
        in (history(path))
    )


def test_times_of_few_digits_are_no_uneven_ones(tmp_path):
    """At 120 a second, times of three digits are up to 6 % of a frame off."""
    recording = read(capture.write_trc(tmp_path / "a.trc", POINTS, "ABC", rate=120), options=UP).recording
    assert (recording.fps, recording.times) == (120.0, None)


def test_dropped_frames_of_trc_leave_a_hole(tmp_path):
    times = np.array([0, 0.01, 0.02, 0.2, 0.21, 0.22])
    recording = read(capture.write_trc(tmp_path / "a.trc", POINTS, "ABC", times=times), options=UP).recording
    assert recording.fps == 100.0
    np.testing.assert_allclose(recording.times, times)


def test_counts_of_trc_that_do_not_hold_are_told(tmp_path):
    path = capture.write_trc(tmp_path / "a.trc", POINTS, "ABC", frames=652)
    assert "warning: the file has 6 frames, its header says 652" in history(path)
    lines = path.read_text().split("\n")
    lines[7] += "\t1\t2\t3\t4\t5\t6"  # two trajectories without a name
    path.write_text("\n".join(lines))
    assert "columns without a name are left out (6)" in history(path)
    assert read(path, options=UP).recording.skeleton.num_joints == 3


def test_short_and_empty_rows_of_trc_are_not_seen(tmp_path):
    path = capture.write_trc(tmp_path / "a.trc", POINTS, "ABC")
    lines = path.read_text().split("\n")
    lines[7] = "\t".join(lines[7].split("\t")[:5])
    lines[8] = "\t".join(lines[8].split("\t")[:2])
    path.write_text("\n".join(lines))
    valid = read(path, options=UP).recording.valid[:, 0]
    assert valid[:3].tolist() == [[True] * 3, [True, False, False], [False] * 3]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\tmm\t", "\tfurlong\t", r":3: Units is 'furlong'.*--unit"),
        ("Frame#", "Bild", r":4: found 'Bild.*expected Frame#"),
        ("X1", "Q1", r":5: found .*expected X1"),
        ("2\t0.010", "2\t0.000", r":8: the time is 0 s, after 0 s"),
        ("2\t0.010\t", "2\t0.010\tabc", r":8: field 3 is 'abc.*expected a finite number or nothing"),
    ],
)
def test_broken_lines_of_trc_are_named(tmp_path, old, new, message):
    path = replaced(capture.write_trc(tmp_path / "a.trc", POINTS, "ABC"), (old, new))
    with pytest.raises(InputError, match=rf"a\.trc{message}"):
        read(path, options=UP)


def test_a_header_of_trc_alone_is_refused(tmp_path):
    path = capture.write_trc(tmp_path / "a.trc", POINTS, "ABC")
    path.write_text("\n".join(path.read_text().split("\n")[:6]))
    with pytest.raises(InputError, match=r"a\.trc: no row of values"):
        read(path)


# ---- Motive ------------------------------------------------------------------------------------------------------

BONES = [("Bone", f"Anna:{name}", capture.WALKER[:, joint]) for joint, name in enumerate(person.JOINTS)]


def test_bones_of_motive_are_the_joints_and_others_are_counted(tmp_path):
    markers = [("Marker", "Unlabeled 7", capture.WALKER[:, 0]), ("Bone Marker", "Anna:HeadTop", capture.WALKER[:, 1])]
    parents = {f"Anna:{name}": f"Anna:{above}" if above else "Root" for name, (above, _) in person.BODY.items()}
    parents |= {"Unlabeled 7": "", "Anna:HeadTop": ""}
    path = capture.write_motive(tmp_path / "a.csv", BONES + markers, parents=parents, version="1.25")
    recording = read(path).recording
    assert recording.skeleton.joints == person.JOINTS
    assert recording.skeleton.parents == person.PARENTS
    assert recording.attributes == {"subject": "Anna"}
    np.testing.assert_allclose(recording.positions[:, 0], capture.WALKER, atol=1e-5)
    assert "the joints are the columns of type Bone; others are left out (1 of type Marker, 1 of type Bone Marker)" in (
        history(path)
    )


def test_version_1_21_has_no_words_for_its_lines(tmp_path):
    path = capture.write_motive(tmp_path / "a.csv", BONES, version="1.21", words=False)
    np.testing.assert_allclose(read(path).recording.positions[:, 0], capture.WALKER, atol=1e-5)


def test_markers_that_stand_twice_are_taken_as_measured(tmp_path):
    measured, solved = POINTS[:, 0] / 1000, POINTS[:, 1] / 1000
    columns = [("Rigid Body", "cap", solved), ("Rigid Body Marker", "cap:Marker1", solved)]
    columns += [("Marker", "cap:Marker1", measured)]
    recording = read(capture.write_motive(tmp_path / "a.csv", columns)).recording
    assert recording.skeleton.joints == ("cap:Marker1",)
    np.testing.assert_allclose(recording.positions[:, 0, 0], measured, atol=1e-6)


def test_lost_rigid_bodies_are_gaps_and_frames_start_anywhere(tmp_path):
    points = POINTS / 1000
    points[1:3, 0] = np.nan
    columns = [("Rigid Body", f"device0{body}", points[:, body]) for body in range(3)]
    recording = read(capture.write_motive(tmp_path / "a.csv", columns, first=72210, rate=100)).recording
    assert recording.valid[:, 0, 0].tolist() == [True, False, False, True, True, True]
    assert (recording.fps, recording.times) == (100.0, None)


def test_skeletons_of_motive_are_people(tmp_path):
    columns = [
        ("Bone", f"{who}:{who if name == 'Hips' else name}", capture.WALKER[:, joint] + shift)
        for who, shift in (("Anna", 0), ("Bob", 2))
        for joint, name in enumerate(person.JOINTS)
    ]
    recording = read(capture.write_motive(tmp_path / "a.csv", columns)).recording
    assert recording.skeleton.joints == person.JOINTS
    np.testing.assert_allclose(recording.positions[:, 1] - recording.positions[:, 0], 2, atol=1e-5)


def test_rows_missing_in_motive_are_told_and_its_unit_holds(tmp_path):
    path = capture.write_motive(tmp_path / "a.csv", [("Marker", "A", POINTS[:, 0])], unit="Millimeters")
    replaced(path, ("Total Exported Frames,6", "Total Exported Frames,17263"))
    assert "warning: the file has 6 frames, its header says 17263" in history(path)
    np.testing.assert_allclose(read(path).recording.positions[:, 0, 0], POINTS[:, 0] / 1000, rtol=1e-5)
    with pytest.raises(InputError, match=r"a\.csv:1: Length Units is 'Parsecs'.*--unit"):
        read(replaced(path, ("Millimeters", "Parsecs")))


# ---- Qualisys ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [True, False])
@pytest.mark.parametrize("header", [True, False])
def test_qualisys_with_and_without_frame_and_time(tmp_path, columns, header):
    points = POINTS.copy()
    points[1, 1], points[2, 2] = 0, np.nan
    path = capture.write_qualisys(tmp_path / "a.tsv", points, ["New 0000", "B", "C"], columns=columns, header=header)
    recording = read(path, options=UP).recording
    assert recording.skeleton.joints == ("New 0000", "B", "C")
    assert np.argwhere(~recording.valid[:, 0]).tolist() == [[1, 1], [2, 2]]
    seen = recording.valid[:, 0]
    np.testing.assert_allclose(recording.positions[:, 0][seen], points[seen] / 1000, rtol=1e-6)
    assert recording.fps == 100.0
    with pytest.raises(InputError, match=r"a\.tsv: .*--up"):
        read(path)


def test_events_of_qualisys(tmp_path):
    events = [("LHS", 3, 0.02), ("outside", 900, 8.99)]
    path = capture.write_qualisys(tmp_path / "a.tsv", POINTS, "ABC", events=events)
    assert [(event.label, event.time) for event in read(path, options=UP).annotation.events] == [("LHS", 0.02)]


def test_other_data_of_qualisys_are_refused(tmp_path):
    path = replaced(capture.write_qualisys(tmp_path / "a.tsv", POINTS, "ABC"), ("\t3D", "\t6D"))
    with pytest.raises(InputError, match=r"a\.tsv: it holds 6D data.*export 3D"):
        read(path, options=UP)


# ---- Motion-BIDS -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("axis", "turn"), [("y", lambda p: p), ("z", capture.z_up), ("-z", lambda p: -capture.z_up(p) * [-1, 1, 1])]
)
def test_motion_bids_reads_axes_units_and_rate_beside_it(tmp_path, axis, turn):
    path = capture.write_bids(tmp_path, turn(POINTS), "ABC", extra=2, unit="mm", up=axis)
    take = read(path)
    np.testing.assert_allclose(take.recording.positions[:, 0], POINTS / 1000, atol=1e-6)
    assert take.recording.fps == 50.0
    assert take.recording.attributes == {"subject": "07"}
    assert "channels that are no positions are left out (2 of 11)" in history(path, ReadOptions())


def test_files_beside_motion_bids_may_lie_in_a_folder_above(tmp_path):
    (tmp_path / "sub-07" / "motion").mkdir(parents=True)
    path = capture.write_bids(tmp_path / "sub-07" / "motion", POINTS, "ABC", name="sub-07_task-walk")
    (path.parent / "sub-07_task-walk_motion.json").rename(tmp_path / "task-walk_motion.json")
    assert read(path).recording.fps == 50.0
    (tmp_path / "task-walk_motion.json").rename(tmp_path / "task-run_motion.json")
    with pytest.raises(InputError, match=r"walk_motion\.tsv: the file states no frame rate.*--fps"):
        read(path)


def test_motion_bids_without_channels_is_none(tmp_path):
    path = capture.write_bids(tmp_path, POINTS, "ABC")
    (tmp_path / "sub-07_task-walk_channels.tsv").unlink()
    with pytest.raises(InputError, match="no known format"):
        detect(path)
    with pytest.raises(InputError, match=r"no sub-07_task-walk_channels\.tsv beside it"):
        read(path, format="motion-bids")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("A_z\tz", "A_z\tq", "'A' has no POS channel z; 3-D is needed"),
        ("\tm\t", "\tdeg\t", "units of its channels are 'deg, m'.*--unit"),
        ("tracked_point", "point", "the column tracked_point is missing"),
        ("\nA_x\tx\tPOS\tA\tm\tglobal", "", "9 columns, but channels.tsv names 8|no POS channel"),
    ],
)
def test_channels_that_do_not_fit_are_named(tmp_path, old, new, message):
    path = capture.write_bids(tmp_path, POINTS, "ABC")
    replaced(tmp_path / "sub-07_task-walk_channels.tsv", (old, new))
    with pytest.raises(InputError, match=rf"_motion\.tsv: .*({message})"):
        read(path)


def test_a_broken_json_beside_motion_bids_is_named(tmp_path):
    path = capture.write_bids(tmp_path, POINTS, "ABC")
    for text in ("{", "[1]"):
        (tmp_path / "sub-07_task-walk_motion.json").write_text(text)
        with pytest.raises(InputError, match=r"_motion\.json: (is no JSON|expected a JSON object)"):
            read(path)
    (tmp_path / "sub-07_task-walk_motion.json").write_text(json.dumps({"SamplingFrequency": "n/a"}))
    with pytest.raises(InputError, match="--fps"):
        read(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), what=st.sampled_from(["motion.tsv", "channels.tsv", "motion.json", "channels.json"]))
def test_damaged_files_of_motion_bids_are_read_or_refused(tmp_path, seed, what):
    path = capture.write_bids(tmp_path, POINTS, "ABC", extra=1)
    rng = random.Random(seed)
    file = tmp_path / f"sub-07_task-walk_{what}"
    data = bytearray(file.read_bytes())
    at = rng.randrange(len(data))
    if rng.random() < 0.5:
        data[at] = rng.randrange(256)
    else:
        del data[at : at + rng.randrange(40)]
    file.write_bytes(bytes(data))
    try:
        read(path, format="motion-bids", options=UP)
    except InputError as error:
        if "sub-07" not in str(error):
            pytest.fail(f"the message does not name the file: {error}")


# ---- MVNX --------------------------------------------------------------------------------------------------------


def test_mvnx_skips_calibration_and_has_the_hierarchy_of_its_joints(tmp_path):
    path = capture.write_mvnx(
        tmp_path / "a.mvnx", [capture.z_up(capture.WALKER)], person.JOINTS, person.PARENTS, marks=[(2, "turn")],
        configuration="UpperBody",
    )  # fmt: skip
    take = read(path)
    np.testing.assert_allclose(take.recording.positions[:, 0], capture.WALKER, atol=1e-5)
    assert take.recording.skeleton.parents == person.PARENTS
    assert (take.recording.fps, take.recording.times) == (60.0, None)  # times are whole milliseconds
    assert [(event.label, event.time) for event in take.annotation.events] == [("turn", 0.033)]
    assert "calibration frames are skipped (2)" in history(path)
    assert "warning: the suit measured the upper body only" in history(path)


def test_subjects_of_mvnx_are_people(tmp_path):
    walkers = [capture.z_up(capture.WALKER), capture.z_up(capture.WALKER + 1)[:3]]
    path = capture.write_mvnx(tmp_path / "a.mvnx", walkers, person.JOINTS, person.PARENTS, labels=("Anna", "Bob"))
    recording = read(path).recording
    assert recording.present.tolist() == [[True, True]] * 3 + [[True, False]]
    np.testing.assert_allclose(recording.positions[:3, 1], capture.WALKER[:3] + 1, atol=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</mvnx>", "", r":\d+: is no whole XML"),
        ('type="normal"', 'type="other"', r": no frame of type normal"),
        ("</position>", " x</position>", r": position of frame 1: expected 63 numbers, found something else"),
        ('<segment label="Spine" id="2"/>', "", r": position of frame 1: expected 60 numbers, found 63"),
        ('<segment label="Spine" id="2"/>', '<segment label="Hips" id="2"/>', r": skeleton .*unique"),
    ],
)
def test_broken_mvnx_is_refused_by_name(tmp_path, old, new, message):
    path = capture.write_mvnx(tmp_path / "a.mvnx", [capture.z_up(capture.WALKER)], person.JOINTS, person.PARENTS)
    text = path.read_text()
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=rf"a\.mvnx{message}"):
        read(path)
