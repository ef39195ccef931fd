"""Labels that people bring, by the command: what is refused, what is mended, and that all of it is told and kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinespan.cli import main
from kinespan.corpus import Corpus
from kinespan.data.annotation import IGNORE, Event, Span
from kinespan.prepare.prepare import prepare


@pytest.fixture
def motion(tmp_path: Path) -> Path:
    """Two recordings of 4 s at 30 fps."""
    folder = tmp_path / "motion"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("walk_01", "walk_02"):
        positions = rng.normal(size=(120, 20, 3)).astype(np.float32)
        np.savez(folder / f"{name}.npz", positions=positions, fps=30.0, skeleton="kinect20")
    return folder


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def labels_in(folder: Path, rows: str, header: str = "recording,label,start,end") -> Path:
    file = folder / "labels.csv"
    file.write_text(f"{header}\n{rows}")
    return file


def test_decisions_are_printed_and_kept(motion: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = labels_in(
        motion, "Walk_01.npz;walk;0,5;1,5\nwalk_01;walk ;2;3\nwalk_01;hit;1;\n", "Recording;Label;Start;End"
    )
    out = tmp_path / "corpus"
    code, printed, _ = run(
        capsys, "prepare", motion, "--annotations", labels, "--out", out, "--unlabelled", "ignore", "--offset", "0.25"
    )
    assert code == 0
    corpus = Corpus.open(out)
    annotation = corpus.annotation("walk_01")
    assert annotation is not None
    assert annotation.spans == (Span(0.75, 1.75, "walk"), Span(2.25, 3.25, "walk"))
    assert annotation.events == (Event(1.25, "hit"),)
    assert annotation.frame_ids(4, 1.0).tolist() == [IGNORE, 2, 2, IGNORE]
    assert corpus.annotation("walk_02") is None
    assert corpus.labels is not None
    assert corpus.labels.events == ("hit",)
    assert len(corpus.decisions) == 5
    for line in corpus.decisions:
        assert f"  {line}\n" in printed
    assert "hit        1 instant\n" in printed
    assert "annotated: 1 of 2 recordings" in printed
    assert str(labels) not in printed, "it is no skipped motion"
    code, printed, _ = run(capsys, "info", out)
    assert "\n".join(["decided:", *(f"  {line}" for line in corpus.decisions)]) in printed


def test_a_file_in_frames_is_refused_and_the_motion_is_not_read_again(
    motion: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, out = labels_in(tmp_path, "walk_01,walk,30,105\nwalk_02,walk,2,10\n"), tmp_path / "corpus"
    code, _, message = run(capsys, "prepare", motion, "--annotations", labels, "--out", out)
    assert code == 2
    assert "frames (30 a second)" in message
    assert "--time frames" in message
    assert not out.exists()
    code, printed, _ = run(capsys, "prepare", motion, "--annotations", labels, "--out", out, "--time", "frames")
    assert code == 0
    assert "resumed an interrupted run, after 2 files" in printed
    annotation = Corpus.open(out).annotation("walk_01")
    assert annotation is not None
    assert annotation.spans == (Span(1, 3.5, "walk"),)


def test_corrected_labels_resume_too(motion: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "corpus"
    labels = labels_in(tmp_path, "walk_01,walk,30,105\n")
    assert run(capsys, "prepare", motion, "--annotations", labels, "--out", out)[0] == 2
    labels_in(tmp_path, "walk_01,walk,1,3.5\n")
    assert prepare(motion, out, annotations=labels).resumed == 2


def test_mistakes_in_options_are_told_before_motion_is_read(
    motion: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, out = labels_in(tmp_path, "walk_01,walk,1,3\n"), tmp_path / "corpus"
    command = ("prepare", motion, "--out", out)
    for words, expected in (
        (("--offset", 1), "--offset: it is for the labels of a file; give the file by --annotations"),
        (("--annotations", labels, "--points", "wlk"), "--points: unknown label 'wlk'; did you mean 'walk'"),
        (
            ("--annotations", labels, "--match", tmp_path / "none.csv"),
            "no such file; expected a table",
        ),
        (("--annotations", labels, "--time", "hours"), "--time"),
        (("--annotations", labels, "--unlabelled", "zero"), "--unlabelled"),
    ):
        code, _, message = run(capsys, *command, *words)
        assert code == 2
        assert expected in message
        assert "preparing" not in message
    assert not list(tmp_path.glob("corpus*"))


def test_frames_left_out_at_the_start_are_said(
    motion: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = labels_in(tmp_path, "walk_01,walk,1,3\n")
    words = ("prepare", motion, "--annotations", labels, "--out", tmp_path / "corpus", "--skip-frames", 30)
    code, printed, _ = run(capsys, *words)
    assert code == 0
    assert "times of labels count from the first frame that is left after --skip-frames" in printed


def test_an_empty_folder_with_labels_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = labels_in(tmp_path, "walk_01,walk,1,3\n")
    (tmp_path / "empty").mkdir()
    code, _, message = run(capsys, "prepare", tmp_path / "empty", "--annotations", labels, "--out", tmp_path / "corpus")
    assert code == 2
    assert "empty" in message
