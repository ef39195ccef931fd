"""Every format that motion is written in, read by other means than ours: what is written is what was given."""

from __future__ import annotations

import csv
import json
import warnings
from dataclasses import replace

import ezc3d
import numpy as np
import pyarrow.parquet
import pybvh
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.cli import main
from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.data.joint_names import skeleton_from_names
from kinespan.data.recording import Recording
from kinespan.data.skeleton import Skeleton
from kinespan.data.skeletons import NTU_25, SKELETONS
from kinespan.errors import InputError
from kinespan.io import WRITERS, ReadOptions, read, save_npz, write
from kinespan.io.bvh_writer import fit_angles
from kinespan.io.rotations import axis_matrices, chained, fitted, zxy_angles
from kinespan.io.table_writer import METADATA
from makers import person

PERSON = skeleton_from_names("person", person.JOINTS, person.PARENTS)
LABELS = LabelSet(("Right Foot Strike", "walk"), events=("Right Foot Strike",))
ANNOTATION = Annotation((Span(0.1, 0.3, "walk"),), LABELS, None, (Event(0.2, "Right Foot Strike"),))


def moving(skeleton, offsets, frames=40, seed=0, largest=1.0):
    """Positions (T, 1, J, 3) of rigid bones that turn about their parents."""
    rng = np.random.default_rng(seed)
    phase = np.linspace(0, 4, frames)[:, None, None]
    angles = rng.uniform(-largest, largest, (skeleton.num_joints, 3)) * np.sin(phase)
    local = chained(angles, "zxy")
    world, positions = local.copy(), np.zeros((frames, skeleton.num_joints, 3))
    for joint in skeleton.order:
        parent = skeleton.parents[joint]
        if parent < 0:
            positions[:, joint] = offsets[joint] + phase[:, :, 0] * np.array([0.1, 0, 0.3])
        else:
            positions[:, joint] = positions[:, parent] + world[:, parent] @ offsets[joint]
            world[:, joint] = world[:, parent] @ local[:, joint]
    return positions[:, None]


def rigid_person(**fields):
    offsets = np.array([offset for _, offset in person.BODY.values()], dtype=float)
    offsets[0] = [0, person.HEIGHT, 0]
    return Recording(moving(PERSON, offsets), 50.0, PERSON, "anna", **fields)


def two_people():
    positions = np.concatenate([rigid_person().positions, rigid_person().positions + np.float32(1.5)], axis=1)
    valid = np.ones(positions.shape[:3], dtype=bool)
    valid[5:9, 1, 3] = False
    valid[20:, 0] = False
    return Recording(positions, 50.0, PERSON, "pair", valid=valid)


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_writes_one_person_and_says_what_is_lost(name, tmp_path):
    recording = rigid_person()
    written = write(recording, tmp_path / f"out.{name}", ANNOTATION)
    assert [path.name for path in written.paths] == [f"out.{name}"]
    assert written.paths[0].stat().st_size
    assert WRITERS[name].about
    lost = "labels" in " ".join(written.notes)
    assert lost == (name != "npz")
    with pytest.raises(InputError, match=r"out\..*exists already; name another file, or replace it with --overwrite"):
        write(recording, tmp_path / f"out.{name}")
    write(recording, tmp_path / f"out.{name}", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == [f"out.{name}"]


@pytest.mark.parametrize("name", WRITERS)
def test_several_people_share_a_file_or_have_one_each(name, tmp_path):
    written = write(two_people(), tmp_path / f"out.{name}")
    shared = [f"out.{name}"]
    assert sorted(path.name for path in tmp_path.iterdir()) == (
        shared if WRITERS[name].several_people else [f"out_person0.{name}", f"out_person1.{name}"]
    )
    assert sorted(path.name for path in written.paths) == sorted(path.name for path in tmp_path.iterdir())


def test_uneven_frames_are_refused_where_a_format_has_one_rate(tmp_path):
    recording = rigid_person(times=np.cumsum([0.0, *([0.02, 0.03] * 20)])[:40])
    for name in WRITERS:
        if WRITERS[name].uneven_times:
            write(recording, tmp_path / f"out.{name}")
        else:
            with pytest.raises(InputError, match="not evenly spaced"):
                write(recording, tmp_path / f"out.{name}")


def test_an_unknown_suffix_names_the_known_ones(tmp_path):
    with pytest.raises(InputError, match=r"suffix '.fbx'; expected .bvh, .c3d, .csv, .npz, .parquet, .trc"):
        write(rigid_person(), tmp_path / "out.fbx")


SAYING = {
    "csv": ReadOptions(unit="m", up="y"),
    "parquet": ReadOptions(),
    "trc": ReadOptions(up="y"),
    "c3d": ReadOptions(),
}
"""What a format does not say, where no person tells."""


@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from(["npz", *SAYING]),
    people=st.integers(1, 3),
    share=st.floats(0.5, 1),
    skeleton=st.sampled_from(["ntu25", "smpl24", "hand"]),
    seed=st.integers(0, 2**32),
)
def test_our_own_reader_reads_back_what_was_written(name, people, share, skeleton, seed, tmp_path_factory):
    rng = np.random.default_rng(seed)
    hand = Skeleton("hand", ("root", "thumb tip", "tip.2", "x_y"), (-1, 0, 0, 2))
    chosen = hand if skeleton == "hand" else SKELETONS[skeleton]
    positions = rng.normal(size=(12, people, chosen.num_joints, 3)) + np.array([0, 1, 0])
    valid = rng.random(positions.shape[:3]) < share
    valid[:2] = True
    recording = Recording(positions, 60.0, chosen, "take", valid=valid)
    path = tmp_path_factory.mktemp("again") / f"take.{name}"
    write(recording, path)
    again = read(path, options=SAYING.get(name)).recording
    assert again.fps == 60
    order = [again.skeleton.joints.index(joint) for joint in chosen.joints]
    np.testing.assert_array_equal(again.valid[:, :, order], recording.valid)
    np.testing.assert_allclose(again.positions[:, :, order], recording.positions, atol=2e-6)


@pytest.mark.parametrize("name", WRITERS)
def test_names_in_any_script_are_read_back(name, tmp_path):
    names = ("épaule", "膝", "a,b", 'x"y', "person0", "_x")
    recording = Recording(
        np.random.default_rng(0).normal(size=(5, 1, 6, 3)), 30.0, Skeleton("any", names, (-1, *[0] * 5))
    )
    write(recording, tmp_path / f"take.{name}")
    again = read(tmp_path / f"take.{name}", options=ReadOptions(unit="m", up="y")).recording
    assert again.skeleton.joints == names


# --- tables --------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), people=st.integers(1, 3), share=st.floats(0.3, 1))
def test_a_csv_holds_every_number_to_a_micrometre(seed, people, share, tmp_path_factory):
    rng = np.random.default_rng(seed)
    valid = rng.random((7, people, 25)) < share
    valid[0] = True
    recording = Recording(rng.normal(scale=3, size=(7, people, 25, 3)), 29.97, NTU_25, valid=valid)
    path = tmp_path_factory.mktemp("csv") / "out.csv"
    write(recording, path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7 * people
    assert list(rows[0])[: 2 if people == 1 else 3] == ["frame", "time", "person"][: 2 if people == 1 else 3]
    for row in rows:
        frame, slot = int(row["frame"]), int(row.get("person") or 0)
        assert float(row["time"]) == pytest.approx(frame / 29.97, abs=1e-6)
        for joint, name in enumerate(NTU_25.joints):
            cells = [row[f"{name}_{axis}"] for axis in "xyz"]
            if recording.valid[frame, slot, joint]:
                np.testing.assert_allclose(list(map(float, cells)), recording.positions[frame, slot, joint], atol=6e-7)
            else:
                assert cells == ["", "", ""]


def test_a_parquet_file_holds_the_table_and_what_a_table_does_not_say(tmp_path):
    recording = two_people()
    write(recording, tmp_path / "out.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert table.column_names[:4] == ["frame", "time", "person", "Hips_x"]
    head_y = np.array(table["Head_y"].to_pylist(), dtype=float).reshape(40, 2)
    np.testing.assert_array_equal(np.isnan(head_y), ~recording.valid[:, :, 4])
    np.testing.assert_array_equal(np.nan_to_num(head_y), recording.positions[:, :, 4, 1])
    facts = json.loads(table.schema.metadata[METADATA])
    assert facts["fps"] == 50
    assert facts["unit"] == "m"
    assert facts["up"] == "y"
    assert tuple(facts["parents"]) == PERSON.parents
    assert facts["canonical"][4] == "head"


# --- points --------------------------------------------------------------------------------------------------------


def test_a_trc_holds_millimetres_and_gaps(tmp_path):
    recording = two_people()
    written = write(recording, tmp_path / "out.trc")
    assert "2 people are told apart by what is before the colon of a label: person0:Hips" in written.notes
    lines = (tmp_path / "out.trc").read_text().split("\n")
    names = lines[3].split("\t")[2::3]
    facts = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    assert facts["NumFrames"] == "40"
    assert facts["NumMarkers"] == "42"
    assert facts["Units"] == "mm"
    assert float(facts["DataRate"]) == 50
    assert names == [f"person{slot}:{joint}" for slot in (0, 1) for joint in person.JOINTS]
    assert lines[4].split("\t")[2:5] == ["X1", "Y1", "Z1"]
    assert lines[5] == ""
    rows = [line.split("\t") for line in lines[6:] if line]
    values = np.array([[float(cell or "nan") for cell in row[2:]] for row in rows]).reshape(40, 2, 21, 3) / 1000
    np.testing.assert_array_equal(np.isnan(values[..., 0]), ~recording.valid)
    np.testing.assert_allclose(np.nan_to_num(values), recording.positions, atol=1e-6)
    assert [float(row[1]) for row in rows[:2]] == [0, 0.02]
    assert [row[0] for row in rows[:2]] == ["1", "2"]


def test_a_trc_has_every_column_for_programs_that_drop_an_empty_field_at_the_end(tmp_path):
    positions = np.array([[[0, 1, 0], [0, 2, 0]], [[0, 1, 0], [np.nan] * 3]], np.float32)  # the last point is unseen
    write(Recording(positions, 50, Skeleton("two", ("a", "b"), (-1, 0))), tmp_path / "out.trc")
    rows = (tmp_path / "out.trc").read_text().splitlines()[6:]
    assert [len(row.removesuffix("\t").split("\t")) for row in rows] == [8, 8]
    again = read(tmp_path / "out.trc", options=ReadOptions(up="y")).recording
    assert again.valid[:, 0].tolist() == [[True, True], [True, False]]


def test_a_c3d_holds_millimetres_gaps_and_events(tmp_path):
    valid = np.ones((40, 21), dtype=bool)
    valid[3:6, 2] = False
    recording = rigid_person(valid=valid)
    late = replace(ANNOTATION, events=(Event(0.2, "Right Foot Strike"), Event(61.5, "Right Foot Strike")))
    written = write(recording, tmp_path / "out.c3d", late)
    assert "C3D holds no labels with a start and an end: they are left out" in written.notes
    file = ezc3d.c3d(str(tmp_path / "out.c3d"))
    points, point = file["data"]["points"], file["parameters"]["POINT"]
    assert point["LABELS"]["value"] == list(person.JOINTS)
    assert point["UNITS"]["value"] == ["mm"]
    assert point["RATE"]["value"][0] == 50
    assert point["Y_SCREEN"]["value"] == ["+Y"]
    seen = np.moveaxis(points[:3], (0, 1, 2), (2, 1, 0)) / 1000
    np.testing.assert_array_equal(~np.isnan(seen[..., 0]), valid)
    np.testing.assert_allclose(np.nan_to_num(seen), recording.positions[:, 0], atol=1e-6)
    residuals = file["data"]["meta_points"]["residuals"][0].T
    np.testing.assert_array_equal(residuals < 0, ~valid)
    events = file["parameters"]["EVENT"]
    assert events["CONTEXTS"]["value"] == ["Right", "Right"]
    assert events["LABELS"]["value"] == ["Foot Strike", "Foot Strike"]
    np.testing.assert_allclose(events["TIMES"]["value"], [[0, 1], [0.2, 1.5]], atol=1e-5)


def test_events_of_a_c3d_are_read_back(tmp_path):
    names = ("Left Foot Off", "click", "Right", "Right Foot Strike")
    events = tuple(Event(0.1 + 0.15 * number, name) for number, name in enumerate(names))
    given = Annotation((), LabelSet(names, events=names), None, events)
    write(rigid_person(), tmp_path / "take.c3d", given)
    again = read(tmp_path / "take.c3d").annotation
    assert [event.label for event in again.events] == list(names)
    np.testing.assert_allclose([event.time for event in again.events], [event.time for event in events], atol=1e-5)


def test_a_c3d_of_many_points_holds_all_of_them_and_one_too_long_is_refused(tmp_path):
    names = tuple(f"p{number}" for number in range(400))
    many = Skeleton("many", names, (-1,) * 400)
    positions = np.random.default_rng(0).normal(size=(3, 1, 400, 3))
    write(Recording(positions, 100.0, many), tmp_path / "many.c3d")
    file = ezc3d.c3d(str(tmp_path / "many.c3d"))
    np.testing.assert_allclose(file["data"]["points"][0, 399], 1000 * positions[:, 0, 399, 0], rtol=1e-5)
    one = Skeleton("one", ("p",), (-1,))
    with pytest.raises(InputError, match=r"at most 65535 frames, this is 65536; write \.trc, \.csv or \.npz"):
        write(Recording(np.ones((65536, 1, 1, 3)), 100.0, one), tmp_path / "long.c3d")


@pytest.mark.parametrize("name, package", [("c3d", "ezc3d"), ("parquet", "pyarrow")])
def test_a_missing_package_is_told_with_the_pip_command(name, package, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"needs {package}.*pip install 'kinespan\[{name}\]'"):
        write(rigid_person(), tmp_path / f"out.{name}")


# --- BVH -----------------------------------------------------------------------------------------------------------


def read_again(recording, path):
    """Positions (T, J, 3) that the BVH reader finds in a file, in the order of the recording's joints."""
    again = read(path).recording
    order = [again.skeleton.joints.index(name) for name in recording.skeleton.joints]
    return again.positions[:, 0][:, order], again


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), largest=st.floats(0, 3))
def test_a_bvh_of_rigid_bones_puts_every_joint_where_it_was(seed, largest, tmp_path_factory):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 12))
    parents = (-1, *(int(rng.integers(0, joint)) for joint in range(1, count)))
    skeleton = Skeleton("made", tuple(f"j{joint}" for joint in range(count)), parents)
    offsets = rng.normal(scale=0.3, size=(count, 3))
    recording = Recording(moving(skeleton, offsets, 12, seed, largest), 120.0, skeleton)
    path = tmp_path_factory.mktemp("bvh") / "out.bvh"
    write(recording, path)
    positions, again = read_again(recording, path)
    assert again.fps == 120
    scale = 0.01 if "0.01 m per unit" in " ".join(again.history) else 1.0
    np.testing.assert_allclose(positions * 0.01 / scale, recording.positions[:, 0], atol=2e-5)


def test_a_bvh_of_a_person_is_the_same_person(tmp_path):
    recording = rigid_person()
    written = write(recording, tmp_path / "out.bvh")
    assert len(written.notes) == 1
    assert "joints are up to " in written.notes[0]
    assert float(written.notes[0].partition("up to ")[2].split()[0]) < 0.01
    positions, again = read_again(recording, tmp_path / "out.bvh")
    np.testing.assert_allclose(positions, recording.positions[:, 0], atol=1e-5)
    parts = dict(zip(again.skeleton.joints, again.skeleton.body_parts, strict=True))
    assert parts == dict(zip(PERSON.joints, PERSON.body_parts, strict=True))
    save_npz(again, tmp_path / "again.npz")


def test_a_bvh_is_read_alike_by_another_package(tmp_path):
    recording = rigid_person()
    write(recording, tmp_path / "out.bvh")
    oracle = pybvh.read_bvh_file(tmp_path / "out.bvh", warn_on_world_up_disagreement=False)
    order = [recording.skeleton.joints.index(name) for name in oracle.joint_names]
    np.testing.assert_allclose(oracle.joint_positions() / 100, recording.positions[:, 0, order], atol=1e-5)


def test_the_largest_error_is_that_of_the_bone_whose_length_varies(tmp_path):
    positions = rigid_person().positions.copy()
    away = positions[:, 0, 4] - positions[:, 0, 3]
    positions[7, 0, 4] += 0.05 * away[7] / np.linalg.norm(away[7])  # the head, 5 cm further out in one frame
    written = write(Recording(positions, 50.0, PERSON), tmp_path / "out.bvh")
    assert "up to 50 mm from where they were seen, the Head;" in written.notes[0]


def test_least_swing_turns_a_bone_without_any_twist():
    """Of a chain the rotation to the parent is the one with the least angle: about the axis across both directions."""
    chain = Skeleton("chain", ("a", "b", "c"), (-1, 0, 1))
    angle = np.linspace(0, 1.5, 10)
    positions = np.zeros((10, 1, 3, 3))
    positions[:, 0, 1] = [0, 0.4, 0]
    positions[:, 0, 2] = np.stack([0.3 * np.sin(angle), 0.4 + 0.3 * np.cos(angle), 0 * angle], axis=1)
    fit = fit_angles(Recording(positions, 30.0, chain))
    np.testing.assert_allclose(np.rad2deg(-angle), fit.values[:, 6], atol=1e-3)  # b about z alone
    np.testing.assert_allclose(fit.values[:, [3, 4, 5, 7, 8]], 0, atol=1e-3)


def test_unseen_joints_keep_the_angles_of_their_last_pose(tmp_path):
    whole = rigid_person()
    valid = np.ones((40, 21), dtype=bool)
    lower_arm = [person.JOINTS.index(name) for name in ("LeftForeArm", "LeftHand")]
    valid[10:15, lower_arm] = False
    valid[:, person.JOINTS.index("RightToeBase")] = False
    written = write(Recording(whole.positions, 50.0, PERSON, valid=valid), tmp_path / "out.bvh")
    assert "; never seen, put at their parents: RightToeBase)" in written.notes[1]
    positions, _ = read_again(whole, tmp_path / "out.bvh")
    np.testing.assert_allclose(positions[valid], whole.positions[:, 0][valid], atol=1e-4)
    arm = positions[:, lower_arm[1]] - positions[:, lower_arm[0]]
    np.testing.assert_allclose(np.linalg.norm(arm, axis=1), np.linalg.norm([0.01, -0.25, 0.04]), atol=1e-3)
    fit = fit_angles(Recording(whole.positions, 50.0, PERSON, valid=valid))
    names = [node.name for node in fit.nodes]
    arm_node = fit.nodes[names.index("LeftArm")]
    columns = slice(arm_node.first_channel, arm_node.first_channel + 3)
    np.testing.assert_allclose(fit.values[10:15, columns], np.tile(fit.values[9, columns], (5, 1)), atol=1e-9)


def test_points_without_parents_hang_on_an_added_root(tmp_path):
    names = ("root", "LKNE marker", "RKNE marker")
    points = Skeleton("points", names, (-1, -1, -1))
    recording = Recording(np.random.default_rng(0).normal(size=(9, 1, 3, 3)), 100.0, points)
    written = write(recording, tmp_path / "out.bvh")
    assert "BVH has one root: 3 joints without a parent hang on an added one, 'root_'" in written.notes
    assert "BVH has no blanks in names: they are written as _" in written.notes
    again = read(tmp_path / "out.bvh").recording
    assert again.skeleton.joints == ("root_", "root", "LKNE_marker", "RKNE_marker")
    np.testing.assert_allclose(again.positions[:, 0, 1:], recording.positions[:, 0], atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), share=st.floats(0, 1), frames=st.integers(1, 9), flat=st.booleans())
def test_any_motion_of_any_skeleton_becomes_a_bvh_that_can_be_read(seed, share, frames, flat, tmp_path_factory):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 9))
    skeleton = Skeleton(
        "any",
        tuple(f"j{joint}" for joint in range(count)),
        tuple(int(rng.integers(-1, max(joint, 1))) if joint else -1 for joint in range(count)),
    )
    positions = rng.normal(size=(frames, 1, count, 3)) * 10.0 ** rng.integers(-2, 3)
    positions = np.round(positions) if flat else positions  # bones without a length
    valid = rng.random((frames, count)) < share
    valid[rng.integers(frames), rng.integers(count)] = True
    path = tmp_path_factory.mktemp("any") / "any.bvh"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(Recording(positions, 100.0, skeleton, valid=valid), path)
    again = read(path, options=ReadOptions(unit="cm", up="y")).recording
    assert again.num_frames == frames
    assert set(skeleton.joints) <= set(again.skeleton.joints)
    roots = [joint for joint, parent in enumerate(skeleton.parents) if parent < 0]
    for joint in roots:
        at = again.positions[:, 0, again.skeleton.joints.index(skeleton.joints[joint])]
        np.testing.assert_allclose(at[valid[:, joint]], positions[:, 0, joint][valid[:, joint]], atol=1e-4, rtol=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-3.2, 3.2), min_size=3, max_size=3))
def test_angles_give_back_their_rotation(angles):
    rotation = chained(np.array([angles]), "zxy")
    np.testing.assert_allclose(chained(zxy_angles(rotation), "zxy"), rotation, atol=1e-7)


@pytest.mark.parametrize("sign", [1, -1])
def test_angles_at_the_pole_give_back_their_rotation(sign):
    rotation = chained(np.array([[0.3, sign * np.pi / 2, 0.5]]), "zxy")
    np.testing.assert_allclose(chained(zxy_angles(rotation), "zxy"), rotation, atol=1e-6)


def test_a_fitted_rotation_of_three_vectors_is_exact_and_of_one_nearest_to_the_given():
    rng = np.random.default_rng(0)
    rotations = chained(rng.uniform(-3, 3, (20, 3)), "zxy")
    vectors = rng.normal(size=(3, 3))
    targets = np.einsum("tij,kj->tki", rotations, vectors)
    identity = np.broadcast_to(np.eye(3), (20, 3, 3))
    np.testing.assert_allclose(fitted(vectors, targets, identity), rotations, atol=1e-5)
    near = axis_matrices(np.full(20, 0.7), "y")
    one = fitted(np.array([[0, 1.0, 0]]), np.tile([0, 2.0, 0], (20, 1, 1)), near)
    np.testing.assert_allclose(one, near, atol=1e-5)


# --- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / "in"
    (source / "sub").mkdir(parents=True)
    save_npz(rigid_person(), source / "a.npz")
    save_npz(two_people(), source / "sub" / "b.npz")
    (source / "readme.txt").write_text("hello")
    return source


def test_convert_writes_all_recordings_of_a_folder(folder, tmp_path, capsys):
    assert main(["convert", str(folder), str(tmp_path / "out"), "--to", "bvh"]) == 0
    out = tmp_path / "out"
    written = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.bvh"))
    assert written == ["a.bvh", "sub/b_person0.bvh", "sub/b_person1.bvh"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == [
        "skipped 1 file that is no recording", "converted 2 recordings", f"written to {out}: 3 files",
    ]  # fmt: skip
    assert any("1 of 2 recordings, sub/b.npz: .bvh holds one person: a file for each of 2" in line for line in lines)
    assert main(["convert", str(folder), str(out), "--to", ".bvh"]) == 2
    assert "a.bvh: exists already; name another folder, or replace files with --overwrite" in capsys.readouterr().err
    assert main(["convert", str(folder), str(out), "--to", "bvh", "--overwrite"]) == 0


def test_convert_names_broken_files_of_a_folder_and_goes_on(folder, tmp_path, capsys):
    (folder / "cut.bvh").write_text("HIERARCHY\nROOT Hips\n")
    assert main(["convert", str(folder), str(tmp_path / "out"), "--to", "csv"]) == 0
    out = capsys.readouterr().out
    assert f"left out: {folder}/cut.bvh:" in out
    assert "converted 2 of 3 recordings" in out


def test_files_of_a_folder_that_would_share_a_name_keep_their_suffix(folder, tmp_path):
    write(rigid_person(), folder / "a.bvh")
    assert main(["convert", str(folder), str(tmp_path / "out"), "--to", "trc"]) == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.trc")) == ["a.bvh.trc", "a.npz.trc"]


def test_convert_of_a_folder_asks_for_the_format(folder, tmp_path, capsys):
    assert main(["convert", str(folder), str(tmp_path / "out")]) == 2
    assert "is a folder; give the format to write its recordings in, such as --to npz" in capsys.readouterr().err
    assert main(["convert", str(folder), str(tmp_path / "out"), "--to", "fbx"]) == 2
    assert "no format to write has the suffix '.fbx'" in capsys.readouterr().err


def test_convert_brings_uneven_frames_to_one_rate_where_a_format_has_one(tmp_path, capsys):
    times = np.cumsum([0.0, *([0.02, 0.025] * 20)])[:40]
    save_npz(rigid_person(times=times), tmp_path / "a.npz")
    assert main(["convert", str(tmp_path / "a.npz"), str(tmp_path / "a.bvh")]) == 0
    assert ".bvh holds one rate: frames are brought to 50 a second by time" in capsys.readouterr().out
    assert main(["convert", str(tmp_path / "a.npz"), str(tmp_path / "a.csv")]) == 0
    assert "one rate" not in capsys.readouterr().out
    rows = list(csv.reader((tmp_path / "a.csv").open()))
    np.testing.assert_allclose([float(row[1]) for row in rows[1:]], times, atol=1e-6)
