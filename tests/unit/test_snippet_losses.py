"""Losses of snippets, each against a slow loop that is written from its equation, and against figures by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_cases import coin, dot, generator, unit

from kinespan.losses import AlignedSnippetLoss, PaperSnippetLoss, Snippets
from kinespan.losses.snippet import overlap_and_gap

# ---- slow references -------------------------------------------------------------------------------------------------


@dataclass
class Batch:
    """The arguments of a snippet loss."""

    query: Snippets
    key: Snippets
    queue: torch.Tensor
    negative_mask: torch.Tensor | None = None

    def args(self):
        return self.query, self.key, self.queue, self.negative_mask


def slow_aligned(batch, temperature, margin, same_recording_negatives, soft_targets=True):
    query, key = batch.query, batch.key
    losses = []
    for b in range(len(query.vectors)):
        for i in range(query.vectors.shape[1]):
            if not query.valid[b, i]:
                continue
            start, end = float(query.edges[b, i]), float(query.edges[b, i + 1])
            overlaps, denominator, logits = {}, 0.0, {}
            for j in range(key.vectors.shape[1]):
                if not key.valid[b, j]:
                    continue
                key_start, key_end = float(key.edges[b, j]), float(key.edges[b, j + 1])
                seconds = min(end, key_end) - max(start, key_start)
                logits[j] = dot(query.vectors[b, i], key.vectors[b, j]) / temperature
                if seconds > 0:
                    overlaps[j] = seconds
                    denominator += math.exp(logits[j])
                elif same_recording_negatives and -seconds > margin:
                    denominator += math.exp(logits[j])
            if not overlaps:
                continue
            if not soft_targets:
                longest = max(overlaps.values())
                best = next(j for j, seconds in overlaps.items() if seconds == longest)
                denominator -= sum(math.exp(logits[j]) for j in overlaps if j != best)
                overlaps = {best: 1.0}
            for m in range(len(batch.queue)):
                if batch.negative_mask is None or batch.negative_mask[b, m]:
                    denominator += math.exp(dot(query.vectors[b, i], batch.queue[m]) / temperature)
            total = sum(overlaps.values())
            log_probs = {j: math.log(math.exp(logits[j]) / denominator) for j in overlaps}
            losses.append(-sum(seconds / total * log_probs[j] for j, seconds in overlaps.items()))
    return sum(losses) / len(losses) if losses else 0.0


def slow_paper(batch, temperature):
    query, key = batch.query, batch.key
    losses = []
    for b in range(len(query.vectors)):
        candidates = [j for j in range(key.vectors.shape[1]) if key.valid[b, j]]
        for i in range(query.vectors.shape[1]):
            if not candidates or not query.valid[b, i]:
                continue
            best = max(candidates, key=lambda j: dot(query.features[b, i], key.features[b, j]))
            positive = math.exp(dot(query.vectors[b, i], key.vectors[b, best]) / temperature)
            denominator = positive + sum(
                math.exp(dot(query.vectors[b, i], batch.queue[m]) / temperature)
                for m in range(len(batch.queue))
                if batch.negative_mask is None or batch.negative_mask[b, m]
            )
            losses.append(-math.log(positive / denominator))
    return sum(losses) / len(losses) if losses else 0.0


def random_batch(seed, batch=3, count=5, key_count=None, dim=6, channels=8, queue=7, masked=True):
    """Two crops of a ten-second window each, with some invalid snippets."""
    counts = count, count if key_count is None else key_count
    g = generator(seed)
    starts, lengths = 4 * torch.rand(2, batch, generator=g), 2 + 4 * torch.rand(2, batch, generator=g)
    query, key = (
        Snippets(
            vectors=unit(batch, number, dim, seed=seed + 1 + side),
            valid=coin(batch, number, seed=seed + 3 + side),
            edges=(starts[side, :, None] + lengths[side, :, None] * torch.linspace(0, 1, number + 1)).double(),
            features=torch.randn(batch, number, channels, generator=generator(seed + 7 + side), dtype=torch.float64),
        )
        for side, number in enumerate(counts)
    )
    mask = coin(batch, queue, seed=seed + 6) if masked else None
    return Batch(query, key, unit(queue, dim, seed=seed + 5), mask)


def as_float32(batch):
    """The batch in single precision, its query vectors a leaf that asks for its gradient."""
    query = replace(
        batch.query, vectors=batch.query.vectors.float().requires_grad_(), features=batch.query.features.float()
    )
    key = replace(batch.key, vectors=batch.key.vectors.float(), features=batch.key.features.float())
    return Batch(query, key, batch.queue.float(), batch.negative_mask)


# ---- aligned snippets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("margin", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("same_recording_negatives", [True, False])
@pytest.mark.parametrize("soft_targets", [True, False])
def test_aligned_loss_matches_slow_reference(seed, margin, same_recording_negatives, soft_targets):
    batch = random_batch(10 * seed, masked=seed % 2 == 0, queue=7 if seed != 3 else 0)
    options = margin, same_recording_negatives, soft_targets
    loss = AlignedSnippetLoss(0.2, *options)(*batch.args())
    assert float(loss) == pytest.approx(slow_aligned(batch, 0.2, *options), rel=1e-9, abs=1e-12)


def test_aligned_loss_allows_different_numbers_of_query_and_key_snippets():
    batch = random_batch(5, count=4, key_count=7)
    assert float(AlignedSnippetLoss(0.3)(*batch.args())) == pytest.approx(slow_aligned(batch, 0.3, 0.5, True), rel=1e-9)


def hand_made(key_edges, query_valid=(True, True, True), key_valid=(True, True, True)):
    """One clip of three one-second query snippets, all along x; keys x, y, -x; a queue entry orthogonal to queries."""
    along_x = torch.tensor([[[1.0, 0.0]] * 3])
    keys = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]])
    query = Snippets(along_x, torch.tensor([query_valid]), torch.tensor([[0.0, 1.0, 2.0, 3.0]]), along_x)
    key = Snippets(keys, torch.tensor([key_valid]), torch.tensor([key_edges]), keys)
    return Batch(query, key, torch.tensor([[0.0, 1.0]]))


def test_aligned_loss_by_hand_with_equal_crops():
    batch = hand_made([0.0, 1.0, 2.0, 3.0])
    # Neighbours touch: gap 0, neither positive nor negative. The ends are one second apart, more than the margin.
    e, queue = math.exp, 1.0
    first = -math.log(e(1) / (e(1) + e(-1) + queue))  # positive x, negative -x
    second = -math.log(e(0) / (e(0) + queue))  # positive y, nothing far enough
    third = -math.log(e(-1) / (e(-1) + e(1) + queue))  # positive -x, negative x
    assert float(AlignedSnippetLoss(1.0, 0.5)(*batch.args())) == pytest.approx((first + second + third) / 3)
    # Without negatives of the same recording.
    expected = [-math.log(e(positive) / (e(positive) + queue)) for positive in (1, 0, -1)]
    loss = AlignedSnippetLoss(1.0, 0.5, same_recording_negatives=False)
    assert float(loss(*batch.args())) == pytest.approx(sum(expected) / 3)


def test_soft_targets_by_hand():
    # Keys cover [0.25, 1.25), [1.25, 2.25), [2.25, 3.25): a query snippet is a quarter / three quarters of two keys.
    batch = hand_made([0.25, 1.25, 2.25, 3.25], query_valid=(False, True, False))
    # the query snippet [1, 2): 0.25 s of the key along x, 0.75 s of the one along y
    e = math.exp
    denominator = e(1) + e(0) + 1  # key -x begins 0.25 s after it: nearer than the margin, so it is left out
    expected = -0.25 * math.log(e(1) / denominator) - 0.75 * math.log(e(0) / denominator)
    assert float(AlignedSnippetLoss(1.0, 0.5)(*batch.args())) == pytest.approx(expected)
    # A smaller margin makes -x a negative.
    denominator += e(-1)
    expected = -0.25 * math.log(e(1) / denominator) - 0.75 * math.log(e(0) / denominator)
    assert float(AlignedSnippetLoss(1.0, 0.2)(*batch.args())) == pytest.approx(expected)


def test_hard_targets_by_hand():
    # of the keys along x, for a quarter, and along y, for three quarters, the latter is the positive; the former is
    # left out, as is -x, which begins 0.25 s after
    hard = AlignedSnippetLoss(1.0, 0.5, soft_targets=False)
    batch = hand_made([0.25, 1.25, 2.25, 3.25], query_valid=(False, True, False))
    assert float(hard(*batch.args())) == pytest.approx(-math.log(1 / 2))
    # of equals the earliest
    batch = hand_made([0.5, 1.5, 2.5, 3.5], query_valid=(False, True, False))
    assert float(hard(*batch.args())) == pytest.approx(-math.log(math.e / (math.e + 1)))


def test_crops_that_do_not_meet_give_zero_loss_and_gradient():
    batch = hand_made([10.0, 11.0, 12.0, 13.0])
    batch.query.vectors.requires_grad_()
    loss = AlignedSnippetLoss(0.1)(*batch.args())
    assert loss.item() == 0
    loss.backward()
    assert torch.equal(batch.query.vectors.grad, torch.zeros_like(batch.query.vectors))


def test_padded_key_snippets_are_no_positives():
    batch = hand_made([0.0, 1.0, 2.0, 3.0], key_valid=(False, True, False))
    e = math.exp
    assert float(AlignedSnippetLoss(1.0)(*batch.args())) == pytest.approx(-math.log(e(0) / (e(0) + 1)))


@pytest.mark.parametrize("same_recording_negatives", [True, False])
def test_invalid_snippets_and_masked_keys_never_change_the_aligned_loss(same_recording_negatives):
    batch, other = random_batch(40), random_batch(41)
    loss = AlignedSnippetLoss(0.1, 0.3, same_recording_negatives)
    before = float(loss(*batch.args()))
    for side in ("query", "key"):
        snippets = getattr(batch, side)
        vectors = torch.where(snippets.valid[..., None], snippets.vectors, getattr(other, side).vectors)
        setattr(batch, side, replace(snippets, vectors=vectors))
    assert float(loss(*batch.args())) == pytest.approx(before, rel=1e-12)
    # a queue entry that is masked for every clip
    batch.negative_mask[:, 2] = False
    before = float(loss(*batch.args()))
    batch.queue = torch.where((torch.arange(len(batch.queue)) == 2)[:, None], other.queue, batch.queue)
    assert float(loss(*batch.args())) == pytest.approx(before, rel=1e-12)


@given(st.integers(0, 10_000), st.floats(-50, 50), st.floats(0.1, 8))
@settings(max_examples=30, deadline=None)
def test_shifting_or_scaling_time_never_changes_the_aligned_loss(seed, shift, scale):
    """Moving both views in time changes nothing; nor does another unit of time, margin included."""
    batch = random_batch(seed)
    before = float(AlignedSnippetLoss(0.2, 0.5)(*batch.args()))
    for side in ("query", "key"):
        snippets = getattr(batch, side)
        setattr(batch, side, replace(snippets, edges=snippets.edges * scale + shift))
    assert float(AlignedSnippetLoss(0.2, 0.5 * scale)(*batch.args())) == pytest.approx(before, rel=1e-6, abs=1e-9)


@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.07, 1.0]))
@settings(max_examples=30, deadline=None)
def test_aligned_gradients_are_finite_and_zero_on_invalid_snippets(seed, temperature):
    batch = as_float32(random_batch(seed))
    loss = AlignedSnippetLoss(temperature)(*batch.args())
    loss.backward()
    gradient = batch.query.vectors.grad
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()
    assert not gradient[~batch.query.valid].any()


def test_aligned_gradient_matches_finite_differences():
    batch = random_batch(7)
    loss = AlignedSnippetLoss(0.5)
    vectors = batch.query.vectors.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(replace(batch.query, vectors=x), *batch.args()[1:]), (vectors,))


def test_aligned_loss_of_a_batch_is_the_mean_over_its_clips_where_all_snippets_are_valid():
    batch = random_batch(21)
    everything = torch.ones_like(batch.query.valid)
    batch.query = replace(batch.query, valid=everything, edges=batch.key.edges)  # every snippet has a positive
    batch.key = replace(batch.key, valid=everything)
    loss = AlignedSnippetLoss(0.2)

    def clip(snippets, b):
        return Snippets(*(tensor[b : b + 1] for tensor in vars(snippets).values()))

    alone = [
        loss(clip(batch.query, b), clip(batch.key, b), batch.queue, batch.negative_mask[b : b + 1]) for b in range(3)
    ]
    assert float(loss(*batch.args())) == pytest.approx(float(sum(alone)) / 3)


def test_overlap_and_gap_by_hand():
    overlap, gap = overlap_and_gap(torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([[0.5, 1.5, 3.5, 9.5]]))
    assert overlap.tolist() == [[[0.5, 0.0, 0.0], [0.5, 0.5, 0.0]]]
    assert gap.tolist() == [[[0.0, 0.5, 2.5], [0.0, 0.0, 1.5]]]


# ---- the paper's snippets --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_paper_loss_matches_slow_reference(seed, temperature):
    batch = random_batch(10 * seed, masked=seed % 2 == 0)
    loss = PaperSnippetLoss(temperature)(*batch.args())
    assert float(loss) == pytest.approx(slow_paper(batch, temperature), rel=1e-9)


def test_paper_loss_by_hand():
    query_vectors = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    key_vectors = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]])
    query_features = torch.tensor([[[1.0], [-1.0]]])
    key_features = torch.tensor([[[-1.0], [5.0]]])  # not normalised: the longer one wins for a positive feature
    valid, edges, queue = torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, 3), torch.tensor([[0.0, 1.0]])
    query = Snippets(query_vectors, valid, edges, query_features)
    key = Snippets(key_vectors, valid, edges, key_features)
    e = math.exp
    first = -math.log(e(-1) / (e(-1) + e(0)))  # the second key, -x; the queue entry is orthogonal
    second = -math.log(e(0) / (e(0) + e(1)))  # the first key, orthogonal; the queue entry is the same
    assert float(PaperSnippetLoss(1.0)(query, key, queue)) == pytest.approx((first + second) / 2)
    key = replace(key, valid=torch.tensor([[True, False]]))
    first = -math.log(e(1) / (e(1) + e(0)))
    assert float(PaperSnippetLoss(1.0)(query, key, queue)) == pytest.approx((first + second) / 2)


def test_padding_never_changes_the_paper_loss():
    batch, other = random_batch(50), random_batch(51)
    before = float(PaperSnippetLoss()(*batch.args()))
    for side in ("query", "key"):
        snippets, padding = getattr(batch, side), getattr(other, side)
        changed = {
            name: torch.where(snippets.valid[..., None], getattr(snippets, name), 100 * getattr(padding, name))
            for name in ("vectors", "features")
        }
        setattr(batch, side, replace(snippets, **changed))
    assert float(PaperSnippetLoss()(*batch.args())) == pytest.approx(before, rel=1e-12)


def test_paper_loss_without_valid_keys_is_zero_and_can_be_trained_on():
    batch = random_batch(3)
    batch.key = replace(batch.key, valid=torch.zeros_like(batch.key.valid))
    batch.query.vectors.requires_grad_()
    loss = PaperSnippetLoss()(*batch.args())
    loss.backward()
    assert loss.item() == 0
    assert not batch.query.vectors.grad.any()


def test_paper_gradients_are_finite_in_single_precision():
    batch = as_float32(random_batch(8))
    PaperSnippetLoss(0.01)(*batch.args()).backward()
    gradient = batch.query.vectors.grad
    assert torch.isfinite(gradient).all()
    assert not gradient[~batch.query.valid].any()
    assert gradient[batch.query.valid].any()
