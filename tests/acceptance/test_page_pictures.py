"""Pictures of the page, wide and narrow, light and dark: none is blank, nothing hangs out of the window.

`make pictures` sets KINESPAN_PICTURES to the folder of the pictures in README and docs, and trains the model that they
show; a test trains it for a few steps only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_fixtures import OpenPage, ServedPage, opened

from kinespan.corpus.writer import CorpusWriter
from kinespan.prepare.synthetic.takes import ACTIONS, SyntheticConfig, synthetic_takes

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (pip install kinespan[test])"
)
pytest.importorskip("starlette", reason="starlette is not installed (pip install kinespan[page])")
pytestmark = pytest.mark.browser
expect = playwright.expect

FOLDER = os.environ.get("KINESPAN_PICTURES")
LABELLED, RECORDINGS = (12, 18) if FOLDER else (2, 3)
STEPS = "" if FOLDER else "3"
JOB_SECONDS = 600_000
LARGEST = 250_000
"""Bytes of a picture."""
COLOURS = """(canvas) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPage]:
    """A corpus in which most recordings are labelled, one in part, some not at all."""
    path = tmp_path_factory.mktemp("pictures") / "exercises"
    with CorpusWriter(path, path.name, labels=ACTIONS) as writer:
        takes = synthetic_takes(SyntheticConfig(recordings=RECORDINGS, seconds=(24.0, 28.0), dropouts=0.0))
        for i, (recording, truth) in enumerate(takes):
            writer.add(recording, truth if i < LABELLED else None)
    with ServedPage("label", path, "--author", "Anna") as served:
        yield served


def show(page: OpenPage, recording: int) -> None:
    if page.page.locator(".list-toggle").is_visible():
        page.page.locator(".list-toggle").click()
    item = page.page.locator("#list .item").nth(recording)
    name = item.locator(".first .text").inner_text()
    item.click()
    expect(page.page.locator("h1").first).to_have_text(name)


def press(page: OpenPage, *keys: str) -> None:
    for key in keys:
        page.page.keyboard.press(key)


def take(page: OpenPage, name: str, folder: Path) -> None:
    """A picture in light and one in dark, checked."""
    for scheme, suffix in (("light", ""), ("dark", "-dark")):
        page.page.emulate_media(color_scheme=scheme)
        page.page.mouse.move(0, 0)
        page.frames(4)
        assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert page.page.eval_on_selector("#scene", COLOURS) > 30, f"{name}: nobody is seen"
        assert page.page.eval_on_selector(".row:not(.axis) canvas", COLOURS) > 3, f"{name}: nothing is on the timeline"
        png = page.page.screenshot(path=folder / f"{name}{suffix}.png")
        assert 20_000 < len(png) < LARGEST, f"{name}{suffix}: {len(png)} bytes"
    page.page.emulate_media(color_scheme="light")


def add_curve(page: OpenPage, kind: str, joint: str) -> None:
    page.page.get_by_text("Add curve").click()
    form = page.page.locator(".curve-form")
    form.get_by_label("Kind").select_option(kind)
    form.get_by_label("Joint").select_option(joint)
    form.get_by_role("button", name="Add").click()
    page.page.locator(".row.curve", has_text=joint).wait_for()


def train(page: OpenPage, folder: Path) -> None:
    """A model is trained and predicts all recordings."""
    page.page.click("#tab-train")
    panel = page.page.locator("#panel-train")
    panel.get_by_text("More", exact=True).click()
    panel.get_by_role("spinbutton", name="Steps").fill(STEPS)
    panel.get_by_text("More", exact=True).click()
    panel.get_by_role("button", name="Train", exact=True).click()
    if FOLDER:  # while the loss falls
        expect(panel.locator(".job-standing")).to_contain_text(re.compile(r"2\d\d of 300"), timeout=JOB_SECONDS)
        take(page, "page-train", folder)
    expect(panel.locator(".model input").first).to_be_checked(timeout=JOB_SECONDS)
    expect(page.page.locator("#list .item", has_text="predicted").nth(1)).to_be_visible(timeout=JOB_SECONDS)
    expect(panel.locator(".job[data-state=running], .job[data-state=waiting]")).to_have_count(0, timeout=JOB_SECONDS)
    if not FOLDER:
        take(page, "page-train", folder)


def test_pictures_of_the_page_wide_and_narrow(chromium: Any, served: ServedPage, tmp_path: Path) -> None:
    folder = Path(FOLDER or tmp_path)
    wide = {"viewport": {"width": 1400, "height": 860}}
    with opened(chromium, served.link, **wide) as page:
        add_curve(page, "height", "right hand")
        press(page, "f", "Home", ".", ".", "ArrowUp", "ArrowUp")
        take(page, "page-labels", folder)
        train(page, folder)
        show(page, RECORDINGS - 1)
        page.page.click("#tab-suggestions")
        press(page, "Home", "g", "g", "ArrowUp")
        take(page, "page-drafts", folder)
    narrow = {"viewport": {"width": 420, "height": 860}}
    with opened(chromium, served.link, **narrow) as page:
        press(page, "Home", ".", "ArrowUp", "ArrowUp")
        take(page, "page-narrow", folder)
