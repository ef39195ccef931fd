"""What the page's server serves of recordings: the list, motion, curves, predictions, options, videos, changes."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus_cases import recording, small_corpus
from numpy.testing import assert_allclose, assert_array_equal
from serve_cases import Site, motion_file, moving, page_of, served

from kinespan import io
from kinespan.corpus import AnnotationSets, CorpusWriter
from kinespan.data.annotation import Annotation, Event, LabelSet, Span
from kinespan.data.clock import Clock
from kinespan.data.predictions import Truth
from kinespan.data.recording import Recording
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.runs.outputs import LocalizationResult, write_result
from kinespan.serve.opening import open_paths
from kinespan.serve.video import OFFSETS_FILE, Videos
from kinespan.serve.workspace import Workspace

HOSTILE = '<script>alert("x")</script> \u05e9\u05dc'
ELBOW = NTU_25.joints.index("left_elbow") if "left_elbow" in NTU_25.joints else 5
HEAD = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three motion files, one of them of two people with gaps, one uneven in time; and a file that is none."""
    folder = tmp_path_factory.mktemp("motion")
    motion_file(folder, moving("walk", frames=300, fps=120.0, attributes={"performer": HOSTILE}))
    valid = np.ones((60, 2, 25), dtype=bool)
    valid[10:20, 0] = valid[:5, 1, 7] = False
    valid[:, 1, 9] = False
    motion_file(folder, moving("pair", people=2, valid=valid))
    steps = np.random.default_rng(0).uniform(0.02, 0.045, 40)
    motion_file(folder, moving("uneven", frames=40, times=np.concatenate([[0], np.cumsum(steps)[:-1]])))
    (folder / "broken.npz").write_bytes(b"PK\x03\x04 not an archive")
    return folder


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[Site]:
    with served(page_of(folder)) as running:
        yield running


def read_motion(content: bytes, frames: int, people: int) -> tuple[np.ndarray, np.ndarray]:
    size = frames * people * 25 * 3 * 2
    steps = np.frombuffer(content[:size], "<i2").reshape(frames, people, 25, 3)
    return steps, np.frombuffer(content[size:], np.uint8).reshape(frames, people)


# ---- the list --------------------------------------------------------------------------------------------------


def test_the_session_says_what_was_opened(site: Site, folder: Path) -> None:
    session = site.get("/api/session").json
    assert session["title"] == folder.name
    assert (session["editable"], session["corpus"], session["sets"], session["model"]) == (False, None, [], None)
    options = {option["name"]: option for option in session["options"]}
    assert options["up"]["choices"] == ["x", "y", "z", "-x", "-y", "-z"]
    assert options["fps"]["type"] == "number"
    assert "bvh" in options["format"]["choices"]
    assert {"name", "about", "suffix"} == set(session["formats"][0])
    assert session["limits"]["files"] > 100


def test_files_are_listed_before_any_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_reading(*_: object, **__: object) -> None:
        raise AssertionError("a file was read")

    monkeypatch.setattr(io, "read", no_reading)
    workspace = open_paths([folder]).workspace
    assert [entry.name for entry in workspace.entries] == ["pair", "uneven", "walk"]
    assert all(entry.facts is None for entry in workspace.entries)


def test_the_list_knows_a_recording_once_it_was_read(site: Site) -> None:
    id = site.id_of("walk")
    site.get(f"/api/recordings/{id}")
    item = next(item for item in site.get("/api/recordings").json["recordings"] if item["id"] == id)
    assert (item["duration"], item["fps"], item["people"], item["skeleton"]) == (2.5, 120.0, 1, "ntu25")
    assert (item["kind"], item["error"], item["predicted"], item["uncertainty"]) == ("file", None, False, None)


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        motion_file(tmp_path / name, moving())
    assert [entry.name for entry in open_paths([tmp_path]).workspace.entries] == ["a/walk", "b/walk"]


# ---- a recording -----------------------------------------------------------------------------------------------


def test_a_recording_says_what_was_decided_and_names_as_they_are(site: Site) -> None:
    recording = site.get(f"/api/recordings/{site.id_of('walk')}").json
    assert ["performer", HOSTILE] in recording["attributes"]
    assert (recording["frames"], recording["fps"], recording["uneven"]) == (300, 120.0, False)
    assert recording["lines"][0].startswith("recording walk: npz, 1 person, 25 joints")
    assert (recording["options"], recording["command"], recording["video"], recording["truth"]) == ({}, "", None, None)
    assert recording["skeleton"]["names"] == list(NTU_25.joints)
    assert recording["skeleton"]["parents"] == list(NTU_25.parents)
    assert 1.0 < recording["motion"]["height"] < 2.5


def test_motion_is_the_positions_of_the_picked_frames(site: Site, folder: Path) -> None:
    id = site.id_of("walk")
    motion = site.get(f"/api/recordings/{id}").json["motion"]
    content = site.get(f"/api/recordings/{id}/motion?start=30&stop=200&step=7").content
    picks = range(30, 200, 7)
    steps, seen = read_motion(content, len(picks), 1)
    expected = io.read(folder / "walk.npz").recording.positions[list(picks)]
    assert_allclose(steps * motion["unit"] + motion["origin"], expected, atol=motion["unit"])
    assert seen.all()


def test_where_somebody_was_not_seen_the_last_pose_stands_in(site: Site, folder: Path) -> None:
    id = site.id_of("pair")
    motion = site.get(f"/api/recordings/{id}").json["motion"]
    recording = io.read(folder / "pair.npz").recording
    steps, seen = read_motion(site.get(f"/api/recordings/{id}/motion").content, 60, 2)
    assert motion["slots"] == [0, 1]
    assert_array_equal(seen.astype(bool), recording.present)
    shown = steps * motion["unit"] + np.array(motion["origin"])
    assert_allclose(shown[10:20, 0], np.repeat(recording.positions[9:10, 0], 10, axis=0), atol=0.001)
    assert_allclose(shown[:5, 1, 7], np.repeat(recording.positions[5:6, 1, 7], 5, axis=0), atol=0.001)
    assert_allclose(shown[:, 1, 9], shown[:, 1, NTU_25.parents[9]], atol=1e-9)  # never seen: on its parent


def test_a_recording_that_is_uneven_in_time_is_shown_at_an_even_rate(site: Site) -> None:
    id = site.id_of("uneven")
    recording = site.get(f"/api/recordings/{id}").json
    assert recording["uneven"]
    assert recording["frames"] == round(recording["duration"] * recording["fps"])
    frames = recording["frames"]
    assert len(site.get(f"/api/recordings/{id}/motion").content) == frames * (25 * 6 + 1)


@pytest.mark.parametrize("query", ["start=-1", "step=0", "start=x", "stop=1e3", "step=99999999999999"])
def test_frames_that_mean_nothing_are_refused(site: Site, query: str) -> None:
    assert site.get(f"/api/recordings/0/motion?{query}", 400).error


def test_too_much_motion_at_once_is_refused(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    monkeypatch.setattr("kinespan.serve.motion_api.MAX_MOTION_BYTES", 1000)
    assert "fewer frames" in site.get("/api/recordings/0/motion", 413).error
    assert site.get("/api/recordings/0/motion?start=7&stop=7").content == b""


def test_a_file_that_cannot_be_read_says_so_in_the_list(tmp_path: Path) -> None:
    file = motion_file(tmp_path, moving())
    with served(page_of(tmp_path)) as site:
        file.write_bytes(b"PK\x03\x04")
        error = site.get("/api/recordings/0", 422).error
        assert "walk.npz" in error
        assert str(tmp_path.parent) not in error
        assert site.get("/api/recordings").json["recordings"][0]["error"] == error
        file.unlink()
        assert "moved" in site.get("/api/recordings/0", 422).error


# ---- curves ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["height", "speed", "angle"])
def test_a_curve_has_the_least_and_greatest_value_of_each_part(site: Site, folder: Path, kind: str) -> None:
    id, joint, bins = site.id_of("pair"), 5, 7
    curve = site.get(f"/api/recordings/{id}/curve?kind={kind}&joint={joint}&person=0&bins={bins}").json
    recording = io.read(folder / "pair.npz").recording
    ground = site.get(f"/api/recordings/{id}").json["motion"]["ground"]
    values = slow_curve(recording, kind, joint, ground)
    for part in range(bins):
        inside = [values[t] for t in range(60) if part / bins <= t / 60 < (part + 1) / bins and values[t] is not None]
        if inside:
            assert curve["low"][part] == pytest.approx(min(inside), abs=2e-3)
            assert curve["high"][part] == pytest.approx(max(inside), abs=2e-3)
        else:
            assert curve["low"][part] is None
            assert curve["high"][part] is None


def slow_curve(recording: Recording, kind: str, joint: int, ground: float) -> list[float | None]:
    """The curve of the first person, a frame at a time; None where a joint that it needs was not seen."""
    parent = NTU_25.parents[joint]
    child = next(each for each in range(25) if NTU_25.parents[each] == joint)
    values: list[float | None] = []
    for t in range(recording.num_frames):
        before, after = max(0, t - 1), min(recording.num_frames - 1, t + 1)
        needed = {"height": [(t, joint)], "speed": [(before, joint), (after, joint)],
                  "angle": [(t, joint), (t, parent), (t, child)]}[kind]  # fmt: skip
        if not all(recording.valid[frame, 0, each] for frame, each in needed):
            values.append(None)
            continue
        place = [recording.positions[frame, 0, each].astype(float) for frame, each in needed]
        if kind == "height":
            values.append(place[0][1] - ground)
        elif kind == "speed":
            values.append(float(np.linalg.norm(place[1] - place[0])) / ((after - before) / recording.fps))
        else:
            a, b = place[1] - place[0], place[2] - place[0]
            values.append(float(np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))))
    return values


def test_parts_shorter_than_a_frame_have_the_value_of_their_frame(site: Site) -> None:
    url = f"/api/recordings/{site.id_of('walk')}/curve?kind=height&joint=4"
    frames = [site.get(f"{url}&start={t / 120}&stop={(t + 1) / 120}&bins=1").json["low"][0] for t in (10, 11)]
    fine = site.get(f"{url}&start={10 / 120}&stop={12 / 120}&bins=8").json
    assert fine["low"] == fine["high"] == [frames[0]] * 4 + [frames[1]] * 4


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("kind=colour&joint=1", 400, "height, speed, angle"),
        ("joint=1", 400, "kind"),
        ("kind=speed", 400, "joint"),
        ("kind=speed&joint=25", 404, "25 joints"),
        ("kind=speed&joint=1&person=1", 404, "1 people"),
        (f"kind=angle&joint={HEAD}", 422, "no two bones meet"),
        ("kind=speed&joint=1&bins=0", 400, "bins"),
        ("kind=speed&joint=1&bins=99999", 413, "at most"),
        ("kind=speed&joint=1&start=5", 400, "within the recording"),
        ("kind=speed&joint=1&start=nan", 400, "seconds"),
    ],
)
def test_curves_that_cannot_be_are_refused_with_words(site: Site, query: str, status: int, words: str) -> None:
    assert words in site.get(f"/api/recordings/{site.id_of('walk')}/curve?{query}", status).error


# ---- options of reading ----------------------------------------------------------------------------------------


def test_a_file_is_read_again_with_other_options_which_are_typed_back(tmp_path: Path) -> None:
    recording = moving("lying", frames=40)
    io.write(recording, tmp_path / "lying.csv")
    with served(page_of(tmp_path, options=io.ReadOptions(unit="m"))) as site:
        before = site.get("/api/recordings/0").json
        body = {"options": {"unit": "cm", "up": "z", "fps": 60, "skip_frames": 10, "joints": None, "format": ""}}
        after = site.send("POST", "/api/recordings/0/read", body).json
        assert after["command"] == "--fps 60 --unit cm --up z --skip-frames 10"
        assert after["options"] == {"unit": "cm", "up": "z", "fps": 60.0, "skip_frames": 10}
        assert (after["frames"], after["fps"]) == (30, 60.0)
        assert after["motion"]["height"] != pytest.approx(before["motion"]["height"], rel=0.2)
        assert site.get("/api/recordings/0").json["command"] == after["command"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"up": "w"}, "--up is 'w'"),
        ({"unit": "parsec"}, "--unit is 'parsec'"),
        ({"unit": -2}, "--unit is -2"),
        ({"fps": "fast"}, "--fps is 'fast', expected a number"),
        ({"fps": True}, "expected a number"),
        ({"skip_frames": 1.5}, "expected a whole number"),
        ({"skip_frames": "inf"}, "expected a whole number"),
        ({"colour": 1}, "unknown option of reading 'colour'"),
        ({"joints": "/etc/passwd"}, "--joints /etc/passwd: no such file in the"),
        ({"asf": "../../secret.asf"}, "no such file in the"),
        ({"joints": "a\0b"}, "no such file in the"),
        ({"joints": "x" * 5000}, "no such file in the"),
        ({"body_model": "\ud800"}, "no such file in the"),
        ({"fps": 1e-320}, "expected a positive number from"),
        ({"joints": ["a"]}, "expected text"),
        ([], "options: expected an object"),
    ],
)
def test_wrong_options_are_told_and_change_nothing(site: Site, options: object, words: str) -> None:
    id = site.id_of("walk")
    answer = site.send("POST", f"/api/recordings/{id}/read", {"options": options})
    assert (answer.status, site.get(f"/api/recordings/{id}").json["command"]) == (422, "")
    assert words in answer.error


def test_files_of_options_lie_in_what_was_opened_and_are_told_without_their_folders(tmp_path: Path) -> None:
    motion, given = tmp_path / "motion", tmp_path / "given.asf"
    motion.mkdir()
    motion_file(motion, moving("walk"))
    for file in (given, motion / "beside.asf"):
        file.write_text("nothing")
    (motion / "loop").symlink_to("loop")
    (motion / "outside.asf").symlink_to(given)
    with served(page_of(motion / "walk.npz", options=io.ReadOptions(body_model=given))) as site:
        for name in ("loop", "outside.asf", str(given)):
            answer = site.send("POST", "/api/recordings/0/read", {"options": {"asf": name}})
            assert (answer.status, "no such file in the" in answer.error) == (422, True)
        options = {"asf": "beside.asf", "body_model": str(given)}
        for _ in range(2):  # what is told can be sent again
            answer = site.send("POST", "/api/recordings/0/read", {"options": options}).json
            assert answer["options"] == options
            assert answer["command"] == f"--asf beside.asf --body-model {given}"


def test_recordings_of_a_corpus_are_not_read_again(tmp_path: Path) -> None:
    with served(page_of(small_corpus(tmp_path))) as site:
        answer = site.send("POST", "/api/recordings/0/read", {"options": {"up": "z"}})
        assert answer.status == 422
        assert "prepare it again" in answer.error


# ---- a corpus --------------------------------------------------------------------------------------------------


def test_a_corpus_lists_its_recordings_with_the_counts_of_each_set(tmp_path: Path) -> None:
    path = small_corpus(tmp_path)
    with served(page_of(path)) as site:
        session = site.get("/api/session").json
        assert (session["corpus"], session["set"], session["splits"]) == ("small", "labels", {"half": 1})
        AnnotationSets.open(path).create("anna", LabelSet(("jump",)), author="Anna")
        AnnotationSets.open(path).add("anna", "b1", Span(0, 0.1, "jump"))
        items = site.get("/api/recordings").json["recordings"]
        assert [(item["name"], item["labels"]) for item in items] == [
            ("a1", {"labels": 1}),
            ("b1", {"anna": 1}),
            ("a2", {}),
        ]
        assert items[0]["watched"] == {"labels": 0.2}
        assert site.get("/api/recordings/0").json["truth"] is None


def test_a_corpus_that_is_prepared_again_is_listed_anew_under_the_same_ids(tmp_path: Path) -> None:
    path = small_corpus(tmp_path)
    workspace = page_of(path).workspace
    ids = {entry.name: entry.id for entry in workspace.entries}
    frames = workspace.read(ids["a1"]).recording.num_frames
    assert not workspace.refresh_corpus()
    with CorpusWriter(path, "small", overwrite=True) as writer:
        writer.add(recording("a1", frames + 3, 2))
        writer.add(recording("c1", 5, 1))
        writer.add(recording("a2", 9, 3))
    assert workspace.refresh_corpus()
    listed = [(entry.name, entry.id) for entry in workspace.entries]
    assert listed == [("a1", ids["a1"]), ("a2", ids["a2"]), ("c1", max(ids.values()) + 1)]
    assert workspace.read(ids["a1"]).recording.num_frames == frames + 3
    assert workspace.id_of("b1") is None
    with pytest.raises(InputError, match="no recording has the id"):
        workspace.read(ids["b1"])
    assert not workspace.refresh_corpus()


def test_changes_by_a_command_are_told_to_the_browser(tmp_path: Path) -> None:
    path = small_corpus(tmp_path)
    with (
        served(page_of(path)) as site,
        socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection,
    ):
        connection.sendall(b"GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = connection.recv(4096)
        while b": ready" not in received:
            received += connection.recv(4096)
        time.sleep(0.1)
        AnnotationSets.open(path).add("labels", "a1", Span(0.1, 0.2, "wave"), author="Bea")
        while b'"set": "labels"' not in received:
            received += connection.recv(4096)
        assert b"event: change" in received
        assert received.startswith(b"HTTP/1.1 200")
        assert b"text/event-stream" in received
        began = time.monotonic()
        site.server.should_exit = True
        site.thread.join(5)
        assert time.monotonic() - began < 1.5  # the open stream does not hold it up


# ---- predictions -----------------------------------------------------------------------------------------------


def write_answers(folder: Path, recordings: list[Recording], details: dict[str, Any]) -> None:
    """Answers as `kinespan localize` writes them, with a truth."""
    labels = LabelSet(("walk", "hop", "land"), events=("land",))
    truth = {
        each.name: Annotation((Span(0.0, 1.0, "walk"),), labels, None, (Event(0.5, "land"),)) for each in recordings
    }
    answers = {each.name: Annotation((Span(0.2, 1.1, "hop", 0.7),), labels, None, (Event(0.4, "land", 0.9),))
               for each in recordings}  # fmt: skip
    scores = np.full((60, 4), 0.1, dtype=np.float32)
    scores[:, 2] = 0.7
    result = LocalizationResult(
        answers,
        {each.name: answers[each.name].spans for each in recordings},
        {each.name: answers[each.name].events for each in recordings},
        {each.name: scores for each in recordings},
        30.0,
        labels,
        {each.name: Clock.of(each) for each in recordings},
        details=details,
    )
    write_result(result, folder, Truth(truth, labels))


def test_predictions_are_shown_with_the_files_that_they_name_and_the_truth(tmp_path: Path) -> None:
    walk, gone = moving("walk"), moving("gone")
    file = motion_file(tmp_path, walk)
    write_answers(tmp_path / "answers", [walk, gone], {"files": {"walk": str(file), "gone": "/nowhere/gone.npz"}})
    page = page_of(tmp_path / "answers")
    with served(page) as site:
        items = {item["name"]: item for item in site.get("/api/recordings").json["recordings"]}
        assert items["walk"]["predicted"]
        assert items["walk"]["uncertainty"] == pytest.approx(0.3, abs=0.01)
        assert "not where it was" in items["gone"]["error"]
        assert "not where it was" in site.get(f"/api/recordings/{items['gone']['id']}", 422).error
        truth = site.get(f"/api/recordings/{items['walk']['id']}").json["truth"]
        assert [(each["start"], each["end"], each["label"]) for each in truth["items"]] == [
            (0.0, 1.0, "walk"),
            (0.5, None, "land"),
        ]
        session = site.get("/api/session").json
        assert session["model"] == "answers"
        assert session["models"][0]["labels"] == 3
    answer = page.workspace.predictions(items["walk"]["id"], "answers")
    assert answer is not None
    assert [(span.label, span.start, span.score) for span in answer.spans] == [("hop", 0.2, pytest.approx(0.7))]
    assert [event.label for event in answer.events] == ["land"]
    assert answer.scores is not None
    assert answer.scores.shape == (60, 4)


def test_predictions_are_shown_with_motion_that_is_given_beside_them(tmp_path: Path) -> None:
    (tmp_path / "moved").mkdir()
    walk = moving("walk")
    motion_file(tmp_path / "moved", walk)
    write_answers(tmp_path / "answers", [walk], {"files": {"walk": "/nowhere/walk.npz"}})
    workspace = open_paths([tmp_path / "answers" / "proposals.json", tmp_path / "moved"]).workspace
    assert [(entry.name, entry.error) for entry in workspace.entries] == [("walk", None)]
    assert workspace.predictions(0, "answers") is not None
    assert workspace.predictions(0, "other") is None


def test_predictions_of_a_corpus_show_its_recordings(tmp_path: Path) -> None:
    path = small_corpus(tmp_path)
    write_answers(tmp_path / "answers", [moving("b1")], {"corpus": str(path)})
    opened = open_paths([tmp_path / "answers"])
    assert [entry.name for entry in opened.workspace.entries] == ["b1"]
    assert opened.sets is not None


def test_a_run_opens_its_answers_or_else_the_corpus_that_it_was_trained_on(tmp_path: Path) -> None:
    path, run = small_corpus(tmp_path), tmp_path / "run"
    run.mkdir()
    (run / "model.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="does not say what it was trained on"):
        open_paths([run])
    (run / "settings.yaml").write_text(f"stage: finetune\ncorpus: {path}\n")
    opened = open_paths([run])
    assert ([entry.name for entry in opened.workspace.entries], opened.models) == (["a1", "b1", "a2"], [run])
    (run / "settings.yaml").write_text(f"stage: finetune\ncorpus: {path}\nset: second\n")
    assert open_paths([run]).set is None  # there is none of that name
    write_answers(run / "answers", [moving("a1"), moving("b1")], {"corpus": str(path)})
    assert list(open_paths([run]).workspace.answers) == ["answers"]
    shutil.rmtree(run / "answers")
    AnnotationSets.open(path).create("second", LabelSet(("wave",)), author="Ann")
    assert open_paths([run]).set == "second"
    write_answers(run, [moving("b1")], {"corpus": str(path)})
    tested = open_paths([run])
    assert [entry.name for entry in tested.workspace.entries] == ["b1"]
    assert list(tested.workspace.answers) == ["run"]


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    corpus, file = small_corpus(tmp_path), motion_file(tmp_path, moving())
    write_answers(tmp_path / "answers", [moving("b1")], {"corpus": "/nowhere/corpus"})
    for paths, words in (
        ([tmp_path / "nothing"], "no such file or folder"),
        ([corpus, file], "a corpus is opened alone"),
        ([tmp_path / "answers"], "its corpus /nowhere/corpus is gone"),
    ):
        with pytest.raises(InputError, match=words):
            open_paths(paths)
    with pytest.raises(InputError, match="--up: for motion files, not for a corpus"):
        open_paths([corpus], io.ReadOptions(up="z"))


def test_labels_in_a_motion_file_are_shown(tmp_path: Path) -> None:
    labels = LabelSet(("walk",))
    io.save_npz(moving(), tmp_path / "walk.npz", Annotation((Span(0.5, 1.0, "walk"),), labels, ((0.0, 1.5),)))
    with served(page_of(tmp_path)) as site:
        truth = site.get("/api/recordings/0").json["truth"]
        assert (truth["covered"], truth["items"][0]["label"], truth["items"][0]["start"]) == ([[0.0, 1.5]], "walk", 0.5)


# ---- memory ----------------------------------------------------------------------------------------------------


def test_the_recordings_that_were_looked_at_last_stay_in_memory(tmp_path: Path) -> None:
    workspace = Workspace("three", cache_bytes=3 * moving().positions.nbytes)
    for name in ("a", "b", "c", "d"):
        workspace.add_file(motion_file(tmp_path, moving(name)), name)
    first = workspace.read(0)
    second = workspace.read(1)
    assert workspace.read(0) is first
    workspace.read(2)
    workspace.read(3)
    assert workspace.read(1) is not second
    assert workspace.id_of("c") == 2
    assert workspace.id_of("nobody") is None


# ---- videos ----------------------------------------------------------------------------------------------------


def test_a_video_is_sent_by_ranges_and_its_offset_is_kept(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    (videos / "day").mkdir(parents=True)
    content = bytes(range(256)) * 40
    (videos / "day" / "Walk.MP4").write_bytes(content)
    page = page_of(motion_file(tmp_path, moving()), motion_file(tmp_path, moving("alone")))
    page.workspace.videos = Videos(videos)
    with served(page) as site:
        id = site.id_of("walk")
        video = site.get(f"/api/recordings/{id}").json["video"]
        assert video == {"url": f"/api/recordings/{id}/video", "offset": 0.0}
        part = site.send("GET", video["url"], headers={"Range": "bytes=300-309"})
        assert (part.status, part.content) == (206, content[300:310])
        assert part.headers["content-range"] == f"bytes 300-309/{len(content)}"
        assert part.headers["content-type"] == "video/mp4"
        assert site.send("PUT", video["url"], {"offset": -1.25}).json["offset"] == -1.25
        assert json.loads((videos / OFFSETS_FILE).read_text()) == {"day/Walk.MP4": -1.25}
        assert site.send("PUT", video["url"], {"offset": "soon"}).status == 422
        assert site.send("PUT", video["url"], {"offset": 1e9}).status == 422
        other = site.id_of("alone")
        assert "no video" in site.get(f"/api/recordings/{other}/video", 404).error
    assert Videos(videos).offset(videos / "day" / "Walk.MP4") == -1.25


def test_offsets_that_cannot_be_kept_are_told(tmp_path: Path) -> None:
    (tmp_path / "walk.webm").write_bytes(b"video")
    videos = Videos(tmp_path)
    (tmp_path / OFFSETS_FILE).mkdir()
    with pytest.raises(InputError, match=OFFSETS_FILE):
        videos.set_offset(tmp_path / "walk.webm", 2.0)
    assert videos.offset(tmp_path / "walk.webm") == 2.0


@pytest.mark.parametrize("text", ["[]", "{", '{"a": "b"}'])
def test_broken_offsets_and_folders_without_videos_are_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="no video in it"):
        Videos(tmp_path)
    (tmp_path / "walk.webm").write_bytes(b"video")
    (tmp_path / OFFSETS_FILE).write_text(text)
    with pytest.raises(InputError, match="not the offsets of videos"):
        Videos(tmp_path)
