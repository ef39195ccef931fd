"""Labels as text: Praat TextGrid, WebVTT, SubRip and Audacity, in every encoding, and what is refused."""

from __future__ import annotations

import pytest
from label_cases import LONG, SHORT, times, written

from kinespan.annotations import detect_labels, read_label_file
from kinespan.errors import InputError


@pytest.mark.parametrize("text", [LONG, SHORT])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-16-le"])
def test_both_forms_of_a_textgrid_are_read_in_every_encoding(tmp_path, text, encoding):
    path = written(tmp_path, "x.TextGrid", text.replace("\n", "\r\n").encode(encoding))
    assert detect_labels(path) == "textgrid"
    file = read_label_file(path)
    assert times(file) == [
        ('a "tier"', "two ! 3 <exists>\nlines", 5.0, 6.0), ('a "tier"', " z ", 7.0, 9.0), ("points", "p", 8.5, None)
    ]  # fmt: skip
    assert "without text left out: 1" in file.notes[-1]


@pytest.mark.parametrize(
    "text, message",
    [
        (LONG[:300], "line .*: the file ends, expected"),
        (LONG.replace('"TextGrid"', '"Pitch"'), "no TextGrid"),
        (LONG.replace("xmax = 6.0000001", "xmax = early"), "line 18: found '\"two.*expected the end of tier"),
        (LONG.replace("xmin = 7", "xmin = 99"), "line .*ends at 9, before it starts at 99"),
        (LONG.replace('"TextTier"', '"Spectrum"'), "is 'Spectrum', expected IntervalTier or TextTier"),
        (LONG.replace("size = 2", "size = 2.5"), "number of tiers is 2.5"),
    ],
)
def test_broken_textgrids_are_refused_by_line(tmp_path, text, message):
    with pytest.raises(InputError, match=f"(?s){message}"):
        read_label_file(written(tmp_path, "x.TextGrid", text), "textgrid")


def test_webvtt_is_read_with_notes_names_voices_tags_and_lost_blank_lines(tmp_path):
    text = """\ufeffWEBVTT - a title
Kind: captions

STYLE
::cue(b) { color: red; }

NOTE 00:00 is
a note

a name
01:02.500 --> 00:01:03.000 align:start
<v.loud Anna>Hello &amp; <b>good</b> bye</v>
<v Ben>two<00:01:02.700> words
00:01:04.000 --> 00:01:05.000
- line one
- line two

00:01:06.000 --> 00:01:06.000
now

1:00:00.000 --> 1:00:01.000

"""
    file = read_label_file(written(tmp_path, "x.vtt", text))
    assert times(file) == [
        ("Anna", "Hello & good bye", 62.5, 63.0), ("Ben", "two words", 62.5, 63.0),
        ("", "- line one\n- line two", 64.0, 65.0), ("", "now", 66.0, None),
    ]  # fmt: skip
    assert file.notes == ("cues without text left out: 1",)


def test_subrip_is_read_with_and_without_counters_tags_and_marks(tmp_path):
    text = (
        "\ufeff1\r\n00:00:01,500 --> 00:00:02,5  X1:000\r\n<i>2<3,5>1</i> {\\an8}\r\nb\r\n"
        "2\r\n00:00:03,000 --> 00:00:03,000\r\nhidden\r\n\r\n00:00:04.000 --> 00:00:05.000\r\nlast"
    )
    file = read_label_file(written(tmp_path, "x.srt", text))
    assert times(file) == [
        ("", "2<3,5>1 {\\an8}\nb", 1.5, 2.5), ("", "hidden", 3.0, None), ("", "last", 4.0, 5.0)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "encoding, label", [("cp1252", "café"), ("gb2312", "走路"), ("utf-16", "走路"), ("utf-8", "走路")]
)
def test_encodings_are_found_and_told(tmp_path, encoding, label):
    path = written(tmp_path, "x.srt", f"1\n00:00:01,000 --> 00:00:02,000\n{label}\n".encode(encoding))
    file = read_label_file(path)
    assert (detect_labels(path), file.rows[0].label) == ("srt", label)
    assert bool(file.notes) == (encoding != "utf-8")
    assert all("the encoding is" in note for note in file.notes)


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("x.vtt", "WEBVTT\n\n00:00:01 -> x\n\n00:61 --> later\nhi\n", "line 5: found '00:61 --> later'"),
        ("x.vtt", "no header\n", "line 1: found 'no header', expected WEBVTT"),
        ("x.srt", "just text\n", "no cue"),
        ("x.srt", "", "empty"),
        ("x.txt", "1.0\t2.0\ta\nwalk\n", "line 2: found 'walk'"),
        ("x.txt", "2.0\t1.0\ta\n", "line 1: it ends at 1 s, before it starts at 2 s"),
        ("x.txt", "\n", "no label"),
    ],
)
def test_broken_cues_and_tracks_are_refused_by_line(tmp_path, name, text, message):
    with pytest.raises(InputError, match=message):
        read_label_file(written(tmp_path, name, text))


def test_audacity_tracks_are_read_old_and_new(tmp_path):
    new = read_label_file(written(tmp_path, "x.txt", "0,5\t1,5\ta b\r\n\\\t100\t200\r\n2\t2\tnow\r\n3\t4\t\r\n"))
    assert times(new) == [("", "a b", 0.5, 1.5), ("", "now", 2.0, None)]
    assert new.notes == ("labels without text left out: 1", "ranges of frequencies left out: 1")
    assert times(read_label_file(written(tmp_path, "y.txt", "0.5\ta\n2\tb\n"))) == [
        ("", "a", 0.5, None),
        ("", "b", 2.0, None),
    ]
