"""People whom a file tells apart by their order alone keep their places."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.data.skeletons import COCO_17
from kinespan.io import ReadOptions, read
from kinespan.io.base import FileMotion
from kinespan.io.identities import steady_orders, with_steady_people

FPS = 30.0


def walkers(count, frames=60, seed=0):
    """Positions (T, P, 17, 3) of people 2 m apart who walk side by side, and sway."""
    rng = np.random.default_rng(seed)
    pose = rng.normal(scale=0.3, size=(17, 3))
    start = np.arange(count)[:, None, None] * np.array([2.0, 0, 0])
    path = np.linspace(0, 3, frames)[:, None, None, None] * np.array([0, 0, 1.0])
    return pose + start + path + rng.normal(scale=0.005, size=(frames, count, 17, 3))


def motion(positions, valid=None, by_order=True):
    return FileMotion(positions, COCO_17, FPS, "made", valid=valid, people_by_order=by_order)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 4), st.integers(0, 2**32))
def test_people_shuffled_in_every_frame_are_put_right(count, seed):
    rng = np.random.default_rng(seed)
    true = walkers(count, seed=seed)
    orders = np.array([rng.permutation(count) for _ in range(len(true))])
    orders[0] = np.arange(count)
    shuffled = true[np.arange(len(true))[:, None], orders]
    steady = with_steady_people(motion(shuffled), FPS)
    np.testing.assert_array_equal(steady.positions, true)
    if (orders != np.arange(count)).any():
        assert "decided: people who exchanged places in the file keep theirs" in steady.history[-1]


def test_one_exchange_is_counted_once():
    true = walkers(2)
    swapped = true.copy()
    swapped[30:] = true[30:, ::-1]
    steady = with_steady_people(motion(swapped), FPS)
    np.testing.assert_array_equal(steady.positions, true)
    assert steady.history == ("decided: people who exchanged places in the file keep theirs, by continuity (1 time)",)


def test_somebody_who_moves_up_when_another_leaves_keeps_the_place():
    true = walkers(2)
    valid = np.ones(true.shape[:3], dtype=bool)
    stored, stored_valid = true.copy(), valid.copy()
    stored[40:, 0], stored[40:, 1] = true[40:, 1], 0  # the first leaves, the second comes first in the list
    stored_valid[40:, 1] = False
    steady = with_steady_people(motion(stored, stored_valid), FPS)
    assert not steady.valid[40:, 0].any()
    np.testing.assert_array_equal(steady.positions[40:, 1], true[40:, 1])


def test_files_with_ids_and_single_people_are_left_alone():
    swapped = walkers(2)
    swapped[30:] = swapped[30:, ::-1]
    for untouched in (motion(swapped, by_order=False), motion(swapped[:, :1])):
        assert with_steady_people(untouched, FPS) is untouched


def test_an_array_whose_people_exchange_places_is_put_right_and_told(tmp_path):
    true = walkers(2)
    swapped = true.copy()
    swapped[30:] = true[30:, ::-1]
    np.save(tmp_path / "pair.npy", swapped)
    recording = read(tmp_path / "pair.npy", options=ReadOptions(fps=FPS, unit="m", up="y")).recording
    np.testing.assert_allclose(recording.positions, true, atol=1e-6)
    assert any("people who exchanged places in the file keep theirs" in note for note in recording.history)


def test_people_in_order_are_left_alone():
    untouched = motion(walkers(3))
    assert with_steady_people(untouched, FPS) is untouched


def test_people_who_come_close_do_not_exchange_places():
    true = walkers(2)
    true[:, 1, :, 0] -= 1.7  # 0.3 m apart, and each moves by a few centimetres a frame
    assert (steady_orders(true, np.ones(true.shape[:3], dtype=bool), 15) == [0, 1]).all()


@pytest.mark.parametrize("gap, is_remembered", [(10, True), (20, False)])
def test_nothing_is_concluded_from_long_ago(gap, is_remembered):
    true = walkers(2)
    valid = np.ones(true.shape[:3], dtype=bool)
    valid[20 : 20 + gap] = False
    swapped = true.copy()
    swapped[20 + gap :] = true[20 + gap :, ::-1]
    orders = steady_orders(swapped, valid, 15)
    assert (orders[-1] == ([1, 0] if is_remembered else [0, 1])).all()
