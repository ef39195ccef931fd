"""Training from point labels: one labelled instant an action becomes a span before anything is trained on it.

Notable choices:
- bounds are probabilities (see decode/growing.py): every instant lies in one span, spans are in order, and a frame is
  used only where its label, or that there is none, is sure; all other time is ignored, not background
- the first bounds come from motion alone (see point_evidence.py): from how far a pose is from rest, and how fast it is
- a small network, trained for a few steps on what is sure, says more of each label than motion alone; its scores and
  the durations of the first spans give the bounds that are kept
- what was grown is written to the run's folder, a table of labels like any other: a resumed run and the trainings of a
  run of `learn` read it there
Published for skeletons by Wang et al., Point-Supervised Skeleton-Based Human Action Segmentation, arXiv 2603.06201,
with which this has the task in common.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..annotations import read_annotations, write_annotations
from ..arrays import BoolArray, Float32Array, Float64Array
from ..config import FinetuneConfig, NetworkConfig
from ..corpus.training_set import TrainingSet
from ..data.annotation import Annotation, LabelSet, Span, subtract
from ..data.clock import Clock
from ..models.base import by_person, cut_at
from ..progress import Progress
from ..runs.folder import GROWN_FILE
from ..runs.settings import load_settings
from .point_chains import (
    Chain,
    Track,
    chains_of,
    core_frames,
    durations_by_label,
    first_durations,
    grown,
    grown_annotation,
    label_probabilities,
    sure_targets,
    usable_time,
)
from .point_evidence import action_evidence

if TYPE_CHECKING:  # torch takes seconds to import
    from ..decode.growing import GrownSpans
    from ..models.localizer import Localizer
    from ..models.model_file import ModelSpec

STEPS = 100
"""Steps of the small network; twice as many, or a second round, gave no better bounds."""
PER_SECOND = {"first": 4.5, "motion": 1.5, "network": 1.5}
"""How many independent frames a second evidence counts as: of motion in the first round, then of motion and network.
Neighbouring frames say the same, so that all of them together would make every bound look sure."""
MIN_SCORE = 0.01
"""Scores of the network are clipped to this from below: it is sure of too much after few steps."""


def with_grown_spans(
    data: TrainingSet, names: Sequence[str], labels: LabelSet, config: FinetuneConfig, out: Path, quiet: bool = False
) -> TrainingSet:
    """The training set with spans in place of the point labels of `names`, the recordings whose labels are used.

    The grown annotations are written to `GROWN_FILE` in `out`, the folder of the run, or read from there, or from that
    of the run of `learn` that the run is part of, if they are there already. `data` as it is without point labels.
    """
    pointed = [name for name in names if (annotation := data.annotation(name)) is not None and annotation.point_labels]
    if not pointed:
        return data
    annotations = _read_grown(data, pointed, out)
    if annotations is None:
        annotations = _grow(data, names, labels, config, quiet)
        out.mkdir(parents=True, exist_ok=True)
        clocks = {name: _clock(data, name) for name in annotations}
        write_annotations(annotations, out / GROWN_FILE, clocks=clocks)
    return replace(data, annotations={**data.annotations, **annotations})


def grown_line(data: TrainingSet, spans_of: TrainingSet) -> str:
    """What was grown, in words: `data` with point labels, `spans_of` with spans in their place."""
    names = [name for name, annotation in spans_of.annotations.items() if annotation is not data.annotation(name)]
    pairs = [(data.annotation(name), spans_of.annotation(name)) for name in names]
    count, lengths = 0, list[float]()
    for before, after in pairs:
        if before is not None and after is not None:
            count += len(before.point_labels)
            lengths += [span.duration for span in after.spans if span not in before.spans]
    if not lengths:
        return f"{count} points, none of which became a span"
    return f"{len(lengths)} of {count} points became spans, {statistics.median(lengths):.2f} s long in the median"


def _clock(data: TrainingSet, name: str) -> Clock:
    info = data.corpus.infos[data.corpus.index(name)]
    return Clock(info.fps, info.num_frames)


def _read_grown(data: TrainingSet, names: Sequence[str], out: Path) -> dict[str, Annotation] | None:
    """The grown annotations of recordings from the folder of a run; None where there are none, or of other points."""
    folders = [out, *([out.parent] if load_settings(out.parent).get("stage") == "learn" else [])]
    file = next((folder / GROWN_FILE for folder in folders if (folder / GROWN_FILE).is_file()), None)
    if file is None:
        return None
    written, result = read_annotations(file), dict[str, Annotation]()
    for name in names:
        annotation = data.annotation(name)
        assert annotation is not None
        if name not in written or not _fits(annotation, written[name].spans):
            return None
        spans = written[name].spans
        result[name] = replace(annotation, spans=spans, covered=written[name].covered or (), events=annotation.instants)
    return result


def _fits(annotation: Annotation, spans: Sequence[Span]) -> bool:
    """Whether spans are those of an annotation and of its points: all of them, and of no point that is gone."""
    points, labelled = annotation.point_labels, set(annotation.spans)
    own = all(
        span in labelled or any(p.label == span.label and span.start <= p.time < span.end for p in points)
        for span in spans
    )
    within = all(any(span.start <= point.time < span.end for span in spans) for point in points)
    return own and within and labelled <= set(spans)


def _grow(
    data: TrainingSet, names: Sequence[str], labels: LabelSet, config: FinetuneConfig, quiet: bool
) -> dict[str, Annotation]:
    """The annotations with grown spans of those of `names` that have point labels."""
    from .spec import localizer_spec

    network = NetworkConfig(encoder="tcn", fps=config.network.fps, skeleton=config.network.skeleton)
    settings = FinetuneConfig(protocol="scratch", network=network, refine_stages=0, seed=config.seed)
    spec = localizer_spec(data, settings, labels.without_events, None, tuple(names))
    tracks = _tracks(data, names, spec)
    with Progress("growing spans around points", STEPS, quiet=quiet) as progress:
        grown_by_track = _Growing(spec, settings, tracks, progress).annotations()
        result = _by_recording(data, tracks, grown_by_track)
        progress.update(STEPS, grown_line(data, replace(data, annotations={**data.annotations, **result})))
    return result


def _tracks(data: TrainingSet, names: Sequence[str], spec: ModelSpec) -> list[Track]:
    """The labelled recordings, those in which labels name people once for each person."""
    tracks = []
    for name in names:
        recording, annotation = data.corpus[name], data.annotation(name)
        if annotation is not None:
            for person, alone in by_person(recording, "each" if annotation.people else "together"):
                own = annotation.of_person(person).without_events
                tracks.append(Track(name, person, spec.input.motion(alone), own))
    return tracks


class _Growing:
    """The two rounds of growing spans in tracks, all at the rate of one spec."""

    def __init__(self, spec: ModelSpec, config: FinetuneConfig, tracks: Sequence[Track], progress: Progress) -> None:
        self.spec, self.config, self.tracks, self.progress = spec, config, tracks, progress
        assert spec.labels is not None
        self.labels, self.fps = spec.labels, spec.input.fps
        self.motions = [track.motion for track in tracks]
        self.chains = [
            chain
            for number, track in enumerate(tracks)
            for chain in (chains_of(number, track.motion, track.annotation) if track.annotation.point_labels else ())
        ]
        self.known: list[Span] = [span for track in tracks for span in track.annotation.spans]

    def annotations(self) -> dict[int, Annotation]:
        """The annotations of the tracks with point labels, by number, spans in place of points."""
        evidence = self._motion_evidence()
        if not self.chains:  # every point lies in a span
            return {
                number: replace(track.annotation, events=())
                for number, track in enumerate(self.tracks)
                if track.annotation.point_labels
            }
        of_chains = [evidence[chain.track] for chain in self.chains]
        durations = np.full(len(self.labels) + 1, first_durations(self.chains, self.motions, of_chains, self.known))
        width = len(self.labels) + 1
        of_motion = [np.broadcast_to(odds[:, None], (len(odds), width)) for odds in of_chains]  # (T, C + 1) each
        first = [self._share("first") * odds for odds in of_motion]
        spans = grown(self.chains, self.motions, first, durations)
        targets = self._targets(spans, [odds < 0 for odds in evidence])
        scores = self._network_scores(targets)
        durations = durations_by_label(self.chains, spans, self.motions, self.known, self.labels)
        second = [
            self._share("motion") * odds + self._share("network") * self._network_evidence(scores[chain.track])
            for odds, chain in zip(of_motion, self.chains, strict=True)
        ]
        spans = grown(self.chains, self.motions, second, durations)
        targets = self._targets(spans, [frames[:, 0] > 0.5 for frames in scores])
        return {
            number: grown_annotation(track, *self._of_track(number, spans), targets[number])
            for number, track in enumerate(self.tracks)
            if track.annotation.point_labels
        }

    def _share(self, name: str) -> float:
        return PER_SECOND[name] / self.fps

    def _of_track(self, number: int, spans: Sequence[GrownSpans]) -> tuple[list[Chain], list[GrownSpans]]:
        pairs = [(c, s) for c, s in zip(self.chains, spans, strict=True) if c.track == number]
        return [chain for chain, _ in pairs], [result for _, result in pairs]

    def _motion_evidence(self) -> list[Float64Array]:
        """Log odds (T,) of each track's frames to be in an action; strongly against where nobody looked."""
        cores = [np.zeros(motion.num_frames, dtype=bool) for motion in self.motions]
        for chain in self.chains:
            cores[chain.track] |= core_frames(chain, self.motions[chain.track])
        usable = [usable_time(track) & bool(track.annotation.point_labels) for track in self.tracks]
        evidence = action_evidence(self.motions, cores, usable)
        return [
            np.where(mask, odds, -np.abs(odds).max(initial=1.0)) for odds, mask in zip(evidence, usable, strict=True)
        ]

    def _targets(self, spans: Sequence[GrownSpans], none_is_likely: Sequence[BoolArray]) -> list[Float32Array]:
        """Targets (T, C + 1) of every track: those of its labels, or what is sure of grown spans."""
        from .clip_pool import frame_targets

        targets = []
        for number, track in enumerate(self.tracks):
            num_frames = track.motion.num_frames
            if track.annotation.point_labels:
                values = label_probabilities(self._of_track(number, spans)[1], num_frames, self.labels)
                targets.append(sure_targets(track, values, none_is_likely[number]))
            else:
                targets.append(frame_targets(track.annotation, self.labels, num_frames, self.fps))
        return targets

    def _network_evidence(self, scores: Float32Array) -> Float64Array:
        """Log odds (T, C + 1) of each label against none, from scores (T, C + 1)."""
        values = scores.astype(np.float64)
        none = values[:, :1] if self.labels.exclusive else 1 - values
        odds: Float64Array = np.log(np.maximum(values, MIN_SCORE)) - np.log(np.maximum(none, MIN_SCORE))
        return odds

    def _network_scores(self, targets: Sequence[Float32Array]) -> list[Float32Array]:
        """Scores (T, C + 1) of every track by a network that was trained on targets."""
        localizer = trained_on_targets(self.spec, self.config, self.tracks, targets, self.progress)
        return [localizer.motion_scores(motion) for motion in self.motions]


def trained_on_targets(
    spec: ModelSpec,
    config: FinetuneConfig,
    tracks: Sequence[Track],
    targets: Sequence[Float32Array],
    progress: Progress,
) -> Localizer:
    """A Localizer after `STEPS` steps on the frames of tracks that have a target (T, C + 1)."""
    import torch

    from ..losses import FrameLoss
    from ..models.localizer import Localizer
    from ..transforms.augment import augment
    from .clip_pool import ClipPool
    from .engine import lr_share
    from .seeding import seeded

    device = "cuda" if torch.cuda.is_available() else "cpu"
    pool = ClipPool([track.motion for track in tracks])
    pool.targets = torch.from_numpy(np.concatenate(targets))
    pool.target_mask = pool.targets.any(dim=1)
    pool.to(device)
    generator = torch.Generator(device=device).manual_seed(config.seed)
    assert spec.labels is not None
    loss_of = FrameLoss(spec.labels.exclusive)
    with seeded(config.seed):
        localizer = Localizer(spec, config.dropout).to(device).train()
        optimizer = torch.optim.AdamW(localizer.parameters(), lr=config.peak_lr, weight_decay=config.weight_decay)
        for step in range(STEPS):
            for group in optimizer.param_groups:
                group["lr"] = config.peak_lr * lr_share(step, STEPS, config.warmup)
            view, _ = pool.draw(config.batch_size, config.clip_frames, generator)
            view = augment(view, config.augment, spec.input.skeleton, generator)
            frames = pool.targets_of(view)
            assert frames is not None
            loss = loss_of(localizer(view.positions, view.valid), frames.values, frames.mask)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            progress.update(step, f"loss {float(loss.detach()):.3g}")
    return localizer.eval()


def _by_recording(
    data: TrainingSet, tracks: Sequence[Track], annotations: dict[int, Annotation]
) -> dict[str, Annotation]:
    """The grown annotations of tracks by recording, with its events; time is covered if it is for all its people."""
    result: dict[str, Annotation] = {}
    for number, each in annotations.items():
        name = tracks[number].name
        before = data.annotation(name)
        assert before is not None
        if name not in result:
            result[name] = replace(before, covered=each.covered, events=before.instants)
        earlier = result[name]
        covered = earlier.covered
        if covered is not None and each.covered is not None:
            covered = subtract(covered, subtract([(0.0, _clock(data, name).duration)], each.covered))
        spans = tuple(dict.fromkeys((*earlier.spans, *cut_at(each.spans, _clock(data, name).duration))))
        result[name] = replace(earlier, spans=spans, covered=covered)
    return result
