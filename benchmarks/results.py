"""Write the tables of the docs from the rows that the studies left, so that no figure is written by hand.

    python -m benchmarks.results            puts each table between its marks in the pages of docs and README.md
    python -m benchmarks.results --check    says which file would change, and fails if one would

A table stands between the lines <!-- table: NAME --> and <!-- end -->.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from . import growth, parts
from . import rows as speed
from .study import page, plan

ROOT = Path(__file__).parents[1]
RESEARCH = ROOT / "docs" / "research"
PAGES = tuple(RESEARCH / name for name in ("results.md", "results-tables.md", "performance.md"))
MARK = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


STUDY_TABLES = {
    "rows": page.table,
    "unseen": lambda study, rows: page.table(study, rows, folds=(2, 3, 4)),
    "claims": page.claims,
    "claims-unseen": lambda study, rows: page.claims(study, rows, folds=(2, 3, 4)),
    "errors": page.errors,
    "key": page.key_table,
    "key-high": lambda study, rows: page.key_table(study, rows, "map_high"),
    "lead": page.lead,
    "lead-high": lambda study, rows: page.lead(study, rows, "map_high"),
    "lead-unseen": lambda study, rows: page.lead(study, rows, folds=(2, 3, 4)),
    "lead-high-unseen": lambda study, rows: page.lead(study, rows, "map_high", folds=(2, 3, 4)),
    "parts": page.parts,
    "parts-high": lambda study, rows: page.parts(study, rows, "map_high"),
}
"""Tables of a study: <!-- table: study-STUDY-WHAT -->."""


def speed_rows(name: str = "speed") -> dict[str, Any]:
    """A kept run of `python -m benchmarks`."""
    kept: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())
    return kept


def rows(study: str) -> list[dict[str, Any]]:
    """The kept rows of a study."""
    return [json.loads(line) for line in (ROOT / "benchmarks" / "results" / f"{study}.jsonl").read_text().splitlines()]


def table(name: str) -> str:
    """The table of a name. Raises KeyError for one that is not known."""
    if name.startswith("study-"):
        _, study, what = name.split("-", 2)
        return STUDY_TABLES[what](plan.read(study), rows(f"study_{study}"))
    made = {
        "methods-precog": lambda: parts.table(rows("parts_precog"), "method"),
        "encoders-precog": lambda: parts.table(rows("parts_precog"), "encoder"),
        "speed": lambda: speed.speed_table(speed_rows()),
        "speed-defaults": lambda: speed.defaults_table(speed_rows("speed_defaults")),
        "speed-machine": lambda: speed.machine_line(speed_rows()),
        "speed-defaults-machine": lambda: speed.machine_line(speed_rows("speed_defaults")),
        "growth": lambda: growth.growth_table(growth.kept()),
        "growth-memory": lambda: growth.stages_table(growth.kept()),
        "growth-picture": lambda: growth.picture_link(growth.kept()),
    }
    return made[name]()


def filled(text: str) -> str:
    """A page with its tables as the rows have them."""
    return MARK.sub(lambda found: f"{found[1]}{table(found[2])}\n{found[3]}", text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing")
    check = parser.parse_args().check
    changed = [file for file in PAGES if file.read_text() != filled(file.read_text())]
    for file in changed:
        print(f"{file.relative_to(ROOT)}: {'is not what the rows say' if check else 'written'}")
        if not check:
            file.write_text(filled(file.read_text()))
    return int(check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
