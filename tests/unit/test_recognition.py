"""Recognition of trimmed clips: the stretch that is taken, the two classifiers, and the figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.config import NetworkConfig, PretrainConfig, RecognizeConfig, SnippetConfig
from kinespan.corpus import Corpus, CorpusWriter, group_split
from kinespan.data.annotation import LabelSet
from kinespan.errors import InputError
from kinespan.prepare.synthetic.takes import ACTIONS, SyntheticConfig, synthetic_takes
from kinespan.train.pretraining import pretrain
from kinespan.train.recognition import linear, nearest, recognize, scored, trimmed
from kinespan.transforms.normalise import Motion


def ramp(frames: int, fps: float = 10.0) -> Motion:
    """One joint whose x is the number of the frame."""
    positions = np.zeros((frames, 1, 1, 3), np.float32)
    positions[:, 0, 0, 0] = np.arange(frames)
    return Motion(positions, np.ones(positions.shape[:3], dtype=bool), fps, "ramp")


def test_a_trimmed_clip_is_interpolated_between_frame_centres() -> None:
    positions, valid = trimmed(ramp(20), 0.5, 0.9, 4)  # frames 5, 6, 7, 8, as they are
    assert positions[:, 0, 0, 0].tolist() == [5, 6, 7, 8]
    assert valid.all()
    positions, _ = trimmed(ramp(20), 0.5, 0.9, 8)
    assert positions[:, 0, 0, 0].tolist() == [5, 5.25, 5.75, 6.25, 6.75, 7.25, 7.75, 8]


@given(st.integers(1, 30), st.floats(0, 5), st.floats(0.01, 5), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_a_trimmed_clip_never_leaves_its_span_or_its_recording(
    frames: int, start: float, length: float, wanted: int
) -> None:
    positions, valid = trimmed(ramp(frames), start, start + length, wanted)
    x = positions[:, 0, 0, 0]
    assert x.shape == (wanted,)
    assert (np.diff(x) >= 0).all()
    assert x.min() >= min(round(start * 10), frames - 1)
    assert x.max() <= max(min(round((start + length) * 10), frames) - 1, round(start * 10))
    assert x.max() <= frames - 1
    assert valid.all()


def test_a_frame_interpolated_from_an_absent_one_is_absent() -> None:
    motion = ramp(4)
    motion.valid[1] = False
    _, valid = trimmed(motion, 0.0, 0.4, 4)
    assert valid[:, 0, 0].tolist() == [True, False, True, True]
    positions, valid = trimmed(motion, 0.0, 0.4, 8)
    assert valid[:, 0, 0].tolist() == [True, False, False, False, False, True, True, True]
    assert not positions[~valid].any()


@pytest.mark.parametrize("neighbours", [1, 3, 7])
def test_nearest_is_a_majority_vote_by_cosine_similarity(neighbours: int) -> None:
    g = np.random.default_rng(0)
    bank, query, ids = g.normal(size=(30, 5)), g.normal(size=(11, 5)), g.integers(0, 4, 30)
    found = nearest(torch.tensor(bank).float(), torch.tensor(ids), torch.tensor(query).float(), neighbours, block=4)
    for row, one in zip(query, found.tolist(), strict=True):
        cosine = [float(row @ other / np.linalg.norm(row) / np.linalg.norm(other)) for other in bank]
        order = sorted(range(30), key=lambda at: -cosine[at])[:neighbours]
        votes = [sum(ids[at] == label for at in order) for label in range(4)]
        best = [label for label in range(4) if votes[label] == max(votes)]
        if len(best) == 1:
            assert one == best[0]
        else:
            assert one in best


def test_a_tied_vote_goes_to_the_nearer_neighbours() -> None:
    bank = torch.tensor([[1.0, 0.0], [0.9, 0.1]])
    assert nearest(bank, torch.tensor([1, 0]), torch.tensor([[1.0, 0.0]]), 2).tolist() == [1]
    assert nearest(bank, torch.tensor([0, 1]), torch.tensor([[1.0, 0.0]]), 2).tolist() == [0]


def test_the_linear_classifier_learns_separable_classes() -> None:
    g = torch.Generator().manual_seed(0)
    ids = torch.arange(90) % 3
    features = torch.randn(90, 6, generator=g) * 0.1 + torch.eye(3, 6)[ids]
    config = RecognizeConfig(split="x", epochs=20, lr=1.0, lr_drop=15, batch_size=16)
    found = linear(features[:60], ids[:60], features[60:], 3, config)
    assert (found == ids[60:]).float().mean() > 0.95
    assert torch.equal(found, linear(features[:60], ids[:60], features[60:], 3, config))


def test_scores_match_values_computed_by_hand() -> None:
    labels = LabelSet(("a", "b", "c"))
    found = scored(torch.tensor([0, 1, 1, 0]), torch.tensor([0, 0, 1, 1]), labels)
    assert found["top1"] == 0.5
    assert found["recall"] == {"a": 0.5, "b": 0.5, "c": None}
    assert found["per_class_mean"] == 0.5
    assert found["confusion"] == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    path = tmp_path_factory.mktemp("corpora") / "made"
    with CorpusWriter(path, "made", ACTIONS) as writer:
        for recording, annotation in synthetic_takes(SyntheticConfig(recordings=6, seconds=(8.0, 10.0), fps=15.0)):
            writer.add(recording, annotation)
        writer.add_split(group_split(writer.infos, "performer", 3, seed=0))
    return Corpus.open(path)


@pytest.mark.parametrize("protocol", ["linear", "knn"])
def test_every_span_of_the_test_recordings_is_classified(corpus: Corpus, tmp_path: Path, protocol: str) -> None:
    torch.set_num_threads(1)
    network = NetworkConfig(streams=("joint",))
    short = PretrainConfig(
        network=network, snippet=SnippetConfig(variant="off"), steps=1, clip_frames=24, batch_size=4, probe_every=0
    )
    pretrain(corpus, tmp_path / "run", short, quiet=True)
    config = RecognizeConfig(protocol=protocol, split="by-performer", lr=0.1, epochs=3)  # type: ignore[arg-type]
    counts: list[int] = []
    found = recognize(corpus, config, tmp_path / "run", counts.append)
    fold = corpus.fold("by-performer", 1)
    annotations = [corpus.annotation(name) for name in fold.test]
    assert found["facts"]["test_clips"] == sum(len(one.spans) for one in annotations if one is not None)
    assert np.sum(found["confusion"]) == found["facts"]["test_clips"]
    assert counts[-1] == len(fold.train) + len(fold.test)
    assert found["facts"]["pretrained"]["method"] == "skeletonclr"
    untrained = recognize(corpus, RecognizeConfig(protocol=protocol, split="by-performer", network=network, epochs=1))  # type: ignore[arg-type]
    assert untrained["facts"]["pretrained"] is None


def test_recognition_without_a_split_is_refused(corpus: Corpus) -> None:
    with pytest.raises(InputError, match="--split is missing"):
        recognize(corpus, RecognizeConfig())
