"""The API of suggestions: what to label next, and moments that are like a given one."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..arrays import Float32Array
from ..data.annotation import Annotation
from ..errors import InputError
from ..retrieval.index import SnippetIndex, read_snippet_index
from ..retrieval.label_next import RecordingEvidence, Suggestions, done_time, suggest
from ..retrieval.search import Hit, Moment, search
from ..runs.answers import Answers
from ..runs.folder import MEMBERS_FILE, PROPOSALS_FILE, SCORES_FILE
from ..runs.outputs import read_scores
from .calls import Call, endpoint, refuse
from .http import json_answer
from .state import Page

MOST_MOMENTS = 200
"""Moments that are listed."""
MOST_HITS = 50
"""Moments like another one that are listed."""
Kept = TypeVar("Kept")
Stamp = tuple[object, ...]


def routes(page: Page) -> list[BaseRoute]:
    """The routes of suggestions."""
    suggesting = Suggesting(page)
    return [
        Route("/api/suggestions", endpoint(page, suggesting.suggestions), methods=["GET"]),
        Route("/api/similar", endpoint(page, suggesting.similar), methods=["POST"]),
    ]


class Last(Generic[Kept]):
    """The last value that was computed, and of what versions of what it was computed from."""

    def __init__(self) -> None:
        self.stamp: Stamp | None = None
        self.value: Kept | None = None


class _Answered(NamedTuple):
    """The answers of the loaded model."""

    model: str
    answers: Answers
    stamp: Stamp
    """Changes with their files."""


class Suggesting:
    """Suggestions of a page, computed again only where labels, answers or the snippet index have changed.

    Any thread may ask; one computes at a time.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self._lock = threading.Lock()
        self._index: Last[SnippetIndex] = Last()
        self._members: Last[dict[str, tuple[Float32Array, ...]]] = Last()
        self._suggestions: Last[Suggestions] = Last()

    def suggestions(self, call: Call) -> Response:
        """GET /api/suggestions: recordings and moments, by how much a label of theirs would help."""
        name = call.set_name()
        answered = self._answered()
        if answered is None:
            refuse("no model has localized the recordings so far: train one, or predict with one, first", 404)
        with self._lock:
            index = self._snippets()
            stamp = (answered.stamp, self._index.stamp, name, call.sets.summary(name).version)
            if self._suggestions.stamp != stamp or self._suggestions.value is None:
                value = self._computed(answered, index, call.sets.annotations(name))
                self._suggestions.stamp, self._suggestions.value = stamp, value
            suggestions = self._suggestions.value
        ids = {item.name: self.page.workspace.id_of(item.name) for item in suggestions.recordings}
        recordings = [
            {"id": ids[item.name], "value": _rounded(item.value), "reasons": list(item.reasons)}
            for item in suggestions.recordings
            if ids[item.name] is not None
        ]
        moments = [
            {
                "id": ids[item.name],
                "start": _rounded(item.start),
                "end": _rounded(item.end),
                "value": _rounded(item.value),
                "reasons": list(item.reasons),
            }
            for item in suggestions.moments[:MOST_MOMENTS]
            if ids[item.name] is not None
        ]
        return json_answer({"recordings": recordings, "moments": moments, "by": list(suggestions.by)})

    def similar(self, call: Call) -> Response:
        """POST /api/similar: the moments most like a given one."""
        name, fields = call.set_name(), call.fields("recording", "start", "end", "person")
        entry = call.page.workspace.entry(fields.whole("recording"))
        with self._lock:
            index = self._snippets()
        if index is None:
            refuse("the recordings are not embedded so far: run the job embed first", 404)
        if entry.recording_name not in {track.recording for track in index.tracks}:
            refuse(f"recording {entry.name!r} is not embedded so far: run the job embed again", 404)
        moment = Moment(
            entry.recording_name, fields.number("start"), fields.number("end"), fields.optional_whole("person")
        )
        annotations = call.sets.annotations(name)
        hits = [
            {
                "id": id,
                "start": _rounded(hit.start),
                "end": _rounded(hit.end),
                "person": hit.person,
                "similarity": _rounded(hit.similarity),
                "label": label_at(annotations.get(hit.recording), hit),
            }
            for hit in search(index, moment, MOST_HITS)
            if (id := self.page.workspace.id_of(hit.recording)) is not None
        ]
        return json_answer({"hits": hits})

    # ---- what they are computed from ----------------------------------------------------------------------------

    def _answered(self) -> _Answered | None:
        """The answers of the loaded model, else those that were opened; None where there are none with scores."""
        jobs = self.page.jobs
        if jobs is not None and (model := jobs.models.loaded) is not None:
            answers = jobs.models.answers(model)
        else:
            model, answers = next(iter(self.page.workspace.answers.items()), ("", None))
        if answers is None or answers.scores is None:
            return None
        folder = answers.file.parent
        files = tuple(_stamp(folder / file) for file in (PROPOSALS_FILE, SCORES_FILE, MEMBERS_FILE))
        return _Answered(model, answers, (model, *files))

    def _computed(
        self, answered: _Answered, index: SnippetIndex | None, annotations: Mapping[str, Annotation]
    ) -> Suggestions:
        corpus, scores = self.page.workspace.corpus, answered.answers.scores
        assert corpus is not None
        assert scores is not None
        durations = {info.name: info.duration for info in corpus.infos}
        members = self._member_scores(answered)
        evidence = [
            RecordingEvidence(
                name, durations[name], members.get(name, (mean,)), done_time(annotations.get(name), durations[name])
            )
            for name, mean in scores.scores.items()
            if name in durations
        ]
        return suggest(evidence, scores.fps, answered.answers.labels, index)

    def _member_scores(self, answered: _Answered) -> dict[str, tuple[Float32Array, ...]]:
        """The scores of each network by recording; empty where the model is one network."""
        file = answered.answers.file.with_name(MEMBERS_FILE)
        stamp = _stamp(file)
        if self._members.stamp != stamp or self._members.value is None:
            read = read_scores(file)
            by_name: dict[str, dict[int, Float32Array]] = {}
            for key, scores in (read.scores if read is not None else {}).items():
                number, _, name = key.partition("/")
                by_name.setdefault(name, {})[int(number)] = scores
            value = {name: tuple(scores[number] for number in sorted(scores)) for name, scores in by_name.items()}
            self._members.stamp, self._members.value = stamp, value
        assert self._members.value is not None
        return self._members.value

    def _snippets(self) -> SnippetIndex | None:
        """The snippet index; None where there is none that can be read, which the job embed writes anew."""
        file = None if self.page.jobs is None else self.page.jobs.index_file
        if file is None or not file.is_file():
            return None
        stamp = _stamp(file)
        if self._index.stamp != stamp or self._index.value is None:
            try:
                self._index.stamp, self._index.value = stamp, read_snippet_index(file)
            except InputError:
                return None
        return self._index.value


def label_at(annotation: Annotation | None, hit: Hit) -> str | None:
    """The label of the span that most of a hit is in; None where no span has half of it."""
    if annotation is None:
        return None
    shared: dict[str, float] = {}
    for span in annotation.of_person(hit.person).spans:
        overlap = min(span.end, hit.end) - max(span.start, hit.start)
        shared[span.label] = max(shared.get(span.label, 0.0), overlap)
    label = max(shared, key=lambda name: shared[name], default=None)
    return label if label is not None and 2 * shared[label] >= hit.end - hit.start else None


def _stamp(file: Path) -> Stamp:
    """Changes with a file."""
    if not file.is_file():
        return ()
    stat = file.stat()
    return stat.st_mtime_ns, stat.st_size


def _rounded(value: float) -> float:
    return round(value, 4)
