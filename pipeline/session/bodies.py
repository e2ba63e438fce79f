"""The body of an answer: framed, of the right type, decompressed by us, bounded, and not empty.

aiohttp would take a gzip body that stops halfway for a whole one, and an empty one for no rows.
"""

from __future__ import annotations

import zlib

import aiohttp

from pipeline.errors import SecurityStop, SourceContractBroken
from pipeline.session.failures import Retryable


async def read_body(answer: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """The whole body of a 200, after decompression.

    Args:
        answer: its headers have arrived.
        max_bytes: of the body before and after decompression.

    Raises:
        Retryable: it came incomplete.
        SourceContractBroken: it is not framed, not JSON by its type, of a coding not asked for, or empty.
        SecurityStop: it is larger than allowed.
    """
    headers = answer.headers
    if "Content-Length" not in headers and "chunked" not in headers.get("Transfer-Encoding", ""):
        raise SourceContractBroken("the answer's length is not stated (unframed body), so it could be cut unnoticed")
    if answer.content_type != "application/json" and not answer.content_type.endswith("+json"):
        raise SourceContractBroken(f"the answer is {answer.content_type!r:.60} instead of JSON; is a proxy in between?")
    coding = headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip"):
        raise SourceContractBroken(f"the answer has content coding {coding!r:.40}, which was not asked for")
    pieces = await (_plain(answer, max_bytes) if coding == "identity" else _unzipped(answer, max_bytes))
    body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    if not body:
        raise SourceContractBroken("the answer is empty; that never means an empty list")
    return body


async def _plain(answer: aiohttp.ClientResponse, max_bytes: int) -> list[bytes]:
    pieces: list[bytes] = []
    total = 0
    async for piece in answer.content.iter_any():
        total += len(piece)
        if total > max_bytes:
            raise _too_large(max_bytes)
        pieces.append(piece)
    return pieces


async def _unzipped(answer: aiohttp.ClientResponse, max_bytes: int) -> list[bytes]:
    unzip = zlib.decompressobj(wbits=31)
    pieces: list[bytes] = []
    total = received = 0
    async for piece in answer.content.iter_any():
        received += len(piece)
        try:
            pieces.append(unzip.decompress(piece, max_bytes - total + 1))
        except zlib.error:
            raise Retryable("the compressed answer is damaged") from None
        total += len(pieces[-1])
        if max(total, received) > max_bytes:
            raise _too_large(max_bytes)
    if not unzip.eof or unzip.unused_data:
        raise Retryable("the compressed answer is incomplete")
    return pieces


def _too_large(max_bytes: int) -> SecurityStop:
    return SecurityStop(
        f"an answer is larger than {max_bytes:,} bytes",
        do="if the source is sound, lower api.page_limit or raise api.max_body_mb; else treat it as an attack",
    )
