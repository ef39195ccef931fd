"""PKU-MMD text: skeletons of 150 numbers a line, label files."""

from __future__ import annotations

import numpy as np
import pytest

from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.io import detect, read
from kinespan.io.pku_mmd import LabelLine, read_labels
from makers.pku_mmd import label_text, skeleton_text, timeline, write_video


def read_slowly(path):
    """Line by line: positions (T, 2, 25, 3)."""
    frames = []
    for line in path.read_text().splitlines():
        values = [float(word) for word in line.split()]
        assert len(values) == 150
        bodies = [[values[75 * body + 3 * joint :][:3] for joint in range(25)] for body in range(2)]
        frames.append(bodies)
    return np.array(frames)


def test_pku_mmd_with_one_and_two_people(tmp_path):
    rng = np.random.default_rng(0)
    for name, actions, people in (("0002-L", (14, 8), 2), ("0003-R", (8,), 1)):
        positions, _ = timeline(rng, actions)
        path, _ = write_video(tmp_path, name, positions, None)
        recording = read(path).recording
        assert recording.positions.shape == (len(positions), people, 25, 3)
        assert np.array_equal(recording.positions, read_slowly(path)[:, :people].astype(np.float32))
        assert (recording.fps, recording.skeleton) == (30.0, NTU_25)
        assert dict(recording.attributes) == {"session": name[:4], "view": name[-1]}
        assert recording.present.all()


def test_a_body_of_zeros_is_absent(tmp_path):
    rng = np.random.default_rng(1)
    positions = rng.normal(size=(6, 2, 25, 3))
    positions[:2, 1] = positions[4, 0] = 0
    path, _ = write_video(tmp_path, "A01N02-M", positions, None)
    recording = read(path).recording
    assert recording.present.tolist() == [[True, False]] * 2 + [[True, True]] * 2 + [[False, True], [True, True]]
    assert dict(recording.attributes) == {"session": "A01N02", "view": "M"}
    positions[3, 1, 7] = 0
    path, _ = write_video(tmp_path, "A01N03-M", positions, None)
    valid = read(path).recording.valid
    assert np.argwhere(~valid[2:4]).tolist() == [[1, 1, 7]]
    positions[:, 0] = 0  # the first body never: the second has the only slot
    path, _ = write_video(tmp_path, "0004-R", positions, None)
    recording = read(path).recording
    assert recording.present.tolist() == [[False]] * 2 + [[True]] * 4
    path, _ = write_video(tmp_path, "0005-R", positions * 0, None)
    with pytest.raises(InputError, match=r"0005-R\.txt: all 6 frames hold only zeros"):
        read(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 " * 149, ":2: found 149 values, expected 150"),
        ("1 " * 151, ":2: found 151 values, expected 150"),
        ("", ":2: found 0 values, expected 150"),
        ("1 " * 149 + "nan", ":2: found 'nan', expected a finite number"),
        ("1 " * 149 + "1,5", ":2: found '1,5', expected a finite number"),
    ],
)
def test_a_broken_line_is_refused_by_number(tmp_path, line, message):
    lines = skeleton_text(np.ones((3, 2, 25, 3))).splitlines()
    lines[1] = line
    path = tmp_path / "0002-L.txt"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError) as caught:
        read(path)
    assert f"0002-L.txt{message}" in str(caught.value)


def test_a_cut_off_file_is_refused(tmp_path):
    text = skeleton_text(np.ones((3, 2, 25, 3)))
    path = tmp_path / "0002-L.txt"
    path.write_text(text[: len(text) - 100])
    with pytest.raises(InputError, match=r"0002-L.txt:3: found 101 values, .* may be cut off"):
        read(path)


def test_pku_mmd_files_are_recognised_by_their_first_line(tmp_path):
    (tmp_path / "a.txt").write_text(skeleton_text(np.ones((1, 2, 25, 3))).strip())
    assert detect(tmp_path / "a.txt") == "pku-mmd"
    for number, other in enumerate(("1 " * 149, "1 " * 151, "x " * 150, "\n" + "1 " * 150)):
        (tmp_path / f"{number}.txt").write_text(other)
        with pytest.raises(InputError, match="no known format"):
            detect(tmp_path / f"{number}.txt")


def test_label_files_are_read(tmp_path):
    file = tmp_path / "0002-L.txt"
    file.write_text(label_text([(8, 30, 90, 2), (51, 60, 61, 1)]))
    assert read_labels(file, 51) == (LabelLine(8, 30, 90, 2, 1), LabelLine(51, 60, 61, 1, 2))
    file.write_bytes(b"\xef\xbb\xbf 8 , 30, 90,2,\r\n\r\n9,1,2,1")
    assert read_labels(file, 51) == (LabelLine(8, 30, 90, 2, 1), LabelLine(9, 1, 2, 1, 3))
    file.write_text("")
    assert read_labels(file, 51) == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("8,30,90", "found '8,30,90', expected label,start,end,confidence"),
        ("8,30,90,2,5", "expected label,start,end,confidence"),
        ("8,30.5,90,2", "in whole numbers"),
        ("8,-3,90,2", "in whole numbers"),
        ("drink,30,90,2", "in whole numbers"),
        ("0,30,90,2", "label is 0, expected 1 to 51"),
        ("52,30,90,2", "label is 52, expected 1 to 51"),
        ("8,90,90,2", "goes from frame 90 to 90"),
        ("8,90,30,2", "goes from frame 90 to 30"),
    ],
)
def test_a_broken_label_is_refused_by_line(tmp_path, line, message):
    file = tmp_path / "0002-L.txt"
    file.write_text(f"1,2,3,1\n{line}\n")
    with pytest.raises(InputError) as caught:
        read_labels(file, 51)
    assert "0002-L.txt:2: " in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_label_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"gone\.txt: cannot be read"):
        read_labels(tmp_path / "gone.txt", 51)
