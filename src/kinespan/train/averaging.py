"""The average of the networks of several runs, weighed and calibrated by what their rehearsals held back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..corpus.training_set import TrainingSet
from ..data.display import counted
from ..decode.calibration import at_temperature
from ..models.ensemble import Ensemble, ensemble
from ..runs.folder import MODEL_FILE, REHEARSAL_FOLDER
from ..runs.load import load_model
from ..threads import Threads
from .calibration import calibrated
from .rehearsal import read_rehearsal
from .weighing import member_weights

Log = Callable[[str], None]


def average_runs(
    data: TrainingSet,
    out: Path,
    *,
    runs: Sequence[Path],
    resume: bool = False,
    threads: Threads = "auto",
    log: Log = lambda line: None,
) -> Ensemble:
    """Average the networks of some runs on `data` and write the model into the folder `out`: a stage of `learn`.

    The members count the same where a run has no rehearsal. log: is called with a line on the weights.
    """
    model = _average(runs, log)
    out.mkdir(exist_ok=True)
    model.save(out / MODEL_FILE)
    return model


def _average(runs: Sequence[Path], log: Log) -> Ensemble:
    models = [load_model(run) for run in runs]
    rehearsals = [read_rehearsal(run / REHEARSAL_FOLDER, model.labels) for run, model in zip(runs, models, strict=True)]
    told = [rehearsal for rehearsal in rehearsals if rehearsal is not None]
    if len(told) < len(runs) or len({rehearsal.names for rehearsal in told}) > 1:
        return ensemble(models, names=runs)
    truth = told[0].annotations
    scores = [
        [at_temperature(frames, model.labels, model.spec.temperature) for frames in rehearsal.scores]
        for model, rehearsal in zip(models, told, strict=True)
    ]
    weights = member_weights(scores, truth, models[0].labels, models[0].spec.input.fps)
    average = ensemble(models, weights, runs)
    mean = [average.mean(recording) for recording in zip(*scores, strict=True)]
    share = ", ".join(f"{run.name} {weight:.2f}" for run, weight in zip(runs, weights, strict=True))
    counts = counted(told[0].held_back, "held-back recording")
    log(f"weights: {share}, by the likelihood of the labels of {counts}")
    return Ensemble(calibrated(average.spec, mean, truth), models)
