"""What labels are in a mirror."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinespan.data.annotation import LabelSet
from kinespan.data.mirror_labels import label_sides, mirrored_labels


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("RightPunch", "LeftPunch", "BackFist"), (1, 0, 2)),
        (("turn left", "turn right", "jump"), (1, 0, 2)),
        (("circle clockwise", "circle anticlockwise"), (1, 0)),
        (("spin counter-clockwise", "spin clockwise"), (1, 0)),
        (("KICK LEFT", "KICK RIGHT", "kick left"), (1, 0, 2)),
        (("left hand to right ear", "right hand to left ear"), (1, 0)),
        (("sit upright", "raise left arm"), (0, 1)),
        (("left", "anticlockwise"), (0, 1)),
        ((), ()),
    ],
)
def test_labels_are_mirrored_where_both_sides_exist(names: tuple[str, ...], expected: tuple[int, ...]) -> None:
    assert mirrored_labels(LabelSet(names)) == expected


PARTS = ("left", "right", "Left", "clockwise", "anticlockwise", "counterclockwise", " ", "kick", "arm")


@given(st.lists(st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map("".join), max_size=8, unique=True))
def test_mirroring_labels_twice_gives_them_back(names: list[str]) -> None:
    found = mirrored_labels(LabelSet(tuple(names)))
    assert sorted(found) == list(range(len(names)))
    assert all(found[found[index]] == index for index in range(len(names)))


def test_the_side_of_a_label_is_a_word_of_it_or_a_first_letter_with_an_opposite():
    assert label_sides(["LHS", "RTO", "RHS", "LTO"]) == ("left", "right", "right", "left")
    labels = ["Right Foot Strike", "KickLeft", "LEFT_TOE_OFF", "bright", "Leftover", "Reach", "left to right", "RTO"]
    assert label_sides(labels) == ("right", "left", "left", "", "", "", "", "")
