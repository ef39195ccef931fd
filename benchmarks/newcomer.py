"""The newcomer's path, walked by a script and timed: ten unlabelled BVH files to labels, a model and an ELAN file.

    python -m benchmarks.newcomer [--data ../shared/data/cmu_bvh/iclone] [--pace 1.5] [--out FOLDER]

Ten recordings of people with fingers are prepared and served by `kinespan label`. A headless Chromium does what a
person does, by mouse and keyboard: watches six recordings at normal speed, labels their jumps and turns, presses
Train, walks through what the model proposes in the other four, accepts, corrects, rejects and adds, and downloads ELAN
files. Each movement of the hand takes `--pace` seconds. The eyes are rules: a jump is a time with both feet in the air,
a turn a time in which the hips turn fast (`actions`). Prints a table of the steps. Needs playwright and chromium.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinespan.annotations import read_annotations
from kinespan.corpus.annotation_sets import AnnotationSets
from kinespan.corpus.store import Corpus
from kinespan.data.annotation import Span, subtract
from kinespan.data.recording import Recording
from kinespan.runs.load import load_model

from .page import served

LABELLED = ("005_05", "005_07", "005_08", "005_14", "005_16", "005_17")
"""Recordings that are labelled from nothing: dances with jumps and turns."""
PREDICTED = ("001_01", "005_18", "005_19", "005_20")
"""Recordings whose labels begin as drafts of the model: jumps and turns of another person, and three dances."""
LABELS = ("jump", "turn")
PATIENCE = 600_000
"""Milliseconds that a job may take."""
WRONG_EDGE = 0.2
"""Seconds by which an edge of a draft must be off before it is worth a hand."""


# ---- the eyes --------------------------------------------------------------------------------------------------------


def actions(recording: Recording) -> tuple[Span, ...]:
    """What somebody sees in a recording, by rules: jumps, and turns outside of them; edges lie between frames.

    jump: the toes of both feet are 10 cm above where they stand, for 0.12 s at least, and 0.15 s before and after that.
    turn: the hips turn by 120 degrees a second or more, for 0.4 s at least.
    """
    fps, names = recording.fps, [joint.removeprefix("CC_Base_") for joint in recording.skeleton.joints]
    joint = {name: recording.positions[:, 0, i].astype(float) for i, name in enumerate(names)}
    toes = np.minimum(joint["L_ToeBase"][:, 1], joint["R_ToeBase"][:, 1])
    hips = joint["L_Thigh"] - joint["R_Thigh"]
    heading = np.unwrap(np.arctan2(hips[:, 0], hips[:, 2]))
    turning = np.degrees(np.abs(smoothed(np.gradient(heading) * fps, round(fps / 4))))
    air = stretches(toes > np.percentile(toes, 5) + 0.10, fps, shortest=0.12, gap=0.15)
    jumps = [(max(0.0, start - 0.15), min(recording.duration, end + 0.15)) for start, end in air]
    turns = subtract(stretches(turning > 120, fps, shortest=0.4, gap=0.25), jumps)
    seen = [("jump", each) for each in jumps] + [("turn", each) for each in turns if each[1] - each[0] >= 0.3]
    return tuple(
        Span(round(start * fps) / fps, round(end * fps) / fps, label)
        for label, (start, end) in sorted(seen, key=lambda item: item[1])
    )


def smoothed(values: NDArray[np.float64], frames: int) -> NDArray[np.float64]:
    """Means over so many frames around each."""
    padded = np.pad(values, (frames // 2, frames - 1 - frames // 2), mode="edge")
    return np.convolve(padded, np.full(frames, 1 / frames), mode="valid")


def stretches(mask: NDArray[np.bool_], fps: float, shortest: float, gap: float) -> list[tuple[float, float]]:
    """Seconds of the runs of True, those joined that are less than a gap apart, without the short ones."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(int), [0])))).reshape(-1, 2) / fps
    joined: list[tuple[float, float]] = []
    for start, end in edges.tolist():
        if joined and start - joined[-1][1] < gap:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return [(start, end) for start, end in joined if end - start >= shortest]


# ---- the hands -------------------------------------------------------------------------------------------------------


class Person:
    """Somebody at the page, whose every movement of the hand takes a while."""

    def __init__(self, page: Any, pace: float) -> None:
        self.page, self.pace, self.movements = page, pace, 0

    def move(self) -> None:
        """The time that a movement of the hand takes."""
        self.movements += 1
        self.page.wait_for_timeout(1000 * self.pace)

    def press(self, *keys: str) -> None:
        """Press keys as one movement."""
        self.move()
        for key in keys:
            self.page.keyboard.press(key)

    def click(self, selector: str) -> None:
        """Click on something."""
        self.move()
        self.page.click(selector)

    def show(self, name: str) -> None:
        """Choose a recording in the list."""
        self.move()
        self.page.locator("#list [role=option]", has_text=name).click()
        self.page.locator("h1", has_text=name).wait_for()
        self.page.evaluate("document.activeElement.blur()")

    def watch(self) -> None:
        """Play the whole recording once, at normal speed."""
        self.press("Home", "Space")
        self.page.get_by_role("button", name="Play", exact=True).wait_for(timeout=PATIENCE)

    def go_to(self, frame: int, fps: float) -> None:
        """The playhead to a frame, as one movement."""
        second, rest = divmod(frame, round(fps))
        self.press("Home", *["Shift+ArrowRight"] * second, *["ArrowUp"] * (rest // 10), *["ArrowRight"] * (rest % 10))

    def label_by_mouse(self, span: Span, duration: float) -> None:
        """Drag over the timeline with the label that is current; a new one is typed."""
        self.page.keyboard.press("Escape")
        known = self.page.locator(".label-list .choose", has_text=span.label)
        if known.count() and known.get_attribute("aria-pressed") == "false":
            self.move()
            known.click()
        is_typed = known.count() == 0
        box = self.timeline()
        x = [box["x"] + box["width"] * seconds / duration for seconds in (span.end, span.start)]  # not at an edge
        y = box["y"] + box["height"] / 2
        self.move()
        self.page.keyboard.down("Alt")  # it snaps to nothing
        self.page.mouse.move(x[0], y)
        self.page.mouse.down()
        self.page.mouse.move(x[1], y, steps=8)
        self.page.mouse.up()
        self.page.keyboard.up("Alt")
        if is_typed:
            self.type_label(span.label)

    def timeline(self) -> Any:
        """Where the labels are drawn."""
        canvas = self.page.locator(".row", has_text=re.compile("^Labels")).locator("canvas").first
        return canvas.bounding_box() or canvas.bounding_box()  # a row may be drawn anew meanwhile

    def type_label(self, label: str) -> None:
        """Type a new label: the first one is asked for, another one is given to what was drawn by `r`."""
        self.move()
        if self.page.locator(".label-list .choose").count():
            self.page.keyboard.press("r")
        self.page.locator("dialog[open] input").fill(label)
        self.page.keyboard.press("Enter")
        self.page.locator("dialog[open]").wait_for(state="detached")

    def label_by_keys(self, span: Span, fps: float) -> None:
        """Marks at the first and the last frame, then the digit of the label."""
        self.page.keyboard.press("Escape")
        self.go_to(round(span.start * fps), fps)
        self.press("i")
        self.go_to(round(span.end * fps) - 1, fps)
        self.press("o")
        self.press(str(LABELS.index(span.label) + 1))

    def select(self, seconds: float, duration: float) -> None:
        """Click on a span in the timeline."""
        self.page.keyboard.press("Escape")
        self.move()
        box = self.timeline()
        self.page.mouse.click(box["x"] + box["width"] * seconds / duration, box["y"] + box["height"] / 2)

    def correct(self, span: Span, to: Span, fps: float) -> None:
        """Move the edges of the selected span by keys, each in one movement."""
        for edge, seconds in (("Alt+", to.start - span.start), ("Shift+Alt+", to.end - span.end)):
            frames = round(seconds * fps)
            if abs(seconds) > WRONG_EDGE:
                self.press(*[f"{edge}Arrow{'Right' if frames > 0 else 'Left'}"] * abs(frames))


# ---- the path --------------------------------------------------------------------------------------------------------


class Steps:
    """The steps of the path and how long each took."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float]] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step."""
        begun = time.perf_counter()
        yield
        self.rows.append((name, time.perf_counter() - begun))
        print(f"{self.rows[-1][1]:7.1f} s  {name}", flush=True)


class Walk:
    """The path on the page; what is there to see is computed from the corpus by `actions`."""

    def __init__(self, corpus: Path, person: Person) -> None:
        self.person, self.page = person, person.page
        self.corpus = Corpus.open(corpus)
        self.sets = AnnotationSets.open(corpus)
        self.truth = {name: actions(self.corpus[name]) for name in self.corpus.names}
        self.counts = dict.fromkeys(("accepted", "corrected", "rejected", "added"), 0)
        self.drafts: dict[str, list[Span]] = {}

    def saved(self, name: str) -> list[Span]:
        """The spans that the corpus has of a recording."""
        items = self.sets.items(self.sets.infos[0].name, name).values()
        return sorted((item for item in items if isinstance(item, Span)), key=lambda span: span.start)

    def until_saved(self, name: str, count: int) -> None:
        """Wait until so many spans of a recording are saved."""
        for _ in range(200):
            if len(self.saved(name)) == count:
                return
            self.page.wait_for_timeout(50)
        raise SystemExit(f"{name}: {len(self.saved(name))} labels are saved, {count} were made")

    def label(self, name: str, by_mouse: bool) -> None:
        """Watch a recording and label all that is seen in it."""
        fps, duration = self.corpus[name].fps, self.corpus[name].duration
        self.person.show(name)
        self.person.watch()
        for span in self.truth[name]:
            if by_mouse:
                self.person.label_by_mouse(span, duration)
            else:
                self.person.label_by_keys(span, fps)
        self.until_saved(name, len(self.truth[name]))

    def train(self) -> None:
        """Press Train and wait until its model has predicted all recordings."""
        self.person.click("#tab-train")
        self.person.click("#panel-train button.strong.wide")
        predicted = (
            "() => [...document.querySelectorAll('#list .item')].every((row) => row.textContent.includes('predicted'))"
        )
        failed = "() => document.querySelector('.job[data-state=failed]')"
        self.page.wait_for_function(f"() => ({predicted})() || ({failed})()", timeout=PATIENCE)
        if self.page.evaluate(f"({failed})() !== null"):
            raise SystemExit(self.page.inner_text(".job[data-state=failed]"))
        self.page.locator(".model input:checked").wait_for()

    def go_through(self, name: str) -> None:
        """Watch a recording with its drafts; accept, reject, mend edges and add what is missing."""
        self.person.show(name)
        self.person.click("#tab-suggestions")
        self.person.watch()
        self.drafts[name] = self.listed_drafts()
        self.person.press("Escape", "g")
        for draft in self.drafts[name]:
            match = best_match(draft, self.truth[name])
            self.person.press("x" if match is None else "a")
            self.counts["rejected" if match is None else "accepted"] += 1
        self.until_saved(name, sum(best_match(draft, self.truth[name]) is not None for draft in self.drafts[name]))
        self.mend(name)

    def listed_drafts(self) -> list[Span]:
        """The drafts as the page lists them."""
        rows = self.page.locator(".picks[aria-label=Drafts] .pick").all()
        drafts = []
        for row in rows:
            start, end = (
                60 * int(m) + float(s) for m, s in re.findall(r"(\d+):([\d.]+)", row.locator(".when").inner_text())
            )
            drafts.append(Span(start, end, row.locator(".name-text").inner_text()))
        return drafts

    def mend(self, name: str) -> None:
        """Drag the edges of accepted drafts that are off, and label what the model missed."""
        recording = self.corpus[name]
        for span in self.saved(name):
            match = best_match(span, self.truth[name])
            if match and max(abs(match.start - span.start), abs(match.end - span.end)) > WRONG_EDGE:
                self.person.select((span.start + span.end) / 2, recording.duration)
                self.person.correct(span, match, recording.fps)
                self.counts["corrected"] += 1
        missed = [span for span in self.truth[name] if best_match(span, tuple(self.saved(name))) is None]
        for span in missed:
            self.person.label_by_keys(span, recording.fps)
            self.counts["added"] += 1
        self.page.wait_for_timeout(1000)

    def download(self, folder: Path) -> Path:
        """All recordings as ELAN files."""
        self.person.click("#tab-export")
        self.person.click("#panel-export input[value=elan]")
        self.person.click("#panel-export input[value=all]")
        with self.page.expect_download() as download:
            self.person.click("#panel-export button.strong")
        file = folder / download.value.suggested_filename
        download.value.save_as(file)
        return file

    def figures(self) -> str:
        """How right the drafts were, by the rules that are the eyes."""
        truth = [span for name in self.drafts for span in self.truth[name]]
        right = sum(
            best_match(span, tuple(self.drafts[name])) is not None for name in self.drafts for span in self.truth[name]
        )
        total = len(truth) + sum(map(len, self.drafts.values()))
        return (
            f"drafts: F1@50 {200 * right / max(1, total):.0f} of {len(truth)} actions in {len(self.drafts)} recordings"
        )


def best_match(span: Span, others: tuple[Span, ...]) -> Span | None:
    """The span of the same label that shares at least half of the time of both together; None without one."""

    def share(other: Span) -> float:
        both = min(span.end, other.end) - max(span.start, other.start)
        return both / (max(span.end, other.end) - min(span.start, other.start))

    matches = [other for other in others if other.label == span.label and share(other) >= 0.5]
    return max(matches, key=share, default=None)


def check_file(file: Path, walk: Walk) -> int:
    """Compare the ELAN files with the corpus; returns how many spans they have."""
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(file).extractall(folder)
        count = 0
        for name in walk.corpus.names:
            [annotation] = read_annotations(Path(folder) / f"{name}.eaf").values()
            spans, saved = annotation.spans, walk.saved(name)
            same = len(spans) == len(saved) and all(
                a.label == b.label and max(abs(a.start - b.start), abs(a.end - b.end)) < 0.001  # ELAN has milliseconds
                for a, b in zip(spans, saved, strict=True)
            )
            if not same:
                raise SystemExit(f"{name}.eaf has {spans}, and the corpus {saved}")
            count += len(spans)
    return count


def walk_all(data: Path, out: Path, pace: float) -> None:
    """Walk the path, and print what each step took."""
    from playwright.sync_api import sync_playwright

    motion, corpus = out / "my_motion", out / "corpus"
    motion.mkdir(parents=True)
    for name in (*LABELLED, *PREDICTED):
        shutil.copyfile(data / name[:3] / f"{name}.bvh", motion / f"{name}.bvh")
    steps = Steps()
    with steps.step("kinespan prepare my_motion --out corpus"):
        command = [sys.executable, "-m", "kinespan.cli", "prepare", str(motion), "--out", str(corpus)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with steps.step("kinespan label corpus: the page is there"):
            process, link = served(corpus)
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.on("pageerror", lambda error: sys.exit(f"error on the page: {error}"))
            page.on("console", lambda message: print(f"the page says: {message.text} {message.location}"))
            page.goto(link)
            page.wait_for_selector("html[data-ready]")
        try:
            walk_page(Walk(corpus, Person(page, pace)), steps, out)
        finally:
            process.terminate()
            process.wait()
            browser.close()
    print(f"{sum(seconds for _, seconds in steps.rows):7.1f} s  in all")


def walk_page(walk: Walk, steps: Steps, out: Path) -> None:
    """The part of the path that is walked on the page."""
    labels = sum(len(walk.truth[name]) for name in LABELLED)
    motion = sum(walk.corpus[name].duration for name in LABELLED)
    with steps.step(
        f"{labels} labels by mouse and keyboard in {len(LABELLED)} recordings, {motion:.0f} s of motion watched"
    ):
        for i, name in enumerate(LABELLED):
            walk.label(name, by_mouse=i % 2 == 0)
    with steps.step("Train: a model is loaded, all recordings are predicted"):
        walk.train()
    motion = sum(walk.corpus[name].duration for name in PREDICTED)
    with steps.step(f"{len(PREDICTED)} recordings of {motion:.0f} s watched with their drafts and corrected"):
        for name in PREDICTED:
            walk.go_through(name)
    with steps.step("Export: the labels of all recordings as ELAN files"):
        file = walk.download(out)
    spans = check_file(file, walk)
    counts = ", ".join(f"{count} {what}" for what, count in walk.counts.items())
    print(f"{walk.figures()}; {counts}; {walk.person.movements} movements of the hand")
    skeleton = load_model(out / "corpus-runs" / "run-001").spec.input.skeleton.name
    print(f"joints of the model: {skeleton}, of {walk.corpus[LABELLED[0]].skeleton.num_joints} in the files")
    print(f"{file.name}: {spans} spans, as the corpus has them")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data/cmu_bvh/iclone"), help="folder of the BVH files"
    )
    parser.add_argument("--pace", type=float, default=1.5, help="seconds that a movement of the hand takes")
    parser.add_argument("--out", type=Path, help="folder for the corpus and the ELAN files; it must not exist")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        walk_all(options.data, options.out or Path(folder) / "path", options.pace)


if __name__ == "__main__":
    main()
