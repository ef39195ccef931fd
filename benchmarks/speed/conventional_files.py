"""Files and figures as the field handles them: text line by line, mAP in nested loops (see `conventional`)."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

JOINTS = 25
Segment = tuple[str, str, float, float]
"""Recording, label, start, end."""
Prediction = tuple[str, str, float, float, float]
"""Recording, label, start, end, score."""


def read_skeleton(path: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Positions (T, P, 25, 3) and valid (T, P) of an NTU RGB+D file, a slot for each bodyID in order of appearance."""
    frames: list[dict[str, NDArray[np.float64]]] = []
    bodies: list[str] = []
    with open(path) as file:
        for _ in range(int(file.readline())):
            frame = {}
            for _ in range(int(file.readline())):
                body = file.readline().split()[0]
                joints = np.zeros((int(file.readline()), 3))
                for joint in range(len(joints)):
                    values = [float(word) for word in file.readline().split()]
                    joints[joint] = values[:3]
                frame[body] = joints
                if body not in bodies:
                    bodies.append(body)
            frames.append(frame)
    positions = np.zeros((len(frames), len(bodies), JOINTS, 3))
    valid = np.zeros((len(frames), len(bodies)), dtype=bool)
    for number, frame in enumerate(frames):
        for body, joints in frame.items():
            positions[number, bodies.index(body)] = joints
            valid[number, bodies.index(body)] = True
    return positions, valid


def read_table(path: Path) -> NDArray[np.float64]:
    """Positions (T, J, 3) of a wide table of frame, time and points, CSV or TRC, row by row."""
    rows = []
    with open(path, newline="") as file:
        for cells in csv.reader(file, delimiter="," if path.suffix == ".csv" else "\t"):
            if len(cells) > 5 and cells[0].isdigit() and "." in cells[1]:  # the header of TRC has digits too
                rows.append([float(cell) if cell else np.nan for cell in cells[2:]])
    return np.array(rows).reshape(len(rows), -1, 3)


def segment_tiou(left: Sequence[float], right: Sequence[float]) -> float:
    """Intersection over union of two segments [start, end]."""
    overlap = min(left[1], right[1]) - max(left[0], right[0])
    if overlap <= 0:
        return 0.0
    return overlap / ((left[1] - left[0]) + (right[1] - right[0]) - overlap)


def average_precision(
    predictions: Sequence[Prediction], truth: Sequence[Segment], threshold: float, grouped: bool = False
) -> float:
    """AP of one label: best score first, each prediction takes the best free segment of its recording.

    It looks through all true segments of the label, as scripts do, or only those of the recording (`grouped`).
    """
    indices: dict[str, list[int]] = {}
    for index, segment in enumerate(truth):
        indices.setdefault(segment[0], []).append(index)
    matched = [False] * len(truth)
    precision, recall, right = [0.0], [0.0], 0
    ordered = sorted(predictions, key=lambda prediction: -prediction[4])
    for number, (recording, _, start, end, _) in enumerate(ordered):
        best, chosen = 0.0, -1
        for index in indices.get(recording, ()) if grouped else range(len(truth)):
            true_recording, _, true_start, true_end = truth[index]
            if true_recording != recording or matched[index]:
                continue
            overlap = segment_tiou((start, end), (true_start, true_end))
            if overlap >= threshold and overlap > best:
                best, chosen = overlap, index
        if chosen >= 0:
            matched[chosen] = True
            right += 1
        precision.append(right / (number + 1))
        recall.append(right / len(truth))
    for index in range(len(precision) - 1, 0, -1):
        precision[index - 1] = max(precision[index - 1], precision[index])
    return sum((recall[i] - recall[i - 1]) * precision[i] for i in range(1, len(recall)))


def mean_average_precision(
    predictions: Sequence[Prediction], truth: Sequence[Segment], thresholds: Sequence[float], grouped: bool = False
) -> list[float]:
    """mAP at each threshold, over the labels that truth has: label by label, prediction by prediction."""
    result = []
    for threshold in thresholds:
        values = []
        for label in sorted({segment[1] for segment in truth}):
            predicted = [prediction for prediction in predictions if prediction[1] == label]
            true = [segment for segment in truth if segment[1] == label]
            values.append(average_precision(predicted, true, threshold, grouped))
        result.append(sum(values) / len(values))
    return result


def read_activitynet(predictions: Path, truth: Path) -> tuple[list[Prediction], list[Segment]]:
    """The predictions and true segments of two ActivityNet JSON files."""
    with open(predictions) as file:
        results = json.load(file)["results"]
    with open(truth) as file:
        database = json.load(file)["database"]
    predicted = [
        (name, entry["label"], *map(float, entry["segment"]), float(entry["score"]))
        for name, entries in results.items()
        for entry in entries
    ]
    true = [
        (name, entry["label"], *map(float, entry["segment"]))
        for name, record in database.items()
        for entry in record["annotations"]
    ]
    return predicted, true
