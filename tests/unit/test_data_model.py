"""Skeleton, Recording, Span, LabelSet, Annotation and Registry: checked at the edge, immutable after."""

from __future__ import annotations

import dataclasses
import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinespan.data.annotation import (
    BACKGROUND,
    IGNORE,
    Annotation,
    LabelSet,
    Span,
    frame_centres,
    runs,
    spans_from_frames,
)
from kinespan.data.recording import Recording
from kinespan.data.skeleton import Skeleton
from kinespan.data.skeletons import NTU_25
from kinespan.data.span_table import SpanTable
from kinespan.errors import InputError
from kinespan.registry import Registry

LABELS = LabelSet(("wave", "kick"))


def tiny(**changes):
    """Four joints: a root with two arms and a head."""
    fields = dict(
        name="tiny", joints=("root", "left", "right", "head"), parents=(-1, 0, 0, 0), pairs=((1, 2),),
        root=(0,), spine=(0, 3), left_shoulder=(1,), right_shoulder=(2,), left_hip=(1,), right_hip=(2,),
    )  # fmt: skip
    return Skeleton(**(fields | changes))


def made(**changes):
    fields = dict(positions=np.ones((5, 2, 4, 3)), fps=10.0, skeleton=tiny(), name="made")
    return Recording(**(fields | changes))


def test_skeleton_bones_order_and_mirror():
    skeleton = tiny(parents=(3, 0, 0, -1))
    assert skeleton.bones == ((0, 3), (1, 0), (2, 0))
    assert skeleton.order == (3, 0, 1, 2)
    assert skeleton.mirror.tolist() == [0, 2, 1, 3]
    assert skeleton.body_parts == (None,) * 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parents": (-1, 0, 0)}, "3 parents for 4 joints"),
        ({"body_parts": ("head",)}, "1 body_parts for 4 joints"),
        ({"joints": ("root", "left", "left", "head")}, "unique"),
        ({"parents": (-1, 0, 0, 4)}, "'head' has parent index 4"),
        ({"parents": (-1, 1, 0, 0)}, "'left' has parent index 1"),
        ({"parents": (1, 2, 0, -1)}, "cycle"),
        ({"pairs": ((1, 2), (2, 3))}, "repeat a joint"),
        ({"pairs": ((1, 7),)}, "leave the skeleton"),
        ({"spine": (-1,)}, "landmark spine"),
        ({"root": (4,)}, "landmark root"),
        ({"body_parts": ("head", None, None, "head")}, "given to two joints"),
    ],
)
def test_skeleton_refuses_contradictions(changes, message):
    with pytest.raises(InputError, match=message):
        tiny(**changes)


def test_skeleton_survives_json():
    assert Skeleton.from_dict(json.loads(json.dumps(NTU_25.to_dict()))) == NTU_25
    with pytest.raises(InputError, match="'parents' is missing"):
        Skeleton.from_dict({"name": "x", "joints": ["a"]})


def test_recording_counts_frames_people_and_seconds():
    recording = made()
    assert (recording.num_frames, recording.num_people, recording.duration) == (5, 2, 0.5)
    assert recording.positions.dtype == np.float32
    assert recording.present.all()


def test_recording_is_immutable_and_leaves_the_callers_array_alone():
    positions = np.ones((5, 1, 4, 3), dtype=np.float32)
    recording = made(positions=positions)
    with pytest.raises(ValueError, match="read-only"):
        recording.positions[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        recording.fps = 5
    with pytest.raises(TypeError):
        recording.attributes["who"] = "me"
    positions[0] = 2  # still the caller's to write


def test_positions_of_invalid_frames_are_zeroed():
    positions, valid = np.ones((5, 1, 4, 3)), np.ones((5, 1), dtype=bool)
    positions[2], valid[2] = np.nan, False
    recording = made(positions=positions, valid=valid)
    assert not recording.positions[2].any()
    assert recording.positions[3].all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"positions": np.ones((5, 12))}, "expected \\(T, P, 4, 3\\)"),
        ({"positions": np.ones((5, 1, 3, 3))}, "expected \\(T, P, 4, 3\\)"),
        ({"positions": np.ones((0, 1, 4, 3))}, "no frames"),
        ({"fps": 0}, "fps is 0"),
        ({"fps": float("nan")}, "fps is nan"),
        ({"valid": np.ones((5, 1), dtype=bool)}, "valid has shape"),
        ({"valid": np.zeros((5, 2), dtype=bool)}, "no frame with a person"),
        ({"positions": np.concatenate([np.ones((3, 2, 4, 3)), np.full((1, 2, 4, 3), np.inf)])}, "frame 3 "),
    ],
)
def test_bad_recordings_are_refused_with_the_field_named(changes, message):
    with pytest.raises(InputError, match=message):
        made(**changes)


def test_checksum_depends_on_motion_and_fps_only():
    recording = made()
    assert recording.checksum() == made(name="other", source="elsewhere").checksum()
    assert recording.checksum() != made(fps=11.0).checksum()
    changed = recording.with_changes("moved", positions=recording.positions + 1)
    assert changed.history == ("moved",)
    assert changed.checksum() != recording.checksum()


@pytest.mark.parametrize(("start", "end"), [(1, 1), (2, 1), (0, float("inf")), (float("nan"), 1)])
def test_spans_that_are_empty_or_not_finite_are_refused(start, end):
    with pytest.raises(InputError, match="not a span"):
        Span(start, end, "wave")


def test_label_set_finds_labels_and_refuses_bad_names():
    assert LABELS.index("kick") == 1
    with pytest.raises(InputError, match=r"unknown label 'jump'.*wave, kick"):
        LABELS.index("jump")
    for names in (("a", "a"), ("a", "")):
        with pytest.raises(InputError, match="unique"):
            LabelSet(names)


def test_annotation_sorts_spans_and_refuses_unknown_labels():
    late, early = Span(2, 3, "wave"), Span(0, 1, "kick")
    assert Annotation((late, early), LABELS).spans == (early, late)
    with pytest.raises(InputError, match="unknown label"):
        Annotation((Span(0, 1, "jump"),), LABELS)


def test_frame_ids_by_hand():
    # Frames of half a second have centres .25 .75 1.25 1.75 2.25 2.75.
    annotation = Annotation((Span(0.25, 1.25, "wave"), Span(1.0, 2.0, "kick")), LABELS, ((0.0, 2.5),))
    assert frame_centres(2, 2).tolist() == [0.25, 0.75]
    assert annotation.frame_ids(6, 2).tolist() == [1, 1, 2, 2, BACKGROUND, IGNORE]
    targets, covered = annotation.frame_targets(6, 2)
    assert targets.T.astype(int).tolist() == [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0]]
    assert covered.tolist() == [True] * 5 + [False]


SECONDS = st.integers(0, 60).map(lambda tenths: tenths / 10)
SPANS = st.tuples(
    SECONDS, SECONDS, st.sampled_from(LABELS.names), st.none() | st.floats(-1, 1), st.none() | st.integers(0, 3)
).map(lambda drawn: Span(drawn[0], drawn[0] + drawn[1] + 0.1, *drawn[2:]))


@given(st.lists(SPANS, max_size=5), st.sampled_from([1.0, 5.0, 29.97]), st.integers(0, 70))
def test_frames_are_those_whose_centre_is_in_the_span(spans, fps, num_frames):
    annotation = Annotation(tuple(spans), LABELS)
    ids = [BACKGROUND] * num_frames
    targets = [[False, False] for _ in range(num_frames)]
    for span in annotation.spans:
        for frame in range(num_frames):
            if span.start <= (frame + 0.5) / fps < span.end:
                ids[frame] = LABELS.index(span.label) + 1
                targets[frame][LABELS.index(span.label)] = True
    assert annotation.frame_ids(num_frames, fps).tolist() == ids
    assert annotation.frame_targets(num_frames, fps)[0].tolist() == targets


GROUPS = st.dictionaries(st.text(max_size=3), st.lists(SPANS, max_size=4).map(tuple), max_size=4)


@given(GROUPS, st.randoms(use_true_random=False))
def test_span_table_equals_the_mapping_it_was_made_from(groups, random):
    table = SpanTable.of(groups)
    assert (dict(table), list(table), len(table)) == (groups, list(groups), len(groups))
    assert table == groups
    assert groups == table
    assert SpanTable.of(table) is table
    assert set(table.labels) == {span.label for spans in groups.values() for span in spans}
    rows = [(name, span) for name, spans in groups.items() for span in spans]
    assert [table.recordings[row] for row in table.recording] == [name for name, _ in rows]
    chosen = [random.random() < 0.5 for _ in rows]
    kept = {name: tuple(span for (its, span), keep in zip(rows, chosen) if keep and its == name) for name in groups}
    assert table.where(np.array(chosen, dtype=bool)) == kept
    with pytest.raises(KeyError):
        table["no such name"]


def test_overlapping_spans_give_a_frame_several_targets():
    annotation = Annotation((Span(0, 2, "wave"), Span(0.5, 1, "kick")), LabelSet(LABELS.names, exclusive=False))
    targets, _ = annotation.frame_targets(4, 2)
    assert targets.astype(int).tolist() == [[1, 0], [1, 1], [1, 0], [1, 0]]


@given(
    st.lists(st.sampled_from([IGNORE, 0, 1, 2]), min_size=1, max_size=30), st.sampled_from([1.0, 29.97, 30.0, 120.0])
)
def test_frame_ids_and_spans_from_frames_are_inverse(ids, fps):
    assert spans_from_frames(ids, fps, LABELS).frame_ids(len(ids), fps).tolist() == ids


@given(st.lists(st.integers(0, 2), max_size=30))
def test_runs_cover_the_sequence_in_order(values):
    runs_of_values = runs(values)
    assert [value for value, start, end in runs_of_values for _ in range(start, end)] == values
    assert all(first[0] != second[0] for first, second in itertools.pairwise(runs_of_values))


def test_spans_from_frames_refuses_ids_outside_the_label_set():
    with pytest.raises(InputError, match="frame 1: id 3"):
        spans_from_frames([0, 3], 30, LABELS)


def test_registry_lists_parts_and_names_the_nearest():
    parts: Registry[int] = Registry("part")
    assert parts.register("one")(1) == 1
    parts.register("alpha")(2)
    assert (list(parts), parts["one"], "two" in parts) == (["alpha", "one"], 1, False)
    with pytest.raises(InputError, match="registered twice"):
        parts.register("one")(3)
    with pytest.raises(InputError, match="did you mean 'alpha'"):
        _ = parts["alpah"]
    with pytest.raises(InputError, match="available: alpha, one"):
        _ = parts["zzz"]


def test_people_and_frames_that_seem_swapped_are_refused_unless_valid_says_who_was_seen():
    positions = np.random.default_rng(0).normal(size=(2, 100, 25, 3))
    with pytest.raises(InputError, match="2 frames of 100 people; people and frames seem swapped"):
        Recording(positions, fps=30, skeleton="ntu25")
    assert Recording(positions.swapaxes(0, 1), fps=30, skeleton="ntu25").num_people == 2
    assert Recording(positions, fps=30, skeleton="ntu25", valid=np.ones((2, 100), dtype=bool)).num_people == 100
