"""UTKinect-Action3D's joints: uneven frames by their numbers, what was not seen, broken lines."""

from __future__ import annotations

import numpy as np
import pytest

from kinespan.data.skeletons import KINECT_20
from kinespan.errors import InputError
from kinespan.io import ReadOptions, detect, read
from kinespan.transforms.normalise import even_rate
from makers import utkinect


def test_frames_are_uneven_and_of_equal_numbers_the_first_counts(tmp_path):
    joints = utkinect.write_joints(tmp_path, 1, 1, [10, 10, 12, 14, 16, 21])
    path = tmp_path / "joints_s01_e01.txt"
    assert detect(path) == "utkinect"
    recording = read(path).recording
    assert (recording.skeleton, recording.fps) == (KINECT_20, 15.0)
    np.testing.assert_allclose(recording.times, np.array([0, 2, 4, 6, 11]) / 30)
    np.testing.assert_allclose(recording.positions[:, 0], joints[[0, 2, 3, 4, 5]], atol=1e-6)


def test_every_other_frame_is_an_even_rate(tmp_path):
    utkinect.write_joints(tmp_path, 1, 1, range(100, 120, 2))
    recording = read(tmp_path / "joints_s01_e01.txt").recording
    assert (recording.times, recording.fps, recording.num_frames) == (None, 15.0, 10)
    assert read(tmp_path / "joints_s01_e01.txt", options=ReadOptions(fps=30)).recording.fps == 30


def test_by_time_a_hole_is_a_gap(tmp_path):
    utkinect.write_joints(tmp_path, 1, 1, [0, 2, 4, 6, 14, 16, 18])
    recording = even_rate(read(tmp_path / "joints_s01_e01.txt").recording)
    assert recording.present[:, 0].tolist() == [True] * 4 + [False] * 3 + [True] * 3


def test_joints_at_zero_were_not_seen(tmp_path):
    path = tmp_path / "any.txt"
    rows = np.random.default_rng(0).normal(size=(3, 20, 3))
    rows[1, 5] = 0
    path.write_text("\n".join(utkinect.row(2 * number, joints) for number, joints in enumerate(rows)))
    assert np.argwhere(~read(path).recording.valid).tolist() == [[1, 0, 5]]
    path.write_text(utkinect.row(0, np.zeros((20, 3))))
    with pytest.raises(InputError, match=r"any.txt: all 1 frames hold only zeros"):
        read(path)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("12 1 2 3", ":2: found 4 numbers, expected a frame number and 60 coordinates"),
        ("9 " + "1 " * 60, ":2: frame number is '9', expected a whole number not before the last one"),
        ("12 " + "1 " * 59 + "x", ":2: found 'x', expected a finite number"),
        ("900000 " + "1 " * 60, ": frame numbers run from 10 to 900000, which is over an hour"),
    ],
)
def test_a_broken_line_is_refused_by_number(tmp_path, second, message):
    path = tmp_path / "any.txt"
    path.write_text("10 " + "1 " * 60 + f"\n{second}\n")
    with pytest.raises(InputError, match=f"any.txt{message}"):
        read(path)
