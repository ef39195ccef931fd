"""Teach by example: one moment of the built-in corpus finds others of its kind, with the shipped encoder, no labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinespan.corpus import Corpus, CorpusWriter
from kinespan.prepare.synthetic.takes import ACTIONS, SyntheticConfig, synthetic_takes
from kinespan.retrieval.index import SnippetIndex, build_index
from kinespan.retrieval.search import Hit, Moment, search
from kinespan.runs.load import load_encoder

FIRST = 5
"""Hits that are judged."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Corpus, SnippetIndex]:
    folder: Path = tmp_path_factory.mktemp("teach")
    with CorpusWriter(folder / "corpus", "made", ACTIONS) as writer:
        for recording, annotation in synthetic_takes(SyntheticConfig(recordings=12, seconds=(15.0, 20.0), fps=15.0)):
            writer.add(recording, annotation)
    corpus = Corpus.open(folder / "corpus")
    return corpus, build_index(corpus, load_encoder("default"), folder / "index.npz")


def is_right(corpus: Corpus, hit: Hit, label: str) -> bool:
    """Whether a hit shares half of its time with a span of the label."""
    annotation = corpus.annotation(hit.recording)
    assert annotation is not None
    overlaps = [min(s.end, hit.end) - max(s.start, hit.start) for s in annotation.spans if s.label == label]
    return max(overlaps, default=0.0) >= 0.5 * (hit.end - hit.start)


def test_moments_of_a_label_find_others_of_it(made: tuple[Corpus, SnippetIndex]) -> None:
    corpus, index = made
    right: dict[str, list[float]] = {}
    for name in corpus.names:
        annotation = corpus.annotation(name)
        assert annotation is not None
        for span in annotation.spans:
            hits = search(index, Moment(name, span.start, span.end), FIRST)
            assert len(hits) == FIRST
            share = np.mean([is_right(corpus, hit, span.label) for hit in hits])
            right.setdefault(span.label, []).append(float(share))
    frequent = {label: float(np.mean(shares)) for label, shares in right.items() if len(shares) >= FIRST - 1}
    by_chance = 1 / (len(ACTIONS) + 4)  # some of the time is of no label
    assert len(frequent) >= 4
    assert np.mean(list(frequent.values())) > 4 * by_chance, frequent


def test_a_motion_that_is_repeated_is_the_best_hit(tmp_path: Path) -> None:
    """Two seconds of a take, pasted into it again, where its person stands."""
    takes = [take for take, _ in synthetic_takes(SyntheticConfig(recordings=6, seconds=(15.0, 20.0), fps=15.0))]
    positions, valid = takes[0].positions.copy(), takes[0].valid.copy()
    piece = positions[60:90].copy()
    positions[180:210] = piece + (positions[180, 0, 0] - piece[0, 0, 0]) * np.array([1, 0, 1], dtype=np.float32)
    valid[180:210] = valid[60:90]
    takes[0] = takes[0].with_changes("pasted", positions=positions, valid=valid)
    with CorpusWriter(tmp_path / "corpus", "made", ACTIONS) as writer:
        for take in takes:
            writer.add(take)
    index = build_index(Corpus.open(tmp_path / "corpus"), load_encoder("default"), tmp_path / "index.npz")
    best = search(index, Moment(takes[0].name, 4.0, 6.0), 1)[0]
    assert best.recording == takes[0].name
    assert best.start == pytest.approx(12.0, abs=0.3)
    assert best.end - best.start == pytest.approx(2.0)
