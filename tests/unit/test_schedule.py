"""The learning rate over the steps of a run."""

from __future__ import annotations

import math

import pytest

from kinespan.config import FinetuneConfig, PretrainConfig
from kinespan.errors import InputError
from kinespan.train.engine import lr_share


def test_warmup_and_cosine_by_hand() -> None:
    shares = [lr_share(step, 100) for step in range(100)]
    assert shares[:10] == [pytest.approx((step + 1) / 10) for step in range(10)]
    assert shares[10] == 1
    assert shares[55] == pytest.approx(0.5)
    assert shares[99] == pytest.approx(0.5 * (1 + math.cos(math.pi * 89 / 90)))
    assert lr_share(0, 1) == 1


def test_learning_rate_drops_follow_the_papers() -> None:
    """The release's finetuning: 40 epochs of 10 steps, ten of them warm-up, a tenth at 30 and at 35."""
    shares = [lr_share(step, 400, 0.25, (0.75, 0.875)) for step in range(400)]
    assert shares[99] == 1
    assert set(shares[100:300]) == {1}
    assert {round(share, 9) for share in shares[300:350]} == {0.1}
    assert {round(share, 9) for share in shares[350:]} == {0.01}


@pytest.mark.parametrize("kind", [PretrainConfig, FinetuneConfig])
@pytest.mark.parametrize("wrong", [{"warmup": -0.1}, {"lr_drops": (0.5, 1.5)}])
def test_shares_outside_0_to_1_are_refused(kind: type, wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match="0 to 1"):
        kind(**wrong)
