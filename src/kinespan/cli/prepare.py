"""Read motion files into a corpus: frames in one memory-mapped file, an index, annotations and splits.

SOURCE is a file or a folder, or the word `synthetic` for the built-in corpus. A public data set is read as it is
distributed, with its labels and official splits: give `--recipe NAME --raw DIR` in place of SOURCE. `--recipe NAME
--help` shows its options, and `kinespan list recipes` all data sets. A file that cannot be used is left out, and named
with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from ..corpus.splitting import SplitRule
from ..errors import InputError
from ..io import AUTO, READERS, ReadOptions
from ..prepare.adding import AddSummary, add_recordings
from ..prepare.labels import LabelSettings
from ..prepare.prepare import PrepareSummary, prepare, prepare_recipe, prepare_synthetic
from ..prepare.recipes import RECIPES, Recipe
from ..prepare.synthetic.takes import SyntheticConfig
from ..progress import counting
from .arguments import Command, Positional
from .motion import READING

GROUPS = {
    **READING,
    "labels of a file (--annotations)": ("tier", "unlabelled", "time", "offset", "match", "points"),
    "how recordings are split into folds": ("group", "folds", "seed"),
    "the built-in corpus (SOURCE synthetic)": ("recordings",),
}
AFTER_STOP = "the same command continues"


@dataclass(frozen=True, kw_only=True)
class PrepareArguments:
    """The corpus to write."""

    out: Path
    """Folder of the corpus to write."""
    name: str | None = None
    """Name of the corpus; by default that of its folder."""
    overwrite: bool = False
    """Replace an existing corpus."""
    workers: int | None = None
    """Processes that read; by default one for each core where there is much to read."""

    def check(self) -> None:
        """Raise InputError for an existing corpus that is not to be replaced, and for fewer than one worker."""
        if self.workers is not None and self.workers < 1:
            raise InputError(f"--workers {self.workers}: expected 1 or more")
        if self.out.exists() and not self.overwrite:
            raise InputError(f"--out {self.out}: exists already; name another folder, or replace it with --overwrite")


@dataclass(frozen=True, kw_only=True)
class FilesArguments(PrepareArguments):
    """Files of one's own."""

    source: Positional[str]
    """Folder or file to read, or `synthetic`."""
    recipe: str | None = None
    """Public data set, read from --raw DIR in place of SOURCE."""
    add: bool = False
    """Add recordings, and labels, to the corpus --out, which keeps all that it has."""
    set: str | None = None
    """Annotation set that gets the labels, with --add; needed where the corpus has several."""
    annotations: Path | None = None
    """Labels: a file of any format of `kinespan list labels`, such as a table with the columns
    recording,label,start,end, or a folder of files that are named after their recordings."""
    recordings: int = 72
    """Number of recordings; --seed is the seed of their motion too."""

    def check(self) -> None:
        """Raise InputError as other arguments do, and for --add with what makes a new corpus."""
        if not self.add:
            if self.set is not None:
                raise InputError(f"--set {self.set}: a new corpus has one set, labels; it is for --add")
            super().check()
            return
        for name, is_given in (("overwrite", self.overwrite), ("name", self.name), ("recipe", self.recipe)):
            if is_given:
                raise InputError(f"--{name}: it makes a new corpus, and --add keeps the one there is; give one of them")
        if self.source == "synthetic":
            raise InputError("--add: the built-in corpus is made as a whole; add motion files")


@dataclass(frozen=True, kw_only=True)
class RecipeArguments(PrepareArguments):
    """A public data set."""

    recipe: str
    """Name of the public data set."""
    raw: Path
    """Folder of the data set as it is distributed."""


def command(words: Sequence[str]) -> Command:
    """The command with the options of the recipe that the words name, else for files of one's own.

    Raises InputError for an unknown recipe.
    """
    name = _recipe_name(words)
    if name is None:
        kinds = (FilesArguments, ReadOptions, LabelSettings, SplitRule)
        return Command("prepare", prepare_files, kinds, __doc__ or "", GROUPS, AFTER_STOP)
    recipe = RECIPES[name]
    about = f"{recipe.title}: {' '.join((recipe.__doc__ or '').split())}\n\n{recipe.paper}\n\nTerms: {recipe.licence}"
    return Command("prepare", prepare_data_set, (RecipeArguments, recipe), about, {}, AFTER_STOP)


def prepare_files(arguments: FilesArguments, options: ReadOptions, labels: LabelSettings, split: SplitRule) -> int:
    """Prepare files of one's own, or the built-in corpus, and print the summary."""
    arguments.check()
    if arguments.annotations is None and labels != LabelSettings():
        names = [f"--{field.name}" for field in fields(labels) if getattr(labels, field.name) != field.default]
        raise InputError(f"{names[0]}: it is for the labels of a file; give the file by --annotations")
    out, name, overwrite = arguments.out, arguments.name, arguments.overwrite
    if options.format != AUTO:
        READERS[options.format]
    if arguments.add and split != SplitRule():
        raise InputError("--add: a corpus keeps its splits; add another one afterwards with kinespan split")
    with counting("preparing") as count:
        summary: PrepareSummary | AddSummary
        if arguments.add:
            summary = add_recordings(
                arguments.source,
                out,
                options.format,
                arguments.annotations,
                options,
                arguments.set,
                progress=count,
                workers=arguments.workers,
                labels=labels,
            )
        elif arguments.source == "synthetic":
            config = SyntheticConfig(recordings=arguments.recordings, seed=split.seed)
            summary = prepare_synthetic(out, config, name or "synthetic", progress=count, overwrite=overwrite)
        else:
            summary = prepare(
                arguments.source,
                out,
                options.format,
                arguments.annotations,
                options,
                name,
                progress=count,
                overwrite=overwrite,
                workers=arguments.workers,
                split=split,
                labels=labels,
            )
    print(summary)
    return 0


def prepare_data_set(arguments: RecipeArguments, recipe: Recipe) -> int:
    """Prepare a public data set and print the summary."""
    arguments.check()
    raw, out, name, overwrite = arguments.raw, arguments.out, arguments.name, arguments.overwrite
    with counting("preparing") as count:
        print(prepare_recipe(recipe, raw, out, name, progress=count, overwrite=overwrite, workers=arguments.workers))
    return 0


def _recipe_name(words: Sequence[str]) -> str | None:
    """The recipe that the words of the command line name, if any."""
    for flag, value in zip(words, [*words[1:], "--"], strict=False):
        if flag == "--recipe" and not value.startswith("-"):
            return value
        if flag.startswith("--recipe="):
            return flag.removeprefix("--recipe=")
    return None
