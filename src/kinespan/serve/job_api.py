"""The API of models and jobs, and of what models predict; see docs/page-api.md."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..runs.answers import Answer
from ..viewer.payload import scores_payload
from .calls import Call, Fields, endpoint, refuse
from .http import json_answer
from .job_folder import TRAININGS, Job, Kind
from .page_models import answer_of, file_item, jobs_of, models_payload
from .rejected import Draft, Rejected, is_same
from .state import Page

FIELDS = {
    "finetune": ("kind", "set", "from", "split", "steps"),
    "learn": ("kind", "set", "split", "from"),
    "predict": ("kind", "model", "recordings"),
    "embed": ("kind",),
}
MAX_REJECTED = 10_000
"""The most drafts that are rejected at once."""


def routes(page: Page) -> list[BaseRoute]:
    """The routes of models, jobs and predictions."""

    def route(method: str, path: str, work: Callable[[Call], Response], writes: bool = False) -> Route:
        return Route(path, endpoint(page, work, writes=writes), methods=[method])

    return [
        route("GET", "/api/models", models),
        route("PUT", "/api/model", load_model),
        route("GET", "/api/jobs", jobs),
        route("POST", "/api/jobs", add_job),
        route("POST", "/api/jobs/{number}/cancel", partial(steer, cancel=True)),
        route("POST", "/api/jobs/{number}/resume", partial(steer, cancel=False)),
        route("GET", "/api/jobs/{number}/log", log),
        route("GET", "/api/recordings/{id}/predictions", predictions),
        route("POST", "/api/drafts/{id}/rejected", reject, writes=True),
    ]


# ---- models ----------------------------------------------------------------------------------------------------------


def models(call: Call) -> Response:
    """The models, and which one is loaded."""
    return json_answer(models_payload(call.page))


def load_model(call: Call) -> Response:
    """Choose the model that predicts; predictions that were opened cannot be asked for more."""
    model = call.fields("model").optional_text("model")
    workspace = call.page.workspace
    is_opened = model in workspace.answers
    if not is_opened and (model is not None or call.page.jobs is not None):
        jobs_of(call.page).models.load(model)
    workspace.shown_answers = model if is_opened else None
    call.page.live.publish("models", {"model": model})
    return json_answer(models_payload(call.page))


# ---- jobs ------------------------------------------------------------------------------------------------------------


def jobs(call: Call) -> Response:
    """All jobs, the newest first."""
    if call.page.jobs is None:
        return json_answer({"jobs": []})
    return json_answer({"jobs": [call.page.jobs.payload(job) for job in call.page.jobs.all()]})


def add_job(call: Call) -> Response:
    """Queue a job."""
    kind = call.body.get("kind")
    if not isinstance(kind, str) or kind not in FIELDS:
        refuse(f"kind: expected one of {', '.join(FIELDS)}")
    queue, fields = jobs_of(call.page), call.fields(*FIELDS[kind])
    if kind in TRAININGS:
        job = _train(call, cast(Kind, kind), fields)
    elif kind == "predict":
        job = _predict(call, fields)
    else:
        job = queue.embed()
    return json_answer(queue.payload(job), 201)


def _train(call: Call, kind: Kind, fields: Fields) -> Job:
    if not call.page.editable:
        refuse("this page is for looking only; open the corpus with kinespan label to train", 403)
    name = fields.optional_text("set") or call.set_name()
    if name not in [info.name for info in call.sets.infos]:
        refuse(f"unknown annotation set {name!r}", 404)
    steps = fields.optional_whole("steps") if kind == "finetune" else None
    start, split = fields.optional_text("from"), fields.optional_text("split")
    return jobs_of(call.page).train(kind, name, start=start, split=split or None, steps=steps)


def _predict(call: Call, fields: Fields) -> Job:
    queue, workspace = jobs_of(call.page), call.page.workspace
    model = fields.optional_text("model") or queue.models.loaded
    if model is None:
        refuse("no model is loaded; train one, or start with --model RUN")
    if model in workspace.answers:
        refuse(f"{model!r} are predictions that were opened, not a model that can predict", 409)
    entries = workspace.entries
    if fields.get("recordings") is not None:
        ids = [Fields({"id": value}, place, ["id"]).whole("id") for place, value in fields.elements("recordings")]
        entries = [workspace.entry(id) for id in dict.fromkeys(ids)]
    names = [entry.name for entry in entries if entry.path is None]
    files = [file_item(entry) for entry in entries if entry.path is not None and entry.path.exists()]
    if not names and not files:
        refuse("recordings: there is none to localize")
    return queue.predict(model, names, files)


def steer(call: Call, cancel: bool) -> Response:
    """Cancel or resume a job."""
    queue, number = jobs_of(call.page), _number(call)
    job = queue.get(number)
    if job.kind in TRAININGS and not call.page.editable:
        refuse("this page is for looking only", 403)
    return json_answer(queue.payload(queue.cancel(number) if cancel else queue.resume(number)))


def log(call: Call) -> Response:
    """What the process of a job printed, and the curves of a training."""
    lines, curves = jobs_of(call.page).log(_number(call))
    return json_answer({"lines": lines, "curves": {name: [list(point) for point in curves[name]] for name in curves}})


def _number(call: Call) -> int:
    """The number of the job in the path; refused (404) where there is none."""
    text = str(call.request.path_params["number"])
    known = [job.number for job in jobs_of(call.page).all()]
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) not in known:
        refuse(f"no job has the number {text[:20]!r}", 404)
    return int(text)


# ---- predictions -----------------------------------------------------------------------------------------------------


def predictions(call: Call) -> Response:
    """What a model says of a recording, without the drafts that were rejected in the set."""
    page, entry = call.page, call.page.workspace.entry(call.id)
    shown = models_payload(page)
    model = call.request.query_params.get("model") or shown["model"]
    if model is None:
        refuse("no model is loaded", 404)
    if model not in [each["id"] for each in shown["models"]]:
        refuse(f"unknown model {model[:80]!r}", 404)
    answer = answer_of(page, entry, model)
    if answer is None:
        refuse("this model has not localized this recording; predict it first", 404)
    rejected: list[Draft] = []
    if page.runs is not None and page.sets is not None and entry.path is None:
        rejected = Rejected(page.runs).of(call.set_name(), entry.name)
    return json_answer(predictions_payload(answer, model, rejected))


def predictions_payload(answer: Answer, model: str, rejected: list[Draft]) -> dict[str, Any]:
    """An answer as the page is told it: `Predictions` of docs/page-api.md."""
    tolerance = answer.labels.tolerance
    spans = [_draft(each.start, each.end, each.label, each.score, each.person) for each in answer.spans]
    instants = [_draft(each.time, None, each.label, each.score, each.person) for each in answer.events]

    def kept(drafts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [draft for draft in drafts if not any(is_same(draft, each, tolerance) for each in rejected)]

    scores = None
    if answer.scores is not None and answer.fps is not None:
        scores = scores_payload(answer.scores, answer.fps)
    return {
        "model": model,
        "labels": list(answer.labels.names),
        "events": list(answer.labels.events),
        "spans": kept(spans),
        "instants": kept(instants),
        "scores": scores,
    }


def _draft(start: float, end: float | None, label: str, score: float | None, person: int | None) -> dict[str, Any]:
    """A draft; times as they are in the file."""
    return {"start": start, "end": end, "label": label, "score": score, "person": person}


def reject(call: Call) -> Response:
    """Keep that drafts are wrong."""
    page, name, set = call.page, call.recording, call.set_name()
    if page.runs is None:
        refuse("there is no folder of runs to keep it in", 404)
    elements = call.fields("drafts").elements("drafts")
    if len(elements) > MAX_REJECTED:
        refuse(f"drafts: at most {MAX_REJECTED} at once", 413)
    drafts = []
    for place, value in elements:
        fields = Fields(value, place, ("start", "end", "label", "score", "person"))
        start, end = fields.number("start"), fields.optional_number("end")
        drafts.append(_draft(start, end, fields.text("label"), None, fields.optional_whole("person")))
    count = Rejected(page.runs).add(set, name, drafts, call.sets.labels(set).tolerance)
    return json_answer({"rejected": count})
