"""What pretraining trains: a Method, as a LightningModule."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..config import AugmentConfig, PretrainConfig
from ..data.skeleton import Skeleton
from ..errors import InputError
from ..methods import Method, MethodInputs, MethodOutput, SnippetTerm, build_method
from ..methods.base import Strength
from ..methods.snippet import WithSnippets
from ..models.encoder_model import EncoderModel
from ..models.model_file import ModelSpec
from .clip_pool import ClipPool
from .engine import TrainingModule
from .probe import embedding_spread


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
        inputs = MethodInputs(clips, progress, augmentation, self.encoder_model.input, self.generator)
        out: MethodOutput = self.method(inputs)
        self.show(loss=out.loss.detach(), **out.parts, spread=embedding_spread(out.embedding.detach()))
        return out.loss

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
