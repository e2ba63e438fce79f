"""Which walk's page comes next: simulated with a clock of its own, against the best that any order could reach."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from pipeline.extract import Extraction, Scope
from pipeline.extract.frontier import Frontier, OpenWalk
from pipeline.extract.scope import nothing_expected
from pipeline.model import Context, Page, Request, Response, Walk
from pipeline.readings import Reading
from pipeline.resources import Resource, read_catalogue

CATALOGUE = read_catalogue()
SUPPLIER = CATALOGUE["supplier"]
NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


class NoWaiting(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to whatever is due next."""

    now_s = 0.0

    def time(self) -> float:
        return self.now_s

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self.now_s = max(self.now_s, self._scheduled[0]._when)
        super()._run_once()


def rounds_of(work: Callable[[], Awaitable[object]]) -> int:
    """How long some work takes if each request takes one second, whatever else goes on."""
    with asyncio.Runner(loop_factory=NoWaiting) as runner:
        loop = runner.get_loop()
        began_s = loop.time()
        runner.run(work())
        return round(loop.time() - began_s)


def shortest(lengths: Sequence[int], workers: int) -> int:
    """The fewest rounds in which walks of so many pages can be read, one page of each walk a round.

    After so many rounds, whatever pages stand further than that in their walks must still have had room.
    """
    beyond = ((past, sum(max(length - past, 0) for length in lengths)) for past in range(max(lengths, default=0)))
    return max((past + -(-pages // workers) for past, pages in beyond), default=0)


def rounds_for(lengths: Sequence[int], workers: int, expected: Sequence[float | None]) -> int:
    """In how many rounds walks of so many pages, of ten records each, are read."""

    async def work() -> None:
        frontier, read = Frontier([1]), Counter[int]()

        def put(walk: OpenWalk) -> None:
            frontier.put(walk, has_children=False, pages_left=walk.pages_left(10))

        async def read_page(walk: OpenWalk) -> None:
            await asyncio.sleep(1)
            number = int(walk.path)
            walk.pages += 1
            read[number] += 1
            if walk.pages < lengths[number]:
                put(walk)

        for number, one in enumerate(expected):
            put(OpenWalk(Walk("supplier", (("companyId", str(number)),)), SUPPLIER, str(number), expected=one))
        await frontier.work_off(read_page, workers=workers, divide=lambda: None)
        assert read == Counter(dict(enumerate(lengths)))

    return rounds_of(work)


def lists(random: Random) -> list[int]:
    """Few long lists among many short ones, in any order."""
    lengths = [random.randint(1, 6) for _ in range(random.randint(1, 40))]
    lengths += [random.randint(10, 120) for _ in range(random.randint(0, 5))]
    random.shuffle(lengths)
    return lengths


@pytest.mark.parametrize("seed", range(200))
def test_where_lengths_are_known_no_order_could_be_faster(seed):
    """The walk with most pages left comes next."""
    random = Random(seed)
    lengths, workers = lists(random), random.randint(1, 16)
    assert rounds_for(lengths, workers, [10.0 * length for length in lengths]) == shortest(lengths, workers)


@pytest.mark.parametrize("seed", range(100))
def test_where_lengths_are_about_known_little_is_lost(seed):
    """A third more or fewer than an earlier night had."""
    random = Random(seed)
    lengths, workers = lists(random), random.randint(2, 16)
    expected = [10 * length * random.uniform(0.67, 1.33) for length in lengths]
    assert rounds_for(lengths, workers, expected) <= 1.25 * shortest(lengths, workers) + 2


@pytest.mark.parametrize("seed", range(100))
def test_where_nothing_is_known_no_worker_idles(seed):
    """However wrong what was expected is: a worker without work means that no walk waits."""
    random = Random(seed)
    lengths, workers = lists(random), random.randint(1, 16)
    expected = [random.choice([None, 10.0 * random.randint(1, 120)]) for _ in lengths]
    assert rounds_for(lengths, workers, expected) <= sum(lengths) / workers + max(lengths)


def test_a_long_list_does_not_wait_for_short_ones():
    """Forty lists of five pages and one of two hundred: first come, first served would take half as long again."""
    lengths = [5] * 40 + [200]
    assert shortest(lengths, 2) == 200
    assert rounds_for(lengths, 2, [10.0 * length for length in lengths]) == 200
    assert rounds_for(lengths, 2, [None] * 41) < 300


SUPPLIERS, CLAIMS, LIMIT = 150, 3000, 100


def read_all(workers: int, **scope: Any) -> tuple[int, Counter[str]]:
    """One company with a list of suppliers, claims, and expenses under each: rounds, and requests by resource."""
    asked: Counter[str] = Counter()

    async def send(request: Request) -> Response:
        asked[request.resource] += 1
        await asyncio.sleep(1)
        count = {"claim": CLAIMS, "supplier": SUPPLIERS * LIMIT}.get(request.resource, 0)
        start = int(dict(request.params).get("cursor", "0"))
        records = [{"id": str(n)} for n in range(start, min(start + LIMIT, count))]
        cursor = str(start + LIMIT) if start + LIMIT < count else None
        if request.resource == "company":
            records = [{"companyId": "1"}]
        return Response(json.dumps({"page": records, "nextCursor": cursor}).encode(), NOW)

    async def deliver(_resource: Resource, _pages: Sequence[Page]) -> None:
        pass

    wanted = ("company", "supplier", "claim", "expense")
    readings = {name: Reading("full" if name in wanted else "kept") for name in CATALOGUE.names}
    whole = Scope(CATALOGUE, "beta", page_limit=LIMIT, concurrency=workers, readings=readings, **scope)
    extraction = Extraction(whole, send, deliver, lambda _: None)
    return rounds_of(extraction.read_lists), asked


def known_length(resource: Resource, _context: Context) -> float | None:
    return {"claim": CLAIMS, "supplier": SUPPLIERS * LIMIT}.get(resource.name)


def fewest(asked: Counter[str], workers: int) -> float:
    """Rounds below which no order can come: all requests by all workers, or the longest list page after page."""
    return max(sum(asked.values()) / workers, SUPPLIERS)


@pytest.mark.parametrize("workers", [16, 64])
@pytest.mark.parametrize("expected", [known_length, nothing_expected])
def test_no_connection_idles_while_work_is_known(workers, expected):
    """A long list goes on while children are read, and the next page of their parents comes before they run out.

    So it is on a first night, too: a list that goes on is longer than what hangs under one record.
    """
    rounds, asked = read_all(workers, expected=expected)
    assert asked["expense"] == CLAIMS
    assert rounds <= 1.05 * fewest(asked, workers)
