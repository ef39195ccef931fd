"""Files dropped on the page, over a real server: none is lost, none leaves its folder, none is believed."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serve_cases import Answer, Site, motion_file, moving, page_of, served
from test_io_amc import amc_text, asf, motion

from kinespan import io
from kinespan.serve import uploads
from kinespan.serve.uploads import UploadLimits, Uploads, safe_name

LIMITS = UploadLimits(files=60, file_bytes=200_000, total_bytes=10**8, at_once=4)
HOSTILE = [
    "../../../evil.npz",
    "..\\..\\evil.npz",
    "/etc/evil.npz",
    "<script>alert(1)<.npz",
    "a\"b'c.npz",
    "\u05e9\u05dc\u05d5\u05dd.npz",
    "new\nline.npz",
    "nul\0byte.npz",
    "x" * 150 + ".npz",
    "CON .npz",
    ".hidden.npz",
]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return motion_file(tmp_path_factory.mktemp("motion"), moving()).read_bytes()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(Uploads.__init__, "__defaults__", (LIMITS,))
    with served(page_of(motion_file(tmp_path, moving("first")), options=io.ReadOptions(unit="m"))) as running:
        yield running


def put(site: Site, batch: str, name: str, content: bytes) -> Answer:
    """Store a file, again where too many are under way, as the page does."""
    while True:
        answer = site.send("PUT", f"/api/uploads/{batch}/{quote(name, safe='')}", content)
        if answer.status != 429:
            return answer
        assert answer.headers["retry-after"] == "1"
        time.sleep(0.01)


def stored(site: Site) -> list[Path]:
    folder = next(root.parent for root in site.page.workspace.roots if root.name == "batch")
    return [file for file in folder.rglob("*") if file.is_file()]


def test_of_fifty_parallel_uploads_none_is_lost(site: Site, content: bytes) -> None:
    names = [f"take {number}.npz" for number in range(50)]
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda name: put(site, "drop1", name, content), names))
    assert [answer.status for answer in answers] == [201] * 50
    read = site.send("POST", "/api/uploads/drop1").json
    assert read["errors"] == []
    assert {item["name"] for item in read["recordings"]} == {f"take {number}" for number in range(50)}
    assert {file.read_bytes() for file in stored(site)} == {content}
    listed = site.get("/api/recordings").json["recordings"]
    assert sum(item["kind"] == "dropped" for item in listed) == 50
    assert site.get(f"/api/recordings/{read['recordings'][7]['id']}/motion").content


def test_more_at_once_than_allowed_are_told_to_try_again(site: Site) -> None:
    waiting = []
    for number in range(LIMITS.at_once):
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
        connection.putrequest("PUT", f"/api/uploads/b/{number}.npz")
        connection.putheader("Content-Length", "10")
        connection.endheaders(b"12345")
        waiting.append(connection)
    deadline = time.monotonic() + 5
    while len(stored(site)) < LIMITS.at_once and time.monotonic() < deadline:
        time.sleep(0.01)
    answer = site.send("PUT", "/api/uploads/b/more.npz", b"1")
    assert (answer.status, "try again" in answer.error) == (429, True)
    for connection in waiting:
        connection.close()
    while stored(site) and time.monotonic() < deadline:  # what did not arrive is not kept
        time.sleep(0.01)
    assert stored(site) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_in_the_folder_and_are_text(site: Site, content: bytes, name: str, tmp_path: Path) -> None:
    assert put(site, "b", name, content).status == 201
    files = stored(site)
    assert len(files) == 1
    assert files[0].parent.parent.name == "batch"
    read = site.send("POST", "/api/uploads/b").json
    assert read["errors"] == []
    assert read["recordings"][0]["kind"] == "dropped"
    assert not list(tmp_path.rglob("evil*"))


@given(st.text(max_size=300))
def test_a_safe_name_is_one_part_of_a_path(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert len(safe.encode()) <= 200
    assert Path(safe).name == safe
    assert not set(safe) & set('/\\:*?"<>|\0\n')
    assert not safe.startswith(".")


def test_names_that_become_the_same_do_not_overwrite_each_other(site: Site, content: bytes) -> None:
    for name in ("a/walk.npz", "b/walk.npz", "WALK.npz"):
        assert put(site, "b", name, content).status == 201
    assert len(stored(site)) == 3
    assert put(site, "b", "a/walk.npz", content).status == 409
    assert len(site.send("POST", "/api/uploads/b").json["recordings"]) == 3


def test_files_that_belong_together_are_one_recording(site: Site) -> None:
    put(site, "b", "HDM_bd.asf", asf().encode())
    put(site, "b", "HDM_bd_kick_120.amc", amc_text(motion()).encode("latin-1"))
    read = site.send("POST", "/api/uploads/b").json
    assert ([item["name"] for item in read["recordings"]], read["errors"]) == (["HDM_bd_kick_120"], [])


def test_files_that_are_no_recording_are_told_by_their_name_alone(site: Site, content: bytes) -> None:
    put(site, "b", "notes <b>.pdf", b"%PDF-1.4")
    put(site, "b", "cut off.npz", content[:2000])
    put(site, "b", "walk.npz", content)
    read = site.send("POST", "/api/uploads/b").json
    assert [item["name"] for item in read["recordings"]] == ["walk"]
    errors = {each["name"]: each["error"] for each in read["errors"]}
    assert set(errors) == {"notes <b>.pdf", "cut off.npz"}
    assert "no known format" in errors["notes <b>.pdf"]
    assert not any("kinespan-dropped" in error for error in errors.values())
    assert not any("/tmp" in error for error in errors.values())


def test_a_dropped_file_that_does_not_say_its_rate_is_read_when_it_is_given(site: Site) -> None:
    rows = "\n".join(f"{t},{t},1,0" for t in range(30))
    put(site, "b", "point.csv", f"frame,hand_x,hand_y,hand_z\n{rows}\n".encode())
    item = site.send("POST", "/api/uploads/b").json["recordings"][0]
    assert item["error"].startswith("point.csv: the file states no frame rate")
    options = {"fps": 30, "unit": "m", "up": "y"}
    read = site.send("POST", f"/api/recordings/{item['id']}/read", {"options": options})
    assert (read.status, read.json["fps"]) == (200, 30)


def test_too_much_is_refused(site: Site, content: bytes) -> None:
    assert put(site, "b", "large.npz", b"x" * (LIMITS.file_bytes + 1)).status == 413
    assert stored(site) == []
    for number in range(LIMITS.files):
        assert put(site, "b", f"{number}.npz", b"").status == 201
    answer = put(site, "b", "more.npz", b"")
    assert (answer.status, "at most 60" in answer.error) == (413, True)
    assert put(site, "c", "other.npz", b"").status == 201


def test_a_full_disk_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_SPARE_BYTES", 2**62)
    assert "no room" in put(site, "b", "walk.npz", b"123").error


@pytest.mark.parametrize("batch", ["a-b", "..", "a" * 65, "%2e%2e", "a%20b"])
def test_a_batch_is_letters_and_digits(site: Site, batch: str) -> None:
    assert site.send("PUT", f"/api/uploads/{batch}/walk.npz", b"1").status in (400, 404)
    assert site.send("POST", f"/api/uploads/{batch}").status == 404
    assert stored(site) == []


def test_the_files_are_removed_at_the_end(tmp_path: Path, content: bytes) -> None:
    with served(page_of(motion_file(tmp_path, moving()))) as site:
        put(site, "b", "walk.npz", content)
        files = stored(site)
        assert all(file.is_file() for file in files)
    assert not files[0].parents[2].exists()
