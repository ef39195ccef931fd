"""Annotation files: read with line numbers in the errors, matched by name, cut to the recording."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinespan.annotations import read_annotations as read
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.errors import InputError
from kinespan.prepare.annotation_file import check_names, fit

HEADER = "recording,label,start,end\n"


def write(folder: Path, text: str, name: str = "labels.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_csv_annotations_are_read(tmp_path: Path) -> None:
    file = write(tmp_path, "\ufeffrecording,label,start,end,note\nr1,step10,2,3.5,x\nr2,step9,0,1,\nr1,step9,0.5,2,y\n")
    labels = LabelSet(("step9", "step10"))
    assert read(file) == {
        "r1": Annotation((Span(0.5, 2, "step9"), Span(2, 3.5, "step10")), labels),
        "r2": Annotation((Span(0, 1, "step9"),), labels),
    }


def test_csv_with_overlapping_spans_and_people(tmp_path: Path) -> None:
    file = write(tmp_path, "recording,label,start,end,person\nr,a,0,2,0\nr,b,1,3,\nq,a,0,1,\n")
    read_back = read(file)
    assert not read_back["q"].labels.exclusive
    assert read_back["r"].spans == (Span(0, 2, "a", person=0), Span(1, 3, "b"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column recording, label, start, end"),
        ("recording;label;start;end\n", "found 'recording;label;start;end'"),
        ("recording,label,start\nr,a,1\n", "no column end"),
        (HEADER, "no annotation after the header"),
        (HEADER + "r,a,0,1\nr,a,zero,1\n", "line 3: start is 'zero', expected seconds"),
        (HEADER + "r,,0,1\n", "line 2: field label is empty"),
        (HEADER + "r,a,0\n", "line 2: field end is empty"),
        (HEADER + "r,a,2,1\n", r"line 2: span 'a': \[2.0, 1.0\) s"),
        (HEADER + "r,a,nan,1\n", "line 2: span 'a'"),
        ("recording,label,start,end,person\nr,a,0,1,Ann\n", "line 2: person is 'Ann'"),
    ],
)
def test_bad_csv_is_refused_by_line(tmp_path: Path, text: str, message: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        read(file)
    assert str(file) in str(caught.value)


def test_json_annotations_are_activitynet(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        '{"database": {"r": {"annotations": [{"label": "a", "segment": [1, 2]}]}, "q": {"annotations": []}}}',
        "t.json",
    )
    assert read(file) == {
        "r": Annotation((Span(1, 2, "a"),), LabelSet(("a",))),
        "q": Annotation((), LabelSet(("a",))),
    }
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "none.json")


def test_annotations_of_unknown_recordings_are_refused() -> None:
    check_names(["walk_1"], ["walk_1", "walk_2"], Path("t.csv"))
    with pytest.raises(InputError, match=r"t\.csv: annotates 'walk_3' \(did you mean 'walk_\d'\?\), 'zzz', which"):
        check_names(["walk_3", "walk_1", "zzz"], ["walk_1", "walk_2"], Path("t.csv"))
    with pytest.raises(InputError, match=r"and 2 more"):
        check_names([f"q{i}" for i in range(7)], ["walk_1"], Path("t.csv"))


def test_spans_are_cut_to_the_recording() -> None:
    labels = LabelSet(("a",))
    whole = Annotation(
        (Span(0, 1, "a", person=1), Span(-0.5, 0.9, "a"), Span(9, 11, "a", 0.5)), labels, ((5.0, 12.0), (13.0, 14.0))
    )
    fitted, cut = fit(whole, 10.0)
    assert fitted == Annotation(
        (Span(0, 1, "a", person=1), Span(0, 0.9, "a"), Span(9, 10, "a", 0.5)), labels, ((5.0, 10.0),)
    )
    assert cut == 2
    assert fit(fitted, 10.0) == (fitted, 0)
    for outside in (Span(10, 11, "a"), Span(-2, 0, "a")):
        with pytest.raises(InputError, match=r"outside the recording of 10.000 s; give times in seconds"):
            fit(Annotation((outside,), labels), 10.0)
