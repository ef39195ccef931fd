"""The main job measured on the built-in corpus: does pretraining help, at the linear probe and finetuned?

The study of real motion is `benchmarks.study`.

    python -m benchmarks.main_job synthetic --out runs/main_job_synthetic --folds 1

Every cell of the table: for each fold and seed, an encoder that is untrained, pretrained by the video term, or by the
video term and aligned snippets, on the fold's training recordings only; then a linear probe and a full finetuning with
20 % and 100 % of the training labels; tested once on the fold's held-out performers with the last step's model. Rows
go to rows.jsonl as they are done (a stopped study goes on where it was), the table to table.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from .trial import COLUMNS, keep_rows, markdown, prepared, read_rows, run_jobs, spread, tuned

SPLITS = {"synthetic": "by-performer"}
STARTS = ("untrained", "video", "snippets")
FRACTIONS = (0.2, 1.0)


def cells(folds: list[int], seeds: list[int]) -> Iterator[tuple[int, int, str]]:
    """(seed, fold, start) of every job, all folds of a seed before the next."""
    yield from product(seeds, folds, STARTS)


def job(corpus: Path, data: str, out: Path, seed: int, fold: int, start: str, steps: tuple[int, int]) -> None:
    """One job in this process: pretrain if it says so, then the four trainings from that start."""
    import torch

    from kinespan.config import FinetuneConfig, PretrainConfig, SnippetConfig
    from kinespan.corpus import Corpus
    from kinespan.train.pretraining import pretrain

    torch.set_num_threads(1)
    opened, split = Corpus.open(corpus), SPLITS[data]
    folder = out / f"seed{seed}_fold{fold}_{start}"
    shutil.rmtree(folder, ignore_errors=True)
    begin = time.monotonic()
    pretrained = None
    if start != "untrained":
        snippet = SnippetConfig(variant="off" if start == "video" else "aligned")
        config = PretrainConfig(split=split, fold=fold, seed=seed, steps=steps[0], snippet=snippet, probe_every=0)
        pretrained = pretrain(opened, folder / "pretrain", config, quiet=True)
    ready = time.monotonic()
    rows = []
    for protocol, fraction in product(("linear", "finetune"), FRACTIONS):
        count = 300 if protocol == "linear" else steps[1]
        training = FinetuneConfig(
            protocol=protocol,  # type: ignore[arg-type]
            split=split, fold=fold, seed=seed, label_fraction=fraction, steps=count,
        )  # fmt: skip
        pretrain_min = (ready - begin) / 60
        facts = {"data": data, "split": split, "fold": fold, "seed": seed, "start": start, "protocol": protocol}
        facts |= {"label_fraction": fraction, "steps": count, "pretrain_min": pretrain_min}
        rows.append({**facts, **tuned(opened, folder / f"{protocol}_{fraction}", training, pretrained)})
    keep_rows(out, rows)
    shutil.rmtree(folder)


def table(rows: list[dict[str, Any]]) -> str:
    """Mean and standard deviation over seeds (each the mean of the folds), in per cent."""
    lines = []
    for fraction, protocol, start in product(FRACTIONS, ("linear", "finetune"), STARTS):
        chosen = [
            row for row in rows
            if (row["label_fraction"], row["protocol"], row["start"]) == (fraction, protocol, start)
        ]  # fmt: skip
        if chosen:
            named = "scratch" if (protocol, start) == ("finetune", "untrained") else start
            figures = [spread(chosen, name) for name in COLUMNS.values()]
            lines.append([f"{100 * fraction:.0f} %", protocol, named, *figures])
    return markdown(["labels", "protocol", "encoder starts", *COLUMNS], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=SPLITS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folds", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, nargs=2, default=(200, 150), help="of pretraining, of finetuning")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes, of one thread each")
    parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    out, corpus = arguments.out, arguments.out / "corpus"
    if arguments.job:
        seed, fold, start = int(arguments.job[0]), int(arguments.job[1]), arguments.job[2]
        job(corpus, arguments.data, out, seed, fold, start, tuple(arguments.steps))
        return
    prepared(arguments.data, None, corpus)
    done = {(row["seed"], row["fold"], row["start"]) for row in read_rows(out)}
    left = [cell for cell in cells(arguments.folds, arguments.seeds) if cell not in done]
    words = ["-m", "benchmarks.main_job", arguments.data, "--out", str(out), "--steps", *map(str, arguments.steps)]
    run_jobs([[*words, "--job", *map(str, cell)] for cell in left], arguments.jobs)
    text = table(read_rows(out))
    (out / "table.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
