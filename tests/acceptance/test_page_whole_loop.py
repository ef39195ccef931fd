"""The whole loop in a real browser: look, label, train, accept, correct, find more, compare, export, open again."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_fixtures import OpenPage, ServedPage, opened

from kinespan.annotations import read_annotations
from kinespan.corpus.annotation_sets import AnnotationSets
from kinespan.corpus.writer import CorpusWriter
from kinespan.data.annotation import Span
from kinespan.data.recording import Recording
from kinespan.data.skeletons import NTU_25
from kinespan.prepare.synthetic.takes import SyntheticConfig, synthetic_takes

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (pip install kinespan[test])"
)
pytest.importorskip("starlette", reason="starlette is not installed (pip install kinespan[page])")
pytestmark = pytest.mark.browser
expect = playwright.expect

FPS, SECONDS = 20.0, 9.0
RAISES, LEANS = (1.0, 4.0, 7.0), (2.5, 5.5)
"""When an arm is raised and when the body leans, in every recording a little later than in the one before."""
LONG, LATER = 1.0, 0.25
DRAFTS = "#panel-suggestions .picks[aria-label='Drafts'] .pick"
HITS = "#panel-suggestions .picks[aria-label='Moments like it'] .pick"
JOB_SECONDS = 180_000
STEPS = 40


def truth(recording: int) -> list[Span]:
    """What happens in a recording."""
    starts = [(start, "raise") for start in RAISES] + [(start, "lean") for start in LEANS]
    later = LATER * recording
    return [Span(start + later, start + later + LONG, label) for start, label in sorted(starts) if start + LONG < 8.5]


def motion(recording: int) -> Recording:
    """Somebody who stands, raises the right arm and leans to the side."""
    take, _ = next(iter(synthetic_takes(SyntheticConfig(recordings=1, seconds=(5.0, 5.0), dropouts=0.0))))
    times = np.arange(round(SECONDS * FPS)) / FPS
    positions = np.repeat(take.positions[:1, :1].astype(np.float64), len(times), axis=0)
    positions += np.random.default_rng(recording).normal(0, 0.004, positions.shape)
    arm = [
        i
        for i, name in enumerate(NTU_25.joints)
        if (name.startswith("right") and "hand" in name) or name == "right wrist"
    ]
    height = positions[:1, ..., 1] / positions[..., 1].max()
    for span in truth(recording):
        how_far = np.sin(np.pi * np.clip((times - span.start) / (span.end - span.start), 0, 1))[:, None]
        if span.label == "raise":
            positions[:, :, arm, 1] += 0.9 * how_far[..., None]
        else:
            positions[..., 0] += 0.5 * how_far[..., None] * height
    return Recording(positions.astype(np.float32), FPS, NTU_25, f"take_{recording}")


class Loop:
    """The corpus, its server, and what is saved."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "corpus"
        with CorpusWriter(self.path, "made") as writer:
            for recording in range(3):
                writer.add(motion(recording), None)
        self.served = ServedPage("label", self.path, "--author", "Ann")

    def saved(self, recording: int, set: str = "labels") -> list[tuple[str, float, float]]:
        items = AnnotationSets.open(self.path).items(set, f"take_{recording}").values()
        spans = sorted((item for item in items if isinstance(item, Span)), key=lambda span: span.start)
        return [(span.label, round(span.start, 3), round(span.end, 3)) for span in spans]

    def covered(self, recording: int) -> float:
        annotation = AnnotationSets.open(self.path).annotation("labels", f"take_{recording}")
        return sum(end - start for start, end in (annotation.covered or ())) if annotation else 0.0


def wait_until(page: OpenPage, condition: Callable[[], bool]) -> None:
    """Let the page work until something that the server saves is so."""
    for _ in range(250):
        if condition():
            return
        page.page.wait_for_timeout(30)
    raise AssertionError("it did not happen within eight seconds")


def press(page: OpenPage, *keys: str) -> None:
    for key in keys:
        page.page.keyboard.press(key)


def rows(spans: list[Span]) -> list[tuple[str, float, float]]:
    return [(span.label, round(span.start, 3), round(span.end, 3)) for span in spans]


def show(page: OpenPage, recording: int) -> None:
    page.page.locator("#list").get_by_text(f"take_{recording}", exact=True).click()
    expect(page.page.locator("h1").first).to_have_text(f"take_{recording}")


def point(page: OpenPage, seconds: float) -> tuple[float, float]:
    box = page.row("Labels").bounding_box()
    return box["x"] + box["width"] * seconds / SECONDS, box["y"] + box["height"] / 2


def drag(page: OpenPage, span: Span) -> None:
    """Draw a span with the mouse; Alt keeps it from snapping."""
    page.page.keyboard.down("Alt")
    page.page.mouse.move(*point(page, span.start))
    page.page.mouse.down()
    page.page.mouse.move(*point(page, span.end), steps=4)
    page.page.mouse.up()
    page.page.keyboard.up("Alt")


def type_label(page: OpenPage, name: str) -> None:
    page.page.wait_for_selector("dialog[open] input")
    page.page.keyboard.insert_text(name)
    press(page, "Enter")
    page.page.wait_for_selector("dialog", state="detached")


def mark(page: OpenPage, span: Span, key: str) -> None:
    """A span by keys alone: marks at its first and last frame, then the digit of its label."""
    for time, which in ((span.start, "i"), (span.end - 1 / FPS, "o")):
        second, frames = divmod(round(time * FPS), round(FPS))
        press(page, "Home", *["Shift+ArrowRight"] * second, *["ArrowUp"] * (frames // 10))
        press(page, *["ArrowRight"] * (frames % 10), which)
    press(page, key, "Escape")


# ---- the steps -------------------------------------------------------------------------------------------------------


def play(page: OpenPage) -> None:
    """The page opens on the first recording, which plays."""
    expect(page.page.locator("h1").first).to_have_text("take_0")
    before = page.pixels()
    page.page.select_option("#speed", "4")
    press(page, "Space")
    expect(page.page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    expect(page.page.get_by_role("button", name="Play", exact=True)).to_be_visible()  # it has ended
    assert page.time == SECONDS
    assert page.pixels() != before


def label_by_mouse(page: OpenPage, loop: Loop) -> None:
    spans = truth(0)
    drag(page, spans[0])
    type_label(page, "raise")  # the first label is asked for
    press(page, "Escape", "Home", "i", "ArrowUp", "o", "Enter")
    type_label(page, "lean")
    wait_until(page, lambda: len(loop.saved(0)) == 2)
    press(page, "u")
    for span in spans[1:]:
        page.page.locator(".label-list .choose", has_text=span.label).click()
        drag(page, span)
        press(page, "Escape")
    wait_until(page, lambda: loop.saved(0) == rows(spans))
    assert loop.covered(0) > SECONDS - 0.1  # it was watched


def label_by_keys_and_undo(page: OpenPage, loop: Loop) -> None:
    press(page, "n")
    expect(page.page.locator("h1").first).to_have_text("take_1")
    spans = truth(1)
    for span in spans:
        mark(page, span, "1" if span.label == "raise" else "2")
    press(page, "c")  # all of it was looked at
    wait_until(page, lambda: loop.saved(1) == rows(spans) and loop.covered(1) == SECONDS)
    press(page, "u", "u")
    wait_until(page, lambda: loop.saved(1) == rows(spans[:-1]))
    press(page, "Shift+U", "Shift+U")
    wait_until(page, lambda: loop.saved(1) == rows(spans) and loop.covered(1) == SECONDS)


def kill_the_server(page: OpenPage, loop: Loop) -> None:
    """What was done is there after `kill -9`, and what is done while nobody answers, too."""
    loop.served.kill()
    last = truth(1)[-1]
    press(page, "Home", ",", "End", ",")  # the last span
    press(page, "Alt+ArrowRight")
    expect(page.page.locator(".note.unsaved")).to_contain_text("Not saved yet")
    loop.served.start_again()
    moved = (last.label, round(last.start + 1 / FPS, 3), round(last.end, 3))
    wait_until(page, lambda: loop.saved(1) == [*rows(truth(1)[:-1]), moved])
    expect(page.page.locator(".note.unsaved")).to_be_hidden()
    press(page, "u", "Escape")
    wait_until(page, lambda: loop.saved(1) == rows(truth(1)))
    page.forgive("ERR_CONNECTION_REFUSED")
    page.forgive("ERR_INCOMPLETE_CHUNKED_ENCODING")


def train_and_predict(page: OpenPage) -> None:
    page.page.click("#tab-train")
    panel = page.page.locator("#panel-train")
    panel.get_by_text("More", exact=True).click()
    panel.get_by_role("spinbutton", name="Steps").fill(str(STEPS))
    panel.get_by_role("button", name="Train", exact=True).click()
    expect(panel.locator(".job[data-state=running]")).to_contain_text(re.compile("loss"), timeout=JOB_SECONDS)
    expect(panel.locator(".model input").first).to_be_checked(timeout=JOB_SECONDS)
    marks = page.page.locator("#list .item", has_text="predicted")
    expect(marks).to_have_count(3, timeout=JOB_SECONDS)


def accept_and_correct(page: OpenPage, loop: Loop) -> None:
    show(page, 2)
    page.page.click("#tab-suggestions")
    expect(page.page.locator(DRAFTS).first).to_be_visible()
    drafts = page.page.locator(DRAFTS).count()
    press(page, "g", "a")
    wait_until(page, lambda: len(loop.saved(2)) == 1)
    expect(page.page.locator(DRAFTS)).to_have_count(drafts - 1)
    (accepted,) = loop.saved(2)
    press(page, "Escape", "Home", ".", "Shift+Alt+ArrowRight")
    wait_until(page, lambda: loop.saved(2) != [accepted])
    ((label, start, end),) = loop.saved(2)
    assert label == accepted[0]
    assert start == pytest.approx(round(accepted[1] * FPS) / FPS)  # from where the model put it to a frame's edge
    assert 0 < end - accepted[2] < 2 / FPS


def find_more(page: OpenPage, loop: Loop) -> None:
    """A hit in another place gets the label of the moment that was chosen."""
    press(page, "q")
    expect(page.page.locator(HITS).first).to_be_visible(timeout=JOB_SECONDS)
    before = sum(len(loop.saved(k)) for k in range(3))
    press(page, "Enter")
    wait_until(page, lambda: sum(len(loop.saved(k)) for k in range(3)) == before + 1)
    press(page, "Space", "Escape")


def compare_with_another_set(page: OpenPage, loop: Loop) -> None:
    """A second annotator begins with a copy, changes one label, and finds it as the only difference."""
    page.page.locator("#set").select_option(label="Copy labels…")
    page.page.get_by_label("Name of the set").fill("ben")
    press(page, "Enter")
    expect(page.page.locator("#set")).to_have_value("ben")
    show(page, 0)
    expect(page.page.locator("#panel-labels .items [role=option]")).to_have_count(len(truth(0)))
    press(page, "Home", ".", "Delete")
    wait_until(page, lambda: loop.saved(0, "ben") == rows(truth(0)[1:]))
    page.page.click("#tab-compare")
    expect(page.page.get_by_label("Annotation set A")).to_have_value("labels")
    expect(page.page.get_by_label("Annotation set B")).to_have_value("ben")
    differences = page.page.locator("#panel-compare .pick")
    expect(differences).to_have_count(1)
    expect(differences).to_contain_text("take_0")
    expect(differences).to_contain_text("raise")
    page.page.locator("#set").select_option("labels")


def export_and_read_back(page: OpenPage, folder: Path) -> None:
    """What the ELAN file says is what the page lists."""
    show(page, 0)
    page.page.click("#tab-export")
    page.page.locator("#panel-export input[value=elan]").check()
    with page.page.expect_download() as download:
        page.page.get_by_role("button", name="Download labels").click()
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    (annotation,) = read_annotations(file).values()
    assert rows(list(annotation.spans)) == rows(truth(0))
    page.page.click("#tab-labels")
    listed = page.page.locator("#panel-labels .items [role=option]").all_inner_texts()
    for text, span in zip(listed, annotation.spans, strict=True):
        assert re.findall(r"\d+:[\d.]+", text) == [f"0:{time:05.2f}" for time in (span.start, span.end)]
        assert span.label in text


def open_again(page: OpenPage, loop: Loop) -> None:
    """After an end of the server and of the page all is as it was: labels, model and drafts."""
    loop.served.close()
    loop.served.start_again()
    page.page.reload()
    page.page.wait_for_selector("html[data-ready]")
    page.forgive("ERR_")
    expect(page.page.locator("#model")).not_to_have_value("")
    expect(page.page.locator("#panel-labels .items [role=option]")).to_have_count(len(truth(0)))
    assert loop.saved(1) == rows(truth(1))


def test_look_label_train_accept_correct_compare_export_and_open_again(chromium: Any, tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    try:
        with opened(chromium, loop.served.link) as page:
            play(page)
            label_by_mouse(page, loop)
            label_by_keys_and_undo(page, loop)
            kill_the_server(page, loop)
            train_and_predict(page)
            accept_and_correct(page, loop)
            find_more(page, loop)
            compare_with_another_set(page, loop)
            export_and_read_back(page, tmp_path)
            open_again(page, loop)
    finally:
        loop.served.close()
