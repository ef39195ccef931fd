from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinespan.config import Normalisation
from kinespan.corpus import Corpus, CorpusWriter
from kinespan.corpus.splits import Fold, Split
from kinespan.corpus.training_set import (
    TrainingSet,
    choose_skeleton,
    corpus_parts,
    joined_annotations,
    parse_source,
    training_set,
)
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.data.skeleton import Skeleton, body_skeleton
from kinespan.data.skeletons import KINECT_20, NTU_25, SMPL_24
from kinespan.errors import InputError
from kinespan.models.input_spec import InputSpec
from kinespan.models.model_file import ModelSpec
from kinespan.train.leakage import training_data_facts, training_recordings_of


def corpus_of(path: Path, *skeletons: Skeleton, split: Split | None = None) -> Corpus:
    with CorpusWriter(path, "made") as writer:
        for number, skeleton in enumerate(skeletons):
            positions = np.ones((4, 1, skeleton.num_joints, 3), np.float32)
            writer.add(Recording(positions, 30.0, skeleton, f"r{number}"))
        if split is not None:
            writer.add_split(split)
    return Corpus.open(path)


def test_auto_chooses_the_shared_skeleton_or_else_ntu25(tmp_path: Path) -> None:
    mixed = corpus_of(tmp_path / "mixed", KINECT_20, KINECT_20, NTU_25)
    assert choose_skeleton("auto", [TrainingSet(mixed, ("r0", "r1"))]) == KINECT_20
    assert choose_skeleton("auto", [TrainingSet(mixed, mixed.names)]) == NTU_25
    assert choose_skeleton("kinect20", [TrainingSet(mixed, mixed.names)]) == KINECT_20
    with pytest.raises(InputError, match="no recordings"):
        choose_skeleton("auto", [TrainingSet(mixed, ())])


def with_fingers() -> Skeleton:
    """SMPL's body with three fingers of two bones on each hand."""
    fingers = [(f"{side}_{number}_{bone}", side, number, bone) for side in "lr" for number in range(3) for bone in "ab"]
    joints = (*SMPL_24.joints, *(name for name, *_ in fingers))
    hands = {side: SMPL_24.joints.index(f"{word}_hand") for side, word in (("l", "left"), ("r", "right"))}
    parents = list(SMPL_24.parents)
    for _, side, number, bone in fingers:
        parents.append(hands[side] if bone == "a" else joints.index(f"{side}_{number}_a"))
    return body_skeleton("fingers", joints, tuple(parents), (*SMPL_24.body_parts, *[None] * len(fingers)))


def test_people_with_fingers_are_mapped_to_ntu25_unless_their_own_is_asked_for(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path / "fingers", with_fingers(), with_fingers(), SMPL_24)
    shared = [TrainingSet(corpus, ("r0", "r1"))]
    assert choose_skeleton("auto", shared) == NTU_25
    assert choose_skeleton("own", shared) == with_fingers()
    assert choose_skeleton("auto", [TrainingSet(corpus, ("r2",))]) == SMPL_24
    with pytest.raises(InputError, match="own, but the recordings have several: fingers, smpl24"):
        choose_skeleton("own", [TrainingSet(corpus, corpus.names)])


def test_a_hand_that_all_recordings_share_is_the_skeleton_of_the_network(tmp_path: Path) -> None:
    hand = Skeleton("hand", ("palm", "thumb", "index"), (-1, 0, 0))
    corpus = corpus_of(tmp_path / "hand", hand, hand)
    assert choose_skeleton("auto", [TrainingSet(corpus, corpus.names)]) == hand


def test_without_a_split_every_recording_is_on_both_sides(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path / "one", KINECT_20)
    assert corpus_parts(corpus, None, 1) == (("r0",), ("r0",), ())
    with pytest.raises(InputError, match="no split 'x'"):
        corpus_parts(corpus, "x", 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("corpora/a", ("corpora/a", "given", 3)),
        ("corpora/a@xsub", ("corpora/a", "xsub", 1)),
        ("corpora/a@xsub/2", ("corpora/a", "xsub", 2)),
        ("me@home/a@xsub/2", ("me@home/a", "xsub", 2)),
    ],
)
def test_a_source_may_name_its_own_split(text: str, expected: tuple[str, str, int]) -> None:
    assert parse_source(text, "given", 3) == expected


def test_an_existing_folder_with_an_at_sign_is_not_a_split(tmp_path: Path) -> None:
    (tmp_path / "a@b").mkdir()
    assert parse_source(str(tmp_path / "a@b")) == (str(tmp_path / "a@b"), None, 1)
    with pytest.raises(InputError, match="fold 'x'"):
        parse_source(str(tmp_path / "a@b/x"))


def test_annotations_of_several_corpora_share_one_label_set(tmp_path: Path) -> None:
    def labelled(name: str, *labels: str) -> Corpus:
        every = LabelSet(labels)
        with CorpusWriter(tmp_path / name, name) as writer:
            writer.add(Recording(np.ones((30, 1, 20, 3), np.float32), 30.0, KINECT_20, "r"))
            writer.annotate("r", Annotation((Span(0.0, 0.5, labels[-1]),), every))
        return Corpus.open(tmp_path / name)

    sets = [training_set(corpus) for corpus in (labelled("one", "a", "b"), labelled("two", "b", "c"))]
    sets.append(training_set(corpus_of(tmp_path / "plain", NTU_25)))
    annotations, labels = joined_annotations(sets)
    assert labels == LabelSet(("a", "b", "c"))
    assert [one and one.spans[0].label for one in annotations] == ["b", "c", None]
    assert all(one is None or one.labels == labels for one in annotations)
    assert choose_skeleton("auto", sets) == NTU_25
    assert training_data_facts(sets) == {"corpus": "one + two + made", "split": None, "fold": None}
    assert joined_annotations(sets[2:]) == ([None], None)


def test_training_recordings_of_a_model_follow_its_corpus_split_and_fold(tmp_path: Path) -> None:
    split = Split("half", {1: Fold(("r0", "r1"), ("r2",)), 2: Fold(("r2",), ("r0", "r1"))})
    corpus = corpus_of(tmp_path / "made", KINECT_20, KINECT_20, KINECT_20, split=split)
    spec = ModelSpec(kind="encoder", input=InputSpec(KINECT_20, 15.0, ("joint",), Normalisation()), encoder="tcn")

    def seen(*facts: dict[str, object]) -> tuple[str, ...]:
        parts = tuple(replace(spec, training=one) for one in facts)
        whole = parts[0] if len(parts) == 1 else replace(spec, members=parts)
        return training_recordings_of(whole, corpus, ("r2", "r1", "r0"))

    half = {"corpus": "made", "split": "half", "fold": 1}
    assert seen(half) == ("r1", "r0")
    assert seen({**half, "fold": 2}) == ("r2",)
    assert seen(half, {**half, "fold": 2}) == ("r2", "r1", "r0")
    assert seen({"corpus": "made", "split": None, "fold": None}) == ("r2", "r1", "r0")
    assert seen({**half, "corpus": "another"}) == seen({**half, "split": "gone"}) == seen({}) == ()
