"""Checks that the annotations of `kinespan prepare --annotations FILE` fit the recordings."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path

from ..data.annotation import Annotation, Span, natural_key
from ..errors import InputError


def check_names(annotated: Collection[str], known: Collection[str], file: Path) -> None:
    """Check that annotated recordings are known. Raises InputError naming the unknown ones and the nearest names."""
    known_names = set(known)
    unknown = [name for name in annotated if name not in known_names]
    if not unknown:
        return
    hints = []
    for name in unknown[:5]:
        nearest = difflib.get_close_matches(name, known_names, n=1)
        hints.append(f"{name!r}" + (f" (did you mean {nearest[0]!r}?)" if nearest else ""))
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
    raise InputError(
        f"{file}: annotates {', '.join(hints)}{more}, which the source does not have; "
        f"use the names of the recordings, such as {min(known_names, key=natural_key)!r}"
    )


def fit(annotation: Annotation, duration: float) -> tuple[Annotation, int]:
    """The annotation cut to a recording of `duration` seconds, and how many of its spans were cut.

    Raises InputError for a span that lies outside altogether: its times are then in another unit or of another file.
    """
    spans, cut = [], 0
    for span in annotation.spans:
        if span.start >= duration or span.end <= 0:
            raise InputError(
                f"span {span.label!r} [{span.start:g}, {span.end:g}) s lies outside the recording of {duration:.3f} s; "
                "give times in seconds (not frames) and check the fps"
            )
        start, end = max(span.start, 0.0), min(span.end, duration)
        cut += (start, end) != (span.start, span.end)
        spans.append(Span(start, end, span.label, span.score, span.person))
    covered = annotation.covered
    if covered is not None:
        inside = ((max(start, 0.0), min(end, duration)) for start, end in covered)
        covered = tuple((start, end) for start, end in inside if start < end)
    return Annotation(tuple(spans), annotation.labels, covered, annotation.events), cut
