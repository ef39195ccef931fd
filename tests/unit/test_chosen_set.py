"""--set NAME: which annotation set is trained with, scored against and shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from corpus_cases import recording

import kinespan
from kinespan.annotations.activitynet import write_predictions
from kinespan.cli import load_command, main
from kinespan.config import FinetuneConfig
from kinespan.corpus import AnnotationSets, Corpus, CorpusWriter
from kinespan.corpus.training_set import joined_annotations, labelled_names, set_fact, training_set
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.predictions import Predictions
from kinespan.errors import InputError
from kinespan.report.gather import gather
from kinespan.runs.inputs import inputs_of
from kinespan.runs.settings import check_same
from kinespan.train.leakage import training_data_facts

LABELS = LabelSet(("wave",))
OTHER = LabelSet(("kick", "jump"))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two recordings; set labels has wave in a, set anna kick in b."""
    path = tmp_path / "corpus"
    with CorpusWriter(path, "corpus") as writer:
        writer.add(recording("a", 90), Annotation((Span(0, 1, "wave"),), LABELS))
        writer.add(recording("b", 90, seed=1))
    AnnotationSets.open(path).create("anna", OTHER, {"b": Annotation((Span(1, 2, "kick"),), OTHER)}, author="Anna")
    return path


@pytest.mark.parametrize("name", ["learn", "finetune", "recognize", "evaluate", "report", "localize", "prepare"])
def test_command_has_the_flag(name: str) -> None:
    assert "--set" in load_command(name, []).flags


def test_training_takes_the_labels_of_the_chosen_set(corpus: Path) -> None:
    for source in (corpus, str(corpus), Corpus.open(corpus), training_set(corpus)):
        data = training_set(source, set="anna")
        assert labelled_names(data.corpus, data.names, (), FinetuneConfig()) == (("b",), OTHER)
        assert set_fact(data.corpus) == {"set": "anna"}
        assert training_data_facts([data])["set"] == "anna"
    data = training_set(corpus, set="labels")
    assert labelled_names(data.corpus, data.names, (), FinetuneConfig()) == (("a",), LABELS)
    assert set_fact(data.corpus) == {}


@pytest.mark.parametrize("name", ["learn", "finetune"])
def test_training_on_several_sets_asks_for_one(corpus: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, str(corpus), "--out", str(corpus.parent / "run")]) == 2
    assert "choose one with --set NAME: labels (1 recording, by kinespan prepare), anna (1" in capsys.readouterr().err
    with pytest.raises(InputError, match="choose one with --set NAME"):
        getattr(kinespan, name)(corpus, corpus.parent / "run")
    assert main([name, str(corpus), "--out", str(corpus.parent / "run"), "--set", "ana"]) == 2
    assert "unknown annotation set 'ana'; did you mean 'anna'" in capsys.readouterr().err


def test_pretraining_on_several_sets_needs_no_labels(corpus: Path) -> None:
    annotations, labels = joined_annotations([training_set(corpus)])
    assert (annotations, labels) == ([None, None], None)


def test_a_run_is_not_resumed_with_another_set(tmp_path: Path) -> None:
    before = {"set": "anna", "config": {}}
    check_same(tmp_path, before, before)
    with pytest.raises(InputError, match="was started with --set anna, --resume came without --set"):
        check_same(tmp_path, before, {"config": {}})


def test_answers_have_the_truth_of_the_chosen_set(corpus: Path) -> None:
    assert inputs_of(corpus).truth is None
    inputs = inputs_of(corpus, set="anna")
    assert inputs.truth is not None
    assert list(inputs.truth.annotations) == ["b"]
    assert inputs.details["set"] == "anna"
    with pytest.raises(InputError, match="not a corpus, which has annotation sets"):
        inputs_of([recording("x")], set="anna")


def test_predictions_are_scored_against_the_chosen_set(corpus: Path) -> None:
    predicted = {"b": Annotation((Span(1, 2, "kick"),), OTHER)}
    assert kinespan.evaluate(predicted, corpus, set="anna").to_dict()["f1"]["50"] == 1
    with pytest.raises(InputError, match="choose one with --set NAME"):
        kinespan.evaluate(predicted, corpus)
    with pytest.raises(InputError, match="no corpus, so it has no annotation sets"):
        kinespan.evaluate(predicted, predicted, set="anna")


def test_a_report_shows_the_chosen_set(corpus: Path) -> None:
    run = corpus.parent / "run"
    run.mkdir()
    spans = {"b": (Span(1, 2, "kick", 0.9),)}
    write_predictions(Predictions(spans, spans, {"corpus": str(corpus)}), run / "proposals.json")
    assert gather([run]).recordings[0].truth is None
    data = gather([run], set="anna")
    assert data.recordings[0].truth == Corpus.open(corpus, "anna").annotation("b")
    assert data.facts["annotation set"] == "anna"
    with pytest.raises(InputError, match="unknown annotation set"):
        gather([run], set="x")


def test_info_lists_the_sets(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(corpus), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["annotation_sets"] == {
        "labels (1 recording, by kinespan prepare)": ["wave"],
        "anna (1 recording, by Anna)": ["kick", "jump"],
    }
    assert main(["split", str(corpus), "--folds", "2"]) == 0
