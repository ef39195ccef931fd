"""The application of a page: its files, its API, its errors, and the stream of what changed."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from ..errors import InputError
from . import job_api, label_api, motion_api, suggest_api
from .guard import SECURITY_HEADERS, Guard, GuardMiddleware
from .http import json_answer
from .state import Page
from .uploads import Uploads
from .watching import watch_sets
from .workspace import NotFoundError

STATIC = {"serve/page": Path(__file__).parent / "page", "viewer": Path(__file__).parents[1] / "viewer"}
"""The folders of the files that the page consists of, as they lie in the package: modules import each other by relative
paths."""
PARTS = (motion_api, label_api, job_api, suggest_api)
"""The parts of the API."""
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}


def create_app(page: Page, guard: Guard) -> Starlette:
    """The application; `app.state.patience` is the guard's."""
    uploads = Uploads(page)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        page.live.start()
        watcher = asyncio.create_task(watch_sets(page))
        try:
            yield
        finally:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher
            await run_in_threadpool(uploads.close)

    async def failed(request: Request, error: Exception) -> Response:
        return _answer(page, error)

    routes: list[BaseRoute] = [
        Route("/", _page_file, methods=["GET"]),
        Route("/static/{folder:path}/{name}", _static_file, methods=["GET"]),
        Route("/api/live", _live_of(page), methods=["GET"]),
        *uploads.routes(),
        *(route for part in PARTS for route in part.routes(page)),
    ]
    handlers: dict[Any, Any] = {kind: failed for kind in (InputError, HTTPException, Exception)}
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(GuardMiddleware, guard=guard)],
        exception_handlers=handlers,
    )
    app.state.patience = guard.patience
    return app


def _answer(page: Page, error: Exception) -> Response:
    """An error as docs/page-api.md describes it; what is no mistake of the user is told in the server's window only."""
    if isinstance(error, HTTPException):
        is_said = error.detail != HTTPStatus(error.status_code).phrase
        text = page.workspace.without_folders(error.detail) if is_said else "nothing is there; see docs/page-api.md"
        response = json_answer({"error": text}, error.status_code)
        response.headers.update(error.headers or {})
    elif isinstance(error, InputError):
        status = 404 if isinstance(error, NotFoundError) else 422
        response = json_answer({"error": page.workspace.without_folders(str(error))}, status)
    else:  # uvicorn writes the traceback to standard error
        response = json_answer({"error": "something went wrong; the server's window says what"}, 500)
        response.headers.update({name.decode(): value.decode() for name, value in SECURITY_HEADERS})
    return response


# ---- the page's own files ------------------------------------------------------------------------------------------


async def _page_file(request: Request) -> Response:
    return await run_in_threadpool(_file, request, STATIC["serve/page"] / "page.html")


async def _static_file(request: Request) -> Response:
    folder, name = STATIC.get(request.path_params["folder"]), request.path_params["name"]
    if folder is None or not re.fullmatch(r"[A-Za-z0-9_-]+\.(js|css|svg)", name):
        raise HTTPException(404, "no such file")
    return await run_in_threadpool(_file, request, folder / name)


def _file(request: Request, path: Path) -> Response:
    """A file of the page; a browser asks each time whether it is still the same. Raises HTTPException 404."""
    if not path.is_file():
        raise HTTPException(404, "no such file")
    content = path.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=TYPES[path.suffix])


# ---- what changed --------------------------------------------------------------------------------------------------


def _live_of(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """The stream of what changed."""

    async def live(request: Request) -> Response:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return _ClosingResponse(page.live.listen(), headers=headers, media_type="text/event-stream")

    return live


class _ClosingResponse(StreamingResponse):
    """A stream that is closed at once where its browser is gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._stream.aclose()

    def __init__(self, stream: AsyncGenerator[str, None], headers: dict[str, str], media_type: str) -> None:
        super().__init__(stream, headers=headers, media_type=media_type)
        self._stream = stream
