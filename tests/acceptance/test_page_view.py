"""The page in a browser: it opens, plays, turns, reads files in other ways, takes dropped files, shows videos."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_fixtures import HOSTILE, RIGHT_TO_LEFT, OpenPage, ServedPage, make_corpus, opened

from kinespan.corpus.store import Corpus
from kinespan.corpus.writer import CorpusWriter
from kinespan.data.recording import Recording
from kinespan.prepare.synthetic.takes import SyntheticConfig, synthetic_takes

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (pip install kinespan[test])"
)
pytestmark = pytest.mark.browser
expect = playwright.expect

LIMBS = {
    "Hips": ("", (0, 0, 0)), "Spine": ("Hips", (0, 30, 0)), "Head": ("Spine", (0, 35, 0)),
    "LeftArm": ("Spine", (18, 20, 0)), "LeftForeArm": ("LeftArm", (28, 0, 0)), "LeftHand": ("LeftForeArm", (25, 0, 0)),
    "RightArm": ("Spine", (-18, 20, 0)), "RightForeArm": ("RightArm", (-28, 0, 0)),
    "RightHand": ("RightForeArm", (-25, 0, 0)),
    "LeftUpLeg": ("Hips", (10, 0, 0)), "LeftLeg": ("LeftUpLeg", (0, -42, 0)), "LeftFoot": ("LeftLeg", (0, -42, 0)),
    "RightUpLeg": ("Hips", (-10, 0, 0)), "RightLeg": ("RightUpLeg", (0, -42, 0)),
    "RightFoot": ("RightLeg", (0, -42, 0)),
}  # fmt: skip


def bvh_text(frames: int = 90) -> str:
    """A standing person in centimetres who waves, 30 frames a second."""

    def joint(name: str) -> str:
        parent, offset = LIMBS[name]
        channels = "CHANNELS 3 Zrotation Xrotation Yrotation"
        if not parent:
            channels = "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
        inside = "".join(joint(child) for child, (above, _) in LIMBS.items() if above == name)
        inside = inside or "End Site\n{\nOFFSET 0 5 0\n}\n"
        kind = "JOINT" if parent else "ROOT"
        return f"{kind} {name}\n{{\nOFFSET {offset[0]} {offset[1]} {offset[2]}\n{channels}\n{inside}}}\n"

    order = re.findall(r"(?:ROOT|JOINT) (\w+)", joint("Hips"))
    rows = []
    for frame in range(frames):
        angles = ["0 0 0" if name != "LeftForeArm" else f"{60 + frame % 30} 0 0" for name in order]
        rows.append(" ".join(["0 88 0", *angles]))
    return f"HIERARCHY\n{joint('Hips')}MOTION\nFrames: {frames}\nFrame Time: 0.033333\n" + "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def corpus_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPage]:
    corpus = make_corpus(tmp_path_factory.mktemp("made") / "corpus", recordings=3, hostile=True, second_person=1.0)
    with ServedPage("label", corpus, "--author", "Ann") as served:
        yield served


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "wave.bvh").write_text(bvh_text())
    (folder / "zzz broken.bvh").write_text("HIERARCHY\nROOT Hips\n")
    return folder


def record_video(chromium: Any, path: Path) -> None:
    """More than a second of a blinking square, as the browser itself records it."""
    page = chromium.new_page()
    script = """async () => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 48 });
      const context = canvas.getContext("2d");
      if (!window.MediaRecorder || !MediaRecorder.isTypeSupported("video/webm;codecs=vp8")) return null;
      const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: "video/webm;codecs=vp8" });
      const chunks = [];
      recorder.ondataavailable = (event) => chunks.push(event.data);
      const ended = new Promise((resolve) => (recorder.onstop = resolve));
      recorder.start();
      for (let i = 0; i < 30; i++) {
        context.fillStyle = i % 2 ? "#fff" : "#26c";
        context.fillRect(0, 0, 64, 48);
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
      recorder.stop();
      await ended;
      const bytes = new Uint8Array(await new Blob(chunks).arrayBuffer());
      return btoa(String.fromCharCode(...bytes));
    }"""
    recorded = page.evaluate(script)
    page.close()
    if recorded is None:
        pytest.skip("this chromium records no WebM video")
    path.write_bytes(base64.b64decode(recorded))


@pytest.fixture(scope="module")
def files_page(files: Path, chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPage]:
    videos = tmp_path_factory.mktemp("videos")
    record_video(chromium, videos / "wave.webm")
    with ServedPage("view", files, "--video", videos) as served:
        yield served


@pytest.fixture
def page(chromium: Any, corpus_page: ServedPage) -> Iterator[OpenPage]:
    with opened(chromium, corpus_page.link) as open_page:
        yield open_page


@pytest.fixture
def file_page(chromium: Any, files_page: ServedPage) -> Iterator[OpenPage]:
    with opened(chromium, files_page.link) as open_page:
        open_page.page.locator(".item", has_text="wave").click()
        expect(open_page.page.locator("h1")).to_have_text("wave")
        yield open_page


def drop(page: OpenPage, files: dict[str, str]) -> None:
    """Drop files, by name, on the page."""
    script = """(files) => {
      const transfer = new DataTransfer();
      for (const [name, text] of Object.entries(files)) transfer.items.add(new File([text], name));
      for (const type of ["dragenter", "dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
      }
    }"""
    page.page.evaluate(script, files)


def test_it_opens_plays_and_scrubs(page: OpenPage) -> None:
    expect(page.page.locator("h1")).to_have_text("take_0000")
    expect(page.page.locator(".item")).to_have_count(6)
    before = page.pixels()
    page.page.get_by_role("button", name="Play").click()
    expect(page.page.locator("#time")).to_have_text(re.compile(r"^0:00\.[4-9]"))
    page.page.get_by_role("button", name="Pause").click()
    assert page.pixels() != before
    box = page.page.locator(".row.axis canvas").bounding_box()
    page.page.mouse.move(box["x"] + 2, box["y"] + 10)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 10, steps=5)
    page.page.mouse.up()
    middle = page.time
    duration = float(page.page.inner_text("#time").split(":")[-1])
    assert abs(middle - duration / 2) < 0.1
    head = page.page.locator(".playhead").bounding_box()
    assert abs(head["x"] + head["width"] / 2 - (box["x"] + box["width"] / 2)) < 3


def test_a_view_that_was_moved_away_from_the_playhead_stays_until_time_goes_on(page: OpenPage) -> None:
    box = page.page.locator(".row.axis canvas").bounding_box()
    page.page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 10)
    page.page.keyboard.down("Control")
    for _ in range(12):
        page.page.mouse.wheel(0, -120)
    page.page.keyboard.up("Control")
    expect(page.page.locator(".playhead")).to_be_hidden()
    page.page.keyboard.press("ArrowRight")
    expect(page.page.locator(".playhead")).to_be_visible()


def test_dragging_the_scene_turns_it_and_keys_do_the_same(page: OpenPage) -> None:
    images = [page.pixels()]
    box = page.page.locator("#scene").bounding_box()
    x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2
    page.page.mouse.move(x, y)
    page.page.mouse.down()
    page.page.mouse.move(x + 150, y + 20, steps=3)
    page.page.mouse.up()
    images.append(page.pixels())
    page.page.keyboard.press("Control+ArrowLeft")
    images.append(page.pixels())
    page.page.get_by_role("button", name="Ground").click()
    images.append(page.pixels())
    page.page.get_by_role("button", name="Ground").click()
    page.page.get_by_role("button", name="Reset").click()
    assert len(set(images)) == 4
    assert page.pixels() == images[0]
    page.page.keyboard.press("Shift+ArrowRight")
    without = page.pixels()
    page.page.locator(".scene-tools summary").click()
    page.page.get_by_label("left hand", exact=True).check()
    assert page.pixels() != without
    page.page.keyboard.press("Escape")
    expect(page.page.get_by_label("left hand", exact=True)).to_be_hidden()


def test_people_are_chosen_by_their_number_and_others_are_hidden(page: OpenPage, corpus_page: ServedPage) -> None:
    recording = Corpus.open(corpus_page.arguments[1])["take_0000"]
    both = recording.present.all(axis=1)  # (T,)
    box = page.page.locator(".row.axis canvas").bounding_box()
    x = box["x"] + box["width"] * (np.flatnonzero(both).mean() + 0.5) / len(both)
    page.page.mouse.click(x, box["y"] + 10)
    expect(page.page.locator(".notices")).to_have_text("")
    everybody = page.pixels()
    page.page.get_by_role("button", name="Person 0").click()
    expect(page.page.locator(".people .chip").first).to_have_attribute("aria-pressed", "true")
    chosen = page.pixels()
    page.page.get_by_label("only this one").check()
    assert len({everybody, chosen, page.pixels()}) == 3
    page.page.get_by_role("button", name="Person 0").click()
    assert page.pixels() == everybody


def test_the_list_is_searched_sorted_and_stepped_through_as_it_is_sorted(page: OpenPage) -> None:
    page.page.locator("#sort").select_option("longest")
    page.page.locator("#search").fill("take")
    longest_first = page.page.locator(".item .text").all_inner_texts()
    assert sorted(longest_first) == ["take_0000", "take_0001", "take_0002"]
    page.page.locator(".item").first.click()
    for name in longest_first:
        expect(page.page.locator("h1")).to_have_text(name)
        page.page.locator("body").press("n")
    rows = page.page.get_by_role("listbox", name="Recordings")
    rows.press("Home")
    expect(page.page.locator("h1")).to_have_text(longest_first[0])
    rows.press("ArrowDown")
    expect(page.page.locator("h1")).to_have_text(longest_first[1])
    expect(rows.get_by_role("option", selected=True)).to_contain_text(longest_first[1])
    page.page.locator("#search").fill("0001 TAKE")
    expect(page.page.locator(".item .text")).to_have_text(["take_0001"])
    page.page.locator("#search").fill("nothing is called so")
    expect(page.page.locator(".item")).to_have_count(0)


def test_curves_of_joints_are_added_kept_for_the_next_time_and_removed(page: OpenPage) -> None:
    page.page.get_by_text("Add curve").click()
    form = page.page.locator(".curve-form")
    form.get_by_label("Kind").select_option("speed")
    form.get_by_label("Joint").select_option("right hand")
    form.get_by_role("button", name="Add").click()
    row = page.page.locator(".row.curve")
    expect(row).to_contain_text("right hand")
    edge = page.page.get_by_role("separator")
    for _ in range(3):
        edge.press("ArrowUp")
    height = page.page.locator("#timeline").bounding_box()["height"]
    page.page.reload()
    page.page.wait_for_selector("html[data-ready]")
    expect(row).to_contain_text("right hand")
    assert page.page.locator("#timeline").bounding_box()["height"] == height
    expect(row.locator("canvas")).to_be_visible()
    row.locator("canvas").hover()
    expect(page.page.locator("#tip")).to_contain_text(re.compile(r"speed.*m/s"))
    row.get_by_role("button").click()
    expect(row).to_have_count(0)


def test_an_annotation_set_is_made_and_another_ones_rows_are_shown_beside_it(page: OpenPage) -> None:
    page.page.locator("#set").select_option(label="New set…")
    page.page.get_by_role("dialog").get_by_label("Name of the set").fill("second <i>")
    page.page.get_by_role("button", name="Make it").click()
    expect(page.page.locator("#set")).to_have_value("second <i>")
    page.page.locator(".row-tools summary", has_text="Rows").click()
    page.page.locator(".menu-box").get_by_label("labels").check()
    expect(page.row("Set labels")).to_be_visible()
    page.page.get_by_label("Your name").fill("Ann O'Nym")
    page.page.get_by_label("Your name").press("Enter")
    expect(page.page.get_by_label("Your name")).not_to_be_focused()
    assert page.page.evaluate("() => localStorage.getItem('kinespan-author')") == "Ann O'Nym"


def test_options_of_reading_are_tried_live_and_told_as_they_are_typed(file_page: OpenPage) -> None:
    page = file_page.page
    page.get_by_text("How it was read, and options").click()
    form = page.get_by_role("form", name="Options of reading")
    before = file_page.pixels()
    form.locator("[name=up]").select_option("z")
    expect(page.locator(".keep code")).to_have_text("--up z")
    assert file_page.pixels() != before
    expect(page.locator(".warnings li").first).to_be_visible()  # lying down
    form.locator("[name=unit]").select_option("m") if form.locator("select[name=unit]").count() else form.locator(
        "[name=unit]"
    ).fill("m")
    expect(page.locator(".warnings")).to_contain_text(re.compile(r"\bm\b"))
    form.locator("[name=up]").select_option("")
    expect(page.locator(".keep code")).to_have_text("--unit m")


def test_dropped_files_are_read_and_shown_and_errors_name_their_file(file_page: OpenPage) -> None:
    page = file_page.page
    drop(file_page, {"dropped.bvh": bvh_text(30), "not motion.bvh": "HIERARCHY"})
    expect(page.locator("h1")).to_have_text("dropped")
    expect(page.locator(".note.error")).to_contain_text("not motion.bvh")
    expect(page.locator(".item .text", has_text="dropped")).to_be_visible()
    expect(page.locator(".drop-overlay")).to_be_hidden()


def test_a_file_that_cannot_be_read_says_so_in_words_and_the_last_one_stays(file_page: OpenPage) -> None:
    file_page.page.locator(".item", has_text="broken").click()
    dialog = file_page.page.get_by_role("dialog", name="zzz broken cannot be read as it is")
    expect(dialog).to_contain_text("MOTION")
    dialog.get_by_role("button", name="Close").click()
    expect(file_page.page.locator(".item .error", has_text="zzz broken")).to_contain_text("MOTION")
    expect(file_page.page.locator("h1")).to_have_text("wave")
    file_page.forgive("422")


def test_a_dropped_file_of_markers_that_does_not_say_its_rate_asks_for_it_and_is_drawn(file_page: OpenPage) -> None:
    rows = [f"{frame},0,{1 + frame / 30},0.1,1,1,0.3" for frame in range(30)]
    drop(file_page, {"markers.csv": "\n".join(["frame,m1_x,m1_y,m1_z,m2_x,m2_y,m2_z", *rows])})
    dialog = file_page.page.get_by_role("dialog", name="markers cannot be read as it is")
    expect(dialog.get_by_role("status")).to_contain_text("no frame rate")
    dialog.locator("[name=fps]").fill("30")
    dialog.locator("[name=unit]").select_option("m")
    dialog.locator("[name=up]").select_option("y")
    expect(file_page.page.locator("h1")).to_have_text("markers")
    expect(dialog).to_have_count(0)
    drawn = """(canvas) => { const copy = new OffscreenCanvas(canvas.width, canvas.height);
      const context = copy.getContext("2d", { willReadFrequently: true });
      context.drawImage(canvas, 0, 0);
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      let dark = 0;
      for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255 && data[i] < 110 && data[i + 1] < 110) dark++;
      return dark; }"""
    deadline = time.monotonic() + 10  # the heading may be there before the motion has come
    while file_page.page.eval_on_selector("#scene", drawn) <= 20:
        assert time.monotonic() < deadline, "nothing is drawn"
        file_page.frames()
    file_page.forgive("422")


def test_files_of_hostile_names_are_dropped_as_any_other(file_page: OpenPage) -> None:
    name = "<img src=x onerror=alert(1)> ‮gpj.bvh"
    drop(file_page, {name: bvh_text(20)})
    expect(file_page.page.locator("h1")).to_have_text(name.removesuffix(".bvh"))
    assert file_page.page.locator("h1 img, .item img").count() == 0


def test_a_video_follows_the_clock_and_its_offset_is_set_by_two_clicks(
    file_page: OpenPage, chromium: Any, files_page: ServedPage
) -> None:
    page = file_page.page
    expect(page.locator("video")).to_be_visible()
    page.keyboard.press("Shift+ArrowRight")
    follows = (
        "(video) => new Promise((done) => { const look = () => Math.abs(video.currentTime - 1) < 0.05 ? done(true)"
    )
    assert page.eval_on_selector("video", follows + " : requestAnimationFrame(look); look(); })")
    page.get_by_role("button", name="This moment of the video…").click()
    page.keyboard.press("Home")
    with page.expect_response(re.compile(r"/video$")) as response:
        page.get_by_role("button", name="…is this moment of the motion").click()
    assert json.loads(response.value.request.post_data)["offset"] == pytest.approx(1.0, abs=0.05)
    expect(page.locator(".video-words")).to_have_text(re.compile(r"Offset \+(1\.0|0\.9)"))
    with opened(chromium, files_page.link) as again:
        again.page.locator(".item", has_text="wave").click()
        expect(again.page.locator(".video-words")).to_have_text(re.compile(r"Offset \+(1\.0|0\.9)"))


def test_hostile_names_show_as_text_and_break_nothing(page: OpenPage) -> None:
    page.page.locator(".item", has_text=RIGHT_TO_LEFT).click()
    expect(page.page.locator("h1")).to_have_text(RIGHT_TO_LEFT)
    page.page.locator(".item", has_text="bold").click()
    expect(page.page.locator("h1")).to_have_text(HOSTILE.replace("/", "|"))
    assert page.page.title() == "corpus – kinespan"
    assert page.page.locator("main script, main b > b").count() == 0
    page.page.locator(".item", has_text="long").click()
    expect(page.page.locator("h1")).to_have_text(re.compile("^long name name"))
    assert page.overflow() <= 0
    page.page.set_viewport_size({"width": 420, "height": 860})
    assert page.overflow() <= 0


def test_long_motion_is_shown_at_once_from_an_overview_and_then_exactly(chromium: Any, tmp_path: Path) -> None:
    take, _ = next(iter(synthetic_takes(SyntheticConfig(recordings=1, seconds=(20.0, 20.0), second_person=1.0))))
    times = 26_000 // take.num_frames
    positions, valid = np.tile(take.positions, (times, 1, 1, 1)), np.tile(take.valid, (times, 1, 1))
    positions = positions + np.linspace(0, 3, len(positions), dtype=np.float32)[:, None, None, None] * valid[..., None]
    with CorpusWriter(tmp_path / "long", "long") as writer:
        writer.add(Recording(positions, fps=120, skeleton=take.skeleton, name="long", valid=valid))
    frames = [0, 777, 14_001, len(positions) - 1]
    script = """async ([frames, id]) => {
      const { openMotion } = await import("/static/serve/page/streamed_motion.js");
      const recording = await (await fetch(`/api/recordings/${id}`)).json();
      let resolve = null;
      const motion = await openMotion(recording, () => resolve());
      const poses = [];
      for (const frame of frames) {
        const rough = [...motion.pose(frame)];
        const loaded = new Promise((done) => (resolve = done));
        motion.moveTo(frame);
        if (!motion.chunkOf(frame)) await loaded;
        const people = motion.slots.map((_, p) => [motion.isSeen(frame, p), motion.lastSeen(frame, p)]);
        poses.push({ rough, exact: [...motion.pose(frame)], centre: motion.centre(frame), people });
      }
      return { poses, step: motion.step };
    }"""
    with ServedPage("view", tmp_path / "long") as served, opened(chromium, served.link) as page:
        motion = page.page.evaluate(script, [frames, 0])
    assert motion["step"] > 1
    present = valid.any(axis=2)  # (T, P)
    for frame, pose in zip(frames, motion["poses"], strict=True):
        exact = np.reshape(pose["exact"], positions.shape[1:])
        np.testing.assert_allclose(exact[valid[frame]], positions[frame][valid[frame]], atol=2e-3)
        assert np.shape(pose["rough"]) == np.shape(pose["exact"])
        middle = positions[frame][valid[frame]].mean(axis=0)[[0, 2]]
        assert np.abs(np.subtract(pose["centre"], middle)).max() < 1.0  # metres; the camera's path is smooth
        for person, (is_seen, last) in enumerate(pose["people"]):
            assert is_seen == present[frame, person]
            until = np.flatnonzero(present[: frame + 1, person])
            expected = until[-1] if until.size else -1
            assert last == expected or (not is_seen and abs(last - expected) <= motion["step"])


def test_narrow_windows_have_everything_one_below_the_other_and_dark_ones_are_dark(
    chromium: Any, corpus_page: ServedPage
) -> None:
    with opened(chromium, corpus_page.link, viewport={"width": 420, "height": 860}, color_scheme="light") as page:
        assert page.overflow() <= 0
        expect(page.page.locator("#search")).to_be_hidden()
        page.page.get_by_role("button", name="Recordings").click()
        page.page.locator(".item").nth(1).click()
        expect(page.page.locator("h1")).to_have_text("take_0001")
        expect(page.page.locator("#search")).to_be_hidden()
        stage, timeline, side = (
            page.page.locator(name).bounding_box()["y"] for name in ("#stage", "#timeline", "#side")
        )
        assert stage < timeline < side
        light = page.pixels()
        page.page.emulate_media(color_scheme="dark")
        assert page.pixels() != light
