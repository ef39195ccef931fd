"""From the rows of a label file to annotations of recordings: matched, mended where that is safe, and always told."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.annotations.label_file import LabelRow
from kinespan.corpus.info import RecordingInfo
from kinespan.data.annotation import BACKGROUND, IGNORE, Annotation, Event, LabelSet, Span
from kinespan.data.skeletons import KINECT_20
from kinespan.errors import InputError
from kinespan.prepare.labels import LabelSettings, fit, read_labels
from kinespan.prepare.labels.names import check_names
from kinespan.prepare.labels.overlaps import settle_overlaps

HEADER = "recording,label,start,end\n"


def info(name: str, seconds: float = 20.0, fps: float = 30.0, people: int = 1) -> RecordingInfo:
    return RecordingInfo(name, fps, round(seconds * fps), people, KINECT_20, f"{name}.bvh", "", {}, (), False)


TAKES = (info("walk_01", people=2), info("walk_02"))


def settle(
    folder: Path, rows: str, takes: tuple[RecordingInfo, ...] = TAKES, header: str = HEADER, **options: object
) -> tuple[dict[str, Annotation], str]:
    """Annotations by recording, and all decisions as one text, of a table of labels."""
    file = folder / "labels.csv"
    file.write_text(header + rows)
    return settle_file(file, takes, **options)


def settle_file(
    file: Path, takes: tuple[RecordingInfo, ...] = TAKES, **options: object
) -> tuple[dict[str, Annotation], str]:
    prepared = read_labels(file, [take.name for take in takes], LabelSettings(**options))  # type: ignore[arg-type]
    annotations, decisions = prepared.annotations(takes)
    return annotations, "\n".join(decisions)


def times(annotation: Annotation) -> list[tuple[str, float, float]]:
    return [(span.label, round(span.start, 6), round(span.end, 6)) for span in annotation.spans]


# ---- rows at the same time -------------------------------------------------------------------------------------


def test_a_double_row_is_left_out_and_labels_stay_exclusive(tmp_path: Path) -> None:
    annotations, decisions = settle(tmp_path, "walk_01,walk,1,3\nwalk_01,turn,4,5\nwalk_01,walk,1,3\n")
    assert annotations["walk_01"] == Annotation((Span(1, 3, "walk"), Span(4, 5, "turn")), LabelSet(("turn", "walk")))
    assert "double rows left out: 1 (line 4 ('walk' 1 to 3))" in decisions
    assert "labels exclude each other" in decisions


def test_a_double_entry_is_left_out_of_json_alike(tmp_path: Path) -> None:
    entry = {"label": "walk", "segment": [1, 3]}
    entries = [entry, {"label": "turn", "segment": [2.99, 4]}, entry]
    file = tmp_path / "t.json"
    file.write_text(json.dumps({"database": {"walk_01": {"annotations": entries}}}))
    annotations, decisions = settle_file(file)
    assert times(annotations["walk_01"]) == [("walk", 1, 2.99), ("turn", 2.99, 4)]
    assert annotations["walk_01"].labels.exclusive
    assert "double rows left out: 1 (database['walk_01'].annotations[2] ('walk' 1 to 3))" in decisions


def test_covered_time_past_the_end_is_cut_and_told(tmp_path: Path) -> None:
    header = "recording,label,start,end,covered\n"
    annotations, decisions = settle(tmp_path, "walk_01,walk,1,3,0-500\nwalk_02,walk,1,3,0-20\n", header=header)
    assert annotations["walk_01"].covered == ((0.0, 20.0),)
    assert "covered time past the end of 1 recording cut, such as line 2 (0 to 500)" in decisions


def test_rows_labelled_background_are_time_without_a_label(tmp_path: Path) -> None:
    rows = "walk_01,walk,1,3\nwalk_01,Background,3,6\nwalk_02,turn,2,4\n"
    annotations, decisions = settle(tmp_path, rows)
    assert annotations["walk_01"].labels.names == ("turn", "walk")
    assert times(annotations["walk_01"]) == [("walk", 1, 3)]
    assert annotations["walk_01"].covered is None
    assert "rows of 'Background' are time without a label: 1 (line 3 ('Background' 3 to 6))" in decisions
    annotations, _ = settle(tmp_path, rows, unlabelled="ignore")
    assert annotations["walk_01"].covered == ((1.0, 6.0),)
    assert annotations["walk_02"].covered == ((2.0, 4.0),)


def test_an_overlap_under_a_frame_is_cut_and_told(tmp_path: Path) -> None:
    annotations, decisions = settle(tmp_path, "walk_01,walk,1,4.03\nwalk_01,turn,4,5.5\n")
    assert times(annotations["walk_01"]) == [("walk", 1, 4), ("turn", 4, 5.5)]
    assert annotations["walk_01"].labels.exclusive
    assert "overlaps under a frame cut: 1 (line 2 ('walk' 1 to 4.03) and line 3 ('turn' 4 to 5.5))" in decisions


def test_rows_that_overlap_by_more_are_kept_and_named(tmp_path: Path) -> None:
    rows = "walk_01,walk,1,4.04\nwalk_01,turn,4,5.5\nwalk_02,walk,0,1.01\nwalk_02,sit,1,2\n"
    annotations, decisions = settle(tmp_path, rows)
    assert not annotations["walk_01"].labels.exclusive
    assert times(annotations["walk_01"]) == [("walk", 1, 4.04), ("turn", 4, 5.5)]
    assert times(annotations["walk_02"]) == [("walk", 0, 1.01), ("sit", 1, 2)], "nothing is cut then"
    assert "labels overlap" in decisions
    assert "first line 2 ('walk' 1 to 4.04) and line 3 ('turn' 4 to 5.5) in 'walk_01'" in decisions
    assert "exclude" not in decisions


def test_rows_of_one_label_that_share_time_are_joined(tmp_path: Path) -> None:
    rows = "walk_01,walk,1,4\nwalk_01,walk,3,5\nwalk_01,walk,1.5,2\nwalk_01,turn,5,6\n"
    annotations, decisions = settle(tmp_path, rows)
    assert times(annotations["walk_01"]) == [("walk", 1, 5), ("turn", 5, 6)]
    assert annotations["walk_01"].labels.exclusive
    assert "rows of one label that share time joined: 2" in decisions


def test_what_different_people_do_is_no_overlap(tmp_path: Path) -> None:
    header = "recording,label,start,end,person\n"
    annotations, _ = settle(tmp_path, "walk_01,walk,1,4,0\nwalk_01,turn,2,5,1\n", header=header)
    assert annotations["walk_01"].labels.exclusive
    annotations, decisions = settle(tmp_path, "walk_01,walk,1,4,0\nwalk_01,turn,2,5,\n", header=header)
    assert not annotations["walk_01"].labels.exclusive
    assert "labels overlap" in decisions


def test_what_a_file_declares_of_overlaps_holds(tmp_path: Path) -> None:
    entries = [{"label": "walk", "segment": [1, 3]}, {"label": "turn", "segment": [2, 4]}]
    file = tmp_path / "t.json"
    for exclusive, line in ((True, "labels exclude each other, as the file says, though rows overlap"), (False, "may")):
        file.write_text(json.dumps({"exclusive": exclusive, "database": {"walk_01": {"annotations": entries}}}))
        annotations, decisions = settle_file(file)
        assert annotations["walk_01"].labels.exclusive is exclusive
        assert times(annotations["walk_01"]) == [("walk", 1, 3), ("turn", 2, 4)]
        assert line in decisions


def slow_overlaps(rows: list[LabelRow], seconds: float) -> bool:
    """Whether rows of different labels share more than `seconds`, pair by pair."""
    return any(
        min(a.end or 0, b.end or 0) - max(a.start, b.start) > seconds
        for i, a in enumerate(rows)
        for b in rows[i + 1 :]
        if a.label != b.label
    )


TIMES = st.integers(0, 400).map(lambda time: time / 20)  # on a grid of 0.05 s, wider than a frame
ROWS = st.lists(
    st.builds(
        lambda label, start, length: LabelRow("walk_01", label, start, start + length / 20, "line 2"),
        st.sampled_from("abc"),
        TIMES,
        st.integers(1, 80),
    ),
    max_size=6,
)


@given(ROWS)
@settings(max_examples=200, deadline=None)
def test_settled_rows_agree_with_the_slow_reference(rows: list[LabelRow]) -> None:
    settled, exclusive = settle_overlaps(rows, {"walk_01": TAKES[0]}, None, [])
    assert exclusive is not slow_overlaps(rows, 1e-6)
    if not exclusive:
        assert settled == rows
        return
    assert not slow_overlaps(settled, 1e-6)
    for label in "abc":  # each instant keeps its labels
        for time in (k / 20 + 0.025 for k in range(500)):
            before, after = (
                any(row.label == label and row.start <= time < (row.end or 0) for row in group)
                for group in (rows, settled)
            )
            assert before == after


@given(st.lists(st.integers(2, 60), min_size=2, max_size=8), st.data())
@settings(max_examples=100, deadline=None)
def test_slips_under_a_frame_never_make_labels_overlap(lengths: list[int], data: st.DataObject) -> None:
    frame, start, rows = 1 / 30, 0.0, []
    for index, length in enumerate(lengths):
        end = start + length * frame
        slip = data.draw(st.floats(0, 0.99)) * frame
        rows.append(LabelRow("walk_01", "ab"[index % 2], start, end + slip, f"line {index + 2}"))
        start = end
    settled, exclusive = settle_overlaps(rows, {"walk_01": TAKES[0]}, None, [])
    assert exclusive
    assert [row.start for row in settled] == [row.start for row in rows]
    assert all(abs((a.end or 0) - (b.end or 0)) < frame for a, b in zip(settled, rows, strict=True))


# ---- names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["walk ", "Walk", "WALK", "walk\u00a0", "\u2007walk"])
def test_labels_equal_but_for_case_and_blanks_are_joined(tmp_path: Path, variant: str) -> None:
    rows = f"walk_01,walk,1,3\nwalk_01,{variant},4,5\nwalk_02,walk,1,2\n"
    annotations, decisions = settle(tmp_path, rows)
    assert annotations["walk_01"].labels.names == ("walk",)
    assert "label 'walk' is spelt" in decisions
    assert "joined (1 row, line 3)" in decisions


def test_the_declared_spelling_of_a_label_wins(tmp_path: Path) -> None:
    entries = [{"label": label, "segment": [i, i + 1]} for i, label in enumerate(("sit down", "sit  down", "Sit Down"))]
    file = tmp_path / "t.json"
    file.write_text(json.dumps({"labels": ["Sit Down"], "database": {"walk_01": {"annotations": entries}}}))
    annotations, _ = settle_file(file)
    assert annotations["walk_01"].labels.names == ("Sit Down",)


@pytest.mark.parametrize("name", ["walk_01", "walk_01.bvh", "WALK_01", " walk_01", "data/walk_01.mp4", r"d:\a\Walk_01"])
def test_recordings_are_matched_whatever_case_folder_and_ending(tmp_path: Path, name: str) -> None:
    annotations, decisions = settle(tmp_path, f"{name},walk,1,3\n")
    assert list(annotations) == ["walk_01"]
    assert ("names matched but for" in decisions) == (name.strip() != "walk_01")


def test_a_name_that_could_be_two_recordings_is_refused(tmp_path: Path) -> None:
    takes = (info("a/run"), info("b/run"))
    with pytest.raises(InputError, match="'run' could be any of the recordings 'a/run', 'b/run'"):
        settle(tmp_path, "run,walk,1,3\n", takes)
    annotations, _ = settle(tmp_path, "b/run.bvh,walk,1,3\n", takes)
    assert list(annotations) == ["b/run"]


def test_unknown_recordings_are_refused_with_the_nearest_names(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"annotates 'wlk_01' \(did you mean 'walk_01'\?\), 'zzz', which .* --match"):
        settle(tmp_path, "wlk_01,walk,1,3\nzzz,walk,1,3\nwalk_02,walk,1,3\n")
    check_names(["walk_1"], ["walk_1", "walk_2"], Path("t.csv"))
    with pytest.raises(InputError, match=r"t\.csv: annotates .* and 2 more"):
        check_names([f"q{i}" for i in range(7)], ["walk_1"], Path("t.csv"))


def test_a_table_pairs_names_and_shifts_labels(tmp_path: Path) -> None:
    match = tmp_path / "names.csv"
    match.write_text("labels;motion;offset\nvideo A;walk_01.bvh;-0,5\nvideo B;walk_02;\nvideo A;walk_02;1\n")
    annotations, decisions = settle(tmp_path, "video A.mp4,walk,1,3\nvideo B,turn,10,12\n", match=match)
    assert times(annotations["walk_01"]) == [("walk", 0.5, 2.5)]
    assert times(annotations["walk_02"]) == [("walk", 2, 4), ("turn", 10, 12)]
    assert "recordings paired by names.csv: 2 of 2" in decisions
    assert "labels shifted by the column offset in 2 recordings" in decisions


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels,recording\n", "no column motion"),
        ("label,motion\nx,walk_01\n", r"no column labels \(did you mean 'label'\?\)"),
        ("labels,motion\n", "no pair after the header"),
        ("labels,motion\nx,\n", "line 2: one of labels and motion is empty"),
        ("labels,motion\nx,wlk_01\n", r"names 'wlk_01' \(did you mean 'walk_01'\?\)"),
        ("labels,motion\nx,walk_01\n", "none of its names under labels is one of the label file's"),
        ("labels,motion,offset\nx,walk_01,soon\n", "line 2: offset is 'soon'"),
    ],
)
def test_a_bad_table_of_names_is_refused(tmp_path: Path, text: str, message: str) -> None:
    match = tmp_path / "names.csv"
    match.write_text(text)
    with pytest.raises(InputError, match=rf"names\.csv.*{message}"):
        settle(tmp_path, "walk_01,walk,1,3\n", match=match)
    with pytest.raises(InputError, match=r"--match .*none\.csv: no such file"):
        settle(tmp_path, "walk_01,walk,1,3\n", match=tmp_path / "none.csv")


# ---- times -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("unit", "factor"), [("frames", 30), ("milliseconds", 1000)])
def test_times_in_another_unit_are_refused_by_its_name_and_read_with_it(
    tmp_path: Path, unit: str, factor: float
) -> None:
    rows = "".join(
        f"walk_0{take},{label},{start * factor:g},{end * factor:g}\n"
        for take, label, start, end in ((1, "walk", 1, 3.5), (1, "turn", 4, 18), (2, "walk", 0.5, 19))
    )
    rate = r" \(30 a second\)" if unit == "frames" else ""
    with pytest.raises(
        InputError, match=rf"line 2: .*not in seconds: as {unit}{rate} all rows fit, give --time {unit}"
    ):
        settle(tmp_path, rows)
    annotations, decisions = settle(tmp_path, rows, time=unit)
    assert times(annotations["walk_01"]) == [("walk", 1, 3.5), ("turn", 4, 18)]
    assert f"times of labels taken for {unit} (--time)" in decisions


def test_frames_are_those_of_each_recording(tmp_path: Path) -> None:
    takes = (info("walk_01", fps=60), info("walk_02", fps=30))
    annotations, _ = settle(tmp_path, "walk_01,walk,60,90\nwalk_02,walk,60,90\n", takes, time="frames")
    assert times(annotations["walk_01"]) == [("walk", 1, 1.5)]
    assert times(annotations["walk_02"]) == [("walk", 2, 3)]


def test_times_in_minutes_are_doubted_and_read_with_the_option(tmp_path: Path) -> None:
    takes = (info("walk_01", 600),)
    rows = "walk_01,walk,0.5,1.5\nwalk_01,turn,2,4\nwalk_01,walk,5,6.5\nwalk_01,turn,7,9.5\n"
    _, decisions = settle(tmp_path, rows, takes)
    assert "if times are minutes, give --time minutes" in decisions
    annotations, decisions = settle(tmp_path, rows, takes, time="minutes")
    assert times(annotations["walk_01"])[0] == ("walk", 30, 90)
    assert "give --time minutes" not in decisions


def test_whole_numbers_that_fit_as_seconds_are_doubted(tmp_path: Path) -> None:
    rows = "walk_01,walk,1,3\nwalk_01,turn,4,6\nwalk_01,walk,8,11\nwalk_01,turn,11,19\n"
    assert "all times are whole numbers, taken for seconds" in settle(tmp_path, rows)[1]
    assert "whole numbers" not in settle(tmp_path, rows, time="seconds")[1]
    assert "whole numbers" not in settle(tmp_path, rows.replace("1,3", "1.2,3"))[1]
    assert "whole numbers" not in settle(tmp_path, re.sub(r",(?=\d)", ",0:", rows))[1], "seconds on a clock"


def test_a_single_row_outside_is_a_slip_of_that_row(tmp_path: Path) -> None:
    rows = "".join(f"walk_01,walk,{k}.5,{k + 1}\n" for k in range(18))
    with pytest.raises(
        InputError, match=r"1 of 19 rows outside .*\(line 20: 'turn' 185 to 190 s.*\); correct or remove"
    ):
        settle(tmp_path, rows + "walk_01,turn,185,190\n")


def test_labels_on_another_clock_are_not_taken_for_another_unit(tmp_path: Path) -> None:
    rows = "walk_01,walk,1001,1003\nwalk_01,turn,1004.5,1007\n"
    with pytest.raises(InputError, match=r"in no unit .* shift them by --offset"):
        settle(tmp_path, rows)
    assert times(settle(tmp_path, rows, offset=-1000.0)[0]["walk_01"]) == [("walk", 1, 3), ("turn", 4.5, 7)]


def test_rows_that_fit_in_no_unit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"in no unit .* do all rows fit; .* --offset"):
        settle(tmp_path, "walk_01,walk,1700000000,1700000002\n")


def test_rows_are_cut_to_the_recording_and_named(tmp_path: Path) -> None:
    annotations, decisions = settle(tmp_path, "walk_01,walk,1,3\nwalk_01,turn,18,21\nwalk_02,walk,-1,2\n")
    assert times(annotations["walk_01"]) == [("walk", 1, 3), ("turn", 18, 20)]
    assert times(annotations["walk_02"]) == [("walk", 0, 2)]
    assert "cut to the recording: 2 labels (line 3 ('turn' 18 to 21); 'walk_01' lasts 20.00 s)" in decisions


def test_rows_just_outside_are_left_out_and_told(tmp_path: Path) -> None:
    annotations, decisions = settle(
        tmp_path, "walk_01,walk,1,3\nwalk_01,turn,20.5,22\nwalk_01,walk,-0.9,-0.2\nwalk_01,hit,20.2,\nwalk_01,hit,20,\n"
    )
    assert times(annotations["walk_01"]) == [("walk", 1, 3)]
    assert annotations["walk_01"].events == (Event(20, "hit"),)
    assert "just outside of the recording, left out: 3 labels (line 3 ('turn' 20.5 to 22); 'walk_01' lasts" in decisions
    with pytest.raises(InputError, match="outside of the recordings"):
        settle(tmp_path, "walk_01,walk,1,3\nwalk_01,turn,21.5,22\n")


def test_labels_are_shifted_by_a_number_or_by_row(tmp_path: Path) -> None:
    annotations, decisions = settle(tmp_path, "walk_01,walk,101,103\n", offset=-100.0)
    assert times(annotations["walk_01"]) == [("walk", 1, 3)]
    assert "labels shifted by -100 s (--offset) in 1 recording" in decisions
    header = "recording,label,start,end,offset\n"
    annotations, _ = settle(tmp_path, "walk_01,walk,1,3,0.25\nwalk_01,turn,1,3,\n", header=header, offset=5.0)
    assert times(annotations["walk_01"]) == [("walk", 1.25, 3.25), ("turn", 6, 8)]


def test_motion_that_could_not_be_read_loses_its_labels_not_those_of_others(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(HEADER + "walk_01,walk,1,3\nwalk_02,walk,100,300\n")
    prepared = read_labels(file, ["walk_01", "walk_02"], LabelSettings())
    annotations, decisions = prepared.annotations(TAKES[:1])
    assert list(annotations) == ["walk_01"]
    assert "labels of recordings that could not be read left out: 1 recording" in decisions
    with pytest.raises(InputError, match="none of its 2 recordings could be read"):
        prepared.annotations((info("other"),))


# ---- rows without length ---------------------------------------------------------------------------------------


def test_a_label_all_of_whose_rows_are_instants_names_an_event(tmp_path: Path) -> None:
    annotations, decisions = settle(tmp_path, "walk_01,strike,1,\nwalk_01,strike,2,2\nwalk_01,walk,1,3\n")
    assert annotations["walk_01"].labels == LabelSet(("strike", "walk"), events=("strike",))
    assert annotations["walk_01"].events == (Event(1, "strike"), Event(2, "strike"))
    assert "events, labels of an instant, as none of their rows has a length: 'strike' (2 rows)" in decisions


def test_points_are_instants_inside_actions(tmp_path: Path) -> None:
    rows = "walk_01,sit,1,\nwalk_01,walk,5,\nwalk_01,walk,7,9\nwalk_02,walk,1,3\n"
    annotations, decisions = settle(tmp_path, rows, points=("Sit",))
    assert annotations["walk_01"].labels == LabelSet(("sit", "walk"))
    assert annotations["walk_01"].point_labels == (Event(1, "sit"), Event(5, "walk"))
    assert annotations["walk_01"].covered == ((7, 9),), "around a point is action, not background"
    assert annotations["walk_02"].covered is None
    assert "points inside actions whose bounds are not given: 'sit' (1 row), 'walk' (1 row)" in decisions
    assert "time without a label is background only where training learns it in 1 recording with points" in decisions
    assert "ignored" not in decisions
    with pytest.raises(InputError, match="--points: unknown label 'set'; did you mean 'sit'"):
        settle(tmp_path, rows, points=("set",))


def test_rows_without_length_or_reversed_are_left_out_and_told(tmp_path: Path) -> None:
    rows = "walk_01,walk,1,3\nwalk_01,walk,5,5\nwalk_01,walk,9,7\nwalk_02,walk,6,6\n"
    annotations, decisions = settle(tmp_path, rows)
    assert times(annotations["walk_01"]) == [("walk", 1, 3)]
    assert annotations["walk_01"].covered == ((0, 7), (9, 20)), "what lies between is no background"
    assert "walk_02" not in annotations
    assert "rows without length left out: 2 (line 3 ('walk' 5 to 5))" in decisions
    assert "rows that end before they start left out: 1 (line 4 ('walk' 9 to 7))" in decisions


def test_json_without_length_is_left_out_alike(tmp_path: Path) -> None:
    entries = [{"label": "walk", "segment": segment} for segment in ([0, 0], [1, 3], [5, 4])]
    file = tmp_path / "t.json"
    file.write_text(json.dumps({"database": {"walk_01": {"annotations": entries}}}))
    annotations, decisions = settle_file(file)
    assert times(annotations["walk_01"]) == [("walk", 1, 3)]
    assert "rows without length left out: 1 (database['walk_01'].annotations[0]" in decisions


# ---- time without a label --------------------------------------------------------------------------------------


def ids(annotation: Annotation) -> list[int]:
    """Frame ids of each second of 20."""
    return annotation.frame_ids(20, 1.0).tolist()


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_unlabelled_time_is_background_or_ignored_in_every_format(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"labels.{suffix}"
    if suffix == "csv":
        file.write_text(HEADER + "walk_01,walk,0,4\nwalk_02,,,\n")
    else:
        database = {
            "walk_01": {"annotations": [{"label": "walk", "segment": [0, 4]}]},
            "walk_02": {"annotations": []},
        }
        file.write_text(json.dumps({"database": database}))
    for options, outside, line in (
        ({}, BACKGROUND, "time without a label is background in 1 recording, 80 % of their time"),
        ({"unlabelled": "background"}, BACKGROUND, "warning: more than half of 1 recording is unlabelled"),
        ({"unlabelled": "ignore"}, IGNORE, "time that nobody looked at is ignored in 1 recording, 80 %"),
    ):
        annotations, decisions = settle_file(file, **options)
        assert ids(annotations["walk_01"]) == [1] * 4 + [outside] * 16
        assert list(annotations) == ["walk_01"], "of a recording without labels nothing is assumed"
        assert line in decisions
        assert "listed without labels, so nothing is assumed of them: 1 recording" in decisions


def test_a_recording_mostly_labelled_is_no_warning(tmp_path: Path) -> None:
    _, decisions = settle(tmp_path, "walk_01,walk,0,11\n")
    assert "45 % of their time" in decisions
    assert "warning" not in decisions


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_time_that_was_looked_at_is_background_and_all_else_ignored(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"labels.{suffix}"
    if suffix == "csv":
        file.write_text(
            "recording,label,start,end,covered\nwalk_01,walk,0,4,0-6\nwalk_01,turn,5,6,5-8;18-99\nwalk_02,,,,2-4\n"
        )
    else:
        entries = [{"label": "walk", "segment": [0, 4]}, {"label": "turn", "segment": [5, 6]}]
        database = {
            "walk_01": {"annotations": entries, "covered": [[0, 6], [5, 8], [18, 99]]},
            "walk_02": {"annotations": [], "covered": [[2, 4]]},
        }
        file.write_text(json.dumps({"database": database}))
    annotations, decisions = settle_file(file, unlabelled="background")
    assert annotations["walk_01"].covered == ((0, 8), (18, 20))
    assert ids(annotations["walk_02"]) == [IGNORE] * 2 + [BACKGROUND] * 2 + [IGNORE] * 16
    assert "time that nobody looked at is ignored in 2 recordings, 70 % of their time" in decisions


def test_covered_time_is_shifted_with_its_labels(tmp_path: Path) -> None:
    header = "recording,label,start,end,covered\n"
    annotations, _ = settle(tmp_path, "walk_01,walk,60,90,0-300\n", header=header, time="frames", offset=1.0)
    assert annotations["walk_01"].covered == ((1, 11),)
    assert times(annotations["walk_01"]) == [("walk", 3, 4)]


def test_instants_alone_with_ignored_time_are_a_warning(tmp_path: Path) -> None:
    _, decisions = settle(tmp_path, "walk_01,strike,1,\n", unlabelled="ignore")
    assert "warning: nothing says where no label holds in 1 recording of instants alone" in decisions


# ---- rows that look wrong --------------------------------------------------------------------------------------


def test_a_label_far_longer_than_its_kind_is_told(tmp_path: Path) -> None:
    takes = (info("walk_01", 100),)
    rows = "".join(f"walk_01,walk,{4 * k},{4 * k + 2}\n" for k in range(8))
    _, decisions = settle(tmp_path, rows + "walk_01,walk,40,75\n", takes)
    assert (
        "far longer than others of their label: 1 row, most of all line 10 in 'walk_01': 'walk' lasts 35.0 s"
        in decisions
    )
    assert "usually 2.0 s; check it" in decisions
    assert "far longer" not in settle(tmp_path, rows + "walk_01,walk,40,49\n", takes)[1]
    assert "'walk' lasts 35.0 s, usually 2.0 s" in settle(tmp_path, rows + "walk_01,walk,97,132\n", takes)[1]


def test_a_row_out_of_order_is_told_only_in_a_file_in_order(tmp_path: Path) -> None:
    rows = [f"walk_01,{'ab'[k % 2]},{2 * k}.5,{2 * k + 1}.5\n" for k in range(9)]
    assert "out of order" not in settle(tmp_path, "".join(rows))[1]
    slip = [*rows[:5], "walk_01,a,1.75,2\n", *rows[5:]]
    assert (
        "out of order, though all other rows are in order of time: 1 row, first line 7"
        in settle(tmp_path, "".join(slip))[1]
    )
    assert "out of order" not in settle(tmp_path, "".join(reversed(rows)))[1]
    assert "out of order" not in settle(tmp_path, "".join(sorted(rows)))[1], "grouped by label"


# ---- labels of motion files ------------------------------------------------------------------------------------


def test_labels_of_motion_files_are_cut_to_the_recording() -> None:
    labels = LabelSet(("a", "e"), events=("e",))
    whole = Annotation(
        (Span(0, 1, "a", person=1), Span(-0.5, 0.9, "a"), Span(9, 11, "a", 0.5)),
        labels,
        ((5.0, 12.0), (13.0, 14.0)),
        (Event(10, "e"),),
    )
    fitted, cut = fit(whole, 10.0)
    assert fitted == Annotation(
        (Span(0, 1, "a", person=1), Span(0, 0.9, "a"), Span(9, 10, "a", 0.5)), labels, ((5.0, 10.0),), (Event(10, "e"),)
    )
    assert cut == 2
    assert fit(fitted, 10.0) == (fitted, 0)
    for outside in (Span(10, 11, "a"), Span(-2, 0, "a")):
        with pytest.raises(InputError, match=r"outside the recording of 10.000 s; give times in seconds"):
            fit(Annotation((outside,), labels), 10.0)
    with pytest.raises(InputError, match=r"event 'e' at 11 s lies outside"):
        fit(Annotation((), labels, None, (Event(11, "e"),)), 10.0)


def test_codes_of_a_single_letter_keep_their_case(tmp_path: Path) -> None:
    annotations, _ = settle(tmp_path, "walk_01,a,1,3\nwalk_01,A,4,5\nwalk_01,a ,6,7\n", points=("A",))
    assert annotations["walk_01"].labels.names == ("A", "a")


def test_a_person_that_the_motion_lacks_is_refused(tmp_path: Path) -> None:
    header = "recording,label,start,end,person\n"
    with pytest.raises(InputError, match=r"line 3 .*: person is 1, but 'walk_02' has 1 person, counted from 0"):
        settle(tmp_path, "walk_01,walk,1,3,0\nwalk_02,walk,1,3,1\n", header=header)


def test_labels_that_are_not_declared_are_told_before_motion_is_read(tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    entries = [{"label": "walk", "segment": [1, 2]}]
    file.write_text(json.dumps({"labels": ["sit"], "database": {"walk_01": {"annotations": entries}}}))
    with pytest.raises(InputError, match="labels 'walk', which are not in labels: 'sit'"):
        read_labels(file, ["walk_01"], LabelSettings())
    file.write_text(json.dumps({"labels": ["sit"], "database": {"walk_01": {"annotations": []}}}))
    with pytest.raises(InputError, match=r"t\.json: it has no labels"):
        read_labels(file, ["walk_01"], LabelSettings())


# ---- any rows --------------------------------------------------------------------------------------------------

ANY_TIMES = st.tuples(
    st.floats(0, 19), st.sampled_from([2.0, 0.01, 5.0, 0.5, 0.0, -1.0, 30.0]) | st.floats(0.05, 3) | st.none()
).map(lambda pair: (f"{pair[0]:.3f}", "" if pair[1] is None else f"{pair[0] + pair[1]:.3f}"))
ODD_TIMES = st.tuples(st.sampled_from(["", "-2", "600", "0:05"]), st.sampled_from(["", "0", "0:07", "one"]))
ANY_ROWS = st.lists(
    st.tuples(
        st.sampled_from([("walk_01", "0"), ("walk_01.bvh", "1"), ("WALK_02", ""), ("walk_01", "")]),
        st.sampled_from(["walk", "Walk ", "turn", "hit"]),
        st.integers(0, 29).flatmap(lambda number: ANY_TIMES if number else ODD_TIMES),
        st.sampled_from(["", "", "", "0-6", "5-8; 18-40"]),
    ).map(lambda row: (row[0][0], row[1], *row[2], row[0][1], row[3])),
    min_size=1,
    max_size=8,
)


@given(
    ANY_ROWS,
    st.sampled_from([None, "background", "ignore"]),
    st.sampled_from([None, "seconds", "frames"]),
    st.sampled_from([0.0, 0.5, -0.25]),
    st.sampled_from([(), (), ("hit",)]),
)
@settings(max_examples=300, deadline=None)
def test_any_rows_become_true_annotations_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, ...]],
    unlabelled: str | None,
    time: str | None,
    offset: float,
    points: tuple[str, ...],
) -> None:
    folder = tmp_path_factory.mktemp("any")
    text = "".join(",".join(row) + "\n" for row in rows)
    header = "recording,label,start,end,person,covered\n"
    options = {"unlabelled": unlabelled, "time": time, "offset": offset, "points": points}
    try:
        annotations, decisions = settle(folder, text, header=header, **options)
    except InputError as error:
        message = str(error)
    else:
        message = ""
    hypothesis.event("refused" if message else "annotated")
    if message:
        assert re.search(r"labels\.csv|--points", message)
        return
    assert all(line == line.strip() for line in decisions.splitlines())
    assert len({annotation.labels for annotation in annotations.values()}) <= 1
    for name, annotation in annotations.items():
        assert name in ("walk_01", "walk_02")
        assert all(0 <= span.start < span.end <= 20 for span in annotation.spans)
        assert all(0 <= event.time <= 20 for event in annotation.events)
        assert all(0 <= start < end <= 20 for start, end in annotation.covered or ())
        if annotation.labels.exclusive:
            for person in (0, 1):
                spans = [span for span in annotation.spans if span.person in (None, person)]
                assert all(a.end <= b.start + 1e-6 for a, b in itertools.pairwise(spans))
