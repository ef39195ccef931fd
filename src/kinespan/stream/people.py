"""The PeopleStream: each person of a recording localized alone, as its frames come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from ..arrays import BoolArray, Float32Array
from ..data.annotation import Span
from ..data.skeleton import Skeleton
from ..errors import InputError
from ..models.base import Model, of_person
from .frame_check import FrameCheck
from .intake import joined
from .stream_localizer import FINISHED, StreamLocalizer, Update


class PeopleStream:
    """Localizes the people of a recording, each alone, while it is being made.

    What it gives of a person is what a `StreamLocalizer` gives of a recording of that person alone: the scores and
    spans of `Model.localize(recording, "each")`, as far as a stream has those of the whole. A slot has updates once
    somebody was seen in it. Spans and events say whose they are, by slot, unless frames hold a single slot.
    """

    def __init__(
        self,
        model: Model,
        fps: float,
        skeleton: Skeleton | None = None,
        *,
        latency: float | None = None,
        torso: float | None = None,
        unknown_below: float | None = None,
    ) -> None:
        """A stream of one recording; arguments and errors as `StreamLocalizer` has them, `torso` for everybody."""
        self._new_stream = partial(
            StreamLocalizer, model, fps, skeleton, latency=latency, torso=torso, unknown_below=unknown_below
        )
        self._unused = self._new_stream()  # checks the arguments, and knows the latency before anybody is seen
        self._check = FrameCheck(self._unused.skeleton)
        self._streams: dict[int, StreamLocalizer] = {}
        self._finished = False

    @property
    def look_ahead(self) -> float:
        """Seconds of motion after a frame that a score depends on."""
        return self._unused.look_ahead

    @property
    def latency(self) -> float:
        """Seconds from the end of a frame to its scores, at most; see `StreamLocalizer.latency`."""
        return self._unused.latency

    @property
    def open_spans(self) -> tuple[Span, ...]:
        """The spans that are not final, person by person; see `StreamLocalizer.open_spans`."""
        spans = ((slot, stream.open_spans) for slot, stream in sorted(self._streams.items()))
        return tuple(span for slot, own in spans for span in of_person(own, self._person(slot)))

    def push(self, positions: Float32Array, valid: BoolArray | None = None) -> Mapping[int, Update]:
        """Take the next recorded frames; returns what they make final, by person slot.

        Arguments and errors as `StreamLocalizer.push` has them.
        """
        if self._finished:
            raise InputError(FINISHED)
        before = self._check.num_frames
        positions, valid = self._check(positions, valid)
        updates = {}
        for slot in range(self._check.num_slots):
            own = positions[:, slot : slot + 1], valid[:, slot : slot + 1]
            if slot not in self._streams:
                if not own[1].any():
                    continue
                self._streams[slot] = self._new_stream()
                absent_positions, absent_valid = self._check.absent(before)
                own = joined((absent_positions[:, :1], absent_valid[:, :1]), *own)
            updates[slot] = self._of_slot(self._streams[slot].push(*own), slot)
        return updates

    def finish(self) -> Mapping[int, Update]:
        """The recording has ended: what is left, by person slot. Raises InputError when called twice."""
        if self._finished:
            raise InputError(FINISHED)
        self._finished = True
        return {slot: self._of_slot(stream.finish(), slot) for slot, stream in sorted(self._streams.items())}

    def _of_slot(self, update: Update, slot: int) -> Update:
        person = self._person(slot)
        events = tuple(of_person(update.events, person))
        return replace(update, spans=tuple(of_person(update.spans, person)), events=events)

    def _person(self, slot: int) -> int | None:
        """Whose the spans of a slot are; None where there is nobody to tell apart."""
        return slot if self._check.num_slots > 1 else None
