"""The server of a page: where it listens, the link that it prints, and how it ends."""

from __future__ import annotations

import errno
import ipaddress
import secrets
import signal
import socket
import threading
import webbrowser
from contextlib import suppress
from urllib.parse import quote

import uvicorn

from ..errors import InputError
from .app import create_app
from .connections import PatientConnection
from .guard import Guard, Patience
from .state import Page

LOCAL = "127.0.0.1"
_NEXT_PORTS = 100
_END_SECONDS = 2
"""Seconds that answers under way have when the server ends."""
_MAX_CONNECTIONS = 400


def serve(page: Page, host: str = LOCAL, port: int = 0, *, open_browser: bool = True) -> None:
    """Serve a page until Ctrl-C: print its link on a line, and open it in the browser.

    host, port: where to listen; a port that is busy is followed by the next one that is free. On other addresses than
    this computer's own the link holds a token. Raises InputError where the address is none of this computer's.
    """
    server = make_server(page, host, port)
    print(f"{page.workspace.title}: {server.link}  (Ctrl-C ends it)", flush=True)
    if port not in (0, server.port):
        print(f"port {port} is in use, so it is {server.port}", flush=True)
    if server.guard.token is not None:
        print(_WARNING, flush=True)
    if open_browser:
        threading.Thread(target=webbrowser.open, args=(server.link,), daemon=True).start()
    with suppress(ValueError):  # not in the main thread, which alone is signalled
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.run(sockets=[server.socket])
    except KeyboardInterrupt:  # the usual end
        print("ended; everything was saved as it was done")


_WARNING = (
    "warning: the page can be reached from other computers. Whoever has the link can see the recordings, and change "
    "labels where that is allowed; what is sent is not encrypted. Leave --host out to keep it on this computer"
)


class PageServer(uvicorn.Server):
    """A server of a page that has its socket already."""

    def __init__(self, config: uvicorn.Config, page: Page, socket: socket.socket, guard: Guard, link: str) -> None:
        super().__init__(config)
        self.page = page
        self.socket, self.guard, self.link = socket, guard, link
        """Where it listens, whom it lets in, and what to open in a browser."""

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.guard.port

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams that would else never end, then everything else."""
        self.page.live.stop()
        await super().shutdown(sockets)


def make_server(page: Page, host: str = LOCAL, port: int = 0, patience: Patience | None = None) -> PageServer:
    """A server that listens already and runs with `run(sockets=[server.socket])`. Raises InputError as `serve`."""
    listener = _listen(host, port)
    address, bound_port = listener.getsockname()[:2]
    is_local = ipaddress.ip_address(address).is_loopback
    guard = Guard(
        hosts=frozenset(_names(host, address, is_local)),
        any_address=ipaddress.ip_address(address).is_unspecified,
        token=None if is_local else secrets.token_urlsafe(24),
        port=bound_port,
        patience=patience or Patience(),
    )
    shown = _own_address() if guard.any_address else address
    link = f"http://{f'[{shown}]' if ':' in shown else shown}:{bound_port}/"
    if guard.token is not None:
        link += f"?token={quote(guard.token)}"
    config = uvicorn.Config(
        create_app(page, guard),
        http=PatientConnection,
        ws="none",
        lifespan="on",
        log_config=None,  # errors go to standard error, nothing else is said
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=_END_SECONDS,
    )
    return PageServer(config, page, listener, guard, link)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket, on the port or the next one that is free. Raises InputError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise InputError(f"--host {host}: no such address; leave it out to serve this computer only") from None
    for number in range(port, min(port + _NEXT_PORTS, 65536)) if port else (0,):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address[0], number))
            listener.listen(128)
            return listener
        except PermissionError:
            listener.close()
            raise InputError(f"--port {number}: not allowed; choose one from 1024") from None
        except OSError as error:
            listener.close()
            if error.errno not in _BUSY:
                raise InputError(f"--host {host}: cannot listen there ({error.strerror})") from None
    raise InputError(f"--port {port}: the ports from there on are all in use; choose another, or 0 for any")


_BUSY = (errno.EADDRINUSE,)


def _names(host: str, address: str, is_local: bool) -> set[str]:
    """The names and addresses that a server goes by."""
    names = {host.lower(), address}
    if is_local or ipaddress.ip_address(address).is_unspecified:
        names |= {"localhost", "127.0.0.1", "::1"}
    if not is_local:
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return names


def _own_address() -> str:
    """The address that other computers know this one by, as far as can be told without asking any."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            return str(probe.getsockname()[0])
        except OSError:
            return LOCAL
