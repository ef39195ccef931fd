"""Run the rows of a table: prepare corpora, pretrain, finetune, test; finished steps are not run again."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config import FinetuneConfig, PretrainConfig
from ..config.parser import merged, parse_settings
from ..corpus.store import Corpus
from ..corpus.training_set import parse_source, training_set
from ..files import write_atomically
from ..models.localizer import Localizer
from ..prepare.prepare import prepare_recipe
from ..prepare.recipes import RECIPES
from ..progress import counting
from ..runs.folder import CHECKPOINT, ENCODER_FILE, METRICS_FILE, MODEL_FILE, can_resume
from ..runs.load import load_model
from ..train.finetuning import finetune
from ..train.held_out import run_test
from ..train.pretraining import pretrain
from .plan import Plan, Row, Scale, figure

ROWS_FILE = "rows.jsonl"
Log = Callable[[str], None]


DRY_PRETRAIN = {
    "steps": 1, "batch_size": 3, "clip_frames": 32, "probe_every": 0, "contrast": {"queue": 64, "dim": 16},
    "snippet": {"queue": 64}, "precision": "32",
}  # fmt: skip
DRY_FINETUNE = {"steps": 1, "batch_size": 2, "clip_frames": 32, "precision": "32"}
DRY_LABELLED, DRY_TESTED = 2, 1
"""Numbers of recordings that a dry run trains the frame head on, and tests."""


def reproduce(plan: Plan, raw: Path, out: Path, scale: Scale, log: Log = print) -> list[dict[str, Any]]:
    """Run a plan's rows for each seed and return them with their figures, which OUT/runs/rows.jsonl also holds.

    Corpora are in OUT/corpora, runs in OUT/runs (of a dry run in OUT/dry). A row that has its figures is not run again;
    an interrupted training is resumed from its checkpoint. Raises InputError as its steps do; where raw data are
    missing, before anything is trained.
    """
    folder = out / ("dry" if scale.dry else "runs")
    corpora = _prepare_corpora(plan, raw, out / "corpora", log)
    rows, runs = [], [(seed, row) for seed in scale.seeds for row in plan.rows() if scale.includes(row)]
    for number, (seed, row) in enumerate(runs, start=1):
        log(f"row {number} of {len(runs)}: {row}, seed {seed}")
        rows.append({**_facts(plan, row, seed), **_run_row(plan, row, seed, corpora, folder, scale.dry)})
        write_atomically(folder / ROWS_FILE, "".join(json.dumps(figures) + "\n" for figures in rows))
    return rows


def _prepare_corpora(plan: Plan, raw: Path, out: Path, log: Log) -> dict[str, Corpus]:
    """The corpora of a plan by name; those that do not exist yet are prepared."""
    corpora = {}
    for name, block in plan.content["corpora"].items():
        path = out / name
        if not path.exists():
            options = block.get("options", {})
            recipe = parse_settings(RECIPES[block["recipe"]], options, f"{plan.file}: corpora.{name}")
            with counting(f"preparing {name}") as count:
                summary = prepare_recipe(recipe, raw / block["raw"], path, name, progress=count)
            log(str(summary))
        corpora[name] = Corpus.open(path)
    return corpora


def _facts(plan: Plan, row: Row, seed: int) -> dict[str, Any]:
    return {"table": plan.name, "pretrained_on": row.source, "method": row.method, "snippets": row.snippets,
            "protocol": row.protocol, "seed": seed}  # fmt: skip


def _run_row(plan: Plan, row: Row, seed: int, corpora: Mapping[str, Corpus], folder: Path, dry: bool) -> dict[str, Any]:
    """The figures of a row; the steps that are not finished are run first."""
    pretraining = folder / f"seed{seed}" / "_".join(row.pretraining).replace(" ", "-")
    run = pretraining / row.protocol.replace(" ", "-").replace("%", "percent")
    content = plan.content
    if not (run / METRICS_FILE).is_file():
        encoder = pretraining / "pretrain" / ENCODER_FILE
        if not encoder.is_file():
            _pretrain(plan, row, seed, corpora, encoder.parent, dry)
        name, split, fold = parse_source(content["finetune"]["data"])
        corpus = corpora[name]
        labelled = len(training_set(corpus, split, fold).names)
        values = {**plan.finetune_settings(row), "split": split, "fold": fold, "seed": seed}
        if dry:
            share = min(float(values.get("label_fraction", 1.0)), DRY_LABELLED / labelled)
            values = merged(values, {**DRY_FINETUNE, "label_fraction": share})
        values = with_steps(values, content["finetune"].get("epochs"), labelled * values.get("label_fraction", 1.0))
        config = parse_settings(FinetuneConfig, values, f"{plan.file}: {row.protocol}")
        resume = can_resume(run) and not (run / MODEL_FILE).is_file()
        if (run / MODEL_FILE).is_file():
            model = load_model(run)
            assert isinstance(model, Localizer)
        else:
            model = finetune(corpus, run, config, pretrained=encoder, resume=resume)
        assert split is not None
        measure = {name: content["evaluate"][name] for name in ("rule", "decoder") if name in content["evaluate"]}
        run_test(model, corpus, run, split, fold, **measure, most=DRY_TESTED if dry else None)
        (run / CHECKPOINT).unlink(missing_ok=True)  # three times the size of the model, and not needed any more
    metrics = json.loads((run / METRICS_FILE).read_text())
    figures = {name: figure(metrics, path) for name, path in content["evaluate"]["figures"].items()}
    return {"figures": figures, "recordings": metrics["recordings"], "run": str(run.relative_to(folder))}


def _pretrain(plan: Plan, row: Row, seed: int, corpora: Mapping[str, Corpus], out: Path, dry: bool) -> None:
    """Run the pretraining of a row."""
    sets = []
    for source in plan.content["pretrain"]["data"][row.source]:
        name, split, fold = parse_source(source)
        sets.append(training_set(corpora[name], split, fold))
    values = {**plan.pretrain_settings(row), "seed": seed}
    values = merged(values, DRY_PRETRAIN) if dry else values
    values = with_steps(values, plan.content["pretrain"].get("epochs"), sum(len(training.names) for training in sets))
    config = parse_settings(PretrainConfig, values, f"{plan.file}: {row.method}, snippets {row.snippets}")
    pretrain(sets, out, config, resume=(out / CHECKPOINT).is_file())
    (out / CHECKPOINT).unlink(missing_ok=True)


def with_steps(values: dict[str, Any], epochs: float | None, recordings: float) -> dict[str, Any]:
    """Settings with the steps of so many epochs, in which each recording gives one clip, unless they state steps."""
    if epochs is None or "steps" in values:
        return values
    return {**values, "steps": max(1, math.ceil(recordings / values["batch_size"])) * round(epochs)}


def summary(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The table in per cent, means over seeds with their standard deviations; the first line names the columns."""
    names = list(rows[0]["figures"]) if rows else []
    lines = [["pretrained on", "method", "snippets", "protocol", *names, "seeds"]]
    keys = ("pretrained_on", "method", "snippets", "protocol")
    for key in dict.fromkeys(tuple(str(row[name]) for name in keys) for row in rows):
        seeds = [row for row in rows if tuple(str(row[name]) for name in keys) == key]
        cells = []
        for name in names:
            values = [100 * row["figures"][name] for row in seeds if row["figures"][name] is not None]
            spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.1f}{spread}" if values else "-")
        lines.append([*key, *cells, str(len(seeds))])
    return lines
