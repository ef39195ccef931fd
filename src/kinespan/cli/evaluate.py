"""Hold predictions against truth, or a model against a corpus.

Either --predictions P.json --truth T.json (ActivityNet JSON), or MODEL CORPUS, with --split and --fold for the test
recordings of a fold. mAP is that of the rule: activitynet (the reference), stal (as STAL and SnipCLR count), pku
(PKU-MMD's official script) or simple-det (as HiCLR, PCM3 and USDRL count in PKU-MMD); the last two also give mAP_a,
mAP_v and, by the official script, AP, F1 and 2D-AP.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from jsonargparse import ArgumentParser, Namespace

from ..errors import InputError
from .common import METRIC_COLUMNS, check_decoder, facts_line, metric_row, open_corpus, percent, table

RuleName = Literal["activitynet", "stal", "pku", "simple-det"]
"""The names in `kinespan.evaluate.RULES`, here so that help needs no import of it."""


def add_arguments(parser: ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("model", type=str | None, nargs="?", help="model file, or folder of a finetuning run")
    parser.add_argument("corpus", type=str | None, nargs="?", help="folder of an annotated corpus")
    parser.add_argument("--predictions", type=str | None, help="predictions as ActivityNet JSON")
    parser.add_argument("--truth", type=str | None, help="truth as ActivityNet JSON")
    parser.add_argument("--rule", type=RuleName, default="activitynet", help="rule of mAP")
    parser.add_argument(
        "--tiou",
        type=float,
        nargs="+",
        help="tIoU thresholds; default: .1 to .5, of pku .5, of simple-det .1 .3 .5",
    )
    parser.add_argument(
        "--decoder",
        type=str | None,
        help="corpus: how scores become spans, one of `kinespan list decoders`; default: the model's own way",
    )
    parser.add_argument("--split", type=str | None, help="corpus: evaluate on the test recordings of this split")
    parser.add_argument("--fold", type=int, default=1, help="corpus: fold of the split")
    parser.add_argument("--out", type=str | None, help="metrics.json to write")


def run(arguments: Namespace) -> int:
    """Evaluate, print the table, write metrics.json."""
    for value in arguments.tiou or ():
        if not 0 < value <= 1:
            raise InputError(f"--tiou {value}: expected above 0 and at most 1")
    check_decoder(arguments.decoder)
    if arguments.decoder is not None and arguments.model is None:
        raise InputError(f"--decoder {arguments.decoder}: predictions are decoded already; it is for MODEL CORPUS")
    files = arguments.predictions, arguments.truth
    if arguments.model is None and None not in files:
        metrics = _of_files(arguments)
    elif arguments.corpus is not None and files == (None, None):
        metrics = _of_model(arguments)
    else:
        raise InputError("give either --predictions P.json --truth T.json, or MODEL CORPUS")
    _tell(metrics)
    if arguments.out is not None:
        from ..results import write_metrics

        write_metrics(metrics, Path(arguments.out))
        print(f"written to {arguments.out}")
    return 0


def _of_files(arguments: Namespace) -> dict[str, Any]:
    from ..activitynet import read_predictions, read_truth
    from ..evaluate import evaluate

    predictions = read_predictions(Path(arguments.predictions))
    truth = read_truth(Path(arguments.truth))
    training = predictions.details.get("training")
    facts = {**(training if isinstance(training, dict) else {}), "predictions": arguments.predictions}
    if predictions.details.get("decoder") is not None:
        facts["decoder"] = predictions.details["decoder"]
    return {**evaluate(predictions, truth, arguments.tiou, arguments.rule).to_dict(), "facts": facts}


def _of_model(arguments: Namespace) -> dict[str, Any]:
    from ..localizer import load_model
    from ..progress import Progress
    from ..results import evaluate_on
    from ..train.corpora import corpus_parts, training_recordings_of

    model = load_model(arguments.model)
    corpus = open_corpus(arguments.corpus)
    fold = corpus_parts(corpus, arguments.split, arguments.fold)
    names = fold.test
    details = {
        "evaluated_on": corpus.name,
        "evaluated_split": arguments.split,
        "evaluated_recordings": len(names),
        "seen_in_training": len(training_recordings_of(model.spec, corpus, names)),
    }
    with Progress("localizing", len(names)) as progress:
        _, _, metrics = evaluate_on(
            model,
            corpus,
            names,
            dropped=fold.drop_labels,
            rule=arguments.rule,
            tious=arguments.tiou,
            decoder=arguments.decoder,
            details=details,
            progress=progress.update,
        )
    return metrics


def _tell(metrics: dict[str, Any]) -> None:
    """The headline, the rule's own figures, then a row a label."""
    facts = facts_line(metrics.get("facts", {}))
    print(f"{metrics['recordings']} recordings, rule {metrics['rule']}{', ' + facts if facts else ''}")
    if seen := metrics.get("facts", {}).get("seen_in_training"):
        print(f"the model was trained on {seen} of these recordings, by its file: on others it will do less well")
    if metrics["recordings_without_fps"]:
        print(f"truth gives no fps of {metrics['recordings_without_fps']} recordings; their frames are taken as 1/30 s")
    print(table([["", *METRIC_COLUMNS], ["per cent", *metric_row(metrics)]]))
    keys = [key for key in metrics["map"] if key != "average"]
    if "figures" in metrics:
        print()
        _tell_figures(metrics["figures"], keys)
    rows = [["mAP at tIoU", *keys], ["all labels", *(percent(metrics["map"][key]) for key in keys)]]
    for label, found in metrics["per_class"].items():
        rows.append([label, *(percent(found["ap"].get(key)) for key in keys)])
    print()
    print(table(rows))
    if "errors" in metrics:
        print()
        _tell_errors(metrics["errors"])


def _tell_errors(errors: dict[str, Any]) -> None:
    """A row a kind of error: how many of the predictions that matter, and what it costs."""
    some = errors["predictions"]
    rows = [[f"errors at tIoU {errors['tiou']:g}", "predictions", "per cent", "costs mAP"]]
    for kind, count in {"right": errors["right"], **errors["counts"]}.items():
        cost = percent(errors["cost"][kind]) if kind in errors["cost"] else ""
        rows.append([kind, str(count), percent(count / some if some else None), cost])
    print(table(rows))
    missed, true = sum(errors["missed"].values()), sum(errors["true"].values())
    print(f"  of {true} true spans {missed} are taken by no prediction")


def _tell_figures(figures: dict[str, Any], keys: list[str]) -> None:
    """A row a figure of the rule, by threshold; a line for what is one number for all."""
    rows = [["theta", *keys]]
    rows += [
        [name, *(percent(found[key]) for key in keys)] for name, found in figures.items() if isinstance(found, dict)
    ]
    print(table(rows))
    if "2D-AP" in figures:
        print(f"  2D-AP {percent(figures['2D-AP'])} (AP averaged over theta 0.05 to 1)")
