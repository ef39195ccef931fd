"""Training clips shown in a mirror: what was labelled on one side only is known on the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from kinespan.config import AugmentConfig, FinetuneConfig, NetworkConfig
from kinespan.corpus import Corpus, CorpusWriter
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.data.skeleton import Skeleton
from kinespan.prepare.synthetic.takes import SyntheticConfig, synthetic_takes
from kinespan.train import finetune_module
from kinespan.train.finetuning import finetune
from kinespan.transforms.augment import mirror_some

LABELS = LabelSet(("raise left", "raise right", "rest"))
STILL = AugmentConfig(crop_min=1, shear=0, rotation=0, tilt=0, noise=0, blur=0)
CONFIG = FinetuneConfig(
    protocol="scratch", network=NetworkConfig(encoder="tcn"), augment=STILL, fusion="last_map", clip_frames=32,
    batch_size=8, steps=40, lr=5e-3, dropout=0.0, precision="32", refine_stages=0,
)  # fmt: skip


def one_armed(side: str, number: int) -> Recording:
    """Six seconds in which one hand goes up for the middle two, on the body of the built-in corpus."""
    take, _ = next(iter(synthetic_takes(SyntheticConfig(recordings=1, seconds=(6.0, 6.5), fps=15.0, seed=number))))
    still = np.repeat(take.positions[:1], 90, axis=0).copy()
    joints = hand(take.skeleton, side)
    still[30:60, :, joints, 1] += np.float32(0.8)
    still += np.random.default_rng(number).normal(0, 0.01, still.shape).astype(np.float32)
    return Recording(still, 15.0, take.skeleton, f"{side}{number}")


def hand(skeleton: Skeleton, side: str) -> list[int]:
    """Joints of a hand: those of the side whose names say hand."""
    found = [joint for joint, name in enumerate(skeleton.joints) if "hand" in name.lower() and side in name.lower()]
    assert found
    return found


def arms(folder: Path, sides: Sequence[str]) -> Corpus:
    """Three recordings of each side."""
    with CorpusWriter(folder, "arms", LABELS) as writer:
        for side, number in product(sides, range(3)):
            spans = (Span(0, 2, "rest"), Span(2, 4, f"raise {side}"), Span(4, 6, "rest"))
            writer.add(one_armed(side, number), Annotation(spans, LABELS))
    return Corpus.open(folder)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return arms(tmp_path / "corpus", ["left"])


def share_named(corpus: Corpus, out: Path, mirror: str, label: str) -> float:
    """Share of the time for which an unseen right hand is up that a model trained on left ones gives a label."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model = finetune(corpus, out, replace(CONFIG, mirror=mirror), quiet=True)  # type: ignore[arg-type]
    torch.set_num_threads(threads)
    best = model.frame_scores(one_armed("right", 7))[32:58].argmax(axis=1)
    return float(np.mean(best == 1 + LABELS.index(label)))


def test_labels_of_the_left_are_learnt_for_the_right(corpus: Corpus, tmp_path: Path) -> None:
    assert share_named(corpus, tmp_path / "auto", "auto", "raise right") > 0.9
    assert share_named(corpus, tmp_path / "off", "off", "raise right") < 0.1


@pytest.mark.parametrize(
    ("mirror", "sides", "expected"),
    [
        ("auto", ("left", "right"), [0.5, 0.4, 0.3, 0.2, 0.1]),
        ("auto", ("left",), [0.5] * 5),  # the other side is known from mirrored clips alone
        ("on", ("left", "right"), [0.5] * 5),
        ("off", ("left", "right"), []),
    ],
)
def test_share_of_mirrored_clips_follows_the_setting(mirror, sides, expected, tmp_path: Path, monkeypatch) -> None:
    shares: list[float] = []

    def noted(view, skeleton, share, generator):
        shares.append(share)
        return mirror_some(view, skeleton, share, generator)

    monkeypatch.setattr(finetune_module, "mirror_some", noted)
    finetune(arms(tmp_path / "corpus", sides), tmp_path / "run", replace(CONFIG, steps=5, mirror=mirror), quiet=True)
    assert shares == pytest.approx(expected)
