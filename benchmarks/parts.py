"""Every method and every encoder on real motion: what each gives, in minutes and parameters.

    python -m benchmarks.parts precog --data ../shared/data/precog/csv --out runs/parts_precog

One fold, one seed. Methods: the shipped short recipes configs/pretrain/NAME.yaml, with snippets off and aligned, then a
linear probe and a finetuning. Encoders: each from scratch, and pretrained by SkeletonCLR with aligned snippets, with
the same few steps and small batches for all, so that the largest fit a laptop: they rank what a little training gives,
not what each can reach. Rows go to rows.jsonl as they are done (a stopped study goes on), tables to tables.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from .trial import COLUMNS, keep_rows, markdown, prepared, read_rows, run_jobs, tuned

SPLITS = {"precog": "cross-performer", "synthetic": "by-performer"}
CONFIGS = Path(__file__).parents[1] / "configs" / "pretrain"
METHOD_STEPS = (100, 120)
"""Pretraining in batches of 32, finetuning in batches of 16."""
ENCODER_STEPS, ENCODER_BATCH = (40, 80), (16, 8)
VARIANTS = ("off", "aligned", "scratch", "pretrained")
SLOWEST_FIRST = ("hyperformer", "agcn", "hdgcn", "dste", "stgcn64", "ctrgcn", "agcn_4res")


def job(corpus: Path, data: str, out: Path, part: tuple[str, str, str], fold: int, seed: int) -> None:
    """One part: pretrain if it says so, then the trainings that follow."""
    import torch

    from kinespan.config import FinetuneConfig, NetworkConfig, PretrainConfig, SnippetConfig
    from kinespan.corpus import Corpus
    from kinespan.settings_parser import parse_settings
    from kinespan.train.pretraining import pretrain

    torch.set_num_threads(1)
    kind, name, variant = part
    opened, folder = Corpus.open(corpus), out / f"{kind}_{name}_{variant}"
    shutil.rmtree(folder, ignore_errors=True)
    where: dict[str, Any] = {"split": SPLITS[data], "fold": fold, "seed": seed}
    if kind == "method":
        config = parse_settings(PretrainConfig, yaml.safe_load((CONFIGS / f"{name}.yaml").read_text()), f"{name}.yaml")
        config = replace(config, **where, steps=METHOD_STEPS[0], snippet=replace(config.snippet, variant=variant))  # type: ignore[arg-type]
        tuning = FinetuneConfig(**where, steps=METHOD_STEPS[1])
    else:
        config = PretrainConfig(
            **where, network=NetworkConfig(encoder=name), snippet=SnippetConfig(variant="aligned"),
            steps=ENCODER_STEPS[0], batch_size=ENCODER_BATCH[0],
        )  # fmt: skip
        tuning = FinetuneConfig(
            **where, network=NetworkConfig(encoder=name), steps=ENCODER_STEPS[1], batch_size=ENCODER_BATCH[1]
        )
    begin, pretrained = time.monotonic(), None
    if variant != "scratch":
        pretrained = pretrain(opened, folder / "pretrain", replace(config, probe_every=0), quiet=True)
    minutes = (time.monotonic() - begin) / 60
    facts = {"data": data, **where, "kind": kind, "name": name, "variant": variant, "pretrain_min": minutes}
    rows = []
    for protocol in ("linear", "finetune"):
        steps = 300 if protocol == "linear" else tuning.steps
        training = replace(tuning, protocol=protocol, steps=steps, batch_size=16 if steps == 300 else tuning.batch_size)
        found = tuned(opened, folder / protocol, training, pretrained)
        rows.append({**facts, "protocol": protocol, "steps": steps, **found})
    keep_rows(out, rows)
    shutil.rmtree(folder)


def table(rows: list[dict[str, Any]], kind: str) -> str:
    """A table of the methods or of the encoders, figures in per cent."""
    lines = []
    mine = [row for row in rows if row["kind"] == kind]
    for row in sorted(mine, key=lambda row: (row["name"], VARIANTS.index(row["variant"]), row["protocol"] != "linear")):
        figures = [f"{100 * row[column]:.1f}" for column in COLUMNS.values()]
        minutes = [f"{row['pretrain_min']:.1f}", f"{row['train_min']:.1f}"]
        size = f"{row['encoder_parameters'] / 1e6:.2f} M"
        variant = "untrained" if (row["variant"], row["protocol"]) == ("scratch", "linear") else row["variant"]
        lines.append([row["name"], variant, row["protocol"], *figures, size, *minutes])
    first = {"method": "snippets", "encoder": "starts"}[kind]
    columns = [kind, first, "protocol", *COLUMNS, "encoder size", "pretraining, min", "training and test, min"]
    return markdown(columns, lines)


def main() -> None:
    from kinespan.encoders import ENCODERS
    from kinespan.pretrain import METHODS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=SPLITS)
    parser.add_argument("--data", dest="source", help="folder of PRECOG's csv files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fold", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--encoders", nargs="*", default=list(ENCODERS))
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes, of one thread each")
    parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    out, corpus = arguments.out, arguments.out / "corpus"
    if arguments.job:
        job(corpus, arguments.data, out, tuple(arguments.job), arguments.fold, arguments.seed)
        return
    prepared(arguments.data, arguments.source, corpus)
    encoders = sorted(arguments.encoders, key=lambda name: (name not in SLOWEST_FIRST, name))
    wanted = [("method", *pair) for pair in product(arguments.methods, ("off", "aligned"))]
    wanted += [("encoder", *pair) for pair in product(encoders, ("pretrained", "scratch"))]
    done = {(row["kind"], row["name"], row["variant"]) for row in read_rows(out)}
    words = ["-m", "benchmarks.parts", arguments.data, "--out", str(out)]
    words += ["--fold", str(arguments.fold), "--seed", str(arguments.seed)]
    run_jobs([[*words, "--job", *one] for one in wanted if one not in done], arguments.jobs)
    text = "\n\n".join(table(read_rows(out), kind) for kind in ("method", "encoder"))
    (out / "tables.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
