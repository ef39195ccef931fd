"""RVTCLR+: two tempos, what each head is compared with, and snippets across tempos."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from kinespan.config import AugmentConfig, MethodConfig, Normalisation, SnippetConfig
from kinespan.data.skeletons import KINECT_20
from kinespan.encoders import build_encoder
from kinespan.errors import InputError
from kinespan.methods import MethodInputs, SnippetTerm, build_method
from kinespan.methods.base import video_feature
from kinespan.methods.rvtclr import RVTCLROptions, speed_preserving_view
from kinespan.methods.snippet import WithSnippets
from kinespan.models.input_spec import InputSpec
from kinespan.transforms.augment import TimeMap, View, change_tempo

STILL = AugmentConfig(crop_min=1, shear=0, rotation=0, tilt=0, noise=0, blur=0)
FAST = torch.tensor([False, True, False, True])


def step_of(seed=0, progress=0.0, frames=32, basic=STILL, extreme=STILL):
    g = torch.Generator().manual_seed(seed)
    times = TimeMap(10.0 * torch.arange(4), torch.full((4,), 0.1))
    x = torch.randn(4, frames, 1, 20, 3, generator=g)
    clips = View(x, torch.ones(x.shape[:4], dtype=torch.bool), times, torch.arange(4))
    return MethodInputs(
        clips,
        progress,
        {"basic": basic, "extreme": extreme},
        InputSpec(KINECT_20, 10.0, ("joint",), Normalisation()),
        g,
    )


def method_of(**options):
    torch.manual_seed(0)
    encoder = build_encoder("stgcn16_light", KINECT_20, 3)
    return build_method("rvtclr", encoder, MethodConfig(queue=64, dim=8, momentum=0.9, temperature=0.2), options)


def dot(one, other):
    return sum(x * y for x, y in zip(one, other, strict=True))


def logs_of(query, keys):
    scores = [dot(query, key) / 0.2 for key in keys]
    total = math.log(sum(math.exp(score) for score in scores))
    return [score - total for score in scores]


@pytest.mark.parametrize("progress", [0.0, 0.4])
def test_rvtclr_matches_slow_reference(progress):
    """Each term slowly, from the network's own vectors, before and after mining begins."""
    method = method_of(topk=1, margin=1.5).eval()
    rows = F.normalize(torch.randn(9, 8, generator=torch.Generator().manual_seed(3)), dim=1)
    method.queue.put(rows, torch.arange(9))
    step = step_of(progress=progress)
    out = method(step)

    same, other = (step.encoder_input(change_tempo(step.clips, rate)) for rate in (FAST, ~FAST))
    feature = video_feature(method.encoder(same.streams, same.view.present))
    q, m, d = (F.normalize(head(feature), dim=1).tolist() for head in
               (method.head, method.motion_head, method.distribution_head))  # fmt: skip
    keys = [video_feature(method.key_encoder(seen.streams, seen.view.present)) for seen in (same, other)]
    (k, k_other), (n, n_other) = (
        [F.normalize(head(key), dim=1).tolist() for key in keys] for head in (method.key_head, method.key_motion_head)
    )
    terms = dict.fromkeys(("video", "other_tempo", "tempo", "distribution"), 0.0)
    for b in range(4):
        queue = [row for number, row in enumerate(rows.tolist()) if number != b]  # row b is of recording b
        near = {max(range(8), key=lambda i, z=z: dot(z, queue[i])) for z in (q[b], d[b])} if progress > 0.33 else set()
        for name, positive in (("video", k[b]), ("other_tempo", k_other[b])):
            logs = logs_of(q[b], [positive, *queue])
            terms[name] -= sum([logs[0], *(logs[1 + i] for i in near)]) / (1 + len(near)) / 4
        terms["tempo"] += max(0.0, 1.5 - dot(m[b], n[b]) + dot(m[b], n_other[b])) / 4
        target, found = logs_of(q[b], [k[b], *queue]), logs_of(d[b], [k[b], *queue])
        terms["distribution"] -= sum(math.exp(t) * f for t, f in zip(target, found, strict=True)) / 4
    assert {name: float(part) for name, part in out.parts.items()} == pytest.approx(terms, rel=1e-4)
    assert float(out.loss.detach()) == pytest.approx(sum(terms.values()), rel=1e-4)


def test_views_are_half_as_long_at_two_tempos_and_know_their_time():
    step = step_of()
    out = method_of()(step)
    assert out.query_view.positions.shape[1] == out.key_view.positions.shape[1] == 16
    begin = step.clips.times.start
    for view, fast in ((out.query_view, FAST), (out.key_view, ~FAST)):
        covered = view.times.edges(1, 16) - begin[:, None]
        expected = torch.where(fast[:, None], torch.tensor([-0.05, 3.15]), torch.tensor([0.0, 1.6]))
        assert torch.allclose(covered, expected, atol=1e-4)
    assert method_of().view_frames(101) == 50


@pytest.mark.parametrize("config", [AugmentConfig(), AugmentConfig(crop="shift"), STILL])
def test_crops_never_change_the_tempo(config):
    step = step_of(basic=config, extreme=config)
    for strength in ("basic", "extreme"):
        view = speed_preserving_view(step, strength)
        assert torch.equal(view.times.step, step.clips.times.step)
        assert (view.timed is None) == (config == STILL)
    out = method_of()(step_of(basic=config, extreme=config))
    ratio = out.key_view.times.step / out.query_view.times.step
    assert torch.allclose(ratio, torch.where(FAST, 0.5, 2.0))


def test_the_queue_holds_keys_of_the_querys_tempo():
    method = method_of()
    step = step_of()
    method(step)
    method.eval()
    same = step.encoder_input(change_tempo(step.clips, FAST))
    assert int(method.queue.count) == 4
    method.train()
    assert torch.allclose(method.queue.keys[:4], method.embed_key(same).appearance, atol=1e-5)


def test_snippets_across_tempos_are_those_of_the_same_moment():
    """Encoder features that are the time itself: a query snippet's positives are over its own moment."""
    method = method_of()
    term = SnippetTerm(128, SnippetConfig(queue=40, frames=8), MethodConfig(dim=8, momentum=0.9, temperature=0.1))
    asked = {}
    aligned = term.aligned.forward

    def watched(query, key, *rest):
        asked["edges"] = query.edges, key.edges
        return aligned(query, key, *rest)

    term.aligned.forward = watched
    out = WithSnippets(method, term, 1.0)(step_of())
    assert torch.isfinite(out.loss)
    assert float(out.parts["snippet"]) > 0
    query, key = (edges - 10.0 * torch.arange(4)[:, None] for edges in asked["edges"])
    slow, fast = torch.tensor([0.0, 0.8, 1.6]), torch.tensor([-0.05, 1.55, 3.15])
    assert torch.allclose(query, torch.where(FAST[:, None], fast, slow), atol=1e-4)
    assert torch.allclose(key, torch.where(FAST[:, None], slow, fast), atol=1e-4)


def test_rvtclr_options_out_of_range_are_refused():
    with pytest.raises(InputError, match="topk"):
        RVTCLROptions(topk=0)
    with pytest.raises(InputError, match="margin"):
        method_of(margin=-1.0)
