"""The skeleton as a graph, for graph convolutions."""

from __future__ import annotations

import numpy as np

from ..arrays import Float32Array, IntArray
from ..data.skeleton import Skeleton


def hops(skeleton: Skeleton) -> IntArray:
    """Number of bones (J, J) between any two joints; a joint that cannot be reached is J hops away.

    Parts that no bone joins (a COCO body has no spine) are joined at the joints of the root landmark.
    """
    count = skeleton.num_joints
    adjacent = np.eye(count, dtype=bool)
    tops = [joint for joint, parent in enumerate(skeleton.parents) if parent < 0]
    bones = list(skeleton.bones) + [(tops[0], top) for top in tops[1:]]
    for child, parent in bones:
        adjacent[child, parent] = adjacent[parent, child] = True
    distance = np.where(np.eye(count, dtype=bool), 0, count)
    reached = np.eye(count, dtype=bool)
    for hop in range(1, count):
        further = (reached @ adjacent) & ~reached
        distance[further] = hop
        reached |= further
    return distance


def spatial_partition(skeleton: Skeleton) -> Float32Array:
    """Adjacency (3, J, J) in ST-GCN's spatial configuration (Yan et al., AAAI 2018, section 3.3).

    Entry [k, v, w] is the weight from joint v to joint w for neighbours as far from the root as w (k = 0, the joint
    itself among them), nearer to the root (k = 1), further from it (k = 2). Columns sum to 1 over k and v.
    """
    distance = hops(skeleton)
    to_root = distance[:, list(skeleton.root)].mean(axis=1)
    weights = (distance <= 1).astype(np.float32)  # (J, J)
    weights /= weights.sum(axis=0, keepdims=True)
    nearer = to_root[:, None] < to_root[None, :]
    further = to_root[:, None] > to_root[None, :]
    return np.stack([weights * ~(nearer | further), weights * nearer, weights * further])


def directed_partition(skeleton: Skeleton) -> Float32Array:
    """Adjacency (3, J, J) of `spatial_partition`'s neighbours, each partition normalised by itself.

    Entry [k, v, w] is the weight from joint v to joint w; within a partition the columns that have neighbours sum
    to 1, so that what comes from the root's side weighs as much as what comes from the limbs (2s-AGCN, section 3.1;
    CTR-GCN starts its learned graph from it).
    """
    adjacent = (spatial_partition(skeleton) > 0).astype(np.float32)
    weights: Float32Array = adjacent / adjacent.sum(axis=1, keepdims=True).clip(min=1)
    return weights
