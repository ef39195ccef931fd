"""Name trimmed actions with a frozen encoder: the linear and the nearest-neighbour probe of pretraining.

Every annotated span is a clip; those of the recordings that the split holds out are classified. Without --pretrained
the encoder is an untrained one, for comparison. The defaults are the published recipe for NTU RGB+D; features of
another scale may need another --lr.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..config import RecognizeConfig
from ..corpus.store import Corpus
from ..corpus.training_set import corpus_parts
from ..errors import InputError
from ..progress import Progress
from ..runs.folder import pretrained_spec
from ..runs.outputs import write_metrics
from .checks import check_network, check_out_file
from .common import CorpusArguments, facts_line, percent, table

GROUPS = {
    "data": ("split", "fold", "label_fraction"),
    "network": ("network.encoder", "network.streams"),
    "classifier": ("protocol", "neighbours", "epochs", "lr", "seed"),
}


@dataclass(frozen=True, kw_only=True)
class RecognizeArguments(CorpusArguments):
    """The files that `recognize` reads and writes."""

    pretrained: str | None = None
    """Folder of a pretraining run, a model file, or `default`, the shipped encoder."""
    out: Path | None = None
    """JSON file to write: the figures and the confusion matrix."""
    config: Path | None = None
    """YAML file of settings; flags override it."""


def run(arguments: RecognizeArguments, config: RecognizeConfig) -> int:
    """Recognize, and print the figures."""
    corpus = Corpus.open(arguments.corpus)
    if config.split is None:
        raise InputError("--split is missing: recognition is tested on the recordings that a split holds out")
    parts = corpus_parts(corpus, config.split, config.fold)
    check_network(config.network)
    check_out_file(arguments.out)
    pretrained_spec(arguments.pretrained)

    if arguments.pretrained is None:
        print("no --pretrained, so the encoder is untrained: its figures are a baseline to compare others with")

    from ..train.recognition import recognize

    with Progress("features", len(parts.train) + len(parts.test)) as progress:
        figures = recognize(corpus, config, arguments.pretrained, progress.update)
    facts = figures["facts"]
    print(f"{facts['test_clips']} clips by {facts['train_clips']}; {facts_line(facts)}")
    means = percent(figures["top1"]), percent(figures["per_class_mean"])
    print(table([["", "top-1", "mean of labels"], ["per cent", *means]]))
    print()
    print(table([["label", "recall"], *([label, percent(value)] for label, value in figures["recall"].items())]))
    if arguments.out is not None:
        write_metrics(figures, arguments.out)
        print(f"written to {arguments.out}")
    return 0
