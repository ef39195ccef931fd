"""The report's data and HTML: what is packed can be unpacked, nothing can be injected, nothing is loaded."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.data.skeleton import Skeleton
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.report import ReportData, ReportRecording, render_report, write_report
from kinespan.report.payload import build_payload
from kinespan.viewer.bundle import read_asset
from kinespan.viewer.payload import MAX_FPS, frame_picks

LABELS = LabelSet(("walk", "wave", "sit"))
EVIL = [
    "</script><script>alert(1)</script>",
    '"><b>bold</b>',
    "<!--",
    "naïve ☃ 走る",
    "a\u2028b",
    "{{data}}",
    r"\g<0> \1",
]


def make_recording(frames: int = 12, people: int = 1, fps: float = 30.0, seed: int = 0, **more: Any) -> Recording:
    positions = np.random.default_rng(seed).normal(size=(frames, people, 25, 3)).astype(np.float32)
    return Recording(positions=more.pop("positions", positions), fps=fps, skeleton=NTU_25, name="take", **more)


def payload_of(item: ReportRecording, labels: LabelSet = LABELS) -> dict[str, Any]:
    packed: dict[str, Any] = build_payload(ReportData("t", labels, [item]))["recordings"][0]
    return packed


def unpacked(motion: dict[str, Any], joints: int = 25) -> np.ndarray:
    """Positions (T, P, J, 3) by a plain loop over frames, with 16-bit sums that wrap around."""
    steps = np.frombuffer(zlib.decompress(base64.b64decode(motion["steps"])), dtype="<i2")
    steps = steps.reshape(motion["frames"], len(motion["slots"]), joints, 3)
    now = np.zeros(steps.shape[1:], dtype=np.int64)
    frames = []
    for change in steps:
        now = (now + change + 32768) % 65536 - 32768
        frames.append(now * motion["unit"] + np.array(motion["origin"]))
    return np.stack(frames)


def valid_of(motion: dict[str, Any]) -> np.ndarray:
    flags = np.frombuffer(zlib.decompress(base64.b64decode(motion["valid"])), dtype=np.uint8)
    return flags.reshape(motion["frames"], len(motion["slots"])).astype(bool)


def embedded(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


# ---- packing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reach", "unit"), [(1.0, 0.001), (30.0, 0.001), (500.0, None)])
def test_positions_survive_to_half_a_step(reach: float, unit: float | None) -> None:
    rng = np.random.default_rng(1)
    positions = rng.uniform(-reach, reach, size=(20, 2, 25, 3)).astype(np.float32) + 7
    motion = payload_of(ReportRecording(make_recording(positions=positions)))["motion"]
    assert unit is None or motion["unit"] == unit
    assert motion["unit"] <= 2 * reach / 65000 or motion["unit"] == 0.001
    assert_allclose(unpacked(motion), positions, atol=0.5 * motion["unit"] + 1e-4)


def test_a_root_outside_the_body_has_no_bone() -> None:
    count = NTU_25.num_joints
    parts = {"joints": (*NTU_25.joints, "reference"), "body_parts": (*NTU_25.body_parts, None)}
    parents = tuple(count if parent < 0 else parent for parent in NTU_25.parents)
    carried = replace(NTU_25, name="carried", parents=(*parents, -1), **parts)

    def bones(skeleton: Skeleton) -> list[list[int]]:
        positions = np.zeros((4, 1, skeleton.num_joints, 3), dtype=np.float32)
        recording = Recording(positions=positions, fps=30.0, skeleton=skeleton, name="take")
        found: list[list[int]] = payload_of(ReportRecording(recording))["skeleton"]["bones"]
        return found

    assert bones(carried) == bones(NTU_25)
    assert len(bones(replace(carried, body_parts=()))) == count


def test_recording_that_does_not_move_or_has_one_frame() -> None:
    positions = np.full((1, 1, 25, 3), 3.25, dtype=np.float32)
    motion = payload_of(ReportRecording(make_recording(positions=positions)))["motion"]
    assert_allclose(unpacked(motion), positions, atol=1e-3)


def test_invalid_frames_repeat_the_last_pose_and_absent_people_are_left_out() -> None:
    recording = make_recording(frames=6, people=3)
    valid = np.array([[0, 0, 1], [1, 0, 1], [1, 0, 1], [0, 0, 1], [0, 0, 1], [1, 0, 1]], dtype=bool)
    recording = make_recording(positions=recording.positions, valid=valid)
    motion = payload_of(ReportRecording(recording))["motion"]
    assert motion["slots"] == [0, 2]
    assert_array_equal(valid_of(motion), valid[:, [0, 2]])
    shown = unpacked(motion)[:, 0]
    expected = recording.positions[[1, 1, 2, 2, 2, 5], 0]
    assert_allclose(shown, expected, atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4000), st.floats(1, 500))
def test_shown_frames_match_their_times(num_frames: int, fps: float) -> None:
    picks, shown_fps = frame_picks(num_frames, fps)
    assert shown_fps == min(fps, MAX_FPS)
    assert np.all(np.diff(picks) >= 0)
    assert picks[0] >= 0
    assert picks[-1] < num_frames
    assert abs(len(picks) / shown_fps - num_frames / fps) <= 1 / shown_fps
    for shown, frame in enumerate(picks[:200]):
        time = (shown + 0.5) / shown_fps
        assert frame == min(math.floor(time * fps + 1e-6), num_frames - 1) or fps <= MAX_FPS


def test_motion_and_scores_at_120_fps_are_shown_at_30_fps() -> None:
    scores = np.tile(np.linspace(0, 1, 480)[:, None], (1, 4))
    item = ReportRecording(make_recording(480, fps=120.0), scores=scores, scores_fps=120.0)
    packed = payload_of(item)
    assert (packed["motion"]["frames"], packed["motion"]["fps"]) == (120, 30.0)
    assert (packed["sourceFrames"], packed["sourceFps"], packed["duration"]) == (480, 120.0, 4.0)
    levels = np.frombuffer(zlib.decompress(base64.b64decode(packed["scores"]["levels"])), np.uint8).reshape(120, 4)
    assert_allclose(levels / 255, scores[2::4], atol=0.5 / 255 + 1e-9)


@pytest.mark.parametrize(("turn", "facing"), [(0.0, 0.0), (np.pi / 2, np.pi / 2), (-1.0, -1.0)])
def test_facing_is_the_direction_of_the_body(turn: float, facing: float) -> None:
    positions = np.zeros((3, 1, 25, 3), dtype=np.float32)
    # Looking along +z with y up, a person's left is at +x.
    for landmark, side in ((4, 1), (12, 1), (8, -1), (16, -1)):
        positions[:, :, landmark] = [side * 0.2 * np.cos(turn), 1.0, -side * 0.2 * np.sin(turn)]
    motion = payload_of(ReportRecording(make_recording(positions=positions)))["motion"]
    assert motion["facing"] == pytest.approx(facing, abs=1e-6)


def test_spans_are_sorted_and_keep_label_score_and_person() -> None:
    truth = Annotation((Span(2, 3, "sit"), Span(0.5, 1, "walk", person=1)), LABELS, covered=((0.0, 4.0),))
    proposals = [Span(1.23456, 2, "wave", score=0.5), Span(0, 1, "walk", score=0.25)]
    packed = payload_of(ReportRecording(make_recording(), truth, proposals=proposals))
    assert packed["truth"] == [[0.5, 1, 0, None, 1], [2, 3, 2, None, None]]
    assert packed["covered"] == [[0.0, 4.0]]
    assert packed["proposals"] == [[0, 1, 0, 0.25, None], [1.235, 2, 1, 0.5, None]]
    assert packed["segmentation"] is None
    assert payload_of(ReportRecording(make_recording(), segmentation=()))["segmentation"] == []


def test_metrics_of_numpy_and_not_a_number_become_json() -> None:
    metrics = {"map": {"0.5": np.float32(0.5), "average": math.nan}, "confusion": {"matrix": np.eye(2, dtype=int)}}
    page = render_report(ReportData("t", LABELS, [ReportRecording(make_recording())], metrics))
    shown = embedded(page)["metrics"]
    assert shown == {"map": {"0.5": 0.5, "average": None}, "confusion": {"matrix": [[1, 0], [0, 1]]}}


# ---- the page ----------------------------------------------------------------------------------------------------


def full_data(names: tuple[str, ...] = LABELS.names, title: str = "Report") -> ReportData:
    labels = LabelSet(names)
    spans = (Span(0, 0.2, names[0]), Span(0.2, 0.4, names[1]))
    scores = np.random.default_rng(0).dirichlet(np.ones(len(names) + 1), size=12)
    recording = ReportRecording(make_recording(), Annotation(spans, labels), spans, spans, scores, 30.0)
    metrics = {"map": {"0.5": 0.5}, "confusion": {"labels": ["background", *names], "matrix": [[1]]}}
    return ReportData(title, labels, [recording], metrics, {title: title, "seeds": "0"}, {title: [(0, 1.0), (1, 0.5)]})


@pytest.mark.parametrize("evil", EVIL)
def test_names_cannot_become_markup(evil: str) -> None:
    plain = render_report(full_data())
    page = render_report(full_data((evil, "b", "c"), title=evil))
    for tag in ("<script", "</script", "<b>", "<!--", "</title"):
        assert page.count(tag) == plain.count(tag), tag
    data = embedded(page)
    assert data["labels"][0] == evil
    assert data["title"] == evil
    assert data["facts"][0] == [evil, evil]


def test_page_loads_nothing_external() -> None:
    page = render_report(full_data())
    for pattern in (
        r"https?://",
        r"\burl\(",
        r"@import",
        r"\bsrc\s*=",
        r"<link",
        r"\bfetch\(",
        r"XMLHttpRequest",
        r"\bimport\b",
    ):
        assert not re.search(pattern, page), pattern


def test_policy_allows_this_script_and_style_and_nothing_else() -> None:
    page = render_report(full_data())
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].split(";"))
    assert rules.pop("default-src") == rules.pop("base-uri") == rules.pop("form-action") == "'none'"
    for tag, rule in (("style", "style-src"), ('script type="module"', "script-src")):
        text = re.search(rf"<{tag}>(.*?)</{tag.split()[0]}>", page, re.S)
        assert text is not None
        digest = base64.b64encode(hashlib.sha256(text[1].encode()).digest()).decode()
        assert rules.pop(rule) == f"'sha256-{digest}'"
    assert not rules


def test_every_template_field_is_filled() -> None:
    page = render_report(full_data())
    assert not re.search(r"\{\{\w+\}\}", page)


def test_report_without_truth_metrics_or_recordings_renders() -> None:
    data = embedded(render_report(ReportData("Mine", LABELS, [ReportRecording(make_recording())])))
    assert data["metrics"] is None
    assert data["recordings"][0]["truth"] is None
    assert data["recordings"][0]["scores"] is None
    assert embedded(render_report(ReportData("Figures", LABELS, [])))["recordings"] == []


def test_write_replaces_the_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    data = full_data(title="bytes that are no text: \udcff")
    write_report(data, path)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(InputError, match="folder"):
        write_report(data, tmp_path)


# ---- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "fps", "message"),
    [
        (np.zeros(5), 30.0, r"shape \(5,\)"),
        (np.zeros((0, 4)), 30.0, "shape"),
        (np.zeros((5, 4)), None, "scores_fps is None"),
        (np.zeros((5, 4)), 0.0, "scores_fps is 0"),
        (np.full((5, 4), 3.0), 30.0, "softmax"),
        (np.full((5, 4), np.nan), 30.0, "probabilities"),
    ],
)
def test_bad_scores_are_refused(scores: np.ndarray, fps: float | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ReportRecording(make_recording(), scores=scores, scores_fps=fps)


def test_labels_outside_the_set_and_wrong_columns_are_refused() -> None:
    with pytest.raises(InputError, match="'run' is not in"):
        ReportData("t", LABELS, [ReportRecording(make_recording(), proposals=[Span(0, 1, "run", score=1.0)])])
    with pytest.raises(InputError, match="3 columns, expected 4"):
        ReportData("t", LABELS, [ReportRecording(make_recording(), scores=np.zeros((5, 3)), scores_fps=30.0)])


# ---- colours -----------------------------------------------------------------------------------------------------

# Machado, Oliveira & Fernandes (2009), severity 1.0, on linear RGB.
SIGHT = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def oklab(linear: np.ndarray) -> np.ndarray:
    """OKLab (..., 3) of linear sRGB (..., 3), after Ottosson (2020)."""
    to_lms = np.array(
        [[0.41222147, 0.53633254, 0.05144599], [0.2119035, 0.6806995, 0.10739696], [0.08830246, 0.28171884, 0.6299787]]
    )
    to_lab = np.array(
        [
            [0.21045426, 0.79361779, -0.00407205],
            [1.9779985, -2.4285922, 0.45059371],
            [0.02590404, 0.78277177, -0.80867577],
        ]
    )
    return np.cbrt(linear @ to_lms.T) @ to_lab.T


@pytest.mark.parametrize("sight", SIGHT)
def test_label_colours_stay_apart_for_every_eye(sight: str) -> None:
    source = read_asset("viewer/colours.js")
    listed = re.search(r"const PALETTE = \[(.*?)\]", source, re.S)
    assert listed is not None
    colours = re.findall(r"#([0-9a-f]{6})", listed[1])
    assert len(set(colours)) == len(colours) >= 13
    encoded = np.array([[int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)] for colour in colours])
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    seen = oklab(np.clip(linear @ np.array(SIGHT[sight]).T, 0, 1))
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)[np.triu_indices(len(seen), 1)]
    assert apart.min() > 0.075  # about 0.02 is just noticeable
