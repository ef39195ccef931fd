"""Checks of arguments that need no torch, so that a mistake is reported at once, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import NetworkConfig
from ..errors import InputError, unknown
from ..registry import plugins

if TYPE_CHECKING:
    from ..corpus.store import Corpus
    from ..models.model_file import ModelSpec

ENCODER_NAMES = (
    "agcn", "agcn_4res", "ctrgcn", "dste", "dste_light", "hdgcn", "hyperformer", "stgcn16", "stgcn16_light", "stgcn64",
    "tcn", "tcn_long",
)  # fmt: skip
"""Encoders that are part of kinespan, by name; their registry is filled by modules that import torch."""
METHOD_NAMES = ("aimclr", "crosclr", "rvtclr", "skeletonclr", "usdrl")
"""Pretraining methods that are part of kinespan, by name."""
DEVICES = ("cpu", "cuda", "mps", "xpu", "hpu", "mtia", "vulkan", "meta", "privateuseone")
"""Kinds of devices that torch knows."""


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
    if name in METHOD_NAMES and not options:
        return
    if name not in METHOD_NAMES and not plugins():
        raise unknown("method", name, METHOD_NAMES)
    from ..methods import method_options

    method_options(name, options)


def check_network(network: NetworkConfig) -> None:
    """Raise InputError for an unknown encoder or skeleton, and for streams that are missing or given twice."""
    from ..data.skeletons import SKELETONS

    check_encoder(network.encoder)
    if network.skeleton != "auto":
        SKELETONS[network.skeleton]


def check_decoder(name: str | None) -> None:
    """Raise InputError for an unknown decoder."""
    from ..decode.presets import DECODERS

    if name is not None:
        DECODERS[name]


def check_out_folder(path: Path) -> None:
    """Raise InputError where a folder to write to is a file."""
    if path.exists() and not path.is_dir():
        raise InputError(f"--out {path}: is a file, expected a folder to write to")


def make_folder(path: Path) -> Path:
    """The folder, made if missing. Raises InputError where it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {path}: {error.strerror}") from None
    return path


def check_out_file(path: Path | None) -> None:
    """Raise InputError where a file cannot be written: its folder is missing, or it is a folder itself."""
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"--out {path}: is a folder, expected a file to write")
    if not path.parent.is_dir():
        raise InputError(f"--out {path}: folder {path.parent} does not exist")


def check_device_name(name: str) -> None:
    """Raise InputError for the name of no kind of device; `available_device` says whether it is there."""
    if name.partition(":")[0] not in DEVICES:
        raise InputError(f"--device {name}: no such kind of device; use cpu, cuda or mps")


def available_device(name: str) -> str:
    """The name of a device that is there. Raises InputError for any other."""
    import torch

    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise InputError(f"--device {name}: this machine has no such device; cpu always works") from None
    return name


def is_corpus(path: Path) -> bool:
    """Whether a path is the folder of a corpus."""
    return path.is_dir() and (path / "index.json").is_file()


def open_corpus(path: str | Path) -> Corpus:
    """The corpus at a path. Raises InputError where there is none, saying how to make one."""
    from ..corpus.store import Corpus

    return Corpus.open(path)


def localizer_spec(path: Path) -> ModelSpec:
    """The spec of a model that localizes, in a model file or the folder of a run.

    Raises InputError where there is none, and for a pretrained encoder.
    """
    from ..models.model_file import read_spec
    from ..runs.folder import MODEL_FILE

    file = path / MODEL_FILE if path.is_dir() else path
    spec = read_spec(file)
    if spec.kind == "encoder":
        raise InputError(
            f"{file}: a pretrained encoder, it names no actions; run kinespan finetune --pretrained {file}"
        )
    return spec
