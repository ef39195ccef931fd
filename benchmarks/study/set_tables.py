"""Tables of a study of several sets: of each set what every model reaches and how far the lead is ahead, and of all."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kinespan.data.display import counted

from ..results.store import markdown_table
from .claims import Rows, compare, figure, paired_p
from .plan import Claim, Study
from .tables import COLUMNS, NOT_RUN, labels_name, p_text, rows_of

SetRows = Sequence[tuple[Study, Rows]]
"""The studies of all sets, with their rows."""
TITLES = {name: title for title, name in COLUMNS.items()} | {
    "map_trained": "mAP .1-.5 of trained labels", "event_f1": "F1 of events", "event_ap": "AP of events",
    "event_ap_trained": "AP of trained labels", "event_mae": "off by, s", "clip_accuracy": "accuracy of clips",
}  # fmt: skip
SECONDS = ("event_mae",)
"""Figures that are seconds, where the others are shares."""


class Lead(NamedTuple):
    """How far the lead is ahead of another model, in points; p of the folds' means, of the seeds of a single fold."""

    than: str
    difference: float
    p: float
    pairs: int


def mean_and_deviation(study: Study, rows: Rows, model: str, labels: Any, name: str) -> str:
    """Mean ± standard deviation of a figure over folds and seeds; how many runs these are where some are missing."""
    results = rows_of(rows, [model], labels)
    scale, digits = (0.01, 3) if name in SECONDS else (1, 1)  # `figure` is in per cent
    values = [scale * figure(row, name) for row in results if row[name] is not None]
    if not values:
        return NOT_RUN
    text = f"{statistics.mean(values):.{digits}f}"
    text += f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    count = asked_runs(study, model, labels)
    return text if len(results) == count else f"{text} ({len(results)} of {count} runs)"


def asked_runs(study: Study, model: str, labels: Any) -> int:
    """How many runs of a model with so many labels a study asks for."""
    row = next(row for row in study.rows if row.name == model)
    seeds = next((seeds for count, seeds in row.seeds.items() if str(count) == str(labels)), ())
    return len(row.folds) * len(seeds)


def _size_name(labels: Any) -> str:
    return f"{labels} recordings" if isinstance(labels, int) else labels_name(labels)


def results_table(study: Study, rows: Rows, name: str = "") -> str:
    """A figure of every model by number of labels, the compared one by default."""
    name = name or study.figures[0]
    sizes = study.sizes.values()
    lines = [
        [row.name, *(mean_and_deviation(study, rows, row.name, labels, name) for labels in sizes)] for row in study.rows
    ]
    return markdown_table([TITLES[name], *map(_size_name, sizes)], lines)


def second_table(study: Study, rows: Rows) -> str:
    """The second figure of every model, and of events how far they are off."""
    tables = [results_table(study, rows, study.figures[1])]
    if study.figures[0] == "event_f1":
        tables.append(results_table(study, rows, "event_mae"))
    return "\n\n".join(tables)


def leads(study: Study, rows: Rows, labels: Any) -> list[Lead]:
    """The lead over each of the others that has runs of the same folds and seeds, the best of them first."""
    results: list[tuple[float, Lead]] = []
    for row in study.rows:
        comparison = compare(rows, Claim(study.lead, row.name, labels, study.figures[0]))
        if row.name != study.lead and comparison is not None:
            p = comparison.p_folds if comparison.folds > 1 else comparison.p
            results.append((comparison.difference, Lead(row.name, comparison.difference, p, comparison.pairs)))
    return [lead for _, lead in sorted(results)]


def set_lead_table(study: Study, rows: Rows) -> str:
    """The lead over the best of the others, and over each, by number of labels."""
    by_size = {labels: leads(study, rows, labels) for labels in study.sizes.values()}
    best = [f"{_lead(all_leads[0])} {all_leads[0].than}" if all_leads else "" for all_leads in by_size.values()]
    lines = [["the best of them", *best]]
    for row in study.rows:
        if row.name != study.lead:
            cells = [next((_lead(lead) for lead in some if lead.than == row.name), "") for some in by_size.values()]
            lines.append([row.name, *cells])
    return markdown_table([f"{TITLES[study.figures[0]]}, {study.lead} against", *map(_size_name, by_size)], lines)


def _lead(lead: Lead) -> str:
    return f"{lead.difference:+.1f} ({p_text(lead.p)}, {lead.pairs})"


def untrained_table(study: Study, rows: Rows) -> str:
    """Labels that were tested but never trained, and the second figure with and without them."""
    with_them, without = study.figures[1], f"{study.figures[1]}_trained"
    lines = []
    for labels in study.sizes.values():
        for row in study.rows:
            results = [result for result in rows_of(rows, [row.name], labels) if result["untrained"]]
            if results:
                counts = Counter(label for result in results for label in result["untrained"])
                names = ", ".join(f"{label} ({count})" for label, count in sorted(counts.items()))
                means = [_mean(results, name) for name in (with_them, without)]
                lines.append([_size_name(labels), row.name, str(len(results)), *means, names])
    if not lines:
        return "Every label that was tested was trained, in all of the runs." if rows else NOT_RUN
    columns = ["labels", "model", "runs", TITLES[with_them], TITLES[without], "never trained (runs)"]
    return markdown_table(columns, lines)


def _mean(results: Rows, name: str) -> str:
    """The mean of a figure over the runs that have it, in per cent."""
    values = [figure(result, name) for result in results if result[name] is not None]
    return f"{statistics.mean(values):.1f}" if values else "-"


def cost_table(study: Study, rows: Rows) -> str:
    """Minutes of one core for each training, pretraining too, in the mean over folds and seeds."""
    lines = []
    for row in study.rows:
        cells = []
        for labels in study.sizes.values():
            minutes = [run["pretrain_min"] + run["train_min"] for run in rows_of(rows, [row.name], labels)]
            cells.append(f"{statistics.mean(minutes):.1f}" if minutes else NOT_RUN)
        lines.append([row.name, *cells])
    return markdown_table(["minutes of training", *map(_size_name, study.sizes.values())], lines)


def all_sets_table(sets: SetRows, size: str) -> str:
    """The compared figure of every model on every set, with labels of one size; the mean is over sets that all have."""
    models = [row.name for row in sets[0][0].rows]
    lines, values = [], []
    for study, rows in sets:
        if size not in study.sizes:
            continue
        labels, name = study.sizes[size], study.figures[0]
        cells = [mean_and_deviation(study, rows, model, labels, name) for model in models]
        lines.append([study.set, TITLES[name], _size_name(labels), *cells])
        results = [[figure(row, name) for row in rows_of(rows, [model], labels)] for model in models]
        if all(results):
            values.append([statistics.mean(figures) for figures in results])
    if values:
        means = [f"{statistics.mean(column):.1f}" for column in zip(*values, strict=True)]
        lines.append([f"mean of {counted(len(values), 'set')}", "", "", *means])
    return markdown_table(["set", "figure", "labels", *models], lines)


def all_leads_table(sets: SetRows) -> str:
    """The lead over the best of the others on every set by the size of labels, and the mean over sets with its test."""
    sizes = list(dict.fromkeys(size for study, _ in sets for size in study.sizes))
    differences: dict[str, list[float]] = {size: [] for size in sizes}
    lines = []
    for study, rows in sets:
        cells = []
        for size in sizes:
            found = leads(study, rows, study.sizes[size]) if size in study.sizes else []
            cells.append(f"{_lead(found[0])} {found[0].than}" if found else "")
            differences[size] += [found[0].difference] if found else []
        lines.append([f"{study.set}, {TITLES[study.figures[0]]}", *cells])
    lines.append(["mean over sets", *map(_mean_over_sets, differences.values())])
    return markdown_table([f"{sets[0][0].lead} against the best of the others", *sizes], lines)


def _mean_over_sets(differences: Sequence[float]) -> str:
    if not differences:
        return ""
    won = sum(difference > 0 for difference in differences)
    p = p_text(paired_p(differences))
    return f"{statistics.mean(differences):+.1f} ({p}, {won} of {len(differences)} sets won)"


def search_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the search of each baseline chose on each set, and how good it was on the recordings validated on."""
    lines = []
    for row in rows:
        if row["chosen"] is not None:
            best = max(decoding["figure"] for decoding in row["decodings"])
            decode = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in row["chosen"].items())
            seen = f"{row['labelled']} labelled, {len(row['validated'])} validated on"
            compared = f"{100 * best:.1f} {TITLES[row['compared']]}"
            lines.append([row["set"], row["baseline"], _settings(row["settings"]), decode, compared, seen])
    return markdown_table(["set", "baseline", "chosen", "decoding", "validation", "recordings"], lines)


def _settings(settings: Mapping[str, Any]) -> str:
    if "reach" in settings:
        depth = "no limit of depth" if settings["depth"] is None else f"depth {settings['depth']}"
        return f"{settings['reach']:g} s, {depth}, {'relative' if settings['relative'] else 'absolute'}"
    streams = "absolute" if "position" in settings["network"]["streams"] else "relative"
    augmentation = "no augmentation" if "augment" in settings else "augmentation"
    return f"{settings['steps']} steps, lr {settings['lr']:g}, {streams}, {augmentation}"


SET_TABLES = (results_table, second_table, set_lead_table, untrained_table, cost_table)


def set_page(study: Study, rows: Rows) -> str:
    """All tables of a set."""
    tables = (table(study, rows) for table in SET_TABLES)
    return "\n\n".join([f"# {study.name}", study.about, *tables])


def picture_link(study: Study, rows: Rows) -> str:
    """The picture of the figures over labelled recordings, as a link from a page of docs."""
    if not rows:
        return NOT_RUN
    return f"![{TITLES[study.figures[0]]} over labelled recordings, {study.set}](../images/study_{study.name}.svg)"
