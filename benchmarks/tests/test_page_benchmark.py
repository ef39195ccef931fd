"""The corpus that the page is measured on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks.page import long_motion, write_corpus

from kinespan.corpus.store import Corpus


def test_long_motion_has_its_length_and_moves_without_jumps() -> None:
    recording = long_motion(minutes=2, fps=120)
    assert recording.duration == 120
    assert recording.num_frames == 14_400
    steps = np.linalg.norm(np.diff(recording.positions, axis=0), axis=-1)
    assert 0 < steps.max() * 120 < 20  # metres a second


def test_the_corpus_has_spans_all_along_its_recording(tmp_path: Path) -> None:
    write_corpus(tmp_path / "long", minutes=0.5, fps=60, num_spans=100)
    corpus = Corpus.open(tmp_path / "long")
    spans = corpus.annotation(corpus.names[0]).spans
    assert len(spans) == 100
    assert spans[-1].end > 29
