"""What to label next: the signals by hand and against slow references, and the order of recordings and moments."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.retrieval.index import SnippetIndex, Track
from kinespan.retrieval.label_next import RecordingEvidence, done_time, suggest
from kinespan.retrieval.signals import Novelty, disagreement, uncertainty

LABELS = LabelSet(("kick", "punch"))
OVERLAPPING = LabelSet(("kick", "punch"), exclusive=False)
FPS = 10.0
SURE, SPLIT = [0.02, 0.97, 0.01], [0.02, 0.49, 0.49]


def scores(*rows: tuple[list[float], int]) -> np.ndarray:
    """Frame scores (T, C + 1): each row so many times."""
    return np.array([row for row, times in rows for _ in range(times)], dtype=np.float32)


# ---- signals ---------------------------------------------------------------------------------------------------------


def test_uncertainty_by_hand() -> None:
    values = uncertainty(np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0, 0.5, 0.5]], dtype=np.float32), LABELS)
    assert_allclose(values, [0, 1, math.log(2) / math.log(3)], atol=1e-6)


def test_uncertainty_of_overlapping_labels_is_that_of_the_least_certain_one() -> None:
    values = uncertainty(np.array([[0.0, 1.0, 1.0], [0.5, 0.5, 1.0], [0.1, 0.9, 0.0]], dtype=np.float32), OVERLAPPING)
    tenth = -(0.1 * math.log(0.1) + 0.9 * math.log(0.9)) / math.log(2)
    assert_allclose(values, [0, 1, tenth], atol=1e-6)


def test_an_event_is_unsure_on_its_own() -> None:
    labels = LabelSet(("kick", "strike"), events=("strike",))
    values = uncertainty(np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 0.5]], dtype=np.float32), labels)
    assert_allclose(values, [0, 1], atol=1e-6)


def test_disagreement_by_hand() -> None:
    first = np.array([[1, 0, 0], [1, 0, 0], [0.5, 0.5, 0]], dtype=np.float32)
    second = np.array([[1, 0, 0], [0, 1, 0], [0.5, 0, 0.5]], dtype=np.float32)
    assert_allclose(disagreement([first, second], LABELS), [0, 1, 0.5], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(arrays(np.float32, (3, 7, 4), elements=st.floats(0.015625, 1, width=32)))
def test_disagreement_is_the_mean_divergence_from_the_mean_and_both_signals_are_shares(raw: np.ndarray) -> None:
    members = raw / raw.sum(axis=-1, keepdims=True)
    labels = LabelSet(("a", "b", "c"))
    expected = []
    for frame in range(7):
        mean = members[:, frame].astype(float).mean(axis=0)
        divergences = [
            sum(p * math.log(p / q) for p, q in zip(member[frame].tolist(), mean, strict=True)) for member in members
        ]
        expected.append(np.mean(divergences) / math.log(3))
    values = disagreement(list(members), labels)
    assert_allclose(values, expected, atol=1e-5)
    assert_allclose(disagreement(list(members[::-1]), labels), values, atol=1e-9)
    assert ((values >= 0) & (values <= 1)).all()
    unsure = uncertainty(members[0], labels)
    assert ((unsure >= 0) & (unsure <= 1 + 1e-9)).all()


def line_index(*tracks: np.ndarray) -> SnippetIndex:
    """An index with a step every half second, of tracks of steps (S, C) that are named r0, r1, ..."""
    stops = np.cumsum([0, *map(len, tracks)]).tolist()
    made = tuple(
        Track(f"r{number}", None, "", len(steps) * 0.5, stops[number], stops[number + 1])
        for number, steps in enumerate(tracks)
    )
    features = np.concatenate(tracks).astype(np.float16)
    return SnippetIndex(features, (features.shape[1],), np.ones(len(features), dtype=bool), made, 0.5, "")


def test_novelty_is_what_labels_of_a_stretch_would_cover() -> None:
    """Against slow loops over snippets, before and after one stretch counts as labelled."""
    rng = np.random.default_rng(0)
    index = line_index(*(rng.normal(size=(size, 4)) for size in (20, 12, 30)))
    stretches = [("r1", 0.0, 6.0), ("r2", 0.0, 15.0), ("r2", 3.0, 5.0)]
    snippets = index.snippets
    middle = (snippets.start + snippets.end) / 2
    labelled = {n for n in range(len(middle)) if snippets.track[n] == 0 and middle[n] < 4.0}
    is_open = set(range(len(middle))) - labelled

    def closest(n: int, chosen: set[int]) -> float:
        return max(0.0, *(float(snippets.features[n] @ snippets.features[m]) for m in chosen))

    def expected(chosen: set[int]) -> list[float]:
        gains = []
        for name, start, end in stretches:
            own = {n for n in range(len(middle)) if f"r{snippets.track[n]}" == name and start <= middle[n] < end}
            raised = [closest(n, chosen | own) - closest(n, chosen) for n in is_open]
            gains.append(sum(raised) / len(is_open) / (end - start))
        return gains

    novelty = Novelty(index, {"r0": [(0.0, 4.0)]}, stretches)
    assert_allclose(novelty.gains(), expected(labelled), atol=1e-6)
    own = {n for n in range(len(middle)) if snippets.track[n] == 1}
    strange = np.mean([1 - closest(n, labelled) for n in own])
    assert novelty.strangeness(0) == pytest.approx(strange, abs=1e-5)
    novelty.label(0)
    assert_allclose(novelty.gains(), expected(labelled | own), atol=1e-6)
    assert novelty.strangeness(0) == pytest.approx(0, abs=1e-5)


def test_of_many_snippets_some_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    index = line_index(*(rng.normal(size=(40, 4)) + 3 * np.eye(4)[kind] for kind in (0, 0, 1, 2)))
    stretches = [(f"r{number}", 0.0, 20.0) for number in range(1, 4)]
    whole = Novelty(index, {"r0": [(0.0, 20.0)]}, stretches).gains()
    monkeypatch.setattr("kinespan.retrieval.signals.MAX_SNIPPETS", 60)
    some = Novelty(index, {"r0": [(0.0, 20.0)]}, stretches).gains()
    assert (whole != some).any()
    assert_allclose(whole, some, atol=0.003)
    assert whole[0] < whole[1] / 3


# ---- time that is done -----------------------------------------------------------------------------------------------


def test_time_that_was_watched_or_has_labels_is_done() -> None:
    assert done_time(None, 9.0) == ()
    assert done_time(Annotation((), LABELS), 9.0) == ((0.0, 9.0),)
    annotation = Annotation((Span(5, 6, "kick"),), LABELS, ((0.0, 2.0),), (Event(8.5, "punch"),))
    assert done_time(annotation, 9.0) == ((0.0, 2.0), (5, 6), (6.5, 10.5))


# ---- the order -------------------------------------------------------------------------------------------------------


def evidence(name: str, *members: np.ndarray, done: tuple[tuple[float, float], ...] = ()) -> RecordingEvidence:
    return RecordingEvidence(name, members[0].shape[-2] / FPS, members, done)


def test_an_unsure_recording_comes_first_and_says_between_what_and_when() -> None:
    given = [
        evidence("sure", scores((SURE, 100))),
        evidence("unsure", scores((SURE, 60), (SPLIT, 40))),
        evidence("a little", scores((SURE, 90), (SPLIT, 10))),
    ]
    suggestions = suggest(given, FPS, LABELS)
    assert suggestions.by == ("uncertainty",)
    assert [item.name for item in suggestions.recordings] == ["unsure", "a little", "sure"]
    values = [item.value for item in suggestions.recordings]
    assert values == sorted(values, reverse=True)
    assert all(0 <= value <= 1 for value in values)
    assert suggestions.recordings[0].reasons == ("unsure between kick and punch at 6.0 s",)
    best = suggestions.moments[0]
    assert best.name == "unsure"
    assert 6.0 <= best.start < best.end <= 10.0


def test_networks_that_differ_say_so() -> None:
    other = [0.02, 0.01, 0.97]
    given = [
        evidence("same", scores((SURE, 50)), scores((SURE, 50))),
        evidence("differ", scores((SURE, 50)), scores((SURE, 20), (other, 30))),
    ]
    suggestions = suggest(given, FPS, LABELS, signals=("disagreement",))
    assert suggestions.by == ("disagreement",)
    assert suggestions.recordings[0].name == "differ"
    assert suggestions.recordings[0].reasons == ("the networks differ at 2.0 s: kick, punch",)


def test_a_model_of_one_network_is_ranked_without_disagreement() -> None:
    index = line_index(np.random.default_rng(1).normal(size=(20, 4)))
    assert suggest([evidence("r0", scores((SURE, 100)))], FPS, LABELS, index).by == ("uncertainty", "novelty")


def test_what_is_labelled_or_watched_is_not_suggested() -> None:
    given = [
        evidence("done", scores((SPLIT, 100)), done=((0.0, 10.0),)),
        evidence("half", scores((SPLIT, 100)), done=((0.0, 4.0), (7.0, 7.4))),
    ]
    suggestions = suggest(given, FPS, LABELS)
    assert [item.name for item in suggestions.recordings] == ["half"]
    assert {item.name for item in suggestions.moments} == {"half"}
    for moment in suggestions.moments:
        assert moment.end <= 7.0 or moment.start >= 7.4
        assert moment.start >= 4.0
    assert suggest(given[:1], FPS, LABELS).moments == ()
    assert suggest([], FPS, LABELS).recordings == ()


def test_what_is_like_nothing_that_has_labels_comes_first_one_of_each_kind() -> None:
    """r0 is labelled; r1 is as r0; r2 and r3 are of one new kind, r4 and r5 of another, r6 is like nothing else."""
    rng = np.random.default_rng(2)

    def kind(axis: int) -> np.ndarray:
        return 5 * np.eye(6)[axis] + 0.3 * rng.normal(size=(20, 6))

    index = line_index(*(kind(axis) for axis in (0, 0, 1, 1, 2, 2, 3)))
    given = [evidence(f"r{number}", scores((SURE, 100))) for number in range(7)]
    given[0] = evidence("r0", scores((SURE, 100)), done=((0.0, 10.0),))
    suggestions = suggest(given, FPS, LABELS, index, signals=("novelty",))
    names = [item.name for item in suggestions.recordings]
    assert sorted(name in ("r2", "r3") for name in names[:2]) == [False, True]
    assert sorted(name in ("r4", "r5") for name in names[:2]) == [False, True]
    assert names[2] == "r6", "what is unlike everything comes after what stands for others"
    assert suggestions.recordings[0].reasons == ("like nothing that has labels",)
    values = [item.value for item in suggestions.recordings]
    assert values == sorted(values, reverse=True)


def test_of_several_people_the_least_certain_counts() -> None:
    pair = np.stack([scores((SURE, 50)), scores((SURE, 30), (SPLIT, 20))])
    given = [evidence("pair", pair), evidence("alone", scores((SURE, 45), (SPLIT, 5)))]
    suggestions = suggest(given, FPS, LABELS)
    assert [item.name for item in suggestions.recordings] == ["pair", "alone"]
    assert suggestions.recordings[0].reasons == ("unsure between kick and punch at 3.0 s",)


def test_overlapping_labels_are_named_alone() -> None:
    given = [evidence("take", np.array([[0.05, 0.95, 0.01], [0.5, 0.95, 0.45]] * 10, dtype=np.float32))]
    reasons = suggest(given, FPS, OVERLAPPING).recordings[0].reasons
    assert reasons == ("unsure of punch at 0.1 s",)


def test_the_mean_of_ranks_decides() -> None:
    """b is second by both signals, each of the others first by one and last by the other."""
    other = [0.02, 0.01, 0.97]
    middle = [0.02, 0.73, 0.25]
    given = [
        evidence("a", scores((SPLIT, 40)), scores((SPLIT, 40))),
        evidence("b", scores((middle, 40)), scores(([0.02, 0.35, 0.63], 40))),
        evidence("c", scores((SURE, 40)), scores((SURE, 39), (other, 1))),
    ]
    by_one = [suggest(given, FPS, LABELS, signals=(name,)).recordings for name in ("uncertainty", "disagreement")]
    both = {item.name: item.value for item in suggest(given, FPS, LABELS).recordings}
    for name in both:
        alone = [next(item.value for item in each if item.name == name) for each in by_one]
        assert both[name] == pytest.approx(np.mean(alone))


def test_long_open_time_is_cut_into_moments_and_crumbs_are_left_out() -> None:
    given = [evidence("take", scores((SPLIT, 100)), done=((0.3, 3.0),))]
    moments = sorted((item.start, item.end) for item in suggest(given, FPS, LABELS).moments)
    assert_allclose(moments, [(3.0, 6.5), (6.5, 10.0)])
