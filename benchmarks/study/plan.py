"""What a study is: YAML to the cells that are to be run, each one training and test on a fold.

A file holds

    about:        what it asks, one or two sentences
    data: precog  the corpus: precog, synthetic, or the name given by --corpus
    split:        its split
    folds:        a list
    labels:       a list: numbers of labelled recordings, shares of them, or all
    seeds:        a list, or one for each of the labels, such as {4: [0, 1, 2], all: [0]}
    pools:        what pretraining sees, by name: further corpora beside a fold's training recordings, such as [hdm05],
                  or a share of those alone, such as 0.5 (by seed; those of 0.25 are among those of 0.5)
    pretraining:  settings of `kinespan pretrain`, by the name of a start
    pretrain_seed: where given, one encoder a fold, of this seed, starts the trainings of all seeds; else (null) each
                  seed has its own
    rows:         models, each with a name and
                    start: a name from pretraining, or default, the encoder that is shipped (none: random weights)
                    pool: a name from pools
                    model: forest, prior or time_prior instead of a network
                    finetune: settings of `kinespan finetune`
                    beside: settings of `kinespan finetune` for a network from random weights, trained on the same
                      labels, whose scores are averaged with the row's own (as `kinespan fuse` does)
                    taught: rounds; in each the row's network, and the one beside it, teach the next ones of both, which
                      start from their encoders, on the recordings without labels (`kinespan finetune --teachers`)
                    alone: true, where the one beside is to teach, but not to be averaged with in the test
                    decode: settings of kinespan.decode.DecodeConfig in place of the model's
                    labels, seeds, folds, pretrain_seed: in place of the file's
    curves:       rows that make a line of the picture over labelled recordings, by its name
    lead:         a curve that is compared with each of the others, in pairs as for claims
    parts:        two rows, with and without something, by a name for that: compared in pairs as for claims
    claims:       {figure, better, than, labels, protocol, by}: compared in pairs of the same fold and seed

Networks are trained in float32 unless a start or a row says `precision`, so that rows do not hang on what a machine has
units for. A setting that is not there, or a name that nothing has, is an error before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from kinespan.config import FinetuneConfig, PretrainConfig
from kinespan.decode import DecodeConfig
from kinespan.errors import InputError
from kinespan.settings_parser import parse_settings

FOLDER = Path(__file__).parent
MODELS = ("network", "forest", "prior", "time_prior")
MOST_CURVES = 8
FLOAT32 = {"precision": "32"}
SCRATCH = "scratch"
SHIPPED = "default"
Labels = int | float | str
"""How many labels: a number of recordings, a share of them, or `all`."""


@dataclass(frozen=True)
class Row:
    """A model of a study: how it is trained, with how many labels by which seeds, on which folds."""

    name: str
    start: str = SCRATCH
    pool: str = "fold"
    model: str = "network"
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    beside: FinetuneConfig | None = None
    taught: int = 0
    alone: bool = False
    decode: Mapping[str, Any] = field(default_factory=dict)
    seeds: Mapping[Labels, tuple[int, ...]] = field(default_factory=dict)
    folds: tuple[int, ...] = ()
    pretrain_seed: int | None = None


@dataclass(frozen=True)
class Claim:
    """One model is better than another by so many points of a figure, in pairs of the same fold and seed."""

    better: str
    than: str
    labels: Labels
    figure: str = "f1_50"
    by: float = 0.0
    folds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Study:
    """A study file, checked."""

    name: str
    about: str
    data: str
    split: str
    rows: tuple[Row, ...]
    pretraining: Mapping[str, PretrainConfig]
    pools: Mapping[str, tuple[str, ...] | float]
    claims: tuple[Claim, ...]
    curves: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lead: str = ""
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    file: Path = Path()
    """Where it is written."""

    def job(self, cell: Cell) -> tuple[int, int, str, str]:
        """Fold, seed of pretraining, start and pool: cells for which they are the same share an encoder."""
        shared = next(row.pretrain_seed for row in self.rows if row.name == cell.row)
        seed = cell.seed if shared is None or cell.start in (SCRATCH, SHIPPED) else shared
        return cell.fold, seed, cell.start, cell.pool

    def cells(self, folds: Sequence[int] = (), seeds: Sequence[int] = ()) -> Iterator[Cell]:
        """Every training of the study, all of a seed before the next."""
        every = sorted({seed for row in self.rows for some in row.seeds.values() for seed in some})
        for seed in [seed for seed in every if not seeds or seed in seeds]:
            for fold in sorted({fold for row in self.rows for fold in row.folds if not folds or fold in folds}):
                for row in self.rows:
                    for labels in (labels for labels, some in row.seeds.items() if seed in some and fold in row.folds):
                        yield Cell(row.name, row.start, row.pool, fold, seed, labels)


@dataclass(frozen=True)
class Cell:
    """One training and its test."""

    row: str
    start: str
    pool: str
    fold: int
    seed: int
    labels: Labels

    @property
    def key(self) -> tuple[str, int, int, str]:
        """What tells the rows of results apart."""
        return self.row, self.fold, self.seed, str(self.labels)


def names() -> list[str]:
    """The studies that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read(name: str) -> Study:
    """The study of a name, or in a file. Raises InputError for what is wrong in it."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise InputError(f"no study {name!r}; there is {', '.join(names())}, or give a YAML file")
    study = parse(yaml.safe_load(path.read_text(encoding="utf-8")), path.stem, path.name)
    return replace(study, file=path.absolute())


def parse(data: Mapping[str, Any], name: str, where: str) -> Study:
    """The Study that a mapping describes. Raises InputError, naming the place, for what is wrong in it."""
    known = {
        "about",
        "data",
        "split",
        "folds",
        "seeds",
        "labels",
        "pools",
        "pretraining",
        "pretrain_seed",
        "rows",
        "claims",
        "curves",
        "lead",
        "parts",
    }
    _refuse_unknown(data, known, where)
    pretraining = {
        key: parse_settings(PretrainConfig, {**FLOAT32, **(value or {})}, f"{where}: pretraining {key}")
        for key, value in data.get("pretraining", {}).items()
    }
    pools = {key: _pool(value, f"{where}: pool {key}") for key, value in data.get("pools", {}).items()}
    common = {part: data[part] for part in ("labels", "seeds", "folds")}
    common["pretrain_seed"] = data.get("pretrain_seed")
    rows = []
    for number, given in enumerate(data["rows"], start=1):
        place = f"{where}: row {given.get('name', number)}"
        _refuse_unknown(given, {one.name for one in fields(Row)} | set(common), place)
        tuning = {
            part: parse_settings(FinetuneConfig, {**FLOAT32, **given.get(part, {})}, f"{place}: {part}")
            for part in ("finetune", "beside")
            if part in given or part == "finetune"
        }
        kept = {key: value for key, value in given.items() if key not in ("labels", *tuning)}
        seeds, folds = _seeds({**common, **given}, place), tuple(given.get("folds", common["folds"]))
        shared = given.get("pretrain_seed", common["pretrain_seed"])
        rows.append(Row(**{**kept, **tuning, "seeds": seeds, "folds": folds, "pretrain_seed": shared}))
        _check_row(rows[-1], pretraining, pools, place)
    titles = [row.name for row in rows]
    if len(set(titles)) != len(titles):
        raise InputError(f"{where}: two rows share a name among {', '.join(titles)}")
    claims = tuple(Claim(**{**one, "folds": tuple(one.get("folds", ()))}) for one in data.get("claims", []))
    for claim in claims:
        for title in (claim.better, claim.than):
            if title not in titles:
                raise InputError(f"{where}: a claim is about {title!r}; rows are {', '.join(titles)}")
    curves = {key: tuple(value) for key, value in data.get("curves", {}).items()}
    for title in (title for part in curves.values() for title in part):
        if title not in titles:
            raise InputError(f"{where}: a curve is made of {title!r}; rows are {', '.join(titles)}")
    if len(curves) > MOST_CURVES:
        raise InputError(f"{where}: {len(curves)} curves, expected at most {MOST_CURVES}: one a colour")
    lead = data.get("lead", "")
    if lead and lead not in curves:
        raise InputError(f"{where}: lead is {lead!r}; curves are {', '.join(curves)}")
    parts = {key: tuple(value) for key, value in data.get("parts", {}).items()}
    for key, pair in parts.items():
        if len(pair) != 2 or not set(pair) <= set(titles):
            raise InputError(f"{where}: part {key!r} is {', '.join(pair)}; expected two of {', '.join(titles)}")
    checked = (tuple(rows), pretraining, pools, claims, curves, lead, parts)
    return Study(name, data["about"], data["data"], data["split"], *checked)


def _refuse_unknown(given: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise InputError(f"{where}: unknown {', '.join(unknown)}; it has {', '.join(sorted(known))}")


def _pool(given: Any, where: str) -> tuple[str, ...] | float:
    """Names of corpora, or a share of the fold's training recordings."""
    if isinstance(given, float) and 0 < given < 1:
        return given
    if isinstance(given, list):
        return tuple(given)
    raise InputError(f"{where}: found {given!r}, expected a list of corpora or a share between 0 and 1")


def _seeds(given: Mapping[str, Any], where: str) -> dict[Labels, tuple[int, ...]]:
    """The seeds of each of a row's labels."""
    labels, seeds = given["labels"], given["seeds"]
    if not isinstance(seeds, Mapping):
        return {count: tuple(seeds) for count in labels}
    for count in labels:
        if count not in seeds:
            raise InputError(f"{where}: seeds has none for labels {count!r}; it has {', '.join(map(str, seeds))}")
    return {count: tuple(seeds[count]) for count in labels}


def _check_row(row: Row, pretraining: Mapping[str, Any], pools: Mapping[str, Any], where: str) -> None:
    try:
        replace(DecodeConfig(), **row.decode)
    except (InputError, TypeError) as error:
        raise InputError(f"{where}: decode: {error}") from None
    if not (isinstance(row.taught, int) and row.taught >= 0):
        raise InputError(f"{where}: taught {row.taught!r}, expected a number of rounds")
    if row.alone and not (row.beside and row.taught):
        raise InputError(f"{where}: alone is for a network beside that teaches: give beside and taught too")
    if row.model not in MODELS:
        raise InputError(f"{where}: model {row.model!r}, expected one of {', '.join(MODELS)}")
    if row.start not in (SCRATCH, SHIPPED, *pretraining):
        raise InputError(f"{where}: start {row.start!r}; pretraining has {', '.join(pretraining) or 'nothing'}")
    if row.pool != "fold" and row.pool not in pools:
        raise InputError(f"{where}: pool {row.pool!r}; pools has {', '.join(pools) or 'nothing'}")
    for labels in row.seeds:
        whole = isinstance(labels, int) and labels > 0
        if not (labels == "all" or whole or (isinstance(labels, float) and 0 < labels < 1)):
            raise InputError(f"{where}: labels {labels!r}, expected a number of recordings, a share below 1, or all")
