"""Sending: one aiohttp session, one origin, GET only; redirects, cookies and environment proxies off.

The token is added to each request, never to the session. What to do after a failure is decided in `retry`; what a
body means, in `decode`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from pipeline import retry
from pipeline.auth import Secret
from pipeline.errors import PipelineError, SecurityStop
from pipeline.model import Request, Response, World
from pipeline.session.bodies import read_body
from pipeline.session.failures import Retryable, translated
from pipeline.session.tls import tls_context
from pipeline.settings import Api

_ACCEPT: Final = {"Accept": "application/json", "Accept-Encoding": "gzip"}


@dataclass(slots=True)
class Session:
    """Sends requests to one origin. `calls` counts every attempt, by resource."""

    http: aiohttp.ClientSession = field(repr=False)
    origin: URL
    token: Secret = field(repr=False)
    world: World = field(repr=False)
    max_body_bytes: int
    policy: retry.RetryPolicy = field(default_factory=retry.RetryPolicy)
    calls: Counter[str] = field(default_factory=Counter)

    async def send(self, request: Request) -> Response:
        """The complete answer to a request, after as many attempts as the policy allows.

        Raises:
            SourceUnavailable: every attempt failed.
            PipelineError: a refusal that no attempt can change.
        """
        url = self.address(request)
        began = self.world.monotonic()
        attempt = 0
        while True:
            attempt += 1
            self.calls[request.resource] += 1
            try:
                return await self._attempt(url)
            except Retryable as failure:
                now_s = self.world.monotonic() - began
                asked_s = retry.retry_after_s(failure.retry_after, self.world.clock())
                wait_s = retry.next_wait_s(
                    self.policy, attempt=attempt, elapsed_s=now_s, random=self.world.random, asked_s=asked_s
                )
                if wait_s is None:
                    error = retry.exhausted(attempt, now_s, failure.what, asked_s)
                    raise error.filled_in(where=request.label) from None
            except PipelineError as error:
                raise error.filled_in(where=request.label) from None
            await self.world.sleep(wait_s)

    def address(self, request: Request) -> URL:
        """The URL of a request, proven to lie on our origin."""
        path = request.path
        segments = path.split("/")
        if not path.startswith("/") or path.startswith("//") or ".." in segments or "." in segments or "\\" in path:
            raise SecurityStop("a path that could leave the source's origin was refused", where=request.label)
        query = urlencode(request.params, quote_via=quote)
        url = URL(f"{self.origin}{path.lstrip('/')}{'?' if query else ''}{query}", encoded=True)
        if url.origin() != self.origin.origin():
            raise SecurityStop("a request to another origin was refused", where=request.label)
        return url

    async def _attempt(self, url: URL) -> Response:
        try:
            # The token is revealed here and nowhere else, in no variable that a traceback could show.
            async with self.http.get(
                url,
                headers={**_ACCEPT, "Authorization": f"Bearer {self.token.reveal()}"},
                allow_redirects=False,
            ) as answer:
                return await self._read(answer)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is one
            failure = translated(error, self.origin)
        # Raised outside the block: the foreign error, whose repr holds the headers, is not even its context.
        raise failure

    async def _read(self, answer: aiohttp.ClientResponse) -> Response:
        if answer.status != 200:
            refused = retry.refusal(answer.status, leads_away=self._leads_away(answer))
            if refused is None:
                raise Retryable(f"the source answered {answer.status}", answer.headers.get("Retry-After"))
            raise refused
        body = await read_body(answer, self.max_body_bytes)
        return Response(body, self.world.clock(), answer.headers.get("Date"))

    def _leads_away(self, answer: aiohttp.ClientResponse) -> bool:
        location = answer.headers.get("Location")
        if not 300 <= answer.status < 400 or location is None:
            return False
        try:
            return answer.url.join(URL(location)).origin() != self.origin.origin()
        except ValueError:
            return True


@asynccontextmanager
async def open_session(api: Api, base_url: str, token: Secret, world: World) -> AsyncIterator[Session]:
    """A session to one origin, closed on leaving.

    Raises:
        ConfigError: the certificate authority file cannot be used.
    """
    connector = aiohttp.TCPConnector(limit=0, ssl=tls_context(api.ca_file), ttl_dns_cache=300)
    timeout = aiohttp.ClientTimeout(
        total=api.request_timeout_s, sock_connect=api.connect_timeout_s, sock_read=api.read_timeout_s
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        skip_auto_headers=("User-Agent",),
        headers={"User-Agent": "prospend-pipeline"},
    ) as http:
        yield Session(http, URL(base_url.rstrip("/") + "/"), token, world, api.max_body_mb * 1024 * 1024)
