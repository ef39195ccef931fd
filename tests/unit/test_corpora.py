from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinespan.corpus import Corpus, CorpusWriter
from kinespan.errors import InputError
from kinespan.recording import Recording
from kinespan.skeleton import Skeleton
from kinespan.skeletons import KINECT_20, NTU_25
from kinespan.train.corpora import choose_skeleton, corpus_parts


def corpus_of(path: Path, *skeletons: Skeleton) -> Corpus:
    with CorpusWriter(path, "made") as writer:
        for number, skeleton in enumerate(skeletons):
            positions = np.ones((4, 1, skeleton.num_joints, 3), np.float32)
            writer.add(Recording(positions, 30.0, skeleton, f"r{number}"))
    return Corpus.open(path)


def test_auto_takes_the_shared_skeleton_and_else_ntus(tmp_path: Path) -> None:
    mixed = corpus_of(tmp_path / "mixed", KINECT_20, KINECT_20, NTU_25)
    assert choose_skeleton("auto", mixed, ("r0", "r1")) == KINECT_20
    assert choose_skeleton("auto", mixed, mixed.names) == NTU_25
    assert choose_skeleton("kinect20", mixed, mixed.names) == KINECT_20
    with pytest.raises(InputError, match="no recordings"):
        choose_skeleton("auto", mixed, ())


def test_without_a_split_every_recording_is_on_both_sides(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path / "one", KINECT_20)
    assert corpus_parts(corpus, None, 1) == (("r0",), ("r0",), ())
    with pytest.raises(InputError, match="no split 'x'"):
        corpus_parts(corpus, "x", 1)
