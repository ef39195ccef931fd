"""Stage one: learn an encoder from recordings, without their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..config import AugmentConfig, PretrainConfig
from ..corpus.training_set import Source, choose_skeleton, joined_annotations, training_set
from ..data.skeleton import Skeleton
from ..errors import InputError
from ..methods import Method, MethodInputs, SnippetTerm, build_method
from ..methods.base import Strength
from ..methods.snippet import WithSnippets
from ..models.encoder_model import EncoderModel
from ..models.model_file import ModelSpec, save_weights
from ..runs.folder import ENCODER_FILE, check_run_folder
from ..runs.settings import save_settings
from .clip_pool import ClipPool
from .engine import TrainingModule, fit
from .leakage import training_data_facts
from .probe import FrameProbe, embedding_spread
from .seeding import seeded

SHORT_SHARE = 0.05
"""Recordings shorter than a clip are left out where they hold at most this share of the motion."""


def method_of(config: PretrainConfig, skeleton: Skeleton) -> Method:
    """The pretraining method of a configuration, untrained, with its snippet term if there is one."""
    network = config.network
    encoder = EncoderModel.of_spec(ModelSpec.of_network(network, skeleton), config.dropout).encoder
    method = build_method(config.method, encoder, config.contrast, config.options)
    if config.snippet.variant == "off":
        return method
    stride, frames = encoder.strides[-1], method.view_frames(config.clip_frames)
    if config.snippet.variant == "aligned" and frames % stride:
        share = config.clip_frames // frames
        below, above = (share * stride * (frames // stride + more) for more in (0, 1))
        raise InputError(
            f"clip_frames {config.clip_frames} gives views of {frames} frames, no multiple of {stride}, the coarsest "
            f"stride of {network.encoder}, so snippets would not lie where their times say; choose "
            f"{below} or {above}"
        )
    term = SnippetTerm(encoder.channels[-1], config.snippet, config.contrast)
    return WithSnippets(method, term, config.snippet.weight)


class PretrainModule(TrainingModule):
    """Views of random clips, step by step, through a Method."""

    config: PretrainConfig

    def __init__(self, config: PretrainConfig, skeleton: Skeleton, pool: ClipPool) -> None:
        super().__init__(config, pool)
        self.method = method_of(config, skeleton)
        self.encoder_model = EncoderModel(ModelSpec.of_network(config.network, skeleton).input, self.method.encoder)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """One step: augment, contrast."""
        clips, _ = batch
        augmentation: dict[Strength, AugmentConfig] = {"basic": self.config.augment, "extreme": self.config.extreme}
        progress = self.global_step / self.config.steps
        out = self.method(MethodInputs(clips, progress, augmentation, self.encoder_model.input, self.generator))
        parts = {name: float(value) for name, value in out.parts.items()}
        self.show(loss=float(out.loss.detach()), **parts, spread=float(embedding_spread(out.embedding.detach())))
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
        return self.scheduled(optimizer)


def clip_sources(lengths: Sequence[int], clip_frames: int) -> list[int]:
    """Indices of the recordings that clips are drawn from, given the length of each in frames.

    Recordings shorter than a clip are left out where that costs next to nothing: where they hold at most a twentieth
    (`SHORT_SHARE`) of the motion. Where they hold more, as in corpora of trimmed actions, all recordings are used, and
    a clip of a short one is padded at its end.
    """
    short_frames = sum(frames for frames in lengths if frames < clip_frames)
    padded = short_frames > SHORT_SHARE * sum(lengths)
    return [index for index, frames in enumerate(lengths) if padded or frames >= clip_frames]


def pretrain(
    source: Source | Sequence[Source],
    out: str | Path,
    config: PretrainConfig | None = None,
    *,
    resume: bool = False,
    quiet: bool = False,
) -> Path:
    """Pretrain an encoder on one or several corpora and write it to `out`; returns the path of encoder.safetensors.

    Parameters:
        source: a Corpus or the folder of one, of which the training recordings of config.split are read (all where it
            is none); a TrainingSet; or several of these. Labels are used by the frame probe alone.
        out: folder of the run.
        config: the settings of `kinespan pretrain`, by default all as they are there.
        resume: continue the run that is in `out`.
        quiet: show no progress.

    Raises InputError for bad settings and Interrupted after Ctrl-C.
    """
    out, config = Path(out), config or PretrainConfig()
    checkpoint = check_run_folder(out, resume, ENCODER_FILE)
    sources = [source] if isinstance(source, Source) else source
    sets = [training_set(each, config.split, config.fold) for each in sources]
    network = config.network
    skeleton = choose_skeleton(network.skeleton, sets)
    spec = ModelSpec.of_network(network, skeleton)
    motions = [spec.input.motion(part.corpus[name]) for part in sets for name in part.names]
    annotations, labels = joined_annotations(sets)
    used = clip_sources([motion.num_frames for motion in motions], config.clip_frames)
    pool = ClipPool([motions[index] for index in used], [annotations[index] for index in used], labels)
    with seeded(config.seed):
        module = PretrainModule(config, skeleton, pool)
        facts = {"corpus": [str(part.corpus.path) for part in sets], "recordings": len(pool)}
        save_settings(out, "pretrain", config, facts, resume=resume)
        probed = config.probe_every and sum(pool.annotated(index) for index in range(len(pool))) >= 2
        callbacks = [FrameProbe(pool, config.probe_every)] if probed else []
        fit(module, out, stage="pretraining", checkpoint=checkpoint, callbacks=callbacks, quiet=quiet)
    spec = replace(
        spec,
        clip_frames=module.method.view_frames(config.clip_frames),
        training={"stage": "pretrain", **training_data_facts(sets), "recordings": len(pool), "seconds": pool.seconds,
                  "seed": config.seed, "method": config.method, "snippets": config.snippet.variant,
                  "steps": config.steps},
    )  # fmt: skip
    save_weights(out / ENCODER_FILE, module.method.encoder.state_dict(), spec)
    return out / ENCODER_FILE
