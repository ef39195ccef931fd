"""BABEL's rules: STAL's build against a slow one written from its description, frame rates and labels known by hand,
the mended labels against a loop over moments, and the names under which motion may lie."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.data.annotation import LabelSet
from kinespan.errors import InputError
from kinespan.prepare.recipes.babel_json import Segment, Sequence
from kinespan.prepare.recipes.babel_labels import SUBSETS
from kinespan.prepare.recipes.babel_motion import amass_paths, cmu_paths
from kinespan.prepare.recipes.babel_rules import even_frames, fixed_annotation, stal_frames, stal_ids

SUBSET_1 = LabelSet(SUBSETS["subset1"])
FEAT_P = "CMU/CMU/141/141_05_poses.npz"


# ---- frames ----------------------------------------------------------------------------------------------------


def slow_frames(num_frames, fps):
    """STAL's choice of frames, one by one."""
    if int(fps) % 30 == 0:
        chosen, at = [], 0
        while at * (fps / 30) < num_frames:
            chosen.append(math.floor(at * (fps / 30)))
            at += 1
        return chosen
    chosen = []
    for second in range(num_frames // int(fps) + 1):
        for n in range(30):
            frame = math.floor(fps / 30 * n) + second * int(fps)
            if frame < num_frames:
                chosen.append(frame)
    return chosen


@pytest.mark.parametrize(
    ("num_frames", "fps", "starts", "count"),
    [
        (240, 120.0, [0, 4, 8, 12], 60),
        (241, 120.0, [0, 4, 8, 12], 61),
        (120, 60.0, [0, 2, 4], 60),
        (300, 150.0, [0, 5, 10], 60),
        (200, 100.0, [0, 3, 6, 10, 13, 16, 20], 60),
        (103, 100.0, [0, 3, 6, 10], 31),  # of the last second only frames 100, 101, 102 are there: one is kept
        (104, 100.0, [0, 3, 6, 10], 32),
        (250, 250.0, [0, 8, 16, 25, 33, 41, 50], 30),
        (59, 59.99999, [0, 1, 3, 5, 7], 30),
        (118, 59.99999, [0, 1, 3, 5, 7], 60),
        (240, 120.00005, [0, 4, 8, 12], 60),
    ],
)
def test_stal_frames_by_hand(num_frames, fps, starts, count):
    kept = stal_frames(num_frames, fps)
    assert kept[: len(starts)].tolist() == starts
    assert len(kept) == count
    assert kept.tolist() == slow_frames(num_frames, fps)


def test_the_frame_pattern_of_stal_restarts_every_second():
    assert stal_frames(200, 100.0)[30:34].tolist() == [100, 103, 106, 110]
    # a rate of almost 60 counts as 59 frames a second: each second starts a frame early, and drifts
    assert stal_frames(118, 59.99999)[30:33].tolist() == [59, 60, 62]


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 2000), st.sampled_from([120.0, 100.0, 60.0, 250.0, 150.0, 59.99999, 120.00005, 25.0, 30.0]))
def test_frames_are_in_order_and_inside(num_frames, fps):
    assert stal_frames(num_frames, fps).tolist() == slow_frames(num_frames, fps)
    for kept in (stal_frames(num_frames, fps), even_frames(num_frames, fps)):
        assert kept[0] == 0
        assert (np.diff(kept) >= 0).all()
        assert kept[-1] < num_frames
    # evenly spaced frames never stray by a frame of the file from where they belong, however long the file
    even = even_frames(num_frames, fps)
    assert np.abs(even - np.arange(len(even)) * fps / 30).max() < 1
    assert abs(len(even) / 30 - num_frames / fps) < 1 / 30 + 1e-3 or num_frames < fps / 30


def test_both_rules_agree_at_30_fps():
    for fps in (120.0, 60.0, 30.0):
        np.testing.assert_array_equal(stal_frames(480, fps), even_frames(480, fps))
    np.testing.assert_array_equal(stal_frames(500, 100.0), even_frames(500, 100.0))


def test_a_rate_below_one_is_refused():
    with pytest.raises(InputError, match=r"the rate is 0\.5"):
        stal_frames(10, 0.5)


# ---- labels by STAL --------------------------------------------------------------------------------------------


def sequence(segments, duration, sid="1", part="train"):
    made = (
        None if segments is None else tuple(Segment(start, end, tuple(names or ())) for start, end, names in segments)
    )
    return Sequence(sid, FEAT_P, duration, part, made)


def slow_ids(segments, duration, classes):
    """STAL's labels as its description has them: a dict from frame to the set of its categories, in order of frames."""
    frames = {}
    for n in range(int(30 * duration)):
        for start, end, categories in segments:
            if start <= n / 30 < end:
                for category in categories or ():
                    frames.setdefault(n, set()).add(category)
    ids = []
    for categories in frames.values():
        common = [name for name in classes if name in categories]
        ids.append(classes.index(common[0]) + 1 if common else 0)
    return ids


CASES = {
    "one after the other": ([(0, 1, ["walk"]), (1, 2, ["turn"])], 2.0, [1] * 30 + [3] * 30),
    "unsorted": ([(1, 2, ["turn"]), (0, 1, ["walk"])], 2.0, [1] * 30 + [3] * 30),
    "a gap pulls later labels forward": ([(0, 1, ["walk"]), (2, 3, ["turn"])], 3.0, [1] * 30 + [3] * 30),
    "no category is a gap": ([(0, 1, ["walk"]), (1, 2, None), (2, 3, ["turn"])], 3.0, [1] * 30 + [3] * 30),
    "an empty list is a gap": ([(0, 1, []), (1, 2, ["turn"])], 2.0, [3] * 30),
    "another category is background": ([(0, 1, ["bend"]), (1, 2, ["jump"])], 2.0, [0] * 30 + [4] * 30),
    "of several the first of the set": ([(0, 1, ["turn", "walk"])], 1.0, [1] * 30),
    "overlap": ([(0, 2, ["turn"]), (1, 3, ["walk"])], 3.0, [3] * 30 + [1] * 60),
    "past the end": ([(0, 9, ["stand"])], 1.0, [2] * 30),
    "before the start": ([(-1, 0.5, ["stand"])], 1.0, [2] * 15),
    "wholly past the end": ([(0, 1, ["stand"]), (5, 6, ["walk"])], 1.0, [2] * 30),
    "between two frames": ([(0, 1, ["stand"]), (0.01, 0.03, ["walk"])], 1.0, [2] * 30),
    "upside down": ([(0, 1, ["stand"]), (1, 0.5, ["walk"])], 1.0, [2] * 30),
    "nothing": ([], 1.0, []),
}


@pytest.mark.parametrize("case", CASES)
def test_stal_labels_by_hand(case):
    segments, duration, expected = CASES[case]
    assert stal_ids(sequence(segments, duration), SUBSET_1).tolist() == expected
    assert slow_ids(segments, duration, SUBSETS["subset1"]) == expected


NAMES = st.lists(st.sampled_from([*SUBSETS["subset1"], "bend", "sit"]), max_size=3, unique=True) | st.none()
SEGMENTS = st.lists(st.tuples(st.floats(-1, 8), st.floats(-1, 9), NAMES), max_size=8)


@settings(max_examples=150, deadline=None)
@given(SEGMENTS, st.floats(0.02, 8))
def test_stal_labels_agree_with_the_slow_reference(segments, duration):
    fast = stal_ids(sequence(segments, duration), SUBSET_1).tolist()
    assert fast == slow_ids(segments, duration, SUBSETS["subset1"])


# ---- labels, mended --------------------------------------------------------------------------------------------


def spans(annotation):
    return [(span.start, span.end, span.label) for span in annotation.spans]


def test_gaps_are_not_covered_and_do_not_shift_labels():
    found = fixed_annotation(sequence([(0, 1, ["walk"]), (1, 1.5, None), (2, 3, ["bend"])], 4.0), SUBSET_1, 4.0)
    assert spans(found) == [(0, 1, "walk")]
    assert found.covered == ((0, 1), (2, 3))
    assert found.frame_ids(4, 1.0).tolist() == [1, -100, 0, -100]


def test_the_shorter_of_overlapping_labels_wins():
    found = fixed_annotation(sequence([(0, 9, ["walk"]), (3, 5, ["turn"]), (4, 8, ["bend"])], 9.0), SUBSET_1, 9.0)
    assert spans(found) == [(0, 3, "walk"), (3, 5, "turn"), (5, 9, "walk")]
    assert found.covered is None
    equal = fixed_annotation(sequence([(1, 2, ["turn"]), (1, 2, ["walk", "turn"])], 3.0), SUBSET_1, 3.0)
    assert spans(equal) == [(1, 2, "walk")]


def test_equal_labels_that_touch_or_overlap_are_merged():
    segments = [(1, 2, ["walk"]), (2, 3, ["walk"]), (2.5, 4, ["walk"]), (5, 6, ["walk"])]
    assert spans(fixed_annotation(sequence(segments, 6.0), SUBSET_1, 6.0)) == [(1, 4, "walk"), (5, 6, "walk")]


def test_overlapping_sets_keep_every_label():
    labels = LabelSet(("walk", "wave"), exclusive=False)
    found = fixed_annotation(sequence([(0, 4, ["walk"]), (1, 2, ["wave", "walk"])], 4.0), labels, 4.0)
    assert spans(found) == [(0, 4, "walk"), (1, 2, "wave")]


def test_labels_are_cut_to_the_recording():
    found = fixed_annotation(sequence([(-1, 1, ["walk"]), (3, 9, ["turn"]), (7, 8, ["jump"])], 5.0), SUBSET_1, 5.0)
    assert spans(found) == [(0, 1, "walk"), (3, 5, "turn")]
    assert fixed_annotation(sequence(None, 5.0), SUBSET_1, 5.0) is None


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 9), NAMES), max_size=7))
def test_fixed_labels_agree_with_the_slow_reference(segments):
    made = sequence(segments, 8.0)
    found = fixed_annotation(made, SUBSET_1, 8.0)
    expected = []
    for second in range(8):
        holding = [(end - start, SUBSET_1.index(name), name) for start, end, names in
                   [(max(0, a), min(8, b), c) for a, b, c in segments]
                   for name in names or () if name in SUBSET_1.names and start <= second < end]  # fmt: skip
        named = any(names and start <= second < end for start, end, names in segments)
        expected.append(min(holding)[1] + 1 if holding else 0 if named else -100)
    assert found.frame_ids(8, 1.0).tolist() == expected
    every = fixed_annotation(made, LabelSet(SUBSET_1.names, exclusive=False), 8.0)
    targets, covered = every.frame_targets(8, 1.0)
    for second in range(8):
        names = {name for start, end, names in segments if start <= second < end for name in names or ()}
        assert {SUBSET_1.names[place] for place in np.flatnonzero(targets[second])} == names & set(SUBSET_1.names)
        assert covered[second] == bool(names)


# ---- where motion lies -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("feat_p", "lies"),
    [
        (FEAT_P, "CMU/141/141_05_poses.npz"),
        (FEAT_P, "CMU/CMU/141/141_05_poses.npz"),
        (FEAT_P, "CMU/141/141_05_stageii.npz"),
        ("BMLrub/BioMotionLab_NTroje/rub055/0001_treadmill_poses.npz", "BMLrub/rub055/0001_treadmill_poses.npz"),
        ("BMLrub/BioMotionLab_NTroje/rub055/0001_a_poses.npz", "BMLrub/BioMotionLab_NTroje/rub055/0001_a_poses.npz"),
        ("BMLrub/BMLrub/rub055/0001_a_poses.npz", "BioMotionLab_NTroje/rub055/0001_a_stageii.npz"),
        ("DFaust67/DFaust_67/50002/x_poses.npz", "DFaust/50002/x_stageii.npz"),
        ("MPIHDM05/MPI_HDM05/bd/x_poses.npz", "HDM05/bd/x_poses.npz"),
        ("MPILimits/MPI_Limits/03099/x_poses.npz", "PosePrior/03099/x_poses.npz"),
        ("Transitionsmocap/Transitions_mocap/m/x_poses.npz", "Transitions/m/x_stageii.npz"),
        ("ACCAD/ACCAD/Male1/Walk B10 - turn_poses.npz", "ACCAD/Male1/Walk_B10_-_turn_stageii.npz"),
    ],
)
def test_motion_is_located_under_the_names_of_all_releases(feat_p, lies):
    assert lies in amass_paths(feat_p)
    assert len(amass_paths(feat_p)) < 40
    assert len(set(amass_paths(feat_p))) == len(amass_paths(feat_p))


def test_the_plain_path_comes_first():
    assert amass_paths(FEAT_P)[0] == "CMU/141/141_05_poses.npz"
    assert cmu_paths(FEAT_P)[0] == "141/141_05.amc"
    assert "141_05.amc" in cmu_paths(FEAT_P)
