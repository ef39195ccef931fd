"""The commands as the contract has them, on a tiny corpus: what they write, print and return."""

from __future__ import annotations

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import kinespan
from kinespan.annotations import read_annotations
from kinespan.cli import COMMANDS
from kinespan.corpus.store import Corpus
from kinespan.io import save_npz
from makers import person, utkinect

Command = Callable[..., Any]
FEW = ("--steps", "2", "--batch-size", "4", "--clip-frames", "32")
SPLIT = ("--split", "by-performer")
MEASURES = ("map", "per_class", "frame_accuracy", "edit", "f1")


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_overview_names_every_command(command: Command) -> None:
    done = command("--help")
    assert done.code == 0
    assert all(re.search(rf"^  {name} ", done.out, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert kinespan.cli.main([name, "--help"]) == 0
    assert f"usage: kinespan {name}" in capsys.readouterr().out


def test_help_shows_flags_as_they_are_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert kinespan.cli.main(["finetune", "--help"]) == 0
    text = capsys.readouterr().out
    for flag in ("--label-fraction", "--pretrained", "--protocol", "--split", "--fold", "--seed", "--config"):
        assert flag in text


def test_installed_command_prints_its_version() -> None:
    tool = shutil.which("kinespan", path=str(Path(sys.executable).parent))
    assert tool is not None, "the package is not installed in the tests' environment"
    done = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"kinespan {kinespan.__version__}\n"


def test_info_of_a_corpus(jobs: Path, command: Command) -> None:
    facts = json.loads(command("info", "corpus", "--json").out)
    assert (facts["kind"], facts["recordings"], facts["annotated"]) == ("corpus", 6, 6)
    assert facts["skeletons"] == ["ntu25"]
    assert {len(fold) for fold in facts["splits"]["by-performer"]["folds"].values()} == {2}
    assert "wave" in facts["labels"]
    assert "recordings: 6" in command("info", "corpus").out


def test_info_of_a_model_and_an_encoder(jobs: Path, command: Command) -> None:
    facts = json.loads(command("info", "fine", "--json").out)
    assert (facts["kind"], facts["skeleton"], facts["fusion"]) == ("localizer", "ntu25", "last_map")
    assert facts["training"]["protocol"] == "linear"
    assert facts["training"]["pretrained"]["snippets"] == "aligned"
    assert facts["metrics"]["split"] == "by-performer"
    encoder = json.loads(command("info", "pre/encoder.safetensors", "--json").out)
    assert (encoder["kind"], encoder["labels"]) == ("encoder", None)
    assert 100_000 < encoder["parameters"] < facts["parameters"]


def test_info_of_a_recording(jobs: Path, command: Command) -> None:
    corpus = Corpus.open(jobs / "corpus")
    name = corpus.names[0]
    save_npz(corpus[name], jobs / "one.npz", corpus.annotation(name))
    facts = json.loads(command("info", "one.npz", "--json").out)
    assert (facts["kind"], facts["format"], facts["fps"], facts["people"]) == ("recording", "npz", 30.0, 1)
    assert facts["seconds"] == pytest.approx(facts["frames"] / 30, abs=1e-3)
    assert facts["spans"]


def test_files_of_a_pretraining_run(jobs: Path) -> None:
    run = jobs / "pre"
    assert {"encoder.safetensors", "settings.yaml", "metrics.csv"} <= {file.name for file in run.iterdir()}
    assert yaml.safe_load((run / "settings.yaml").read_text())["config"]["split"] == "by-performer"


def test_metrics_json_has_the_documented_fields(jobs: Path) -> None:
    metrics = load(jobs / "fine" / "metrics.json")
    assert set(MEASURES) <= set(metrics)
    assert set(metrics["map"]) == {"0.1", "0.2", "0.3", "0.4", "0.5", "average"}
    assert metrics["map"]["average"] == pytest.approx(np.mean([metrics["map"][f"0.{k}"] for k in range(1, 6)]))
    assert set(metrics["f1"]) == {"10", "25", "50"}
    assert set(metrics["per_class"]) == set(Corpus.open(jobs / "corpus").labels.names)
    for value in (*metrics["map"].values(), *metrics["f1"].values(), metrics["frame_accuracy"], metrics["edit"]):
        assert 0 <= value <= 1
    facts = metrics["facts"]
    assert (facts["protocol"], facts["split"], facts["fold"], facts["seed"]) == ("linear", "by-performer", 1, 1)


def test_proposals_json_and_truth_json_are_activitynet(jobs: Path) -> None:
    found, truth = load(jobs / "fine" / "proposals.json"), load(jobs / "fine" / "truth.json")
    corpus = Corpus.open(jobs / "corpus")
    test = corpus.fold("by-performer", 1).test
    assert tuple(found["results"]) == tuple(truth["database"]) == test
    assert sum(map(len, found["results"].values())) > 5, "a model that finds nothing tests nothing"
    for name, spans in found["results"].items():
        duration = corpus.infos[corpus.index(name)].duration
        for span in spans:
            start, end = span["segment"]
            assert 0 <= start < end <= duration + 1e-6
            assert 0 <= span["score"] <= 1
            assert span["label"] in corpus.labels.names
    for name, entry in truth["database"].items():
        spans = [(part["label"], *part["segment"]) for part in entry["annotations"]]
        assert spans == [(span.label, span.start, span.end) for span in corpus.annotation(name).spans]


def test_spans_csv_is_the_segmentation_in_frames_of_the_recording(jobs: Path) -> None:
    with open(jobs / "fine" / "spans.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = ["recording", "label", "start", "end", "start_frame", "end_frame", "score", "person"]
    assert list(rows[0]) == columns
    table = [(row["recording"], row["label"], float(row["start"]), float(row["end"])) for row in rows]
    answers = load(jobs / "fine" / "proposals.json")["segmentation"]
    assert table == [(name, span["label"], *span["segment"]) for name, spans in answers.items() for span in spans]
    corpus = Corpus.open(jobs / "corpus")
    for row in rows:
        fps = corpus.infos[corpus.index(row["recording"])].fps
        for bound in ("start", "end"):
            assert abs(int(row[f"{bound}_frame"]) - float(row[bound]) * fps) <= 0.5


def test_localize_gives_the_predictions_of_the_test(jobs: Path, command: Command) -> None:
    done = command("localize", "fine", "corpus", "--out", "again", *SPLIT, "--fold", 1)
    assert done.code == 0
    assert "localizing" in done.err
    again, fine = load(jobs / "again" / "proposals.json"), load(jobs / "fine" / "proposals.json")
    assert (again["results"], again["segmentation"]) == (fine["results"], fine["segmentation"])
    assert load(jobs / "again" / "truth.json") == load(jobs / "fine" / "truth.json")
    for name in ("spans.csv", "summary.csv", "transitions.csv"):
        assert (jobs / "again" / name).read_text() == (jobs / "fine" / name).read_text()


def test_answers_are_overwritten_only_when_asked(jobs: Path, command: Command) -> None:
    assert command("localize", "fine", "corpus", "--out", "once", *SPLIT).code == 0
    answers = (jobs / "once" / "spans.csv").read_bytes()
    refused = command("localize", "fine", "corpus", "--out", "once")
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert (jobs / "once" / "spans.csv").read_bytes() == answers
    corpus = Corpus.open(jobs / "corpus")
    save_npz(corpus[corpus.names[0]].with_changes("renamed", name="first"), jobs / "first.npz")
    assert command("localize", "fine", "first.npz", "--out", "once", "--overwrite").code == 0
    assert list(load(jobs / "once" / "proposals.json")["results"]) == ["first"]
    assert not (jobs / "once" / "truth.json").exists(), "of other recordings"
    done = command("localize", "fine", "first.npz", "--out", "written", "--write", "elan", "boris")
    assert done.code == 0
    spans = read_annotations(jobs / "written" / "spans.csv")["first"].spans
    for file in ("elan/first.eaf", "boris/answers.boris"):
        written = read_annotations(jobs / "written" / file)["first"].spans
        assert [(s.label, round(s.start, 3)) for s in written] == [(s.label, round(s.start, 3)) for s in spans]
        assert f"written to written/{file}" in done.out
    in_run = command("localize", "fine", "first.npz", "--out", "fine", "--overwrite")
    assert in_run.code == 2
    assert "--out fine: is the folder of a run" in in_run.err


def test_localize_files_and_folders_of_them(jobs: Path, command: Command) -> None:
    corpus = Corpus.open(jobs / "corpus")
    takes = jobs / "takes"
    takes.mkdir()
    for name in corpus.names[:2]:
        save_npz(corpus[name], takes / f"{name}.npz")
    assert command("localize", "fine/model.safetensors", "takes", "--out", "of_files").code == 0
    found = load(jobs / "of_files" / "proposals.json")["results"]
    assert sorted(found) == sorted(corpus.names[:2])
    assert not (jobs / "of_files" / "truth.json").exists()
    one = command("localize", "fine", f"takes/{corpus.names[0]}.npz", "--out", "of_one")
    assert load(jobs / "of_one" / "proposals.json")["results"] == {corpus.names[0]: found[corpus.names[0]]}
    with open(jobs / "of_one" / "spans.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    shown = re.findall(r"^  +(\d+\.\d\d) s to +(\d+\.\d\d) s  (.*?)  \(", one.out, re.MULTILINE)
    assert shown == [(f"{float(row['start']):.2f}", f"{float(row['end']):.2f}", row["label"]) for row in rows]
    assert shown, "a model that finds nothing tests nothing"
    assert f"{corpus.names[0]}: {len(rows)} action{'' if len(rows) == 1 else 's'}\n" in one.out


def test_python_gives_the_spans_of_the_command(jobs: Path) -> None:
    """kinespan.load_model(path).localize(recording) -> Annotation, the same spans as the command's."""
    corpus = kinespan.Corpus.open(jobs / "corpus")
    model = kinespan.load_model(jobs / "fine" / "model.safetensors")
    written = load(jobs / "fine" / "proposals.json")
    for name in written["results"]:
        annotation = model.localize(corpus[name])
        assert annotation.labels == model.labels
        for spans, entries in (
            (annotation.spans, written["segmentation"][name]),
            (model.proposals(corpus[name]), written["results"][name]),
        ):
            rows = [(span.start, span.end, span.label, pytest.approx(span.score, abs=1e-6)) for span in spans]
            assert rows == [(*entry["segment"], entry["label"], entry["score"]) for entry in entries]


@pytest.mark.parametrize("rule", ["activitynet", "stal", "pku"])
def test_evaluating_files_and_model_gives_the_same_metrics(jobs: Path, command: Command, rule: str) -> None:
    files = ("--predictions", "fine/proposals.json", "--truth", "fine/truth.json")
    more = ("--rule", rule, "--tiou", 0.1, 0.25, 0.5)
    assert command("evaluate", *files, *more, "--out", "of_p_and_t.json").code == 0
    assert command("evaluate", "fine", "corpus", *SPLIT, *more, "--out", "of_model.json").code == 0
    one, other = load(jobs / "of_p_and_t.json"), load(jobs / "of_model.json")
    assert one["rule"] == other["rule"] == rule
    assert set(one["map"]) == {"0.1", "0.25", "0.5", "average"}
    for measure in MEASURES:
        assert one[measure] == other[measure], measure


def test_evaluate_prints_the_protocol_and_a_row_for_each_label(jobs: Path, command: Command) -> None:
    done = command("evaluate", "--predictions", "fine/proposals.json", "--truth", "fine/truth.json")
    assert done.code == 0
    assert "protocol linear" in done.out
    assert "seed 1" in done.out
    for label in Corpus.open(jobs / "corpus").labels.names:
        assert f"  {label} " in done.out


def test_evaluate_says_how_many_recordings_were_trained_on(jobs: Path, command: Command) -> None:
    fold = Corpus.open(jobs / "corpus").fold("by-performer", 1)
    assert "was trained on" not in command("evaluate", "fine", "corpus", *SPLIT).out
    assert f"was trained on {len(fold.train)} of these" in command("evaluate", "fine", "corpus").out
    others = set(Corpus.open(jobs / "corpus").fold("by-performer", 2).test)
    assert (
        f"was trained on {len(others & set(fold.train))} of these"
        in command("evaluate", "fine", "corpus", *SPLIT[:2], "--fold", 2).out
    )
    done = command("ensemble", "fine", "fine", "--out", "twice.safetensors")
    assert done.code == 0, done.err
    assert f"was trained on {len(fold.train)} of these" in command("evaluate", "twice.safetensors", "corpus").out


def test_recognize_says_that_an_encoder_without_a_name_is_untrained(jobs: Path, command: Command) -> None:
    words = ("recognize", "corpus", *SPLIT, "--protocol", "knn", "--neighbours", 1)
    assert "no --pretrained, so the encoder is untrained" in command(*words).out
    assert "untrained" not in command(*words, "--pretrained", "pre").out


def test_flags_with_dash_or_underscore_train_the_same(jobs: Path, command: Command) -> None:
    used = []
    for number, flag in enumerate(("--label-fraction", "--label_fraction")):
        out = f"fraction{number}"
        words = ("finetune", "corpus", "--out", out, "--protocol", "scratch", flag, 0.5, "--seed", 3)
        assert command(*words, *SPLIT, *FEW).code == 0
        used.append(yaml.safe_load((jobs / out / "settings.yaml").read_text())["labelled_recordings"])
    train = Corpus.open(jobs / "corpus").fold("by-performer", 1).train
    assert used[0] == used[1]
    assert set(used[0]) < set(train)
    assert len(used[0]) == round(0.5 * len(train) + 1e-9)


def test_flags_win_over_the_file(jobs: Path, command: Command) -> None:
    (jobs / "mine.yaml").write_text("steps: 2\nbatch_size: 3\nclip_frames: 32\nnetwork:\n  streams: [bone]\nseed: 5\n")
    words = ("finetune", "corpus", "--out", "mine", "--config", "mine.yaml", "--batch-size", 2, "--protocol", "scratch")
    assert command(*words, *SPLIT).code == 0
    config = yaml.safe_load((jobs / "mine" / "settings.yaml").read_text())["config"]
    assert (config["steps"], config["batch_size"], config["seed"]) == (2, 2, 5)
    assert config["network"]["streams"] == ["bone"]


def test_without_split_all_recordings_are_trained_on_and_none_tested(jobs: Path, command: Command) -> None:
    assert command("pretrain", "corpus", "--out", "pre_all", *FEW).code == 0
    done = command("finetune", "corpus", "--out", "all", "--pretrained", "pre_all/encoder.safetensors", *FEW)
    assert done.code == 0
    assert "--split" in done.out
    assert not (jobs / "all" / "metrics.json").exists()
    assert command("localize", "all", "corpus", "--out", "all_found").code == 0
    assert len(load(jobs / "all_found" / "proposals.json")["results"]) == 6
    assert command("evaluate", "all", "corpus", "--out", "all.json").code == 0
    assert load(jobs / "all.json")["recordings"] == 6


def test_a_new_file_of_a_data_set_that_has_a_recipe_is_localized_and_shown(jobs: Path, command: Command) -> None:
    """UTKinect's joints: found by content, frames uneven in time, on a model of another skeleton."""
    utkinect.write_joints(jobs / "new", 1, 1, [*range(0, 60, 2), *range(90, 190, 2)])
    file = "new/joints_s01_e01.txt"
    done = command("localize", "fine", file, "--out", "new_answers", "--skip-frames", "2")
    assert done.code == 0, done.err
    details = load(jobs / "new_answers" / "proposals.json")["external_data"]
    assert details["read"] == {"skip_frames": 2}
    assert command("report", "new_answers", "--out", "new.html").code == 0
    np.savez(
        jobs / "z_up.npz",
        positions=1000 * person.standing()[:, :, [0, 2, 1]] * np.array([1, -1, 1]),
        joints=np.array(person.JOINTS),
        parents=np.array(person.PARENTS),
    )
    done = command("localize", "fine", "z_up.npz", "--out", "z_up", "--fps", "30")
    assert "decided: the unit is millimetres, by the body (1.71 m tall" in done.out
    assert "decided: z is up, not y, by the body (" in done.out
    assert command("report", "z_up", "--out", "z_up.html").code == 0
    assert "decided: z is up" in command("stream", "fine", "z_up.npz", "--fps", "30").err
    assert command("report", "new_answers", "--out", "new.html", "--fps", "30").code == 0
    assert command("stream", "fine", file).code == 0


def test_reports_of_a_run_and_of_files(jobs: Path, command: Command) -> None:
    assert command("report", "fine", "--out", "run.html").code == 0
    words = ("report", "fine/proposals.json", "fine/metrics.json", "--out", "files.html", "--title", "My <takes>")
    assert command(*words).code == 0
    for name in ("run.html", "files.html"):
        page = (jobs / name).read_text(encoding="utf-8")
        assert page.lstrip().lower().startswith("<!doctype html>")
        assert not re.search(r"""(src|href)=["']https?:""", page), "the page must open offline"
    assert "My <takes>" not in page


def test_a_report_shows_proposals_where_asked(jobs: Path, command: Command) -> None:
    proposals = {}
    for name, more in (("without", []), ("with", ["--proposals"])):
        assert command("report", "fine", "--out", f"{name}.html", *more).code == 0
        page = (jobs / f"{name}.html").read_text(encoding="utf-8")
        data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
        proposals[name] = sum(len(recording["proposals"]) for recording in data["recordings"])
        assert all(recording["segmentation"] is not None for recording in data["recordings"])
        assert all(recording["scores"]["fps"] > 0 for recording in data["recordings"])
    assert proposals["without"] == 0
    assert proposals["with"] == sum(map(len, load(jobs / "fine" / "proposals.json")["results"].values()))


def test_report_reads_motion_that_has_moved(jobs: Path, command: Command) -> None:
    data = load(jobs / "fine" / "proposals.json")
    data["external_data"]["corpus"] = "/gone"
    (jobs / "moved.json").write_text(json.dumps(data))
    lost = command("report", "moved.json", "--out", "moved.html")
    assert lost.code == 2
    assert "--recordings" in lost.err
    assert command("report", "moved.json", "--out", "moved.html", "--recordings", "corpus").code == 0


def test_a_recording_may_have_any_name(jobs: Path, command: Command) -> None:
    """Among them `file`, which numpy's own writer of archives cannot take."""
    corpus = Corpus.open(jobs / "corpus")
    save_npz(corpus[corpus.names[0]].with_changes("renamed", name="file"), jobs / "file.npz")
    assert command("localize", "fine", "file.npz", "--out", "named").code == 0
    assert command("report", "named", "--out", "named.html").code == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion(shell: str, command: Command, tmp_path: Path) -> None:
    done = command("completion", shell)
    assert done.code == 0
    assert all(name in done.out for name in COMMANDS)
    if shell == "bash":
        script = tmp_path / "completion.bash"
        script.write_text(done.out)
        subprocess.run(["bash", "-n", script], check=True)
        asked = f"source {script}; COMP_WORDS=(kinespan fine); COMP_CWORD=1; _shtab_kinespan; echo ${{COMPREPLY[@]}}"
        found = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
        assert found.stdout.strip() == "finetune"


def test_run_stopped_by_ctrl_c_resumes(jobs: Path, command: Command) -> None:
    words = ["pretrain", "corpus", "--out", "stopped", *SPLIT, "--steps", "60", "--batch-size", "2"]
    words += ["--clip-frames", "32", "--probe-every", "0", "--save-every", "1000"]
    run = subprocess.Popen(
        [sys.executable, "-m", "kinespan.cli", *words], cwd=jobs, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert run.stderr is not None
    seen = []
    for line in run.stderr:
        seen.append(line)
        if line.startswith("pretraining: "):
            run.send_signal(signal.SIGINT)
            break
    out, err = run.communicate(timeout=120)
    assert run.returncode == 130, (seen, err)
    assert "Traceback" not in err
    step = int(re.search(r"stopped after step (\d+)", err).group(1))  # type: ignore[union-attr]
    assert 1 <= step < 60
    assert err.endswith("; the same command with --resume continues\n")
    assert out == ""
    assert (jobs / "stopped" / "last.ckpt").is_file()
    assert not (jobs / "stopped" / "encoder.safetensors").exists()
    again = command(*words)
    assert again.code == 2, "a run is never overwritten unasked"
    assert "--resume" in again.err
    done = command(*words, "--resume")
    assert done.code == 0
    first = int(re.search(r"pretraining: (\d+)/60", done.err).group(1))  # type: ignore[union-attr]
    assert first == step + 1
    assert (jobs / "stopped" / "encoder.safetensors").is_file()


def test_ctrl_c_outside_training_is_one_line(monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kinespan.cli.info._print_recording", stop)
    done = command("info", __file__)
    assert (done.code, done.err) == (130, "kinespan: stopped\n")


def test_ctrl_c_before_the_first_checkpoint_does_not_offer_to_resume(
    jobs: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kinespan.train.pretraining.pretrain", stop)
    done = command("pretrain", "corpus", "--out", "never")
    assert (done.code, done.err) == (130, "kinespan: stopped\n")


def test_closed_pipe_is_no_error(jobs: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m kinespan.cli info corpus --json | true"],
        cwd=jobs, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""


def test_bfloat16_changes_scores_only_by_rounding(jobs: Path, command: Command) -> None:
    """On trained weights: scores a few thousandths apart, the same actions, and the figures of float32 nearly."""
    found = {}
    for precision in ("32", "bf16"):
        words = ("localize", "fine", "corpus", "--out", f"in_{precision}", "--precision", precision, *SPLIT)
        assert command(*words).code == 0
        with np.load(f"in_{precision}/scores.npz") as scores:
            found[precision] = {name: scores[name] for name in scores.files if name.startswith("scores/")}
    assert found["32"].keys() == found["bf16"].keys()
    apart = [np.abs(found["bf16"][name] - scores) for name, scores in found["32"].items()]
    assert 0 < max(float(part.max()) for part in apart) < 0.1
    assert max(float(part.mean()) for part in apart) < 0.005
    figures = []
    for way in ("32", "bf16"):
        files = ("--predictions", f"in_{way}/proposals.json", "--truth", f"in_{way}/truth.json")
        assert command("evaluate", *files, "--out", f"in_{way}/metrics.json").code == 0
        figures.append(load(jobs / f"in_{way}" / "metrics.json")["frame_accuracy"])
    assert figures[1] == pytest.approx(figures[0], abs=0.02)
