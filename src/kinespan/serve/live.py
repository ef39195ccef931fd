"""Who is told of changes: a queue for each browser that listens, for server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

MAX_WAITING = 256
"""Events that wait for a browser before it is told to load everything again."""
HEARTBEAT = 15.0
"""Seconds after which a silent stream sends a comment, so that a lost browser is noticed."""


class Live:
    """The listeners; `publish` may be called from any thread once `start` was called in the server's loop."""

    def __init__(self) -> None:
        self._queues: list[asyncio.Queue[tuple[str, str] | None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Use the running event loop."""
        self._loop = asyncio.get_running_loop()

    def publish(self, event: str, data: Mapping[str, Any]) -> None:
        """Tell every listener of an event; nothing before the server runs."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._put, event, json.dumps(data, allow_nan=False))

    def stop(self) -> None:
        """End every stream; to be called in the server's loop."""
        for queue in self._queues:
            _restart(queue)

    def _put(self, event: str, text: str) -> None:
        for queue in self._queues:
            if queue.full():  # a browser that does not keep up starts again
                _restart(queue)
            else:
                queue.put_nowait((event, text))

    async def listen(self) -> AsyncGenerator[str, None]:
        """The events as the text of a server-sent stream."""
        queue: asyncio.Queue[tuple[str, str] | None] = asyncio.Queue(MAX_WAITING)
        self._queues.append(queue)
        try:
            yield ": ready\n\n"
            while True:
                try:
                    item = await asyncio.wait_for(queue.get(), HEARTBEAT)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if item is None:
                    return
                event, text = item
                yield f"event: {event}\ndata: {text}\n\n"
        finally:
            self._queues.remove(queue)


def _restart(queue: asyncio.Queue[tuple[str, str] | None]) -> None:
    """End the stream of a queue; a browser then asks for another."""
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(None)
