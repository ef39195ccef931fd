"""Ours against the field's usual way on a GPU, and whether the GPU computes our numbers. Under 8 minutes.

    python -m benchmarks.speed.gpu [--json FILE] [--device cuda]

First the numbers: features, a pretraining step's loss and gradients, and frame scores of ST-GCN 16, ST-GCN 64 and
CTR-GCN, in float32, TF32 and bfloat16, against the CPU in float64 (`gpu_checks`). Then where a step makes the host wait
for the device. Then the time of a SkeletonCLR step end to end, drawing and changing the clips included: the field's
way and ours, in turn, a process each (`interleave`). Without a GPU the numbers of the CPU are checked, and nothing is
timed. docs/research/performance.md says what the figures mean.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .cases import Case
from .interleave import Job, Measured, measure_in_turns, serve
from .machine import drift, facts, matrix_rate
from .options import ClipSize, RunOptions
from .rows import failed_row, measured_row

ENCODERS = ("stgcn16", "stgcn64", "ctrgcn")
BATCH, FRAMES, PEOPLE = 128, 50, 1
"""The size of the published recipes, one person present."""
GOAL, ROOFLINE_GOAL, SAMPLING_GOAL = 10.0, 0.4, 0.05
SIDES = {
    "conventional": "as its scripts run: convolutions in TF32, other products in float32",
    "float32": "ours, nothing but float32",
    "tf32": "ours, convolutions and products in TF32",
    "ours": "as `kinespan pretrain` runs by default: bfloat16 where it is safe",
    "sampling": "ours, drawing the clips and making both views, nothing else",
}
RATES = {"conventional": "tf32", "float32": "float32", "tf32": "tf32", "ours": "tf32", "sampling": "float32"}
"""The matrix rate that a side is compared with where it does not compute in bfloat16."""
WARMUP = 8


def side(name: str, encoder: str, device: str, quick: bool = False) -> Job:
    """A side of a step, ready to be timed."""
    import torch

    from . import cases_training as training
    from .gpu_checks import use_tf32

    size = ClipSize(4 if quick else BATCH, FRAMES, PEOPLE)
    options = RunOptions(device, quick, "32" if name in ("float32", "tf32") else "auto")
    if device == "cuda":
        torch.backends.cudnn.benchmark = (
            name == "conventional"
        )  # its shapes never change; ours may, with who is present
        if options.precision == "32":
            use_tf32(name == "tf32")
    if name == "conventional":
        job = training.conventional_step(options, "skeletonclr", size, encoder)
    elif name == "sampling":
        job = training.our_sampling(options, "skeletonclr", size)
    else:
        job = training.our_step(options, "skeletonclr", size, encoder=encoder)
    if device == "cuda":
        job = replace(job, figures=lambda: {"device_peak_bytes": torch.cuda.max_memory_allocated()})
    return replace(job, warmup=2 if quick else WARMUP)


def measure(encoder: str, machine: Mapping[str, Any], seconds: float, quick: bool = False) -> dict[str, Any]:
    """The row of a network: that of `rows`, with each side's shares of what the device can do and frames a second."""
    flags = ["--encoder", encoder, "--device", machine["device"], *(["--quick"] if quick else [])]
    words = {name: ["-m", "benchmarks.speed.gpu", "--side", name, *flags] for name in SIDES}
    case = Case(f"skeletonclr-{encoder}-{BATCH}x{FRAMES}", f"SkeletonCLR step, {encoder}", {}, "ratio", GOAL)
    try:
        sides, other_threads = measure_in_turns(words, seconds, min_turns=2 if quick else 5)
    except RuntimeError as error:
        return failed_row(case, machine, str(error))
    row = measured_row(case, sides, machine, other_threads)
    medians = {name: statistics.median(turns) for name, turns in row["seconds"].items()}
    row["shares"] = {name: shares(name, side, medians[name], machine) for name, side in sides.items()}
    row["frames_per_second"] = {name: BATCH * FRAMES / medians[name] for name in medians if name != "sampling"}
    row["sampling_share"] = medians["sampling"] / medians["ours"]
    return row


def shares(name: str, side: Measured, median: float, machine: Mapping[str, Any]) -> dict[str, float]:
    """Shares of the matrix rate and of the bandwidth that a side reaches; roofline: the larger of the two."""
    rates = machine["matrix_rate"]
    rate = rates["bfloat16" if side.facts["bf16"] else RATES[name]]
    matrix, memory = (side.facts["operations"] / rate / median, side.facts["bytes"] / machine["bandwidth"] / median)
    return {"matrix": matrix, "memory": memory, "roofline": max(matrix, memory)}


def device_facts(device: str) -> dict[str, Any]:
    """The machine, with the matrix rate of TF32 beside those of float32 and bfloat16."""
    import torch

    from .gpu_checks import use_tf32

    use_tf32(False)
    machine = facts(device)
    use_tf32(True)
    machine["matrix_rate"]["tf32"] = matrix_rate(torch.float32, device)
    use_tf32(False)
    torch.cuda.empty_cache()
    return machine


HEADINGS = (
    f"{'network':<9} {'side':<13} {'a step':>9} {'frames/s':>10} {'ratio':>6} "
    f"{'matrix rate':>12} {'bandwidth':>10} {'roofline':>9}"
)


def text_lines(encoder: str, row: Mapping[str, Any]) -> list[str]:
    """The lines of a row."""
    if row["failed"]:
        return [f"{encoder:<9} failed: {row['failed']}"]
    lines, conventional = [], row["conventional_s"]
    for name, turns in row["seconds"].items():
        if name == "sampling":
            continue
        seconds, shares_of_side = statistics.median(turns), row["shares"][name]
        matrix, bandwidth, roofline = (f"{shares_of_side[kind]:.0%}" for kind in ("matrix", "memory", "roofline"))
        lines.append(
            f"{encoder:<9} {name:<13} {1000 * seconds:>6.1f} ms {row['frames_per_second'][name]:>10,.0f} "
            f"{conventional / seconds:>6.1f} {matrix:>12} {bandwidth:>10} {roofline:>9}"
        )
    sampling, roofline = row["sampling_share"], row["shares"]["ours"]["roofline"]
    verdicts = [
        f"{row['ratio']:.1f} times conventional, goal {GOAL:g}: {_verdict(row['ratio'] >= GOAL)}",
        f"sampling {sampling:.1%} of a step, goal under {SAMPLING_GOAL:.0%}: {_verdict(sampling < SAMPLING_GOAL)}",
    ]
    if encoder == "stgcn64":
        verdicts.append(f"roofline {roofline:.0%}, goal over {ROOFLINE_GOAL:.0%}: {_verdict(roofline > ROOFLINE_GOAL)}")
    doubts = f"; not to be trusted: {', '.join(row['doubts'])}" if row["doubts"] else ""
    return [*lines, f"{'':<9} {'; '.join(verdicts)}; spread of the ratio {row['spread']:.0%}{doubts}"]


def _verdict(met: bool) -> str:
    return "met" if met else "not yet"


def check(device: str, quick: bool) -> tuple[list[dict[str, Any]], bool]:
    """Print and return every check of every network, and whether all of them passed."""
    from .gpu_checks import SMALL, TINY, USUAL, checks

    size = TINY if quick else USUAL if device == "cuda" else SMALL
    print(f"\nnumbers on {device} against the CPU in float64, {size.batch} clips of {size.frames} frames:")
    rows, passed = [], True
    for encoder in ENCODERS[:1] if quick else ENCODERS:
        for result in checks(encoder, device, size):
            verdict = "right" if result.passed else "WRONG"
            name = f"{result.encoder:<9} {result.precision:<8} {result.what:<10}"
            print(f"{name} wrong by {result.error:.1e}, at most {result.most:.0e}: {verdict}", flush=True)
            rows.append({**result._asdict(), "passed": result.passed})
            passed = passed and result.passed
    return rows, passed


def waits(device: str, quick: bool) -> dict[str, int]:
    """Print and return where a step with aligned snippets makes the host wait for the device."""
    from . import cases_training as training
    from .gpu_checks import round_trips

    options = RunOptions(device, quick)
    size = ClipSize(4 if device == "cpu" else BATCH, FRAMES + 2, PEOPLE)  # snippets want a multiple of four
    step = training.stepper(training.our_module(options, "skeletonclr", size, "aligned"), options)
    step()
    counts = dict(round_trips(step, device).most_common())
    lines = ", ".join(f"{line} ({count})" for line, count in counts.items())
    print(f"\na step with snippets makes the host wait {sum(counts.values())} times: {lines}")
    return counts


def run(device: str, seconds: float, file: Path | None, quick: bool) -> int:
    """Check, then time; 1 where a number is wrong or a side failed."""
    begin = time.monotonic()
    result: dict[str, Any] = {"device": device, "machine": None, "rows": []}
    result["checks"], passed = check(device, quick)
    result["waits"] = waits(device, quick)
    if device == "cpu":
        print("\nNo GPU here: the numbers of the CPU were checked, and nothing was timed.")
    else:
        machine = result["machine"] = device_facts(device)
        rates = ", ".join(f"{kind} {rate / 1e12:.1f}" for kind, rate in machine["matrix_rate"].items())
        print(f"\n{machine['name']}, torch {machine['torch']}; matrix products, 10^12 operations a second: {rates}")
        print(f"memory: {machine['bandwidth'] / 1e9:.0f} GB/s; {BATCH} clips of {FRAMES} frames, one person present")
        print("\n".join(f"{name:<13} {about}" for name, about in SIDES.items()))
        print("\n" + HEADINGS, flush=True)
        for encoder in ENCODERS:
            result["rows"].append(measure(encoder, machine, seconds, quick))
            print("\n".join(text_lines(encoder, result["rows"][-1])), flush=True)
        if (change := drift(machine)) is not None:
            print(f"\nThe device was not the same at the end: {change}.")
    if file is not None:
        file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"\n{time.monotonic() - begin:.0f} s in all")
    return int(not passed or any(row["failed"] for row in result["rows"]))


def main(argv: Sequence[str] | None = None) -> int:
    """The command line, and the entry of the processes of sides."""
    import torch

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for checks and rows")
    parser.add_argument("--device", choices=("cuda", "cpu"), help="by default cuda where there is one")
    parser.add_argument("--seconds", type=float, default=25.0, help="to spend on the turns of a network")
    parser.add_argument("--quick", action="store_true", help="one small check, small steps: to see that it runs")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--encoder", choices=ENCODERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if arguments.side is not None:
        serve(lambda: side(arguments.side, arguments.encoder, device, arguments.quick))
        return 0
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("--device cuda: torch finds no GPU here; omit --device to check the numbers of the CPU")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and end the sides on the way out
    return run(device, arguments.seconds, arguments.json, arguments.quick)


if __name__ == "__main__":
    sys.exit(main())
