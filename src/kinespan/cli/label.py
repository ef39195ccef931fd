"""Label a corpus in the browser: spans and events by mouse and keyboard, suggestions, training from what is labelled.

Everything is saved as it is done, in an annotation set of the corpus. Models that are trained on the page, their
predictions and the jobs are kept in a folder beside the corpus. Ctrl-C ends the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..corpus.set_rows import FIRST_SET, default_author
from ..data.annotation import LabelSet
from ..errors import InputError
from .arguments import Positional
from .checks import is_corpus
from .view import SERVER, ServerArguments, check_server, start

if TYPE_CHECKING:
    from ..corpus.annotation_sets import AnnotationSets

GROUPS = {**SERVER}


@dataclass(frozen=True, kw_only=True)
class LabelArguments(ServerArguments):
    """The corpus, the annotation set, and who labels."""

    corpus: Positional[Path]
    """Folder of a prepared corpus; it need not have any labels."""
    set: str | None = None
    """Annotation set to label in, by default the first; one that does not exist is made, with its labels."""
    author: str | None = None
    """Who labels, by default the user of this computer; a browser may say another."""
    runs: Path | None = None
    """Folder of models, predictions and jobs; by default CORPUS-runs beside the corpus."""


def run(arguments: LabelArguments) -> int:
    """Serve the page until Ctrl-C."""
    folder = arguments.corpus
    check_corpus(folder)
    runs = arguments.runs or folder.resolve().with_name(f"{folder.resolve().name}-runs")
    if runs.exists() and not runs.is_dir():
        raise InputError(f"--runs {runs}: is a file, expected a folder of runs")
    if arguments.author is not None and not arguments.author.strip():
        raise InputError("--author: is empty, expected a name")
    check_server(arguments, "kinespan label")

    from ..serve.opening import open_paths
    from ..serve.state import Page

    opened = open_paths([folder])
    assert opened.sets is not None
    author = arguments.author or default_author()
    set, line = chosen_set(opened.sets, arguments.set, author)
    print(line, flush=True)
    page = Page(opened.workspace, editable=True, author=author, sets=opened.sets, set=set, runs=runs)
    start(page, arguments)
    return 0


def check_corpus(folder: Path) -> None:
    """Raise InputError where a folder is no corpus, with the command that makes one of motion files."""
    if is_corpus(folder):
        return
    if not folder.exists():
        raise InputError(f"{folder}: no such folder; expected the folder of a corpus")
    name = folder.resolve().stem
    corpus = folder.with_name(f"{name}-corpus") if folder.name else Path(f"../{name}-corpus")
    raise InputError(
        f"{folder}: motion, not a corpus; labels are kept in a corpus: kinespan prepare {folder} --out {corpus}, then "
        f"kinespan label {corpus}. To look at it without labelling: kinespan view {folder}"
    )


def chosen_set(sets: AnnotationSets, name: str | None, author: str) -> tuple[str, str]:
    """The annotation set to label in, made where it does not exist, and a line that says which it is."""
    infos = sets.infos
    names = [info.name for info in infos]
    if name in names or (name is None and names):
        chosen = name or names[0]
        others = "" if len(names) == 1 else f", of {len(names)}: {', '.join(names)}; --set NAME chooses another"
        return chosen, f"labelling in annotation set {chosen} as {author}{others}"
    chosen = name or FIRST_SET
    sets.create(chosen, infos[0].labels if infos else LabelSet(()), author=author)
    after = f", with the labels of {names[0]}" if names else ", without labels so far"
    return chosen, f"labelling in annotation set {chosen} as {author}: made just now{after}"
