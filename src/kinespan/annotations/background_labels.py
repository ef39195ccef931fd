"""Labels that may mean that nothing happens; they stay labels, and are named."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from .label_file import LabelRow, listed

_NAMES = frozenset(
    (
        "background", "other", "others", "none", "nothing", "null", "noaction", "noactivity", "nobehavior",
        "nobehaviour", "unlabelled", "unlabeled", "bad", "badsegment", "sil", "silence", "-", "default", "na",
        "unknown", "undefined", "startend",
    )
)  # fmt: skip
"""Spellings without case, blanks, underscores and brackets."""


def background_notes(rows: Iterable[LabelRow]) -> tuple[str, ...]:
    """A line that names the labels whose rows may mean "nothing", or the stretch that was looked at; else none."""
    counts = Counter(row.label for row in rows)
    doubtful = [label for label in counts if re.sub(r"[\s_/()\[\]<>.]+", "", label).casefold() in _NAMES]
    if not doubtful:
        return ()
    count = sum(counts[label] for label in doubtful)
    whose = "its" if len(doubtful) == 1 else "their"
    return (
        f"warning: {listed(doubtful)} may mean that nothing happens, or that it was looked at; "
        f"{whose} {count} row{'' if count == 1 else 's'} stay labels, remove them where it is so",
    )
