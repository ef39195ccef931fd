"""What a second thread can gain in a step of training at most, measured so that other programs do not matter.

    python -m benchmarks.speed.thread_gain [--json FILE]

On one thread: seconds of the processor of a step. On two, whose waits sleep (OMP_WAIT_POLICY=passive): seconds of the
processor of the main thread alone. It does what is serial and its half of the rest, so a step takes at least that long;
what it waits for the other thread comes on top. Each is the median of some steps in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..results.store import markdown_table

ROOT = Path(__file__).parents[2]
STEPS = (
    ("finetune", "tcn", 16, 64),
    ("finetune", "stgcn16_light", 16, 64),
    ("pretrain", "tcn", 32, 64),
    ("pretrain", "stgcn16_light", 32, 64),
)
"""Command, encoder, clips and frames of the steps that are measured, by the commands' defaults."""
REPEATS, WARMUP = 6, 2


def measured(command: str, encoder: str, precision: str, threads: int) -> dict[str, float]:
    """Seconds of the processor of a step in this process: of the main thread, and of all."""
    import torch

    from kinespan.config import FinetuneConfig, NetworkConfig, PretrainConfig
    from kinespan.data.skeletons import NTU_25
    from kinespan.models.encoder_model import EncoderModel
    from kinespan.models.model_file import ModelSpec
    from kinespan.train.work import step_work

    from .cases_training import default_finetune, default_pretrain
    from .options import RunOptions

    torch.set_num_threads(threads)
    job = (default_pretrain if command == "pretrain" else default_finetune)(RunOptions(precision=precision), encoder)  # type: ignore[arg-type]
    times = []
    for _ in range(WARMUP + REPEATS):
        main, everything = time.thread_time(), time.process_time()
        job.repeat()
        times.append((time.thread_time() - main, time.process_time() - everything))
    kind = PretrainConfig if command == "pretrain" else FinetuneConfig
    model = EncoderModel.of_spec(ModelSpec.of_network(NetworkConfig(encoder=encoder), NTU_25))
    main, everything = (statistics.median(column) for column in zip(*times[WARMUP:], strict=True))
    return {"main": main, "all": everything, "work": step_work(model, kind(precision=precision), 1)}  # type: ignore[arg-type]


def row(command: str, encoder: str, clips: int, frames: int, precision: str) -> dict[str, Any]:
    """A row: seconds on one thread and on two, each measured by a process of its own."""
    figures = {}
    for threads in (1, 2):
        words = ["--measure", command, encoder, precision, str(threads)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive"}
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.speed.thread_gain", *words],
            env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        figures[threads] = json.loads(done.stdout.splitlines()[-1])
    return {"command": command, "encoder": encoder, "clips": clips, "frames": frames, "precision": precision,
            "work": figures[1]["work"], "one": figures[1]["main"], "two": figures[2]["main"],
            "two_all": figures[2]["all"]}  # fmt: skip


def gain_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = []
    for each in rows:
        precision = "float32" if each["precision"] == "32" else "bfloat16"
        name = (
            f"`{each['command']}`, `{each['encoder']}`, {each['clips']} clips of {each['frames']} frames, {precision}"
        )
        times = [f"{1e3 * each[key]:.0f} ms" for key in ("one", "two", "two_all")]
        lines.append([name, f"{each['work'] / 1e9:.1f}", *times, f"{each['one'] / each['two']:.2f}"])
    columns = ["a step", "10^9 operations as float32", "one thread", "two: the main one", "two: both", "gain, at most"]
    return markdown_table(columns, lines)


def main() -> int:
    """The command line, and the entry of the measuring processes."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.thread_gain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="gets a JSON line a step")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        *words, threads = arguments.measure
        print(json.dumps(measured(*words, threads=int(threads))))
        return 0
    rows = []
    for precision in ("32", "auto"):
        for step in STEPS:
            rows.append(row(*step, precision))
            print(gain_table(rows[-1:]).splitlines()[-1], flush=True)
            if arguments.json is not None:
                text = "".join(json.dumps(each) + "\n" for each in rows)
                arguments.json.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
