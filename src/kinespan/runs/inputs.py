"""What is localized: the recordings of a corpus, or of motion files, with what the answers keep of their source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..corpus.splits import without_labels
from ..corpus.store import INDEX_FILE, Corpus
from ..corpus.training_set import corpus_parts, set_fact
from ..data.annotation import Annotation
from ..data.predictions import Truth
from ..data.recording import Recording
from ..errors import InputError
from ..io import ReadOptions, find_files, overrides_fps, read

Source = Iterable[Recording | str | Path] | Recording | str | Path
"""A corpus or its folder, Recordings, motion files and folders of them; one or several."""


@dataclass
class Inputs:
    """Recordings, one after the other; files are read when their turn comes."""

    recordings: Iterable[Recording]
    details: dict[str, Any] = field(default_factory=dict)
    """Facts that answers keep of the source; ``files``, the path of each recording, grows as they are read."""
    truth: Truth | None = None
    """The labels, of a corpus that has some."""


def inputs_of(
    source: Source,
    split: str | None = None,
    fold: int = 1,
    options: ReadOptions | None = None,
    set: str | None = None,
) -> Inputs:
    """The inputs that a source names; `split` and `fold` choose the test recordings of a corpus.

    set: the annotation set that is the truth, by default the only one; of several none. Raises InputError for a split
    or set of motion files, an unknown split or set, and a missing file.
    """
    if isinstance(source, str | Path) and (Path(source) / INDEX_FILE).is_file():
        source = Corpus.open(source, set)
    if isinstance(source, Corpus):
        return _of_corpus(source.with_set(set), split, fold)
    if set is not None:
        raise InputError(f"set {set!r}: these are motion files or recordings, not a corpus, which has annotation sets")
    if split is not None:
        raise InputError(f"split {split!r}: these are motion files or recordings, not a corpus, which has splits")
    options = options or ReadOptions()
    items: list[Recording | tuple[Path, str]] = []
    for item in (source,) if isinstance(source, Recording | str | Path) else source:
        items += [item] if isinstance(item, Recording) else find_files(item, options.format)
    override_fps = overrides_fps([item for item in items if not isinstance(item, Recording)])
    details: dict[str, Any] = {"files": {}, "read": options.given(), "override_fps": override_fps}
    has_files = any(not isinstance(item, Recording) for item in items)
    return Inputs(_in_turn(items, options, override_fps, details["files"]), details if has_files else {})


def _of_corpus(corpus: Corpus, split: str | None, fold: int) -> Inputs:
    sides = corpus_parts(corpus, split, fold)
    details: dict[str, Any] = {"corpus": str(corpus.path.resolve())}
    if split is not None:
        details |= {"split": split, "fold": fold, "part": "test"}
    details |= set_fact(corpus)
    annotated = corpus.set is not None and any(corpus.annotation(name) is not None for name in sides.test)
    truth = corpus_truth(corpus, sides.test, sides.drop_labels) if annotated else None
    return Inputs((corpus[name] for name in sides.test), details, truth)


def _in_turn(
    items: Sequence[Recording | tuple[Path, str]], options: ReadOptions, override_fps: bool, files: dict[str, str]
) -> Iterator[Recording]:
    for item in items:
        if isinstance(item, Recording):
            yield item
            continue
        file, format = item
        recording = read(file, format, options, override_fps=override_fps).recording
        files[recording.name] = str(file.resolve())
        yield recording


def corpus_truth(corpus: Corpus, names: Sequence[str], dropped: tuple[str, ...] = ()) -> Truth:
    """The truth of annotated recordings of a corpus. Raises InputError where there are no labels."""
    if corpus.labels is None:
        raise InputError(f"corpus {corpus.name!r} has no labels to evaluate against")
    annotations: dict[str, Annotation] = {}
    for name in names:
        annotation = corpus.annotation(name, drop=dropped)
        if annotation is not None:
            annotations[name] = annotation
    if not annotations:
        raise InputError(f"corpus {corpus.name!r}: none of the {len(names)} recordings is annotated")
    infos = {name: corpus.infos[corpus.index(name)] for name in annotations}
    durations = {name: info.duration for name, info in infos.items()}
    rates = {name: info.fps for name, info in infos.items()}
    people = {name: corpus[name].people for name, annotation in annotations.items() if annotation.people}
    return Truth(annotations, without_labels(corpus.labels, dropped), durations, rates, people=people)
