"""The main job as a user meets it: the demo on made motion, and the whole way on real recordings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from kinespan.cli import main
from kinespan.cli.demo import _fresh

FEW = ("--steps", "4", "--batch-size", "4", "--clip-frames", "32")


@pytest.fixture(autouse=True)
def one_thread():
    """Workers of the tests share the machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run(*words: object) -> None:
    assert main([str(word) for word in words]) == 0


def test_the_demo_ends_with_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real demo at a hundredth of its steps and a sixth of its recordings."""
    monkeypatch.setattr("kinespan.cli.demo.RECORDINGS", 12)
    out = tmp_path / "demo"
    run("demo", "--out", out, "--scale", "0.01")
    printed, told = capsys.readouterr()
    report = Path(re.search(r"^report: (.+)$", printed, re.MULTILINE).group(1))  # type: ignore[union-attr]
    assert printed.endswith(f"report: {report}\n")
    assert report.is_absolute()
    page = report.read_text(encoding="utf-8")
    assert "built-in corpus" in page
    for protocol in ("linear", "finetune"):
        assert re.search(rf"^  {protocol} +\d", printed, re.MULTILINE)
    for stage in ("making the corpus", "pretraining", "linear probe", "finetuning", "localizing"):
        assert re.search(rf"^{stage}: .* left", told, re.MULTILINE), f"{stage} does not say what is left"

    assert list(_fresh(out).iterdir()) == []  # what a second demo begins with


def test_a_demo_does_not_replace_what_is_not_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "thesis.doc"
    mine.write_text("years of work")
    assert main(["demo", "--out", str(tmp_path)]) == 2
    assert "thesis.doc" in capsys.readouterr().err
    assert mine.read_text() == "years of work"


@pytest.mark.real_motion
def test_real_motion_from_files_to_figures(real_motion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run("prepare", real_motion / "precog" / "csv", "--out", "precog")
    split = ("--split", "cross-performer", "--fold", 1)
    run("pretrain", "precog", "--out", "pre", *split, *FEW)
    run("finetune", "precog", "--out", "fine", "--pretrained", "pre", *split, *FEW)
    run("evaluate", "fine", "precog", *split, "--out", "metrics.json")
    again, metrics = (json.loads(Path(file).read_text()) for file in ("metrics.json", "fine/metrics.json"))
    for measure in ("map", "per_class", "frame_accuracy", "edit", "f1"):
        assert again[measure] == metrics[measure]
    results = json.loads(Path("fine/proposals.json").read_text())["results"]
    assert {int(name.rpartition("_")[2]) for name in results} == {1, 5, 9}
    assert metrics["recordings"] == len(results)
    run("report", "fine", "--out", "report.html", "--most", 2)

    # a model of Kinect motion reads a take of another laboratory, another body and another rate
    take = real_motion / "cmu_bvh" / "acrnn" / "martial" / "03.bvh"
    run("localize", "fine", take, "--out", "found")
    found = json.loads(Path("found/proposals.json").read_text())
    assert list(found["results"]) == ["03"]
    assert all(0 <= span["score"] <= 1 for span in found["results"]["03"])
