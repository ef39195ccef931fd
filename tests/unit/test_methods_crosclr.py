"""CrosSCLR: SkeletonCLR on each stream, then streams that name one another's neighbours; against slow loops."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from kinespan.config import AugmentConfig, MethodConfig, Normalisation
from kinespan.data.skeletons import KINECT_20
from kinespan.encoders import build_encoder
from kinespan.errors import InputError
from kinespan.methods import MethodInputs, build_method
from kinespan.models.input_spec import InputSpec
from kinespan.transforms.augment import TimeMap, View
from kinespan.transforms.streams import compute_streams

STREAMS = ("joint", "joint_motion", "bone")
QUEUE = 7


def step_of(seed, recordings=(0, 1, 2), progress=0.0):
    g = torch.Generator().manual_seed(seed)
    batch = len(recordings)
    x = torch.randn(batch, 16, 1, 20, 3, generator=g)
    times = TimeMap(torch.zeros(batch), torch.full((batch,), 0.1))
    clips = View(x, torch.ones(x.shape[:4], dtype=torch.bool), times, torch.tensor(recordings))
    generator = torch.Generator().manual_seed(seed)
    return MethodInputs(
        clips, progress, {"basic": AugmentConfig()}, InputSpec(KINECT_20, 10.0, STREAMS, Normalisation()), generator
    )


def method_of(**options):
    torch.manual_seed(0)
    encoder = build_encoder("stgcn16_light", KINECT_20, 9, fuse_streams="late")
    return build_method("crosclr", encoder, MethodConfig(queue=QUEUE, dim=5, momentum=0.9), options)


def filled(method, owners=(0, 1, 2, 3, 4, 4, 5)):
    """The method in eval mode, random keys of these recordings in its queues."""
    for place, member in enumerate(method.members):
        g = torch.Generator().manual_seed(50 + place)
        member.queue.put(F.normalize(torch.randn(len(owners), 5, generator=g), dim=1), torch.tensor(owners))
    return method.eval()


def vectors(method, step):
    """Queries and keys by stream, each view's streams computed one at a time."""
    query, key = step.view().view, step.view().view
    found = []
    for stream, member in zip(STREAMS, method.members, strict=True):
        one, two = (compute_streams(v.positions, v.valid, KINECT_20, (stream,), 10.0) for v in (query, key))
        with torch.no_grad():
            pooled = [
                member.encoder(one, query.present).maps[-1].mean(dim=2),
                member.key_encoder(two, key.present).maps[-1].mean(dim=2),
            ]
            found.append((F.normalize(member.head(pooled[0]), dim=1), F.normalize(member.key_head(pooled[1]), dim=1)))
    return found


def slow(method, step, pairs, topk):
    """The sum over ordered pairs (u, v); neighbours of v are positives of u, and none where v is None."""
    found, total = vectors(method, step), 0.0
    for u, v in pairs:
        losses = []
        for b, recording in enumerate(step.clips.recording.tolist()):
            queue = method.members[u].queue
            others = [n for n in range(QUEUE) if int(queue.recordings[n]) != recording]
            terms = {n: math.exp(float(found[u][0][b] @ queue.keys[n]) / 0.07) for n in others}
            own = math.exp(float(found[u][0][b] @ found[u][1][b]) / 0.07)
            positives = [own]
            if v is not None:
                seen = method.members[v].queue.keys
                near = sorted(others, key=lambda n: -float(found[v][0][b] @ seen[n]))[:topk]
                positives += [terms[n] for n in near]
            whole = own + sum(terms.values())
            losses.append(-sum(math.log(part / whole) for part in positives) / len(positives))
        total += sum(losses) / len(losses)
    return total


def test_the_first_phase_is_skeletonclr_on_each_stream():
    method = filled(method_of())
    out = method(step_of(3, progress=0.49))
    expected = slow(method, step_of(3), [(0, None), (1, None), (2, None)], 1)
    assert float(out.loss.detach()) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("topk", [1, 2])
def test_in_the_second_phase_neighbours_of_one_stream_are_positives_of_another(topk):
    method = filled(method_of(topk=topk))
    out = method(step_of(3, progress=0.5))
    expected = slow(method, step_of(3), [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)], topk)
    assert float(out.loss.detach()) == pytest.approx(expected, rel=1e-4)
    one_sided = slow(method, step_of(3), [(0, 0), (0, 0), (1, 1), (1, 1), (2, 2), (2, 2)], topk)
    assert abs(expected - one_sided) > 0.01  # streams do not all find the same: the test can fail


@pytest.mark.parametrize(("mine_from", "progress", "mines"), [(1.0, 0.999, False), (0.0, 0.0, True), (0.2, 0.1, False)])
def test_second_phase_begins_at_its_share_of_the_steps(mine_from, progress, mines):
    method = filled(method_of(mine_from=mine_from))
    loss = float(method(step_of(3, progress=progress)).loss.detach())
    first = slow(method, step_of(3), [(0, None), (1, None), (2, None)], 1)
    assert (loss == pytest.approx(first, rel=1e-4)) != mines


def test_keys_of_the_same_recording_are_never_positives():
    """A queue of nothing else leaves the key alone, in both phases."""
    method = filled(method_of(), owners=(4,) * QUEUE)
    for progress in (0.0, 0.9):
        out = method(step_of(3, recordings=(4, 4), progress=progress))
        assert float(out.loss.detach()) == pytest.approx(0, abs=1e-6)


def test_queues_of_all_streams_hold_the_same_clips_in_the_same_slots():
    method = method_of().train()
    for seed in range(4):
        method(step_of(seed, recordings=(seed, seed + 10, seed + 20)))
    recordings = [member.queue.recordings.tolist() for member in method.members]
    assert recordings[0] == recordings[1] == recordings[2]
    assert sorted(recordings[0]) == [2, 3, 12, 13, 21, 22, 23]  # the latest seven
    keys = [member.queue.keys for member in method.members]
    assert not torch.allclose(keys[0], keys[1])


def test_snippet_term_gets_the_maps_of_all_streams():
    torch.manual_seed(0)
    encoder = build_encoder("stgcn16_light", KINECT_20, 9, fuse_streams="late")
    method = build_method("crosclr", encoder, MethodConfig(queue=4, dim=5)).eval()
    assert method.encoder is encoder
    out = method(step_of(1))
    step = step_of(1)
    query = step.view()
    expected = encoder(query.streams, query.view.present)
    assert torch.allclose(out.query.maps[-1], expected.maps[-1], atol=1e-6)
    assert out.query.maps[-1].shape[1] == out.key.maps[-1].shape[1] == encoder.channels[-1]
    assert out.embedding.shape == (3, 15)
    assert not out.key.joints.requires_grad


def test_gradients_of_a_stream_do_not_reach_another():
    method = filled(method_of())
    queries = [F.normalize(torch.randn(3, 5), dim=1).requires_grad_() for _ in STREAMS]
    keys = [F.normalize(torch.randn(3, 5), dim=1) for _ in STREAMS]
    queues = [member.queue.keys for member in method.members]
    negative_mask = torch.ones(3, QUEUE, dtype=torch.bool)
    loss = method._contrast(tuple(queries), tuple(keys), queues, negative_mask, True)
    gradient = torch.autograd.grad(loss, queries)
    # the first stream in other surroundings: only through which neighbours are named could the second change that
    other = [queries[0], *(query * 0.5 for query in queries[1:])]
    again = torch.autograd.grad(method._contrast(tuple(other), tuple(keys), queues, negative_mask, True), queries[0])
    assert torch.allclose(gradient[0], again[0], atol=1e-6)


@pytest.mark.parametrize(("channels", "fuse"), [(9, "early"), (3, "late")])
def test_an_encoder_of_all_streams_together_is_refused(channels, fuse):
    encoder = build_encoder("stgcn16_light", KINECT_20, channels, fuse_streams=fuse)
    with pytest.raises(InputError, match=r"crosclr.*--network\.fuse-streams late.*--network\.streams joint"):
        build_method("crosclr", encoder, MethodConfig(queue=4))


@pytest.mark.parametrize("options", [{"topk": 0}, {"mine_from": 1.5}, {"mine_from": -0.1}])
def test_crosclr_options_out_of_range_are_refused(options):
    with pytest.raises(InputError, match="--options"):
        method_of(**options)


def test_first_step_trains_with_empty_queues():
    method = method_of()
    out = method(replace(step_of(0), progress=0.9))
    assert float(out.loss.detach()) == pytest.approx(0, abs=1e-6)
