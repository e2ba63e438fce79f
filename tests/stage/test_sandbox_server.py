"""The sandbox on real sockets: TLS, framing, journal, admin port, forced answers and scripts."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.client
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from pipeline.sandbox import Close, Reply, Running, SandboxSettings, Script, Send, Wait, in_thread, serving

CLAIM = "/beta/company/1/claim"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with in_thread(SandboxSettings(state_dir=tmp_path_factory.mktemp("state"), claims=400)) as found:
        yield found


@pytest.fixture(autouse=True)
def untouched(running: Running) -> Iterator[None]:
    before = running.host.state
    running.journal.clear()
    yield
    running.host.state = before


def trusting(running: Running) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(running.ca_file))


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def connect(running: Running, url: str | None = None) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection(*address(url or running.base_url), context=trusting(running), timeout=20)


def get(running: Running, target: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = connect(running)
    try:
        connection.request("GET", target, headers={"Authorization": f"Bearer {running.token}", **headers})
        answered = connection.getresponse()
        return answered, answered.read()
    finally:
        connection.close()


def raw_socket(running: Running) -> ssl.SSLSocket:
    plain = socket.create_connection(address(running.base_url), timeout=20)
    return trusting(running).wrap_socket(plain, server_hostname="localhost")


def everything(connection: ssl.SSLSocket) -> bytes:
    received = bytearray()
    while piece := connection.recv(65536):
        received += piece
    return bytes(received)


async def sent_while_reading(running: Running, asked: bytes) -> bytes:
    """Everything answered while all of it is still being sent: by one thread, as two must not share a TLS connection."""
    host, port = address(running.base_url)
    reader, writer = await asyncio.open_connection(host, port, ssl=trusting(running), server_hostname="localhost")
    writer.write(asked)
    received = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):  # the server has left already
        await writer.wait_closed()
    return received


def request_bytes(running: Running, target: str, *, close: bool = False) -> bytes:
    end = "Connection: close\r\n" if close else ""
    return f"GET {target} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {running.token}\r\n{end}\r\n".encode()


def admin(running: Running, target: str) -> dict | list:
    connection = connect(running, running.admin_url)
    try:
        connection.request("GET", target)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def test_a_walk_over_one_connection(running: Running):
    """Pages follow each other on a kept connection and hold every record once, dated and typed as promised."""
    connection = connect(running)
    found: list[str] = []
    cursor = ""
    while cursor is not None:
        target = f"{CLAIM}?limit=50" + (f"&cursor={cursor}" if cursor else "")
        connection.request("GET", target, headers={"Authorization": f"Bearer {running.token}"})
        answered = connection.getresponse()
        assert answered.status == 200
        assert answered.headers["Content-Type"] == "application/json"
        assert answered.headers["Date"].endswith(" GMT")
        body = json.loads(answered.read())
        found += [record["id"] for record in body["page"]]
        cursor = body["nextCursor"]
    connection.close()
    assert found == [record["id"] for _, record in running.records("claim", ("1",))]


def test_requests_sent_at_once_are_answered_in_order(running: Running):
    """Pipelining, with an error and a refused method in between."""
    post = b"POST /beta/company HTTP/1.1\r\nContent-Length: 3\r\nAuthorization: Bearer x\r\n\r\nabc"
    asked = (
        request_bytes(running, "/beta/company"),
        request_bytes(running, "/beta/nothing"),
        post,
        request_bytes(running, f"{CLAIM}?limit=1000", close=True),
    )
    with raw_socket(running) as connection:
        connection.sendall(b"".join(asked))
        received = everything(connection)
    statuses = [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 404, 401, 200]
    assert json.loads(received.rpartition(b"\r\n\r\n")[2])["page"]


def test_a_request_may_arrive_one_byte_at_a_time(running: Running):
    """Whatever the pieces, it is one request."""
    with raw_socket(running) as connection:
        for byte in request_bytes(running, "/beta/company", close=True):
            connection.sendall(bytes([byte]))
        received = everything(connection)
    assert received.startswith(b"HTTP/1.1 200 OK")
    assert running.journal.counts.requests == 1


def test_what_is_not_http_is_answered_and_closed(running: Running):
    """400 in the documented form, and the end of the connection."""
    with raw_socket(running) as connection:
        connection.sendall(b"nonsense\r\n\r\n" + request_bytes(running, "/beta/company"))
        received = everything(connection)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1") == 1


def test_nothing_is_served_in_plain_http(running: Running):
    """A request without TLS gets no answer."""
    with socket.create_connection(address(running.base_url), timeout=20) as plain:
        plain.sendall(request_bytes(running, "/beta/company"))
        try:
            received = plain.recv(4096)
        except ConnectionResetError:
            received = b""
    assert b"HTTP" not in received
    assert running.journal.counts.requests == 0


def test_a_client_that_does_not_trust_the_authority_refuses(running: Running):
    """The certificate is nobody else's, and names loopback alone."""
    host, port = address(running.base_url)
    with socket.create_connection((host, port), timeout=20) as plain, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
    with socket.create_connection((host, port), timeout=20) as plain, pytest.raises(ssl.SSLCertVerificationError):
        trusting(running).wrap_socket(plain, server_hostname="api.invalid")


def test_long_bodies_come_compressed_when_accepted(running: Running):
    """And are the same after decompression."""
    _, plain = get(running, f"{CLAIM}?limit=100")
    packed, body = get(running, f"{CLAIM}?limit=100", **{"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == plain


def test_every_request_is_in_the_journal(running: Running):
    """Path, query, status, size and whether a token was sent; the token itself is not."""
    get(running, f"{CLAIM}?limit=7")
    get(running, "/beta/nothing", Authorization="")
    connection = connect(running)
    connection.request("DELETE", CLAIM)
    connection.getresponse().read()
    connection.close()
    first, second, third = running.journal.entries
    assert (first.method, first.path, first.query, first.status) == ("GET", CLAIM, "limit=7", 200)
    assert (first.resource, first.records, first.had_token) == ("claim", 7, True)
    assert first.bytes_sent > 1000
    assert (second.status, third.status, third.method, third.had_token) == (401, 401, "DELETE", False)
    assert admin(running, "/journal?last=1") == [json.loads(json.dumps(admin(running, "/journal")))[-1]]
    assert running.token not in json.dumps(admin(running, "/journal"))


def test_counters_count_records_and_distinct_keys(running: Running):
    """A record served twice is two records and one key; injected ones count too."""
    running.inject("claim", ("1",), [b'{"id":"extra"}'])
    for _ in range(2):
        cursor = ""
        while cursor is not None:
            body = json.loads(get(running, f"{CLAIM}?limit=100" + (f"&cursor={cursor}" if cursor else ""))[1])
            cursor = body["nextCursor"]
    held = len(running.records("claim", ("1",)))
    get(running, f"{CLAIM}?status=Finalised&limit=3")
    counts = admin(running, "/counters")
    assert counts["records"] == {"claim": 2 * held + 3}
    assert counts["keys"] == {"claim": held}
    assert counts["statuses"] == {"200": counts["requests"]}
    assert counts == json.loads(json.dumps(admin(running, "/counters")))


def test_the_journal_is_bounded_and_its_counts_are_not(tmp_path: Path):
    """Old requests are forgotten, not their number."""
    with in_thread(SandboxSettings(state_dir=tmp_path, claims=10, journal_entries=2)) as small:
        for _ in range(3):
            get(small, "/beta/company")
        assert len(small.journal.entries) == 2
        assert small.journal.counts.requests == 3
        assert small.journal.counts.records == {"company": 6}


def test_forced_answers_and_their_release(running: Running):
    """A status for a path prefix, for tests of exit codes."""
    running.force("/beta/company/2", 503)
    assert get(running, "/beta/company/2/claim")[0].status == 503
    assert get(running, CLAIM)[0].status == 200
    running.answer_with("/beta/company/2", Reply(429, b"{}", (("Retry-After", "7"),)))
    assert get(running, "/beta/company/2/claim")[0].headers["Retry-After"] == "7"
    running.release()
    assert get(running, "/beta/company/2/claim")[0].status == 200


def test_a_script_can_break_every_rule_of_http(running: Running):
    """Bytes as they are, pauses, then the end of the connection; other connections are served meanwhile."""
    steps = (Send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), Wait(0.01), Send(b'"page"'), Close())
    running.answer_with("/beta/company/1/supplier", Script(steps, status=200))
    connection = connect(running)
    connection.request("GET", "/beta/company/1/supplier", headers={"Authorization": f"Bearer {running.token}"})
    answered = connection.getresponse()
    assert get(running, CLAIM)[0].status == 200
    with pytest.raises(http.client.IncompleteRead) as cut:
        answered.read()
    assert cut.value.partial == b'{"page"'
    answered.close()
    connection.close()
    running.answer_with("/beta/company/1/supplier", Script((Close(abort=True),)))
    with pytest.raises((ConnectionError, http.client.BadStatusLine, ssl.SSLError)):
        get(running, "/beta/company/1/supplier")
    scripted = [entry for entry in running.journal.entries if entry.path.endswith("supplier")]
    assert [entry.status for entry in scripted] == [200, 0]


def test_a_body_of_any_size_takes_no_memory(running: Running):
    """A script's steps wait for the reader: much more than the sockets hold is sent, and nothing piles up."""
    piece = Send(b"x" * (1 << 20))
    head = Send(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
    running.answer_with("/endless", Script((head, *[piece] * 64, Close()), status=200))
    with raw_socket(running) as connection:
        connection.sendall(request_bytes(running, "/endless"))
        connection.recv(10)
        (server_side,) = [each for each in running.host.connections if each._script is not None]
        assert server_side._transport.get_write_buffer_size() < 8 << 20
        assert len(everything(connection)) > 64 << 20


def test_more_requests_than_are_read_ahead(running: Running):
    """Reading stops while answers cannot be written, and goes on afterwards: none is lost."""
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    running.answer_with("/slow", Script((Wait(0.05), Send(whole)), status=200))
    unsigned = b"GET /x HTTP/1.1\r\nA: " + b"y" * 200 + b"\r\n\r\n"
    count = 4000
    asked = request_bytes(running, "/slow") + unsigned * count + request_bytes(running, "/beta/company", close=True)
    received = asyncio.run(sent_while_reading(running, asked))
    assert received.startswith(whole)
    assert received.count(b"HTTP/1.1 401 ") == count
    assert received.count(b"HTTP/1.1 200 ") == 2


def test_a_script_holds_back_what_was_asked_after_it(running: Running):
    """Answers stay in the order of the requests."""
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    running.answer_with("/slow", Script((Wait(0.01), Send(whole)), status=200))
    with raw_socket(running) as connection:
        connection.sendall(request_bytes(running, "/slow") + request_bytes(running, "/beta/nothing", close=True))
        received = everything(connection)
    assert received.startswith(whole + b"HTTP/1.1 404 ")


def test_a_reader_that_never_reads_holds_nobody_up(running: Running):
    """A full connection waits; the others are served, and it gets every answer in the end."""
    count = 40
    with raw_socket(running) as lazy:
        lazy.sendall(request_bytes(running, f"{CLAIM}?limit=1000") * count)
        assert get(running, "/beta/company")[0].status == 200
        lazy.sendall(request_bytes(running, "/beta/company", close=True))
        received = everything(lazy)
    assert received.count(b"HTTP/1.1 200 OK") == count + 1


def test_serving_in_the_callers_own_loop(tmp_path: Path):
    """The handle of the async door is the same, and both ports are closed afterwards."""

    async def use() -> tuple[str, str]:
        async with serving(SandboxSettings(state_dir=tmp_path, claims=10)) as found:
            answered, _ = await asyncio.to_thread(get, found, "/beta/company")
            assert answered.status == 200
            return found.base_url, found.admin_url

    for url in asyncio.run(use()):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address(url), timeout=5)


def test_a_failed_start_reaches_the_caller(running: Running, tmp_path: Path):
    """A taken port and impossible books are errors where the sandbox was asked for."""
    taken = address(running.base_url)[1]
    with pytest.raises(OSError, match="address"), in_thread(SandboxSettings(state_dir=tmp_path, claims=10, port=taken)):
        pass
    with pytest.raises(ValueError, match="books"), in_thread(SandboxSettings(state_dir=tmp_path, claims=-1)):
        pass


def test_two_processes_serve_the_same_bytes(tmp_path: Path):
    """With the same seed, cursors included, whatever the hash seed and the state folder."""
    program = """
import hashlib, pathlib, ssl, sys, urllib.request
from pipeline.sandbox import SandboxSettings, in_thread
with in_thread(SandboxSettings(state_dir=pathlib.Path(sys.argv[1]), claims=300, seed=77)) as running:
    trusting = ssl.create_default_context(cafile=running.ca_file)
    found = hashlib.sha256()
    for path in sys.argv[2:]:
        asked = urllib.request.Request(running.base_url + path, headers={"Authorization": "Bearer " + running.token})
        found.update(urllib.request.urlopen(asked, context=trusting).read())
    print(found.hexdigest())
"""
    targets = [f"/beta/company/{c}/{kind}?limit=400" for c in (1, 2) for kind in ("claim", "invoice", "supplier")]
    targets += [f"{CLAIM}?limit=3", f"{CLAIM}?status=Rejected&limit=1"]
    digests = set()
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / hash_seed), *targets],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        digests.add(done.stdout)
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64


def test_large_books_are_not_written_before_they_are_asked_for(tmp_path: Path):
    """Fifty thousand claims: starting makes no text, a page in the middle makes one block, columns stay small."""
    with in_thread(SandboxSettings(state_dir=tmp_path, claims=50_000)) as large:
        books = large.host.state.books
        claims = books.tables["claim"]
        assert claims.row_count == 50_000
        assert books.shelf.block_count == 0
        body = json.loads(get(large, f"{CLAIM}?minUpdatedDate=2025-10-01&limit=1000")[1])
        assert len(body["page"]) == 1000
        assert body["page"][0]["updatedDate"] >= "2025-10-01T00:00:00Z"
        assert books.shelf.block_count <= 2
        some = int(claims.ids[np.int64(31_000)])
        owner = "1" if claims.starts[1] > 31_000 else "2"
        assert json.loads(get(large, f"/beta/company/{owner}/claim/{some}")[1])["id"] == str(some)
        assert json.loads(get(large, f"/beta/company/{owner}/claim/{some}/expense")[1])["nextCursor"] is None


def test_text_that_is_kept_is_bounded(tmp_path: Path):
    """Reading everything keeps no more than the shelf's limit."""
    with in_thread(SandboxSettings(state_dir=tmp_path, claims=9_000)) as running_large:
        shelf = running_large.host.state.books.shelf
        shelf.limit_bytes = 4 << 20
        running_large.records("claim")
        assert 0 < shelf.kept_bytes <= 4 << 20
