"""Pages of `kinespan view` and `kinespan label` in a real browser: a made corpus, a server, an opened page."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from kinespan.corpus.writer import CorpusWriter
from kinespan.data.annotation import Annotation, LabelSet
from kinespan.data.recording import Recording
from kinespan.prepare.synthetic.takes import SyntheticConfig, synthetic_takes

HOSTILE = """<script>document.title = 'broken'</script> "it's" <b>bold</b>"""
RIGHT_TO_LEFT = "\u202eשלום עולם"


def make_corpus(path: Path, recordings: int = 2, labelled: bool = True, hostile: bool = False, **config: Any) -> Path:
    """A corpus of synthetic recordings of about ten seconds, by default with their labels.

    hostile: every label has a name that tries to break a page, and so have three more recordings.
    """
    config = {"seconds": (10.0, 12.0), **config}
    takes = list(synthetic_takes(SyntheticConfig(recordings=recordings, **config)))
    names = {name: name for name in takes[0][1].labels.names}
    if hostile:
        names = {name: f"{HOSTILE} {i}" if i % 2 else f"{RIGHT_TO_LEFT} {i}" for i, name in enumerate(names)}
        titles = (HOSTILE.replace("/", "|"), RIGHT_TO_LEFT, f"long {'name ' * 50}".strip())
        takes += [(_renamed(takes[0][0], title), takes[0][1]) for title in titles]
    labels = LabelSet(tuple(names.values()), exclusive=True)
    with CorpusWriter(path, path.name) as writer:
        for recording, truth in takes:
            spans = tuple(replace(span, label=names[span.label]) for span in truth.spans)
            writer.add(recording, Annotation(spans, labels) if labelled else None)
    return path


def _renamed(take: Recording, name: str) -> Recording:
    return Recording(take.positions, fps=take.fps, skeleton=take.skeleton, name=name, valid=take.valid)


class ServedPage:
    """`kinespan view ...` or `kinespan label ...` as a process, on a free port of this computer."""

    def __init__(self, *arguments: str | Path) -> None:
        self.arguments = [str(argument) for argument in arguments]
        self.link = ""
        self.start()

    def start(self, port: int = 0) -> None:
        """Start the server; its link is known when this returns."""
        command = [sys.executable, "-m", "kinespan.cli", *self.arguments, "--port", str(port), "--no-browser"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            link = re.search(r"http://\S+", line)
            if link:
                self.link = link[0]
                return
        raise AssertionError(f"the server ended before it printed its link:\n{''.join(lines)}")

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.link.rstrip("/").rsplit(":", 1)[1])

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def start_again(self) -> None:
        """Start it on the port that it had, where browsers look for it."""
        self.start(self.port)

    def close(self) -> None:
        """End it, as Ctrl-C does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class OpenPage:
    """A browser's page, and all that it complained of."""

    def __init__(self, browser: Any, link: str, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **options})
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(f"{message.text} {message.location['url']}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(link)
        self.page.wait_for_selector("html[data-ready]")

    def forgive(self, words: str) -> None:
        """Forget complaints with these words, of what the test did on purpose."""
        self.complaints = [complaint for complaint in self.complaints if words not in complaint]

    @property
    def time(self) -> float:
        """Where the playhead is, in seconds."""
        minutes, seconds = self.page.inner_text("#time").split(" / ")[0].split(":")
        return 60 * int(minutes) + float(seconds)

    def frames(self, count: int = 2) -> None:
        """Let the page draw some frames."""
        for _ in range(count):
            self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => done()))")

    def pixels(self, selector: str = "#scene") -> str:
        """A canvas as an image, after the page has had the time to paint."""
        self.frames()
        return str(self.page.eval_on_selector(selector, "(canvas) => canvas.toDataURL()"))

    def row(self, name: str) -> Any:
        """The canvas of the row of a timeline whose name begins so."""
        named = self.page.locator(".row", has=self.page.locator(".name", has_text=re.compile(f"^{re.escape(name)}")))
        return named.locator("canvas").first

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.page.evaluate(f"() => {width}"))


@contextmanager
def opened(browser: Any, link: str, **options: Any) -> Iterator[OpenPage]:
    """An opened page; it must not have complained of anything when it is closed."""
    page = OpenPage(browser, link, **options)
    try:
        yield page
        assert not page.complaints, f"the page complained: {page.complaints}"
    finally:
        page.context.close()
