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
        ({"positions": np.full((6, 17, 3), np.inf)}, "frame 0 holds a value that is not finite"),
        ({"positions": np.zeros((6, 16, 3))}, r"expected \(T, P, 17, 3\)"),
        ({"positions": np.array([{}], dtype=object)}, "without pickled objects"),
        ({"fps": 0}, "'fps' is 0, expected one positive number"),
        ({"fps": [1, 2]}, r"'fps' is \[1, 2\]"),
        ({"skeleton": "ntu26"}, "did you mean 'ntu25'"),
        ({"skeleton": "{"}, "'skeleton' is not JSON"),
        ({"skeleton": '{"name": "x"}'}, "'joints' is missing"),
        ({"skeleton": 5}, "'skeleton' must be one text"),
        ({"valid": np.ones(5)}, "'valid' must be true or false"),
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


@pytest.mark.parametrize("name", ["positions", "fps", "skeleton"])
def test_missing_fields_are_named(tmp_path, name):
    with pytest.raises(InputError, match=f"field '{name}' is missing; available:"):
        read(without(tmp_path, name), format="npz")


def test_saving_into_a_missing_folder_is_refused(tmp_path):
    recording = Recording(POSITIONS[:, None], 10.0, COCO_17, "x")
    with pytest.raises(InputError, match="cannot be written"):
        save_npz(recording, tmp_path / "nowhere" / "x.npz")
