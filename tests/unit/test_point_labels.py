"""Point labels: what motion says, the chains of a recording, and what is known after growing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.decode.growing import Anchor, GrownSpans
from kinespan.train.point_chains import (
    Chain,
    Track,
    background_time,
    chains_of,
    core_frames,
    durations_by_label,
    first_durations,
    grown_annotation,
    label_probabilities,
    sure_targets,
    usable_time,
)
from kinespan.train.point_evidence import ACTION_SHARE, MAX_ODDS, RIDGE, action_evidence, logistic_weights
from kinespan.transforms.normalise import Motion

FPS = 10.0
LABELS = LabelSet(("wave", "kick"))
OVERLAPPING = LabelSet(LABELS.names, exclusive=False)
WAVE, KICK = Event(2.0, "wave"), Event(5.0, "kick")


def still_then_moving(num_frames: int = 200, active: slice = slice(60, 100), seed: int = 0) -> Motion:
    """A body that stands, and lifts a joint in some frames."""
    positions = np.tile(np.random.default_rng(seed).normal(size=(1, 1, 5, 3)), (num_frames, 1, 1, 1))
    positions += np.random.default_rng(seed + 1).normal(0, 0.01, positions.shape)
    frames = np.arange(num_frames)[active]
    positions[active, 0, 3, 1] += 1.5 + 0.5 * np.sin(frames)
    return Motion(positions.astype(np.float32), np.ones((num_frames, 1, 5), bool), FPS, "a")


def track(annotation: Annotation, num_frames: int = 100) -> Track:
    return Track("a", None, still_then_moving(num_frames), annotation)


# ---- what motion says ------------------------------------------------------------------------------------------------


def test_motion_speaks_for_actions_where_it_is_like_that_at_the_instants() -> None:
    motion = still_then_moving()
    instants, usable = np.zeros(200, bool), np.ones(200, bool)
    instants[75:80] = True
    odds = action_evidence([motion], [instants], [usable])[0]
    assert (odds[65:95] > 0).all()
    assert (np.delete(odds, slice(50, 110)) < 0).all()
    assert np.abs(odds).max() <= MAX_ODDS


def test_motion_without_pauses_says_little() -> None:
    rng = np.random.default_rng(0)
    positions = rng.normal(size=(3000, 1, 5, 3)).astype(np.float32)
    motion = Motion(positions, np.ones((3000, 1, 5), bool), FPS, "a")
    instants = np.zeros(3000, bool)
    instants[::20] = True
    odds = action_evidence([motion], [instants], [np.ones(3000, bool)])
    level = math.log(ACTION_SHARE / (1 - ACTION_SHARE))
    assert np.median(np.abs(odds[0] - level)) < 0.6


def test_hidden_joints_and_absent_people_say_nothing() -> None:
    motion = still_then_moving()
    valid = np.ones((200, 2, 5), bool)
    valid[:, 1] = False
    valid[:, 0, 4] = False
    positions = np.concatenate([motion.positions, np.zeros_like(motion.positions)], axis=1)
    instants = np.zeros(200, bool)
    instants[75:80] = True
    with_noise = positions.copy()
    with_noise[~valid] = 1e6
    both = [
        action_evidence([Motion(each, valid, FPS, "a")], [instants], [np.ones(200, bool)])[0]
        for each in (positions, with_noise)
    ]
    np.testing.assert_array_equal(*both)


def test_the_regression_is_at_its_minimum() -> None:
    rng = np.random.default_rng(0)
    ones = np.ones((40, 1))
    positive, negative = np.c_[rng.normal(1, 1, (40, 2)), ones], np.c_[rng.normal(0, 1, (40, 2)), ones]
    weights = logistic_weights(positive, negative, 5.0)

    def loss(values: np.ndarray) -> float:
        total = 5.0 * np.log1p(np.exp(-positive @ values)).mean() + 5.0 * np.log1p(np.exp(negative @ values)).mean()
        return float(total + RIDGE / 2 * np.square(values[:-1]).sum())

    for step in np.eye(3) * 1e-3:
        assert loss(weights) <= min(loss(weights + step), loss(weights - step))


# ---- chains ----------------------------------------------------------------------------------------------------------


def test_points_and_spans_are_anchors_in_order() -> None:
    annotation = Annotation((Span(3.0, 4.0, "wave"),), LABELS, events=(KICK, WAVE))
    chain = chains_of(0, still_then_moving(100), annotation)[0]
    assert chain.anchors == (Anchor(1, 20, 21), Anchor(1, 30, 40, is_span=True), Anchor(2, 50, 51))


def test_points_in_a_span_or_a_frame_of_another_are_left_out() -> None:
    points = (Event(3.5, "wave"), Event(3.6, "kick"), Event(5.0, "kick"), Event(5.05, "wave"))
    chain = chains_of(0, still_then_moving(100), Annotation((Span(3.0, 4.0, "wave"),), LABELS, events=points))[0]
    assert chain.anchors == (Anchor(1, 30, 40, is_span=True), Anchor(2, 50, 51))
    assert not chains_of(0, still_then_moving(100), Annotation((Span(3.0, 4.0, "wave"),), LABELS, events=points[:1]))


def test_labels_that_overlap_have_a_chain_each() -> None:
    annotation = Annotation((Span(1.5, 4.0, "kick"),), OVERLAPPING, events=(WAVE, KICK))
    chains = chains_of(0, still_then_moving(100), annotation)
    assert [chain.anchors for chain in chains] == [
        (Anchor(1, 20, 21),),
        (Anchor(2, 15, 40, is_span=True), Anchor(2, 50, 51)),
    ]


def test_the_core_of_an_instant_ends_at_its_neighbours() -> None:
    chain = Chain(0, (Anchor(1, 20, 21), Anchor(2, 21, 22), Anchor(1, 40, 45, is_span=True)))
    frames = np.flatnonzero(core_frames(chain, still_then_moving(100)))
    assert frames.tolist() == [18, 19, 20, 21, 22, 23, *range(40, 45)]


@pytest.mark.parametrize(
    ("covered", "watched"),
    [(None, None), ((), None), (((8.0, 9.0),), None), (((0.0, 4.0),), ((0.0, 4.0),))],
)
def test_what_was_watched_is_what_was_looked_at_if_points_are_in_it(
    covered: tuple[tuple[float, float], ...] | None, watched: tuple[tuple[float, float], ...] | None
) -> None:
    assert Annotation((), LABELS, covered, (WAVE, KICK)).watched == watched


def test_time_beside_what_was_watched_is_used_near_points_only() -> None:
    frames = usable_time(track(Annotation((), LABELS, ((0.0, 2.5),), (WAVE, KICK))))
    assert np.flatnonzero(frames).tolist() == list(range(70))


# ---- durations -------------------------------------------------------------------------------------------------------


def test_the_first_durations_by_hand() -> None:
    motion, chain = still_then_moving(100), Chain(0, (Anchor(1, 20, 21), Anchor(2, 50, 51)))
    odds = np.full(100, -1.0)
    odds[15:25] = odds[40:60] = 1.0  # 1 and 2 s, 1.5 s in the median
    assert math.exp(first_durations([chain], [motion], [odds], [])) == pytest.approx(0.7 * 3.0)
    odds[18:20] = -1.0  # 0.5 and 2 s
    odds[45:58] = -1.0
    odds[50] = 1.0  # 0.5 and 0.1 s
    assert math.exp(first_durations([chain], [motion], [odds], [])) == pytest.approx(2 * 0.3)
    spans = [Span(0, 0.5, "wave"), Span(1, 1.5, "kick"), Span(2, 4, "kick")]
    assert math.exp(first_durations([chain], [motion], [odds], spans)) == pytest.approx(0.5)


def test_durations_of_a_label_are_drawn_to_the_median() -> None:
    chain = Chain(0, (Anchor(1, 20, 21), Anchor(1, 50, 51)))
    spans = GrownSpans(np.array([[10, 30], [45, 65]]), np.zeros((100, 3)))
    means = durations_by_label([chain], [spans], [still_then_moving(100)], [Span(0, 4, "kick")], LABELS)
    assert means[1] == pytest.approx(math.log(2))
    assert means[2] == pytest.approx((math.log(4) + 3 * math.log(2)) / 4)


# ---- what is known afterwards ----------------------------------------------------------------------------------------


def grown_case(annotation: Annotation) -> tuple[Track, list[Chain], list[GrownSpans]]:
    """An action of 1 s around each of two instants, half a second of doubt on either side."""
    chains = chains_of(0, still_then_moving(100), annotation)
    results = []
    for chain in chains:
        inside = np.zeros((100, 3))
        for anchor in chain.anchors:
            inside[anchor.first - 10 : anchor.first + 10, anchor.column] = 0.5
            inside[anchor.first - 5 : anchor.first + 5, anchor.column] = 1.0
        bounds = [[anchor.first - 5, anchor.first + 5] for anchor in chain.anchors]
        results.append(GrownSpans(np.array(bounds), inside))
    return track(annotation), chains, results


def test_spans_and_sure_background_are_known_and_doubt_is_not() -> None:
    case = grown_case(Annotation((), LABELS, events=(WAVE, KICK)))
    values = label_probabilities(case[2], 100, LABELS)
    targets = sure_targets(case[0], values)
    grown = grown_annotation(*case, targets)
    assert [(span.label, span.start, span.end) for span in grown.spans] == [("wave", 1.5, 2.5), ("kick", 4.5, 5.5)]
    assert not grown.point_labels
    ids = grown.frame_ids(100, FPS)
    expected = np.zeros(100, int)
    expected[10:30] = expected[40:60] = -100
    expected[15:25], expected[45:55] = 1, 2
    assert ids.tolist() == expected.tolist()


def test_nobody_looked_so_background_is_learnt_frame_by_frame() -> None:
    case = grown_case(Annotation((), LABELS, (), (WAVE, KICK)))
    values = label_probabilities(case[2], 100, LABELS)
    assert not sure_targets(case[0], values)[:, 0].any()
    likely = np.zeros(100, bool)
    likely[90:] = True
    assert np.flatnonzero(sure_targets(case[0], values, likely)[:, 0]).tolist() == list(range(90, 100))
    assert background_time(case[0], likely).tolist() == likely.tolist()


def test_where_labels_overlap_a_frame_is_known_if_every_label_is() -> None:
    case = grown_case(Annotation((), OVERLAPPING, events=(WAVE, Event(2.3, "kick"))))
    values = label_probabilities(case[2], 100, OVERLAPPING)
    targets = sure_targets(case[0], values)
    assert np.flatnonzero(targets[:, 1] * targets[:, 2]).tolist() == list(range(18, 25))
    assert not targets[13:18].any(), "the wave is sure and the kick is not"
    assert targets[:10, 0].all()
