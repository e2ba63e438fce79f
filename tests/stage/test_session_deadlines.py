"""The deadlines of an attempt: what is late, what is not, and that no other cancellation is taken for lateness."""

from __future__ import annotations

import asyncio
import gc
import socket
from dataclasses import replace

import pytest
from aiohttp.abc import AbstractResolver
from session_world import CLAIMS, asked

from pipeline.errors import SourceUnavailable
from pipeline.sandbox.faults import plan
from pipeline.sandbox.model import Drip, Script, Send, Wait

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


async def once(session):
    return await session.send(CLAIMS)


def test_a_head_that_drips_is_late(sandbox):
    """The status and headers must be there within the read deadline, however many bytes of them come meanwhile."""
    drip = Drip(b"HTTP/1.1 200 OK\r\n" + b"X-Filler: x\r\n" * 20, 1, 0.05)
    sandbox.answer_with("/beta", Script((drip,)))
    with pytest.raises(SourceUnavailable, match="did not answer in time"):
        asked(sandbox, once, hangs=True, read_timeout_s=0.3, attempts=1)


def test_a_slow_body_that_goes_on_coming_is_not_late(sandbox):
    """Each piece within the read deadline is enough, as long as the request's own deadline has not passed."""
    sandbox.answer_with("/beta", Script((Send(HEAD % 12), Drip(b'{"page": []}', 1, 0.1))))
    assert asked(sandbox, once, read_timeout_s=0.5, attempts=1).body == b'{"page": []}'


def test_a_body_that_waits_for_us_is_not_late(sandbox):
    """While one large body is read the next one waits its turn, however long: that is no fault of the source.

    At 256 at once a body's own share is 128 KiB; the first takes 1.6 s, the second may be silent for 0.6 s.
    """
    large = b"[" + b" " * 300_000 + b"]"
    rest = [step for n in range(8) for step in (Wait(0.2), Send(large[200_000 + n * 12_000 :][:12_000]))]
    slow = Script((Send(HEAD % len(large)), Send(large[:200_000]), *rest, Send(large[296_000:])))
    sandbox.answer_with("/beta/company/2", Script((Send(HEAD % len(large)), Send(large))))
    sandbox.answer_with("/beta/company/1", slow)

    async def act(session):
        first = asyncio.create_task(session.send(CLAIMS))
        await asyncio.sleep(0.3)
        await session.send(replace(CLAIMS, path="/beta/company/2/claim"))
        await first
        return session.calls.total()

    assert asked(sandbox, act, concurrency=256, read_timeout_s=0.6, max_body_mb=1) == 2


def test_lateness_is_a_strain(sandbox):
    """The whole client slows down when an attempt was late."""
    sandbox.faults(plan("silence:times=1"))

    async def act(session):
        await session.send(CLAIMS)
        return session.gate.pace.allowed

    assert asked(sandbox, act, hangs=True, read_timeout_s=0.2, concurrency=16) <= 9


def test_a_cancellation_from_outside_stays_one(sandbox):
    """Who cancels a request is told so, and no other attempt is made; nothing is watched afterwards."""
    sandbox.faults(plan("silence"))

    async def act(session):
        task = asyncio.create_task(session.send(CLAIMS))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return session.calls.total(), session.gate.under_way, len(session.deadlines)

    assert asked(sandbox, act, hangs=True) == (1, 0, 0)


def test_a_struck_task_can_go_on(sandbox):
    """Lateness leaves no cancellation behind: the caller's own time limits still work."""
    sandbox.faults(plan("silence:times=1"))

    async def act(session):
        async with asyncio.timeout(30) as limit:
            await session.send(CLAIMS)
        task = asyncio.current_task()
        return limit.expired(), task.cancelling() if task else None

    assert asked(sandbox, act, hangs=True, read_timeout_s=0.2) == (False, 0)
    gc.collect()


def test_a_stalled_handshake_is_bounded_by_the_connect_deadline(sandbox):
    """Long before the read deadline, and told as what it is."""
    sandbox.faults(plan("tls-stall"))
    with pytest.raises(SourceUnavailable, match="no connection to"):
        asked(sandbox, once, hangs=True, connect_timeout_s=0.3, read_timeout_s=20.0, attempts=1)


def test_a_flood_of_interim_answers_is_late(sandbox):
    """1xx answers are no progress: the answer itself must come within the read deadline, and memory stays flat."""
    flood = Drip(b"HTTP/1.1 102 Processing\r\n\r\n" * 4000, 1000, 0.01)
    sandbox.answer_with("/beta", Script((flood,)))
    with pytest.raises(SourceUnavailable, match="did not answer in time"):
        asked(sandbox, once, hangs=True, read_timeout_s=0.3, attempts=1)


def test_a_name_server_that_says_nothing_is_bounded(sandbox):
    """Looking a name up belongs to connecting: three times the deadline for one step, then the next attempt."""

    class Silent(AbstractResolver):
        async def resolve(self, host, port=0, family=socket.AF_INET):
            await asyncio.sleep(60)
            return []

        async def close(self) -> None:
            pass

    with pytest.raises(SourceUnavailable, match="no connection to"):
        asked(sandbox, once, base_url="https://api.example", resolver=Silent(), connect_timeout_s=0.1, attempts=1)
