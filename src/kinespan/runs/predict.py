"""Localizing recordings, and the evaluation of the result against the annotations of a corpus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..annotations import check_can_write
from ..config import Precision
from ..corpus.store import Corpus
from ..data.annotation import Annotation, Event, Span
from ..data.clock import Clock
from ..data.predictions import Truth
from ..data.recording import Recording
from ..data.unknown import unknown_of
from ..decode.events import MIN_EVENT_SCORE
from ..decode.presets import DECODERS
from ..errors import InputError
from ..io import ReadOptions
from ..metrics import Metrics, Rule, evaluate
from ..threads import Threads, choose_threads, computing_on
from .folder import check_answers_folder
from .inputs import Source, corpus_truth, inputs_of
from .outputs import LocalizationResult, write_formats, write_result

if TYPE_CHECKING:  # torch takes seconds to import
    from ..decode import DecodeConfig
    from ..models.base import Model, Scores
    from ..models.model_file import People


def localize(
    model: Model | str | Path,
    recordings: Source,
    *,
    people: People | None = None,
    decoder: str | None = None,
    unknown_below: float | None = None,
    details: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
    split: str | None = None,
    fold: int = 1,
    set: str | None = None,
    options: ReadOptions | None = None,
    device: str = "cpu",
    precision: Precision = "32",
    threads: Threads | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    write: Sequence[str] = (),
) -> LocalizationResult:
    """Localize the actions in recordings: their segmentation, proposals and frame scores.

    Parameters:
        model: a model, or its file or run folder.
        recordings: a Corpus or its folder, Recordings, motion files and folders of them; one or several.
        people: one result a recording, or one for each person, whose spans and events say whose they are; by default
            `each` if the labels that the model was trained on name people.
        decoder: name of a way of decoding that makes the proposals, in place of the model's own. The segmentation is
            the model's own under every decoder.
        unknown_below: segments that score less are answered `unknown`, with their bounds and score; None: none are.
        details: facts that the result keeps.
        progress: is called with the number of recordings that are done.
        split, fold: of a corpus, the test recordings of a fold, by default all.
        set: of a corpus, the annotation set whose labels are written beside the answers, by default its only one.
        options: how motion files are read.
        device, precision: what a model that is loaded from a file computes on, and how precisely.
        threads: to compute on; auto: by what is free (see threads.py); by default those that torch has.
        out: folder that gets the files of `kinespan localize`, truth.json too where a corpus has labels.
        overwrite: replace the answers that are there.
        write: formats of labels that the answers are written in too, each into a folder of its name in `out`.

    Raises InputError for two recordings of the same name, one that does not map, an unknown decoder, or a folder with
    answers.
    """
    if write and out is None:
        raise InputError("write: formats are given, but no folder; give it by out")
    for format in write:
        check_can_write(format)
    if out is not None:
        check_answers_folder(Path(out), overwrite)
    model = _loaded(model, device, precision)
    inputs = inputs_of(recordings, split, fold, options, set)
    config = None if decoder is None else DECODERS[decoder]
    unknown = unknown_of(model.labels, unknown_below)
    segmentation: dict[str, Annotation] = {}
    proposals: dict[str, tuple[Span, ...]] = {}
    events: dict[str, tuple[Event, ...]] = {}
    scores: dict[str, Scores] = {}
    clocks: dict[str, Clock] = {}
    slots: dict[str, tuple[int, ...]] = {}
    count = None if threads is None else choose_threads(threads).count
    for number, recording in enumerate(inputs.recordings):
        name = recording.name
        if name in clocks:
            raise InputError(f"two recordings are named {name!r}; localize them into different folders")
        clocks[name] = Clock.of(recording)
        with nullcontext() if count is None else computing_on(count):
            decoded = _decode(model, recording, people, config)
        segments, proposals[name], events[name], scores[name], slots[name] = decoded
        answer = tuple(event for event in events[name] if (event.score or 0.0) >= model.spec.decode.event_threshold)
        known = Annotation(segments, model.labels, events=answer)
        segmentation[name] = known if unknown is None else unknown.answer(known)
        if progress is not None:
            progress(number + 1)
    facts = {"training": dict(model.spec.training), **_decoder_fact(decoder), **inputs.details, **(details or {})}
    fps, threshold = model.spec.input.fps, model.spec.decode.event_threshold
    result = LocalizationResult(
        segmentation, proposals, events, scores, fps, model.labels, clocks, slots, facts, threshold, unknown
    )
    if out is not None:
        write_result(result, Path(out), inputs.truth)
        write_formats(result.segmentation, result.clocks, Path(out), write)
    return result


def _loaded(model: Model | str | Path, device: str, precision: Precision) -> Model:
    """The model, from its file or run folder where that is given."""
    if not isinstance(model, str | Path):
        return model
    from .load import load_model

    return load_model(model, device, precision)


class _Decoded(NamedTuple):
    """What is decoded of a recording."""

    segments: tuple[Span, ...]
    """The segmentation."""
    proposals: tuple[Span, ...]
    """Best first."""
    events: tuple[Event, ...]
    """Candidates, in order of time."""
    scores: Scores
    """As `LocalizationResult` has them."""
    people: tuple[int, ...]
    """The slots of the people, where they are told apart."""


def _decode(model: Model, recording: Recording, people: People | None, config: DecodeConfig | None) -> _Decoded:
    """What is decoded of a recording: as `Model.localize` and `Model.proposals` do, from scores computed once."""
    from ..models.base import best_first, by_person, cut_at, of_person

    segments: list[Span] = []
    proposals: list[Span] = []
    events: list[Event] = []
    scores: list[Scores] = []
    slots: list[int] = []
    for person, motion in by_person(recording, people or model.spec.people):
        scores.append(model.frame_scores(motion))
        segments += of_person(cut_at(model.segment(scores[-1]), recording.duration), person)
        proposals += of_person(model.decode(scores[-1], config), person)
        events += of_person(model.events(scores[-1], MIN_EVENT_SCORE), person)
        slots += [] if person is None else [person]
    events.sort(key=lambda event: event.time)
    stacked = np.stack(scores) if slots else scores[0]
    return _Decoded(tuple(segments), tuple(best_first(proposals)), tuple(events), stacked, tuple(slots))


def _decoder_fact(decoder: str | None) -> dict[str, str]:
    """The decoder's name as a fact; nothing where it is the model's own."""
    return {} if decoder is None else {"decoder": decoder}


def evaluate_on(
    model: Model,
    corpus: Corpus,
    names: Sequence[str],
    *,
    dropped: tuple[str, ...] = (),
    rule: Rule = "activitynet",
    tious: Sequence[float] | None = None,
    tolerance: float | None = None,
    decoder: str | None = None,
    unknown_below: float | None = None,
    details: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[LocalizationResult, Truth, dict[str, Any]]:
    """Localize recordings of a corpus and score the result against their annotations; metrics as in metrics.json.

    `tious` are by default those that are reported under the rule; `decoder` names a way of decoding in place of the
    model's own; segments that score less than `unknown_below` are answered `unknown`; `tolerance` is the seconds by
    which an event may be off, by default those of the model.
    Raises InputError where the model names labels that the corpus has not, or events that are spans there.
    """
    truth = corpus_truth(corpus, names, dropped)
    unknown = [label for label in model.labels.names if label not in truth.labels.names]
    if unknown:
        raise InputError(f"the model names {', '.join(unknown)}, which corpus {corpus.name!r} has not")
    if differing := set(model.labels.events) ^ {name for name in truth.labels.events if name in model.labels.names}:
        raise InputError(
            f"{', '.join(sorted(differing))}: an event in one of the model and corpus {corpus.name!r}, a span in the "
            "other"
        )
    tolerance = model.labels.tolerance if tolerance is None else tolerance
    truth = replace(truth, labels=replace(truth.labels, tolerance=tolerance))
    recordings = (corpus[name] for name in truth.annotations)
    result = localize(
        model, recordings, decoder=decoder, unknown_below=unknown_below, details=details, progress=progress
    )
    metrics: Metrics = evaluate(result.predictions, truth, tious, rule)
    facts = {**model.spec.training, **_decoder_fact(decoder), **(details or {})}
    return result, truth, {**metrics.to_dict(), "facts": facts}
