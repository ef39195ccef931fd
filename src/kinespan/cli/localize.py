"""Find the actions in recordings: motion files of any known format, or a corpus.

Writes spans.csv: what was done when, in seconds and in frames. summary.csv and transitions.csv count it: how often, how
long, what follows what. proposals.json (ActivityNet) has scored candidates that may overlap, for mAP; scores.npz the
score of every label in every frame; truth.json, for an annotated corpus, the labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from .. import io
from ..annotations.activitynet import write_truth
from ..corpus.store import Corpus
from ..corpus.training_set import corpus_parts
from ..data.annotation import Annotation, Event, Span
from ..data.predictions import Truth
from ..data.recording import Recording
from ..errors import InputError
from ..progress import Progress
from ..runs.folder import (
    PROPOSALS_FILE,
    SCORES_FILE,
    SPANS_FILE,
    SUMMARY_FILE,
    TRANSITIONS_FILE,
    TRUTH_FILE,
    check_answers_folder,
)
from ..runs.outputs import LocalizationResult, write_result
from ..runs.predict import corpus_truth, localize
from .arguments import Positional
from .checks import (
    available_device,
    check_decoder,
    check_device_name,
    check_out_folder,
    is_corpus,
    localizer_spec,
)
from .common import DeviceArguments, plural
from .motion import READING, check_no_options, decision_lines

GROUPS = {
    "a corpus": ("split", "fold"),
    **READING,
    "device": ("device", "precision"),
}
MAX_PRINTED = 20
"""Spans and events of a recording that are printed."""


@dataclass(frozen=True, kw_only=True)
class LocalizeArguments(DeviceArguments):
    """The model and the motion that it localizes."""

    model: Positional[Path]
    """Model file, or folder of a finetuning run."""
    input: Positional[tuple[Path, ...]]
    """Motion files, folders of them, or one corpus."""
    out: Path
    """Folder to write to."""
    overwrite: bool = False
    """Replace the answers in the folder."""
    people: Literal["together", "each"] | None = None
    """together: one answer for each recording; each: one for each person alone; by default each if the labels that the
    model was trained on name people."""
    decoder: str | None = None
    """How scores become proposals: one of `kinespan list decoders`; by default the model's own way."""
    split: str | None = None
    """Localize the test recordings of this split."""
    fold: int = 1
    """Fold of the split."""


class Motion(NamedTuple):
    """Recordings to localize, what proposals.json says of their source, and their ground truth, if any."""

    recordings: list[Recording]
    details: dict[str, Any]
    truth: Truth | None = None


def run(arguments: LocalizeArguments, options: io.ReadOptions) -> int:
    """Localize and print the spans, or how many there are."""
    inputs, out = arguments.input, arguments.out
    corpora = [path for path in inputs if is_corpus(path)]
    if corpora and len(inputs) > 1:
        raise InputError(f"{corpora[0]}: give a corpus alone, or motion files only")
    if corpora:
        check_no_options(options, "a corpus")
    if arguments.split is not None and not corpora:
        raise InputError("--split applies to a corpus only; motion files are all localized")
    check_decoder(arguments.decoder)
    check_device_name(arguments.device)
    check_out_folder(out)
    check_answers_folder(out, arguments.overwrite)
    localizer_spec(arguments.model)
    motion = _read_corpus(corpora[0], arguments) if corpora else _read_files(inputs, options)

    from ..runs.load import load_model

    model = load_model(arguments.model, available_device(arguments.device), arguments.precision)
    out.mkdir(parents=True, exist_ok=True)
    with Progress("localizing", len(motion.recordings)) as progress:
        result = localize(
            model,
            motion.recordings,
            people=arguments.people,
            decoder=arguments.decoder,
            details=motion.details,
            progress=progress.update,
        )
    write_result(result, out)
    if motion.truth is not None:
        write_truth(motion.truth, out / TRUTH_FILE)
    else:
        (out / TRUTH_FILE).unlink(missing_ok=True)  # of the answers that were overwritten
    for line in () if corpora else decision_lines(motion.recordings):
        print(line)
    _print(result, out)
    return 0


def _read_files(paths: Sequence[Path], options: io.ReadOptions) -> Motion:
    """The recordings in files and folders. Raises InputError, naming the file, for one that cannot be read."""
    files = [item for path in paths for item in io.find_files(path, options.format)]
    override_fps = io.overrides_fps(files)
    recordings = [io.read(file, format, options, override_fps=override_fps).recording for file, format in files]
    sources = {recording.name: str(file.resolve()) for recording, (file, _) in zip(recordings, files, strict=True)}
    return Motion(recordings, {"files": sources, "read": options.given(), "override_fps": override_fps})


def _read_corpus(path: Path, arguments: LocalizeArguments) -> Motion:
    """The recordings of a corpus, or the test recordings of a fold."""
    corpus = Corpus.open(path)
    fold = corpus_parts(corpus, arguments.split, arguments.fold)
    annotated = corpus.labels is not None and any(corpus.annotation(name) is not None for name in fold.test)
    truth = corpus_truth(corpus, fold.test, fold.drop_labels) if annotated else None
    details: dict[str, Any] = {"corpus": str(path.resolve())}
    if arguments.split is not None:
        details |= {"split": arguments.split, "fold": arguments.fold, "part": "test"}
    return Motion([corpus[name] for name in fold.test], details, truth)


def _print(result: LocalizationResult, out: Path) -> None:
    """The answer for a single recording, else the number of its spans and events."""
    answers = list(result.segmentation.values())
    kinds = [("action", sum(len(answer.spans) for answer in answers))] if result.labels.spans else []
    kinds += [("event", sum(len(answer.events) for answer in answers))] if result.labels.events else []
    counts = " and ".join(plural(count, kind) for kind, count in kinds)
    if len(answers) == 1:
        print(f"{next(iter(result.segmentation))}: {counts}")
        lines = _lines(answers[0])
        print("".join(f"  {line}\n" for line in lines[:MAX_PRINTED]), end="")
        if len(lines) > MAX_PRINTED:
            print(f"  and {len(lines) - MAX_PRINTED} more")
    else:
        print(f"{counts} in {plural(len(answers), 'recording')}")
    print(f"written to {out}: {SPANS_FILE}, {SUMMARY_FILE}, {TRANSITIONS_FILE}, {PROPOSALS_FILE}, {SCORES_FILE}")


def _lines(answer: Annotation) -> list[str]:
    """Spans and events in order of time, as text."""
    rows: list[tuple[float, str, Span | Event]] = [
        *((span.start, f"{span.start:8.2f} s to {span.end:8.2f} s", span) for span in answer.spans),
        *((event.time, f"{event.time:8.2f} s", event) for event in answer.events),
    ]
    rows.sort(key=lambda row: row[0])
    width = max((len(times) for _, times, _ in rows), default=0)
    return [
        f"{times:<{width}}  {item.label}  ({item.score:.2f}){'' if item.person is None else f'  person {item.person}'}"
        for _, times, item in rows
    ]
