"""The points of the growth curves, measured in processes that `growth` starts: time, and the memory that it took."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .machine import memory

FPS, TILE_MINUTES = 30.0, 5
PER_RECORDING = 100
"""Predictions about a recording."""


def points(curve: str, values: Sequence[int], folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of some values of a curve: seconds (the median of several), and the memory of the process."""
    if curve.startswith("step-"):
        yield from _steps(curve.removeprefix("step-"), values)
        return
    make = {"localize": _localizing, "prepare": _preparing, "map": _scoring}[curve]
    for value in values:
        function = make(value, folder)
        before = memory()
        times = _times(function)
        after = memory()
        yield {
            "value": value, "seconds": statistics.median(times), "turns": len(times), "begin_bytes": before["VmRSS"],
            "peak_bytes": after["VmHWM"], "mapped_bytes": max(0, after["RssFile"] - before["RssFile"]),
        }  # fmt: skip


def _times(function: Callable[[], object], enough: float = 1.0) -> list[float]:
    """Seconds of each call; short ones are repeated until they add up to `enough`."""
    times: list[float] = []
    while sum(times) < enough and len(times) < 20:
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return times


# ---- pretraining -----------------------------------------------------------------------------------------------------


def _steps(dimension: str, values: Sequence[int], rounds: int = 5, budget: float = 25.0) -> Iterator[dict[str, Any]]:
    """A step of `kinespan pretrain` by default settings but for one dimension; all values in turn."""
    from .cases_training import stepper
    from .options import RunOptions

    steps = [stepper(pretraining(dimension, value), RunOptions()) for value in values]
    times: list[list[float]] = [[] for _ in values]
    for step in steps:
        step()
    begin = time.monotonic()
    for done in range(rounds):
        if done >= 2 and time.monotonic() - begin > budget:
            break
        for step, seconds in zip(steps, times, strict=True):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
    for value, seconds in zip(values, times, strict=True):
        yield {"value": value, "seconds": statistics.median(seconds), "turns": len(seconds)}


def pretraining(dimension: str, value: int) -> Any:
    """The module of a step with `value` for its batch, frames, joints, people, queue or number of snippets."""
    import torch

    from kinespan.config import MethodConfig, PretrainConfig, SnippetConfig
    from kinespan.train.clip_pool import ClipPool
    from kinespan.train.pretrain_module import PretrainModule

    from .cases_training import made_motions, with_full_queues

    sizes = {"batch": 32, "frames": 64, "joints": 25, "people": 1, "queue": 32768, "snippets": 8, dimension: value}
    if dimension == "snippets":
        sizes["frames"] = 256  # so that there is room for many
    config = PretrainConfig(
        batch_size=sizes["batch"], clip_frames=sizes["frames"], contrast=MethodConfig(queue=sizes["queue"]),
        snippet=SnippetConfig(frames=sizes["frames"] // sizes["snippets"] if dimension == "snippets" else 8,
                              queue=sizes["queue"]),
    )  # fmt: skip
    torch.manual_seed(0)
    motions = made_motions(sizes["people"], recordings=12, frames=600, joints=sizes["joints"])
    pool = ClipPool([replace(motion, fps=config.network.fps) for motion in motions])
    return with_full_queues(PretrainModule(config, body(sizes["joints"]), pool).train())


def body(joints: int) -> Any:
    """The skeleton of NTU RGB+D, extended to so many joints."""
    from kinespan.data.skeletons import NTU_25

    more = range(joints - NTU_25.num_joints)
    return replace(
        NTU_25,
        name=f"body of {joints}",
        joints=(*NTU_25.joints, *(f"more {number}" for number in more)),
        parents=(*NTU_25.parents, *more),
        body_parts=(*NTU_25.body_parts, *(None for _ in more)),
    )


# ---- localizing ------------------------------------------------------------------------------------------------------


def _localizing(minutes: int, folder: Path) -> Callable[[], object]:
    """What `kinespan localize` does with a recording in a file, from frames to the files of answers."""
    from kinespan.data.recording import Recording
    from kinespan.data.skeletons import NTU_25
    from kinespan.runs.outputs import write_result
    from kinespan.runs.predict import localize

    shape = (round(60 * minutes * FPS), 1, NTU_25.num_joints, 3)
    frames = np.memmap(motion_file(folder, minutes), dtype=np.float32, mode="r", shape=shape)
    model = busy_localizer()
    localize(model, [Recording(np.array(frames[:600]), FPS, NTU_25, "warming up")])

    def localize_one() -> None:
        recording = Recording(frames, FPS, NTU_25, "made")
        write_result(localize(model, [recording]), folder / f"localized-{minutes}")

    return localize_one


def motion_file(folder: Path, minutes: int) -> Path:
    """A file of frames (T, 1, 25, 3) of built-in motion, five minutes repeated, at least `minutes` long."""
    from .cases_localizing import long_recording

    file, tile = folder / "motion.f32", long_recording(60.0 * TILE_MINUTES).positions[: round(60 * TILE_MINUTES * FPS)]
    needed = -(-minutes // TILE_MINUTES)
    if not file.is_file() or file.stat().st_size < needed * tile.nbytes:
        with open(file, "wb") as out:
            for _ in range(needed):
                out.write(np.ascontiguousarray(tile, dtype=np.float32).data)
    return file


def busy_localizer() -> Any:
    """A localizer whose scores vary as those of a trained one do, with durations to decode by."""
    import torch

    from kinespan.config import NetworkConfig

    from .cases_localizing import long_recording
    from .cases_training import our_localizer

    torch.manual_seed(0)
    network = NetworkConfig()
    model = our_localizer(network, "cpu")
    motion = model.spec.input.motion(long_recording(60.0))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.momentum = 1.0
    with torch.no_grad():
        logits = model.train()(torch.from_numpy(motion.positions)[None], torch.from_numpy(motion.valid)[None])[0]
        model.head.linear.weight *= 2 / logits.std(dim=1)[:, None, None]
        model.head.linear.bias.copy_(-2 * (logits.mean(dim=1) / logits.std(dim=1)))
    durations = tuple((0.5, 0.6) for _ in range(len(model.labels) + 1))  # log seconds
    decode = replace(model.spec.decode, segmentation="viterbi", durations=durations)
    model.spec = replace(model.spec, decode=decode)
    return model.eval()


# ---- preparing and scoring -------------------------------------------------------------------------------------------


def _preparing(files: int, folder: Path) -> Callable[[], object]:
    """`kinespan prepare` on so many tiny files, in one process."""
    from kinespan.prepare.prepare import prepare

    source = tiny_files(folder, files)
    return lambda: prepare(source, folder / f"corpus-{files}", overwrite=True, workers=1)


def tiny_files(folder: Path, count: int) -> Path:
    """A folder of NTU RGB+D files of two frames, with names of the data set."""
    target = folder / f"files-{count}"
    if target.is_dir() and len(os.listdir(target)) == count:
        return target
    target.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    head = ["1", "72057594037930000 0 1 1 1 1 0 0.02 0.05 2", "25"]
    for number in range(count):
        action, performer, setup = number % 60 + 1, number // 60 % 40 + 1, number // 2400 % 17 + 1
        lines = ["2"]
        for _ in range(2):
            lines += [*head, *(" ".join(f"{value:.4f}" for value in row) + " 2" for row in rng.normal(size=(25, 11)))]
        name = f"S{setup:03d}C001P{performer:03d}R001A{action:03d}.skeleton"
        (target / name).write_text("\r\n".join(lines) + "\r\n")
    return target


def _scoring(predictions: int, folder: Path) -> Callable[[], object]:
    """mAP at seven thresholds, a hundred predictions a recording."""
    from kinespan.data.annotation import Span
    from kinespan.metrics import detection_map

    from .cases_files import TIOUS, made_detections
    from .options import RunOptions

    def spans(entries: Any) -> list[Span]:
        return [Span(*entry["segment"], entry["label"], entry.get("score")) for entry in entries]

    predicted_spans, true_spans = (
        [spans(entries) for entries in recordings.values()] for recordings in made_detections(RunOptions(quick=True))
    )
    names = [f"take {number}" for number in range(max(1, predictions // PER_RECORDING))]
    predicted = {name: predicted_spans[number % len(predicted_spans)] for number, name in enumerate(names)}
    truth = {name: true_spans[number % len(true_spans)] for number, name in enumerate(names)}
    return lambda: detection_map(predicted, truth, TIOUS)
