"""Run a study: every row of a YAML file, on every fold and seed, resumable.

    python -m benchmarks.study --list
    python -m benchmarks.study precog --out runs/study            # the rows that are not done yet, then its tables
    python -m benchmarks.study precog --out runs/study --seeds 0 --folds 2 3 --rows tcn snippets
    python -m benchmarks.study precog --corpus my_corpus --split by-performer --out runs/mine   # on motion of yours
    python -m benchmarks.study precog --out runs/study --keep     # also put the rows into benchmarks/results/

Rows are kept in OUT/STUDY/rows.jsonl as they are done; OUT/STUDY/tables.md has the tables and the paired tests,
curves.svg accuracy over the number of labelled recordings.
The real motion is looked for in $KINESPAN_DATA, else in ../shared/data.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
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

from .curves import drawing
from .page import CURVES, page
from .plan import Cell, Study, names, read

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def motion_folder() -> Path:
    """Where the real motion is."""
    return Path(os.environ.get("KINESPAN_DATA", ROOT.parent / "shared" / "data"))


def sources() -> dict[str, list[str]]:
    """What `kinespan prepare` is told for each corpus that a study may name."""
    data = motion_folder()
    return {
        "precog": [str(data / "precog" / "csv")],
        "synthetic": ["synthetic"],
        "hdm05": ["--recipe", "hdm05", "--raw", str(data / "hdm05")],
        # the first frame of each of these is a T-pose
        "cmu_iclone": [str(data / "cmu_bvh" / "iclone"), "--skip-frames", "1"],
        "cmu_indian": [str(data / "cmu_bvh" / "acrnn" / "indian")],
        "cmu_martial": [str(data / "cmu_bvh" / "acrnn" / "martial")],
        # their headers say 120, the motion is 60 frames a second
        "cmu_salsa": [str(data / "cmu_bvh" / "acrnn" / "salsa"), "--fps", "60"],
    }


def corpus_folder(name: str, out: Path) -> Path:
    """The folder of a corpus by name, prepared where it is not there yet. Raises InputError for an unknown name."""
    folder, known = out / "corpora" / name, sources()
    if name not in known:
        raise InputError(
            f"corpus {name!r}: expected one of {', '.join(known)}; for motion of yours give --corpus FOLDER"
        )
    if not folder.exists():
        words = [*known[name], "--out", str(folder)]
        subprocess.run([sys.executable, "-m", "kinespan.cli", "prepare", *words], check=True)
    return folder


def rows_of(out: Path) -> list[dict[str, Any]]:
    """The rows that are done."""
    file = out / "rows.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def rows_in(study: Study, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of some rows that a study asks for; its file may have asked for more before."""
    asked = {cell.key for cell in study.cells()}
    return [row for row in rows if _key(row) in asked]


def _key(row: dict[str, Any]) -> tuple[str, int, int, str]:
    return row["row"], row["fold"], row["seed"], str(row["labels"])


def left(study: Study, out: Path, wanted: argparse.Namespace) -> list[list[Cell]]:
    """The cells that are still to be run, those of one job together."""
    done = {_key(row) for row in rows_of(out)}
    jobs: dict[Any, list[Cell]] = defaultdict(list)
    for cell in study.cells(wanted.folds, wanted.seeds):
        if cell.key not in done and (not wanted.rows or cell.row in wanted.rows):
            jobs[study.job(cell)].append(cell)
    return list(jobs.values())


def run(
    study: Study, out: Path, jobs: Sequence[Sequence[Cell]], corpus: Path, pools: dict[str, list[Path]], at_once: int
) -> None:
    """Run jobs in processes of one thread each, some at once. Raises SystemExit where one fails."""

    def one(cells: Sequence[Cell]) -> int:
        task = {
            "study": str(study.file),
            "split": study.split,
            "data": study.data,
            "corpus": str(corpus),
            "out": str(out),
        }
        task |= {"pools": [str(path) for path in pools.get(cells[0].pool, [])]}
        task |= {"cells": [vars(cell) for cell in cells]}
        words = [sys.executable, "-m", "benchmarks.study", "--job", json.dumps(task)]
        code = subprocess.run(words, env={**os.environ, "OMP_NUM_THREADS": "1"}, cwd=ROOT).returncode
        job = " ".join(map(str, study.job(cells[0])))
        print(f"{time.strftime('%H:%M:%S')} {'failed' if code else 'done'}: {job}, {len(cells)} rows", flush=True)
        return code

    with ThreadPoolExecutor(at_once) as threads:
        if any(list(threads.map(one, jobs))):
            raise SystemExit("some jobs failed; the same command tries them again")


def job(text: str) -> None:
    """One job, in a process of its own."""
    import torch

    from kinespan.corpus import Corpus

    from .work import run_job

    torch.set_num_threads(1)
    task = json.loads(text)
    study = replace(read(task["study"]), split=task["split"], data=task["data"])
    pools = [Corpus.open(path) for path in task["pools"]]
    run_job(study, Corpus.open(task["corpus"]), pools, [Cell(**cell) for cell in task["cells"]], Path(task["out"]))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", help="a study by name, or a YAML file")
    parser.add_argument("--list", action="store_true", help="what there is")
    parser.add_argument("--out", type=Path, default=Path("runs/study"))
    parser.add_argument("--rows", nargs="+", default=[], help="only these")
    parser.add_argument("--folds", type=int, nargs="+", default=[], help="only these")
    parser.add_argument("--seeds", type=int, nargs="+", default=[], help="only these")
    parser.add_argument("--corpus", type=Path, help="a prepared corpus in place of the study's")
    parser.add_argument("--split", help="its split")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes, of one thread each")
    parser.add_argument("--keep", action="store_true", help="copy the rows into benchmarks/results/")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    wanted = parsed()
    if wanted.job:
        job(wanted.job)
        return
    if wanted.list or wanted.study is None:
        for name in names():
            study = read(name)
            print(f"{name}: {len(list(study.cells()))} trainings. {study.about}")
        return
    study = read(wanted.study)
    if wanted.corpus:
        study = replace(study, data=str(wanted.corpus), split=wanted.split or study.split)
    out = (wanted.out / study.name).absolute()
    out.mkdir(parents=True, exist_ok=True)
    corpus = (wanted.corpus or corpus_folder(study.data, wanted.out)).absolute()
    jobs = left(study, out, wanted)
    needed = {cells[0].pool for cells in jobs} & set(study.pools)
    sets = {name: pool for name, pool in study.pools.items() if name in needed and not isinstance(pool, float)}
    pools = {name: [corpus_folder(one, wanted.out).absolute() for one in pool] for name, pool in sets.items()}
    print(f"{study.name}: {sum(map(len, jobs))} trainings left, in {len(jobs)} jobs", flush=True)
    run(study, out, jobs, corpus, pools, wanted.jobs)
    rows = rows_in(study, rows_of(out))
    text = page(study, rows)
    (out / "tables.md").write_text(text + "\n")
    if study.curves:
        (out / "curves.svg").write_text(drawing(study.curves, rows, CURVES))
    print(text)
    if wanted.keep:
        if study.curves:
            shutil.copy(out / "curves.svg", ROOT / "docs" / "images" / f"study_{study.name}.svg")
        kept = "".join(json.dumps(row) + "\n" for row in rows)
        (RESULTS / f"study_{study.name}.jsonl").write_text(kept)


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
