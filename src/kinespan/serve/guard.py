"""Who may ask, and how much: hosts and origins, the token, headers of every answer, limits of bodies and of patience.

Another web site that is open in the same browser must not reach the page: its requests carry a foreign `Origin`, or,
where a name of its own was bound to this computer's address (DNS rebinding), a foreign `Host`. Where the server listens
beyond this computer, every request needs the token of the link, which becomes a cookie.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .uploads import LIMITS

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of every answer: nothing but this server's own files."""
SECURITY_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
OPENER_POLICY = (b"cross-origin-opener-policy", b"same-origin")
"""Beside them on this computer; elsewhere a browser heeds it over https only, and complains."""
MAX_BODY = 10**6
"""Bytes of a body that is no upload."""


@dataclass(frozen=True)
class Patience:
    """How slow a client may be."""

    silence: float = 20.0
    """Seconds without a byte of a body, or of headers, after which a client is cut off."""
    grace: float = 20.0
    """Seconds after which a body has to come at `least_rate`."""
    least_rate: float = 4000.0
    """Bytes a second."""
    unread: float = 60.0
    """Seconds in which a client has to read what was written to it."""


@dataclass(frozen=True)
class Guard:
    """What a server was started for."""

    hosts: frozenset[str]
    """The names and addresses that it goes by, in lower case, without a port."""
    any_address: bool = False
    """Whether it goes by every address, as one that listens on all of this computer's; names are still checked."""
    token: str | None = None
    """What a browser has to know, where the server listens beyond this computer."""
    port: int = 0
    """Cookies of one name would else be shared by servers of one computer."""
    patience: Patience = Patience()

    @property
    def cookie(self) -> str:
        """The name of the cookie that holds the token."""
        return f"kinespan-{self.port}"

    def knows_host(self, header: str) -> bool:
        """Whether a Host header names this server."""
        name = _host_name(header)
        if name is None:
            return False
        if name in self.hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.any_address

    def knows_token(self, text: str | None) -> bool:
        """Whether a text is the token."""
        return self.token is None or (text is not None and secrets.compare_digest(text.encode(), self.token.encode()))


def _host_name(header: str) -> str | None:
    """The name or address of a Host header, in lower case; None where it is malformed."""
    try:
        parts = urlsplit(f"//{header}")
        _ = parts.port
    except ValueError:
        return None
    if parts.path or parts.query or parts.fragment or parts.username is not None or not parts.hostname:
        return None
    return parts.hostname.rstrip(".")


class GuardMiddleware:
    """Lets through what the guard allows, and limits how much and how slowly a body may come."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self.app, self.guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        given = SECURITY_HEADERS if self.guard.token is not None else (*SECURITY_HEADERS, OPENER_POLICY)
        names = {name for name, _ in given}

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [pair for pair in message.get("headers", ()) if pair[0].lower() not in names]
                message = {**message, "headers": [*own, *given]}
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _refuse(scope, send_guarded, *refusal)
            return
        if self.guard.token is not None and not self.guard.knows_token(self._cookie(headers)):
            await self._let_in(scope, send_guarded)
            return
        limit = LIMITS.file_bytes if scope["path"].startswith("/api/uploads/") else MAX_BODY
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > limit:
            await _refuse(scope, send_guarded, 413, f"{length[:20]} bytes, at most {limit} are accepted at once")
            return
        await self.app(scope, _limited(receive, limit, self.guard.patience), send_guarded)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Why a request is refused, None where it is of this server's own page."""
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self.guard.knows_host(host):
            return 403, "this server was not started for that Host; open the link that it printed"
        origins = headers.getlist("origin")
        if origins and (len(origins) > 1 or origins[0].lower() != f"{scope['scheme']}://{host}".lower()):
            return 403, "a request of another web site; open the link that the server printed"
        is_visit = scope["path"] == "/" and scope["method"] in ("GET", "HEAD")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not is_visit:
            return 403, "a request of another web site; open the link that the server printed"
        return None

    def _cookie(self, headers: Headers) -> str | None:
        return cookie_parser("; ".join(headers.getlist("cookie"))).get(self.guard.cookie)

    async def _let_in(self, scope: Scope, send: Send) -> None:
        """Answer a request without the cookie: the link with its token gives it, anything else is refused."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        token = query.get("token", [None])[0]
        if scope["path"] != "/" or token is None or not self.guard.knows_token(token):
            await _refuse(scope, send, 401, "the token is missing; open the link that the server printed")
            return
        cookie = f"{self.guard.cookie}={token}; HttpOnly; SameSite=Strict; Path=/"
        headers = [(b"location", b"/"), (b"set-cookie", cookie.encode("latin-1")), (b"content-length", b"0")]
        headers.append((b"cache-control", b"no-store"))
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _limited(receive: Receive, limit: int, patience: Patience) -> Receive:
    """Receive a body of at most `limit` bytes, from a client that is not too slow. Raises HTTPException 413 and 408."""
    size, is_whole, began = 0, False, time.monotonic()

    async def receive_limited() -> Message:
        nonlocal size, is_whole
        if is_whole:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), patience.silence)
        except TimeoutError:
            raise HTTPException(408, "the body did not arrive", {"connection": "close"}) from None
        size += len(message.get("body", b""))
        is_whole = not message.get("more_body", False)
        if size > limit:
            raise HTTPException(413, f"more than {limit} bytes, which is all that is accepted at once")
        elapsed = time.monotonic() - began
        if not is_whole and elapsed > patience.grace and size < patience.least_rate * elapsed:
            raise HTTPException(408, "the body arrives too slowly", {"connection": "close"})
        return message

    return receive_limited


async def _refuse(scope: Scope, send: Send, status: int, reason: str) -> None:
    """Answer with an error: JSON to the page, a line of text to people."""
    is_api = scope["path"].startswith("/api/")
    body = json.dumps({"error": reason}).encode() if is_api else f"kinespan: {reason}\n".encode()
    kind = b"application/json" if is_api else b"text/plain; charset=utf-8"
    headers: Iterable[tuple[bytes, bytes]] = (
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    )
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
