"""Fuse finetuned models into one model file: its scores are the weighted mean of theirs.

As a rule they see different streams of one corpus, as in the two- and three-stream results of the field:
kinespan fuse RUN_JOINT RUN_MOTION RUN_BONE --weights 0.6 0.6 0.4 --out fused.safetensors. The file is used like any
other by localize and evaluate. Evaluate it on the fold that its members were trained for: it has no test of its own.
"""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from ..errors import InputError

SUFFIX = ".safetensors"


def add_arguments(parser: ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("models", type=str, nargs="+", help="folders of finetuning runs, or model files; two or more")
    parser.add_argument("--weights", type=float, nargs="+", help="how much each model counts; default: all the same")
    parser.add_argument("--out", type=str, required=True, help=f"model file to write, NAME{SUFFIX}")


def run(arguments: Namespace) -> int:
    """Fuse, write, say what counts how much."""
    from ..ensemble import ensemble
    from ..localizer import load_model

    out = Path(arguments.out)
    if out.suffix != SUFFIX or out.is_dir():
        raise InputError(f"--out {out}: expected the name of a file that ends in {SUFFIX}")
    members = [load_model(path) for path in arguments.models]
    model = ensemble(members, arguments.weights, arguments.models)
    model.save(out)
    for path, member, weight in zip(arguments.models, members, model.spec.weights, strict=True):
        print(f"  {weight:g} x {path}: {', '.join(member.spec.input.streams)}")
    print(f"fused model written to {out}")
    return 0
