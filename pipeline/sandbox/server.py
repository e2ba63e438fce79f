"""The data port: HTTP/1.1 over TLS as an asyncio protocol, because some answers it must give are illegal HTTP.

Reads requests, asks `answer`, writes replies in order, plays scripts step by step, and writes the journal.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

from pipeline.sandbox import tokens
from pipeline.sandbox.answer import State, answer, error
from pipeline.sandbox.journal import Journal, JournalEntry
from pipeline.sandbox.model import Answer, Close, Reply, Request, Script, Send, Wait
from pipeline.sandbox.wire import Unreadable, read_request, reply_bytes

_READ_AHEAD_BYTES: Final = 256 * 1024
_WRITTEN_AT_ONCE_BYTES: Final = 128 * 1024  # measured: TLS takes half the time of one write of a megabyte


class Host:
    """What all connections share: the state they answer from, and the journal they write."""

    def __init__(self, state: State, journal: Journal, state_dir: Path, *, gzip: bool) -> None:
        self.state = state
        self.journal = journal
        self.gzip = gzip
        self.connections: set[Connection] = set()
        self._state_dir = state_dir
        self._stamp = tokens.stamp(state_dir)

    def respond(self, request: Request) -> Answer:
        """The answer by the state of this moment: a token revoked meanwhile, by any process, is out."""
        stamp = tokens.stamp(self._state_dir)
        if stamp != self._stamp:
            self.state = dataclasses.replace(self.state, gate=tokens.open_gate(self._state_dir))
            self._stamp = stamp
        return answer(request, self.state)


class Connection(asyncio.Protocol):
    """One client's connection: one answer at a time, in the order of the requests."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._script: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._host.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._host.connections.discard(self)
        self._transport = None
        if self._script is not None:
            self._script.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._transport is not None and len(self._buffer) > _READ_AHEAD_BYTES and not self._is_free:
            self._transport.pause_reading()
        self._serve()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()
        self._serve()

    def close(self) -> None:
        """End it, answered or not."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def _is_free(self) -> bool:
        return self._script is None and self._writable.is_set()

    def _serve(self) -> None:
        while self._buffer and self._is_free and self._transport is not None and not self._transport.is_closing():
            now = datetime.now(UTC)
            arrived = read_request(self._buffer, now)
            if arrived is None:
                break
            if isinstance(arrived, Unreadable):
                shape = self._host.state.variants.error_body
                self._write(error(arrived.status, shape=shape), None, now, keep_open=False)
                return
            del self._buffer[: arrived.size_bytes]
            given = self._host.respond(arrived.request)
            if isinstance(given, Script):
                self._script = asyncio.get_running_loop().create_task(self._play(given, arrived.request))
                return
            self._write(given, arrived.request, now, keep_open=arrived.keep_open)
        if self._transport is not None and self._is_free and not self._transport.is_reading():
            self._transport.resume_reading()

    def _write(self, reply: Reply, request: Request | None, now: datetime, *, keep_open: bool) -> None:
        assert self._transport is not None
        raw = reply_bytes(reply, request, now_s=int(now.timestamp()), keep_open=keep_open, may_gzip=self._host.gzip)
        self._note(request, reply, len(raw), now)
        whole = memoryview(raw)
        for first in range(0, len(raw), _WRITTEN_AT_ONCE_BYTES):
            self._transport.write(whole[first : first + _WRITTEN_AT_ONCE_BYTES])
        if not keep_open:
            self._transport.close()

    async def _play(self, script: Script, request: Request) -> None:
        sent = 0
        try:
            for step in script.steps:
                match step:
                    case Send(raw):
                        if self._transport is not None:
                            self._transport.write(raw)
                            sent += len(raw)
                            await self._writable.wait()  # a body of any size takes the memory of one step
                    case Wait(seconds):
                        await asyncio.sleep(seconds)
                    case Close(abort):
                        if self._transport is not None:
                            (self._transport.abort if abort else self._transport.close)()
        finally:
            self._note(request, script, sent, request.received_at)
            self._script = None
        self._serve()

    def _note(self, request: Request | None, given: Answer, size_bytes: int, now: datetime) -> None:
        served = given.served if isinstance(given, Reply) else None
        path, _, query = request.target.partition("?") if request is not None else ("", "", "")
        entry = JournalEntry(
            at=now,
            method=request.method if request is not None else "",
            path=path,
            query=query,
            status=given.status,
            bytes_sent=size_bytes,
            had_token=request is not None and "authorization" in request.headers,
            resource=served.resource if served is not None else "",
            records=served.count if served is not None else 0,
        )
        self._host.journal.note(entry, served)


def connection_factory(host: Host) -> Callable[[], Connection]:
    """What asyncio calls for each connection."""
    return lambda: Connection(host)
