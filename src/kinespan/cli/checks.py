"""Checks of arguments that need no torch, so that a mistake is reported at once, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..config import NetworkConfig
from ..corpus.store import INDEX_FILE
from ..data.skeletons import SKELETONS
from ..data.unknown import NAMES, Unknown
from ..decode.presets import DECODERS
from ..errors import InputError, unknown
from ..models.model_file import ModelSpec, read_spec
from ..registry import plugins
from ..runs.folder import MODEL_FILE, pretrained_file

ENCODER_NAMES = (
    "agcn", "agcn_4res", "ctrgcn", "dste", "dste_light", "hdgcn", "hyperformer", "stgcn16", "stgcn16_light", "stgcn64",
    "tcn", "tcn_long",
)  # fmt: skip
"""Encoders that are part of kinespan, by name; their registry is filled by modules that import torch."""
METHOD_OPTIONS = {
    "aimclr": ("keep", "topk", "mine_from"),
    "crosclr": ("topk", "mine_from"),
    "rvtclr": ("margin", "topk", "mine_from"),
    "skeletonclr": (),
    "usdrl": ("views", "dim", "similarity", "variance", "covariance", "correlation", "temporal", "spatial"),
}
"""Pretraining methods that are part of kinespan, by name, and the names of their options."""
DEVICES = ("cpu", "cuda", "mps", "xpu")
"""Kinds of devices that models compute on."""


def check_encoder(name: str) -> None:
    """Raise InputError for an unknown encoder."""
    if name in ENCODER_NAMES:
        return
    if not plugins():
        raise unknown("encoder", name, ENCODER_NAMES)
    from ..encoders import ENCODERS

    ENCODERS[name]


def check_method(name: str, options: Mapping[str, object]) -> None:
    """Raise InputError for an unknown pretraining method, or an option that it does not have."""
    if name not in METHOD_OPTIONS and not plugins():
        raise unknown("method", name, METHOD_OPTIONS)
    for option in options:
        if option not in METHOD_OPTIONS.get(name, options):
            raise InputError(f"--options of method {name}: {unknown('setting', option, METHOD_OPTIONS[name])}")
    if name in METHOD_OPTIONS and not options:
        return
    from ..methods import method_options

    method_options(name, options)


def check_network(network: NetworkConfig) -> None:
    """Raise InputError for an unknown encoder or skeleton."""
    check_encoder(network.encoder)
    if network.skeleton not in ("auto", "own"):
        SKELETONS[network.skeleton]


def check_decoder(name: str | None) -> None:
    """Raise InputError for an unknown decoder."""
    if name is not None:
        DECODERS[name]


def check_unknown_below(score: float | None) -> None:
    """Raise InputError for a score that is none."""
    if score is not None:
        Unknown(NAMES[0], score)


def check_out_folder(path: Path) -> None:
    """Raise InputError where a folder to write to is a file."""
    if path.exists() and not path.is_dir():
        raise InputError(f"--out {path}: is a file, expected a folder to write to")


def check_out_file(path: Path | None) -> None:
    """Raise InputError where a file cannot be written: its folder is missing, or it is a folder itself."""
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"--out {path}: is a folder, expected a file to write")
    if not path.parent.is_dir():
        raise InputError(f"--out {path}: folder {path.parent} does not exist")


def check_device_name(name: str) -> None:
    """Raise InputError for an unknown kind of device; `available_device` checks whether this machine has it."""
    if name.partition(":")[0] not in DEVICES:
        raise InputError(f"--device {name}: unknown device; available: {', '.join(DEVICES)}")


def available_device(name: str) -> str:
    """The name of a device that this machine has. Raises InputError for any other."""
    import torch

    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise InputError(f"--device {name}: this machine has no such device; cpu always works") from None
    return name


def is_corpus(path: Path) -> bool:
    """Whether a path is the folder of a corpus."""
    return (path / INDEX_FILE).is_file()


def model_file(path: Path) -> Path:
    """The model file that a path means: itself, or the model, else the encoder, in the folder of a run."""
    file = path / MODEL_FILE
    return file if file.is_file() else pretrained_file(path)


def localizer_spec(path: Path) -> ModelSpec:
    """The spec of a model that localizes, in a model file or the folder of a run.

    Raises InputError where there is none, and for a pretrained encoder.
    """
    file = model_file(path)
    spec = read_spec(file)
    if spec.kind == "encoder":
        raise InputError(
            f"{file}: a pretrained encoder, it names no actions; run kinespan finetune --pretrained {file}"
        )
    return spec
