"""Average finetuned models into one model file, whose scores are the weighted mean of theirs.

Usually the models see different streams of one corpus, as in the two- and three-stream results of the field:
kinespan ensemble RUN_JOINT RUN_MOTION RUN_BONE --weights 0.6 0.6 0.4 --out ensemble.safetensors. `localize` and
`evaluate` take the file like any other model. Nothing is tested here: evaluate it on the fold that its members were
trained for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .arguments import Positional
from .checks import localizer_spec
from .help import shown

SUFFIX = ".safetensors"


@dataclass(frozen=True, kw_only=True)
class EnsembleArguments:
    """The models, and the file to write their average to."""

    models: Positional[tuple[Path, ...]]
    """Two or more folders of finetuning runs, or model files."""
    weights: tuple[float, ...] | None = None
    """Weight of each model; by default all are equal."""
    out: Path
    """Model file to write, NAME.safetensors."""


def run(arguments: EnsembleArguments) -> int:
    """Average and write, and print the weight of each model."""
    out, paths, weights = arguments.out, arguments.models, arguments.weights
    if out.suffix != SUFFIX or out.is_dir():
        raise InputError(f"--out {out}: expected the name of a file that ends in {SUFFIX}")
    if len(paths) < 2:
        raise InputError(f"an ensemble needs at least two models, found {len(paths)}")
    if weights is not None and len(weights) != len(paths):
        raise InputError(f"--weights: found {len(weights)} for {len(paths)} models, expected one each")
    if not all(weight > 0 for weight in weights or ()):
        raise InputError(f"--weights: found {shown(weights)}, expected positive numbers")
    for path in paths:
        localizer_spec(path)

    from ..models.ensemble import ensemble
    from ..runs.load import load_model

    members = [load_model(path) for path in paths]
    model = ensemble(members, weights, paths)
    model.save(out)
    for path, member, weight in zip(paths, members, model.spec.weights, strict=True):
        print(f"  {weight:g} x {path}: {', '.join(member.spec.input.streams)}")
    print(f"average of {len(paths)} models written to {out}")
    return 0
