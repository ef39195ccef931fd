"""Splits: disjoint, complete, balanced, seeded; label fractions nested; dropped labels ignored."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinespan.corpus import (
    Fold,
    RecordingInfo,
    Split,
    default_split,
    drop_labels,
    group_split,
    label_fraction,
)
from kinespan.corpus.splits import union_of
from kinespan.corpus.splitting import SplitRule, label_rounds, recording_split, ruled_split
from kinespan.data.annotation import BACKGROUND, IGNORE, Annotation, Event, LabelSet, Span
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.prepare.recipes import RECIPES

LABELS = LabelSet(("a", "b", "c"))


def info(name: str, frames: int = 30, **attributes: str) -> RecordingInfo:
    return RecordingInfo(name, 30.0, frames, 1, NTU_25, "", "", attributes, (), True)


_INFOS = st.lists(st.tuples(st.integers(0, 7), st.integers(1, 900)), min_size=4, max_size=40).map(
    lambda rows: [info(f"r{i}", frames, performer=str(who)) for i, (who, frames) in enumerate(rows)]
)


@given(infos=_INFOS, folds=st.integers(2, 5), seed=st.integers(0, 9))
def test_each_group_tests_once_and_never_trains_in_that_fold(infos: list[RecordingInfo], folds: int, seed: int) -> None:
    groups = {one.attributes["performer"] for one in infos}
    if len(groups) < folds:
        with pytest.raises(InputError, match=rf"{folds} folds of {len(groups)} groups?"):
            group_split(infos, "performer", folds, seed)
        return
    split = group_split(infos, "performer", folds, seed)
    assert split.name == "by-performer"
    assert list(split.folds) == list(range(1, folds + 1))
    who = {one.name: one.attributes["performer"] for one in infos}
    everybody = sorted(who)
    tested = [name for fold in split.folds.values() for name in fold.test]
    assert sorted(tested) == everybody
    for fold in split.folds.values():
        assert sorted(fold.train + fold.test) == everybody
        assert not {who[name] for name in fold.train} & {who[name] for name in fold.test}
    assert split == group_split(infos, "performer", folds, seed)
    # Greedy balance: no fold is longer than the mean plus the longest group.
    seconds = {name: one.duration for one in infos for name in [one.name]}
    loads = [sum(seconds[name] for name in fold.test) for fold in split.folds.values()]
    longest = max(sum(one.duration for one in infos if one.attributes["performer"] == group) for group in groups)
    assert max(loads) <= sum(loads) / folds + longest + 1e-9


def test_equal_groups_make_equal_folds_and_seeds_differ() -> None:
    infos = [info(f"r{who}_{take}", performer=str(who)) for who in range(12) for take in range(3)]
    splits = [group_split(infos, "performer", 4, seed) for seed in range(5)]
    assert all(len(fold.test) == 9 for split in splits for fold in split.folds.values())
    assert len({frozenset(fold.test for fold in split.folds.values()) for split in splits}) > 1


def test_group_split_refuses_missing_attributes_and_too_many_folds() -> None:
    infos = [info("x", actor="1"), info("y", actor="2", site="b")]
    with pytest.raises(
        InputError, match=r"1 of 2 recordings have no such attribute, such as 'x'; known.* site \(1 value: b"
    ):
        group_split(infos, "site", 2, 0)
    with pytest.raises(InputError, match="known attributes: none"):
        group_split([info("x")], "site", 2, 0)
    with pytest.raises(InputError):
        group_split(infos, "actor", 1, 0)


def test_default_split_uses_the_first_group_attribute() -> None:
    infos = [info(f"r{i}", actor=str(i % 3), session="same") for i in range(9)]
    split = default_split(infos)
    assert split is not None
    assert split.name == "by-group"
    assert len(split.folds) == 3
    assert default_split([info("x", session="1"), info("y", session="1")]) is None
    assert default_split([info("x", actor="1"), info("y")]) is None
    assert default_split([]) is None


def test_folds_and_splits_are_checked() -> None:
    for train, test, message in (
        (("a", "b"), ("b",), "b is in both train and test"),
        (("a", "a"), ("b",), "twice under train"),
        ((), ("b",), "no recording to train on"),
        (("a",), (), "no recording to test on"),
    ):
        with pytest.raises(InputError, match=message):
            Fold(train, test)
    with pytest.raises(InputError, match="at least one fold"):
        Split("s", {})


# ---- label fractions -------------------------------------------------------------------------------------------

_LABELLED = st.dictionaries(
    st.text(min_size=1, max_size=3), st.none() | st.sets(st.sampled_from(LABELS.names)), min_size=1, max_size=20
).map(
    lambda rows: {
        name: None if labels is None else Annotation(tuple(Span(0, 1, label) for label in labels), LABELS)
        for name, labels in rows.items()
    }
)


@given(annotations=_LABELLED, small=st.floats(0.01, 1), large=st.floats(0.01, 1), seed=st.integers(0, 5))
def test_label_fractions_are_nested_sized_and_independent_of_order(
    annotations: dict[str, Annotation | None], small: float, large: float, seed: int
) -> None:
    names = list(annotations)
    labelled = [name for name in names if annotations[name] is not None]
    if not labelled:
        with pytest.raises(InputError, match="none of the"):
            label_fraction(names, small, seed, annotations)
        return
    small, large = sorted((small, large))
    few, many = (label_fraction(names, fraction, seed, annotations) for fraction in (small, large))
    assert set(few) <= set(many) <= set(labelled)
    assert len(few) == max(1, math.floor(small * len(labelled) + 0.5))
    assert list(few) == [name for name in names if name in few]
    assert set(few) == set(label_fraction(names[::-1], small, seed, annotations))
    assert label_fraction(names, 1.0, seed, annotations) == tuple(labelled)


def test_label_fraction_includes_every_label_where_possible() -> None:
    sets = [("a",)] * 16 + [("b",), ("c",), ("a", "b"), ()]
    annotations = {
        f"r{i}": Annotation(tuple(Span(0, 1, label) for label in labels), LABELS) for i, labels in enumerate(sets)
    }
    for seed in range(20):
        chosen = label_fraction(list(annotations), 0.1, seed, annotations)  # two recordings: {a, b} and {c}
        assert set(chosen) == {"r18", "r17"}
    assert len({label_fraction(list(annotations), 0.3, seed, annotations) for seed in range(20)}) > 10


def slow_order(label_sets: list[set[str]]) -> list[int]:
    """Rounds in which the set with the most labels that are new in the round comes next, the earlier of equals."""
    remaining = list(range(len(label_sets)))
    order: list[int] = []
    while remaining:
        missing = set().union(*(label_sets[index] for index in remaining))
        if not missing:
            return order + remaining
        while missing:
            best = max(remaining, key=lambda index: len(label_sets[index] & missing))
            remaining.remove(best)
            order.append(best)
            missing -= label_sets[best]
    return order


@given(st.lists(st.sets(st.sampled_from(LABELS.names)), min_size=1, max_size=20), st.integers(1, 20))
def test_recordings_are_labelledlabel_rounds_over_the_labels(label_sets: list[set[str]], count: int) -> None:
    assert label_rounds(label_sets, count) == slow_order(label_sets)[:count]


def test_label_fraction_gives_every_label_two_recordings_before_any_has_three() -> None:
    annotations = {
        f"{label}{number}": Annotation((Span(0, 1, label),), LABELS) for label in LABELS.names for number in range(5)
    }
    for count in (1, 2):
        chosen = label_fraction(list(annotations), count / 5, 3, annotations)
        assert sorted(name[0] for name in chosen) == sorted(LABELS.names * count)


def test_label_fraction_refuses_bad_fractions() -> None:
    for fraction in (0.0, -0.1, 1.1, float("nan")):
        with pytest.raises(InputError, match="label fraction is"):
            label_fraction(["r"], fraction, 0, {"r": Annotation((), LABELS)})


# ---- dropped labels --------------------------------------------------------------------------------------------


def test_drop_labels_by_hand() -> None:
    whole = Annotation((Span(1, 2, "a"), Span(2, 4, "b"), Span(5, 6, "c"), Span(8, 9, "b")), LABELS)
    dropped = drop_labels(whole, ("b",), duration=10.0)
    assert dropped.labels == LabelSet(("a", "c"))
    assert dropped.spans == (Span(1, 2, "a"), Span(5, 6, "c"))
    assert dropped.covered == ((0.0, 2.0), (4.0, 8.0), (9.0, 10.0))
    # Without the label in it, covered time stays what it was.
    assert drop_labels(Annotation((Span(1, 2, "a"),), LABELS), ("b",)).covered is None
    with pytest.raises(InputError, match="unknown label 'z'"):
        drop_labels(whole, ("z",))


@given(
    ids=st.lists(st.sampled_from((IGNORE, BACKGROUND, 1, 2, 3)), min_size=1, max_size=30),
    names=st.sets(st.sampled_from(LABELS.names)),
)
def test_dropped_frames_are_ignored_and_no_other_frame_changes(ids: list[int], names: set[str]) -> None:
    spans = tuple(Span(i, i + 1, LABELS.names[c - 1]) for i, c in enumerate(ids) if c > 0)
    covered = tuple((float(i), i + 1.0) for i, c in enumerate(ids) if c != IGNORE)
    dropped = drop_labels(Annotation(spans, LABELS, covered), names)
    kept = [name for name in LABELS.names if name not in names]
    expected = [
        c if c <= 0 else IGNORE if LABELS.names[c - 1] in names else kept.index(LABELS.names[c - 1]) + 1 for c in ids
    ]
    np.testing.assert_array_equal(dropped.frame_ids(len(ids), 1.0), expected)


# ---- PRECOG ----------------------------------------------------------------------------------------------------


def _precog(scripts: range = range(1, 7), performers: range = range(1, 13)) -> list[RecordingInfo]:
    pairs = itertools.product(scripts, performers)
    return [info(f"Seq{s}_{p}", performer=str(p), script=str(s)) for s, p in pairs]


def test_precog_official_splits() -> None:
    labels = LabelSet(("RightPunch", "ElbowStrike"))
    by_performer, by_script = RECIPES["precog"]().splits(_precog(), labels)
    assert by_performer.name == "cross-performer"
    assert by_performer.drop_labels == ()
    for k in (1, 2, 3, 4):
        fold = by_performer.fold(k)
        assert set(fold.test) == {f"Seq{s}_{p}" for s in range(1, 7) for p in (k, k + 4, k + 8)}
        assert len(fold.train) == 54
    fold = by_script.fold(1)
    assert by_script.name == "cross-script"
    assert set(fold.test) == {f"Seq{s}_{p}" for s in (4, 6) for p in range(1, 13)}
    assert set(fold.train) == {f"Seq{s}_{p}" for s in (1, 2, 3, 5) for p in range(1, 13)}
    assert fold.drop_labels == ("ElbowStrike",)


def test_precog_splits_leave_out_empty_folds() -> None:
    recipe = RECIPES["precog"]().splits
    assert recipe([info("x", performer="1"), info("y", script="2")], None) == ()
    assert recipe([info("x", performer="one", script="2")], None) == ()
    assert recipe(_precog(range(1, 2), range(1, 2)), None) == ()
    (only,) = recipe(_precog(range(1, 3), range(1, 3)), None)
    assert list(only.folds) == [1, 2]
    splits = recipe(_precog(), LabelSet(("other",)))
    assert [split.drop_labels for split in splits] == [(), ()]


def test_a_split_rule_groups_by_attribute_or_by_expression() -> None:
    infos = [info(f"P{person:02d}_take{take}", site="ab"[person % 2]) for person in range(6) for take in range(2)]
    by_name = ruled_split(infos, SplitRule(r"P(\d+)", folds=3))
    assert by_name.name == "by-group"
    for fold in by_name.folds.values():
        assert {name[:3] for name in fold.train}.isdisjoint(name[:3] for name in fold.test)
    assert len(ruled_split(infos, SplitRule("site", folds=2)).folds) == 2
    with pytest.raises(InputError, match="does not match the name 'P00_take0'"):
        ruled_split(infos, SplitRule(r"Q(\d+)"))
    with pytest.raises(InputError, match="neither an attribute nor a regular expression"):
        ruled_split(infos, SplitRule("P("))


def test_dropped_labels_leave_no_event_behind() -> None:
    labels = LabelSet(("walk", "strike", "off"), events=("strike", "off"))
    events = (Event(1.0, "strike"), Event(2.0, "off"), Event(3.0, "walk"))
    dropped = drop_labels(Annotation((Span(0, 4, "walk"),), labels, None, events), ("strike",))
    assert dropped.labels == LabelSet(("walk", "off"), events=("off",))
    assert dropped.events == (Event(2.0, "off"), Event(3.0, "walk"))
    assert dropped.covered is None


def test_a_label_with_spans_anywhere_is_no_event_of_the_union() -> None:
    spans, events = LabelSet(("walk", "jump")), LabelSet(("strike", "jump"), exclusive=False, events=("strike", "jump"))
    assert union_of([spans, events]) == LabelSet(("walk", "jump", "strike"), exclusive=False, events=("strike",))
    assert union_of([]) is None


def test_a_label_of_events_counts_for_a_fraction_of_the_labels() -> None:
    labels = LabelSet(("a", "b"), events=("b",))
    annotations = {f"r{number}": Annotation((Span(0, 1, "a"),), labels) for number in range(9)}
    annotations["r9"] = Annotation((), labels, None, (Event(1.0, "b"),))
    for seed in range(8):
        assert "r9" in label_fraction(list(annotations), 0.2, seed, annotations)


def test_without_groups_each_recording_is_a_group() -> None:
    infos = [info(f"r{number}") for number in range(5)]
    split = recording_split(infos)
    assert split is not None
    assert split.name == "by-recording"
    assert sorted(name for fold in split.folds.values() for name in fold.test) == [one.name for one in infos]
    assert recording_split(infos[:1]) is None


def test_without_a_number_there_are_four_folds_or_as_many_as_groups() -> None:
    infos = [info(f"{who}_{take}") for who in ("anna", "ben") for take in range(3)]
    assert sorted(ruled_split(infos, SplitRule("([a-z]+)_")).folds) == [1, 2]
    assert sorted(ruled_split(infos, SplitRule("(.+)")).folds) == [1, 2, 3, 4]
    with pytest.raises(InputError, match=r"4 folds of 2 groups \(anna, ben\); give --folds 2"):
        ruled_split(infos, SplitRule("([a-z]+)_", folds=4))
