"""Made PKU-MMD folders: skeleton text of 150 numbers a line, label files, split files as odd as the published ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from makers.ntu import moving, standing

MUTUAL = {12, 14, 16, 18, 21, 24, 26, 27}
"""Actions of two people."""
Label = tuple[int, int, int, int]
"""label (from 1), first frame, last frame, confidence."""


def skeleton_text(positions: np.ndarray) -> str:
    """The text of positions (T, P, 25, 3), P 1 or 2; the second body is zeros where there is none."""
    rows = np.zeros((len(positions), 2, 25, 3))
    rows[:, : positions.shape[1]] = positions
    return "".join(" ".join(f"{value:.6g}" for value in row) + " \n" for row in rows.reshape(len(rows), 150))


def timeline(
    rng: np.random.Generator,
    actions: Sequence[int],
    frames: tuple[int, int] = (40, 70),
    rest: tuple[int, int] = (15, 30),
) -> tuple[np.ndarray, list[Label]]:
    """Positions (T, P, 25, 3) of these actions one after the other with rests between, and their labels."""
    people = 2 if MUTUAL & set(actions) else 1
    pieces, labels, at = [], [], 0

    def still(count: int) -> np.ndarray:
        quiet = moving(rng, 1, 1).repeat(count, axis=0)
        return quiet + rng.normal(scale=0.004, size=quiet.shape)

    for action in actions:
        wait, length = int(rng.integers(*rest, endpoint=True)), int(rng.integers(*frames, endpoint=True))
        pieces += [still(wait), moving(rng, 1000 + action, length)]
        labels.append((action, at + wait, at + wait + length, int(rng.integers(1, 3))))
        at += wait + length
    pieces.append(still(int(rng.integers(*rest, endpoint=True))))
    one = np.concatenate(pieces)
    bodies = [standing(one, x=0.8 * person, heading=np.pi * person) for person in range(people)]
    return np.stack(bodies, axis=1), labels


def label_text(labels: Iterable[Label]) -> str:
    """The text of a label file: label,start,end,confidence."""
    return "".join(",".join(map(str, label)) + "\n" for label in labels)


def split_text(train: Sequence[str], test: Sequence[str]) -> str:
    """The text of a split file: two headings (the second misspelt as published), two lists that end in a comma."""
    return (
        "Training videos:\n" + "".join(f"{name}, " for name in train)
        + "\nValidataion videos:\n" + "".join(f"{name}, " for name in test) + "\n"
    )  # fmt: skip


def write_video(
    folder: Path, name: str, positions: np.ndarray, labels: Iterable[Label] | None, phase: int = 1
) -> tuple[Path, Path]:
    """The skeleton file and the label file of a video; no label file for labels None."""
    skeletons = folder / ("PKU_Skeleton_Renew" if phase == 1 else "PKU_Skeleton_v2") / f"{name}.txt"
    label_file = folder / ("Train_Label_PKU_final" if phase == 1 else "Label_v2") / f"{name}.txt"
    for file in (skeletons, label_file):
        file.parent.mkdir(parents=True, exist_ok=True)
    skeletons.write_text(skeleton_text(positions))
    if labels is not None:
        label_file.write_text(label_text(labels))
    return skeletons, label_file


def write_splits(folder: Path, train: Sequence[str], test: Sequence[str], names: Sequence[str], phase: int = 1) -> None:
    """The files of both official splits: the given subjects' one, and views M and R against L."""
    files = ("cross-subject.txt", "cross-view.txt") if phase == 1 else ("cross_subject_v2.txt", "cross_view_v2.txt")
    by_view = [name for name in names if name[-1] in "MR"], [name for name in names if name[-1] == "L"]
    (folder / "Split").mkdir(parents=True, exist_ok=True)
    for file, sides in zip(files, ((train, test), by_view), strict=True):
        (folder / "Split" / file).write_text(split_text(*sides))


def write_pku_mmd(
    folder: Path,
    names: Sequence[str],
    rng: np.random.Generator,
    actions: Sequence[int] = (2, 8, 13, 17),
    test: Sequence[str] | None = None,
    phase: int = 1,
) -> None:
    """Videos NNNN-V, each all of the actions in an order of its own, with labels and both official splits.

    The three views of a video (the same NNNN) show the same order. ``test``: the videos that test in cross-subject,
    by default those of the last quarter of the numbers, at least one number.
    """
    numbers = sorted({name[:-2] for name in names})
    if test is None:
        held_out = set(numbers[-max(1, len(numbers) // 4) :])
        test = [name for name in names if name[:-2] in held_out]
    orders = {number: [int(action) for action in rng.permutation(actions)] for number in numbers}
    for name in names:
        positions, labels = timeline(rng, orders[name[:-2]])
        write_video(folder, name, positions, labels, phase)
    write_splits(folder, [name for name in names if name not in set(test)], list(test), names, phase)
