"""Bodies: whole, of the right kind and size, or refused; compressed ones too, in whichever way they are read."""

from __future__ import annotations

import gzip
import random
import zlib

import pytest
from session_world import CLAIMS, Jumping, asked

from pipeline.errors import SecurityStop, SourceContractBroken, SourceUnavailable
from pipeline.sandbox import Reply
from pipeline.sandbox.model import Script, Send

JSON = (("Content-Type", "application/json"),)
ZIPPED = (*JSON, ("Content-Encoding", "gzip"))
TEXT = b'{"page":[' + b",".join(b'{"id":"%d"}' % n for n in range(4000)) + b'],"nextCursor":null}'


async def once(session):
    return (await session.send(CLAIMS)).body


def answered(sandbox, body: bytes, headers=ZIPPED, **options: object) -> bytes:
    sandbox.release()
    sandbox.answer_with("/beta", Reply(200, body, headers))
    return asked(sandbox, once, Jumping(), attempts=1, **options)


def chunked(body: bytes, size: int) -> Script:
    """The body in chunks of one size, compressed as its headers say."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return Script((Send(head + b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n"),))


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("at_once", [1, 256])
def test_a_compressed_body_is_what_was_compressed(sandbox, level, at_once):
    """Small or large for its share of the room."""
    noise = random.Random(5).randbytes(100_000).hex().encode()  # 200 kB that shrink by half
    for text in (b"[]", TEXT, noise):
        assert answered(sandbox, gzip.compress(text, level), concurrency=at_once) == text


def test_a_compressed_body_in_chunks_is_what_was_compressed(sandbox):
    """However the chunks fall."""
    for size in (1, 7, 100_000):
        sandbox.release()
        sandbox.answer_with("/beta", chunked(gzip.compress(TEXT[:500]), size))
        assert asked(sandbox, once) == TEXT[:500]


def test_a_compressed_body_cut_at_any_byte_is_incomplete(sandbox):
    """The HTTP frame is sound and the end of the stream is missing: never data, also not an empty body."""
    whole = gzip.compress(b'{"page":[{"id":"1"},{"id":"2"}],"nextCursor":null}')

    async def act(session) -> None:
        for cut in range(len(whole)):
            sandbox.release()
            sandbox.answer_with("/beta", Reply(200, whole[:cut], ZIPPED))
            with pytest.raises(SourceUnavailable, match="compressed answer is incomplete"):
                await session.send(CLAIMS)

    asked(sandbox, act, Jumping(), attempts=1)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (gzip.compress(TEXT) + b"x", "incomplete"),
        (gzip.compress(TEXT) * 2, "incomplete"),
        (gzip.compress(TEXT)[:-5] + b"\0\0\0\0\0", "damaged"),
    ],
    ids=["trailing byte", "second member", "wrong sum"],
)
def test_what_is_not_one_sound_gzip_stream_is_no_data(sandbox, body, said):
    """Trailing bytes, a second stream, a check sum that does not match."""
    with pytest.raises(SourceUnavailable, match=f"compressed answer is {said}"):
        answered(sandbox, body)


@pytest.mark.parametrize("body", [zlib.compress(TEXT), TEXT], ids=["zlib", "plain"])
def test_what_is_not_gzip_at_all_breaks_the_contract(sandbox, body):
    """Though its header says so; asking again would not help."""
    with pytest.raises(SourceContractBroken, match="not gzip"):
        answered(sandbox, body)


@pytest.mark.parametrize("body", [b"", gzip.compress(b"")], ids=["plain", "gzip"])
def test_an_empty_body_is_no_empty_list(sandbox, body):
    """Nothing at all, and nothing compressed."""
    with pytest.raises(SourceContractBroken, match="empty"):
        answered(sandbox, body, ZIPPED if body else JSON)


@pytest.mark.parametrize("at_once", [1, 256])
def test_a_bomb_is_stopped_by_its_ratio_or_its_size(sandbox, at_once):
    """20 MB of blanks in 20 kB; 2 MB of them where 1 MB is allowed."""
    with pytest.raises(SecurityStop, match="inflates more than 200 times"):
        answered(sandbox, gzip.compress(b" " * 20_000_000), concurrency=at_once)
    with pytest.raises(SecurityStop, match="larger than 1,048,576 bytes"):
        answered(sandbox, gzip.compress(b" " * 2_000_000), concurrency=at_once, max_body_mb=1)


def test_a_stated_size_that_is_too_large_is_not_read(sandbox):
    """The length alone is enough to stop."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999999999\r\n\r\n"
    sandbox.answer_with("/beta", Script((Send(head),)))
    with pytest.raises(SecurityStop, match="larger than"):
        asked(sandbox, once, hangs=True, read_timeout_s=30.0)


@pytest.mark.parametrize(
    ("kind", "is_read"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("application/json;charset=UTF-8", True),
        ('application/json; charset="utf-8"', True),
        ("APPLICATION/JSON", True),
        ("application/problem+json", True),
        ("application/json; charset=iso-8859-1", False),
        ("application/json; charset=utf-16", False),
        ("text/json", False),
        ("text/plain", False),
        ("text/html", False),
        ("application/jsonp", False),
        ("", False),
    ],
)
def test_only_json_in_utf_8_is_read(sandbox, kind, is_read):
    """By what the answer says of itself; nothing is guessed."""
    headers = (("Content-Type", kind),) if kind else ()
    if is_read:
        assert answered(sandbox, b"[]", headers) == b"[]"
    else:
        with pytest.raises(SourceContractBroken, match="instead of"):
            answered(sandbox, b"[]", headers)


@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "gzip, gzip", "x-gzip", "identity, gzip"])
def test_a_coding_that_was_not_asked_for_is_refused(sandbox, coding):
    """By its name."""
    with pytest.raises(SourceContractBroken, match="content coding"):
        answered(sandbox, gzip.compress(TEXT), (*JSON, ("Content-Encoding", coding)))


@pytest.mark.parametrize(
    "fields", [b"Content-Length: 2\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 12"]
)
def test_a_length_stated_twice_is_refused(sandbox, fields):
    """What two readers could cut in two ways is no data."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + fields + b"\r\n\r\n"
    sandbox.answer_with("/beta", Script((Send(head + b"2\r\n[]\r\n0\r\n\r\n"),)))
    with pytest.raises(SourceContractBroken):
        asked(sandbox, once, Jumping(), hangs=True)
