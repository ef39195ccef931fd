"""
Localizing a BVH file
=====================

From a motion file to a table of actions. A model is trained on made motion in a few seconds; with
your own recordings it would be the one that ``kinespan learn`` left.
"""

import tempfile
from pathlib import Path

import numpy as np

import kinespan
from kinespan.data.plots import plot_timelines
from kinespan.prepare.prepare import prepare_synthetic
from kinespan.prepare.synthetic.takes import SyntheticConfig, make_recording

folder = Path(tempfile.mkdtemp())

# %%
# A corpus, and a small network trained on all of its labels.

prepare_synthetic(folder / "corpus", SyntheticConfig(recordings=48))
model = kinespan.finetune(folder / "corpus", folder / "run", steps=250, quiet=True)

# %%
# A BVH file of somebody whom the network has not seen. Every joint has position channels here,
# which is all that is needed to write joint positions; files from motion capture have angles, and
# are read in the same way.


def write_bvh(recording, file):
    """Write the first person of a recording as BVH, in centimetres."""
    skeleton, positions = recording.skeleton, 100 * recording.positions[:, 0]
    lines, order = ["HIERARCHY"], []

    def joint(index, depth):
        pad, name = "  " * depth, skeleton.joints[index].replace(" ", "_")
        lines.extend([f"{pad}{'JOINT' if depth else 'ROOT'} {name}", pad + "{"])
        lines.append(f"{pad}  OFFSET 0 0 0")
        lines.append(f"{pad}  CHANNELS 3 Xposition Yposition Zposition")
        order.append(index)
        for child in np.flatnonzero(np.array(skeleton.parents) == index):
            joint(int(child), depth + 1)
        lines.append(pad + "}")

    joint(skeleton.parents.index(-1), 0)
    parents = [skeleton.parents[index] for index in order]
    is_root = np.array(parents)[:, None] < 0
    offsets = positions[:, order] - np.where(is_root, 0, positions[:, parents])  # (T, J, 3)
    lines += ["MOTION", f"Frames: {len(offsets)}", f"Frame Time: {1 / recording.fps:.6f}"]
    lines += [" ".join(f"{value:.3f}" for value in frame.ravel()) for frame in offsets]
    file.write_text("\n".join(lines) + "\n")


made, truth = make_recording("new_take", 41, SyntheticConfig(seed=7, dropouts=0))
write_bvh(made, folder / "new_take.bvh")

# %%
# Read it, and localize. ``kinespan.read`` says what it decided about unit, axes and rate. In another
# session the model would be ``kinespan.load_model(folder / "run")``.

take = kinespan.read(folder / "new_take.bvh")
recording = take.recording
print(recording)

answer = model.localize(recording)  # one action at a time
for span in answer.spans:
    print(f"{span.start:6.2f} s to {span.end:6.2f} s  {span.label:20} {span.score:.2f}")

# %%
# Beside what really happened:

plot_timelines({"model": answer, "truth": truth})
