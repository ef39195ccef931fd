"""Label files as they stand: tables of any spelling, ActivityNet JSON, and what is said of files that are none."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.annotations import read_annotations, read_label_file, write_annotations
from kinespan.annotations.text_table import parse_time
from kinespan.cli import main
from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.errors import InputError

HEADER = "recording,label,start,end\n"


def write(folder: Path, text: str | bytes, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows_of(path: Path) -> list[tuple[object, ...]]:
    return [(row.recording, row.label, row.start, row.end) for row in read_label_file(path).rows]


def test_a_table_is_read_as_annotations(tmp_path: Path) -> None:
    file = write(tmp_path, "\ufeffrecording,label,start,end,note\nr1,step10,2,3.5,x\nr2,step9,0,1,\nr1,step9,0.5,2,y\n")
    labels = LabelSet(("step9", "step10"))
    assert read_annotations(file) == {
        "r1": Annotation((Span(0.5, 2, "step9"), Span(2, 3.5, "step10")), labels),
        "r2": Annotation((Span(0, 1, "step9"),), labels),
    }


def test_overlapping_rows_and_people_are_read(tmp_path: Path) -> None:
    file = write(tmp_path, "recording,label,start,end,person\nr,a,0,2,0\nr,b,1,3,\nq,a,0,1,\n")
    annotations = read_annotations(file)
    assert not annotations["q"].labels.exclusive
    assert annotations["r"].spans == (Span(0, 2, "a", person=0), Span(1, 3, "b"))


@pytest.mark.parametrize(
    "text",
    [
        "recording;label;start;end\nr;walk, fast;1,5;3,25\n",
        "Recording\tLabel\tStart\tEnd\nr\twalk, fast\t1.5\t3.25\n",
        "RECORDING|label|start| end \nr|walk, fast|1.5|3.25\n",
        'recording,label,start,end\n\nr,"walk, fast","1,5","3,25"\n,,,\n',
        'recording, label, start, end\r\nr, "walk, fast", 0:01.5, 0:03.25\r\n',
        'recording,label,start,end\rr,"walk, fast",0:00:01.5,00:00:03.25\r',
        'end,start,recording,label\n3.25,1.5,r,"walk, fast"\n',
    ],
)
def test_tables_of_other_separators_and_times_say_the_same(tmp_path: Path, text: str) -> None:
    assert rows_of(write(tmp_path, text)) == [("r", "walk, fast", 1.5, 3.25)]


def test_zero_needs_no_clock(tmp_path: Path) -> None:
    assert rows_of(write(tmp_path, HEADER + "r,a,0,1:02\n")) == [("r", "a", 0, 62)]


@given(st.integers(0, 9), st.integers(0, 59), st.integers(0, 59_999), st.booleans())
@settings(max_examples=50, deadline=None)
def test_clock_times_are_seconds(hours: int, minutes: int, milliseconds: int, comma: bool) -> None:
    text = f"{hours}:{minutes:02}:{milliseconds / 1000:06.3f}"
    time, unit = parse_time(text.replace(".", ",") if comma else text)
    assert time == pytest.approx(3600 * hours + 60 * minutes + milliseconds / 1000)
    assert unit == "seconds"


def test_rows_without_an_end_are_events_or_points_of_an_action(tmp_path: Path) -> None:
    file = write(tmp_path, HEADER + "r,strike,1,\nr,walk,2,\nr,walk,3,5\nr,strike,4,4\n")
    annotation = read_annotations(file)["r"]
    assert annotation.labels == LabelSet(("strike", "walk"), events=("strike",))
    assert annotation.spans == (Span(3, 5, "walk"),)
    assert annotation.events == (Event(1, "strike"), Event(2, "walk"), Event(4, "strike"))
    assert annotation.point_labels == (Event(2, "walk"),)


def test_a_column_time_names_instants(tmp_path: Path) -> None:
    assert rows_of(write(tmp_path, "recording,label,time\nr,strike,1.5\n")) == [("r", "strike", 1.5, None)]


def test_covered_time_stands_in_a_column_of_its_own(tmp_path: Path) -> None:
    text = 'recording,label,start,end,covered\nr,walk,1,3,0-10\nr,,,,"0:20 - 0:30; 40-50,5"\nq,,,,\n'
    file = read_label_file(write(tmp_path, text))
    assert [(row.recording, row.start, row.end) for row in file.covered] == [
        ("r", 0, 10),
        ("r", 20, 30),
        ("r", 40, 50.5),
    ]
    assert file.recordings == ("r", "q")
    assert file.annotations()["r"].covered == ((0, 10), (20, 30), (40, 50.5))


def test_covered_time_is_written_once_a_recording(tmp_path: Path) -> None:
    labels = LabelSet(("walk", "sit"))
    annotations = {
        "a": Annotation((Span(1, 2, "walk"), Span(3, 4, "sit")), labels, ((0, 2.5), (3, 5))),
        "b": Annotation((Span(1, 2, "walk"),), labels),
        "c": Annotation((), labels, ((0, 9),)),
    }
    path = tmp_path / "labels.csv"
    write_annotations(annotations, path)
    assert [line.split(",")[-1] for line in path.read_text().splitlines()] == [
        "covered", "0.000000-2.500000; 3.000000-5.000000", "", "", "0.000000-9.000000",
    ]  # fmt: skip
    again = read_annotations(path)
    assert {name: each.covered for name, each in again.items()} == {
        name: each.covered for name, each in annotations.items()
    }
    assert again["a"].spans == annotations["a"].spans


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column label, start, end"),
        ("take;what;start;end\n", "no column label; expected .* found 'take;what;start;end'"),
        ("recording,label,start\nr,a,1\n", "no column end; .*; for instants name the column time"),
        ("recording,label,start,end,End\n", "the column end occurs twice"),
        (HEADER, "no annotation after the header"),
        (HEADER + "r,a,0,1\nr,a,zero,1\n", "line 3: start is 'zero', expected seconds"),
        (HEADER + "r,a,nan,1\n", "line 2: start is 'nan', expected seconds"),
        (HEADER + "r,a,1_0,11\n", "line 2: start is '1_0', expected seconds"),
        (HEADER + "r,a,0:01,2\n", "line 2: one of start and end is written as m:ss"),
        (HEADER + "r,,0,1\n", "line 2: field label is empty"),
        (HEADER + ",a,0,1\n", "line 2: field recording is empty"),
        (HEADER + "r,a,,1\n", "line 2: field start is empty"),
        (HEADER + "r,a,1,0,3,5\n", "line 2: 6 fields, but the header names 4; put numbers with a decimal comma"),
        (HEADER + 'r,"a,0,1\n', "line 2: cannot be read as a table"),
        ("recording,label,start,end,person\nr,a,0,1,Ann\n", "line 2: person is 'Ann'"),
        ("recording,label,start,end,offset\nr,a,0,1,early\n", "line 2: offset is 'early'"),
        ("recording,label,start,end,covered\nr,a,0,1,all\n", "line 2: covered is 'all', expected start-end"),
        ("recording,label,start,end,covered\nr,a,0,1,5-2\n", "line 2: covered is '5-2', expected start-end"),
    ],
)
def test_a_bad_table_is_refused_by_line_in_plain_words(tmp_path: Path, text: str | bytes, message: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        read_label_file(file)
    assert str(file) in str(caught.value)
    assert "codec" not in str(caught.value)


def test_rows_that_are_no_spans_are_not_made_annotations(tmp_path: Path) -> None:
    for times in ("2,1", "1,1"):
        file = write(tmp_path, HEADER + f"r,a,0,1\nr,a,{times}\n")
        with pytest.raises(InputError, match=r"labels\.csv, line 3 \('a' .*: start must be before end"):
            read_annotations(file)


def test_json_annotations_are_activitynet(tmp_path: Path) -> None:
    database = {"r": {"annotations": [{"label": "a", "segment": [1, 2]}]}, "q": {"annotations": []}}
    file = write(tmp_path, json.dumps({"database": database}), "t.json")
    assert read_annotations(file) == {
        "r": Annotation((Span(1, 2, "a"),), LabelSet(("a",))),
        "q": Annotation((), LabelSet(("a",))),
    }
    with pytest.raises(InputError, match="no such file"):
        read_annotations(tmp_path / "none.json")


def test_json_has_instants_covered_time_and_declared_labels(tmp_path: Path) -> None:
    entry = {
        "annotations": [{"label": "walk", "segment": [1, 2], "person": 1}, {"label": "strike", "segment": [3, None]}],
        "events": [{"label": "strike", "time": 1.5}],
        "covered": [[0, 4]],
    }
    data = {"labels": ["walk", "strike", "sit"], "events": ["strike"], "exclusive": False, "database": {"r": entry}}
    labels = LabelSet(("walk", "strike", "sit"), exclusive=False, events=("strike",))
    assert read_annotations(write(tmp_path, json.dumps(data), "t.json")) == {
        "r": Annotation(
            (Span(1, 2, "walk", person=1),), labels, ((0.0, 4.0),), (Event(1.5, "strike"), Event(3, "strike"))
        )
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON from line 1, column 1 on: the file is empty"),
        ('{"database": {', "not JSON from line 1, column 15 on: the file is cut off"),
        ("what it is\n", "found 'what it is'; the name of a table has to end in .csv"),
        ('{"database": {"r": {"annotations": [,]}}}', r"column 37 on: found ',\]}}}'"),
        ('{"database": {}}', "at least one recording"),
        ('{"database": {"r": []}}', r"database\['r'\]: found \[\]"),
        ('{"database": {"r": {"annotations": [{"label": "a", "segment": [1, 2, 3]}]}}}', "two finite numbers"),
        ('{"database": {"r": {"annotations": [{"label": "a", "segment": [true, 2]}]}}}', "two finite numbers"),
        ('{"database": {"r": {"annotations": [{"segment": [1, 2]}]}}}', r"annotations\[0\]\.label: found null"),
        ('{"database": {"r": {"annotations": [{"label": "a", "segment": [1, 2], "person": -1}]}}}', r"\.person"),
        ('{"exclusive": 1, "database": {"r": {"annotations": []}}}', "true or false"),
        ('{"events": "a", "database": {"r": {"annotations": []}}}', 'events: found "a", expected a list of names'),
        ('{"labels": ["b"], "database": {"r": {"annotations": [{"label": "a", "segment": [1, 2]}]}}}', "not in labels"),
        (b'{"database": {"\xe9": {}}}', "not UTF-8 text"),
    ],
)
def test_bad_json_is_refused_in_plain_words(tmp_path: Path, text: str | bytes, message: str) -> None:
    file = write(tmp_path, text, "t.json")
    with pytest.raises(InputError, match=message) as caught:
        read_annotations(file)
    assert str(file) in str(caught.value)
    assert "Expecting" not in str(caught.value)
    assert "codec" not in str(caught.value)


def test_predicted_events_of_the_threshold_are_labels(tmp_path: Path) -> None:
    events = [{"label": "hit", "time": time, "score": score} for time, score in ((1, 0.9), (2, 0.4), (3, 0.5))]
    data = {"results": {}, "segmentation": {"r": []}, "events": {"r": events}, "event_threshold": 0.5}
    annotation = read_annotations(write(tmp_path, json.dumps(data), "p.json"))["r"]
    assert annotation.events == (Event(1, "hit"), Event(3, "hit"))
    assert annotation.labels == LabelSet(("hit",), events=("hit",))


PIECES = st.sampled_from(
    [
        "recording",
        "label",
        "start",
        "end",
        "covered",
        "person",
        *',;\t\n\r"|-_ra',
        "1.5",
        "0:01",
        "0-6",
        "1e999",
        "٣",
        *"\x00\ufeff\x85é",
    ]
)


@given(st.one_of(st.binary(max_size=80), st.lists(PIECES, max_size=40).map(lambda pieces: "".join(pieces).encode())))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_label_file_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = write(tmp_path_factory.mktemp("any"), b"recording,label,start,end\n" + data)
    for content in (data, path.read_bytes()):
        path.write_bytes(content)
        try:
            file = read_label_file(path)
        except InputError:
            continue
        assert {row.recording for row in file.rows} <= set(file.recordings)
        assert all(math.isfinite(row.start) and math.isfinite(row.end or 0) for row in file.rows)


def test_a_table_in_place_of_predictions_is_called_one(tmp_path, capsys):
    (tmp_path / "spans.csv").write_text(HEADER + "r,a,0,1\n")
    (tmp_path / "truth.json").write_text("{}")
    words = ["evaluate", "--predictions", str(tmp_path / "spans.csv"), "--truth", str(tmp_path / "truth.json")]
    code, told = main(words), capsys.readouterr().err
    assert code == 2
    assert "expected ActivityNet JSON, such as proposals.json or truth.json, not a table" in told
