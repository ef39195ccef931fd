"""A hand goes the whole way, as a person does: prepare by a recipe, learn every fold, localize a new file, report."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinespan.corpus import Corpus
from kinespan.io.sfinge import SFINGE_HAND
from kinespan.models.model_file import read_spec
from makers import sfinge

pytestmark = pytest.mark.usefixtures("one_thread")
Command = Callable[..., Any]


def test_a_hand_goes_from_its_recipe_to_a_report(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sfinge.write_sfinge3d(tmp_path / "raw", 8, frames=80)
    done = command("prepare", "--recipe", "sfinge3d", "--raw", "raw", "--out", "corpus")
    assert done.code == 0, done.err
    assert {info.skeleton for info in Corpus.open("corpus").infos} == {SFINGE_HAND}
    few = ("--steps", 2, "--pretrain-steps", 2, "--precision", 32)
    done = command("learn", "corpus", "--out", "runs", "--split", "four-folds", "--fold", "all", *few)
    assert done.code == 0, done.err
    assert "mean ± standard deviation over 4 folds" in done.out
    spec = read_spec(tmp_path / "runs" / "fold3" / "model.safetensors")
    assert all(member.input.skeleton == SFINGE_HAND for member in spec.members)

    sfinge.write_hands(tmp_path / "new take.txt", sfinge.hands(np.random.default_rng(99), 50))
    done = command("localize", "runs/fold3", "new take.txt", "--out", "answers")
    assert done.code == 0, done.err
    with open(tmp_path / "answers" / "spans.csv", newline="", encoding="utf-8") as file:
        assert {row["recording"] for row in csv.DictReader(file)} <= {"new take"}
    done = command("report", "answers", "--out", "page.html", "--recordings", "new take.txt")
    assert done.code == 0, done.err
    assert "new take" in (tmp_path / "page.html").read_text(encoding="utf-8")
