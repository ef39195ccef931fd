"""What every part of the API shares: reading JSON bodies and queries, answering in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response


async def json_body(request: Request) -> dict[str, Any]:
    """The JSON object that a request holds. Raises HTTPException 400 for anything else."""
    try:
        data = json.loads(await request.body(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None
    if not isinstance(data, dict):
        raise HTTPException(400, f"the body is a JSON {type(data).__name__}, expected an object")
    return data


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def json_answer(data: Mapping[str, Any], status: int = 200) -> Response:
    """An answer in JSON, which no cache keeps."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    body = text.encode("utf-8", errors="replace")  # a file name may hold bytes that are not text
    return Response(body, status, {"cache-control": "no-store"}, "application/json")


async def in_thread(work: Callable[..., Mapping[str, Any]], *arguments: object) -> Response:
    """The answer of a function that reads or writes files, run beside the server's loop."""
    return json_answer(await run_in_threadpool(work, *arguments))


def whole_number(request: Request, name: str, default: int | None = None, least: int = 0) -> int:
    """A whole number of the query. Raises HTTPException 400 for another value, and where it is missing."""
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) < least:
        raise HTTPException(400, f"{name} is {_shown(text)}, expected a whole number from {least}")
    return int(text)


def seconds(request: Request, name: str, default: float) -> float:
    """Seconds of the query, finite. Raises HTTPException 400 for another value."""
    text = request.query_params.get(name)
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < 1e9:
        raise HTTPException(400, f"{name} is {_shown(text)}, expected seconds")
    return value


def word(request: Request, name: str) -> str:
    """A word of the query. Raises HTTPException 400 where it is missing."""
    text = request.query_params.get(name)
    if not text:
        raise HTTPException(400, f"{name} is missing from the query")
    return text


def _shown(value: object) -> str:
    return "missing" if value is None else repr(value)[:60]
