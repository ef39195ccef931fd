"""How smoothly the page moves through an hour of motion: in a real browser, with real movements of a mouse.

    python -m benchmarks.page [--minutes 60] [--fps 120] [--spans 10000] [--json FILE]

Makes a corpus of one long recording (25 joints) with many labelled spans, serves it with `kinespan label`, and drives a
headless Chromium: shows two curves; drags the playhead over the timelines, in view of the whole, a minute and a second;
zooms from the whole to a second and back; plays. Each figure is the time from one frame to the next, and the time that
the page's own thread works for a frame, in milliseconds. docs/research/performance.md says what the figures mean. Needs
playwright and chromium.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from kinespan.corpus.writer import CorpusWriter
from kinespan.data.annotation import Annotation, Span
from kinespan.data.recording import Recording
from kinespan.prepare.synthetic.takes import ACTIONS, SyntheticConfig, synthetic_takes

GOAL = 33.0
"""Milliseconds from frame to frame that 95 of 100 stay under, on two cores."""
MOVES = 240
"""Movements of the mouse in a gesture."""

RECORDER = """() => {
  const frames = [];
  const work = [];
  let last = null;
  let isOn = true;
  const channel = new MessageChannel();
  let begun = 0;
  channel.port1.onmessage = () => work.push(performance.now() - begun);
  const tick = (now) => {
    if (!isOn) return;
    if (last !== null) frames.push(now - last);
    last = now;
    begun = performance.now();
    channel.port2.postMessage(null); // comes after the frame was laid out and painted
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
  document.recorder = () => {
    isOn = false;
    return { frames, work };
  };
}"""


def long_motion(minutes: float, fps: float) -> Recording:
    """A recording of synthetic motion, repeated to so many minutes on a wandering path."""
    take, _ = next(iter(synthetic_takes(SyntheticConfig(recordings=1, seconds=(40.0, 40.0), dropouts=0.0))))
    frames = round(minutes * 60 * fps)
    source = np.arange(frames) * take.fps / fps
    there_and_back = np.abs((source + take.num_frames - 1) % (2 * (take.num_frames - 1)) - (take.num_frames - 1))
    low = np.minimum(there_and_back.astype(int), take.num_frames - 2)
    share = (there_and_back - low).astype(np.float32)[:, None, None, None]
    positions = take.positions[low] * (1 - share) + take.positions[low + 1] * share
    seconds = np.arange(frames) / fps
    positions[..., 0] += (2 * np.sin(seconds / 37)).astype(np.float32)[:, None, None]
    positions[..., 2] += (2 * np.cos(seconds / 53)).astype(np.float32)[:, None, None]
    return Recording(positions, fps=fps, skeleton=take.skeleton, name="a long recording")


def write_corpus(path: Path, minutes: float, fps: float, num_spans: int) -> None:
    """A corpus of the long recording, with spans next to each other all along it."""
    recording = long_motion(minutes, fps)
    bounds = np.linspace(0, recording.duration, num_spans + 1)
    names = ACTIONS.names
    spans = [Span(a, a + 0.8 * (b - a), names[i % len(names)]) for i, (a, b) in enumerate(pairwise(bounds))]
    with CorpusWriter(path, "long") as writer:
        writer.add(recording, Annotation(tuple(spans), ACTIONS))


def served(corpus: Path) -> tuple[subprocess.Popen[str], str]:
    """The page of a corpus and its link."""
    command = [sys.executable, "-m", "kinespan.cli", "label", str(corpus), "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert process.stdout is not None
    for line in process.stdout:
        link = re.search(r"http://\S+", line)
        if link:
            return process, link[0]
    raise SystemExit("the server ended before it printed its link")


class Gestures:
    """What is done on the page, and what is measured of it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.results: dict[str, dict[str, float]] = {}

    def measure(self, name: str, gesture: Any) -> None:
        """Do a gesture while frames are recorded."""
        self.page.evaluate(RECORDER)
        gesture()
        recorded = self.page.evaluate("() => document.recorder()")
        figures = {"frames": len(recorded["frames"])}
        for kind, values in recorded.items():
            p50, p95, most = np.percentile(values, [50, 95, 100])
            figures |= {f"{kind}_p50": round(p50, 1), f"{kind}_p95": round(p95, 1), f"{kind}_max": round(most, 1)}
        self.results[name] = figures
        print(f"{name:34s}" + "  ".join(f"{key} {value:g}" for key, value in figures.items()), flush=True)

    def add_curve(self, joint: str, kind: str) -> None:
        """Show a curve of a joint."""
        self.page.get_by_text("Add curve").click()
        form = self.page.locator(".curve-form")
        form.get_by_label("Kind").select_option(kind)
        form.get_by_label("Joint").select_option(joint)
        form.get_by_role("button", name="Add").click()
        self.page.locator(".row.curve", has_text=joint).wait_for()

    def drag(self) -> None:
        """Drag the playhead over the timelines, there and back."""
        box = self.page.locator(".row.axis canvas").bounding_box()
        y = box["y"] + box["height"] / 2
        self.page.mouse.move(box["x"] + 5, y)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + box["width"] - 5, y, steps=MOVES // 2)
        self.page.mouse.move(box["x"] + 5, y, steps=MOVES // 2)
        self.page.mouse.up()

    def wheel(self, by: float, times: int) -> None:
        """Zoom by the wheel, its pointer in the middle of the timelines."""
        box = self.page.locator(".row.axis canvas").bounding_box()
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 8)
        self.page.keyboard.down("Control")
        for _ in range(times):
            self.page.mouse.wheel(0, by)
        self.page.keyboard.up("Control")

    def play(self) -> None:
        """Play for three seconds."""
        self.page.locator("#play").click()
        self.page.wait_for_timeout(3000)
        self.page.locator("#play").click()


def run(link: str) -> dict[str, dict[str, float]]:
    """All gestures on the page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.on("pageerror", lambda error: sys.exit(f"error on the page: {error}"))
        page.goto(link)
        page.wait_for_selector("html[data-ready]")
        page.wait_for_timeout(1500)
        gestures = Gestures(page)
        gestures.add_curve("right hand", "height")
        gestures.add_curve("left knee", "angle")
        gestures.measure("nothing moves", lambda: page.wait_for_timeout(1500))
        gestures.measure("drag over the whole", gestures.drag)
        gestures.measure("zoom from the whole to a second", lambda: gestures.wheel(-120, 30))
        gestures.measure("drag over a second", gestures.drag)
        gestures.measure("zoom from a second to the whole", lambda: gestures.wheel(120, 30))
        gestures.wheel(-120, 11)
        gestures.measure("drag over a minute", gestures.drag)
        gestures.measure("play", gestures.play)
        browser.close()
    return gestures.results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--fps", type=float, default=120)
    parser.add_argument("--spans", type=int, default=10_000)
    parser.add_argument("--corpus", type=Path, help="keep the corpus here, and use the one that is here")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus = options.corpus or Path(folder) / "long"
        if not corpus.exists():
            write_corpus(corpus, options.minutes, options.fps, options.spans)
        process, link = served(corpus)
        try:
            results = run(link)
        finally:
            process.terminate()
            process.wait()
    drags = [figures["frames_p95"] for name, figures in results.items() if name.startswith("drag")]
    print(f"scrubbing: p95 {max(drags):g} ms from frame to frame; at most {GOAL:g} is wanted")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
