"""How far scores are from probabilities, before and after calibration on recordings that training held back.

    python -m benchmarks.study.calibration --out runs/robustness           # what is not done yet, then the table
    python -m benchmarks.study.calibration --out runs/robustness --keep    # also stores the rows in benchmarks/results/

The models are those of `benchmarks.study.robustness`, which it trains where they are not there yet. The one that is
trained without the recordings of fold 1 teaches a temperature and a curve on them; these are then those of the model
that is trained on all training recordings of fold 2, which is tested on the test recordings of fold 2. So nothing of
what is tested is seen.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kinespan.corpus import Corpus
from kinespan.data.predictions import Predictions, Truth
from kinespan.decode import decode, segment
from kinespan.decode.calibration import at_temperature
from kinespan.errors import InputError
from kinespan.metrics import evaluate
from kinespan.models.base import Model, Scores
from kinespan.models.model_file import ModelSpec
from kinespan.runs.inputs import corpus_truth
from kinespan.train.calibration import calibrated

from ..results.store import append_rows, read_rows, store_rows
from .calibration_tables import NAME, calibration_table, coverage_table
from .corpora import corpus_folder
from .job import INNER, parts_of
from .robustness import FOLD, SPLITS, STEPS, Case, trained


def uncalibrated(model: Model) -> Model:
    """A model with the scores that its logits give, whatever it learnt of calibration when it was trained."""
    decoding = replace(model.spec.decode, span_calibration=())
    model.spec = replace(model.spec, temperature=1.0, decode=decoding)
    return model


def scored(model: Model, corpus: Corpus, split: str) -> tuple[dict[str, Scores], Truth]:
    """Frame scores of a model on the held-out recordings of a split, and their truth."""
    sides = parts_of(corpus, split, FOLD)
    truth = corpus_truth(corpus, sides.test, sides.drop_labels)
    return {name: model.frame_scores(corpus[name]) for name in truth.annotations}, truth


def figures(spec: ModelSpec, scores: Mapping[str, Scores], truth: Truth) -> dict[str, Any]:
    """The figures of scores at a temperature of 1, after the spec's own."""
    assert spec.labels is not None
    labels, fps, decoding = spec.labels, spec.input.fps, spec.decode
    softened = {name: at_temperature(frames, labels, spec.temperature) for name, frames in scores.items()}
    predictions = Predictions(
        {name: tuple(decode(frames, fps, labels, decoding)) for name, frames in softened.items()},
        {name: tuple(segment(frames, fps, labels, decoding)) for name, frames in softened.items()},
        {"labels": list(labels.names), "exclusive": labels.exclusive},
        scores={(name, None): frames for name, frames in softened.items()},
        scores_fps=fps,
    )
    metrics = evaluate(predictions, truth).to_dict()
    calibration = metrics["calibration"]
    return {
        "map": metrics["map_average"]["0.1:0.5"],
        "f1_50": metrics["f1"]["50"],
        "frames": {name: calibration["frames"][name] for name in ("error", "claims")},
        "segments": calibration["segments"],
    }


def run_case(data: str, seed: int, corpus: Corpus, out: Path, steps: int) -> list[dict[str, Any]]:
    """The rows of a corpus and a seed: as trained, and calibrated."""
    teacher_case = Case(data, "finetune", seed, f"{SPLITS[data]}:{INNER}")
    case = Case(data, "finetune", seed, SPLITS[data])
    teacher, model = (
        uncalibrated(trained(each, corpus, parts_of(corpus, each.split, FOLD), out, steps))
        for each in (teacher_case, case)
    )
    scores, truth = scored(teacher, corpus, teacher_case.split)
    learnt = calibrated(teacher.spec, list(scores.values()), [truth.annotations[name] for name in scores])
    decoding = replace(model.spec.decode, span_calibration=learnt.decode.span_calibration)
    specs = {
        "as trained": model.spec,
        "calibrated": replace(model.spec, temperature=learnt.temperature, decode=decoding),
    }
    tested, test_truth = scored(model, corpus, case.split)
    facts = {"data": data, "seed": seed, "fold": FOLD, "steps": steps, "temperature": learnt.temperature,
             "curve": list(learnt.decode.span_calibration)}  # fmt: skip
    return [{**facts, "scores": name, **figures(spec, tested, test_truth)} for name, spec in specs.items()]


def main() -> None:
    """The command."""
    import torch

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.study.calibration",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("runs/robustness"))
    parser.add_argument("--data", nargs="+", default=list(SPLITS), choices=SPLITS, help="only these")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--keep", action="store_true", help="also store the rows in benchmarks/results/")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    out = arguments.out.absolute()
    folder = out / "calibration"
    folder.mkdir(parents=True, exist_ok=True)
    done = {(row["data"], row["seed"]) for row in read_rows(folder)}
    for data in arguments.data:
        corpus = Corpus.open(corpus_folder(data, out))
        for seed in arguments.seeds:
            if (data, seed) not in done:
                append_rows(folder, run_case(data, seed, corpus, out, arguments.steps))
    rows = read_rows(folder)
    if arguments.keep:
        store_rows(NAME, rows)
    print(f"{calibration_table(rows)}\n\n{coverage_table(rows)}")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
