"""Make the encoder that is shipped inside the package, and its model card.

    python -m benchmarks.study.shipped_encoder --out runs/shipped   # writes src/kinespan/pretrained/

Pool: CMU (BVH), HDM05 and the built-in corpus, all of each, without labels; settings: configs/pretrain/default.yaml.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import yaml

from kinespan.config import PretrainConfig
from kinespan.config.parser import parse_settings
from kinespan.corpus import Corpus
from kinespan.errors import InputError
from kinespan.models.model_file import read_spec, read_weights, save_weights
from kinespan.train.pretraining import pretrain

from ..results.store import ROOT
from .corpora import corpus_folder

CONFIG = ROOT / "configs" / "pretrain" / "default.yaml"
PACKAGE = ROOT / "src" / "kinespan" / "pretrained"
POOL = ("cmu_iclone", "cmu_indian", "cmu_martial", "cmu_salsa", "hdm05", "synthetic")
LICENCE = (
    "Apache-2.0 for the weights as far as they are ours to license; trained on CMU motion (free for research and "
    "commercial use, not to be resold directly), HDM05 (CC BY-SA 3.0) and kinespan's built-in corpus (Apache-2.0)"
)
CARD = """# The encoder that is shipped with kinespan

`kinespan finetune CORPUS --pretrained default` starts from it: `default.safetensors`, {size:.2f} MB,
{parameters:,} parameters.

| | |
|---|---|
| network | `{encoder}`, streams {streams}, {fps:g} frames a second, skeleton `{skeleton}` of {joints} joints |
| method | {method} with {snippets} snippets, {steps} steps of {batch} clips of {clip} frames, seed {seed} |
| motion | {recordings} recordings, {minutes:.0f} minutes, no labels: {counts} |
| licence | {licence} |
| made by | `python -m benchmarks.study.shipped_encoder`, settings in `configs/pretrain/default.yaml` |

## What it was trained on

* **CMU Graphics Lab Motion Capture Database**, BVH takes. The data used in this project was obtained from
  mocap.cs.cmu.edu. The database was created with funding from NSF EIA-0196217. Free for research and commercial use;
  the motion may not be resold directly.
* **HDM05**, 287 clips, CC BY-SA 3.0. Müller, Röder, Clausen, Eberhardt, Krüger, Weber: *Documentation Mocap Database
  HDM05*, technical report CG-2007-2, Universität Bonn, 2007.
* **kinespan's built-in corpus**, made by forward kinematics.

None of the motion is in the package, only the weights.

## What it is for, and not

A start for finetuning on a few labelled recordings of whole bodies. It names no actions by itself. It saw adults who
walk, run, jump, sit, dance, fight and play sports in front of marker systems: no children, no patients, no objects, no
faces or fingers, one person at a time. What it gives beside training from scratch on real motion is measured in
`docs/research/results.md`; try both on motion of yours.
"""


def card(file: Path, config: PretrainConfig, corpora: list[Corpus]) -> str:
    """The model card of a file, trained on some corpora."""
    spec, weights = read_spec(file), read_weights(file)
    counts = ", ".join(f"{corpus.name} {len(corpus)}" for corpus in corpora)
    return CARD.format(
        size=file.stat().st_size / 1e6, parameters=sum(weight.numel() for weight in weights.values()),
        encoder=spec.encoder, streams=" and ".join(spec.input.streams), fps=spec.input.fps,
        skeleton=spec.input.skeleton.name, joints=spec.input.skeleton.num_joints,
        method=config.method, snippets=config.snippet.variant, steps=config.steps,
        batch=config.batch_size, clip=config.clip_frames, seed=config.seed, recordings=spec.training["recordings"],
        minutes=spec.training["seconds"] / 60, counts=counts, licence=spec.licence,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/shipped"))
    out = parser.parse_args().out
    config = parse_settings(PretrainConfig, yaml.safe_load(CONFIG.read_text()), CONFIG.name)
    corpora = [Corpus.open(corpus_folder(name, out)) for name in POOL]
    shutil.rmtree(out / "run", ignore_errors=True)
    pretrained = pretrain(corpora, out / "run", config)
    PACKAGE.mkdir(parents=True, exist_ok=True)
    file = PACKAGE / "default.safetensors"
    save_weights(file, read_weights(pretrained), replace(read_spec(pretrained), licence=LICENCE))
    (PACKAGE / "default.md").write_text(card(file, config, corpora), encoding="utf-8")
    print(f"written to {PACKAGE}")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
