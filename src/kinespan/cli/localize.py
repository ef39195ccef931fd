"""Find the actions in recordings: files of any format that kinespan reads, or a corpus.

Writes predictions.json (ActivityNet), spans.csv, scores.npz and, where an annotated corpus is given, truth.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..errors import InputError
from .arguments import Positional
from .checks import (
    available_device,
    check_decoder,
    check_device_name,
    check_out_folder,
    is_corpus,
    localizer_spec,
    make_folder,
    open_corpus,
)
from .common import DeviceArguments

if TYPE_CHECKING:
    from ..data.predictions import Truth
    from ..data.recording import Recording
    from ..runs.outputs import LocalizationResult

GROUPS = {
    "a corpus": ("split", "fold"),
    "motion files": ("fps", "skip_frames"),
    "device": ("device", "precision"),
}
MAX_PRINTED_SPANS = 20


@dataclass(frozen=True, kw_only=True)
class LocalizeArguments(DeviceArguments):
    """Which model, which motion, how."""

    model: Positional[Path]
    """model file, or folder of a finetuning run"""
    input: Positional[tuple[Path, ...]]
    """motion files or folders of them, or one corpus"""
    out: Path
    """folder to write to"""
    people: Literal["together", "each"] = "together"
    """one result for a recording, or for each person"""
    decoder: str | None = None
    """how scores become spans, one of `kinespan list decoders`; by default the model's own way"""
    split: str | None = None
    """localize the test recordings of this split"""
    fold: int = 1
    """fold of the split"""
    fps: float | None = None
    """frames per second, in place of the file's own"""
    skip_frames: int = 0
    """leading frames to drop, such as a T-pose"""


class Motion(NamedTuple):
    """Recordings to localize, what predictions.json says of where they are from, and their ground truth, if any."""

    recordings: list[Recording]
    details: dict[str, Any]
    truth: Truth | None = None


def run(arguments: LocalizeArguments) -> int:
    """Localize and print the spans, or how many there are."""
    inputs, out = arguments.input, arguments.out
    corpora = [path for path in inputs if is_corpus(path)]
    if corpora and len(inputs) > 1:
        raise InputError(f"{corpora[0]} is a corpus: localize it alone, or give motion files only")
    if arguments.split is not None and not corpora:
        raise InputError("--split is for a corpus; files are all localized")
    check_decoder(arguments.decoder)
    check_device_name(arguments.device)
    check_out_folder(out)
    localizer_spec(arguments.model)
    motion = _read_corpus(corpora[0], arguments) if corpora else _read_files(inputs, arguments)

    from ..annotations.activitynet import write_truth
    from ..progress import Progress
    from ..runs.folder import TRUTH_FILE
    from ..runs.load import load_model
    from ..runs.outputs import write_result
    from ..runs.predict import localize

    model = load_model(arguments.model, available_device(arguments.device), arguments.precision)
    make_folder(out)
    with Progress("localizing", len(motion.recordings)) as progress:
        outcome = localize(
            model,
            motion.recordings,
            people=arguments.people,
            decoder=arguments.decoder,
            details=motion.details,
            progress=progress.update,
        )
    write_result(outcome, out)
    if motion.truth is not None:
        write_truth(motion.truth, out / TRUTH_FILE)
    _print(outcome, out)
    return 0


def _read_files(paths: Sequence[Path], arguments: LocalizeArguments) -> Motion:
    """The recordings in files and folders. Raises InputError, naming the file, for one that cannot be read."""
    from .. import io

    options = io.ReadOptions(fps=arguments.fps, skip_frames=arguments.skip_frames)
    files: list[Path] = []
    for path in paths:
        files += [file for file, _ in io.find_files(path)] if path.is_dir() else [path]
    recordings = [io.read(file, options=options).recording for file in files]
    sources = {recording.name: str(file.resolve()) for recording, file in zip(recordings, files, strict=True)}
    return Motion(recordings, {"files": sources, "read": {"fps": options.fps, "skip_frames": options.skip_frames}})


def _read_corpus(path: Path, arguments: LocalizeArguments) -> Motion:
    """The recordings of a corpus, or the test recordings of a fold."""
    from ..corpus.training_set import corpus_parts
    from ..runs.predict import corpus_truth

    corpus = open_corpus(path)
    fold = corpus_parts(corpus, arguments.split, arguments.fold)
    annotated = corpus.labels is not None and any(corpus.annotation(name) is not None for name in fold.test)
    truth = corpus_truth(corpus, fold.test, fold.drop_labels) if annotated else None
    details: dict[str, Any] = {"corpus": str(path.resolve())}
    if arguments.split is not None:
        details |= {"split": arguments.split, "fold": arguments.fold, "part": "test"}
    return Motion([corpus[name] for name in fold.test], details, truth)


def _print(outcome: LocalizationResult, out: Path) -> None:
    """The segmentation of a single recording, else the number of spans."""
    segmentation = outcome.predictions.segmentation or {}
    if len(segmentation) == 1:
        ((name, spans),) = segmentation.items()
        print(f"{name}: {len(spans)} actions")
        for span in spans[:MAX_PRINTED_SPANS]:
            print(f"  {span.start:8.2f} s to {span.end:8.2f} s  {span.label}  ({span.score:.2f})")
        if len(spans) > MAX_PRINTED_SPANS:
            print(f"  and {len(spans) - MAX_PRINTED_SPANS} more")
    else:
        print(f"{sum(map(len, segmentation.values()))} actions in {len(segmentation)} recordings")
    print(f"written to {out}: predictions.json, spans.csv, scores.npz")
