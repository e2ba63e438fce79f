"""The token goes to one origin: thousands of generated ways to lead it elsewhere, and a listener that must stay alone."""

from __future__ import annotations

import random
import select
import socket
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
from session_world import asked

from pipeline.errors import PipelineError, SecurityStop
from pipeline.model import Request
from pipeline.sandbox import Reply
from pipeline.session.addresses import address_on

COUNT = 2500
SCHEMES = ("https", "http", "HTTPS", "ftp", "file", "ws", "javascript", "")
SEPARATORS = ("://", ":////", ":/", ":", "//", "/\\", "\\\\", "/", "")
INFOS = ("", "user@", "user:pw@", "127.0.0.1@", "127.0.0.1:443@", "a%40b@")
TAILS = ("", "/", "/beta", "?a=b", "#x", "/../..", "/%2e%2e/", "//x", "\\x", "/x y", "/\u00e9", "/%00", ";p", "@x")


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """Another origin of this machine; nobody may come."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def addresses(draw: random.Random, own: str, other: int) -> str:
    """One text that a careless reader might take for an address, or for a way to one."""
    host, port = urlsplit(own).hostname, urlsplit(own).port
    hosts = (f"127.0.0.1:{other}", f"localhost:{other}", f"{host}:{port}", f"{host}:{port}.evil.invalid",
             f"[::1]:{other}", f"2130706433:{other}", f"127.1:{other}", f"0x7f.1:{other}", "\u0661\u0662\u0667.0.0.1",
             f"{host}:0{port}", "evil.invalid", f"127.0.0.1%3a{other}", "..", ".", "", f"{host}:{other}")  # fmt: skip
    return "".join(draw.choice(parts) for parts in (SCHEMES, SEPARATORS, INFOS, hosts, TAILS))


def nobody_came(listener: socket.socket) -> bool:
    return not select.select([listener], [], [], 0)[0]


def test_no_redirect_leads_the_token_away(sandbox, elsewhere):
    """Every redirect ends the request; none is followed, and no other origin is as much as connected to."""
    draw, port = random.Random(11), elsewhere.getsockname()[1]

    async def act(session) -> None:
        for n in range(COUNT):
            location = addresses(draw, sandbox.base_url, port).encode("utf-8").decode("latin-1")
            status = draw.choice((300, 301, 302, 303, 304, 305, 307, 308))
            sandbox.release()
            sandbox.answer_with("/beta", Reply(status, b"", (("Location", location),)))
            with pytest.raises(PipelineError) as caught:
                await session.send(Request(f"/beta/{n}", (), "claim", "here"))
            assert caught.value.exit_code in (21, 22)
            assert "evil" not in str(caught.value.lines())

    asked(sandbox, act)
    assert sandbox.journal.counts.requests == COUNT
    assert nobody_came(elsewhere)


def test_no_path_leads_the_token_away(sandbox, elsewhere):
    """Every path is refused before a socket opens, or lies on our origin byte for byte."""
    draw, port = random.Random(12), elsewhere.getsockname()[1]

    async def act(session) -> int:
        refused = 0
        for _ in range(COUNT):
            path = draw.choice(("", "/", "//", "/beta/", "/beta//", "/.", "\t/", " ")) + addresses(
                draw, sandbox.base_url, port
            )
            try:
                url = address_on(session.origin, Request(path, (), "claim", "here"))
            except (SecurityStop, ValueError):
                refused += 1
                continue
            assert str(url).startswith(f"{sandbox.base_url}/")
            assert (url.scheme, url.host, url.port) == ("https", "127.0.0.1", urlsplit(sandbox.base_url).port)
            assert url.user is None
        return refused

    assert 0 < asked(sandbox, act) < COUNT
    assert nobody_came(elsewhere)


def test_no_cursor_leads_the_token_away(sandbox, elsewhere):
    """Every cursor is refused, or comes to our origin as the value it was, changed by no byte."""
    draw, port = random.Random(13), elsewhere.getsockname()[1]

    async def act(session) -> int:
        refused = 0
        for _ in range(2 * COUNT):
            cursor = addresses(draw, sandbox.base_url, port) + draw.choice(
                ("", "&limit=1", "\r\nHost: x", "%26a=b", "+")
            )
            try:
                url = address_on(session.origin, Request("/beta/company", (("cursor", cursor),), "company", "here"))
            except SecurityStop:
                refused += 1
                continue
            assert str(url).startswith(f"{sandbox.base_url}/beta/company?cursor=")
            assert parse_qsl(urlsplit(str(url)).query, keep_blank_values=True) == [("cursor", cursor)]
            assert str(url).isascii()
            assert str(url).isprintable()
        return refused

    assert 0 < asked(sandbox, act) < 2 * COUNT
    assert nobody_came(elsewhere)
