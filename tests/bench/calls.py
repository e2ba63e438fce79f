"""What one request costs: our session next to bare aiohttp, the same pages from the same server over the same TLS.

The bare side is plain aiohttp as a careful person writes it: one session, one TLS context, the header on each request,
the status checked, the whole body read; aiohttp's own deadlines. Ours has all that the nightly run has, the ledger on
disk included. Both are open and warm before anything is measured, and take turns in short stretches.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from pipeline import nightly
from pipeline.auth import Secret
from pipeline.model import Request
from pipeline.ops.ledger import Ledger
from pipeline.session import open_session
from pipeline.settings import Api, Budget

Get = Callable[[], Awaitable[bytes]]
_SERVED = "PROSPEND_BENCH_SERVED"


@dataclass(frozen=True)
class Pages:
    """One kind of page, how many make a stretch, and how many workers ask at once."""

    name: str
    path: str
    limit: int
    count: int
    workers: int = 1


KINDS = (
    Pages("tiny answers, one connection", "/beta/company/1/entity", 1000, 100),
    Pages("tiny answers, 16 workers", "/beta/company/1/entity", 1000, 160, 16),
    Pages("200 records a page", "/beta/company/1/claim", 200, 25),
    Pages("1000 records a page", "/beta/company/1/claim", 1000, 8),
)


@dataclass(frozen=True)
class Compared:
    """Processor time a request of both sides, the median ratio of neighbouring stretches, and instructions if counted."""

    pages: Pages
    bare_us: float
    ours_us: float
    ratio: float
    bare_instructions: float | None = None
    ours_instructions: float | None = None


@asynccontextmanager
async def bare(served: dict[str, str], pages: Pages) -> AsyncIterator[Get]:
    """Aiohttp alone."""
    tls = ssl.create_default_context(cafile=served["ca_file"])
    url, headers = f"{served['base_url']}{pages.path}", {"Authorization": f"Bearer {served['token']}"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=tls)) as http:

        async def get() -> bytes:
            async with http.get(f"{url}?limit={pages.limit}", headers=headers) as answer:
                answer.raise_for_status()
                return await answer.read()

        yield get


@asynccontextmanager
async def ours(served: dict[str, str], pages: Pages) -> AsyncIterator[Get]:
    """The session as a run has it."""
    world = nightly.real_world()
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Ledger(Path(folder) / "calls", Budget(monthly=10**9), world.clock)) as ledger,
    ):
        api = Api(ca_file=Path(served["ca_file"]))
        token = Secret(served["token"])
        async with open_session(api, served["base_url"], token, world, count=ledger.count) as session:

            async def get() -> bytes:
                request = Request(pages.path, (("limit", str(pages.limit)),), "claim", "extract · claim · page 1")
                return (await session.send(request)).body

            yield get


SIDES = {"bare": bare, "ours": ours}


async def stretch(get: Get, pages: Pages, count: int) -> None:
    """So many requests by so many workers."""
    left = count

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await get()

    await asyncio.gather(*(work() for _ in range(pages.workers)))


async def compared(served: dict[str, str], pages: Pages, rounds: int) -> Compared:
    """Processor time of both sides, in turns. Both are seen to read the same bytes."""
    used: dict[str, list[float]] = {"bare": [], "ours": []}
    async with bare(served, pages) as by_aiohttp, ours(served, pages) as by_us:
        if await by_aiohttp() != await by_us():
            raise RuntimeError("the two sides read different bodies")
        sides = [("bare", by_aiohttp), ("ours", by_us)]
        for _, get in sides:
            await stretch(get, pages, max(pages.count // 4, pages.workers))
        for _ in range(rounds):
            sides.reverse()
            for name, get in sides:
                gc.collect()
                began = time.process_time()
                await stretch(get, pages, pages.count)
                used[name].append((time.process_time() - began) / pages.count * 1e6)
    ratio = statistics.median(by_us / alone for by_us, alone in zip(used["ours"], used["bare"], strict=True))
    return Compared(pages, statistics.median(used["bare"]), statistics.median(used["ours"]), ratio)


def measure_calls(served: dict[str, str], *, rounds: int = 40, valgrind: bool = False) -> list[Compared]:
    """Every kind of page."""
    counter = instruction_counter(valgrind=valgrind)
    found = []
    for pages in KINDS:
        one = asyncio.run(compared(served, pages, rounds))
        if counter is not None:
            counts = [instructions(served, counter, side, pages) for side in SIDES]
            one = Compared(pages, one.bare_us, one.ours_us, one.ratio, *counts)
        found.append(one)
    return found


# ---- instructions, where the machine counts them ----------------------------------------------------------------------


@dataclass(frozen=True)
class Counter:
    """A command that counts a program's instructions, and the pattern of its answer."""

    command: tuple[str, ...]
    pattern: str


def instruction_counter(*, valgrind: bool) -> Counter | None:
    """Perf where the machine has a counter; valgrind, which takes minutes, only if asked for."""
    perf = Counter(("perf", "stat", "-x,", "-e", "instructions:u"), r"^(\d+),")
    if shutil.which("perf") and _counted(perf, [sys.executable, "-c", ""], {}) is not None:
        return perf
    if valgrind and shutil.which("valgrind"):
        command = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
        return Counter(command, r"I\s+refs:\s+([\d,]+)")
    return None


def instructions(served: dict[str, str], counter: Counter, side: str, pages: Pages) -> float | None:
    """Instructions a request: what more requests need more, so that opening is not in it."""
    environ = {_SERVED: json.dumps(served), "PYTHONHASHSEED": "0"}
    few, many = pages.count, 3 * pages.count
    counts = [
        _counted(counter, [sys.executable, "-m", "tests.bench.calls", side, pages.name, str(count)], environ)
        for count in (few, many)
    ]
    return (counts[1] - counts[0]) / (many - few) if counts[0] is not None and counts[1] is not None else None


def _counted(counter: Counter, command: list[str], environ: dict[str, str]) -> int | None:
    done = subprocess.run(
        [*counter.command, *command], env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )
    told = re.search(counter.pattern, done.stderr, re.MULTILINE)
    return int(told[1].replace(",", "")) if told and done.returncode == 0 else None


def main() -> None:
    """One side alone, for a counter: SIDE KIND COUNT."""
    side, name, count = sys.argv[1:]
    served, pages = json.loads(os.environ[_SERVED]), next(one for one in KINDS if one.name == name)

    async def read() -> None:
        async with SIDES[side](served, pages) as get:
            await stretch(get, pages, int(count))

    gc.disable()
    asyncio.run(read())


if __name__ == "__main__":
    main()
