"""What programs see is compared with what was made; nothing is installed or opened here."""

from __future__ import annotations

import re

import pytest
from benchmarks.interop import __main__ as interop

MADE = [[label, start, end, tier] for label, start, end, tier in interop.LABELS]
FIRST = next(iter(interop.BONES))


def seen_points() -> dict[str, list[list[float] | None]]:
    positions, seen = interop.made_motion()
    return {
        name: [list(place) if there else None for place, there in zip(positions[:, i], seen[:, i], strict=True)]
        for i, name in enumerate(interop.BONES)
    }


def test_labels_as_they_were_made_are_all_found_in_any_order() -> None:
    assert interop.compare_labels(MADE[::-1]) == (len(MADE), 0.0, [])


def test_a_label_that_is_late_counts_with_its_difference() -> None:
    label, start, end, tier = MADE[0]
    found, largest, differs = interop.compare_labels([[label, start, end + 0.02, tier], *MADE[1:]])
    assert (found, differs) == (len(MADE), [])
    assert largest == pytest.approx(20)


def test_missing_labels_and_labels_of_nobody_are_named() -> None:
    found, _, differs = interop.compare_labels([["jump", 3.0, 4.0, "gait"], *MADE[1:]])
    assert found == len(MADE) - 1
    assert differs == ["'walk' of gait at 0.5 s is missing", "'jump' at 3.0 s is not of ours"]


def test_a_label_of_another_tier_is_not_the_one_that_was_made() -> None:
    label, start, end, _ = MADE[0]
    assert interop.compare_labels([[label, start, end, "arms"], *MADE[1:]])[0] == len(MADE) - 1


def test_points_as_they_were_made_are_all_found() -> None:
    found, largest, differs = interop.compare_motion(seen_points(), has_gaps=True)
    assert (found, largest, differs) == (interop.made_motion()[1].size, 0.0, [])


def test_a_point_that_is_elsewhere_or_lost_is_counted() -> None:
    points = seen_points()
    points[FIRST] = [[0.0, 0.0, 0.0], None, *points[FIRST][2:]]
    found, largest, differs = interop.compare_motion(points, has_gaps=True)
    assert found == interop.made_motion()[1].size - 2
    assert largest == pytest.approx(1000)
    assert differs == [f"{FIRST}: 1 frames seen or not, other than made"]


def test_every_program_has_a_way_of_opening_and_a_pinned_version() -> None:
    from benchmarks.interop.programs import OPENERS

    files = ("requirements.txt", "requirements-boris.txt")
    lines = [line for file in files for line in (interop.HERE / file).read_text(encoding="utf-8").splitlines()]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    programs = {
        name for group in (interop.LABEL_PROGRAMS, interop.MOTION_PROGRAMS) for each in group.values() for name in each
    }
    assert programs == set(OPENERS) == {line.partition("==")[0] for line in lines}
