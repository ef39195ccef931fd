"""Learn to name and bound actions from recordings of which some are labelled: every stage in one command.

Pretrains an encoder on all recordings without their labels, trains two models of different kinds on the labelled ones,
uses them to pseudo-label the rest if there is enough of it, retrains both, and averages the two. Each stage is a run in
a folder of --out, as `pretrain` and `finetune` write it. With --split, every stage and the average, model.safetensors,
are tested on the recordings that the fold holds out. The models of the last steps are kept: nothing is selected on test
recordings. To change other settings of a stage, run it by its own command and pass its encoder with --pretrained.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ..config import LearnConfig
from ..corpus.store import Corpus
from ..corpus.training_set import labelled_names, training_set
from ..runs.folder import MODEL_FILE, check_learn_folder, pretrained_spec
from .checks import check_encoder, check_network, check_out_folder
from .common import CorpusArguments, RunArguments, facts_line, figures_table

GROUPS = {
    "data": ("split", "fold", "label_fraction"),
    "networks": ("network.encoder", "network.streams", "partner_encoder"),
    "training": ("teach", "pretrain_steps", "steps", "seed"),
}
AFTER_STOP = "the same command with --resume continues"


@dataclass(frozen=True, kw_only=True)
class LearnArguments(RunArguments, CorpusArguments):
    """The files that `learn` reads and writes."""

    pretrained: str | None = None
    """Encoder to start from in place of pretraining: folder of a pretraining run, a model file, or `default`, the
    shipped encoder."""


def run(arguments: LearnArguments, config: LearnConfig) -> int:
    """Learn, test every stage and the model, and print the figures."""
    corpus, out = Corpus.open(arguments.corpus), arguments.out
    check_network(config.network)
    check_encoder(config.partner_encoder)
    check_out_folder(out)
    check_learn_folder(out, arguments.resume)
    training = training_set(corpus, config.split, config.fold)
    pretrained_spec(arguments.pretrained)
    labelled, _ = labelled_names(corpus, training.names, training.drop_labels, config.finetuning())
    config.teaches(len(labelled), len(training.names) - len(labelled))

    from ..train.learning import learn, run_tests

    log = partial(print, flush=True)
    result = learn(corpus, out, config, pretrained=arguments.pretrained, resume=arguments.resume, log=log)
    print(f"model written to {out / MODEL_FILE}, the average of {' and '.join(run.name for run in result.runs[-2:])}")
    if config.split is None:
        print("nothing was held out, so nothing is tested; give --split NAME to train and test on a fold")
        return 0
    metrics = run_tests(result, corpus, out, config.split, config.fold)
    last = list(metrics.values())[-1]
    print(f"test recordings: {last['recordings']}; {facts_line(last['facts'])}")
    print(figures_table(metrics))
    return 0
