"""The whole way in one command: its stages are runs like any other, and the model is the mean of the last two."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_cases import SMALL, same, stop_after

from kinespan.config import FinetuneConfig, LearnConfig, NetworkConfig, PretrainConfig
from kinespan.corpus import Corpus
from kinespan.corpus.training_set import training_set
from kinespan.errors import InputError
from kinespan.models.ensemble import ensemble
from kinespan.models.model_file import read_spec, read_weights
from kinespan.runs.load import load_model
from kinespan.runs.settings import load_settings
from kinespan.train.engine import Interrupted
from kinespan.train.finetuning import MODEL_FILE, finetune
from kinespan.train.learning import learn
from kinespan.train.pretraining import ENCODER_FILE, pretrain

pytestmark = pytest.mark.usefixtures("one_thread")
Command = Callable[..., Any]

HALF = LearnConfig(pretrain_steps=2, steps=2, precision="32", split="by-performer", label_fraction=0.5)
FEW = ("--pretrain-steps", 2, "--steps", 2, "--precision", "32")
STAGES = ["pretrain", "finetune", "scratch", "teachers", "finetune_taught", "scratch_taught"]
TRAININGS = [name for name in STAGES if name not in ("pretrain", "teachers")]


@pytest.fixture(scope="module")
def learnt(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder of a run on half of the labels, and what it told."""
    out, told = tmp_path_factory.mktemp("runs") / "learnt", []
    learn(corpus, out, HALF, quiet=True, log=told.append)
    return out, told


def of_stages(lines: list[str]) -> list[str]:
    """The lines that say which stage begins."""
    return [line for line in lines if re.match(r"\d of \d  ", line)]


def folders(out: Path) -> set[str]:
    return {path.name for path in out.iterdir() if path.is_dir()}


def test_every_stage_is_a_run_and_is_logged(corpus: Corpus, learnt: tuple[Path, list[str]]) -> None:
    out, lines = learnt
    told = of_stages(lines)
    assert folders(out) == set(STAGES)
    assert [line.split(":")[0] for line in told] == [f"{n} of 6  {name}" for n, name in enumerate(STAGES, 1)]
    assert told[0].endswith("snippets of 4 recordings without their labels")
    assert told[2].endswith("tcn, labels of 2 recordings")
    assert told[3].endswith("the average of both")
    assert told[4].endswith("stgcn16_light, labels of 2 recordings, pseudo-labels of 2")
    assert load_settings(out / "pretrain")["config"]["steps"] == 2
    training = training_set(corpus, "by-performer", 1)
    for name in TRAININGS:
        settings, spec = load_settings(out / name), read_spec(out / name / MODEL_FILE)
        own, _, taught = name.partition("_")
        assert spec.encoder == {"finetune": "stgcn16_light", "scratch": "tcn"}[own]
        assert settings["config"]["protocol"] == ("scratch" if name == "scratch" else "finetune")
        start = {"finetune": "pretrain", "scratch": None}.get(name, own)
        assert settings["pretrained"] == (start and str(out / start))
        before = {"finetune": "stgcn16_light (finetune, 2 steps)", "scratch": "tcn (scratch, 2 steps)"}[own]
        assert spec.training.get("started_from") == (before if taught else None)
        assert spec.training.get("pretrained", {}).get("method") == ("skeletonclr" if own == "finetune" else None)
        teachers = [str(out / "teachers")] if taught else None
        assert settings.get("teachers") == teachers
        seen = {*settings["labelled_recordings"], *settings.get("taught_recordings", [])}
        assert seen <= set(training.names)
        assert len(seen) == (4 if teachers else 2)


def test_the_model_is_the_mean_of_the_last_two_networks(corpus: Corpus, learnt: tuple[Path, list[str]]) -> None:
    out, _ = learnt
    recording = corpus[corpus.names[0]]
    parts = [load_model(out / name).frame_scores(recording) for name in TRAININGS[2:]]
    assert np.allclose(load_model(out).frame_scores(recording), np.mean(parts, axis=0), atol=1e-6)
    assert not np.allclose(parts[0], parts[1], atol=1e-3)


def test_running_the_stages_by_hand_gives_identical_weights(
    corpus: Corpus, learnt: tuple[Path, list[str]], tmp_path: Path
) -> None:
    """The commands of docs/research/protocols.md, each with its own defaults but for the few steps of a test."""
    common: dict[str, Any] = {"split": "by-performer", "steps": 2, "precision": "32"}
    tuning = FinetuneConfig(**common, label_fraction=0.5)
    alone = replace(tuning, protocol="scratch")
    runs = {name: tmp_path / name for name in STAGES}
    file = tmp_path / "teachers.safetensors"
    pretrain(corpus, runs["pretrain"], PretrainConfig(**common), quiet=True)
    start = runs["pretrain"]
    finetune(corpus, runs["finetune"], tuning, pretrained=start, quiet=True)
    finetune(corpus, runs["scratch"], alone, quiet=True)
    two = [runs["finetune"], runs["scratch"]]
    ensemble([load_model(run) for run in two]).save(file)
    last = [
        finetune(corpus, runs[f"{run.name}_taught"], tuning, pretrained=run, teachers=[file], quiet=True) for run in two
    ]
    assert same(ensemble(last).state_dict(), load_model(learnt[0]).state_dict())


def test_two_trainings_at_once_and_a_reused_encoder_give_identical_weights(
    corpus: Corpus, learnt: tuple[Path, list[str]]
) -> None:
    """In a folder beside the run, with other settings of what comes after pretraining."""
    before, told = learnt[0], []
    out = before.parent / "again"
    found = learn(corpus, out, replace(HALF, teach="off"), threads=2, quiet=True, log=told.append)
    assert told[0] == f"pretrain: the encoder of {before / 'pretrain'}, of the same recordings and settings"
    stages = of_stages(told)
    assert [line.split(":")[0] for line in stages] == [f"{n} of 4  {name}" for n, name in enumerate(STAGES[:4], 1)]
    assert stages[0].endswith("done before")
    assert stages[2].endswith("tcn, labels of 2 recordings, at the same time")
    for run in found.runs:
        assert same(read_weights(run / MODEL_FILE), read_weights(before / run.name / MODEL_FILE))
    assert (out / "pretrain" / ENCODER_FILE).read_bytes() == (before / "pretrain" / ENCODER_FILE).read_bytes()
    assert [run.name for run in found.runs] == ["finetune", "scratch"]  # teach is off


def test_no_pseudo_labels_where_everything_is_labelled(corpus: Corpus, pretrained: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    found = learn(corpus, out, replace(HALF, label_fraction=1.0), pretrained=pretrained, quiet=True)
    assert [run.name for run in found.runs] == ["finetune", "scratch"]
    assert folders(out) == {"finetune", "scratch", "teachers"}
    assert [member.encoder for member in found.model.spec.members] == ["stgcn16_light", "tcn"]


@pytest.mark.parametrize(
    ("teach", "labelled", "others", "expected"),
    [("auto", 4, 4, True), ("auto", 4, 3, False), ("auto", 4, 0, False), ("on", 4, 1, True), ("off", 1, 9, False)],
)
def test_auto_pseudo_labels_where_at_least_half_are_unlabelled(
    teach: Any, labelled: int, others: int, expected: bool
) -> None:
    assert LearnConfig(teach=teach).teaches(labelled, others) is expected


def test_teach_on_without_unlabelled_recordings_is_refused_before_anything_is_written(
    corpus: Corpus, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="teach is on, but the labels of all 4 training recordings are used"):
        learn(corpus, tmp_path / "run", replace(HALF, teach="on", label_fraction=1.0), quiet=True)
    assert not (tmp_path / "run").exists()


def test_both_networks_have_the_input_of_the_given_encoder(corpus: Corpus, tmp_path: Path) -> None:
    """One that was pretrained at 10 frames a second: only models of one rate can teach and be fused."""
    slow = replace(SMALL, steps=1, network=NetworkConfig(fps=10.0))
    pretrain(corpus, tmp_path / "slow", slow, quiet=True)
    found = learn(corpus, tmp_path / "run", HALF, pretrained=tmp_path / "slow", quiet=True)
    assert {member.input.fps for member in found.model.spec.members} == {10.0}


@pytest.mark.parametrize("stage", ["pretrain", *TRAININGS])
def test_resuming_learn_gives_identical_weights(
    corpus: Corpus, learnt: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """Ctrl-C after the first step of a stage; what was done before is not done again, and the end is the same."""
    whole, _ = learnt
    out, told = tmp_path / "run", []
    with monkeypatch.context() as patch:
        stop_after(patch, 1, lambda: (out / stage).is_dir())
        with pytest.raises(Interrupted, match=rf"stopped after step 1; .*{stage} keeps a checkpoint"):
            learn(corpus, out, HALF, quiet=True)
    with pytest.raises(InputError, match="holds a run already; resume it with --resume"):
        learn(corpus, out, HALF, quiet=True)
    with pytest.raises(InputError, match=r"started with steps 2, --resume came with steps 3"):
        learn(corpus, out, replace(HALF, steps=3), resume=True, quiet=True)
    learn(corpus, out, HALF, resume=True, quiet=True, log=told.append)
    assert [line.endswith("done before") for line in of_stages(told)] == [STAGES.index(stage) > n for n in range(6)]
    assert same(read_weights(out / MODEL_FILE), read_weights(whole / MODEL_FILE))
    assert same(read_weights(out / "pretrain" / ENCODER_FILE), read_weights(whole / "pretrain" / ENCODER_FILE))


def test_other_runs_are_never_overwritten(corpus: Corpus, pretrained: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds a run already"):
        learn(corpus, pretrained, HALF, quiet=True)
    for folder in (pretrained, tmp_path / "nothing"):
        with pytest.raises(InputError, match="holds no run of kinespan learn to resume"):
            learn(corpus, folder, HALF, resume=True, quiet=True)


def test_learn_is_resumed_from_its_own_encoder_only(
    corpus: Corpus, learnt: tuple[Path, list[str]], pretrained: Path
) -> None:
    with pytest.raises(InputError, match=rf"started without --pretrained, --resume came with .*{pretrained}"):
        learn(corpus, learnt[0], HALF, pretrained=pretrained, resume=True, quiet=True)


def test_a_model_trained_on_held_out_labels_is_refused_before_anything_is_written(
    corpus: Corpus, learnt: tuple[Path, list[str]], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"labels of .* held out here"):
        learn(corpus, tmp_path / "run", replace(HALF, fold=2), pretrained=learnt[0] / "finetune", quiet=True)
    assert not (tmp_path / "run").exists()


def test_learn_command_tests_every_stage_and_the_model(jobs: Path, command: Command, tmp_path: Path) -> None:
    words = ("learn", "corpus", "--out", tmp_path / "run", "--pretrained", "pre", "--label-fraction", 0.4, *FEW)
    done = command(*words, "--split", "by-performer")
    assert done.code == 0, done.err
    assert "1 of 5  finetune: stgcn16_light, labels of 2 recordings" in done.out
    assert f"model written to {tmp_path / 'run' / MODEL_FILE}, the average of finetune_taught and" in done.out
    assert "label fraction 0.4, taught recordings 3, seed 0" in done.out
    rows = [line.split()[0] for line in done.out.splitlines()[-5:]]
    assert rows == [*TRAININGS, "model"]
    assert all((tmp_path / "run" / run / "metrics.json").is_file() for run in ("", *TRAININGS))
    done = command("report", tmp_path / "run", "--out", tmp_path / "report.html")
    assert done.code == 0, done.err
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '"scratch_taught: loss"' in page
    assert '"stgcn16_light (finetune, 2 steps) and tcn (scratch, 2 steps)"' in page
    assert "(1 of 2 models)" in page
    assert "models: 1 of 2" in command("info", tmp_path / "run").out

    done = command(
        "learn", "corpus", "--out", tmp_path / "all", "--pretrained", "pre", "--partner-encoder", "tcn_long", *FEW
    )
    assert done.code == 0, done.err
    assert "2 of 3  scratch: tcn_long, labels of 6 recordings" in done.out
    assert done.out.splitlines()[-1].startswith("nothing was held out, so nothing is tested; give --split NAME")
