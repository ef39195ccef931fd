"""What a localization writes: the segmentation as a table, what is counted of it, proposals, frame scores; metrics.

The files of `write_result`, in a folder:

* spans.csv: the answer, a line a span or event; `kinespan.annotations.csv_table` has the columns.
* summary.csv and transitions.csv: how often and how long each label occurs, and which follows which; see
  `kinespan.runs.summary`.
* proposals.json: scored candidates as ActivityNet JSON, with the segmentation and the facts behind them beside it.
* scores.npz: NumPy arrays. ``labels`` (C + 1,), "background" first; ``fps``, frames of the scores a second; and for
  each recording NAME ``scores/NAME`` (T, C + 1) float16 and ``times/NAME`` (T,), the seconds of its frames' centres.
  Where people are told apart, ``scores/NAME`` is (P, T, C + 1), and ``people/NAME`` (P,) has their slots.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..annotations import LabelFile, check_can_write, write_annotations, write_label_files
from ..annotations.activitynet import write_predictions, write_truth
from ..arrays import AnyArray
from ..data.annotation import Annotation, Event, LabelSet, Span, frame_centres
from ..data.clock import Clock
from ..data.display import SPAN_COLUMNS, counted, rows_html
from ..data.plots import plot_timelines
from ..data.predictions import Predictions, Truth
from ..data.tables import answers_to_dataframe
from ..data.unknown import Unknown
from ..errors import InputError
from ..files import write_atomically
from .folder import PROPOSALS_FILE, SCORES_FILE, SPANS_FILE, SUMMARY_FILE, TRANSITIONS_FILE, TRUTH_FILE
from .summary import write_summary, write_transitions

if TYPE_CHECKING:  # these take seconds to import
    import pandas
    from matplotlib.axes import Axes

    from ..models.base import Scores


@dataclass(frozen=True, repr=False)
class LocalizationResult:
    """What a model says of recordings, each by name."""

    segmentation: Mapping[str, Annotation]
    """The answer: what was done when, spans and events. For exclusive labels at most one action holds at a time."""
    proposals: Mapping[str, tuple[Span, ...]]
    """Scored candidates, best first; they may overlap, and mAP is measured on them."""
    events: Mapping[str, tuple[Event, ...]]
    """Scored candidates in order of time, for average precision; those of the answer are among them."""
    scores: Mapping[str, Scores]
    """Frame scores (T, C + 1), column 0 background, at `fps`; where people are told apart (P, T, C + 1), those of each
    of `people`."""
    fps: float
    """The model's rate, frames a second."""
    labels: LabelSet
    clocks: Mapping[str, Clock]
    """The rate and length of each recording as it was given."""
    people: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The slots of the people of recordings in which they are told apart."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Facts behind the result: the model's training, the source of the recordings, ..."""
    event_threshold: float = 0.0
    """The answer is the events that score at least this much."""
    unknown: Unknown | None = None
    """How segments of which the model is not sure enough are answered; None: it always answers."""

    @property
    def predictions(self) -> Predictions:
        """What metrics are measured on, and what proposals.json holds."""
        segmentation = {name: annotation.spans for name, annotation in self.segmentation.items()}
        details = {**self.details, "labels": list(self.labels.names), "exclusive": self.labels.exclusive}
        scores = FrameScores(self.scores, self.fps, self.labels.names, self.people).by_person
        events: dict[str, Any] = {}
        if self.labels.events:
            details["events"] = list(self.labels.events)
            events = {"events": self.events, "event_threshold": self.event_threshold}
        return Predictions(
            self.proposals, segmentation, details, unknown=self.unknown, scores=scores, scores_fps=self.fps, **events
        )

    def __repr__(self) -> str:
        return f"LocalizationResult({self._facts()})"

    def _repr_html_(self) -> str:
        """A small table, for notebooks."""
        rows = [(name, *row) for name, annotation in self.segmentation.items() for row in annotation.rows()]
        return rows_html(f"LocalizationResult: {self._facts()}", ("recording", *SPAN_COLUMNS), rows)

    def _facts(self) -> str:
        """What is in it, in words."""
        answers = self.segmentation.values()
        facts = [counted(len(answers), "recording")]
        if self.labels.spans:
            facts.append(counted(sum(len(annotation.spans) for annotation in answers), "span"))
        if self.labels.events:
            facts.append(counted(sum(len(annotation.events) for annotation in answers), "event"))
        return f"{', '.join(facts)} of {counted(len(self.labels), 'label')}"

    def to_dataframe(self) -> pandas.DataFrame:
        """The segmentation as a pandas table, the one that spans.csv is. Raises InputError without pandas."""
        return answers_to_dataframe(self.segmentation, self.clocks)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the segmentation, a row for each recording; returns the axes.

        ax: axes to draw into, by default new ones. Raises InputError without matplotlib.
        """
        return plot_timelines(self.segmentation, ax)


def write_result(result: LocalizationResult, out: Path, truth: Truth | None = None) -> None:
    """Write spans.csv, summary.csv, transitions.csv, proposals.json and scores.npz into a folder, and truth.json.

    Without a truth, the truth.json of earlier answers is removed.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_annotations(result.segmentation, out / SPANS_FILE, clocks=result.clocks)
    write_summary(result.segmentation, result.clocks, result.people, out / SUMMARY_FILE)
    write_transitions(result.segmentation, out / TRANSITIONS_FILE)
    write_predictions(result.predictions, out / PROPOSALS_FILE)
    write_scores(FrameScores(result.scores, result.fps, result.labels.names, result.people), out / SCORES_FILE)
    if truth is None:
        (out / TRUTH_FILE).unlink(missing_ok=True)
    else:
        write_truth(truth, out / TRUTH_FILE)


class Written(NamedTuple):
    """The files of a format of labels."""

    format: str
    paths: tuple[Path, ...]
    lost: tuple[str, ...]
    """What the format cannot hold, in plain lines."""


def write_formats(
    answers: Mapping[str, Annotation], clocks: Mapping[str, Clock], out: Path, formats: Sequence[str]
) -> list[Written]:
    """Write answers by recording in formats of labels, each into a folder of its name in `out`; older files go.

    Raises InputError for a format that is unknown or only read, before any is written.
    """
    for format in formats:
        check_can_write(format)
    rows = LabelFile.of(answers, out)
    return [
        Written(name, *write_label_files(rows, out / name, name, clocks, overwrite=True, name="answers"))
        for name in dict.fromkeys(formats)
    ]


@dataclass(frozen=True)
class FrameScores:
    """The content of scores.npz."""

    scores: Mapping[str, Scores]
    """(T, C + 1) by recording, column 0 background; where people are told apart (P, T, C + 1)."""
    fps: float
    """Frames of the scores a second."""
    labels: tuple[str, ...]
    """The C labels."""
    people: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The P slots of the people of recordings in which they are told apart."""

    @property
    def by_person(self) -> dict[tuple[str, int | None], Scores]:
        """The scores (T, C + 1) by recording and person; None is everybody together."""
        scores: dict[tuple[str, int | None], Scores] = {}
        for name, values in self.scores.items():
            people = self.people.get(name, ())
            own = zip(people, values, strict=True) if people else [(None, values)]
            scores |= {(name, person): each for person, each in own}
        return scores


def write_scores(frame_scores: FrameScores, file: Path) -> None:
    """Write scores.npz; the scores are rounded to float16."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        _write_array(archive, "fps", np.array(frame_scores.fps))
        _write_array(archive, "labels", np.array(["background", *frame_scores.labels]))
        for name, scores in frame_scores.scores.items():
            _write_array(archive, f"scores/{name}", scores.astype(np.float16))
            _write_array(archive, f"times/{name}", frame_centres(scores.shape[-2], frame_scores.fps))
            if slots := frame_scores.people.get(name):
                _write_array(archive, f"people/{name}", np.array(slots))
    write_atomically(file, buffer.getvalue())


def _write_array(archive: zipfile.ZipFile, name: str, array: AnyArray) -> None:
    """Add an array; numpy's savez cannot write one that is named `file`."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array(entry, array, allow_pickle=False)


def read_scores(file: Path) -> FrameScores | None:
    """The content of scores.npz; None where there is no such file. Raises InputError for another file of that name."""
    if not file.is_file():
        return None
    try:
        with np.load(file, allow_pickle=False) as data:
            if not {"fps", "labels"} <= set(data.files):
                raise InputError(f"{file}: holds no fps and labels, so it is of an earlier version; localize again")
            labels = tuple(data["labels"].tolist()[1:])
            names = [name.removeprefix("scores/") for name in data.files if name.startswith("scores/")]
            scores = {name: data[f"scores/{name}"].astype(np.float32) for name in names}
            people = {name: tuple(data[f"people/{name}"].tolist()) for name in names if f"people/{name}" in data.files}
            return FrameScores(scores, float(data["fps"]), labels, people)
    except (OSError, EOFError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: damaged ({error}); remove it, and localize again") from None


def headline(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The headline figures of a metrics.json, with the split, fold and part that they were measured on."""
    figures = {name: metrics.get(name) for name in ("map", "frame_accuracy", "edit", "f1", "recordings")}
    if metrics.get("events"):
        figures["events"] = metrics["events"]["all"]
    facts = metrics.get("facts", {})
    return figures | {name: facts.get(name) for name in ("split", "fold", "part")}


def write_metrics(metrics: Mapping[str, Any], file: Path) -> None:
    """Write metrics.json."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(metrics, indent=1, default=str) + "\n")
