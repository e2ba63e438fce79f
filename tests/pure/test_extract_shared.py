"""Lists that several walkers share, where the source is not as it should be: nothing is lost, and no night ends of it."""

from __future__ import annotations

import asyncio
import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.decode import fingerprint
from pipeline.errors import NotThere, RequestRefused
from pipeline.extract import Extracted, Extraction, Scope
from pipeline.extract.frontier import OpenWalk
from pipeline.model import Page, Request, Response, Walk
from pipeline.readings import Reading
from pipeline.resources import Resource, default_path, parse_catalogue, read_catalogue
from pipeline.stretches import Stretch

CATALOGUE = read_catalogue()
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
LIMIT = 10


def stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@dataclass
class Source:
    """Two companies' claims, in the order given; `refuses` tells which lower bounds are not taken."""

    claims: list[tuple[datetime, str]]
    refuses: Callable[[str], bool] = lambda _: False
    until: datetime = BEGIN + timedelta(hours=1500)
    gone: frozenset[str] = frozenset()
    bounds: list[str] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    read: dict[str, set[str]] = field(default_factory=dict)

    async def send(self, request: Request) -> Response:
        self.asked.append(request)
        await asyncio.sleep(0)
        return Response(json.dumps(self.answer(request)).encode(), BEGIN)

    def answer(self, request: Request) -> object:
        params, company = dict(request.params), request.path.split("/")[3:4]
        if request.resource == "company":
            if request.purpose == "lookup":
                raise NotThere("gone")
            return {"page": [{"companyId": "1"}, {"companyId": "2"}]}
        bound = params.get("minUpdatedDate")
        if bound is not None:
            self.bounds.append(bound)
            if self.refuses(bound):
                raise RequestRefused("the date is not taken")
            if company[0] in self.gone:
                raise NotThere("no such company")
        rows = [(n, *row) for n, row in enumerate(self.claims) if bound is None or stamp(row[0]) >= bound]
        start = bisect_right([row[0] for row in rows], int(params["cursor"])) if "cursor" in params else 0
        shown = rows[start : start + LIMIT]
        page = [{"id": key, "updatedDate": stamp(moment)} for _, moment, key in shown]
        return {"page": page, "nextCursor": str(shown[-1][0]) if start + LIMIT < len(rows) else None}

    def extract(self, doubtful: Sequence[str] = (), *, catalogue=CATALOGUE) -> tuple[Extraction, Extracted]:
        """Everything by eight workers."""
        wanted = ("company", "claim")
        readings = {name: Reading("full" if name in wanted else "kept") for name in catalogue.names}

        async def deliver(_resource: Resource, pages: Sequence[Page]) -> None:
            for page in pages:
                if page.walk.resource == "claim":
                    keys = (json.loads(bytes(record))["id"] for record in page.records)
                    self.read.setdefault(page.walk.context[0][1], set()).update(keys)

        async def work() -> Extraction:
            scope = Scope(catalogue, "beta", concurrency=8, readings=readings, shared_until=self.until)
            extraction = Extraction(scope, self.send, deliver, lambda _: None)
            await extraction.read_lists()
            await extraction.read_alone(doubtful)
            return extraction

        extraction = asyncio.run(asyncio.wait_for(work(), 60))
        return extraction, extraction.done()


def even(count: int) -> list[tuple[datetime, str]]:
    return [(BEGIN + timedelta(hours=n), str(n)) for n in range(count)]


def keys(claims: Sequence[tuple[datetime, str]]) -> set[str]:
    return {key for _, key in claims}


def walks_of(done: Extracted):
    return next(one for one in done.walks if one.resource == "claim")


def test_each_walk_is_counted_by_how_it_ended():
    """One a company that came to the end marker, the others at their neighbours; a walk shared by many is one."""
    source = Source(even(1500))
    _, done = source.extract()
    walks = walks_of(done)
    assert source.read == {"1": keys(source.claims), "2": keys(source.claims)}
    assert (walks.walk_count, walks.given_up_count) == (2, 0)
    assert walks.met_count == walks.entry_count > 4
    assert walks.page_count == sum(one.resource == "claim" for one in source.asked)


def test_a_walk_that_was_given_up_has_met_nobody():
    """Whatever cursor it was left with."""
    walk = OpenWalk(Walk("claim"), CATALOGUE["claim"], "/", cursor="next", stretch=Stretch(since=BEGIN))
    assert (walk.has_met, walk.is_given_up) == (True, False)
    walk.stretch.state = "dropped"
    assert (walk.has_met, walk.is_given_up) == (False, True)


def test_what_walkers_meet_again_late_stays_known():
    """The records that each began with, and those at the end of the list, however many come in between."""
    source = Source(even(1500))
    extraction, done = source.extract()
    pinned = {key for _, context, key in extraction.known.pinned if context[0][1] == "1"}
    assert "1499" in pinned
    assert LIMIT * 2 < len(pinned) <= LIMIT * (walks_of(done).entry_count + 1)
    company, others = (("companyId", "1"),), [f"x{n}" for n in range(200_000)]
    extraction.known.note(CATALOGUE["claim"], company, others, range(len(others)))
    record = json.dumps({"id": "1499", "updatedDate": stamp(source.claims[-1][0])}).encode()
    assert extraction.known.are_fresh(CATALOGUE["claim"], company, ["1499"], [fingerprint(record)]) == [False]


def test_a_source_that_takes_no_bound_in_the_middle_is_read_by_one_walker():
    """Its refusal is no reason to lower the page size, nor to end the night."""
    source = Source(even(1500), refuses=lambda _: True)
    extraction, _ = source.extract()
    assert source.read == {"1": keys(source.claims), "2": keys(source.claims)}
    assert extraction.limit == 1000
    assert extraction.sharing.refused() == {"claim": "the source refused to begin in the middle"}
    assert len(source.bounds) <= 4


def test_no_list_is_entered_among_placeholders():
    """`0001-01-01` is no change time of anything; a source may not take years before its own time."""
    placeholders = [(datetime(1, 1, 1, tzinfo=UTC), f"p{n}") for n in range(300)]
    source = Source([*placeholders, *even(1500)])
    source.extract()
    assert source.read["1"] == keys(source.claims)
    assert source.bounds
    assert all(bound >= "1970" for bound in source.bounds)


def test_a_list_whose_company_has_ended_meanwhile_proves_nothing_and_ends_nothing():
    """Where companies can be looked up: the list is left as it is, and the record noted as gone."""
    text = default_path().read_text()
    with_single = text.replace("[resource.company]\n", "[resource.company]\nsingle = true\n", 1)
    source = Source(even(1500), gone=frozenset("12"))
    extraction, _ = source.extract(catalogue=parse_catalogue(with_single, "test"))
    assert extraction.gone == {"company": {("1",), ("2",)}}


def test_a_list_in_doubt_is_read_again_by_one_walker_once():
    """What a bound hid is seen then: a record that is out of order by its own change time."""
    displaced = even(1500)
    displaced.append((BEGIN + timedelta(minutes=30), "displaced"))
    first = Source(displaced)
    first.extract()
    assert "displaced" not in first.read["1"]
    source = Source(displaced)
    extraction, done = source.extract(["claim"])
    assert source.read["1"] == keys(displaced)
    assert asyncio.run(extraction.read_alone(["claim"])) is False
    assert walks_of(done).walk_count == 4


def test_a_short_list_that_goes_back_is_no_finding():
    """It is never shared, so nothing is to be remembered of it."""
    extraction, _ = Source([(BEGIN, "1"), (BEGIN - timedelta(days=1), "2")]).extract()
    assert extraction.sharing.refused() == {}


@pytest.mark.parametrize("count", [150, 450, 2000])
def test_a_batch_of_changes_costs_at_most_three_calls_more(count: int):
    """All changed within half a minute, long ago: nothing tells before where to enter, and little is tried."""
    claims = [(BEGIN + timedelta(seconds=30 * n / count), str(n)) for n in range(count)]
    source = Source(claims, until=BEGIN + timedelta(days=900))
    source.extract()
    calls = sum(one.resource == "claim" and "/1/" in one.path for one in source.asked)
    pages = -(-count // LIMIT)
    assert pages <= calls <= pages + 3 + pages // 20
