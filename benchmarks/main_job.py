"""The main job measured: does pretraining help, at the linear probe and finetuned, with few labels and all?

    python -m benchmarks.main_job precog --data ../shared/data/precog/csv --out runs/main_job_precog
    python -m benchmarks.main_job synthetic --out runs/main_job_synthetic --folds 1

Every cell of the table: for each fold and seed, an encoder that is untrained, pretrained by the video term, or by the
video term and aligned snippets, on the fold's training recordings only; then a linear probe and a full finetuning with
20 % and 100 % of the training labels; tested once on the fold's held-out performers with the last step's model. Rows
go to rows.jsonl as they are done (a stopped study goes on where it was), the table to table.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

SPLITS = {"precog": "cross-performer", "synthetic": "by-performer"}
STARTS = ("untrained", "video", "snippets")
FRACTIONS = (0.2, 1.0)
COLUMNS = {"mAP .1-.5": "map", "frame acc.": "frame_accuracy", "F1@10": "f1_10", "F1@50": "f1_50", "edit": "edit"}


def cells(folds: list[int], seeds: list[int]) -> Iterator[tuple[int, int, str]]:
    """(seed, fold, start) of every job, all folds of a seed before the next."""
    yield from product(seeds, folds, STARTS)


def job(corpus: Path, data: str, out: Path, seed: int, fold: int, start: str, steps: tuple[int, int]) -> None:
    """One job in this process: pretrain if it says so, then the four trainings from that start."""
    import torch

    from kinespan.config import FinetuneConfig, PretrainConfig, SnippetConfig
    from kinespan.corpus import Corpus
    from kinespan.train.finetuning import finetune
    from kinespan.train.pretraining import pretrain
    from kinespan.train.testing import run_test

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
    minutes = (time.monotonic() - begin) / 60
    rows = []
    for protocol, fraction in product(("linear", "finetune"), FRACTIONS):
        begin = time.monotonic()
        named = "scratch" if protocol == "finetune" and pretrained is None else protocol
        count = 300 if protocol == "linear" else steps[1]
        training = FinetuneConfig(
            protocol=named, split=split, fold=fold, seed=seed, label_fraction=fraction, steps=count
        )  # type: ignore[arg-type]
        run = folder / f"{protocol}_{fraction}"
        model = finetune(opened, run, training, pretrained=pretrained, quiet=True)
        metrics = run_test(model, opened, run, split, fold, quiet=True)
        facts = {"data": data, "split": split, "fold": fold, "seed": seed, "start": start, "protocol": protocol}
        facts |= {"label_fraction": fraction, "steps": count, "labelled": metrics["facts"]["labelled_recordings"]}
        facts |= {"recordings": metrics["recordings"], "pretrain_min": minutes}
        figures = {"map": metrics["map"]["average"], "map_strict": metrics["map_average"]["0.5:0.95"]}
        figures |= {"frame_accuracy": metrics["frame_accuracy"], "edit": metrics["edit"]}
        figures |= {f"f1_{k}": metrics["f1"][k] for k in ("10", "25", "50")}
        rows.append({**facts, **figures, "train_min": (time.monotonic() - begin) / 60})
    with open(out / "rows.jsonl", "a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))
    shutil.rmtree(folder)


def read_rows(out: Path) -> list[dict[str, object]]:
    file = out / "rows.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def table(rows: list[dict[str, object]]) -> str:
    """Markdown: mean and standard deviation over seeds (each the mean of the folds), in per cent."""
    lines = ["| labels | protocol | encoder starts | " + " | ".join(COLUMNS) + " |"]
    lines.append("|---" * (3 + len(COLUMNS)) + "|")
    for fraction, protocol, start in product(FRACTIONS, ("linear", "finetune"), STARTS):
        chosen = [
            row for row in rows
            if (row["label_fraction"], row["protocol"], row["start"]) == (fraction, protocol, start)
        ]  # fmt: skip
        if not chosen:
            continue
        cells = []
        for name in COLUMNS.values():
            seeds = sorted({row["seed"] for row in chosen})  # type: ignore[type-var]
            means = [statistics.mean(row[name] for row in chosen if row["seed"] == seed) for seed in seeds]  # type: ignore[misc]
            spread = f" ± {100 * statistics.stdev(means):.1f}" if len(means) > 1 else ""
            cells.append(f"{100 * statistics.mean(means):.1f}{spread}")
        named = "scratch" if (protocol, start) == ("finetune", "untrained") else start
        lines.append(f"| {fraction:.0%} | {protocol} | {named} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=SPLITS)
    parser.add_argument("--data", dest="source", help="folder of PRECOG's csv files")
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
    if not corpus.exists():
        source = "synthetic" if arguments.data == "synthetic" else arguments.source
        subprocess.run([sys.executable, "-m", "kinespan.cli", "prepare", source, "--out", str(corpus)], check=True)
    done = {(row["seed"], row["fold"], row["start"]) for row in read_rows(out)}
    left = [cell for cell in cells(arguments.folds, arguments.seeds) if cell not in done]

    def start_job(cell: tuple[int, int, str]) -> None:
        command = [sys.executable, "-m", "benchmarks.main_job", arguments.data, "--out", str(out)]
        command += ["--steps", *map(str, arguments.steps), "--job", *map(str, cell)]
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        print(f"{time.strftime('%H:%M:%S')} done: seed {cell[0]}, fold {cell[1]}, {cell[2]}", flush=True)

    with ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(start_job, left))
    text = table(read_rows(out))
    (out / "table.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
