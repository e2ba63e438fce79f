"""The body of an answer: framed, of the right type, decompressed by us, bounded, and not empty.

aiohttp would take a gzip body that stops halfway for a whole one, and an empty one for no rows. Memory is bounded for
all answers under way together, not only for each.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Final

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDictProxy

from pipeline.errors import SecurityStop, SourceContractBroken
from pipeline.retry import Kind
from pipeline.session.deadlines import Watch
from pipeline.session.failures import Retryable

_SMALL_TOTAL_BYTES: Final = 32 * 1024 * 1024
_STEP_BYTES: Final = 1024 * 1024
# JSON lists compress 5 to 50 times; a bomb, 1,000 times. Below the floor the ratio means nothing.
_GREATEST_RATIO: Final = 200
_RATIO_FLOOR_BYTES: Final = 4 * 1024 * 1024
_USUAL_TYPES: Final = frozenset({"application/json", "application/json; charset=utf-8"})
# What a header may be quoted as: whatever else it holds could be anything, the token included.
_KNOWN: Final = frozenset(
    "text/html text/plain text/xml text/csv application/xml application/octet-stream application/javascript br deflate "
    "zstd compress".split()
)
_CHARSETS: Final = frozenset({None, "utf-8", "utf8", "us-ascii"})

Headers = CIMultiDictProxy[str]


class Bodies:
    """Reads bodies. Only one at a time grows beyond its share of the small ones' room; the others wait for it."""

    def __init__(self, max_bytes: int, most_at_once: int) -> None:
        """`max_bytes` bounds one body, before and after decompression; `most_at_once` requests share the room."""
        self._max_bytes = max_bytes
        self._small_bytes = min(max_bytes, _SMALL_TOTAL_BYTES // most_at_once)
        # Of a compressed body both forms are in memory for a moment.
        self._at_once_bytes = {"identity": self._small_bytes, "gzip": self._small_bytes // 4}
        self._large = asyncio.Lock()

    async def read(self, answer: aiohttp.ClientResponse, watch: Watch) -> tuple[bytes, bytes]:
        """The whole body of a 200, after decompression, and as it came: empty if that was not compressed, or large.

        Args:
            answer: its headers have come.
            watch: is told when the source waits for us.

        Raises:
            Retryable: it came incomplete.
            SourceContractBroken: it is not framed, not JSON by its type, of a coding not asked for, or empty.
            SecurityStop: it is larger than allowed, or inflates like a bomb.
        """
        headers = answer.headers
        stated_bytes = _stated_bytes(headers)
        if headers.get(hdrs.CONTENT_TYPE) not in _USUAL_TYPES:
            _refuse_type(answer)
        coding = _coding(headers) if hdrs.CONTENT_ENCODING in headers else "identity"
        if stated_bytes is not None and stated_bytes > self._max_bytes:
            raise self._larger()
        packed = b""
        if stated_bytes is not None and stated_bytes <= self._at_once_bytes[coding]:
            # Nothing to watch while it comes: the HTTP parser hands out exactly as much as was stated, or fails.
            body = await answer.content.read()
            if coding == "gzip":
                packed = body
                body = _unzipped_small(body, self._small_bytes) or await self._gathered(_unzipped(_only(body)), watch)
        elif coding == "gzip":
            received = _Received(self._at_once_bytes["gzip"])
            body = await self._gathered(_unzipped(answer.content.iter_any(), received.add), watch)
            packed = received.whole()
        else:
            body = await self._gathered(_pieces(answer.content.iter_any()), watch)
        if not body:
            raise SourceContractBroken("the answer is empty; that never means an empty list")
        return body, packed

    async def _gathered(self, arriving: AsyncGenerator[bytes, None], watch: Watch) -> bytes:
        """All pieces as one, as long as they stay within the limits."""
        pieces: list[bytes] = []
        total = 0
        is_large = False
        try:
            async with aclosing(arriving):
                async for piece in arriving:
                    total += len(piece)
                    if total > self._max_bytes:
                        raise self._larger()
                    if total > self._small_bytes and not is_large:
                        watch.waits_for_us = True
                        is_large = await self._large.acquire()
                        watch.waits_for_us = False
                    pieces.append(piece)
        finally:
            if is_large:
                self._large.release()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _larger(self) -> SecurityStop:
        return _too_large(f"is larger than {self._max_bytes:,} bytes")


def _stated_bytes(headers: Headers) -> int | None:
    """How long the body is, as it comes; None if it comes in chunks.

    Raises:
        SourceContractBroken: nothing tells where it ends, or two headers do.
    """
    transfer = headers.get(hdrs.TRANSFER_ENCODING)
    length = headers.get(hdrs.CONTENT_LENGTH)
    if length is None and "chunked" not in (transfer or ""):
        raise SourceContractBroken("the answer's length is not stated (unframed body), so it could be cut unnoticed")
    if length is not None and transfer is not None:
        raise SourceContractBroken("the answer's length is stated twice, and could be read in two ways")
    return int(length) if length is not None and length.isdecimal() else None


def _refuse_type(answer: aiohttp.ClientResponse) -> None:
    """Nothing, if the body is JSON in UTF-8 by what the answer says of it."""
    if answer.content_type != "application/json" and not answer.content_type.endswith("+json"):
        raise SourceContractBroken(
            f"the answer is {_named(answer.content_type)} instead of JSON; is a proxy in between?"
        )
    if (answer.charset and answer.charset.lower()) not in _CHARSETS:
        raise SourceContractBroken("the answer is in another character set instead of UTF-8")


def _coding(headers: Headers) -> str:
    coding = ",".join(headers.getall(hdrs.CONTENT_ENCODING)).strip().lower()
    if coding not in ("identity", "gzip"):
        raise SourceContractBroken(f"the answer has content coding {_named(coding)}, which was not asked for")
    return coding


def _named(value: str) -> str:
    return repr(value) if value in _KNOWN else "of another kind"


class _Received:
    """Bytes as they arrive, kept as long as they are no more than `most_bytes` in all."""

    def __init__(self, most_bytes: int) -> None:
        self._left_bytes = most_bytes
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> None:
        """One more has come."""
        self._left_bytes -= len(piece)
        if self._left_bytes >= 0:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def whole(self) -> bytes:
        """All that has come; empty if it was more."""
        return b"".join(self._pieces)


async def _only(piece: bytes) -> AsyncGenerator[bytes, None]:
    yield piece


async def _pieces(arriving: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    async for piece in arriving:
        yield piece


def _unzipped_small(received: bytes, most_bytes: int) -> bytes | None:
    """A whole compressed body in one step; None if it is not whole, not sound, or not small: that is told elsewhere."""
    unzip = zlib.decompressobj(wbits=31)
    try:
        body = unzip.decompress(received, min(most_bytes, _STEP_BYTES))
    except zlib.error:
        return None
    return body if unzip.eof and not unzip.unused_data else None


async def _unzipped(
    arriving: AsyncIterator[bytes], note: Callable[[bytes], None] = lambda _: None
) -> AsyncGenerator[bytes, None]:
    """The body in steps of bounded size, whatever the compressed bytes inflate to; `note` is told what arrives."""
    unzip = zlib.decompressobj(wbits=31)
    total = received = 0
    async for piece in arriving:
        note(piece)
        received += len(piece)
        rest = piece
        while True:
            try:
                step = unzip.decompress(rest, _STEP_BYTES)
            except zlib.error as error:
                if "incorrect header" in str(error):
                    raise SourceContractBroken("the answer is not gzip, though it says so") from None
                raise Retryable("the compressed answer is damaged", Kind.BROKEN) from None
            total += len(step)
            if total > _RATIO_FLOOR_BYTES and total > _GREATEST_RATIO * received:
                raise _too_large(f"inflates more than {_GREATEST_RATIO} times")
            if step:
                yield step
            rest = unzip.unconsumed_tail
            if not rest and len(step) < _STEP_BYTES:
                break
    if not unzip.eof or unzip.unused_data:
        raise Retryable("the compressed answer is incomplete", Kind.BROKEN)


def _too_large(how: str) -> SecurityStop:
    return SecurityStop(
        f"an answer {how}",
        do="if the source is sound, lower api.page_limit or raise api.max_body_mb; else treat it as an attack",
    )
