"""Recordings and annotations as pictures, by matplotlib, an extra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Float64Array, IntArray
from ..errors import InputError, import_extra
from .tables import EXTRA

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .annotation import Annotation, LabelSet
    from .recording import Recording

SPEED_SECONDS = 0.1
"""Speeds are over so much time, so that the noise of a camera at 120 frames a second does not hide the movement."""
PERSON_COLOURS = ("#3457d5", "#d5632f", "#2f9e6e", "#8a4fc0")
UNLABELLED = "#e7e9f0"


def plot_recording(recording: Recording, annotation: Annotation | None, poses: int) -> tuple[Axes, ...]:
    """See `Recording.plot`."""
    plt = import_extra("matplotlib.pyplot", EXTRA, "plot")
    if poses < 1:
        raise InputError(f"plot: poses is {poses}, expected at least 1")
    frames = _pose_frames(recording, poses)
    names = [f"pose {number}" for number in range(len(frames))]
    figure, axes = plt.subplot_mosaic(
        [names, ["speed"] * len(frames)], height_ratios=(2, 1), figsize=(10, 4), layout="constrained"
    )
    figure.suptitle(recording.name)
    _draw_poses(recording, frames, [axes[name] for name in names])
    curve = axes["speed"]
    times, speeds = joint_speeds(recording)
    for person, speed in enumerate(speeds):
        curve.plot(times, speed, color=_colour(person), linewidth=1, label=f"person {person}")
    if recording.num_people > 1:
        curve.legend(loc="upper right", fontsize="small")
    if annotation is not None:
        _shade_spans(annotation, curve)
    curve.set(xlabel="seconds", ylabel="speed, m/s", xlim=(0, recording.duration), ylim=(0, None))
    return tuple(axes.values())


def joint_speeds(recording: Recording) -> tuple[Float64Array, Float64Array]:
    """Times (N,) in seconds, and the mean speed (P, N) of each person's joints in m/s, NaN where none was seen."""
    step = max(1, round(SPEED_SECONDS * recording.fps))
    starts = recording.start_times
    if len(starts) <= step:
        return starts[:0], np.empty((recording.num_people, 0))
    seconds = starts[step:] - starts[:-step]
    distances = np.linalg.norm(recording.positions[step:] - recording.positions[:-step], axis=3)  # (N, P, J)
    seen = recording.valid[step:] & recording.valid[:-step]
    counts = seen.sum(axis=2)
    sums = np.where(seen, distances, 0).sum(axis=2)
    means = np.divide(sums, counts, out=np.full(counts.shape, np.nan), where=counts > 0)  # (N, P)
    return (starts[step:] + starts[:-step]) / 2, (means / seconds[:, None]).T


def plot_annotation(annotation: Annotation, ax: Axes | None) -> Axes:
    """See `Annotation.plot`."""
    names = [name for name in annotation.labels.names if name in _occurring(annotation)]
    axes = _axes(ax, len(names))
    rows, colours = {name: row for row, name in enumerate(names)}, label_colours(annotation.labels)
    _shade_unlabelled(annotation, axes)
    for span in annotation.spans:
        axes.barh(rows[span.label], span.duration, left=span.start, height=0.7, color=colours[span.label])
    for event in annotation.events:
        axes.plot(event.time, rows[event.label], "|", color=colours[event.label], markersize=14, markeredgewidth=2)
    return _finish(axes, names)


def plot_timelines(annotations: Mapping[str, Annotation], ax: Axes | None = None) -> Axes:
    """Draw a row for each of some annotations by name, their labels in colours; returns the axes."""
    axes = _axes(ax, len(annotations))
    drawn: dict[str, Any] = {}
    for row, annotation in enumerate(annotations.values()):
        colours = label_colours(annotation.labels)
        for span in annotation.spans:
            bars = axes.barh(row, span.duration, left=span.start, height=0.7, color=colours[span.label])
            drawn.setdefault(span.label, bars)
        for event in annotation.events:
            marks = axes.plot(event.time, row, "|", color=colours[event.label], markersize=14, markeredgewidth=2)
            drawn.setdefault(event.label, marks[0])
    if drawn:
        axes.legend(list(drawn.values()), list(drawn), loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    return _finish(axes, list(annotations))


def label_colours(labels: LabelSet) -> dict[str, Any]:
    """A colour for each label, the same in every picture of a label set."""
    colours = import_extra("matplotlib", EXTRA, "plot").colormaps["tab20"]
    return {name: colours(index % colours.N) for index, name in enumerate(labels.names)}


def _axes(ax: Axes | None, rows: int) -> Axes:
    """The axes to draw so many rows into."""
    plt = import_extra("matplotlib.pyplot", EXTRA, "plot")
    if ax is not None:
        return ax
    axes: Axes = plt.subplots(figsize=(10, 0.8 + 0.35 * max(rows, 1)), layout="constrained")[1]
    return axes


def _finish(axes: Axes, names: list[str]) -> Axes:
    """Name the rows, the first on top."""
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(max(len(names), 1) - 0.5, -0.5), xlabel="seconds")
    axes.set_xlim(left=0)
    return axes


def _occurring(annotation: Annotation) -> set[str]:
    return {row[0] for row in annotation.rows()}


def _shade_unlabelled(annotation: Annotation, axes: Axes) -> None:
    """Shade the time between covered times, at which nobody looked."""
    end = 0.0
    for first, last in sorted(annotation.covered or ()):
        if first > end:
            axes.axvspan(end, first, color=UNLABELLED)
        end = max(end, last)


def _shade_spans(annotation: Annotation, axes: Axes) -> None:
    """Colour the background of a curve by label, with a legend above it."""
    colours = label_colours(annotation.labels)
    drawn: dict[str, Any] = {}
    for span in annotation.spans:
        area = axes.axvspan(span.start, span.end, color=colours[span.label], alpha=0.4, linewidth=0)
        drawn.setdefault(span.label, area)
    for event in annotation.events:
        drawn.setdefault(event.label, axes.axvline(event.time, color=colours[event.label]))
    if drawn:
        axes.figure.legend(list(drawn.values()), list(drawn), loc="outside lower center", ncols=6, fontsize="small")


def _pose_frames(recording: Recording, poses: int) -> IntArray:
    """Up to `poses` frames at equal distances in time, of those in which somebody was seen."""
    present = np.flatnonzero(recording.present.any(axis=1))
    starts = recording.start_times
    targets = (np.arange(poses) + 0.5) * recording.duration / poses
    nearest = [present[np.abs(starts[present] - target).argmin()] for target in targets]
    return np.unique(nearest)


def _draw_poses(recording: Recording, frames: IntArray, axes: list[Axes]) -> None:
    """Draw the bones of a frame into each of the axes, as seen from the side from which bodies are widest."""
    across = _widest_direction(recording, frames)
    width, heights = 0.0, recording.positions[frames][recording.valid[frames]][:, 1]
    for frame, ax in zip(frames.tolist(), axes, strict=True):
        seen, pose = recording.valid[frame], recording.positions[frame]
        horizontal = pose[..., [0, 2]] @ across  # (P, J)
        horizontal = horizontal - horizontal[seen].mean()
        width = max(width, float(np.abs(horizontal[seen]).max()))
        for person in range(recording.num_people):
            for child, parent in recording.skeleton.bones:
                if seen[person, child] and seen[person, parent]:
                    ends = [child, parent]
                    ax.plot(horizontal[person, ends], pose[person, ends, 1], color=_colour(person), linewidth=1.5)
            ax.plot(horizontal[person][seen[person]], pose[person, seen[person], 1], ".", color=_colour(person), ms=3)
        ax.set_title(f"{recording.start_times[frame]:.1f} s", fontsize="small")
    margin = 0.05 * max(width, float(np.ptp(heights)), 1e-3)
    for ax in axes:
        ax.set(xlim=(-width - margin, width + margin), ylim=(heights.min() - margin, heights.max() + margin))
        ax.set_aspect("equal")
        ax.axis("off")


def _widest_direction(recording: Recording, frames: IntArray) -> Float64Array:
    """The horizontal direction (2,), in x and z, in which the joints of a person lie furthest apart."""
    offsets = []
    for frame in frames.tolist():
        for pose, seen in zip(recording.positions[frame], recording.valid[frame], strict=True):
            points = pose[seen][:, [0, 2]].astype(np.float64)
            offsets.append(points - points.mean(axis=0) if len(points) else points)
    _, _, directions = np.linalg.svd(np.concatenate(offsets), full_matrices=False)
    across: Float64Array = directions[0] if directions.shape[1] == 2 and len(directions) else np.array([1.0, 0.0])
    return across if across[np.abs(across).argmax()] > 0 else -across


def _colour(person: int) -> str:
    return PERSON_COLOURS[person % len(PERSON_COLOURS)]
