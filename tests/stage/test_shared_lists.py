"""Several walkers on one list of a real server: the same records as by one, for few calls more."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline import nightly
from pipeline.auth import Secret
from pipeline.extract import Extracted, Extraction, Scope
from pipeline.model import Page, Params, Request, Response
from pipeline.readings import Reading
from pipeline.resources import Resource, read_catalogue
from pipeline.sandbox import Running, SandboxSettings, in_thread
from pipeline.session import open_session
from pipeline.settings import Api

CATALOGUE = read_catalogue()
CLAIMS = {name: Reading("full" if name in ("company", "claim") else "kept", {}) for name in CATALOGUE.names}
LIMIT, WALKERS = 10, 8


@dataclass
class Reader:
    """Reads the claims of a sandbox; `before` is called before each request."""

    running: Running
    limit: int = LIMIT
    before: Callable[[Request], None] = lambda _: None
    asked: list[Request] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    entered: dict[str, list[datetime]] = field(default_factory=dict)
    at_once: Counter[str] = field(default_factory=Counter)

    def entries(self, path: str, params: Params) -> Sequence[datetime]:
        return tuple(self.entered.get(f"{path} {params}", ()))

    def enter(self, path: str, params: Params, moment: datetime) -> None:
        self.entered.setdefault(f"{path} {params}", []).append(moment)

    def read(self, **scope: object) -> Extracted:
        return asyncio.run(self._read(scope))

    async def _read(self, scope: dict[str, object]) -> Extracted:
        api = Api(ca_file=self.running.ca_file, page_limit=self.limit, concurrency=WALKERS)
        world = nightly.real_world()
        async with open_session(api, self.running.base_url, Secret(self.running.token), world) as session:

            async def send(request: Request) -> Response:
                self.before(request)
                self.asked.append(request)
                self.at_once["now"] += 1
                self.at_once["most"] = max(self.at_once["most"], self.at_once["now"])
                try:
                    return await session.send(request)
                finally:
                    self.at_once["now"] -= 1

            async def deliver(_resource: Resource, pages: Sequence[Page]) -> None:
                self.pages += pages

            whole = Scope(CATALOGUE, "beta", page_limit=self.limit, concurrency=WALKERS, readings=CLAIMS, **scope)
            extraction = Extraction(whole, send, deliver, lambda _: None, self)
            await extraction.read_lists()
            await extraction.read_alone(())
            return extraction.done()

    def records(self) -> dict[tuple[str, str], dict[str, object]]:
        """The newest version of each claim, by company and id."""
        found: dict[tuple[str, str], dict[str, object]] = {}
        for page in sorted(self.pages, key=lambda page: page.ordinal):
            if page.walk.resource == "claim":
                for raw in page.records:
                    record = json.loads(bytes(raw))
                    key = (page.walk.context[0][1], record["id"])
                    if key not in found or found[key]["updatedDate"] <= record["updatedDate"]:
                        found[key] = record
        return found

    def calls(self) -> int:
        return len(self.asked)


@pytest.fixture(scope="module")
def books(authority: Path) -> Iterator[Running]:
    """A server with lists of many pages."""
    with in_thread(SandboxSettings(state_dir=authority, claims=3000)) as running:
        yield running


@pytest.fixture(scope="module")
def alone(books: Running) -> Reader:
    """What one walker a list reads."""
    reader = Reader(books)
    assert reader.read().walks[CATALOGUE.names.index("claim")].entry_count == 0
    return reader


def until(books: Running) -> datetime:
    return datetime.now(UTC) + timedelta(days=1)


def test_walkers_read_what_one_would_for_few_calls_more(books: Running, alone: Reader):
    """Every claim as it is; at most 5 % more calls; all connections at work."""
    reader = Reader(books)
    done = reader.read(shared_until=until(books)).walks[CATALOGUE.names.index("claim")]
    assert reader.records() == alone.records()
    assert reader.calls() <= 1.05 * alone.calls()
    assert done.entry_count > 0
    assert done.page_count == sum(request.resource == "claim" for request in reader.asked)
    assert reader.at_once["most"] == WALKERS
    assert all(page.proof.is_ascending for page in reader.pages)


def test_a_run_that_goes_on_asks_for_the_same_pages(books: Running):
    """It enters the lists where the one before had, whatever the order of the answers."""
    first = Reader(books)
    first.read(shared_until=until(books))
    again = Reader(books, entered={key: list(moments) for key, moments in first.entered.items()})
    again.read(shared_until=until(books))
    asked = {(one.path, one.params) for one in first.asked}
    repeated = sum((one.path, one.params) in asked for one in again.asked)
    assert again.records() == first.records()
    assert repeated >= 0.95 * len(first.asked)


def test_what_changes_meanwhile_is_read_as_it_was_or_as_it_is(authority: Path):
    """Two days pass while walkers are under way: no claim that is there on both days is missing."""
    with in_thread(SandboxSettings(state_dir=authority, claims=3000)) as running:
        before = {("claim", key) for key in keys_of(running)}

        def move_on(_request: Request) -> None:
            if len(reader.asked) in (60, 150):
                running.advance(1)

        reader = Reader(running, before=move_on)
        reader.read(shared_until=until(running))
        after = {("claim", key) for key in keys_of(running)}
        read = {("claim", key) for key in reader.records()}
    assert len(before & after) > 2000
    assert before & after <= read


def test_pages_that_are_shorter_than_asked_for_are_noticed(authority: Path):
    """A source that gives ten for a thousand has ten times a hundred pages: walkers reckon with what comes."""
    with in_thread(SandboxSettings(state_dir=authority, claims=1500, page_cap=10)) as running:
        reader = Reader(running, limit=1000)
        done = reader.read(shared_until=until(running))
        assert (done.page_limit, done.page_length) == (1000, 10)
        assert done.walks[CATALOGUE.names.index("claim")].entry_count > 0
        assert {key for _, key in keys_of(running)} == {key for _, key in reader.records()}


def keys_of(running: Running) -> set[tuple[str, str]]:
    reader = Reader(running)
    reader.read()
    return set(reader.records())
