"""Both stages of training stopped halfway: what is kept, what goes on, and what is not overwritten."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest
from training_cases import SMALL, TUNE, same, stop_after

from kinespan.config import AugmentConfig
from kinespan.errors import InputError
from kinespan.models.model_file import read_weights
from kinespan.train.engine import CHECKPOINT, Interrupted
from kinespan.train.finetuning import finetune
from kinespan.train.pretraining import ENCODER_FILE, PretrainModule, pretrain

pytestmark = pytest.mark.usefixtures("one_thread")

LONG = replace(SMALL, steps=6, dropout=0.3, augment=AugmentConfig(flip=0.5, joint_mask=0.5))


@pytest.fixture(scope="module")
def uninterrupted(corpus, tmp_path_factory):
    return read_weights(pretrain(corpus, tmp_path_factory.mktemp("runs") / "whole", LONG, quiet=True))


def test_ctrl_c_keeps_the_run_and_resume_ends_where_it_would_have(corpus, uninterrupted, tmp_path, monkeypatch):
    out, handler = tmp_path / "run", signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(Interrupted, match=r"stopped after step 2; .*run keeps a checkpoint"):
            pretrain(corpus, out, LONG, quiet=True)
    assert signal.getsignal(signal.SIGINT) is handler
    assert (out / CHECKPOINT).is_file()
    assert not (out / ENCODER_FILE).exists()
    with pytest.raises(InputError, match="--resume"):
        pretrain(corpus, out, LONG, quiet=True)
    file = pretrain(corpus, out, LONG, resume=True, quiet=True)
    assert same(read_weights(file), uninterrupted)


def test_a_killed_run_goes_on_from_its_last_checkpoint(corpus, uninterrupted, tmp_path, monkeypatch):
    """The checkpoint of step 3, as it was on disk when step 4 had begun."""
    out, config = tmp_path / "run", replace(LONG, save_every=3)
    step = PretrainModule.training_step

    def killed(self, batch, batch_idx):
        if self.global_step == 4:
            raise RuntimeError("the power went out")
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(PretrainModule, "training_step", killed)
        with pytest.raises(RuntimeError, match="power"):
            pretrain(corpus, out, config, quiet=True)
    file = pretrain(corpus, out, config, resume=True, quiet=True)
    assert same(read_weights(file), uninterrupted)


@pytest.mark.parametrize("protocol", ["linear", "finetune"])
def test_finetuning_goes_on_too(corpus, pretrained, tmp_path, monkeypatch, protocol):
    config = replace(TUNE, protocol=protocol, steps=5, save_every=2)
    whole = finetune(corpus, tmp_path / "whole", config, pretrained=pretrained, quiet=True)
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(Interrupted):
            finetune(corpus, tmp_path / "run", config, pretrained=pretrained, quiet=True)
    resumed = finetune(corpus, tmp_path / "run", config, pretrained=pretrained, resume=True, quiet=True)
    assert same(resumed.state_dict(), whole.state_dict())


def test_run_folders_are_not_overwritten(corpus, pretrained, tmp_path):
    with pytest.raises(InputError, match="--resume"):
        pretrain(corpus, pretrained, SMALL, quiet=True)
    with pytest.raises(InputError, match="no checkpoint"):
        pretrain(corpus, tmp_path / "fresh", SMALL, resume=True, quiet=True)
    finetune(corpus, tmp_path / "run", replace(TUNE, steps=1), quiet=True)
    with pytest.raises(InputError, match="--resume"):
        finetune(corpus, tmp_path / "run", TUNE, quiet=True)
