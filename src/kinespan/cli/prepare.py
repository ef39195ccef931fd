"""Read motion files into a corpus: frames in one memory-mapped file, an index, annotations and splits.

SOURCE is a file or a folder, or the word `synthetic` for the built-in corpus. A public data set is read as it is handed
out, with its labels and official splits, by `--recipe NAME --raw DIR` in place of SOURCE. A file that cannot be used is
left out and named with the reason. Stopped by Ctrl-C or a crash, the same command goes on where it was.
"""

from __future__ import annotations

import sys
from argparse import SUPPRESS
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from jsonargparse import ArgumentParser, Namespace

from ..errors import InputError

if TYPE_CHECKING:
    from ..corpus.recipes import Recipe
    from ..corpus.summary import PrepareSummary
    from ..progress import Progress


def add_arguments(parser: ArgumentParser) -> None:
    """The command's arguments for a user's own files."""
    from ..corpus.recipes import RECIPES
    from ..io import READERS

    parser.add_argument("source", type=str, help="folder or file to read, or 'synthetic'")
    parser.add_argument(
        "--recipe",
        type=str | None,
        help=f"public data set, read from --raw DIR in place of SOURCE: {', '.join(RECIPES)}; "
        "--recipe NAME --help shows its options",
    )
    _add_common(parser)
    formats = Literal.__getitem__(("auto", *READERS))
    parser.add_argument("--format", type=formats, default="auto", help="format of the files; auto looks into them")
    parser.add_argument("--annotations", type=str | None, help="ActivityNet JSON, or CSV recording,label,start,end")
    reading = "how to read files that do not say, or say it wrongly"
    group = parser.add_argument_group(reading)
    group.add_argument("--fps", type=float | None, help="frames a second, in place of the file's own")
    group.add_argument("--skip_frames", type=int, default=0, help="leading frames to drop, such as a T-pose")
    group.add_argument("--unit", type=float | None, help="metres per unit of the file")
    group.add_argument("--up", type=Literal["x", "y", "z"] | None, help="axis of the file that points up")
    group.add_argument("--asf", type=str | None, help="Acclaim skeleton for AMC files; by default the one beside")
    group.add_argument(
        "--body_model", type=str | None, help="SMPL-H body (.npz or its folder) for AMASS files; by default one near"
    )
    group.add_argument(
        "--min_label_frames", type=int, default=0, help="shorter runs of a frame label join the longer neighbour"
    )
    splits = parser.add_argument_group("how the corpus is split into folds that test on people not trained on")
    splits.add_argument(
        "--group",
        type=str | None,
        help="what keeps recordings together: an attribute, or a regular expression on their names "
        "whose first bracket is the person; by default what the files state, else each recording alone",
    )
    splits.add_argument("--folds", type=int, default=4, help="number of folds")
    made = parser.add_argument_group("the built-in corpus (SOURCE synthetic)")
    made.add_argument("--recordings", type=int, default=72, help="number of recordings")
    made.add_argument("--seed", type=int, default=0, help="seed of the motion, and of the folds of your own")


def add_arguments_for(parser: ArgumentParser, words: Sequence[str]) -> None:
    """The command's arguments: those of the recipe that the words name, else those for a user's own files.

    Raises InputError for an unknown recipe.
    """
    name = _recipe_named(words)
    if name is None:
        add_arguments(parser)
        return
    from ..corpus.recipes import RECIPES

    recipe = RECIPES[name]
    about = " ".join((recipe.__doc__ or "").split())
    parser.description = f"{recipe.title}: {about}\n\n{recipe.paper}\nTerms: {recipe.licence}"
    parser.add_argument("--recipe", type=str, required=True, help="public data set by name")
    parser.add_argument("--raw", type=str, required=True, help="folder of the data set as it is handed out")
    _add_common(parser)
    parser.add_argument("source", nargs="?", help=SUPPRESS)  # to say that it is not for a recipe
    _add_options(parser.add_argument_group(f"how {name} is read"), recipe)


def run(arguments: Namespace) -> int:
    """Prepare and print the summary."""
    out = Path(arguments.out)
    if arguments.workers is not None and arguments.workers < 1:
        raise InputError(f"--workers {arguments.workers}: expected 1 or more")
    if out.exists() and not arguments.overwrite:
        raise InputError(f"--out {out}: exists already; name another folder, or replace it by --overwrite")
    bar: list[Progress] = []

    def show(done: int, total: int) -> None:
        from ..progress import Progress

        if not bar:
            bar.append(Progress("preparing", total).__enter__())
            bar[0].begin_at(done - 1)
        bar[0].update(done, f"after {done - 1} of an earlier run" if done > 1 and not bar[0].done else "")

    try:
        summary = (_from_recipe if arguments.recipe else _from_source)(arguments, out, show)
    except KeyboardInterrupt:
        partial = out.with_name(out.name + ".partial")
        if not partial.is_dir():
            raise
        print(f"kinespan: stopped; {partial} keeps what was read, the same command goes on", file=sys.stderr)
        return 130
    finally:
        for one in bar:
            one.__exit__(None, None, None)
    print(summary)
    return 0


def _from_source(arguments: Namespace, out: Path, show: Any) -> PrepareSummary:
    """The user's own files, or the built-in corpus."""
    from ..corpus.prepare import prepare, prepare_synthetic
    from ..corpus.splitting import SplitRule
    from ..corpus.synthetic import SyntheticConfig
    from ..io import ReadOptions

    if arguments.source == "synthetic":
        config = SyntheticConfig(recordings=arguments.recordings, seed=arguments.seed)
        return prepare_synthetic(
            out, config, arguments.name or "synthetic", progress=show, overwrite=arguments.overwrite
        )
    options = ReadOptions(
        fps=arguments.fps,
        skip_frames=arguments.skip_frames,
        unit=arguments.unit,
        up=arguments.up,
        asf=None if arguments.asf is None else Path(arguments.asf),
        min_label_frames=arguments.min_label_frames,
        body_model=None if arguments.body_model is None else Path(arguments.body_model),
    )
    return prepare(
        arguments.source,
        out,
        arguments.format,
        arguments.annotations,
        options,
        arguments.name,
        show,
        arguments.overwrite,
        arguments.workers,
        SplitRule(arguments.group, arguments.folds, arguments.seed),
    )


def _from_recipe(arguments: Namespace, out: Path, show: Any) -> PrepareSummary:
    """A public data set."""
    from ..corpus.prepare import prepare_recipe
    from ..corpus.recipes import RECIPES

    if arguments.source is not None:
        raise InputError(
            f"{arguments.source!r} beside --recipe: a recipe reads the folder that --raw names, and no other"
        )
    kind = RECIPES[arguments.recipe]
    given = {one.name: arguments[one.name] for one in fields(kind)}  # type: ignore[arg-type]
    recipe = kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})
    return prepare_recipe(recipe, arguments.raw, out, arguments.name, show, arguments.overwrite, arguments.workers)


# ---- flags -----------------------------------------------------------------------------------------------------


def _add_common(parser: ArgumentParser) -> None:
    parser.add_argument("--out", type=str, required=True, help="folder of the corpus to write")
    parser.add_argument("--name", type=str | None, help="name of the corpus; by default that of its folder")
    parser.add_argument("--overwrite", action="store_true", help="replace a corpus that is there")
    parser.add_argument("--workers", type=int | None, help="processes that read; by default one a core where it pays")


def _add_options(group: Any, recipe: type[Recipe]) -> None:
    """A flag for each field of a recipe. A pair takes two words, a truth value none or one."""
    about = option_texts(recipe)
    hints = get_type_hints(recipe)
    for one in fields(recipe):  # type: ignore[arg-type]
        flag, kind = f"--{one.name}", hints[one.name]
        given: dict[str, Any] = {"default": one.default, "help": about.get(one.name, "")}
        if kind in (tuple[str, str], tuple[str, str] | None):
            group.add_argument(flag, nargs=2, type=str, **given)
        elif kind is bool:
            group.add_argument(flag, nargs="?", const=True, type=bool, **given)
        else:
            group.add_argument(flag, type=kind, **given)


def option_texts(recipe: type[Recipe]) -> dict[str, str]:
    """The docstring under each field of a recipe, also of those that it inherits, in one line each."""
    from docstring_parser import parse_from_object

    texts: dict[str, str] = {}
    for kind in reversed(recipe.__mro__):
        if is_dataclass(kind):
            for part in parse_from_object(kind).params:
                texts[part.arg_name] = " ".join((part.description or "").split())
    return texts


def _recipe_named(words: Sequence[str]) -> str | None:
    """The recipe that the words of the command line name, if any."""
    for at, word in enumerate(words):
        if word == "--recipe" and at + 1 < len(words) and not words[at + 1].startswith("-"):
            return words[at + 1]
        if word.startswith("--recipe="):
            return word.removeprefix("--recipe=")
    return None
