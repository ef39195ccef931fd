"""The cases of the speed benchmark: what is measured, on which sides, and what it must reach.

A side is imported only in the process that measures it. The goals are for two CPU cores.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from .interleave import Job
from .options import ClipSize, RunOptions

Measure = Literal["ratio", "extra", "share", "rate", "seconds"]
"""What the goal is about.

ratio: conventional over ours, at least. extra: what ours takes more than `without`, below. share: what part of `step`
ours takes, below. rate: units of ours a second, at least. seconds: of ours, at most.
"""
ENCODERS = ("stgcn16_light", "tcn", "stgcn16", "stgcn64")
Side = Callable[[RunOptions], Job]


@dataclass(frozen=True)
class Case:
    """A row: its name, what it is, its sides by name, and the goal (None: measured, no goal set)."""

    name: str
    about: str
    sides: Mapping[str, Side]
    measure: Measure = "ratio"
    goal: float | None = None
    unit: str = "steps"
    in_quick: bool = True
    in_full: bool = True

    def met(self, value: float) -> bool | None:
        """Whether a value of the measure reaches the goal."""
        if self.goal is None:
            return None
        return bool((operator.ge if self.measure in ("ratio", "rate") else operator.le)(value, self.goal))


def all_cases() -> list[Case]:
    """Every case, in the order in which they run."""
    return [
        *(_step("skeletonclr", "SkeletonCLR", size, 5) for size in _sizes(2)),
        *(_step("skeletonclr", "SkeletonCLR", size, 10) for size in _sizes(1)),
        *(_step("aimclr", "AimCLR", size, 4) for size in _sizes(2)[1:]),
        _snippets(ClipSize(32, 304, 1)),
        _sampling(ClipSize(128, 50, 1)),
        _sampling(ClipSize(32, 304, 1)),
        *_localizing(),
        *_scoring(),
        Case(
            "read-skeleton", "reading .skeleton text of 100 frames",
            _pair("cases_files.conventional_reading", "cases_files.our_reading"), "ratio", 20, "files",
        ),
        *_tables(),
        *_defaults(),
        Case("demo", "make demo after the install", {"ours": _side("cases_files.demo")}, "seconds", 180, "runs", False),
    ]  # fmt: skip


def _side(function: str, *arguments: Any, **named: Any) -> Side:
    """The side `module.function`, called with the options and some arguments more."""
    module, name = function.split(".")

    def make(options: RunOptions) -> Job:
        job: Job = getattr(import_module(f".{module}", __package__), name)(options, *arguments, **named)
        return job

    return make


def _pair(conventional: str, ours: str, *arguments: Any) -> dict[str, Side]:
    return {"conventional": _side(conventional, *arguments), "ours": _side(ours, *arguments)}


def _training_side(function: str, kind: str, size: ClipSize, **named: Any) -> Side:
    """A side of cases_training; in quick runs of batches of 4."""

    def make(options: RunOptions) -> Job:
        clips = size._replace(batch=4) if options.quick else size
        return _side(f"cases_training.{function}", kind, clips, **named)(options)

    return make


def _sizes(people: int) -> list[ClipSize]:
    return [ClipSize(batch, frames, people) for batch, frames in ((32, 50), (128, 50), (32, 304))]


def _step(kind: str, title: str, size: ClipSize, goal: float) -> Case:
    """A pretraining step of the field against ours."""
    sides = {
        "conventional": _training_side("conventional_step", kind, size),
        "ours": _training_side("our_step", kind, size),
    }
    alone = "" if size.people == 2 else "-alone"
    who = "two people present: the same maths" if size.people == 2 else "one person present"
    about = f"{title} step, ST-GCN 16, {size.batch} clips of {size.frames} frames, {who}"
    return Case(f"{kind}{alone}-{size.batch}x{size.frames}", about, sides, goal=goal)


def _snippets(size: ClipSize) -> Case:
    sides = {
        "without": _training_side("our_step", "skeletonclr", size, snippets="off"),
        "ours": _training_side("our_step", "skeletonclr", size, snippets="aligned"),
    }
    about = f"the snippet term on top of the SkeletonCLR step, {size.batch} clips of {size.frames} frames, one person"
    return Case(f"snippets-{size.batch}x{size.frames}", about, sides, "extra", 0.08)


def _sampling(size: ClipSize) -> Case:
    sides = {
        "conventional": _training_side("conventional_sampling", "skeletonclr", size),
        "ours": _training_side("our_sampling", "skeletonclr", size),
        "step": _training_side("our_step", "skeletonclr", size),
    }
    about = f"sampling and augmenting both views of {size.batch} clips of {size.frames} frames, as a share of the step"
    return Case(f"sampling-{size.batch}x{size.frames}", about, sides, "share", 0.02)


def _localizing() -> list[Case]:
    whole = _pair("cases_localizing.conventional_localizing", "cases_localizing.our_localizing")
    stream = _pair("cases_localizing.conventional_streaming", "cases_localizing.our_streaming")
    return [
        Case("localize", "frame scores of two minutes, ST-GCN 64, against windows", whole, "ratio", 20, "passes"),
        Case("stream", "one more frame, ST-GCN 64, against the latest window again", stream, unit="frames"),
    ]


def _tables() -> list[Case]:
    """Motion tables by the compiled scanner, and by the one in Python that stands in for it."""
    cases = []
    for kind in ("csv", "trc"):
        about = f"reading {kind.upper()} of 25 joints at 6 decimals, 10 minutes at 60 frames a second"
        compiled = _pair("cases_files.conventional_table", "cases_files.our_table", kind)
        plain = {"ours": _side("cases_files.our_table", kind, compiled=False)}
        cases.append(Case(f"read-{kind}", about, compiled, "rate", 50, "MB"))
        cases.append(Case(f"read-{kind}-python", f"{about}, where nothing could be compiled", plain, "rate", unit="MB"))
    return cases


def _scoring() -> list[Case]:
    sides = _pair("cases_files.conventional_map", "cases_files.our_map")
    careful = {**sides, "conventional": _side("cases_files.conventional_map", grouped=True)}
    from_files = {"ours": _side("cases_files.our_map_from_files")}
    size = "7 thresholds, 100,000 predictions, 1,000 recordings"
    return [
        Case("map", f"mAP, {size}", sides, "ratio", 300, "figures"),
        Case("map-careful", f"mAP, {size}, against loops over a recording's own spans", careful, unit="figures"),
        Case("map-from-files", f"mAP from JSON files to the figure, {size}", from_files, "seconds", 0.5, "figures"),
    ]


def _defaults() -> list[Case]:
    """What the commands do by default, ours alone."""
    cases = []
    for encoder in ENCODERS:
        for name, command in (("pretrain-snippets", "pretrain"), ("finetune", "finetune")):
            side = _side(f"cases_training.default_{command}", encoder)
            about = f"a step of kinespan {command} by default"
            cases.append(Case(f"{name}-{encoder}", about, {"ours": side}, "rate", in_full=False))
        about = "a recording of five minutes from positions to spans"
        side = _side("cases_localizing.whole_localizing", encoder)
        goal = 1000.0 if encoder == "stgcn64" else None
        cases.append(
            Case(f"localize-{encoder}", about, {"ours": side}, "rate", goal, "s of motion", in_full=bool(goal))
        )
    return cases
