"""The gate that every request of the client passes: how many at once, not before when, and whether at all.

One of it in a session, so that what one request learns slows all of them. What is learnt is decided in `pace` and
`circuit`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta

from pipeline.errors import SourceUnavailable
from pipeline.model import World
from pipeline.retry import Kind
from pipeline.session import circuit, pace
from pipeline.session.circuit import Circuit, CircuitLimits
from pipeline.session.pace import Pace

_STRAINS = frozenset({Kind.LIMITED, Kind.BUSY, Kind.LATE})
_NO_SIGN_OF_BEING_DOWN = frozenset({Kind.LIMITED, Kind.DROPPED})


@dataclass(slots=True)
class Gate:
    """Lives in one event loop. Whoever comes out of `enter` calls exactly one of the other three."""

    world: World
    pace: Pace
    limits: CircuitLimits = field(default_factory=CircuitLimits)
    circuit: Circuit = field(default_factory=Circuit)
    not_before_s: float = 0.0
    under_way: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    async def enter(self) -> float:
        """The moment at which the request may be sent, by the monotonic clock: now.

        Raises:
            SourceUnavailable: nothing has succeeded for so long that the source is taken to be down.
        """
        try:
            while True:
                now_s = self.world.monotonic()
                opens_at_s, allowed = self._now(now_s)
                if opens_at_s > now_s:
                    await self.world.sleep(opens_at_s - now_s)
                elif self.under_way < allowed:
                    self.under_way += 1
                    return now_s
                else:
                    turn = asyncio.get_running_loop().create_future()
                    self.waiting.append(turn)
                    await turn
        except BaseException:
            self._wake()  # it may have been this one's turn
            raise

    def _now(self, now_s: float) -> tuple[float, int]:
        """Before which moment none may go, and how many may be under way."""
        if not self.circuit.failures:
            return self.not_before_s, self.pace.allowed
        if circuit.is_given_up(self.circuit, self.limits, now_s):
            raise self._down(now_s)
        if circuit.is_open(self.circuit, self.limits, now_s):
            return max(self.not_before_s, circuit.probe_at_s(self.circuit, self.limits)), 1
        return self.not_before_s, self.pace.allowed

    async def until_free(self) -> None:
        """No hold lasts: one may have been asked for while a request that had entered was still connecting."""
        while (wait_s := self.not_before_s - self.world.monotonic()) > 0:
            await self.world.sleep(wait_s)

    def answered(self, began_s: float) -> None:
        """A whole answer came to the request that entered at `began_s`."""
        self.pace = pace.answered(self.pace, began_s=began_s, now_s=self.world.monotonic())
        if self.circuit.failures:
            self.circuit = Circuit()
        self.left()

    def failed(self, began_s: float, kind: Kind) -> None:
        """The request that entered at `began_s` failed so."""
        now_s = self.world.monotonic()
        if kind in _STRAINS:
            self.pace = pace.strained(self.pace, began_s=began_s, now_s=now_s)
        if kind not in _NO_SIGN_OF_BEING_DOWN:
            self.circuit = circuit.failed(self.circuit, now_s)
        self.left()

    def left(self) -> None:
        """A request ended in a way that says nothing about the source's state."""
        self.under_way -= 1
        if self.waiting:
            self._wake()

    def hold(self, wait_s: float) -> None:
        """Let no request of the whole client go before so many seconds have passed."""
        self.not_before_s = max(self.not_before_s, self.world.monotonic() + wait_s)

    def _wake(self) -> None:
        free = self.pace.allowed - self.under_way
        while self.waiting and free > 0:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1

    def _down(self, now_s: float) -> SourceUnavailable:
        lasting_s = now_s - (self.circuit.since_s or now_s)
        since = self.world.clock() - timedelta(seconds=lasting_s)
        return SourceUnavailable(
            f"nothing has succeeded since {since:%Y-%m-%d %H:%M:%S} UTC: {self.circuit.failures} attempts failed in "
            f"{lasting_s:.0f} s"
        )
