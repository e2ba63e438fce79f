"""A session on a sandbox whose clock jumps instead of waiting, and what tests ask of it."""

from __future__ import annotations

import asyncio
import gc
import time
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from pipeline.auth import Secret
from pipeline.durable import room_at
from pipeline.model import Request, World
from pipeline.sandbox import Running
from pipeline.session import Session, open_session
from pipeline.settings import Api

CLAIMS = Request("/beta/company/1/claim", (("limit", "5"),), "claim", "extract · claim · page 1")


@dataclass
class Jumping:
    """A world in which sleeping moves the clocks and takes no time; `slept` remembers each wait."""

    seed: int = 0
    ahead: timedelta = timedelta()
    slept: list[float] = field(default_factory=list)
    jumped_s: float = 0.0

    def world(self) -> World:
        draw = Random(self.seed)
        return World(self.clock, self.sleep, self.monotonic, draw.random, room_at)

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead + timedelta(seconds=self.jumped_s)

    def monotonic(self) -> float:
        return time.monotonic() + self.jumped_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self.monotonic() + seconds
        await asyncio.sleep(0)
        self.jumped_s += max(0.0, until - self.monotonic())


@asynccontextmanager
async def session_on(
    running: Running, jumping: Jumping | None = None, *, base_url: str | None = None, **options: object
) -> AsyncIterator[Session]:
    """A session on a sandbox. `options` are those of `Api`, and `count`, `renew`, `resolver`."""
    seams = {name: options.pop(name) for name in ("count", "renew", "resolver") if name in options}
    api = Api(ca_file=running.ca_file, **options)
    world = (jumping or Jumping()).world()
    async with open_session(api, base_url or running.base_url, Secret(running.token), world, **seams) as session:
        yield session


def asked(
    running: Running,
    act: Callable[[Session], object],
    jumping: Jumping | None = None,
    *,
    hangs: bool = False,
    **options: object,
):
    """What an action on a session comes to, in an event loop of its own.

    A server that `hangs` does not end TLS either: its sockets end with the loop, not before.
    """

    async def inside() -> object:
        async with session_on(running, jumping, **options) as session:
            return await act(session)

    try:
        return asyncio.run(inside())
    finally:
        if hangs:
            let_sockets_go()


def let_sockets_go() -> None:
    """Collect the sockets of a loop that ended before a silent server ended TLS."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
