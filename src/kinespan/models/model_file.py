"""A model is one safetensors file whose metadata is enough to use it. No pickle is ever written or read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .._version import __version__
from ..config import NetworkConfig
from ..data.annotation import TOLERANCE, LabelSet
from ..data.skeleton import Skeleton
from ..decode import DecodeConfig
from ..errors import InputError
from ..files import write_atomically
from .input_spec import InputSpec

if TYPE_CHECKING:  # torch takes seconds to import
    from torch import Tensor

FORMAT = 2
People = Literal["together", "each"]
"""together: everybody in a recording is seen at once, with one answer; each: every person alone, an answer each."""


@dataclass(frozen=True)
class ModelSpec:
    """All that is needed to use a model's weights, and their origin.

    kind: `encoder` (pretrained, names no actions), `localizer`, or `ensemble` (several models whose scores are
    averaged, see `Ensemble`). training holds the settings and the data it was trained on, licence the terms of the
    weights. What was measured with a model stands in the metrics.json of its run, not here.
    """

    kind: Literal["encoder", "localizer", "ensemble"]
    input: InputSpec
    encoder: str
    """The encoder's name."""
    fuse_streams: Literal["early", "late"] = "early"
    """early: one encoder for all streams; late: an encoder for each stream, whose features are joined."""
    clip_frames: int = 64
    """Frames of the clips that it was trained on: the windows of an encoder that looks at a whole clip."""
    fusion: str | None = None
    refine_stages: int = 0
    """Stages of refinement after the head, whose dilations go by clip_frames; 0: none."""
    refine_features: bool = False
    """Whether those stages see the fused features beside the scores."""
    labels: LabelSet | None = None
    people: People = "together"
    """each: its training labels say whose action it is, so that people are told apart."""
    decode: DecodeConfig = field(default_factory=DecodeConfig)
    """How scores become spans; not written for an encoder, which has no scores."""
    temperature: float = 1.0
    """What logits are divided by before they become frame scores, so that these are probabilities (temperature
    scaling); of an ensemble, those of the mean of its members' scores. Learnt by `kinespan.train.calibration`."""
    training: Mapping[str, Any] = field(default_factory=dict)
    licence: str = "not stated; the terms of the motion it was trained on hold"
    version: str = __version__
    members: tuple[ModelSpec, ...] = ()
    """ensemble: the spec of each model in it."""
    weights: tuple[float, ...] = ()
    """ensemble: how much each member's scores count; only their ratios matter."""

    @staticmethod
    def of_network(network: NetworkConfig, skeleton: Skeleton) -> ModelSpec:
        """The spec of an untrained encoder of these settings, on a skeleton. Raises InputError for bad streams."""
        return ModelSpec(
            kind="encoder",
            input=InputSpec(skeleton, network.fps, network.streams, network.normalisation),
            encoder=network.encoder,
            fuse_streams=network.fuse_streams,
        )

    def with_training(self, **facts: Any) -> ModelSpec:
        """The spec with these facts of its training beside or in place of those that it has."""
        return replace(self, training={**self.training, **facts})

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data: dict[str, Any] = {"format": FORMAT}
        data |= {name: getattr(self, name) for name in self.__dataclass_fields__}
        data["input"] = self.input.to_dict()
        data["labels"] = None if self.labels is None else asdict(self.labels)
        data["decode"] = asdict(self.decode)
        if self.kind == "encoder":
            del data["decode"]
        data["members"] = [member.to_dict() for member in self.members]
        return {**data, "training": dict(self.training)}

    @staticmethod
    def from_dict(data: Mapping[str, Any], where: object = "model") -> ModelSpec:
        """The spec that `to_dict` wrote.

        Raises InputError naming the file, `where`, and the field; for an earlier format also the command that makes
        the model anew.
        """
        _check_format(data, where)
        values = {name: data[name] for name in ModelSpec.__dataclass_fields__ if name in data}
        try:
            values["input"] = InputSpec.from_dict(values["input"])
            if "decode" in values or values["kind"] != "encoder":
                values["decode"] = _decode_config(values["decode"])
            if values["labels"] is not None:
                values["labels"] = _label_set(values["labels"])
            members = tuple(ModelSpec.from_dict(member, where) for member in data.get("members", ()))
            values["temperature"] = _temperature(data.get("temperature", 1.0))
            values |= {"members": members, "weights": tuple(map(float, data.get("weights", ())))}
            if (values["kind"] == "ensemble") != bool(members) or len(members) != len(values["weights"]):
                raise ValueError(f"kind {values['kind']}, {len(members)} members, {len(values['weights'])} weights")
            return ModelSpec(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{where}: metadata is not complete or not of this version ({error})") from None


def _label_set(data: Mapping[str, Any]) -> LabelSet:
    """The label set in a model's metadata; those of models without events may say nothing of them."""
    events, tolerance = tuple(data.get("events", ())), float(data.get("tolerance", TOLERANCE))
    return LabelSet(tuple(data["names"]), bool(data["exclusive"]), events, tolerance)


def _decode_config(data: Mapping[str, Any]) -> DecodeConfig:
    durations = tuple((float(mean), float(spread)) for mean, spread in data.get("durations", ()))
    calibration = tuple(float(value) for value in data.get("span_calibration", ()))
    tuples = {"thresholds": tuple(data["thresholds"]), "durations": durations, "span_calibration": calibration}
    return DecodeConfig(**{**data, **tuples})


def _temperature(value: Any) -> float:
    """The temperature in a model's metadata, 1 in those that were written before there was one. Raises ValueError."""
    temperature = float(value)
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature {value}, expected a positive number")
    return temperature


def _check_format(data: Mapping[str, Any], where: object) -> None:
    """Raise InputError for metadata of another format."""
    version, advice = data.get("format"), "update kinespan"
    if version == FORMAT:
        return
    if isinstance(version, int) and version < FORMAT:
        advice = f"make it anew: {_command_that_makes(data)}"
    raise InputError(f"{where}: model format is {version!r}, this version reads {FORMAT}; {advice}")


def _command_that_makes(data: Mapping[str, Any]) -> str:
    """The command that made a model, as far as its metadata say, also those of an earlier format."""
    if data.get("members"):
        return "kinespan learn or, of its members made anew, kinespan ensemble"
    facts = data.get("training") or {}
    stage = facts.get("stage") or ("pretrain" if data.get("kind") == "encoder" else "finetune")
    words = [f"kinespan {stage} CORPUS"]
    words += [f"--{name} {facts[name]}" for name in ("protocol", "split", "fold") if facts.get(name) is not None]
    return " ".join([*words, "--out FOLDER"]) + (f" (CORPUS: {facts['corpus']})" if facts.get("corpus") else "")


def save_weights(path: Path, weights: Mapping[str, Tensor], spec: ModelSpec) -> None:
    """Write a model file, whole or not at all. Raises InputError where the folder cannot be written to."""
    from safetensors.torch import save

    data = save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()},
        metadata={"kinespan": json.dumps(spec.to_dict())},
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    write_atomically(path, data)


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
