"""What objects show in a session: one line each, and small tables in a notebook, without arrays."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.data.display import MAX_ROWS, counted, facts_html, rows_html, shortened
from kinespan.data.recording import Recording
from kinespan.data.skeletons import NTU_25

LABELS = LabelSet(("wave", "kick", "strike"), events=("strike",))


def recording(**changes: object) -> Recording:
    arguments = {"positions": np.ones((1200, 1, 25, 3)), "fps": 30.0, "skeleton": NTU_25, "name": "take", **changes}
    return Recording(**arguments)  # type: ignore[arg-type]


def test_recording_is_one_line_without_arrays() -> None:
    text = repr(recording())
    assert text == "Recording('take', 40.00 s, 1,200 frames at 30 fps, 1 person, Skeleton('ntu25', 25 joints))"
    uneven = recording(times=np.arange(1200) / 29.5)
    assert "1,200 frames uneven in time, about 30 fps" in repr(uneven)
    assert "2 people" in repr(recording(positions=np.ones((9, 2, 25, 3))))


def test_recording_is_a_small_table_in_a_notebook() -> None:
    valid = np.ones((1200, 1, 25), dtype=bool)
    valid[:300, 0, :5] = False
    html = recording(valid=valid, source="take<1>.bvh", attributes={"performer": "ann"}, history=("read", "cut"))
    table = html._repr_html_()
    assert "<th>seen</th><td>95.0 % of the joints</td>" in table
    assert "take&lt;1&gt;.bvh" in table
    assert "<th>performer</th><td>ann</td>" in table
    assert "read<br>cut" in table
    assert len(table) < 1000
    assert "every joint in every frame" in recording()._repr_html_()


def test_history_of_many_steps_is_cut_short() -> None:
    steps = tuple(f"step {number}" for number in range(MAX_ROWS + 5))
    table = recording(history=steps)._repr_html_()
    assert f"step {MAX_ROWS - 1}" in table
    assert f"step {MAX_ROWS}" not in table
    assert "and 5 more" in table


def test_spans_and_events_are_written_as_they_are_made() -> None:
    items = [Span(1.25, 2.5, "wave"), Span(0.0, 1.0, "kick", 0.75, 1), Event(3.5, "strike"), Event(1.0, "kick", 0.5)]
    assert [repr(item) for item in items] == [
        "Span(1.25, 2.5, 'wave')",
        "Span(0, 1, 'kick', score=0.75, person=1)",
        "Event(3.5, 'strike')",
        "Event(1, 'kick', score=0.5)",
    ]
    assert [eval(repr(item)) for item in items] == items


def test_annotation_is_counts_in_a_line_and_rows_in_a_notebook() -> None:
    annotation = Annotation(
        (Span(2.0, 3.0, "wave"), Span(0.0, 1.0, "kick", 0.5)), LABELS, ((0.0, 4.5),), (Event(1.5, "strike"),)
    )
    assert repr(annotation) == "Annotation(2 spans, 1 event, 3 of 3 labels, 4.50 s covered)"
    assert repr(Annotation((), LABELS)) == "Annotation(0 spans, 0 of 3 labels)"
    cells = re.findall(r"<tr>((?:<td>.*?</td>)+)</tr>", annotation._repr_html_())
    assert [re.findall("<td>(.*?)</td>", row) for row in cells] == [
        ["kick", "0.00", "1.00", "0.50", ""],
        ["strike", "1.50", "", "", ""],
        ["wave", "2.00", "3.00", "", ""],
    ]


def test_skeleton_is_a_line_and_a_table_of_joints() -> None:
    assert repr(NTU_25) == "Skeleton('ntu25', 25 joints)"
    table = NTU_25._repr_html_()
    assert "<td>neck</td><td>spine shoulder</td><td>neck</td>" in table
    assert f"and {25 - MAX_ROWS} more" in table


def test_tables_escape_what_they_show_and_leave_out_what_is_empty() -> None:
    table = facts_html("a & b", [("name", "<i>"), ("source", ""), ("history", ())])
    assert table == "<strong>a &amp; b</strong><table><tr><th>name</th><td>&lt;i&gt;</td></tr></table>"
    assert "<td>None</td>" not in rows_html("t", ("x",), [(None,)])


@pytest.mark.parametrize(("number", "words"), [(0, "0 spans"), (1, "1 span"), (2, "2 spans"), (1200, "1,200 spans")])
def test_counts_agree_with_their_noun(number: int, words: str) -> None:
    assert counted(number, "span") == words


def test_long_texts_lose_their_middle() -> None:
    assert shortened("short") == "short"
    assert shortened("a" * 40 + "b" * 40, 23) == "a" * 10 + "..." + "b" * 10
