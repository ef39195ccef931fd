"""What the tests of models share."""

from __future__ import annotations

from dataclasses import fields, replace

from kinespan.models.input_spec import InputSpec
from kinespan.models.model_file import ModelSpec


def with_changes(spec: ModelSpec, **changes: object) -> ModelSpec:
    """The spec with other fields, those of its InputSpec among them."""
    of_input = {part.name: changes.pop(part.name) for part in fields(InputSpec) if part.name in changes}
    return replace(spec, input=replace(spec.input, **of_input), **changes)
