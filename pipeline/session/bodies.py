"""The body of an answer: framed, of the right type, decompressed by us, bounded, and not empty.

aiohttp would take a gzip body that stops halfway for a whole one, and an empty one for no rows. Memory is bounded for
all answers under way together, not only for each.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import aiohttp

from pipeline.errors import SecurityStop, SourceContractBroken
from pipeline.retry import Kind
from pipeline.session.failures import Retryable

_SMALL_TOTAL_BYTES: Final = 32 * 1024 * 1024
_STEP_BYTES: Final = 1024 * 1024
# JSON lists compress 5 to 50 times; a bomb, 1,000 times. Below the floor the ratio means nothing.
_GREATEST_RATIO: Final = 200
_RATIO_FLOOR_BYTES: Final = 4 * 1024 * 1024


class Bodies:
    """Reads bodies. Only one at a time grows beyond its share of the small ones' room; the others wait for it."""

    def __init__(self, max_bytes: int, most_at_once: int) -> None:
        """`max_bytes` bounds one body, before and after decompression; `most_at_once` requests share the room."""
        self._max_bytes = max_bytes
        self._small_bytes = _SMALL_TOTAL_BYTES // most_at_once
        self._large = asyncio.Lock()

    async def read(self, answer: aiohttp.ClientResponse) -> bytes:
        """The whole body of a 200, after decompression.

        Raises:
            Retryable: it came incomplete.
            SourceContractBroken: it is not framed, not JSON by its type, of a coding not asked for, or empty.
            SecurityStop: it is larger than allowed, or inflates like a bomb.
        """
        coding = _coding(answer)
        pieces: list[bytes] = []
        total = 0
        is_large = False
        try:
            async with aclosing(_plain(answer) if coding == "identity" else _unzipped(answer)) as arriving:
                async for piece in arriving:
                    total += len(piece)
                    if total > self._max_bytes:
                        raise _too_large(f"is larger than {self._max_bytes:,} bytes")
                    if total > self._small_bytes and not is_large:
                        is_large = await self._large.acquire()
                    pieces.append(piece)
        finally:
            if is_large:
                self._large.release()
        if not total:
            raise SourceContractBroken("the answer is empty; that never means an empty list")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _coding(answer: aiohttp.ClientResponse) -> str:
    headers = answer.headers
    if "Content-Length" not in headers and "chunked" not in headers.get("Transfer-Encoding", ""):
        raise SourceContractBroken("the answer's length is not stated (unframed body), so it could be cut unnoticed")
    if answer.content_type != "application/json" and not answer.content_type.endswith("+json"):
        raise SourceContractBroken(f"the answer is {answer.content_type!r:.60} instead of JSON; is a proxy in between?")
    coding = ",".join(headers.getall("Content-Encoding", ("identity",))).strip().lower()
    if coding not in ("identity", "gzip"):
        raise SourceContractBroken(f"the answer has content coding {coding!r:.40}, which was not asked for")
    return coding


async def _plain(answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    async for piece in answer.content.iter_any():
        yield piece


async def _unzipped(answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    """The body in steps of bounded size, whatever the compressed bytes inflate to."""
    unzip = zlib.decompressobj(wbits=31)
    total = received = 0
    async for piece in answer.content.iter_any():
        received += len(piece)
        rest = piece
        while True:
            try:
                step = unzip.decompress(rest, _STEP_BYTES)
            except zlib.error:
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
