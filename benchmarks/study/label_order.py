"""Does it pay to label what the page suggests? F1@50 over labelled minutes, ranked against random.

    python -m benchmarks.study.label_order --out runs/order           # what is not done yet, then the tables
    python -m benchmarks.study.label_order --out runs/order --keep    # also stores the rows in benchmarks/results/

Of the training recordings of a fold two, chosen by the seed, are labelled from the start, the same for every strategy.
Then recordings are added, whole, until the labelled time is nearest to that of 4 recordings of mean length, and then of
8. Which ones says the strategy, from two networks that were trained on what is labelled so far. Both networks are
trained anew each time, and F1@50 is that of their mean on the fold's test recordings. Seed s uses fold s mod 4 + 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kinespan.config import FinetuneConfig, NetworkConfig
from kinespan.corpus import Corpus
from kinespan.corpus.training_set import FoldSides, TrainingSet, corpus_parts
from kinespan.errors import InputError
from kinespan.models.base import Model
from kinespan.models.ensemble import ensemble
from kinespan.retrieval.index import SnippetIndex, build_index
from kinespan.retrieval.label_next import RecordingEvidence, done_time, suggest
from kinespan.retrieval.signals import SIGNALS
from kinespan.runs.folder import CHECKPOINT
from kinespan.runs.load import load_model
from kinespan.runs.predict import evaluate_on
from kinespan.train.finetuning import finetune

from ..results.store import append_rows, read_rows, store_rows
from .corpora import corpus_folder
from .label_order_tables import NAME, gains_table, order_table

SPLITS = {"precog": "cross-performer", "sfinge3d": "four-folds"}
"""The corpora of the study and their splits."""
STRATEGIES: dict[str, tuple[str, ...]] = {"random": (), "ranked": SIGNALS} | {signal: (signal,) for signal in SIGNALS}
"""What recordings are put in order by; ranked is what the page does."""
ROUNDS = (2, 4, 8)
"""Labelled recordings of mean length; the first are chosen at random."""
STEPS = 200
NETWORKS = {
    "tcn": FinetuneConfig(protocol="scratch", steps=STEPS, network=NetworkConfig(encoder="tcn")),
    "tcn, bones": FinetuneConfig(
        protocol="scratch", steps=STEPS, network=NetworkConfig(encoder="tcn", streams=("bone", "bone_motion"))
    ),
}
"""Two networks that train in seconds; they see different streams."""


class Case(NamedTuple):
    """One strategy on one corpus with one seed."""

    data: str
    strategy: str
    seed: int

    @property
    def fold(self) -> int:
        """The fold whose training recordings are labelled and whose test recordings are tested."""
        return self.seed % 4 + 1


def cases(strategies: Sequence[str], seeds: Sequence[int]) -> Iterator[Case]:
    """All cases of some strategies and seeds."""
    for seed in seeds:
        for data in SPLITS:
            yield from (Case(data, strategy, seed) for strategy in strategies)


def run_case(case: Case, corpus: Corpus, out: Path) -> None:
    """The rounds of a case that are not done; rows go to `out` as they are done."""
    sides = corpus_parts(corpus, SPLITS[case.data], case.fold)
    durations = {name: corpus.infos[corpus.index(name)].duration for name in sides.train}
    mean = float(np.mean(list(durations.values())))
    by_chance = [str(name) for name in np.random.default_rng(case.seed).permutation(sides.train)]
    chosen, models = by_chance[:2], list[Model]()
    done = {(row["round"]): row for row in read_rows(out) if Case(row["data"], row["strategy"], row["seed"]) == case}
    for number in ROUNDS:
        if number in done:
            chosen = list(done[number]["chosen"])
            models = []
            continue
        if number > ROUNDS[0]:
            models = models or trained(case, corpus, sides, chosen, out)
            order = by_chance if case.strategy == "random" else ranked(case, corpus, sides, chosen, models, out)
            chosen = filled(chosen, order, durations, number * mean)
        models = trained(case, corpus, sides, chosen, out)
        _, _, metrics = evaluate_on(ensemble(models), corpus, sides.test, dropped=sides.drop_labels)
        minutes = sum(durations[name] for name in chosen) / 60
        occurring = {span.label for name in chosen for span in labels_of(corpus, name, sides).spans}
        row = {**case._asdict(), "fold": case.fold, "round": number, "recordings": len(chosen), "minutes": minutes}
        row |= {"labels": len(occurring), "f1_50": metrics["f1"]["50"], "frame_accuracy": metrics["frame_accuracy"]}
        append_rows(out, [{**row, "steps": STEPS, "chosen": chosen}])
        print(
            f"{time.strftime('%H:%M:%S')} {' '.join(map(str, case))}: {minutes:.2f} min, {row['f1_50']:.3f}", flush=True
        )


def filled(chosen: Sequence[str], order: Sequence[str], durations: dict[str, float], seconds: float) -> list[str]:
    """The chosen recordings and the next ones of an order, as many as come nearest to so many seconds."""
    chosen = list(chosen)
    total = sum(durations[name] for name in chosen)
    for name in order:
        if name in chosen:
            continue
        if abs(total + durations[name] - seconds) >= abs(total - seconds):
            break
        chosen.append(name)
        total += durations[name]
    return chosen


def labels_of(corpus: Corpus, name: str, sides: FoldSides) -> Any:
    """The annotation of a recording, which every one has here."""
    return corpus.annotation(name, drop=sides.drop_labels)


def trained(case: Case, corpus: Corpus, sides: FoldSides, chosen: Sequence[str], out: Path) -> list[Model]:
    """Both networks, trained on the chosen recordings; strategies that chose the same share them."""
    models = []
    data = TrainingSet(corpus, tuple(sorted(chosen)), SPLITS[case.data], case.fold, sides.drop_labels)
    for config in NETWORKS.values():
        config = replace(config, seed=case.seed)
        identity = json.dumps([case.data, case.fold, data.names, asdict(config)], sort_keys=True)
        run = out / "work" / hashlib.sha256(identity.encode()).hexdigest()[:16]
        if not (run / "model.safetensors").is_file():
            shutil.rmtree(run, ignore_errors=True)
            finetune(data, run, config, quiet=True)
            (run / CHECKPOINT).unlink(missing_ok=True)
        models.append(load_model(run))
    return models


def ranked(
    case: Case, corpus: Corpus, sides: FoldSides, chosen: Sequence[str], models: Sequence[Model], out: Path
) -> list[str]:
    """The training recordings without labels in the order in which the page would suggest them."""
    evidence = [
        RecordingEvidence(
            name,
            corpus.infos[corpus.index(name)].duration,
            tuple(model.frame_scores(corpus[name]) for model in models),
            done_time(labels_of(corpus, name, sides), corpus.infos[corpus.index(name)].duration)
            if name in chosen
            else (),
        )
        for name in sides.train
    ]
    index = of_recordings(build_index(corpus, models[0], out / "work" / "index.npz"), sides.train)
    model = models[0]
    suggestions = suggest(evidence, model.spec.input.fps, model.labels, index, STRATEGIES[case.strategy])
    return [recording.name for recording in suggestions.recordings]


def of_recordings(index: SnippetIndex, names: Sequence[str]) -> SnippetIndex:
    """The index of some of its recordings alone: test recordings have no say in what is novel."""
    tracks, rows, total = [], [], 0
    for track in index.tracks:
        if track.recording in names:
            rows.append(np.arange(track.first, track.stop))
            tracks.append(track._replace(first=total, stop=total + len(rows[-1])))
            total += len(rows[-1])
    chosen = np.concatenate(rows)
    return replace(index, features=index.features[chosen], valid=index.valid[chosen], tracks=tuple(tracks))


def main() -> None:
    """The command."""
    import torch

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.study.label_order",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("runs/order"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="only these")
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES), choices=STRATEGIES, help="only these")
    parser.add_argument("--keep", action="store_true", help="also store the rows in benchmarks/results/")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    out = arguments.out.absolute()
    (out / "work").mkdir(parents=True, exist_ok=True)
    corpora = {data: Corpus.open(corpus_folder(data, out)) for data in SPLITS}
    for case in cases(arguments.strategies, arguments.seeds):
        run_case(case, corpora[case.data], out)
    rows = read_rows(out)
    if arguments.keep:
        store_rows(NAME, rows)
    for data in SPLITS:
        print(f"{data}\n{order_table(rows, data)}\n\n{gains_table(rows, data)}\n")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
