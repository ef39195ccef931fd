"""What the tests of encoders share: which encoders there are, encoders to look at, and batches to send through."""

from __future__ import annotations

import copy
from functools import cache
from typing import NamedTuple

import torch

from kinespan.data.skeleton import Skeleton
from kinespan.encoders import build_encoder

CHANNELS = 6

# Few joints, for what does not depend on how many there are.
SMALL = Skeleton(
    name="small",
    joints=("pelvis", "neck", "head", "left_hand", "right_hand", "left_foot", "right_foot"),
    parents=(-1, 0, 1, 1, 1, 0, 0),
    pairs=((3, 4), (5, 6)),
    root=(0,),
    spine=(1,),
    left_shoulder=(3,),
    right_shoulder=(4,),
    left_hip=(5,),
    right_hip=(6,),
    body_parts=("pelvis", "neck", "head", "left_hand", "right_hand", "left_foot", "right_foot"),
)


class Known(NamedTuple):
    """What is known of an encoder on NTU's 25 joints with 3 channels.

    millions: parameters as the paper or the facts sheet counts them; head: those of the classifier that this number
    includes and our encoder leaves out; within: the share by which ours may differ; whole: the halo is None;
    tested_as: a smaller network of the same code that most tests look at in its place.
    """

    millions: float
    head: int = 0
    within: float = 0.01
    whole: bool = False
    tested_as: str = ""


def classes(count: int, channels: int = 256) -> int:
    """Parameters of a linear classifier."""
    return (channels + 1) * count


# A new encoder is enrolled here; a test fails for one that is not.
KNOWN = {
    "stgcn64": Known(3.08),
    "stgcn16": Known(0.82),
    "stgcn16_light": Known(0.344),
    "agcn": Known(3.47, classes(60), whole=True),
    "agcn_4res": Known(3.458, whole=True),
    "ctrgcn": Known(1.46, classes(120), whole=True),  # the paper counts with 120 classes
    "hdgcn": Known(1.68, classes(120), whole=True),  # as above
    "hyperformer": Known(2.6, within=0.02),
    "dste": Known(50.7, whole=True, tested_as="dste_light"),  # ours
    "dste_light": Known(3.24, whole=True),  # ours
    "tcn": Known(0.104),  # ours
    "tcn_long": Known(0.137, tested_as="tcn"),  # ours
}
NAMES = [name for name, known in KNOWN.items() if not known.tested_as]
LIGHT = [name for name in NAMES if KNOWN[name].millions < 1]
WHOLE = [name for name in NAMES if KNOWN[name].whole]
BOUNDED = [name for name in NAMES if name not in WHOLE]


@cache
def seen(name, skeleton, seed, channels):
    """An encoder in which nothing is the identity or zero, neither the batch norms nor what starts at zero."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = build_encoder(name, skeleton, channels)
        for module in encoder.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 1.5)
                module.weight.data.uniform_(0.5, 1.5)
                module.bias.data.normal_(0, 0.2)
        for part in encoder.parameters():
            if not part.any():
                part.data.normal_(0, 0.2)
    return encoder.eval()


def made(name, skeleton, seed=0, channels=CHANNELS):
    """An encoder in eval mode that has seen something; a copy, to do with as one likes."""
    return copy.deepcopy(seen(name, skeleton, seed, channels))


def batch_of(skeleton, clips=2, frames=13, people=1, seed=0, channels=CHANNELS):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(clips, frames, people, skeleton.num_joints, channels, generator=g)


def everybody(x):
    return torch.ones(x.shape[:3], dtype=torch.bool)


def near(a, b, share=1e-4):
    """Equal but for rounding: the largest difference is a small share of the largest value."""
    a, b = a.detach(), b.detach()
    return a.shape == b.shape and float((a - b).abs().max()) <= share * float(a.abs().max().clamp(min=1e-3))


def close(one, other):
    """Pyramids with the same maps, and the same features of joints."""
    parts = [*zip(one.maps, other.maps, strict=True), (one.joints, other.joints)]
    return all(near(a, b) for a, b in parts)
