"""Recordings and their labels as the page lists them: `Item` and `Items` of docs/page-api.md."""

from __future__ import annotations

from typing import Any

from ..data.annotation import Annotation
from .page_models import is_predicted, uncertainty
from .state import Page
from .workspace import Entry


def item_of(page: Page, entry: Entry) -> dict[str, Any]:
    """A recording in the list, as `Item` of docs/page-api.md, without the counts of sets."""
    facts = entry.facts
    return {
        "id": entry.id,
        "name": entry.name,
        "kind": entry.kind,
        "duration": None if facts is None else facts.duration,
        "fps": None if facts is None else facts.fps,
        "people": None if facts is None else facts.people,
        "skeleton": None if facts is None else facts.skeleton,
        "error": entry.error,
        "warnings": 0 if facts is None else facts.warnings,
        "labels": {},
        "watched": {},
        "uncertainty": uncertainty(page, entry),
        "predicted": is_predicted(page, entry),
    }


def items_of(annotation: Annotation) -> dict[str, Any]:
    """Labels that are no annotation set, as `Items` of docs/page-api.md; nobody can change them."""
    rows = [(span.start, span.end, span.label, span.person) for span in annotation.spans]
    rows += [(event.time, None, event.label, event.person) for event in annotation.events]  # type: ignore[misc]
    rows.sort(key=lambda row: row[0])
    return {
        "items": [
            {"number": number, "start": start, "end": end, "label": label, "person": person}
            for number, (start, end, label, person) in enumerate(rows)
        ],
        "covered": None if annotation.covered is None else [list(bounds) for bounds in annotation.covered],
        "annotated": True,
        "version": 0,
        "undo": False,
        "redo": False,
    }
