"""Frame accuracy, confusion, edit score and F1@k."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_metrics import f1_counts, levenshtein, segments
from sklearn.metrics import accuracy_score, precision_recall_fscore_support
from sklearn.metrics import confusion_matrix as sklearn_confusion

from kinespan.data.annotation import IGNORE
from kinespan.metrics import confusion_matrix, edit_score, f1_at_k, frame_accuracy, frame_counts
from kinespan.metrics.segments import _levenshtein

IDS = st.integers(0, 3)
TAKES = st.lists(st.lists(st.tuples(IDS, IDS), min_size=1, max_size=30), min_size=1, max_size=4)


def arrays(takes):
    return (
        [np.array([pair[0] for pair in take], dtype=np.int64) for take in takes],
        [np.array([pair[1] for pair in take], dtype=np.int64) for take in takes],
    )


def ids(text):
    return np.array([IGNORE if c == "?" else int(c) for c in text], dtype=np.int64)


def test_frame_metrics_by_hand():
    matrix = confusion_matrix([ids("0112"), ids("22")], [ids("0122"), ids("2?")], 2)
    assert matrix.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 2]]
    assert frame_accuracy(matrix) == pytest.approx(4 / 5)
    counts = frame_counts(matrix)
    assert counts.true.tolist() == [1, 3]
    np.testing.assert_allclose(counts.precision, [1 / 2, 1])
    np.testing.assert_allclose(counts.recall, [1, 2 / 3])


def test_unlabelled_true_frames_are_ignored_and_unlabelled_predictions_are_background():
    matrix = confusion_matrix([ids("1??")], [ids("??1")], 1)
    assert matrix.tolist() == [[0, 0], [1, 0]]
    assert np.isnan(frame_accuracy(confusion_matrix([ids("11")], [ids("??")], 1)))
    assert np.isnan(frame_counts(confusion_matrix([], [], 1)).precision).all()


@given(TAKES)
@settings(max_examples=60, deadline=None)
def test_frame_metrics_agree_with_scikit_learn(takes):
    found, true = arrays(takes)
    matrix = confusion_matrix(found, true, 3)
    pooled = np.concatenate(true), np.concatenate(found)
    np.testing.assert_array_equal(matrix, sklearn_confusion(*pooled, labels=range(4)))
    assert frame_accuracy(matrix) == pytest.approx(accuracy_score(*pooled))
    precision, recall, _, _ = precision_recall_fscore_support(*pooled, labels=[1, 2, 3], zero_division=np.nan)
    np.testing.assert_allclose(frame_counts(matrix).precision, precision)
    np.testing.assert_allclose(frame_counts(matrix).recall, recall)


def test_edit_score_by_hand():
    # walk sit walk against walk sit: one deletion of three.
    assert edit_score([ids("1102201")], [ids("1112220")]) == pytest.approx(2 / 3)
    assert edit_score([ids("1122"), ids("00")], [ids("1222"), ids("00")]) == 1.0
    assert edit_score([ids("00")], [ids("11")]) == 0.0
    assert np.isnan(edit_score([], []))


def test_f1_by_hand():
    # Segments of 1: [0, 4) against [0, 8), tIoU 0.5; of 2: [4, 8) against [8, 10), none.
    assert f1_at_k([ids("1111222200")], [ids("1111111122")]) == pytest.approx((0.5, 0.5, 0.5))
    assert f1_at_k([ids("1111222200")], [ids("1111111122")], (0.51,)) == (0.0,)
    # Two predictions on one true segment: one is right, one is wrong.
    assert f1_at_k([ids("1111101111")], [ids("1111111111")], (0.1,)) == pytest.approx((2 / 3,))
    assert np.isnan(f1_at_k([ids("00")], [ids("00")], (0.1,))[0])


def test_unlabelled_time_cuts_predicted_and_true_segments():
    found, true = ids("111111"), ids("11??11")
    assert edit_score([found], [true]) == 1.0
    assert f1_at_k([found], [true], (0.99,)) == (1.0,)


@given(TAKES, st.sampled_from((0.1, 0.25, 0.5)))
@settings(max_examples=150, deadline=None)
def test_f1_agrees_with_the_slow_reference(takes, k):
    found, true = arrays(takes)
    tp, fp, fn = np.sum([f1_counts(a, b, k) for a, b in zip(found, true, strict=True)], axis=0)
    value = f1_at_k(found, true, (k,))[0]
    if tp + fp + fn == 0:
        assert np.isnan(value)
    else:
        assert value == pytest.approx(2 * tp / (2 * tp + fp + fn))


@given(TAKES)
@settings(max_examples=60, deadline=None)
def test_edit_agrees_with_the_slow_reference(takes):
    found, true = arrays([take[:7] for take in takes])
    expected = []
    for a, b in zip(found, true, strict=True):
        left, right = ([value for value, _, _ in segments(x)] for x in (a, b))
        longest = max(len(left), len(right))
        expected.append(1 - levenshtein(left, right) / longest if longest else 1.0)
    assert edit_score(found, true) == pytest.approx(np.mean(expected))


@given(st.lists(IDS, max_size=12), st.lists(IDS, max_size=12), st.lists(IDS, max_size=12))
@settings(max_examples=100, deadline=None)
def test_levenshtein_is_a_metric(a, b, c):
    assert _levenshtein(a, b) == _levenshtein(b, a)
    assert (_levenshtein(a, b) == 0) == (a == b)
    assert _levenshtein(a, c) <= _levenshtein(a, b) + _levenshtein(b, c)
    assert abs(len(a) - len(b)) <= _levenshtein(a, b) <= max(len(a), len(b))


@pytest.mark.parametrize("left, right", [(1, 200), (63, 70), (64, 64), (65, 60), (150, 140)])
def test_levenshtein_of_long_sequences_agrees_with_the_table(left, right):
    rng = np.random.default_rng(left)
    for labels in (2, 20):
        a, b = rng.integers(0, labels, left).tolist(), rng.integers(0, labels, right).tolist()
        row = list(range(right + 1))
        for i in range(left):
            above, row = row, [i + 1]
            for j in range(right):
                row.append(min(above[j + 1] + 1, row[j] + 1, above[j] + (a[i] != b[j])))
        assert _levenshtein(a, b) == row[-1]


@given(TAKES)
@settings(max_examples=40, deadline=None)
def test_perfect_frames_score_one(takes):
    _, true = arrays(takes)
    assert frame_accuracy(confusion_matrix(true, true, 3)) == 1.0
    assert edit_score(true, true) == 1.0
    assert all(value == 1.0 or np.isnan(value) for value in f1_at_k(true, true))
