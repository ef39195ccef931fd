"""The weights of a pretrained encoder."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ..errors import InputError
from ..models.localizer import Localizer
from ..models.model_file import read_spec, read_weights
from .folder import pretrained_file


def encoder_weights(file: Path) -> dict[str, Tensor]:
    """The weights of a pretrained encoder, or of the encoder of a localizer. Raises InputError for an ensemble."""
    weights, kind = read_weights(file), read_spec(file).kind
    if kind == "ensemble":
        raise InputError(f"{file}: an ensemble has no encoder of its own; give the run of one of its members")
    if kind == "localizer":
        prefix = "encoder."
        return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}
    return weights


def load_pretrained(localizer: Localizer, pretrained: Path) -> None:
    """Copy the weights of a pretrained encoder, or of a localizer's. Raises InputError where they do not fit."""
    file = pretrained_file(pretrained)
    try:
        localizer.encoder.load_state_dict(encoder_weights(file))
    except RuntimeError as error:
        raise InputError(f"{file}: weights do not fit the encoder {localizer.spec.encoder!r}: {error}") from None
