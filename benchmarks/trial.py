"""What the studies share: a training on a fold tested once, its figures, rows that are kept as they are done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kinespan.config import FinetuneConfig
    from kinespan.corpus import Corpus

COLUMNS = {"mAP .1-.5": "map", "frame acc.": "frame_accuracy", "F1@10": "f1_10", "F1@50": "f1_50", "edit": "edit"}
"""Columns of a table and the figures in a row that they show."""


def tuned(corpus: Corpus, out: Path, config: FinetuneConfig, pretrained: Path | None) -> dict[str, Any]:
    """Train a localizer and test it once on the fold's held-out recordings, with the last step's model."""
    from kinespan.train.finetuning import finetune
    from kinespan.train.testing import run_test

    split = config.split
    assert split is not None
    if config.protocol == "finetune" and pretrained is None:
        config = replace(config, protocol="scratch")
    begin = time.monotonic()
    model = finetune(corpus, out, config, pretrained=pretrained, quiet=True)
    metrics = run_test(model, corpus, out, split, config.fold, quiet=True)
    minutes = (time.monotonic() - begin) / 60
    figures = {"map": metrics["map"]["average"], "map_strict": metrics["map_average"]["0.5:0.95"]}
    figures |= {"frame_accuracy": metrics["frame_accuracy"], "edit": metrics["edit"]}
    figures |= {f"f1_{k}": metrics["f1"][k] for k in ("10", "25", "50")}
    facts = {"labelled": metrics["facts"]["labelled_recordings"], "recordings": metrics["recordings"]}
    encoder = sum(part.numel() for part in model.encoder.parameters())
    every = sum(part.numel() for part in model.parameters())
    return {**facts, **figures, "train_min": minutes, "encoder_parameters": encoder, "parameters": every}


def prepared(data: str, source: str | None, corpus: Path) -> None:
    """Prepare the corpus of a study where it is not there yet."""
    if not corpus.exists():
        words = ["synthetic" if data == "synthetic" else str(source), "--out", str(corpus)]
        subprocess.run([sys.executable, "-m", "kinespan.cli", "prepare", *words], check=True)


def read_rows(out: Path) -> list[dict[str, Any]]:
    """The rows that are done."""
    file = out / "rows.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def keep_rows(out: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows to those that are done, all of a job's at once."""
    with open(out / "rows.jsonl", "a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))


def run_jobs(commands: Sequence[Sequence[str]], at_once: int) -> None:
    """Run commands of this interpreter, a thread each, some at once."""

    def one(words: Sequence[str]) -> None:
        subprocess.run([sys.executable, *words], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        print(f"{time.strftime('%H:%M:%S')} done: {' '.join(words[words.index('--job') + 1 :])}", flush=True)

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, commands))


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
