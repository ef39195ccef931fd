"""Settings of pretraining."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..errors import InputError
from .checks import Fold, check_not_negative, check_positive, check_share
from .motion import AugmentConfig, NetworkConfig, Precision


@dataclass(frozen=True)
class MethodConfig:
    """Settings of every contrastive method (defaults: MoCo as in CrosSCLR, with a momentum for short runs)."""

    queue: int = 32768
    """Keys kept as negatives of the video term."""
    momentum: float = 0.99
    """Momentum of the key network; the papers' 0.999 suits runs of tens of thousands of steps."""
    temperature: float = 0.07
    """Temperature of InfoNCE, of the video and the snippet term."""
    dim: int = 128
    """Dimension of the projected embeddings."""


@dataclass(frozen=True)
class SnippetConfig:
    """The snippet term."""

    variant: Literal["aligned", "paper", "off"] = "aligned"
    """aligned: positives cover the same time. paper: positives by argmax, one negative a video. off: no snippet
    term."""
    weight: float = 10.0
    """Lambda, the weight of the snippet term beside the video term (the paper's release: 1.5). Ours is high because
    frames are learnt from snippets, and little from the video term."""
    frames: int = 8
    """Approximate length of a snippet in frames."""
    margin: float = 0.5
    """Shortest time in seconds between two snippets of a recording that are negatives of each other (aligned only)."""
    same_recording_negatives: bool = True
    """Use snippets of the same recording beyond the margin as negatives (aligned only)."""
    soft_targets: bool = True
    """Weigh every key snippet by its overlap in time with the query; otherwise the one with the largest overlap is the
    only positive (aligned only)."""
    neighbours: int = 0
    """Number of most similar queue entries that are positives too (paper only; its release: 5)."""
    neighbours_from: float = 0.2
    """Share of the steps after which neighbours are mined (the paper's release: epoch 200 of 600)."""
    queue: int = 256
    """Keys kept as negatives of the snippet term (the paper's release: 32768). A short queue suits small corpora, where
    a long one holds the same moments many times."""

    def __post_init__(self) -> None:
        """Validate; InputError names the setting."""
        check_positive(self, "frames", "queue")
        check_share(self, "neighbours_from")
        check_not_negative(self, "weight", "margin", "neighbours")
        if self.neighbours and self.variant == "aligned":
            raise InputError(
                f"neighbours is {self.neighbours}, but aligned snippets have only those of the same time as positives; "
                "leave --snippet.neighbours out, or use --snippet.variant paper"
            )


@dataclass(frozen=True)
class PretrainConfig:
    """Settings of `kinespan pretrain`."""

    method: str = "skeletonclr"
    """Pretraining method by name; `kinespan list methods` shows them and their options."""
    options: dict[str, bool | int | float | str] = field(default_factory=dict)
    """Settings of the method's own, as in --options.topk 1."""
    snippet: SnippetConfig = field(default_factory=SnippetConfig)
    """The snippet term."""
    contrast: MethodConfig = field(default_factory=MethodConfig)
    """Queue, momentum, temperature."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """Encoder and its input."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Augmentation of views."""
    extreme: AugmentConfig = field(
        default_factory=lambda: AugmentConfig(shear=0.5, tilt=30.0, flip=0.5, axis_mask=0.5, joint_mask=0.3)
    )
    """Augmentation of the extreme views of methods that have them (AimCLR)."""
    split: str | None = None
    """Split whose training recordings are used; by default every recording is."""
    fold: Fold = 1
    """Fold of the split; all: every fold, one after the other, each in a folder of its own."""
    clip_frames: int = 64
    """Frames of a clip, at the network's rate."""
    batch_size: int = 32
    """Clips in a batch."""
    steps: int = 400
    """Optimiser steps."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """adamw suits short runs; sgd (momentum 0.9; with lr 0.1 and weight decay 1e-4) is the papers' choice for long
    ones."""
    lr: float = 2e-3
    """Peak learning rate."""
    warmup: float = 0.1
    """Share of the steps in which the learning rate rises to its peak."""
    lr_drops: tuple[float, ...] = ()
    """Shares of the steps after which the learning rate is divided by ten; none: a half cosine to zero."""
    weight_decay: float = 1e-2
    """Weight decay."""
    dropout: float = 0.0
    """Dropout in the encoder's blocks (the papers: 0.5)."""
    probe_every: int = 50
    """Steps between kNN probes of frames where labels exist (nothing is trained on them); 0: none."""
    save_every: int = 50
    """Steps between checkpoints."""
    precision: Precision = "auto"
    """32: float32; bf16: bfloat16; auto: bf16 where the hardware has matrix units for it."""
    seed: int = 0
    """Seed of the weights, the clips and the augmentation."""

    def __post_init__(self) -> None:
        """Validate; InputError names the setting."""
        check_positive(self, "clip_frames", "batch_size", "steps", "lr", "save_every")
        check_share(self, "warmup", "lr_drops")
        if self.augment.crop_max > 1:
            raise InputError(
                f"augment.crop_max is {self.augment.crop_max}, expected 1: crops longer than the clip are for training "
                "on labels"
            )
        if self.clip_frames < 2 * self.snippet.frames:
            raise InputError(
                f"clip_frames is {self.clip_frames}, expected two snippets or more: {2 * self.snippet.frames}, "
                f"since snippet.frames is {self.snippet.frames}"
            )
