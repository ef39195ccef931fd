"""Connections that are cut off where a client neither finishes its headers nor reads what it asked for."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .guard import Patience


class PatientConnection(H11Protocol):
    """A connection of uvicorn with an end to its patience, which uvicorn itself has with idle connections only."""

    _silence: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for headers."""
        super().connection_made(transport)
        self.patience: Patience = self.config.app.state.patience  # type: ignore[union-attr]
        self._silence = self.loop.call_later(self.patience.silence, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Wait on for headers, or for the rest of a body that was answered already, no longer than allowed."""
        super().data_received(data)
        answered = self.cycle is not None and self.cycle.response_complete
        is_late = self.conn.their_state is h11.IDLE or (answered and self.conn.their_state is h11.SEND_BODY)
        if not is_late:
            _cancel(self._silence)
            self._silence = None
        elif self._silence is None:
            self._silence = self.loop.call_later(self.patience.silence, self.transport.abort)

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        _cancel(self._unread)
        self._unread = self.loop.call_later(self.patience.unread, self.transport.abort)

    def resume_writing(self) -> None:
        """The client read."""
        super().resume_writing()
        _cancel(self._unread)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        _cancel(self._silence)
        _cancel(self._unread)
        super().connection_lost(exc)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
