"""The studies of robustness and calibration: each change by hand, both on a small corpus, and their tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.results.store import read_rows
from benchmarks.study import calibration, calibration_tables, robustness
from benchmarks.study.calibration_tables import calibration_table, chance_error, coverage_table
from benchmarks.study.robustness import CHANGES, Case, Take, from_mid_action, mirrored, noise, run_case, speed
from benchmarks.study.robustness_tables import robustness_table

from kinespan.config import FinetuneConfig, NetworkConfig
from kinespan.corpus import Corpus, CorpusWriter, group_split
from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.data.recording import Recording
from kinespan.data.skeleton import Skeleton
from kinespan.data.skeletons import KINECT_20
from kinespan.prepare.synthetic.takes import ACTIONS, SyntheticConfig, synthetic_takes

LABELS = LabelSet(("kick left", "kick right", "sit"))


def take(frames: int = 40, fps: float = 10.0) -> Take:
    rng = np.random.default_rng(0)
    pose = rng.uniform(-0.5, 0.5, (20, 3)) + np.array([0, 1, 0])
    walk = rng.standard_normal((frames, 1, 20, 3)).cumsum(axis=0) * 0.02
    spans = (Span(1.0, 2.0, "kick left"), Span(2.5, 3.5, "sit"))
    annotation = Annotation(spans, LABELS, ((0.5, 4.0),))
    return Recording((pose + walk).astype(np.float32), fps, KINECT_20, "take"), annotation


def changed(name: str) -> Take:
    return CHANGES[name][0](*take(), np.random.default_rng(1))


def test_as_it_is_and_the_heading_by_hand() -> None:
    recording, annotation = take()
    same, same_annotation = changed("as it is")
    assert np.array_equal(same.positions, recording.positions)
    assert same_annotation == annotation
    turned, _ = changed("heading 90 degrees")
    x, y, z = np.moveaxis(recording.positions, -1, 0)
    assert np.allclose(turned.positions, np.stack([z, y, -x], axis=-1), atol=1e-6)


def test_noise_is_of_the_size_that_it_is_called_by_and_smaller_for_a_hand() -> None:
    recording, annotation = take(400)
    noisy, _ = noise(0.03)(recording, annotation, np.random.default_rng(0))
    assert (noisy.positions - recording.positions).std() == pytest.approx(0.03, rel=0.02)
    hand = Skeleton("hand", ("palm", "a", "b"), (-1, 0, 1))
    pose = np.arange(3)[:, None] * np.array([0.021, 0, 0], np.float32)
    small = Recording(np.tile(pose, (4000, 1, 1, 1)), 10.0, hand, "hand")
    noisy, _ = noise(0.03)(small, annotation, np.random.default_rng(0))
    assert (noisy.positions - small.positions).std() == pytest.approx(0.003, rel=0.02)


def test_joints_are_lost_by_frame_or_throughout() -> None:
    recording, annotation = take(400)
    rng = np.random.default_rng(0)
    by_frame, _ = CHANGES["20 % of joints missing, by frame"][0](recording, annotation, rng)
    assert 1 - by_frame.valid.mean() == pytest.approx(0.2, abs=0.02)
    throughout, _ = CHANGES["20 % of joints missing throughout"][0](recording, annotation, rng)
    assert (~throughout.valid).all(axis=(0, 1)).sum() == 4
    assert (~throughout.valid).any(axis=(0, 1)).sum() == 4


def test_another_rate_is_the_same_motion() -> None:
    recording, annotation = take()
    for name, factor in (("half the frame rate", 0.5), ("double the frame rate", 2)):
        other, same = changed(name)
        assert other.fps == factor * recording.fps
        assert other.duration == recording.duration
        assert same == annotation
    assert np.array_equal(changed("half the frame rate")[0].positions, recording.positions[::2])


def test_another_speed_moves_the_labels_with_the_motion() -> None:
    recording, annotation = take()
    annotation = Annotation(annotation.spans, LABELS, annotation.covered, (Event(1.4, "sit"),))
    fast, faster = speed(2.0)(recording, annotation, np.random.default_rng(0))
    assert fast.duration == recording.duration / 2
    assert [(span.start, span.end) for span in faster.spans] == [(0.5, 1.0), (1.25, 1.75)]
    assert faster.covered == ((0.25, 2.0),)
    assert faster.events[0].time == pytest.approx(0.7)


def test_a_mirror_swaps_sides_of_joints_and_labels() -> None:
    recording, annotation = take()
    other, swapped = mirrored(recording, annotation, np.random.default_rng(0))
    assert [span.label for span in swapped.spans] == ["kick right", "sit"]
    left, right = KINECT_20.joints.index("HandLeft"), KINECT_20.joints.index("HandRight")
    assert np.array_equal(other.positions[:, 0, left], recording.positions[:, 0, right] * [-1, 1, 1])
    again, back = mirrored(other, swapped, np.random.default_rng(0))
    assert np.array_equal(again.positions, recording.positions)
    assert back == annotation


def test_a_recording_starts_in_the_middle_of_its_first_action() -> None:
    recording, annotation = take()
    cut, rest = from_mid_action(recording, annotation, np.random.default_rng(0))
    assert np.array_equal(cut.positions, recording.positions[15:])
    assert (rest.spans[0].start, rest.spans[0].end) == (0.0, pytest.approx(0.5))
    assert rest.spans[1].start == pytest.approx(1.0)


def test_both_studies_on_a_small_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CorpusWriter(tmp_path / "corpora" / "made", "made", ACTIONS) as writer:
        for recording, annotation in synthetic_takes(SyntheticConfig(recordings=6, seconds=(5.0, 6.0), fps=15.0)):
            writer.add(recording, annotation)
        writer.add_split(group_split(writer.infos, "performer", 3, seed=0))
    tiny = FinetuneConfig(
        protocol="scratch", batch_size=2, clip_frames=32, steps=2, network=NetworkConfig(encoder="tcn")
    )
    monkeypatch.setattr(robustness, "FinetuneConfig", lambda **settings: tiny)
    for module in (robustness, calibration):
        monkeypatch.setattr(module, "SPLITS", {"made": "by-performer"})
    names = ("as it is", "noise of 1 cm")
    monkeypatch.setattr(robustness, "CHANGES", {name: (CHANGES[name][0], min(2, CHANGES[name][1])) for name in names})
    corpus = Corpus.open(tmp_path / "corpora" / "made")
    case = Case("made", "finetune", 0, "by-performer")
    run_case(case, corpus, tmp_path, steps=2)
    rows = read_rows(tmp_path)
    assert [(row["change"], row["draw"]) for row in rows] == [
        ("as it is", 0), ("noise of 1 cm", 0), ("noise of 1 cm", 1),
    ]  # fmt: skip
    run_case(case, corpus, tmp_path, steps=2)
    assert read_rows(tmp_path) == rows, "what is done is not run again"
    before, after = calibration.run_case("made", 0, corpus, tmp_path, steps=2)
    assert (before["scores"], after["scores"]) == calibration_tables.KINDS
    assert before["frames"]["claims"] == after["frames"]["claims"] > 0
    assert after["temperature"] != 1


def test_the_tables_by_hand() -> None:
    rows = [
        {"data": "precog", "training": "finetune", "seed": seed, "change": change, "f1_50": figure}
        for change, figures in {"as it is": (0.8, 0.9), "speed 1.4": (0.7, 0.7)}.items()
        for seed, figure in enumerate(figures)
    ]
    assert robustness_table(rows, "finetune").splitlines() == [
        "| test recordings | PRECOG, F1@50 | less clean, points |",
        "|---|---|---|",
        "| as it is | 85.0 |  |",
        "| speed 1.4 | 70.0 | -15.0 |",
    ]
    coverage = [{"threshold": threshold, "coverage": 0.8, "error": 0.05} for threshold in calibration_tables.THRESHOLDS]
    bins = [{"claims": 1, "score": 0.5, "right": 1.0}, {"claims": 2, "score": 0.5, "right": 0.5}]
    segments = {"error": 0.1, "claims": 20, "area": 0.02, "coverage": coverage, "bins": bins}
    row = {"data": "precog", "seed": 0, "temperature": 1.3, "frames": {"error": 0.04, "claims": 900},
           "segments": segments, "map": 0.9, "f1_50": 0.8}  # fmt: skip
    rows = [{**row, "scores": kind} for kind in calibration_tables.KINDS]
    assert calibration_table(rows).splitlines()[2:] == [
        "| PRECOG, as trained | 1 | 4.0 (900) | 10.0 (20) | 33.3 | 2.0 | 90.0 | 80.0 |",
        "| PRECOG, calibrated | 1.30 | 4.0 (900) | 10.0 (20) | 33.3 | 2.0 | 90.0 | 80.0 |",
    ]
    assert chance_error(bins) == pytest.approx((0.5 + 2 * 0.25) / 3)  # one of one: off by a half; two: by a quarter
    assert coverage_table(rows).splitlines()[2] == "| PRECOG |" + " 80 answered, 5.0 wrong |" * 6
