"""List methods, encoders, recipes, readers, writers, formats of labels, skeletons, decoders and rules, with options.

Plug-ins are listed too. `kinespan list all --markdown` prints docs/research/catalogue.md.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from ..annotations import FORMATS
from ..data.skeletons import NTU_25, SKELETONS
from ..decode import DecodeConfig
from ..decode.presets import DECODERS
from ..io import READERS, WRITERS
from ..metrics import RULE_FACTS, RULE_TIOUS, RULES
from ..prepare.recipes import RECIPES
from .arguments import Positional
from .help import shown


class Listing(NamedTuple):
    """A table: how its entries are named to a command, the names of the columns, and a row for each entry."""

    usage: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


Kind = Literal[
    "methods", "encoders", "recipes", "readers", "writers", "labels", "skeletons", "decoders", "rules", "all"
]


@dataclass(frozen=True, kw_only=True)
class ListArguments:
    """What to list, and how."""

    what: Positional[Kind] = "all"
    """What to list: methods, encoders, recipes, readers, writers, labels, skeletons, decoders, rules, or all."""
    markdown: bool = False
    """Print Markdown tables, as in the docs."""


def run(arguments: ListArguments) -> int:
    """Print the tables."""
    kinds = list(LISTINGS) if arguments.what == "all" else [arguments.what]
    layout = as_markdown if arguments.markdown else as_text
    tables = [layout(kind, LISTINGS[kind]()) for kind in kinds]
    heading = [CATALOGUE] if arguments.markdown and arguments.what == "all" else []
    print("\n".join([*heading, *tables]), end="")
    return 0


CATALOGUE = """# Catalogue

What `kinespan list` prints, as tables. Sizes are for NTU's 25 joints and one stream of three channels. An option is
shown with its default and the other values that it allows; an option without a value is off or not set. `kinespan
prepare --recipe NAME --help` explains the options of a recipe.
"""


def methods() -> Listing:
    """Pretraining methods, with the settings of their own."""
    from ..methods import METHODS

    methods: list[tuple[str, Any]] = [(name, METHODS[name]) for name in METHODS]
    rows = [(name, _about(kind), _options(kind.Options, "--options."), METHODS.paper(name)) for name, kind in methods]
    usage = "kinespan pretrain CORPUS --method NAME [--snippets aligned|paper|off]"
    return Listing(usage, ("method", "what it does", "options", "paper"), rows)


def encoders() -> Listing:
    """Encoders, with their parameters on the 25 joints of NTU RGB+D and one stream."""
    import torch

    from ..encoders import ENCODERS, build_encoder

    rows = []
    for name in ENCODERS:
        with torch.device("meta"):
            encoder = build_encoder(name, NTU_25, 3)
        count = sum(weight.numel() for weight in encoder.parameters())
        levels = ", ".join("T" if stride == 1 else f"T/{stride}" for stride in encoder.strides)
        about = re.sub(r"[,;] \S+( \S+)? parameters$", "", _about(ENCODERS[name]))  # a column counts them
        rows.append((name, about, f"{count / 1e6:.2f} M", levels, ENCODERS.paper(name)))
    usage = "kinespan pretrain CORPUS --encoder NAME; also finetune and recognize, where nothing is pretrained"
    return Listing(usage, ("encoder", "what it is", "parameters", "resolutions", "paper"), rows)


def recipes() -> Listing:
    """Data sets, with the options of their preparation."""
    kinds = [(name, RECIPES[name]) for name in RECIPES]
    rows = [(name, kind.title, _options(kind), kind.licence, kind.paper) for name, kind in kinds]
    usage = "kinespan prepare --recipe NAME --raw DIR --out CORPUS"
    return Listing(usage, ("recipe", "data set", "options", "terms", "paper"), rows)


def readers() -> Listing:
    """File formats."""
    rows = [(name, READERS[name].about, " ".join(READERS[name].suffixes)) for name in READERS]
    usage = "kinespan prepare FOLDER --out CORPUS; formats are detected by content, --format NAME overrides it"
    return Listing(usage, ("reader", "what it reads", "suffixes"), rows)


def labels() -> Listing:
    """Formats of labels."""
    rows = []
    for name in FORMATS:
        form = FORMATS[name]
        use = " and ".join(word for word, has in (("read", form.read), ("written", form.write)) if has)
        holds = "one recording" if form.one_recording else "many recordings"
        rows.append((name, form.about, use, holds, " ".join(form.suffixes)))
    usage = "kinespan convert FILE OUT --to NAME; formats are detected by content"
    return Listing(usage, ("format", "what it is", "use", "a file holds", "suffixes"), rows)


def writers() -> Listing:
    """Formats that motion is written in."""
    rows = [(name, WRITERS[name].about) for name in WRITERS]
    return Listing("kinespan convert FILE OUT.SUFFIX", ("suffix", "what it is"), rows)


def skeletons() -> Listing:
    """Skeletons that recordings can be mapped to."""
    rows = [(name, str(SKELETONS[name].num_joints), ", ".join(SKELETONS[name].joints)) for name in SKELETONS]
    usage = "kinespan pretrain CORPUS --network.skeleton NAME; in an npz file: skeleton"
    return Listing(usage, ("skeleton", "number", "joints"), rows)


def decoders() -> Listing:
    """Ways from frame scores to spans: all settings of ours, and those in which the others differ."""
    rows, ours = [], DecodeConfig()
    for name in DECODERS:
        values = {setting.name: getattr(DECODERS[name], setting.name) for setting in fields(ours)}
        if DECODERS[name] != ours:
            values = {setting: value for setting, value in values.items() if value != getattr(ours, setting)}
        settings = "; ".join(f"{setting} {shown(value)}" for setting, value in values.items() if value != ())
        rows.append((name, settings, DECODERS.paper(name) or "ours"))
    usage = "kinespan localize MODEL FILES --decoder NAME; also evaluate. Of the others only what differs is shown"
    return Listing(usage, ("decoder", "settings", "paper"), rows)


def rules() -> Listing:
    """Rules of mean average precision."""
    rows = [(name, RULE_FACTS[name][0], shown(RULE_TIOUS[name]), RULE_FACTS[name][1]) for name in RULES]
    return Listing("kinespan evaluate MODEL CORPUS --rule NAME", ("rule", "what it counts", "tIoU", "paper"), rows)


LISTINGS: dict[str, Callable[[], Listing]] = {
    listing.__name__: listing
    for listing in (methods, encoders, recipes, readers, writers, labels, skeletons, decoders, rules)
}


def as_text(kind: str, listing: Listing, width: int = 100) -> str:
    """A listing for a terminal: a paragraph for each entry, its facts beneath its name."""
    lines, indent = [kind.upper(), f"  ({listing.usage})"], max(map(len, listing.columns)) + 6
    for name, *facts in listing.rows:
        lines.append(f"  {name}")
        for column, fact in zip(listing.columns[1:], facts, strict=True):
            wrapper = textwrap.TextWrapper(width, f"    {column}".ljust(indent), " " * indent, break_on_hyphens=False)
            lines += wrapper.wrap(fact)
    return "\n".join(lines) + "\n"


def as_markdown(kind: str, listing: Listing) -> str:
    """A listing as a Markdown table under a heading."""
    usage, semicolon, rest = listing.usage.partition(";")
    head = [f"## {kind.capitalize()}", "", f"`{usage}`{semicolon}{rest}.", ""]
    rows = [_row((f"`{name}`", *facts)) for name, *facts in listing.rows]
    return "\n".join([*head, _row(listing.columns), "|---" * len(listing.columns) + "|", *rows]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _about(entry: object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(entry) or "").split("\n\n")[0].split()).rstrip(".")


def _options(kind: Any, prefix: str = "--") -> str:
    """The fields of a dataclass as flags with their defaults, and the other words that each allows."""
    defaults, hints = kind(), get_type_hints(kind)
    flags = []
    for field in fields(kind):
        value = getattr(defaults, field.name)
        words = get_args(hints[field.name]) if get_origin(hints[field.name]) is Literal else ()
        others = ", ".join(word for word in words if word != value)
        default = "" if value is None or value is False else f" {shown(value)}"
        flags.append(f"{prefix}{field.name.replace('_', '-')}{default}{f' (or {others})' if others else ''}")
    return "; ".join(flags)
