"""Losses of snippets, each against a slow loop that is written from its equation, and against figures by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_cases import coin, dot, generator, unit

from kinespan.losses import AlignedSnippetLoss, PaperSnippetLoss
from kinespan.losses.snippet import overlap_and_gap

# ---- slow references -------------------------------------------------------------------------------------------------


@dataclass
class Snippets:
    """The arguments of AlignedSnippetLoss."""

    query: torch.Tensor
    key: torch.Tensor
    query_edges: torch.Tensor
    key_edges: torch.Tensor
    query_valid: torch.Tensor
    key_valid: torch.Tensor
    queue: torch.Tensor
    usable: torch.Tensor | None

    def args(self):
        return tuple(self.__dict__.values())


def slow_aligned(s, temperature, margin, within, soft=True):
    losses = []
    for b in range(len(s.query)):
        for i in range(s.query.shape[1]):
            if not s.query_valid[b, i]:
                continue
            start, end = float(s.query_edges[b, i]), float(s.query_edges[b, i + 1])
            shared, bottom, logits = {}, 0.0, {}
            for j in range(s.key.shape[1]):
                if not s.key_valid[b, j]:
                    continue
                other_start, other_end = float(s.key_edges[b, j]), float(s.key_edges[b, j + 1])
                seconds = min(end, other_end) - max(start, other_start)
                logits[j] = dot(s.query[b, i], s.key[b, j]) / temperature
                if seconds > 0:
                    shared[j] = seconds
                    bottom += math.exp(logits[j])
                elif within and -seconds > margin:
                    bottom += math.exp(logits[j])
            if not shared:
                continue
            if not soft:
                most = max(shared.values())
                best = next(j for j, sec in shared.items() if sec == most)
                bottom -= sum(math.exp(logits[j]) for j in shared if j != best)
                shared = {best: 1.0}
            for n in range(len(s.queue)):
                if s.usable is None or s.usable[b, n]:
                    bottom += math.exp(dot(s.query[b, i], s.queue[n]) / temperature)
            whole = sum(shared.values())
            losses.append(-sum(sec / whole * math.log(math.exp(logits[j]) / bottom) for j, sec in shared.items()))
    return sum(losses) / len(losses) if losses else 0.0


def slow_paper(query, key, query_features, key_features, query_valid, key_valid, queue, usable, temperature):
    losses = []
    for b in range(len(query)):
        candidates = [j for j in range(key.shape[1]) if key_valid[b, j]]
        for i in range(query.shape[1]):
            if not candidates or not query_valid[b, i]:
                continue
            best = max(candidates, key=lambda j: dot(query_features[b, i], key_features[b, j]))
            top = math.exp(dot(query[b, i], key[b, best]) / temperature)
            bottom = top + sum(
                math.exp(dot(query[b, i], queue[n]) / temperature)
                for n in range(len(queue))
                if usable is None or usable[b, n]
            )
            losses.append(-math.log(top / bottom))
    return sum(losses) / len(losses) if losses else 0.0


def made_snippets(seed, batch=3, count=5, keys=None, dim=6, queue=7, usable=True):
    """Two crops of a ten-second window each, with some invalid snippets."""
    keys = count if keys is None else keys
    g = generator(seed)
    starts, lengths = 4 * torch.rand(2, batch, generator=g), 2 + 4 * torch.rand(2, batch, generator=g)
    edges = [
        (starts[side, :, None] + lengths[side, :, None] * torch.linspace(0, 1, number + 1)).double()
        for side, number in enumerate((count, keys))
    ]
    return Snippets(
        unit(batch, count, dim, seed=seed + 1),
        unit(batch, keys, dim, seed=seed + 2),
        *edges,
        coin(batch, count, seed=seed + 3),
        coin(batch, keys, seed=seed + 4),
        unit(queue, dim, seed=seed + 5),
        coin(batch, queue, seed=seed + 6) if usable else None,
    )


# ---- aligned snippets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("margin", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("within", [True, False])
@pytest.mark.parametrize("soft", [True, False])
def test_aligned_is_its_equation(seed, margin, within, soft):
    s = made_snippets(10 * seed, usable=seed % 2 == 0, queue=7 if seed != 3 else 0)
    found = AlignedSnippetLoss(0.2, margin, within, soft)(*s.args())
    assert float(found) == pytest.approx(slow_aligned(s, 0.2, margin, within, soft), rel=1e-9, abs=1e-12)


def test_aligned_takes_another_number_of_key_snippets():
    s = made_snippets(5, count=4, keys=7)
    assert float(AlignedSnippetLoss(0.3)(*s.args())) == pytest.approx(slow_aligned(s, 0.3, 0.5, True), rel=1e-9)


def hand_made(key_edges, queue=((0.0, 1.0),)):
    """One clip of three one-second query snippets, all along x; keys x, y, -x."""
    along = torch.tensor([[[1.0, 0.0]] * 3])
    keys = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]])
    valid = torch.ones(1, 3, dtype=torch.bool)
    edges = torch.tensor([[0.0, 1.0, 2.0, 3.0]])
    return Snippets(along, keys, edges, torch.tensor([key_edges]), valid, valid.clone(), torch.tensor(queue), None)


def test_aligned_by_hand_with_equal_crops():
    s = hand_made([0.0, 1.0, 2.0, 3.0])
    # Neighbours touch: gap 0, neither positive nor negative. The ends are one second apart, more than the margin.
    e, queue = math.exp, 1.0  # the queue entry is orthogonal to every query
    first = -math.log(e(1) / (e(1) + e(-1) + queue))  # positive x, negative -x
    second = -math.log(e(0) / (e(0) + queue))  # positive y, nothing far enough
    third = -math.log(e(-1) / (e(-1) + e(1) + queue))  # positive -x, negative x
    assert float(AlignedSnippetLoss(1.0, 0.5)(*s.args())) == pytest.approx((first + second + third) / 3)
    # Without negatives of the same recording.
    alone = [-math.log(e(p) / (e(p) + queue)) for p in (1, 0, -1)]
    assert float(AlignedSnippetLoss(1.0, 0.5, within=False)(*s.args())) == pytest.approx(sum(alone) / 3)


def test_aligned_soft_targets_by_hand():
    # Keys cover [0.25, 1.25), [1.25, 2.25), [2.25, 3.25): a query snippet is a quarter / three quarters of two keys.
    s = hand_made([0.25, 1.25, 2.25, 3.25])
    s.query_valid = torch.tensor([[False, True, False]])  # [1, 2): 0.25 s of the key along x, 0.75 s of the one along y
    e = math.exp
    bottom = e(1) + e(0) + 1  # key -x begins 0.25 s after it: nearer than the margin, so it is left out
    expected = -0.25 * math.log(e(1) / bottom) - 0.75 * math.log(e(0) / bottom)
    assert float(AlignedSnippetLoss(1.0, 0.5)(*s.args())) == pytest.approx(expected)
    # A smaller margin makes -x a negative.
    bottom += e(-1)
    expected = -0.25 * math.log(e(1) / bottom) - 0.75 * math.log(e(0) / bottom)
    assert float(AlignedSnippetLoss(1.0, 0.2)(*s.args())) == pytest.approx(expected)


def test_aligned_hard_targets_by_hand():
    s = hand_made([0.25, 1.25, 2.25, 3.25])
    s.query_valid = torch.tensor([[False, True, False]])
    # of the keys along x, for a quarter, and along y, for three quarters, the latter is the positive; the former is
    # left out, as is -x, which begins 0.25 s after
    hard = AlignedSnippetLoss(1.0, 0.5, soft=False)
    assert float(hard(*s.args())) == pytest.approx(-math.log(1 / 2))
    # of equals the earliest
    s.key_edges = torch.tensor([[0.5, 1.5, 2.5, 3.5]])
    assert float(hard(*s.args())) == pytest.approx(-math.log(math.e / (math.e + 1)))


def test_aligned_crops_that_do_not_meet_have_no_say():
    s = hand_made([10.0, 11.0, 12.0, 13.0])
    s.query.requires_grad_()
    loss = AlignedSnippetLoss(0.1)(*s.args())
    assert loss.item() == 0
    loss.backward()
    assert torch.equal(s.query.grad, torch.zeros_like(s.query))


def test_aligned_a_positive_in_padding_is_none():
    s = hand_made([0.0, 1.0, 2.0, 3.0])
    s.key_valid = torch.tensor([[False, True, False]])
    e = math.exp
    assert float(AlignedSnippetLoss(1.0)(*s.args())) == pytest.approx(-math.log(e(0) / (e(0) + 1)))


@pytest.mark.parametrize("within", [True, False])
def test_aligned_values_of_invalid_snippets_and_unusable_keys_count_for_nothing(within):
    s = made_snippets(40)
    loss = AlignedSnippetLoss(0.1, 0.3, within)
    before = float(loss(*s.args()))
    other = made_snippets(41)
    s.query = torch.where(s.query_valid[..., None], s.query, other.query)
    s.key = torch.where(s.key_valid[..., None], s.key, other.key)
    assert float(loss(*s.args())) == pytest.approx(before, rel=1e-12)
    # a queue entry that no clip may use
    s.usable[:, 2] = False
    before = float(loss(*s.args()))
    s.queue = torch.where((torch.arange(len(s.queue)) == 2)[:, None], other.queue, s.queue)
    assert float(loss(*s.args())) == pytest.approx(before, rel=1e-12)


@given(st.integers(0, 10_000), st.floats(-50, 50), st.floats(0.1, 8))
@settings(max_examples=30, deadline=None)
def test_aligned_knows_only_time_differences(seed, shift, scale):
    """Moving both views in time changes nothing; nor does another unit of time, margin included."""
    s = made_snippets(seed)
    loss = float(AlignedSnippetLoss(0.2, 0.5)(*s.args()))
    s.query_edges, s.key_edges = s.query_edges * scale + shift, s.key_edges * scale + shift
    assert float(AlignedSnippetLoss(0.2, 0.5 * scale)(*s.args())) == pytest.approx(loss, rel=1e-6, abs=1e-9)


@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.07, 1.0]))
@settings(max_examples=30, deadline=None)
def test_aligned_gradients_are_finite_and_stay_off_invalid_snippets(seed, temperature):
    s = made_snippets(seed)
    s.query, s.key = s.query.float().requires_grad_(), s.key.float()
    s.queue = s.queue.float()
    loss = AlignedSnippetLoss(temperature)(*s.args())
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(s.query.grad).all()
    assert not s.query.grad[~s.query_valid].any()


def test_aligned_gradient_is_that_of_finite_differences():
    s = made_snippets(7)
    s.query.requires_grad_()
    loss = AlignedSnippetLoss(0.5)
    assert torch.autograd.gradcheck(lambda q: loss(q, *s.args()[1:]), (s.query,))


def test_aligned_batch_of_one_clip_is_the_mean_over_clips_weighted_by_snippets():
    s = made_snippets(21)
    s.query_valid[:], s.key_valid[:] = True, True
    s.query_edges = s.key_edges  # every snippet has a positive
    loss = AlignedSnippetLoss(0.2)
    alone = [loss(*[part if part is s.queue else part[b : b + 1] for part in s.args()]) for b in range(3)]
    assert float(loss(*s.args())) == pytest.approx(float(sum(alone)) / 3)


def test_overlap_and_gap_by_hand():
    overlap, gap = overlap_and_gap(torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([[0.5, 1.5, 3.5, 9.5]]))
    assert overlap.tolist() == [[[0.5, 0.0, 0.0], [0.5, 0.5, 0.0]]]
    assert gap.tolist() == [[[0.0, 0.5, 2.5], [0.0, 0.0, 1.5]]]


# ---- the paper's snippets --------------------------------------------------------------------------------------------


def made_paper(seed, batch=3, count=5, dim=6, features=8, queue=7, usable=True):
    g = generator(seed)
    backbone = [torch.randn(batch, count, features, generator=g, dtype=torch.float64) for _ in range(2)]
    return [
        unit(batch, count, dim, seed=seed + 1), unit(batch, count, dim, seed=seed + 2), *backbone,
        coin(batch, count, seed=seed + 3), coin(batch, count, seed=seed + 4), unit(queue, dim, seed=seed + 5),
        coin(batch, queue, seed=seed + 6) if usable else None,
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_paper_is_its_equation(seed, temperature):
    args = made_paper(10 * seed, usable=seed % 2 == 0)
    found = PaperSnippetLoss(temperature)(*args)
    assert float(found) == pytest.approx(slow_paper(*args, temperature), rel=1e-9)


def test_paper_by_hand():
    q = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    k = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]])
    query_features = torch.tensor([[[1.0], [-1.0]]])
    key_features = torch.tensor([[[-1.0], [5.0]]])  # not normalised: the longer one wins for a positive feature
    valid, queue = torch.ones(1, 2, dtype=torch.bool), torch.tensor([[0.0, 1.0]])
    args = (q, k, query_features, key_features, valid, valid, queue)
    e = math.exp
    first = -math.log(e(-1) / (e(-1) + e(0)))  # the second key, -x; the queue entry is orthogonal
    second = -math.log(e(0) / (e(0) + e(1)))  # the first key, orthogonal; the queue entry is the same
    assert float(PaperSnippetLoss(1.0)(*args)) == pytest.approx((first + second) / 2)
    one_key = torch.tensor([[True, False]])
    first = -math.log(e(1) / (e(1) + e(0)))
    found = PaperSnippetLoss(1.0)(q, k, query_features, key_features, valid, one_key, queue)
    assert float(found) == pytest.approx((first + second) / 2)


def test_paper_padding_counts_for_nothing():
    args, other = made_paper(50), made_paper(51)
    before = float(PaperSnippetLoss()(*args))
    for place, valid in ((0, args[4]), (1, args[5]), (2, args[4]), (3, args[5])):
        args[place] = torch.where(valid[..., None], args[place], 100 * other[place])
    assert float(PaperSnippetLoss()(*args)) == pytest.approx(before, rel=1e-12)


def test_paper_without_a_valid_key_is_zero_and_can_be_trained_on():
    args = made_paper(3)
    args[5] = torch.zeros_like(args[5])
    args[0].requires_grad_()
    loss = PaperSnippetLoss()(*args)
    loss.backward()
    assert loss.item() == 0
    assert not args[0].grad.any()


def test_paper_gradients_are_finite_in_single_precision():
    args = [part.float() if part.dtype == torch.float64 else part for part in made_paper(8)]
    args[0].requires_grad_()
    PaperSnippetLoss(0.01)(*args).backward()
    assert torch.isfinite(args[0].grad).all()
    assert not args[0].grad[~args[4]].any()
    assert args[0].grad[args[4]].any()
