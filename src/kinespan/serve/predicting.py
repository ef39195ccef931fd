"""What a process of the page predicts: recordings of the corpus into one folder of answers, each file into its own.

The folder of answers grows: what a model said of a recording is kept for as long as the motion is the same, so that
only recordings that are missing are localized. For an ensemble, members.npz has the scores of each member beside
scores.npz and in the same format, with MEMBER/NAME in place of NAME; members count from 1.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..corpus.store import Corpus
from ..data.annotation import Annotation
from ..data.clock import Clock
from ..data.recording import Recording
from ..errors import InputError
from ..io import ReadOptions, read
from ..models.base import Model, Scores
from ..models.ensemble import Ensemble
from ..runs.answers import Answers
from ..runs.folder import MEMBERS_FILE, PROPOSALS_FILE
from ..runs.outputs import FrameScores, LocalizationResult, read_scores, write_result, write_scores
from ..runs.predict import localize
from .models import CHECKSUMS, file_answers_folder

WRITE_EVERY = 2.0
"""Seconds after which answers are written, or five times what writing them takes."""


class ListeningEnsemble(Ensemble):
    """An Ensemble that keeps what each of its members said last, one array of member scores for each call."""

    def __init__(self, ensemble: Ensemble) -> None:
        super().__init__(ensemble.spec, list(ensemble.members))
        self.heard: list[list[Scores]] = []

    def mean(self, member_scores: Sequence[Scores]) -> Scores:
        """The weighted mean, as `Ensemble` has it."""
        self.heard.append(list(member_scores))
        return super().mean(member_scores)


class Answering:
    """The answers of a model on the recordings of a corpus, as they are read, added to, and written."""

    def __init__(self, model: Model, corpus: Corpus, out: Path) -> None:
        self.model = ListeningEnsemble(model).eval() if isinstance(model, Ensemble) else model
        self.corpus, self.out = corpus, out
        self.checksums: dict[str, str] = {}
        """Those of the motion that was localized, by recording."""
        self.members: dict[str, Scores] = {}
        details = {"corpus": str(corpus.path.resolve()), "training": dict(model.spec.training)}
        spec = model.spec
        self.result = LocalizationResult(
            {}, {}, {}, {}, spec.input.fps, model.labels, {}, {}, details, spec.decode.event_threshold
        )
        if (out / PROPOSALS_FILE).is_file():
            self._read()

    def answer(self, name: str) -> None:
        """Localize a recording."""
        if isinstance(self.model, ListeningEnsemble):
            self.model.heard = []
        added, result = localize(self.model, self.corpus[name]), self.result
        for mapping in ("segmentation", "proposals", "events", "scores", "clocks", "people"):
            getattr(result, mapping).update(getattr(added, mapping))
        self.checksums[name] = self.corpus.infos[self.corpus.index(name)].checksum
        if isinstance(self.model, ListeningEnsemble):
            self.members |= member_scores(self.model, name, bool(result.people.get(name)))

    def write(self) -> None:
        """Write the answers on all recordings so far."""
        write_result(replace(self.result, details={**self.result.details, CHECKSUMS: self.checksums}), self.out)
        write_members(self.members, self.result, self.out)

    def _read(self) -> None:
        """Take over what was answered before, of motion that is still the same."""
        answers = Answers(self.out)
        scores, members = answers.scores, read_scores(self.out / MEMBERS_FILE)
        predictions, known = answers.predictions, answers.predictions.details.get(CHECKSUMS, {})
        segmentation = predictions.segmentation or {}
        for info in self.corpus.infos:
            name = info.name
            if scores is None or known.get(name) != info.checksum or name not in scores.scores:
                continue
            events = predictions.events.get(name, ())
            said = tuple(event for event in events if predictions.is_answer(event))
            values: dict[str, Any] = {
                "segmentation": Annotation(tuple(segmentation.get(name, ())), self.result.labels, events=said),
                "proposals": tuple(predictions.proposals[name]),
                "events": tuple(events),
                "scores": scores.scores[name],
                "clocks": Clock(info.fps, info.num_frames),
                "people": scores.people.get(name, ()),
            }
            for mapping, value in values.items():
                getattr(self.result, mapping)[name] = value
            self.checksums[name] = info.checksum
        if members is not None:
            self.members = {key: each for key, each in members.scores.items() if key.split("/", 1)[1] in self.checksums}


def member_scores(model: ListeningEnsemble, name: str, told_apart: bool) -> dict[str, Scores]:
    """What each member said of the recording that was localized last, by MEMBER/NAME.

    (T, C + 1) each; where people are told apart (P, T, C + 1).
    """
    by_member = zip(*model.heard, strict=True)  # heard: a list of member scores for each person
    return {
        f"{number}/{name}": np.stack(scores) if told_apart else scores[0]
        for number, scores in enumerate(by_member, start=1)
    }


def write_members(members: Mapping[str, Scores], result: LocalizationResult, out: Path) -> None:
    """Write members.npz, where there are members."""
    if members:
        people = {key: result.people.get(key.split("/", 1)[1], ()) for key in members}
        write_scores(FrameScores(members, result.fps, result.labels.names, people), out / MEMBERS_FILE)


def predict_corpus(
    model: Model,
    corpus: Corpus,
    names: Sequence[str],
    out: Path,
    progress: Callable[[int, int], None],
    urgent: Callable[[], Sequence[str]] = lambda: (),
    failed: list[str] | None = None,
) -> int:
    """Localize those of `names` that a folder of answers lacks; returns how many those were.

    urgent: recordings that are asked for meanwhile, which go first and are written at once. failed: gets why recordings
    could not be localized; without it the first one raises InputError.
    """
    answering = Answering(model, corpus, out)
    total = sum(name not in answering.checksums for name in names)
    written, pause, done = time.monotonic(), WRITE_EVERY, 0
    for name, is_urgent in _in_turn(names, answering.checksums, urgent):
        try:
            answering.answer(name)
        except InputError as error:
            if failed is None:
                raise
            failed.append(str(error))
            continue
        done += 1
        total = max(total, done)
        if is_urgent or len(names) == 1 or time.monotonic() - written > pause:
            begin = time.monotonic()
            answering.write()
            written = time.monotonic()
            pause = max(WRITE_EVERY, 5 * (written - begin))
        progress(done, total)
    if done:
        answering.write()
    return done


def _in_turn(
    names: Sequence[str], answered: Mapping[str, str], urgent: Callable[[], Sequence[str]]
) -> Iterator[tuple[str, bool]]:
    """The recordings that are not in `answered`, which grows; urgent ones first."""
    tried: set[str] = set()
    for name in names:
        for early in urgent():
            if early not in answered and early not in tried:
                tried.add(early)
                yield early, True
        if name not in answered and name not in tried:
            yield name, False


def predict_file(model: Model, item: Mapping[str, Any], home: Path) -> Recording | None:
    """Localize a motion file into a folder of its own; returns what was read, None where it was answered before.

    item: ``path``, and the ``options`` and ``format`` that it is read with.
    """
    path, options = Path(item["path"]), ReadOptions.of(item.get("options", {}))
    out = file_answers_folder(home, item)
    if (out / PROPOSALS_FILE).is_file():
        return None
    recording = read(path, item.get("format", "auto"), options, override_fps=item.get("override_fps", True)).recording
    listening = ListeningEnsemble(model).eval() if isinstance(model, Ensemble) else model
    details = {"files": {recording.name: str(path.resolve())}, "read": options.given()}
    result = localize(listening, recording, details=details)
    write_result(result, out)
    if isinstance(listening, ListeningEnsemble):
        told_apart = bool(result.people.get(recording.name))
        write_members(member_scores(listening, recording.name, told_apart), result, out)
    return recording
