"""Requests that make no sense, on every route of the page: refused in words, never a fault of the server."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from corpus_cases import LABELS, annotation, recording
from model_cases import tiny_localizer
from serve_cases import Site, page_of, served
from starlette.routing import Route

from kinespan.corpus import CorpusWriter
from kinespan.data.annotation import Span
from kinespan.runs.folder import MODEL_FILE
from kinespan.serve.app import create_app
from kinespan.serve.guard import Guard
from kinespan.serve.page_models import jobs_of_page

VALUES: list[Any] = [
    None, True, 0, -1, 2**53, 10**400, 1.5, 1e308, 1e-320, "", "wave", "labels", "../../etc/passwd", "a\0b", "\ud800",
    "x" * 5000, "\u202egnp", "a\nb", [], {}, {"a": 1}, [0, 1], [[0, 1]], [[1, 0]], [["a", 2]], ["wave", "kick"],
    {"number": 1, "start": 0, "end": 1, "label": "wave", "person": None},
    [{"start": 0.1, "end": 0.2, "label": "wave", "person": None}], [{"start": 0.1, "end": None, "label": "kick"}],
    [{"from": {"number": 1, "start": 0, "end": 1, "label": "wave"}, "to": {"start": 0, "end": 1, "label": "wave"}}],
]  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {
    "read": {"options": {}}, "video": {"offset": 1}, "sets": {"name": "b", "copy": None}, "model": {"model": None},
    "labels": {"do": "add", "name": "new", "event": False}, "rejected": {"drafts": []}, "watched": {"intervals": []},
    "edit": {"about": "x", "add": [], "delete": [], "change": [], "watched": [], "unwatched": []},
    "jobs": {"kind": "finetune", "set": "labels", "from": None, "split": None, "steps": 1},
    "similar": {"recording": 0, "start": 0, "end": 0.5, "person": None},
}  # fmt: skip
QUERY = (
    "set",
    "recording",
    "format",
    "model",
    "left",
    "right",
    "kind",
    "joint",
    "person",
    "start",
    "stop",
    "step",
    "bins",
)
TEXTS = (
    "labels",
    "",
    "0",
    "1",
    "-1",
    "nan",
    "1e400",
    "height",
    "angle",
    "csv",
    "elan",
    "%00",
    "%ff",
    "a" * 300,
    "1" * 40,
)
IDS = ("0", "1", "99", "-1", "1" * 30, "x", "%00", "%ff", "%c2%b2", "..%2f..%2fx")
NO_OBJECTS = (b"", b"[]", b"{", b"\xff\xfe{}", b"[" * 100_000, b'{"a": NaN}', b'{"do": 1e999}', b"1" * 5000)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("page")
    with CorpusWriter(folder / "corpus", "made", LABELS) as writer:
        writer.add(recording("<b>/..", 90), annotation(Span(0.2, 0.9, "kick")))
        writer.add(recording('"\u202e', 60, seed=1))
    (folder / "runs" / "run-001").mkdir(parents=True)
    tiny_localizer(LABELS.names).save(folder / "runs" / "run-001" / MODEL_FILE)
    page = page_of(folder / "corpus", editable=True)
    page.runs = folder / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kinespan.serve.jobs.Jobs._run", lambda jobs, job: jobs._set_state(job, "done"))
        with jobs_of_page(page, None), served(page) as running:
            yield running


def routes(site: Site) -> list[tuple[str, str]]:
    """The methods and paths of the API but its endless stream."""
    app = create_app(site.page, Guard(frozenset()))
    listed = [(each.methods or set(), each.path) for each in app.routes if isinstance(each, Route)]
    return sorted((method, path) for methods, path in listed for method in methods - {"HEAD"} if path != "/api/live")


def nonsense(rng: random.Random, path: str) -> bytes:
    """A body of which a field or two are of another kind than the route takes."""
    if rng.random() < 0.1:
        return rng.choice(NO_OBJECTS)
    body = dict(BODIES.get(path.rsplit("/", 1)[-1], {}))
    if path.endswith("/read"):
        option = rng.choice(
            ["fps", "unit", "up", "skip_frames", "format", "asf", "joints", "markers", "min_confidence"]
        )
        body = {"options": {option: rng.choice(VALUES)}}
    for _ in range(rng.randint(0, 2)):
        body[rng.choice([*body, "other"])] = rng.choice([*VALUES, [rng.choice(VALUES)]])
    return json.dumps(body).encode()


@pytest.mark.parametrize("seed", range(3))
def test_nonsense_on_every_route_is_refused_in_words(site: Site, seed: int) -> None:
    rng = random.Random(seed)
    folder = str(site.page.runs).removesuffix("runs")
    for method, template in routes(site) * 4:
        path = template
        while "{" in path:
            start, end = path.index("{"), path.index("}")
            path = path[:start] + rng.choice(IDS[:2] if rng.random() < 0.7 else IDS) + path[end + 1 :]
        path += "?" + "&".join(f"{rng.choice(QUERY)}={rng.choice(TEXTS)}" for _ in range(rng.randint(0, 3)))
        body = None if method == "GET" else nonsense(rng, template)
        answer = site.send(method, path, body)
        case = f"{method} {path[:200]} {(body or b'')[:200]!r}: {answer.status} {answer.content[:300]!r}"
        assert answer.status < 500, case
        assert b"Traceback" not in answer.content, case
        if answer.status >= 400 and path.startswith("/api/") and answer.status != 405:
            assert answer.error, case
            assert folder not in answer.error, case
