"""What the tests of streaming share: bodies that wobble, localizers that look far, and the scores they stream."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from model_cases import with_changes

from kinespan.config import Normalisation
from kinespan.data.annotation import LabelSet
from kinespan.data.recording import Recording
from kinespan.data.skeletons import KINECT_20
from kinespan.encoders.layers import TemporalConv
from kinespan.encoders.stgcn import STGCN
from kinespan.encoders.streamwise import Streamwise
from kinespan.models.fusion import build_fusion
from kinespan.models.head import FrameHead
from kinespan.models.input_spec import InputSpec
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec
from kinespan.stream import StreamLocalizer, stream_recording, torso_of

LABELS = LabelSet(("walk", "sit", "wave"))
FPS = 10.0
WIDTHS = (6, 6, 8, 8, 10)
STRIDES = {
    "1": (1, 1, 1, 1, 1),
    "1-2-4": (1, 2, 1, 2, 1),
    "1-2-4-8": (1, 2, 2, 2, 1),
    "1-3": (1, 1, 3, 1, 1),
    "1-2-6": (1, 2, 1, 3, 1),
}


def moving(frames, people=1, skeleton=KINECT_20, fps=FPS, seed=0, valid=None):
    """A body that wobbles: a rest pose plus a slow random walk of every joint."""
    rng = np.random.default_rng(seed)
    rest = np.random.default_rng(99).uniform(-0.5, 0.5, (skeleton.num_joints, 3)) + np.array([0, 1, 0])
    steps = rng.standard_normal((frames, people, skeleton.num_joints, 3)) * 0.1
    positions = rest + steps.cumsum(axis=0) + np.arange(people)[:, None, None]
    return Recording(positions.astype(np.float32), fps, skeleton, "take", valid)


def spec_of(**changes):
    spec = ModelSpec(
        kind="localizer", input=InputSpec(KINECT_20, FPS, ("joint", "joint_motion"), Normalisation()),
        encoder="stgcn16_light", fusion="nested_u", labels=LABELS,
    )  # fmt: skip
    return with_changes(spec, **changes)


def made(strides=None, widths=WIDTHS, seed=0, **changes):
    """A localizer that looks far and whose scores change in time; `strides`: its encoder is a small ST-GCN."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Localizer(spec_of(**changes))
        skeleton, count = model.spec.input.skeleton, len(model.spec.input.streams)
        if strides is not None:
            if model.spec.fuse_streams == "late":
                model.encoder = Streamwise(lambda channels: STGCN(skeleton, channels, widths, strides), count)
            else:
                model.encoder = STGCN(skeleton, 3 * count, widths, strides)
            model.fusion = build_fusion(model.spec.fusion, model.encoder.channels, model.encoder.strides)
            model.head = FrameHead(model.fusion.channels, len(model.labels))
        for module in model.modules():
            if isinstance(module, TemporalConv) and module.conv.kernel_size[0] > 1:
                module.conv.weight.data[:, :, [0, -1]] *= 4
            if isinstance(module, torch.nn.BatchNorm1d):
                module.momentum = 1.0  # one clip is enough to bring every layer to a common size
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
                torch.nn.init.uniform_(module.bias, -0.5, 0.5)
        clip = torch.from_numpy(moving(120, skeleton=skeleton).positions.copy())[None]
        with torch.no_grad():
            model.train()(clip, torch.ones(clip.shape[:4], dtype=torch.bool))
    spread(model.eval())
    return model


def spread(model):
    """Each label's logit gets mean 0 and a standard deviation of 2 over a recording, so that all have their turns."""
    logits = np.log(model.frame_scores(moving(150, skeleton=model.spec.input.skeleton)).clip(1e-30))
    logits -= logits.mean(axis=1, keepdims=True)
    mean, scale = torch.from_numpy(logits.mean(axis=0)), torch.from_numpy(2 / logits.std(axis=0))
    last = model.head.linear if model.refine is None else model.refine.stages[-1].out
    last.bias.data = (last.bias.data - mean) * scale
    last.weight.data *= scale.view(-1, *[1] * (last.weight.ndim - 1))


SMALL = {name: made(strides) for name, strides in STRIDES.items()}


def streamed(model, recording, frames=1, **options):
    """All updates of a recording that comes `frames` at a time, and the scores of all."""
    if "torso" not in options:
        options["torso"] = torso_of(model, recording)
    stream = StreamLocalizer(model, recording.fps, recording.skeleton, **options)
    updates = list(stream_recording(stream, recording, frames))
    for update, following in pairwise(updates):
        assert following.first_frame == update.first_frame + len(update.scores)
    return updates, np.concatenate([update.scores for update in updates])


def spans_of(updates):
    """The spans of all updates, in order of time."""
    return sorted((span for update in updates for span in update.spans), key=in_time)


def in_time(span):
    return span.start, span.end, span.label


def presence(frames, people, gaps):
    """A mask with holes at (start, length, person), somebody in one frame at least."""
    valid = np.ones((frames, people), dtype=bool)
    for start, length, person in gaps:
        valid[start : start + length, person % people] = False
    if not valid.any():
        valid[frames // 2, 0] = True
    return valid
