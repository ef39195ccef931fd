"""Drafts that somebody said are wrong: kept by annotation set and recording, and not proposed again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import write_atomically

REJECTED_FILE = "rejected.json"
LEAST_OVERLAP = 0.5
"""A draft is the rejected one again where the time of both is this share of the time of either, or more."""
Draft = Mapping[str, Any]
"""A draft of the page: start, end (None: an event), label, person."""


class Rejected:
    """The rejected drafts of a folder of runs; any thread may use them. Raises InputError for a damaged file."""

    _lock = threading.Lock()
    """One for all: each request has an object of its own."""

    def __init__(self, runs: Path) -> None:
        self._file = runs / REJECTED_FILE

    def of(self, set: str, recording: str) -> list[Draft]:
        """The rejected drafts of a recording in a set."""
        drafts: list[Draft] = self._read().get(set, {}).get(recording, [])
        return drafts

    def add(self, set: str, recording: str, drafts: Iterable[Draft], tolerance: float) -> int:
        """Keep drafts as rejected; returns how many the recording has now. One that is there already stays once."""
        with self._lock:
            kept = self._read()
            known = kept.setdefault(set, {}).setdefault(recording, [])
            for draft in drafts:
                plain = {name: draft.get(name) for name in ("start", "end", "label", "person")}
                if not any(is_same(plain, each, tolerance) for each in known):
                    known.append(plain)
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, json.dumps(kept, ensure_ascii=False) + "\n")
            return len(known)

    def _read(self) -> dict[str, dict[str, list[Draft]]]:
        if not self._file.is_file():
            return {}
        try:
            content: dict[str, dict[str, list[Draft]]] = json.loads(self._file.read_text(encoding="utf-8"))
            for recordings in content.values():
                for drafts in recordings.values():
                    for draft in drafts:
                        is_same(draft, draft, 0.0)  # fails where it is none
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            reason = f"not the rejected drafts of a page ({type(error).__name__}: {error})"
            raise InputError(f"{self._file}: {reason}; restore it from a copy, or remove it") from None
        return content


def is_same(draft: Draft, rejected: Draft, tolerance: float) -> bool:
    """Whether a draft is a rejected one again: the same label and person at about the same time.

    tolerance: seconds by which events may differ.
    """
    if (draft["label"], draft.get("person")) != (rejected["label"], rejected.get("person")):
        return False
    if draft["end"] is None or rejected["end"] is None:
        is_near = abs(draft["start"] - rejected["start"]) <= tolerance
        return draft["end"] is None and rejected["end"] is None and is_near
    both = min(draft["end"], rejected["end"]) - max(draft["start"], rejected["start"])
    either = max(draft["end"], rejected["end"]) - min(draft["start"], rejected["start"])
    return bool(both > 0 and both >= LEAST_OVERLAP * either)
