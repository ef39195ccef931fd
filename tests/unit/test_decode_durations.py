"""Segmentation under durations, against every possible segmentation; durations learnt from spans."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.config import Normalisation
from kinespan.data.annotation import IGNORE, LabelSet, runs
from kinespan.data.skeletons import KINECT_20
from kinespan.decode import DecodeConfig, decode, segment
from kinespan.decode.durations import MAX_TABLE_FRAMES, MIN_SPREAD, duration_table, learn_durations, most_probable
from kinespan.errors import InputError
from kinespan.models.input_spec import InputSpec
from kinespan.models.model_file import ModelSpec

TWO = LabelSet(("walk", "sit"))


def value_of(ids, scores, table):
    """What the model maximises, run by run; log densities beyond the table go on in a falling line."""
    classes, longest = table.shape
    total = 0.0
    for value, start, end in runs(np.array(ids)):
        total += sum(math.log(max(1e-4, float(scores[t, value]))) for t in range(start, end))
        last = float(table[value, -1])
        slope = min(0.0, last - float(table[value, -2]))
        length = end - start
        density = float(table[value, length - 1]) if length <= longest else last + (length - longest) * slope
        total += density - math.log(classes - 1)
    return total


def softmax_rows(seed, frames, classes, scale=1.5):
    logits = scale * np.random.default_rng(seed).standard_normal((frames, classes))
    parts = np.exp(logits)
    return (parts / parts.sum(axis=1, keepdims=True)).astype(np.float32)


@given(
    seed=st.integers(0, 9999),
    frames=st.integers(1, 7),
    classes=st.integers(2, 3),
    longest=st.integers(2, 8),
)
@settings(max_examples=60, deadline=None)
def test_viterbi_agrees_with_trying_every_segmentation(seed, frames, classes, longest):
    """Against all of them; tables that end before, at and after the recording's length."""
    scores = softmax_rows(seed, frames, classes)
    table = np.random.default_rng(seed + 1).normal(-2, 1.5, (classes, longest))
    found = most_probable(scores, table)
    assert found.shape == (frames,)
    best = max(value_of(ids, scores, table) for ids in product(range(classes), repeat=frames))
    assert value_of(found, scores, table) == pytest.approx(best, abs=1e-9)


def test_segmentation_of_a_repeated_take_repeats():
    """What is far away does not change what is here: one take ten times, with a frame that is certain in between."""
    one = softmax_rows(3, 80, 3)
    one[0] = [1, 0, 0]
    table = duration_table(((math.log(0.5), 0.4), (math.log(1), 0.3), (math.log(2), 0.5)), 10.0)
    ids = most_probable(np.tile(one, (10, 1)), table)
    parts = ids.reshape(10, 80)
    assert np.array_equal(parts[2], parts[7])
    assert len(set(ids.tolist())) == 3


def test_durations_remove_a_flicker_and_keep_a_clear_action():
    durations = ((math.log(2), 0.3),) * 3
    truth = np.repeat([0, 1, 2, 1, 0], [20, 20, 20, 2, 20])
    scores = np.full((82, 3), 0.1, dtype=np.float32)
    scores[np.arange(82), truth] = 0.8
    table = duration_table(durations, 10.0)
    expected = np.repeat([0, 1, 2, 0], [20, 20, 22, 20])
    found = most_probable(scores, table)
    assert [value for value, _, _ in runs(found)] == [0, 1, 2, 0]
    assert (found != expected).sum() <= 2
    config = DecodeConfig(segmentation="viterbi", durations=durations)
    assert [(s.label, s.start, s.end) for s in segment(scores, 10, TWO, config)][:2] == [
        ("walk", 2.0, 4.0), ("sit", 4.0, pytest.approx(6.1, abs=0.11)),
    ]  # fmt: skip


def test_one_class_or_no_frames_need_no_durations():
    assert most_probable(np.ones((4, 1), np.float32), np.zeros((1, 3))).tolist() == [0] * 4
    assert most_probable(np.ones((0, 3), np.float32), np.zeros((3, 3))).tolist() == []
    assert (
        segment(np.ones((0, 3), np.float32), 10, TWO, DecodeConfig(segmentation="viterbi", durations=((0.0, 1.0),) * 3))
        == []
    )


# ---- durations -------------------------------------------------------------------------------------------------------


def test_duration_densities_sum_to_one():
    table = duration_table(((math.log(2), 0.4), (math.log(5), 0.3)), 25.0)
    assert np.exp(table).sum(axis=1) == pytest.approx([1, 1], abs=0.01)
    assert table.shape[1] == math.ceil(5 * math.exp(0.9) * 25)
    assert duration_table(((math.log(99), 0.4),), 25.0).shape == (1, MAX_TABLE_FRAMES)
    # by hand: at the median the density of log seconds is 1 / (0.4 sqrt(2 pi)), per frame divided by its 50 frames
    assert table[0, 49] == pytest.approx(-math.log(0.4 * math.sqrt(2 * math.pi)) - math.log(50))


def test_durations_by_hand():
    ids = [np.repeat([0, 1, 0, 1, 2, 0], [5, 10, 20, 40, 10, 7])]
    background, walk, sit = learn_durations(ids, 10.0, 3)
    # one whole background of 2 s (the ends are cut), walks of 1 s and 4 s, one sit of 1 s
    own = 2 * math.log(2) ** 2
    common = own / 4
    spread = math.sqrt(3 * common / 4)
    assert background == pytest.approx((math.log(2), spread))
    assert walk == pytest.approx((math.log(2), math.sqrt((own + 3 * common) / 5)))
    assert sit == pytest.approx((0.0, spread))


def test_cut_segments_count_only_for_classes_without_a_complete_one():
    (background, walk) = learn_durations([np.repeat([0, 1, IGNORE, 1], [10, 20, 5, 20])], 10.0, 2)
    assert (background[0], walk[0]) == pytest.approx((0.0, math.log(2)))
    ids = [np.repeat([0, 1, IGNORE, 1, 0, 1, 0], [10, 20, 5, 20, 40, 8, 3])]
    (background, walk) = learn_durations(ids, 10.0, 2)
    assert (background[0], walk[0]) == pytest.approx((math.log(4), math.log(0.8)))


def test_a_class_without_segments_has_the_durations_of_all():
    durations = learn_durations([np.repeat([0, 1, 0], [10, 30, 10])], 10.0, 3)
    logs = [0.0, 0.0, math.log(3)]
    assert durations[2] == pytest.approx((np.mean(logs), np.std(logs)))
    assert all(spread >= MIN_SPREAD for _, spread in durations)
    assert learn_durations([np.full(9, IGNORE)], 10.0, 3) == ()


def test_durations_in_seconds_do_not_depend_on_the_rate():
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(40) % 3, rng.integers(5, 60, 40))
    assert np.allclose(learn_durations([np.repeat(ids, 3)], 30.0, 3), learn_durations([ids], 10.0, 3))


# ---- in a config and a model file ------------------------------------------------------------------------------------


DURATIONS = ((0.5, 0.25), (1.0, 0.5), (-0.5, 0.75))


def test_the_config_chooses_argmax_or_viterbi():
    scores = softmax_rows(0, 60, 3)
    config = DecodeConfig(segmentation="viterbi", durations=DURATIONS)
    found = segment(scores, 10, TWO, config)
    plain = segment(scores, 10, TWO)
    assert len(found) < len(plain)
    assert segment(scores, 10, TWO, DecodeConfig(durations=DURATIONS)) == plain
    key = {span.start: span for span in decode(scores, 10, TWO, replace(config, method="argmax"))}
    assert [key[span.start] for span in found] == found


def test_viterbi_without_durations_or_with_overlapping_labels_is_refused():
    scores = softmax_rows(0, 20, 3)
    with pytest.raises(InputError, match=r"of 0 classes, expected 3.*finetune"):
        segment(scores, 10, TWO, DecodeConfig(segmentation="viterbi"))
    config = DecodeConfig(segmentation="viterbi", durations=DURATIONS)
    with pytest.raises(InputError, match="needs exclusive labels"):
        segment(scores, 10, replace(TWO, exclusive=False), config)
    for wrong in ({"segmentation": "loud"}, {"durations": ((1.0, 0.0),)}, {"durations": ((math.nan, 1.0),)},
                  {"durations": ((1.0,),)}):  # fmt: skip
        with pytest.raises(InputError, match=next(iter(wrong))):
            DecodeConfig(**wrong)


def test_durations_survive_the_model_file():
    spec = ModelSpec(
        kind="localizer", input=InputSpec(KINECT_20, 10.0, ("joint",), Normalisation()),
        encoder="tcn", fusion="nested_u", labels=TWO,
        decode=DecodeConfig(segmentation="viterbi", durations=DURATIONS),
    )  # fmt: skip
    data = json.loads(json.dumps(spec.to_dict()))
    assert ModelSpec.from_dict(data) == spec
    for field in ("segmentation", "durations"):
        del data["decode"][field]
    assert ModelSpec.from_dict(data) == replace(spec, decode=DecodeConfig())
    data["decode"]["durations"] = [[1.0]]
    with pytest.raises(InputError, match=r"some\.safetensors"):
        ModelSpec.from_dict(data, "some.safetensors")
