"""Write one HTML file that opens offline: moving skeletons, timelines, score curves, metric tables.

Give the folder of a finetuning run or of `kinespan localize`, or the files proposals.json and metrics.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..io import ReadOptions
from ..report import write_report
from ..report.gather import gather
from .arguments import Positional
from .checks import check_out_file
from .motion import READING

GROUPS = READING


@dataclass(frozen=True, kw_only=True)
class ReportArguments:
    """What the report shows, and where it is written."""

    inputs: Positional[tuple[Path, ...]]
    """Folder of a run, or proposals.json and metrics.json."""
    out: Path
    """HTML file to write."""
    recordings: Path | None = None
    """Corpus or motion files, if they have moved since."""
    most: int = 12
    """Number of recordings to show, the first ones by name."""
    proposals: bool = False
    """Show the proposals too: scored candidates, which may overlap."""
    title: str | None = None
    """Title of the report."""
    set: str | None = None
    """Annotation set of the corpus whose labels are shown, in place of those that the run was tested on."""


def run(arguments: ReportArguments, options: ReadOptions) -> int:
    """Gather, write, print where."""
    if arguments.most < 1:
        raise InputError(f"--most {arguments.most}: expected at least 1")
    if arguments.out.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--out {arguments.out}: the report is a web page; expected a name that ends in .html")
    check_out_file(arguments.out)

    data = gather(
        arguments.inputs,
        recordings=arguments.recordings,
        most=arguments.most,
        proposals=arguments.proposals,
        title=arguments.title,
        set=arguments.set,
        options=options if options.given() else None,
    )
    write_report(data, arguments.out)
    print(f"written to {arguments.out}")
    return 0
