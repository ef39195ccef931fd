"""Name trimmed actions with a frozen encoder: the linear and the nearest-neighbour probe of pretraining.

Every annotated span is a clip; those of the recordings that the split holds out are classified. Without --pretrained
the encoder is an untrained one, for comparison. The defaults are the published recipe for NTU RGB+D; features of
another scale may need another --lr.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..config import RecognizeConfig, single_fold
from ..corpus.store import Corpus
from ..corpus.training_set import corpus_parts
from ..errors import InputError
from ..progress import Progress
from ..runs.folder import pretrained_spec
from ..runs.folds import fold_numbers, summary_of
from ..runs.outputs import write_metrics
from ..threads import Threads, choose_threads, computing_on
from .checks import check_network, check_out_file
from .common import CorpusArguments, ThreadArguments, facts_line, percent, table
from .folds import at_fold

COLUMNS = ["", "top-1", "mean of labels"]
GROUPS = {
    "data": ("split", "fold", "label_fraction"),
    "network": ("network.encoder", "network.streams"),
    "classifier": ("protocol", "neighbours", "epochs", "lr", "seed"),
}


@dataclass(frozen=True, kw_only=True)
class RecognizeArguments(CorpusArguments, ThreadArguments):
    """The files that `recognize` reads and writes."""

    pretrained: str | None = None
    """Folder of a pretraining run (of one with --fold all each fold takes its own), a model file, or `default`, the
    shipped encoder."""
    out: Path | None = None
    """JSON file to write: the figures and the confusion matrix; with --fold all those of every fold, their mean and
    their standard deviation."""
    config: Path | None = None
    """YAML file of settings; flags override it."""


def run(arguments: RecognizeArguments, config: RecognizeConfig) -> int:
    """Recognize, and print the figures."""
    corpus = Corpus.open(arguments.corpus, arguments.set)
    if config.split is None:
        raise InputError("--split is missing: recognition is tested on the recordings that a split holds out")
    check_network(config.network)
    check_out_file(arguments.out)
    numbers = fold_numbers([corpus], config.split) if config.fold == "all" else (config.fold,)
    jobs = {}
    for number in numbers:
        settings = replace(config, fold=number)
        jobs[number] = settings, at_fold(arguments, settings).pretrained
        corpus_parts(corpus, config.split, number)
        pretrained_spec(jobs[number][1])
    if arguments.pretrained is None:
        print("no --pretrained, so the encoder is untrained: its figures are a baseline to compare others with")
    if config.fold == "all":
        written = _run_folds(corpus, arguments, config.split, jobs)
    else:
        written = _recognize(corpus, *jobs[config.fold], arguments.threads)
        print()
        print(table([["label", "recall"], *([label, percent(value)] for label, value in written["recall"].items())]))
        if arguments.out is not None:
            write_metrics(written, arguments.out)
    if arguments.out is not None:
        print(f"written to {arguments.out}")
    return 0


def _recognize(corpus: Corpus, config: RecognizeConfig, pretrained: str | None, threads: Threads) -> dict[str, Any]:
    """Recognize on one fold and print the figures; returns them."""
    from ..train.recognition import recognize

    assert config.split is not None
    parts = corpus_parts(corpus, config.split, single_fold(config.fold))
    choice = choose_threads(threads)
    print(choice, file=sys.stderr)
    with computing_on(choice.count), Progress("features", len(parts.train) + len(parts.test)) as progress:
        figures = recognize(corpus, config, pretrained, progress.update)
    facts = figures["facts"]
    print(f"{facts['test_clips']} clips by {facts['train_clips']}; {facts_line(facts)}")
    print(table([COLUMNS, ["per cent", *_means(figures)]]))
    return figures


def _run_folds(
    corpus: Corpus,
    arguments: RecognizeArguments,
    split: str,
    jobs: Mapping[int, tuple[RecognizeConfig, str | None]],
) -> dict[str, Any]:
    """Recognize on every fold and print the mean and spread; with --out, write the figures of all."""
    figures: dict[int, dict[str, Any]] = {}
    for number, job in jobs.items():
        print(f"fold {number}, {len(figures) + 1} of {len(jobs)}", flush=True)
        figures[number] = _recognize(corpus, *job, arguments.threads)
    summary = summary_of(figures, {"command": "recognize", "corpus": str(arguments.corpus), "split": split})
    rows = {f"fold {number}": values for number, values in figures.items()}
    rows |= {"mean": summary["mean"], "deviation": summary["deviation"]}
    print()
    print(table([["per cent", *COLUMNS[1:]], *([name, *_means(values)] for name, values in rows.items())]))
    print()
    recalls = zip(summary["mean"]["recall"].items(), summary["deviation"]["recall"].values(), strict=True)
    cells = [[label, percent(mean), percent(deviation)] for (label, mean), deviation in recalls]
    print(table([["label", "recall", "deviation"], *cells]))
    if arguments.out is not None:
        write_metrics(summary, arguments.out)
    return summary


def _means(figures: Mapping[str, Any]) -> tuple[str, str]:
    return percent(figures["top1"]), percent(figures["per_class_mean"])
