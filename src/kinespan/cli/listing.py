"""List methods, encoders, recipes, readers, skeletons, decoders and rules, with their options, sizes and papers.

Those of plug-ins are among them. docs/research/catalogue.md is what kinespan list all --markdown prints.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from .arguments import Positional
from .help import shown


class Listing(NamedTuple):
    """A table: how its entries are named to a command, the names of the columns, and a row for each entry."""

    usage: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


Kind = Literal["methods", "encoders", "recipes", "readers", "skeletons", "decoders", "rules", "all"]


@dataclass(frozen=True, kw_only=True)
class ListArguments:
    """What to list, and how."""

    what: Positional[Kind] = "all"
    """what to list: methods, encoders, recipes, readers, skeletons, decoders, rules, or all"""
    markdown: bool = False
    """print Markdown tables, as the docs have them"""


def run(arguments: ListArguments) -> int:
    """Print the tables."""
    kinds = list(LISTINGS) if arguments.what == "all" else [arguments.what]
    layout = as_markdown if arguments.markdown else as_text
    tables = [layout(kind, LISTINGS[kind]()) for kind in kinds]
    heading = [CATALOGUE] if arguments.markdown and arguments.what == "all" else []
    print("\n".join([*heading, *tables]), end="")
    return 0


CATALOGUE = """# What there is

What `kinespan list` prints, as tables. Sizes are those on NTU's 25 joints with one stream of three channels. An option
stands with its default, and with what else it may be; one without a value is not set. `kinespan prepare --recipe NAME
--help` explains those of a recipe.
"""


def methods() -> Listing:
    """Pretraining methods, with the settings of their own."""
    from ..methods import METHODS

    rows = []
    for name in METHODS:
        method: Any = METHODS[name]
        rows.append((name, _about(method), _options(method.Options, "--options."), METHODS.paper(name)))
    usage = "kinespan pretrain CORPUS --method NAME [--snippets aligned|paper|off]"
    return Listing(usage, ("method", "what it does", "options", "paper"), rows)


def encoders() -> Listing:
    """Encoders, with their parameters on the 25 joints of NTU RGB+D and one stream."""
    import torch

    from ..data.skeletons import NTU_25
    from ..encoders import ENCODERS, build_encoder

    rows = []
    for name in ENCODERS:
        with torch.device("meta"):
            encoder = build_encoder(name, NTU_25, 3)
        count = sum(weight.numel() for weight in encoder.parameters())
        levels = ", ".join("T" if stride == 1 else f"T/{stride}" for stride in encoder.strides)
        about = re.sub(r"[,;] \S+( \S+)? parameters$", "", _about(ENCODERS[name]))  # they are counted in a column
        rows.append((name, about, f"{count / 1e6:.2f} M", levels, ENCODERS.paper(name)))
    usage = "kinespan pretrain CORPUS --encoder NAME; also finetune and recognize, where nothing is pretrained"
    return Listing(usage, ("encoder", "what it is", "parameters", "resolutions", "paper"), rows)


def recipes() -> Listing:
    """Data sets, with the options of their preparation."""
    from ..prepare.recipes import RECIPES

    kinds = [(name, RECIPES[name]) for name in RECIPES]
    rows = [(name, kind.title, _options(kind), kind.licence, kind.paper) for name, kind in kinds]
    usage = "kinespan prepare --recipe NAME --raw DIR --out CORPUS"
    return Listing(usage, ("recipe", "data set", "options", "terms", "paper"), rows)


def readers() -> Listing:
    """File formats."""
    from ..io import READERS

    rows = [(name, READERS[name].about, " ".join(READERS[name].suffixes)) for name in READERS]
    usage = "kinespan prepare FOLDER --out CORPUS; files are known by their content, --format NAME says it"
    return Listing(usage, ("reader", "what it reads", "suffixes"), rows)


def skeletons() -> Listing:
    """Skeletons that recordings can be mapped to."""
    from ..data.skeletons import SKELETONS

    kinds = [(name, SKELETONS[name]) for name in SKELETONS]
    rows = [(name, str(skeleton.num_joints), ", ".join(skeleton.joints)) for name, skeleton in kinds]
    usage = "kinespan pretrain CORPUS --network.skeleton NAME; in an npz file: skeleton"
    return Listing(usage, ("skeleton", "number", "joints"), rows)


def decoders() -> Listing:
    """Ways from frame scores to spans: all settings of ours, and in which the others differ."""
    from ..decode import DecodeConfig
    from ..decode.presets import DECODERS

    rows, ours = [], DecodeConfig()
    for name in DECODERS:
        decoder = DECODERS[name]
        values = {field.name: getattr(decoder, field.name) for field in fields(decoder)}
        if decoder != ours:
            values = {setting: value for setting, value in values.items() if value != getattr(ours, setting)}
        settings = "; ".join(f"{setting} {shown(value)}" for setting, value in values.items() if value != ())
        rows.append((name, settings, DECODERS.paper(name) or "ours"))
    usage = (
        "kinespan localize MODEL FILES --decoder NAME; also evaluate. Shown is in what the others differ from kinespan"
    )
    return Listing(usage, ("decoder", "settings", "paper"), rows)


def rules() -> Listing:
    """Rules of mean average precision."""
    from ..metrics import RULE_FACTS, RULE_TIOUS, RULES

    rows = [(name, RULE_FACTS[name][0], shown(RULE_TIOUS[name]), RULE_FACTS[name][1]) for name in RULES]
    return Listing("kinespan evaluate MODEL CORPUS --rule NAME", ("rule", "what it counts", "tIoU", "paper"), rows)


LISTINGS: dict[str, Callable[[], Listing]] = {
    "methods": methods,
    "encoders": encoders,
    "recipes": recipes,
    "readers": readers,
    "skeletons": skeletons,
    "decoders": decoders,
    "rules": rules,
}


def as_text(kind: str, listing: Listing, width: int = 100) -> str:
    """A listing for a terminal: a paragraph for each entry, its facts beneath its name."""
    lines = [kind.upper(), f"  ({listing.usage})"]
    names = max(map(len, listing.columns))
    for name, *facts in listing.rows:
        lines.append(f"  {name}")
        for column, fact in zip(listing.columns[1:], facts, strict=True):
            if fact:
                start = f"    {column:<{names}}  "
                lines += textwrap.wrap(
                    fact, width, initial_indent=start, subsequent_indent=" " * len(start), break_on_hyphens=False
                )
    return "\n".join(lines) + "\n"


def as_markdown(kind: str, listing: Listing) -> str:
    """A listing as a Markdown table under a heading."""
    usage, semicolon, rest = listing.usage.partition(";")
    more = semicolon + rest
    lines = [
        f"## {kind.capitalize()}",
        "",
        f"`{usage}`{more}.",
        "",
        _row(listing.columns),
        "|---" * len(listing.columns) + "|",
    ]
    lines += [_row((f"`{name}`", *facts)) for name, *facts in listing.rows]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _about(entry: object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(entry) or "").split("\n\n")[0].split()).rstrip(".")


def _options(kind: Any, prefix: str = "--") -> str:
    """The fields of a dataclass as flags with their defaults, and what else each may be."""
    defaults, hints = kind(), get_type_hints(kind)
    flags = []
    for field in fields(kind):
        value = getattr(defaults, field.name)
        others = _other_choices(hints[field.name], value)
        default = "" if value is None or value is False else f" {shown(value)}"
        flags.append(f"{prefix}{field.name.replace('_', '-')}{default}{f' (or {others})' if others else ''}")
    return "; ".join(flags)


def _other_choices(hint: Any, value: object) -> str:
    """The values that a Literal allows, without one."""
    choices = get_args(hint) if get_origin(hint) is Literal else ()
    return ", ".join(str(choice) for choice in choices if choice != value)
