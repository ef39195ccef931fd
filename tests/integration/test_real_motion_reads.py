"""Every real recording reads: none is lost, the counts are those of the data's description, bodies are human."""

from __future__ import annotations

import itertools
import time
from collections import Counter

import numpy as np
import pytest

from kinespan.data.joint_map import joint_map, map_recording
from kinespan.data.skeletons import KINECT_20, SKELETONS
from kinespan.errors import InputError
from kinespan.io import ReadOptions, read, survey_files

pytestmark = pytest.mark.real_motion

ZEROS = {"Seq2_10.csv", "Seq4_10.csv"}
# folder: format, files that read, frames
EXPECTED = {
    "precog/csv": ("precog", 70, 18_784),
    "hdm05": ("amc", 287, 70_996),
    "cmu_bvh/iclone": ("bvh", 61, 26_468),
    "cmu_bvh/acrnn": ("bvh", 15, 31_338),
}


def stature(recording):
    """Metres (T,) from ankle along the left leg to the hips' middle and along the trunk to the head."""
    parts = {part: joint for joint, part in enumerate(recording.skeleton.body_parts) if part}
    points = recording.positions[recording.present]
    leg = [points[:, parts[f"left_{part}"]] for part in ("ankle", "knee", "hip")]
    middle = (points[:, parts["left_hip"]] + points[:, parts["right_hip"]]) / 2
    trunk = [middle, *(points[:, parts[part]] for part in ("chest", "head"))]
    return sum(np.linalg.norm(b - a, axis=1) for chain in (leg, trunk) for a, b in itertools.pairwise(chain))


def check(take, folder):
    recording = take.recording
    size = float(np.median(stature(recording)))
    assert 1.1 < size < 1.9, f"{recording.name}: {size:.2f} m from ankle to head"
    up = recording.positions[recording.present]
    head = recording.skeleton.body_parts.index("head")
    ankle = recording.skeleton.body_parts.index("left_ankle")
    assert np.max(up[:, head, 1] - up[:, ankle, 1]) > 0.8, f"{recording.name}: the head is never above the feet"
    if folder == "hdm05":
        assert {"actor", "action", "take"} <= recording.attributes.keys()
        assert recording.fps == 120
    if folder.startswith("precog"):
        assert {"script", "performer"} <= recording.attributes.keys()
        assert take.annotation is not None
        assert len(take.annotation.spans) >= 5
        ids = take.annotation.frame_ids(recording.num_frames, recording.fps)
        assert set(ids) <= set(range(9))
    if folder.endswith("iclone"):
        assert recording.fps == 60
        assert recording.skeleton.num_joints in (100, 101)
    return recording


@pytest.mark.parametrize("folder", EXPECTED)
def test_every_file_of_the_folder_reads(real_motion, folder):
    format_name, files, frames = EXPECTED[folder]
    found, skipped = survey_files(real_motion / folder)
    assert {name for _, name in found} == {format_name}
    assert {path.suffix for path in skipped} <= {".asf", ".txt"}
    counts: Counter[str] = Counter()
    for path, _ in found:
        if path.name in ZEROS:
            with pytest.raises(InputError, match=f"{path.name}: all .* frames hold only zeros"):
                read(path)
            continue
        recording = check(read(path), folder)
        for target in SKELETONS:
            joint_map(recording.skeleton, SKELETONS[target])
        counts.update(files=1, frames=recording.num_frames)
    assert counts == {"files": files, "frames": frames}


def test_hdm05_bodies_are_as_tall_as_people(real_motion):
    for actor in ("bd", "bk", "dg", "mm", "tr"):
        path = sorted((real_motion / "hdm05").glob(f"HDM_{actor}_grabHighR_*.amc"))[0]
        positions = read(path).recording.positions[0, 0]
        assert 1.5 < np.ptp(positions[:, 1]) < 2.0


def test_precog_flicker_disappears_when_short_runs_are_merged(real_motion):
    runs = Counter()
    for path in sorted((real_motion / "precog/csv").glob("Seq*.csv")):
        if path.name in ZEROS:
            continue
        for least in (0, 5):
            annotation = read(path, options=ReadOptions(min_label_frames=least)).annotation
            runs[least] += sum(round(span.duration * 30) < 5 for span in annotation.spans)
    assert runs[0] > 0
    assert runs[5] == 0


def test_bvh_against_pybvh(real_motion):
    pybvh = pytest.importorskip("pybvh")
    for name in ("acrnn/standard.bvh", "iclone/005/005_01.bvh"):
        path = real_motion / "cmu_bvh" / name
        recording = read(path, options=ReadOptions(unit=1.0)).recording
        oracle = pybvh.read_bvh_file(path, warn_on_world_up_disagreement=False)
        columns = [recording.skeleton.joints.index(joint) for joint in oracle.joint_names]
        ours, theirs = recording.positions[:, 0, columns], oracle.joint_positions()
        # A root OFFSET is added by us and left out by pybvh, so compare from the root.
        np.testing.assert_allclose(ours - ours[:, :1], theirs - theirs[:, :1], atol=2e-3)


def test_the_largest_bvh_is_quick(real_motion):
    path = max(real_motion.glob("cmu_bvh/**/*.bvh"), key=lambda file: file.stat().st_size)
    read(path)
    times = []
    for _ in range(3):
        start = time.process_time()
        read(path)
        times.append(time.process_time() - start)
    assert min(times) < 1.0  # about a quarter of a second on an idle core


def test_real_bodies_map_onto_kinect(real_motion):
    for path in (real_motion / "cmu_bvh/acrnn/standard.bvh", sorted((real_motion / "hdm05").glob("*squat*.amc"))[0]):
        recording = map_recording(read(path).recording, KINECT_20)
        thigh = np.linalg.norm(recording.positions[:, 0, 13] - recording.positions[:, 0, 12], axis=-1)
        assert np.all((thigh > 0.3) & (thigh < 0.6))
