"""What the tests of models share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import torch

from kinespan.config import NetworkConfig
from kinespan.data.annotation import LabelSet
from kinespan.data.skeletons import NTU_25
from kinespan.models.input_spec import InputSpec
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec


def with_changes(spec: ModelSpec, **changes: object) -> ModelSpec:
    """The spec with other fields, those of its InputSpec among them."""
    of_input = {part.name: changes.pop(part.name) for part in fields(InputSpec) if part.name in changes}
    return replace(spec, input=replace(spec.input, **of_input), **changes)


def tiny_localizer(labels: Sequence[str], seed: int = 0) -> Localizer:
    """A localizer of NTU skeletons with random weights, small and fast."""
    spec = replace(
        ModelSpec.of_network(NetworkConfig(encoder="tcn", fps=15.0), NTU_25),
        kind="localizer",
        fusion="last_map",
        labels=LabelSet(tuple(labels)),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Localizer(spec).eval()
