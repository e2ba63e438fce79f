"""The data port: HTTP/1.1 over TLS as an asyncio protocol, because some answers it must give are illegal HTTP.

Reads requests, asks `answer`, writes replies in order, plays scripts step by step, and writes the journal.
"""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

from pipeline.sandbox import tokens
from pipeline.sandbox.answer import State, answer, error
from pipeline.sandbox.faults.injector import Injector
from pipeline.sandbox.faults.plan import Certificate, Plan
from pipeline.sandbox.journal import Journal, JournalEntry
from pipeline.sandbox.model import Answer, Close, Drip, Repeat, Reply, Request, Script, Send, Served, Step, Wait
from pipeline.sandbox.routes import Refused
from pipeline.sandbox.wire import Arrived, Unreadable, read_request, reply_bytes

_READ_AHEAD_BYTES: Final = 256 * 1024
_RESET: Final = struct.pack("ii", 1, 0)  # linger for no time: closing resets
_WRITTEN_AT_ONCE_BYTES: Final = 128 * 1024  # measured: TLS takes half the time of one write of a megabyte


class Host:
    """What all connections share: the state they answer from, and the journal they write."""

    def __init__(self, state: State, journal: Journal, state_dir: Path, *, gzip: bool) -> None:
        self.state = state
        self.journal = journal
        self.gzip = gzip
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.connections: set[Connection] = set()
        self.injector = Injector(Plan())
        self.unsound: Mapping[Certificate, ssl.SSLContext] = {}
        self._state_dir = state_dir
        self._stamp = tokens.stamp(state_dir)

    def respond(self, request: Request) -> tuple[Answer, str]:
        """The answer by the state of this moment, and the name of the fault that broke it, if any.

        A token revoked meanwhile, by any process, is out.
        """
        stamp = tokens.stamp(self._state_dir)
        if stamp != self._stamp:
            self.state = dataclasses.replace(self.state, gate=tokens.open_gate(self._state_dir))
            self._stamp = stamp
        sound = answer(request, self.state)
        if not self.injector.plan.faults:
            return sound, ""
        # What a fault looks up for itself counts against no quota.
        free = dataclasses.replace(self.state, quota=None)
        return self.injector.respond(request, sound, self._resource(request), lambda other: answer(other, free))

    def _resource(self, request: Request) -> str:
        try:
            return self.state.routes.find(request.segments).resource.name
        except Refused:
            return ""


class Connection(asyncio.Protocol):
    """One client's connection: one answer at a time, in the order of the requests."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._script: asyncio.Task[None] | None = None
        self._sent_bytes = 0
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
            now = self._host.clock()
            arrived = read_request(self._buffer, now)
            if arrived is None:
                break
            if isinstance(arrived, Unreadable):
                shape = self._host.state.variants.error_body
                self._write(error(arrived.status, shape=shape), None, now, keep_open=False)
                return
            del self._buffer[: arrived.size_bytes]
            given, fault = self._host.respond(arrived.request)
            if isinstance(given, Script):
                self._script = asyncio.get_running_loop().create_task(self._play(given, arrived, fault))
                return
            self._write(given, arrived.request, now, keep_open=arrived.keep_open, fault=fault)
        transport = self._transport
        # One that is closing cannot even be asked whether it reads.
        if transport is not None and self._is_free and not transport.is_closing() and not transport.is_reading():
            transport.resume_reading()

    def _write(self, reply: Reply, request: Request | None, now: datetime, *, keep_open: bool, fault: str = "") -> None:
        assert self._transport is not None
        raw = reply_bytes(reply, request, now_s=int(now.timestamp()), keep_open=keep_open, may_gzip=self._host.gzip)
        self._note(request, reply.status, reply.served, len(raw), fault)
        self._transport.write(raw)
        if not keep_open:
            self._transport.close()

    async def _play(self, script: Script, arrived: Arrived, fault: str) -> None:
        """Take every step, unless the client or the server leaves first: then this task is cancelled."""
        self._sent_bytes = 0
        served = None
        try:
            for step in script.steps:
                await self._take(step, arrived)
            served = script.served
            if not arrived.keep_open and self._transport is not None:
                self._transport.close()
        finally:
            self._note(arrived.request, script.status, served, self._sent_bytes, fault)
            self._script = None
        self._serve()

    async def _take(self, step: Step, arrived: Arrived) -> None:
        match step:
            case Send(raw):
                await self._put(raw)
            case Repeat(raw, times):
                for _ in range(times):
                    await self._put(raw)
                    await asyncio.sleep(0)  # a fast reader must not keep everyone else waiting
            case Drip(raw, size_bytes, wait_s):
                for start in range(0, len(raw), size_bytes):
                    await self._put(raw[start : start + size_bytes])
                    await asyncio.sleep(wait_s)
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Close(abort):
                self._end(abort=abort)
            case Reply():
                now_s = int(self._host.clock().timestamp())
                keep_open, may_gzip = arrived.keep_open, self._host.gzip
                await self._put(reply_bytes(step, arrived.request, now_s=now_s, keep_open=keep_open, may_gzip=may_gzip))

    async def _put(self, raw: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(raw)
            self._sent_bytes += len(raw)
            await self._writable.wait()  # a body of any size takes the memory of one step

    def _end(self, *, abort: bool) -> None:
        if self._transport is None:
            return
        if abort:
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()
            self._transport = None
        else:
            self._transport.close()

    def _note(self, request: Request | None, status: int, served: Served | None, size_bytes: int, fault: str) -> None:
        path, _, query = request.target.partition("?") if request is not None else ("", "", "")
        entry = JournalEntry(
            at=request.received_at if request is not None else self._host.clock(),
            method=request.method if request is not None else "",
            path=path,
            query=query,
            status=status,
            bytes_sent=size_bytes,
            had_token=request is not None and "authorization" in request.headers,
            resource=served.resource if served is not None else "",
            records=served.count if served is not None else 0,
            fault=fault,
        )
        self._host.journal.note(entry, served)
