"""
A hand, from its files to a report
==================================

Nothing here is a person: a tracker of one hand wrote points that have names and a hierarchy, and
lost some of them. Ten recordings are labelled, a new one is not. The way is that of any recording:
prepare, train, localize, report. A mouse or a robot goes it as well. The hand is made here; with your
own the first part falls away.
"""

import csv
import tempfile
from pathlib import Path

import numpy as np

import kinespan
from kinespan.corpus import Corpus
from kinespan.prepare.prepare import prepare
from kinespan.report import write_report
from kinespan.report.gather import gather

folder = Path(tempfile.mkdtemp())
FINGERS = ("thumb", "index", "middle", "ring", "little")
JOINTS = ["palm", *(f"{finger}_{number}" for finger in FINGERS for number in (1, 2, 3))]
PARENTS = [-1, *(0 if number == 0 else 3 * finger + number for finger in range(5) for number in range(3))]
FLEXED = {"grip": [1, 1, 1, 1, 1], "point": [1, 0, 1, 1, 1], "pinch": [0.6, 0.6, 0, 0, 0]}  # how far each finger bends
FPS = 30


def hand(bend):
    """Points (16, 3) in metres of a hand whose fingers are bent by 0 to 1, the palm at the origin, fingers along z."""
    points = [np.zeros(3)]
    for finger, share in enumerate(bend):
        point, side = np.array([0.02 * (finger - 2), 0, 0.02]), np.array([0.1 * (finger - 2), 0, 1])
        for number, length in enumerate((0.06, 0.035, 0.025)):
            angle = share * 0.7 * (number + 1)
            way = side * [1, 0, np.cos(angle)] - [0, np.sin(angle), 0]
            point = point + length * way / np.linalg.norm(way)
            points.append(point)
    return np.array(points)


def recording(seed, gestures=6):
    """Positions (T, 16, 3) with gaps, and the (label, start, end) of what the hand does."""
    rng = np.random.default_rng(seed)
    bends, labels = [], []
    for _ in range(gestures):
        bends.append(np.zeros((rng.integers(20, 45), 5)))
        label = str(rng.choice(list(FLEXED)))
        held = int(rng.integers(25, 50))
        start = sum(map(len, bends))
        bends.append(np.sin(np.linspace(0, np.pi, held))[:, None] ** 0.5 * np.array(FLEXED[label]))
        labels.append((label, start / FPS, (start + held) / FPS))
    bend = np.concatenate([*bends, np.zeros((25, 5))])
    bend = bend + rng.normal(0, 0.03, bend.shape)
    drift = np.cumsum(rng.normal(0, 0.002, (len(bend), 1, 3)), axis=0)
    positions = np.array([hand(row) for row in bend]) + drift + rng.normal(0, 0.001, (len(bend), 16, 3))
    start = int(rng.integers(len(bend) - 20))
    positions[start : start + 20, 3 * int(rng.integers(5)) + 3] = np.nan  # a tip that the tracker lost
    return positions.astype(np.float32), labels


# %%
# Eleven files, and a table of what happens in ten of them. ``joints`` and ``parents`` are all that is said of the hand.

motion = folder / "motion"
motion.mkdir()
with open(folder / "labels.csv", "w", newline="") as file:
    table = csv.writer(file)
    table.writerow(["recording", "label", "start", "end"])
    for number in range(11):
        positions, labels = recording(number)
        np.savez(motion / f"hand_{number:02}.npz", positions=positions, fps=FPS, joints=JOINTS, parents=PARENTS)
        if number < 10:
            table.writerows((f"hand_{number:02}", *row) for row in labels)

# %%
# Prepare says what it took the files for: which joints are parts of a body (none), where up is, what was not seen, and
# what unlabelled time is taken for. In a shell it is ``kinespan prepare motion --annotations labels.csv --out corpus``.

print(prepare(motion, folder / "corpus", annotations=folder / "labels.csv"))
corpus = Corpus.open(folder / "corpus")
print(corpus["hand_00"])

# %%
# The network is built on the hand itself. A point that was lost for long is hidden from it; the hand stays.

model = kinespan.finetune(folder / "corpus", folder / "run", steps=250, quiet=True)
print(model.spec.input.skeleton.joints)

# %%
# The recording that has no label, and what really happened in it.

result = kinespan.localize(folder / "run", motion / "hand_10.npz", out=folder / "answers")
for span in result.segmentation["hand_10"].spans:
    print(f"{span.start:6.2f} s to {span.end:6.2f} s  {span.label:6} {span.score:.2f}")
print([(label, round(start, 2), round(end, 2)) for label, start, end in recording(10)[1]])

kinespan.read(motion / "hand_10.npz").recording.plot(result.segmentation["hand_10"])

# %%
# The report: the hand moves beside its timeline. In a shell it is ``kinespan report answers``.

write_report(gather([folder / "answers"]), folder / "report.html")
print(f"{(folder / 'report.html').stat().st_size / 1e6:.1f} MB")
print(folder / "report.html")
