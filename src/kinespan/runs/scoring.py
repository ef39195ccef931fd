"""Scoring what was predicted, or a model, against ground truth, whatever either of them comes as."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..annotations.activitynet import read_truth
from ..corpus.splits import union_of
from ..corpus.store import Corpus
from ..corpus.training_set import corpus_parts
from ..data.annotation import Annotation, Span
from ..data.display import counted
from ..data.predictions import Predictions, Truth
from ..errors import InputError, unknown
from ..metrics import Metrics, Rule
from ..metrics import evaluate as score
from .answers import predictions_with_scores
from .inputs import corpus_truth
from .outputs import LocalizationResult
from .predict import localize

if TYPE_CHECKING:  # torch takes seconds to import
    from ..models.base import Model


def evaluate(
    predictions: Predictions | LocalizationResult | Mapping[str, Annotation] | Model | str | Path,
    truth: Truth | Mapping[str, Annotation] | Corpus | str | Path,
    tiou: Sequence[float] | None = None,
    rule: Rule = "activitynet",
    tolerance: float | None = None,
    *,
    subset: Sequence[str] | None = None,
    split: str | None = None,
    fold: int = 1,
    set: str | None = None,
    decoder: str | None = None,
    unknown_below: float | None = None,
) -> Metrics:
    """Score predictions, or a model, against ground truth by all metrics.

    Parameters:
        predictions: what `kinespan.localize` gave, Annotations by the name of the recording, a file (ActivityNet JSON,
            such as proposals.json), or a model, its file or its run, which localizes the recordings of a corpus.
        truth: Annotations by the name of the recording, a corpus or its folder, or a file (ActivityNet JSON).
        tiou: thresholds of mAP, by default those of the rule.
        rule: how mAP is counted: activitynet, stal, pku or simple-det.
        tolerance: seconds by which a predicted event may be off, by default those of the model, else of the truth.
        subset: of a file, the subsets of the ground truth that count, by default those with predictions.
        split, fold: of a corpus, the test recordings of a fold, by default all.
        set: of a corpus, the annotation set that is the ground truth; needed where it has several.
        decoder: of a model, how scores become proposals, by default its own way.
        unknown_below: of a model, segments that score less are answered `unknown`.

    Figures are fractions, 0 to 1; ``metrics.to_dict()`` is the content of metrics.json. Raises InputError for
    predictions of recordings, or of labels, that the ground truth does not have.
    """
    if isinstance(truth, str | Path) and not _is_json(truth):
        truth = Corpus.open(truth, set)
    if split is not None and not isinstance(truth, Corpus):
        raise InputError(f"split {split!r}: the ground truth is no corpus, so it has no splits")
    if set is not None and not isinstance(truth, Corpus):
        raise InputError(f"set {set!r}: the ground truth is no corpus, so it has no annotation sets")
    if isinstance(truth, Corpus):
        truth = truth.with_set(set)
        sides = corpus_parts(truth, split, fold)
        true = corpus_truth(truth, sides.test, sides.drop_labels)
        if _is_model(predictions):
            recordings = (truth[name] for name in true.annotations)
            predictions = localize(
                predictions,  # type: ignore[arg-type]
                recordings,
                decoder=decoder,
                unknown_below=unknown_below,
            )
    elif _is_model(predictions):
        raise InputError("a model is scored on a corpus; give the corpus in place of the ground truth")
    else:
        true = _truth(truth, predictions)
    if tolerance is None and isinstance(predictions, LocalizationResult) and predictions.labels.events:
        tolerance = predictions.labels.tolerance
    predicted = _predictions(predictions)
    if subset is not None or isinstance(truth, str | Path):
        predicted, true, _ = of_subsets(predicted, true, subset)
    return score(predicted, true, tiou, rule, tolerance)


def of_subsets(
    predictions: Predictions, truth: Truth, subsets: Sequence[str] | None
) -> tuple[Predictions, Truth, list[str]]:
    """Predictions and truth of the subsets that are asked for, and lines that say what is left out.

    By default the subsets with a predicted recording, so that those that nobody predicted do not count as missed.
    Recordings without a subset always count. Raises InputError for a subset that truth does not have.
    """
    counts = Counter(truth.subsets.values())
    for name in subsets or ():
        if name not in counts:
            raise unknown("subset", name, counts)
    used = {truth.subsets[name] for name in predictions.proposals if name in truth.subsets}
    chosen = [name for name in counts if name in (used if subsets is None else subsets)]
    left_out = [name for name in counts if name not in chosen]
    if not chosen or not left_out:
        return predictions, truth, []
    excluded = {name for name, subset in truth.subsets.items() if subset in left_out}
    names = [name for name in predictions.proposals if name in excluded]
    notes = []
    if subsets is None:
        missing = ", ".join(f"{name} ({counted(counts[name], 'recording')})" for name in left_out)
        notes = [f"evaluated on subset {', '.join(chosen)}: nothing is predicted in {missing}; --subset chooses others"]
    elif names:
        notes = [f"left out: predictions of {counted(len(names), 'recording')} in other subsets"]
    return (
        predictions.of_recordings(set(predictions.proposals) - excluded),
        truth.of_recordings(set(truth.annotations) - excluded),
        notes,
    )


def _is_json(path: str | Path) -> bool:
    return Path(path).suffix.lower() == ".json"


def _is_model(predictions: object) -> bool:
    """Whether these are a model or the path of one."""
    if isinstance(predictions, str | Path):
        return not _is_json(predictions)
    return not isinstance(predictions, Predictions | LocalizationResult | Mapping)


def _predictions(predictions: object) -> Predictions:
    if isinstance(predictions, LocalizationResult):
        return predictions.predictions
    if isinstance(predictions, str | Path):
        return predictions_with_scores(Path(predictions))
    if isinstance(predictions, Mapping):
        spans = {name: tuple(map(_scored, annotation.spans)) for name, annotation in predictions.items()}
        return Predictions(spans, spans, events={name: each.instants for name, each in predictions.items()})
    assert isinstance(predictions, Predictions)
    return predictions


def _scored(span: Span) -> Span:
    """The span with a score, that of certainty where it has none: whoever wrote it down was sure."""
    return span if span.score is not None else replace(span, score=1.0)


def _truth(truth: Truth | Mapping[str, Annotation] | str | Path, predictions: object) -> Truth:
    """The ground truth; of Annotations, with the rates and lengths of the recordings that were localized."""
    if isinstance(truth, Truth):
        return truth
    if isinstance(truth, str | Path):
        return read_truth(Path(truth))
    labels = union_of(annotation.labels for annotation in truth.values())
    if labels is None:
        raise InputError("the ground truth has no recordings")
    clocks = predictions.clocks if isinstance(predictions, LocalizationResult) else {}
    slots = predictions.people if isinstance(predictions, LocalizationResult) else {}
    return Truth(
        {name: replace(annotation, labels=labels) for name, annotation in truth.items()},
        labels,
        {name: clocks[name].duration for name in truth if name in clocks},
        {name: clocks[name].fps for name in truth if name in clocks},
        labels_are_declared=False,
        people={name: slots.get(name) or each.people for name, each in truth.items() if each.people},
    )
