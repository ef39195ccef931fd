"""Every setting of pretraining and finetuning: these dataclasses are the flags, the YAML keys and the docs.

Plain data, no torch: the command line reads them to print its help. A contradiction is refused where it is made.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from .errors import InputError

Precision = Literal["auto", "32", "bf16"]
Preprocessing = Literal["kinespan", "crosclr", "agcn", "ctrgcn"]
Protocol = Literal["linear", "finetune", "scratch"]
Stream = Literal["joint", "bone", "joint_motion", "bone_motion", "position"]
STREAMS: tuple[str, ...] = get_args(Stream)


def _positive(owner: object, *names: str) -> None:
    for name in names:
        if not getattr(owner, name) > 0:
            raise InputError(f"{name} is {getattr(owner, name)}, expected a positive number")


def _probability(owner: object, prefix: str, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(owner, name) <= 1:
            raise InputError(f"{prefix}{name} is {getattr(owner, name)}, expected 0 to 1")


def _shares(owner: object, *names: str) -> None:
    for name in names:
        value = getattr(owner, name)
        if not all(0 <= part <= 1 for part in (value if isinstance(value, tuple) else (value,))):
            raise InputError(f"{name} is {value}, expected shares of the steps, 0 to 1")


@dataclass(frozen=True)
class Normalisation:
    """How motion is brought to common terms. One setting for a whole recording, so that windows agree."""

    preprocessing: Preprocessing = "kinespan"
    """kinespan: first root over the origin, then heading and size. The others are published preprocessings of NTU, in
    metres, without heading and size. crosclr: every frame relative to the spine at the shoulders and turned about the
    vertical until the shoulders lie along x. agcn: every frame relative to the middle of the spine, the whole turned
    until the first frame stands upright with its shoulders along x. ctrgcn: relative to the middle of the spine in the
    first frame."""
    heading: Literal["first", "none"] = "first"
    """first: turn the recording about the vertical so that the first person seen faces +z in the first frame."""
    size: Literal["torso", "none"] = "torso"
    """torso: divide by the recording's median length from root to mid-shoulders; none: keep metres."""
    fill_gap: float = 0.5
    """Gaps in a person's track up to this many seconds are filled by interpolation; longer ones stay absent."""

    def __post_init__(self) -> None:
        """Refuse an unknown preprocessing, as a model file of a later version may name."""
        known = get_args(Preprocessing)
        if self.preprocessing not in known:
            raise InputError(
                f"normalisation.preprocessing is {self.preprocessing!r}, expected one of {', '.join(known)}"
            )


@dataclass(frozen=True)
class AugmentConfig:
    """How strongly views are changed. Probabilities are per clip."""

    crop: Literal["resize", "shift"] = "resize"
    """resize: a random part of the clip, resized to the clip's length, so that speed changes too. shift: the clip is
    moved in time and mirrored at its ends, at its own speed (the skeleton contrastive family)."""
    crop_min: float = 0.5
    """Shortest temporal crop of resize, as a share of the clip. 1 = no crop."""
    crop_ratio: int = 6
    """shift moves a clip by up to its length divided by this, either way."""
    shear: float = 0.2
    """Largest shear between axes."""
    rotation: float = 30.0
    """Largest turn about the vertical, degrees. Recordings face one way at first (normalisation.heading), and what is
    done to the side differs from what is done to the front; 180 where there is no heading to go by."""
    tilt: float = 10.0
    """Largest turn about the horizontal axes, degrees."""
    main_axis: float = 0.0
    """Largest turn about one axis chosen at random, degrees; about the other two by up to one degree (AimCLR)."""
    flip: float = 0.0
    """Probability of a mirror image with left and right swapped; 0 where sides tell actions apart."""
    noise: float = 0.01
    """Standard deviation of the noise on joints, torso lengths; given to half of the clips."""
    blur: float = 0.5
    """Probability of Gaussian smoothing in time, sigma 0.1 to 2 frames."""
    blur_frames: int = 9
    """Frames that smoothing looks over, an odd number."""
    axis_mask: float = 0.0
    """Probability that one of the three axes is flattened."""
    joint_mask: float = 0.0
    """Probability that a few joints are hidden at the root."""
    joint_mask_count: int = 4
    """How many joints a joint mask hides."""

    def __post_init__(self) -> None:
        """Validate; InputError names the setting."""
        _probability(self, "augment.", "flip", "blur", "axis_mask", "joint_mask", "crop_min")
        _positive(self, "crop_min", "blur_frames")
        if self.crop_ratio < 2:
            raise InputError(f"augment.crop_ratio is {self.crop_ratio}, expected at least 2: half of the clip")
        if self.blur_frames % 2 == 0:
            raise InputError(f"augment.blur_frames is {self.blur_frames}, expected an odd number")


@dataclass(frozen=True)
class MethodConfig:
    """What contrastive methods share (defaults: MoCo as in CrosSCLR, with a momentum for short runs)."""

    queue: int = 32768
    """Keys kept as negatives of the video term."""
    momentum: float = 0.99
    """Momentum of the key network; the papers' 0.999 suits runs of tens of thousands of steps."""
    temperature: float = 0.07
    """Temperature of InfoNCE, of the video and the snippet term."""
    dim: int = 128
    """Length of the projected vectors."""


@dataclass(frozen=True)
class SnippetConfig:
    """The snippet term."""

    variant: Literal["aligned", "paper", "off"] = "aligned"
    """aligned: positives cover the same time. paper: arg-max positives, one negative a video. off: none."""
    weight: float = 10.0
    """Lambda, the weight of the snippet term beside the video term (the paper's release: 1.5). Our weight is high since
    frames are learnt from snippets; they learn little from the video term."""
    frames: int = 8
    """Frames a snippet covers, about."""
    margin: float = 0.5
    """Seconds that must lie between two snippets of a recording for them to be negatives (aligned only)."""
    same_recording_negatives: bool = True
    """Use snippets of the same recording beyond the margin as negatives (aligned only)."""
    soft_targets: bool = True
    """Weigh every key snippet by how much of the same time it covers; else the one that covers most is the only
    positive (aligned only)."""
    neighbours: int = 0
    """Most similar queue entries that are positives too (paper only; its release: 5)."""
    neighbours_from: float = 0.2
    """Share of the steps after which neighbours are mined (the paper's release: epoch 200 of 600)."""
    queue: int = 256
    """Keys kept as negatives of the snippet term (the paper's release: 32768). A short queue suits small corpora, where
    a long one holds the same moments many times over."""

    def __post_init__(self) -> None:
        """Validate; InputError names the setting."""
        _positive(self, "frames", "queue")
        _probability(self, "snippet.", "neighbours_from")
        if min(self.weight, self.margin, self.neighbours) < 0:
            raise InputError("snippet.weight, snippet.margin and snippet.neighbours must not be negative")
        if self.neighbours and self.variant == "aligned":
            raise InputError(
                f"snippet.neighbours is {self.neighbours}, but aligned snippets have the snippets of the same time as "
                "their only positives; leave --snippet.neighbours out, or use --snippet.variant paper"
            )


@dataclass(frozen=True)
class NetworkConfig:
    """What a network sees and what it is; finetuning takes all of it over from a pretrained run."""

    encoder: str = "stgcn16_light"
    """Encoder by name; `kinespan list encoders` shows them."""
    streams: tuple[Stream, ...] = ("joint", "joint_motion")
    """Streams joined as input channels: joint, bone, joint_motion, bone_motion, position."""
    fuse_streams: Literal["early", "late"] = "early"
    """early: one encoder sees all streams as its input channels. late: an encoder for each, their features joined."""
    fps: float = 15.0
    """Frames per second that the network sees; recordings are resampled to it by time."""
    skeleton: str = "auto"
    """Skeleton by name that all recordings are mapped to; auto: the one that they share, else ntu25."""
    normalisation: Normalisation = field(default_factory=Normalisation)
    """How motion is normalised."""

    def __post_init__(self) -> None:
        """Validate; InputError names the setting."""
        _positive(self, "fps")


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
    """Augmentation of the extreme views of methods that have some (AimCLR)."""
    split: str | None = None
    """Split whose training recordings are used; none: every recording of the corpus."""
    fold: int = 1
    """Fold of the split."""
    clip_frames: int = 64
    """Frames of a clip, at the network's rate."""
    batch_size: int = 32
    """Clips in a batch."""
    steps: int = 400
    """Optimiser steps."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """adamw suits short runs; sgd (momentum 0.9, lr 0.1, weight decay 1e-4) is the papers' choice for long ones."""
    lr: float = 2e-3
    """Peak learning rate."""
    warmup: float = 0.1
    """Share of the steps over which the learning rate rises to its peak."""
    lr_drops: tuple[float, ...] = ()
    """Shares of the steps after which the learning rate is a tenth of what it was; none: a half cosine to zero."""
    weight_decay: float = 1e-2
    """Weight decay."""
    dropout: float = 0.0
    """Dropout in the encoder's blocks (the papers: 0.5)."""
    probe_every: int = 50
    """Steps between kNN frame probes where labels exist (they are never trained on); 0: none."""
    save_every: int = 50
    """Steps between checkpoints."""
    precision: Precision = "auto"
    """auto: bfloat16 where the machine has matrix units for it, else float32."""
    seed: int = 0
    """Seed of weights, clips and augmentation."""

    def __post_init__(self) -> None:
        """Validate; InputError names the setting."""
        _positive(self, "clip_frames", "batch_size", "steps", "lr", "save_every")
        _shares(self, "warmup", "lr_drops")
        if self.clip_frames < 2 * self.snippet.frames:
            raise InputError(
                f"clip_frames {self.clip_frames} holds fewer than two snippets of snippet.frames {self.snippet.frames}"
            )


@dataclass(frozen=True)
class FinetuneConfig:
    """Settings of `kinespan finetune`."""

    protocol: Protocol = "finetune"
    """linear: only a linear frame head on frozen features. finetune: all of it. scratch: all, untrained at first."""
    fusion: Literal["auto", "nested_u", "last_map"] = "auto"
    """U-shaped fusion or the plain upsampled deepest map. auto: nested_u, and last_map for linear."""
    refine_stages: int | Literal["auto"] = "auto"
    """Stages of dilated temporal convolutions that refine the frame scores, each supervised (MS-TCN); 0: none. auto: 2
    after an encoder of one resolution (TCN); none where a U-shaped fusion sees several, and for linear."""
    refine_features: bool = True
    """Show the refining stages the fused features beside the scores."""
    smoothing: float | Literal["auto"] = "auto"
    """Weight of the loss on scores that change from frame to frame, beside the frame loss. auto: 0.15, as MS-TCN has
    it, where there is refinement, else 0."""
    segmentation: Literal["auto", "argmax", "viterbi"] = "auto"
    """How the model cuts a recording into actions. argmax: each frame has its best label; viterbi, for labels that
    exclude each other: the most probable segments, given how long actions lasted in training. auto: viterbi where it
    can be."""
    network: NetworkConfig = field(default_factory=lambda: NetworkConfig(encoder="tcn"))
    """Encoder and its input, where no pretrained run gives them."""
    augment: AugmentConfig = field(default_factory=lambda: AugmentConfig(crop_min=0.7))
    """Augmentation of training clips (linear trains on clips as they are)."""
    mirror: Literal["auto", "on", "off"] = "auto"
    """Show half of the training clips mirrored, with labels that say left and right (or clockwise and anticlockwise)
    swapped; the others are taken to be the same in a mirror. auto: where the label set has such a pair, and fewer and
    fewer up to none in the last step, so that the network still learns which side people do things with; half to the
    end where one of a pair is not labelled at all."""
    split: str | None = None
    """Split to train and test on; none: all annotated recordings are trained on and nothing is tested."""
    fold: int = 1
    """Fold of the split."""
    label_fraction: float = 1.0
    """Share of the training recordings whose labels are used, chosen by seed."""
    clip_frames: int = 64
    """Frames of a training clip, at the network's rate."""
    batch_size: int = 16
    """Clips in a batch."""
    steps: int = 300
    """Optimiser steps."""
    lr: float | Literal["auto"] = "auto"
    """Peak learning rate (AdamW). auto: 0.002; 0.01 for linear, whose features are standardised."""
    warmup: float = 0.1
    """Share of the steps over which the learning rate rises to its peak."""
    lr_drops: tuple[float, ...] = ()
    """Shares of the steps after which the learning rate is a tenth of what it was; none: a half cosine to zero."""
    weight_decay: float = 1e-2
    """Weight decay."""
    dropout: float = 0.1
    """Dropout in the encoder's blocks."""
    save_every: int = 100
    """Steps between checkpoints."""
    precision: Precision = "auto"
    """auto: bfloat16 where the machine has matrix units for it, else float32."""
    seed: int = 0
    """Seed of weights, labelled recordings, clips and augmentation."""

    def __post_init__(self) -> None:
        """Validate; InputError names the setting."""
        _positive(self, "clip_frames", "batch_size", "steps", "save_every", "label_fraction")
        if self.lr != "auto":
            _positive(self, "lr")
        _shares(self, "warmup", "lr_drops")
        if self.label_fraction > 1:
            raise InputError(f"label_fraction is {self.label_fraction}, expected above 0 and at most 1")
        stages, smoothing = (0 if value == "auto" else value for value in (self.refine_stages, self.smoothing))
        if not (stages >= 0 and smoothing >= 0):
            raise InputError("refine_stages and smoothing must not be negative")
        if self.protocol == "linear" and stages:
            raise InputError(
                f"refine_stages is {self.refine_stages}, but the linear probe trains nothing but a linear head; "
                "leave refinement out, or use --protocol finetune"
            )
        if self.protocol == "linear" and self.fusion == "nested_u":
            raise InputError(
                "fusion nested_u cannot be probed: linear freezes all but the head, and a U that was never trained "
                "would be measured; use --fusion last_map or --protocol finetune"
            )

    @property
    def peak_lr(self) -> float:
        """The peak learning rate that is meant."""
        if self.lr == "auto":
            return 1e-2 if self.protocol == "linear" else 2e-3
        return self.lr

    def stages(self, resolutions: int) -> int:
        """The stages of refinement that are meant for an encoder of so many resolutions."""
        if self.refine_stages == "auto":
            return 2 if resolutions == 1 and self.protocol != "linear" else 0
        return self.refine_stages

    def smoothing_weight(self, stages: int) -> float:
        """The weight of smoothing that is meant beside so many stages of refinement."""
        return (0.15 if stages else 0.0) if self.smoothing == "auto" else self.smoothing

    @property
    def fusion_name(self) -> str:
        """The fusion that is meant."""
        if self.fusion == "auto":
            return "last_map" if self.protocol == "linear" else "nested_u"
        return self.fusion


@dataclass(frozen=True)
class LearnConfig:
    """Settings of `kinespan learn`.

    Whatever else can be set keeps the default that it has in `pretrain` and `finetune`.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    """The network that is pretrained, and its input."""
    partner_encoder: str = "tcn"
    """Encoder of the partner network, which starts from random weights: one of another kind makes other errors."""
    teach: Literal["auto", "on", "off"] = "auto"
    """Let both networks pseudo-label the training recordings without labels, and train two students. auto: if there
    are at least as many without labels as with."""
    split: str | None = None
    """Split to train and test on; none: every recording is trained on and nothing is tested."""
    fold: int = 1
    """Fold of the split."""
    label_fraction: float = 1.0
    """Share of the annotated training recordings whose labels are used, chosen by seed."""
    pretrain_steps: int = 400
    """Optimiser steps of pretraining."""
    steps: int = 300
    """Optimiser steps of each training that follows."""
    precision: Precision = "auto"
    """auto: bfloat16 where the machine has matrix units for it, else float32."""
    seed: int = 0
    """Seed of weights, labelled recordings, clips and augmentation."""

    def __post_init__(self) -> None:
        """Validate; InputError names the setting."""
        _positive(self, "pretrain_steps", "steps", "label_fraction")
        if self.label_fraction > 1:
            raise InputError(f"label_fraction is {self.label_fraction}, expected above 0 and at most 1")

    def pretraining(self) -> PretrainConfig:
        """The settings of the encoder's pretraining."""
        return PretrainConfig(network=self.network, **self._shared(), steps=self.pretrain_steps)

    def finetuning(self, protocol: Protocol, fps: float | None = None) -> FinetuneConfig:
        """The settings of a network's training: `finetune` for the pretrained one, `scratch` for its partner.

        fps: frames per second that the pretrained network sees, where that is not the one of `network`.
        """
        network = self.network
        if protocol == "scratch":
            network = replace(network, encoder=self.partner_encoder, fps=fps or network.fps)
        share = self.label_fraction
        return FinetuneConfig(
            protocol=protocol, network=network, label_fraction=share, **self._shared(), steps=self.steps
        )

    def _shared(self) -> dict[str, Any]:
        return {"split": self.split, "fold": self.fold, "precision": self.precision, "seed": self.seed}

    def teaches(self, labelled: int, others: int) -> bool:
        """Whether to teach, with so many training recordings whose labels are used and others.

        Raises InputError where there are none to teach on, and that is asked for.
        """
        if self.teach == "on" and not others:
            raise InputError(
                f"teach is on, but the labels of all {labelled} training recordings are used, so there is nothing to "
                "teach on; prepare recordings without labels in the same corpus, or leave it at auto"
            )
        return self.teach == "on" or (self.teach == "auto" and others >= labelled)


@dataclass(frozen=True)
class RecognizeConfig:
    """Settings of `kinespan recognize`; defaults are the published linear probe of the skeleton contrastive family."""

    protocol: Literal["linear", "knn"] = "linear"
    """linear: a linear classifier on frozen features. knn: the nearest among them."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """Encoder and its input, where no pretrained run gives them: an untrained encoder, for comparison."""
    split: str | None = None
    """Split to train and test on; needed, since nothing may be tested on what it was trained on."""
    fold: int = 1
    """Fold of the split."""
    label_fraction: float = 1.0
    """Share of the training recordings whose labels are used, chosen by seed."""
    neighbours: int = 1
    """Neighbours that vote (knn)."""
    epochs: int = 100
    """Passes over the training clips (linear)."""
    lr: float = 3.0
    """Learning rate of SGD with momentum 0.9 and no weight decay (linear)."""
    lr_drop: int = 80
    """Epoch from which on a tenth of the learning rate is used (linear)."""
    batch_size: int = 128
    """Clips in a batch (linear)."""
    seed: int = 0
    """Seed of the labelled recordings, of the classifier's weights and the order of clips."""

    def __post_init__(self) -> None:
        """Validate; InputError names the setting."""
        _positive(self, "neighbours", "epochs", "lr", "batch_size", "label_fraction")
        if self.label_fraction > 1:
            raise InputError(f"label_fraction is {self.label_fraction}, expected above 0 and at most 1")
