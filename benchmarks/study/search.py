"""Search the settings of the baselines on one inner split of each set; a stopped search is resumed.

    python -m benchmarks.study.search precog --out runs/study
    python -m benchmarks.study.search precog sfinge3d --baselines MS-TCN --out runs/study

Every baseline has eight candidates. Each is trained once, by seed 0, on recordings of the training side of fold 1, with
as many labels as the second of the study's sizes has, and validated on the others of that side: the first group of
performers (or of recordings, where nobody says who moves). So the test of fold 1 is never seen. Where a set has more
folds, their tests are among what was trained and validated on: the choice knows them, to the baselines' advantage.
The decoding costs nothing and is tried for each candidate: argmax or viterbi, or four thresholds of events.

Rows go to OUT/search/rows.jsonl as they are done; when all candidates of a baseline are done, they are stored in
benchmarks/results/search.jsonl, where rows of a study with `finetune: chosen` find them.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from kinespan.corpus import Corpus
from kinespan.corpus.splitting import default_split, recording_split
from kinespan.corpus.training_set import FoldSides, corpus_parts
from kinespan.errors import InputError

from ..results.store import append_rows, read_rows, store_rows, stored_rows
from . import plan
from .chosen import NAME, Choice, best_choice, with_choice
from .corpora import corpus_folder
from .plan import Study

FOLD, SEED = 1, 0
STEPS, RATES = (1200, 300), (0.002, 0.0005)
STREAMS = (["joint", "joint_motion"], ["position", "joint_motion"])
"""Relative to the root, and absolute."""
AUGMENTATIONS: tuple[dict[str, Any], ...] = (
    {},
    {"augment": {"rotation": 0, "tilt": 0, "shear": 0, "noise": 0, "blur": 0, "crop_min": 1}, "mirror": "off"},
)
"""As ours has by default, mirrored clips too, and none."""
STAGES: dict[str, dict[str, float]] = {
    "MS-TCN": {"refine_stages": 3, "smoothing": 0.15},
    "TCN": {"refine_stages": 0, "smoothing": 0},
}


def candidates(baseline: str) -> list[dict[str, Any]]:
    """The eight settings of a baseline that the search tries.

    Of a network half of all combinations of steps, learning rate, streams and augmentation: those in which an even
    number differs from the first, so that any two of them occur together as often. Of the forest all combinations.
    Raises InputError for an unknown baseline.
    """
    if baseline == "random forest":
        values = product((0.8, 0.4), (None, 16), (True, False))
        return [{"reach": reach, "depth": depth, "relative": relative} for reach, depth, relative in values]
    if baseline not in STAGES:
        raise InputError(f"unknown baseline {baseline!r}; available: random forest, {', '.join(STAGES)}")
    settings = []
    for places in product((0, 1), repeat=4):
        if sum(places) % 2 == 0:
            steps, rate, streams, augmentation = places
            network = {"encoder": "tcn", "streams": STREAMS[streams]}
            shared: dict[str, Any] = {
                "protocol": "scratch",
                "fusion": "last_map",
                "refine_features": False,
                **STAGES[baseline],
            }
            settings.append({**shared, "network": network, "steps": STEPS[steps], "lr": RATES[rate],
                             **AUGMENTATIONS[augmentation]})  # fmt: skip
    return settings


def inner_sides(corpus: Corpus, split: str) -> FoldSides:
    """The training side of fold 1, divided by performers (by recordings where nobody says who moves).

    Raises InputError for an unknown split, and a training side of one recording.
    """
    outer = corpus_parts(corpus, split, FOLD)
    infos = [corpus.infos[corpus.index(name)] for name in outer.train]
    inner = default_split(infos) or recording_split(infos)
    if inner is None:
        raise InputError(f"corpus {corpus.name!r}, split {split!r}: fold 1 trains on one recording, expected more")
    sides = inner.folds[1]
    return FoldSides(sides.train, sides.test, outer.drop_labels)


def decodings(figures: Mapping[str, Any], compared: str) -> list[dict[str, Any]]:
    """The ways to decode a candidate's scores, each with the compared figure."""
    if compared.startswith("event_"):
        by_threshold = figures["by_threshold"]
        return [
            {"decode": {"event_threshold": float(key)}, "figure": value or 0.0} for key, value in by_threshold.items()
        ]
    if compared not in figures["argmax"]:  # of clips, where nothing is segmented
        return [{"decode": {}, "figure": figures[compared]}]
    return [{"decode": {"segmentation": name}, "figure": figures[name][compared]} for name in ("argmax", "viterbi")]


def search_set(study: Study, corpus: Corpus, baselines: Sequence[str], out: Path) -> None:
    """Every candidate of the baselines that is not done yet; complete searches are stored."""
    from .job import Trial, tested

    labels = list(study.sizes.values())[1]
    sides = inner_sides(corpus, study.split)
    trial = Trial(corpus, sides, study.split, FOLD, labels, SEED, out / "work" / study.set)
    for row in (row for row in study.rows if row.chosen and row.name in baselines):
        for number, settings in enumerate(candidates(row.name)):
            if number in {other["number"] for other in _rows(out, study.set, row.name)}:
                continue
            begin = time.monotonic()
            candidate, forest, _ = with_choice(row, Choice(number, settings, {}))
            figures = tested(trial, candidate, forest, None)
            options = decodings(figures, study.figures[0])
            facts = {"set": study.set, "baseline": row.name, "number": number, "settings": settings}
            facts |= {"split": study.split, "fold": FOLD, "seed": SEED, "labels": labels}
            facts |= {"labelled": figures["labelled"], "validated": list(sides.test), "compared": study.figures[0]}
            facts |= {"decodings": options, "tie_break": figures[study.figures[1]] or 0.0}
            append_rows(out, [{**facts, "minutes": (time.monotonic() - begin) / 60}])
            best = max(option["figure"] for option in options)
            print(f"{time.strftime('%H:%M:%S')} {study.set}, {row.name}, {number}: {100 * best:.1f}", flush=True)
        store_search(_rows(out, study.set, row.name))
    shutil.rmtree(trial.folder, ignore_errors=True)


def _rows(out: Path, set: str, baseline: str) -> list[dict[str, Any]]:
    return [row for row in read_rows(out) if (row["set"], row["baseline"]) == (set, baseline)]


def store_search(rows: Sequence[Mapping[str, Any]]) -> None:
    """Put the complete search of a baseline on a set in the place of the one stored before."""
    key = rows[0]["set"], rows[0]["baseline"]
    others = [row for row in stored_rows(NAME) if (row["set"], row["baseline"]) != key]
    best = best_choice(rows)
    chosen = [{**row, "chosen": best.decode if row["number"] == best.number else None} for row in rows]
    store_rows(NAME, sorted([*others, *chosen], key=lambda row: (row["set"], row["baseline"], row["number"])))


def main() -> None:
    """The command."""
    import torch

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.study.search",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sets", nargs="+", metavar="SET", help="sets of the study")
    parser.add_argument("--study", default="sets", help="the study, by name or YAML file")
    parser.add_argument("--baselines", nargs="+", default=["random forest", *STAGES], help="only these")
    parser.add_argument("--out", type=Path, default=Path("runs/study"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    out = arguments.out.absolute()
    studies = {study.set: study for study in plan.read_all(arguments.study)}
    for name in arguments.sets:
        if name not in studies:
            raise InputError(f"unknown set {name!r}; {arguments.study} has {', '.join(studies)}")
    (out / "search").mkdir(parents=True, exist_ok=True)
    for name in arguments.sets:
        corpus = Corpus.open(corpus_folder(name, out))
        search_set(studies[name], corpus, arguments.baselines, out / "search")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
