"""Settings of motion: normalisation, augmentation, and the input of a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from ..errors import InputError
from .checks import check_fraction, check_positive, check_share

Precision = Literal["auto", "32", "bf16"]
Preprocessing = Literal["kinespan", "crosclr", "agcn", "ctrgcn"]
Stream = Literal["joint", "bone", "joint_motion", "bone_motion", "position"]
STREAMS: tuple[str, ...] = get_args(Stream)


def check_streams(names: Sequence[str]) -> None:
    """Validate names of streams. Raises InputError for no stream, an unknown stream and a repeated one."""
    if not names or len(set(names)) != len(names) or not set(names) <= set(STREAMS):
        raise InputError(
            f"streams: found {' '.join(names) or 'none'}, expected some of {', '.join(STREAMS)}, each once"
        )


@dataclass(frozen=True)
class Normalisation:
    """How a recording is normalised: as a whole, so that its windows agree."""

    preprocessing: Preprocessing = "kinespan"
    """kinespan: first root over the origin, then heading and size. The others are published preprocessings of NTU, in
    metres, without heading and size. crosclr: every frame relative to the spine at the shoulders and turned about the
    vertical until the shoulders lie along x. agcn: every frame relative to the middle of the spine, the whole turned
    until the first frame stands upright with its shoulders along x. ctrgcn: relative to the middle of the spine in the
    first frame."""
    heading: Literal["start", "first", "none"] = "start"
    """start: turn the recording about the vertical so that the first person seen faces +z in the first second, on
    average; what has neither shoulders nor hips, such as a hand, points there. first: in the first frame alone, as
    earlier models have it, and only what has shoulders or hips."""
    size: Literal["torso", "none"] = "torso"
    """torso: divide by the recording's median length from root to mid-shoulders, or, for a skeleton without shoulders
    and hips, by that of its bones; none: keep metres."""
    fill_gap: float = 0.5
    """Gaps in a joint's track up to this many seconds are filled by interpolation. In longer ones the joint is hidden
    from the network; a person is absent where less than half of the joints are left, or neither the root nor a joint
    next to it."""

    def __post_init__(self) -> None:
        """Validate; a model file of a later version may name an unknown preprocessing."""
        known = get_args(Preprocessing)
        if self.preprocessing not in known:
            raise InputError(
                f"normalisation.preprocessing is {self.preprocessing!r}, expected one of {', '.join(known)}"
            )


@dataclass(frozen=True)
class AugmentConfig:
    """How views are augmented. Probabilities are per clip."""

    crop: Literal["resize", "shift"] = "resize"
    """resize: a random part of the clip, resized to the clip's length, so that speed changes too. shift: the clip is
    moved in time and mirrored at its ends, at its own speed (the skeleton contrastive family)."""
    crop_min: float = 0.5
    """Shortest crop of resize, as a share of the clip, which makes motion slower; 1: no crop."""
    crop_max: float = 1.0
    """Longest crop of resize, as a share of the clip; above 1, for training on labels, it makes motion faster."""
    crop_ratio: int = 6
    """shift moves a clip either way by up to its length divided by this."""
    shear: float = 0.2
    """Largest shear between axes."""
    rotation: float = 30.0
    """Largest turn about the vertical, degrees. Normalisation turns recordings to face one way, and a movement to the
    side is not one to the front; use 180 where there is no heading."""
    tilt: float = 10.0
    """Largest turn about the horizontal axes, degrees."""
    main_axis: float = 0.0
    """Largest turn about one axis chosen at random, degrees; about the other two by up to one degree (AimCLR)."""
    flip: float = 0.0
    """Probability of a mirror image with left and right swapped; 0 where sides tell actions apart."""
    noise: float = 0.01
    """Standard deviation of the noise on joints, in torso lengths; half of the clips get it."""
    blur: float = 0.5
    """Probability of Gaussian smoothing in time, sigma 0.1 to 2 frames."""
    blur_frames: int = 9
    """Length of the smoothing window in frames, an odd number."""
    axis_mask: float = 0.0
    """Probability that one of the three axes is set to zero."""
    joint_mask: float = 0.0
    """Probability that a few joints are moved to the root."""
    joint_mask_count: int = 4
    """Number of joints that a joint mask moves."""
    hide: float = 0.0
    """Largest share of the joints that are hidden throughout a clip, as joints are that a recording lacks; half of the
    clips lack some."""

    def __post_init__(self) -> None:
        """Validate; InputError names the setting."""
        check_share(self, "flip", "blur", "axis_mask", "joint_mask", "hide")
        check_fraction(self, "crop_min")
        check_positive(self, "blur_frames")
        if not 1 <= self.crop_max < math.inf:
            raise InputError(f"crop_max is {self.crop_max}, expected 1 or more: the clip itself, or a longer crop")
        if self.crop_ratio < 2:
            raise InputError(f"crop_ratio is {self.crop_ratio}, expected at least 2: half of the clip")
        if self.blur_frames % 2 == 0:
            raise InputError(f"blur_frames is {self.blur_frames}, expected an odd number")


@dataclass(frozen=True)
class NetworkConfig:
    """An encoder and its input; finetuning takes all of it from a pretrained run."""

    encoder: str = "stgcn16_light"
    """Encoder by name; `kinespan list encoders` shows them."""
    streams: tuple[Stream, ...] = ("joint", "joint_motion")
    """Streams joined as input channels: joint, bone, joint_motion, bone_motion, position."""
    fuse_streams: Literal["early", "late"] = "early"
    """early: one encoder sees all streams as its input channels. late: an encoder for each, their features joined."""
    fps: float = 15.0
    """Frames per second that the network sees; recordings are resampled to it by time."""
    skeleton: str = "auto"
    """Skeleton by name that all recordings are mapped to. own: the one that they share. auto: that, or ntu25 where they
    share none and for people with fingers, whose many joints cost several times the training."""
    normalisation: Normalisation = field(default_factory=Normalisation)
    """How motion is normalised."""

    def __post_init__(self) -> None:
        """Validate; InputError names the setting."""
        check_positive(self, "fps")
        check_streams(self.streams)
