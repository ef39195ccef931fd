"""Files of ELAN: times of dependent annotations and of empty time slots, and what is refused."""

from __future__ import annotations

from collections import Counter

import pytest
from label_cases import times, written

from kinespan.annotations import read_label_file
from kinespan.errors import InputError


def eaf(slots, tiers, types="", header=""):
    """A file of ELAN: time slots by number, and the XML of tiers."""
    order = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="ts{i}"' + ("" if time is None else f' TIME_VALUE="{time}"') + "/>"
        for i, time in enumerate(slots)
    )
    kinds = {"sub": "Symbolic_Subdivision", "assoc": "Symbolic_Association", "time": "Time_Subdivision"}
    known = "".join(f'<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="{k}" CONSTRAINTS="{v}"/>' for k, v in kinds.items())
    return (
        f'<?xml version="1.0"?>\n<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds">{header}</HEADER>'
        f"<TIME_ORDER>{order}</TIME_ORDER>{tiers}<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID='top'/>{known}"
        "</ANNOTATION_DOCUMENT>"
    )


def tier(name, body, kind="top", parent=""):
    ref = f' PARENT_REF="{parent}"' if parent else ""
    return f'<TIER TIER_ID="{name}" LINGUISTIC_TYPE_REF="{kind}"{ref}>{body}</TIER>'


def aligned(name, first, last, value):
    return (
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="{name}" TIME_SLOT_REF1="ts{first}" '
        f'TIME_SLOT_REF2="ts{last}">'
        f"<ANNOTATION_VALUE>{value}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
    )


def referring(name, parent, value, previous=""):
    before = f' PREVIOUS_ANNOTATION="{previous}"' if previous else ""
    return (
        f'<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="{name}" ANNOTATION_REF="{parent}"{before}>'
        f"<ANNOTATION_VALUE>{value}</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>"
    )


def test_dependent_annotations_of_elan_have_their_share_of_the_parents_time(tmp_path):
    words = referring("w3", "s", "c", "w2") + referring("w1", "s", "a") + referring("w2", "s", "b", "w1")
    tiers = (
        # The children stand before their parents, and out of order.
        tier("letters", referring("l2", "w2", "y", "l1") + referring("l1", "w2", "x"), "sub", "words")
        + tier("words", words, "sub", "text")
        + tier("language", referring("g", "w3", "en"), "assoc", "words")
        + tier("text", aligned("s", 0, 1, "a b c"))
    )  # fmt: skip
    file = read_label_file(written(tmp_path, "x.eaf", eaf([1000, 4000], tiers)))
    assert Counter(times(file)) == Counter(
        [
            ("text", "a b c", 1.0, 4.0),
            ("words", "a", 1.0, 2.0), ("words", "b", 2.0, 3.0), ("words", "c", 3.0, 4.0),
            ("letters", "x", 2.0, 2.5), ("letters", "y", 2.5, 3.0),
            ("language", "en", 3.0, 4.0),
        ]
    )  # fmt: skip
    assert "6 rows without a time of their own" in file.notes[0]


def test_time_slots_of_elan_without_value_lie_evenly_between_those_with_one(tmp_path):
    parts = aligned("p1", 0, 2, "a") + aligned("p2", 2, 3, "b") + aligned("p3", 3, 1, "c")
    tiers = tier("text", aligned("s", 0, 1, "abc")) + tier("parts", parts, "time", "text")
    # slots stand in order of time: ts0, ts2, ts3, ts1
    text = eaf([1000, 4000, None, None], tiers)
    order = [
        f'<TIME_SLOT TIME_SLOT_ID="ts{i}"{v}/>'
        for i, v in ((0, ' TIME_VALUE="1000"'), (2, ""), (3, ""), (1, ' TIME_VALUE="4000"'))
    ]
    text = text[: text.index("<TIME_ORDER>")] + "<TIME_ORDER>" + "".join(order) + text[text.index("</TIME_ORDER>") :]
    assert times(read_label_file(written(tmp_path, "x.eaf", text)))[1:] == [
        ("parts", "a", 1.0, 2.0), ("parts", "b", 2.0, 3.0), ("parts", "c", 3.0, 4.0)
    ]  # fmt: skip


def test_annotations_of_elan_without_text_or_time_are_left_out_and_counted(tmp_path):
    body = aligned("a", 0, 1, "") + aligned("b", 2, 3, "no time") + aligned("c", 0, 1, "kept")
    file = read_label_file(written(tmp_path, "x.eaf", eaf([0, 500, None, None], tier("t", body))))
    assert times(file) == [("t", "kept", 0.0, 0.5)]
    assert file.notes == ("annotations without text left out: 1", "annotations without a time left out: 1")


def test_media_that_begin_elsewhere_are_told(tmp_path):
    header = '<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:\\films\\walk.mp4" TIME_ORIGIN="2500"/>'
    file = read_label_file(written(tmp_path, "x.eaf", eaf([0, 500], tier("t", aligned("a", 0, 1, "v")), header=header)))
    assert "'walk.mp4' begins 2.5 s" in file.notes[0]
    assert file.media == {"x": "walk.mp4"}


CIRCLE = referring("a", "p", "v", "b") + referring("b", "p", "v", "a")
BAD_EAF = [
    ("<ANNOTATION_DOCUMENT", "line 1: not XML"),
    ("<other/>", "root is 'other'"),
    (eaf([0], tier("t", aligned("a", 0, 7, "v"))), "annotation a: there is no TIME_SLOT 'ts7'"),
    (eaf([0, "x"], ""), "TIME_VALUE is 'x'"),
    (eaf([500, 0], tier("t", aligned("a", 0, 1, "v"))), "annotation a: it ends at 0 ms, before 500 ms"),
    (eaf([0, 1], tier("t", referring("a", "b", "v"))), "annotation a: there is no annotation 'b'"),
    (eaf([0, 9], tier("t", aligned("p", 0, 1, "v")) + tier("u", CIRCLE, "sub")), "goes in a circle"),
    (eaf([0, 9], tier("t", aligned("p", 0, 1, "v") + aligned("p", 0, 1, "w"))), "'p' occurs twice"),
    (eaf([0, 9], tier("t", aligned("p", 0, 1, "v")) + tier("u", referring("p", "p", "v"), "sub")), "'p' occurs twice"),
    (eaf([0, 1], "").replace("milliseconds", "PAL-frames"), "TIME_UNITS is 'PAL-frames'"),
]  # fmt: skip


@pytest.mark.parametrize("text, message", BAD_EAF)
def test_broken_files_of_elan_are_refused_by_name_and_place(tmp_path, text, message):
    with pytest.raises(InputError, match=r"x\.eaf.*") as error:
        read_label_file(written(tmp_path, "x.eaf", text))
    assert message in str(error.value)
