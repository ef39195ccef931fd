"""Settings of training on labels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..errors import InputError
from .checks import Fold, check_fraction, check_not_negative, check_positive, check_share
from .motion import AugmentConfig, NetworkConfig, Precision
from .pretrain import PretrainConfig

MIN_STEPS, MIN_STEPS_PYRAMID = 1200, 600
"""Optimiser steps of a training whose length follows the data, at least: behind an encoder of one resolution, and of
several, which learns as much in half of them. Chosen by inner validation on training recordings of PRECOG and SFINGE
3D."""
MIN_CURVE = 5
"""Labelled recordings at least, of which some can be held back and a quarter of the others trained on."""

Protocol = Literal["linear", "finetune", "scratch"]


@dataclass(frozen=True)
class FinetuneConfig:
    """Settings of `kinespan finetune`."""

    protocol: Protocol = "finetune"
    """linear: train only a linear frame head on frozen features. finetune: train everything. scratch: train everything
    from random weights."""
    fusion: Literal["auto", "nested_u", "last_map"] = "auto"
    """nested_u: U-shaped fusion. last_map: the deepest map, upsampled. auto: nested_u, but last_map for linear."""
    refine_stages: int | Literal["auto"] = "auto"
    """Stages of dilated temporal convolutions that refine the frame scores, each with its own loss; 0: none. auto: 2
    after an encoder of one resolution (TCN), 0 after others, whose fusion sees several, and for linear."""
    refine_features: bool = True
    """Feed the fused features to the refining stages, beside the scores."""
    smoothing: float | Literal["auto"] = "auto"
    """Weight of the loss on changes of the scores from frame to frame, beside the frame loss. auto: 0.15 with
    refinement, as in MS-TCN, else 0."""
    segmentation: Literal["auto", "argmax", "viterbi"] = "auto"
    """How the model cuts a recording into actions. argmax: each frame has its best label. viterbi, for exclusive
    labels: the most probable segments, given how long actions lasted in training. auto: viterbi where possible."""
    tolerance: float | Literal["auto"] = "auto"
    """Seconds by which an event may be off: training aims at that much time to each side of it, and a predicted event
    counts within it. auto: as the corpus says, 0.2 where it says nothing."""
    network: NetworkConfig = field(default_factory=lambda: NetworkConfig(encoder="tcn"))
    """Encoder and its input, unless a pretrained run gives them."""
    augment: AugmentConfig = field(default_factory=lambda: AugmentConfig(crop_min=0.7, crop_max=1.4, hide=0.3))
    """Augmentation of training clips (linear trains on clips as they are)."""
    mirror: Literal["auto", "on", "off"] = "auto"
    """Mirror half of the training clips and swap labels that say left and right (or clockwise and anticlockwise); other
    labels stay. auto: on if the label set has such a pair, for fewer and fewer clips down to none in the last step, so
    that the network still learns which side people use; for half to the end if only one label of a pair has
    examples."""
    split: str | None = None
    """Split to train and test on; by default all annotated recordings are trained on and nothing is tested."""
    fold: Fold = 1
    """Fold of the split; all: every fold, one after the other, each in a folder of its own."""
    label_fraction: float = 1.0
    """Share of the training recordings whose labels are used, chosen by seed."""
    clip_frames: int = 64
    """Frames of a training clip, at the network's rate."""
    batch_size: int = 16
    """Clips in a batch."""
    steps: int | Literal["auto"] = "auto"
    """Optimiser steps. auto: as many as a rehearsal on three quarters of the labelled recordings shows to be worth it,
    from 1200 (600 behind an encoder of several resolutions) up to the budget; 300 for linear; 100 where the run goes on
    from another one (`--from`)."""
    budget: int = 4800
    """Optimiser steps at most, where auto chooses them."""
    lr: float | Literal["auto"] = "auto"
    """Peak learning rate (AdamW). auto: 0.002; 0.01 for linear, whose features are standardised."""
    warmup: float = 0.1
    """Share of the steps in which the learning rate rises to its peak."""
    lr_drops: tuple[float, ...] = ()
    """Shares of the steps after which the learning rate is divided by ten; none: a half cosine to zero."""
    weight_decay: float = 1e-2
    """Weight decay."""
    dropout: float = 0.1
    """Dropout in the encoder's blocks."""
    save_every: int = 100
    """Steps between checkpoints."""
    precision: Precision = "auto"
    """32: float32; bf16: bfloat16; auto: bf16 where the hardware has matrix units for it."""
    seed: int = 0
    """Seed of the weights, the choice of labelled recordings, the clips and the augmentation."""

    def __post_init__(self) -> None:
        """Validate; InputError names the setting."""
        check_positive(self, "clip_frames", "batch_size", "steps", "budget", "lr", "save_every", "tolerance")
        check_not_negative(self, "refine_stages", "smoothing")
        check_fraction(self, "label_fraction")
        check_share(self, "warmup", "lr_drops")
        if self.protocol == "linear" and self.refine_stages not in ("auto", 0):
            raise InputError(
                f"refine_stages is {self.refine_stages}, but protocol linear trains only a linear head; "
                "leave --refine-stages out, or use --protocol finetune"
            )
        if self.protocol == "linear" and self.fusion == "nested_u":
            raise InputError(
                "fusion nested_u cannot be probed: protocol linear trains only a linear head, so the U would stay "
                "untrained; use --fusion last_map or --protocol finetune"
            )

    @property
    def num_steps(self) -> int:
        """The optimiser steps of a run that starts anew; auto: before a rehearsal says more."""
        if self.steps == "auto":
            return 300 if self.protocol == "linear" else min(MIN_STEPS, self.budget)
        return self.steps

    def least_steps(self, resolutions: int) -> int:
        """The fewest steps that auto chooses behind an encoder of so many resolutions."""
        return min(MIN_STEPS if resolutions == 1 else MIN_STEPS_PYRAMID, self.budget)

    @property
    def peak_lr(self) -> float:
        """The peak learning rate, with auto resolved."""
        if self.lr == "auto":
            return 1e-2 if self.protocol == "linear" else 2e-3
        return self.lr

    def stages(self, resolutions: int) -> int:
        """Stages of refinement after an encoder of so many resolutions, with auto resolved."""
        if self.refine_stages == "auto":
            return 2 if resolutions == 1 and self.protocol != "linear" else 0
        return self.refine_stages

    def smoothing_weight(self, stages: int) -> float:
        """Weight of the smoothing loss with so many stages of refinement, with auto resolved."""
        return (0.15 if stages else 0.0) if self.smoothing == "auto" else self.smoothing

    @property
    def fusion_name(self) -> str:
        """The fusion, with auto resolved."""
        if self.fusion == "auto":
            return "last_map" if self.protocol == "linear" else "nested_u"
        return self.fusion


@dataclass(frozen=True)
class LearnConfig:
    """Settings of `kinespan learn`.

    All other settings keep their defaults of `pretrain` and `finetune`.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    """The pretrained network and its input."""
    partner_encoder: str = "tcn"
    """Encoder of the partner network, which is trained from random weights; an encoder of another kind makes other
    errors."""
    teach: Literal["auto", "on", "off"] = "auto"
    """Pseudo-label the unlabelled training recordings with both networks, and train two students. auto: if at least as
    many are unlabelled as labelled."""
    split: str | None = None
    """Split to train and test on; by default every recording is trained on and nothing is tested."""
    fold: Fold = 1
    """Fold of the split; all: every fold, one after the other, each in a folder of its own."""
    label_fraction: float = 1.0
    """Share of the annotated training recordings whose labels are used, chosen by seed."""
    tolerance: float | Literal["auto"] = "auto"
    """Seconds by which an event may be off: training aims at that much time to each side of it, and a predicted event
    counts within it. auto: as the corpus says, 0.2 where it says nothing."""
    pretrain_steps: int = 400
    """Optimiser steps of pretraining."""
    steps: int | Literal["auto"] = "auto"
    """Optimiser steps of each training that follows. auto: as many as a rehearsal on three quarters of the labelled
    recordings shows to be worth it; 100 of one that goes on from a run (`--from`)."""
    budget: int = 4800
    """Optimiser steps of each training at most, where auto chooses them."""
    precision: Precision = "auto"
    """32: float32; bf16: bfloat16; auto: bf16 where the hardware has matrix units for it."""
    seed: int = 0
    """Seed of the weights, the choice of labelled recordings, the clips and the augmentation."""

    def __post_init__(self) -> None:
        """Validate; InputError names the setting."""
        check_positive(self, "pretrain_steps", "steps", "budget", "tolerance")
        check_fraction(self, "label_fraction")

    def pretraining(self) -> PretrainConfig:
        """The settings of the encoder's pretraining."""
        return PretrainConfig(network=self.network, **self._shared(), steps=self.pretrain_steps)

    def finetuning(self) -> FinetuneConfig:
        """The settings of training the pretrained network on labels."""
        return FinetuneConfig(
            network=self.network,
            label_fraction=self.label_fraction,
            tolerance=self.tolerance,
            **self._shared(),
            steps=self.steps,
            budget=self.budget,
        )

    def partner_training(self, fps: float | None = None) -> FinetuneConfig:
        """The settings of training its partner on labels, from random weights.

        fps: frames per second that the pretrained network sees, where that differs from `network.fps`.
        """
        network = replace(self.network, encoder=self.partner_encoder, fps=fps or self.network.fps)
        return replace(self.finetuning(), protocol="scratch", network=network)

    def _shared(self) -> dict[str, Any]:
        return {"split": self.split, "fold": self.fold, "precision": self.precision, "seed": self.seed}

    def teaches(self, labelled: int, others: int) -> bool:
        """Whether to pseudo-label: `labelled` training recordings have labels that are used, `others` have none.

        Raises InputError where `teach` is on and there are no others.
        """
        if self.teach == "on" and not others:
            raise InputError(
                f"teach is on, but the labels of all {labelled} training recordings are used, so none is left to "
                "pseudo-label; prepare recordings without labels in the same corpus, or leave --teach out"
            )
        return self.teach == "on" or (self.teach == "auto" and others >= labelled)

    def check_curve(self, labelled: int) -> None:
        """Raise InputError where there is no curve over labels to draw, of so many labelled training recordings."""
        if self.steps != "auto":
            raise InputError("--curve judges how long to train; leave --steps out, and bound the steps with --budget")
        if labelled < MIN_CURVE:
            raise InputError(
                f"--curve: found {labelled} labelled training recordings, expected at least {MIN_CURVE}: some are held "
                "back, and a quarter of the others has to be trained on; label more, or leave --curve out"
            )


@dataclass(frozen=True)
class RecognizeConfig:
    """Settings of `kinespan recognize`; defaults are the published linear probe of the skeleton contrastive family."""

    protocol: Literal["linear", "knn"] = "linear"
    """linear: a linear classifier on frozen features. knn: the nearest neighbours among them."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """Encoder and its input, unless a pretrained run gives them: an untrained encoder, for comparison."""
    split: str | None = None
    """Split to train and test on; required, so that nothing is tested on what it was trained on."""
    fold: Fold = 1
    """Fold of the split; all: every fold, one after the other."""
    label_fraction: float = 1.0
    """Share of the training recordings whose labels are used, chosen by seed."""
    neighbours: int = 1
    """Neighbours that vote (knn)."""
    epochs: int = 100
    """Passes over the training clips (linear)."""
    lr: float = 3.0
    """Learning rate of SGD with momentum 0.9 and no weight decay (linear)."""
    lr_drop: int = 80
    """Epoch from which the learning rate is a tenth (linear)."""
    batch_size: int = 128
    """Clips in a batch (linear)."""
    seed: int = 0
    """Seed of the choice of labelled recordings, the classifier's weights and the order of clips."""

    def __post_init__(self) -> None:
        """Validate; InputError names the setting."""
        check_positive(self, "neighbours", "epochs", "lr", "batch_size")
        check_fraction(self, "label_fraction")
