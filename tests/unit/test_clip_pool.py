"""Clips: targets that line up with time, padding, and which clips are drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.errors import InputError
from kinespan.train.clip_pool import ClipPool, frame_targets
from kinespan.transforms.augment import crop_resize
from kinespan.transforms.normalise import Motion

LABELS = LabelSet(("walk", "sit"))
BOTH = LabelSet(("walk", "sit"), exclusive=False)
FPS = 10.0


def motion(frames, people=1, number=0, name=None):
    """Joint 0 holds the frame number, joint 1 the number of the recording."""
    positions = np.zeros((frames, people, 2, 3), np.float32)
    positions[:, :, 0] = np.arange(frames)[:, None, None]
    positions[:, :, 1] = number
    return Motion(positions, np.ones(positions.shape[:3], dtype=bool), FPS, name or f"take{number}")


def annotation(*spans, labels=LABELS, covered=None):
    return Annotation(tuple(Span(*span) for span in spans), labels, covered)


def pool_of(*lengths, annotations=None, labels=LABELS, people=None):
    people = people or [1] * len(lengths)
    motions = [motion(frames, count, i) for i, (frames, count) in enumerate(zip(lengths, people, strict=True))]
    return ClipPool(motions, annotations, labels if annotations else None)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# ---- frame targets ---------------------------------------------------------------------------------------------------


def test_targets_of_exclusive_labels_by_hand():
    targets = frame_targets(annotation((0.2, 0.4, "sit"), covered=((0.1, 0.5),)), LABELS, 6, FPS)
    none, background, sit = [0, 0, 0], [1, 0, 0], [0, 0, 1]
    assert targets.dtype == np.float32
    assert targets.tolist() == [none, background, sit, sit, background, none]


def test_targets_of_overlapping_labels_by_hand():
    spans = ((0.0, 0.3, "walk"), (0.2, 0.4, "sit"))
    targets = frame_targets(annotation(*spans, labels=BOTH, covered=((0.0, 0.5),)), BOTH, 6, FPS)
    walk, both, sit = [0, 1, 0], [0, 1, 1], [0, 0, 1]
    assert targets.tolist() == [walk, walk, both, sit, [1, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("labels", [LABELS, BOTH])
def test_recordings_without_an_annotation_have_no_targets(labels):
    assert not frame_targets(None, labels, 5, FPS).any()
    assert frame_targets(None, labels, 5, FPS).shape == (5, 3)


def test_each_frame_of_exclusive_labels_has_one_target():
    targets = frame_targets(annotation((0.0, 0.9, "walk"), (0.3, 0.5, "sit")), LABELS, 12, FPS)
    assert (targets.sum(axis=1) == 1).all()
    assert targets[3:5, 2].all()  # the one that starts later


# ---- clips -----------------------------------------------------------------------------------------------------------


def test_clips_hold_the_frames_at_their_offset_and_are_padded_at_the_end():
    pool = pool_of(30, 12, people=[1, 2])
    view, targets = pool.clips(torch.tensor([0, 1, 0]), torch.tensor([4, 0, 20]), 16)
    assert targets is None
    assert view.positions.shape == (3, 16, 2, 2, 3)
    assert view.positions[0, :, 0, 0, 0].tolist() == list(range(4, 20))
    assert view.positions[1, :12, 1, 0, 0].tolist() == list(range(12))
    assert view.positions[2, :10, 0, 0, 0].tolist() == list(range(20, 30))
    assert view.positions[1, :12, 0, 1, 0].tolist() == [1] * 12
    # past the end of the recording and in the empty person slot there is nothing
    assert view.present[1].tolist() == [[True, True]] * 12 + [[False, False]] * 4
    assert view.present[2, :, 0].tolist() == [True] * 10 + [False] * 6
    assert not view.valid[0, :, 1].any()
    assert not view.positions[~view.valid].any()
    assert torch.allclose(view.times.start, torch.tensor([0.4, 0.0, 2.0]))
    assert torch.allclose(view.times.step, torch.full((3,), 0.1))
    assert view.recording.tolist() == [0, 1, 0]


def test_targets_of_clips_by_hand():
    pool = pool_of(20, 8, annotations=[annotation((0.5, 1.2, "walk")), None])
    _, targets = pool.clips(torch.tensor([0, 0, 1]), torch.tensor([0, 12, 0]), 10)
    walk = [5 <= frame < 12 for frame in range(20)]
    assert targets.values[0, :, 1].tolist() == walk[:10]
    assert targets.values[0, :, 0].tolist() == [not walking for walking in walk[:10]]
    assert targets.values[1, :, 0].tolist() == [1] * 8 + [0] * 2  # the end of the recording, then padding
    assert targets.mask[1].tolist() == [True] * 8 + [False] * 2
    assert not targets.values[2].any()  # nobody labelled it
    assert targets.mask.all(dim=1).tolist() == [True, False, False]
    assert pool.annotated(0)
    assert not pool.annotated(1)
    assert pool.seconds == pytest.approx(2.8)


def test_frames_where_nobody_is_present_have_no_target():
    there = motion(10)
    there.valid[4:6] = False
    pool = ClipPool([there], [annotation((0.0, 1.0, "walk"))], LABELS)
    _, targets = pool.clips(torch.tensor([0]), torch.tensor([0]), 10)
    assert targets.values[0, :, 1].tolist() == [1] * 4 + [0] * 2 + [1] * 4
    assert targets.mask[0].tolist() == [True] * 4 + [False] * 2 + [True] * 4


@given(st.integers(0, 10_000), st.integers(0, 60), st.floats(0.2, 1.0))
@settings(max_examples=60, deadline=None)
def test_targets_follow_the_crop(seed, offset, crop_min):
    """After a crop each frame's target is what the annotation says at its middle, in seconds of the recording."""
    spans = ((1.03, 2.51, "walk"), (2.51, 3.3, "sit"), (4.0, 7.77, "walk"))
    truth = annotation(*spans, covered=((0.0, 6.0), (6.5, 9.0)))
    pool = pool_of(13, 90, annotations=[None, truth])
    view, _ = pool.clips(torch.tensor([1]), torch.tensor([offset]), 32)
    cut = crop_resize(view, crop_min, generator(seed))
    values, mask = (tensor[0] for tensor in pool.targets_of(cut))
    middles = float(cut.times.start[0]) + (np.arange(32) + 0.5) * float(cut.times.step[0])
    for frame, middle in enumerate(middles):
        if not cut.valid[0, frame].any():
            assert not values[frame].any()
            assert not mask[frame]
            continue
        # the label of the frame of the recording that this moment falls into is that of the frame's own middle
        seconds = (np.floor(middle * FPS) + 0.5) / FPS
        if abs(middle * FPS - round(middle * FPS)) < 5e-3:
            continue
        expected = frame_targets(truth, LABELS, 90, FPS)[min(89, int(seconds * FPS))]
        assert values[frame].tolist() == expected.tolist()
        assert bool(mask[frame]) == expected.any()
        # and the positions are those of that moment
        if 0.5 <= middle * FPS <= offset + 31.5 and offset + 0.5 <= middle * FPS:
            assert float(cut.positions[0, frame, 0, 0, 0]) == pytest.approx(middle * FPS - 0.5, abs=1e-2)


# ---- draws -----------------------------------------------------------------------------------------------------------


def test_draws_are_by_length_and_even_within_a_recording():
    pool = pool_of(100, 300, 20)
    view, _ = pool.draw(20_000, 50, generator())
    share = torch.bincount(view.recording, minlength=3) / 20_000
    assert torch.allclose(share, torch.tensor([100, 300, 20]) / 420, atol=0.015)
    starts = (view.times.start * FPS).round().long()
    for number, length in ((0, 100), (1, 300)):
        counts = torch.bincount(starts[view.recording == number], minlength=length)
        assert not counts[length - 49 :].any()
        expected = counts.sum() / (length - 49)
        chi_square = float(((counts[: length - 49] - expected) ** 2 / expected).sum())
        degrees = length - 50
        assert abs(chi_square - degrees) < 5 * (2 * degrees) ** 0.5
    assert not starts[view.recording == 2].any()  # shorter than a clip: it is padded
    assert (view.valid[view.recording == 2].sum(dim=(1, 2)) == 20).all()
    assert view.valid[view.recording != 2].all()


# ---- pseudo-labels ---------------------------------------------------------------------------------------------------


def test_pseudo_labels_are_the_teachers_scores_and_fill_their_share_of_the_draws():
    pool = pool_of(60, 20, 40, 80, annotations=[annotation((1.0, 2.0, "walk")), None, None, annotation()])
    scores = {number: np.random.default_rng(number).dirichlet(np.ones(3), length).astype(np.float32)
              for number, length in ((1, 20), (2, 40))}  # fmt: skip
    before = pool.targets.clone()
    assert pool.target_mask.tolist() == [True] * 60 + [False] * 60 + [True] * 80
    pool.add_pseudo_labels(scores, 0.3)
    assert pool.target_mask.all()
    assert torch.equal(pool.targets[:60], before[:60])
    assert torch.equal(pool.targets[120:], before[120:])
    assert torch.equal(pool.targets[60:80], torch.from_numpy(scores[1]))
    assert torch.equal(pool.targets[80:120], torch.from_numpy(scores[2]))
    view, targets = pool.draw(20_000, 16, generator())
    share = torch.bincount(view.recording, minlength=4) / 20_000
    assert torch.allclose(share, torch.tensor([0.7 * 60 / 140, 0.3 / 3, 0.3 * 2 / 3, 0.7 * 80 / 140]), atol=0.015)
    chosen = int((view.recording == 2).nonzero()[0])
    start = round(float(view.times.start[chosen]) * FPS)
    assert torch.equal(targets.values[chosen], torch.from_numpy(scores[2][start : start + 16]))


def test_padding_has_no_pseudo_labels():
    pool = pool_of(30, 8, annotations=[annotation((1.0, 2.0, "walk")), None])
    pool.add_pseudo_labels({1: np.full((8, 3), 1 / 3, np.float32)}, 0.5)
    _, targets = pool.clips(torch.tensor([1]), torch.tensor([0]), 12)
    assert targets.values[0, :8].sum() == pytest.approx(8)
    assert not targets.values[0, 8:].any()
    assert targets.mask[0].tolist() == [True] * 8 + [False] * 4


def test_draws_come_from_the_generator_alone():
    pool = pool_of(60, 80, annotations=[annotation((1.0, 2.0, "walk")), None])
    before = torch.get_rng_state()
    one, two, other = (pool.draw(8, 16, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one[0].positions, two[0].positions)
    assert torch.equal(one[1].values, two[1].values)
    assert torch.equal(one[1].mask, two[1].mask)
    assert not torch.equal(one[0].times.start, other[0].times.start)


def test_labels_never_change_which_clips_are_drawn():
    one = pool_of(60, 80).draw(8, 16, generator(1))[0]
    two = pool_of(60, 80, annotations=[annotation((1.0, 2.0, "walk")), None]).draw(8, 16, generator(1))[0]
    assert torch.equal(one.positions, two.positions)


def test_an_empty_pool_is_refused():
    with pytest.raises(InputError, match="no recordings"):
        ClipPool([])
