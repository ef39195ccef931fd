"""
A mouse: a long table and a BORIS project in, BORIS out
=======================================================

A tracker with several cameras wrote where the points of a mouse are, a row for each point of each frame, with how sure
it is. A student coded ten of eleven videos in BORIS. The last one is coded by a model, counted, and opened in BORIS
again. Mouse and files are made here; with your own the first part falls away.
"""

import csv
import json
import tempfile
from pathlib import Path

import numpy as np

import kinespan
from kinespan.annotations import write_annotations
from kinespan.io import ReadOptions
from kinespan.prepare.prepare import prepare

folder = Path(tempfile.mkdtemp())
FPS = 30
LABELS = kinespan.LabelSet(("groom", "rear", "run"))
REST = {  # millimetres; x ahead, y left, z up
    "nose": (45, 0, 15), "neck": (25, 0, 22), "back": (0, 0, 25), "tail_base": (-30, 0, 15),
    "left_forepaw": (25, 12, 0), "right_forepaw": (25, -12, 0),
    "left_hindpaw": (-20, 14, 0), "right_hindpaw": (-20, -14, 0),
}  # fmt: skip
FRONT = np.array([1.0, 0.8, 0.4, 0, 0.9, 0.9, 0, 0])[:, None]  # how far each point goes up with the body


def mouse(label, time):
    """Points (T, 8, 3) in millimetres, about where the mouse is, of one behaviour."""
    points = np.tile(np.array(list(REST.values()), float), (len(time), 1, 1))
    hold = np.sin(np.linspace(0, np.pi, len(time)))[:, None, None] ** 0.4
    beat = np.sin(2 * np.pi * 3 * time)[:, None]
    if label == "rear":
        points += hold * FRONT * [-30, 0, 55]
    elif label == "groom":
        points[:, 4:6] += hold * ([15, 0, 12] + 5 * np.stack([beat, -beat], axis=1) * [1, 0, 1])
        points[:, :1] += hold * [-8, 0, -6]
    elif label == "run":
        points[:, 4:] += 10 * np.stack([beat, -beat, -beat, beat], axis=1) * [1, 0, 0.3]
    return points


def video(seed):
    """Points (T, 8, 3) in millimetres, how sure each is (T, 8), and the Annotation of what the mouse does."""
    rng = np.random.default_rng(seed)
    parts, speeds, spans, frames = [], [], [], 0
    for label in [*rng.choice(LABELS.names, 8), ""]:
        for each in ("sit", str(label)) if label else ("sit",):
            time = np.arange(rng.integers(15, 35) if each == "sit" else rng.integers(30, 70)) / FPS
            if each != "sit":
                spans.append(kinespan.Span(frames / FPS, (frames + len(time)) / FPS, each))
            parts.append(mouse(each, time))
            speeds += [250.0 if each == "run" else 0.0] * len(time)
            frames += len(time)
    heading = np.cumsum(rng.normal(0, 0.05, frames))
    ahead = np.stack([np.cos(heading), np.sin(heading), 0 * heading], axis=-1)[:, None]
    left = np.stack([-np.sin(heading), np.cos(heading), 0 * heading], axis=-1)[:, None]
    points = np.concatenate(parts)
    way = np.cumsum(np.array(speeds)[:, None, None] * ahead / FPS, axis=0)
    points = way + points[..., :1] * ahead + points[..., 1:2] * left + points[..., 2:] * [0, 0, 1]
    sure = rng.uniform(0.85, 1, (frames, 8))
    start = int(rng.integers(frames - 15))
    sure[start : start + 15, 4] = 0.05  # the left forepaw, hidden: its place is anywhere
    points = points + rng.normal(0, 1, points.shape) + rng.normal(0, 60, points.shape) * (sure < 0.5)[..., None]
    return points, sure, kinespan.Annotation(tuple(spans), LABELS)


# %%
# Eleven tables, and one project with an observation of each of ten videos, named as the table.

(folder / "tracks").mkdir()
coded = {}
for number in range(11):
    name = f"video_{number:02}"
    points, sure, coded[name] = video(number)
    with open(folder / "tracks" / f"{name}.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["frame", "joint", "x", "y", "z", "likelihood"])
        for frame in range(len(points)):
            for joint, place, likelihood in zip(REST, points[frame].round(2), sure[frame].round(3), strict=True):
                table.writerow([frame, joint, *place, likelihood])
truth = coded.pop("video_10")
write_annotations(coded, folder / "coding.boris")

# %%
# A table says neither rate nor unit nor where up is: that is said. Points of which the tracker is not sure are not
# seen. In a shell it is ``kinespan prepare tracks --annotations coding.boris --out corpus --fps 30 --unit mm --up z
# --min-confidence 0.5``.

options = ReadOptions(fps=FPS, unit="mm", up="z", min_confidence=0.5)
print(prepare(folder / "tracks", folder / "corpus", annotations=folder / "coding.boris", options=options))

# %%
# Train on ten videos, and code the eleventh: what the model finds, and what the mouse really did.

kinespan.finetune(folder / "corpus", folder / "run", steps=150, quiet=True)
tracks = folder / "tracks" / "video_10.csv"
result = kinespan.localize(folder / "run", tracks, options=options, out=folder / "answers")
print("found")
for span in result.segmentation["video_10"].spans:
    print(f"{span.start:6.2f} s to {span.end:6.2f} s  {span.label:6} {span.score:.2f}")
print("made")
for span in truth.spans:
    print(f"{span.start:6.2f} s to {span.end:6.2f} s  {span.label}")

kinespan.read(tracks, options=options).recording.plot(result.segmentation["video_10"])

# %%
# How often and how long, as a table for statistics.

print((folder / "answers" / "summary.csv").read_text())

# %%
# The answer as a project that BORIS opens; a state begins with its first event and ends with its next. In a shell it is
# ``kinespan localize run tracks/video_10.csv --out answers --write boris`` with the options above.

write_annotations(result.segmentation, folder / "answers.boris")
project = json.loads((folder / "answers.boris").read_text(encoding="utf-8"))
for event in project["observations"]["video_10"]["events"][:6]:
    print(event)
