"""The dilated temporal network against a slow loop from its equations."""

from __future__ import annotations

import pytest
import torch
from encoder_cases import SMALL, batch_of, everybody, made

from kinespan.data.skeletons import NTU_25
from kinespan.encoders import build_encoder
from kinespan.encoders.tcn import doubling


def slow_tcn(encoder, x, here):
    """Features by frame, None where a person x (T, J, C) is not there, frame by frame and tap by tap."""
    norm, stack = encoder.input_norm, encoder.stack
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    layer = []
    for t in range(len(x)):
        flat = (x[t].flatten() - norm.running_mean) * scale + norm.bias
        layer.append(stack.enter.weight[:, :, 0] @ flat + stack.enter.bias if here[t] else None)
    for number, module in enumerate(stack.layers):
        after = []
        for t in range(len(x)):
            if not here[t]:
                after.append(None)
                continue
            total = module.conv.bias
            for tap in range(3):
                at = t + (tap - 1) * 2**number
                if 0 <= at < len(x) and here[at]:
                    total = total + module.conv.weight[:, :, tap] @ layer[at]
            after.append(layer[t] + module.mix.weight[:, :, 0] @ total.clamp(min=0) + module.mix.bias)
        layer = after
    return layer


@pytest.mark.parametrize(("name", "frames"), [("tcn", 75), ("tcn_long", 20)])
@torch.no_grad()
def test_tcn_matches_its_equations(name, frames):
    encoder = made(name, SMALL)
    x = batch_of(SMALL, clips=1, frames=frames)
    valid = everybody(x)
    valid[0, 5:8] = valid[0, frames - 2 :] = False
    pyramid = encoder(x, valid)
    expected = slow_tcn(encoder, x[0, :, 0], valid[0, :, 0].tolist())
    (found,) = pyramid.maps
    for t in range(frames):
        if valid[0, t, 0]:
            assert torch.allclose(found[0, :, t], expected[t], atol=1e-4, rtol=1e-3)
        else:
            assert not found[0, :, t].any()
    mean = torch.stack([part for part in expected if part is not None]).mean(dim=0)
    assert torch.allclose(pyramid.joints[0], mean.expand(SMALL.num_joints, -1), atol=1e-4, rtol=1e-3)


def test_tcn_has_the_stated_number_of_parameters():
    assert doubling(4) == (1, 2, 4, 8)
    for name, halo in (("tcn", 63), ("tcn_long", 255)):
        encoder = build_encoder(name, NTU_25, 6)
        assert (encoder.halo, encoder.channels, encoder.strides) == (halo, (64,), (1,))


def test_dropout_is_in_every_layer():
    encoder = build_encoder("tcn", NTU_25, 3, dropout=0.25)
    assert [layer.dropout.probability for layer in encoder.stack.layers] == [0.25] * 6
