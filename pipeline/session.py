"""The one place that speaks to the network: one aiohttp session, one origin, GET only.

Every limit and refusal is here: TLS verified, redirects, cookies and environment proxies off, framed bodies only,
decompression ours with an end check and a size cap. Foreign errors become ours here with their cause cut, because the
`repr` of aiohttp's carries the request headers. The token is added to each request, never to the session. What to do
after a failure is decided in `retry`; what a body means, in `decode`.
"""

from __future__ import annotations

import os
import ssl
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from pipeline import retry
from pipeline.auth import Secret
from pipeline.errors import (
    ConfigError,
    LocalResource,
    PipelineError,
    SecurityStop,
    SourceContractBroken,
    SourceUnavailable,
)
from pipeline.model import Request, Response, World
from pipeline.settings import Api

_ACCEPT: Final = {"Accept": "application/json", "Accept-Encoding": "gzip"}
# TLS failures that another attempt cannot change, beside a certificate that does not verify.
_FINAL_TLS = ("WRONG_VERSION_NUMBER", "UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION", "NO_PROTOCOLS", "HANDSHAKE_FAILURE")


class _Retryable(Exception):
    """An attempt failed in a way that another one may not."""

    def __init__(self, what: str, retry_after: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.retry_after = retry_after


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
            except _Retryable as failure:
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
        headers = {**_ACCEPT, "Authorization": f"Bearer {self.token.reveal()}"}
        try:
            async with self.http.get(url, headers=headers, allow_redirects=False) as answer:
                return await self._read(answer)
        except aiohttp.ClientError as error:
            raise _translated(error, self.origin) from None
        except TimeoutError:
            raise _Retryable(f"{self.origin.host} did not answer in time") from None
        except OSError as error:
            if error.errno in (23, 24):  # ENFILE, EMFILE
                raise LocalResource("too many open files", do="raise the limit (ulimit -n), run again") from None
            raise _Retryable(f"{self.origin.host}: {_reason(error)}") from None

    async def _read(self, answer: aiohttp.ClientResponse) -> Response:
        if answer.status != 200:
            refused = retry.refusal(answer.status, leads_away=self._leads_away(answer))
            if refused is None:
                raise _Retryable(f"the source answered {answer.status}", answer.headers.get("Retry-After"))
            raise refused
        if answer.headers.get("Content-Length") is None and "chunked" not in answer.headers.get(
            "Transfer-Encoding", ""
        ):
            raise SourceContractBroken(
                "the answer's length is not stated (unframed body), so it could be cut unnoticed"
            )
        if answer.content_type != "application/json" and not answer.content_type.endswith("+json"):
            raise SourceContractBroken(
                f"the answer is {answer.content_type!r:.60} instead of JSON; is a proxy in between?"
            )
        body = await self._body(answer)
        if not body:
            raise SourceContractBroken("the answer is empty; that never means an empty list")
        return Response(body, self.world.clock(), answer.headers.get("Date"))

    def _leads_away(self, answer: aiohttp.ClientResponse) -> bool:
        location = answer.headers.get("Location")
        if not 300 <= answer.status < 400 or location is None:
            return False
        try:
            return answer.url.join(URL(location)).origin() != self.origin.origin()
        except ValueError:
            return True

    async def _body(self, answer: aiohttp.ClientResponse) -> bytes:
        """The body, decompressed by us: aiohttp takes a gzip body that stops halfway for a whole one."""
        coding = answer.headers.get("Content-Encoding", "identity").strip().lower()
        if coding not in ("identity", "gzip"):
            raise SourceContractBroken(f"the answer has content coding {coding!r:.40}, which was not asked for")
        unzip = zlib.decompressobj(wbits=31) if coding == "gzip" else None
        pieces: list[bytes] = []
        total = received = 0
        async for piece in answer.content.iter_any():
            received += len(piece)
            data = piece if unzip is None else self._unzipped(unzip, piece, total)
            total += len(data)
            if total > self.max_body_bytes or received > self.max_body_bytes:
                raise SecurityStop(
                    f"an answer is larger than {self.max_body_bytes:,} bytes",
                    do="if the source is sound, lower api.page_limit or raise api.max_body_mb; else treat as an attack",
                )
            pieces.append(data)
        if unzip is not None and (not unzip.eof or unzip.unused_data):
            raise _Retryable("the compressed answer is incomplete")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _unzipped(self, unzip: zlib._Decompress, piece: bytes, total: int) -> bytes:
        try:
            return unzip.decompress(piece, self.max_body_bytes - total + 1)
        except zlib.error:
            raise _Retryable("the compressed answer is damaged") from None


@asynccontextmanager
async def open_session(api: Api, base_url: str, token: Secret, world: World) -> AsyncIterator[Session]:
    """A session to one origin, closed on leaving.

    Raises:
        ConfigError: the certificate authority file cannot be used.
    """
    connector = aiohttp.TCPConnector(limit=0, ssl=_tls_context(api.ca_file), ttl_dns_cache=300)
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


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    # Not `ssl.create_default_context`: it would obey SSLKEYLOGFILE and write session keys to disk.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(
                f"the certificate authority file cannot be used ({error.strerror or type(error).__name__})",
                where=f"api.ca_file = {ca_file}",
            ) from None
    return context


def _translated(error: aiohttp.ClientError, origin: URL) -> PipelineError | _Retryable:
    """Our error for one of aiohttp's. Only class, host and TLS reason are carried over."""
    host = f"{origin.host}:{origin.port}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "") or type(error.certificate_error).__name__
        return SecurityStop(
            f"the certificate of {host} is not trusted: {reason}",
            do="check site.base_url and this machine's clock; for a private authority set api.ca_file",
        )
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        reason = getattr(error.os_error, "reason", "") or "handshake failed"
        if any(final in reason for final in _FINAL_TLS):
            return SecurityStop(f"no secure connection to {host}: {reason}")
        return _Retryable(f"TLS with {host} failed ({reason})")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return _Retryable(f"the name {origin.host} cannot be resolved")
    if isinstance(error, aiohttp.ClientConnectorError):
        return _Retryable(f"no connection to {host} ({_reason(error.os_error)})")
    if isinstance(error, aiohttp.ServerTimeoutError):
        return _Retryable(f"{host} did not answer in time")
    if isinstance(error, aiohttp.ClientPayloadError):
        return _Retryable("the answer was cut off")
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
        return _Retryable(f"{host} closed the connection")
    if isinstance(error, aiohttp.ClientResponseError):
        return SourceContractBroken("the answer is not valid HTTP")
    return SourceUnavailable(f"the request to {host} failed ({type(error).__name__})")


def _reason(error: OSError) -> str:
    """The system's own words for an error number: `strerror` may hold an address."""
    return os.strerror(error.errno) if error.errno else type(error).__name__
