"""The report in a real browser: it opens offline, plays, turns, scrubs, and shows the figures it was given."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.prepare.synthetic.takes import ACTIONS, SyntheticConfig, synthetic_takes
from kinespan.report import ReportData, ReportRecording, write_report

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (pip install kinespan[test])"
)
pytestmark = pytest.mark.browser

EVIL = """it's <b>"bold"</b></script><script>document.title = 'broken'</script>"""


def reported(recording: Recording, truth: Annotation) -> ReportRecording:
    """The truth, half a second late, as if predicted: spans, weaker doubles of them, and smooth scores."""
    spans = [
        Span(span.start + 0.5, min(span.end + 0.5, recording.duration), span.label, score=0.9)
        for span in truth.spans
        if span.start + 0.5 < recording.duration
    ]
    doubles = [Span(max(0, span.start - 0.3), span.end, span.label, score=0.4) for span in spans]
    late = np.roll(truth.frame_ids(recording.num_frames, recording.fps), round(0.5 * recording.fps))
    hot = np.eye(len(truth.labels) + 1)[np.maximum(late, 0)]
    smooth = np.stack([np.convolve(column, np.ones(9) / 9, mode="same") for column in hot.T], axis=1)
    return ReportRecording(recording, truth, spans, [*spans, *doubles], smooth, recording.fps)


@pytest.fixture(scope="module")
def data() -> ReportData:
    takes = list(synthetic_takes(SyntheticConfig(recordings=2, seconds=(12.0, 14.0), second_person=1.0, dropouts=6.0)))
    rng = np.random.default_rng(0)
    matrix = rng.integers(0, 30, (len(ACTIONS) + 1,) * 2) + 400 * np.eye(len(ACTIONS) + 1, dtype=int)
    aps = {name: {"0.1": 0.9, "0.5": 0.612, "average": 0.7777} for name in ACTIONS.names}
    metrics = {
        "map": {"0.1": 0.9, "0.5": 0.61234, "average": 0.4321},
        "per_class": {n: {"ap": ap, "precision": 0.555, "recall": 0.666, "frames": 1234} for n, ap in aps.items()},
        "frame_accuracy": 0.8768,
        "edit": 0.7531,
        "f1": {"10": 0.912, "25": 0.834, "50": 0.7123},
        "confusion": {"labels": ["background", *ACTIONS.names], "matrix": matrix},
        "rule": "activitynet",
        "recordings": 2,
        "unit": "fraction",
    }
    facts = {"model": EVIL, "protocol": "unseen performers", "split": "test", "seeds": "0, 1, 2", "command": "kinespan"}
    curves = {"loss": [(0.0, 2.0), (10.0, 1.0), (20.0, 0.5)]}
    return ReportData("Made motion", ACTIONS, [reported(*take) for take in takes], metrics, facts, curves)


@pytest.fixture(scope="module")
def report(data: ReportData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(data, path)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("CI must have chromium, and it is not installed")
        pytest.skip("chromium is not installed (apt-get install chromium)")
    with playwright.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


class Opened:
    """A page with the report in it, and all that it complained of or asked for."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        options = {"viewport": {"width": 1280, "height": 1500}, "offline": True, **options}
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]")

    @property
    def time(self) -> float:
        minutes, seconds = self.page.inner_text("#time").split(" / ")[0].split(":")
        return 60 * int(minutes) + float(seconds)

    def pixels(self, selector: str = "#scene") -> str:
        """The canvas as an image, after the page has had the time to paint."""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return str(self.page.eval_on_selector(selector, "(canvas) => canvas.toDataURL()"))

    def row(self, name: str) -> Any:
        """The canvas of a row, where each person has one that of the first."""
        named = self.page.locator(".row", has=self.page.locator(".name", has_text=re.compile(f"^{name}")))
        return named.locator("canvas").first

    def click_time(self, row: Any, time: float, duration: float) -> None:
        box = row.bounding_box()
        self.page.mouse.click(box["x"] + box["width"] * time / duration, box["y"] + box["height"] / 2)


@pytest.fixture
def opened(browser: Any, report: Path) -> Iterator[Opened]:
    page = Opened(browser, report)
    yield page
    assert page.complaints == []
    assert page.requests == [report.as_uri()], "the page asked for something"
    page.context.close()


def test_playing_moves_time_and_the_skeleton(opened: Opened) -> None:
    before = opened.pixels()
    opened.page.get_by_role("button", name="Play").click()
    playwright.expect(opened.page.locator("#time")).to_have_text(re.compile(r"^0:0(0\.[4-9]|[1-9])"))
    opened.page.get_by_role("button", name="Pause").click()
    stopped = opened.time
    assert 0.3 < stopped < 10
    assert opened.pixels() != before
    opened.page.wait_for_timeout(120)
    assert opened.time == stopped


def test_speed_is_obeyed_and_play_ends_at_the_end(opened: Opened, data: ReportData) -> None:
    duration = data.recordings[0].recording.duration
    opened.click_time(opened.row("Truth"), duration - 0.5, duration)
    opened.page.select_option("#speed", "2")
    opened.page.keyboard.press("Escape")
    opened.page.get_by_role("button", name="Play").click()
    opened.page.get_by_role("button", name="Play").wait_for(timeout=3000)  # it has stopped by itself
    assert opened.time == pytest.approx(duration, abs=0.006)
    frames = data.recordings[0].recording.num_frames
    assert opened.page.inner_text("#frame") == f"frame {frames} of {frames}"


@pytest.mark.parametrize("row", ["Truth", "Predicted", "Frame scores"])
def test_click_on_any_timeline_seeks_and_the_caption_tells_the_label(
    opened: Opened, data: ReportData, row: str
) -> None:
    item = data.recordings[0]
    assert item.truth is not None
    span = max(item.truth.spans, key=lambda span: span.duration)
    middle = (span.start + 0.5 + span.end) / 2  # in the true span and in the late, predicted one
    opened.click_time(opened.row(row), middle, item.recording.duration)
    assert opened.time == pytest.approx(middle, abs=0.03)
    assert opened.page.inner_text("#caption .truth dd") == span.label
    assert opened.page.inner_text("#caption .predicted dd") == span.label
    assert opened.page.locator(".label-row.current .text").inner_text() == span.label
    early = span.start + 0.2  # true already, not predicted yet
    opened.click_time(opened.row(row), early, item.recording.duration)
    assert opened.page.inner_text("#caption .truth dd") == span.label
    assert opened.page.inner_text("#caption .predicted dd") != span.label


def test_dragging_scrubs_and_the_playhead_follows(opened: Opened, data: ReportData) -> None:
    duration = data.recordings[0].recording.duration
    box = opened.row("Truth").bounding_box()
    opened.page.mouse.move(box["x"] + 5, box["y"] + 5)
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 200, steps=4)
    opened.page.mouse.up()
    assert opened.time == pytest.approx(duration / 2, abs=0.03)
    head = opened.page.locator(".playhead").bounding_box()
    assert head["x"] + 1 == pytest.approx(box["x"] + box["width"] / 2, abs=2)
    slider = opened.page.get_by_role("slider", name="Time, seconds")
    assert float(slider.get_attribute("aria-valuenow")) == pytest.approx(duration / 2, abs=0.03)


def test_keys_step_jump_and_play(opened: Opened, data: ReportData) -> None:
    recording = data.recordings[0].recording
    press = opened.page.keyboard.press
    for _ in range(3):
        press("ArrowRight")
    assert opened.page.inner_text("#frame").startswith("frame 4 of")
    press("ArrowLeft")
    assert opened.page.inner_text("#frame").startswith("frame 3 of")
    press("Shift+ArrowRight")
    assert opened.time == pytest.approx(2.5 / recording.fps + 1, abs=0.006)
    press("End")
    assert opened.time == pytest.approx(recording.duration, abs=0.006)
    press("Home")
    assert opened.time == 0
    press("Space")
    assert opened.page.locator("#play").get_attribute("aria-label") == "Pause"


def test_drag_wheel_and_reset_move_the_camera(opened: Opened) -> None:
    start = opened.pixels()
    box = opened.page.locator("#scene").bounding_box()
    centre = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.page.mouse.move(*centre)
    opened.page.mouse.down()
    opened.page.mouse.move(centre[0] + 120, centre[1] + 30, steps=3)
    opened.page.mouse.up()
    turned = opened.pixels()
    opened.page.mouse.wheel(0, 240)
    opened.page.wait_for_timeout(50)
    zoomed = opened.pixels()
    opened.page.get_by_role("button", name="Reset view").click()
    assert len({start, turned, zoomed}) == 3
    assert opened.pixels() == start


def test_recordings_can_be_switched(opened: Opened, data: ReportData) -> None:
    first = opened.pixels()
    opened.page.get_by_role("button", name="Next recording").click()
    other = data.recordings[1].recording
    playwright.expect(opened.page.locator("#frame")).to_have_text(f"frame 1 of {other.num_frames}")
    assert opened.page.locator("#recording option:checked").inner_text() == other.name
    assert opened.time == 0
    assert opened.pixels() != first
    opened.page.select_option("#recording", "0")
    frames = data.recordings[0].recording.num_frames
    playwright.expect(opened.page.locator("#frame")).to_have_text(f"frame 1 of {frames}")
    assert opened.pixels() == first


def test_each_person_has_rows_where_labels_say_whose_they_are(opened: Opened) -> None:
    names = opened.page.locator("#timeline .row .name").all_inner_texts()
    assert [name for name in names if name.startswith(("Truth", "Predicted"))] == [
        "Truth, person 0", "Predicted, person 0", "Truth, person 1", "Predicted, person 1",
    ]  # fmt: skip


def test_unseen_frames_are_told(opened: Opened, data: ReportData) -> None:
    recording = data.recordings[0].recording
    for person in range(2):
        frame = int(np.argmin(recording.present[:, person]))
        assert not recording.present[frame, person], "the made motion is meant to have gaps"
        opened.click_time(opened.row("Truth"), (frame + 0.5) / recording.fps, recording.duration)
        shown = int(opened.page.inner_text("#frame").split()[1]) - 1
        unseen = [str(slot) for slot in range(2) if not recording.present[shown, slot]]
        expected = f"person {', '.join(unseen)} not seen in this frame" if unseen else ""
        assert opened.page.inner_text("#notices") == expected


def test_threshold_legend_and_zoom_change_the_timelines(opened: Opened, data: ReportData) -> None:
    lane = ".row.thin canvas"
    before = opened.pixels(lane)
    slider = opened.page.get_by_label("score at least")
    slider.fill("0.5")
    without_doubles = opened.pixels(lane)
    assert without_doubles != before
    scores = ".row.scores canvas"
    curves = opened.pixels(scores)
    label = opened.page.locator(".label-row", has_text=data.recordings[0].proposals[0].label).first
    label.click()
    assert label.get_attribute("aria-pressed") == "false"
    assert opened.pixels(scores) != curves
    wide = opened.pixels(".tracks .row canvas")
    opened.page.get_by_role("button", name="Show a shorter stretch of time").click()
    assert opened.pixels(".tracks .row canvas") != wide
    opened.page.get_by_role("button", name="Show the whole recording").click()
    assert opened.pixels(".tracks .row canvas") == wide


def test_hover_tells_the_span_and_the_count(opened: Opened, data: ReportData) -> None:
    item = data.recordings[0]
    assert item.truth is not None
    assert data.metrics is not None
    span = item.truth.spans[0]
    box = opened.row("Truth").bounding_box()
    x = box["x"] + box["width"] * (span.start + span.end) / 2 / item.recording.duration
    opened.page.mouse.move(x, box["y"] + 8)
    assert span.label in opened.page.inner_text("#tip")
    cell = opened.page.locator("table.heat tbody tr").nth(2).locator("td").nth(2)
    cell.scroll_into_view_if_needed()
    cell.hover()
    counts = data.metrics["confusion"]["matrix"][2]
    assert f"{counts[2]} of {counts.sum()} frames" in opened.page.inner_text("#tip")
    assert cell.inner_text() == f"{100 * counts[2] / counts.sum():.0f}"


def test_tables_hold_the_figures_the_protocol_and_the_seeds(opened: Opened, data: ReportData) -> None:
    metrics = opened.page.inner_text("#metrics")
    for figure in ("43.2", "61.2", "90.0", "87.7", "75.3", "91.2", "83.4", "71.2", "77.8", "55.5", "66.6", "1234"):
        assert figure in metrics, figure
    for fact in ("unseen performers", "test", "0, 1, 2", "activitynet"):
        assert fact in metrics
    for name in ACTIONS.names:
        assert name in metrics
    assert opened.page.locator("#curves canvas").count() == 1
    opened.page.get_by_role("button", name="Precision").click()
    assert opened.page.locator("th[aria-sort=descending]").inner_text().startswith("Precision")


def test_names_are_shown_as_they_are(opened: Opened) -> None:
    assert EVIL in opened.page.inner_text("#facts")
    assert opened.page.title() == "Made motion"


def test_spans_as_a_table_seek(opened: Opened, data: ReportData) -> None:
    assert data.recordings[0].truth is not None
    span = data.recordings[0].truth.spans[-1]
    opened.page.get_by_text("Spans and events as a table").click()
    opened.page.locator("table.spans").get_by_role("button", name=f"{span.start:.2f}", exact=True).first.click()
    assert opened.time == pytest.approx(span.start, abs=0.006)


def test_dark_phone_and_print_render(browser: Any, report: Path) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        page = Opened(browser, report, color_scheme=scheme, viewport={"width": 390, "height": 844})
        colours[scheme] = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
        overflow = page.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, "the page must not scroll sideways on a phone"
        colours[f"{scheme} scene"] = page.pixels()
        page.page.emulate_media(media="print")
        colours[f"{scheme} print"] = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert page.complaints == []
        page.context.close()
    assert colours["light"] != colours["dark"]
    assert colours["light scene"] != colours["dark scene"]
    assert colours["light print"] == colours["dark print"] == "rgb(255, 255, 255)"


def test_own_recording_without_truth_or_metrics_looks_whole(browser: Any, data: ReportData, tmp_path: Path) -> None:
    item = data.recordings[0]
    path = tmp_path / "mine.html"
    write_report(ReportData("Mine", ACTIONS, [ReportRecording(item.recording, proposals=item.proposals)]), path)
    page = Opened(browser, path)
    for section in ("metrics", "confusion", "curves", "facts"):
        assert page.page.locator(f"#{section}").is_hidden()
    assert page.page.locator("#caption .truth").count() == 0
    best = max(item.proposals, key=lambda span: (span.score, span.duration))
    page.click_time(page.page.locator(".row.thin canvas").first, (best.start + best.end) / 2, item.recording.duration)
    assert page.page.inner_text("#caption .predicted dd") == best.label
    assert page.complaints == []
    page.context.close()


def test_a_segmentation_without_spans_is_an_empty_row(browser: Any, data: ReportData, tmp_path: Path) -> None:
    item = data.recordings[0]
    path = tmp_path / "nothing.html"
    write_report(ReportData("Nothing", ACTIONS, [ReportRecording(item.recording, segmentation=())]), path)
    page = Opened(browser, path)
    assert page.row("Predicted").is_visible()
    assert page.page.inner_text("#caption .predicted dd") == "no action"
    assert page.page.locator(".row.thin").count() == 0
    assert page.complaints == []
    page.context.close()


def test_many_labels_and_figures_alone(browser: Any, data: ReportData, tmp_path: Path) -> None:
    labels = LabelSet(tuple(f"action {i}" for i in range(51)))
    recording = data.recordings[0].recording
    spans = tuple(Span(0.2 * i, 0.2 * i + 0.5, name, score=0.5) for i, name in enumerate(labels.names))
    matrix = np.eye(52, dtype=int).tolist()
    metrics = {"confusion": {"labels": ["background", *labels.names], "matrix": matrix}, "edit": 0.5}
    many = ReportRecording(recording, Annotation(spans, labels), proposals=spans)
    path = tmp_path / "many.html"
    write_report(ReportData("Many", labels, [many], metrics), path)
    page = Opened(browser, path)
    assert page.page.locator(".row.thin").count() == 10
    page.page.get_by_role("button", name="Show all 51 lanes").click()
    assert page.page.locator(".row.thin").count() == 51
    assert page.page.locator("table.heat tbody tr").count() == 52
    assert "not stated" in page.page.inner_text("#metrics")
    write_report(ReportData("Motion alone", labels, [ReportRecording(recording)]), path)
    page.page.reload()
    page.page.wait_for_selector("html[data-ready]")
    assert page.page.locator("#moment").is_hidden()
    assert page.page.locator("#scene").is_visible()
    write_report(ReportData("Figures alone", labels, [], metrics), path)
    page.page.reload()
    page.page.wait_for_selector("html[data-ready]")
    assert page.page.locator("#viewer").is_hidden()
    assert "50.0" in page.page.inner_text("#metrics")
    assert page.complaints == []
    page.context.close()
