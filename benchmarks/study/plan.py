"""A study: a YAML file, and the cells to be run, each one training and test on a fold.

A file holds

    about:        its question, in one or two sentences
    data: precog  the corpus: precog, synthetic, or the name given by --corpus
    split:        its split
    folds:        a list
    labels:       a list: numbers of labelled recordings, shares of them, or all
    seeds:        a list, or one for each of the labels, such as {4: [0, 1, 2], all: [0]}
    pools:        motion to pretrain on, by name: further corpora beside a fold's training recordings, such as [hdm05],
                  or a share of those alone, such as 0.5 (by seed; those of 0.25 are among those of 0.5)
    pretraining:  settings of `kinespan pretrain`, by the name of a start
    pretrain_seed: where given, one encoder a fold, of this seed, starts the trainings of all seeds; else (null) each
                  seed has its own
    rows:         models, each with a name and
                    start: a name from pretraining, or default, the encoder that is shipped (none: random weights)
                    pool: a name from pools
                    model: forest, prior or time_prior instead of a network; learn, the model of `kinespan learn`
                    finetune: settings of `kinespan finetune`; chosen: those that the search found for a row of this
                      name (search.py), of a forest too
                    learn: settings of `kinespan learn`, for the model of that name
                    beside: settings of `kinespan finetune` for a network from random weights, trained on the same
                      labels, whose scores are averaged with the row's own (an ensemble)
                    taught: rounds; in each the row's network, and the one beside it, teach the next ones of both, which
                      start from their encoders, on the recordings without labels (`kinespan finetune --teachers`)
                    alone: true, where the network beside teaches but is not averaged with in the test
                    decode: settings of kinespan.decode.config.DecodeConfig in place of the model's
                    labels, seeds, folds, pretrain_seed: in place of the file's
    curves:       rows that make a line of the picture over labelled recordings, by its name
    lead:         a curve that is compared with each of the others, in pairs as for claims
    parts:        two rows, with and without something, by a name for that: compared in pairs as for claims
    readme:       rows that make a line of the table in README.md, by its name
    claims:       {figure, better, than, labels, protocol, by}: compared in pairs of the same fold and seed

A file of several sets, each of which is a study FILE_SET with the same rows, has in place of data, split, folds and
labels

    sets:         by the name of a corpus its split, folds and
                    labels: by a name of a size of labels, such as few, what `labels` is above
                    figures: what is reported, the first one is compared (f1_50 and map where there is none)
                    search: the set whose search the set takes, by default its own
    repeated:     names of the sizes that are run with every seed, the others with the first alone; so are rows without
                  `repeated: true`

Networks are trained in float32 unless a start or a row says `precision`, so that rows do not depend on the units of a
machine. An unknown setting or name is an error before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from kinespan.config import FinetuneConfig, LearnConfig, PretrainConfig
from kinespan.config.parser import parse_settings
from kinespan.decode import DecodeConfig
from kinespan.errors import InputError

FOLDER = Path(__file__).parent
MODELS = ("network", "learn", "forest", "prior", "time_prior")
MAX_CURVES = 8
FLOAT32 = {"precision": "32"}
SCRATCH = "scratch"
SHIPPED = "default"
CHOSEN = "chosen"
SPAN_FIGURES = ("f1_50", "map")
Labels = int | float | str
"""Labels to train with: of a number of recordings, of a share of them, or of `all`."""


@dataclass(frozen=True)
class Row:
    """A model of a study: how it is trained, with which labels by which seeds, on which folds."""

    name: str
    start: str = SCRATCH
    pool: str = "fold"
    model: str = "network"
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    chosen: bool = False
    """Whether the settings of finetuning, or of the forest, are those that the search of the set found."""
    learn: LearnConfig = field(default_factory=LearnConfig)
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
    readme: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    figures: tuple[str, ...] = SPAN_FIGURES
    """What is reported; the first one is compared."""
    sizes: Mapping[str, Labels] = field(default_factory=dict)
    """In a file of sets the labels by the name of their size."""
    search: str = ""
    """The set whose search says what is chosen."""
    set: str = ""
    """In a file of sets the name of this one."""
    file: Path = Path()
    """The YAML file."""

    def job(self, cell: Cell) -> tuple[int, int, str, str]:
        """Fold, seed of pretraining, start and pool: cells that agree in them share an encoder."""
        shared = next(row.pretrain_seed for row in self.rows if row.name == cell.row)
        seed = cell.seed if shared is None or cell.start in (SCRATCH, SHIPPED) else shared
        return cell.fold, seed, cell.start, cell.pool

    def cells(self, folds: Sequence[int] = (), seeds: Sequence[int] = ()) -> Iterator[Cell]:
        """Every training of the study, all of a seed before the next."""
        all_seeds = sorted({seed for row in self.rows for some in row.seeds.values() for seed in some})
        for seed in [seed for seed in all_seeds if not seeds or seed in seeds]:
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
        """Row, fold, seed and labels, which identify a result."""
        return self.row, self.fold, self.seed, str(self.labels)


def names() -> list[str]:
    """The studies of this folder."""
    return sorted(study.name for path in FOLDER.glob("*.yaml") for study in read_all(str(path)))


def read(name: str) -> Study:
    """The study of a name. Raises InputError for an unknown one, a mistake in it, and a file of several sets."""
    studies = read_all(name)
    if len(studies) > 1:
        raise InputError(f"{name} has several sets; name one of {', '.join(study.name for study in studies)}")
    return studies[0]


def read_all(name: str) -> tuple[Study, ...]:
    """The study of a name, or of a YAML file; those of all its sets where it has several.

    Raises InputError for an unknown name and a mistake in the file.
    """
    path, set = Path(name), ""
    if not name.endswith((".yaml", ".yml")):
        path = FOLDER / f"{name}.yaml"
        stem, _, rest = name.partition("_")
        if not path.is_file() and (FOLDER / f"{stem}.yaml").is_file():
            path, set = FOLDER / f"{stem}.yaml", rest
    if not path.is_file():
        raise InputError(f"unknown study {name!r}; available: {', '.join(names())}, or give a YAML file")
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    if "sets" not in data and not set:
        return (replace(parse(data, path.stem, path.name), file=path.absolute()),)
    studies = {key: _set_study(data, key, path) for key in data.get("sets", {})}
    if set and set not in studies:
        raise InputError(f"{path.name}: unknown set {set!r}; available: {', '.join(studies) or 'none'}")
    return (studies[set],) if set else tuple(studies.values())


def _set_study(data: Mapping[str, Any], set: str, path: Path) -> Study:
    """The study of one set of a file of sets."""
    given, where = data["sets"][set], f"{path.name}: set {set}"
    _refuse_unknown(given, {"split", "folds", "labels", "figures", "search"}, where)
    sizes, every = given["labels"], data["repeated"]
    rows = []
    for row in data["rows"]:
        settings = {key: value for key, value in row.items() if key != "repeated"}
        repeats = [size for size in sizes if row.get("repeated") and size in every]
        seeds = {labels: data["seeds"] if size in repeats else data["seeds"][:1] for size, labels in sizes.items()}
        rows.append({"labels": list(sizes.values()), "seeds": seeds, **settings})
    shared = {key: value for key, value in data.items() if key not in ("sets", "seeds", "repeated", "rows")}
    content = {**shared, "data": set, "split": given["split"], "folds": given["folds"], "rows": rows}
    study = parse(content, f"{path.stem}_{set}", where)
    figures = tuple(given.get("figures", SPAN_FIGURES))
    search = given.get("search", set)
    return replace(study, figures=figures, sizes=sizes, search=search, set=set, file=path.absolute())


def parse(data: Mapping[str, Any], name: str, where: str) -> Study:
    """The Study that a mapping describes. Raises InputError, naming the place, for a mistake in it."""
    known = {"about", "data", "split", "folds", "seeds", "labels", "pools", "pretraining", "pretrain_seed", "rows",
             "claims", "curves", "lead", "parts", "readme"}  # fmt: skip
    _refuse_unknown(data, known, where)
    pretraining = {
        key: parse_settings(PretrainConfig, {**FLOAT32, **(value or {})}, f"{where}: pretraining {key}")
        for key, value in data.get("pretraining", {}).items()
    }
    pools = {key: _pool(value, f"{where}: pool {key}") for key, value in data.get("pools", {}).items()}
    common = {key: data.get(key) for key in ("labels", "seeds", "folds", "pretrain_seed")}
    rows = tuple(
        _row(given, common, f"{where}: row {given.get('name', number)}")
        for number, given in enumerate(data["rows"], start=1)
    )
    for row in rows:
        _check_row(row, pretraining, pools, f"{where}: row {row.name}")
    names = [row.name for row in rows]
    if len(set(names)) != len(names):
        raise InputError(f"{where}: two rows share a name among {', '.join(names)}")
    claims = tuple(Claim(**{**claim, "folds": tuple(claim.get("folds", ()))}) for claim in data.get("claims", []))
    curves, parts, readme = (
        {title: tuple(value) for title, value in data.get(key, {}).items()} for key in ("curves", "parts", "readme")
    )
    study = Study(
        name, data["about"], data["data"], data["split"], rows, pretraining, pools, claims, curves,
        data.get("lead", ""), parts, readme,
    )  # fmt: skip
    _check_tables(study, names, where)
    return study


def _row(given: Mapping[str, Any], common: Mapping[str, Any], where: str) -> Row:
    _refuse_unknown(given, {entry.name for entry in fields(Row)} - {"chosen"} | set(common), where)
    chosen = given.get("finetune") == CHOSEN
    configs = {
        key: parse_settings(FinetuneConfig, {**FLOAT32, **given.get(key, {})}, f"{where}: {key}")
        for key in ("finetune", "beside")
        if key in given and not (chosen and key == "finetune")
    }
    configs.setdefault("finetune", parse_settings(FinetuneConfig, FLOAT32, where))
    learn = parse_settings(LearnConfig, {**FLOAT32, **given.get("learn", {})}, f"{where}: learn")
    settings = {**common, **given}
    values = {key: value for key, value in given.items() if key not in ("labels", "finetune", "beside", "learn")}
    values |= {"seeds": _seeds(settings, where), "folds": tuple(settings["folds"])}
    values |= {**configs, "learn": learn, "chosen": chosen, "pretrain_seed": settings["pretrain_seed"]}
    return Row(**values)


def _check_tables(study: Study, names: Sequence[str], where: str) -> None:
    """That claims, curves, parts and README's table are about rows of the study. Raises InputError."""
    mentions = {
        "a claim is about": [name for claim in study.claims for name in (claim.better, claim.than)],
        "a curve is made of": [name for curve in study.curves.values() for name in curve],
        "readme is made of": [name for line in study.readme.values() for name in line],
    }
    for text, mentioned in mentions.items():
        for name in mentioned:
            if name not in names:
                raise InputError(f"{where}: {text} {name!r}; rows are {', '.join(names)}")
    if len(study.curves) > MAX_CURVES:
        raise InputError(f"{where}: {len(study.curves)} curves, expected at most {MAX_CURVES}: one a colour")
    if study.lead and study.lead not in study.curves:
        raise InputError(f"{where}: lead is {study.lead!r}; curves are {', '.join(study.curves)}")
    for key, pair in study.parts.items():
        if len(pair) != 2 or not set(pair) <= set(names):
            raise InputError(f"{where}: part {key!r} is {', '.join(pair)}; expected two of {', '.join(names)}")


def _refuse_unknown(given: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise InputError(f"{where}: unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}")


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
    if row.chosen and row.model not in ("network", "forest"):
        raise InputError(f"{where}: finetune is {CHOSEN}, which is for a network or a forest, not model {row.model}")
    if row.start not in (SCRATCH, SHIPPED, *pretraining):
        raise InputError(f"{where}: start {row.start!r}; pretraining has {', '.join(pretraining) or 'nothing'}")
    if row.pool != "fold" and row.pool not in pools:
        raise InputError(f"{where}: pool {row.pool!r}; pools has {', '.join(pools) or 'nothing'}")
    for labels in row.seeds:
        whole = isinstance(labels, int) and labels > 0
        if not (labels == "all" or whole or (isinstance(labels, float) and 0 < labels < 1)):
            raise InputError(f"{where}: labels {labels!r}, expected a number of recordings, a share below 1, or all")
