"""What protects the page in a browser: headers on every answer, and whose requests are taken for the page's own.

Decides, and says nothing of what a page shows.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

COOKIE: Final = "__Host-sandbox"
# Nothing from elsewhere, nothing inline, no frame around it, forms to itself alone.
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# No Strict-Transport-Security: it would hold for every port of localhost, and this port has no plain HTTP to leave.
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers would then send `Origin: null` with the page's own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Server": "sandbox",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Complete any answer of the port, errors included; nothing is cached unless it says otherwise."""
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")


@web.middleware
async def refuse_foreign(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse whatever a page of another origin makes a browser send, whichever path of the port it is for."""
    if request.method not in ("GET", "HEAD", "OPTIONS") and "Origin" in request.headers and not is_own_origin(request):
        raise web.HTTPForbidden(text="this came from a page of another origin")
    return await handler(request)


def is_own_origin(request: web.Request) -> bool:
    """Whether a form was sent by a page of this very port. Browsers state the origin of every form they send."""
    place = request.transport.get_extra_info("sockname") if request.transport is not None else None
    if place is None:
        return False
    hosts = {f"{name}:{place[1]}" for name in _LOOPBACK}
    return request.host in hosts and request.headers.get("Origin") == f"https://{request.host}"


def is_own_form(given: object, expected: str) -> bool:
    """Whether a form carries its session's token."""
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def set_cookie(response: web.StreamResponse, identity: str) -> None:
    """Hand out a session id, for this host alone, over TLS alone, to no script and to no other site's requests."""
    response.set_cookie(COOKIE, identity, path="/", secure=True, httponly=True, samesite="Strict")


def drop_cookie(response: web.StreamResponse) -> None:
    """Take the session id back."""
    response.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
