"""Faults of bytes: answers cut, reset, badly framed, or far too big. Pure: they say what is written, in which order.

Bodies of any size are a few steps that the server repeats; nothing here holds more than one page.
"""

from __future__ import annotations

import zlib
from typing import Final

from pipeline.sandbox.faults.plan import Case
from pipeline.sandbox.model import Close, Repeat, Reply, Script, Send
from pipeline.sandbox.wire import head_bytes

_PIECE_BYTES: Final = 64 * 1024
_BLOCK_BYTES: Final = 1 << 20
_BEFORE: Final = b'{"page":['
_AFTER: Final = b'],"nextCursor":null}'
_CRC_POLYNOMIAL: Final = 0xEDB88320
_ABORT: Final = Close(abort=True)


def head_of(case: Case, *extra: tuple[str, str], length: int | None = -1) -> bytes:
    """Status line and headers of the sound answer; its true length unless told another, or none."""
    size = len(case.reply.body) if length == -1 else length
    framing = () if size is None else (("Content-Length", str(size)),)
    now_s = int(case.request.received_at.timestamp())
    return head_bytes(case.reply.status, (*case.reply.headers, *extra, *framing), now_s=now_s)


def framed(case: Case) -> bytes:
    """The sound answer as it would be written, never compressed."""
    return head_of(case) + case.reply.body


def reset(case: Case) -> Script:
    """A reset after some bytes of the answer; after none there is not even a status."""
    raw = _cut(case, framed(case))
    return Script((Send(raw), _ABORT) if raw else (_ABORT,), status=case.reply.status if raw else 0)


def cut_body(case: Case) -> Script:
    """The promised length, fewer bytes, and the end of the connection."""
    cut = _cut(case, case.reply.body)
    return Script((Send(head_of(case) + cut), Close()), status=case.reply.status)


def cut_chunks(case: Case) -> Script:
    """A chunked body whose last chunk never comes."""
    cut = _cut(case, case.reply.body)
    head = head_of(case, ("Transfer-Encoding", "chunked"), length=None)
    return Script((Send(head + (_chunk(cut) if cut else b"")), Close()), status=case.reply.status)


def cut_gzip(case: Case) -> Reply:
    """A gzip body that ends too early inside a sound frame: its length is what was sent."""
    packed = zlib.compressobj(wbits=31)
    body = packed.compress(case.reply.body) + packed.flush()
    headers = (*case.reply.headers, ("Content-Encoding", "gzip"))
    return Reply(case.reply.status, _cut(case, body), headers)


def length_too_long(case: Case) -> Script:
    """More bytes are promised than come before the connection ends."""
    head = head_of(case, length=len(case.reply.body) + case.options.whole("by"))
    return Script((Send(head + case.reply.body), Close()), status=case.reply.status)


def length_too_short(case: Case) -> Script:
    """More bytes come than were promised; what is left over stands where the next answer should begin."""
    head = head_of(case, length=max(0, len(case.reply.body) - case.options.whole("by")))
    return Script((Send(head + case.reply.body),), status=case.reply.status)


def two_lengths(case: Case) -> Script:
    """Two Content-Length headers that disagree."""
    head = head_of(case, ("Content-Length", str(max(0, len(case.reply.body) - 1))))
    return Script((Send(head + case.reply.body), Close()), status=case.reply.status)


def unframed(case: Case) -> Script:
    """No length and no chunks: only the end of the connection ends the body, wherever that is."""
    body = case.reply.body[: case.options.whole("most")]
    return Script((Send(head_of(case, length=None) + body), Close()), status=case.reply.status)


def huge_body(case: Case) -> Script:
    """A list without end in sight, of sound JSON, in the framing asked for."""
    record = b'{"id":"0","notes":"' + b"x" * 1000 + b'"}'
    piece = (b"," + record) * (_PIECE_BYTES // len(record))
    times = max(1, case.options.whole("bytes") // len(piece))
    first = _BEFORE + record
    if case.options.text("framing") == "chunked":
        head = head_of(case, ("Transfer-Encoding", "chunked"), length=None)
        steps = (Send(head + _chunk(first)), Repeat(_chunk(piece), times), Send(_chunk(_AFTER) + b"0\r\n\r\n"))
        return Script(steps, status=case.reply.status)
    length = len(first) + len(piece) * times + len(_AFTER)
    is_framed = case.options.text("framing") == "length"
    head = head_of(case, length=length if is_framed else None)
    end: tuple[Close, ...] = () if is_framed else (Close(),)
    return Script((Send(head + first), Repeat(piece, times), Send(_AFTER), *end), status=case.reply.status)


def gzip_bomb(case: Case) -> Script:
    """A sound gzip body of one member, a thousandth of the size it inflates to.

    Blocks that end in a full flush can be repeated, so neither the body nor its checksum is ever computed at length.

    Source: RFC 1951 and 1952, read 2026-11.
    """
    spaces = b" " * _BLOCK_BYTES
    count = max(1, case.options.whole("bytes") // _BLOCK_BYTES)
    start, block, end = (_deflated(part) for part in (_BEFORE, spaces, _AFTER))
    checksum = zlib.crc32(_BEFORE)
    checksum = _joined_crc(checksum, _repeated_crc(zlib.crc32(spaces), _BLOCK_BYTES, count), count * _BLOCK_BYTES)
    checksum = _joined_crc(checksum, zlib.crc32(_AFTER), len(_AFTER))
    size = len(_BEFORE) + count * _BLOCK_BYTES + len(_AFTER)
    first = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + start
    # An empty last block ends the stream; the size is kept modulo 2**32.
    last = end + b"\x03\x00" + checksum.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")
    head = head_of(case, ("Content-Encoding", "gzip"), length=len(first) + len(block) * count + len(last))
    return Script((Send(head + first), Repeat(block, count), Send(last)), status=case.reply.status)


def _cut(case: Case, body: bytes) -> bytes:
    """The body up to a given byte, counted from the end when negative; the seed decides when none is given."""
    at = case.draw.randrange(max(1, len(body))) if case.options.is_drawn("at") else case.options.whole("at")
    return body[:at]


def _chunk(raw: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(raw), raw)


def _deflated(raw: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=-15)
    return packer.compress(raw) + packer.flush(zlib.Z_FULL_FLUSH)


def _times(left: int, right: int) -> int:
    """The product of two polynomials modulo the one of CRC-32, bits reflected: the highest bit stands for 1."""
    product = 0
    for shift in range(31, -1, -1):
        if left >> shift & 1:
            product ^= right
        right = right >> 1 ^ (_CRC_POLYNOMIAL if right & 1 else 0)
    return product


def _moved(size_bytes: int) -> int:
    """What a checksum is multiplied by when so many bytes follow: x to the number of bits."""
    result, square, bits = 1 << 31, 1 << 30, size_bytes * 8
    while bits:
        if bits & 1:
            result = _times(result, square)
        square, bits = _times(square, square), bits >> 1
    return result


def _joined_crc(left: int, right: int, right_bytes: int) -> int:
    return _times(_moved(right_bytes), left) ^ right


def _repeated_crc(one: int, size_bytes: int, count: int) -> int:
    """The checksum of the same bytes many times over, by doubling."""
    result, unit, unit_bytes = 0, one, size_bytes
    while count:
        if count & 1:
            result = _joined_crc(result, unit, unit_bytes)
        unit, unit_bytes, count = _joined_crc(unit, unit, unit_bytes), unit_bytes * 2, count >> 1
    return result
