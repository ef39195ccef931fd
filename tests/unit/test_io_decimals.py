"""Lines, words and numbers in bulk: what splitting line by line and `float` give, whatever the text looks like."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kinespan.errors import InputError
from kinespan.io.decimals import lines_of, read_lines


def slowly(word):
    """A word as `float` reads it, NaN for what is no finite number."""
    try:
        value = float(word)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) and "_" not in word else math.nan


def split_slowly(text):
    """The words of each line; lines without any at the end do not count."""
    data = bytes(letter if letter > 32 or letter in b"\r\n" else 32 for letter in text.encode("latin-1"))
    lines = [line.split() for line in (data if b"\n" in data else data.replace(b"\r", b"\n")).split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    return [[word.decode("latin-1") for word in line] for line in lines]


def check(rows, text=None):
    """`rows` of as many words each, alone or as they stand in a text, are read as `float` reads them."""
    lines = lines_of(("\n".join(map(" ".join, rows)) if text is None else text).encode("latin-1"))
    assert lines.counts.tolist() == [len(row) for row in rows]
    which = np.flatnonzero(lines.counts == len(rows[0]))
    found = lines.numbers(which, len(rows[0]))
    expected = np.array([[slowly(word) for word in rows[line]] for line in which])
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    known = ~np.isnan(found)
    assert np.array_equal(found[known].view(np.int64), expected[known].view(np.int64))  # the sign of 0 too


decimals = st.builds(
    lambda sign, whole, part: f"{sign}{whole}{part}",
    st.sampled_from(["", "-", "+"]),
    st.text("0123456789", max_size=9),
    st.one_of(st.just(""), st.text("0123456789", max_size=12).map(lambda digits: "." + digits)),
).filter(bool)
metres = st.from_regex(r"-?[0-9](\.[0-9]{0,9})?", fullmatch=True)
written = st.one_of(metres, decimals, st.floats().map(repr), st.floats(-9, 9).map("{:.7g}".format))
odd = st.text("0123456789.+-e_xn#\xa0\xb2", min_size=1, max_size=22)
white = st.text(" \t\x0b\x1f\r", min_size=1, max_size=3)


@settings(max_examples=200, deadline=None)
@given(st.lists(written, min_size=1))
@example(["-0", "0.1", "5e-05", "-1.5E3", "123456789012345.6", "9" * 40, "0." + "0" * 30 + "1"])
@example(["9.99999999", "-9.99999999", "0.00000001", "1.", "-1.", "-0.0", "0.123456789", "10.5", ".5", "+0.5"])
@example(["007.5", "7" * 17, "1.#QNAN", "-nan", "inf", "1e400", "1-2", "1.2.3", "-.", "1.2345-78", "1.234 678"[:5]])
def test_numbers_are_those_of_float(words):
    check([words])


@settings(max_examples=200, deadline=None)
@given(st.lists(odd, min_size=1, max_size=30))
@example(["-", ".", "+.", "1.2.3", "--1", "1-", "1_0", "nan", "-1.#IND", "inf", "1e999", "0x10", "1.2/4", "1.:", ":.1"])
def test_what_is_no_number_is_nan(words):
    check([words])


@pytest.mark.parametrize(
    "text", ["0  0\n\n\n", "0 0\n\n\n1", "0 \n\n\n0  1\n", "0  0\r\n\r\n\r\n\r\n1", "1  2 \n \n  \n\n3"]
)
def test_empty_lines_hide_no_double_blank(text):
    rows = split_slowly(text)
    lines = lines_of(text.encode())
    assert lines.counts.tolist() == [len(row) for row in rows]
    assert [[lines.word(line, place) for place in range(len(row))] for line, row in enumerate(rows)] == rows


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_lines_and_words_are_those_of_split(data):
    """Blanks of every kind around and between words, lines of any length, empty ones, and every end of a line."""
    size = data.draw(st.integers(1, 4))
    end = data.draw(st.sampled_from(["\n", "\r\n", " \n", " \r\n", "\n\n", "\r"]))
    gap = data.draw(st.sampled_from([st.just(" "), white]))
    text = ""
    for _ in range(data.draw(st.integers(1, 6))):
        words = data.draw(st.lists(st.one_of(metres, odd), min_size=0, max_size=size))
        text += "".join(word + data.draw(gap) for word in words[:-1]) + "".join(words[-1:]) + end
    text = data.draw(st.sampled_from(["", " ", "\n"])) + text + data.draw(st.sampled_from(["", "1.5", "7 "]))
    rows = split_slowly(text)
    lines = lines_of(text.encode("latin-1"))
    assert lines.counts.tolist() == [len(row) for row in rows]
    assert [[lines.word(line, place) for place in range(len(row))] for line, row in enumerate(rows)] == rows
    filled = np.flatnonzero(lines.counts)
    assert lines.first_words(filled) == [rows[line][0].encode("latin-1") for line in filled]
    if len(filled):
        found = lines.numbers(filled, 1)[:, 0]
        assert np.array_equal(found, [slowly(rows[line][0]) for line in filled], equal_nan=True)


def test_more_words_than_are_read_at_once():
    values = np.random.default_rng(0).normal(size=(8_000, 5))
    check([[f"{value:.6f}" for value in row] for row in values.tolist()])


@pytest.mark.parametrize(
    "text", ["0\n\n\n\n0 0\n0   0\n", "\n\n1\n", "1 \n \n", "1\r\n\r\n\n2  3", " 1", "1\n 2\n\n", "1\n\n"]
)
def test_empty_lines_and_blanks_do_not_make_up_for_each_other(text):
    assert lines_of(text.encode()).counts.tolist() == [len(row) for row in split_slowly(text)]


def test_of_each_line_only_the_first_words_are_read():
    lines = lines_of(b"3\n0.5 1.5 NaN x\n4\n-0.25 2e3 7")
    assert lines.numbers(np.array([1, 3]), 2).tolist() == [[0.5, 1.5], [-0.25, 2000.0]]
    assert lines.numbers(np.array([], dtype=np.int64), 2).shape == (0, 2)


def test_words_and_lines():
    lines = lines_of(b"\xef\xbb\xbf1 two\r\n\r\n \t three 4.5\n\n")
    assert lines.counts.tolist() == [2, 0, 2]
    assert [lines.word(0, 0), lines.word(0, 1), lines.word(2, 0), lines.word(2, 1)] == ["1", "two", "three", "4.5"]
    assert lines_of(b"1 2\r3").counts.tolist() == [2, 1]
    assert lines_of(b" \n ").counts.tolist() == []


@pytest.mark.parametrize(("data", "says"), [(b"", "empty"), (b" \r\n", "empty"), (b"1\0002", "binary data")])
def test_what_is_no_text_is_refused(tmp_path, data, says):
    (tmp_path / "x.txt").write_bytes(data)
    with pytest.raises(InputError, match=rf"x\.txt: .*{says}"):
        read_lines(tmp_path / "x.txt")
    with pytest.raises(InputError, match="cannot be read"):
        read_lines(tmp_path)
