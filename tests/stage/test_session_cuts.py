"""Bodies that stop at any byte, connections that serve once, and a dead address beside a good one."""

from __future__ import annotations

import gzip
import socket
from urllib.parse import urlsplit

import pytest
from aiohttp.abc import AbstractResolver
from session_world import CLAIMS, asked

from pipeline.errors import PipelineError
from pipeline.sandbox import Reply
from pipeline.sandbox.model import Close, Script, Send

PAGE = b'{"page":[{"id":"1"}],"nextCursor":null}'
PACKED = gzip.compress(PAGE, mtime=0)
JSON = (("Content-Type", "application/json"),)
ZIPPED = (*JSON, ("Content-Encoding", "gzip"))


def head(*headers: tuple[str, str]) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode()


def promised(body: bytes, cut: int, headers) -> Script:
    """The whole length is promised, and the connection ends before."""
    return Script((Send(head(*headers, ("Content-Length", str(len(body)))) + body[:cut]), Close()), status=200)


def chunked(body: bytes, cut: int, headers) -> Script:
    """One byte a chunk; the connection ends before the last, empty one."""
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body[:cut])
    end = b"0\r\n\r\n" if cut == len(body) else b""
    return Script((Send(head(*headers, ("Transfer-Encoding", "chunked")) + chunks + end), Close()), status=200)


def unframed(body: bytes, cut: int, headers) -> Script:
    """Only the end of the connection ends the body."""
    return Script((Send(head(*headers) + body[:cut]), Close()), status=200)


FRAMINGS = {"length": (promised, 20), "chunks": (chunked, 20), "nothing": (unframed, 21)}


def outcomes(sandbox, answers) -> list[bytes | int]:
    """For each answer, in turn, the body that is taken from it, or the exit code of its refusal."""

    async def act(session):
        found: list[bytes | int] = []
        for answer in answers:
            sandbox.release()
            sandbox.answer_with("/beta", answer)
            try:
                found.append((await session.send(CLAIMS)).body)
            except PipelineError as error:
                found.append(error.exit_code)
        return found

    return asked(sandbox, act, attempts=1)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_body_cut_anywhere_is_never_taken_for_whole(sandbox, framing):
    """At every byte, in every framing: a failure; only the whole body is a body, and none without a frame."""
    make, code = FRAMINGS[framing]
    found = outcomes(sandbox, [make(PAGE, cut, JSON) for cut in range(len(PAGE) + 1)])
    assert found == [code] * len(PAGE) + [PAGE if framing != "nothing" else code]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_packed_body_cut_in_its_frame_is_never_taken_for_whole(sandbox, framing):
    """The same with gzip whose own end would tell, too."""
    make, code = FRAMINGS[framing]
    found = outcomes(sandbox, [make(PACKED, cut, ZIPPED) for cut in range(len(PACKED) + 1)])
    assert found == [code] * len(PACKED) + [PAGE if framing != "nothing" else code]


def test_a_packed_body_cut_anywhere_is_never_taken_for_whole(sandbox):
    """The frame is sound and the stream inside it stops: nothing but its own end tells."""
    found = outcomes(sandbox, [Reply(200, PACKED[:cut], ZIPPED) for cut in range(len(PACKED) + 1)])
    assert found == [20] * len(PACKED) + [PAGE]


def test_each_connection_serves_once(sandbox):
    """The server ends every connection after its answer without saying so: all is read, and every attempt counted."""
    told: list[str] = []
    sandbox.answer_with("/beta", Script((Reply(200, PAGE), Close()), status=200))

    async def act(session):
        return [(await session.send(CLAIMS)).body for _ in range(20)]

    assert asked(sandbox, act, count=told.append) == [PAGE] * 20
    assert sandbox.journal.counts.requests <= len(told) <= 2 * 20


class Both(AbstractResolver):
    """Every name has a dead IPv6 address and a good IPv4 one, the dead one first."""

    async def resolve(self, host, port=0, family=socket.AF_INET):
        pairs = (("::1", socket.AF_INET6), ("127.0.0.1", socket.AF_INET))
        return [
            {"hostname": host, "host": address, "port": port, "family": kind, "proto": 0, "flags": 0}
            for address, kind in pairs
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("how", ["refused", "silent"])
def test_a_dead_address_beside_a_good_one(sandbox, how):
    """IPv6 that refuses or swallows every connection costs no attempt: the other address answers."""
    port = urlsplit(sandbox.base_url).port
    kept = []
    if how == "silent":
        listener = socket.socket(socket.AF_INET6)
        kept.append(listener)
        try:
            listener.bind(("::1", port))
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
        listener.listen(0)
        for _ in range(3):  # the queue is full: further SYNs are dropped
            kept.append(socket.socket(socket.AF_INET6))
            kept[-1].setblocking(False)
            kept[-1].connect_ex(("::1", port))
    told: list[str] = []
    try:

        async def act(session):
            return (await session.send(CLAIMS)).body

        base_url = f"https://localhost:{port}"
        assert asked(sandbox, act, base_url=base_url, resolver=Both(), count=told.append).startswith(b"{")
    finally:
        for each in kept:
            each.close()
    assert told == ["claim"]
