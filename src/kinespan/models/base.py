"""Model: frame scores of a recording, and spans of frame scores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from torch import nn

from ..arrays import Float32Array
from ..data.annotation import LabelSet, Span
from ..data.recording import Recording
from ..decode import DecodeConfig, decode, segment
from ..errors import InputError
from .model_file import ModelSpec, People, save_weights

Scores = Float32Array


class Model(nn.Module):
    """Recording in, Spans out. A subclass says how a recording is scored frame by frame."""

    spec: ModelSpec
    labels: LabelSet

    def __init__(self, spec: ModelSpec) -> None:
        """Raises InputError for a spec without labels."""
        super().__init__()
        if spec.labels is None:
            raise InputError("a localizer needs labels; this spec has none")
        self.spec = spec
        self.labels = spec.labels

    def frame_scores(self, recording: Recording, window: float = 60.0) -> Scores:
        """Scores (T, C + 1) at the model's rate, column 0 background.

        Probabilities: those of a frame sum to 1 for exclusive labels; for overlapping ones each label has its own, and
        background is 1 - the largest.

        window: seconds of new scores a pass; memory grows with it, the result does not depend on it.
        """
        raise NotImplementedError(type(self).__name__)

    def localize(
        self,
        recording: Recording,
        people: People | None = None,
        config: DecodeConfig | None = None,
    ) -> list[Span]:
        """Scored spans of a recording, sorted by start, in seconds.

        people: together, or each person alone, whose spans then say whose they are; by default as the model was
        trained. config: how to decode, by default the model's own way. Raises InputError where the recording's
        skeleton does not map to the model's.
        """
        spans: list[Span] = []
        for person, motion in by_person(recording, people or self.spec.people):
            spans += of_person(self.decode(self.frame_scores(motion), config), person)
        return sorted(spans, key=lambda span: (span.start, span.end, span.label))

    def decode(self, scores: Scores, config: DecodeConfig | None = None) -> list[Span]:
        """Scored spans, overlapping ones among them, of frame scores (T, C + 1)."""
        return decode(scores, self.spec.input.fps, self.labels, config or self.spec.decode)

    def segment(self, scores: Scores) -> list[Span]:
        """At most one action at a time, of frame scores (T, C + 1): arg-max runs, or what by the model's durations."""
        return segment(scores, self.spec.input.fps, self.labels, self.spec.decode)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, which is all that localizing needs."""
        save_weights(Path(path), self.state_dict(), self.spec)


def of_person(spans: Iterable[Span], person: int | None) -> list[Span]:
    """The spans as those of a person; as they are where that is None."""
    return [span if person is None else replace(span, person=person) for span in spans]


def by_person(recording: Recording, people: People) -> list[tuple[int | None, Recording]]:
    """The recording, or, with `each`, a recording of each person alone, by slot; people who are never seen have none.

    Of a recording with a single slot there is nobody to tell apart: it is returned as it is, without a slot.
    """
    if people == "together" or recording.num_people == 1:
        return [(None, recording)]
    recordings: list[tuple[int | None, Recording]] = []
    for person in range(recording.num_people):
        if recording.valid[:, person].any():
            alone = slice(person, person + 1)
            changes = {"positions": recording.positions[:, alone], "valid": recording.valid[:, alone]}
            recordings.append((person, recording.with_changes(f"person {person} alone", **changes)))
    return recordings
