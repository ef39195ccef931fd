"""Tables of labels of other programs: what their columns mean, what is asked for, and what is left out and said."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinespan.annotations import FORMATS, LabelFile, LabelRow, detect_labels, read_label_file, write_label_file
from kinespan.data.clock import Clock
from kinespan.errors import InputError

FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder: Path, text: str | bytes, name: str = "take.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows_of(file: LabelFile) -> list[tuple[object, ...]]:
    return [(row.recording, row.tier, row.label, row.start, row.end) for row in file.rows]


def said(file: LabelFile) -> str:
    return "\n".join(file.notes)


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("behavior,start_time,end_time\nrear,1.5,2\n", None, ("take", "", "rear", 1.5, 2)),
        ("from;to;class;ind\n1,5;2,25;rear;mouse1\n", None, ("take", "mouse1", "rear", 1.5, 2.25)),
        (
            "video_name,start_frame,end_frame,behavior,animal\nv.mp4,3,9,rear,a\n",
            "frames",
            ("v.mp4", "a", "rear", 3, 9),
        ),
        ("video_name\tstart\tend\tlabel\tscore\nv\t1\t2\trear\t0.5\n", None, ("v", "", "rear", 1, 2)),
        ("label,youtube_id,time_start,time_end,split\nrun,-a_B,4,14,val\n", None, ("-a_B", "", "run", 4, 14)),
        ("Start (s),Stop (s),Behaviour\n1,2,rear\n", "seconds", ("take", "", "rear", 1, 2)),
        ("start_ms,end_ms,label\n1500,2000,rear\n", "milliseconds", ("take", "", "rear", 1500, 2000)),
        ("Time (ms),label\n1500,rear\n", "milliseconds", ("take", "", "rear", 1500, None)),
        ("onset,offset,label\n1,2,rear\n", None, ("take", "", "rear", 1, 2)),
        ("start,duration,label\n1,0.5,rear\n", None, ("take", "", "rear", 1, 1.5)),
        ("start,duration,label\n1,n/a,rear\n", None, ("take", "", "rear", 1, None)),
        ("start,end,label\n0:01.5,1:00:02,rear\n", "seconds", ("take", "", "rear", 1.5, 3602)),
        (
            "narration_id,participant_id,video_id,start_timestamp,stop_timestamp,start_frame,narration,verb,all_nouns\n"
            "x,P01,P01_1,00:00:01.50,00:00:02.25,90,take plate,take,\"['plate', 'cup']\"\n",
            "seconds",
            ("P01_1", "P01", "take plate", 1.5, 2.25),
        ),
        ("# trace-meta: behaviors=a:b\nlabelId,timestamp,endTimestamp\nrear,1,2\n", None, ("take", "", "rear", 1, 2)),
    ],
)
def test_columns_of_other_programs_are_known_by_name(tmp_path, text, unit, expected):
    file = read_label_file(write(tmp_path, text))
    assert rows_of(file) == [expected]
    assert file.rows[0].unit == unit
    assert not file.open_unit


def test_our_own_table_wins_over_its_frames_and_keeps_scores(tmp_path):
    text = "recording,label,start,end,start_frame,end_frame,score,person,tier\nr,a,1,2,30,60,0.5,1,x\n"
    row = read_label_file(write(tmp_path, text)).rows[0]
    assert (row.start, row.end, row.unit, row.score, row.person, row.tier) == (1, 2, None, 0.5, 1, "x")


def test_frames_with_a_rate_in_the_table_are_seconds_and_without_one_are_asked_for(tmp_path):
    file = read_label_file(write(tmp_path, "start_frame,end_frame,label,fps\n30,45,a,30\n"))
    assert rows_of(file) == [("take", "", "a", 1, 1.5)]
    with pytest.raises(InputError, match="give --fps"):
        read_label_file(write(tmp_path, "start_frame,end_frame,label\n30,45,a\n")).in_seconds()


def test_raters_and_subjects_are_tiers_and_both_where_both_differ(tmp_path):
    text = "label,start,end,Experimenter,Subject\n" + "".join(f"a,{i},{i + 1},r{i % 2},m{i // 2}\n" for i in range(4))
    file = read_label_file(write(tmp_path, text))
    assert list(file.tiers) == ["r0 / m0", "r1 / m0", "r0 / m1", "r1 / m1"]
    text = "label,start,end,Experimenter,Subject\na,0,1,r0,No focal subject\na,1,2,r1,No focal subject\n"
    assert list(read_label_file(write(tmp_path, text)).tiers) == ["r0", "r1"]


def test_starts_and_stops_are_paired_by_who_what_and_how(tmp_path):
    text = (
        "Time_Relative_sf;Duration_sf;Observation;Behavior;Subject;Modifier_1;Event_Type\n"
        "1,5;;o1;walk;A;slow;State start\n2;;o1;walk;A;fast;State start\n2,5;;o1;hit;A;;Point\n"
        "3;;o1;walk;A;slow;State stop\n4;;o1;walk;A;fast;State stop\n"
        "5;;o1;walk;B;;State stop\n6;;o1;sit;A;;State start\n"
    )
    file = read_label_file(write(tmp_path, text))
    assert [(row.label, row.modifier, row.start, row.end) for row in file.rows] == [
        ("walk", "slow", 1.5, 3),
        ("walk", "fast", 2, 4),
        ("hit", "", 2.5, None),
    ]
    assert "left out: 2 starts and stops of states without their partner, first line 7 ('walk' 5)" in said(file)


def test_a_header_below_other_lines_and_a_line_of_units_are_found(tmp_path):
    text = (
        '"Number of header lines:";"4"\n"Experiment";"x; y"\n\n'
        '"Trial time";"Recording time";"Subject";"Behavior";"Event"\n"s";"s";"";"";""\n'
        '"";"1.5";"A";"groom";"state start"\n"";"3.25";"A";"groom";"state stop"\n'
    )
    file = read_label_file(
        write(tmp_path, text.replace('"Trial time";', "").replace('"s";"s"', '"s"').replace('"";"', '"'), "x.txt")
    )
    assert rows_of(file) == [("x", "A", "groom", 1.5, 3.25)]
    assert "left out: 2 lines before the header" in said(file)


def test_begin_time_in_whole_numbers_is_asked_for_and_with_decimals_is_seconds(tmp_path):
    path = write(tmp_path, "Begin Time\tEnd Time\tTier\tAnnotation\n1500\t2000\tt\ta\n", "x.txt")
    file = read_label_file(path)
    assert (detect_labels(path), file.open_unit) == ("elan_tab", "Begin Time")
    with pytest.raises(InputError, match="'Begin Time' count; give --time seconds, milliseconds"):
        file.in_seconds()
    assert file.in_seconds("milliseconds").rows[0].start == 1.5
    assert not read_label_file(write(tmp_path, "Begin Time\tEnd Time\tTier\tAnnotation\n1.5\t2.0\tt\ta\n")).open_unit


@pytest.mark.parametrize(
    ("encoding", "note"),
    [("utf-16", "UTF-16"), ("utf-16-le", "UTF-16"), ("latin-1", "Windows-1252"), ("utf-8-sig", ""), ("utf-8", "")],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_ends_of_lines_are_found_and_said(tmp_path, encoding, note, end):
    text = end.join(["label;start;end", "Bücken;1,5;2", "Gehen;3;4", ""])
    file = read_label_file(write(tmp_path, text.encode(encoding)))
    assert rows_of(file) == [("take", "", "Bücken", 1.5, 2), ("take", "", "Gehen", 3, 4)]
    assert (note in said(file)) if note else "encoding" not in said(file)


def test_chinese_and_accents_side_by_side_are_told_apart(tmp_path):
    for encoding, label in (("latin-1", "Größe"), ("gb2312", "走路"), ("latin-1", "Füße")):
        file = read_label_file(write(tmp_path, f"label;start;end\n{label};1;2\n".encode(encoding)))
        assert file.rows[0].label == label


def test_labels_that_may_mean_nothing_stay_and_are_named(tmp_path):
    file = read_label_file(write(tmp_path, "label,start,end\nbackground,0,1\nwalk,1,2\nStart/End,0,2\n"))
    assert len(file.rows) == 3
    assert "warning: 'background', 'Start/End' may mean that nothing happens" in said(file)


def test_bids_events_are_instants_without_a_duration_and_labelled_by_the_finest_name(tmp_path):
    text = "onset\tduration\ttrial_type\tvalue\n3\tn/a\tgo\t1\n1\t0.5\tstop\t2\n2\t0\tgo\t1\n4\t1\tn/a\t9\n"
    path = write(tmp_path, text, "sub-1_task-x_events.tsv")
    file = read_label_file(path)
    assert detect_labels(path) == "bids_events"
    assert [row[0] for row in rows_of(file)] == ["sub-1_task-x"] * 3
    assert [row[2:] for row in rows_of(file)] == [("go", 3, None), ("stop", 1, 1.5), ("go", 2, None)]
    assert "labels are the column 'trial_type'; 'value' left out" in said(file)
    assert "left out: 1 row without a label (n/a)" in said(file)


FRAMES = ",background,run,jump\n" + "".join(
    f"{i},{int(i in (0, 5))},{int(0 < i < 4)},{int(2 < i < 5)}\n" for i in range(6)
)


def test_a_column_a_class_is_spans_in_frames_and_its_background_is_left_out(tmp_path):
    file = read_label_file(write(tmp_path, FRAMES))
    assert rows_of(file) == [("take", "", "run", 1, 4), ("take", "", "jump", 3, 5)]
    assert {row.unit for row in file.rows} == {"frames"}
    assert "left out: the column 'background'" in said(file)
    overlapping = FRAMES.replace("1,0,1,0", "1,1,1,0")
    assert "background" in {row.label for row in read_label_file(write(tmp_path, overlapping)).rows}


def test_frames_that_nobody_looked_at_are_not_covered(tmp_path):
    file = read_label_file(write(tmp_path, "frame,run,jump\n1,1,0\n2,0,1\n3,-1,-1\n4,0,0\n"))
    assert rows_of(file) == [("take", "", "run", 0, 1), ("take", "", "jump", 1, 2)]
    assert [(row.start, row.end) for row in file.covered] == [(0, 2), (3, 4)]


def test_a_column_of_names_a_variable_is_a_tier_and_ends_with_the_next_row(tmp_path):
    text = "Time,Light,Behaviour\n0,,\n0.04,On,sniff\n0.08,On,attack\n0.12,On,attack\n"
    file = read_label_file(write(tmp_path, text))
    assert detect_labels(tmp_path / "take.csv") == "frame_table"
    assert rows_of(file) == [
        ("take", "Light", "On", 0.04, pytest.approx(0.16)),
        ("take", "Behaviour", "sniff", 0.04, 0.08),
        ("take", "Behaviour", "attack", 0.08, pytest.approx(0.16)),
    ]


WIDE = (
    "File\tBegin Time - hh:mm:ss.ms\tBegin Time - msec\tEnd Time - hh:mm:ss.ms\tEnd Time - msec\tGait\tFOG\n"
    "a.eaf\t00:00:01.500\t1500\t00:00:02.000\t2000\twalk\t\nb.eaf\t00:00:03.000\t3000\t00:00:03.000\t3000\tturn\tfreeze\n"
)


def test_elan_wide_has_a_tier_a_column_and_a_recording_in_another(tmp_path):
    file = read_label_file(write(tmp_path, WIDE, "x.txt")).in_seconds()
    assert rows_of(file) == [
        ("a.eaf", "Gait", "walk", 1.5, 2),
        ("b.eaf", "Gait", "turn", 3, 3),
        ("b.eaf", "FOG", "freeze", 3, 3),
    ]


def test_elan_is_read_in_any_language_of_its_menus_and_told_to_export_ends(tmp_path):
    french = WIDE.replace("Begin Time", "Temps de début").replace("End Time", "Temps de fin")
    assert rows_of(read_label_file(write(tmp_path, french, "x.txt")))[0][1:] == ("Gait", "walk", 1500, 2000)
    with pytest.raises(InputError, match="export begin and end times in msec"):
        read_label_file(write(tmp_path, "Begin Time - msec\tDuration - msec\tA\n1\t2\tx\n", "x.txt"))
    with pytest.raises(InputError, match="SMPTE"):
        read_label_file(
            write(tmp_path, "Begin Time - hh:mm:ss:ff PAL\tEnd Time - hh:mm:ss:ff PAL\tA\n1\t2\tx\n", "x.txt")
        )


@pytest.mark.parametrize(
    ("line", "start", "end", "unit"),
    [
        ("gait\tAnn\t1.500\t2.000\t0.500\twalk", 1.5, 2, "seconds"),
        (
            "gait\t00:00:01.500\t1.500\t1500\t00:00:02.000\t2.000\t2000\t00:00:00.500\t0.500\t500\twalk",
            1.5,
            2,
            "seconds",
        ),
        ("gait\t\t1.500\t2.000\twalk", 1.5, 2, "seconds"),
        ("gait\t\t1500\t2000\t500\twalk", 1500, 2000, None),
        ('gait\tAnn\t1.500\t2.000\t0.500\t"walk"" fast"', 1.5, 2, "seconds"),
    ],
)
def test_elan_without_a_header_is_read_by_times_that_agree(tmp_path, line, start, end, unit):
    file = read_label_file(write(tmp_path, f"{line}\n{line}\n", "x.txt"), "elan_tab")
    assert [(row.tier, row.start, row.end, row.unit) for row in file.rows] == [("gait", start, end, unit)] * 2
    assert file.rows[0].label in ("walk", 'walk" fast')
    assert bool(file.open_unit) == (unit is None)


def test_quotes_inside_labels_of_a_table_with_tabs_are_part_of_them(tmp_path):
    text = 'Tier\tBegin Time - msec\tEnd Time - msec\tAnnotation\nt\t1\t2\t"yes" he said\nt\t2\t3\t"no\n'
    assert [row.label for row in read_label_file(write(tmp_path, text, "x.txt")).rows] == ['"yes" he said', '"no']


def test_raven_selections_of_two_views_are_one_and_the_label_is_the_users_column(tmp_path):
    text = (
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tCall\tBegin File\n"
        "1\tWaveform 1\t1\t1.5\t2\t\tsong\ta.wav\n1\tSpectrogram 1\t1\t1.5\t2\t100\tsong\ta.wav\n"
        "2\tWaveform 1\t1\t3\t4\t\t\ta.wav\n"
    )
    file = read_label_file(write(tmp_path, text, "x.txt"))
    assert rows_of(file) == [("a.wav", "Waveform 1", "song", 1.5, 2)]
    assert "left out: 1 selections that stand there once more" in said(file)
    assert "left out: 1 selections without a label" in said(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("start_frame,end_frame,label,fps\n1,2,a,x\n", "line 2: the rate is 'x', expected frames a second"),
        ("label,start,end,score\na,1,2,high\n", "line 2: score is 'high', expected a number"),
        ("label,start,duration\na,1,long\n", "line 2: duration is 'long'"),
        ("frame,run,jump\n0,1,0\n1,0,1\n3,0,0\n", "do not go up by one"),
        ("time,x\n0,a\n1,a\n0.5,b\n", "no column label"),
        ("behaviour,begin\nrear,1\n", "no column end"),
    ],
)
def test_bad_tables_are_refused_by_line(tmp_path, text, message):
    format = "frame_table" if text.startswith("frame") else "auto"
    with pytest.raises(InputError, match=message):
        read_label_file(write(tmp_path, text), format)


def test_endings_that_several_formats_have_name_the_plainest(tmp_path):
    rows = (LabelRow("take", "a", 1.0, 2.0, ""),)
    for name, format in (("x.csv", "csv"), ("x.json", "activitynet"), ("x.txt", "audacity"), ("x.tsv", "bids_events")):
        write_label_file(LabelFile(tmp_path / name, ("take",), rows), tmp_path / name)
        assert detect_labels(tmp_path / name) == format


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=12)
LABELS = WORDS.map(lambda text: " ".join(text.split())).filter(lambda text: text and text.casefold() != "n/a")


@st.composite
def label_rows(draw, step=0.0, tiers=("", "rater A", "é 日本"), events=True):
    """Rows of one recording, with times that are multiples of a step or any."""
    times = st.integers(0, 10**5).map(lambda n: n * step) if step else st.floats(0, 1e4)
    rows = []
    for _ in range(draw(st.integers(1, 8))):
        start = draw(times)
        length = draw((st.integers(1, 500).map(lambda n: n * step)) if step else st.floats(0.01, 500))
        is_event = events and draw(st.booleans())
        rows.append(
            LabelRow(
                "take", draw(LABELS), start, None if is_event else start + length, "", tier=draw(st.sampled_from(tiers))
            )
        )
    return rows


def test_a_selection_of_raven_has_a_band_of_frequencies(tmp_path):
    write_label_file(LabelFile(tmp_path, ("a",), (LabelRow("a", "walk", 0, 1, ""),)), tmp_path / "x.txt", "raven")
    head, row = ((tmp_path / "x.txt").read_text("utf-8")).splitlines()
    cells = dict(zip(head.split("\t"), row.split("\t"), strict=True))
    assert float(cells["Low Freq (Hz)"]) < float(cells["High Freq (Hz)"])


def round_trip(folder, rows, format, fps=None):
    path = folder / f"take{FORMATS[format].suffixes[0]}"
    clocks = {} if fps is None else {"take": Clock(fps, 10**6)}
    write_label_file(LabelFile(path, ("take",), tuple(rows)), path, format, clocks)
    return read_label_file(path, format).in_seconds(fps=fps).rows


def keys(rows, digits, tier=True):
    return sorted(
        (
            row.label,
            round(row.start, digits),
            -1.0 if row.is_instant else round(row.end, digits),
            (row.tier or "labels").replace("labels", "") if tier else "",
        )
        for row in rows
    )


@given(label_rows())
@FAST
def test_bids_events_keep_rows(tmp_path, rows):
    assert keys(round_trip(tmp_path, rows, "bids_events"), 7) == keys(rows, 7)


@given(label_rows(step=0.001))
@FAST
def test_elan_text_keeps_rows_in_whole_milliseconds(tmp_path, rows):
    assert keys(round_trip(tmp_path, rows, "elan_tab"), 3) == keys(rows, 3)


@given(label_rows(tiers=("Spectrogram 1", "View 2")))
@FAST
def test_raven_keeps_rows_to_the_last_digit(tmp_path, rows):
    assert keys(round_trip(tmp_path, rows, "raven"), 9) == keys(rows, 9)


@given(label_rows())
@FAST
def test_csv_keeps_rows_to_the_last_digit(tmp_path, rows):
    assert keys(round_trip(tmp_path, rows, "csv"), 12) == keys(rows, 12)
