"""Scores as probabilities: temperature, the curve of segments, and how both are learnt."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from model_cases import tiny_localizer

from kinespan.config import NetworkConfig
from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.data.skeletons import NTU_25
from kinespan.decode import DecodeConfig, segment
from kinespan.decode.calibration import at_temperature, span_probability
from kinespan.errors import InputError
from kinespan.losses import FrameLoss
from kinespan.metrics.calibration import Claims
from kinespan.models.ensemble import Ensemble, ensemble, ensemble_spec
from kinespan.models.model_file import ModelSpec
from kinespan.models.refinement import probabilities
from kinespan.train.calibration import calibrated, fitted_curve, log_likelihood
from kinespan.train.clip_pool import frame_targets

FPS = 10.0
LABEL_SETS = {
    "exclusive": LabelSet(("walk", "sit", "wave")),
    "overlapping": LabelSet(("walk", "sit", "wave"), exclusive=False),
    "events": LabelSet(("walk", "strike", "wave"), events=("strike",)),
    "events alone": LabelSet(("strike", "lift"), events=("strike", "lift")),
    "overlapping and events": LabelSet(("walk", "strike", "wave"), exclusive=False, events=("strike",)),
}


def logits_of(labels, frames=40, seed=0, scale=2.0):
    return np.random.default_rng(seed).standard_normal((frames, len(labels) + 1)).astype(np.float32) * scale


def scores_of(logits, labels):
    """Scores (T, C + 1) of logits (T, C + 1), as a model gives them."""
    batch = torch.from_numpy(np.asarray(logits, np.float32)).T[None]
    return probabilities(batch, labels.exclusive, labels.event_columns)[0].T.numpy()


def spec_of(labels, **changes):
    spec = ModelSpec.of_network(NetworkConfig(encoder="tcn", fps=FPS), NTU_25)
    return replace(spec, kind="localizer", fusion="last_map", labels=labels, **changes)


def drawn(scores, labels, seed):
    """An annotation of frames whose labels are drawn with the probabilities scores (T, C + 1), frame by frame."""
    rng = np.random.default_rng(seed)
    spans = []
    for frame, row in enumerate(scores):
        if labels.exclusive:
            column = rng.choice(len(row), p=row / row.sum())
            held = [column] if column else []
        else:
            held = [column for column in range(1, len(row)) if rng.random() < row[column]]
        spans += [Span(frame / FPS, (frame + 1) / FPS, labels.names[column - 1]) for column in held]
    return Annotation(tuple(spans), labels)


# ---- temperature -----------------------------------------------------------------------------------------------------


def test_temperature_by_hand():
    labels = LabelSet(("walk", "sit"))
    scores = np.array([[0.64, 0.32, 0.04], [1, 0, 0]], np.float32)
    expected = np.array([[0.8, math.sqrt(0.32), 0.2], [1, 0, 0]]) / np.array([[1 + math.sqrt(0.32)], [1]])
    assert at_temperature(scores, labels, 2.0) == pytest.approx(expected, abs=1e-6)
    overlapping = LabelSet(("walk", "sit"), exclusive=False)
    expected = [[0.1, 0.9, 0.25], [1, 0, 0]]  # odds 81 and 1/9 become 9 and 1/3
    assert at_temperature(np.array([[1 / 82, 81 / 82, 0.1], [1, 0, 0]], np.float32), overlapping, 2.0) == pytest.approx(
        np.array(expected), abs=1e-5
    )


@pytest.mark.parametrize("kind", LABEL_SETS)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_scores_at_a_temperature_are_those_of_logits_divided_by_it(kind, temperature):
    labels = LABEL_SETS[kind]
    logits = logits_of(labels)
    scores = at_temperature(scores_of(logits, labels), labels, temperature)
    assert scores.dtype == np.float32
    assert scores == pytest.approx(scores_of(logits / temperature, labels), abs=1e-5)


def test_temperature_never_changes_the_best_label_of_a_frame():
    labels = LABEL_SETS["exclusive"]
    scores = scores_of(logits_of(labels, 500), labels)
    assert np.array_equal(at_temperature(scores, labels, 2.5).argmax(axis=1), scores.argmax(axis=1))


def test_localizer_divides_its_logits_and_leaves_absent_people_alone():
    model = tiny_localizer(("walk", "sit"))
    rng = np.random.default_rng(0)
    positions = rng.standard_normal((60, 1, 25, 3)).cumsum(axis=0).astype(np.float32) * 0.1
    recording = Recording(positions, 15.0, NTU_25, "take", np.arange(60)[:, None] < 50)
    plain = model.frame_scores(recording)
    model.spec = replace(model.spec, temperature=2.0)
    scores = model.frame_scores(recording)
    assert scores == pytest.approx(at_temperature(plain, model.labels, 2.0), abs=1e-5)
    assert not np.allclose(scores[:50], plain[:50], atol=1e-3)
    assert np.array_equal(scores[50:], np.eye(1, 3, dtype=np.float32).repeat(10, axis=0))


@pytest.mark.parametrize("kind", LABEL_SETS)
def test_ensemble_softens_the_mean_of_its_members(kind):
    labels = LABEL_SETS[kind]
    members = [spec_of(labels, temperature=1.5), spec_of(labels)]
    spec = ensemble_spec(members)
    assert spec.temperature == 1.0
    scores = [scores_of(logits_of(labels, seed=seed), labels) for seed in (1, 2)]
    models = [tiny_localizer(labels.names) for _ in members]
    mean = Ensemble(spec, models).mean(scores)
    softened = Ensemble(replace(spec, temperature=2.0), models).mean(scores)
    assert softened == pytest.approx(at_temperature(mean, labels, 2.0), abs=1e-6)


def test_an_ensemble_takes_the_mean_curve_of_its_members_where_all_have_one():
    labels = LABEL_SETS["exclusive"]
    curves = [(1.0, 0.5), (2.0, -0.5)]
    members = [spec_of(labels, decode=DecodeConfig(span_calibration=curve)) for curve in curves]
    assert ensemble_spec(members, [3, 1]).decode.span_calibration == pytest.approx((1.25, 0.25))
    assert ensemble_spec([members[0], spec_of(labels)]).decode.span_calibration == ()
    assert ensemble([tiny_localizer(("a",)), tiny_localizer(("a",))]).spec.decode.span_calibration == ()


# ---- files -----------------------------------------------------------------------------------------------------------


def test_a_model_file_keeps_both_and_an_older_one_has_neither():
    spec = spec_of(LABEL_SETS["exclusive"], temperature=1.4, decode=DecodeConfig(span_calibration=(1.2, -0.3)))
    data = json.loads(json.dumps(spec.to_dict()))
    assert ModelSpec.from_dict(data) == spec
    del data["temperature"], data["decode"]["span_calibration"]
    older = ModelSpec.from_dict(data)
    assert (older.temperature, older.decode.span_calibration) == (1.0, ())


@pytest.mark.parametrize("value", [0, -1, "hot", None, float("nan")])
def test_a_temperature_that_is_none_is_refused(value):
    data = {**spec_of(LABEL_SETS["exclusive"]).to_dict(), "temperature": value}
    with pytest.raises(InputError, match=r"^m: metadata"):
        ModelSpec.from_dict(data, "m")


@pytest.mark.parametrize("calibration", [(0.0, 1.0), (-1.0, 0.0), (1.0,), (math.nan, 0.0), (1.0, math.inf)])
def test_a_curve_that_does_not_rise_is_refused(calibration):
    with pytest.raises(InputError, match="span_calibration"):
        DecodeConfig(span_calibration=calibration)


# ---- the scores of segments ------------------------------------------------------------------------------------------


def test_score_of_a_segment_by_hand():
    assert span_probability(0.7, ()) == 0.7
    assert span_probability(0.9, (1.0, 0.0)) == pytest.approx(0.9)
    assert span_probability(0.8, (0.5, 0.0)) == pytest.approx(2 / 3)  # odds of 4 become 2
    assert span_probability(0.5, (1.0, math.log(3))) == pytest.approx(0.75)
    assert span_probability(1.0, (1.0, 0.0)) == pytest.approx(0.9999)
    assert 0 <= span_probability(0.0, (90.0, 0.0)) < span_probability(1.0, (90.0, 0.0)) <= 1


def test_a_curve_changes_the_scores_of_segments_alone_and_keeps_their_order():
    labels = LABEL_SETS["exclusive"]
    scores = scores_of(logits_of(labels, 300).cumsum(axis=0) * 0.3, labels)
    plain = segment(scores, FPS, labels)
    curved = segment(scores, FPS, labels, DecodeConfig(span_calibration=(0.6, -0.4)))
    assert [replace(span, score=None) for span in curved] == [replace(span, score=None) for span in plain]
    assert [span.score for span in curved] == [span_probability(span.score, (0.6, -0.4)) for span in plain]
    order = np.argsort([span.score for span in plain], kind="stable")
    assert np.array_equal(np.argsort([span.score for span in curved], kind="stable"), order)


# ---- likelihood ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LABEL_SETS)
def test_log_likelihood_is_minus_the_frame_loss(kind):
    labels = LABEL_SETS[kind]
    logits = [logits_of(labels, frames, seed, 1.0) for frames, seed in ((40, 1), (25, 2))]
    spans = [Span(0.3, 1.2, labels.spans[0]), Span(2.0, 2.4, labels.spans[-1])] if labels.spans else []
    events = tuple(Event(1.0, label) for label in labels.events)
    annotations = [Annotation(tuple(spans), labels, events=events), Annotation((), labels, ((0.5, 2.0),), events)]
    targets = [frame_targets(a, labels, len(x), FPS) for a, x in zip(annotations, logits, strict=True)]
    values = torch.from_numpy(np.concatenate(targets))[None]
    loss = FrameLoss(labels.exclusive, labels.event_columns)(
        torch.from_numpy(np.concatenate(logits)).T[None], values, values.any(dim=2)
    )
    scores = [scores_of(x, labels) for x in logits]
    assert log_likelihood(scores, annotations, labels, FPS) == pytest.approx(-float(loss), abs=1e-5)


def test_log_likelihood_leaves_out_frames_without_anybody_and_without_a_target():
    labels = LabelSet(("walk",))
    scores = np.array([[0.2, 0.8], [1, 0], [0.5, 0.5], [0.9, 0.1]], np.float32)
    annotation = Annotation((Span(0.0, 0.3, "walk"),), labels, ((0.0, 0.3),))
    expected = (math.log(0.8) + math.log(0.5)) / 2
    assert log_likelihood([scores], [annotation], labels, FPS) == pytest.approx(expected, abs=1e-6)
    assert math.isnan(log_likelihood([], [], labels, FPS))
    assert math.isnan(log_likelihood([scores], [Annotation((), labels, ())], labels, FPS))


def test_a_frame_that_was_excluded_costs_no_more_than_the_least_probability():
    labels = LabelSet(("walk", "sit"))
    scores = np.array([[0.5, 0.5, 0.0]], np.float32)
    annotation = Annotation((Span(0, 0.1, "sit"),), labels)
    assert log_likelihood([scores], [annotation], labels, FPS) == pytest.approx(math.log(1e-7))


# ---- learning --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["exclusive", "overlapping"])
@pytest.mark.parametrize("truth", [0.6, 1.0, 2.0])
def test_the_temperature_that_made_the_labels_is_learnt(kind, truth):
    labels = LABEL_SETS[kind]
    logits = [logits_of(labels, 1500, seed) for seed in (0, 1)]
    annotations = [drawn(scores_of(x / truth, labels), labels, seed) for seed, x in enumerate(logits)]
    spec = calibrated(spec_of(labels), [scores_of(x, labels) for x in logits], annotations)
    assert spec.temperature == pytest.approx(truth, rel=0.1)


@given(st.integers(0, 10_000), st.sampled_from(list(LABEL_SETS)))
@settings(max_examples=20, deadline=None)
def test_the_learnt_temperature_is_the_best_of_a_fine_grid(seed, kind):
    labels = LABEL_SETS[kind]
    scores = scores_of(logits_of(labels, 30, seed), labels)
    spans = () if not labels.spans else (Span(0.5, 1.5, labels.spans[0]), Span(2.0, 2.5, labels.spans[-1]))
    annotation = Annotation(spans, labels, events=tuple(Event(1.2, label) for label in labels.events))
    temperature = calibrated(spec_of(labels), [scores], [annotation]).temperature
    grid = np.exp(np.linspace(math.log(0.25), math.log(8), 200))
    softened = [at_temperature(scores, labels, each) for each in (*grid, temperature)]
    *others, best = (log_likelihood([each], [annotation], labels, FPS) for each in softened)
    assert best >= max(others) - 1e-4


def test_the_curve_that_made_the_outcomes_is_learnt():
    rng = np.random.default_rng(0)
    score = rng.uniform(0.05, 0.95, 4000)
    chance = np.array([span_probability(each, (0.7, -0.5)) for each in score])
    assert fitted_curve(Claims(score, rng.random(4000) < chance)) == pytest.approx((0.7, -0.5), abs=0.12)


def slow_curve(score, is_right):
    """The best slope and offset on a grid, by the same priors, in plain loops."""
    best = None
    for slope in np.arange(0.1, 2.5, 0.05):
        for offset in np.arange(-3, 3, 0.05):
            total = ((slope - 1) / 0.5) ** 2 / 2 + offset**2 / 2
            for value, right in zip(score, is_right, strict=True):
                x = slope * math.log(value / (1 - value)) + offset
                total += math.log1p(math.exp(-x if right else x))
            best = min(best or (math.inf,), (total, slope, offset))
    return best[1:]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_curve_equals_a_slow_search(seed):
    rng = np.random.default_rng(seed)
    score, is_right = rng.uniform(0.3, 0.99, 12), rng.random(12) < 0.6
    assert fitted_curve(Claims(score, is_right)) == pytest.approx(slow_curve(score, is_right), abs=0.04)


def test_few_segments_cannot_make_the_curve_wild():
    slope, offset = fitted_curve(Claims(np.array([0.9, 0.8, 0.7]), np.ones(3, dtype=bool)))
    assert 0.9 < slope < 1.3
    assert 0 < offset < 0.7
    slope, offset = fitted_curve(Claims(np.repeat([0.99, 0.01], 200), np.repeat([False, True], 200)))
    assert slope == 0.1
    assert fitted_curve(Claims(np.zeros(0), np.zeros(0, dtype=bool))) == ()


def test_without_labelled_frames_nothing_is_learnt():
    labels = LABEL_SETS["exclusive"]
    spec = spec_of(labels)
    assert calibrated(spec, [], []) == spec
    only_unknown = calibrated(spec, [scores_of(logits_of(labels), labels)], [Annotation((), labels, ())])
    assert (only_unknown.temperature, only_unknown.decode.span_calibration) == (1.0, ())
