"""Rows on disk: those of a run in progress, and those stored beside this file, which the docs quote."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent
IMAGES = ROOT / "docs" / "images"


def read_rows(out: Path) -> list[dict[str, Any]]:
    """The rows of a run so far."""
    return _json_lines(out / "rows.jsonl")


def append_rows(out: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows to those of a run; several processes may do so at once."""
    with open(out / "rows.jsonl", "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("".join(json.dumps(row) + "\n" for row in rows))


def stored_rows(name: str) -> list[dict[str, Any]]:
    """The stored rows NAME.jsonl; empty where there are none yet."""
    return _json_lines(RESULTS / f"{name}.jsonl")


def store_rows(name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace the stored rows NAME.jsonl."""
    (RESULTS / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def stored_run(name: str) -> dict[str, Any]:
    """The stored run NAME.json of `python -m benchmarks.speed`: its machine and its rows."""
    run: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return run


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _json_lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []
