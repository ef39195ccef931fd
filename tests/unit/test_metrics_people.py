"""Each person is scored alone where the truth says whose an action is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.predictions import Predictions, Truth
from kinespan.data.span_table import SpanTable
from kinespan.errors import InputError
from kinespan.metrics import RULES, evaluate

LABELS = LabelSet(("walk", "sit"))


def truth_of(*spans: Span, people: tuple[int, ...] | None = None, name: str = "x") -> Truth:
    known = {} if people is None else {name: people}
    return Truth({name: Annotation(spans, LABELS)}, LABELS, {name: 10.0}, {name: 1.0}, people=known)


def predictions_of(*spans: Span, name: str = "x") -> Predictions:
    return Predictions({name: spans}, {name: spans})


def mine(start: float, end: float, label: str, person: int | None = None, score: float | None = None) -> Span:
    return Span(start, end, label, score, person)


def test_a_prediction_is_right_for_the_person_who_does_it_alone() -> None:
    truth = truth_of(mine(0, 4, "walk", 0), mine(0, 4, "sit", 1))
    right = evaluate(predictions_of(mine(0, 4, "walk", 0, 0.9), mine(0, 4, "sit", 1, 0.8)), truth)
    swapped = evaluate(predictions_of(mine(0, 4, "walk", 1, 0.9), mine(0, 4, "sit", 0, 0.8)), truth)
    assert (right.map_average["0.1:0.5"], right.frame_accuracy, right.edit, right.f1["50"]) == (1.0, 1.0, 1.0, 1.0)
    # of each person 4 frames have the wrong label and 6 are background
    assert (swapped.map_average["0.1:0.5"], swapped.frame_accuracy, swapped.edit, swapped.f1["50"]) == (0, 0.6, 0, 0)
    assert (right.counts["recordings"], right.counts["people"]) == (1, 2)
    assert right.errors.right == 2
    assert swapped.errors.counts["wrong label"] == 2


def test_frames_of_people_who_do_nothing_count() -> None:
    predictions = predictions_of(mine(0, 4, "walk", 0, 0.9))
    truth = truth_of(mine(0, 5, "walk", 0))
    assert evaluate(predictions, truth).frame_accuracy == 0.9  # of one person, one frame of ten is wrong
    seen = truth_of(mine(0, 5, "walk", 0), people=(0, 1))
    assert evaluate(predictions, seen).frame_accuracy == 0.95  # of two
    assert evaluate(predictions, seen).counts["people"] == 2


def test_a_span_of_nobody_in_particular_counts_for_everybody() -> None:
    truth = truth_of(mine(0, 4, "walk"), mine(6, 8, "sit", 1), people=(0, 1))
    metrics = evaluate(predictions_of(mine(0, 4, "walk", 0, 0.9), mine(6, 8, "sit", 1, 0.8)), truth)
    assert metrics.counts["true_spans"] == 3
    # walk: one of the two found, with no false one: AP 1/2; sit: 1
    assert metrics.map_average["0.1:0.5"] == pytest.approx(0.75)
    assert metrics.frame_accuracy == 0.8  # person 1 has 4 of 20 frames wrong
    claimed = evaluate(predictions_of(mine(0, 4, "walk", None, 0.9), mine(6, 8, "sit", None, 0.8)), truth)
    # walk is right twice; sit is right for person 1 and wrong for person 0, who comes first of equal scores
    assert claimed.map_average["0.1:0.5"] == pytest.approx((1 + 0.5) / 2)
    assert claimed.counts["predicted_spans"] == 4


def test_where_the_truth_names_nobody_predictions_count_whosever_they_are() -> None:
    truth = truth_of(mine(0, 4, "walk"), mine(6, 8, "sit"))
    named = predictions_of(mine(0, 4, "walk", 1, 0.9), mine(6, 8, "sit", 0, 0.8))
    metrics = evaluate(named, truth)
    assert (
        metrics.to_dict()
        == evaluate(predictions_of(mine(0, 4, "walk", None, 0.9), mine(6, 8, "sit", None, 0.8)), truth).to_dict()
    )
    assert metrics.map_average["0.1:0.5"] == 1.0
    assert metrics.counts["people"] == 0


def test_a_recording_with_the_name_of_a_person_is_refused() -> None:
    one, other = truth_of(mine(0, 4, "walk", 0)), truth_of(mine(0, 4, "walk"), name="x, person 0")
    both = replace(one, annotations={**one.annotations, **other.annotations})
    with pytest.raises(InputError, match=r"recording 'x, person 0': it is also the name of a person in another"):
        evaluate(Predictions({}), both)


_SPANS = st.lists(
    st.builds(
        lambda start, length, label, person, score: Span(start, start + length, label, score, person),
        st.integers(0, 8), st.integers(1, 4), st.sampled_from(LABELS.names), st.integers(0, 1), st.integers(1, 99),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda span: span.score,
)  # fmt: skip


@given(_SPANS, _SPANS, st.sampled_from(RULES))
@settings(max_examples=40, deadline=None)
def test_each_person_is_scored_as_a_recording_of_their_own(true: list[Span], predicted: list[Span], rule: str) -> None:
    """And so nothing changes where both sides exchange the people."""
    labels = replace(LABELS, exclusive=False)
    durations, fps = {"x": 12.0, "x0": 12.0, "x1": 12.0}, {"x": 2.0, "x0": 2.0, "x1": 2.0}

    def figures(truth: dict[str, list[Span]], predictions: dict[str, list[Span]]) -> dict[str, object]:
        annotations = {name: Annotation(tuple(spans), labels) for name, spans in truth.items()}
        known = Truth(annotations, labels, durations, fps, people={"x": (0, 1)} if "x" in truth else {})
        result = evaluate(Predictions({name: tuple(spans) for name, spans in predictions.items()}), known, rule=rule)
        data = result.to_dict()
        return {name: data[name] for name in ("map", "map_average", "per_class", "errors") if name in data}

    def by_name(spans: list[Span]) -> dict[str, list[Span]]:
        return {f"x{slot}": [replace(s, person=None) for s in spans if s.person == slot] for slot in (0, 1)}

    def exchanged(spans: list[Span]) -> list[Span]:
        return [replace(span, person=1 - (span.person or 0)) for span in spans]

    together = figures({"x": true}, {"x": predicted})
    assert together == figures(by_name(true), by_name(predicted))
    assert together == figures({"x": exchanged(true)}, {"x": exchanged(predicted)})


@pytest.mark.parametrize(
    ("people", "overlap"), [((0, 1), False), ((0, 0), True), ((None, 0), True), ((None, None), True), ((1, 0), False)]
)
def test_actions_of_different_people_do_not_overlap(people: tuple[int | None, int | None], overlap: bool) -> None:
    spans = (mine(0, 4, "walk", people[0]), mine(2, 6, "sit", people[1]), mine(8, 9, "sit", 2))
    assert SpanTable.of({"x": spans}).has_overlaps() is overlap
    assert not SpanTable.of({"x": spans[:1], "y": spans[1:]}).has_overlaps()


def test_what_a_person_does_is_theirs_and_nobodys_in_particular() -> None:
    annotation = Annotation((mine(0, 1, "walk", 0), mine(1, 2, "sit"), mine(2, 3, "walk", 3)), LABELS, ((0.0, 5.0),))
    assert annotation.people == (0, 3)
    assert [span.start for span in annotation.of_person(3).spans] == [1, 2]
    assert [span.start for span in annotation.of_person(1).spans] == [1]
    assert annotation.of_person(3).covered == ((0.0, 5.0),)
    assert annotation.of_person(None) is annotation
