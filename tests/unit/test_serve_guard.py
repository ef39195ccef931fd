"""Who may ask the page's server, and how much: over a real server."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serve_cases import Site, motion_file, moving, page_of, served

from kinespan.serve import motion_api
from kinespan.serve.guard import MAX_BODY, POLICY, Guard, Patience
from kinespan.serve.server import make_server

QUICK = Patience(silence=0.3, grace=0.3, least_rate=1e6, unread=0.5)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(page_of(motion_file(tmp_path_factory.mktemp("motion"), moving()))) as running:
        yield running


def raw(port: int, data: bytes, seconds: float = 5) -> bytes:
    """What comes back for bytes until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(data)
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
        return received


# ---- hosts, origins --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "localhost@evil.example", "[::"]
)
@pytest.mark.parametrize("path", ["/", "/api/session", "/static/serve/page/page.css"])
def test_a_foreign_host_is_refused_everywhere(site: Site, host: str, path: str) -> None:
    answer = site.send("GET", path, headers={"Host": host})
    assert answer.status == 403
    assert b"Host" in answer.content


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:9000", "[::1]:9000"])
def test_names_of_this_computer_are_let_in_whatever_the_port_of_a_tunnel(site: Site, host: str) -> None:
    assert site.send("GET", "/api/session", headers={"Host": host}).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://localhost:3000"])
def test_a_foreign_origin_is_refused(site: Site, origin: str) -> None:
    headers = {"Origin": origin.format(port=site.port)}
    assert site.send("POST", "/api/recordings/0/read", {"options": {}}, headers).status == 403
    assert site.send("GET", "/api/session", headers=headers).status == 403


def test_the_own_origin_is_let_in(site: Site) -> None:
    headers = {"Origin": f"http://127.0.0.1:{site.port}", "Sec-Fetch-Site": "same-origin"}
    assert site.send("POST", "/api/recordings/0/read", {"options": {}}, headers).status == 200


@pytest.mark.parametrize("kind", ["cross-site", "same-site"])
def test_what_another_site_embeds_is_refused(site: Site, kind: str) -> None:
    assert site.send("GET", "/api/session", headers={"Sec-Fetch-Site": kind}).status == 403


@given(st.from_regex(r"[a-z0-9-]{1,20}(\.[a-z]{2,5}){1,2}(:[0-9]{1,5})?", fullmatch=True))
def test_no_domain_name_is_known_even_where_every_address_is(host: str) -> None:
    assert not Guard(frozenset({"localhost", "127.0.0.1"}), any_address=True).knows_host(host)


def test_every_address_is_known_only_where_the_server_listens_on_all() -> None:
    assert Guard(frozenset(), any_address=True).knows_host("192.168.1.7:8000")
    assert not Guard(frozenset({"localhost"})).knows_host("192.168.1.7:8000")


# ---- the token -------------------------------------------------------------------------------------------------


def test_beyond_this_computer_every_request_needs_the_token(tmp_path: Path) -> None:
    with served(page_of(motion_file(tmp_path, moving())), "0.0.0.0") as site:
        token = site.server.guard.token
        assert token is not None
        assert f"/?token={token}" in site.server.link
        for path in (
            "/",
            "/api/session",
            "/static/serve/page/page.css",
            "/?token=wrong",
            f"/api/session?token={token}",
        ):
            assert site.send("GET", path).status == 401
        entered = site.send("GET", f"/?token={token}")
        assert (entered.status, entered.headers["location"]) == (303, "/")
        cookie = entered.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        headers = {"Cookie": f'other=[1, {{"a": "b"}}]; {cookie.partition(";")[0]}'}
        assert site.send("GET", "/api/session", headers=headers).status == 200
        assert site.send("GET", "/api/session", headers={"Cookie": cookie[:-60] + "x"}).status == 401
        assert site.send("GET", "/api/session", headers={**headers, "Host": "evil.example"}).status == 403


def test_on_this_computer_there_is_no_token_and_a_busy_port_is_followed_by_the_next(site: Site) -> None:
    assert site.server.guard.token is None
    other = make_server(site.page, "127.0.0.1", site.port)
    assert site.port < other.port < site.port + 100
    other.socket.close()


# ---- what every answer has -------------------------------------------------------------------------------------


def test_every_answer_carries_the_policy(site: Site) -> None:
    for path, host in (("/api/session", "localhost"), ("/api/nothing", "localhost"), ("/", "evil.example")):
        headers = site.send("GET", path, headers={"Host": host}).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    assert "unsafe" not in POLICY


def test_a_fault_is_told_without_its_traceback(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("/secret/path")

    monkeypatch.setattr(motion_api, "skeleton_payload", broken)
    answer = site.get("/api/recordings/0", 500)
    assert answer.error == "something went wrong; the server's window says what"
    assert b"secret" not in answer.content
    assert answer.headers["content-security-policy"] == POLICY
    deadline = time.monotonic() + 5
    while "/secret/path" not in caplog.text and time.monotonic() < deadline:  # it is logged after the answer
        time.sleep(0.01)
    assert "/secret/path" in caplog.text


@pytest.mark.parametrize(
    "path",
    [
        "/static/serve/page/../server.py",
        "/static/serve/page/..%2fserver.py",
        "/static/serve/page/%2e%2e/server.py",
        "/static/..%2fpage.css",
        "/static/viewer/payload.py",
        "/static/serve/page/page.html%00.js",
        "/static/serve/app.js",
        "/static/serve/page/../../app.js",
        "/api/recordings/-1",
        "/api/recordings/99",
        "/api/recordings/..%2f..%2fetc",
        "/api/recordings/9999999999999999999999",
        "/etc/passwd",
    ],
)
def test_paths_out_of_what_is_served_are_not_there(site: Site, path: str) -> None:
    assert site.get(path, 404).error


def test_files_of_the_page_have_their_type_and_are_sent_once(site: Site) -> None:
    script = site.get("/static/serve/page/main.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert b"<script" in site.get("/").content
    tag = script.headers["etag"]
    assert site.send("GET", "/static/serve/page/main.js", headers={"If-None-Match": tag}).status == 304


# ---- too much, too slow ----------------------------------------------------------------------------------------


def test_a_body_that_is_too_large_is_refused_by_its_length_and_by_what_arrives(site: Site) -> None:
    path = "/api/recordings/0/read"
    assert site.send("POST", path, b"x" * (MAX_BODY + 1)).status == 413
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    chunk = b"%x\r\n" % 200_000 + b" " * 200_000 + b"\r\n"
    assert raw(site.port, head + chunk * 6 + b"0\r\n\r\n" + b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").startswith(
        b"HTTP/1.1 413"
    )


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 100_000, b'{"options": NaN}', b"\xff\xfe"])
def test_a_body_that_is_no_object_is_refused(site: Site, body: bytes) -> None:
    assert site.send("POST", "/api/recordings/0/read", body).status == 400


def test_slow_clients_are_cut_off(tmp_path: Path) -> None:
    with served(page_of(motion_file(tmp_path, moving())), patience=QUICK) as site:
        began = time.monotonic()
        assert raw(site.port, b"") == b""
        assert raw(site.port, b"GET /api/session HTTP/1.1\r\nHost: local") == b""
        head = b"POST /api/recordings/0/read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
        assert raw(site.port, head + b'{"opt').startswith(b"HTTP/1.1 408")
        assert time.monotonic() - began < 4
        assert site.get("/api/session").status == 200


def test_a_body_that_drips_is_cut_off(tmp_path: Path) -> None:
    with (
        served(page_of(motion_file(tmp_path, moving())), patience=QUICK) as site,
        socket.create_connection(("127.0.0.1", site.port), timeout=5) as connection,
    ):
        connection.sendall(b"POST /api/recordings/0/read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n")
        with suppress(ConnectionError):
            for _ in range(20):
                connection.sendall(b" ")
                time.sleep(0.05)
            pytest.fail("the server took all of it")


def test_a_browser_that_stops_reading_is_cut_off(tmp_path: Path) -> None:
    page = page_of(motion_file(tmp_path, moving()))
    with (
        served(page, patience=QUICK) as site,
        socket.create_connection(("127.0.0.1", site.port), timeout=5) as connection,
    ):
        connection.sendall(b"GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(20).startswith(b"HTTP/1.1 200")
        listeners = page.live._queues
        deadline = time.monotonic() + 6
        while not listeners and time.monotonic() < deadline:
            time.sleep(0.01)
        assert listeners
        while listeners and time.monotonic() < deadline:
            page.live.publish("job", {"text": "x" * 200_000})
            time.sleep(0.02)
        assert not listeners
