"""The ModelSpec of a new localizer, from the settings, the labels and the pretrained model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from ..config import FinetuneConfig
from ..corpus.training_set import TrainingSet, choose_skeleton
from ..data.annotation import Annotation, LabelSet
from ..decode import DecodeConfig
from ..decode.durations import learn_durations
from ..errors import InputError
from ..models.base import by_person
from ..models.encoder_model import EncoderModel
from ..models.model_file import ModelSpec
from ..transforms.normalise import Motion
from .leakage import training_data_facts
from .seeding import seeded
from .teachers import describe


def labelled_motions(
    data: TrainingSet, names: Sequence[str], spec: ModelSpec
) -> tuple[list[Motion], list[Annotation | None]]:
    """What a localizer of this spec is trained on: the motion of labelled recordings, and their annotations.

    A recording whose labels name people is there once for each person in it, with the motion of that person alone and
    the labels of that person and of nobody in particular: somebody without labels is background. Any other recording is
    there as it is. Raises InputError for labels of a person who is never seen.
    """
    motions: list[Motion] = []
    annotations: list[Annotation | None] = []
    for name in names:
        recording, annotation = data.corpus[name], data.annotation(name)
        named = () if annotation is None else annotation.people
        for person in named:
            if person not in recording.people:
                raise InputError(
                    f"recording {name!r}: has labels of person {person}, who is never seen in it; seen are "
                    f"{', '.join(map(str, recording.people))}; correct the person column and prepare again"
                )
        for slot, motion in by_person(recording, "each" if named else "together"):
            motions.append(spec.input.motion(motion))
            annotations.append(annotation and annotation.of_person(slot))
    return motions, annotations


def decoding_of(
    spec: ModelSpec, config: FinetuneConfig, motions: Sequence[Motion], annotations: Sequence[Annotation | None]
) -> DecodeConfig:
    """How the localizer decodes, with the durations of the labelled actions; its scores are not calibrated yet.

    Raises InputError for viterbi with labels that overlap, or of events alone.
    """
    assert spec.labels is not None
    labels = spec.labels.without_events
    if not labels.exclusive or not labels.names:
        if config.segmentation == "viterbi":
            raise InputError(
                "segmentation viterbi is for spans whose labels exclude each other; use --segmentation argmax"
            )
        return replace(spec.decode, segmentation="argmax", durations=(), span_calibration=())
    pairs = zip(annotations, motions, strict=True)
    ids = [
        annotation.without_events.frame_ids(motion.num_frames, motion.fps) for annotation, motion in pairs if annotation
    ]
    durations = learn_durations(ids, spec.input.fps, len(labels) + 1)
    segmentation: Literal["argmax", "viterbi"] = "viterbi" if config.segmentation == "auto" else config.segmentation
    return replace(spec.decode, segmentation=segmentation, durations=durations, span_calibration=())


def localizer_spec(
    data: TrainingSet, config: FinetuneConfig, labels: LabelSet, pretrained: ModelSpec | None, names: tuple[str, ...]
) -> ModelSpec:
    """The spec of a new localizer: the network of the pretrained model, or of the configuration.

    names: the recordings whose labels are used.
    """
    training: dict[str, Any] = {
        "stage": "finetune", "protocol": config.protocol, **training_data_facts([data]),
        "label_fraction": config.label_fraction, "labelled_recordings": len(names), "seed": config.seed,
        "steps": config.num_steps,
    }  # fmt: skip
    annotations = (data.annotation(name) for name in names)
    told_apart = any(annotation is not None and annotation.people for annotation in annotations)
    if told_apart:
        training["people"] = "told apart"
    clip_frames = config.clip_frames
    if pretrained is None:
        skeleton = choose_skeleton(config.network.skeleton, [replace(data, names=names)])
        base = ModelSpec.of_network(config.network, skeleton)
    else:
        base, pretraining = pretrained, pretrained.training
        if base.kind != "encoder":  # it was trained on labels already, and may have been pretrained before that
            training["started_from"] = describe(base)
            pretraining = pretraining.get("pretrained", {})
        if pretraining:
            training["pretrained"] = dict(pretraining)
        if config.protocol == "linear":  # its encoder stays as it was pretrained, and so does the length of its clips
            clip_frames = base.clip_frames
    spec = replace(
        base,
        kind="localizer",
        fusion=config.fusion_name,
        labels=labels,
        clip_frames=clip_frames,
        people="each" if told_apart else "together",
        temperature=1.0,
    )
    return replace(with_refinement(spec, config), training=training)


def with_refinement(spec: ModelSpec, config: FinetuneConfig) -> ModelSpec:
    """The spec with the stages of refinement that the settings mean for its encoder.

    auto goes by the number of resolutions of the encoder. Raises InputError for an unknown encoder.
    """
    stages = config.refine_stages
    if stages == "auto":
        stages = config.stages(resolutions(spec, config.seed))
    return replace(spec, refine_stages=stages, refine_features=config.refine_features)


def resolutions(spec: ModelSpec, seed: int) -> int:
    """How many resolutions the encoder of a spec has. Raises InputError for an unknown encoder."""
    with seeded(seed):
        return len(EncoderModel.of_spec(spec).encoder.strides)
