"""Progress lines where there is no terminal."""

from __future__ import annotations

import io

import pytest

from kinespan import progress
from kinespan.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets, in seconds since the machine was started."""
    now = [5.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_lines_come_at_the_first_step_every_ten_seconds_and_at_the_end(clock):
    out = io.StringIO()
    with Progress("training", 30, stream=out) as shown:
        for step in range(1, 31):
            clock[0] += 1
            shown.update(step, f"loss {step}")
    assert out.getvalue().splitlines() == [
        "training: 1/30 in 1 s, about 29 s left  loss 1",
        "training: 11/30 in 11 s, about 19 s left  loss 11",
        "training: 21/30 in 21 s, about 9 s left  loss 21",
        "training: 30/30 in 30 s  loss 30",
    ]


def test_a_resumed_stage_counts_only_what_is_done_now(clock):
    with Progress("training", 200, stream=io.StringIO()) as shown:
        shown.begin_at(100)
        clock[0] += 20
        shown.update(110)
        assert shown.line() == "training: 110/200 in 20 s, about 3:00 left"
        shown.update(100)
        assert shown.line() == "training: 100/200 in 20 s"


def test_a_note_stays_until_there_is_another(clock):
    with Progress("x", 9, stream=io.StringIO()) as shown:
        shown.update(1, "a")
        shown.update(2)
        assert shown.line().endswith("  a")


def test_quiet_progress_prints_nothing(clock):
    out = io.StringIO()
    with Progress("x", 1, stream=out, quiet=True) as shown:
        shown.update(1)
    assert out.getvalue() == ""


def test_a_terminal_gets_a_bar():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out = Terminal()
    with Progress("localizing", 2, stream=out) as shown:
        shown.update(1, "note")
        shown.update(2)
    assert "localizing" in out.getvalue()
    assert "2/2" in out.getvalue()


def test_stages_at_the_same_time_share_a_display():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out = Terminal()
    with Progress("first", 3, stream=out) as first:
        with Progress("second", 3, stream=out) as second:
            assert second.bar is first.bar
            second.update(3)
        first.update(3)
        assert first.bar.live.is_started
    assert not second.bar
    with Progress("third", 3, stream=out) as third:
        assert third.bar is not first.bar


@pytest.mark.parametrize("note", ["", "loss 0.25  spread 0.9"])
@pytest.mark.parametrize("done", [3, 9])
def test_a_line_is_read_as_it_was_written(clock, done, note):
    with Progress("fine tuning", 9, stream=io.StringIO()) as shown:
        clock[0] += 100
        shown.update(done, note)
        match = progress.LINE.fullmatch(shown.line())
    assert (match["stage"], int(match["done"]), int(match["total"]), match["note"] or "") == (
        "fine tuning", done, 9, note,
    )  # fmt: skip
