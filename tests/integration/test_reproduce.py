"""Tables of papers from raw data: every row runs on made files, what is done is not done again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from kinespan.config import FinetuneConfig, PretrainConfig
from kinespan.config.parser import parse_settings
from kinespan.errors import InputError
from kinespan.methods import METHODS
from kinespan.reproduce import Scale, find_plan, plan_names
from kinespan.reproduce.plan import figure
from kinespan.reproduce.published import published
from kinespan.reproduce.run import reproduce, summary, with_steps
from makers.babel import write_babel
from makers.ntu import write_ntu
from makers.pku_mmd import write_pku_mmd

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw folders of BABEL, NTU RGB+D 60 and PKU-MMD, as they are handed out, with made motion."""
    folder, rng = tmp_path_factory.mktemp("raw"), np.random.default_rng(0)
    write_babel(folder / "babel", rng, sequences=9, seconds=(3.0, 4.5))
    names = [f"S001C001P{performer:03d}R001A{action:03d}" for performer in (1, 2, 3, 6) for action in (8, 9)]
    write_ntu(folder / "ntu60", names, rng)
    write_pku_mmd(folder / "pku-mmd-1", ["0002-L", "0003-M", "0004-R", "0005-L"], rng)
    return folder


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_the_tables_of_the_paper_are_shipped() -> None:
    assert plan_names() == ("babel-1", "babel-2", "babel-3", "pku-transfer")


@pytest.mark.parametrize("name", plan_names())
def test_every_row_of_a_table_has_valid_settings(name: str) -> None:
    """Each method with and without snippets, each protocol; the settings are those that trainings take."""
    plan = find_plan(name)
    rows = list(plan.rows())
    assert len(set(rows)) == len(rows)
    assert {row.method for row in rows} == set(METHODS)
    assert {row.snippets for row in rows} == {"off", "aligned", "paper"}
    wanted = {"linear", "finetune"} | ({"semi 20 %"} if name.startswith("babel") else set())
    assert {row.protocol for row in rows} == wanted
    for row in rows:
        pretrain = parse_settings(PretrainConfig, {**plan.pretrain_settings(row), "steps": 1}, name)
        finetune = parse_settings(FinetuneConfig, {**plan.finetune_settings(row), "steps": 1}, name)
        assert (pretrain.method, pretrain.snippet.variant) == (row.method, row.snippets)
        assert finetune.protocol == ("linear" if row.protocol == "linear" else "finetune")
        assert finetune.label_fraction == (0.2 if row.protocol == "semi 20 %" else 1)
    assert published(plan), "nothing to hold it against"


def test_the_paper_recipe_is_the_released_one() -> None:
    plan = find_plan("babel-1")
    row = next(row for row in plan.rows() if (row.method, row.snippets) == ("rvtclr", "paper"))
    config = parse_settings(PretrainConfig, {**plan.pretrain_settings(row), "steps": 1}, "here")
    assert (config.network.encoder, config.network.fps, config.batch_size, config.lr) == ("agcn_4res", 30, 128, 0.1)
    assert (config.snippet.weight, config.snippet.neighbours) == (1.5, 5)
    assert plan.content["pretrain"]["epochs"] == 600
    assert config.lr_drops == (pytest.approx(550 / 600, abs=1e-3),)


def test_the_whole_table_runs_dry(raw: Path, tmp_path: Path, command: Command) -> None:
    out = tmp_path / "out"
    done = command("reproduce", "babel-1", "--raw", raw, "--out", out, "--dry-run")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in (out / "dry" / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 5 * 3 * 3
    assert all(0 <= row["figures"]["frame acc."] <= 1 for row in rows)
    assert "these figures mean nothing" in done.out
    assert "alphaxiv.org/overview/2512.16504" in done.out  # the source of a published figure
    assert (out / "dry" / "table.txt").read_text() in done.out + "\n"


def test_a_dry_run_of_a_transfer_is_resumed(raw: Path, tmp_path: Path) -> None:
    plan, scale = find_plan("pku-transfer"), Scale(methods=("skeletonclr",), snippets=("aligned",), dry=True)
    said: list[str] = []
    rows = reproduce(plan, raw, tmp_path, scale, said.append)
    assert [(row["pretrained_on"], row["protocol"]) for row in rows] == [
        ("NTU-60", "linear"), ("NTU-60", "finetune"), ("BABEL", "linear"), ("BABEL", "finetune"),
    ]  # fmt: skip
    assert all(set(row["figures"]) == {"mAP_a@.5", "mAP_v@.5", "2D-AP", "frame acc."} for row in rows)
    assert all(value is not None for row in rows for value in row["figures"].values())
    files = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.safetensors")}
    # 2 pretrainings and 4 finetunings
    assert len(files) == 6
    (tmp_path / "dry" / rows[-1]["run"] / "metrics.json").unlink()  # stopped before its test
    assert reproduce(plan, raw, tmp_path, scale, said.append) == rows
    assert all(file.stat().st_mtime_ns == files[file] for file in files), "a model is not written again to be tested"


def test_epochs_become_steps() -> None:
    assert with_steps({"batch_size": 128}, 600, 6600)["steps"] == 52 * 600
    assert with_steps({"batch_size": 8}, 40, 3)["steps"] == 40
    assert with_steps({"batch_size": 8, "steps": 7}, 40, 300)["steps"] == 7
    assert "steps" not in with_steps({"batch_size": 8}, None, 300)


def test_means_and_spreads_are_over_seeds() -> None:
    facts = {"pretrained_on": "A", "method": "m", "snippets": "off", "protocol": "linear"}
    rows = [{**facts, "seed": seed, "figures": {"x": value, "y": None}} for seed, value in ((0, 0.2), (1, 0.4))]
    assert summary(rows)[1] == ["A", "m", "off", "linear", "30.0 ± 14.1", "-", "2"]


def test_figures_are_looked_up_by_dotted_path() -> None:
    metrics = {"map": {"0.5": 0.25, "average": 0.5}, "figures": {"mAP_a": {"0.5": None}}, "edit": None}
    assert figure(metrics, "map.0.5") == 0.25
    assert figure(metrics, "map.average") == 0.5
    assert figure(metrics, "figures.mAP_a.0.5") is None
    assert figure(metrics, "nothing.here") is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"title": None}, "title is missing"),
        ({"pretrain": {"data": {}, "methods": {"a": {}}, "snippets": {"off": {}}}}, "pretrain.data is missing"),
        ({"corpora": {"other": {"recipe": "babel", "raw": "babel"}}}, "names no corpus"),
        ({"corpora": {"babel": {"raw": "babel"}, "whole": {"recipe": "babel", "raw": "b"}}}, "recipe is missing"),
    ],
)
def test_a_table_from_a_yaml_file_is_validated(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    content = {**find_plan("babel-1").content, **change}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(dict(content)))
    with pytest.raises(InputError, match=named):
        find_plan(str(tmp_path / "mine.yaml"))


def test_a_wrong_setting_is_named(tmp_path: Path, raw: Path) -> None:
    content = yaml.safe_load(find_plan("babel-1").file.read_text())
    content["finetune"]["settings"]["bacth_size"] = 3
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    plan = find_plan(str(tmp_path / "mine.yaml"))
    with pytest.raises(InputError, match="unknown setting 'bacth_size'; did you mean 'batch_size'"):
        parse_settings(FinetuneConfig, plan.finetune_settings(next(plan.rows())), "mine.yaml")
