"""The snippet term beyond its loss: neighbours of the paper's variant, and time that is mirrored."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from kinespan.config import MethodConfig, SnippetConfig
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.encoders import Pyramid
from kinespan.errors import InputError
from kinespan.losses import PaperSnippetLoss, Snippets
from kinespan.methods import SnippetTerm
from kinespan.methods.snippet import timed_snippets
from kinespan.train.clip_pool import ClipPool
from kinespan.transforms.augment import TimeMap, View, crop_shift
from kinespan.transforms.normalise import Motion


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def view_of(batch=3, frames=16, timed=None):
    x = torch.randn(batch, frames, 1, 20, 3, generator=generator())
    times = TimeMap(torch.zeros(batch), torch.full((batch,), 0.1))
    return View(x, torch.ones(x.shape[:4], dtype=torch.bool), times, torch.arange(batch), timed)


def term_of(**config):
    torch.manual_seed(0)
    return SnippetTerm(
        12, SnippetConfig(queue=20, frames=8, **config), MethodConfig(dim=6, momentum=0.9, temperature=0.3)
    )


def pyramids(batch=3, steps=4):
    mask = torch.ones(batch, steps, dtype=torch.bool)
    return [Pyramid((torch.randn(batch, 12, steps, generator=generator(seed)),), (mask,)) for seed in (1, 2)]


# ---- neighbours ------------------------------------------------------------------------------------------------------


def unit(*shape, seed):
    return F.normalize(torch.randn(*shape, generator=generator(seed), dtype=torch.float64), dim=-1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("masked", [False, True])
def test_paper_loss_with_neighbours_matches_slow_reference(seed, masked):
    q, k, queue = unit(2, 3, 5, seed=seed), unit(2, 3, 5, seed=seed + 10), unit(7, 5, seed=seed + 20)
    features, key_features = unit(2, 3, 4, seed=seed + 30), unit(2, 3, 4, seed=seed + 40)
    valid = torch.tensor([[True, True, False], [True, True, True]])
    key_valid = torch.tensor([[True, False, True], [True, True, True]])
    mask = torch.rand(2, 7, generator=generator(seed)) < 0.7 if masked else torch.ones(2, 7, dtype=torch.bool)
    mined = (torch.rand(2, 3, 7, generator=generator(seed + 1)) < 0.3) & mask[:, None]
    total, count = 0.0, 0
    for b in range(2):
        for i in range(3):
            if not valid[b, i]:
                continue
            best = max(
                (j for j in range(3) if key_valid[b, j]), key=lambda j: float(features[b, i] @ key_features[b, j])
            )
            keys = [(k[b, best], True)] + [(queue[m], bool(mined[b, i, m])) for m in range(7) if mask[b, m]]
            logits = [float(q[b, i] @ key) / 0.3 for key, _ in keys]
            denominator = math.log(sum(math.exp(logit) for logit in logits))
            log_probs = [logit - denominator for logit, (_, positive) in zip(logits, keys, strict=True) if positive]
            total, count = total - sum(log_probs) / len(log_probs), count + 1
    loss = PaperSnippetLoss(0.3)
    edges = torch.zeros(2, 4)
    query, key = Snippets(q, valid, edges, features), Snippets(k, key_valid, edges, key_features)
    args = (query, key, queue, mask if masked else None)
    assert float(loss(*args, mined)) == pytest.approx(total / count, rel=1e-9)
    assert float(loss(*args, torch.zeros_like(mined))) == pytest.approx(float(loss(*args)), rel=1e-12)


def test_neighbours_are_positives_from_their_share_of_the_steps_on():
    found = {}
    for neighbours in (0, 2):
        for progress in (0.0, 0.32, 0.34, 1.0):
            term = term_of(variant="paper", neighbours=neighbours, neighbours_from=0.33).eval()
            term.queue.put(F.normalize(torch.randn(9, 6, generator=generator(5)), dim=1), torch.arange(10, 19))
            found[neighbours, progress] = float(term(*pyramids(), view_of(), view_of(), progress).detach())
    plain = found[0, 0.0]
    assert {found[0, progress] for progress in (0.32, 0.34, 1.0)} == {plain}
    assert found[2, 0.0] == found[2, 0.32] == plain
    assert found[2, 0.34] == found[2, 1.0] != plain


def test_a_recording_is_never_its_own_neighbour():
    """With a queue of the batch's own recordings alone there are no candidates."""
    term = term_of(variant="paper", neighbours=5, neighbours_from=0.0).eval()
    term.queue.put(F.normalize(torch.randn(4, 6), dim=1), torch.zeros(4, dtype=torch.long))
    views = view_of(1), view_of(1)
    assert float(term(*pyramids(1), *views, 1.0).detach()) == 0


def test_clips_without_a_valid_snippet_leave_nothing_in_the_queue():
    term = term_of(variant="paper")
    query, key = pyramids()
    empty = key.masks[0].clone()
    empty[1] = False
    term(query, Pyramid((key.maps[0] * empty[:, None],), (empty,)), view_of(), view_of())
    assert int(term.queue.count) == 2
    assert term.queue.recordings[:2].tolist() == [0, 2]


@pytest.mark.parametrize("setting", [{"neighbours": -1}, {"neighbours_from": 1.5}])
def test_neighbour_settings_out_of_range_are_refused(setting):
    with pytest.raises(InputError, match=next(iter(setting))):
        SnippetConfig(**setting)


# ---- mirrored time ---------------------------------------------------------------------------------------------------


def test_timed_snippets_by_hand():
    timed = torch.ones(3, 16, dtype=torch.bool)
    timed[1, 0] = False
    timed[2, 7:9] = False
    assert timed_snippets(view_of(timed=timed), 2).tolist() == [[True, True], [False, True], [False, False]]
    assert timed_snippets(view_of(timed=timed), 4).tolist() == [
        [True] * 4, [False, True, True, True], [True, False, False, True],
    ]  # fmt: skip
    assert timed_snippets(view_of(), 2).all()


def test_mirrored_snippets_never_change_the_loss_and_stay_out_of_the_queue():
    timed = torch.ones(3, 16, dtype=torch.bool)
    timed[0, :3] = False
    query, key = pyramids()
    far = [pyramid.maps[0].clone() for pyramid in (query, key)]  # the same but for the mirrored snippet
    for level in far:
        level[0, :, :2] += 10
    other_query, other_key = (Pyramid((level,), key.masks) for level in far)

    def loss(query, key, query_view, key_view):
        term = term_of()
        term.queue.put(F.normalize(torch.randn(9, 6, generator=generator(5)), dim=1), torch.arange(10, 19))
        return float(term(query, key, query_view, key_view).detach()), term.queue.recordings[9 : int(term.queue.count)]

    plain, mirrored = view_of(), view_of(timed=timed)
    whole, owners = loss(query, key, plain, plain)
    assert owners.tolist() == [0, 0, 1, 1, 2, 2]
    found, owners = loss(query, key, plain, mirrored)
    assert owners.tolist() == [0, 1, 1, 2, 2]
    assert found != whole
    assert loss(query, other_key, plain, mirrored)[0] == pytest.approx(found, rel=1e-6)
    assert loss(query, other_key, plain, plain)[0] != pytest.approx(whole, rel=1e-3)
    found, _ = loss(query, key, mirrored, plain)
    assert loss(other_query, key, mirrored, plain)[0] == pytest.approx(found, rel=1e-6)
    assert loss(other_query, key, plain, plain)[0] != pytest.approx(whole, rel=1e-3)


def test_frames_mirrored_in_time_have_no_target():
    """Frames beyond either end of the recording as well: a shifted clip at its very start, and at its end."""
    annotation = Annotation((Span(0.0, 2.0, "walk"), Span(2.0, 4.0, "jump")), LabelSet(("walk", "jump")))
    x = torch.arange(40.0)[:, None, None, None].expand(40, 1, 2, 3).contiguous().numpy()
    motion = Motion(x, torch.ones(x.shape[:3], dtype=torch.bool).numpy(), 10.0, "made")
    pool = ClipPool([motion, motion], [annotation] * 2, annotation.labels)
    view, _ = pool.clips(torch.tensor([0, 1] * 10), torch.tensor([0, 16] * 10), 24)
    moved = crop_shift(view, 4, generator())
    targets = pool.targets_of(moved)
    frame = moved.positions[:, :, 0, 0, 0]
    expected = torch.where(frame < 20, 1, 2)
    assert not moved.timed.all()
    assert torch.equal(targets.mask, moved.timed)
    assert not targets.values[~moved.timed].any()
    assert torch.equal(targets.values.argmax(dim=2)[moved.timed], expected[moved.timed])
