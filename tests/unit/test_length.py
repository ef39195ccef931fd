"""How long to train, by the losses of a rehearsal, and what is held back for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinespan.config import FinetuneConfig
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.train.length import FIRST_CHECK, GAIN, Check, steps_of
from kinespan.train.rehearsal import MAX_HELD_BACK, held_back

MIN_STEPS = 1200
LABELS = LabelSet(("kick", "punch", "wave"))


def checks_of(*losses: float) -> list[Check]:
    return [Check(FIRST_CHECK * 2**doubling, loss) for doubling, loss in enumerate(losses)]


def test_a_rehearsal_ends_where_twice_the_steps_no_longer_lower_the_loss() -> None:
    assert steps_of(checks_of(1.0), MIN_STEPS, 9600) is None, "one check tells nothing"
    assert steps_of(checks_of(1.0, 0.5), MIN_STEPS, 9600) is None, "it is still falling"
    assert steps_of(checks_of(1.0, 0.5, 0.3, 0.2, 0.199), MIN_STEPS, 19200) == 2 * 2400, (
        "twice the steps of the lowest loss"
    )
    assert steps_of(checks_of(1.0, 0.5, 0.3, 0.2, 0.3), MIN_STEPS, 19200) == 2 * 1200
    assert steps_of(checks_of(1.0, 1.1), MIN_STEPS, 9600) == MIN_STEPS


def test_the_budget_bounds_the_training_and_the_rehearsal() -> None:
    assert steps_of(checks_of(1.0, 0.9, 0.8), MIN_STEPS, 1200) == 1200, "a rehearsal of 600 steps is half of the budget"
    assert steps_of(checks_of(1.0, 1.1), MIN_STEPS, 700) == 700
    assert steps_of([Check(50, 1.0)], MIN_STEPS, 100) == 100


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=8), st.integers(1, 100_000))
def test_the_steps_never_exceed_the_budget_nor_fall_below_what_is_always_worth_it(
    losses: list[float], budget: int
) -> None:
    checks = checks_of(*losses)
    steps = steps_of(checks, MIN_STEPS, budget)
    falling = len(losses) == 1 or losses[-1] < (1 - GAIN) * losses[-2]
    assert (steps is None) == (falling and 2 * checks[-1].step < budget)
    if steps is not None:
        assert min(budget, MIN_STEPS) <= steps <= budget


def annotation(*labels: str) -> Annotation:
    return Annotation(tuple(Span(index, index + 0.5, label) for index, label in enumerate(labels)), LABELS)


@pytest.mark.parametrize(("count", "expected"), [(1, 0), (2, 1), (3, 1), (4, 1), (8, 2), (400, MAX_HELD_BACK)])
def test_a_quarter_of_the_recordings_is_held_back(count: int, expected: int) -> None:
    annotations = {f"take {index}": annotation("kick") for index in range(count)} | {"without labels": None}
    names = held_back(annotations, seed=3)
    assert len(names) == expected
    assert "without labels" not in names
    assert names == held_back(annotations, seed=3)


@given(st.integers(0, 50))
def test_a_label_that_others_show_too_is_held_back_rather_than_the_only_one(seed: int) -> None:
    annotations = {"only": annotation("wave"), "a": annotation("kick", "punch"), "b": annotation("kick"),
                   "c": annotation("punch")}  # fmt: skip
    assert held_back(annotations, seed) in (("a",), ("b",), ("c",))


def test_a_pyramid_takes_half_of_the_least_steps() -> None:
    config = FinetuneConfig()
    assert (config.least_steps(1), config.least_steps(4)) == (1200, 600)
    assert FinetuneConfig(budget=700).least_steps(1) == 700
