"""`kinespan stream`: a file and the same frames from standard input give the spans of the whole recording."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kinespan.cli import main
from kinespan.config import Normalisation
from kinespan.data.annotation import LabelSet
from kinespan.data.recording import Recording
from kinespan.data.skeletons import KINECT_20
from kinespan.io import save_npz
from kinespan.models.input_spec import InputSpec
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec
from kinespan.runs.load import load_model

FPS = 10.0


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A model that sees changes, and a take of two people, one of whom is away for a while."""
    names = LabelSet(("walk", "sit", "wave"))
    spec = ModelSpec(
        "localizer", InputSpec(KINECT_20, FPS, ("joint_motion",), Normalisation(size="none")), "tcn", labels=names
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = Localizer(spec).eval()
        model.head.linear.weight.data *= 30
    model.save(tmp_path / "model.safetensors")
    rng = np.random.default_rng(1)
    rest = rng.uniform(-0.5, 0.5, (20, 3)) + np.array([0, 1, 0])
    positions = rest + 0.1 * rng.standard_normal((90, 2, 20, 3)).cumsum(axis=0)
    valid = np.ones((90, 2), dtype=bool)
    valid[30:60, 1] = False
    save_npz(Recording(positions.astype(np.float32), FPS, KINECT_20, "take", valid), tmp_path / "take.npz")
    return tmp_path


def lines(recording: Recording) -> str:
    frames = [
        [person.tolist() if there else None for person, there in zip(people, seen, strict=True)]
        for people, seen in zip(recording.positions, recording.present, strict=True)
    ]
    return "\n".join(map(json.dumps, frames)) + "\n"


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_file_and_its_frames_on_standard_input_give_the_spans_of_the_whole(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import kinespan

    recording = kinespan.read(files / "take.npz").recording
    model = load_model(files / "model.safetensors")
    expected = model.segment(model.frame_scores(recording))
    assert len(expected) > 2
    assert main(["stream", str(files / "model.safetensors"), str(files / "take.npz")]) == 0
    from_file = printed(capsys)
    assert [(span["start"], span["end"], span["label"]) for span in from_file] == [
        (span.start, span.end, span.label) for span in expected
    ]
    assert [span["score"] for span in from_file] == pytest.approx([span.score for span in expected], abs=1e-3)
    monkeypatch.setattr("sys.stdin", io.StringIO(lines(recording)))
    assert main(["stream", str(files / "model.safetensors"), "--fps", "10", "--skeleton", "kinect20"]) == 0
    assert printed(capsys) == from_file


def test_spans_say_whose_they_are_where_the_model_tells_people_apart(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import kinespan

    model = load_model(files / "model.safetensors")
    model.spec = replace(model.spec, people="each")
    model.save(files / "model.safetensors")
    expected = model.localize(kinespan.read(files / "take.npz").recording).spans
    assert {span.person for span in expected} == {0, 1}
    assert main(["stream", str(files / "model.safetensors"), str(files / "take.npz")]) == 0
    rows = sorted(printed(capsys), key=lambda row: (row["start"], row["end"], row["label"]))
    assert [(row["start"], row["end"], row["label"], row["person"]) for row in rows] == [
        (span.start, span.end, span.label, span.person) for span in expected
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[null]\n[[1, 2]\n", "line 2"),
        ("[[[0, 0, 0]]]\n", "20 joints"),
        (json.dumps([np.zeros((3, 20)).tolist()]) + "\n", "found a person of 3 x 20 numbers"),
        ("[null, null, null]\n", "--people is 2"),
        ("3\n", "line 1"),
    ],
)
def test_a_line_that_is_no_frame_is_named_in_the_error(
    files: Path, text: str, named: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(["stream", str(files / "model.safetensors"), "--fps", "10"]) == 2
    assert named in capsys.readouterr().err


def test_joints_that_are_not_seen_are_null_or_nan(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import kinespan

    recording = kinespan.read(files / "take.npz").recording
    hidden = recording.positions.copy()
    hidden[20:70, :, 7] = np.nan
    save_npz(Recording(hidden, FPS, KINECT_20, "take", recording.valid & ~np.isnan(hidden[..., 0])), files / "gap.npz")
    assert main(["stream", str(files / "model.safetensors"), str(files / "gap.npz")]) == 0
    expected = printed(capsys)
    frames = [json.loads(line) for line in lines(recording).splitlines()]
    for number, frame in enumerate(frames[20:70]):
        for person in frame:
            if person is not None:
                person[7] = None if number % 2 else [float("nan")] * 3
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(map(json.dumps, frames)) + "\n"))
    assert main(["stream", str(files / "model.safetensors"), "--fps", "10", "--skeleton", "kinect20"]) == 0
    assert printed(capsys) == expected


def test_a_latency_that_the_network_cannot_keep_is_refused_and_a_longer_one_is_kept(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["stream", str(files / "model.safetensors"), str(files / "take.npz"), "--latency"]
    assert main([*words, "1.5"]) == 2
    assert "latency: found 1.5 s, expected 6.40 s or more" in capsys.readouterr().err
    assert main([*words, "7"]) == 0
    assert "scores come 7.00 s after their frames at most" in capsys.readouterr().err
