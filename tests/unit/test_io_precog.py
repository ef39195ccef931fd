"""PRECOG: positions, labels, performers, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinespan.data.annotation import Span, runs
from kinespan.data.skeletons import KINECT_20
from kinespan.errors import InputError
from kinespan.io import ReadOptions, merge_short_runs, read
from kinespan.io.precog import LABELS

HEADER = "; ".join(KINECT_20.joints)


def line(value=1.0, label=0):
    return ";".join([*(f"{value} {joint} 2.5" for joint in range(20)), str(label)])


def write(folder, lines, name="Seq3_12.csv"):
    path = folder / name
    path.write_text("\n".join([HEADER, *lines]))
    return path


def test_precog_positions_labels_and_attributes(tmp_path):
    path = write(tmp_path, [line(0.5, 0), line(1, 2), line(1, 2), line(1, 8)])
    take = read(path)
    recording = take.recording
    assert recording.positions[0, 0, 7].tolist() == [0.5, 7, 2.5]
    assert (recording.fps, recording.skeleton, recording.name) == (30.0, KINECT_20, "Seq3_12")
    assert dict(recording.attributes) == {"script": "3", "performer": "12"}
    assert take.annotation.labels == LABELS
    assert take.annotation.spans == (Span(1 / 30, 3 / 30, "LeftPunch"), Span(3 / 30, 4 / 30, "ElbowStrike"))
    assert take.annotation.covered is None


def test_labels_follow_the_frame_rate(tmp_path):
    path = write(tmp_path, [line(), line(), line(1, 1), line(1, 1)])
    annotation = read(path, options=ReadOptions(fps=10, skip_frames=1)).annotation
    assert annotation.spans == (Span(0.1, 0.3, "RightPunch"),)


def test_frames_of_zeros_are_not_valid(tmp_path):
    zeros = ";".join(["0 0 0"] * 20 + ["0"])
    assert read(write(tmp_path, [zeros, line(), zeros])).recording.present.ravel().tolist() == [False, True, False]
    with pytest.raises(InputError, match=r"Seq3_12.csv: all 2 frames hold only zeros"):
        read(write(tmp_path, [zeros, zeros]))


def test_a_joint_at_zero_was_not_seen(tmp_path):
    without_hand = ";".join([*line().split(";")[:7], "0 0 0", *line().split(";")[8:]])
    recording = read(write(tmp_path, [line(), without_hand])).recording
    assert np.argwhere(~recording.valid).tolist() == [[1, 0, 7]]
    assert recording.present.all()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (line(label=9), ":3: label is '9', expected a number from 0 to 8"),
        (line(label="x"), ":3: label is 'x'"),
        (line(label=""), ":3: label is ''"),
        (line(label=-1), ":3: label is '-1'"),
        ("1 2 3;0", ":3: found 2 fields"),
        (line().replace("1.0 3 2.5", "1.0 2.5"), ":3: Head is '1.0 2.5'"),
        (line("nan"), ":3: found 'nan', expected a finite number"),
        (line("1,5"), ":3: found '1,5'"),
        ("", ":3: found 1 fields"),
    ],
)
def test_a_broken_line_is_refused_by_number(tmp_path, broken, message):
    with pytest.raises(InputError, match=f"Seq3_12.csv{message}"):
        read(write(tmp_path, [line(), broken, line()]))


def test_a_wrong_header_or_no_frames_are_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a;b;c\n1;2;3\n")
    with pytest.raises(InputError, match="line 1 must name the 20 joints"):
        read(path, format="precog")
    with pytest.raises(InputError, match="no frame follows"):
        read(write(tmp_path, []))


def merged(ids, least):
    return merge_short_runs(np.array(ids), least).tolist()


def test_merging_short_runs_by_hand():
    assert merged([0, 0, 0, 5, 0, 0], 2) == [0] * 6
    # The one-frame run goes to its longer neighbour, 2.
    assert merged([1, 1, 3, 2, 2, 2], 2) == [1, 1, 2, 2, 2, 2]
    # Equal neighbours: the earlier.
    assert merged([1, 1, 3, 2, 2], 2) == [1, 1, 1, 2, 2]
    # At the ends there is one neighbour.
    assert merged([4, 0, 0, 0, 4], 2) == [0] * 5
    # A run that has grown is no longer short: [1] joins [2, 2], which then has 3 frames.
    assert merged([2, 2, 1, 5, 5, 5], 3) == [5] * 6
    assert merged([2, 2, 1, 5, 5], 3) == [2, 2, 2, 2, 2]
    assert merged([7], 5) == [7]
    assert merged([0, 1, 0, 1], 0) == [0, 1, 0, 1]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(0, 6))
def test_merging_leaves_no_short_run_and_no_new_label(ids, least):
    result = merge_short_runs(np.array(ids), least)
    found = runs(result)
    assert len(result) == len(ids)
    assert len(found) == 1 or all(end - start >= least for _, start, end in found)
    assert set(result.tolist()) <= set(ids)
    assert merge_short_runs(result, least).tolist() == result.tolist()
    if all(end - start >= least for _, start, end in runs(ids)):
        assert result.tolist() == ids


def test_flicker_is_merged_on_demand_and_noted(tmp_path):
    path = write(tmp_path, [line(1, label) for label in [0, 0, 0, 4, 0, 0, 6, 6, 6]])
    assert len(read(path).annotation.spans) == 2
    take = read(path, options=ReadOptions(min_label_frames=3))
    assert [span.label for span in take.annotation.spans] == ["SideLeftKick"]
    assert "merged label runs under 3 frames: 1 frames relabelled" in take.recording.history
