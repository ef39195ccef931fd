"""
A gait laboratory: C3D and ELAN in, ELAN out
============================================

A capture system wrote C3D files, of markers on the skin of somebody who walks, turns and at times freezes. A
clinician marked that in ELAN, in ten of eleven takes; the last one is to be marked by a model, and looked at in ELAN
again. Files and person are made here; with your own the first part falls away.
"""

import tempfile
from pathlib import Path

import numpy as np

import kinespan
from kinespan.annotations import write_annotations
from kinespan.prepare.prepare import prepare

folder = Path(tempfile.mkdtemp())
FPS = 50
LABELS = kinespan.LabelSet(("walk", "turn", "freeze"))
KINDS = {  # swing of the legs in radians, steps a second, metres a second, radians a second
    "stand": (0.0, 0.0, 0.0, 0.0), "walk": (0.45, 1.0, 1.1, 0.0),
    "turn": (0.2, 1.3, 0.1, 1.4), "freeze": (0.06, 5.0, 0.05, 0.0),
}  # fmt: skip


def at(x, y, z):
    """A place in metres about the pelvis: x left, y up, z ahead."""
    return np.array([x, y, z], float)


def down(angle):
    """Directions (T, 3) that are turned ahead from straight down."""
    return np.stack([0 * angle, -np.cos(angle), np.sin(angle)], axis=-1)


def leg(side, swing, bend):
    """Markers (T, 3) of a leg, and of its side of the pelvis, by name; the left side is 1, the right one -1."""
    still = np.zeros((len(swing), 3))
    hip = still + at(0.09 * side, 0.92, 0)
    knee = hip + 0.43 * down(swing)
    ankle = knee + 0.43 * down(swing - bend)
    return {
        "ASI": still + at(0.12 * side, 0.97, 0.08), "PSI": still + at(0.05 * side, 0.97, -0.08),
        "THI": (hip + knee) / 2 + at(0.1 * side, 0, 0), "KNE": knee + at(0.05 * side, 0, 0),
        "TIB": (knee + ankle) / 2 + at(0.09 * side, 0, 0), "ANK": ankle + at(0.04 * side, 0, 0),
        "HEE": ankle + at(0, -0.06, -0.05), "TOE": ankle + at(0, -0.06, 0.15),
    }  # fmt: skip


def take(seed):
    """A Recording of sixteen markers of the Plug-in Gait set, and the Annotation of what the person does."""
    rng = np.random.default_rng(seed)
    frames, spans = [], []
    for label in rng.permutation(["walk", "turn", "walk", "freeze", "walk", "turn", "freeze", "walk"]):
        frames += [KINDS["stand"]] * int(rng.integers(20, 40))
        start = len(frames)
        frames += [KINDS[label]] * int(rng.integers(80, 140))
        spans.append(kinespan.Span(start / FPS, len(frames) / FPS, str(label)))
    kinds = np.array([*frames, *[KINDS["stand"]] * 30])
    swing, rate, speed, spin = (np.convolve(column, np.ones(15) / 15, "same") for column in kinds.T)
    phase, yaw = np.cumsum(2 * np.pi * rate / FPS), np.cumsum(spin / FPS)
    ahead = np.stack([np.sin(yaw), 0 * yaw, np.cos(yaw)], axis=-1)
    left = np.stack([np.cos(yaw), 0 * yaw, -np.sin(yaw)], axis=-1)
    way = np.cumsum(speed[:, None] * ahead / FPS, axis=0)
    points = {}
    for letter, side in (("L", 1.0), ("R", -1.0)):
        bend = swing * (1.2 + side * np.cos(phase))
        for name, place in leg(side, side * swing * np.sin(phase), bend).items():
            points[letter + name] = way + place[:, :1] * left + place[:, 1:2] * [0, 1, 0] + place[:, 2:] * ahead
    positions = np.stack(list(points.values()), axis=1) + rng.normal(0, 0.001, (len(kinds), 16, 3))
    lost = int(rng.integers(len(kinds) - 20))
    positions[lost : lost + 20, 3] = np.nan  # the left knee, behind a hand
    skeleton = kinespan.Skeleton("markers", tuple(points), (-1,) * 16)
    name = f"take_{seed:02}"
    return kinespan.Recording(positions, FPS, skeleton, name), kinespan.Annotation(tuple(spans), LABELS)


# %%
# Eleven C3D files, and ELAN files of ten of them, each named as its take.

for part in ("motion", "labels", "marked"):
    (folder / part).mkdir()
truth = {}
for number in range(11):
    recording, truth[recording.name] = take(number)
    kinespan.write(recording, folder / "motion" / f"{recording.name}.c3d")
    if number < 10:
        write_annotations({recording.name: truth[recording.name]}, folder / "labels" / f"{recording.name}.eaf")

# %%
# Prepare reads both. It knows the markers, and computes the joint centres inside. In a shell it is
# ``kinespan prepare motion --annotations labels --out corpus``.

print(prepare(folder / "motion", folder / "corpus", annotations=folder / "labels"))

# %%
# Train on the ten takes, and mark the eleventh: what the model finds, and what the person really did. The picture is of
# the joint centres, with what the model finds behind their speed.

kinespan.finetune(folder / "corpus", folder / "run", steps=150, quiet=True)
result = kinespan.localize(folder / "run", folder / "motion" / "take_10.c3d", out=folder / "answers")
print("found")
for span in result.segmentation["take_10"].spans:
    print(f"{span.start:6.2f} s to {span.end:6.2f} s  {span.label:6} {span.score:.2f}")
print("made")
for span in truth["take_10"].spans:
    print(f"{span.start:6.2f} s to {span.end:6.2f} s  {span.label}")

kinespan.read(folder / "motion" / "take_10.c3d").recording.plot(result.segmentation["take_10"])

# %%
# The answer as ELAN opens it, beside the film. In a shell both are ``kinespan localize run motion/take_10.c3d --out
# answers --write elan``. Put right what is not, in ELAN, and the file is one more to learn from.

write_annotations(result.segmentation, folder / "marked" / "take_10.eaf")
text = (folder / "marked" / "take_10.eaf").read_text(encoding="utf-8")
print(text[text.index("    <TIER") :][:600])
