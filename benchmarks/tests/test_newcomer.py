"""The eyes of the newcomer's path: jumps and turns are seen where they are, by rules."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.newcomer import actions, best_match, stretches

from kinespan.data.annotation import Span
from kinespan.data.recording import Recording
from kinespan.data.skeleton import Skeleton

FPS = 60.0
JOINTS = ("CC_Base_L_Thigh", "CC_Base_R_Thigh", "CC_Base_L_ToeBase", "CC_Base_R_ToeBase")


def somebody(seconds: float) -> np.ndarray:
    """(T, 1, 4, 3): thighs beside each other, toes on the ground."""
    return np.tile(
        [[-0.1, 1.0, 0.0], [0.1, 1.0, 0.0], [-0.1, 0.0, 0.0], [0.1, 0.0, 0.0]], (round(seconds * FPS), 1, 1, 1)
    )


def recording(positions: np.ndarray) -> Recording:
    return Recording(positions.astype(np.float32), FPS, Skeleton("some", JOINTS, (-1, 0, 0, 1)), "take")


def test_a_jump_is_the_time_in_the_air_and_a_little_around_it() -> None:
    positions = somebody(4.0)
    positions[60:90, ..., 1] += 0.3
    (span,) = actions(recording(positions))
    assert span.label == "jump"
    assert [span.start, span.end] == pytest.approx([0.85, 1.65])


def test_one_foot_in_the_air_is_no_jump() -> None:
    positions = somebody(4.0)
    positions[60:90, :, 2, 1] += 0.3
    assert actions(recording(positions)) == ()


def test_a_turn_is_seen_outside_of_jumps_only() -> None:
    positions = somebody(6.0)
    angle = np.interp(np.arange(360) / FPS, [1, 3], [0, 2 * np.pi])  # a turn in two seconds
    x = positions[..., 0].copy()
    positions[..., 0], positions[..., 2] = x * np.cos(angle)[:, None, None], x * np.sin(angle)[:, None, None]
    (turn,) = actions(recording(positions))
    assert turn.label == "turn"
    assert turn.start == pytest.approx(1.0, abs=0.15)
    assert turn.end == pytest.approx(3.0, abs=0.15)
    positions[120:150, ..., 1] += 0.3
    assert [span.label for span in actions(recording(positions))] == ["turn", "jump", "turn"]


def test_short_stretches_are_left_out_and_near_ones_joined() -> None:
    mask = np.zeros(100, bool)
    mask[10:30] = mask[32:40] = mask[60:62] = True
    assert stretches(mask, 10.0, shortest=0.5, gap=0.5) == [(1.0, 4.0)]


def test_a_match_has_the_label_and_half_of_the_time() -> None:
    truth = (Span(0.0, 1.0, "jump"), Span(1.0, 3.0, "turn"))
    assert best_match(Span(0.2, 1.0, "jump"), truth) == truth[0]
    assert best_match(Span(0.2, 1.0, "turn"), truth) is None
    assert best_match(Span(0.0, 4.0, "jump"), truth) is None
