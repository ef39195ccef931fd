"""Write the tables of the docs from the stored rows, so that no figure is written by hand.

    python -m benchmarks.results            puts each table between its marks in README.md and the pages of docs
    python -m benchmarks.results --check    says which file would change, and fails if one would
    python -m benchmarks.results --folds sfinge3d-learn RUN    stores the figures of a run of every fold first

A table stands between the lines <!-- table: NAME --> and <!-- end -->.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ..speed import beside, growth_table, speed_tables, thread_gain
from ..study import plan, set_tables, tables
from ..study.calibration_tables import calibration_table, coverage_table
from ..study.label_order_tables import gains_table, labels_table, order_table
from ..study.point_labels_tables import grown_table, points_table
from ..study.robustness_tables import robustness_table
from ..study.tables import StudyTable
from .encoder_tables import comparison_table
from .fold_tables import NAMES, folds_table, store_folds
from .store import ROOT, stored_rows, stored_run

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
BLOCK = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

STUDY_TABLES: Mapping[str, StudyTable] = {
    "readme": tables.readme_table,
    "rows": tables.rows_table,
    "claims": tables.claims_table,
    "claims-unseen": lambda study, rows: tables.claims_table(study, rows, folds=(2, 3, 4)),
    "errors": tables.errors_table,
    "key": tables.curves_table,
    "key-high": lambda study, rows: tables.curves_table(study, rows, "map_high"),
    "lead": tables.lead_table,
    "lead-high": lambda study, rows: tables.lead_table(study, rows, "map_high"),
    "lead-unseen": lambda study, rows: tables.lead_table(study, rows, folds=(2, 3, 4)),
    "lead-high-unseen": lambda study, rows: tables.lead_table(study, rows, "map_high", folds=(2, 3, 4)),
    "parts": tables.parts_table,
    "parts-high": lambda study, rows: tables.parts_table(study, rows, "map_high"),
    # of one set of several
    "results": set_tables.results_table,
    "second": set_tables.second_table,
    "ahead": set_tables.set_lead_table,
    "untrained": set_tables.untrained_table,
    "cost": set_tables.cost_table,
    "picture": set_tables.picture_link,
}
"""Tables of a study: <!-- table: study-STUDY-TABLE -->."""


def sets_rows() -> set_tables.SetRows:
    """The studies of all sets, with their stored rows."""
    return [(study, stored_rows(f"study_{study.name}")) for study in plan.read_all("sets")]


OTHER_TABLES: Mapping[str, Callable[[], str]] = {
    "sets-few": lambda: set_tables.all_sets_table(sets_rows(), "few"),
    "sets-more": lambda: set_tables.all_sets_table(sets_rows(), "more"),
    "sets-fifth": lambda: set_tables.all_sets_table(sets_rows(), "20 %"),
    "sets-all": lambda: set_tables.all_sets_table(sets_rows(), "all"),
    "sets-ahead": lambda: set_tables.all_leads_table(sets_rows()),
    "sets-search": lambda: set_tables.search_table(stored_rows("search")),
    "methods-precog": lambda: comparison_table(stored_rows("parts_precog"), "method"),
    "encoders-precog": lambda: comparison_table(stored_rows("parts_precog"), "encoder"),
    "speed": lambda: speed_tables.speed_table(stored_run("speed")),
    "speed-machine": lambda: speed_tables.machine_line(stored_run("speed")),
    "speed-defaults": lambda: speed_tables.defaults_table(stored_run("speed_defaults")),
    "speed-defaults-machine": lambda: speed_tables.machine_line(stored_run("speed_defaults")),
    "speed-beside": lambda: beside.beside_table(stored_rows("speed_beside")),
    "speed-threads": lambda: thread_gain.gain_table(stored_rows("thread_gain")),
    "growth": lambda: growth_table.growth_table(stored_rows("growth")),
    "growth-memory": lambda: growth_table.stages_table(stored_rows("growth")),
    "growth-picture": lambda: growth_table.picture_link(stored_rows("growth")),
    "folds-sfinge3d-finetune": lambda: folds_table("sfinge3d-finetune"),
    "folds-sfinge3d-learn": lambda: folds_table("sfinge3d-learn"),
    "folds-msrc12-finetune": lambda: folds_table("msrc12-finetune"),
    "label-order-precog": lambda: order_table(stored_rows("label_order"), "precog"),
    "label-order-precog-gains": lambda: gains_table(stored_rows("label_order"), "precog"),
    "label-order-labels": lambda: labels_table(stored_rows("label_order")),
    "label-order-sfinge3d": lambda: order_table(stored_rows("label_order"), "sfinge3d"),
    "point-labels": lambda: points_table(stored_rows("point_labels")),
    "point-labels-grown": lambda: grown_table(stored_rows("point_labels")),
    "label-order-sfinge3d-gains": lambda: gains_table(stored_rows("label_order"), "sfinge3d"),
    "robustness": lambda: robustness_table(stored_rows("robustness"), "finetune"),
    "robustness-earlier": lambda: robustness_table(stored_rows("robustness"), "earlier"),
    "calibration": lambda: calibration_table(stored_rows("calibration")),
    "calibration-coverage": lambda: coverage_table(stored_rows("calibration")),
}


def table(name: str) -> str:
    """The table of a name. Raises KeyError for an unknown one."""
    if name.startswith("study-"):
        _, study, kind = name.split("-", 2)
        return STUDY_TABLES[kind](plan.read(study), stored_rows(f"study_{study}"))
    return OTHER_TABLES[name]()


def with_tables(text: str) -> str:
    """The text of a page, each of its tables made anew."""
    return BLOCK.sub(lambda match: f"{match[1]}{table(match[2])}\n{match[3]}", text)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.results", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--folds", nargs=2, metavar=("NAME", "RUN"), help=f"a run to store, as {' or '.join(NAMES)}")
    arguments = parser.parse_args()
    if arguments.folds:
        store_folds(arguments.folds[0], Path(arguments.folds[1]))
    check = arguments.check
    changed = [file for file in PAGES if file.read_text(encoding="utf-8") != with_tables(file.read_text("utf-8"))]
    for file in changed:
        print(f"{file.relative_to(ROOT)}: {'is not what the rows say' if check else 'written'}")
        if not check:
            file.write_text(with_tables(file.read_text("utf-8")), encoding="utf-8")
    return int(check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
