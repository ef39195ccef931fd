"""The main job in one command, on the built-in corpus: prepare, pretrain, finetune, localize, evaluate, report."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from ..errors import InputError
from .common import METRIC_COLUMNS, metric_row, table

SPLIT = "by-performer"


def add_arguments(parser: ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--out", type=str, default="demo", help="folder to write to; an earlier demo is replaced")
    parser.add_argument("--seed", type=int, default=0, help="seed of motion, weights and clips")
    parser.add_argument("--scale", type=float, default=1.0, help="training steps as a share of the demo's own")


def run(arguments: Namespace) -> int:
    """Run every stage and print the table and the path of the report."""
    from ..config import FinetuneConfig, PretrainConfig
    from ..corpus.prepare import prepare_synthetic
    from ..corpus.store import Corpus
    from ..corpus.synthetic import SyntheticConfig
    from ..progress import Progress
    from ..report import write_report
    from ..report.gather import gather
    from ..train.common import Interrupted
    from ..train.finetuning import finetune
    from ..train.pretraining import pretrain
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
    rows = [["protocol", *METRIC_COLUMNS]]
    try:
        pretraining = PretrainConfig(split=SPLIT, steps=steps["pretrain"], seed=seed)
        pretrain(corpus, out / "pretrain", pretraining)
        for protocol in ("linear", "finetune"):
            training = FinetuneConfig(protocol=protocol, split=SPLIT, steps=steps[protocol], seed=seed)
            model = finetune(corpus, out / protocol, training, pretrained=out / "pretrain")
            rows.append([protocol, *metric_row(run_test(model, corpus, out / protocol, SPLIT, 1))])
    except Interrupted as stopped:
        print(f"\n{stopped.args[0].split(';')[0]}; run the demo again to start anew")
        return 130
    write_report(gather([out / "finetune"], title="kinespan demo: the built-in corpus"), out / "report.html")
    fold = corpus.fold(SPLIT, 1)
    print(f"\nbuilt-in corpus, split {SPLIT}, fold 1, seed {seed}: {len(fold.train)} recordings to train on, ", end="")
    print(f"{len(fold.test)} of other performers tested, in per cent; {time.monotonic() - begin:.0f} s in all")
    print(table(rows))
    print(f"\nreport: {(out / 'report.html').resolve()}")
    return 0


RECORDINGS = 72
STEPS = {"pretrain": 120, "linear": 300, "finetune": 240}


def _fresh(out: Path) -> Path:
    """The demo's folder, without what an earlier demo left. Raises InputError for a folder that is something else."""
    if out.exists():
        ours = {"corpus", *STEPS, "report.html"}
        strange = [item.name for item in out.iterdir() if item.name not in ours] if out.is_dir() else [out.name]
        if strange:
            raise InputError(f"--out {out}: holds {strange[0]!r}, which no demo wrote; name another folder")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    return out
