"""How long to train: by the loss on held-back recordings, as the steps of a rehearsal double.

Notable choices:
- answers improve for some time after the loss does not: a training takes twice the steps at which the loss was lowest,
  and never fewer than are always worth it
- the budget bounds the training, so a rehearsal, which is half as long, bounds itself
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

FIRST_CHECK = 150
"""The loss is computed at this step, and whenever the steps have doubled."""
GAIN = 0.03
"""The loss has to fall by this share when the steps double, for the rehearsal to go on."""


class Check(NamedTuple):
    """The loss on the held-back recordings after so many steps, in nats a frame, at its best temperature."""

    step: int
    loss: float


def is_level(checks: Sequence[Check]) -> bool:
    """Whether the loss fell by less than `GAIN` when the steps doubled last."""
    return len(checks) > 1 and not checks[-1].loss < (1 - GAIN) * checks[-2].loss


def steps_of(checks: Sequence[Check], least: int, budget: int) -> int | None:
    """The steps of the training proper that the checks so far ask for; None while the rehearsal has to go on.

    They are at least `least`, as `FinetuneConfig.least_steps` has it, and at most `budget`.
    """
    if is_level(checks):
        best = min(checks, key=lambda check: check.loss)
        return min(budget, max(least, 2 * best.step))
    return budget if 2 * checks[-1].step >= budget else None
