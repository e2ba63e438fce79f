"""What the change times of rows say: how far a list has come, and whether it is in order."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from pipeline.decode import are_ascending, decode_pages, newest_by_company, stamped
from pipeline.model import Page, PageProof, Walk
from pipeline.resources import read_catalogue

CLAIM = read_catalogue()["claim"]


def at(minute: int) -> datetime:
    return datetime(2026, 3, 1, 2, minute, tzinfo=UTC)


def page(number: int, minutes: list[int | None], company: str = "1") -> Page:
    records = tuple(
        json.dumps({"id": f"{number}-{n}", "updatedDate": None if minute is None else at(minute).isoformat()}).encode()
        for n, minute in enumerate(minutes)
    )
    proof = PageProof("claim", (company,), (), "main", 0, number, number, None, None, len(records), at(0), "")
    return Page(Walk("claim", (("companyId", company),)), number, records, at(0), proof)


def decoded(*pages: Page):
    table = decode_pages(pages, CLAIM, run_id="r").table
    return table, stamped([one.proof for one in pages], table, CLAIM)


def test_the_newest_change_is_told_by_company():
    """Rows without a change time tell nothing."""
    table, _ = decoded(page(1, [3, 9, None]), page(2, [5], company="2"), page(3, [None], company="3"))
    assert newest_by_company(table, CLAIM) == {"1": at(9), "2": at(5)}


def test_a_resource_without_change_times_tells_nothing():
    """Nor does an empty table."""
    entity = read_catalogue()["entity"]
    row = Page(Walk("entity", (("companyId", "1"),)), 0, (b'{"id":"1"}',), at(0))
    assert newest_by_company(decode_pages([row], entity, run_id="r").table, entity) == {}
    assert newest_by_company(decode_pages([], CLAIM, run_id="r").table, CLAIM) == {}


def test_a_page_knows_its_first_and_last_change():
    """An empty page knows none."""
    _, proofs = decoded(page(1, [3, None, 9]), page(2, []))
    assert (proofs[0].first_updated, proofs[0].last_updated, proofs[0].is_ascending) == (at(3), at(9), True)
    assert (proofs[1].first_updated, proofs[1].is_ascending) == (None, True)


@pytest.mark.parametrize(
    ("pages", "is_in_order"),
    [
        ([[1, 2], [2, 3]], True),
        ([[1, 2], [], [2]], True),
        ([[1, 3, 2]], False),
        ([[1, 3], [2, 4]], False),
        ([[1, 3], [], [2]], False),
    ],
)
def test_a_list_is_in_order_when_it_never_goes_back(pages, is_in_order):
    """Neither on a page nor from page to page; pages may have been decoded in any order."""
    _, proofs = decoded(*(page(number, minutes) for number, minutes in enumerate(pages, 1)))
    assert are_ascending(proofs[::-1]) is is_in_order


def test_walks_are_judged_one_by_one():
    """Another company's list begins at its own beginning."""
    _, proofs = decoded(page(1, [5, 6]), page(2, [1, 2], company="2"))
    assert are_ascending(proofs)
