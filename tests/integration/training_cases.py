"""What the tests of training share: settings of short runs and a corpus of made motion."""

from __future__ import annotations

import os
import signal

import torch

from kinespan.config import FinetuneConfig, MethodConfig, PretrainConfig, SnippetConfig
from kinespan.corpus import Corpus, CorpusWriter, group_split
from kinespan.prepare.synthetic.takes import ACTIONS, SyntheticConfig, synthetic_takes
from kinespan.train.engine import ShowProgress

STEPS = 4
MOTION = SyntheticConfig(recordings=6, seconds=(6.0, 8.0), fps=15.0)
SMALL = PretrainConfig(
    contrast=MethodConfig(queue=24, dim=16),
    snippet=SnippetConfig(queue=40),
    clip_frames=32,
    batch_size=4,
    steps=STEPS,
    probe_every=0,
    save_every=100,
    precision="32",
)
TUNE = FinetuneConfig(network=SMALL.network, clip_frames=32, batch_size=4, steps=STEPS, save_every=100, precision="32")


def write(path, *, labelled=True):
    with CorpusWriter(path, "made", ACTIONS if labelled else None) as writer:
        for recording, annotation in synthetic_takes(MOTION):
            writer.add(recording, annotation if labelled else None)
        writer.add_split(group_split(writer.infos, "performer", 3, seed=0))
    return Corpus.open(path)


def same(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


def stop_after(monkeypatch, step, when=lambda: True):
    """Press Ctrl-C after a step of training, of the first training in which `when` holds."""
    after = ShowProgress.on_train_batch_end

    def pressed(self, trainer, module, *rest):
        after(self, trainer, module, *rest)
        if trainer.global_step == step and when():
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(ShowProgress, "on_train_batch_end", pressed)
