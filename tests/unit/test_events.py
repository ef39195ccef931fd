"""Events: their label sets and annotations, what is trained, how scores become events, and what is streamed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stream_cases import made, moving

from kinespan.data.annotation import IGNORE, POINT_MARGIN, Annotation, Event, LabelSet, Span
from kinespan.data.mirror_labels import mirrored_labels
from kinespan.decode import DecodeConfig, decode, decode_events, segment
from kinespan.decode.events import bell, bell_width
from kinespan.errors import InputError
from kinespan.losses import FrameLoss
from kinespan.models.ensemble import ensemble
from kinespan.models.head import EVENT_PRIOR, FrameHead
from kinespan.models.refinement import Stage, probabilities
from kinespan.stream.event_finder import EventFinder
from kinespan.train.clip_pool import frame_targets

FPS = 10.0
STEPS = LabelSet(("walk", "strike left", "strike right"), events=("strike left", "strike right"), tolerance=0.3)
OVERLAPPING = LabelSet(STEPS.names, False, STEPS.events, 0.3)
STRIKES = LabelSet(("strike",), events=("strike",), tolerance=0.3)


# ---- label sets and annotations -------------------------------------------------------------------------------------


def test_columns_of_spans_begin_with_background():
    labels = LabelSet(("hop", "walk", "clap", "sit"), events=("clap", "hop"))
    assert (labels.span_columns, labels.event_columns) == ((0, 2, 4), (1, 3))
    assert labels.without_events == LabelSet(("walk", "sit"))
    assert LabelSet(("walk",)).without_events == LabelSet(("walk",))


@pytest.mark.parametrize("tolerance", [0.0, -1.0, math.nan, math.inf])
def test_a_tolerance_is_a_positive_number_of_seconds(tolerance):
    with pytest.raises(InputError, match="tolerance"):
        LabelSet(("clap",), events=("clap",), tolerance=tolerance)


def test_time_near_a_point_label_is_neither_background_nor_action():
    labels = LabelSet(("walk", "sit"))
    points = Annotation((Span(6.0, 7.0, "sit"),), labels, events=(Event(5.0, "walk"),))
    ids = points.frame_ids(100, FPS)
    near = np.abs((np.arange(100) + 0.5) / FPS - 5.0) < POINT_MARGIN
    assert (ids[60:70] == 2).all()  # labels exclude each other, so the span is known
    near[60:70] = False
    assert (ids[near] == IGNORE).all()
    assert (np.delete(ids, np.r_[np.flatnonzero(near), 60:70]) == 0).all()
    assert points.known == ((-math.inf, 3.0), (6.0, math.inf))


def test_near_a_point_label_other_labels_that_may_overlap_are_not_known():
    labels = LabelSet(("walk", "sit"), exclusive=False)
    targets, known = Annotation((Span(4.0, 9.0, "sit"),), labels, events=(Event(5.0, "walk"),)).frame_targets(100, FPS)
    assert not known[30:70].any()
    assert not targets[30:70].any()
    assert targets[70:90, 1].all()
    assert known[:30].all()


def test_a_point_label_inside_a_span_of_its_own_hides_nothing():
    annotation = Annotation((Span(4.0, 6.0, "walk"),), LabelSet(("walk",)), events=(Event(5.0, "walk"),))
    assert annotation.known is None
    assert IGNORE not in annotation.frame_ids(100, FPS)


def test_events_and_spans_of_a_side_are_each_mirrored_by_name():
    assert mirrored_labels(STEPS) == (0, 2, 1)


# ---- targets and loss -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [STEPS, OVERLAPPING])
def test_an_event_within_a_span_erases_nothing(labels):
    annotation = Annotation((Span(1.0, 3.0, "walk"),), labels, events=(Event(2.05, "strike left"),))
    targets = frame_targets(annotation, labels, 40, FPS)
    assert targets[10:30, 1].all()
    assert targets[:10, 0].all()
    assert not targets[10:30, 0].any()
    assert targets[20, 2] == 1  # its centre is the instant
    assert targets[21, 2] == targets[19, 2] == pytest.approx(math.exp(-0.5 * (0.1 / 0.15) ** 2))
    assert not targets[:, 3].any()
    assert not targets[:15, 2].any()
    assert not targets[26:, 2].any()


def test_the_bell_has_a_frame_near_its_top_at_any_rate():
    assert bell_width(100.0, 0.3) == pytest.approx(0.15)
    assert bell_width(5.0, 0.1) == pytest.approx(0.15)
    for offset in np.linspace(0, 0.2, 21):
        assert bell((np.arange(20) + 0.5) / 5.0 - 2.0 - offset, 5.0, 0.01).max() > 0.5  # FinetuneModule asks for that


def test_the_loss_of_events_adds_to_that_of_spans():
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(2, 4, 7, generator=generator, dtype=torch.float64)
    targets = torch.rand(2, 7, 4, generator=generator, dtype=torch.float64)
    mask = torch.rand(2, 7, generator=generator) < 0.7
    for exclusive in (True, False):
        losses = []
        for b, t in mask.nonzero().tolist():
            row, target = logits[b, :, t], targets[b, t]
            loss = 0.0
            for column in (1, 3):
                p = 1 / (1 + math.exp(-row[column]))
                loss -= target[column] * math.log(p) + (1 - target[column]) * math.log(1 - p)
            spans, goals = row[[0, 2]], target[[0, 2]]
            if exclusive:
                loss -= sum(y * math.log(math.exp(x) / spans.exp().sum()) for x, y in zip(spans, goals, strict=True))
            else:
                p = 1 / (1 + math.exp(-spans[1]))
                loss -= goals[1] * math.log(p) + (1 - goals[1]) * math.log(1 - p)
            losses.append(loss)
        expected = float(sum(losses) / len(losses))
        assert float(FrameLoss(exclusive, (1, 3))(logits, targets, mask)) == pytest.approx(expected)


@pytest.mark.parametrize("exclusive", [True, False])
def test_frames_without_a_target_of_spans_train_events_alone(exclusive):
    logits = torch.randn(1, 3, 1, generator=torch.Generator().manual_seed(1))
    targets, mask = torch.tensor([[[0.0, 0.0, 1.0]]]), torch.tensor([[True]])
    loss = FrameLoss(exclusive, (2,))(logits, targets, mask)
    assert float(loss) == pytest.approx(math.log(1 + math.exp(-logits[0, 2, 0])))


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_label_set_of_events_alone_has_scores_and_a_finite_loss(exclusive):
    logits = torch.randn(2, 2, 5, generator=torch.Generator().manual_seed(2), requires_grad=True)
    targets, mask = torch.rand(2, 5, 2), torch.ones(2, 5, dtype=torch.bool)
    FrameLoss(exclusive, (1,))(logits, targets, mask).backward()
    assert torch.isfinite(logits.grad).all()
    assert not logits.grad[:, 0].any()
    scores = probabilities(logits, exclusive, (1,))
    assert torch.allclose(scores[:, 1], logits[:, 1].sigmoid())
    if exclusive:
        assert (scores[:, 0] == 1).all()


@pytest.mark.parametrize("exclusive", [True, False])
def test_scores_of_events_are_sigmoids_beside_those_of_spans(exclusive):
    logits = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(3))
    scores = probabilities(logits, exclusive, (1, 4))
    assert torch.allclose(scores[:, [1, 4]], logits[:, [1, 4]].sigmoid())
    assert torch.equal(scores[:, [0, 2, 3]], probabilities(logits[:, [0, 2, 3]], exclusive))


def test_heads_and_stages_start_with_rare_events():
    features = torch.zeros(1, 8, 4)
    head = FrameHead(8, 3, (2,))
    assert torch.allclose(head(features)[:, 2].sigmoid(), torch.tensor(EVENT_PRIOR))
    assert Stage(8, 4, 1, 0.0, (2,)).out.bias[2].item() == pytest.approx(math.log(EVENT_PRIOR / (1 - EVENT_PRIOR)))


# ---- decoding -------------------------------------------------------------------------------------------------------


def slow_events(scores, fps, tolerance, min_score):
    """(frame, score) of a label's scores by plain loops."""
    width = max(0.5 * tolerance, 0.75 / fps)
    weight = lambda k: math.exp(-0.5 * (k / fps / width) ** 2) if abs(k / fps / width) <= 3 + 1e-9 else 0.0  # noqa: E731
    total, response = len(scores), []
    for t in range(total):
        near = [k for k in range(-total, total) if 0 <= t + k < total and weight(k)]
        response.append(round(sum(weight(k) * scores[t + k] for k in near) / sum(weight(k) ** 2 for k in near), 6))
    reach, peaks = max(1, math.floor(tolerance * fps + 1e-6)), []
    for t in range(total):
        before, after = response[max(0, t - reach) : t], response[t + 1 : t + 1 + reach]
        is_peak = all(value < response[t] for value in before) and all(value <= response[t] for value in after)
        score = response[t]
        if 0 < t < total - 1 and (bend := response[t - 1] - 2 * response[t] + response[t + 1]) < 0:
            score -= (response[t - 1] - response[t + 1]) ** 2 / (8 * bend)  # the top of the parabola
        if is_peak and score >= min_score and response[t] > 0:
            peaks.append((t, min(1.0, score)))
    return peaks


@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.3, 0.35, 0.8, 1.0]), min_size=1, max_size=30),
    st.sampled_from([0.05, 0.2, 0.35]),
    st.sampled_from([0.05, 0.4]),
)
@example([0.8, 0.3, 0.8, 0.8, 0.3, 0.8, 0.0], 0.05, 0.05)
@example([0.3, 0.0, 0.3], 0.35, 0.05)
@settings(max_examples=150, deadline=None)
def test_events_agree_with_the_slow_reference(column, tolerance, min_score):
    labels = LabelSet(("strike",), events=("strike",), tolerance=tolerance)
    scores = np.stack([np.ones(len(column)), column], axis=1).astype(np.float32).reshape(-1, 2)
    events = decode_events(scores, FPS, labels, min_score)
    expected = slow_events(scores[:, 1].tolist(), FPS, tolerance, min_score)
    assert [event.score for event in events] == pytest.approx([score for _, score in expected], abs=1e-5)
    for event, (frame, _) in zip(events, expected, strict=True):
        assert abs(event.time * FPS - frame - 0.5) <= 0.5 + 1e-6


@given(
    st.lists(st.floats(0.65, 3.0), min_size=1, max_size=8),
    st.floats(0, 1),
    st.sampled_from([5.0, 15.0, 30.0]),
    st.sampled_from([0.05, 0.3]),
)
@settings(max_examples=100, deadline=None)
def test_scores_like_the_targets_give_the_events_back(gaps, first, fps, tolerance):
    gaps = np.maximum(gaps, 3.2 * (bell_width(fps, tolerance) + 1 / fps))
    labels = LabelSet(("walk", "strike"), events=("strike",), tolerance=tolerance)
    times = (1.0 + first + np.cumsum(gaps)).tolist()
    annotation = Annotation((), labels, events=tuple(Event(time, "strike") for time in times))
    targets = frame_targets(annotation, labels, math.ceil((times[-1] + 1) * fps), fps)
    events = decode_events(targets, fps, labels, 0.4)
    assert [event.time for event in events] == pytest.approx(times, abs=0.2 / fps)
    assert all(event.score > 0.9 for event in events)


def test_decoding_by_hand():
    """One bell in the middle of 21 frames, half as high: the score is a half, the instant its middle."""
    column = 0.5 * bell((np.arange(21) + 0.5) / FPS - 1.05, FPS, 0.3)
    (event,) = decode_events(np.stack([1 - column, column], axis=1), FPS, STRIKES)
    assert (event.label, event.time, event.score) == ("strike", pytest.approx(1.05), pytest.approx(0.5))


def test_an_event_at_the_end_of_a_recording_scores_as_one_within():
    column = bell((np.arange(20) + 0.5) / FPS - 1.95, FPS, 0.3)
    (event,) = decode_events(np.stack([1 - column, column], axis=1), FPS, STRIKES)
    assert event.score == pytest.approx(1.0)


def test_each_label_has_its_events_and_spans_are_decoded_without_them():
    scores = np.zeros((60, 4), np.float32)
    scores[:, 0] = 1
    scores[20:40, :2] = (0.0, 1.0)
    times = (np.arange(60) + 0.5) / FPS
    scores[:, 2] = bell(times - 3.0, FPS, 0.3)
    scores[:, 3] = 0.6 * bell(times - 3.1, FPS, 0.3)
    events = decode_events(scores, FPS, STEPS)
    assert [event.label for event in events] == ["strike left", "strike right"]
    assert [event.time for event in events] == pytest.approx([3.0, 3.1], abs=0.01)
    plain = segment(scores[:, :2], FPS, STEPS.without_events)
    assert segment(scores, FPS, STEPS) == plain == [Span(2.0, 4.0, "walk", 1.0)]
    assert decode(scores, FPS, STEPS) == decode(scores[:, :2], FPS, STEPS.without_events)
    viterbi = DecodeConfig(segmentation="viterbi", durations=((0.5, 0.3), (0.7, 0.3)))
    assert [span.label for span in segment(scores, FPS, STEPS, viterbi)] == ["walk"]


def test_events_alone_have_no_segmentation():
    scores = np.ones((30, 2), np.float32)
    assert segment(scores, FPS, STRIKES) == []
    assert decode(scores, FPS, STRIKES) == []


def test_no_frames_have_no_events():
    assert decode_events(np.zeros((0, 2), np.float32), FPS, STRIKES) == []


def test_background_of_an_ensemble_of_overlapping_labels_is_that_of_spans():
    members = [made(seed=seed, labels=OVERLAPPING) for seed in (0, 1)]
    own = np.array([[0.4, 0.6, 0.9, 0.0], [0.8, 0.2, 1.0, 0.5]], np.float32)
    mean = ensemble(members).mean([own, own])
    assert mean[:, 0] == pytest.approx([0.4, 0.8])
    assert mean[:, 2] == pytest.approx([0.9, 1.0])
    other = LabelSet(OVERLAPPING.names, False, OVERLAPPING.events, 0.5)
    ensemble([members[0], made(seed=2, labels=other)])  # what may differ is the tolerance
    with pytest.raises(InputError, match="strike left: an event in one of it and model 1, a span in the other"):
        ensemble([members[0], made(seed=2, labels=LabelSet(OVERLAPPING.names, False, ("strike right",)))])


def test_a_model_gives_the_events_of_each_person():
    model, recording = made(labels=STEPS), moving(80, people=2)
    model.spec = replace(model.spec, decode=DecodeConfig(event_threshold=0.0))
    model.head.linear.bias.data[list(STEPS.event_columns)] = 0  # not as rare as at the start
    answer = model.localize(recording, "each")
    assert {event.person for event in answer.events} == {0, 1}
    for person in (0, 1):
        alone = replace(
            recording,
            positions=recording.positions[:, person : person + 1],
            valid=recording.valid[:, person : person + 1],
        )
        own = [replace(event, person=person) for event in model.localize(alone).events]
        assert [event for event in answer.events if event.person == person] == own


# ---- streaming ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tolerance", [0.05, 0.3])
def test_streamed_events_are_those_of_the_whole_recording(seed, tolerance):
    rng = np.random.default_rng(seed)
    labels = LabelSet(STEPS.names, True, STEPS.events, tolerance)
    scores = rng.random((150, 4)).astype(np.float32) ** 3
    finder, streamed, sizes = EventFinder(FPS, labels, 0.3), [], []
    start = 0
    while start < len(scores):
        stop = min(len(scores), start + int(rng.integers(0, 12)))
        streamed += finder.push(scores[start:stop], last=stop == len(scores))
        sizes.append(len(finder._rows))
        start = stop
    whole = decode_events(scores, FPS, labels, 0.3)
    assert len(whole) > 5
    by_time = sorted(streamed, key=lambda event: (event.time, event.label))
    assert [event.label for event in by_time] == [event.label for event in whole]
    assert [event.time for event in by_time] == pytest.approx([event.time for event in whole])
    assert [event.score for event in by_time] == pytest.approx([event.score for event in whole])
    assert max(sizes) <= 2 * finder.delay + 12  # it forgets what it no longer needs


def test_a_streamed_event_comes_after_its_delay_and_not_before():
    column = np.zeros(60, np.float32)
    column[20:23] = 1
    scores = np.stack([1 - column, column], axis=1)
    finder = EventFinder(FPS, STRIKES, 0.4)
    pushes = [len(finder.push(row[None])) for row in scores]
    assert sum(pushes) == 1
    assert pushes.index(1) == 21 + finder.delay
