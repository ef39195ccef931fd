"""Ensembles: several models, often of different streams, whose frame scores are averaged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from ..data.recording import Recording
from ..decode.calibration import SpanCalibration, at_temperature
from ..errors import InputError
from .base import Model, Scores
from .model_file import ModelSpec


class Ensemble(Model):
    """Models of the same labels and rate as one: scores are the weighted mean of the members' probabilities.

    This is how two- and three-stream results are made (2s, 3s: Shi et al., 2s-AGCN, CVPR 2019, section 4.4; Li et al.,
    CrosSCLR, CVPR 2021). Each member normalises a recording in its own way and has a temperature of its own; that of
    the ensemble acts on the mean. For overlapping labels the background is, as in every model, 1 - the largest of the
    mean scores.
    """

    members: Sequence[Model]

    def __init__(self, spec: ModelSpec, members: Sequence[Model]) -> None:
        """spec: of kind `ensemble`, which `ensemble_spec` makes of the members'."""
        super().__init__(spec)
        self.members = nn.ModuleList(members)  # type: ignore[assignment]

    def frame_scores(self, recording: Recording, window: float = 60.0) -> Scores:
        """Scores (T, C + 1) at the model's rate, column 0 background; see `Model.frame_scores`."""
        return self.mean([member.frame_scores(recording, window) for member in self.members])

    def mean(self, member_scores: Sequence[Scores]) -> Scores:
        """The weighted mean (T, C + 1) of the members' scores, each (T, C + 1), at the ensemble's temperature."""
        mean = np.average(np.stack(member_scores), axis=0, weights=self.spec.weights).astype(np.float32)
        if not self.labels.exclusive and self.labels.spans:
            mean[:, 0] = 1 - mean[:, self.labels.span_columns[1:]].max(axis=1)
        return at_temperature(mean, self.labels, self.spec.temperature)


def ensemble(
    members: Sequence[Model], weights: Sequence[float] | None = None, names: Sequence[object] | None = None
) -> Ensemble:
    """An Ensemble of models; weights are equal where none are given. Raises InputError as `ensemble_spec` does."""
    return Ensemble(ensemble_spec([member.spec for member in members], weights, names), members)


def ensemble_spec(
    members: Sequence[ModelSpec], weights: Sequence[float] | None = None, names: Sequence[object] | None = None
) -> ModelSpec:
    """The spec of an ensemble, `names` being what its members are called in errors.

    Skeleton, normalisation and encoder stated in it are the first member's, as is the way of decoding; its streams are
    those of all members. Its temperature is 1; the scores of its segments are calibrated by the mean of the members'
    curves, where all have one. What they were trained on is stated once where they agree, else joined by plus signs.
    Raises InputError for fewer than two members, weights that are not positive or not one each, and members that differ
    in labels, rate, or whether they tell people apart.
    """
    weights = [1.0] * len(members) if weights is None else [float(weight) for weight in weights]
    if len(members) < 2:
        raise InputError(f"an ensemble takes at least two models, found {len(members)}")
    if len(weights) != len(members):
        raise InputError(f"--weights: found {len(weights)} for {len(members)} models, expected one each")
    for weight in weights:
        if not (math.isfinite(weight) and weight > 0):
            raise InputError(f"--weights: found {weight}, expected positive numbers")
    names = [f"model {number}" for number in range(1, len(members) + 1)] if names is None else names
    first, *others = members
    for spec, name in zip(others, names[1:], strict=True):
        check_compatible(first, names[0], spec, name, "be averaged")
    streams = tuple(dict.fromkeys(stream for spec in members for stream in spec.input.streams))
    licences = dict.fromkeys(spec.licence for spec in members)
    return replace(
        first,
        kind="ensemble",
        input=replace(first.input, streams=streams),
        members=tuple(members),
        weights=tuple(weights),
        temperature=1.0,
        decode=replace(first.decode, span_calibration=_mean_calibration(members, weights)),
        training=_joined_facts([spec.training for spec in members]),
        licence="; ".join(licences),
    )


def check_compatible(first: ModelSpec, first_name: object, second: ModelSpec, name: object, aim: str) -> None:
    """Raise InputError where two models score different labels or frames; `aim` says what they then cannot do."""
    if first.input.fps != second.input.fps:
        raise InputError(
            f"{name}: it scores {second.input.fps:g} frames a second, {first_name} {first.input.fps:g}; "
            f"only models of one --network.fps can {aim}"
        )
    if first.people != second.people:
        does = {"together": "does not tell people apart", "each": "tells people apart"}
        raise InputError(
            f"{name}: it {does[second.people]}, {first_name} {does[first.people]}, by the labels that "
            f"they were trained on; only models that were finetuned on the same labels can {aim}"
        )
    if first.labels is None or second.labels is None:
        return
    first_facts, facts = ((labels.names, labels.exclusive, labels.events) for labels in (first.labels, second.labels))
    if facts == first_facts:
        return
    if first.labels.exclusive != second.labels.exclusive:
        kinds = {True: "exclusive", False: "overlapping"}
        kind, first_kind = kinds[second.labels.exclusive], kinds[first.labels.exclusive]
        raise InputError(f"{name}: its labels are {kind}, those of {first_name} {first_kind}; finetune on one corpus")
    if first.labels.events != second.labels.events and set(first.labels.names) == set(second.labels.names):
        events = sorted(set(first.labels.events) ^ set(second.labels.events))
        raise InputError(
            f"{name}: {', '.join(events)}: an event in one of it and {first_name}, a span in the other; finetune on "
            "one corpus"
        )
    wanted, own = first.labels.names, second.labels.names
    lacks, adds = [label for label in wanted if label not in own], [label for label in own if label not in wanted]
    parts = [f"lacks {', '.join(lacks)}"] * bool(lacks) + [f"has {', '.join(adds)} besides"] * bool(adds)
    raise InputError(
        f"{name}: its labels are not those of {first_name}: it {' and '.join(parts) or 'has them in another order'}; "
        f"only models that were finetuned on the same labels can {aim}"
    )


def _mean_calibration(members: Sequence[ModelSpec], weights: Sequence[float]) -> SpanCalibration:
    """The weighted mean of the members' calibrations of segments; none where a member has none."""
    curves = [member.decode.span_calibration for member in members]
    if not all(curves):
        return ()
    slope, offset = np.average(np.array(curves), axis=0, weights=weights).tolist()
    return slope, offset


def _joined_facts(facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Facts that all models share as they are, differing ones joined by plus signs; likewise within facts.

    Facts within facts that only some models have are theirs, and `models` counts them: `1 of 2`.
    """
    joined: dict[str, Any] = {}
    for key in dict.fromkeys(key for model in facts for key in model):
        values = [model.get(key) for model in facts]
        if all(value == values[0] for value in values):
            joined[key] = values[0]
        elif any(isinstance(value, Mapping) for value in values):
            nested = [value for value in values if isinstance(value, Mapping)]
            joined[key] = _joined_facts(nested)
            if len(nested) < len(values):
                joined[key]["models"] = f"{len(nested)} of {len(values)}"
        else:
            joined[key] = " + ".join("none" if value is None else str(value) for value in values)
    return joined
