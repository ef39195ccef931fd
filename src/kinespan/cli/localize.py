"""Find the actions in recordings: motion files of any known format, or a corpus.

Writes spans.csv: what was done when, in seconds and in frames. summary.csv and transitions.csv count it: how often, how
long, what follows what. proposals.json (ActivityNet) has scored candidates that may overlap, for mAP; scores.npz the
score of every label in every frame; truth.json, for an annotated corpus, the labels. --write adds the answer in formats
of other programs, each in a folder of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .. import io
from ..annotations import check_can_write
from ..corpus.store import Corpus
from ..data.annotation import Annotation, Event, Span
from ..errors import InputError
from ..io.describe import decision_lines
from ..progress import Progress
from ..runs.folder import (
    PROPOSALS_FILE,
    SCORES_FILE,
    SPANS_FILE,
    SUMMARY_FILE,
    TRANSITIONS_FILE,
    check_answers_folder,
)
from ..runs.inputs import inputs_of
from ..runs.outputs import LocalizationResult, write_formats, write_result
from ..runs.predict import localize
from ..threads import choose_threads, computing_on
from .arguments import Positional
from .checks import (
    available_device,
    check_decoder,
    check_device_name,
    check_out_folder,
    check_unknown_below,
    is_corpus,
    localizer_spec,
)
from .common import DeviceArguments, plural
from .labels import written_lines
from .motion import READING, check_no_options

GROUPS = {
    "a corpus": ("split", "fold", "set"),
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
    write: tuple[str, ...] = ()
    """Write the answer in these formats too, such as elan and boris: one of `kinespan list labels` each."""
    people: Literal["together", "each"] | None = None
    """together: one answer for each recording; each: one for each person alone; by default each if the labels that the
    model was trained on name people."""
    decoder: str | None = None
    """How scores become proposals: one of `kinespan list decoders`; by default the model's own way."""
    unknown_below: float | None = None
    """Answer `unknown` where a segment scores less than this, 0 to 1; by default every segment has its label.
    `kinespan evaluate` shows what each threshold costs."""
    split: str | None = None
    """Localize the test recordings of this split."""
    fold: int = 1
    """Fold of the split."""
    set: str | None = None
    """Annotation set of the corpus that truth.json has the labels of; by default its only one."""


def run(arguments: LocalizeArguments, options: io.ReadOptions) -> int:
    """Localize and print the spans, or how many there are."""
    inputs, out = arguments.input, arguments.out
    corpora = [path for path in inputs if is_corpus(path)]
    _check(arguments, corpora, options)
    localizer_spec(arguments.model)
    motion = inputs_of(corpora[0] if corpora else inputs, arguments.split, arguments.fold, options, arguments.set)
    if corpora and arguments.set is None and len(sets := Corpus.open(corpora[0]).sets) > 1:
        print(f"{len(sets)} annotation sets, and none is chosen: no truth.json; --set NAME writes one")
    recordings = list(motion.recordings)  # a file that cannot be read is told before a model is loaded

    from ..runs.load import load_model

    model = load_model(arguments.model, available_device(arguments.device), arguments.precision)
    out.mkdir(parents=True, exist_ok=True)
    threads = choose_threads(arguments.threads)
    print(threads, file=sys.stderr)
    with computing_on(threads.count), Progress("localizing", len(recordings)) as progress:
        result = localize(
            model,
            recordings,
            people=arguments.people,
            decoder=arguments.decoder,
            unknown_below=arguments.unknown_below,
            details=motion.details,
            progress=progress.update,
        )
    write_result(result, out, motion.truth)
    for line in () if corpora else decision_lines(recordings):
        print(line)
    _print(result, out)
    written = write_formats(result.segmentation, result.clocks, out, arguments.write)
    for line in written_lines(written, out):
        print(line)
    return 0


def _check(arguments: LocalizeArguments, corpora: Sequence[Path], options: io.ReadOptions) -> None:
    """Raise InputError for arguments that do not fit each other, or what is on disk."""
    if corpora and len(arguments.input) > 1:
        raise InputError(f"{corpora[0]}: give a corpus alone, or motion files only")
    if corpora:
        check_no_options(options, "a corpus")
    if arguments.split is not None and not corpora:
        raise InputError("--split applies to a corpus only; motion files are all localized")
    if arguments.set is not None and not corpora:
        raise InputError(f"--set {arguments.set}: it chooses among the labels of a corpus; motion files have none")
    check_decoder(arguments.decoder)
    check_unknown_below(arguments.unknown_below)
    for format in arguments.write:
        check_can_write(format)
    check_device_name(arguments.device)
    check_out_folder(arguments.out)
    check_answers_folder(arguments.out, arguments.overwrite)


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
