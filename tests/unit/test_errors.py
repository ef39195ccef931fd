"""Errors for unknown names, and interruptions."""

from __future__ import annotations

from kinespan.errors import Interrupted, unknown


def test_unknown_name_is_answered_with_the_nearest_and_all_available_names() -> None:
    assert str(unknown("encoder", "tnc", ["tcn", "agcn"])) == (
        "unknown encoder 'tnc'; did you mean 'tcn'? available: tcn, agcn"
    )
    assert str(unknown("encoder", "zzz", [])) == "unknown encoder 'zzz'; available: none"
    assert str(unknown("flag", "--x", ["--out"], see="--help")) == "unknown flag '--x'; see --help"


def test_interruptions_are_not_caught_as_errors() -> None:
    assert issubclass(Interrupted, KeyboardInterrupt)
    assert not issubclass(Interrupted, Exception)
