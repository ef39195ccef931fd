"""What an action is called when it is seen in a mirror: "kick left" is "kick right" then."""

from __future__ import annotations

import re

from .annotation import LabelSet

OPPOSITES: dict[str, tuple[str, ...]] = {
    "left": ("right",),
    "right": ("left",),
    "clockwise": ("anticlockwise", "anti-clockwise", "counterclockwise", "counter-clockwise"),
    **dict.fromkeys(("anticlockwise", "anti-clockwise", "counterclockwise", "counter-clockwise"), ("clockwise",)),
}
"""Words of a label that a mirror changes, and what into."""
WORDS = re.compile("|".join(sorted(OPPOSITES, key=len, reverse=True)), re.IGNORECASE)


def mirrored_labels(labels: LabelSet) -> tuple[int, ...]:
    """For each label the index of what it is in a mirror: itself, where the set has no label of the opposite side.

    `KickLeft` and `KickRight`, `turn left` and `turn right`, `circle clockwise` and `circle anticlockwise` belong
    together. Taken twice it leads back to where it began.
    """
    names = labels.names
    partners: dict[int, int] = {}
    for index, name in enumerate(names):
        for other in _others(name):
            if other in names:
                partners.setdefault(index, names.index(other))
    return tuple(
        partners[index] if partners.get(partners.get(index, -1)) == index else index for index in range(len(names))
    )


def _others(name: str) -> list[str]:
    """The names that a name may have in a mirror, in the case that it is written in."""
    found = []
    for choice in range(max(map(len, OPPOSITES.values()))):

        def swapped(word: re.Match[str], choice: int = choice) -> str:
            new = OPPOSITES[word.group().lower()]
            return _like(new[min(choice, len(new) - 1)], word.group())

        other = WORDS.sub(swapped, name)
        if other != name and other not in found:
            found.append(other)
    return found


def _like(word: str, pattern: str) -> str:
    """word in the case of another: left, Left or LEFT."""
    if pattern.isupper():
        return word.upper()
    return word.capitalize() if pattern[0].isupper() else word
