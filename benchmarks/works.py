"""The works of the yardstick: what is measured, on which sides, and what it must reach.

A side is imported only in the process that measures it. The goals are for two CPU cores.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Literal

from kinespan.config import Precision

from .turns import Job

Measure = Literal["ratio", "extra", "share", "rate", "seconds", "p99"]
"""What the goal is about.

ratio: conventional over ours, at least. extra: what ours takes more than `without`, below. share: what part of `step`
ours takes, below. rate: units of ours a second, at least. seconds: of ours, at most. p99: seconds that 99 of 100
units of ours stay within, at most.
"""
ENCODERS = ("stgcn16_light", "tcn", "stgcn16", "stgcn64")


@dataclass(frozen=True)
class Setting:
    """How a side is to be built."""

    device: str = "cpu"
    quick: bool = False
    precision: Precision = "auto"


@dataclass(frozen=True)
class Work:
    """A row: its name, what it is, its sides by name, and the goal (None: measured, no goal set)."""

    name: str
    about: str
    sides: Mapping[str, Callable[[Setting], Job]]
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


def _side(place: str, *arguments: Any, **named: Any) -> Callable[[Setting], Job]:
    """The side `module.function`, given some arguments after its setting."""
    module, function = place.split(".")

    def make(setting: Setting) -> Job:
        job: Job = getattr(import_module(f".{module}", __package__), function)(setting, *arguments, **named)
        return job

    return make


def _steps(kind: str, title: str, size: tuple[int, int], people: int, goal: float) -> Work:
    """A pretraining step against ours; in quick runs batches of 4."""
    batch, frames = size

    def make(place: str, setting: Setting) -> Job:
        from .works_training import Size

        return _side(place, kind, Size(4 if setting.quick else batch, frames, people))(setting)

    sides = {
        "conventional": partial(make, "works_training.usual_step"),
        "ours": partial(make, "works_training.our_step"),
    }
    alone = "" if people == 2 else "-alone"
    who = "two people there: the same maths" if people == 2 else "one person there"
    about = f"{title} step, ST-GCN 16, {batch} clips of {frames} frames, {who}"
    return Work(f"{kind}{alone}-{batch}x{frames}", about, sides, goal=goal)


def _snippets(batch: int, frames: int) -> Work:
    def make(snippets: str, setting: Setting) -> Job:
        from .works_training import Size

        size = Size(4 if setting.quick else batch, frames, 1)
        return _side("works_training.our_step", "skeletonclr", size, snippets=snippets)(setting)

    sides = {"without": partial(make, "off"), "ours": partial(make, "aligned")}
    about = f"the snippet term on top of the SkeletonCLR step, {batch} clips of {frames} frames, one person there"
    return Work(f"snippets-{batch}x{frames}", about, sides, "extra", 0.08)


def _sampling(batch: int, frames: int) -> Work:
    def make(place: str, setting: Setting) -> Job:
        from .works_training import Size

        size = Size(4 if setting.quick else batch, frames, 1)
        return _side(f"works_training.{place}", "skeletonclr", size)(setting)

    sides = {
        "conventional": partial(make, "usual_sampling"),
        "ours": partial(make, "our_sampling"),
        "step": partial(make, "our_step"),
    }
    about = f"sampling and augmenting both views of {batch} clips of {frames} frames, as a share of the step"
    return Work(f"sampling-{batch}x{frames}", about, sides, "share", 0.02)


def _recipes() -> list[Work]:
    """What the commands do by default, ours alone."""
    found = []
    for encoder in ENCODERS:
        place = "works_training.default_pretraining"
        for name, sides in (
            (f"pretrain-{encoder}", _side(place, encoder, "off")),
            (f"pretrain-snippets-{encoder}", _side(place, encoder, "aligned")),
            (f"finetune-{encoder}", _side("works_training.default_finetuning", encoder)),
        ):
            about = f"a step of kinespan {name.split('-')[0]} by default"
            found.append(Work(name, about, {"ours": sides}, "rate", in_full=False))
        about = "a recording of five minutes from positions to spans"
        whole = _side("works_localizing.whole_localizing", encoder)
        goal = 1000.0 if encoder == "stgcn64" else None
        found.append(
            Work(f"localize-{encoder}", about, {"ours": whole}, "rate", goal, "s of motion", in_full=bool(goal))
        )
    return found


def _streaming() -> list[Work]:
    found = []
    for encoder in ("stgcn64", "stgcn16"):
        sides = _pair("works_localizing.usual_streaming", "works_localizing.our_streaming", encoder)
        about = f"scores of one more frame, {encoder}"
        against = f"{about}, against running the window again"
        found.append(Work(f"stream-{encoder}", against, sides, "ratio", 60, "frames"))
        found.append(Work(f"stream-p99-{encoder}", about, {"ours": sides["ours"]}, "p99", 0.002, "frames"))
    return found


def _pair(usual: str, ours: str, *arguments: Any) -> dict[str, Callable[[Setting], Job]]:
    return {"conventional": _side(usual, *arguments), "ours": _side(ours, *arguments)}


def works() -> list[Work]:
    """All of them, in the order in which they run."""
    localizing = _pair("works_localizing.usual_localizing", "works_localizing.our_localizing")
    scoring = _pair("works_files.usual_map", "works_files.our_map")
    careful = {**scoring, "conventional": _side("works_files.usual_map", grouped=True)}
    reading = _pair("works_files.usual_reading", "works_files.our_reading")
    from_files = {"ours": _side("works_files.our_map_from_files")}
    many = "7 thresholds, 100,000 predictions, 1,000 recordings"
    return [
        *(_steps("skeletonclr", "SkeletonCLR", size, 2, 5) for size in ((32, 50), (128, 50), (32, 304))),
        *(_steps("skeletonclr", "SkeletonCLR", size, 1, 10) for size in ((32, 50), (128, 50), (32, 304))),
        *(_steps("aimclr", "AimCLR", size, 2, 4) for size in ((128, 50), (32, 304))),
        _snippets(32, 304),
        _sampling(128, 50),
        _sampling(32, 304),
        Work("localize", "frame scores of two minutes, ST-GCN 64, against windows", localizing, "ratio", 20, "passes"),
        *_streaming(),
        Work("map", f"mAP, {many}", scoring, "ratio", 300, "figures"),
        Work("map-careful", f"mAP, {many}, against loops over a recording's own spans", careful, unit="figures"),
        Work("map-from-files", f"mAP from JSON files to the figure, {many}", from_files, "seconds", 0.5, "figures"),
        Work("read-skeleton", "reading .skeleton text of 100 frames", reading, "ratio", 20, "files"),
        *_recipes(),
        Work("demo", "make demo after the install", {"ours": _side("works_files.demo")}, "seconds", 180, "runs", False),
    ]
