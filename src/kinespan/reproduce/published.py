"""The figures that papers and repositories state, with their sources, for comparison with ours."""

from __future__ import annotations

import csv
from typing import NamedTuple

from .plan import Plan, tables_folder


class Published(NamedTuple):
    """A published figure; ``source`` is the document that states it, and whether we could check it."""

    paper: str
    method: str
    dataset: str
    protocol: str
    metric: str
    value: str
    source: str


def published(plan: Plan) -> list[Published]:
    """The published figures for the data sets of a table."""
    with open(tables_folder() / "published.csv", encoding="utf-8", newline="") as file:
        rows = [Published(**row) for row in csv.DictReader(file)]
    datasets = plan.content["published"].get("dataset", [])
    return [row for row in rows if row.dataset in datasets and not row.metric.startswith(("top", "params"))]
