"""The sandbox's own cost: processor time a row and pages a second, next to `json.loads` over the same bytes."""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Serving:
    """One walk of a list, measured at the server's process."""

    limit: int
    walk: str
    rows: int
    pages_per_s: float
    server_us_per_row: float
    json_us_per_row: float


def process_cpu_s(pid: int) -> float:
    """Processor seconds of another process, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pages_of(served: dict[str, str], path: str, query: str) -> Iterator[bytes]:
    """Every page of one list over one connection, read by as thin a client as there is."""
    place = urlsplit(served["base_url"])
    context = ssl.create_default_context(cafile=served["ca_file"])
    with (
        socket.create_connection((place.hostname, place.port)) as plain,
        context.wrap_socket(plain, server_hostname=place.hostname) as secure,
        secure.makefile("rb") as answers,
    ):
        cursor = ""
        while True:
            head = f"GET {path}?{query}{cursor} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {served['token']}\r\n\r\n"
            secure.sendall(head.encode())
            length = 0
            while line := answers.readline().strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            body = answers.read(length)
            yield body
            following = json.loads(body[body.rfind(b'"nextCursor":') + 13 : -1])
            if following is None:
                return
            cursor = f"&cursor={following}"


def measure_serving(served: dict[str, str], pid: int) -> list[Serving]:
    """Claims of the first company at both page sizes, first when their text is not yet made, then when it is."""
    found = []
    for limit in (1000, 100):
        for walk in ("first", "again"):
            before, began = process_cpu_s(pid), time.perf_counter()
            bodies = list(pages_of(served, "/beta/company/1/claim", f"limit={limit}"))
            wall, used = time.perf_counter() - began, process_cpu_s(pid) - before
            parse = time.process_time()
            rows = sum(len(json.loads(body)["page"]) for body in bodies)
            parse = time.process_time() - parse
            found.append(Serving(limit, walk, rows, len(bodies) / wall, used * 1e6 / rows, parse * 1e6 / rows))
    return found
