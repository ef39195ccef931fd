"""Model: frame scores of a recording, and its segmentation and proposals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from torch import nn

from ..arrays import Float32Array
from ..data.annotation import Annotation, Event, LabelSet, Span
from ..data.display import counted, facts_html
from ..data.recording import Recording
from ..data.unknown import unknown_of
from ..decode import DecodeConfig, decode, decode_events, segment
from ..errors import InputError
from .model_file import ModelSpec, People, save_weights

Scores = Float32Array


class Model(nn.Module):
    """Recording in, Annotation out. A subclass says how a recording is scored frame by frame."""

    spec: ModelSpec
    labels: LabelSet

    def __init__(self, spec: ModelSpec) -> None:
        """Raises InputError for a spec without labels."""
        super().__init__()
        if spec.labels is None:
            raise InputError("a localizer needs labels; this spec has none")
        self.spec = spec
        self.labels = spec.labels

    def __repr__(self) -> str:
        """One line; the layers are those of its parts, such as ``model.encoder``."""
        return f"{type(self).__name__}({', '.join(str(value) for _, value in self._facts())})"

    def _repr_html_(self) -> str:
        """A small table, for notebooks."""
        facts = [*self._facts()[:2], ("labels", self.labels.names), ("licence", self.spec.licence)]
        return facts_html(type(self).__name__, facts)

    def _facts(self) -> list[tuple[str, str]]:
        """What it is, in words."""
        spec = self.spec
        encoders = dict.fromkeys(member.encoder for member in spec.members or (spec,))
        rate = f"{spec.input.skeleton.name} at {spec.input.fps:g} fps"
        return [("encoder", " and ".join(encoders)), ("input", rate), ("labels", counted(len(self.labels), "label"))]

    def frame_scores(self, recording: Recording, window: float = 60.0) -> Scores:
        """Scores (T, C + 1) at the model's rate, column 0 background.

        Probabilities: those of a frame sum to 1 for exclusive labels; for overlapping ones each label has its own, and
        background is 1 - the largest. Events have each their own, and background says nothing of them. Logits are
        divided by `spec.temperature` before they become probabilities.

        window: seconds of new scores a pass; memory grows with it, the result does not depend on it.
        """
        raise NotImplementedError(type(self).__name__)

    def localize(
        self, recording: Recording, people: People | None = None, unknown_below: float | None = None
    ) -> Annotation:
        """The answer for a recording, in seconds: its segmentation, each span with its score, and events.

        A span's score says how likely it is right (see `kinespan.decode.segment`). For exclusive labels at most one
        action holds at a time. people: `together`, or `each` person alone, who then does at most one action at a time
        and whose spans and events say whose they are; by default `each` if the labels that the model was trained on
        name people. Segments that score less than unknown_below are answered `unknown`. Raises InputError where the
        recording's skeleton does not map to the model's.
        """
        spans: list[Span] = []
        events: list[Event] = []
        for person, motion in by_person(recording, people or self.spec.people):
            scores = self.frame_scores(motion)
            spans += of_person(cut_at(self.segment(scores), recording.duration), person)
            events += of_person(self.events(scores), person)
        answer = Annotation(tuple(spans), self.labels, events=tuple(events))
        unknown = unknown_of(self.labels, unknown_below)
        return answer if unknown is None else unknown.answer(answer)

    def proposals(
        self, recording: Recording, people: People | None = None, config: DecodeConfig | None = None
    ) -> list[Span]:
        """Scored candidates of a recording, best first, in seconds; they may overlap. mAP is measured on them.

        config: how to decode, by default the model's own way. `people` and errors as `localize` has them.
        """
        spans: list[Span] = []
        for person, motion in by_person(recording, people or self.spec.people):
            spans += of_person(self.decode(self.frame_scores(motion), config), person)
        return best_first(spans)

    def decode(self, scores: Scores, config: DecodeConfig | None = None) -> list[Span]:
        """The proposals of frame scores (T, C + 1), best first."""
        return decode(scores, self.spec.input.fps, self.labels, config or self.spec.decode)

    def segment(self, scores: Scores) -> list[Span]:
        """The segmentation of frame scores (T, C + 1): arg-max runs, or the most probable by the model's durations."""
        return segment(scores, self.spec.input.fps, self.labels, self.spec.decode)

    def events(self, scores: Scores, min_score: float | None = None) -> list[Event]:
        """The events of frame scores (T, C + 1), in order of time.

        min_score: their score at least; None: that of the answer, `spec.decode.event_threshold`.
        """
        min_score = self.spec.decode.event_threshold if min_score is None else min_score
        return decode_events(scores, self.spec.input.fps, self.labels, min_score)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, which is all that localizing needs."""
        save_weights(Path(path), self.state_dict(), self.spec)


Occurrence = TypeVar("Occurrence", Span, Event)


def best_first(spans: Iterable[Span]) -> list[Span]:
    """Spans sorted by score, the highest first."""
    return sorted(spans, key=lambda span: (-(span.score or 0.0), span.start, span.end, span.label))


def cut_at(spans: Iterable[Span], end: float) -> list[Span]:
    """The spans, none of which ends after `end` seconds; a model's last frame may reach beyond the recording's."""
    return [replace(span, end=end) if span.end > end else span for span in spans]


def of_person(occurrences: Iterable[Occurrence], person: int | None) -> list[Occurrence]:
    """Spans or events as those of a person; as they are where that is None."""
    return [item if person is None else replace(item, person=person) for item in occurrences]


def by_person(recording: Recording, people: People) -> list[tuple[int | None, Recording]]:
    """The recording, or, with `each`, a recording of each person alone, by slot; people who are never seen have none.

    Of a recording with a single slot there is nobody to tell apart: it is returned as it is, without a slot.
    """
    if not hasattr(recording, "num_people"):
        found = type(recording).__name__
        raise InputError(f"recording: found a {found}, expected a Recording, such as kinespan.read(FILE).recording")
    if people == "together" or recording.num_people == 1:
        return [(None, recording)]
    recordings: list[tuple[int | None, Recording]] = []
    for person in recording.people:
        alone = slice(person, person + 1)
        changes = {"positions": recording.positions[:, alone], "valid": recording.valid[:, alone]}
        recordings.append((person, recording.with_changes(f"person {person} alone", **changes)))
    return recordings
