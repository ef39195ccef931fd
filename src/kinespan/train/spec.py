"""What a new localizer is, from the settings and the pretrained run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ..config import FinetuneConfig
from ..corpus.training_set import TrainingSet, choose_skeleton
from ..data.annotation import Annotation, LabelSet
from ..decode import DecodeConfig
from ..decode.durations import learn_durations
from ..errors import InputError
from ..models.encoder_model import EncoderModel
from ..models.model_file import ModelSpec, read_spec
from ..runs.folder import pretrained_file
from ..transforms.normalise import Motion
from .engine import seeded
from .leakage import trained_on
from .teachers import describe


def _decoding(
    spec: ModelSpec, config: FinetuneConfig, motions: Sequence[Motion], annotations: Sequence[Annotation | None]
) -> DecodeConfig:
    """The way of decoding, with how long the labelled actions last. Raises InputError for viterbi and overlaps."""
    assert spec.labels is not None
    if not spec.labels.exclusive:
        if config.segmentation == "viterbi":
            raise InputError("segmentation viterbi is for labels that exclude each other; use --segmentation argmax")
        return replace(spec.decode, segmentation="argmax", durations=())
    pairs = zip(annotations, motions, strict=True)
    ids = [annotation.frame_ids(motion.num_frames, motion.fps) for annotation, motion in pairs if annotation]
    durations = learn_durations(ids, spec.input.fps, len(spec.labels) + 1)
    way: Literal["argmax", "viterbi"] = "viterbi" if config.segmentation == "auto" else config.segmentation
    return replace(spec.decode, segmentation=way, durations=durations)


def _spec(
    part: TrainingSet, config: FinetuneConfig, labels: LabelSet, pretrained: Path | None, names: tuple[str, ...]
) -> ModelSpec:
    """What the new localizer is: the network of the pretrained run, or of the configuration."""
    training: dict[str, Any] = {
        "stage": "finetune", "protocol": config.protocol, **trained_on([part]), "label_fraction": config.label_fraction,
        "labelled_recordings": len(names), "seed": config.seed, "steps": config.steps,
    }  # fmt: skip
    if pretrained is not None:
        base = read_spec(pretrained_file(pretrained))
        before = base.training
        if base.kind != "encoder":  # it was trained on labels already, and may have been pretrained before that
            training["started_from"] = describe(base)
            before = before.get("pretrained", {})
        if before:
            training["pretrained"] = dict(before)
    else:
        skeleton = choose_skeleton(config.network.skeleton, [replace(part, names=names)])
        base = ModelSpec.of_network(config.network, skeleton)
    # the linear probe leaves the encoder as it was pretrained, so its clips stay what it has seen
    frozen = pretrained is not None and config.protocol == "linear"
    clip_frames = base.clip_frames if frozen else config.clip_frames
    spec = replace(base, kind="localizer", fusion=config.fusion_name, labels=labels, clip_frames=clip_frames)
    return replace(with_refinement(spec, config), training=training)


def with_refinement(spec: ModelSpec, config: FinetuneConfig) -> ModelSpec:
    """The spec with the stages of refinement that the settings mean for its encoder.

    auto asks the encoder, built without a trace, for its resolutions. Raises InputError for an unknown one.
    """
    stages = config.refine_stages
    if stages == "auto":
        with seeded(config.seed):
            encoder = EncoderModel.of_spec(spec).encoder
        stages = config.stages(len(encoder.strides))
    return replace(spec, refine_stages=stages, refine_features=config.refine_features)
