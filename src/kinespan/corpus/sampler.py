"""Clips for training: recordings as a model sees them, held on one device, and random windows of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from ..annotation import IGNORE, Annotation, LabelSet
from ..errors import InputError
from ..input_spec import InputSpec
from ..transforms.augment import TimeMap, View
from ..transforms.normalise import Motion
from .store import Corpus


class ClipPool:
    """Motions of some recordings, joined end to end on a device, and their frame targets where they are annotated.

    positions (N, P, J, 3) float32, valid (N, P), starts (R,) and lengths (R,) in frames; hits (N, C + 1) bool or
    None: column 0 background, column c + 1 label c, no hit where unlabelled. Where recordings are taught, hits are
    float32: 0 and 1, and the scores that teachers gave. weights (R,) say how often a recording is drawn: by default its
    length. Everything stays on the device, so that a batch costs one gather.
    """

    def __init__(
        self,
        motions: Sequence[Motion],
        annotations: Sequence[Annotation | None] | None = None,
        labels: LabelSet | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        """Raises InputError for an empty pool."""
        if not motions:
            raise InputError("no recordings to take clips from; check the split and the label fraction")
        people = max(motion.valid.shape[1] for motion in motions)
        self.names = tuple(motion.name for motion in motions)
        self.fps = motions[0].fps
        self.motions = tuple(motions)
        self.lengths = torch.tensor([motion.num_frames for motion in motions], device=device)
        self.starts = self.lengths.cumsum(0) - self.lengths
        self.weights = self.lengths.float()
        positions = [_widened(motion.positions, people) for motion in motions]
        self.positions = torch.from_numpy(np.concatenate(positions)).to(device)
        self.valid = torch.from_numpy(np.concatenate([_widened(motion.valid, people) for motion in motions])).to(device)
        self.hits: Tensor | None = None
        if annotations is not None and labels is not None:
            targets = [
                frame_hits(annotation, labels, motion.num_frames, motion.fps)
                for annotation, motion in zip(annotations, motions, strict=True)
            ]
            self.hits = torch.from_numpy(np.concatenate(targets)).to(device)

    def __len__(self) -> int:
        return len(self.names)

    def to(self, device: torch.device | str) -> ClipPool:
        """Move everything to a device, in place; returns itself."""
        for name in ("lengths", "starts", "weights", "positions", "valid", "hits"):
            value = getattr(self, name)
            setattr(self, name, None if value is None else value.to(device))
        return self

    def teach(self, scores: Mapping[str, NDArray[np.float32]], share: float) -> None:
        """Make scores (T, C + 1) the targets of recordings by name, and draw that share of all clips from them.

        The others are labelled ones, of which there must be some.
        """
        assert self.hits is not None
        self.hits = self.hits.float()
        for start, name in zip(self.starts.tolist(), self.names, strict=True):
            if name in scores:
                found = torch.from_numpy(scores[name])
                self.hits[start : start + len(found)] = found.to(self.hits)
        taught = torch.tensor([name in scores for name in self.names], device=self.lengths.device)
        frames = self.lengths.float()
        of_taught, of_labelled = (frames * part / (frames * part).sum() for part in (taught, ~taught))
        self.weights = share * of_taught + (1 - share) * of_labelled

    @property
    def seconds(self) -> float:
        """Seconds of motion in the pool."""
        return float(self.lengths.sum()) / self.fps

    def annotated(self, number: int) -> bool:
        """Whether any frame of recording `number` is labelled."""
        if self.hits is None:
            return False
        start = int(self.starts[number])
        return bool(self.hits[start : start + int(self.lengths[number])].any())

    def draw(self, count: int, frames: int, generator: Generator) -> tuple[View, Tensor | None]:
        """A batch of `count` random clips of `frames` frames and their hits (B, T, C + 1), if there are labels.

        A recording is drawn by its weight, then a start evenly among those at which the clip fits; a recording
        shorter than a clip is padded at its end.
        """
        device = self.positions.device
        chosen = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        room = (self.lengths[chosen] - frames).clamp(min=0) + 1
        offset = (torch.rand(count, generator=generator, device=device) * room).long().clamp(max=room - 1)
        return self.clips(chosen, offset, frames)

    def clips(self, recording: Tensor, offset: Tensor, frames: int) -> tuple[View, Tensor | None]:
        """The clips that start `offset` (B,) frames into `recording` (B,), and their hits."""
        step = torch.full((len(recording),), 1 / self.fps, device=offset.device)
        times = TimeMap(offset * step, step)
        at, inside = self.frames_at(recording, times, frames)
        valid = self.valid[at] & inside[..., None]
        positions = torch.where(valid[..., None, None], self.positions[at], 0.0)
        view = View(positions, valid, times, recording)
        return view, self.hits_at(view)

    def frames_at(self, recording: Tensor, times: TimeMap, frames: int) -> tuple[Tensor, Tensor]:
        """Which joined frame (B, T) each frame of a view falls into, by time, and whether that is inside."""
        middle = torch.arange(frames, device=recording.device) + 0.5
        # a thousandth of a frame is given so that rounding never moves a frame that lies on a border
        within = ((times.start[:, None] + middle * times.step[:, None]) * self.fps + 1e-3).floor().long()
        inside = (within >= 0) & (within < self.lengths[recording][:, None])
        return self.starts[recording][:, None] + torch.where(inside, within, 0), inside

    def hits_at(self, view: View) -> Tensor | None:
        """The hits (B, T, C + 1) of a view, found through its time map; none where nobody is, or mirrored in time."""
        if self.hits is None:
            return None
        at, inside = self.frames_at(view.recording, view.times, view.positions.shape[1])
        inside = inside if view.timed is None else inside & view.timed
        return self.hits[at].masked_fill(~(inside & view.valid.any(dim=2))[..., None], 0)


def frame_hits(annotation: Annotation | None, labels: LabelSet, num_frames: int, fps: float) -> np.ndarray:
    """Targets (T, C + 1) bool at a model's rate: column 0 background, c + 1 label c, no hit where unlabelled."""
    hits = np.zeros((num_frames, len(labels) + 1), dtype=bool)
    if annotation is None:
        return hits
    if labels.exclusive:
        ids = annotation.frame_ids(num_frames, fps)
        known = ids != IGNORE
        hits[np.flatnonzero(known), ids[known]] = True
        return hits
    hits[:, 1:], covered = annotation.frame_targets(num_frames, fps)
    hits[:, 0] = covered & ~hits[:, 1:].any(axis=1)
    return hits


def load_motions(
    corpus: Corpus,
    names: Sequence[str],
    input_spec: InputSpec,
    progress: Callable[[int], None] | None = None,
) -> list[Motion]:
    """The Motions of some recordings of a corpus. Raises InputError where a skeleton does not map."""
    motions = []
    for number, name in enumerate(names):
        motions.append(input_spec.motion(corpus[name]))
        if progress is not None:
            progress(number + 1)
    return motions


def _widened(values: np.ndarray, people: int) -> np.ndarray:
    """values (T, P, ...) with empty person slots up to `people`."""
    missing = people - values.shape[1]
    return values if not missing else np.pad(values, [(0, 0), (0, missing)] + [(0, 0)] * (values.ndim - 2))
