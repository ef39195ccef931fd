"""The snippet index of a corpus: features of all of its motion, kept in a file.

Of each recording, and where it has several people of each of them alone, the index holds one vector for each step of
the encoder's deepest map (`EncoderModel.embed`). It has three blocks: the encoder's features, and the pose and the
motion of the joints (`pose_steps`). A stretch of any length is described by means of these; `SnippetIndex.snippets` has
those of a second.

Pose and motion stand beside the encoder's features, since an encoder that was trained on other motion tells little of
this one; with one that was trained on the corpus itself they change nothing.

The file is an npz archive without pickle. It says which encoder made it and of which motion, so that `build_index`
computes only what is missing or has changed. Reading and searching it needs numpy alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..arrays import AnyArray, BoolArray, Float16Array, Float32Array, Float64Array, IntArray
from ..corpus.store import Corpus
from ..errors import InputError
from ..files import write_atomically

if TYPE_CHECKING:  # torch takes seconds to import
    from ..data.recording import Recording
    from ..models.base import Model
    from ..models.encoder_model import EncoderModel

FORMAT = 1
LEAST_DEVIATION = 1e-3
"""A channel that varies less than this share of the most that one of its block does, says nothing."""
SNIPPET_SECONDS = 1.0
"""Length of a snippet."""
SAVE_EVERY = 60.0
"""Seconds after which what was computed so far is written, so that a build that is stopped can be continued."""


class Track(NamedTuple):
    """The steps of a recording, or of a person in it."""

    recording: str
    person: int | None
    """Slot of the person; None: everybody in the recording together."""
    checksum: str
    """That of the recording's motion."""
    duration: float
    """Of the recording, in seconds."""
    first: int
    """Index of its first step."""
    stop: int
    """Index after its last step."""


class Snippets(NamedTuple):
    """Stretches of a second, each half over the next: M of them."""

    features: Float32Array
    """(M, C), each of length 1, and standardised before, so that products are cosines around 0."""
    track: IntArray
    """(M,), index of the track."""
    start: Float64Array
    """(M,), seconds."""
    end: Float64Array
    """(M,), seconds."""


@dataclass(frozen=True)
class SnippetIndex:
    """Features of N steps, those of a track one after the other."""

    features: Float16Array
    """(N, C), the blocks one beside the other."""
    blocks: tuple[int, ...]
    """The number of channels in each block."""
    valid: BoolArray
    """(N,), whether anybody was present."""
    tracks: tuple[Track, ...]
    hop: float
    """Seconds from a step to the next; step i of a track is of the time [i hop, (i + 1) hop)."""
    encoder: str
    """Checksum of the encoder."""

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def standardised(self) -> Float32Array:
        """(N, C), every channel of mean 0 and deviation 1 over valid steps; zero where nobody is present.

        Channels are scaled besides so that every block counts as much.
        """
        features = self.features.astype(np.float32)
        known = features[self.valid]
        if not len(known):
            return features
        mean, deviation = known.mean(axis=0, dtype=np.float64), known.std(axis=0, dtype=np.float64)
        scale, first = np.zeros(len(mean)), 0
        for channels in self.blocks:
            block = slice(first, first + channels)
            varies = deviation[block] > LEAST_DEVIATION * max(deviation[block].max(initial=0.0), 1e-9)
            scale[block][varies] = 1.0 / (deviation[block][varies] * np.sqrt(max(1, varies.sum())))
            first += channels
        return np.asarray((features - mean) * scale * self.valid[:, None], dtype=np.float32)

    def track_of(self, recording: str, person: int | None) -> Track:
        """The track of a person, or of everybody; of a recording with one person, that one.

        Raises InputError where the index has none.
        """
        tracks = {track.person: track for track in self.tracks if track.recording == recording}
        if not tracks:
            raise InputError(f"recording {recording!r}: is not in the snippet index; run the job embed again")
        if person is not None and len(tracks) == 1:
            person = None
        if person not in tracks:
            known = ", ".join(str(slot) for slot in tracks if slot is not None)
            raise InputError(f"recording {recording!r}: has no person {person}; it has {known}")
        return tracks[person]

    def matching(self, person: int | None) -> list[int]:
        """Indices of the tracks that a person's motion is compared with, or everybody's (None).

        People are compared with people: with those of recordings that have several, and with whoever is alone.
        """
        counts: dict[str, int] = {}
        for track in self.tracks:
            counts[track.recording] = counts.get(track.recording, 0) + 1
        return [
            number
            for number, track in enumerate(self.tracks)
            if (track.person is None if person is None else track.person is not None or counts[track.recording] == 1)
        ]

    @cached_property
    def snippets(self) -> Snippets:
        """The snippets of every track of everybody, where somebody is present in at least half of their steps."""
        length = max(1, round(SNIPPET_SECONDS / self.hop))
        stride = max(1, length // 2)
        features, tracks, starts, ends = [], [], [], []
        for number in self.matching(None):
            track = self.tracks[number]
            steps = self.standardised[track.first : track.stop]
            here = min(length, len(steps))
            begin = np.arange(0, len(steps) - here + 1, stride)
            sums = np.concatenate([np.zeros((1, steps.shape[1])), np.cumsum(steps, axis=0, dtype=np.float64)])
            counts = np.concatenate([[0], np.cumsum(self.valid[track.first : track.stop])])
            begin = begin[counts[begin + here] - counts[begin] >= here / 2]
            features.append(unit_rows(sums[begin + here] - sums[begin]))
            tracks.append(np.full(len(begin), number, dtype=np.int64))
            starts.append(begin * self.hop)
            ends.append(np.minimum((begin + here) * self.hop, track.duration))
        if not tracks:
            channels = self.features.shape[1]
            empty = np.zeros(0)
            return Snippets(np.zeros((0, channels), np.float32), np.zeros(0, np.int64), empty, empty)
        return Snippets(*(np.concatenate(parts) for parts in (features, tracks, starts, ends)))

    def save(self, file: Path) -> None:
        """Write the index, whole or not at all."""
        facts = {
            "format": FORMAT,
            "hop": self.hop,
            "encoder": self.encoder,
            "blocks": self.blocks,
            "tracks": self.tracks,
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("facts.json", json.dumps(facts))
            for name, array in (("features", self.features), ("valid", self.valid)):
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)
        write_atomically(file, buffer.getvalue())


def unit_rows(rows: Float32Array | Float64Array) -> Float32Array:
    """Rows (..., C) scaled to length 1; zero stays zero."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9), dtype=np.float32)


def read_snippet_index(file: Path) -> SnippetIndex:
    """The index in a file. Raises InputError for a file that is missing, damaged or of another version."""
    try:
        with zipfile.ZipFile(file) as archive:
            facts = json.loads(archive.read("facts.json"))
            if facts["format"] != FORMAT:
                raise InputError(
                    f"{file}: a snippet index of format {facts['format']}, expected {FORMAT}; build it again"
                )
            features, valid = _array(archive, "features"), _array(archive, "valid")
        tracks = tuple(Track(*track) for track in facts["tracks"])
        blocks = tuple(int(channels) for channels in facts["blocks"])
        index = SnippetIndex(features, blocks, valid, tracks, float(facts["hop"]), str(facts["encoder"]))
    except FileNotFoundError:
        raise InputError(f"{file}: there is no snippet index; build it first") from None
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{file}: not a snippet index ({error}); delete it and build it again") from None
    if features.shape != (len(valid), sum(blocks)) or (tracks[-1].stop if tracks else 0) != len(valid):
        raise InputError(f"{file}: its arrays do not fit its tracks; delete it and build it again")
    return index


def _array(archive: zipfile.ZipFile, name: str) -> AnyArray:
    with archive.open(f"{name}.npy") as entry:
        return np.asarray(np.lib.format.read_array(entry, allow_pickle=False))


def build_index(
    corpus: Corpus,
    model: EncoderModel | Model,
    file: str | Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SnippetIndex:
    """Compute the snippet index of a corpus, or what is missing in the one of a file, and write it there.

    Parameters:
        corpus: the recordings.
        model: an encoder; of a localizer its encoder is used, of an ensemble that of its first member.
        file: where the index is kept; one of another encoder is replaced.
        progress: is called with the number of recordings that are done and of all.

    Raises InputError where the skeleton of a recording does not map to the model's.
    """
    file, encoder = Path(file), encoder_of(model)
    checksum = encoder_checksum(encoder)
    hop = encoder.encoder.strides[-1] / encoder.input.fps
    joints = 3 * encoder.input.skeleton.num_joints
    blocks = (int(encoder.encoder.channels[-1]), joints, joints)
    known = _tracks_by_recording(file, checksum)
    parts: list[_Steps] = []
    changed = len({info.name for info in corpus.infos} & set(known)) != len(known) or not file.is_file()
    written = time.monotonic()
    for number, info in enumerate(corpus.infos):
        reused = [steps for steps in known.get(info.name, ()) if steps.track.checksum == info.checksum]
        if not reused:
            changed = True
            reused = _embed(encoder, corpus[number], info.checksum)
        parts += reused
        if changed and time.monotonic() - written > SAVE_EVERY:
            _joined(parts, hop, blocks, checksum).save(file)
            written = time.monotonic()
        progress(number + 1, len(corpus))
    index = _joined(parts, hop, blocks, checksum)
    if changed:
        index.save(file)
    return index


class _Steps(NamedTuple):
    """A track and its steps; `first` and `stop` of it are not used."""

    track: Track
    features: Float16Array
    valid: BoolArray


def _tracks_by_recording(file: Path, checksum: str) -> dict[str, list[_Steps]]:
    """What a file has of each recording, if it is of the encoder with this checksum."""
    if not file.is_file():
        return {}
    try:
        index = read_snippet_index(file)
    except InputError:
        return {}
    tracks: dict[str, list[_Steps]] = {}
    for track in index.tracks if index.encoder == checksum else ():
        steps = slice(track.first, track.stop)
        tracks.setdefault(track.recording, []).append(_Steps(track, index.features[steps], index.valid[steps]))
    return tracks


def _embed(encoder: EncoderModel, recording: Recording, checksum: str) -> list[_Steps]:
    """The tracks of a recording: of everybody, and of each person where there are several."""
    from ..models.base import by_person
    from .pose_steps import pose_steps

    tracks: list[_Steps] = []
    people = by_person(recording, "each")
    alone = len(people) == 1 and people[0][0] is None
    for person, motion in people if alone else [(None, recording), *people]:
        embedding = encoder.embed(motion)
        track = Track(recording.name, person, checksum, recording.duration, 0, 0)
        steps = np.concatenate([embedding.features, pose_steps(encoder, motion)], axis=1)
        features = np.clip(steps, -6e4, 6e4).astype(np.float16)  # the range of float16
        tracks.append(_Steps(track, features, embedding.valid))
    return tracks


def _joined(parts: Sequence[_Steps], hop: float, blocks: tuple[int, ...], checksum: str) -> SnippetIndex:
    stops = np.cumsum([0, *(len(steps.features) for steps in parts)]).tolist()
    tracks = tuple(
        steps.track._replace(first=first, stop=stop)
        for steps, first, stop in zip(parts, stops[:-1], stops[1:], strict=True)
    )
    features = np.concatenate([np.zeros((0, sum(blocks)), np.float16), *(steps.features for steps in parts)])
    valid = np.concatenate([np.zeros(0, bool), *(steps.valid for steps in parts)])
    return SnippetIndex(features, blocks, valid, tracks, hop, checksum)


def encoder_of(model: EncoderModel | Model) -> EncoderModel:
    """The encoder of a model; of an ensemble that of its first member."""
    from ..models.encoder_model import EncoderModel
    from ..models.ensemble import Ensemble
    from ..models.localizer import Localizer

    if isinstance(model, EncoderModel):
        return model
    if isinstance(model, Ensemble):
        return encoder_of(model.members[0])
    if isinstance(model, Localizer):
        return model.encoder_model
    raise InputError(f"a {type(model).__name__} has no encoder")


def encoder_checksum(model: EncoderModel) -> str:
    """Checksum of an encoder: its weights, and what it sees of a recording."""
    digest = hashlib.sha256(json.dumps(model.input.to_dict(), sort_keys=True).encode())
    for name, weight in sorted(model.encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.cpu().numpy().tobytes())
    return digest.hexdigest()
