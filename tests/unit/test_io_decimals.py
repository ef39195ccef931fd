"""Lines, words and numbers in bulk: what splitting line by line and `float` give, whatever the text looks like."""

from __future__ import annotations

import math
import shutil
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kinespan.errors import InputError
from kinespan.io import decimals
from kinespan.io.decimals import lines_of, number_rows, read_lines

WAYS = [way for way in (decimals._scan_plainly, decimals._scan_compiled) if way is not None]


def test_the_scanner_is_compiled_where_possible():
    """The build goes on without a compiler, so nobody else would notice that it failed."""
    headers = Path(sysconfig.get_path("include"), "Python.h")
    if headers.is_file() and shutil.which((sysconfig.get_config_var("CC") or "cl").split()[0]):
        assert decimals._scan_compiled is not None


def slowly(word):
    """A word as `float` reads it, NaN for what is no finite number."""
    try:
        value = float(word)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) and b"_" not in word else math.nan


def split_slowly(text):
    """The words of each line; lines without any at the end do not count."""
    data = bytes(letter if letter > 32 or letter in b"\r\n" else 32 for letter in text.encode("latin-1"))
    lines = [line.split() for line in (data if b"\n" in data else data.replace(b"\r", b"\n")).split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def check(text, columns=3):
    """A text is read as splitting and `float` read it, whichever way it is scanned."""
    rows = split_slowly(text)
    expected = np.full((len(rows), columns), math.nan)
    for row, values in zip(rows, expected, strict=True):
        values[: len(row)] = [slowly(word) for word in row[:columns]]
    digits = [row[0] if row and row[0].isdigit() and len(row[0]) <= 18 else b"-1" for row in rows]
    for way in WAYS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(decimals, "_scan_compiled", way)
            lines = lines_of(text.encode("latin-1"), columns)
        assert lines.counts.tolist() == list(map(len, rows))
        assert lines.wholes.tolist() == list(map(int, digits))
        words = [[lines.word(line, place) for place in range(len(row))] for line, row in enumerate(rows)]
        assert words == [[word.decode("latin-1") for word in row] for row in rows]
        assert lines.values.shape == expected.shape
        known = ~np.isnan(expected)
        assert np.array_equal(np.isnan(lines.values), ~known)
        # the sign of 0 too
        assert np.array_equal(lines.values[known].view(np.int64), expected[known].view(np.int64))


plain = st.builds(
    lambda sign, whole, part: f"{sign}{whole}{part}",
    st.sampled_from(["", "-", "+"]),
    st.text("0123456789", max_size=20),
    st.one_of(st.just(""), st.text("0123456789", max_size=20).map(lambda digits: "." + digits)),
).filter(bool)
metres = st.from_regex(r"-?[0-9](\.[0-9]{0,9})?", fullmatch=True)
written = st.one_of(metres, plain, st.floats().map(repr), st.floats(-9, 9).map("{:.7g}".format))
odd = st.text("0123456789.+-e_xn#\xa0\xb2", min_size=1, max_size=22)
white = st.text(" \t\x0b\x1f\r", min_size=1, max_size=3)


@settings(max_examples=300, deadline=None)
@given(st.lists(written, min_size=1))
@example(["-0", "0.1", "5e-05", "-1.5E3", "123456789012345.6", "9" * 40, "0." + "0" * 30 + "1"])
@example(["9.99999999", "-9.99999999", "0.00000001", "1.", "-1.", "-0.0", "0.123456789", "10.5", ".5", "+0.5"])
@example(["007.5", "7" * 17, "1.#QNAN", "-nan", "inf", "1e400", "1-2", "1.2.3", "-.", "1.2345-78", "1.234 678"[:5]])
@example(["9007199254740993", "9007199254740992", "900719925474099.3", "0.9007199254740993", "0.1234567890123456789"])
@example(
    ["9" * 18, "9" * 19, "1234567890.12345678", "12345678901.12345678", "0" * 25 + "1", "1." + "0" * 300, "1" * 400]
)
def test_numbers_equal_those_of_float(words):
    check(" ".join(words), len(words))


@settings(max_examples=300, deadline=None)
@given(st.lists(odd, min_size=1, max_size=30))
@example(["-", ".", "+.", "1.2.3", "--1", "1-", "1_0", "nan", "-1.#IND", "inf", "1e999", "0x10", "1.2/4", "1.:", ":.1"])
def test_words_that_are_no_numbers_are_nan(words):
    check(" ".join(words), len(words))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_lines_and_words_agree_with_split(data):
    """Blanks of every kind around and between words, lines of any length, empty ones, and every end of a line."""
    size = data.draw(st.integers(1, 40))
    end = data.draw(st.sampled_from(["\n", "\r\n", " \n", " \r\n", "\n\n", "\r"]))
    gap = data.draw(st.sampled_from([st.just(" "), white]))
    text = ""
    for _ in range(data.draw(st.integers(1, 6))):
        words = data.draw(st.lists(st.one_of(metres, odd), min_size=0, max_size=size))
        text += "".join(word + data.draw(gap) for word in words[:-1]) + "".join(words[-1:]) + end
    text = data.draw(st.sampled_from(["", " ", "\n"])) + text + data.draw(st.sampled_from(["", "1.5", "7 "]))
    check(text, data.draw(st.integers(0, 5)))


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(max_codepoint=255, exclude_characters="\0"), max_size=60))
@example("")
@example("a" * 7 + " " + "b" * 8 + " " + "c" * 9)
def test_scanning_any_text_agrees_with_split(text):
    check(text.removeprefix("\xef\xbb\xbf"), 2)


@pytest.mark.parametrize(
    "text",
    ["0\n\n\n\n0 0\n0   0\n", "\n\n1\n", "1 \n \n", "1\r\n\r\n\n2  3", " 1", "1\n 2\n\n", "1\n\n", "0  0\r\n\r\n\r\n1"],
)
def test_empty_lines_and_blanks_are_counted(text):
    check(text)


@pytest.mark.parametrize("words", [247, 248, 249, 495, 496, 497, 2000])
def test_long_lines_are_scanned(words):
    """Of more words than are counted at once, of one letter and of many."""
    check(" ".join(["7"] * words) + "\n" + " ".join(["0.25"] * words) + "\n" + "1 " + "x" * words)


def test_words_and_lines_by_hand():
    lines = lines_of(b"\xef\xbb\xbf1 two\r\n\r\n \t three 4.5\n\n", 2)
    assert lines.counts.tolist() == [2, 0, 2]
    assert [lines.word(0, 0), lines.word(0, 1), lines.word(2, 0), lines.word(2, 1)] == ["1", "two", "three", "4.5"]
    assert lines.wholes.tolist() == [1, -1, -1]
    assert np.array_equal(lines.values, [[1, math.nan], [math.nan] * 2, [math.nan, 4.5]], equal_nan=True)
    assert lines_of(b"1 2\r3", 1).counts.tolist() == [2, 1]
    assert lines_of(b" \n ", 1).counts.tolist() == []


@pytest.mark.skipif(decimals._scan_compiled is None, reason="there is no C compiler")
def test_the_compiled_scanner_refuses_bad_arguments():
    scan = decimals._scan_compiled
    for arguments, error in (((b"1", 1), ValueError), ((b"1\n", -1), ValueError), (("1\n", 1), TypeError)):
        with pytest.raises(error):
            scan(*arguments)
    with pytest.raises(MemoryError):
        scan(b"1\n", 2**60)
    fields = decimals._scan_fields_compiled
    for arguments, error in (((b"1", 1, 9), ValueError), ((b"1\n", -1, 9), ValueError), (("1\n", 1, 9), TypeError)):
        with pytest.raises(error):
            fields(*arguments)
    with pytest.raises(MemoryError):
        fields(b"1\n", 2**60, 9)


@pytest.mark.parametrize(("data", "message"), [(b"", "empty"), (b" \r\n", "empty"), (b"1\0002", "binary data")])
def test_empty_and_binary_files_are_refused(tmp_path, data, message):
    (tmp_path / "x.txt").write_bytes(data)
    with pytest.raises(InputError, match=rf"x\.txt: .*{message}"):
        read_lines(tmp_path / "x.txt", 1)
    with pytest.raises(InputError, match="cannot be read"):
        read_lines(tmp_path, 1)


# ---- fields between tabs or commas -------------------------------------------------------------------------------

FIELD_WAYS = [way for way in (decimals._scan_fields_plainly, decimals._scan_fields_compiled) if way is not None]
MISSING = ("", "nan", "NaN", "-nan", "+NAN", "n/a", "N/A", "-n/a", "+n/a")
blank = st.sampled_from(["", "", "", " ", "  ", "\x0b"])
cell = st.one_of(written, st.sampled_from(MISSING), st.just(""))
strange = st.one_of(cell, odd, st.sampled_from(["1 2", "na", "nann", "inf", "-", "1_0"]))


def rows_slowly(text, mark, columns):
    """Values, counts and numbers of the lines with anything, and the first bad field as (line, field), from 0."""
    values, counts, numbers, bad = [], [], [], None
    for number, line in enumerate(text.split("\n")):
        fields = [field.strip("".join(map(chr, range(33)))) for field in line.split(mark)]
        while fields and not fields[-1]:
            fields.pop()
        row = [math.nan] * columns
        for place, field in enumerate(fields[:columns]):
            row[place] = slowly(field.encode("latin-1"))
            if bad is None and math.isnan(row[place]) and field.lower() not in map(str.lower, MISSING):
                bad = number, place
        if fields:
            values.append(row)
            counts.append(len(fields))
            numbers.append(number + 1)
    return values, counts, numbers, bad


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_fields_agree_with_split_whichever_way_they_are_scanned(data):
    mark = data.draw(st.sampled_from(["\t", ",", ";"]))
    kind = data.draw(st.sampled_from([cell, strange])).filter(lambda word: mark not in word)
    lines = data.draw(
        st.lists(st.lists(st.tuples(blank, kind, blank).map("".join), max_size=6), min_size=1, max_size=6)
    )
    text = "\n".join(mark.join(line) for line in lines)
    columns = data.draw(st.integers(0, 7))
    values, counts, numbers, bad = rows_slowly(text, mark, columns)
    for way in FIELD_WAYS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(decimals, "_scan_fields_compiled", way)
            if bad is not None:
                with pytest.raises(InputError, match=rf"x:{bad[0] + 11}: field {bad[1] + 1} is "):
                    number_rows(Path("x"), text.encode("latin-1"), mark, columns, 11)
                continue
            rows = number_rows(Path("x"), text.encode("latin-1"), mark, columns)
        assert rows.counts.tolist() == counts
        assert rows.line_numbers.tolist() == numbers
        assert np.array_equal(rows.values, np.reshape(values, (len(values), columns)), equal_nan=True)


def test_fields_by_hand():
    rows = number_rows(Path("x"), b"1,,2.5\r\n\r\n , 3 ,nan,,\n,,,\n-1,n/a\n", ",", 3, first_line=7)
    expected = [[1, math.nan, 2.5], [math.nan, 3, math.nan], [-1, math.nan, math.nan]]
    assert np.array_equal(rows.values, expected, equal_nan=True)
    assert rows.counts.tolist() == [3, 3, 2]
    assert rows.line_numbers.tolist() == [7, 9, 11]
    with pytest.raises(InputError, match="x:8: field 2 is 'abc', expected a finite number or nothing"):
        number_rows(Path("x"), b"1\t2\n3\t abc\t4\n", "\t", 3, first_line=7)
    assert number_rows(Path("x"), b"1\t2\tabc\n", "\t", 2).counts.tolist() == [3]
