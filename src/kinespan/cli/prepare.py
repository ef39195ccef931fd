"""Read motion files into a corpus: frames in one memory-mapped file, an index, annotations and splits.

SOURCE is a file or a folder, or the word `synthetic` for the built-in corpus. A file that cannot be used is left out
and named with the reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace

from ..errors import InputError


def add_arguments(parser: ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("source", type=str, help="folder or file to read, or 'synthetic'")
    parser.add_argument("--out", type=str, required=True, help="folder of the corpus to write")
    formats = Literal["auto", "precog", "bvh", "amc", "npz"]
    parser.add_argument("--format", type=formats, default="auto", help="format of the files; auto looks into them")
    parser.add_argument("--annotations", type=str | None, help="ActivityNet JSON, or CSV recording,label,start,end")
    parser.add_argument("--name", type=str | None, help="name of the corpus; by default that of its folder")
    parser.add_argument("--overwrite", action="store_true", help="replace a corpus that is there")
    reading = "how to read files that do not say, or say it wrongly"
    group = parser.add_argument_group(reading)
    group.add_argument("--fps", type=float | None, help="frames a second, in place of the file's own")
    group.add_argument("--skip_frames", type=int, default=0, help="leading frames to drop, such as a T-pose")
    group.add_argument("--unit", type=float | None, help="metres per unit of the file")
    group.add_argument("--up", type=Literal["x", "y", "z"] | None, help="axis of the file that points up")
    group.add_argument("--asf", type=str | None, help="Acclaim skeleton for AMC files; by default the one beside")
    group.add_argument(
        "--min_label_frames", type=int, default=0, help="shorter runs of a frame label join the longer neighbour"
    )
    splits = parser.add_argument_group("how the corpus is split into folds that test on people not trained on")
    splits.add_argument(
        "--group",
        type=str | None,
        help="what keeps recordings together: an attribute, or a regular expression on their names "
        "whose first bracket is the person; by default what the files state, else each recording alone",
    )
    splits.add_argument("--folds", type=int, default=4, help="number of folds")
    made = parser.add_argument_group("the built-in corpus (SOURCE synthetic)")
    made.add_argument("--recordings", type=int, default=72, help="number of recordings")
    made.add_argument("--seed", type=int, default=0, help="seed of the motion, and of the folds of your own")


def run(arguments: Namespace) -> int:
    """Prepare and print the summary."""
    from ..corpus.prepare import prepare, prepare_synthetic
    from ..corpus.splits import SplitRule
    from ..corpus.synthetic import SyntheticConfig
    from ..io import ReadOptions
    from ..progress import Progress

    out = Path(arguments.out)
    if out.exists() and not arguments.overwrite:
        raise InputError(f"--out {out}: exists already; name another folder, or replace it by --overwrite")
    bar: list[Progress] = []

    def show(done: int, total: int) -> None:
        if not bar:
            bar.append(Progress("preparing", total).__enter__())
        bar[0].update(done)

    try:
        if arguments.source == "synthetic":
            config = SyntheticConfig(recordings=arguments.recordings, seed=arguments.seed)
            summary = prepare_synthetic(
                out, config, arguments.name or "synthetic", progress=show, overwrite=arguments.overwrite
            )
        else:
            options = ReadOptions(
                fps=arguments.fps,
                skip_frames=arguments.skip_frames,
                unit=arguments.unit,
                up=arguments.up,
                asf=None if arguments.asf is None else Path(arguments.asf),
                min_label_frames=arguments.min_label_frames,
            )
            summary = prepare(
                arguments.source,
                out,
                arguments.format,
                arguments.annotations,
                options,
                arguments.name,
                show,
                arguments.overwrite,
                split=SplitRule(arguments.group, arguments.folds, arguments.seed),
            )
    finally:
        for one in bar:
            one.__exit__(None, None, None)
    print(summary)
    return 0
