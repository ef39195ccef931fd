"""A user's own study, from a YAML file and their corpus, run as a command: rows, what is left, tables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kinespan.corpus import CorpusWriter, group_split
from kinespan.prepare.synthetic.takes import ACTIONS, SyntheticConfig, synthetic_takes

ROOT = Path(__file__).parents[2]
TINY = {"steps": 2, "batch_size": 2, "clip_frames": 32, "network": {"encoder": "tcn", "fps": 15}}
LEARN = {"pretrain_steps": 1, "steps": 1, "network": {"encoder": "tcn", "fps": 15}}
STUDY = {
    "about": "Which is better?", "data": "precog", "split": "by-performer", "folds": [1], "seeds": [0],
    "labels": ["all"],
    "pretraining": {"video": {**TINY, "contrast": {"queue": 8}, "snippet": {"variant": "off"}}},
    "rows": [
        {"name": "prior", "model": "prior"},
        {"name": "pretrained", "start": "video", "labels": [2, "all"], "finetune": TINY},
        {"name": "both", "start": "video", "finetune": TINY, "beside": TINY},
        {"name": "taught", "start": "video", "labels": [2], "finetune": TINY, "beside": TINY, "taught": 1,
         "alone": True},
        {"name": "learn", "model": "learn", "labels": [2, "all"], "learn": LEARN},
    ],
    "claims": [{"better": "pretrained", "than": "prior", "labels": "all"}],
    "curves": {"pretrained": ["pretrained"]},
}  # fmt: skip


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    with CorpusWriter(tmp_path / "mine", "mine", ACTIONS) as writer:
        for recording, annotation in synthetic_takes(SyntheticConfig(recordings=6, seconds=(6.0, 8.0), fps=15.0)):
            writer.add(recording, annotation)
        writer.add_split(group_split(writer.infos, "performer", 3, seed=0))
    return tmp_path / "mine"


def study(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.study", str(folder / "own.yaml"), "--out", str(folder / "out"), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_a_users_own_study_runs_and_resumes(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(STUDY))
    first = study(tmp_path, "--corpus", str(corpus), "--rows", "prior")
    assert first.returncode == 0, first.stderr
    assert "own: 1 trainings left, in 1 jobs" in first.stdout

    rest = study(tmp_path, "--corpus", str(corpus))
    assert rest.returncode == 0, rest.stderr
    assert "own: 6 trainings left, in 2 jobs" in rest.stdout
    rows = [json.loads(line) for line in (tmp_path / "out" / "own" / "rows.jsonl").read_text().splitlines()]
    order = [row["name"] for row in STUDY["rows"]]  # the two jobs append theirs as they are done
    rows.sort(key=lambda row: (order.index(row["row"]), str(row["labels"])))
    assert [(row["row"], row["labels"], row["labelled"]) for row in rows] == [
        ("prior", "all", 4), ("pretrained", 2, 2), ("pretrained", "all", 4), ("both", "all", 4),
        ("taught", 2, 2), ("learn", 2, 2), ("learn", "all", 4),
    ]  # fmt: skip
    assert rows[5]["pretrain_min"] == rows[6]["pretrain_min"] > 0, "both start from one encoder"
    assert rows[5]["train_min"] > 0 < rows[6]["train_min"]
    assert all(set(row["untrained"]) <= set(ACTIONS.names) for row in rows)
    assert all(row["data"] == str(corpus) and row["recordings"] == 2 for row in rows)
    assert rows[1]["pretrain_min"] == rows[2]["pretrain_min"] == rows[3]["pretrain_min"] > 0
    assert rows[4]["parameters"] == rows[1]["parameters"], "the network alone, that was taught by two"
    assert rows[4]["map"] != rows[1]["map"] or rows[4]["frame_accuracy"] != rows[1]["frame_accuracy"]
    assert rows[3]["parameters"] == 2 * rows[2]["parameters"], "two networks, whose scores are averaged"
    tables = (tmp_path / "out" / "own" / "tables.md").read_text()
    assert "| pretrained | prior | all | F1@50 |" in tables
    assert "| 2 | pretrained |" in tables
    assert (tmp_path / "out" / "own" / "curves.svg").read_text().startswith("<svg")

    fewer = {**STUDY, "rows": [{**row, "labels": ["all"]} for row in STUDY["rows"][:3]]}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(fewer))
    assert "own: 0 trainings left" in study(tmp_path, "--corpus", str(corpus)).stdout
    tables = (tmp_path / "out" / "own" / "tables.md").read_text()
    assert "| all | pretrained |" in tables
    assert "| 2 | pretrained |" not in tables


def test_an_unknown_study_is_refused_in_one_line(tmp_path: Path) -> None:
    found = study(tmp_path)
    assert found.returncode == 1
    assert found.stderr.startswith("error: unknown study")
    assert found.stderr.count("\n") == 1
