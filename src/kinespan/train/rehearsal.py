"""Rehearsal: a training on part of the labelled recordings, from which the rest tell how long to train.

Notable choices:
- the learning rate stays at its peak, and an average of the weights over about the last ninth of the steps is judged.
  It is about as good as a training that ends at that step with a rate of zero, so that one run judges every length
  (polynomial-decay averaging: Shamir and Zhang, Stochastic Gradient Descent for Non-smooth Optimization, ICML 2013,
  section 4)
- the loss is that of scores at their best temperature: a network grows too sure long before its answers grow worse
- the rehearsal ends where twice the steps no longer lower the loss (see length.py)
- its scores of the held-back recordings calibrate the model and weigh the members of an ensemble
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..config import FinetuneConfig
from ..corpus.splits import drop_labels
from ..corpus.splitting import label_fraction, labels_of
from ..data.annotation import Annotation, Event, LabelSet, Span
from ..data.display import counted
from ..files import write_atomically
from ..models.base import Scores
from ..models.localizer import Localizer
from ..models.model_file import ModelSpec
from ..runs.folder import CHECKPOINT, REHEARSAL_FILE, SCORES_FILE
from ..runs.load import load_encoder_weights
from ..threads import Threads
from ..transforms.normalise import Motion
from .calibration import calibrated
from .clip_pool import ClipPool
from .length import Check, is_level, steps_of
from .seeding import seeded
from .spec import resolutions

HELD_BACK = 0.25
"""Share of the labelled recordings that is held back."""
MAX_HELD_BACK = 32
"""Recordings that are held back at most; more would tell little more, and cost time and labels."""
Ended = Literal["level", "budget"]


@dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal tells."""

    steps: int
    """Of the training proper."""
    ended: Ended
    """level: twice the steps no longer lowered the loss. budget: it had not levelled off where the budget ended."""
    checks: tuple[Check, ...]
    trained: int
    """The number of labelled recordings that were trained on."""
    names: tuple[str, ...]
    """The held-back recordings, with one name for each person where people are told apart."""
    annotations: tuple[Annotation, ...]
    """Those of the held-back recordings, or people."""
    scores: tuple[Scores, ...]
    """(T, C + 1) of the same, by the averaged weights at the check with the lowest loss."""

    @property
    def held_back(self) -> int:
        """The number of held-back recordings."""
        return len(set(self.names))

    @property
    def facts(self) -> dict[str, Any]:
        """What a model keeps of it."""
        return {
            "ended": self.ended,
            "held_back": self.held_back,
            "losses": {str(check.step): round(check.loss, 4) for check in self.checks},
        }


def length_line(rehearsal: Rehearsal | None, config: FinetuneConfig) -> str:
    """How long a training is and why, for people to read; config is that of the training, with its steps."""
    if rehearsal is None:
        return f"{config.num_steps} steps: too few labelled recordings show the same labels to hold any of them back"
    loss = f"the loss on {counted(rehearsal.held_back, 'held-back recording')}"
    if rehearsal.ended == "budget":
        return (
            f"{config.num_steps} steps, all of the budget: {loss} had not levelled off; "
            f"--budget {4 * config.budget} would let it go on"
        )
    best = min(rehearsal.checks, key=lambda check: check.loss)
    return f"{config.num_steps} steps: {loss} was lowest after {best.step}"


def with_rehearsal(
    rehearsal: Rehearsal | None, spec: ModelSpec, config: FinetuneConfig
) -> tuple[ModelSpec, FinetuneConfig]:
    """The spec, calibrated, and the settings, with their steps, of the training proper.

    rehearsal: None where nothing could be held back.
    """
    if rehearsal is None:
        steps = config.least_steps(resolutions(spec, config.seed))
        return spec.with_training(steps=steps), replace(config, steps=steps)
    spec = calibrated(spec, rehearsal.scores, rehearsal.annotations).with_training(
        steps=rehearsal.steps, rehearsal=rehearsal.facts
    )
    return spec, replace(config, steps=rehearsal.steps)


def held_back(annotations: Mapping[str, Annotation | None], seed: int) -> tuple[str, ...]:
    """Names of the recordings to hold back, by seed; none where fewer than two are labelled.

    A quarter of them, at least one. Those that are left keep as many labels as they can.
    """
    names = [name for name, annotation in annotations.items() if annotation is not None]
    if len(names) < 2:
        return ()
    count = max(1, min(MAX_HELD_BACK, int(HELD_BACK * len(names))))
    trained = label_fraction(names, (len(names) - count) / len(names), seed, annotations)
    return tuple(name for name in names if name not in trained)


def rehearses(config: FinetuneConfig, starts_from_labels: bool) -> bool:
    """Whether a run with these settings has a rehearsal: where its length is left to the data.

    A network that starts from one that was trained on labels would know those that are held back.
    """
    return config.steps == "auto" and config.protocol != "linear" and not starts_from_labels


def rehearse(
    folder: Path,
    config: FinetuneConfig,
    spec: ModelSpec,
    motions: Sequence[Motion],
    annotations: Sequence[Annotation | None],
    pretrained: str | Path | None = None,
    *,
    share: float = 1.0,
    quiet: bool = False,
    threads: Threads = "auto",
) -> Rehearsal | None:
    """Rehearse the training of a localizer, or read what a finished rehearsal told.

    Parameters:
        folder: of the rehearsal, in that of the run: its checkpoints, and what it tells.
        config: the settings of the run.
        spec: that of the localizer.
        motions, annotations: what it will be trained on, in the same order.
        pretrained: the run or model file whose encoder it starts from.
        share: of the recordings that are not held back, chosen by seed, so much is trained on.
        threads: to compute on, as in `finetune`.

    None where there is nothing to hold back: one labelled recording, or labels that hardly occur twice. Raises
    Interrupted after Ctrl-C; the run is resumed as any other.
    """
    assert spec.labels is not None
    told = read_rehearsal(folder, spec.labels)
    if told is not None:
        return told
    labelled = [
        (motion, annotation) for motion, annotation in zip(motions, annotations, strict=True) if annotation is not None
    ]
    by_name: dict[str, Annotation] = {}
    for motion, annotation in labelled:  # people of a recording share its name
        known = by_name.get(motion.name)
        by_name[motion.name] = annotation if known is None else replace(known, spans=(*known.spans, *annotation.spans))
    names = set(held_back(by_name, config.seed))
    if not names:
        return None
    rest = [name for name in by_name if name not in names]
    used = set(label_fraction(rest, share, config.seed, by_name))
    trained = [pair for pair in labelled if pair[0].name in used]
    judged = [(motion, annotation) for motion, annotation in labelled if motion.name in names]
    truth = _of_trained_labels([annotation for _, annotation in judged], [annotation for _, annotation in trained])
    if truth is None:
        return None
    pool = ClipPool([motion for motion, _ in trained], [annotation for _, annotation in trained], spec.labels)
    # Lightning takes seconds to import, and nobody should wait for it to be told of a mistake
    from .engine import fit
    from .rehearsal_module import Judge, RehearsalModule

    checkpoint = folder / CHECKPOINT
    with seeded(config.seed):
        localizer = Localizer(spec, dropout=config.dropout)
        if pretrained is not None:
            load_encoder_weights(localizer.encoder, pretrained)
        least = config.least_steps(len(localizer.encoder.strides))
        judge = Judge([motion for motion, _ in judged], truth, least, config.budget)
        module = RehearsalModule(config, localizer, pool, judge)
        folder.mkdir(parents=True, exist_ok=True)
        resumed = checkpoint if checkpoint.is_file() else None
        fit(module, folder, stage="rehearsal", checkpoint=resumed, quiet=quiet, threads=threads)
    steps = steps_of(judge.checks, least, config.budget)
    assert steps is not None
    ended: Ended = "level" if is_level(judge.checks) else "budget"
    judged_names = tuple(motion.name for motion, _ in judged)
    rehearsal = Rehearsal(steps, ended, tuple(judge.checks), len(used), judged_names, tuple(truth), tuple(judge.scores))
    _save(rehearsal, folder)
    checkpoint.unlink(missing_ok=True)
    return rehearsal


def _of_trained_labels(judged: Sequence[Annotation], trained: Sequence[Annotation]) -> list[Annotation] | None:
    """Annotations to judge by: of labels that are not trained on, which no network can know, the time is unlabelled.

    None where less than half of what happens in them is left.
    """
    known = {label for annotation in trained for label in labels_of(annotation)}
    kept = []
    for annotation in judged:
        unknown = labels_of(annotation) - known
        kept.append(replace(drop_labels(annotation, unknown), labels=annotation.labels) if unknown else annotation)
    before, after = (sum(len(a.spans) + len(a.instants) for a in annotations) for annotations in (judged, kept))
    return kept if 2 * after >= before else None


def _save(rehearsal: Rehearsal, folder: Path) -> None:
    """Write a rehearsal into its folder: the scores first, so that the JSON says that it is whole."""
    arrays = {str(index): scores for index, scores in enumerate(rehearsal.scores)}
    np.savez_compressed(folder / SCORES_FILE, **arrays)  # type: ignore[arg-type]
    recordings = [
        {"name": name, "spans": annotation.rows(), "covered": annotation.covered}
        for name, annotation in zip(rehearsal.names, rehearsal.annotations, strict=True)
    ]
    facts: dict[str, Any] = {"steps": rehearsal.steps, "ended": rehearsal.ended, "checks": rehearsal.checks}
    facts["trained"] = rehearsal.trained
    write_atomically(folder / REHEARSAL_FILE, json.dumps({**facts, "recordings": recordings}, indent=1) + "\n")


def read_rehearsal(folder: Path, labels: LabelSet) -> Rehearsal | None:
    """What the rehearsal in a folder told, of a run with these labels; None where there is none that is finished."""
    if not (folder / REHEARSAL_FILE).is_file():
        return None
    data = json.loads((folder / REHEARSAL_FILE).read_text(encoding="utf-8"))
    recordings = data["recordings"]
    with np.load(folder / SCORES_FILE, allow_pickle=False) as arrays:
        scores = tuple(arrays[str(index)] for index in range(len(recordings)))
    return Rehearsal(
        data["steps"],
        data["ended"],
        tuple(Check(*check) for check in data["checks"]),
        data["trained"],
        tuple(recording["name"] for recording in recordings),
        tuple(_annotation(recording, labels) for recording in recordings),
        scores,
    )


def _annotation(recording: Mapping[str, Any], labels: LabelSet) -> Annotation:
    """The annotation of a held-back recording, from its rows of `Annotation.rows`."""
    rows = recording["spans"]
    spans = tuple(
        Span(start, end, label, score, person) for label, start, end, score, person in rows if end is not None
    )
    events = tuple(Event(time, label, score, person) for label, time, end, score, person in rows if end is None)
    covered = recording["covered"]
    return Annotation(spans, labels, covered and tuple((start, end) for start, end in covered), events)
