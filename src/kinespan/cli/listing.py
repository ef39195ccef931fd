"""Print what there is: methods, encoders, recipes, readers, skeletons, with their options, sizes and papers.

The tables of docs/catalogue.md are the same rows, printed by kinespan list all --markdown.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Literal, NamedTuple

from jsonargparse import ArgumentParser, Namespace


class Listing(NamedTuple):
    """A table of parts: the names of its columns, and a row a part."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def add_arguments(parser: ArgumentParser) -> None:
    """The command's arguments."""
    kinds = Literal["methods", "encoders", "recipes", "readers", "skeletons", "all"]
    parser.add_argument("what", type=kinds, nargs="?", default="all", help="what to list")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables, as the docs have them")


def run(arguments: Namespace) -> int:
    """Print the tables."""
    wanted = list(LISTINGS) if arguments.what == "all" else [arguments.what]
    show = as_markdown if arguments.markdown else as_text
    print("\n".join(show(kind, LISTINGS[kind]()) for kind in wanted), end="")
    return 0


def methods() -> Listing:
    """Pretraining methods, with the settings of their own."""
    from ..pretrain import METHODS

    rows = []
    for name in METHODS:
        method: Any = METHODS[name]
        rows.append((name, _about(method), _options(method.Options), METHODS.paper(name)))
    return Listing(("method", "what it does", "options", "paper"), rows)


def encoders() -> Listing:
    """Encoders, with their parameters on the 25 joints of NTU RGB+D and one stream."""
    import torch

    from ..encoders import ENCODERS, build_encoder
    from ..skeletons import NTU_25

    rows = []
    for name in ENCODERS:
        with torch.device("meta"):
            encoder = build_encoder(name, NTU_25, 3)
        count = sum(part.numel() for part in encoder.parameters())
        levels = ", ".join("T" if stride == 1 else f"T/{stride}" for stride in encoder.strides)
        rows.append((name, _about(ENCODERS[name]), f"{count / 1e6:.2f} M", levels, ENCODERS.paper(name)))
    return Listing(("encoder", "what it is", "parameters", "resolutions", "paper"), rows)


def recipes() -> Listing:
    """Data sets, with the options of their preparation."""
    from ..corpus.recipes import RECIPES

    kinds = [(name, RECIPES[name]) for name in RECIPES]
    rows = [(name, kind.title, _options(kind), kind.licence, kind.paper) for name, kind in kinds]
    return Listing(("recipe", "data set", "options", "terms", "paper"), rows)


def readers() -> Listing:
    """File formats."""
    from ..io import READERS

    rows = [(name, READERS[name].about, " ".join(READERS[name].suffixes)) for name in READERS]
    return Listing(("reader", "what it reads", "suffixes"), rows)


def skeletons() -> Listing:
    """Skeletons that recordings can be mapped to."""
    from ..skeletons import SKELETONS

    kinds = [(name, SKELETONS[name]) for name in SKELETONS]
    rows = [(name, str(skeleton.num_joints), ", ".join(skeleton.joints)) for name, skeleton in kinds]
    return Listing(("skeleton", "number", "joints"), rows)


LISTINGS: dict[str, Callable[[], Listing]] = {
    "methods": methods,
    "encoders": encoders,
    "recipes": recipes,
    "readers": readers,
    "skeletons": skeletons,
}


def as_text(kind: str, listing: Listing, width: int = 100) -> str:
    """A listing for a terminal: a paragraph a part, its facts beneath its name."""
    lines = [kind.upper()]
    names = max(map(len, listing.columns))
    for name, *facts in listing.rows:
        lines.append(f"  {name}")
        for column, fact in zip(listing.columns[1:], facts, strict=True):
            if fact:
                start = f"    {column:<{names}}  "
                lines += textwrap.wrap(fact, width, initial_indent=start, subsequent_indent=" " * len(start))
    return "\n".join(lines) + "\n"


def as_markdown(kind: str, listing: Listing) -> str:
    """A listing as a Markdown table under a heading."""
    lines = [f"## {kind.capitalize()}", "", _row(listing.columns), "|---" * len(listing.columns) + "|"]
    lines += [_row((f"`{name}`", *facts)) for name, *facts in listing.rows]
    return "\n".join([*lines, ""]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _about(part: object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(part) or "").split("\n\n")[0].split()).rstrip(".")


def _options(kind: Any) -> str:
    """The fields of a dataclass and their defaults."""
    made = kind()
    return ", ".join(f"{part.name}={getattr(made, part.name)}" for part in fields(kind))
