"""The tables of a study, from its rows."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..results.store import markdown_table
from .claims import Comparison, Rows, compare, figure
from .plan import Claim, Study

COLUMNS = {"mAP .1-.5": "map", "mAP .5-.9": "map_high", "frame acc.": "frame_accuracy", "F1@10": "f1_10",
           "F1@25": "f1_25", "F1@50": "f1_50", "edit": "edit"}  # fmt: skip
FIGURES = {
    **{name: title for title, name in COLUMNS.items()},
    "argmax.f1_50": "F1@50 of arg-max",
    "argmax.edit": "edit of arg-max",
}
CURVES = {"F1@50": "f1_50", "mAP .5-.9": "map_high"}
NOT_RUN = "not run"
StudyTable = Callable[[Study, Rows], str]


def labels_name(labels: Any) -> str:
    """The number of labels, for people."""
    return f"{100 * labels:.0f} %" if isinstance(labels, float) else str(labels)


def label_counts(study: Study) -> list[Any]:
    """The numbers of labels of a study: recordings, then shares of them, then all."""
    counts = {labels for row in study.rows for labels in row.seeds}
    return sorted(counts, key=lambda labels: (labels == "all", isinstance(labels, float), str(labels).zfill(8)))


def spread(rows: Rows, name: str) -> str:
    """Mean over folds, then mean and standard deviation over seeds, in per cent."""
    seeds = sorted({row["seed"] for row in rows})
    means = [statistics.mean(figure(row, name) for row in rows if row["seed"] == seed) for seed in seeds]
    return f"{statistics.mean(means):.1f}" + (f" ± {statistics.stdev(means):.1f}" if len(means) > 1 else "")


def rows_of(rows: Rows, names: Sequence[str], labels: Any, folds: Sequence[int] = ()) -> list[Mapping[str, Any]]:
    """The results of some rows of the study with so many labels, on some folds or all."""
    return [
        row
        for row in rows
        if row["row"] in names and str(row["labels"]) == str(labels) and (not folds or row["fold"] in folds)
    ]


def readme_table(study: Study, rows: Rows) -> str:
    """F1@50 of the models that README shows by number of labels, over the seeds that ran on every fold."""
    counts, lines = label_counts(study), []
    for title, names in study.readme.items():
        folds = {fold for row in study.rows if row.name in names for fold in row.folds}
        cells = []
        for labels in counts:
            results = rows_of(rows, names, labels)
            complete = [
                row for row in results if folds <= {other["fold"] for other in results if other["seed"] == row["seed"]}
            ]
            cells.append(spread(complete, "f1_50") if complete else NOT_RUN)
        lines.append([title, *cells])
    return markdown_table([FIGURES["f1_50"], *map(_labelled_recordings, counts)], lines)


def _labelled_recordings(labels: Any) -> str:
    return f"{labels} recordings" if isinstance(labels, int) else labels_name(labels)


def rows_table(study: Study, rows: Rows, folds: Sequence[int] = ()) -> str:
    """Every row of the study by number of labels: figures in per cent, runs, parameters, minutes."""
    lines = []
    for labels in label_counts(study):
        for row in study.rows:
            results = rows_of(rows, [row.name], labels, folds)
            if results:
                figures = [spread(results, name) for name in COLUMNS.values()]
                size = results[0].get("parameters")
                parameters = "-" if size is None else f"{size / 1e6:.2f} M"
                minutes = [
                    f"{statistics.mean(result[name] for result in results):.1f}"
                    for name in ("pretrain_min", "train_min")
                ]
                lines.append([labels_name(labels), row.name, *figures, str(len(results)), parameters, *minutes])
    columns = ["labels", "model", *COLUMNS, "runs", "parameters", "pretraining, min", "training, min"]
    return markdown_table(columns, lines)


def claims_table(study: Study, rows: Rows, folds: Sequence[int] = ()) -> str:
    """The paired comparisons of the study."""
    lines = []
    for claim in study.claims:
        result = compare([row for row in rows if not folds or row["fold"] in folds], claim)
        if result is not None:
            difference = f"{result.difference:+.1f} ± {result.deviation:.1f}"
            lines.append([claim.better, claim.than, labels_name(claim.labels), FIGURES[claim.figure], difference,
                          f"{claim.by:+g}", p_text(result.p), p_text(result.p_folds), str(result.pairs),
                          f"{result.folds_won} of {result.folds}"])  # fmt: skip
    columns = ["model", "against", "labels", "figure", "difference", "goal", "p", "p of folds", "pairs", "folds won"]
    return markdown_table(columns, lines)


def errors_table(study: Study, rows: Rows, labels: str = "all") -> str:
    """The cost of each kind of error, in mAP points at tIoU 0.5, and the share of true spans that are missed."""
    lines, kinds = [], []
    for row in study.rows:
        results = rows_of(rows, [row.name], labels)
        if results:
            kinds = [kind for kind in results[0]["errors"] if kind.startswith("cost of ")]
            costs = [f"{statistics.mean(figure(result, f'errors.{kind}') for result in results):.1f}" for kind in kinds]
            missed = 100 * statistics.mean(result["errors"]["missed"] / result["errors"]["true"] for result in results)
            lines.append([row.name, *costs, f"{missed:.1f}"])
    return markdown_table(["model", *(kind.removeprefix("cost of ") for kind in kinds), "missed, %"], lines)


def curves_table(study: Study, rows: Rows, name: str = "f1_50") -> str:
    """A figure of each of the study's curves by number of labels."""
    lines, counts = [], label_counts(study)
    for title, names in study.curves.items():
        results = [rows_of(rows, names, labels) for labels in counts]
        lines.append([title, *(spread(some, name) if some else "" for some in results)])
    return _without_empty_columns([FIGURES[name], *map(labels_name, counts)], lines)


def lead_table(study: Study, rows: Rows, name: str = "f1_50", folds: Sequence[int] = ()) -> str:
    """How far the study's lead is ahead of each other curve, as `_differences` has it."""
    curves = [{**row, "row": title} for title, names in study.curves.items() for row in rows if row["row"] in names]
    pairs = {title: (study.lead, title) for title in study.curves if title != study.lead}
    return _differences(study, curves, f"{FIGURES[name]} against", pairs, name, folds)


def parts_table(study: Study, rows: Rows, name: str = "f1_50", folds: Sequence[int] = ()) -> str:
    """What each of the study's parts is worth, as `_differences` has it."""
    return _differences(study, rows, f"{FIGURES[name]}, what of", study.parts, name, folds)


def _differences(
    study: Study, rows: Rows, title: str, pairs: Mapping[str, Sequence[str]], name: str, folds: Sequence[int]
) -> str:
    """By number of labels, how much better the first of each pair of rows is, in points, p and pairs (claims.py)."""
    lines, counts = [], label_counts(study)
    for pair, (better, than) in pairs.items():
        results = [compare(rows, Claim(better, than, labels, name, folds=tuple(folds))) for labels in counts]
        lines.append([pair, *("" if result is None else _difference(result) for result in results)])
    return _without_empty_columns([title, *map(labels_name, counts)], lines)


def _without_empty_columns(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    columns = [column for column in range(len(head)) if any(line[column] for line in lines)]
    return markdown_table(
        [head[column] for column in columns], [[line[column] for column in columns] for line in lines]
    )


def _difference(result: Comparison) -> str:
    return f"{result.difference:+.1f} ({p_text(result.p)}, {result.pairs})"


def p_text(p: float) -> str:
    """p for people."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def page(study: Study, rows: Rows) -> str:
    """All tables of a study."""
    tables = [rows_table(study, rows), claims_table(study, rows), errors_table(study, rows)]
    tables += [lead_table(study, rows)] * bool(study.lead) + [parts_table(study, rows)] * bool(study.parts)
    return "\n\n".join([f"# {study.name}", study.about, *tables])
