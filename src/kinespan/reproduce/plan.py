"""The plan of a paper's table, read from YAML: corpora, pretrainings, protocols and metrics.

title: BABEL, subset 1
paper: the paper and the number of the table
corpora:                      # by the name that the rest of the file uses
  babel: {recipe: babel, raw: babel, options: {labels: subset1}}    # raw: the folder below --raw
pretrain:
  data: {BABEL: [babel@official]}   # a block of rows for each name; corpora with the split to train on
  epochs: 600                       # turned into steps when the number of recordings is known
  settings: {...}                   # PretrainConfig, for all methods
  methods: {skeletonclr: {...}}     # settings of a method on top
  snippets: {"off": {}, aligned: {...}}
finetune:
  data: babel@official
  epochs: 40
  settings: {...}                   # FinetuneConfig, for all protocols
  protocols: {linear: {...}, finetune: {...}, semi 20 %: {...}}
evaluate: {rule: stal, decoder: stal, figures: {mAP .1-.5: map.average}}
published: {dataset: [BABEL]}       # the rows of published.csv to compare with
"""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import product, starmap
from pathlib import Path
from typing import Any

from ..config.parser import merged, read_yaml
from ..errors import InputError, unknown

BLOCKS = {"title": str, "paper": str} | dict.fromkeys(
    ("corpora", "pretrain", "finetune", "evaluate", "published"), dict
)
"""The blocks of a table and their types."""


@dataclass(frozen=True)
class Row:
    """A row of a table: the data, method and snippet variant of its pretraining, and the protocol that follows."""

    source: str
    method: str
    snippets: str
    protocol: str

    def __str__(self) -> str:
        return f"{self.source}, {self.method}, snippets {self.snippets}, {self.protocol}"

    @property
    def pretraining(self) -> tuple[str, str, str]:
        """Data, method and snippet variant of the pretraining, which rows share."""
        return self.source, self.method, self.snippets


@dataclass(frozen=True)
class Scale:
    """The share of a table that is run: rows, seeds, and whether it is a dry run."""

    methods: tuple[str, ...] = ()
    """Only these methods; empty: all."""
    snippets: tuple[str, ...] = ()
    """Only these variants of the snippet term."""
    protocols: tuple[str, ...] = ()
    """Only these protocols."""
    seeds: tuple[int, ...] = (0,)
    dry: bool = False
    """One step of everything, on few clips and few test recordings: it shows that all steps work."""

    def includes(self, row: Row) -> bool:
        """Whether a row is run."""
        pairs = ((row.method, self.methods), (row.snippets, self.snippets), (row.protocol, self.protocols))
        return all(not names or value in names for value, names in pairs)


@dataclass(frozen=True)
class Plan:
    """A table as its YAML states it."""

    name: str
    file: Path
    content: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The title of the table."""
        return str(self.content["title"])

    def rows(self) -> Iterator[Row]:
        """All rows; those that share a pretraining follow each other."""
        pretrain, finetune = self.content["pretrain"], self.content["finetune"]
        return starmap(Row, product(pretrain["data"], pretrain["methods"], pretrain["snippets"], finetune["protocols"]))

    def pretrain_settings(self, row: Row) -> dict[str, Any]:
        """The settings of a row's pretraining, as PretrainConfig names them."""
        block = self.content["pretrain"]
        own = {"method": row.method, "snippet": {"variant": row.snippets, **(block["snippets"][row.snippets] or {})}}
        return reduce(merged, (block["settings"], block["methods"][row.method] or {}, own))

    def finetune_settings(self, row: Row) -> dict[str, Any]:
        """The settings of a row's finetuning, as FinetuneConfig names them."""
        block = self.content["finetune"]
        return merged(block["settings"], block["protocols"][row.protocol] or {})


def figure(metrics: Mapping[str, Any], path: str) -> float | None:
    """The number at a dotted path of metrics.json, such as map.average or map.0.5; None where it is missing."""
    value: Any = metrics
    rest = path
    while isinstance(value, Mapping) and rest:
        if rest in value:  # keys such as "0.5" hold a dot themselves
            return None if value[rest] is None else float(value[rest])
        first, _, rest = rest.partition(".")
        value = value.get(first)
    return None


def tables_folder() -> Path:
    """The folder of the shipped tables: configs/reproduce of a source tree, else share/kinespan of the installation."""
    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    installed = [Path(sysconfig.get_path("data", scheme)) / "share" / "kinespan" / "reproduce" for scheme in schemes]
    folders = [Path(__file__).parents[3] / "configs" / "reproduce", *installed]
    existing = [folder for folder in folders if folder.is_dir()]
    if not existing:
        raise InputError(f"the shipped tables are missing; looked in {', '.join(map(str, folders))}")
    return existing[0]


def plan_names() -> tuple[str, ...]:
    """The names of the shipped tables."""
    return tuple(sorted(file.stem for file in tables_folder().glob("*.yaml")))


def find_plan(table: str) -> Plan:
    """A shipped table by name, or the table of a YAML file. Raises InputError naming the file and the wrong block."""
    file = Path(table) if table.endswith((".yaml", ".yml")) else tables_folder() / f"{table}.yaml"
    if not file.is_file():
        raise unknown("table", table, [*plan_names(), "FILE.yaml"])
    content = read_yaml(file)
    for name, kind in BLOCKS.items():
        if not isinstance(content.get(name), kind):
            raise InputError(f"{file}: {name} is missing or not a {'text' if kind is str else 'block'}")
    for block, keys in {"pretrain": ("data", "methods", "snippets"), "finetune": ("data", "protocols")}.items():
        for key in keys:
            if not content[block].get(key):
                raise InputError(f"{file}: {block}.{key} is missing")
        content[block].setdefault("settings", {})
    _check_sources(file, content)
    return Plan(file.stem, file, content)


def _check_sources(file: Path, content: Mapping[str, Any]) -> None:
    """Check that all data are corpora of `corpora`, and that these have a recipe and a folder. Raises InputError."""
    used = [source for sources in content["pretrain"]["data"].values() for source in sources]
    for source in [*used, content["finetune"]["data"]]:
        if source.partition("@")[0] not in content["corpora"]:
            raise InputError(
                f"{file}: {source!r} names no corpus of the block corpora: {', '.join(content['corpora'])}"
            )
    for name, corpus in content["corpora"].items():
        missing = [key for key in ("recipe", "raw") if key not in corpus]
        if missing:
            raise InputError(f"{file}: corpora.{name}: {missing[0]} is missing")
