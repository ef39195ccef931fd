"""Both stages of training, interrupted and resumed: weights, log, and run folders that are not overwritten."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest
from training_cases import SMALL, TUNE, same, stop_after

from kinespan.config import AugmentConfig
from kinespan.errors import InputError, Interrupted
from kinespan.models.model_file import read_weights
from kinespan.runs.folder import CHECKPOINT, ENCODER_FILE, LOG_FILE
from kinespan.train.finetuning import finetune
from kinespan.train.pretrain_module import PretrainModule
from kinespan.train.pretraining import pretrain

pytestmark = pytest.mark.usefixtures("one_thread")

LONG = replace(SMALL, steps=6, dropout=0.3, augment=AugmentConfig(flip=0.5, joint_mask=0.5))


@pytest.fixture(scope="module")
def whole_run(corpus, tmp_path_factory):
    return pretrain(corpus, tmp_path_factory.mktemp("runs") / "whole", LONG, quiet=True).parent


@pytest.fixture(scope="module")
def uninterrupted(whole_run):
    return read_weights(whole_run / ENCODER_FILE)


def test_resume_after_ctrl_c_gives_identical_weights(corpus, uninterrupted, tmp_path, monkeypatch):
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


def test_resume_from_the_last_checkpoint_of_a_killed_run_gives_identical_weights_and_log(
    corpus, whole_run, uninterrupted, tmp_path, monkeypatch
):
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
    log = (out / LOG_FILE).read_text()
    assert len(log.splitlines()) > 1
    (out / LOG_FILE).write_text(f"{log}0,2.3")  # a row that was cut off
    file = pretrain(corpus, out, config, resume=True, quiet=True)
    assert same(read_weights(file), uninterrupted)
    assert (out / LOG_FILE).read_text() == (whole_run / LOG_FILE).read_text()


@pytest.mark.parametrize("protocol", ["linear", "finetune"])
def test_resumed_finetuning_gives_identical_weights(corpus, pretrained, tmp_path, monkeypatch, protocol):
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
