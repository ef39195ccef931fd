"""Run the main job on the built-in corpus: prepare, learn from a fifth of the labels, localize, evaluate, report."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..config import FinetuneConfig, LearnConfig
from ..corpus.store import Corpus
from ..errors import InputError
from ..progress import counting
from .common import METRIC_COLUMNS, metric_row, table

SPLIT = "by-performer"
RECORDINGS = 72
LABEL_FRACTION = 0.2
STEPS = {"pretrain": 120, "train": 240, "linear": 300}
OUTPUTS = {"corpus", "model", "linear", "report.html", "pretrain", "finetune"}
"""What a demo writes; the last two only in earlier versions."""
AFTER_STOP = "run the demo again to start anew"


@dataclass(frozen=True, kw_only=True)
class DemoArguments:
    """Where the demo is written, and how long it trains."""

    out: Path = Path("demo")
    """Folder to write to; an earlier demo in it is replaced."""
    seed: int = 0
    """Seed of the motion, the weights and the clips."""
    scale: float = 1.0
    """Training steps, as a multiple of the demo's own."""


def run(arguments: DemoArguments) -> int:
    """Run every stage and print the table and the path of the report."""
    if not arguments.scale > 0:
        raise InputError(f"--scale {arguments.scale:g}: expected a positive number")
    begin, seed, out = time.monotonic(), arguments.seed, _fresh(arguments.out)

    from ..prepare.prepare import prepare_synthetic
    from ..prepare.synthetic.takes import SyntheticConfig
    from ..report import write_report
    from ..report.gather import gather
    from ..train.finetuning import finetune
    from ..train.held_out import run_test
    from ..train.learning import learn, run_tests

    steps = {name: max(2, round(count * arguments.scale)) for name, count in STEPS.items()}
    with counting("making the corpus") as count:
        prepare_synthetic(out / "corpus", SyntheticConfig(recordings=RECORDINGS, seed=seed), progress=count)
    corpus = Corpus.open(out / "corpus")
    few: dict[str, Any] = {"split": SPLIT, "label_fraction": LABEL_FRACTION, "seed": seed}
    learning = LearnConfig(**few, pretrain_steps=steps["pretrain"], steps=steps["train"])
    result = learn(corpus, out / "model", learning, log=partial(print, flush=True))
    probing = FinetuneConfig(**few, protocol="linear", steps=steps["linear"])
    probe = finetune(corpus, out / "linear", probing, pretrained=out / "model" / "pretrain")
    metrics = {"linear": run_test(probe, corpus, out / "linear", SPLIT, 1)}
    metrics |= run_tests(result, corpus, out / "model", SPLIT, 1)
    write_report(gather([out / "model"], title="kinespan demo: the built-in corpus"), out / "report.html")

    fold, labelled = corpus.fold(SPLIT, 1), probe.spec.training["labelled_recordings"]
    seconds = time.monotonic() - begin
    print(f"\nbuilt-in corpus, split {SPLIT}, fold 1, seed {seed}: trained on {len(fold.train)} recordings, {labelled}")
    print(f"of them labelled; tested on {len(fold.test)} of other performers, in per cent; {seconds:.0f} s in all")
    print(table([["", *METRIC_COLUMNS], *([name, *metric_row(values)] for name, values in metrics.items())]))
    print(f"\nreport: {(out / 'report.html').resolve()}")
    return 0


def _fresh(out: Path) -> Path:
    """The demo's folder, emptied of an earlier demo. Raises InputError for a folder that holds anything else."""
    if out.exists():
        strange = [item.name for item in out.iterdir() if item.name not in OUTPUTS] if out.is_dir() else [out.name]
        if strange:
            raise InputError(f"--out {out}: holds {strange[0]!r}, which is not from a demo; name another folder")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    return out
