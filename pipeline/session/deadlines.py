"""The read and the request deadline of every attempt, kept by one sweep for all of them.

aiohttp would set and cancel three timers a request; under load that costs more than anything else we do. The sweep is
coarser: it strikes up to a fifth of a deadline late, and never early. Connecting has its own deadline, aiohttp's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import aiohttp

_SWEEPS: Final = 10  # in the shorter of the two deadlines
_LONGEST_TICK_S: Final = 1.0


@dataclass(slots=True, eq=False)
class Watch:
    """One attempt under way. `quiet_since_s` is None while it connects; `received` is how far the last sweep saw it."""

    task: asyncio.Task[object]
    cancels: int
    began_s: float
    quiet_since_s: float | None = None
    answer: aiohttp.ClientResponse | None = field(default=None, repr=False)  # its repr holds headers
    received: int = -1
    waits_for_us: bool = False
    is_late: bool = False

    @property
    def is_connecting(self) -> bool:
        """Whether nothing has been sent to the source yet."""
        return self.quiet_since_s is None

    def is_struck(self) -> bool:
        """Whether a cancellation that just arrived is this watch's doing, and nobody else's."""
        return self.is_late and self.task.uncancel() <= self.cancels


class Deadlines:
    """Lives in one event loop. `begin` and `end` enclose an attempt; a late one is cancelled from within."""

    def __init__(self, *, read_s: float, request_s: float) -> None:
        self._read_s = read_s
        self._request_s = request_s
        self._tick_s = min(_LONGEST_TICK_S, read_s / _SWEEPS, request_s / _SWEEPS)
        self._loop = asyncio.get_running_loop()
        self._watches: dict[asyncio.Task[object], Watch] = {}
        self._next: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many attempts are watched."""
        return len(self._watches)

    def begin(self) -> Watch:
        """The current task makes an attempt from now on."""
        task = asyncio.current_task()
        assert task is not None  # whoever awaits runs in one
        watch = self._watches[task] = Watch(task, task.cancelling(), self._loop.time())
        if self._next is None:
            self._next = self._loop.call_later(self._tick_s, self._sweep)
        return watch

    def connected(self) -> None:
        """The current task's attempt is about to be sent: from now on the source may be late."""
        watch = self._watches.get(asyncio.current_task())  # type: ignore[arg-type] # None is in no dictionary
        if watch is not None:
            watch.quiet_since_s = self._loop.time()

    def end(self, watch: Watch) -> None:
        """The attempt is over."""
        del self._watches[watch.task]
        watch.answer = None

    def close(self) -> None:
        """Nothing is watched any more."""
        if self._next is not None:
            self._next.cancel()

    def _sweep(self) -> None:
        now_s = self._loop.time()
        for watch in self._watches.values():
            if not watch.is_late and self._is_late(watch, now_s):
                watch.is_late = True
                watch.task.cancel()
        self._next = self._loop.call_later(self._tick_s, self._sweep) if self._watches else None

    def _is_late(self, watch: Watch, now_s: float) -> bool:
        if now_s - watch.began_s >= self._request_s:
            return True
        if watch.quiet_since_s is None:  # connecting
            return False
        received = -1 if watch.answer is None else watch.answer.content.total_bytes
        if watch.waits_for_us or received != watch.received:
            watch.received, watch.quiet_since_s = received, now_s
            return False
        return now_s - watch.quiet_since_s >= self._read_s


class WatchedConnector(aiohttp.TCPConnector):
    """Tells the deadlines when an attempt has its connection, and lets it go only when it may be sent."""

    def __init__(self, deadlines: Deadlines, until_free: Callable[[], Awaitable[None]], **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type] # handed on as they are
        self._deadlines = deadlines
        self._until_free = until_free

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own signature
    ) -> aiohttp.connector.Connection:
        """A connection, from the pool or new."""
        connection = await super().connect(req, traces, timeout)
        try:
            await self._until_free()
        except BaseException:
            connection.close()
            raise
        self._deadlines.connected()
        return connection
