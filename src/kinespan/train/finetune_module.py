"""What finetuning trains: a Localizer under the frame loss, as a LightningModule."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..config import FinetuneConfig
from ..data.mirror_labels import mirrored_labels
from ..losses import FrameLoss, SmoothingLoss
from ..models.encoder_model import EncoderModel
from ..models.localizer import Localizer
from ..transforms.augment import augment, clip_frames_for, mirror_some
from .clip_pool import ClipPool, FrameTargets
from .engine import TrainingModule

TEACHER_THRESHOLD = 0.5
"""A label with a score above this counts as holding, where a target has to be yes or no."""


class FinetuneModule(TrainingModule):
    """Random clips through a Localizer under the frame loss; `linear` trains the head alone on fixed features."""

    config: FinetuneConfig
    other_side: Tensor

    def __init__(self, config: FinetuneConfig, localizer: Localizer, pool: ClipPool) -> None:
        super().__init__(config, pool)
        self.localizer = localizer
        self.loss = FrameLoss(localizer.labels.exclusive, localizer.labels.event_columns)
        self.span_columns = list(localizer.labels.span_columns)
        self.smoothing = SmoothingLoss(localizer.labels.exclusive)
        self.smoothing_weight = config.smoothing_weight(localizer.spec.refine_stages)
        self.linear = config.protocol == "linear"
        sides = mirrored_labels(localizer.labels)
        self.mirror = config.mirror == "on" or (config.mirror == "auto" and sides != tuple(range(len(sides))))
        self.mirror_fades = config.mirror == "auto" and pool.targets is not None and _both_sides(pool.targets, sides)
        self.register_buffer("other_side", torch.tensor([0, *(1 + side for side in sides)]), persistent=False)
        self._features: Tensor | None = None
        if self.linear:
            for module in (localizer.encoder, localizer.fusion):
                module.requires_grad_(False)

    @property
    def drawn_frames(self) -> int:
        """Frames of the clips that are drawn; augmentation makes views of `clip_frames` of them."""
        frames = self.config.clip_frames
        return frames if self.linear else clip_frames_for(self.config.augment, frames)

    @property
    def encoder_model(self) -> EncoderModel:  # type: ignore[override]
        """The localizer's."""
        return self.localizer.encoder_model

    def on_train_start(self) -> None:
        """For `linear`, compute the frozen features once, those of localizing, and standardise them."""
        if self.linear:
            features = torch.cat([self.localizer.motion_features(motion) for motion in self.pool.motions])  # (N, C)
            self._mean, self._std = features.mean(dim=0), features.std(dim=0, correction=0).clamp(min=1e-6)  # (C,)
            self._features = (features - self._mean) / self._std

    def fold_standardisation(self) -> None:
        """Give the head that was trained on standardised features the weights that do the same on plain ones."""
        if self._features is None:
            return
        with torch.no_grad():
            head = self.localizer.head.linear
            assert head.bias is not None
            head.weight /= self._std[None, :, None].to(head.weight.device)
            head.bias -= head.weight[..., 0] @ self._mean.to(head.weight.device)
        self._features = None

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """One step: augment, score every frame, compare with the labels."""
        view, targets = batch
        if self._features is not None:
            indices, _ = self.pool.frame_indices(view.recording, view.times, self.config.clip_frames)  # (B, T)
            stages = [self.localizer.head(self._features[indices].transpose(1, 2))]  # [(B, C + 1, T)]
        else:
            skeleton, mirrored = self.localizer.spec.input.skeleton, None
            if self.mirror:
                share = 0.5 * (1 - self.global_step / self.steps if self.mirror_fades else 1)
                view, mirrored = mirror_some(view, skeleton, share, self.generator)
            view = augment(view, self.config.augment, skeleton, self.generator, self.config.clip_frames)
            targets = self.pool.targets_of(view)
            if mirrored is not None and targets is not None:
                swapped = targets.values[..., self.other_side]  # (B, T, C + 1)
                targets = targets._replace(values=torch.where(mirrored[:, None, None], swapped, targets.values))
            stages = self.localizer.stage_logits(view.positions, view.valid)  # (B, C + 1, T) each
        assert targets is not None
        present = view.present.any(dim=2)  # (B, T)
        loss = torch.stack([self._stage_loss(logits.float(), targets, present) for logits in stages]).sum()
        self.show(loss=loss.detach())
        if len(self.span_columns) > 1:
            self.show(frame_accuracy=_accuracy(stages[-1], targets, self.span_columns))
        return loss

    def _stage_loss(self, logits: Tensor, targets: FrameTargets, present: Tensor) -> Tensor:
        """Scalar of a stage's logits (B, C + 1, T), its targets, and present (B, T), where there is somebody."""
        loss: Tensor = self.loss(logits, targets.values, targets.mask)
        if self.smoothing_weight and len(self.span_columns) > 1:  # events are short, and change fast
            loss = loss + self.smoothing_weight * self.smoothing(logits[:, self.span_columns], present)
        return loss

    def configure_optimizers(self) -> Any:
        """AdamW over the head and, unless the protocol is linear, over everything else."""
        config, model = self.config, self.localizer
        modules: list[nn.Module] = [model.head]
        if not self.linear:
            modules += [model.fusion, *([] if model.refine is None else [model.refine]), model.encoder]
        trained = [parameter for module in modules for parameter in module.parameters()]
        optimizer = torch.optim.AdamW(trained, lr=config.peak_lr, weight_decay=config.weight_decay)
        return self.scheduled(optimizer)


def _both_sides(targets: Tensor, sides: tuple[int, ...]) -> bool:
    """Whether targets (N, C + 1) hold, of every label that they hold, its mirror image too."""
    occurs = (targets > TEACHER_THRESHOLD).any(dim=0)[1:].tolist()
    return all(occurs[side] for label, side in enumerate(sides) if occurs[label])


def _accuracy(logits: Tensor, targets: FrameTargets, columns: list[int]) -> Tensor:
    """Share of the frames with a target whose highest logit (B, C + 1, T), of `columns`, is of one that holds."""
    best = logits[:, columns].argmax(dim=1)  # (B, T)
    held = targets.values[..., columns].gather(2, best[..., None])[..., 0] > TEACHER_THRESHOLD  # (B, T)
    return (held & targets.mask).sum() / targets.mask.sum().clamp(min=1)
