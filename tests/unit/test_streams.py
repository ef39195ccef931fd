"""Streams of a small skeleton, by hand."""

from __future__ import annotations

import pytest
import torch

from kinespan.config import STREAMS, check_streams
from kinespan.data.skeleton import Skeleton
from kinespan.data.skeletons import COCO_17
from kinespan.errors import InputError
from kinespan.transforms.streams import compute_streams

ARM = Skeleton("arm", ("hip", "shoulder", "hand"), (-1, 0, 1), (), (0,), (0,), (1,), (1,), (0,), (0,))
FPS = 5.0


def still():
    """Two frames further right each time, the hand rising: (1, 4, 1, 3, 3) and all valid."""
    pose = torch.tensor([[1.0, 1.0, 0.0], [1.0, 2.0, 0.0], [2.0, 2.0, 0.5]])
    moved = pose + torch.arange(4).view(4, 1, 1) * torch.tensor([0.2, 0.0, 0.0])
    moved[:, 2, 1] += torch.arange(4) * 0.1
    return moved[None, :, None], torch.ones(1, 4, 1, 3, dtype=torch.bool)


def stream(name, x, valid, skeleton=ARM):
    return compute_streams(x, valid, skeleton, [name], FPS)


def test_joint_is_relative_to_the_root():
    x, valid = still()
    found = stream("joint", x, valid)[0, 2, 0]
    assert torch.allclose(found, torch.tensor([[0, 0, 0], [0, 1, 0], [1, 1.2, 0.5]]))


def test_bone_is_relative_to_the_parent():
    x, valid = still()
    found = stream("bone", x, valid)[0, 2, 0]
    assert torch.allclose(found, torch.tensor([[0, 0, 0], [0, 1, 0], [1, 0.2, 0.5]]))


def test_joint_motion_is_velocity_through_the_room():
    x, valid = still()
    found = stream("joint_motion", x, valid)[0, :, 0]
    assert torch.allclose(found[0], torch.tensor([[1.0, 0, 0], [1.0, 0, 0], [1.0, 0.5, 0]]), atol=1e-5)  # per second
    assert torch.allclose(found[:3], found[:1].expand(3, 3, 3), atol=1e-5)
    assert not found[3].any()  # nothing follows the last frame


def test_bone_motion_is_velocity_of_the_bone():
    x, valid = still()
    found = stream("bone_motion", x, valid)[0, :, 0]
    assert torch.allclose(found[1], torch.tensor([[0, 0, 0], [0, 0, 0], [0, 0.5, 0]]), atol=1e-5)
    assert not found[3].any()


@pytest.mark.parametrize("name", ["joint_motion", "bone_motion"])
def test_motion_does_not_jump_over_gaps(name):
    x, valid = still()
    valid[0, 1] = False
    x = torch.where(valid[..., None], x, 0.0)
    found = stream(name, x, valid)[0, :, 0]
    assert not found[0].any()
    assert not found[1].any()
    assert found[2].any()


def test_motion_streams_are_per_second():
    x, valid = still()
    slow, fast = (compute_streams(x, valid, ARM, ["joint_motion"], fps) for fps in (5.0, 30.0))
    assert torch.allclose(fast, 6 * slow)


def test_streams_are_concatenated_in_the_given_order():
    x, valid = still()
    names = ["bone_motion", "joint", "joint_motion", "bone"]
    found = compute_streams(x, valid, ARM, names, FPS)
    assert found.shape == (1, 4, 1, 3, 12)
    for place, name in enumerate(names):
        assert torch.equal(found[..., 3 * place : 3 * place + 3], stream(name, x, valid))


@pytest.mark.parametrize("name", STREAMS)
def test_streams_of_absent_people_are_zero(name):
    x = torch.randn(2, 6, 2, 17, 3, generator=torch.Generator().manual_seed(0))
    valid = torch.ones(2, 6, 2, 17, dtype=torch.bool)
    valid[0, 2:4, 1] = valid[1, :, 0] = False
    found = stream(name, torch.where(valid[..., None], x, 0.0), valid, COCO_17)
    assert not found[~valid].any()
    assert found[valid].any()


@pytest.mark.parametrize("name", [name for name in STREAMS if name != "position"])
def test_position_in_the_room_does_not_change_relative_streams(name):
    x = torch.randn(1, 6, 1, 17, 3, generator=torch.Generator().manual_seed(0))
    valid = torch.ones(1, 6, 1, 17, dtype=torch.bool)
    moved = x + torch.tensor([3.0, 0.5, -7.0])
    assert torch.allclose(stream(name, x, valid, COCO_17), stream(name, moved, valid, COCO_17), atol=1e-4)


def test_the_position_stream_is_the_normalised_position():
    x, valid = still()
    assert torch.equal(stream("position", x, valid), x)


def test_a_root_of_two_joints_is_their_middle():
    x = torch.zeros(1, 1, 1, 17, 3)
    x[..., 11, 0], x[..., 12, 0] = 1.0, 3.0
    found = stream("joint", x, torch.ones(1, 1, 1, 17, dtype=torch.bool), COCO_17)[0, 0, 0, :, 0]
    assert (float(found[11]), float(found[12]), float(found[0])) == (-1, 1, -2)


@pytest.mark.parametrize("names", [[], ["joint", "joint"], ["joints"], ["joint", "velocity"]])
def test_bad_stream_names_are_refused(names):
    with pytest.raises(InputError, match="streams"):
        check_streams(names)
