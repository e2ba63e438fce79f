"""HTTP as bytes: what is read as a request, what is refused, and how an answer is framed."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest

from pipeline.sandbox.model import Reply, Request
from pipeline.sandbox.wire import Arrived, Unreadable, read_request, reply_bytes

NOW = datetime(2026, 7, 1, tzinfo=UTC)
NOW_S = int(NOW.timestamp())


def arrived(raw: bytes) -> Arrived:
    found = read_request(raw, NOW)
    assert isinstance(found, Arrived)
    return found


def request(**headers: str) -> Request:
    return Request("GET", "/a", ("a",), (), headers, NOW)


def test_a_request_is_read_whole():
    """Path segments and query decoded, header names in lower case, the first of two taken."""
    raw = b"GET /a%20b/c%2Fd?limit=2&x=%C3%A9+1&y HTTP/1.1\r\nHost: h\r\nX-Y:  z \r\n\r\nGET /next HTTP/1.1\r\n"
    found = arrived(raw)
    assert found.request.segments == ("a b", "c/d")
    assert found.request.query == (("limit", "2"), ("x", "é 1"), ("y", ""))
    assert found.request.headers == {"host": "h", "x-y": "z"}
    assert found.request.path == "/a%20b/c%2Fd"
    assert raw[found.size_bytes :].startswith(b"GET /next")
    assert found.keep_open


def test_a_body_belongs_to_its_request():
    """So that what follows it is not read as part of it."""
    raw = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
    assert read_request(raw[:-1], NOW) is None
    assert arrived(raw + b"GET").size_bytes == len(raw)


@pytest.mark.parametrize(
    ("head", "keep_open"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nConnection: Upgrade, Close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
    ],
)
def test_connections_stay_open_unless_told_otherwise(head: bytes, keep_open: bool):
    """HTTP/1.1 keeps them, close and HTTP/1.0 end them."""
    assert arrived(head).keep_open is keep_open


@pytest.mark.parametrize(
    "raw", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: h\r\n", b"GET / HTTP/1.1\r\nHost: h\r\n\r"]
)
def test_a_part_of_a_request_waits_for_the_rest(raw: bytes):
    """Nothing is decided before the empty line."""
    assert read_request(raw, NOW) is None


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x16\x03\x01\x02\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET http://h/ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nAuthorization: a\r\nauthorization: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000, 431),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", 431),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(raw: bytes, status: int):
    """Bad framing, folded headers, two of what there must be one of, and too much of anything."""
    assert read_request(raw, NOW) == Unreadable(status)


def test_an_answer_is_framed_by_its_length_and_dated():
    """Status line, headers of the reply, length, date."""
    raw = reply_bytes(Reply(200, b"{}"), request(), now_s=NOW_S, keep_open=True, may_gzip=True)
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 200 OK",
        b"Content-Type: application/json",
        b"Content-Length: 2",
        b"Date: Wed, 01 Jul 2026 00:00:00 GMT",
    ]
    assert body == b"{}"
    closing = reply_bytes(Reply(599, b""), None, now_s=NOW_S, keep_open=False, may_gzip=True)
    assert closing.startswith(b"HTTP/1.1 599 Unknown\r\n")
    assert b"\r\nConnection: close\r\n\r\n" in closing


@pytest.mark.parametrize(
    ("accepts", "size", "allowed", "packed"),
    [
        ("gzip", 1025, True, True),
        ("br, GZIP;q=0.5", 1025, True, True),
        ("*", 1025, True, True),
        ("gzip", 1024, True, False),
        ("gzip", 1025, False, False),
        ("gzip;q=0", 1025, True, False),
        ("deflate", 1025, True, False),
        ("", 1025, True, False),
    ],
)
def test_long_bodies_are_compressed_for_those_who_accept_it(accepts: str, size: int, allowed: bool, packed: bool):
    """Over one kilobyte, when the settings allow it, and the length is that of what is sent."""
    body = b"x" * size
    asked = request(**({"accept-encoding": accepts} if accepts else {}))
    raw = reply_bytes(Reply(200, body), asked, now_s=NOW_S, keep_open=True, may_gzip=allowed)
    head, _, sent = raw.partition(b"\r\n\r\n")
    assert (b"Content-Encoding: gzip" in head) is packed
    assert f"Content-Length: {len(sent)}\r\n".encode() in head + b"\r\n"
    assert (gzip.decompress(sent) if packed else sent) == body


def test_head_gets_no_body():
    """But the length it would have had."""
    asked = Request("HEAD", "/a", ("a",), (), {}, NOW)
    raw = reply_bytes(Reply(405, b"12345"), asked, now_s=NOW_S, keep_open=True, may_gzip=True)
    assert raw.endswith(b"\r\n\r\n")
    assert b"Content-Length: 5\r\n" in raw
