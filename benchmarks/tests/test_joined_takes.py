"""Clips joined into takes: where they stand, what is made in between, and whose takes are on which side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.study.joined_takes import TRANSITION, aligned, join_clips, joined, transition

from kinespan.corpus import Corpus, CorpusWriter, Fold, Split
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.data.skeletons import SKELETONS
from kinespan.errors import InputError
from kinespan.transforms.normalise import facing
from kinespan.transforms.ntu_preprocessing import landmark

BODY = SKELETONS["ntu25"]
LABELS = LabelSet(("x", "y"))


def clip(name: str, frames: int, seed: int, **more: object) -> Recording:
    """A body that jitters about a pose of random joints."""
    rng = np.random.default_rng(seed)
    positions = rng.normal(size=(1, 1, 25, 3)) + 0.05 * rng.normal(size=(frames, 1, 25, 3))
    return Recording(positions, 20.0, BODY, name, **more)  # type: ignore[arg-type]


def test_the_pose_and_the_root_go_from_one_to_the_other() -> None:
    before, after = (clip("a", 1, seed).positions[0, 0] for seed in (0, 1))
    frames = transition(before, after, BODY.root, 9)
    assert frames.shape == (9, 25, 3)
    assert np.allclose(frames[4], (before + after) / 2, atol=1e-6), "half way at half the time"
    for u, frame in zip(np.arange(1, 10) / 10, frames, strict=True):
        weight = u * u * (3 - 2 * u)
        assert np.allclose(frame, before + weight * (after - before), atol=1e-5)
    assert np.abs(frames[0] - before).max() < np.abs(frames[5] - frames[4]).max(), "slow at the ends"


def test_a_clip_goes_on_where_the_pose_stands_and_faces() -> None:
    pose, moving = clip("a", 1, 0).positions[0, 0], clip("b", 6, 1)
    positions, seen = aligned(moving, pose), np.ones((1, 25), bool)
    assert np.allclose(landmark(positions[0], BODY.root)[[0, 2]], landmark(pose, BODY.root)[[0, 2]], atol=1e-5)
    assert np.allclose(positions[..., 1], moving.positions[:, 0, :, 1], atol=1e-6), "heights stay"
    assert np.allclose(facing(positions[:1], seen, BODY), facing(pose[None], seen, BODY), atol=1e-4)
    distance = np.linalg.norm(positions[:, 3] - positions[:, 17], axis=-1)
    assert np.allclose(
        distance, np.linalg.norm(moving.positions[:, 0, 3] - moving.positions[:, 0, 17], axis=-1), atol=1e-5
    )


def test_spans_are_those_of_the_clips_and_transitions_are_background() -> None:
    recording, annotation = joined("t", [(clip("a", 20, 0), "x"), (clip("b", 30, 1), "y")], LABELS, {"actor": "bd"})
    assert TRANSITION == 0.5
    assert recording.num_frames == 20 + 10 + 30
    assert annotation.spans == (Span(0, 1, "x"), Span(1.5, 3, "y"))
    assert annotation.frame_ids(60, 20.0).tolist() == [1] * 20 + [0] * 10 + [2] * 30
    assert recording.attributes == {"actor": "bd"}
    assert recording.history == ("2 clips joined; 0.5 s between two of them are made",)


def test_clips_that_do_not_fit_are_refused() -> None:
    other = Recording(clip("b", 5, 1).positions, 30.0, BODY, "b")
    with pytest.raises(InputError, match="b: expected one person, seen throughout, at the rate of a"):
        joined("t", [(clip("a", 5, 0), "x"), (other, "y")], LABELS, {})


def test_takes_are_of_one_actor_and_on_the_side_of_their_clips(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "clips", "clips", LABELS) as writer:
        for number in range(20):
            recording = clip(f"c{number}", 5, number, attributes={"actor": "ab"[number % 2]})
            writer.add(recording, Annotation((Span(0, recording.duration, "xy"[number % 2]),), LABELS))
        sides = (tuple(f"c{number}" for number in range(first, 20, 2)) for first in (0, 1))
        writer.add_split(Split("cross-actor", {1: Fold(*sides)}))
    clips = Corpus.open(tmp_path / "clips")
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        join_clips(clips, tmp_path / name, "actor", "cross-actor", seed)
    one, same, other = (Corpus.open(tmp_path / name) for name in ("one", "same", "other"))
    fold = one.fold("cross-actor", 1)
    assert (fold.train, fold.test) == (("a_01", "a_02"), ("b_01", "b_02")), "ten clips are takes of eight and two"
    assert [one[name].checksum() for name in one.names] == [same[name].checksum() for name in same.names]
    assert one["a_01"].checksum() != other["a_01"].checksum()
    assert "0.5 s between two clips are made, no motion that was captured" in one.decisions[0]
    labels = {span.label for name in fold.train for span in one.annotation(name).spans}  # type: ignore[union-attr]
    assert labels == {"x"}
