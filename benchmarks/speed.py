"""How fast the work goes on this machine: steps of training a second, seconds of motion localized a second.

    python -m benchmarks.speed [--json FILE] [--quick] [--device cpu|cuda|mps]

Pretraining (snippets off and aligned) and finetuning take whole steps of the default recipes: drawing clips, two or
one augmented views, forward, backward, optimiser, momentum networks. Localizing takes a recording from positions to
spans: mapping, resampling, normalising, network, decoding. Each figure is the median of repeats after a warm-up, with
the middle half of the repeats beside it. Weights are untrained, which changes no time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from kinespan import __version__
from kinespan.config import FinetuneConfig, NetworkConfig, PretrainConfig, SnippetConfig
from kinespan.corpus.sampler import ClipPool
from kinespan.corpus.synthetic import ACTIONS, SyntheticConfig, synthetic_takes
from kinespan.localizer import Localizer
from kinespan.model_file import ModelSpec
from kinespan.recording import Recording
from kinespan.skeletons import NTU_25
from kinespan.train.common import lightning_precision
from kinespan.train.finetuning import FinetuneModule
from kinespan.train.pretraining import PretrainModule
from kinespan.transforms.normalise import model_motion

BUDGET = 20.0
ENCODERS = ("stgcn16_light", "stgcn16", "stgcn64")


def measure(work: Callable[[], object], repeats: int, warmup: int, wait: Callable[[], None]) -> list[float]:
    """Seconds that each of `repeats` calls takes, after `warmup` calls that are not counted.

    Slow work is repeated less often, but three times at least: once BUDGET seconds are spent it is enough.
    """
    times: list[float] = []
    for number in range(warmup + repeats):
        wait()
        begin = time.perf_counter()
        work()
        wait()
        if number >= warmup:
            times.append(time.perf_counter() - begin)
        if len(times) >= 3 and sum(times) > BUDGET:
            break
    return times


def figures(times: list[float], amount: float) -> dict[str, float]:
    """`amount` a second: the median, and the quartiles of the repeats."""
    rates = sorted(amount / seconds for seconds in times)
    low, median, high = statistics.quantiles(rates, n=4) if len(rates) > 1 else rates * 3
    return {"median": median, "low": low, "high": high, "repeats": len(rates)}


def stepper(module: Any, precision: str) -> Callable[[], None]:
    """One whole training step of a module, as its trainer takes it."""
    module.note = lambda **values: None  # there is no trainer to log to
    found = module.configure_optimizers()
    optimizer = found["optimizer"]
    device = module.device.type

    def step() -> None:
        half = torch.autocast(device, torch.bfloat16) if precision == "bf16-mixed" else contextlib.nullcontext()
        with half:
            loss = module.training_step(0, 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        module.on_train_batch_end(None, 0, 0)

    return step


class Bench:
    """Built-in motion, a device and a number of repeats; each method measures one thing."""

    def __init__(self, device: str, quick: bool) -> None:
        self.device, self.quick = torch.device(device), quick
        self.repeats, self.warmup = (3, 1) if quick else (20, 2)
        self.precision = lightning_precision("auto")
        takes = list(synthetic_takes(SyntheticConfig(recordings=2 if quick else 8)))
        self.recordings = [recording for recording, _ in takes]
        self.annotations = [annotation for _, annotation in takes]

    def wait(self) -> None:
        """Let the device finish, so that its time is counted."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def pool(self, network: NetworkConfig) -> ClipPool:
        motions = [model_motion(take, NTU_25, network.fps, network.normalisation) for take in self.recordings]
        return ClipPool(motions, self.annotations, ACTIONS, device=self.device)

    def pretraining(self, encoder: str, variant: str) -> dict[str, float]:
        """Steps a second of pretraining by the default recipe."""
        network = NetworkConfig(encoder=encoder)
        config = PretrainConfig(network=network, snippet=SnippetConfig(variant=variant))  # type: ignore[arg-type]
        module = PretrainModule(config, NTU_25, self.pool(network)).to(self.device).train()
        return figures(measure(stepper(module, self.precision), self.repeats, self.warmup, self.wait), 1)

    def finetuning(self, encoder: str) -> dict[str, float]:
        """Steps a second of finetuning by the default recipe, from scratch: the cost is the same."""
        network = NetworkConfig(encoder=encoder)
        config = FinetuneConfig(network=network)
        localizer = self.localizer(encoder)
        module = FinetuneModule(config, localizer, self.pool(network), pretrained=False).to(self.device).train()
        return figures(measure(stepper(module, self.precision), self.repeats, self.warmup, self.wait), 1)

    def localizing(self, encoder: str) -> dict[str, float]:
        """Seconds of motion a second, from a recording of several minutes to its spans."""
        recording = self.long_recording(30.0 if self.quick else 300.0)
        model = self.localizer(encoder).eval()
        repeats = 2 if self.quick else 5
        times = measure(lambda: model.localize(recording), repeats, 1, self.wait)
        return figures(times, recording.duration)

    def localizer(self, encoder: str) -> Localizer:
        network = NetworkConfig(encoder=encoder)
        spec = ModelSpec(
            kind="localizer", skeleton=NTU_25, fps=network.fps, streams=network.streams,
            normalisation=network.normalisation, encoder=encoder, fusion="nested_u", labels=ACTIONS,
        )  # fmt: skip
        return Localizer(spec).to(self.device)

    def long_recording(self, seconds: float) -> Recording:
        """Built-in motion of one person of `seconds` seconds."""
        config = SyntheticConfig(recordings=1, seconds=(seconds, seconds + 1))
        return next(iter(synthetic_takes(config)))[0]


def machine(bench: Bench) -> dict[str, Any]:
    """What the figures were measured on."""
    name = torch.cuda.get_device_name() if bench.device.type == "cuda" else platform.machine()
    return {
        "kinespan": __version__, "torch": torch.__version__, "python": platform.python_version(),
        "device": f"{bench.device.type} ({name})", "threads": torch.get_num_threads(), "cores": os.cpu_count(),
        "precision": bench.precision, "quick": bench.quick,
    }  # fmt: skip


def run(bench: Bench, encoders: tuple[str, ...]) -> list[dict[str, Any]]:
    """Measure all, printing each figure as it is there."""
    rows: list[dict[str, Any]] = []
    for encoder in encoders:
        jobs: dict[tuple[str, str], Callable[[], dict[str, float]]] = {
            ("pretraining, video term", "steps/s"): partial(bench.pretraining, encoder, "off"),
            ("pretraining, snippets aligned", "steps/s"): partial(bench.pretraining, encoder, "aligned"),
            ("finetuning", "steps/s"): partial(bench.finetuning, encoder),
            ("localizing", "s of motion/s"): partial(bench.localizing, encoder),
        }
        for (work, unit), job in jobs.items():
            row = {"encoder": encoder, "work": work, "unit": unit, **job()}
            rows.append(row)
            spread = f"({row['low']:.3g} to {row['high']:.3g})"
            print(f"{encoder:<14} {work:<30} {row['median']:>8.3g} {unit:<14} {spread}", flush=True)
    return rows


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file to write the figures to as well")
    parser.add_argument("--quick", action="store_true", help="few repeats on little motion: to see that it runs")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--encoders", nargs="+", default=list(ENCODERS), choices=ENCODERS)
    arguments = parser.parse_args(argv)
    bench = Bench(arguments.device, arguments.quick)
    facts = machine(bench)
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    rows = run(bench, tuple(arguments.encoders))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"machine": facts, "figures": rows}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
