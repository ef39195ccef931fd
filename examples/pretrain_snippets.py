"""
Pretraining with snippets, from the parts
=========================================

What ``kinespan pretrain`` does, as a loop that you can copy and change: draw clips, make two
views of each, contrast short segments of them, step. Labels are never looked at.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from kinespan.config import AugmentConfig, Normalisation
from kinespan.data.skeletons import NTU_25
from kinespan.encoders import build_encoder
from kinespan.losses import AlignedSnippetLoss, Snippets
from kinespan.methods.momentum import Momentum, slow_copy
from kinespan.methods.snippet import pool_snippets
from kinespan.prepare.synthetic.takes import SyntheticConfig, synthetic_takes
from kinespan.train.clip_pool import ClipPool
from kinespan.transforms.augment import augment
from kinespan.transforms.normalise import model_motion
from kinespan.transforms.streams import compute_streams

# %%
# Motion: twelve made recordings, normalised, at 15 frames a second. A ``ClipPool`` draws random
# windows of them.

FPS, FRAMES, SNIPPETS, STREAMS = 15.0, 64, 8, ("joint", "joint_motion")
torch.manual_seed(0)
generator = torch.Generator().manual_seed(0)
takes = synthetic_takes(SyntheticConfig(recordings=12))
pool = ClipPool([model_motion(recording, NTU_25, FPS, Normalisation()) for recording, _ in takes])

# %%
# The network, its projection head, and slowly moving copies of both that make the keys.

encoder = build_encoder("tcn", NTU_25, in_channels=3 * len(STREAMS))
width = encoder.channels[-1]
head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 64))
query_net, key_net = nn.ModuleList([encoder, head]), slow_copy(nn.ModuleList([encoder, head]))
momentum = Momentum(0.99)
optimizer = torch.optim.AdamW(query_net.parameters(), lr=2e-3)
snippet_loss = AlignedSnippetLoss(temperature=0.07, margin=0.5)


def embed(net, view):
    """The snippets of a view: vectors (B, K, D), valid (B, K), edges in seconds (B, K + 1)."""
    streams = compute_streams(view.positions, view.valid, NTU_25, STREAMS, FPS)
    pyramid = net[0](streams, view.present)
    features, valid = pool_snippets(pyramid.maps[-1], pyramid.masks[-1], SNIPPETS)
    vectors = F.normalize(net[1](features), dim=-1)
    return Snippets(vectors, valid, view.times.edges(SNIPPETS, FRAMES), features)


# %%
# The loop. Negatives are the snippets of all other recordings in the batch; positives are
# matched by time, through the time maps of the two views, since each shows another stretch of the clip at
# another speed.


def step(clips):
    views = [augment(clips, AugmentConfig(), NTU_25, generator) for _ in range(2)]
    query = embed(query_net, views[0])
    with torch.no_grad():
        key = embed(key_net, views[1])
    owners = clips.recording.repeat_interleave(SNIPPETS)
    negative_mask = (owners[None] != clips.recording[:, None]) & key.valid.flatten()[None]  # (B, B K)
    return snippet_loss(query, key, key.vectors.flatten(0, 1), negative_mask)


losses = []
for _ in range(150):
    clips, _ = pool.draw(16, FRAMES, generator)
    loss = step(clips)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    momentum.update(query_net, key_net)
    losses.append(loss.item())

# %%
# What it learnt: the similarity of eight snippets of one view to those of another view of the
# same clip. On the diagonal are those that cover the same time.

untrained = nn.ModuleList([build_encoder("tcn", NTU_25, 3 * len(STREAMS)), slow_copy(head)])
clips, _ = pool.draw(1, FRAMES, generator)
turned = augment(clips, AugmentConfig(crop_min=1.0), NTU_25, generator)
fig, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
axes[0].plot(losses, color="#3457d5")
axes[0].set(title="snippet loss", xlabel="step")
for ax, net, title in ((axes[1], untrained, "before"), (axes[2], query_net, "after")):
    with torch.no_grad():
        view, other_view = embed(net.eval(), clips), embed(net, turned)
        similarity = view.vectors[0] @ other_view.vectors[0].T  # (K, K)
    ax.imshow(similarity, cmap="Blues")
    ax.set(title=f"similarity, {title}", xlabel="snippet of another view", ylabel="snippet")
