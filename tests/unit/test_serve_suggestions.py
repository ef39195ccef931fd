"""The API of suggestions: real answers of a model, a real index, an annotation set that changes."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request as UrlRequest
from urllib.request import urlopen

import pytest
import torch
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from kinespan.config import Normalisation
from kinespan.corpus import AnnotationSets, Corpus, CorpusWriter
from kinespan.data.annotation import Annotation, Span
from kinespan.data.skeletons import NTU_25
from kinespan.errors import InputError
from kinespan.models.ensemble import ensemble
from kinespan.models.input_spec import InputSpec
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec
from kinespan.prepare.synthetic.takes import ACTIONS, SyntheticConfig, synthetic_takes
from kinespan.retrieval.index import build_index
from kinespan.runs.folder import MODEL_FILE
from kinespan.runs.load import load_encoder
from kinespan.serve import suggest_api
from kinespan.serve.jobs import Jobs
from kinespan.serve.predicting import predict_corpus
from kinespan.serve.state import Page
from kinespan.serve.workspace import Workspace


@dataclass
class Site:
    """A page that is served."""

    page: Page
    corpus: Corpus
    port: int

    @property
    def jobs(self) -> Jobs:
        assert self.page.jobs is not None
        return self.page.jobs

    def ask(self, path: str, body: object = None, status: int = 200) -> Any:
        data = None if body is None else json.dumps(body).encode()
        try:
            with urlopen(UrlRequest(f"http://127.0.0.1:{self.port}/api/{path}", data), timeout=30) as answer:
                answered, content = answer.status, answer.read()
        except HTTPError as error:
            answered, content = error.code, error.read()
        assert answered == status, content
        return json.loads(content)

    def predict(self) -> None:
        """Two networks, which know nothing, localize the recordings."""
        spec = ModelSpec(
            "localizer", InputSpec(NTU_25, 15.0, ("joint",), Normalisation()), "tcn", labels=ACTIONS, clip_frames=32
        )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = ensemble([Localizer(spec), Localizer(spec)])
        run = self.jobs.runs / "run-001"
        run.mkdir(parents=True)
        model.save(run / MODEL_FILE)
        folder = self.jobs.models.answers_folder("run-001")
        predict_corpus(model, self.corpus, self.corpus.names, folder, lambda done, total: None)

    def embed(self) -> None:
        """The index of the shipped encoder."""
        build_index(self.corpus, load_encoder("default"), self.jobs.index_file)


def _answer(_: Request, error: Exception) -> JSONResponse:
    is_http = isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail if is_http else str(error)}, error.status_code if is_http else 422)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "corpus"
    with CorpusWriter(path, "made", ACTIONS) as writer:
        for recording, _ in synthetic_takes(SyntheticConfig(recordings=4, seconds=(8.0, 9.0), fps=15.0)):
            writer.add(recording)
    return path


@pytest.fixture
def site(made: Path, tmp_path: Path) -> Iterator[Site]:
    corpus = Corpus.open(made)
    name = tmp_path.name
    sets = AnnotationSets.open(made)
    sets.create(name, ACTIONS)
    workspace = Workspace("made", corpus)
    workspace.add_corpus(corpus.names)
    page = Page(workspace, True, "Ann", sets, name, tmp_path / "runs")
    page.jobs = Jobs(tmp_path / "runs", made, page.live)
    app = Starlette(routes=suggest_api.routes(page), exception_handlers={HTTPException: _answer, InputError: _answer})
    listener = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=running.run, args=([listener],), daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.005)
    yield Site(page, corpus, listener.getsockname()[1])
    running.should_exit = True
    thread.join(10)
    page.jobs.close()


def test_nothing_is_suggested_before_a_model_has_localized(site: Site) -> None:
    assert "no model has localized" in site.ask("suggestions", status=404)["error"]
    moment = {"recording": 0, "start": 1.0, "end": 2.0, "person": None}
    assert "embedded" in site.ask("similar", moment, status=404)["error"]


def test_an_index_that_cannot_be_read_is_as_none(site: Site) -> None:
    site.predict()
    site.jobs.index_file.write_bytes(b"of another version")
    moment = {"recording": 0, "start": 1.0, "end": 2.0, "person": None}
    assert "embedded" in site.ask("similar", moment, status=404)["error"]
    assert site.ask("suggestions")["by"] == ["uncertainty", "disagreement"]


def test_suggestions_name_recordings_and_moments_and_change_with_labels(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[int] = []
    original = suggest_api.suggest
    monkeypatch.setattr(suggest_api, "suggest", lambda *given: (computed.append(1), original(*given))[1])
    site.predict()
    first = site.ask("suggestions")
    assert first["by"] == ["uncertainty", "disagreement"]
    assert sorted(item["id"] for item in first["recordings"]) == [0, 1, 2, 3]
    assert all(0 <= item["value"] <= 1 and item["reasons"] for item in first["recordings"] + first["moments"])
    assert all(0 <= item["start"] < item["end"] <= 9.0 for item in first["moments"])
    assert site.ask("suggestions") == first
    assert len(computed) == 1, "nothing has changed, so nothing is computed again"

    site.embed()
    assert site.ask("suggestions")["by"] == ["uncertainty", "disagreement", "novelty"]

    sets, name = site.page.sets, site.page.set
    assert sets is not None
    assert name is not None
    best = first["recordings"][0]["id"]
    sets.replace(name, {site.corpus.names[best]: Annotation((), ACTIONS)}, "Ann")
    after = site.ask(f"suggestions?set={name}")
    assert best not in {item["id"] for item in after["recordings"] + after["moments"]}
    assert len(computed) == 3
    assert "no-such-set" in site.ask("suggestions?set=no-such-set", status=404)["error"]


def test_moments_like_one_come_best_first_with_their_labels(site: Site) -> None:
    site.embed()
    sets, name = site.page.sets, site.page.set
    assert sets is not None
    assert name is not None
    moment = {"recording": 1, "start": 2.0, "end": 3.5, "person": None}
    hits = site.ask("similar", moment)["hits"]
    assert hits
    similarities = [hit["similarity"] for hit in hits]
    assert similarities == sorted(similarities, reverse=True)
    assert all(hit["end"] <= 2.0 or hit["start"] >= 3.5 for hit in hits if hit["id"] == 1)
    assert {hit["label"] for hit in hits} == {None}
    best = hits[0]
    span = Span(best["start"], best["end"], "wave")
    sets.replace(name, {site.corpus.names[best["id"]]: Annotation((span,), ACTIONS, ())}, "Ann")
    assert site.ask("similar", moment)["hits"][0]["label"] == "wave"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"recording": 99, "start": 0, "end": 1}, 422, "no recording has the id 99"),
        ({"recording": 1, "start": 5, "end": 1}, 422, "no moment from 5 to 1 s"),
        ({"recording": 1, "start": "x", "end": 1}, 422, "start: expected a finite number"),
        ({"recording": 1, "start": 0, "end": 1, "like": 2}, 422, "unknown field 'like'"),
        ({"recording": 1, "start": 0, "end": 1, "person": -1}, 422, "person: expected a whole number"),
    ],
)
def test_what_makes_no_sense_is_refused(site: Site, body: dict[str, object], status: int, message: str) -> None:
    site.embed()
    assert message in site.ask("similar", body, status)["error"]
