"""Read motion files into a corpus: frames in one memory-mapped file, an index, annotations and splits.

SOURCE is a file or a folder, or the word `synthetic` for the built-in corpus. A public data set is read as it is handed
out, with its labels and official splits, by `--recipe NAME --raw DIR` in place of SOURCE; `--recipe NAME --help` shows
its options and `kinespan list recipes` all names. A file that cannot be used is left out and named with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import InputError
from .arguments import Command, Positional

if TYPE_CHECKING:
    from ..prepare.recipes import Recipe

GROUPS = {
    "how to read files that do not say, or say it wrongly": (
        "fps", "skip_frames", "unit", "up", "asf", "body_model", "min_label_frames",
    ),
    "how the corpus is split into folds that test on people not trained on": ("group", "folds"),
    "the built-in corpus (SOURCE synthetic)": ("recordings", "seed"),
}  # fmt: skip
AFTER_STOP = "the same command continues"


@dataclass(frozen=True, kw_only=True)
class PrepareArguments:
    """The corpus to write."""

    out: Path
    """folder of the corpus to write"""
    name: str | None = None
    """name of the corpus; by default that of its folder"""
    overwrite: bool = False
    """replace a corpus that exists"""
    workers: int | None = None
    """processes that read; by default one for each core where it pays"""

    def check(self) -> None:
        """Raise InputError for an existing corpus that is not to be replaced, and for no worker."""
        if self.workers is not None and self.workers < 1:
            raise InputError(f"--workers {self.workers}: expected 1 or more")
        if self.out.exists() and not self.overwrite:
            raise InputError(f"--out {self.out}: exists already; name another folder, or replace it with --overwrite")


@dataclass(frozen=True, kw_only=True)
class OwnFiles(PrepareArguments):
    """Files of one's own, and how they are read."""

    source: Positional[str]
    """folder or file to read, or 'synthetic'"""
    recipe: str | None = None
    """public data set, read from --raw DIR in place of SOURCE"""
    format: str = "auto"
    """format of the files, one of `kinespan list readers`; auto looks into them"""
    annotations: Path | None = None
    """ActivityNet JSON, or CSV recording,label,start,end"""
    fps: float | None = None
    """frames per second, in place of the file's own"""
    skip_frames: int = 0
    """leading frames to drop, such as a T-pose"""
    unit: float | None = None
    """metres per unit of the file"""
    up: Literal["x", "y", "z"] | None = None
    """axis of the file that points up"""
    asf: Path | None = None
    """Acclaim skeleton for AMC files; by default the one next to them"""
    body_model: Path | None = None
    """SMPL-H body (.npz or its folder) for AMASS files; by default one nearby"""
    min_label_frames: int = 0
    """shorter runs of a frame label join the longer neighbour"""
    group: str | None = None
    """what keeps recordings together: an attribute, or a regular expression on their names whose first bracket is the
    person; by default what the files state, else each recording alone"""
    folds: int = 4
    """number of folds"""
    recordings: int = 72
    """number of recordings"""
    seed: int = 0
    """seed of the motion, and of the folds of your own"""


@dataclass(frozen=True, kw_only=True)
class DataSet(PrepareArguments):
    """A public data set."""

    recipe: str
    """public data set by name"""
    raw: Path
    """folder of the data set as it is handed out"""


def command(words: Sequence[str]) -> Command:
    """The command with the options of the recipe that the words name, else for files of one's own.

    Raises InputError for an unknown recipe.
    """
    name = _recipe_name(words)
    if name is None:
        return Command("prepare", prepare_files, (OwnFiles,), __doc__ or "", GROUPS, AFTER_STOP)
    from ..prepare.recipes import RECIPES

    recipe = RECIPES[name]
    about = f"{recipe.title}: {' '.join((recipe.__doc__ or '').split())}\n\n{recipe.paper}\n\nTerms: {recipe.licence}"
    return Command("prepare", prepare_data_set, (DataSet, recipe), about, {}, AFTER_STOP)


def prepare_files(arguments: OwnFiles) -> int:
    """Prepare files of one's own, or the built-in corpus, and print the summary."""
    arguments.check()

    from ..corpus.splitting import SplitRule
    from ..io import READERS, ReadOptions
    from ..prepare.prepare import prepare, prepare_synthetic
    from ..prepare.synthetic.takes import SyntheticConfig
    from ..progress import counting

    out, name = arguments.out, arguments.name
    if arguments.source == "synthetic":
        config = SyntheticConfig(recordings=arguments.recordings, seed=arguments.seed)
        with counting("preparing") as count:
            summary = prepare_synthetic(out, config, name or "synthetic", progress=count, overwrite=arguments.overwrite)
        print(summary)
        return 0
    if arguments.format != "auto":
        READERS[arguments.format]
    read = ("fps", "skip_frames", "unit", "up", "asf", "min_label_frames", "body_model")
    with counting("preparing") as count:
        summary = prepare(
            arguments.source,
            out,
            arguments.format,
            arguments.annotations,
            ReadOptions(**{option: getattr(arguments, option) for option in read}),
            name,
            count,
            arguments.overwrite,
            arguments.workers,
            SplitRule(arguments.group, arguments.folds, arguments.seed),
        )
    print(summary)
    return 0


def prepare_data_set(arguments: DataSet, recipe: Recipe) -> int:
    """Prepare a public data set and print the summary."""
    arguments.check()

    from ..prepare.prepare import prepare_recipe
    from ..progress import counting

    with counting("preparing") as count:
        summary = prepare_recipe(
            recipe, arguments.raw, arguments.out, arguments.name, count, arguments.overwrite, arguments.workers
        )
    print(summary)
    return 0


def _recipe_name(words: Sequence[str]) -> str | None:
    """The recipe that the words of the command line name, if any."""
    for index, word in enumerate(words):
        if word == "--recipe" and index + 1 < len(words) and not words[index + 1].startswith("-"):
            return words[index + 1]
        if word.startswith("--recipe="):
            return word.removeprefix("--recipe=")
    return None
