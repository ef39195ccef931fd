"""The counts of annotation sets in the list of recordings, counted again only where a set was changed."""

from __future__ import annotations

import threading

from ..corpus.annotation_sets import AnnotationSets
from ..corpus.set_reading import SetSummary


class SetSummaries:
    """The summaries of the sets of a corpus. Any thread may ask."""

    def __init__(self, sets: AnnotationSets) -> None:
        self._sets = sets
        self._summaries: dict[str, SetSummary] = {}
        self._lock = threading.Lock()

    def now(self) -> dict[str, SetSummary]:
        """The summary of each set, by its name."""
        with self._lock:
            names = [info.name for info in self._sets.infos]
            for name in names:
                known = self._summaries.get(name)
                if known is None or known.version != self._sets.version(name):
                    self._summaries[name] = self._sets.summary(name)
            return {name: self._summaries[name] for name in names}
