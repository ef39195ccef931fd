"""Learn to name and bound actions from labelled recordings, and test on the recordings that the fold holds out.

Writes model.safetensors and, with --split, metrics.json and the answers on the test recordings: the files of `kinespan
localize`, spans.csv first. The model of the last step is kept: nothing is selected on test recordings.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..config import FinetuneConfig
from ..corpus.store import Corpus
from ..corpus.training_set import labelled_names, training_set
from ..runs.folder import MODEL_FILE, check_run_folder, pretrained_spec
from .checks import check_network, check_out_folder, localizer_spec
from .common import CorpusArguments, RunArguments, facts_line, figures_table

GROUPS = {
    "data": ("split", "fold", "label_fraction"),
    "network": ("network.encoder", "network.streams"),
    "training": ("protocol", "steps", "batch_size", "lr", "seed"),
}
AFTER_STOP = "the same command with --resume continues"


@dataclass(frozen=True, kw_only=True)
class FinetuneArguments(RunArguments, CorpusArguments):
    """The files that `finetune` reads and writes."""

    pretrained: str | None = None
    """Encoder to start from: folder of a pretraining run, or of a finetuning run whose encoder is trained further, a
    model file, or `default`, the shipped encoder."""
    teachers: tuple[Path, ...] = ()
    """Folders of finished runs, or model files, whose scores of the unlabelled training recordings serve as
    pseudo-labels."""


def run(arguments: FinetuneArguments, config: FinetuneConfig) -> int:
    """Finetune, test, and print the figures."""
    corpus, out = Corpus.open(arguments.corpus), arguments.out
    check_network(config.network)
    check_out_folder(out)
    pretrained_spec(arguments.pretrained, config)
    check_run_folder(out, arguments.resume, MODEL_FILE)
    training = training_set(corpus, config.split, config.fold)
    labelled, _ = labelled_names(corpus, training.names, training.drop_labels, config)
    for teacher in arguments.teachers:
        localizer_spec(teacher)

    from ..train.finetuning import finetune
    from ..train.held_out import run_test

    model = finetune(
        corpus, out, config, pretrained=arguments.pretrained, teachers=arguments.teachers, resume=arguments.resume
    )
    print(f"model written to {out / MODEL_FILE}")
    unused = len(training.names) - len(labelled)
    if unused and not arguments.teachers and config.protocol != "linear":
        print(f"{unused} training recordings have no label in this run; --teachers {out} RUN lets another run learn")
        print("from their pseudo-labels, and kinespan learn does all of this in one command")
    if config.split is None:
        print("nothing was held out, so nothing is tested; give --split NAME to train and test on a fold")
        return 0
    metrics = run_test(model, corpus, out, config.split, config.fold)
    print(f"test recordings: {metrics['recordings']}; {facts_line(metrics['facts'])}")
    print(figures_table({"": metrics}))
    return 0
