"""How much do bounds give? F1@50 of a network that is trained on an instant of each action, against one of its spans.

    python -m benchmarks.study.point_labels --out runs/points           # what is not done yet, then the table
    python -m benchmarks.study.point_labels --out runs/points --keep    # also stores the rows in benchmarks/results/

The recordings that are labelled, the network and its training are the same: `finetune` for 600 steps. An instant is
drawn evenly from the middle half of each true span, or from anywhere in it; test recordings keep their spans. With
--inner the test recordings of the folds from 2 on are left out, and those that fold 1 tests are tested.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kinespan.annotations import read_annotations
from kinespan.config import FinetuneConfig
from kinespan.corpus import Corpus
from kinespan.corpus.training_set import TrainingSet, labelled_names
from kinespan.data.annotation import Annotation, Event
from kinespan.errors import InputError
from kinespan.runs.folder import GROWN_FILE
from kinespan.runs.predict import evaluate_on
from kinespan.train.finetuning import finetune

from ..results.store import append_rows, read_rows, store_rows
from .corpora import corpus_folder
from .job import INNER, parts_of
from .point_labels_tables import NAME, grown_table, points_table

SPLITS = {"precog": "cross-performer", "sfinge3d": "four-folds", "mocap6": "leave-one-recording"}
"""The corpora of the study and their splits."""
LABELLED: Mapping[str, float] = {"precog": 0.2, "sfinge3d": 8, "mocap6": 1.0}
"""The share of the training recordings that is labelled, or their number."""
KINDS: Mapping[str, tuple[float, float]] = {"spans": (0.0, 1.0), "middle": (0.25, 0.75), "anywhere": (0.0, 1.0)}
"""What is labelled: whole spans, or an instant between these shares of one."""
STEPS = 600


class Case(NamedTuple):
    """One kind of labels on one fold with one seed."""

    data: str
    split: str
    fold: int
    kind: str
    seed: int


def cases(corpora: Mapping[str, Corpus], kinds: Sequence[str], seeds: Sequence[int], inner: bool) -> Iterator[Case]:
    """All cases, a seed after the other, and in it a fold of every corpus after the other."""
    for seed in seeds:
        folds = {data: range(1 + inner, len(corpus.splits[SPLITS[data]].folds) + 1) for data, corpus in corpora.items()}
        for fold in range(1, max(map(len, folds.values()), default=0) + 1 + inner):
            for data in (data for data in corpora if fold in folds[data]):
                split = f"{SPLITS[data]}:{INNER}" if inner else SPLITS[data]
                yield from (Case(data, split, fold, kind, seed) for kind in kinds)


def with_points(annotation: Annotation, kind: str, seed: int) -> Annotation:
    """The annotation with an instant in place of each span; as it is for the kind `spans`."""
    if kind == "spans":
        return annotation
    low, high = KINDS[kind]
    shares = np.random.default_rng(seed).uniform(low, high, len(annotation.spans))
    points = (
        Event(span.start + float(share) * span.duration, span.label, person=span.person)
        for span, share in zip(annotation.spans, shares, strict=True)
    )
    return replace(annotation, spans=(), events=(*annotation.events, *points))


def run_case(case: Case, corpus: Corpus, out: Path, config: FinetuneConfig) -> None:
    """Train and test a case that is not done; its row goes to `out`."""
    if any(Case(*(row[name] for name in Case._fields)) == case for row in read_rows(out)):
        return
    sides = parts_of(corpus, case.split, case.fold)
    size = LABELLED[case.data]
    share = size if size <= 1 else min(1.0, size / len(sides.train))
    config = replace(config, label_fraction=share, seed=case.seed)
    truth = {name: corpus.annotation(name, drop=sides.drop_labels) for name in sides.train}
    labels = {
        name: with_points(annotation, case.kind, zlib.crc32(f"{case.seed} {name}".encode()))
        for name, annotation in truth.items()
        if annotation is not None
    }
    split = case.split.partition(":")[0]
    data = TrainingSet(corpus, sides.train, split, case.fold, sides.drop_labels, labels)
    run = out / "work" / "_".join(map(str, case)).replace(":", "-")
    shutil.rmtree(run, ignore_errors=True)
    begin = time.monotonic()
    model = finetune(data, run, config, quiet=True)
    seconds = time.monotonic() - begin
    _, _, metrics = evaluate_on(model, corpus, sides.test, dropped=sides.drop_labels)
    names, _ = labelled_names(corpus, sides.train, sides.drop_labels, config)
    spans = [truth[name].spans for name in names]  # type: ignore[union-attr]
    row = {**case._asdict(), "recordings": len(names), "spans": sum(map(len, spans)), "steps": config.num_steps}
    row |= {"f1_50": metrics["f1"]["50"], "frame_accuracy": metrics["frame_accuracy"], "edit": metrics["edit"]}
    row |= {"map": metrics["map"]["average"], "seconds": seconds}
    if case.kind != "spans":
        grown = read_annotations(run / GROWN_FILE)
        row |= grown_figures({name: truth[name].spans for name in names}, {name: grown[name].spans for name in names})  # type: ignore[union-attr]
    append_rows(out, [row])
    shutil.rmtree(run, ignore_errors=True)
    print(f"{time.strftime('%H:%M:%S')} {' '.join(map(str, case))}: {row['f1_50']:.3f}, {seconds:.0f} s", flush=True)


def grown_figures(true: Mapping[str, Sequence[Any]], grown: Mapping[str, Sequence[Any]]) -> dict[str, float]:
    """How well grown spans fit: of each true span the best tIoU of a grown one of its label."""
    tious = []
    for name, spans in true.items():
        for span in spans:
            pairs = [(min(span.end, g.end) - max(span.start, g.start), g) for g in grown[name] if g.label == span.label]
            tious.append(
                max((max(0.0, common) / (span.duration + g.duration - common) for common, g in pairs), default=0.0)
            )
    values = np.array(tious)
    return {
        "tiou": float(values.mean()),
        "tiou_50": float((values >= 0.5).mean()),
        "tiou_75": float((values >= 0.75).mean()),
    }


def main() -> None:
    """The command."""
    import torch

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.study.point_labels",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("runs/points"))
    parser.add_argument("--data", nargs="+", default=list(SPLITS), choices=SPLITS, help="only these")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS, help="only these")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="only these")
    parser.add_argument("--inner", action="store_true", help="inner validation: no test recording of a fold is seen")
    parser.add_argument("--keep", action="store_true", help="also store the rows in benchmarks/results/")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    out = arguments.out.absolute()
    (out / "work").mkdir(parents=True, exist_ok=True)
    corpora = {data: Corpus.open(corpus_folder(data, out)) for data in arguments.data}
    config = FinetuneConfig(protocol="scratch", steps=STEPS)
    for case in cases(corpora, arguments.kinds, arguments.seeds, arguments.inner):
        run_case(case, corpora[case.data], out, config)
    rows = read_rows(out)
    if arguments.keep:
        store_rows(NAME, rows)
    print(f"{points_table(rows)}\n\n{grown_table(rows)}")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
