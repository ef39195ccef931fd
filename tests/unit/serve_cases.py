"""What the tests of the page's server share: pages of made motion, a running server, requests to it."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kinespan import io
from kinespan.data.recording import Recording
from kinespan.data.skeletons import NTU_25
from kinespan.serve.guard import Patience
from kinespan.serve.opening import open_paths
from kinespan.serve.server import PageServer, make_server
from kinespan.serve.state import Page


def moving(name: str = "walk", frames: int = 60, people: int = 1, fps: float = 30.0, **more: Any) -> Recording:
    """A person of plausible size who stands and waves, each joint in its own way."""
    rng = np.random.default_rng(len(name))
    rest = rng.uniform([-0.4, 0.0, -0.2], [0.4, 1.7, 0.2], size=(people, 25, 3))
    times = np.arange(frames)[:, None, None, None] / fps
    positions = (rest + 0.1 * np.sin(times * 3 + rest)).astype(np.float32)
    return Recording(positions, fps, NTU_25, name, **more)


def motion_file(folder: Path, recording: Recording) -> Path:
    """The recording as a motion file."""
    file = folder / f"{recording.name}.npz"
    io.save_npz(recording, file)
    return file


def page_of(*paths: Path, options: io.ReadOptions | None = None, editable: bool = False) -> Page:
    """The page of paths."""
    opened = open_paths(paths, options)
    infos = opened.sets.infos if opened.sets is not None else ()
    return Page(opened.workspace, editable, "Ann", opened.sets, infos[0].name if infos else None)


@dataclass
class Answer:
    """What the server answered."""

    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def error(self) -> str:
        return str(self.json["error"])


@dataclass
class Site:
    """A page that is served."""

    page: Page
    server: PageServer
    thread: threading.Thread

    @property
    def port(self) -> int:
        return self.server.port

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, data, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path: str, status: int = 200) -> Answer:
        answer = self.send("GET", path)
        assert answer.status == status, answer.content[:500]
        return answer

    def id_of(self, name: str) -> int:
        items = self.get("/api/recordings").json["recordings"]
        return int(next(item["id"] for item in items if item["name"] == name))


@contextmanager
def served(page: Page, host: str = "127.0.0.1", patience: Patience | None = None) -> Iterator[Site]:
    """The page, served on a free port until the block ends."""
    server = make_server(page, host, 0, patience)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [server.socket]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.002)
    try:
        yield Site(page, server, thread)
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()
