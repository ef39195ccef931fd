"""The tables of a study, from its rows."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from ..trial import markdown
from .claims import Verdict, compare, figure
from .plan import Claim, Study

COLUMNS = {"mAP .1-.5": "map", "mAP .5-.9": "map_high", "frame acc.": "frame_accuracy", "F1@10": "f1_10",
           "F1@25": "f1_25", "F1@50": "f1_50", "edit": "edit"}  # fmt: skip
FIGURES = {
    **{name: title for title, name in COLUMNS.items()},
    "argmax.f1_50": "F1@50 of arg-max",
    "argmax.edit": "edit of arg-max",
}
CURVES = {"F1@50": "f1_50", "mAP .5-.9": "map_high"}
Rows = Sequence[Mapping[str, Any]]


def labels_name(labels: Any) -> str:
    """How many labels, in words of a table."""
    return f"{100 * labels:.0f} %" if isinstance(labels, float) else str(labels)


def label_counts(study: Study) -> list[Any]:
    """The numbers of labels of a study: recordings, then shares of them, then all."""
    every = {labels for row in study.rows for labels in row.seeds}
    return sorted(every, key=lambda labels: (labels == "all", isinstance(labels, float), str(labels).zfill(8)))


def spread(rows: Rows, name: str) -> str:
    """Mean over folds, then mean and standard deviation over seeds, in per cent."""
    seeds = sorted({row["seed"] for row in rows})
    means = [statistics.mean(figure(row, name) for row in rows if row["seed"] == seed) for seed in seeds]
    return f"{statistics.mean(means):.1f}" + (f" ± {statistics.stdev(means):.1f}" if len(means) > 1 else "")


def table(study: Study, rows: Rows, folds: Sequence[int] = ()) -> str:
    """Every row of the study by number of labels: figures in per cent, runs, parameters, minutes."""
    lines = []
    for labels in label_counts(study):
        for row in study.rows:
            mine = [
                one for one in rows
                if one["row"] == row.name and str(one["labels"]) == str(labels) and (not folds or one["fold"] in folds)
            ]  # fmt: skip
            if mine:
                size = mine[0].get("parameters")
                facts = [str(len(mine)), "-" if size is None else f"{size / 1e6:.2f} M"]
                minutes = [
                    f"{statistics.mean(one[name] for one in mine):.1f}" for name in ("pretrain_min", "train_min")
                ]
                lines.append(
                    [
                        labels_name(labels),
                        row.name,
                        *(spread(mine, name) for name in COLUMNS.values()),
                        *facts,
                        *minutes,
                    ]
                )
    return markdown(["labels", "model", *COLUMNS, "runs", "parameters", "pretraining, min", "training, min"], lines)


def claims(study: Study, rows: Rows, folds: Sequence[int] = ()) -> str:
    """The paired comparisons of the study."""
    lines = []
    for claim in study.claims:
        found = compare([row for row in rows if not folds or row["fold"] in folds], claim)
        if found is not None:
            difference = f"{found.difference:+.1f} ± {found.deviation:.1f}"
            lines.append([claim.better, claim.than, labels_name(claim.labels), FIGURES[claim.figure], difference,
                          f"{claim.by:+g}", p_text(found.p), p_text(found.p_folds), str(found.pairs),
                          f"{found.folds_won} of {found.folds}"])  # fmt: skip
    return markdown(["model", "against", "labels", "figure", "difference", "goal", "p", "p of folds", "pairs",
                     "folds won"], lines)  # fmt: skip


def errors(study: Study, rows: Rows, labels: str = "all") -> str:
    """What each kind of error costs, mAP points at tIoU 0.5, and the share of true spans that are missed."""
    lines, kinds = [], []
    for row in study.rows:
        mine = [one for one in rows if one["row"] == row.name and str(one["labels"]) == labels]
        if mine:
            kinds = [kind for kind in mine[0]["errors"] if kind.startswith("cost of ")]
            cost = [f"{statistics.mean(figure(one, f'errors.{kind}') for one in mine):.1f}" for kind in kinds]
            missed = 100 * statistics.mean(one["errors"]["missed"] / one["errors"]["true"] for one in mine)
            lines.append([row.name, *cost, f"{missed:.1f}"])
    return markdown(["model", *(kind.removeprefix("cost of ") for kind in kinds), "missed, %"], lines)


def key_table(study: Study, rows: Rows, name: str = "f1_50") -> str:
    """A figure of each of the study's curves by number of labels."""
    lines, counts = [], label_counts(study)
    for title, names in study.curves.items():
        of = [[one for one in rows if one["row"] in names and str(one["labels"]) == str(labels)] for labels in counts]
        lines.append([title, *(spread(mine, name) if mine else "" for mine in of)])
    return _filled([FIGURES[name], *map(labels_name, counts)], lines)


def lead(study: Study, rows: Rows, name: str = "f1_50", folds: Sequence[int] = ()) -> str:
    """How far the study's lead is ahead of each other curve, as `_differences` has it."""
    curves = [{**row, "row": title} for title, names in study.curves.items() for row in rows if row["row"] in names]
    pairs = {title: (study.lead, title) for title in study.curves if title != study.lead}
    return _differences(study, curves, f"{FIGURES[name]} against", pairs, name, folds)


def parts(study: Study, rows: Rows, name: str = "f1_50", folds: Sequence[int] = ()) -> str:
    """What each of the study's parts is worth, as `_differences` has it."""
    return _differences(study, rows, f"{FIGURES[name]}, what of", study.parts, name, folds)


def _differences(
    study: Study, rows: Rows, title: str, pairs: Mapping[str, Sequence[str]], name: str, folds: Sequence[int]
) -> str:
    """By number of labels, how much better the first of each pair of rows is, in points, p and pairs (claims.py)."""
    lines, counts = [], label_counts(study)
    for what, (better, than) in pairs.items():
        asked = [Claim(better, than, labels, name, folds=tuple(folds)) for labels in counts]
        found = [compare(rows, claim) for claim in asked]
        lines.append([what, *("" if one is None else _difference(one) for one in found)])
    return _filled([title, *map(labels_name, counts)], lines)


def _filled(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table without the columns of which every field is empty."""
    filled = [at for at in range(len(head)) if any(line[at] for line in lines)]
    return markdown([head[at] for at in filled], [[line[at] for at in filled] for line in lines])


def _difference(found: Verdict) -> str:
    return f"{found.difference:+.1f} ({p_text(found.p)}, {found.pairs})"


def p_text(p: float) -> str:
    """p as tables say it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def page(study: Study, rows: Rows) -> str:
    """All tables of a study."""
    tables = [table(study, rows), claims(study, rows), errors(study, rows)]
    tables += [lead(study, rows)] * bool(study.lead) + [parts(study, rows)] * bool(study.parts)
    return "\n\n".join([f"# {study.name}", study.about, *tables])
