"""Points in arrays, HDF5, Parquet and JSON: the same motion as in a table, and what is refused."""

from __future__ import annotations

import builtins
import json
import pickle
import shutil

import numpy as np
import pytest

from kinespan.errors import InputError
from kinespan.io import ReadOptions, detect, find_files, read, survey_files
from kinespan.io.joint_orders import MEDIAPIPE, OPENPOSE_25, PANOPTIC_19
from makers import points

ASKED = ReadOptions(fps=50.0, unit="m", up="y")
READ_AT_50 = ReadOptions(fps=50.0)


# --- Parquet -------------------------------------------------------------------------------------------------------


def test_parquet_is_read_as_the_csv_is(tmp_path):
    first, second = (read(write(tmp_path)).recording for write in (points.write_csv, points.write_parquet))
    np.testing.assert_allclose(first.positions, second.positions, atol=1e-6)
    assert (first.fps, first.skeleton.joints) == (second.fps, second.skeleton.joints)


def test_long_parquet_of_pandas_is_read(tmp_path):
    import pandas

    walk = points.walking(3)
    frame, joint = (values.ravel() for values in np.indices(walk.shape[:2]))
    table = pandas.DataFrame({"frame": frame, "keypoint": pandas.Categorical.from_codes(joint, list(points.JOINTS))})
    table[["x", "y", "z"]] = walk.reshape(-1, 3)
    table.loc[4, "x"] = None
    table.to_parquet(tmp_path / "long.parquet")
    recording = read(tmp_path / "long.parquet", options=READ_AT_50).recording
    assert recording.skeleton.joints == points.JOINTS
    assert np.argwhere(~recording.valid[:, 0]).tolist() == [[0, 4]]


def test_columns_of_several_levels_in_parquet_are_read(tmp_path):
    import pandas

    keys = pandas.MultiIndex.from_product([["made"], points.JOINTS, ["x", "y", "z"]])
    pandas.DataFrame(points.walking(3).reshape(3, -1), columns=keys).to_parquet(tmp_path / "dlc.parquet")
    recording = read(tmp_path / "dlc.parquet", options=READ_AT_50).recording
    assert recording.skeleton.joints == points.JOINTS


def test_metadata_of_parquet_state_rate_unit_axis_and_skeleton(tmp_path):
    import pyarrow
    from pyarrow import parquet

    facts = {
        "name": "paw", "fps": 40, "unit": "mm", "up": "z", "joints": ["a", "b"], "parents": [-1, 0],
        "canonical": ["", "left_wrist"],
    }  # fmt: skip
    rng = np.random.default_rng(0)
    table = pyarrow.table({f"{joint}_{axis}": rng.normal(size=4) for joint in "ab" for axis in "xyz"})
    parquet.write_table(table.replace_schema_metadata({b"kinespan": json.dumps(facts)}), tmp_path / "p.parquet")
    recording = read(tmp_path / "p.parquet").recording
    assert (recording.name, recording.fps, recording.skeleton.parents) == ("paw", 40.0, (-1, 0))
    assert recording.skeleton.body_parts == (None, "left_wrist")
    np.testing.assert_allclose(recording.positions[:, 0, 0, 1], np.array(table["a_z"]) / 1000, atol=1e-7)


@pytest.mark.parametrize(
    ("write", "package", "extra"),
    [(points.write_parquet, "pyarrow", "parquet"), (points.write_sleap, "h5py", "h5")],
)
def test_a_missing_package_is_named_with_the_pip_command(tmp_path, monkeypatch, write, package, extra):
    path = write(tmp_path)
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.split(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return real(name, *rest, **more)

    import importlib

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr("kinespan.errors.import_module", lambda name: without(name) or importlib.import_module(name))
    with pytest.raises(
        InputError, match=rf"{path.name}: reading .* needs {package}.*pip install 'kinespan\[{extra}\]'"
    ):
        read(path, options=ASKED)


# --- arrays --------------------------------------------------------------------------------------------------------


def test_arrays_of_numbered_points_are_asked_for_all_that_they_do_not_state(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "a.npy", rng.normal(size=(5, 2, 7, 3)))
    with pytest.raises(InputError, match="no frame rate, no unit and no axis"):
        read(tmp_path / "a.npy")
    recording = read(tmp_path / "a.npy", options=ASKED).recording
    assert recording.positions.shape == (5, 2, 7, 3)
    assert recording.skeleton.joints == tuple("0123456")
    assert any("--joints FILE" in note for note in recording.history)


def test_the_33_points_of_mediapipe_get_their_names(tmp_path):
    recording = read(points.write_npy(tmp_path), options=READ_AT_50).recording
    assert recording.skeleton.joints == MEDIAPIPE
    assert any("order of MediaPipe" in note for note in recording.history)


def test_a_fourth_number_is_confidence(tmp_path):
    array = np.ones((4, 5, 4)) + np.random.default_rng(0).normal(size=(4, 5, 4)) * 0.1
    array[2, 3, 3] = 0
    np.save(tmp_path / "a.npy", array)
    assert np.argwhere(~read(tmp_path / "a.npy", options=ASKED).recording.valid[:, 0]).tolist() == [[2, 3]]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((5, 7, 2)), "2-D"),
        (np.zeros((5, 7, 3)), "no point is seen"),
        (np.full((5, 7, 3), np.inf), "frame 0 holds an infinite value"),
        (np.ones((2, 50, 7, 3)), "swapped"),
        (np.ones((5, 263)), "humanml3d"),
        (np.array([[["a", "b", "c"]]]), "expected numbers"),
    ],
)
def test_other_arrays_are_refused(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError, match=rf"a\.npy: .*{message}"):
        read(tmp_path / "a.npy", options=ASKED)


# --- HDF5 ----------------------------------------------------------------------------------------------------------


def test_both_orders_of_sleap_are_the_same_motion(tmp_path):
    import h5py

    named = read(points.write_sleap(tmp_path), options=READ_AT_50).recording
    with h5py.File(tmp_path / "points3d.h5", "w") as file:
        file["tracks"] = points.walking()[:, None]
    bare = read(tmp_path / "points3d.h5", options=ASKED).recording
    np.testing.assert_allclose(bare.positions, named.positions, atol=1e-6)
    assert bare.skeleton.joints == tuple(str(joint) for joint in range(14))
    assert named.skeleton.joints == points.JOINTS


def test_damaged_texts_of_hdf5_are_refused_where_its_library_would_read_them_for_ever(tmp_path):
    path = points.write_sleap(tmp_path)
    data = bytearray(path.read_bytes())
    at = data.index(b"GCOL") + 16
    while data[at : at + 2] != b"\0\0":  # index 0 is what is free in the collection
        at += 16 + -(-int.from_bytes(data[at + 8 : at + 16], "little") // 8) * 8
    data[at + 8 : at + 16] = bytes(8)
    path.write_bytes(data)
    with pytest.raises(InputError, match="the texts in it are damaged"):
        read(path, format="sleap", options=READ_AT_50)


def test_sleap_tracks_of_a_picture_are_refused(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["tracks"] = np.ones((1, 2, 14, 30))
        file["node_names"] = [name.encode() for name in points.JOINTS]
    with pytest.raises(InputError, match="2-D"):
        read(tmp_path / "a.h5", options=ASKED)


def test_deeplabcut_in_both_stores_of_pandas_is_the_same_motion(tmp_path):
    """The names of the columns of a table are serialised text; they are read and never run."""
    import h5py

    fixed = read(points.write_deeplabcut(tmp_path), options=READ_AT_50).recording
    assert fixed.skeleton.joints == points.JOINTS
    walk = points.walking()
    keys = [("made", joint, axis) for joint in points.JOINTS for axis in "xyz"]

    def write(names):
        kind = np.dtype([("index", "<i8"), ("values_block_0", "<f8", (len(keys),))])
        records = np.zeros(len(walk), dtype=kind)
        records["index"] = np.arange(len(walk))
        records["values_block_0"] = walk.reshape(len(walk), -1)
        with h5py.File(tmp_path / "table.h5", "w") as file:
            table = file.create_group("df_with_missing").create_dataset("table", data=records)
            table.attrs["values_block_0_kind"] = np.bytes_(names)
        return tmp_path / "table.h5"

    table = read(write(pickle.dumps(keys, protocol=0)), options=READ_AT_50).recording
    np.testing.assert_array_equal(table.positions, fixed.positions)
    assert table.attributes["scorer"] == "made"
    evil = b"cos\nsystem\n(S'touch /tmp/never'\ntR."
    for names in (evil, pickle.dumps(["a", "b"], protocol=0), b"", b"garbage"):
        with pytest.raises(InputError, match=r"table\.h5"):
            read(write(names), options=READ_AT_50)


def test_hdf5_of_something_else_is_of_no_known_format(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["weights"] = np.ones(3)
    with pytest.raises(InputError, match="no known format"):
        detect(tmp_path / "a.h5")


# --- JSON ----------------------------------------------------------------------------------------------------------


def test_a_folder_of_panoptic_frames_is_one_recording(tmp_path):
    folder = points.write_panoptic_folder(tmp_path / "band", 4, skip=(2,))
    assert find_files(tmp_path) == [(folder, "pose-json")]
    assert find_files(folder) == [(folder, "pose-json")]
    recording = read(folder).recording
    body = points.as_joints(PANOPTIC_19, 4)
    assert recording.name == "band"
    assert (recording.fps, recording.positions.shape) == (29.97, (4, 2, 19, 3))
    assert recording.present.tolist() == [[True, True], [True, True], [False, False], [True, True]]
    seen = np.arange(19) != 8
    np.testing.assert_array_equal(recording.valid[0], [seen, seen])
    np.testing.assert_allclose(
        recording.positions[[0, 1, 3], 0][:, seen], body[[0, 1, 3]][:, seen] + [1, 0, 0], atol=1e-5
    )
    assert recording.attributes["people"] == "3, 7"


def test_a_folder_with_other_files_is_surveyed_around_its_recordings(tmp_path):
    points.write_panoptic_folder(tmp_path / "a")
    points.write_csv(tmp_path)
    (tmp_path / "settings.json").write_text('{"fps": 30}')
    files, skipped = survey_files(tmp_path)
    assert [(path.name, name) for path, name in files] == [("a", "pose-json"), ("walk.csv", "csv")]
    assert [path.name for path in skipped] == ["settings.json"]
    with pytest.raises(InputError, match="a folder; give one motion file of it"):
        read(tmp_path)


def test_a_folder_of_two_videos_is_refused(tmp_path):
    folder = points.write_panoptic_folder(tmp_path / "a")
    shutil.copy(next(folder.iterdir()), folder / "other_00000001.json")
    with pytest.raises(InputError, match="files of 2 videos"):
        read(folder)


def openpose(body, flat=False):
    if flat:
        return {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": [1, 2, 0.5] * 25}]}
    values = np.column_stack([body, np.full(len(body), 0.8)]).ravel().tolist()
    return {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": [], "pose_keypoints_3d": values}]}


def test_openpose_in_3d_is_read_and_in_2d_refused(tmp_path):
    body = points.as_joints(OPENPOSE_25, 3)
    for frame in range(3):
        (tmp_path / f"walk_{frame:012d}_keypoints.json").write_text(json.dumps(openpose(body[frame])))
    recording = read(tmp_path, options=READ_AT_50).recording
    assert recording.skeleton.joints == OPENPOSE_25
    np.testing.assert_allclose(recording.positions[:, 0], body, atol=1e-6)
    (tmp_path / "flat.json").write_text(json.dumps(openpose(body[0], flat=True)))
    with pytest.raises(InputError, match=r"flat\.json: the points are 2-D"):
        read(tmp_path / "flat.json", options=ASKED)


def coco(key, width):
    walk = points.walking(3)
    entries = []
    for frame, body in enumerate(walk):
        values = np.column_stack([body, np.full(len(body), 2.0)])[:, :width].ravel().tolist()
        entries.append({"id": 10 + frame, "image_id": frame, "category_id": 1, key: values})
    images = [{"id": frame, "file_name": f"{frame}.png"} for frame in range(3)]
    return {"images": images, "categories": [{"keypoints": points.JOINTS}], "annotations": entries}


def test_coco_is_read_where_it_has_three_coordinates(tmp_path):
    path = tmp_path / "coco.json"
    for key, width in (("keypoints_3d", 3), ("keypoints", 4), ("keypoints_3d", 4)):
        path.write_text(json.dumps(coco(key, width)))
        recording = read(path, options=READ_AT_50).recording
        assert recording.skeleton.joints == points.JOINTS
        np.testing.assert_allclose(recording.positions[:, 0], points.walking(3), atol=1e-6)
    path.write_text(json.dumps(coco("keypoints", 3)))
    with pytest.raises(InputError, match=r"coco\.json: the points are 2-D"):
        read(path, options=ASKED)


def test_people_without_ids_are_followed_by_nearness(tmp_path):
    walk = points.walking(5)
    frames = []
    for frame, body in enumerate(walk):
        both = [body, np.add(body, [2, 0, 0])][:: 1 if frame % 2 else -1]
        frames.append({"frame_id": frame, "instances": [{"keypoints": one.tolist()} for one in both]})
    path = tmp_path / "two.json"
    path.write_text(json.dumps({"meta_info": {}, "instance_info": frames}))
    recording = read(path, options=ASKED).recording
    steps = np.linalg.norm(np.diff(recording.positions, axis=0), axis=-1)
    assert recording.positions.shape[:2] == (5, 2)
    assert steps.max() < 0.5
    assert any("followed by nearness" in note for note in recording.history)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"bodies": [{"id": 0, "joints19": [1, 2]}]}', "has 2 numbers, expected x, y, z, c of 19"),
        ('{"bodies": [{"id": 0}]}', "no field joints19"),
        ('{"bodies": 3}', "field bodies is '3', expected a list"),
        ('{"people": [], "version": 1}', "no body"),
        ('{"instance_info": [{"instances": [{"keypoints": [["a", "b", "c"]]}]}]}', "no number"),
        ('{"bodies": [', ":1: no whole JSON"),
        ('{"database": {}}', "no field bodies"),
    ],
)
def test_broken_json_is_refused_by_field(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=rf"a\.json.*{message}"):
        read(tmp_path / "a.json", format="pose-json", options=ASKED)


def test_label_files_in_json_are_no_poses(tmp_path):
    path = tmp_path / "labels.json"
    path.write_text('{"version": "1", "database": {"a": {"annotations": [{"label": "x", "segment": [0, 1]}]}}}')
    with pytest.raises(InputError, match="no known format"):
        detect(path)


# --- FBX -----------------------------------------------------------------------------------------------------------


def test_fbx_says_how_to_make_bvh_of_it(tmp_path):
    (tmp_path / "walk.fbx").write_bytes(b"Kaydara FBX Binary  \x00\x1a\x00" + bytes(40))
    with pytest.raises(InputError, match=r"blender --background .*walk\.fbx.*export_anim\.bvh.*walk\.bvh"):
        read(tmp_path / "walk.fbx")
