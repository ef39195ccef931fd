"""The main job from Python: paths or objects in, a model and spans out, by the functions of the package."""

from __future__ import annotations

import inspect
import re
import shutil
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import matplotlib
import pytest
from training_cases import SMALL, TUNE, write

import kinespan
from kinespan.annotations.activitynet import write_predictions, write_truth
from kinespan.cli.evaluate import EvaluateArguments
from kinespan.cli.localize import LocalizeArguments
from kinespan.corpus import Corpus
from kinespan.io import ReadOptions, save_npz
from kinespan.models.base import Model
from kinespan.runs.inputs import corpus_truth
from kinespan.runs.scoring import evaluate

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write(tmp_path_factory.mktemp("api") / "corpus")


@pytest.fixture(scope="module")
def run(corpus: Corpus) -> Path:
    """The run of a model that was trained for a few steps, by settings that are given by keyword."""
    folder = corpus.path.parent
    encoder = kinespan.pretrain(str(corpus.path), folder / "pretrain", SMALL, quiet=True)
    settings = {"clip_frames": 32, "batch_size": 4, "steps": 4, "precision": "32", "quiet": True}
    kinespan.finetune(str(corpus.path), str(folder / "run"), pretrained=encoder, **settings)
    return folder / "run"


@pytest.fixture(scope="module")
def model(run: Path) -> Model:
    return kinespan.load_model(run)


def test_settings_by_keyword_train_the_same_model_as_a_config(corpus: Corpus, tmp_path: Path) -> None:
    by_config = kinespan.finetune(corpus, tmp_path / "a", TUNE, quiet=True)
    settings = {field.name: getattr(TUNE, field.name) for field in fields(TUNE)}
    by_keyword = kinespan.finetune(corpus, tmp_path / "b", quiet=True, **settings)
    assert (tmp_path / "a" / "settings.yaml").read_text() == (tmp_path / "b" / "settings.yaml").read_text()
    assert by_config.localize(corpus[0]) == by_keyword.localize(corpus[0])


def test_localize_takes_a_corpus_recordings_files_and_folders_one_or_several(
    model: Model, run: Path, corpus: Corpus, tmp_path: Path
) -> None:
    name, other = corpus.names[:2]
    (tmp_path / "takes").mkdir()
    for each in (name, other):
        save_npz(corpus[each], tmp_path / "takes" / f"{each}.npz")
    expected = kinespan.localize(model, corpus).segmentation
    assert set(expected) == set(corpus.names)
    file = tmp_path / "takes" / f"{name}.npz"
    for source in (corpus[name], [corpus[name]], str(file), (file,)):
        result = kinespan.localize(run, source)
        assert result.segmentation == {name: expected[name]}
    assert set(kinespan.localize(model, tmp_path / "takes").segmentation) == {name, other}
    assert kinespan.localize(model, str(corpus.path)).segmentation == expected


def test_localize_has_the_settings_of_the_command(model: Model, run: Path, corpus: Corpus, tmp_path: Path) -> None:
    parameters = inspect.signature(kinespan.localize).parameters
    renamed = {"input": "recordings"}
    assert {renamed.get(field.name, field.name) for field in fields(LocalizeArguments)} <= set(parameters)
    held_out = kinespan.localize(model, corpus, split="by-performer", fold=2)
    assert set(held_out.segmentation) == set(corpus.fold("by-performer", 2).test)
    with pytest.raises(kinespan.InputError, match="not a corpus, which has splits"):
        kinespan.localize(model, [corpus[0]], split="by-performer")
    save_npz(corpus[0], tmp_path / "take.npz")
    shorter = kinespan.localize(model, tmp_path / "take.npz", options=ReadOptions(skip_frames=15))
    assert shorter.clocks[corpus.names[0]].num_frames == corpus[0].num_frames - 15
    kinespan.localize(run, corpus[0], out=tmp_path / "answers")
    assert (tmp_path / "answers" / "spans.csv").read_text().startswith("recording,label,start,end")
    kinespan.localize(run, corpus[0], out=tmp_path / "answers", overwrite=True, write=["elan"])
    assert len(list((tmp_path / "answers" / "elan").glob("*.eaf"))) == 1
    with pytest.raises(kinespan.InputError, match="can be read, not written"):
        kinespan.localize(run, corpus[0], out=tmp_path / "other", write=["cvat"])
    with pytest.raises(kinespan.InputError, match="answers"):
        kinespan.localize(run, corpus[0], out=tmp_path / "answers")
    kinespan.localize(run, corpus[0], out=tmp_path / "answers", overwrite=True)


def test_evaluate_gives_the_same_figures_whatever_predictions_and_truth_come_as(
    model: Model, run: Path, corpus: Corpus, tmp_path: Path
) -> None:
    result, truth = kinespan.localize(model, corpus), corpus_truth(corpus, corpus.names)
    expected = kinespan.evaluate(result.predictions, truth).to_dict()
    write_predictions(result.predictions, tmp_path / "proposals.json")
    write_truth(truth, tmp_path / "truth.json")
    pairs = [
        (result, truth),
        (result, corpus),
        (result, corpus.path),
        (model, corpus),
        (str(run), str(corpus.path)),
        (tmp_path / "proposals.json", tmp_path / "truth.json"),
    ]
    for predictions, ground_truth in pairs:
        metrics = kinespan.evaluate(predictions, ground_truth).to_dict()
        assert metrics["map"] == pytest.approx(expected["map"])
        assert metrics["f1"] == pytest.approx(expected["f1"])
    by_name = kinespan.evaluate(result, truth.annotations).to_dict()
    assert by_name["f1"] == pytest.approx(expected["f1"])
    perfect = kinespan.evaluate(truth.annotations, truth.annotations)
    assert perfect.f1 == {"10": 1.0, "25": 1.0, "50": 1.0}
    assert perfect.detection.average == 1.0


def test_evaluate_has_the_settings_of_the_command(model: Model, corpus: Corpus) -> None:
    parameters = set(inspect.signature(evaluate).parameters)
    objects = {"model", "corpus", "out"}  # given as predictions and truth; to_dict() is what --out writes
    assert {field.name for field in fields(EvaluateArguments)} - objects <= parameters
    fold = kinespan.evaluate(model, corpus, split="by-performer", fold=1)
    assert fold.counts["recordings"] == len(corpus.fold("by-performer", 1).test)
    assert kinespan.evaluate(model, corpus, tiou=(0.5,)).detection.tious == (0.5,)
    assert kinespan.evaluate(model, corpus, decoder="simple-det").detection.rule == "activitynet"


def test_evaluate_refuses_what_it_cannot_score(model: Model, corpus: Corpus) -> None:
    truth = corpus_truth(corpus, corpus.names)
    with pytest.raises(kinespan.InputError, match="a model is scored on a corpus"):
        kinespan.evaluate(model, truth)
    with pytest.raises(kinespan.InputError, match="no corpus, so it has no splits"):
        kinespan.evaluate(truth.annotations, truth, split="by-performer")
    with pytest.raises(kinespan.InputError, match="has no recordings"):
        kinespan.evaluate({}, {})


def test_subsets_of_files_are_chosen_by_name(corpus: Corpus, tmp_path: Path) -> None:
    truth = corpus_truth(corpus, corpus.names)
    first, *rest = corpus.names
    subsets = {first: "validation", **dict.fromkeys(rest, "training")}
    write_truth(replace(truth, subsets=subsets), tmp_path / "truth.json")
    predictions = {first: truth.annotations[first]}
    metrics = kinespan.evaluate(predictions, tmp_path / "truth.json")
    assert metrics.counts["recordings"] == 1, "by default the subsets with predictions"
    metrics = kinespan.evaluate(predictions, tmp_path / "truth.json", subset=("training", "validation"))
    assert metrics.counts["recordings"] == len(corpus)
    with pytest.raises(kinespan.InputError, match="unknown subset 'valid'; did you mean 'validation'"):
        kinespan.evaluate({}, tmp_path / "truth.json", subset=["valid"])


def test_a_source_may_name_its_split_and_fold(corpus: Corpus, tmp_path: Path) -> None:
    source = f"{corpus.path}@by-performer/2"
    model = kinespan.finetune(source, tmp_path / "run", TUNE, quiet=True)
    assert model.spec.training["fold"] == 2
    assert model.spec.training["split"] == "by-performer"


def test_results_and_models_show_themselves(model: Model, corpus: Corpus) -> None:
    result = kinespan.localize(model, corpus)
    spans = sum(len(annotation.spans) for annotation in result.segmentation.values())
    assert repr(result) == f"LocalizationResult(6 recordings, {spans:,} spans of 14 labels)"
    assert len(result.to_dataframe()) == spans
    assert [text.get_text() for text in result.plot().get_yticklabels()] == list(corpus.names)
    assert repr(model) == "Localizer(stgcn16_light, ntu25 at 15 fps, 14 labels)"
    assert len(model._repr_html_()) < 2000
    assert "encoder" in dict(model.named_children()), "a line hides no layer"
    assert repr(model.encoder_model).startswith("EncoderModel(")
    metrics = kinespan.evaluate(result, corpus)
    assert repr(metrics).startswith("Metrics(6 recordings, per cent: mAP .1-.5 ")
    assert f"<th>F1@50</th><td>{100 * metrics.f1['50']:.1f} %</td>" in metrics._repr_html_()
    table = corpus._repr_html_()
    assert "by-performer: 3 folds" in table
    assert "6 of them labelled" in table
    assert result._repr_html_().count("<tr>") <= 14


def test_learn_from_python_has_the_defaults_of_the_command(tmp_path: Path) -> None:
    with pytest.raises(kinespan.InputError, match="not a corpus"):
        kinespan.learn(tmp_path / "nowhere", tmp_path / "run")
    assert kinespan.LearnConfig().finetuning().steps == "auto"


def test_every_public_name_of_the_package_is_there() -> None:
    assert all(hasattr(kinespan, name) for name in kinespan.__all__)


def test_page_on_python_runs_from_top_to_bottom(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every block of the page, in order, with fewer steps of training than people would give it."""
    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(corpus.path, "corpus")
    Path("takes").mkdir()
    save_npz(corpus[0], Path("new_take.npz"))
    for name, recording in zip("abcd", corpus, strict=False):
        save_npz(replace(recording, name=name), Path("takes") / f"{name}.npz")
    monkeypatch.setattr(kinespan, "learn", partial(kinespan.learn, pretrain_steps=2, steps=2, quiet=True))
    page = Path(__file__).parents[2] / "docs" / "start" / "python.md"
    text = page.read_text(encoding="utf-8").replace('ActionLocalizer("finetune"', 'ActionLocalizer("finetune", steps=2')
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 8
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)
    assert Path("answers/spans.csv").is_file()
    assert Path("mine.safetensors").is_file()
    assert repr(names["annotation"][2.0:5.5].spans) == "(Span(0, 1.2, 'walk'), Span(2, 3.1, 'sit down'))"
