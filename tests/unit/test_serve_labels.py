"""The API of labels over a real server: sets, labels, edits, watching, undo, conflicts, comparison, export, report."""

from __future__ import annotations

import http.client
import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
import uvicorn
from corpus_cases import LABELS, annotation, recording

from kinespan.annotations import FORMATS
from kinespan.annotations.activitynet import write_predictions
from kinespan.corpus import AnnotationSets, Corpus, CorpusWriter
from kinespan.data.annotation import Span
from kinespan.data.predictions import Predictions
from kinespan.runs.answers import Answers
from kinespan.serve.app import create_app
from kinespan.serve.guard import Guard
from kinespan.serve.state import Page
from kinespan.serve.workspace import Workspace

HOSTILE = "<script>alert('x')</script> \u05e9\u05dc\u05d5\u05dd \"quoted\" & more"


@dataclass
class Site:
    """A page that is served, and what it told its browsers."""

    page: Page
    port: int
    events: list[tuple[str, Mapping[str, Any]]]

    @property
    def sets(self) -> AnnotationSets:
        assert self.page.sets is not None
        return self.page.sets

    def send(
        self, method: str, path: str, body: object = None, author: str = "Ann"
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, f"/api/{path}", data, {"X-Author": quote(author)})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    def json(self, method: str, path: str, body: object = None, status: int = 200, author: str = "Ann") -> Any:
        answered, _, content = self.send(method, path, body, author)
        assert answered == status, content
        return json.loads(content)

    def edit(self, status: int = 200, author: str = "Ann", id: int = 1, **parts: object) -> Any:
        return self.json("POST", f"annotations/{id}/edit", {"about": "edited", **parts}, status, author)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Page, int]]:
    """A page that is served; each test puts a corpus of its own into it."""
    page = Page(Workspace("nothing"), True, "somebody")
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(page, Guard(frozenset({"127.0.0.1"})))
    running = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=running.run, args=([listener],), daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.002)
    yield page, listener.getsockname()[1]
    running.should_exit = True
    thread.join(10)


@pytest.fixture
def site(server: tuple[Page, int], tmp_path: Path) -> Site:
    """A corpus of three recordings of 3 s, the first one labelled, that Ann labels, and a motion file beside it."""
    page, port = server
    path = tmp_path / "corpus"
    with CorpusWriter(path, "corpus") as writer:
        writer.add(recording("a", 90, 2), annotation(Span(0.5, 1.0, "kick"), covered=((0.0, 2.0),)))
        writer.add(recording("b", 90, seed=1))
        writer.add(recording("c", 90, seed=2))
    page.workspace = Workspace("corpus", Corpus.open(path), [path])
    page.workspace.add_corpus("abc")
    page.workspace.add_file(tmp_path / "loose.bvh", "loose")
    page.editable, page.sets, page.set, page.runs = True, AnnotationSets.open(path), "labels", tmp_path / "runs"
    events: list[tuple[str, Mapping[str, Any]]] = []
    page.live.publish = lambda *event: events.append(event)  # type: ignore[method-assign]
    return Site(page, port, events)


def span(start: float, end: float | None, label: str = "wave", person: int | None = None) -> dict[str, object]:
    return {"start": start, "end": end, "label": label, "person": person}


# ---- labels of a recording -------------------------------------------------------------------------------------


def test_labels_are_read_without_writing_a_file(site: Site) -> None:
    items = site.json("GET", "annotations/0")
    assert items["items"] == [{"number": 1, **span(0.5, 1.0, "kick")}]
    assert (items["covered"], items["annotated"], items["version"]) == ([[0.0, 2.0]], True, 0)
    assert (items["undo"], items["redo"]) == (False, False)
    assert site.json("GET", "annotations/2") == {**items, "items": [], "covered": [], "annotated": False}
    assert not site.sets.file.exists()


def test_compound_edit_is_one_step_of_undo(site: Site) -> None:
    first = site.edit(add=[span(0, 2)])
    (whole,) = first["items"]
    halves = site.edit(
        change=[{"from": whole, "to": span(0, 1)}], add=[span(1, 2, "kick"), span(2.5, None)], watched=[[0, 3]]
    )
    assert [(item["start"], item["end"], item["label"]) for item in halves["items"]] == [
        (0.0, 1.0, "wave"),
        (1.0, 2.0, "kick"),
        (2.5, None, "wave"),
    ]
    assert halves["numbers"] == [item["number"] for item in halves["items"][1:]]
    assert halves["covered"] == [[0.0, 3.0]]
    undone = site.json("POST", "annotations/1/undo", {})
    assert undone["about"] == "edited"
    assert (undone["items"], undone["covered"]) == (first["items"], [])
    assert (undone["undo"], undone["redo"]) == (True, True)
    redone = site.json("POST", "annotations/1/redo")
    assert redone["items"] == halves["items"]
    assert redone["version"] > undone["version"] > halves["version"] > first["version"] > 0
    assert [data["version"] for _, data in site.events] == [each["version"] for each in (first, halves, undone, redone)]
    assert {(event, data["set"], tuple(data["recordings"]), data["labels"], data["author"])
            for event, data in site.events} == {("change", "labels", (1,), False, "Ann")}  # fmt: skip


def test_conflict_shows_what_is_there_now_and_changes_nothing(site: Site) -> None:
    (item,) = site.edit(add=[span(0, 2)])["items"]
    site.edit(author="Bea", change=[{"from": item, "to": span(0, 1.5)}])
    told = len(site.events)
    conflict = site.edit(409, delete=[item], add=[span(2.5, 3)])
    assert conflict["items"] == [{**item, "end": 1.5}]
    assert "'wave' from 0 to 2 s was changed to 'wave' from 0 to 1.5 s meanwhile" in conflict["error"]
    assert site.json("POST", "annotations/1/undo", status=409)["items"] == conflict["items"]
    assert site.json("POST", "annotations/1/undo", status=409, author="Cy")["error"].endswith("nothing to undo")
    assert len(site.events) == told


def test_watching_adds_up_and_is_no_step_of_undo(site: Site) -> None:
    site.json("POST", "annotations/1/watched", {"intervals": [[0, 0.5]]})
    items = site.json("POST", "annotations/1/watched", {"intervals": [[0.5, 1], [2, 3]]})
    assert items["covered"] == [[0.0, 1.0], [2.0, 3.0]]
    assert (items["annotated"], items["undo"]) == (True, False)
    site.json("POST", "annotations/1/watched", {"intervals": [[0, 1]]})
    assert len(site.events) == 2, "what was watched before is no news"
    changes = site.json("GET", "history?recording=1")["changes"]
    assert [(change["kind"], change["author"], change["undone"]) for change in changes] == [("watch", "Ann", False)]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"[" * 100_000, 400, "JSON"),
        (b'{"about": "x", "add": [{"start": NaN, "end": 1, "label": "wave"}]}', 400, "JSON"),
        (b"[1]", 400, "list"),
        (b"\xff", 400, "JSON"),
        ({"add": [span(0, 1)]}, 422, "about: expected a text of at most 500 characters, found nothing"),
        ({"about": "x", "ad": []}, 422, "unknown field 'ad'"),
        ({"about": "x", "add": [{"start": "0", "label": "wave"}]}, 422, "add[0].start: expected a finite number"),
        ({"about": "x", "add": [{"start": 10**400, "label": "wave"}]}, 422, "add[0].start: expected a finite number"),
        ({"about": "x", "add": [span(True, 1)]}, 422, "add[0].start: expected a finite number, found true"),
        ({"about": "x", "add": [span(2, 1)]}, 422, "start must be before end"),
        ({"about": "x", "add": [span(1, 9)]}, 422, "outside of its 3 s"),
        ({"about": "x", "add": [span(0, 1, "jump")]}, 422, "unknown label 'jump'"),
        ({"about": "x", "add": [span(0, 1, "\ud800")]}, 422, "add[0].label"),
        ({"about": "x", "add": [span(0, 1, person=5)]}, 422, "person 5"),
        ({"about": "x", "add": [span(0, 1, person=-1)]}, 422, "add[0].person: expected a whole number from 0"),
        ({"about": "x", "add": [span(0, 1), span(0.5, 2)]}, 422, "exclude each other"),
        ({"about": "x", "delete": [span(0, 1)]}, 422, "delete[0].number"),
        ({"about": "x", "watched": [[1]]}, 422, "watched[0]: expected [start, end] in seconds"),
        ({"about": "x", "watched": [[2, 1]]}, 422, "start must be before end"),
        ({"about": "x", "unwatched": [[0, 99]]}, 422, "outside of the 3 s"),
    ],
)
def test_what_is_wrong_with_an_edit_is_named(site: Site, body: object, status: int, words: str) -> None:
    error = site.json("POST", "annotations/1/edit", body, status)["error"]
    assert words in error
    assert site.json("GET", "annotations/1")["items"] == []


def test_times_survive_the_way_through_json_exactly(site: Site) -> None:
    (item,) = site.edit(add=[span(1 / 3, 2 / 3 + 1e-16)])["items"]
    site.edit(delete=[item])
    assert site.json("GET", "annotations/1")["items"] == []


def test_ten_thousand_spans_are_stored_and_listed(site: Site) -> None:
    site.json("POST", "labels", {"do": "exclusive", "exclusive": False})
    site.edit(add=[span(index / 5000, index / 5000 + 1, "kick") for index in range(10_000)])
    assert len(site.json("GET", "annotations/1")["items"]) == 10_000


# ---- what is not there, and who may ----------------------------------------------------------------------------


def test_what_is_not_there_is_told(site: Site) -> None:
    assert "available: labels" in site.json("GET", "labels?set=x", status=404)["error"]
    assert "motion file" in site.json("GET", "annotations/3", status=404)["error"]
    for id in ("4", "-1", "x", "1e3", "9" * 40, "%2e%2e"):
        assert "error" in site.json("GET", f"annotations/{id}", status=404)
    site.page.sets = None
    assert "no annotation sets" in site.json("GET", "labels", status=404)["error"]


def test_page_for_looking_reads_and_changes_nothing(site: Site) -> None:
    site.page.editable = False
    assert site.json("GET", "labels")["version"] == 0
    for path in ("sets", "labels", "annotations/0/edit", "annotations/0/watched", "annotations/0/undo"):
        assert "kinespan label" in site.json("POST", path, {}, 403)["error"]


def test_author_is_whoever_the_browser_says(site: Site) -> None:
    site.edit(author="Zo\u00eb \u4e2d", add=[span(0, 1)])
    site.edit(author="", add=[span(1, 2)])
    changes = site.json("GET", "history")["changes"]
    assert [change["author"] for change in changes] == ["kinespan prepare", "Zo\u00eb \u4e2d", "somebody"]
    for author in ("a\nb", "x" * 201, "kinespan prepare"):
        assert "X-Author" in site.json("GET", "annotations/0", status=400, author=author)["error"]


def test_server_that_is_killed_loses_nothing_that_it_answered(site: Site) -> None:
    command = [sys.executable, "-m", "kinespan.cli", "label", str(site.sets.file.parent), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        links = (re.search(r"http://[\w.]+:(\d+)", line) for line in process.stdout)
        killed = replace(site, port=int(next(link for link in links if link)[1]))
        items = killed.edit(add=[span(0, 1), span(1, 2, "kick"), span(2.5, None)], watched=[[0, 3]])
        process.send_signal(signal.SIGKILL)
    again = site.json("GET", "annotations/1")
    assert {**again, "numbers": items["numbers"]} == items
    undone = site.json("POST", "annotations/1/undo")
    assert (undone["items"], undone["annotated"]) == ([], False)


# ---- sets and label sets ---------------------------------------------------------------------------------------


def test_sets_are_made_empty_or_as_a_copy(site: Site) -> None:
    site.json("POST", "labels", {"do": "colour", "name": "kick", "colour": "#AA00FF"})
    made = site.json("POST", "sets", {"name": "anna", "copy": None})["sets"]
    assert [(each["name"], each["recordings"]) for each in made] == [("labels", 1), ("anna", 0)]
    site.json("POST", "sets", {"name": HOSTILE, "copy": "labels"})
    assert [label["name"] for label in site.json("GET", "labels?set=anna")["labels"]] == ["wave", "kick"]
    copied = site.json("GET", f"annotations/0?set={quote(HOSTILE)}")
    assert [item["label"] for item in copied["items"]] == ["kick"]
    assert site.json("GET", f"labels?set={quote(HOSTILE)}")["labels"][1]["colour"] == "#aa00ff"
    assert "exists already" in site.json("POST", "sets", {"name": "anna"}, 422)["error"]
    assert "unknown annotation set 'x'" in site.json("POST", "sets", {"name": "y", "copy": "x"}, 404)["error"]


def test_labels_are_made_ordered_coloured_renamed_merged_and_deleted(site: Site) -> None:
    def do(what: str, status: int = 200, **fields: object) -> Any:
        return site.json("POST", "labels", {"do": what, **fields}, status)

    do("add", name=HOSTILE, event=False)
    do("add", name="step", event=True)
    do("order", names=["step", HOSTILE, "kick", "wave"])
    do("colour", name="kick", colour="#112233")
    do("rename", name="kick", to="foot")
    labels = do("event", name="wave", event=True)
    assert [(each["name"], each["event"], each["colour"], each["items"]) for each in labels["labels"]] == [
        ("step", True, None, 0),
        (HOSTILE, False, None, 0),
        ("foot", False, "#112233", 1),
        ("wave", True, None, 0),
    ]
    do("merge", name="foot", into=HOSTILE)
    assert site.json("GET", "annotations/0")["items"][0]["label"] == HOSTILE
    do("delete", name="step")
    labels = do("colour", name=HOSTILE, colour=None)
    assert [each["name"] for each in labels["labels"]] == [HOSTILE, "wave"]
    assert site.events[-1][1]["labels"] is True
    assert labels["version"] == site.events[-1][1]["version"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"do": "paint"}, "do: expected one of add, rename"),
        ({}, "do: expected one of add, rename"),
        ({"do": "add", "name": " x", "event": False}, "without blanks"),
        ({"do": "add", "name": "a\nb", "event": False}, "a name in one line"),
        ({"do": "add", "name": "wave", "event": False}, "exists already"),
        ({"do": "add", "name": "x", "event": 1}, "event: expected true or false, found 1"),
        ({"do": "rename", "name": "wave", "to": "kick"}, "merge the two"),
        ({"do": "rename", "name": "x", "to": "y"}, "unknown label 'x'"),
        ({"do": "merge", "name": "wave", "into": "wave"}, "with itself"),
        ({"do": "delete", "name": "kick"}, "'kick' is still used by 1 span"),
        ({"do": "order", "names": ["wave"]}, "expected all 2 labels"),
        ({"do": "colour", "name": "kick", "colour": "red;}"}, "expected red, green and blue"),
        ({"do": "event", "name": "kick", "event": True}, "'kick' cannot name an event"),
        ({"do": "exclusive", "exclusive": None}, "exclusive: expected true or false, found nothing"),
    ],
)
def test_what_is_wrong_with_a_change_of_labels_is_named(site: Site, body: object, words: str) -> None:
    assert words in site.json("POST", "labels", body, 422)["error"]
    assert site.sets.labels("labels") == LABELS


def test_overlapping_labels_are_not_made_exclusive(site: Site) -> None:
    site.json("POST", "labels", {"do": "exclusive", "exclusive": False})
    site.edit(add=[span(0, 2), span(1, 3, "kick")])
    assert "overlaps" in site.json("POST", "labels", {"do": "exclusive", "exclusive": True}, 422)["error"]


def test_labels_made_at_once_are_all_there(site: Site) -> None:
    def make(name: str) -> None:
        site.json("POST", "labels", {"do": "add", "name": name, "event": False})

    threads = [threading.Thread(target=make, args=(f"label {number}",)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(site.sets.labels("labels")) == 14


# ---- comparison, export, report --------------------------------------------------------------------------------


def test_two_annotators_are_compared(site: Site) -> None:
    site.sets.create("bea", LABELS, {"a": annotation(Span(0.5, 1.5, "kick"), covered=((0.0, 2.0),))}, "Bea")
    result = site.json("GET", "compare?left=labels&right=bea")
    assert (result["recordings"], result["f1"], result["event_f1"]) == (1, 1.0, None)
    assert result["seconds"] == pytest.approx(2.0)
    assert 0 < result["kappa"] < 1
    assert result["differences"] == [
        {"recording": 0, "name": "a", "start": 1.0, "end": 1.5, "left": "", "right": "kick", "person": None}
    ]
    assert "Give right=NAME" in site.json("GET", "compare?left=labels", status=400)["error"]
    site.json("POST", "sets", {"name": "empty"})
    assert "in common" in site.json("GET", "compare?left=labels&right=empty", status=422)["error"]


@pytest.mark.parametrize("format", [name for name in FORMATS if FORMATS[name].write])
def test_every_written_format_is_exported(site: Site, format: str) -> None:
    site.edit(add=[span(1, 2)], id=1)
    for query in ("", "&recording=0"):
        status, headers, content = site.send("GET", f"export?set=labels&format={format}{query}")
        assert status == 200, content
        assert headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''")
        assert content
        if headers["Content-Disposition"].endswith(".zip"):
            assert len(zipfile.ZipFile(io.BytesIO(content)).namelist()) == 2


def test_export_says_what_the_format_cannot_hold_and_has_frames_of_the_recording(site: Site) -> None:
    _, headers, content = site.send("GET", "export?format=srt&recording=0")
    assert "person" in unquote(headers["X-Lost"]) or "looked at" in unquote(headers["X-Lost"])
    assert b"kick" in content
    _, _, content = site.send("GET", "export?format=csv")
    assert b",15," in content, "0.5 s at 30 fps"
    assert "unknown format 'x'" in site.json("GET", "export?format=x", status=422)["error"]
    assert "to export" in site.json("GET", "export?recording=2", status=422)["error"]


def test_report_shows_the_labels_of_a_set(site: Site) -> None:
    status, headers, content = site.send("GET", "report")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''labels.html"
    assert b"kick" in content
    assert site.send("GET", "report?recording=1")[0] == 200
    for model in ("run", "..%2Frun", ".."):
        assert "has not localized" in site.json("GET", f"report?model={model}", status=404)["error"]


def test_report_shows_what_a_model_predicts(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "answers"
    folder.mkdir()
    proposals = {"a": (Span(0.5, 1.2, "kick", 0.9),), "b": ()}
    write_predictions(Predictions(proposals, details={"labels": list(LABELS.names)}), folder / "proposals.json")
    site.page.workspace.answers["run"] = Answers(folder)
    assert site.send("GET", "report?model=run&recording=0")[0] == 200
    assert "no predictions of 'c'" in site.json("GET", "report?model=run&recording=2", status=422)["error"]


# ---- the corpus changes meanwhile ------------------------------------------------------------------------------


def test_a_corpus_that_is_gone_is_told_and_its_first_labels_do_not_stand_in(site: Site) -> None:
    site.edit(add=[span(0.0, 0.3)])
    shutil.rmtree(site.sets.file.parent)
    for path in ("annotations/0", "labels", "history"):
        assert "corpus: no such folder; it was moved or deleted" in site.json("GET", path, status=422)["error"]
    assert "no such folder" in site.edit(422, add=[span(0.0, 0.3)])["error"]


def test_a_corpus_that_was_prepared_again_shows_the_labels_that_it_has_now(site: Site) -> None:
    folder = site.sets.file.parent
    shutil.rmtree(folder)
    with CorpusWriter(folder, "corpus") as writer:
        writer.add(recording("a", 60), annotation(Span(0.25, 0.75, "wave")))
        writer.add(recording("new", 60), annotation(Span(0.5, 0.75, "wave")))
    assert [item["label"] for item in site.json("GET", "annotations/0")["items"]] == ["wave"]
    site.sets.create("other", LABELS, {"a": annotation(), "new": annotation()})
    differences = site.json("GET", "compare?left=labels&right=other")["differences"]
    assert sorted((each["name"], each["recording"]) for each in differences) == [("a", 0), ("new", None)]
    assert b"new,wave" in site.send("GET", "export?format=csv")[2]
