"""What a model says of motion that is not as clean as that which it was trained on.

    python -m benchmarks.study.robustness --out runs/robustness           # what is not done yet, then the table
    python -m benchmarks.study.robustness --out runs/robustness --keep    # also stores the rows in benchmarks/results/
    python -m benchmarks.study.robustness --out runs/robustness --inner   # on inner validation: to choose settings by

A model is trained on the training recordings of a fold as they are, with a fixed number of steps, by the settings of
`kinespan finetune` (`--training`: or by its earlier settings, or by those of `learn`). It is tested on the test
recordings as they are and changed in each of the ways of `CHANGES`. Changes with chance in them are drawn three times,
and figures are the mean.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kinespan.config import AugmentConfig, FinetuneConfig, LearnConfig, NetworkConfig, Normalisation
from kinespan.corpus import Corpus
from kinespan.corpus.training_set import FoldSides, TrainingSet
from kinespan.data.annotation import Annotation, Span
from kinespan.data.mirror_labels import mirrored_labels
from kinespan.data.predictions import Truth
from kinespan.data.recording import Recording
from kinespan.errors import InputError
from kinespan.metrics import evaluate
from kinespan.models.base import Model
from kinespan.runs.folder import MODEL_FILE
from kinespan.runs.load import load_model
from kinespan.runs.predict import localize
from kinespan.train.finetuning import finetune
from kinespan.train.learning import learn
from kinespan.transforms.normalise import body_sizes, median_length, resample

from ..results.store import append_rows, read_rows, store_rows
from .corpora import corpus_folder
from .job import INNER, parts_of
from .robustness_tables import CLEAN, NAME, robustness_table

SPLITS = {"precog": "cross-performer", "sfinge3d": "four-folds"}
"""The corpora and their splits."""
FOLD = 2
STEPS = 600
BODY_BONE = 0.21
"""Metres: the median bone of the bodies of PRECOG, for which centimetres of noise are meant. What is smaller, such as a
hand, of which the median bone is 3 cm, has noise that is smaller by as much: a sensor of hands is nearer, and finer."""
EARLIER: Mapping[str, Any] = {
    "augment": AugmentConfig(crop_min=0.7),
    "network": NetworkConfig(encoder="tcn", normalisation=Normalisation(heading="first")),
}
"""The settings of `finetune` before what fell was mended."""
DRAWS = 3
"""Draws of a change with chance in it."""

Take = tuple[Recording, Annotation]
Change = Callable[[Recording, Annotation, np.random.Generator], Take]


def as_it_is(recording: Recording, annotation: Annotation, rng: np.random.Generator) -> Take:
    """The recording itself."""
    return recording, annotation


def noise(metres: float) -> Change:
    """Normal noise of every coordinate of every joint in every frame; of what is not a body, scaled to its size."""

    def change(recording: Recording, annotation: Annotation, rng: np.random.Generator) -> Take:
        scale = metres
        if not recording.skeleton.has_torso:
            bone = median_length(body_sizes(recording.positions, recording.valid, recording.skeleton))
            scale = metres * bone / BODY_BONE
        positions = recording.positions + rng.normal(0, scale, recording.positions.shape).astype(np.float32)
        return recording.with_changes("noise", positions=positions), annotation

    return change


def missing_in_frames(share: float) -> Change:
    """Each joint of each frame is lost with a probability."""

    def change(recording: Recording, annotation: Annotation, rng: np.random.Generator) -> Take:
        lost = rng.random(recording.valid.shape) < share
        return recording.with_changes("joints lost", valid=recording.valid & ~lost), annotation

    return change


def missing_throughout(share: float) -> Change:
    """So many joints, the same of a whole recording, are never seen."""

    def change(recording: Recording, annotation: Annotation, rng: np.random.Generator) -> Take:
        joints = recording.skeleton.num_joints
        lost = rng.permutation(joints)[: max(1, round(share * joints))]
        valid = recording.valid.copy()
        valid[..., lost] = False
        return recording.with_changes("joints lost", valid=valid), annotation

    return change


def rate(factor: float) -> Change:
    """The same motion in a file of another rate: every second frame, or frames put between those that there are."""

    def change(recording: Recording, annotation: Annotation, rng: np.random.Generator) -> Take:
        fps = recording.fps * factor
        if factor < 1:
            step = round(1 / factor)
            positions, valid = recording.positions[::step], recording.valid[::step]
        else:
            positions, valid = resample(recording.positions, recording.valid, recording.fps, fps)
        return recording.with_changes("another rate", positions=positions, valid=valid, fps=fps), annotation

    return change


def speed(factor: float) -> Change:
    """The same motion done faster by a factor, or slower."""

    def change(recording: Recording, annotation: Annotation, rng: np.random.Generator) -> Take:
        def scaled(span: Span) -> Span:
            return replace(span, start=span.start / factor, end=span.end / factor)

        events = tuple(replace(event, time=event.time / factor) for event in annotation.events)
        covered = annotation.covered and tuple((start / factor, end / factor) for start, end in annotation.covered)
        annotation = Annotation(tuple(map(scaled, annotation.spans)), annotation.labels, covered, events)
        return recording.with_changes("another speed", fps=recording.fps * factor), annotation

    return change


def heading(degrees: float) -> Change:
    """The whole recording turned about the vertical."""
    angle = np.deg2rad(degrees)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]], dtype=np.float32
    )

    def change(recording: Recording, annotation: Annotation, rng: np.random.Generator) -> Take:
        return recording.with_changes("turned", positions=recording.positions @ turn.T), annotation

    return change


def mirrored(recording: Recording, annotation: Annotation, rng: np.random.Generator) -> Take:
    """The mirror image, and in it the labels of the other side where labels have sides."""
    swapped = recording.skeleton.mirror
    positions = recording.positions[:, :, swapped] * np.array([-1, 1, 1], dtype=np.float32)
    labels = annotation.labels
    names = {label: labels.names[side] for label, side in zip(labels.names, mirrored_labels(labels), strict=True)}
    spans = tuple(replace(span, label=names[span.label]) for span in annotation.spans)
    events = tuple(replace(event, label=names[event.label]) for event in annotation.events)
    valid = recording.valid[:, :, swapped]
    return (
        recording.with_changes("mirrored", positions=positions, valid=valid),
        Annotation(spans, labels, annotation.covered, events),
    )


def from_mid_action(recording: Recording, annotation: Annotation, rng: np.random.Generator) -> Take:
    """The recording from the middle of its first action on."""
    if not annotation.spans:
        return recording, annotation
    first = annotation.spans[0]
    frame = round((first.start + first.end) / 2 * recording.fps)
    start = frame / recording.fps
    return recording[start : recording.duration], annotation[start : recording.duration]


CHANGES: Mapping[str, tuple[Change, int]] = {
    CLEAN: (as_it_is, 1),
    "noise of 1 cm": (noise(0.01), DRAWS),
    "noise of 3 cm": (noise(0.03), DRAWS),
    "noise of 10 cm": (noise(0.10), DRAWS),
    "5 % of joints missing, by frame": (missing_in_frames(0.05), DRAWS),
    "20 % of joints missing, by frame": (missing_in_frames(0.20), DRAWS),
    "5 % of joints missing throughout": (missing_throughout(0.05), DRAWS),
    "20 % of joints missing throughout": (missing_throughout(0.20), DRAWS),
    "half the frame rate": (rate(0.5), 1),
    "double the frame rate": (rate(2), 1),
    "speed 0.7": (speed(0.7), 1),
    "speed 1.4": (speed(1.4), 1),
    "heading 90 degrees": (heading(90), 1),
    "heading 180 degrees": (heading(180), 1),
    "mirrored": (mirrored, 1),
    "starts in mid-action": (from_mid_action, 1),
}
"""Each change by its name, and how often it is drawn."""


class Case(NamedTuple):
    """A model: what it is trained on and by, and its seed."""

    data: str
    training: str
    seed: int
    split: str

    @property
    def name(self) -> str:
        """The name of its run."""
        return f"{self.data}_{self.training}_seed{self.seed}{'_inner' * self.split.endswith(INNER)}"


def trained(case: Case, corpus: Corpus, sides: FoldSides, out: Path, steps: int) -> Model:
    """The model of a case, trained where it is not yet."""
    run = out / "work" / case.name
    if not (run / MODEL_FILE).is_file():
        shutil.rmtree(run, ignore_errors=True)
        data = TrainingSet(corpus, sides.train, SPLITS[case.data], FOLD, sides.drop_labels)
        if case.training == "learn":
            learn(data, run, LearnConfig(steps=steps, seed=case.seed), quiet=True)
        else:
            settings = EARLIER if case.training == "earlier" else {}
            finetune(data, run, FinetuneConfig(protocol="scratch", steps=steps, seed=case.seed, **settings), quiet=True)
    return load_model(run)


def changed_takes(
    corpus: Corpus, sides: FoldSides, change: Change, draw: int
) -> tuple[list[Recording], dict[str, Annotation]]:
    """The test recordings of a fold after a change, and their annotations by name."""
    recordings, annotations = [], {}
    for number, name in enumerate(sides.test):
        annotation = corpus.annotation(name, drop=sides.drop_labels)
        if annotation is not None:
            rng = np.random.default_rng((draw, number))
            recording, annotations[name] = change(corpus[name], annotation, rng)
            recordings.append(recording)
    return recordings, annotations


def figures(model: Model, corpus: Corpus, sides: FoldSides, change: Change, draw: int) -> dict[str, float | None]:
    """F1@50, frame accuracy, edit and mAP on the test recordings after a change."""
    recordings, annotations = changed_takes(corpus, sides, change, draw)
    labels = next(iter(annotations.values())).labels
    rates = {recording.name: recording.fps for recording in recordings}
    durations = {recording.name: recording.duration for recording in recordings}
    metrics = evaluate(localize(model, recordings).predictions, Truth(annotations, labels, durations, rates))
    assert metrics.f1 is not None
    return {
        "f1_50": metrics.f1["50"],
        "frame_accuracy": metrics.frame_accuracy,
        "edit": metrics.edit,
        "map": metrics.map_average["0.1:0.5"],
    }


def run_case(case: Case, corpus: Corpus, out: Path, steps: int = STEPS) -> None:
    """The changes of a case that are not done; rows go to `out` as they are done."""
    sides = parts_of(corpus, case.split, FOLD)
    done = {(row["change"], row["draw"]) for row in read_rows(out) if row["run"] == case.name}
    wanted = [(change, draw) for change, (_, draws) in CHANGES.items() for draw in range(draws)]
    if done >= set(wanted):
        return
    model = trained(case, corpus, sides, out, steps)
    for change, draw in wanted:
        if (change, draw) not in done:
            row = {"run": case.name, **case._asdict(), "fold": FOLD, "steps": steps, "change": change, "draw": draw}
            row |= figures(model, corpus, sides, CHANGES[change][0], draw)
            append_rows(out, [row])
            print(f"{time.strftime('%H:%M:%S')} {case.name}, {change}: {100 * row['f1_50']:.1f}", flush=True)


def main() -> None:
    """The command."""
    import torch

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.study.robustness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("runs/robustness"))
    parser.add_argument("--data", nargs="+", default=list(SPLITS), choices=SPLITS, help="only these")
    parser.add_argument("--training", nargs="+", default=["finetune"], choices=("finetune", "earlier", "learn"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--inner", action="store_true", help="hold out training recordings in place of the test's")
    parser.add_argument("--keep", action="store_true", help="also store the rows in benchmarks/results/")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    out = arguments.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    for data in arguments.data:
        corpus = Corpus.open(corpus_folder(data, out))
        split = SPLITS[data] + (f":{INNER}" if arguments.inner else "")
        for training in arguments.training:
            for seed in arguments.seeds:
                run_case(Case(data, training, seed, split), corpus, out, arguments.steps)
    rows = read_rows(out)
    if arguments.keep:
        store_rows(NAME, [row for row in rows if not row["split"].endswith(INNER)])
    for training in arguments.training:
        print(robustness_table([row for row in rows if row["split"].endswith(INNER) == arguments.inner], training))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
