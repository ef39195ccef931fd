"""Finetuning with refinement, smoothing and learnt durations on a few seconds of made motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from kinespan.config import AugmentConfig, FinetuneConfig, NetworkConfig
from kinespan.corpus import Corpus, CorpusWriter, group_split
from kinespan.data.annotation import BACKGROUND, LabelSet
from kinespan.decode import segment
from kinespan.errors import InputError
from kinespan.prepare.synthetic.takes import ACTIONS, SyntheticConfig, synthetic_takes
from kinespan.runs.load import load_model
from kinespan.train.engine import Interrupted, ShowProgress
from kinespan.train.finetune_module import FinetuneModule
from kinespan.train.finetuning import MODEL_FILE, finetune
from kinespan.train.held_out import run_test

MOTION = SyntheticConfig(recordings=6, seconds=(6.0, 8.0), fps=15.0)
CONFIG = FinetuneConfig(
    protocol="scratch", network=NetworkConfig(encoder="tcn"), refine_stages=2, smoothing=0.15, segmentation="viterbi",
    clip_frames=32, batch_size=4, steps=5, save_every=2, precision="32",
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def write(path, labels=ACTIONS):
    with CorpusWriter(path, "made", labels) as writer:
        for recording, annotation in synthetic_takes(MOTION):
            writer.add(recording, replace(annotation, labels=labels))
        writer.add_split(group_split(writer.infos, "performer", 3, seed=0))
    return Corpus.open(path)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write(tmp_path_factory.mktemp("corpora") / "made")


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(part, other[name]) for name, part in one.items())


def test_a_refined_model_is_trained_tested_and_read_again(corpus, tmp_path):
    split = "by-performer"
    model = finetune(corpus, tmp_path / "run", replace(CONFIG, split=split), quiet=True)
    assert (model.spec.refine_stages, model.spec.decode.segmentation) == (2, "viterbi")
    written = (tmp_path / "run" / MODEL_FILE).read_bytes()
    metrics = run_test(model, corpus, tmp_path / "run", split, 1, quiet=True)
    assert 0 <= metrics["frame_accuracy"] <= 1
    assert (tmp_path / "run" / MODEL_FILE).read_bytes() == written  # evaluating only reads a model
    again = load_model(tmp_path / "run")
    assert again.spec.decode == model.spec.decode
    assert same(again.state_dict(), model.state_dict())
    scores = again.frame_scores(corpus[corpus.names[0]])
    assert again.segment(scores) == segment(scores, again.spec.input.fps, again.labels, model.spec.decode)


@pytest.mark.parametrize(("network", "stages"), [({}, 2), ({"encoder": "stgcn16_light"}, 0)])
def test_default_refinement_follows_the_resolutions_of_the_encoder(corpus, tmp_path, network, stages):
    settings = FinetuneConfig(protocol="scratch", steps=1, batch_size=2)
    model = finetune(
        corpus, tmp_path / "run", replace(settings, network=replace(settings.network, **network)), quiet=True
    )
    assert model.spec.encoder == network.get("encoder", "tcn")
    assert (model.spec.refine_stages, model.spec.fusion) == (stages, "nested_u")


def test_durations_are_those_of_the_labels_that_were_trained_on(corpus, tmp_path):
    model = finetune(corpus, tmp_path / "run", replace(CONFIG, steps=1), quiet=True)
    durations = model.spec.decode.durations
    assert len(durations) == len(ACTIONS) + 1
    spans = [span for name in corpus.names for span in corpus.annotation(name).spans]
    longest = {label: max((s.duration for s in spans if s.label == label), default=None) for label in ACTIONS.names}
    for label, (mean, _) in zip(ACTIONS.names, durations[BACKGROUND + 1 :], strict=True):
        assert longest[label] is None or np.exp(mean) <= longest[label] + 1 / model.spec.input.fps
    assert finetune(
        corpus, tmp_path / "plain", replace(CONFIG, steps=1, segmentation="argmax", refine_stages=0), quiet=True
    ).spec.decode == replace(model.spec.decode, segmentation="argmax")


def test_every_stage_is_supervised(corpus, tmp_path, monkeypatch):
    """The loss is the sum over stages of frame loss and weighted smoothing, and it falls."""
    seen, losses = [], []
    stages_of, step = FinetuneModule._stage_loss, FinetuneModule.training_step

    def watched(self, logits, targets, present):
        loss = stages_of(self, logits, targets, present)
        expected = self.loss(logits, targets.values, targets.mask) + 0.15 * self.smoothing(logits, present)
        assert torch.allclose(loss, expected)
        seen.append(loss.item())
        return loss

    def stepped(self, batch, batch_idx):
        loss = step(self, batch, batch_idx)
        assert len(seen) == 3
        assert loss.item() == pytest.approx(sum(seen), rel=1e-5)
        seen.clear()
        losses.append(loss.item())
        return loss

    monkeypatch.setattr(FinetuneModule, "_stage_loss", watched)
    monkeypatch.setattr(FinetuneModule, "training_step", stepped)
    still = AugmentConfig(crop_min=1, shear=0, rotation=0, tilt=0)
    finetune(corpus, tmp_path / "run", replace(CONFIG, steps=30, augment=still), quiet=True)
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_a_resumed_refined_run_gives_identical_weights(corpus, tmp_path, monkeypatch):
    whole = finetune(corpus, tmp_path / "whole", CONFIG, quiet=True)
    show = ShowProgress.on_train_batch_end

    def stopped(self, trainer, module, *rest):
        show(self, trainer, module, *rest)
        if trainer.global_step == 3:
            self.interrupted = trainer.should_stop = True

    with monkeypatch.context() as patch:
        patch.setattr(ShowProgress, "on_train_batch_end", stopped)
        with pytest.raises(Interrupted):
            finetune(corpus, tmp_path / "run", CONFIG, quiet=True)
    resumed = finetune(corpus, tmp_path / "run", CONFIG, resume=True, quiet=True)
    assert same(resumed.state_dict(), whole.state_dict())


def test_finetuning_from_a_refined_model_takes_its_encoder_alone(corpus, tmp_path):
    finetune(corpus, tmp_path / "first", CONFIG, quiet=True)
    plain = replace(CONFIG, protocol="finetune", refine_stages=0, segmentation="argmax", steps=1)
    model = finetune(corpus, tmp_path / "second", plain, pretrained=tmp_path / "first", quiet=True)
    assert (model.refine, model.spec.refine_stages, model.spec.decode.segmentation) == (None, 0, "argmax")
    linear = replace(plain, protocol="linear", smoothing=0.15)
    assert finetune(corpus, tmp_path / "third", linear, pretrained=tmp_path / "first", quiet=True).refine is None


def test_overlapping_labels_are_refined_but_not_given_durations(tmp_path):
    overlapping = write(tmp_path / "overlapping", LabelSet(ACTIONS.names, exclusive=False))
    with pytest.raises(InputError, match="exclude each other"):
        finetune(overlapping, tmp_path / "run", CONFIG, quiet=True)
    model = finetune(overlapping, tmp_path / "plain", replace(CONFIG, segmentation="argmax"), quiet=True)
    assert model.spec.decode.durations == ()
    assert not model.localize(overlapping[overlapping.names[0]]).labels.exclusive
