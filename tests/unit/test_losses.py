"""InfoNCE and the frame loss, each against a slow loop that is written from its equation, and by hand."""

from __future__ import annotations

import math

import pytest
import torch
from loss_cases import coin, dot, generator, unit
from torch.nn import functional as F

from kinespan.errors import InputError
from kinespan.losses import AlignedSnippetLoss, FrameLoss, InfoNCELoss, PaperSnippetLoss

NAN = float("nan")


# ---- slow references -------------------------------------------------------------------------------------------------


def slow_info_nce(query, positive, negatives, negative_mask, temperature):
    losses = []
    for b in range(len(query)):
        top = math.exp(dot(query[b], positive[b]) / temperature)
        bottom = top
        for n in range(len(negatives)):
            if negative_mask is None or negative_mask[b, n]:
                bottom += math.exp(dot(query[b], negatives[n]) / temperature)
        losses.append(-math.log(top / bottom))
    return sum(losses) / len(losses)


def slow_frame(logits, targets, mask, exclusive):
    batch, columns, frames = logits.shape
    losses = []
    for b in range(batch):
        for t in range(frames):
            if not mask[b, t]:
                continue
            row, target = logits[b, :, t].tolist(), targets[b, t].tolist()
            if exclusive:
                total = sum(math.exp(value) for value in row)
                losses.append(-sum(y * math.log(math.exp(x) / total) for x, y in zip(row, target, strict=True)))
                continue
            probabilities = [1 / (1 + math.exp(-value)) for value in row]
            terms = [
                target[c] * math.log(probabilities[c]) + (1 - target[c]) * math.log(1 - probabilities[c])
                for c in range(1, columns)
            ]
            losses.append(-sum(terms) / len(terms))
    return sum(losses) / len(losses) if losses else 0.0


# ---- InfoNCE ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("negatives", [0, 1, 9])
@pytest.mark.parametrize("temperature", [0.07, 0.5, 2.0])
@pytest.mark.parametrize("masked", [False, True])
def test_info_nce_loss_matches_slow_reference(batch, negatives, temperature, masked):
    q, k, n = unit(batch, 5, seed=1), unit(batch, 5, seed=2), unit(negatives, 5, seed=3)
    negative_mask = coin(batch, negatives, seed=4) if masked else None
    found = InfoNCELoss(temperature)(q, k, n, negative_mask)
    assert float(found) == pytest.approx(slow_info_nce(q, k, n, negative_mask, temperature), rel=1e-9, abs=1e-12)


def test_info_nce_loss_by_hand():
    q = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    n = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    # First: positive 1, negatives 0 and -1. Second: positive 1, negatives 1 and 0.
    first = -math.log(math.e / (math.e + 1 + math.exp(-1)))
    second = -math.log(math.e / (math.e + math.e + 1))
    assert float(InfoNCELoss(1.0)(q, q, n)) == pytest.approx((first + second) / 2)
    # Without the second negative of the first, and the first negative of the second.
    negative_mask = torch.tensor([[True, False], [False, True]])
    assert float(InfoNCELoss(1.0)(q, q, n, negative_mask)) == pytest.approx(-math.log(math.e / (math.e + 1)))


def test_info_nce_without_negatives_is_zero_and_can_be_trained_on():
    q = unit(3, 4, seed=0).requires_grad_()
    loss = InfoNCELoss()(q, unit(3, 4, seed=1), torch.zeros(0, 4, dtype=torch.float64))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(q.grad, torch.zeros_like(q))
    all_masked = InfoNCELoss()(q, unit(3, 4, seed=1), unit(6, 4, seed=2), torch.zeros(3, 6, dtype=torch.bool))
    assert all_masked.item() == 0


def test_info_nce_moves_towards_the_positive_and_away_from_negatives():
    q = unit(1, 4, seed=0).requires_grad_()
    k, n = unit(1, 4, seed=1), unit(1, 4, seed=2)
    InfoNCELoss(0.5)(q, k, n).backward()
    moved = q.detach() - q.grad
    assert dot(moved[0], k[0]) - dot(moved[0], n[0]) > dot(q[0], k[0]) - dot(q[0], n[0])


@pytest.mark.parametrize("loss", [InfoNCELoss, AlignedSnippetLoss, PaperSnippetLoss])
@pytest.mark.parametrize("temperature", [0.0, -1.0, NAN])
def test_temperatures_must_be_positive(loss, temperature):
    with pytest.raises(InputError, match="temperature"):
        loss(temperature)


# ---- frames ----------------------------------------------------------------------------------------------------------


def random_frames(seed, exclusive, batch=3, columns=4, frames=11, soft=False):
    """Logits, targets and which frames have a target: some have none."""
    logits = 3 * torch.randn(batch, columns, frames, generator=generator(seed), dtype=torch.float64)
    if soft:
        targets = torch.rand(batch, frames, columns, generator=generator(seed + 1), dtype=torch.float64)
    elif exclusive:
        targets = F.one_hot(torch.randint(0, columns, (batch, frames), generator=generator(seed + 1)), columns).double()
    else:
        targets = coin(batch, frames, columns, seed=seed + 1, chance=0.4).double()
        targets[..., 0] = ~targets[..., 1:].any(dim=2)
    mask = coin(batch, frames, seed=seed + 2)
    return logits, targets * mask[..., None], mask


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("columns", [2, 5])
@pytest.mark.parametrize("soft", [True, False])
def test_frame_loss_matches_slow_reference(seed, exclusive, columns, soft):
    frames = random_frames(10 * seed, exclusive, columns=columns, soft=soft)
    assert float(FrameLoss(exclusive)(*frames)) == pytest.approx(slow_frame(*frames, exclusive))


def test_frame_loss_by_hand():
    logits = torch.tensor([[[0.0, 0.0, 9.0], [math.log(3), 0.0, 9.0]]])  # two columns, three frames
    targets = torch.tensor([[[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]])
    mask = torch.tensor([[True, True, False]])
    assert float(FrameLoss(True)(logits, targets, mask)) == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    # Overlapping: the background column is no output of its own. sigmoid(log 3) = 3/4.
    assert float(FrameLoss(False)(logits, targets, mask)) == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    logits[0, 0] = 100.0
    assert float(FrameLoss(False)(logits, targets, mask)) == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_frame_loss_asks_for_both_of_two_overlapping_labels():
    logits = torch.tensor([[[0.0], [2.0], [-1.0]]])
    targets, mask = torch.tensor([[[0.0, 1.0, 1.0]]]), torch.tensor([[True]])
    expected = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1))) / 2
    assert float(FrameLoss(False)(logits, targets, mask)) == pytest.approx(expected)


def test_frame_loss_of_pseudo_labels_is_their_cross_entropy():
    """Least where the logits say what the teacher says."""
    torch.manual_seed(0)
    logits, scores = torch.randn(2, 4, 6), torch.randn(2, 4, 6).softmax(dim=1)
    targets, mask = scores.transpose(1, 2), torch.ones(2, 6, dtype=torch.bool)
    loss = FrameLoss(True)(logits, targets, mask)
    assert float(loss) == pytest.approx(float(F.cross_entropy(logits, scores)))
    assert FrameLoss(True)(scores.log(), targets, mask) < loss
    overlapping = FrameLoss(False)(logits, targets, mask)
    expected = F.binary_cross_entropy_with_logits(logits[:, 1:], scores[:, 1:])
    assert float(overlapping) == pytest.approx(float(expected))


@pytest.mark.parametrize("exclusive", [True, False])
def test_frame_loss_ignores_frames_without_a_target(exclusive):
    logits, targets, mask = random_frames(2, exclusive)
    assert not mask.all()
    before = float(FrameLoss(exclusive)(logits, targets, mask))
    other_logits, other_targets, _ = random_frames(99, exclusive)
    logits = torch.where(mask[:, None], logits, 10 * other_logits).requires_grad_()
    targets = torch.where(mask[..., None], targets, other_targets)
    loss = FrameLoss(exclusive)(logits, targets, mask)
    loss.backward()
    assert loss.item() == pytest.approx(before)
    assert not logits.grad.transpose(1, 2)[~mask].any()
    assert logits.grad.transpose(1, 2)[mask].any()


@pytest.mark.parametrize("exclusive", [True, False])
def test_frame_loss_without_labels_is_zero_and_can_be_trained_on(exclusive):
    logits, targets, mask = random_frames(2, exclusive)
    logits.requires_grad_()
    loss = FrameLoss(exclusive)(logits, torch.zeros_like(targets), torch.zeros_like(mask))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("exclusive", [True, False])
def test_frame_loss_of_large_logits_is_finite(exclusive):
    logits = torch.tensor([[[1e4], [-1e4]]]).requires_grad_()
    loss = FrameLoss(exclusive)(logits, torch.tensor([[[0.0, 1.0]]]), torch.tensor([[True]]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
