"""Sending: one aiohttp session, one origin, GET only; redirects, cookies and environment proxies off.

The token is added to each request, never to the session. What to do after a failure is decided in `retry`; what a
body means, in `decode`; how many go at once, in `gate`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import aiohttp
from aiohttp import hdrs
from yarl import URL

from pipeline import retry
from pipeline.auth import Secret
from pipeline.errors import PipelineError, TokenError
from pipeline.model import Request, Response, World
from pipeline.session.addresses import address_on, leads_away
from pipeline.session.bodies import Bodies
from pipeline.session.deadlines import Deadlines, Watch
from pipeline.session.failures import Retryable, late, translated, without_frames
from pipeline.session.gate import Gate
from pipeline.session.skew import judged_skew


@dataclass(slots=True)
class Session:
    """Sends requests to one origin. `calls` counts every attempt, by resource.

    `count` is told the resource right before each attempt and may refuse it; `renew` reads the token again from where
    it came; `deadline_s` is the run's, by the monotonic clock; `advice` gathers what a person should know.
    """

    http: aiohttp.ClientSession = field(repr=False)
    origin: URL
    token: Secret = field(repr=False)
    world: World = field(repr=False)
    gate: Gate = field(repr=False)
    bodies: Bodies = field(repr=False)
    deadlines: Deadlines = field(repr=False)
    deadline_s: float
    policy: retry.RetryPolicy = field(default_factory=retry.RetryPolicy)
    count: Callable[[str], None] = field(default=lambda _: None, repr=False)
    renew: Callable[[], Secret] | None = field(default=None, repr=False)
    proxy: URL | None = None
    calls: Counter[str] = field(default_factory=Counter)
    advice: list[str] = field(default_factory=list)
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    _is_clock_judged: bool = False

    @property
    def strained_window(self) -> int | None:
        """How many requests may be under way now, None if as many as the setting allows."""
        allowed, most = self.gate.pace.allowed, self.gate.pace.most
        return allowed if allowed < most else None

    async def send(self, request: Request) -> Response:
        """The complete answer to a request, after as many attempts as the policy allows.

        Raises:
            SourceUnavailable: every attempt failed, or the source asks to wait beyond the run's deadline.
            PipelineError: a refusal that no attempt can change.
        """
        url = address_on(self.origin, request)
        failures: dict[str, int] = {}
        spent_s = 0.0
        try:
            while True:
                began_s = await self.gate.enter()
                token = self.token
                try:
                    return await self._attempt(url, request.resource, token, began_s)
                except Retryable as failure:
                    failures[failure.what] = failures.get(failure.what, 0) + 1
                    spent_s += self.world.monotonic() - began_s
                    wait_s = self._wait_after(failure, failures, spent_s)
                    spent_s += wait_s
                except TokenError as refused:
                    await self._renew(token, refused)
                    wait_s = 0.0
                if wait_s:
                    await self.world.sleep(wait_s)
        except PipelineError as error:
            raise error.filled_in(where=request.label) from None

    def _wait_after(self, failure: Retryable, failures: Mapping[str, int], spent_s: float) -> float:
        """Seconds that this request alone waits; what holds all is told to the gate."""
        step = retry.next_step(
            self.policy,
            failure.kind,
            attempt=sum(failures.values()),
            spent_s=spent_s,
            left_s=self.deadline_s - self.world.monotonic(),
            random=self.world.random,
            asked_s=failure.asked_s,
        )
        if isinstance(step, retry.Stop):
            raise retry.exhausted(
                step, failures, spent_s=spent_s, now=self.world.clock(), asked_s=failure.asked_s
            ) from None
        if step.holds_all:
            self.gate.hold(step.wait_s)
            return 0.0
        return step.wait_s

    async def _renew(self, refused_token: Secret, refused: TokenError) -> None:
        """Another token is in place, or the refusal stands. Many requests may be refused at once: one reads."""
        async with self._renewing:
            if self.token is not refused_token:
                return
            renew, self.renew = self.renew, None
            if renew is None:
                raise refused
            found = await asyncio.to_thread(renew)
            if found.is_same(refused_token):
                raise refused
            self.token = found

    # ---- one attempt ----------------------------------------------------------------------------------------------

    async def _attempt(self, url: URL, resource: str, token: Secret, began_s: float) -> Response:
        """One attempt, counted before it is sent; the gate is told how it ended."""
        watch = self.deadlines.begin()
        try:
            self.count(resource)
            self.calls[resource] += 1
            response = await self._exchange(url, token, watch)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is one
            failure = translated(error, self.origin, self.world.clock(), self.proxy if watch.is_connecting else None)
        except (PipelineError, Retryable) as error:
            failure = error.with_traceback(None)
        except BaseException as error:  # noqa: BLE001 - raised again, but for our own cancellation
            if not isinstance(error, asyncio.CancelledError) or not watch.is_struck():
                self.gate.left()
                raise without_frames(error) from None
            failure = late(self.origin)
        else:
            self.gate.answered(began_s)
            return response
        finally:
            self.deadlines.end(watch)
        if isinstance(failure, Retryable):
            self.gate.failed(began_s, failure.kind)
        else:
            self.gate.left()
        # Raised outside the block: the foreign error, whose repr holds the headers, is not even its context, and no
        # frame that holds them stands in the traceback.
        raise failure

    async def _exchange(self, url: URL, token: Secret, watch: Watch) -> Response:
        # The token is revealed here and nowhere else, in no variable that a traceback could show.
        answer = await self.http.get(url, headers={"Authorization": f"Bearer {token.reveal()}"}, allow_redirects=False)
        watch.answer = answer
        try:
            if not self._is_clock_judged:
                self._judge_clock(answer)
            self._refuse(answer)
            body, packed = await self.bodies.read(answer, watch)  # to its end: the connection is free again
        except BaseException:
            _hang_up(answer)
            raise
        return Response(body, self.world.clock(), answer.headers.get(hdrs.DATE), packed)

    def _refuse(self, answer: aiohttp.ClientResponse) -> None:
        """Nothing, if the answer carries data."""
        if answer.status != 200:
            raise self._refusal(answer)

    def _refusal(self, answer: aiohttp.ClientResponse) -> PipelineError | Retryable:
        location = answer.headers.get("Location") if 300 <= answer.status < 400 else None
        away = location is not None and leads_away(self.origin, answer.url, location)
        meaning = retry.judged(answer.status, leads_away=away, is_limit=retry.says_limited(answer.headers))
        if isinstance(meaning, PipelineError):
            return meaning
        # A date is compared with the clock that made it.
        now = retry.http_date(answer.headers.get("Date")) or self.world.clock()
        asked_s = retry.retry_after_s(answer.headers.get("Retry-After"), now)
        as_limit = " as a limit" if answer.status == 403 else ""
        return Retryable(f"the source answered {answer.status}{as_limit}", meaning, asked_s)

    def _judge_clock(self, answer: aiohttp.ClientResponse) -> None:
        theirs = retry.http_date(answer.headers.get("Date"))
        if theirs is not None:
            self._is_clock_judged = True
            told = judged_skew(self.world.clock(), theirs)
            if told is not None:
                self.advice.append(told)


def _hang_up(answer: aiohttp.ClientResponse) -> None:
    """End the connection of an answer that is still arriving: an orderly end would wait for a server that drips."""
    connection = answer.connection
    if connection is not None and connection.transport is not None and not answer.content.is_eof():
        connection.transport.abort()
    answer.close()
