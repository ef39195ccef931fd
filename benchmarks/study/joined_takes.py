"""Clips of one action each, joined into untrimmed takes; the motion between two clips is made.

    python -m benchmarks.study.joined_takes CLIPS OUT

CLIPS is a corpus whose recordings each show one action from end to end, OUT the corpus to write. The clips of an actor
are shuffled by a seed and joined, several a take. The next clip is moved and turned about the vertical until its first
pose stands and faces as the last one of the clip before. In between the root moves, and the pose about it changes, from
the one pose to the other in half a second, slow at both ends; these frames are background. Nobody moved so: limbs
shorten a little on the way, and somebody who lay down gets up in half a second.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinespan import Annotation, InputError, LabelSet, Recording, Span
from kinespan.corpus import Corpus, CorpusWriter, Fold, Split
from kinespan.transforms.normalise import facing
from kinespan.transforms.ntu_preprocessing import landmark

TRANSITION = 0.5
"""Seconds between two clips."""
CLIPS_A_TAKE = 8
Positions = NDArray[np.float32]


def transition(before: Positions, after: Positions, root: Sequence[int], num_frames: int) -> Positions:
    """The frames (N, J, 3) between two poses (J, 3): root and pose about it blended by 3 u^2 - 2 u^3."""
    u = np.arange(1, num_frames + 1) / (num_frames + 1)
    weight = (3 * u**2 - 2 * u**3)[:, None, None]  # (N, 1, 1)
    roots = [landmark(pose, tuple(root)) for pose in (before, after)]
    way = roots[0] + weight * (roots[1] - roots[0])  # (N, 1, 3)
    pose = (before - roots[0]) + weight * ((after - roots[1]) - (before - roots[0]))  # (N, J, 3)
    blended: Positions = (way + pose).astype(np.float32)
    return blended


def aligned(clip: Recording, pose: Positions) -> Positions:
    """Positions (T, J, 3) of a clip's person, moved and turned about the vertical to go on from a pose (J, 3)."""
    positions, skeleton = clip.positions[:, 0], clip.skeleton
    all_seen = np.ones((1, len(pose)), dtype=bool)
    turn = facing(pose[None], all_seen, skeleton).T @ facing(positions[:1], all_seen, skeleton)
    turned = positions @ turn.T
    step = landmark(pose, skeleton.root) - landmark(turned[0], skeleton.root)
    return np.asarray(turned + step * np.array([1, 0, 1]), dtype=np.float32)


def joined(
    name: str, clips: Sequence[tuple[Recording, str]], labels: LabelSet, attributes: Mapping[str, str]
) -> tuple[Recording, Annotation]:
    """One take of some clips with their labels, in their order.

    Raises InputError for clips of several people, with joints that were not seen, or of different rates or skeletons.
    """
    first = clips[0][0]
    parts: list[Positions] = []
    spans: list[Span] = []
    frames = 0
    for clip, label in clips:
        if clip.num_people != 1 or not clip.valid.all() or (clip.fps, clip.skeleton) != (first.fps, first.skeleton):
            raise InputError(f"{clip.name}: expected one person, seen throughout, at the rate of {first.name}")
        positions = clip.positions[:, 0]
        if parts:
            positions = aligned(clip, parts[-1][-1])
            between = transition(parts[-1][-1], positions[0], clip.skeleton.root, round(TRANSITION * clip.fps))
            parts.append(between)
            frames += len(between)
        parts.append(positions)
        spans.append(Span(frames / clip.fps, (frames + len(positions)) / clip.fps, label))
        frames += len(positions)
    recording = Recording(
        np.concatenate(parts)[:, None],
        first.fps,
        first.skeleton,
        name,
        source=", ".join(clip.source for clip, _ in clips),
        attributes=attributes,
        history=[f"{len(clips)} clips joined; {TRANSITION:g} s between two of them are made"],
    )
    return recording, Annotation(tuple(spans), labels)


def join_clips(corpus: Corpus, out: Path, group: str, split: str, seed: int = 0) -> None:
    """Write the corpus of joined takes, with the sides of a split of the clips.

    group: the attribute of the clips that says who moves; takes and the sides of the split are of one each.
    Raises InputError for a clip without exactly one span, and a group on both sides of a fold.
    """
    if corpus.labels is None:
        raise InputError(f"corpus {corpus.name!r} has no labels")
    groups: dict[str, list[str]] = defaultdict(list)
    for info in corpus.infos:
        groups[info.attributes[group]].append(info.name)
    rng = np.random.default_rng(seed)
    with CorpusWriter(out, out.name, corpus.labels) as writer:
        takes: dict[str, list[str]] = {}
        for actor, names in groups.items():
            order = [names[index] for index in rng.permutation(len(names))]
            takes[actor] = []
            for number, start in enumerate(range(0, len(order), CLIPS_A_TAKE), start=1):
                clips = [(corpus[name], _label(corpus, name)) for name in order[start : start + CLIPS_A_TAKE]]
                takes[actor].append(f"{actor}_{number:02d}")
                writer.add(*joined(takes[actor][-1], clips, corpus.labels, {group: actor}))
        writer.decide(
            f"takes are clips of {corpus.name}, joined in an order by seed {seed}: {TRANSITION:g} s between two clips "
            "are made, no motion that was captured, and are background"
        )
        writer.add_split(_split_of_takes(corpus, split, group, takes))


def _label(corpus: Corpus, name: str) -> str:
    annotation = corpus.annotation(name)
    if annotation is None or len(annotation.spans) != 1:
        raise InputError(f"{name}: expected a clip of one action, which has exactly one span")
    return annotation.spans[0].label


def _split_of_takes(corpus: Corpus, split: str, group: str, takes: Mapping[str, Sequence[str]]) -> Split:
    folds: dict[int, Fold] = {}
    for number, fold in corpus.splits[split].folds.items():
        sides = []
        for names in (fold.train, fold.test):
            actors = {corpus.infos[corpus.index(name)].attributes[group] for name in names}
            sides.append(tuple(take for actor in takes if actor in actors for take in takes[actor]))
        folds[number] = Fold(*sides)
    return Split(split, folds)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.study.joined_takes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clips", type=Path, help="a corpus of clips")
    parser.add_argument("out", type=Path, help="the corpus to write")
    parser.add_argument("--group", default="actor", help="the attribute that says who moves")
    parser.add_argument("--split", default="cross-actor", help="the split whose sides the takes have")
    parser.add_argument("--seed", type=int, default=0, help="of the order of the clips")
    arguments = parser.parse_args()
    join_clips(Corpus.open(arguments.clips), arguments.out, arguments.group, arguments.split, arguments.seed)


if __name__ == "__main__":
    main()
