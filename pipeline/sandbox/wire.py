"""HTTP/1.1 as bytes: requests out of what arrived, and the bytes of an answer. Pure; sockets are in `server`.

Source: RFC 9112 for framing; the server accepts what clients send and is strict where leniency would let a request
be read in two ways (two lengths, a length beside a transfer encoding, bare line feeds, folded headers).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, unquote

from pipeline.sandbox.model import Reply, Request

HEAD_LIMIT_BYTES: Final = 64 * 1024
BODY_LIMIT_BYTES: Final = 1 << 20
GZIP_FROM_BYTES: Final = 1024
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_TARGET: Final = re.compile(r"/[!-~]*\Z")


@dataclass(frozen=True, slots=True)
class Arrived:
    """A whole request, the bytes it took, and whether the connection stays open after its answer."""

    request: Request
    size_bytes: int
    keep_open: bool


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Not a request; the connection ends after an answer with this status."""

    status: int


def read_request(buffer: bytes | bytearray, now: datetime) -> Arrived | Unreadable | None:
    """The first request in what has arrived; None when more must come."""
    head_end = buffer.find(b"\r\n\r\n")
    if head_end < 0:
        return Unreadable(431) if len(buffer) > HEAD_LIMIT_BYTES else None
    if head_end > HEAD_LIMIT_BYTES:
        return Unreadable(431)
    first, *lines = bytes(buffer[:head_end]).decode("latin-1").split("\r\n")
    parts = first.split(" ")
    headers = _headers(lines)
    if len(parts) != 3 or headers is None or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        return Unreadable(400)
    method, target, protocol = parts
    length = headers.get("content-length", "0")
    if not _TOKEN.match(method) or not _TARGET.match(target) or not (length.isascii() and length.isdigit()):
        return Unreadable(400)
    if "transfer-encoding" in headers:
        return Unreadable(411)  # nothing that takes a body exists: no need to read chunks
    if len(length) > 9 or int(length) > BODY_LIMIT_BYTES:
        return Unreadable(413)
    size = head_end + 4 + int(length)
    if len(buffer) < size:
        return None
    path, _, query = target.partition("?")
    request = Request(
        method=method,
        target=target,
        segments=tuple(unquote(part) for part in path[1:].split("/")),
        query=tuple(parse_qsl(query, keep_blank_values=True)),
        headers=headers,
        received_at=now,
    )
    connection = headers.get("connection", "").lower()
    return Arrived(request, size, keep_open=protocol == "HTTP/1.1" and "close" not in connection)


def _headers(lines: list[str]) -> dict[str, str] | None:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.match(name) or "\n" in value or "\r" in value or "\0" in value:
            return None
        name = name.lower()
        if name in headers and name in ("content-length", "host", "authorization", "transfer-encoding"):
            return None
        headers[name] = value.strip(" \t")
    return headers


def reply_bytes(reply: Reply, request: Request | None, *, now_s: int, keep_open: bool, may_gzip: bool) -> bytes:
    """The whole answer, framed by its length; the body is left out of an answer to HEAD."""
    body = reply.body
    head = [_status_line(reply.status), *(f"{name}: {value}\r\n" for name, value in reply.headers)]
    is_packed = any(name == "Content-Encoding" for name, _ in reply.headers)
    may_gzip = may_gzip and len(body) > GZIP_FROM_BYTES and not is_packed
    if may_gzip and request is not None and _accepts_gzip(request):
        packer = zlib.compressobj(1, wbits=31)
        body = packer.compress(body) + packer.flush()
        head.append("Content-Encoding: gzip\r\n")
    head.append(f"Content-Length: {len(body)}\r\nDate: {_http_date(now_s)}\r\n")
    head.append("\r\n" if keep_open else "Connection: close\r\n\r\n")
    raw = "".join(head).encode("latin-1")
    return raw if request is not None and request.method == "HEAD" else raw + body


def head_bytes(status: int, headers: Iterable[tuple[str, str]], *, now_s: int) -> bytes:
    """Status line and headers, framing among them or not, up to where the body begins."""
    lines = (
        _status_line(status),
        *(f"{name}: {value}\r\n" for name, value in headers),
        f"Date: {_http_date(now_s)}\r\n",
    )
    return ("".join(lines) + "\r\n").encode("latin-1")


def _accepts_gzip(request: Request) -> bool:
    for part in request.headers.get("accept-encoding", "").lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.strip().replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


@lru_cache(maxsize=64)
def _status_line(status: int) -> str:
    known = {each.value: each.phrase for each in HTTPStatus}
    return f"HTTP/1.1 {status} {known.get(status, 'Unknown')}\r\n"


@lru_cache(maxsize=4)
def _http_date(now_s: int) -> str:
    return formatdate(now_s, usegmt=True)
