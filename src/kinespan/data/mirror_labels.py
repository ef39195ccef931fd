"""The label of a mirrored action: "kick left" becomes "kick right"."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from .annotation import LabelSet

OPPOSITES: dict[str, tuple[str, ...]] = {
    "left": ("right",),
    "right": ("left",),
    "clockwise": ("anticlockwise", "anti-clockwise", "counterclockwise", "counter-clockwise"),
    **dict.fromkeys(("anticlockwise", "anti-clockwise", "counterclockwise", "counter-clockwise"), ("clockwise",)),
}
"""Words of a label that a mirror changes, with their opposites."""
WORDS = re.compile("|".join(sorted(OPPOSITES, key=len, reverse=True)), re.IGNORECASE)

_SIDE_WORD = re.compile(r"(?<![A-Za-z])(?:left|right)(?![a-z])|(?:Left|Right|LEFT|RIGHT)(?![a-z])")
"""A side in a label: left, KickLeft, RIGHT, but not that in `bright`."""


def mirrored_labels(labels: LabelSet) -> tuple[int, ...]:
    """The index of each label's mirror image: its own, where the set has no label of the opposite side.

    `KickLeft` and `KickRight`, `turn left` and `turn right`, `circle clockwise` and `circle anticlockwise` are mirror
    images of each other.
    """
    names = labels.names
    partners = [
        next((names.index(mirrored) for mirrored in _mirror_names(name) if mirrored in names), index)
        for index, name in enumerate(names)
    ]
    return tuple(partner if partners[partner] == index else index for index, partner in enumerate(partners))


def label_sides(labels: Sequence[str]) -> tuple[str, ...]:
    """ "left" or "right" of each label that names one side: `Right Foot Strike`, and `RHS` where there is an `LHS`."""
    return tuple(_side(label, set(labels)) for label in labels)


def _side(label: str, labels: Collection[str]) -> str:
    named: set[str] = {word.lower() for word in _SIDE_WORD.findall(label)}
    if len(named) == 1:
        return named.pop()
    opposite = {"L": "R", "R": "L"}.get(label[:1])
    if not named and opposite and opposite + label[1:] in labels:
        return {"L": "left", "R": "right"}[label[0]]
    return ""


def _mirror_names(name: str) -> list[str]:
    """The names that a label may have in a mirror, in the same case."""
    candidates = []
    for choice in range(max(map(len, OPPOSITES.values()))):

        def swapped(word: re.Match[str], choice: int = choice) -> str:
            opposites = OPPOSITES[word.group().lower()]
            return _in_case_of(opposites[min(choice, len(opposites) - 1)], word.group())

        mirrored = WORDS.sub(swapped, name)
        if mirrored != name and mirrored not in candidates:
            candidates.append(mirrored)
    return candidates


def _in_case_of(word: str, pattern: str) -> str:
    """`word` in the case of `pattern`: left, Left or LEFT."""
    if pattern.isupper():
        return word.upper()
    return word.capitalize() if pattern[0].isupper() else word
