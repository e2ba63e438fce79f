"""What follows the walks: what changed meanwhile, a sample of what should not have, and look-ups of single records."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.decode import fingerprint
from pipeline.errors import NotThere, SecurityStop, SourceContractBroken
from pipeline.extract import Extraction, Scope
from pipeline.model import Page, Request, Response
from pipeline.readings import Reading
from pipeline.resources import Resource, read_catalogue

CATALOGUE = read_catalogue()
CLAIM, EXPENSE = CATALOGUE["claim"], CATALOGUE["expense"]
NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
SINCE = {("claim", "1"): NOW - timedelta(minutes=15)}


def record(number: int, version: int = 1) -> dict[str, object]:
    return {"id": str(number), "summary": f"version {version}"}


def mark_of(one: dict[str, object]) -> int:
    return fingerprint(json.dumps(one).encode())


@dataclass
class Source:
    """One company with some claims, two a page; `meanwhile` is what a later request with a lower bound is answered."""

    claims: list[dict[str, object]]
    meanwhile: list[list[dict[str, object]]] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)

    async def send(self, request: Request) -> Response:
        self.asked.append(request)
        return Response(json.dumps(self.answer(request)).encode(), NOW)

    def answer(self, request: Request) -> object:
        params = dict(request.params)
        if request.purpose == "lookup":
            found = [one for one in self.claims if request.path.endswith(f"/claim/{one['id']}")]
            if not found:
                raise NotThere("not found")
            return found[0]
        if request.resource == "company":
            return {"page": [{"companyId": "1"}]}
        if request.resource != "claim":
            return {"page": []}
        if request.purpose == "catch_up":
            return {"page": self.meanwhile.pop(0) if self.meanwhile else self.claims[-1:]}
        start = int(params.get("cursor", "0"))
        goes_on = start + 2 < len(self.claims)
        return {"page": self.claims[start : start + 2], "nextCursor": str(start + 2) if goes_on else None}

    def children(self, purpose: str = "main") -> list[str]:
        """Keys of the claims whose expenses were asked for."""
        return [one.path.split("/")[-2] for one in self.asked if one.resource == "expense" and one.purpose == purpose]


def extraction(source: Source, **scope: object) -> tuple[Extraction, list[Page]]:
    pages: list[Page] = []

    async def deliver(_resource: Resource, more: Sequence[Page]) -> None:
        pages.extend(more)

    return Extraction(Scope(CATALOGUE, "beta", concurrency=3, **scope), source.send, deliver, lambda _: None), pages


def known(records: dict[str, int]):
    """What is known of earlier nights: key -> fingerprint."""

    def are_unchanged(_resource, _context, keys, marks):
        return [records.get(key) == mark for key, mark in zip(keys, marks, strict=True)]

    return are_unchanged


INCREMENTAL = {name: Reading("incremental") for name in ("claim", "expense", "expense_split")}


def test_an_incremental_list_is_asked_from_its_lower_bound_on():
    """By company; what hangs under a record is read only if the record changed."""
    source = Source([record(1), record(2, version=2), record(3)])
    since = {"claim": Reading("incremental", {"1": NOW}), "expense": Reading("incremental")}
    old = {"1": mark_of(record(1)), "2": mark_of(record(2))}
    walks, _ = extraction(source, readings=since, are_unchanged=known(old))
    asyncio.run(walks.read_lists())
    claims = [dict(one.params) for one in source.asked if one.resource == "claim"]
    assert [one["minUpdatedDate"] for one in claims] == ["2026-03-01T02:00:00Z"] * 2
    assert sorted(source.children()) == ["2", "3"]


def test_in_full_everything_is_read():
    """Whatever is known of earlier nights."""
    source = Source([record(1), record(2)])
    walks, _ = extraction(source, are_unchanged=known({"1": mark_of(record(1))}))
    asyncio.run(walks.read_lists())
    assert sorted(source.children()) == ["1", "2"]
    assert not [one for one in source.asked if "minUpdatedDate" in dict(one.params)]


def test_a_list_that_is_kept_is_not_asked_for():
    """Nor is anything under it."""
    source = Source([record(1)])
    kept = dict.fromkeys(("claim", "expense", "expense_split", "supplier"), Reading("kept"))
    walks, _ = extraction(source, readings=kept)
    asyncio.run(walks.read_lists())
    asked = {one.resource for one in source.asked}
    assert not asked & {"claim", "expense", "supplier"}
    assert {"company", "invoice"} <= asked


def test_a_record_that_comes_twice_in_one_form_has_its_children_read_once():
    """It moved while the list was read; in another form they are read again."""
    source = Source([record(1), record(2), record(1), record(2, version=2)])
    walks, _ = extraction(source)
    asyncio.run(walks.read_lists())
    assert sorted(source.children()) == ["1", "2", "2"]


def caught_up(source: Source) -> Extraction:
    walks, _ = extraction(source)

    async def both() -> None:
        await walks.read_lists()
        await walks.catch_up(SINCE)

    asyncio.run(both())
    return walks


def test_a_catch_up_reads_what_changed_meanwhile_with_its_children():
    """It is repeated until nothing new comes; what had been read in the same form is not followed."""
    source = Source([record(1), record(2), record(3)], [[record(3), record(1, version=2)], [record(1, version=2)]])
    caught_up(source)
    rounds = [one for one in source.asked if one.resource == "claim" and one.purpose == "catch_up"]
    assert [(one.round_number, dict(one.params)["minUpdatedDate"]) for one in rounds] == [
        (1, "2026-03-01T01:45:00Z"),
        (2, "2026-03-01T01:45:00Z"),
    ]
    assert source.children("catch_up") == ["1"]


def test_catching_up_ends():
    """Three times at most: a source that changes without end is read again tomorrow."""
    source = Source([record(1), record(2), record(3)], [[record(1, version=version)] for version in range(2, 9)])
    caught_up(source)
    assert len([one for one in source.asked if one.resource == "claim" and one.purpose == "catch_up"]) == 3


def test_one_page_needs_no_catch_up():
    """It was read at one moment: a night without changes costs one request a list."""
    source = Source([record(1), record(2)])
    caught_up(source)
    assert not [one for one in source.asked if one.purpose == "catch_up"]


def test_a_recheck_leaves_out_what_was_read_anyway():
    """Of the sampled parents, those whose children this run has read already."""
    source = Source([record(1, version=2), record(2)])
    walks, pages = extraction(source, readings=INCREMENTAL, are_unchanged=known({"2": mark_of(record(2))}))

    async def both() -> None:
        await walks.read_lists()
        below = [(CLAIM, (("companyId", "1"), ("claimId", key))) for key in ("1", "2", "9")]
        await walks.recheck(below)

    asyncio.run(both())
    assert source.children("main") == ["1"]
    assert source.children("recheck") == ["2", "9"]
    assert next(one for one in walks.done().walks if one.resource == "expense").recheck_count == 2
    assert {page.proof.purpose for page in pages if page.walk.resource == "expense"} == {"main", "recheck"}


def test_a_look_up_tells_what_is_gone_and_hands_on_what_is_not():
    """404 proves the end of a record; another answer brings the record as it is now."""
    source = Source([record(1), record(2, version=3)])
    walks, pages = extraction(source)
    context = (("companyId", "1"),)
    found = asyncio.run(walks.look_up([(CLAIM, context, key) for key in ("1", "7", "2")]))
    assert found == [mark_of(record(1)), None, mark_of(record(2, version=3))]
    assert [page.proof.purpose for page in pages] == ["lookup", "lookup"]
    assert next(one for one in walks.done().walks if one.resource == "claim").record_count == 2


def test_a_look_up_that_answers_with_another_record_breaks_the_contract():
    """A mixed-up answer must not prove anything."""

    class Mixed(Source):
        def answer(self, request: Request) -> object:
            return record(5)

    walks, _ = extraction(Mixed([]))
    with pytest.raises(SourceContractBroken, match="another one"):
        asyncio.run(walks.look_up([(CLAIM, (("companyId", "1"),), "1")]))


def test_every_page_proves_its_place():
    """Cursors in and out make a chain from the first page to the end; ordinals are the resource's own."""
    source = Source([record(number) for number in range(5)])
    walks, pages = extraction(source)
    asyncio.run(walks.read_lists())
    proofs = [page.proof for page in pages if page.walk.resource == "claim"]
    assert [(proof.number, proof.ordinal, proof.record_count) for proof in proofs] == [(1, 0, 2), (2, 1, 2), (3, 2, 1)]
    assert proofs[0].cursor_in is None
    assert proofs[-1].cursor_out is None
    assert [proof.cursor_out for proof in proofs[:-1]] == [proof.cursor_in for proof in proofs[1:]]
    assert {proof.context for proof in proofs} == {("1",)}


@dataclass
class Ending(Source):
    """The expenses of one claim answer 404; the claim itself, too, if it has ended."""

    has_ended: bool = True

    def answer(self, request: Request) -> object:
        if request.resource == "expense" and "/claim/2/" in request.path:
            raise NotThere("not found")
        if request.purpose == "lookup" and self.has_ended:
            raise NotThere("not found")
        return super().answer(request)


def test_a_parent_that_ends_while_it_is_read_is_noted():
    """Its list of children answers 404: one look-up of the parent tells, and the night goes on."""
    walks, pages = extraction(Ending([record(1), record(2), record(3)]))
    asyncio.run(walks.read_lists())
    assert walks.gone == {"claim": {("1", "2")}}
    walked = {page.proof.context for page in pages if page.walk.resource == "expense"}
    assert walked == {("1", "1"), ("1", "3")}


def test_many_parents_that_end_at_once_stop_the_night():
    """They were another tenant's, or never there: nothing is called deleted for it."""

    class Strange(Source):
        def answer(self, request: Request) -> object:
            if request.resource == "expense" or request.purpose == "lookup":
                raise NotThere("not found")
            return super().answer(request)

    walks, _ = extraction(Strange([record(number) for number in range(6)]))
    with pytest.raises(SourceContractBroken, match="6 listed records answered 404"):
        asyncio.run(walks.read_lists())


def test_a_list_that_answers_404_under_a_living_parent_stops_the_night():
    """It never means an empty list."""
    walks, _ = extraction(Ending([record(1), record(2)], has_ended=False))
    with pytest.raises(NotThere):
        asyncio.run(walks.read_lists())


def test_children_under_a_walk_that_began_anew_are_asked_again():
    """In another turn: the answer that was kept from the first time may be older than the parent."""

    class Forgetful(Source):
        is_forgotten = False

        def answer(self, request: Request) -> object:
            if request.resource == "claim" and "cursor" in dict(request.params) and not self.is_forgotten:
                self.is_forgotten = True
                self.claims[0] = record(1, version=2)
                raise NotThere("expired")
            return super().answer(request)

    source = Forgetful([record(1), record(2), record(3)])
    walks, _ = extraction(source)
    asyncio.run(walks.read_lists())
    asked = [one for one in source.asked if one.resource == "expense" and "/claim/1/" in one.path]
    assert len(asked) == 2
    assert asked[0].turn != asked[1].turn


def test_a_page_of_far_too_many_records_is_refused():
    """Each record may open further walks: memory would follow the source's wish."""
    walks, _ = extraction(Source([]))
    walks.send = lambda _: _answered({"page": [{"companyId": str(n)} for n in range(10_001)]})
    with pytest.raises(SecurityStop, match="10,001 records"):
        asyncio.run(walks.read_lists())


async def _answered(document: object) -> Response:
    return Response(json.dumps(document).encode(), NOW)
