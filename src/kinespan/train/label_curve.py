"""Would more labels help, or longer training? A rehearsal on all, a half and a quarter of the labels tells.

Notable choices:
- all are judged by the same held-back recordings of the training side; test recordings are never looked at
- it is the rehearsal of the partner network, which needs no pretraining, so that the curve costs little
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..config import LearnConfig, single_fold
from ..corpus.training_set import Source, labelled_names, training_set
from ..data.display import counted
from ..data.predictions import Predictions, Truth
from ..decode import decode_events, segment
from ..decode.calibration import at_temperature
from ..decode.events import MIN_EVENT_SCORE
from ..files import write_atomically
from ..metrics import evaluate
from ..models.model_file import ModelSpec
from .calibration import calibrated
from .length import GAIN
from .rehearsal import Rehearsal, rehearse
from .spec import decoding_of, labelled_motions, localizer_spec

CURVE_FOLDER, CURVE_FILE = "curve", "curve.json"
SHARES = (0.25, 0.5, 1.0)
POINTS = 1.0
"""Points of F1 by which the last doubling of the labels has to help, for more labels to be said to help."""


@dataclass(frozen=True)
class CurvePoint:
    """What so many labelled recordings give on the held-back ones."""

    labelled: int
    f1: float
    """Per cent: F1@50 of the segments or, where all labels name events, F1 of the events."""
    loss: float
    """The lowest loss, in nats a frame, at its best temperature."""
    best_step: int
    """The step with that loss."""
    last_step: int
    """The step at which the rehearsal ended."""


def label_curve(
    source: Source, out: str | Path, config: LearnConfig, *, set: str | None = None, quiet: bool = False
) -> list[CurvePoint]:
    """The curve over a quarter, a half and all of the labels that `learn` with these settings is trained on.

    out: folder of the run of `learn`; curve.json and the rehearsals are written into its folder `curve`.
    Raises InputError as `LearnConfig.check_curve` does.
    """
    tuning = config.partner_training()
    data = training_set(source, config.split, single_fold(config.fold), set)
    names, labels = labelled_names(data.corpus, data.names, data.drop_labels, tuning)
    config.check_curve(len(names))
    spec = localizer_spec(data, tuning, labels, None, names)
    motions, annotations = labelled_motions(data, names, spec)
    spec = replace(spec, decode=decoding_of(spec, tuning, motions, annotations))
    folder = Path(out) / CURVE_FOLDER
    points = []
    for share in SHARES:
        rehearsal = rehearse(folder / f"{share:g}", tuning, spec, motions, annotations, share=share, quiet=quiet)
        assert rehearsal is not None
        points.append(_point(rehearsal, spec))
    write_atomically(folder / CURVE_FILE, json.dumps([asdict(point) for point in points], indent=1) + "\n")
    return points


def _point(rehearsal: Rehearsal, spec: ModelSpec) -> CurvePoint:
    best = min(rehearsal.checks, key=lambda check: check.loss)
    f1 = _f1(rehearsal, calibrated(spec, rehearsal.scores, rehearsal.annotations))
    return CurvePoint(rehearsal.trained, f1, best.loss, best.step, rehearsal.checks[-1].step)


def _f1(rehearsal: Rehearsal, spec: ModelSpec) -> float:
    """Per cent; see `CurvePoint`."""
    assert spec.labels is not None
    labels, fps = spec.labels, spec.input.fps
    names = [str(index) for index in range(len(rehearsal.scores))]
    scores = {
        name: at_temperature(frames, labels, spec.temperature)
        for name, frames in zip(names, rehearsal.scores, strict=True)
    }
    segments = {name: tuple(segment(frames, fps, labels, spec.decode)) for name, frames in scores.items()}
    events = {name: tuple(decode_events(frames, fps, labels, MIN_EVENT_SCORE)) for name, frames in scores.items()}
    truth = Truth(dict(zip(names, rehearsal.annotations, strict=True)), labels, fps=dict.fromkeys(names, fps))
    predictions = Predictions(segments, segments, events=events, event_threshold=spec.decode.event_threshold)
    metrics = evaluate(predictions, truth)
    if metrics.f1 is not None and labels.spans:
        return 100 * metrics.f1["50"]
    return 100 * metrics.events.figures()["f1"] if metrics.events is not None else math.nan


def curve_lines(points: Sequence[CurvePoint], config: LearnConfig) -> list[str]:
    """What the curve says, for people to read."""
    first, *others = points
    lines = [f"on held-back recordings: F1 {first.f1:.1f} with {counted(first.labelled, 'labelled recording')}"]
    lines[0] += "".join(f", {point.f1:.1f} with {point.labelled}" for point in others)
    half, all_labels = points[-2], points[-1]
    gain, falls = all_labels.f1 - half.f1, all_labels.loss < (1 - GAIN) * half.loss
    if gain > POINTS and falls:
        lines.append(f"more labels would help: the last doubling of them gave {gain:+.1f} points and a lower loss")
    elif gain > POINTS or falls:
        lines.append(f"more labels might help: the last doubling of them gave {gain:+.1f} points of F1, loss "
                     f"{half.loss:.2f} -> {all_labels.loss:.2f}")  # fmt: skip
    else:
        lines.append(f"more labels of this kind would help little: the last doubling of them gave {gain:+.1f} points")
    if all_labels.best_step == all_labels.last_step:
        lines.append(f"longer training might help: the loss had not levelled off; --budget {4 * config.budget}")
    else:
        lines.append(
            f"longer training would not help: the loss was lowest after {all_labels.best_step} of "
            f"{all_labels.last_step} steps"
        )
    return lines
