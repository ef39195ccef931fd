"""Find the actions in recordings: files of any format that kinespan reads, or a corpus.

Writes predictions.json (ActivityNet), spans.csv, scores.npz and, where an annotated corpus is given, truth.json.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jsonargparse import ArgumentParser, Namespace

from ..errors import InputError
from .common import add_precision, check_decoder, check_device, is_corpus, need_folder, open_corpus

if TYPE_CHECKING:
    from ..recording import Recording


def add_arguments(parser: ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("model", type=str, help="model file, or folder of a finetuning run")
    parser.add_argument("input", type=str, nargs="+", help="motion files or folders of them, or one corpus")
    parser.add_argument("--out", type=str, required=True, help="folder to write to")
    parser.add_argument("--split", type=str | None, help="corpus: localize the test recordings of this split")
    parser.add_argument("--fold", type=int, default=1, help="corpus: fold of the split")
    parser.add_argument(
        "--people", type=Literal["together", "each"], default="together", help="one result a recording, or a person"
    )
    parser.add_argument(
        "--decoder",
        type=str | None,
        help="how scores become spans, one of `kinespan list decoders`; default: the model's own way",
    )
    parser.add_argument("--fps", type=float | None, help="files: frames a second, in place of the file's own")
    parser.add_argument("--skip_frames", type=int, default=0, help="files: leading frames to drop, such as a T-pose")
    parser.add_argument("--device", type=str, default="cpu", help="device to compute on: cpu, cuda, mps")
    add_precision(parser)


def run(arguments: Namespace) -> int:
    """Localize and print the spans, or how many there are."""
    inputs = [Path(item) for item in arguments.input]
    corpora = [path for path in inputs if is_corpus(path)]
    if corpora and len(inputs) > 1:
        raise InputError(f"{corpora[0]} is a corpus: localize it alone, or give motion files only")
    if arguments.split is not None and not corpora:
        raise InputError("--split is for a corpus; files are all localized")
    check_decoder(arguments.decoder)

    from ..activitynet import write_truth
    from ..localizer import load_model
    from ..progress import Progress
    from ..results import TRUTH_FILE, localize_recordings, write_result

    model = load_model(arguments.model, check_device(arguments.device), arguments.precision)
    recordings, details, truth = _corpus(corpora[0], arguments) if corpora else _files(inputs, arguments)
    out = need_folder(Path(arguments.out))
    with Progress("localizing", len(recordings)) as progress:
        outcome = localize_recordings(
            model,
            recordings,
            people=arguments.people,
            decoder=arguments.decoder,
            details=details,
            progress=progress.update,
        )
    write_result(outcome, out)
    if truth is not None:
        write_truth(truth, out / TRUTH_FILE)
    _tell(outcome, out)
    return 0


def _files(paths: list[Path], arguments: Namespace) -> tuple[list[Recording], dict[str, Any], None]:
    """The recordings in files and folders; a file that cannot be read ends the command and is named."""
    from .. import io

    options = io.ReadOptions(fps=arguments.fps, skip_frames=arguments.skip_frames)
    files = []
    for path in paths:
        files += [file for file, _ in io.find_files(path)] if path.is_dir() else [path]
    recordings = [io.read(file, options=options).recording for file in files]
    sources = {recording.name: str(file.resolve()) for recording, file in zip(recordings, files, strict=True)}
    return recordings, {"files": sources, "read": {"fps": options.fps, "skip_frames": options.skip_frames}}, None


def _corpus(path: Path, arguments: Namespace) -> tuple[list[Recording], dict[str, Any], Any]:
    """The recordings of a corpus, or of a fold's test part, and their truth where they are annotated."""
    from ..results import corpus_truth
    from ..train.corpora import corpus_parts

    corpus = open_corpus(path)
    fold = corpus_parts(corpus, arguments.split, arguments.fold)
    names = fold.test
    annotated = corpus.labels is not None and any(corpus.annotation(name) is not None for name in names)
    truth = corpus_truth(corpus, names, fold.drop_labels) if annotated else None
    details: dict[str, Any] = {"corpus": str(path.resolve())}
    if arguments.split is not None:
        details |= {"split": arguments.split, "fold": arguments.fold, "part": "test"}
    return [corpus[name] for name in names], details, truth


def _tell(outcome: Any, out: Path, most: int = 20) -> None:
    """The segmentation of a single recording, else how many spans were found."""
    found = outcome.predictions.segmentation
    if len(found) == 1:
        ((name, spans),) = found.items()
        print(f"{name}: {len(spans)} actions")
        for span in spans[:most]:
            print(f"  {span.start:8.2f} s to {span.end:8.2f} s  {span.label}  ({span.score:.2f})")
        if len(spans) > most:
            print(f"  and {len(spans) - most} more")
    else:
        print(f"{sum(map(len, found.values()))} actions in {len(found)} recordings")
    print(f"written to {out}: predictions.json, spans.csv, scores.npz")
