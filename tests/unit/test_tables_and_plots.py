"""Recordings and annotations as pandas tables, xarray data sets and pictures."""

from __future__ import annotations

import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from kinespan.annotations.csv_table import COLUMNS
from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.data.clock import Clock
from kinespan.data.plots import joint_speeds, plot_timelines
from kinespan.data.recording import Recording
from kinespan.data.tables import answers_to_dataframe
from kinespan.errors import InputError, import_extra

LABELS = LabelSet(("wave", "kick", "strike"), events=("strike",))


@pytest.fixture(autouse=True)
def _no_window() -> None:
    matplotlib.use("agg")


def recording(frames: int = 6, people: int = 2, times: np.ndarray | None = None) -> Recording:
    positions = np.random.default_rng(0).normal(size=(frames, people, 25, 3))
    valid = np.ones((frames, people, 25), dtype=bool)
    valid[1, 0, 4] = False
    return Recording(positions, 10.0, "ntu25", "take", valid, "take.bvh", times=times)


def annotation() -> Annotation:
    spans = (Span(0.0, 1.0, "kick", 0.5), Span(2.0, 3.0, "wave", None, 1))
    return Annotation(spans, LABELS, ((0.0, 1.5), (2.0, 4.0)), (Event(1.2, "strike", 0.9),))


def test_dataframe_of_a_recording_has_a_row_for_each_frame_person_and_joint() -> None:
    take = recording()
    table = take.to_dataframe()
    assert list(table.columns) == ["frame", "time", "person", "joint", "x", "y", "z"]
    assert len(table) == 6 * 2 * 25
    row = table[(table.frame == 3) & (table.person == 1) & (table.joint == "left knee")].iloc[0]
    knee = take.skeleton.joints.index("left knee")
    assert [row.x, row.y, row.z] == take.positions[3, 1, knee].tolist()
    assert row.time == pytest.approx(0.3)
    hidden = table[table.x.isna()]
    assert hidden[["frame", "person", "joint"]].values.tolist() == [[1, 0, "left shoulder"]]


def test_dataframe_of_uneven_frames_has_their_times() -> None:
    times = np.array([0.0, 0.1, 0.2, 0.9, 1.0, 1.1])
    assert recording(times=times).to_dataframe().time.unique().tolist() == times.tolist()


def test_dataframe_of_an_annotation_is_in_order_of_start_and_events_have_no_end() -> None:
    table = annotation().to_dataframe()
    assert table.label.tolist() == ["kick", "strike", "wave"]
    assert table.end.isna().tolist() == [False, True, False]
    assert table.score.isna().tolist() == [False, False, True]
    assert table.person.isna().tolist() == [True, True, False]
    assert table.person[2] == 1
    assert list(Annotation((), LABELS).to_dataframe().columns) == list(table.columns), "empty ones too"


def test_dataframe_of_answers_names_recordings_and_frames() -> None:
    clocks = {"a": Clock(10.0, 40), "b": Clock(10.0, 40), "c": Clock(20.0, 80)}
    table = answers_to_dataframe({"a": annotation(), "b": Annotation((), LABELS), "c": annotation()}, clocks)
    assert tuple(table.columns) == COLUMNS, "those of spans.csv"
    assert table.recording.tolist() == ["a"] * 3 + ["c"] * 3
    assert table.start_frame.tolist() == [0, 12, 20, 0, 24, 40]
    assert table.end_frame.dropna().tolist() == [10, 30, 20, 60]


def test_xarray_has_the_dimensions_of_movement() -> None:
    take = recording()
    dataset = take.to_xarray()
    assert dataset.position.dims == ("time", "space", "keypoints", "individuals")
    assert dataset.confidence.dims == ("time", "keypoints", "individuals")
    where = {"keypoints": "left knee", "individuals": "person_1"}
    knee = take.skeleton.joints.index("left knee")
    np.testing.assert_array_equal(dataset.position.sel(where).isel(time=3), take.positions[3, 1, knee])
    assert float(dataset.position.sel(time=0.3, space="y", **where)) == take.positions[3, 1, knee, 1]
    hidden = dataset.position.sel(keypoints="left shoulder", individuals="person_0")
    assert hidden.isnull().any("space").values.tolist() == [False, True, False, False, False, False]
    assert float(dataset.confidence.sum()) == 6 * 2 * 25 - 1
    assert dataset.attrs["fps"] == 10.0
    assert dataset.attrs["source_software"].startswith("kinespan ")
    assert dataset.attrs["time_unit"] == "seconds"
    assert dataset.attrs["ds_type"] == "poses"


def test_plot_of_a_recording_shows_poses_in_order_and_a_curve() -> None:
    *poses, curve = recording(40).plot(annotation(), poses=4)
    titles = [float(ax.get_title().removesuffix(" s")) for ax in poses]
    assert titles == sorted(titles)
    assert len(poses) == 4
    assert all(len(ax.lines) == 2 * (24 + 1) for ax in poses), "bones and joints of two people"
    assert curve.get_xlim() == (0, 4.0)
    assert len(curve.patches) == 2, "spans behind the curve"
    assert len(curve.lines) == 3, "a speed for each person, and an event"


def test_plot_shows_no_more_poses_than_frames_with_somebody() -> None:
    valid = np.zeros((40, 1), dtype=bool)
    valid[[3, 30]] = True
    take = Recording(np.random.default_rng(0).normal(size=(40, 1, 25, 3)), 10.0, "ntu25", valid=valid)
    assert [ax.get_title() for ax in take.plot()[:-1]] == ["0.3 s", "3.0 s"]
    with pytest.raises(InputError, match="poses is 0"):
        take.plot(poses=0)
    assert len(Recording(np.ones((1, 25, 3)), 10.0, "ntu25").plot()) == 2, "a single frame has no speed"


def test_speed_of_uniform_motion_is_that_by_hand() -> None:
    seconds = np.arange(50) / 25.0
    positions = np.zeros((50, 2, 25, 3))
    positions[:, 0, :, 0] = 1.5 * seconds[:, None]
    valid = np.ones((50, 2, 25), dtype=bool)
    valid[:, 1] = False
    valid[10:20, 0, 3] = False
    times, speeds = joint_speeds(Recording(positions, 25.0, "ntu25", valid=valid))
    np.testing.assert_allclose(speeds[0], 1.5, rtol=1e-5)
    assert np.isnan(speeds[1]).all()
    assert times[0] == pytest.approx(0.04), "between frames 0 and 2, a tenth of a second apart"


def test_timeline_of_an_annotation_has_a_row_for_each_label_that_occurs() -> None:
    axes = annotation().plot()
    assert [text.get_text() for text in axes.get_yticklabels()] == ["wave", "kick", "strike"]
    bars = [(bar.get_x(), bar.get_width(), round(bar.get_y() + bar.get_height() / 2)) for bar in axes.patches[1:]]
    assert bars == [(0.0, 1.0, 1), (2.0, 1.0, 0)]
    assert axes.patches[0].get_x() == 1.5, "the time that was not looked at"
    assert annotation().plot(axes) is axes


def test_timelines_have_a_row_for_each_recording_and_one_colour_for_each_label() -> None:
    axes = plot_timelines({"a": annotation(), "b": annotation()})
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["kick", "wave", "strike"]
    first, _, third, _ = axes.patches
    assert first.get_facecolor() == third.get_facecolor()


@pytest.mark.parametrize(
    ("module", "call"),
    [("pandas", "to_dataframe()"), ("xarray", "to_xarray()"), ("matplotlib", "plot()")],
)
def test_a_missing_package_is_told_with_the_command_that_installs_it(module: str, call: str) -> None:
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "import numpy, kinespan\n"
        f"kinespan.Recording(numpy.ones((3, 25, 3)), 30, 'ntu25').{call}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        f"kinespan.errors.InputError: {call[:-2]} needs {module}, which is not installed; "
        "run: pip install 'kinespan[notebook]'"
    )


def test_a_mistake_inside_a_package_is_not_taken_for_its_absence(tmp_path, monkeypatch) -> None:
    (tmp_path / "half_installed.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        import_extra("half_installed", "notebook", "plot")
