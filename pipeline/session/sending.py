"""Sending: one aiohttp session, one origin, GET only; redirects, cookies and environment proxies off.

The token is added to each request, never to the session. What to do after a failure is decided in `retry`; what a
body means, in `decode`; how many go at once, in `gate`.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from pipeline import retry
from pipeline.auth import Secret
from pipeline.errors import PipelineError, SecurityStop, TokenError
from pipeline.model import Request, Response, World
from pipeline.session.bodies import Bodies
from pipeline.session.failures import Retryable, translated
from pipeline.session.gate import Gate
from pipeline.session.skew import judged_skew

_ADDRESS: Final = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*://")
_ACCEPT: Final = {"Accept": "application/json", "Accept-Encoding": "gzip"}


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
    deadline_s: float
    policy: retry.RetryPolicy = field(default_factory=retry.RetryPolicy)
    count: Callable[[str], None] = field(default=lambda _: None, repr=False)
    renew: Callable[[], Secret] | None = field(default=None, repr=False)
    calls: Counter[str] = field(default_factory=Counter)
    advice: list[str] = field(default_factory=list)
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    _is_clock_judged: bool = False

    async def send(self, request: Request) -> Response:
        """The complete answer to a request, after as many attempts as the policy allows.

        Raises:
            SourceUnavailable: every attempt failed, or the source asks to wait beyond the run's deadline.
            PipelineError: a refusal that no attempt can change.
        """
        url = self.address(request)
        failures: Counter[str] = Counter()
        spent_s = 0.0
        try:
            while True:
                began_s = await self.gate.enter()
                token = self.token
                try:
                    return await self._counted(url, request.resource, token, began_s)
                except Retryable as failure:
                    failures[failure.what] += 1
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

    def address(self, request: Request) -> URL:
        """The URL of a request, proven to lie on our origin."""
        path = request.path
        segments = path.split("/")
        if not path.startswith("/") or path.startswith("//") or ".." in segments or "." in segments or "\\" in path:
            raise SecurityStop("a path that could leave the source's origin was refused", where=request.label)
        if any(_ADDRESS.match(value) for _, value in request.params):
            raise SecurityStop(
                "the source sent an address where a cursor belongs; nothing was sent there", where=request.label
            )
        query = urlencode(request.params, quote_via=quote)
        url = URL(f"{self.origin}{path.lstrip('/')}{'?' if query else ''}{query}", encoded=True)
        if url.origin() != self.origin.origin():
            raise SecurityStop("a request to another origin was refused", where=request.label)
        return url

    def _wait_after(self, failure: Retryable, failures: Counter[str], spent_s: float) -> float:
        """Seconds that this request alone waits; what holds all is told to the gate."""
        step = retry.next_step(
            self.policy,
            failure.kind,
            attempt=failures.total(),
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

    async def _counted(self, url: URL, resource: str, token: Secret, began_s: float) -> Response:
        """One attempt, counted before it is sent; the gate is told how it ended."""
        try:
            self.count(resource)
            self.calls[resource] += 1
            response = await self._attempt(url, token)
        except Retryable as failure:
            self.gate.failed(began_s, failure.kind)
            raise
        except BaseException:
            self.gate.left()
            raise
        self.gate.answered(began_s)
        return response

    async def _attempt(self, url: URL, token: Secret) -> Response:
        try:
            return await self._exchange(url, token)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is one
            failure = translated(error, self.origin)
        except (PipelineError, Retryable) as error:
            failure = error.with_traceback(None)
        # Raised outside the block: the foreign error, whose repr holds the headers, is not even its context, and no
        # frame that holds them stands in the traceback.
        raise failure

    async def _exchange(self, url: URL, token: Secret) -> Response:
        # The token is revealed here and nowhere else, in no variable that a traceback could show.
        async with self.http.get(
            url,
            headers={**_ACCEPT, "Authorization": f"Bearer {token.reveal()}"},
            allow_redirects=False,
            middlewares=(_once(),),
        ) as answer:
            try:
                return await self._read(answer)
            except BaseException:
                _hang_up(answer)
                raise

    async def _read(self, answer: aiohttp.ClientResponse) -> Response:
        self._judge_clock(answer)
        if answer.status != 200:
            raise self._refusal(answer)
        body = await self.bodies.read(answer)
        return Response(body, self.world.clock(), answer.headers.get("Date"))

    def _refusal(self, answer: aiohttp.ClientResponse) -> PipelineError | Retryable:
        leads_away, is_limit = self._leads_away(answer), retry.says_limited(answer.headers)
        meaning = retry.judged(answer.status, leads_away=leads_away, is_limit=is_limit)
        if isinstance(meaning, PipelineError):
            return meaning
        # A date is compared with the clock that made it.
        now = retry.http_date(answer.headers.get("Date")) or self.world.clock()
        asked_s = retry.retry_after_s(answer.headers.get("Retry-After"), now)
        as_limit = " as a limit" if answer.status == 403 else ""
        return Retryable(f"the source answered {answer.status}{as_limit}", meaning, asked_s)

    def _judge_clock(self, answer: aiohttp.ClientResponse) -> None:
        if self._is_clock_judged:
            return
        theirs = retry.http_date(answer.headers.get("Date"))
        if theirs is not None:
            self._is_clock_judged = True
            told = judged_skew(self.world.clock(), theirs)
            if told is not None:
                self.advice.append(told)

    def _leads_away(self, answer: aiohttp.ClientResponse) -> bool:
        location = answer.headers.get("Location")
        if not 300 <= answer.status < 400 or location is None:
            return False
        try:
            return answer.url.join(URL(location)).origin() != self.origin.origin()
        except ValueError:
            return True


def _hang_up(answer: aiohttp.ClientResponse) -> None:
    """End the connection of an answer that is still arriving: an orderly end would wait for a server that drips."""
    connection = answer.connection
    if connection is not None and connection.transport is not None and not answer.content.is_eof():
        connection.transport.abort()


def _once() -> aiohttp.ClientMiddlewareType:
    """Lets aiohttp send one request once.

    It would send a GET again by itself when a kept connection turns out to be closed: a call that nobody counted and
    no policy allowed. Refused here, the failure comes to our own table.
    """
    was_sent = False

    async def send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        nonlocal was_sent
        if was_sent:
            raise aiohttp.ServerDisconnectedError
        was_sent = True
        return await handler(request)

    return send_once
