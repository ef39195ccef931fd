"""A model is one safetensors file whose metadata is enough to use it. No pickle is ever written or read."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import __version__
from .annotation import LabelSet
from .config import Normalisation
from .decode import DecodeConfig
from .errors import InputError
from .skeleton import Skeleton

if TYPE_CHECKING:  # torch takes seconds to import
    from torch import Tensor

FORMAT = 1


@dataclass(frozen=True)
class ModelSpec:
    """What is needed to use weights, and where they come from.

    kind: `encoder` (pretrained, names no actions), `localizer`, or `fused` (several localizers, whose scores are
    averaged: see fused.py). training holds the settings and the data it
    was trained on, metrics what was measured with the split stated, licence the terms of the weights.
    """

    kind: Literal["encoder", "localizer", "fused"]
    skeleton: Skeleton
    fps: float
    streams: tuple[str, ...]
    normalisation: Normalisation
    encoder: str
    fuse_streams: Literal["early", "late"] = "early"
    clip_frames: int = 64
    """Frames of the clips that it was trained on: the windows of an encoder that looks at a whole clip."""
    fusion: str | None = None
    refine_stages: int = 0
    """Stages of refinement after the head, whose dilations go by clip_frames; 0: none."""
    refine_features: bool = False
    """Whether those stages see the fused features beside the scores."""
    labels: LabelSet | None = None
    decode: DecodeConfig = field(default_factory=DecodeConfig)
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    licence: str = "not stated; the terms of the motion it was trained on hold"
    version: str = __version__
    members: tuple[ModelSpec, ...] = ()
    """fused: the models, each with all that it needs."""
    weights: tuple[float, ...] = ()
    """fused: how much each member's scores count; only their ratios matter."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        data["skeleton"] = self.skeleton.to_dict()
        for name in ("normalisation", "decode", "labels"):
            data[name] = None if data[name] is None else asdict(data[name])
        data["members"] = [member.to_dict() for member in self.members]
        return {"format": FORMAT, **data, "training": dict(self.training), "metrics": dict(self.metrics)}

    @staticmethod
    def from_dict(data: Mapping[str, Any], where: object = "model") -> ModelSpec:
        """The spec that `to_dict` wrote. Raises InputError naming the file and the field."""
        if data.get("format") != FORMAT:
            raise InputError(
                f"{where}: model format is {data.get('format')!r}, this version reads {FORMAT}; update kinespan"
            )
        values = {name: data[name] for name in ModelSpec.__dataclass_fields__ if name in data}
        try:
            values["skeleton"] = Skeleton.from_dict(values["skeleton"])
            values["streams"] = tuple(values["streams"])
            values["normalisation"] = Normalisation(**values["normalisation"])
            decode = values["decode"]
            durations = tuple((float(mean), float(spread)) for mean, spread in decode.get("durations", ()))
            sequences = {"thresholds": tuple(decode["thresholds"]), "durations": durations}
            values["decode"] = DecodeConfig(**{**decode, **sequences})
            if values["labels"] is not None:
                names = tuple(values["labels"]["names"])
                values["labels"] = LabelSet(names, bool(values["labels"]["exclusive"]))
            members = tuple(ModelSpec.from_dict(member, where) for member in data.get("members", ()))
            values |= {"members": members, "weights": tuple(map(float, data.get("weights", ())))}
            if (values["kind"] == "fused") != bool(members) or len(members) != len(values["weights"]):
                raise ValueError(f"kind {values['kind']}, {len(members)} members, {len(values['weights'])} weights")
            return ModelSpec(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{where}: metadata is not complete or not of this version ({error})") from None


def save_weights(path: Path, weights: Mapping[str, Tensor], spec: ModelSpec) -> None:
    """Write a model file, whole or not at all. Raises InputError where the folder cannot be written to."""
    from safetensors.torch import save

    data = save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()},
        metadata={"kinespan": json.dumps(spec.to_dict())},
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error


def read_spec(path: Path) -> ModelSpec:
    """The spec of a model file, without its weights. Raises InputError for a file that is no kinespan model."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise InputError(f"{path}: no such model file")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise InputError(f"{path}: not a safetensors file ({error})") from None
    if "kinespan" not in metadata:
        raise InputError(f"{path}: a safetensors file, but not written by kinespan (no 'kinespan' metadata)")
    try:
        data = json.loads(metadata["kinespan"])
    except ValueError as error:
        raise InputError(f"{path}: its 'kinespan' metadata is not JSON ({error})") from None
    if not isinstance(data, dict):
        raise InputError(f"{path}: its 'kinespan' metadata is {type(data).__name__}, expected an object")
    return ModelSpec.from_dict(data, path)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights of a model file by name."""
    from safetensors.torch import load_file

    return load_file(path)
