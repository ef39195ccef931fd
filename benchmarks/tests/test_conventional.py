"""The field's usual way in speed/conventional*.py computes our numbers where the maths is the same."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from benchmarks.speed import conventional, conventional_views
from benchmarks.speed.conventional_files import mean_average_precision, read_skeleton
from numpy.testing import assert_allclose
from torch import Tensor, nn

from kinespan.config import AugmentConfig, MethodConfig, Normalisation
from kinespan.data.annotation import LabelSet, Span
from kinespan.data.skeletons import NTU_25
from kinespan.encoders import build_encoder
from kinespan.encoders.graph import spatial_partition
from kinespan.io.ntu import read_bodies
from kinespan.methods import EncoderInput, MethodInputs, build_method
from kinespan.metrics import detection_map
from kinespan.models.input_spec import InputSpec
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec
from kinespan.transforms import augment
from kinespan.transforms.augment import TimeMap, View
from kinespan.transforms.normalise import Motion
from makers import ntu

JOINTS, PARTS, DIM, QUEUE = 25, 3, 16, 64


def test_features_of_the_network_are_ours() -> None:
    ours, theirs = encoder("stgcn16"), network(conventional.WIDTHS_16)
    copy_network(ours, theirs)
    positions = moving(3, 21, 2)
    pyramid = ours(positions, present(positions))
    levels = theirs.maps(as_clips(positions))
    for level, theirs_level in zip(pyramid.maps, levels, strict=True):
        assert_same(theirs_level.mean(dim=(1, 4)), level)
    assert_same(theirs(as_clips(positions)), pyramid.maps[-1].mean(dim=2))


def test_loss_and_gradients_of_skeletonclr_are_ours() -> None:
    ours = method("skeletonclr", {})
    theirs = conventional.SkeletonCLR(network(conventional.WIDTHS_16), QUEUE, DIM)
    copy_method(ours, theirs)
    views = [moving(4, 20, 2, seed) for seed in range(2)]
    out = ours(prepared(views))
    loss = theirs(*map(as_clips, views))
    assert float(loss.detach()) == pytest.approx(float(out.loss.detach()), rel=1e-5)
    out.loss.backward()
    loss.backward()
    assert_gradients(ours, theirs)
    # the keys of this step took the place of the oldest in both queues
    assert_same(theirs.queue.T[:4], ours.queue.keys[:4])


def test_loss_and_gradients_of_aimclr_are_ours() -> None:
    ours = method("aimclr", {"mine_from": 0.0})
    theirs = conventional.AimCLR(network(conventional.WIDTHS_16), QUEUE, DIM)
    copy_method(ours, theirs)
    query, key, extreme = (moving(4, 20, 2, seed) for seed in range(3))
    step = prepared([query, key, extreme])
    draws = torch.rand(4, JOINTS, generator=torch.Generator().manual_seed(7))
    step.generator.manual_seed(7)
    out = ours(step)
    loss = theirs(as_clips(query), as_clips(key), as_clips(extreme), draws)
    assert float(loss.detach()) == pytest.approx(float(out.loss.detach()), rel=1e-5)
    out.loss.backward()
    loss.backward()
    assert_gradients(ours, theirs)


def test_the_momentum_update_is_ours() -> None:
    ours = method("skeletonclr", {})
    theirs = conventional.SkeletonCLR(network(conventional.WIDTHS_16), QUEUE, DIM)
    copy_method(ours, theirs)
    with torch.no_grad():
        ours.head[0].weight += 1
        theirs.query_head[0].weight += 1
    ours.after_step()
    theirs.update_key()
    assert_same(theirs.key_head[0].weight, ours.key_head[0].weight)
    assert not torch.equal(theirs.key_head[0].weight, theirs.query_head[0].weight)


def test_scores_of_a_window_are_those_of_our_localizer() -> None:
    ours, theirs = localizers()
    positions = moving(1, 64, 2)
    motion = Motion(positions[0].numpy(), np.ones((64, 2, JOINTS), bool), 30.0, "made")
    clip = as_clips(positions)[0]
    assert_allclose(conventional.windowed_scores(theirs, clip).numpy(), ours.motion_scores(motion), atol=2e-6)


@pytest.mark.parametrize("frames", [5, 64, 65, 80, 200])
def test_windows_average_what_covers_a_frame(frames: int) -> None:
    # scores that tell where in its window a frame lies: the average over windows is then known
    clip = torch.zeros(1, frames, 1, 1)
    window = min(64, frames)
    positions: list[list[int]] = [[] for _ in range(frames)]
    for start in {*range(0, frames - window, 16), frames - window}:
        for position in range(window):
            positions[start + position].append(position)
    scores = conventional.windowed_scores(PlaceInWindow(), clip, batch=3)
    expected = torch.tensor([np.mean([position / (window + 1) for position in of_frame]) for of_frame in positions])
    assert_allclose(scores[:, 1], expected, atol=1e-6)
    assert_allclose(scores.sum(dim=1), 1, atol=1e-6)


def test_a_stream_scores_the_newest_frame_by_its_window() -> None:
    _, model = localizers()
    clip = as_clips(moving(1, 70, 2))[0]
    stream = conventional.WindowStream(model)
    scores = [stream.push(clip[:, frame]) for frame in range(70)]
    for frame in (9, 69):
        expected = model(clip[None, :, max(0, frame - 63) : frame + 1])[0, :, -1].softmax(dim=0)
        assert_same(scores[frame], expected)


def test_temporal_crop_is_our_shift() -> None:
    view = view_of(moving(5, 50, 2))
    shifted = augment.crop_shift(view, 6, torch.Generator().manual_seed(3))
    moves = ((shifted.times.start - view.times.start) / view.times.step).round().long()
    assert len(set(moves.tolist())) > 1
    for number, move in enumerate(moves.tolist()):
        theirs = conventional_views.temporal_crop(as_clips(view.positions)[number].numpy(), 6, 50 // 6 + move)
        assert_allclose(theirs, as_clips(shifted.positions)[number], atol=1e-6)


def test_shear_and_turn_are_ours() -> None:
    positions = moving(6, 10, 2)
    sheared = augment.linear_map(positions, AugmentConfig(shear=0.5, rotation=0, tilt=0), seeded(1))
    off = 0.5 * (torch.rand(6, 3, 3, generator=seeded(1)) * 2 - 1).numpy()
    turned = augment.linear_map(positions, AugmentConfig(shear=0, rotation=0, tilt=0, main_axis=30), seeded(2))
    generator = seeded(2)
    main = torch.randint(3, (6,), generator=generator).tolist()
    shares = torch.rand(6, 3, generator=generator).numpy()
    for number, clip in enumerate(as_clips(positions).numpy()):
        moved = conventional_views.linear(clip, conventional_views.shear_matrix(off[number]))
        assert_allclose(moved, as_clips(sheared)[number], atol=1e-5)
        moved = conventional_views.linear(clip, conventional_views.rotation_matrix(main[number], shares[number]))
        assert_allclose(moved, as_clips(turned)[number], atol=1e-5)


def test_mirror_and_flat_axis_are_ours() -> None:
    positions = moving(3, 10, 2)
    swap = np.array(NTU_25.mirror)
    mirrored = augment.mirror(view_of(positions), NTU_25, torch.ones(3, dtype=torch.bool)).positions
    flat = augment.mask_axis(positions, 1.0, seeded(4))
    for number, clip in enumerate(as_clips(positions).numpy()):
        assert_allclose(conventional_views.mirror(clip, swap), as_clips(mirrored)[number])
        (axis,) = [axis for axis in range(3) if not flat[number, ..., axis].any()]
        assert_allclose(conventional_views.mask_axis(clip, axis), as_clips(flat)[number])


def test_smoothing_is_ours_away_from_the_ends() -> None:
    positions = moving(4, 40, 2)
    smooth = augment.blur(positions, seen(positions), 1.0, seeded(5), reach=7)
    sigma = (0.1 + 1.9 * torch.rand(4, generator=seeded(5))).tolist()
    for number, clip in enumerate(as_clips(positions).numpy()):
        blurred = conventional_views.blur(clip, sigma[number])
        assert_allclose(blurred[:, 7:-7], as_clips(smooth)[number, :, 7:-7], atol=1e-5)


def test_views_come_from_the_loader_with_fresh_draws() -> None:
    clips = as_clips(moving(8, 50, 2)).numpy()
    views = conventional_views.Views(clips, np.array(NTU_25.mirror))
    batches = [batch for batch, _ in zip(conventional_views.loader(views, 4, workers=0), range(2), strict=False)]
    for batch in batches:
        assert [tuple(view.shape) for view in batch] == [(4, 3, 50, JOINTS, 2)] * 3
    first, second = batches[0][:2]
    assert not torch.allclose(first, second)


def test_map_of_looped_code_is_ours() -> None:
    rng = np.random.default_rng(11)
    labels, thresholds = ("walk", "sit", "wave"), (0.1, 0.3, 0.5, 0.7)
    truth, predictions = {}, {}
    for number in range(12):
        starts = np.sort(rng.uniform(0, 60, 6))
        truth[f"take {number}"] = [Span(at, at + rng.uniform(1, 6), rng.choice(labels)) for at in starts]
        near = [
            Span(span.start + rng.normal(0, 0.8), span.end + rng.normal(1, 0.1), span.label, rng.random())
            for span in truth[f"take {number}"]
            for _ in range(3)
        ]
        far = [Span(at, at + rng.uniform(1, 6), rng.choice(labels), rng.random()) for at in rng.uniform(0, 60, 8)]
        predictions[f"take {number}"] = near + far
    ours = detection_map(predictions, truth, thresholds).map
    predicted = [(name, s.label, s.start, s.end, s.score) for name, spans in predictions.items() for s in spans]
    true = [(name, s.label, s.start, s.end) for name, spans in truth.items() for s in spans]
    theirs = mean_average_precision(predicted, true, thresholds)
    assert mean_average_precision(predicted, true, thresholds, grouped=True) == theirs
    assert 0.05 < theirs[-1] < theirs[0] < 1
    assert_allclose(theirs, ours, atol=1e-12)


def test_a_skeleton_file_read_line_by_line_is_ours(tmp_path) -> None:
    for path in ntu.write_ntu(tmp_path, ["S001C001P001R001A001", "S001C002P002R001A055"], np.random.default_rng(2)):
        positions, valid = read_skeleton(path)
        bodies = read_bodies(path)
        assert_allclose(positions, bodies.positions, rtol=0, atol=0)
        assert np.array_equal(valid, bodies.valid)
    assert positions.shape[1] == 2


# What the tests share.


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def moving(clips: int, frames: int, people: int, seed: int = 0) -> Tensor:
    """Positions (B, T, P, J, 3) that drift."""
    steps = torch.randn(clips, frames, people, JOINTS, 3, generator=seeded(seed))
    return 0.1 * steps.cumsum(dim=1) + torch.randn(clips, 1, people, JOINTS, 3, generator=seeded(seed + 100))


def present(positions: Tensor) -> Tensor:
    return torch.ones(positions.shape[:3], dtype=torch.bool)


def seen(positions: Tensor) -> Tensor:
    return torch.ones(positions.shape[:4], dtype=torch.bool)


def as_clips(positions: Tensor) -> Tensor:
    """(B, T, P, J, 3) as the field lays it out, (N, C, T, V, M)."""
    return positions.permute(0, 4, 1, 3, 2)


def view_of(positions: Tensor) -> View:
    count = len(positions)
    times = TimeMap(torch.zeros(count), torch.full((count,), 1 / 30))
    return View(positions, seen(positions), times, torch.arange(count))


def adjacency() -> Tensor:
    return torch.from_numpy(spatial_partition(NTU_25))


def network(widths: tuple[int, ...]) -> conventional.STGCN:
    return conventional.STGCN(adjacency(), 3, widths)


def encoder(name: str) -> nn.Module:
    """Our encoder with learned-looking weights; biases before a norm are zero, the field puts them elsewhere."""
    torch.manual_seed(0)
    made = build_encoder(name, NTU_25, 3)
    with torch.no_grad():
        for block in made.blocks:
            block.graph.importance.uniform_(0.5, 1.5)
            block.graph.mix.bias.zero_()
        for part in made.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.weight.uniform_(0.5, 1.5)
                part.bias.uniform_(-0.5, 0.5)
                part.running_mean.uniform_(-0.2, 0.2)
                part.running_var.uniform_(0.5, 1.5)
    return made


def pairs_of(ours: nn.Module, theirs: conventional.STGCN) -> list[tuple[Tensor, Tensor]]:
    """The parameters of both networks, those of ours in the shapes of the other."""
    pairs: list[tuple[Tensor, Tensor]] = []
    norms = [(ours.input_norm, theirs.input_norm)]
    for mine, other, importance in zip(ours.blocks, theirs.blocks, theirs.importance, strict=True):
        mix = other.mix.weight.view(PARTS, -1, *other.mix.weight.shape[1:2])  # (K, C', C)
        pairs.append((mine.graph.mix.weight, mix.transpose(0, 1).flatten(1)))
        pairs.append((mine.graph.importance, importance))
        pairs += [(mine.time.conv.weight, other.time[2].weight), (mine.time.conv.bias, other.time[2].bias)]
        norms += [(mine.graph_norm, other.time[0]), (mine.time_norm, other.time[3])]
        if mine.short is not None:
            short = other.short[0]
            pairs += [(mine.short.conv.weight, short.weight), (mine.short.conv.bias, short.bias)]
            norms.append((mine.short_norm, other.short[1]))
    for mine, other in norms:
        pairs += [(mine.weight, other.weight), (mine.bias, other.bias)]
        pairs += [(mine.running_mean, other.running_mean), (mine.running_var, other.running_var)]
    return pairs


@torch.no_grad()
def copy_network(ours: nn.Module, theirs: conventional.STGCN) -> None:
    for mine, other in zip(ours.blocks, theirs.blocks, strict=True):
        mix = mine.graph.mix.weight.view(len(mine.graph.mix.weight), PARTS, -1)  # (C', K, C)
        other.mix.weight.copy_(mix.transpose(0, 1).reshape(other.mix.weight.shape))
        other.mix.bias.zero_()
    for mine, other in pairs_of(ours, theirs):
        if other.is_leaf or not other.requires_grad:
            other.copy_(mine)


def method(name: str, options: dict[str, float]) -> nn.Module:
    """Ours, with a full queue."""
    made = build_method(name, encoder("stgcn16"), MethodConfig(queue=QUEUE, dim=DIM, momentum=0.999), options)
    keys = nn.functional.normalize(torch.randn(QUEUE, DIM, generator=seeded(9)), dim=1)
    made.queue.put(keys, torch.full((QUEUE,), 1000))
    return made.train()


@torch.no_grad()
def copy_method(ours: nn.Module, theirs: conventional.SkeletonCLR) -> None:
    for mine, other in ((ours.encoder, theirs.query), (ours.key_encoder, theirs.key)):
        copy_network(mine, other)
    theirs.query_head.load_state_dict(ours.head.state_dict())
    theirs.key_head.load_state_dict(ours.key_head.state_dict())
    theirs.queue.copy_(ours.queue.keys.T)


def assert_gradients(ours: nn.Module, theirs: conventional.SkeletonCLR) -> None:
    """Gradients of the first and the last layers, which all of the network went into."""
    first, last = ours.encoder.blocks[0], ours.encoder.blocks[-1]
    other_first, other_last = theirs.query.blocks[0], theirs.query.blocks[-1]
    for mine, other in (
        (ours.encoder.input_norm.weight, theirs.query.input_norm.weight),
        (first.time.conv.weight, other_first.time[2].weight),
        (last.time.conv.weight, other_last.time[2].weight),
        (last.graph.importance, theirs.query.importance[-1]),
        (ours.head[0].weight, theirs.query_head[0].weight),
    ):
        # rounding turns single ReLUs, so single values may differ by more
        assert float((other.grad - mine.grad).norm()) < 5e-3 * float(mine.grad.norm())


@dataclass(frozen=True)
class Prepared(MethodInputs):
    """Inputs whose views are given."""

    views: list[EncoderInput] = field(default_factory=list)

    def view(self, strength: str = "basic") -> EncoderInput:
        return self.views.pop(0)


def prepared(views: list[Tensor]) -> Prepared:
    clips = view_of(views[0])
    seen = [EncoderInput(positions, view_of(positions)) for positions in views]
    return Prepared(clips, 1.0, {}, InputSpec(NTU_25, 30.0, ("position",), Normalisation()), torch.Generator(), seen)


def localizers() -> tuple[Localizer, conventional.Localizer]:
    labels = LabelSet(("walk", "sit", "wave"))
    torch.manual_seed(1)
    spec = ModelSpec(
        kind="localizer", input=InputSpec(NTU_25, 30.0, ("position",), Normalisation()),
        encoder="stgcn64", fusion="nested_u", labels=labels,
    )  # fmt: skip
    ours, theirs = Localizer(spec), conventional.Localizer(network(conventional.WIDTHS_64), len(labels))
    ours.encoder.load_state_dict(encoder("stgcn64").state_dict())
    copy_network(ours.encoder, theirs.network)
    for name in ("01", "11", "02"):
        unit = ours.fusion.units["_".join(name)]
        mine, other = (unit.conv, unit.norm), getattr(theirs, f"unit_{name}")
        for place, part in enumerate(mine):
            other[place].load_state_dict(part.state_dict())
    theirs.join.load_state_dict(ours.fusion.join.state_dict())
    theirs.head.load_state_dict(ours.head.linear.state_dict())
    return ours.eval(), theirs.eval()


class PlaceInWindow(nn.Module):
    """Logits (N, 2, T) whose softmax is (1 - p, p), p = place / (T + 1)."""

    def forward(self, x: Tensor) -> Tensor:
        share = torch.arange(x.shape[2]) / (x.shape[2] + 1)
        logits = torch.stack([(1 - share).log(), share.clamp(min=math.exp(-40)).log()])
        return logits.expand(len(x), 2, -1)


def assert_same(actual: Tensor, expected: Tensor, tolerance: float = 1e-4) -> None:
    """Equal but for rounding, in terms of the largest value."""
    actual, expected = actual.detach(), expected.detach()
    scale = float(expected.abs().max())
    assert scale > 0
    assert_allclose(actual / scale, expected / scale, rtol=0, atol=tolerance)
