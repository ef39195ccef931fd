"""SFINGE 3D text: a hand of 20 joints, its tree, what was not seen, and lines that are no frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinespan.errors import InputError
from kinespan.io import detect, read
from kinespan.io.sfinge import SFINGE_HAND
from makers import sfinge

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("separator", [",", ";"])
def test_positions_are_read_and_orientations_left(tmp_path: Path, separator: str) -> None:
    values = sfinge.hands(RNG, 7)
    path = sfinge.write_hands(tmp_path / "12.txt", values, separator)
    recording = read(path).recording
    np.testing.assert_allclose(recording.positions[:, 0], values[..., :3], rtol=1e-4)
    assert (recording.fps, recording.name, recording.times) == (20.0, "12", None)
    assert recording.valid.all()
    assert read(path).annotation is None


def test_the_hand_is_a_palm_with_five_chains() -> None:
    hand = SFINGE_HAND
    assert hand.joints[:4] == ("palm", "thumbA", "thumbB", "thumbEnd")
    assert hand.num_joints == 20
    parent_of = {
        joint: hand.joints[parent] for joint, parent in zip(hand.joints, hand.parents, strict=True) if parent >= 0
    }
    for finger in ("index", "middle", "ring", "pinky"):
        assert [parent_of[f"{finger}{end}"] for end in ("A", "B", "C", "End")] == [
            "palm", f"{finger}A", f"{finger}B", f"{finger}C"
        ]  # fmt: skip
    assert parent_of["thumbEnd"] == "thumbB"
    assert hand.root == (0,)
    assert not hand.has_heading
    assert not hand.has_torso


def test_joints_at_the_origin_were_not_seen(tmp_path: Path) -> None:
    values = sfinge.hands(RNG, 4)
    values[1, 3, :3] = 0
    values[2, :, :3] = 0
    recording = read(sfinge.write_hands(tmp_path / "1.txt", values)).recording
    expected = np.ones((4, 1, 20), dtype=bool)
    expected[1, 0, 3] = expected[2] = False
    np.testing.assert_array_equal(recording.valid, expected)
    values[:, :, :3] = 0
    with pytest.raises(InputError, match=r"1\.txt: all 4 frames hold only zeros, no hand was seen"):
        read(sfinge.write_hands(tmp_path / "1.txt", values))


def test_140_numbers_without_quaternions_are_another_format(tmp_path: Path) -> None:
    values = sfinge.hands(RNG, 3)
    values[0, 7, 3:] *= 1.1
    path = sfinge.write_hands(tmp_path / "x.txt", values)
    with pytest.raises(InputError, match="no known format"):
        detect(path)
    (tmp_path / "blanks.txt").write_text(
        sfinge.write_hands(tmp_path / "y.txt", sfinge.hands(RNG, 1)).read_text().replace(",", " ")
    )
    with pytest.raises(InputError, match="no known format"):
        detect(tmp_path / "blanks.txt")


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda line: line.rpartition(",")[0], ":2: found 139 values, expected 140, x y z and a quaternion"),
        (lambda line: line + ",1", ":2: found 141 values"),
        (lambda line: "", ":2: found 0 values"),
        (lambda line: "nan" + line[line.index(",") :], ":2: found 'nan', expected a finite number"),
        (lambda line: "one" + line[line.index(",") :], ":2: found 'one'"),
    ],
)
def test_lines_that_are_no_frame_are_named(tmp_path: Path, change: object, message: str) -> None:
    path = sfinge.write_hands(tmp_path / "1.txt", sfinge.hands(RNG, 3))
    lines = path.read_text().splitlines()
    lines[1] = change(lines[1])  # type: ignore[operator]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=message):
        read(path)
