"""Write one HTML file that opens offline: the skeleton moving, timelines, score curves, metric tables.

Give the folder of a finetuning run or of `kinespan localize`, or the files predictions.json and metrics.json.
"""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from ..errors import InputError


def add_arguments(parser: ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("inputs", type=str, nargs="+", help="folder of a run, or predictions.json and metrics.json")
    parser.add_argument("--out", type=str, required=True, help="report.html to write")
    parser.add_argument("--recordings", type=str | None, help="corpus or motion files, where they have moved since")
    parser.add_argument("--most", type=int, default=12, help="recordings to show; the first ones by name")
    parser.add_argument("--title", type=str | None, help="title of the report")


def run(arguments: Namespace) -> int:
    """Gather, write, say where."""
    from ..report import write_report
    from ..report.gather import gather

    if arguments.most < 1:
        raise InputError(f"--most {arguments.most}: expected at least 1")
    moved = None if arguments.recordings is None else Path(arguments.recordings)
    data = gather(
        [Path(item) for item in arguments.inputs], recordings=moved, most=arguments.most, title=arguments.title
    )
    write_report(data, Path(arguments.out))
    print(f"written to {arguments.out}")
    return 0
