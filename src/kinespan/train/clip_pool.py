"""Clips for training: recordings as a model sees them, on one device, and random windows of them.

Notable choices:
- all recordings lie end to end in one tensor, so that a batch of clips is one gather
- where labels say whose action it is, each person is a recording of its own, with the motion of that person alone
- targets are looked up by the time map of a view, so that they follow every temporal augmentation
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from ..arrays import Float32Array
from ..data.annotation import IGNORE, Annotation, LabelSet, frame_centres
from ..decode.events import bell
from ..errors import InputError
from ..transforms.augment import TimeMap, View
from ..transforms.normalise import Motion


class FrameTargets(NamedTuple):
    """Targets of the frames of clips: values (B, T, C + 1) float32 in 0..1, and mask (B, T) bool.

    Column 0 is background, column c + 1 label c. mask is True for frames that have a target; values are zero elsewhere.
    """

    values: Tensor
    mask: Tensor


class ClipPool:
    """Motions of recordings, joined end to end on one device, and their frame targets where they are annotated.

    Of N frames in R recordings:

        positions      (N, P, J, 3) float32
        valid          (N, P, J) bool, which joints were seen of the people who are present
        starts         (R,) int64, first frame of each recording
        lengths        (R,) int64, frames of each recording
        weights        (R,) float32, how often a recording is drawn; by default its length
        targets        (N, C + 1) float32 in 0..1, or None: column 0 background, column c + 1 label c; labels are 0 and
                       1, pseudo-labels the scores that teachers gave
        target_mask    (N,) bool, or None: which frames have a target; targets are zero where it is False

    Everything stays on the device, so that a batch costs one gather.
    """

    def __init__(
        self,
        motions: Sequence[Motion],
        annotations: Sequence[Annotation | None] | None = None,
        labels: LabelSet | None = None,
    ) -> None:
        """Raises InputError for an empty pool."""
        if not motions:
            raise InputError("no recordings to take clips from; check the split and the label fraction")
        people = max(motion.valid.shape[1] for motion in motions)
        self.names = tuple(motion.name for motion in motions)
        self.fps = motions[0].fps
        self.motions = tuple(motions)
        self.lengths = torch.tensor([motion.num_frames for motion in motions])
        self.starts = self.lengths.cumsum(0) - self.lengths
        self.weights = self.lengths.float()
        positions = [pad_people(motion.positions, people) for motion in motions]
        valid = [pad_people(motion.valid, people) for motion in motions]
        self.positions = torch.from_numpy(np.concatenate(positions))
        self.valid = torch.from_numpy(np.concatenate(valid))
        self.targets: Tensor | None = None
        self.target_mask: Tensor | None = None
        if annotations is not None and labels is not None:
            targets = [
                frame_targets(annotation, labels, motion.num_frames, motion.fps)
                for annotation, motion in zip(annotations, motions, strict=True)
            ]
            self.targets = torch.from_numpy(np.concatenate(targets))
            self.target_mask = self.targets.any(dim=1)

    def __len__(self) -> int:
        return len(self.names)

    def to(self, device: torch.device | str) -> ClipPool:
        """Move everything to a device, in place; returns itself."""
        for name in ("lengths", "starts", "weights", "positions", "valid", "targets", "target_mask"):
            value = getattr(self, name)
            setattr(self, name, None if value is None else value.to(device))
        return self

    def add_pseudo_labels(self, scores: Mapping[int, Float32Array], share: float) -> None:
        """Make scores (T, C + 1) the targets of recordings by index, and draw this share of all clips from them.

        All other recordings are labelled ones; the pool must hold at least one.
        """
        assert self.targets is not None
        assert self.target_mask is not None
        starts = self.starts.tolist()
        for index, recording_scores in scores.items():
            frames = slice(starts[index], starts[index] + len(recording_scores))
            self.targets[frames] = torch.from_numpy(recording_scores).to(self.targets)
            self.target_mask[frames] = True
        is_pseudo = torch.tensor([index in scores for index in range(len(self))], device=self.lengths.device)  # (R,)
        lengths = self.lengths.float()
        pseudo, labelled = (lengths * chosen / (lengths * chosen).sum() for chosen in (is_pseudo, ~is_pseudo))
        self.weights = share * pseudo + (1 - share) * labelled

    @property
    def seconds(self) -> float:
        """Seconds of motion in the pool."""
        return float(self.lengths.sum()) / self.fps

    def annotated(self, index: int) -> bool:
        """Whether any frame of recording `index` has a target."""
        if self.target_mask is None:
            return False
        start = int(self.starts[index])
        return bool(self.target_mask[start : start + int(self.lengths[index])].any())

    def draw(self, count: int, frames: int, generator: Generator) -> tuple[View, FrameTargets | None]:
        """A batch of `count` random clips of `frames` frames, and their targets if there are labels.

        A recording is drawn by its weight, then a start evenly among those at which the clip fits; a recording
        shorter than a clip is padded at its end.
        """
        device = self.positions.device
        recording = torch.multinomial(self.weights, count, replacement=True, generator=generator)  # (B,)
        num_starts = (self.lengths[recording] - frames).clamp(min=0) + 1  # (B,)
        offset = (torch.rand(count, generator=generator, device=device) * num_starts).long().clamp(max=num_starts - 1)
        return self.clips(recording, offset, frames)

    def clips(self, recording: Tensor, offset: Tensor, frames: int) -> tuple[View, FrameTargets | None]:
        """The clips that start `offset` (B,) frames into `recording` (B,), and their targets."""
        step = torch.full((len(recording),), 1 / self.fps, device=offset.device)
        times = TimeMap(offset * step, step)
        indices, inside = self.frame_indices(recording, times, frames)  # (B, T) both
        valid = self.valid[indices] & inside[..., None, None]  # (B, T, P, J)
        positions = torch.where(valid[..., None], self.positions[indices], 0.0)  # (B, T, P, J, 3)
        view = View(positions, valid, times, recording)
        return view, self.targets_of(view)

    def frame_indices(self, recording: Tensor, times: TimeMap, frames: int) -> tuple[Tensor, Tensor]:
        """Which joined frame (B, T) each frame of a view falls into, by time, and whether it is inside (B, T)."""
        middle = torch.arange(frames, device=recording.device) + 0.5  # (T,)
        seconds = times.start[:, None] + middle * times.step[:, None]  # (B, T)
        # a thousandth of a frame is added so that rounding never moves a frame that lies on a border
        frame = (seconds * self.fps + 1e-3).floor().long()  # (B, T), from the recording's first
        inside = (frame >= 0) & (frame < self.lengths[recording][:, None])
        return self.starts[recording][:, None] + torch.where(inside, frame, 0), inside

    def targets_of(self, view: View) -> FrameTargets | None:
        """The targets of a view, by its time map; None without labels.

        Frames have none where nobody is present, beyond the recording, and where the view is mirrored in time.
        """
        if self.targets is None or self.target_mask is None:
            return None
        indices, usable = self.frame_indices(view.recording, view.times, view.positions.shape[1])  # (B, T) both
        usable = usable if view.timed is None else usable & view.timed
        usable = usable & view.present.any(dim=2)
        values = self.targets[indices].masked_fill(~usable[..., None], 0.0)  # (B, T, C + 1)
        return FrameTargets(values, self.target_mask[indices] & usable)


def frame_targets(annotation: Annotation | None, labels: LabelSet, num_frames: int, fps: float) -> Float32Array:
    """Targets (T, C + 1), in 0..1, at a model's rate: column 0 background, c + 1 label c; zero where unlabelled.

    Background and spans are 0 or 1; background is time without a span, whatever events are in it. Of events the target
    is a bell around the instant (`kinespan.decode.events.bell`), 1 at its top.
    """
    targets = np.zeros((num_frames, len(labels) + 1), np.float32)
    if annotation is None:
        return targets
    if labels.exclusive:
        ids = annotation.frame_ids(num_frames, fps)
        known = ids != IGNORE
        targets[np.flatnonzero(known), ids[known]] = 1
    else:
        targets[:, 1:], covered = annotation.frame_targets(num_frames, fps)
        targets[:, 0] = covered & ~targets[:, 1:].any(axis=1)
    for event in annotation.instants:
        column = targets[:, labels.index(event.label) + 1]  # (T,), a view
        np.maximum(column, bell(frame_centres(num_frames, fps) - event.time, fps, labels.tolerance), out=column)
    return targets


def pad_people(values: np.ndarray, people: int) -> np.ndarray:
    """values (T, P, ...) with empty person slots up to `people`."""
    missing = people - values.shape[1]
    return values if not missing else np.pad(values, [(0, 0), (0, missing)] + [(0, 0)] * (values.ndim - 2))
