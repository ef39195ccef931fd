"""The jobs and models of a page, and what models say of a recording, trained here or opened as predictions."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..runs.answers import Answer
from .calls import refuse
from .jobs import Jobs
from .models import file_answers_folder
from .state import Page
from .workspace import Entry


def models_payload(page: Page) -> dict[str, Any]:
    """The models, and which one is loaded, as the page is told."""
    opened = [
        {
            "id": id,
            "name": id,
            "labels": len(answers.labels),
            "time": answers.time,
            "figures": None,
            "training": "its predictions were opened",
        }
        for id, answers in page.workspace.answers.items()
    ]
    trained = [] if page.jobs is None else [model.payload() for model in page.jobs.models.all()]
    return {"models": [*trained, *opened], "model": shown_model(page)}


def shown_model(page: Page) -> str | None:
    """The model whose predictions are shown: those that were opened, until another is chosen, else the loaded one."""
    loaded = None if page.jobs is None else page.jobs.models.loaded
    return page.workspace.shown_answers or loaded


def jobs_of(page: Page) -> Jobs:
    """The jobs of a page; refused (404) where it has none."""
    if page.jobs is None:
        refuse("no model is open and nothing can be trained here; open a corpus with kinespan label", 404)
    return page.jobs


def file_item(entry: Entry) -> dict[str, Any]:
    """A motion file as `Jobs.predict` takes it."""
    options = entry.options.given()
    format = entry.format if entry.options.format == "auto" else entry.options.format
    return {"path": str(entry.path), "format": format, "options": options, "override_fps": entry.override_fps}


def answer_of(page: Page, entry: Entry, model: str) -> Answer | None:
    """What a model says of a recording; None where it has not localized it."""
    if model in page.workspace.answers:
        return page.workspace.predictions(entry.id, model)
    if page.jobs is None:
        return None
    models = page.jobs.models
    if entry.path is None:
        corpus = page.workspace.corpus
        if corpus is None or not models.predicted(model, {entry.name: _checksum(page, entry)}):
            return None
        answers = models.answers(model)
        return None if answers is None else answers.answer(entry.name)
    try:
        answers = models.answers_in(file_answers_folder(models.get(model).home, file_item(entry)))
    except OSError:
        return None
    return None if answers is None else answers.answer(answers.names[0])


def is_predicted(page: Page, entry: Entry) -> bool:
    """Whether the model that is shown says anything of a recording."""
    shown = shown_model(page)
    if shown is None:
        return False
    if shown in page.workspace.answers:
        return entry.recording_name in page.workspace.answers[shown].predictions.proposals
    if page.jobs is not None and entry.path is None:
        return bool(page.jobs.models.predicted(shown, {entry.name: _checksum(page, entry)}))
    return answer_of(page, entry, shown) is not None


def uncertainty(page: Page, entry: Entry) -> float | None:
    """How unsure the loaded model, or else predictions that were opened, are of a recording, 0 to 1."""
    models = None if page.jobs is None else page.jobs.models
    loaded = None if models is None else models.loaded
    if models is not None and loaded is not None and entry.path is None:
        value = models.uncertainties(loaded).get(entry.name)
        if value is not None:
            return value
    return page.workspace.uncertainty(entry.id)


def _checksum(page: Page, entry: Entry) -> str:
    corpus = page.workspace.corpus
    return "" if corpus is None else corpus.infos[corpus.index(entry.name)].checksum


@contextmanager
def jobs_of_page(page: Page, model: Path | None) -> Iterator[None]:
    """The jobs of a page while it is served: in its folder of runs or, to look with a model, in one that is removed.

    Raises InputError as `Jobs` does.
    """
    corpus = None if page.workspace.corpus is None else page.workspace.corpus.path
    if page.runs is None and model is None:
        yield
        return
    with ExitStack() as stack:
        if page.runs is None:
            page.runs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kinespan-runs-")))
        page.jobs = Jobs(page.runs, corpus, page.live, model)
        stack.callback(page.jobs.close)
        yield
