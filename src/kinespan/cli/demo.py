"""The main job in one command, on the built-in corpus: prepare, learn from a fifth of the labels, localize, evaluate,
report."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from ..errors import InputError
from .common import METRIC_COLUMNS, metric_row, table
from .learn import say

SPLIT = "by-performer"


def add_arguments(parser: ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--out", type=str, default="demo", help="folder to write to; an earlier demo is replaced")
    parser.add_argument("--seed", type=int, default=0, help="seed of motion, weights and clips")
    parser.add_argument("--scale", type=float, default=1.0, help="training steps as a share of the demo's own")


def run(arguments: Namespace) -> int:
    """Run every stage and print the table and the path of the report."""
    from ..config import FinetuneConfig, LearnConfig
    from ..corpus.prepare import prepare_synthetic
    from ..corpus.store import Corpus
    from ..corpus.synthetic import SyntheticConfig
    from ..progress import Progress
    from ..report import write_report
    from ..report.gather import gather
    from ..train.common import Interrupted
    from ..train.finetuning import finetune
    from ..train.learning import learn, run_tests
    from ..train.testing import run_test

    if not arguments.scale > 0:
        raise InputError(f"--scale {arguments.scale}: expected above 0")
    begin, seed = time.monotonic(), arguments.seed
    out = _fresh(Path(arguments.out))
    steps = {name: max(2, round(count * arguments.scale)) for name, count in STEPS.items()}
    with Progress("making the corpus", RECORDINGS) as bar:
        config = SyntheticConfig(recordings=RECORDINGS, seed=seed)
        prepare_synthetic(out / "corpus", config, progress=lambda done, total: bar.update(done))
    corpus = Corpus.open(out / "corpus")
    few: dict[str, Any] = {"split": SPLIT, "label_fraction": LABELS, "seed": seed}
    learning = LearnConfig(**few, pretrain_steps=steps["pretrain"], steps=steps["train"])
    probing = FinetuneConfig(**few, protocol="linear", steps=steps["linear"])
    try:
        learnt = learn(corpus, out / "model", learning, log=say)
        probe = finetune(corpus, out / "linear", probing, pretrained=out / "model" / "pretrain")
    except Interrupted as stopped:
        print(f"\n{stopped.args[0].split(';')[0]}; run the demo again to start anew")
        return 130
    found = {"linear": run_test(probe, corpus, out / "linear", SPLIT, 1)}
    found |= run_tests(learnt, corpus, out / "model", SPLIT, 1)
    write_report(gather([out / "model"], title="kinespan demo: the built-in corpus"), out / "report.html")
    fold = corpus.fold(SPLIT, 1)
    labelled = probe.spec.training["labelled_recordings"]
    print(
        f"\nbuilt-in corpus, split {SPLIT}, fold 1, seed {seed}: {len(fold.train)} recordings to learn from, the ",
        end="",
    )
    print(f"labels of {labelled}; {len(fold.test)} of other performers tested, in per cent; ", end="")
    print(f"{time.monotonic() - begin:.0f} s in all")
    print(table([["", *METRIC_COLUMNS], *([name, *metric_row(one)] for name, one in found.items())]))
    print(f"\nreport: {(out / 'report.html').resolve()}")
    return 0


RECORDINGS = 72
LABELS = 0.2
STEPS = {"pretrain": 120, "train": 240, "linear": 300}


EARLIER = ("pretrain", "finetune")
"""What demos of earlier versions wrote too."""


def _fresh(out: Path) -> Path:
    """The demo's folder, without what an earlier demo left. Raises InputError for a folder that is something else."""
    if out.exists():
        ours = {"corpus", "model", "linear", "report.html", *EARLIER}
        strange = [item.name for item in out.iterdir() if item.name not in ours] if out.is_dir() else [out.name]
        if strange:
            raise InputError(f"--out {out}: holds {strange[0]!r}, which no demo wrote; name another folder")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    return out
