"""Search: what exact matrix products find is what a slow loop finds; a motion that is repeated is found again."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from kinespan.errors import InputError
from kinespan.retrieval.index import SnippetIndex, Track
from kinespan.retrieval.search import PARTS, Hit, Moment, search, similarities

HOP = 0.25


def index_of(*tracks: np.ndarray, people: dict[int, tuple[str, int | None]] | None = None) -> SnippetIndex:
    """An index of tracks of steps (S, C), named by their number unless `people` says otherwise."""
    stops = np.cumsum([0, *map(len, tracks)]).tolist()
    made = []
    for number, (first, stop) in enumerate(pairwise(stops)):
        name, person = (people or {}).get(number, (str(number), None))
        made.append(Track(name, person, "", (stop - first) * HOP, first, stop))
    features = np.concatenate(tracks).astype(np.float16)
    return SnippetIndex(features, (features.shape[1],), np.ones(len(features), dtype=bool), tuple(made), HOP, "")


def slow_similarity(steps: np.ndarray, query: np.ndarray) -> float:
    """Of two stretches (S, C) of the same length, part by part."""
    count = min(PARTS, len(query))
    edges = [round(len(query) * number / count) for number in range(count + 1)]
    cosines = []
    for low, high in pairwise(edges):
        left, right = steps[low:high].mean(axis=0), query[low:high].mean(axis=0)
        cosines.append(left @ right / (np.linalg.norm(left) * np.linalg.norm(right)))
    return float(np.mean(cosines))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 10**6))
def test_similarities_are_those_of_a_slow_loop(num_steps: int, length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps, query = rng.normal(size=(num_steps, 5)), rng.normal(size=(length, 5))
    values = similarities(steps.astype(np.float32), query.astype(np.float32))
    expected = [slow_similarity(steps[at : at + length], query) for at in range(num_steps - length + 1)]
    assert len(values) == max(0, num_steps - length + 1)
    assert_allclose(values, expected, atol=1e-5)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    steps, query = rng.normal(size=(50, 4)).astype(np.float32), rng.normal(size=(6, 4)).astype(np.float32)
    whole = similarities(steps, query)
    monkeypatch.setattr("kinespan.retrieval.search.BLOCK", 7)
    assert_allclose(similarities(steps, query), whole, atol=1e-6)


def slow_search(index: SnippetIndex, moment: Moment, most: int) -> list[tuple[str, int, float]]:
    """Recording, first step and similarity of each hit."""
    tracks = {track.recording: index.standardised[track.first : track.stop] for track in index.tracks}
    first, stop = round(moment.start / HOP), round(moment.end / HOP)
    query = tracks[moment.recording][first:stop]
    peaks = []
    for name, steps in tracks.items():
        values = [slow_similarity(steps[at : at + len(query)], query) for at in range(len(steps) - len(query) + 1)]
        for at, value in enumerate(values):
            before, after = values[at - 1] if at else -9.0, values[at + 1] if at + 1 < len(values) else -9.0
            if before < value >= after and value > 0:
                peaks.append((value, name, at))
    taken, hits = [(moment.recording, first)], []
    for value, name, at in sorted(peaks, reverse=True):
        if all(name != other or abs(at - begin) >= len(query) for other, begin in taken):
            taken.append((name, at))
            hits.append((name, at, value))
    return hits[:most]


@pytest.mark.parametrize("seed", range(5))
def test_hits_are_those_of_a_slow_search(seed: int) -> None:
    rng = np.random.default_rng(seed)
    index = index_of(*(rng.normal(size=(int(rng.integers(8, 60)), 6)) for _ in range(5)))
    moment = Moment("2", 0.5, 1.75)
    hits = search(index, moment, 20)
    expected = slow_search(index, moment, 20)
    assert [(hit.recording, round(hit.start / HOP)) for hit in hits] == [(name, at) for name, at, _ in expected]
    assert_allclose([hit.similarity for hit in hits], [value for *_, value in expected], atol=1e-5)
    assert [hit.similarity for hit in hits] == sorted((hit.similarity for hit in hits), reverse=True)


def test_a_motion_that_is_repeated_is_found_where_and_as_long_as_it_is() -> None:
    rng = np.random.default_rng(3)
    motion = rng.normal(size=(6, 8))
    tracks = [rng.normal(size=(40, 8)) for _ in range(4)]
    tracks[0][4:10], tracks[0][25:31], tracks[2][11:17], tracks[3][33:39] = motion, motion, motion, motion
    hits = search(index_of(*tracks), Moment("0", 1.03, 2.53), most=3)
    found = sorted((hit.recording, round(hit.start, 6), round(hit.end, 6)) for hit in hits)
    assert found == [("0", 6.28, 7.78), ("2", 2.78, 4.28), ("3", 8.28, 9.78)]
    assert all(hit.similarity > 0.99 for hit in hits)


def test_order_counts() -> None:
    rng = np.random.default_rng(4)
    motion = rng.normal(size=(6, 8))
    tracks = [rng.normal(size=(30, 8)) for _ in range(3)]
    tracks[0][4:10], tracks[1][4:10], tracks[2][4:10] = motion, motion[::-1], motion
    best = search(index_of(*tracks), Moment("0", 1.0, 2.5))[0]
    assert (best.recording, best.start) == ("2", 1.0)


def test_time_that_is_left_out_is_not_hit() -> None:
    rng = np.random.default_rng(5)
    motion = rng.normal(size=(4, 8))
    tracks = [rng.normal(size=(20, 8)) for _ in range(2)]
    tracks[0][2:6], tracks[0][12:16], tracks[1][8:12] = motion, motion, motion
    index = index_of(*tracks)
    hits = search(index, Moment("0", 0.5, 1.5), left_out={"1": [(2.9, 3.0)], "0": [(3.5, 3.6)]})
    assert all(hit.similarity < 0.99 for hit in hits)
    assert not any(hit.recording == "1" and hit.start < 3.0 and hit.end > 2.9 for hit in hits)


def test_people_are_compared_with_people() -> None:
    rng = np.random.default_rng(6)
    motion = rng.normal(size=(4, 8))
    tracks = [rng.normal(size=(20, 8)) for _ in range(4)]
    tracks[1][2:6], tracks[2][2:6], tracks[3][8:12] = motion, motion, motion
    people = {0: ("pair", None), 1: ("pair", 0), 2: ("pair", 1), 3: ("alone", None)}
    index = index_of(*tracks, people=people)
    hits = search(index, Moment("pair", 0.5, 1.5, person=0))
    assert (hits[0].recording, hits[0].person) == ("alone", None)
    assert {hit.person for hit in hits} <= {0, 1, None}
    together = search(index, Moment("pair", 0.5, 1.5))
    assert {hit.person for hit in together} == {None}


def test_nobody_is_no_hit() -> None:
    rng = np.random.default_rng(7)
    tracks = [rng.normal(size=(20, 8)), rng.normal(size=(20, 8))]
    tracks[1][5:9] = tracks[0][5:9]
    made = index_of(*tracks)
    valid = made.valid.copy()
    valid[20 + 5 : 20 + 8] = False
    hits = search(SnippetIndex(made.features, made.blocks, valid, made.tracks, HOP, ""), Moment("0", 1.25, 2.25))
    assert not any(hit.recording == "1" and abs(hit.start - 1.25) < 0.2 for hit in hits)


@pytest.mark.parametrize(("start", "end"), [(-1.0, 1.0), (1.0, 1.0), (2.0, 1.0), (99.0, 100.0)])
def test_moments_outside_of_their_recording_are_refused(start: float, end: float) -> None:
    index = index_of(np.random.default_rng(8).normal(size=(20, 4)))
    with pytest.raises(InputError, match="it lasts 5 s"):
        search(index, Moment("0", start, end))


def test_a_moment_at_the_very_end_and_a_shorter_recording_are_no_trouble() -> None:
    rng = np.random.default_rng(9)
    index = index_of(rng.normal(size=(20, 4)), rng.normal(size=(2, 4)), rng.normal(size=(30, 4)))
    hits = search(index, Moment("0", 4.9, 9.0))
    assert hits
    assert all(isinstance(hit, Hit) for hit in hits)
    assert all(0 <= hit.start < hit.end <= 7.5 for hit in hits)
