"""After finetuning: the test recordings of the fold are localized and evaluated once, with the final model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..activitynet import write_truth
from ..corpus.store import Corpus
from ..evaluate import Rule
from ..model import Model
from ..progress import Progress
from ..results import METRICS_FILE, TRUTH_FILE, evaluate_on, write_metrics, write_result
from .corpora import corpus_parts


def run_test(
    model: Model,
    corpus: Corpus,
    out: Path,
    split: str,
    fold: int,
    *,
    rule: Rule = "activitynet",
    decoder: str | None = None,
    most: int | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Test a model on a fold and write predictions, truth, scores and metrics beside it; returns metrics.json.

    The model file is only read. `most`: only so many test recordings, to try a run out.
    Raises InputError for an unknown split or fold.
    """
    chosen = corpus_parts(corpus, split, fold)
    names = chosen.test[:most]
    details = {"corpus": str(corpus.path.resolve()), "split": split, "fold": fold, "part": "test"}
    with Progress("localizing", len(names), quiet=quiet) as progress:
        result, truth, metrics = evaluate_on(
            model,
            corpus,
            names,
            dropped=chosen.drop_labels,
            rule=rule,
            decoder=decoder,
            details=details,
            progress=progress.update,
        )
    write_result(result, out)
    write_truth(truth, out / TRUTH_FILE)
    write_metrics(metrics, out / METRICS_FILE)
    return metrics
