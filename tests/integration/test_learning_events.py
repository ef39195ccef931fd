"""From recordings with labelled instants to a model that names them: prepared, trained, tested, written, streamed."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

import kinespan
from kinespan.annotations.activitynet import read_predictions, read_truth
from kinespan.cli import main
from kinespan.config import FinetuneConfig
from kinespan.corpus import Corpus, CorpusWriter, Fold, Split
from kinespan.data.annotation import Annotation, Event, LabelSet
from kinespan.metrics import evaluate
from kinespan.prepare.synthetic.takes import ACTIONS, SyntheticConfig, synthetic_takes
from kinespan.runs.load import load_model
from kinespan.runs.outputs import read_scores
from kinespan.stream import StreamLocalizer, stream_recording, torso_of
from kinespan.train.finetuning import finetune

pytestmark = pytest.mark.usefixtures("one_thread")

EVENTS = ("strike", "nod")
MIXED = LabelSet((*ACTIONS.names, *EVENTS), ACTIONS.exclusive, EVENTS, 0.2)
ALONE = LabelSet(EVENTS, events=EVENTS, tolerance=0.2)
MOTION = SyntheticConfig(recordings=8, seconds=(20.0, 22.0), fps=15.0)
STEPS = 90


def with_events(recording, annotation, seed, labels):
    """Heel strikes, at the end of a lift of the left foot, and nods, in the middle of a move of the head."""
    rng = np.random.default_rng(seed)
    positions = recording.positions.copy()
    centres = (np.arange(recording.num_frames) + 0.5) / recording.fps
    events, time = [], 1.0
    while time < recording.duration - 1:
        label = EVENTS[int(rng.integers(2))]
        if label == "strike":
            phase = np.clip((centres - time + 0.5) / 0.4, 0, 1) * (centres <= time)
            positions[:, :, 14:16, 1] += 0.4 * phase[:, None, None].astype(np.float32)
        else:
            move = np.exp(-0.5 * ((centres - time) / 0.2) ** 2)
            positions[:, :, 2:4, 1] -= 0.4 * move[:, None, None].astype(np.float32)
        events.append(Event(time, label))
        time += rng.uniform(1.0, 2.0)
    spans = annotation.spans if labels.spans else ()
    moved = replace(recording, positions=positions)
    return moved, Annotation(spans, labels, None, tuple(events))


def write(path, labels):
    with CorpusWriter(path, "made", labels) as writer:
        for seed, (recording, annotation) in enumerate(synthetic_takes(MOTION)):
            writer.add(*with_events(recording, annotation, seed, labels))
        names = [info.name for info in writer.infos]
        writer.add_split(Split("held-out", {1: Fold(tuple(names[:6]), tuple(names[6:]))}))
    return Corpus.open(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The corpus of spans and events, and a run of `finetune` on it."""
    folder = tmp_path_factory.mktemp("events")
    write(folder / "corpus", MIXED)
    arguments = ["--split", "held-out", "--steps", str(STEPS), "--precision", "32", "--out", str(folder / "run")]
    assert main(["finetune", str(folder / "corpus"), *arguments]) == 0
    return folder


def test_events_of_held_out_recordings_are_found(run):
    events = json.loads((run / "run" / "metrics.json").read_text())["events"]
    assert events["tolerance"] == 0.2
    assert events["all"]["true"] > 15
    assert events["all"]["f1"] > 0.85
    assert events["all"]["mae"] < 0.1
    assert all(figures["ap"] > 0.85 for figures in events["per_class"].values())


def test_files_hold_the_events_that_were_scored(run):
    folder = run / "run"
    metrics = json.loads((folder / "metrics.json").read_text())
    predictions, truth = read_predictions(folder / "proposals.json"), read_truth(folder / "truth.json")
    assert truth.labels == MIXED
    assert evaluate(predictions, truth).to_dict()["events"] == metrics["events"]
    with (folder / "spans.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    instants = [row for row in rows if row["label"] in EVENTS]
    assert len(instants) == metrics["events"]["all"]["predicted"]
    assert all(not row["end"] and not row["end_frame"] and row["score"] for row in instants)
    assert all(row["end"] for row in rows if row["label"] not in EVENTS)


def test_evaluating_from_python_gives_the_figures_of_the_run(run):
    metrics = json.loads((run / "run" / "metrics.json").read_text())
    again = kinespan.evaluate(run / "run", run / "corpus", split="held-out")
    assert again.to_dict()["events"] == metrics["events"]
    files = kinespan.evaluate(run / "run" / "proposals.json", run / "run" / "truth.json", tolerance=0.01)
    assert files.events.figures()["f1"] < metrics["events"]["all"]["f1"]


def test_python_the_files_and_the_stream_agree(run):
    model, corpus = load_model(run / "run"), Corpus.open(run / "corpus")
    name = corpus.fold("held-out", 1).test[0]
    recording = corpus[name]
    answer = model.localize(recording)
    predictions = read_predictions(run / "run" / "proposals.json")
    written = list(filter(predictions.is_answer, predictions.events[name]))
    assert list(answer.events) == sorted(written, key=lambda event: (event.time, event.label))
    assert answer.events
    stream = StreamLocalizer(model, recording.fps, recording.skeleton, torso=torso_of(model, recording))
    streamed = [event for update in stream_recording(stream, recording, 7) for event in update.events]
    assert [(event.label, round(event.time, 3)) for event in sorted(streamed, key=lambda event: event.time)] == [
        (event.label, round(event.time, 3)) for event in answer.events
    ]


def test_scores_of_spans_are_a_distribution_beside_those_of_events(run):
    scores = next(iter(read_scores(run / "run" / "scores.npz").scores.values()))
    assert scores[:, MIXED.span_columns].sum(axis=1) == pytest.approx(1, abs=1e-2)
    assert scores[:, MIXED.event_columns].max() > 0.5


def test_the_report_draws_events_as_marks(run, capsys):
    assert main(["report", str(run / "run"), "--out", str(run / "report.html")]) == 0
    page = (run / "report.html").read_text(encoding="utf-8")
    assert '"trueEvents":[[' in page
    assert '"events":[[' in page


def test_the_stream_command_prints_events(run, capsys, tmp_path):
    from kinespan.io import save_npz

    corpus = Corpus.open(run / "corpus")
    save_npz(corpus[corpus.fold("held-out", 1).test[0]], tmp_path / "take.npz")
    assert main(["stream", str(run / "run"), str(tmp_path / "take.npz")]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["label"] for row in rows if "time" in row} <= set(EVENTS)
    assert any("time" in row for row in rows)


def test_events_alone_are_learnt_with_pseudo_labels_and_a_tolerance(tmp_path, capsys):
    corpus = write(tmp_path / "corpus", ALONE)
    arguments = ["--split", "held-out", "--label-fraction", "0.5", "--teach", "on", "--tolerance", "0.3"]
    steps = ["--pretrain-steps", "2", "--steps", "2", "--precision", "32"]
    assert main(["learn", str(tmp_path / "corpus"), *arguments, *steps, "--out", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr().out
    assert "events within 0.3 s, %" in printed
    assert "mAP" not in printed
    model = load_model(tmp_path / "run")
    assert (model.labels.events, model.labels.tolerance) == (EVENTS, 0.3)
    assert model.localize(corpus[corpus.names[0]]).spans == ()


def test_a_tolerance_without_events_is_refused(tmp_path, capsys):
    with CorpusWriter(tmp_path / "corpus", "made", ACTIONS) as writer:
        for recording, annotation in synthetic_takes(replace(MOTION, recordings=2, seconds=(5.0, 6.0))):
            writer.add(recording, annotation)
    assert main(["finetune", str(tmp_path / "corpus"), "--tolerance", "0.1", "--out", str(tmp_path / "run")]) == 2
    assert "--tolerance is for events" in capsys.readouterr().err


def test_recognition_of_events_alone_says_why_not(tmp_path, capsys):
    write(tmp_path / "corpus", ALONE)
    assert main(["recognize", str(tmp_path / "corpus"), "--split", "held-out"]) == 2
    assert "labels are events" in capsys.readouterr().err


def test_a_linear_probe_is_trained_on_events(tmp_path):
    corpus = write(tmp_path / "corpus", MIXED)
    config = FinetuneConfig(protocol="linear", steps=2, precision="32")
    assert finetune(corpus, tmp_path / "run", config, quiet=True).labels == MIXED
