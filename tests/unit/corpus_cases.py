"""What the tests of corpora share: recordings and annotations made up, and a small corpus of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kinespan.corpus import CorpusWriter, Fold, Split
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.data.skeleton import Skeleton
from kinespan.data.skeletons import NTU_25

STICK = Skeleton("stick", ("low", "high"), (-1, 0), (), (0,), (1,), (1,), (1,), (0,), (0,))
LABELS = LabelSet(("wave", "kick"))


def recording(name: str, frames: int = 5, people: int = 1, skeleton: Skeleton = STICK, seed: int = 0) -> Recording:
    rng = np.random.default_rng(seed)
    positions = rng.normal(size=(frames, people, skeleton.num_joints, 3)).astype(np.float32)
    valid = rng.random((frames, people, skeleton.num_joints)) < 0.8
    valid[0, 0] = True
    return Recording(positions, 30.0, skeleton, name, valid, f"{name}.csv", {"performer": name[:1]}, ("read",))


def annotation(*spans: Span, covered: tuple[tuple[float, float], ...] | None = None) -> Annotation:
    return Annotation(spans, LABELS, covered)


def same(left: Recording, right: Recording) -> bool:
    fields = ("fps", "skeleton", "name", "source", "attributes", "history")
    return (
        np.array_equal(left.positions, right.positions)
        and np.array_equal(left.valid, right.valid)
        and all(getattr(left, field) == getattr(right, field) for field in fields)
    )


def small_corpus(folder: Path) -> Path:
    """Three recordings, two of them annotated, on two skeletons, with a split."""
    path = folder / "small"
    with CorpusWriter(path, "small", LABELS) as writer:
        writer.add(recording("a1", 7, 2), annotation(Span(0.0, 0.1, "kick"), covered=((0.0, 0.2),)))
        writer.add(recording("b1", 4, 1, NTU_25, seed=1))
        writer.add(recording("a2", 9, 3, seed=2), annotation())
        writer.add_split(Split("half", {1: Fold(("a1",), ("b1", "a2"))}, ("wave",)))
    return path
