"""Models from model files and from the folders of runs."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ..config import Precision
from ..encoders import Encoder
from ..errors import InputError
from ..models.base import Model
from ..models.encoder_model import EncoderModel
from ..models.localizer import Localizer, build_model
from ..models.model_file import read_spec, read_weights
from .folder import localizer_file, pretrained_file


def load_model(path: str | Path, device: str = "cpu", precision: Precision = "32") -> Model:
    """The model in a model file or in the folder of a finetuning run, ready to localize.

    precision: of scoring recordings (`Localizer`), of each member of an ensemble. Raises InputError for a file that is
    not a kinespan localizer.
    """
    file = localizer_file(path)
    model = build_model(read_spec(file))
    try:
        model.load_state_dict(read_weights(file))
    except RuntimeError as error:
        raise InputError(f"{file}: weights do not fit the model described in it: {error}") from None
    for module in model.modules():
        if isinstance(module, Localizer):
            module.precision = precision
    return model.to(device).eval()


def load_encoder(path: str | Path, device: str = "cpu") -> EncoderModel:
    """The pretrained encoder in a model file or run folder, or that of a localizer, ready to embed recordings.

    path: `default` is the encoder of the package. Raises InputError where there is none, and for an ensemble.
    """
    file = pretrained_file(path)
    model = EncoderModel.of_spec(read_spec(file))
    load_encoder_weights(model.encoder, file)
    return model.to(device).eval()


def load_encoder_weights(encoder: Encoder, path: str | Path) -> None:
    """Copy the weights of a pretrained encoder, or of a localizer's, into an encoder.

    Raises InputError where they do not fit, and for an ensemble.
    """
    file = pretrained_file(path)
    spec = read_spec(file)
    try:
        encoder.load_state_dict(_encoder_weights(file, spec.kind))
    except RuntimeError as error:
        raise InputError(f"{file}: weights do not fit the encoder {spec.encoder!r}: {error}") from None


def _encoder_weights(file: Path, kind: str) -> dict[str, Tensor]:
    """The weights of the encoder in a model file of some kind, by their names in the encoder."""
    if kind == "ensemble":
        raise InputError(f"{file}: an ensemble has no encoder of its own; give the run of one of its members")
    weights, prefix = read_weights(file), "encoder." if kind == "localizer" else ""
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}
