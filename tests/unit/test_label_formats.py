"""Labels of ELAN, BORIS, Praat, WebVTT, SubRip and Audacity: what is read, what is written, and what cannot be."""

from __future__ import annotations

import json
import random
from collections import Counter
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from label_cases import LONG, NEW, written

from kinespan.annotations import (
    FORMATS,
    LabelFile,
    LabelRow,
    detect_labels,
    read_label_file,
    read_label_folder,
    write_label_file,
    write_label_files,
)
from kinespan.errors import InputError

FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=12).map(str.strip)
LABELS = WORDS.filter(lambda text: text and text not in ("None",))
TIERS = st.sampled_from(["", "rater A", "rater B", '"<&>"', "éà 日本"])


@st.composite
def label_rows(draw, whole, tiers=TIERS, people=st.none() | st.integers(0, 2), modifiers=st.just("")):
    """Rows of one recording, in whole milliseconds or not."""
    times = st.integers(0, 10**7).map(lambda time: time / 1000) if whole else st.floats(0, 1e4)
    rows = []
    for _ in range(draw(st.integers(0, 12))):
        start = draw(times)
        length = draw(st.none() | (st.integers(1, 60_000).map(lambda time: time / 1000)))
        end = None if length is None else (round(start + length, 3) if whole else start + length)
        rows.append(
            LabelRow("take", draw(LABELS), start, end, "", draw(people), tier=draw(tiers), modifier=draw(modifiers))
        )
    return rows


def round_trip(folder, rows, format, events_only=False):
    """The rows as they are read back, and what the writer said."""
    path = folder / f"take{FORMATS[format].suffixes[0]}"
    lines = write_label_file(LabelFile(path, ("take",), tuple(rows)), path, format)
    if not rows and format in ("srt", "audacity"):
        return [], lines
    return list(read_label_file(path, format).rows), lines


def keys(rows, digits=3, *fields):
    """What of rows must be the same, whatever their order."""
    return Counter(
        (
            row.label,
            round(row.start, digits),
            None if row.end is None else round(row.end, digits),
            *(getattr(row, field) for field in fields),
        )
        for row in rows
    )


@given(label_rows(True))
@FAST
def test_elan_keeps_rows_with_their_tiers_and_people_however_they_overlap(tmp_path, rows):
    read, _ = round_trip(tmp_path, rows, "elan")
    assert keys(read, 3, "tier", "person") == keys(rows, 3, "tier", "person")


@given(label_rows(True))
@FAST
def test_elan_files_have_no_overlap_in_a_tier_and_whole_sorted_times(tmp_path, rows):
    round_trip(tmp_path, rows, "elan")
    root = ElementTree.parse(tmp_path / "take.eaf").getroot()
    slots = {slot.get("TIME_SLOT_ID"): int(slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")}
    assert list(slots.values()) == sorted(slots.values())
    names = [tier.get("TIER_ID") for tier in root.iter("TIER")]
    assert len(set(names)) == len(names)
    assert all(names)
    for tier in root.iter("TIER"):
        spans = sorted(
            (slots[item.get("TIME_SLOT_REF1")], slots[item.get("TIME_SLOT_REF2")])
            for item in tier.iter("ALIGNABLE_ANNOTATION")
        )
        assert all(start < end for start, end in spans)
        assert all(before[1] <= after[0] for before, after in pairwise(spans))


@given(label_rows(True, modifiers=st.sampled_from(["", "fast", "left|slow"])))
@FAST
def test_boris_keeps_rows_with_their_tiers_people_and_modifiers(tmp_path, rows):
    read, _ = round_trip(tmp_path, rows, "boris")
    assert keys(read, 3, "tier", "person", "modifier") == keys(rows, 3, "tier", "person", "modifier")


def test_a_boris_project_has_what_boris_would_add_on_opening(tmp_path):
    write_label_file(LabelFile(tmp_path, ("take",), (LabelRow("take", "walk", 0, 1, ""),)), tmp_path / "x.boris")
    project = json.loads((tmp_path / "x.boris").read_text("utf-8"))
    assert {"coding_map", "behavioral_categories", "behavioral_categories_config"} <= set(project)
    assert all({"description", "time offset", "type", "date"} <= set(each) for each in project["observations"].values())


@given(label_rows(False, people=st.none()))
@FAST
def test_textgrid_keeps_rows_to_the_last_digit(tmp_path, rows):
    read, _ = round_trip(tmp_path, rows, "textgrid")
    assert keys(read, 7) == keys(rows, 7)


@given(label_rows(False, people=st.none()))
@FAST
def test_intervals_of_a_textgrid_tile_the_time_of_the_file(tmp_path, rows):
    round_trip(tmp_path, rows, "textgrid")
    text = (tmp_path / "take.textgrid").read_text("utf-8")
    bounds: list[tuple[str, float]] = []
    for line in text.splitlines():
        key, _, value = line.strip().partition(" = ")
        if key in ("xmin", "xmax"):
            bounds.append((key, float(value)))
        elif key == "class":
            bounds.append((value, 0.0))
    whole = (bounds[0][1], bounds[1][1])
    position = None
    for index, (key, _) in enumerate(bounds):
        if key == '"IntervalTier"':
            assert (bounds[index + 1][1], bounds[index + 2][1]) == whole
            position = whole[0]
            for (_, start), (name, end) in zip(bounds[index + 3 :: 2], bounds[index + 4 :: 2], strict=False):
                if name.startswith('"') or position is None or start != position:
                    break
                assert start < end
                position = end
            assert position == whole[1]


@given(label_rows(True, people=st.none()))
@FAST
def test_webvtt_keeps_rows_with_their_tiers(tmp_path, rows):
    read, _ = round_trip(tmp_path, rows, "webvtt")
    assert keys(read, 3, "tier") == keys(rows, 3, "tier")


@given(label_rows(True, tiers=st.just(""), people=st.none()))
@FAST
def test_subrip_keeps_rows_without_tags(tmp_path, rows):
    rows = [row for row in rows if "<" not in row.label and "-->" not in row.label]
    assert keys(round_trip(tmp_path, rows, "srt")[0]) == keys(rows)


@given(label_rows(False, tiers=st.just(""), people=st.none()))
@FAST
def test_audacity_keeps_rows_to_the_last_digit(tmp_path, rows):
    assert keys(round_trip(tmp_path, rows, "audacity")[0], 12) == keys(rows, 12)


LOSSES = [
    ("elan", {"score": 0.5}, "the score of 1 row"),
    ("elan", {"modifier": "fast"}, "the modifier of 1 row"),
    ("elan", {"end": None}, "instants, written as spans of 40 ms"),
    ("elan", {"start": 1.00049}, "rounded to whole milliseconds"),
    ("elan", {"start": 1.0, "end": 1.0002}, "shorter than a millisecond"),
    ("elan", {"start": -1.0}, "before 0 s"),
    ("elan", {"label": "a\x01"}, "characters that XML cannot hold"),
    ("boris", {"score": 0.5}, "the score of 1 row"),
    ("textgrid", {"person": 1}, "the person of 1 row"),
    ("webvtt", {"end": None}, "cues of 40 ms"),
    ("webvtt", {"label": "a\n\nb"}, "characters that WebVTT cannot hold"),
    ("srt", {"tier": "A"}, "the tier of 1 row"),
    ("srt", {"label": "<b>bold"}, "take for tags"),
    ("audacity", {"tier": "A"}, "the tier of 1 row"),
    ("audacity", {"label": "two\nlines"}, "characters that Audacity cannot hold"),
]


@pytest.mark.parametrize("format, change, message", LOSSES)
def test_writers_say_what_the_format_cannot_hold(tmp_path, format, change, message):
    row = LabelRow("take", **{"label": "walk", "start": 1.0, "end": 2.0, "where": "", **change})
    read, lines = round_trip(tmp_path, [row], format)
    assert any(message in line for line in lines)
    assert len(read) == 1
    assert not round_trip(tmp_path, [LabelRow("take", "walk", 1.0, 2.0, "")], format)[1]


@pytest.mark.parametrize("format", ["elan", "boris", "textgrid"])
def test_rows_of_a_tier_that_overlap_are_put_apart_and_told(tmp_path, format):
    rows = [LabelRow("take", "a", 0.0, 2.0, "", tier="T"), LabelRow("take", "a", 1.0, 3.0, "", tier="T")]
    read, lines = round_trip(tmp_path, rows, format)
    assert keys(read) == keys(rows)
    assert any("overlap" in line and "1 row ('T (2)')" in line for line in lines)


SAMPLE = (
    LabelRow("take", "walk fast", 0.5, 2.25, "", tier="A"),
    LabelRow("take", 'sit "down" <&>', 2.0, 3.5, "", tier="B"),
    LabelRow("take", "hit", 4.125, None, "", tier="B"),
)
TEXTS = {
    "boris_table": (
        NEW + "o1,d,s,25,m,run,,fast,,START,1.5,w.mp4,\no1,d,s,25,m,run,,fast,,STOP,2.5,w.mp4,x\n"
    ).encode(),
    "textgrid": LONG.encode("utf-16"),
}
FUZZED = ["audacity", "boris", "boris_table", "elan", "srt", "textgrid", "webvtt"]


def refusal(path, format):
    """Why a file is refused; its name where it is read."""
    try:
        return str(read_label_file(path, format).path)
    except InputError as error:
        return str(error)


@pytest.mark.parametrize("format", FUZZED)
def test_damaged_files_are_read_or_refused_by_name_and_nothing_else(tmp_path, format):
    good = tmp_path / "take"
    if format in TEXTS:
        good.write_bytes(TEXTS[format])
    else:
        write_label_file(LabelFile(good, ("take",), SAMPLE), good, format)
    data = good.read_bytes()
    rng = random.Random(7)
    sniff = FORMATS[format].sniff
    for trial in range(250):
        broken = bytearray(data[: rng.randrange(len(data) + 1)] if trial % 2 else data)
        for _ in range(rng.randrange(4)):
            if broken:
                broken[rng.randrange(len(broken))] = rng.randrange(256)
        if trial % 5 == 0 and broken:
            at = rng.randrange(len(broken))
            broken[at:at] = data[rng.randrange(len(data)) :][:50]
        path = tmp_path / "damaged"
        path.write_bytes(broken)
        assert sniff(path, bytes(broken[:4096])) in (True, False)
        assert str(path) in refusal(path, format)


@pytest.mark.parametrize("format", [name for name in FUZZED if name != "boris_table"])
def test_each_format_is_known_by_content_whatever_the_ending(tmp_path, format):
    path = tmp_path / "take.dat"
    write_label_file(LabelFile(path, ("take",), SAMPLE), path, format)
    assert detect_labels(path) == format


def test_a_folder_of_label_files_is_one_list_named_after_the_files(tmp_path):
    (tmp_path / "deep").mkdir()
    write_label_file(LabelFile(tmp_path, ("a",), (LabelRow("a", "x", 0.0, 1.0, ""),)), tmp_path / "a.eaf")
    write_label_file(LabelFile(tmp_path, ("b",), (LabelRow("b", "y", 1.0, 2.0, ""),)), tmp_path / "deep" / "b.vtt")
    written(tmp_path, "readme.md", "# hello")
    written(tmp_path, ".hidden.srt", "1\n00:00:01,000 --> 00:00:02,000\nx\n")
    file = read_label_folder(tmp_path)
    assert (file.recordings, [row.label for row in file.rows]) == (("a", "b"), ["x", "y"])
    assert "files that are no labels left out: 1" in file.notes
    assert read_label_file(tmp_path).rows == file.rows
    write_label_file(LabelFile(tmp_path, ("a",), ()), tmp_path / "deep" / "a.eaf")
    with pytest.raises(InputError, match="both have labels of the recording 'a'"):
        read_label_folder(tmp_path)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="holds no file of labels"):
        read_label_folder(tmp_path / "none")


def test_files_are_named_after_recordings_and_never_leave_the_folder(tmp_path):
    names = ("a/b", "../../up", "c:d", "C_D", "a?")
    rows = tuple(LabelRow(name, "x", 0.0, 1.0, "") for name in names)
    paths, _ = write_label_files(LabelFile(tmp_path, names, rows), tmp_path / "out", "elan")
    assert [path.relative_to(tmp_path / "out").as_posix() for path in paths] == [
        "a/b.eaf", "up.eaf", "c_d.eaf", "C_D (2).eaf", "a_.eaf"
    ]  # fmt: skip
    assert all(len(read_label_file(path).rows) == 1 for path in paths)
    with pytest.raises(InputError, match="exists already"):
        write_label_files(LabelFile(tmp_path, names, rows), tmp_path / "out", "elan")
