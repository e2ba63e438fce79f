"""Opening the session: verified TLS, deadlines, and nothing that aiohttp would take from the environment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from pipeline.auth import Secret
from pipeline.errors import LocalResource
from pipeline.model import World
from pipeline.retry import RetryPolicy
from pipeline.session.bodies import Bodies
from pipeline.session.deadlines import Deadlines, WatchedConnector
from pipeline.session.gate import Gate
from pipeline.session.names import PublicNames
from pipeline.session.pace import begun
from pipeline.session.sending import Session
from pipeline.session.tls import tls_context
from pipeline.settings import Api

_CLOSING_S = 0.25
_CONNECT_STEPS = 3  # a name, a connection, TLS; or a connection to the proxy, the tunnel, TLS
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "prospend-pipeline"}


def _uncounted(_resource: str) -> None:
    """Let every attempt go."""


@asynccontextmanager
async def open_session(
    api: Api,
    base_url: str,
    token: Secret,
    world: World,
    *,
    count: Callable[[str], None] = _uncounted,
    renew: Callable[[], Secret] | None = None,
    resolver: AbstractResolver | None = None,
    window: int | None = None,
) -> AsyncIterator[Session]:
    """A session to one origin, closed on leaving; the block ends at the latest at the run's deadline.

    Args:
        api: deadlines, limits, authority.
        base_url: the origin.
        token: goes to it and nowhere else.
        world: clock, sleep and randomness.
        count: is told the resource right before each attempt is sent; what it raises stops the request.
        renew: reads the token again, once, after a 401; None when there is nowhere to read.
        resolver: of host names; the machine's own by default.
        window: how many requests may be under way at first, at most `api.concurrency`; that many by default.

    Raises:
        ConfigError: the certificate authority file cannot be used.
        LocalResource: the block did not end within `api.run_deadline_s`.
    """
    proxy = URL(api.proxy) if api.proxy is not None else None
    names = PublicNames(resolver or aiohttp.ThreadedResolver(), chosen=proxy.host if proxy else None)
    deadlines = Deadlines(read_s=api.read_timeout_s, request_s=api.request_timeout_s)
    gate = Gate(world, begun(api.concurrency, window))
    connector = WatchedConnector(
        deadlines, gate.until_free, limit=0, ssl=tls_context(api.ca_file), ttl_dns_cache=300, resolver=names
    )
    deadline = asyncio.timeout(api.run_deadline_s)
    try:
        async with (
            deadline,
            aiohttp.ClientSession(
                connector=connector,
                timeout=_connect_deadlines(api),
                proxy=proxy,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                headers=_HEADERS,
            ) as http,
        ):
            _send_once(http)
            yield Session(
                http,
                URL(base_url.rstrip("/") + "/"),
                token,
                world,
                gate,
                Bodies(api.max_body_mb * 1024 * 1024, api.concurrency),
                deadlines,
                deadline_s=world.monotonic() + api.run_deadline_s,
                policy=RetryPolicy(attempts=api.attempts),
                count=count,
                renew=renew,
                proxy=proxy,
            )
        if proxy is not None:
            await asyncio.sleep(_CLOSING_S)
    except BaseException as error:
        # Requests cut off in mid-handshake, and tunnels, leave connections that TLS closes in its own time; a loop that
        # ended before would leak their sockets. aiohttp's documentation advises the same wait.
        await asyncio.sleep(_CLOSING_S)
        if not isinstance(error, TimeoutError) or not deadline.expired():
            raise
        raise LocalResource(
            f"the time budget of {api.run_deadline_s:,.0f} s for reading was used up",
            do="run again when the source is faster, or raise api.run_deadline_s",
        ) from None
    finally:
        deadlines.close()


def _connect_deadlines(api: Api) -> aiohttp.ClientTimeout:
    """For each step, and for all together: name servers and proxies that say nothing have no deadline of their own."""
    return aiohttp.ClientTimeout(
        total=None, connect=_CONNECT_STEPS * api.connect_timeout_s, sock_connect=api.connect_timeout_s
    )


def _send_once(http: aiohttp.ClientSession) -> None:
    """Keep aiohttp from sending a request again by itself when a kept connection turns out to be closed.

    That would be a call that nobody counted and no policy allowed. There is no public switch; aiohttp's own test
    client uses this one. A version without it must not be used, so its absence is an error.
    """
    if not hasattr(http, "_retry_connection"):
        raise RuntimeError("this version of aiohttp cannot be kept from sending a request twice")
    http._retry_connection = False  # noqa: SLF001 - see above
