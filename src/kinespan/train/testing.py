"""What follows finetuning: the test recordings of the fold are localized and evaluated once, with the final model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..activitynet import write_truth
from ..corpus.store import Corpus
from ..evaluate import Rule
from ..model import Model
from ..progress import Progress
from ..results import METRICS_FILE, TRUTH_FILE, evaluate_on, write_metrics, write_outcome
from .corpora import corpus_parts
from .run_folder import MODEL_FILE


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

    The headline figures also go into the model file. `most`: only so many test recordings, to try a run out.
    Raises InputError for an unknown split or fold.
    """
    chosen = corpus_parts(corpus, split, fold)
    names = chosen.test[:most]
    details = {"corpus": str(corpus.path.resolve()), "split": split, "fold": fold, "part": "test"}
    with Progress("localizing", len(names), quiet=quiet) as progress:
        outcome, truth, metrics = evaluate_on(
            model,
            corpus,
            names,
            dropped=chosen.drop_labels,
            rule=rule,
            decoder=decoder,
            details=details,
            progress=progress.update,
        )
    write_outcome(outcome, out)
    write_truth(truth, out / TRUTH_FILE)
    write_metrics(metrics, out / METRICS_FILE)
    kept = {name: metrics.get(name) for name in ("map", "frame_accuracy", "edit", "f1", "recordings")}
    model.spec = replace(model.spec, metrics={**kept, "split": split, "fold": fold, "part": "test"})
    model.save(out / MODEL_FILE)
    return metrics
