"""Queue, momentum, snippet pooling and what methods do with them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.config import AugmentConfig, MethodConfig, Normalisation, SnippetConfig
from kinespan.data.skeletons import KINECT_20
from kinespan.encoders import Pyramid, build_encoder
from kinespan.errors import InputError
from kinespan.methods import METHODS, MethodInputs, SnippetTerm, build_method
from kinespan.methods.base import projection, unit_length, video_feature
from kinespan.methods.momentum import Momentum, slow_copy
from kinespan.methods.queue import KeyQueue, gather
from kinespan.methods.snippet import WithSnippets, pool_snippets, snippet_shares
from kinespan.models.input_spec import InputSpec
from kinespan.transforms.augment import TimeMap, View

# ---- queue -----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 12), st.lists(st.integers(0, 15), max_size=12))
@settings(max_examples=60, deadline=None)
def test_queue_holds_the_latest_keys(size, batches):
    """Against a plain list, over many turns, with batches of every size."""
    queue, kept, number = KeyQueue(size, 2), [], 0
    for count in batches:
        ids = torch.arange(number, number + count)
        queue.put(torch.stack([ids, -ids], dim=1).float(), ids % 3)
        kept = (kept + ids.tolist())[-size:]
        number += count
        keys, negative_mask = queue.negatives(torch.tensor([0, 1]))
        assert sorted(keys[:, 0].tolist()) == kept
        assert torch.equal(keys[:, 1], -keys[:, 0])
        owner = keys[:, 0].long() % 3
        assert torch.equal(negative_mask, torch.stack([owner != 0, owner != 1]))


def test_queue_by_hand_masks_keys_of_the_same_recording():
    queue = KeyQueue(3, 1)
    assert queue.negatives(torch.tensor([7]))[0].shape == (0, 1)
    queue.put(torch.tensor([[1.0], [2.0]]), torch.tensor([7, 8]))
    keys, negative_mask = queue.negatives(torch.tensor([7, 9]))
    assert keys.tolist() == [[1], [2]]
    assert negative_mask.tolist() == [[False, True], [True, True]]
    queue.put(torch.tensor([[3.0], [4.0]]), torch.tensor([9, 9]))
    assert sorted(queue.negatives(torch.tensor([7]))[0].flatten().tolist()) == [2, 3, 4]


def test_putting_keys_in_never_changes_negatives_returned_earlier():
    queue = KeyQueue(2, 1)
    queue.put(torch.ones(2, 1), torch.zeros(2, dtype=torch.long))
    keys, _ = queue.negatives(torch.tensor([1]))
    queue.put(torch.zeros(2, 1), torch.zeros(2, dtype=torch.long))
    assert keys.tolist() == [[1], [1]]


def test_keys_carry_no_gradient_and_survive_a_checkpoint():
    queue = KeyQueue(4, 2)
    queue.put(torch.ones(3, 2, requires_grad=True) * 2, torch.arange(3))
    assert not queue.keys.requires_grad
    other = KeyQueue(4, 2)
    other.load_state_dict(queue.state_dict())
    for one in (queue, other):
        one.put(torch.zeros(2, 2), torch.tensor([5, 6]))
    assert torch.equal(queue.negatives(torch.tensor([0]))[0], other.negatives(torch.tensor([0]))[0])
    assert int(other.count) == 5


def test_queue_size_must_be_positive():
    with pytest.raises(InputError, match="queue size"):
        KeyQueue(0, 2)


def _process(rank, file, out):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    rows = 2 if rank == 0 else 3
    keys = torch.arange(rows).float()[:, None] + 10 * rank
    queue = KeyQueue(4, 1)
    queue.put(keys, torch.full((rows,), rank))
    gathered = gather(keys), gather(torch.zeros(rank, 2, dtype=torch.long))
    torch.save([*gathered, *queue.state_dict().values()], f"{out}.{rank}")
    dist.destroy_process_group()


def test_every_process_queues_the_keys_of_all_processes(tmp_path, monkeypatch):
    """Two processes with two and three rows: all five in the order of rank, the same queue in both."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    mp.spawn(_process, (str(tmp_path / "meet"), str(tmp_path / "out")), nprocs=2)
    one, other = (torch.load(tmp_path / f"out.{rank}", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    gathered, empty, keys, owners, count = one
    assert gathered.flatten().tolist() == [0, 1, 10, 11, 12]
    assert empty.shape == (1, 2)  # nothing from the first process, one row from the second
    assert keys.flatten().tolist() == [1, 10, 11, 12]
    assert owners.tolist() == [0, 1, 1, 1]
    assert int(count) == 4


def test_gather_of_one_process_returns_its_rows():
    rows = torch.rand(3, 2)
    assert gather(rows) is rows


# ---- momentum --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_momentum_matches_its_equation(share):
    fast = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    slow = slow_copy(fast)
    expected = [part.clone() for part in slow.parameters()]
    for _ in range(3):
        for part in fast.parameters():
            part.data.add_(torch.randn_like(part))
        Momentum(share).update(fast, slow)
        expected = [share * kept + (1 - share) * new for kept, new in zip(expected, fast.parameters(), strict=True)]
        for part, value in zip(slow.parameters(), expected, strict=True):
            assert torch.allclose(part, value, atol=1e-6)


def test_a_slow_copy_shares_nothing_and_needs_no_gradient():
    fast = torch.nn.Linear(2, 2)
    slow = slow_copy(fast)
    fast.weight.data.zero_()
    assert slow.weight.any()
    assert not any(part.requires_grad for part in slow.parameters())
    assert all(part.requires_grad for part in fast.parameters())


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_momentum_out_of_range_is_refused(share):
    with pytest.raises(InputError, match="momentum"):
        Momentum(share)


# ---- pooling ---------------------------------------------------------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 12))
def test_snippet_shares_add_up(length, count):
    share = snippet_shares(length, count)
    assert share.shape == (count, length)
    assert torch.allclose(share.sum(dim=1), torch.ones(count), atol=1e-5)
    assert torch.allclose(share.sum(dim=0), torch.full((length,), count / length), atol=1e-5)  # no step counts twice
    assert (share >= 0).all()


def test_snippet_shares_by_hand():
    assert snippet_shares(4, 2).tolist() == [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]
    third = pytest.approx(1 / 3)
    assert snippet_shares(3, 2).tolist() == [[pytest.approx(2 / 3), third, 0], [0, third, pytest.approx(2 / 3)]]


def pyramid_of(batch, channels, steps, seed=0):
    g = torch.Generator().manual_seed(seed)
    mask = torch.rand(batch, steps, generator=g) < 0.6
    deepest = torch.randn(batch, channels, steps, generator=g) * mask[:, None]
    return Pyramid((deepest,), (mask,))


@pytest.mark.parametrize(("steps", "count"), [(16, 8), (19, 19), (18, 9), (7, 3), (10, 4), (3, 5)])
def test_pooling_is_the_mean_over_valid_time(steps, count):
    pyramid = pyramid_of(3, 4, steps, seed=steps)
    deepest, mask = pyramid.maps[-1], pyramid.masks[-1]
    features, valid = pool_snippets(deepest, mask, count)
    for b in range(3):
        for k in range(count):
            start, end = k * steps / count, (k + 1) * steps / count
            total, weight = torch.zeros(4), 0.0
            for t in range(steps):
                shared = max(0.0, min(end, t + 1) - max(start, t))
                if mask[b, t]:
                    total, weight = total + shared * deepest[b, :, t], weight + shared
            held = weight / (end - start)
            if abs(held - 0.5) > 1e-4:
                assert bool(valid[b, k]) == (held >= 0.5)
            if weight > 0:
                assert torch.allclose(features[b, k], total / weight, atol=1e-4)
            else:
                assert not features[b, k].any()


def test_video_feature_is_the_mean_over_valid_time():
    deepest = torch.tensor([[[1.0, 3.0, 0.0]], [[0.0, 0.0, 0.0]]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert video_feature(Pyramid((deepest,), (mask,))).tolist() == [[2], [0]]


def test_unit_length_gives_float32_vectors_of_length_one():
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)) * 100
    assert torch.allclose(unit_length(x).norm(dim=1), torch.ones(5))
    assert unit_length(x.bfloat16()).dtype == torch.float32
    assert projection(6, 2)(torch.zeros(4, 7, 6)).shape == (4, 7, 2)


# ---- methods ---------------------------------------------------------------------------------------------------------


def view_of(seed, batch=3, frames=16, start=0.0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, frames, 1, 20, 3, generator=g)
    times = TimeMap(torch.full((batch,), start), torch.full((batch,), 0.1))
    return x, View(x, torch.ones(x.shape[:4], dtype=torch.bool), times, torch.arange(batch))


def step_of(seed, recordings=(0, 1, 2), frames=16, progress=0.0, **basic):
    """A step of random clips of two streams."""
    view = view_of(seed, len(recordings), frames)[1]
    clips = replace(view, recording=torch.tensor(recordings))
    generator = torch.Generator().manual_seed(seed)
    strengths = {"basic": AugmentConfig(**basic), "extreme": AugmentConfig(flip=0.5, axis_mask=0.5)}
    return MethodInputs(
        clips, progress, strengths, InputSpec(KINECT_20, 10.0, ("joint", "joint_motion"), Normalisation()), generator
    )


def method_of(name, variant, dim=8, **options):
    torch.manual_seed(0)
    encoder = build_encoder("stgcn16_light", KINECT_20, 6, fuse_streams="late" if name in LATE else "early")
    method = build_method(name, encoder, MethodConfig(queue=6, dim=dim, momentum=0.9))
    if variant == "off":
        return method
    config = SnippetConfig(variant=variant, queue=10, frames=8, **options)
    term = SnippetTerm(encoder.channels[-1], config, MethodConfig(dim=dim, momentum=0.9))
    return WithSnippets(method, term, config.weight)


LATE = ("crosclr",)
"""Methods that want an encoder for each stream."""

KEYLESS = ("usdrl",)
"""Methods without negatives: they have neither a key network nor a queue of their own."""

each = pytest.mark.parametrize(
    ("name", "variant"), [(name, variant) for name in METHODS for variant in ("aligned", "paper", "off")]
)


@each
def test_key_networks_never_get_gradients_and_all_others_do(name, variant):
    method = method_of(name, variant)
    method(step_of(0))  # fills the queues, so that the next step, of other recordings, has negatives
    out = method(step_of(7, (10, 11, 12)))
    out.loss.backward()
    for part_name, part in method.named_parameters():
        if "key_" in part_name:
            assert not part.requires_grad
            assert part.grad is None
        else:
            assert part.grad is not None, part_name
            assert torch.isfinite(part.grad).all(), part_name
    assert not any(level.requires_grad for level in out.key.maps)
    assert torch.allclose(out.embedding.norm(dim=1), torch.ones(3), atol=1e-5)
    assert all(not part.requires_grad for part in out.parts.values())


@each
def test_after_a_step_key_networks_have_moved_a_tenth_of_the_way(name, variant):
    method = method_of(name, variant)
    parts = dict(method.named_parameters())
    pairs = [(key, key.replace("key_", "")) for key in parts if "key_" in key]
    assert bool(pairs) == (name not in KEYLESS or variant != "off")
    for part_name, part in parts.items():
        if "key_" not in part_name:
            part.data += 1
    method.after_step()
    for key, query in pairs:
        assert torch.allclose(parts[query] - parts[key], torch.full_like(parts[key], 0.9), atol=1e-5)


@each
def test_only_training_fills_the_queues(name, variant):
    method = method_of(name, variant).eval()
    queues = [module for module in method.modules() if isinstance(module, KeyQueue)]
    snippets = [module.queue for module in method.modules() if isinstance(module, SnippetTerm)]
    own = [queue for queue in queues if queue not in snippets]
    method(step_of(0))
    assert all(int(queue.count) == 0 for queue in queues)
    method.train()
    method(step_of(0, crop_min=1))  # nothing is mirrored in time
    assert bool(own) == (name not in KEYLESS)
    assert all(int(queue.count) == 3 for queue in own)
    each = round(METHODS[name].view_frames(16) / 8)  # snippets of a clip
    assert [int(queue.count) for queue in snippets] == {"aligned": [3 * each], "paper": [3], "off": []}[variant]


def test_unknown_methods_and_options_name_the_nearest():
    encoder = build_encoder("stgcn16_light", KINECT_20, 3)
    with pytest.raises(InputError, match=r"--options of method skeletonclr: unknown setting 'topk'; available: none"):
        build_method("skeletonclr", encoder, MethodConfig(queue=4), {"topk": 2})
    with pytest.raises(InputError, match="did you mean 'skeletonclr'"):
        build_method("skeletoncrl", encoder, MethodConfig(queue=4))


def test_each_view_is_drawn_anew_with_its_time_map():
    step = step_of(3)
    one, other = step.view(), step.view("extreme")
    assert one.streams.shape == (3, 16, 1, 20, 6)
    assert not torch.equal(one.view.positions, other.view.positions)
    assert torch.equal(one.view.recording, step.clips.recording)
    whole = step.encoder_input(step.clips)
    assert torch.equal(whole.view.positions, step.clips.positions)
    begin, end = one.view.times.start, one.view.times.edges(1, 16)[:, 1]
    assert (begin >= step.clips.times.start - 1e-5).all()
    assert (end <= step.clips.times.edges(1, 16)[:, 1] + 1e-5).all()


def test_the_snippet_term_is_added_with_its_weight():
    method = method_of("skeletonclr", "aligned", weight=2.5)
    out = method(step_of(0))
    assert float(out.loss.detach()) == pytest.approx(float(out.parts["video"]) + 2.5 * float(out.parts["snippet"]))


def test_padded_snippets_stay_out_of_the_queue_and_the_loss():
    method = method_of("skeletonclr", "aligned").term
    query, key = view_of(0), view_of(1)
    mask = torch.ones(3, 4, dtype=torch.bool)
    mask[0, 2:] = False
    g = torch.Generator().manual_seed(0)
    maps = [torch.randn(3, 128, 4, generator=g) * mask[:, None] for _ in range(2)]
    method(Pyramid((maps[0],), (mask,)), Pyramid((maps[1],), (mask,)), query[1], key[1])
    assert int(method.queue.count) == 5
    assert method.queue.recordings[:5].tolist() == [0, 1, 1, 2, 2]
    assert torch.allclose(method.queue.keys[:5].norm(dim=1), torch.ones(5), atol=1e-5)


def test_the_paper_queue_holds_one_mean_vector_a_video():
    method = method_of("skeletonclr", "paper").term
    g = torch.Generator().manual_seed(0)
    mask = torch.ones(3, 2, dtype=torch.bool)
    mask[2, 1] = False
    maps = [torch.randn(3, 128, 2, generator=g) * mask[:, None] for _ in range(2)]
    method(Pyramid((maps[0],), (mask,)), Pyramid((maps[1],), (mask,)), view_of(0)[1], view_of(1)[1])
    keys = torch.nn.functional.normalize(method.key_head(maps[1].transpose(1, 2)), dim=2)
    expected = [keys[0].mean(dim=0), keys[1].mean(dim=0), keys[2, 0]]
    for found, vector in zip(method.queue.keys[:3], expected, strict=True):
        assert torch.allclose(found, vector / vector.norm(), atol=1e-5)
