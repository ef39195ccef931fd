"""Tables of runs of every fold, as `--fold all` of a command writes them: each stage, mean ± deviation over folds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .store import RESULTS, markdown_table, stored_run

NAMES = ("sfinge3d-finetune", "sfinge3d-learn", "msrc12-finetune")
"""Runs of every fold, by data set and command, stored as folds_NAME.json."""
STAGES = {"finetune": "graph network, snippets", "scratch": "our TCN, refined", "model": "both averaged"}
"""What the stages of `kinespan learn` are called in tables."""
KEPT = ("map_average", "map", "frame_accuracy", "f1", "edit")
"""The figures of spans that are stored, of all that a metrics.json has."""
SPANS: Mapping[str, Callable[[Any], float | None]] = {
    "mAP .1-.5": lambda figures: figures["map_average"]["0.1:0.5"],
    "mAP@.5": lambda figures: figures["map"]["0.5"],
    "frame acc.": lambda figures: figures["frame_accuracy"],
    "F1@10": lambda figures: figures["f1"]["10"],
    "F1@25": lambda figures: figures["f1"]["25"],
    "F1@50": lambda figures: figures["f1"]["50"],
    "edit": lambda figures: figures["edit"],
}
EVENTS = {"precision": "precision", "recall": "recall", "F1": "f1", "AP": "ap"}
"""Columns of a table of events, and their figures."""


def store_folds(name: str, run: Path) -> None:
    """Keep the figures that the tables show of OUT/folds.json of a run of `finetune` or `learn` with `--fold all`."""
    content = json.loads((run / "folds.json").read_text(encoding="utf-8"))

    def stages(figures: Mapping[str, Any]) -> dict[str, Any]:
        """The figures by stage; finetuning has one."""
        return _kept({"model": figures} if "map" in figures else figures)

    kept = {
        "command": content["command"],
        "split": content["split"],
        "folds": {number: stages(figures) for number, figures in content["folds"].items()},
        "mean": stages(content["mean"]),
        "deviation": stages(content["deviation"]),
    }
    (RESULTS / f"folds_{name}.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _kept(stages: Mapping[str, Any]) -> dict[str, Any]:
    kept = {}
    for stage, figures in stages.items():
        kept[stage] = {name: figures[name] for name in KEPT if name in figures}
        if (figures.get("events") or {}).get("all"):
            kept[stage]["events"] = {"all": figures["events"]["all"]}
    return kept


def folds_table(name: str) -> str:
    """The stages of a run of every fold: mean ± standard deviation in per cent; of events also the seconds off."""
    run = stored_run(f"folds_{name}")
    names = {stage: STAGES[stage] if len(run["mean"]) > 1 else f"kinespan {run['command']}" for stage in run["mean"]}
    if "events" in run["mean"]["model"]:
        rows = [[names[stage], *_event_cells(run, stage)] for stage in run["mean"]]
        return markdown_table(["per cent", *EVENTS, "off by, s"], rows)
    rows = []
    for stage, mean in run["mean"].items():
        deviation = run["deviation"][stage]
        rows.append([names[stage], *(_cell(figure(mean), figure(deviation)) for figure in SPANS.values())])
    return markdown_table(["per cent", *SPANS], rows)


def _event_cells(run: Mapping[str, Any], stage: str) -> list[str]:
    mean, deviation = (run[name][stage]["events"]["all"] for name in ("mean", "deviation"))
    cells = [_cell(mean[figure], deviation[figure]) for figure in EVENTS.values()]
    return [*cells, f"{mean['mae']:.3f} ± {deviation['mae']:.3f}"]


def _cell(mean: float | None, deviation: float | None) -> str:
    """A share in per cent."""
    if mean is None:
        return ""
    return f"{100 * mean:.1f}" + ("" if deviation is None else f" ± {100 * deviation:.1f}")
