"""Sources that fail by a schedule: a share of all requests, drawn by a seed. What a client and whole nights make of it.

About a thousand pages a seed, on a clock that jumps. Every seed of a test is checked by the functions here; the tests
choose how many.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
from published import contents
from sandbox_site import TOKEN_VARIABLE, site_of
from session_world import Jumping, asked

from pipeline.errors import SourceUnavailable
from pipeline.extract import Scope, extract
from pipeline.nightly import run
from pipeline.ops.runs import pointer_of
from pipeline.resources import read_catalogue
from pipeline.sandbox import Running, SandboxSettings, in_thread
from pipeline.sandbox.faults import Plan, plan

PAGE_LIMIT = 3
CATALOGUE = read_catalogue()
_SANEST_S = 31 * 86_400  # a longer wait is a mistake, not a promise
# Of all requests, beside the mix of 5xx, 429, resets, cuts and late answers: every way to be told when to come back.
_ASKED_TO_WAIT = {
    "rate-limit-date:after=20": 0.01,
    "rate-limit:after=30": 0.01,
    "rate-limit-past": 0.005,
    "rate-limit-absurd": 0.002,
    "rate-limit-bare": 0.002,
    "request-timeout": 0.02,
}
_MIX_THAT_FAILS = 0.8  # one of its five kinds is only late


@contextmanager
def thousand_pages(state_dir: Path) -> Iterator[Running]:
    """A sandbox with books of about a thousand small pages."""
    with in_thread(SandboxSettings(state_dir=state_dir, claims=250)) as running:
        yield running


def failing(share: float, seed: int) -> Plan:
    """A plan by which this share of all requests fails."""
    spared = 1.0
    for part in _ASKED_TO_WAIT.values():
        spared *= 1 - part
    mixed = (1 - (1 - share) / spared) / _MIX_THAT_FAILS
    asked_to_wait = [f"{fault}{',' if ':' in fault else ':'}share={part}" for fault, part in _ASKED_TO_WAIT.items()]
    return plan(*asked_to_wait, f"mix:after=2,seconds=0.01,share={mixed}", seed=seed)


def everything(page_limit: int, watch=lambda session: None):
    """An action that reads all lists, and comes to a count of every record's text."""

    async def act(session) -> Counter[tuple[str, bytes]]:
        watch(session)
        found: Counter[tuple[str, bytes]] = Counter()

        async def deliver(resource, pages) -> None:
            found.update((resource.name, bytes(record)) for page in pages for record in page.records)

        await extract(Scope(CATALOGUE, "beta", page_limit=page_limit), session.send, deliver, lambda _: None)
        return found

    return act


def whole_of(books: Running) -> Counter[tuple[str, bytes]]:
    """What is read where nothing fails: it is what the books hold, and takes about a thousand pages."""
    books.faults()
    books.journal.clear()
    found = asked(books, everything(PAGE_LIMIT))
    assert 950 <= books.journal.counts.requests <= 1050
    for resource in CATALOGUE:
        held = [one for params in resource.requests for _, one in books.records(resource.name, **dict(params))]
        read = Counter({text: n for (name, text), n in found.items() if name == resource.name}).elements()
        parsed = [json.loads(text, parse_float=Decimal) for text in read]
        assert sorted(map(repr, parsed)) == sorted(map(repr, held))
        assert held
    return found


@dataclass
class Timetable:
    """When requests began and when a 429 said to come back, by the clock that jumps: told by aiohttp, not by us."""

    jumping: Jumping
    began_s: list[float] = field(default_factory=list)
    held: list[tuple[float, float]] = field(default_factory=list)

    def watch(self, session) -> None:
        tracing = aiohttp.TraceConfig()
        tracing.on_request_start.append(self.on_begin)
        tracing.on_request_end.append(self.on_answer)
        tracing.freeze()
        session.http.trace_configs.append(tracing)
        # The waits of others move this clock too, minutes of them while an answer takes milliseconds to arrive: attempts
        # alone bound a request here; that time bounds it as well is shown without a clock (`pure/test_retry.py`).
        session.policy = replace(session.policy, total_s=math.inf)

    async def on_begin(self, *_: object) -> None:
        self.began_s.append(self.jumping.monotonic())

    async def on_answer(self, _session, _context, told) -> None:
        asked_s = wait_asked_for(told.response.headers)
        if told.response.status == 429 and 0 < asked_s <= _SANEST_S:
            now_s = self.jumping.monotonic()
            self.held.append((now_s, now_s + asked_s))

    def too_early(self) -> list[float]:
        """Requests of the whole client that began before a moment that had been named."""
        return [at_s for at_s in self.began_s if any(told_s < at_s < until_s for told_s, until_s in self.held)]


def wait_asked_for(headers) -> float:
    """Seconds, by a number or by a date and the source's own clock; read here once more, by other means."""
    value = headers.get("Retry-After", "")
    if not value or value.isdigit():
        return float(value or 0)
    return (parsedate_to_datetime(value) - parsedate_to_datetime(headers["Date"])).total_seconds()


@dataclass(frozen=True)
class Survived:
    """What one seed cost, by the server's own journal; `held` counts the moments that were named and kept to."""

    pages: int
    requests: int
    most_attempts: int
    held: int


def attempts_of_pages(running: Running) -> Counter[tuple[str, str]]:
    """How often each page was asked for, by the server's own journal."""
    return Counter((entry.path, entry.query) for entry in running.journal.entries)


def settled(books: Running, requests: int, most_s: float = 30) -> None:
    """Let the server write down what it has answered: it does so after the last byte, in a thread of its own."""
    until_s = time.monotonic() + most_s
    while books.journal.counts.requests < requests and time.monotonic() < until_s:
        time.sleep(0.01)


def survived(books: Running, whole: Counter[tuple[str, bytes]], share: float, seed: int) -> Survived:
    """One client reads everything while this share fails.

    Complete and equal to the books, ten attempts a page at most, not more than one more request for each failure, and
    none before a moment that the source had named.
    """
    books.journal.clear()
    books.faults(failing(share, seed))
    timetable, counted = Timetable(jumping := Jumping(seed)), []
    assert asked(books, everything(PAGE_LIMIT, timetable.watch), jumping, count=counted.append) == whole
    settled(books, len(counted))
    counts, attempts = books.journal.counts, attempts_of_pages(books)
    failed = sum(counts.faults.values())
    assert failed > share * len(attempts)
    assert max(attempts.values()) <= 10
    assert counts.requests <= len(attempts) + failed
    assert counts.requests == len(counted) == len(timetable.began_s)
    assert timetable.held
    assert timetable.too_early() == []
    return Survived(len(attempts), counts.requests, max(attempts.values()), len(timetable.held))


def night(running: Running, data_dir: Path, seed: int, *, at_once: int = 16):
    """One run on small pages, whose waits take no time."""
    settings = site_of(running, data_dir, page_limit=PAGE_LIMIT, concurrency=at_once)
    return run(settings, environ={TOKEN_VARIABLE: running.token}, world=Jumping(seed).world())


def whole_night(books: Running, data_dir: Path) -> dict[str, Counter]:
    """What one undisturbed night publishes."""
    books.faults()
    assert night(books, data_dir, 0).calls_used > 950
    return contents(data_dir)


def nights_until_published(
    books: Running, whole: dict[str, Counter], data_dir: Path, share: float, seed: int, *, at_once: int = 16
) -> int:
    """Runs until one publishes, while this share fails.

    Each publishes the very tables of an undisturbed night, or nothing and leaves with 20: run again. Ten attempts a
    page in each at most. What is asked, and how often before a run ends, depends on the moment unless one request is
    under way `at_once`.
    """
    books.journal.clear()
    books.faults(failing(share, seed))
    runs = 0
    while not pointer_of(data_dir).exists():
        runs += 1
        seen = attempts_of_pages(books)
        with contextlib.suppress(SourceUnavailable):
            assert night(books, data_dir, 1000 * seed + runs, at_once=at_once).outcome == "published"
        assert max((attempts_of_pages(books) - seen).values()) <= 10
        assert runs <= 20
    assert contents(data_dir) == whole
    return runs
