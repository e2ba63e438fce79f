"""Waiting for the network: one long list by one walker and by several, and many small requests, next to the bound.

The sandbox answers late by a fixed time. What a list costs one walker is its pages times the latency; what many small
requests cost is their number times the latency, divided among the connections.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline import nightly
from pipeline.auth import Secret
from pipeline.cli.nights import sandbox_process
from pipeline.extract import Scope, extract
from pipeline.model import Context, Page
from pipeline.readings import Reading
from pipeline.resources import Resource, read_catalogue
from pipeline.session import open_session
from pipeline.settings import Api


@dataclass(frozen=True)
class Walked:
    """One reading: wall and processor seconds, requests, records without repetitions, and further walkers."""

    wall_s: float
    cpu_s: float
    calls: int
    records: int
    entries: int


def read(served: dict[str, Any], names: Sequence[str], *, page_limit: int, connections: int, shared: bool) -> Walked:
    """Read some resources of a sandbox; decode and store nothing."""
    catalogue = read_catalogue()
    keys: set[tuple[Context, bytes]] = set()

    async def work() -> tuple[int, int]:
        api = Api(ca_file=Path(served["ca_file"]), page_limit=page_limit, concurrency=connections)
        async with open_session(api, served["base_url"], Secret(served["token"]), nightly.real_world()) as session:

            async def take(resource: Resource, pages: Sequence[Page]) -> None:
                if resource.name == names[-1]:
                    keys.update((page.walk.context, bytes(record)) for page in pages for record in page.records)

            scope = Scope(
                catalogue,
                "beta",
                page_limit=page_limit,
                concurrency=connections,
                readings={name: Reading("full" if name in names else "kept") for name in catalogue.names},
                shared_until=datetime.now(UTC) if shared else None,
            )
            done = await extract(scope, session.send, take, lambda _: None)
            return sum(session.calls.values()), sum(one.entry_count for one in done.walks)

    wall, cpu = time.perf_counter(), time.process_time()
    calls, entries = asyncio.run(work())
    return Walked(time.perf_counter() - wall, time.process_time() - cpu, calls, len(keys), entries)


def show(claims: int, *, page_limit: int = 100, connections: int = 16, latency_s: float = 0.05) -> None:
    """A list of claims by one walker a company and by several; the aim is a tenth of the wall for 5 % more calls."""
    with served_late(claims, latency_s) as served:
        one = read(served, ("company", "claim"), page_limit=page_limit, connections=connections, shared=False)
        more = read(served, ("company", "claim"), page_limit=page_limit, connections=connections, shared=True)
    print(f"{claims:,} claims, {page_limit} a page, {latency_s * 1000:.0f} ms latency, {connections} connections")
    for name, walked in (("one walker a list", one), ("several", more)):
        print(f"  {name:<18} {walked.wall_s:7.2f} s wall {walked.cpu_s:6.2f} s CPU {walked.calls:6,} calls")
    assert one.records == more.records, "the walkers read something else"
    print(
        f"  several walkers: 1/{one.wall_s / more.wall_s:.1f} of the wall, {more.calls / one.calls - 1:+.1%} calls, "
        f"{more.entries} entries, the same {more.records:,} claims\n"
    )


def show_children(claims: int, *, connections: int = 64, latency_s: float = 0.02) -> None:
    """Lines of many claims, a request a claim, next to what the latency alone would take; the aim is within 20 %."""
    with served_late(claims, latency_s) as served:
        walked = read(served, ("company", "claim", "expense"), page_limit=1000, connections=connections, shared=True)
    bound = walked.calls * latency_s / connections
    print(
        f"{walked.calls:,} requests, {latency_s * 1000:.0f} ms latency, {connections} connections: {walked.wall_s:.2f} s "
        f"wall ({walked.cpu_s:.2f} s CPU), {walked.wall_s / bound - 1:+.0%} of the latency bound of {bound:.2f} s\n"
    )


@contextmanager
def served_late(claims: int, latency_s: float) -> Iterator[dict[str, Any]]:
    """A sandbox in a process of its own whose answers are late."""
    late = ("--fault", f"latency:seconds={latency_s}")
    with TemporaryDirectory() as folder, sandbox_process(Path(folder) / "sandbox", claims, *late) as served:
        yield served
