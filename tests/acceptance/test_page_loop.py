"""The loop in a real browser: predict, accept and reject, train, find more like this, compare, export."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from page_fixtures import HOSTILE, OpenPage, ServedPage, make_corpus, opened

from kinespan.annotations import read_annotations
from kinespan.config import Normalisation
from kinespan.corpus import AnnotationSets, Corpus
from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.clock import Clock
from kinespan.data.skeletons import NTU_25
from kinespan.metrics.agreement import agreement
from kinespan.models.input_spec import InputSpec
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec
from kinespan.prepare.synthetic.takes import ACTIONS
from kinespan.runs.folder import MODEL_FILE
from kinespan.runs.outputs import LocalizationResult, write_result
from kinespan.serve.models import ANSWERS, CHECKSUMS

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (pip install kinespan[test])"
)
pytest.importorskip("starlette", reason="starlette is not installed (pip install kinespan[page])")
pytestmark = pytest.mark.browser
expect = playwright.expect
expect.set_options(timeout=20_000)  # of a machine that trains meanwhile

LABELS = LabelSet((*ACTIONS.names, HOSTILE))
DRAFTS = "#panel-suggestions .picks[aria-label='Drafts'] .pick"
HITS = "#panel-suggestions .picks[aria-label='Moments like it'] .pick"
DIFFERENCES = "#panel-compare .pick"
JOB_SECONDS = 60_000


def scored(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """The spans as drafts with scores from 0.95 down, and a last one whose label no set has."""
    drafts = [Span(span.start, span.end, span.label, 0.95 - 0.1 * i) for i, span in enumerate(spans)]
    return (*drafts, Span(drafts[-1].end + 0.1, drafts[-1].end + 0.5, HOSTILE, 0.2))


def write_model(corpus: Corpus, runs: Path, truth: Mapping[str, Annotation]) -> None:
    """A model that was never trained, with the truth as its answers."""
    spec = ModelSpec("localizer", InputSpec(NTU_25, 30.0, ("joint",), Normalisation()), "tcn", labels=LABELS)
    folder = runs / "run-001"
    folder.mkdir(parents=True)
    with torch.random.fork_rng():
        Localizer(spec).save(folder / MODEL_FILE)
    spans = {name: scored(truth[name].spans) for name in corpus.names}
    clocks = {info.name: Clock(info.fps, info.num_frames) for info in corpus.infos}
    scores = {name: np.full((clock.num_frames, len(LABELS) + 1), 0.5, np.float32) for name, clock in clocks.items()}
    details = {CHECKSUMS: {info.name: info.checksum for info in corpus.infos}}
    segmentation = {name: Annotation(each, LABELS) for name, each in spans.items()}
    nothing: dict[str, Any] = {name: () for name in corpus.names}
    result = LocalizationResult(segmentation, spans, nothing, scores, 30.0, LABELS, clocks, details=details)
    write_result(result, folder / ANSWERS)


@dataclass
class Site:
    """A corpus that is labelled in the browser."""

    corpus: Corpus
    sets: AnnotationSets
    truth: Mapping[str, Annotation]
    served: ServedPage

    def labelled(self, recording: int, set: str = "anna") -> list[Span]:
        """What the set says of a recording now."""
        annotation = self.sets.annotation(set, self.corpus.names[recording])
        return [] if annotation is None else list(annotation.spans)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("loop")
    path = make_corpus(folder / "corpus", recordings=4, seconds=(14.0, 16.0))
    corpus, sets = Corpus.open(path), AnnotationSets.open(path)
    truth = sets.annotations(sets.infos[0].name)
    first, second = corpus.names[:2]
    late = tuple(Span(span.start + 0.2, span.end, span.label) for span in truth[first].spans)
    sets.create("anna", ACTIONS, {first: truth[first]}, author="Anna")
    sets.create("ben", ACTIONS, {first: Annotation(late, ACTIONS), second: truth[second]}, author="Ben")
    write_model(corpus, folder / "runs", truth)
    with ServedPage("label", path, "--set", "anna", "--author", "Anna", "--runs", folder / "runs") as served:
        yield Site(corpus, sets, truth, served)


@pytest.fixture(scope="module")
def page(site: Site, chromium: Any) -> Iterator[OpenPage]:
    with opened(chromium, site.served.link) as page:
        yield page


def show(page: OpenPage, site: Site, recording: int) -> None:
    """Show a recording by a click in the list."""
    name = site.corpus.names[recording]
    page.page.locator("#list").get_by_text(name, exact=True).click()
    expect(page.page.locator("#stage")).to_contain_text(name)


def keys(page: OpenPage, *presses: str) -> None:
    for press in presses:
        page.page.keyboard.press(press)


def wait_until(page: OpenPage, condition: Callable[[], bool]) -> None:
    """Let the page work until a condition on what the server saved holds."""
    for _ in range(1000):
        if condition():
            return
        page.page.wait_for_timeout(20)
    raise AssertionError("it did not happen within twenty seconds")


def test_drafts_are_accepted_corrected_and_rejected_by_key(page: OpenPage, site: Site) -> None:
    show(page, site, 1)
    page.page.click("#tab-suggestions")
    drafts = site.truth[site.corpus.names[1]].spans
    expect(page.page.locator(DRAFTS)).to_have_count(len(drafts) + 1)
    page.page.locator("#stage").click()
    keys(page, "g", "a")
    expect(page.page.locator(DRAFTS)).to_have_count(len(drafts))
    wait_until(page, lambda: site.labelled(1) == [drafts[0]])
    keys(page, "x")  # the next one is selected by now
    expect(page.page.locator(DRAFTS)).to_have_count(len(drafts) - 1)
    assert [span.label for span in site.labelled(1)] == [drafts[0].label]
    keys(page, "Home", ".", "Alt+ArrowRight")  # the start of the accepted one, a frame later
    wait_until(page, lambda: site.labelled(1)[0].start > drafts[0].start)
    page.page.reload()
    page.page.wait_for_selector("html[data-ready]")
    show(page, site, 1)
    page.page.click("#tab-suggestions")
    expect(page.page.locator(DRAFTS)).to_have_count(len(drafts) - 1)  # rejected is not proposed again


def test_all_drafts_above_a_score_are_accepted_in_one_step(page: OpenPage, site: Site) -> None:
    show(page, site, 2)
    page.page.click("#tab-suggestions")
    drafts = site.truth[site.corpus.names[2]].spans
    expect(page.page.locator(DRAFTS)).to_have_count(len(drafts) + 1)
    page.page.get_by_label("Least score").fill("0.8")  # scores are 0.95, 0.85, ...
    expect(page.page.get_by_role("button", name="Accept 2")).to_be_enabled()
    page.page.locator("#stage").click()
    keys(page, "Shift+A")
    wait_until(page, lambda: site.labelled(2) == list(drafts[:2]))
    keys(page, "u")
    wait_until(page, lambda: site.labelled(2) == [])
    expect(page.page.locator(DRAFTS)).to_have_count(len(drafts) + 1)


def test_a_draft_whose_label_no_set_has_shows_as_text_and_brings_its_label(page: OpenPage, site: Site) -> None:
    show(page, site, 2)
    page.page.click("#tab-suggestions")
    expect(page.page.locator(DRAFTS).last).to_contain_text(HOSTILE)
    page.page.locator(DRAFTS).last.hover()
    page.page.locator(DRAFTS).last.get_by_title("Accept (a)").click()
    wait_until(page, lambda: [span.label for span in site.labelled(2)] == [HOSTILE])
    assert page.page.title() != "broken"
    page.page.set_viewport_size({"width": 420, "height": 860})
    assert page.overflow() == 0
    page.page.set_viewport_size({"width": 1400, "height": 900})


def test_moments_like_a_span_are_accepted_and_rejected_by_key(page: OpenPage, site: Site) -> None:
    show(page, site, 0)
    expect(page.page.locator("#panel-suggestions .count")).to_have_text("1")  # what is labelled is no draft any more
    keys(page, "Home", ".", "q")  # the first span of the first recording
    expect(page.page.locator("#panel-suggestions .job:visible")).to_contain_text("search")
    expect(page.page.locator(HITS).first).to_be_visible(timeout=JOB_SECONDS)
    label = site.labelled(0)[0].label
    assert page.page.get_by_label("Label of what is accepted").input_value() == label
    before = [site.labelled(k) for k in range(4)]
    left = page.page.locator("#panel-suggestions [role=status]", has_text="to look at")
    count = int(re.match(r"\d+", left.inner_text())[0])
    keys(page, "Enter")
    expect(left).to_have_text(re.compile(f"^{count - 1} to look at · 1 accepted"))
    added = [span for k in range(4) for span in site.labelled(k) if span not in before[k]]
    assert [span.label for span in added] == [label]
    keys(page, "Backspace")  # taken back, in the recording that is not shown any more
    expect(left).to_have_text(re.compile(f"^{count} to look at$|^{count} to look at · [0-9]+ have"))
    wait_until(page, lambda: [site.labelled(k) for k in range(4)] == before)
    keys(page, "Enter")
    expect(left).to_have_text(re.compile(f"^{count - 1} to look at · 1 accepted"))
    keys(page, "x")
    expect(left).to_have_text(re.compile(f"^{count - 2} to look at · 1 accepted"))
    expect(page.page.locator(".icon.pause")).to_be_visible()  # the next one plays
    keys(page, "Space")


def test_what_to_label_next_is_ranked_with_reasons_and_shown(page: OpenPage, site: Site) -> None:
    page.page.click("#tab-suggestions")
    page.page.click("[data-view=next]")
    moments = page.page.locator("#panel-suggestions .picks[aria-label='What to label next'] .pick")
    moments.first.wait_for()
    assert moments.first.locator(".reasons").inner_text() not in ("", "–")
    name = moments.first.locator("bdi").inner_text()
    moments.first.click()
    expect(page.page.locator("#stage")).to_contain_text(name)
    page.page.get_by_role("button", name="Recordings", exact=True).click()
    assert site.corpus.names[0] not in moments.all_inner_texts()  # labelled as a whole


def test_two_sets_are_compared_and_one_takes_what_the_other_says(page: OpenPage, site: Site) -> None:
    page.page.click("#tab-compare")
    page.page.get_by_label("Annotation set B").select_option("ben")
    expect(page.page.locator(DIFFERENCES).first).to_be_visible()
    expect(page.page.locator("#timeline")).to_contain_text("ben")
    left, right = site.sets.annotations("anna"), site.sets.annotations("ben")
    clocks = {info.name: Clock(info.fps, info.num_frames) for info in site.corpus.infos}
    result = agreement(left, right, clocks)
    expect(page.page.locator("#panel-compare .tally")).to_contain_text(f"{100 * result.f1:.1f}")
    expect(page.page.locator("#panel-compare .tally")).to_contain_text(f"{result.kappa:.2f}")
    expect(page.page.locator("#panel-compare")).to_contain_text(f"{len(result.differences)}, ")
    page.page.locator(DIFFERENCES).first.click()
    own, other = site.labelled(0), site.labelled(0, "ben")
    keys(page, "b")
    wait_until(page, lambda: site.labelled(0) == [other[0], *own[1:]])
    expect(page.page.locator("#panel-compare")).to_contain_text(f"{len(result.differences) - 1}, ")
    page.page.locator("#stage").click()
    keys(page, "u")
    wait_until(page, lambda: site.labelled(0) == own)


def test_elan_export_is_read_back_and_what_a_format_loses_is_told(page: OpenPage, site: Site, tmp_path: Path) -> None:
    page.page.click("#tab-export")
    for name in ("elan", "audacity"):
        page.page.locator("#panel-export .format", has_text=re.compile(f"^{name}[.]")).click()
        with page.page.expect_download() as download:
            page.page.get_by_role("button", name="Download labels").click()
        download.value.save_as(tmp_path / download.value.suggested_filename)
    (file,) = tmp_path.glob("*.eaf")
    (annotation,) = read_annotations(file).values()
    own = site.labelled(0)
    assert [span.label for span in annotation.spans] == [span.label for span in own]
    assert np.allclose([span.start for span in annotation.spans], [span.start for span in own], atol=0.001)


def test_training_shows_its_progress_the_next_waits_and_a_finished_model_is_loaded(page: OpenPage, site: Site) -> None:
    page.page.click("#tab-train")
    panel = page.page.locator("#panel-train")
    expect(panel.locator(".tally")).to_contain_text("recordings with labels")
    panel.get_by_text("More", exact=True).click()
    panel.get_by_role("combobox", name="Begin").select_option("start")
    panel.get_by_role("spinbutton", name="Steps").fill("12")
    train = panel.get_by_role("button", name="Train", exact=True)
    train.click()
    expect(panel.locator(".job[data-state=running]")).to_be_visible()
    train.click()
    waiting = panel.locator(".job[data-state=waiting]")
    waiting.get_by_role("button", name="Cancel").click()
    expect(panel.locator(".job[data-state=cancelled]").get_by_role("button", name="Resume")).to_be_visible()
    expect(panel.locator(".job[data-state=running]")).to_contain_text(re.compile("of 12 · loss"), timeout=JOB_SECONDS)
    expect(panel.locator(".model")).to_have_count(3, timeout=JOB_SECONDS)  # run 1, run 2, none
    expect(panel.locator(".model").first.locator("input")).to_be_checked()
    page.page.click("#tab-suggestions")
    page.page.click("[data-view=drafts]")
    expect(page.page.locator("#panel-suggestions .job:visible")).to_have_count(0, timeout=JOB_SECONDS)
    expect(page.page.locator("#panel-suggestions")).not_to_contain_text("has not predicted", timeout=JOB_SECONDS)


# ---- what one set says goes into another -----------------------------------------------------------------------------

FPS, LONG = 10.0, 6.0


def random_items(rng: random.Random, exclusive: bool) -> list[dict[str, Any]]:
    """Items with bounds that frames do not have; where labels exclude each other one after the other."""
    items: list[dict[str, Any]] = []
    time = rng.uniform(0, 0.5)
    while time < LONG - 0.5:
        end = min(time + rng.uniform(0.25, 1.5), LONG)
        items.append({"number": len(items) + 1, "start": time, "end": end, "label": rng.randrange(3), "person": None})
        time = end + rng.choice((0.0, rng.uniform(0.2, 0.8))) if exclusive else time + rng.uniform(0.2, 0.9)
    return items


def labels_at(items: list[dict[str, Any]], label: int | None) -> list[tuple[int, ...]]:
    """The labels at the centre of each frame."""
    chosen = [item for item in items if label is None or item["label"] == label]
    centres = (np.arange(round(LONG * FPS)) + 0.5) / FPS
    return [tuple(sorted({item["label"] for item in chosen if item["start"] <= at < item["end"]})) for at in centres]


def changed(items: list[dict[str, Any]], change: dict[str, Any]) -> list[dict[str, Any]]:
    gone = {item["number"] for item in change["delete"]} | {pair["from"]["number"] for pair in change["change"]}
    left = [item for item in items if item["number"] not in gone]
    return [*left, *(pair["to"] for pair in change["change"]), *change["add"]]


@pytest.mark.parametrize("exclusive", [True, False])
def test_taking_over_a_time_changes_that_time_only(page: OpenPage, exclusive: bool) -> None:
    """Every difference of random items is taken over, one after the other, until both say the same by frame."""
    rng = random.Random(3)
    script = """async ([own, others, difference, frame]) => {
      const { takeOver } = await import("/static/serve/page/sets.js");
      return takeOver(own, others, difference, frame);
    }"""
    for _ in range(12):
        own, others = random_items(rng, exclusive), random_items(rng, exclusive)
        for label in (None,) if exclusive else (0, 1, 2):
            now, aim = labels_at(own, label), labels_at(others, label)
            frames = [i for i, (a, b) in enumerate(zip(now, aim, strict=True)) if a != b]
            if not frames:
                continue
            first = rng.choice(frames)
            last = first
            while last + 1 in frames and (now[last + 1], aim[last + 1]) == (now[first], aim[first]):
                last += 1
            while first - 1 in frames and (now[first - 1], aim[first - 1]) == (now[last], aim[last]):
                first -= 1
            difference = {"start": first / FPS, "end": (last + 1) / FPS, "person": None, "label": label}
            change = page.page.evaluate(script, [own, others, difference, 1 / FPS])
            after = changed(own, change)
            assert labels_at(after, label) == [*now[:first], *aim[first : last + 1], *now[last + 1 :]]
            if exclusive:
                ordered = sorted(after, key=lambda item: item["start"])
                assert all(a["end"] <= b["start"] + 1e-6 for a, b in pairwise(ordered))
            own = [{**item, "number": i + 1} for i, item in enumerate(after)]


def test_accepted_drafts_take_the_free_time_where_labels_exclude_each_other(page: OpenPage) -> None:
    script = """async ([spans, items, exclusive]) => {
      const { fitted } = await import("/static/serve/page/moments.js");
      return fitted(spans, items, exclusive).map(({ start, end }) => [start, end]);
    }"""

    def fitted(spans: list[tuple[float, float | None]], *, exclusive: bool = True, person: int | None = None) -> Any:
        items = [
            {"start": 2.0, "end": 3.0, "label": 0, "person": 1},
            {"start": 5.0, "end": None, "label": 1, "person": None},
        ]
        drafts = [{"start": start, "end": end, "label": 2, "person": person} for start, end in spans]
        return page.page.evaluate(script, [drafts, items, exclusive])

    assert fitted([(0.0, 1.0), (0.5, 2.5)]) == [[0.0, 1.0], [1.0, 2.0]]  # cut by what is there and by each other
    assert fitted([(1.5, 4.5)]) == [[3.0, 4.5]]  # the longer part of two
    assert fitted([(2.1, 2.9), (2.5, None)]) == [[2.5, None]]  # no room; an event always fits
    assert fitted([(2.1, 2.9)], exclusive=False) == [[2.1, 2.9]]
    assert fitted([(2.1, 2.9)], person=2) == [[2.1, 2.9]]  # another person's time is free


def test_a_point_label_leaves_the_draft_that_gives_its_bounds(page: OpenPage) -> None:
    script = """async ([draft, item]) => {
      const { isLabelled } = await import("/static/serve/page/store.js");
      return isLabelled(draft, item, true);
    }"""

    def is_labelled(draft_end: float | None, item_end: float | None) -> bool:
        draft = {"start": 1.0, "end": draft_end, "label": 0, "person": None}
        return bool(page.page.evaluate(script, [draft, {"start": 1.1, "end": item_end, "label": 0, "person": None}]))

    assert not is_labelled(2.0, None)
    assert is_labelled(2.0, 2.1)
    assert is_labelled(None, None), "an event that both say"
