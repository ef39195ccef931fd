"""Hyperformer against a slow reference and cases by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from attention_cases import SMALL, parameters, random_of, unsettled

from kinespan.data.skeleton import Skeleton
from kinespan.data.skeletons import COCO_17, NTU_25, SMPL_22, SMPL_24
from kinespan.encoders import build_encoder
from kinespan.encoders.hyperformer import HyperAttention, bone_graph, hyperedges

pytestmark = pytest.mark.usefixtures("one_thread", "seeded")

TORSO, LEFT_ARM, RIGHT_ARM, LEFT_LEG, RIGHT_LEG = range(5)


def test_hyperedges_by_hand():
    ntu = {LEFT_ARM: (4, 5, 6, 7, 21, 22), RIGHT_ARM: (8, 9, 10, 11, 23, 24)}
    ntu |= {LEFT_LEG: (12, 13, 14, 15), RIGHT_LEG: (16, 17, 18, 19), TORSO: (0, 1, 2, 3, 20)}
    coco = {TORSO: range(5), LEFT_ARM: (5, 7, 9), RIGHT_ARM: (6, 8, 10), LEFT_LEG: (11, 13, 15)}
    coco |= {RIGHT_LEG: (12, 14, 16)}
    smpl = {TORSO: (0, 3, 6, 9, 12, 13, 14, 15), LEFT_ARM: (16, 18, 20, 22), RIGHT_ARM: (17, 19, 21, 23)}
    smpl |= {LEFT_LEG: (1, 4, 7, 10), RIGHT_LEG: (2, 5, 8, 11)}
    for skeleton, parts in ((NTU_25, ntu), (COCO_17, coco), (SMPL_24, smpl)):
        found = hyperedges(skeleton)
        assert {part: tuple(np.flatnonzero(found == part)) for part in parts} == {
            part: tuple(joints) for part, joints in parts.items()
        }


def test_joints_without_a_name_belong_to_the_limb_of_their_parent():
    nameless = replace(NTU_25, body_parts=(None,) * 25)  # limbs start at their landmarks
    assert np.array_equal(hyperedges(nameless), hyperedges(NTU_25))
    finger = replace(
        SMPL_22,
        joints=(*SMPL_22.joints, "index", "middle"),
        parents=(*SMPL_22.parents, 21, 22),
        body_parts=(*SMPL_22.body_parts, None, None),
    )
    assert hyperedges(finger)[[21, 22, 23]].tolist() == [RIGHT_ARM] * 3  # a finger hangs on the wrist
    assert hyperedges(SMALL).tolist() == [0, 0, 0, 0]  # a landmark of all limbs is of none


def test_absent_body_parts_have_no_number():
    legs = Skeleton("legs", ("l", "m", "r"), (1, -1, 1), (), (1,), (1,), (1,), (1,), (0,), (2,))
    assert hyperedges(legs).tolist() == [1, 0, 2]  # torso, left leg, right leg


def test_bones_by_hand():
    third, half = np.float32(1 / 3), 0.5
    expected = [[third, third, third, 0], [third, third, 0, third], [half, 0, half, 0], [0, half, 0, half]]
    assert np.allclose(bone_graph(SMALL), expected)


def test_hyper_attention_is_its_equation():
    legs = Skeleton("legs", ("l", "m", "r", "f"), (1, -1, 1, 0), (), (1,), (1,), (1,), (1,), (0,), (2,))
    layer = unsettled(HyperAttention(4, 6, 2, legs))
    layer.relative.data.normal_(generator=torch.Generator().manual_seed(1))
    x = random_of(2, 3, 4, 4)
    found = layer(x)
    distance = [[0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 3], [1, 2, 3, 0]]
    parts = [(0, 3), (1,), (2,)]  # left leg with its foot, torso, right leg
    own = {joint: part for part in parts for joint in part}
    for n in range(2):
        for t in range(3):
            q, k, v = (x[n, t] @ layer.project.weight.T + layer.project.bias).chunk(3, dim=-1)
            for head in range(2):
                cut = slice(3 * head, 3 * head + 3)
                for i in range(4):
                    logits = []
                    for j in range(4):
                        e = (x[n, t, list(own[j])].mean(dim=0) @ layer.project_edge.weight.T)[cut]
                        r = layer.relative[head, :, distance[i][j]]
                        logits.append(q[i, cut] @ (k[j, cut] + r + e) + layer.edge_bias[head] @ e)
                    weights = (torch.stack(logits) / math.sqrt(3)).softmax(dim=0) + layer.relation[head, i]
                    assert torch.allclose(found[n, t, i, cut], weights @ v[:, cut], atol=1e-6)


def test_halo_of_hyperformer_is_exact():
    encoder = unsettled(build_encoder("hyperformer", SMALL, 3))
    middle, frames = 80, 160
    x = random_of(1, frames, 4, 3).requires_grad_()
    level = encoder.person_features(x, None).maps[-1]
    (level[0, middle // 4].mean(dim=0) * random_of(216, seed=1)).sum().backward()
    touched = x.grad[0].abs().amax(dim=(1, 2)).nonzero().flatten()
    assert encoder.halo == 76
    assert (int(touched.min()), int(touched.max())) == (middle - 76, middle + 76)


def test_parameters_of_hyperformer():
    encoder = build_encoder("hyperformer", NTU_25, 3)
    assert round(parameters(encoder) / 1e6, 1) == 2.6
    assert encoder.channels == (24 * 9,) * 3
