"""Stage one: learn an encoder from recordings, without their labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from ..config import PretrainConfig
from ..corpus.sampler import ClipPool, load_motions
from ..corpus.store import Corpus
from ..encoders import build_encoder
from ..errors import InputError
from ..model_file import ModelSpec, save_weights
from ..pretrain import METHODS, SnippetTerm
from ..pretrain.base import Method
from ..pretrain.snippet import WithSnippets
from ..skeleton import Skeleton
from ..transforms.augment import View, augment
from ..transforms.streams import check_streams, compute_streams
from .common import StepModule, check_run_folder, fit, seeded
from .corpora import choose_skeleton, training_names
from .probe import FrameProbe, embedding_spread
from .settings import save_settings

ENCODER_FILE = "encoder.safetensors"


def build_method(config: PretrainConfig, skeleton: Skeleton) -> Method:
    """The pretraining method of a configuration, untrained, with its snippet term if there is one."""
    check_streams(config.network.streams)
    encoder = build_encoder(config.network.encoder, skeleton, 3 * len(config.network.streams), config.dropout)
    method = METHODS[config.method](encoder, config.contrast)
    if config.snippet.variant == "off":
        return method
    stride, frames = encoder.strides[-1], config.clip_frames
    if config.snippet.variant == "aligned" and frames % stride:
        near = f"{frames // stride * stride} or {-(-frames // stride) * stride}"
        raise InputError(
            f"clip_frames {frames} is no multiple of {stride}, the coarsest stride of {config.network.encoder}, so "
            f"snippets would not lie where their times say; choose {near}"
        )
    contrast = config.contrast
    shared = {"dim": contrast.dim, "momentum": contrast.momentum, "temperature": contrast.temperature}
    term = SnippetTerm(encoder.channels[-1], config.snippet, **shared)  # type: ignore[arg-type]
    return WithSnippets(method, term, config.snippet.weight)


class PretrainModule(StepModule):
    """Two augmented views of random clips a step, through a Method."""

    def __init__(self, config: PretrainConfig, skeleton: Skeleton, pool: ClipPool) -> None:
        super().__init__(config.seed, pool)
        self.config, self.skeleton = config, skeleton
        self.method = build_method(config, skeleton)
        self.encoder = self.method.encoder
        self.stream_options = (skeleton, config.network.streams, config.network.fps)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """One step: draw, augment twice, contrast."""
        clips, _ = self.pool.draw(self.config.batch_size, self.config.clip_frames, self.generator)
        out = self.method(self._seen(clips), self._seen(clips))
        parts = {name: float(value) for name, value in out.parts.items()}
        self.note(loss=float(out.loss.detach()), **parts, spread=float(embedding_spread(out.embedding.detach())))
        loss: Tensor = out.loss
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, then move the momentum networks: before any checkpoint of this step is written."""
        super().optimizer_step(*args, **kwargs)
        self.method.after_step()

    def configure_optimizers(self) -> Any:
        """AdamW, or SGD with momentum as the skeleton contrastive family has it."""
        trained = [parameter for parameter in self.method.parameters() if parameter.requires_grad]
        lr, decay = self.config.lr, self.config.weight_decay
        optimizer: torch.optim.Optimizer
        if self.config.optimizer == "sgd":
            optimizer = torch.optim.SGD(trained, lr=lr, momentum=0.9, weight_decay=decay)
        else:
            optimizer = torch.optim.AdamW(trained, lr=lr, weight_decay=decay)
        return self.scheduled(optimizer, self.config.steps)

    def _seen(self, clips: View) -> tuple[Tensor, View]:
        view = augment(clips, self.config.augment, self.skeleton, self.generator)
        return compute_streams(view.positions, view.valid, *self.stream_options), view


def pretrain(corpus: Corpus, out: Path, config: PretrainConfig, *, resume: bool = False, quiet: bool = False) -> Path:
    """Pretrain an encoder on a corpus and write it to `out`; returns the path of encoder.safetensors.

    Only the training recordings of config.split are read, all recordings where it is none. Labels are used by the
    frame probe alone. Raises InputError for bad settings and Interrupted after Ctrl-C.
    """
    checkpoint = check_run_folder(out, resume, ENCODER_FILE)
    names = training_names(corpus, config.split, config.fold)
    skeleton = choose_skeleton(config.network.skeleton, corpus, names)
    network = config.network
    motions = load_motions(corpus, names, skeleton, network.fps, network.normalisation)
    annotations = [corpus.annotation(name) for name in names]
    pool = ClipPool(motions, annotations, corpus.labels)
    with seeded(config.seed):
        module = PretrainModule(config, skeleton, pool)
        facts = {"corpus": str(corpus.path), "recordings": len(names)}
        save_settings(out, "pretrain", config, facts, resume=resume)
        callbacks: list[Callback] = []
        if config.probe_every and sum(pool.annotated(number) for number in range(len(pool))) >= 2:
            callbacks.append(FrameProbe(pool, config.probe_every))
        fit(
            module,
            out,
            stage="pretraining",
            steps=config.steps,
            save_every=config.save_every,
            precision=config.precision,
            checkpoint=checkpoint,
            callbacks=callbacks,
            quiet=quiet,
        )
    spec = ModelSpec(
        kind="encoder",
        skeleton=skeleton,
        fps=network.fps,
        streams=network.streams,
        normalisation=network.normalisation,
        encoder=network.encoder,
        clip_frames=config.clip_frames,
        training={"stage": "pretrain", "corpus": corpus.name, "recordings": len(names), "seconds": pool.seconds,
                  "split": config.split, "fold": config.fold if config.split else None, "seed": config.seed,
                  "method": config.method, "snippets": config.snippet.variant, "steps": config.steps},
    )  # fmt: skip
    save_weights(out / ENCODER_FILE, module.encoder.state_dict(), spec)
    return out / ENCODER_FILE
