"""Numbers in bulk: bit for bit those of `float`, whatever the text looks like."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kinespan.errors import InputError
from kinespan.io.decimals import numbers, read_words, words_of


def slowly(word):
    """A word as `float` reads it, NaN for what is no finite number."""
    try:
        value = float(word)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) and "_" not in word else math.nan


def check(tokens):
    words = words_of(" ".join(tokens).encode("latin-1"))
    found = numbers(words, np.arange(len(tokens)))
    expected = np.array([slowly(token) for token in tokens])
    assert found.tobytes() == expected.tobytes() or np.array_equal(
        found.view(np.int64)[~np.isnan(found)], expected.view(np.int64)[~np.isnan(expected)]
    )
    assert np.array_equal(np.isnan(found), np.isnan(expected))


decimals = st.builds(
    lambda sign, whole, part: f"{sign}{whole}{part}",
    st.sampled_from(["", "-", "+"]),
    st.text("0123456789", max_size=9),
    st.one_of(st.just(""), st.text("0123456789", max_size=12).map(lambda digits: "." + digits)),
).filter(bool)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(decimals, st.floats().map(repr), st.floats(-9, 9).map("{:.7g}".format)), min_size=1))
@example(["-0", "0.1", "5e-05", "-1.5E3", "123456789012345.6", "9" * 40, "0." + "0" * 30 + "1"])
def test_numbers_are_those_of_float(tokens):
    check(tokens)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("0123456789.+-e_xn#", min_size=1, max_size=22), min_size=1, max_size=30))
@example(["-", ".", "+.", "1.2.3", "--1", "1-", "1_0", "nan", "-1.#IND", "inf", "1e999", "0x10"])
def test_what_is_no_number_is_nan(tokens):
    check(tokens)


def test_more_words_than_are_read_at_once():
    tokens = [f"{value:.6f}" for value in np.random.default_rng(0).normal(size=40_000)]
    check(tokens)


def test_words_and_lines():
    words = words_of(b"\xef\xbb\xbf1 two\r\n\r\n \t three 4.5\n\n")
    assert words.counts == [2, 0, 2]
    assert [words[word] for word in range(4)] == ["1", "two", "three", "4.5"]
    assert [words.line_of(word) for word in range(4)] == [1, 1, 3, 3]
    assert words_of(b"1 2\r3").counts == [2, 1]
    assert words_of(b" \n ").counts == []


@pytest.mark.parametrize(("data", "says"), [(b"", "empty"), (b" \r\n", "empty"), (b"1\0002", "binary data")])
def test_what_is_no_text_is_refused(tmp_path, data, says):
    (tmp_path / "x.txt").write_bytes(data)
    with pytest.raises(InputError, match=rf"x\.txt: .*{says}"):
        read_words(tmp_path / "x.txt")
    with pytest.raises(InputError, match="cannot be read"):
        read_words(tmp_path)
