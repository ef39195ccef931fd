"""C3D: every processor and number format, what is no position, whose points they are, events, axes and sizes."""

from __future__ import annotations

import struct

import ezc3d
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinespan.cli import main
from kinespan.corpus.store import Corpus
from kinespan.errors import InputError
from kinespan.io import ReadOptions, c3d_file, detect, read
from makers import c3d, capture, person

RNG = np.random.default_rng(3)
POINTS = RNG.uniform(-900, 900, size=(5, 3, 3)).round(1)
"""(5, 3, 3) millimetres"""
NO_UP = {"X_SCREEN": None, "Y_SCREEN": None}


def metres(points):
    """Points in mm, z up, as they are read."""
    return (points / 1000)[..., [0, 2, 1]] * np.array([1, 1, -1])


def history(path, **options):
    return "\n".join(read(path, options=ReadOptions(**options)).recording.history)


@pytest.mark.parametrize("processor", [c3d.INTEL, c3d.DEC, c3d.SGI])
@pytest.mark.parametrize("scale", [-1.0, 0.1])
@pytest.mark.parametrize("analog", [0, 7])
def test_every_processor_and_number_format_gives_the_same_points(tmp_path, processor, scale, analog):
    path = c3d.write(
        tmp_path / "a.c3d", POINTS, ["A", "B", "C"], processor=processor, scale=scale, analog=analog, rate=69.9926
    )
    recording = read(path).recording
    np.testing.assert_allclose(recording.positions[:, 0], metres(POINTS), atol=1e-5)
    assert recording.skeleton.joints == ("A", "B", "C")
    assert recording.fps == pytest.approx(69.9926)
    assert recording.valid.all()


def test_a_file_of_ezc3d_is_read_as_ezc3d_has_it(tmp_path):
    """The independent reference."""
    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [120.0]
    file["parameters"]["POINT"]["LABELS"]["value"] = ("A", "B", "C")
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    file["data"]["points"] = np.concatenate([POINTS.transpose(2, 1, 0), np.ones((1, 3, 5))])
    file.write(str(tmp_path / "e.c3d"))
    recording = read(tmp_path / "e.c3d", options=ReadOptions(up="z")).recording
    np.testing.assert_allclose(recording.positions[:, 0], metres(POINTS), atol=1e-5)
    assert (recording.fps, recording.skeleton.joints) == (120.0, ("A", "B", "C"))


def test_ezc3d_reads_the_files_that_tests_write(tmp_path):
    times = np.array([[0.0, 0.0], [0.01, 0.02]], dtype=np.float32).T
    event = {"USED": 2, "CONTEXTS": ["Left", "Right"], "LABELS": ["Foot Strike", "Foot Off"], "TIMES": times}
    path = c3d.write(tmp_path / "a.c3d", POINTS, ["A", "B", "C"], groups={"EVENT": event})
    file = ezc3d.c3d(str(path))
    np.testing.assert_allclose(file["data"]["points"][:3], POINTS.transpose(2, 1, 0), rtol=1e-6)
    np.testing.assert_allclose(file["parameters"]["EVENT"]["TIMES"]["value"], times.T)


# ---- what is seen, and what is no position -----------------------------------------------------------------------


def test_negative_residuals_nan_and_zeros_are_not_seen(tmp_path):
    points, residuals = POINTS.copy(), np.zeros((5, 3))
    residuals[0, 0], points[1, 1], points[2, 2] = -1, np.nan, 0
    recording = read(c3d.write(tmp_path / "a.c3d", points, residuals=residuals)).recording
    hidden = np.zeros((5, 1, 3), dtype=bool)
    hidden[0, 0, 0] = hidden[1, 0, 1] = hidden[2, 0, 2] = True
    np.testing.assert_array_equal(recording.valid, ~hidden)


def test_angles_forces_moments_and_powers_are_left_out_and_counted(tmp_path):
    labels = ["LANK", "LAnkleAngles", "F1", "RANK", "M", "P", "LNormalisedGRF"]
    point = {"ANGLES": ["LAnkleAngles"], "FORCES": ["F1"], "MOMENTS": ["M"], "POWERS": ["P"]}
    points = RNG.normal(size=(4, 7, 3))
    path = c3d.write(tmp_path / "a.c3d", points, labels, point=point)
    recording = read(path).recording
    assert recording.skeleton.joints == ("LANK", "RANK")
    np.testing.assert_allclose(recording.positions[:, 0], metres(points[:, [0, 3]]), atol=1e-5)
    assert "left out (5 of 7)" in history(path)
    only = c3d.write(tmp_path / "b.c3d", points[:, :1], ["A"], point={"ANGLES": ["A"]})
    with pytest.raises(InputError, match=r"b\.c3d: all 1 points are angles"):
        read(only)


def test_the_labels_of_more_than_255_points_go_on_in_further_parameters(tmp_path):
    labels = [f"P{index}" for index in range(300)]
    point = {"LABELS": labels[:255], "LABELS2": labels[255:]}
    path = c3d.write(tmp_path / "a.c3d", RNG.normal(size=(2, 300, 3)), labels, point=point)
    assert read(path).recording.skeleton.joints == tuple(labels)


# ---- labels ------------------------------------------------------------------------------------------------------


def test_labels_that_repeat_are_numbered_and_told_with_their_descriptions(tmp_path):
    point = {"DESCRIPTIONS": ["Thigh", "Thigh.Front", "Knee"]}
    path = c3d.write(tmp_path / "a.c3d", POINTS, ["RTHI", "RTHI", "RKNE"], point=point)
    assert read(path).recording.skeleton.joints == ("RTHI", "RTHI_2", "RKNE")
    assert "labels that repeat are numbered (1, such as RTHI, RTHI_2: Thigh, Thigh.Front)" in history(path)


def test_unlabelled_points_are_left_out_and_counted(tmp_path):
    path = c3d.write(tmp_path / "a.c3d", POINTS, ["A", "*12", ""])
    assert read(path).recording.skeleton.joints == ("A",)
    assert "without a label are left out (2 of 3)" in history(path)


def test_a_prefix_is_the_person_and_unseen_points_without_it_are_left_out(tmp_path):
    points = POINTS.copy()
    points[:, 1] = np.nan
    path = c3d.write(tmp_path / "a.c3d", points, ["Anna:LASI", "T", "BAR"])
    recording = read(path).recording
    assert recording.skeleton.joints == ("LASI", "BAR")
    assert recording.attributes == {"subject": "Anna"}
    assert "points without the prefix Anna are left out (1: T)" in history(path)


def test_prefixes_that_share_points_are_people(tmp_path):
    labels = [f"{who}:{name}" for who in ("Anna", "Bob") for name in ("LASI", "RASI", "LKNE", "RKNE")]
    points = RNG.normal(size=(3, 9, 3))
    recording = read(c3d.write(tmp_path / "a.c3d", points, [*labels[:4], "BAR", *labels[4:]])).recording
    assert recording.skeleton.joints == ("LASI", "RASI", "LKNE", "RKNE")
    np.testing.assert_allclose(recording.positions[:, 0], metres(points[:, :4]), atol=1e-6)
    np.testing.assert_allclose(recording.positions[:, 1], metres(points[:, 5:]), atol=1e-6)


def test_markers_of_rigid_bodies_are_no_people(tmp_path):
    labels = [f"{body}:Marker{index}" for body in ("Foot", "Shank") for index in (1, 2, 3)]
    recording = read(c3d.write(tmp_path / "a.c3d", RNG.normal(size=(3, 6, 3)), labels)).recording
    assert recording.num_people == 1
    assert recording.skeleton.joints == tuple(labels)


# ---- unit and axis -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "size"),
    [
        ("mm", 0.001),
        ("cm", 0.01),
        ("m", 1.0),
        ("mete", 1.0),
        ("METERS", 1.0),
        ("millim", 0.001),
        (["mm"] * 3, 0.001),
        ("in", 0.0254),
    ],
)
def test_units_have_many_spellings(tmp_path, unit, size):
    path = c3d.write(tmp_path / "a.c3d", POINTS, point={"UNITS": unit, "Y_SCREEN": "+Y"})
    np.testing.assert_allclose(read(path).recording.positions[:, 0], POINTS * size, rtol=1e-6)


@pytest.mark.parametrize("unit", [None, "", "furlong", ["mm", "m", "mm"], "me"])
def test_a_unit_that_nobody_knows_is_asked_for(tmp_path, unit):
    path = c3d.write(tmp_path / "a.c3d", POINTS, point={"UNITS": unit, "Y_SCREEN": "+Y"})
    with pytest.raises(InputError, match=r"a\.c3d: .*--unit"):
        read(path)
    np.testing.assert_allclose(
        read(path, options=ReadOptions(unit="cm")).recording.positions[:, 0], POINTS / 100, rtol=1e-6
    )


def test_the_axis_is_asked_for_where_neither_file_nor_body_tells(tmp_path):
    path = c3d.write(tmp_path / "a.c3d", POINTS, point=NO_UP)
    with pytest.raises(InputError, match=r"a\.c3d: .*--up"):
        read(path)
    np.testing.assert_allclose(
        read(path, options=ReadOptions(up="z")).recording.positions[:, 0], metres(POINTS), rtol=1e-6
    )


MARKERS = {
    "LFHD": (0.1, 1.7),
    "C7": (0, 1.5),
    "LASI": (0.1, 1.0),
    "RASI": (-0.1, 1.0),
    "LHEE": (0.1, 0.05),
    "RTOE": (-0.1, 0.02),
}


@pytest.mark.parametrize("screen", ["-Z", "+Y", None])
def test_markers_that_stand_win_over_the_screen_and_it_is_said(tmp_path, screen):
    walker = np.array([[x, 0.1 * frame, z] for frame in range(4) for x, z in MARKERS.values()]).reshape(4, -1, 3)
    path = c3d.write(tmp_path / "a.c3d", 1000 * walker, list(MARKERS), point={"Y_SCREEN": screen})
    np.testing.assert_allclose(read(path).recording.positions[:, 0], metres(1000 * walker), atol=1e-6)
    assert "decided: z is up" in history(path)


# ---- segments ----------------------------------------------------------------------------------------------------


def test_a_file_without_points_has_the_origins_of_its_segments(tmp_path):
    matrices = np.tile(np.eye(4), (4, 3, 1, 1))
    matrices[..., :3, 3] = RNG.uniform(1, 900, size=(4, 3, 3))
    matrices[2, 1] = np.nan
    path = c3d.write_rotations(tmp_path / "a.c3d", matrices, ["worldbody_4X4", "pelvis_4X4", "l_thigh_4X4"])
    recording = read(path, options=ReadOptions(up="z")).recording
    assert recording.skeleton.joints == ("pelvis_4X4", "l_thigh_4X4")
    assert recording.fps == 85.0
    assert recording.valid.ravel().tolist() == [True, True, True, True, False, True, True, True]
    seen = recording.valid[:, 0]
    np.testing.assert_allclose(recording.positions[:, 0][seen], metres(matrices[:, 1:, :3, 3])[seen], rtol=1e-6)


# ---- events ------------------------------------------------------------------------------------------------------


def with_events(path, times, labels, contexts=None, first=1, used=None):
    event = {"USED": len(times) if used is None else used, "LABELS": labels}
    event["TIMES"] = np.array([[time // 60, time % 60] for time in times], dtype=np.float32)
    if contexts is not None:
        event["CONTEXTS"] = contexts
    return c3d.write(path, np.tile(POINTS, (40, 1, 1)), first=first, groups={"EVENT": event})  # 2 s


def test_events_carry_their_side_and_count_from_the_first_frame(tmp_path):
    path = with_events(
        tmp_path / "a.c3d", [8.2, 7.5, 6.9, 9.2], ["Foot Off", "Foot Strike", "Foot Strike", "Event"],
        ["Right", "Left", "Left", "General"], first=701,
    )  # fmt: skip
    annotation = read(path).annotation
    assert [event.label for event in annotation.events] == ["Left Foot Strike", "Right Foot Off"]
    np.testing.assert_allclose([event.time for event in annotation.events], [0.5, 1.2], atol=1e-5)
    assert set(annotation.labels.events) == {"Left Foot Strike", "Right Foot Off"}
    assert "events outside the frames are left out (2 of 4)" in history(path)


def test_events_after_a_minute_and_labels_that_say_the_side(tmp_path):
    path = with_events(tmp_path / "a.c3d", [61.0, 60.5], ["RHS", "LHS"], first=6001)
    assert [(event.label, round(event.time, 3)) for event in read(path).annotation.events] == [
        ("LHS", 0.5),
        ("RHS", 1.0),
    ]


def test_an_empty_group_of_events_is_no_annotation(tmp_path):
    assert read(with_events(tmp_path / "a.c3d", [0.5], ["x"], used=0)).annotation is None
    assert read(c3d.write(tmp_path / "b.c3d", POINTS, groups={"EVENT": {"USED": 0}})).annotation is None


def test_skipped_frames_and_another_rate_move_events(tmp_path):
    path = with_events(tmp_path / "a.c3d", [0.5, 1.0], ["a", "b"])
    take = read(path, options=ReadOptions(skip_frames=60, fps=50))
    assert [(event.label, round(event.time, 3)) for event in take.annotation.events] == [("b", 0.8)]


def test_convert_writes_events_for_other_programs_and_reads_them_back(tmp_path):
    path = with_events(tmp_path / "a.c3d", [1.5, 0.5], ["Foot Off", "RHS"], ["Left", "General"])
    assert main(["convert", str(path), str(tmp_path / "a.npz")]) == 0
    with np.load(tmp_path / "a.npz") as archive:
        assert archive["event_labels"].tolist() == ["RHS", "Left Foot Off"]
        assert archive["event_sides"].tolist() == ["", "left"]
        np.testing.assert_allclose(archive["event_times"], [0.5, 1.5], atol=1e-6)
    assert read(tmp_path / "a.npz").annotation == read(path).annotation


def test_prepare_takes_the_events_of_files_as_their_labels(tmp_path):
    times = np.array([[0, 0.5], [0, 1.0]], dtype=np.float32)
    event = {"USED": 2, "LABELS": ["Foot Strike"] * 2, "CONTEXTS": ["Left", "Right"], "TIMES": times}
    (tmp_path / "motion").mkdir()
    walker = 1000 * capture.z_up(person.standing(150))
    for name in ("a.c3d", "b.c3d"):
        c3d.write(tmp_path / "motion" / name, walker, list(person.JOINTS), groups={"EVENT": event})
    assert main(["prepare", str(tmp_path / "motion"), "--out", str(tmp_path / "corpus")]) == 0
    corpus = Corpus.open(tmp_path / "corpus")
    assert corpus.labels.events == ("Left Foot Strike", "Right Foot Strike")
    assert [round(event.time, 3) for event in corpus.annotation(0).events] == [0.5, 1.0]


# ---- sizes -------------------------------------------------------------------------------------------------------


def test_fewer_frames_than_announced_are_read_with_a_warning(tmp_path):
    path = c3d.write(tmp_path / "a.c3d", POINTS, announced=1149)
    assert read(path).recording.num_frames == 5
    assert "warning: the file ends after 5 of 1149 frames" in history(path)


def test_more_than_65535_frames_are_announced_in_the_trial_group(tmp_path):
    trial = {"ACTUAL_START_FIELD": [1, 0], "ACTUAL_END_FIELD": [(70_000 - 65536), 1]}
    points = np.arange(1.0, 70_001)[:, None, None] * np.ones(3)
    path = c3d.write(tmp_path / "a.c3d", points, announced=65535, groups={"TRIAL": trial})
    assert read(path).recording.num_frames == 70_000


def test_a_first_frame_of_zero_is_no_frame_too_many(tmp_path):
    path = c3d.write(tmp_path / "a.c3d", POINTS, first=0)
    assert read(path).recording.num_frames == 5


def test_a_file_that_does_not_fit_the_free_memory_is_refused_beforehand(tmp_path, monkeypatch):
    path = c3d.write(tmp_path / "a.c3d", POINTS)
    monkeypatch.setattr(c3d_file, "free_memory", lambda: 1000)
    with pytest.raises(InputError, match=r"a\.c3d: reading 5 frames of 3 points takes .* memory are free"):
        read(path)
    monkeypatch.setattr(c3d_file, "free_memory", lambda: None)
    assert read(path).recording.num_frames == 5


def test_the_free_memory_of_this_machine_is_known():
    assert c3d_file.free_memory() > 1e6


# ---- broken files ------------------------------------------------------------------------------------------------


def test_broken_files_are_refused_by_name(tmp_path):
    data = c3d.write(tmp_path / "a.c3d", POINTS).read_bytes()
    for name, content, message in (
        ("cut", data[:300], "no header"),
        ("parameters", data[:600], "parameters|no frame"),
        ("data", data[:1024], "no frame of the data is there"),
        ("processor", data[:515] + b"\x01" + data[516:], "none begin there"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}: .*({message})"):
            read(tmp_path / name, format="c3d")


def test_a_file_with_the_mark_of_c3d_alone_is_none(tmp_path):
    (tmp_path / "x").write_bytes(b"\x02\x50" + b"\0" * 1000)
    with pytest.raises(InputError, match="no known format"):
        detect(tmp_path / "x")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_flipped_bytes_of_header_and_parameters_never_raise_anything_else(tmp_path, data):
    times = np.array([[0, 0.01]], dtype=np.float32)
    event = {"USED": 1, "LABELS": ["Foot Strike"], "CONTEXTS": ["Left"], "TIMES": times}
    processor = data.draw(st.sampled_from([c3d.INTEL, c3d.DEC, c3d.SGI]))
    path = c3d.write(
        tmp_path / "a.c3d", 1000 * capture.WALKER, list(person.JOINTS), processor=processor, groups={"EVENT": event}
    )
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 1500))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    try:
        read(path, format="c3d", options=ReadOptions(up="z", unit="mm", fps=50))
    except InputError as error:
        if "a.c3d" not in str(error):
            pytest.fail(f"the message does not name the file: {error}")


def test_words_of_the_header_are_in_the_order_of_the_processor(tmp_path):
    path = c3d.write(tmp_path / "a.c3d", POINTS, processor=c3d.SGI)
    assert struct.unpack_from(">H", path.read_bytes(), 2)[0] == 3
    assert c3d_file.C3DFile.load(path).word(2) == 3
