"""Going on from a finished run on labels that grew: what is kept, what is new, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from training_cases import SMALL, same, write
from training_cases import TUNE as ANY_ENCODER

from kinespan.config import LearnConfig, NetworkConfig
from kinespan.corpus import Corpus
from kinespan.corpus.annotation_sets import AnnotationSets
from kinespan.corpus.training_set import TrainingSet, training_set
from kinespan.data.annotation import LabelSet
from kinespan.errors import InputError
from kinespan.models.ensemble import ensemble
from kinespan.models.model_file import read_spec, read_weights
from kinespan.prepare.synthetic.takes import ACTIONS
from kinespan.runs.load import load_model
from kinespan.runs.settings import load_settings
from kinespan.train.continuing import CONTINUED_STEPS, continued_config
from kinespan.train.finetune_module import FinetuneModule
from kinespan.train.finetuning import MODEL_FILE, finetune
from kinespan.train.learning import learn

pytestmark = pytest.mark.usefixtures("one_thread")

TUNE = replace(ANY_ENCODER, network=NetworkConfig(encoder="tcn"))
NEW = ACTIONS.names[1]
"""A label that the first run does not know, in the middle of the others."""
FROZEN = replace(TUNE, steps=1, lr=1e-12, weight_decay=0.0)
"""Steps that change no weight that shows in float32 beyond rounding."""
HALF = LearnConfig(pretrain_steps=1, steps=1, precision="32", label_fraction=0.5)


def without_new_label(corpus: Corpus) -> TrainingSet:
    return replace(training_set(corpus), drop_labels=(NEW,))


@pytest.fixture(scope="module")
def first(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that does not know the label NEW."""
    out = tmp_path_factory.mktemp("runs") / "first"
    finetune(without_new_label(corpus), out, TUNE, quiet=True)
    return out


@pytest.fixture(scope="module")
def learnt(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "learnt"
    learn(corpus, out, HALF, quiet=True)
    return out


def test_weights_go_over_and_a_new_label_gets_rows_of_its_own(corpus: Corpus, first: Path, tmp_path: Path) -> None:
    finetune(corpus, tmp_path / "next", FROZEN, continue_from=first, quiet=True)
    finetune(corpus, tmp_path / "fresh", FROZEN, quiet=True)
    old, new, fresh = (read_weights(run / MODEL_FILE) for run in (first, tmp_path / "next", tmp_path / "fresh"))
    row = 1 + ACTIONS.names.index(NEW)
    others = [column for column in range(len(ACTIONS) + 1) if column != row]
    assert read_spec(tmp_path / "next" / MODEL_FILE).labels == corpus.labels
    torch.testing.assert_close(new["head.linear.weight"][others], old["head.linear.weight"])
    torch.testing.assert_close(new["head.linear.weight"][row], fresh["head.linear.weight"][row])
    for stage in ("refine.stages.0", "refine.stages.1"):
        torch.testing.assert_close(new[f"{stage}.out.bias"][others], old[f"{stage}.out.bias"])
        torch.testing.assert_close(new[f"{stage}.out.weight"][row], fresh[f"{stage}.out.weight"][row])
        enter, old_enter = new[f"{stage}.stack.enter.weight"], old[f"{stage}.stack.enter.weight"]
        torch.testing.assert_close(enter[:, others], old_enter[:, : len(others)])
        torch.testing.assert_close(enter[:, len(ACTIONS) + 1 :], old_enter[:, len(others) :])
    learnt_elsewhere = [name for name in old if old[name].shape == new[name].shape and "norm" not in name]
    assert any(name.startswith("encoder.") for name in learnt_elsewhere)
    assert any(name.startswith("fusion.") for name in learnt_elsewhere)
    for name in learnt_elsewhere:
        torch.testing.assert_close(new[name], old[name], msg=name)


def test_labels_in_another_order_keep_their_scores(first: Path, tmp_path: Path) -> None:
    corpus = write(tmp_path / "made")
    names = tuple(reversed([name for name in ACTIONS.names if name != NEW]))
    reordered = LabelSet(names, ACTIONS.exclusive)
    annotations = {}
    for name in corpus.names:
        annotation = corpus.annotation(name, drop=(NEW,))
        assert annotation is not None
        annotations[name] = replace(annotation, labels=reordered)
    AnnotationSets.open(corpus.path).create("reordered", reordered, annotations, "Anna")
    finetune(corpus.path, tmp_path / "next", FROZEN, continue_from=first, set="reordered", quiet=True)
    before, after = load_model(first), load_model(tmp_path / "next")
    assert after.labels.names == names
    columns = [0, *(1 + after.labels.names.index(name) for name in before.labels.names)]
    recording = corpus[0]
    scores = torch.from_numpy(after.frame_scores(recording)[:, columns])
    torch.testing.assert_close(scores, torch.from_numpy(before.frame_scores(recording)), atol=5e-2, rtol=0)


def test_a_run_that_goes_on_takes_fewer_steps(
    corpus: Corpus, first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules: list[FinetuneModule] = []

    def no_training(module: FinetuneModule, *_: Any, **__: Any) -> None:
        modules.append(module)

    monkeypatch.setattr("kinespan.train.engine.fit", no_training)
    auto = replace(TUNE, steps="auto", clip_frames=64)
    finetune(corpus, tmp_path / "next", auto, continue_from=first, quiet=True)
    finetune(corpus, tmp_path / "given", replace(auto, steps=7, lr=0.5), continue_from=first, quiet=True)
    assert [module.steps for module in modules] == [CONTINUED_STEPS, 7]
    assert [module.config.peak_lr for module in modules] == [TUNE.peak_lr, 0.5]
    assert modules[0].config.clip_frames == TUNE.clip_frames  # those of the first run
    spec = read_spec(first / MODEL_FILE)
    assert continued_config(auto, spec).num_steps < auto.num_steps
    assert read_spec(tmp_path / "next" / MODEL_FILE).training["started_from"] == "tcn (finetune, 4 steps)"


@pytest.mark.parametrize(
    ("changes", "start", "message"),
    [
        ({"protocol": "linear"}, {}, "leave --protocol linear out"),
        ({"protocol": "scratch"}, {}, "leave --protocol scratch out"),
        ({}, {"pretrained": "default"}, "leave --pretrained out"),
        ({"network": NetworkConfig(encoder="stgcn16_light")}, {}, "--network.encoder stgcn16_light: .* has tcn"),
        ({"network": replace(TUNE.network, streams=("bone",))}, {}, "--network.streams bone: .* has "),
        ({"network": replace(TUNE.network, fps=10.0)}, {}, r"--network.fps 10\.0: .* has "),
        ({"network": replace(TUNE.network, skeleton="kinect20")}, {}, "--network.skeleton kinect20: "),
        ({"clip_frames": 48}, {}, "--clip-frames 48: .* has 32"),
    ],
)
def test_settings_that_contradict_the_run_are_refused(
    corpus: Corpus, first: Path, tmp_path: Path, changes: dict[str, Any], start: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        finetune(corpus, tmp_path / "next", replace(TUNE, **changes), continue_from=first, quiet=True, **start)
    assert not (tmp_path / "next").exists()


def test_a_label_that_is_gone_is_refused_by_name(corpus: Corpus, tmp_path: Path) -> None:
    finetune(corpus, tmp_path / "all", replace(TUNE, steps=1), quiet=True)
    with pytest.raises(InputError, match=f"'{NEW}' of that model is gone; train without --from"):
        finetune(without_new_label(corpus), tmp_path / "next", TUNE, continue_from=tmp_path / "all", quiet=True)


def test_a_model_that_knows_held_out_labels_is_refused(corpus: Corpus, first: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="held out here"):
        finetune(corpus, tmp_path / "next", replace(TUNE, split="by-performer"), continue_from=first, quiet=True)


def test_an_average_is_refused(corpus: Corpus, first: Path, tmp_path: Path) -> None:
    ensemble([load_model(first), load_model(first)]).save(tmp_path / "average.safetensors")
    with pytest.raises(InputError, match="an average of 2 networks"):
        finetune(corpus, tmp_path / "next", TUNE, continue_from=tmp_path / "average.safetensors", quiet=True)


def test_the_command_goes_on_and_resumes_from_the_same_run_only(
    corpus: Corpus, command: Callable[..., Any], tmp_path: Path
) -> None:
    few = ("--batch-size", 4, "--precision", "32", "--split", "by-performer", "--steps", 2)
    assert command("finetune", corpus.path, "--out", tmp_path / "a", *few, "--clip-frames", 32).code == 0
    done = command("finetune", corpus.path, "--out", tmp_path / "b", "--from", tmp_path / "a", *few)
    assert done.code == 0, done.err
    assert f"went on from {tmp_path / 'a'}" in done.out
    assert load_settings(tmp_path / "b")["from"] == str(tmp_path / "a")
    again = command("finetune", corpus.path, "--out", tmp_path / "b", *few, "--resume")
    assert again.code == 2
    assert f"started with --from {tmp_path / 'a'}, --resume came without --from" in again.err


def test_learn_goes_on_with_both_networks_and_pretrains_nothing(corpus: Corpus, learnt: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    result = learn(corpus, tmp_path / "next", HALF, continue_from=learnt, quiet=True, log=lines.append)
    assert [run.name for run in result.runs] == ["finetune", "scratch", "finetune_taught", "scratch_taught"]
    assert not (tmp_path / "next" / "pretrain").exists()
    for run in ("finetune", "scratch"):
        assert load_settings(tmp_path / "next" / run)["from"] == str(learnt / run)
    assert "on from" in lines[0]
    assert read_spec(tmp_path / "next" / "finetune" / MODEL_FILE).training["pretrained"]["steps"] == 1
    scratch = Path("scratch") / MODEL_FILE
    assert not same(read_weights(tmp_path / "next" / scratch), read_weights(learnt / scratch))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"partner_encoder": "stgcn16_light"}, "--partner-encoder stgcn16_light: .* has tcn"),
        ({"network": replace(SMALL.network, encoder="ctrgcn")}, "--network.encoder ctrgcn: .* has stgcn16_light"),
    ],
)
def test_learn_refuses_other_networks_than_those_of_the_run(
    corpus: Corpus, learnt: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        learn(corpus, tmp_path / "next", replace(HALF, **changes), continue_from=learnt, quiet=True)


def test_learn_goes_on_from_runs_of_learn_only(corpus: Corpus, first: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no finished run of kinespan learn"):
        learn(corpus, tmp_path / "next", HALF, continue_from=first, quiet=True)
