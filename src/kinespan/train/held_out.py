"""After finetuning: the test recordings of the fold are localized and evaluated once, with the final model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..corpus.store import Corpus
from ..corpus.training_set import corpus_parts, set_fact
from ..metrics import Rule
from ..models.base import Model
from ..progress import Progress
from ..runs.folder import METRICS_FILE
from ..runs.outputs import write_metrics, write_result
from ..runs.predict import evaluate_on
from ..threads import Threads, choose_threads, computing_on


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
    threads: Threads = "auto",
) -> dict[str, Any]:
    """Test a model on a fold and write predictions, truth, scores and metrics beside it; returns metrics.json.

    The model file is only read. `most`: only so many test recordings, to try a run out. threads: to compute on; auto:
    all free cores.
    Raises InputError for an unknown split or fold.
    """
    chosen = corpus_parts(corpus, split, fold)
    names = chosen.test[:most]
    details = {"corpus": str(corpus.path.resolve()), "split": split, "fold": fold, "part": "test"}
    details |= set_fact(corpus)
    with computing_on(choose_threads(threads).count), Progress("localizing", len(names), quiet=quiet) as progress:
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
    write_result(result, out, truth)
    write_metrics(metrics, out / METRICS_FILE)
    return metrics
