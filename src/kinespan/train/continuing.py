"""Going on from a finished run on labels that grew: its whole network is trained further, not its encoder alone.

Notable choices:
- the rows of the head and of the refining stages go by the names of labels; a new label gets fresh ones
- the network is the run's: skeleton, rate, streams, encoder, fusion, refinement and the length of its clips
- a third of the steps reach more than all of them from the start; docs/start/few-labels.md has the measurements
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import FinetuneConfig, LearnConfig, NetworkConfig
from ..corpus.training_set import TrainingSet
from ..data.annotation import LabelSet
from ..errors import InputError
from ..models.model_file import ModelSpec, read_spec
from ..runs.folder import MODEL_FILE, localizer_file
from ..runs.settings import load_settings
from .leakage import check_no_label_leakage, training_data_facts

if TYPE_CHECKING:  # torch takes seconds to import
    from ..models.localizer import Localizer

CONTINUED_STEPS = 100
"""Optimiser steps of a run that goes on from another one, unless --steps says otherwise."""
OF_SCORES = {"in": ".stack.enter.weight", "out": ".out."}
"""Parts of the names of weights of a refining stage that have a column, or a row, for each label."""


class CannotContinueError(InputError):
    """A run cannot be gone on from; `reason` says why, without the way out."""

    def __init__(self, path: str | Path, reason: str) -> None:
        self.reason = reason
        super().__init__(f"--from {path}: {reason}; train without --from")


def continued_config(config: FinetuneConfig, spec: ModelSpec) -> FinetuneConfig:
    """The settings of training that goes on from a model of this spec, with auto resolved."""
    return replace(
        config,
        clip_frames=spec.clip_frames,
        steps=CONTINUED_STEPS if config.steps == "auto" else config.steps,
    )


def check_continues(
    path: str | Path, config: FinetuneConfig, labels: LabelSet, *, pretrained: object = None
) -> ModelSpec:
    """The spec of the run that a run of these settings and labels goes on from.

    path: what --from names. Raises InputError where there is no such run, for an average of models, for settings that
    contradict it, and where a label of its model is gone or has become another kind of label.
    """
    spec = read_spec(localizer_file(path))
    if spec.members:
        raise InputError(
            f"{path}: an average of {len(spec.members)} networks; give the run of one of them, or go on from all by "
            "kinespan learn --from"
        )
    if pretrained is not None:
        raise InputError(f"--from {path} goes on with the encoder of that run; leave --pretrained out")
    if config.protocol != "finetune":
        raise InputError(
            f"--from {path} trains the whole network of that run further; leave --protocol {config.protocol} out"
        )
    _check_settings(path, spec, _given_settings(config))
    _check_labels(path, spec, labels)
    return spec


def check_learn_continues(
    path: str | Path, config: LearnConfig, labels: LabelSet, *, pretrained: object = None
) -> tuple[Path, Path]:
    """The run folders of the two teachers of a run of `learn`, from which those of another one go on.

    Raises InputError as `check_continues` does, and for a folder that holds no finished run of `learn`.
    """
    folder = Path(path)
    teachers = folder / "finetune", folder / "scratch"
    if load_settings(folder).get("stage") != "learn" or not all((run / MODEL_FILE).is_file() for run in teachers):
        raise InputError(f"--from {path}: holds no finished run of kinespan learn; train without --from")
    own, partner = (check_continues(run, FinetuneConfig(), labels, pretrained=pretrained) for run in teachers)
    default = LearnConfig()
    _check_settings(path, own, _network_settings(config.network, default.network))
    if config.partner_encoder != default.partner_encoder:
        _check_settings(path, partner, {"partner_encoder": config.partner_encoder})
    return teachers


def continued_spec(
    spec: ModelSpec,
    path: str | Path,
    data: TrainingSet,
    config: FinetuneConfig,
    labels: LabelSet,
    names: Sequence[str],
) -> ModelSpec:
    """The spec of the localizer that goes on from a model.

    spec: that of the model, from `check_continues`; path: what --from names; names: the recordings whose labels are
    used. Raises InputError as `check_no_label_leakage` does, and where one of the two tells people apart and the other
    does not.
    """
    from .teachers import describe

    check_no_label_leakage(path, spec, data, config)
    annotations = (data.annotation(name) for name in names)
    people = "each" if any(annotation is not None and annotation.people for annotation in annotations) else "together"
    if people != spec.people:
        words = {"each": "tells people apart", "together": "does not tell people apart"}
        raise CannotContinueError(path, f"that model {words[spec.people]}, and by the labels now one {words[people]}")
    config = continued_config(config, spec)
    training: dict[str, Any] = {
        "stage": "finetune", "protocol": config.protocol, **training_data_facts([data]),
        "label_fraction": config.label_fraction, "labelled_recordings": len(names), "seed": config.seed,
        "steps": config.num_steps, "started_from": describe(spec),
    }  # fmt: skip
    training |= {name: spec.training[name] for name in ("people", "pretrained") if name in spec.training}
    return replace(spec, labels=labels, training=training, temperature=1.0)


def _network_settings(network: NetworkConfig, default: NetworkConfig) -> dict[str, object]:
    """The settings of a network that are given: those that are not the default, by flag."""
    names = ("encoder", "fps", "streams", "fuse_streams", "normalisation")
    pairs = {f"network.{name}": (getattr(network, name), getattr(default, name)) for name in names}
    given: dict[str, object] = {name: value for name, (value, unset) in pairs.items() if value != unset}
    return given | ({} if network.skeleton in ("auto", "own") else {"network.skeleton": network.skeleton})


def _given_settings(config: FinetuneConfig) -> dict[str, object]:
    """The settings that are given and that a model has too, by flag."""
    default = FinetuneConfig()
    names = ("fusion", "refine_stages", "clip_frames")
    own: dict[str, object] = {name: getattr(config, name) for name in names}
    given = {name: value for name, value in own.items() if value != getattr(default, name)}
    return given | _network_settings(config.network, default.network)


def _check_settings(path: str | Path, spec: ModelSpec, given: Mapping[str, object]) -> None:
    """Raise InputError for a setting of the network, by flag, that is not that of the model which is gone on from."""
    values: dict[str, object] = {
        "network.encoder": spec.encoder,
        "partner_encoder": spec.encoder,
        "network.fps": spec.input.fps,
        "network.streams": spec.input.streams,
        "network.fuse_streams": spec.fuse_streams,
        "network.normalisation": spec.input.normalisation,
        "network.skeleton": spec.input.skeleton.name,
        "fusion": spec.fusion,
        "refine_stages": spec.refine_stages,
        "clip_frames": spec.clip_frames,
    }
    for name, value in given.items():
        if value != values[name]:
            flag = "--" + name.replace("_", "-")
            raise InputError(
                f"{flag} {_words(value)}: the run that --from names, {path}, has {_words(values[name])}, and its "
                f"network is trained further; leave {flag} out, or train without --from"
            )


def _words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _check_labels(path: str | Path, spec: ModelSpec, labels: LabelSet) -> None:
    """Raise InputError where the labels of a model did not only grow into `labels`."""
    assert spec.labels is not None
    gone = ", ".join(repr(name) for name in spec.labels.names if name not in labels.names)
    if gone:
        raise CannotContinueError(path, f"label {gone} of that model is gone")
    events, events_now = set(spec.labels.events), set(labels.events)
    turned = ", ".join(repr(name) for name in spec.labels.names if (name in events) != (name in events_now))
    if turned:
        raise CannotContinueError(path, f"label {turned} names an event in one and a span in the other")
    if spec.labels.exclusive != labels.exclusive:
        kinds = {True: "exclude each other", False: "may overlap"}
        now, then = kinds[labels.exclusive], kinds[spec.labels.exclusive]
        raise CannotContinueError(path, f"labels {now} now, and {then} in that model")


def load_continued_weights(localizer: Localizer, path: str | Path) -> None:
    """Copy the weights of a run's model into a localizer whose labels grew, row by row of the labels that both have.

    What belongs to a new label stays as it was made.
    """
    from ..models.model_file import read_weights

    file = localizer_file(path)
    spec, weights = read_spec(file), read_weights(file)
    assert spec.labels is not None
    columns = [0, *(1 + localizer.labels.names.index(name) for name in spec.labels.names)]  # background first
    classes, old_classes = len(localizer.labels) + 1, len(columns)
    for name, fresh in localizer.state_dict().items():  # the tensors of the localizer itself
        trained = weights[name]
        if name.startswith("head.") or (name.startswith("refine.") and OF_SCORES["out"] in name):
            fresh[columns] = trained  # (C + 1, ...), a row for each label
        elif name.startswith("refine.") and name.endswith(OF_SCORES["in"]):
            fresh[:, columns] = trained[:, :old_classes]  # (W, C + 1 + F, 1), scores before features
            fresh[:, classes:] = trained[:, old_classes:]
        else:
            fresh.copy_(trained)
