"""The snippet index: one vector a step of every recording and person, kept in a file, computed only where needed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from kinespan.config import Normalisation
from kinespan.corpus import Corpus, CorpusWriter
from kinespan.data.annotation import LabelSet
from kinespan.data.recording import Recording
from kinespan.data.skeletons import KINECT_20
from kinespan.errors import InputError
from kinespan.models.encoder_model import EncoderModel
from kinespan.models.ensemble import ensemble
from kinespan.models.input_spec import InputSpec
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec
from kinespan.retrieval import index as index_module
from kinespan.retrieval.index import SnippetIndex, Track, build_index, encoder_of, read_snippet_index
from kinespan.retrieval.pose_steps import pose_steps

FPS = 10.0


def recording(name: str, frames: int = 60, people: int = 1, seed: int = 0) -> Recording:
    rng = np.random.default_rng(seed)
    rest = rng.uniform(-0.5, 0.5, (20, 3)) + np.array([0, 1, 0])
    positions = rest + 0.1 * rng.standard_normal((frames, people, 20, 3)).cumsum(axis=0)
    return Recording(positions.astype(np.float32), FPS, KINECT_20, name)


def corpus(folder: Path, *recordings: Recording) -> Corpus:
    with CorpusWriter(folder, "made", LabelSet(("wave",))) as writer:
        for each in recordings:
            writer.add(each)
    return Corpus.open(folder)


def spec(**changes: object) -> ModelSpec:
    values = {
        "kind": "encoder",
        "input": InputSpec(KINECT_20, FPS, ("joint",), Normalisation(heading="none")),
        "encoder": "stgcn16_light",
    }
    return ModelSpec(**{**values, "clip_frames": 16, **changes})  # type: ignore[arg-type]


def encoder(seed: int = 0) -> EncoderModel:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return EncoderModel.of_spec(spec()).eval()


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The recordings that an encoder was run on."""
    names: list[str] = []
    original = EncoderModel.embed

    def embed(self: EncoderModel, recording: Recording, window: float = 60.0) -> object:
        names.append(recording.name)
        return original(self, recording, window)

    monkeypatch.setattr(EncoderModel, "embed", embed)
    return names


def test_steps_are_those_of_the_encoder(tmp_path: Path) -> None:
    made, model = corpus(tmp_path / "c", recording("a"), recording("b", 37, seed=1)), encoder()
    told: list[tuple[int, int]] = []
    index = build_index(made, model, tmp_path / "index.npz", lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
    assert [(track.recording, track.person) for track in index.tracks] == [("a", None), ("b", None)]
    assert index.hop == 0.4
    for track in index.tracks:
        embedding = model.embed(made[track.recording])
        steps = index.features[track.first : track.stop]
        assert_allclose(steps[:, : index.blocks[0]], embedding.features, rtol=1e-3, atol=1e-3)
        assert_allclose(steps[:, index.blocks[0] :], pose_steps(model, made[track.recording]), rtol=1e-3, atol=1e-3)
        assert track.duration == made[track.recording].duration
    assert len(index) == 15 + 10


def test_several_people_have_tracks_of_their_own_beside_that_of_everybody(tmp_path: Path) -> None:
    made = corpus(tmp_path / "c", recording("pair", people=2), recording("alone"))
    index = build_index(made, encoder(), tmp_path / "index.npz")
    assert [(t.recording, t.person) for t in index.tracks] == [
        ("pair", None), ("pair", 0), ("pair", 1), ("alone", None),
    ]  # fmt: skip
    assert index.matching(None) == [0, 3]
    assert index.matching(1) == [1, 2, 3]
    assert index.track_of("alone", 0).person is None
    with pytest.raises(InputError, match="'pair': has no person 2; it has 0, 1"):
        index.track_of("pair", 2)
    with pytest.raises(InputError, match="'nobody': is not in the snippet index"):
        index.track_of("nobody", None)


def test_a_file_is_read_back_as_it_was(tmp_path: Path) -> None:
    index = build_index(corpus(tmp_path / "c", recording("ü/α"), recording("b")), encoder(), tmp_path / "index.npz")
    again = read_snippet_index(tmp_path / "index.npz")
    assert again.tracks == index.tracks
    assert (again.hop, again.encoder) == (index.hop, index.encoder)
    assert_array_equal(again.features, index.features)
    assert_array_equal(again.valid, index.valid)


def test_only_what_is_new_or_changed_is_computed(tmp_path: Path, embedded: list[str]) -> None:
    file = tmp_path / "index.npz"
    build_index(corpus(tmp_path / "1", recording("a"), recording("b", seed=1)), encoder(), file)
    assert embedded == ["a", "b"]
    written = file.stat().st_mtime_ns
    build_index(Corpus.open(tmp_path / "1"), encoder(), file)
    assert embedded == ["a", "b"]
    assert file.stat().st_mtime_ns == written, "nothing has changed, so nothing is written"

    changed = corpus(tmp_path / "2", recording("c", seed=2), recording("a"), recording("b", seed=7))
    index = build_index(changed, encoder(), file)
    assert embedded == ["a", "b", "c", "b"]
    fresh = build_index(changed, encoder(), tmp_path / "fresh.npz")
    assert_array_equal(index.features, fresh.features)
    assert index.tracks == fresh.tracks


def test_a_recording_that_is_gone_leaves_the_index(tmp_path: Path) -> None:
    file = tmp_path / "index.npz"
    build_index(corpus(tmp_path / "1", recording("a"), recording("b")), encoder(), file)
    build_index(corpus(tmp_path / "2", recording("b")), encoder(), file)
    assert [track.recording for track in read_snippet_index(file).tracks] == ["b"]


def test_another_encoder_makes_the_index_anew(tmp_path: Path, embedded: list[str]) -> None:
    made, file = corpus(tmp_path / "c", recording("a")), tmp_path / "index.npz"
    first = build_index(made, encoder(0), file)
    second = build_index(made, encoder(1), file)
    assert embedded == ["a", "a"]
    assert first.encoder != second.encoder
    assert read_snippet_index(file).encoder == second.encoder


def test_a_build_that_is_stopped_goes_on_where_it_was(
    tmp_path: Path, embedded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "SAVE_EVERY", -1.0)
    made, file = corpus(tmp_path / "c", recording("a"), recording("b"), recording("c")), tmp_path / "index.npz"

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(made, encoder(), file, stop)
    build_index(made, encoder(), file)
    assert embedded == ["a", "b", "c"]


def test_models_give_their_own_encoder(tmp_path: Path) -> None:
    labelled = spec(kind="localizer", labels=LabelSet(("wave",)))
    first, second = Localizer(labelled), Localizer(labelled)
    assert encoder_of(first).encoder is first.encoder
    assert encoder_of(ensemble([second, first])).encoder is second.encoder
    index = build_index(corpus(tmp_path / "c", recording("a")), first, tmp_path / "index.npz")
    embedding = first.encoder_model.embed(recording("a"))
    assert_allclose(index.features[:, : index.blocks[0]], embedding.features, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("damage", ["missing", "text", "cut", "no facts"])
def test_damaged_files_are_named_and_replaced(tmp_path: Path, damage: str) -> None:
    made, file = corpus(tmp_path / "c", recording("a")), tmp_path / "index.npz"
    index = build_index(made, encoder(), file)
    if damage == "missing":
        file.unlink()
    elif damage == "text":
        file.write_text("not an archive")
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:-40])
    else:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("facts.json", '{"format": 1}')
    with pytest.raises(InputError, match=r"index\.npz"):
        read_snippet_index(file)
    assert_array_equal(build_index(made, encoder(), file).features, index.features)
    assert read_snippet_index(file).tracks == index.tracks


def test_snippets_are_unit_means_of_a_second_of_standardised_steps() -> None:
    rng = np.random.default_rng(0)
    features, valid = rng.normal(size=(14, 3)).astype(np.float16), np.ones(14, dtype=bool)
    valid[10:] = False
    tracks = (Track("a", None, "", 2.0, 0, 8), Track("b", None, "", 1.45, 8, 14))
    index = SnippetIndex(features, (3,), valid, tracks, 0.25, "")
    known = features[valid].astype(np.float64)
    expected = []
    for first, stop in [(0, 4), (2, 6), (4, 8)]:  # the second of b is of nobody
        mean = ((features[first:stop].astype(np.float64) - known.mean(axis=0)) / known.std(axis=0)).mean(axis=0)
        expected.append(mean / np.linalg.norm(mean))
    snippets = index.snippets
    assert_allclose(snippets.features[:3], expected, atol=1e-4)
    assert snippets.track.tolist() == [0, 0, 0, 1]
    assert snippets.start.tolist() == [0.0, 0.5, 1.0, 0.0]
    assert snippets.end.tolist() == [1.0, 1.5, 2.0, 1.0]


def test_every_block_counts_as_much_and_constant_channels_nothing() -> None:
    rng = np.random.default_rng(1)
    features = np.concatenate(
        [rng.normal(size=(50, 2)) * 9, rng.normal(size=(50, 6)) / 50, np.full((50, 2), 7)], axis=1
    )
    index = SnippetIndex(
        features.astype(np.float16), (2, 8), np.ones(50, bool), (Track("a", None, "", 25.0, 0, 50),), 0.5, ""
    )
    energy = (index.standardised.astype(float) ** 2).mean(axis=0)
    assert_allclose([energy[:2].sum(), energy[2:].sum()], 1, rtol=1e-3)
    assert_array_equal(energy[8:], 0)


@pytest.mark.parametrize("people", [1, 2])
def test_pose_steps_are_means_over_frames_and_people_who_are_there(
    people: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow loop over steps; in chunks of frames the same."""
    model, take = encoder(), recording("a", 30, people)
    positions, valid = take.positions.copy(), take.valid.copy()
    valid[4:14, -1] = False
    positions[4:14, -1] = 0
    take = Recording(positions, FPS, KINECT_20, "a", valid)
    motion = model.input.motion(take)
    expected = []
    for first in range(0, 30, 4):
        rows = []
        for frame in range(first, min(first + 4, 30)):
            for person in range(motion.valid.shape[1]):
                if not motion.valid[frame, person].any():
                    continue
                here = motion.positions[frame, person]
                pair = frame + 1 < 30 and motion.valid[frame + 1, person].any()
                moved = (motion.positions[frame + 1, person] - here) * FPS if pair else 0 * here
                root = here[list(KINECT_20.root)].mean(axis=0)
                rows.append(np.concatenate([(here - root).ravel(), moved.ravel()]))
        expected.append(np.mean(rows, axis=0) if rows else np.zeros(120))
    assert_allclose(pose_steps(model, take), expected, atol=1e-5)
    monkeypatch.setattr("kinespan.retrieval.pose_steps.CHUNK_FRAMES", 8)
    assert_allclose(pose_steps(model, take), expected, atol=1e-5)
