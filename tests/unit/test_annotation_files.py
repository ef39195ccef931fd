"""ActivityNet JSON in and out, and every annotation format."""

from __future__ import annotations

import contextlib
import csv
import gc
import json
import os
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.annotations import (
    FORMATS,
    LabelFile,
    read_annotations,
    read_label_file,
    write_annotations,
    write_label_files,
)
from kinespan.annotations.activitynet import read_predictions, read_truth, write_predictions, write_truth
from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.data.clock import Clock
from kinespan.data.predictions import Predictions, Truth
from kinespan.errors import InputError
from kinespan.files import write_atomically

SECONDS = st.floats(0, 1e6, allow_nan=False)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
SPANS = st.builds(
    lambda start, length, label, score, person: Span(start, start + length, label, score, person),
    SECONDS,
    st.floats(0.01, 100),
    NAMES,
    st.floats(-1, 1),
    st.none() | st.integers(0, 3),
)
GROUPS = st.dictionaries(NAMES, st.lists(SPANS, max_size=4).map(tuple), max_size=3)

SAMPLE_LABELS = LabelSet(("sit, down", 'the "turn"', "line\nbreak", "never"))
SAMPLE = Predictions(
    {
        "take 1": (Span(0.1, 2 / 3, "sit, down", 0.75), Span(1.0, 2.5, 'the "turn"', 1e-9, 1)),
        "prise é": (Span(0.0, 1.0, "line\nbreak", np.float64(0.5)),),
        "empty": (),
    },
    details={"model": "m"},
)
ANSWERS = {name: Annotation(spans, SAMPLE_LABELS) for name, spans in SAMPLE.proposals.items()}
"""The sample as a segmentation, which every format writes."""
CLOCKS = {"take 1": Clock(120.0, 600)}


@given(GROUPS, st.none() | GROUPS)
@settings(max_examples=40, deadline=None)
def test_written_predictions_are_read_back(tmp_path_factory, spans, segmentation):
    path = tmp_path_factory.mktemp("json") / "P.json"
    write_predictions(Predictions(spans, segmentation, {"note": "x"}), path)
    assert read_predictions(path) == Predictions(spans, segmentation, {"note": "x"})


def test_written_truth_is_read_back(tmp_path):
    labels = LabelSet(("walk", "sit", "never"), exclusive=False)
    truth = Truth(
        {
            "a": Annotation((Span(0, 2, "walk"), Span(1.5, 3.25, "sit", person=1)), labels, ((0.0, 5.0), (6.0, 7.0))),
            "b": Annotation((), labels),
        },
        labels,
        {"a": 10.0, "b": 4.5},
        {"a": 29.97},
        {"a": "train", "b": "test"},
    )
    write_truth(truth, tmp_path / "T.json")
    assert read_truth(tmp_path / "T.json") == truth


def written(tmp_path, data):
    path = tmp_path / "file.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def entry(**change):
    return {"label": "walk", "score": 0.5, "segment": [0, 1], **change}


def test_plain_activitynet_files_are_read(tmp_path):
    nodes = [
        {"nodeId": 0, "nodeName": "Root", "parentId": None, "parentName": None},
        {"nodeId": 1, "nodeName": "Sports", "parentId": 0, "parentName": "Root"},
        {"nodeId": 2, "nodeName": "Long jump", "parentId": 1, "parentName": "Sports"},
        {"nodeId": 3, "nodeName": "Archery", "parentId": 1, "parentName": "Sports"},
    ]
    video = {
        "duration": 82.73,
        "subset": "training",
        "resolution": "320x240",
        "url": "u",
        "annotations": [{"segment": [6.2, 16.1], "label": "Archery"}],
    }
    truth = read_truth(written(tmp_path, {"taxonomy": nodes, "version": "1.3", "database": {"v1": video}}))
    assert truth.labels == LabelSet(("Long jump", "Archery"), exclusive=True)
    assert (truth.labels_are_declared, truth.fps) == (True, {})
    bare = read_truth(written(tmp_path, {"database": {"v1": video}}))
    assert (bare.labels.names, bare.labels_are_declared) == (("Archery",), False)


def test_labels_are_exclusive_unless_spans_overlap_or_the_file_says(tmp_path):
    touching = [{"label": "a", "segment": [0, 1]}, {"label": "b", "segment": [1, 2]}]
    crossing = [{"label": "a", "segment": [0, 1.5]}, {"label": "b", "segment": [1, 2]}]
    for spans, said, expected in (
        (touching, {}, True),
        (crossing, {}, False),
        (crossing, {"exclusive": True}, True),
    ):
        path = written(tmp_path, {**said, "database": {"x": {"annotations": spans}}})
        assert read_truth(path).labels.exclusive is expected


def test_segments_without_length_are_kept_apart(tmp_path):
    spans = [{"label": "b", "segment": [5, 5]}, {"label": "a", "segment": [0, 1]}, {"label": "a", "segment": [3, 2]}]
    truth = read_truth(written(tmp_path, {"database": {"x": {"annotations": spans}, "y": {"annotations": []}}}))
    assert truth.annotations["x"].spans == (Span(0, 1, "a"),)
    assert truth.labels == LabelSet(("a", "b"))
    assert truth.without_length == (("x", ("b", 5.0, 5.0, None, -1)), ("x", ("a", 3.0, 2.0, None, -1)))
    results = {"x": [], "y": [{**span, "score": 0.5} for span in spans]}
    predictions = read_predictions(written(tmp_path, {"results": results}))
    assert dict(predictions.proposals) == {"x": (), "y": (Span(0, 1, "a", 0.5),)}
    assert [row[:3] for _, row in predictions.without_length] == [("b", 5.0, 5.0), ("a", 3.0, 2.0)]


@pytest.mark.parametrize(
    "data, message",
    [
        ("{", "not JSON from line 1, .*: the file is cut off"),
        ("[]", r"found \[\], expected an object"),
        ({"database": {}}, "no 'results'.*'database'"),
        ({"results": []}, "results: found"),
        ({"results": {"x": {}}}, r"results\['x'\]: found {}, expected a list"),
        ({"results": {"x": [entry(), 3]}}, r"results\['x'\]\[1\]: found 3"),
        ({"results": {"x": [entry(label="")]}}, r"results\['x'\]\[0\]\.label"),
        ({"results": {"x": [entry(segment=["0", "1"])]}}, "two finite numbers"),
        ({"results": {"x": [entry(segment=[0, True])]}}, "two finite numbers"),
        ({"results": {"x": [entry(segment=[0, 10**400])]}}, "two finite numbers"),
        ({"results": {"x": [entry(score=float("nan"))]}}, r"\.score: found NaN, expected a finite number"),
        ({"results": {"x": [{"label": "walk", "segment": [0, 1]}]}}, r"\.score: found null"),
        ({"results": {"x": [entry(person=-1)]}}, r"\.person: found -1"),
        ({"results": {}, "segmentation": 3}, "segmentation: found 3"),
        ({"results": {}, "segmentation": {"x": [entry(segment=0)]}}, r"segmentation\['x'\]\[0\]\.segment"),
        (
            {"results": {}, "segmentation": {"x": [entry(segment=[2, 1])]}},
            r"2\.0, 1\.0\], expected start before",
        ),
        ({"results": {}, "external_data": 1}, "external_data"),
        ('{"results": {"x": [], "x": []}}', "'x' occurs twice"),
    ],
)
def test_bad_predictions_are_refused_by_field(tmp_path, data, message):
    path = written(tmp_path, data)
    with pytest.raises(InputError, match=re.escape(str(path)) + ".*" + message):
        read_predictions(path)


def base(**change):
    return {"annotations": [{"label": "walk", "segment": [0, 1]}], **change}


@pytest.mark.parametrize(
    "data, message",
    [
        ({"results": {}}, "no 'database'.*'results'"),
        ({"database": {}}, "at least one recording"),
        ({"database": {"x": []}}, r"database\['x'\]: found \[\]"),
        ({"database": {"x": {}}}, r"database\['x'\]\.annotations: found null"),
        ({"database": {"x": base(duration=0)}}, r"database\['x'\]\.duration: found 0"),
        ({"database": {"x": base(fps="30")}}, r"database\['x'\]\.fps"),
        ({"database": {"x": base(covered=[[3, 2]])}}, r"database\['x'\]\.covered\[0\]"),
        ({"labels": ["sit"], "database": {"x": base()}}, "'walk'.*'sit'"),
        ({"labels": ["walk", "walk"], "database": {"x": base()}}, "all different"),
        ({"labels": "walk", "database": {"x": base()}}, "a list of names"),
        ({"exclusive": "yes", "database": {"x": base()}}, "true or false"),
        ({"taxonomy": [1], "database": {"x": base()}}, r"taxonomy\[0\]"),
    ],
)
def test_bad_truth_is_refused_by_field(tmp_path, data, message):
    path = written(tmp_path, data)
    with pytest.raises(InputError, match=re.escape(str(path)) + ".*" + message):
        read_truth(path)


def slow_spans(groups, scored):
    """The spans of a file as the format describes them, and the rows without length; None where anything is wrong."""

    def number(value):
        return type(value) in (int, float) and abs(value) <= 1.7976931348623157e308

    table, without_length = {}, []
    for name, entries in groups.items():
        if type(entries) is not list:
            return None
        table[name] = []
        for entry in entries:
            if type(entry) is not dict:
                return None
            label, segment, score, person = (entry.get(key) for key in ("label", "segment", "score", "person"))
            good = (
                type(label) is str
                and label
                and type(segment) is list
                and len(segment) == 2
                and all(map(number, segment))
                and (segment[0] < segment[1] or scored)
                and (number(score) or (score is None and not scored))
                and (person is None or (type(person) is int and 0 <= person < 2**31))
            )
            if not good:
                return None
            (start, end), score = map(float, segment), None if score is None else float(score)
            if start < end:
                table[name].append(Span(start, end, label, score, person))
            else:
                without_length.append((name, (label, start, end, score, -1 if person is None else person)))
    return {name: tuple(spans) for name, spans in table.items()}, tuple(without_length)


numbers = st.one_of(
    st.sampled_from([0, 0.5, 1, 2.25, 3]), st.sampled_from([-0.0, 10**400, float("nan"), True, None, "1"])
)
texts = st.sampled_from(["walk"] * 8 + ["sit: {down}", 'é "q"', "", 3, None, []])
segments = st.one_of(
    st.sampled_from([[0, 2], [1, 3.5], [0.25, 9]]),
    st.one_of(st.lists(numbers, max_size=3), texts),
)
entries = st.one_of(
    st.fixed_dictionaries(
        {"label": texts, "segment": segments}, optional={"score": numbers, "person": numbers, "x:y": texts}
    ),
    texts,
)


@given(st.dictionaries(st.sampled_from(["a", "b: {}", "ü"]), st.lists(entries, max_size=3) | texts), st.booleans())
@settings(max_examples=300, deadline=None)
def test_spans_agree_with_the_slow_reference(tmp_path_factory, groups, scored):
    path = tmp_path_factory.mktemp("json") / "file.json"
    data = {"results": groups} if scored else {"results": {}, "segmentation": groups}
    path.write_text(json.dumps(data), "utf-8")
    expected = slow_spans(groups, scored)
    if expected is None:
        with pytest.raises(InputError, match=r"file\.json: (results|segmentation)\["):
            read_predictions(path)
    else:
        predictions = read_predictions(path)
        spans = predictions.proposals if scored else predictions.segmentation
        assert (dict(spans), predictions.without_length) == expected


def test_the_collector_runs_again_after_reading(tmp_path):
    write_predictions(SAMPLE, tmp_path / "P.json")
    for path in (tmp_path / "P.json", tmp_path / "none.json"):
        with contextlib.suppress(InputError):
            read_predictions(path)
        assert gc.isenabled()


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.json: cannot be read"):
        read_predictions(tmp_path / "none.json")
    (tmp_path / "latin.json").write_bytes(b'{"results": {"\xe9": []}}')
    with pytest.raises(InputError, match="not UTF-8"):
        read_predictions(tmp_path / "latin.json")


def scores_of_json(path):
    database = json.loads(path.read_text("utf-8"))["database"]
    entries = {name: entry["annotations"] for name, entry in database.items()}
    return {name: [entry["score"] for entry in spans] for name, spans in entries.items() if spans}


def scores_of_csv(path):
    scores = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, strict=True):
            scores.setdefault(row["recording"], []).append(float(row["score"]))
    return scores


def scores_of_bids(path):
    with path.open(encoding="utf-8", newline="") as file:
        return {path.stem: [float(row["score"]) for row in csv.DictReader(file, delimiter="\t")]}


def scores_of_label_studio(path):
    tasks = json.loads(path.read_text("utf-8"))
    results = {task["data"]["audio"]: task["predictions"][0]["result"] for task in tasks}
    return {name: [result["score"] for result in entries] for name, entries in results.items() if entries}


SCORES = {
    "activitynet": scores_of_json,
    "audacity": None,
    "bento": None,
    "bids_events": scores_of_bids,
    "boris": None,
    "csv": scores_of_csv,
    "elan": None,
    "elan_tab": None,
    "frame_table": None,
    "jabs": None,
    "label_studio": scores_of_label_studio,
    "raven": None,
    "srt": None,
    "textgrid": None,
    "via": None,
    "webvtt": None,
}
"""How the test reads scores, which annotations lack, from each written format; None for formats without scores."""
WRITTEN = sorted(name for name in FORMATS if FORMATS[name].write)


def test_every_format_is_enrolled():
    assert set(SCORES) == set(WRITTEN)
    for name in FORMATS:
        used = FORMATS[name]
        assert used.about
        assert used.read or used.write
        assert used.suffixes
        assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in used.suffixes)


def answers_for(name, recording="take 1"):
    """What a format can write into one file: the sample, or the one recording that the file is named after."""
    return {recording: ANSWERS["take 1"]} if FORMATS[name].one_recording else ANSWERS


@pytest.mark.parametrize("name", WRITTEN)
def test_every_format_reads_back_every_span_that_it_wrote(tmp_path, name):
    path = tmp_path / f"take 1{FORMATS[name].suffixes[0]}"
    answers = answers_for(name)
    write_annotations(answers, path, name, clocks=CLOCKS)
    expected = {name: each.spans for name, each in answers.items() if each.spans}
    if SCORES[name]:
        assert SCORES[name](path) == {name: [span.score for span in spans] for name, spans in expected.items()}
    if FORMATS[name].read:
        digits = -round(np.log10(FORMATS[name].resolution or 1e-12))

        def rounded(spans):
            return [(span.label, round(span.start, digits), round(span.end, digits)) for span in spans]

        annotations = read_label_file(path).in_seconds(fps=120.0).annotations()
        spans = {name: rounded(each.spans) for name, each in annotations.items() if each.spans}
        assert spans == {name: rounded(each) for name, each in expected.items()}


@pytest.mark.parametrize("name", [name for name in WRITTEN if FORMATS[name].one_recording])
def test_formats_of_one_recording_refuse_several(tmp_path, name):
    with pytest.raises(InputError, match="holds one recording, found 3"):
        write_annotations(ANSWERS, tmp_path / "out", name)
    clocks = dict.fromkeys(ANSWERS, CLOCKS["take 1"])
    paths, _ = write_label_files(LabelFile.of(ANSWERS, tmp_path), tmp_path / "out", name, clocks)
    assert sorted(read_label_file(path, name).recordings[0] for path in paths if path.stat().st_size > 7) == sorted(
        recording for recording, each in ANSWERS.items() if each.spans or name not in ("audacity", "srt", "webvtt")
    )


@pytest.mark.parametrize("name", WRITTEN)
def test_every_writer_is_deterministic_and_leaves_nothing_beside_its_file(tmp_path, name):
    path = tmp_path / "out"
    write_annotations(answers_for(name), path, name, CLOCKS)
    first = path.read_bytes()
    write_annotations(answers_for(name), path, name, CLOCKS)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", WRITTEN)
def test_every_writer_writes_no_predictions_and_names_a_missing_folder(tmp_path, name):
    write_annotations({}, tmp_path / "out", name)
    assert (tmp_path / "out").is_file()
    with pytest.raises(InputError, match="nowhere"):
        write_annotations(answers_for(name), tmp_path / "nowhere" / "out", name)


@pytest.mark.parametrize("name", sorted(name for name in FORMATS if FORMATS[name].read))
@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"neither\n", b"[1]"])
def test_every_reader_refuses_other_files_by_name(tmp_path, name, data):
    path = tmp_path / f"other{FORMATS[name].suffixes[0]}"
    path.write_bytes(data)
    with pytest.raises(InputError, match=re.escape(str(path))):
        read_label_file(path, name)


def test_predictions_are_read_as_annotations_by_their_segmentation(tmp_path):
    proposals = {"x": (Span(0, 2, "walk", 0.5), Span(1, 3, "walk", 0.25))}
    path = tmp_path / "P.json"
    write_predictions(Predictions(proposals, {"x": (Span(0, 2, "walk", 0.5),)}), path)
    assert read_annotations(path) == {"x": Annotation((Span(0, 2, "walk"),), LabelSet(("walk",)))}
    write_predictions(Predictions(proposals), path)
    assert not read_annotations(path)["x"].labels.exclusive


def test_csv_follows_rfc_4180(tmp_path):
    labels = LabelSet(('a,"b"', "c"))
    annotation = Annotation((Span(0.5, 2, 'a,"b"', 0.25), Span(1, 2, "c", person=0)), labels)
    header = b"recording,label,start,end,start_frame,end_frame,score,person\r\n"
    write_annotations({"x": annotation}, tmp_path / "spans.csv")
    assert (tmp_path / "spans.csv").read_bytes() == header + b'x,"a,""b""",0.5,2,,,0.25,\r\nx,c,1,2,,,,0\r\n'
    write_annotations({"x": annotation}, tmp_path / "spans.csv", clocks={"x": Clock(120.0, 240)})
    assert (tmp_path / "spans.csv").read_bytes() == (
        header + b'x,"a,""b""",0.5,2,60,240,0.25,\r\nx,c,1,2,120,240,,0\r\n'
    )


def test_csv_lists_events_in_order_of_time_and_without_end(tmp_path):
    labels = LabelSet(("walk", "strike"), events=("strike",))
    events = (Event(2.5, "strike", 0.5), Event(0.25, "strike", 0.75, person=1))
    annotation = Annotation((Span(0.5, 2, "walk", 0.25),), labels, events=events)
    write_annotations({"x": annotation}, tmp_path / "spans.csv", clocks={"x": Clock(100.0, 300)})
    assert (tmp_path / "spans.csv").read_text("utf-8").splitlines()[1:] == [
        "x,strike,0.25,,25,,0.75,1", "x,walk,0.5,2,50,200,0.25,", "x,strike,2.5,,250,,0.5,"
    ]  # fmt: skip


def test_a_written_segmentation_keeps_labels_durations_and_rates(tmp_path):
    write_annotations(ANSWERS, tmp_path / "answers.json", clocks=CLOCKS)
    truth = read_truth(tmp_path / "answers.json")
    assert truth.labels == SAMPLE_LABELS
    assert (truth.durations, truth.fps) == ({"take 1": 5.0}, {"take 1": 120.0})


def test_unknown_formats_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"'\.xyz'; available: \.json, .*\.csv"):
        write_annotations(ANSWERS, tmp_path / "out.xyz")
    with pytest.raises(InputError, match="did you mean 'activitynet'"):
        write_annotations(ANSWERS, tmp_path / "out", "activitynt")


def test_json_refuses_a_span_without_score_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "P.json"
    path.write_text("old")
    for score in (None, float("inf")):
        with pytest.raises(InputError, match=r"'x'.*'walk'"):
            write_predictions(Predictions({"x": (Span(0, 1, "walk", score),)}), path)
    assert path.read_text() == "old"


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, "old\r\n")
    path.chmod(0o640)

    def refuse(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(InputError, match="No space left"):
            write_atomically(path, "new")
    assert path.read_bytes() == b"old\r\n"
    write_atomically(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    with pytest.raises(InputError, match="is a folder"):
        write_atomically(tmp_path, "x")
