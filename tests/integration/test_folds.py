"""--fold all: every fold is the run that its number alone gives, the summary is their mean, and it can be resumed."""

from __future__ import annotations

import json
import re
import shutil
import signal
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from training_cases import same, stop_after

from kinespan.corpus import Corpus, add_split, group_split
from kinespan.models.model_file import read_weights
from kinespan.runs.settings import load_settings
from kinespan.train.held_out import run_test

pytestmark = pytest.mark.usefixtures("one_thread")
Command = Callable[..., Any]
FEW = ("--steps", 2, "--batch-size", 4, "--clip-frames", 32, "--precision", 32)
SCRATCH = ("--protocol", "scratch", *FEW)


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def place(done_jobs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus that has the split `two`, of two folds."""
    folder = tmp_path_factory.mktemp("folds")
    shutil.copytree(done_jobs / "corpus", folder / "corpus")
    corpus = Corpus.open(folder / "corpus")
    add_split(corpus.path, group_split(corpus.infos, "performer", 2, 0, "two"))
    return folder


@pytest.fixture(scope="module")
def every_fold(place: Path, command: Command) -> tuple[Path, str]:
    """A run of `finetune --fold all`, and what it printed."""
    done = command("finetune", place / "corpus", "--out", place / "all", "--split", "two", "--fold", "all", *SCRATCH)
    assert done.code == 0, done.err
    return place / "all", done.out


def test_each_fold_is_the_run_of_its_number(every_fold: tuple[Path, str], place: Path, command: Command) -> None:
    out, _ = every_fold
    words = ("finetune", place / "corpus", "--out", place / "single", "--split", "two", "--fold", 2, *SCRATCH)
    assert command(*words).code == 0
    model = "model.safetensors"
    assert same(read_weights(out / "fold2" / model), read_weights(place / "single" / model))
    assert load(out / "fold2" / "metrics.json")["map"] == load(place / "single" / "metrics.json")["map"]
    assert sorted(path.name for path in out.iterdir()) == ["fold1", "fold2", "folds.json", "settings.yaml"]
    assert load_settings(out)["config"]["fold"] == "all"
    assert [load_settings(out / f"fold{number}")["config"]["fold"] for number in (1, 2)] == [1, 2]


def test_summary_has_the_mean_and_spread_of_what_each_fold_printed(every_fold: tuple[Path, str]) -> None:
    out, text = every_fold
    summary = load(out / "folds.json")
    folds = [load(out / f"fold{number}" / "metrics.json") for number in (1, 2)]
    assert [summary["folds"][str(number)] for number in (1, 2)] == folds
    accuracy = [fold["frame_accuracy"] for fold in folds]
    assert summary["mean"]["frame_accuracy"] == pytest.approx(statistics.mean(accuracy))
    assert summary["deviation"]["frame_accuracy"] == pytest.approx(statistics.stdev(accuracy))
    assert (summary["command"], summary["split"]) == ("finetune", "two")
    rows = {line.split("  ")[1].strip(): line for line in text.splitlines() if line.startswith("  ")}
    assert f"{100 * statistics.mean(accuracy):.1f}" in rows["mean"]
    assert f"{100 * statistics.stdev(accuracy):.1f}" in rows["deviation"]
    assert re.search(rf"fold 1 .*{100 * accuracy[0]:.1f}", text)


def test_info_shows_the_mean_and_a_model_of_one_fold_is_asked_for(
    every_fold: tuple[Path, str], place: Path, command: Command
) -> None:
    out, _ = every_fold
    facts = json.loads(command("info", out, "--json").out)
    assert (facts["kind"], facts["command"], facts["folds"]) == ("run of every fold", "finetune", ["1", "2"])
    assert facts["mean"]["frame_accuracy"] == load(out / "folds.json")["mean"]["frame_accuracy"]
    done = command("finetune", place / "corpus", "--out", place / "never", "--pretrained", out, *FEW)
    assert done.code == 2
    assert f"{out}: a run of every fold" in done.err
    assert "fold1" in done.err


def test_a_run_of_every_fold_is_never_overwritten_and_resumes_what_is_missing(
    every_fold: tuple[Path, str], place: Path, command: Command
) -> None:
    whole, _ = every_fold
    out = place / "part"
    shutil.copytree(whole, out)
    words = ("finetune", place / "corpus", "--out", out, "--split", "two", "--fold", "all")
    again = command(*words, *SCRATCH)
    assert again.code == 2
    assert "holds a run already; resume it with --resume" in again.err
    other = command(*words, *SCRATCH[2:], "--protocol", "scratch", "--seed", 4, "--resume")
    assert other.code == 2
    assert "started with seed 0, --resume came with seed 4" in other.err
    shutil.rmtree(out / "fold1")
    done = command(*words, *SCRATCH, "--resume")
    assert done.code == 0, done.err
    assert f"fold 2, 2 of 2: {out / 'fold2'}, done before" in done.out
    assert load(out / "folds.json")["mean"] == load(whole / "folds.json")["mean"]
    model = Path("fold1") / "model.safetensors"
    assert same(read_weights(out / model), read_weights(whole / model))


@pytest.mark.parametrize("stop", ["training", "testing"])
def test_ctrl_c_in_a_fold_says_how_to_resume_and_the_end_is_the_same(
    every_fold: tuple[Path, str], place: Path, command: Command, monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    whole, _ = every_fold
    out = place / f"stopped_{stop}"
    words = ("finetune", place / "corpus", "--out", out, "--split", "two", "--fold", "all", *SCRATCH)
    with monkeypatch.context() as patch:
        if stop == "training":
            stop_after(patch, 1, lambda: (out / "fold2").is_dir())
        else:

            def stops(model: Any, corpus: Any, folder: Path, *rest: Any, **more: Any) -> Any:
                if folder.name == "fold2":
                    raise KeyboardInterrupt
                return run_test(model, corpus, folder, *rest, **more)

            patch.setattr("kinespan.train.held_out.run_test", stops)
        done = command(*words)
    assert done.code == 130
    assert done.err.endswith("; the same command with --resume continues\n")
    assert list(load(out / "folds.json")["folds"]) == ["1"]
    done = command(*words, "--resume")
    assert done.code == 0, done.err
    assert "done before" in done.out
    assert load(out / "folds.json")["folds"] == load(whole / "folds.json")["folds"]


def test_a_finished_training_whose_test_was_stopped_is_tested_on_resume(
    place: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = place / "untested"
    words = ("finetune", place / "corpus", "--out", out, "--split", "two", *SCRATCH)

    def stops(*rest: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("kinespan.train.held_out.run_test", stops)
        done = command(*words)
    assert (done.code, done.err.splitlines()[-1]) == (
        130, f"kinespan: stopped; {out} keeps what was done; the same command with --resume continues"
    )  # fmt: skip
    other = command(*words, "--resume", "--seed", 1)
    assert "started with seed 0, --resume came with seed 1" in other.err
    assert command(*words, "--resume").code == 0
    assert (out / "metrics.json").is_file()


def test_every_fold_starts_from_its_own_pretraining(place: Path, command: Command) -> None:
    (place / "all.yaml").write_text("split: two\nfold: all\nprobe_every: 0\n")
    words = ("pretrain", place / "corpus", "--out", place / "pre", "--config", place / "all.yaml", *FEW)
    done = command(*words)
    assert done.code == 0, done.err
    assert f"--fold all --pretrained {place / 'pre'}" in done.out
    assert {path.parent.name for path in (place / "pre").glob("*/encoder.safetensors")} == {"fold1", "fold2"}
    tuned = ("finetune", place / "corpus", "--split", "two", "--pretrained", place / "pre", *FEW)
    assert command(*tuned, "--out", place / "tuned", "--fold", "all").code == 0
    for number in (1, 2):
        settings = load_settings(place / "tuned" / f"fold{number}")
        assert settings["pretrained"] == str(place / "pre" / f"fold{number}")
    assert command(*tuned, "--out", place / "second", "--fold", 2).code == 0
    assert load_settings(place / "second")["pretrained"] == str(place / "pre" / "fold2")
    other = command(*tuned, "--out", place / "other", "--split", "by-performer", "--fold", "all")
    assert other.code == 2
    assert "every fold of split 'two', this run has --split by-performer" in other.err
    assert not (place / "other").exists()
    known = command("recognize", place / "corpus", "--config", place / "knn.yaml")
    assert "knn.yaml: no such file" in known.err
    (place / "knn.yaml").write_text(yaml.safe_dump({"split": "two", "fold": "all", "protocol": "knn"}))
    words = ("--config", place / "knn.yaml", "--pretrained", place / "pre", "--out", place / "knn.json")
    done = command("recognize", place / "corpus", *words)
    assert done.code == 0, done.err
    summary = load(place / "knn.json")
    top1 = [summary["folds"][str(number)]["top1"] for number in (1, 2)]
    assert summary["mean"]["top1"] == pytest.approx(statistics.mean(top1))
    assert [summary["folds"][number]["facts"]["fold"] for number in "12"] == [1, 2]
    assert re.search(rf"^  mean +{100 * statistics.mean(top1):.1f} ", done.out, re.MULTILINE)


def test_learn_summarises_every_stage(place: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    out = place / "learnt"
    words = ("learn", place / "corpus", "--out", out, "--split", "two", "--fold", "all", "--pretrained", "default")
    words += ("--steps", 2, "--precision", 32)
    with monkeypatch.context() as patch:
        stop_after(patch, 1, lambda: (out / "fold2" / "scratch").is_dir())
        stopped = command(*words)
    assert stopped.code == 130
    assert "--resume" in stopped.err
    done = command(*words, "--resume")
    assert done.code == 0, done.err
    assert f"{out / 'fold1'}, done before" in done.out
    assert "1 of 3  finetune: stgcn16_light, labels of 3 recordings, done before" in done.out
    summary = load(out / "folds.json")
    assert list(summary["mean"]) == ["finetune", "scratch", "model"]
    for stage in summary["mean"]:
        values = [summary["folds"][number][stage]["frame_accuracy"] for number in "12"]
        assert summary["mean"][stage]["frame_accuracy"] == pytest.approx(statistics.mean(values))
    rows = [line.split()[0] for line in done.out.splitlines() if re.match(r"  .*\d ± \d", line)]
    assert rows == ["finetune", "scratch", "model"]


def test_ctrl_c_between_stages_of_learn_says_how_to_resume(
    place: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = place / "between"
    words = ("learn", place / "corpus", "--out", out, "--pretrained", "default", "--steps", 2, "--precision", 32)

    def stops(*rest: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)  # a process in the background of a shell ignores it
    with monkeypatch.context() as patch:
        patch.setattr("kinespan.train.averaging.ensemble", stops)
        done = command(*words)
    assert done.code == 130
    assert done.err.endswith("keeps what was done; the same command with --resume continues\n")
    assert signal.getsignal(signal.SIGINT) is handler
    assert command(*words, "--resume").code == 0


@pytest.mark.parametrize(
    "words, named",
    [
        ("finetune corpus --out x --fold all", ("--split NAME", "two")),
        ("finetune corpus --out x --split nope --fold all", ("no split 'nope'",)),
        ("finetune corpus --out x --split two --fold every", ("--fold", "every", "all")),
        ("learn corpus --out x --split two --fold all --resume", ("holds no run of kinespan learn --fold all",)),
        ("pretrain corpus@two/1 --out x --fold all", ("names a fold of its own",)),
        ("recognize corpus --split nope --fold all", ("no split 'nope'",)),
        ("finetune corpus --out x --split two --fold all --pretrained gone", ("gone: no such model",)),
    ],
)
def test_mistakes_are_told_before_anything_is_written(
    place: Path, command: Command, monkeypatch: pytest.MonkeyPatch, words: str, named: tuple[str, ...]
) -> None:
    monkeypatch.chdir(place)
    done = command(*words.split())
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    for text in named:
        assert text in done.err
    assert not (place / "x").exists()
