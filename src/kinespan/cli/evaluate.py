"""Score predictions against ground truth, or a model on a corpus.

Give either --predictions P.json --truth T.json (ActivityNet JSON, such as proposals.json and truth.json), or MODEL
CORPUS, with --split and --fold to evaluate on the test recordings of a fold. Of ground truth in several subsets
(training, validation, ...) those count that --subset names, by default those with predictions. --rule says how mAP is
computed: activitynet (the reference), stal (as STAL and SnipCLR), pku (PKU-MMD's official script) or simple-det (as
HiCLR, PCM3 and USDRL on PKU-MMD). The last two also give mAP_a and mAP_v, and pku gives AP, F1 and 2D-AP.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..annotations.activitynet import read_truth
from ..corpus.store import Corpus
from ..corpus.training_set import corpus_parts
from ..data.predictions import Predictions, Truth
from ..data.span_table import SpanTable
from ..errors import InputError
from ..metrics import Rule, evaluate
from ..metrics.metrics import RULES_BY_TIME
from ..progress import Progress
from ..runs.answers import predictions_with_scores
from ..runs.outputs import write_metrics
from ..runs.predict import evaluate_on
from ..runs.scoring import of_subsets
from .arguments import Positional
from .checks import check_decoder, check_out_file, check_unknown_below, localizer_spec
from .common import METRIC_COLUMNS, event_table, facts_line, metric_row, percent, plural, table

GROUPS = {
    "a model on a corpus": ("split", "fold", "set", "decoder", "unknown_below"),
    "files": ("predictions", "truth", "subset"),
    "measures": ("rule", "tiou", "tolerance"),
}


@dataclass(frozen=True, kw_only=True)
class EvaluateArguments:
    """What is scored, and by which rule."""

    model: Positional[Path | None] = None
    """Model file, or folder of a finetuning run."""
    corpus: Positional[Path | None] = None
    """Folder of an annotated corpus."""
    out: Path | None = None
    """File to write the metrics to, such as metrics.json."""
    split: str | None = None
    """Evaluate on the test recordings of this split."""
    fold: int = 1
    """Fold of the split."""
    set: str | None = None
    """Annotation set that is the ground truth; needed where the corpus has several."""
    decoder: str | None = None
    """How scores become proposals: one of `kinespan list decoders`; by default the model's own way."""
    unknown_below: float | None = None
    """Answer `unknown` where a segment scores less than this, 0 to 1; by default every segment has its label. The
    table of error over coverage shows what each threshold costs."""
    predictions: Path | None = None
    """Predictions as ActivityNet JSON, such as proposals.json."""
    truth: Path | None = None
    """Ground truth as ActivityNet JSON."""
    subset: tuple[str, ...] | None = None
    """Subsets of the ground truth to evaluate on; by default those with predictions."""
    rule: Rule = "activitynet"
    """How mAP is computed."""
    tiou: tuple[float, ...] | None = None
    """tIoU thresholds; by default 0.1 to 0.5, with pku 0.5, with simple-det 0.1 0.3 0.5."""
    tolerance: float | None = None
    """Seconds by which a predicted event may be off; by default those of the model, or of the ground truth."""


def run(arguments: EvaluateArguments) -> int:
    """Evaluate, print the tables, and write the metrics."""
    for value in arguments.tiou or ():
        if not 0 < value <= 1:
            raise InputError(f"--tiou {value}: expected above 0 and at most 1")
    if arguments.tolerance is not None and not 0 < arguments.tolerance < math.inf:
        raise InputError(f"--tolerance {arguments.tolerance}: expected a positive number of seconds")
    check_decoder(arguments.decoder)
    check_unknown_below(arguments.unknown_below)
    check_out_file(arguments.out)
    model, corpus, predictions, truth = arguments.model, arguments.corpus, arguments.predictions, arguments.truth
    if arguments.decoder is not None and model is None:
        raise InputError(f"--decoder {arguments.decoder}: predictions are decoded already; use it with MODEL CORPUS")
    if arguments.unknown_below is not None and model is None:
        raise InputError("--unknown-below: predictions are answers already; use it with MODEL CORPUS")
    if arguments.set is not None and corpus is None:
        raise InputError(f"--set {arguments.set}: it chooses among the labels of a corpus; use it with MODEL CORPUS")
    if arguments.subset is not None and truth is None:
        raise InputError("--subset chooses among the recordings of --truth T.json; in a corpus use --split")
    if model is None and predictions is not None and truth is not None:
        metrics = _evaluate_files(predictions, truth, arguments)
    elif model is not None and corpus is not None and predictions is None and truth is None:
        metrics = _evaluate_model(model, corpus, arguments)
    else:
        raise InputError("give either --predictions P.json --truth T.json, or MODEL CORPUS")
    _print_metrics(metrics)
    if arguments.out is not None:
        write_metrics(metrics, arguments.out)
        print(f"written to {arguments.out}")
    return 0


def _evaluate_files(predictions_file: Path, truth_file: Path, arguments: EvaluateArguments) -> dict[str, Any]:
    predictions, truth = predictions_with_scores(predictions_file), read_truth(truth_file)
    notes = _without_length(predictions, truth, arguments.rule)
    predictions, truth, subset_notes = of_subsets(predictions, truth, arguments.subset)
    training = predictions.details.get("training")
    facts = {**(training if isinstance(training, dict) else {}), "predictions": str(predictions_file)}
    facts["notes"] = [*notes, *subset_notes]
    if predictions.details.get("decoder") is not None:
        facts["decoder"] = predictions.details["decoder"]
    return {
        **evaluate(predictions, truth, arguments.tiou, arguments.rule, arguments.tolerance).to_dict(),
        "facts": facts,
    }


def _without_length(predictions: Predictions, truth: Truth, rule: Rule) -> list[str]:
    """A line for the true and for the predicted rows without length: how many, and what they count for."""
    notes = []
    num_true = sum(len(annotation.spans) for annotation in truth.annotations.values())
    num_predicted = len(SpanTable.of(predictions.proposals).label)
    kinds = (
        ("ground truth", truth.without_length, num_true, "missed"),
        ("predictions", predictions.without_length, num_predicted, "wrong"),
    )
    for source, rows, num_spans, verdict in kinds:
        if rows:
            name, (label, start, end, *_) = rows[0]
            notes.append(
                f"{source}: {len(rows)} of {len(rows) + num_spans} segments end before or where they start, such as "
                f"{label!r} of {name}, {start:g} to {end:g} s; left out"
                f"{f', save that mAP counts them as {verdict}' if rule in RULES_BY_TIME else ''}"
            )
    return notes


def _evaluate_model(path: Path, corpus_path: Path, arguments: EvaluateArguments) -> dict[str, Any]:
    spec, corpus = localizer_spec(path), Corpus.open(corpus_path, arguments.set)
    fold = corpus_parts(corpus, arguments.split, arguments.fold)

    from ..runs.load import load_model
    from ..train.leakage import training_recordings_of

    details = {
        "evaluated_on": corpus.name,
        "evaluated_split": arguments.split,
        **({} if arguments.set is None else {"evaluated_set": arguments.set}),
        "evaluated_recordings": len(fold.test),
        "seen_in_training": len(training_recordings_of(spec, corpus, fold.test)),
    }
    model = load_model(path)
    with Progress("localizing", len(fold.test)) as progress:
        _, _, metrics = evaluate_on(
            model,
            corpus,
            fold.test,
            dropped=fold.drop_labels,
            rule=arguments.rule,
            tious=arguments.tiou,
            tolerance=arguments.tolerance,
            decoder=arguments.decoder,
            unknown_below=arguments.unknown_below,
            details=details,
            progress=progress.update,
        )
    return metrics


def _print_metrics(metrics: Mapping[str, Any]) -> None:
    """What was evaluated, then the figures of spans and those of events."""
    facts = metrics.get("facts", {})
    words = facts_line(facts)
    print(f"{plural(metrics['recordings'], 'recording')}, rule {metrics['rule']}{', ' + words if words else ''}")
    if count := metrics["people"]:
        print(f"the ground truth says whose an action is: {count} people, each scored alone")
    for note in facts.get("notes", ()):
        print(note)
    if count := facts.get("seen_in_training"):
        print(f"the model was trained on {count} of these recordings, by its file: expect less on others")
    if counts := metrics["unknown_labels"]:
        names = ", ".join(f"{label!r} ({plural(count, 'prediction')})" for label, count in counts.items())
        print(f"predicted, but unknown to the ground truth and not counted in mAP: {names}")
    if count := metrics["recordings_without_fps"]:
        print(f"the ground truth gives no fps for {plural(count, 'recording')}; each frame is assumed to last 1/30 s")
    if metrics["per_class"]:
        _print_span_metrics(metrics)
    if metrics.get("events"):
        print(event_table(metrics["events"]))


def _print_span_metrics(metrics: Mapping[str, Any]) -> None:
    """The headline, the rule's own figures, a row for each label, and the kinds of errors."""
    print(table([["", *METRIC_COLUMNS], ["per cent", *metric_row(metrics)]]))
    thresholds = [key for key in metrics["map"] if key != "average"]
    if "figures" in metrics:
        print()
        _print_figures(metrics["figures"], thresholds)
    rows = [["mAP at tIoU", *thresholds], ["all labels", *(percent(metrics["map"][key]) for key in thresholds)]]
    for label, values in metrics["per_class"].items():
        rows.append([label, *(percent(values["ap"].get(key)) for key in thresholds)])
    print()
    print(table(rows))
    if "errors" in metrics:
        print()
        _print_errors(metrics["errors"])
    if metrics.get("calibration"):
        _print_calibration(metrics["calibration"])


def _print_errors(errors: Mapping[str, Any]) -> None:
    """A row for each kind of error: its number of predictions, and the mAP that it costs."""
    total = errors["predictions"]
    rows = [[f"errors at tIoU {errors['tiou']:g}", "predictions", "per cent", "costs mAP"]]
    for kind, count in {"right": errors["right"], **errors["counts"]}.items():
        cost = percent(errors["cost"][kind]) if kind in errors["cost"] else ""
        rows.append([kind, str(count), percent(count / total if total else None), cost])
    print(table(rows))
    print(f"  of {sum(errors['true'].values())} true spans {sum(errors['missed'].values())} match no prediction")


SHOWN_THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Those of error over coverage that are printed; metrics.json has more."""


def _print_calibration(calibration: Mapping[str, Any]) -> None:
    """How far scores are from probabilities, and what answering less often costs."""
    parts = [
        f"{name} {percent(calibration[name]['error'])} ({calibration[name]['claims']})"
        for name in ("frames", "segments")
        if calibration[name] is not None
    ]
    if not parts:
        return
    print(f"\n  scores are off from probabilities by, per cent (of how many): {', '.join(parts)}")
    segments, unknown = calibration["segments"], calibration["unknown"]
    if segments is None:
        return
    rows = [row for row in segments["coverage"] if row["threshold"] in SHOWN_THRESHOLDS]
    print(table([
        ["unknown below", *(f"{row['threshold']:g}" for row in rows)],
        ["answered", *(percent(row["coverage"]) for row in rows)],
        ["of them wrong", *(percent(row["error"]) for row in rows)],
    ]))  # fmt: skip
    if unknown is not None:
        share, error = percent(unknown["coverage"]), percent(unknown["error"])
        print(
            f"  answered unknown below {unknown['below']:g}: {unknown['segments']} segments; {share} % are answered, "
            f"of them {error} % wrong"
        )


def _print_figures(figures: Mapping[str, Any], thresholds: list[str]) -> None:
    """A row for each figure of the rule, by threshold; a line for a figure that has no thresholds."""
    by_threshold = {name: values for name, values in figures.items() if isinstance(values, dict)}
    rows = [[name, *(percent(values[key]) for key in thresholds)] for name, values in by_threshold.items()]
    print(table([["theta", *thresholds], *rows]))
    if "2D-AP" in figures:
        print(f"  2D-AP {percent(figures['2D-AP'])} (AP averaged over theta 0.05 to 1)")
