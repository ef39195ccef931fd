"""Labels of Label Studio, VIA, CVAT, Bento, JABS, JWatcher and data sets; and changed bytes in all these formats."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinespan.annotations import FORMATS, LabelFile, LabelRow, detect_labels, read_label_file, write_label_file
from kinespan.cli import main
from kinespan.data.clock import Clock
from kinespan.errors import InputError
from unit.test_label_tables import LABELS, keys, round_trip, rows_of, said, write

FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FPS = 25.0


def written(folder: Path, data: object, name: str = "take.json") -> Path:
    return write(folder, json.dumps(data), name)


def result(kind, value, name="action", **more):
    return {"from_name": name, "to_name": "v", "type": kind, "value": value, **more}


def timeline(start, end, label="walk"):
    return {"ranges": [{"start": start, "end": end}], "timelinelabels": [label]}


def task(*results, config=None, **more):
    project = {} if config is None else {"project": {"label_config": config}}
    return {"data": {"video": "a.mp4"}, "annotations": [{"result": list(results)}], **project, **more}


def test_timeline_frames_count_from_1_with_their_end_and_need_a_rate(tmp_path):
    file = read_label_file(written(tmp_path, [task(result("timelinelabels", timeline(1, 10)))]))
    assert rows_of(file) == [("a.mp4", "action", "walk", 0, 10)]
    with pytest.raises(InputError, match="give --fps"):
        file.in_seconds()
    for config, fps in (('<Video name="v" framerate="50"/>', 50), ('<Video value="$video"/>', 24)):
        file = read_label_file(written(tmp_path, [task(result("timelinelabels", timeline(1, 10)), config=config)]))
        assert rows_of(file) == [("a.mp4", "action", "walk", 0, 10 / fps)]
        assert f"decided: {fps} frames a second" in said(file)


def test_values_of_a_time_column_are_asked_for_and_instants_have_no_end(tmp_path):
    values = [
        {"start": 4, "end": 8, "timeserieslabels": ["run"]},
        {"start": 9, "end": 9, "instant": True, "timeserieslabels": ["hit"]},
    ]
    file = read_label_file(written(tmp_path, [task(*(result("timeserieslabels", value) for value in values))]))
    assert [(row.label, row.start, row.end) for row in file.rows] == [("run", 4, 8), ("hit", 9, None)]
    with pytest.raises(InputError, match=r"timeserieslabels.*--time"):
        file.in_seconds()


def test_annotators_are_tiers_and_what_has_no_time_is_counted(tmp_path):
    audio = {"start": 1.5, "end": 2.0, "labels": ["beat"]}
    entry = {
        "data": {"audio": "https://x.example/d/a.mp3?t=1"},
        "annotations": [
            {"completed_by": 3, "result": [result("labels", audio), result("choices", {"choices": ["x"]})]},
            {"completed_by": {"email": "b@x"}, "result": [result("labels", audio)]},
            {"was_cancelled": True, "result": [result("labels", audio)]},
        ],
        "predictions": [{"result": []}],
    }
    file = read_label_file(written(tmp_path, [entry]))
    assert rows_of(file) == [
        ("a.mp3", "action / annotator 3", "beat", 1.5, 2),
        ("a.mp3", "action / annotator b@x", "beat", 1.5, 2),
    ]
    for text in ("1 results without times", "1 annotations that were skipped", "1 predictions"):
        assert text in said(file)


def test_objects_of_video_are_there_between_key_frames(tmp_path):
    frames = [
        {"frame": 1, "enabled": True, "time": 0.04},
        {"frame": 5, "enabled": False, "time": 0.2},
        {"frame": 9, "enabled": True, "time": 0.36},
    ]
    value = {"sequence": frames, "framesCount": 50, "labels": ["dog"]}
    file = read_label_file(written(tmp_path, [task(result("videorectangle", value, id="r1"))]))
    assert rows_of(file) == [("a.mp4", "r1", "dog", 0, 0.2), ("a.mp4", "r1", "dog", 0.32, 2)]


def test_json_min_and_predictions_are_read(tmp_path):
    minimal = [{"video": "a.mp4", "id": 1, "annotator": 1, "lead_time": 2.5, "action": [timeline(3, 4)], "other": "x"}]
    path = written(tmp_path, minimal)
    assert detect_labels(path) == "label_studio"
    assert rows_of(read_label_file(path)) == [("a.mp4", "action", "walk", 2, 4)]
    predicted = [
        {
            "data": {"csv": "a.csv"},
            "predictions": [{"score": 0.5, "result": [result("timelinelabels", timeline(1, 2))]}],
        }
    ]
    assert [row.score for row in read_label_file(written(tmp_path, predicted)).rows] == [0.5]


def via(**change):
    data = {
        "project": {"vid_list": ["1"], "creator": "VGG Image Annotator"},
        "attribute": {
            "1": {"aname": "action", "options": {"0": "walk", "1": "run"}},
            "2": {"aname": "note", "options": {}},
        },
        "file": {"f": {"fid": "f", "fname": "a.mp4"}},
        "view": {"1": {"fid_list": ["f"]}},
        "metadata": {
            "m1": {"vid": "1", "z": [1.5, 2], "xy": [], "av": {"1": "1"}},
            "m2": {"vid": "1", "z": [3], "xy": [], "av": {"1": "0,1", "2": "free, text"}},
            "m3": {"vid": "1", "z": [3], "xy": [2, 1, 1], "av": {"1": "0"}},
            "m4": {"vid": "1", "z": [4, 5], "xy": [], "av": {}},
        },
    }
    return data | change


def test_via_options_are_named_and_regions_are_counted(tmp_path):
    file = read_label_file(written(tmp_path, via()))
    assert rows_of(file) == [
        ("a.mp4", "action", "run", 1.5, 2),
        ("a.mp4", "action", "walk", 3, None),
        ("a.mp4", "action", "run", 3, None),
        ("a.mp4", "note", "free, text", 3, None),
    ]
    assert "left out: 1 regions of the image" in said(file)
    assert "left out: 1 segments without a value" in said(file)


CVAT = """<?xml version="1.0"?>
<annotations><version>1.1</version><meta><task><id>5</id><name>t</name><stop_frame>9</stop_frame><source>v.mp4</source></task></meta>
<track id="0" label="dog"><box frame="2" outside="0"><attribute name="a">b</attribute></box><box frame="4" outside="1"/>
<box frame="6" outside="0"/></track>
<track id="1" label="pose"><skeleton frame="1" outside="0"/><skeleton frame="3" outside="1"/>
<track id="0" label="knee"><points frame="1" outside="0"/></track></track>
<image id="3" name="x"><tag label="walk"/></image><image id="4" name="y"><tag label="walk"/><box label="dog"/></image>
</annotations>"""


def test_cvat_tracks_end_where_they_are_outside_and_tags_run_on(tmp_path):
    file = read_label_file(write(tmp_path, CVAT, "x.xml"))
    assert rows_of(file) == [
        ("v.mp4", "0", "dog", 2, 4),
        ("v.mp4", "0", "dog", 6, 10),
        ("v.mp4", "1", "pose", 1, 3),
        ("v.mp4", "tags", "walk", 3, 5),
    ]
    assert {row.unit for row in file.rows} == {"frames"}
    assert "left out: 1 attributes of shapes" in said(file)
    assert "left out: 1 shapes on single images" in said(file)


def bento(lines, rate="Annotation framerate: 30.000000"):
    head = [
        "Bento annotation file",
        "Movie file(s):  D:\\m\\a.seq D:\\m\\b.seq",
        rate,
        "",
        "List of channels:",
        "Ch1",
        "",
    ]
    return "\n".join(
        [
            *head,
            "List of annotations:",
            "rest",
            "run",
            "",
            "Ch1----------",
            ">run",
            "Start\t Stop\t Duration ",
            *lines,
            "",
        ]
    )


def test_bento_classes_may_look_like_its_other_lines(tmp_path):
    rows = [LabelRow("take", label, 1.0, 2.0, "", tier="Ch1") for label in (">0", "?", "a---", "Start")]
    assert keys(round_trip(tmp_path, rows, "bento", FPS), 7) == keys(rows, 7)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["0.5\t1\t0.533333333333", "2\t2\t0.0333333333333"], [(0.5, 1 + 1 / 30), (2, 2 + 1 / 30)]),
        (["16\t31\t16", "61\t61\t1"], [(0.5, 31 / 30), (2, 61 / 30)]),
    ],
)
def test_bento_stops_are_last_frames_in_seconds_or_frames_from_1(tmp_path, lines, expected):
    path = write(tmp_path, bento(lines), "x.annot")
    file = read_label_file(path)
    assert [(row.start, row.end) for row in file.rows] == [pytest.approx(pair) for pair in expected]
    assert (file.recordings, file.labels, file.rows[0].tier) == (("a.seq",), ("rest", "run"), "Ch1")


def test_jabs_blocks_hold_their_last_frame_and_what_is_not_there_is_left_out(tmp_path):
    labels = {"0": {"groom": [{"start": 3, "end": 5, "present": True}, {"start": 7, "end": 9, "present": False}]}}
    path = written(
        tmp_path,
        {"file": "a.avi", "num_frames": 99, "labels": labels, "annotations": [{"start": 0, "end": 9, "tag": "dark"}]},
    )
    file = read_label_file(path)
    assert detect_labels(path) == "jabs"
    assert rows_of(file) == [("a.avi", "0", "groom", 3, 6), ("a.avi", "annotations", "dark", 0, 10)]
    assert "left out: 1 blocks" in said(file)


JWATCHER = "FirstLineOfData=4\n# Format: Focal Data File 1.0\n#BEGIN DATA\n1500, w\n2000, ,\n9000, EOF\n"


def test_jwatcher_keys_are_instants_and_its_end_was_looked_at(tmp_path):
    file = read_label_file(write(tmp_path, JWATCHER, "x.dat"))
    assert rows_of(file) == [("x", "", "w", 1.5, None), ("x", "", ",", 2, None)]
    assert [(row.start, row.end) for row in file.covered] == [(0, 9)]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"duration": 9.0, "annotations": [{"label": "a", "segment": [1, 2]}]}, ("-r", "", "a", 1, 2)),
        ({"duration_second": 9.0, "annotations": [{"label": "a", "segment": [1, 2]}]}, ("-r", "", "a", 1, 2)),
        ({"subset": "x", "duration": 9.0, "actions": [[12, 1.5, 2]]}, ("-r", "", "12", 1.5, 2)),
        ({"duration": 9.0, "timestamps": [[1, 2]], "sentences": ["mix it"]}, ("-r", "", "mix it", 1, 2)),
    ],
)
def test_data_sets_beside_activitynet_are_read(tmp_path, entry, expected):
    path = written(tmp_path, {"-r": entry})
    assert detect_labels(path) == "activitynet_family"
    assert rows_of(read_label_file(path)) == [expected]


def test_labels_past_the_stated_duration_are_said(tmp_path):
    file = read_label_file(written(tmp_path, {"r": {"duration": 5.0, "actions": [[1, 0, 1], [1, 2, 4000.36]]}}))
    assert len(file.rows) == 2
    assert "warning: 1 labels end more than 0.5 s past the stated duration" in said(file)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.json", [task(result("timelinelabels", timeline(5, 4)))], r"annotations\[0\]\.result\[0\].*not after"),
        ("x.json", [task(result("labels", {"start": "now", "end": 1, "labels": ["a"]}))], "export times as numbers"),
        ("x.json", [{"annotations": [{"result": 3}], "data": {}}], "result: found 3, expected a list of results"),
        ("x.json", via(metadata={"m": {"vid": "9", "z": [1], "xy": [], "av": {"1": "0"}}}), r"metadata\['m'\]\.vid"),
        ("x.json", via(metadata={"m": {"vid": "1", "z": ["1"], "xy": [], "av": {}}}), r"metadata\['m'\]\.z"),
        ("x.json", {"file": "a", "num_frames": 1, "labels": {"0": {"b": [{"start": 2, "end": 1}]}}}, r"labels\['0'\]"),
        ("x.json", {"r": {"duration": 1, "actions": [[1, "a", 2]]}}, r"\['r'\]\.actions\[0\]"),
        ("x.json", {"r": {"duration": 1, "timestamps": [[1, 2]], "sentences": []}}, "a list of 1 texts"),
        ("x.xml", CVAT.replace('frame="4"', 'frame="-4"'), "frame is '-4', expected the number of a frame"),
        ("x.xml", CVAT[:300], "not XML"),
        ("x.annot", bento(["1\tx\t2"]), "line 15: '1.*x.*2', expected the numbers Start, Stop and Duration"),
        ("x.annot", bento(["2\t1\t2"]), "line 15: Stop 1 is before Start 2"),
        ("x.annot", bento(["1.5\t2\t0.6"], ""), "times are seconds, but there is no 'Annotation framerate:'"),
        ("x.dat", JWATCHER.replace("1500, w", "soon, w"), "line 4: 'soon, w', expected milliseconds"),
    ],
)  # fmt: skip
def test_bad_files_are_refused_by_field_or_line(tmp_path, name, data, message):
    path = write(tmp_path, data, name) if isinstance(data, str) else written(tmp_path, data, name)
    with pytest.raises(InputError, match=message) as caught:
        read_label_file(path)
    assert str(path) in str(caught.value)


@st.composite
def frame_rows(draw, tiers, events, apart=False):
    """Rows on the grid of frames; apart: no two of one label touch."""
    rows, next_start = [], 0
    for _ in range(draw(st.integers(1, 8))):
        start = next_start + draw(st.integers(1, 500))
        stop = start + draw(st.integers(1, 300))
        next_start = stop if apart else 0
        is_event = events and draw(st.booleans())
        rows.append(
            LabelRow(
                "take",
                draw(LABELS),
                start / FPS,
                None if is_event else stop / FPS,
                "",
                tier=draw(st.sampled_from(tiers)),
            )
        )
    return rows


@given(frame_rows(("", "rater A"), events=True))
@FAST
def test_label_studio_keeps_rows_on_frames(tmp_path, rows):
    assert keys(round_trip(tmp_path, rows, "label_studio", FPS), 9, False) == keys(rows, 9, False)


@given(frame_rows(("", "rater A"), events=True))
@FAST
def test_label_studio_keeps_rows_in_seconds_where_no_rate_is_known(tmp_path, rows):
    assert keys(round_trip(tmp_path, rows, "label_studio"), 9, False) == keys(rows, 9, False)


@given(frame_rows(("view", "é 日本"), events=True))
@FAST
def test_via_keeps_rows_and_tiers(tmp_path, rows):
    assert keys(round_trip(tmp_path, rows, "via"), 12) == keys(rows, 12)


@given(frame_rows(("Ch1", "Ch 2"), events=False))
@FAST
def test_bento_keeps_spans_on_frames(tmp_path, rows):
    assert keys(round_trip(tmp_path, rows, "bento", FPS), 7) == keys(rows, 7)


@given(frame_rows(("0", "mouse"), events=False))
@FAST
def test_jabs_keeps_spans_on_frames(tmp_path, rows):
    assert keys(round_trip(tmp_path, rows, "jabs", FPS), 9) == keys(rows, 9)


@given(frame_rows(("",), events=False, apart=True))
@FAST
def test_a_column_a_class_keeps_spans_on_frames(tmp_path, rows):
    path = tmp_path / "take.csv"
    write_label_file(LabelFile(path, ("take",), tuple(rows)), path, "frame_table", {"take": Clock(FPS, 9000)})
    header = [name for name in {row.label for row in rows} if name.casefold() in ("background", "other", "none")]
    read = read_label_file(path, "frame_table").in_seconds(fps=FPS).rows if not header else rows
    assert keys(read, 9) == keys(rows, 9)


SAMPLES = {
    "activitynet_family": json.dumps(
        {"r": {"duration": 5.0, "actions": [[1, 0, 1], [1, 2, 4]]}, "q": {"timestamps": [], "sentences": []}}
    ),
    "bento": bento(["0.5\t1\t0.533333333333", "2\t2\t0.0333333333333"]),
    "bids_events": "onset\tduration\ttrial_type\n1\t0.5\tgo\n2\tn/a\tstop\n",
    "csv": "recording;label;start;end;Subject;Status\nr;a;1,5;2;x;START\n",
    "cvat": CVAT,
    "elan_tab": "Tier\tBegin Time - msec\tEnd Time - msec\tAnnotation\ngait\t1500\t2000\twalk\n",
    "frame_table": ",background,run\n0,1,0\n1,0,1\n2,0,1\n3,1,0\n",
    "jabs": json.dumps(
        {"file": "a", "num_frames": 9, "labels": {"0": {"b": [{"start": 1, "end": 3, "present": True}]}}}
    ),
    "jwatcher": JWATCHER,
    "label_studio": json.dumps(
        [task(result("timelinelabels", timeline(1, 10)), result("labels", {"start": 1, "end": 2, "labels": ["a"]}))]
    ),
    "raven": "Selection\tView\tBegin Time (s)\tEnd Time (s)\tSpecies\n1\tSpectrogram 1\t1.5\t2\tx\n",
    "via": json.dumps(via()),
}


def test_samples_are_found_by_content_whatever_they_are_called(tmp_path):
    for name, text in SAMPLES.items():
        assert detect_labels(write(tmp_path, text, "file.bin")) == name


@pytest.mark.parametrize("name", SAMPLES)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_cut_and_changed_files_are_read_or_refused(tmp_path, name, seed):
    rng = random.Random(seed)
    data = bytearray(SAMPLES[name].encode())
    for _ in range(rng.randrange(4)):
        place = rng.randrange(len(data))
        piece = rng.choice(
            [
                b"",
                b'"',
                b"\0",
                b"[]",
                b"null",
                b"-1",
                b"1e999",
                b"\xff",
                b"\n",
                b"\t",
                b"{}",
                b"true",
                bytes([rng.randrange(256)]),
            ]
        )
        data[place : place + rng.randrange(4)] = piece
    if rng.random() < 0.3:
        data = data[: rng.randrange(len(data) + 1)]
    path = write(tmp_path, bytes(data), f"take{FORMATS[name].suffixes[0]}")
    for format in (name, "auto"):
        with contextlib.suppress(InputError):
            read_label_file(path, format).in_seconds("seconds", 30.0)


def test_convert_writes_frames_at_the_rate_that_is_given_and_asks_for_it(tmp_path, capsys):
    table = write(tmp_path, "recording,label,start,end\ntake,run,0.5,1\ntake,run,2,2.03\n", "x.csv")
    out = tmp_path / "take.annot"
    assert main(["convert", str(table), str(out)]) == 2
    assert "give --fps" in capsys.readouterr().err
    assert main(["convert", str(table), str(out), "--fps", "30"]) == 0
    printed = capsys.readouterr().out
    assert "frames that are written count 30 a second (--fps)" in printed
    assert "rounded to frames: the times of 1 row" in printed
    assert [(row.start, row.end) for row in read_label_file(out).rows] == [(0.5, 1), (2, 61 / 30)]
