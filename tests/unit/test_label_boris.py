"""Projects and tables of BORIS: pairing, time offsets, the ethogram, and what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from label_cases import AGGREGATED, NEW, OLD, times, written

from kinespan.annotations import LabelFile, LabelRow, detect_labels, read_label_file, write_label_file
from kinespan.errors import InputError


def project(events, observation=None, behaviours=None):
    """A project with one observation, of a state s and a point p."""
    conf = behaviours or {"0": {"type": "State event", "code": "s"}, "1": {"type": "Point event", "code": "p"}}
    return json.dumps(
        {
            "project_format_version": "7.0",
            "subjects_conf": {},
            "behaviors_conf": conf,
            "observations": {"one": {"type": "LIVE", "file": {}, "events": events, **(observation or {})}},
        }
    )


def test_states_of_boris_are_paired_by_subject_behaviour_and_modifier(tmp_path):
    events = [
        [1.0, "A", "s", "fast", ""], [2.0, "A", "s", "slow", ""], [3.0, "B", "s", "fast", ""],
        [6.0, "A", "s", "slow", ""], [5.0, "A", "s", "fast", ""], [4.0, "", "p", "", "a comment", 17],
    ]  # fmt: skip
    file = read_label_file(written(tmp_path, "x.boris", project(events)))
    assert [(row.tier, row.modifier, row.start, row.end) for row in file.rows] == [
        ("A", "fast", 1.0, 5.0), ("A", "slow", 2.0, 6.0), ("", "", 4.0, None)
    ]  # fmt: skip
    assert file.notes == (
        "starts of states without a stop left out: 1 (observations['one'].events[2] in 'one': 's' at 3 s)",
    )


def test_the_time_offset_of_boris_is_taken_off_and_told(tmp_path):
    film = {"time offset": 20.0, "file": {"1": ["films/walk.mp4"], "2": []}, "type": "MEDIA"}
    file = read_label_file(written(tmp_path, "x.boris", project([[21.0, "", "s", ""], [23.0, "", "s", ""]], film)))
    assert times(file) == [("", "s", 1.0, 3.0)]
    assert "time offset of 1 observation is taken off" in file.notes[0]
    assert file.media == {"one": "films/walk.mp4"}


def test_behaviours_that_the_ethogram_lacks_are_left_out_and_counted(tmp_path):
    file = read_label_file(written(tmp_path, "x.boris", project([[1.0, "", "q", "", ""], [2.0, "", "p", "", ""]])))
    assert times(file) == [("", "p", 2.0, None)]
    assert "left out: 1 ('q')" in file.notes[0]


def test_compressed_projects_are_read(tmp_path):
    path = tmp_path / "x.boris.gz"
    path.write_bytes(gzip.compress(project([[2.0, "", "p", "", ""]]).encode()))
    assert (detect_labels(path), times(read_label_file(path))) == ("boris", [("", "p", 2.0, None)])


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "no JSON"),
        ('{"project_format_version": 1, "observations": []}', "observations: found"),
        (project([[1.0, "A"]]), r"observations\['one'\].events\[0\]: found"),
        (project([["x", "A", "s", "", ""]]), r"events\[0\]"),
        (project([[float("nan"), "A", "s", "", ""]]), r"events\[0\]"),
        (project([[1.0, "", "", "", ""]]), "the behaviour is empty"),
        (project([], {"events": 3}), "expected an object with a list of events"),
        (project([], {"time offset": "late"}), "time offset is 'late'"),
    ],
)
def test_broken_projects_are_refused_by_name_and_place(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_label_file(written(tmp_path, "x.boris", text))


def test_written_projects_hold_what_boris_needs(tmp_path):
    rows = (
        LabelRow("b", "walk", 3.0, 4.0, "", modifier="fast|up"),
        LabelRow("b", "walk", 1.0, 2.0, "", tier="mouse"),
        LabelRow("a", "walk", 1.5, None, ""),
    )
    write_label_file(LabelFile(Path("x"), ("a", "b"), rows, labels=("walk", "never")), tmp_path / "x.boris")
    data = json.loads((tmp_path / "x.boris").read_text("utf-8"))
    kinds = {entry["code"]: entry["type"] for entry in data["behaviors_conf"].values()}
    assert kinds == {"walk": "State event", "walk (point)": "Point event", "never": "State event"}
    assert [entry["name"] for entry in data["subjects_conf"].values()] == ["mouse"]
    modifiers = data["behaviors_conf"]["0"]["modifiers"]
    assert [part["values"] for part in modifiers.values()] == [["fast"], ["up"]]
    for observation in data["observations"].values():
        assert observation["type"] == "LIVE"
        assert [event[0] for event in observation["events"]] == sorted(event[0] for event in observation["events"])
    assert times(read_label_file(tmp_path / "x.boris")) == [
        ("", "walk", 1.5, None), ("mouse", "walk", 1.0, 2.0), ("", "walk", 3.0, 4.0)
    ]  # fmt: skip


def test_tabular_exports_of_boris_are_paired(tmp_path):
    lines = [
        "o1,d,player #1:w.mp4,25,No focal subject,run,,fast,,START,1.5,w.mp4,",
        "o1,d,player #1:w.mp4,25,mouse,run,,,,STOP,1.6,w.mp4,",
        "o1,d,player #1:w.mp4,25,No focal subject,run,,fast,,STOP,2.5,w.mp4,why",
        "o1,d,player #1:w.mp4,25,mouse,jump,,,,POINT,0:01:03.25,w.mp4,",
        "o2,d,,NA,mouse,run,,,,START,9,NA,",
        "o2,d,,NA,mouse,run,,,,START,10,NA,",
        "o2,d,,NA,mouse,run,,,,STOP,12,NA,",
    ]
    path = written(tmp_path, "x.csv", NEW + "\n".join(lines))
    file = read_label_file(path)
    assert detect_labels(path) == "boris_table"
    assert [(row.recording, row.tier, row.label, row.modifier, row.start, row.end) for row in file.rows] == [
        ("o1", "", "run", "fast|", 1.5, 2.5),
        ("o1", "mouse", "jump", "", 63.25, None),
        ("o2", "mouse", "run", "", 10.0, 12.0),
    ]  # fmt: skip
    assert file.media == {"o1": "w.mp4"}
    assert [note.split(" (")[0] for note in file.notes] == [
        "starts of states without a stop left out: 1",
        "stops without a start left out: 1",
        "comments left out: those of 1 lines",
    ]


def test_old_tabular_exports_of_boris_are_read_below_what_stands_above(tmp_path):
    lines = ["3.5,D:/films/walk.avi,60,25,,run,,,START", "4,D:/films/walk.avi,60,25,,run,,,STOP"]
    path = written(tmp_path, "x.csv", OLD + "\n".join(lines) + "\n")
    file = read_label_file(path)
    assert (detect_labels(path), file.recordings, times(file)) == ("boris_table", ("obs",), [("", "run", 1.5, 2.0)])


def test_aggregated_exports_of_boris_are_read(tmp_path):
    lines = [
        "o\tw.mp4\t1\tNo focal subject\trun\t\tSTATE\t1.5\t2.5\t1\t",
        "o\tw.mp4\t1\tm\tjump\tup\tPOINT\t3\t3\tNA\t",
    ]
    file = read_label_file(written(tmp_path, "x.tsv", AGGREGATED + "\n".join(lines)))
    assert times(file) == [("", "run", 1.5, 2.5), ("m", "jump", 3.0, None)]


@pytest.mark.parametrize(
    "text, message",
    [
        (NEW, "no event below the header"),
        (NEW + "o,d,,25,,run,,,,BEGIN,1,w,\n", "line 2: found 'BEGIN', expected START, STOP or POINT"),
        (NEW + "o,d,,25,,run,,,,START,soon,w,\n", "line 2: time is 'soon'"),
        (NEW + "o,d,,25,,,,,,START,1,w,\n", "line 2: the column Behavior is empty"),
        (
            AGGREGATED + "o\tw\t1\t\trun\t\tSTART\t1\t2\t1\t\n",
            "line 2: Behavior type is 'START', expected STATE or POINT",
        ),
        ("Behavior,Behavior type,Observation id\na,b,c\n", "no header of a table of BORIS"),
    ],
)
def test_broken_tables_of_boris_are_refused_by_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_label_file(written(tmp_path, "x.tsv", text), "boris_table")
