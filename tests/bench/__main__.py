"""What our own parts cost, `make bench-parts`: run every measurement and print one table.

Ratios within one run mean something; seconds on a shared machine little.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline import account, nightly
from pipeline.auth import Secret
from pipeline.cli.nights import sandbox_process
from pipeline.extract import Scope, extract
from pipeline.model import Page, Request, Response
from pipeline.resources import Resource, read_catalogue
from pipeline.session import open_session
from pipeline.settings import Api, Settings, Site, Storage, Token
from tests.bench import changed_night, marts, walkers
from tests.bench.calls import Compared, measure_calls
from tests.bench.serving import measure_serving

_TOKEN = "PROSPEND_BENCH_TOKEN"


@dataclass(frozen=True)
class Measured:
    """One measurement: processor and wall seconds, and what it handled."""

    name: str
    cpu_s: float
    wall_s: float
    detail: str = ""


def timed(name: str, work: Callable[[], str]) -> Measured:
    """Processor time of this process over all its threads, and wall time."""
    cpu, wall = time.process_time(), time.perf_counter()
    detail = work()
    return Measured(name, time.process_time() - cpu, time.perf_counter() - wall, detail)


def bodies_of(served: dict[str, str], page_limit: int, keep: list[bytes]) -> None:
    """Read everything through the session and the walks alone; decode and store nothing."""

    async def read() -> None:
        api = Api(ca_file=Path(served["ca_file"]), page_limit=page_limit)
        async with open_session(api, served["base_url"], Secret(served["token"]), nightly.real_world()) as session:

            async def send(request: Request) -> Response:
                response = await session.send(request)
                keep.append(response.body)
                return response

            async def discard(_resource: Resource, _pages: list[Page]) -> None:
                return

            scope = Scope(read_catalogue(), "beta", page_limit=page_limit)
            await extract(scope, send, discard, lambda _: None)

    asyncio.run(read())


def measure(claims: int, page_limit: int) -> list[Measured]:
    """Reading alone, `json.loads` of the same bytes, and the whole run to a published warehouse."""
    with tempfile.TemporaryDirectory() as folder, sandbox_process(Path(folder) / "sandbox", claims) as served:
        bodies: list[bytes] = []

        def read() -> str:
            bodies_of(served, page_limit, bodies)
            return f"{len(bodies):,} calls, {sum(map(len, bodies)) / 1e6:.1f} MB"

        def parse() -> str:
            for body in bodies:
                json.loads(body)
            return "the yardstick"

        def publish() -> str:
            settings = Settings(
                site=Site(name="bench", base_url=served["base_url"]),
                token=Token(env=_TOKEN),
                storage=Storage(data_dir=Path(folder) / "data"),
                api=Api(ca_file=Path(served["ca_file"]), page_limit=page_limit),
            )
            report = nightly.run(settings, environ={_TOKEN: served["token"]})
            return f"{sum(one.rows for one in report.resources):,} rows"

        return [timed("read only", read), timed("json.loads", parse), timed("whole run", publish)]


def help_cpu() -> Measured:
    """Processor time of `prospend --help`, the least of five."""
    least = float("inf")
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "pipeline", "--help"], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return Measured("prospend --help", least, least, "least of five; the aim is under 0.25 s")


def told(call: Compared) -> str:
    """Processor time and instructions of one kind of request."""
    text = f"{call.bare_us:7.0f} us CPU bare, {call.ours_us:7.0f} us ours: {call.ratio:.2f} x"
    if call.bare_instructions and call.ours_instructions:
        ratio = call.ours_instructions / call.bare_instructions
        text += f"; {call.bare_instructions / 1e3:,.0f} and {call.ours_instructions / 1e3:,.0f} k instructions: {ratio:.2f} x"
    return text


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, nargs="+", default=[4000, 20_000])
    parser.add_argument("--page-limit", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=40, help="turns of each side when requests are compared")
    parser.add_argument(
        "--night-rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000], help="sizes of a 1 % night"
    )
    parser.add_argument(
        "--walked-claims", type=int, default=100_000, help="claims that walkers share, at 50 ms latency"
    )
    parser.add_argument("--mart-lines", type=int, default=1_000_000, help="reporting lines that marts are made of")
    parser.add_argument("--valgrind", action="store_true", help="count instructions without a counter in the machine")
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}, {account.versions()}\n")
    shown = help_cpu()
    print(f"{shown.name}: {shown.cpu_s:.3f} s CPU ({shown.detail})\n")
    with tempfile.TemporaryDirectory() as folder, sandbox_process(Path(folder) / "sandbox", 50_000) as served:
        print("sandbox, claims of 50,000 in the books")
        for one in measure_serving(served, int(served["pid"])):
            ratio = one.server_us_per_row / one.json_us_per_row
            print(
                f"  limit {one.limit:5} {one.walk:6} {one.pages_per_s:7.0f} pages/s {one.server_us_per_row:6.2f} us CPU a row, "
                f"json.loads {one.json_us_per_row:6.2f} us: {ratio:.2f} x"
            )
        print()
    with tempfile.TemporaryDirectory() as folder, sandbox_process(Path(folder) / "sandbox", 4000) as served:
        print("one request, our session next to bare aiohttp; the aim is at most 1.30 x")
        for call in measure_calls(served, rounds=arguments.rounds, valgrind=arguments.valgrind):
            print(f"  {call.pages.name:<29} {told(call)}")
        print()
    for claims in arguments.claims:
        found = measure(claims, arguments.page_limit)
        yardstick = next(one for one in found if one.name == "json.loads")
        print(f"{claims:,} claims, page limit {arguments.page_limit}")
        for one in found:
            ratio = one.cpu_s / yardstick.cpu_s
            print(
                f"  {one.name:<12} {one.cpu_s:7.2f} s CPU {one.wall_s:7.2f} s wall {ratio:6.1f} x json.loads   {one.detail}"
            )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"  peak memory of this process so far: {peak:,.0f} MB\n")
    walkers.show(arguments.walked_claims)
    walkers.show_children(10_000)
    marts.show(arguments.mart_lines)
    changed_night.show(arguments.night_rows)


if __name__ == "__main__":
    main()
