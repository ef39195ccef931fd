"""Labelling in a real browser: by mouse, by keyboard alone, while it plays; nothing that was done is lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_fixtures import OpenPage, ServedPage

from kinespan.corpus.annotation_sets import AnnotationSets
from kinespan.corpus.writer import CorpusWriter
from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.data.skeletons import NTU_25

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (pip install kinespan[test])"
)
pytest.importorskip("starlette", reason="starlette is not installed (pip install kinespan[page])")
pytestmark = pytest.mark.browser

FPS = 30.0
SECONDS = 6
LABELS = LabelSet(("reach", "grasp", "hold", "tap"), events=("tap",))
HOSTILE = ("<script>alert(1)</script>", "\"quoted\" 'twice' & <b>bold</b>", "قفزة عالية", "w" * 200)
NAMES = (
    *("mouse", "edges", "late", "carve", "people", "keys", "undo", "points"),
    *("live", "conflict", "hostile", "panel", "spare"),
)
SPANS = 10_000


def recording(name: str, frames: int, people: int = 1) -> Recording:
    """People who sway."""
    rest = np.random.default_rng(3).uniform([-0.4, 0, -0.2], [0.4, 1.7, 0.2], size=(people, 25, 3))
    rest[..., 0] += np.arange(people)[:, None]
    times = np.arange(frames)[:, None, None, None] / FPS
    return Recording((rest + 0.1 * np.sin(times * 3 + rest)).astype(np.float32), FPS, NTU_25, name)


def write_corpus(path: Path, names: tuple[str, ...], with_many: bool = False) -> Path:
    with CorpusWriter(path, "made", labels=LABELS) as writer:
        for name in names:
            writer.add(recording(name, round(SECONDS * FPS), 2 if name == "people" else 1), None)
        if with_many:
            spans = [Span(i * 0.1, i * 0.1 + 1 / 15, ("reach", "grasp", "hold")[i % 3]) for i in range(SPANS)]
            writer.add(recording("many", round(SPANS * 0.1 * FPS)), Annotation(tuple(spans), LABELS, ((0.0, 500.0),)))
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("label") / "corpus", NAMES, with_many=True)


@pytest.fixture(scope="module")
def server(corpus: Path) -> Iterator[ServedPage]:
    with ServedPage("label", corpus, "--author", "Ann") as running:
        yield running
        running.kill()


class Hands(OpenPage):
    """A page in a browser, and what a hand does there."""

    def __init__(self, browser: Any, link: str, corpus: Path, name: str, **options: Any) -> None:
        super().__init__(browser, link, **{"viewport": {"width": 1000, "height": 620}, **options})
        self.corpus = corpus
        self.show(name)

    def show(self, name: str) -> None:
        self.name = name
        if self.page.locator("h1").first.text_content() != name:
            if self.page.locator(".list-toggle").is_visible():
                self.page.locator(".list-toggle").click()
            self.page.locator("#list [role=option]", has_text=re.compile(f"^{name}")).first.click()
            playwright.expect(self.page.locator("h1").first).to_have_text(name)
        self.page.evaluate("document.activeElement.blur()")

    # ---- hands -------------------------------------------------------------------------------------------------

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def point(self, seconds: float, row: str = "Labels", duration: float = SECONDS) -> tuple[float, float]:
        box = self.row(row).bounding_box()
        return box["x"] + box["width"] * seconds / duration, box["y"] + box["height"] / 2

    def drag(self, start: float, end: float, row: str = "Labels", key: str | None = None) -> None:
        mouse = self.page.mouse
        if key:
            self.page.keyboard.down(key)
        mouse.move(*self.point(start, row))
        mouse.down()
        mouse.move(*self.point((start + end) / 2, row), steps=2)
        mouse.move(*self.point(end, row), steps=2)
        mouse.up()
        if key:
            self.page.keyboard.up(key)

    def choose(self, text: str) -> None:
        """Type-ahead."""
        self.page.wait_for_selector("dialog[open] input")
        self.page.keyboard.insert_text(text)
        self.press("Enter")
        self.page.wait_for_selector("dialog", state="detached")

    def seek(self, frame: int) -> None:
        """To a frame, counted from 0, by keys."""
        self.press("Home", *["Shift+ArrowRight"] * (frame // 30), *["ArrowUp"] * (frame % 30 // 10))
        self.press(*["ArrowRight"] * (frame % 10))

    # ---- what is kept ------------------------------------------------------------------------------------------

    @property
    def sets(self) -> AnnotationSets:
        return AnnotationSets.open(self.corpus)

    def saved(self) -> list[tuple[str, float, float | None]]:
        items = self.sets.items("labels", self.name).values()
        rows = [
            (item.label, item.start, item.end) if isinstance(item, Span) else (item.label, item.time, None)
            for item in items
        ]
        return sorted(rows, key=lambda row: row[1])

    def saved_frames(self) -> list[tuple[str, int, int | None]]:
        """What is saved, in frames, an event by the frame that it is in."""
        return [
            (label, int(start * FPS + 1e-6) if end is None else round(start * FPS), end and round(end * FPS))
            for label, start, end in self.saved()
        ]

    def until(self, check: Callable[[], bool]) -> None:
        """Waits until something is true, which the page may still be saving."""
        for _ in range(400):
            if check():
                return
            self.page.wait_for_timeout(25)
        pytest.fail(f"not so after 10 s; {self.name} has {self.saved()}")

    def until_frames(self, *expected: tuple[str, int, int | None]) -> None:
        self.until(lambda: self.saved_frames() == list(expected))

    @property
    def covered(self) -> float:
        annotation = self.sets.annotation("labels", self.name)
        return sum(end - start for start, end in (annotation.covered or ())) if annotation else 0.0


@pytest.fixture(scope="module")
def shared_page(chromium: Any, server: ServedPage, corpus: Path) -> Iterator[Hands]:
    hand = Hands(chromium, server.link, corpus, NAMES[0])
    yield hand
    hand.context.close()


@pytest.fixture
def hands(shared_page: Hands) -> Iterator[Callable[[str], Hands]]:
    """The page with a recording that the test has for itself; it must not complain."""

    def show(name: str) -> Hands:
        shared_page.press(*["Escape"] * 5)
        shared_page.show(name)
        return shared_page

    shared_page.complaints.clear()
    yield show
    shared_page.page.locator(".note.error button").evaluate_all(
        "(buttons) => buttons.forEach((button) => button.click())"
    )
    assert shared_page.complaints == []


# ---- mouse -----------------------------------------------------------------------------------------------------


def test_a_drag_on_paper_makes_a_span_of_the_label_that_is_typed_and_later_of_the_current_one(
    hands: Callable[[str], Hands],
) -> None:
    hand = hands("mouse")
    hand.page.reload()  # no label is current
    hand.page.wait_for_selector("html[data-ready]")
    hand.show("mouse")
    hand.drag(1.0, 2.0)
    hand.choose("gra")
    hand.until_frames(("grasp", 30, 60))
    hand.drag(3.0, 4.0)
    hand.until_frames(("grasp", 30, 60), ("grasp", 90, 120))
    hand.page.mouse.dblclick(*hand.point(3.5))
    hand.choose("hold")
    hand.until_frames(("grasp", 30, 60), ("hold", 90, 120))


def test_a_span_is_relabelled_in_a_dialog_that_was_opened_before_its_number_came(hands: Callable[[str], Hands]) -> None:
    hand = hands("late")
    asked: list[Any] = []

    def hold_back(route: Any) -> None:
        asked.append(route)
        if len(asked) > 1:
            route.continue_()

    hand.page.route("**/edit?*", hold_back)
    hand.press("1")
    hand.drag(1.0, 2.0)
    hand.page.mouse.dblclick(*hand.point(1.5))
    hand.page.wait_for_selector("dialog[open] input")
    with hand.page.expect_response("**/edit?*"):
        asked[0].continue_()
    hand.until_frames(("reach", 30, 60))
    hand.choose("hold")
    hand.until_frames(("hold", 30, 60))
    hand.page.unroute("**/edit?*", hold_back)


def test_edges_and_whole_spans_are_dragged_and_snap_to_neighbours_unless_alt_is_held(
    hands: Callable[[str], Hands],
) -> None:
    hand = hands("edges")
    hand.sets.edit("labels", "edges", add=[Span(1.0, 2.0, "reach"), Span(3.0, 4.0, "hold")], about="made", author="T")
    hand.until(lambda: hand.page.locator("#panel-labels .items [role=option]").count() == 2)
    hand.drag(1.995, 2.5)
    hand.until_frames(("reach", 30, 75), ("hold", 90, 120))
    hand.drag(2.49, 2.97)  # 3 px from the neighbour
    hand.until_frames(("reach", 30, 90), ("hold", 90, 120))
    hand.drag(3.5, 4.5)
    hand.until_frames(("reach", 30, 90), ("hold", 120, 150))
    hand.press("Home")
    hand.drag(2.99, 3.967, key="Alt")
    hand.until_frames(("reach", 30, 119), ("hold", 120, 150))


def test_a_span_takes_its_time_from_its_neighbours_where_labels_exclude_each_other(
    hands: Callable[[str], Hands],
) -> None:
    hand = hands("carve")
    hand.sets.edit("labels", "carve", add=[Span(1.0, 5.0, "reach")], about="made", author="T")
    hand.until(lambda: hand.page.locator("#panel-labels .items [role=option]").count() == 1)
    hand.press("Escape", "2")
    hand.seek(60)
    hand.press("i", "Shift+ArrowRight", "ArrowLeft", "o", "2")
    hand.until_frames(("reach", 30, 60), ("grasp", 60, 90), ("reach", 90, 150))
    hand.drag(2.99, 4.0)  # its end over the neighbour
    hand.until_frames(("reach", 30, 60), ("grasp", 60, 120), ("reach", 120, 150))
    hand.press("u", "u")
    hand.until_frames(("reach", 30, 150))


def test_a_range_is_marked_with_shift_and_labelled_or_said_to_be_looked_at(hands: Callable[[str], Hands]) -> None:
    hand = hands("spare")
    hand.drag(1.0, 3.0, key="Shift")
    hand.press("c")
    hand.until(lambda: abs(hand.covered - 2.0) < 1e-6)
    hand.press("3")
    hand.until_frames(("hold", 30, 90))


def test_people_who_are_told_apart_have_rows_of_their_own(hands: Callable[[str], Hands]) -> None:
    hand = hands("people")
    hand.press("1")
    hand.drag(1.0, 2.0, row="Person 1")
    hand.until(lambda: len(hand.saved()) == 1)
    hand.drag(1.0, 2.0, row="Person 0")
    hand.until(lambda: len(hand.saved()) == 2)
    assert {item.person for item in hand.sets.items("labels", "people").values()} == {0, 1}


# ---- keyboard --------------------------------------------------------------------------------------------------


def test_the_keyboard_alone_makes_moves_splits_merges_and_deletes(hands: Callable[[str], Hands]) -> None:
    hand = hands("keys")
    hand.seek(30)
    hand.press("i", "ArrowUp", "o", "Enter")
    hand.choose("reach")
    hand.until_frames(("reach", 30, 41))
    hand.press("Shift+Alt+ArrowRight", "Alt+ArrowLeft", "Alt+ArrowLeft")
    hand.until_frames(("reach", 28, 42))
    hand.press("e", "e", "ArrowUp")
    hand.until_frames(("reach", 28, 52))
    hand.press("Escape")
    hand.seek(40)
    hand.press("s")
    hand.until_frames(("reach", 28, 40), ("reach", 40, 52))
    hand.press("m")
    hand.until_frames(("reach", 28, 52))
    hand.press("r")
    hand.choose("hold")
    hand.until_frames(("hold", 28, 52))
    hand.press("Escape")
    hand.seek(100)
    hand.press("4")  # an event's key makes one at once
    hand.until_frames(("hold", 28, 52), ("tap", 100, None))
    hand.press("Escape", ",")
    hand.press("Delete")
    hand.until_frames(("tap", 100, None))
    hand.press("?")
    playwright.expect(hand.page.locator("dialog.key-help")).to_contain_text("Split the span at the playhead")
    hand.press("?")


def test_undo_and_redo_go_back_and_forth_over_everything(hands: Callable[[str], Hands]) -> None:
    hand = hands("undo")
    for frame, key in ((10, "1"), (50, "2"), (90, "3")):
        hand.seek(frame)
        hand.press("i", "ArrowUp", "o", key, "Escape")
    states = [("reach", 10, 21), ("grasp", 50, 61), ("hold", 90, 101)]
    hand.until_frames(*states)
    hand.press("u", "Control+z", "u")
    hand.until_frames()
    hand.press("Control+Shift+z", "Shift+U", "Control+y")
    hand.until_frames(*states)


def test_point_labels_are_put_while_it_plays_and_what_played_was_looked_at(hands: Callable[[str], Hands]) -> None:
    hand = hands("points")
    hand.page.get_by_role("button", name="Point labels").click()  # Space plays then, and does not press it again
    hand.press(">", ">", ">")
    hand.press("Space")
    hand.page.wait_for_timeout(350)
    hand.press("1")
    hand.page.wait_for_timeout(250)
    hand.press("2")
    playwright.expect(hand.page.get_by_role("button", name="Play", exact=True)).to_be_visible()  # it has ended
    hand.until(lambda: [label for label, _, _ in hand.saved()] == ["reach", "grasp"] and hand.covered > SECONDS - 0.05)
    (_, first, end), (_, second, _) = hand.saved()
    assert end is None
    assert 0.3 < first < second
    assert isinstance(next(iter(hand.sets.items("labels", "points").values())), Event)


# ---- the panel -------------------------------------------------------------------------------------------------


def test_items_are_a_list_in_words_whose_times_can_be_typed(hands: Callable[[str], Hands]) -> None:
    hand = hands("panel")
    panel = hand.page.locator("#panel-labels")
    hand.sets.edit("labels", "panel", add=[Span(1.0, 2.0, "reach")], about="made", author="T")
    panel.locator(".items [role=option]").click()
    panel.get_by_label("End").fill("2.5")
    hand.press("Enter")
    hand.until_frames(("reach", 30, 75))
    panel.get_by_label("Unit of times").select_option("frames")
    panel.get_by_label("Start").fill("16")
    hand.press("Enter")
    hand.until_frames(("reach", 15, 75))
    panel.get_by_label("Start").fill("80")
    hand.press("Enter")
    playwright.expect(hand.page.locator(".note.error")).to_contain_text("expected a start before its end")
    hand.until_frames(("reach", 15, 75))
    panel.get_by_label("Unit of times").select_option("seconds")


def test_labels_are_made_renamed_coloured_ordered_and_deleted(hands: Callable[[str], Hands]) -> None:
    hand = hands("panel")
    page = hand.page
    page.get_by_role("button", name="New label").click()
    page.locator("dialog input[name=name]").fill("wave")
    page.locator("dialog .colour").nth(3).check()
    page.locator("dialog select[name=key]").select_option("w")
    page.locator("dialog button.strong").click()
    page.wait_for_selector("dialog", state="detached")
    hand.until(lambda: hand.sets.labels("labels").names[-1] == "wave")
    page.get_by_role("button", name="Change wave").click()
    page.locator("dialog input[name=name]").fill("greet")
    hand.press("Enter")
    page.wait_for_selector("dialog", state="detached")  # nothing beside it takes the focus before
    hand.until(lambda: hand.sets.labels("labels").names[-1] == "greet")
    assert hand.sets.colours("labels")["greet"] == "#943551"
    page.get_by_role("button", name="Move greet").focus()
    hand.press("ArrowUp")
    hand.until(lambda: hand.sets.labels("labels").names[-2:] == ("greet", "tap"))
    page.get_by_role("button", name="Change greet").click()
    page.get_by_role("button", name="Delete label").click()
    hand.until(lambda: hand.sets.labels("labels").names == LABELS.names)


def test_hostile_labels_are_text_and_break_no_layout(hands: Callable[[str], Hands]) -> None:
    hand = hands("hostile")
    hand.page.set_viewport_size({"width": 420, "height": 860})
    for name in HOSTILE:
        hand.press("l")
        hand.choose(name)
    hand.until(lambda: hand.sets.labels("labels").names[-4:] == HOSTILE)
    hand.seek(30)
    hand.press("i", "ArrowUp", "o", "Enter")
    hand.choose(HOSTILE[0])
    hand.until(lambda: [label for label, _, _ in hand.saved()] == [HOSTILE[0]])
    hand.seek(90)
    hand.press("i", "ArrowUp", "o", "Enter")
    hand.choose(HOSTILE[3])  # as long as a name may be
    hand.until(lambda: [label for label, _, _ in hand.saved()] == [HOSTILE[0], HOSTILE[3]])
    playwright.expect(hand.page.locator(".label-list bdi").nth(4)).to_have_text(HOSTILE[0])
    assert (
        hand.page.locator("b", has_text="bold").count() == 0 or "<b>" in hand.page.locator(".label-list").inner_text()
    )
    assert hand.page.evaluate("document.documentElement.scrollWidth") <= 420


def test_ten_thousand_spans_can_be_walked_through_and_changed(hands: Callable[[str], Hands]) -> None:
    hand = hands("many")
    playwright.expect(hand.page.locator(".items h3")).to_contain_text("10000")
    assert hand.page.locator(".items [role=option]").count() < 100
    hand.seek(0)
    hand.press(".", ".", "Delete")
    hand.until(lambda: len(hand.saved()) == SPANS - 1)
    hand.press("u")
    hand.until(lambda: len(hand.saved()) == SPANS)


def test_carving_leaves_each_frame_with_the_label_that_was_put_last(hands: Callable[[str], Hands]) -> None:
    """Against frames painted one by one: random spans of two people and everybody, in an exclusive set."""
    hand = hands("spare")
    rng = np.random.default_rng(0)
    script = """async ({ spans, fps, duration }) => {
      const { Editing } = await import("/static/serve/page/editing.js");
      let items = [];
      let number = 0;
      for (const span of spans) {
        const edit = new Editing({ items, exclusive: true, fps, duration }).add(span, "added");
        const gone = new Set(edit.delete.map((item) => item.number));
        const changed = new Map(edit.change.map(({ from, to }) => [from.number, { ...to, number: from.number }]));
        items = items.filter((item) => !gone.has(item.number)).map((item) => changed.get(item.number) ?? item);
        items.push(...edit.add.map((item) => ({ ...item, number: ++number })));
      }
      return items;
    }"""
    for _ in range(40):
        frames = np.full((3, 40), -1)  # rows: person 0, person 1, everybody
        spans = []
        for label in range(12):
            start, end = sorted(rng.choice(41, 2, replace=False).tolist())
            person = [0, 1, None][int(rng.integers(3))]
            spans.append({"start": start / FPS, "end": end / FPS, "label": label, "person": person})
            row = 2 if person is None else person
            frames[[0, 1, 2] if person is None else [person, 2], start:end] = -1
            frames[row, start:end] = label
        items = hand.page.evaluate(script, {"spans": spans, "fps": FPS, "duration": 40 / FPS})
        painted = np.full_like(frames, -1)
        for item in items:
            row = 2 if item["person"] is None else item["person"]
            start, end = round(item["start"] * FPS), round(item["end"] * FPS)
            assert (painted[row, start:end] == -1).all(), "spans overlap"
            painted[row, start:end] = item["label"]
        np.testing.assert_array_equal(painted, frames)


# ---- others, and a server that goes ----------------------------------------------------------------------------


def test_a_second_annotators_change_appears_by_itself(hands: Callable[[str], Hands]) -> None:
    hand = hands("live")
    options = hand.page.locator(".items [role=option]")
    playwright.expect(options).to_have_count(0)
    hand.sets.edit("labels", "live", add=[Span(1.0, 2.0, "reach")], about="made", author="Ben")
    playwright.expect(options).to_have_count(1)
    playwright.expect(options).to_contain_text("reach")


def test_a_conflict_is_told_and_nobody_is_overwritten(hands: Callable[[str], Hands]) -> None:
    hand = hands("conflict")
    hand.sets.edit("labels", "conflict", add=[Span(1.0, 2.0, "reach")], about="made", author="Ben")
    hand.page.locator(".items [role=option]").click()
    hand.context.set_offline(True)
    hand.press("Shift+Alt+ArrowRight")
    playwright.expect(hand.page.locator(".note.unsaved")).to_contain_text("Not saved yet: 1 change")
    [(number, item)] = hand.sets.items("labels", "conflict").items()
    hand.sets.edit(
        "labels", "conflict", change=[(number, item, Span(0.5, 2.0, "reach"))], about="moved", author="Ben"
    )  # fmt: skip
    hand.context.set_offline(False)
    playwright.expect(hand.page.locator(".note.error")).to_contain_text("Not done: moved reach")
    playwright.expect(hand.page.locator(".items [role=option]")).to_contain_text("0:00.50 – 0:02.00")
    hand.until_frames(("reach", 15, 60))
    for words in ("ERR_INTERNET_DISCONNECTED", "409", "ERR_FAILED"):
        hand.forgive(words)


def test_a_killed_server_loses_nothing_and_takes_what_was_done_meanwhile(chromium: Any, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", ("one", "two"))
    with ServedPage("label", corpus, "--author", "Ann") as server:
        hand = Hands(chromium, server.link, corpus, "two")
        hand.seek(10)
        hand.press("i", "ArrowUp", "o", "1", "Escape")
        hand.until_frames(("reach", 10, 21))
        server.kill()
        hand.seek(50)
        hand.press("i", "ArrowUp", "o", "2")  # made, moved and undone while nobody answers
        hand.press("Shift+Alt+ArrowRight", "Escape")
        hand.seek(90)
        hand.press("i", "ArrowUp", "o", "3", "u", "Escape")
        playwright.expect(hand.page.locator(".note.unsaved")).to_contain_text(
            re.compile("Not saved yet: [23] changes")  # the first may have been saved without an answer
        )
        hand.until_frames(("reach", 10, 21))
        server.start_again()
        hand.until_frames(("reach", 10, 21), ("grasp", 50, 62))
        playwright.expect(hand.page.locator(".note.unsaved")).to_be_hidden()
        hand.press("u", "u")
        playwright.expect(hand.page.locator(".items [role=option]")).to_have_count(1)
        hand.until_frames(("reach", 10, 21))
        server.kill()
        hand.press("Escape")
        hand.seek(50)
        hand.press("i", "ArrowUp", "o", "3")
        playwright.expect(hand.page.locator(".note.unsaved")).to_be_visible()
        hand.page.close()  # before it could be saved: the browser keeps it
        server.start_again()
        hand.page = hand.context.new_page()
        hand.page.goto(server.link)
        hand.page.wait_for_selector("html[data-ready]")
        hand.until_frames(("reach", 10, 21), ("hold", 50, 61))
        hand.context.close()
        server.kill()
