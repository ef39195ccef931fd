"""Tables of points: what columns mean, which rows are one frame, gaps, people, times; what is refused or asked for."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.errors import InputError
from kinespan.io import ReadOptions, detect, read
from kinespan.io.joint_orders import AZURE_KINECT, KINECT_2, MEDIAPIPE, ZED_34
from kinespan.io.table_columns import read_columns
from kinespan.io.table_rows import rows_of_times
from kinespan.io.text_table import read_header, read_text_table
from makers import person, points

ASKED = ReadOptions(fps=50.0, unit="m", up="y")
READ_AT_50 = ReadOptions(fps=50.0)


# --- columns -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    ["{joint}_{axis}", "{axis}_{joint}", "{joint}.{axis}", "{joint} {axis}", "{joint}({axis})", "{joint}_{axis} (m)",
     "pos.{joint}_{axis}", "{joint}_pos_{axis}"],
)  # fmt: skip
def test_wide_columns_are_read_in_every_pattern(tmp_path, pattern):
    walk = points.walking(6)
    path = points.write_wide(tmp_path / "walk.csv", walk, pattern=pattern)
    recording = read(path).recording
    joints = [joint.removeprefix("pos.") for joint in recording.skeleton.joints]
    assert joints == list(points.JOINTS)
    np.testing.assert_allclose(recording.positions[:, 0], walk, atol=2e-6)
    assert recording.fps == points.FPS


def test_camel_case_axes_and_numbered_points_are_columns():
    columns = read_columns([["Time", "LeftKneeX", "LeftKneeY", "LeftKneeZ", "vertex"]])
    assert columns.joints == ("LeftKnee",)
    columns = read_columns([["x0", "y0", "z0", "v0", "x1", "y1", "z1", "v1"]])
    assert columns.joints == ("0", "1")
    assert columns.confidence == {("", "0"): 3, ("", "1"): 7}


def test_names_in_one_row_and_axes_below_it_are_read(tmp_path):
    walk = points.walking(4)
    above = ["", *(cell for joint in points.JOINTS for cell in (joint, "", ""))]
    below = ["time", *("XYZ"[axis] + str(joint + 1) for joint in range(len(points.JOINTS)) for axis in range(3))]
    rows = [below, *([f"{frame / 50:.3f}", *row.ravel()] for frame, row in enumerate(walk))]
    recording = read(points.write_rows(tmp_path / "two.csv", above, rows)).recording
    assert recording.skeleton.joints == points.JOINTS
    np.testing.assert_allclose(recording.positions[:, 0], walk, atol=1e-5)


def test_angles_and_accelerations_are_no_points(tmp_path):
    header = ["time", *(f"{name}_{axis}" for name in ("knee_angle", "acc", "gyro") for axis in "xyz")]
    path = points.write_rows(tmp_path / "imu.csv", header, [[0.01 * row, *range(9)] for row in range(4)])
    with pytest.raises(InputError, match="no known format"):
        detect(path)
    header += [f"{joint}_{axis}" for joint in points.JOINTS for axis in "xyz"]
    rows = [[0.01 * row, *range(9), *body.ravel()] for row, body in enumerate(points.walking(4))]
    recording = read(points.write_rows(tmp_path / "both.csv", header, rows)).recording
    assert recording.skeleton.joints == points.JOINTS
    assert "decided: columns that are no positions are left out (9)" in recording.history


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_semicolons_tabs_and_decimal_commas_are_read(tmp_path, delimiter):
    path = points.write_wide(tmp_path / "walk.csv", points.walking())
    plain = read(path).recording
    path.write_text(path.read_text().replace(",", delimiter).replace(".", ",").replace("\n", "\r\n"), newline="")
    np.testing.assert_array_equal(read(path).recording.positions, plain.positions)


def test_a_label_table_is_no_motion_table_and_the_other_way_round(tmp_path):
    labels = points.write_rows(tmp_path / "labels.csv", ["recording", "label", "start", "end"], [["a", "walk", 0, 1]])
    with pytest.raises(InputError, match="no known format"):
        detect(labels)
    frames = [["frame", "walk", "sit"], [0, 1, 0], [1, 0, 1]]
    with pytest.raises(InputError, match="no known format"):
        detect(points.write_rows(tmp_path / "one_hot.csv", frames[0], frames[1:]))
    from kinespan.annotations import csv_table

    with pytest.raises(InputError, match="no column label"):
        csv_table.read(points.write_csv(tmp_path))


# --- gaps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["", "nan", "NaN", "NA", "null", "None", '""'])
def test_a_missing_number_is_not_seen(tmp_path, word):
    walk = points.walking(5)
    path = points.write_wide(tmp_path / "walk.csv", walk)
    lines = path.read_text().split("\n")
    cells = [line.split(",") for line in lines]
    for row, column in ((1, 1), (2, 2), (2, 3), (2, 4), (5, -1)):
        cells[row][column] = word
    path.write_text("\n".join(",".join(row) for row in cells))
    valid = read(path).recording.valid[:, 0]
    expected = np.ones(valid.shape, dtype=bool)
    expected[[0, 1, 1, 4], [0, 0, 1, -1]] = False
    np.testing.assert_array_equal(valid, expected)


@given(
    st.lists(
        st.lists(st.one_of(st.none(), st.floats(-1e4, 1e4)), min_size=4, max_size=4).filter(any), min_size=1, max_size=8
    )
)
@settings(max_examples=40, deadline=None)
def test_any_table_of_numbers_and_gaps_is_read_as_it_is(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [["a", "b", "c", "d"], *(["" if cell is None else cell for cell in row] for row in rows)]
        )
    values = np.array([[np.nan if cell is None else cell for cell in row] for row in rows])
    np.testing.assert_array_equal(read_text_table(path).values, values)


def test_points_at_zero_are_not_seen_but_the_origin_is(tmp_path):
    walk = points.walking(6)
    hips = points.JOINTS.index("pelvis")
    relative = walk - walk[:, [hips]]
    recording = read(points.write_wide(tmp_path / "relative.csv", relative)).recording
    assert recording.valid.all()
    walk[2:4, 1] = 0
    recording = read(points.write_wide(tmp_path / "lost.csv", walk)).recording
    assert np.argwhere(~recording.valid[:, 0]).tolist() == [[2, 1], [3, 1]]
    assert any("0 0 0" in note for note in recording.history)


def test_confidence_of_zero_and_below_the_threshold_is_not_seen(tmp_path):
    walk = points.walking(4)
    header = ["time", *(f"{joint}_{name}" for joint in points.JOINTS for name in (*"xyz", "likelihood"))]
    sure = np.full(walk.shape[:2], 0.9)
    sure[0, 0], sure[1, 1] = 0, 0.4
    rows = [[f"{f / 50:.2f}", *np.column_stack([walk[f], sure[f]]).ravel()] for f in range(4)]
    path = points.write_rows(tmp_path / "walk.csv", header, rows)
    assert np.argwhere(~read(path).recording.valid[:, 0]).tolist() == [[0, 0]]
    strict = read(path, options=ReadOptions(min_confidence=0.5)).recording
    assert np.argwhere(~strict.valid[:, 0]).tolist() == [[0, 0], [1, 1]]
    plain = read(points.write_csv(tmp_path), options=ReadOptions(min_confidence=0.5)).recording
    assert any("no confidence" in note for note in plain.history)


# --- long tables, frames and people --------------------------------------------------------------------------------


def test_a_long_table_is_what_the_wide_one_is(tmp_path):
    walk = points.walking(5)
    walk[1, 3] = np.nan
    wide = read(points.write_wide(tmp_path / "wide.csv", walk)).recording
    long = read(points.write_long(tmp_path / "long.csv", walk), options=ReadOptions(fps=points.FPS)).recording
    assert long.skeleton.joints == wide.skeleton.joints
    np.testing.assert_array_equal(long.valid, wide.valid)
    np.testing.assert_allclose(long.positions, wide.positions, atol=1e-6)


def test_frames_without_a_row_are_frames_without_anybody(tmp_path):
    walk = points.walking(6)
    path = points.write_long(tmp_path / "long.csv", walk)
    lines = path.read_text().split("\n")
    path.write_text("\n".join(line for line in lines if not line.startswith(("2,", "3,"))))
    recording = read(path, options=ReadOptions(fps=50.0)).recording
    assert recording.present[:, 0].tolist() == [True, True, False, False, True, True]
    assert any("nobody is seen (2)" in note for note in recording.history)


def test_people_of_a_long_table_are_kept_apart(tmp_path):
    walk = points.walking(4)
    both = np.stack([walk, np.add(walk, [1, 0, 0])], 1)
    both[0, 1] = np.nan
    recording = read(points.write_long(tmp_path / "long.csv", both), options=ReadOptions(fps=50.0)).recording
    assert recording.positions.shape[:2] == (4, 2)
    assert recording.attributes["people"] == "p0, p1"
    assert recording.present.tolist() == [[True, False], *[[True, True]] * 3]
    np.testing.assert_allclose(recording.positions[1:, 1], both[1:, 1], atol=1e-6)


def test_the_layout_that_convert_writes_for_several_people_is_read(tmp_path):
    walk = points.walking(3)
    header = ["frame", "time", "person", *(f"{joint}_{axis}" for joint in points.JOINTS for axis in "xyz")]
    rows = [[f, f / 50, p, *(walk[f] + [p, 0, 0]).ravel()] for f in range(3) for p in range(2)]
    recording = read(points.write_rows(tmp_path / "two.csv", header, rows)).recording
    assert (recording.fps, recording.positions.shape[:2]) == (50.0, (3, 2))
    np.testing.assert_allclose(
        recording.positions[:, 1] - recording.positions[:, 0], np.tile([1, 0, 0], (3, 14, 1)), atol=1e-5
    )


@pytest.mark.parametrize("index", ["", "index", "id"])
def test_numbers_of_rows_are_neither_frames_nor_people(tmp_path, index):
    """As pandas writes them in front of a table."""
    walk = points.walking(3)
    for name, write in (("long", points.write_long), ("wide", points.write_wide)):
        path = write(tmp_path / f"{name}.csv", walk)
        header, *lines = path.read_text().rstrip().split("\n")
        path.write_text("\n".join([f"{index},{header}", *(f"{row},{line}" for row, line in enumerate(lines))]))
        recording = read(path, options=READ_AT_50).recording
        np.testing.assert_allclose(recording.positions[:, 0], walk, atol=1e-6)
        assert recording.num_people == 1


def test_an_axis_twice_is_refused(tmp_path):
    path = points.write_csv(tmp_path)
    path.write_text(path.read_text().replace("left_knee_y", "left_knee_x"))
    with pytest.raises(InputError, match=r"walk\.csv: left_knee has an axis twice"):
        read(path, format="csv")


def test_a_row_twice_is_refused_by_its_line(tmp_path):
    path = points.write_long(tmp_path / "long.csv", points.walking(2))
    lines = path.read_text().split("\n")
    path.write_text("\n".join([*lines[:5], lines[3], *lines[5:]]))
    with pytest.raises(InputError, match=r"long\.csv:6: the frame, person and point"):
        read(path, options=ASKED)


def test_two_bodies_that_take_turns_are_two_people(tmp_path):
    """Rows are bodies: from frame 3 on two people have times 1 ms apart, in changing order."""
    walk = points.walking(12)
    rows = []
    for frame in range(12):
        bodies = [(0.0, walk[frame])] + ([(0.001, walk[frame] + [1.5, 0, 0])] if frame >= 3 else [])
        if frame % 2:
            bodies = [(lag, body) for (lag, _), (_, body) in zip(bodies, bodies[::-1], strict=True)]
        rows += [[f"{frame / 30 + lag:.4f}", *body.ravel()] for lag, body in bodies]
    header = ["time", *(f"{joint}_{axis}" for joint in points.JOINTS for axis in "xyz")]
    recording = read(points.write_rows(tmp_path / "turns.csv", header, rows)).recording
    assert recording.positions.shape[:2] == (12, 2)
    np.testing.assert_allclose(recording.positions[:, 0], walk, atol=1e-5)
    assert recording.present[:, 1].tolist() == [False] * 3 + [True] * 9
    assert any("followed by nearness" in note for note in recording.history)


@given(st.integers(1, 4), st.integers(2, 20), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_rows_of_people_fall_into_the_frames_they_were_made_in(people, frames, seed):
    rng = np.random.default_rng(seed)
    starts = np.cumsum(rng.uniform(0.03, 0.06, size=frames))
    present = rng.random((frames, people)) < 0.7
    present[:, 0] = True
    rows = [
        (starts[f] + lag, p, f) for f in range(frames) for lag, p in enumerate_lags(rng, np.flatnonzero(present[f]))
    ]
    times, owners, expected = (np.array(values) for values in zip(*rows, strict=True))
    found = rows_of_times(times - times[0], owners.astype(np.int64), lambda row: f"row {row}")
    assert found.frames.tolist() == expected.tolist()


def enumerate_lags(rng, people):
    return [(0.0003 * place, person) for place, person in enumerate(rng.permutation(people).tolist())]


# --- times ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "scale", "decided"),
    [("time", 1, False), ("time_ms", 1e3, False), ("Timestamp [us]", 1e6, False), ("timestamp", 1e3, True),
     ("timestamp", 1e9, True), ("t", 1e7, True)],
)  # fmt: skip
def test_times_are_in_the_unit_of_their_header_or_of_their_steps(tmp_path, name, scale, decided):
    header = [name, *(f"{joint}_{axis}" for joint in points.JOINTS for axis in "xyz")]
    rows = [[round(scale * f / 30, 4), *body.ravel()] for f, body in enumerate(points.walking(5))]
    recording = read(points.write_rows(tmp_path / "walk.csv", header, rows)).recording
    assert recording.fps == pytest.approx(30, rel=1e-3)
    assert any("decided: the times are in" in note for note in recording.history) == decided


def test_times_of_no_likely_unit_are_asked_for(tmp_path):
    header = ["time", *(f"{joint}_{axis}" for joint in points.JOINTS for axis in "xyz")]
    rows = [[10 * f, *body.ravel()] for f, body in enumerate(points.walking(5))]
    path = points.write_rows(tmp_path / "walk.csv", header, [[row[0] * 0.2 + 1, *row[1:]] for row in rows])
    with pytest.raises(InputError, match=r"walk\.csv:2: the times rise by 2 a frame.*--fps"):
        read(path)
    assert read(path, options=ReadOptions(fps=25.0)).recording.fps == 25.0


def test_uneven_times_are_kept(tmp_path):
    walk = points.walking(8)
    stamps = np.cumsum([0, 33, 33, 67, 33, 34, 33, 67]) * 10000 + 89810293609
    path = points.write_kinect(tmp_path / "kinect.csv", points.kinect_walk(8), stamps)
    recording = read(path).recording
    assert detect(path) == "csv"
    assert recording.skeleton.joints == KINECT_2
    np.testing.assert_allclose(recording.times, (stamps - stamps[0]) * 1e-7)
    assert recording.fps == pytest.approx(1 / 0.033, rel=0.02)
    assert any("order of Kinect v2" in note for note in recording.history)
    assert walk.shape[0] == recording.num_frames


def test_times_that_fall_are_refused_by_their_line(tmp_path):
    path = points.write_wide(tmp_path / "walk.csv", points.walking(4))
    path.write_text(path.read_text().replace("\n0.040000,", "\n0.010000,"))
    with pytest.raises(InputError, match=r"walk\.csv:4: the time falls"):
        read(path)


# --- depth cameras -------------------------------------------------------------------------------------------------


def test_joints_that_kinect_does_not_track_are_not_seen(tmp_path):
    states = np.full((6, 25), 2)
    states[1, 3], states[2, 4] = 0, 1
    path = points.write_kinect(tmp_path / "k.csv", points.kinect_walk(), np.arange(6) * 333333 + 10**10, states)
    assert np.argwhere(~read(path).recording.valid[:, 0]).tolist() == [[1, 3]]
    sure = read(path, options=ReadOptions(min_confidence=2)).recording
    assert np.argwhere(~sure.valid[:, 0]).tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize(("names", "scale", "up"), [(AZURE_KINECT, 1000, "-y"), (ZED_34, 1, "y")])
def test_other_cameras_are_read_in_the_order_of_their_sdk(tmp_path, names, scale, up):
    body = points.as_joints(names, 6) * ([1, -1, -1] if up == "-y" else [1, 1, 1])
    rows = [[1000 * f / 30, *(scale * frame).ravel()] for f, frame in enumerate(body)]
    recording = read(points.write_rows(tmp_path / "dump.csv", None, rows)).recording
    assert recording.skeleton.joints == names
    np.testing.assert_allclose(recording.positions[:, 0], points.as_joints(names, 6), atol=1e-4)


def test_a_table_without_header_of_another_width_is_refused(tmp_path):
    path = points.write_rows(tmp_path / "numbers.csv", None, [[0.1 * n for n in range(51)] for _ in range(3)])
    with pytest.raises(InputError, match="no known format"):
        detect(path)
    with pytest.raises(InputError, match=r"no header.*25 of Kinect v2"):
        read(path, format="csv")


# --- DeepLabCut, Anipose, FreeMoCap, MediaPipe ---------------------------------------------------------------------


def write_deeplabcut_csv(path, people=("",), coords=("x", "y", "z"), frames=4):
    names = ("nose", "left_wrist", "right_wrist", "left_elbow", "right_elbow")
    keys = [(person, name, coord) for person in people for name in names for coord in coords]
    rows = [["scorer", *["made"] * len(keys)]]
    if people != ("",):
        rows.append(["individuals", *(person for person, _, _ in keys)])
    rows += [["bodyparts", *(name for _, name, _ in keys)], ["coords", *(coord for *_, coord in keys)]]
    rng = np.random.default_rng(0)
    values = rng.normal(size=(frames, len(keys)))
    return points.write_rows(path, None, [*rows, *([42150 + f, *row] for f, row in enumerate(values))]), values, names


def test_deeplabcut_tables_are_asked_for_all_that_they_do_not_state(tmp_path):
    path, values, names = write_deeplabcut_csv(tmp_path / "mouse.csv")
    with pytest.raises(InputError, match=r"no frame rate, no unit and no axis.*--fps 120 --unit mm --up z"):
        read(path)
    recording = read(path, options=ReadOptions(fps=100.0, unit="mm", up="z")).recording
    assert recording.skeleton.joints == names
    x, y, z = np.moveaxis(values.reshape(4, 5, 3), -1, 0)
    np.testing.assert_allclose(recording.positions[:, 0], np.stack([x, z, -y], -1) / 1000, atol=1e-7)


def test_individuals_of_deeplabcut_are_people(tmp_path):
    path, values, names = write_deeplabcut_csv(tmp_path / "mice.csv", ("m1", "m2"))
    recording = read(path, options=ASKED).recording
    assert recording.positions.shape == (4, 2, 5, 3)
    np.testing.assert_allclose(recording.positions, values.reshape(4, 2, 5, 3), atol=1e-6)
    assert len(names) == 5


def test_two_coordinates_are_refused_as_2d(tmp_path):
    path, *_ = write_deeplabcut_csv(tmp_path / "picture.csv", coords=("x", "y", "likelihood"))
    with pytest.raises(InputError, match=r"picture\.csv: the points are 2-D .*needs 3-D: triangulate"):
        read(path, options=ASKED)
    header = ["frame", "joint", "x", "y"]
    with pytest.raises(InputError, match="2-D"):
        read(points.write_rows(tmp_path / "long.csv", header, [[0, "nose", 1, 2]]), options=ASKED)
    walk = points.walking(4)
    walk[..., 2] = 0
    with pytest.raises(InputError, match=r"2-D .z is 0 everywhere"):
        read(points.write_wide(tmp_path / "flat.csv", walk))


def test_an_animal_is_never_measured_as_a_person(tmp_path):
    """A mouse of the size of a person in centimetres, with a tail: its unit is asked for."""
    walk = points.walking(4) * 100
    names = (*points.JOINTS[:-1], "tail_base")
    with pytest.raises(InputError, match="no unit and no axis"):
        read(points.write_wide(tmp_path / "mouse.csv", walk, names))
    arms = [name for name in points.JOINTS if "shoulder" in name or "elbow" in name or "wrist" in name]
    with pytest.raises(InputError, match="no unit and no axis"):
        read(points.write_wide(tmp_path / "arms.csv", walk[:, :6], arms))
    assert read(points.write_wide(tmp_path / "person.csv", walk)).recording.positions.max() < 2.5


def test_anipose_scores_and_gaps_are_read(tmp_path):
    header = [f"{name}_{field}" for name in ("l-base", "r-tip") for field in ("x", "y", "z", "error", "ncams", "score")]
    header += ["M_00", "M_01", "center_0", "fnum"]
    rows = [[1 + f, 2, 3, 5.4, 2, 0.9, "", "", "", "", "", "", 1, 0, 0, f] for f in range(3)]
    recording = read(points.write_rows(tmp_path / "paw.csv", header, rows), options=ASKED).recording
    assert recording.skeleton.joints == ("l-base", "r-tip")
    assert recording.valid[:, 0].tolist() == [[True, False]] * 3
    np.testing.assert_allclose(recording.positions[:, 0, 0, 0], [1, 2, 3])


def test_freemocap_by_frame_keeps_the_body(tmp_path):
    body = points.as_joints(MEDIAPIPE, 3)
    x, y, z = np.moveaxis(body * 1000, -1, 0)
    turned = np.stack([x, -z, y], -1)  # z up
    header = ["frame", "timestamp", "timestamp_by_camera", "model", "keypoint", "x", "y", "z"]
    rows = []
    for frame in range(3):
        rows += [[frame, "", "{}", "mediapipe_body", n, *p] for n, p in zip(MEDIAPIPE, turned[frame], strict=True)]
        rows += [[frame, "", "{}", "mediapipe_face", f"{n:04d}", 1, 2, 3] for n in range(5)]
    recording = read(points.write_rows(tmp_path / "f.csv", header, rows), options=ReadOptions(fps=30.0)).recording
    assert recording.skeleton.joints == MEDIAPIPE
    np.testing.assert_allclose(recording.positions[:, 0], body, atol=1e-5)
    assert "decided: points of other models than mediapipe_body are left out (5)" in recording.history


def test_world_landmarks_are_metres_with_y_down(tmp_path):
    body = points.as_joints(MEDIAPIPE, 4)
    hips = body[:, [MEDIAPIPE.index("left_hip"), MEDIAPIPE.index("right_hip")]].mean(axis=1, keepdims=True)
    world = body - hips
    path = points.write_long(tmp_path / "w.csv", world * [1, -1, -1], [name.upper() for name in MEDIAPIPE])
    path.write_text(path.read_text().replace("frame,joint", "frame_number,landmark"))
    recording = read(path, options=ReadOptions(fps=30.0)).recording
    np.testing.assert_allclose(recording.positions[:, 0], world, atol=2e-6)
    assert any("MediaPipe's world landmarks" in note for note in recording.history)


@pytest.mark.parametrize("size", [1, 640])
def test_image_landmarks_are_refused_as_2d(tmp_path, size):
    body = points.as_joints(MEDIAPIPE, 4)
    hips = body[:, [MEDIAPIPE.index("left_hip"), MEDIAPIPE.index("right_hip")]].mean(axis=1, keepdims=True)
    picture = size * ((body - hips) * [0.3, -0.3, 0.3] + [0.5, 0.5, 0])
    with pytest.raises(InputError, match=r"2-D .*image landmarks.*world landmarks"):
        read(points.write_wide(tmp_path / "image.csv", picture, MEDIAPIPE))


# --- broken tables -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-30], r":5: found \d+ fields, expected 43"),
        (lambda text: text.replace("0.020000,", "0.020000,abc", 1), r":3: field 2 is 'abc"),
        (lambda text: text.split("\n")[0], "no row of values"),
        (lambda text: text.replace("0.040000,", "inf,", 1), r":4: field 1 is 'inf'"),
        (lambda text: text.replace("0.040000,", ",", 1), r":4: the time is missing"),
        (lambda text: "", "empty"),
        (lambda text: "nothing of a table", "no table"),
    ],
)
def test_broken_tables_are_refused_by_line_and_field(tmp_path, change, message):
    path = points.write_csv(tmp_path)
    path.write_text(change(path.read_text().rstrip()))
    with pytest.raises(InputError, match=re.escape(path.name) + ".*" + message):
        read(path, format="csv")


def test_comments_above_the_header_state_rate_unit_and_axis(tmp_path):
    mouse = points.walking(3)
    path = points.write_long(tmp_path / "long.csv", mouse[:, :2], ("tail", "ear"))
    path.write_text("# fps: 25, unit: mm, up: z\n" + path.read_text())
    recording = read(path).recording
    assert recording.fps == 25
    assert float(np.abs(recording.positions).max()) < 0.01
    path.write_text(path.read_text().replace("mm", "parsec"))
    with pytest.raises(InputError, match="unit 'parsec'"):
        read(path)


def test_a_person_who_lies_in_a_table_is_asked_for_the_axis(tmp_path):
    lying = person.lying(6, towards=0.7)
    path = points.write_wide(tmp_path / "lying.csv", lying, person.JOINTS)
    with pytest.raises(InputError, match="--up z"):
        read(path)


@pytest.mark.parametrize("text", [b",\r\x01\n", b'a,"' + b"b" * 200_000 + b'"\n1,2\n'], ids=["return", "long"])
def test_a_line_that_is_no_row_makes_no_table(text):
    assert read_header(text) is None
