"""The report that an example wrote becomes a page of the site, which pages show in a frame."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

REPORT = Path(__file__).parents[2] / "examples" / "report.html"


def copy(app: Any, error: Exception | None) -> None:
    if error is None and REPORT.is_file():
        shutil.copy(REPORT, Path(app.outdir) / "gallery" / "report.html")


def setup(app: Any) -> dict[str, bool]:
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
