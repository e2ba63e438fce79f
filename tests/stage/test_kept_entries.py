"""What is kept of a run: its pages, as they came where they came compressed, and where walkers entered lists."""

from __future__ import annotations

import asyncio
import gzip
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from session_world import CLAIMS, asked

from pipeline.model import Request, Response, Send
from pipeline.sandbox import Reply
from pipeline.sandbox.model import Script
from pipeline.sandbox.model import Send as Written
from pipeline.snapshot import Began, KeptPages, begin, go_on, left_by_earlier

AT = datetime(2026, 11, 26, 2, 0, tzinfo=UTC)
PATH, PARAMS = "/beta/company/1/claim", (("minUpdatedDate", "2026-01-01T00:00:00Z"),)


def test_a_chain_of_runs_enters_lists_where_the_first_ones_had(tmp_path):
    """By path and filters; those of the run before, and of the one before that."""
    moments = [AT - timedelta(days=n) for n in (3, 1)]
    kept = begin(tmp_path / "staging" / "20261126T020000Z", Began("20261126T020000Z", AT, "r"), max_bytes=10_000)
    assert kept.entries(PATH, PARAMS) == ()
    kept.enter(PATH, PARAMS, moments[0])
    kept.close()
    for number, run_id in enumerate(("20261126T030000Z", "20261126T040000Z"), 1):
        (left,) = left_by_earlier(tmp_path, run_id)
        assert left.pages == 0
        kept = go_on(left, tmp_path / "staging" / run_id, max_bytes=10_000)
        assert list(kept.entries(PATH, PARAMS)) == moments[:number]
        assert kept.entries(PATH, ()) == kept.entries("/beta/company/2/claim", PARAMS) == ()
        kept.enter(PATH, PARAMS, moments[1])
        kept.close()


RUN_ID = "20261126T020000Z"
TEXT = b'{"page":[' + b",".join(b'{"id":"%d"}' % n for n in range(4000)) + b'],"nextCursor":null}'
ZIPPED = gzip.compress(TEXT)
AS_GZIP = (("Content-Type", "application/json"), ("Content-Encoding", "gzip"))


def answering(response: Response) -> Send:
    async def send(_: Request) -> Response:
        return response

    return send


async def unasked(_: Request) -> Response:
    raise AssertionError("the page is kept: nobody is asked for it")


def kept_of(folder: Path, response: Response) -> KeptPages:
    """What a run keeps of one answer."""
    kept = begin(folder / "staging" / RUN_ID, Began(RUN_ID, AT, "r"), max_bytes=1_000_000)
    assert asyncio.run(kept.answering(answering(response))(CLAIMS)) == response
    kept.close()
    return kept


def read_by_the_next(folder: Path) -> Response:
    """What the run after it is answered, without asking anybody."""
    run_id = "20261126T030000Z"
    (left,) = left_by_earlier(folder, run_id)
    kept = go_on(left, folder / "staging" / run_id, max_bytes=1_000_000)
    try:
        return asyncio.run(kept.answering(unasked)(CLAIMS))
    finally:
        kept.close()


@pytest.mark.parametrize("packed", [b"", ZIPPED], ids=["plain", "gzip"])
def test_a_page_comes_back_as_it_was(tmp_path, packed):
    """However it is kept; and where it came compressed, just so."""
    response = Response(TEXT, AT, "Thu, 26 Nov 2026 02:00:00 GMT", packed)
    kept = kept_of(tmp_path, response)
    assert (ZIPPED in kept.path.read_bytes()) == bool(packed)
    assert read_by_the_next(tmp_path) == replace(response, packed=b"")


def test_what_was_packed_to_be_long_is_not_kept_so(tmp_path):
    """A stream may hold nothing in many bytes: a page takes no more of the room than it is long."""
    stuffed = ZIPPED[:3] + b"\x08" + ZIPPED[4:10] + b"x" * 100_000 + b"\0" + ZIPPED[10:]  # with a file's name
    assert gzip.decompress(stuffed) == TEXT
    kept = kept_of(tmp_path, Response(TEXT, AT, None, stuffed))
    assert kept.size_bytes < len(TEXT)
    assert read_by_the_next(tmp_path).body == TEXT


def written(head: bytes, body: bytes) -> Script:
    """An answer, byte by byte as it stands here."""
    return Script((Written(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + head + b"\r\n\r\n" + body),))


def in_pieces(packed: bytes, size: int) -> Script:
    """A compressed answer whose length nothing states."""
    pieces = [packed[at : at + size] for at in range(0, len(packed), size)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in pieces)
    return written(b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked", framed + b"0\r\n\r\n")


def received(sandbox, answer, **options: object) -> Response:
    async def once(session) -> Response:
        return await session.send(CLAIMS)

    sandbox.release()
    sandbox.answer_with("/beta", answer)
    return asked(sandbox, once, **options)


def test_a_small_page_is_handed_on_as_it_came(sandbox):
    """Whether its length was stated or not; one that was not compressed is not made so."""
    for answer in (Reply(200, ZIPPED, AS_GZIP), in_pieces(ZIPPED, 1000)):
        response = received(sandbox, answer)
        assert (response.body, response.packed) == (TEXT, ZIPPED)
    assert received(sandbox, written(b"Content-Length: %d" % len(TEXT), TEXT)).packed == b""


def test_of_a_large_page_nothing_is_held_twice(sandbox):
    """Beyond its share of the room for small ones: 256 requests at once leave each 32 kB compressed."""
    noise = b'["' + random.Random(5).randbytes(60_000).hex().encode() + b'"]'
    large = gzip.compress(noise)
    for answer in (Reply(200, large, AS_GZIP), in_pieces(large, 1000)):
        response = received(sandbox, answer, concurrency=256)
        assert (response.body, response.packed) == (noise, b"")
