"""Run a study: every row of a YAML file, on every fold and seed; a stopped run is resumed.

    python -m benchmarks.study --list
    python -m benchmarks.study precog --out runs/study            # the rows that are not done yet, then its tables
    python -m benchmarks.study precog --out runs/study --seeds 0 --folds 2 3 --rows tcn snippets
    python -m benchmarks.study precog --corpus my_corpus --split by-performer --out runs/mine   # on your own motion
    python -m benchmarks.study precog --out runs/study --keep     # also store the new rows in benchmarks/results/
    python -m benchmarks.study sets --out runs/study              # every set of a study, one after the other
    python -m benchmarks.study sets_msrc12 --out runs/study       # one of them

Rows are appended to OUT/STUDY/rows.jsonl as they are done; OUT/STUDY/tables.md has the tables and the paired tests,
curves.svg accuracy over the number of labelled recordings.
The real motion is looked for in $KINESPAN_DATA, else in ../shared/data.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from kinespan.errors import InputError

from ..results.store import IMAGES, ROOT, read_rows, store_rows, stored_rows
from .corpora import corpus_folder
from .curves import drawing
from .plan import Cell, Study, names, read, read_all
from .set_tables import TITLES, set_page
from .tables import CURVES, page


def asked_rows(study: Study, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that a study asks for; its file may have asked for more before."""
    asked = {cell.key for cell in study.cells()}
    return [row for row in rows if _key(row) in asked]


def _key(row: dict[str, Any]) -> tuple[str, int, int, str]:
    return row["row"], row["fold"], row["seed"], str(row["labels"])


def remaining_jobs(study: Study, out: Path, arguments: argparse.Namespace) -> list[list[Cell]]:
    """The cells that are still to be run, those of one job together."""
    done = {_key(row) for row in read_rows(out)}
    jobs: dict[Any, list[Cell]] = defaultdict(list)
    sizes = {str(study.sizes.get(name, name)) for name in arguments.labels}
    for cell in study.cells(arguments.folds, arguments.seeds):
        is_asked = not arguments.labels or str(cell.labels) in sizes
        if cell.key not in done and is_asked and (not arguments.rows or cell.row in arguments.rows):
            jobs[study.job(cell)].append(cell)
    return list(jobs.values())


def run_jobs(
    study: Study, out: Path, jobs: Sequence[Sequence[Cell]], corpus: Path, pools: dict[str, list[Path]], processes: int
) -> None:
    """Run each job in a process of one thread, so many at a time. Raises SystemExit where one fails."""

    def run(cells: Sequence[Cell]) -> int:
        task: dict[str, Any] = {"study": str(study.file), "set": study.set, "split": study.split, "data": study.data}
        task |= {"corpus": str(corpus), "out": str(out), "pools": [str(path) for path in pools.get(cells[0].pool, [])]}
        task |= {"cells": [vars(cell) for cell in cells]}
        words = [sys.executable, "-m", "benchmarks.study", "--job", json.dumps(task)]
        code = subprocess.run(words, env={**os.environ, "OMP_NUM_THREADS": "1"}, cwd=ROOT).returncode
        job = " ".join(map(str, study.job(cells[0])))
        print(f"{time.strftime('%H:%M:%S')} {'failed' if code else 'done'}: {job}, {len(cells)} rows", flush=True)
        return code

    with ThreadPoolExecutor(processes) as threads:
        if any(list(threads.map(run, jobs))):
            raise SystemExit("some jobs failed; run the same command to try them again")


def run_one_job(text: str) -> None:
    """The entry of a job's process."""
    import torch

    from kinespan.corpus import Corpus

    from .job import run_job

    torch.set_num_threads(1)
    task = json.loads(text)
    study = next(study for study in read_all(task["study"]) if study.set == task["set"])
    study = replace(study, split=task["split"], data=task["data"])
    pools = [Corpus.open(path) for path in task["pools"]]
    run_job(study, Corpus.open(task["corpus"]), pools, [Cell(**cell) for cell in task["cells"]], Path(task["out"]))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.study", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", nargs="?", help="a study by name, or a YAML file")
    parser.add_argument("--list", action="store_true", help="list the studies")
    parser.add_argument("--out", type=Path, default=Path("runs/study"))
    parser.add_argument("--rows", nargs="+", default=[], help="only these")
    parser.add_argument("--folds", type=int, nargs="+", default=[], help="only these")
    parser.add_argument("--seeds", type=int, nargs="+", default=[], help="only these")
    parser.add_argument("--labels", nargs="+", default=[], help="only these, of sets by the names of their sizes too")
    parser.add_argument("--corpus", type=Path, help="a prepared corpus in place of the study's")
    parser.add_argument("--split", help="its split")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes, of one thread each")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="also store the rows in benchmarks/results/",
    )
    parser.add_argument("--job", help=argparse.SUPPRESS)
    return parser.parse_args()


def write_tables(study: Study, out: Path) -> None:
    """Write and print the tables of a run, and write its curves."""
    rows = asked_rows(study, read_rows(out))
    text = set_page(study, rows) if study.set else page(study, rows)
    (out / "tables.md").write_text(text + "\n")
    if study.curves:
        (out / "curves.svg").write_text(drawing(study.curves, rows, curve_figures(study)))
    print(text)


def keep(study: Study, out: Path) -> None:
    """Store a run's rows beside or in place of those stored before, and draw the picture of the docs from all."""
    name = f"study_{study.name}"
    rows = {_key(row): row for row in asked_rows(study, [*stored_rows(name), *read_rows(out)])}
    store_rows(name, rows.values())
    if study.curves:
        (IMAGES / f"{name}.svg").write_text(drawing(study.curves, list(rows.values()), curve_figures(study)))


def curve_figures(study: Study) -> dict[str, str]:
    """The figures of a study's picture, by their titles."""
    return {TITLES[name]: name for name in study.figures} if study.set else CURVES


def main() -> None:
    arguments = parse_arguments()
    if arguments.job:
        run_one_job(arguments.job)
        return
    if arguments.list or arguments.study is None:
        for name in names():
            study = read(name)
            print(f"{name}: {len(list(study.cells()))} trainings. {study.about}")
        return
    studies = read_all(arguments.study)
    if arguments.corpus and len(studies) > 1:
        raise InputError(f"--corpus: {arguments.study} has several sets; name one of {', '.join(map(_name, studies))}")
    for study in studies:
        run_study(study, arguments)


def _name(study: Study) -> str:
    return study.name


def run_study(study: Study, arguments: argparse.Namespace) -> None:
    """Run what is left of a study, and write its tables."""
    if arguments.corpus:
        study = replace(study, data=str(arguments.corpus), split=arguments.split or study.split)
    out = (arguments.out / study.name).absolute()
    out.mkdir(parents=True, exist_ok=True)
    corpus = (arguments.corpus or corpus_folder(study.data, arguments.out)).absolute()
    jobs = remaining_jobs(study, out, arguments)
    used = {cells[0].pool for cells in jobs}
    pools = {
        name: [corpus_folder(data, arguments.out).absolute() for data in pool]
        for name, pool in study.pools.items()
        if name in used and not isinstance(pool, float)
    }
    print(f"{study.name}: {sum(map(len, jobs))} trainings left, in {len(jobs)} jobs", flush=True)
    run_jobs(study, out, jobs, corpus, pools, arguments.jobs)
    write_tables(study, out)
    if arguments.keep:
        keep(study, out)


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
