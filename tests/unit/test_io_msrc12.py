"""MSRC-12 text: uneven frames by their time stamps, action points by the clock of the tags, what was not seen."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from kinespan.data.skeletons import KINECT_20
from kinespan.errors import InputError
from kinespan.io import ReadOptions, detect, read
from kinespan.io.msrc12 import LABELS
from kinespan.transforms.normalise import even_rate
from makers import msrc12
from makers.msrc12 import START

RNG = np.random.default_rng(0)
NAME = "P2_1_12A_p07"


def made(folder: Path, times: list[int], *, zipped: bool = True, name: str = NAME) -> tuple[Path, np.ndarray]:
    joints = RNG.normal(size=(len(times), 20, 3)).round(6)
    suffix = ".csv.gz" if zipped else ".csv"
    return msrc12.write_recording(folder / f"{name}{suffix}", times, joints, zipped=zipped), joints


@pytest.mark.parametrize("zipped", [True, False])
def test_frames_keep_their_time_stamps(tmp_path: Path, zipped: bool) -> None:
    times = [START, START + 33_000, START + 66_000, START + 133_000, START + 2_133_000]
    path, joints = made(tmp_path, times, zipped=zipped)
    recording = read(path).recording
    assert detect(path) == "msrc12"
    np.testing.assert_allclose(recording.positions[:, 0], joints, atol=1e-6)
    np.testing.assert_allclose(recording.times, [0, 0.033, 0.066, 0.133, 2.133], atol=1e-9)
    assert recording.fps == 30.0
    assert (recording.name, recording.skeleton) == (NAME, KINECT_20)
    assert recording.attributes == {"instruction": "P2_1", "gesture": "12", "performer": "7"}


def test_a_hole_in_the_time_stamps_stays_a_gap_at_an_even_rate(tmp_path: Path) -> None:
    times = [START + 33_000 * frame + (2_000_000 if frame >= 10 else 0) for frame in range(20)]
    even = even_rate(read(made(tmp_path, times)[0]).recording)
    assert even.duration == pytest.approx(20 * 0.033 + 2.0, abs=0.04)
    seen = even.valid.all(axis=(1, 2))
    start, stop = 9 * 0.033, 10 * 0.033 + 2.0  # seconds without a frame
    seconds = np.arange(even.num_frames) / even.fps
    assert even.fps == 30.0
    np.testing.assert_array_equal(seen, (seconds <= start) | (seconds >= stop))


def test_joints_at_zero_were_not_seen(tmp_path: Path) -> None:
    joints = RNG.normal(size=(5, 20, 3))
    joints[0] = 0
    joints[3, 7] = 0
    path = msrc12.write_recording(tmp_path / f"{NAME}.csv.gz", msrc12.stamps(RNG, 5), joints)
    expected = np.ones((5, 1, 20), dtype=bool)
    expected[0] = expected[3, 0, 7] = False
    np.testing.assert_array_equal(read(path).recording.valid, expected)
    msrc12.write_recording(path, msrc12.stamps(RNG, 5), 0 * joints)
    with pytest.raises(InputError, match=f"{NAME}.*only zeros"):
        read(path)


def test_action_points_are_events_by_the_clock_of_the_tags(tmp_path: Path) -> None:
    """A tick of 32328528185 is at (32328528185 * 1000 + 24937) / 49875 = 648191043.3 microseconds."""
    path, _ = made(tmp_path, [642_926_216 + 33_000 * frame for frame in range(200)])
    tags = path.with_name(f"{NAME}.tagstream")
    tags.write_bytes(b"XQPCTick;Tag\r\n32328528185;G1  lift outstretched arms\r\n32200000000;G12 Kick")
    take = read(path)
    assert take.annotation is not None
    assert take.annotation.labels == LABELS
    assert [event.label for event in take.annotation.events] == ["Kick", "lift outstretched arms"]
    expected = [(32_200_000_000 / 49.875 - 642_926_216) / 1e6, (32_328_528_185 / 49.875 - 642_926_216) / 1e6]
    np.testing.assert_allclose([event.time for event in take.annotation.events], expected, atol=2e-6)
    assert take.annotation.spans == ()
    assert any("action points from" in note for note in take.recording.history)


def test_without_tags_a_recording_is_unlabelled(tmp_path: Path) -> None:
    assert read(made(tmp_path, msrc12.stamps(RNG, 9))[0]).annotation is None
    path, _ = made(tmp_path, msrc12.stamps(RNG, 9), name="new take")
    assert (read(path).recording.name, dict(read(path).recording.attributes)) == ("new take", {})


def test_labels_are_twelve_events() -> None:
    assert LABELS.events == LABELS.names
    assert len(LABELS) == 12
    assert LABELS.spans == ()


def test_skipped_frames_move_the_action_points_by_their_time(tmp_path: Path) -> None:
    path, _ = made(tmp_path, [START, START + 100_000, START + 133_000, START + 166_000])
    msrc12.write_tags(path.with_name(f"{NAME}.tagstream"), [(0.05, 2), (0.15, 2)])
    take = read(path, options=ReadOptions(skip_frames=1))
    assert take.annotation is not None
    (event,) = take.annotation.events
    assert (event.time, event.label) == (pytest.approx(0.05, abs=1e-5), "Duck")
    assert take.recording.times is not None
    np.testing.assert_allclose(take.recording.times, [0, 0.033, 0.066], atol=1e-9)


@pytest.mark.parametrize(
    "tags, message",
    [
        ("Tick;Tag\n1;G1 x", r"tagstream:1: found 'Tick;Tag', expected the heading 'XQPCTick;Tag'"),
        ("XQPCTick;Tag\n32328528185 G1 x", r"tagstream:2: found '32328528185 G1 x', expected a tick"),
        ("XQPCTick;Tag\n32328528185;G13 x", r"tagstream:2: found"),
        ("XQPCTick;Tag\n1;G1 x", r"tagstream:2: the tag is at -642\.926 s of a recording of 0\.\d+ s"),
    ],
)
def test_bad_tags_are_named_by_line(tmp_path: Path, tags: str, message: str) -> None:
    path, _ = made(tmp_path, msrc12.stamps(RNG, 5))
    path.with_name(f"{NAME}.tagstream").write_text(tags)
    with pytest.raises(InputError, match=message):
        read(path)


@pytest.mark.parametrize(
    "lines, message",
    [
        (
            lambda good: [good[0], good[1].rpartition(" ")[0]],
            r":2: found 80 values, expected 81: a time stamp and x y z w",
        ),
        (lambda good: [good[0], "", good[1]], r":2: found 0 values"),
        (lambda good: [good[0], good[1].replace("1.000000", "nan", 1)], r":2: found 'nan', expected a finite number"),
        (lambda good: [good[1], good[0]], r":2: time stamp \d+ after \d+, expected microseconds that rise"),
        (lambda good: [good[0], good[0]], r":2: time stamp"),
        (lambda good: ["", " "], "empty"),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_lines_that_are_no_frame_are_named(tmp_path: Path, zipped: bool, lines: object, message: str) -> None:
    path, _ = made(tmp_path, msrc12.stamps(RNG, 2), zipped=False)
    text = "\n".join(lines(path.read_text().splitlines())) + "\n"  # type: ignore[operator]
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    with pytest.raises(InputError, match=message):
        read(path, format="msrc12")


def test_a_gzipped_file_that_is_cut_off_or_damaged_says_so(tmp_path: Path) -> None:
    path, _ = made(tmp_path, msrc12.stamps(RNG, 30))
    data = path.read_bytes()
    path.write_bytes(data[:-200])
    with pytest.raises(InputError, match="the gzipped file is cut off"):
        read(path)
    path.write_bytes(data[:200] + b"\xff" * 50 + data[250:])
    with pytest.raises(InputError, match="the gzipped data are damaged"):
        read(path, format="msrc12")
    path.write_bytes(gzip.compress(b"\0\1\2"))
    with pytest.raises(InputError, match="the gzipped file is not text"):
        read(path, format="msrc12")
