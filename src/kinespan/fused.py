"""Late fusion: several models, each of streams of its own as a rule, whose frame scores are averaged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from .errors import InputError
from .model import Model, Scores
from .model_file import ModelSpec
from .recording import Recording


class FusedLocalizer(Model):
    """Models of the same labels and rate as one: scores are the weighted mean of the members' probabilities.

    This is how two- and three-stream results are made (2s, 3s: Shi et al., 2s-AGCN, CVPR 2019, section 4.4; Li et al.,
    CrosSCLR, CVPR 2021). Each member normalises a recording in its own way. For overlapping labels the background is,
    as in every model, 1 - the largest of the mean scores.
    """

    def __init__(self, spec: ModelSpec, members: Sequence[Model]) -> None:
        """spec: of kind `fused`, as `fused_spec` makes it of the members'."""
        super().__init__(spec)
        self.members = nn.ModuleList(members)

    def frame_scores(self, recording: Recording, window: float = 60.0) -> Scores:
        """Scores (T, C + 1) at the model's rate, column 0 background; see `Model.frame_scores`."""
        return self.mean(
            [member.frame_scores(recording, window) for member in self.members if isinstance(member, Model)]
        )

    def mean(self, found: Sequence[Scores]) -> Scores:
        """Scores (T, C + 1) of the members, each (T, C + 1), as one."""
        mean = np.average(np.stack(found), axis=0, weights=self.spec.weights).astype(np.float32)
        if not self.labels.exclusive:
            mean[:, 0] = 1 - mean[:, 1:].max(axis=1)
        return mean


def fuse(
    members: Sequence[Model], weights: Sequence[float] | None = None, names: Sequence[object] | None = None
) -> FusedLocalizer:
    """Members as one model; weights are equal where none are given. Raises InputError as `fused_spec` does."""
    return FusedLocalizer(fused_spec([member.spec for member in members], weights, names), members)


def fused_spec(
    members: Sequence[ModelSpec], weights: Sequence[float] | None = None, names: Sequence[object] | None = None
) -> ModelSpec:
    """The spec of models fused, `names` being what they are called in errors.

    Skeleton, normalisation and encoder stated in it are the first member's, as is the way of decoding; what they were
    trained on is stated once where they agree, else joined by plus signs. Raises InputError for fewer than two members,
    weights that are not positive or not one each, and members that differ in labels or rate.
    """
    weights = [1.0] * len(members) if weights is None else [float(weight) for weight in weights]
    if len(members) < 2:
        raise InputError(f"fusing takes at least two models, found {len(members)}")
    if len(weights) != len(members):
        raise InputError(f"--weights: found {len(weights)} for {len(members)} models, expected one each")
    for weight in weights:
        if not (math.isfinite(weight) and weight > 0):
            raise InputError(f"--weights: found {weight}, expected positive numbers")
    called = [f"model {place + 1}" for place in range(len(members))] if names is None else names
    first, *others = members
    for spec, name in zip(others, called[1:], strict=True):
        check_alike(first, called[0], spec, name, "be fused")
    streams = tuple(dict.fromkeys(stream for spec in members for stream in spec.streams))
    licences = dict.fromkeys(spec.licence for spec in members)
    return replace(
        first,
        kind="fused",
        streams=streams,
        members=tuple(members),
        weights=tuple(weights),
        training=_together([spec.training for spec in members]),
        metrics={},
        licence="; ".join(licences),
    )


def check_alike(first: ModelSpec, first_name: object, other: ModelSpec, name: object, aim: str) -> None:
    """Raise InputError where two models score other labels or other frames; only those that do not can `aim`."""
    if first.fps != other.fps:
        raise InputError(
            f"{name}: it scores {other.fps:g} frames a second, {first_name} {first.fps:g}; "
            f"only models of one --network.fps can {aim}"
        )
    if first.labels == other.labels or first.labels is None or other.labels is None:
        return
    if first.labels.exclusive != other.labels.exclusive:
        kinds = {True: "exclusive", False: "overlapping"}
        found, expected = kinds[other.labels.exclusive], kinds[first.labels.exclusive]
        raise InputError(f"{name}: its labels are {found}, those of {first_name} {expected}; finetune on one corpus")
    one, two = first.labels.names, other.labels.names
    lacks, adds = [label for label in one if label not in two], [label for label in two if label not in one]
    said = [f"lacks {', '.join(lacks)}"] * bool(lacks) + [f"has {', '.join(adds)} besides"] * bool(adds)
    raise InputError(
        f"{name}: its labels are not those of {first_name}: it {' and '.join(said) or 'has them in another order'}; "
        f"only models that were finetuned on the same labels can {aim}"
    )


def _together(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Facts that hold of all parts as they are, differing ones joined by plus signs; likewise within facts.

    Facts within facts that only some parts have are theirs, and `models` counts them: `1 of 2`.
    """
    joined: dict[str, Any] = {}
    for key in dict.fromkeys(key for part in parts for key in part):
        values = [part.get(key) for part in parts]
        if all(value == values[0] for value in values):
            joined[key] = values[0]
        elif any(isinstance(value, Mapping) for value in values):
            having = [value for value in values if isinstance(value, Mapping)]
            joined[key] = _together(having)
            if len(having) < len(values):
                joined[key]["models"] = f"{len(having)} of {len(values)}"
        else:
            joined[key] = " + ".join("none" if value is None else str(value) for value in values)
    return joined
